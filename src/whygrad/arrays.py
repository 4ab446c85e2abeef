"""What NumPy and PyTorch spell differently, in one place; everything else is the array API standard's ``xp``.

The namespace ``xp`` of a computation is ``numpy`` or ``array_api_compat.torch``. Arrays stay on their device and keep
their type: whatever is made here is made like an array that is there.
"""

import math
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import cache
from typing import Any, TypeAlias

import numpy as np

# NumPy's or PyTorch's: no type that a checker knows has what both have in common.
Array: TypeAlias = Any

# Larger blocks don't change what glibc keeps: its limit is 32 MiB.
KEPT_BYTES = 31 * 1024 * 1024


def style(xp: Any) -> str:
    """Returns the style in which formulas are written for arrays of a namespace: ``numpy`` or ``torch``.

    Example:
        >>> style(np)
        'numpy'
    """
    return "numpy" if xp is np else "torch"


def in_numpy(array: Array) -> Array:
    """Returns an array of any namespace and device as a NumPy array on the host, without a copy where that can be.

    Example:
        >>> in_numpy(np.array([1.0, 2.0]))
        array([1., 2.])
    """
    if isinstance(array, (np.ndarray, np.generic)):
        return np.asarray(array)
    host = array.detach().cpu()
    # NumPy has no bfloat16
    return (host.float() if "bfloat16" in str(host.dtype) else host).numpy()


def on_host(array: Array) -> bool:
    """Returns whether an array lies in the host's memory, where NumPy can see it.

    Example:
        >>> on_host(np.array([1.0, 2.0]))
        True
    """
    return str(array.device) == "cpu"


def beside(array: Array, other: Array) -> Array:
    """Returns an array on the device of another; the array itself where it is there.

    Example:
        >>> one = np.array([1.0])
        >>> beside(one, np.array([2.0])) is one
        True
    """
    return array if array.device == other.device else array.to(other.device)


def cast(array: Array, dtype: Any) -> Array:
    """Returns the array with another type of numbers; the array itself where it has that type."""
    if isinstance(array, (np.ndarray, np.generic)):
        return array.astype(dtype, copy=False)
    if "bool" in str(array.dtype):
        # PyTorch converts bytes seven times faster than truth values, which are the bytes 0 and 1
        array = array.view(dtype=sys.modules["torch"].uint8)
    return array.to(dtype)


def filled(shape: tuple[int, ...], value: float, like: Array, xp: Any) -> Array:
    """Returns an array of one value, with the type and on the device of another."""
    return xp.full(shape, value, dtype=like.dtype, device=like.device)


def wide(value: Any, like: Array, xp: Any) -> Array:
    """Returns a value (an array or a number) with the type, on the device and in the shape of an array."""
    made = xp.asarray(value, dtype=like.dtype, device=like.device)
    return made if made.shape == like.shape else xp.broadcast_to(made, like.shape)


def shares_memory(array: Array, other: Array) -> bool:
    """Returns whether two arrays of one namespace may see the same memory.

    Example:
        >>> array = np.zeros(4)
        >>> shares_memory(array, array[2:]), shares_memory(array, array + 1)
        (True, False)
    """
    if isinstance(array, np.ndarray):
        return np.may_share_memory(array, other)
    return bool(array.untyped_storage().data_ptr() == other.untyped_storage().data_ptr())


def multiplied_onto(array: Array, factor: Array) -> Array:
    """Returns array * factor, written over the array where each entry has a place of its own and the product fits.

    Example:
        >>> array = np.ones(2)
        >>> multiplied_onto(array, np.array([2.0, 3.0])) is array
        True
    """
    if not _holds(array, factor):
        return array * factor
    array *= factor
    return array


@cache
def keep_memory() -> None:
    """Sees to it that the memory of arrays that are let go of is there for the next, which else wait for new pages.

    The C library gives memory back to the system once more is free than twice the largest block that it was given
    back so far. That made backward passes of a small transformer a fifth slower, and blocks of pairs up to four times.

    Example:
        >>> keep_memory()
    """
    np.empty(KEPT_BYTES, dtype=np.uint8)


def added_onto(array: Array, term: Array) -> Array:
    """Returns array + term, written over the array where each entry has a place of its own and the sum fits.

    Example:
        >>> array = np.ones(2)
        >>> added_onto(array, np.array([2.0, 3.0])) is array
        True
    """
    if not _holds(array, term):
        return array + term
    array += term
    return array


def _holds(array: Array, other: Array) -> bool:
    """Returns whether what is made of two arrays, entry by entry, can be written over the first."""
    fits = array.shape == other.shape or np.broadcast_shapes(array.shape, other.shape) == array.shape
    return fits and array.dtype == other.dtype and contiguous(array)


def contiguous(array: Array) -> bool:
    """Returns whether an array's entries follow each other in memory, each in a place of its own.

    Example:
        >>> contiguous(np.zeros((2, 3))), contiguous(np.zeros((2, 3)).T)
        (True, False)
    """
    return bool(array.flags.c_contiguous if isinstance(array, np.ndarray) else array.is_contiguous())


def log_onto(array: Array, xp: Any) -> Array:
    """Returns the natural logarithm of an array of positive numbers, which may be written over it.

    Example:
        >>> log_onto(np.array([1.0]), np)
        array([0.])
    """
    if xp is np:
        return np.log(array, out=array if isinstance(array, np.ndarray) else None)
    if on_host(array) and array.dtype in (xp.float32, xp.float64):
        # NumPy takes a third of the time that PyTorch takes, and sees the same memory.
        np.log(array.numpy(), out=array.numpy())
        return array
    return array.log_()


def ldexp(part: Array, exponent: int, xp: Any) -> Array:
    """Returns part * 2**exponent, infinite or zero only where the product is, not where 2**exponent is."""
    if not exponent:
        return part
    if xp is np:
        with np.errstate(over="ignore", under="ignore"):
            return np.ldexp(part, exponent)
    most = largest_exponent(part.dtype, xp) - 2
    while exponent:
        step = max(-most, min(most, exponent))
        part = part * 2.0**step
        exponent -= step
    return part


@cache
def largest_exponent(dtype: Any, xp: Any) -> int:
    """Returns the exponent of the power of two next above all numbers of a type.

    Example:
        >>> largest_exponent(np.dtype("float32"), np)
        128
    """
    return math.frexp(float(xp.finfo(dtype).max))[1]


def extremes(array: Array) -> tuple[float, float]:
    """Returns the smallest and the largest entry; NaN where one is.

    Example:
        >>> extremes(np.array([1.0, -2.0]))
        (-2.0, 1.0)
    """
    if isinstance(array, (np.ndarray, np.generic)):
        return float(np.min(array)), float(np.max(array))
    low, high = array.aminmax()
    return float(low), float(high)


def best(kept: str, xp: Any) -> Any:
    """Returns the function of two arrays that keeps the ``largest``, …, ``smallest known`` (NaN passed over)."""
    return {
        "largest": xp.maximum,
        "smallest": xp.minimum,
        "largest known": xp.fmax,
        "smallest known": xp.fmin,
    }[kept]


def best_along(kept: str, part: Array, axis: int, xp: Any) -> Array:
    """Returns the best along an axis, which stays with length 1."""
    if xp is np:
        return best(kept, np).reduce(part, axis=axis, keepdims=True)
    extreme = xp.amax if kept.startswith("largest") else xp.amin
    if not kept.endswith("known"):
        return extreme(part, dim=axis, keepdim=True)
    unknown = xp.isnan(part)
    made = extreme(xp.where(unknown, _worst(kept), part), dim=axis, keepdim=True)
    return xp.where(xp.all(unknown, axis=axis, keepdims=True), math.nan, made)


def _worst(kept: str) -> float:
    return -math.inf if kept.startswith("largest") else math.inf


def ascending(array: Array, xp: Any) -> Array:
    """Returns the array with each row, along its last axis, sorted; NaN last.

    Example:
        >>> ascending(np.array([[3.0, 1.0, 2.0]]), np)
        array([[1., 2., 3.]])
    """
    return (
        xp.asarray(np.sort(in_numpy(array), axis=-1))
        if _sorted_by_numpy(array, xp)
        else xp.sort(array, axis=-1)
    )


def ascending_order(array: Array, xp: Any) -> Array:
    """Returns the places of each row's entries, along the last axis, from the smallest to the largest; NaN last.

    Example:
        >>> ascending_order(np.array([[3.0, 1.0, 2.0]]), np)
        array([[1, 2, 0]])
    """
    if _sorted_by_numpy(array, xp):
        return xp.asarray(np.argsort(in_numpy(array), axis=-1))
    return xp.argsort(array, axis=-1)


def _sorted_by_numpy(array: Array, xp: Any) -> bool:
    # NumPy takes half of the time that PyTorch takes, and a twentieth for short rows.
    return xp is not np and on_host(array) and array.dtype in (xp.float32, xp.float64)


def along(array: Array, places: Array, xp: Any) -> Array:
    """Returns the entries of rows (…, n) at places (…, m) along the last axis; places (m) are broadcast.

    Example:
        >>> along(np.array([[[3.0, 1.0]], [[4.0, 2.0]]]), np.array([[1, 0]]), np)
        array([[[1., 3.]],
        <BLANKLINE>
               [[2., 4.]]])
    """
    places = xp.broadcast_to(places, (*array.shape[:-1], places.shape[-1]))
    if xp is not np:
        # a fifth of the time that the standard's take_along_axis takes
        return sys.modules["torch"].gather(array, -1, places)
    return np.take_along_axis(array, places, axis=-1)


def placed_along(array: Array, places: Array, xp: Any) -> Array:
    """Returns rows in which each entry of ``array`` (…, n) is at its place (…, n): what ``along`` undoes.

    Example:
        >>> placed_along(np.array([[1.0, 2.0, 3.0]]), np.array([[1, 2, 0]]), np)
        array([[3., 1., 2.]])
    """
    places = xp.broadcast_to(places, array.shape)
    made = xp.empty_like(array)
    if xp is not np:
        return made.scatter_(-1, places, array)
    np.put_along_axis(made, places, array, axis=-1)
    return made


def searched(ordered: Array, values: Array, xp: Any) -> Array:
    """Returns how many entries of each ascending row (rows, n) are below each value (rows, m) of the same row.

    Example:
        >>> searched(np.array([[1.0, 2.0, 3.0]]), np.array([[0.0, 2.5]]), np)
        array([[0, 2]])
    """
    if xp is np:
        return np.stack([np.searchsorted(row, value) for row, value in zip(ordered, values, strict=True)])
    return sys.modules["torch"].searchsorted(ordered, values)


def scatter_sum(part: Array, index: Array, size: int, xp: Any) -> Array:
    """Returns (rows, size, …): the sums of the entries of a (rows, n, …) that go to each of ``size`` places."""
    made = filled((part.shape[0], size, *part.shape[2:]), 0.0, part, xp)
    scatter_onto(made, part, index, xp)
    return made


def scatter_onto(made: Array, part: Array, index: Array, xp: Any) -> None:
    """Adds the entries of a (rows, n, …) to those of a contiguous array (rows, size, …) at n of its places.

    Example:
        >>> made = np.zeros((1, 2))
        >>> scatter_onto(made, np.array([[1.0, 2.0, 3.0]]), np.array([1, 0, 1]), np)
        >>> made
        array([[2., 4.]])
    """
    if xp is np:
        # one number after the other: five times quicker than NumPy's own way along several axes
        inner = math.prod(part.shape[2:])
        rows = np.arange(part.shape[0])[:, None, None] * (made.shape[1] * inner)
        places = rows + (index[:, None] * inner + np.arange(inner))
        np.add.at(made.reshape(-1), places.reshape(-1), part.reshape(-1))
    else:
        made.index_add_(1, index, part)


def scatter_best(kept: str, part: Array, index: Array, size: int, none: float, xp: Any) -> Array:
    """Returns (rows, size, …): the best of the entries of a (rows, n, …) at each place, and ``none``."""
    made = filled((part.shape[0], size, *part.shape[2:]), none, part, xp)
    if xp is np:
        best(kept, np).at(made, (slice(None), index), part)
        return made
    known = kept.endswith("known")
    # PyTorch's reductions let NaN win: the worst there is stands for it, and is NaN again where nothing else came.
    worst = _worst(kept)
    unknown = xp.isnan(part)
    if known:
        part = xp.where(unknown, worst, part)
        made = xp.full_like(made, worst)
    where = index.reshape(1, -1, *(1,) * (len(part.shape) - 2)).expand(part.shape)
    made.scatter_reduce_(1, where, part, "amax" if kept.startswith("largest") else "amin")
    if not known:
        return made
    heard = xp.zeros_like(made, dtype=xp.float32).index_add_(1, index, cast(~unknown, xp.float32))
    return xp.where(heard > 0, made, math.nan)


def unrounded(xp: Any) -> AbstractContextManager[Any]:
    """Returns a block in which PyTorch's autocast, where a caller has it on, doesn't round what is computed."""
    made = ExitStack()
    if xp is not np:
        torch = sys.modules["torch"]
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                made.enter_context(torch.autocast(device, enabled=False))
    return made


def inner_products(rows: Array, xp: Any) -> Array:
    """Returns the inner products (..., n, n) of rows (..., n, m), in double precision where theirs is too narrow.

    The square of a number leaves the range of single precision sooner than the number does: below 1e-23, above 1e19.

    Example:
        >>> inner_products(np.array([[3e-30, 4e-30]], np.float32), np).round(62)
        array([[2.5e-59]])
    """
    if rows.dtype not in (xp.float32, xp.float64):
        rows = cast(rows, xp.float32)
    made = xp.matmul(rows, xp.matrix_transpose(rows))
    if in_range(made, xp, lambda: xp.any(rows != 0, axis=-1)):
        return made
    rows = cast(rows, xp.float64)
    return xp.matmul(rows, xp.matrix_transpose(rows))


def in_range(products: Array, xp: Any, there: Callable[[], Array]) -> bool:
    """Returns whether inner products are what they should be; ``there`` says which rows aren't 0."""
    if products.dtype == xp.float64:
        return True
    squares = xp.linalg.diagonal(products)
    if bool(xp.all((squares > 1e-30) & (squares < 1e37))):
        return True
    fine = (squares > 1e-30) | ((squares == 0) & ~there())
    return bool(xp.all(fine & (squares < 1e37)))
