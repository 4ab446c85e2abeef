"""Layered networks: sizes, activations, costs and parameters, checked once and never changed afterwards."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from os import PathLike
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from whygrad.arguments import (
    mapping,
    need_brackets_in_pairs,
    numbers,
    parsed_activations,
    penalty,
    whole_sizes,
)
from whygrad.arrays import Array
from whygrad.codegen import scalar_program
from whygrad.codegen.layered import Layered
from whygrad.errors import (
    NetworkFileError,
    NotSupportedError,
    QuantityError,
    ShapeError,
    WhygradError,
    need_known,
)
from whygrad.notation import Layout, Notation, Quantity, notation, with_names
from whygrad.ops import COSTS

if TYPE_CHECKING:
    from pathlib import Path

    from whygrad.run import Run


# Networks with at most this many (costs x parameters) run as scalar code: above, NumPy's calls cost less.
SCALAR_UP_TO = 400


class Small(NamedTuple):
    """A small network, prepared: its scalar program, its parameters as numbers, and the data that it takes."""

    program: scalar_program.ScalarProgram
    parameters: tuple[float, ...]
    x_shapes: tuple[tuple[int, ...], ...]
    y_shapes: tuple[tuple[int, ...], ...]
    dtype: Any


class Network:
    """A feed-forward network of fully connected layers, with one cost for each output.

    Layer l computes z_l = W_l a_{l-1} + b_l and a_l = f_l(z_l); a_0 is the input. ``Wl`` has the shape (neurons of
    layer l, neurons of layer l-1): rows are where a weight goes to. A network is never changed: see
    :meth:`with_parameters`.

    Args:
        sizes: The neurons of each layer, the input first: at least two numbers.
        activation: One for all layers, or a list with one for each layer from 1: ``identity``, ``sigmoid``,
            ``tanh``, ``relu``, ``leaky_relu(0.3)``, ``elu``, ``softplus``, ``gelu``, ``silu``, ``softmax``, …
        bias: Whether layers have biases; where it isn't said, they have if ``parameters`` has.
        cost: ``squared_error``, ``half_squared_error``, ``cross_entropy`` (-y log a), ``binary_cross_entropy`` or
            ``absolute_error``, applied to each output.
        seed: Draws the parameters that aren't given: normal, with variance 1 / (inputs of the layer).
        parameters: ``W1``, ``b1``, … as arrays or lists; float32 where all of them are, else float64.
        l2: Adds one more cost R = l2/2 times the sum of all squared weights.
        reduction: ``"sum"`` or ``"mean"`` over the examples.
        names: A person's own names of quantities, on the left as they are written, on the right in
            ``neuron-over-layer``.
        notation: The notation that quantities are named in.
        x: Inputs that :meth:`run` takes where it is given none.
        y: Targets likewise.

    Raises:
        ShapeError: Sizes, parameters or data don't fit each other.
        NotSupportedError: There is no such activation, cost, reduction or notation.

    Example:
        >>> net = Network([2, 3, 3, 2], activation="identity", bias=False, cost="squared_error", seed=0)
        >>> net.parameters["W1"].shape
        (3, 2)
        >>> run = net.run([0.5, -1.0], [1.0, 0.0])
        >>> run.gradients()["W1"].shape      # (costs, to, from)
        (2, 3, 2)
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str | Sequence[str] = "identity",
        bias: bool | None = None,
        cost: str = "squared_error",
        *,
        seed: int = 0,
        parameters: Mapping[str, Any] | None = None,
        l2: float = 0.0,
        reduction: str = "sum",
        names: Mapping[str, str] | None = None,
        notation: str = "neuron-over-layer",
        x: Any = None,
        y: Any = None,
    ) -> None:
        checked = whole_sizes(sizes)
        activations = parsed_activations(activation, len(checked) - 1)
        given = mapping("parameters", parameters)
        if bias is None:
            bias = any(name.startswith("b") for name in given or ())
        if not isinstance(bias, (bool, np.bool_)):
            raise ShapeError(f"bias: expected true or false, found {bias!r}")
        need_known("cost", cost, COSTS)
        need_known("reduction", reduction, ("sum", "mean"))
        strength = penalty(l2)
        #: What programs are made from: the network without its numbers.
        self.layered = Layered(checked, activations, bool(bias), cost, reduction, strength)
        #: W1, b1, … as read-only arrays.
        self.parameters: Mapping[str, Array] = MappingProxyType(self._parameters(given, seed))
        self.names: dict[str, str] = dict(mapping("names", names) or {})
        for name, meaning in self.names.items():
            if not isinstance(meaning, str):
                raise ShapeError(f"names: expected {name!r} to stand for a name as text, found {meaning!r}")
            need_brackets_in_pairs(name)
        self.layout = Layout(checked, tuple(str(a) for a in activations), bool(bias), strength > 0)
        self.notation = self.in_notation(notation)
        self.dtype = next(iter(self.parameters.values())).dtype
        if (x is None) != (y is None):
            raise ShapeError(f"data: expected x and y, found only {'y' if x is None else 'x'}")
        self._x, self._y = x, y

    def _parameters(self, given: Mapping[str, Any] | None, seed: int) -> dict[str, Array]:
        made = self._drawn(seed) if given is None else self._checked(given)
        for array in made.values():
            array.setflags(write=False)
        return made

    def _drawn(self, seed: int) -> dict[str, Array]:
        """Returns random parameters, the same ones for the same seed."""
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
            raise ShapeError(f"seed: expected a whole number from 0, found {seed!r}")
        generator = np.random.default_rng(seed)
        made = {}
        for name, shape in self.layered.shapes.items():
            scale = self.layered.sizes[int(name[1:]) - 1] ** -0.5
            try:
                made[name] = generator.normal(0.0, scale, shape)
            except MemoryError:
                raise ShapeError(f"{name}: no memory for the shape {shape}; try smaller sizes") from None
        return made

    def _checked(self, given: Mapping[str, Any]) -> dict[str, Array]:
        """Returns copies of the parameters that were given, each of its shape."""
        shapes = self.layered.shapes
        unknown = [name for name in given if name not in shapes]
        if unknown:
            hint = " (the network has bias = false)" if any(name[:1] == "b" for name in unknown) else ""
            raise ShapeError(
                f"parameters: expected {', '.join(shapes)}, found {', '.join(map(str, unknown))}{hint}"
            )
        missing = [name for name in shapes if name not in given]
        if missing:
            raise ShapeError(
                f"parameters: {', '.join(missing)} missing; expected {', '.join(shapes)}, "
                f"found {', '.join(map(str, given)) or 'none'}"
            )
        single = all(getattr(given[name], "dtype", None) == np.float32 for name in shapes)
        made = {}
        for name, shape in shapes.items():
            array = made[name] = numbers(name, given[name], np.float32 if single else np.float64)
            if array.shape != shape:
                hint = ""
                if name[0] == "W" and array.shape == shape[::-1]:
                    hint = "; rows are where a weight goes to: try the transpose"
                elif name[0] == "b" and array.size == shape[0]:
                    hint = "; try its ravel()"
                raise ShapeError(f"{name}: expected the shape {shape}, found {array.shape}{hint}")
        return made

    @classmethod
    def load(cls, path: "str | Path", *, notation: str | None = None) -> "Network":
        """Returns the network that a TOML file describes.

        Args:
            path: The file; weights and data files in it are looked up beside it.
            notation: Read and name quantities in this notation, whatever the file says.

        Raises:
            NetworkFileError: The file or one of its entries can't be used; the message names both.
        """
        from whygrad.files import read_network

        if not isinstance(path, (str, PathLike)):
            raise NetworkFileError(f"load: expected the path of a network file, found {path!r}")
        from pathlib import Path

        options = read_network(Path(path))
        if notation is not None:
            options["notation"] = notation
        try:
            net = cls(**options)
            net.run()
        except NetworkFileError:
            raise
        except WhygradError as error:
            raise NetworkFileError(f"{path}: {error}") from None
        return net

    @classmethod
    def default(cls) -> "Network":
        """Returns the network of the question that whygrad grew from: 2-3-3-2 with two costs and fixed numbers."""
        from pathlib import Path

        return cls.load(Path(__file__).parent / "networks" / "two-costs.toml")

    def with_parameters(self, **changed: Any) -> "Network":
        """Returns the same network with some parameters replaced.

        Example:
            >>> net = Network([2, 1], seed=0).with_parameters(W1=[[1.0, 2.0]])
            >>> net.parameters["W1"]
            array([[1., 2.]])
        """
        return self.changed(parameters={**self.parameters, **changed})

    def in_notation(self, name: str) -> Notation:
        """Returns a notation with the network's own names on top."""
        if not isinstance(name, str):
            raise NotSupportedError(f"notation: expected a name such as 'nielsen', found {name!r}")
        base = notation(name)
        return with_names(base, self.names) if self.names else base

    def renamed(self, notation: str) -> "Network":
        """Returns the same network with its quantities named in another notation."""
        return self.changed(notation=notation)

    def changed(self, **changed: Any) -> "Network":
        """Returns the same network with some of the options replaced that :class:`Network` takes.

        Example:
            >>> Network([2, 1], "tanh", seed=0).changed(cost="absolute_error").layered.cost
            'absolute_error'
        """
        net = self.layered
        options: dict[str, Any] = {
            "activation": [str(activation) for activation in net.activations],
            "bias": net.bias,
            "cost": net.cost,
            "parameters": dict(self.parameters),
            "l2": net.l2,
            "reduction": net.reduction,
            "names": self.names,
            "notation": self.notation.name,
            "x": self._x,
            "y": self._y,
        }
        return Network(net.sizes, **(options | changed))

    def run(self, x: Any = None, y: Any = None) -> "Run":
        """Returns a run: the forward pass on some examples, from which everything else is asked.

        Args:
            x: Inputs, (inputs,) or (examples, inputs). Without them: the network's own data, or else one fixed
                random example.
            y: Targets, (outputs,) or (examples, outputs).

        Raises:
            ShapeError: Shapes don't fit, or a number is nan or infinite.
        """
        from whygrad.run import Run

        if x is None and y is None:
            x, y = self.data()
        elif x is None or y is None:
            raise ShapeError(
                f"run: expected inputs and targets, found only {'targets' if x is None else 'inputs'}"
            )
        return Run(self, x, y)

    @property
    def has_data(self) -> bool:
        """Whether the network has inputs and targets of its own."""
        return self._x is not None and self._y is not None

    def data(self) -> tuple[Array, Array]:
        """Returns the network's own inputs and targets, or one fixed random example.

        The random target is a distribution over the outputs where the cost is a cross entropy.
        """
        if self._x is not None and self._y is not None:
            return self._x, self._y
        generator = np.random.default_rng(2026)
        x = generator.normal(size=(1, self.layered.sizes[0])).round(2)
        y = generator.uniform(size=(1, self.layered.outputs)).round(2)
        if self.layered.cost == "cross_entropy":
            y = np.eye(self.layered.outputs)[[0]]
        return x, y

    def quantity(self, text: str | Quantity) -> Quantity:
        """Returns the quantity that a name in the network's notation stands for.

        Raises:
            EquationError: The name can't be read.
            QuantityError: The network has no such quantity.
        """
        if isinstance(text, str):
            return self.notation.parse(text, self.layout)
        if not isinstance(text, Quantity):
            raise QuantityError(f"expected the name of a quantity such as 'w^0_{{0,1}}', found {text!r}")
        if not self._has(text):
            raise QuantityError(f"the network {self.layered.title()} has no {text}")
        return text

    def _has(self, q: Quantity) -> bool:
        net = self.layered
        if q.kind in ("total", "R"):
            return q.kind == "total" or net.l2 > 0
        layer, low = (net.depth, 0) if q.kind in ("y", "C") else (q.layer, 0 if q.kind == "a" else 1)
        if q.kind not in ("w", "b", "z", "a", "delta", "y", "C") or (q.kind == "b" and not net.bias):
            return False
        if layer is None or not low <= layer <= net.depth or q.to is None or not 0 <= q.to < net.sizes[layer]:
            return False
        return q.kind != "w" or (q.source is not None and 0 <= q.source < net.sizes[layer - 1])

    def name(self, quantity: Quantity) -> str:
        """Returns what one types for a quantity, in the network's notation."""
        return self.notation.text(quantity, self.layout)

    @cached_property
    def small(self) -> "Small | None":
        """What it takes to run the network as scalar code, where it is small enough; nothing where it isn't."""
        arrays = self.parameters.values()
        if self.layered.outputs * sum(array.size for array in arrays) > SCALAR_UP_TO:
            return None
        return Small(
            scalar_program.program(self.layered),
            tuple(number for array in arrays for number in array.ravel().tolist()),
            ((self.layered.sizes[0],), (1, self.layered.sizes[0])),
            ((self.layered.outputs,), (1, self.layered.outputs)),
            self.dtype,
        )

    def __repr__(self) -> str:
        return f"Network({self.layered.title()})"
