"""Activation functions in a recorded computation: dead units, silent units, entries on a kink."""

from math import prod
from typing import Any, NamedTuple

from whygrad.arrays import Array, in_numpy, style
from whygrad.branches.weights import of_weights
from whygrad.formula import compiled, symbols
from whygrad.graph import Graph
from whygrad.model_record import Record
from whygrad.report.record import Units
from whygrad.report.unit_axes import Along, along
from whygrad.structures import Elementwise, settled
from whygrad.sweep import Sweep

# How far from a kink its slopes are looked at (for entries beyond 1 a part of them), and from which difference on it is
# one: both are coarse enough for bfloat16.
NEAR, BEND = 0.01, 0.03


def units(record: Record) -> tuple[Units, ...]:
    """Returns what became of the units of each activation function that has a kink, and other entries on a kink.

    The same weights make the same units: those of a model that is called several times, or of a cell at every step,
    are counted once, and are dead where they are in every call.
    """
    graph, sweep = record.graph, record.graph_sweep("gradient")
    leaves = {leaf.node for leaf in record.leaves.values()}
    signs, ends, weights = _signs(record), _ends(record), of_weights(record)
    made: dict[tuple[Any, ...], _Seen] = {}
    for number, node in enumerate(graph.nodes):
        op = node.op
        if op is None or not op.kinks or not isinstance(op.structure, Elementwise) or len(node.inputs) != 1:
            continue
        if node.inputs[0] in leaves or len(node.value.shape) < 2 or not graph.size(number):
            continue
        if sweep.cotangent(number) is None:
            continue
        flat, on_kink = _flat_at_zero(graph, number), _on_kinks(graph, number)
        name, entries = record.node_name(number), prod(node.value.shape)
        units = along(graph, number, weights) if (flat or op.activation) and number not in ends else None
        if units is None:
            zero = quiet = None
        else:
            # An output of 0 means a dead unit only where the function is flat there.
            zero = in_numpy(_everywhere(units, node.value == 0)) & flat
            quiet = in_numpy(_everywhere(units, _no_gradient(graph, sweep, number)))
        key = (signs[number], None if zero is None else len(zero))
        seen = _Seen(name, op.name, zero, quiet, on_kink, entries)
        made[key] = made[key].and_again(seen) if key in made else seen
    return tuple(seen.counted() for seen in made.values() if seen.zero is not None or seen.on_kink)


class _Seen(NamedTuple):
    """The units of one activation function in all calls so far: which are always 0, which never get a gradient."""

    name: str
    operation: str
    zero: Array | None
    quiet: Array | None
    on_kink: int
    entries: int

    def and_again(self, other: "_Seen") -> "_Seen":
        def both(a: Array | None, b: Array | None) -> Array | None:
            return None if a is None or b is None else a & b

        return self._replace(
            zero=both(self.zero, other.zero),
            quiet=both(self.quiet, other.quiet),
            on_kink=self.on_kink + other.on_kink,
            entries=self.entries + other.entries,
        )

    def counted(self) -> Units:
        if self.zero is None or self.quiet is None:
            return Units(self.name, self.operation, 0, 0, 0, self.on_kink, self.entries)
        dead, silent = int(self.zero.sum()), int((self.quiet & ~self.zero).sum())
        return Units(self.name, self.operation, len(self.zero), dead, silent, self.on_kink, self.entries)


def _signs(record: Record) -> list[int]:
    """Returns for each node what made it, as a number: the operations down to the nearest ones with weights."""
    graph = record.graph
    weights = {leaf.node for leaf in record.leaves.values() if leaf.kind != "input"}
    known: dict[tuple[Any, ...], int] = {}
    made: list[int] = []
    for number, node in enumerate(graph.nodes):
        if node.op is None:
            sign: tuple[Any, ...] = ("weight", number) if number in weights else ("data",)
        else:
            own = [source for source in node.inputs if source in weights]
            sign = (node.op.name, *(own or (made[source] for source in node.inputs)), bool(own))
        made.append(known.setdefault(sign, len(known)))
    return made


def _ends(record: Record) -> set[int]:
    """Returns what the costs make themselves of the model's results: a relu there is a hinge, which has no units.

    Where the costs call layers one by one, what they make in between is the model's: weights lie behind it.
    """
    nodes, users = record.graph.nodes, record.graph.users()
    weights = {leaf.node for leaf in record.leaves.values() if leaf.kind != "input"}
    weights |= {
        n for n, node in enumerate(nodes) if record.graph.whole_selection(n) and node.inputs[0] in weights
    }
    before: set[int] = set()  # what weights lie behind
    for number in range(len(nodes) - 1, -1, -1):
        for user, _ in users[number]:
            others = set(nodes[user].inputs) - {number}
            if user in before or (others & weights and len(nodes[user].value.shape)):
                before.add(number)
    return {number for number, made in enumerate(record.made) if made.by_costs} - before


def _everywhere(units: Along, mask: Array) -> Array:
    """Returns, for each unit, whether the mask holds in all of its entries: (units,)."""
    many = prod(mask.shape) // max(1, units.units * units.step)
    return mask.reshape(many, units.units, units.step).all(2).all(0)


def _no_gradient(graph: Graph, sweep: Sweep, number: int) -> Array:
    """Returns where no cost has a derivative by an activation function's input."""
    values = sweep.values(graph.nodes[number].inputs[0])
    return (values == 0).all(0)


def _flat_at_zero(graph: Graph, number: int) -> bool:
    """Returns whether an output of 0 means no slope: relu and its like, but not leaky_relu or abs."""
    local = graph.local(number)
    structure = local.xp.asarray
    op = graph.nodes[number].op
    assert op is not None
    assert isinstance(op.structure, Elementwise)
    left = structure([-1.0], dtype=local.output.dtype, device=local.output.device)
    value = op.structure.value((left,), local.settings, local.xp)
    slope = op.structure.partial(local._replace(inputs=(left,), output=value), 0)
    return float(value[0]) == 0 and float(local.xp.asarray(slope).reshape(-1)[0]) == 0


def _on_kinks(graph: Graph, number: int) -> int:
    """Returns how many entries stand exactly on a kink, as the operation declares it (``x = 0``)."""
    node, local = graph.nodes[number], graph.local(number)
    op = node.op
    assert op is not None
    known = dict(zip(op.arguments, local.inputs, strict=True))
    there = None
    for condition in op.kinks.values():
        for one in condition.split(" or "):
            sides = [settled(side.strip(), local.settings) for side in one.split("=")]
            if len(sides) != 2 or not all(symbols(side) <= known.keys() for side in sides):
                continue
            left, right = (
                compiled(side, tuple(sorted(symbols(side))), style(local.xp))(
                    *(known[name] for name in sorted(symbols(side)))
                )
                for side in sides
            )
            at = left == right
            there = at if there is None else there | at
    if there is None or not in_numpy(there).any():
        return 0
    # elu has one but for alpha = 1
    return int(
        in_numpy(there & (abs(_slope(graph, number, NEAR) - _slope(graph, number, -NEAR)) > BEND)).sum()
    )


def _slope(graph: Graph, number: int, aside: float) -> Array:
    """Returns the derivative of an activation function a little aside from its inputs."""
    local, op = graph.local(number), graph.nodes[number].op
    assert op is not None
    assert isinstance(op.structure, Elementwise)
    x = local.inputs[0]
    moved = x + aside * local.xp.clip(abs(x), 1.0, None)
    value = op.structure.value((moved,), local.settings, local.xp)
    return op.structure.partial(local._replace(inputs=(moved,), output=value), 0)
