"""The structures of a local Jacobian: which entries of an operation's inputs each entry of its output depends on.

A structure knows three things once for all operations that have it: the partials as an array, how a cotangent is
pulled back through them under any semiring (:meth:`Structure.pull`), and the column of the Jacobian that belongs to
one entry of an input (:meth:`Structure.column`), which is what a path takes as its next step.

Shapes: a cotangent's components have the cost axis first, then the shape of the node's value.
"""

from collections.abc import Callable, Mapping
from functools import cache
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from whygrad.arrays import filled, in_numpy, style, wide
from whygrad.contraction import contract_sum
from whygrad.formula import Number, Tree, compiled, parse, substitute, symbols

if TYPE_CHECKING:
    from whygrad.semirings import Element, Semiring

Array: TypeAlias = Any
Settings: TypeAlias = Mapping[str, Any]


class Local(NamedTuple):
    """One application of an operation: the values of its inputs and its output, and its settings."""

    inputs: tuple[Array, ...]
    output: Array
    settings: Settings
    xp: Any


class Column(NamedTuple):
    """The entries of an output that one entry of an input acts on (flat positions), and the partials there."""

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


@cache
def _settled(text: str, settings: tuple[tuple[str, Any], ...]) -> Tree:
    numbers = {name: Number(value) for name, value in settings if isinstance(value, (int, float))}
    return substitute(parse(text), numbers)


def settled(text: str, settings: Settings) -> Tree:
    """Returns a declared formula with the settings of an application (a slope, a power) filled in."""
    return _settled(text, tuple(settings.items())) if settings else parse(text)


def constant(tree: Tree) -> float | None:
    """Returns the number that a formula is, or nothing where it depends on something."""
    return float(tree.value) if isinstance(tree, Number) else None


def _partials(made: Array, output: Array, shape: tuple[int, ...]) -> Array:
    """Returns a column's partials as a NumPy array of the output's type (float32 for what NumPy doesn't have)."""
    known = np.asarray(made, dtype=in_numpy(output[:0] if output.shape else output).dtype)
    return np.broadcast_to(known, shape)


def _unbroadcast(semiring: "Semiring", element: "Element", shape: tuple[int, ...], xp: Any) -> "Element":
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
    return tuple(None if part is None else xp.reshape(part, (part.shape[0], *shape)) for part in reduced)


class Elementwise(NamedTuple):
    """Each output entry depends on one entry of each input, with broadcasting: a diagonal Jacobian."""

    arguments: tuple[str, ...]
    of: str
    partials: Mapping[str, str]

    def value(self, inputs: tuple[Array, ...], settings: Settings, xp: Any) -> Array:
        """Returns the formula's value on the inputs."""
        made = compiled(settled(self.of, settings), self.arguments, style(xp))(*inputs)
        shape = np.broadcast_shapes(*(x.shape for x in inputs))
        # where(x > 0, 1, 0) is made of whole numbers, and 7 is no array
        made = xp.asarray(made, dtype=xp.result_type(*inputs), device=inputs[0].device)
        return made if made.shape == shape else xp.broadcast_to(made, shape)

    def formula(self, which: int, settings: Settings) -> Tree:
        """Returns the declared partial."""
        return settled(self.partials[self.arguments[which]], settings)

    def partial(self, local: Local, which: int) -> Array:
        """Returns the partial by an input at every entry of the output."""
        tree = self.formula(which, local.settings)
        known = dict(zip(self.arguments, local.inputs, strict=True)) | {"y": local.output}
        names = tuple(sorted(symbols(tree)))
        return compiled(tree, names, style(local.xp))(*(known[name] for name in names))

    def pull(
        self, semiring: "Semiring", cotangent: "Element", local: Local, which: int, marked: bool
    ) -> "Element":
        """Returns cotangent times partial, joined over broadcast axes."""
        xp = local.xp
        fixed = constant(self.formula(which, local.settings))
        # A partial of 1 leaves every element as it is (unless the step is to be counted).
        if not marked and (fixed == 1 or (semiring.unit and fixed != 0)):
            element = cotangent
        else:
            partial = self.partial(local, which) if fixed is None else fixed
            lifted = semiring.lift(wide(partial, local.output, xp), xp)
            element = semiring.times(cotangent, lifted, xp, marked)
        return _unbroadcast(semiring, element, local.inputs[which].shape, xp)

    def column(self, local: Local, which: int, position: int) -> Column:
        """Returns the one output entry, or all those that a broadcast entry stands for."""
        shape, full = tuple(local.inputs[which].shape), tuple(local.output.shape)
        entry = (0,) * (len(full) - len(shape)) + tuple(np.unravel_index(position, shape) if shape else ())
        sizes = (1,) * (len(full) - len(shape)) + shape
        spread = [
            np.arange(every) if own != every else np.array([index])
            for index, own, every in zip(entry, sizes, full, strict=True)
        ]
        grid = tuple(np.ravel(places) for places in np.meshgrid(*spread, indexing="ij"))
        places = np.ravel_multi_index(grid, full) if full else np.array([0])
        tree = self.formula(which, local.settings)
        known = dict(zip(self.arguments, local.inputs, strict=True)) | {"y": local.output}
        names = tuple(sorted(symbols(tree)))
        values = (in_numpy(local.xp.broadcast_to(known[name], full)[grid]) for name in names)
        return Column(places, _partials(compiled(tree, names)(*values), local.output, places.shape))


class Contraction(NamedTuple):
    """A product of two inputs summed over the labels that the output lacks; the partial is the other input."""

    arguments: tuple[str, ...]
    labels: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]

    def _fitted(self, ranks: tuple[int, ...]) -> tuple[tuple[str, ...], ...]:
        """Returns the labels with ``...`` spelled out for the ranks of the inputs."""
        spare = max(
            (
                rank - len(labels) + 1
                for rank, labels in zip(ranks, self.labels, strict=False)
                if "..." in labels
            ),
            default=0,
        )
        dots = tuple(f".{place}" for place in range(spare))
        return tuple(dots + labels[1:] if labels and labels[0] == "..." else labels for labels in self.labels)

    def value(self, inputs: tuple[Array, ...], settings: Settings, xp: Any) -> Array:
        """Returns the contraction of the two inputs."""
        first, second, out = self._fitted(tuple(len(x.shape) for x in inputs))
        return contract_sum(inputs[0], inputs[1], (first, second, out), xp)

    def formula(self, which: int, settings: Settings) -> Tree:
        """Returns the name of the other input."""
        return parse(self.arguments[1 - which])

    def pull(
        self, semiring: "Semiring", cotangent: "Element", local: Local, which: int, marked: bool
    ) -> "Element":
        """Returns the contraction of the cotangent with the other input."""
        fitted = self._fitted(tuple(len(x.shape) for x in local.inputs))
        rows = ("row",)
        labels = (rows + fitted[2], fitted[1 - which], rows + fitted[which])
        return semiring.contract(
            cotangent, semiring.lift(local.inputs[1 - which], local.xp), labels, local.xp, marked
        )

    def column(self, local: Local, which: int, position: int) -> Column:
        """Returns the output entries that share the entry's labels, with the other input's entries."""
        fitted = self._fitted(tuple(len(x.shape) for x in local.inputs))
        mine, other, out = fitted[which], fitted[1 - which], fitted[2]
        shape_of_input = tuple(local.inputs[which].shape)
        fixed = dict(zip(mine, np.unravel_index(position, shape_of_input), strict=True))
        free = [label for label in out if label not in fixed]
        sizes = dict(zip(out, local.output.shape, strict=True))
        grid = np.meshgrid(*(np.arange(sizes[label]) for label in free), indexing="ij")
        at = fixed | dict(zip(free, grid, strict=True))
        shape = tuple(sizes[label] for label in free)
        places = np.ravel_multi_index(
            tuple(np.broadcast_to(at[label], shape) for label in out), tuple(local.output.shape)
        )
        taken = in_numpy(local.inputs[1 - which][tuple(at[label] for label in other)])
        return Column(np.ravel(places), np.ravel(np.broadcast_to(taken, shape)))


class Reduction(NamedTuple):
    """A sum over axes of a function of each entry: the output entry depends on all entries along the axes.

    The setting ``axis`` says which (all, where there is none).
    """

    argument: str
    of: str
    partials: Mapping[str, str]

    @staticmethod
    def _axes(x: Array, settings: Settings) -> tuple[int, ...]:
        axis = settings.get("axis")
        if axis is None:
            return tuple(range(len(x.shape)))
        return tuple(a % len(x.shape) for a in (axis if isinstance(axis, tuple) else (axis,)))

    def _numbers(self, x: Array, settings: Settings) -> dict[str, Any]:
        count = prod(x.shape[axis] for axis in self._axes(x, settings))
        return {name: value for name, value in settings.items() if name != "axis"} | {"n": count}

    def value(self, inputs: tuple[Array, ...], settings: Settings, xp: Any) -> Array:
        """Returns the sum of the formula's values over the axes."""
        (x,) = inputs
        tree = settled(self.of, self._numbers(x, settings))
        terms = compiled(tree, (self.argument,), style(xp))(x)
        return xp.sum(terms, axis=self._axes(x, settings))

    def formula(self, which: int, settings: Settings) -> Tree:
        """Returns the declared partial; ``n`` is the number of entries that are summed."""
        return settled(self.partials[self.argument], {k: v for k, v in settings.items() if k != "axis"})

    def _partial(self, local: Local) -> Array:
        (x,) = local.inputs
        tree = settled(self.partials[self.argument], self._numbers(x, local.settings))
        return wide(compiled(tree, (self.argument,), style(local.xp))(x), x, local.xp)

    def pull(
        self, semiring: "Semiring", cotangent: "Element", local: Local, which: int, marked: bool
    ) -> "Element":
        """Returns the output's cotangent at every entry that was summed, times the partial."""
        xp, (x,) = local.xp, local.inputs
        axes = self._axes(x, local.settings)
        kept = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
        spread = tuple(
            None
            if part is None
            else xp.broadcast_to(xp.reshape(part, (part.shape[0], *kept)), (part.shape[0], *x.shape))
            for part in cotangent
        )
        tree = settled(self.partials[self.argument], self._numbers(x, local.settings))
        if not marked and (constant(tree) == 1 or semiring.unit):
            return spread
        return semiring.times(spread, semiring.lift(self._partial(local), xp), xp, marked)

    def column(self, local: Local, which: int, position: int) -> Column:
        """Returns the one output entry that the entry is summed into."""
        (x,) = local.inputs
        shape = tuple(x.shape)
        entry = np.unravel_index(position, shape) if shape else ()
        axes = self._axes(x, local.settings)
        left = tuple(index for axis, index in enumerate(entry) if axis not in axes)
        place = np.ravel_multi_index(left, tuple(local.output.shape)) if left else 0
        return Column(np.array([place]), in_numpy(self._partial(local)[entry]).reshape(1))


class DenseAlongAxis(NamedTuple):
    """Each output entry depends on all entries along one axis (softmax): one partial for each pair of entries.

    The partial is a formula in ``x_i``, ``y_i`` (the output's entry), ``x_j``, ``y_j`` (the input's entry) and
    ``delta`` (1 where i = j, else 0). The setting ``axis`` says along which axis, the last where there is none.
    """

    argument: str
    of: str
    partials: Mapping[str, str]

    def value(self, inputs: tuple[Array, ...], settings: Settings, xp: Any) -> Array:
        """Returns the formula's value, with ``axis_sum`` and ``axis_max`` along the axis."""
        axis = settings.get("axis", -1)
        made = compiled(settled(self.of, settings), (self.argument,), style(xp))
        return xp.moveaxis(made(xp.moveaxis(inputs[0], axis, -1)), -1, axis)

    def formula(self, which: int, settings: Settings) -> Tree:
        """Returns the declared partial of output i by input j."""
        return settled(self.partials[self.argument], settings)

    def _jacobian(self, local: Local) -> Array:
        """Returns the partials (…, i, j) with the axis moved to the end."""
        axis = local.settings.get("axis", -1)
        xp = local.xp
        x, y = (xp.moveaxis(array, axis, -1) for array in (local.inputs[0], local.output))
        made = self._partials(
            x[..., :, None],
            y[..., :, None],
            x[..., None, :],
            y[..., None, :],
            xp.eye(x.shape[-1], dtype=x.dtype, device=x.device),
            local.settings,
            xp,
        )
        return xp.broadcast_to(made, (*x.shape, x.shape[-1]))

    def _partials(
        self, x_i: Array, y_i: Array, x_j: Array, y_j: Array, delta: Array, settings: Settings, xp: Any
    ) -> Array:
        tree = self.formula(0, settings)
        known = {f"{self.argument}_i": x_i, f"{self.argument}_j": x_j, "y_i": y_i, "y_j": y_j, "delta": delta}
        names = tuple(sorted(symbols(tree)))
        return compiled(tree, names, style(xp))(*(known[name] for name in names))

    def pull(
        self, semiring: "Semiring", cotangent: "Element", local: Local, which: int, marked: bool
    ) -> "Element":
        """Returns the contraction of the cotangent with the matrix of partials along the axis."""
        xp = local.xp
        axis = local.settings.get("axis", -1) % len(local.output.shape)
        moved = tuple(None if part is None else xp.moveaxis(part, axis + 1, -1) for part in cotangent)
        others = tuple(f".{place}" for place in range(len(local.output.shape) - 1))
        labels = (("row", *others, "i"), (*others, "i", "j"), ("row", *others, "j"))
        made = semiring.contract(moved, semiring.lift(self._jacobian(local), xp), labels, xp, marked)
        return tuple(None if part is None else xp.moveaxis(part, -1, axis + 1) for part in made)

    def column(self, local: Local, which: int, position: int) -> Column:
        """Returns all output entries along the axis, with the column of the matrix of partials."""
        shape = tuple(local.output.shape)
        axis = local.settings.get("axis", -1) % len(shape)
        entry: list[Any] = list(np.unravel_index(position, shape))
        j, entry[axis] = entry[axis], slice(None)
        x, y = (in_numpy(array[tuple(entry)]) for array in (local.inputs[0], local.output))
        entry[axis] = np.arange(shape[axis])
        places = np.ravel_multi_index(np.broadcast_arrays(*entry), shape)
        delta = (np.arange(len(x)) == j).astype(x.dtype)
        made = self._partials(x, y, x[j], y[j], delta, local.settings, np)
        return Column(places, np.broadcast_to(made, places.shape))


class Selection(NamedTuple):
    """Each output entry is one entry of an input (reshape, transpose, index, gather): zeros and ones.

    ``select`` makes the output from an array; applied to an array of positions it says where each entry came from.
    """

    arguments: tuple[str, ...]
    select: Callable[..., Array]

    def value(self, inputs: tuple[Array, ...], settings: Settings, xp: Any) -> Array:
        """Returns the selected entries."""
        return self.select(*inputs, **settings)

    def formula(self, which: int, settings: Settings) -> Tree:
        """Returns 1: an entry that is selected is passed on as it is."""
        return Number(1)

    def _sources(self, local: Local, which: int) -> Array:
        """Returns, for each output entry, its flat position in the input, or -1 where it is from another."""
        xp, places = local.xp, []
        for number, x in enumerate(local.inputs):
            place = xp.zeros(x.shape, dtype=xp.int64, device=x.device)
            if number == which:
                place = xp.reshape(xp.arange(1, prod(x.shape) + 1, dtype=xp.int64, device=x.device), x.shape)
            places.append(place)
        return xp.reshape(self.select(*places, **local.settings), (-1,)) - 1

    def pull(
        self, semiring: "Semiring", cotangent: "Element", local: Local, which: int, marked: bool
    ) -> "Element":
        """Returns the cotangents carried back to where the entries came from, joined where one was used twice."""
        xp = local.xp
        sources = self._sources(local, which)
        (mine,) = xp.nonzero(sources >= 0)
        shape = local.inputs[which].shape
        flat = tuple(
            None if part is None else xp.reshape(part, (part.shape[0], -1))[:, mine] for part in cotangent
        )
        made = semiring.scatter(flat, sources[mine], prod(shape), xp)
        shaped = tuple(None if part is None else xp.reshape(part, (part.shape[0], *shape)) for part in made)
        if not marked:
            return shaped
        one = semiring.lift(xp.broadcast_to(filled((), 1.0, local.output, xp), shape), xp)
        return semiring.times(shaped, one, xp, marked)

    def column(self, local: Local, which: int, position: int) -> Column:
        """Returns every output entry that is this entry."""
        places = np.flatnonzero(in_numpy(self._sources(local, which)) == position)
        return Column(places, _partials(1, local.output, places.shape))
