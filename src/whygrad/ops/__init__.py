"""The table of operations: each is declared once, and :data:`OPS` has them all.

Layered networks need :mod:`whygrad.ops.core`, which is always there. :func:`load_all` enters the rest, which recorded
models need.
"""

from importlib import import_module

import whygrad.ops.core  # noqa: F401 - enters its operations
from whygrad.ops.declare import (
    ACTIVATIONS,
    COSTS,
    OPS,
    Call,
    Cost,
    Op,
    application,
    contraction,
    declare,
    dense,
    elementwise,
    labels,
    reals,
    reduction,
    selection,
    shares,
)

FAMILIES = ("arithmetic", "functions", "activations", "reductions", "normalisations", "products", "losses")

__all__ = [
    "ACTIVATIONS",
    "COSTS",
    "OPS",
    "Call",
    "Cost",
    "Op",
    "application",
    "contraction",
    "declare",
    "dense",
    "elementwise",
    "labels",
    "load_all",
    "reals",
    "reduction",
    "selection",
    "shares",
]


def load_all() -> dict[str, Op]:
    """Returns the table with every operation in it.

    Example:
        >>> "convolution" in load_all()
        True
    """
    for family in FAMILIES:
        import_module(f"whygrad.ops.{family}")
    return OPS
