"""Finds which paths a right side lacks, and which it has too many: the terms of the left side's derivative."""

from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np

from whygrad.arrays import Array
from whygrad.equation.points import Points
from whygrad.equation.tree import Derivative, Node, Ref, Symbol, walk
from whygrad.equation.trial import Trial
from whygrad.equation.vocabulary import quantity_of, stands_for
from whygrad.equation.writing import Writer
from whygrad.notation import Quantity
from whygrad.notation.quantity import exists

MOST_TERMS = 64


class Term(NamedTuple):
    """One term of a derivative: the quantities from what is derived down to what it is derived by."""

    places: tuple[Quantity, ...]

    def value(self, points: Points) -> Array:
        """Returns the product of the derivatives along the term."""
        made = np.ones((1, 1))
        for of, by in zip(self.places, self.places[1:], strict=False):
            made = made * points.derivative(of, by)
        return made

    def written(self, writer: Writer) -> str:
        """Returns the term as a product of derivatives."""
        names = [writer.quantity(q) for q in self.places]
        pairs = pairwise(names)
        return writer.product([writer.derivative(of, by) for of, by in pairs])


class Forward(NamedTuple):
    """One term of a weighted sum: a weight and what it multiplies, or a bias."""

    places: tuple[Quantity, ...]

    def value(self, points: Points) -> Array:
        """Returns the product of the quantities."""
        made = np.ones((1, 1))
        for q in self.places:
            made = made * points.value(q)
        return made

    def written(self, writer: Writer) -> str:
        """Returns the term as a product."""
        return writer.times().join(writer.quantity(q) for q in self.places)


class Account(NamedTuple):
    """What is missing from a right side, and what it has too many; with how often."""

    missing: tuple[Term | Forward, ...]
    surplus: tuple[Term | Forward, ...]
    whole: tuple[Term | Forward, ...]
    """All terms of the left side."""


def derived(trial: Trial, node: Node, values: dict[str, int]) -> tuple[Quantity, Quantity] | None:
    """Returns what is derived and by what, where a side is one derivative (or delta, or `dW2[0, 0]`)."""
    node = stands_for(node)

    def quantity(part: Node) -> Quantity | None:
        part = stands_for(part)
        if not isinstance(part, Symbol):
            return None
        ref = part.meanings[0]
        if not isinstance(ref, Ref) or ref.array or ref.derived:
            return None
        try:
            q = quantity_of(ref, values)
        except KeyError:
            return None
        return q if exists(q, trial.setting.vocabulary.layout) else None

    if isinstance(node, Derivative):
        of, by = quantity(node.of), quantity(node.by)
        return (of, by) if of is not None and by is not None else None
    if isinstance(node, Symbol) and isinstance(node.meanings[0], Ref) and not node.meanings[0].array:
        ref = node.meanings[0]
        if ref.derived:
            return Quantity("total"), quantity_of(ref, values)
        if ref.kind == "delta" and ref.sign == 1:
            return Quantity("total"), quantity_of(ref._replace(kind="z"), values)
    return None


def _through(trial: Trial, node: Node, of: Quantity, by: Quantity) -> list[tuple[str, int | None]]:
    """Returns the layers that the terms of a side go through, from the cost down."""
    found: set[tuple[str, int | None]] = set()
    halves = (half for part in walk(node) if isinstance(part, Derivative) for half in (part.of, part.by))
    for half in map(stands_for, halves):
        ref = half.meanings[0] if isinstance(half, Symbol) else None
        if not isinstance(ref, Ref) or ref.array:
            continue
        if ref.kind == "C":
            found.add(("C", None))
        elif ref.kind in ("a", "z") and ref.layer is not None and ref.layer.letter is None:
            found.add((ref.kind, ref.layer.offset))
    return _ordered(trial, found, of, by)


def _ordered(
    trial: Trial, found: set[tuple[str, int | None]], of: Quantity, by: Quantity
) -> list[tuple[str, int | None]]:
    high = _height(of, trial)
    low = _height(by, trial)
    kept = [cut for cut in found if low < _height(Quantity(*cut), trial) < high]
    return sorted(kept, key=lambda cut: -_height(Quantity(*cut), trial))


def _height(q: Quantity, trial: Trial) -> float:
    depth = trial.setting.layered.depth
    if q.kind == "total":
        return 2 * depth + 4
    if q.kind in ("C", "R"):
        return 2 * depth + 3
    layer = q.layer or 0
    return 2 * layer + {"a": 1, "z": 0, "w": -0.5, "b": -0.5}.get(q.kind, 0)


def terms(trial: Trial, of: Quantity, by: Quantity, cuts: list[tuple[str, int | None]]) -> list[Term]:
    """Returns the terms of a derivative that go through some layers, in the order of the network."""
    sizes = trial.setting.layered.sizes
    units: list[list[Quantity]] = []
    for kind, layer in cuts:
        if kind == "C":
            units.append([Quantity("C", None, k) for k in range(sizes[-1])])
            if trial.setting.layered.l2 and by.kind == "w":
                units[-1].append(Quantity("R"))
            continue
        layer = layer or 0
        units.append([Quantity(kind, layer, unit) for unit in range(sizes[layer])])
    # A parameter's own neuron is the only way out of it.
    if by.kind in ("w", "b"):
        units = [
            [q for q in row if not (q.kind in ("a", "z") and q.layer == by.layer and q.to != by.to)]
            if trial.setting.layered.activations[(by.layer or 1) - 1].dense is False or row[0].kind == "z"
            else row
            for row in units
        ]
    if np.prod([float(len(row)) for row in units]) > MOST_TERMS:
        return []
    made = [Term((of, *middle, by)) for middle in product(*units)]
    return sorted(made, key=lambda term: tuple((q.layer or 99, q.to or 0) for q in reversed(term.places)))


def cut_plans(trial: Trial, side: Node, of: Quantity, by: Quantity) -> list[list[tuple[str, int | None]]]:
    """Returns ways to cut a derivative into terms: as the writer did, by costs, by each layer, by all of them."""
    depth = trial.setting.layered.depth
    plans = [_through(trial, side, of, by)]
    if of.kind == "total":
        plans.append([("C", None)])
    for layer in range(1, depth + 1):
        for kind in "az":
            plans.append(_ordered(trial, {(kind, layer)}, of, by))
            if of.kind == "total":
                plans.append(_ordered(trial, {(kind, layer), ("C", None)}, of, by))
    plans.append(_ordered(trial, {("a", layer) for layer in range(1, depth + 1)}, of, by))
    unique: list[list[tuple[str, int | None]]] = []
    for plan in plans:
        if plan and plan not in unique:
            unique.append(plan)
    return unique


def account(trial: Trial, values: dict[str, int]) -> Account | None:
    """Returns what a right side lacks and has too many, as terms of its left side; None where that can't be told."""
    pair = trial.pair
    found = derived(trial, pair.left, values)
    left, right = trial.value(pair.left, values), trial.value(pair.right, values)
    if left is None or right is None or left.ndim != 2 or right.ndim != 2:
        return None
    gap = left - right
    if found is None:
        options = _forward(trial, pair.left, values)
        return _solved(trial, options, gap) if options else None
    of, by = found
    for plan in cut_plans(trial, pair.right, of, by):
        options = list(terms(trial, of, by, plan))
        made = _solved(trial, options, gap)
        if made is not None:
            return made
    return None


def _forward(trial: Trial, node: Node, values: dict[str, int]) -> list[Term | Forward]:
    """Returns the terms of a forward equation: of z, of the total, or of an output without activation function."""
    node = stands_for(node)
    if not isinstance(node, Symbol) or not isinstance(node.meanings[0], Ref) or node.meanings[0].array:
        return []
    ref = node.meanings[0]
    if ref.derived:
        return []
    q = quantity_of(ref, values)
    net = trial.setting.layered
    if q.kind == "total":
        return [Forward((Quantity("C", None, k),)) for k in range(net.outputs)]
    if (
        q.kind not in ("z", "a")
        or not q.layer
        or (q.kind == "a" and not net.activations[q.layer - 1].trivial)
    ):
        return []
    if net.sizes[q.layer - 1] > MOST_TERMS:
        return []
    made: list[Term | Forward] = [
        Forward((Quantity("w", q.layer, q.to, source), Quantity("a", q.layer - 1, source)))
        for source in range(net.sizes[q.layer - 1])
    ]
    return [*made, Forward((Quantity("b", q.layer, q.to),))] if net.bias else made


def _solved(trial: Trial, options: list[Any], gap: Array) -> Account | None:
    """Returns which terms a gap is made of: each missing once, or there as often as it is too many."""
    points = trial.points
    shape = (points.many, gap.shape[1])
    if not options or len(options) > shape[0] * shape[1] - 2:
        return None
    values = [term.value(points) for term in options]
    if any(value.shape[1] not in (1, shape[1]) for value in values):
        return None
    columns = [np.broadcast_to(value, shape).ravel() for value in values]
    matrix = np.stack(columns, axis=1)
    alive = np.any(matrix != 0, axis=0)
    target = np.broadcast_to(gap, shape).ravel()
    if not (np.isfinite(target).all() and np.isfinite(matrix).all()):
        return None
    solution = np.zeros(len(options))
    solution[alive] = np.linalg.lstsq(matrix[:, alive], target, rcond=1e-11)[0]
    whole = np.round(solution)
    size = np.abs(target).max() + np.abs(matrix).max()
    if np.abs(matrix @ whole - target).max() > 1e-8 * size or np.abs(whole).max(initial=0) > 4:
        return None
    missing = [term for term, often in zip(options, whole, strict=True) for _ in range(int(max(often, 0)))]
    surplus = [term for term, often in zip(options, whole, strict=True) for _ in range(int(max(-often, 0)))]
    return Account(tuple(missing), tuple(surplus), tuple(options))


def expansion(trial: Trial, values: dict[str, int]) -> tuple[Term | Forward, ...] | None:
    """Returns all terms of the left side, at the layers that the right side names, or else the next one."""
    found = derived(trial, trial.pair.left, values)
    if found is None:
        forward = _forward(trial, trial.pair.left, values)
        return tuple(forward) or None
    of, by = found
    for plan in cut_plans(trial, trial.pair.right, of, by):
        made = terms(trial, of, by, plan)
        if made:
            alive = [term for term in made if np.any(term.value(trial.points) != 0)]
            return tuple(alive) or None
    return None
