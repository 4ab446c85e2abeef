"""The canonical form of a quantity, and what a notation must know of a network to name it."""

from collections.abc import Iterator
from typing import NamedTuple

KINDS = ("w", "b", "z", "a", "delta", "y", "C", "total", "R")


class Quantity(NamedTuple):
    """One scalar of a layered network, in canonical form: layers from 0 (the input) to L, neurons from 0."""

    kind: str
    """w, b, z, a, y, C, delta (the derivative of the total by z), total, or R (the l2 cost)."""
    layer: int | None = None
    """The layer of b, z, a, delta; for w the one that it enters. The input is a in layer 0. Else None."""
    to: int | None = None
    """The neuron; for w the one that it goes to; for y and C the output's number; None for total and R."""
    source: int | None = None
    """For w the neuron that it comes from."""


class Layout(NamedTuple):
    """What a notation must know of a network to name its quantities."""

    sizes: tuple[int, ...]
    activations: tuple[str, ...] = ()
    """One for each layer 1 to L. PyTorch counts those that are not the identity; empty: none is."""
    bias: bool = True
    l2: bool = False

    @property
    def depth(self) -> int:
        """The number L of the output layer."""
        return len(self.sizes) - 1

    def module(self, layer: int) -> int:
        """Returns the place of a layer's `Linear` in a `Sequential` that has the activation functions too."""
        if not self.activations:
            return 2 * (layer - 1)
        return layer - 1 + sum(name != "identity" for name in self.activations[: layer - 1])


def quantities(layout: Layout) -> Iterator[Quantity]:
    """Yields every quantity that a network has, from the input to the total.

    Example:
        >>> [q.kind for q in quantities(Layout((1, 1)))]
        ['a', 'w', 'b', 'z', 'a', 'delta', 'y', 'C', 'total']
    """
    for neuron in range(layout.sizes[0]):
        yield Quantity("a", 0, neuron)
    for layer in range(1, layout.depth + 1):
        for to in range(layout.sizes[layer]):
            for source in range(layout.sizes[layer - 1]):
                yield Quantity("w", layer, to, source)
            for kind in ("b", "z", "a", "delta") if layout.bias else ("z", "a", "delta"):
                yield Quantity(kind, layer, to)
    for kind in "yC":
        for output in range(layout.sizes[-1]):
            yield Quantity(kind, None, output)
    yield Quantity("total")
    if layout.l2:
        yield Quantity("R")


def exists(q: Quantity, layout: Layout) -> bool:
    """Returns whether a network has a quantity."""
    if q.kind == "total":
        return True
    if q.kind == "R":
        return layout.l2
    if q.kind in ("y", "C"):
        return q.to is not None and 0 <= q.to < layout.sizes[-1]
    if q.layer is None or q.to is None or not (q.kind != "a") <= q.layer <= layout.depth:
        return False
    if q.kind == "b" and not layout.bias:
        return False
    if q.kind == "w" and not (q.source is not None and 0 <= q.source < layout.sizes[q.layer - 1]):
        return False
    return 0 <= q.to < layout.sizes[q.layer]
