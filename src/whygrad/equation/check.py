"""The check of one equation."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from whygrad.equation.blame import Judged, judged
from whygrad.equation.chains import pairs
from whygrad.equation.conventions import would_hold
from whygrad.equation.diagnosis import applied
from whygrad.equation.judge import Reading, judge
from whygrad.equation.reader import read_chains
from whygrad.equation.reading import reads_as
from whygrad.equation.setting import Setting, setting
from whygrad.equation.terms import by_terms
from whygrad.equation.trial import Change
from whygrad.equation.verdict import Equality, Verdict
from whygrad.errors import EquationError

if TYPE_CHECKING:
    from whygrad.network import Network
    from whygrad.run import Run


def check(
    run_or_network: "Run | Network",
    text: str,
    notation: str | None = None,
    names: Mapping[str, str] | None = None,
) -> Verdict:
    r"""Returns whether an equation holds, and if not, why, and what would be right.

    An equation without numbers of its own is judged for every network of this kind: no equality of the given
    weights by accident makes it right. A number is a claim about the run's (or network's) own parameters and data.

    Args:
        run_or_network: What the equation is about.
        text: The equation: LaTeX, a copy that lost its backslashes, Unicode or plain text.
            Chains are judged sign by sign.
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
    chains = read_chains(text, under.vocabulary)
    every = [each for chain in chains for each in judged(pairs(text, chain, under))]
    found = [each.outcome.holds for each in every]
    holds = False if False in found else None if None in found else True
    conventions = would_hold(text, chains, under) if holds is False else []
    for each in every:
        if each.fix is not None and each.fix.code == "NC":
            named = each.fix.changes[0].text
            says = f"the left side had the index that the right side leaves free: {named}"
            conventions.append(("index", says))
    equalities = tuple(_equality(each, [name for name, _ in conventions]) for each in every)
    readings = tuple(dict.fromkeys(reading for each in every for reading in each.outcome.readings))
    return Verdict(
        text,
        holds,
        equalities,
        None if holds else _corrected(text, every, under),
        tuple(says for _, says in conventions),
        readings,
        _how(every),
        _says(holds, equalities, conventions, readings),
        reads_as(chains, under.vocabulary),
        under.layered.title(),
        under.vocabulary.notation.name,
    )


def _how(every: list[Judged]) -> str:
    """Returns `terms` where every equality was judged so too, with the same result."""
    same = all(
        each.outcome.holds is not None and by_terms(each.pair, each.outcome.choices) == each.outcome.holds
        for each in every
    )
    return "terms" if same else "numbers"


def _corrected(text: str, every: list[Judged], under: Setting) -> str | None:
    """Returns the whole equation put right; None where that isn't known for every wrong equality, or doesn't hold."""
    changes: list[Change] = []
    for each in every:
        if each.outcome.holds or each.says:
            continue
        if each.fix is None:
            return None
        # One side may be wrong for both of its neighbours: it is changed once.
        if not any(_overlap(a, b) for a in each.fix.changes for b in changes):
            changes += each.fix.changes
    made = applied(text, changes) if changes else None
    return made if made is not None and _holds(made, under) else None


def _overlap(one: Change, other: Change) -> bool:
    return (one.start < other.end and other.start < one.end) or one[:2] == other[:2]


def _holds(text: str, under: Setting) -> bool:
    try:
        return all(
            judge(pair).holds is not False
            for chain in read_chains(text, under.vocabulary)
            for pair in pairs(text, chain, under)
        )
    except EquationError:
        return False


def _equality(each: Judged, conventions: list[str]) -> Equality:
    pair, outcome, fix = each.pair, each.outcome, each.fix
    left, right = (pair.text[side.span[0] : side.span[1]].strip() for side in (pair.left, pair.right))
    if outcome.holds is not False:
        codes: tuple[str, ...] = (
            () if outcome.holds else ("EW",) if fix is not None and fix.code == "EW" else ("NC",)
        )
        return Equality(left, right, outcome.holds, codes=codes)
    if each.says:
        return Equality(left, right, False, says=each.says)
    if fix is None:
        says = str(outcome.unfit) if outcome.unfit is not None else "the two sides are not equal"
        codes = _codes("", conventions)
        return Equality(left, right, False, codes=codes, says=says, wrong=(right,), span=pair.right.span)
    part = fix.part or pair.right.span
    lacking = bool(fix.missing) and not fix.surplus
    wrong = () if lacking else (pair.text[part[0] : part[1]].strip(),)
    return Equality(
        left,
        right,
        False,
        fix.missing,
        fix.surplus,
        wrong,
        None,
        _codes(fix.code, conventions),
        fix.says,
        part,
    )


def _codes(code: str, conventions: list[str]) -> tuple[str, ...]:
    codes = [part for part in code.split() if part]
    if "elementwise" in conventions:
        codes = ["OD", *codes]
    if "delta" in conventions:
        codes = [*codes, "NC"] if "SG" in codes else ["SG", "NC", *codes]
    if "weights" in conventions and "TR" not in codes:
        codes = ["TR", *codes]
    if {"half", "squared_error"} & set(conventions) and "SC" not in codes:
        codes = ["SC", *codes]
    if "targets" in conventions and "SC" not in codes:
        codes = ["SC", *codes]
    return tuple(dict.fromkeys(codes))


def _says(
    holds: bool | None,
    equalities: tuple[Equality, ...],
    conventions: list[tuple[str, str]],
    readings: tuple[Reading, ...],
) -> str:
    if holds:
        return "It holds."
    if holds is None:
        return (
            "It depends on the reading: "
            + "; ".join(f"{'it holds' if r.holds else 'it does not hold'} where {r.says}" for r in readings)
            + "."
        )
    many = len(equalities)
    parts = []
    for number, equality in enumerate(equalities, 1):
        if equality.holds is False:
            where = f"equals sign {number}: " if many > 1 else ""
            parts.append(where + (equality.says or "the two sides are not equal"))
    says = "It does not hold: " + "; ".join(parts) + "."
    if conventions:
        says += " It would hold if " + ", or if ".join(sentence for _, sentence in conventions) + "."
    return says
