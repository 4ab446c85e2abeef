"""Everything that is known before a gradient is judged: the forward pass, the right backward pass, and how exact it is.

The backward pass is kept in single steps, because a mistake is a change of one step:

    back_L = dC/da_L,  back_l = delta_{l+1} W_{l+1},  delta_l = back_l * f'(z_l),
    dW_l = delta_l^T a_{l-1} + l2 W_l,  db_l = sum of delta_l over the examples.

Everything is in float64, whatever the network computes in: rounding is judged by the type of what was handed in.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from whygrad.arrays import Array
from whygrad.codegen.layered import Activation
from whygrad.formula import compiled, symbols
from whygrad.ops import OPS
from whygrad.structures import DenseAlongAxis

if TYPE_CHECKING:
    from whygrad.run import Run


def value_at(activation: Activation, z: Array) -> Array:
    """Returns an activation function's values."""
    with np.errstate(all="ignore"):
        return np.asarray(
            activation.op.structure.value((z,), {"axis": -1, **dict(activation.settings)}, np), float
        )


def slope_at(activation: Activation, z: Array) -> Array:
    """Returns an elementwise activation function's slopes at any argument."""
    return slope_formula_at(activation, z, value_at(activation, z))


def slope_formula_at(activation: Activation, x: Array, y: Array) -> Array:
    """Returns the declared slope, a formula of the argument x and the output y, with any two arrays in their places."""
    tree = activation.op.structure.formula(0, dict(activation.settings))
    known = {activation.op.arguments[0]: x, "y": y}
    names = tuple(sorted(symbols(tree)))
    with np.errstate(all="ignore"):
        found = compiled(tree, names)(*(known[name] for name in names))
    return np.broadcast_to(np.asarray(found, float), np.shape(y)).copy()


def output_form(activation: Activation) -> bool:
    """Whether the slope is written with the output alone, as a(1 - a) is."""
    return symbols(activation.op.structure.formula(0, dict(activation.settings))) == {"y"}


def softmax_jacobian(a: Array) -> Array:
    """Returns a_i (delta_ij - a_j) for each example: (examples, i, j)."""
    return a[:, :, None] * (np.eye(a.shape[1]) - a[:, None, :])


class Setting:
    """One network on some examples: layers, values, the right gradients and the size of their contributions.

    Args:
        run: The run that the gradients belong to.
        scale: What the person's cost is multiplied with, compared with the network's.
        l2: The strength of the regularisation, in the place of the network's.
        l2_bias: The strength of a regularisation of the biases.
        kink: What an activation's slope is taken to be exactly at a kink, in the place of the declared one.
        reduction: How the gradients join the examples, where that is not how the network's cost does.
        near: A pre-activation this close to a kink (relative to its contributions) is at the kink.
    """

    def __init__(
        self,
        run: "Run",
        scale: float = 1.0,
        l2: float | None = None,
        l2_bias: float = 0.0,
        kink: float | None = None,
        near: float = 0.0,
        reduction: str | None = None,
    ) -> None:
        self._product: tuple[int, Array, Array] | None = None  # the last one is often asked for again
        self._options = (run, scale, l2, l2_bias)
        network = run.network
        net = network.layered
        self.net = net
        self.depth = net.depth
        self.sizes = net.sizes
        self.examples = len(run.x)
        self.reduction = reduction or net.reduction
        #: What the sum over the examples is multiplied with.
        self.scale = scale / (self.examples if self.reduction == "mean" else 1)
        self.l2 = (net.l2 if l2 is None else l2) * 1.0
        self.l2_bias = l2_bias
        self.kink, self.near = kink, near
        #: How near two fitted numbers have to be to be the same, relative to their size.
        self.close = max(1e-6, 8 * near)
        self.target = np.asarray(run.y, float)
        self.W = {n: np.asarray(network.parameters[f"W{n}"], float) for n in range(1, net.depth + 1)}
        self.b = {
            n: np.asarray(network.parameters[f"b{n}"], float) for n in range(1, net.depth + 1) if net.bias
        }
        self.activation = dict(enumerate(net.activations, 1))
        self.a: dict[int, Array] = {0: np.asarray(run.x, float)}
        self.z: dict[int, Array] = {}
        for layer in range(1, net.depth + 1):
            self.z[layer] = self.a[layer - 1] @ self.W[layer].T + (self.b[layer] if net.bias else 0)
            self.a[layer] = value_at(self.activation[layer], self.z[layer])
        low, high = net.bounds()
        if low:
            top = 1 - np.finfo(float).epsneg if high else None
            self.a[net.depth] = np.clip(self.a[net.depth], np.finfo(float).tiny * 2.0**20, top)

    def with_kink(self, kink: float) -> "Setting":
        """Returns the same setting with another slope at the kinks: 0 for the left one, 1 for the right one."""
        run, scale, l2, l2_bias = self._options
        return Setting(run, scale, l2, l2_bias, kink, self.near, self.reduction)

    def dense(self, layer: int) -> bool:
        """Whether each activation of a layer depends on all of its pre-activations."""
        return isinstance(self.activation[layer].op.structure, DenseAlongAxis)

    def at_kink(self, layer: int) -> Array:
        """Returns where a layer's pre-activations stand on a kink of its activation function."""
        if not self.activation[layer].op.kinks:
            return np.zeros(self.z[layer].shape, bool)
        size = np.abs(self.a[layer - 1]) @ np.abs(self.W[layer]).T
        if self.net.bias:
            size = size + np.abs(self.b[layer])
        return np.abs(self.z[layer]) <= max(self.near, 1e-15) * size

    @cached_property
    def slope(self) -> dict[int, Array]:
        """The slopes of every layer with an elementwise activation."""
        made = {}
        for layer in range(1, self.depth + 1):
            if self.dense(layer):
                continue
            found = slope_at(self.activation[layer], self.z[layer])
            if self.kink is not None:
                left, right = (
                    slope_at(self.activation[layer], np.full(1, side))[0] for side in (-1e-9, 1e-9)
                )
                found = np.where(self.at_kink(layer), left + self.kink * (right - left), found)
            made[layer] = found
        return made

    def jacobian(self, layer: int) -> Array:
        """Returns da_i/dz_j of a dense layer for each example: (examples, i, j)."""
        a = self.a[layer]
        if self.activation[layer].name == "log_softmax":
            return np.eye(a.shape[1]) - np.exp(a)[:, None, :]
        return softmax_jacobian(a)

    def cost_slope(self, cost: str | None = None, a: Array = None, target: Array = None) -> Array:
        """Returns dC/da of each example and output, without the reduction; of another cost where one is given."""
        a = self.a[self.depth] if a is None else a
        t = self.target if target is None else target
        op = OPS[cost or self.net.cost]
        tree = op.structure.formula(0, {})
        names = tuple(sorted(symbols(tree)))
        with np.errstate(all="ignore"):
            found = compiled(tree, names)(*({"a": a, "t": t}[name] for name in names))
        return np.broadcast_to(np.asarray(found, float), a.shape)

    @cached_property
    def error(self) -> Array:
        """The derivative of the cost by the outputs, with the reduction over the examples."""
        made = self.cost_slope() * self.scale
        if self.kink is not None and OPS[self.net.cost].kinks:
            on = self.a[self.depth] == self.target
            made = np.where(on, (2 * self.kink - 1) * self.scale, made)
        return made

    def through(self, layer: int, back: Array) -> Array:
        """Returns delta_l from what arrives at the layer's activations."""
        if self.dense(layer):
            return np.einsum("mi,mij->mj", back, self.jacobian(layer))
        return back * self.slope[layer]

    def weight_gradient(self, layer: int, delta: Array) -> Array:
        """Returns the costs' gradient by a layer's weights, without the regularisation."""
        if self._product is None or self._product[0] != layer or self._product[1] is not delta:
            self._product = (layer, delta, delta.T @ self.a[layer - 1])
        made: Array = self._product[2]
        return made

    @cached_property
    def backs(self) -> dict[int, Array]:
        """The derivatives by the activations of each layer."""
        made = {self.depth: self.error}
        for layer in range(self.depth - 1, 0, -1):
            made[layer] = self.through(layer + 1, made[layer + 1]) @ self.W[layer + 1]
        return made

    @cached_property
    def deltas(self) -> dict[int, Array]:
        """The derivatives by the pre-activations of each layer."""
        return {layer: self.through(layer, back) for layer, back in self.backs.items()}

    def regular(self, name: str) -> Array:
        """Returns the regularisation's gradient by a parameter."""
        layer = int(name[1:])
        return self.l2 * self.W[layer] if name[0] == "W" else self.l2_bias * self.b[layer]

    @cached_property
    def gradients(self) -> dict[str, Array]:
        """The right gradients of the total."""
        made = {}
        for layer in range(1, self.depth + 1):
            made[f"W{layer}"] = self.weight_gradient(layer, self.deltas[layer]) + self.regular(f"W{layer}")
            if self.net.bias:
                made[f"b{layer}"] = self.deltas[layer].sum(axis=0) + self.regular(f"b{layer}")
        return made

    @cached_property
    def totals(self) -> dict[str, Array]:
        """The sums of the absolute contributions: what rounding scales with."""
        made: dict[str, Array] = {}
        carried = np.abs(self.error)
        if self.net.cost in ("squared_error", "half_squared_error"):
            # Where outputs meet their targets, what is left of a - y is the rounding of a and y.
            eps = max(self.near, float(np.finfo(float).eps))
            largest = np.abs(self.a[self.depth]) + np.abs(self.target)
            carried = carried + largest * abs(self.scale) * 4 * eps / max(128 * eps, 1e-9)
        for layer in range(self.depth, 0, -1):
            if self.dense(layer):
                carried = np.einsum("mi,mij->mj", carried, np.abs(self.jacobian(layer)))
            else:
                carried = carried * np.abs(self.slope[layer])
            made[f"W{layer}"] = carried.T @ np.abs(self.a[layer - 1]) + np.abs(self.regular(f"W{layer}"))
            if self.net.bias:
                made[f"b{layer}"] = carried.sum(axis=0) + np.abs(self.regular(f"b{layer}"))
            carried = carried @ np.abs(self.W[layer])
        return made

    def data_cost(self) -> float:
        """Returns the cost without regularisation, as the network reduces it over the examples."""
        op = OPS[self.net.cost]
        with np.errstate(all="ignore"):
            values = op.structure.value((self.a[self.depth], self.target), {}, np)
        return float(np.sum(values) * self.scale)


class Ruler:
    """How far two arrays may be apart and still be the same number but for rounding.

    Args:
        totals: The sums of absolute contributions, by parameter.
        eps: The spacing of the type that the gradients were computed in.
        roundings: How many roundings may have added up.
    """

    def __init__(self, totals: Mapping[str, Array], eps: float, roundings: float = 128) -> None:
        #: Relative to the largest contributions. Equivalent formulas differ by more than one rounding.
        self.relative = max(roundings * eps, 1e-9)
        self._sizes = {name: float(np.max(total, initial=0.0)) for name, total in totals.items()}

    def tolerance(self, name: str, *arrays: Array) -> float:
        """Returns the largest difference that rounding explains, for arrays of about these sizes."""
        largest = max((float(np.max(np.abs(array), initial=0.0)) for array in arrays), default=0.0)
        return self.relative * max(self._sizes[name], largest) + 1e-300

    def size(self, name: str, *arrays: Array) -> float:
        """Returns what differences of a parameter's gradient are measured by."""
        return self.tolerance(name, *arrays) / self.relative

    def same(self, name: str, found: Array, wanted: Array) -> bool:
        """Whether two arrays are the same gradient of a parameter but for rounding."""
        with np.errstate(all="ignore"):
            apart = np.max(np.abs(found - wanted), initial=0.0)
            return bool(apart <= self.tolerance(name, found))
