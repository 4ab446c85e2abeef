"""Contractions with maxima: blocks that stay in the cache, and bounds that rule products out."""

from math import prod
from typing import Any

import numpy as np

from whygrad.arrays import best, best_along, in_numpy, on_host
from whygrad.contraction.plan import Labels, arranged, plan
from whygrad.threads import for_each

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
    axes = plan(labels)
    sizes = dict(zip(labels[0], first[0].shape, strict=True)) | dict(
        zip(labels[1], second[0].shape, strict=True)
    )
    stack = prod(sizes[label] for label in axes.both)
    rows = prod(sizes[label] for label in axes.left)
    joined = prod(sizes[label] for label in axes.joined)
    columns = prod(sizes[label] for label in axes.right)
    a = [
        np.reshape(arranged(part, labels[0], axes.both + axes.joined + axes.left, xp), (stack, joined, rows))
        for part in first
    ]
    b = [
        np.reshape(
            arranged(part, labels[1], axes.both + axes.joined + axes.right, xp), (stack, joined, columns)
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

    for_each(work, blocks, parallel=stack * rows * joined * columns >= PARALLEL_FROM)
    sides = (axes.right, axes.left) if swapped else (axes.left, axes.right)
    wanted = axes.both + sides[0] + sides[1]
    shape = tuple(sizes[label] for label in wanted)
    return tuple(arranged(np.reshape(out, shape), wanted, labels[2], xp) for out in made)


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
    axes = plan(labels)
    rows = prod(n for label, n in zip(labels[0], first[0].shape, strict=True) if label in axes.left)
    # A few rows of many matrices: NumPy would go through one matrix after the other.
    if on_host(first[0]) and not (axes.both and rows < 8):
        made = contract_best(tuple(map(in_numpy, first)), tuple(map(in_numpy, second)), labels, tracks, np)
        return tuple(_tensor(part, first[0], second[0], xp) for part in made)
    return _best_elsewhere(first, second, labels, tracks, xp)


def _best_elsewhere(
    first: tuple[Any, ...], second: tuple[Any, ...], labels: Labels, tracks: Tracks, xp: Any
) -> tuple[Any, ...]:
    """Returns the same by blocks of all products of some rows, on the tensors' device."""
    axes = plan(labels)
    sizes = dict(zip(labels[0], first[0].shape, strict=True)) | dict(
        zip(labels[1], second[0].shape, strict=True)
    )
    wanted = axes.both + axes.left + axes.joined, axes.both + axes.right + axes.joined
    stack, rows, joined, columns = (
        prod(sizes[label] for label in side) for side in (axes.both, axes.left, axes.joined, axes.right)
    )
    a = [xp.reshape(arranged(part, labels[0], wanted[0], xp), (stack, rows, 1, joined)) for part in first]
    b = [xp.reshape(arranged(part, labels[1], wanted[1], xp), (stack, 1, columns, joined)) for part in second]
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
        shape = tuple(sizes[label] for label in axes.both + axes.left + axes.right)
        results.append(arranged(xp.reshape(out, shape), axes.both + axes.left + axes.right, labels[2], xp))
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
    axes = plan(labels)
    sizes = dict(zip(labels[0], first.shape, strict=True)) | dict(zip(labels[1], second.shape, strict=True))
    joined = prod(sizes[label] for label in axes.joined)
    products = prod(first.shape) * (prod(second.shape) // max(joined, 1))
    if axes.both or joined < 4 or products < PRUNED_FROM or not on_host(first):
        largest, smallest = contract_best((first,), (second,), labels, SIGNED_LARGEST, xp)
        return xp.where(largest >= -smallest, largest, smallest)
    if xp is not np:
        return _tensor(contract_strongest(in_numpy(first), in_numpy(second), labels, np), first, second, xp)
    # The cost axis comes last among the rows: costs of one example have the same units switched off.
    left = axes.left[::-1]
    a = np.reshape(arranged(first, labels[0], left + axes.joined, xp), (-1, joined))
    b = np.reshape(arranged(second, labels[1], axes.joined + axes.right, xp), (joined, -1))
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
    for_each(work, parts, parallel=True)
    made *= scale
    wanted = left + axes.right
    return arranged(np.reshape(made, tuple(sizes[label] for label in wanted)), wanted, labels[2], xp)


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
