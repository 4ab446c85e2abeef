"""Convolutions in any number of dimensions, with strides, padding, dilation and groups; and transposed ones.

A convolution goes from the larger side to the smaller: each place of the smaller side sees a window of the larger. A
transposed convolution goes the other way with the same windows. So either is a selection of windows and one labelled
product, which is how NumPy and the orders compute; sums on PyTorch's tensors take PyTorch's own kernels.
"""

from collections.abc import Callable, Collection
from itertools import product as every
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from whygrad.arrays import Array, cast, extremes, in_numpy, on_host
from whygrad.contraction import contract_sum
from whygrad.formula import Tree, parse
from whygrad.semirings import OrderSemiring
from whygrad.structures.kernels import at_once, by_kernels, by_kernels_of_ones, kernel_settings
from whygrad.structures.local import Column, Local, Settings, each

if TYPE_CHECKING:
    from whygrad.semirings import Element, Semiring

# What the windows of some rows of a cotangent may take.
BLOCK_BYTES = 64 * 1024 * 1024
# What the windows of some examples may take whose weights' cotangents are kept apart.
WINDOW_BYTES = 2 * 1024 * 1024


class _Windows(NamedTuple):
    """The geometry of a convolution: where the windows of the larger side lie."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    larger: tuple[int, ...]
    smaller: tuple[int, ...]

    @property
    def padded(self) -> tuple[int, ...]:
        """How long the larger side is with its padding, and as far as the last window goes."""
        spread = zip(*self, strict=True)
        return tuple(max((t - 1) * s + d * (k - 1) + 1, p + n) for k, s, p, d, n, t in spread)

    def of(self, larger: Array, none: float, xp: Any) -> Array:
        """Returns (…, *kernel, *smaller): the windows of an array (…, *larger), as a view of a padded copy."""
        lead = tuple(larger.shape[: -len(self.larger)])
        whole = xp.full((*lead, *self.padded), none, dtype=larger.dtype, device=larger.device)
        inside = tuple(slice(p, p + n) for p, n in zip(self.padding, self.larger, strict=True))
        whole[(..., *inside)] = larger
        steps = _strides((*lead, *self.padded))
        own = steps[len(lead) :]
        strides = (
            *steps[: len(lead)],
            *(step * d for step, d in zip(own, self.dilation, strict=True)),
            *(step * s for step, s in zip(own, self.stride, strict=True)),
        )
        shape = (*lead, *self.kernel, *self.smaller)
        if xp is np:
            return np.lib.stride_tricks.as_strided(whole, shape, [step * whole.itemsize for step in strides])
        return whole.as_strided(shape, strides)

    def joined(
        self, windows: "Element", none: tuple[float, ...], plus: Callable[..., "Element"], xp: Any
    ) -> "Element":
        """Returns (…, *larger): windows (…, *kernel, *smaller) joined where they overlap."""
        spatial = len(self.kernel)

        def blank(place: int, part: Array) -> Array:
            shape = (*part.shape[: -2 * spatial], *self.padded)
            return xp.full(shape, none[min(place, len(none) - 1)], dtype=part.dtype, device=part.device)

        whole = tuple(None if part is None else blank(place, part) for place, part in enumerate(windows))
        for offset in every(*map(range, self.kernel)):
            spans = zip(offset, self.dilation, self.stride, self.smaller, strict=True)
            at = (..., *(slice(k * d, k * d + (t - 1) * s + 1, s) for k, d, s, t in spans))
            inside = (..., *offset, *(slice(None),) * spatial)
            made = plus(each(whole, lambda p, at=at: p[at]), each(windows, lambda p, i=inside: p[i]))
            for part, new in zip(whole, made, strict=True):
                if part is not None:
                    part[at] = new
        inside = (..., *(slice(p, p + n) for p, n in zip(self.padding, self.larger, strict=True)))
        return each(whole, lambda part: part[inside])

    def seen_by(self, place: tuple[int, ...]) -> list[list[tuple[int, int]]]:
        """Returns for each dimension the (place in the kernel, place on the smaller side) that see a place."""
        found = []
        for at, k, s, p, d, t in zip(
            place, self.kernel, self.stride, self.padding, self.dilation, self.smaller, strict=True
        ):
            starts = [(offset, at + p - offset * d) for offset in range(k)]
            found.append([(o, start // s) for o, start in starts if start % s == 0 and 0 <= start // s < t])
        return found

    def under(self, offset: tuple[int, ...]) -> list[list[tuple[int, int]]]:
        """Returns for each dimension the (place on the larger side, on the smaller) that a kernel's entry joins."""
        spread = zip(offset, self.stride, self.padding, self.dilation, self.larger, self.smaller, strict=True)
        return [
            [(t * s + k * d - p, t) for t in range(smaller) if 0 <= t * s + k * d - p < larger]
            for k, s, p, d, larger, smaller in spread
        ]

    def looks_into(self, place: tuple[int, ...]) -> list[list[tuple[int, int]]]:
        """Returns for each dimension the (place in the kernel, place on the larger side) that a place sees."""
        spread = zip(place, self.kernel, self.stride, self.padding, self.dilation, self.larger, strict=True)
        return [
            [(k, t * s + k * d - p) for k in range(kernel) if 0 <= t * s + k * d - p < larger]
            for t, kernel, s, p, d, larger in spread
        ]


def _strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))


# The labels of the windows (larger side), of the smaller side and of the weight, without the rows of a cotangent.
# g: group, b: channel of the larger side in its group, s: of the smaller, k: place in the kernel, t: window.
LARGER, SMALLER, WEIGHT = ("n", "g", "b", "k", "t"), ("n", "g", "s", "t"), ("g", "s", "b", "k")


class Convolution(NamedTuple):
    """``y = x * W``: x (examples, channels, *sizes), W (channels out, channels in / groups, *kernel).

    With the setting ``transposed``, W is (channels in, channels out / groups, *kernel). The other settings are
    ``stride``, ``padding``, ``dilation``, ``output_padding`` (one number or one for each dimension) and ``groups``,
    as PyTorch has them.
    """

    arguments: tuple[str, ...]

    @staticmethod
    def _windows(x_shape: tuple[int, ...], w_shape: tuple[int, ...], settings: Settings) -> _Windows:
        kernel, sizes = tuple(w_shape[2:]), tuple(x_shape[2:])
        spatial = len(kernel)
        stride, padding, dilation, transposed, extra, _ = kernel_settings(settings, spatial)
        spread = zip(sizes, kernel, stride, padding, dilation, extra, strict=True)
        if transposed:
            larger = tuple((n - 1) * s - 2 * p + d * (k - 1) + e + 1 for n, k, s, p, d, e in spread)
            return _Windows(kernel, stride, padding, dilation, larger, sizes)
        smaller = tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d, _ in spread)
        return _Windows(kernel, stride, padding, dilation, sizes, smaller)

    def _of(self, local: Local) -> _Windows:
        x, W = local.inputs
        return self._windows(tuple(x.shape), tuple(W.shape), local.settings)

    @staticmethod
    def _labels(transposed: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Returns the labels of the input and of the output."""
        return (SMALLER, LARGER) if transposed else (LARGER, SMALLER)

    def value(self, inputs: tuple[Array, ...], settings: Settings, xp: Any) -> Array:
        """Returns the convolution."""
        x, W = inputs
        transposed, groups = bool(settings.get("transposed", False)), settings.get("groups", 1)
        spatial = len(W.shape) - 2
        if xp is not np:
            return xp.convolution(x, W, None, *kernel_settings(settings, spatial))
        windows = self._windows(x.shape, W.shape, settings)
        weight = _grouped_weight(W, groups)
        if not transposed:
            seen = _flat_windows(windows.of(x, 0.0, xp), groups, spatial, xp)
            made = contract_sum(seen, weight, (LARGER, WEIGHT, SMALLER), xp)
            return xp.reshape(made, (x.shape[0], W.shape[0], *windows.smaller))
        small = xp.reshape(x, (x.shape[0], groups, -1, prod(windows.smaller)))
        made = contract_sum(small, weight, (SMALLER, WEIGHT, LARGER), xp)
        open_windows = xp.reshape(made, (x.shape[0], groups * W.shape[1], *windows.kernel, *windows.smaller))
        (joined,) = windows.joined((open_windows,), (0.0,), lambda a, b: (a[0] + b[0],), xp)
        return joined

    def is_one_product(self, local: Local) -> bool:
        """Returns whether it is a product of all windows with the weights: not of groups, nor transposed."""
        settings = kernel_settings(local.settings, len(local.inputs[1].shape) - 2)
        return not settings.transposed and settings.groups == 1

    def windows_as_rows(self, local: Local) -> Array:
        """Returns (examples * places, channels in * kernel): what each place of the output sees of the input."""
        (x, _), xp = local.inputs, local.xp
        windows = self._of(local)
        spatial = len(windows.kernel)
        seen = windows.of(x, 0.0, xp)  # the example, the channels, the kernel, the places
        places = range(2 + spatial, 2 + 2 * spatial)
        seen = xp.permute_dims(seen, (0, *places, *range(1, 2 + spatial)))
        return xp.reshape(seen, (-1, x.shape[1] * prod(windows.kernel)))

    def formula(self, which: int, settings: Settings) -> Tree:
        """Returns the name of the other input."""
        return parse(self.arguments[1 - which])

    def pull(
        self, semiring: "Semiring", cotangent: "Element", local: Local, which: int, marked: bool
    ) -> "Element":
        """Returns the contraction of the cotangent with the other input's windows."""
        if local.xp is not np and not isinstance(semiring, OrderSemiring):
            lifted = semiring.lift(local.inputs[1 - which], local.xp)
            if semiring.exact or semiring.unit:
                return semiring.combine(
                    cotangent, lifted, marked, lambda a, b: self._whole_numbers(a, b, local, which)
                )
            return semiring.combine(cotangent, lifted, marked, lambda a, b: by_kernels(a, b, local, which))
        transposed = bool(local.settings.get("transposed", False))
        pulled = self._by_windows if which == 0 else self._weight_by_windows
        return pulled(semiring, cotangent, local, transposed, marked)

    def pull_several(
        self, semiring: "Semiring", cotangent: "Element", local: Local, wanted: Collection[int]
    ) -> "dict[int, Element]":
        """Returns the cotangents of those inputs, a bias the third, that are made together sooner than one by one."""
        (part,) = cotangent if semiring.linear else (None,)
        if part is None or local.xp is np:
            return {}
        if any(value.dtype != part.dtype for value in (*local.inputs, local.output)):
            return {}
        return {which: (made,) for which, made in at_once(part, local, wanted).items()}

    def _whole_numbers(self, cotangent: Array, other: Array, local: Local, which: int) -> Array:
        """Returns the sums of whole numbers by the float32 kernels where every sum is below 2**24, exact there.

        The host's float64 kernels take some five times as long. ``other`` has zeros and ones; weights have mostly ones.
        """
        xp, (x, W) = local.xp, local.inputs
        if prod(cotangent.shape) and extremes(other) == (1.0, 1.0):
            return by_kernels_of_ones(cotangent, local, which)
        if on_host(x) and prod(cotangent.shape):
            transposed = bool(local.settings.get("transposed", False))
            shared = W.shape[0 if transposed else 1]
            terms = prod(W.shape) // shared if which == 0 else x.shape[0] * prod(self._of(local).smaller)
            if terms * extremes(cotangent)[1] < 2**24:
                made = by_kernels(cast(cotangent, xp.float32), cast(other, xp.float32), local, which)
                return cast(made, cotangent.dtype)
        return by_kernels(cotangent, other, local, which)

    def _by_windows(
        self, semiring: "Semiring", cotangent: "Element", local: Local, transposed: bool, marked: bool
    ) -> "Element":
        """Returns the input's cotangent, some rows at a time: all windows at once would take the kernel's size more."""
        xp, (x, W) = local.xp, local.inputs
        windows, groups = self._of(local), local.settings.get("groups", 1)
        weight = semiring.lift(_grouped_weight(W, groups), xp)
        mine, out = self._labels(transposed)
        labels = (("row", *out), WEIGHT, ("row", *mine))

        def rows(part: "Element") -> "Element":
            if transposed:
                made = semiring.contract(
                    self._open(semiring, part, windows, groups, xp), weight, labels, xp, marked
                )
                return each(made, lambda p: xp.reshape(p, (p.shape[0], *x.shape)))
            flat = each(part, lambda p: xp.reshape(p, (*p.shape[:2], groups, -1, prod(windows.smaller))))
            made = semiring.contract(flat, weight, labels, xp, marked)
            shape = (*x.shape[:2], *windows.kernel, *windows.smaller)
            seen = each(made, lambda p: xp.reshape(p, (p.shape[0], *shape)))
            return windows.joined(seen, semiring.absent(), lambda a, b: semiring.plus(a, b, xp), xp)

        return _row_by_row(rows, cotangent, prod(x.shape if transposed else local.output.shape), windows, xp)

    def _weight_by_windows(
        self, semiring: "Semiring", cotangent: "Element", local: Local, transposed: bool, marked: bool
    ) -> "Element":
        xp, (x, W) = local.xp, local.inputs
        windows, groups = self._of(local), local.settings.get("groups", 1)
        mine, out = self._labels(transposed)
        labels = (("row", *out), mine, ("row", *WEIGHT))
        lifted = semiring.lift(x, xp)
        if transposed:
            other = each(lifted, lambda p: xp.reshape(p, (p.shape[0], groups, -1, prod(windows.smaller))))
        else:
            # Padding is no entry: it is absent, not a partial of 0.
            with_rows = each(lifted, lambda p: p[None])
            other = each(self._open(semiring, with_rows, windows, groups, xp), lambda p: p[0])

        def rows(part: "Element") -> "Element":
            if transposed:
                flat = self._open(semiring, part, windows, groups, xp)
            else:
                flat = each(part, lambda p: xp.reshape(p, (*p.shape[:2], groups, -1, prod(windows.smaller))))
            made = semiring.contract(flat, other, labels, xp, marked)
            return each(made, lambda p: xp.reshape(p, (p.shape[0], *W.shape)))

        return _row_by_row(rows, cotangent, prod(local.output.shape), windows, xp)

    def weight_by_example(self, cotangent: Array, local: Local) -> Array:
        """Returns the weight's cotangent without the sum over the examples: (rows, examples, *shape of W)."""
        xp, (x, W) = local.xp, local.inputs
        windows, groups = self._of(local), local.settings.get("groups", 1)
        transposed = bool(local.settings.get("transposed", False))
        mine, out = self._labels(transposed)
        labels = (("row", *out), mine, ("row", "n", *WEIGHT))
        small, large = (x, cotangent) if transposed else (cotangent, x)
        small = small.reshape(*small.shape[: -len(windows.kernel) - 1], groups, -1, prod(windows.smaller))

        def of_examples(part: slice) -> Array:
            seen = windows.of(large[:, part] if transposed else large[part], 0.0, xp)
            opened = _flat_windows(seen, groups, len(windows.kernel), xp)
            if transposed:
                return contract_sum(opened, small[part], labels, xp)
            return contract_sum(small[:, part], opened, labels, xp)

        # Windows of a few examples at a time stay in the caches.
        rows = cotangent.shape[0] if transposed else 1
        one = rows * prod(windows.kernel) * prod(windows.smaller) * large.shape[-len(windows.kernel) - 1]
        together = max(1, WINDOW_BYTES // max(1, one * large.itemsize))
        parts = [slice(top, top + together) for top in range(0, x.shape[0], together)] or [slice(0)]
        made = xp.concat([of_examples(part) for part in parts], axis=1)
        return made.reshape(*made.shape[:2], *W.shape)

    @staticmethod
    def _open(semiring: "Semiring", element: "Element", windows: _Windows, groups: int, xp: Any) -> "Element":
        """Returns (row, n, g, b, k, t): the windows of elements (row, n, channels, *larger)."""
        none = semiring.absent()
        return tuple(
            None
            if part is None
            else _flat_windows(
                windows.of(part, none[min(number, len(none) - 1)], xp), groups, len(windows.kernel), xp
            )
            for number, part in enumerate(element)
        )

    def column(self, local: Local, which: int, position: int) -> Column:
        """Returns the outputs whose windows have the input's entry in them, or all that a weight is used for."""
        targets, sources = self._met(local, which, position)
        flat = np.ravel_multi_index(np.broadcast_arrays(*targets), tuple(local.output.shape))
        met = local.inputs[1 - which][tuple(np.broadcast_arrays(*sources))]
        return Column(np.ravel(flat), np.ravel(in_numpy(met)))

    def _met(self, local: Local, which: int, position: int) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
        """Returns the entries of the output that an entry acts on, and those of the other input that it meets there.

        As indices for each axis, which broadcast: the first axis of all is the channel, or the example for a weight.
        """
        x, W = local.inputs
        windows, groups = self._of(local), local.settings.get("groups", 1)
        transposed = bool(local.settings.get("transposed", False))
        entry = tuple(int(i) for i in np.unravel_index(position, tuple(local.inputs[which].shape)))
        first, second = W.shape[0] // groups, W.shape[1]
        channel, place = entry[1], entry[2:]

        def spread(spans: list[list[tuple[int, int]]]) -> tuple[list[Array], list[Array]]:
            pairs = [np.array(span, dtype=np.int64).reshape(-1, 2) for span in spans]
            left, right = ([pair[:, side] for pair in pairs] for side in (0, 1))
            _, *of_left = np.ix_(np.zeros(1, dtype=np.int64), *left)
            _, *of_right = np.ix_(np.zeros(1, dtype=np.int64), *right)
            return of_left, of_right

        def lead(numbers: Array) -> Array:
            return numbers.reshape(-1, *(1,) * len(place))

        if which == 0:
            group, inner = divmod(channel, x.shape[1] // groups)
            kernel, target = spread(windows.looks_into(place) if transposed else windows.seen_by(place))
            out = lead(np.arange(second if transposed else first))
            if transposed:
                return (entry[0], group * second + out, *target), (channel, out, *kernel)
            return (entry[0], group * first + out, *target), (group * first + out, inner, *kernel)
        example = lead(np.arange(x.shape[0]))
        larger, smaller = spread(windows.under(place))
        above, below = (example, entry[0], *smaller), (example, entry[0] // first * second + channel, *larger)
        return (below, above) if transposed else (above, below)


def _grouped_weight(W: Array, groups: int) -> Array:
    return W.reshape(groups, W.shape[0] // groups, W.shape[1], -1)


def _flat_windows(windows: Array, groups: int, spatial: int, xp: Any) -> Array:
    """Returns (…, g, b, k, t) from windows (…, channels, *kernel, *smaller)."""
    lead = windows.shape[: -2 * spatial - 1]
    channels = windows.shape[-2 * spatial - 1]
    k, t = prod(windows.shape[-2 * spatial : -spatial]), prod(windows.shape[-spatial:])
    return xp.reshape(windows, (*lead, groups, channels // groups, k, t))


def _row_by_row(
    rows: Callable[["Element"], "Element"], cotangent: "Element", entries: int, windows: _Windows, xp: Any
) -> "Element":
    """Returns what ``rows`` makes of a cotangent, of so many rows at a time that their windows fit."""
    known = next(part for part in cotangent if part is not None)
    size = max(1, entries * prod(windows.kernel) * known.itemsize)
    height = max(1, BLOCK_BYTES // size)
    made = [
        rows(each(cotangent, lambda part, top=top: part[top : top + height]))
        for top in range(0, known.shape[0], height)
    ]
    if len(made) == 1:
        return made[0]
    return tuple(None if parts[0] is None else xp.concat(parts, axis=0) for parts in zip(*made, strict=True))
