"""Finds on a tape what a person wrote out in single steps: sigmoids, normalisations, loops, uses of a parameter."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from whygrad.arrays import Array
from whygrad.diagnosis.numpy_functions import PARTIALS
from whygrad.diagnosis.tape import Change, Tape, groups


class Whole(NamedTuple):
    """A function from one step to a later one that several steps make together.

    Attributes:
        kind: ``sigmoid``, ``tanh``, ``relu``, ``other`` (elementwise), ``softmax`` or ``normalisation``.
        start: The step that it is a function of.
        end: The step that holds its value.
        axes: Of a normalisation: the axes that mean and variance were taken over; of a softmax: its axis.
        scale: Of a normalisation: 1 / standard deviation.
        centred: Of a normalisation: whether the mean was subtracted.
    """

    kind: str
    start: int
    end: int
    axes: tuple[int, ...] = ()
    scale: Array = None
    centred: bool = True


def descendants(tape: Tape, start: int) -> set[int]:
    """Returns the steps that depend on a step, and itself."""
    found = {start}
    for number in range(start + 1, len(tape.steps)):
        if any(source in found for source in tape.steps[number].inputs):
            found.add(number)
    return found


def ancestors(tape: Tape, end: int) -> set[int]:
    """Returns the steps that a step depends on, and itself."""
    found = {end}
    for number in range(end, -1, -1):
        if number in found:
            found.update(tape.steps[number].inputs)
    return found


def bypassed(tape: Tape, whole: Whole, formula: Any) -> dict[tuple[int, int], Change]:
    """Returns the changes that put a formula of the cotangent at the end in the place of everything in between."""
    between = descendants(tape, whole.start) & ancestors(tape, whole.end)
    edges = [
        (number, which)
        for number in sorted(between)
        for which, source in enumerate(tape.steps[number].inputs)
        if source == whole.start and number != whole.start
    ]
    changes: dict[tuple[int, int], Change] = {edges[0]: lambda made, own, right: formula(made[whole.end])}
    for edge in edges[1:]:
        changes[edge] = lambda made, own, right: np.zeros_like(right)
    return changes


def activations(tape: Tape, reaching: set[int]) -> list[Whole]:
    """Returns the sigmoids, hyperbolic tangents and ReLUs of things that depend on parameters."""
    found = []
    for number in sorted(reaching):
        step = tape.steps[number]
        if step.name == "tanh" and step.inputs:
            found.append(Whole("tanh", step.inputs[0], number))
        elif step.name == "maximum" and len(step.inputs) == 2:
            which = next((w for w in (0, 1) if step.inputs[w] in reaching), 0)
            if not np.any(tape.steps[step.inputs[1 - which]].value):
                found.append(Whole("relu", step.inputs[which], number))
        elif step.name in ("divide", "reciprocal", "multiply", "add", "power", "where") and step.value.ndim:
            found += _sigmoid(tape, number, reaching)
    return found


def _sigmoid(tape: Tape, number: int, reaching: set[int]) -> Iterator[Whole]:
    value = tape.steps[number].value
    if not ((value > 0) & (value < 1)).all():
        return
    with np.errstate(all="ignore"):
        wanted = np.log(value) - np.log1p(-value)
    seen, near = {number}, [number]
    for _ in range(5):
        near = [
            source
            for one in near
            for source in tape.steps[one].inputs
            if source in reaching and source not in seen
        ]
        seen.update(near)
        for source in near:
            found = tape.steps[source].value
            if found.shape == value.shape and np.allclose(found, wanted, rtol=1e-7, atol=1e-9):
                yield Whole("sigmoid", source, number)
                return


#: Elementwise steps that are no function of their own: with a constant they scale or move, and no more.
_AFFINE = ("add", "subtract", "multiply", "divide", "negative", "positive")


def chains(tape: Tape, reaching: set[int]) -> list[Whole]:
    """Returns the elementwise functions of one quantity, of one step or of several: whatever is used as a whole."""
    users = tape.users()
    base: dict[int, int] = {}
    bent: dict[int, bool] = {}
    straight: dict[int, list[int]] = {}
    for number in sorted(reaching):
        step = tape.steps[number]
        sources = {source for source in step.inputs if source in reaching}
        roots = {base.get(source, source) for source in sources}
        base[number], bent[number], straight[number] = number, False, [number]
        if step.kind != "elementwise" or len(roots) != 1:
            continue
        root = roots.pop()
        if tape.steps[root].value.shape != step.value.shape or not step.value.ndim:
            continue
        base[number] = root
        curved = step.name not in _AFFINE or (len(sources) > 1 and step.name in ("multiply", "divide"))
        bent[number] = curved or any(bent[source] for source in sources)
        # Where nothing but constants was added or multiplied so far, the function may as well start here.
        straight[number] = [root] if bent[number] else [root, number]
    found = []
    for end in sorted(reaching):
        if not bent[end] or tape.steps[base[end]].kind == "leaf":
            continue
        if not any(_leaves(tape, user, base, base[end]) for user, _ in users.get(end, [])):
            continue
        inside = ancestors(tape, end)
        starts = [n for n in sorted(inside & reaching) if base[n] == base[end] and not bent[n]]
        found += [Whole("other", start, end) for start in starts]
    return found


def _leaves(tape: Tape, user: int, base: dict[int, int], root: int) -> bool:
    """Whether a step that uses a function's value is none of its steps: something else is made from it there."""
    step = tape.steps[user]
    if step.kind == "reduce" or not step.value.ndim:
        return False
    constant = any(tape.steps[source].kind == "constant" for source in step.inputs)
    return base.get(user) != root or (constant and step.name in ("subtract", "multiply", "divide"))


def replayed(tape: Tape, whole: Whole, x: Array) -> tuple[Array, Array]:
    """Returns the value and the slope of an elementwise function at another argument."""
    between = sorted(descendants(tape, whole.start) & ancestors(tape, whole.end) - {whole.start})
    values: dict[int, Array] = {whole.start: x}
    slopes: dict[int, Array] = {whole.start: np.ones_like(x)}
    for number in between:
        step = tape.steps[number]
        inputs = [values.get(source, tape.steps[source].value) for source in step.inputs]
        with np.errstate(all="ignore"):
            if step.name in PARTIALS:
                values[number] = getattr(np, step.name)(*inputs)
                partials = PARTIALS[step.name](*inputs, values[number])
            else:
                partials = step.data
                values[number] = sum(part * value for part, value in zip(partials, inputs, strict=True))
        slopes[number] = sum(
            part * slopes[source]
            for part, source in zip(partials, step.inputs, strict=True)
            if source in slopes
        )
    return values[whole.end], slopes[whole.end]


def softmaxes(tape: Tape, reaching: set[int]) -> list[Whole]:
    """Returns the steps that hold the softmax of another step."""
    found = []
    for end in sorted(reaching):
        step = tape.steps[end]
        value = step.value
        if step.name not in ("divide", "multiply", "exp") or not value.ndim or (value <= 0).any():
            continue
        for axis in range(value.ndim):
            if value.shape[axis] < 2 or not np.allclose(value.sum(axis=axis), 1, rtol=1e-9):
                continue
            starts = [
                number
                for number in sorted(ancestors(tape, end) & reaching - {end})
                if tape.steps[number].value.shape == value.shape
                and np.allclose(np.ptp(np.log(value) - tape.steps[number].value, axis=axis), 0, atol=1e-8)
            ]
            # The largest may have been subtracted first: that is a part of the softmax.
            starts = [n for n in starts if tape.steps[n].name != "subtract"] or starts
            if starts:
                found.append(Whole("softmax", starts[-1], end, (axis,)))
    return found


def normalisations(tape: Tape, reaching: set[int]) -> list[Whole]:
    """Returns the steps that hold another step less its mean, divided by its standard deviation."""
    found: list[Whole] = []
    ends = [
        n
        for n in sorted(reaching)
        if tape.steps[n].name in ("multiply", "divide") and tape.steps[n].value.ndim
    ]
    for end in ends[:200]:
        value = tape.steps[end].value
        for start in sorted(ancestors(tape, end) & reaching):
            source = tape.steps[start].value
            if start == end or source.shape != value.shape or source.size < 3:
                continue
            for axes in _axes(source.ndim):
                made = _normal(source, value, axes)
                if made is not None and not any((one.start, one.end) == (start, end) for one in found):
                    found.append(Whole("normalisation", start, end, axes, *made))
    return [one for end in dict.fromkeys(one.end for one in found) for one in _start(tape, found, end)]


def _start(tape: Tape, found: list[Whole], end: int) -> list[Whole]:
    """Returns the one of several wholes with the same end that starts where mean and variance are taken from.

    What came before it (an affine step such as adding a bias) has one user; what comes after it has its mean
    subtracted already.
    """
    mine = [one for one in found if one.end == end]
    inside = ancestors(tape, end)
    users = tape.users()
    branched = [one for one in mine if sum(user in inside for user, _ in users.get(one.start, [])) > 1]
    return (branched or mine)[:1]


def _axes(ndim: int) -> Iterator[tuple[int, ...]]:
    for many in range(1, ndim + 1):
        yield from combinations(range(ndim), many)


def _normal(source: Array, value: Array, axes: tuple[int, ...]) -> tuple[Array, bool] | None:
    for centred in (True, False):
        apart = source - source.mean(axis=axes, keepdims=True) if centred else source
        variance = (apart**2).mean(axis=axes, keepdims=True)
        if (variance <= 1e-12).any() or (not centred and np.allclose(source.mean(axis=axes), 0, atol=1e-9)):
            continue
        scale = (apart * value).mean(axis=axes, keepdims=True) / variance
        if (scale <= 0).any() or not np.allclose(value, apart * scale, rtol=1e-7, atol=1e-9):
            continue
        eps = 1 / scale**2 - variance
        if (
            np.ptp(eps) < 1e-6 * max(1.0, float(np.max(variance)))
            and float(np.min(eps)) > -1e-7
            and float(np.max(eps)) < 0.2
        ):
            return scale, centred
    return None


def loops(tape: Tape, reaching: set[int]) -> list[tuple[int, ...]]:
    """Returns the groups of steps that one piece of code made in several rounds of a loop."""
    return [group for group in groups(tape, sorted(reaching - set(tape.leaves.values()))) if len(group) > 1]


def moved_leaf(tape: Tape, number: int) -> int | None:
    """Returns the parameter that a step is, or is a selection of (a transpose, a slice); nothing otherwise."""
    while tape.steps[number].kind == "select" and len(tape.steps[number].inputs) == 1:
        number = tape.steps[number].inputs[0]
    return number if tape.steps[number].kind == "leaf" else None
