"""What an equation is made of: the syntax tree, and what a symbol in it may mean."""

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

Span: TypeAlias = tuple[int, int]


class Index(NamedTuple):
    """An index of a quantity: a number, or a letter with a number added; counted from 0."""

    letter: str | None
    offset: int

    def at(self, values: "dict[str, int]") -> int:
        """Returns the number that the index is for some values of the letters."""
        return self.offset if self.letter is None else values[self.letter] + self.offset


class Ref(NamedTuple):
    """A quantity, or the whole array of a layer, with indices that may be letters."""

    kind: str
    """As in `whygrad.notation.Quantity`."""
    layer: Index | None = None
    to: Index | None = None
    source: Index | None = None
    array: bool = False
    derived: bool = False
    """Whether the total's derivative by this is meant (`dW2[0, 0]`)."""
    example: Index | None = None
    """Which example (`a^{[1](i)}`); None: the one that everything is about, or all of them."""
    sign: int = 1
    """What delta is in the notation, times the derivative of the total by z."""

    @property
    def indices(self) -> tuple[Index, ...]:
        """The indices of its layer and its neurons, as far as there are any."""
        return tuple(index for index in (self.layer, self.to, self.source) if index is not None)

    @property
    def lettered(self) -> bool:
        """Whether one of them is a letter."""
        return any(index.letter for index in self.indices)


class Constant(NamedTuple):
    """A number that has a name."""

    value: float


class Size(NamedTuple):
    """The number of neurons of a layer, as it stands in the bounds of a sum."""

    layer: Index


class Kronecker(NamedTuple):
    """1 where two indices are equal, else 0."""

    first: Index
    second: Index


class Special(NamedTuple):
    """`examples`: how many examples there are; `rate`: the learning rate, any number."""

    name: str


class Function(NamedTuple):
    """A function: of the table in `functions.py`, or the network's activation (`name` is empty)."""

    name: str
    primes: int = 0
    layer: Index | None = None


class Stands(NamedTuple):
    """A name that a person declared for an expression."""

    tree: "Node"


Meaning: TypeAlias = Ref | Constant | Kronecker | Size | Special | Function | Stands


@dataclass(frozen=True, eq=False, slots=True)
class Node:
    """A part of an equation, and where it stands in the text (from, to)."""

    span: Span


@dataclass(frozen=True, eq=False, slots=True)
class Number(Node):
    """A number as it is printed."""

    text: str

    @property
    def value(self) -> float:
        """The number."""
        return float(self.text)

    @property
    def decimals(self) -> int:
        """How many digits stand after the point."""
        mantissa, _, exponent = self.text.lower().partition("e")
        return len(mantissa.partition(".")[2]) - int(exponent or 0)

    @property
    def digits(self) -> int:
        """How many digits of the number count."""
        return len(self.text.lower().partition("e")[0].replace(".", "").lstrip("0"))


@dataclass(frozen=True, eq=False, slots=True)
class Symbol(Node):
    """A name; with more than one meaning where it can be read in several ways."""

    text: str
    """The name, without what is done to it."""
    meanings: tuple[Meaning, ...]
    tail: str = ""
    """What is done to it inside of its span, as it was written (`^T`): a name in its place needs it too."""


@dataclass(frozen=True, eq=False, slots=True)
class Negative(Node):
    """Minus something."""

    of: Node


@dataclass(frozen=True, eq=False, slots=True)
class Sum(Node):
    """Terms that are added up; a term that is taken away is a `Negative`."""

    terms: tuple[Node, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Product(Node):
    """Factors from left to right, and the sign before each from the second on (empty: side by side)."""

    factors: tuple[Node, ...]
    signs: tuple[str, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Fraction(Node):
    """A fraction with a line."""

    above: Node
    below: Node


@dataclass(frozen=True, eq=False, slots=True)
class Power(Node):
    """A power."""

    base: Node
    exponent: Node


class Bound(NamedTuple):
    """A letter that a sum runs over; without bounds: over all values for which its body exists."""

    letter: str
    lower: Node | None = None
    upper: Node | None = None
    without: Index | None = None
    """A value that is left out (`k \\neq j`)."""


@dataclass(frozen=True, eq=False, slots=True)
class BigSum(Node):
    """A sum over letters; over none where they aren't written (then over those that the left side lacks)."""

    bounds: tuple[Bound, ...]
    body: Node


@dataclass(frozen=True, eq=False, slots=True)
class Derivative(Node):
    """The derivative of something by a quantity."""

    of: Node
    by: Node


@dataclass(frozen=True, eq=False, slots=True)
class Call(Node):
    """A function of something; `options` are what code adds (`axis=1`)."""

    function: Function
    arguments: tuple[Node, ...]
    options: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class Transposed(Node):
    """A transposed array."""

    of: Node


@dataclass(frozen=True, eq=False, slots=True)
class Updated(Node):
    """A parameter after one step of gradient descent, or (`change`) what the step adds to it."""

    of: Node
    change: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Dots(Node):
    """Factors that are left out."""


class Chain(NamedTuple):
    """Sides with relations between them."""

    sides: tuple[Node, ...]
    relations: tuple[str, ...]
    conditions: tuple[Any, ...] = ()
    """For which values of its letters it is meant: records of `conditions.Condition`."""


def parts(node: Node) -> tuple[Node, ...]:
    """Returns what a node is directly made of."""
    match node:
        case Negative(_, of) | Transposed(_, of) | Updated(_, of):
            return (of,)
        case Sum(_, terms):
            return terms
        case Product(_, factors, _):
            return factors
        case Fraction(_, first, second) | Power(_, first, second) | Derivative(_, first, second):
            return (first, second)
        case BigSum(_, bounds, body):
            return (
                *(part for bound in bounds for part in (bound.lower, bound.upper) if part is not None),
                body,
            )
        case Call(_, _, arguments):
            return arguments
    return ()


def walk(node: Node) -> "list[Node]":
    """Returns a node and everything below it."""
    found = [node]
    for part in found:
        found.extend(parts(part))
    return found


def replaced(node: Node, old: Node, new: Node) -> Node:
    """Returns a tree with one node (the very same object) replaced by another."""
    if node is old:
        return new
    if old.span[0] < node.span[0] or node.span[1] < old.span[1]:
        return node
    inside = parts(node)
    if not inside:
        return node
    made = tuple(replaced(part, old, new) for part in inside)
    if all(a is b for a, b in zip(inside, made, strict=True)):
        return node
    match node:
        case Negative(span, _):
            return Negative(span, made[0])
        case Transposed(span, _):
            return Transposed(span, made[0])
        case Updated(span, _, change):
            return Updated(span, made[0], change)
        case Sum(span, _):
            return Sum(span, made)
        case Product(span, _, signs):
            return Product(span, made, signs)
        case Fraction(span, _, _):
            return Fraction(span, *made)
        case Power(span, _, _):
            return Power(span, *made)
        case Derivative(span, _, _):
            return Derivative(span, *made)
        case BigSum(span, bounds, _):
            return BigSum(span, bounds, made[-1])
        case Call(span, function, _, options):
            return Call(span, function, made, options)
    raise AssertionError(node)
