"""Numbers in an equation: claims about the network's own parameters and data, to their printed digits."""

import numpy as np

from whygrad.arrays import Array
from whygrad.equation.arithmetic import Absent
from whygrad.equation.evaluate import Choice
from whygrad.equation.indices import Letters
from whygrad.equation.pair import Pair, close
from whygrad.equation.setting import literals, pure
from whygrad.equation.tree import Negative, Node, Number, replaced
from whygrad.errors import EquationError


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


def agrees(
    pair: Pair, symbolic: Node, number: Node, choices: dict[object, int]
) -> tuple[bool, dict[object, Choice]]:
    """Returns whether a side has the value that a number claims, and the ambiguous places that were met."""
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


def adds_up(pair: Pair) -> bool:
    """Returns whether two sides that are made of numbers are the same number, as they are printed."""
    left, right = own_value(pair, pair.left), own_value(pair, pair.right)
    number = single(pair.right)
    if number is None:
        number = single(pair.left)
    margin = half_unit(number) if number is not None else 0.0
    if close(left, right, margin, 1e-12):
        return True
    if pair.truth is None or not close(
        left, right, margin + slack(pair, pair.left) + slack(pair, pair.right)
    ):
        return False
    # Rounded on the way: then the result must be the rounded truth.
    return close(own_value(pair, pair.truth), right, margin, 1e-12)


def near(pair: Pair, choices: dict[object, int]) -> bool:
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
