"""What the gradients of a person's parameters are sums of: shares of examples, positions, rounds of a loop."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from whygrad.arrays import Array
from whygrad.diagnosis.kernels import Kernels

MOST_SHARES = 512


class Sum(NamedTuple):
    """A sum that makes (a part of) a parameter's gradient.

    Attributes:
        parameter: The parameter.
        size: How many shares there are: examples, positions, or rounds of a loop.
        edges: The uses of the parameter that it runs over, with the axis of each; no axis for rounds of a loop.
    """

    parameter: str
    size: int
    edges: tuple[tuple[int, int, int | None], ...]


def sums(reader: Kernels) -> list[Sum]:
    """Returns every sum over an axis, or over the rounds of a loop, that makes a parameter's gradient."""
    tape, made = reader.tape, []
    for name, leaf in tape.leaves.items():
        rounds: dict[Any, list[tuple[int, int, int | None]]] = {}
        for user, which in _uses(reader, leaf):
            rounds.setdefault(tape.steps[user].site, []).append((user, which, None))
            made += [
                Sum(name, tape.steps[user].value.shape[axis], ((user, which, axis),))
                for axis in _axes(reader, user, which)
            ]
        made += [Sum(name, len(group), tuple(group)) for group in rounds.values() if len(group) > 1]
    return made


def _uses(reader: Kernels, leaf: int) -> Iterator[tuple[int, int]]:
    """Yields the steps that compute with a parameter, which may have been turned or reshaped before."""
    for user, which in reader.users.get(leaf, []):
        if user not in reader.reaching:
            continue
        if reader.tape.steps[user].kind == "select" and len(reader.tape.steps[user].inputs) == 1:
            yield from _uses(reader, user)
        elif not reader.penalty(user):
            yield user, which


def _axes(reader: Kernels, user: int, which: int) -> Iterator[int]:
    """Yields the axes of a step's result that the gradient of one of its inputs is summed over."""
    step = reader.tape.steps[user]
    source = reader.tape.steps[step.inputs[which]].value
    for axis, size in enumerate(step.value.shape):
        if size < 2:
            continue
        if step.kind == "contract":
            if step.data[2][axis] not in step.data[which]:
                yield axis
        elif step.kind == "elementwise":
            own = axis - (step.value.ndim - source.ndim)
            if own < 0 or source.shape[own] == 1:
                yield axis


def shares(reader: Kernels, one: Sum, cotangents: dict[int, Array]) -> Array | None:
    """Returns the shares of a sum, (size, *shape of the parameter); nothing where there are too many."""
    if one.size > MOST_SHARES:
        return None
    made = []
    for user, which, axis in one.edges:
        if user not in cotangents:
            return None
        own = np.asarray(cotangents[user], float)
        if axis is None:
            made.append(_pulled(reader, user, which, own))
            continue
        for place in range(one.size):
            slice_ = np.zeros_like(own)
            at = (slice(None),) * axis + (place,)
            slice_[at] = own[at]
            made.append(_pulled(reader, user, which, slice_))
    return np.stack(made)


def _pulled(reader: Kernels, user: int, which: int, own: Array) -> Array:
    """Returns the cotangent of the parameter that a use sends back, through whatever selects it."""
    tape = reader.tape
    number, cotangent = tape.steps[user].inputs[which], tape.pull(user, which, own)
    while tape.steps[number].kind == "select":
        cotangent = tape.pull(number, 0, cotangent)
        number = tape.steps[number].inputs[0]
    return cotangent


def sizes(found: list[Sum], parameter: str | None = None) -> set[int]:
    """Returns how many shares the sums have: of one parameter (and their product), or in common to all."""
    if parameter is not None:
        mine = [one.size for one in found if one.parameter == parameter]
        whole = int(np.prod(mine)) if mine else 1
        return {size for size in (*mine, whole) if size > 1}
    names = dict.fromkeys(one.parameter for one in found)
    return (
        set.intersection(*({one.size for one in found if one.parameter == name} for name in names))
        if names
        else set()
    )


def averaged(reader: Kernels, size: int) -> bool:
    """Whether the cost divides by a number of examples."""
    for number in sorted(reader.reaching):
        step = reader.tape.steps[number]
        if step.kind == "reduce" and step.data[1] != 1.0:
            count = round(1 / step.data[1])
            if count % size == 0:
                return True
        for source in step.inputs:
            value = reader.tape.steps[source].value
            if reader.tape.steps[source].kind == "constant" and value.ndim == 0 and float(value):
                ratio = float(value) if abs(float(value)) >= 1 else 1 / float(value)
                if (
                    step.name in ("divide", "multiply")
                    and abs(ratio / size - round(ratio / size)) < 1e-9
                    and round(ratio / size)
                ):
                    return True
    return False


def part_of(one: Sum, rows: Array, target: Array, same: Any) -> tuple[int, int] | None:
    """Returns the first of the neighbouring shares that alone make a gradient, and the end; nothing otherwise."""
    after = np.concatenate([np.zeros_like(rows[:1]), np.cumsum(rows, axis=0)])
    for start in range(one.size):
        for stop in (one.size,) if start else range(1, one.size):
            if same(after[stop] - after[start], target):
                return start, stop
    return None
