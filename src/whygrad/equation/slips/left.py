"""Slips on the left side: the searches of the right side, with the sides exchanged."""

from collections.abc import Callable, Iterator

from whygrad.equation.slips.arrays import transposed
from whygrad.equation.slips.common import ref_of
from whygrad.equation.slips.functions import function_for_slope
from whygrad.equation.slips.indices import swapped_letters, wrong_cost, wrong_index
from whygrad.equation.tree import walk
from whygrad.equation.trial import Fix, Trial

_SEARCHES: tuple[tuple[str, Callable[[Trial], Iterator[Fix]]], ...] = (
    ("WC", wrong_cost),
    ("WI", wrong_index),
    ("TR", swapped_letters),
    ("TR", transposed),
    ("MA", function_for_slope),
)


def left_side(trial: Trial) -> Iterator[Fix]:
    """A slip on the left side, where the right side is right as it stands."""
    if trial.numeric:
        return
    pair = trial.pair
    mirrored = Trial(pair._replace(left=pair.right, right=pair.left), trial.outcome)
    whole = any((ref := ref_of(node)) is not None and ref.kind == "total" for node in walk(pair.left))
    for code, search in _SEARCHES:
        if code == "WC" and whole:
            # Who writes the total means it: the right side is the wrong one.
            continue
        for fix in search(mirrored):
            yield fix._replace(left=fix.right, right=fix.left, code=fix.code or code)
