"""Judges one equality: at generic points, or at the network's own numbers where a side is a number."""

from itertools import product
from typing import NamedTuple

import numpy as np

from whygrad.equation.arithmetic import Absent, Unfit
from whygrad.equation.evaluate import Choice
from whygrad.equation.numbers import adds_up, agrees, misprint, near, numeric
from whygrad.equation.pair import Nowhere, Pair, at_points
from whygrad.equation.points import Points
from whygrad.equation.setting import claims, literals, pure, with_values
from whygrad.equation.tree import Number, Ref, Symbol, walk
from whygrad.errors import EquationError

MOST_READINGS = 16


class Reading(NamedTuple):
    """One way to read an equation, and whether it holds so."""

    says: str
    holds: bool


class Outcome(NamedTuple):
    """What became of one equality."""

    holds: bool | None
    """None where it hangs on the reading."""
    at: str
    """`generic`: for every network of this kind; `own`: for the network's own numbers."""
    readings: tuple[Reading, ...] = ()
    unfit: Unfit | None = None
    choices: dict[object, int] = {}  # noqa: RUF012 - never changed
    """The reading that the rest of the verdict is about."""
    nowhere: Nowhere | None = None
    """Why nothing can be judged; it is a slip in an index where one mends it, and else an error."""


def judge(pair: Pair) -> Outcome:
    """Returns what becomes of one equality under every way to read it.

    Raises:
        EquationError: It can't be judged.
    """
    try:
        found, met, unfit = _one(pair, {})
    except Nowhere as nowhere:
        return Outcome(False, _where(pair), nowhere=nowhere)
    groups = _groups(met)
    if not groups:
        return Outcome(bool(found) if unfit is None else False, _where(pair), (), unfit)
    results: list[tuple[str, bool, dict[object, int]]] = []
    for picks in _readings(groups):
        choices = {
            key: min(pick, len(options) - 1)
            for (keys, options), pick in zip(groups, picks, strict=True)
            for key in keys
        }
        try:
            holds, _, wrong = (found, met, unfit) if not any(picks) else _one(pair, choices)
        except EquationError:
            continue
        if wrong is not None:
            unfit = unfit or wrong
            continue
        says = "; ".join(
            options[min(pick, len(options) - 1)] for (_, options), pick in zip(groups, picks, strict=True)
        )
        results.append((says, bool(holds), choices))
    if not results:
        return Outcome(False, _where(pair), (), unfit)
    verdicts = {holds for _, holds, _ in results}
    readings = (
        tuple(dict.fromkeys(Reading(says, holds) for says, holds, _ in results)) if len(verdicts) > 1 else ()
    )
    if len(verdicts) > 1:
        wrong_one = next(choices for _, holds, choices in results if not holds)
        return Outcome(None, _where(pair), readings, None, wrong_one)
    return Outcome(verdicts.pop(), _where(pair), readings, None, results[0][2])


def _groups(met: dict[object, Choice]) -> list[tuple[list[object], tuple[str, ...]]]:
    """Returns the ambiguous places, those together that are surely meant alike."""
    found: dict[object, tuple[list[object], tuple[str, ...]]] = {}
    for key, choice in met.items():
        label: object = key
        if isinstance(key, tuple) and key[1] == "direct":
            label = "direct"
        elif isinstance(key, Symbol):
            label = key.text
        found.setdefault(label, ([], choice.options))[0].append(key)
    return list(found.values())


def _readings(groups: list[tuple[list[object], tuple[str, ...]]]) -> list[tuple[int, ...]]:
    counts = [len(options) for _, options in groups]
    if np.prod([float(count) for count in counts]) <= MOST_READINGS:
        return list(product(*(range(count) for count in counts)))
    single = [tuple(0 for _ in counts)]
    for place, count in enumerate(counts[:MOST_READINGS]):
        single += [tuple(pick if at == place else 0 for at in range(len(counts))) for pick in range(1, count)]
    return single


def _one(pair: Pair, choices: dict[object, int]) -> tuple[bool, dict[object, Choice], Unfit | None]:
    try:
        holds, met = holds_so(pair, choices)
    except Unfit as unfit:
        # What was met before the arrays didn't fit may be read otherwise.
        probe = pair.evaluator(pair.setting.generic(pair.examples), choices)
        for side in (pair.left, pair.right):
            letters = pair.letters(choices)
            for values in pair.assignments(letters, pair.examples):
                try:
                    probe.side(side, values)
                except (Absent, Unfit):
                    continue
                break
        return False, probe.met, unfit
    return holds, met, None


def _where(pair: Pair) -> str:
    return "own" if numeric(pair) else "generic"


def holds_so(pair: Pair, choices: dict[object, int]) -> tuple[bool, dict[object, Choice]]:
    """Returns whether an equality holds under one reading."""
    setting = pair.setting
    if pure(pair.left) and pure(pair.right):
        return adds_up(pair) and misprint(pair) is None, {}
    if pure(pair.left) or pure(pair.right):
        symbolic, number = (pair.right, pair.left) if pure(pair.left) else (pair.left, pair.right)
        if not numeric(pair):
            return at_points(pair, setting.generic(pair.examples), choices)
        holds, met = agrees(pair, symbolic, number, choices)
        return holds and misprint(pair) is None, met
    points = _points(pair)
    holds, met = at_points(pair, points, choices)
    if holds:
        return True, met
    sides = (pair.left, pair.right)
    if setting.given or any(claims(side) for side in sides):
        fixed = with_values(points, setting.own, sides)
        if fixed is not None and at_points(pair, fixed, choices)[0]:
            return True, met
    if any("." in number.text for side in sides for number in literals(side)):
        return near(pair, choices) and misprint(pair) is None, met
    return False, met


def _points(pair: Pair) -> Points:
    """Returns generic points; targets that the equation doesn't name stay as they were given to a cross entropy."""
    setting = pair.setting
    points = setting.generic(pair.examples)
    if setting.layered.cost == "cross_entropy" and setting.given and setting.own.examples == points.examples:
        uses = pair.letters({}).uses
        if not any(isinstance(use.meaning, Ref) and use.meaning.kind == "y" for use in uses) and any(
            isinstance(part, Number) and part.value != 0
            for side in (pair.left, pair.right)
            for part in walk(side)
        ):
            y = np.broadcast_to(setting.own.y, points.y.shape)
            return Points(points.net, points.weights, points.biases, points.x, y, points.rate[:, 0])
    return points
