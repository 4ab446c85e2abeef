"""The strongest paths as text for a terminal: one after the other, and the sums over all paths."""

from io import StringIO
from textwrap import wrap

from rich.console import Console
from rich.table import Table
from rich.text import Text

from whygrad.derive.spelling import spaced
from whygrad.listing import Paths
from whygrad.render.as_text import FAINT, GAIN, LOSS, MATH, VALUE, Style
from whygrad.render.checks import number, percent
from whygrad.render.terminal import shows_unicode, trimmed
from whygrad.report.phrases import listed

# Paths with more names are folded, as on a page.
MOST_NAMES = 14
# Counts with more digits are told by their first two.
MOST_DIGITS = 18


def print_paths(paths: Paths, console: Console) -> None:
    """Prints the strongest paths and the sums over all paths on a console."""
    with console.capture() as captured:
        _print(paths, console, Style(shows_unicode(console)))
    console.file.write(trimmed(captured.get()))


def paths_text(paths: Paths, width: int = 80, unicode: bool = True) -> str:
    """Returns the strongest paths and the sums over all paths as text of some width."""
    file = StringIO()
    _print(paths, Console(file=file, width=width, no_color=True, color_system=None), Style(unicode))
    return trimmed(file.getvalue()).rstrip("\n")


def _print(paths: Paths, console: Console, style: Style) -> None:
    numbers = [number(path.contribution) for path in paths]
    shares = [percent(float(share)) for share in paths.shares]
    room = max(20, console.width - 4 - max(map(len, numbers), default=0) - max(map(len, shares), default=0))
    table = Table.grid(padding=(0, 2))
    table.add_column(overflow="fold")
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for path, contribution, share in zip(paths, numbers, shares, strict=True):
        names = path.quantities
        if style.unicode:
            names = tuple(map(paths.source.unicode, names))
        table.add_row(
            Text(_between_names(_folded(names, style.plain("…")), style.plain("→"), room), MATH),
            Text(contribution, GAIN if path.contribution > 0 else LOSS),
            Text(share, FAINT),
        )
    console.print(table)
    whole, live = paths.about
    left = whole - len(paths)
    if left:
        noun = ("other" if len(paths) else "path") + "s" * (left > 1)
        said = f"{'and ' if len(paths) else ''}{_many(left)} {noun}"
        if not paths.stops:
            rest = paths.sum - sum(float(path.contribution) for path in paths)
            said += f"{', together' if left > 1 else ''} {number(rest)}"
        console.print(Text(said, FAINT))
    if live < whole:
        console.print(Text(f"{_many(whole - live)} of them have a factor that is 0", FAINT))
    if paths.stops:
        console.print(Text(f"gradient {number(paths.sum)}; paths without signs {number(paths.total)}", VALUE))
        stops = listed(paths.stops, 4)
        said = f"without a declaration: {stops}; what goes through is in the gradient alone, and in no path"
        console.print(Text(said, FAINT))
    else:
        console.print(
            Text(f"sum of all paths {number(paths.sum)}; without signs {number(paths.total)}", VALUE)
        )


def _many(count: int) -> str:
    digits = str(count)
    return spaced(count) if len(digits) <= MOST_DIGITS else f"about {digits[0]}.{digits[1]}e{len(digits) - 1}"


def _folded(names: tuple[str, ...], dots: str) -> tuple[str, ...]:
    """Returns the names with those in the middle of a long path as one."""
    if len(names) <= MOST_NAMES:
        return names
    return (*names[:5], f"{dots} {len(names) - 9} more {dots}", *names[-4:])


def _between_names(names: tuple[str, ...], arrow: str, width: int) -> str:
    """Returns the names with arrows between them on lines of some width, which break before arrows alone, unless a name
    is longer than a line."""
    # wrap() breaks at plain blanks, and a no-break space is none
    steps = [names[0], *(f"{arrow} {name}" for name in names[1:])]
    text = " ".join(step if len(step) + 2 > width else step.replace(" ", "\u00a0") for step in steps)
    lines = wrap(text, width, break_on_hyphens=False, subsequent_indent="  ")
    return "\n".join(lines).replace("\u00a0", " ")
