"""One slip put into right equations: the wrong ones are put right, and their causes named.

The slips are made in the text, by rules that know nothing of the checker.
"""

import random
import re
from collections.abc import Iterator

import whygrad as wg
from tests.equation.unseen import CASES
from whygrad.equation import check
from whygrad.errors import EquationError

MANY = 260
SUBSTITUTIONS = (
    (r"(?<=[_^{,])0(?=[_},^ )=]|$)", "1"),
    (r"(?<=[_^{,])1(?=[_},^ )=]|$)", "0"),
    (r"(?<=[_^{,])3(?=[_},^ )=]|$)", "2"),
    (r"(?<=[^{(=_^&\s])\s*\+\s*", " - "),
    (r"(?<=[^{(=_^&\s])\s*-\s*(?=[\\a-zA-Z(])", " + "),
    (r"_\{([a-z])([a-z])\}", r"_{\2\1}"),
    (r"\^\{?T\}?(?=\W)", ""),
    (r"(sigma|\bf|\bg)(\^\{?\[\w+\])?'(\}?)(?=\()", r"\1\2\3"),
    (r"\\sum_\{?\w(=\w+)?\}?(\^\{?[\w-]+\}?)?", ""),
    (r"l\+1", "l"),
    (r"l-1", "l"),
)


def slips(equation: str) -> Iterator[str]:
    """Yields the equation with one thing changed."""
    for pattern, instead in SUBSTITUTIONS:
        for match in re.finditer(pattern, equation):
            yield equation[: match.start()] + match.expand(instead) + equation[match.end() :]


def mutants() -> list[tuple[wg.Network, str]]:
    right = [
        (network, equation) for network, equation, holds, _ in CASES if holds is True and "." not in equation
    ]
    made = [(network, text) for network, equation in right for text in slips(equation) if text != equation]
    random.Random(4).shuffle(made)
    return made


def test_single_slips_are_put_right_and_named() -> None:
    wrong = named = mended = 0
    for network, text in mutants():
        try:
            verdict = check(network, text)
        except EquationError:
            continue
        if verdict.holds is not False:
            continue
        wrong += 1
        named += bool(verdict.codes)
        mended += verdict.corrected is not None
        if verdict.corrected is not None:
            # A correction that is given holds, always.
            assert check(network, verdict.corrected).holds is not False, (text, verdict.corrected)
        if wrong == MANY:
            break
    assert wrong == MANY
    assert named >= 0.93 * wrong, f"{named} of {wrong} causes named"
    assert mended >= 0.93 * wrong, f"{mended} of {wrong} put right"
