"""A real browser for the tests of the page: Chromium, without a network."""

import shutil
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

from tests.view.jupyterlab import Lab, jupyterlab

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
INSIDE = {"127.0.0.1", "localhost"}


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A browser for the whole session: the one of the system, or else Playwright's own."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens an address in a page of its own; at the end nothing may have gone wrong in it, or gone to the outside.

    ``but`` is what an expected message on the console has in it.
    """
    contexts: list[Any] = []
    wrong: list[str] = []

    def open_page(
        address: str, width: int = 1280, scheme: str = "light", height: int = 900, but: str = "\0"
    ) -> Any:
        context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()

        def guard(route: Any) -> None:
            url = urlsplit(route.request.url)
            if url.scheme in ("data", "blob", "file") or url.hostname in INSIDE:
                route.continue_()
            else:
                wrong.append(f"request to {route.request.url}")
                route.abort()

        context.route("**/*", guard)
        page.on(
            "console",
            lambda said: wrong.append(said.text) if said.type == "error" and but not in said.text else None,
        )
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: (wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab for the whole session."""
    with jupyterlab(tmp_path_factory.mktemp("lab")) as started:
        yield started
