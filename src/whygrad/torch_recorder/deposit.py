"""Entries that are added into an array at given places (scatter_add, index_add): a selection turned round."""

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from torch import Tensor

from whygrad.arrays import in_numpy
from whygrad.formula import Number, Tree
from whygrad.structures import Column, Local

if TYPE_CHECKING:
    from whygrad.semirings import Element, Semiring


class Deposit(NamedTuple):
    """``base`` with ``x`` added into it; ``targets`` has, for each entry of x, its flat place in the base."""

    targets: Tensor

    def value(self, inputs: tuple[Any, ...], settings: Mapping[str, Any], xp: Any) -> Any:
        """Returns the base with the entries added."""
        base, x = inputs
        made = base.clone().reshape(-1)
        made.index_add_(0, self.targets.reshape(-1), x.reshape(-1))
        return made.reshape(base.shape)

    def formula(self, which: int, settings: Mapping[str, Any]) -> Tree:
        """Returns 1: an entry is added as it is."""
        return Number(1)

    def pull(
        self, semiring: "Semiring", cotangent: "Element", local: Local, which: int, marked: bool
    ) -> "Element":
        """Returns the cotangent, for x at the places that its entries were added to."""
        element = cotangent
        shape = tuple(local.inputs[which].shape)
        if which == 1:
            targets = self.targets.reshape(-1)
            element = tuple(
                None
                if part is None
                else part.reshape(part.shape[0], prod(part.shape[1:]))[:, targets].reshape(
                    part.shape[0], *shape
                )
                for part in cotangent
            )
        if not marked:
            return element
        ones = local.xp.ones(shape, dtype=local.output.dtype, device=local.output.device)
        return semiring.times(element, semiring.lift(ones, local.xp), local.xp, marked)

    def column(self, local: Local, which: int, position: int) -> Column:
        """Returns the one entry that an entry is added to."""
        assert prod(local.inputs[which].shape) > position
        place = position if which == 0 else int(in_numpy(self.targets.reshape(-1)[position]))
        return Column(np.array([place]), np.ones(1))
