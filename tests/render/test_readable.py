"""LaTeX as Unicode on one line, and back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whygrad.render.readable import is_latex, readable, restored, shown


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"\frac{\partial C^0}{\partial a^0_1}=w^0_{0,3}", "∂C⁰/∂a⁰₁ = w⁰₀,₃"),
        (r"\frac{\partial a}{\partial b}\frac{\partial b}{\partial c}", "∂a/∂b · ∂b/∂c"),
        (r"-\frac{1}{2}(y-a)^2", "-1/2 · (y - a)²"),
        (r"\frac{a-y}{a(1-a)}", "(a - y)/(a(1 - a))"),
        (r"\sum_{j=0}^{2} w_j", "Σ[j=0..2] wⱼ"),
        (r"\sum_k \delta_k", "Σₖ δₖ"),
        (r"W^{[2]T} dZ * g^{[1]\prime}(Z)", "W^[2]T dZ * g^[1]′(Z)"),
        (r"\left( a \cdot b \right)", "(a · b)"),
        (r"\underbrace{a(1-a)}_{\sigma'} x", "a(1 - a) x"),
        (r"\mathbf{w}^T \hat{y}", "wᵀ ŷ"),
        (r"\|y-a\|^2", "‖y - a‖²"),
        (r"\begin{aligned} a &= b \\ &= c \end{aligned}", "a = b\n= c"),
        ("frac{partialsum C}{partial w}", "∂ΣC/∂w"),
    ],
)
def test_formulas(latex: str, text: str) -> None:
    lines = [line.strip() for line in shown(latex).splitlines()]
    assert lines == text.splitlines()


def test_what_is_no_latex_stays() -> None:
    assert shown("dC^0/da^0_3 = 2*(a^0_3 - y^0)") == "dC^0/da^0_3 = 2*(a^0_3 - y^0)"
    assert not is_latex("dC^0/da")
    assert is_latex("frac{partial C}{partial w}")


def test_every_sign_knows_where_it_comes_from() -> None:
    latex = r"\frac{\partial C^0}{\partial a^0_1} = \sigma'(z)"
    places = {piece.text.strip(): latex[piece.start : piece.end] for piece in readable(latex)}
    assert places["C"] == "C"
    assert places["⁰"] in ("^0", "^0_1")
    assert places["σ"].startswith("\\sigma")


@pytest.mark.parametrize(
    ("typed", "latex"),
    [
        ("frac{partial C^0}{partial a}", r"\frac{\partial C^0}{\partial a}"),
        ("∂C⁰/∂a⁰₃", r"\partial C^{0}/\partial a^{0}_{3}"),
        ("w⁰₀,₃ · δ₁", r"w^{0}_{0,3} \cdot  \delta _{1}"),
        (r"\frac{a}{b}", r"\frac{a}{b}"),
    ],
)
def test_backslashes_come_back(typed: str, latex: str) -> None:
    assert restored(typed) == latex


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(
    st.lists(
        st.sampled_from(
            [*"abz01{}^_=+-()[]&' \n$\\", "\\frac", "\\partial ", "\\sum_", "\\\\", "\\left", "\\hat"]
        ),
        max_size=25,
    )
)
def test_any_text_is_shown(pieces: list[str]) -> None:
    text = "".join(pieces)
    for start, end in ((piece.start, piece.end) for piece in readable(text, always=True)):
        assert 0 <= start <= end <= len(text)
