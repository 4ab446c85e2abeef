"""Figures of a report, with Matplotlib: the depth profile, the cosines, the spectrum."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from whygrad.branches import Spectrum
from whygrad.errors import NotSupportedError
from whygrad.render.branches_text import SPECTRUM
from whygrad.render.hues import LIGHT
from whygrad.render.report_words import blocks_shown, met_cosines, short
from whygrad.report.conflicts import CONFLICT
from whygrad.report.phrases import OWN, norm, signed
from whygrad.report.record import Report

DASHES = ("-", "--", ":", "-.", (0, (1, 3)), (0, (8, 3)))
MARKERS = ("o", "s", "^", "D", "v", "P")
# A name is written at this many places of an axis at most.
NAMES = 24
# So many costs have a legend.
LEGEND_UP_TO = 12
# Longer names are cut: those of costs in the middle, those of modules at their beginning, which many have in common.
LETTERS = 28
MODULE_LETTERS = 22
# More bars are too narrow for a hatch.
HATCHED_UP_TO = 40
# Of names and titles, in points.
SMALL = 8
# So many letters of that size fit below a figure with layers.
WIDE = 72.0


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


def _cost(name: str) -> str:
    return short(name, LETTERS)


def _module(name: str) -> str:
    """Returns a module's path, without its beginning where it is too long; of the last names two are there at least.

    Example:
        >>> _module("encoder.layers.11.norm1.inner"), _module("blocks.11.intermediate_projection")
        ('…layers.11.norm1.inner', '…11.intermedi…ojection')
    """
    if len(name) <= MODULE_LETTERS:
        return name or OWN
    *around, last = name.split(".")
    if not around:
        return short(name, MODULE_LETTERS)
    made = f"{short(around[-1], 6)}.{last}"
    for part in reversed(around[:-1]):
        if len(part) + len(made) + 2 > MODULE_LETTERS:
            break
        made = f"{part}.{made}"
    head, _, last = made.rpartition(".")
    return f"…{head}.{short(last, MODULE_LETTERS - 2 - len(head))}"


def _written(names: list[str]) -> list[int]:
    """Returns which of some names are written: every n-th where there are many."""
    return list(range(0, len(names), -(-len(names) // NAMES)))


def _below(names: list[str]) -> float:
    """Returns how much higher a figure is for the names of modules below it, in inches."""
    return 0.05 * max((len(_module(names[place])) for place in _written(names)), default=0)


def _beside(names: Iterable[str]) -> float:
    """Returns how much wider a figure is for the names of costs beside it, in inches."""
    return 0.07 * max(len(_cost(name)) for name in names)


def _named(axes: Any, names: list[str], shown: Callable[[str], str], letters: float) -> None:
    """Writes names below an axis of so many letters, slanted where they would touch each other."""
    places = _written(names)
    texts = [shown(names[place]) for place in places]
    slanted = len(texts) > 1 and max(map(len, texts)) + 1 > letters / len(texts)
    look = {"rotation": 50, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    axes.set_xticks(places, texts, fontsize=SMALL, **look)


def _plain(axes: Any, title: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#d9dce2", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_title(title, fontsize=9, loc="left")


def _legend(axes: Any, costs: int) -> None:
    if costs <= LEGEND_UP_TO:
        axes.legend(frameon=False, fontsize=SMALL, loc="center left", bbox_to_anchor=(1.0, 0.5))


def _line(axes: Any, k: int, places: Any, values: Any, label: str) -> None:
    """Draws what belongs to one cost: in its colour, with dashes and marks of its own."""
    look = k + k // len(LIGHT)
    axes.plot(
        places,
        values,
        color=LIGHT[k % len(LIGHT)],
        linestyle=DASHES[look % len(DASHES)],
        marker=MARKERS[look % len(MARKERS)],
        markersize=4 if len(values) < 60 else 0,
        label=label,
    )


def plot_depth(report: Report, axes: Any = None) -> Any:
    """Returns axes with the norm of each cost's derivative by each layer's output, in the order of the forward pass."""
    layers, costs = [layer.name for layer in report.layers], list(report.costs)
    if not layers:
        raise NotSupportedError("plot_depth: no layer has an output: the weights meet costs alone")
    axes = _axes(axes, 6.4 + _beside(costs), 3.0 + _below(layers))
    norms = np.array([layer.norms for layer in report.layers]).reshape(-1, len(costs))
    for k, name in enumerate(costs):
        there = np.isfinite(norms[:, k]) & (norms[:, k] > 0)
        label = _cost(name) if there.any() else f"{_cost(name)}: no path"
        _line(axes, k, np.flatnonzero(there), norms[there, k], label)
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    if high < 10 * low:  # powers of ten would be far apart
        axes.yaxis.set_major_formatter(lambda value, _: norm(value))
        axes.yaxis.set_minor_formatter(lambda value, _: norm(value))
    _named(axes, layers, _module, WIDE)
    axes.set_ylabel("norm of the derivative")
    _plain(axes, "Norm of each cost's derivative by the layers' outputs, in the order of the forward pass")
    _legend(axes, len(costs))
    return axes


def plot_cosines(report: Report, axes: Any = None) -> Any:
    """Returns axes with the cosines between costs: by layer for two costs, as a matrix for more.

    The matrix is of all weights together on which several costs pull. Conflicts are hatched or bold, not only coloured,
    where there is room for that.

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
        return _matrix(names, met_cosines(shared), axes)
    layers = [layer for layer in report.model.layers if len(layer.numbers.live) > 1]
    axes = _axes(axes, 7.0, 2.6 + _below([layer.name for layer in layers]))
    values = [float(layer.numbers.cosines[0, 1]) for layer in layers]
    against = [value < CONFLICT for value in values]
    bars = axes.bar(
        range(len(values)), values, color=[LIGHT[1] if bad else LIGHT[0] for bad in against], width=0.7
    )
    hatched = any(against) and len(values) <= HATCHED_UP_TO
    for bar, bad in zip(bars, against, strict=True):
        if bad and hatched:
            bar.set(hatch="//", edgecolor="white", linewidth=0)
    axes.axhline(0.0, color="#1f2430", linewidth=0.8)
    axes.axhline(CONFLICT, color="#a3150a", linewidth=0.8, linestyle=":")
    axes.set_xlim(-1.0, len(values))
    axes.set_ylim(-1, 1)
    _named(axes, [layer.name for layer in layers], _module, WIDE)
    axes.set_ylabel("cosine")
    against_each_other = (
        f"below {signed(CONFLICT)} (dotted{', hatched' * hatched}) they pull against each other"
    )
    _plain(axes, f"Gradients of {_cost(names[0])} and {_cost(names[1])} by layer\n{against_each_other}")
    return axes


def _matrix(names: list[str], cosines: Any, axes: Any) -> Any:
    size = max(3.4, min(9.0, 0.55 * len(names) + 1.6))
    axes = _axes(axes, size + 0.8, size)
    image = axes.imshow(cosines, cmap="RdBu", vmin=-1, vmax=1)
    axes.figure.colorbar(image, ax=axes, label="cosine", shrink=0.8)
    _named(axes, names, _cost, 9 * size)
    places = _written(names)
    axes.set_yticks(places, [_cost(names[place]) for place in places], fontsize=SMALL)
    title = "Cosines between the costs' gradients,\nover the shared weights"
    if len(names) <= 14:
        title += f"; bold: below {signed(CONFLICT)}"
        for i, j in np.ndindex(cosines.shape):
            if np.isfinite(cosines[i, j]):
                text = "1" if i == j else signed(float(cosines[i, j]))
                colour = "white" if abs(cosines[i, j]) > 0.6 else "#1f2430"
                weight = "bold" if cosines[i, j] < CONFLICT else "normal"
                axes.text(
                    j, i, text, ha="center", va="center", fontsize=SMALL, color=colour, fontweight=weight
                )
    axes.set_title(title, fontsize=9, loc="left")
    return axes


def plot_spectrum(spectrum: Spectrum, axes: Any = None) -> Any:
    """Returns axes with the norms of the gradient's parts by number of blocks, without small ones at the end.

    Each is divided by the norm of its cost's whole gradient, which is a line at 1: costs of any size can be compared.
    """
    axes = _axes(axes, 5.2 + _beside(spectrum.costs), 3.6)
    whole = spectrum.all_whole
    every = spectrum.all_parts / np.where(whole > 0, whole, 1.0)[:, None]
    places = np.arange(blocks_shown(every))
    for k, name in enumerate(spectrum.costs):
        _line(axes, k, places, every[k, places], _cost(name))
    axes.axhline(1.0, color="#1f2430", linewidth=1.0, linestyle=DASHES[1], label="the whole gradient")
    axes.set_xticks(places[:: -(-len(places) // NAMES)])
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel("number of blocks that a path passes")
    axes.set_ylabel("norm of the part / of the whole")
    _plain(axes, SPECTRUM)
    _legend(axes, len(spectrum.costs))
    return axes
