"""Convolutions' cotangents by PyTorch's own kernels: for sums on tensors."""

import math
from collections.abc import Collection
from math import prod
from typing import Any, NamedTuple

from whygrad.arrays import Array, on_host
from whygrad.structures.local import Local, Settings

# What the rows of a cotangent should take that go back together on the host, by the bytes of a number. PyTorch's
# kernels for float32 are quickest on what the caches hold. Those for float64 gain by several costs at once, as long as
# an allocator has room at hand.
ROOM = {4: 8 * 1024 * 1024, 8: 20 * 1024 * 1024}


def room(like: Array) -> float:
    """Returns how many bytes the rows of a cotangent should take that go back together, by an array like them."""
    return ROOM.get(like.itemsize, ROOM[4]) if on_host(like) else math.inf


def axis_numbers(setting: Any, spatial: int) -> tuple[int, ...]:
    """Returns a setting such as a stride for each spatial axis: one number stands for all of them."""
    made = (setting,) if isinstance(setting, int) else tuple(int(number) for number in setting)
    return made * spatial if len(made) == 1 else made


class KernelSettings(NamedTuple):
    """What PyTorch's kernels are told, in their order."""

    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    transposed: bool
    output_padding: tuple[int, ...]
    groups: int


def kernel_settings(settings: Settings, spatial: int) -> KernelSettings:
    """Returns a convolution's settings for some spatial axes, those that aren't given with their defaults."""
    stride, padding, dilation, extra = (
        axis_numbers(settings.get(name, default), spatial)
        for name, default in (("stride", 1), ("padding", 0), ("dilation", 1), ("output_padding", 0))
    )
    transposed, groups = bool(settings.get("transposed", False)), settings.get("groups", 1)
    return KernelSettings(stride, padding, dilation, transposed, extra, groups)


def _windows_by_call(x: Array, xp: Any) -> bool:
    """Returns whether PyTorch makes the windows anew at each call: that takes as long as all the rest."""
    return on_host(x) and x.dtype == xp.float64


def at_once(cotangent: Array, local: Local, wanted: Collection[int]) -> dict[int, Array]:
    """Returns the sums for the input (0), the weight (1) and the bias (2) that one kernel makes sooner than several.

    A kernel that makes a weight's and a bias's takes no longer than one that makes the weight's alone, and what it
    lays out anew of the cotangent serves for the input's too.
    """
    xp, (x, W, *bias) = local.xp, local.inputs
    if 1 not in wanted or _windows_by_call(x, xp):
        return {}
    chosen = [which for which in wanted if which or (on_host(x) and _together(cotangent, x.shape) == 1)]
    sizes = [list(one.shape) for one in bias]
    if 2 in chosen and sizes != [[local.output.shape[1]]]:
        chosen.remove(2)
    if len(chosen) < 2:
        return {}
    settings = kernel_settings(local.settings, len(W.shape) - 2)
    mask = [which in chosen for which in range(3)]
    shape = sizes[0] if mask[2] else None
    made = [xp.ops.aten.convolution_backward(delta, x, W, shape, *settings, mask) for delta in cotangent]
    return {which: _stacked([each[which] for each in made], xp) for which in chosen}


def _stacked(rows: list[Array], xp: Any) -> Array:
    """Returns the rows as one array, without a copy of a single one."""
    return rows[0][None] if len(rows) == 1 else xp.stack(rows)


def _together(cotangent: Array, shape: tuple[int, ...]) -> int:
    """Returns how many rows of a cotangent should go back together to an input of a shape."""
    bytes_of_row = max(prod(cotangent.shape[1:]), prod(shape)) * cotangent.itemsize
    return int(max(1, min(len(cotangent), room(cotangent) // max(1, bytes_of_row))))


def by_kernels(cotangent: Array, other: Array, local: Local, which: int) -> Array:
    """Returns the sums for one component by PyTorch's own kernels; ``other`` is the lifted other input."""
    xp, (x, W) = local.xp, local.inputs
    settings = kernel_settings(local.settings, len(W.shape) - 2)
    transposed, groups = settings.transposed, settings.groups
    shape = tuple(local.inputs[which].shape)

    def pulled(delta: Array, blank: Array) -> Array:
        # Of the input that is asked for, PyTorch reads the shape alone.
        pair = (blank, other) if which == 0 else (other, blank)
        wanted = [which == 0, which == 1, False]
        return xp.ops.aten.convolution_backward(delta, *pair, None, *settings, wanted)[which]

    def of_examples(rows: Array) -> Array:
        """Returns the input's cotangents: those of several costs are those of more examples."""
        blank = other.new_empty((len(rows) * shape[0], *shape[1:]))
        return pulled(rows.reshape(len(rows) * rows.shape[1], *rows.shape[2:]), blank).reshape(
            len(rows), *shape
        )

    def of_channels(rows: Array) -> Array:
        """Returns the weight's cotangents: those of several costs are those of more channels."""
        costs, (made_of, per_group, *kernel) = len(rows), shape
        examples, channels, *places = rows.shape[1:]  # all said: there may be no example
        delta = rows.reshape(costs, examples, groups, channels // groups, *places)
        delta = xp.moveaxis(delta, 0, 2).reshape(examples, costs * channels, *places)
        if transposed:
            made = pulled(delta, other.new_empty((made_of, costs * per_group, *kernel)))
            return xp.moveaxis(made.reshape(made_of, costs, per_group, *kernel), 1, 0)
        made = pulled(delta, other.new_empty((costs * made_of, per_group, *kernel)))
        made = made.reshape(groups, costs, made_of // groups, per_group, *kernel)
        return xp.moveaxis(made, 1, 0).reshape(costs, *shape)

    slow = which == 1 and _windows_by_call(x, xp)
    if which == 1 and not slow:
        return _stacked([pulled(delta, other.new_empty(shape)) for delta in cotangent], xp)
    together = _together(cotangent, shape)
    make = of_channels if slow else of_examples
    made = [make(cotangent[top : top + together]) for top in range(0, len(cotangent), together)]
    return made[0] if len(made) == 1 else xp.concat(made, axis=0)


def by_kernels_of_ones(cotangent: Array, local: Local, which: int) -> Array:
    """Returns the same where all entries of the lifted other input are 1: one channel of a group gets what all get."""
    xp, (x, W) = local.xp, local.inputs
    settings = kernel_settings(local.settings, len(W.shape) - 2)
    groups, shape = settings.groups, (cotangent.shape[0], *local.inputs[which].shape)
    if which == 1:
        thin = x[:, :groups], W[:groups] if settings.transposed else W[:, :1]
    else:
        thin = x[:, :groups], W[:groups, :1]
        by_group = (*cotangent.shape[:2], groups, -1, *cotangent.shape[3:])
        cotangent = xp.sum(xp.reshape(cotangent, by_group), axis=3)
    ones = cotangent.new_ones(thin[1 - which].shape)
    made = by_kernels(cotangent, ones, local._replace(inputs=thin), which)
    alike = prod(shape) // max(1, prod(made.shape))
    axis = 2 if which and settings.transposed else 3
    repeated = (*made.shape[:axis], alike, *made.shape[axis:])
    return xp.reshape(xp.broadcast_to(xp.expand_dims(made, axis=axis), repeated), shape)
