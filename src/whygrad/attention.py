"""Where attention is in a recorded computation: which softmax weighs which values, in which head."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from whygrad.arrays import Array, in_numpy
from whygrad.graph import Graph
from whygrad.structures import Contraction, Selection

# Attention weights are followed one by one through views that turn them round where there are so many.
MOST_PLACES = 2**24


class Attention(NamedTuple):
    """One use of attention: the softmax whose entries are its weights, and their product with the values.

    Args:
        name: The module's path; numbered from the second use on.
        heads: In how many heads it works.
        weights: The node of the softmax: (examples, heads, asking, asked), or examples and heads as one axis.
        product: The node of the product with the values, (..., asking, entry of a value); nothing where there is none
            that is laid out so.
    """

    name: str
    heads: int
    weights: int
    product: int | None = None


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
        if node.op is None or node.op.name != "softmax" or len(node.value.shape) not in (3, 4):
            continue
        joined, front = joined_heads(graph, users, number), node.value.shape[:-2]
        # One axis alone may as well be the examples', in a module that goes through its heads one by one.
        many = joined[1] if joined else heads(number) if len(front) == 2 else 0
        if not many or (front[1] != many if len(front) == 2 else front[0] % many):
            continue
        earlier = sum(modules[other.weights] == modules[number] for other in found)
        name = f"{modules[number]}#{earlier + 1}" if earlier else modules[number]
        product = product_with(graph, users, number)
        if product is not None and not _by_rows(graph, product):
            product = None
        found.append(Attention(name, many, number, *(product[-1:] if product else ())))
    return found


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


def joined_heads(
    graph: Graph, users: Sequence[Sequence[tuple[int, int]]], softmax: int
) -> tuple[int, int] | None:
    """Returns the node at which the heads after a softmax lie side by side along the last axis, and how many.

    Followed by position: the product with the values has the heads among its first axes, and the views after it must
    put each head's columns next to each other.
    """
    way = product_with(graph, users, softmax)
    if way is None:
        return None
    number = way[-1]
    after = [number]
    while len(users[number]) == 1:
        number = users[number][0][0]
        if not graph.whole_selection(number):
            break
        after.append(number)
        many = _side_by_side(graph, after)
        if many is not None:
            return number, many
    return None


def _side_by_side(graph: Graph, way: Sequence[int]) -> int | None:
    """Returns how many heads of the first node lie side by side in the last; nothing where they don't."""
    product = graph.nodes[way[0]].value
    if len(product.shape) < 3:
        return None
    rows, width = product.shape[-2:]
    last = graph.nodes[way[-1]].value.shape[-1]
    if last == width or last % width:
        return None
    many = last // width
    head = in_numpy(places_along(graph, way)).reshape(-1, last) // (rows * width) % many
    return many if (head == np.arange(last) // width).all() else None


def _by_rows(graph: Graph, way: Sequence[int]) -> bool:
    """Returns whether a product has a softmax's rows as its rows, in their order, and the values on the right."""
    *between, product = way
    structure = graph.structure(product)
    assert isinstance(structure, Contraction)
    weights, values, out = structure.labels
    if graph.nodes[product].inputs[0] != between[-1] or len(weights) < 2:
        return False
    *front, asking, asked = weights
    matrices = values[:-1] == (*front, asked) and out == (*front, asking, values[-1])
    return matrices and _in_order(graph, between)


def _in_order(graph: Graph, way: Sequence[int]) -> bool:
    """Returns whether the last node has the entries of the first in their order; not where that takes long to say."""
    if all(_keeps_places(graph, number) for number in way[1:]):
        return True
    if graph.size(way[0]) > MOST_PLACES:
        return False
    places = in_numpy(places_along(graph, way)).reshape(-1)
    return bool((places == np.arange(len(places))).all())


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
    return places
