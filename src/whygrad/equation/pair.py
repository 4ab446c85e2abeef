"""Two sides that should be equal, and whether they are at some points."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from whygrad.arrays import Array
from whygrad.equation.arithmetic import Absent
from whygrad.equation.conditions import Condition
from whygrad.equation.evaluate import Choice, Evaluator
from whygrad.equation.indices import Letters, assignments
from whygrad.equation.points import Points
from whygrad.equation.setting import Setting
from whygrad.equation.tree import Node, Ref, Sum
from whygrad.errors import EquationError


class Nowhere(EquationError):  # noqa: N818 - it may be a verdict
    """There are no values of the letters for which both sides exist."""


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
        refs = [use.meaning for use in self.letters({}).uses if isinstance(use.meaning, Ref)]
        summed = any(ref.kind == "total" and ref.example is not None for ref in refs)
        return self.setting.examples("examples" if summed else self.arrays)

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
