"""What a sweep carries at a node, and the arithmetic with that: rows for costs, and a common power of two."""

import math
from collections.abc import Container, Sequence
from math import prod
from typing import Any, NamedTuple

from whygrad.arrays import Array, extremes, largest_exponent
from whygrad.semirings import Element, Semiring
from whygrad.structures.local import each


class Cotangent(NamedTuple):
    """What a sweep carries at a node: a row for each cost, then the node's shape; times 2**exponent.

    ``rows`` are the numbers of the costs, ascending, or the entries of the node at which block number ``block``
    began. A cotangent that is ``alone`` shares its arrays with nobody: what is multiplied onto it may overwrite them.
    """

    rows: tuple[int, ...]
    parts: Element
    exponent: int = 0
    block: int = 0
    alone: bool = False

    def of_rows(self, wanted: Container[int]) -> "Cotangent":
        """Returns the rows for some costs, which follow each other among those that are there."""
        places = [place for place, row in enumerate(self.rows) if row in wanted]
        part = slice(places[0], places[-1] + 1) if places else slice(0)
        return self._replace(rows=self.rows[part], parts=each(self.parts, lambda array: array[part]))


def size(parts: Element, xp: Any) -> float:
    """Returns the largest absolute entry, 0 where there is none; NaN (no live path) is passed over."""
    size = 0.0
    for part in parts:
        if part is not None and prod(part.shape):
            low, high = extremes(part)
            if math.isnan(high):
                low, high = extremes(xp.where(xp.isnan(part), xp.zeros_like(part), part))
            size = max(size, high, -low)
    return size


def rescaled(parts: Element, exponent: int, semiring: Semiring, xp: Any) -> tuple[Element, int]:
    """Returns the parts with their entries about 1 where the largest has gone far from it, and their exponent.

    Products over many layers under- and overflow; a common power of two costs nothing and is exact. Of costs of
    very different sizes the middle comes near 1, as long as nothing overflows.
    """
    known = [part for part in parts if part is not None]
    limit = largest_exponent(known[0].dtype, xp) // 4
    whole = size(parts, xp)
    if not math.isfinite(whole) or whole == 0:
        return parts, exponent
    found = math.frexp(whole)[1]
    if abs(found) < limit:
        return parts, exponent
    assert semiring.rescale is not None
    by_row = [size(tuple(None if p is None else p[row] for p in parts), xp) for row in range(len(known[0]))]
    smallest = math.frexp(min((one for one in by_row if one), default=whole))[1]
    by = max((found + smallest) // 2, found - 2 * limit)
    return semiring.rescale(parts, -by, xp), exponent + by


def plus(a: Cotangent, b: Cotangent, semiring: Semiring, xp: Any) -> Cotangent:
    """Returns the sum of two cotangents at one node, with rows for the costs of either."""
    exponent = common_exponent((a, b), xp)
    rows = a.rows if a.rows == b.rows else tuple(sorted({*a.rows, *b.rows}))
    left, right = (
        spread(at_exponent(side, exponent, semiring, xp), side.rows, rows, semiring, xp) for side in (a, b)
    )
    return Cotangent(rows, semiring.plus(left, right, xp), exponent, a.block, a.alone and b.alone)


def common_exponent(sides: Sequence[Cotangent], xp: Any) -> int:
    """Returns the exponent at which some cotangents are put together."""
    if len({side.exponent for side in sides}) == 1:
        return sides[0].exponent
    # Zeros have no size: they take the others' exponent, which they would else push out of range.
    sized = [side.exponent for side in sides if size(side.parts, xp) > 0]
    return max(sized, default=sides[0].exponent)


def at_exponent(cotangent: Cotangent, exponent: int, semiring: Semiring, xp: Any) -> Element:
    """Returns the parts of a cotangent that are times another power of two."""
    if cotangent.exponent == exponent:
        return cotangent.parts
    assert semiring.rescale is not None
    return semiring.rescale(cotangent.parts, cotangent.exponent - exponent, xp)


def spread(
    parts: Element, rows: tuple[int, ...], wanted: tuple[int, ...], semiring: Semiring, xp: Any
) -> Element:
    """Returns the parts with rows for more costs: zero for those that are not reached."""
    if rows == wanted:
        return parts
    places = [wanted.index(row) for row in rows]
    absent = semiring.absent()
    made: list[Array | None] = []
    for number, part in enumerate(parts):
        full = None
        if part is not None:
            none = absent[min(number, len(absent) - 1)]
            full = xp.full((len(wanted), *part.shape[1:]), none, dtype=part.dtype, device=part.device)
            full[places] = part
        made.append(full)
    return tuple(made)
