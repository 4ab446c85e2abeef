"""Wrong backward passes of a normalisation."""

from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np

from whygrad.arrays import Array
from whygrad.diagnosis.shapes_in_tape import Whole
from whygrad.diagnosis.tape import Tape


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

    mu = 1.0 if whole.centred else 0.0

    def made(d: Array, of_mean: float, of_dot: float) -> Array:
        return istd * (d - mu * of_mean * mean(d) - of_dot * xhat * mean(d * xhat))

    def right(d: Array) -> Array:
        return made(d, 1, 1)

    constant, other = "normalisation_stats_constant", "normalisation_other"
    yield constant, "both" if whole.centred else "the mean square", lambda d: made(d, 0, 0)
    yield other, "the sign of the term with xhat", lambda d: made(d, 1, -1)
    yield "normalisation_mean_twice", "the term with xhat twice", lambda d: made(d, 1, 2)
    yield other, "half of the variance's term", lambda d: made(d, 1, 0.5)
    if whole.centred:
        yield constant, "the variance alone", lambda d: made(d, 1, 0)
        yield constant, "the mean alone", lambda d: made(d, 0, 1)
        yield "normalisation_mean_twice", "the mean of d twice", lambda d: made(d, 2, 1)
        yield "normalisation_mean_twice", "both means twice", lambda d: made(d, 2, 2)
        yield other, "the sign of the mean of d", lambda d: made(d, -1, 1)
        yield other, "both signs", lambda d: made(d, -1, -1)
        yield (
            "normalisation_mean_twice",
            "the mean of x is subtracted from xhat again",
            lambda d: istd * (d - mean(d) - (xhat - mean(x)) * mean(d * (xhat - mean(x)))),
        )
    else:
        yield (
            other,
            "a mean is subtracted that the forward pass doesn't subtract",
            lambda d: right(d) - istd * mean(d),
        )
    for over in (axes for many in range(1, x.ndim + 1) for axes in combinations(range(x.ndim), many)):
        if over != axes:
            words = f"over axis {', '.join(map(str, over))} instead of {', '.join(map(str, axes))}"
            factor = count / float(np.prod([x.shape[axis] for axis in over]))
            axis = "normalisation_wrong_axis"
            yield axis, words, _formula(istd, xhat, over, over, mu)
            yield axis, f"the mean of d {words}", _formula(istd, xhat, over, axes, mu)
            yield axis, f"the term with xhat {words}", _formula(istd, xhat, axes, over, mu)
            yield axis, f"divided by the entries {words}", _formula(istd, xhat, axes, axes, mu, factor)
            yield axis, f"the term with xhat summed {words}", _in_steps(istd, xhat, axes, over, count)
            yield axis, f"the mean summed {words}", _in_steps(istd, xhat, over, axes, count)
            yield axis, f"summed {words}", _in_steps(istd, xhat, over, over, count)
    yield other, "sums for means", lambda d: istd * (d - total(d) - xhat * total(d * xhat))
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
    if count > 1:
        yield other, "n - 1 for n", lambda d: istd * (d - mean(d) - xhat * total(d * xhat) / (count - 1))
        yield (
            other,
            "n - 1 for n in both",
            lambda d: istd * (d - (total(d) + xhat * total(d * xhat)) / (count - 1)),
        )


def _formula(
    istd: Array,
    xhat: Array,
    mean_over: tuple[int, ...],
    dot_over: tuple[int, ...],
    mu: float,
    factor: float = 1.0,
) -> Callable[[Array], Array]:
    """Returns the backward pass of a normalisation with its means taken over some axes."""

    def made(d: Array) -> Array:
        mean = d.mean(axis=mean_over, keepdims=True)
        dot = (d * xhat).mean(axis=dot_over, keepdims=True)
        return istd * (d - factor * (mu * mean + xhat * dot))

    return made


def _in_steps(
    istd: Array, xhat: Array, mean_over: tuple[int, ...], dot_over: tuple[int, ...], count: int
) -> Callable[[Array], Array]:
    """Returns the backward pass in the single steps of course notes, where the variance goes back before the mean."""

    def made(d: Array) -> Array:
        apart = istd * (d - xhat * (d * xhat).sum(axis=dot_over, keepdims=True) / count)
        return apart - apart.sum(axis=mean_over, keepdims=True) / count

    return made
