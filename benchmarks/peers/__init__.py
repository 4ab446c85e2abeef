"""The contestants, one small module for each library; a library that is not installed is named as missing."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.measure import Call
from benchmarks.workloads import Case, Task


@dataclass(frozen=True)
class Contestant:
    """One way to do a task with one library; `prepare` does what is not timed and returns what is.

    Both functions are given the case's problem: a `ModelProblem` where the task begins with model_.
    """

    name: str
    task: Task
    prepare: Callable[[Any], Call]
    applies: Callable[[Any], bool] = lambda problem: True


@dataclass(frozen=True)
class Peer:
    """A library: its module here, and the name under which it is installed."""

    title: str
    module: str
    distribution: str


PEERS = (
    Peer("whygrad", "whygrad_public", "whygrad"),
    Peer("whygrad.record", "whygrad_models", "whygrad"),
    Peer("NumPy by hand", "numpy_by_hand", "numpy"),
    Peer("torch by hand", "torch_by_hand", "torch"),
    Peer("torch autograd", "torch_autograd", "torch"),
    Peer("torch.func", "torch_func", "torch"),
    Peer("TorchJD", "torchjd_jacobians", "torchjd"),
    Peer("ASDL", "asdl_kernel", "asdfghjkl"),
    Peer("nngeometry", "nngeometry_gram", "nngeometry"),
    Peer("BackPACK", "backpack_grads", "backpack-for-pytorch"),
    Peer("Opacus", "opacus_samples", "opacus"),
    Peer("JAX", "jax_jit", "jax"),
    Peer("HIPS autograd", "hips_autograd", "autograd"),
    Peer("micrograd", "micrograd_scalars", "micrograd"),
)


def contestants(case: Case) -> tuple[list[Contestant], dict[str, str]]:
    """All contestants of a case, and for each peer that could not be imported the reason."""
    found: list[Contestant] = []
    missing: dict[str, str] = {}
    for peer in PEERS:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what a peer itself imports
                module = importlib.import_module(f"benchmarks.peers.{peer.module}")
        except ImportError as error:
            missing[peer.title] = str(error)
            continue
        candidates: tuple[Contestant, ...] = module.CONTESTANTS
        found += [each for each in candidates if each.task == case.task and each.applies(case.problem)]
    if case.only is not None:
        found = [each for each in found if each.name in case.only]
    return found, missing
