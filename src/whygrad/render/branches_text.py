"""What each sender sends back, and the gradient by the number of blocks, as text for a terminal."""

from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from whygrad.render.report_words import LEVELS, block_bars, blocks_shown, cosine, short
from whygrad.report.phrases import named, norm, quoted

if TYPE_CHECKING:
    from whygrad.branches import Parts, Spectrum

WIDTH = 80
# Bars are at most, and at least, so wide; a name of a sender and of a cost takes so much room.
BAR, LEAST = 24, 8
SENDER, COST = 36, 24
MOST = 12
# From so many costs on, and where so small a part of a table's cells isn't 0, these cells have a line each.
FEWEST_COSTS, SPARSE = 4, 3
INDENTED: Any = {"initial_indent": "    ", "subsequent_indent": "    "}
SPECTRUM = "The gradient by the number of blocks that its paths pass"
_TITLES = {"users": "Norm of what each use sends back to", "heads": "Norm of what each head sends back to"}
_SUMS = ("sum of the norms", "norm of the sum")
# At the head of a column
_SHORT = {
    "sum of the norms": "sum of norms",
    "norm of the sum": "norm of sum",
    "cosine of the two": "cosine",
    "smallest cosine": "least cosine",
}


def _number(value: float) -> str:
    return "." if value == 0 else norm(value)


def _wide(rows: list[list[str]]) -> int:
    """Returns how wide a table's lines are where all columns stand beside each other."""
    columns = zip(*rows, strict=True)
    return sum(2 + max(map(len, column)) for column in columns) - 2


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
    largest = np.argsort(-norms.max(axis=1, initial=0.0), kind="stable")[:MOST]
    costs = [short(cost, COST) for cost in parts.costs]
    senders = [
        [short(parts.senders[place], SENDER), *map(_number, norms[place])] for place in sorted(largest)
    ]
    left = len(parts.senders) - MOST
    if left > 0:
        senders.append([f"and {left} others", *("" for _ in costs)])
    # without those of a sender with itself, and with one that sends nothing
    apart = np.where(np.isnan(cosines) | np.eye(len(parts.senders), dtype=bool), np.inf, cosines)
    sums = [["norm of the sum", *map(_number, parts.whole)]]
    if len(parts.senders) == 2:
        sums.append(["cosine of the two", *map(_cosine, apart[:, 0, 1])])
    elif np.isfinite(apart).any():
        sums.append(["smallest cosine", *map(_cosine, apart.min(axis=(1, 2)))])
    alone = ""
    lines = wrap(f"{_TITLES[parts.kind]} {quoted(parts.place)}", width)
    if len(costs) >= FEWEST_COSTS and np.count_nonzero(norms) * SPARSE <= norms.size:
        several = [int(n) > 1 for n in np.count_nonzero(norms, axis=0)]
        told = [
            *_pairs(senders, costs),
            *_pairs(sums, [cost * one for cost, one in zip(costs, several, strict=True)]),
        ]
        wide = max(len(name) for name, *_ in told)
        lines += _table([[f"  {name:<{wide}}  {cost}", cell] for name, cost, cell in told], width)
        if not all(several):
            alone = "Where a cost comes from one sender alone, its norm is that of the sum."
    else:
        rows = [["", *costs], *([f"  {name}", *cells] for name, *cells in (*senders, *sums))]
        turned = [["", *(_SHORT.get(name, name) for name, *_ in (*senders, *sums))]]
        turned += [
            [f"  {cost}", *cells]
            for cost, *cells in zip(costs, *(row[1:] for row in (*senders, *sums)), strict=True)
        ]
        lines += _table(turned if _wide(rows) > width >= _wide(turned) else rows, width)
    if len(parts.senders) > 2 and apart.min() < 0:
        at, *pair = np.unravel_index(np.argmin(apart), apart.shape)
        of = f", of {quoted(parts.costs[at])}" if len(parts.costs) > 1 else ""
        lines += wrap(f"{named([parts.senders[place] for place in sorted(pair)])}{of}", width, **INDENTED)
    return "\n".join([*lines, *wrap(alone, width, **INDENTED)])


def _pairs(rows: list[list[str]], costs: list[str]) -> list[list[str]]:
    """Returns a line for each cost (but those without a name) of which a row says something."""
    made = []
    for name, *cells in rows:
        told = [
            [cost, cell] for cost, cell in zip(costs, cells, strict=True) if cost and cell not in ("", ".")
        ]
        if told or name not in _SHORT:
            made += [["" if place else name, *pair] for place, pair in enumerate(told or [["", ""]])]
    return made


def _cosine(value: float) -> str:
    return (cosine(value) if np.isfinite(value) else "") or "."


def spectrum_text(spectrum: "Spectrum") -> str:
    """Returns a spectrum's table, under a title."""
    return f"{SPECTRUM}\n{spectrum_table(spectrum)}"


def spectrum_table(spectrum: "Spectrum", width: int = WIDTH, fill: str = "█", levels: str = LEVELS) -> str:
    """Returns a table: the norm of the gradient's part by each number of blocks, over all parameters.

    Each cost's bars are parts of its own longest one. Costs are columns where there is room for all, and rows else.
    """
    parts, whole = spectrum.all_parts, spectrum.all_whole
    names = [short(cost, COST) for cost in spectrum.costs]
    bars, shown = block_bars(parts), blocks_shown(parts)
    blocks, numbers = [*map(str, range(shown))], [[*map(_number, row[:shown])] for row in parts]
    if shown < parts.shape[1]:
        blocks.append(f"{shown} to {parts.shape[1] - 1}")
        for row, part in zip(numbers, parts, strict=True):
            row.append(f"≤ {_number(part[shown:].max())}")
    sums = [[_number(part.sum()), _number(each)] for part, each in zip(parts, whole, strict=True)]
    wide = max(len(number) for row in numbers for number in row[:shown])
    bar = min(BAR, (width - len(_SUMS[0])) // len(names) - wide - 3)
    if bar >= LEAST:
        told = [
            [
                f"{fill * round(bar * float(bars[k, n])):<{bar}} {number:>{wide}}" if n < shown else number
                for n, number in enumerate(row)
            ]
            for k, row in enumerate(numbers)
        ]
        columns = [["blocks passed", *(f"  {each}" for each in blocks), *_SUMS]]
        columns += [[name, *row, *both] for name, row, both in zip(names, told, sums, strict=True)]
        rows = [list(row) for row in zip(*columns, strict=True)]
    else:
        sparks = ["".join(level(float(bar), levels) for bar in row[:shown]) for row in bars]
        rows = [["blocks passed", "", *blocks, *(_SHORT[each] for each in _SUMS)]]
        rows += [
            [f"  {name}", spark, *row, *both]
            for name, spark, row, both in zip(names, sparks, numbers, sums, strict=True)
        ]
    lines = _table(rows, width)
    if spectrum.stops:
        stops = f"without a declaration: {named(spectrum.stops, 4)}; what goes through is in no part"
        lines += wrap(stops, width, break_on_hyphens=False)
    return "\n".join(lines)


def level(share: float, levels: str = LEVELS) -> str:
    """Returns a bar of one sign for a share of the largest."""
    return levels[round(share * (len(levels) - 1))]
