"""Turns a chain of relations into pairs of sides that have to agree: equalities, and steps of descent."""

from itertools import pairwise

from whygrad.equation.indices import Letters
from whygrad.equation.pair import Pair
from whygrad.equation.setting import Setting, pure
from whygrad.equation.tree import Chain, Negative, Node, Ref, Special, Sum, Symbol, Updated, walk
from whygrad.errors import EquationError


def pairs(text: str, chain: Chain, setting: Setting, flipped: frozenset[str] = frozenset()) -> list[Pair]:
    """Returns the equalities of a chain.

    ``w ← w - …`` means the weight after a step; so does ``w = w - …``, which is never meant as an equation. In
    ``w -= …`` the right side is minus what the step adds.
    """
    sides = list(chain.sides)
    if len(sides) > 60:
        raise EquationError("a chain has at most 60 equals signs", text, sides[60].span[0])
    for place, relation in enumerate(chain.relations):
        left, right = sides[place], sides[place + 1]
        if relation == "→" and _parameter(left) is None:
            says = "an arrow stands between a weight or bias before a step and after it"
            raise EquationError(says, text, right.span[0])
        if relation in ("-=", "+="):
            sides[place] = Updated(left.span, left, True)
            sides[place + 1] = Negative(right.span, right) if relation == "-=" else right
        elif _is_step(left, right, relation):
            sides[place] = Updated(left.span, left)
    lacking = Letters(sides[0], setting.vocabulary, frozenset()).free
    truth = next((side for side in sides if not pure(side)), None)
    return [
        Pair(text, left, right, setting, lacking, truth, flipped, chain.conditions)
        for left, right in pairwise(sides)
    ]


def _is_step(left: Node, right: Node, relation: str) -> bool:
    ref = _parameter(left)
    if ref is None:
        return False
    if relation in ("←", "→"):
        return True
    rate = any(isinstance(part, Symbol) and part.meanings[0] == Special("rate") for part in walk(right))
    itself = any(_parameter(part) == ref for part in walk(right))
    first = _parameter(right.terms[0]) if isinstance(right, Sum) else None
    return (itself and (rate or relation == ":=")) or (rate and first is not None)


def _parameter(node: Node) -> Ref | None:
    if not isinstance(node, Symbol):
        return None
    meaning = node.meanings[0]
    return (
        meaning if isinstance(meaning, Ref) and meaning.kind in ("w", "b") and not meaning.derived else None
    )
