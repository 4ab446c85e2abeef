"""A product with something added to it: the structure of a layer with a bias, as one operation."""

from collections.abc import Collection, Mapping
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from whygrad.arrays import Array
from whygrad.formula import Number, Tree
from whygrad.structures.convolution import Convolution
from whygrad.structures.local import Column, Local, Structure

if TYPE_CHECKING:
    from whygrad.semirings import Element, Semiring

Settings: TypeAlias = Mapping[str, Any]


class Affine(NamedTuple):
    """``product(first, second) + bias``; the bias is broadcast, its last axis falling on the output's ``axis``.

    PyTorch's layers are recorded so: the product alone is never in memory there.
    """

    product: Structure
    axis: int = -1

    def _aligned(self, local: Local) -> tuple[int, ...]:
        """Returns the bias's shape with an axis of length 1 for each output axis along which it is repeated."""
        after = -1 - self.axis
        shape = (*local.inputs[2].shape, *(1,) * after)
        return (1,) * (len(local.output.shape) - len(shape)) + shape

    @staticmethod
    def _inner(local: Local) -> Local:
        return local._replace(inputs=local.inputs[:2])

    def value(self, inputs: tuple[Array, ...], settings: Settings, xp: Any) -> Array:
        """Returns the product with the bias added."""
        made = self.product.value(inputs[:2], settings, xp)
        bias = inputs[2]
        return made + xp.reshape(bias, (*bias.shape, *(1,) * (-1 - self.axis)))

    def formula(self, which: int, settings: Settings) -> Tree:
        """Returns the other factor, or 1 for the bias."""
        return self.product.formula(which, settings) if which < 2 else Number(1)

    def pull(
        self, semiring: "Semiring", cotangent: "Element", local: Local, which: int, marked: bool
    ) -> "Element":
        """Returns the cotangent pulled back through the product, or joined where the bias was repeated."""
        if which < 2:
            return self.product.pull(semiring, cotangent, self._inner(local), which, marked)
        xp, aligned = local.xp, self._aligned(local)
        element = cotangent
        if marked:
            ones = xp.ones(local.output.shape, dtype=local.output.dtype, device=local.output.device)
            element = semiring.times(element, semiring.lift(ones, xp), xp, marked)
        axes = tuple(
            1 + axis for axis, size in enumerate(aligned) if size == 1 and local.output.shape[axis] != 1
        )
        joined = semiring.reduce(element, axes, xp) if axes else element
        shape = local.inputs[2].shape
        return tuple(None if part is None else xp.reshape(part, (part.shape[0], *shape)) for part in joined)

    def pull_several(
        self, semiring: "Semiring", cotangent: "Element", local: Local, wanted: Collection[int]
    ) -> "dict[int, Element]":
        """Returns the cotangents of those inputs that are made together sooner than one by one."""
        if not isinstance(self.product, Convolution):
            return {}
        return self.product.pull_several(semiring, cotangent, local, wanted)

    def column(self, local: Local, which: int, position: int) -> Column:
        """Returns the outputs that an entry of a factor acts on, or all those that a bias is added to."""
        if which < 2:
            return self.product.column(self._inner(local), which, position)
        shape = tuple(local.output.shape)
        sources = np.arange(prod(local.inputs[2].shape)).reshape(self._aligned(local))
        places = np.flatnonzero(np.ravel(np.broadcast_to(sources, shape)) == position)
        return Column(places, np.ones(len(places)))
