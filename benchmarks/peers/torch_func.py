"""torch.func: `jacrev`, and `vmap` over examples."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.func import grad, jacrev, vmap

from benchmarks.measure import Call
from benchmarks.peers import Contestant
from benchmarks.peers.torch_models import build
from benchmarks.peers.torch_network import forward, gramian_of_rows, load, named, numpy, squared_errors
from benchmarks.workloads import ModelProblem, Problem


def _gradients(problem: Problem) -> Call:
    net = load(problem)
    parameters = {name: value.detach() for name, value in net.parameters.items()}

    def costs(parameters: dict[str, Tensor]) -> Tensor:
        return squared_errors(forward(problem, parameters, net.x)[0], net.y).sum(dim=0)

    jacobian = jacrev(costs)
    return Call(
        lambda _: jacobian(parameters),
        numbers=lambda result: named(net.names, [result[name] for name in net.names]),
    )


def _example_gramian(problem: Problem) -> Call:
    net = load(problem)
    parameters = {name: value.detach() for name, value in net.parameters.items()}

    def cost(parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return squared_errors(forward(problem, parameters, x)[0], y).sum()

    per_example = vmap(grad(cost), in_dims=(None, 0, 0))

    def run(_: None) -> Tensor:
        return gramian_of_rows(list(per_example(parameters, net.x, net.y).values()))

    return Call(run, numbers=lambda result: {"Gramian": numpy(result)})


def _cotangents(problem: Problem) -> Call:
    net = load(problem)
    parameters = {name: value.detach() for name, value in net.parameters.items()}
    nudges = tuple(net.x.new_zeros(problem.sizes[layer]) for layer in problem.layers[:-1])

    def costs(nudges: tuple[Tensor, ...], x: Tensor, y: Tensor) -> Tensor:
        return squared_errors(forward(problem, parameters, x, nudges)[0], y)

    jacobian = vmap(jacrev(costs), in_dims=(None, 0, 0))
    names = [f"z{layer}" for layer in problem.layers[:-1]]
    return Call(lambda _: jacobian(nudges, net.x, net.y), numbers=lambda result: named(names, result))


def _input_jacobian(problem: Problem) -> Call:
    net = load(problem)
    parameters = {name: value.detach() for name, value in net.parameters.items()}

    def costs(x: Tensor, y: Tensor) -> Tensor:
        return squared_errors(forward(problem, parameters, x)[0], y)

    jacobian = vmap(jacrev(costs))

    def run(_: None) -> Any:
        with torch.no_grad():
            return jacobian(net.x, net.y)

    return Call(run, numbers=lambda result: {"x": numpy(result)})


def _model_gradients(problem: ModelProblem) -> Call:
    net = build(problem)
    parameters = {name: value.detach() for name, value in net.parameters.items()}
    jacobian = jacrev(lambda given: net.values_with(given, net.batch))
    return Call(
        lambda _: jacobian(parameters),
        numbers=lambda result: net.named(result[name] for name in net.parameters),
    )


def _model_gramian(problem: ModelProblem) -> Call:
    net = build(problem)
    parameters = {name: value.detach() for name, value in net.parameters.items()}
    jacobian = jacrev(lambda given: net.values_with(given, net.batch))
    return Call(
        lambda _: gramian_of_rows(list(jacobian(parameters).values())),
        numbers=lambda result: {"Gramian": numpy(result)},
    )


def _model_example_gramian(problem: ModelProblem) -> Call:
    net = build(problem)
    parameters = {name: value.detach() for name, value in net.parameters.items()}

    def cost(given: dict[str, Tensor], x: Tensor, kind: Tensor) -> Tensor:
        return net.values_with(given, (x[None], kind[None]))[0]

    per_example = vmap(grad(cost), in_dims=(None, 0, 0))
    return Call(
        lambda _: gramian_of_rows(list(per_example(parameters, *net.batch).values())),
        numbers=lambda result: {"Gramian": numpy(result)},
    )


CONTESTANTS = (
    Contestant("torch.func", "gradients", _gradients),
    Contestant("torch.func", "example_gramian", _example_gramian),
    Contestant("torch.func", "cotangents", _cotangents),
    Contestant("torch.func", "input_jacobian", _input_jacobian),
    Contestant("torch.func", "model_gradients", _model_gradients),
    Contestant("torch.func", "model_gramian", _model_gramian),
    Contestant("torch.func", "model_example_gramian", _model_example_gramian),
)
