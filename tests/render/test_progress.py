"""The progress bar: on a terminal and for long work alone."""

import io
import sys
import time
from functools import partial

import pytest
import torch

import whygrad as wg
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


def test_a_report_shows_a_bar_by_itself_and_not_beside_a_callable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whygrad.render.progress.progress", partial(progress, 0.0))
    recorded = wg.record(torch.nn.Linear(2, 1), torch.ones(3, 2), lambda m, x: {"a": m(x).sum()})
    for told, shown in ((None, True), (lambda what, share: time.sleep(0.02), False)):
        written = Terminal()
        monkeypatch.setattr(sys, "stderr", written)
        recorded.report(progress=told)
        assert bool(written.getvalue()) == shown
