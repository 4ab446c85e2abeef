"""Constant matrices along axes: average pooling, interpolation, running sums."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from whygrad.arrays import Array, in_numpy, wide
from whygrad.contraction import contract_sum
from whygrad.formula import Symbol, Tree
from whygrad.structures.local import Column, Local, Settings

if TYPE_CHECKING:
    from whygrad.semirings import Element, Semiring


class PerAxis(NamedTuple):
    """The product with one constant matrix along each of some axes; a partial is the product of their entries.

    The setting ``matrices`` maps an axis (counted from the front) to its matrix (entries of the output, entries of
    the input); NumPy arrays. An entry of 0 is no edge: a window doesn't see what lies outside it.
    """

    argument: str

    @staticmethod
    def _matrices(settings: Settings, like: Array, xp: Any) -> list[tuple[int, Array]]:
        matrices: Mapping[int, Array] = settings["matrices"]
        return [
            (axis, xp.asarray(matrix, dtype=like.dtype, device=like.device))
            for axis, matrix in matrices.items()
        ]

    def value(self, inputs: tuple[Array, ...], settings: Settings, xp: Any) -> Array:
        """Returns the array with each axis multiplied by its matrix."""
        (made,) = inputs
        for axis, matrix in self._matrices(settings, made, xp):
            labels = [f"a{place}" for place in range(len(made.shape))]
            out = [*labels]
            out[axis] = "o"
            made = contract_sum(made, matrix, (tuple(labels), ("o", labels[axis]), tuple(out)), xp)
        return made

    def formula(self, which: int, settings: Settings) -> Tree:
        """Returns the name of the matrices' entries."""
        return Symbol("P")

    def pull(
        self, semiring: "Semiring", cotangent: "Element", local: Local, which: int, marked: bool
    ) -> "Element":
        """Returns the contraction of the cotangent with each matrix."""
        xp, made = local.xp, cotangent
        for axis, matrix in self._matrices(local.settings, local.output, xp):
            there = matrix != 0
            lifted = tuple(
                None if part is None else xp.where(there, part, wide(none, part, xp))
                for part, none in zip(semiring.lift(matrix, xp), semiring.absent(), strict=False)
            )
            labels = ["row", *(f"a{place}" for place in range(len(local.output.shape)))]
            out = [*labels]
            out[axis + 1] = "i"
            pattern = (tuple(labels), (labels[axis + 1], "i"), tuple(out))
            made = semiring.contract(made, lifted, pattern, xp, marked)
            marked = False
        return made

    def column(self, local: Local, which: int, position: int) -> Column:
        """Returns the outputs whose windows have the entry in them, with its weights there."""
        shape, full = tuple(local.inputs[0].shape), tuple(local.output.shape)
        entry = [np.array([index]) for index in np.unravel_index(position, shape)]
        weights = [np.ones(1) for _ in shape]
        for axis, matrix in local.settings["matrices"].items():
            of_entry = np.asarray(in_numpy(matrix))[:, entry[axis][0]]
            entry[axis] = np.flatnonzero(of_entry)
            weights[axis] = of_entry[entry[axis]]
        grid = np.meshgrid(*entry, indexing="ij")
        partials = np.prod(np.stack(np.meshgrid(*weights, indexing="ij")), axis=0)
        dtype = in_numpy(local.output[:0]).dtype
        return Column(np.ravel(np.ravel_multi_index(tuple(grid), full)), np.ravel(partials).astype(dtype))


def average_windows(
    size: int,
    kernel: int,
    stride: int,
    padding: int = 0,
    ceil: bool = False,
    count_padding: bool = True,
    divisor: float | None = None,
) -> Array:
    """Returns the matrix (windows, size) of averages over windows along one axis, as PyTorch's pooling has them.

    Args:
        size: How many entries the axis has.
        kernel: How many a window has.
        stride: From one window to the next.
        padding: Zeros at either end.
        ceil: Whether a last window that goes over the end is kept (if it begins before it).
        count_padding: Whether padded zeros count in the average.
        divisor: What to divide by instead of the number of entries.

    Example:
        >>> average_windows(4, 2, 2)
        array([[0.5, 0.5, 0. , 0. ],
               [0. , 0. , 0.5, 0.5]])
    """
    over = size + 2 * padding - kernel
    windows = (-(-over // stride) if ceil else over // stride) + 1
    if ceil and (windows - 1) * stride >= size + padding:
        windows -= 1
    made = np.zeros((windows, size))
    for window in range(windows):
        start = window * stride - padding
        stop = min(start + kernel, size + padding)
        low, high = max(start, 0), min(stop, size)
        count = (stop - start) if count_padding else high - low
        made[window, low:high] = 1.0 / (divisor if divisor is not None else count)
    return made


def adaptive_windows(size: int, windows: int) -> Array:
    """Returns the matrix (windows, size) of averages over windows that cover an axis evenly.

    Example:
        >>> adaptive_windows(3, 2)
        array([[0.5, 0.5, 0. ],
               [0. , 0.5, 0.5]])
    """
    made = np.zeros((windows, size))
    for window in range(windows):
        low, high = window * size // windows, -(-(window + 1) * size // windows)
        made[window, low:high] = 1.0 / (high - low)
    return made
