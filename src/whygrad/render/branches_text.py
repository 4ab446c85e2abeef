"""What each sender sends back, and the gradient by the number of blocks, as text for a terminal."""

from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np

from whygrad.render.report_words import block_bars, blocks_shown, cosine, short
from whygrad.report.phrases import named, norm, quoted

if TYPE_CHECKING:
    from whygrad.branches import Parts, Spectrum

WIDTH = 80
# Bars are at most, and at least, so wide; a name of a sender and of a cost takes so much room.
BAR, LEAST = 24, 8
SENDER, COST = 36, 24
MOST = 12
SPECTRUM = "The gradient by the number of blocks that its paths pass"
_TITLES = {"users": "Norm of what each use sends back to", "heads": "Norm of what each head sends back to"}
_SUMS = ("sum of the norms", "norm of the sum")


def _number(value: float) -> str:
    return "." if value == 0 else norm(value)


def _table(rows: list[list[str]], width: int) -> list[str]:
    """Returns a table's lines; columns for which there is no room beside the first one stand below the others."""
    first, *columns = ([row[column] for row in rows] for column in range(len(rows[0])))
    beside = max(map(len, first))
    wide = [max(map(len, column)) for column in columns]
    lines: list[str] = []
    start = 0
    while start < len(columns):
        end = start + 1
        while end < len(columns) and beside + sum(2 + each for each in wide[start : end + 1]) <= width:
            end += 1
        if lines:
            lines.append("")
        for row, name in enumerate(first):
            cells = (columns[k][row].rjust(wide[k]) for k in range(start, end))
            lines.append("  ".join((name.ljust(beside), *cells)).rstrip())
        start = end
    return lines


def parts_text(parts: "Parts", width: int = WIDTH) -> str:
    """Returns a table: the norm of what each sender sends back for each cost, and the smallest cosine of two."""
    norms, cosines = parts.norms, parts.cosines
    rows = [["", *(short(cost, COST) for cost in parts.costs)]]
    largest = np.argsort(-norms.max(axis=1, initial=0.0), kind="stable")[:MOST]
    rows += [
        [f"  {short(parts.senders[place], SENDER)}", *map(_number, norms[place])] for place in sorted(largest)
    ]
    left = len(parts.senders) - MOST
    if left > 0:
        rows.append([f"  and {left} others", *("" for _ in parts.costs)])
    rows.append(["  norm of the sum", *map(_number, parts.whole)])
    # without those of a sender with itself, and with one that sends nothing
    apart = np.where(np.isnan(cosines) | np.eye(len(parts.senders), dtype=bool), np.inf, cosines)
    if len(parts.senders) == 2:
        rows.append(["  cosine of the two", *map(_cosine, apart[:, 0, 1])])
    elif np.isfinite(apart).any():
        rows.append(["  smallest cosine", *map(_cosine, apart.min(axis=(1, 2)))])
    lines = [*wrap(f"{_TITLES[parts.kind]} {quoted(parts.place)}", width), *_table(rows, width)]
    if len(parts.senders) > 2 and apart.min() < 0:
        at, *pair = np.unravel_index(np.argmin(apart), apart.shape)
        of = f", of {quoted(parts.costs[at])}" if len(parts.costs) > 1 else ""
        between = f"    {named([parts.senders[place] for place in sorted(pair)])}{of}"
        lines += wrap(between, width, subsequent_indent="    ")
    return "\n".join(lines)


def _cosine(value: float) -> str:
    return (cosine(value) if np.isfinite(value) else "") or "."


def spectrum_text(spectrum: "Spectrum") -> str:
    """Returns a spectrum's table, under a title."""
    return f"{SPECTRUM}\n{spectrum_table(spectrum)}"


def spectrum_table(spectrum: "Spectrum", width: int = WIDTH, fill: str = "█") -> str:
    """Returns a table: the norm of the gradient's part by each number of blocks, over all parameters.

    Each cost's bars are parts of its own longest one.
    """
    parts, whole = spectrum.all_parts, spectrum.all_whole
    names = [short(cost, COST) for cost in spectrum.costs]
    number = max(len(_number(part)) for part in parts.flat)
    # As many costs beside each other as there is room for bars.
    beside = max(1, min(len(names), (width - len(_SUMS[0])) // (LEAST + number + 3)))
    beside = -(-len(names) // -(-len(names) // beside))  # as many below each other, and no cost alone
    bar = max(LEAST, min(BAR, (width - len(_SUMS[0])) // beside - number - 3))
    rows = [["blocks passed", *names]]
    bars, shown = block_bars(parts), blocks_shown(parts)
    for blocks in range(shown):
        cells = [
            f"{fill * round(bar * float(bars[row, blocks])):<{bar}} {_number(parts[row, blocks]):>{number}}"
            for row in range(len(names))
        ]
        rows.append([f"  {blocks}", *cells])
    if shown < parts.shape[1]:
        rest = parts[:, shown:].max(axis=1)
        rows.append([f"  {shown} to {parts.shape[1] - 1}", *(f"≤ {_number(value)}" for value in rest)])
    for name, each in zip(_SUMS, (parts.sum(axis=1), whole), strict=True):
        rows.append([name, *map(_number, each)])
    lines = _table(rows, width)
    if spectrum.stops:
        stops = f"without a declaration: {named(spectrum.stops, 4)}; what goes through is in no part"
        lines += wrap(stops, width, break_on_hyphens=False)
    return "\n".join(lines)
