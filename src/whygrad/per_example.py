"""Costs that belong to one example each: one sweep keeps the examples apart by itself.

Where no operation mixes examples, the cotangent of one example's cost is zero at all others. One sweep that starts with
one at every example's cost then carries, at place n of the axis of examples, the cotangent of cost n: no rows are
needed for the costs, and a weight's gradients come out apart by not adding up over that axis (Goodfellow 2015,
*Efficient per-example gradient computations*).
"""

from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

from whygrad.arrays import Array, inner_products
from whygrad.contraction import contract_sum
from whygrad.cotangent import Cotangent
from whygrad.graph import Entry, Graph, Node
from whygrad.ops import OPS
from whygrad.semirings import SEMIRINGS
from whygrad.structures import (
    Affine,
    Contraction,
    Convolution,
    DenseAlongAxis,
    Elementwise,
    Local,
    Reduction,
    Selection,
    Structure,
)
from whygrad.structures.local import unbroadcast
from whygrad.sweep import Sweep


class _MixedError(Exception):
    """An operation lets examples act on each other, or nobody knows."""


class Where(NamedTuple):
    """Where the examples are in an array: entry i of ``axis`` belongs to example i // inner % examples."""

    axis: int
    inner: int = 1


def _elementwise(structure: Any, local: Local, which: int, at: Where, examples: int) -> Where | None:
    shape = local.inputs[which].shape
    place = at.axis - (len(local.output.shape) - len(shape))
    return at._replace(axis=place) if place >= 0 and shape[place] == local.output.shape[at.axis] else None


def _contraction(structure: Any, local: Local, which: int, at: Where, examples: int) -> Where | None:
    label = structure.labels[2][at.axis]
    mine = structure.labels[which]
    return at._replace(axis=mine.index(label)) if label in mine else None


def _affine(structure: Any, local: Local, which: int, at: Where, examples: int) -> Where | None:
    if which < 2:
        inner = local._replace(inputs=local.inputs[:2])
        return where(structure.product, inner, which, at, examples)
    # a bias with an axis for the examples
    if at.axis > len(local.output.shape) + structure.axis - len(local.inputs[2].shape):
        raise _MixedError
    return None


def _reduction(structure: Any, local: Local, which: int, at: Where, examples: int) -> Where | None:
    settings = local.settings.get("axis")
    rank = len(local.inputs[which].shape)
    axes = range(rank) if settings is None else (settings if isinstance(settings, tuple) else (settings,))
    summed = {axis % rank for axis in axes}
    return at._replace(axis=[place for place in range(rank) if place not in summed][at.axis])


def _dense(structure: Any, local: Local, which: int, at: Where, examples: int) -> Where | None:
    settings = local.settings.get("axis", -1)
    along = settings if isinstance(settings, tuple) else (settings,)
    if at.axis in {axis % len(local.output.shape) for axis in along}:
        raise _MixedError
    return at


def _selection(structure: Any, local: Local, which: int, at: Where, examples: int) -> Where | None:
    xp, out = local.xp, local.output
    window = structure.window(local)
    if window is not None and window.whole(prod(local.inputs[0].shape)):
        # All entries in their order: what is the same is how many of them one example has in a row.
        return _with_run(tuple(local.inputs[0].shape), prod(out.shape[at.axis + 1 :]) * at.inner, examples)
    before = sum(prod(x.shape) for x in local.inputs[:which])
    sources = structure.sources(local) - before - 1
    known = (sources >= 0) & (sources < prod(local.inputs[which].shape))
    found = sources[known]
    index = xp.arange(prod(out.shape), device=sources.device)[known]
    wanted = _example(index, tuple(out.shape), at, examples)
    shape = tuple(local.inputs[which].shape)
    for axis, size in enumerate(shape):
        for inner in range(1, size // examples + 1):
            if size % (examples * inner):
                continue
            place = Where(axis, inner)
            if bool(xp.all(_example(found, shape, place, examples) == wanted)):
                return place
    return None


def _with_run(shape: tuple[int, ...], run: int, examples: int) -> Where | None:
    """Returns where the examples are in an array in which so many entries of one example follow each other."""
    for axis, size in enumerate(shape):
        inner, rest = divmod(run, prod(shape[axis + 1 :]))
        if not rest and inner and size % (examples * inner) == 0:
            return Where(axis, inner)
    return None


def _example(flat: Array, shape: tuple[int, ...], at: Where, examples: int) -> Array:
    """Returns the examples that flat positions belong to."""
    return flat // prod(shape[at.axis + 1 :]) % shape[at.axis] // at.inner % examples


def _convolution(structure: Any, local: Local, which: int, at: Where, examples: int) -> Where | None:
    if at != Where(0):
        raise _MixedError
    return at if which == 0 else None


AXES: dict[type, Callable[[Any, Local, int, Where, int], Where | None]] = {
    Elementwise: _elementwise,
    Contraction: _contraction,
    Convolution: _convolution,
    Affine: _affine,
    Reduction: _reduction,
    DenseAlongAxis: _dense,
    Selection: _selection,
}


def where(structure: Structure, local: Local, which: int, at: Where, examples: int) -> Where | None:
    """Returns where the examples are in an input, given where they are in the output; nothing where it is shared."""
    rule = AXES.get(type(structure))
    if rule is None:
        raise _MixedError
    return rule(structure, local, which, at, examples)


class PerExample(NamedTuple):
    """A graph whose costs are one for each example (of one or several losses), and where the examples are.

    ``places`` says where the examples are in each node between the parameters and the costs; ``products`` keeps the
    inner products of an operation's cotangents, which its weight and its bias have in common.
    """

    graph: Graph
    sweep: Sweep
    places: dict[int, Where]
    examples: int
    losses: int
    products: dict[int, Array]

    @staticmethod
    def of(graph: Graph) -> "PerExample | None":
        """Returns the sweep for costs that belong to one example each, or nothing where they don't."""
        nodes = list(dict.fromkeys(cost.node for cost in graph.costs))
        shapes = {tuple(graph.nodes[node].value.shape) for node in nodes}
        if len(shapes) != 1:
            return None
        (shape,) = shapes
        if len(shape) != 1 or shape[0] < 2:
            return None
        every = tuple(Entry(node, place) for node in nodes for place in range(shape[0]))
        if every != graph.costs:
            return None
        try:
            places = _places(graph, nodes, shape[0])
        except _MixedError:
            return None
        sums = tuple(
            Node("sum", graph.xp.sum(graph.nodes[node].value), OPS["sum"], (node,), {}) for node in nodes
        )
        entries = tuple(Entry(len(graph.nodes) + place, 0) for place in range(len(nodes)))
        summed = Graph(graph.nodes + sums, entries, (), 0, graph.xp)
        return PerExample(graph, Sweep(summed, "gradient"), places, shape[0], len(nodes), {})

    def gradient(self, node: int) -> Array:
        """Returns each cost's gradient by a parameter: (costs, *shape)."""
        xp = self.graph.xp
        value = self.graph.nodes[node].value
        made = None
        for user, which in self.graph.users()[node]:
            if user in self.places:
                part = self._use(user, which)
                made = part if made is None else made + part
        if made is None:
            return xp.zeros((len(self.graph.costs), *value.shape), dtype=value.dtype, device=value.device)
        return xp.astype(made.reshape((len(self.graph.costs), *value.shape)), value.dtype)

    def _use(self, user: int, which: int) -> Array:
        """Returns what one use of a parameter sends back, example by example: (losses, examples, *shape)."""
        local = self.graph.local(user)
        structure = self.graph.structure(user)
        above = self.sweep.cotangent(user)
        at = self.places[user]
        xp = self.graph.xp
        if above is None:
            like = local.inputs[which]
            shape = (self.losses, self.examples, *like.shape)
            return xp.zeros(shape, dtype=like.dtype, device=like.device)
        part = self._rows(above)
        if isinstance(structure, Affine) and which < 2:
            structure, local = structure.product, local._replace(inputs=local.inputs[:2])
        if isinstance(structure, Contraction):
            labels = structure.labels
            split = tuple(f"{labels[2][at.axis]}{piece}" for piece in ("<", "", ">"))
            other = labels[1 - which]
            place = other.index(labels[2][at.axis])
            return contract_sum(
                self._split(part, at._replace(axis=1 + at.axis)),
                self._split(local.inputs[1 - which], at._replace(axis=place)),
                (
                    ("row", *_inserted(labels[2], at.axis, split)),
                    _inserted(other, place, split),
                    ("row", split[1], *labels[which]),
                ),
                xp,
            )
        if isinstance(structure, Convolution):
            return structure.weight_by_example(part, local)
        if isinstance(structure, (Affine, Elementwise)):
            made = self._summed(structure, local, which, at, part)
            if made is not None:
                return made
        return self._apart(structure, local, which, at, part)

    def _rows(self, above: Cotangent) -> Array:
        """Returns a cotangent with a row for each loss."""
        xp = self.graph.xp
        (part,) = above.parts
        assert part is not None
        if len(above.rows) < self.losses:
            full = xp.zeros((self.losses, *part.shape[1:]), dtype=part.dtype, device=part.device)
            full[list(above.rows)] = part
            part = full
        return part * 2.0**above.exponent if above.exponent else part

    def _split(self, array: Array, at: Where) -> Array:
        """Returns the array with the axis of examples taken apart into (outer, examples, inner)."""
        shape = array.shape
        pieces = (-1, self.examples, at.inner)
        return array.reshape((*shape[: at.axis], *pieces, *shape[at.axis + 1 :]))

    def _summed(
        self, structure: Affine | Elementwise, local: Local, which: int, at: Where, part: Array
    ) -> Array | None:
        """Returns the pull of all examples at once, where the input is the same for all of them: a sum without them."""
        xp, own = local.xp, tuple(local.inputs[which].shape)
        after = -1 - structure.axis if isinstance(structure, Affine) else 0
        shape = (*own, *(1,) * after)
        place = at.axis - (len(local.output.shape) - len(shape))
        if place >= 0 and shape[place] != 1:
            return None
        if isinstance(structure, Elementwise):
            part = part * structure.partial(local, which)
        front = xp.moveaxis(self._split(part, at._replace(axis=1 + at.axis)), 2 + at.axis, 1)
        lead = self.losses * self.examples
        rest = local.output.shape[at.axis] // self.examples
        wide = (lead, *local.output.shape[: at.axis], rest, *local.output.shape[at.axis + 1 :])
        (made,) = unbroadcast(SEMIRINGS["gradient"], (front.reshape(wide),), shape, xp)
        assert made is not None
        return made.reshape((self.losses, self.examples, *own))

    def _apart(self, structure: Structure, local: Local, which: int, at: Where, part: Array) -> Array:
        """Returns the pull of each example's cotangent by itself: zero at all other examples."""
        xp = self.graph.xp
        split = self._split(part, at._replace(axis=1 + at.axis))
        moved = xp.moveaxis(split, 2 + at.axis, 0)
        made = []
        for example in range(self.examples):
            alone = xp.zeros_like(moved)
            alone[example] = moved[example]
            cotangent = xp.moveaxis(alone, 0, 2 + at.axis).reshape(part.shape)
            (pulled,) = structure.pull(SEMIRINGS["gradient"], (cotangent,), local, which, False)
            made.append(pulled)
        return xp.stack(made, axis=1)

    def gramian(self, node: int) -> Array:
        """Returns the inner products of the costs' gradients by a parameter, (costs, costs)."""
        users = [(user, which) for user, which in self.graph.users()[node] if user in self.places]
        if len(users) == 1:
            made = self._unformed(*users[0])
            if made is not None:
                return made
        return inner_products(self.gradient(node).reshape((len(self.graph.costs), -1)), self.graph.xp)

    def carried(self, node: int) -> Array:
        """Returns for each cost whether anything but 0 comes back to what a parameter enters."""
        xp = self.graph.xp
        found = xp.zeros(len(self.graph.costs), dtype=xp.bool, device=self.graph.nodes[node].value.device)
        for user, _ in self.graph.users()[node]:
            above, at = self.sweep.cotangent(user), self.places.get(user)
            if above is not None and at is not None and at.inner == 1:
                part = xp.moveaxis(self._rows(above), 1 + at.axis, 1)
                if part.shape[1] == self.examples:
                    flat = part.reshape((len(self.graph.costs), -1))
                    found = found | xp.any(flat != 0, axis=-1)
        return found

    def _unformed(self, user: int, which: int) -> Array | None:
        """Returns a matrix's Gramian from its factors, S * (D Dᵀ), where each example enters once."""
        local = self.graph.local(user)
        structure = self.graph.structure(user)
        product = structure.product if isinstance(structure, Affine) else structure
        above = self.sweep.cotangent(user)
        if not isinstance(product, Contraction) or above is None or above.exponent:
            return None
        part, at = self._rows(above), self.places[user]
        xp = self.graph.xp
        if at.inner != 1 or part.shape[1 + at.axis] != self.examples:
            return None
        if which == 2:
            return self._products(user, part) if len(part.shape) == 3 else None
        labels = product.labels
        example = labels[2][at.axis]
        own, others = set(labels[2]) - set(labels[which]), set(labels[1 - which]) - set(labels[which])
        if own != {example} or others != {example}:
            return None
        other = xp.moveaxis(local.inputs[1 - which], labels[1 - which].index(example), 0)
        other = other.reshape((self.examples, -1))
        made = self._products(user, xp.moveaxis(part, 1 + labels[2].index(example), 1))
        similar = other @ other.T
        if self.losses == 1:
            similar *= made
            return similar
        wide = made.reshape((self.losses, self.examples, self.losses, self.examples))
        return (wide * similar[None, :, None, :]).reshape(made.shape)

    def _products(self, user: int, part: Array) -> Array:
        """Returns the inner products of all examples' cotangents (losses, examples, …) at an operation."""
        if user not in self.products:
            rows = part.reshape((self.losses * self.examples, -1))
            self.products[user] = rows @ rows.T
        return self.products[user]


def _inserted(labels: tuple[str, ...], place: int, split: tuple[str, ...]) -> tuple[str, ...]:
    return (*labels[:place], *split, *labels[place + 1 :])


def _places(graph: Graph, nodes: list[int], examples: int) -> dict[int, Where]:
    """Returns where the examples are in every node on the way to the costs.

    Raises:
        _MixedError: An operation lets examples act on each other.
    """
    places = dict.fromkeys(nodes, Where(0))
    for number in range(len(graph.nodes) - 1, -1, -1):
        node = graph.nodes[number]
        if number not in places or node.op is None:
            continue
        local = graph.local(number)
        for which, source in enumerate(node.inputs):
            if graph.nodes[source].op is None:
                continue
            found = where(node.op.structure, local, which, places[number], examples)
            if found is None or places.setdefault(source, found) != found:
                raise _MixedError
    return places
