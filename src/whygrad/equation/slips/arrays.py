"""Slips with whole arrays: transposes, and elementwise products for matrix products."""

from collections.abc import Iterator

from whygrad.equation.bench import Bench, Change, Fix
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


def wrong_product(bench: Bench) -> Iterator[Fix]:
    """A matrix product where an elementwise one belongs, or the reverse."""
    if not bench.pair.arrays:
        return
    for product in [node for node in walk(bench.pair.right) if isinstance(node, Product)]:
        for place, sign in enumerate(product.signs):
            elementwise = sign in ("⊙", "*")
            if sign == "/":
                continue
            signs = (*product.signs[:place], "@" if elementwise else "⊙", *product.signs[place + 1 :])
            one, other = product.factors[place : place + 2]
            new = Product(product.span, product.factors, signs)
            latex = bench.writer.style == "latex"
            ng = bench.setting.vocabulary.notation.name == "ng" or bench.setting.vocabulary.code
            mark = " " if elementwise else " * " if ng else " \\odot " if latex else " ⊙ "
            wanted = "a matrix product" if elementwise else "elementwise"
            says = f"the product with {as_written(bench, other)} should be {wanted}"
            change = Change(one.span[1], other.span[0], mark)
            right = replaced(bench.pair.right, product, new)
            fix = Fix(bench.pair.left, right, (change,), says, "EW", product.span)
            if holds_with(bench, fix):
                yield fix


def transposed(bench: Bench) -> Iterator[Fix]:
    """A transpose that is missing or too many, or factors in the wrong order."""
    if not bench.pair.arrays:
        return
    latex = bench.writer.style == "latex" and not bench.setting.vocabulary.code
    right = bench.pair.right
    for node in walk(right):
        if isinstance(node, Transposed):
            says = f"{as_written(bench, node)} should not be transposed"
            fix = swapped_in(bench, node, node.of, as_written(bench, node.of), says)
            if holds_with(bench, fix):
                yield fix
        elif is_array(node) or isinstance(node, Product | Call):
            text = as_written(bench, node)
            symbol = isinstance(node, Symbol)
            raised = (
                (f"{{{text}}}^T" if symbol else f"({text})^T")
                if latex
                else (f"{text}.T" if symbol else f"({text}).T")
            )
            says = f"{text} should be transposed"
            fix = swapped_in(bench, node, Transposed(node.span, node), raised, says)
            if holds_with(bench, fix):
                yield fix
        if isinstance(node, Product) and len(node.factors) == 2:
            one, other = node.factors
            for turned in ((other, one), (Transposed(other.span, other), Transposed(one.span, one))):
                new = Product(node.span, turned, node.signs)
                texts = [_turned(bench, part, latex) for part in turned]
                between = bench.pair.text[one.span[1] : other.span[0]]
                says = f"the factors of {as_written(bench, node)} stand in the wrong order"
                fix = swapped_in(bench, node, new, texts[0] + (between or " ") + texts[1], says)
                if holds_with(bench, fix):
                    yield fix


def _turned(bench: Bench, node: Node, latex: bool) -> str:
    if not isinstance(node, Transposed) or parts(node)[0].span != node.span:
        return as_written(bench, node)
    inner = as_written(bench, node.of)
    return f"{{{inner}}}^T" if latex else f"{inner}.T"
