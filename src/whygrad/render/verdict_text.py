"""Verdicts as text for a terminal: in words first, then the equation with its wrong part marked."""

from collections.abc import Iterator
from io import StringIO
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from whygrad.equation.verdict import Equality, Verdict

GOOD, BAD, UNSURE, FAINT = "green", "bold red", "yellow", "dim"
JUDGED = {
    "terms": "judged term by term, as polynomials in the partials",
    "numbers": "judged by numbers: at random points of several networks, or for the numbers that are given",
}


def headline(verdict: Verdict) -> str:
    """Returns the verdict in a few words."""
    if verdict.holds:
        return "It holds."
    return "It depends on the reading." if verdict.holds is None else "It does not hold."


def reasons(verdict: Verdict) -> list[str]:
    """Returns what is wrong, one sentence for each equals sign that doesn't hold."""
    many = len(verdict.equalities)
    found = []
    for number, equality in enumerate(verdict.equalities, 1):
        if equality.holds is False:
            where = f"Equals sign {number}: " if many > 1 else ""
            says = equality.says or "the two sides are not equal"
            found.append(where + (says if where else says[:1].upper() + says[1:]) + ".")
    return found


def marked(verdict: Verdict, unicode: bool = True) -> Iterator[Text]:
    """Yields the equation line by line, its wrong part in colour and underlined by carets."""
    spans = [equality.span for equality in verdict.equalities if equality.holds is False and equality.span]
    start = 0
    for line in verdict.text.splitlines() or [""]:
        shown, carets = Text(_plain(line, unicode)), [" "] * len(line)
        for low, high in spans:
            a, b = max(low - start, 0), min(high - start, len(line))
            if a < b:
                shown.stylize(BAD, a, b)
                carets[a:b] = "^" * (b - a)
        yield shown
        under = "".join(carets).rstrip()
        if under and len(line) <= 100:
            yield Text(under, style=BAD)
        start += len(line) + 1


def lines(verdict: Verdict, unicode: bool = True) -> Iterator[Any]:
    """Yields a verdict as rich's renderables."""
    style = GOOD if verdict.holds else UNSURE if verdict.holds is None else BAD
    yield Text(headline(verdict), style=style)
    for reason in reasons(verdict):
        yield Text(_plain(reason, unicode))
    yield Text("")
    for line in marked(verdict, unicode):
        yield Padding(line, (0, 0, 0, 2))
    for title, terms in (("Missing", verdict.missing), ("Too many", verdict.surplus)):
        if terms:
            yield Text("")
            yield Text(f"{title}:", style="bold")
            for term in terms:
                yield Padding(
                    Text(_plain(f"{'+' if title == 'Missing' else '-'} {term}", unicode)), (0, 0, 0, 2)
                )
    if verdict.corrected:
        yield Text("")
        yield Text("Right would be:", style="bold")
        yield Padding(Text(_plain(verdict.corrected, unicode), style=GOOD), (0, 0, 0, 2))
    if verdict.would_hold_if:
        yield Text("")
        for sentence in verdict.would_hold_if:
            yield Text(_plain(f"It would hold if {sentence}.", unicode))
    if verdict.readings:
        yield Text("")
        for reading in verdict.readings:
            what = "holds" if reading.holds else "does not hold"
            yield Text(_plain(f"It {what} where {reading.says}.", unicode))
    yield Text("")
    if verdict.reads_as:
        yield Text(_plain(f"Read as: {verdict.reads_as}", unicode), style=FAINT)
    yield Text(f"{verdict.network}; {verdict.notation}; {JUDGED[verdict.judged]}", style=FAINT)


def _plain(text: str, unicode: bool) -> str:
    return text if unicode else text.encode("ascii", "replace").decode()


def plain_text(verdict: Verdict, width: int = 100, unicode: bool = True) -> str:
    """Returns a verdict as plain text."""
    file = StringIO()
    console = Console(file=file, width=width, no_color=True, force_terminal=False, highlight=False)
    for line in lines(verdict, unicode):
        console.print(line)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def rich_text(verdict: Verdict) -> Any:
    """Returns one renderable for a terminal."""
    from rich.console import Group

    return Group(*lines(verdict))


def print_verdict(verdict: Verdict, console: Console) -> None:
    """Prints a verdict on a console, as wide and as colourful as that is."""
    unicode = not console.options.legacy_windows and (console.encoding or "").lower().startswith("utf")
    for line in lines(verdict, unicode):
        console.print(line)


def one_line(holds: bool | None, equalities: tuple[Equality, ...]) -> str:
    """Returns a verdict on one line, as a file's equations are listed."""
    if holds:
        return "holds"
    if holds is None:
        return "depends on the reading"
    says = "; ".join(equality.says for equality in equalities if equality.holds is False and equality.says)
    return "does not hold" + (f": {says}" if says else "")
