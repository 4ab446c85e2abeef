"""whygrad, through nothing but its public functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import whygrad as wg
from benchmarks.measure import Call
from benchmarks.peers import Contestant
from benchmarks.workloads import SWEEPS, Data, Problem


def network(problem: Problem) -> tuple[wg.Network, Data]:
    """The problem's network with its numbers, and the numbers."""
    data = problem.data()
    net = wg.Network(
        list(problem.sizes),
        activation=list(problem.activations),
        bias=problem.bias,
        cost="squared_error",
        parameters=data.parameters,
    )
    return net, data


def _gradients(problem: Problem) -> Call:
    net, data = network(problem)

    def run(_: None) -> dict[str, Any]:
        found = net.run(data.x, data.y).gradients()
        return {name: found[name] for name in data.parameters}

    return Call(run, numbers=lambda result: result)


def _gramian(problem: Problem) -> Call:
    net, data = network(problem)
    return Call(
        lambda _: net.run(data.x, data.y).gradients().gramian(),
        numbers=lambda result: {"Gramian": np.asarray(result)},
    )


def _example_gramian(problem: Problem) -> Call:
    net, data = network(problem)
    return Call(
        lambda _: net.run(data.x, data.y).gradients(by="example").gramian(),
        numbers=lambda result: {"Gramian": np.asarray(result)},
    )


def _input_jacobian(problem: Problem) -> Call:
    net, data = network(problem)
    return Call(
        lambda _: net.run(data.x, data.y).jacobian("x"), numbers=lambda result: {"x": np.asarray(result)}
    )


def _sweep(name: str) -> Callable[[Problem], Call]:
    def prepare(problem: Problem) -> Call:
        net, data = network(problem)
        return Call(lambda run: run.sweep(name), fresh=lambda: net.run(data.x, data.y))

    return prepare


def _paths(problem: Problem) -> Call:
    net, data = network(problem)

    def swept() -> Any:
        run = net.run(data.x, data.y)
        run.sweep("strongest")
        return run

    return Call(lambda run: run.paths(k=10), fresh=swept)


CONTESTANTS = (
    Contestant("whygrad", "gradients", _gradients),
    Contestant("whygrad", "gramian", _gramian),
    Contestant("whygrad", "example_gramian", _example_gramian),
    Contestant("whygrad", "input_jacobian", _input_jacobian),
    *(Contestant(f"whygrad {name}", "sweep", _sweep(name)) for name in SWEEPS),
    Contestant("whygrad", "paths", _paths),
)
