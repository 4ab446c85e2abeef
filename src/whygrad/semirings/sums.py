"""Semirings that add up: a contraction is a few matrix products."""

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from whygrad.arrays import Array, extremes, multiplied_onto, scatter_sum
from whygrad.contraction import Labels, contract_ones, contract_sum
from whygrad.semirings.element import Element, shifted


class SumSemiring(NamedTuple):
    """A semiring whose plus is a sum and whose times is bilinear.

    ``lift`` makes a partial's components; ``products`` lists, for the numbers of components of two factors (a
    cotangent and a lifted partial, or two cotangents one after the other) and for whether the operation is marked,
    the triples (component of the result, component of the first, component of the second) whose products are added up.

    Example:
        >>> import numpy as np
        >>> from whygrad.semirings import SEMIRINGS
        >>> entropy = SEMIRINGS["entropy"]   # two paths of sizes 2 and 2: log 2
        >>> one = entropy.lift(np.array([2.0, -2.0]), np)
        >>> entropy.read(entropy.reduce(one, (0,), np), 0, np).round(4)
        array([0.6931])
    """

    name: str
    says: str
    lift: Callable[[Array, Any], Element]
    products: Callable[[int, int, bool], tuple[tuple[int, int, int], ...]]
    read: Callable[[Element, int, Any], Any]
    one: tuple[float, ...] = (1.0,)
    rescale: Callable[[Element, int, Any], Element] | None = None
    normalise: Callable[[Array], Array] | None = None
    unit: bool = False  # lift is 1 for every partial that exists
    exact: bool = False  # components are whole numbers: carry them in float64
    linear: bool = False  # lift is linear: the sum of two partials acts as the sum of what each does
    absolute: bool = False  # lift is the absolute value of a partial
    live: bool = False  # lift is 1 for every partial that isn't 0
    logarithmic: bool = False  # lift is the absolute value of a partial, and that times its logarithm
    overwrites: bool = False  # times may write its product over a cotangent of one component

    def combine(self, left: Element, right: Element, marked: bool, product: Callable[..., Array]) -> Element:
        """Returns cotangent times lifted partials, where ``product`` multiplies (bilinearly) two components."""
        results: dict[int, Array] = {}
        for out, i, j in self.products(len(left), len(right), marked):
            if left[i] is None or right[j] is None:
                continue
            term = product(left[i], right[j])
            if out in results:
                results[out] += term  # made above, and nobody else's
            else:
                results[out] = term
        return self._normal(results.get(out) for out in range(max(results, default=0) + 1))

    def _normal(self, parts: Iterable[Array | None]) -> Element:
        if self.normalise is None:
            return tuple(parts)
        return tuple(None if part is None else self.normalise(part) for part in parts)

    def times(self, left: Element, right: Element, xp: Any, marked: bool = False) -> Element:
        """Returns the elementwise product of a cotangent and lifted partials, with broadcasting."""
        if self.overwrites and len(left) == len(right) == 1:
            return self.combine(left, right, marked, multiplied_onto)
        return self.combine(left, right, marked, lambda a, b: a * b)

    def contract(
        self, left: Element, right: Element, labels: Labels, xp: Any, marked: bool = False
    ) -> Element:
        """Returns the sum over the labels that the result lacks of cotangent times lifted partials."""

        def product(a: Array, b: Array) -> Array:
            if (self.live or self.unit) and math.prod(b.shape) and extremes(b) == (1.0, 1.0):
                return contract_ones(a, b, labels, xp)
            return contract_sum(a, b, labels, xp)

        return self.combine(left, right, marked, product)

    def compose(self, left: Element, right: Element, labels: Labels, xp: Any) -> Element:
        """Returns the contraction of two cotangents, one after the other: the beginnings of paths and their ends."""
        return self.contract(left, right, labels, xp)

    def plus(self, left: Element, right: Element, xp: Any) -> Element:
        """Returns the elementwise sum."""
        width = max(len(left), len(right))
        padded = zip(
            left + (None,) * (width - len(left)), right + (None,) * (width - len(right)), strict=True
        )
        return self._normal(b if a is None else a if b is None else a + b for a, b in padded)

    def reduce(self, element: Element, axes: tuple[int, ...], xp: Any) -> Element:
        """Returns the sum over axes, which stay with length 1."""
        return self._normal(
            None if part is None else xp.sum(part, axis=axes, keepdims=True) for part in element
        )

    def others(self, element: Element, xp: Any) -> Element:
        """Returns, at each place of the last axis, the sum over all other places.

        Nothing is taken off again, which would leave rounding where one place has nearly everything.
        """

        def without(part: Array) -> Array:
            if self.exact or self.unit:
                return xp.sum(part, axis=-1, keepdims=True) - part
            return _before(part, xp) + xp.flip(_before(xp.flip(part, axis=-1), xp), axis=-1)

        return self._normal(None if part is None else without(part) for part in element)

    def absent(self) -> tuple[float, ...]:
        """Returns the components of zero: the value of an empty sum of paths."""
        return (0.0,) * len(self.one)

    def scatter(self, element: Element, index: Array, size: int, xp: Any) -> Element:
        """Returns, for a cotangent (rows, n), the sums at each of ``size`` places that the n entries came from."""
        return self._normal(None if part is None else scatter_sum(part, index, size, xp) for part in element)


def _before(part: Array, xp: Any) -> Array:
    """Returns, at each place of the last axis, the sum of the places before it."""
    return xp.cumsum(shifted(part, 1, 0.0, xp), axis=-1)
