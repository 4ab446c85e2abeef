"""Groups of entries along some axes, brought to the end as one axis, and back."""

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from whygrad.arrays import Array


def axes_of(settings: Mapping[str, Any], rank: int, default: Any) -> tuple[int, ...]:
    """Returns the axes that the setting ``axis`` names, counted from the front; every axis where there is none."""
    axis = settings.get("axis", default)
    if axis is None:
        return tuple(range(rank))
    return tuple(a % rank if rank else a for a in (axis if isinstance(axis, tuple) else (axis,)))


def grouped(array: Array, axes: tuple[int, ...], xp: Any) -> Array:
    """Returns the array with some axes at the end, as one.

    Example:
        >>> grouped(np.zeros((2, 3, 4, 5)), (0, 3), np).shape
        (3, 4, 10)
    """
    others = tuple(axis for axis in range(len(array.shape)) if axis not in axes)
    order = others + axes
    moved = array if order == tuple(range(len(order))) else xp.permute_dims(array, order)
    if len(axes) == 1:
        return moved
    size = prod(array.shape[axis] for axis in axes)
    return xp.reshape(moved, (*(array.shape[axis] for axis in others), size))


def ungrouped(array: Array, axes: tuple[int, ...], shape: tuple[int, ...], xp: Any) -> Array:
    """Returns what :func:`grouped` made of an array of that shape as it was."""
    others = tuple(axis for axis in range(len(shape)) if axis not in axes)
    order = others + axes
    whole = array if len(axes) == 1 else xp.reshape(array, tuple(shape[axis] for axis in order))
    if order == tuple(range(len(order))):
        return whole
    return xp.permute_dims(whole, tuple(order.index(axis) for axis in range(len(order))))


def group_at(
    position: int, axes: tuple[int, ...], shape: tuple[int, ...]
) -> tuple[tuple[Any, ...], int, Array]:
    """Returns of one entry's group: an index that picks it, the entry's place in it, its entries' flat positions.

    Example:
        >>> index, place, positions = group_at(4, (1,), (2, 3))
        >>> index, place, positions.tolist()
        ((1, slice(None, None, None)), 1, [3, 4, 5])
    """
    entry = [int(index) for index in np.unravel_index(position, shape)] if shape else []
    index: tuple[Any, ...] = tuple(slice(None) if axis in axes else at for axis, at in enumerate(entry))
    place = sum(entry[axis] * prod(shape[a] for a in axes if a > axis) for axis in axes)
    steps = [prod(shape[axis + 1 :]) for axis in range(len(shape))]
    start = sum(at * steps[axis] for axis, at in enumerate(entry) if axis not in axes)
    positions = np.full((1,), start)
    for axis in sorted(axes):
        positions = (positions[:, None] + np.arange(shape[axis]) * steps[axis]).reshape(-1)
    return index, place, positions
