"""Reports as text for a terminal: readable at 60 columns, without colour and without Unicode."""

from collections.abc import Iterator, Sequence
from io import StringIO
from typing import Any, Literal, NamedTuple

import numpy as np
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from whygrad.render import report_words as words
from whygrad.render.as_text import FAINT, HEADING, shows_unicode, trimmed
from whygrad.report import Report
from whygrad.report.conflicts import CONFLICT, conflict_inside, in_conflict, worst_pair
from whygrad.report.fold import Line, fold
from whygrad.report.phrases import grouped
from whygrad.report.record import Numbers, Part

# One hue for each cost; the fill of its bars tells it apart without colour.
HUES = ("cyan", "yellow", "magenta", "green", "blue", "red")
BAD = "bold red"
LINES = 26
# With more costs than these, a line names the longest gradient instead of all.
COLUMNS_UP_TO = 4
# Sentences are no wider than this: longer lines are hard to follow.
SENTENCES = 96
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
        for sign, spelled in (
            ("−", "-"),
            ("…", "..."),
            ("→", "->"),
            ("≤", "<="),
            ("≥", ">="),
            (words.MARK, words.ASCII_MARK),
        ):
            text = text.replace(sign, spelled)
        return text

    def cost(self, k: int) -> str:
        """Returns a cost's fill."""
        return self.fills[k % len(self.fills)]

    def short(self, name: str, width: int = 12) -> str:
        """Returns a name, cut where it is too long."""
        return words.short(name, width, self.dots)


class _Columns(NamedTuple):
    """Which columns the tree has: what there is room for."""

    costs: bool
    bar: int
    pair: int
    cancels: bool
    paths: bool


def _columns(report: Report, look: _Look) -> _Columns:
    many, numbers = len(report.costs), report.model.numbers
    each = many <= COLUMNS_UP_TO
    room = look.width - 2 - NAMES - (11 if many > 1 else 0)
    room -= sum(max(len(look.short(cost)), 8) + 2 for cost in report.costs) if each else 25
    cancels = numbers.total is not None and room >= 9
    room -= 9 * cancels
    longest = max(len(a) + len(b) + 2 for a in report.costs for b in report.costs)
    pair = min(longest, room - 2) if many > 2 and room >= 15 else 0
    room -= pair + 2 if pair else 0
    least = 8 if many > 1 and each else 0  # of the bars
    paths = numbers.surprise is not None and room >= 9 + least
    room -= 9 * paths
    bar = min(24, room - 2) if least and room >= least else 0
    return _Columns(each, bar, pair, cancels, paths)


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
    matrix = _matrix(report, look)
    if matrix is not None:
        yield Text("Cosines between the costs, over the shared weights", HEADING)
        yield matrix
        yield ""
    if len(report.layers) > 1:
        title = "Layer by layer: norm of each cost's derivative by the outputs, first to last"
        yield Text(title if look.width >= len(title) else title.replace(", first to last", ""), HEADING)
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
    yield _notes(report, look)


def _notes(report: Report, look: _Look) -> Any:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(max_width=SENTENCES)
    columns = _columns(report, look)
    left_out = {"share": not columns.bar, "cancels": not columns.cancels, "paths": not columns.paths}
    lines = fold(report.model, LINES)
    meanings = dict(words.meanings(report))
    if "layers" in meanings:
        meanings["layers"] = f"one scale for all costs, logarithmic; a gap: no path; {meanings['layers']}"
    if columns.costs and any(line.part and _apart(line.part) for line in lines):
        meanings["."] = "no path from this cost"
    if len(report.costs) > 1 and any(
        line.part and line.folded and conflict_inside(line.part) for line in lines
    ):
        meanings[f"({words.MARK})"] = "two costs pull against each other in a layer of a folded module"
    if any(line.folded for line in lines):
        meanings["(4)"] = "a module with 4 parameters, folded"
    for word, meaning in meanings.items():
        if left_out.get(word):
            continue
        table.add_row(Text(look.plain(word), "bold"), Text(look.plain(meaning), FAINT))
    remarks = [Padding(Text(look.plain(remark), FAINT), (0, 0, 0, 2)) for remark in words.remarks(report)]
    return Group(Padding(table, (0, 0, 0, 2)), *remarks)


def _apart(part: Part) -> bool:
    """Returns whether some costs reach a part and others don't."""
    return bool(part.numbers.reached.any() and not part.numbers.reached.all())


def _grid(*columns: str) -> Table:
    """Returns a table without lines; its columns are left, ``right``, or left and folded where they are too wide."""
    table = Table.grid(padding=(0, 2))
    for justify in columns:
        table.add_column(
            justify="right" if justify == "right" else "left", no_wrap=justify != "fold", overflow="fold"
        )
    return table


def _bar(shares: Any, width: int, look: _Look) -> Text:
    """Returns one bar that the costs share; a share of less than half a sign is not seen."""
    made = Text()
    if np.isnan(shares).any():
        return made
    ends = np.round(np.cumsum(shares) * width).astype(int)
    start = 0
    for k, end in enumerate(ends):
        length = max(int(end) - start, 0)
        made.append(look.cost(k) * length, hue(k))
        start = max(start, int(end))
    return made


def _costs(report: Report, look: _Look) -> Padding:
    names, values, numbers = list(report.costs), list(report.costs.values()), report.model.numbers
    several = len(names) > 1
    # The fills are the key to the bars.
    fills = _columns(report, look).bar > 0
    table = _grid(*([""] if fills else []), "", "right", "right", *(["right"] if several else []))
    # Beside a name there are two numbers, a cosine and perhaps a fill.
    room = max(12, look.width - 24 - 17 * several - 4 * fills)
    heads = [*([""] if fills else []), "cost", "value", "norm", *(["cosine with sum"] if several else [])]
    table.add_row(*(Text(head, FAINT) for head in heads))
    order = list(range(len(names)))
    if len(order) > 12:
        order = sorted(order, key=lambda k: -float(numbers.norms[k]))[:10]
    for k in order:
        cells = [
            Text(look.short(names[k], room), hue(k)),
            _number(values[k]),
            _number(float(numbers.norms[k])),
        ]
        if fills:
            cells.insert(0, Text(look.cost(k) * 2, hue(k)))
        if several:
            along = float(numbers.along[k])
            cells.append(Text(look.plain(words.cosine(along)), BAD if along < 0 else ""))
        table.add_row(*cells)
    if len(order) < len(names):
        left = Text(look.plain(f"… and {len(names) - len(order)} others"), FAINT)
        table.add_row(*([""] if fills else []), left)
    return Padding(table, (0, 0, 0, 2))


def _number(value: float) -> Text:
    return Text(words.norm(value), "" if np.isfinite(value) else BAD)


def _findings(report: Report, look: _Look) -> Iterator[Any]:
    for finding in report.findings:
        mark = look.mark if finding.kind == "conflict" else "!" if finding.problem else "-"
        tries = [look.plain(tries) for tries in finding.tries]
        yield from _said(Text(mark, BAD if finding.problem else ""), f"{look.plain(finding.says)}.", tries)
    sound = words.sound(report)
    if sound:
        yield from _said(Text("-"), f"{sound}.", ())


def _said(mark: Text, says: str, tries: Sequence[str]) -> Iterator[Any]:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True, width=2)
    table.add_column(max_width=SENTENCES, overflow="fold")
    table.add_row(mark, Text(says))
    for each in tries:
        table.add_row("", Text.assemble(("try: ", "bold green"), (each, "")))
    yield Padding(table, (0, 0, 0, 1))
    yield ""


def _tree(report: Report, look: _Look) -> Padding:
    costs, columns = list(report.costs), _columns(report, look)
    whole, shared = report.model, words.shared_row(report)
    many, idle = len(costs), words.idle(report)
    table = Table.grid(padding=(0, 2))
    heads = [Text("")]
    table.add_column(overflow="fold", min_width=14)

    def column(head: Text, justify: Literal["left", "right"] = "right", width: int | None = None) -> None:
        table.add_column(justify=justify, no_wrap=True, width=width)
        heads.append(head)

    if columns.costs:
        for k, cost in enumerate(costs):
            column(Text(look.short(cost), hue(k)))
    else:
        column(Text("longest cost", FAINT), "left")
        column(Text("norm", FAINT))
    if columns.bar:
        column(Text("share", FAINT), "left", columns.bar)
    if many > 1:
        column(Text("cosine", FAINT), "left")
    if columns.pair:
        column(Text("of", FAINT), "left", columns.pair)
    if columns.cancels:
        column(Text("cancels", FAINT))
    if columns.paths:
        column(Text("paths", FAINT))
    table.add_row(*heads)

    lines = fold(whole, LINES)
    inside = {line.part.name for line in lines if line.part and line.folded and conflict_inside(line.part)}

    def cells(numbers: Numbers, name: str = "") -> list[Text]:
        if not numbers.reached.any():
            return [Text("no path", BAD)]
        made: list[Text] = []
        if columns.costs:
            for k in range(many):
                norm = float(numbers.norms[k])
                made.append(_number(norm) if numbers.reached[k] else Text(".", FAINT))
        else:
            top = int(np.nanargmax(numbers.norms))
            made += [Text(look.short(costs[top]), hue(top)), _number(float(numbers.norms[top]))]
        if columns.bar:
            made.append(_bar(numbers.shares, columns.bar, look))
        worst = words.worst(numbers, costs)
        conflict = in_conflict(numbers) and name not in idle
        if many > 1:
            text = look.plain(worst.cosine)
            mark = look.mark if conflict else f"({look.mark})" if name in inside else ""
            made.append(Text(f"{text:>5} {mark}", BAD if conflict else ""))
        if columns.pair:
            made.append(Text(look.short(worst.names, columns.pair), "" if conflict else FAINT))
        if columns.cancels:
            made.append(Text(words.percent(words.largest(numbers.cancellation))))
        if columns.paths:
            made.append(Text(words.effective(words.largest(numbers.entropy))))
        return made

    table.add_row(Text("the model", "bold"), *cells(whole.numbers))
    if shared is not None:
        table.add_row(Text("shared weights", "bold"), *cells(shared))
    for line in lines:
        table.add_row(*_line(line, look, cells, columns))
    return Padding(table, (0, 0, 0, 2))


def _line(line: Line, look: _Look, cells: Any, columns: _Columns) -> list[Any]:
    indent = (0, 0, 0, 2 * line.depth)  # of all lines that a long name takes
    if line.part is None:
        kind = "other" if len(line.others) == 1 else "others"
        text = Text(f"{look.dots} and {len(line.others)} {kind}", FAINT)
        return [Padding(text, indent), *_range_cells(line.others, look, columns)]
    name = Text(line.part.label, "bold" if line.part.shape is None else "")
    if line.part.shape is not None:
        name.append(f" {'x'.join(map(str, line.part.shape)) or 'scalar'}", FAINT)
    elif line.folded:
        name.append(f" ({grouped(sum(1 for _ in line.part.parameters))})", FAINT)
    return [Padding(name, indent), *cells(line.part.numbers, line.part.name)]


def _range_cells(others: tuple[Part, ...], look: _Look, columns: _Columns) -> list[Text]:
    """Returns, of parts that share a line, the longest norms and the smallest cosine."""
    norms = np.array([part.numbers.norms for part in others]).max(axis=0)
    if not columns.costs:
        return []
    made = [Text(look.plain(f"≤ {words.norm(float(norm))}"), FAINT) for norm in norms]
    if columns.bar:
        made.append(Text(""))
    cosines = [found[0] for part in others if (found := worst_pair(part.numbers))]
    if cosines:
        conflict = min(cosines) < CONFLICT
        made.append(
            Text(look.plain(f"≥ {words.cosine(min(cosines)):>5} {words.MARK if conflict else ' '}"), FAINT)
        )
    return made


def _matrix(report: Report, look: _Look) -> Padding | None:
    """Returns the cosines of each cost with those before it; nothing where there are too few, or too many to fit."""
    names, shared = list(report.costs), report.model.shared
    room = look.width - 8 - 7 * (len(names) - 1)
    if not words.FEWEST_IN_MATRIX <= len(names) <= words.MOST_IN_MATRIX or shared is None or room < 8:
        return None
    table = _grid("right", "", *["right"] * (len(names) - 1))
    table.padding = (0, 1)
    table.add_row("", "", *(Text(str(k + 1), FAINT) for k in range(len(names) - 1)))
    for k, name in enumerate(names):
        row = [Text(str(k + 1), FAINT), Text(look.short(name, room), hue(k))]
        for j in range(k):
            value = float(shared.cosines[k, j])
            row.append(Text(look.plain(words.cosine(value)), BAD if value < CONFLICT else ""))
        table.add_row(*row)
    return Padding(table, (0, 0, 0, 2))


def _depth(report: Report, look: _Look) -> Padding:
    levels = "▁▂▃▄▅▆▇█" if look.unicode else ".:-=+*#@"
    norms = np.array([layer.norms for layer in report.layers])
    known = norms[np.isfinite(norms) & (norms > 0)]
    low, high = (np.log10(known.min()), np.log10(known.max())) if len(known) else (0.0, 0.0)
    places = np.arange(len(norms))
    room, named = max(10, look.width - 46), max(12, look.width // 4)
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
            ends = f"{words.norm(first)} to {words.norm(last)}" if len(reached) > 1 else words.norm(first)
            whole = look.plain(f"{ends} ({' → '.join(dict.fromkeys((reached[0].name, reached[-1].name)))})")
            if reached[0].name and len(whole) <= look.width - 6 - len(spark) - min(
                named, max(map(len, costs))
            ):
                ends = whole
        table.add_row(look.short(costs[k], named), spark, Text(ends, FAINT))
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
