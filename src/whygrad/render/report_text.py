"""Reports as text for a terminal: readable at 60 columns, without colour and without Unicode."""

from collections.abc import Iterator
from io import StringIO
from typing import Any

import numpy as np
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from whygrad.render import report_words as words
from whygrad.render.as_text import FAINT, HEADING, shows_unicode, trimmed
from whygrad.report import Report
from whygrad.report.fold import Line, fold
from whygrad.report.record import Numbers, Part
from whygrad.report.verdict import in_conflict

# One hue for each cost; the fill of its bars tells it apart without colour.
HUES = ("cyan", "yellow", "magenta", "green", "blue", "red")
BAD = "bold red"
LINES = 26
# With more costs than these, a line names the longest gradient instead of all.
COLUMNS_UP_TO = 4
# How wide the names of modules are, about.
NAMES = 22


class _Look:
    """How wide a terminal is, and what it can show."""

    def __init__(self, width: int, unicode: bool) -> None:
        self.width, self.unicode = width, unicode
        self.fills = words.FILLS if unicode else words.ASCII_FILLS
        self.mark = words.MARK if unicode else words.ASCII_MARK
        self.dots = "…" if unicode else "..."

    def plain(self, text: str) -> str:
        """Returns text without the signs that ASCII lacks."""
        if self.unicode:
            return text
        for sign, spelled in (("−", "-"), ("…", "..."), ("→", "->")):
            text = text.replace(sign, spelled)
        return text

    def cost(self, k: int) -> str:
        """Returns a cost's fill."""
        return self.fills[k % len(self.fills)]


def hue(k: int) -> str:
    """Returns a cost's colour."""
    return HUES[k % len(HUES)]


def print_report(report: Report, console: Console) -> None:
    """Prints a report on a console, as wide and as colourful as that is."""
    with console.capture() as captured:
        for part in parts(report, _Look(console.width, shows_unicode(console))):
            console.print(part)
    console.file.write(trimmed(captured.get()))


def report_text(report: Report, width: int = 80, unicode: bool = True, color: bool = False) -> str:
    """Returns a report as text of some width."""
    file = StringIO()
    console = Console(
        file=file,
        width=width,
        force_terminal=color,
        no_color=not color,
        color_system="standard" if color else None,
        highlight=False,
    )
    for part in parts(report, _Look(width, unicode)):
        console.print(part)
    return trimmed(file.getvalue())


def parts(report: Report, look: _Look) -> Iterator[Any]:
    """Yields what is printed, from top to bottom."""
    yield Text(words.headline(report), HEADING)
    yield ""
    yield _costs(report, look)
    yield ""
    if report.findings:
        yield Text("In short", HEADING)
        yield from _findings(report, look)
    yield Text("Which cost pulls where" if len(report.costs) > 1 else "The gradient", HEADING)
    yield _tree(report, look)
    yield ""
    if len(report.layers) > 1:
        yield Text("Depth: each cost's derivative by the layers' outputs, first to last", HEADING)
        yield _depth(report, look)
        yield ""
    said = [(units, words.unit_words(units)) for units in report.units]
    said = [(units, text) for units, text in said if text]
    if said:
        yield Text("Activation functions", HEADING)
        yield _units(said, look)
        yield ""
    if report.spectrum is not None:
        yield Text("The gradient by the number of blocks that its paths pass", HEADING)
        yield _spectrum(report, look)
        yield ""
    for note in words.notes(report):
        yield Text(look.plain(note), FAINT)


def _grid(*columns: str) -> Table:
    """Returns a table without lines; its columns are left, ``right``, or left and folded where they are too wide."""
    table = Table.grid(padding=(0, 2))
    for justify in columns:
        table.add_column(
            justify="right" if justify == "right" else "left", no_wrap=justify != "fold", overflow="fold"
        )
    return table


def _bar(shares: Any, width: int, look: _Look) -> Text:
    """Returns one bar that the costs share."""
    made = Text()
    if np.isnan(shares).any():
        return made
    ends = np.round(np.cumsum(shares) * width).astype(int)
    start = 0
    for k, end in enumerate(ends):
        # A share that is there is seen.
        length = max(int(end) - start, 0)
        made.append(look.cost(k) * length, hue(k))
        start = max(start, int(end))
    return made


def _costs(report: Report, look: _Look) -> Padding:
    table = _grid("", "", "right", "right", "right")
    numbers = report.model.numbers
    table.add_row(
        "", Text("cost", FAINT), Text("value", FAINT), Text("norm", FAINT), Text("cosine with sum", FAINT)
    )
    order = list(range(len(report.costs)))
    if len(order) > 12:
        order = sorted(order, key=lambda k: -float(numbers.norms[k]))[:10]
    names, values = list(report.costs), list(report.costs.values())
    for k in order:
        along = "" if len(names) == 1 else words.cosine(float(numbers.along[k]))
        table.add_row(
            Text(look.cost(k) * 2, hue(k)),
            names[k],
            words.norm(values[k]),
            words.norm(float(numbers.norms[k])),
            Text(along, BAD if along.startswith("-") else ""),
        )
    if len(order) < len(names):
        table.add_row("", Text(look.plain(f"… and {len(names) - len(order)} others"), FAINT), "", "", "")
    return Padding(table, (0, 0, 0, 2))


def _findings(report: Report, look: _Look) -> Iterator[Any]:
    for finding in report.findings:
        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True, width=2)
        table.add_column()
        mark = Text(f"{look.mark if finding.kind == 'conflict' else '!' if finding.problem else '-'}")
        if finding.problem:
            mark.stylize(BAD)
        says = look.plain(finding.says)
        table.add_row(mark, Text(f"{says}."))
        for tries in finding.tries:
            table.add_row("", Text.assemble(("try: ", "bold green"), (look.plain(tries), "")))
        yield Padding(table, (0, 0, 0, 1))
        yield ""


def _tree(report: Report, look: _Look) -> Padding:
    costs = list(report.costs)
    many = len(costs)
    wide = many <= COLUMNS_UP_TO
    # What there is room for beside the names and the norms.
    heads_of = [_short(cost) for cost in costs] if wide else ["longest cost", "norm"]
    room = look.width - 2 - NAMES - sum(max(len(head), 9) + 2 for head in heads_of) - 10 * (many > 1)
    cancels = report.model.numbers.total is not None and room >= 9
    room -= 9 * cancels
    paths = report.model.numbers.surprise is not None and room >= 9
    room -= 9 * paths
    bar = many > 1 and wide and room >= 10
    width = min(24, room - 2) if bar else 0
    table = Table.grid(padding=(0, 2))
    table.add_column(overflow="fold", min_width=14)
    heads = [Text("")]
    for k, head in enumerate(heads_of):
        table.add_column(justify="right", no_wrap=True)
        heads.append(Text(look.plain(head), hue(k) if wide else FAINT))
    if bar:
        table.add_column(no_wrap=True, width=width)
        heads.append(Text("share", FAINT))
    if many > 1:
        table.add_column(justify="right", no_wrap=True)
        heads.append(Text("cosine", FAINT))
    if cancels:
        table.add_column(justify="right", no_wrap=True)
        heads.append(Text("cancels", FAINT))
    if paths:
        table.add_column(justify="right", no_wrap=True)
        heads.append(Text("paths", FAINT))
    table.add_row(*heads)

    def cells(numbers: Numbers) -> list[Text]:
        if not numbers.reached.any():
            return [Text("no path", BAD)]
        made: list[Text] = []
        if wide:
            for k in range(many):
                text = words.norm(float(numbers.norms[k])) if numbers.reached[k] else "."
                made.append(Text(text, FAINT if text == "." else ""))
        else:
            top = int(np.nanargmax(numbers.norms))
            made += [Text(_short(costs[top]), hue(top)), Text(words.norm(float(numbers.norms[top])))]
        if bar:
            made.append(_bar(numbers.shares, width, look))
        if many > 1:
            text = words.cosine(words.smallest_cosine(numbers))
            conflict = in_conflict(numbers)
            made.append(Text(f"{text} {look.mark if conflict else ' '}", BAD if conflict else ""))
        if cancels:
            made.append(Text(words.percent(_largest(numbers.cancellation))))
        if paths:
            made.append(Text(words.effective(_largest(numbers.entropy))))
        return made

    whole = report.model
    table.add_row(Text("the model", "bold"), *cells(whole.numbers))
    for line in fold(whole, LINES):
        table.add_row(*_line(line, look, cells))
    return Padding(table, (0, 0, 0, 2))


def _short(name: str, width: int = 12) -> str:
    return name if len(name) <= width else f"{name[: width - 1]}…"


def _largest(values: Any) -> float:
    known = values[np.isfinite(values)]
    return float(known.max()) if len(known) else float("nan")


def _line(line: Line, look: _Look, cells: Any) -> list[Text]:
    indent = "  " * line.depth
    if line.part is None:
        low, high = _range(line.others)
        kind = "other" if len(line.others) == 1 else "others"
        text = f"{indent}{look.dots} and {len(line.others)} {kind}"
        return [Text(text, FAINT), *_range_cells(low, high)]
    name = Text(f"{indent}{line.part.label}", "bold" if line.part.shape is None else "")
    if line.part.shape is not None:
        name.append(f" {'x'.join(map(str, line.part.shape)) or 'scalar'}", FAINT)
    elif line.folded:
        inside = sum(1 for _ in line.part.parameters)
        name.append(f" ({inside})", FAINT)
    return [name, *cells(line.part.numbers)]


def _range(others: tuple[Part, ...]) -> tuple[Any, Any]:
    norms = np.array([part.numbers.norms for part in others])
    return norms.min(axis=0), norms.max(axis=0)


def _range_cells(low: Any, high: Any) -> list[Text]:
    if len(low) > COLUMNS_UP_TO:
        return []
    return [
        Text(f"to {words.norm(float(b))}" if b > a else words.norm(float(b)), FAINT)
        for a, b in zip(low, high, strict=True)
    ]


def _depth(report: Report, look: _Look) -> Padding:
    levels = "▁▂▃▄▅▆▇█" if look.unicode else ".:-=+*#@"
    norms = np.array([layer.norms for layer in report.layers])
    known = norms[np.isfinite(norms) & (norms > 0)]
    low, high = (np.log10(known.min()), np.log10(known.max())) if len(known) else (0.0, 0.0)
    places = np.arange(len(norms))
    room = max(10, look.width - 46)
    if len(places) > room:
        places = np.unique(np.linspace(0, len(places) - 1, room).astype(int))
    table = _grid("", "", "fold")
    costs = list(report.costs)
    order = range(len(costs)) if len(costs) <= 8 else range(6)
    for k in order:
        spark = Text()
        for place in places:
            value = norms[place, k]
            if not np.isfinite(value):
                spark.append(" ")
            elif value == 0:
                spark.append("_", FAINT)
            else:
                share = (np.log10(value) - low) / (high - low) if high > low else 1.0
                spark.append(levels[round(float(share) * (len(levels) - 1))], hue(k))
        reached = [layer for layer in report.layers if np.isfinite(layer.norms[k])]
        ends = ""
        if reached:
            first, last = float(reached[0].norms[k]), float(reached[-1].norms[k])
            ends = f"{words.norm(first)} to {words.norm(last)}"
            if look.width >= 72:
                ends += look.plain(f" ({reached[0].name or 'the model'} → {reached[-1].name or 'the model'})")
        table.add_row(costs[k], spark, Text(ends, FAINT))
    if len(costs) > 8:
        table.add_row(Text(look.plain(f"… and {len(costs) - 6} others"), FAINT), "", "")
    return Padding(table, (0, 0, 0, 2))


def _units(said: list[Any], look: _Look) -> Padding:
    table = Table.grid(padding=(0, 2))
    table.add_column(overflow="fold")
    table.add_column()
    shown = sorted(said, key=lambda pair: -(pair[0].dead + pair[0].silent))[:8]
    for units, text in (pair for pair in said if pair in shown):
        table.add_row(units.name, Text(text, "" if units.dead or units.silent else FAINT))
    if len(said) > len(shown):
        table.add_row(Text(look.plain(f"… and {len(said) - len(shown)} others"), FAINT), "")
    return Padding(table, (0, 0, 0, 2))


def _spectrum(report: Report, look: _Look) -> Padding:
    split = report.spectrum
    assert split is not None
    every, whole = split.all_parts, split.all_whole
    width = max(8, min(28, look.width - 40))
    table = _grid("right", "fold")
    most = every.max() or 1.0
    for blocks in range(every.shape[1]):
        row = Text()
        for k in range(min(every.shape[0], COLUMNS_UP_TO)):
            if k:
                row.append("\n")
            length = round(width * float(every[k, blocks]) / most)
            row.append(look.cost(k) * length, hue(k))
            row.append(f" {words.norm(float(every[k, blocks]))}")
        table.add_row(f"{blocks} block{'s' * (blocks != 1)}", row)
    for k, cost in enumerate(split.costs[:COLUMNS_UP_TO]):
        says = f"norm of the sum {words.norm(float(whole[k]))}, sum of the norms {words.norm(float(every[k].sum()))}"
        table.add_row(Text(cost, hue(k)), Text(says, FAINT))
    return Padding(table, (0, 0, 0, 2))
