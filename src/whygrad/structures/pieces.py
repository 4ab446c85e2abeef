"""What goes back to a large input, some of its entries after the others: all of them are never in memory."""

from collections.abc import Callable, Iterator
from math import prod
from typing import TYPE_CHECKING

from whygrad.structures.affine import Affine
from whygrad.structures.local import Local, Structure
from whygrad.structures.product import Contraction
from whygrad.structures.selection import Selection

if TYPE_CHECKING:
    from whygrad.semirings import Element, Semiring

# So many entries, for each cost, stay in the caches.
PIECE = 1 << 18


def one_piece(shape: tuple[int, ...]) -> bool:
    """Returns whether an array of this shape has no more entries than a piece.

    Example:
        >>> one_piece((1000, 10)), one_piece((1000, 1000))
        (True, False)
    """
    return prod(shape) <= PIECE


def slices(shape: tuple[int, ...]) -> Iterator[slice]:
    """Yields the parts of an array's first axis with about as many entries as a piece has.

    Example:
        >>> list(slices((5, PIECE // 2)))
        [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    step = max(1, PIECE // max(1, prod(shape[1:])))
    return (slice(top, min(top + step, shape[0])) for top in range(0, shape[0], step))


def comes_in_pieces(structure: Structure, which: int) -> bool:
    """Returns whether some entries of an input can be pulled back to alone: of products, and of picked rows."""
    product = structure.product if isinstance(structure, Affine) and which < 2 else structure
    return isinstance(product, Contraction) or (isinstance(product, Selection) and product.rows)


def pull_some(
    structure: Structure, semiring: "Semiring", cotangent: "Element", local: Local, which: int, marked: bool
) -> "Callable[[slice], Element]":
    """Returns a function of a part of an input's first axis, with what is pulled back to the entries there."""
    if isinstance(structure, Affine):
        structure, local = structure.product, local._replace(inputs=local.inputs[:2])
    assert isinstance(structure, (Contraction, Selection))
    pull, shared = structure.pull_some, local._replace(kept={})  # lifted partials are the same in all pieces
    return lambda some: pull(semiring, cotangent, shared, which, marked, some)
