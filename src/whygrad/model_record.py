"""A recorded computation, and everything that is asked of it, by the names of parameters, modules and inputs."""

from collections.abc import Callable, Sequence
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from whygrad.arrays import Array, in_numpy, unrounded
from whygrad.errors import NotSupportedError, QuantityError
from whygrad.graph import Entry, Graph
from whygrad.model_gradients import ModelGradients
from whygrad.model_names import Leaf, Made, Names, some
from whygrad.model_values import RecordValues
from whygrad.semirings import SEMIRINGS
from whygrad.sweep import Sweep, Sweeps

if TYPE_CHECKING:
    import pathlib

    from whygrad.branches import Parts, Spectrum
    from whygrad.listing import Paths
    from whygrad.paths import Path
    from whygrad.report import Report


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
        self._names = Names(graph, leaves, made)
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
        raise QuantityError(f"cost: expected one of {some(self.cost_names)}, found {cost!r}")

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
        leaves = tuple(self.leaves.values())
        names = Names(plain, leaves, self.made)
        graph = self.graph._replace(costs=entries, cost_names=tuple(map(names.entry, entries)))
        return Record(graph, leaves, self.made, self.stops)

    # Gradients and sweeps

    @cached_property
    def _gradients(self) -> ModelGradients:
        trained = [leaf for leaf in self.leaves.values() if leaf.kind == "parameter"]
        aliases = {alias: leaf.name for leaf in trained for alias in leaf.aliases}
        return ModelGradients(self._sweeps, {leaf.name: leaf.node for leaf in trained}, aliases)

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

    def node_name(self, number: int) -> str:
        """Returns the name of a node: a parameter's, a module's, or an operation's inside a module."""
        return self._names.node(number)

    def at(self, quantity: str) -> tuple[int, int | None]:
        """Returns the node and the flat position that a name stands for; no position for a whole array.

        Raises:
            QuantityError: There is no such quantity; or an index is out of range.
        """
        return self._names.at(quantity)

    def name(self, entry: Entry) -> str:
        """Returns the name of one entry of a node."""
        return self._names.entry(entry)

    def path_names(self, path: "Path") -> tuple[str, ...]:
        """Returns the names along a path: of each module without parts only the output, of moved entries the last."""
        return self._names.path(path)

    def unicode(self, name: str) -> str:
        """Returns a name as a terminal shows it."""
        return name.replace("->", "→")

    def __repr__(self) -> str:
        many = sum(prod(p.shape) for p in self.parameters.values())
        stopped = f", {len(self.stops)} opaque operations" if self.stops else ""
        return (
            f"Record({len(self.graph.nodes)} nodes, {len(self.parameters)} parameters with {many} entries, "
            f"costs {some(self.cost_names)}{stopped})"
        )
