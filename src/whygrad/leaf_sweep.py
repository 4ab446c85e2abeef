"""A backward pass under any semiring that keeps nothing: what it carries at a leaf is told when all of it is known."""

from collections import Counter
from collections.abc import Collection, Iterator

from whygrad.cotangent import Cotangent
from whygrad.graph import Graph
from whygrad.semirings import Semiring
from whygrad.sweep import Sweep


class LeafSweep(Sweep):
    """A backward sweep that is gone through once, leaf after leaf.

    Cotangents are let go of as soon as no leaf that is still to come needs them, so that memory grows with the widest
    part of the graph and not with its length.

    Args:
        graph: What was computed.
        semiring: How paths are added up: a name in ``SEMIRINGS``, or the record itself.
        leaves: The numbers of the leaves that are asked about.

    Example:
        >>> import numpy as np
        >>> from whygrad.graph import Entry, Recording
        >>> from whygrad.ops import OPS
        >>> recording = Recording()
        >>> x, w = (recording.leaf(name, np.array([3.0])) for name in "xw")
        >>> h = recording.apply("h", OPS["mul"], (x, w))
        >>> y = recording.apply("y", OPS["mul"], (h, w))
        >>> sweep = LeafSweep(recording.graph((Entry(y, 0),)), "gradient", {x, w})
        >>> [(leaf, float(sweep.values(leaf)[0, 0])) for leaf in sweep]
        [(0, 9.0), (1, 18.0)]
    """

    def __init__(self, graph: Graph, semiring: str | Semiring, leaves: Collection[int]) -> None:
        self._leaves = leaves
        super().__init__(graph, semiring, restart=False)

    def _run(self, pending: dict[int, Cotangent]) -> None:
        self._pending = pending

    def __iter__(self) -> Iterator[int]:
        """Yields each leaf once, with those first that are used last; until the next the sweep knows about it alone."""
        every = self.graph.users()
        users = {leaf: {user for user, _ in every[leaf]} for leaf in self._leaves}
        # A leaf that is a cost has a path of no step.
        ends = {cost.node for cost in self.graph.costs}
        known_at: dict[int, list[int]] = {}
        for leaf in sorted(self._leaves):
            known_at.setdefault(leaf if leaf in ends else min(users[leaf], default=leaf), []).append(leaf)
        waiting = Counter(user for leaf in self._leaves for user in users[leaf])
        for number in range(len(self.graph.nodes) - 1, -1, -1):
            self._pass(number, self._pending)
            if not waiting[number]:
                self._forget(number)
            for leaf in known_at.get(number, ()):
                yield leaf
                self._forget(leaf)
                waiting.subtract(users[leaf])
                for user in users[leaf]:
                    if not waiting[user]:
                        self._forget(user)

    def _forget(self, number: int) -> None:
        self._own.pop(number, None)
        self._composed.pop(number, None)
