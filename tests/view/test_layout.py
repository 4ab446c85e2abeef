"""The saved page where there is little room: on a phone, with long names, with many layers."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

import whygrad as wg

LONG = "weight_of_the_first_neuron_to_the_second_neuron_of_the_next_layer"
KERAS = {
    "dense_1/kernel:0": "w^0_{0,1}",
    "dense_1/output:0": "a^0_1",
    "dense_1/BiasAdd:0": "z^0_1",
    "batch_normalization_12/moving_mean:0": "a^1_1",
    "mean_squared_error_output_0": "C^0",
    "total_loss_of_everything": "total",
    "input_temperature": "a^0_0",
    '<img src=x onerror="a()">': "a^0_2",
    "ошибка": "C^1",
}
WIDTHS = (360, 414, 768, 1024, 1600, 2560)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home: Path = tmp_path_factory.mktemp("pages")
    names = {LONG: "w^0_{0,1}", r"\text{<b onclick=alert(1)>}": "a^0_1", "שלום_{עולם}": "a^1_1"}
    runs = {
        "question": wg.Network.default().run(),
        "named": wg.Network([2, 2, 2], "tanh", True, seed=1, names=names).run(),
        "keras": wg.Network([2, 3, 2], "tanh", True, seed=1, names=KERAS).run(),
        "many": wg.Network([2, 3, 12], "tanh", True, seed=1).run(),
        "deep": wg.Network([4] * 13, "tanh", seed=0).run(),
        "regular": wg.Network([2, 3, 2], "tanh", True, l2=0.1, seed=0).run(),
    }
    return {name: run.save_html(home / f"{name}.html").as_uri() for name, run in runs.items()}


def fits(page: Any) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def seen(page: Any, selector: str) -> bool:
    """Returns whether an element's right end is inside of the window."""
    box = page.locator(selector).first.bounding_box()
    return bool(box["x"] + box["width"] <= page.viewport_size["width"])


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["question", "named", "keras", "deep", "regular"])
def test_nothing_is_wider_than_the_window(
    opened: Callable[..., Any], pages: dict[str, str], name: str, width: int
) -> None:
    page = opened(pages[name], width=width)
    expect(page.locator("h1")).to_be_visible()
    fits(page)
    assert seen(page, ".paths tbody .contribution")


CUT = """() => [...document.getElementById("whygrad").shadowRoot.querySelectorAll(
    ".answer h1 math, .formula, .answer > p, .card, .card .symbol, .card .explicit, .route, .part, .segments")]
  .filter((each) => each.clientWidth && each.scrollWidth > each.clientWidth + 3)
  .map((each) => `${each.className}: ${each.scrollWidth} > ${each.clientWidth}: ${each.textContent}`)"""


@pytest.mark.parametrize("width", [360, 1600])
@pytest.mark.parametrize("chosen", ["w1.0.0", "a0.0", "w2.1.1"])
def test_names_of_programs_are_read_whole_and_without_scrolling(
    opened: Callable[..., Any], pages: dict[str, str], width: int, chosen: str
) -> None:
    page = opened(f"{pages['keras']}#{chosen}", width=width)
    expect(page.locator("h1")).to_be_visible()
    assert page.evaluate(CUT) == []
    names = {
        key: page.locator(f'.network [data-q="{key}"]').text_content()
        for key in ("a1.0", "a1.1", "C0", "total")
    }
    assert all(re.search(r"[a-z]", name) for name in names.values()), names
    page.locator('.network [data-q="a1.1"] .body').hover()
    expect(page.locator(".tooltip")).to_contain_text("batch_normalization_12/moving_mean:0")
    if chosen == "w1.0.0":
        assert "dense_1/kernel:0" in page.locator("h1").inner_text()
    if chosen == "a0.0":
        assert '<img src=x onerror="a()">' in page.locator(".right").inner_text().replace("\xa0", " ")


CROSSING = """() => {
  const root = document.getElementById("whygrad").shadowRoot;
  const texts = [...root.querySelectorAll("figure .network :is(.value, .outside, .others)")];
  const boxes = texts.filter((each) => each.textContent).map((each) => {
    const range = document.createRange();
    range.selectNodeContents(each);
    return [each.textContent, (each.closest(".outside") ?? range).getBoundingClientRect()];
  });
  const across = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const down = (a, b) => Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  const over = ([, a], [, b]) => across(a, b) > 3 && down(a, b) > 4;
  const pairs = boxes.flatMap((one, n) => boxes.slice(n + 1).map((other) => [one, other]));
  return pairs.filter(([one, other]) => over(one, other)).map(([[one], [other]]) => `${one} and ${other}`);
}"""


def test_what_stands_in_the_picture_stands_apart(opened: Callable[..., Any], pages: dict[str, str]) -> None:
    for name, width in (("many", 1600), ("keras", 1600), ("question", 360), ("regular", 768)):
        page = opened(pages[name], width=width)
        expect(page.locator("h1")).to_be_visible()
        assert page.evaluate(CROSSING) == [], name
        assert name not in ("keras", "regular") or page.locator('[data-q="total"] .value').text_content()


def test_a_small_picture_stays_while_one_reads_on_a_phone(
    opened: Callable[..., Any], pages: dict[str, str]
) -> None:
    page = opened(pages["question"], width=360, height=740)
    strip = page.locator(".pinned-strip")
    expect(strip).to_be_hidden()
    card = page.locator(".card").nth(1)
    card.evaluate("card => card.scrollIntoView({block: 'center'})")
    expect(strip).to_be_visible()
    expect(strip).to_contain_text("= 0.33349")
    assert strip.bounding_box()["y"] == 0
    assert strip.bounding_box()["height"] < 160
    card.focus()
    expect(strip.locator('.trace.hover[data-factor="1"]')).to_have_count(1)
    expect(strip.locator(".trace.hover")).to_have_count(1)
    strip.get_by_role("button", name="Hide the small picture").click()
    expect(strip.locator("svg")).to_be_hidden()
    strip.get_by_role("button", name="Show the small picture").press("Enter")
    expect(strip.locator("svg")).to_be_visible()
    page.evaluate("scrollTo(0, 0)")
    expect(strip).to_be_hidden()


def test_beside_the_text_the_picture_itself_stays(opened: Callable[..., Any], pages: dict[str, str]) -> None:
    page = opened(pages["question"], width=1600, height=900)
    page.evaluate("scrollTo(0, 900)")
    expect(page.locator("figure")).to_be_in_viewport(ratio=0.9)
    expect(page.locator(".pinned-strip")).to_be_hidden()


def test_names_are_shown_where_they_can_be_read(opened: Callable[..., Any], pages: dict[str, str]) -> None:
    page = opened(pages["named"], width=1600)
    for label in page.locator(".nodes .label").all():
        assert label.evaluate("label => label.firstChild.getBoundingClientRect().width") < 70
    assert "onclick" in page.locator('.network [data-q="a1.0"]').get_attribute("aria-label")
    assert page.locator("b").count() == 0


def test_a_weight_has_a_line_to_the_cost_of_its_size(
    opened: Callable[..., Any], pages: dict[str, str]
) -> None:
    page = opened(pages["regular"], width=1600)
    line = page.locator(".strand.hueR")
    expect(line).to_have_count(1)
    ends = line.evaluate("path => [0, path.getTotalLength()].map((at) => path.getPointAtLength(at).x)")
    box = page.locator('.network [data-q="R"] .body').evaluate("body => body.x.baseVal.value")
    assert ends[1] == pytest.approx(box, abs=1)
    assert ends[0] < ends[1]
    page.locator(".paths tbody tr", has_text="R").click()
    expect(page.locator(".chips .trace")).to_have_count(1)
    assert page.locator(".chips .trace").get_attribute("d") == line.get_attribute("d")
    page.locator('.segments [data-of="C0"]').click()
    expect(line).to_have_count(0)
    page.locator('.segments [data-of="R"]').click()
    expect(line).to_have_count(1)
    inside = "path => path.getBBox().y + path.getBBox().height + path.getAttribute('stroke-width') / 2"
    assert line.evaluate(inside) <= line.evaluate("path => path.ownerSVGElement.height.baseVal.value")


@pytest.mark.parametrize("width", [1280, 1600])
def test_the_answer_is_in_the_first_window(
    opened: Callable[..., Any], pages: dict[str, str], width: int
) -> None:
    """Nobody has to scroll for the picture, the formula with its value, the words, the paths and their sum."""
    page = opened(pages["question"], width=width, height=900)
    for part in (".network", "h1", ".lead", ".answer p", ".paths tfoot tr:last-child", ".card"):
        expect(page.locator(part).locator("visible=true").last).to_be_in_viewport(ratio=0.99)


@pytest.mark.parametrize("width", [360, 1600])
@pytest.mark.parametrize("name", ["question", "deep", "regular"])
def test_formulas_stand_on_several_lines_where_one_is_too_short(
    opened: Callable[..., Any], pages: dict[str, str], name: str, width: int
) -> None:
    page = opened(pages[name], width=width)
    cut = page.locator(".formula").evaluate_all(
        "all => all.filter((each) => each.scrollWidth > each.clientWidth + 1).map((each) => each.textContent)"
    )
    assert cut == []


@pytest.mark.parametrize("width", [360, 1280])
def test_no_notation_is_too_wide(opened: Callable[..., Any], pages: dict[str, str], width: int) -> None:
    page = opened(pages["regular"], width=width)
    chooser = page.get_by_label("notation")
    for name in chooser.locator("option").all_inner_texts():
        chooser.select_option(name)
        expect(page).to_have_url(re.compile(f"notation={name}|^[^;]*$"))
        fits(page)


def test_what_is_chosen_is_not_covered_by_what_was_said_of_it(
    opened: Callable[..., Any], pages: dict[str, str]
) -> None:
    page = opened(pages["question"], width=1600)
    neuron = page.locator('.network [data-q="a2.1"] .body').locator("visible=true")
    neuron.hover()
    expect(page.locator(".tooltip")).to_be_visible()
    neuron.click()
    expect(page).to_have_url(re.compile("#a2.1"))
    expect(page.locator(".tooltip")).to_be_hidden()
    page.mouse.move(5, 5)
    neuron.hover()
    expect(page.locator(".tooltip")).to_be_visible()
