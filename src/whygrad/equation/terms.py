"""Judges an equality term by term: both sides as polynomials in weights, activations, targets and slopes.

Every derivative is expanded to its paths, and every path is a product of partials: weights, slopes, and what the cost
gives back. Explicit values are the partials that they are: `a(1 - a)` is sigmoid's slope, `2(a - y)` that of a square.
Exact arithmetic, so nothing is near enough: equal polynomials are equal for every network of the kind.
"""

from fractions import Fraction as Ratio
from typing import TypeAlias

from whygrad.equation.arithmetic import Absent
from whygrad.equation.evaluate import Evaluator
from whygrad.equation.indices import NumberAt, sum_range
from whygrad.equation.numbers import numeric
from whygrad.equation.pair import Pair
from whygrad.equation.tree import (
    BigSum,
    Call,
    Derivative,
    Fraction,
    Negative,
    Node,
    Number,
    Power,
    Product,
    Ref,
    Stands,
    Sum,
    Symbol,
)
from whygrad.equation.vocabulary import stands_for
from whygrad.errors import EquationError
from whygrad.notation import Quantity

Monomial: TypeAlias = tuple[tuple[Quantity, int], ...]
Polynomial: TypeAlias = dict[Monomial, Ratio]
MOST_TERMS = 400
MOST_VALUES = 12


class NoPolynomial(Exception):  # noqa: N818 - it is an answer, no error
    """A side that is no polynomial, or one with too many terms."""


def constant(value: Ratio | int) -> Polynomial:
    """Returns a number as a polynomial."""
    return {(): Ratio(value)} if value else {}


def variable(q: Quantity) -> Polynomial:
    """Returns a quantity as a polynomial."""
    return {((q, 1),): Ratio(1)}


def plus(one: Polynomial, other: Polynomial) -> Polynomial:
    """Returns a sum."""
    made = dict(one)
    for monomial, factor in other.items():
        _add(made, monomial, factor)
    return _short_enough(made)


def times(one: Polynomial, other: Polynomial) -> Polynomial:
    """Returns a product."""
    if len(one) * len(other) > 4 * MOST_TERMS:
        raise NoPolynomial
    made: Polynomial = {}
    for first, a in one.items():
        for second, b in other.items():
            powers = dict(first)
            for q, power in second:
                powers[q] = powers.get(q, 0) + power
            _add(made, tuple(sorted(powers.items(), key=str)), a * b)
    return _short_enough(made)


def _add(made: Polynomial, monomial: Monomial, factor: Ratio) -> None:
    """Adds a term to a polynomial in the making."""
    total = made.get(monomial, Ratio(0)) + factor
    if total:
        made[monomial] = total
    else:
        made.pop(monomial, None)


def _short_enough(made: Polynomial) -> Polynomial:
    if len(made) > MOST_TERMS:
        raise NoPolynomial
    return made


def negative(one: Polynomial) -> Polynomial:
    """Returns minus a polynomial."""
    return {monomial: -factor for monomial, factor in one.items()}


class Expansion:
    """Quantities and derivatives of one kind of network as polynomials."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.net = evaluator.points.net
        if self.net.l2 or evaluator.flipped:
            raise NoPolynomial
        self._known: dict[tuple[Quantity, Quantity], Polynomial] = {}

    def quantity(self, q: Quantity) -> Polynomial:
        """Returns a quantity's value."""
        layer = q.layer or 0
        if q.kind == "z" or (q.kind == "a" and layer and self.net.activations[layer - 1].trivial):
            total = variable(Quantity("b", layer, q.to)) if self.net.bias else {}
            for source in range(self.net.sizes[layer - 1]):
                weight = variable(Quantity("w", layer, q.to, source))
                total = plus(total, times(weight, self.quantity(Quantity("a", layer - 1, source))))
            return total
        if q.kind == "delta":
            return self.derivative(Quantity("total"), q._replace(kind="z"))
        if q.kind == "total":
            total = {}
            for k in range(self.net.outputs):
                total = plus(total, self.quantity(Quantity("C", None, k)))
            return total
        if q.kind == "C":
            gap = plus(
                self.quantity(Quantity("a", self.net.depth, q.to)),
                negative(variable(Quantity("y", None, q.to))),
            )
            half = {"squared_error": Ratio(1), "half_squared_error": Ratio(1, 2)}.get(self.net.cost)
            if half is None:
                raise NoPolynomial
            return times(constant(half), times(gap, gap))
        if q.kind not in ("w", "b", "a", "y"):
            raise NoPolynomial
        return variable(q)

    def slope(self, layer: int, of: int, by: int) -> Polynomial:
        """Returns d a_of / d z_by in a layer."""
        activation = self.net.activations[layer - 1]
        a = Quantity("a", layer, of)
        if activation.name == "softmax":
            other = constant(int(of == by))
            return times(variable(a), plus(other, negative(variable(Quantity("a", layer, by)))))
        if activation.dense:
            raise NoPolynomial
        if of != by:
            return {}
        if activation.trivial:
            return constant(1)
        if activation.name == "sigmoid":
            return plus(variable(a), negative(times(variable(a), variable(a))))
        if activation.name == "tanh":
            return plus(constant(1), negative(times(variable(a), variable(a))))
        return variable(Quantity("slope", layer, of))

    def derivative(self, of: Quantity, by: Quantity) -> Polynomial:
        """Returns a derivative over all paths."""
        key = (of, by)
        if key not in self._known:
            self._known[key] = self._derivative(of, by)
        return self._known[key]

    def _derivative(self, of: Quantity, by: Quantity) -> Polynomial:
        if of == by:
            return constant(1)
        if of.kind == "total":
            total: Polynomial = {}
            for k in range(self.net.outputs):
                total = plus(total, self.derivative(Quantity("C", None, k), by))
            return total
        if of.kind == "C":
            if by.kind in ("C", "y", "total", "R"):
                raise NoPolynomial
            output = Quantity("a", self.net.depth, of.to)
            return times(self._cost_slope(output), self.derivative(output, by))
        if of.kind == "a" and of.layer:
            if by.kind == "a" and by.layer == of.layer:
                return {}
            total = {}
            dense = self.net.activations[of.layer - 1].dense
            for unit in range(self.net.sizes[of.layer]) if dense else (of.to or 0,):
                slope = self.slope(of.layer, of.to or 0, unit)
                if slope:
                    total = plus(total, times(slope, self.derivative(Quantity("z", of.layer, unit), by)))
            return total
        if of.kind == "z":
            return self._derivative_of_z(of, by)
        return {}

    def _derivative_of_z(self, of: Quantity, by: Quantity) -> Polynomial:
        layer = of.layer or 1
        if by.kind == "w" and by.layer == layer:
            return self.quantity(Quantity("a", layer - 1, by.source)) if by.to == of.to else {}
        if by.kind == "b" and by.layer == layer:
            return constant(int(by.to == of.to))
        if (by.layer or 0) >= layer or by.kind not in ("w", "b", "z", "a"):
            return {}
        total: Polynomial = {}
        for source in range(self.net.sizes[layer - 1]):
            below = self.derivative(Quantity("a", layer - 1, source), by)
            if below:
                total = plus(total, times(variable(Quantity("w", layer, of.to, source)), below))
        return total

    def _cost_slope(self, output: Quantity) -> Polynomial:
        factor = {"squared_error": 2, "half_squared_error": 1}.get(self.net.cost)
        if factor is None:
            return variable(Quantity("slope", None, output.to))
        gap = plus(self.quantity(output), negative(variable(Quantity("y", None, output.to))))
        return times(constant(factor), gap)

    def side(self, node: Node, values: dict[str, int]) -> Polynomial:
        """Returns a side of an equation as a polynomial."""
        match node:
            case Number():
                return constant(Ratio(node.text))
            case Symbol():
                return self._symbol(node, values)
            case Negative(_, of):
                return negative(self.side(of, values))
            case Sum(_, terms):
                total: Polynomial = {}
                for term in terms:
                    total = plus(total, self.side(term, values))
                return total
            case Product(_, factors, signs) if "/" not in signs:
                made = constant(1)
                for factor in factors:
                    made = times(made, self.side(factor, values))
                return made
            case Fraction(_, above, below):
                number = self.side(below, values)
                if set(number) != {()}:
                    raise NoPolynomial
                return times(self.side(above, values), constant(1 / number[()]))
            case Power(_, base, exponent):
                power = (
                    self.side(exponent, values).get((), Ratio(0))
                    if not isinstance(exponent, Symbol)
                    else Ratio(-1)
                )
                if power.denominator != 1 or not 0 <= power <= 6 or isinstance(base, Power):
                    raise NoPolynomial
                made = constant(1)
                for _ in range(int(power)):
                    made = times(made, self.side(base, values))
                return made
            case BigSum():
                letters = self.evaluator.letters(node)
                number_at = NumberAt(self.evaluator.text, self.evaluator.layout)
                total = {}
                for inside in sum_range(node, letters, values, self.evaluator.layout, 1, number_at):
                    total = plus(total, self.side(node.body, inside))
                return total
            case Derivative(_, of, by):
                return self.derivative(self._quantity(of, values), self._quantity(by, values))
            case Call():
                return self._call(node, values)
        raise NoPolynomial

    def _quantity(self, node: Node, values: dict[str, int]) -> Quantity:
        node = stands_for(node)
        ref = self.evaluator.meaning(node) if isinstance(node, Symbol) else None
        if (
            not isinstance(ref, Ref)
            or ref.array
            or ref.derived
            or ref.kind == "delta"
            or ref.example is not None
        ):
            raise NoPolynomial
        return self.evaluator.quantity(node, ref, values)

    def _symbol(self, node: Symbol, values: dict[str, int]) -> Polynomial:
        meaning = self.evaluator.meaning(node)
        if isinstance(meaning, Stands):
            return self.side(meaning.tree, values)
        if not isinstance(meaning, Ref) or meaning.array or meaning.example is not None:
            raise NoPolynomial
        q = self.evaluator.quantity(node, meaning, values)
        if meaning.derived:
            return self.derivative(Quantity("total"), q)
        return times(constant(meaning.sign), self.quantity(q)) if q.kind == "delta" else self.quantity(q)

    def _call(self, node: Call, values: dict[str, int]) -> Polynomial:
        function = node.function
        if function.name or function.primes > 1 or len(node.arguments) != 1:
            raise NoPolynomial
        q = self._quantity(node.arguments[0], values)
        if q.kind != "z":
            raise NoPolynomial
        if function.primes:
            return self.slope(q.layer or 1, q.to or 0, q.to or 0)
        return self.quantity(q._replace(kind="a"))


def by_terms(pair: Pair, choices: dict[object, int]) -> bool | None:
    """Returns whether both sides are equal as polynomials; None where one is none, or has too many terms."""
    if numeric(pair) or pair.examples > 1:
        return None
    evaluator = pair.evaluator(pair.setting.generic(1), choices)
    letters = pair.letters(choices)
    try:
        expansion = Expansion(evaluator)
        every = list(pair.assignments(letters, 1))
        if len(every) > MOST_VALUES:
            return None
        for values in every:
            try:
                left, right = expansion.side(pair.left, values), expansion.side(pair.right, values)
            except Absent:
                continue
            if left != right:
                return False
    except (NoPolynomial, EquationError, ValueError, KeyError, RecursionError):
        return None
    return True
