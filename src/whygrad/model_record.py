"""A recorded computation, and everything that is asked of it, by the names of parameters, modules and inputs."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from whygrad.arrays import in_numpy, unrounded
from whygrad.errors import NotSupportedError, QuantityError
from whygrad.graph import Entry, Graph
from whygrad.model_gradients import ModelGradients
from whygrad.model_values import RecordValues
from whygrad.semirings import SEMIRINGS
from whygrad.structures import Selection
from whygrad.sweep import Sweep, Sweeps

if TYPE_CHECKING:
    import pathlib

    from whygrad.branches import Parts, Spectrum
    from whygrad.listing import Paths
    from whygrad.paths import Path
    from whygrad.report import Report

Array: TypeAlias = Any

# Behind a name: the array that has it, and not the cost.
ARRAY = "[...]"


class Leaf(NamedTuple):
    """An array that the computation began with: a ``parameter``, a ``frozen`` one, or an ``input``."""

    name: str
    node: int
    kind: str
    aliases: tuple[str, ...] = ()


class Output(NamedTuple):
    """Which module returned a node, in which of its calls (from 1), and as which of several arrays (from 0)."""

    module: str
    call: int
    order: int


class Made(NamedTuple):
    """Where a node was made.

    Args:
        module: The path of the module.
        heads: In how many attention heads that module works (0: none).
        output: Which module returned it, the innermost; nothing where none did.
        by_costs: Whether the function of the costs made it itself, outside of all modules.
    """

    module: str
    heads: int = 0
    output: Output | None = None
    by_costs: bool = False


class Record:
    """A recorded computation with its costs: what :func:`whygrad.record` returns.

    Quantities are named by module and parameter: ``encoder.0.weight[3, 5]``, ``batch[0, 2]``, ``layers.1[0, 4]`` for
    an entry of a module's output, and the names of the costs. A name that a cost has too is the cost's; with three dots
    it is the array's: ``rec.at("size")`` is the cost, ``rec.at("size[...]")`` what the module of that name puts out,
    ``rec.at("size[...][0]")`` one entry of it.

    Args:
        graph: What was computed.
        leaves: The parameters and inputs.
        made: For each node, where it was made.
        stops: Operations without a declaration: only the plain gradient goes through them.

    Attributes:
        graph: What was computed, in order.
        leaves: name -> parameters and inputs.
        made: For each node, where it was made.
        stops: The nodes at which all results but the gradient stop.
    """

    def __init__(
        self, graph: Graph, leaves: tuple[Leaf, ...], made: tuple[Made, ...], stops: tuple[int, ...] = ()
    ) -> None:
        self.graph = graph
        self.leaves = {leaf.name: leaf for leaf in leaves}
        self.made = made
        self.stops = stops
        self._sweeps = Sweeps(graph)

    # Costs and parameters

    @property
    def cost_names(self) -> tuple[str, ...]:
        """The names of the costs, in order."""
        return self.graph.cost_names

    @cached_property
    def costs(self) -> dict[str, float]:
        """The values of the costs by name."""
        nodes = self.graph.nodes
        values = (
            float(in_numpy(nodes[cost.node].value).reshape(-1)[cost.position]) for cost in self.graph.costs
        )
        return dict(zip(self.cost_names, values, strict=True))

    @property
    def total(self) -> float:
        """The sum of the costs."""
        return sum(self.costs.values())

    @property
    def parameters(self) -> dict[str, Array]:
        """The parameters that are trained, by name."""
        return {
            name: self.graph.nodes[leaf.node].value
            for name, leaf in self.leaves.items()
            if leaf.kind == "parameter"
        }

    def cost_row(self, cost: str | int) -> int:
        """Returns the number of a cost that is given by its name or number.

        Raises:
            QuantityError: There is none.
        """
        if isinstance(cost, str) and cost in self.cost_names:
            return self.cost_names.index(cost)
        if (
            isinstance(cost, (int, np.integer))
            and not isinstance(cost, bool)
            and 0 <= cost < len(self.cost_names)
        ):
            return int(cost)
        raise QuantityError(f"cost: expected one of {_some(self.cost_names)}, found {cost!r}")

    @cached_property
    def modules(self) -> tuple[str, ...]:
        """For each node, the path of the module that made it."""
        return tuple(made.module for made in self.made)

    def of(self, quantity: str) -> "Record":
        """Returns the same record with one quantity in the place of the costs, or each entry of an array.

        Gradients, sweeps and paths then lead to it: ``rec.of("blocks.1[0, 3]").paths("0.weight[2, 1]")`` are the paths
        between any two points.

        Raises:
            QuantityError: There is no such quantity.
        """
        node, position = self.at(quantity)
        places = range(self.graph.size(node)) if position is None else (position,)
        entries = tuple(Entry(node, place) for place in places)
        plain = self.graph._replace(costs=(), cost_names=())
        names = tuple(Record(plain, tuple(self.leaves.values()), self.made).name(entry) for entry in entries)
        graph = self.graph._replace(costs=entries, cost_names=names)
        return Record(graph, tuple(self.leaves.values()), self.made, self.stops)

    # Gradients and sweeps

    @cached_property
    def _gradients(self) -> ModelGradients:
        nodes = {name: leaf.node for name, leaf in self.leaves.items() if leaf.kind == "parameter"}
        return ModelGradients(self._sweeps, nodes)

    def gradients(self) -> ModelGradients:
        """Returns the gradient of every cost by every parameter: a mapping name -> (costs, *shape).

        Arrays are made when they are asked for. ``.total``, ``.factors``, ``.norms()``, ``.cosines()``,
        ``.gramian()`` are as for networks, by parameter or by module.
        """
        return self._gradients

    def gradient(self, quantity: str, cost: str | int | None = None) -> Array:
        """Returns the derivative of the sum of the costs, or of one, by a quantity: a number, or an array."""
        node, position = self.at(quantity)
        rows = None if cost is None else (self.cost_row(cost),)
        made = self.graph_sweep("gradient").joined(node, rows)
        return made if position is None else float(in_numpy(made).reshape(-1)[position])

    def sweep(self, semiring: str) -> "RecordValues":
        """Returns the values of a semiring at every quantity.

        Args:
            semiring: ``gradient``, ``total``, ``strongest``, ``extremes``, ``count``, ``reach``, ``entropy`` or
                ``spectrum``.

        Raises:
            NotSupportedError: There is no such semiring.
        """
        if not isinstance(semiring, str) or semiring not in SEMIRINGS:
            raise NotSupportedError(f"sweep: expected one of {', '.join(SEMIRINGS)}, found {semiring!r}")
        return RecordValues(self, semiring)

    def graph_sweep(self, semiring: str) -> Sweep:
        """Returns the backward sweep over the graph under a semiring."""
        with unrounded(self.graph.xp):
            return self._sweeps[semiring]

    def paths(self, quantity: str | None = None, cost: str | int | None = None, k: int = 10) -> "Paths":
        """Returns the k strongest paths from a quantity to the costs, strongest first.

        Args:
            quantity: ``encoder.0.weight[3, 5]``, or ``encoder.0.weight`` for all its entries; all parameters where
                there is nothing.
            cost: The name or the number of a cost; all where there is none.
            k: How many to list. Sum, total and count are always those of all paths.
        """
        from whygrad.listing import Paths

        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise QuantityError(f"paths: k must be a positive whole number, found {k!r}")
        rows = None if cost is None else (self.cost_row(cost),)
        if quantity is None:
            starts: list[tuple[int, Array | None]] = [
                (leaf.node, None) for leaf in self.leaves.values() if leaf.kind == "parameter"
            ]
        else:
            node, position = self.at(quantity)
            starts = [(node, None if position is None else np.array([position]))]
        return Paths(self, starts, rows, k)

    # What is made of them

    def report(
        self, semirings: Sequence[str] | None = None, progress: Callable[[str, float], None] | None = None
    ) -> "Report":
        """Returns what each cost does to each parameter and module, where costs conflict, and what to try.

        It prints in a terminal and shows in a notebook; ``.rows()`` are for a table, ``.plot_depth()``,
        ``.plot_cosines()`` and ``.plot_spectrum()`` draw.

        Args:
            semirings: What is worked out beside the gradients: ``total`` (for the cancellation), ``entropy`` (for the
                effective number of paths; brings ``total`` along), ``spectrum``. Default: ``entropy``, for up to 12
                costs and normalisations of up to 20 million entries.
            progress: Told what is being worked out, and which share of all is done. Where there is nothing, a terminal
                shows a bar if it takes longer than a second.
        """
        from whygrad.render.progress import progress as bar
        from whygrad.report import report

        with unrounded(self.graph.xp):
            if progress is not None:
                return report(self, semirings, progress)
            with bar() as tell:
                return report(self, semirings, tell)

    def branches(self, module: str | None = None) -> "tuple[Parts, ...]":
        """Returns, for each value that is used several times, what each user sends back, with norms and cosines.

        Args:
            module: A module's path: the values made in it or coming into it; all where there is nothing.
        """
        from whygrad.branches import branches

        return branches(self, module)

    def heads(self, module: str) -> "tuple[Parts, ...]":
        """Returns what goes back through each head of an attention module alone."""
        from whygrad.branches import heads

        return heads(self, module)

    def spectrum(self, blocks: Sequence[str] | None = None) -> "Spectrum":
        """Returns every gradient split by the number of blocks that its paths pass: exact.

        Args:
            blocks: Patterns of module paths, such as ``["layers.*"]``; every residual add where there is nothing.
        """
        from whygrad.branches import spectrum

        return spectrum(self, blocks)

    def view(self, **options: Any) -> Any:
        """Returns the interactive page for a notebook: modules, what each cost sends through them, strongest paths.

        Needs anywidget (``pip install 'whygrad[notebook]'``). See
        :func:`whygrad.view.recorded.recorded_document` for the options: what is chosen first, of which cost.
        """
        from whygrad.view.recorded_page import recorded_widget

        return recorded_widget(self, **options)

    def save_html(self, path: Any, **options: Any) -> "pathlib.Path":
        """Writes the interactive page as one file that needs nothing from a network, and returns its path.

        Args:
            path: The file.
            options: What is chosen first: see :func:`whygrad.view.recorded.recorded_document`.

        Raises:
            WhygradError: The file can't be written.
        """
        from whygrad.view.recorded_page import save_recorded

        return save_recorded(self, path, **options)

    def _repr_html_(self) -> str:
        from whygrad.view.recorded_page import recorded_still

        return recorded_still(self)

    # Names

    @cached_property
    def _numbers(self) -> dict[str, int]:
        """Name -> node: leaves and their other names, costs, then outputs of modules and operations."""
        found: dict[str, int] = {}
        for leaf in self.leaves.values():
            for name in (leaf.name, *leaf.aliases):
                found[name] = leaf.node
        for number in range(len(self.graph.nodes)):
            found.setdefault(self.node_name(number), number)
        # only then the short names: one of a node inside a module may be the whole name of a later one
        for number, node in enumerate(self.graph.nodes):
            found.setdefault(node.name, number)
        return found

    @cached_property
    def _doubles(self) -> dict[int, int]:
        """For each node whose name others have too: which of them it is, from 2 on.

        Leaves come first, then what modules returned: an operation that is called like a module doesn't take its name.
        """
        leaves = {leaf.node for leaf in self.leaves.values()}
        seen = Counter(name for leaf in self.leaves.values() for name in (leaf.name, *leaf.aliases))
        places: dict[int, int] = {}
        for number in sorted(range(len(self.made)), key=lambda number: self.made[number].output is None):
            if number in leaves:
                continue
            name = self._plain_name(number)
            seen[name] += 1
            if seen[name] > 1:
                places[number] = seen[name]
        return places

    def _plain_name(self, number: int) -> str:
        node, made = self.graph.nodes[number], self.made[number]
        return node.name if made.output or not made.module else f"{made.module}.{node.name}"

    def node_name(self, number: int) -> str:
        """Returns the name of a node: a parameter's, a module's, or an operation's inside a module."""
        name = self._plain_name(number)
        return f"{name}#{self._doubles[number]}" if number in self._doubles else name

    def at(self, quantity: str) -> tuple[int, int | None]:
        """Returns the node and the flat position that a name stands for; no position for a whole array.

        Raises:
            QuantityError: There is no such quantity; or an index is out of range.
        """
        if not isinstance(quantity, str):
            raise QuantityError(f"expected the name of a quantity, found {quantity!r}")
        text = quantity.strip()
        if text in self.cost_names:
            return self.graph.costs[self.cost_names.index(text)]
        array = text.removesuffix(ARRAY)
        if array in self._numbers:
            return self._numbers[array], None
        name, _, index = text.rpartition("[")
        name = name.rstrip().removesuffix(ARRAY)
        if name not in self._numbers or not re.fullmatch(r"[\s\d,]*\]", index):
            raise QuantityError(
                f"{quantity!r}: expected a parameter, an input, a module or a cost of this model, "
                f"such as {_some(tuple(self._numbers))}"
            )
        node = self._numbers[name]
        shape = tuple(self.graph.nodes[node].value.shape)
        entry = tuple(int(part) for part in index.rstrip("]").split(",") if part.strip())
        if len(entry) != len(shape) or any(i >= size for i, size in zip(entry, shape, strict=False)):
            raise QuantityError(
                f"{quantity!r}: expected {len(shape)} numbers below {shape} (the shape of {name}), "
                f"found {entry}"
            )
        return node, int(np.ravel_multi_index(entry, shape)) if shape else 0

    def name(self, entry: Entry) -> str:
        """Returns the name of one entry of a node."""
        if entry in self.graph.costs:
            return self.cost_names[self.graph.costs.index(entry)]
        node = self.graph.nodes[entry.node]
        shape = tuple(node.value.shape)
        if prod(shape) == 1:
            return self._apart(self.node_name(entry.node), "")
        index = tuple(int(i) for i in np.unravel_index(entry.position, shape))
        heads = self.made[entry.node].heads
        if heads and node.op is not None and node.op.name == "softmax" and len(shape) in (3, 4):
            return self._attention(entry.node, index, shape, heads)
        return self._apart(self.node_name(entry.node), f"[{', '.join(map(str, index))}]")

    def _apart(self, array: str, index: str) -> str:
        """Returns the name of an array's entry, with the dots that tell it from a cost of that name."""
        name = array + index
        return f"{array}{ARRAY}{index}" if name in self.cost_names else name

    def _attention(self, number: int, index: tuple[int, ...], shape: tuple[int, ...], heads: int) -> str:
        """Returns the name of one attention weight: which token looks at which, in which head."""
        *front, asking, asked = index
        # Examples and heads are one axis in MultiheadAttention, the example before the head.
        example, head = front if len(front) == 2 else divmod(front[0], heads)
        examples = shape[0] if len(front) == 2 else shape[0] // heads
        at = f" of example {example}" if examples > 1 else ""
        return f"{self.made[number].module} head {head}, token {asking} -> token {asked}{at}"

    def path_names(self, path: "Path") -> tuple[str, ...]:
        """Returns the names along a path: of each module without parts only the output, of moved entries the last."""
        kept: list[str] = []
        last = len(path.entries) - 1
        for place, entry in enumerate(path.entries):
            following = path.entries[place + 1].node if place < last else None
            if following is None or entry in self.graph.costs or not self._passed_over(entry.node, following):
                kept.append(self.name(entry))
        return tuple(kept)

    def _passed_over(self, number: int, following: int) -> bool:
        """Returns whether a step says nothing that the next one doesn't say: it is in the same module without parts,
        or its entries are moved and then called by the module's name, or it only moves entries itself."""
        node, after = self.graph.nodes[number], self.graph.nodes[following]
        if node.op is None:
            return False
        if (
            self.made[number].module in self._simple
            and self.made[number].module == self.made[following].module
        ):
            return True
        moves = isinstance(node.op.structure, Selection)
        moved_on = after.op is not None and isinstance(after.op.structure, Selection)
        output = self.made[following].output
        if moved_on and output and output.module == self.made[following].module == self.made[number].module:
            return True
        return moves and self.made[number].output is None

    @cached_property
    def _simple(self) -> frozenset[str]:
        """The modules that have no other modules in them, but the whole model."""
        every = {made.module for made in self.made}
        inner = {module.rpartition(".")[0] for module in every}
        return frozenset(every - inner - {""})

    def unicode(self, name: str) -> str:
        """Returns a name as a terminal shows it."""
        return name.replace("->", "→")

    def __repr__(self) -> str:
        many = sum(prod(p.shape) for p in self.parameters.values())
        stopped = f", {len(self.stops)} opaque operations" if self.stops else ""
        return (
            f"Record({len(self.graph.nodes)} nodes, {len(self.parameters)} parameters with {many} entries, "
            f"costs {_some(self.cost_names)}{stopped})"
        )


def _some(names: tuple[str, ...], most: int = 6) -> str:
    shown = ", ".join(names[:most])
    return f"{shown}, … ({len(names)} in all)" if len(names) > most else shown
