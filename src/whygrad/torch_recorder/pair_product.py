"""Products of complex numbers, as pairs: the partial by one factor is a block of two by two made of the other."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from whygrad.formula import Tree, parse
from whygrad.structures import Column, Contraction, Elementwise, Local
from whygrad.structures.local import each, unbroadcast

if TYPE_CHECKING:
    from whygrad.semirings import Element, Semiring

ARGUMENTS = ("A", "B")
OF_ENTRIES = Elementwise(ARGUMENTS, "A*B", {"A": "B", "B": "A"})


def blocks(pairs: Tensor) -> Tensor:
    """Returns, for each complex number, the partials (part of the other factor, part of the product).

    Example:
        >>> blocks(torch.tensor([2.0, 3.0]))
        tensor([[ 2.,  3.],
                [-3.,  2.]])
    """
    real, imaginary = pairs.unbind(-1)
    return torch.stack([pairs, torch.stack([-imaginary, real], -1)], -2)


def _product(one: Tensor, other: Tensor) -> Tensor:
    return (one.unsqueeze(-1) * blocks(other)).sum(-2)


class PairProduct(NamedTuple):
    """The product of two arrays of complex numbers, entry by entry, with broadcasting."""

    def value(self, inputs: tuple[Any, ...], settings: Mapping[str, Any], xp: Any) -> Any:
        """Returns the product."""
        return _product(*inputs)

    def formula(self, which: int, settings: Mapping[str, Any]) -> Tree:
        """Returns the name of the other factor."""
        return parse(ARGUMENTS[1 - which])

    def pull(
        self, semiring: "Semiring", cotangent: "Element", local: Local, which: int, marked: bool
    ) -> "Element":
        """Returns the cotangent times the block, joined over the parts of the product and over broadcast axes."""
        xp, shape = local.xp, tuple(local.output.shape)
        partials = xp.broadcast_to(blocks(local.inputs[1 - which]), (*shape, 2))
        wide = each(cotangent, lambda part: part.unsqueeze(-2))
        made = semiring.times(wide, semiring.lift(partials, xp), xp, marked)
        joined = each(semiring.reduce(made, (len(shape) + 1,), xp), lambda part: part.squeeze(-1))
        return unbroadcast(semiring, joined, local.inputs[which].shape, xp)

    def column(self, local: Local, which: int, position: int) -> Column:
        """Returns both parts of all products with a number."""
        place, part = divmod(position, 2)
        by = blocks(local.inputs[1 - which])
        found = []
        for out in (0, 1):
            inputs = [local.inputs[which][..., 0], by[..., part, out]]
            of_part = local._replace(inputs=tuple(inputs), output=local.output[..., out])
            found.append(OF_ENTRIES.column(of_part, 0, place))
        positions = np.stack([2 * one.positions + out for out, one in enumerate(found)], -1)
        return Column(np.ravel(positions), np.ravel(np.stack([one.partials for one in found], -1)))


class PairContraction(NamedTuple):
    """The product of two arrays of complex numbers summed over labels."""

    product: Contraction

    def _real(self, local: Local, which: int) -> tuple[Contraction, Local]:
        """Returns it as a product of real numbers, for one of its factors: the other one is blocks."""
        first, second, out = self.product.labels
        inputs = list(local.inputs)
        inputs[1 - which] = blocks(inputs[1 - which])
        parts = [("part",), ("part", "out part")]
        one, other = parts if which == 0 else parts[::-1]
        labels = ((*first, *one), (*second, *other), (*out, "out part"))
        return Contraction(self.product.arguments, labels), local._replace(inputs=tuple(inputs))

    def value(self, inputs: tuple[Any, ...], settings: Mapping[str, Any], xp: Any) -> Any:
        """Returns the product."""
        plain, local = self._real(Local(inputs, None, settings, xp), 0)
        return plain.value(local.inputs, settings, xp)

    def formula(self, which: int, settings: Mapping[str, Any]) -> Tree:
        """Returns the name of the other factor."""
        return self.product.formula(which, settings)

    def pull(
        self, semiring: "Semiring", cotangent: "Element", local: Local, which: int, marked: bool
    ) -> "Element":
        """Returns the contraction of the cotangent with the blocks of the other factor."""
        plain, real = self._real(local, which)
        return plain.pull(semiring, cotangent, real, which, marked)

    def column(self, local: Local, which: int, position: int) -> Column:
        """Returns both parts of every product that an entry is in."""
        plain, real = self._real(local, which)
        return plain.column(real, which, position)
