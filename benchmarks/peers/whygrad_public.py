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


def _small(problem: Problem) -> bool:
    net, data = network(problem)
    return net.small is not None and len(data.x) == 1


def _generated(problem: Problem) -> Call:
    """The scalar program that a small network runs, by itself: Python numbers in and out, nothing checked."""
    net, data = network(problem)
    assert net.small is not None
    given = (*data.x.ravel().tolist(), *data.y.ravel().tolist(), *net.small.parameters)
    program = net.small.program

    def numbers(result: list[float]) -> dict[str, Any]:
        return {name: np.array(result[a:b]).reshape(shape) for name, a, b, shape in program.slices}

    return Call(lambda _: program.run(*given), numbers=numbers)


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


def _example_gramian_per_parameter(problem: Problem) -> Call:
    """Each parameter's own Gramian, and their sum."""
    net, data = network(problem)

    def run(_: None) -> tuple[list[Any], Any]:
        gradients = net.run(data.x, data.y).gradients(by="example")
        shares = [gradients.gramian(name) for name in data.parameters]
        return shares, sum(shares)

    return Call(run, numbers=lambda result: {"Gramian": np.asarray(result[1])})


def _hidden_rows(problem: Problem, factors: Any) -> dict[str, Any]:
    return {f"z{layer}": factors[f"W{layer}"].cotangent.transpose(1, 0, 2) for layer in problem.layers[:-1]}


def _factors(problem: Problem) -> Call:
    """The factors as they are: below a narrow layer they stay a product, multiplied for the comparison."""
    net, data = network(problem)
    return Call(
        lambda _: net.run(data.x, data.y).gradients().factors,
        numbers=lambda factors: _hidden_rows(problem, factors),
    )


def _factors_multiplied(problem: Problem) -> Call:
    """The same, with a row for every cost written out: what the peers return."""
    net, data = network(problem)
    return Call(
        lambda _: _hidden_rows(problem, net.run(data.x, data.y).gradients().factors),
        numbers=lambda result: result,
    )


def _input_jacobian(problem: Problem) -> Call:
    net, data = network(problem)
    return Call(
        lambda _: net.run(data.x, data.y).jacobian("x"), numbers=lambda result: {"x": np.asarray(result)}
    )


def _sweep(name: str) -> Callable[[Problem], Call]:
    """The sweep to every parameter's values. It is made when the values are first read, so they are read."""

    def prepare(problem: Problem) -> Call:
        net, data = network(problem)

        def recorded() -> Any:
            run = net.run(data.x, data.y)
            _ = run.recorded  # the forward pass, which is not counted
            return run

        def run(recorded: Any) -> dict[str, Any]:
            values = recorded.sweep(name)
            return {parameter: values.array(parameter) for parameter in data.parameters}

        return Call(run, numbers=(lambda result: result) if name == "gradient" else None, fresh=recorded)

    return prepare


def _paths(problem: Problem) -> Call:
    net, data = network(problem)

    def swept() -> Any:
        run = net.run(data.x, data.y)
        for parameter in data.parameters:
            run.sweep("strongest").array(parameter)
        return run

    def run(swept: Any) -> tuple[Any, Any]:
        paths = swept.paths(k=10)  # found when they are first read
        return paths.contribution, paths.quantities

    return Call(run, numbers=lambda result: {"contributions": np.asarray(result[0])}, fresh=swept)


CONTESTANTS = (
    Contestant("whygrad", "gradients", _gradients),
    Contestant("whygrad, generated lines alone", "gradients", _generated, _small),
    Contestant("whygrad", "gramian", _gramian),
    Contestant("whygrad", "example_gramian", _example_gramian),
    Contestant("whygrad, per parameter", "example_gramian", _example_gramian_per_parameter),
    Contestant("whygrad", "cotangents", _factors),
    Contestant("whygrad, multiplied out", "cotangents", _factors_multiplied),
    Contestant("whygrad", "input_jacobian", _input_jacobian),
    *(Contestant(f"whygrad {name}", "sweep", _sweep(name)) for name in SWEEPS),
    Contestant("whygrad", "paths", _paths),
)
