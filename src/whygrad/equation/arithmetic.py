"""Arithmetic of numbers and arrays at many points, with the shapes that it asks for.

Numbers are arrays (points, examples) or (points, 1); arrays of a layer are (points, rows, columns).
"""

import numpy as np

from whygrad.arrays import Array
from whygrad.equation.tree import Node


class Absent(Exception):  # noqa: N818 - it is no mistake of anyone
    """A quantity doesn't exist for some values of the letters."""


class Unfit(Exception):  # noqa: N818 - it is a verdict, no error
    """Arrays whose shapes don't fit."""

    def __init__(self, node: Node, says: str) -> None:
        self.node = node
        super().__init__(says)


def as_array(number: Array) -> Array:
    """Returns a number as an array that multiplies every entry; examples stand in columns."""
    return number[:, None, :] if number.shape[1] > 1 else number[:, :, None]


def alike(node: Node, one: Array, other: Array) -> tuple[Array, Array]:
    """Returns a number and an array in shapes that go together; a number of each example stands over a column."""
    first, second = (as_array(part) if part.ndim == 2 else part for part in (one, other))
    if not broadcasts(first, second):
        raise Unfit(node, f"arrays of {first.shape[1:]} and {second.shape[1:]} don't go together")
    return first, second


def broadcasts(one: Array, other: Array) -> bool:
    """Returns whether two arrays go together entry by entry, where one row or column may stand for all."""
    return all(a == b or 1 in (a, b) for a, b in zip(one.shape[1:], other.shape[1:], strict=True))


def added(node: Node, one: Array, other: Array) -> Array:
    """Returns a sum; a bias is added to every example, a row never to a column."""
    if one.ndim == other.ndim == 3 and one.shape[1:] != other.shape[1:]:
        crossed = 1 in one.shape[1:] and 1 in other.shape[1:] and one.shape[1:] == other.shape[:0:-1]
        if crossed or not broadcasts(one, other):
            raise Unfit(node, f"arrays of {one.shape[1:]} and {other.shape[1:]} can't be added")
    elif one.ndim != other.ndim:
        one, other = alike(node, one, other)
    return one + other


def total(node: Node, terms: list[Array]) -> Array:
    """Returns the sum of some terms."""
    made = terms[0]
    for term in terms[1:]:
        made = added(node, made, term)
    return made


def divided(node: Node, above: Array, below: Array) -> Array:
    """Returns a quotient; one row or column below divides all."""
    if above.ndim == below.ndim == 3 and above.shape[1:] != below.shape[1:]:
        whole = np.broadcast_shapes(above.shape, below.shape) if broadcasts(above, below) else ()
        if whole != above.shape:
            raise Unfit(node, f"arrays of {above.shape[1:]} and {below.shape[1:]} can't be divided")
    elif above.ndim != below.ndim:
        above, below = alike(node, above, below)
    return above / below


def elementwise(node: Node, one: Array, other: Array, spread: bool) -> Array:
    """Returns an elementwise product; with `spread`, as in code, one row or column stands for all."""
    if one.shape[1:] != other.shape[1:] and not (spread and broadcasts(one, other)):
        raise Unfit(node, f"arrays of {one.shape[1:]} and {other.shape[1:]} have no elementwise product")
    return one * other


def power(node: Node, base: Array, exponent: Array) -> Array:
    """Returns a power, entry by entry."""
    if exponent.ndim != base.ndim:
        base, exponent = alike(node, base, exponent)
    if base.ndim == 3 and exponent.shape[1:] not in ((1, 1), base.shape[1:]):
        raise Unfit(node, f"an array of {base.shape[1:]} can't be power to one of {exponent.shape[1:]}")
    return base**exponent
