"""What is wrong with an equality that doesn't hold, by the table of causes, and what puts it right."""

from collections.abc import Iterator

import numpy as np

from whygrad.equation.arithmetic import Unfit
from whygrad.equation.causes import TABLE
from whygrad.equation.judge import Outcome
from whygrad.equation.missing import expansion
from whygrad.equation.number_causes import number_fix
from whygrad.equation.pair import Pair
from whygrad.equation.reader import read_side
from whygrad.equation.slips.arrays import wrong_product
from whygrad.equation.slips.factors import wrong_factor, wrong_sign
from whygrad.equation.slips.left import left_side
from whygrad.equation.slips.pairs import two_factors
from whygrad.equation.standard import standard_forms
from whygrad.equation.tree import walk
from whygrad.equation.trial import Change, Fix, Trial
from whygrad.errors import EquationError

MOST_PARTS = 200
"""Longer equations are put right as a whole, without a search for what was meant."""


def diagnosed(pair: Pair, outcome: Outcome) -> Fix | None:
    """Returns what puts an equality right, or None; a search that meets impossible numbers finds nothing."""
    try:
        with np.errstate(all="ignore"):
            return _diagnosed(pair, outcome)
    except (ArithmeticError, ValueError, LookupError, Unfit):
        return None


def _diagnosed(pair: Pair, outcome: Outcome) -> Fix | None:
    """Returns the first change by the table of causes that makes an equality hold; None where none was found."""
    trial = Trial(pair, outcome)
    if outcome.holds is None:
        return next((fix._replace(code="EW") for fix in wrong_product(trial)), None)
    if trial.numeric:
        return number_fix(trial)
    if len(walk(pair.left)) + len(walk(pair.right)) > MOST_PARTS:
        return next(rewritten(trial), None)
    for cause in TABLE:
        if cause.code == "CL":
            for search in (two_factors(trial), two_slips(pair, outcome), rewritten(trial)):
                other = _first(search)
                if other is not None:
                    return other
        fix = _first(cause.find(trial))
        if fix is not None:
            return fix._replace(code=fix.code or cause.code)
    return None


def _first(search: Iterator[Fix]) -> Fix | None:
    """Returns the first thing that a search finds; one that meets impossible numbers finds nothing."""
    try:
        return next(search, None)
    except (ArithmeticError, ValueError, LookupError, Unfit):
        return None


def two_slips(pair: Pair, outcome: Outcome) -> Iterator[Fix]:
    """Yields a slip together with a wrong factor or sign."""
    scaled = Trial(pair, outcome, scaled=True)
    start, end = pair.right.span
    for cause in TABLE:
        if cause.find in (wrong_factor, wrong_sign, left_side) or cause.code == "CL":
            continue
        for fix in filter(None, [_first(cause.find(scaled))]):
            if fix.left is not pair.left or any(not start <= change.start <= end for change in fix.changes):
                continue
            moved = [
                change._replace(start=change.start - start, end=change.end - start) for change in fix.changes
            ]
            text = applied(pair.text[start:end], moved)
            try:
                right = read_side(text, scaled.setting.vocabulary)
            except EquationError:
                continue
            rest = Trial(pair._replace(text=text, right=right), outcome)
            for second in (*wrong_sign(rest), *wrong_factor(rest)):
                made = applied(text, list(second.changes))
                says = f"{fix.says}; and {second.says}"
                code = f"{fix.code or cause.code} {second.code or 'SC'}"
                yield Fix(pair.left, second.right, (Change(start, end, made),), says, code, pair.right.span)


def rewritten(trial: Trial) -> Iterator[Fix]:
    """Yields the equality with a new right side: all paths written out, or the usual form."""
    pair = trial.pair
    candidates: list[str] = []
    if trial.values and not trial.letters.free:
        terms = expansion(trial, trial.values[0])
        if terms:
            candidates.append(" + ".join(term.written(trial.writer) for term in terms))
    candidates += standard_forms(trial)
    for text in candidates:
        try:
            right = read_side(text, trial.setting.vocabulary)
        except EquationError:
            continue
        if trial.holds(pair.left, right):
            change = Change(pair.right.span[0], pair.right.span[1], text)
            says = "the right side is not the left one"
            yield Fix(pair.left, right, (change,), says, "", pair.right.span)
            return


def applied(text: str, changes: list[Change]) -> str:
    """Returns a text with pieces replaced; later pieces first, so that places stay right."""
    made = text
    for change in sorted(changes, key=lambda change: (change.start, change.end), reverse=True):
        made = made[: change.start] + change.text + made[change.end :]
    return made
