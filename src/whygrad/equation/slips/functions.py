"""Slips with functions: the slope for the value, or taken at the wrong place."""

from collections.abc import Iterator

from whygrad.equation.atoms import constant_atoms, lettered_atoms
from whygrad.equation.bench import Bench, Change, Fix
from whygrad.equation.slips.common import as_written, holds_with, swapped_in
from whygrad.equation.slips.quantities import left_out
from whygrad.equation.tree import (
    Call,
    Symbol,
    walk,
)  # fmt: skip
from whygrad.equation.vocabulary import stands_for


def function_for_slope(bench: Bench) -> Iterator[Fix]:
    """The activation function where its slope belongs, or the reverse."""
    for node in walk(bench.pair.right):
        if not isinstance(node, Call) or (
            node.function.name and node.function.name not in ("sigmoid", "tanh", "relu")
        ):
            continue
        text = as_written(bench, node)
        opened = text.find("(")
        if opened <= 0 or node.function.primes > 1:
            continue
        primes = 1 - node.function.primes
        head = text[:opened]
        for mark in ("'", "^{\\prime}", "^\\prime", "\\prime", "′"):
            head = head.replace(mark, "")
        head += "'" if primes else ""
        new = Call(node.span, node.function._replace(primes=primes), node.arguments, node.options)
        right, wrong = ("slope", "value") if primes else ("value", "slope")
        says = f"{text} is the {wrong} of the function where its {right} belongs"
        fix = swapped_in(bench, node, new, head + text[opened:], says)
        if holds_with(bench, fix):
            yield fix


def wrong_argument(bench: Bench) -> Iterator[Fix]:
    """A function, or its slope, taken at the wrong place."""
    constants = [] if bench.letters.free else constant_atoms(bench)
    atoms = constants if constants and not bench.pair.arrays else lettered_atoms(bench, bench.pair.arrays)
    for node in walk(bench.pair.right):
        if not isinstance(node, Call) or len(node.arguments) != 1:
            continue
        for atom in atoms:
            if atom.kind not in ("z", "a"):
                continue
            text = atom.written(bench)
            argument = node.arguments[0]
            new_argument = atom.node(argument.span)
            says = f"{as_written(bench, node)} is taken at the wrong place: at {text} it would be right"
            fix = swapped_in(bench, argument, new_argument, text, says, "AA")
            if argument.span[0] == argument.span[1] or argument.span == node.span:
                continue
            if bench.pair.text[argument.span[0]] in "([" and isinstance(argument, Symbol):
                fix = fix._replace(changes=(Change(argument.span[0], argument.span[1], f"({text})"),))
            if holds_with(bench, fix):
                yield fix
            elif constants and isinstance(stands_for(argument), Symbol):
                inner = Bench(bench.pair._replace(right=fix.right), bench.outcome)
                for second in left_out(inner):
                    yield fix._replace(
                        right=second.right,
                        changes=(*fix.changes, *_after(second, fix)),
                        says=f"{as_written(bench, node)} is taken at the wrong place; {second.says}",
                    )
                    break


def _after(second: Fix, first: Fix) -> tuple[Change, ...]:
    """Returns the second fix as an insertion, so that both can be made in one text."""
    change = second.changes[0]
    inserted = first.changes[0]
    text = change.text
    cut = text.rfind(" ")
    if change.start <= inserted.start and change.end >= inserted.end:
        opened = text.startswith("(")
        before = (Change(change.start, change.start, "("),) if opened else ()
        tail = text[text.rfind(")", 0, cut) if opened and ")" in text[:cut] else cut :]
        return (*before, Change(change.end, change.end, tail))
    return (change,)


def wrong_argument_alone(bench: Bench) -> Iterator[Fix]:
    """A function taken at the wrong place, and nothing else wrong."""
    for fix in wrong_argument(bench):
        if len(fix.changes) == 1:
            yield fix
