"""Tries changes of an equality that does not hold: both sides at a few points, and what a part would have to be."""

from collections.abc import Iterator
from fractions import Fraction as Ratio
from typing import NamedTuple

import numpy as np

from whygrad.arrays import Array
from whygrad.equation.arithmetic import Absent, Unfit
from whygrad.equation.evaluate import Evaluator
from whygrad.equation.judge import Outcome, holds_so
from whygrad.equation.numbers import numeric
from whygrad.equation.pair import Pair, close
from whygrad.equation.setting import with_values
from whygrad.equation.tree import BigSum, Derivative, Node, Number, Symbol, parts, replaced, walk
from whygrad.equation.vocabulary import stands_for
from whygrad.equation.writing import Writer
from whygrad.errors import EquationError

MOST_TRIED = 6
MOST_SEARCHED = 25_000
"""Steps of evaluation after which a search for what is wrong gives up."""


class Change(NamedTuple):
    """A piece of text that takes the place of another."""

    start: int
    end: int
    text: str


class Fix(NamedTuple):
    """A change that makes an equality hold."""

    left: Node
    right: Node
    changes: tuple[Change, ...]
    says: str
    code: str = ""
    part: tuple[int, int] | None = None
    """Where the wrong part stands."""
    missing: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()


class Trial:
    """One equality that doesn't hold, and everything that is needed to try others in its place."""

    def __init__(self, pair: Pair, outcome: Outcome, scaled: bool = False) -> None:
        self.pair = pair
        self.scaled = scaled
        self.outcome = outcome
        self.setting = pair.setting
        self.numeric = numeric(pair)
        self.writer = Writer(pair.text, pair.setting.vocabulary)
        self.writer.upwards = _upwards(pair)
        if self.numeric:
            self.points = pair.setting.own
        else:
            generic = pair.setting.generic(pair.examples)
            fixed = (
                with_values(generic, pair.setting.own, (pair.left, pair.right))
                if pair.setting.given
                else None
            )
            self.points = fixed or generic
        self.evaluator: Evaluator = pair.evaluator(self.points, outcome.choices)
        letters = pair.letters(outcome.choices)
        self.letters = letters
        self._needed: dict[tuple[Node, Node, Node], Array | None] = {}
        self.values = self._tried()
        self.failing = [values for values in self.values if not self._agree(values)]
        # Where it fails already, most can be told.
        self.values.sort(key=lambda values: values not in self.failing)

    def _tried(self) -> list[dict[str, int]]:
        found: list[dict[str, int]] = []
        every = list(self.pair.assignments(self.letters, self.points.examples))
        # Those far from the first are different from it in more than one letter.
        ordered = sorted(every, key=lambda values: -len(set(values.values())))
        for values in [*ordered[:4], *ordered[-2:], *ordered[4:-2]] if len(ordered) > MOST_TRIED else ordered:
            try:
                self.evaluator.side(self.pair.left, values)
                self.evaluator.side(self.pair.right, values)
            except Absent:
                continue
            except Unfit:
                pass
            found.append(values)
            if len(found) == MOST_TRIED:
                break
        return found

    def _agree(self, values: dict[str, int]) -> bool:
        left, right = self.value(self.pair.left, values), self.value(self.pair.right, values)
        return left is not None and right is not None and close(left, right)

    def value(self, node: Node, values: dict[str, int]) -> Array | None:
        """Returns a side's value; None where it has none."""
        if self.evaluator.steps > MOST_SEARCHED:
            return None
        try:
            return self.evaluator.side(node, values)
        except (Absent, Unfit, EquationError):
            return None

    def holds(self, left: Node, right: Node) -> bool:
        """Returns whether two sides agree: first at a few values of the letters, then as the judge has it."""
        if self.evaluator.steps > MOST_SEARCHED:
            return False
        if self.numeric:
            return self._confirmed(left, right)
        if self.scaled:
            ratio = self.ratio(left, right)
            return ratio is not None and ratio not in (0, 1)
        tried = 0
        for values in self.values:
            try:
                one, other = self.evaluator.side(left, values), self.evaluator.side(right, values)
            except Absent:
                continue
            except (Unfit, EquationError):
                return False
            if not close(one, other):
                return False
            tried += 1
        return (tried > 0 or not self.values) and self._confirmed(left, right)

    def ratio(self, left: Node, right: Node) -> Ratio | None:
        """Returns the one number that the left side is the right one times, where there is one."""
        found: Ratio | None = None
        for values in self.values[:3]:
            one, other = self.value(left, values), self.value(right, values)
            if (
                one is None
                or other is None
                or one.ndim != other.ndim
                or (one.ndim == 3 and one.shape != other.shape)
            ):
                return None
            one, other = np.broadcast_arrays(one, other)
            with np.errstate(all="ignore"):
                every = (one / other)[(one != 0) | (other != 0)]
            if not every.size:
                continue
            ratio = as_ratio(float(every.flat[0])) if np.isfinite(every).all() else None
            if (
                ratio is None
                or np.abs(every - float(ratio)).max() > 1e-8 * abs(float(ratio))
                or found not in (None, ratio)
            ):
                return None
            found = ratio
        return found

    def _confirmed(self, left: Node, right: Node) -> bool:
        try:
            return holds_so(self.pair._replace(left=left, right=right), self.outcome.choices)[0]
        except (EquationError, Unfit):
            return False

    def needed(self, side: Node, other: Node, node: Node) -> Array | None:
        """Returns what a part of a side would have to be for the equality to hold; None where that can't be told.

        A side is a + b x in a part x that stands outside of functions, powers and denominators.
        """
        if (side, other, node) not in self._needed:
            self._needed[side, other, node] = self._find_needed(side, other, node)
        return self._needed[side, other, node]

    def _find_needed(self, side: Node, other: Node, node: Node) -> Array | None:
        if not self.values:
            return None
        values = self.values[0]
        wanted = self.value(other, values)
        zero, one, two = (
            self.value(replaced(side, node, Number(node.span, number)), values) for number in ("0", "1", "2")
        )
        if wanted is None or zero is None or one is None or two is None:
            return None
        if any(part.ndim != 2 for part in (wanted, zero, one, two)):
            return None
        if not np.allclose(two - one, one - zero, rtol=1e-9, atol=1e-13):
            return None
        slope = one - zero
        with np.errstate(all="ignore"):
            made = (wanted - zero) / slope
        return made if np.all(np.isfinite(made)) else None


def as_ratio(number: float) -> Ratio | None:
    """Returns the simple fraction that a number is; None where it is none."""
    ratio = Ratio(number).limit_denominator(64)
    return ratio if abs(float(ratio) - number) <= 1e-7 * max(1.0, abs(number)) and abs(ratio) <= 64 else None


def outside_sums(node: Node) -> Iterator[Node]:
    """Yields the parts of a side that no sum repeats, the largest first."""
    waiting = [node]
    while waiting:
        part = waiting.pop(0)
        yield part
        if not isinstance(part, BigSum | Symbol):
            waiting.extend(parts(part))


def _upwards(pair: Pair) -> bool:
    """Returns whether the first derivative of the right side is by what the left side's derivative is by."""
    left = stands_for(pair.left)
    inside = sorted(
        (part for part in walk(pair.right) if isinstance(part, Derivative)), key=lambda part: part.span
    )
    if not isinstance(left, Derivative) or len(inside) < 2:
        return False
    first, by = stands_for(inside[0].by), stands_for(left.by)
    return isinstance(first, Symbol) and isinstance(by, Symbol) and first.meanings == by.meanings
