"""A recorded computation of a model: its graph, its costs, and what everything in it is called."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from whygrad.arrays import Array, in_numpy
from whygrad.errors import NotSupportedError, QuantityError, near, some
from whygrad.graph import Entry, Graph
from whygrad.model_names import Leaf, Made, Names

if TYPE_CHECKING:
    from whygrad.paths import Path


class ModelGraph:
    """A recorded computation, whose quantities are named by module and parameter.

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
        raise QuantityError(
            f"cost: expected one of {some(self.cost_names)}, found {cost!r}{near(cost, self.cost_names)}"
        )

    @cached_property
    def modules(self) -> tuple[str, ...]:
        """For each node, the path of the module that made it."""
        return tuple(made.module for made in self.made)

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

    def path_names(self, paths: Sequence["Path"]) -> list[tuple[str, ...]]:
        """Returns the names along paths: of each module without parts only the output, of moved entries the last.

        Of paths that would have the same names each has those of the steps that not all of them take, too.
        """
        return self._names.paths(paths)

    def unicode(self, name: str) -> str:
        """Returns a name as a terminal shows it: as it is."""
        return name  # an arrow in it (token 4 -> token 0) is none between the names of a path

    def stops_between(self, starts: Iterable[int], rows: Sequence[int] | None = None) -> tuple[str, ...]:
        """Returns the names of the operations without a declaration on the way from some nodes to some costs."""
        if not self.stops:
            return ()
        ends = self.graph.costs if rows is None else [self.graph.costs[row] for row in rows]
        before, begun = self.graph.leading_to(end.node for end in ends), set(starts)
        return tuple(
            self.node_name(number)
            for number in self.stops
            if number in before and begun & self.graph.leading_to((number,))
        )

    def __reduce__(self) -> Any:
        raise NotSupportedError(
            "record: it can't be copied, pickled or saved, since it holds functions of PyTorch\n"
            "try:      its report (rec.report() can be pickled), or its page: rec.save_html(path)"
        )

    def __repr__(self) -> str:
        many = sum(prod(p.shape) for p in self.parameters.values())
        stops = some(map(self.node_name, self.stops))
        stopped = f"; without a declaration: {stops}" if self.stops else ""
        return (
            f"{type(self).__name__}({len(self.graph.nodes)} nodes, {len(self.parameters)} parameters with {many} "
            f"entries, costs {some(self.cost_names)}{stopped})"
        )
