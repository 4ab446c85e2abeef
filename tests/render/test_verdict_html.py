"""Verdicts as HTML: well formed, typeset, the wrong part marked, nothing loaded from anywhere."""

import xml.etree.ElementTree as ET

import pytest

import whygrad as wg
from whygrad.equation import check

FIFTH = r"\frac{\partial C^1}{\partial a^0_2}=\frac{\partial a^1_3}{\partial a^0_2}\frac{\partial C^0}{\partial a^1_3}"
EQUATIONS = [
    FIFTH,
    FIFTH.replace("\\", ""),
    "∂C⁰/∂a⁰₂ = w⁰₀,₃ · (a⁰₃ − y⁰)",
    "dC^0/da^0_3 = a^0_3 - y^0",
    r"\begin{aligned} a^0_3 &= \frac{1}{2} \\ &= 2 \end{aligned}",
    "dC^0/da^0_1 = dC^0/da^0_3 da^0_3/da^0_1",
    "0 = dC^1/dw^0_{0,3}",
]


@pytest.mark.parametrize("equation", EQUATIONS)
def test_it_is_well_formed_and_loads_nothing(equation: str) -> None:
    page = check(wg.Network.default(), equation).to_html()
    start, end = page.index("<style>"), page.index("</style>") + len("</style>")
    ET.fromstring(page[:start] + page[end:])
    assert "<script" not in page
    assert "href=" not in page
    assert "url(" not in page


@pytest.mark.parametrize("equation", [FIFTH, FIFTH.replace("\\", "")])
def test_latex_is_typeset_with_its_wrong_part_marked(equation: str) -> None:
    page = check(wg.Network.default(), equation).to_html()
    tree = ET.fromstring(page[: page.index("<style>")] + page[page.index("</style>") + len("</style>") :])
    marked = [node for node in tree.iter() if node.get("class") == "bad"]
    assert ["".join(node.itertext()) for node in marked] == ["C0"]


def test_typed_text_is_marked_as_it_stands() -> None:
    assert "<mark>a^0_3 - y^0</mark>" in check(wg.Network.default(), "dC^0/da^0_3 = a^0_3 - y^0").to_html()
