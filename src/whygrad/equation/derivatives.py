"""Derivatives in an equation, of any expression by any quantity or array, and parameters after a step."""

from typing import TYPE_CHECKING

import numpy as np

from whygrad.arrays import Array
from whygrad.equation.arithmetic import total
from whygrad.equation.points import Points
from whygrad.equation.tree import (
    BigSum,
    Call,
    Constant,
    Derivative,
    Fraction,
    Function,
    Kronecker,
    Negative,
    Node,
    Number,
    Power,
    Product,
    Ref,
    Size,
    Special,
    Stands,
    Sum,
    Symbol,
    Transposed,
    Updated,
)
from whygrad.equation.vocabulary import stands_for
from whygrad.errors import EquationError
from whygrad.notation import Quantity

if TYPE_CHECKING:
    from whygrad.equation.evaluate import Evaluator


def updated(evaluator: "Evaluator", node: Updated, values: dict[str, int]) -> Array:
    """Returns a parameter after one step of gradient descent, or what the step adds to it."""
    inner = stands_for(node.of)
    ref = evaluator.meaning(inner) if isinstance(inner, Symbol) else None
    if not isinstance(ref, Ref) or ref.kind not in ("w", "b") or ref.derived:
        raise EquationError(
            "a step changes weights and biases; one of them was expected", evaluator.text, node.span[0]
        )
    if ref.array:
        now = evaluator.array(inner, ref, values)
        layer = ref.layer.at(values) if ref.layer else 0
        step = -evaluator.points.rate[:, :, None] * evaluator.laid_out(
            ref.kind, total_by_array(evaluator.points, ref.kind, layer)
        )
    else:
        q = evaluator.quantity(inner, ref, values)
        now = evaluator.points.value(q)
        step = -evaluator.points.rate * evaluator.points.derivative(Quantity("total"), q)
    return step if node.change else now + step


def derivative(evaluator: "Evaluator", node: Derivative, values: dict[str, int]) -> Array:
    """Returns a derivative over all paths, of an expression by a quantity or by an array."""
    of, by = node.of, node.by
    target = stands_for(by)
    if isinstance(target, Transposed):
        target = stands_for(target.of)
    ref = evaluator.meaning(target) if isinstance(target, Symbol) else None
    if not isinstance(ref, Ref) or ref.derived or ref.kind in ("delta", "total", "R"):
        raise EquationError(
            "a derivative is by a weight, bias, activation, pre-activation, input or cost",
            evaluator.text,
            by.span[0],
        )
    if ref.array:
        return _by_array(evaluator, node, of, target, ref, values)
    q = evaluator.quantity(target, ref, values)
    if not any(isinstance(use.meaning, Ref) for use in evaluator.letters(of).uses):
        raise EquationError("what is derived has no quantity in it", evaluator.text, of.span[0])
    try:
        return _slope(evaluator, node, of, q, values)
    except ValueError as error:
        if isinstance(error, EquationError):
            raise
        says = "the derivative of arrays multiplied with each other can't be checked"
        raise EquationError(says, evaluator.text, of.span[0]) from None


def _slope(evaluator: "Evaluator", whole: Node, node: Node, by: Quantity, values: dict[str, int]) -> Array:
    """Returns the derivative of any expression by a quantity."""

    def inner(part: Node, at: dict[str, int] = values) -> Array:
        return _slope(evaluator, whole, part, by, at)

    evaluator.count(node)
    match node:
        case Number():
            return np.zeros((1, 1))
        case Symbol():
            return _slope_of_symbol(evaluator, whole, node, by, values)
        case Negative(_, of):
            return -inner(of)
        case Sum(_, terms):
            return total(node, [inner(term) for term in terms])
        case BigSum():
            return evaluator.bigsum(node, values, inner)
        case Product(_, factors, signs):
            made, slope = evaluator.value(factors[0], values), inner(factors[0])
            for sign, factor in zip(signs, factors[1:], strict=True):
                value, its = evaluator.value(factor, values), inner(factor)
                if sign == "/":
                    made, slope = made / value, (slope * value - made * its) / value**2
                else:
                    made, slope = made * value, slope * value + made * its
            return slope
        case Fraction(_, above, below):
            value = evaluator.value(below, values)
            return (inner(above) * value - evaluator.value(above, values) * inner(below)) / value**2
        case Power(_, base, exponent):
            power = evaluator.value(exponent, values)
            value = evaluator.value(base, values)
            if isinstance(base, Symbol) and isinstance(base.meanings[0], Constant):
                return evaluator.value(node, values) * inner(exponent)
            return power * value ** (power - 1) * inner(base)
        case Call(_, Function("norm"), (argument,)):
            inside = evaluator.value(argument, values)
            if inside.ndim == 3:
                return (inside * inner(argument)).sum(axis=(1, 2))[:, None] / evaluator.value(node, values)
        case Call(_, function, (argument,)) if not function.primes:
            slope_of = Call(node.span, function._replace(primes=1), (argument,))
            return evaluator.value(slope_of, values) * inner(argument)
    raise EquationError("the derivative of this can't be checked", evaluator.text, node.span[0])


def _slope_of_symbol(
    evaluator: "Evaluator", whole: Node, node: Symbol, by: Quantity, values: dict[str, int]
) -> Array:
    meaning = evaluator.meaning(node)
    if isinstance(meaning, Stands):
        return _slope(evaluator, whole, meaning.tree, by, values)
    if isinstance(meaning, Constant | Special | Size | Kronecker):
        return np.zeros((1, 1))
    if not isinstance(meaning, Ref) or meaning.derived or meaning.kind == "delta":
        raise EquationError("the derivative of a derivative can't be checked", evaluator.text, node.span[0])
    if meaning.array:
        evaluator.array(node, meaning, values)
        layer = meaning.layer.at(values) if meaning.layer else 0
        if meaning.kind == "y":
            return np.zeros((1, 1, 1))
        if meaning.kind == "C":
            units = range(evaluator.points.net.outputs)
        elif meaning.kind in ("a", "z"):
            units = range(evaluator.layout.sizes[layer])
        else:
            raise EquationError("the derivative of this array can't be checked", evaluator.text, node.span[0])
        every = [
            evaluator.points.derivative(Quantity(meaning.kind, meaning.layer and layer, unit), by)
            for unit in units
        ]
        return np.stack(
            [np.broadcast_to(part, (evaluator.points.many, evaluator.points.examples)) for part in every],
            axis=1,
        )
    of = evaluator.quantity(node, meaning, values)
    points = evaluator.points
    if meaning.kind == "total" and meaning.example is not None:
        points = points.of_example(evaluator.example(node, meaning, values))
    found = points.derivative(of, by)
    if whole in evaluator.chained and not neighbours(of, by) and np.any(found != 0):
        shown = evaluator.text[node.span[0] : node.span[1]].strip()
        options = (
            f"the derivative of {shown} in this factor is total, over all paths",
            "it is the direct edge, which does not exist, so it is 0",
        )
        if evaluator.chosen((whole, "direct"), options):
            return found * 0
    return found


def _by_array(
    evaluator: "Evaluator", node: Derivative, of: Node, by: Node, ref: Ref, values: dict[str, int]
) -> Array:
    layer = ref.layer.at(values) if ref.layer else 0
    evaluator.array(by, ref, values)
    inner = stands_for(of)
    target = evaluator.meaning(inner) if isinstance(inner, Symbol) else None
    if not isinstance(target, Ref) or target.derived:
        raise EquationError("the derivative of a cost or of a layer was expected", evaluator.text, of.span[0])
    if target.kind == "total" and target.example is not None:
        alone = evaluator.points.of_example(evaluator.example(inner, target, values))
        return evaluator.laid_out(ref.kind, total_by_array(alone, ref.kind, layer))
    if target.kind in ("total", "C") and not target.array:
        cost = None if target.kind == "total" else evaluator.quantity(inner, target, values).to
        if ref.kind not in ("w", "b", "a", "z"):
            raise EquationError(
                "a derivative is by weights, biases, activations or pre-activations",
                evaluator.text,
                by.span[0],
            )
        return evaluator.laid_out(ref.kind, total_by_array(evaluator.points, ref.kind, layer, cost))
    if not target.array:
        if ref.kind not in ("a", "z", "w", "b"):
            raise EquationError("this derivative can't be checked", evaluator.text, node.span[0])
        return _scalar_by_array(evaluator, inner, target, ref, layer, values)
    if target.kind not in ("a", "z") or ref.kind not in ("a", "z") or evaluator.points.examples > 1:
        raise EquationError(
            "this derivative of an array by an array can't be checked", evaluator.text, node.span[0]
        )
    evaluator.array(inner, target, values)
    of_layer = target.layer.at(values) if target.layer else 0
    made = evaluator.points.by_array(target.kind, of_layer, ref.kind, layer)
    if made is None:
        shape = (evaluator.points.many, evaluator.layout.sizes[of_layer], evaluator.layout.sizes[layer])
        return np.zeros(shape)
    options = ("a Jacobian has a row for each quantity above", "a Jacobian has a row for each quantity below")
    turned = evaluator.chosen((Derivative, "layout"), options)
    return np.swapaxes(made[:, 0], 1, 2) if turned else made[:, 0]


def _scalar_by_array(
    evaluator: "Evaluator", inner: Node, target: Ref, ref: Ref, layer: int, values: dict[str, int]
) -> Array:
    of = evaluator.quantity(inner, target, values)
    sizes = evaluator.layout.sizes
    if ref.kind == "w":
        each = [
            [Quantity("w", layer, to, source) for source in range(sizes[layer - 1])]
            for to in range(sizes[layer])
        ]
    else:
        each = [[Quantity(ref.kind, layer, to) for to in range(sizes[layer])]]
    shape = (evaluator.points.many, evaluator.points.examples)
    rows = [
        np.stack([np.broadcast_to(evaluator.points.derivative(of, q), shape)[:, 0] for q in row], axis=1)
        for row in each
    ]
    return evaluator.laid_out(ref.kind, np.stack(rows, axis=1))


def total_by_array(points: Points, kind: str, layer: int, cost: int | None = None) -> Array:
    """Returns the derivative of the total (or of one cost) by a whole array, not laid out: (points, …)."""
    rows = slice(None) if cost is None else slice(cost, cost + 1)
    place, at = ("z", layer) if kind in ("w", "b") else (kind, layer)
    found = points.costs_by_array(place, at)[:, :, rows].sum(axis=2) * points.share
    if kind == "w":
        made = np.einsum("pet,pes->pts", found, points.a(layer - 1))
        return made + points.net.l2 * points.weights[layer - 1] if points.net.l2 and cost is None else made
    return found.sum(axis=1, keepdims=True) if kind == "b" else found


def neighbours(of: Quantity, by: Quantity) -> bool:
    """Returns whether one quantity is made directly from another, as textbooks count: a layer is one step."""
    if of.kind in ("C", "total", "R") or by.kind in ("C", "y") or of == by:
        return True
    step = (of.layer or 0) - (by.layer or 0)
    return step <= (0 if by.kind in ("w", "b") else 1)
