"""Convolutions' cotangents by PyTorch's own kernels: for sums on tensors."""

import math
from math import prod
from typing import Any, NamedTuple

from whygrad.arrays import on_host
from whygrad.structures.local import Array, Local, Settings

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


def weight_and_bias(cotangent: Array, local: Local) -> tuple[Array, Array] | None:
    """Returns the sums for the weight and for the bias of a convolution; nothing where they are better made apart.

    A kernel that makes both takes no longer than one that makes the weight's alone.
    """
    xp, (x, W, bias) = local.xp, local.inputs
    if _windows_by_call(x, xp) or tuple(bias.shape) != (local.output.shape[1],):
        return None
    settings, shape = kernel_settings(local.settings, len(W.shape) - 2), list(bias.shape)
    made = [
        xp.ops.aten.convolution_backward(delta, x, W, shape, *settings, [False, True, True])[1:]
        for delta in cotangent
    ]
    weights, biases = zip(*made, strict=True)
    return xp.stack(weights), xp.stack(biases)


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
        return xp.stack([pulled(delta, other.new_empty(shape)) for delta in cotangent])
    bytes_of_row = max(prod(cotangent.shape[1:]), prod(shape)) * cotangent.itemsize
    together = int(max(1, min(len(cotangent), room(cotangent) // max(1, bytes_of_row))))
    make = of_channels if slow else of_examples
    made = [make(cotangent[top : top + together]) for top in range(0, len(cotangent), together)]
    return made[0] if len(made) == 1 else xp.concat(made, axis=0)
