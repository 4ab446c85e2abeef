"""How the axes of a contraction fall."""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

Labels = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]


class Plan(NamedTuple):
    """How the axes of a contraction fall: in both and kept, joined over, only left, only right."""

    both: tuple[str, ...]
    joined: tuple[str, ...]
    left: tuple[str, ...]
    right: tuple[str, ...]


@cache
def plan(labels: Labels) -> Plan:
    """Returns where each label of a contraction is.

    Example:
        >>> plan((("r", "n", "o"), ("o", "i"), ("r", "n", "i")))
        Plan(both=(), joined=('o',), left=('r', 'n'), right=('i',))
    """
    first, second, result = labels
    return Plan(
        both=tuple(label for label in result if label in first and label in second),
        joined=tuple(label for label in first if label in second and label not in result),
        left=tuple(label for label in first if label in result and label not in second),
        right=tuple(label for label in second if label in result and label not in first),
    )


def arranged(array: Any, labels: Sequence[str], wanted: Sequence[str], xp: Any) -> Any:
    """Returns an array with its axes in another order, by their labels; the array itself where that is the same."""
    order = tuple(labels.index(label) for label in wanted)
    return array if order == tuple(range(len(order))) else xp.permute_dims(array, order)
