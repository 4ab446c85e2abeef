"""Where attention is in a recorded computation: which softmax weighs which values, in which head."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from whygrad.arrays import Array, in_numpy
from whygrad.graph import Graph
from whygrad.structures import Contraction, Selection


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
        heads: Says in how many heads the module of a node works; 0 where it doesn't say.
    """
    users = graph.users()
    found: list[Attention] = []
    for number, node in enumerate(graph.nodes):
        if node.op is None or node.op.name != "softmax":
            continue
        many, front = heads(number), node.value.shape[:-2]
        in_front = front[0] % many == 0 if many and len(front) == 1 else len(front) == 2 and front[1] == many
        if not many or not in_front:
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
            if graph.whole_selection(user) or op.name in ("mul", "dropout", "native_dropout"):
                waiting.append((*way, user))
    return None


def _by_rows(graph: Graph, way: Sequence[int]) -> bool:
    """Returns whether a product has a softmax's rows as its rows, in their order, and the values on the right."""
    *between, product = way
    structure = graph.structure(product)
    assert isinstance(structure, Contraction)
    (*front, asking, asked), values, out = structure.labels
    if graph.nodes[product].inputs[0] != between[-1] or values[:-1] != (*front, asked):
        return False
    if out != (*front, asking, values[-1]):
        return False
    places = in_numpy(places_along(graph, between)).reshape(-1)
    return bool((places == np.arange(len(places))).all())


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
