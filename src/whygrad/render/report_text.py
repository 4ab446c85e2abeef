"""Reports as text for a terminal: readable at 60 columns, without colour and without Unicode."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from whygrad.render import report_words as words
from whygrad.render.as_text import FAINT, HEADING
from whygrad.render.branches_text import SPECTRUM, level, spectrum_table
from whygrad.render.report_look import BAD, SENTENCES, Look, grid, hue, number
from whygrad.render.report_tree import Layout, laid_out, tree
from whygrad.render.terminal import printed, shows_unicode, trimmed
from whygrad.report import Report
from whygrad.report.conflicts import CONFLICT, WORSE
from whygrad.report.phrases import OWN, listed
from whygrad.report.record import Part

# Of more costs than these, some share a line.
MANY = 12


def print_report(report: Report, console: Console) -> None:
    """Prints a report on a console, as wide and as colourful as that is."""
    with console.capture() as captured:
        for part in parts(report, Look(console.width, shows_unicode(console))):
            console.print(part)
    console.file.write(trimmed(captured.get()))


def report_text(report: Report, width: int = 80, unicode: bool = True, color: bool = False) -> str:
    """Returns a report as text of some width."""
    return printed(parts(report, Look(width, unicode)), width, color)


def parts(report: Report, look: Look) -> Iterator[Any]:
    """Yields what is printed, from top to bottom."""
    layout = laid_out(report, look)
    yield Text(words.headline(report), HEADING)
    yield ""
    yield _costs(report, look, layout)
    yield ""
    if report.findings:
        yield Text("In short", HEADING)
        yield from _findings(report, look)
    yield Text("Which cost pulls where" if len(report.costs) > 1 else "The gradient", HEADING)
    yield tree(report, look, layout)
    yield ""
    matrix = _matrix(report, look)
    if matrix is not None:
        yield Text("Cosines between the costs, over the shared weights", HEADING)
        yield matrix
        yield ""
    if len(report.layers) > 1:
        title = "Layer by layer: norm of each cost's derivative by the layers' outputs"
        yield Text(title if look.width >= len(title) else title.replace("layers' ", ""), HEADING)
        yield _depth(report, look)
        yield ""
    said = [(units, words.unit_words(units)) for units in report.units]
    said = [(units, text) for units, text in said if text]
    if said:
        yield Text("Activation functions", HEADING)
        yield _units(said, look)
        yield ""
    if report.spectrum is not None:
        yield Text(SPECTRUM, HEADING)
        text = spectrum_table(report.spectrum, look.width - 2, look.fills[0], look.levels)
        yield Padding(Text(look.plain(text)), (0, 0, 0, 2))
        yield ""
    yield _notes(report, look, layout)


def _notes(report: Report, look: Look, layout: Layout) -> Any:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(max_width=SENTENCES)
    lines, columns = layout.lines, layout.columns
    there = {"share": columns.bar, "cancels": columns.cancels, "paths": columns.paths}
    meanings = {word: says for word, says in words.meanings(report) if there.get(word, True)}
    if columns.bar:
        meanings["share"] += "; each has a sign at least"
    if "layers" in meanings:
        said = ["one scale for all costs, logarithmic", "a gap: no path"]
        if any((layer.norms == 0).any() for layer in report.layers):
            said.append("_: 0")
        if len(report.layers) > look.width - 30:
            said.append("where there are many, neighbours share a sign")
        meanings["layers"] = "; ".join(
            [meanings["layers"], *said, "then the norms at the first and the last layer"]
        )
    if columns.costs and any(line.part and _apart(line.part) for line in lines):
        meanings["."] = "no path from this cost"
    if layout.inside:
        meanings[f"({words.MARK})"] = "two costs pull against each other in a layer of a folded module"
    if any(line.folded for line in lines):
        meanings["(4)"] = "a module with 4 parameters, folded"
    for word, meaning in meanings.items():
        table.add_row(Text(look.plain(word), "bold"), look.sentence(meaning, FAINT))
    said = words.remarks(report)
    if layout.no_room:
        said.insert(0, f"In a wider terminal there are also {listed(layout.no_room, 4)}.")
    remarks = [Padding(look.sentence(remark, FAINT), (0, 0, 0, 2)) for remark in said]
    return Group(Padding(table, (0, 0, 0, 2)), *remarks)


def _apart(part: Part) -> bool:
    """Returns whether some costs reach a part and others don't."""
    return bool(part.numbers.reached.any() and not part.numbers.reached.all())


def _costs(report: Report, look: Look, layout: Layout) -> Padding:
    names, values, numbers = list(report.costs), list(report.costs.values()), report.model.numbers
    several = len(names) > 1
    # The fills are the key to the bars.
    fills = layout.columns.bar > 0
    table = grid(*([""] if fills else []), "", "right", "right", *(["right"] if several else []))
    # Beside a name there are two numbers, a cosine and perhaps a fill.
    room = max(12, look.width - 24 - 17 * several - 4 * fills)
    heads = [*([""] if fills else []), "cost", "value", "norm", *(["cosine with sum"] if several else [])]
    table.add_row(*(Text(head, FAINT) for head in heads))
    order = list(range(len(names)))
    if len(order) > MANY:
        order = sorted(order, key=lambda k: -float(numbers.norms[k]))[: MANY - 2]
    for k in order:
        cells = [
            Text(look.short(names[k], room), hue(k)),
            number(values[k]),
            number(float(numbers.norms[k])),
        ]
        if fills:
            cells.insert(0, Text(look.cost(k) * 2, hue(k)))
        if several:
            along = float(numbers.along[k])
            cells.append(Text(look.plain(words.cosine(along)), BAD if along < WORSE else ""))
        table.add_row(*cells)
    if len(order) < len(names):
        left = Text(look.plain(f"… and {len(names) - len(order)} others"), FAINT)
        table.add_row(*([""] if fills else []), left)
    return Padding(table, (0, 0, 0, 2))


def _findings(report: Report, look: Look) -> Iterator[Any]:
    for finding in report.findings:
        mark = look.mark if finding.kind == "conflict" else "!" if finding.problem else "-"
        yield from _said(look, Text(mark, BAD if finding.problem else ""), finding.says, finding.tries)
    sound = words.sound(report)
    if sound:
        yield from _said(look, Text("-"), sound, ())


def _said(look: Look, mark: Text, says: str, tries: Sequence[str]) -> Iterator[Any]:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True, width=2)
    table.add_column(max_width=SENTENCES, overflow="fold")
    table.add_row(mark, look.sentence(f"{says}."))
    for each in tries:
        table.add_row("", Text.assemble(("try: ", "bold green"), look.sentence(each)))
    yield Padding(table, (0, 0, 0, 1))
    yield ""


def _matrix(report: Report, look: Look) -> Padding | None:
    """Returns the cosines of each cost with those before it; nothing where there are too few, or too many to fit."""
    names, shared = list(report.costs), report.model.shared
    room = look.width - 8 - 7 * (len(names) - 1)
    if not words.FEWEST_IN_MATRIX <= len(names) <= words.MOST_IN_MATRIX or shared is None or room < 8:
        return None
    cosines = words.met_cosines(shared)
    table = grid("right", "", *["right"] * (len(names) - 1))
    table.padding = (0, 1)
    table.add_row("", "", *(Text(str(k + 1), FAINT) for k in range(len(names) - 1)))
    for k, name in enumerate(names):
        row = [Text(str(k + 1), FAINT), Text(look.short(name, room), hue(k))]
        for j in range(k):
            value = float(cosines[k, j])
            row.append(Text(look.plain(words.cosine(value)), BAD if value < CONFLICT else ""))
        table.add_row(*row)
    return Padding(table, (0, 0, 0, 2))


def _depth(report: Report, look: Look) -> Padding:
    shown = list(report.costs)[: MANY if len(report.costs) <= MANY else MANY - 2]
    every = np.array([layer.norms for layer in report.layers]).T[: len(shown)]
    known = every[np.isfinite(every) & (every > 0)]
    low, high = (np.log10(known.min()), np.log10(known.max())) if len(known) else (0.0, 0.0)
    costs = [look.short(name, max(12, look.width // 4)) for name in shown]
    # Two columns before the table, and two between its three.
    room = look.width - 6 - max(map(len, costs))
    ends = [_ends(report, k, look) for k in range(len(shown))]
    if len(report.layers) + max(len(norms + names) for norms, names in ends) > room:
        ends = [(norms, "") for norms, _ in ends]
    signs = max(10, room - max(len(norms) for norms, _ in ends))
    table = grid("", "", "fold")
    for k, name in enumerate(costs):
        spark = Text()
        for value in joined(every[k], signs):
            if not np.isfinite(value):
                spark.append(" ")
            elif value == 0:
                spark.append("_", FAINT)
            else:
                share = (np.log10(value) - low) / (high - low) if high > low else 1.0
                spark.append(level(float(share), look.levels), hue(k))
        table.add_row(Text(name), spark, Text("".join(ends[k]), FAINT))
    if len(shown) < len(report.costs):
        table.add_row(Text(look.plain(f"… and {len(report.costs) - len(shown)} others"), FAINT), "", "")
    return Padding(table, (0, 0, 0, 2))


def _ends(report: Report, k: int, look: Look) -> tuple[str, str]:
    """Returns the norms of a cost's derivative at the first layer and at the last one that has any, and their names."""
    layers = [layer for layer in report.layers if np.isfinite(layer.norms[k])]
    outer = layers[:: max(1, len(layers) - 1)]
    names = look.plain(f" ({' → '.join(layer.name or OWN for layer in outer)})") if outer else ""
    return " to ".join(words.norm(float(layer.norms[k])) for layer in outer), names


def joined(norms: Any, most: int) -> list[float]:
    """Returns at most so many norms: the geometric means of neighbours, of those that are there and not 0."""
    if len(norms) <= most:
        return list(norms)
    made = []
    for some in np.array_split(norms, most):
        there = some[np.isfinite(some)]
        large = there[there > 0]
        made.append(float(np.exp(np.log(large).mean())) if len(large) else float(there.max(initial=-np.inf)))
    return made


def _units(said: list[Any], look: Look) -> Padding:
    table = Table.grid(padding=(0, 2))
    table.add_column(overflow="fold")
    table.add_column()
    shown = sorted(said, key=lambda pair: -(pair[0].dead + pair[0].silent))[:8]
    for units, text in (pair for pair in said if pair in shown):
        table.add_row(Text(units.name), Text(text, "" if units.dead or units.silent else FAINT))
    if len(said) > len(shown):
        table.add_row(Text(look.plain(f"… and {len(said) - len(shown)} others"), FAINT), "")
    return Padding(table, (0, 0, 0, 2))
