"""The check of one equation."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from whygrad.equation.chains import pairs
from whygrad.equation.judge import Outcome, Pair, judge
from whygrad.equation.reader import read_chains
from whygrad.equation.setting import Setting, setting
from whygrad.equation.verdict import Equality, Verdict

if TYPE_CHECKING:
    from whygrad.network import Network
    from whygrad.run import Run


def check(
    run_or_network: "Run | Network", text: str, notation: str | None = None, names: Mapping[str, str] | None = None
) -> Verdict:
    r"""Returns whether an equation holds, and if not, why, and what would be right.

    An equation without numbers of its own is judged for every network of this kind: no equality of the given
    weights by accident makes it right. A number is a claim about the run's (or network's) own parameters and data.

    Args:
        run_or_network: What the equation is about.
        text: The equation: LaTeX, a copy that lost its backslashes, Unicode or plain text; chains are judged sign by sign.
        notation: How it is written; the network's own notation where it isn't said.
        names: A person's own names, on the right in ``neuron-over-layer``; on top of the network's.

    Raises:
        EquationError: It can't be read; the message points at the place.

    Example:
        >>> import whygrad as wg
        >>> run = wg.Network.default().run()
        >>> check(run, r"\frac{\partial C^0}{\partial a^0_2} = w^0_{0,3} \cdot 2(a^0_3 - y^0)").holds
        True
        >>> verdict = check(run, "dC^0/da^0_1 = da^0_2/da^0_1 dC^0/da^0_2")
        >>> verdict.holds, len(verdict.missing)
        (False, 2)
    """
    under = setting(run_or_network, notation, dict(names) if names else None)
    return verdict_of(text, under)


def verdict_of(text: str, under: Setting) -> Verdict:
    """Returns the verdict on an equation in a setting."""
    judged = [(pair, judge(pair)) for chain in read_chains(text, under.vocabulary) for pair in pairs(text, chain, under)]
    found = [outcome.holds for _, outcome in judged]
    holds = False if False in found else None if None in found else True
    equalities = tuple(_equality(pair, outcome) for pair, outcome in judged)
    readings = tuple(dict.fromkeys(reading for _, outcome in judged for reading in outcome.readings))
    return Verdict(text, holds, equalities, None, (), readings, "numbers", "", "", under.layered.title(), under.vocabulary.notation.name)


def _equality(pair: Pair, outcome: Outcome) -> Equality:
    left, right = (pair.text[side.span[0] : side.span[1]] for side in (pair.left, pair.right))
    return Equality(left, right, outcome.holds)
