"""HTML: valid, self-contained, and safe from names that people make up."""

import re
from html import escape
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

import whygrad as wg
from whygrad.notation import NOTATIONS, Quantity

VOID = {"meta", "br", "link", "img", "mspace"}


class Checked(HTMLParser):
    """Collects tags, and fails where they aren't nested."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, Any]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def checked(page: str) -> Checked:
    parser = Checked()
    parser.feed(page)
    assert parser.open == []
    return parser


def derivation(notation: str = "neuron-over-layer", **more: Any) -> Any:
    net = wg.Network(
        [2, 3, 2], activation=["relu", "softmax"], bias=True, l2=0.1, seed=1, notation=notation, **more
    )
    x = np.array([[1.0, 2.0], [0.5, -1.0]])
    return net.run(x, np.eye(2)).explain(Quantity("w", 1, 0, 0))


@pytest.mark.parametrize("notation", NOTATIONS)
def test_pages_are_nested_and_load_nothing(notation: str) -> None:
    page = derivation(notation).to_document("html")
    parser = checked(page)
    loads = [
        value for _, attributes in parser.tags for name, value in attributes.items()
        if name in ("src", "href", "action", "data") or name.startswith("on")
    ]  # fmt: skip
    assert loads == []
    assert "@import" not in page
    style = re.sub("<math.*?</math>", "", page, flags=re.DOTALL)
    assert style.count("{") == style.count("}") > 10
    assert "{{" not in page
    assert "url(" not in page
    assert {"script", "iframe", "link", "img", "object"}.isdisjoint(tag for tag, _ in parser.tags)
    assert sum(tag == "math" for tag, _ in parser.tags) > 20
    assert not any("\\" in text for text in parser.text)


@pytest.mark.parametrize(
    "name", ["<img src=x onerror=alert(1)>", "</script><script>alert(1)</script>", "a&b", '"x"']
)
def test_names_can_not_break_out(name: str) -> None:
    try:
        made = derivation(names={name: "a^0_1"})
    except wg.WhygradError:
        return  # refused as a name
    for page in (made.to_html(), made.to_document("html"), made._repr_html_()):
        parser = checked(page)
        assert {"script", "img"}.isdisjoint(tag for tag, _ in parser.tags)


def test_notebooks_show_the_whole_derivation() -> None:
    made = derivation()
    parser = checked(made._repr_html_())
    headings = [tag for tag, _ in parser.tags if tag == "h3"]
    assert len(headings) >= 4
    text = " ".join(parser.text)
    for words in ("Each cost by itself", "Step by step", "strongest first", "Three ways to the same number"):
        assert words in text
    assert made._repr_latex_().startswith("$\\displaystyle \\frac{")
    assert f"{made.value:.6g}" in made._repr_latex_()
    assert repr(made).startswith("∂ΣC/∂w⁰₀,₁ = ")


def test_no_path_is_a_page_too() -> None:
    page = wg.Network.default().run().explain("w^0_{0,3}", of=1).to_document("html")
    text = " ".join(checked(page).text)
    assert "No path leads" in text
    assert "Step by step" not in text


@pytest.mark.parametrize(
    "name", [r"\text{<img src=x onerror=alert(1)>}", "from_one_to_two", "a^b^c", "%", r"\left("]
)
def test_own_names_are_text_even_where_they_are_no_latex(name: str) -> None:
    run = wg.Network([2, 2, 1], seed=1, names={name: "w^0_{0,1}"}).run()
    for made in (run.explain("w^0_{0,1}").to_html(), run._repr_html_()):
        assert "<img" not in made
        shown = name.removeprefix(r"\text{").removesuffix("}")
        text = re.sub("</?m[a-z]+[^>]*>", "", made).replace("\xa0", " ")
        assert escape(shown, quote=False) in text
