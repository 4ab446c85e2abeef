"""Verdicts in a terminal: words first, formulas in Unicode, wrong parts underlined whole, every width."""

import pytest

import whygrad as wg
from whygrad.equation import Verdict, check
from whygrad.render.verdict_text import lines, one_line, plain_text

LAST = "frac{partial C^0}{partial a^0_1}=frac{partial a^0_2}{partial a^0_1}frac{partial C^0}{partial a^0_2}"
FIFTH = r"\frac{\partial C^1}{\partial a^0_2}=\frac{\partial a^1_3}{\partial a^0_2}\frac{\partial C^0}{\partial a^1_3}"


def verdict(equation: str) -> Verdict:
    return check(wg.Network.default(), equation)


def test_missing_paths_are_listed_in_the_order_of_the_network() -> None:
    assert plain_text(verdict(LAST)).splitlines()[:12] == [
        "It does not hold.",
        "2 of 3 paths are missing.",
        "",
        "  ∂C⁰/∂a⁰₁ = ∂a⁰₂/∂a⁰₁ · ∂C⁰/∂a⁰₂ + …",
        "                                  ^^^",
        "",
        "Missing:",
        "  + ∂a¹₂/∂a⁰₁ · ∂C⁰/∂a¹₂",
        "  + ∂a²₂/∂a⁰₁ · ∂C⁰/∂a²₂",
        "",
        "Right would be:",
        "  ∂C⁰/∂a⁰₁ = ∂a⁰₂/∂a⁰₁ · ∂C⁰/∂a⁰₂ + ∂a¹₂/∂a⁰₁ · ∂C⁰/∂a¹₂ + ∂a²₂/∂a⁰₁ · ∂C⁰/∂a²₂",
    ]


def test_the_whole_wrong_part_is_underlined() -> None:
    shown = plain_text(verdict(FIFTH)).splitlines()
    assert shown[1] == "C⁰ has the wrong cost's index: it should be C¹."
    equation, carets = shown[3:5]
    marked = "".join(sign for sign, mark in zip(equation, carets, strict=False) if mark == "^")
    assert marked == "C⁰"
    whole = plain_text(verdict("dC^0/da^0_3 = a^0_3 - y^0")).splitlines()
    assert whole[4].strip() == "^" * len("a^0_3 - y^0")


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize(
    "equation", [LAST, FIFTH, "dC^0/da^0_1 = dC^0/da^0_3 da^0_3/da^0_1", "0 = dC^1/dw^0_{0,3}"]
)
def test_lines_fit(width: int, equation: str) -> None:
    text = plain_text(verdict(equation), width)
    assert max(map(len, text.splitlines())) <= width
    assert not any(line.endswith(" ") for line in text.splitlines())


def test_a_terminal_without_unicode_gets_none() -> None:
    assert "".join(line.plain for line in lines(verdict(LAST), 80, unicode=False)).isascii()


def test_what_was_typed_without_latex_stays_as_it_was_typed() -> None:
    text = plain_text(verdict("dC^0/da^0_1 = da^0_2/da^0_1 dC^0/da^0_2"))
    assert "  + da^1_2/da^0_1 * dC^0/da^1_2" in text.splitlines()


def test_readings_say_what_hangs_on_what() -> None:
    text = plain_text(verdict("dC^0/da^0_1 = dC^0/da^0_3 da^0_3/da^0_1"))
    assert text.startswith("It depends on the reading.")
    assert "It does not hold where it is the direct edge" in text


def test_one_line() -> None:
    found = verdict(FIFTH)
    says = one_line(found.holds, found.equalities)
    assert says == "does not hold: C⁰ has the wrong cost's index: it should be C¹"
    assert one_line(True, ()) == "holds"
    assert one_line(None, ()) == "depends on the reading"
