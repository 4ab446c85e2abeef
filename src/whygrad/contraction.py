"""Contractions of two labelled arrays: with sums as matrix products, with maxima in blocks that stay in the cache.

A contraction is written with one label for each axis: ``(r, n, o), (o, i) -> (r, n, i)`` multiplies entries with
equal labels and joins over the labels that the result lacks.
"""

import math
import os
from collections.abc import Sequence
from functools import cache, lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from whygrad.arrays import best, best_along, cast, extremes, in_numpy, on_host

Labels = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]


class _Plan(NamedTuple):
    """How the axes of a contraction fall: in both and kept, joined over, only left, only right."""

    both: tuple[str, ...]
    joined: tuple[str, ...]
    left: tuple[str, ...]
    right: tuple[str, ...]


@cache
def _plan(labels: Labels) -> _Plan:
    first, second, result = labels
    return _Plan(
        both=tuple(label for label in result if label in first and label in second),
        joined=tuple(label for label in first if label in second and label not in result),
        left=tuple(label for label in first if label in result and label not in second),
        right=tuple(label for label in second if label in result and label not in first),
    )


def _arranged(array: Any, labels: Sequence[str], wanted: Sequence[str], xp: Any) -> Any:
    order = tuple(labels.index(label) for label in wanted)
    return array if order == tuple(range(len(order))) else xp.permute_dims(array, order)


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
    plan = _plan(labels)
    if layout.maybe_single:
        columns = _single_columns(first, xp)
        # 0 times what isn't finite is NaN, here as elsewhere
        if columns is not None and all(map(math.isfinite, extremes(second))):
            return _of_single_columns(first, second, columns, labels, xp)
    a = _arranged(first, labels[0], plan.both + plan.left + plan.joined, xp)
    b = _arranged(second, labels[1], plan.both + plan.joined + plan.right, xp)
    made = xp.matmul(xp.reshape(a, layout.first), xp.reshape(b, layout.second))
    return _arranged(xp.reshape(made, layout.result), plan.both + plan.left + plan.right, labels[2], xp)


def contract_ones(first: Any, ones: Any, labels: Labels, xp: Any) -> Any:
    """Returns the contraction with an array of ones: sums, which are the same for all that it alone has.

    Example:
        >>> import numpy as np
        >>> contract_ones(np.array([[1.0, 2.0]]), np.ones((2, 3)), (("r", "o"), ("o", "i"), ("r", "i")), np)
        array([[3., 3., 3.]])
    """
    plan = _plan(labels)
    sizes = dict(zip(labels[0], first.shape, strict=True)) | dict(zip(labels[1], ones.shape, strict=True))
    left = [label for label in labels[0] if label not in plan.joined]
    joined = tuple(labels[0].index(label) for label in plan.joined)
    made = cast(first, xp.result_type(first, ones))
    made = xp.sum(made, axis=joined) if joined else made
    made = _arranged(made, left, [label for label in labels[2] if label in left], xp)
    made = xp.reshape(made, tuple(1 if label in plan.right else sizes[label] for label in labels[2]))
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
    plan = _plan(labels)
    sizes = dict(zip(labels[0], first, strict=True)) | dict(zip(labels[1], second, strict=True))
    joined = prod(sizes[label] for label in plan.joined)
    stack = tuple(sizes[label] for label in plan.both)
    left = tuple(sizes[label] for label in plan.left)
    right = tuple(sizes[label] for label in plan.right)
    # Rows that aren't next to each other in memory stay stacked: reshaping them would copy the cotangent. But many
    # products of a few rows each would take longer than a copy that is small beside the result.
    apart = not stack and len(left) > 1 and labels[0][-len(plan.joined) :] != plan.joined
    stacked_rows = apart and not (left[-1] < FEW_ROWS and joined < prod(right))
    rows = (*left, joined) if stacked_rows else (*stack, prod(left), joined)
    own = labels[0][-1:]  # the columns: one of many costs may be about each of them
    single = not stack and len(labels[0]) > 1 and own != labels[0][:1] and sizes[own[0]] > 1
    single = single and labels[0][0] in plan.left and plan.joined in (own, labels[0][1:-1])
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
    """Returns the contraction where each row of the first has entries in one column alone."""
    plan, rows = _plan(labels), xp.arange(first.shape[0], device=first.device)
    column = labels[0][-1]
    inner = labels[0][1:-1]
    alone = first[rows, ..., columns]  # (rows, *inner)
    if plan.joined == (column,):
        chosen = _arranged(second, labels[1], (column, *plan.right), xp)[columns]
        made = xp.reshape(alone, (*alone.shape, *(1,) * len(plan.right))) * xp.reshape(
            chosen, (chosen.shape[0], *(1,) * len(inner), *chosen.shape[1:])
        )
        return _arranged(made, (labels[0][0], *inner, *plan.right), labels[2], xp)
    b = _arranged(second, labels[1], (*inner, *plan.right), xp)
    width = prod(alone.shape[1:])
    products = xp.matmul(xp.reshape(alone, (-1, width)), xp.reshape(b, (width, -1)))
    shape = (first.shape[0], first.shape[-1], *b.shape[len(inner) :])
    made = xp.zeros(shape, dtype=products.dtype, device=products.device)
    made[rows, columns] = xp.reshape(products, (shape[0], *shape[2:]))
    return _arranged(made, (labels[0][0], column, *plan.right), labels[2], xp)


# A block of the result with the running bests should stay in the second-level cache.
BLOCK_BYTES = 128 * 1024
PARALLEL_FROM = 1 << 22

Tracks = tuple[tuple[tuple[tuple[int, int], ...], str], ...]

SIGNED_LARGEST: Tracks = ((((0, 0),), "largest"), (((0, 0),), "smallest"))


def contract_best(
    first: tuple[Any, ...], second: tuple[Any, ...], labels: Labels, tracks: Tracks, xp: Any
) -> tuple[Any, ...]:
    """Returns the contraction with running bests instead of sums: one result for each track.

    A track lists the (component of first, component of second) whose products compete, and whether the
    ``largest``, the ``smallest``, the ``largest known`` or the ``smallest known`` (NaN passed over) is kept.

    Example:
        >>> import numpy as np
        >>> a, b = np.array([[1.0, -3.0]]), np.array([[2.0], [1.0]])
        >>> track = ((((0, 0),), "smallest"),)
        >>> contract_best((a,), (b,), (("n", "o"), ("o", "i"), ("n", "i")), track, np)
        (array([[-3.]]),)
    """
    if xp is not np:
        return _best_of_tensors(first, second, labels, tracks, xp)
    plan = _plan(labels)
    sizes = dict(zip(labels[0], first[0].shape, strict=True)) | dict(
        zip(labels[1], second[0].shape, strict=True)
    )
    stack = prod(sizes[label] for label in plan.both)
    rows = prod(sizes[label] for label in plan.left)
    joined = prod(sizes[label] for label in plan.joined)
    columns = prod(sizes[label] for label in plan.right)
    a = [
        np.reshape(_arranged(part, labels[0], plan.both + plan.joined + plan.left, xp), (stack, joined, rows))
        for part in first
    ]
    b = [
        np.reshape(
            _arranged(part, labels[1], plan.both + plan.joined + plan.right, xp), (stack, joined, columns)
        )
        for part in second
    ]
    swapped = rows > columns and columns < 64  # the inner loop runs over the last axis: make it the long one
    if swapped:
        a, b, rows, columns = b, a, columns, rows
    order = [[(j, i) if swapped else (i, j) for i, j in pairs] for pairs, _ in tracks]
    dtype = np.result_type(first[0], second[0])
    made = [np.empty((stack, rows, columns), dtype=dtype) for _ in tracks]
    height = max(1, BLOCK_BYTES // (dtype.itemsize * max(1, columns) * (len(tracks) + 1)))
    blocks = [(s, slice(top, top + height)) for s in range(stack) for top in range(0, rows, height)]

    def work(block: tuple[int, slice]) -> None:
        s, part = block
        with np.errstate(over="ignore", invalid="ignore"):  # out of range: infinite, as PyTorch has it
            _best_of_block(
                [np.ascontiguousarray(x[s, :, part]) for x in a],
                [np.ascontiguousarray(x[s]) for x in b],
                [out[s, part] for out in made],
                [(pairs, kept) for pairs, (_, kept) in zip(order, tracks, strict=True)],
            )

    _for_each(work, blocks, parallel=stack * rows * joined * columns >= PARALLEL_FROM)
    sides = (plan.right, plan.left) if swapped else (plan.left, plan.right)
    wanted = plan.both + sides[0] + sides[1]
    shape = tuple(sizes[label] for label in wanted)
    return tuple(_arranged(np.reshape(out, shape), wanted, labels[2], xp) for out in made)


def _best_of_block(a: list[Any], b: list[Any], made: list[Any], tracks: list[tuple[Any, str]]) -> None:
    """Writes, for a (joined, rows) and b (joined, columns), the best products over ``joined`` into ``made``."""
    product = np.empty(made[0].shape, dtype=made[0].dtype)
    pairs_of_all = {pairs[0] for pairs, _ in tracks}
    shared = len(pairs_of_all) == 1 and all(len(pairs) == 1 for pairs, _ in tracks)
    for step in range(a[0].shape[0]):
        computed = False
        for (pairs, kept), out in zip(tracks, made, strict=True):
            better = best(kept, np)
            for place, (i, j) in enumerate(pairs):
                if not (shared and computed):
                    np.multiply(a[i][step, :, None], b[j][step], out=product)
                    computed = True
                if step == 0 and place == 0:
                    out[...] = product
                else:
                    better(out, product, out=out)


# What the products of one step may take on a device, where blocks need not stay in a cache.
DEVICE_BYTES = 64 * 1024 * 1024


def _best_of_tensors(
    first: tuple[Any, ...], second: tuple[Any, ...], labels: Labels, tracks: Tracks, xp: Any
) -> tuple[Any, ...]:
    """Returns what :func:`contract_best` returns for tensors: on the host by NumPy."""
    plan = _plan(labels)
    rows = prod(n for label, n in zip(labels[0], first[0].shape, strict=True) if label in plan.left)
    # A few rows of many matrices: NumPy would go through one matrix after the other.
    if on_host(first[0]) and not (plan.both and rows < 8):
        made = contract_best(tuple(map(in_numpy, first)), tuple(map(in_numpy, second)), labels, tracks, np)
        return tuple(_tensor(part, first[0], second[0], xp) for part in made)
    return _best_elsewhere(first, second, labels, tracks, xp)


def _best_elsewhere(
    first: tuple[Any, ...], second: tuple[Any, ...], labels: Labels, tracks: Tracks, xp: Any
) -> tuple[Any, ...]:
    """Returns the same by blocks of all products of some rows, on the tensors' device."""
    plan = _plan(labels)
    sizes = dict(zip(labels[0], first[0].shape, strict=True)) | dict(
        zip(labels[1], second[0].shape, strict=True)
    )
    wanted = plan.both + plan.left + plan.joined, plan.both + plan.right + plan.joined
    stack, rows, joined, columns = (
        prod(sizes[label] for label in side) for side in (plan.both, plan.left, plan.joined, plan.right)
    )
    a = [xp.reshape(_arranged(part, labels[0], wanted[0], xp), (stack, rows, 1, joined)) for part in first]
    b = [
        xp.reshape(_arranged(part, labels[1], wanted[1], xp), (stack, 1, columns, joined)) for part in second
    ]
    height = max(1, DEVICE_BYTES // max(1, rows * joined * columns * first[0].element_size()))
    width = rows if height > 1 else max(1, DEVICE_BYTES // max(1, joined * columns * first[0].element_size()))
    results = []
    for pairs, kept in tracks:
        out = xp.empty(
            (stack, rows, columns),
            dtype=xp.result_type(first[0], second[0]),
            device=first[0].device,
        )
        for low in range(0, stack, height):
            for top in range(0, rows, width):
                place = slice(low, low + height), slice(top, top + width)
                found = None
                for i, j in pairs:
                    product = a[i][place] * b[j][place[0]]
                    found = product if found is None else best(kept, xp)(found, product)
                out[place] = best_along(kept, found, -1, xp)[..., 0]
        shape = tuple(sizes[label] for label in plan.both + plan.left + plan.right)
        results.append(_arranged(xp.reshape(out, shape), plan.both + plan.left + plan.right, labels[2], xp))
    return tuple(results)


def _tensor(array: Any, first: Any, second: Any, xp: Any) -> Any:
    """Returns a NumPy array as a tensor of the type that the product of two tensors has, sharing its memory."""
    return xp.from_numpy(np.ascontiguousarray(array)).to(xp.result_type(first, second))


# Products of one group of rows should stay in the second-level cache.
GROUP_BYTES = 1024 * 1024
PRUNED_FROM = 1 << 20


def contract_strongest(first: Any, second: Any, labels: Labels, xp: Any) -> Any:
    """Returns the contraction that keeps the product of the largest absolute value, with its sign.

    Most products can't win: row r's product at step o is at most abs(first[r, o]) times the largest
    abs(second[o, :]). Each group of rows first tries its most promising steps, and then only those whose bound is
    above what was found. Columns are scaled by powers of two, which is exact, so that one weak column doesn't keep
    the bound low.

    Example:
        >>> a, b = np.array([[1.0, -3.0]]), np.array([[2.0], [1.0]])
        >>> contract_strongest(a, b, (("n", "o"), ("o", "i"), ("n", "i")), np)
        array([[-3.]])
    """
    plan = _plan(labels)
    sizes = dict(zip(labels[0], first.shape, strict=True)) | dict(zip(labels[1], second.shape, strict=True))
    joined = prod(sizes[label] for label in plan.joined)
    products = prod(first.shape) * (prod(second.shape) // max(joined, 1))
    if plan.both or joined < 4 or products < PRUNED_FROM or not on_host(first):
        largest, smallest = contract_best((first,), (second,), labels, SIGNED_LARGEST, xp)
        return xp.where(largest >= -smallest, largest, smallest)
    if xp is not np:
        return _tensor(contract_strongest(in_numpy(first), in_numpy(second), labels, np), first, second, xp)
    # The cost axis comes last among the rows: costs of one example have the same units switched off.
    left = plan.left[::-1]
    a = np.reshape(_arranged(first, labels[0], left + plan.joined, xp), (-1, joined))
    b = np.reshape(_arranged(second, labels[1], plan.joined + plan.right, xp), (joined, -1))
    largest_of_column = np.abs(b).max(axis=0)
    # one less: the next power of two above the largest numbers is infinite
    scale = np.ldexp(np.ones_like(largest_of_column), np.frexp(largest_of_column)[1] - 1)
    b = b / scale
    bounds = np.abs(a) * np.abs(b).max(axis=1)
    tried = min(56, (joined + 1) // 2)
    made = np.empty((len(a), b.shape[1]), dtype=np.result_type(a, b))
    height = max(1, min(sizes[left[-1]], GROUP_BYTES // (tried * b.shape[1] * made.itemsize)))

    def work(part: range) -> None:
        # New memory for each group's products would cost more than the products.
        room = np.empty(height * joined * b.shape[1], dtype=made.dtype)
        for top in part:
            group = slice(top, top + height)
            _strongest_of_group(a[group], b, bounds[group], tried, room, made[group])

    starts = range(0, len(a), height)
    share = -(-len(starts) // 16)
    parts = [starts[place : place + share] for place in range(0, len(starts), share)]
    _for_each(work, parts, parallel=True)
    made *= scale
    wanted = left + plan.right
    return _arranged(np.reshape(made, tuple(sizes[label] for label in wanted)), wanted, labels[2], xp)


def _strongest_of_group(a: Any, b: Any, bounds: Any, tried: int, room: Any, made: Any) -> None:
    """Writes, for some rows of a (rows, joined) and b (joined, columns), the strongest products into ``made``."""
    promise = bounds.max(axis=0)
    if len(promise) <= 2 * tried:
        steps, others = np.flatnonzero(promise), promise[:0]
    else:
        order = np.argpartition(-promise, tried)
        steps, others = order[:tried], order[tried:]
    largest, smallest = _extremes_of_steps(a, b, steps, room)
    if len(others):
        found = np.maximum(largest, -smallest).min(axis=1)
        steps = others[(bounds[:, others] > found[:, None]).any(axis=0)]
        if len(steps):
            more, less = _extremes_of_steps(a, b, steps, room)
            np.maximum(largest, more, out=largest)
            np.minimum(smallest, less, out=smallest)
    made[...] = largest
    np.copyto(made, smallest, where=largest < -smallest)


def _extremes_of_steps(a: Any, b: Any, steps: Any, room: Any) -> tuple[Any, Any]:
    if not len(steps):
        none = np.zeros((len(a), b.shape[1]), dtype=room.dtype)
        return none, none.copy()
    shape = (len(a), len(steps), b.shape[1])
    products = room[: prod(shape)].reshape(shape)
    np.multiply(a[:, steps, None], b[steps], out=products)
    return products.max(axis=1), products.min(axis=1)


@lru_cache(maxsize=1)
def _pool() -> Any:
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(max_workers=os.cpu_count() or 1)


def _for_each(work: Any, blocks: list[Any], parallel: bool) -> None:
    if not parallel or len(blocks) == 1:
        for block in blocks:
            work(block)
    else:
        # NumPy lets go of the interpreter inside its loops, so that threads share the cores.
        list(_pool().map(work, blocks))
