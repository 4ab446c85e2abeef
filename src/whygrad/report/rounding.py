"""Costs whose gradients are nothing but rounding: all that their paths carry cancels at one step."""

import numpy as np

from whygrad.arrays import Array, in_numpy
from whygrad.graph import Graph
from whygrad.model_record import Record
from whygrad.report.idle import COARSE, ROUNDING
from whygrad.report.record import Numbers
from whygrad.semirings import SEMIRINGS
from whygrad.sweep import Sweep

# Only gradients that are so small beside the sum of absolute contributions are looked into: rounding is, in any depth.
SUSPECT = 1e4


def rounded(record: Record, numbers: Numbers) -> dict[int, int]:
    """Returns the costs whose gradients by all parameters are rounding, with the node at which they become so.

    A small gradient beside very many contributions is usual in deep networks, and no rounding. It is where at one node
    the derivative by all of its entries comes to so little beside the terms that it is the sum of, and nothing but
    such a derivative reaches a parameter: two that are alike are compared, or all that a normalisation makes is summed.

    Args:
        record: What was computed.
        numbers: Those of the whole model, with the *total*; without, no cost is found.
    """
    if numbers.total is None:
        return {}
    kinds = [in_numpy(value[:0] if value.shape else value).dtype for value in record.parameters.values()]
    least = SUSPECT * max(float(np.finfo(kind).eps) for kind in kinds)
    found = {}
    for k in np.flatnonzero((numbers.absolute > 0) & (numbers.absolute <= least * numbers.total)):
        place = _ends_at(record, int(k))
        if place is not None:
            found[int(k)] = place
    return found


def _ends_at(record: Record, row: int) -> int | None:
    """Returns the last node at which a cost's derivative becomes rounding; nothing if a parameter has a true one."""
    graph, sweep = record.graph, record.graph_sweep("gradient")
    users = graph.users()
    weights = {leaf.node for leaf in record.leaves.values() if leaf.kind == "parameter"}
    terms = {graph.costs[row].node: 0.0}  # of what nodes with a true derivative send back
    place = None
    for number in range(len(graph.nodes) - 1, -1, -1):
        if number not in terms:
            continue
        node, own = graph.nodes[number], _row(sweep, number, row)
        if number != graph.costs[row].node and _is_rounding(own, terms[number], graph, number):
            place = number if place is None and node.op is not None and terms[number] else place
            continue
        if number in weights:
            return None
        if node.op is None:
            continue
        size = (abs(own)[None],)
        for which, source in enumerate(node.inputs):
            sent = node.op.structure.pull(SEMIRINGS["total"], size, graph.local(number), which, node.marked)
            terms[source] = terms.get(source, 0.0) + _sum(sent[0])
            # most are done with here: what a weight of the last layer gets is no rounding
            once = source in weights and len(users[source]) == 1
            if once and not _is_rounding(_row(sweep, source, row), terms[source], graph, source):
                return None
    return place


def _row(sweep: Sweep, number: int, row: int) -> Array:
    return sweep.values(number)[row]


def _sum(values: Array) -> float:
    return float(np.abs(in_numpy(values).astype(np.float64)).sum())


def _is_rounding(left: Array, terms: float, graph: Graph, number: int) -> bool:
    """Returns whether a derivative is nothing beside its terms; in half precision nobody can tell."""
    least = ROUNDING * float(graph.xp.finfo(graph.nodes[number].value.dtype).eps)
    return least <= COARSE and _sum(left) <= least * terms
