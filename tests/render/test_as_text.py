"""Text: fits its width, without colour and without Unicode where asked."""

import re
from typing import Any

import pytest
from rich.cells import cell_len

import whygrad as wg
from whygrad.notation import NOTATIONS, Quantity
from whygrad.render.as_text import broken
from whygrad.render.checks import number, percent
from whygrad.render.terminal import trimmed


def derivation(notation: str) -> Any:
    net = wg.Network([2, 3, 3, 2], activation=["tanh", "relu", "softmax"], seed=1, l2=0.1, notation=notation)
    return net.run([[1.0, 2.0], [0.3, 0.4]], [[1.0, 0.0], [0.0, 1.0]]).explain(Quantity("w", 1, 0, 0))


@pytest.mark.parametrize("notation", NOTATIONS)
@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("unicode", [True, False])
def test_lines_fit(notation: str, width: int, unicode: bool) -> None:
    text = derivation(notation).to_text(width=width, unicode=unicode)
    widest = max(text.splitlines(), key=cell_len)
    assert cell_len(widest) <= width, widest
    assert unicode or text.isascii()
    assert "\x1b" not in text


def test_colour_is_extra() -> None:
    made = derivation("nielsen")
    plain, coloured = made.to_text(), made.to_text(color=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


def test_equations_break_before_operators() -> None:
    assert broken("a = b · c + d · e", 40) == ["a = b · c + d · e"]
    assert broken("a = b · c + d · e", 10) == ["a = b · c", "+ d · e"]
    assert broken("d total/da = w * d total/db", 15) == ["d total/da = w", "* d total/db"]


def test_numbers() -> None:
    assert [number(value) for value in (0.0, -0.0, 0.5, 1e-9, 1234567.0)] == [
        "0",
        "0",
        "0.5",
        "1e-09",
        "1.23457e+06",
    ]
    assert [percent(value) for value in (0.0, 0.25, -0.5, 1e-5)] == ["0%", "+25.0%", "-50.0%", "<0.1%"]
    assert trimmed("a  \nb \x1b[0m\n") == "a\nb\x1b[0m\n"
