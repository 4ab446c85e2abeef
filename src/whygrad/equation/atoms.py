"""What may stand in the place of something wrong, or be missing beside it: quantities and slopes with their values."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from whygrad.arrays import Array
from whygrad.equation.indices import Letters
from whygrad.equation.points import function_slope
from whygrad.equation.tree import Call, Function, Index, Negative, Node, Ref, Sum, Symbol
from whygrad.equation.trial import Trial
from whygrad.equation.vocabulary import constant_ref
from whygrad.notation import Quantity, quantities

MOST_ATOMS = 300


class Atom(NamedTuple):
    """A quantity, the slope of an activation function (kind `slope`), or an output less its target (`error`)."""

    kind: str
    ref: Ref
    value: Array | None = None

    def node(self, span: tuple[int, int]) -> Node:
        """Returns a tree that means it."""
        symbol = Symbol(span, "", (self.ref,))
        if self.kind == "error":
            return Sum(span, (symbol, Negative(span, Symbol(span, "", (Ref("y", None, self.ref.to),)))))
        return Call(span, Function("", 1), (symbol,)) if self.kind == "slope" else symbol

    def written(self, trial: Trial) -> str:
        """Returns how the writer writes it."""
        if self.kind == "error":
            return f"({trial.writer.ref(self.ref)} - {trial.writer.ref(Ref('y', None, self.ref.to))})"
        return trial.writer.slope(self.ref) if self.kind == "slope" else trial.writer.ref(self.ref)


def constant_atoms(trial: Trial) -> list[Atom]:
    """Returns every quantity of a small network with its values at the trial's points."""
    found: list[Atom] = []
    points = trial.points
    shape = (points.many, points.examples)
    net = trial.setting.layered
    if sum(o * i for o, i in zip(net.sizes, net.sizes[1:], strict=False)) > MOST_ATOMS:
        return []
    for q in quantities(trial.setting.vocabulary.layout):
        value = np.broadcast_to(points.value(q), shape).ravel()
        found.append(Atom(q.kind, constant_ref(q), value))
    for layer, activation in enumerate(net.activations, 1):
        if activation.trivial or activation.dense:
            continue
        slopes = function_slope(activation, points.z(layer))
        for unit in range(net.sizes[layer]):
            value = np.broadcast_to(slopes[..., unit], shape).ravel()
            found.append(Atom("slope", constant_ref(Quantity("z", layer, unit)), value))
    for unit in range(net.outputs):
        gap = points.a(net.depth)[..., unit] - points.y[..., unit]
        output = constant_ref(Quantity("a", net.depth, unit))
        found.append(Atom("error", output, np.broadcast_to(gap, shape).ravel()))
    return found


def lettered_atoms(trial: Trial, arrays: bool) -> list[Atom]:
    """Returns the quantities that can be made of the indices in an equality with letters (or of its layers)."""
    uses = [use.meaning for use in trial.letters.uses if isinstance(use.meaning, Ref)]
    layers: dict[Index, None] = {}
    units: dict[tuple[Index, Index], None] = {}
    depth = trial.setting.layered.depth
    for ref in uses:
        layer = ref.layer if ref.kind not in ("y", "C") else Index(None, depth)
        if layer is None:
            continue
        layers[layer] = None
        if ref.to is not None and ref.kind != "C":
            units[layer, ref.to] = None
        if ref.source is not None:
            below = layer._replace(offset=layer.offset - 1)
            layers[below] = None
            units[below, ref.source] = None
    found: list[Atom] = []
    if arrays:
        for layer in layers:
            found += [
                Atom(kind, Ref("z" if kind == "slope" else kind, layer, array=True))
                for kind in ("slope", "a", "z", "w", "delta", *(("b",) if trial.setting.layered.bias else ()))
            ]
        return found
    for layer, unit in units:
        kinds = ("slope", "a", "z", "delta", *(("b",) if trial.setting.layered.bias else ()))
        found += [Atom(kind, Ref("z" if kind == "slope" else kind, layer, unit)) for kind in kinds]
        if layer == Index(None, depth):
            found += [Atom("y", Ref("y", None, unit)), Atom("error", Ref("a", layer, unit))]
    for layer, unit in units:
        for below, source in units:
            if below == layer._replace(offset=layer.offset - 1):
                found.append(Atom("w", Ref("w", layer, unit, source)))
    return found


def same(one: Array, other: Array) -> bool:
    """Returns whether two values agree."""
    return bool(np.all(np.abs(one - other) <= 1e-8 * (np.abs(one) + np.abs(other)) + 1e-13))


class Match(NamedTuple):
    """A number or atoms whose product is some values."""

    factor: float
    atoms: tuple[Atom, ...]


def matches(wanted: Array, atoms: list[Atom], pairs: bool, where: Array | None = None) -> Iterator[Match]:
    """Yields what a value is: a constant, an atom, minus an atom, or (with `pairs`) a product of two.

    Args:
        wanted: The values.
        atoms: What it may be.
        pairs: Whether products of two are tried.
        where: At which points; all where it isn't said.
    """
    flat = wanted if where is None else wanted[where]
    if np.all(np.abs(flat - flat[0]) <= 1e-9 * abs(flat[0]) + 1e-14):
        yield Match(float(flat[0]), ())
        return
    if not atoms:
        return
    table = np.stack([atom.value for atom in atoms if atom.value is not None])
    table = table if where is None else table[:, where]
    margin = 1e-8 * np.abs(flat) + 1e-13
    for sign in (1.0, -1.0):
        for place in np.flatnonzero(np.all(np.abs(sign * table - flat) <= margin, axis=1)):
            yield Match(sign, (atoms[int(place)],))
    if not pairs:
        return
    # One point first: most products are ruled out there.
    start = np.outer(table[:, 0], table[:, 0])
    for sign in (1.0, -1.0):
        near = np.argwhere(np.abs(sign * start - flat[0]) <= 1e-8 * abs(flat[0]) + 1e-13)
        for one, other in near[:2000]:
            if one <= other and np.all(np.abs(sign * table[one] * table[other] - flat) <= margin):
                yield Match(sign, (atoms[int(one)], atoms[int(other)]))


def letters_of(trial: Trial, node: Node) -> bool:
    """Returns whether a part has letters for indices."""
    return bool(Letters(node, trial.setting.vocabulary, trial.pair.lacking, trial.outcome.choices).free)
