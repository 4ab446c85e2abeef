"""Slips with softmax: its other outputs are forgotten."""

from collections.abc import Iterator

from whygrad.equation.reader import read_side
from whygrad.equation.slips.common import holds_with, ref_of
from whygrad.equation.tree import Derivative
from whygrad.equation.trial import Change, Fix, Trial
from whygrad.equation.vocabulary import stands_for
from whygrad.errors import EquationError


def other_outputs(trial: Trial) -> Iterator[Fix]:
    """The derivative of one softmax output by another's pre-activation, right only where both are the same."""
    left = stands_for(trial.pair.left)
    if not isinstance(left, Derivative):
        return
    of, by = ref_of(left.of), ref_of(left.by)
    if (
        of is None
        or by is None
        or (of.kind, by.kind) != ("a", "z")
        or of.layer is None
        or of.layer != by.layer
    ):
        return
    layer = of.layer.offset
    dense = of.layer.letter is None and trial.setting.layered.activations[layer - 1].dense
    if not dense or of.to is None or by.to is None or of.to == by.to or not trial.letters.free:
        return
    one, other = trial.writer.ref(of), trial.writer.ref(by._replace(kind="a"))
    both = f"{of.to.letter or of.to.offset}{by.to.letter or by.to.offset}"
    delta = f"\\delta_{{{both}}}" if trial.writer.style == "latex" else f"δ_{{{both}}}"
    text = f"{one}({delta} - {other})"
    try:
        right = read_side(text, trial.setting.vocabulary)
    except EquationError:
        return
    span = trial.pair.right.span
    says = f"softmax's other outputs are forgotten: {one} hangs on every {trial.writer.ref(by)}"
    fix = Fix(trial.pair.left, right, (Change(*span, text),), says, "OD", span)
    if holds_with(trial, fix):
        yield fix
