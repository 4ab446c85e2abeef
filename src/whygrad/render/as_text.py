"""Derivations as text for a terminal, with rich: readable at 80 columns, without colour and without Unicode."""

import re
from textwrap import wrap

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from whygrad.derive.derivation import Derivation, Grid, Groups, Layerwise, PathRow, Step, Words
from whygrad.derive.spelling import Math, spaced
from whygrad.render.checks import checks, checks_title, lists_costs, number, percent
from whygrad.render.terminal import printed, shows_unicode, trimmed

MATH, VALUE, FAINT, HEADING = "cyan", "bold", "dim", "bold"
GAIN, LOSS = "green", "red"


class Style:
    """How much a terminal can show.

    Args:
        unicode: Whether it can show more than ASCII.
    """

    def __init__(self, unicode: bool) -> None:
        self.unicode = unicode

    def math(self, math: Math, style: str = MATH) -> Text:
        """Returns a piece of mathematics."""
        return Text(math.unicode if self.unicode else math.ascii, style=style)

    def words(self, words: Words) -> Text:
        """Returns words with the mathematics in them marked."""
        made = Text()
        for piece in words:
            made.append(self.math(piece) if isinstance(piece, Math) else Text(self.plain(piece)))
        return made

    def plain(self, text: str) -> str:
        """Returns a text without the few signs that ASCII lacks."""
        if self.unicode:
            return text
        for sign, spelled in (("→", "->"), ("·", "*"), ("≈", "~"), ("…", "..."), ("Σ", "sum "), ("ᵀ", "^T")):
            text = text.replace(sign, spelled)
        return text


def short(value: float) -> str:
    """Returns a factor to four digits, in parentheses where it is negative."""
    text = "0" if value == 0 else f"{value:.4g}"
    return f"({text})" if value < 0 else text


def print_derivation(derivation: Derivation, console: Console) -> None:
    """Prints a derivation on a console, as wide and as colourful as that is."""
    with console.capture() as captured:
        for part in parts(derivation, Style(shows_unicode(console))):
            console.print(part)
    console.file.write(trimmed(captured.get()))


def derivation_text(
    derivation: Derivation, width: int = 80, unicode: bool = True, color: bool = False
) -> str:
    """Returns a derivation as text of some width."""
    return printed(parts(derivation, Style(unicode)), width, color)


def parts(d: Derivation, style: Style) -> list[object]:
    """Returns what is printed, from top to bottom."""
    made: list[object] = [_heading(d, style), ""]
    for words in d.words:
        made += [style.words(words), ""]
    if lists_costs(d):
        made += [Text("Each cost by itself", HEADING), _costs(d, style), ""]
    for place, step in enumerate(d.steps, 1):
        made += [_step(place, step, style), ""]
    if d.paths.count:
        made += [_paths_title(d), PathLines(d, style), ""]
    made += [_checks(d, style), ""]
    if d.groups:
        made += [Text("The paths by the neuron that they pass", HEADING)]
        for group in d.groups:
            made += [_group(group, style), ""]
    if d.layerwise:
        made += [
            Text("The same in whole layers", HEADING),
            *(Padding(LayerLine(line, style), (0, 0, 0, 3)) for line in d.layerwise),
            "",
        ]
    for words in d.notes:
        made.append(_note(style.words(words)))
    made.append(_note(Text(f"Network: {d.network}. Notation: {d.notation}.")))
    return made


def _note(words: Text) -> Table:
    words.stylize(FAINT)
    table = Table.grid(padding=(0, 1))
    table.add_row(Text("note", FAINT), words)
    return table


def _heading(d: Derivation, style: Style) -> Text:
    made = style.math(d.heading, "bold cyan")
    made.append(" = ", style="default")
    made.append(number(d.value), style=VALUE)
    return made


def _costs(d: Derivation, style: Style) -> Padding:
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="left")
    table.add_column(justify="right")
    table.add_column()
    for name, value in d.costs.items():
        reason = style.words(d.cost_reasons.get(name, ()))
        reason.stylize(FAINT)
        table.add_row(style.math(d.cost_maths[name]), Text(number(value), VALUE), reason)
    table.add_row(Text("sum", FAINT), Text(number(sum(d.costs.values())), VALUE), "")
    return Padding(table, (0, 0, 0, 3))


def _step(place: int, step: Step, style: Style) -> Group:
    title = Text(f"{place}. {step.title}", HEADING)
    lines: list[RenderableType] = [title, Padding(style.words(step.says), (0, 0, 0, 3))]
    lines += [MathLine(style.math(line.math)) for line in step.lines]
    return Group(*lines)


class MathLine:
    """An equation on a line of its own; where it is too long, what follows is set in further."""

    def __init__(self, math: Text) -> None:
        self._math = math

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        plain = self._math.plain
        indent = len(plain) - len(plain.lstrip())
        lead = " " * (5 + indent)
        for line in broken(plain.strip(), max(options.max_width, 40) - len(lead) - 4):
            yield Text(f"{lead}{line}", self._math.style, no_wrap=True, overflow="ignore")
            lead = " " * (9 + indent)


def broken(equation: str, width: int) -> list[str]:
    """Returns an equation on several lines, broken before an operator: a plus or minus rather than a times.

    Example:
        >>> broken("d total/da = w * d total/db + v * d total/dc", 30)
        ['d total/da = w * d total/db', '+ v * d total/dc']
    """
    pieces: list[str] = []
    for term in re.split(r" (?=[-+=~≈] )", equation):
        pieces += [term] if cell_len(term) <= width else re.split(r" (?=[·*] )", term)
    lines: list[str] = []
    for piece in pieces:
        if lines and cell_len(lines[-1]) + 1 + cell_len(piece) <= width:
            lines[-1] += f" {piece}"
        else:
            lines += wrap(piece, width, break_long_words=False, break_on_hyphens=False)
    return lines


def _paths_title(d: Derivation) -> Text:
    many = d.paths.count
    what = "The one path" if many == 1 else f"The {spaced(many)} paths"
    if d.paths.apart:
        what += ", each example's apart"
    if d.paths.others:
        what += f", the {len(d.paths.rows)} strongest first"
    elif many > 1:
        what += ", strongest first"
    return Text(what, HEADING)


class PathLines:
    """The table of paths: one line a path where there is room, two where not."""

    def __init__(self, derivation: Derivation, style: Style) -> None:
        self._derivation, self._style = derivation, style

    def _path(self, row: PathRow) -> str:
        arrow = " → " if self._style.unicode else " -> "
        path = arrow.join(math.unicode if self._style.unicode else math.ascii for math in row.maths)
        return path if row.example is None else f"{path} (example {row.example})"

    def _product(self, row: PathRow) -> str:
        times = " · " if self._style.unicode else " * "
        return times.join(short(value) for _, value in row.factors)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        rows = self._derivation.paths.rows
        paths = [self._path(row) for row in rows]
        products = [self._product(row) for row in rows]
        widest = max(map(cell_len, paths)), max(map(cell_len, products))
        one_line = sum(widest) + 36 <= options.max_width
        table = Table.grid(padding=(0, 2))
        table.add_column(overflow="fold")
        if one_line:
            table.add_column(justify="right")
        table.add_column(justify="right", no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(no_wrap=True, width=9)
        largest = max(abs(row.share) for row in rows) or 1.0
        for row, path, product in zip(rows, paths, products, strict=True):
            colour = GAIN if row.contribution > 0 else LOSS if row.contribution < 0 else FAINT
            bar = Text(self._bar(row.share / largest), colour)
            below = f"\n  {product}" if product else ""
            shown = [Text(path, MATH)] if one_line else [Text(path, MATH) + Text(below, FAINT)]
            if one_line:
                shown.append(Text(product, FAINT))
            table.add_row(
                *shown,
                Text(number(row.contribution), colour),
                Text(percent(row.share), FAINT),
                bar,
            )
        yield Padding(table, (0, 0, 0, 3))
        others = self._derivation.paths.others
        if others:
            kind = "other" if others == 1 else "others"
            yield Padding(
                Text(
                    f"and {spaced(others)} {kind}, together {number(self._derivation.paths.others_sum)}",
                    FAINT,
                ),
                (0, 0, 0, 3),
            )

    def _bar(self, share: float) -> str:
        length = max(1, round(8 * abs(share))) if share else 0
        # The sign is in the shape too, for those who can't tell the colours apart.
        return (
            ("█" if share > 0 else "▒") * length
            if self._style.unicode
            else ("+" if share > 0 else "-") * length
        )


def _checks(d: Derivation, style: Style) -> Group:
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    for name, value, says in checks(d):
        table.add_row(style.plain(name), Text(value, VALUE), Text(style.plain(says), FAINT))
    return Group(Text(checks_title(d), HEADING), Padding(table, (0, 0, 0, 3)))


def _group(group: Groups, style: Style) -> Padding:
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    table.add_column(justify="right")
    for name, many, value in group.rows:
        paths = "1 path" if many == 1 else f"{spaced(many)} paths"
        table.add_row(Text("through ") + style.math(name), Text(paths, FAINT), Text(number(value), VALUE))
    return Padding(table, (0, 0, 0, 3))


class LayerLine:
    """One line of the layer-wise form: its equation, and its result beside it where there is room."""

    def __init__(self, line: Layerwise, style: Style) -> None:
        self._line, self._style = line, style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        equation = self._style.math(self._line.math)
        if self._line.result is None:
            yield equation
            return
        shown, transposed = _grid(self._line.result)
        if len(shown) > 1:
            yield equation
            for row in shown:
                yield Padding(row, (0, 0, 0, 2))
            return
        mark = ("ᵀ" if self._style.unicode else "^T") if transposed else ""
        result = self._style.math(self._line.name, FAINT) + Text(f"{mark} = ", FAINT) + shown[0]
        if equation.plain == f"{self._style.math(self._line.name).plain}":
            yield result
        elif equation.cell_len + 3 + result.cell_len <= options.max_width:
            yield equation + Text("   ") + result
        else:
            yield equation
            yield Padding(result, (0, 0, 0, 2))


def _grid(grid: Grid) -> tuple[list[Text], bool]:
    """Returns the rows of a small matrix, the marked entry in arrows; columns lie down, as the second result says."""
    column = len(grid.values[0]) == 1
    values = (tuple(row[0] for row in grid.values),) if column else grid.values
    marked = (grid.marked[1], grid.marked[0]) if grid.marked and column else grid.marked
    alone = len(values) == 1
    texts = [["0" if value == 0 else f"{value:.4g}" for value in row] for row in values]
    width = 0 if alone else max(len(text) for row in texts for text in row) + 2
    rows = []
    for i, row in enumerate(texts):
        made = Text("[" if alone else "", FAINT)
        for j, text in enumerate(row):
            here = (i, j) == marked
            cell = f">{text}<" if here else f" {text} "
            made.append(cell.rjust(width), style="bold magenta" if here else "default")
        rows.append(made + Text("]" if alone else "", FAINT))
    return rows, column
