"""The strongest paths of every parameter of a recorded model, and of every module, per cost."""

from collections.abc import Container, Sequence
from typing import Any

import numpy as np

from whygrad.arrays import Array, in_numpy
from whygrad.model_record import Record
from whygrad.paths import Walker
from whygrad.progress import Progress, quiet
from whygrad.report.phrases import grouped, named
from whygrad.report.record import Numbers
from whygrad.view.modules import Modules

# Parameters beyond these, those with the shortest gradients, are left out: each takes a search.
MOST_PARAMETERS = 90
MOST_COSTS = 6


class StrongestPaths:
    """The k strongest paths from each parameter to each cost; a module's are the strongest of its parameters'.

    Args:
        record: What was computed.
        modules: Its modules.
        k: How many paths each parameter has.
    """

    def __init__(self, record: Record, modules: Modules, k: int) -> None:
        self.record, self.modules, self.k = record, modules, k
        self.names: dict[str, int] = {}
        self.found: list[list[Any]] = []
        self._sums: dict[tuple[str, str], Array] = {}
        rows = range(min(len(record.cost_names), MOST_COSTS))
        self._walkers = [Walker(record.graph, (row,)) for row in rows]

    def json(
        self,
        numbers: dict[int, Numbers],
        told: Container[int] = (),
        progress: Progress = quiet,
    ) -> dict[str, Any]:
        """Returns the names, the paths, and for each place and cost which paths are the strongest.

        Args:
            numbers: What the costs do to each part.
            told: The places that findings are about: their parameters come first where there are too many.
            progress: Told whose paths are searched for, and which share of all is done.
        """
        places = self.modules.places
        parameters = [n for n in numbers if places[n].kind == "parameter"]
        longest = sorted(
            parameters,
            key=lambda n: (
                not any(m in told for m in self.modules.chain(n)),
                -float(np.nan_to_num(numbers[n].norms).max()),
            ),
        )
        searched = {n for n in longest[:MOST_PARAMETERS] if numbers[n].reached.any()}
        rows = range(len(self._walkers))
        tops: dict[int, list[list[int]]] = {}
        for done, n in enumerate(sorted(searched)):
            progress(f"paths of {places[n].name}", done / len(searched))
            tops[n] = [
                self._search(places[n].name, k) if numbers[n].norms[k] > 0 or numbers[n].reached[k] else []
                for k in rows
            ]
        at = {}
        for n in numbers:
            inside = [m for m in parameters if n in self.modules.chain(m)]
            if not any(m in searched for m in inside):
                continue
            ways = [
                self._way(k, [top for m in inside if m in tops for top in tops[m][k]], inside, numbers[n])
                for k in rows
            ]
            every = [top for way in ways for top in way["top"]]
            ways.append(self._way(None, every, inside, numbers[n]))
            for way in ways:
                way["partly"] = any(m not in searched for m in inside)
            at[str(n)] = ways
        return {"names": list(self.names), "found": self.found, "at": at}

    def _search(self, name: str, k: int) -> list[int]:
        made: list[int] = []
        starts = [(self.record.leaves[name].node, None)]
        found = self._walkers[k].strongest(self.record.graph_sweep("strongest"), starts, self.k)
        found = [path for path in found if np.isfinite(path.contribution)]
        for path, names in zip(found, self.record.path_names(found), strict=True):
            named = [self.names.setdefault(each, len(self.names)) for each in names]
            made.append(len(self.found))
            self.found.append([float(f"{path.contribution:.6g}"), k, named])
        return made

    def _way(self, k: int | None, tops: list[int], inside: list[int], numbers: Numbers) -> dict[str, Any]:
        """Returns the strongest of some paths, and the sums over all: their count, sum and sum of absolute values."""
        tops = sorted(set(tops), key=lambda top: -abs(self.found[top][0]))[: self.k]
        rows = slice(None) if k is None else slice(k, k + 1)
        total = None if numbers.total is None else float(numbers.total[rows].sum())
        names = [self.modules.places[m].name for m in inside]
        starts = [self.record.leaves[name].node for name in names]
        whole = sum(float(self._sum("gradient", name)[rows].sum()) for name in names)
        many = sum(float(self._sum("count", name)[rows].sum()) for name in names)
        return {
            "top": tops,
            "shares": [self.found[top][0] / total if total and np.isfinite(total) else None for top in tops],
            "sum": float(f"{whole:.6g}") if np.isfinite(whole) else None,
            "total": float(f"{total:.6g}") if total is not None and np.isfinite(total) else None,
            "count": _many(many),
            "stops": stopped(self.record.stops_between(starts, None if k is None else (k,))),
        }

    def _sum(self, semiring: str, name: str) -> Array:
        """Returns the sum of a sweep's values over a parameter, for each cost, once for all modules that it is in."""
        if (semiring, name) not in self._sums:
            sweep = self.record.graph_sweep(semiring)
            made = np.zeros(len(self.record.cost_names))
            for piece in sweep.pieces(self.record.leaves[name].node):
                made += in_numpy(sweep.read(piece)).reshape(len(made), -1).sum(axis=1, dtype=np.float64)
            self._sums[semiring, name] = made
        return self._sums[semiring, name]


def paths_of(record: Record, quantity: str, row: int | None, k: int) -> dict[str, Any]:
    """Returns the k strongest paths from one quantity, by name, to the costs or to one, in the form of a document's.

    Raises:
        QuantityError: There is no such quantity.
    """
    node, position = record.at(quantity)
    listed = record.paths(quantity, row, k)
    rows = None if row is None else (row,)
    counted = np.ravel(in_numpy(record.graph_sweep("count").joined(node, rows)).astype(np.float64))
    names: dict[str, int] = {}
    found: list[list[Any]] = [
        [
            float(f"{path.contribution:.6g}"),
            record.cost_names.index(path.quantities[-1]),
            [names.setdefault(name, len(names)) for name in path.quantities],
        ]
        for path in listed
        if np.isfinite(path.contribution)
    ]
    total = listed.total
    return {
        "names": list(names),
        "found": found,
        "top": list(range(len(found))),
        "shares": [path[0] / total if total and np.isfinite(total) else None for path in found],
        "sum": float(f"{listed.sum:.6g}") if np.isfinite(listed.sum) else None,
        "total": float(f"{total:.6g}") if np.isfinite(total) else None,
        "count": _many(float(counted.sum() if position is None else counted[position])),
        "stops": stopped(listed.stops),
    }


def stopped(stops: Sequence[str]) -> str:
    """Returns what becomes of what goes through operations without a declaration, as a sentence; mostly empty."""
    return f"What goes through {named(stops, 4)}, without a declaration, is in no path." if stops else ""


def _many(count: float) -> str:
    """Returns a number of paths in words: exact while that can be known.

    Example:
        >>> _many(1234567.0), _many(3.2e21), _many(float("inf"))
        ('1 234 567', 'about 3.2e21', 'more than 1e308')
    """
    if not np.isfinite(count):
        return "more than 1e308"
    if count < 2.0**53:
        return grouped(int(count))
    digits, _, exponent = f"{count:.1e}".partition("e")
    return f"about {digits}e{int(exponent)}"
