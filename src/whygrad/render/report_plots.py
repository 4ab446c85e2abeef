"""Figures of a report, with Matplotlib: the depth profile, the cosines, the spectrum."""

from typing import Any

import numpy as np

from whygrad.branches import Spectrum
from whygrad.errors import NotSupportedError
from whygrad.render.hues import LIGHT
from whygrad.render.report_words import short
from whygrad.report.conflicts import CONFLICT
from whygrad.report.phrases import OWN, signed
from whygrad.report.record import Report

DASHES = ("-", "--", ":", "-.", (0, (1, 3)), (0, (8, 3)))
MARKERS = ("o", "s", "^", "D", "v", "P")
# A name is written at this many places of an axis at most.
NAMES = 24
# Longer names are cut in the middle.
LETTERS = 28


def _axes(axes: Any, width: float, height: float) -> Any:
    """Returns the axes that were given, or new ones."""
    if axes is not None:
        return axes
    try:
        from matplotlib import pyplot
    except ImportError:
        raise NotSupportedError(
            "plot: Matplotlib is not installed\ntry:      pip install 'whygrad[plot]'"
        ) from None
    _, made = pyplot.subplots(figsize=(width, height), layout="constrained")
    return made


def _named(axes: Any, names: list[str], axis: str = "x") -> None:
    """Writes names at an axis, every n-th where there are many."""
    step = -(-len(names) // NAMES)
    places = list(range(0, len(names), step))
    shown = [short(names[place], LETTERS) or OWN for place in places]
    if axis == "x":
        slanted = len(shown) > 4 or max(map(len, shown)) > 12
        axes.set_xticks(places, shown, rotation=40 if slanted else 0, ha="right" if slanted else "center")
    else:
        axes.set_yticks(places, shown)


def _plain(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#d9dce2", linewidth=0.8)
    axes.set_axisbelow(True)


def plot_depth(report: Report, axes: Any = None) -> Any:
    """Returns axes with the norm of each cost's derivative by each layer's output, in the order of the forward pass."""
    axes = _axes(axes, 7.0, 3.6)
    norms = np.array([layer.norms for layer in report.layers]).reshape(-1, len(report.costs))
    for k, name in enumerate(report.costs):
        there = np.isfinite(norms[:, k]) & (norms[:, k] > 0)
        axes.plot(
            np.flatnonzero(there),
            norms[there, k],
            color=LIGHT[k % len(LIGHT)],
            linestyle=DASHES[(k + k // len(LIGHT)) % len(DASHES)],
            marker=MARKERS[(k + k // len(LIGHT)) % len(MARKERS)],
            markersize=4 if len(norms) < 60 else 0,
            label=short(name, LETTERS),
        )
    axes.set_yscale("log")
    _named(axes, [layer.name for layer in report.layers])
    axes.set_ylabel("norm of the derivative\nby the layer's output")
    _plain(axes)
    if len(report.costs) <= 4:
        axes.legend(frameon=False)
    elif len(report.costs) <= 12:
        axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return axes


def plot_cosines(report: Report, axes: Any = None) -> Any:
    """Returns axes with the cosines between costs: by layer for two costs, as a matrix for more.

    The matrix is of all weights together on which several costs pull. Conflicts are hatched or bold, not only coloured.

    Raises:
        NotSupportedError: No two costs reach the same weights.
    """
    names = list(report.costs)
    if len(names) < 2:
        raise NotSupportedError("plot_cosines: there is one cost, and nothing to compare it with")
    shared = report.model.shared
    if shared is None:
        raise NotSupportedError(
            "plot_cosines: no two costs reach the same weights: there is nothing to compare"
        )
    if len(names) > 2:
        return _matrix(names, shared.cosines, axes)
    layers = [layer for layer in report.model.layers if len(layer.numbers.live) > 1]
    axes = _axes(axes, 7.0, 3.2)
    values = [float(layer.numbers.cosines[0, 1]) for layer in layers]
    against = [value < CONFLICT for value in values]
    bars = axes.bar(
        range(len(values)), values, color=[LIGHT[1] if bad else LIGHT[0] for bad in against], width=0.7
    )
    for bar, bad in zip(bars, against, strict=True):
        if bad:
            bar.set_hatch("//")
            bar.set_edgecolor("white")
    axes.axhline(0.0, color="#1f2430", linewidth=0.8)
    axes.axhline(CONFLICT, color="#a3150a", linewidth=0.8, linestyle=":")
    axes.set_ylim(-1, 1)
    _named(axes, [layer.name for layer in layers])
    axes.set_ylabel("cosine")
    title = f"{short(names[0], LETTERS)} and {short(names[1], LETTERS)}"
    if any(against):
        title += f"; hatched: below {CONFLICT}, they pull against each other"
    axes.set_title(title.replace("-", "−"), fontsize=9, loc="left", wrap=True)
    _plain(axes)
    return axes


def _matrix(names: list[str], cosines: Any, axes: Any) -> Any:
    size = max(3.4, min(9.0, 0.55 * len(names) + 1.6))
    axes = _axes(axes, size + 0.8, size)
    image = axes.imshow(cosines, cmap="RdBu", vmin=-1, vmax=1)
    axes.figure.colorbar(image, ax=axes, label="cosine", shrink=0.8)
    _named(axes, names)
    _named(axes, names, "y")
    if len(names) <= 14:
        for i, j in np.ndindex(cosines.shape):
            if np.isfinite(cosines[i, j]):
                text = "1" if i == j else signed(float(cosines[i, j]))
                colour = "white" if abs(cosines[i, j]) > 0.6 else "#1f2430"
                weight = "bold" if cosines[i, j] < CONFLICT else "normal"
                axes.text(j, i, text, ha="center", va="center", fontsize=8, color=colour, fontweight=weight)
    return axes


def plot_spectrum(spectrum: Spectrum, axes: Any = None) -> Any:
    """Returns axes with the norms of the gradient's parts by number of blocks, and the norm of their sum as a line."""
    axes = _axes(axes, 6.4, 3.6)
    every, whole = spectrum.all_parts, spectrum.all_whole
    costs = len(spectrum.costs)
    places = np.arange(every.shape[1])
    width = 0.8 / costs
    for k, name in enumerate(spectrum.costs):
        colour = LIGHT[k % len(LIGHT)]
        shifted = places + (k - (costs - 1) / 2) * width
        look = {"color": colour, "hatch": "//" * k, "edgecolor": "white", "linewidth": 0.3}
        axes.bar(shifted, every[k], width * 0.92, label=f"{short(name, LETTERS)}: parts", **look)
        axes.axhline(
            whole[k],
            color=colour,
            linestyle=DASHES[1 + k % 3],
            label=f"{short(name, LETTERS)}: norm of their sum",
        )
    axes.set_xticks(places if len(places) <= NAMES else places[:: -(-len(places) // NAMES)])
    axes.set_xlabel("number of blocks that a path passes")
    axes.set_ylabel("norm of the gradient's part")
    _plain(axes)
    axes.legend(frameon=False, fontsize=8)
    return axes
