"""Pieces of work shared out among the cores: NumPy lets go of the interpreter inside its loops."""

import os
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

Piece = TypeVar("Piece")
Result = TypeVar("Result")


def for_each(work: Callable[[Piece], Result], pieces: Sequence[Piece], parallel: bool = True) -> list[Result]:
    """Returns what some work makes of each of some pieces that don't hang on each other, in their order.

    Args:
        work: What is done with a piece. Settings of the calling thread, such as ``np.errstate``, don't hold there.
        pieces: What there is to do.
        parallel: Whether it is enough to be worth more than one thread.

    Example:
        >>> for_each(lambda piece: piece**2, [1, 2, 3])
        [1, 4, 9]
    """
    if not parallel or len(pieces) < 2 or _cores() < 2:
        return [work(piece) for piece in pieces]
    return list(_pool().map(work, pieces))


@cache
def _cores() -> int:
    """Returns on how many cores this process may run."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _pool() -> "ThreadPoolExecutor":
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(max_workers=_cores())


if hasattr(
    os, "register_at_fork"
):  # a child has none of its parent's threads, and would wait for them for ever
    os.register_at_fork(after_in_child=_pool.cache_clear)
