"""Operations in which all entries along an axis depend on each other: softmax, normalisation."""

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from whygrad.arrays import Array, filled, in_numpy, style, wide
from whygrad.formula import Tree, compiled, symbols
from whygrad.semirings import OrderSemiring, SumSemiring
from whygrad.structures.groups import axes_of, group_at, grouped, ungrouped
from whygrad.structures.lines import Lines
from whygrad.structures.local import Column, Local, Settings, counted, each, partials_like, settled
from whygrad.structures.separation import Separated, separated

if TYPE_CHECKING:
    from whygrad.semirings import Element, Semiring

# What a block of partials of pairs of entries may take: more of them leave the second-level cache.
BLOCK_BYTES = 1024 * 1024
# Groups of so many entries are sorted sooner than their pairs are gone through.
SORTED_FROM = 96
# And from so many on the strongest is looked for among lines.
ENVELOPE_FROM = 512
# And from so many on logarithms of partials are added up by clusters.
CLUSTERED_FROM = 400


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
        if not prod(x.shape):
            return cotangent
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
        else:
            pairs = _Pairs(tree, known, output, xp)
            made = _joined(semiring, moved, pairs, None if parts is None else pairs.factors(parts), marked)
        return each(made, lambda part: ungrouped(part, rows, (part.shape[0], *x.shape), xp))

    def pairs(self, shape: tuple[int, ...], settings: Settings) -> int:
        """Returns how many partials are gone through one by one for the strongest paths."""
        axes = axes_of(settings, len(shape), -1)
        many = prod(shape[axis] for axis in axes)
        parts = separated(settled(self.partials[self.argument], dict(settings) | {"n": many}))
        products = 3 if parts is None else len(parts.products)
        return 0 if products == 1 or (products == 2 and many >= ENVELOPE_FROM) else prod(shape) * many

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
            made += xp.sum(part * f, axis=-1, keepdims=True) * g
        return made

    return each(moved, pulled)


class _Factors(NamedTuple):
    """The partials as diagonal(j), where i = j, + left[0][i] right[0][j] + left[1][i] right[1][j] + …

    ``left`` is (groups, n, products), ``right`` (groups, products, n) and the diagonal, if there is one, (groups, n).
    """

    diagonal: Array | None
    left: Array
    right: Array

    def block(self, rows: slice, columns: slice, xp: Any) -> Array:
        """Returns the partials (rows of groups, n, columns) of some groups and some entries j."""
        right = self.right[rows][..., columns]
        made = self.left[rows] @ right
        if self.diagonal is not None:
            many = right.shape[-1]
            flat = xp.reshape(made, (made.shape[0], -1))  # a view: the product is new
            flat[:, columns.start * many :: many + 1][:, :many] += self.diagonal[rows][:, columns]
        return made


class _Pairs(NamedTuple):
    """The formula, and what it is about: arrays (…, n), or (…, 1) for what all entries of a group share."""

    tree: Tree
    known: Mapping[str, Array]
    output: Array
    xp: Any

    @property
    def own(self) -> Array:
        """The partials of each output entry by the same entry of the input."""
        at = {**self.known, "delta": filled((), 1.0, self.output, self.xp)}
        return wide(_evaluated(self.tree, at, self.xp), self.output, self.xp)

    def between(self, group: Array, i: Array, j: Array) -> Array:
        """Returns the partials of some pairs of two entries, by their groups' numbers and their places there."""
        n = self.output.shape[-1]

        def taken(name: str, array: Array) -> Array:
            every = self.xp.broadcast_to(array, self.output.shape)
            return self.xp.reshape(every, (-1, n))[group, j if name.endswith("_j") else i]

        at = {name: taken(name, array) for name, array in self.known.items()}
        return _evaluated(self.tree, at | {"delta": filled((), 0.0, self.output, self.xp)}, self.xp)

    def factors(self, parts: Separated) -> _Factors:
        """Returns the same partials as a sum of products."""
        xp, n = self.xp, self.output.shape[-1]

        def array(tree: Tree) -> Array:
            return xp.reshape(wide(_evaluated(tree, self.known, xp), self.output, xp), (-1, n))

        left, right = zip(*parts.products, strict=True)
        return _Factors(
            None if parts.diagonal is None else array(parts.diagonal),
            xp.stack([array(f) for f in left], axis=-1),
            xp.stack([array(g) for g in right], axis=-2),
        )

    def block(self, rows: slice, columns: slice, xp: Any) -> Array:
        """Returns the partials (rows of groups, n, columns) of some groups and some entries j."""
        n = self.output.shape[-1]

        def flat(array: Array) -> Array:
            every = xp.broadcast_to(array, (*self.output.shape[:-1], array.shape[-1]))
            return xp.reshape(every, (-1, array.shape[-1]))[rows]

        at = {
            name: flat(array)[:, None, columns] if name.endswith("_j") else flat(array)[:, :, None]
            for name, array in self.known.items()
        }
        every = xp.arange(n, device=self.output.device)
        at["delta"] = xp.asarray(
            every[:, None] == every[columns], dtype=self.output.dtype, device=self.output.device
        )
        groups = flat(self.output).shape[0]
        like = xp.broadcast_to(filled((), 0.0, self.output, xp), (groups, n, len(every[columns])))
        return wide(_evaluated(self.tree, at, xp), like, xp)


def _joined(
    semiring: "Semiring", moved: "Element", pairs: _Pairs, factors: _Factors | None, marked: bool
) -> "Element":
    """Returns an input's cotangent from its own output and from all others, joined without pairs if possible."""
    xp = pairs.xp
    others = None if factors is None else _from_others(semiring, moved, pairs, factors, marked)
    if others is not None:
        return semiring.plus(semiring.times(moved, semiring.lift(pairs.own, xp), xp, marked), others, xp)
    # Whether a partial is exactly 0 is for the formula to say.
    return _in_blocks(semiring, moved, pairs if semiring.exact or factors is None else factors, xp, marked)


def _from_others(
    semiring: "Semiring", moved: "Element", pairs: _Pairs, factors: _Factors, marked: bool
) -> "Element | None":
    xp, shape = pairs.xp, pairs.output.shape
    if factors.left.shape[-1] == 1:
        f, g = (xp.reshape(array, shape) for array in (factors.left, factors.right))
        others = semiring.others(semiring.times(moved, semiring.lift(f, xp), xp), xp)
        return semiring.times(others, semiring.lift(g, xp), xp, marked)
    many = shape[-1]
    strongest = isinstance(semiring, OrderSemiring) and len(moved) == 1 and many >= ENVELOPE_FROM
    clustered = semiring.logarithmic and many >= CLUSTERED_FROM
    if factors.left.shape[-1] != 2 or not (
        semiring.live or strongest or clustered or (semiring.absolute and many >= SORTED_FROM)
    ):
        return None
    lines = Lines.of(factors.left, factors.right, xp)
    if lines is None:
        return None
    if clustered:
        return lines.logarithms_of_others(semiring, moved, xp)
    (part,) = moved
    assert part is not None
    if semiring.absolute:
        return (lines.sizes_of_others(part, xp),)
    if strongest:
        found = lines.strongest_of_others(part, xp)
        return None if found is None else (found,)
    zeros = lines.zeros(part, pairs.between, float(xp.finfo(pairs.output.dtype).eps), xp)
    (every,) = semiring.others((part,), xp)
    return None if zeros is None else semiring.plus((every,), (-zeros,), xp)


def _in_blocks(
    semiring: "Semiring", moved: "Element", partials: _Factors | _Pairs, xp: Any, marked: bool
) -> "Element":
    """Returns the contraction with the matrices of partials, of which only some columns are there at a time."""
    known = next(part for part in moved if part is not None)
    shape = tuple(known.shape[1:])
    n, groups = shape[-1], prod(shape[:-1])
    width = max(1, min(n, BLOCK_BYTES // max(1, n * known.itemsize)))
    height = max(1, BLOCK_BYTES // max(1, n * width * known.itemsize))
    # by groups, so that a block's product is one call
    flat = each(moved, lambda part: xp.permute_dims(xp.reshape(part, (part.shape[0], groups, n)), (1, 0, 2)))
    labels = (("g", "row", "i"), ("g", "i", "j"), ("g", "row", "j"))

    def block(top: int, first: int) -> "Element":
        rows = slice(top, top + height)
        lifted = semiring.lift(partials.block(rows, slice(first, first + width), xp), xp)
        part = each(flat, lambda part: part[rows])
        if isinstance(semiring, SumSemiring):
            return semiring.combine(part, lifted, marked, xp.matmul)
        return semiring.contract(part, lifted, labels, xp, marked)

    stacked = [
        _concatenated([block(top, first) for first in range(0, n, width)], -1, xp)
        for top in range(0, groups, height)
    ]
    made = _concatenated(stacked, 0, xp)
    return each(made, lambda part: xp.reshape(xp.permute_dims(part, (1, 0, 2)), (part.shape[1], *shape)))


def _concatenated(elements: list["Element"], axis: int, xp: Any) -> "Element":
    if len(elements) == 1:
        return elements[0]
    components = zip(*elements, strict=True)
    return tuple(None if parts[0] is None else xp.concat(parts, axis=axis) for parts in components)
