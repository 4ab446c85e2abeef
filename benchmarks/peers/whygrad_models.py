"""whygrad on recorded PyTorch models, through nothing but its public functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import whygrad as wg
from benchmarks.measure import Call
from benchmarks.models import SWEEPS
from benchmarks.peers import Contestant
from benchmarks.peers.torch_models import TorchModel, build
from benchmarks.peers.torch_network import numpy
from benchmarks.workloads import ModelProblem


def _record(net: TorchModel) -> Any:
    return wg.record(net.model, net.batch, costs=net.costs)


def _gradients(record_before: bool) -> Callable[[ModelProblem], Call]:
    """Every cost's gradients as arrays; the recording, which is the forward pass, is counted or done before."""

    def prepare(problem: ModelProblem) -> Call:
        net = build(problem)

        def run(recorded: Any) -> dict[str, Any]:
            found = (_record(net) if recorded is None else recorded).gradients()
            return {name: found[name] for name in net.parameters}

        return Call(
            run,
            numbers=lambda result: net.named(result.values()),
            fresh=(lambda: _record(net)) if record_before else None,
        )

    return prepare


def _gramian(problem: ModelProblem) -> Call:
    net = build(problem)
    return Call(
        lambda _: _record(net).gradients().gramian(), numbers=lambda result: {"Gramian": numpy(result)}
    )


def _recording(problem: ModelProblem) -> Call:
    net = build(problem)
    return Call(
        lambda _: _record(net), numbers=lambda result: {"costs": np.array(list(result.costs.values()))}
    )


def _sweep(name: str) -> Callable[[ModelProblem], Call]:
    """The sweep to every parameter's values. It is made when the values are first read, so they are read."""

    def prepare(problem: ModelProblem) -> Call:
        net = build(problem)

        def run(recorded: Any) -> dict[str, Any]:
            values = recorded.sweep(name)
            return {parameter: values.array(parameter) for parameter in net.parameters}

        plain = name == "gradient"
        return Call(
            run,
            numbers=(lambda result: net.named(result.values())) if plain else None,
            fresh=lambda: _record(net),
        )

    return prepare


CONTESTANTS = (
    Contestant("whygrad", "model_gradients", _gradients(record_before=False)),
    Contestant("whygrad, recorded before", "model_gradients", _gradients(record_before=True)),
    Contestant("whygrad", "model_gramian", _gramian),
    Contestant("whygrad", "model_example_gramian", _gramian),
    Contestant("whygrad record", "model_recording", _recording),
    *(Contestant(f"whygrad {name}", "model_sweep", _sweep(name)) for name in SWEEPS),
)
