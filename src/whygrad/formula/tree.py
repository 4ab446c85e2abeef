"""A formula as a tree: reading, names, putting formulas in the place of names."""

import ast
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple, TypeAlias

from whygrad.errors import FormulaError
from whygrad.formula.functions import FUNCTIONS


class Number(NamedTuple):
    """A number that stands in a formula."""

    value: float


class Symbol(NamedTuple):
    """A name that stands in a formula: an input, the output ``y``, or a setting such as a slope."""

    name: str


class Apply(NamedTuple):
    """A function or an operator with its arguments."""

    head: str
    arguments: tuple["Tree", ...]


Tree: TypeAlias = Number | Symbol | Apply


_OPERATORS = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.Pow: "pow",
    ast.USub: "neg",
    ast.Gt: "gt",
    ast.Lt: "lt",
    ast.GtE: "ge",
    ast.LtE: "le",
    ast.Eq: "eq",
}


@cache
def parse(text: str) -> Tree:
    """Returns the tree of a formula.

    Raises:
        FormulaError: The text isn't a formula, or calls a function that isn't in :data:`FUNCTIONS`.

    Example:
        >>> parse("1 - y^2")
        Apply(head='sub', arguments=(Number(value=1), Apply(head='pow', arguments=(Symbol(name='y'), \
Number(value=2)))))
    """
    try:
        body = ast.parse(text.replace("^", "**"), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        # Null bytes and deep nesting are not syntax errors to Python.
        raise FormulaError(f"formula {text!r}: expected an expression such as '1 - y^2'; {error}") from None
    return _tree(body, text)


def _tree(node: ast.expr, text: str) -> Tree:
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return Number(value)
        case ast.Name(id=name):
            return Symbol(name)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return Apply(_OPERATORS[type(op)], (_tree(left, text), _tree(right, text)))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return Apply("neg", (_tree(operand, text),))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _OPERATORS:
            return Apply(_OPERATORS[type(op)], (_tree(left, text), _tree(right, text)))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
            wanted = FUNCTIONS[name].arity
            if len(arguments) != wanted:
                raise FormulaError(
                    f"formula {text!r}: {name} takes {wanted} arguments, found {len(arguments)}"
                )
            return Apply(name, tuple(_tree(argument, text) for argument in arguments))
    found = ast.unparse(node)
    raise FormulaError(
        f"formula {text!r}: {found!r} can't be read; expected numbers, names, + - * / ^, a comparison or one of "
        f"{', '.join(sorted(FUNCTIONS))}"
    )


@cache
def symbols(tree: Tree) -> frozenset[str]:
    """Returns the names that a formula depends on.

    Example:
        >>> sorted(symbols(parse("where(x > 0, 1, slope)")))
        ['slope', 'x']
    """
    match tree:
        case Symbol(name):
            return frozenset((name,))
        case Apply(_, arguments):
            return frozenset().union(*(symbols(argument) for argument in arguments))
    return frozenset()


def substitute(tree: Tree, names: Mapping[str, Tree]) -> Tree:
    """Returns the formula with names replaced by other formulas, numbers folded where that is exact.

    Example:
        >>> from whygrad.formula import show
        >>> show(substitute(parse("p*x^(p - 1)"), {"p": Number(2)}), "text")
        '2·x'
    """
    match tree:
        case Symbol(name):
            return names.get(name, tree)
        case Apply(head, arguments):
            return _folded(Apply(head, tuple(substitute(argument, names) for argument in arguments)))
    return tree


def _folded(tree: Apply) -> Tree:
    """Returns the formula with 0 + x, 1 * x, x^1 and arithmetic on whole numbers done; nothing that rounds."""
    match tree:
        case Apply("add" | "sub" | "mul", (Number(int() as a), Number(int() as b))):
            return Number(a + b if tree.head == "add" else a - b if tree.head == "sub" else a * b)
        case Apply("mul", (Number(1), other) | (other, Number(1))) | Apply("pow" | "div", (other, Number(1))):
            return other
        case Apply("add", (Number(0), other) | (other, Number(0))) | Apply("sub", (other, Number(0))):
            return other
        case Apply("sub", (Number(0), other)):
            return Apply("neg", (other,))
        case Apply("mul", (Number(0), _) | (_, Number(0))):
            return Number(0)
        case Apply("pow", (_, Number(0))):
            return Number(1)
        case Apply("neg", (Number(value),)):
            return Number(-value)
    return tree
