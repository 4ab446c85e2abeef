"""The depth profile: how strongly each cost acts on what each layer puts out."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from whygrad.arrays import Array, in_numpy
from whygrad.branches.weights import is_view, of_weights
from whygrad.graph import Graph
from whygrad.model_record import Record
from whygrad.report.record import Layer, Part
from whygrad.sweep import Sweep


def depth(record: Record, model: Part) -> tuple[Layer, ...]:
    """Returns the layers in the order of the forward pass, with the derivatives by their outputs in all calls.

    The output is what the layer's module returns. Where that is nothing, or a cost, or where others use its parameters,
    it is what these make together with something else. Layers whose parameters meet costs alone have none.
    """
    graph, sweep = record.graph, record.graph_sweep("gradient")
    users, returned = graph.users(), _returned(record)
    weights = _Weights(graph, of_weights(record))
    found: list[tuple[list[int], Layer]] = []
    for layer in model.layers:
        leaves = [record.leaves[part.name].node for part in layer.parts if part.shape is not None]
        uses = sorted({user for leaf in leaves for user, _ in users[leaf]})
        calls = [[n for n in call if n >= uses[0]] for call in returned.get(layer.name, ()) if uses]
        calls = [call for call in calls if call] or [[number] for number in weights.meetings(uses)]
        if calls:
            found.append(([n for call in calls for n in call], Layer(layer.name, _norms(sweep, calls))))
    found.sort(key=lambda pair: pair[0][0])
    behind, fed = (
        _behind(graph, [outputs for outputs, _ in found]),
        _fed(record, {n for some, _ in found for n in some}),
    )
    return tuple(
        layer._replace(
            behind=frozenset(found[place][1].name for place in places),
            fed=not fed.isdisjoint(outputs),
        )
        for (outputs, layer), places in zip(found, behind, strict=True)
    )


class Course(NamedTuple):
    """How a cost's derivative changes from one layer's output to that of a later one that it leads to.

    Args:
        ratio: The norm at the first against that at the last.
        first: The first layer.
        last: The last layer.
    """

    ratio: float
    first: Layer
    last: Layer


def courses(layers: Sequence[Layer], costs: int) -> list[Course | None]:
    """Returns the course of each cost's derivative through all of a model; nothing where it passes no layers or one.

    Of several last layers (heads) and several first ones it is between those with the largest norms: a part of a cost
    that weighs little, or an input that matters little, says nothing of depth. What is too small for the floating-point
    type is 0, and passed over.
    """
    norms = np.array([layer.norms for layer in layers]).reshape(len(layers), costs)
    leads = np.array([[one.name in other.behind for other in layers] for one in layers], np.float32)
    leads = leads.reshape(len(layers), len(layers))
    fed = np.array([layer.fed for layer in layers], bool)
    reached = norms > 0
    there = reached.astype(np.float32)
    ends = reached & (leads @ there == 0)
    starts = reached & (fed[:, None] | (leads.T @ there == 0))
    made: list[Course | None] = []
    for k in range(costs):
        lasts = np.flatnonzero(ends[:, k])
        last = lasts[np.argmax(norms[lasts, k])] if len(lasts) else 0
        firsts = np.flatnonzero(starts[:, k] & (leads[:, last] > 0)) if len(lasts) else lasts
        if not len(firsts):
            made.append(None)
            continue
        first = firsts[np.argmax(norms[firsts, k])]
        made.append(Course(float(norms[first, k] / norms[last, k]), layers[first], layers[last]))
    return made


def chain(layers: Sequence[Layer], cost: int, course: Course) -> list[Layer]:
    """Returns the layers from the first of a course to its last that follow one another, in the longest such row."""
    rows = {course.first.name: [course.first]}
    for layer in sorted(layers, key=lambda layer: len(layer.behind)):
        before = [rows[name] for name in layer.behind & rows.keys()] if layer.norms[cost] > 0 else ()
        if before:
            rows[layer.name] = [*max(before, key=len), layer]
    return rows[course.last.name]


def _fed(record: Record, outputs: set[int]) -> set[int]:
    """Returns the nodes to which the batch comes past all outputs of layers."""
    found = {leaf.node for leaf in record.leaves.values() if leaf.kind == "input"}
    for number, node in enumerate(record.graph.nodes):
        if any(source in found and source not in outputs for source in node.inputs):
            found.add(number)
    return found


def _behind(graph: Graph, outputs: Sequence[Sequence[int]]) -> list[list[int]]:
    """Returns for each layer which others lead to it; of two that lead to each other the first to the second."""
    of_node: dict[int, int] = {}  # bit i: layer i
    for place, some in enumerate(outputs):
        for number in some:
            of_node[number] = of_node.get(number, 0) | 1 << place
    led = [0] * len(graph.nodes)
    for number, node in enumerate(graph.nodes):
        for source in node.inputs:
            led[number] |= led[source] | of_node.get(source, 0)
    found = []
    for some in outputs:
        bits = 0
        for number in some:
            bits |= led[number]
        found.append([place for place in range(len(outputs)) if bits >> place & 1])
    return [
        [other for other in some if other < place or (other > place and place not in found[other])]
        for place, some in enumerate(found)
    ]


def _returned(record: Record) -> dict[str, list[list[int]]]:
    """Returns the arrays that each module returned, by call; but no cost, and no number that is a part of one."""
    costs = {cost.node for cost in record.graph.costs}
    found: dict[str, dict[int, list[tuple[int, int]]]] = {}
    for number, made in enumerate(record.made):
        if made.output and number not in costs and len(record.graph.nodes[number].value.shape):
            calls = found.setdefault(made.output.module, {})
            calls.setdefault(made.output.call, []).append((made.output.place, number))
    return {
        module: [[number for _, number in sorted(call)] for call in calls.values()]
        for module, calls in found.items()
    }


class _Weights(NamedTuple):
    """Where weights go."""

    graph: Graph
    alone: Sequence[bool]

    def meetings(self, uses: Iterable[int]) -> list[int]:
        """Returns where parameters meet something else, each time the last of those in a row."""
        met = self._met(uses)
        users, nodes = self.graph.users(), self.graph.nodes
        return sorted(
            n
            for n in met
            if len(nodes[n].value.shape) and met.isdisjoint(self._met(user for user, _ in users[n]))
        )

    def _met(self, uses: Iterable[int]) -> set[int]:
        """Returns the first nodes from some on that are neither made of weights alone nor views."""
        users = self.graph.users()
        met: set[int] = set()
        seen: set[int] = set()
        waiting = list(uses)
        while waiting:
            number = waiting.pop()
            if number in seen:
                continue
            seen.add(number)
            if self.alone[number] or is_view(self.graph, number):
                waiting += [user for user, _ in users[number]]
            else:
                met.add(number)
        return met


def _norms(sweep: Sweep, calls: Sequence[Sequence[int]]) -> Array:
    """Returns the norm of each cost's derivative by a layer's outputs in all calls, (costs,); NaN without a path.

    Of several arrays that one call returned, those count that the cost reaches, the first first, unless one of them was
    made from the other: what comes back through a later one is in the derivative by an earlier one already.
    """
    norms = np.full(len(sweep.graph.costs), np.nan)
    for call in calls:
        counted: list[tuple[int, set[int]]] = []
        for output in call:
            cotangent = sweep.cotangent(output)
            if cotangent is None:
                continue
            rows = set(cotangent.rows)
            for other, told in counted:
                if rows & told and _leads_to(sweep.graph, *sorted((other, output))):
                    rows -= told
            counted.append((output, rows))
            some = sorted(rows)
            values = in_numpy(sweep.values(output)).astype(np.float64).reshape(len(norms), -1)
            norms[some] = np.hypot(np.nan_to_num(norms[some], posinf=np.inf), _lengths(values[some]))
    return norms


def _leads_to(graph: Graph, start: int, end: int) -> bool:
    """Returns whether a node was made from another."""
    behind = {start}
    for number in range(start + 1, end + 1):
        if not behind.isdisjoint(graph.nodes[number].inputs):
            behind.add(number)
    return end in behind


def _lengths(rows: Array) -> Array:
    """Returns the Euclidean norms of rows whose squares may be out of range."""
    largest = np.abs(rows).max(axis=1, initial=0.0)
    safe = np.where((largest > 0) & np.isfinite(largest), largest, 1.0)
    return np.linalg.norm(rows / safe[:, None], axis=1) * safe
