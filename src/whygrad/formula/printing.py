"""Formulas as text: NumPy, scalar Python and PyTorch code, LaTeX, plain text."""

from collections.abc import Mapping

from whygrad.errors import FormulaError
from whygrad.formula.functions import CALL, FUNCTIONS, SIGN, SUM
from whygrad.formula.tree import Apply, Number, Symbol, Tree

# LaTeX writes their argument after the name, without brackets of its own.
BARE = ("log", "log2", "log10", "axis_max", "axis_sum", "axis_prod")


def show(tree: Tree, style: str, names: Mapping[str, str] | None = None) -> str:
    """Returns the formula as text in one of :data:`STYLES`, with the symbols spelled as ``names`` says.

    ``numpy`` and ``torch`` work on whole arrays, ``scalar`` on Python numbers.

    Example:
        >>> from whygrad.formula import parse
        >>> show(parse("y*(1 - y)"), "numpy", {"y": "a1"})
        'a1*(1 - a1)'
        >>> show(parse("y*(1 - y)"), "latex", {"y": "a^0_1"})
        'a^0_1 \\\\, (1 - a^0_1)'
    """
    return _show(tree, style, names or {})[0]


def _show(tree: Tree, style: str, names: Mapping[str, str]) -> tuple[str, int]:
    match tree:
        case Number(value):
            text = repr(value) if style != "latex" else f"{value:.6g}".replace("inf", "\\infty")
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
        bare_argument = style == "latex" and head in BARE
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
        return raised or (style == "latex" and called in ("exp", "exp2", "log", "log2", "log10"))
    return style == "latex" and head == "mul" and place == 0 and called in ("log", "log2", "log10")


def _strength(text: str) -> int:
    """Returns how tightly a spelled-out name binds: a name such as ``a1[:, None]`` tight, ``-3.0`` or ``p - 1`` not."""
    if text.startswith("-"):
        return SIGN
    return SUM if " + " in text or " - " in text else CALL
