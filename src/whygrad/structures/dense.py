"""Operations in which all entries along an axis depend on each other: softmax, normalisation."""

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from whygrad.arrays import filled, in_numpy, style, wide
from whygrad.formula import Tree, compiled, symbols
from whygrad.structures.groups import axes_of, group_at, grouped, ungrouped
from whygrad.structures.local import Array, Column, Local, Settings, counted, each, partials_like, settled
from whygrad.structures.separation import Separated, separated

if TYPE_CHECKING:
    from whygrad.semirings import Element, Semiring

# What a block of partials of pairs of entries may take: more of them leave the second-level cache.
BLOCK_BYTES = 1024 * 1024


class DenseAlongAxis(NamedTuple):
    """Each output entry depends on all entries along one axis (softmax): one partial for each pair of entries.

    The partial is a formula in ``x_i``, ``y_i`` (the output's entry), ``x_j``, ``y_j`` (the input's entry),
    ``delta`` (1 where i = j, else 0), ``n`` (how many entries the axis has) and ``quantities`` that all entries
    along the axis share, each with its formula. The setting ``axis`` says along which axis, the last where there is
    none; several axes are one.
    """

    argument: str
    of: str
    partials: Mapping[str, str]
    quantities: Mapping[str, str] = {}

    def value(self, inputs: tuple[Array, ...], settings: Settings, xp: Any) -> Array:
        """Returns the formula's value, with ``axis_sum`` and ``axis_max`` along the axis."""
        (x,) = inputs
        axes = axes_of(settings, len(x.shape), -1)
        moved = grouped(x, axes, xp)
        tree = settled(self.of, dict(settings) | {"n": moved.shape[-1]})
        return ungrouped(compiled(tree, (self.argument,), style(xp))(moved), axes, tuple(x.shape), xp)

    def formula(self, which: int, settings: Settings) -> Tree:
        """Returns the declared partial of output i by input j."""
        return settled(self.partials[self.argument], settings)

    def _known(self, x: Array, y: Array, settings: Settings, xp: Any) -> dict[str, Array]:
        """Returns what the formula may refer to, but for delta; entries along the last axis."""
        numbers = dict(settings) | {"n": x.shape[-1]}
        shared = {
            name: compiled(settled(of, numbers), (self.argument,), style(xp))(x)
            for name, of in self.quantities.items()
        }
        return {f"{self.argument}_i": x, f"{self.argument}_j": x, "y_i": y, "y_j": y} | shared

    def pull(
        self, semiring: "Semiring", cotangent: "Element", local: Local, which: int, marked: bool
    ) -> "Element":
        """Returns the contraction of the cotangent with the matrix of partials along the axis.

        The matrix is not made where the partial is one product beside delta, or where the semiring is linear.
        """
        xp, (x,) = local.xp, local.inputs
        axes = axes_of(local.settings, len(x.shape), -1)
        rows = tuple(axis + 1 for axis in axes)
        if semiring.unit:
            # every pair is an edge, whatever its partial
            joined = semiring.reduce(cotangent, rows, xp)
            return each(joined, lambda part: xp.broadcast_to(part, (part.shape[0], *x.shape)))
        moved = each(cotangent, lambda part: grouped(part, rows, xp))
        values, output = (grouped(array, axes, xp) for array in (x, local.output))
        known = self._known(values, output, local.settings, xp)
        tree = settled(self.partials[self.argument], dict(local.settings) | {"n": values.shape[-1]})
        parts = separated(tree)
        if parts is not None and semiring.linear:
            made = _linear(moved, parts, known, xp)
            made = counted(semiring, made, local.output, xp) if marked else made
        elif parts is not None and len(parts.products) == 1:
            made = _one_product(semiring, moved, parts, known, output, xp, marked)
        else:
            made = _in_blocks(semiring, moved, tree, known, output, xp, marked)
        return each(made, lambda part: ungrouped(part, rows, (part.shape[0], *x.shape), xp))

    def column(self, local: Local, which: int, position: int) -> Column:
        """Returns all output entries along the axis, with the column of the matrix of partials."""
        shape = tuple(local.output.shape)
        index, j, positions = group_at(position, axes_of(local.settings, len(shape), -1), shape)
        x, y = (np.ravel(in_numpy(array[index])) for array in (local.inputs[0], local.output))
        known = self._known(x, y, local.settings, np)
        known |= {name: known[name][j] for name in known if name.endswith("_j")}
        known["delta"] = (np.arange(len(x)) == j).astype(x.dtype)
        tree = settled(self.partials[self.argument], dict(local.settings) | {"n": len(x)})
        return Column(positions, partials_like(_evaluated(tree, known, np), local.output, positions.shape))


def _evaluated(tree: Tree, known: Mapping[str, Array], xp: Any) -> Array:
    names = tuple(sorted(symbols(tree)))
    return compiled(tree, names, style(xp))(*(known[name] for name in names))


def _linear(moved: "Element", parts: Separated, known: Mapping[str, Array], xp: Any) -> "Element":
    diagonal = None if parts.diagonal is None else _evaluated(parts.diagonal, known, xp)
    pairs = [(_evaluated(f, known, xp), _evaluated(g, known, xp)) for f, g in parts.products]

    def pulled(part: Array) -> Array:
        made = xp.zeros_like(part) if diagonal is None else part * diagonal
        for f, g in pairs:
            made = made + xp.sum(part * f, axis=-1, keepdims=True) * g
        return made

    return each(moved, pulled)


def _one_product(
    semiring: "Semiring",
    moved: "Element",
    parts: Separated,
    known: Mapping[str, Array],
    output: Array,
    xp: Any,
    marked: bool,
) -> "Element":
    """Returns an input's cotangent from its own output and from all others: these are joined before g(j)."""
    ((left, right),) = parts.products
    f, g = (wide(_evaluated(tree, known, xp), output, xp) for tree in (left, right))
    diagonal = f * g if parts.diagonal is None else f * g + _evaluated(parts.diagonal, known, xp)
    own = semiring.times(moved, semiring.lift(diagonal, xp), xp, marked)
    others = semiring.others(semiring.times(moved, semiring.lift(f, xp), xp), xp)
    return semiring.plus(own, semiring.times(others, semiring.lift(g, xp), xp, marked), xp)


def _in_blocks(
    semiring: "Semiring",
    moved: "Element",
    tree: Tree,
    known: Mapping[str, Array],
    output: Array,
    xp: Any,
    marked: bool,
) -> "Element":
    """Returns the contraction with the matrices of partials, of which only some columns are there at a time."""
    n, groups = output.shape[-1], prod(output.shape[:-1])
    width = max(1, min(n, BLOCK_BYTES // max(1, n * output.itemsize)))
    height = max(1, BLOCK_BYTES // max(1, n * width * output.itemsize))
    flat = each(moved, lambda part: xp.reshape(part, (part.shape[0], groups, n)))
    spread = {
        name: xp.reshape(xp.broadcast_to(array, (*output.shape[:-1], array.shape[-1])), (groups, -1))
        for name, array in known.items()
    }
    labels = (("row", "g", "i"), ("g", "i", "j"), ("row", "g", "j"))
    every = xp.arange(n, device=output.device)

    def block(top: int, first: int) -> "Element":
        rows, columns = slice(top, top + height), slice(first, first + width)
        at = {
            name: array[rows, None, columns] if name.endswith("_j") else array[rows, :, None]
            for name, array in spread.items()
        }
        at["delta"] = xp.asarray(every[:, None] == every[columns], dtype=output.dtype, device=output.device)
        like = filled((), 0.0, output, xp)
        shape = (min(height, groups - top), n, min(width, n - first))
        partials = wide(_evaluated(tree, at, xp), xp.broadcast_to(like, shape), xp)
        part = each(flat, lambda part: part[:, rows])
        return semiring.contract(part, semiring.lift(partials, xp), labels, xp, marked)

    stacked = [
        _concatenated([block(top, first) for first in range(0, n, width)], -1, xp)
        for top in range(0, groups, height)
    ]
    made = _concatenated(stacked, 1, xp)
    return each(made, lambda part: xp.reshape(part, (part.shape[0], *output.shape)))


def _concatenated(elements: list["Element"], axis: int, xp: Any) -> "Element":
    if len(elements) == 1:
        return elements[0]
    components = zip(*elements, strict=True)
    return tuple(None if parts[0] is None else xp.concat(parts, axis=axis) for parts in components)
