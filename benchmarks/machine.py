"""What the figures depend on: the processor, the operating system, the threads and everybody's versions."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, MutableMapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def describe() -> dict[str, str]:
    """Processor, number of cores, memory, system and Python."""
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "memory": _memory(),
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
    }


def versions(distributions: Iterable[str]) -> dict[str, str]:
    """Installed version of each distribution; those that are not installed are left out."""
    found = {}
    for name in distributions:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def limit_threads(environment: MutableMapping[str, str], threads: int) -> None:
    """Sets the variables that BLAS libraries and OpenMP read when they are loaded."""
    for variable in THREAD_VARIABLES:
        environment[variable] = str(threads)


def pin(threads: int) -> None:
    """Keeps this process on its first `threads` cores: the only limit that JAX's own pool keeps to."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))[:threads]
        os.sched_setaffinity(0, cores)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown"


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    except (ValueError, OSError):
        return "unknown"
