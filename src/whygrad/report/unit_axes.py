"""Which entries of an array belong to one unit: the axis of the channels or features that weights made."""

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

from whygrad.graph import Graph
from whygrad.structures import Affine, Contraction, Convolution, Reduction, Selection
from whygrad.structures.groups import axes_of


class Along(NamedTuple):
    """An axis by an array's order alone, so that another shape of the same entries changes nothing.

    Args:
        units: How many units there are.
        step: How many entries lie from one unit's to the next one's.
    """

    units: int
    step: int


def along(graph: Graph, number: int, weights: Sequence[bool]) -> Along | None:
    """Returns the axis of a node's units: the channels of the convolution behind it, the features of a product.

    What lies between (normalisations, pooling, residual adds, other shapes and orders) is followed back to the nearest
    product, of several inputs by the largest. A product without weights (queries with keys) makes no units.

    Args:
        graph: What was computed.
        number: The node.
        weights: Which nodes are made of weights alone.
    """
    passed: list[tuple[int, int]] = []
    while not _makes_units(graph, number):
        sources = graph.nodes[number].inputs
        if not sources:
            break
        source = max(sources, key=lambda n: (graph.size(n), graph.nodes[n].op is not None))
        passed.append((source, number))
        number = source
    shape, node = _shape(graph, number), graph.nodes[number]
    if node.op is not None and not any(weights[source] for source in node.inputs):
        return None
    made = _at(shape, 1 if node.op is not None and "conv" in node.op.name else len(shape) - 1)
    for source, number in reversed(passed):
        made = _through(graph, source, number, made)
    return made


def _makes_units(graph: Graph, number: int) -> bool:
    op = graph.nodes[number].op
    return op is not None and isinstance(op.structure, Affine | Contraction | Convolution)


def _shape(graph: Graph, number: int) -> tuple[int, ...]:
    return tuple(graph.nodes[number].value.shape)


def _at(shape: tuple[int, ...], axis: int) -> Along:
    return Along(shape[axis], prod(shape[axis + 1 :])) if shape else Along(1, 1)


def _through(graph: Graph, source: int, number: int, made: Along) -> Along:
    """Returns where units lie in a node, given where they lie in its source: along the last axis if that is lost."""
    before, after, node = _shape(graph, source), _shape(graph, number), graph.nodes[number]
    last = _at(after, len(after) - 1)
    assert node.op is not None
    if isinstance(node.op.structure, Selection) and len(node.inputs) == 1:
        window = node.op.structure.window(graph.local(number))
        if window is not None and window.whole(prod(before)):
            return made
        if window is not None:
            there = [
                axis for axis, stride in enumerate(window.strides) if stride == made.step and after[axis] > 1
            ]
            return _at(after, there[0]) if there else last
    if before == after:
        return made
    axes = [axis for axis in range(len(before)) if _at(before, axis) == made]
    if not axes:
        return last
    axis = axes[0]
    if isinstance(node.op.structure, Reduction):
        gone = axes_of(node.settings, len(before), None)
        return last if axis in gone else _at(after, axis - sum(other < axis for other in gone))
    # of arrays that are broadcast the last axes are one another's
    axis += max(0, len(after) - len(before))
    return _at(after, axis) if axis < len(after) else last
