"""The document of a recorded model: everything that its page shows, as dictionaries, lists, texts and numbers."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from whygrad.arrays import Array, in_numpy
from whygrad.branches import residuals
from whygrad.errors import NotSupportedError, QuantityError, near, some
from whygrad.model_record import Record
from whygrad.progress import Progress, quiet
from whygrad.render import report_words as words
from whygrad.report.conflicts import in_conflict, worst_pair
from whygrad.report.phrases import OWN
from whygrad.report.record import Report
from whygrad.structures import DenseAlongAxis
from whygrad.view.modules import Modules, modules
from whygrad.view.place_words import says, short, sides
from whygrad.view.strongest import StrongestPaths, stopped

VERSION = 1
# How many of the strongest paths each parameter has, where nobody says.
PATHS = 6
# How many rows of the tree are open at first, about.
ROWS = 26
# Cosines between all pairs of costs are sent for so many costs; beyond, the smallest alone.
COSTS_IN_MATRIX = 8
# The gradient by number of blocks is shown where all values, for each cost and number of blocks, have so many entries.
MOST_IN_SPECTRUM = 400_000_000
# Strongest paths are left out where normalisations have more pairs of entries, each with a partial: about 10 seconds.
MOST_PAIRS = 2_000_000_000
MEASURES = ("total", "strongest", "count")
# How a measure's values are joined: those of a parameter's entries, of a module's parameters, of all costs.
JOINED: dict[str, Callable[..., Any]] = {"strongest": np.max, "count": np.sum}
LABELS = {
    "norm": ("gradient", "the norm of each cost's gradient"),
    "share": ("share of each cost", "each cost's norm as a share of the sum of all costs' norms"),
    "total": ("sum without signs", "the sum of all absolute contributions of paths"),
    "strongest": ("strongest path", "the largest absolute contribution of one path"),
    "count": ("number of paths", "the number of paths to the costs; bars are logarithms"),
}


def recorded_document(
    record: Record,
    *,
    chosen: str | None = None,
    of: str | int | None = None,
    paths: int | None = None,
    semirings: Sequence[str] | None = None,
    report: Report | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Returns the document of a recorded model.

    Args:
        record: What was computed.
        chosen: The module or parameter that is shown first; where the costs disagree most where there is none.
        of: A cost, by name or number; all of them together where there is none.
        paths: How many strongest paths each parameter has; 0 leaves them out, which saves time. Default: 6, and none
            where normalisations over many entries would make it take minutes; the page then says so.
        semirings: What the bars can show beside norms and shares: some of ``total``, ``strongest``, ``count``.
            Default: all, but ``strongest`` where that would take minutes.
        report: The record's report, where it has been made already.
        progress: Told what is being worked out, and which share of all is done.

    Raises:
        QuantityError: There is no such module, parameter or cost.
        NotSupportedError: There is no such semiring.
    """
    semirings = (semirings,) if isinstance(semirings, str) else semirings
    for name in semirings or ():
        if name not in MEASURES:
            raise NotSupportedError(
                f"view: expected some of {', '.join(MEASURES)}, found {name!r}{near(name, MEASURES)}"
            )
    if paths is not None and (isinstance(paths, bool) or not isinstance(paths, int) or paths < 0):
        raise QuantityError(f"view: paths must be a whole number from 0, found {paths!r}")
    row = None if of is None else record.cost_row(of)
    tell = progress or quiet
    made = report or record.report(progress=lambda what, share: tell(what, share / 2))
    with np.errstate(all="ignore"):  # what isn't finite, or out of range, is said by the report
        return _Document(record, made, paths, semirings, tell).json(chosen, row)


def left_out(record: Record) -> str:
    """Returns why the strongest paths of a record are left out where nobody asks for them; mostly empty."""
    nodes = ((node, node.op.structure) for node in record.graph.nodes if node.op is not None)
    pairs = len(record.graph.costs) * sum(
        structure.pairs(tuple(node.value.shape), node.settings)
        for node, structure in nodes
        if isinstance(structure, DenseAlongAxis)
    )
    if pairs <= MOST_PAIRS:
        return ""
    return (
        f"The strongest paths are left out, since normalisations have {pairs:.0e} partials here, one for each pair "
        f"of entries: take a smaller batch, or ask for them: paths={PATHS}."
    )


class _Document:
    def __init__(
        self,
        record: Record,
        report: Report,
        paths: int | None,
        semirings: Sequence[str] | None,
        tell: Progress,
    ) -> None:
        self.record, self.report, self.tell = record, report, tell
        self.left_out = left_out(record) if paths is None else ""
        if semirings is None:
            semirings = [name for name in MEASURES if name != "strongest" or not self.left_out]
        paths = paths if paths is not None else 0 if self.left_out else PATHS
        tell("modules", 0.5)
        self.costs = list(report.costs)
        self.modules: Modules = modules(record, report)
        self.numbers = {
            n: place.part.numbers for n, place in enumerate(self.modules.places) if place.part is not None
        }
        self.paths = paths or 1
        self.strongest = StrongestPaths(record, self.modules, paths) if paths else None
        self._joined: dict[tuple[str, str], Array] = {}
        self.semirings = [name for name in semirings if name != "total" or self._has_totals]

    @property
    def _has_totals(self) -> bool:
        return self.report.model.numbers.total is not None

    def json(self, chosen: str | None, of: int | None) -> dict[str, Any]:
        """Returns the document."""
        report = self.report
        self.tell("branches", 0.55)
        branches = self._branches()
        made: dict[str, Any] = {
            "version": VERSION,
            "kind": "recorded",
            "title": words.headline(report),
            "state": {"chosen": self._first(chosen), "of": of, "open": self._open()},
            "costs": [
                {"name": name, "value": short(value), "norm": short(norm), "along": short(along)}
                for (name, value), norm, along in zip(
                    report.costs.items(), report.model.numbers.norms, report.model.numbers.along, strict=True
                )
            ],
            "total": short(sum(report.costs.values())),
            "findings": [
                {
                    "kind": finding.kind,
                    "says": finding.says,
                    "tries": list(finding.tries),
                    "places": self._places(finding.names),
                }
                for finding in report.findings
            ],
            "places": [self._place(n, branches) for n in range(len(self.modules.places))],
            "bands": [
                [band.source, band.user, [short(norm) for norm in band.norms], short(band.total)]
                for band in self.modules.bands
            ],
            "measures": [self._measure(name) for name in ("norm", "share", *self.semirings)],
            "branches": branches,
            "depth": self._depth(),
            "units": [
                [units.name, text] for units in report.units for text in [words.unit_words(units)] if text
            ],
            "spectrum": self._spectrum(),
            "notes": words.notes(report),
        }
        if self.left_out:
            made["left_out"] = self.left_out
        if self.strongest is not None:
            made["paths"] = self.strongest.json(
                self.numbers, self._told(), lambda what, share: self.tell(what, 0.7 + 0.3 * share)
            )
        return made

    def _places(self, names: Sequence[str]) -> list[int]:
        known = {place.name: n for n, place in enumerate(self.modules.places) if place.part is not None}
        return [known[name] for name in names if name in known][:12]

    def _told(self) -> set[int]:
        """Returns the places that findings are about, but the whole model."""
        return {n for finding in self.report.findings for n in self._places(finding.names) if n}

    def _first(self, chosen: str | None) -> int:
        if chosen is None:
            told = [n for finding in self.report.findings for n in self._places(finding.names) if n]
            return told[0] if told else 0
        for n, place in enumerate(self.modules.places):
            if place.name == chosen:
                return n
        known = [place.name for place in self.modules.places if place.name]
        raise QuantityError(
            f"view: expected a module or a parameter (such as {some(known)}), found {chosen!r}{near(chosen, known)}"
        )

    def _open(self) -> list[int]:
        """Returns the modules that are open at first, level by level, those first where the costs disagree most."""
        inside: dict[int | None, list[int]] = {}
        for n, place in enumerate(self.modules.places):
            inside.setdefault(place.around, []).append(n)
        opened, rows, waiting = [0], len(inside.get(0, ())), inside.get(0, [])
        while waiting:
            following = []
            for n in sorted(waiting, key=self._interest):
                more = inside.get(n, [])
                # A layer's own weights and biases wait until somebody asks.
                if not any(self.modules.places[m].kind != "parameter" for m in more):
                    continue
                if rows + len(more) <= ROWS or (len(more) <= 2 and rows + len(more) <= ROWS + 6):
                    opened.append(n)
                    rows += len(more)
                    following += more
            waiting = following
        return sorted(opened)

    def _interest(self, n: int) -> tuple[float, int]:
        worst = worst_pair(self.numbers[n]) if n in self.numbers else None
        return (worst[0] if worst else 1.0, n)

    def _place(self, n: int, branches: Sequence[dict[str, Any]]) -> dict[str, Any]:
        place = self.modules.places[n]
        made: dict[str, Any] = {
            "name": place.name,
            "label": place.label or "the model",
            "kind": place.kind,
            "around": place.around,
            "own": n in self.modules.own,
        }
        if place.row is not None:
            made["row"] = place.row
        if place.part is None:
            about = [sides(self.costs, branch) for branch in branches if branch["at"] == n]
            return made | {"about": " ".join(filter(None, about))}
        numbers = place.part.numbers
        worst = worst_pair(numbers)
        return made | {
            "shape": list(place.part.shape) if place.part.shape is not None else None,
            "parameters": sum(1 for _ in place.part.parameters),
            "entries": numbers.entries,
            "says": says(self.costs, numbers, place.part.name),
            "reached": [bool(reached) for reached in numbers.reached],
            "cosine": short(worst[0]) if worst else None,
            "pair": list(worst[1:]) if worst else None,
            "conflict": in_conflict(numbers),
            "cosines": [[short(value) for value in row] for row in words.met_cosines(numbers)]
            if 1 < len(self.costs) <= COSTS_IN_MATRIX
            else None,
            "along": [short(value) for value in numbers.along],
            "cancels": [short(value) for value in numbers.cancellation],
        }

    def _measure(self, name: str) -> dict[str, Any]:
        """Returns a measure's value at each place: for each cost, and for all together."""
        self.tell(LABELS[name][0], 0.6)
        values: list[Any] = []
        for n, place in enumerate(self.modules.places):
            if place.part is None:
                values.append(None)
                continue
            numbers = place.part.numbers
            if name == "norm":
                each, whole = numbers.norms, np.sqrt(max(float(numbers.gramian.sum()), 0.0))
            elif name == "share":
                each, whole = numbers.shares, float("nan")
            elif name == "total":
                assert numbers.total is not None  # else it isn't offered
                each, whole = numbers.total, float(numbers.total.sum())
            else:
                each, whole = self._swept(name, n)
            values.append([*[short(value) for value in each], short(whole)])
        label, meaning = LABELS[name]
        made: dict[str, Any] = {"name": name, "label": label, "says": meaning, "values": values}
        if name == "count":
            made["bars"] = [
                None if row is None else [short(np.log10(1 + value)) if value else 0.0 for value in row]
                for row in values
            ]
        return made

    def _swept(self, name: str, n: int) -> tuple[list[float], float]:
        part = self.modules.places[n].part
        assert part is not None
        join = JOINED[name]
        each = join([self._of_parameter(name, leaf.name) for leaf in part.parameters], axis=0)
        return each.tolist(), float(join(each))

    def _of_parameter(self, name: str, parameter: str) -> Array:
        """Returns a sweep's values at a parameter joined for each cost, once for all modules that it is part of."""
        if (name, parameter) not in self._joined:
            sweep, node = self.record.graph_sweep(name), self.record.leaves[parameter].node
            made = np.zeros(len(self.costs))
            if name == "strongest":  # one of those at which its paths are searched for
                for row in range(len(made)):
                    made[row] = sweep.largest(node, (row,), self.paths)[1].max(initial=0.0)
            else:
                for piece in sweep.pieces(node):
                    made += in_numpy(sweep.read(piece)).reshape(len(made), -1).sum(axis=1, dtype=np.float64)
            self._joined[name, parameter] = made
        return self._joined[name, parameter]

    def _branches(self) -> list[dict[str, Any]]:
        """Returns the values that are used several times, with what each user sends back."""
        made = []
        for parts in self.record.branches():
            at = self.modules.of_value.get(parts.place)
            if at is None or len(parts.senders) > 24:
                continue
            joined = parts.gramian.sum(axis=0)
            with np.errstate(invalid="ignore", divide="ignore"):
                size = np.sqrt(np.maximum(np.diag(joined), 0.0))
            shown = parts.skip_against_block
            made.append(
                {
                    "place": parts.place,
                    "at": at,
                    "senders": list(parts.senders),
                    "sides": list(parts.sides),
                    "norms": [[short(norm) for norm in row] for row in parts.norms],
                    "sizes": [short(value) for value in size],
                    "cosines": [
                        [[short(value) for value in row] for row in cosines] for cosines in parts.cosines
                    ]
                    if len(parts.senders) <= 6
                    else None,
                    "whole": [short(value) for value in parts.whole],
                    "against": None if shown is None else [short(value) for value in shown.cosines[:, 0, 1]],
                }
            )
        return made

    def _depth(self) -> dict[str, Any] | None:
        """Returns the depth profile as points between 0 and 1, on a logarithmic scale."""
        norms = np.array([layer.norms for layer in self.report.layers])
        known = norms[np.isfinite(norms) & (norms > 0)]
        if len(norms) < 2 or not len(known):
            return None
        low, high = np.floor(np.log10(known.min())), np.ceil(np.log10(known.max()))
        high = high if high > low else low + 1
        step = max(1, int((high - low) // 5))
        across = np.arange(len(norms)) / (len(norms) - 1)
        return {
            "layers": [layer.name or OWN for layer in self.report.layers],
            "ticks": [
                [short((power - low) / (high - low)), f"1e{int(power)}"]
                for power in np.arange(low, high + 1, step)
            ],
            "lines": [
                [
                    [short(x), short((np.log10(value) - low) / (high - low)), short(value), place]
                    for place, (x, value) in enumerate(zip(across, norms[:, k], strict=True))
                    if np.isfinite(value) and value > 0
                ]
                for k in range(len(self.costs))
            ],
        }

    def _spectrum(self) -> dict[str, Any] | None:
        split = self.report.spectrum
        if split is None:
            known = residuals(self.record)
            entries = sum(prod(node.value.shape) for node in self.record.graph.nodes)
            if not known or entries * len(self.costs) * (len(known) + 1) > MOST_IN_SPECTRUM:
                return None
            self.tell("spectrum", 0.65)
            split = self.record.spectrum()
        return {
            "parts": [[short(value) for value in row] for row in split.all_parts],
            "whole": [short(value) for value in split.all_whole],
            "stops": stopped(split.stops),
        }
