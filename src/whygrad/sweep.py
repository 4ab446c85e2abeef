"""One backward pass under one semiring, for all costs at once.

The sweep starts with one at each cost and zero elsewhere, and pulls the cotangents back through the operations in
reverse order: a node's cotangent is the plus over its users of (user's cotangent times the partial by the node). At
the end each node holds, for each cost that it reaches, the plus over all paths of the product along the path.

Three things keep the work small:

* A node carries rows only for the costs that it reaches.
* Where the costs outnumber the entries that a node has for each example, and every path passes that node, the sweep
  carries the node's identity instead and keeps the factor: the work grows with the narrowest layer and not with the
  number of costs (the chain rule in matrix form, J = J_above J_below, multiplied in the cheaper order).
* Leaves (weights above all) are pulled back only when somebody asks.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial, reduce
from typing import Any, NamedTuple

from whygrad.arrays import Array, beside, cast, in_numpy, keep_memory
from whygrad.cotangent import Cotangent, plus, rescaled, spread
from whygrad.graph import Graph
from whygrad.largest import Largest
from whygrad.semirings import SEMIRINGS, Element, Semiring, SumSemiring
from whygrad.structures import Affine, Contraction, Convolution, DenseAlongAxis, Local
from whygrad.structures.local import each
from whygrad.structures.pieces import comes_in_pieces, one_piece, pull_some, slices

# Sums of many products: what is pulled back through several of them may leave the range of its numbers.
GROWING = (Affine, Contraction, Convolution, DenseAlongAxis)
# The largest entries for each of so many costs are looked for at once.
FEW_COSTS = 6


class _Block(NamedTuple):
    """A restart: the cotangent that the node had when the sweep went on with its identity."""

    factor: Cotangent
    node: int


def _growing_on(graph: Graph) -> list[bool]:
    """Returns for each node whether sums of products are still to come on the way back from it, to inner nodes."""
    nodes, found = graph.nodes, list[bool]()
    for node in nodes:
        grows = node.op is not None and isinstance(node.op.structure, GROWING)
        found.append(any(found[source] or (grows and nodes[source].op is not None) for source in node.inputs))
    return found


class Sweep:
    """The result of one backward sweep over a graph.

    Args:
        graph: What was computed.
        semiring: How paths are added up: a name in ``SEMIRINGS``, or the record itself.
        restart: Whether the sweep may go on with a narrow node's identity.
        progress: Told which share of the work is done.

    Example:
        >>> import numpy as np
        >>> from whygrad.graph import Entry, Recording
        >>> from whygrad.ops import OPS
        >>> recording = Recording()
        >>> x = recording.leaf("x", np.array([[3.0]]))
        >>> y = recording.apply("y", OPS["mul"], (x, x))
        >>> graph = recording.graph((Entry(y, 0),))
        >>> Sweep(graph, "gradient").values(x)   # x*x is one edge, 2x
        array([[[6.]]])
        >>> int(Sweep(graph, "count").values(x)[0, 0, 0])
        1
    """

    def __init__(
        self,
        graph: Graph,
        semiring: str | Semiring,
        restart: bool = True,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        self.graph = graph
        self.semiring: Semiring = SEMIRINGS[semiring] if isinstance(semiring, str) else semiring
        self._restart = restart and graph.examples > 0
        self._progress = progress
        self._blocks: list[_Block] = []
        self._own: dict[int, Cotangent] = {}  # nodes that have inputs, in the rows of their block
        self._joined: dict[tuple[int, tuple[int, ...] | None], Array] = {}
        self._in_double: dict[tuple[int, tuple[int, ...] | None], Array] = {}
        self._largest: dict[tuple[int, tuple[int, ...], int], tuple[Array, Array]] = {}
        self._composed: dict[int, Cotangent | None] = {}
        self._ends: dict[int, Cotangent] = {}  # leaves that are costs
        self._uses: dict[int, list[tuple[int, int]]] = {}  # leaves: (user, which input)
        rows: dict[int, list[int]] = {}
        for row, cost in enumerate(graph.costs):
            rows.setdefault(cost.node, []).append(row)
        self._grows_on = _growing_on(graph)
        keep_memory()
        self._run({number: self._seed(number, here) for number, here in rows.items()})

    def _run(self, pending: dict[int, Cotangent]) -> None:
        """Pulls the costs' cotangents back through all nodes."""
        # about as much as there is to multiply with
        work = [sum(map(self.graph.size, node.inputs)) for node in self.graph.nodes] if self._progress else []
        left = whole = max(1, sum(work))
        for number in range(len(self.graph.nodes) - 1, -1, -1):
            self._pass(number, pending)
            if self._progress is not None:
                left -= work[number]
                self._progress(1 - left / whole)

    def _pass(self, number: int, pending: dict[int, Cotangent]) -> None:
        """Pulls a node's cotangent, where there is one, back to the inner nodes that it was made from."""
        graph, cotangent = self.graph, pending.pop(number, None)
        if cotangent is None:
            return
        node = graph.nodes[number]
        if node.op is None:
            # A cost that is itself a leaf: the path of no step, beside those through its uses.
            self._join(self._ends, number, cotangent)
            return
        if self._restart and not pending and self._worth(number, cotangent):
            self._blocks.append(_Block(cotangent, number))
            cotangent = self._identity(number, len(self._blocks))
        self._own[number] = cotangent
        for which, source in enumerate(node.inputs):
            if graph.nodes[source].op is not None:
                self._join(pending, source, self._pulled(cotangent, number, which))
            else:
                self._uses.setdefault(source, []).append((number, which))

    def _dtype(self, number: int) -> Any:
        exact = isinstance(self.semiring, SumSemiring) and self.semiring.exact
        return self.graph.xp.float64 if exact else self.graph.nodes[number].value.dtype

    def _seed(self, number: int, rows: list[int]) -> Cotangent:
        """Returns one at each cost that is an entry of a node, in a row of its own."""
        shape = self.graph.nodes[number].value.shape
        positions = [self.graph.costs[row].position for row in rows]
        parts = []
        for one, none in zip(self.semiring.one, self.semiring.absent(), strict=True):
            part = self._full((len(rows), self.graph.size(number)), none, number)
            part[list(range(len(rows))), positions] = one
            parts.append(part.reshape((len(rows), *shape)))
        return Cotangent(tuple(rows), tuple(parts))

    def _full(self, shape: tuple[int, ...], value: float, number: int) -> Array:
        """Returns an array of one value with the type and on the device of a node's."""
        device = self.graph.nodes[number].value.device
        return self.graph.xp.full(shape, value, dtype=self._dtype(number), device=device)

    def _worth(self, number: int, cotangent: Cotangent) -> bool:
        shape = self.graph.nodes[number].value.shape
        if len(shape) != 2 or shape[0] != self.graph.examples:
            return False
        return len(cotangent.rows) > shape[1] and self._composed.get(number) is None

    def _identity(self, number: int, block: int) -> Cotangent:
        examples, width = self.graph.nodes[number].value.shape
        xp, every = self.graph.xp, range(width)
        parts = []
        for one, none in zip(self.semiring.one, self.semiring.absent(), strict=True):
            part = self._full((width, 1, width), none, number)
            part[every, 0, every] = one
            parts.append(xp.broadcast_to(part, (width, examples, width)))
        return Cotangent(tuple(every), tuple(parts), 0, block)

    def _pulled(self, cotangent: Cotangent, number: int, which: int) -> Cotangent:
        return self._after(cotangent, number, which, self.semiring, self.graph.local(number))

    def _after(
        self, cotangent: Cotangent, number: int, which: int, semiring: Semiring, local: Local
    ) -> Cotangent:
        """Returns the cotangent of an input from a node's, by a form of the sweep's semiring."""
        op = self.graph.nodes[number].op
        assert op is not None
        parts = op.structure.pull(semiring, cotangent.parts, local, which, self.graph.nodes[number].marked)
        return self._arrived(cotangent, number, which, parts)

    def _arrived(self, cotangent: Cotangent, number: int, which: int, parts: Element) -> Cotangent:
        """Returns the cotangent of an input, of its type and in range, from what a node's was pulled back to."""
        node = self.graph.nodes[number]
        assert node.op is not None
        value = self.graph.nodes[node.inputs[which]].value
        if value.dtype != node.value.dtype and self.graph.xp.isdtype(value.dtype, "real floating"):
            # a cast in the computation is one on the way back
            dtype = self._dtype(node.inputs[which])
            parts = tuple(None if part is None else cast(part, dtype) for part in parts)
        if value.device != node.value.device:  # and so is a step to another device
            parts = tuple(None if part is None else beside(part, value) for part in parts)
        exponent = cotangent.exponent
        on = self._grows_on[node.inputs[which]]
        if self.semiring.rescale is not None and on and isinstance(node.op.structure, GROWING):
            parts, exponent = rescaled(parts, exponent, self.semiring, self.graph.xp)
        return Cotangent(cotangent.rows, parts, exponent, cotangent.block)

    def _join(self, pending: dict[int, Cotangent], number: int, new: Cotangent) -> None:
        old = pending.get(number)
        pending[number] = new if old is None else self._plus(old, new)

    def _plus(self, a: Cotangent, b: Cotangent) -> Cotangent:
        return plus(a, b, self.semiring, self.graph.xp)

    def cotangent(self, number: int) -> Cotangent | None:
        """Returns what the sweep carries at a node, with a row for each cost that it reaches; nothing if none."""
        if number not in self._composed:
            leaf = self.graph.nodes[number].op is None
            self._composed[number] = self._leaf(number) if leaf else self._compose(number)
        return self._composed[number]

    def pieces(self, number: int, rows: tuple[int, ...] | None = None) -> Iterator[Cotangent]:
        """Yields what the sweep carries at a node, some entries after the others, along its first axis.

        Of a large weight that enters products, or of which rows are picked, no more than a piece is ever in memory, and
        it isn't kept. All else comes as one piece. For a node that no cost reaches there is nothing.

        Args:
            number: The node.
            rows: The costs that are looked at, among others perhaps; all of them where there is nothing.
        """
        graph, uses = self.graph, self._live_uses(number)
        shape = graph.nodes[number].value.shape
        apart = all(comes_in_pieces(graph.structure(user), which) for user, which, _ in uses)
        if one_piece(shape) or not uses or not apart or number in self._ends:
            whole = self.cotangent(number)
            if whole is not None:
                yield whole
            return
        if rows is not None:
            some_rows = ((user, which, above.of_rows(rows)) for user, which, above in uses)
            uses = [use for use in some_rows if use[-1].rows]
        senders = [
            pull_some(
                graph.structure(user),
                self.semiring,
                above.parts,
                graph.local(user),
                which,
                graph.nodes[user].marked,
            )
            for user, which, above in uses
        ]
        for some in slices(shape) if uses else ():  # none leads to these costs
            sent = (
                self._arrived(above, user, which, send(some))
                for (user, which, above), send in zip(uses, senders, strict=True)
            )
            yield reduce(self._plus, sent)

    def _compose(self, number: int) -> Cotangent | None:
        cotangent = self._own.get(number)
        labels = (("row", "n", "m"), ("m", "n", "j"), ("row", "n", "j"))
        while cotangent is not None and cotangent.block:
            factor, node = self._blocks[cotangent.block - 1]
            if node == number:
                cotangent = factor
                continue
            parts = self.semiring.compose(factor.parts, cotangent.parts, labels, self.graph.xp)
            cotangent = Cotangent(factor.rows, parts, factor.exponent + cotangent.exponent, factor.block)
        return cotangent

    def _leaf(self, number: int) -> Cotangent | None:
        made = self._ends.get(number)
        for user, which, above in self._live_uses(number):
            pulled = self._pulled(above, user, which)
            made = pulled if made is None else self._plus(made, pulled)
        return made

    def reached(self, number: int) -> set[int]:
        """Returns the numbers of the costs that a leaf reaches."""
        found = [self._ends[number]] if number in self._ends else []
        found += [above for _, _, above in self._live_uses(number)]
        return {row for cotangent in found for row in cotangent.rows}

    def _live_uses(self, number: int) -> list[tuple[int, int, Cotangent]]:
        """Returns what uses a leaf, as which input, on the way to a cost, with its cotangent."""
        uses = ((*use, self.cotangent(use[0])) for use in self._uses.get(number, ()))
        return [(user, which, above) for user, which, above in uses if above is not None]

    def values(self, number: int) -> Array:
        """Returns the semiring's values at a node: an array (costs, *shape), and an axis more where they are pairs.

        Costs that the node doesn't reach have the value of an empty sum of paths.
        """
        return self._read(self.cotangent(number), number)

    def sent(self, way: Sequence[tuple[int, int | None]]) -> Array:
        """Returns the values that come back along one way: an array (costs, *shape of what the way leads back to).

        Args:
            way: Steps back from the costs: nodes, and which of their inputs comes next; nothing at the first where what
                comes back is of the costs that are entries of this node itself.
        """
        (number, _), *_ = way
        cotangent = self.cotangent(number)
        for node, which in way:
            if which is None:
                rows = [row for row, cost in enumerate(self.graph.costs) if cost.node == node]
                cotangent = self._seed(node, rows)
            elif cotangent is not None:
                cotangent, number = self._pulled(cotangent, node, which), self.graph.nodes[node].inputs[which]
        return self._read(cotangent, number)

    def _read(self, cotangent: Cotangent | None, number: int) -> Array:
        """Returns the values of what is carried at a node, or nothing is."""
        if cotangent is not None:
            return self.read(cotangent)
        shape = (len(self.graph.costs), *self.graph.nodes[number].value.shape)
        parts: Element = tuple(self._full(shape, none, number) for none in self.semiring.absent())
        return self.semiring.read(parts, 0, self.graph.xp)

    def read(self, cotangent: Cotangent) -> Array:
        """Returns the values of what the sweep carries somewhere, with a row for each cost."""
        every = tuple(range(len(self.graph.costs)))
        parts = spread(cotangent.parts, cotangent.rows, every, self.semiring, self.graph.xp)
        return self.semiring.read(parts, cotangent.exponent, self.graph.xp)

    def joined(self, number: int, rows: tuple[int, ...] | None = None) -> Array:
        """Returns the values with the costs (or some of them) joined by plus: paths to any of them together."""
        if (number, rows) not in self._joined:
            self._joined[number, rows] = self._join_rows(self.cotangent(number), number, rows)
        return self._joined[number, rows]

    def joined_in_double(self, number: int, rows: tuple[int, ...] | None = None) -> Array:
        """Returns the same in double precision: sums over very many paths leave the range of single precision."""
        cotangent = self.cotangent(number)
        if cotangent is None or not cotangent.exponent:
            return self.joined(number, rows)
        if (number, rows) not in self._in_double:
            self._in_double[number, rows] = self._join_rows(
                self._in_double_precision(cotangent), number, rows
            )
        return self._in_double[number, rows]

    def joined_pieces(self, number: int, rows: tuple[int, ...] | None = None) -> Iterator[Array]:
        """Yields the same, in pieces as :meth:`pieces` has them; nothing where none of the costs is reached."""
        for piece in self.pieces(number, rows):
            if rows is None or not set(rows).isdisjoint(piece.rows):
                yield self._join_rows(self._in_double_precision(piece), number, rows)

    def largest(self, number: int, rows: tuple[int, ...], k: int) -> tuple[Array, Array]:
        """Returns at which flat positions the k largest values are, with some costs joined, and their sizes.

        They are kept, for all costs together and each by itself, unless there are many of these.
        """
        every = tuple(range(len(self.graph.costs)))
        if (number, rows, k) not in self._largest:
            together = {rows} if len(every) > FEW_COSTS else {rows, every, *((row,) for row in every)}
            found = {some: Largest(k) for some in together}
            for piece in self.pieces(number, rows if len(together) == 1 else None):
                wide = self._in_double_precision(piece)
                for some, best in found.items():
                    if not set(some).isdisjoint(piece.rows):
                        best.add(in_numpy(self._join_rows(wide, number, some)))
            self._largest |= {(number, some, k): best.found for some, best in found.items()}
        return self._largest[number, rows, k]

    def _in_double_precision(self, cotangent: Cotangent) -> Cotangent:
        wide = self.graph.xp.float64
        return cotangent._replace(parts=each(cotangent.parts, lambda part: cast(part, wide)))

    def _join_rows(self, cotangent: Cotangent | None, number: int, rows: tuple[int, ...] | None) -> Array:
        shape = self.graph.nodes[number].value.shape
        wanted = [
            place
            for place, row in enumerate(cotangent.rows if cotangent else ())
            if rows is None or row in rows
        ]
        if cotangent is None or not wanted:
            parts: Element = tuple(self._full(shape, none, number) for none in self.semiring.absent())
            return self.semiring.read(parts, 0, self.graph.xp)
        if len(wanted) == 1:
            flat = tuple(None if part is None else part[wanted[0]] for part in cotangent.parts)
            return self.semiring.read(flat, cotangent.exponent, self.graph.xp)
        every = len(wanted) == len(cotangent.rows)
        chosen = tuple(None if part is None else part if every else part[wanted] for part in cotangent.parts)
        reduced = self.semiring.reduce(chosen, (0,), self.graph.xp)
        flat = tuple(None if part is None else part[0] for part in reduced)
        return self.semiring.read(flat, cotangent.exponent, self.graph.xp)


class Sweeps(dict[str, Sweep]):
    """The sweeps over a graph by their semirings' names, each made when it is first asked for.

    Example:
        >>> import numpy as np
        >>> from whygrad.graph import Entry, Recording
        >>> recording = Recording()
        >>> x = recording.leaf("x", np.array([3.0]))
        >>> sweeps = Sweeps(recording.graph((Entry(x, 0),)))
        >>> sweeps["gradient"] is sweeps["gradient"], list(sweeps)
        (True, ['gradient'])
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph

    def __missing__(self, semiring: str) -> Sweep:
        return self.made(semiring)

    def made(self, semiring: str, progress: Callable[[str, float], None] | None = None) -> Sweep:
        """Returns the sweep under a semiring; if it takes long somebody may be told how far it is."""
        if semiring not in self:
            told = None if progress is None else partial(progress, semiring)
            self[semiring] = Sweep(self.graph, semiring, progress=told)
        return self[semiring]
