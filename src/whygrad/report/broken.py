"""Where values and derivatives stop being finite: the operation at which it begins, for each cost."""

from collections.abc import Iterator
from typing import NamedTuple

from whygrad.arrays import Array
from whygrad.graph import Graph
from whygrad.model_record import Record


class Origin(NamedTuple):
    """Where something that is not finite begins.

    Args:
        cost: The name of the cost.
        what: ``value`` or ``gradient``.
        place: The name of the node that made it; of an input or a parameter where it was so from the start.
        operation: The operation; nothing for an input or a parameter.
        module: The path of the module in which it was made; empty outside of the model's modules.
    """

    cost: str
    what: str
    place: str
    operation: str
    module: str


def origins(record: Record) -> tuple[Origin, ...]:
    """Returns where each cost's value, or else its derivatives, stop being finite; nothing where all is finite."""
    graph = record.graph
    fine = [_finite(graph, node.value) for node in graph.nodes]
    found = []
    for row, cost in enumerate(graph.costs):
        if not fine[cost.node]:
            first = next(n for n in _before(graph, cost.node) if not fine[n])
            found.append(_origin(record, row, "value", first))
        else:
            where = _derivative(record, row)
            if where is not None:
                found.append(_origin(record, row, "gradient", where))
    return tuple(found)


def _origin(record: Record, row: int, what: str, number: int) -> Origin:
    op = record.graph.nodes[number].op
    name = "" if op is None else op.name
    return Origin(record.cost_names[row], what, record.node_name(number), name, record.modules[number])


def _finite(graph: Graph, values: Array) -> bool:
    xp = graph.xp
    return not xp.isdtype(values.dtype, "real floating") or bool(xp.all(xp.isfinite(values)))


def _before(graph: Graph, number: int) -> Iterator[int]:
    """Yields the nodes that a node was made from, itself as well, in the order in which they were made."""
    there = {number}
    for place in range(number, -1, -1):
        if place in there:
            there.update(graph.nodes[place].inputs)
    return iter(sorted(there))


def _derivative(record: Record, row: int) -> int | None:
    """Returns the last operation whose own cotangent is finite for a cost and an input's is not."""
    graph, sweep = record.graph, record.graph_sweep("gradient")
    known: dict[int, bool] = {}

    def finite(number: int) -> bool:
        if number not in known:
            cotangent = sweep.cotangent(number)
            known[number] = (
                cotangent is None or row not in cotangent.rows or _finite(graph, sweep.joined(number, (row,)))
            )
        return known[number]

    users = graph.users()
    for number in range(len(graph.nodes) - 1, -1, -1):
        if not finite(number):
            return max((user for user, _ in users[number] if finite(user)), default=number)
    return None
