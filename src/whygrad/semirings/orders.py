"""Semirings that keep the better of two: contractions go through blocks that stay in the cache."""

from collections.abc import Callable
from typing import Any, NamedTuple

from whygrad.arrays import Array, best, best_along, scatter_best
from whygrad.contraction import Labels, Tracks, contract_best, contract_strongest
from whygrad.semirings.element import Element, shifted


class OrderSemiring(NamedTuple):
    """A semiring whose plus keeps the better of two elements.

    ``lift`` makes a partial's components. ``tracks`` says how products are formed and which is kept: pairs of
    (cotangent component, partial component) for each result component, and whether the largest or the smallest of
    these products is kept. ``composed`` says the same of two cotangents one after the other, where that is another
    matter (a partial has one sign, the paths of a cotangent have both).
    """

    name: str
    says: str
    lift: Callable[[Array, Any], Element]
    tracks: Tracks
    finish: Callable[[Element, Any], Element]
    read: Callable[[Element, int, Any], Any]
    one: tuple[float, ...]
    none: tuple[float, ...]
    composed: Tracks | None = None
    rescale: Callable[[Element, int, Any], Element] | None = None
    unit: bool = False
    exact: bool = False
    linear: bool = False
    absolute: bool = False
    live: bool = False
    logarithmic: bool = False

    def times(self, left: Element, right: Element, xp: Any, marked: bool = False) -> Element:
        """Returns the elementwise product of a cotangent and lifted partials, with broadcasting."""
        if len(left) == 1:
            return (left[0] * right[0],)  # type: ignore[operator]  # of an order every component is there
        results = []
        for pairs, kept in self.tracks:
            first, *others = (left[i] * right[j] for i, j in pairs)  # type: ignore[operator]  # of an order every component is there
            for other in others:
                first = best(kept, xp)(first, other)
            results.append(first)
        return self.finish(tuple(results), xp)

    def contract(
        self, left: Element, right: Element, labels: Labels, xp: Any, marked: bool = False
    ) -> Element:
        """Returns the best, over the labels that the result lacks, of cotangent times lifted partials."""
        if len(left) == 1:
            return (contract_strongest(left[0], right[0], labels, xp),)
        return self.finish(contract_best(left, right, labels, self.tracks, xp), xp)

    def compose(self, left: Element, right: Element, labels: Labels, xp: Any) -> Element:
        """Returns the contraction of two cotangents, one after the other: the beginnings of paths and their ends."""
        return self.finish(contract_best(left, right, labels, self.composed or self.tracks, xp), xp)

    def plus(self, left: Element, right: Element, xp: Any) -> Element:
        """Returns the better of two elements at each place."""
        sides = self._split(left), self._split(right)
        return self.finish(
            tuple(best(kept, xp)(a, b) for a, b, (_, kept) in zip(*sides, self.tracks, strict=True)), xp
        )

    def reduce(self, element: Element, axes: tuple[int, ...], xp: Any) -> Element:
        """Returns the best over axes, which stay with length 1."""
        known = next(part for part in element if part is not None)
        if not all(known.shape[axis] for axis in axes):  # the best of nothing
            return tuple(
                None if part is None else xp.sum(part, axis=axes, keepdims=True) + none
                for part, none in zip(element, self.absent(), strict=True)
            )
        parts = self._split(element)
        results = []
        for part, (_, kept) in zip(parts, self.tracks, strict=True):
            result = part
            for axis in axes:
                result = best_along(kept, result, axis, xp)
            results.append(result)
        return self.finish(tuple(results), xp)

    def others(self, element: Element, xp: Any) -> Element:
        """Returns, at each place of the last axis, the best of all other places."""
        before = self._before(element, xp)
        turned = self._before(tuple(xp.flip(part, axis=-1) for part in element), xp)
        return self.plus(before, tuple(xp.flip(part, axis=-1) for part in turned), xp)

    def _before(self, element: Element, xp: Any) -> Element:
        """Returns, at each place of the last axis, the best of the places before it."""
        size = element[0].shape[-1]  # type: ignore[union-attr]  # of an order it is there

        def moved(step: int) -> Element:
            parts = zip(element, self.none, strict=True)
            return tuple(shifted(part, step, none, xp) for part, none in parts)

        element, step = moved(1), 1
        while step < size:
            element, step = self.plus(element, moved(step), xp), 2 * step
        return element

    def absent(self) -> tuple[float, ...]:
        """Returns the components of zero: the value where there is no live path."""
        return self.none

    def scatter(self, element: Element, index: Array, size: int, xp: Any) -> Element:
        """Returns, for a cotangent (rows, n), the best at each of ``size`` places that the n entries came from."""
        results = []
        absent = self._split(self.none)
        for part, none, (_, kept) in zip(self._split(element), absent, self.tracks, strict=True):
            results.append(scatter_best(kept, part, index, size, none, xp))
        return self.finish(tuple(results), xp)

    def _split(self, element: tuple[Any, ...]) -> tuple[Any, ...]:
        """Returns one array for each track: a signed element is tracked by its largest and its smallest."""
        return tuple(element[min(place, len(element) - 1)] for place in range(len(self.tracks)))
