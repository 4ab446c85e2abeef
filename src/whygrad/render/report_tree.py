"""The tree of a printed report: a line for each module, with what each cost does to it."""

from typing import Any, NamedTuple

import numpy as np
from rich.console import JustifyMethod
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from whygrad.render import report_words as words
from whygrad.render.as_text import FAINT
from whygrad.render.report_look import BAD, Look, bar, broken, hue, number
from whygrad.report import Report
from whygrad.report.conflicts import CONFLICT, conflict_inside, in_conflict, worst_pair
from whygrad.report.fold import Line, fold
from whygrad.report.phrases import grouped
from whygrad.report.record import Numbers, Part

LINES = 26
# How wide the names of modules are, about.
NAMES = 22


class Columns(NamedTuple):
    """Which columns the tree has: what there is room for."""

    costs: bool
    bar: int
    pair: int
    cancels: bool
    paths: bool
    names: int


class Layout(NamedTuple):
    """How a report's tree is laid out.

    Args:
        lines: Its lines, folded to as many as can be read.
        inside: The folded modules in a layer of which two costs pull against each other.
        columns: The columns that there is room for.
        no_room: What the others show, in words.
    """

    lines: list[Line]
    inside: set[str]
    columns: Columns
    no_room: list[str]


def laid_out(report: Report, look: Look) -> Layout:
    """Returns how the tree is laid out in the room that there is."""
    lines = fold(report.model, LINES)
    inside = {line.part.name for line in lines if line.part and line.folded and conflict_inside(line.part)}
    columns = _columns(report, look, bool(inside))
    return Layout(lines, inside, columns, _no_room(report, columns))


def _no_room(report: Report, columns: Columns) -> list[str]:
    """Returns what there is no room for, in words."""
    many, numbers = len(report.costs), report.model.numbers
    said = (
        ("each cost's share", columns.costs and many > 1 and not columns.bar),
        ("the two costs of each cosine", many > 2 and not columns.pair),
        ("how much cancels", numbers.total is not None and not columns.cancels),
        ("numbers of paths", numbers.surprise is not None and not columns.paths),
    )
    return [what for what, missing in said if missing]


def _columns(report: Report, look: Look, inside: bool) -> Columns:
    many, numbers = len(report.costs), report.model.numbers
    each = many <= words.COSTS_IN_COLUMNS
    # "−0.36 ⇄", or "−0.05 (⇄)" where there is one, and two spaces before it
    cosine = 0 if many == 1 else 11 if inside else 9
    room = look.width - 2 - NAMES - cosine
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
    room -= bar + 2 if bar else 0
    return Columns(each, bar, pair, cancels, paths, NAMES + max(0, room))


def tree(report: Report, look: Look, layout: Layout) -> Padding:
    """Returns the tree as a table."""
    rows = _Rows(report, look, layout)
    table, shared = rows.table(), words.shared_row(report)
    table.add_row(Text("the model", "bold"), *rows.cells(report.model.numbers))
    if shared is not None:
        table.add_row(Text("shared weights", "bold"), *rows.cells(shared))
    for line in layout.lines:
        table.add_row(*rows.line(line))
    return Padding(table, (0, 0, 0, 2))


class _Rows:
    """The rows of the tree."""

    def __init__(self, report: Report, look: Look, layout: Layout) -> None:
        self._costs, self._idle, self._look = list(report.costs), words.idle(report), look
        self._inside, self._columns = layout.inside, layout.columns

    def table(self) -> Table:
        """Returns a table with the columns and their heads."""
        columns = self._columns
        every: list[tuple[Text, JustifyMethod, int | None]] = []
        if columns.costs:
            every += [
                (Text(self._look.short(cost), hue(k)), "right", None) for k, cost in enumerate(self._costs)
            ]
        else:
            every += [(Text("longest cost", FAINT), "left", None), (Text("norm", FAINT), "right", None)]
        if columns.bar:
            every.append((Text("share", FAINT), "left", columns.bar))
        if len(self._costs) > 1:
            every.append((Text("cosine", FAINT), "left", None))
        if columns.pair:
            every.append((Text("of", FAINT), "left", columns.pair))
        if columns.cancels:
            every.append((Text("cancels", FAINT), "right", None))
        if columns.paths:
            every.append((Text("paths", FAINT), "right", None))
        table = Table.grid(padding=(0, 2))
        table.add_column(overflow="fold", min_width=14)
        for _, justify, width in every:
            table.add_column(justify=justify, no_wrap=True, width=width)
        table.add_row(Text(""), *(head for head, _, _ in every))
        return table

    def cells(self, numbers: Numbers, name: str = "") -> list[Text]:
        """Returns what each cost does to a part."""
        columns, look = self._columns, self._look
        if not numbers.reached.any():
            return [Text("no path", BAD)]
        made: list[Text] = []
        if columns.costs:
            for k, norm in enumerate(numbers.norms):
                made.append(number(float(norm)) if numbers.reached[k] else Text(".", FAINT))
        else:
            top = words.longest(numbers)
            made += [Text(look.short(self._costs[top]), hue(top)), number(float(numbers.norms[top]))]
        if columns.bar:
            made.append(bar(numbers.shares, columns.bar, look))
        worst = words.worst(numbers, self._costs)
        conflict = in_conflict(numbers) and name not in self._idle
        if len(self._costs) > 1:
            mark = look.mark if conflict else f"({look.mark})" if name in self._inside else ""
            made.append(Text(f"{look.plain(worst.cosine):>5} {mark}", BAD if conflict else ""))
        if columns.pair:
            made.append(Text(look.both(worst.names, columns.pair), "" if conflict else FAINT))
        if columns.cancels:
            made.append(Text(words.percent(words.largest(numbers.cancellation))))
        if columns.paths:
            made.append(Text(words.effective(words.largest(numbers.entropy))))
        return made

    def line(self, line: Line) -> list[Any]:
        """Returns the cells of one line, its name first."""
        indent = (0, 0, 0, 2 * line.depth)  # of all lines that a long name takes
        if line.part is None:
            kind = "other" if len(line.others) == 1 else "others"
            text = Text(f"{self._look.dots} and {len(line.others)} {kind}", FAINT)
            return [Padding(text, indent), *self._range_cells(line.others)]
        label = broken(line.part.label, max(8, self._columns.names - 2 * line.depth))
        name = Text(label, "bold" if line.part.shape is None else "")
        if line.part.shape is not None:
            name.append(f" {'x'.join(map(str, line.part.shape)) or 'scalar'}", FAINT)
        elif line.folded:
            name.append(f" ({grouped(sum(1 for _ in line.part.parameters))})", FAINT)
        return [Padding(name, indent), *self.cells(line.part.numbers, line.part.name)]

    def _range_cells(self, others: tuple[Part, ...]) -> list[Text]:
        """Returns, of parts that share a line, the longest norms and the smallest cosine."""
        plain = self._look.plain
        if not self._columns.costs:
            return []
        norms = np.array([part.numbers.norms for part in others]).max(axis=0)
        made = [Text(plain(f"≤ {words.norm(float(norm))}"), FAINT) for norm in norms]
        if self._columns.bar:
            made.append(Text(""))
        cosines = [found[0] for part in others if (found := worst_pair(part.numbers))]
        if cosines:
            mark = words.MARK if min(cosines) < CONFLICT else " "
            made.append(Text(plain(f"≥ {words.cosine(min(cosines)):>5} {mark}"), FAINT))
        return made
