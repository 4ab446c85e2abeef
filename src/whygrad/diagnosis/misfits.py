"""Gradients whose shapes don't fit: what they are instead."""

import numpy as np

from whygrad.arrays import Array
from whygrad.diagnosis.record import Finding
from whygrad.diagnosis.setting import Ruler, Setting
from whygrad.diagnosis.table import TABLE, finding_of


def _finding(name: str, code: str | None, says: str, fix: str, exact: bool) -> Finding:
    return Finding(name, code, says, fix, 1.0 if exact else 0.0, (name,), exact, (), int(name[1:]))


def _bias(setting: Setting, name: str, given: Array, ruler: Ruler) -> tuple[str | None, str]:
    layer = int(name[1:])
    delta = setting.deltas[layer]
    expected = setting.b[layer].shape
    head = f"d{name} has the shape {given.shape}, b{layer} has {expected}"
    for scale in (1.0, 1 / setting.scale):
        per_example = delta * scale
        for wanted in (per_example, per_example.T):
            if given.shape == wanted.shape and ruler.same(name, given, wanted):
                return "bias_not_reduced", f"{head}: it is delta{layer}, not yet summed over the examples"
    if given.shape in ((len(delta), delta.shape[1]), (delta.shape[1], len(delta))):
        return "bias_not_reduced", f"{head}: one entry for each example; sum over the examples"
    if given.size == 1:
        total = float(delta.sum())
        if any(
            ruler.same(name, given.ravel(), np.array([total * by]))
            for by in (1.0, 1 / delta.shape[1], 1 / delta.size, 1 / len(delta))
        ):
            return (
                "bias_sum_over_units",
                f"{head}: it is one number for the whole layer; sum over the examples only",
            )
        return None, f"{head}: it is one number for the whole layer"
    if given.size == len(delta):
        sums = delta.sum(axis=1)
        if any(
            ruler.same(name, given.ravel(), sums * by) for by in (1.0, 1 / delta.shape[1], 1 / setting.scale)
        ):
            return "bias_sum_over_units", f"{head}: it is summed over the units instead of over the examples"
    return None, f"{head}"


def _weight(setting: Setting, name: str, given: Array, ruler: Ruler) -> tuple[str | None, str]:
    right = setting.gradients[name]
    head = f"d{name} has the shape {given.shape}, {name} has {right.shape}"
    if given.shape == right.T.shape and given.ndim == 2:
        if ruler.same(name, given.T, right):
            return "weight_gradient_transposed", (
                f"{head}: it is the right one transposed; if rows are where a weight comes from, say layout='from-to'"
            )
        return (
            "weight_gradient_transposed",
            f"{head}: it is transposed (and its numbers differ too); see layout='from-to'",
        )
    if given.ndim == 2 and given.shape in (
        (right.shape[0], right.shape[1] + 1),
        (right.shape[1] + 1, right.shape[0]),
    ):
        return None, f"{head}: if the bias is one of its columns or rows, say layout='to-from+bias'"
    if given.size == right.size:
        for shaped, words in (
            (given.reshape(right.shape), "reshape it"),
            (given.reshape(right.T.shape).T, "reshape and transpose it"),
        ):
            if ruler.same(name, shaped, right):
                return None, f"{head}: the numbers are right; {words}"
    if (
        given.ndim == 3
        and given.shape[0] == setting.examples
        and given.sum(axis=0).shape in (right.shape, right.T.shape)
    ):
        return None, f"{head}: one matrix for each example; sum over the examples"
    return None, head


def misfit_finding(setting: Setting, name: str, given: Array, ruler: Ruler) -> Finding:
    """Returns what is wrong with a gradient whose shape doesn't fit its parameter."""
    code, says = (_weight if name[0] == "W" else _bias)(setting, name, given, ruler)
    if code is None:
        return _finding(name, None, says, f"give d{name} the shape {setting.gradients[name].shape}", False)
    fix = TABLE[code].fix.format(l=int(name[1:]), up=int(name[1:]) + 1, down=int(name[1:]) - 1)
    return _finding(name, code, says, fix, True)


def fitted_to(array: Array, shape: tuple[int, ...]) -> Array | None:
    """Returns an array in a shape that differs from its own in axes of length 1 only; nothing where others differ."""
    if array.shape == shape:
        return array
    if array.size == int(np.prod(shape)) and [n for n in array.shape if n != 1] == [
        n for n in shape if n != 1
    ]:
        return array.reshape(shape)
    return None


def misshapen(name: str, given: Array, right: Array, ruler: Ruler) -> Finding:
    """Returns what the shape of a gradient of somebody's own function shows."""
    head = f"d{name} has the shape {given.shape}, {name} has {right.shape}"
    if right.ndim == 1 and given.ndim == 2 and right.shape[0] in given.shape:
        axis = 0 if given.shape[1] == right.shape[0] else 1
        if ruler.same(name, given.sum(axis=axis), right):
            return finding_of("bias_not_reduced", f"{head}: sum it over axis {axis}", (name,))
    if given.ndim == 2 and given.T.shape == right.shape and ruler.same(name, given.T, right):
        return finding_of("weight_gradient_transposed", head, (name,))
    if given.size == 1 and ruler.same(name, np.sum(given), np.sum(right)):
        return finding_of("bias_sum_over_units", f"{head}: one number for all", (name,))
    return Finding(name, None, head, f"give d{name} the shape {right.shape}", 0.0, (name,), False)
