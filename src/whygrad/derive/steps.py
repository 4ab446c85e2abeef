"""The steps of a derivation: the chain rule by the next layer, layer by layer, each sum written out."""

from typing import NamedTuple

import numpy as np

from whygrad.derive.derivation import Line, Step, Words
from whygrad.derive.links import TOTAL, Link, Links
from whygrad.derive.spelling import Math, Speller, Spelling
from whygrad.notation import Quantity
from whygrad.run import Run

# As many equations are written out in a step, and as many terms in a sum, as a person would still read.
MOST_EQUATIONS = 4
MOST_TERMS = 6


class Question(NamedTuple):
    """What is asked: the derivative of one quantity by another in one example of a run."""

    run: Run
    example: int
    of: Quantity
    by: Quantity
    spell: Spelling


class Derivatives:
    """The derivatives of one quantity by all others, from one sweep."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._sweep = question.run.seeded(question.of, question.example)
        self._reach = question.run.seeded(question.of, question.example, "reach")
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
    links = Links(question.run, question.example, question.of)
    level = [question.by]
    steps: list[Step] = []
    while level and level != [question.of]:
        known = {q: _on_the_way(links.after(q), derivatives) for q in level if q != question.of}
        steps.append(_step(question, derivatives, known))
        following = {link.to: None for q in known for link in known[q] if link.to != question.of}
        level = [q for q in following if q.kind not in ("C", "R")]
    return tuple(steps)


def _on_the_way(links: list[Link], derivatives: Derivatives) -> list[Link]:
    return [link for link in links if derivatives.reaches(link.to)]


def _step(question: Question, derivatives: Derivatives, known: dict[Quantity, list[Link]]) -> Step:
    # Of a wide layer, the neurons through which most of the derivative flows are written out.
    shown = sorted(known, key=lambda q: -abs(derivatives.at(q)))[:MOST_EQUATIONS]
    shown = [q for q in known if q in shown]
    lines = [line for q in shown for line in _equation(question, derivatives, q, known[q])]
    place = next(iter(known))
    title, says = _heading(question, place, known[place], alone=len(known) == 1)
    if len(shown) < len(known):
        says = (
            *says,
            f" Of the {len(known)} neurons of this layer, the {len(shown)} with the largest derivatives are shown.",
        )
    reasons = [(q, link) for q in shown for link in known[q] if link.reason]
    return Step(title, says + _reasons(question, reasons), tuple(lines))


def _heading(question: Question, q: Quantity, links: list[Link], alone: bool) -> tuple[str, Words]:
    name = question.spell.q
    if q.kind == "w":
        below = Quantity("a", int(q.layer or 0) - 1, q.source)
        words: Words = (
            "The weight ",
            name(q),
            " is multiplied with ",
            name(below),
            " and enters ",
            name(links[0].to),
        )
        if len(links) > 1:
            words = (*words, "; it is also in the l2 cost")
        return "Where the weight enters", (*words, ". Nothing else contains it.")
    if q.kind == "b":
        return "Where the bias enters", (
            "The bias ",
            name(q),
            " is added on the way into ",
            name(links[0].to),
            " only.",
        )
    if all(link.to.kind in ("C", "R", "total") for link in links):
        return _at_the_costs(question, q, links)
    here = "its own layer" if links[0].to.layer == q.layer else "the next layer"
    title = f"The chain rule by {here}"
    if len(links) == 1:
        return title, (name(q), " acts on ", name(links[0].to), " only, so that the sum has one term.")
    subject: Words = (name(q), " acts on ") if alone else ("Each of these neurons acts on ",)
    return title, (
        *subject,
        f"{'both' if len(links) == 2 else f'all {len(links)}'} neurons of {here}; the ways are added up.",
    )


def _at_the_costs(question: Question, q: Quantity, links: list[Link]) -> tuple[str, Words]:
    if question.of == TOTAL or question.of.kind == "C":
        net = question.run.network.layered
        if net.outputs == 1:
            return "At the cost", ("The cost contains the output directly.",)
        return "At the costs", ("Each output is in its own cost only, so no other cost has to be looked at.",)
    return "At the end", ("This is what the derivative is taken of.",)


def _reasons(question: Question, found: list[tuple[Quantity, Link]]) -> Words:
    told: dict[str, None] = {}
    for _, link in found:
        if link.reason.startswith("0"):
            told[link.reason] = None
    return tuple(f" {reason}." for reason in list(told)[:MOST_EQUATIONS])


def _equation(question: Question, derivatives: Derivatives, q: Quantity, links: list[Link]) -> list[Line]:
    """Returns the lines of one derivative: in general, with the local derivatives' symbols, with numbers."""
    spell, of = question.spell, question.of
    value = derivatives.at(q)
    if not links:
        return [Line(spell(lambda s: f"{_d(s, of, q)} = 0"), 0.0)]
    flows = [(link, derivatives.at(link.to)) for link in links]
    flows.sort(key=lambda flow: -abs(flow[0].value * flow[1]))
    chosen = flows[:MOST_TERMS]
    kept = [
        flow
        for flow in ((link, derivatives.at(link.to)) for link in links)
        if flow[0] in [c[0] for c in chosen]
    ]
    left_out = len(links) - len(kept)
    lines = []
    general = _general(question, q, links)
    if general is not None:
        lines.append(Line(general))

    def symbols(s: Speller) -> str:
        terms = [s.product(link.symbols(s), _outer(s, of, link.to)) for link, _ in kept]
        return f"{_d(s, of, q)} = {s.added(*terms)}" + (f" + {s.dots()}" if left_out else "")

    lines.append(Line(spell(symbols)))
    if any(link.explicit for link, _ in kept) and len(kept) <= MOST_TERMS // 2:

        def explicit(s: Speller) -> str:
            terms = [
                s.product((link.explicit or link.symbols)(s), _outer(s, of, link.to)) for link, _ in kept
            ]
            return f"{_lead(s)}= {s.added(*terms)}" + (f" + {s.dots()}" if left_out else "")

        lines.append(Line(spell(explicit)))
    rest = value - sum(link.value * outer for link, outer in kept)

    def numbers(s: Speller) -> str:
        terms = []
        for link, outer in kept:
            ends = () if link.to in (of, TOTAL) or link.to.kind in ("C", "R") else (outer,)
            terms.append(s.times(*(s.number(number) for number in (*link.numbers, *ends))))
        more = s.choose(r"\text{ (", " (", " (") + f"{left_out} more: " + s.choose("}", "", "")
        tail = f" + {more}{s.number(rest)})" if left_out else ""
        whole = s.added(*terms) + tail
        if len(kept) == 1 and kept[0][0].inserted is not None:
            whole = kept[0][0].inserted(s)
        if whole == s.number(value):
            return f"{_lead(s)}{s.equals(value)} {whole}"
        return f"{_lead(s)}= {whole} {s.equals(value)} {s.number(value)}"

    lines.append(Line(spell(numbers), value))
    return lines


def _lead(s: Speller) -> str:
    return s.choose("", "  ", "  ")


def _d(s: Speller, of: Quantity, q: Quantity) -> str:
    return s.d(of, q)


def _outer(s: Speller, of: Quantity, to: Quantity) -> str:
    """Returns the derivative of the rest of the way; nothing where the way ends."""
    return "" if to == of or to.kind in ("C", "R", "total") else s.d(of, to)


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
    offset = question.run.network.notation.record.neurons_from

    def build(s: Speller) -> str:
        inner = s.any(first)
        here = s.ratio(inner, s.q(q))
        # Notations with a name of their own for a derivative (dW) have none for a letter's: a fraction says it.
        outer = s.ratio(s.q(question.of), inner)
        low, high = str(int(first.to or 0) + offset), str(int(last.to or 0) + offset)
        return f"{_d(s, question.of, q)} = {s.over('j', low, high)}{s.product(here, outer)}"

    return question.spell(build)
