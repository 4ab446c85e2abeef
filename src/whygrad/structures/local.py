"""What every structure offers, and what all of them share."""

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from whygrad.arrays import Array, filled, in_numpy
from whygrad.formula import Number, Tree, parse, substitute

if TYPE_CHECKING:
    from whygrad.semirings import Element, Semiring

Settings: TypeAlias = Mapping[str, Any]


class Local(NamedTuple):
    """One application of an operation: the values of its inputs and its output, and its settings.

    Whoever pulls back through it several times under one semiring has ``kept``: the lifted partials, by which input.
    """

    inputs: tuple[Array, ...]
    output: Array
    settings: Settings
    xp: Any
    kept: "dict[int, Element] | None" = None


class Column(NamedTuple):
    """The entries of an output that one entry of an input acts on (flat positions), and the partials there.

    Both are NumPy arrays, whatever the operation was applied to.
    """

    positions: Array
    partials: Array


class Structure(Protocol):
    """What every structure offers; ``which`` numbers the inputs from 0."""

    def value(self, inputs: tuple[Array, ...], settings: Settings, xp: Any) -> Array:
        """Returns the output."""

    def pull(
        self, semiring: "Semiring", cotangent: "Element", local: Local, which: int, marked: bool
    ) -> "Element":
        """Returns the cotangent of an input from the output's."""

    def column(self, local: Local, which: int, position: int) -> Column:
        """Returns which outputs an input's entry acts on, and how strongly."""

    def formula(self, which: int, settings: Settings) -> Tree:
        """Returns the partial by an input as a formula."""


@lru_cache(maxsize=None, typed=True)  # numbers that are equal, 1 and 1.0, are not folded alike
def _settled(text: str, names: tuple[str, ...], *values: float) -> Tree:
    return substitute(parse(text), {name: Number(value) for name, value in zip(names, values, strict=True)})


def settled(text: str, settings: Settings) -> Tree:
    """Returns a declared formula with the settings of an application (a slope, a power) filled in."""
    numbers = {name: value for name, value in settings.items() if isinstance(value, (int, float))}
    return _settled(text, tuple(numbers), *numbers.values()) if numbers else parse(text)


def constant(tree: Tree) -> float | None:
    """Returns the number that a formula is, or nothing where it depends on something."""
    return float(tree.value) if isinstance(tree, Number) else None


def partials_like(made: Array, output: Array, shape: tuple[int, ...]) -> Array:
    """Returns a column's partials as a NumPy array of the output's type (float32 for what NumPy doesn't have)."""
    known = np.asarray(made, dtype=in_numpy(output[:0] if output.shape else output).dtype)
    return np.broadcast_to(known, shape)


def each(element: "Element", change: Any) -> "Element":
    """Returns an element with each of its components changed; what isn't there stays so."""
    return tuple(None if part is None else change(part) for part in element)


def counted(semiring: "Semiring", element: "Element", output: Array, xp: Any) -> "Element":
    """Returns a cotangent after a marked step whose partials are 1."""
    return semiring.times(element, semiring.lift(filled((), 1.0, output, xp), xp), xp, True)


def unbroadcast(semiring: "Semiring", element: "Element", shape: tuple[int, ...], xp: Any) -> "Element":
    """Returns a cotangent joined over the axes along which an input of that shape was broadcast."""
    known = next(part for part in element if part is not None)
    extra = len(known.shape) - 1 - len(shape)
    axes = tuple(range(1, 1 + extra)) + tuple(
        1 + extra + axis
        for axis, size in enumerate(shape)
        if size == 1 and known.shape[1 + extra + axis] != 1
    )
    if not axes:
        return element
    reduced = semiring.reduce(element, axes, xp)
    return each(reduced, lambda part: xp.reshape(part, (part.shape[0], *shape)))
