"""A progress bar on standard error, for work that takes long."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Seconds after which a bar appears.
AFTER = 0.7


@contextmanager
def progress() -> Iterator[Callable[[str, float], None]]:
    """Yields a function (what is done, which share of all is done); a terminal shows it as a bar if it takes long."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(file=sys.stderr)
    if not console.is_terminal:
        yield lambda what, share: None
        return
    percent, what = TextColumn("{task.percentage:3.0f}%"), TextColumn("{task.description}")
    columns = (BarColumn(30), percent, TimeRemainingColumn(), what)
    started = time.monotonic()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=1.0, visible=False)

        def tell(what: str, share: float) -> None:
            bar.update(task, completed=share, description=what, visible=time.monotonic() - started > AFTER)

        yield tell
