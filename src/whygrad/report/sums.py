"""What a report has of each cost's derivatives by one parameter: sums over its weights, in double precision.

Large parameters are gone through some weights at a time, which stay in the caches: the report needs a few numbers of
each, and no array of its size.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from whygrad.arrays import Array, in_numpy
from whygrad.leaf_sweep import LeafSweep
from whygrad.model_record import Record
from whygrad.report.idle import rounding
from whygrad.report.record import Numbers
from whygrad.semirings import SEMIRINGS, sum_of_entropies
from whygrad.structures.local import each
from whygrad.sweep import Sweep


class PathSums(NamedTuple):
    """Sums over a parameter's weights, for each cost: of the totals, and of the entropies times these (where asked)."""

    total: Array
    surprise: Array | None


def path_sums(record: Record, semiring: str) -> Iterator[tuple[str, PathSums]]:
    """Yields each parameter with its sums, by one backward pass that keeps nothing.

    Args:
        record: What was computed.
        semiring: ``total``, or ``entropy``, which has the total with it.
    """
    names = {record.leaves[name].node: name for name in record.parameters}
    sweep = LeafSweep(record.graph, semiring, names)
    for node in sweep:
        yield names[node], _sums(sweep, node)


def numbers(record: Record, name: str, sums: PathSums | None) -> Numbers:
    """Returns the sums over a parameter's weights.

    Args:
        record: What was computed.
        name: The parameter.
        sums: Those over its paths, where they are known.
    """
    gradients, node = record.gradients(), record.leaves[name].node
    reached = np.zeros(len(record.graph.costs), bool)
    reached[list(record.graph_sweep("gradient").reached(node))] = True
    absolute = gradients.absolute(name)  # finds the inner products on the way
    return Numbers(
        record.graph.size(node),
        in_numpy(gradients.gramian(name)).astype(np.float64),
        reached,
        absolute,
        None if sums is None else sums.total,
        None if sums is None else sums.surprise,
        rounding(record, name),
    )


def _sums(sweep: Sweep, node: int) -> PathSums:
    total, surprise = np.zeros(len(sweep.graph.costs)), np.zeros(len(sweep.graph.costs))
    for piece in sweep.pieces(node):
        rows, parts = list(piece.rows), each(piece.parts, _wide)
        with np.errstate(invalid="ignore"):  # what isn't finite is reported as that
            sizes = each(parts[:1], lambda part: part.sum(axis=1))
            total[rows] += SEMIRINGS["total"].read(sizes, piece.exponent, np)
            if sweep.semiring.logarithmic:
                surprise[rows] += sum_of_entropies(parts, piece.exponent)
    return PathSums(total, surprise if sweep.semiring.logarithmic else None)


def _wide(part: Array) -> Array:
    """Returns what is carried for each cost in double precision: sums of many paths overflow."""
    return in_numpy(part).reshape(part.shape[0], -1).astype(np.float64)
