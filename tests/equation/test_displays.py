r"""Display equations in notes: their lines, several in one display, macros, and what is no equation of the notes."""

import pytest

from whygrad.equation.displays import displays, expanded, macros


def found(text: str) -> list[tuple[int, str]]:
    return [equation for display in displays(text) for equation in display.equations]


def test_several_equations_in_one_display_have_their_own_lines() -> None:
    text = "text\n\\begin{align}\n  a &= b \\\\\n  c &= d \\\\\n    &= e\n\\end{align}\n"
    assert found(text) == [(3, "a &= b"), (4, "c &= d \\\\\n    &= e")]


@pytest.mark.parametrize(
    "body",
    [
        "a = b \\\\ + c",
        "a = \\begin{cases} 1 & z > 0 \\\\ 0 & z < 0 \\end{cases}",
        "a = b + \\\\ c",
        "a \\\\ = b",
        "\\begin{aligned} a &= b \\\\ c &= d \\end{aligned}",
    ],
)
def test_what_belongs_together_stays_together(body: str) -> None:
    assert len(found(f"$${body}$$")) == 1


@pytest.mark.parametrize(
    "text",
    [
        "% $$a = b$$\n",
        "\\begin{verbatim}\n$$a = b$$\n\\end{verbatim}",
        "```python\n$$a = b$$\n```",
        "<!-- $$a = b$$ -->",
        "inline $a = b$ only",
        "",
    ],
)
def test_what_is_quoted_or_commented_out_is_left_alone(text: str) -> None:
    assert found(text) == []


def test_a_fence_of_mathematics_is_a_display() -> None:
    assert found("text\n```math\na = b\n```\n") == [(3, "a = b")]


def test_what_is_said_to_whygrad() -> None:
    (display,) = displays("\n% whygrad: sizes = [1, 1]\n% whygrad: bias = true\n")
    assert display.line == 2
    assert display.said == "sizes = [1, 1]\nbias = true\n"


def test_macros_are_written_out() -> None:
    text = (
        "\\newcommand{\\pd}[2]{\\frac{\\partial #1}{\\partial #2}}\n\\def\\C{C^0}\n"
        "\\DeclareMathOperator{\\act}{tanh}\n\\newcommand\\dd\\partial"
    )
    known = macros(text)
    assert set(known) == {"pd", "C", "act"}
    assert expanded("\\pd{\\C}{a^0_3} = \\act(x)", known) == (
        "\\frac{\\partial C^0}{\\partial a^0_3} = \\operatorname{tanh}(x)"
    )
    assert expanded("\\pd C w", known) == "\\frac{\\partial C}{\\partial w}"


def test_a_macro_that_calls_itself_ends() -> None:
    assert len(expanded("\\a", macros("\\def\\a{\\a\\a\\a}"))) < 100_000
