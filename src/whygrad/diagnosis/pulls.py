"""Single changes to what an operation sends back: other values, other places, overwritten instead of added."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from whygrad.arrays import Array
from whygrad.diagnosis.tape import Change, Tape


def factor_left_out(made: Any, own: Array, right: Array) -> Array:
    """The factor is left out: the cotangent is passed on as it is."""
    if own.shape == right.shape:
        return own
    while own.ndim > right.ndim:
        own = own.sum(axis=0)
    axes = tuple(axis for axis, size in enumerate(right.shape) if size == 1 and own.shape[axis] != 1)
    return own.sum(axis=axes, keepdims=True) if axes else own


def unscaled(number: float) -> Change:
    """Returns the change that leaves a number out."""
    return lambda made, own, right: right / number


def pulled_with(tape: Tape, number: int, which: int, own: Array, other: Array) -> Array:
    """Returns the pull of one input of a product whose other input has another value."""
    step = tape.steps[number]
    inputs = list(step.inputs)
    trial = Tape()
    trial.steps = [tape.steps[inputs[which]], tape.steps[inputs[1 - which]]._replace(value=other)]
    order = (0, 1) if which == 0 else (1, 0)
    data = step.data
    if step.kind == "elementwise":
        shaped = np.broadcast_to(other, step.value.shape)
        data = tuple(shaped if place == which else part for place, part in enumerate(step.data))
        if step.name != "multiply":
            data = step.data
    trial.steps.append(step._replace(inputs=order, data=data))
    return trial.pull(2, which, own)


def with_value(tape: Tape, number: int, which: int, other: Array) -> Change:
    """Returns the change that pulls with another value of the other input."""
    return lambda made, own, right: pulled_with(tape, number, which, own, other)


def scattered(places: Array, shape: tuple[int, ...]) -> Change:
    """Returns the change that puts cotangents to other places."""

    def change(made: Any, own: Array, right: Array) -> Array:
        filled = np.zeros(int(np.prod(shape)))
        np.add.at(filled, places.ravel(), own.ravel())
        return filled.reshape(shape)

    return change


def assigned(places: Array, last: bool) -> Change:
    """Returns the change that overwrites where one place is used again, instead of adding."""

    def change(made: Any, own: Array, right: Array) -> Array:
        filled = np.zeros(right.size)
        order = slice(None) if last else slice(None, None, -1)
        at, values = places.ravel()[order], own.ravel()[order]
        filled[at[at >= 0]] = values[at >= 0]
        return filled.reshape(right.shape)

    return change


def overlapping(tape: Tape, group: list[int]) -> bool:
    """Whether windows have entries in common."""
    places = np.concatenate([tape.steps[number].data.ravel() for number in group])
    return len(np.unique(places)) < len(places)


def overwritten(
    tape: Tape, source: int, group: list[int], last: bool, whole: bool
) -> Callable[[list[tuple[int, int, Array]]], Array]:
    """Returns how windows are joined where a later one (or an earlier one) overwrites what is there."""

    def joined(parts: list[tuple[int, int, Array]]) -> Array:
        ordered = sorted((p for p in parts if p[0] in group), key=lambda part: part[0], reverse=not last)
        total = np.zeros(tape.steps[source].value.shape)
        for user, _, part in ordered:
            places = np.unique(tape.steps[user].data)
            if not whole:
                places = places[part.ravel()[places] != 0]
            total.ravel()[places] = part.ravel()[places]
        return total + sum(part for user, _, part in parts if user not in group)

    return joined


def turns(value: Array, kernel: bool) -> Iterator[tuple[str, str, Array]]:
    """Yields an array reversed along its axes, and with axes of equal length exchanged."""
    ndim = value.ndim
    if kernel and ndim:
        sets = {
            (ndim - 1,),
            tuple(range(max(0, ndim - 2), ndim)),
            (max(0, ndim - 2),),
            tuple(range(ndim)),
            (0,),
            tuple(range(min(2, ndim))),
        }
        for axes in sorted(sets):
            yield "kernel_reversed", f"reversed along axis {', '.join(map(str, axes))}", np.flip(value, axes)
    for one in range(ndim):
        for other in range(one + 1, ndim):
            if value.shape[one] == value.shape[other] > 1:
                code = "index_mixup" if kernel else "weight_not_transposed"
                yield code, f"with its axes {one} and {other} exchanged", np.swapaxes(value, one, other)


def wrong_windows(windows: list[Array], shape: tuple[int, ...]) -> Iterator[tuple[str, str, list[Array]]]:
    """Yields windows as they are where the stride is left out, and with height and width exchanged.

    Args:
        windows: The places of each window's entries.
        shape: The shape that they are places in.
    """
    at = [np.unravel_index(places, shape) for places in windows]
    starts = [[int(axis.min()) for axis in index] for index in at]
    for axes in _strided(starts, len(shape)):
        moved = [
            np.ravel_multi_index(
                [axis - start[n] + start[n] // axes.get(n, 1) for n, axis in enumerate(index)], shape
            )
            for index, start in zip(at, starts, strict=True)
        ]
        yield "stride_missing", "the windows are taken with stride 1", moved
    for one in range(len(shape)):
        for other in range(one + 1, len(shape)):
            if shape[one] == shape[other] > 1 and len(windows) > 1:
                order = list(range(len(shape)))
                order[one], order[other] = other, one
                swapped = [np.ravel_multi_index([index[n] for n in order], shape) for index in at]
                yield "index_mixup", f"the windows have axes {one} and {other} exchanged", swapped


def in_blocks(block: int) -> Change:
    """Returns the change that sums up from the end of each block only, where a running sum goes on to the end."""

    def change(made: Any, own: Array, right: Array) -> Array:
        parts = [own[..., start : start + block] for start in range(0, own.shape[-1], block)]
        return np.concatenate([part[..., ::-1].cumsum(axis=-1)[..., ::-1] for part in parts], axis=-1)

    return change


def _strided(starts: list[list[int]], ndim: int) -> Iterator[dict[int, int]]:
    strides = {}
    for place in range(ndim):
        found = int(np.gcd.reduce([start[place] for start in starts]))
        if found > 1:
            strides[place] = found
    if strides:
        yield strides
        if len(strides) > 1:
            yield from ({place: stride} for place, stride in strides.items())


def cropped(shape: tuple[int, ...]) -> Change:
    """Returns the change that takes the first entries along each axis."""
    return lambda made, own, right: own[tuple(slice(0, size) for size in shape)]
