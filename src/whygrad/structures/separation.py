"""A partial of two entries as a sum of products: delta d(i) + f_1(i) g_1(j) + f_2(i) g_2(j) + …

That is what keeps a matrix of partials out of memory: a cotangent goes back through each product as one sum.
"""

from functools import cache
from typing import NamedTuple

from whygrad.formula import Apply, Number, Symbol, Tree, symbols

ONE = Number(1)


class Product(NamedTuple):
    """A factor that depends on the output's entry i (or on the whole axis), and one that depends on j."""

    left: Tree
    right: Tree


class Separated(NamedTuple):
    """The formula of what only i = j has (nothing: 0), and the products that every pair has."""

    diagonal: Tree | None
    products: tuple[Product, ...]


class _Term(NamedTuple):
    delta: bool
    left: Tree
    right: Tree


@cache
def separated(tree: Tree) -> Separated | None:
    """Returns a formula in ``delta``, names that end in ``_j`` and others as a sum of products; nothing if it is none.

    Example:
        >>> from whygrad.formula import parse, show
        >>> made = separated(parse("y_i*(delta - y_j)"))
        >>> show(made.diagonal, "text"), [(show(f, "text"), show(g, "text")) for f, g in made.products]
        ('y_i', [('y_i·(-1)', 'y_j')])
    """
    terms = _terms(tree)
    if terms is None:
        return None
    diagonal: Tree | None = None
    products: list[Product] = []
    for delta, left, right in terms:
        if delta:
            term = _times(left, right)
            diagonal = term if diagonal is None else Apply("add", (diagonal, term))
            continue
        for place, known in enumerate(products):
            if known.left == left:
                products[place] = Product(left, Apply("add", (known.right, right)))
                break
            if known.right == right:
                products[place] = Product(Apply("add", (known.left, left)), right)
                break
        else:
            products.append(Product(left, right))
    return Separated(diagonal, tuple(products))


def _times(a: Tree, b: Tree) -> Tree:
    return b if a == ONE else a if b == ONE else Apply("mul", (a, b))


def _of_j(names: frozenset[str]) -> bool:
    return all(name.endswith("_j") for name in names)


def _terms(tree: Tree) -> tuple[_Term, ...] | None:
    names = symbols(tree)
    if tree == Symbol("delta"):
        return (_Term(True, ONE, ONE),)
    if "delta" not in names and not any(name.endswith("_j") for name in names):
        return (_Term(False, tree, ONE),)
    if "delta" not in names and _of_j(names):
        return (_Term(False, ONE, tree),)
    assert isinstance(tree, Apply)
    return _joined(tree.head, tree.arguments)


def _joined(head: str, arguments: tuple[Tree, ...]) -> tuple[_Term, ...] | None:
    sides = [_terms(argument) for argument in arguments]
    first = sides[0]
    if first is None:
        return None
    negative = tuple(_Term(delta, Apply("neg", (left,)), right) for delta, left, right in sides[-1] or ())
    match head:
        case "neg":
            return negative
        case "add" | "sub" if sides[1] is not None:
            return first + (sides[1] if head == "add" else negative)
        case "mul" if sides[1] is not None:
            return tuple(
                _Term(a.delta or b.delta, _times(a.left, b.left), _times(a.right, b.right))
                for a in first
                for b in sides[1]
            )
        case "div":
            names = symbols(arguments[1])
            if "delta" not in names and _of_j(names) and names:
                return tuple(
                    _Term(delta, left, Apply("div", (right, arguments[1]))) for delta, left, right in first
                )
            if not any(name == "delta" or name.endswith("_j") for name in names):
                return tuple(
                    _Term(delta, Apply("div", (left, arguments[1])), right) for delta, left, right in first
                )
        case "pow":
            power = arguments[1]
            if isinstance(power, Number) and power.value in (1, 2, 3):
                made: Tree = arguments[0]
                for _ in range(int(power.value) - 1):
                    made = Apply("mul", (made, arguments[0]))
                return _terms(made)
    return None
