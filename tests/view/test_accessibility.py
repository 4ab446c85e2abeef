"""For everybody: axe-core finds nothing on the saved page, the served page and the widget; nothing is cut off."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

import whygrad as wg
from tests.view.jupyterlab import Lab
from tests.view.test_server import serving
from tests.view.test_widget import CELLS, executed
from whygrad.view.server import Server

SIZES = [(360, "light"), (360, "dark"), (1600, "light"), (1600, "dark")]


@pytest.fixture(scope="module")
def served() -> Iterator[Server]:
    with serving() as made:
        yield made


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    net = wg.Network(
        [2, 3, 2], activation=["tanh", "softmax"], bias=True, cost="cross_entropy", l2=0.1, seed=0
    )
    return net.run([[0.5, -1.0], [1.0, 2.0]], [[1, 0], [0, 1]]).save_html(
        tmp_path_factory.mktemp("saved") / "page.html"
    )


def violations(page: Any, context: Any = None) -> list[str]:
    # Of rules that are kept, one place each is enough: the lists of all places took axe half of its time.
    found = Axe().run(page, context, {"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{each['id']}: {node['target']} {node['html'][:160]}"
        for each in found
        for node in each["nodes"]
        # axe-core takes whatever has the role math for one image; in a browser its links can be reached, see below.
        if not (each["id"] == "nested-interactive" and node["html"].startswith("<math"))
    ]


def fits(page: Any) -> None:
    """Nothing is wider than the window."""
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_the_served_page(opened: Callable[..., Any], served: Server, width: int, scheme: str) -> None:
    page = opened(served.address, width=width, scheme=scheme)
    expect(page.locator("h1")).to_be_visible()
    box = page.get_by_label("An equation in LaTeX or as you would type it")
    box.fill("dC^0/da^0_1 = dq")
    box.press("Enter")
    expect(page.locator(".verdict .bad")).to_be_visible()
    for fold in page.locator("details > summary").all():
        if not fold.evaluate("fold => fold.parentElement.open"):
            fold.click()
    fits(page)
    assert violations(page) == []


@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_the_saved_page(opened: Callable[..., Any], saved: Path, width: int, scheme: str) -> None:
    page = opened(saved.as_uri(), width=width, scheme=scheme)
    expect(page.locator("h1")).to_be_visible()
    fits(page)
    assert violations(page) == []


def test_the_widget(opened_apart: Callable[..., Any], lab: Lab) -> None:
    page = executed(opened_apart, lab.notebook("axe.ipynb", CELLS[:1]), width=1400, height=1600)
    expect(page.locator(".page h1")).to_be_visible()
    page.locator(".page").evaluate("shown => { shown.getRootNode().host.id = 'the-widget' }")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert violations(page, "#the-widget") == []


def test_links_in_formulas_are_links_for_screen_readers(opened: Callable[..., Any], saved: Path) -> None:
    page = opened(saved.as_uri())
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator(".waits")).to_have_count(0)
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    links = [
        node["name"]["value"]
        for node in tree
        if node.get("role", {}).get("value") == "link" and not node["ignored"]
    ]
    assert len(links) == page.locator("math a").count() > 0
    assert all(name.startswith("Explain ") for name in links)
