"""Reductions: each output entry is made of all entries along some axes."""

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from whygrad.arrays import Array, in_numpy, style, wide
from whygrad.formula import Tree, compiled, symbols
from whygrad.structures.groups import axes_of, group_at, grouped, ungrouped
from whygrad.structures.local import Column, Local, Settings, constant, each, partials_like, settled

if TYPE_CHECKING:
    from whygrad.semirings import Element, Semiring


class Reduction(NamedTuple):
    """A sum over axes of a function of each entry: the output entry depends on all entries along the axes.

    The setting ``axis`` says which (all, where there is none). A formula of the whole axis, such as
    ``sqrt(axis_sum(x^2))``, is its own sum. In the partials ``y`` is the output's entry and ``n`` the number of
    entries that are joined. Several arguments have one shape.
    """

    arguments: tuple[str, ...]
    of: str
    partials: Mapping[str, str]

    def _axes(self, local: Local) -> tuple[int, ...]:
        return axes_of(local.settings, len(local.inputs[0].shape), None)

    @staticmethod
    def _numbers(x: Array, axes: tuple[int, ...], settings: Settings) -> dict[str, Any]:
        # Of nothing, there is no entry whose partial 1/n were asked for.
        return dict(settings) | {"n": prod(x.shape[axis] for axis in axes) or 1}

    def value(self, inputs: tuple[Array, ...], settings: Settings, xp: Any) -> Array:
        """Returns the sum of the formula's values over the axes."""
        x = inputs[0]
        axes = axes_of(settings, len(x.shape), None)
        tree = settled(self.of, self._numbers(x, axes, settings))
        made = compiled(tree, self.arguments, style(xp))
        if "axis_" not in self.of:
            return xp.sum(made(*inputs), axis=axes)
        return xp.sum(made(*(grouped(array, axes, xp) for array in inputs)), axis=-1)

    def formula(self, which: int, settings: Settings) -> Tree:
        """Returns the declared partial; ``n`` is the number of entries that are joined."""
        return settled(self.partials[self.arguments[which]], settings)

    def _tree(self, local: Local, which: int) -> Tree:
        numbers = self._numbers(local.inputs[0], self._axes(local), local.settings)
        return settled(self.partials[self.arguments[which]], numbers)

    def _partial(self, local: Local, which: int) -> Array:
        """Returns the partial by every entry of an input."""
        xp, axes = local.xp, self._axes(local)
        x = local.inputs[which]
        tree = self._tree(local, which)
        joint = "axis_" in self.partials[self.arguments[which]]
        kept = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
        known = dict(zip(self.arguments, local.inputs, strict=True))
        known["y"] = xp.reshape(local.output, kept)
        names = tuple(sorted(symbols(tree)))
        values = [grouped(known[name], axes, xp) if joint else known[name] for name in names]
        made = compiled(tree, names, style(xp))(*values)
        if not joint:
            return wide(made, x, xp)
        return ungrouped(wide(made, grouped(x, axes, xp), xp), axes, tuple(x.shape), xp)

    def pull(
        self, semiring: "Semiring", cotangent: "Element", local: Local, which: int, marked: bool
    ) -> "Element":
        """Returns the output's cotangent at every entry that was joined, times the partial."""
        xp, shape = local.xp, tuple(local.inputs[which].shape)
        axes = self._axes(local)
        kept = tuple(1 if axis in axes else size for axis, size in enumerate(shape))
        spread = each(cotangent, lambda part: xp.reshape(part, (part.shape[0], *kept)))
        fixed = constant(self._tree(local, which))
        if not marked and (fixed == 1 or semiring.unit):
            return each(spread, lambda part: xp.broadcast_to(part, (part.shape[0], *shape)))
        return semiring.times(spread, semiring.lift(self._partial(local, which), xp), xp, marked)

    def column(self, local: Local, which: int, position: int) -> Column:
        """Returns the one output entry that the entry is joined into."""
        shape, axes = tuple(local.inputs[which].shape), self._axes(local)
        index, place, _ = group_at(position, axes, shape)
        target = tuple(at for at in index if not isinstance(at, slice))
        at = np.ravel_multi_index(target, tuple(local.output.shape)) if target else 0
        known = {
            name: np.ravel(in_numpy(array[index]))
            for name, array in zip(self.arguments, local.inputs, strict=True)
        }
        known["y"] = in_numpy(local.output[target])
        tree = self._tree(local, which)
        names = tuple(sorted(symbols(tree)))
        made = compiled(tree, names)(*(known[name] for name in names))
        partials = partials_like(made, local.output, known[self.arguments[which]].shape)
        return Column(np.array([at]), partials[place : place + 1])
