"""All groups by name, in the order in which they are measured and printed."""

from __future__ import annotations

from benchmarks.models import MODELS
from benchmarks.workloads import AE, PATHS, SEMIRINGS, START, W1, W2, W3, Case

GROUPS = {group.name: group for group in (W1, W2, W3, AE, SEMIRINGS, PATHS, *MODELS, START)}


def case_named(name: str) -> Case:
    """The case with this name, of any group."""
    return next(case for group in GROUPS.values() for case in group.cases if case.name == name)
