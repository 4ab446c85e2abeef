"""Judges one equality: at generic points, or at the network's own numbers where a side is a number."""

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from whygrad.equation.arithmetic import Absent, Unfit
from whygrad.equation.conditions import Condition
from whygrad.equation.evaluate import Choice, Evaluator
from whygrad.equation.indices import Letters, assignments
from whygrad.equation.points import Points
from whygrad.equation.setting import Setting, claims, literals, pure, with_values
from whygrad.equation.tree import Negative, Node, Number, Ref, Sum, Symbol, Updated, replaced, walk
from whygrad.errors import EquationError

Array: TypeAlias = Any
MOST_READINGS = 16


class Nowhere(EquationError):  # noqa: N818 - it may be a verdict
    """There are no values of the letters for which both sides exist."""


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


class Pair(NamedTuple):
    """Two sides with an equals sign between them, and what is needed to judge them."""

    text: str
    left: Node
    right: Node
    setting: Setting
    lacking: frozenset[str]
    truth: Node | None = None
    """A side of the same chain that is no number, for numbers that are compared with numbers."""
    flipped: frozenset[str] = frozenset()
    conditions: tuple[Condition, ...] = ()

    def assignments(self, letters: Letters, examples: int) -> Iterator[dict[str, int]]:
        """Yields the values of all free letters for which both sides may exist, and which are meant."""
        vocabulary = self.setting.vocabulary
        wanted = tuple(sorted(letters.free))
        for values in assignments(letters, wanted, {}, vocabulary.layout, examples):
            layers = letters.layer_letters
            if all(condition.fits(values, layers, vocabulary) for condition in self.conditions):
                yield values

    def letters(self, choices: dict[object, int]) -> Letters:
        """Returns the letters of both sides."""
        both = Sum((0, 0), (self.left, self.right))
        return Letters(both, self.setting.vocabulary, self.lacking, choices)

    @property
    def arrays(self) -> bool:
        """Whether whole arrays or single examples stand in it."""
        uses = self.letters({}).uses
        return any(
            isinstance(use.meaning, Ref) and (use.meaning.array or use.meaning.example) for use in uses
        )

    @property
    def examples(self) -> int:
        """How many examples it is about."""
        return self.setting.examples(self.arrays)

    def evaluator(self, points: Points, choices: dict[object, int]) -> Evaluator:
        """Returns what evaluates its sides at some points."""
        return Evaluator(self.text, self.setting.vocabulary, points, self.lacking, choices, self.flipped)


def close(one: Array, other: Array, slack: float = 0.0, relative: float = 1e-9) -> bool:
    """Returns whether two values agree at every point; a column and a row of the same numbers do.

    What is not finite (a division by 0) agrees with nothing.
    """
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        return False
    if one.ndim != other.ndim:
        small, large = (one, other) if one.ndim == 2 else (other, one)
        if large.shape[1:] == (1, 1):
            large = large[:, :, 0]
        elif np.any(small != 0):
            return False
        else:
            return bool(np.allclose(large, 0, rtol=0, atol=1e-12))
        one, other = small, large
    elif one.ndim == 3 and one.shape[1:] != other.shape[1:]:
        if 1 not in one.shape[1:] or one.shape[1:] != other.shape[:0:-1]:
            return False
        other = np.swapaxes(other, 1, 2)
    gap = np.abs(one - other)
    size = np.maximum(np.abs(one), np.abs(other))
    good = gap <= relative * size + 1e-13 + slack
    return bool(np.all(good))


def at_points(pair: Pair, points: Points, choices: dict[object, int]) -> tuple[bool, dict[object, Choice]]:
    """Returns whether both sides agree at some points, for all values of the free letters, and the ambiguous places.

    Raises:
        EquationError: There are no values of the letters for which both sides exist.
        Unfit: Arrays don't fit.
    """
    evaluator = pair.evaluator(points, choices)
    letters = pair.letters(choices)
    wanted = tuple(sorted(letters.free))
    found = False
    for values in pair.assignments(letters, points.examples):
        try:
            left, right = evaluator.side(pair.left, values), evaluator.side(pair.right, values)
        except Absent:
            continue
        found = True
        if not close(left, right):
            return False, evaluator.met
    if not found:
        shown = ", ".join(letter for letter in wanted if letter != "@") or "the indices"
        refs = [use.meaning for use in letters.uses if isinstance(use.meaning, Ref)]
        if not pair.setting.layered.bias and any(ref.kind == "b" for ref in refs):
            raise EquationError("the network has no biases", pair.text, pair.left.span[0])
        raise Nowhere(
            f"there are no values of {shown} for which both sides exist in this network",
            pair.text,
            pair.left.span[0],
        )
    return True, evaluator.met


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


def numeric(pair: Pair) -> bool:
    """Returns whether an equality is about the network's own numbers: a side is a number.

    Without data of its own a network has no numbers: 0, 1 or 2 can only be meant for every one.
    """
    sides = [side for side in (pair.left, pair.right) if pure(side)]
    return bool(sides) and (
        pair.setting.given
        or len(sides) == 2
        or any("." in number.text for side in sides for number in literals(side))
    )


def holds_so(pair: Pair, choices: dict[object, int]) -> tuple[bool, dict[object, Choice]]:
    """Returns whether an equality holds under one reading."""
    setting = pair.setting
    if pure(pair.left) and pure(pair.right):
        return _arithmetic(pair) and misprint(pair) is None, {}
    if pure(pair.left) or pure(pair.right):
        symbolic, number = (pair.right, pair.left) if pure(pair.left) else (pair.left, pair.right)
        if not numeric(pair):
            return at_points(pair, setting.generic(pair.examples), choices)
        holds, met = _agrees(pair, symbolic, number, choices)
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
        return _near(pair, choices) and misprint(pair) is None, met
    return False, met


def _points(pair: Pair) -> Points:
    """Returns generic points; targets that the equation doesn't name stay as they were given to a cross entropy."""
    setting = pair.setting
    points = setting.generic(pair.examples)
    if setting.layered.cost == "cross_entropy" and setting.given and setting.own.examples == points.examples:
        uses = pair.letters({}).uses
        if not any(isinstance(use.meaning, Ref) and use.meaning.kind == "y" for use in uses) and any(
            isinstance(part, Number) and part.value not in (0.0,)
            for side in (pair.left, pair.right)
            for part in walk(side)
        ):
            y = np.broadcast_to(setting.own.y, points.y.shape)
            return Points(points.net, points.weights, points.biases, points.x, y, points.rate[:, 0])
    return points


# Numbers


def half_unit(number: Number) -> float:
    """Returns by how much a printed number may be off: half a unit of its last digit; few whole digits are exact."""
    whole = "." not in number.text and "e" not in number.text.lower()
    if (whole and number.digits < 3) or (number.value == 0 and number.decimals < 3):
        return 1e-9 * abs(number.value)
    return 0.5000001 * 10.0**-number.decimals if number.decimals < 300 else 0.0


def single(node: Node) -> Number | None:
    """Returns the number that a side is, but for its sign."""
    inner = node.of if isinstance(node, Negative) else node
    return inner if isinstance(inner, Number) else None


def own_value(pair: Pair, node: Node, choices: dict[object, int] | None = None) -> Array:
    """Returns a side at the network's own numbers."""
    evaluator = pair.evaluator(pair.setting.own, choices or {})
    letters = Letters(node, pair.setting.vocabulary, pair.lacking, choices)
    if letters.free:
        raise EquationError(
            "a number can't be compared with what has letters for indices", pair.text, node.span[0]
        )
    try:
        return evaluator.side(node, {})
    except Absent:
        raise EquationError("this doesn't exist in the network", pair.text, node.span[0]) from None


def slack(pair: Pair, node: Node) -> float:
    """Returns by how much a side may be off because the numbers in it are rounded."""
    found = literals(node)
    if not found:
        return 0.0
    most = max(number.digits for number in found)
    with np.errstate(all="ignore"):
        return _moved(pair, node, found, most)


def _moved(pair: Pair, node: Node, found: list[Number], most: int) -> float:
    """Returns by how much a side moves when each rounded number in it moves by half a unit."""
    total = 0.0
    now = own_value(pair, node)
    for number in found:
        if (
            "." not in number.text
            or number.digits < most - 2
            or number.digits < 2
            or _declared(pair, number.value)
        ):
            continue
        moved = Number(number.span, repr(number.value + half_unit(number)))
        total += float(np.max(np.abs(own_value(pair, replaced(node, number, moved)) - now)))
    return total


def _declared(pair: Pair, value: float) -> bool:
    own = pair.setting.own
    return any(
        bool(np.any(np.abs(part - value) < 1e-12)) for part in (*own.weights, *own.biases, own.x, own.y)
    )


def _agrees(
    pair: Pair, symbolic: Node, number: Node, choices: dict[object, int]
) -> tuple[bool, dict[object, Choice]]:
    evaluator = pair.evaluator(pair.setting.own, choices)
    letters = Letters(symbolic, pair.setting.vocabulary, pair.lacking, choices)
    literal = single(number)
    margin = half_unit(literal) if literal is not None else slack(pair, number)
    claimed = own_value(pair, number)
    found = False
    for values in pair.assignments(letters, pair.setting.own.examples):
        try:
            truth = evaluator.side(symbolic, values)
        except Absent:
            continue
        found = True
        if not close(truth, claimed, margin + _own_slack(pair, symbolic, values), 1e-12):
            return False, evaluator.met
    if not found:
        raise EquationError("this doesn't exist in the network", pair.text, symbolic.span[0])
    return True, evaluator.met


def _own_slack(pair: Pair, symbolic: Node, values: dict[str, int]) -> float:
    """Returns the slack of rounded numbers inside of a side that isn't one."""
    if values or not any("." in number.text for number in literals(symbolic)):
        return 0.0
    return slack(pair, symbolic)


def _arithmetic(pair: Pair) -> bool:
    left, right = own_value(pair, pair.left), own_value(pair, pair.right)
    number = single(pair.right)
    margin = half_unit(number) if number is not None else 0.0
    if number is None and single(pair.left) is not None:
        number, margin = single(pair.left), half_unit(single(pair.left))  # type: ignore[arg-type]
    if close(left, right, margin, 1e-12):
        return True
    if pair.truth is None or not close(
        left, right, margin + slack(pair, pair.left) + slack(pair, pair.right)
    ):
        return False
    # Rounded on the way: then the result must be the rounded truth.
    return close(own_value(pair, pair.truth), right, margin, 1e-12)


def _near(pair: Pair, choices: dict[object, int]) -> bool:
    """Returns whether sides with rounded numbers among quantities agree at the network's own numbers."""
    if pair.letters(choices).free:
        return False
    left, right = own_value(pair, pair.left, choices), own_value(pair, pair.right, choices)
    return close(left, right, slack(pair, pair.left) + slack(pair, pair.right), 1e-12)


def misprint(pair: Pair) -> Number | None:
    """Returns a number that is within some units of the last digit of a value of the network, and isn't that value."""
    known = pair.setting.own.numbers
    if not pair.setting.given or not len(known):
        return None
    for number in (*literals(pair.left), *literals(pair.right)):
        if number.digits < 6 or "." not in number.text:
            continue
        unit = 10.0**-number.decimals
        gap = np.min(np.abs(np.abs(known) - number.value)) / unit
        # One unit may come from rounding on the way.
        if 1.5 < gap <= 12:
            return number
    return None


__all__ = [
    "Outcome",
    "Pair",
    "Reading",
    "Updated",
    "at_points",
    "close",
    "judge",
    "numeric",
    "own_value",
    "single",
]
