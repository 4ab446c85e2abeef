"""What the parts of a printed report share: how wide the terminal is, and what it can show."""

from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from whygrad.render import report_words as words

# One hue for each cost; the fill of its bars tells it apart without colour.
HUES = ("cyan", "yellow", "magenta", "green", "blue", "red")
BAD = "bold red"
# With more costs than these, a line names the longest gradient instead of all.
COLUMNS_UP_TO = 4


class Look:
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


def hue(k: int) -> str:
    """Returns a cost's colour."""
    return HUES[k % len(HUES)]


def number(value: float) -> Text:
    """Returns a norm or a cost; what is not finite stands out."""
    return Text(words.norm(value), "" if np.isfinite(value) else BAD)


def bar(shares: Any, width: int, look: Look) -> Text:
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


def grid(*columns: str) -> Table:
    """Returns a table without lines; its columns are left, ``right``, or left and folded where they are too wide."""
    table = Table.grid(padding=(0, 2))
    for justify in columns:
        table.add_column(
            justify="right" if justify == "right" else "left", no_wrap=justify != "fold", overflow="fold"
        )
    return table
