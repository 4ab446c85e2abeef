"""Biases that change nothing: a normalisation or a softmax behind them takes away what they add."""

from collections.abc import Iterable, Sequence

import numpy as np

from whygrad.arrays import Array, in_numpy
from whygrad.branches.residuals import ADDS
from whygrad.graph import Entry, Graph
from whygrad.model_record import Record
from whygrad.report.record import Part
from whygrad.structures import Affine, DenseAlongAxis
from whygrad.sweep import Sweep

# Sums whose terms cancel to this many units of rounding are 0.
ROUNDING = 30.0
# Where rounding is coarser than this (float16, bfloat16), a small sum can't be told from none.
COARSE = 1e-3
# Entries of a normalisation's output that are looked at.
LOOKED_AT = 3


def idle(record: Record, model: Part) -> list[str]:
    """Returns the biases whose gradients are nothing but rounding, whatever the costs ask for.

    The gradient is rounding beside the terms that it is the sum of, and so is the derivative of single entries of the
    first normalisations or softmaxes on every way to a cost. (A gradient that is 0 because training has arrived fails
    the second.)
    """
    return [
        part.name
        for part in model.parameters
        if part.numbers.rounding is not None
        and part.numbers.rounding.any()
        and part.numbers.still.all()
        and _is_taken_away(record, part.name)
    ]


def rounding(record: Record, name: str) -> Array:
    """Returns whether each cost's gradient by a bias is rounding beside the terms that it is the sum of, (costs,)."""
    sweep, node = record.graph_sweep("gradient"), record.leaves[name].node
    terms, left = _terms(sweep, node, _adds(record, name))
    made: Array = (terms > 0) & (left <= _least(record, name) * terms)
    return made


def _least(record: Record, name: str) -> float:
    return ROUNDING * float(record.graph.xp.finfo(record.parameters[name].dtype).eps)


def _adds(record: Record, name: str) -> list[int]:
    """Returns where a bias is added, if that is all that is done with it; nothing if in so coarse a type nobody can
    tell."""
    graph, node = record.graph, record.leaves[name].node
    uses = graph.users()[node]
    ops = [graph.nodes[user].op for user, _ in uses]
    added = all(
        op is not None
        and (op.name in ADDS or (isinstance(op.structure, Affine) and which == len(op.arguments) - 1))
        for op, (_, which) in zip(ops, uses, strict=True)
    )
    fine = len(record.parameters[name].shape) < 2 and _least(record, name) <= COARSE
    return [user for user, _ in uses] if added and fine else []


def _is_taken_away(record: Record, name: str) -> bool:
    """Returns whether the first normalisations or softmaxes behind a bias, on every way to a cost, take it away."""
    graph, node, uses = record.graph, record.leaves[name].node, _adds(record, name)
    behind = _first_dense(graph, uses)
    return behind is not None and all(
        _takes_away(graph, place, node, uses, _least(record, name)) for place in behind
    )


def _terms(sweep: Sweep, node: int, uses: Iterable[int]) -> tuple[Array, Array]:
    """Returns the sums of the sizes of what uses send back to a leaf, and of what is left there: each (costs,)."""
    costs = len(sweep.graph.costs)
    terms = np.zeros(costs)
    for use in uses:
        if sweep.cotangent(use) is not None:
            terms += np.abs(_rows(sweep.values(use), costs)).sum(axis=1)
    left = np.abs(_rows(sweep.values(node), costs)).sum(axis=1) if terms.any() else np.zeros(costs)
    return terms, left


def _rows(values: Array, rows: int) -> Array:
    return in_numpy(values).astype(np.float64).reshape(rows, -1)


def _first_dense(graph: Graph, starts: Sequence[int]) -> list[int] | None:
    """Returns the first operations behind some nodes in which all entries along an axis meet; nothing if a way to a
    cost leads past them."""
    users, ends = graph.users(), {cost.node for cost in graph.costs}
    found: list[int] = []
    seen, waiting = set(starts), list(starts)
    while waiting:
        number = waiting.pop()
        op = graph.nodes[number].op
        if op is not None and isinstance(op.structure, DenseAlongAxis):
            found.append(number)
            continue
        if number in ends:
            return None
        fresh = {user for user, _ in users[number]} - seen
        seen |= fresh
        waiting += fresh
    return found


def _takes_away(graph: Graph, dense: int, node: int, uses: Sequence[int], least: float) -> bool:
    """Returns whether the derivative of entries of an operation's output by a bias is nothing but rounding."""
    size, first = graph.size(dense), min(uses)
    places = sorted({int(place) for place in np.linspace(0, size - 1, LOOKED_AT + 2)[1:-1]})
    part = graph._replace(
        # nothing goes back further than to the bias
        nodes=(
            *(given._replace(op=None, inputs=()) for given in graph.nodes[:first]),
            *graph.nodes[first : dense + 1],
        ),
        costs=tuple(Entry(dense, place) for place in places),
        cost_names=tuple(map(str, places)),
        examples=0,
    )
    terms, left = _terms(Sweep(part, "gradient"), node, [use for use in uses if use <= dense])
    there = terms > 0
    return bool(there.any() and (left <= least * terms)[there].all())
