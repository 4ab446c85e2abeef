"""What each sender sends back, and the gradient by the number of blocks, as text for a terminal."""

from typing import TYPE_CHECKING

import numpy as np

from whygrad.report.phrases import listed

if TYPE_CHECKING:
    from whygrad.branches import Parts, Spectrum

BAR = 24
MOST = 12


def _number(value: float) -> str:
    return "." if value == 0 else f"{value:.3g}"


def _table(rows: list[list[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for first, *others in rows:
        cells = (text.rjust(width) for text, width in zip(others, widths[1:], strict=True))
        lines.append("  ".join((first.ljust(widths[0]), *cells)).rstrip())
    return "\n".join(lines)


def parts_text(parts: "Parts") -> str:
    """Returns a table: the norm of what each sender sends back for each cost, and the cosines between two of them."""
    norms, cosines = parts.norms, parts.cosines
    rows = [[f"{parts.place}: norm of what is sent back", *parts.costs]]
    largest = np.argsort(-norms.max(axis=1, initial=0.0), kind="stable")[:MOST]
    rows += [[f"  {parts.senders[place]}", *map(_number, norms[place])] for place in sorted(largest)]
    left = len(parts.senders) - MOST
    if left > 0:
        rows.append([f"  and {left} others", *("" for _ in parts.costs)])
    rows.append(["  together", *map(_number, parts.whole)])
    if len(parts.senders) == 2:
        rows.append(["  cosine of the two", *("." if np.isnan(c) else f"{c:+.2f}" for c in cosines[:, 0, 1])])
    return _table(rows)


def spectrum_text(spectrum: "Spectrum") -> str:
    """Returns a table: the norm of the gradient's part by each number of blocks, over all parameters."""
    parts, whole = spectrum.all_parts, spectrum.all_whole
    rows = [["blocks passed", *(f"{cost:>{BAR + 8}}" for cost in spectrum.costs)]]
    for blocks in range(parts.shape[1]):
        cells = []
        for row in range(len(spectrum.costs)):
            filled = round(BAR * parts[row, blocks] / max(float(parts[row].max()), 1e-300))
            cells.append(f"{'█' * filled:<{BAR}}{_number(parts[row, blocks]):>8}")
        rows.append([f"  {blocks}", *cells])
    rows.append(["sum of the norms", *map(_number, parts.sum(axis=1))])
    rows.append(["norm of the sum", *map(_number, whole)])
    if not spectrum.stops:
        return _table(rows)
    stops = listed(spectrum.stops, 4)
    return f"{_table(rows)}\nwithout a declaration: {stops}; what goes through is in no part"
