"""Slips with whole arrays: transposes, and elementwise products for matrix products."""

from collections.abc import Iterator

from whygrad.equation.slips.common import as_written, holds_with, is_array, swapped_in
from whygrad.equation.tree import (
    Call,
    Node,
    Product,
    Symbol,
    Transposed,
    parts,
    replaced,
    walk,
)  # fmt: skip
from whygrad.equation.trial import Change, Fix, Trial


def wrong_product(trial: Trial) -> Iterator[Fix]:
    """A matrix product where an elementwise one belongs, or the reverse."""
    if not trial.pair.arrays:
        return
    for product in [node for node in walk(trial.pair.right) if isinstance(node, Product)]:
        for place, sign in enumerate(product.signs):
            elementwise = sign in ("⊙", "*")
            if sign == "/":
                continue
            signs = (*product.signs[:place], "@" if elementwise else "⊙", *product.signs[place + 1 :])
            one, other = product.factors[place : place + 2]
            new = Product(product.span, product.factors, signs)
            latex = trial.writer.style == "latex"
            ng = trial.setting.vocabulary.notation.name == "ng" or trial.setting.vocabulary.code
            mark = " " if elementwise else " * " if ng else " \\odot " if latex else " ⊙ "
            wanted = "a matrix product" if elementwise else "elementwise"
            says = f"the product with {as_written(trial, other)} should be {wanted}"
            change = Change(one.span[1], other.span[0], mark)
            right = replaced(trial.pair.right, product, new)
            fix = Fix(trial.pair.left, right, (change,), says, "EW", product.span)
            if holds_with(trial, fix):
                yield fix


def transposed(trial: Trial) -> Iterator[Fix]:
    """A transpose that is missing or too many, or factors in the wrong order."""
    if not trial.pair.arrays:
        return
    latex = trial.writer.style == "latex" and not trial.setting.vocabulary.code
    right = trial.pair.right
    for node in walk(right):
        if isinstance(node, Transposed):
            says = f"{as_written(trial, node)} should not be transposed"
            fix = swapped_in(trial, node, node.of, as_written(trial, node.of), says)
            if holds_with(trial, fix):
                yield fix
        elif is_array(node) or isinstance(node, Product | Call):
            text = as_written(trial, node)
            symbol = isinstance(node, Symbol)
            raised = (
                (f"{{{text}}}^T" if symbol else f"({text})^T")
                if latex
                else (f"{text}.T" if symbol else f"({text}).T")
            )
            says = f"{text} should be transposed"
            fix = swapped_in(trial, node, Transposed(node.span, node), raised, says)
            if holds_with(trial, fix):
                yield fix
        if isinstance(node, Product) and len(node.factors) == 2:
            one, other = node.factors
            for turned in ((other, one), (Transposed(other.span, other), Transposed(one.span, one))):
                new = Product(node.span, turned, node.signs)
                texts = [_turned(trial, part, latex) for part in turned]
                between = trial.pair.text[one.span[1] : other.span[0]]
                says = f"the factors of {as_written(trial, node)} stand in the wrong order"
                fix = swapped_in(trial, node, new, texts[0] + (between or " ") + texts[1], says)
                if holds_with(trial, fix):
                    yield fix


def _turned(trial: Trial, node: Node, latex: bool) -> str:
    if not isinstance(node, Transposed) or parts(node)[0].span != node.span:
        return as_written(trial, node)
    inner = as_written(trial, node.of)
    return f"{{{inner}}}^T" if latex else f"{inner}.T"
