"""Whether two contestants' numbers are the same, within what their dtype can hold."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from benchmarks.workloads import Array

TOLERANCE = {"float32": 1e-4, "float64": 1e-10}
"""Largest deviation allowed, relative to the largest entry of the array."""


def deviation(found: Mapping[str, Array], expected: Mapping[str, Array]) -> float:
    """The largest deviation over all arrays, each relative to its largest expected entry.

    Infinite where a name is missing or surplus, a shape differs or a number is not finite.
    """
    if set(found) != set(expected):
        return float("inf")
    return max(_one(np.asarray(found[name]), np.asarray(expected[name])) for name in expected)


def _one(found: Array, expected: Array) -> float:
    if found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf")
    scale = float(np.abs(expected).max()) or 1.0
    return float(np.abs(found - expected).max()) / scale
