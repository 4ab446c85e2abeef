"""Paths from quantities to costs: all of them where there are few, the k strongest where there are many.

A path is a chain of entries, each an input of the next; its contribution is the product of the partials along it.
The derivative is the sum of all contributions (Bauer 1974, *Computational graphs and rounding error*).
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import count
from typing import NamedTuple

import numpy as np

from whygrad.arrays import Array, in_numpy
from whygrad.graph import Entry, Graph
from whygrad.largest import largest
from whygrad.sweep import Sweep


class Path(NamedTuple):
    """One path: the entries that it visits, from the quantity to the cost, and the partials between them."""

    entries: tuple[Entry, ...]
    partials: tuple[float, ...]
    contribution: float


class _Walk(NamedTuple):
    """A path's beginning, as a list that shares its front with other beginnings."""

    entry: Entry
    partial: float
    product: float
    before: "_Walk | None"

    def path(self) -> Path:
        entries, partials = [], []
        walk: _Walk | None = self
        while walk is not None:
            entries.append(walk.entry)
            partials.append(walk.partial)
            walk = walk.before
        return Path(tuple(reversed(entries)), tuple(reversed(partials[:-1])), self.product)


class Walker:
    """Steps forward through a graph, from entries to what they act on, on the way to some of the costs.

    Args:
        graph: What was computed.
        rows: The numbers of the costs that paths may end at; all of them where there is nothing.
    """

    def __init__(self, graph: Graph, rows: tuple[int, ...] | None = None) -> None:
        self.graph = graph
        self.rows = tuple(range(len(graph.costs))) if rows is None else rows
        self._ends = {graph.costs[row] for row in self.rows}
        self._users = graph.users()
        self._steps: dict[Entry, list[tuple[int, Array, Array]]] = {}
        self._reached: dict[int, Array] = {}
        self._bounds: dict[int, Array] = {}
        self._bounded: Sweep | None = None

    def steps(self, entry: Entry) -> Iterable[tuple[int, Array, Array]]:
        """Returns (user, flat positions, partials) for each use of an entry; many paths share it."""
        if entry not in self._steps:
            self._steps[entry] = made = []
            for user, which in self._users[entry.node]:
                column = self.graph.structure(user).column(self.graph.local(user), which, entry.position)
                positions, partials = column
                made.append((user, positions, partials))
        return self._steps[entry]

    @cached_property
    def _reach(self) -> Sweep:
        return Sweep(self.graph, "reach", restart=False)

    def _leads(self, node: int) -> Array:
        """Returns from which entries of a node there is any path."""
        if node not in self._reached:
            self._reached[node] = np.ravel(in_numpy(self._reach.joined(node, self.rows)))
        return self._reached[node]

    def every(self, start: Entry) -> Iterator[Path]:
        """Yields every path from an entry to the costs, dead ones too, in the order of the network.

        The caller asks first how many there are.
        """
        waiting = [_Walk(start, 1.0, 1.0, None)] if self._leads(start.node)[start.position] else []
        while waiting:
            walk = waiting.pop()
            if walk.entry in self._ends:
                yield walk.path()
            following = []
            for user, positions, partials in self.steps(walk.entry):
                for position, partial in zip(positions.tolist(), partials.tolist(), strict=True):
                    if self._leads(user)[position]:
                        following.append(_Walk(Entry(user, position), partial, walk.product * partial, walk))
            waiting.extend(reversed(following))

    def _bound(self, sweep: Sweep, node: int, positions: Array) -> Array:
        """Returns the sizes of the strongest contributions from some entries of a node on."""
        if self._bounded is not sweep:
            self._bounded, self._bounds = sweep, {}
        if node not in self._bounds:
            self._bounds[node] = np.ravel(in_numpy(sweep.joined_in_double(node, self.rows)))
        made: Array = np.abs(self._bounds[node][positions].astype(np.float64))
        return made

    def strongest(
        self,
        sweep: Sweep,
        starts: Sequence[tuple[int, Array | None]],
        k: int,
        progress: Callable[[float], None] = lambda share: None,
    ) -> list[Path]:
        """Returns the k live paths with the largest absolute contributions, strongest first.

        Best-first search: a beginning is continued in the order of (its product) times (the strongest contribution
        from its last entry on). The *strongest* sweep gives that bound exactly, so that every step taken belongs to
        one of the k paths: k short walks, however many paths there are (Eppstein 1998 for the shortest-path form).

        Args:
            sweep: A ``strongest`` sweep over the same graph.
            starts: Pairs of a node and the flat positions in it where paths may begin (all: nothing).
            k: How many.
            progress: Told which share of the starts has been looked at: most of the work where they are large.
        """
        order = count()
        heap: list[tuple[float, int, _Walk, bool]] = []

        def push(
            priorities: Array,
            node: int,
            positions: Sequence[int] | Array,
            partials: Array | None,
            before: _Walk | None,
        ) -> None:
            # Each continuation yields at least one path, so that no more than k of them can matter.
            for place in largest(priorities, k).tolist():
                if priorities[place] > 0:
                    partial = 1.0 if partials is None else float(partials[place])
                    product = partial if before is None else before.product * partial
                    walk = _Walk(Entry(node, int(positions[place])), partial, product, before)
                    heapq.heappush(heap, (-float(priorities[place]), next(order), walk, False))

        for place, (node, positions) in enumerate(starts):
            progress(place / len(starts))
            if positions is None:
                places, sizes = sweep.largest(node, self.rows, k)
                push(sizes, node, places, None, None)
            else:
                push(self._bound(sweep, node, positions), node, positions, None, None)
        found: list[Path] = []
        while heap and len(found) < k:
            _, _, walk, finished = heapq.heappop(heap)
            if finished:
                found.append(walk.path())
                continue
            if walk.entry in self._ends:
                heapq.heappush(heap, (-abs(walk.product), next(order), walk, True))
            for user, positions, partials in self.steps(walk.entry):
                with np.errstate(over="ignore", invalid="ignore"):  # out of range: infinite
                    # the bounds first: a product of partials leaves the range of single precision before that of double
                    best = self._bound(sweep, user, positions) * np.abs(partials) * abs(walk.product)
                push(best, user, positions, partials, walk)
        # The bounds are rounded products in another order: paths that tie with them may have come out crosswise.
        return sorted(found, key=lambda path: -abs(path.contribution))
