"""The page of a recorded model in a real browser: every interaction, by mouse and by keyboard, and for everybody."""

import re
import threading
from pathlib import Path

import pytest
from playwright.sync_api import expect
from typer.testing import CliRunner

from tests.view.recorded_models import CLOSING, EVIL, deep, linear, named_badly, two_heads
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
    records = {"two": record, "small": linear(), "evil": named_badly(), "deep": deep()}
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
        assert finding.says in said
        assert all(text in said for text in finding.tries)
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
    for name in ("two", "evil"):
        page = opened(pages[name].as_uri(), width=width, scheme=scheme)
        expect(page.locator(".chosen-name")).to_be_visible()
        fits(page)
        assert violations(page) == []


def test_print_and_4k(opened, pages):
    page = opened(pages["two"].as_uri(), width=3840, height=2000)
    fits(page)
    page.emulate_media(media="print")
    expect(page.locator(".segments").first).to_be_hidden()
    expect(page.locator(".findings")).to_be_visible()


def test_sizes(pages):
    assert all(path.stat().st_size < 2_000_000 for path in pages.values())


def test_the_server_shows_the_same(opened, record):
    made = recorded_document(record)
    with Server.of(RecordedSession(record, made), made, recorded_still(record), "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            page = opened(server.address, width=1280)
            expect(page.locator(".findings")).to_be_visible()
        finally:
            server.shutdown()
            thread.join()


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
