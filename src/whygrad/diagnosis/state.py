"""Mistakes in what is kept between calls, batches and examples: they change all parameters in one way."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from whygrad.arrays import Array
from whygrad.diagnosis.mistake import At, Change, Mistake, Multiple
from whygrad.diagnosis.setting import Ruler, Setting

MOST_EXAMPLES = 200
MOST_BLOCKS = 32


class Whole(NamedTuple):
    """A reading of all gradients at once: the code, the words, and what it costs to assume it.

    ``counts`` is how often each example counts, where that is what the reading says.
    """

    code: str
    note: str
    rank: float
    counts: Array = None


def shares_of_examples(found: Array, close: float = 1e-6) -> Whole | None:
    """Returns what the number of times that each example counts says, or nothing.

    Args:
        found: Each example's share, 1 where it is right.
        close: How near two shares have to be to be the same, relative to the largest.
    """
    m = len(found)
    largest = float(np.max(np.abs(found)))
    if m < 2 or largest == 0:
        return None
    relative = found / largest
    live = np.abs(relative) > close
    if live.all() and np.allclose(relative, relative[0], atol=close):
        return None
    scale = "" if np.isclose(largest, 1, rtol=10 * close) else f", times {largest:.6g}"
    positive = bool((found[live] > 0).all())
    if positive and np.allclose(relative[live], 1, atol=2 * close):
        kept = np.flatnonzero(live)
        if not any(
            np.isclose(largest, one, rtol=10 * close) for one in (1, m, 1 / m, m / len(kept), 1 / len(kept))
        ):
            return None
        counts = live * (float(np.mean(found[live])) if scale else 1.0)
        if len(kept) == 1 and kept[0] == m - 1:
            return Whole("last_sample_only", f"example {m - 1} alone{scale}", 1.0, counts)
        if kept[-1] == m - 1 and kept[-1] - kept[0] == len(kept) - 1:
            note = f"only the last {len(kept)} of {m} examples are in it{scale}"
            return Whole("gradients_overwritten", note, 1.0, counts)
        return None
    smallest = float(np.min(np.abs(found[live])))
    times = found / smallest
    whole = np.round(times)
    if live.all() and positive and np.allclose(times, whole, atol=10 * close) and whole.max() <= m:
        steps = np.diff(whole)
        if (steps <= 0).all() or (steps >= 0).all():
            counted = ", ".join(str(int(number)) for number in whole)
            return Whole("gradients_not_zeroed", f"the examples count {counted} times", 1.0, whole * smallest)
    return None


def _per_example(setting: Setting, names: list[str]) -> Array:
    columns = []
    for name in names:
        layer = int(name[1:])
        delta = setting.deltas[layer]
        made = delta[:, :, None] * setting.a[layer - 1][:, None, :] if name[0] == "W" else delta
        columns.append(made.reshape(len(delta), -1))
    return np.concatenate(columns, axis=1)


def examples_read(setting: Setting, given: Mapping[str, Array], ruler: Ruler) -> Whole | None:
    """Returns the reading that all gradients are the examples' gradients, each counted some number of times."""
    m = setting.examples
    entries = sum(array.size for array in given.values())
    if not 1 < m <= MOST_EXAMPLES or entries <= m or m * entries > 4_000_000:
        return None
    names = list(given)
    rows = _per_example(setting, names)
    target = np.concatenate([(given[name] - setting.regular(name)).ravel() for name in names])
    found, *_, singular = np.linalg.lstsq(rows.T, target, rcond=None)
    if singular[-1] <= 1e-9 * singular[0]:
        return None
    if not _makes(found @ rows, setting, given, ruler):
        return None
    # What was fitted to rounded numbers is not whole: the whole numbers next to it have to make them too.
    reading = shares_of_examples(found, 1e-6 if ruler.relative < 1e-8 else 0.05)
    return reading if reading is not None and _makes(reading.counts @ rows, setting, given, ruler) else None


def _makes(fitted: Array, setting: Setting, given: Mapping[str, Array], ruler: Ruler) -> bool:
    """Whether the entries of all parameters in one row are the gradients that were handed in."""
    place = 0
    for name, array in given.items():
        made = fitted[place : place + array.size].reshape(array.shape)
        if not ruler.same(name, made, array - setting.regular(name)):
            return False
        place += array.size
    return True


def multiples_by_parameter(
    given: Mapping[str, Array], right: Mapping[str, Array], ruler: Ruler
) -> dict[str, float] | None:
    """Returns the exact multiple that each parameter's gradient is of the right one; nothing where one isn't."""
    made = {}
    for name, array in given.items():
        size = float(np.sum(right[name] ** 2))
        if size == 0:
            if np.any(array):
                return None
            continue
        factor = float(np.sum(array * right[name]) / size)
        if not ruler.same(name, factor * right[name], array):
            return None
        made[name] = factor
    return made


def growth_read(multiples: Mapping[str, float], close: float = 1e-6) -> Whole | None:
    """Returns the reading of whole multiples that grow from the costs downwards: 2, 3, 4."""
    whole = {name: round(number) for name, number in multiples.items()}
    if any(
        abs(multiples[name] - number) > close * max(1, abs(number)) or number < 1
        for name, number in whole.items()
    ):
        return None
    layers = sorted({int(name[1:]) for name in whole}, reverse=True)
    if len(layers) < 2:
        return None
    for kind in ("W", "b"):
        numbers = [whole[f"{kind}{layer}"] for layer in layers if f"{kind}{layer}" in whole]
        if any(below <= above for above, below in pairwise(numbers)):
            return None
    top = max(whole[name] for name in whole if int(name[1:]) == layers[0])
    if top > 8 or max(whole.values()) < 3:
        return None
    shown = ", ".join(f"d{name} {number} times" for name, number in whole.items())
    return Whole("backward_run_twice", shown, 1.0)


def divisor_read(multiples: Mapping[str, float], setting: Setting) -> Whole | None:
    """Returns the reading that each layer's gradients are divided by one of the layer's own sizes."""
    m = setting.examples
    numerator = m if setting.reduction == "mean" else 1
    for offset, what in ((0, "neurons"), (1, "inputs")):
        expected = {name: numerator / setting.sizes[int(name[1:]) - offset] for name in multiples}
        wrong = {name for name, number in multiples.items() if abs(number - 1) > setting.close}
        differing = {round(expected[name], 9) for name in wrong}
        if len(differing) < 2:
            continue
        if all(abs(multiples[name] - expected[name]) < setting.close * expected[name] for name in wrong):
            kinds = {name[0] for name in multiples if name not in wrong}
            if not kinds or (len(kinds) == 1 and not any(name[0] in kinds for name in wrong)):
                by = f"by the number of its {what}" + (
                    f" instead of by the {m} examples" if numerator > 1 else ""
                )
                return Whole("wrong_divisor", f"each layer {by}", 1.0)
    return None


def doubled_read(multiples: Mapping[str, float], close: float = 1e-6) -> Whole | None:
    """Returns the reading of several parameters, but not all, that are exactly doubled."""
    doubled = [name for name, number in multiples.items() if abs(number - 2) < 2 * close]
    right = [name for name, number in multiples.items() if abs(number - 1) < close]
    if len(doubled) >= 2 and right and len(doubled) + len(right) == len(multiples):
        return Whole(
            "update_applied_twice",
            f"{', '.join(f'd{name}' for name in doubled)} are exactly 2 times too large",
            1.0,
        )
    return None


def whole_readings(setting: Setting, given: Mapping[str, Array], ruler: Ruler) -> list[Whole]:
    """Returns every reading of all gradients at once that reproduces them."""
    made = []
    multiples = multiples_by_parameter(given, setting.gradients, ruler)
    if multiples:
        close = setting.close
        made += [
            growth_read(multiples, close),
            doubled_read(multiples, close),
            divisor_read(multiples, setting),
        ]
    else:
        made.append(examples_read(setting, given, ruler))
    return [reading for reading in made if reading is not None]


def _twice_all(setting: Setting, layer: int, level: str) -> Iterator[Multiple]:
    if level == "all":
        yield Multiple(2.0, "two runs add up", 0.1)
        yield Multiple(3.0, "three runs add up", 0.1)


def _one_example(at: At) -> Iterator[Change]:
    m = len(at.delta)
    if m > 1:
        for scale in {1.0, 1 / at.setting.scale}:
            yield Change(
                np.outer(at.delta[-1], at.inputs[-1]) * scale, f"dW{at.layer} has example {m - 1} alone"
            )


def _counted_examples(at: At) -> Iterator[Change]:
    m = len(at.delta)
    if not 2 < m <= 16 or at.delta.shape[1] * at.inputs.shape[1] <= m:
        return
    directions = tuple(np.outer(delta, inputs) for delta, inputs in zip(at.delta, at.inputs, strict=True))

    def accept(found: Array) -> str | None:
        reading = shares_of_examples(found)
        return reading.note if reading is not None and reading.code == "gradients_overwritten" else None

    yield Change(np.zeros_like(directions[0]), "", directions, accept)


def _last_alone(at: At) -> Iterator[Change]:
    m = at.setting.examples
    if at.last and m > 1:
        for scale in {1.0, 1 / at.setting.scale}:
            yield Change(at.back * _from(m - 1, m) * scale, f"example {m - 1} alone")


def _last_block(at: At) -> Iterator[Change]:
    m = at.setting.examples
    if not at.last or m > MOST_BLOCKS:
        return
    for kept in range(2, m):
        note = f"only the last {kept} of {m} examples are in it"
        for scale in {1.0, m / kept} if at.setting.reduction == "mean" else {1.0}:
            yield Change(at.back * _from(m - kept, m) * scale, note)


def _blocks_again(at: At) -> Iterator[Change]:
    """Earlier examples in the gradient once more, as often as blocks have come after them."""
    m = at.setting.examples
    if not at.last or m > MOST_BLOCKS:
        return
    twice = [1.0 + (np.arange(m) < first) for first in range(1, m)]
    blocks = [np.ceil(m / size) - np.arange(m) // size for size in range(1, (m + 1) // 2)]
    for counts in (*twice, *blocks):
        noted = ", ".join(str(int(number)) for number in counts)
        yield Change(at.back * counts[:, None], f"the examples count {noted} times")


def _from(first: int, many: int) -> Array:
    return (np.arange(many) >= first)[:, None]


def _blocks(m: int) -> Iterator[slice]:
    if 2 < m <= MOST_BLOCKS:
        yield from (slice(0, stop) for stop in range(2, m))
        yield from (slice(start, m) for start in range(1, m - 1))


def some_examples(at: At, bias: bool) -> Iterator[Change]:
    """Yields the gradients of a weight or a bias that neighbouring examples make, from the first or to the last."""
    m = len(at.delta)
    for block in _blocks(m):
        delta = at.delta[block]
        value = delta.sum(axis=0) if bias else delta.T @ at.inputs[block]
        name = f"{'db' if bias else 'dW'}{at.layer}"
        yield Change(value, f"only the examples {block.start} to {block.stop - 1} of {m} are in {name}")


ENTRIES = (
    Mistake(
        "gradients_not_zeroed",
        "state",
        "gradients of earlier calls or batches are still in the buffers: {note}",
        "set every gradient to 0 before the backward pass of a batch",
        "all parameters; seen when the backward pass is run twice, or on parts of the batch",
        {"error": _blocks_again},
        multiples=_twice_all,
    ),
    Mistake(
        "gradients_overwritten",
        "state",
        "'=' where '+=' belongs over batches or blocks: {note}",
        "add up the blocks' gradients: g += ...",
        "all parameters, with more than one example",
        {"weight": _counted_examples, "error": _last_block},
    ),
    Mistake(
        "last_sample_only",
        "state",
        "'=' where '+=' belongs over the examples: {note}",
        "add up the examples' gradients: g += ...",
        "all parameters, with more than one example",
        {"weight": _one_example, "error": _last_alone},
    ),
    Mistake(
        "backward_run_twice",
        "state",
        "the backward pass ran twice and its inner gradients were not cleared: {note}",
        "run the backward pass once, or clear the gradients of the activations too",
        "all parameters",
    ),
    Mistake(
        "update_applied_twice",
        "state",
        "a step is applied twice: {note}",
        "apply each update once",
        "some parameters",
    ),
)
