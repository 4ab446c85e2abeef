"""Where attention is in a recorded computation: which softmax weighs which values, in which head."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from whygrad.arrays import Array, in_numpy
from whygrad.graph import Graph
from whygrad.structures import Contraction, Selection

# Attention weights are followed one by one through views that turn them round where there are so many.
MOST_PLACES = 2**24


class Weighing(NamedTuple):
    """A product of attention weights with values, and the numbers of the axes along which tokens and columns are.

    Args:
        asking: Of the tokens that ask, in the softmax.
        asked: Of the tokens that are asked, in the softmax.
        product: The node of the product.
        row: Of those who ask, in the product; heads that have values in common may run along it too.
        column: Of a value's entries, in the product.
        values: Which of the product's inputs the values are.
        source: Of the tokens that are asked, in the values.
        starts: The position in the softmax at which each row of weights begins: by the position along the product's
            other axes, and along that of its rows.
    """

    asking: int
    asked: int
    product: int
    row: int
    column: int
    values: int
    source: int
    starts: Array


class Attention(NamedTuple):
    """One use of attention: the softmax whose entries are its weights, and their product with the values.

    Args:
        name: The module's path; numbered from the second use on.
        heads: In how many heads it works.
        inner: Whether the heads run fastest along the axes of examples and heads, the examples else.
        weights: The node of the softmax.
        asking: Its axis of the tokens that ask.
        asked: Its axis of the tokens that are asked.
        weighing: The product with the values; nothing where there is none that is laid out so.
    """

    name: str
    heads: int
    inner: bool
    weights: int
    asking: int
    asked: int
    weighing: Weighing | None = None


class Joined(NamedTuple):
    """Where heads lie side by side along the last axis: the node, how many, and whether they ran fastest before."""

    node: int
    heads: int
    inner: bool
    weighing: Weighing


def attentions(graph: Graph, modules: Sequence[str], heads: Callable[[int], int]) -> list[Attention]:
    """Returns the uses of attention in a computation.

    Args:
        graph: What was computed.
        modules: For each node, the path of the module that made it.
        heads: Says in how many heads the module of a node works, where they aren't joined side by side; 0 where it
            doesn't say.
    """
    users = graph.users()
    found: list[Attention] = []
    for number, node in enumerate(graph.nodes):
        shape = node.value.shape
        if node.op is None or node.op.name != "softmax" or len(shape) < 3:
            continue
        along = node.settings["axis"] % len(shape)
        laid = [each for each in _laid_out(graph, users, number) if each.asked == along]
        joined = _joined(graph, users, shape, laid)
        weighing = joined.weighing if joined else laid[0] if len(laid) == 1 else None
        if weighing is None and along < len(shape) - 2:
            continue
        asking, asked = weighing[:2] if weighing else (2 * len(shape) - 3 - along, along)
        front = [size for axis, size in enumerate(shape) if axis not in (asking, asked)]
        many, inner = (joined.heads, joined.inner) if joined else _said(front, heads(number))
        if not many:
            continue
        earlier = sum(modules[other.weights] == modules[number] for other in found)
        name = f"{modules[number]}#{earlier + 1}" if earlier else modules[number]
        found.append(Attention(name, many, inner, number, asking, asked, weighing))
    return found


def _said(front: Sequence[int], many: int) -> tuple[int, bool]:
    """Returns how many heads there are and whether they come after the examples, where a module says how many."""
    # One axis alone may as well be the examples', in a module that goes through its heads one by one.
    if len(front) != 2 or many not in front:
        return 0, True
    return many, front[1] == many


def product_with(
    graph: Graph, users: Sequence[Sequence[tuple[int, int]]], softmax: int
) -> tuple[int, ...] | None:
    """Returns the way to the product in which a softmax weighs values: each node made of the last; or nothing.

    The weights may be dropped out, scaled and laid out otherwise in between.
    """
    waiting: list[tuple[int, ...]] = [(softmax,)]
    while waiting:
        way = waiting.pop()
        for user, _ in users[way[-1]]:
            op = graph.nodes[user].op
            assert op is not None
            if isinstance(op.structure, Contraction) and len(graph.nodes[user].inputs) == 2:
                return (*way, user)
            scaled = op.name in ("mul", "dropout", "native_dropout") and graph.size(user) == graph.size(
                way[-1]
            )
            if scaled or graph.whole_selection(user):
                waiting.append((*way, user))
    return None


def _laid_out(graph: Graph, users: Sequence[Sequence[tuple[int, int]]], softmax: int) -> list[Weighing]:
    """Returns how a softmax may weigh values in a product: in several ways where heads run along those who ask too.

    Weights and values may stand in any order and be turned round: v^T a^T is a v. Nothing where an axis is summed over,
    or joined with others, that is no axis of tokens.
    """
    way = product_with(graph, users, softmax)
    if way is None:
        return []
    *between, product = way
    structure = graph.structure(product)
    assert isinstance(structure, Contraction)
    which = graph.nodes[product].inputs.index(between[-1])
    weights, values, out = structure.labels[which], structure.labels[1 - which], structure.labels[2]
    asked = [label for label in weights if label in values and label not in out]
    asking = [label for label in weights if label in out and label not in values]
    across = [label for label in values if label in out and label not in weights]
    shared = [label for label in out if label in weights and label in values]
    if not len(asked) == len(asking) == len(across) == 1 or "..." in out:
        return []
    if not len(weights) == len(values) == len(out) == len(shared) + 2:
        return []
    rows = _rows(graph, between, [weights.index(label) for label in (*shared, *asking, *asked)])
    if rows is None:
        return []
    shape, own = tuple(graph.nodes[softmax].value.shape), _strides(graph.nodes[softmax].value.shape)
    size = graph.nodes[between[-1]].value.shape[weights.index(asked[0])]
    fitting = [t for t, n in enumerate(shape) if n == size and (size == 1 or own[t] == rows.step)]
    if not fitting:
        return []
    index = np.unravel_index(rows.starts[0], shape)
    others = [t for t in reversed(range(len(shape))) if t != fitting[-1]]
    moving = [t for t in others if (index[t] != index[t][0]).any()]
    if not moving:  # one token asks
        moving = [t for t in others if shape[t] == 1][:1]
    row, column, source = out.index(asking[0]), out.index(across[0]), values.index(asked[0])
    return [Weighing(t, fitting[-1], product, row, column, 1 - which, source, rows.starts) for t in moving]


def _strides(shape: Sequence[int]) -> list[int]:
    """Returns how far apart neighbours along each axis are among an array's entries in their order."""
    return [prod(shape[axis + 1 :]) for axis in range(len(shape))]


class _Rows(NamedTuple):
    """Where rows of weights begin in the softmax, and how far apart a row's entries are."""

    starts: Array
    step: int


def _rows(graph: Graph, way: Sequence[int], order: Sequence[int]) -> _Rows | None:
    """Returns where the last node's rows, along its axes in an order, lie in the first; nothing where they don't in
    equal steps, or where that takes long to say."""
    shape = graph.nodes[way[-1]].value.shape
    sizes = [shape[axis] for axis in order]
    if not graph.size(way[0]):
        return None
    if all(_keeps_places(graph, number) for number in way[1:]):
        strides = [_strides(shape)[axis] for axis in order]
        starts = np.tensordot(strides[:-1], np.indices(sizes[:-1]), 1)
        return _Rows(starts.reshape(-1, sizes[-2]), strides[-1])
    if graph.size(way[0]) > MOST_PLACES:
        return None
    places = in_numpy(places_along(graph, way)).transpose(order).reshape(-1, *sizes[-2:])
    starts, step = places[:, :, 0], int(places[0, 0, 1] - places[0, 0, 0]) if sizes[-1] > 1 else 0
    return _Rows(starts, step) if (places == starts[..., None] + step * np.arange(sizes[-1])).all() else None


def joined_heads(graph: Graph, users: Sequence[Sequence[tuple[int, int]]], softmax: int) -> Joined | None:
    """Returns where the heads after a softmax lie side by side along the last axis; nothing where they don't."""
    shape = graph.nodes[softmax].value.shape
    return _joined(graph, users, shape, _laid_out(graph, users, softmax))


def _joined(
    graph: Graph, users: Sequence[Sequence[tuple[int, int]]], shape: Sequence[int], laid: Sequence[Weighing]
) -> Joined | None:
    """Follows a product with the values by position, through views that put each head's columns next to each other."""
    if not laid:
        return None
    number = laid[0].product
    after = [number]
    while len(users[number]) == 1:
        number = users[number][0][0]
        if not graph.whole_selection(number):
            break
        after.append(number)
        for each in laid:
            found = _side_by_side(graph, after, shape, each)
            if found is not None:
                return Joined(number, *found, each)
    return None


def _side_by_side(
    graph: Graph, way: Sequence[int], weights: Sequence[int], laid: Weighing
) -> tuple[int, bool] | None:
    """Returns how many heads of a product lie side by side in the last node, and whether they run fastest before."""
    shape, last = graph.nodes[way[0]].value.shape, graph.nodes[way[-1]].value.shape[-1]
    width = shape[laid.column]
    if last == width or last % width:
        return None
    places = in_numpy(places_along(graph, way)).reshape(-1, last)
    shared, row, column = parted(places, shape, (laid.row, laid.column))
    head, within = np.divmod(np.arange(last), width)
    many, fronts = last // width, prod(weights) // (weights[laid.asking] * weights[laid.asked])
    if fronts % many or not (column == within).all():
        return None
    front, *_ = parted(laid.starts[shared, row], weights, (laid.asking, laid.asked))
    if (front % many == head).all():
        return many, True
    return (many, False) if (front // (fronts // many) == head).all() else None


def parted(place: Any, shape: Sequence[int], axes: Sequence[int]) -> tuple[Any, Any, Any]:
    """Returns flat positions as three: the position along all axes but two, and those along these two.

    Example:
        >>> tuple(map(int, parted(5, (2, 3, 4), (0, 2)))), placed((1, 0, 1), (2, 3, 4), (0, 2))
        ((1, 0, 1), 5)
    """
    index = np.unravel_index(place, shape)
    front = sum((index[axis] * step for axis, step in _front(shape, axes)), np.zeros_like(place))
    return front, index[axes[0]], index[axes[1]]


def placed(parts: tuple[int, int, int], shape: Sequence[int], axes: Sequence[int]) -> int:
    """Returns the flat position that is parted in these three."""
    strides = _strides(shape)
    front, *along = parts
    rest = sum(front // step % shape[axis] * strides[axis] for axis, step in _front(shape, axes))
    return rest + sum(part * strides[axis] for part, axis in zip(along, axes, strict=True))


def _front(shape: Sequence[int], axes: Sequence[int]) -> list[tuple[int, int]]:
    """Returns all axes but some, and how far apart neighbours along each are where there are only these."""
    rest = [axis for axis in range(len(shape)) if axis not in axes]
    return list(zip(rest, _strides([shape[axis] for axis in rest]), strict=True))


def _keeps_places(graph: Graph, number: int) -> bool:
    """Returns whether a node has its input's entries in their order: a reshape, or an elementwise operation."""
    structure = graph.structure(number)
    if not isinstance(structure, Selection):
        return True
    window = structure.window(graph.local(number))
    return window is not None and window.whole(graph.size(number))


def places_along(graph: Graph, way: Sequence[int]) -> Array:
    """Returns the positions of the first node's entries at their places in the last, through views."""
    value = graph.nodes[way[0]].value
    places = graph.xp.arange(graph.size(way[0]), device=value.device).reshape(value.shape)
    for number in way[1:]:
        structure = graph.structure(number)
        if isinstance(structure, Selection):
            # In one piece: the view may be of memory that lay otherwise.
            flat = places.reshape(-1).reshape(places.shape)
            places = structure.select(flat, **graph.nodes[number].settings)
        else:
            places = places.reshape(graph.nodes[number].value.shape)
    return places
