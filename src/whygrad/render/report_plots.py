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
# So many costs have a legend.
LEGEND_UP_TO = 12
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


def _written(names: list[str]) -> tuple[list[int], list[str]]:
    """Returns which of some names are written, every n-th where there are many, and how."""
    places = list(range(0, len(names), -(-len(names) // NAMES)))
    return places, [short(names[place], LETTERS) or OWN for place in places]


def _below(names: list[str]) -> float:
    """Returns how much higher a figure is for the names below it, in inches."""
    return 0.05 * max(map(len, _written(names)[1]), default=0)


def _named(axes: Any, names: list[str], axis: str = "x") -> None:
    """Writes names at an axis."""
    places, shown = _written(names)
    if axis == "x":
        slanted = len(shown) > 4 or (len(shown) > 1 and max(map(len, shown)) > 12)
        axes.set_xticks(places, shown, rotation=40 if slanted else 0, ha="right" if slanted else "center")
    else:
        axes.set_yticks(places, shown)


def _plain(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#d9dce2", linewidth=0.8)
    axes.set_axisbelow(True)


def plot_depth(report: Report, axes: Any = None) -> Any:
    """Returns axes with the norm of each cost's derivative by each layer's output, in the order of the forward pass."""
    layers = [layer.name for layer in report.layers]
    if not layers:
        raise NotSupportedError("plot_depth: no layer has an output: the weights meet costs alone")
    axes = _axes(axes, 7.5, 3.0 + _below(layers))
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
            label=short(name, LETTERS) if there.any() else f"{short(name, LETTERS)}: no path",
        )
    axes.set_yscale("log")
    _named(axes, layers)
    axes.set_ylabel("norm of the derivative\nby the layer's output")
    _plain(axes)
    if len(report.costs) <= LEGEND_UP_TO:
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
    axes = _axes(axes, 7.0, 2.6 + _below([layer.name for layer in layers]))
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
    axes.set_xlim(-1.0, len(values))
    axes.set_ylim(-1, 1)
    _named(axes, [layer.name for layer in layers])
    axes.set_ylabel("cosine")
    title = f"Gradients of {short(names[0], LETTERS)} and {short(names[1], LETTERS)}\n"
    title += f"below {signed(CONFLICT)} (dotted{', hatched' * any(against)}) they pull against each other"
    axes.set_title(title, fontsize=9, loc="left")
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
    """Returns axes with the norms of the gradient's parts by number of blocks.

    Each is divided by the norm of its cost's whole gradient, which is a line at 1: costs of any size can be compared.
    """
    axes = _axes(axes, 6.4, 3.6)
    whole = spectrum.all_whole
    every = spectrum.all_parts / np.where(whole > 0, whole, 1.0)[:, None]
    costs = len(spectrum.costs)
    places = np.arange(every.shape[1])
    width = 0.8 / costs
    for k, name in enumerate(spectrum.costs):
        colour = LIGHT[k % len(LIGHT)]
        shifted = places + (k - (costs - 1) / 2) * width
        look = {"color": colour, "hatch": "//" * k, "edgecolor": "white", "linewidth": 0.3}
        axes.bar(shifted, every[k], width * 0.92, label=short(name, LETTERS), **look)
    axes.axhline(1.0, color="#1f2430", linewidth=1.0, linestyle=DASHES[1], label="norm of the parts' sum")
    axes.set_xticks(places if len(places) <= NAMES else places[:: -(-len(places) // NAMES)])
    axes.set_xlabel("number of blocks that a path passes")
    axes.set_ylabel("norm of the gradient's part\nagainst the whole gradient's")
    _plain(axes)
    if costs <= LEGEND_UP_TO:
        axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return axes
