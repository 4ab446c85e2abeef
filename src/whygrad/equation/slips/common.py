"""What the searches for a slip share."""

from fractions import Fraction as Ratio

from whygrad.equation.bench import Bench, Change, Fix
from whygrad.equation.tree import (
    Node,
    Ref,
    Symbol,
    replaced,
)  # fmt: skip
from whygrad.equation.vocabulary import stands_for


def ref_of(node: Node) -> Ref | None:
    """Returns the quantity that a node stands for; None where it stands for none."""
    node = stands_for(node)
    return node.meanings[0] if isinstance(node, Symbol) and isinstance(node.meanings[0], Ref) else None


def swapped_in(bench: Bench, old: Node, new: Node, text: str, says: str, code: str = "") -> Fix:
    """Returns the fix that puts one part of the right side in another's place."""
    change = Change(old.span[0], old.span[1], text)
    return Fix(bench.pair.left, replaced(bench.pair.right, old, new), (change,), says, code, old.span)


def holds_with(bench: Bench, fix: Fix) -> bool:
    """Returns whether an equality holds after a change."""
    return bench.holds(fix.left, fix.right)


def as_written(bench: Bench, node: Node) -> str:
    """Returns a part of the equation as it was written."""
    return bench.pair.text[node.span[0] : node.span[1]].strip()


def is_array(node: Node) -> bool:
    """Returns whether a node is a whole array."""
    ref = ref_of(node)
    return ref is not None and ref.array


def ratio_text(bench: Bench, ratio: Ratio) -> str:
    """Returns a number as the writer would write it."""
    if ratio.denominator == 1:
        return str(ratio.numerator)
    if bench.writer.style == "latex":
        return f"\\frac{{{ratio.numerator}}}{{{ratio.denominator}}}"
    return f"({ratio.numerator}/{ratio.denominator})"
