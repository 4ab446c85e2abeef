"""Products in an equation: of numbers, elementwise, of matrices; told apart by their signs and by shape."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from whygrad.arrays import Array
from whygrad.equation.arithmetic import Unfit, alike, divided, elementwise
from whygrad.equation.tree import Derivative, Dots, Node, Product

if TYPE_CHECKING:
    from whygrad.equation.evaluate import Evaluator


def product(evaluator: "Evaluator", node: Product, values: dict[str, int]) -> Array:
    """Returns the value of a product.

    Factors side by side bind tighter than ⊙, * and /, where that makes a difference.
    """
    factors = _filled(node.factors)
    found = [evaluator.value(factor, values) for factor in factors]
    groups: list[tuple[str, Array]] = []
    current = found[0]
    pending = "·"
    for place, (sign, factor) in enumerate(zip(node.signs, found[1:], strict=True)):
        wide = sign in ("⊙", "*", "/", "⊗") and (sign != "*" or star_is_elementwise(evaluator))
        if sign == "/" or wide:
            groups.append((pending, current))
            current, pending = factor, sign
        else:
            follows_slash = pending == "/" and sign == ""
            if follows_slash and not _wide_slash(evaluator, node, place, factor):
                groups.append((pending, current))
                current, pending = factor, "·"
                continue
            current = times(evaluator, node, place, current, factor, sign)
    groups.append((pending, current))
    made = groups[0][1]
    for place, (sign, group) in enumerate(groups[1:]):
        if sign == "/":
            made = divided(node, made, group)
        else:
            made = times(evaluator, node, (place, sign), made, group, sign)
    return made


def star_is_elementwise(evaluator: "Evaluator") -> bool:
    """Returns whether `*` between arrays is elementwise, as in code and in Ng's course."""
    return evaluator.vocabulary.code or evaluator.vocabulary.notation.name == "ng"


def _wide_slash(evaluator: "Evaluator", node: Product, place: int, factor: Array) -> bool:
    """Returns whether `a/b c` is read as a/(bc) and not as (a/b)c; both are shown."""
    start = node.factors[place + 1].span[0]
    text = evaluator.text
    # Only `1/2m`, without a space, is in doubt; 1/2 (a - y) is not.
    if text[start - 1 : start].isspace() or text[start : start + 1] in "([{\\" or np.allclose(factor, 1):
        return False
    options = ("what follows the / is multiplied afterwards", "what follows the / is divided by as a whole")
    return evaluator.chosen((node, "slash", place), options) == 1


def times(evaluator: "Evaluator", node: Node, place: object, one: Array, other: Array, sign: str) -> Array:
    """Returns the product of two values; where two kinds of product fit, by the reading."""
    if one.ndim == 2 or other.ndim == 2:
        if one.ndim != other.ndim:
            one, other = alike(node, one, other)
        return one * other
    if one.shape[1:] == (1, 1) or other.shape[1:] == (1, 1):
        return one * other
    same, inner = one.shape[1:] == other.shape[1:], one.shape[2] == other.shape[1]
    if sign == "⊙" or (sign == "*" and star_is_elementwise(evaluator)):
        return elementwise(node, one, other, evaluator.vocabulary.code)
    if sign == "⊗":
        return np.einsum("pik,pjk->pij", one, other)
    options: list[tuple[str, Callable[[], Array]]] = []
    if same and sign != "@":
        options.append(("elementwise", lambda: one * other))
    if inner:
        options.append(("a matrix product", lambda: one @ other))
    if same and not inner and 1 in one.shape[1:] and sign == "·":
        options.append(("a dot product", lambda: (one * other).sum(axis=(1, 2), keepdims=True)))
    if not options:
        raise Unfit(node, f"arrays of {one.shape[1:]} and {other.shape[1:]} can't be multiplied")
    if len(options) == 1:
        return options[0][1]()
    last = isinstance(node, Product) and place == len(node.factors) - 2
    which = "the last product" if last else f"the product of {one.shape[1:]} and {other.shape[1:]}"
    pick = evaluator.chosen((node, "product", place), tuple(f"{which} is {name}" for name, _ in options))
    return options[pick][1]()


def _filled(factors: tuple[Node, ...]) -> tuple[Node, ...]:
    """Returns the factors with dots between two derivatives replaced by the derivative that closes the gap."""
    made = list(factors)
    for place, factor in enumerate(factors):
        if isinstance(factor, Dots) and 0 < place < len(factors) - 1:
            before, after = factors[place - 1], factors[place + 1]
            if isinstance(before, Derivative) and isinstance(after, Derivative):
                made[place] = Derivative(factor.span, before.by, after.of)
    return tuple(made)
