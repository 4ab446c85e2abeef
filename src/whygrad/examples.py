"""Costs that belong to one example each: their gradients in one sweep whose rows are the examples themselves."""

from typing import Any, NamedTuple, TypeAlias

from whygrad.graph import Graph

Array: TypeAlias = Any


class PerExample(NamedTuple):
    graph: Graph

    @staticmethod
    def of(graph: Graph) -> "PerExample | None":
        return None

    def gradient(self, node: int) -> Array:
        raise NotImplementedError

    def gramian(self, node: int) -> Array:
        raise NotImplementedError
