"""How long work tells what it is at: whoever calls it says who is told."""

from collections.abc import Callable
from typing import TypeAlias

# Of what is being worked out, and which share of all is done.
Progress: TypeAlias = Callable[[str, float], None]


def quiet(what: str, share: float) -> None:
    """Tells nobody.

    Example:
        >>> quiet("gradients", 0.5)
    """
