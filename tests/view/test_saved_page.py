"""The saved page in a real browser, from disk, without a network: every interaction, by mouse and by keyboard."""

import re

import pytest
from playwright.sync_api import expect

import whygrad as wg

SIZES = {"phone": {"width": 360, "height": 800}, "desk": {"width": 1600, "height": 1000}}
EVIL = '<img src=x onerror="window.hacked=1">'


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The pages that the tests open: name -> address."""
    home = tmp_path_factory.mktemp("pages")
    examples = wg.Network([2, 3, 2], "tanh", seed=1, names={EVIL: "w^0_{0,1}"})
    runs = {
        "question": wg.Network.default().run(),
        "examples": examples.run([[0.1, 0.2], [0.3, -0.4]], [[1, 0], [0, 1]]),
        "wide": wg.Network([30, 20, 3], ["relu", "softmax"], True, "cross_entropy", seed=0).run(),
    }
    return {name: run.save_html(home / f"{name}.html").as_uri() for name, run in runs.items()}


class Opened:
    def __init__(self, page):
        self.page = page
        page.wait_for_selector(".answer h1")

    def text(self, selector):
        return self.page.locator(selector).first.inner_text()


@pytest.fixture
def opened(opened, pages):
    def open_(name="question", part="", size="desk", scheme="light"):
        return Opened(opened(pages[name] + part, **SIZES[size], scheme=scheme, alone=True))

    return open_


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_untouched_page_shows_the_answer(opened, size, scheme):
    at = opened(size=size, scheme=scheme)
    assert "= 0.33349" in at.text(".answer h1")
    assert "along 6 paths" in at.page.locator(".answer p").all_inner_texts()[1]
    assert at.page.locator(".paths tbody tr").count() == 6
    assert "0.33349" in at.text(".paths tfoot .sum")
    rows = at.page.locator(".paths tfoot tr").all_inner_texts()
    for row, name in zip(rows, ("sum of all paths", "backward pass", "finite difference"), strict=False):
        assert row.startswith(name)
    assert at.page.locator(".strand").count() > 6
    assert at.page.locator(".strand.negative").count() >= 2
    expect(at.page.locator(".steps li")).to_have_count(4)  # made when there is time
    assert at.page.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]
    paper = at.page.evaluate(
        "getComputedStyle(document.querySelector('#whygrad').shadowRoot.querySelector('.page')).backgroundColor"
    )
    assert paper == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(18, 21, 28)")


@pytest.mark.parametrize("size", SIZES)
def test_any_weight_is_one_click_away(opened, size):
    at = opened(size=size)
    run = wg.Network.default().run()
    for key, name in (("w3.1.2", "w^2_{1,3}"), ("a1.2", "a^2_1"), ("w2.0.1", "w^1_{0,2}")):
        at.page.locator(f'.network [data-q="{key}"]').dispatch_event("click")
        assert f"= {run.gradient(name):.6g}".replace("-", "−") in at.text(".answer h1")
    at.page.locator('.network [data-q="w1.2.1"] .hit').dispatch_event("click")
    assert at.page.url.endswith("#w1.2.1")


def test_a_cost_alone_and_the_way_back(opened):
    at = opened()
    at.page.locator('.segments [data-of="C1"]').click()
    assert "= 0.052" in at.text(".answer h1")
    assert at.page.url.endswith("#w1.0.0;of=C1")
    assert at.page.locator(".strand.hue0").count() == 0
    at.page.locator(".steps a.why").first.click()
    assert at.page.url.endswith("#a1.0;of=C1")
    at.page.locator(".back").click()
    at.page.wait_for_url("**#w1.0.0;of=C1")
    assert "= 0.052" in at.text(".answer h1")
    at.page.go_back()
    expect(at.page).to_have_url(re.compile(r"^(?!.*of=C1)"))
    assert "= 0.33349" in at.text(".answer h1")


def test_every_derivative_in_the_steps_leads_somewhere(opened):
    at = opened("examples", "#w1.0.0;example=0")
    links = at.page.locator(".steps a.why")
    for n in range(links.count()):
        links.nth(n).click()
        assert at.page.locator(".answer h1").count() == 1
        assert at.page.locator(".answer code").count() == 0, "no derivation behind a link"
        at.page.locator(".back").click()
        expect(at.page).to_have_url(re.compile("#w1.0.0"))


def test_the_keyboard_alone_reaches_everything(opened):
    at = opened()
    pressed = at.page.keyboard.press
    at.page.locator('.network [tabindex="0"]').focus()
    heading = at.text(".answer h1")
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft", "End", "Home"):
        pressed(key)
        assert at.page.evaluate("document.activeElement.shadowRoot.activeElement.dataset.q") in at.page.url
    assert at.text(".answer h1") != heading
    names = set()
    at.page.locator(".top select").focus()
    for _ in range(60):
        pressed("Tab")
        names.add(
            at.page.evaluate("""() => {
          const at = document.activeElement?.shadowRoot?.activeElement;
          return at && (at.getAttribute("aria-label") || at.closest("label")?.innerText || at.innerText);
        }""")
        )
    for part in ("the total", "Play the passes", "Copy LaTeX", "Table of paths"):
        assert any(name and part in name for name in names), part


FOCUSED = "document.activeElement?.shadowRoot?.activeElement"


def test_the_first_stop_skips_to_the_explanation(opened):
    at = opened()
    at.page.keyboard.press("Tab")
    expect(at.page.get_by_role("button", name="Skip to the explanation")).to_be_in_viewport(ratio=1)
    at.page.keyboard.press("Enter")
    assert at.page.evaluate(f"{FOCUSED}.tagName") == "H1"
    # The picture, the tables of weights and formulas that fit are no long row of stops.
    at.page.keyboard.press("Shift+Tab")
    assert at.page.evaluate(f"{FOCUSED}.dataset.q") == "w1.0.0"
    at.page.keyboard.press("ArrowRight")
    at.page.keyboard.press("ArrowDown")
    assert at.page.evaluate(f"{FOCUSED}.dataset.q") == "w1.1.1"
    at.page.keyboard.press("Enter")
    expect(at.page).to_have_url(re.compile("#w1.1.1"))
    assert at.page.locator(".formula[tabindex]").count() == 0
    assert at.page.locator(".weights [tabindex='0']").count() == 1


def test_the_picture_tells_the_answer_to_who_does_not_see_it(opened):
    at = opened()
    said = at.page.locator("#alternative").inner_text()
    for part in ("= 0.33349", "C^0 0.28149, C^1 0.052", "carries 0.575775"):
        assert part in said
    at.page.locator(".paths tbody tr").nth(1).click()
    expect(at.page.locator("#alternative")).to_contain_text("carries −0.447825")


def test_the_formula_on_top_begins_with_the_derivative_and_ends_with_its_value(opened):
    at = opened()
    for part, value in (
        ("#w1.0.0", "0.33349"),
        ("#a1.1", "−0.38554"),
        ("#C0", "1"),
        ("#a3.0;of=C0", "−2.559"),
    ):
        at.page.goto(re.sub("#.*", "", at.page.url) + part)
        expect(at.page.locator(".answer h1")).to_contain_text(f"= {value}")
        lead = at.text(".lead").replace("\n", "").replace(" ", "")
        assert lead.startswith("∂")
        assert lead.endswith(f"={value}")


def test_what_a_reader_folds_stays_folded(opened):
    at = opened()
    at.page.locator("summary", has_text="by the neuron").click()
    at.page.locator("summary", has_text="whole layers").click()
    at.page.locator('.network [data-q="w1.1.0"] .hit').click(force=True)
    expect(at.page.locator("details", has_text="by the neuron")).not_to_have_attribute("open", "")
    expect(at.page.locator("details", has_text="whole layers")).to_have_attribute("open", "")


def test_nothing_below_jumps_up_while_the_passes_are_played(opened):
    at = opened()
    high = 0
    for _ in range(11):
        at.page.get_by_role("button", name="Next step").click()
        now = at.page.locator(".player").bounding_box()["height"]
        assert now >= high
        high = now


def test_pointing_shows_name_value_and_each_costs_derivative(opened):
    at = opened()
    at.page.locator('.network [data-q="a2.1"] .body').hover()
    tip = at.text(".tooltip")
    for number in ("−0.215", "−2.4631", "−2.3031", "−0.16"):
        assert number in tip
    at.page.locator('.network [data-q="a2.1"] .body').dispatch_event("pointerleave")
    at.page.mouse.move(5, 5)
    at.page.locator('.network [data-q="w2.1.0"]').focus()
    assert "−0.5" in at.text(".tooltip")


def test_a_factor_and_its_edge_light_each_other(opened):
    at = opened()
    at.page.locator(".card").nth(1).hover()
    assert at.page.locator('.chips [data-factor="1"].hover').count() == 2
    assert at.page.locator(".chips .hover:not([data-factor='1'])").count() == 0
    at.page.mouse.move(5, 5)
    assert at.page.locator(".card.hover").count() == 0
    at.page.locator('.network [data-q="w2.1.0"]').dispatch_event("pointerover")
    assert at.page.locator(".card").nth(1).get_attribute("class").split()[-1] == "hover"


def test_the_table_sorts_filters_and_shows_any_path(opened):
    at = opened()

    def numbers():
        texts = at.page.locator(".paths tbody .contribution").all_inner_texts()
        return [float(text.replace("−", "-")) for text in texts]

    assert [abs(n) for n in numbers()] == sorted((abs(n) for n in numbers()), reverse=True)
    at.page.locator(".sort", has_text="contribution").click()
    assert numbers() == sorted(numbers(), reverse=True)
    at.page.locator(".paths select").select_option("a2.2")
    assert at.page.locator(".paths tbody .contribution").count() == 2
    at.page.locator(".paths select").select_option("")
    at.page.locator(".paths tbody tr").last.click()
    assert "−0.447825" in at.text(".cards .product")
    at.page.locator(".paths .pick").nth(3).focus()
    at.page.keyboard.press("Enter")
    assert "0.04" in at.text(".cards .product")


def test_play_goes_through_the_passes(opened):
    at = opened()
    at.page.locator("[aria-label='Next step']").click()
    assert "1 of 12: The input" in at.text(".step-title")
    for _ in range(7):
        at.page.locator("[aria-label='Next step']").click()
    assert "8 of 12" in at.text(".step-title")
    lit = at.page.locator(".network .lit").evaluate_all("all => all.map((one) => one.dataset.q)")
    assert sorted(lit) == sorted(f"w3.{i}.{j}" for i in range(2) for j in range(3))
    assert at.page.locator(".caption math").count() >= 2
    at.page.locator("[aria-label='Previous step']").click()
    assert "7 of 12" in at.text(".step-title")
    at.page.locator("[aria-label='Play the passes']").click()
    expect(at.page.locator(".step-title")).to_contain_text("8 of 12")
    at.page.locator("[aria-label='Pause']").click()
    at.page.locator("[aria-label='Stop playing']").click()
    assert at.page.locator(".network .lit").count() == 0


def test_the_same_page_in_another_notation(opened):
    at = opened()
    at.page.locator(".top select").select_option("pytorch")
    assert "net[0].weight" in at.text(".answer h1")
    at.page.locator(".top select").select_option("nielsen")
    assert at.page.url.endswith(";notation=nielsen")
    assert "= 0.33349" in at.text(".answer h1")


def test_lines_can_show_another_semiring(opened):
    at = opened()
    for name in ("gradient", "total", "strongest", "extremes", "count", "live", "reach", "entropy"):
        at.page.locator(".controls select").select_option(name)
        assert at.page.locator(".strand").count() > 0 or name == "entropy"
        assert f"show={name}" in at.page.url


def test_the_address_is_a_prepared_page(opened):
    at = opened("question", "#w2.1.2;of=C0;notation=ng;show=strongest;theme=dark;step=5")
    assert at.page.locator('.segments [aria-pressed="true"]').get_attribute("data-of") == "C0"
    assert at.page.locator(".top select").input_value() == "ng"
    assert "6 of 12" in at.text(".step-title")
    assert at.page.locator('.network [data-q="w2.1.2"].chosen').count() == 1
    evil = "#<img src=x>;of=__proto__;notation=constructor;example=9;step=999;sort=toString;through=x"
    other = opened("question", evil)
    assert "= 0.33349" in other.text(".answer h1")


def test_the_table_is_sent_as_it_is_sorted_and_filtered(opened):
    at = opened()
    at.page.locator(".sort", has_text="contribution").click()
    at.page.locator(".paths select").select_option("a2.1")
    assert at.page.url.endswith("#w1.0.0;sort=signed;through=a2.1")
    rows = at.page.locator(".paths tbody .contribution").all_inner_texts()
    assert rows == ["0.575775", "0.04"]
    sent = opened("question", "#" + at.page.url.partition("#")[2])
    assert sent.page.locator(".paths tbody .contribution").all_inner_texts() == rows
    assert sent.page.locator(".paths select").input_value() == "a2.1"
    assert sent.page.locator(".paths [aria-sort]").inner_text().startswith("contribution")
    # Another weight keeps both; what no path of it passes filters nothing.
    sent.page.locator('.network [data-q="w2.0.0"] .hit').click(force=True)
    assert sent.page.url.endswith("#w2.0.0;sort=signed;through=a2.1")
    assert sent.page.locator(".paths tbody .contribution").count() == 2


@pytest.mark.parametrize("theme", ["", ";theme=dark"])
def test_print_is_light_and_whole(opened, theme):
    at = opened("question", "#w1.0.0" + theme)
    at.page.emulate_media(media="print", color_scheme="dark")
    printed = at.page.evaluate("""() => {
      document.body.style.width = "690px"; // paper is narrower than the window was when the picture was made
      const root = document.getElementById("whygrad").shadowRoot;
      const style = (selector) => getComputedStyle(root.querySelector(selector));
      const box = (selector) => root.querySelector(selector).getBoundingClientRect();
      return {
        cut: box(".network").right - root.querySelector(".page").getBoundingClientRect().right,
        seen: box('[data-q="total"]').right <= 690,
        paper: style(".page").backgroundColor,
        repeated: [style("thead").display, style("tfoot").display],
        controls: style(".controls").display,
        neurons: style(".groups").display,
      };
    }""")
    assert printed["cut"] <= 1
    assert printed["seen"]
    assert printed["paper"] == "rgb(255, 255, 255)"
    assert printed["repeated"] == ["table-row-group"] * 2
    assert (printed["controls"], printed["neurons"]) == ("none", "flex")
    at.page.emulate_media(media="screen", color_scheme="light")


def test_examples_are_chosen_and_names_are_text(opened):
    at = opened("examples")
    assert at.page.locator("img").count() == 0
    assert at.page.evaluate("window.hacked") is None
    assert "<img" in at.page.locator('.network [data-q="w1.0.0"]').get_attribute("aria-label")
    before = at.text(".answer h1")
    assert "choose one under “example” above" in at.text(".step-title")
    at.page.locator(".controls label", has_text="example").locator("select").select_option("1")
    assert at.text(".answer h1") != before
    assert at.page.locator("[aria-label='Next step']").is_enabled()


def test_a_wide_network_says_what_it_leaves_out(opened):
    at = opened("wide")
    assert at.page.locator(".network .others").all_text_contents() == ["+ 23 others", "+ 13 others"]
    at.page.locator('.network [role="button"]').nth(3).dispatch_event("click")
    assert at.page.locator(".paths tfoot .sum").count() == 1


def test_latex_is_copied(opened):
    at = opened()
    at.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    at.page.locator(".steps .copy").first.click()
    expect(at.page.locator(".steps .copy").first).to_have_text("copied")
    assert at.page.evaluate("navigator.clipboard.readText()").startswith(
        r"\frac{\partial \sum C}{\partial w^0_{0,1}} = a^0_0"
    )


def test_the_theme_can_be_turned(opened):
    at = opened(scheme="light")
    at.page.locator(".theme").click()
    assert at.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 21, 28)"
    assert "theme=dark" in at.page.url


def test_every_weight_is_in_a_table_too(opened):
    at = opened(size="phone")
    at.page.locator(".every summary").click()
    at.page.locator('.weights [data-q="w3.1.0"]').click()
    assert "#w3.1.0" in at.page.url
    assert at.page.locator('.weights [data-q="w3.1.0"]').get_attribute("aria-pressed") == "true"
