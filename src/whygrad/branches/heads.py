"""What goes back through each head of attention alone."""

from whygrad.attention import joined_heads
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
    users = record.graph.users()
    made = []
    for number in softmaxes:
        joined = joined_heads(record.graph, users, number)
        if joined is not None:
            made.append(_parts(record, module, joined.node, joined.heads))
    if not made:
        raise NotSupportedError(
            f"heads: {module or 'the model'} has no attention with several heads\n"
            "expected: a softmax, a product with the values, and the heads joined along the last axis\n"
            "try:      the path of the attention module, such as 'layers.0.self_attn'"
        )
    return tuple(made)


def _incoming(record: Record, module: str, end: int) -> list[int]:
    """Returns the nodes that a node was made from in a module, parameters and constants aside: what others made, what
    the computation was given, and what the module had returned in earlier calls; else what it looked up (tokens)."""
    nodes = record.graph.nodes
    calls = {
        number: output.call
        for number, made in enumerate(record.made)
        for output in made.returned_by
        if output.module == module
    }
    now = min((call for number, call in calls.items() if number >= end), default=0)
    known = {leaf.node for leaf in record.leaves.values() if leaf.kind == "input"}
    found: set[int] = set()
    looked_up: set[int] = set()
    embedded = {n for n, node in enumerate(nodes) if node.op is not None and node.op.name == "embedding"}
    seen, waiting = {end}, [end]
    while waiting:
        for source in nodes[waiting.pop()].inputs:
            if source in seen:
                continue
            seen.add(source)
            if nodes[source].op is None:
                found |= {source} & known
            elif calls.get(source, now) < now or not is_inside(record.modules[source], module):
                found.add(source)
            else:
                looked_up |= {source} & embedded
                waiting.append(source)
    return sorted(found or looked_up)


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
    inputs = _incoming(record, module, number)
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
