"""Partials that are two products, f(i) g(j) + u(i) v(j), summed by their sizes over all i but j, without the pairs.

Divided by f(i) g(j) such a partial is 1 + q(i) t(j) with q = u/f and t = v/g: for each j a line in q, which changes its
sign once, at q = -1/t. So the entries i are sorted by q, and two running sums on either side of that place are all:

    sum over i of c(i) |f(i)| |1 + q(i) t(j)|  =  |A + t(j) B| before it  +  |A + t(j) B| behind it,

with A the sum of c |f| and B of c |f| q. That takes n log n steps for each group of n entries and not n². A
normalisation's partials are of that form: (-1/n - y(i) y(j)/n) / std, with q = t = y up to a factor
(docs/mathematics.md).
"""

import math
from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from whygrad.arrays import (
    Array,
    along,
    ascending,
    ascending_order,
    cast,
    in_numpy,
    on_host,
    placed_along,
    scatter_sum,
    searched,
)
from whygrad.structures.clusters import sums_over_pairs
from whygrad.structures.envelope import strongest_of_others
from whygrad.threads import for_each

if TYPE_CHECKING:
    from whygrad.semirings import Element, Semiring

# What the running sums of some groups may take: more of them leave the caches.
BLOCK_BYTES = 4 * 1024 * 1024
# What the entries of some groups may take whose logarithms are added up at once.
CLUSTERED_BYTES = 256 * 1024
# So many pairs that are nearly 0 are looked at one by one for each entry; where there are more, nothing is won.
NEARLY = 4


class Lines(NamedTuple):
    """Partials by two products: f, g, q, t as above (groups, n), in float64."""

    f: Array
    g: Array
    q: Array
    t: Array

    @staticmethod
    def of(left: Array, right: Array, xp: Any) -> "Lines | None":
        """Returns the lines of products left (groups, n, 2) and right (groups, 2, n); nothing if neither divides."""
        left, right = cast(left, xp.float64), cast(right, xp.float64)
        for one, other in ((0, 1), (1, 0)):
            q = _divided(left[..., other], left[..., one], xp)
            t = _divided(right[..., other, :], right[..., one, :], xp)
            if q is not None and t is not None:
                return Lines(left[..., one], right[..., one, :], q, t)
        return None

    def sizes_of_others(self, cotangent: Array, xp: Any) -> Array:
        """Returns for each j the sum over all i but j of cotangent(i), not below 0, times |partial(i, j)|."""
        found = self._from_others(self._by_rows(cotangent, xp) * xp.abs(self.f), xp).clip(0.0)
        return cast(xp.reshape(xp.abs(self.g) * found, cotangent.shape), cotangent.dtype)

    def logarithms_of_others(self, semiring: "Semiring", cotangent: "Element", xp: Any) -> "Element | None":
        """Returns for each j an entropy's two sums over all i but j; nothing off the host.

        With s = |partial(i, j)|, weights c(i) and products d(i) these are the sums of c s and of d s + c s log s. The
        logarithm of s is that of |f(i)|, of |g(j)| and of |1 + q(i) t(j)|.
        """
        weight, product = cotangent
        if weight is None or product is None or not on_host(weight):
            return None
        left, right = xp.abs(self.f), xp.abs(self.g)
        sizes = self._by_rows(weight, xp) * left
        rest = self._by_rows(product, xp) * left + sizes * _logarithm(left, xp)
        found = self._from_others(xp.concat([sizes, rest], axis=0), xp)
        weights = found[: len(sizes)].clip(0.0)
        products = found[len(sizes) :] + weights * _logarithm(right, xp)
        products += self._logarithms(semiring, sizes, 8 if weight.dtype == xp.float64 else 4, xp)
        return tuple(
            cast(xp.reshape(right * each, weight.shape), weight.dtype) for each in (weights, products)
        )

    def _by_rows(self, cotangent: Array, xp: Any) -> Array:
        return cast(xp.reshape(cotangent, (cotangent.shape[0], *self.q.shape)), xp.float64)

    def _from_others(self, sizes: Array, xp: Any) -> Array:
        """Returns for each j the sum over all i but j of sizes(i) |1 + q(i) t(j)|, for sizes (rows, groups, n)."""
        height = max(1, BLOCK_BYTES // (8 * self.q.shape[-1]))
        tops = range(0, len(self.q), height)
        return xp.concat([self._block(sizes, slice(top, top + height), xp) for top in tops], axis=1)

    def _block(self, sizes: Array, groups: slice, xp: Any) -> Array:
        order = ascending_order(self.q[groups], xp)
        # All in the order of q: mostly t follows it too, and neighbours look for neighbouring places.
        q, t, sizes = (
            along(array, order, xp) for array in (self.q[groups], self.t[groups], sizes[:, groups])
        )
        at = xp.where(t == 0, 0, searched(q, _places(t, xp), xp))  # where t is 0 it is 1 for every i

        def on_both_sides(array: Array) -> tuple[Array, Array]:
            # From behind by sums of its own: a difference would leave rounding where one place has nearly everything.
            before = _running(array, xp)
            behind = xp.flip(_running(xp.flip(array, axis=-1), xp), axis=-1)
            return along(before, at, xp), along(behind, at, xp)

        ones, slopes = on_both_sides(sizes), on_both_sides(sizes * q)
        ones_before, ones_behind = (one + t * slope for one, slope in zip(ones, slopes, strict=True))
        # 1 + q t has one sign before the place and the other behind it
        every = xp.where(t < 0, ones_before - ones_behind, ones_behind - ones_before)
        return placed_along(every - sizes * xp.abs(1 + q * t), order, xp)

    def _logarithms(self, semiring: "Semiring", sizes: Array, precision: int, xp: Any) -> Array:
        """Returns for each j the sum over all i but j of sizes(i) s log s with s = |1 + q(i) t(j)|."""

        def surprise(array: Array) -> Array:
            return semiring.lift(array, np)[1]

        every, lines, places = (in_numpy(array) for array in (sizes, self.q, self.t))
        height = max(1, CLUSTERED_BYTES // (8 * lines.shape[-1]))

        def among(top: int) -> Array:
            groups = slice(top, top + height)
            some, q, t = every[:, groups], lines[groups], places[groups]
            # what isn't a number, or too large for one, goes on as that
            with np.errstate(over="ignore", invalid="ignore"):
                return sums_over_pairs(some, q, t, surprise, precision) - some * surprise(1 + q * t)

        return xp.asarray(np.concatenate(for_each(among, range(0, len(lines), height)), axis=1))

    def strongest_of_others(self, cotangent: Array, xp: Any) -> Array | None:
        """Returns for each j the strongest of cotangent(i) partial(i, j) over all i but j; nothing off the host."""
        shape, n = cotangent.shape, self.q.shape[-1]
        if not on_host(cotangent):
            return None
        f, g, q, t = map(in_numpy, self)
        rows = in_numpy(cast(cotangent, xp.float64)).reshape(shape[0], -1, n)
        made = np.array(
            [[strongest_of_others(*lines) for lines in zip(row * f, q, t, strict=True)] for row in rows]
        )
        return cast(xp.asarray((made * g).reshape(shape)), cotangent.dtype)

    def zeros(
        self, cotangent: Array, partial: Callable[[Array, Array, Array], Array], eps: float, xp: Any
    ) -> Array | None:
        """Returns for each j the sum of cotangent(i) over all i but j whose partial is exactly 0; nothing if too many.

        Args:
            cotangent: (rows, …, n), of whole numbers.
            partial: The partials of pairs, by the numbers of their groups, their i and their j.
            eps: The relative rounding of the numbers that the lines were made of.
            xp: The array namespace.
        """
        shape, n = cotangent.shape, self.q.shape[-1]
        found = self._nearly_zero(32 * eps, xp)
        if found is None:
            return None
        group, i, j = found
        none = (partial(group, i, j) == 0) & (i != j)
        flat = xp.reshape(cotangent, (shape[0], -1))
        made = scatter_sum(flat[:, (group * n + i)[none]], (group * n + j)[none], prod(shape[1:]), xp)
        return xp.reshape(made, shape)

    def _nearly_zero(self, near: float, xp: Any) -> tuple[Array, Array, Array] | None:
        """Returns the groups, i and j of the pairs with |1 + q(i) t(j)| below a number; nothing if they are many.

        Most groups have none: then no two of all q and -1/t, put in order, lie next to each other. Where a few may
        have some their pairs are gone through; where many have, all are searched in order.
        """
        groups, n = self.q.shape
        kind = xp.float32 if near > 1e-7 else xp.float64
        q, t = cast(self.q, kind), cast(self.t, kind)
        places = xp.where(t == 0, math.nan, _places(t, xp))
        every = ascending(xp.concat([q, places], axis=-1), xp)
        close = every[:, 1:] - every[:, :-1] < 2 * near * xp.abs(every[:, 1:])
        (some,) = xp.nonzero(xp.any(close, axis=-1))
        if len(some) * n > NEARLY * groups:
            return self._by_order(near, xp)
        group, i, j = xp.nonzero(xp.abs(q[some][:, :, None] * t[some][:, None, :] + 1) < near)
        return some[group], i, j

    def _by_order(self, near: float, xp: Any) -> tuple[Array, Array, Array] | None:
        """Returns the same by a search for each -1/t among all q."""
        groups, n = self.q.shape
        order = ascending_order(self.q, xp)
        q, t = along(self.q, order, xp), along(self.t, order, xp)  # neighbours look for neighbouring places
        place = _places(t, xp)
        apart = near * xp.abs(place)
        first, last = searched(q, place - apart, xp), searched(q, place + apart, xp)
        many = xp.reshape(xp.where(t == 0, 0, last - first), (-1,))
        pairs = int(xp.sum(many))
        if pairs > NEARLY * groups * n:
            return None
        column = xp.repeat(xp.arange(groups * n, device=many.device), many)
        starts = xp.cumsum(many, axis=0) - many
        step = xp.arange(pairs, device=many.device) - starts[column]
        group = column // n
        return group, order[group, xp.reshape(first, (-1,))[column] + step], order[group, column % n]


def _divided(array: Array, by: Array, xp: Any) -> Array | None:
    """Returns the quotients, 0 where both are 0; nothing where something else is divided by 0."""
    nothing = by == 0
    if not bool(xp.any(nothing)):
        return array / by
    return None if bool(xp.any(nothing & (array != 0))) else array / xp.where(nothing, 1.0, by)


def _places(t: Array, xp: Any) -> Array:
    """Returns where each line changes its sign, q = -1/t; anything where it never does, since t is 0."""
    return -1 / xp.where(t == 0, 1.0, t)


def _logarithm(array: Array, xp: Any) -> Array:
    """Returns the natural logarithms of numbers that aren't negative, 0 for 0."""
    return xp.log(xp.where(array > 0, array, 1.0))


def _running(array: Array, xp: Any) -> Array:
    """Returns (…, n + 1): the sums of the first 0, 1, …, n entries."""
    made = xp.zeros((*array.shape[:-1], array.shape[-1] + 1), dtype=array.dtype, device=array.device)
    made[..., 1:] = xp.cumsum(array, axis=-1)
    return made
