"""Nodes and graphs: what was computed from what, with values. Frozen records; a sweep never writes to them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from whygrad.arrays import Array
from whygrad.ops import Op
from whygrad.structures import Elementwise, Local, Selection, Structure


class Entry(NamedTuple):
    """One scalar of a graph: a node's number and a flat position in its value."""

    node: int
    position: int


class Node(NamedTuple):
    """One recorded array: the operation that made it, its inputs (numbers of earlier nodes, in order), its value.

    A leaf has no operation and no inputs. ``marked`` operations are what the spectrum counts along a path.
    """

    name: str
    value: Array
    op: Op | None = None
    inputs: tuple[int, ...] = ()
    settings: Mapping[str, Any] = {}
    marked: bool = False


class Graph(NamedTuple):
    """A computation in topological order, and its costs.

    Args:
        nodes: Each node's inputs come before it.
        costs: One scalar for each cost: the entry of a node, or nothing's derivative where it is not reached.
        cost_names: Their names, in the same order.
        examples: How many examples there are, where axis 0 of every node that isn't a parameter is the example and
            no operation mixes them before the costs add them up; 0 where that isn't so.
        xp: The array namespace of the values.
    """

    nodes: tuple[Node, ...]
    costs: tuple[Entry, ...]
    cost_names: tuple[str, ...] = ()
    examples: int = 0
    xp: Any = np

    def local(self, number: int) -> Local:
        """Returns one application of an operation, as the structures want it."""
        node = self.nodes[number]
        return Local(tuple(self.nodes[i].value for i in node.inputs), node.value, node.settings, self.xp)

    def structure(self, number: int) -> Structure:
        """Returns the structure of the operation that made a node, which is no leaf."""
        op = self.nodes[number].op
        assert op is not None
        return op.structure

    def whole_selection(self, number: int) -> bool:
        """Returns whether a node is another one in another shape or order: every entry once."""
        node = self.nodes[number]
        if node.op is None or len(node.inputs) != 1:
            return False
        if node.op.name == "identity":
            return True
        return isinstance(node.op.structure, Selection) and self.size(number) == self.size(node.inputs[0])

    def users(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """Returns, for each node, the (user, which of its inputs) pairs."""
        made: list[list[tuple[int, int]]] = [[] for _ in self.nodes]
        for number, node in enumerate(self.nodes):
            for which, source in enumerate(node.inputs):
                made[source].append((number, which))
        return tuple(tuple(pairs) for pairs in made)

    def leading_to(self, ends: Iterable[int]) -> set[int]:
        """Returns some nodes and all that they were made from."""
        found = set(ends)
        for number in range(max(found, default=-1), -1, -1):
            if number in found:
                found.update(self.nodes[number].inputs)
        return found

    def number(self, name: str) -> int:
        """Returns the number of the node with a name.

        Raises:
            KeyError: There is none.
        """
        for number, node in enumerate(self.nodes):
            if node.name == name:
                return number
        raise KeyError(name)

    def size(self, number: int) -> int:
        """Returns how many entries a node has."""
        return prod(self.nodes[number].value.shape)


class Recording:
    """A graph that is being written down, node by node.

    Example:
        >>> from whygrad.ops import OPS
        >>> recording = Recording()
        >>> x = recording.leaf("x", np.array([1.0, 2.0]))
        >>> s = recording.apply("s", OPS["sum"], (x,))
        >>> recording.graph((Entry(s, 0),)).nodes[s].value
        np.float64(3.0)
    """

    def __init__(self, xp: Any = np) -> None:
        self._nodes: list[Node] = []
        self._xp = xp

    def leaf(self, name: str, value: Array) -> int:
        """Returns the number of a new node that was made from nothing."""
        self._nodes.append(Node(name, value))
        return len(self._nodes) - 1

    def apply(
        self,
        name: str,
        op: Op,
        inputs: tuple[int, ...],
        settings: Mapping[str, Any] | None = None,
        marked: bool = False,
        value: Array | None = None,
    ) -> int:
        """Returns the number of a new node; its value is computed unless it is given.

        An input that an elementwise operation takes twice is one input: x*x is one edge 2x, not two edges x.
        """
        if len(set(inputs)) < len(inputs):
            op, inputs = _merged(op, inputs)
        settings = {**op.settings, **settings} if settings else op.settings
        if value is None:
            value = op.structure.value(tuple(self._nodes[i].value for i in inputs), settings, self._xp)
        self._nodes.append(Node(name, value, op, inputs, settings, marked))
        return len(self._nodes) - 1

    @property
    def nodes(self) -> Sequence[Node]:
        """What was written down so far."""
        return self._nodes

    def replace_value(self, number: int, value: Array) -> None:
        """Gives a node a copy of its value, whose memory is about to be written to."""
        node = self._nodes[number]
        self._nodes[number] = Node(node.name, value, *node[2:])

    def rename(self, number: int, name: str) -> None:
        """Gives a node another name."""
        node = self._nodes[number]
        self._nodes[number] = Node(name, *node[1:])

    def graph(self, costs: tuple[Entry, ...], cost_names: tuple[str, ...] = (), examples: int = 0) -> Graph:
        """Returns the finished graph."""
        return Graph(tuple(self._nodes), costs, cost_names, examples, self._xp)


def _merged(op: Op, inputs: tuple[int, ...]) -> tuple[Op, tuple[int, ...]]:
    """Returns an elementwise operation with each of its inputs once; any other as it is."""
    structure = op.structure
    if not isinstance(structure, Elementwise):
        return op, inputs
    once = tuple(dict.fromkeys(inputs))
    first = {number: op.arguments[inputs.index(number)] for number in once}
    renamed = {argument: first[number] for argument, number in zip(op.arguments, inputs, strict=True)}

    def said(formula: str) -> str:
        return re.sub(r"[A-Za-z_]\w*", lambda name: renamed.get(name[0], name[0]), formula)

    partials = {
        kept: " + ".join(f"({said(structure.partials[a])})" for a in op.arguments if renamed[a] == kept)
        for kept in first.values()
    }
    arguments = tuple(first.values())
    merged = Elementwise(arguments, said(structure.of), partials)
    return op._replace(arguments=arguments, structure=merged), once
