"""Wrong backward passes of a normalisation."""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np

from whygrad.diagnosis.shapes_in_tape import Whole
from whygrad.diagnosis.tape import Tape

Array: TypeAlias = Any


def normal_formulas(tape: Tape, whole: Whole) -> Iterator[tuple[str, str, Callable[[Array], Array]]]:
    """Yields wrong backward passes of a normalisation: code, words, and the formula of the cotangent of xhat."""
    axes, istd = whole.axes, whole.scale
    x, xhat = tape.steps[whole.start].value, tape.steps[whole.end].value
    centred = x - x.mean(axis=axes, keepdims=True)
    count = int(np.prod([x.shape[axis] for axis in axes]))

    def mean(array: Array) -> Array:
        return array.mean(axis=axes, keepdims=True)

    def total(array: Array) -> Array:
        return array.sum(axis=axes, keepdims=True)

    def right(d: Array) -> Array:
        return istd * (d - (mean(d) if whole.centred else 0) - xhat * mean(d * xhat))

    constant, other = "normalisation_stats_constant", "normalisation_other"
    if whole.centred:
        yield constant, "both", lambda d: istd * d
        yield constant, "the variance alone", lambda d: istd * (d - mean(d))
        yield constant, "the mean alone", lambda d: istd * (d - xhat * mean(d * xhat))
        yield (
            "normalisation_mean_twice",
            "the mean of d twice",
            lambda d: istd * (d - 2 * mean(d) - xhat * mean(d * xhat)),
        )
        yield (
            "normalisation_mean_twice",
            "the term with xhat twice",
            lambda d: istd * (d - mean(d) - 2 * xhat * mean(d * xhat)),
        )
        yield (
            "normalisation_mean_twice",
            "the mean of x is subtracted from xhat again",
            lambda d: istd * (d - mean(d) - (xhat - mean(x)) * mean(d * (xhat - mean(x)))),
        )
    else:
        yield constant, "the mean square", lambda d: istd * d
        yield (
            other,
            "a mean is subtracted that the forward pass doesn't subtract",
            lambda d: right(d) - istd * mean(d),
        )
    for over in (*((axis,) for axis in range(x.ndim)), tuple(range(x.ndim))):
        if over != axes:
            words = f"over axis {', '.join(map(str, over))} instead of {', '.join(map(str, axes))}"
            factor = count / float(np.prod([x.shape[axis] for axis in over]))
            axis = "normalisation_wrong_axis"
            yield axis, words, _formula(istd, xhat, over, over)
            yield axis, f"the mean of d {words}", _formula(istd, xhat, over, axes)
            yield axis, f"the term with xhat {words}", _formula(istd, xhat, axes, over)
            yield axis, f"divided by the entries {words}", _formula(istd, xhat, axes, axes, factor)
    yield other, "sums for means", lambda d: istd * (d - total(d) - xhat * total(d * xhat))
    yield other, "the sign of the mean of d", lambda d: istd * (d + mean(d) - xhat * mean(d * xhat))
    yield other, "the sign of the term with xhat", lambda d: istd * (d - mean(d) + xhat * mean(d * xhat))
    yield other, "both signs", lambda d: istd * (d + mean(d) + xhat * mean(d * xhat))
    yield other, "1/std is left out", lambda d: right(d) / istd
    yield other, "divided by the variance instead of by its root", lambda d: right(d) * istd
    yield (
        other,
        "x - mean stands where xhat belongs",
        lambda d: istd * (d - mean(d) - centred * mean(d * centred)),
    )
    yield (
        other,
        "x - mean stands where xhat belongs once",
        lambda d: istd * (d - mean(d) - centred * mean(d * xhat)),
    )
    yield other, "x stands where xhat belongs", lambda d: istd * (d - mean(d) - x * mean(d * x))
    yield other, "xhat is missing once", lambda d: istd * (d - mean(d) - mean(d * xhat))
    yield other, "half of the variance's term", lambda d: istd * (d - mean(d) - 0.5 * xhat * mean(d * xhat))
    if count > 1:
        yield other, "n - 1 for n", lambda d: istd * (d - mean(d) - xhat * total(d * xhat) / (count - 1))
        yield (
            other,
            "n - 1 for n in both",
            lambda d: istd * (d - (total(d) + xhat * total(d * xhat)) / (count - 1)),
        )


def _formula(
    istd: Array, xhat: Array, mean_over: tuple[int, ...], dot_over: tuple[int, ...], factor: float = 1.0
) -> Callable[[Array], Array]:
    """Returns the backward pass of a normalisation with its means taken over some axes."""

    def made(d: Array) -> Array:
        mean = d.mean(axis=mean_over, keepdims=True)
        dot = (d * xhat).mean(axis=dot_over, keepdims=True)
        return istd * (d - factor * (mean + xhat * dot))

    return made
