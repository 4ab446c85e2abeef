"""What the searches for a slip share."""

import re
from fractions import Fraction as Ratio

from whygrad.equation.tree import (
    Node,
    Number,
    Ref,
    Symbol,
    replaced,
)
from whygrad.equation.trial import Change, Fix, Trial
from whygrad.equation.vocabulary import stands_for


def ref_of(node: Node) -> Ref | None:
    """Returns the quantity that a node stands for; None where it stands for none."""
    node = stands_for(node)
    return node.meanings[0] if isinstance(node, Symbol) and isinstance(node.meanings[0], Ref) else None


def swapped_in(trial: Trial, old: Node, new: Node, text: str, says: str, code: str = "") -> Fix:
    """Returns the fix that puts one part of the right side in another's place."""
    change = Change(old.span[0], old.span[1], in_place(trial, old, text))
    return Fix(trial.pair.left, replaced(trial.pair.right, old, new), (change,), says, code, old.span)


def holds_with(trial: Trial, fix: Fix) -> bool:
    """Returns whether an equality holds after a change."""
    return trial.holds(fix.left, fix.right)


def attached(name: str, tail: str) -> str:
    r"""Returns a name with what is done to it (`^T`), as `W^{[2]T}` or `{w^l}^T`.

    Example:
        >>> attached("W^{[2]}", "^T"), attached("w^l", "^T"), attached("X", "^T")
        ('W^{[2]T}', '{w^l}^T', 'X^T')
    """
    bracketed = re.fullmatch(r"(.*\^\{[\[(][^{}]*)(\}.*)", name)
    if tail and bracketed is not None:
        return bracketed.group(1) + tail[1:] + bracketed.group(2)
    return f"{{{name}}}{tail}" if tail and "^" in name else name + tail


def in_place(trial: Trial, old: Node, text: str) -> str:
    """Returns what takes the place of a node: with its brackets, and with what is done to a name."""
    if isinstance(old, Symbol):
        text = attached(text, old.tail)
    opened, closed = (
        trial.pair.text[old.span[0] : old.span[0] + 1],
        trial.pair.text[old.span[1] - 1 : old.span[1]],
    )
    bracketed = isinstance(old, Symbol | Number) and opened + closed in ("()", "[]", "{}")
    return f"{opened}{text}{closed}" if bracketed else text


def as_written(trial: Trial, node: Node) -> str:
    """Returns a part of the equation as it was written; a name without what is done to it."""
    if isinstance(node, Symbol) and node.tail:
        return node.text
    return trial.pair.text[node.span[0] : node.span[1]].strip()


def is_array(node: Node) -> bool:
    """Returns whether a node is a whole array."""
    ref = ref_of(node)
    return ref is not None and ref.array


def ratio_text(trial: Trial, ratio: Ratio) -> str:
    """Returns a number as the writer would write it."""
    if ratio.denominator == 1:
        return str(ratio.numerator)
    return trial.writer.fraction(str(ratio.numerator), str(ratio.denominator))
