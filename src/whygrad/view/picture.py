"""What is drawn of a network: which neurons, with which values, and how much flows through each place."""

import itertools
from collections.abc import Iterable
from copy import copy
from typing import Any

import numpy as np

from whygrad.notation import Quantity
from whygrad.run import Run
from whygrad.semirings import SEMIRINGS
from whygrad.view.flows import Flow, Flows
from whygrad.view.keys import key
from whygrad.view.sheet import Sheet, Symbol, joined, rounded

# A layer of up to so many neurons is drawn whole; of a wider one, the neurons on the strongest paths.
WHOLE_UP_TO = 12
OF_WIDE = 7
# More lines than these are no picture, and slow.
MOST_WEIGHTS = 2600
# Strands of this many costs can be told apart; of more, the total is drawn.
STRANDS, STRANDS_TO_DEPTH = 6, 8
# What is thinner than this part of the widest can't be seen; and so many lines are lit at most.
FAINTEST = 0.004
MOST_LIT = 160
# Networks larger than this are coloured by the semirings that cost little.
ALL_SEMIRINGS_UP_TO = 20_000
# Without spectrum: all paths of a weight to the costs are equally long here, so it would be the gradient again.
COLOURINGS = ("gradient", "total", "strongest", "extremes", "count", "live", "reach", "entropy")
CHEAP = ("gradient", "total", "strongest", "count", "live")


class Picture:
    """The neurons that are drawn, and the items that can be chosen.

    Args:
        run: The run.
        chosen: What is explained first: it decides which neurons of wide layers are drawn.
        paths: The strongest paths of what is chosen, as quantities: their neurons are drawn.
    """

    def __init__(self, run: Run, chosen: Quantity, paths: Iterable[Iterable[Quantity]] = ()) -> None:
        self._run = run
        net = run.network.layered
        self._net = net
        limit = WHOLE_UP_TO
        while limit > 3 and self._weights(limit) > MOST_WEIGHTS:
            limit -= 1
        wide = any(size > limit for size in net.sizes)
        self.shown = self._chosen(chosen, paths, limit) if wide else [range(size) for size in net.sizes]
        self.items = list(self._items())
        self.places = {q: place for place, q in enumerate(self.items)}

    def of(self, run: Run) -> "Picture":
        """Returns the same picture with the numbers of a run of the network, which may be its own."""
        if run is self._run:
            return self
        made = copy(self)
        made._run = run
        return made

    def _weights(self, limit: int) -> int:
        sizes = [size if size <= limit else min(limit, OF_WIDE) for size in self._net.sizes]
        return sum(a * b for a, b in itertools.pairwise(sizes))

    def _chosen(self, chosen: Quantity, paths: Iterable[Iterable[Quantity]], limit: int) -> list[Any]:
        """Returns, for each layer, the neurons that are drawn: those on the strongest paths first."""
        run, net = self._run, self._net
        needed: dict[int, dict[int, None]] = {layer: {} for layer in range(len(net.sizes))}
        if chosen.kind in ("w", "a", "z", "b"):
            needed[int(chosen.layer or 0)][int(chosen.to or 0)] = None
        if chosen.kind == "w":
            needed[int(chosen.layer or 1) - 1][int(chosen.source or 0)] = None
        for path in paths:
            for q in path:
                if q.kind in ("a", "z"):
                    needed[int(q.layer or 0)][int(q.to or 0)] = None
                elif q.kind == "C":
                    needed[net.depth][int(q.to or 0)] = None
        flow = Flows(run).of(chosen)
        sweep = run.sweep("gradient").sweep
        shown: list[Any] = []
        for layer, size in enumerate(net.sizes):
            if size <= limit:
                shown.append(range(size))
                continue
            node = run.recorded.nodes["a", layer]
            weight = np.abs(np.asarray(run.recorded.graph.nodes[node].value)).sum(axis=0)
            order = np.abs(np.asarray(sweep.joined(node))).sum(axis=0) * weight
            if layer in flow.neurons:
                order = np.abs(flow.neurons[layer]).sum(axis=0)
            most = min(limit, OF_WIDE)
            first = list(needed[layer])[:most]
            rest = [int(j) for j in np.argsort(-order, kind="stable")[: 2 * most] if int(j) not in first]
            shown.append(sorted([*first, *rest][:most]))
        return shown

    def _items(self) -> Iterable[Quantity]:
        net = self._net
        for layer, neurons in enumerate(self.shown):
            if layer:
                for to in neurons:
                    yield from (Quantity("w", layer, to, source) for source in self.shown[layer - 1])
                if net.bias:
                    yield from (Quantity("b", layer, to) for to in neurons)
                if not net.activations[layer - 1].trivial:
                    yield from (Quantity("z", layer, j) for j in neurons)
            yield from (Quantity("a", layer, j) for j in neurons)
        yield from (Quantity("y", None, k) for k in self.shown[-1])
        yield from (Quantity("C", None, k) for k in self.shown[-1])
        if net.l2:
            yield Quantity("R")

    def layout(self, sheet: Sheet) -> dict[str, Any]:
        """Returns what is drawn: the layers' neurons, and the items with their symbols."""
        return {
            "layers": [list(neurons) for neurons in self.shown],
            "hidden": [
                size - len(neurons) for size, neurons in zip(self._net.sizes, self.shown, strict=True)
            ],
            "items": [[key(q), sheet.symbol(Symbol("q", q))] for q in self.items],
        }

    def values(self) -> list[float | None]:
        """Returns the items' values; nothing where each example has its own."""
        run = self._run
        several = run.examples > 1
        return [None if several and q.kind in ("a", "z", "y") else rounded(run.value(q)) for q in self.items]

    def semirings(self) -> tuple[str, ...]:
        """Returns the semirings by which this network can be coloured."""
        weights = sum(a * b for a, b in zip(self._net.sizes, self._net.sizes[1:], strict=False))
        return COLOURINGS if weights <= ALL_SEMIRINGS_UP_TO else CHEAP

    def colours(self, semiring: str) -> dict[str, list[Any]]:
        """Returns a semiring's value at every item, for the total and for each cost."""
        run = self._run
        sweep = run.sweep(semiring).sweep
        names = ["total", *map(key, run.cost_quantities)]
        made: dict[str, list[Any]] = {name: [] for name in names}
        for _, group in itertools.groupby(self.items, lambda q: (q.kind, q.layer)):
            members = list(group)
            shared = members[0].kind in ("w", "b", "C", "R")
            entries = [[run.entry(q, n) for n in range(1 if shared else run.examples)] for q in members]
            node = entries[0][0].node
            places = [[entry.position for entry in each] for each in entries]
            axes = run.recorded.graph.nodes[node].value.ndim
            whole = [np.asarray(sweep.joined(node)), *np.asarray(sweep.values(node))]
            for name, values in zip(names, whole, strict=True):
                flat = values.reshape((-1, *values.shape[axes:]))
                made[name] += _over_examples(semiring, flat[places])
        return made

    def strands(self, of: Quantity) -> tuple[list[str], Any]:
        """Returns the strands that lines are drawn in, and which costs each is of: (keys, (strands, costs))."""
        outputs = self._net.outputs
        if of.kind == "C":
            return [key(of)], np.eye(outputs)[[int(of.to or 0)]]
        if of.kind == "total" and outputs <= STRANDS and self._net.depth <= STRANDS_TO_DEPTH:
            return [f"C{k}" for k in range(outputs)], np.eye(outputs)
        return ["total"], np.full((1, outputs), float(of.kind == "total"))

    def flow(self, flow: Flow, q: Quantity, of: Quantity) -> dict[str, Any]:
        """Returns how much goes through each place that is drawn, those that aren't put together."""
        net = self._net
        lines: list[tuple[str, str, Any]] = []
        nodes: list[tuple[str, Any]] = []
        for layer, through in flow.neurons.items():
            nodes += [(f"a{layer}.{j}", through[:, j]) for j in self.shown[layer]]
            if len(self.shown[layer]) < net.sizes[layer]:
                hidden = through.sum(axis=1) - through[:, list(self.shown[layer])].sum(axis=1)
                nodes.append((f"o{layer}", hidden))
        for layer, through in flow.edges.items():
            lines += self._lines(layer, through)
        for k in self.shown[-1]:
            start = key(q) if q.kind == "y" else f"a{net.depth}.{k}"
            if q.kind not in ("y", "C") or k == q.to:
                lines.append((start, f"C{k}", flow.last[:, k] if q.kind != "C" else flow.last[:, k] * 0))
        if len(self.shown[-1]) < net.outputs and q.kind not in ("y", "C"):
            hidden = flow.last.sum(axis=1) - flow.last[:, list(self.shown[-1])].sum(axis=1)
            lines.append((f"o{net.depth}", "total", hidden))
        made = self._drawn(lines, nodes, self.strands(of)[0])
        if net.l2 and q.kind == "w" and of.kind in ("total", "R"):
            row = self._run.cost_quantities.index(Quantity("R"))
            made["regular"] = rounded(self._run.sweep("gradient").value(q, row))
        return made

    def _drawn(
        self, lines: list[tuple[str, str, Any]], nodes: list[tuple[str, Any]], strands: list[str]
    ) -> dict[str, Any]:
        sized = [(float(np.abs(parts).sum()), start, end, parts) for start, end, parts in lines]
        widest = max((size for size, *_ in sized), default=0.0)
        seen = sorted((line for line in sized if line[0] > FAINTEST * widest), key=lambda line: -line[0])
        return {
            "costs": strands,
            "widest": rounded(widest),
            "lines": [[start, end, *joined(parts)] for _, start, end, parts in seen[:MOST_LIT]],
            "nodes": [[name, *joined(parts)] for name, parts in nodes if np.any(parts)],
        }

    def _lines(self, layer: int, through: Any) -> list[tuple[str, str, Any]]:
        """Returns the lines between two layers, those from and to neurons that aren't drawn put together."""
        (starts, columns), (ends, rows) = self.ends(layer - 1), self.ends(layer)
        wide = len(starts) > len(columns) or len(ends) > len(rows)
        shown = through[:, rows][:, :, columns]
        if wide:
            beside = through[:, rows].sum(axis=2) - shown.sum(axis=2)
            below = through[:, :, columns].sum(axis=1) - shown.sum(axis=1)
            rest = through.sum(axis=(1, 2)) - shown.sum(axis=(1, 2)) - beside.sum(axis=1) - below.sum(axis=1)
            shown = np.concatenate([shown, below[:, None, :]], axis=1)
            beside = np.concatenate([beside, rest[:, None]], axis=1)
            shown = np.concatenate([shown, beside[:, :, None]], axis=2)
        return [
            (start, end, shown[:, i, j])
            for i, end in enumerate(ends)
            for j, start in enumerate(starts)
            if np.any(shown[:, i, j])
        ]

    def ends(self, layer: int) -> tuple[list[str], list[int]]:
        """Returns the places of a layer (its neurons, and the others together), and the neurons' numbers."""
        shown = [int(j) for j in self.shown[layer]]
        hidden = len(shown) < self._net.sizes[layer]
        return [f"a{layer}.{j}" for j in shown] + ([f"o{layer}"] if hidden else []), shown


def _over_examples(semiring: str, values: Any) -> list[Any]:
    """Returns a semiring's values, (items, examples, …), as one for each item, and as JSON has it."""
    if values.shape[1] == 1:
        made = values[:, 0]
    elif semiring == "entropy":
        return [None] * len(values)
    elif semiring == "strongest":
        strongest = np.argmax(np.abs(values), axis=1)
        made = np.take_along_axis(values, strongest[:, None], axis=1)[:, 0]
    elif semiring == "extremes":
        known = ~np.isnan(values).all(axis=1)
        high = np.where(np.isnan(values[..., 0]), -np.inf, values[..., 0]).max(axis=1)
        low = np.where(np.isnan(values[..., 1]), np.inf, values[..., 1]).min(axis=1)
        made = np.where(known, np.stack([high, low], axis=1), np.nan)
    elif semiring == "reach":
        made = values.any(axis=1)
    else:
        made = values.sum(axis=1)
    if semiring == "reach":
        return list(made.astype(bool).tolist())
    # The gradient stands in texts and tables; the others only make lines wide.
    digits = 10 if semiring == "gradient" else 6
    if made.ndim > 1:
        return [[rounded(part, digits) for part in parts] for parts in made.tolist()]
    return [rounded(part, digits) for part in made.astype(np.float64).tolist()]


def says(semiring: str) -> str:
    """Returns what a semiring's result means."""
    return SEMIRINGS[semiring].says
