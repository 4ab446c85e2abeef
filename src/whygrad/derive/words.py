"""The answer in words, for somebody who has never seen backpropagation, and each cost by itself."""

import numpy as np

from whygrad.derive.derivation import PathTable, Words
from whygrad.derive.links import TOTAL
from whygrad.derive.spelling import Spelling, spaced
from whygrad.derive.steps import Question
from whygrad.derive.table import Traced
from whygrad.notation import Quantity
from whygrad.run import Run

# Costs are listed by name where there are few.
NAMED_UP_TO = 4


def reached(run: Run, traced: Traced) -> tuple[Quantity, ...]:
    """Returns the costs that the quantity has a path to."""
    there = np.asarray(run.sweep("reach").sweep.values(traced.entries[0].node))
    places = [entry.position for entry in traced.entries]
    return tuple(cost for row, cost in enumerate(run.cost_quantities) if np.ravel(there[row])[places].any())


def cost_by_cost(
    run: Run, traced: Traced, of: Quantity, spell: Spelling
) -> tuple[dict[str, float], dict[str, Words]]:
    """Returns each cost's derivative, and for zeros the reason."""
    if of.kind not in ("total", "C", "R"):
        return {}, {}
    costs: dict[str, float] = {}
    reasons: dict[str, Words] = {}
    values = run.sweep("gradient").sweep.values(traced.entries[0].node)
    sizes = np.asarray(run.sweep("total").sweep.values(traced.entries[0].node))
    places = [entry.position for entry in traced.entries]
    ends = reached(run, traced)
    for row, cost in enumerate(run.cost_quantities):
        name = run.network.name(cost)
        costs[name] = float(np.ravel(values[row])[places].sum())
        if cost not in ends:
            does = "does not contain" if traced.by.kind not in ("C", "R") else "does not depend on"
            reasons[name] = (
                spell.q(cost),
                f" {does} ",
                spell.q(traced.by),
                ": no path leads from it to this cost",
            )
        elif not np.ravel(sizes[row])[places].any():
            reasons[name] = ("every path has a factor that is 0",)
        elif costs[name] == 0:
            reasons[name] = ("the paths cancel exactly",)
    return costs, reasons


def in_words(
    question: Question, value: float, table: PathTable, ends: tuple[Quantity, ...]
) -> tuple[Words, ...]:
    """Returns the answer in words, paragraph by paragraph.

    Args:
        question: What is asked.
        value: The derivative.
        table: The table of paths.
        ends: The costs that there is a path to.
    """
    of, by, spell = question.of, question.by, question.spell
    what: Words = ("the total cost",) if of == TOTAL else (spell.q(of),)
    if of == by:
        return (
            (
                "This is the derivative of ",
                spell.q(of),
                " by itself: it changes as much as it changes, so it is 1.",
            ),
        )
    if of.kind in ("a", "z") and question.run.entry(of) == question.run.entry(by):
        alike = " are the same number here, since the layer has no activation function: the derivative is 1."
        return ((spell.q(of), " and ", spell.q(by), alike),)
    if of == TOTAL and by.kind in ("C", "R"):
        counts: Words = (" is one of its terms. When it grows, the total grows by exactly as much: 1.",)
        return (("The total is the sum of the costs, and ", spell.q(by), *counts),)
    if table.count == 0:
        return (_no_path(question, what),)
    if value == 0:
        change: Words = (*what, " does not change (to first order): the derivative is 0")
    else:
        direction = "grows" if value > 0 else "falls"
        change = (*what, f" {direction} by about ", spell.number(abs(value)), " times as much")
        change = (*change, ": that is the derivative")
    opening: Words = ("When ", spell.q(by), " is increased a little, ", *change, ".")
    return opening, _ways(question, table, ends)


def _no_path(question: Question, what: Words) -> Words:
    of, here = question.of, (question.spell.q(question.by),)
    contains = " does not contain " if of.kind in ("total", "C", "R") else " does not depend on "
    if question.by.kind in ("C", "R"):
        contains = " does not depend on "
    first: Words = ("When ", *here, " changes a little, ", *what, " does not change at all. No path leads ")
    return (
        *first,
        "from the one to the other: ",
        *what,
        contains,
        *here,
        ". The derivative is the sum over all paths, and where there is no path the sum is empty, so it is 0. "
        "Nothing has to be checked for that: the rule is the same for every weight and every cost.",
    )


def _ways(question: Question, table: PathTable, ends: tuple[Quantity, ...]) -> Words:
    """Returns how many paths there are, that they are added up, and why no check is needed."""
    spell, by, run = question.spell, question.by, question.run
    where = _ends(question, ends)
    if table.count == 1:
        count: Words = ("There is exactly one path from ", spell.q(by), " to ", *where, ". ")
        rule = (
            "Along it the local derivatives are multiplied, each the effect of one quantity on the next; with a single "
            "path there is nothing to add up. "
        )
    else:
        together = f", those of all {run.examples} examples together" if table.apart else ""
        number = spaced(table.count)
        count = (spell.q(by), " reaches ", *where, f" along {number} paths{together}. ")
        rule = (
            "Along a path the local derivatives are multiplied, each the effect of one quantity on the next. Every "
            "path carries a part of the effect, so one product can't be the answer: the products of all paths are "
            "added up. "
        )
    examples = ""
    if question.parts and not table.apart:
        examples = f"Each of the {run.examples} examples has its own numbers along the paths: a path's contribution is "
        joined = "averaged" if run.network.layered.reduction == "mean" else "summed"
        examples += f"{joined} over the examples. "
    sums = ""
    if question.of == TOTAL and len(ends) > 1:
        sums = "The total is the sum of the costs, so the derivatives of the costs are added up too. "
    check = (
        "Which weight reaches which cost need not be checked: where there is no path, the sum is empty, so it is 0. "
        "One backward pass adds up all paths at once."
    )
    return (*count, rule, _dead(table), examples, sums, check)


def _dead(table: PathTable) -> str:
    dead = table.count - table.live
    if not dead:
        return ""
    if not table.live:
        where = (
            "On it"
            if dead == 1
            else "On both of them"
            if dead == 2
            else f"On each of the {spaced(dead)} paths"
        )
        return f"{where} a factor is 0 here, so nothing comes through. "
    if dead == 1:
        return "On one of them a factor is 0, so it adds nothing. "
    return f"On {spaced(dead)} of them a factor is 0, so they add nothing. "


def _ends(question: Question, ends: tuple[Quantity, ...]) -> Words:
    """Returns what the paths lead to, in words."""
    spell, every = question.spell, len(question.run.cost_quantities)
    if question.of != TOTAL:
        return (spell.q(question.of),)
    if len(ends) > NAMED_UP_TO:
        return (f"all {every} costs" if len(ends) == every else f"{len(ends)} of the {every} costs",)
    made: Words = (spell.q(ends[0]),)
    for place, end in enumerate(ends[1:], 2):
        made = (*made, " and " if place == len(ends) else ", ", spell.q(end))
    return made
