"""Verdicts as text for a terminal: in words first, then the equation with its wrong part marked.

Formulas are shown as Unicode, as `whygrad explain` shows them; what was typed without LaTeX stays as it was typed.
"""

from collections.abc import Iterator
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from whygrad.equation.verdict import Equality, Verdict
from whygrad.render.prose import cut
from whygrad.render.readable import Piece, is_latex, readable, shown
from whygrad.render.terminal import printed, shows_unicode

GOOD, BAD, UNSURE, FAINT = "green", "bold red", "yellow", "dim"
JUDGED = {
    "terms": "judged term by term, as polynomials in the partials",
    "numbers": "judged by numbers: at random points of several networks, or for the numbers that are given",
}
_INDENT = 2


def headline(verdict: Verdict) -> str:
    """Returns the verdict in a few words."""
    if verdict.holds:
        return "It holds."
    return "It depends on the reading." if verdict.holds is None else "It does not hold."


def reasons(verdict: Verdict) -> list[str]:
    """Returns what is wrong, one sentence for each equals sign that doesn't hold; terms are listed elsewhere."""
    many = len(verdict.equalities)
    found = []
    for number, equality in enumerate(verdict.equalities, 1):
        if equality.holds is False:
            where = f"Equals sign {number}: " if many > 1 else ""
            says = equality.says or "the two sides are not equal"
            if equality.missing and ": " in says:
                says = says.partition(": ")[0]
            found.append(where + (says if where else says[:1].upper() + says[1:]) + ".")
    return found


def left_out(equality: Equality) -> bool:
    """Returns whether all that is wrong with an equality is what its right side lacks."""
    return equality.holds is False and bool(equality.missing) and not equality.surplus and not equality.wrong


def spoken(sentence: str, latex: bool) -> str:
    """Returns a sentence with its formulas as Unicode, where the equation is LaTeX."""
    return "".join(shown(part, always=True) if formula and latex else part for formula, part in cut(sentence))


def marked(verdict: Verdict, width: int, unicode: bool = True) -> Iterator[Text]:
    """Yields the equation line by line, its wrong parts in colour and underlined by carets.

    Where terms are missing a mark stands in their place.
    """
    wrong = [equality for equality in verdict.equalities if equality.holds is False and equality.span]
    spans = [equality.span for equality in wrong if equality.span and not left_out(equality)]
    pieces = _pieces(verdict.text, unicode)
    for equality in wrong:
        if left_out(equality) and equality.span is not None:
            end = equality.span[1]
            spans.append((end, end))
            place = next((at for at, piece in enumerate(pieces) if piece.start >= end), len(pieces))
            if len(pieces) == 1:
                whole, place = pieces[0].text, 1
                pieces = [Piece(whole[:end], 0, end), Piece(whole[end:], end, len(whole))]
            pieces.insert(place, Piece(" + …" if unicode else " + ...", end, end))
    for line in _lines(pieces):
        for signs in _wrapped(line, width):
            shown_line = Text("".join(sign for sign, _ in signs))
            carets = [" "] * len(signs)
            for low, high in spans:
                inside = [
                    place for place, (_, at) in enumerate(signs) if low <= at < high or at == low == high
                ]
                if inside:
                    shown_line.stylize(BAD, inside[0], inside[-1] + 1)
                    carets[inside[0] : inside[-1] + 1] = "^" * (inside[-1] + 1 - inside[0])
            yield shown_line
            under = "".join(carets).rstrip()
            if under:
                yield Text(under, style=BAD)


def _pieces(text: str, unicode: bool) -> list[Piece]:
    return readable(text) if unicode else [Piece(text, 0, len(text))]


def _lines(pieces: list[Piece]) -> list[list[tuple[str, int]]]:
    """Returns the signs of each line, each with its place in the source."""
    lines: list[list[tuple[str, int]]] = [[]]
    for text, start, end in pieces:
        verbatim = len(text) == end - start
        put_in = start == end
        for offset, sign in enumerate(text):
            if sign == "\n":
                lines.append([])
            elif sign != " " or lines[-1]:
                # Spaces that were put in belong to no part, so that a mark ends with its last sign.
                place = start + offset if verbatim else start
                lines[-1].append((sign, -1 if sign == " " or (put_in and text == " · ") else place))
    return [line for line in lines if line] or [[]]


def _wrapped(line: list[tuple[str, int]], width: int) -> Iterator[list[tuple[str, int]]]:
    """Yields the pieces of a line that fit, broken at spaces; those after the first are indented."""
    room, indent = width, 0
    while len(line) > room:
        at = max((place for place in range(room // 3, room + 1) if line[place][0] == " "), default=room)
        yield [(" ", -1)] * indent + line[:at]
        line = line[at:]
        while line and line[0][0] == " ":
            line = line[1:]
        indent = 4
        room = width - indent
    if line:
        yield [(" ", -1)] * indent + line


def lines(verdict: Verdict, width: int = 100, unicode: bool = True) -> Iterator[Text]:
    """Yields a verdict line by line."""
    latex = unicode and is_latex(verdict.text)
    indent = " " * _INDENT

    def said(sentence: str) -> Text:
        return Text(spoken(sentence, latex))

    def formula(text: str, style: str = "") -> Iterator[Text]:
        for line in _lines(_pieces(text, unicode)):
            for signs in _wrapped(line, width - _INDENT):
                yield Text(indent + "".join(sign for sign, _ in signs), style=style)

    style = GOOD if verdict.holds else UNSURE if verdict.holds is None else BAD
    yield Text(headline(verdict), style=style)
    for reason in reasons(verdict):
        yield said(reason)
    yield Text("")
    for line in marked(verdict, width - _INDENT, unicode):
        yield Text(indent).append_text(line)
    for title, sign, terms in (("Missing", "+", verdict.missing), ("Too many", "-", verdict.surplus)):
        if terms:
            yield Text("")
            yield Text(f"{title}:", style="bold")
            for term in terms:
                yield from formula(f"{sign} {term}" if not term.startswith("-") else term)
    if verdict.corrected:
        yield Text("")
        yield Text("Right would be:", style="bold")
        yield from formula(verdict.corrected, GOOD)
    if verdict.would_hold_if:
        yield Text("")
        for sentence in verdict.would_hold_if:
            yield said(f"It would hold if {sentence}.")
    if verdict.readings:
        yield Text("")
        for reading in verdict.readings:
            what = "holds" if reading.holds else "does not hold"
            yield said(f"It {what} where {reading.says}.")
    yield Text("")
    if verdict.reads_as:
        yield Text(spoken(f"Read as: {verdict.reads_as}", latex), style=FAINT)
    yield Text(f"{verdict.network}; {verdict.notation}; {JUDGED[verdict.judged]}", style=FAINT)


def plain_text(verdict: Verdict, width: int = 100) -> str:
    """Returns a verdict as plain text."""
    return printed(lines(verdict, width), width).removesuffix("\n")


class Shown:
    """A verdict for rich: as wide as the console is."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from lines(self.verdict, options.max_width)


def rich_text(verdict: Verdict) -> Any:
    """Returns one renderable for a terminal."""
    return Shown(verdict)


def print_verdict(verdict: Verdict, console: Console) -> None:
    """Prints a verdict on a console, as wide and as colourful as that is."""
    unicode = shows_unicode(console)
    for line in lines(verdict, console.width, unicode):
        if unicode:
            console.print(line)
        else:
            with console.capture() as captured:
                console.print(line)
            console.file.write(captured.get().encode("ascii", "replace").decode())


def one_line(holds: bool | None, equalities: tuple[Equality, ...]) -> str:
    """Returns a verdict on one line, as a file's equations are listed."""
    if holds:
        return "holds"
    if holds is None:
        return "depends on the reading"
    says = "; ".join(equality.says for equality in equalities if equality.holds is False and equality.says)
    return "does not hold" + (f": {spoken(says, True)}" if says else "")
