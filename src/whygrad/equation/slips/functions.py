"""Slips with functions: the slope for the value, or taken at the wrong place."""

from collections.abc import Iterator

from whygrad.equation.atoms import constant_atoms, lettered_atoms
from whygrad.equation.slips.common import as_written, holds_with, in_place, ref_of, swapped_in
from whygrad.equation.slips.quantities import left_out
from whygrad.equation.tree import (
    Call,
    Function,
    Number,
    Sum,
    Symbol,
    replaced,
    walk,
)
from whygrad.equation.trial import Change, Fix, Trial


def function_for_slope(trial: Trial) -> Iterator[Fix]:
    """The activation function where its slope belongs, or the reverse."""
    for node in walk(trial.pair.right):
        if not isinstance(node, Call) or (
            node.function.name and node.function.name not in ("sigmoid", "tanh", "relu")
        ):
            continue
        text = as_written(trial, node)
        opened = text.find("(")
        if opened <= 0 or node.function.primes > 1:
            continue
        primes = 1 - node.function.primes
        head = text[:opened]
        for mark in ("'", "^{\\prime}", "^\\prime", "\\prime", "′"):
            head = head.replace(mark, "")
        head = trial.writer.primed(head) if primes else head
        new = Call(node.span, node.function._replace(primes=primes), node.arguments, node.options)
        right, wrong = ("slope", "value") if primes else ("value", "slope")
        says = f"{text} is the {wrong} of the function where its {right} belongs"
        fix = swapped_in(trial, node, new, head + text[opened:], says)
        if holds_with(trial, fix):
            yield fix


def wrong_argument(trial: Trial) -> Iterator[Fix]:
    """A function, or its slope, taken at the wrong place."""
    for fix in _elsewhere(trial):
        if holds_with(trial, fix):
            yield fix


def wrong_argument_and_more(trial: Trial) -> Iterator[Fix]:
    """A function taken at the wrong place, and a factor that is missing beside it."""
    if trial.letters.free or trial.pair.arrays:
        return
    for fix in _elsewhere(trial):
        inner = Trial(trial.pair._replace(right=fix.right), trial.outcome)
        for second in left_out(inner):
            says = f"{fix.says.partition(':')[0]}; {second.says}"
            yield fix._replace(right=second.right, changes=(*fix.changes, *_after(second, fix)), says=says)
            break


def _elsewhere(trial: Trial) -> Iterator[Fix]:
    """Yields the right side with a function taken at another quantity, whether that holds or not."""
    constants = [] if trial.letters.free else constant_atoms(trial)
    atoms = constants if constants and not trial.pair.arrays else lettered_atoms(trial, trial.pair.arrays)
    for node in walk(trial.pair.right):
        if not isinstance(node, Call) or len(node.arguments) != 1:
            continue
        argument = node.arguments[0]
        if argument.span[0] == argument.span[1] or argument.span == node.span:
            continue
        for atom in atoms:
            if atom.kind in ("z", "a"):
                text = atom.written(trial)
                says = f"{as_written(trial, node)} is taken at the wrong place: at {text} it would be right"
                yield swapped_in(trial, argument, atom.node(argument.span), text, says, "AA")


def without_function(trial: Trial) -> Iterator[Fix]:
    """The weighted sum alone, where the activation function is taken of it."""
    ref = ref_of(trial.pair.left)
    if ref is None or ref.kind != "a" or ref.derived or ref.layer is None:
        return
    right, writer = trial.pair.right, trial.writer
    layer = ref.layer if ref.layer.letter is None else None
    kind = trial.setting.layered.activations[layer.offset - 1 if layer else 0]
    new = Call(right.span, Function("", 0, ref.layer if ref.layer.letter != "@" else None), (right,))
    head = writer.function(ref._replace(kind="z"))
    text = as_written(trial, right)
    fix = swapped_in(
        trial, right, new, f"{head}({text})", f"the activation function ({kind.name}) is missing", "MA"
    )
    if holds_with(trial, fix):
        yield fix


def form_on_z(trial: Trial) -> Iterator[Fix]:
    """A slope in terms of the activation, `a(1 - a)`, that is taken of the pre-activation."""
    right, changes = trial.pair.right, []
    if not any(isinstance(node, Sum) and isinstance(node.terms[0], Number) for node in walk(right)):
        return
    for node in walk(right):
        ref = ref_of(node)
        if isinstance(node, Symbol) and ref is not None and ref.kind == "z" and not ref.derived:
            new = ref._replace(kind="a")
            text = trial.writer.ref(new)
            right = replaced(right, node, Symbol(node.span, text, (new,)))
            changes.append(Change(node.span[0], node.span[1], in_place(trial, node, text)))
    says = "the slope is that of the activation function at its value, and is taken at the pre-activation"
    fix = Fix(trial.pair.left, right, tuple(changes), says, "AA", trial.pair.right.span)
    if changes and holds_with(trial, fix):
        yield fix


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
