"""The progress bar: on a terminal and for long work alone."""

import io
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

import whygrad as wg
from whygrad.render import progress as progress_module
from whygrad.render.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def real_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.mark.parametrize(
    ("file", "seconds", "shown"), [(Terminal, 0.5, True), (Terminal, 0.0, False), (io.StringIO, 0.5, False)]
)
def test_a_bar_comes_on_a_terminal_where_it_takes_long(
    file: type[io.StringIO], seconds: float, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = file()
    monkeypatch.setattr(sys, "stderr", written)
    with progress(after=0.1) as tell:
        tell("entropy", 0.42)
        time.sleep(seconds)
    text = written.getvalue()
    assert ("42%" in text and "entropy" in text) == shown
    # Nothing of it stays: the line is cleared and the cursor is back.
    assert text == "" or text.endswith(("\x1b[2K", "\x1b[?25h"))


def test_work_within_work_has_no_bar_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    written = Terminal()
    monkeypatch.setattr(sys, "stderr", written)
    with progress(after=0.0) as tell:
        tell("a report", 1.0)
        with progress(after=0.0) as within:
            within("a spectrum", 0.5)
            time.sleep(0.2)
        tell("a page", 0.0)
        time.sleep(0.2)
    text = written.getvalue()
    assert "a report" in text
    assert "a page" in text
    assert "a spectrum" not in text


def test_what_is_printed_to_a_file_stays_there(monkeypatch: pytest.MonkeyPatch) -> None:
    written, printed = Terminal(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setattr(sys, "stdout", printed)
    with progress(after=0.0):
        time.sleep(0.1)
        print("a row")
    assert printed.getvalue() == "a row\n"
    assert "a row" not in written.getvalue()


LONG: dict[str, Callable[[wg.Record], Any]] = {
    "paths": lambda rec: len(rec.paths("up.weight")),
    "total": lambda rec: rec.paths("up.weight").total,
    "count": lambda rec: rec.paths("up.weight").count,
    "strongest": lambda rec: rec.sweep("strongest")["up.weight[0, 1]"],
    "live": lambda rec: rec.sweep("live")["up.weight[0, 1]"],
    "spectrum": lambda rec: rec.spectrum(),
}


class Small(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up = torch.nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.up(x).tanh()


@pytest.mark.parametrize("what", [*LONG, "recording"])
@pytest.mark.parametrize("file", [Terminal, io.StringIO])
def test_long_work_tells_how_far_it_is(
    what: str, file: type[io.StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Drawn(progress_module._Bar):
        def tell(self, what: str, share: float) -> None:
            assert 0 <= share <= 1
            while self._drawn is None:
                time.sleep(0.001)
            super().tell(what, share)
            self._drawn.refresh()

    def recorded() -> wg.Record:
        return wg.record(Small(), torch.ones(3, 2), lambda m, x: {"a": m(x).square().sum()})

    rec = recorded() if what in LONG else None
    written = file()
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setattr("whygrad.render.progress._Bar", Drawn)
    monkeypatch.setattr("whygrad.render.progress.progress", partial(progress, 0.0))
    if rec is not None:
        LONG[what](rec)
    else:
        recorded()
    assert (what in written.getvalue()) == (file is Terminal)


def test_a_report_shows_a_bar_by_itself_and_not_beside_a_callable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whygrad.render.progress.progress", partial(progress, 0.0))
    recorded = wg.record(torch.nn.Linear(2, 1), torch.ones(3, 2), lambda m, x: {"a": m(x).sum()})
    for told, shown in ((None, True), (lambda what, share: time.sleep(0.02), False)):
        written = Terminal()
        monkeypatch.setattr(sys, "stderr", written)
        recorded.report(progress=told)
        assert bool(written.getvalue()) == shown
