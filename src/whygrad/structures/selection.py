"""Operations that pick, move or repeat entries: reshape, transpose, index, gather, padding, concatenation."""

from collections.abc import Callable
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from whygrad.arrays import Array, cast, in_numpy, shares_memory
from whygrad.formula import Number, Tree
from whygrad.structures.local import Column, Local, Settings, counted, each, partials_like

if TYPE_CHECKING:
    from whygrad.semirings import Element, Semiring


class Window(NamedTuple):
    """A view of an array's memory: where it begins, and its strides, in entries."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int

    def whole(self, size: int) -> bool:
        """Returns whether all of an array's entries are shown, in their order."""
        steps = tuple(prod(self.shape[axis + 1 :]) for axis in range(len(self.shape)))
        axes = zip(self.strides, steps, self.shape, strict=True)
        return prod(self.shape) == size and all(s == step or n == 1 for s, step, n in axes)

    def places(self, entry: int) -> Array:
        """Returns at which flat positions of the view an entry of the array is seen."""
        left, index = entry - self.offset, [np.arange(size) for size in self.shape]
        for axis in sorted(range(len(self.shape)), key=lambda axis: -self.strides[axis]):
            if self.shape[axis] > 1 and self.strides[axis]:
                place, left = divmod(left, self.strides[axis])
                index[axis] = index[axis][place : place + 1] if place >= 0 else index[axis][:0]
        if left:
            return np.arange(0)
        return np.ravel(np.ravel_multi_index(np.ix_(*index), self.shape)) if self.shape else np.arange(1)


class Selection(NamedTuple):
    """Each output entry is one entry of an input, or none (a number that was filled in): zeros and ones.

    ``select`` makes the output from arrays. Applied to arrays of positions it says where each output entry came
    from: floating-point whole numbers, from 1 on and through all inputs, in which 0 stands for nowhere. So padding
    and masks must fill in 0 there, whatever they fill in among values.

    One that picks ``rows``, as embeddings do, takes them with all their entries from its one input, and ``select`` does
    so with rows of any shape: the places of a large table's rows are a small array, those of its entries are not.
    """

    arguments: tuple[str, ...]
    select: Callable[..., Array]
    rows: bool = False

    def value(self, inputs: tuple[Array, ...], settings: Settings, xp: Any) -> Array:
        """Returns the selected entries."""
        return self.select(*inputs, **settings)

    def formula(self, which: int, settings: Settings) -> Tree:
        """Returns 1: an entry that is selected is passed on as it is."""
        return Number(1)

    def sources(self, local: Local) -> Array:
        """Returns, for each output entry, its position among the entries of all inputs, from 1 on; 0: from nowhere."""
        xp, start, places = local.xp, 1, []
        if self.rows:
            picked, width = self._picked(local), prod(local.inputs[0].shape[1:])
            entries = (picked[:, None] - 1) * width + xp.arange(1, 1 + width, device=picked.device)
            return xp.reshape(xp.where(picked[:, None] > 0, entries, 0), (-1,))
        for x in local.inputs:
            stop = start + prod(x.shape)
            # every operation takes float64, which holds whole numbers up to 2**53
            place = xp.arange(start, stop, dtype=xp.float64, device=x.device)
            places.append(xp.reshape(place, x.shape))
            start = stop
        return xp.reshape(cast(self.select(*places, **local.settings), xp.int64), (-1,))

    def _picked(self, local: Local) -> Array:
        """Returns, for each row of the output, which row of the input it is, from 1 on; 0: from nowhere."""
        xp, (x,) = local.xp, local.inputs
        rows = xp.arange(1, 1 + x.shape[0], dtype=xp.float64, device=x.device)
        return xp.reshape(cast(self.select(rows, **local.settings), xp.int64), (-1,))

    def window(self, local: Local) -> Window | None:
        """Returns how the output lies in the input's memory, where the operation makes a view of its input."""
        if len(local.inputs) != 1 or self.rows:
            return None
        (x,), out = local.inputs, local.output
        if local.xp is not np and x.is_contiguous() and shares_memory(out, x):
            window = Window(tuple(out.shape), out.stride(), out.storage_offset() - x.storage_offset())
            return window if _once(window) else None
        blank = local.xp.empty(x.shape, dtype=local.xp.float64, device=x.device)
        made = self.select(blank, **local.settings)
        if local.xp is np:
            if not np.may_share_memory(made, blank):
                return None
            strides = tuple(stride // blank.itemsize for stride in made.strides)
            start = made.__array_interface__["data"][0] - blank.__array_interface__["data"][0]
            window = Window(made.shape, strides, start // blank.itemsize)
        else:
            if made.untyped_storage().data_ptr() != blank.untyped_storage().data_ptr():
                return None
            window = Window(tuple(made.shape), made.stride(), made.storage_offset())
        return window if _once(window) else None

    def pull(
        self, semiring: "Semiring", cotangent: "Element", local: Local, which: int, marked: bool
    ) -> "Element":
        """Returns the cotangents carried back to where the entries came from, joined where one was used twice."""
        xp, shape = local.xp, tuple(local.inputs[which].shape)
        if self.rows:
            return self.pull_some(semiring, cotangent, local, which, marked, slice(0, shape[0]))
        window = self.window(local)
        if window is not None:
            made = _seen_back(semiring, cotangent, window, prod(shape), xp)
        else:
            made = self._scattered(semiring, cotangent, local, which)
        shaped = each(made, lambda part: xp.reshape(part, (part.shape[0], *shape)))
        return counted(semiring, shaped, local.output, xp) if marked else shaped

    def pull_some(
        self, semiring: "Semiring", cotangent: "Element", local: Local, which: int, marked: bool, some: slice
    ) -> "Element":
        """Returns the cotangents of some rows of the input of which rows are picked."""
        xp, shape = local.xp, tuple(local.inputs[0].shape[1:])
        rows = self._picked(local) - 1
        (mine,) = xp.nonzero((rows >= some.start) & (rows < some.stop))
        picked = each(
            cotangent, lambda part: xp.reshape(part, (part.shape[0], len(rows), prod(shape)))[:, mine]
        )
        made = semiring.scatter(picked, rows[mine] - some.start, some.stop - some.start, xp)
        shaped = each(made, lambda part: xp.reshape(part, (*part.shape[:2], *shape)))
        return counted(semiring, shaped, local.output, xp) if marked else shaped

    def add_onto(self, onto: Array, cotangent: Array, local: Local) -> bool:
        """Adds a cotangent of sums to what its input has from others, and returns whether it is seen there in memory.

        Ten steps that look at a tenth of an array each go through it once, and not ten times.
        """
        window = self.window(local)
        if window is None:
            return False
        size, xp = prod(local.inputs[0].shape), local.xp
        again, window, _ = _way_back(window, size)
        part = xp.sum(cotangent, axis=again, keepdims=True) if again else cotangent
        seen = _seen(xp.reshape(onto, (onto.shape[0], size)), window, xp)
        seen += part
        return True

    def _scattered(self, semiring: "Semiring", cotangent: "Element", local: Local, which: int) -> "Element":
        xp, shape = local.xp, tuple(local.inputs[which].shape)
        size = prod(shape)
        before = sum(prod(x.shape) for x in local.inputs[:which])
        sources = self.sources(local) - before
        flat = each(cotangent, lambda part: xp.reshape(part, (part.shape[0], -1)))
        in_order = len(sources) == size and xp.all(sources == xp.arange(1, size + 1, device=sources.device))
        if bool(in_order):
            return flat  # a copy of all entries
        run = _run(sources, shape, local.output.shape, xp) if len(local.inputs) == 1 else 1
        if run > 1:
            blocks = each(flat, lambda part: xp.reshape(part, (part.shape[0], -1, run)))
            rows = (sources[::run] - 1) // run
            return semiring.scatter(blocks, rows, size // run, xp)
        (mine,) = xp.nonzero((sources > 0) & (sources <= size))
        picked = each(flat, lambda part: part[:, mine])
        return semiring.scatter(picked, sources[mine] - 1, size, xp)

    def column(self, local: Local, which: int, position: int) -> Column:
        """Returns every output entry that is this entry."""
        xp = local.xp
        if self.rows:
            row, place = divmod(position, prod(local.inputs[0].shape[1:]))
            at = np.flatnonzero(in_numpy(self._picked(local)) == row + 1)
            places = at * prod(local.inputs[0].shape[1:]) + place
            return Column(places, partials_like(1, local.output, places.shape))
        window = self.window(local)
        if window is not None:
            places = window.places(position)
            return Column(places, partials_like(1, local.output, places.shape))
        flags = [xp.zeros(prod(x.shape), dtype=xp.float64, device=x.device) for x in local.inputs]
        flags[which][position] = 1.0
        shaped = [xp.reshape(flag, x.shape) for flag, x in zip(flags, local.inputs, strict=True)]
        made = in_numpy(self.select(*shaped, **local.settings))
        places = np.flatnonzero(np.ravel(made) > 0)
        return Column(places, partials_like(1, local.output, places.shape))


def _seen_back(semiring: "Semiring", cotangent: "Element", window: Window, size: int, xp: Any) -> "Element":
    """Returns what a view's cotangent is for the entries of the memory that it shows."""
    again, window, order = _way_back(window, size)
    if again:
        cotangent = semiring.reduce(cotangent, again, xp)
    if order == ():
        return cotangent
    if order is not None:  # nothing moves in memory
        return each(cotangent, lambda part: xp.permute_dims(part, order))
    absent = semiring.absent()

    def placed(number: int, part: Array) -> Array:
        none = absent[min(number, len(absent) - 1)]
        made = xp.full((part.shape[0], size), none, dtype=part.dtype, device=part.device)
        _seen(made, window, xp)[...] = part
        return made

    return tuple(None if part is None else placed(number, part) for number, part in enumerate(cotangent))


def _seen(rows: Array, window: Window, xp: Any) -> Array:
    """Returns what a window shows of each row (rows, size), in the rows' memory."""
    shape, strides = (rows.shape[0], *window.shape), (rows.shape[1], *window.strides)
    if xp is np:
        steps = tuple(stride * rows.itemsize for stride in strides)
        return np.lib.stride_tricks.as_strided(rows[:, window.offset :], shape, steps)
    return rows.as_strided(shape, strides, rows.storage_offset() + window.offset)


@lru_cache(4096)
def _once(window: Window) -> bool:
    """Returns whether no two places show the same entry, axes along which entries are repeated apart."""
    reach = 0
    for stride, size in sorted(zip(window.strides, window.shape, strict=True)):
        if size > 1 and stride:
            if stride <= reach:
                return False
            reach += stride * (size - 1)
    return all(stride >= 0 for stride in window.strides)


@lru_cache(4096)
def _way_back(window: Window, size: int) -> tuple[tuple[int, ...], Window, tuple[int, ...] | None]:
    """Returns over which axes of a cotangent to join, the window that is left, and how to turn its axes then so that an
    array's entries are in their order: not at all (), or nothing where they aren't all there.
    """
    axes = range(len(window.shape))
    again = [axis for axis in axes if window.strides[axis] == 0 and window.shape[axis] > 1]
    left = window._replace(shape=tuple(1 if axis in again else window.shape[axis] for axis in axes))
    joined = tuple(1 + axis for axis in again)
    if left.whole(size):
        return joined, left, ()
    order = sorted(axes, key=lambda axis: -left.strides[axis])
    shape, strides = (tuple(of[axis] for axis in order) for of in (left.shape, left.strides))
    turned = Window(shape, strides, left.offset).whole(size)
    return joined, left, (0, *(1 + axis for axis in order)) if turned else None


def _run(sources: Array, shape: tuple[int, ...], full: tuple[int, ...], xp: Any) -> int:
    """Returns how many entries are moved together, as embeddings and picked rows are; 1 where that isn't seen."""
    run = shape[-1] if shape else 1
    if run < 2 or not full or full[-1] % run:
        return 1
    rows = xp.reshape(sources, (-1, run))
    first = rows[:, :1]
    together = xp.all((rows - first == xp.arange(run, device=sources.device)) & ((first - 1) % run == 0))
    return run if bool(together) and bool(xp.all(first > 0)) else 1
