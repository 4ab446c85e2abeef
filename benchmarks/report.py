"""Measurements as tables: in the terminal, and as docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.records import GoalResult, GroupResult, Row, Table

REMARKS = ("<!-- remarks: kept when this page is written anew -->", "<!-- end of remarks -->")

METHOD = """\
`python -m benchmarks` measures all this anew; `--write docs/benchmarks.md` writes this page.

*How.* Each group of tables is one process; its contestants take turns, in rounds, and every round runs each
of them for about 20 ms (once, where one call takes longer), after a pause and an uncounted warm-up. Times
are medians over rounds. *x reference* is the median over rounds of a contestant's time divided by the
reference's in the same round. Who needs more than a second a call takes part in three rounds. Rounds in
which other processes used the machine are thrown away and repeated; where that was not enough, the table
says so. The forward pass is counted, except where a title says otherwise.

*Same numbers.* Before anything is timed its numbers are compared with the reference's; *deviation* is the
largest difference relative to the array's largest entry, and who deviates by more than 1e-10 (float64) or
1e-4 (float32) is not timed. Examples with a unit within 2e-5 of ReLU's kink are not used: there rounding
decides whether it is on.

*Memory* is what one call adds to its process at the peak, its result included, in MiB: the kernel's peak
counter is reset before the call, which has run once before, and freed memory is handed back to the system
at once. Each is measured in a process of its own.

"By hand" is the same formula written out in NumPy or torch: what is left of a ratio against it is the
backend, the rest is the algorithm.
"""


def show(result: GroupResult, console: Console) -> None:
    """Prints a group's tables."""
    console.rule(f"{result.group}: {result.title}")
    for table in result.tables:
        grid = RichTable(title=f"{table.title} ({_rounds(table)})", title_justify="left")
        for heading in _headings(table):
            grid.add_column(heading, justify="left" if heading in ("contestant", "note") else "right")
        for row in _sorted(table.rows):
            grid.add_row(*_cells(row, table), style="bold" if row.name.startswith("whygrad") else None)
        console.print(grid)
        for goal in table.goals:
            colour = {"met": "green", "missed": "red"}.get(goal.verdict, "yellow")
            console.print(f"  {_goal(goal)}: [{colour}]{goal.verdict}[/]")
    for peer, reason in result.missing.items():
        console.print(f"  [yellow]missing:[/] {peer} ({reason})")


def markdown(results: Iterable[GroupResult], remarks: str) -> str:
    """The page: method, remarks written by people, then every group with its tables and goals."""
    results = list(results)
    parts = ["# Benchmarks\n", METHOD, f"{REMARKS[0]}\n{remarks.strip()}\n{REMARKS[1]}\n"]
    parts += [_group(result) for result in results]
    return "\n".join(parts)


def remarks_of(page: str) -> str:
    """What people wrote between the markers of a page; empty where there is none."""
    if REMARKS[0] not in page:
        return ""
    return page.split(REMARKS[0], 1)[1].split(REMARKS[1], 1)[0].strip()


def _group(result: GroupResult) -> str:
    machine = ", ".join(f"{name} {value}" for name, value in result.machine.items())
    versions = ", ".join(f"{name} {value}" for name, value in result.versions.items())
    lines = [
        f"## {result.group}: {result.title}\n",
        f"{result.date}; threads {result.threads}; {machine}. Versions: {versions}.\n",
    ]
    if result.missing:
        lines.append("Not installed: " + ", ".join(sorted(result.missing)) + ".\n")
    for table in result.tables:
        headings = _headings(table)
        lines += [f"### {table.title}\n", f"{_rounds(table)}. Reference: {table.reference or 'none'}.\n"]
        lines.append("| " + " | ".join(headings) + " |")
        lines.append("|" + "|".join("---" if h in ("contestant", "note") else "---:" for h in headings) + "|")
        lines += ["| " + " | ".join(_cells(row, table)) + " |" for row in _sorted(table.rows)]
        lines.append("")
        if table.goals:
            lines += ["| goal | limit | measured | |", "|---|---:|---:|---|"]
            lines += [
                f"| {goal.text} | {_figure(goal.limit, goal.unit)} | {_figure(goal.value, goal.unit)} "
                f"| {goal.verdict} |"
                for goal in table.goals
            ]
            lines.append("")
    return "\n".join(lines)


def _headings(table: Table) -> list[str]:
    headings = ["contestant", "ms", "±", "x reference"]
    if any(row.mebibytes is not None for row in table.rows):
        headings.append("MiB added")
    if any(row.deviation is not None for row in table.rows):
        headings.append("deviation")
    if any(row.note for row in table.rows):
        headings.append("note")
    return headings


def _cells(row: Row, table: Table) -> list[str]:
    values = {
        "contestant": row.name,
        "ms": "" if row.seconds is None else milliseconds(row.seconds),
        "±": "" if row.spread is None else f"{row.spread:.0%}",
        "x reference": "" if row.ratio is None else f"{row.ratio:.3g}",
        "MiB added": "" if row.mebibytes is None else f"{row.mebibytes:.1f}",
        "deviation": "" if row.deviation is None else f"{row.deviation:.0e}",
        "note": row.note,
    }
    return [values[heading] for heading in _headings(table)]


def milliseconds(seconds: float) -> str:
    """Milliseconds with three significant digits, and never an exponent."""
    value = seconds * 1e3
    digits = 4 if value < 0.1 else 3 if value < 1 else 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f}"


def _sorted(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row.seconds is None, row.seconds or 0.0))


def _rounds(table: Table) -> str:
    text = f"{table.rounds} rounds"
    if table.rejected:
        text += f", {table.rejected} thrown away"
    if table.disturbed:
        text += ", DISTURBED: others used the machine"
    return text


def _goal(goal: GoalResult) -> str:
    return f"{goal.text}: limit {_figure(goal.limit, goal.unit)}, measured {_figure(goal.value, goal.unit)}"


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return f"{value:.3g}" if unit in ("ratio", "memory") else f"{value:.3g} {unit}"
