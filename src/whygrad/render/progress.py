"""A progress bar on standard error, for work that takes long."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Seconds after which a bar appears: shorter work prints nothing.
AFTER = 1.0


@contextmanager
def progress(after: float = AFTER) -> Iterator[Callable[[str, float], None]]:
    """Yields a function (what is done, which share of all is done); a terminal shows it as a bar if it takes long.

    The bar comes by a clock of its own, within a long step as well, and is gone at the end. Nothing is written where
    standard error is no terminal.
    """
    if not sys.stderr.isatty():
        yield lambda what, share: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    percent, what = TextColumn("{task.percentage:3.0f}%"), TextColumn("{task.description}")
    bar = Progress(
        BarColumn(30), percent, TimeElapsedColumn(), what, console=Console(file=sys.stderr), transient=True
    )
    task = bar.add_task("", total=1.0)
    clock = threading.Timer(after, bar.start)
    clock.daemon = True
    clock.start()
    try:
        yield lambda what, share: bar.update(task, completed=share, description=what)
    finally:
        clock.cancel()
        clock.join()
        if bar.live.is_started:
            bar.stop()
