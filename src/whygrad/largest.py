"""The largest entries of an array that comes in pieces."""

import numpy as np

from whygrad.arrays import Array


class Largest:
    """The k entries of an array with the largest absolute values.

    Args:
        k: How many.

    Example:
        >>> largest = Largest(2)
        >>> for piece in (np.array([1.0, -5.0]), np.array([2.0, 0.0, 3.0])):
        ...     largest.add(piece)
        >>> places, sizes = largest.found
        >>> dict(zip(places.tolist(), sizes.tolist()))
        {1: 5.0, 4: 3.0}
    """

    def __init__(self, k: int) -> None:
        self._k, self._next = k, 0
        self.found = np.empty(0, dtype=np.int64), np.empty(0)

    def add(self, piece: Array) -> None:
        """Takes in the entries that follow."""
        sizes: Array = np.abs(np.ravel(piece).astype(np.float64))
        best = largest(sizes, self._k)
        places = np.concatenate([self.found[0], best + self._next])
        sizes = np.concatenate([self.found[1], sizes[best]])
        kept = largest(sizes, self._k)
        self.found = places[kept], sizes[kept]
        self._next += piece.size


def largest(values: Array, k: int, block: int = 1024) -> Array:
    """Returns the places of the k largest values, in any order.

    They lie in the k blocks with the largest maxima: of a long array, only those are sorted.
    """
    if len(values) <= k:
        return np.arange(len(values))
    whole = len(values) // block
    if whole <= 4 * k:
        return np.argpartition(-values, k - 1)[:k]
    peaks = values[: whole * block].reshape(whole, block).max(axis=1)
    blocks = np.argpartition(-peaks, k - 1)[:k]
    places = (blocks[:, None] * block + np.arange(block)).ravel()
    places = np.concatenate([places, np.arange(whole * block, len(values))])
    return places[np.argpartition(-values[places], k - 1)[:k]]
