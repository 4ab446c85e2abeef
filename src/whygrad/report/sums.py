"""What a report has of each cost's derivatives by one parameter: sums over its weights, in double precision.

Large parameters are gone through some weights at a time, so that what is in double precision stays in the caches.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from whygrad.arrays import Array, in_numpy
from whygrad.model_record import Record
from whygrad.report.idle import rounding
from whygrad.report.record import Numbers
from whygrad.semirings import Semiring
from whygrad.sweep import Sweep

BLOCK = 1 << 17  # weights


class _Carried(NamedTuple):
    """What a sweep carries at a parameter: a row for each cost that it reaches, (rows, weights) in each component."""

    semiring: Semiring
    rows: list[int]
    parts: tuple[Array | None, ...]
    exponent: int

    @staticmethod
    def at(sweep: Sweep, node: int) -> "_Carried | None":
        """Returns what it carries at a node, which the sweep itself forgets; nothing where no cost is reached."""
        cotangent = sweep.cotangent(node)
        sweep.forget(node)
        if cotangent is None:
            return None
        many = len(cotangent.rows)
        parts = tuple(None if part is None else in_numpy(part).reshape(many, -1) for part in cotangent.parts)
        return _Carried(sweep.semiring, list(cotangent.rows), parts, cotangent.exponent)

    def read(self, some: slice, costs: int, absent: float) -> Array:
        """Returns the values at some weights, (costs, weights), in double precision: sums of many paths overflow."""
        parts = tuple(None if part is None else _wide(part[:, some]) for part in self.parts)
        with np.errstate(invalid="ignore"):  # what isn't finite is reported as that
            values = self.semiring.read(parts, self.exponent, np)
        made = np.full((costs, values.shape[1]), absent)
        made[self.rows] = values
        return made


def numbers(record: Record, name: str, sweeps: Mapping[str, Sweep]) -> Numbers:
    """Returns the sums over a parameter's weights.

    Args:
        record: What was computed.
        name: The parameter.
        sweeps: The report's own, by semiring: ``total``, or ``total`` and ``entropy``, or none.
    """
    gradients, node = record.gradients(), record.leaves[name].node
    costs = len(record.graph.costs)
    reached = np.zeros(costs, bool)
    cotangent = record.graph_sweep("gradient").cotangent(node)
    if cotangent is not None:
        reached[list(cotangent.rows)] = True
    flat = in_numpy(gradients[name]).reshape(costs, -1)
    carried = {semiring: _Carried.at(sweep, node) for semiring, sweep in sweeps.items()}
    absolute, total, surprise = np.zeros(costs), np.zeros(costs), np.zeros(costs)
    for top in range(0, flat.shape[1], BLOCK):
        some = slice(top, top + BLOCK)
        absolute += np.abs(_wide(flat[:, some])).sum(axis=1)
        of_total, of_entropy = (carried.get(semiring) for semiring in ("total", "entropy"))
        if of_total is not None:
            sizes = of_total.read(some, costs, 0.0)
            total += sizes.sum(axis=1)
            if of_entropy is not None:
                entropy = of_entropy.read(some, costs, np.nan)
                surprise += (np.where(sizes > 0, entropy, 0.0) * sizes).sum(axis=1)
    return Numbers(
        flat.shape[1],
        _wide(in_numpy(gradients.gramian(name))),
        reached,
        absolute,
        total if "total" in sweeps else None,
        surprise if "entropy" in sweeps else None,
        rounding(record, name),
    )


def _wide(values: Array) -> Array:
    return values.astype(np.float64)
