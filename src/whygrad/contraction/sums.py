"""Contractions with sums: matrix products."""

import math
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

from whygrad.arrays import cast, extremes
from whygrad.contraction.plan import Labels, arranged, plan

FEW_ROWS = 32


def contract_sum(first: Any, second: Any, labels: Labels, xp: Any) -> Any:
    """Returns the contraction with sums, as one (stacked) matrix product without copies where strides allow it.

    Example:
        >>> import numpy as np
        >>> delta, W = np.ones((2, 5, 3)), np.ones((3, 4))
        >>> contract_sum(delta, W, (("r", "n", "o"), ("o", "i"), ("r", "n", "i")), np).shape
        (2, 5, 4)
    """
    layout = _layout(labels, tuple(first.shape), tuple(second.shape))
    axes = plan(labels)
    if layout.maybe_single:
        columns = _single_columns(first, xp)
        made = None if columns is None else _of_single_columns(first, second, columns, labels, xp)
        if made is not None:
            return made
    a = arranged(first, labels[0], axes.both + axes.left + axes.joined, xp)
    b = arranged(second, labels[1], axes.both + axes.joined + axes.right, xp)
    made = xp.matmul(xp.reshape(a, layout.first), xp.reshape(b, layout.second))
    return arranged(xp.reshape(made, layout.result), axes.both + axes.left + axes.right, labels[2], xp)


def contract_ones(first: Any, ones: Any, labels: Labels, xp: Any) -> Any:
    """Returns the contraction with an array of ones: sums, which are the same for all that it alone has.

    Example:
        >>> import numpy as np
        >>> contract_ones(np.array([[1.0, 2.0]]), np.ones((2, 3)), (("r", "o"), ("o", "i"), ("r", "i")), np)
        array([[3., 3., 3.]])
    """
    axes = plan(labels)
    sizes = dict(zip(labels[0], first.shape, strict=True)) | dict(zip(labels[1], ones.shape, strict=True))
    left = [label for label in labels[0] if label not in axes.joined]
    joined = tuple(labels[0].index(label) for label in axes.joined)
    made = cast(first, xp.result_type(first, ones))
    made = xp.sum(made, axis=joined) if joined else made
    made = arranged(made, left, [label for label in labels[2] if label in left], xp)
    made = xp.reshape(made, tuple(1 if label in axes.right else sizes[label] for label in labels[2]))
    return xp.broadcast_to(made, tuple(sizes[label] for label in labels[2]))


class _Layout(NamedTuple):
    """The shapes of the factors of a matrix product, and of its result with its axes apart."""

    first: tuple[int, ...]
    second: tuple[int, ...]
    result: tuple[int, ...]
    maybe_single: bool  # whether to look if each row of the first has entries in one column alone


# A look at all entries of the first is worth while where it saves so many products, each so often.
SAVED_FROM = 1 << 20
SAVED_TIMES = 64


@lru_cache(4096)
def _layout(labels: Labels, first: tuple[int, ...], second: tuple[int, ...]) -> _Layout:
    axes = plan(labels)
    sizes = dict(zip(labels[0], first, strict=True)) | dict(zip(labels[1], second, strict=True))
    joined = prod(sizes[label] for label in axes.joined)
    stack = tuple(sizes[label] for label in axes.both)
    left = tuple(sizes[label] for label in axes.left)
    right = tuple(sizes[label] for label in axes.right)
    # Rows that aren't next to each other in memory stay stacked: reshaping them would copy the cotangent. But many
    # products of a few rows each would take longer than a copy that is small beside the result.
    apart = not stack and len(left) > 1 and labels[0][-len(axes.joined) :] != axes.joined
    stacked_rows = apart and not (left[-1] < FEW_ROWS and joined < prod(right))
    rows = (*left, joined) if stacked_rows else (*stack, prod(left), joined)
    own = labels[0][-1:]  # the columns: one of many costs may be about each of them
    single = not stack and len(labels[0]) > 1 and own != labels[0][:1] and sizes[own[0]] > 1
    single = single and labels[0][0] in axes.left and axes.joined in (own, labels[0][1:-1])
    saved = prod(first) * prod(right) - prod(first) * prod(right) // max(1, sizes[own[0]]) if single else 0
    single = saved > max(SAVED_FROM, SAVED_TIMES * prod(first))
    return _Layout(rows, (*stack, joined, prod(right)), (*stack, *left, *right), single)


def _single_columns(first: Any, xp: Any) -> Any:
    """Returns for each row (first axis) the one place of the last axis that has entries; nothing if one has more.

    Each of many costs is often about one output: its cotangent is 0 at all the others.
    """
    flat = xp.reshape(first, (first.shape[0], -1, first.shape[-1]))
    for part in (flat[:, :1], flat):  # the first entries mostly tell
        there = xp.any(part != 0, axis=1)
        if bool(xp.any(xp.count_nonzero(there, axis=1) > 1)):
            return None
    return xp.argmax(cast(there, xp.uint8), axis=1)


def _of_single_columns(first: Any, second: Any, columns: Any, labels: Labels, xp: Any) -> Any:
    """Returns the contraction where each row of the first has entries in one column alone.

    Nothing where not all is finite: 0 times that is NaN in the other columns, here as elsewhere.
    """
    axes, rows = plan(labels), xp.arange(first.shape[0], device=first.device)
    column = labels[0][-1]
    inner = labels[0][1:-1]
    alone = first[rows, ..., columns]  # (rows, *inner)
    if axes.joined == (column,):
        if not _finite(second):
            return None
        chosen = arranged(second, labels[1], (column, *axes.right), xp)[columns]
        made = xp.reshape(alone, (*alone.shape, *(1,) * len(axes.right))) * xp.reshape(
            chosen, (chosen.shape[0], *(1,) * len(inner), *chosen.shape[1:])
        )
        return arranged(made, (labels[0][0], *inner, *axes.right), labels[2], xp)
    b = arranged(second, labels[1], (*inner, *axes.right), xp)
    width = prod(alone.shape[1:])
    products = xp.matmul(xp.reshape(alone, (-1, width)), xp.reshape(b, (width, -1)))
    if not _finite(products):  # a sum with something that isn't, times 0 too, is neither
        return None
    shape = (first.shape[0], first.shape[-1], *b.shape[len(inner) :])
    made = xp.zeros(shape, dtype=products.dtype, device=products.device)
    made[rows, columns] = xp.reshape(products, (shape[0], *shape[2:]))
    return arranged(made, (labels[0][0], column, *axes.right), labels[2], xp)


def _finite(array: Any) -> bool:
    return all(map(math.isfinite, extremes(array)))
