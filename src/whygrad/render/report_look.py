"""What the parts of a printed report share: how wide the terminal is, and what it can show."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from whygrad.render import report_words as words
from whygrad.report.phrases import pieces

# One hue for each cost; the fill of its bars tells it apart without colour.
HUES = ("cyan", "yellow", "magenta", "green", "blue", "red")
BAD = "bold red"
# Sentences are no wider than this: longer lines are hard to follow.
SENTENCES = 96


class Look:
    """How wide a terminal is, and what it can show."""

    def __init__(self, width: int, unicode: bool) -> None:
        self.width, self.unicode = width, unicode
        self.fills = words.FILLS if unicode else words.ASCII_FILLS
        self.levels = words.LEVELS if unicode else words.ASCII_LEVELS
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
            ("×", "*"),
            (words.MARK, words.ASCII_MARK),
        ):
            text = text.replace(sign, spelled)
        return text

    def sentence(self, text: str, style: str = "") -> Text:
        """Returns a sentence in which names stand out, and are broken between names if they are too long for a line."""
        made = Text(style=style)
        for name, piece in pieces(broken(self.plain(text), min(SENTENCES, self.width - 6))):
            made.append(piece, "bold" if name else "")
        return made

    def cost(self, k: int) -> str:
        """Returns a cost's fill."""
        return self.fills[k % len(self.fills)]

    def short(self, name: str, width: int = 12) -> str:
        """Returns a name, cut where it is too long."""
        return words.short(name, width, self.dots)

    def both(self, names: Sequence[str], width: int) -> str:
        """Returns two names, each cut where they are too long together."""
        return words.both(names, width, self.dots)


def broken(text: str, width: int) -> str:
    """Returns a text whose words, where they are longer than a line, go on in the next behind a dot or an underscore.

    Example:
        >>> print(broken("in layer `encoder.blocks.11.norm`", 17))
        in layer `encoder.blocks.
        11.norm`
    """
    return re.sub(rf"\S{{{width + 1},}}", lambda found: "\n".join(_pieces(found.group(), width)), text)


def _pieces(word: str, width: int) -> Iterator[str]:
    while len(word) > width:
        places = (word.rfind(sign, width // 4, width) + 1 for sign in "._")
        end = next((place for place in places if place), width)
        yield word[:end]
        word = word[end:]
    yield word


def hue(k: int) -> str:
    """Returns a cost's colour."""
    return HUES[k % len(HUES)]


def number(value: float) -> Text:
    """Returns a norm or a cost; what is not finite stands out."""
    return Text(words.norm(value), "" if np.isfinite(value) else BAD)


def bar(shares: Any, width: int, look: Look) -> Text:
    """Returns one bar that the costs share, in which each has a sign at least; those without a share have none."""
    made = Text()
    if not np.isnan(shares).any():
        for k, length in enumerate(_lengths(shares, width)):
            made.append(look.cost(k) * length, hue(k))
    return made


def _lengths(shares: Any, width: int) -> list[int]:
    """Returns how many signs each share has: by largest remainders, of what is left when each has its one."""
    there = shares > 0
    room = max(width - int(there.sum()), 0)
    # What a share has beyond its one sign; those that have less than that take nothing more.
    beyond = np.maximum(shares * width - there, 0.0)
    exact = beyond / max(beyond.sum(), 1e-300) * room
    made = np.floor(exact).astype(int)
    for k in np.argsort(made - exact, kind="stable")[: room - int(made.sum())]:
        made[k] += 1
    return [int(length) for length in made + there]


def grid(*columns: str) -> Table:
    """Returns a table without lines; its columns are left, ``right``, or left and folded where they are too wide."""
    table = Table.grid(padding=(0, 2))
    for justify in columns:
        table.add_column(
            justify="right" if justify == "right" else "left", no_wrap=justify != "fold", overflow="fold"
        )
    return table
