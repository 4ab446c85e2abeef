"""HIPS autograd: one forward pass, then one vector-Jacobian product for each cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd import make_vjp

from benchmarks.measure import Call
from benchmarks.peers import Contestant
from benchmarks.workloads import Data, Problem

VALUES: dict[str, Callable[[Any], Any]] = {
    "identity": lambda z: z,
    "relu": lambda z: anp.maximum(z, 0),
    "sigmoid": lambda z: 1 / (1 + anp.exp(-z)),
    "tanh": anp.tanh,
}


def _outputs(problem: Problem, parameters: dict[str, Any], x: Any, nudges: tuple[Any, ...] = ()) -> Any:
    activation = x
    for layer, name in zip(problem.layers, problem.activations, strict=True):
        z = anp.dot(activation, parameters[f"W{layer}"].T)
        if problem.bias:
            z = z + parameters[f"b{layer}"]
        if layer <= len(nudges):
            z = z + nudges[layer - 1]
        activation = VALUES[name](z)
    return activation


def _one_by_one(costs: Callable[[Any], Any], at: Any, count: int, dtype: str) -> list[Any]:
    pull_back, _ = make_vjp(costs)(at)
    return [pull_back(row) for row in np.eye(count, dtype=dtype)]


def _gradients_of(problem: Problem, data: Data) -> list[dict[str, Any]]:
    def costs(parameters: dict[str, Any]) -> Any:
        return anp.sum((_outputs(problem, parameters, data.x) - data.y) ** 2, axis=0)

    return _one_by_one(costs, data.parameters, problem.costs, problem.dtype)


def _gradients(problem: Problem) -> Call:
    data = problem.data()
    return Call(
        lambda _: _gradients_of(problem, data),
        numbers=lambda rows: {name: np.stack([row[name] for row in rows]) for name in data.parameters},
    )


def _gramian(problem: Problem) -> Call:
    data = problem.data()

    def run(_: None) -> Any:
        rows = _gradients_of(problem, data)
        flat = [np.stack([row[name].ravel() for row in rows]) for name in data.parameters]
        return sum(matrix @ matrix.T for matrix in flat)

    return Call(run, numbers=lambda result: {"Gramian": result})


def _cotangents(problem: Problem) -> Call:
    data = problem.data()
    widths = problem.sizes[1:-1]
    zeros = tuple(np.zeros((problem.batch, width), problem.dtype) for width in widths)

    def costs(nudges: tuple[Any, ...]) -> Any:
        return anp.sum((_outputs(problem, data.parameters, data.x, nudges) - data.y) ** 2, axis=0)

    return Call(
        lambda _: _one_by_one(costs, zeros, problem.costs, problem.dtype),
        numbers=lambda rows: {
            f"z{layer}": np.stack([row[layer - 1] for row in rows], axis=1) for layer in problem.layers[:-1]
        },
    )


def _input_jacobian(problem: Problem) -> Call:
    data = problem.data()

    def costs(x: Any) -> Any:
        return anp.sum((_outputs(problem, data.parameters, x) - data.y) ** 2, axis=0)

    return Call(
        lambda _: _one_by_one(costs, data.x, problem.costs, problem.dtype),
        numbers=lambda rows: {"x": np.stack(rows, axis=1)},
    )


CONTESTANTS = (
    Contestant("HIPS autograd", "gradients", _gradients),
    Contestant("HIPS autograd", "gramian", _gramian),
    Contestant("HIPS autograd", "cotangents", _cotangents),
    Contestant("HIPS autograd", "input_jacobian", _input_jacobian),
)
