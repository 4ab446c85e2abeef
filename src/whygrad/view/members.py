"""What is known of everything in a picture: the numbers of its derivatives, array by array."""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from whygrad.arrays import Array
from whygrad.derive.difference import finite_differences
from whygrad.derive.links import TOTAL
from whygrad.notation import Quantity
from whygrad.run import Run
from whygrad.view.picture import Picture
from whygrad.view.ways import Ways


class Group(NamedTuple):
    """The members of one array that are drawn: weights, biases, pre-activations or activations of one layer.

    ``level`` is the level of the stations that they lead to, or are where ``station`` says so. ``to`` are the
    stations' numbers, and ``source`` and ``slope`` the numbers that a member's own factor is made of, where it is.
    """

    kind: str
    layer: int
    members: tuple[Quantity, ...]
    level: int
    station: bool
    to: Array
    source: Array | None
    slope: Array | None

    @property
    def factor(self) -> Array:
        """Each member's own factor."""
        made = np.ones(len(self.members))
        for part in (self.source, self.slope):
            made = made if part is None else made * part
        return made


class Facts(NamedTuple):
    """What is known of the derivatives of one quantity by a group: a number for each member."""

    value: Array
    size: Array
    difference: Array
    counted: list[int]
    live: list[int]
    walked: Array
    sum: Array
    agree: Array
    near: Array
    codes: Array  # for each cost: 0 it has a part, 1 there is no path, 2 every path has a zero, 3 they cancel


class Members:
    """The members of a picture's arrays, and the derivatives by them.

    Args:
        run: The run, of one example.
        ways: Its ways.
        picture: What is drawn of it.
        ends: What is differentiated: the total, and costs.
    """

    def __init__(self, run: Run, ways: Ways, picture: Picture, ends: Sequence[Quantity]) -> None:
        self._run, self._net = run, run.network.layered
        self._ways, self._picture, self._ends = ways, picture, ends
        self._differences: dict[tuple[str, int], Array] = {}
        self._read: dict[tuple[str, str, int], dict[Quantity, Array]] = {}
        self._why_zero: dict[tuple[str, int], Array] = {}

    @cached_property
    def groups(self) -> list[Group]:
        """The arrays, in the order of the picture."""
        members: dict[tuple[str, int], list[Quantity]] = {}
        for q in self._picture.items:
            if q.kind in ("w", "b", "z", "a"):
                members.setdefault((q.kind, int(q.layer or 0)), []).append(q)
        return [self._group(kind, layer, tuple(found)) for (kind, layer), found in members.items()]

    def _group(self, kind: str, layer: int, members: tuple[Quantity, ...]) -> Group:
        level = self._ways.level(kind, layer)
        to = np.array([int(q.to or 0) for q in members])
        station = self._ways.levels[level].kind == kind
        source = slope = None
        if kind == "w":
            source = self.values("a", layer - 1)[[int(q.source or 0) for q in members]]
        if not station and layer in self._ways.slopes:
            slope = self._ways.slopes[layer][to]
        return Group(kind, layer, members, level, station, to, source, slope)

    def values(self, kind: str, layer: int) -> Array:
        """Returns the values of a layer's neurons."""
        graph, nodes = self._run.recorded
        return np.ravel(np.asarray(graph.nodes[nodes[kind, layer]].value))

    def _swept(self, semiring: str, group: Group) -> dict[Quantity, Array]:
        """Returns a semiring's value at each member, for the total and each cost."""
        place = (semiring, group.kind, group.layer)
        if place not in self._read:
            entries = [self._run.entry(q) for q in group.members]
            node, places = entries[0].node, [entry.position for entry in entries]
            sweep = self._run.sweep(semiring).sweep
            found = {TOTAL: np.ravel(np.asarray(sweep.joined(node)))[places].astype(np.float64)}
            for cost, values in zip(self._run.cost_quantities, np.asarray(sweep.values(node)), strict=True):
                found[cost] = np.ravel(values)[places].astype(np.float64)
            self._read[place] = found
        return self._read[place]

    def facts(self, group: Group, of: Quantity) -> Facts:
        """Returns what is known of the derivatives of a quantity by a group."""
        behind = self._ways.behind(of)
        stations = group.to.tolist()
        counts, lives = behind.counts(group.level), behind.lives(group.level)
        walked = np.array([behind.walked(group.level, j) for j in range(len(counts))])[group.to]
        sums = {
            j: behind.sum(group.level, j) if behind.walked(group.level, j) else 0.0 for j in set(stations)
        }
        place = (group.kind, group.layer)
        if place not in self._differences:
            self._differences[place] = finite_differences(self._run, self._ends, group.members)
        value, size = (self._swept(semiring, group)[of] for semiring in ("gradient", "total"))
        summed = np.where(walked, np.array([sums[j] for j in stations]) * group.factor, value)
        precision = 1e-12 if self._run.network.dtype == np.float64 else 1e-5
        difference = self._differences[place][:, self._ends.index(of)]
        scale = np.maximum(np.maximum(np.abs(value), size), 1e-9)
        return Facts(
            value,
            size,
            difference,
            [counts[j] for j in stations],
            [lives[j] if factor else 0 for j, factor in zip(stations, group.factor.tolist(), strict=True)],
            walked,
            summed,
            np.abs(summed - value) <= precision * np.maximum(size, 1e-300),
            ~np.isfinite(difference) | (np.abs(difference - value) <= 1e-5 * scale),
            self._codes(group),
        )

    def _codes(self, group: Group) -> Array:
        """Returns why a cost's derivative is 0, where it is: (members, costs)."""
        place = (group.kind, group.layer)
        if place not in self._why_zero:
            made = []
            for cost in self._run.cost_quantities:
                paths = np.array(self._ways.behind(cost).counts(group.level), dtype=bool)[group.to]
                size, value = (self._swept(semiring, group)[cost] for semiring in ("total", "gradient"))
                made.append(np.select([~paths, size == 0, value == 0], [1, 2, 3], 0))
            self._why_zero[place] = np.array(made).T
        return self._why_zero[place]

    @cached_property
    def kinks(self) -> dict[int, Array]:
        """On which neurons a layer's activation function is at a kink; 0 is the cost."""
        found: dict[int, Array] = {}
        for layer, activation in enumerate(self._net.activations, 1):
            if activation.op.kinks:
                found[layer] = self.values("z", layer) == 0
        found[0] = self.values("a", self._net.depth) == np.ravel(self._run.y)
        return {layer: places for layer, places in found.items() if places.any()}
