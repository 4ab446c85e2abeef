"""A forward pass of a network and its gradients, by the network's generated program."""

from functools import cached_property
from math import isfinite
from typing import Any

import numpy as np

from whygrad.arguments import numbers
from whygrad.arrays import Array
from whygrad.codegen import engine
from whygrad.errors import NotSupportedError, ShapeError, WhygradError
from whygrad.gradients import Backward, Gradients
from whygrad.network import Network
from whygrad.notation import Quantity
from whygrad.ops import OPS


class ForwardPass:
    """The forward pass of a network on one or more examples, its costs and their gradients, by the generated program.

    Nothing is computed, or imported, before it is asked for: the first gradient of a small network needs no graph.

    Attributes:
        network: The network.
    """

    def __init__(self, network: Network, x: Any, y: Any) -> None:
        self.network = network
        self._scalar: list[float] | None = None
        small = network.small
        self._small = small
        if small is not None:
            # The quick way for one example in arrays of the right kind: this is what a small network pays for.
            quick = type(x) is np.ndarray is type(y) and x.dtype is small.dtype is y.dtype
            if quick and x.shape in small.x_shapes and y.shape in small.y_shapes:
                self._given: list[float] = x.ravel().tolist() + y.ravel().tolist()
                if isfinite(sum(self._given)):
                    return
        net = network.layered
        self.x = _examples("x", x, net.sizes[0], "inputs", network.dtype)
        self.y = _examples("y", y, net.sizes[-1], "targets", network.dtype)
        if len(self.x) != len(self.y):
            raise ShapeError(
                f"run: expected as many inputs as targets, found x {self.x.shape} and y {self.y.shape}"
            )
        if len(self.x) > 1:
            self._small = None
        self._given = self.x.ravel().tolist() + self.y.ravel().tolist() if self._small else []

    @cached_property
    def x(self) -> Array:
        """The inputs, (examples, inputs)."""
        return np.array([self._given[: self.network.layered.sizes[0]]], dtype=self.network.dtype)

    @cached_property
    def y(self) -> Array:
        """The targets, (examples, outputs)."""
        return np.array([self._given[self.network.layered.sizes[0] :]], dtype=self.network.dtype)

    # The forward pass

    @cached_property
    def _states(self) -> tuple[Array, ...]:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            made = engine.program(self.network.layered).forward(self.x, *self.network.parameters.values())
        return tuple(made)

    @property
    def examples(self) -> int:
        """How many examples there are."""
        return len(self.x)

    def _scalars(self) -> list[float] | None:
        """Returns costs and gradients from the scalar program, or nothing where it isn't used."""
        if self._scalar is None and self._small is not None:
            try:
                self._scalar = self._small.program.run(*self._given, *self._small.parameters)
            except (OverflowError, ZeroDivisionError, ValueError):
                # Python's float functions raise where NumPy's go to inf or nan.
                self._small = None
        return self._scalar

    @cached_property
    def costs(self) -> Array:
        """The costs' values, (costs,): one for each output, summed or averaged over the examples, and R at the end.

        Raises:
            WhygradError: A cost is not a finite number.
        """
        scalars = self._scalars()
        net = self.network.layered
        if scalars is not None:
            made = np.array(scalars[: net.outputs + (net.l2 > 0)], dtype=self.network.dtype)
        else:
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                program = engine.program(net)
                made = program.costs(self.y, self.x, *self._states, *self.network.parameters.values())
        if not np.isfinite(made).all():
            place = int(np.flatnonzero(~np.isfinite(made))[0])
            raise WhygradError(
                f"run: expected finite costs, found {self.cost_names[place]} = {made[place]}; "
                f"{self._why_not_finite()}"
            )
        return made

    def _why_not_finite(self) -> str:
        for place, state in enumerate(self._states):
            if not np.isfinite(state).all():
                return f"layer {place // 2 + 1} overflows: try smaller weights or inputs"
        cost = self.network.layered.cost
        needs = OPS[cost].cost
        if needs is not None and needs.low is not None:
            wanted = "above 0" if needs.high is None else "between 0 and 1"
            return f"{cost} needs outputs {wanted}: try a {' or '.join(needs.from_z)} output layer"
        return "try smaller targets"

    @property
    def total(self) -> float:
        """The sum of the costs."""
        return float(self.costs.sum())

    @cached_property
    def cost_quantities(self) -> tuple[Quantity, ...]:
        """The costs: C of each output, and R where the network has one."""
        net = self.network.layered
        made = tuple(Quantity("C", None, k) for k in range(net.outputs))
        return (*made, Quantity("R")) if net.l2 else made

    @property
    def ends(self) -> tuple[Quantity, ...]:
        """What is differentiated, the first where nothing is said: the total and the costs; a cost that is alone.

        A total that has a person's own name (``loss``) stands for a cost that is alone.
        """
        total, costs = Quantity("total"), self.cost_quantities
        if len(costs) > 1:
            return (total, *costs)
        return (total,) if total in self.network.notation.names.values() else costs

    @property
    def cost_names(self) -> tuple[str, ...]:
        """What the costs are called in the network's notation."""
        return tuple(self.network.name(q) for q in self.cost_quantities)

    # Gradients

    def gradients(self, by: str = "cost") -> Gradients:
        """Returns the gradient of each cost by every parameter: a mapping name -> array (costs, *shape).

        Args:
            by: ``"cost"`` for a row for each cost, ``"example"`` for a row for each example's share of the total.

        Example:
            >>> import whygrad as wg
            >>> g = wg.Network.default().run().gradients()
            >>> g["W3"][1, 0]         # C^1 does not contain the weights into output 0
            array([0., 0., 0.])
        """
        net = self.network.layered
        if by not in ("cost", "example"):
            raise NotSupportedError(f"gradients: expected by='cost' or by='example', found {by!r}")
        scalars = self._scalars() if by == "cost" else None
        if scalars is not None and self._small is not None:
            flat = np.array(scalars, dtype=self.network.dtype)
            if not isfinite(sum(scalars)):
                self.costs  # noqa: B018 - raises with the reason
            slices = self._small.program.slices
            arrays = {name: flat[start:stop].reshape(shape) for name, start, stop, shape in slices}
            return Gradients(net, self.network.parameters, lambda: self._backward("cost"), arrays)
        return Gradients(net, self.network.parameters, self._backward(by))

    def _backward(self, rows: str) -> Backward:
        net = self.network.layered
        program = engine.program(net, rows)
        states = self._states
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            e, deltas, slope = program.backward(self.y, self.x, *states, *self.network.parameters.values())
        low, _ = net.bounds()
        if not low and OPS[net.cost].cost.low is not None:  # type: ignore[union-attr]  # it is one
            self.costs  # noqa: B018 - a logarithm of what may be negative: its slope would be a number all the same
        if not np.isfinite(e).all():
            self.costs  # noqa: B018 - raises with the reason
            raise WhygradError(
                "run: the costs' derivatives by the outputs overflow; try smaller weights or targets"
            )
        inputs = (self.x, *states[1:-1:2])
        last = self.network.parameters[f"W{net.depth}"]
        return Backward(e, deltas, inputs, net.outputs if rows == "cost" else 0, program.plan, slope, last)


def _examples(name: str, given: Any, width: int, what: str, dtype: Any) -> Array:
    """Returns data as (examples, width), copied and checked."""
    array = numbers(name, given, dtype)
    if array.ndim == 1:
        array = array.reshape(1, -1)
    if array.ndim != 2 or array.shape[1] != width or not array.shape[0]:
        raise ShapeError(
            f"{name}: expected the shape ({width},) or (examples, {width}) for {width} {what}, "
            f"found {np.shape(given)}"
        )
    return array
