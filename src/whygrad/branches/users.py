"""What each user of a value sends back, where a value is used several times.

The gradient by a value is the sum of what its users send back (the chain rule's sum). Per cost: the norm of each
user's part, and the cosines between the parts: the skip against the block at a residual add, one loss's branch against
another's, one use of a shared weight against the next.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from whygrad.branches.parts import Parts, check_module, gramian_of, is_inside
from whygrad.branches.residuals import Residual, residuals
from whygrad.graph import Entry, Graph
from whygrad.model_record import Record
from whygrad.structures import Selection
from whygrad.sweep import Sweep

Users: TypeAlias = Sequence[Sequence[tuple[int, int]]]


def branches(record: Record, module: str | None = None) -> tuple[Parts, ...]:
    """Returns, for each value that is used several times, what each user sends back.

    Views and other reshapes of a value are that value, and a cost that is its entry is a user. Parameters count too: a
    tied weight, or one that is used at every time step. Values that no cost reaches are left out.

    Args:
        record: What was computed.
        module: A module path: the values made in it or coming into it; all where there is nothing.

    Raises:
        QuantityError: No such module ran.
    """
    if module is not None:
        check_module(record, module)
    sweep = record.graph_sweep("gradient")
    at_forks: dict[int, list[Residual]] = {}
    for residual in residuals(record):
        at_forks.setdefault(residual.fork, []).append(residual)
    leaves = {leaf.node for leaf in record.leaves.values()}
    users = record.graph.users()
    found = []
    for value, uses in uses_of(record.graph).items():
        node = record.graph.nodes[value]
        if len(uses) < 2 or (node.op is None and value not in leaves):
            continue
        uses = [use for use in uses if sweep.cotangent(use.user) is not None]
        if module is not None and not any(is_inside(record.modules[use.user], module) for use in uses):
            continue
        if len(uses) < 2:
            continue
        sent = [sweep.sent(use.way) for use in uses]
        sides = tuple(_side(record.graph, use, at_forks.get(value, ())) for use in uses)
        called = tuple(
            _sender(record, users, sweep, use, side) for use, side in zip(uses, sides, strict=True)
        )
        found.append(
            Parts(
                _place(record, value, uses),
                record.graph.cost_names,
                _apart(called),
                gramian_of(sent, record.graph.xp),
                sides,
            )
        )
    return tuple(found)


def _place(record: Record, value: int, uses: Sequence["Use"]) -> str:
    """Returns the name of a value: a cost's, or that of its view that a module returned, where all uses are of it."""
    if record.made[value].output is None:
        for view in reversed(uses[0].views):
            returned = record.made[view].output is not None and record.modules[view] == record.modules[value]
            if returned and all(view in use.views for use in uses):
                return record.node_name(view)
    return record.name(Entry(value, 0)) if record.graph.size(value) == 1 else record.node_name(value)


class Use(NamedTuple):
    """One use of a value: the node that uses it, as which input, and the views that lie between, outermost first.

    Where costs are entries of the value, or of a view of it, that is a use too: by this node, as none of its inputs.
    """

    user: int
    which: int | None
    views: tuple[int, ...]

    @property
    def way(self) -> tuple[tuple[int, int | None], ...]:
        """The steps back from the user to the value: nodes, and which of their inputs."""
        return ((self.user, self.which), *((view, 0) for view in self.views))


def uses_of(graph: Graph) -> dict[int, list[Use]]:
    """Returns the uses of each value, where a view of a value is the value itself."""
    root: list[int] = []
    views: list[tuple[int, ...]] = []
    found: dict[int, list[Use]] = {}
    for number, node in enumerate(graph.nodes):
        if graph.whole_selection(number):
            source = node.inputs[0]
            root.append(root[source])
            views.append((number, *views[source]))
            continue
        root.append(number)
        views.append(())
        for which, source in enumerate(node.inputs):
            found.setdefault(root[source], []).append(Use(number, which, views[source]))
    for number in dict.fromkeys(cost.node for cost in graph.costs):
        found.setdefault(root[number], []).append(Use(number, None, views[number]))
    return dict(sorted(found.items()))


def _side(graph: Graph, use: Use, at_fork: Iterable[Residual]) -> str:
    for residual in at_fork if use.which is not None else ():
        if use.user in residual.inside:
            return "block"
        if use.user == residual.add or _leads_to(
            graph, use.user, graph.nodes[residual.add].inputs[residual.skip]
        ):
            return "skip"
    return ""


def _leads_to(graph: Graph, number: int, end: int) -> bool:
    """Returns whether a node is on the short way to another: the projection of a skip."""
    waiting = [end]
    while waiting:
        found = waiting.pop()
        if found == number:
            return True
        waiting += [source for source in graph.nodes[found].inputs if source >= number]
    return False


def _sender(record: Record, users: Users, sweep: Sweep, use: Use, side: str) -> str:
    """Returns a readable name for a user: the module that it is in, and the operation where the module is larger."""
    graph = record.graph
    number = use.user
    if use.which is None:
        return (
            "the cost itself"
            if sum(cost.node == number for cost in graph.costs) == 1
            else "the costs themselves"
        )
    while (
        isinstance(getattr(graph.nodes[number].op, "structure", None), Selection)
        and len(users[number]) == 1
        and not _leaf_module(record, number)
    ):
        number = users[number][0][0]
    op, module = graph.nodes[number].op, record.modules[number]
    assert op is not None
    leaf = _leaf_module(record, number)
    name = _called(record, number) if leaf else f"{module} ({op.name})" if module else op.name
    cotangent = sweep.cotangent(number)
    if not module and cotangent is not None and len(cotangent.rows) == 1 < len(graph.costs):
        name = f"{op.name}, to {graph.cost_names[cotangent.rows[0]]}"
    return f"skip: {name}" if side == "skip" else name


def _called(record: Record, number: int) -> str:
    """Returns the name of a node's module and of the call in which it was made, as names of outputs have it."""
    module = record.modules[number]
    for made in record.made[number:]:
        for output in made.returned_by:
            if output.module == module:
                return output._replace(place=0).name
    return module


def _leaf_module(record: Record, number: int) -> bool:
    """Returns whether a node's module has no module inside, so that its path says enough."""
    module = record.modules[number]
    return bool(module) and not any(other.startswith(f"{module}.") for other in record.modules)


def _apart(names: Sequence[str]) -> tuple[str, ...]:
    """Returns names of which no two are the same: later ones are numbered."""
    made = []
    for place, name in enumerate(names):
        earlier = names[:place].count(name)
        made.append(f"{name} ({earlier + 1})" if earlier else name)
    return tuple(made)
