r"""The formula language: one text is evaluated on arrays, printed as code, as LaTeX and as plain text.

An operation declares its value and its partials as formulas such as ``"1 - y^2"``. A formula is read once into a
tree of :class:`Number`, :class:`Symbol` and :class:`Apply`; everything else walks that tree. The functions that a
formula may call are the rows of :data:`FUNCTIONS`, and the ways to write one down are the rows of :data:`STYLES`.

The syntax is Python's for expressions, except that ``^`` is the power, as people write it.
"""

import ast
import math
import sys
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple, TypeAlias

from whygrad.errors import FormulaError


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


class Function(NamedTuple):
    """One function of the language and how each style writes it; ``{0}``, ``{1}``, … are its arguments.

    A template that ends up as an operator expression says how tightly it binds in ``strength``
    (higher binds tighter; a call binds tightest).
    """

    numpy: str
    scalar: str
    torch: str
    latex: str
    text: str
    strength: int = 9

    @property
    def arity(self) -> int:
        """How many arguments it takes."""
        return sum(f"{{{place}}}" in self.numpy for place in range(3))


def _call(name: str, *, numpy: str = "", scalar: str = "", torch: str = "", latex: str = "") -> Function:
    return Function(
        numpy or f"np.{name}({{0}})",
        scalar or f"{name}({{0}})",
        torch or f"torch.{name}({{0}})",
        latex or f"\\{name}({{0}})",
        f"{name}({{0}})",
    )


COMPARISON, SUM, PRODUCT, SIGN, POWER, CALL = 2, 3, 5, 6, 7, 9


def _operator(template: str, strength: int, *, latex: str = "", text: str = "") -> Function:
    return Function(template, template, template, latex or template, text or template, strength)


FUNCTIONS: dict[str, Function] = {
    "add": _operator("{0} + {1}", SUM),
    "sub": _operator("{0} - {1}", SUM),
    "mul": _operator("{0}*{1}", PRODUCT, latex="{0} \\, {1}", text="{0}·{1}"),
    "div": _operator("{0}/{1}", PRODUCT, latex="\\frac{{{0}}}{{{1}}}"),
    "neg": _operator("-{0}", SIGN),
    "pow": _operator("{0}**{1}", POWER, latex="{0}^{{{1}}}", text="{0}^{1}"),
    "gt": _operator("{0} > {1}", COMPARISON),
    "lt": _operator("{0} < {1}", COMPARISON),
    "ge": _operator("{0} >= {1}", COMPARISON, latex="{0} \\ge {1}", text="{0} ≥ {1}"),
    "le": _operator("{0} <= {1}", COMPARISON, latex="{0} \\le {1}", text="{0} ≤ {1}"),
    "exp": _call("exp", latex="e^{{{0}}}"),
    "expm1": _call("expm1", latex="(e^{{{0}}} - 1)"),
    "log": _call("log", latex="\\ln {0}"),
    "log1p": _call("log1p", latex="\\ln(1 + {0})"),
    "sqrt": _call("sqrt", latex="\\sqrt{{{0}}}"),
    "tanh": _call("tanh"),
    "sin": _call("sin"),
    "cos": _call("cos"),
    "arctan": _call("arctan", scalar="atan({0})"),
    "abs": _call("abs", scalar="abs({0})", latex="|{0}|"),
    "sign": _call("sign", scalar="sign({0})", latex="\\operatorname{{sign}}({0})"),
    "sigmoid": _call("sigmoid", numpy="sigmoid({0})", latex="\\sigma({0})"),
    "softplus": _call(
        "softplus",
        numpy="np.logaddexp({0}, 0)",
        torch="torch.logaddexp({0}, torch.zeros_like({0}))",
        latex="\\ln(1 + e^{{{0}}})",
    ),
    # The distribution function and the density of the standard normal, for gelu.
    "Phi": _call("Phi", numpy="Phi({0})", torch="torch.special.ndtr({0})", latex="\\Phi({0})"),
    "phi": _call(
        "phi",
        numpy="phi({0})",
        torch="(torch.exp(-({0})**2/2)/2.5066282746310002)",
        latex="\\varphi({0})",
    ),
    "max": Function(
        "np.maximum({0}, {1})",
        "max({0}, {1})",
        "torch.clamp({0}, min={1})",
        "\\max({0}, {1})",
        "max({0}, {1})",
    ),
    "min": Function(
        "np.minimum({0}, {1})",
        "min({0}, {1})",
        "torch.clamp({0}, max={1})",
        "\\min({0}, {1})",
        "min({0}, {1})",
    ),
    "where": Function(
        "np.where({0}, {1}, {2})",
        "({1} if {0} else {2})",
        "torch.where({0}, {1}, {2})",
        "\\begin{{cases}} {1} & {0} \\\\ {2} & \\text{{otherwise}} \\end{{cases}}",
        "({1} if {0}, else {2})",
    ),
    # Reductions along the last axis, for operations that are dense along one axis (softmax).
    "axis_max": Function(
        "np.max({0}, axis=-1, keepdims=True)",
        "",
        "torch.amax({0}, dim=-1, keepdim=True)",
        "\\max_k {0}",
        "max_k {0}",
    ),
    "axis_sum": Function(
        "np.sum({0}, axis=-1, keepdims=True)",
        "",
        "torch.sum({0}, dim=-1, keepdim=True)",
        "\\sum_k {0}",
        "sum_k {0}",
        4,
    ),
}

STYLES = ("numpy", "scalar", "torch", "latex", "text")

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


def show(tree: Tree, style: str, names: Mapping[str, str] | None = None) -> str:
    """Returns the formula as text in one of :data:`STYLES`, with the symbols spelled as ``names`` says.

    ``numpy`` and ``torch`` work on whole arrays, ``scalar`` on Python numbers.

    Example:
        >>> show(parse("y*(1 - y)"), "numpy", {"y": "a1"})
        'a1*(1 - a1)'
        >>> show(parse("y*(1 - y)"), "latex", {"y": "a^0_1"})
        'a^0_1 \\\\, (1 - a^0_1)'
    """
    return _show(tree, style, names or {})[0]


def _show(tree: Tree, style: str, names: Mapping[str, str]) -> tuple[str, int]:
    match tree:
        case Number(value):
            text = repr(value) if style != "latex" else f"{value:.6g}"
            return text, CALL if value >= 0 else SIGN
        case Symbol(name):
            text = names.get(name, name)
            return text, _strength(text)
        case Apply(head, arguments):
            return _show_apply(head, arguments, style, names)
    raise AssertionError(tree)


def _show_apply(
    head: str, arguments: tuple[Tree, ...], style: str, names: Mapping[str, str]
) -> tuple[str, int]:
    if style == "scalar" and head == "pow" and isinstance(arguments[0], Symbol) and arguments[1] == Number(2):
        # x*x is several times quicker than x**2 in Python
        return _show(Apply("mul", (arguments[0], arguments[0])), style, names)
    function = FUNCTIONS[head]
    template: str = getattr(function, style)
    if not template:
        raise FormulaError(f"{head} can't be written in style {style!r}: it joins the entries along an axis")
    strength = function.strength
    enclosed = strength == CALL or (style == "latex" and head == "div")
    parts = []
    for place, argument in enumerate(arguments):
        text, inner = _show(argument, style, names)
        # The right side of - and / and both sides of a power bind one step tighter than their operator.
        tighter = (place == 1 and head in ("sub", "div", "mul")) or head in ("pow", "neg")
        inside_braces = style == "latex" and head == "pow" and place == 1
        bare_argument = style == "latex" and head in ("log", "axis_max", "axis_sum")
        misread = style in ("latex", "text") and _misread(head, place, argument, text, style)
        if (
            (not enclosed and not inside_braces and inner < strength + tighter)
            or (bare_argument and inner < CALL)
            or misread
        ):
            text = f"\\left({text}\\right)" if style == "latex" and "\\frac" in text else f"({text})"
        parts.append(text)
    shown = template.format(*parts)
    return shown, CALL if enclosed and head != "div" else strength


def _misread(head: str, place: int, argument: Tree, text: str, style: str) -> bool:
    """Returns whether people (not Python) would misread an argument without brackets around it."""
    if head in ("add", "sub", "mul") and place == 1 and text.startswith("-"):
        return True  # a · -b
    raised = isinstance(argument, Symbol) and "^" in text
    called = argument.head if isinstance(argument, Apply) else ""
    if head == "pow" and place == 0:
        # a^0_1^{2} and e^{x}^{2} are errors in LaTeX, and \\ln x^{2} is another number.
        return raised or (style == "latex" and called in ("exp", "log"))
    return style == "latex" and head == "mul" and place == 0 and called == "log"


def _strength(text: str) -> int:
    """Returns how tightly a spelled-out name binds: a name such as ``a1[:, None]`` tight, ``-3.0`` or ``p - 1`` not."""
    if text.startswith("-"):
        return SIGN
    return SUM if " + " in text or " - " in text else CALL


def _sign(x: float) -> float:
    return float(x > 0) - float(x < 0)


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else (e := math.exp(x)) / (1.0 + e)


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _normal_cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def _normal_density(x: float) -> float:
    return math.exp(-x * x / 2.0) / math.sqrt(2.0 * math.pi)


SCALAR_NAMES: dict[str, Any] = {
    name: getattr(math, name)
    for name in ("exp", "expm1", "log", "log1p", "sqrt", "tanh", "sin", "cos", "atan")
} | {
    "sign": _sign,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "Phi": _normal_cdf,
    "phi": _normal_density,
    "abs": abs,
    "max": max,
    "min": min,
}


@cache
def numpy_names() -> dict[str, Any]:
    """Returns what a formula's NumPy code may refer to: NumPy itself and the three functions it doesn't have."""
    import numpy as np

    def sigmoid(x: Any) -> Any:
        # exp overflows to inf for x < -709, and 1 / (1 + inf) is then the right 0; tanh would lose the small tail.
        with np.errstate(over="ignore"):
            return 1 / (1 + np.exp(-x))

    cdf = np.frompyfunc(_normal_cdf, 1, 1)

    def Phi(x: Any) -> Any:
        x = np.asarray(x)
        return np.asarray(cdf(x)).astype(x.dtype if x.dtype.kind == "f" else np.float64)

    def phi(x: Any) -> Any:
        # x*x may be inf, and exp(-inf) is the right 0
        with np.errstate(over="ignore"):
            return np.exp(-x * x / 2) / math.sqrt(2 * math.pi)

    return {"np": np, "sigmoid": sigmoid, "Phi": Phi, "phi": phi}


class _Torch:
    """What a formula's PyTorch code refers to as ``torch``: PyTorch, where numbers alone take the type of the arrays.

    ``torch.where(x > 0, 1, 0.01)`` makes numbers of the default type, whatever type x has.
    """

    def __init__(self, dtype: Any) -> None:
        self._torch = sys.modules["torch"]  # whoever has tensors has imported it
        self._dtype = dtype

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._torch, name)
        setattr(self, name, found)
        return found

    def where(self, condition: Any, a: Any, b: Any) -> Any:
        if not hasattr(a, "dtype") and not hasattr(b, "dtype"):
            a = condition.new_tensor(a, dtype=self._dtype)
        return self._torch.where(condition, a, b)


def _without_constants(tree: Tree) -> Tree:
    """Returns the formula with functions of numbers alone worked out: PyTorch's functions take tensors only."""
    match tree:
        case Apply(head, arguments):
            done = Apply(head, tuple(_without_constants(argument) for argument in arguments))
            if all(isinstance(argument, Number) for argument in done.arguments) and FUNCTIONS[head].scalar:
                try:
                    return Number(compiled(done, (), "scalar")())
                except (ValueError, ArithmeticError):
                    return done
            return done
    return tree


def compiled(tree: Tree, arguments: tuple[str, ...], style: str = "numpy") -> Callable[..., Any]:
    """Returns the formula as a Python function of the named arguments.

    Args:
        tree: The formula.
        arguments: The names of the function's arguments, in order.
        style: ``numpy`` (arrays), ``torch`` (tensors; the caller has them, and so PyTorch) or ``scalar`` (Python
            numbers).

    Example:
        >>> compiled(parse("y*(1 - y)"), ("y",), "scalar")(0.25)
        0.1875
    """
    if style == "torch":
        return _compiled_for_torch(tree, arguments)
    return _compiled(show(tree, style), arguments, style)


@cache
def _compiled(code: str, arguments: tuple[str, ...], style: str) -> Callable[..., Any]:
    names = numpy_names() if style == "numpy" else SCALAR_NAMES
    return _function(code, arguments, names)


@cache
def _compiled_for_torch(tree: Tree, arguments: tuple[str, ...]) -> Callable[..., Any]:
    code = show(_without_constants(tree), "torch")
    of_type: dict[Any, Callable[..., Any]] = {}

    def call(*values: Any) -> Any:
        dtype = values[0].dtype if values else None
        if dtype not in of_type:
            of_type[dtype] = _function(code, arguments, {"torch": _Torch(dtype)})
        return of_type[dtype](*values)

    return call


def _function(code: str, arguments: tuple[str, ...], names: Mapping[str, Any]) -> Callable[..., Any]:
    function: Callable[..., Any] = eval(f"lambda {', '.join(arguments)}: {code}", dict(names))
    return function
