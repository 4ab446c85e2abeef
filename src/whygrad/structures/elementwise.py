"""Elementwise operations: a diagonal Jacobian, with broadcasting."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from whygrad.arrays import Array, in_numpy, style, wide
from whygrad.formula import Tree, compiled, symbols
from whygrad.structures.local import Column, Local, Settings, constant, partials_like, settled, unbroadcast

if TYPE_CHECKING:
    from whygrad.semirings import Element, Semiring


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
            known = {} if local.kept is None else local.kept
            if which not in known:
                partial = self.partial(local, which) if fixed is None else fixed
                known[which] = semiring.lift(wide(partial, local.output, xp), xp)
            element = semiring.times(cotangent, known[which], xp, marked)
        return unbroadcast(semiring, element, local.inputs[which].shape, xp)

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
        return Column(places, partials_like(compiled(tree, names)(*values), local.output, places.shape))
