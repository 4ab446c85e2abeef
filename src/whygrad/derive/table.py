"""The table of paths of a derivation, the examples' parts, and the paths summed by the neuron that they pass."""

from functools import partial
from math import fsum
from typing import Any

import numpy as np

from whygrad.derive.derivation import Groups, PathRow, PathTable
from whygrad.derive.links import TOTAL, Link, Links, kept
from whygrad.derive.spelling import Spelling
from whygrad.exact_counts import Counts
from whygrad.graph import Entry, Graph
from whygrad.notation import Quantity
from whygrad.paths import Path, Walker
from whygrad.run import Run
from whygrad.sweep import Sweep

# Up to so many paths are listed in full; and so many, over all examples, are walked one by one.
LIST_UP_TO = 12
WALK_UP_TO = 5000
# The first few layers of a choice are shown neuron by neuron, where a layer has few of them.
GROUPS = 3
GROUP_UP_TO = 8


class Traced:
    """The paths of one question: counted, summed, and listed.

    Args:
        run: The run.
        of: What is differentiated.
        by: What it is differentiated by.
        spell: How things are written.
    """

    def __init__(self, run: Run, of: Quantity, by: Quantity, spell: Spelling) -> None:
        self.run, self.of, self.by = run, of, by
        self._spell = spell
        self.graph: Graph = run.graph_of(of)
        shared = by.kind in ("w", "b", "C", "R")
        self._sweeps: dict[str, Sweep] = {}
        self.entries = [run.entry(by, each) for each in range(1 if shared else run.examples)]

    def _over_entries(self, values: Any) -> Any:
        flat = np.ravel(np.asarray(values))
        return [flat[entry.position] for entry in self.entries]

    def sweep(self, semiring: str) -> Sweep:
        """Returns the sweep of a semiring that starts at what is differentiated."""
        if self.of == TOTAL:
            return self.run.sweep(semiring).sweep
        if semiring not in self._sweeps:
            self._sweeps[semiring] = self.run.seeded(self.of, semiring=semiring)
        return self._sweeps[semiring]

    def sum_of(self, semiring: str) -> float:
        """Returns a semiring's values at the quantity, added up over the examples."""
        values = self.sweep(semiring).joined(self.entries[0].node)
        return float(fsum(float(value) for value in self._over_entries(values)))

    def parts(self) -> tuple[float, ...]:
        """Returns each example's part of the derivative; nothing where there is one example, or none has a part."""
        run, by = self.run, self.by
        if run.examples == 1 or self.of.kind == "R" or by.kind in ("C", "R"):
            return ()
        sweep = self.sweep("gradient")
        if by.kind not in ("w", "b"):
            return tuple(map(float, self._over_entries(sweep.joined(self.entries[0].node))))
        above = np.asarray(sweep.joined(run.recorded.nodes["z", by.layer]))[:, int(by.to or 0)]
        if by.kind == "w":
            below = self.graph.nodes[run.recorded.nodes["a", int(by.layer or 1) - 1]].value
            above = above * below[:, int(by.source or 0)]
        return tuple(map(float, above))

    def table(self, k: int) -> PathTable:
        """Returns the table of paths with at most k rows where there are many.

        A path of the network is one row, and its contribution is summed over the examples. Where there are too many
        to walk, each example's paths are apart.
        """
        places = np.array([entry.position for entry in self.entries])
        found = self._counts(self.of, places)
        uses = sum(int(each) for each in found)
        total = self.sum_of("total")
        if uses <= WALK_UP_TO:
            return self._walked(k, total)
        apart = self.run.examples > 1
        walker = self._walker()
        starts = [(self.entries[0].node, places)]
        rows = [
            self._row(self._quantities(path), [path], total, apart)
            for path in walker.strongest(self.sweep("strongest"), starts, k)
        ]
        live = sum(each.live for each in found)
        return PathTable(tuple(rows), uses, live, self.sum_of("gradient"), total, walked=False, apart=apart)

    def _counts(self, of: Quantity, positions: Any) -> Any:
        """Returns the numbers of paths from entries of the quantity's array."""
        graph = self.run.graph_of(of)
        known: Counts = kept(self.run, ("counts", of), lambda: Counts(graph))
        return known.joined(self.entries[0].node, None, positions)

    def _walker(self) -> Walker:
        made: Walker = kept(self.run, ("walker", self.of), lambda: Walker(self.graph))
        return made

    def _quantities_at(self, entry: Entry) -> list[Quantity]:
        made: list[Quantity] = kept(self.run, entry, lambda: self.run.quantities_at(entry))
        return made

    def _walked(self, k: int, total: float) -> PathTable:
        """Returns the table of few paths; their sum comes from the walk and not from the sweep that it checks."""
        grouped: dict[tuple[Quantity, ...], list[Path]] = {}
        walker = self._walker()
        for entry in self.entries:
            for path in walker.every(entry):
                grouped.setdefault(self._quantities(path), []).append(path)
        live = sum(any(path.contribution != 0 for path in paths) for paths in grouped.values())
        sized = sorted(grouped.items(), key=lambda item: -abs(fsum(path.contribution for path in item[1])))
        listed = sized if len(sized) <= max(k, LIST_UP_TO) else sized[:k]
        rows = tuple(self._row(quantities, paths, total) for quantities, paths in listed)
        whole = fsum(path.contribution for paths in grouped.values() for path in paths)
        return PathTable(rows, len(sized), live, whole, total)

    def _quantities(self, path: Path) -> tuple[Quantity, ...]:
        named = [self._quantities_at(entry) for entry in path.entries]
        made = [quantities[0] for quantities in named if quantities]
        if self.of.kind in ("a", "z"):
            made[-1] = self.of  # where the activation is the pre-activation, both are at one entry
        made[0] = self.by
        if len(made) == 1 and self.of.kind in ("a", "z") and self.of != self.by:
            made.append(self.of)
        if self.of == TOTAL and self.by.kind in ("C", "R"):
            made.append(TOTAL)
        return tuple(made)

    def _row(
        self, quantities: tuple[Quantity, ...], paths: list[Path], total: float, apart: bool = False
    ) -> PathRow:
        contribution = fsum(path.contribution for path in paths)
        example = self._example_of(paths[0])
        stations, links = self._stations(quantities, example)
        # Over several examples a path is a sum of products, and has no factors of its own.
        own = apart or self.run.examples == 1
        factors = [(self._spell(link.symbols), link.value) for link in links] if own else []
        return PathRow(
            tuple(self.run.network.name(q) for q in stations),
            tuple(self._spell.q(q) for q in stations),
            self.run.network.name(quantities[-1]),
            tuple(factors),
            contribution,
            contribution / total if total else 0.0,
            example if apart and quantities[-1].kind != "R" else None,
        )

    def _example_of(self, path: Path) -> int:
        """Returns the example that a path goes through, read off its first activation or pre-activation."""
        for entry in path.entries:
            for q in self._quantities_at(entry):
                if q.kind in ("a", "z"):
                    width = self.graph.nodes[entry.node].value.shape[1]
                    return entry.position // int(width)
        return 0

    def _stations(self, quantities: tuple[Quantity, ...], example: int) -> tuple[list[Quantity], list[Link]]:
        """Returns the stations of a path, and the link from each to the next."""
        links = Links.kept(self.run, example, self.of)
        stations, taken = [quantities[0]], []
        while stations[-1] != quantities[-1]:
            after = {link.to: link for link in links.after(stations[-1], only=quantities)}
            # An activation that is its pre-activation leads to it by a factor of 1.
            same = Link(self.of, lambda s: "", None, (1.0,))
            link = next((after[q] for q in quantities if q in after), same)
            taken.append(link)
            stations.append(link.to)
        return stations, taken

    def groups(self) -> tuple[Groups, ...]:
        """Returns, for each layer that the paths pass with a choice, their sums by the neuron that they pass.

        The sum through a neuron is the derivative of the neuron by the quantity times the derivative of the end by
        the neuron: both come from a sweep, so that no path has to be listed.
        """
        net = self.run.network.layered
        first = (self.by.layer or 0) + (self.by.kind == "a")
        if self.run.examples > 1:
            return ()
        last = self.of.layer if self.of.kind in ("a", "z") and self.of.layer is not None else net.depth + 1
        layers = [layer for layer in range(max(first, 1), last) if 2 <= net.sizes[layer] <= GROUP_UP_TO]
        return tuple(filter(None, (self._group(layer) for layer in layers[:GROUPS])))

    def _group(self, layer: int) -> Groups | None:
        node = self.run.recorded.nodes["a", layer]
        above = np.ravel(np.asarray(self.sweep("gradient").joined(node)))
        above_count = kept(
            self.run, ("counts from", self.of, node), lambda: np.ravel(Counts(self.graph).joined(node))
        )
        place = self.entries[0]
        rows = []
        for j in range(self.run.network.layered.sizes[layer]):
            neuron = Quantity("a", layer, j)
            position = self.run.entry(neuron).position
            below: Sweep = kept(self.run, ("sweep", neuron), partial(self.run.seeded, neuron))
            inner = np.ravel(np.asarray(below.joined(place.node)))[place.position]
            many = self._counts(neuron, [place.position])[0] * above_count[position]
            if many:
                rows.append((self._spell.q(neuron), int(many), float(inner) * float(above[position])))
        return Groups(tuple(rows)) if len(rows) > 1 else None
