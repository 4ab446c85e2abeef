"""The table of semirings: one entry each."""

import math
from typing import Any, TypeAlias

import numpy as np

from whygrad.arrays import Array, cast, ldexp, log_onto
from whygrad.contraction import SIGNED_LARGEST
from whygrad.semirings.element import Element
from whygrad.semirings.orders import OrderSemiring
from whygrad.semirings.sums import SumSemiring

Semiring: TypeAlias = SumSemiring | OrderSemiring


def _scaled(element: Element, exponent: int, xp: Any) -> Element:
    """Returns the components times 2**exponent: exact, since only the exponents change."""
    return tuple(None if part is None else ldexp(part, exponent, xp) for part in element)


def _signed_largest(parts: Element, xp: Any) -> Element:
    largest, smallest = parts
    return (xp.where(largest >= -smallest, largest, smallest),)  # type: ignore[operator]  # of an order every component is there


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


def sum_of_entropies(element: Element, exponent: int) -> Array:
    """Returns the sum over the last axis of the entropies times the sums of absolute contributions that they weigh.

    For an entry with paths of sizes c that is -(sum of c log(c / w)) = w log w - sum of c log c, with w the sum of c.

    Args:
        element: What the *entropy* sweep carries: NumPy arrays.
        exponent: It is times 2**exponent.
    """
    weight, product = element
    assert weight is not None
    assert product is not None
    logarithms = np.log(weight.clip(np.finfo(weight.dtype).smallest_normal))
    made = np.vecdot(weight, logarithms) - product.sum(axis=-1)
    return ldexp(made.clip(0.0), exponent, np)


def _live(partial: Array, xp: Any) -> Element:
    return (cast(partial != 0, xp.float64),)


def _exists(partial: Array, xp: Any) -> Element:
    return (xp.ones_like(partial, dtype=xp.float64),)


def _single(left: int, right: int, marked: bool) -> tuple[tuple[int, int, int], ...]:
    return ((0, 0, 0),)


def _polynomial(left: int, right: int, marked: bool) -> tuple[tuple[int, int, int], ...]:
    return tuple((i + j + marked, i, j) for i in range(left) for j in range(right))


def _first(element: Element, exponent: int, xp: Any) -> Array:
    return ldexp(element[0], exponent, xp)


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
            read=_first,
            linear=True,
        ),
        SumSemiring(
            "total",
            "the sum of absolute contributions",
            lift=lambda p, xp: (xp.abs(p),),
            products=_single,
            rescale=_scaled,
            read=_first,
            absolute=True,
        ),
        OrderSemiring(
            "strongest",
            "the contribution that is largest in absolute value, with its sign",
            lift=lambda p, xp: (p,),
            tracks=SIGNED_LARGEST,
            finish=_signed_largest,
            read=_first,
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
            read=_first,
            exact=True,
            live=True,
        ),
        SumSemiring(
            "count",
            "the number of paths",
            lift=_exists,
            products=_single,
            rescale=_scaled,
            read=_first,
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
