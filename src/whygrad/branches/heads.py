"""What goes back through each head of attention alone."""

from collections.abc import Sequence

import numpy as np

from whygrad.arrays import in_numpy
from whygrad.attention import places_along, product_with
from whygrad.branches.parts import Parts, check_module, gramian_of, is_inside
from whygrad.errors import NotSupportedError
from whygrad.graph import Entry, Graph, Node
from whygrad.model_record import Record
from whygrad.ops import OPS
from whygrad.structures import Contraction
from whygrad.sweep import Sweep


def heads(record: Record, module: str) -> tuple[Parts, ...]:
    """Returns what goes back to the inputs of an attention module through each of its heads alone.

    The gradient is cut at the heads' outputs, before they are joined: one head's part is kept, the others' are set
    to zero, and the rest is swept back through queries, keys, values and weights. The heads' parts add up to what the
    module sends back.

    Args:
        record: What was computed.
        module: The module's path, such as ``"layers.2.attn"``; ``""`` for the whole model.

    Returns:
        One record for each use of attention in the module (one, mostly).

    Raises:
        NotSupportedError: There is no attention with several heads, or no value comes into the module.
        QuantityError: No such module ran.
    """
    check_module(record, module)
    softmaxes = [
        number
        for number, node in enumerate(record.graph.nodes)
        if node.op is not None and node.op.name == "softmax" and is_inside(record.modules[number], module)
    ]
    found = [_joined_heads(record.graph, number) for number in softmaxes]
    made = [_parts(record, module, *joined) for joined in found if joined is not None]
    if not made:
        raise NotSupportedError(
            f"heads: {module or 'the model'} has no attention with several heads\n"
            "expected: a softmax, a product with the values, and the heads joined along the last axis\n"
            "try:      the path of the attention module, such as 'layers.0.self_attn'"
        )
    return tuple(made)


def _joined_heads(graph: Graph, softmax: int) -> tuple[int, int] | None:
    """Returns the node at which the heads after a softmax lie side by side along the last axis, and how many.

    Followed by position: the product with the values has the heads among its first axes, and the views after it must
    put each head's columns next to each other.
    """
    users = graph.users()
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


def _incoming(record: Record, module: str) -> list[int]:
    """Returns the nodes with paths that a module uses and didn't make, parameters and constants aside."""
    graph = record.graph
    known = {leaf.node for leaf in record.leaves.values() if leaf.kind == "input"}
    found: dict[int, None] = {}
    for number, node in enumerate(graph.nodes):
        if node.op is None or not is_inside(record.modules[number], module):
            continue
        for source in node.inputs:
            outside = graph.nodes[source].op is not None and not is_inside(record.modules[source], module)
            if outside or source in known:
                found[source] = None
    return list(found)


def _parts(record: Record, module: str, number: int, many: int) -> Parts:
    """Returns what goes back through each of many heads, which lie side by side in a node."""
    graph = record.graph
    sent = record.graph_sweep("gradient").values(number)
    costs = len(graph.costs)
    width = sent.shape[-1] // many
    # A masked cotangent is the gradient of its inner product with the value: a cost like any other.
    xp, shape = graph.xp, tuple(sent.shape)
    masked = xp.zeros((many, *shape), dtype=sent.dtype, device=sent.device)
    for head in range(many):
        here = slice(head * width, (head + 1) * width)
        masked[head][..., here] = sent[..., here]
    masks = Node("heads", masked.reshape(many * costs, *shape[1:]))
    axes = tuple(f"i{axis}" for axis in range(len(shape) - 1))
    dot = OPS["matmul"]._replace(structure=Contraction(("A", "B"), (axes, ("head", *axes), ("head",))))
    value = xp.zeros((many * costs,), dtype=sent.dtype, device=sent.device)  # nobody asks for it
    nodes = (*graph.nodes[: number + 1], masks, Node("parts", value, dot, (number, number + 1)))
    ends = tuple(Entry(number + 2, place) for place in range(many * costs))
    sweep = Sweep(Graph(nodes, ends, xp=xp), "gradient")
    # of what other calls of the module are given, some is made later, or doesn't lead here
    inputs = [
        source
        for source in _incoming(record, module)
        if source < number and sweep.cotangent(source) is not None
    ]
    if not inputs:
        raise NotSupportedError(
            f"heads: no value with a gradient comes into {module or 'the model'}\n"
            "expected: a floating-point input, or values made by other modules\n"
            "try:      the path of the attention module itself"
        )
    together = xp.concat([sweep.values(source).reshape(many, costs, -1) for source in inputs], axis=-1)
    name = ", ".join(record.node_name(source) for source in inputs)
    return Parts(
        name,
        graph.cost_names,
        tuple(f"head {head}" for head in range(many)),
        gramian_of([together[head] for head in range(many)], xp),
        kind="heads",
    )
