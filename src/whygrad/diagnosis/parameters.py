"""The gradients of weights and biases that a delta leads to, where one more mistake is made after it."""

from collections.abc import Iterator
from math import isclose
from typing import TypeAlias

import numpy as np

from whygrad.arrays import Array
from whygrad.diagnosis.mistake import At
from whygrad.diagnosis.reading import Step, Steps, changes, fit, step_of
from whygrad.diagnosis.setting import Ruler
from whygrad.diagnosis.table import STRAY, TABLE, Named, named_multiple

Option: TypeAlias = tuple[Steps, Array]
MOST_READINGS = 6


def cost_of(steps: Steps) -> float:
    """Returns what steps cost by themselves."""
    return sum(step.cost for step in steps)


def parameter_readings(at: At, name: str, ruler: Ruler) -> list[Steps]:
    """Returns the lists of steps that lead from a delta to a parameter's gradient: the cheapest, and those near it."""
    slot = "weight" if name[0] == "W" else "bias"
    setting = at.setting
    target = at.given[name] - setting.regular(name)
    right = setting.weight_gradient(at.layer, at.delta) if slot == "weight" else at.delta.sum(axis=0)
    plain: list[Option] = [((), right)]
    changed: list[Option] = []
    for mistake, change in changes(at, slot):
        value, note = change.value, ""
        if change.directions:
            found = fit([part.ravel() for part in change.directions], (target - value).ravel())
            accepted = change.accept(found) if found is not None and change.accept else None
            if found is None or accepted is None:
                continue
            note = accepted
            value = value + sum(number * part for number, part in zip(found, change.directions, strict=True))
        changed.append(((step_of(at, mistake, slot, change, note),), value))
    made = [steps for steps, value in changed if ruler.same(name, value, target)]
    made += _multiples(at, name, slot, plain, target, ruler) + _strengths(at, name, plain, ruler)
    if not made:
        made = _multiples(at, name, slot, changed, target, ruler) + _strengths(at, name, changed, ruler)
    made.sort(key=cost_of)
    return [steps for steps in made if cost_of(steps) <= cost_of(made[0]) + 1.0][:MOST_READINGS]


def _multiples(
    at: At, name: str, slot: str, options: list[Option], target: Array, ruler: Ruler
) -> list[Steps]:
    made = []
    regular = at.setting.regular(name)
    compared = [(steps, value, target) for steps, value in options]
    if np.any(regular):
        # The regularisation may have been multiplied with the rest.
        compared += [(steps, value + regular, at.given[name]) for steps, value in options]
    for steps, value, wanted in compared:
        size = float(np.sum(value**2))
        if not size or not np.isfinite(size):
            continue
        number = float(np.sum(value * wanted)) / size
        if isclose(number, 1, rel_tol=at.setting.close) or not ruler.same(name, number * value, wanted):
            continue
        for named in named_multiple(at.setting, at.layer, slot, number):
            if target.size == 1 and (steps or not _telling(named, number)):
                continue
            extra = tuple(
                Step(
                    mistake.code,
                    at.layer,
                    slot,
                    multiple.note,
                    named.cost / len(named.parts),
                    multiple.number,
                )
                for mistake, multiple in named.parts
            )
            made.append((*steps, *extra))
    return made


def _telling(named: Named, number: float) -> bool:
    """Whether one number alone speaks for a multiple: any number is a multiple of any other."""
    size = max(abs(number), 1 / abs(number)) if number else 0.5
    return named.parts[0][0] is not STRAY or isclose(size, round(size), rel_tol=1e-6)


def _strengths(at: At, name: str, options: list[Option], ruler: Ruler) -> list[Steps]:
    """Returns the steps in which weights are regularised with another strength than in the cost."""
    if name[0] != "W":
        return []
    W, made = at.setting.W[at.layer], []
    size = float(np.sum(W**2))
    for steps, value in options:
        left = at.given[name] - value
        if W.size < 2 or not size or not np.isfinite(left).all():
            continue
        strength = float(np.sum(left * W)) / size
        if isclose(strength, at.setting.l2, rel_tol=at.setting.close):
            continue
        if ruler.same(name, strength * W + value, at.given[name]):
            made += [(*steps, step) for step in _strength(at, strength)]
    return made


def _strength(at: At, strength: float) -> Iterator[Step]:
    right, W = at.setting.l2, f"W{at.layer}"
    differ = TABLE["cost_and_gradient_differ"]
    if not right:
        note = f"{strength:.6g} times {W} is in the gradient, but no regularisation in the cost"
        yield Step(differ.code, at.layer, "regularisation", note, 1.0, np.inf)
    elif abs(strength) < at.setting.close * right:
        note = f"the cost has a regularisation with l2 = {right:.6g}, d{W} has none"
        yield Step(differ.code, at.layer, "regularisation", note, 1.0, 0.0)
    else:
        for named in named_multiple(at.setting, at.layer, "regularisation", strength / right):
            mistake, multiple = named.parts[0]
            yield Step(mistake.code, at.layer, "regularisation", multiple.note, named.cost, multiple.number)
