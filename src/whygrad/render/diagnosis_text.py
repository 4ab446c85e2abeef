"""Diagnoses as text for a terminal, with rich: readable at 80 columns, without colour and without Unicode."""

from collections.abc import Iterator
from io import StringIO
from typing import Any

import numpy as np
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from whygrad.diagnosis.record import Diagnosis, Finding, Judged

GOOD, BAD, LIKELY, FAINT = "green", "bold red", "yellow", "dim"
MOST_ROWS, MOST_COLUMNS = 16, 48


def _grid(mask: Any) -> tuple[Any, int, int]:
    """Returns a mask in at most so many rows and columns, and how many entries each of its cells stands for."""
    shaped = mask.reshape(1, -1) if mask.ndim < 2 else mask
    rows, columns = shaped.shape
    down, across = -(-rows // MOST_ROWS), -(-columns // MOST_COLUMNS)
    padded = np.zeros((-(-rows // down) * down, -(-columns // across) * across), bool)
    padded[:rows, :columns] = shaped
    blocks = padded.reshape(padded.shape[0] // down, down, padded.shape[1] // across, across)
    return blocks.any(axis=(1, 3)), down, across


def _map(name: str, judged: Judged, unicode: bool) -> Iterator[Any]:
    if judged.wrong is None:
        yield Text(f"{name}: its shape doesn't fit {judged.expected.shape}", style=FAINT)
        return
    cells, down, across = _grid(judged.wrong)
    wrong, right = ("■", "·") if unicode else ("#", ".")
    many = int(judged.wrong.sum())
    per = "" if down * across == 1 else f", one sign for {down} x {across}"
    yield Text(f"{name}: {many} of {judged.wrong.size} entries are wrong{per}", style=FAINT)
    for row in cells:
        line = Text("  ")
        for cell in row:
            line.append(f"{wrong if cell else right} ", style=BAD if cell else FAINT)
        yield line


def _finding(finding: Finding, unicode: bool) -> Iterator[Any]:
    places = ", ".join(finding.parameters)
    head = Text()
    head.append(places, style="bold")
    head.append("  ")
    if finding.mistake:
        head.append(finding.mistake, style=BAD if finding.exact else LIKELY)
        head.append(
            "  exact" if finding.exact else f"  likely: explains {finding.match:.1%} of the difference",
            style=FAINT,
        )
    else:
        head.append("not a known mistake", style=LIKELY)
    yield head
    yield Padding(Text(_plain(_sentence(finding.says), unicode)), (0, 0, 0, 2))
    if finding.fix:
        yield Padding(Text.assemble(("mend: ", FAINT), (finding.fix, "cyan")), (0, 0, 0, 2))
    if finding.instead_of:
        yield Padding(Text(f"The same numbers: {', '.join(finding.instead_of)}.", style=FAINT), (0, 0, 0, 2))


def _sentence(says: str) -> str:
    return says[:1].upper() + says[1:] + ("" if says.endswith((".", "?")) else ".")


def _plain(text: str, unicode: bool) -> str:
    return text if unicode else text.encode("ascii", "replace").decode()


def lines(diagnosis: Diagnosis, unicode: bool = True) -> Iterator[Any]:
    """Yields a diagnosis as rich's renderables: the verdict, the findings, heat maps, and what can't be seen."""
    yield Text(diagnosis.says, style=GOOD if diagnosis.right else BAD)
    for finding in diagnosis.findings:
        yield Text("")
        yield from _finding(finding, unicode)
    wrong = {name: judged for name, judged in diagnosis.parameters.items() if not judged.right}
    if wrong:
        yield Text("")
    for name, judged in wrong.items():
        yield from _map(name, judged, unicode)
    for sentences in (diagnosis.notes, diagnosis.unseen):
        if sentences:
            yield Text("")
            for sentence in sentences:
                yield Text(_plain(sentence, unicode), style=FAINT)


def text(diagnosis: Diagnosis, width: int = 80, unicode: bool = True) -> str:
    """Returns a diagnosis as plain text of some width."""
    file = StringIO()
    console = Console(file=file, width=width, no_color=True, force_terminal=False, highlight=False)
    for line in lines(diagnosis, unicode):
        console.print(line)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def print_diagnosis(diagnosis: Diagnosis, console: Console) -> None:
    """Prints a diagnosis on a console, as wide and as colourful as that is."""
    unicode = not console.options.legacy_windows and (console.encoding or "").lower().startswith("utf")
    for line in lines(diagnosis, unicode):
        console.print(line)
