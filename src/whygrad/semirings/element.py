"""What sweeps carry under a semiring: a tuple of arrays of one shape."""

from typing import Any, TypeAlias

from whygrad.arrays import Array

Element: TypeAlias = tuple[Array | None, ...]


def shifted(part: Array, step: int, none: float, xp: Any) -> Array:
    """Returns the part moved along its last axis, with ``none`` where nothing was."""
    made = xp.full_like(part, none)
    made[..., step:] = part[..., :-step]
    return made
