"""The steps of a derivation: the chain rule by the next layer, layer by layer, each sum written out."""

from functools import partial
from math import fsum
from typing import NamedTuple

import numpy as np

from whygrad.derive.derivation import Line, Step, Words
from whygrad.derive.links import TOTAL, Link, Links, kept
from whygrad.derive.spelling import Math, Speller, Spelling, lowered
from whygrad.notation import Quantity
from whygrad.run import Run
from whygrad.sweep import Sweep

# As many equations are written out in a step, and as many terms in a sum, as a person would still read.
MOST_EQUATIONS = 4
MOST_TERMS = 6
# Of a network deeper than this, one equation a layer is enough.
SHALLOW = 6


class Question(NamedTuple):
    """What is asked: the derivative of one quantity by another, and the example of the run whose numbers are shown.

    ``parts`` are the examples' parts of the derivative where it is a sum over several examples, and ``apart`` what
    belongs to no example: the part of R.
    """

    run: Run
    example: int
    of: Quantity
    by: Quantity
    spell: Spelling
    parts: tuple[float, ...] = ()
    apart: float = 0.0


class Derivatives:
    """The derivatives of one quantity by all others, and whether there is a path, from two sweeps."""

    def __init__(self, question: Question, gradient: Sweep, reach: Sweep) -> None:
        self._question = question
        self._sweep, self._reach = gradient, reach
        self._values: dict[int, np.ndarray] = {}
        self._reached: dict[int, np.ndarray] = {}

    def at(self, q: Quantity) -> float:
        """Returns the derivative by a quantity; 1 by itself."""
        if q == self._question.of:
            return 1.0
        if q.kind == "total":
            return 0.0
        entry = self._question.run.entry(q, self._question.example)
        if entry.node not in self._values:
            self._values[entry.node] = np.ravel(np.asarray(self._sweep.joined(entry.node)))
        return float(self._values[entry.node][entry.position])

    def reaches(self, q: Quantity) -> bool:
        """Returns whether there is any path from a quantity."""
        if q == self._question.of:
            return True
        if q.kind == "total":
            return False
        entry = self._question.run.entry(q, self._question.example)
        if entry.node not in self._reached:
            self._reached[entry.node] = np.ravel(np.asarray(self._reach.joined(entry.node)))
        return bool(self._reached[entry.node][entry.position])


def chain_steps(question: Question, derivatives: Derivatives) -> tuple[Step, ...]:
    """Returns the chain rule from the quantity on: one step for each layer that the paths pass."""
    links = Links.kept(question.run, question.example, question.of)
    level = [question.by]
    steps = [_examples_step(question)] if question.parts else []
    most = MOST_EQUATIONS if question.run.network.layered.depth <= SHALLOW else 1
    while level:
        # Of a wide layer, the neurons through which most of the derivative flows are written out.
        largest = sorted(level, key=lambda q: -abs(derivatives.at(q)))[:most]
        if len(level) > most:
            largest = [q for q in largest if derivatives.at(q)] or largest[:1]
        shown = [q for q in level if q in largest]
        every = {q: links.after(q) for q in shown}
        known = {q: _on_the_way(every[q], derivatives) for q in shown}
        if question.parts and level == [question.by]:
            known = {q: [link for link in known[q] if link.to.kind != "R"] for q in known}
        # Behind the first layer a step is the same for all that leads there.
        make = partial(_step, question, derivatives, known, len(every[shown[0]]), len(level))
        key = ("step", question.of, question.example, tuple(level))
        steps.append(make() if question.by in level else kept(question.run, key, make))
        # Every neuron of a layer acts on the same ones of the next, or else on its cost alone.
        following = {link.to: None for q in known for link in known[q] if link.to != question.of}
        level = [q for q in following if q.kind not in ("C", "R", "total")]
    return tuple(steps)


def first_step(question: Question, derivatives: Derivatives, links: list[Link] | None = None) -> Step:
    """Returns the first of the steps alone: how the quantity acts on what comes next (by its links, if told)."""
    if links is None:
        links = Links.kept(question.run, question.example, question.of).after(question.by)
    return _step(question, derivatives, {question.by: _on_the_way(links, derivatives)}, len(links), 1)


def _on_the_way(links: list[Link], derivatives: Derivatives) -> list[Link]:
    return [link for link in links if derivatives.reaches(link.to)]


def _examples_step(question: Question) -> Step:
    """Returns the step that adds up the examples' parts."""
    net, parts = question.run.network.layered, question.parts
    shown = sorted(sorted(range(len(parts)), key=lambda n: -abs(parts[n]))[:MOST_TERMS])
    left_out = len(parts) - len(shown)
    value = fsum((*parts, question.apart))
    rest = fsum(part for n, part in enumerate(parts) if n not in shown)
    weighted = bool(net.l2) and question.by.kind == "w" and question.of == TOTAL
    joined = "averaged" if net.reduction == "mean" else "added up"
    says: Words = (
        f"The costs are {joined} over the {len(parts)} examples, and so is the derivative: it is the sum of the "
        f"examples' parts{f', each with its 1/{len(parts)}' if net.reduction == 'mean' else ''}. ",
    )
    if question.by.kind in ("a", "z", "y"):
        says = (*says, question.spell.q(question.by), " is changed by as much in each of them. ")
    if weighted:
        says = (*says, "R belongs to no example and is added once. ")
    says = (
        *says,
        f"The next steps show example {question.example} (counted from 0), whose part is the largest.",
    )

    def symbols(s: Speller) -> str:
        terms = [_part(s, n) for n in shown] + ([s.dots()] if left_out else [])
        ends = [s.d(Quantity("R"), question.by)] if weighted else []
        return f"{s.d(question.of, question.by)} = {s.added(*terms, *ends)}"

    def numbers(s: Speller) -> str:
        terms = [s.number(parts[n]) for n in shown]
        if left_out:
            terms.append(_more(s, left_out, rest))
        if weighted:
            terms.append(s.number(question.apart))
        return f"{_lead(s)}= {s.added(*terms)} {s.equals(value)} {s.number(value)}"

    lines = (Line(question.spell(symbols)), Line(question.spell(numbers), value))
    return Step("Every example has its part", says, lines)


def _part(s: Speller, example: int) -> str:
    return s.choose(
        rf"\text{{part}}_{{{example}}}",
        f"part{lowered(example)}",
        f"part_{example}",
    )


def _more(s: Speller, many: int, rest: float) -> str:
    return s.choose(rf"({many}\text{{ more: }}", f"({many} more: ", f"({many} more: ") + f"{s.number(rest)})"


def _step(
    question: Question, derivatives: Derivatives, known: dict[Quantity, list[Link]], ways: int, width: int
) -> Step:
    """Returns one step.

    Args:
        question: What is asked.
        derivatives: The derivatives by everything on the way.
        known: The quantities that are written out, with their links on the way to what is differentiated.
        ways: How many links the first of them has in all.
        width: How many quantities there are, written out or not.
    """
    place = next(iter(known))
    lines = []
    for q in known:
        # What is the same for all neurons of a layer is said once.
        lines += _Equation(question, derivatives, q, known[q]).lines(whole=q == place)
    title, says = _heading(question, place, known[place], ways, alone=width == 1)
    if len(known) < width:
        which = "one with the largest derivative is" if len(known) == 1 else ""
        which = which or f"{len(known)} with the largest derivatives are"
        says = (*says, f" Of the {width} neurons of this layer, the {which} shown.")
    return Step(title, says + _reasons([link.reason for q in known for link in known[q]]), tuple(lines))


def _heading(question: Question, q: Quantity, links: list[Link], ways: int, alone: bool) -> tuple[str, Words]:
    """Returns a step's title and words.

    Args:
        question: What is asked.
        q: The first quantity of the step.
        links: Its links on the way to what is differentiated.
        ways: How many links it has in all.
        alone: Whether the step has no other quantity.
    """
    name = question.spell.q
    if q.kind == "w":
        return "Where the weight enters", _weight_words(question, q, links)
    if q.kind == "b":
        return "Where the bias enters", (
            "The bias ",
            name(q),
            " is added on the way into ",
            name(links[0].to),
            ". Nothing else contains it.",
        )
    if q.kind in ("C", "R"):
        return "At the total", ("The total is the sum of the costs, so each of them counts once.",)
    if q.kind == "y":
        return "At the cost", ("The target ", name(q), " is in ", name(links[0].to), " only.")
    if links[0].to.kind == "C":
        if question.run.network.layered.outputs == 1:
            return "At the cost", ("The cost contains the output directly.",)
        return "At the costs", ("Each output is in its own cost only, so no other cost has to be looked at.",)
    inside = links[0].to.layer == q.layer
    activation = question.run.network.layered.activations[int(q.layer or 1) - 1]
    title = f"Through {activation.name}" if inside else "The chain rule by the next layer"
    subject: Words = (name(q),) if alone else ("Each of these neurons",)
    if inside and activation.dense:
        joined = f"{activation.name} takes the layer together: "
        subject = (joined, name(q)) if alone else (f"{joined}each of these pre-activations",)
    where = "the layer" if inside else "the next layer"
    what = "activations" if inside else "neurons"
    if len(links) == 1 and ways == 1:
        return title, (*subject, " acts on ", name(links[0].to), " only, so the sum has one term.")
    if len(links) == 1 and links[0].to == question.of:
        return title, (*subject, " acts on ", name(links[0].to), " directly.")
    if len(links) == 1:
        only: Words = (name(links[0].to), " leads to ", name(question.of), ", so the sum has one term.")
        return title, (*subject, f" acts on {_all(ways)} {what} of {where}, but only ", *only)
    return title, (*subject, f" acts on {_all(len(links))} {what} of {where}; the ways are added up.")


def _all(many: int) -> str:
    return "both" if many == 2 else f"all {many}"


def _weight_words(question: Question, q: Quantity, links: list[Link]) -> Words:
    name = question.spell.q
    if links[0].to.kind == "R":
        return (
            "The weight ",
            name(q),
            " is in ",
            name(links[0].to),
            " as its square: no neuron is on the way.",
        )
    below = Quantity("a", int(q.layer or 0) - 1, q.source)
    words: Words = ("The weight ", name(q), " is multiplied with ", name(below), " on the way into ")
    words = (*words, name(links[0].to))
    if len(links) > 1:
        words = (*words, ", and its square is in ", name(links[1].to))
    apart = question.parts and question.run.network.layered.l2 and question.of == TOTAL
    return (*words, "." if apart else ". Nothing else contains it.")


def _reasons(found: list[Words]) -> Words:
    """Returns why factors are 0, where any is."""
    told = list(dict.fromkeys(reason for reason in found if reason))
    if not told:
        return ()
    said: Words = (" Factors that are 0: " if len(told) > 1 else " A factor is 0: ", *told[0])
    for reason in told[1:MOST_EQUATIONS]:
        said = (*said, "; ", *reason)
    more = len(told) - MOST_EQUATIONS
    return (*said, f"; and {more} more." if more > 0 else ".")


class _Equation:
    """One derivative by the chain rule: with the local derivatives' symbols, and with numbers.

    Args:
        question: What is asked.
        derivatives: The derivatives by everything on the way.
        q: What this derivative is by.
        links: Its links on the way to what is differentiated.
    """

    def __init__(self, question: Question, derivatives: Derivatives, q: Quantity, links: list[Link]) -> None:
        self.question, self.q, self.links = question, q, links
        self.partly = bool(question.parts) and q == question.by
        self.value = question.parts[question.example] if self.partly else derivatives.at(q)
        flows = [(link, derivatives.at(link.to)) for link in links]
        largest = sorted(flows, key=lambda flow: -abs(flow[0].value * flow[1]))[:MOST_TERMS]
        if len(flows) > MOST_TERMS:
            largest = [flow for flow in largest if flow[0].value * flow[1]] or largest[:1]
        self.kept = [flow for flow in flows if flow in largest]
        self.left_out = len(links) - len(self.kept)
        # Added up, not what is left of the value: where the others are all 0 that would be rounding.
        self.rest = fsum(flow[0].value * flow[1] for flow in flows if flow not in largest)

    def lines(self, whole: bool) -> list[Line]:
        """Returns the lines.

        Args:
            whole: Whether the chain rule in general and the slopes' formulas are written too.
        """
        spell, kept, links = self.question.spell, self.kept, self.links
        made = []
        general = _general(self.question, self.q, links) if whole and not self.partly else None
        if general is not None:
            made.append(Line(general))
        first = spell(self._symbols)
        direct = len(kept) == 1 and links[0].to.kind == "C"
        if direct and kept[0][0].explicit is not None:
            # dC/da = dC/da says nothing: the formula takes its place.
            formula = kept[0][0].explicit
            if links[0].to == self.question.of or self.partly:
                first = spell(lambda s: f"{self._left(s)} = {formula(s)}")
            else:
                made.append(Line(first))
                first = spell(lambda s: f"{_lead(s)}= {formula(s)}")
        inserted = spell(self._numbers)
        if first.latex.endswith(f" = {inserted.latex.removeprefix('= ')}"):
            # A number from the start, as the derivative of the total by a cost: nothing is left to insert.
            return [*made, Line(first, self.value)]
        made.append(Line(first))
        if not direct and whole and any(link.explicit for link, _ in kept) and len(kept) <= MOST_TERMS // 2:
            made.append(Line(spell(self._explicit)))
        made.append(Line(inserted, self.value))
        return made

    def _left(self, s: Speller) -> str:
        return _part(s, self.question.example) if self.partly else s.d(self.question.of, self.q)

    def _ends(self, to: Quantity) -> bool:
        """Returns whether the way ends behind a link: its own factor is all."""
        return to == self.question.of or to.kind in ("C", "R", "total")

    def _outer(self, s: Speller, to: Quantity) -> str:
        """Returns the derivative of the rest of the way; nothing where the way ends."""
        return "" if self._ends(to) else s.d(self.question.of, to)

    def _added(self, s: Speller, terms: list[str]) -> str:
        return s.added(*terms, *((s.dots(),) if self.left_out else ()))

    def _symbols(self, s: Speller) -> str:
        terms = [s.product(link.symbols(s), self._outer(s, link.to)) for link, _ in self.kept]
        return f"{self._left(s)} = {self._added(s, terms)}"

    def _explicit(self, s: Speller) -> str:
        terms = [
            s.product((link.explicit or link.symbols)(s), self._outer(s, link.to)) for link, _ in self.kept
        ]
        return f"{_lead(s)}= {self._added(s, terms)}"

    def _numbers(self, s: Speller) -> str:
        terms = []
        for link, after in self.kept:
            ends = () if self._ends(link.to) else (after,)
            terms.append(s.times(*(s.number(number) for number in (*link.numbers, *ends))))
        if self.left_out:
            terms.append(_more(s, self.left_out, self.rest))
        shown = s.added(*terms)
        if len(self.kept) == 1 and self.kept[0][0].inserted is not None:
            shown = self.kept[0][0].inserted(s)
        if shown == s.number(self.value):
            return f"{_lead(s)}{s.equals(self.value)} {shown}"
        return f"{_lead(s)}= {shown} {s.equals(self.value)} {s.number(self.value)}"


def _lead(s: Speller) -> str:
    return s.choose("", "  ", "  ")


def _general(question: Question, q: Quantity, links: list[Link]) -> Math | None:
    """Returns the chain rule with a sum over the neurons of the next layer, where there are several."""
    if (
        len(links) < 2
        or question.run.network.names
        or not all(
            link.to.kind in ("a", "z") and link.to._replace(to=0) == links[0].to._replace(to=0)
            for link in links
        )
    ):
        return None
    first, last = links[0].to, links[-1].to

    def build(s: Speller) -> str:
        inner = s.any(first)
        here = s.ratio(inner, s.q(q))
        # Notations with a name of their own for a derivative (dW) have none for a letter's: a fraction says it.
        outer = s.ratio(s.q(question.of), inner)
        low, high = s.neuron(int(first.to or 0)), s.neuron(int(last.to or 0))
        return f"{s.d(question.of, q)} = {s.over('j', low, high)}{s.product(here, outer)}"

    return question.spell(build)
