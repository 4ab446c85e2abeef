"""The gradient by the number of blocks that its paths pass.

A path from the costs back to a weight takes, at every residual add, either the skip or the block. Counting a step on
the block's side and sweeping with the *spectrum* semiring splits the gradient exactly by how many blocks were passed
(Veit, Wilber and Belongie 2016, *Residual networks behave like ensembles of relatively shallow networks*, who sampled
paths).
"""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import numpy as np

from whygrad.arrays import Array, in_numpy
from whygrad.branches.parts import is_inside
from whygrad.branches.residuals import Residual, residuals
from whygrad.errors import NotSupportedError, QuantityError, near, some
from whygrad.graph import Entry, Graph, Node
from whygrad.leaf_sweep import LeafSweep
from whygrad.model_record import Record
from whygrad.ops import OPS
from whygrad.progress import Progress, quiet


class Spectrum(NamedTuple):
    """The gradient by the number of blocks that its paths pass.

    Args:
        costs: The names of the costs.
        blocks: The names of the blocks, in the order of the forward pass.
        parts: For each parameter and floating-point input, the norms of the parts: (costs, most blocks + 1); the part
            at n is the sum of all contributions whose paths pass n blocks.
        whole: The norms of the gradients themselves, (costs,): of the sum of the parts.
        parameters: Which of the names are parameters.
        stops: Operations without a declaration: what goes through them is in no part, and not in ``whole``.
    """

    costs: tuple[str, ...]
    blocks: tuple[str, ...]
    parts: Mapping[str, Array]
    whole: Mapping[str, Array]
    parameters: tuple[str, ...]
    stops: tuple[str, ...] = ()

    @property
    def all_parts(self) -> Array:
        """The norms of the parts over all parameters together, (costs, most blocks + 1)."""
        return np.sqrt(sum(self.parts[name] ** 2 for name in self.parameters))

    @property
    def all_whole(self) -> Array:
        """The norms of the gradients over all parameters together, (costs,)."""
        return np.sqrt(sum(self.whole[name] ** 2 for name in self.parameters))

    def __str__(self) -> str:
        from whygrad.render.branches_text import spectrum_text

        return spectrum_text(self)

    def __repr__(self) -> str:
        return str(self)

    def rows(self) -> list[dict[str, Any]]:
        """Returns a dictionary for each quantity, cost and number of blocks, ready for a table."""
        return [
            {
                "name": name,
                "cost": cost,
                "blocks": blocks,
                "norm": float(part),
                "norm_of_sum": float(self.whole[name][row]),
                "sum_of_norms": float(parts[row].sum()),
            }
            for name, parts in self.parts.items()
            for row, cost in enumerate(self.costs)
            for blocks, part in enumerate(parts[row])
        ]


def spectrum(
    record: Record,
    blocks: Sequence[str] | None = None,
    progress: Progress = quiet,
) -> Spectrum:
    """Returns the gradient of every cost by every parameter and input, split by the number of blocks passed.

    Exact: one sweep whose cotangents are polynomials in the number of blocks. The parts add up to the gradient, so the
    norm of the sum is at most the sum of the norms, and the difference is what cancels between short and long paths.

    Args:
        record: What was computed.
        blocks: Patterns of module paths, such as ``["layers.*"]``: their residual adds alone; where a module has
            none, passing the module counts. Every residual add where there is nothing.
        progress: Told what is being worked out, and which share of it is done.

    Raises:
        NotSupportedError: There is no residual add and no pattern.
        QuantityError: A pattern fits no module of the computation.
    """
    known = residuals(record)
    if blocks is None:
        if not known:
            raise NotSupportedError(
                "spectrum: there is no residual add (h + f(h)) in this computation\n"
                "expected: blocks to count along each path\n"
                'try:      name the modules to be counted: spectrum(blocks=["layers.*"])'
            )
        names = tuple(residual.name for residual in known)
        edges = {(residual.add, 1 - residual.skip) for residual in known}
    else:
        names, edges = _given(record, known, blocks)
    graph, moved = _marked(record.graph, edges)
    started = [leaf.node for leaf in record.leaves.values() if leaf.kind != "frozen"]
    sweep = LeafSweep(graph, "spectrum", {moved[node] for node in started})
    found: dict[int, tuple[Array, Array]] = {}
    for node in sweep:
        progress("spectrum", len(found) / len(started))
        found[node] = _norms(sweep, node)
    of_leaves = {
        name: found[moved[leaf.node]] for name, leaf in record.leaves.items() if leaf.kind != "frozen"
    }
    norms = {name: parts for name, (parts, _) in of_leaves.items()}
    whole = {name: of_all for name, (_, of_all) in of_leaves.items()}
    width = max((each.shape[1] for each in norms.values()), default=1)
    parts = {name: np.pad(each, ((0, 0), (0, width - each.shape[1]))) for name, each in norms.items()}
    parameters = tuple(name for name in record.parameters if name in parts)
    return Spectrum(graph.cost_names, names, parts, whole, parameters, record.stops_between(started))


def _norms(sweep: LeafSweep, node: int) -> tuple[Array, Array]:
    """Returns the norms of the parts of each cost's gradient by a leaf, (costs, parts), and of their sum, (costs,)."""
    costs = len(sweep.graph.costs)
    parts, whole = np.zeros((costs, 1)), np.zeros(costs)
    for piece in sweep.pieces(node):
        values = in_numpy(sweep.read(piece)).astype(np.float64)
        flat = values.reshape(costs, -1, values.shape[-1])
        parts = np.pad(parts, ((0, 0), (0, max(0, flat.shape[-1] - parts.shape[1]))))
        parts[:, : flat.shape[-1]] += np.square(flat).sum(axis=1)
        whole += np.square(flat.sum(axis=-1)).sum(axis=1)
    return np.sqrt(parts), np.sqrt(whole)


def _given(
    record: Record, known: Sequence[Residual], patterns: Sequence[str]
) -> tuple[tuple[str, ...], set[tuple[int, int]]]:
    patterns = (patterns,) if isinstance(patterns, str) else patterns
    if (
        not isinstance(patterns, Sequence)
        or not patterns
        or not all(isinstance(each, str) for each in patterns)
    ):
        raise QuantityError(
            f"spectrum: blocks: expected patterns of module paths, such as ['layers.*'], found {patterns!r}\n"
            "try:      nothing, and every residual add counts"
        )
    paths = list(dict.fromkeys(_modules(record)))
    names: list[str] = []
    edges: set[tuple[int, int]] = set()
    users = record.graph.users()
    for pattern in patterns:
        fitting = [path for path in paths if fnmatchcase(path, pattern) and _depth(path) == _depth(pattern)]
        if not fitting:
            ran = [path for path in paths if path]
            raise QuantityError(
                f"spectrum: expected patterns of module paths ({some(ran, 12) or 'there is none'}), found "
                f"{pattern!r}{near(pattern, ran)}"
            )
        for path in fitting:
            inside = [r for r in known if is_inside(record.modules[r.add], path)]
            for residual in inside:
                edges.add((residual.add, 1 - residual.skip))
                names.append(residual.name)
            if not inside:
                for call, output in enumerate(_first_outputs(record, path)):
                    edges.update(users[output])
                    names.append(f"{path} ({call + 1})" if call else path)
    return tuple(names), edges


def _first_outputs(record: Record, path: str) -> list[int]:
    """Returns for each call of a module the first array that it returned."""
    first: dict[int, tuple[int, int]] = {}
    for number, made in enumerate(record.made):
        for output in made.returned_by:
            if output.module == path:
                here = (output.place, number)
                first[output.call] = min(here, first.get(output.call, here))
    return [number for _, number in first.values()]


def _modules(record: Record) -> Iterable[str]:
    for path in record.modules:
        parts = path.split(".")
        for end in range(1, len(parts) + 1):
            yield ".".join(parts[:end])


def _depth(path: str) -> int:
    return path.count(".")


def _marked(graph: Graph, edges: set[tuple[int, int]]) -> tuple[Graph, list[int]]:
    """Returns a copy of a graph with a counted step put on some edges (user, which input), and where each node went."""
    nodes: list[Node] = []
    moved: list[int] = []
    for number, node in enumerate(graph.nodes):
        inputs = []
        for which, source in enumerate(node.inputs):
            place = moved[source]
            if (number, which) in edges:
                value = nodes[place].value
                nodes.append(Node("block", value, OPS["identity"], (place,), {}, marked=True))
                place = len(nodes) - 1
            inputs.append(place)
        moved.append(len(nodes))
        nodes.append(node._replace(inputs=tuple(inputs), marked=False))
    costs = tuple(Entry(moved[cost.node], cost.position) for cost in graph.costs)
    return graph._replace(nodes=tuple(nodes), costs=costs), moved
