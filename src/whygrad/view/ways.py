"""The ways through a network of one example, layer by layer: local derivatives, strongest paths, counts, sums.

A path goes from station to station, as those of a derivation do: activations, and pre-activations where all neurons of
a layer depend on each other (softmax). Everything behind a station is the same for all that leads to it, so it is
worked out once for each.
"""

from math import fsum, prod
from typing import Any, NamedTuple

import numpy as np

from whygrad.arrays import Array
from whygrad.derive.links import TOTAL
from whygrad.derive.table import LIST_UP_TO, WALK_UP_TO
from whygrad.notation import Quantity
from whygrad.run import Run
from whygrad.structures import DenseAlongAxis

# So many paths are listed of a quantity that has many.
LISTED = 10


class Level(NamedTuple):
    """The stations of one layer: their kind, the layer and how many there are."""

    kind: str
    layer: int
    size: int

    def at(self, j: int) -> Quantity:
        """Returns the station of a neuron."""
        return Quantity(self.kind, self.layer, j)


class Way(NamedTuple):
    """A path from a station: its contribution, the next station's number, and the place of the rest among its paths."""

    contribution: float
    to: int
    rank: int


class Ways:
    """The ways from every station of a run of one example.

    ``levels`` are the layers of stations from the inputs on; ``factors[n]`` the local derivatives of level n + 1 by
    level n, (to, from); ``last`` those of each cost by its output. ``slopes`` are those of each layer whose activation
    function works on single neurons.

    Args:
        run: The run, of one example and without the cost R.
    """

    def __init__(self, run: Run) -> None:
        net = run.network.layered
        graph, nodes = run.recorded
        self.levels = [Level("a", 0, net.sizes[0])]
        self.factors: list[Array] = []
        self.slopes: dict[int, Array] = {}
        for layer, activation in enumerate(net.activations, 1):
            weights = np.asarray(run.network.parameters[f"W{layer}"], dtype=np.float64)
            structure: Any = activation.op.structure
            width = net.sizes[layer]
            if activation.trivial:
                self.factors.append(weights)
            elif isinstance(structure, DenseAlongAxis):
                self.factors.append(weights)
                self.levels.append(Level("z", layer, width))
                local = graph.local(nodes["a", layer])
                columns = [structure.column(local, 0, j).partials for j in range(width)]
                self.factors.append(np.array(columns, dtype=np.float64).T)
            else:
                slopes = np.broadcast_to(structure.partial(graph.local(nodes["a", layer]), 0), (1, width))
                self.slopes[layer] = np.ravel(slopes).astype(np.float64)
                self.factors.append(weights * self.slopes[layer][:, None])
            self.levels.append(Level("a", layer, width))
        self.last = np.array(
            [run.derivative(Quantity("C", None, k), Quantity("a", net.depth, k)) for k in range(net.outputs)]
        )
        self._behind: dict[Quantity, Behind] = {}

    def behind(self, of: Quantity) -> "Behind":
        """Returns the ways to the total or to a cost."""
        if of not in self._behind:
            self._behind[of] = Behind(self, of)
        return self._behind[of]

    def level(self, kind: str, layer: int) -> int:
        """Returns the number of the level that a kind of quantity of a layer leads to."""
        dense = any((each.kind, each.layer) == ("z", layer) for each in self.levels)
        station = "z" if dense and kind != "a" else "a"
        return next(n for n, each in enumerate(self.levels) if (each.kind, each.layer) == (station, layer))

    def between(self, start: int, end: int) -> int:
        """Returns how many paths lead from a station of one level to one of a later level."""
        return prod(level.size for level in self.levels[start + 1 : end])


class Behind:
    """What lies between the stations and what is differentiated.

    Args:
        ways: The network.
        of: The total, or a cost.
    """

    def __init__(self, ways: Ways, of: Quantity) -> None:
        self._ways, self.of = ways, of
        self._counts: dict[int, list[int]] = {}
        self._best: dict[tuple[int, int], list[Way]] = {}
        self._every: dict[tuple[int, int], Array] = {}
        ends = np.ones(len(ways.last)) if of == TOTAL else np.eye(len(ways.last))[int(of.to or 0)]
        self._ends = ends
        strongest, live = [np.abs(ways.last) * ends], [self._exact((ways.last != 0) * ends)]
        for factor in reversed(ways.factors):
            strongest.insert(0, (np.abs(factor) * strongest[0][:, None]).max(axis=0))
            live.insert(0, (factor != 0).T.astype(live[0].dtype) @ live[0])
        self._strongest, self._live = strongest, live

    def _exact(self, ends: Array) -> Array:
        """Returns numbers that count exactly: of large networks, Python's."""
        whole = prod(level.size for level in self._ways.levels)
        return ends.astype(np.int64) if whole < 2**62 else ends.astype(int).astype(object)

    def counts(self, level: int) -> list[int]:
        """Returns the number of paths from each station of a level."""
        last = len(self._ways.levels) - 1
        if level == last:
            return [int(end) for end in self._ends]
        return [self._ways.between(level, last) * int(self._ends.sum())] * self._ways.levels[level].size

    def count(self, level: int, j: int) -> int:
        """Returns the number of paths from a station."""
        if level not in self._counts:
            self._counts[level] = self.counts(level)
        return self._counts[level][j]

    def lives(self, level: int) -> list[int]:
        """Returns the number of paths without a factor that is 0 from each station of a level."""
        return [int(many) for many in self._live[level]]

    def walked(self, level: int, j: int) -> bool:
        """Returns whether the paths are few enough to walk every one."""
        return self.count(level, j) <= WALK_UP_TO

    def sum(self, level: int, j: int) -> float:
        """Returns the sum over all paths, each of them walked."""
        return fsum(self._walk(level, j).tolist())

    def _walk(self, level: int, j: int) -> Array:
        """Returns the contributions of all paths from a station."""
        if (level, j) not in self._every:
            if level == len(self._ways.factors):
                made = self._ways.last[j : j + 1] if self._ends[j] else np.zeros(0)
            else:
                column = self._ways.factors[level][:, j]
                made = np.concatenate([factor * self._walk(level + 1, n) for n, factor in enumerate(column)])
            self._every[level, j] = made
        return self._every[level, j]

    def listed(self, level: int, j: int) -> list[Way]:
        """Returns the paths that are listed: all where there are few, else the strongest (dead ones where walked)."""
        found = self.best(level, j)
        if self.count(level, j) > LIST_UP_TO:
            found = found[:LISTED]
        return found if self.walked(level, j) else [way for way in found if way.contribution]

    def best(self, level: int, j: int) -> list[Way]:
        """Returns the strongest paths from a station, strongest first.

        The best paths go on along the best of the next stations' paths, and through no more stations than there are
        paths: those whose strongest path is the strongest from here.
        """
        if (level, j) not in self._best:
            if level == len(self._ways.factors):
                made = [Way(float(self._ways.last[j]), j, 0)] if self._ends[j] else []
            else:
                column = self._ways.factors[level][:, j]
                order = np.argsort(-np.abs(column) * self._strongest[level + 1], kind="stable")
                made = [
                    Way(float(column[n]) * way.contribution, n, rank)
                    for n in sorted(order[:LIST_UP_TO].tolist())
                    for rank, way in enumerate(self.best(level + 1, n))
                ]
                made = sorted(made, key=lambda way: -abs(way.contribution))[:LIST_UP_TO]
            self._best[level, j] = made
        return self._best[level, j]
