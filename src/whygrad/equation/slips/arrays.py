"""Slips with whole arrays: transposes, and elementwise products for matrix products."""

from collections.abc import Iterator
from itertools import pairwise, product

from whygrad.equation.slips.common import as_written, holds_with, is_array, swapped_in
from whygrad.equation.tree import (
    Call,
    Node,
    Product,
    Symbol,
    Transposed,
    replaced,
    walk,
)
from whygrad.equation.trial import Change, Fix, Trial


def wrong_product(trial: Trial) -> Iterator[Fix]:
    """A matrix product where an elementwise one belongs, or the reverse."""
    if not trial.pair.arrays:
        return
    for every in [node for node in walk(trial.pair.right) if isinstance(node, Product)]:
        for place, sign in enumerate(every.signs):
            elementwise = sign in ("⊙", "*")
            if sign == "/":
                continue
            signs = (*every.signs[:place], "@" if elementwise else "⊙", *every.signs[place + 1 :])
            one, other = every.factors[place : place + 2]
            new = Product(every.span, every.factors, signs)
            mark = " " if elementwise else trial.writer.elementwise()
            wanted = "a matrix product" if elementwise else "elementwise"
            says = f"the product with {as_written(trial, other)} should be {wanted}"
            change = Change(one.span[1], other.span[0], mark)
            right = replaced(trial.pair.right, every, new)
            fix = Fix(trial.pair.left, right, (change,), says, "EW", every.span)
            if holds_with(trial, fix):
                yield fix


def transposed(trial: Trial) -> Iterator[Fix]:
    """A transpose that is missing or too many, or factors in the wrong order."""
    if not trial.pair.arrays:
        return
    right = trial.pair.right
    for node in walk(right):
        if isinstance(node, Transposed):
            says = f"{as_written(trial, node)} should not be transposed"
            fix = swapped_in(trial, node, node.of, as_written(trial, node.of), says)
            if holds_with(trial, fix):
                yield fix
        elif is_array(node) or isinstance(node, Product | Call):
            text = as_written(trial, node)
            raised = trial.writer.transposed(text if isinstance(node, Symbol) else f"({text})")
            says = f"{text} should be transposed"
            fix = swapped_in(trial, node, Transposed(node.span, node), raised, says)
            if holds_with(trial, fix):
                yield fix
        if isinstance(node, Product):
            yield from _reordered(trial, node)


def _reordered(trial: Trial, node: Product) -> Iterator[Fix]:
    """Two factors side by side in another order, with other transposes."""
    for place, (one, other) in enumerate(pairwise(node.factors)):
        if node.signs[place] in ("/", "⊙") or not (_is_matrix(trial, one) and _is_matrix(trial, other)):
            continue
        bare = [part.of if isinstance(part, Transposed) else part for part in (one, other)]
        for first, second in (bare, bare[::-1]):
            for turned in product((False, True), repeat=2):
                pair = [
                    Transposed(p.span, p) if t else p for p, t in zip((first, second), turned, strict=True)
                ]
                factors = (*node.factors[:place], *pair, *node.factors[place + 2 :])
                new = Product(node.span, factors, node.signs)
                texts = [
                    trial.writer.transposed(as_written(trial, p)) if t else as_written(trial, p)
                    for p, t in zip((first, second), turned, strict=True)
                ]
                between = trial.pair.text[one.span[1] : other.span[0]]
                change = Change(one.span[0], other.span[1], texts[0] + (between or " ") + texts[1])
                written = trial.pair.text[one.span[0] : other.span[1]].strip()
                if [first, second] == bare:
                    says = f"in {written} the wrong factor is transposed"
                else:
                    says = f"the factors of {written} stand in the wrong order"
                right = replaced(trial.pair.right, node, new)
                fix = Fix(trial.pair.left, right, (change,), says, "TR", (one.span[0], other.span[1]))
                if holds_with(trial, fix):
                    yield fix


def _is_matrix(trial: Trial, node: Node) -> bool:
    value = trial.value(node, trial.values[0]) if trial.values else None
    return value is not None and value.ndim == 3
