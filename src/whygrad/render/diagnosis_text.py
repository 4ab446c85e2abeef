"""Diagnoses as text for a terminal, with rich: readable at 80 columns, without colour and without Unicode."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from rich.columns import Columns
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from whygrad.diagnosis.record import Diagnosis, Finding, Judged
from whygrad.render.terminal import printed, shows_unicode

GOOD, BAD, LIKELY, FAINT = "green", "bold red", "yellow", "dim"
MOST_ROWS, MOST_COLUMNS = 16, 28


#: Right entries, and wrong ones by how far they are off, compared with the one that is off most.
SHADES, ASCII_SHADES = "·░▒▓█", ".-+*#"


def _grid(mask: Any, apart: Any) -> tuple[Any, int, int]:
    """Returns shades (0 right, 1 to 4 wrong) in not too many rows and columns, and how many entries each is for."""
    rows, columns = mask.shape
    down, across = -(-rows // MOST_ROWS), -(-columns // MOST_COLUMNS)
    size = float(np.max(apart[mask & np.isfinite(apart)], initial=0.0)) or 1.0
    with np.errstate(invalid="ignore"):
        shares = np.where(np.isfinite(apart), apart / size, 1.0)
    shades = np.where(mask, np.clip(np.ceil(4 * shares), 1, 4), 0).astype(int)
    padded = np.zeros((-(-rows // down) * down, -(-columns // across) * across), int)
    padded[:rows, :columns] = shades
    blocks = padded.reshape(padded.shape[0] // down, down, padded.shape[1] // across, across)
    return blocks.max(axis=(1, 3)), down, across


def _map(name: str, judged: Judged, unicode: bool) -> Text:
    """Returns a heat map of a parameter's wrong entries under a line that counts them."""
    if judged.wrong is None or judged.given is None:
        return Text(f"{name}: its shape doesn't fit {judged.expected.shape}", style=FAINT)
    wrong = judged.wrong.reshape(1, -1) if judged.wrong.ndim < 2 else judged.wrong
    wrong = wrong.reshape(len(wrong), -1)
    apart = np.abs(np.asarray(judged.given, float) - judged.expected).reshape(wrong.shape)
    cells, down, across = _grid(wrong, apart)
    signs = SHADES if unicode else ASCII_SHADES
    many = int(wrong.sum())
    said = f"all {many}" if many == wrong.size > 1 else f"{many} of {wrong.size}"
    made = Text(f"{name}: {said} wrong", style=FAINT)
    if down * across > 1:
        made.append(f"\n(a sign for {down} x {across})")
    for row in cells:
        made.append("\n")
        for cell in row:
            made.append(2 * signs[cell] if cell else f"{signs[0]} ", style=BAD if cell else FAINT)
    return made


def _maps(diagnosis: Diagnosis, unicode: bool) -> Iterator[Any]:
    """Yields the heat maps of the wrong parameters, side by side."""
    maps = [_map(name, judged, unicode) for name, judged in diagnosis.parameters.items() if not judged.right]
    if maps:
        yield Columns(maps, padding=(1, 3))


def _group(group: tuple[Finding, ...], unicode: bool) -> Iterator[Any]:
    """Yields one mistake; or those that have the same numbers, of which one is the mistake."""
    first = group[0]
    head = Text()
    head.append(", ".join(first.parameters), style="bold")
    head.append("  ")
    if first.mistake:
        codes = " or ".join(one.mistake or "" for one in group)
        head.append(codes, style=BAD if first.exact else LIKELY)
        head.append(
            "  exact" if first.exact else f"  likely: explains {first.match:.1%} of the difference",
            style=FAINT,
        )
    else:
        head.append("not a known mistake", style=LIKELY)
    yield head
    if len(group) > 1:
        yield Padding(
            Text(f"These {len(group)} mistakes give the same numbers here:", style=FAINT), (0, 0, 0, 2)
        )
    for one in group:
        yield Padding(Text(_plain(one.sentence, unicode)), (0, 0, 0, 2))
        if one.fix:
            yield Padding(Text.assemble(("mend: ", FAINT), (one.fix, "cyan")), (0, 0, 0, 2))
    others = [code for code in first.instead_of if code not in {one.mistake for one in group}]
    if others:
        yield Padding(Text(f"The same numbers: {', '.join(others)}.", style=FAINT), (0, 0, 0, 2))


def _plain(text: str, unicode: bool) -> str:
    return text if unicode else text.encode("ascii", "replace").decode()


def lines(diagnosis: Diagnosis, unicode: bool = True) -> Iterator[Any]:
    """Yields a diagnosis as rich's renderables: the verdict, the findings, heat maps, and what can't be seen."""
    yield Text(diagnosis.says, style=GOOD if diagnosis.right else BAD)
    for group in diagnosis.groups:
        yield Text("")
        yield from _group(group, unicode)
    if any(not judged.right for judged in diagnosis.parameters.values()):
        yield Text("")
    yield from _maps(diagnosis, unicode)
    for sentences in (diagnosis.notes, diagnosis.unseen):
        if sentences:
            yield Text("")
            for sentence in sentences:
                yield Text(_plain(sentence, unicode), style=FAINT)


def text(diagnosis: Diagnosis, width: int = 80, unicode: bool = True) -> str:
    """Returns a diagnosis as plain text of some width."""
    return printed(lines(diagnosis, unicode), width).removesuffix("\n")


def print_diagnosis(diagnosis: Diagnosis, console: Console) -> None:
    """Prints a diagnosis on a console, as wide and as colourful as that is."""
    for line in lines(diagnosis, shows_unicode(console)):
        console.print(line)
