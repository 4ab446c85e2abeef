"""Sums over all i of weight(i) h(1 + q(i) t(j)) for every j, without going through all pairs.

h is a function that is smooth but at 0, such as |x| log |x|. The q and the t are sorted and halved again and again.
Where 1 + q t stays away from 0 for all q of one part and all t of another, h is there what interpolation through a few
of its values makes of it: the weights go to the part's Chebyshev nodes, h is evaluated between nodes, and what arrives
at the nodes of the other part goes to its t. Only parts in which 1 + q t may be 0 are halved, and gone through pair by
pair when they are small. That takes n log n steps (Fong and Darve 2009, *The black-box fast multipole method*).
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from whygrad.arrays import Array, along, placed_along, scatter_onto

Function: TypeAlias = Callable[[Array], Array]

# Parts of at most so many entries aren't halved.
SMALLEST = 32
# The nodes by which h is known to the rounding of single and of double precision, where 1 + q t is at least as large
# as it changes within a part: the ellipse in which h is smooth has half axes that add up to 2 + sqrt(3), and the
# interpolation's error falls by that much with each node (Trefethen 2013, theorem 8.2).
NODES = {4: 9, 8: 22}
# How many numbers a block of values of h has: more of them leave the second-level cache.
BLOCK = 1 << 16


class _Parts(NamedTuple):
    """The parts (parts, entries) of one level, with the nodes of each (parts, nodes)."""

    low: Array
    high: Array
    nodes: Array


def sums_over_pairs(weights: Array, q: Array, t: Array, h: Function, precision: int) -> Array:
    """Returns for each j of each group the sum over all i of weights(…, i) h(1 + q(i) t(j)), (rows, groups, n).

    Args:
        weights: (rows, groups, n).
        q: (groups, n).
        t: (groups, n).
        h: A function of arrays, smooth but at 0.
        precision: The bytes of the numbers that are wanted as exactly as they can be: 4 or 8.

    Example:
        >>> q = t = np.linspace(-2, 2, 500)[None]
        >>> made = sums_over_pairs(np.ones((1, 1, 500)), q, t, np.abs, 8)
        >>> np.allclose(made, np.abs(1 + np.outer(t, q)).sum(axis=1))
        True
    """
    rows, (groups, n) = len(weights), q.shape
    levels = max(0, int(np.ceil(np.log2(n / SMALLEST))))
    size = -(-n // 2**levels)  # of the smallest parts
    from_q, from_t = np.argsort(q, axis=-1), np.argsort(t, axis=-1)
    added = (0, size * 2**levels - n)
    weights = along(weights, from_q, np)
    weights = np.pad(weights, ((0, 0), (0, 0), added)).reshape(rows, -1, size)
    q, t = (
        np.pad(along(array, order, np), ((0, 0), added), mode="edge").reshape(-1, size)
        for array, order in ((q, from_q), (t, from_t))
    )
    above, below = (_halved(array, groups, levels, NODES[precision]) for array in (q, t))
    charges = _gathered(weights, q, above)
    arrived = [np.zeros((rows, *each.nodes.shape)) for each in below]
    source = target = np.arange(groups)
    for level in range(levels + 1):
        upper, lower = above[level], below[level]
        far = _apart(upper, lower, source, target)
        _send(charges[level], upper.nodes, lower.nodes, source[far], target[far], h, arrived[level])
        source, target = source[~far], target[~far]
        if level < levels:
            source = (2 * source[:, None] + (0, 0, 1, 1)).ravel()
            target = (2 * target[:, None] + (0, 1, 0, 1)).ravel()
    made = _spread(arrived, t, below)
    _send(weights, q, t, source, target, h, made)
    return placed_along(made.reshape(rows, groups, -1)[..., :n], from_t, np)


def _halved(ordered: Array, groups: int, levels: int, many: int) -> list[_Parts]:
    """Returns the parts of every level, from whole groups down to the smallest."""
    at = np.cos(np.pi * (np.arange(many) + 0.5) / many)
    found = []
    for level in range(levels + 1):
        parts = ordered.reshape(groups * 2**level, -1)
        low, high = parts[:, 0], parts[:, -1]
        # A part of equal numbers has nodes apart all the same, or one couldn't interpolate between them.
        least = 1e-8 * np.maximum(np.abs(low), np.abs(high)) + 1e-150
        radius = np.maximum((high - low) / 2, least)
        middle = low + (high - low) / 2
        found.append(_Parts(middle - radius, middle + radius, middle[:, None] + radius[:, None] * at))
    return found


def _apart(above: _Parts, below: _Parts, source: Array, target: Array) -> Array:
    """Returns in which pairs of parts |1 + q t| is at least as large as it changes along one of them."""
    q, t = ((each.low[which], each.high[which]) for each, which in ((above, source), (below, target)))
    corners = np.stack([1 + one * other for one in q for other in t])
    one_sign = (corners > 0).all(axis=0) | (corners < 0).all(axis=0)
    least = np.where(one_sign, np.abs(corners).min(axis=0), 0.0)
    changes = [(other[1] - other[0]) / 2 * np.abs(one).max(axis=0) for one, other in ((q, t), (t, q))]
    return least > np.maximum(*changes)


def _send(
    charges: Array, q: Array, t: Array, source: Array, target: Array, h: Function, arrived: Array
) -> None:
    """Adds to ``arrived`` (rows, parts, entries) what the parts ``source`` send to the parts ``target``."""
    step = max(1, BLOCK // (q.shape[1] * t.shape[1]))
    for first in range(0, len(source), step):
        here, there = source[first : first + step], target[first : first + step]
        lines = q[here][:, :, None] * t[there][:, None, :]
        lines += 1
        sent = np.moveaxis(charges[:, here], 1, 0) @ h(lines)  # (pairs, rows, entries)
        scatter_onto(arrived, np.moveaxis(sent, 0, 1), there, np)


def _interpolation(at: Array, parts: _Parts) -> tuple[Array, Array]:
    """Returns what each node's value counts at each place (parts, entries), by barycentres: shares (parts, entries,
    nodes) and what they add up to.
    """
    many = parts.nodes.shape[1]
    angles = np.pi * (np.arange(many) + 0.5) / many
    made = at[:, :, None] - parts.nodes[:, None, :]
    made += 1e-300  # at a node that one outweighs all others
    np.divide((-1.0) ** np.arange(many) * np.sin(angles), made, out=made)
    return made, made.sum(axis=-1)


def _gathered(weights: Array, q: Array, parts: list[_Parts]) -> list[Array]:
    """Returns the weights at the nodes of the parts of each level, (rows, parts, nodes)."""
    made = [_onto(weights, q, parts[-1])]
    for whole, halves in zip(reversed(parts[:-1]), reversed(parts[1:]), strict=True):
        at = halves.nodes.reshape(len(whole.nodes), -1)
        made.append(_onto(made[-1].reshape(len(weights), *at.shape), at, whole))
    return made[::-1]


def _onto(weights: Array, at: Array, parts: _Parts) -> Array:
    shares, sums = _interpolation(at, parts)
    return np.einsum("rpe,pen->rpn", weights / sums, shares)


def _spread(arrived: list[Array], t: Array, parts: list[_Parts]) -> Array:
    """Returns (rows, parts, entries): what arrived at the nodes of all levels, at each t of the smallest parts."""
    carried = arrived[0]
    for here, whole, halves in zip(arrived[1:], parts[:-1], parts[1:], strict=True):
        at = halves.nodes.reshape(len(whole.nodes), -1)
        carried = here + _from(carried, at, whole).reshape(here.shape)
    return _from(carried, t, parts[-1])


def _from(carried: Array, at: Array, parts: _Parts) -> Array:
    shares, sums = _interpolation(at, parts)
    return np.einsum("rpn,pen->rpe", carried, shares) / sums
