"""Semirings: the ways to add up paths. Each is one entry in the table :data:`SEMIRINGS`.

A path's contribution is the product (``times``) of the partials along it; a quantity's value is the ``plus`` of the
contributions of all its paths. One backward sweep computes that for every quantity at once, as long as times
distributes over plus (Mohri, *Semiring frameworks and algorithms for shortest-distance problems*, 2002).

An *element* is a tuple of arrays, its components, all of one shape. There are two families:

* :class:`SumSemiring`: plus is the sum of each component, and times is bilinear in the components. A whole
  contraction is then a few matrix products at BLAS speed.
* :class:`OrderSemiring`: plus keeps one of the two. Contractions go through blocks that stay in the cache.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeAlias

from whygrad.arrays import (
    Array,
    best,
    best_along,
    cast,
    extremes,
    ldexp,
    log_onto,
    multiplied_onto,
    scatter_best,
    scatter_sum,
)
from whygrad.contraction import (
    SIGNED_LARGEST,
    Labels,
    Tracks,
    contract_best,
    contract_ones,
    contract_strongest,
    contract_sum,
)

Element: TypeAlias = tuple[Array | None, ...]


class SumSemiring(NamedTuple):
    """A semiring whose plus is a sum and whose times is bilinear.

    ``lift`` makes a partial's components; ``products`` lists, for the numbers of components of two factors (a
    cotangent and a lifted partial, or two cotangents one after the other) and for whether the operation is marked,
    the triples (component of the result, component of the first, component of the second) whose products are added up.

    Example:
        >>> import numpy as np
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
            first, *others = (left[i] * right[j] for i, j in pairs)  # type: ignore[operator]  # likewise
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
        size = element[0].shape[-1]  # type: ignore[union-attr]  # likewise

        def shifted(step: int) -> Element:
            parts = zip(element, self.none, strict=True)
            return tuple(_shifted(part, step, none, xp) for part, none in parts)

        element, step = shifted(1), 1
        while step < size:
            element, step = self.plus(element, shifted(step), xp), 2 * step
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


Semiring: TypeAlias = SumSemiring | OrderSemiring


def _shifted(part: Array, step: int, none: float, xp: Any) -> Array:
    """Returns the part moved along its last axis, with ``none`` where nothing was."""
    made = xp.full_like(part, none)
    made[..., step:] = part[..., :-step]
    return made


def _before(part: Array, xp: Any) -> Array:
    """Returns, at each place of the last axis, the sum of the places before it."""
    return xp.cumsum(_shifted(part, 1, 0.0, xp), axis=-1)


def _scaled(element: Element, exponent: int, xp: Any) -> Element:
    """Returns the components times 2**exponent: exact, since only the exponents change."""
    return tuple(None if part is None else ldexp(part, exponent, xp) for part in element)


def _signed_largest(parts: Element, xp: Any) -> Element:
    largest, smallest = parts
    return (xp.where(largest >= -smallest, largest, smallest),)  # type: ignore[operator]  # likewise


def _split_signs(partial: Array, xp: Any) -> Element:
    # NaN stands for "no live path here": fmax and fmin pass over it, 0 and infinities would not multiply to it.
    return (xp.where(partial > 0, partial, math.nan), xp.where(partial < 0, partial, math.nan))


def _entropy_lift(partial: Array, xp: Any) -> Element:
    size = xp.abs(partial)
    # 0 log 0 = 0, without a choice at each entry, which takes longer than the logarithm
    made = log_onto(size.clip(xp.finfo(size.dtype).smallest_normal), xp)
    made *= size
    return size, made


def _entropy_rescale(element: Element, exponent: int, xp: Any) -> Element:
    # sum of c s log(c s) = s (sum of c log c + log s * sum of c)
    weight, product = element
    assert weight is not None
    assert product is not None
    return ldexp(weight, exponent, xp), ldexp(product + exponent * math.log(2.0) * weight, exponent, xp)


def _entropy_read(element: Element, exponent: int, xp: Any) -> Array:
    # The common factor 2**exponent cancels: the entropy is of the shares. Rounding may leave -1e-17 for one path.
    weight, product = element
    assert weight is not None
    assert product is not None
    there = weight > 0
    everywhere = bool(there.all())
    safe = weight if everywhere else xp.where(there, weight, xp.ones_like(weight))
    made = log_onto(safe.clip(0.0), xp)  # a copy
    made -= product / safe
    made = made.clip(0.0)
    return made if everywhere else xp.where(there, made, math.nan)


def _live(partial: Array, xp: Any) -> Element:
    return (cast(partial != 0, xp.float64),)


def _exists(partial: Array, xp: Any) -> Element:
    return (xp.ones_like(partial, dtype=xp.float64),)


def _single(left: int, right: int, marked: bool) -> tuple[tuple[int, int, int], ...]:
    return ((0, 0, 0),)


def _polynomial(left: int, right: int, marked: bool) -> tuple[tuple[int, int, int], ...]:
    return tuple((i + j + marked, i, j) for i in range(left) for j in range(right))


def _stacked(element: Element, exponent: int, xp: Any) -> Array:
    known = next(part for part in element if part is not None)
    parts = [xp.zeros_like(known) if part is None else ldexp(part, exponent, xp) for part in element]
    # stacked in front and then seen from behind: writing every n-th number of a large array is slow
    return xp.moveaxis(xp.stack(parts, axis=0), 0, -1)


EVERY_PAIR = ((0, 0), (0, 1), (1, 0), (1, 1))
SEMIRINGS: dict[str, Semiring] = {
    semiring.name: semiring
    for semiring in (
        SumSemiring(
            "gradient",
            "the sum of all contributions",
            lift=lambda p, xp: (p,),
            products=_single,
            rescale=_scaled,
            read=lambda e, exponent, xp: ldexp(e[0], exponent, xp),
            linear=True,
        ),
        SumSemiring(
            "total",
            "the sum of absolute contributions",
            lift=lambda p, xp: (xp.abs(p),),
            products=_single,
            rescale=_scaled,
            read=lambda e, exponent, xp: ldexp(e[0], exponent, xp),
            absolute=True,
        ),
        OrderSemiring(
            "strongest",
            "the contribution that is largest in absolute value, with its sign",
            lift=lambda p, xp: (p,),
            tracks=SIGNED_LARGEST,
            finish=_signed_largest,
            read=lambda e, exponent, xp: ldexp(e[0], exponent, xp),
            one=(1.0,),
            none=(0.0,),
            rescale=_scaled,
        ),
        OrderSemiring(
            "extremes",
            "the most positive and the most negative contribution of a live path (NaN where there is none)",
            lift=_split_signs,
            tracks=((((0, 0), (1, 1)), "largest known"), (((1, 0), (0, 1)), "smallest known")),
            composed=((EVERY_PAIR, "largest known"), (EVERY_PAIR, "smallest known")),
            finish=lambda parts, xp: parts,
            read=_stacked,
            one=(1.0, 1.0),
            none=(math.nan, math.nan),
            rescale=_scaled,
        ),
        SumSemiring(
            "live",
            "the number of paths on which every partial is nonzero",
            lift=_live,
            products=_single,
            rescale=_scaled,
            read=lambda e, exponent, xp: ldexp(e[0], exponent, xp),
            exact=True,
            live=True,
        ),
        SumSemiring(
            "count",
            "the number of paths",
            lift=_exists,
            products=_single,
            rescale=_scaled,
            read=lambda e, exponent, xp: ldexp(e[0], exponent, xp),
            unit=True,
            exact=True,
        ),
        SumSemiring(
            "reach",
            "whether there is any path",
            lift=_exists,
            products=_single,
            normalise=lambda part: part.clip(max=1.0),
            read=lambda e, exponent, xp: e[0] > 0,  # type: ignore[operator]  # a sum that is read is there
            unit=True,
        ),
        SumSemiring(
            "entropy",
            "the entropy of the live paths, weighted by absolute contribution, in nats (NaN where there is none)",
            lift=_entropy_lift,
            products=lambda left, right, marked: ((0, 0, 0), (1, 1, 0), (1, 0, 1)),
            one=(1.0, 0.0),
            rescale=_entropy_rescale,
            read=_entropy_read,
            logarithmic=True,
        ),
        SumSemiring(
            "spectrum",
            "the gradient by the number of marked operations on the path",
            lift=lambda p, xp: (p,),
            products=_polynomial,
            rescale=_scaled,
            read=_stacked,
            linear=True,
        ),
    )
}
