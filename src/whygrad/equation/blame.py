"""Says which sides of a chain are wrong, and what puts them right."""

from typing import NamedTuple

from whygrad.equation.diagnosis import diagnosed
from whygrad.equation.judge import Outcome, judge
from whygrad.equation.pair import Pair
from whygrad.equation.setting import pure
from whygrad.equation.tree import Node
from whygrad.equation.trial import Fix
from whygrad.errors import EquationError

LEFT = "the left side is the wrong one here, as the equals sign before says"
MOST_SIDES = 12


class Judged(NamedTuple):
    """One equality of a chain, what became of it, and what is wrong with it."""

    pair: Pair
    outcome: Outcome
    fix: Fix | None = None
    says: str = ""


def judged(pairs: list[Pair]) -> list[Judged]:
    """Returns what became of each equality of a chain, with what puts the wrong sides right.

    A side that is wrong disagrees with both of its neighbours: it is found as the one that most others disagree with,
    and mended once.
    """
    found = [Judged(pair, judge(pair)) for pair in pairs]
    for each in found:
        if each.outcome.nowhere is not None and diagnosed(each.pair, each.outcome) is None:
            raise each.outcome.nowhere
    if all(each.outcome.holds for each in found):
        return found
    sides = [pairs[0].left, *(pair.right for pair in pairs)]
    right = _agreeing(found, sides)
    if right is None:
        return [
            each if each.outcome.holds else each._replace(fix=diagnosed(each.pair, each.outcome))
            for each in found
        ]
    made = []
    for place, each in enumerate(found):
        if each.outcome.holds:
            made.append(each)
            continue
        wrong = place if place == 0 and 0 not in right else place + 1
        if wrong in right:
            made.append(each._replace(says=LEFT))
            continue
        other = min(right, key=lambda side: (abs(side - wrong), side))
        pair = each.pair._replace(left=sides[other], right=sides[wrong])
        outcome = each.outcome if other == wrong - 1 else judge(pair)
        made.append(each._replace(fix=diagnosed(pair, outcome)))
    return made


def _agreeing(found: list[Judged], sides: list[Node]) -> set[int] | None:
    """Returns the sides that most agree with, the first where it is even; None where that isn't looked for."""
    if not 3 <= len(sides) <= MOST_SIDES or any(each.outcome.holds is None for each in found):
        return None
    if any(pure(side) for side in sides):
        return None
    groups: list[list[int]] = [[0]]
    for place, side in enumerate(sides[1:], 1):
        for group in groups:
            before = group[-1]
            outcome = found[place - 1].outcome if before == place - 1 else None
            try:
                outcome = outcome or judge(found[0].pair._replace(left=sides[before], right=side))
            except EquationError:
                return None
            if outcome.holds is not False:
                group.append(place)
                break
        else:
            groups.append([place])
    largest = max(groups, key=lambda group: (len(group), 0 in group))
    return set(largest)
