"""What a side of an equation is at some points: a number for each point and example, or an array for each point.

Scalars are arrays (points, examples) or (points, 1); arrays of a layer are (points, rows, columns).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from whygrad.arrays import Array
from whygrad.equation.arithmetic import Absent, added, divided, power, total
from whygrad.equation.calls import called
from whygrad.equation.derivatives import derivative, total_by_array, updated
from whygrad.equation.indices import Letters, NumberAt, sum_range
from whygrad.equation.points import Points
from whygrad.equation.products import product
from whygrad.equation.tree import (
    BigSum,
    Call,
    Constant,
    Derivative,
    Dots,
    Fraction,
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
    parts,
)
from whygrad.equation.vocabulary import PER_EXAMPLE, Vocabulary, quantity_of
from whygrad.errors import EquationError
from whygrad.notation import Quantity
from whygrad.notation.quantity import exists

MOST_STEPS = 60_000


class Choice(NamedTuple):
    """A place that can be read in several ways, and what the ways are."""

    key: object
    options: tuple[str, ...]


class Evaluator:
    """Evaluates trees at points, under one reading.

    Args:
        text: The equation, for messages.
        vocabulary: Says what names mean.
        points: Where.
        lacking: The letters of the left side (a sum without an index runs over the others).
        choices: Which way each ambiguous place is read; 0 where it isn't said.
    """

    def __init__(
        self,
        text: str,
        vocabulary: Vocabulary,
        points: Points,
        lacking: frozenset[str] = frozenset(),
        choices: dict[object, int] | None = None,
        flipped: frozenset[str] = frozenset(),
    ) -> None:
        self.text = text
        self.vocabulary = vocabulary
        self.layout = vocabulary.layout
        self.points = points
        self.lacking = lacking
        self.choices = choices or {}
        self.flipped = flipped
        self.met: dict[object, Choice] = {}
        self.chained: set[Node] = set()
        self._memo: dict[tuple[Node, tuple[tuple[str, int], ...]], Array] = {}
        self._letters: dict[Node, Letters] = {}
        self._free: dict[Node, tuple[str, ...]] = {}
        self._inside: dict[Node, tuple[Derivative, ...]] = {}
        self.steps = 0
        self._number = NumberAt(text, self.layout)
        self._plain = not vocabulary.letter_layers
        self.unscaled = (
            points.examples
            if points.net.reduction == "mean" and vocabulary.notation.name in PER_EXAMPLE
            else 1
        )

    def letters(self, node: Node) -> Letters:
        """Returns the letters of a node."""
        if node not in self._letters:
            self._letters[node] = Letters(node, self.vocabulary, self.lacking, self.choices)
        return self._letters[node]

    def free(self, node: Node) -> tuple[str, ...]:
        """Returns the letters of a node that no sum in it binds, in order."""
        found = self._free.get(node)
        if found is None:
            inside = parts(node)
            ref = node.meanings[0] if isinstance(node, Symbol) else None
            if isinstance(node, Symbol) and isinstance(ref, Ref) and self._plain and len(node.meanings) == 1:
                indices = (ref.layer, ref.to, ref.source, ref.example)
                found = tuple(
                    sorted({index.letter for index in indices if index is not None and index.letter})
                )
            elif isinstance(node, BigSum | Symbol) or (
                isinstance(node, Call) and node.function.layer is not None
            ):
                found = tuple(sorted(self.letters(node).free))
            elif not inside:
                found = ()
            elif len(inside) == 1:
                found = self.free(inside[0])
            else:
                found = tuple(sorted({letter for part in inside for letter in self.free(part)}))
            self._free[node] = found
        return found

    def _derivatives(self, node: Node) -> tuple[Derivative, ...]:
        """Returns the derivatives in a node; those that are factors beside others are noted as those of a chain."""
        found = self._inside.get(node)
        if found is None:
            each = [self._derivatives(part) for part in parts(node)]
            found = tuple(derivative for some in each for derivative in some)
            if isinstance(node, Product) and sum(bool(some) for some in each) > 1:
                self.chained.update(found)
            if isinstance(node, Derivative):
                found = (*found, node)
            self._inside[node] = found
        return found

    def side(self, node: Node, values: dict[str, int]) -> Array:
        """Returns the value of a whole side."""
        self._derivatives(node)
        with np.errstate(all="ignore"):
            return self.value(node, values)

    def value(self, node: Node, values: dict[str, int]) -> Array:
        """Returns the value of a node for some values of the letters."""
        if isinstance(node, Number):
            return np.full((1, 1), node.value)
        key = (node, tuple((letter, values[letter]) for letter in self.free(node) if letter in values))
        found = self._memo.get(key)
        if found is None:
            self.count(node)
            found = self._memo[key] = self._value(node, values)
        return found

    def count(self, node: Node) -> None:
        """Counts a step of the evaluation.

        Raises:
            EquationError: There were too many.
        """
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise EquationError(
                "there is too much to add up here; try it on a smaller network", self.text, node.span[0]
            )

    def chosen(self, key: object, options: tuple[str, ...]) -> int:
        """Returns which way an ambiguous place is read, and notes that it was met."""
        self.met.setdefault(key, Choice(key, options))
        return min(self.choices.get(key, 0), len(options) - 1)

    def _value(self, node: Node, values: dict[str, int]) -> Array:
        match node:
            case Symbol():
                return self._symbol(node, values)
            case Negative(_, of):
                return -self.value(of, values)
            case Sum(_, terms):
                return total(node, [self.value(term, values) for term in terms])
            case Product():
                return product(self, node, values)
            case Fraction(_, above, below):
                return divided(node, self.value(above, values), self.value(below, values))
            case Power():
                return self._power(node, values)
            case BigSum():
                return self.bigsum(node, values, self.value)
            case Derivative():
                return derivative(self, node, values)
            case Call():
                return called(self, node, values)
            case Transposed(_, of):
                found = self.value(of, values)
                return found if found.ndim == 2 else np.swapaxes(found, 1, 2)
            case Updated():
                return updated(self, node, values)
            case Dots():
                raise EquationError("what the dots leave out can't be told here", self.text, node.span[0])
        raise AssertionError(node)

    def meaning(self, node: Symbol) -> Any:
        """Returns what a symbol means under the reading."""
        if len(node.meanings) == 1:
            return node.meanings[0]
        return node.meanings[
            self.chosen(node, tuple(f"{node.text} is {self.says(m)}" for m in node.meanings))
        ]

    def says(self, meaning: Any) -> str:
        """Returns a meaning in words."""
        if isinstance(meaning, Ref) and not meaning.array:
            if not meaning.lettered:
                return self.vocabulary.plain.notation.text(quantity_of(meaning, {}), self.layout)
            return f"a quantity of kind {meaning.kind}"
        if isinstance(meaning, Stands):
            return "a power"
        return "an array"

    def _symbol(self, node: Symbol, values: dict[str, int]) -> Array:
        match self.meaning(node):
            case Constant(value):
                return np.full((1, 1), value)
            case Special("examples"):
                return np.full((1, 1), float(self.points.examples))
            case Special("rate"):
                return self.points.rate
            case Special("l2"):
                return np.full((1, 1), self.points.net.l2)
            case Size(layer):
                return np.full((1, 1), float(self.layout.sizes[layer.at(values)]))
            case Kronecker(first, second):
                return np.full((1, 1), float(first.at(values) == second.at(values)))
            case Stands(tree):
                return self.value(tree, values)
            case Ref() as ref:
                return self.array(node, ref, values) if ref.array else self._scalar(node, ref, values)
        raise EquationError(f"{node.text} is a function and needs an argument", self.text, node.span[0])

    def quantity(self, node: Node, ref: Ref, values: dict[str, int]) -> Quantity:
        """Returns the quantity of a meaning.

        Raises:
            Absent: There is none for these values of the letters.
            EquationError: There is none at all.
        """
        if ref.kind == "w" and "weights" in self.flipped and ref.to is not None:
            ref = ref._replace(to=ref.source, source=ref.to)
        for index in (ref.layer, ref.to, ref.source, ref.example):
            if index is not None and index.letter and index.letter not in values:
                raise EquationError(f"it can't be told what {index.letter} is", self.text, node.span[0])
        q = quantity_of(ref, values)
        if not exists(q, self.layout):
            if not ref.lettered:
                from whygrad.notation import refusal

                text = self.text[node.span[0] : node.span[1]]
                raise EquationError(
                    str(refusal.missing(self.vocabulary.notation, q, self.layout, text)),
                    self.text,
                    node.span[0],
                )
            raise Absent(f"{q}")
        return q

    def example(self, node: Node, ref: Ref, values: dict[str, int]) -> int:
        """Returns which example a meaning is about.

        Raises:
            Absent: There is none for these values of the letters.
            EquationError: There is none at all.
        """
        place = ref.example.at(values) if ref.example is not None else 0
        if not 0 <= place < self.points.examples:
            if ref.example is not None and ref.example.letter:
                raise Absent("example")
            raise EquationError("there is no such example", self.text, node.span[0])
        return place

    def _scalar(self, node: Node, ref: Ref, values: dict[str, int]) -> Array:
        q = self.quantity(node, ref, values)
        points = self.points
        if ref.kind == "total" and ref.example is not None:
            return points.costs[:, self.example(node, ref, values)].sum(axis=1, keepdims=True)
        if ref.derived:
            found = points.derivative(Quantity("total"), q) * (self.unscaled if q.kind in ("a", "z") else 1)
        else:
            found = points.value(q)
            if q.kind == "delta":
                found = found * ref.sign * self.unscaled * (-1 if "delta" in self.flipped else 1)
        if ref.example is not None and found.shape[1] > 1:
            found = found[:, self.example(node, ref, values), None]
        return found

    def array(self, node: Node, ref: Ref, values: dict[str, int]) -> Array:
        """Returns a whole array of a layer, laid out as in the notation."""
        points = self.points
        layer = 0 if ref.layer is None else ref.layer.at(values)
        if ref.layer is not None and not (0 if ref.kind == "a" else 1) <= layer <= self.layout.depth:
            if ref.layer.letter:
                raise Absent("layer")
            raise EquationError("the network has no such layer", self.text, node.span[0])
        kind = ref.kind
        if kind == "b" and not self.layout.bias:
            raise EquationError("the network has no biases", self.text, node.span[0])
        if ref.derived or kind == "delta":
            place = "z" if kind == "delta" else kind
            found = total_by_array(points, place, layer)
            if place in ("a", "z"):
                found = found * self.unscaled
            if kind == "delta":
                found = found * ref.sign * (-1 if "delta" in self.flipped else 1)
        elif kind == "w":
            found = points.weights[layer - 1]
        elif kind == "b":
            found = points.biases[layer - 1][:, None, :]
        elif kind == "y":
            found = points.y
        elif kind == "C":
            found = points.costs
        else:
            found = points.a(layer) if kind == "a" else points.z(layer)
        if ref.example is not None and kind not in ("w", "b"):
            found = found[:, self.example(node, ref, values), None]
        return self.laid_out(kind, found)

    def laid_out(self, kind: str, found: Array) -> Array:
        """Returns an array as the notation lays it out: weights to-from or from-to, examples in columns or rows."""
        if kind == "w":
            turned = (self.vocabulary.notation.weight_orientation == "from-to") != ("weights" in self.flipped)
        else:
            turned = not self.vocabulary.code
        return np.swapaxes(found, 1, 2) if turned else found

    def bigsum(
        self, node: BigSum, values: dict[str, int], value: Callable[[Node, dict[str, int]], Array]
    ) -> Array:
        """Returns a sum over letters of what `value` gives for its body."""
        made: Array | None = None
        letters = self.letters(node)
        for inside in sum_range(node, letters, values, self.layout, self.points.examples, self._number):
            term = value(node.body, inside)
            made = term if made is None else added(node, made, term)
        if made is None:
            raise Absent("empty sum")
        return made

    def _power(self, node: Power, values: dict[str, int]) -> Array:
        base, exponent = self.value(node.base, values), self.value(node.exponent, values)
        if np.max(np.abs(exponent)) > 200 and isinstance(node.exponent, Number):
            raise EquationError("this power is too large", self.text, node.exponent.span[0])
        constant = isinstance(node.base, Symbol) and isinstance(node.base.meanings[0], Constant)
        return np.exp(exponent) if constant and np.allclose(base, np.e) else power(node, base, exponent)
