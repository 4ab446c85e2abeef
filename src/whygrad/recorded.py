"""A run as a graph: its nodes in order, and where each quantity is."""

from collections.abc import Mapping
from typing import NamedTuple

from whygrad.arrays import Array
from whygrad.graph import Entry, Graph, Recording
from whygrad.network import Network
from whygrad.ops import OPS


class Recorded(NamedTuple):
    """A run as a graph, and where its quantities are: (kind, layer) -> node."""

    graph: Graph
    nodes: Mapping[tuple[str, int | None], int]


class Computed(NamedTuple):
    """What a network's program computed: z1, a1, z2, … of all layers, each example's costs, the costs (and R)."""

    states: tuple[Array, ...]
    each: Array
    costs: Array


def recorded(network: Network, x: Array, y: Array, values: Computed, cost_names: tuple[str, ...]) -> Recorded:
    """Returns a network's computation as a graph of nodes, with the values that its program computed.

    Activations that are their pre-activations (identity) are one node with both names.

    Args:
        network: The network.
        x: The inputs, (examples, inputs).
        y: The targets, (examples, outputs).
        values: What the program computed from them.
        cost_names: What the costs are called.
    """
    net = network.layered
    recording = Recording()
    nodes: dict[tuple[str, int | None], int] = {("a", 0): recording.leaf("x", x)}
    for layer, activation in enumerate(net.activations, 1):
        z_value, a_value = values.states[2 * layer - 2 : 2 * layer]
        weight = nodes["w", layer] = recording.leaf(f"W{layer}", network.parameters[f"W{layer}"])
        below = nodes["a", layer - 1]
        product = None if net.bias else z_value
        made = recording.apply(f"z{layer}", OPS["linear"], (below, weight), marked=True, value=product)
        if net.bias:
            nodes["b", layer] = recording.leaf(f"b{layer}", network.parameters[f"b{layer}"])
            made = recording.apply(f"z{layer}", OPS["add"], (made, nodes["b", layer]), value=z_value)
        nodes["z", layer] = made
        if not activation.trivial:
            settings = dict(activation.settings)
            made = recording.apply(f"a{layer}", activation.op, (made,), settings, value=a_value)
        nodes["a", layer] = made
    nodes["y", None] = recording.leaf("y", y)
    per_example = recording.apply(
        "C", OPS[net.cost], (nodes["a", net.depth], nodes["y", None]), value=values.each
    )
    nodes["C", None] = per_example
    reduction = OPS["mean" if net.reduction == "mean" else "sum"]
    joined = recording.apply(
        "costs", reduction, (per_example,), {"axis": 0}, value=values.costs[: net.outputs]
    )
    nodes["costs", None] = joined
    entries = [Entry(joined, k) for k in range(net.outputs)]
    if net.l2:
        terms = [
            recording.apply(f"R{layer}", OPS["l2"], (nodes["w", layer],), {"strength": net.l2})
            for layer in range(1, net.depth + 1)
        ]
        whole = terms[0]
        for term in terms[1:]:
            whole = recording.apply("R", OPS["add"], (whole, term))
        nodes["R", None] = whole
        entries.append(Entry(whole, 0))
    return Recorded(recording.graph(tuple(entries), cost_names, len(x)), nodes)
