"""What the parts of a report's page share: its style, the looks of costs, numbers, sentences."""

from functools import lru_cache
from html import escape
from pathlib import Path

import numpy as np

from whygrad.render import report_words as words
from whygrad.render.as_html import stylesheet
from whygrad.render.hues import DARK, LIGHT
from whygrad.report.phrases import pieces

_HUES = "".join(f".whygrad {{ --cost-{k}: {colour}; }}\n" for k, colour in enumerate(LIGHT))
_DARK_HUES = "".join(f".whygrad {{ --cost-{k}: {colour}; }}\n" for k, colour in enumerate(DARK))
_STRIPES = "repeating-linear-gradient({1}, {0} 0 {2}px, color-mix(in srgb, {0} 45%, transparent) {2}px {3}px)"
_FILLS = (None, ("135deg", 4, 6), ("45deg", 2, 4), ("90deg", 3, 5), ("0deg", 2, 4), ("135deg", 1, 4))
_DASHES = ("", "6 3", "2 3", "8 3 2 3", "1 4", "10 4")
# Each hue comes with each fill before both are the same again.
LOOKS = len(LIGHT) * len(_FILLS)


def _background(k: int) -> str:
    fill = _FILLS[(k + k // len(LIGHT)) % len(_FILLS)]
    return colour(k) if fill is None else _STRIPES.format(colour(k), *fill)


def colour(k: int) -> str:
    """Returns a cost's hue, as a style sheet has it."""
    return f"var(--cost-{k % len(LIGHT)})"


def dash(k: int) -> str:
    """Returns the pattern of a cost's line."""
    return _DASHES[(k + k // len(LIGHT)) % len(_DASHES)]


def swatch(k: int, small: bool = False) -> str:
    """Returns a piece of a cost's colour and fill, which stands before its name."""
    return f"<span class='swatch{' small' * small} {css_class(k)}'></span>"


def css_class(k: int) -> str:
    """Returns the class of what is filled as a cost's bars are."""
    return f"c{k % LOOKS}"


@lru_cache(maxsize=1)
def style() -> str:
    """Returns the style of reports: that of every piece of HTML, and their own."""
    own = (Path(__file__).parent / "report.css").read_text(encoding="utf-8")
    dark = f"@media (prefers-color-scheme: dark) {{\n{_DARK_HUES}}}\n"
    fills = "".join(f".whygrad .c{k} {{ background: {_background(k)}; }}\n" for k in range(LOOKS))
    return f"{stylesheet()}{own}{_HUES}{dark}{fills}"


def sentence(text: str) -> str:
    """Returns a sentence in which names are set as code.

    Example:
        >>> sentence("No cost reaches `unused`")
        'No cost reaches <code>unused</code>'
    """
    return "".join(
        f"<code>{escape(piece[1:-1])}</code>" if name else escape(piece) for name, piece in pieces(text)
    )


def wide(inside: str, name: str) -> str:
    """Returns what may be wider than the page, so that it can be scrolled with the keys as well."""
    return f"<div class='wide' tabindex='0' role='region' aria-label='{escape(name)}'>{inside}</div>"


def number(value: float) -> str:
    """Returns a norm or a cost; what is not finite stands out."""
    bad = "" if np.isfinite(value) else " bad"
    return f"<span class='n{bad}'>{words.norm(value).replace('-', '−')}</span>"
