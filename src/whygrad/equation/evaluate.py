"""What a side of an equation is at some points: a number for each point and example, or an array for each point.

Scalars are arrays (points, examples) or (points, 1); arrays of a layer are (points, rows, columns).
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from whygrad.codegen.layered import Activation
from whygrad.equation.functions import FUNCTIONS
from whygrad.equation.indices import Letters, NumberAt, sum_range
from whygrad.equation.points import Points, function_slope, function_value
from whygrad.equation.tree import (
    BigSum,
    Call,
    Constant,
    Derivative,
    Dots,
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
    parts,
)  # fmt: skip
from whygrad.equation.vocabulary import PER_EXAMPLE, Vocabulary, quantity_of, stands_for
from whygrad.errors import EquationError
from whygrad.notation import Quantity
from whygrad.notation.quantity import exists

Array: TypeAlias = Any
MOST_STEPS = 60_000


class Absent(Exception):  # noqa: N818 - it is no mistake of anyone
    """A quantity doesn't exist for some values of the letters."""


class Unfit(Exception):  # noqa: N818 - it is a verdict, no error
    """Arrays whose shapes don't fit."""

    def __init__(self, node: Node, says: str) -> None:
        self.node = node
        super().__init__(says)


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
        self._steps = 0
        self._number = NumberAt(text, self.layout)
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
            if isinstance(node, BigSum | Symbol | Call):
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
            self._steps += 1
            if self._steps > MOST_STEPS:
                raise EquationError(
                    "there is too much to add up here; try it on a smaller network", self.text, node.span[0]
                )
            found = self._memo[key] = self._value(node, values)
        return found

    def _value(self, node: Node, values: dict[str, int]) -> Array:
        match node:
            case Symbol():
                return self._symbol(node, values)
            case Negative(_, of):
                return -self.value(of, values)
            case Sum(_, terms):
                return self._sum(node, [self.value(term, values) for term in terms])
            case Product():
                return self._product(node, values)
            case Fraction(_, above, below):
                return self._divided(node, self.value(above, values), self.value(below, values))
            case Power():
                return self._power(node, values)
            case BigSum():
                return self._bigsum(node, values, self.value)
            case Derivative(_, of, by):
                return self._derivative(node, of, by, values)
            case Call():
                return self._call(node, values)
            case Transposed(_, of):
                found = self.value(of, values)
                return found if found.ndim == 2 else np.swapaxes(found, 1, 2)
            case Updated(_, of, change):
                return self._updated(node, of, change, values)
            case Dots():
                raise EquationError("what the dots leave out can't be told here", self.text, node.span[0])
        raise AssertionError(node)

    # Symbols

    def meaning(self, node: Symbol) -> Any:
        """Returns what a symbol means under the reading."""
        if len(node.meanings) > 1:
            self.met.setdefault(
                node, Choice(node, tuple(f"{node.text} is {self.says(m)}" for m in node.meanings))
            )
        return node.meanings[min(self.choices.get(node, 0), len(node.meanings) - 1)]

    def says(self, meaning: Any) -> str:
        """Returns a meaning in words."""
        if isinstance(meaning, Ref) and not meaning.array:
            indices = (meaning.layer, meaning.to, meaning.source)
            if all(index is None or index.letter is None for index in indices):
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
                return self._array(node, ref, values) if ref.array else self._scalar(node, ref, values)
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
            if not any(index is not None and index.letter for index in (ref.layer, ref.to, ref.source)):
                from whygrad.notation import refusal

                text = self.text[node.span[0] : node.span[1]]
                raise EquationError(
                    str(refusal.missing(self.vocabulary.notation, q, self.layout, text)),
                    self.text,
                    node.span[0],
                )
            raise Absent(f"{q}")
        return q

    def _scalar(self, node: Node, ref: Ref, values: dict[str, int]) -> Array:
        q = self.quantity(node, ref, values)
        points = self.points
        if ref.derived:
            found = points.derivative(Quantity("total"), q) * (self.unscaled if q.kind in ("a", "z") else 1)
        else:
            found = points.value(q)
            if q.kind == "delta":
                found = found * ref.sign * self.unscaled * (-1 if "delta" in self.flipped else 1)
        if ref.example is not None and found.shape[1] > 1:
            place = ref.example.at(values)
            if not 0 <= place < found.shape[1]:
                if ref.example.letter:
                    raise Absent("example")
                raise EquationError("there is no such example", self.text, node.span[0])
            found = found[:, place, None]
        return found

    def _array(self, node: Node, ref: Ref, values: dict[str, int]) -> Array:
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
            found = self.total_by_array(place, layer)
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
            example = ref.example.at(values)
            if not 0 <= example < found.shape[1]:
                if ref.example.letter:
                    raise Absent("example")
                raise EquationError("there is no such example", self.text, node.span[0])
            found = found[:, example, None]
        return self._laid_out(kind, found)

    def _laid_out(self, kind: str, found: Array) -> Array:
        """Returns an array as the notation lays it out: weights to-from or from-to, examples in columns or rows."""
        if kind == "w":
            turned = (self.vocabulary.notation.weight_orientation == "from-to") != ("weights" in self.flipped)
        else:
            turned = not self.vocabulary.code
        return np.swapaxes(found, 1, 2) if turned else found

    def total_by_array(self, kind: str, layer: int, cost: int | None = None) -> Array:
        """Returns the derivative of the total (or of one cost) by a whole array, not laid out: (points, …)."""
        points = self.points
        rows = slice(None) if cost is None else slice(cost, cost + 1)
        place, at = ("z", layer) if kind in ("w", "b") else (kind, layer)
        found = points.costs_by_array(place, at)[:, :, rows].sum(axis=2) * points.share
        if kind == "w":
            made = np.einsum("pet,pes->pts", found, points.a(layer - 1))
            return (
                made + points.net.l2 * points.weights[layer - 1] if points.net.l2 and cost is None else made
            )
        return found.sum(axis=1, keepdims=True) if kind == "b" else found

    # Sums and products

    def _sum(self, node: Node, found: list[Array]) -> Array:
        total = found[0]
        for term in found[1:]:
            total = self._added(node, total, term)
        return total

    def _alike(self, node: Node, one: Array, other: Array) -> tuple[Array, Array]:
        """Returns a number and an array in shapes that go together; a number of each example stands over a column."""
        first, second = (_as_array(part) if part.ndim == 2 else part for part in (one, other))
        if any(a != b and 1 not in (a, b) for a, b in zip(first.shape[1:], second.shape[1:], strict=True)):
            raise Unfit(node, f"arrays of {first.shape[1:]} and {second.shape[1:]} don't go together")
        return first, second

    def _added(self, node: Node, one: Array, other: Array) -> Array:
        if one.ndim == other.ndim == 3 and one.shape[1:] != other.shape[1:]:
            fits = all(a == b or 1 in (a, b) for a, b in zip(one.shape[1:], other.shape[1:], strict=True))
            # A bias is added to every example; a row is never added to a column.
            if not fits or (
                1 in one.shape[1:] and 1 in other.shape[1:] and one.shape[1:] == other.shape[:0:-1]
            ):
                raise Unfit(node, f"arrays of {one.shape[1:]} and {other.shape[1:]} can't be added")
        elif one.ndim != other.ndim:
            one, other = self._alike(node, one, other)
        return one + other

    def _bigsum(
        self, node: BigSum, values: dict[str, int], value: Callable[[Node, dict[str, int]], Array]
    ) -> Array:
        total: Array | None = None
        letters = self.letters(node)
        for inside in sum_range(node, letters, values, self.layout, self.points.examples, self._number):
            term = value(node.body, inside)
            total = term if total is None else self._added(node, total, term)
        if total is None:
            raise Absent("empty sum")
        return total

    def _product(self, node: Product, values: dict[str, int]) -> Array:
        factors = _filled(node.factors)
        found = [self.value(factor, values) for factor in factors]
        groups: list[tuple[str, Array]] = []
        # Factors side by side bind tighter than ⊙, * and /, where that makes a difference.
        current = found[0]
        pending = "·"
        for place, (sign, factor) in enumerate(zip(node.signs, found[1:], strict=True)):
            wide = sign in ("⊙", "*", "/", "⊗") and (sign != "*" or self._elementwise_star)
            if sign == "/" or wide:
                groups.append((pending, current))
                current, pending = factor, sign
            else:
                follows_slash = pending == "/" and sign == ""
                if follows_slash and not self._wide_slash(node, place, current, factor):
                    groups.append((pending, current))
                    current, pending = factor, "·"
                    continue
                current = self._times(node, place, current, factor, sign, factors)
        groups.append((pending, current))
        total = groups[0][1]
        for place, (sign, group) in enumerate(groups[1:]):
            if sign == "/":
                total = self._divided(node, total, group)
            else:
                total = self._times(node, (place, sign), total, group, sign, factors)
        return total

    @property
    def _elementwise_star(self) -> bool:
        return self.vocabulary.code or self.vocabulary.notation.name == "ng"

    def _wide_slash(self, node: Product, place: int, divisor: Array, factor: Array) -> bool:
        """Returns whether `a/b c` is read as a/(bc) and not as (a/b)c; both are shown."""
        key = (node, "slash", place)
        start = node.factors[place + 1].span[0]
        # Only `1/2m`, without a space, is in doubt; 1/2 (a - y) is not.
        if (
            self.text[start - 1 : start].isspace()
            or self.text[start : start + 1] in "([{\\"
            or np.allclose(factor, 1)
        ):
            return False
        self.met[key] = Choice(
            key,
            ("what follows the / is multiplied afterwards", "what follows the / is divided by as a whole"),
        )
        return self.choices.get(key, 0) == 1

    def _times(self, node: Node, place: object, one: Array, other: Array, sign: str, factors: Any) -> Array:
        if one.ndim == 2 or other.ndim == 2:
            if one.ndim != other.ndim:
                one, other = self._alike(node, one, other)
            return one * other
        if one.shape[1:] == (1, 1) or other.shape[1:] == (1, 1):
            return one * other
        same, inner = one.shape[1:] == other.shape[1:], one.shape[2] == other.shape[1]
        if sign == "⊙" or (sign == "*" and self._elementwise_star):
            if not same:
                raise Unfit(
                    node, f"arrays of {one.shape[1:]} and {other.shape[1:]} have no elementwise product"
                )
            return one * other
        if sign == "⊗":
            return np.einsum("pik,pjk->pij", one, other)
        if sign == "@":
            inner, same = inner, False
        options: list[tuple[str, Callable[[], Array]]] = []
        if same:
            options.append(("elementwise", lambda: one * other))
        if inner:
            options.append(("a matrix product", lambda: one @ other))
        if same and not inner and 1 in one.shape[1:] and sign == "·":
            options.append(("a dot product", lambda: (one * other).sum(axis=(1, 2), keepdims=True)))
        if not options:
            raise Unfit(node, f"arrays of {one.shape[1:]} and {other.shape[1:]} can't be multiplied")
        if len(options) > 1:
            key = (node, "product", place)
            last = isinstance(place, int) and place == len(factors) - 2
            which = "the last product" if last else f"the product of {one.shape[1:]} and {other.shape[1:]}"
            self.met[key] = Choice(key, tuple(f"{which} is {name}" for name, _ in options))
            return options[min(self.choices.get(key, 0), len(options) - 1)][1]()
        return options[0][1]()

    def _divided(self, node: Node, above: Array, below: Array) -> Array:
        if above.ndim == below.ndim == 3 and above.shape[1:] != below.shape[1:] and below.shape[1:] != (1, 1):
            raise Unfit(node, f"arrays of {above.shape[1:]} and {below.shape[1:]} can't be divided")
        if above.ndim != below.ndim:
            above, below = self._alike(node, above, below)
        return above / below

    def _power(self, node: Power, values: dict[str, int]) -> Array:
        base, exponent = self.value(node.base, values), self.value(node.exponent, values)
        if exponent.ndim != base.ndim:
            base, exponent = self._alike(node, base, exponent)
        if base.ndim == 3 and exponent.shape[1:] not in ((1, 1), base.shape[1:]):
            raise Unfit(node, f"an array of {base.shape[1:]} can't be raised to one of {exponent.shape[1:]}")
        if np.max(np.abs(exponent)) > 200 and isinstance(node.exponent, Number):
            raise EquationError("this power is too large", self.text, node.exponent.span[0])
        constant = isinstance(node.base, Symbol) and isinstance(node.base.meanings[0], Constant)
        return np.exp(exponent) if constant and np.allclose(base, np.e) else base**exponent

    # Functions

    def activation(
        self, node: Node, function: Function, argument: Node, values: dict[str, int]
    ) -> tuple[Activation, int | None]:
        """Returns which activation function an application means, and of which layer's z it is taken."""
        net = self.points.net
        inner = stands_for(argument)
        layer: int | None = None
        if isinstance(inner, Symbol):
            meaning = self.meaning(inner)
            if isinstance(meaning, Ref) and meaning.kind in ("z", "a", "delta") and meaning.layer is not None:
                layer = meaning.layer.at(values)
        exact = layer if isinstance(inner, Symbol) and layer and self.meaning(inner).kind == "z" else None
        if function.layer is not None:
            layer = function.layer.at(values)
            if not 1 <= layer <= net.depth:
                raise Absent("layer")
        if layer:
            return net.activations[layer - 1], exact
        if len(set(net.activations)) == 1:
            return net.activations[0], exact
        found = self.value(argument, values)
        for number, activation in enumerate(net.activations, 1):
            z = self.points.z(number)
            whole = self._laid_out("z", z)
            if found.ndim == 3 and found.shape == whole.shape and np.allclose(found, whole):
                return activation, None
            if found.ndim == 2 and any(np.allclose(found, z[..., unit]) for unit in range(z.shape[2])):
                return activation, None
        raise EquationError(
            "the layers have different activation functions; which is meant?", self.text, node.span[0]
        )

    def _call(self, node: Call, values: dict[str, int]) -> Array:
        function = node.function
        if function.name in ("greater", "norm"):
            return self._special(node, [self.value(argument, values) for argument in node.arguments])
        if function.name in (
            "dot",
            "matmul",
            "mm",
            "multiply",
            "mul",
            "outer",
            "sum",
            "diag",
            "maximum",
            "max",
            "softmax",
            "square",
        ):
            return self._array_call(
                node, [self.value(argument, values) for argument in node.arguments], values
            )
        if len(node.arguments) != 1:
            raise EquationError("this function has one argument", self.text, node.span[0])
        argument = node.arguments[0]
        if function.primes > 1:
            raise EquationError("second derivatives can't be checked", self.text, node.span[0])
        found = self.value(argument, values)
        if function.name:
            known = FUNCTIONS[function.name]
            if function.primes and known.slope is None:
                raise EquationError(f"the slope of {function.name} is not known", self.text, node.span[0])
            return known.slope(found) if function.primes and known.slope else known.value(found)
        activation, exact = self.activation(node, function, argument, values)
        if activation.dense and found.ndim == 2:
            return self._dense_scalar(node, argument, exact, values, bool(function.primes))
        turned = activation.dense and not self.vocabulary.code
        made = (function_slope if function.primes else function_value)(
            activation, np.swapaxes(found, 1, 2) if turned else found
        )
        return np.swapaxes(made, 1, 2) if turned else made

    def _special(self, node: Call, found: list[Array]) -> Array:
        if node.function.name == "norm":
            inside = found[0] if found[0].ndim == 3 else found[0][:, :, None]
            return np.sqrt((inside**2).sum(axis=(1, 2)))[:, None]
        one, other = found
        if one.ndim != other.ndim:
            one, other = self._alike(node, one, other)
        return (one > other).astype(float)

    def _dense_scalar(
        self, node: Node, argument: Node, exact: int | None, values: dict[str, int], slope: bool
    ) -> Array:
        inner = stands_for(argument)
        if exact is None or not isinstance(inner, Symbol):
            raise EquationError(
                "softmax of one number can't be told; it needs the whole layer", self.text, node.span[0]
            )
        q = self.quantity(inner, self.meaning(inner), values)
        a = self.points.value(q._replace(kind="a"))
        return a * (1 - a) if slope else a

    def _array_call(self, node: Call, found: list[Array], values: dict[str, int]) -> Array:
        name, first = node.function.name, found[0]
        if name in ("maximum", "max"):
            if len(found) != 2:
                raise EquationError("max needs two arguments", self.text, node.span[0])
            one, other = found
            if one.ndim != other.ndim:
                one, other = self._alike(node, one, other)
            return np.maximum(one, other)
        if name == "square":
            return first**2
        if name in ("dot", "matmul", "mm", "multiply", "mul", "outer"):
            if len(found) != 2:
                raise EquationError(f"{name} needs two arguments", self.text, node.span[0])
            sign = {"multiply": "⊙", "mul": "⊙", "outer": "⊗"}.get(name, "@")
            return self._times(node, 0, found[0], found[1], sign, node.arguments)
        if first.ndim == 2:
            if name == "sum":
                return first.sum(axis=1, keepdims=True)
            raise EquationError(f"{name} needs a whole layer", self.text, node.span[0])
        if name == "sum":
            axis = next((option for option in node.options if option.startswith(("axis=", "dim="))), None)
            if axis is None:
                return first.sum(axis=(1, 2))[:, None]
            return first.sum(axis=1 + int(axis.partition("=")[2]) % 2, keepdims=True)
        if name == "diag":
            vector = first.reshape(first.shape[0], -1)
            return vector[:, :, None] * np.eye(vector.shape[1])
        axis_at = 2 if self.vocabulary.code else 1
        powers = np.exp(first - first.max(axis=axis_at, keepdims=True))
        return powers / powers.sum(axis=axis_at, keepdims=True)

    # Derivatives and steps

    def _updated(self, node: Node, of: Node, change: bool, values: dict[str, int]) -> Array:
        inner = stands_for(of)
        ref = self.meaning(inner) if isinstance(inner, Symbol) else None
        if not isinstance(ref, Ref) or ref.kind not in ("w", "b") or ref.derived:
            raise EquationError(
                "a step changes weights and biases; one of them was expected", self.text, node.span[0]
            )
        if ref.array:
            now = self._array(inner, ref, values)
            layer = ref.layer.at(values) if ref.layer else 0
            step = -self.points.rate[:, :, None] * self._laid_out(
                ref.kind, self.total_by_array(ref.kind, layer)
            )
        else:
            q = self.quantity(inner, ref, values)
            now = self.points.value(q)
            step = -self.points.rate * self.points.derivative(Quantity("total"), q)
        return step if change else now + step

    def _derivative(self, node: Derivative, of: Node, by: Node, values: dict[str, int]) -> Array:
        target = stands_for(by)
        if isinstance(target, Transposed):
            target = stands_for(target.of)
        ref = self.meaning(target) if isinstance(target, Symbol) else None
        if not isinstance(ref, Ref) or ref.derived or ref.kind in ("delta", "total", "R"):
            raise EquationError(
                "a derivative is by a weight, bias, activation, pre-activation, input or cost",
                self.text,
                by.span[0],
            )
        if ref.array:
            return self._by_array(node, of, target, ref, values)
        q = self.quantity(target, ref, values)
        if not any(isinstance(use.meaning, Ref) for use in self.letters(of).uses):
            raise EquationError("what is derived has no quantity in it", self.text, of.span[0])
        try:
            return self._slope(node, of, q, values)
        except ValueError as error:
            if isinstance(error, EquationError):
                raise
            says = "the derivative of arrays multiplied with each other can't be checked"
            raise EquationError(says, self.text, of.span[0]) from None

    def _slope(self, whole: Node, node: Node, by: Quantity, values: dict[str, int]) -> Array:
        """Returns the derivative of any expression by a quantity."""

        def inner(part: Node, at: dict[str, int] = values) -> Array:
            return self._slope(whole, part, by, at)

        self._steps += 1
        if self._steps > MOST_STEPS:
            raise EquationError(
                "there is too much to add up here; try it on a smaller network", self.text, node.span[0]
            )
        match node:
            case Number():
                return np.zeros((1, 1))
            case Symbol():
                return self._slope_of_symbol(whole, node, by, values)
            case Negative(_, of):
                return -inner(of)
            case Sum(_, terms):
                return self._sum(node, [inner(term) for term in terms])
            case BigSum():
                return self._bigsum(node, values, inner)
            case Product(_, factors, signs):
                total, slope = self.value(factors[0], values), inner(factors[0])
                for sign, factor in zip(signs, factors[1:], strict=True):
                    value, its = self.value(factor, values), inner(factor)
                    if sign == "/":
                        total, slope = total / value, (slope * value - total * its) / value**2
                    else:
                        total, slope = total * value, slope * value + total * its
                return slope
            case Fraction(_, above, below):
                value = self.value(below, values)
                return (inner(above) * value - self.value(above, values) * inner(below)) / value**2
            case Power(_, base, exponent):
                power = self.value(exponent, values)
                value = self.value(base, values)
                if isinstance(base, Symbol) and isinstance(base.meanings[0], Constant):
                    return self.value(node, values) * inner(exponent)
                return power * value ** (power - 1) * inner(base)
            case Call(_, Function("norm"), (argument,)):
                inside = self.value(argument, values)
                if inside.ndim == 3:
                    return (inside * inner(argument)).sum(axis=(1, 2))[:, None] / self.value(node, values)
            case Call(_, function, (argument,)) if not function.primes:
                slope_of = Call(node.span, function._replace(primes=1), (argument,))
                return self.value(slope_of, values) * inner(argument)
        raise EquationError("the derivative of this can't be checked", self.text, node.span[0])

    def _slope_of_symbol(self, whole: Node, node: Symbol, by: Quantity, values: dict[str, int]) -> Array:
        meaning = self.meaning(node)
        if isinstance(meaning, Stands):
            return self._slope(whole, meaning.tree, by, values)
        if isinstance(meaning, Constant | Special | Size | Kronecker):
            return np.zeros((1, 1))
        if not isinstance(meaning, Ref) or meaning.derived or meaning.kind == "delta":
            raise EquationError("the derivative of a derivative can't be checked", self.text, node.span[0])
        if meaning.array:
            self._array(node, meaning, values)
            layer = meaning.layer.at(values) if meaning.layer else 0
            if meaning.kind == "y":
                return np.zeros((1, 1, 1))
            if meaning.kind == "C":
                units = range(self.points.net.outputs)
            elif meaning.kind in ("a", "z"):
                units = range(self.layout.sizes[layer])
            else:
                raise EquationError("the derivative of this array can't be checked", self.text, node.span[0])
            every = [
                self.points.derivative(Quantity(meaning.kind, meaning.layer and layer, unit), by)
                for unit in units
            ]
            return np.stack(
                [np.broadcast_to(part, (self.points.many, self.points.examples)) for part in every], axis=1
            )
        of = self.quantity(node, meaning, values)
        found = self.points.derivative(of, by)
        if whole in self.chained and not neighbours(of, by) and np.any(found != 0):
            shown = self.text[node.span[0] : node.span[1]].strip()
            key = (whole, "direct")
            self.met[key] = Choice(
                key,
                (
                    f"the derivative of {shown} in this factor is total, over all paths",
                    "it is the direct edge, which does not exist, so it is 0",
                ),
            )
            if self.choices.get(key, 0):
                return found * 0
        return found

    def _by_array(self, node: Derivative, of: Node, by: Node, ref: Ref, values: dict[str, int]) -> Array:
        layer = ref.layer.at(values) if ref.layer else 0
        self._array(by, ref, values)
        inner = stands_for(of)
        target = self.meaning(inner) if isinstance(inner, Symbol) else None
        if not isinstance(target, Ref) or target.derived:
            raise EquationError("the derivative of a cost or of a layer was expected", self.text, of.span[0])
        if target.kind in ("total", "C") and not target.array:
            cost = None if target.kind == "total" else self.quantity(inner, target, values).to
            if ref.kind not in ("w", "b", "a", "z"):
                raise EquationError(
                    "a derivative is by weights, biases, activations or pre-activations",
                    self.text,
                    by.span[0],
                )
            return self._laid_out(ref.kind, self.total_by_array(ref.kind, layer, cost))
        if not target.array:
            if ref.kind not in ("a", "z", "w", "b"):
                raise EquationError("this derivative can't be checked", self.text, node.span[0])
            return self._scalar_by_array(inner, target, ref, layer, values)
        if target.kind not in ("a", "z") or ref.kind not in ("a", "z") or self.points.examples > 1:
            raise EquationError(
                "this derivative of an array by an array can't be checked", self.text, node.span[0]
            )
        self._array(inner, target, values)
        of_layer = target.layer.at(values) if target.layer else 0
        made = self.points.by_array(target.kind, of_layer, ref.kind, layer)
        if made is None:
            shape = (self.points.many, self.layout.sizes[of_layer], self.layout.sizes[layer])
            return np.zeros(shape)
        key = (node.__class__, "layout")
        self.met[key] = Choice(
            key,
            ("a Jacobian has a row for each quantity above", "a Jacobian has a row for each quantity below"),
        )
        return np.swapaxes(made[:, 0], 1, 2) if self.choices.get(key, 0) else made[:, 0]

    def _scalar_by_array(
        self, inner: Node, target: Ref, ref: Ref, layer: int, values: dict[str, int]
    ) -> Array:
        of = self.quantity(inner, target, values)
        sizes = self.layout.sizes
        if ref.kind == "w":
            each = [
                [Quantity("w", layer, to, source) for source in range(sizes[layer - 1])]
                for to in range(sizes[layer])
            ]
        else:
            each = [[Quantity(ref.kind, layer, to) for to in range(sizes[layer])]]
        rows = [
            np.stack(
                [
                    np.broadcast_to(self.points.derivative(of, q), (self.points.many, self.points.examples))[
                        :, 0
                    ]
                    for q in row
                ],
                axis=1,
            )
            for row in each
        ]
        return self._laid_out(ref.kind, np.stack(rows, axis=1))


def neighbours(of: Quantity, by: Quantity) -> bool:
    """Returns whether one quantity is made directly from another, as textbooks count: a layer is one step."""
    if of.kind in ("C", "total", "R") or by.kind in ("C", "y") or of == by:
        return True
    step = (of.layer or 0) - (by.layer or 0)
    return step <= (0 if by.kind in ("w", "b") else 1)


def _filled(factors: tuple[Node, ...]) -> tuple[Node, ...]:
    """Returns the factors with dots between two derivatives replaced by the derivative that closes the gap."""
    made = list(factors)
    for place, factor in enumerate(factors):
        if isinstance(factor, Dots) and 0 < place < len(factors) - 1:
            before, after = factors[place - 1], factors[place + 1]
            if isinstance(before, Derivative) and isinstance(after, Derivative):
                made[place] = Derivative(factor.span, before.by, after.of)
    return tuple(made)


def _as_array(scalar: Array) -> Array:
    """Returns a scalar as an array that multiplies every entry; examples stand in columns."""
    return scalar[:, None, :] if scalar.shape[1] > 1 else scalar[:, :, None]


__all__ = ["Absent", "Choice", "Evaluator", "Unfit", "neighbours"]
