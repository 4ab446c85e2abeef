"""Work that is shared out among the cores."""

import os
import subprocess
import sys

import pytest

from whygrad import threads
from whygrad.threads import for_each


def test_pieces_come_in_their_order_and_errors_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_cores", lambda: 3)
    threads._pool.cache_clear()
    try:
        assert for_each(lambda piece: piece**2, range(50)) == [piece**2 for piece in range(50)]
        with pytest.raises(ZeroDivisionError):
            for_each(lambda piece: 1 / piece, [1, 0, 2])
    finally:
        threads._pool().shutdown()
        threads._pool.cache_clear()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork, which this system doesn't have")
def test_a_forked_child_has_threads_of_its_own() -> None:
    script = """
import os
import threading
import time
from whygrad import threads
threads._cores = lambda: 2
together = threading.Barrier(2)
threads.for_each(lambda piece: together.wait(), [1, 2])  # two threads, which wait for more
time.sleep(0.2)
if (child := os.fork()) == 0:
    os._exit(7 if threads.for_each(abs, [-3, -4]) == [3, 4] else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", script], timeout=60)
    assert run.returncode == 0
