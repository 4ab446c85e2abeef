"""Residual adds in a recorded computation: h + f(h).

One side is the value that the other was made from, and the other passes a parameter. Or it is a projection of that
value, W h + f(h), and a short cut past the other: it passes fewer learned matrices, is used for the add alone, and f is
not linear. (The mean and the noise of a variational autoencoder are two branches of equal rank, and so are the linear
maps of a spectral layer: neither is a skip.)
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from whygrad.branches.weights import of_weights
from whygrad.graph import Node
from whygrad.model_record import Record
from whygrad.structures import Contraction, Elementwise, Selection

# Operations that are linear in the one input that isn't a parameter or a constant.
ADDS = ("add", "add_scaled")
SUBTRACTS = ("sub", "sub_scaled", "rsub")
LINEAR = (*ADDS, "sub", "sub_scaled", "mul", "div", "neg", "identity")


class Residual(NamedTuple):
    """One residual add.

    Args:
        name: The block's name.
        add: The number of the add.
        skip: Which input of the add is the skip; the other is what the block made.
        fork: The value that both sides come from.
        inside: The nodes of the block, from the fork (without it) to the add (without it).
    """

    name: str
    add: int
    skip: int
    fork: int
    inside: frozenset[int]


class Structure:
    """What comes from what in a graph: ancestors, and which nodes are parameters, or made of them alone.

    Args:
        record: What was computed.
    """

    def __init__(self, record: Record) -> None:
        self.graph = record.graph
        nodes = self.graph.nodes
        learned = {leaf.node for leaf in record.leaves.values() if leaf.kind != "input"}
        inputs = {leaf.node for leaf in record.leaves.values() if leaf.kind == "input"}
        weights = of_weights(record)
        self.static: list[bool] = []
        self.parameter: list[bool] = []
        self._ancestors: list[int] = []  # bit i: node i, or the node itself
        for number, node in enumerate(nodes):
            leaf = node.op is None
            moved = self.graph.whole_selection(number)
            self.static.append(number not in inputs if leaf else moved and self.static[node.inputs[0]])
            made = weights[number] and any(self.parameter[source] for source in node.inputs)
            self.parameter.append(number in learned or made)
            bits = 1 << number
            for source in node.inputs:
                bits |= self._ancestors[source]
            self._ancestors.append(bits)

    def comes_from(self, number: int, source: int) -> bool:
        """Returns whether a node was made from another (or is it)."""
        return bool(self._ancestors[number] >> source & 1)

    def between(self, fork: int, end: int) -> frozenset[int]:
        """Returns the nodes on the way from one node (without it) to another (with it)."""
        return frozenset(
            number
            for number in range(fork + 1, end + 1)
            if self.comes_from(end, number) and self.comes_from(number, fork)
        )

    def moving(self, number: int) -> list[int]:
        """Returns a node's inputs that are neither weights nor constants."""
        inputs = self.graph.nodes[number].inputs
        return [source for source in inputs if not self.static[source] and not self.parameter[source]]

    def linear_sources(self, number: int) -> Iterable[int]:
        """Yields a node and what it is a linear function of, back to where an operation isn't linear."""
        while True:
            yield number
            if not self._linear(number):
                return
            (number,) = self.moving(number)

    def learned(self, number: int) -> bool:
        """Returns whether a node is more than something plus a parameter: h + (w - h) z is no block for w's sake."""
        node = self.graph.nodes[number]
        adds = node.op is not None and node.op.name in (*ADDS, *SUBTRACTS)
        return not adds and any(self.parameter[source] for source in node.inputs)

    def projects(self, number: int) -> bool:
        """Returns whether a node is the product of something with a learned matrix."""
        node = self.graph.nodes[number]
        return _is_product(node) and any(
            self.parameter[source] and len(self.graph.nodes[source].value.shape) > 1 for source in node.inputs
        )

    def projections(self, inside: Iterable[int]) -> int:
        """Returns how many learned matrices the longest way through some nodes passes."""
        passed: dict[int, int] = {}
        for number in sorted(inside):
            before = (passed.get(source, 0) for source in self.graph.nodes[number].inputs)
            passed[number] = max(before, default=0) + self.projects(number)
        return max(passed.values(), default=0)

    def bends(self, inside: Iterable[int]) -> bool:
        """Returns whether what leads through some nodes is no linear map."""
        ops = ((number, self.graph.nodes[number].op) for number in inside)
        return any(op is not None and op.name not in ADDS and not self._linear(number) for number, op in ops)

    def _linear(self, number: int) -> bool:
        node = self.graph.nodes[number]
        if node.op is None or len(self.moving(number)) != 1:
            return False
        structure = node.op.structure
        if isinstance(structure, Selection):
            # A part of a value is another value: x_t is not what x_(t-1) comes from, though both are cut from x.
            return self.graph.whole_selection(number)
        if isinstance(structure, Elementwise):
            return node.op.name in LINEAR
        return _is_product(node) or "normalise" in node.op.name or node.op.name == "along_axes"


def _is_product(node: Node) -> bool:
    structure = None if node.op is None else node.op.structure
    return isinstance(structure, Contraction) or type(structure).__name__ in ("Affine", "Convolution")


def residuals(record: Record) -> tuple[Residual, ...]:
    """Returns the residual adds of a recorded computation, in the order in which they were computed.

    An add of two arrays of one shape counts where one of them, but for shape and scale, is a value that the other was
    made from, and where what lies between passes a parameter; or where it is a projection of that value, past a block
    that is longer and not linear.
    """
    structure = Structure(record)
    graph = record.graph
    found: list[Residual] = []
    for number, node in enumerate(graph.nodes):
        if node.op is None or node.op.name not in ADDS or len(node.inputs) != 2 or graph.size(number) < 2:
            continue
        shapes = {tuple(graph.nodes[source].value.shape) for source in node.inputs}
        if len(shapes) != 1 or any(structure.static[source] for source in node.inputs):
            continue
        residual = _residual(record, structure, number)
        if residual is not None:
            found.append(residual)
    return _named(record, structure, found)


def _residual(record: Record, structure: Structure, number: int) -> Residual | None:
    first, second = record.graph.nodes[number].inputs
    users = record.graph.users()
    choices = []
    for skip, (side, other) in enumerate(((first, second), (second, first))):
        passed: list[int] = []
        for source in structure.linear_sources(side):
            if source != other and structure.comes_from(other, source):
                inside = structure.between(source, other)
                learned = any(structure.learned(n) for n in inside)
                projections = sum(structure.projects(n) for n in passed)
                short = not projections or (
                    projections < structure.projections(inside)
                    and structure.bends(inside)
                    and all(len(users[n]) == 1 for n in passed)
                )
                if learned and short:
                    choices.append((len(passed), Residual("", number, skip, source, inside)))
                break
            passed.append(source)
    return min(choices, key=lambda choice: choice[0])[1] if choices else None


def _named(record: Record, structure: Structure, found: Sequence[Residual]) -> tuple[Residual, ...]:
    """Returns the residual adds with names: the module around each, or what is inside where it has several."""
    homes = [record.modules[residual.add] for residual in found]
    inner = [_inside_name(record, structure, *pair) for pair in zip(found, homes, strict=True)]
    several = {home for home in homes if len(_at(homes, inner, home)) > 1}
    names: list[str] = []
    for home, name in zip(homes, inner, strict=True):
        name = name if not home or home in several else home
        earlier = sum(re.sub(r" \(\d+\)$", "", known) == name for known in names)
        names.append(f"{name} ({earlier + 1})" if earlier else name)
    return tuple(residual._replace(name=name) for residual, name in zip(found, names, strict=True))


def _at(homes: Sequence[str], names: Sequence[str], home: str) -> set[str]:
    return {name for place, name in zip(homes, names, strict=True) if place == home}


def _inside_name(record: Record, structure: Structure, residual: Residual, home: str) -> str:
    graph = record.graph
    weighted = [
        record.modules[number]
        for number in sorted(residual.inside)
        # matrices: the scale and shift of a normalisation are no name for a block
        if any(
            structure.parameter[source] and len(graph.nodes[source].value.shape) > 1
            for source in graph.nodes[number].inputs
        )
    ]
    modules = list(dict.fromkeys(module for module in weighted if module)) or [home or "the model"]
    common = modules[0].split(".")
    for module in modules[1:]:
        parts = module.split(".")
        common = [a for place, a in enumerate(common) if parts[: place + 1] == common[: place + 1]]
    prefix = ".".join(common)
    if len(prefix) > len(home) or len(modules) == 1:
        return prefix or modules[0]
    return f"{modules[0]} to {modules[-1].removeprefix(f'{prefix}.')}"
