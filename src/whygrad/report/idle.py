"""Biases that change nothing: a normalisation or a softmax behind them takes away what they add."""

from typing import Any, TypeAlias

import numpy as np

from whygrad.arrays import in_numpy
from whygrad.graph import Entry, Graph
from whygrad.model_record import Record
from whygrad.structures import DenseAlongAxis
from whygrad.sweep import Sweep

Array: TypeAlias = Any

# Sums whose terms cancel to this many units of rounding are 0.
ROUNDING = 30.0
# Where rounding is coarser than this (float16, bfloat16), a small sum can't be told from none.
COARSE = 1e-3
# Entries of a normalisation's output that are looked at.
LOOKED_AT = 3


def idle(record: Record) -> list[str]:
    """Returns the biases whose gradients are nothing but rounding, whatever the costs ask for.

    The gradient is rounding beside the terms that it is the sum of, and so is the derivative of single entries of the
    first normalisations or softmaxes on every way to a cost. (A gradient that is 0 because training has arrived fails
    the second.)
    """
    return [name for name in record.parameters if _is_idle(record, name)]


def _is_idle(record: Record, name: str) -> bool:
    graph, sweep = record.graph, record.graph_sweep("gradient")
    node, value = record.leaves[name].node, record.parameters[name]
    least = ROUNDING * float(graph.xp.finfo(value.dtype).eps)
    uses = [user for user, _ in graph.users()[node]]
    if least > COARSE or len(value.shape) != 1 or len(uses) != 1:
        return False
    if not _cancels(sweep, node, uses[0], least):
        return False
    behind = _first_dense(graph, uses[0])
    return behind is not None and all(_takes_away(graph, place, node, uses[0], least) for place in behind)


def _cancels(sweep: Sweep, node: int, use: int, least: float) -> bool:
    """Returns whether a leaf's cotangent is rounding beside that of its only use, in every row where that is any."""
    if sweep.cotangent(use) is None:
        return False
    rows = len(sweep.graph.costs)
    terms = np.abs(_rows(sweep.values(use), rows)).sum(axis=1)
    left = np.abs(_rows(sweep.values(node), rows)).sum(axis=1)
    there = terms > 0
    return bool(there.any() and (left <= least * terms)[there].all())


def _rows(values: Array, rows: int) -> Array:
    return in_numpy(values).astype(np.float64).reshape(rows, -1)


def _first_dense(graph: Graph, start: int) -> list[int] | None:
    """Returns the first operations behind a node in which all entries along an axis meet; nothing if a way to a cost
    leads past them."""
    users, ends = graph.users(), {cost.node for cost in graph.costs}
    found: list[int] = []
    seen, waiting = {start}, [start]
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


def _takes_away(graph: Graph, dense: int, node: int, use: int, least: float) -> bool:
    """Returns whether the derivative of entries of an operation's output by a bias is nothing but rounding."""
    size = graph.size(dense)
    places = sorted({int(place) for place in np.linspace(0, size - 1, LOOKED_AT + 2)[1:-1]})
    part = graph._replace(
        nodes=graph.nodes[: dense + 1],
        costs=tuple(Entry(dense, place) for place in places),
        cost_names=tuple(map(str, places)),
        examples=0,
    )
    return _cancels(Sweep(part, "gradient"), node, use, least)
