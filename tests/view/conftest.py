"""A real browser for the tests of the page: Chromium, without a network."""

import shutil
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Error, sync_playwright

from tests.view.jupyterlab import Lab, jupyterlab

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
INSIDE = {"127.0.0.1", "localhost"}
SCHEME = "matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A browser for the whole session: the one of the system, or else Playwright's own."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


class Window:
    """A page of the browser that opens one address after the other, each as if it were the first.

    What goes wrong in it, or to the outside, is written down. A page for each test would cost three times as much: the
    browser starts a process for it, which then reads the script and the fonts for the first time.
    """

    def __init__(self, chromium: Any) -> None:
        self.wrong: list[str] = []
        self.but, self.alone = "", False
        self.context = chromium.new_context()
        self.context.route("**/*", self._guard)
        self.page = self.context.new_page()
        self.page.on("request", self._ask)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on(
            "dialog", lambda dialog: (self.wrong.append(f"dialog {dialog.message}"), dialog.dismiss())
        )

    def _guard(self, route: Any) -> None:
        url = urlsplit(route.request.url)
        if url.scheme in ("data", "blob", "file") or url.hostname in INSIDE:
            route.continue_()
        else:
            self.wrong.append(f"request to {route.request.url}")
            route.abort()

    def _ask(self, request: Any) -> None:
        if self.alone and not request.url.startswith(("file:", "about:")):
            self.wrong.append(f"request to {request.url}")

    def _hear(self, said: Any) -> None:
        wrong = ("error", "warning") if self.alone else ("error",)
        if said.type in wrong and not (self.but and self.but in said.text):
            self.wrong.append(said.text)

    def open(
        self,
        address: str,
        width: int = 1280,
        height: int = 900,
        scheme: str = "light",
        but: str = "",
        alone: bool = False,
    ) -> Any:
        self.page.goto("about:blank")  # from another place of the same page, nothing would be loaded
        self.but, self.alone = but, alone
        self.context.set_offline(alone)
        self.page.mouse.move(-1, -1)
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.emulate_media(media="null", color_scheme=scheme)
        self.page.goto(address)
        assert self.page.evaluate(SCHEME) == scheme
        return self.page

    def leave(self) -> None:
        """Takes back what a test has set; nothing may have gone wrong in it."""
        self.page.unroute_all()
        self.context.clear_permissions()
        self.page.goto("about:blank")  # what has gone wrong until here is known then
        wrong, self.wrong = self.wrong, []
        assert wrong == []


@pytest.fixture(scope="session")
def windows() -> list[Window]:
    """The windows of the session; the last one is in use."""
    return []


@pytest.fixture
def opened(chromium: Any, windows: list[Window]) -> Iterator[Callable[..., Any]]:
    """Opens an address in the browser's window; at the end nothing may have gone wrong in it, or gone to the outside.

    A test has one window: opening another address leaves the one before. ``but`` is what an expected message on the
    console has in it; a page that is ``alone`` has no network, asks for nothing but its file, and doesn't even warn.
    """
    if not windows or windows[-1].page.is_closed():
        windows.append(Window(chromium))
    yield windows[-1].open
    try:
        windows[-1].leave()
    except Error:
        windows[-1].context.close()  # it has crashed, or hangs: the next test has another one
        raise


@pytest.fixture
def opened_apart(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens an address in a window of its own: JupyterLab leaves things in the browser, and asks before it is left."""
    window = Window(chromium)
    yield window.open
    window.context.close()
    assert window.wrong == []


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab for the whole session."""
    with jupyterlab(tmp_path_factory.mktemp("lab")) as started:
        yield started
