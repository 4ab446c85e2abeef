"""The page of a recorded model in a real browser: every interaction, by mouse and by keyboard, and for everybody."""

import re
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import expect
from typer.testing import CliRunner

import whygrad as wg
from tests.view.recorded_models import (
    CLOSING,
    EVIL,
    LONG,
    deep,
    linear,
    long_names,
    many_costs,
    named_badly,
    not_finite,
    two_heads,
    unrolled,
)
from tests.view.test_accessibility import fits, violations
from whygrad.cli import app
from whygrad.view.recorded import recorded_document
from whygrad.view.recorded_page import RecordedSession, recorded_still, recorded_widget
from whygrad.view.server import Server


@pytest.fixture(scope="module")
def record():
    return two_heads()


@pytest.fixture(scope="module")
def pages(tmp_path_factory, record):
    home = tmp_path_factory.mktemp("recorded")
    records = {
        "two": record,
        "small": linear(),
        "evil": named_badly(),
        "deep": deep(),
        "long": long_names(),
        "many": many_costs(),
        "nan": not_finite(),
    }
    return {
        name: each.save_html(home / f"{name}.html", **({"paths": 1} if name == "deep" else {}))
        for name, each in records.items()
    }


@pytest.fixture
def page(opened, pages):
    shown = opened(pages["two"].as_uri(), width=1600)
    expect(shown.locator("h1")).to_be_visible()
    return shown


def row(page, label):
    return page.locator(".flow-row[data-place]").filter(
        has=page.locator(".flow-label", has_text=re.compile(f"^{re.escape(label)}$"))
    )


def chosen(page):
    return page.locator(".chosen-name").inner_text()


def test_the_untouched_page_says_what_there_is(page, record):
    said = page.locator(".findings").inner_text()
    for finding in record.report().findings:
        for text in (finding.says, *finding.tries):
            assert text.replace("`", "") in said
    assert "`" not in page.locator("main").inner_text()
    assert "unused" in page.locator(".findings p code").all_inner_texts()
    expect(page.locator(".strong-path").first).to_be_visible()
    expect(page.locator(".facts .sum").first).to_be_visible()
    expect(page.locator(".flow-strand").first).to_be_attached()


def test_a_click_chooses_a_module_and_back_returns(page):
    before = chosen(page)
    row(page, "kind").first.click()
    assert chosen(page) == "kind"
    assert "at=" in page.url
    page.get_by_role("button", name="back").click()
    expect(page.locator(".chosen-name")).to_have_text(before)
    page.go_forward()
    expect(page.locator(".chosen-name")).to_have_text("kind")


def test_findings_lead_to_their_modules(page):
    target = page.locator(".found .goto").last
    name = target.inner_text()
    target.click()
    assert chosen(page) == name
    expect(page.locator(".flow-row.chosen")).to_be_visible()


def test_the_picture_can_be_clicked(page):
    mark = page.locator(".flow-mark").last
    mark.click()
    assert chosen(page) == "place"


def test_arrow_keys_walk_open_and_close(page):
    row(page, "the model").click()
    page.keyboard.press("ArrowDown")
    assert chosen(page).startswith("batch")
    first = page.locator(".flow-row.module").first
    first.click()
    name, many = chosen(page), page.locator(".flow-row").count()
    page.keyboard.press("ArrowRight")
    assert first.get_attribute("aria-expanded") == "true"
    assert page.locator(".flow-row").count() > many
    page.keyboard.press("ArrowRight")
    assert chosen(page) != name
    page.keyboard.press("ArrowLeft")
    assert chosen(page) == name
    page.keyboard.press("ArrowLeft")
    assert page.locator(".flow-row").count() == many
    page.keyboard.press("End")
    assert chosen(page) == "place"
    page.keyboard.press("Home")
    assert chosen(page) == "the model"
    assert page.evaluate("document.querySelector('#whygrad').shadowRoot.activeElement.dataset.place") == "0"


def test_a_twist_folds_and_the_picture_follows(page):
    blocks = row(page, "blocks")
    if blocks.get_attribute("aria-expanded") == "false":
        blocks.locator(".twist").click()
    open_marks = page.locator(".flow-mark").count()
    blocks.locator(".twist").click()
    assert row(page, "blocks").get_attribute("aria-expanded") == "false"
    assert page.locator(".flow-mark").count() < open_marks


def test_one_cost_has_one_hue(page):
    page.get_by_role("group", name="Cost").get_by_role("button", name="place").click()
    classes = {each.get_attribute("class") for each in page.locator(".flow-strand").all()}
    assert classes == {"flow-strand hue1 dash1"}
    assert "of=1" in page.url
    row(page, "kind").first.click()
    page.get_by_role("group", name="Cost").get_by_role("button", name="all costs").click()
    assert len({each.get_attribute("class") for each in page.locator(".flow-strand").all()}) == 2


def test_bars_show_other_semirings(page):
    before = page.locator(".flow-row .piece").first.get_attribute("style")
    for label, name in (
        ("strongest path", "strongest"),
        ("number of paths", "count"),
        ("share of each cost", "share"),
    ):
        page.get_by_label("bars show").select_option(label=label)
        expect(page.locator(".flow-head")).to_contain_text(label)
        assert f"show={name}" in page.url
    assert page.locator(".flow-row .piece").first.get_attribute("style") != before


def test_the_address_prepares_a_page(opened, pages):
    page = opened(f"{pages['two'].as_uri()}#at=blocks.1.up.weight;of=1;show=share;theme=dark", width=1600)
    assert chosen(page) == "blocks.1.up.weight"
    expect(page.locator(".flow-row.chosen")).to_be_visible()
    assert page.locator(".page").evaluate("each => each.style.colorScheme") == "dark"
    assert page.get_by_label("bars show").input_value() == "share"


@pytest.mark.parametrize(
    "address", ["#at=nothing", "#at=99999;of=7;show=x;open=9999.1", "#at=%E0%A4%A", "#at=__proto__"]
)
def test_an_address_that_asks_for_nothing_there_is(opened, pages, address):
    page = opened(f"{pages['two'].as_uri()}{address}", width=1600)
    expect(page.locator(".chosen-name")).to_be_visible()


def test_branches_name_skip_and_block(page):
    joins = page.locator(".flow-row.join")
    joins.first.click()
    table = page.locator(".chosen-place table", has_text="Branches")
    expect(table.locator(".side.skip").first).to_be_visible()
    expect(table.locator(".side.block").first).to_be_visible()
    expect(table).to_contain_text("skip against block: cosine")


def test_conflict_is_a_mark_and_not_a_colour_alone(opened, pages):
    page = opened(pages["evil"].as_uri())
    assert page.locator(".flow-cosine.bad").count() > 0
    assert all("⇄" in each.inner_text() for each in page.locator(".flow-cosine.bad").all())


def test_names_are_never_markup(opened, pages):
    page = opened(pages["evil"].as_uri(), width=1600)
    assert EVIL in page.locator(".findings").inner_text()
    assert CLOSING in page.locator(".findings").inner_text()
    assert page.locator("img").count() == 0
    row(page, EVIL).first.click()
    assert chosen(page) == EVIL
    assert "<img" not in recorded_still(named_badly()).replace("&lt;img", "")


def test_small_and_deep_models(opened, pages):
    page = opened(pages["small"].as_uri())
    assert chosen(page) == "the model"
    page = opened(pages["deep"].as_uri())
    assert page.locator(".flow-row").count() < 50


@pytest.mark.parametrize(
    ("width", "scheme"), [(360, "light"), (360, "dark"), (1600, "light"), (1600, "dark")]
)
def test_for_everybody(opened, pages, width, scheme):
    for name in ("two", "evil", "long", "many", "nan"):
        page = opened(pages[name].as_uri(), width=width, scheme=scheme)
        expect(page.locator(".chosen-name")).to_be_visible()
        fits(page)
        assert violations(page) == []


def test_print_and_4k(opened, pages):
    page = opened(pages["two"].as_uri(), width=3840, height=2000)
    fits(page)
    page.emulate_media(media="print")
    expect(page.locator(".segments").first).to_be_hidden()
    expect(page.locator(".entry").first).to_be_hidden()
    expect(page.locator(".findings")).to_be_visible()


def test_sizes(pages):
    assert all(path.stat().st_size < 2_000_000 for path in pages.values())


@pytest.fixture
def served(record, windows):
    made = recorded_document(record)
    with Server.of(RecordedSession(record, made), made, recorded_still(record), "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.address
        for window in windows:
            if not window.page.is_closed():
                window.page.goto("about:blank")  # or questions that are on their way find the server gone
        server.shutdown()
        thread.join()


def test_the_server_shows_the_same(opened, served):
    page = opened(served, width=1280)
    expect(page.locator(".findings")).to_be_visible()


def asked(page, text):
    """Types into the field under "Strongest paths"."""
    field = page.get_by_label("module, parameter or one entry")
    field.fill("")
    field.click()
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def test_any_entry_is_asked_of_python(opened, served, record):
    page = opened(served, width=1600)
    asked(page, "first.weight[2,1]")
    expect(page.locator("#paths-here")).to_have_text("Strongest paths of first.weight[2, 1]")
    right = record.paths("first.weight[2, 1]", k=6)
    expect(page.locator(".strong-path")).to_have_count(6)
    said = page.locator(".paths-here").inner_text()
    assert f"Its 6 strongest of {right.count:,} paths to the costs".replace(",", " ") in said
    assert f"add up to {right.sum:.4g}".replace("-", "−") in said
    for path, shown in zip(right, page.locator(".strong-path").all(), strict=True):
        assert f"{path.contribution:.3g}".replace("-", "−") in shown.inner_text()
        assert " → ".join(path.quantities) in shown.locator(".stops").inner_text()
    assert chosen(page) == "first.weight"
    # a value between modules has paths as well, and one cost alone
    asked(page, "blocks.0.norm[1, 2]")
    page.get_by_role("group", name="Cost").get_by_role("button", name="place").click()
    many = f"{record.paths('blocks.0.norm[1, 2]', 'place').count:,}".replace(",", " ")
    expect(page.locator(".paths-here")).to_contain_text(f"strongest of {many} paths to place")
    page.reload()
    expect(page.locator("#paths-here code")).to_have_text("blocks.0.norm[1, 2]")
    asked(page, "blocks.0.norm[1, 99]")
    expect(page.get_by_role("alert")).to_contain_text("expected 2 whole numbers from 0, below (5, 6)")
    row(page, "kind").first.click()
    expect(page.locator("#paths-here")).to_have_text("Strongest paths")
    page.get_by_role("button", name="back").click()
    expect(page.locator("#paths-here code")).to_have_text("blocks.0.norm[1, 99]")


def test_an_entry_in_a_saved_page(opened, pages, record):
    page = opened(pages["two"].as_uri(), width=1600)
    strongest = record.paths("blocks.1.up.weight", k=1)[0].quantities[0]
    asked(page, strongest.replace(", ", ","))
    expect(page.locator("#paths-here code")).to_have_text(strongest)
    assert all(each.inner_text() == strongest for each in page.locator(".stops .start").all())
    assert page.locator(".strong-path").count() > 0
    page.reload()
    expect(page.locator("#paths-here code")).to_have_text(strongest)
    asked(page, "unused.weight[0, 1]")
    expect(page.locator(".paths-here")).to_contain_text('In Python: rec.paths("unused.weight[0, 1]")')
    asked(page, "blocks.2")
    assert chosen(page) == "blocks.2"
    assert "entry=" not in page.url


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("<b>x</b>", "Expected a module, a parameter or one of its entries (such as "),
        ("first.weight[2]", "Expected 2 numbers below 6, 3 after first.weight, found “[2]”."),
        ("first.bias[6]", "Expected one number below 6 after first.bias, found “[6]”."),
        (
            "first[0, 1]",
            "This page holds paths of parameters; of an entry of first say in Python: rec.paths(",
        ),
    ],
)
def test_an_entry_that_there_is_not_is_said(page, typed, says):
    before = chosen(page)
    asked(page, typed)
    expect(page.locator(".entry-says")).to_contain_text(says)
    assert page.get_by_label("module, parameter or one entry").get_attribute("aria-invalid") == "true"
    assert page.get_by_label("module, parameter or one entry").evaluate("each => each.matches(':focus')")
    assert chosen(page) == before
    assert page.locator("b").count() == 0


def test_long_names_leave_room_for_the_numbers(opened, pages):
    page = opened(pages["long"].as_uri(), width=1280)
    table = page.locator(".chosen-place .wide").first
    assert table.evaluate("each => each.scrollWidth <= each.clientWidth + 1")
    assert page.locator(".control select").first.locator("option").count() == 3
    assert LONG in page.locator(".flow-label").all_inner_texts()
    assert "a & b" in page.locator(".flow-label").all_inner_texts()


def test_ten_costs_are_told_apart(opened, pages):
    page = opened(pages["many"].as_uri(), width=1600)
    looks = page.locator(".lede .swatch").evaluate_all("all => all.map((each) => each.className)")
    assert len(set(looks)) == 10
    lines = page.locator(".depth-legend line").evaluate_all(
        "all => all.map((each) => each.getAttribute('class'))"
    )
    assert len(set(lines)) == 10


def test_what_is_not_finite_is_said(opened, pages):
    page = opened(pages["nan"].as_uri())
    expect(page.locator(".lede .wrong")).to_have_text("not finite")
    expect(page.locator(".flow-row.cost").last).to_contain_text("not finite")


def test_a_wide_screen_has_larger_letters_everywhere(opened, pages):
    """Beyond 2400 pixels everything grows together: no text stays at the size that a laptop has."""
    page = opened(pages["two"].as_uri(), width=2560, height=1400)
    small = page.locator(".flow-label, .says, .stops, .found p, .facts td").evaluate_all(
        "all => all.map((each) => parseFloat(getComputedStyle(each).fontSize)).filter((size) => size < 19)"
    )
    assert small == []
    rows = page.locator(".flow-row[data-place]")
    first, mark = rows.nth(1).bounding_box(), page.locator(".flow-mark").first.bounding_box()
    assert abs(first["y"] + first["height"] / 2 - mark["y"] - mark["height"] / 2) < 3


def test_the_widget_has_the_document_and_a_still_page(record):
    widget = recorded_widget(record, of="place")
    assert widget.document["state"]["of"] == 1
    assert "Gradient report" in widget._made_still()
    assert "strongest paths" in record._repr_html_()
    assert "<script" not in record._repr_html_()


def test_the_command_writes_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    out = tmp_path / "page.html"
    done = CliRunner().invoke(app, ["view", "tests.view.recorded_models:missing", "--html", str(out)])
    assert done.exit_code == 2
    assert "expected a function" in done.output
    done = CliRunner().invoke(app, ["view", "whygrad.report.example:two_losses", "--html", str(out)])
    assert done.exit_code == 0
    assert '"kind":"recorded"' in out.read_text(encoding="utf-8")


def test_long_paths_and_many_senders_are_folded(opened, pages, tmp_path):
    page = opened(f"{pages['deep'].as_uri()}#at=0.weight", width=1600)
    stops = page.locator(".stops").first
    expect(stops.locator(".stop-name:visible")).to_have_count(9)
    hidden = stops.locator(".stop-name").count() - 9
    more = stops.get_by_role("button", name=f"{hidden} more")
    more.focus()
    page.keyboard.press("Enter")
    expect(stops.locator(".stop-name:visible")).to_have_count(9 + hidden)
    expect(stops.get_by_role("button")).to_have_count(0)
    assert stops.locator("span:focus .stop-name").count() == hidden
    page = opened(
        unrolled().save_html(tmp_path / "unrolled.html").as_uri() + "#at=cell.weight_hh", width=1600
    )
    table = page.locator(".chosen-place table", has_text="Branches")
    expect(table.locator("tbody tr:visible")).to_have_count(12)
    table.get_by_role("button", name="and 9 more").click()
    expect(table.locator("tbody tr:visible")).to_have_count(20)
    page.reload()
    expect(table.locator("tbody tr:visible")).to_have_count(12)
    page.emulate_media(media="print")
    expect(table.locator("tbody tr:visible")).to_have_count(20)


def test_branches_have_a_column_for_each_cost(page, record):
    page.locator(".flow-row.join").first.click()
    name = chosen(page)
    parts = next(parts for parts in record.branches() if parts.place == name)
    table = page.locator(".chosen-place table", has_text="Branches")
    rows = table.locator("tbody tr").all()
    assert len(rows) == 4
    for shown, norms in zip(
        rows, [*parts.norms, parts.whole, parts.skip_against_block.cosines[:, 0, 1]], strict=True
    ):
        cells = [text.replace("−", "-") for text in shown.locator("td.n").all_inner_texts()]
        assert [float(text) for text in cells] == pytest.approx(list(norms), rel=0.01, abs=0.006)


def test_the_largest_branch_comes_first(opened, tmp_path):
    record = unrolled()
    page = opened(record.save_html(tmp_path / "page.html").as_uri() + "#at=cell", width=1600)
    largest = max(record.branches("cell"), key=lambda parts: float(parts.whole.sum()))
    expect(page.locator(".chosen-place caption").first).to_have_text(
        f"Branches: what each user of {largest.place} sends back"
    )


def test_a_page_without_paths_says_why(opened, record, tmp_path, monkeypatch):
    monkeypatch.setattr("whygrad.view.recorded.MOST_PAIRS", 10)
    page = opened(record.save_html(tmp_path / "page.html").as_uri(), width=1600)
    expect(page.locator(".paths-here")).to_contain_text(
        "The strongest paths are left out, since normalisations"
    )
    assert page.get_by_label("bars show").locator("option").all_inner_texts() == [
        "gradient",
        "share of each cost",
        "sum without signs",
        "number of paths",
    ]


class Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return 1 * x

    @staticmethod
    def backward(ctx, *grads):
        return -grads[0]


def test_a_page_says_what_no_path_goes_through(opened, tmp_path):
    def costs(model, x):
        h = model(x)
        return {"plain": (h + model(h).tanh()).sum(), "own": Reversed.apply(h).square().sum()}

    record = wg.record(torch.nn.Linear(3, 3), torch.ones(2, 3), costs, opaque="allow")
    page = opened(record.save_html(tmp_path / "page.html").as_uri() + "#at=weight", width=1600)
    expect(page.locator(".paths-here")).to_contain_text("The gradient adds up to")
    expect(page.locator(".paths-here")).to_contain_text(
        "What goes through Reversed, without a declaration, is in no path."
    )


def test_the_untouched_page_has_the_gradient_by_number_of_blocks(page, record):
    table = page.get_by_role("region", name="Spectrum")
    rows = table.locator("tbody tr").all()
    assert [each.locator("th").inner_text() for each in rows] == [
        "0 blocks",
        "1 block",
        "2 blocks",
        "3 blocks",
        "all together",
    ]
    split = record.spectrum()
    for shown, norms in zip(rows, [*split.all_parts.T, split.all_whole], strict=True):
        cells = [float(text) for text in shown.locator("td.n").all_inner_texts()]
        assert cells == pytest.approx(list(norms), rel=0.01)


def test_of_many_costs_the_gradient_by_number_of_blocks_has_a_row_each_with_bars_of_its_own(opened, pages):
    page = opened(pages["many"].as_uri(), width=1600)
    rows = page.get_by_role("region", name="Spectrum").locator("tbody tr").all()
    split = many_costs().spectrum()
    assert [row.locator("th").inner_text() for row in rows] == list(split.costs)
    for row, parts, whole in zip(rows, split.all_parts, split.all_whole, strict=True):
        cells = [float(text) for text in row.locator("td.n").all_inner_texts()]
        assert cells == pytest.approx([*parts, whole], rel=0.01)
        wide = row.locator(".piece").evaluate_all(
            "all => all.map((one) => one.getBoundingClientRect().width)"
        )
        assert np.array(wide) / max(wide) == pytest.approx(parts / parts.max(), abs=0.03)


def test_what_goes_to_the_targets_leaves_the_other_bands_their_width(opened, pages):
    """The squared error sends its target as much as its prediction; the widest band is one between modules."""
    page = opened(pages["two"].as_uri(), width=1600)
    bands = page.locator(".flow-bands g").evaluate_all(
        """all => all.map((band) => [
            band.querySelector("title").textContent,
            [...band.querySelectorAll("path")].reduce((sum, path) => sum + +path.getAttribute("stroke-width"), 0),
        ])"""
    )
    targets = [wide for told, wide in bands if told.startswith("place sends back to batch")]
    assert len(targets) == 1
    others = [wide for told, wide in bands if "sends back to batch" not in told]
    assert max(others) > 1.9 * targets[0]
    assert max(others) == pytest.approx(15, abs=1.3)


def test_who_sends_nothing_of_a_cost_is_not_listed(opened, pages):
    page = opened(f"{pages['two'].as_uri()}#at=blocks;of=1", width=1600)
    tables = page.locator(".chosen-place table", has_text="sends back")
    assert tables.count() > 0
    senders = tables.locator("tbody th").all_text_contents()
    assert "place" in senders
    assert "kind" not in senders
