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
    """A product of attention weights with values, and where its tokens and columns are: numbers of axes.

    Args:
        product: Its node.
        values: Which of its inputs the values are.
        asking: The axis of the tokens that ask, in the product.
        column: The axis of a value's entries, in the product.
        asked: The axis of the tokens that are asked, in the values.
        fronts: By the position along the product's other axes, that along the weights' other axes.
    """

    product: int
    values: int
    asking: int
    column: int
    asked: int
    fronts: Array


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
        way = product_with(graph, users, number)
        laid = weighing(graph, way) if way else None
        joined = _joined(graph, users, laid[2]) if laid else None
        along = node.settings["axis"] % len(shape)
        if laid is not None and laid[1] == along:
            asking, asked, product = laid
        elif along >= len(shape) - 2:
            asking, asked, product = 2 * len(shape) - 3 - along, along, None
        else:
            continue
        front = [size for axis, size in enumerate(shape) if axis not in (asking, asked)]
        many, inner = (joined.heads, joined.inner) if joined else _said(front, heads(number))
        if not many:
            continue
        earlier = sum(modules[other.weights] == modules[number] for other in found)
        name = f"{modules[number]}#{earlier + 1}" if earlier else modules[number]
        found.append(Attention(name, many, inner, number, asking, asked, product))
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


def weighing(graph: Graph, way: Sequence[int]) -> tuple[int, int, Weighing] | None:
    """Returns a softmax's axes of tokens that ask and are asked, and its product with values, at the end of the way.

    Weights and values may stand in any order and be turned round: v^T a^T is a v. Nothing where an axis is summed over,
    or joined with others, that is no axis of tokens.
    """
    *between, product = way
    structure = graph.structure(product)
    assert isinstance(structure, Contraction)
    which = graph.nodes[product].inputs.index(between[-1])
    weights, values, out = structure.labels[which], structure.labels[1 - which], structure.labels[2]
    asked = [label for label in weights if label in values and label not in out]
    asking = [label for label in weights if label in out and label not in values]
    column = [label for label in values if label in out and label not in weights]
    shared = [label for label in out if label in weights and label in values]
    if not len(asked) == len(asking) == len(column) == 1 or "..." in out:
        return None
    if not len(weights) == len(values) == len(out) == len(shared) + 2:
        return None
    steps = _steps(graph, between, [weights.index(label) for label in (*shared, *asking, *asked)])
    if steps is None:
        return None
    first, *each = steps
    shape = tuple(graph.nodes[between[0]].value.shape)
    own = _strides(shape)
    sizes = graph.nodes[between[-1]].value.shape
    found: list[int] = []
    for label, step in zip((*asking, *asked), each, strict=True):
        size = sizes[weights.index(label)]
        fitting = [axis for axis, n in enumerate(shape) if n == size and (size == 1 or own[axis] == step)]
        fitting = [axis for axis in fitting if axis not in found]
        if not fitting:
            return None
        found.append(fitting[-1])
    fronts, *_ = parted(first, shape, found)
    (on,) = (out.index(label) for label in asking)
    (across,) = (out.index(label) for label in column)
    (below,) = (values.index(label) for label in asked)
    return found[0], found[1], Weighing(product, 1 - which, on, across, below, fronts)


def _strides(shape: Sequence[int]) -> list[int]:
    """Returns how far apart neighbours along each axis are among an array's entries in their order."""
    return [prod(shape[axis + 1 :]) for axis in range(len(shape))]


def _steps(graph: Graph, way: Sequence[int], order: Sequence[int]) -> tuple[Array, int, int] | None:
    """Returns where the entries of the last node lie in the first: positions by all axes but the last two in an order,
    from which steps along these two lead on; nothing where they don't, or where that takes long to say.
    """
    shape = graph.nodes[way[-1]].value.shape
    sizes = [shape[axis] for axis in order]
    if all(_keeps_places(graph, number) for number in way[1:]):
        strides = [_strides(shape)[axis] for axis in order]
        front = np.tensordot(strides[:-2], np.indices(sizes[:-2]), 1)
        return front.reshape(-1).astype(int), strides[-2], strides[-1]
    if not 0 < graph.size(way[0]) <= MOST_PLACES:
        return None
    places = in_numpy(places_along(graph, way)).transpose(order).reshape(-1, *sizes[-2:])
    front = places[:, 0, 0]
    down, right = (int(side[1] - side[0]) if len(side) > 1 else 0 for side in (places[0, :, 0], places[0, 0]))
    on = down * np.arange(sizes[-2])[:, None] + right * np.arange(sizes[-1])
    return (front, down, right) if (places == front[:, None, None] + on).all() else None


def joined_heads(graph: Graph, users: Sequence[Sequence[tuple[int, int]]], softmax: int) -> Joined | None:
    """Returns where the heads after a softmax lie side by side along the last axis; nothing where they don't."""
    way = product_with(graph, users, softmax)
    laid = weighing(graph, way) if way else None
    return _joined(graph, users, laid[2]) if laid else None


def _joined(graph: Graph, users: Sequence[Sequence[tuple[int, int]]], laid: Weighing) -> Joined | None:
    """Follows a product with the values by position, through views that put each head's columns next to each other."""
    number = laid.product
    after = [number]
    while len(users[number]) == 1:
        number = users[number][0][0]
        if not graph.whole_selection(number):
            break
        after.append(number)
        found = _side_by_side(graph, after, laid)
        if found is not None:
            return Joined(number, *found)
    return None


def _side_by_side(graph: Graph, way: Sequence[int], laid: Weighing) -> tuple[int, bool] | None:
    """Returns how many heads of a product lie side by side in the last node, and whether they run fastest in it."""
    shape, last = graph.nodes[way[0]].value.shape, graph.nodes[way[-1]].value.shape[-1]
    width = shape[laid.column]
    if last == width or last % width:
        return None
    places = in_numpy(places_along(graph, way)).reshape(-1, last)
    front, _, column = parted(places, shape, (laid.asking, laid.column))
    head, within = np.divmod(np.arange(last), width)
    many = last // width
    if len(laid.fronts) % many or not (column == within).all():
        return None
    front = laid.fronts[front]
    if (front % many == head).all():
        return many, True
    return (many, False) if (front // (len(laid.fronts) // many) == head).all() else None


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
