"""Which values are weights: parameters, and what is made of them alone."""

from whygrad.graph import Graph
from whygrad.model_record import Record
from whygrad.structures import Selection


def of_weights(record: Record) -> list[bool]:
    """Returns which nodes are made of parameters and single numbers alone: normalised weights, exp of a temperature.

    A number that doesn't hang on the batch is one, whatever it was made of: the norm of a spectrally normalised weight
    is made of vectors too.
    """
    graph = record.graph
    kinds = {leaf.node: leaf.kind for leaf in record.leaves.values()}
    made: list[bool] = []
    fixed: list[bool] = []  # whether the batch has no part in it
    for number, node in enumerate(graph.nodes):
        if node.op is None:
            fixed.append(kinds.get(number) != "input")
            made.append(fixed[number] and (number in kinds or graph.size(number) == 1))
        else:
            fixed.append(all(fixed[source] for source in node.inputs))
            alone = all(made[source] or (fixed[source] and graph.size(source) == 1) for source in node.inputs)
            picked = alone and isinstance(node.op.structure, Selection) and len(node.inputs) == 1
            made.append(alone and (not picked or is_view(graph, number)))
    return made


def is_view(graph: Graph, number: int) -> bool:
    """Returns whether a node shows entries of another in another shape or order, and isn't picked by data."""
    node = graph.nodes[number]
    structure = None if node.op is None else node.op.structure
    if not isinstance(structure, Selection) or len(node.inputs) != 1:
        return False
    return structure.window(graph.local(number)) is not None
