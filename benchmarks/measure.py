"""Measuring: interleaved rounds that are judged for disturbance, and added memory by the kernel's peak."""

from __future__ import annotations

import ctypes
import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SAMPLE_SECONDS = 0.02
"""A sample repeats a fast call until it takes about this long."""

SETTLE_SECONDS = 0.03
"""Pause before a sample: threads of the contestant before it spin for a while after their last product."""

SLOW_SECONDS = 1.0
SLOW_ROUNDS = 3
"""A call slower than SLOW_SECONDS takes part in this many rounds only."""

FOREIGN_CORES = 0.15
"""A round is disturbed where other processes (or the host) used more than this much of one core."""


@dataclass(frozen=True)
class Call:
    """What is timed: `run(state)`, where `state` is what the untimed `fresh()` returns.

    `numbers` turns the result into arrays by name, to be compared with the others'. None: nothing to compare.
    """

    run: Callable[[Any], Any]
    numbers: Callable[[Any], dict[str, Any]] | None = None
    fresh: Callable[[], Any] | None = None

    def once(self) -> Any:
        """The result of one call, with a fresh state."""
        return self.run(self.fresh() if self.fresh else None)


@dataclass
class Rounds:
    """Seconds per call, by contestant and round; None where a contestant sat a round out.

    `foreign` is how many cores others used in each round that was kept, `rejected` how many rounds were not.
    """

    seconds: dict[str, list[float | None]] = field(default_factory=dict)
    foreign: list[float] = field(default_factory=list)
    rejected: int = 0

    @property
    def disturbed(self) -> bool:
        """Whether rounds had to be kept although others were using the machine."""
        return any(load > FOREIGN_CORES for load in self.foreign)

    def median(self, name: str) -> float:
        """Median seconds of one call."""
        return statistics.median(self._present(name))

    def spread(self, name: str) -> float:
        """Half of the distance between the quartiles, relative to the median."""
        present = self._present(name)
        if len(present) < 4:
            return (max(present) - min(present)) / 2 / statistics.median(present)
        low, middle, high = statistics.quantiles(present, n=4)
        return (high - low) / 2 / middle

    def ratio(self, name: str, reference: str) -> float:
        """Median over rounds of `name`'s time divided by `reference`'s time in the same round."""
        pairs = zip(self.seconds[name], self.seconds[reference], strict=True)
        return statistics.median(a / b for a, b in pairs if a is not None and b is not None)

    def _present(self, name: str) -> list[float]:
        return [seconds for seconds in self.seconds[name] if seconds is not None]


class LoadMeter:
    """How many cores others use: what /proc/stat counts as busy or stolen, less this process's own time."""

    def __init__(self) -> None:
        self._busy, self._own, self._clock = self._now()

    def foreign_cores(self) -> float:
        """Cores used by others since the meter was made; 0 where the system does not tell."""
        busy, own, clock = self._now()
        return max(0.0, ((busy - self._busy) - (own - self._own)) / max(clock - self._clock, 1e-9))

    @staticmethod
    def _now() -> tuple[float, float, float]:
        own, clock = time.process_time(), time.perf_counter()
        try:
            fields = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        except OSError:
            return own, own, clock
        user, nice, system, _idle, _wait, irq, soft, steal = fields
        return (user + nice + system + irq + soft + steal) / 100, own, clock  # in hundredths of a second


def wait_for_quiet(patience: float, window: float = 1.0) -> bool:
    """Whether others left the machine alone for `window` seconds; waits at most `patience` seconds."""
    deadline = time.perf_counter() + patience
    while True:
        meter = LoadMeter()
        time.sleep(window)
        if meter.foreign_cores() <= FOREIGN_CORES:
            return True
        if time.perf_counter() > deadline:
            return False


def sample(call: Call, number: int) -> float:
    """Mean seconds of `number` calls; the making of fresh states is not counted."""
    if call.fresh is None:
        start = time.perf_counter()
        for _ in range(number):
            call.run(None)
        return (time.perf_counter() - start) / number
    seconds = 0.0
    for _ in range(number):
        state = call.fresh()
        start = time.perf_counter()
        call.run(state)
        seconds += time.perf_counter() - start
    return seconds / number


def measure(
    calls: Mapping[str, Call], rounds: int, patience: float = 60.0, settle: float = SETTLE_SECONDS
) -> Rounds:
    """Times of all calls, interleaved: each round runs every contestant, in an order that rotates.

    A disturbed round is thrown away and repeated until `patience` seconds of work have been thrown away; then
    rounds are kept as they are, and `Rounds.disturbed` says so.
    """
    expected = {name: _calibrate(call) for name, call in calls.items()}
    result = Rounds({name: [] for name in calls})
    names = list(calls)
    wasted = 0.0
    while len(result.foreign) < rounds:
        kept = len(result.foreign)
        order = names[kept % len(names) :] + names[: kept % len(names)]
        meter, start = LoadMeter(), time.perf_counter()
        times: dict[str, float | None] = {}
        for name in order:
            sits_out = expected[name] > SLOW_SECONDS and kept >= SLOW_ROUNDS
            times[name] = None if sits_out else _settled(calls[name], expected[name], settle)
        foreign = meter.foreign_cores()
        if foreign > FOREIGN_CORES and wasted < patience:
            wasted += time.perf_counter() - start
            result.rejected += 1
            continue
        result.foreign.append(foreign)
        for name, seconds in times.items():
            result.seconds[name].append(seconds)
    return result


def _calibrate(call: Call) -> float:
    """Seconds of one call once it is warm: the second one, or the mean of several where it is fast."""
    seconds = sample(call, 1)
    if seconds > SLOW_SECONDS:
        return seconds
    seconds = sample(call, 1)
    return seconds if seconds > SAMPLE_SECONDS else sample(call, 5)


def _settled(call: Call, expected: float, settle: float) -> float:
    """One sample, after a pause and, unless the call is slow, an uncounted warm-up for the caches."""
    gc.collect()
    time.sleep(settle)
    number = max(1, min(2000, round(SAMPLE_SECONDS / expected)))
    gc.disable()
    try:
        if expected < 0.2:
            sample(call, max(1, number // 4))
        return sample(call, number)
    finally:
        gc.enable()


def added_mebibytes(call: Call) -> float:
    """Peak memory that one call adds to the process, its result included, in MiB.

    The call has run once before, so caches, thread pools and compiled code are there already. The kernel's
    peak counter is then reset (`/proc/self/clear_refs`), and the peak after the call is compared with what
    was resident before it. Only on Linux; run it in a process of its own, with large allocations returned to
    the system when they are freed (`MALLOC_MMAP_THRESHOLD_`), as `benchmarks.worker` does.
    """
    state = call.fresh() if call.fresh else None
    call.run(state)
    state = call.fresh() if call.fresh else None
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = _status_kibibytes("VmRSS")
    result = call.run(state)
    peak = _status_kibibytes("VmHWM")
    del result
    return (peak - before) / 1024


def _status_kibibytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))
