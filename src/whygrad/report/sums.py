"""What a report has of each cost's derivatives by one parameter: sums over its weights, in double precision.

Large parameters are gone through some weights at a time, which stay in the caches: the report needs a few numbers of
each, and no array of its size.
"""

from collections.abc import Mapping

import numpy as np

from whygrad.arrays import Array, in_numpy
from whygrad.model_record import Record
from whygrad.report.idle import rounding
from whygrad.report.record import Numbers
from whygrad.semirings import SEMIRINGS, sum_of_entropies
from whygrad.structures.local import each
from whygrad.sweep import Sweep


def numbers(record: Record, name: str, sweeps: Mapping[str, Sweep]) -> Numbers:
    """Returns the sums over a parameter's weights.

    Args:
        record: What was computed.
        name: The parameter.
        sweeps: The report's own, by semiring: ``total``, or ``entropy``, which has the total with it, or none.
    """
    gradients, node = record.gradients(), record.leaves[name].node
    reached = np.zeros(len(record.graph.costs), bool)
    reached[list(record.graph_sweep("gradient").reached(node))] = True
    absolute = gradients.absolute(name)  # finds the inner products on the way
    total, surprise = None, None
    if "entropy" in sweeps:
        total, surprise = _sums(sweeps["entropy"], node)
    elif "total" in sweeps:
        total, _ = _sums(sweeps["total"], node)
    return Numbers(
        record.graph.size(node),
        in_numpy(gradients.gramian(name)).astype(np.float64),
        reached,
        absolute,
        total,
        surprise,
        rounding(record, name),
    )


def _sums(sweep: Sweep, node: int) -> tuple[Array, Array]:
    """Returns each cost's sums over a leaf's entries: of the totals, and of the entropies times these."""
    total, surprise = np.zeros(len(sweep.graph.costs)), np.zeros(len(sweep.graph.costs))
    for piece in sweep.pieces(node):
        rows, parts = list(piece.rows), each(piece.parts, _wide)
        with np.errstate(invalid="ignore"):  # what isn't finite is reported as that
            sizes = each(parts[:1], lambda part: part.sum(axis=1))
            total[rows] += SEMIRINGS["total"].read(sizes, piece.exponent, np)
            if sweep.semiring.logarithmic:
                surprise[rows] += sum_of_entropies(parts, piece.exponent)
    return total, surprise


def _wide(part: Array) -> Array:
    """Returns what is carried for each cost in double precision: sums of many paths overflow."""
    return in_numpy(part).reshape(part.shape[0], -1).astype(np.float64)
