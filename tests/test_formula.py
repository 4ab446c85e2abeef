"""The formula language: reading, printing in every style, and that all styles mean the same number."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from latex2mathml.converter import convert

from whygrad.errors import FormulaError, WhygradError
from whygrad.formula import (
    FUNCTIONS,
    STYLES,
    Apply,
    Number,
    Symbol,
    Tree,
    compiled,
    parse,
    show,
    substitute,
    symbols,
)

# Reading


def test_precedence_is_that_of_arithmetic() -> None:
    assert parse("1 - y^2") == Apply("sub", (Number(1), Apply("pow", (Symbol("y"), Number(2)))))
    assert parse("-x^2") == Apply("neg", (parse("x^2"),))
    assert parse("a - b - c") == Apply("sub", (parse("a - b"), Symbol("c")))
    assert parse("a/b*c") == Apply("mul", (parse("a/b"), Symbol("c")))
    assert parse("2**3") == parse("2^3")
    assert parse("where(x > 0, 1, slope)").head == "where"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "expected an expression such as '1 - y^2'"),
        ("1 +", "expected an expression such as '1 - y^2'"),
        ("x = 1", "expected an expression"),
        ("x\0", "expected an expression"),
        ("(" * 3000 + "x" + ")" * 3000, "expected an expression"),
        ("sine(x)", "'sine(x)' can't be read; expected numbers, names, + - * / ^, a comparison or one of"),
        ("x[0]", "'x[0]' can't be read"),
        ("x.T", "'x.T' can't be read"),
        ("'x'", "can't be read"),
        ("True", "'True' can't be read"),
        ("1j", "'1j' can't be read"),
        ("x if y else z", "can't be read"),
        ("lambda x: x", "can't be read"),
        ("x @ y", "can't be read"),
        ("x and y", "can't be read"),
        ("0 < x < 1", "can't be read"),
        ("exp(x=1)", "can't be read"),
        ("__import__('os')", "can't be read"),
        ("exp()", "exp takes 1 arguments, found 0"),
        ("max(x)", "max takes 2 arguments, found 1"),
        ("where(x, 1)", "where takes 3 arguments, found 2"),
    ],
)
def test_texts_that_are_no_formulas(text: str, part: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(text)
    assert part in str(caught.value)
    assert str(caught.value).startswith("formula ")
    assert isinstance(caught.value, WhygradError)


def test_symbols() -> None:
    assert symbols(parse("a*exp(b) + 2 - where(c > 0, d, 1)")) == {"a", "b", "c", "d"}
    assert symbols(parse("2 + 3")) == frozenset()


# Folding


@pytest.mark.parametrize(
    ("text", "names", "shown"),
    [
        ("p*x^(p - 1)", {"p": 2}, "2·x"),
        ("p*x^(p - 1)", {"p": 1}, "1"),
        ("p*x^(p - 1)", {"p": 3}, "3·x^2"),
        ("p*x^(p - 1)", {"p": 0.5}, "0.5·x^(0.5 - 1)"),
        ("p + x - p", {"p": 0}, "x"),
        ("x/p", {"p": 1}, "x"),
        ("-p", {"p": -3}, "3"),
        ("p*x", {"p": 0}, "0"),
        ("x^p", {"p": 0}, "1"),
        ("p*x", {"p": 0.1}, "0.1·x"),
    ],
)
def test_settings_are_filled_in(text: str, names: dict[str, float], shown: str) -> None:
    tree = substitute(parse(text), {name: Number(value) for name, value in names.items()})
    assert show(tree, "text") == shown


# Printing


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("y*(1 - y)", "y \\, (1 - y)"),
        ("1/b", "\\frac{1}{b}"),
        ("-a/b^2", "\\frac{-a}{b^{2}}"),
        ("(a/b)^2", "\\left(\\frac{a}{b}\\right)^{2}"),
        ("exp(x)^2", "(e^{x})^{2}"),
        ("log(x)^2", "(\\ln x)^{2}"),
        ("log(a)*t", "(\\ln a) \\, t"),
        ("-t*log(a)", "-t \\, \\ln a"),
        ("log(1 - a)", "\\ln (1 - a)"),
        ("a*(-b)", "a \\, (-b)"),
        ("a - (-b)", "a - (-b)"),
        ("a - (b - c)", "a - (b - c)"),
        ("a - (b + c)", "a - (b + c)"),
        ("x^(p - 1)", "x^{p - 1}"),
        ("(x^2)^3", "(x^{2})^{3}"),
        ("abs(x)", "|x|"),
        ("sqrt(x)", "\\sqrt{x}"),
        ("x >= 0", "x \\ge 0"),
    ],
)
def test_latex(text: str, latex: str) -> None:
    assert show(parse(text), "latex") == latex
    convert(latex)


def test_a_name_with_an_upper_index_is_bracketed_before_it_is_raised() -> None:
    names = {"y": "a^0_1", "x": "z_1"}
    assert show(parse("1 - y^2"), "latex", names) == "1 - (a^0_1)^{2}"
    assert show(parse("1 - y^2"), "text", names) == "1 - (a^0_1)^2"
    assert show(parse("1 - x^2"), "latex", names) == "1 - z_1^{2}"
    convert(show(parse("1 - y^2"), "latex", names))


def test_names_that_are_expressions_are_bracketed() -> None:
    names = {"x": "p - 1", "y": "-3.0"}
    assert show(parse("2*x"), "scalar", names) == "2*(p - 1)"
    assert show(parse("y^2"), "scalar", names) == "-3.0*-3.0"
    assert show(parse("y^3"), "scalar", names) == "(-3.0)**3"
    assert show(parse("a*y"), "text", names) == "a·(-3.0)"
    assert show(parse("x/a"), "numpy", names) == "(p - 1)/a"
    assert show(parse("phi(x)"), "torch", names).count("(p - 1)") == 1


def test_what_a_style_cant_write() -> None:
    for text in ("axis_sum(x)", "1 + axis_max(x)"):
        assert show(parse(text), "numpy")
        with pytest.raises(FormulaError, match=r"axis_\w+ can't be written in style 'scalar'"):
            show(parse(text), "scalar")


def test_every_function_is_written_in_every_style() -> None:
    for name, function in FUNCTIONS.items():
        places = [f"{{{place}}}" for place in range(function.arity)]
        for style in STYLES:
            template = getattr(function, style)
            if template or not name.startswith("axis_"):
                assert all(place in template for place in places), (name, style)
                assert "{3}" not in template
        convert(function.latex.format(*"abc"))


# All styles mean the same

LEAF: Any = st.one_of(
    st.integers(0, 4).map(Number),
    st.sampled_from([0.5, 1.25, 3.0]).map(Number),
    st.sampled_from("xyz").map(Symbol),
    st.integers(-3, -1).map(Number),
)
ONE = ["neg", "tanh", "sin", "cos", "arctan", "abs", "sign", "sigmoid", "softplus", "Phi", "phi"]
TWO = ["add", "sub", "mul", "max", "min"]


def _applied(inner: Any) -> Any:
    return st.one_of(
        st.builds(lambda h, a: Apply(h, (a,)), st.sampled_from(ONE), inner),
        st.builds(lambda h, a, b: Apply(h, (a, b)), st.sampled_from(TWO), inner, inner),
        st.builds(lambda a, n: Apply("pow", (a, Number(n))), inner, st.integers(0, 3)),
        st.builds(lambda a, n: Apply("div", (a, Number(n))), inner, st.sampled_from([2, 0.5, 3])),
        st.builds(
            lambda h, a, b, c: Apply("where", (Apply(h, (a, Number(0.3))), b, c)),
            st.sampled_from(["gt", "lt", "ge", "le"]),
            inner,
            inner,
            inner,
        ),
    )


TREES: Any = st.recursive(LEAF, _applied, max_leaves=8)

MEANING: dict[str, Any] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": lambda a, b: a**b,
    "neg": lambda a: -a,
    "gt": lambda a, b: a > b,
    "lt": lambda a, b: a < b,
    "ge": lambda a, b: a >= b,
    "le": lambda a, b: a <= b,
    "max": max,
    "min": min,
    "abs": abs,
    "where": lambda c, a, b: a if c else b,
    "sign": lambda a: (a > 0) - (a < 0),
    "sigmoid": lambda a: 1 / (1 + math.exp(-a)),
    "softplus": lambda a: math.log(1 + math.exp(-abs(a))) + max(a, 0),
    "Phi": lambda a: (1 + math.erf(a / math.sqrt(2))) / 2,
    "phi": lambda a: math.exp(-a * a / 2) / math.sqrt(2 * math.pi),
    "arctan": math.atan,
}


def meant(tree: Tree, known: dict[str, float]) -> float:
    """Returns a formula's value by walking its tree, without printing it."""
    if isinstance(tree, Number):
        return float(tree.value)
    if isinstance(tree, Symbol):
        return known[tree.name]
    arguments = [meant(argument, known) for argument in tree.arguments]
    return float(MEANING.get(tree.head, getattr(math, tree.head, None))(*arguments))


@settings(max_examples=400, deadline=None, derandomize=True)
@given(TREES, st.tuples(*[st.sampled_from([-1.5, -0.25, 0.75, 1.0, 2.0])] * 3))
def test_code_means_what_the_tree_means(tree: Tree, values: tuple[float, ...]) -> None:
    known = dict(zip("xyz", values, strict=True))
    try:
        wanted = meant(tree, known)
    except OverflowError:
        return
    if not abs(wanted) < 1e12:
        return
    got = compiled(tree, ("x", "y", "z"), "scalar")(*values)
    assert got == pytest.approx(wanted, rel=1e-9, abs=1e-9)
    arrays = compiled(tree, ("x", "y", "z"))(*(np.array([v, v]) for v in values))
    assert np.asarray(arrays, dtype=float) == pytest.approx(wanted, rel=1e-9, abs=1e-9)
    # reading the printed code again gives the same value: brackets stand where they must
    again = (
        parse(show(substitute(tree, {}), "text").replace("·", "*"))
        if "if " not in show(tree, "text")
        else tree
    )
    if "≥" not in show(tree, "text") and "≤" not in show(tree, "text"):
        assert meant(again, known) == pytest.approx(wanted, rel=1e-9, abs=1e-9)
    convert(show(tree, "latex", {"x": "z^{0}_{1}", "y": "a^0_1"}))


def test_helpers_far_out() -> None:
    for name, points in {
        "sigmoid": {-1000.0: 0.0, 1000.0: 1.0, 0.0: 0.5},
        "softplus": {-1000.0: 0.0, 1000.0: 1000.0},
        "Phi": {-50.0: 0.0, 50.0: 1.0, 0.0: 0.5},
        "phi": {-1e200: 0.0, 1e200: 0.0},
    }.items():
        for x, wanted in points.items():
            assert compiled(parse(f"{name}(x)"), ("x",), "scalar")(x) == wanted
            assert compiled(parse(f"{name}(x)"), ("x",))(np.array([x]))[0] == wanted
    assert compiled(parse("Phi(x)"), ("x",))(np.array([-10.0]))[0] == pytest.approx(
        7.619853024160527e-24, rel=1e-12
    )


def test_float32_is_kept() -> None:
    for name in ("sigmoid", "softplus", "Phi", "phi", "tanh", "exp"):
        assert compiled(parse(f"{name}(x)"), ("x",))(np.ones(2, np.float32)).dtype == np.float32
