"""Sentences cut into words and formulas."""

import pytest

from whygrad.render.prose import cut


@pytest.mark.parametrize(
    ("sentence", "formulas"),
    [
        ("C^0 has the wrong cost's index: it should be C^1", ["C^0", "C^1"]),
        (r"\frac{\partial C^0}{\partial a^1_2} is missing.", [r"\frac{\partial C^0}{\partial a^1_2}"]),
        ("the cost were halved (half_squared_error)", []),
        ("it's a^0_3 - y^0, and not z", ["a^0_3 - y^0"]),
        (r"\sigma'(z^0_3) stands there twice", [r"\sigma'(z^0_3)"]),
        ("the two sides are not equal", []),
    ],
)
def test_formulas_are_found(sentence: str, formulas: list[str]) -> None:
    parts = list(cut(sentence))
    assert [text for formula, text in parts if formula] == formulas
    assert "".join(text for _, text in parts) == sentence
