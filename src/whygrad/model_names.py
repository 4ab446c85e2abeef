"""The names of what a recorded computation is made of: parameters, modules, operations, inputs, costs, and entries."""

import operator
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from whygrad.attention import Attention, attentions, parted, placed
from whygrad.errors import QuantityError, near, some
from whygrad.graph import Entry, Graph
from whygrad.structures import Selection

if TYPE_CHECKING:
    from whygrad.paths import Path

# Behind a name: the array that has it, and not the cost.
ARRAY = "[...]"
# One attention weight, or one entry of a value on the way through it.
THROUGH = re.compile(
    r"(?P<name>.*?) ?head (?P<head>\d+), token (?P<asking>\d+) (?:->|→) token (?P<asked>\d+)"
    r"(?:, value (?P<value>\d+))?(?: of example (?P<example>\d+))?"
)


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
    place: int

    @property
    def name(self) -> str:
        """What the node is called after it."""
        said = [*[f"output {self.place + 1}"] * (self.place > 0), *[f"call {self.call}"] * (self.call > 1)]
        return f"{self.module} ({', '.join(said)})" if said else self.module


class Made(NamedTuple):
    """Where a node was made.

    Args:
        module: The path of the module.
        heads: In how many attention heads that module works (0: none).
        output: Which module returned it, the innermost; nothing where none did.
        around: Which others returned it too, as a ``Sequential`` returns what its last module does.
        by_costs: Whether the function of the costs made it itself, outside of all modules.
    """

    module: str
    heads: int = 0
    output: Output | None = None
    around: tuple[Output, ...] = ()
    by_costs: bool = False

    @property
    def returned_by(self) -> tuple[Output, ...]:
        """All modules that returned it, the innermost first."""
        return (self.output, *self.around) if self.output else self.around


def told_apart(name: str, seen: Counter[str]) -> str:
    """Returns a name, numbered from the second of its kind on, and notes it among those that were seen.

    Example:
        >>> seen = Counter(["sum", "sum#2"])
        >>> told_apart("sum", seen), told_apart("sum", seen), told_apart("cos", seen)
        ('sum#3', 'sum#4', 'cos')
    """
    seen[name] += 1
    if seen[name] == 1:
        return name
    while f"{name}#{seen[name]}" in seen:
        seen[name] += 1
    return told_apart(f"{name}#{seen[name]}", seen)


class Names:
    """What each node of a recorded computation is called, and what a name stands for.

    Args:
        graph: What was computed.
        leaves: The parameters and inputs.
        made: For each node, where it was made.
    """

    def __init__(self, graph: Graph, leaves: Iterable[Leaf], made: Sequence[Made]) -> None:
        self._graph, self._leaves, self._made = graph, tuple(leaves), made

    @cached_property
    def _numbers(self) -> dict[str, int]:
        """Name -> node: leaves and their other names, then outputs of modules and operations."""
        found = {name: leaf.node for leaf in self._leaves for name in (leaf.name, *leaf.aliases)}
        for number, name in self._called.items():
            found.setdefault(name, number)
        for number, made in enumerate(self._made):
            for output in made.around:
                found.setdefault(output.name, number)
        # only then the short names: one of a node inside a module may be the whole name of a later one
        for number, node in enumerate(self._graph.nodes):
            found.setdefault(node.name, number)
        return found

    @cached_property
    def _called(self) -> dict[int, str]:
        """The name of each node, no two of them alike.

        Leaves come first, then what modules returned: an operation that is called like a module doesn't take its name.
        """
        called = {leaf.node: leaf.name for leaf in self._leaves}
        seen = Counter(name for leaf in self._leaves for name in (leaf.name, *leaf.aliases))
        returned = [number for number, made in enumerate(self._made) if made.output]
        for number in returned:
            called[number] = told_apart(self._plain_name(number), seen)
        seen.update(output.name for made in self._made for output in made.around)
        for number in range(len(self._made)):
            if number not in called:
                called[number] = told_apart(self._plain_name(number), seen)
        return called

    def _plain_name(self, number: int) -> str:
        node, made = self._graph.nodes[number], self._made[number]
        return node.name if made.output or not made.module else f"{made.module}.{node.name}"

    def node(self, number: int) -> str:
        """Returns the name of a node: a parameter's, a module's, or an operation's inside a module."""
        return self._apart(number, "")

    def at(self, quantity: str) -> tuple[int, int | None]:
        """Returns the node and the flat position that a name stands for; no position for a whole array.

        Raises:
            QuantityError: There is no such quantity; or an index is out of range.
        """
        if not isinstance(quantity, str):
            raise QuantityError(f"expected the name of a quantity, found {quantity!r}")
        text = quantity.strip()
        if text in self._graph.cost_names:
            return self._graph.costs[self._graph.cost_names.index(text)]
        array = text.removesuffix(ARRAY)
        if array in self._numbers:
            return self._numbers[array], None
        attended = self._at_attention(text)
        if attended is not None:
            return attended
        name, _, index = text.rpartition("[")
        name = name.rstrip().removesuffix(ARRAY)
        if name not in self._numbers:
            raise QuantityError(
                f"{quantity!r}: expected a parameter, an input, a module or a cost of this model, "
                f"such as {some(self._numbers)}{self._meant(text)}"
            )
        node = self._numbers[name]
        shape = tuple(self._graph.nodes[node].value.shape)
        said = re.fullmatch(r"[\s\d,]*\]", index)
        entry = tuple(int(part) for part in index.rstrip("]").split(",") if part.strip()) if said else None
        if entry is None or len(entry) != len(shape) or any(map(operator.ge, entry, shape)):
            whole = f"; {name!r} alone is the whole array" if shape else ""
            raise QuantityError(
                f"{quantity!r}: expected {len(shape)} whole numbers from 0, below {shape} (the shape of {name}), "
                f"found [{index}{whole}"
            )
        return node, int(np.ravel_multi_index(entry, shape)) if shape else 0

    def _meant(self, text: str) -> str:
        """Returns the question whether something similar was meant: of the name before an index, or of all."""
        name, bracket, _ = text.partition("[")
        costs = self._graph.cost_names
        return (bracket and near(text, costs)) or near(name, (*costs, *self._numbers))

    def entry(self, entry: Entry) -> str:
        """Returns the name of one entry of a node."""
        if entry in self._graph.costs:
            return self._graph.cost_names[self._graph.costs.index(entry)]
        node = self._graph.nodes[entry.node]
        shape = tuple(node.value.shape)
        if prod(shape) == 1:
            return self.node(entry.node)
        index = tuple(int(i) for i in np.unravel_index(entry.position, shape))
        if entry.node in self._attention:
            attention = self._attention[entry.node]
            return self._through(
                attention, *parted(entry.position, shape, (attention.asking, attention.asked))
            )
        return self._apart(entry.node, f"[{', '.join(map(str, index))}]")

    def _apart(self, number: int, index: str) -> str:
        """Returns the name of an array, or its entry, with the dots that tell it from a cost or a module called so."""
        array = self._called[number]
        name = array + index
        taken = name in self._graph.cost_names or (index and name in self._numbers)
        return f"{array}{ARRAY}{index}" if taken else name

    @cached_property
    def _attention(self) -> dict[int, Attention]:
        """The uses of attention by the nodes of their weights."""
        modules = [made.module for made in self._made]
        found = attentions(self._graph, modules, lambda number: self._made[number].heads)
        return {attention.weights: attention for attention in found}

    @cached_property
    def _weighings(self) -> dict[int, Attention]:
        """The uses of attention by the products of weights and values."""
        return {a.weighing.product: a for a in self._attention.values() if a.weighing is not None}

    def _examples(self, attention: Attention) -> int:
        shape: tuple[int, ...] = self._graph.nodes[attention.weights].value.shape
        return prod(shape) // (attention.heads * shape[attention.asking] * shape[attention.asked] or 1)

    def _through(
        self, attention: Attention, front: int, asking: int, asked: int, value: int | None = None
    ) -> str:
        """Returns the name of an attention weight, or of a value's way through it: which token looks at which."""
        examples = self._examples(attention)
        if attention.inner:
            example, head = divmod(front, attention.heads)
        else:
            head, example = divmod(front, examples)
        said = [
            f"{attention.name} head {head}, token {asking} -> token {asked}".lstrip(),
            f", value {value}" if value is not None else "",
            f" of example {example}" if examples > 1 else "",
        ]
        return "".join(said)

    def _weighed(self, before: Entry, entry: Entry) -> str | None:
        """Returns the name of a step from a value to its product with the attention weights; nothing for others."""
        attention = self._weighings.get(entry.node)
        laid = attention and attention.weighing
        node = self._graph.nodes[entry.node]
        if attention is None or laid is None or before.node != node.inputs[laid.values]:
            return None
        shared, row, column = parted(entry.position, node.value.shape, (laid.row, laid.column))
        shape, axes = self._graph.nodes[attention.weights].value.shape, (attention.asking, attention.asked)
        front, asking, _ = map(int, parted(laid.starts[shared, row], shape, axes))
        asked = np.unravel_index(before.position, self._graph.nodes[before.node].value.shape)[laid.source]
        return self._through(attention, front, asking, int(asked), column)

    def _at_attention(self, text: str) -> tuple[int, int] | None:
        """Returns the node and the position of what a name of an attention weight stands for; nothing for others."""
        found = THROUGH.fullmatch(text)
        attention = found and next((a for a in self._attention.values() if a.name == found["name"]), None)
        if not found or attention is None:
            return None
        example, head, asking, asked = (
            int(found[part] or 0) for part in ("example", "head", "asking", "asked")
        )
        examples, heads = self._examples(attention), attention.heads
        front = example * heads + head if attention.inner else head * examples + example
        number, axes, last = attention.weights, (attention.asking, attention.asked), asked
        shape = self._graph.nodes[number].value.shape
        rows, columns = (shape[axis] for axis in axes)
        there = head < heads and example < examples and asking < rows and asked < columns
        laid = attention.weighing
        if there and found["value"] and laid is not None:
            ((front, asking),) = np.argwhere(laid.starts == placed((front, asking, 0), shape, axes)).tolist()
            number, axes, last = laid.product, (laid.row, laid.column), int(found["value"])
            shape = self._graph.nodes[number].value.shape
            there = last < shape[laid.column]
        if not there:
            raise QuantityError(
                f"{text!r}: expected a head below {heads}, tokens below {rows} and {columns}, of one of "
                f"{examples} examples"
            )
        return number, placed((front, asking, last), shape, axes)

    def paths(self, paths: Sequence["Path"]) -> list[tuple[str, ...]]:
        """Returns the names along paths, as :meth:`whygrad.Record.path_names` says."""
        made = [self._path(path) for path in paths]
        alike: dict[tuple[str, ...], list[set[Entry]]] = {}
        for names, path in zip(made, paths, strict=True):
            alike.setdefault(names, []).append(set(path.entries))
        shared = {names: set.intersection(*every) for names, every in alike.items()}
        return [
            self._path(path, shared[names]) if len(alike[names]) > 1 else names
            for names, path in zip(made, paths, strict=True)
        ]

    def _path(self, path: "Path", shared: set[Entry] | None = None) -> tuple[str, ...]:
        """Returns the names along a path, with those of all entries that others like it don't share."""
        kept: list[str] = []
        last = len(path.entries) - 1
        for place, entry in enumerate(path.entries):
            through = self._weighed(path.entries[place - 1], entry) if place else None
            following = path.entries[place + 1].node if place < last else None
            if through is not None:
                kept.append(through)
            elif (
                following is None
                or entry in self._graph.costs
                or (shared is not None and entry not in shared)
                or not self._passed_over(entry.node, following)
            ):
                kept.append(self.entry(entry))
        return tuple(kept)

    def _passed_over(self, number: int, following: int) -> bool:
        """Returns whether a step says nothing that the next one doesn't say: it is in the same module without parts,
        or its entries are moved and then called by the module's name, or it only moves entries itself."""
        node, after = self._graph.nodes[number], self._graph.nodes[following]
        if node.op is None or number in self._attention:
            return False
        if (
            self._made[number].module in self._simple
            and self._made[number].module == self._made[following].module
        ):
            return True
        moves = isinstance(node.op.structure, Selection)
        moved_on = after.op is not None and isinstance(after.op.structure, Selection)
        output = self._made[following].output
        if moved_on and output and output.module == self._made[following].module == self._made[number].module:
            return True
        return moves and self._made[number].output is None

    @cached_property
    def _simple(self) -> frozenset[str]:
        """The modules that have no other modules in them, but the whole model."""
        every = {made.module for made in self._made}
        inner = {module.rpartition(".")[0] for module in every}
        return frozenset(every - inner - {""})
