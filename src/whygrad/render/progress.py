"""A progress bar on standard error, for work that takes long."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

# Seconds after which a bar appears: shorter work prints nothing.
AFTER = 1.0

# What is part of longer work is told by that one's bar.
_within = threading.Lock()


@contextmanager
def progress(after: float = AFTER) -> Iterator[Callable[[str, float], None]]:
    """Yields a function (what is done, which share of all is done); a terminal shows it as a bar if it takes long.

    The bar comes by a clock of its own, within a long step as well, and is gone at the end. Nothing is written where
    standard error is no terminal, or within work that has a bar.
    """
    if not sys.stderr.isatty() or not _within.acquire(blocking=False):
        yield lambda what, share: None
        return
    shown = _Bar()
    clock = threading.Timer(after, shown.begin)
    clock.daemon = True
    clock.start()
    try:
        yield shown.tell
    finally:
        clock.cancel()
        clock.join()
        shown.end()
        _within.release()


class _Bar:
    """A bar that is drawn once it has begun: work that is short needs no more of it than two numbers."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._last = "", 0.0
        self._drawn: Progress | None = None

    def tell(self, what: str, share: float) -> None:
        self._last = what, share
        if self._drawn is not None:
            # What is whole stops the clock, and another step may follow.
            self._drawn.update(self._drawn.task_ids[0], completed=min(share, 0.999), description=what)

    def begin(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        percent, what = TextColumn("{task.percentage:3.0f}%"), TextColumn("{task.description}")
        console = Console(file=sys.stderr)
        # What a person's code prints meanwhile goes above the bar, but not from a file or a pipe to the terminal.
        bar = Progress(
            BarColumn(30),
            percent,
            TimeElapsedColumn(),
            what,
            console=console,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
            get_time=time.monotonic,
        )
        bar.add_task("", total=1.0)
        bar.tasks[0].start_time = self._began
        bar.start()
        self._drawn = bar
        self.tell(*self._last)

    def end(self) -> None:
        if self._drawn is not None:
            self._drawn.stop()
