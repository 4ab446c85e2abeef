"""Points to judge an equation at: parameters, data, and every local derivative, many networks at once.

Arrays have the point first, then the example. Nothing here shares code with the engine's sweeps, so that a check of
the engine's own equations is a check.
"""

from functools import cached_property
from typing import Any

import numpy as np

from whygrad.arrays import Array
from whygrad.codegen.layered import Activation, Layered
from whygrad.formula import compiled, parse, symbols
from whygrad.notation import Quantity
from whygrad.ops import OPS
from whygrad.structures import Elementwise


def function_value(activation: Activation, z: Array) -> Array:
    """Returns an activation function's values."""
    op = activation.op
    tree = op.value(dict(activation.settings))
    return np.asarray(compiled(tree, op.arguments)(z), dtype=float)


def function_slope(activation: Activation, z: Array) -> Array:
    """Returns an activation function's slopes; of softmax those of each output by its own input."""
    op = activation.op
    a = function_value(activation, z)
    if activation.dense:
        return np.diagonal(_dense_slopes(activation, z, a), axis1=-2, axis2=-1)
    tree = op.structure.formula(0, dict(activation.settings))
    return np.broadcast_to(compiled(tree, (op.arguments[0], "y"))(z, a), np.shape(z)).astype(float)


def _dense_slopes(activation: Activation, z: Array, a: Array) -> Array:
    tree = activation.op.structure.formula(0, {})
    x = activation.op.arguments[0]
    known = {
        f"{x}_i": z[..., :, None],
        f"{x}_j": z[..., None, :],
        "y_i": a[..., :, None],
        "y_j": a[..., None, :],
    }
    known["delta"] = np.eye(z.shape[-1])
    names = tuple(sorted(symbols(tree)))
    return compiled(tree, names)(*(known[name] for name in names))


class Points:
    """Some networks of one kind with their data: values and derivatives of every quantity.

    Args:
        layered: The kind of network.
        weights: W1, W2, … with shape (points, to, from).
        biases: b1, b2, … with shape (points, neurons), or none.
        x: Inputs (points, examples, inputs).
        y: Targets (points, examples, outputs).
        rate: The learning rate, (points,).
    """

    def __init__(
        self, layered: Layered, weights: list[Array], biases: list[Array], x: Array, y: Array, rate: Array
    ) -> None:
        self.net = layered
        self.weights, self.biases, self.x, self.y = weights, biases, x, y
        self.rate = rate[:, None]
        self.many, self.examples = x.shape[:2]
        self.share = 1 / self.examples if layered.reduction == "mean" else 1.0
        self._between: dict[tuple[int, int], Array] = {}

    @cached_property
    def _forward(self) -> tuple[list[Array], list[Array], list[Array]]:
        """The pre-activations, activations, and local derivatives a by z (a vector, or a matrix for softmax)."""
        zs, activations, slopes = [], [self.x], []
        with np.errstate(all="ignore"):
            for layer, activation in enumerate(self.net.activations, 1):
                z = np.einsum("poi,pei->peo", self.weights[layer - 1], activations[-1])
                if self.net.bias:
                    z = z + self.biases[layer - 1][:, None, :]
                a = function_value(activation, z)
                dense = activation.dense
                slopes.append(_dense_slopes(activation, z, a) if dense else function_slope(activation, z))
                zs.append(z)
                activations.append(a)
        return zs, activations, slopes

    @cached_property
    def costs(self) -> Array:
        """Each example's costs (points, examples, costs)."""
        return self._cost_formula(self._cost.of)

    @property
    def _cost(self) -> Elementwise:
        structure = OPS[self.net.cost].structure
        assert isinstance(structure, Elementwise)  # every cost of a network is one
        return structure

    def _cost_formula(self, text: str) -> Array:
        with np.errstate(all="ignore"):
            return np.broadcast_to(
                compiled(parse(text), ("a", "t"))(self.a(self.net.depth), self.y), self.y.shape
            )

    @cached_property
    def _cost_by_output(self) -> Array:
        return self._cost_formula(self._cost.partials["a"])

    @cached_property
    def finite(self) -> Array:
        """Which points have finite costs and derivatives."""
        parts = (self.costs, self._cost_by_output, self.a(self.net.depth))
        return np.all([np.isfinite(part).all(axis=(1, 2)) for part in parts], axis=0)

    def z(self, layer: int) -> Array:
        """Returns the pre-activations of a layer (points, examples, neurons)."""
        return self._forward[0][layer - 1]

    def a(self, layer: int) -> Array:
        """Returns the activations of a layer, in layer 0 the inputs."""
        return self._forward[1][layer]

    def _through(self, layer: int, before: Array) -> Array:
        """Returns d a_layer / d … from d z_layer / d … (points, examples, neurons, …)."""
        slope = self._forward[2][layer - 1]
        return slope @ before if slope.ndim == 4 else slope[..., None] * before

    def z_by_z(self, of: int, by: int) -> Array:
        """Returns d z_of / d z_by, (points, examples, neurons of one, neurons of the other)."""
        key = (of, by)
        if key not in self._between:
            if of == by:
                size = self.net.sizes[of]
                made = np.broadcast_to(np.eye(size), (self.many, self.examples, size, size))
            else:
                made = self.weights[of - 1][:, None] @ self._through(of - 1, self.z_by_z(of - 1, by))
            self._between[key] = made
        return self._between[key]

    @cached_property
    def _cost_by_z(self) -> dict[int, Array]:
        return {}

    def cost_by_z(self, layer: int) -> Array:
        """Returns each example's d C^k / d z_layer, (points, examples, costs, neurons)."""
        if layer not in self._cost_by_z:
            end = self._cost_by_output[..., None] * self._through(
                self.net.depth, self.z_by_z(self.net.depth, layer)
            )
            self._cost_by_z[layer] = end
        return self._cost_by_z[layer]

    def costs_by_array(self, by: str, by_layer: int) -> Array:
        """Returns each example's d C^k / d a or z of a layer, without the mean's 1/m."""
        if by == "z":
            return self.cost_by_z(by_layer)
        if by_layer == self.net.depth:
            return self._cost_by_output[..., None] * np.eye(self.net.outputs)
        return self.cost_by_z(by_layer + 1) @ self.weights[by_layer][:, None]

    def by_array(self, of: str, of_layer: int, by: str, by_layer: int) -> Array | None:
        """Returns d of / d by between two layers' a or z, (points, examples, neurons, neurons); None: no path.

        With ``of`` = "C" the costs of each example, without the mean's 1/m.
        """
        if of == "C":
            return self.costs_by_array(by, by_layer)
        if of == by and of_layer == by_layer:
            size = self.net.sizes[of_layer]
            return np.broadcast_to(np.eye(size), (self.many, self.examples, size, size))
        first = by_layer if by == "z" else by_layer + 1
        if of_layer < first:
            return None
        made = self.z_by_z(of_layer, first)
        if by == "a":
            made = made @ self.weights[by_layer][:, None]
        return self._through(of_layer, made) if of == "a" else made

    def value(self, q: Quantity) -> Array:
        """Returns a quantity's values, (points, examples) or (points, 1); delta is d total / d z."""
        layer, to = q.layer or 0, q.to or 0
        match q.kind:
            case "w":
                return self.weights[layer - 1][:, to, q.source or 0, None]
            case "b":
                return self.biases[layer - 1][:, to, None]
            case "z":
                return self.z(layer)[..., to]
            case "a":
                return self.a(layer)[..., to]
            case "y":
                return self.y[..., to]
            case "C":
                return self.costs[..., to].sum(axis=1, keepdims=True) * self.share
            case "total":
                whole = self.costs.sum(axis=(1, 2))[:, None] * self.share
                return whole + self.value(Quantity("R")) if self.net.l2 else whole
            case "R":
                squares = sum((w**2).sum(axis=(1, 2)) for w in self.weights)
                return self.net.l2 / 2 * np.asarray(squares)[:, None]
            case "delta":
                return self.derivative(Quantity("total"), q._replace(kind="z"))
        raise AssertionError(q)

    def derivative(self, of: Quantity, by: Quantity) -> Array:
        """Returns the derivative of one quantity by another over all paths, (points, examples) or (points, 1)."""
        nothing = np.zeros((self.many, 1))
        if of == by:
            return nothing + 1
        if of.kind in ("w", "b", "y") or by.kind == "total" or (by.kind == "R" and of.kind != "total"):
            return nothing
        if of.kind == "total":
            if by.kind in ("C", "R"):
                return nothing + 1
            every = [self.derivative(Quantity("C", None, k), by) for k in range(self.net.outputs)]
            whole = np.sum(every, axis=0)
            return whole + self.derivative(Quantity("R"), by) if self.net.l2 else whole
        if of.kind == "R":
            return self.net.l2 * self.value(by) if by.kind == "w" else nothing
        if by.kind == "C":
            return nothing
        if by.kind == "y":
            if of.kind != "C" or of.to != by.to:
                return nothing
            return self._cost_formula(self._cost.partials["t"])[..., by.to] * self.share
        parameter = by.kind in ("w", "b")
        place = Quantity("z", by.layer, by.to) if parameter else by
        made = self.by_array(of.kind, of.layer or 0, place.kind, place.layer or 0)
        if made is None:
            return nothing
        made = made[..., of.to or 0, place.to or 0]
        if by.kind == "w":
            made = made * self.a((by.layer or 1) - 1)[..., by.source or 0]
        if of.kind == "C":
            made = made * self.share
            return made.sum(axis=1, keepdims=True) if parameter else made
        return made

    def of_example(self, example: int) -> "Points":
        """Returns the points with one example alone: its cost has no mean's 1/m, and none of the weights' cost."""
        x, y = self.x[:, example : example + 1], self.y[:, example : example + 1]
        return Points(self.net._replace(l2=0.0), self.weights, self.biases, x, y, self.rate[:, 0])

    def at_rate(self, rate: float) -> "Points":
        """Returns the points with one learning rate for all."""
        made = Points(self.net, self.weights, self.biases, self.x, self.y, np.full(self.many, rate))
        made.__dict__.update({key: value for key, value in self.__dict__.items() if key != "rate"})
        return made

    @cached_property
    def numbers(self) -> Array:
        """Every value and derivative that a worked example prints, at the first point; none for large networks."""
        net = self.net
        if sum(o * i for o, i in zip(net.sizes, net.sizes[1:], strict=False)) > 400:
            return np.zeros(0)
        parts = [*self.weights, *self.biases, self.x, self.y, self.costs, self.costs.sum(axis=-1)]
        for layer in range(net.depth + 1):
            parts.append(self.a(layer))
            for kind in "az" if layer else "a":
                by = self.costs_by_array(kind, layer) * self.share
                parts += [by, by.sum(axis=2)]
                if kind == "z":
                    each = by[..., None] * self.a(layer - 1)[:, :, None, None, :]
                    parts += [self.z(layer), self._forward[2][layer - 1], each, each.sum(axis=2)]
        return np.unique(np.concatenate([part[0].ravel() for part in parts]))

    def chosen(self, keep: Array) -> "Points":
        """Returns some of the points."""
        return Points(
            self.net,
            [w[keep] for w in self.weights],
            [b[keep] for b in self.biases],
            self.x[keep],
            self.y[keep],
            self.rate[keep, 0],
        )


def declared(layered: Layered, parameters: Any, x: Array, y: Array, rate: float = 0.371) -> Points:
    """Returns the one point of a network's own parameters and data."""
    depth = layered.depth
    return Points(
        layered,
        [np.asarray(parameters[f"W{layer}"], float)[None] for layer in range(1, depth + 1)],
        [np.asarray(parameters[f"b{layer}"], float)[None] for layer in range(1, depth + 1)]
        if layered.bias
        else [],
        np.asarray(x, float)[None],
        np.asarray(y, float)[None],
        np.array([rate]),
    )


def generic(layered: Layered, examples: int, seed: int, many: int, targets: str = "any") -> Points:
    """Returns points at which nothing holds by accident: unequal weights, inputs and targets.

    Weights grow with depth so that sigmoid networks keep slopes that differ, and are more often positive at some
    points than at others, so that every unit of a ReLU network is alive at some point and dead at another.

    Args:
        layered: The kind of network.
        examples: How many examples each point has.
        seed: Draws the points; the same ones each time.
        many: How many points.
        targets: ``any``; ``shares`` (positive, and they sum to 1).
    """
    generator = np.random.default_rng(seed)
    alive = np.linspace(0.5, 1.0, many)

    def draw(*shape: int) -> Array:
        sizes = generator.uniform(0.25, 1.35, (many, *shape))
        positive = generator.uniform(size=(many, *shape)) < alive.reshape(-1, *[1] * len(shape))
        return np.where(positive, sizes, -sizes)

    net = layered
    weights = [
        draw(o, i) * min(1.0, 2.0 / np.sqrt(i)) for i, o in zip(net.sizes, net.sizes[1:], strict=False)
    ]
    biases = [draw(o) * 0.6 for o in net.sizes[1:]] if net.bias else []
    x = draw(examples, net.sizes[0])
    y = generator.uniform(0.1, 0.9, (many, examples, net.outputs))
    if targets == "shares":
        y = y / y.sum(axis=-1, keepdims=True)
    return Points(net, weights, biases, x, y, generator.uniform(0.05, 0.9, many))


def usable(layered: Layered, examples: int, seed: int, many: int, targets: str = "any") -> Points:
    """Returns generic points with finite costs; all positive ones where a logarithm needs it."""
    made = generic(layered, examples, seed, many, targets)
    if made.finite.all():
        return made
    if made.finite.sum() >= min(4, many):
        return made.chosen(made.finite)
    positive = Points(
        layered,
        [np.abs(w) / (2 * w.shape[2]) for w in made.weights],
        [np.abs(b) / 8 for b in made.biases],
        np.abs(made.x) / 2,
        made.y,
        made.rate[:, 0],
    )
    return positive.chosen(positive.finite) if positive.finite.any() else made
