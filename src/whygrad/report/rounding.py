"""Costs whose gradients are nothing but rounding: all that their paths carry cancels at one step."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from whygrad.arrays import Array, in_numpy
from whygrad.graph import Graph
from whygrad.model_record import Record
from whygrad.report.idle import COARSE, ROUNDING
from whygrad.report.record import Part
from whygrad.semirings import SEMIRINGS
from whygrad.structures.pieces import comes_in_pieces, one_piece, pull_some, slices
from whygrad.sweep import Sweep

# Only gradients that are so small beside the sum of absolute contributions are looked into: rounding is, in any depth.
SUSPECT = 1e4


def rounded(record: Record, model: Part) -> dict[int, int]:
    """Returns the costs whose gradients by all parameters are rounding, with the node at which they become so.

    A small gradient beside very many contributions is usual in deep networks, and no rounding. It is where at one node
    the derivative by all of its entries comes to so little beside the terms that it is the sum of, and nothing but
    such a derivative reaches a parameter: two that are alike are compared, or all that a normalisation makes is summed.

    Args:
        record: What was computed.
        model: The whole model, with the *total*; without, no cost is found.
    """
    numbers = model.numbers
    if numbers.total is None:
        return {}
    kinds = [in_numpy(value[:0] if value.shape else value).dtype for value in record.parameters.values()]
    least = SUSPECT * max(float(np.finfo(kind).eps) for kind in kinds)
    sizes = {record.leaves[part.name].node: part.numbers.absolute for part in model.parameters}
    found = {}
    for k in np.flatnonzero((numbers.absolute > 0) & (numbers.absolute <= least * numbers.total)):
        place = _ends_at(record, int(k), {node: float(size[k]) for node, size in sizes.items()})
        if place is not None:
            found[int(k)] = place
    return found


class _Sent(NamedTuple):
    """What a node with a true derivative sends to one of its inputs, of which the sizes are known."""

    graph: Graph
    user: int
    which: int
    sizes: Array

    def terms(self) -> float:
        """Returns the sum of the sizes of all that the input's derivatives are sums of."""
        node, local = self.graph.nodes[self.user], self.graph.local(self.user)
        assert node.op is not None
        how = (SEMIRINGS["total"], (self.sizes[None],), local, self.which, node.marked)
        structure, shape = node.op.structure, local.inputs[self.which].shape
        if one_piece(shape) or not comes_in_pieces(structure, self.which):
            return _sum(structure.pull(*how)[0])
        send = pull_some(structure, *how)
        return sum(_sum(send(some)[0]) for some in slices(shape))


def _ends_at(record: Record, row: int, weights: Mapping[int, float]) -> int | None:
    """Returns the last node at which a cost's derivative becomes rounding; nothing if a parameter has a true one.

    Args:
        record: What was computed.
        row: The cost.
        weights: The nodes of the parameters, with the sums of the sizes of the cost's derivatives by each.
    """
    graph, sweep, end = record.graph, record.graph_sweep("gradient"), record.graph.costs[row].node
    users = graph.users()
    terms = {end: 0.0}
    to_weights: dict[int, list[_Sent]] = {}
    place = None

    def is_true(weight: int) -> bool:
        all_terms = sum(sent.terms() for sent in to_weights.pop(weight))
        return not _is_rounding(weights[weight], all_terms, graph, weight)

    for number in range(end, -1, -1):
        node = graph.nodes[number]
        if number not in terms or node.op is None:
            continue
        own = _row(sweep, number, row)
        if number != end and _is_rounding(_sum(own), terms[number], graph, number):
            place = number if place is None and terms[number] else place
            continue
        for which, source in enumerate(node.inputs):
            sent = _Sent(graph, number, which, abs(own))
            if source in weights:
                to_weights.setdefault(source, []).append(sent)
                # most are done with here: what a weight of the last layer gets is no rounding
                others = [
                    user for user, _ in users[source] if user < number and sweep.cotangent(user) is not None
                ]
                if not others and source not in node.inputs[which + 1 :] and is_true(source):
                    return None
            elif graph.nodes[source].op is not None:
                terms[source] = terms.get(source, 0.0) + sent.terms()
    return None if end in weights or any(map(is_true, list(to_weights))) else place


def _row(sweep: Sweep, number: int, row: int) -> Array:
    return sweep.values(number)[row]


def _sum(values: Array | None) -> float:
    return float(np.abs(in_numpy(values)).sum(dtype=np.float64))


def _is_rounding(left: float, terms: float, graph: Graph, number: int) -> bool:
    """Returns whether a derivative is nothing beside its terms; in half precision nobody can tell."""
    least = ROUNDING * float(graph.xp.finfo(graph.nodes[number].value.dtype).eps)
    return least <= COARSE and left <= least * terms
