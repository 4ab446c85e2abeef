"""The table of paths of a derivation, and the paths summed by the neuron that they pass."""

from math import fsum
from typing import Any

import numpy as np

from whygrad.derive.derivation import Groups, PathRow, PathTable
from whygrad.derive.links import Links
from whygrad.derive.spelling import Spelling
from whygrad.graph import Graph
from whygrad.notation import Quantity
from whygrad.paths import Path, Walker
from whygrad.run import Run
from whygrad.sweep import Sweep, counts

# Up to so many paths are listed in full; and so many, over all examples, are walked one by one.
LIST_UP_TO = 12
WALK_UP_TO = 5000


class Traced:
    """The paths of one question: counted, summed, and listed.

    Args:
        run: The run.
        of: What is differentiated.
        by: What it is differentiated by.
        example: One example, or nothing for all of them together.
        spell: How things are written.
    """

    def __init__(self, run: Run, of: Quantity, by: Quantity, example: int | None, spell: Spelling) -> None:
        self.run, self.of, self.by, self.example = run, of, by, example
        self._spell = spell
        self.graph: Graph = run.graph_of(of, example or 0)
        shared = by.kind in ("w", "b", "C", "R")
        which = range(run.examples) if example is None and not shared else (example or 0,)
        self.entries = [run.entry(by, each) for each in which]

    def _over_entries(self, values: Any) -> Any:
        flat = np.ravel(np.asarray(values))
        return [flat[entry.position] for entry in self.entries]

    def sum_of(self, semiring: str) -> float:
        """Returns a semiring's values at the quantity, added up over the examples that are asked about."""
        values = Sweep(self.graph, semiring).joined(self.entries[0].node)
        return float(fsum(float(value) for value in self._over_entries(values)))

    def table(self, k: int) -> PathTable:
        """Returns the table of paths with at most k rows where there are many.

        A path of the network is one row; where there are several examples, its contribution is summed over them.
        """
        found = self._over_entries(counts(self.graph, self.entries[0].node))
        uses = sum(int(each) for each in found)
        many = self.run.examples if self.example is None and self.of.kind in ("total", "C", "R") else 1
        total = self.sum_of("total")
        if uses <= WALK_UP_TO:
            rows, live = self._all_rows(total)
            count = len(rows)
            rows = rows if count <= max(k, LIST_UP_TO) else rows[:k]
        else:
            rows = self._strongest_rows(k, total)
            count, live = uses // many, sum(each.live for each in found) // many
        return PathTable(tuple(rows), count, live, self._sum(), total)

    def _sum(self) -> float:
        # Where the paths can be walked, their sum is taken from the walk: it must not come from the sweep it checks.
        walked = getattr(self, "_walked_sum", None)
        return self.sum_of("gradient") if walked is None else walked

    def _all_rows(self, total: float) -> tuple[list[PathRow], int]:
        grouped: dict[tuple[Quantity, ...], list[Path]] = {}
        walker = Walker(self.graph)
        for entry in self.entries:
            for path in walker.every(entry):
                grouped.setdefault(self._quantities(path), []).append(path)
        rows = [self._row(quantities, paths, total) for quantities, paths in grouped.items()]
        live = sum(any(path.contribution != 0 for path in paths) for paths in grouped.values())
        rows.sort(key=lambda row: -abs(row.contribution))
        self._walked_sum = fsum(path.contribution for paths in grouped.values() for path in paths)
        return rows, live

    def _strongest_rows(self, k: int, total: float) -> list[PathRow]:
        walker = Walker(self.graph)
        starts = [(self.entries[0].node, np.array([entry.position for entry in self.entries]))]
        found = walker.strongest(Sweep(self.graph, "strongest"), starts, k)
        return [self._row(self._quantities(path), [path], total) for path in found]

    def _quantities(self, path: Path) -> tuple[Quantity, ...]:
        named = [self.run.quantities_at(entry) for entry in path.entries]
        made = [quantities[0] for quantities in named if quantities]
        if made and made[-1]._replace(kind=self.of.kind) == self.of:
            made[-1] = self.of
        made[0] = self.by
        return tuple(made)

    def _row(self, quantities: tuple[Quantity, ...], paths: list[Path], total: float) -> PathRow:
        contribution = fsum(path.contribution for path in paths)
        first = paths[0]
        example = self._example_of(first)
        return PathRow(
            tuple(self.run.network.name(q) for q in quantities),
            tuple(self._spell.q(q) for q in quantities),
            self.run.network.name(quantities[-1]),
            self._factors(quantities, example),
            contribution,
            contribution / total if total else 0.0,
        )

    def _example_of(self, path: Path) -> int:
        """Returns the example that a path goes through, read off its first activation or pre-activation."""
        for entry in path.entries:
            for q in self.run.quantities_at(entry):
                if q.kind in ("a", "z"):
                    width = self.graph.nodes[entry.node].value.shape[1]
                    return entry.position // int(width)
        return 0

    def _factors(self, quantities: tuple[Quantity, ...], example: int) -> tuple[tuple[Any, float], ...]:
        links = Links(self.run, example, self.of)
        place = quantities[0]
        factors = []
        while place != quantities[-1]:
            after = {link.to: link for link in links.after(place)}
            link = next((after[q] for q in quantities if q in after), None)
            if link is None:
                break
            factors.append((self._spell(link.symbols), link.value))
            place = link.to
        return tuple(factors)

    def groups(self) -> tuple[Groups, ...]:
        """Returns, for each layer that the paths pass with a choice, their sums by the neuron that they pass.

        The sum through a neuron is the derivative of the neuron by the quantity times the derivative of the end by
        the neuron: both come from a sweep, so that no path has to be listed.
        """
        net = self.run.network.layered
        first = (self.by.layer or 0) + (self.by.kind == "a")
        if self.example is None and self.run.examples > 1:
            return ()
        last = self.of.layer if self.of.kind in ("a", "z") and self.of.layer is not None else net.depth + 1
        made = []
        whole = Sweep(self.graph, "gradient")
        number = Sweep(self.graph, "count")
        nodes = self.run.recorded.nodes
        for layer in range(first, last):
            if layer < 1 or net.sizes[layer] < 2 or net.sizes[layer] > 8:
                continue
            node = nodes["a", layer]
            above = np.ravel(np.asarray(whole.joined(node)))
            above_count = np.ravel(np.asarray(number.joined(node)))
            rows = []
            for j in range(net.sizes[layer]):
                neuron = Quantity("a", layer, j)
                entry = self.run.entry(neuron, self.example or 0)
                below = self.run.graph_of(neuron, self.example or 0)
                place = self.entries[0]
                inner = float(
                    np.ravel(np.asarray(Sweep(below, "gradient").joined(place.node)))[place.position]
                )
                ways = float(np.ravel(np.asarray(Sweep(below, "count").joined(place.node)))[place.position])
                many = int(ways * above_count[entry.position])
                if many:
                    rows.append((self._spell.q(neuron), many, inner * float(above[entry.position])))
            if len(rows) > 1:
                made.append(Groups(tuple(rows)))
        return tuple(made)
