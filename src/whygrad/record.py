"""A recorded computation, and everything that is asked of it: gradients, sweeps, paths, by names of parameters."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

from whygrad.errors import QuantityError
from whygrad.graph import Graph
from whygrad.sweep import Sweep

Array: TypeAlias = Any


class Leaf(NamedTuple):
    """An array that the computation began with: a ``parameter``, a ``frozen`` one, or an ``input``."""

    name: str
    node: int
    kind: str
    aliases: tuple[str, ...] = ()


class Record:
    """A recorded computation with its costs.

    Args:
        graph: What was computed.
        leaves: The parameters and inputs.
        modules: For each node, the module that made it.
        stops: Nodes of operations that only the plain gradient goes through.
    """

    def __init__(
        self, graph: Graph, leaves: tuple[Leaf, ...], modules: tuple[str, ...], stops: tuple[int, ...] = ()
    ) -> None:
        self.graph = graph
        self.leaves = {leaf.name: leaf for leaf in leaves}
        self.modules = modules
        self.stops = stops
        self._sweeps: dict[str, Sweep] = {}

    @property
    def parameters(self) -> dict[str, Array]:
        return {n: self.graph.nodes[l.node].value for n, l in self.leaves.items() if l.kind == "parameter"}

    def graph_sweep(self, semiring: str) -> Sweep:
        if semiring not in self._sweeps:
            self._sweeps[semiring] = Sweep(self.graph, semiring)
        return self._sweeps[semiring]

    def gradients(self) -> Any:
        sweep = self.graph_sweep("gradient")
        return {n: sweep.values(self.leaves[n].node) for n in self.parameters}
