"""Values in the memory of a model or its batch, copied: what becomes of that memory later is not the record's."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from whygrad.torch_recorder.memory import Memory


class _Stretch(NamedTuple):
    """Part of a storage, in entries, and which of the values lie in it."""

    start: int
    stop: int
    members: tuple[int, ...]


def apart(values: Sequence[Tensor], outside: Sequence[Tensor]) -> dict[int, Tensor]:
    """Returns copies, by their places, of the values that lie in the memory of some tensors; views stay views.

    Of a storage only what the values show is copied: a batch may be a slice of all the data there are.

    Example:
        >>> import torch
        >>> x = torch.arange(6.0)
        >>> made = apart([x[2:4], x[2:4].expand(3, 2), x + 1], [x])
        >>> x.zero_(), made[1], sorted(made)
        (tensor([0., 0., 0., 0., 0., 0.]), tensor([[2., 3.],
                [2., 3.],
                [2., 3.]]), [0, 1])
    """
    there = {Memory.place(tensor) for tensor in outside}
    found: dict[Any, list[int]] = {}
    for number, value in enumerate(values):
        place = Memory.place(value)
        if place in there and value.numel():
            found.setdefault((place, value.dtype), []).append(number)
    made: dict[int, Tensor] = {}
    for numbers in found.values():
        if len(numbers) == 1 and values[numbers[0]].is_contiguous():  # most weights
            made[numbers[0]] = values[numbers[0]].clone()
            continue
        for stretch in _stretches(values, numbers):
            first = values[stretch.members[0]]
            if first.is_contiguous() and first.numel() == stretch.stop - stretch.start:
                copy = made[stretch.members[0]] = first.clone()
                others = stretch.members[1:]
            else:
                copy = first.as_strided((stretch.stop - stretch.start,), (1,), stretch.start).clone()
                others = stretch.members
            for number in others:
                value = values[number]
                made[number] = copy.as_strided(
                    value.shape, value.stride(), value.storage_offset() - stretch.start
                )
    return made


def _stretches(values: Sequence[Tensor], numbers: Sequence[int]) -> Iterator[_Stretch]:
    """Yields the stretches of one storage that some values lie in, those that overlap as one."""
    spans = []
    for number in numbers:
        value = values[number]
        start = int(value.storage_offset())
        if value.is_contiguous():
            reach = value.numel()
        else:
            reach = 1 + sum(
                stride * (size - 1) for size, stride in zip(value.shape, value.stride(), strict=True)
            )
        spans.append((start, start + reach, number))
    spans.sort()
    start, stop, members = spans[0][0], spans[0][1], [spans[0][2]]
    for low, high, number in spans[1:]:
        if low >= stop:
            yield _Stretch(start, stop, tuple(members))
            start, members = low, []
        stop = max(stop, high)
        members.append(number)
    yield _Stretch(start, stop, tuple(members))
