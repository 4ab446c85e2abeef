"""Mistakes in what is kept between calls, batches and examples: they change all parameters in one way."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from whygrad.diagnosis.mistake import At, Change, Mistake, Multiple
from whygrad.diagnosis.setting import Ruler, Setting

Array = Any
MOST_EXAMPLES = 64


class Whole(NamedTuple):
    """A reading of all gradients at once: the code, the words, and what it costs to assume it."""

    code: str
    note: str
    rank: float


def shares_of_examples(found: Array) -> Whole | None:
    """Returns what the number of times that each example counts says, or nothing.

    Args:
        found: Each example's share, 1 where it is right.
    """
    m = len(found)
    largest = float(np.max(np.abs(found)))
    if m < 2 or largest == 0:
        return None
    relative = found / largest
    live = np.abs(relative) > 1e-6
    if live.all() and np.allclose(relative, relative[0], atol=1e-6):
        return None
    scale = "" if np.isclose(largest, 1) else f", times {largest:.6g}"
    positive = bool((found[live] > 0).all())
    if positive and np.allclose(relative[live], 1, atol=1e-6):
        kept = np.flatnonzero(live)
        if len(kept) == 1 and kept[0] == m - 1:
            return Whole("last_sample_only", f"example {m - 1} alone{scale}", 1.0)
        if kept[-1] == m - 1 and kept[-1] - kept[0] == len(kept) - 1:
            return Whole(
                "gradients_overwritten", f"only the last {len(kept)} of {m} examples are in it{scale}", 1.0
            )
        return None
    smallest = float(np.min(np.abs(found[live])))
    times = found / smallest
    whole = np.round(times)
    if live.all() and positive and np.allclose(times, whole, atol=1e-5) and whole.max() <= m:
        steps = np.diff(whole)
        if (steps <= 0).all() or (steps >= 0).all():
            counted = ", ".join(str(int(number)) for number in whole)
            return Whole("gradients_not_zeroed", f"the examples count {counted} times", 1.0)
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
    fitted = found @ rows
    place = 0
    for name in names:
        size = given[name].size
        made = fitted[place : place + size].reshape(given[name].shape)
        if not ruler.same(name, made, given[name] - setting.regular(name)):
            return None
        place += size
    return shares_of_examples(found)


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


def growth_read(multiples: Mapping[str, float]) -> Whole | None:
    """Returns the reading of whole multiples that grow from the costs downwards: 2, 3, 4."""
    whole = {name: round(number) for name, number in multiples.items()}
    if any(
        abs(multiples[name] - number) > 1e-6 * max(1, abs(number)) or number < 1
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
    if top > 3 or max(whole.values()) < 3:
        return None
    shown = ", ".join(f"d{name} {number} times" for name, number in whole.items())
    return Whole("backward_run_twice", shown, 1.0)


def divisor_read(multiples: Mapping[str, float], setting: Setting) -> Whole | None:
    """Returns the reading that each layer's gradients are divided by one of the layer's own sizes."""
    m = setting.examples
    numerator = m if setting.reduction == "mean" else 1
    for offset, what in ((0, "neurons"), (1, "inputs")):
        expected = {name: numerator / setting.sizes[int(name[1:]) - offset] for name in multiples}
        wrong = {name for name, number in multiples.items() if abs(number - 1) > 1e-6}
        differing = {round(expected[name], 9) for name in wrong}
        if len(differing) < 2:
            continue
        if all(abs(multiples[name] - expected[name]) < 1e-6 * expected[name] for name in wrong):
            kinds = {name[0] for name in multiples if name not in wrong}
            if not kinds or (len(kinds) == 1 and not any(name[0] in kinds for name in wrong)):
                by = f"by the number of its {what}" + (
                    f" instead of by the {m} examples" if numerator > 1 else ""
                )
                return Whole("wrong_divisor", f"each layer {by}", 1.0)
    return None


def doubled_read(multiples: Mapping[str, float]) -> Whole | None:
    """Returns the reading of several parameters, but not all, that are exactly doubled."""
    doubled = [name for name, number in multiples.items() if abs(number - 2) < 1e-6]
    right = [name for name, number in multiples.items() if abs(number - 1) < 1e-6]
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
        made += [growth_read(multiples), doubled_read(multiples), divisor_read(multiples, setting)]
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


ENTRIES = (
    Mistake(
        "gradients_not_zeroed",
        "state",
        "gradients of earlier calls or batches are still in the buffers: {note}",
        "set every gradient to 0 before the backward pass of a batch",
        "all parameters; seen when the backward pass is run twice, or on parts of the batch",
        multiples=_twice_all,
    ),
    Mistake(
        "gradients_overwritten",
        "state",
        "'=' where '+=' belongs over batches or blocks: {note}",
        "add up the blocks' gradients: g += ...",
        "all parameters, with more than one example",
        {"weight": _counted_examples},
    ),
    Mistake(
        "last_sample_only",
        "state",
        "'=' where '+=' belongs over the examples: {note}",
        "add up the examples' gradients: g += ...",
        "all parameters, with more than one example",
        {"weight": _one_example},
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
