"""A backward pass of sums that lets every cotangent go on the way, for the leaves that are asked about beforehand.

Nobody looks at a cotangent again, so products are written over it where nothing else sees its memory. All costs go
back together as long as their cotangents are small. From the first node on at which they would not be, they go on a
few at a time, so that arrays stay in the caches and in memory that an allocator has at hand.
"""

import math
from collections.abc import Collection

from whygrad.arrays import added_onto, contiguous, largest_exponent, shares_memory
from whygrad.cotangent import Cotangent, at_exponent, common_exponent
from whygrad.graph import Graph
from whygrad.semirings import SEMIRINGS, Element, SumSemiring
from whygrad.structures import Affine, Convolution, Elementwise, Local, Selection
from whygrad.sweep import Sweep


class PassingSweep(Sweep):
    """The result of a backward sweep that is asked about some leaves alone.

    Args:
        graph: What was computed.
        semiring: The name of one whose plus is a sum.
        leaves: The numbers of the leaves that will be asked about.
        room: How many bytes a cotangent of several costs may take.

    Example:
        >>> import numpy as np
        >>> from whygrad.graph import Entry, Recording
        >>> from whygrad.ops import OPS
        >>> recording = Recording()
        >>> x = recording.leaf("x", np.array([3.0, 4.0]))
        >>> y = recording.apply("y", OPS["mul"], (x, x))
        >>> graph = recording.graph((Entry(y, 0), Entry(y, 1)))
        >>> PassingSweep(graph, "gradient", {x}, room=16).values(x)   # one cost at a time
        array([[6., 0.],
               [0., 8.]])
    """

    def __init__(self, graph: Graph, semiring: str, leaves: Collection[int], room: float = math.inf) -> None:
        sums = SEMIRINGS[semiring]
        assert isinstance(sums, SumSemiring)
        self._leaves = leaves
        self._room = room
        self._overwriting = sums._replace(overwrites=True)
        self._in_turns = -1  # nodes up to this one are gone through by some costs after the others
        self._shared: dict[int, Local] = {}  # of those, with the partials that all turns share
        super().__init__(graph, sums, restart=False)

    def _run(self, pending: dict[int, Cotangent]) -> None:
        self._pass_all(pending, len(self.graph.nodes) - 1)

    def _pass_all(self, pending: dict[int, Cotangent], last: int, in_turns: bool = False) -> None:
        """Pulls cotangents back through all nodes up to one; of that one alone the leaves are done, if in turns."""
        nodes = self.graph.nodes
        for number in range(last, -1, -1):
            cotangent = pending.pop(number, None)
            if cotangent is None:
                continue
            if nodes[number].op is None:
                self._join(self._ends, number, cotangent)
                continue
            inputs = list(enumerate(nodes[number].inputs))
            # A bias first: its sum is quick while the cotangent is in the caches.
            leaves = [pair for pair in reversed(inputs) if pair[1] in self._leaves]
            inner = [pair for pair in inputs if nodes[pair[1]].op is not None]
            together = self._together(cotangent, [source for _, source in inner])
            if together < len(cotangent.rows):
                seen = self._pull(cotangent._replace(alone=False), number, leaves, pending)
                pending[number] = cotangent._replace(alone=cotangent.alone and not seen)
                self._take_turns(pending, number, together)
                return
            first = in_turns and number == last
            self._pull(cotangent, number, inner if first else leaves + inner, pending)

    def _together(self, cotangent: Cotangent, sources: list[int]) -> int:
        """Returns how many costs may be pulled back to some nodes together: one at least."""
        nodes, rows = self.graph.nodes, len(cotangent.rows)
        if rows == 1:
            return 1
        widest = max((nodes[source].value.nbytes for source in sources), default=0)
        return rows if widest * rows <= self._room else max(1, int(self._room // widest))

    def _take_turns(self, pending: dict[int, Cotangent], number: int, together: int) -> None:
        """Goes on from a node with some costs at a time, and puts the leaves' cotangents together."""
        rows = sorted({row for cotangent in pending.values() for row in cotangent.rows})
        before, found = self._ends, []
        self._in_turns = max(self._in_turns, number)
        for first in range(0, len(rows), together):
            turn = set(rows[first : first + together])
            self._ends = {}
            chosen = ((at, cotangent.of_rows(turn)) for at, cotangent in pending.items())
            self._pass_all({at: part for at, part in chosen if part.rows}, number, in_turns=True)
            found.append(self._ends)
        self._ends = before
        for leaf in sorted({leaf for ends in found for leaf in ends}):
            self._join(self._ends, leaf, self._stacked([ends[leaf] for ends in found if leaf in ends]))

    def _stacked(self, turns: list[Cotangent]) -> Cotangent:
        exponent = common_exponent(turns, self.graph.xp)
        moved = (at_exponent(cotangent, exponent, self.semiring, self.graph.xp) for cotangent in turns)
        parts = zip(*moved, strict=True)
        rows = tuple(row for cotangent in turns for row in cotangent.rows)
        return Cotangent(rows, tuple(self.graph.xp.concat(part, axis=0) for part in parts), exponent)

    def _plus(self, a: Cotangent, b: Cotangent) -> Cotangent:
        """Returns the sum, written over one that nobody else sees."""
        for onto, other in ((a, b), (b, a)):
            fitted = self._fitted(onto, other)
            if fitted is not None:
                parts = zip(onto.parts, fitted, strict=True)
                return onto._replace(parts=tuple(added_onto(one, more) for one, more in parts))
        fresh = all(part is not None for part in (*a.parts, *b.parts))
        return super()._plus(a, b)._replace(alone=fresh or (a.alone and b.alone))

    def _fitted(self, onto: Cotangent | None, new: Cotangent) -> Element | None:
        """Returns what is to be added to a cotangent in its memory, where nobody else sees that."""
        if onto is None or not onto.alone or onto.rows != new.rows or len(onto.parts) != len(new.parts):
            return None
        known = [part for part in (*onto.parts, *new.parts) if part is not None]
        if len(known) < 2 * len(onto.parts) or self._overwriting.normalise is not None:
            return None
        lower = onto.exponent - new.exponent
        # From far below nothing would be left of it, and the other may be zero.
        most = largest_exponent(known[0].dtype, self.graph.xp) // 2 if lower else 0
        if not 0 <= lower <= most:
            return None
        return at_exponent(new, onto.exponent, self.semiring, self.graph.xp)

    def _local(self, number: int) -> Local:
        if number > self._in_turns:
            return self.graph.local(number)
        if number not in self._shared:
            self._shared[number] = self.graph.local(number)._replace(kept={})
        return self._shared[number]

    def _pull(
        self, cotangent: Cotangent, number: int, wanted: list[tuple[int, int]], pending: dict[int, Cotangent]
    ) -> bool:
        """Pulls a node's cotangent back, the last time over it if it may be, and returns whether an input shares it."""
        nodes, op = self.graph.nodes, self.graph.nodes[number].op
        assert op is not None
        local = self._local(number)
        if isinstance(op.structure, Selection) and self._added(cotangent, number, wanted, pending):
            return False
        made: list[Cotangent] = []
        shared: list[bool] = []
        known: dict[int, Element] = {}
        if isinstance(op.structure, (Affine, Convolution)):
            inputs = [which for which, _ in wanted]
            known = op.structure.pull_several(self.semiring, cotangent.parts, local, inputs)
        for which, _ in wanted:
            if which in known:
                made.append(self._arrived(cotangent, number, which, known[which]))
                shared.append(False)
                continue
            last = len(made) == len(wanted) - 1 and cotangent.alone and not any(shared)
            # Each entry is multiplied once. Fresh memory for the product costs more than the product.
            over = last and isinstance(op.structure, Elementwise)
            pulled = self._after(
                cotangent, number, which, self._overwriting if over else self.semiring, local
            )
            made.append(pulled)
            shared.append(_share(pulled.parts, cotangent.parts))
        heir = cotangent.alone and shared.count(True) == 1
        for (_, source), pulled, with_others in zip(wanted, made, shared, strict=True):
            ends = self._ends if nodes[source].op is None else pending
            self._join(ends, source, Cotangent(*pulled[:-1], alone=heir or not with_others))
        return any(shared)

    def _added(
        self, cotangent: Cotangent, number: int, wanted: list[tuple[int, int]], pending: dict[int, Cotangent]
    ) -> bool:
        """Adds a cotangent to what its source has already, where it belongs in memory that nobody else sees."""
        nodes, op = self.graph.nodes, self.graph.nodes[number].op
        assert op is not None
        assert isinstance(op.structure, Selection)
        if len(wanted) != 1 or nodes[number].marked:
            return False
        ((_, source),) = wanted
        old = (pending if nodes[source].op is not None else self._ends).get(source)
        fitted = self._fitted(old, cotangent)
        if old is None or fitted is None or len(fitted) > 1:
            return False
        (onto,), (part,) = old.parts, fitted
        assert onto is not None
        assert part is not None
        fits = contiguous(onto) and onto.dtype == part.dtype
        return fits and op.structure.add_onto(onto, part, self._local(number))


def _share(parts: Element, given: Element) -> bool:
    """Returns whether any of some arrays may see the memory of any others."""
    for part in parts:
        for other in given:
            if part is not None and other is not None and shares_memory(part, other):
                return True
    return False
