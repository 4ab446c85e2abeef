"""The depth profile of a report's page, as a drawing."""

from collections.abc import Iterator
from html import escape
from math import cos, radians, sin
from typing import NamedTuple

import numpy as np

from whygrad.arrays import Array
from whygrad.render import report_words as words
from whygrad.render.report_html_look import colour, dash, swatch, wide
from whygrad.report.phrases import OWN
from whygrad.report.record import Report

WIDTH, PLOT, TOP, RIGHT = 640, 166, 10, 12
# A point for each layer, with its number when pointed at, for so many layers.
POINTS_UP_TO = 60
# How wide and high a letter is, about; the slope of names that have no room beside each other, and how much is kept.
LETTER, LINE, SLOPE, KEPT = 6.4, 20, 40, 26


def depth(report: Report) -> str:
    """Returns the norm of each cost's derivative by each layer's output, first to last; nothing where all are 0."""
    norms = np.array([layer.norms for layer in report.layers])
    known = norms[np.isfinite(norms) & (norms > 0)]
    if not len(known):
        return ""
    low, high = np.floor(np.log10(known.min())), np.ceil(np.log10(known.max()))
    names = _Names.of([layer.name or OWN for layer in report.layers])
    plot = _Plot(norms, float(low), float(high if high > low else low + 1), names)
    drawn = "".join([*_axis(plot), *_lines(plot, report), *_labels(plot)])
    legend = "".join(
        f"<span class='key'>{swatch(k)}{escape(name)}</span>" for k, name in enumerate(report.costs)
    )
    drawing = (
        f"<svg viewBox='0 0 {WIDTH} {plot.bottom + names.below:.0f}' width='100%' "
        "style='min-width:30rem;max-width:46rem' role='img' aria-label='norm of the derivative by layer'>"
        f"{drawn}</svg>"
    )
    return (
        "<h3>Layer by layer: norm of each cost’s derivative by the layers’ outputs</h3>"
        f"<p class='why'>{legend}</p>{wide(drawing, 'Layer by layer')}"
    )


class _Names(NamedTuple):
    """The names below the drawing.

    Args:
        shown: What is written, by the number of the layer.
        slanted: Whether they have no room beside each other.
        left: How much room the first ones take on the left.
        below: How much they take below.
    """

    shown: dict[int, str]
    slanted: bool
    left: float
    below: float

    @staticmethod
    def of(layers: list[str]) -> "_Names":
        across = (WIDTH - 52 - RIGHT) / max(len(layers) - 1, 1)
        longest = LETTER * max(map(len, layers))
        if longest + LETTER < across or len(layers) == 1:
            return _Names(dict(enumerate(layers)), False, 52.0, 26.0)
        step = max(1, -int(-LINE // across))
        shown = {row: words.short(layers[row], KEPT) for row in range(0, len(layers), step)}
        long = {row: LETTER * len(name) for row, name in shown.items()}
        left = max(52.0, *(cos(radians(SLOPE)) * size - row * across * 0.8 for row, size in long.items()))
        return _Names(shown, True, left, 18 + sin(radians(SLOPE)) * max(long.values()))


class _Plot(NamedTuple):
    """Where what is drawn: norms on a logarithmic scale between two powers of ten, above the layers' names."""

    norms: Array
    low: float
    high: float
    names: _Names

    @property
    def bottom(self) -> int:
        return TOP + PLOT

    def across(self, row: int) -> float:
        return self.names.left + row * (WIDTH - self.names.left - RIGHT) / max(len(self.norms) - 1, 1)

    def up(self, value: float) -> float:
        return TOP + (1 - (float(np.log10(value)) - self.low) / (self.high - self.low)) * PLOT


def _axis(plot: _Plot) -> Iterator[str]:
    left = plot.names.left
    for power in np.arange(plot.low, plot.high + 1, max(1, int((plot.high - plot.low) // 5))):
        y = plot.up(10.0**power)
        yield f"<line class='axis' x1='{left:.1f}' x2='{WIDTH - 8}' y1='{y:.1f}' y2='{y:.1f}'/>"
        yield f"<text x='{left - 6:.1f}' y='{y + 4:.1f}' text-anchor='end'>1e{int(power)}</text>"


def _lines(plot: _Plot, report: Report) -> Iterator[str]:
    for k, name in enumerate(report.costs):
        there = [row for row, value in enumerate(plot.norms[:, k]) if np.isfinite(value) and value > 0]
        points = [(plot.across(row), plot.up(plot.norms[row, k])) for row in there]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        yield (
            f"<polyline points='{line}' fill='none' stroke='{colour(k)}' stroke-width='2' "
            f"stroke-dasharray='{dash(k)}'><title>{escape(name)}</title></polyline>"
        )
        if len(plot.norms) > POINTS_UP_TO:
            continue
        for (x, y), row in zip(points, there, strict=True):
            told = f"{name}, {report.layers[row].name or OWN}: {words.norm(float(plot.norms[row, k]))}"
            yield (
                f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3' fill='{colour(k)}'><title>{escape(told)}</title></circle>"
            )


def _labels(plot: _Plot) -> Iterator[str]:
    last = len(plot.norms) - 1
    for row, name in plot.names.shown.items():
        x, y = plot.across(row), plot.bottom + 16
        if plot.names.slanted:
            anchor, turn = "end", f" transform='rotate({-SLOPE} {x:.1f} {y})'"
        else:
            # The first and the last one stand beside their place, not under it.
            anchor, turn = ("start" if not row else "end" if row == last else "middle"), ""
        yield f"<text x='{x:.1f}' y='{y}' text-anchor='{anchor}'{turn}>{escape(name)}</text>"
