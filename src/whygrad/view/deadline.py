"""A limit on the time that a calculation may take, in whatever thread it runs."""

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager

AGAIN = 0.5
"""Seconds after which the exception is raised once more, where it was swallowed."""


class OutOfTime(BaseException):
    """Raised inside a calculation that takes too long.

    Like KeyboardInterrupt it is no Exception: code that goes on after any Exception mustn't go on after this one.
    """


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raises OutOfTime in this thread where the block takes longer than some seconds.

    A single call into NumPy is not interrupted: the exception comes when it returns.

    Example:
        >>> try:
        ...     with deadline(0.1):
        ...         while True:
        ...             pass
        ... except OutOfTime:
        ...     print("stopped")
        stopped
    """
    thread = ctypes.c_ulong(threading.get_ident())
    raising, over = threading.Lock(), threading.Event()

    def watch() -> None:
        late = over.wait(seconds)
        while not late:
            with raising:
                if not over.is_set():
                    _raise_in(thread, OutOfTime)
            late = over.wait(AGAIN)

    threading.Thread(target=watch, daemon=True, name="whygrad deadline").start()
    try:
        yield
    finally:
        over.set()
        with raising:
            # One that was set in the last moment and has not come yet would come outside of the block.
            _raise_in(thread, None)


def _raise_in(thread: ctypes.c_ulong, what: type[BaseException] | None) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(what) if what else None)
