"""TorchJD: `autojac.jac` for gradients, batched and one by one, and `autogram.Engine` for Gramians."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torchjd.autogram import Engine
from torchjd.autojac import jac

from benchmarks.measure import Call
from benchmarks.peers import Contestant
from benchmarks.peers.torch_models import build
from benchmarks.peers.torch_network import (
    TorchProblem,
    forward,
    gramian_of_rows,
    load,
    module,
    named,
    numpy,
    squared_errors,
)
from benchmarks.workloads import ModelProblem, Problem


def _costs(net: TorchProblem) -> tuple[Tensor, list[Tensor]]:
    outputs, pre_activations = forward(net.problem, net.parameters, net.x)
    return squared_errors(outputs, net.y).sum(dim=0), pre_activations


def _gradients(chunk: int | None) -> Callable[[Problem], Call]:
    def prepare(problem: Problem) -> Call:
        net = load(problem)
        return Call(
            lambda _: jac(_costs(net)[0], net.leaves, parallel_chunk_size=chunk),
            numbers=lambda result: named(net.names, result),
        )

    return prepare


def _gramian_of_jacobian(problem: Problem) -> Call:
    net = load(problem)
    return Call(
        lambda _: gramian_of_rows(jac(_costs(net)[0], net.leaves)),
        numbers=lambda result: {"Gramian": numpy(result)},
    )


def _gramian(problem: Problem) -> Call:
    net, model = load(problem), module(problem)
    engine = Engine(model, batch_dim=None)
    return Call(
        lambda _: engine.compute_gramian(squared_errors(model(net.x), net.y).sum(dim=0)),
        numbers=lambda result: {"Gramian": numpy(result)},
    )


def _example_gramian(problem: Problem) -> Call:
    net, model = load(problem), module(problem)
    engine = Engine(model, batch_dim=0)
    return Call(
        lambda _: engine.compute_gramian(squared_errors(model(net.x), net.y).sum(dim=1)),
        numbers=lambda result: {"Gramian": numpy(result)},
    )


def _example_gramian_of_jacobian(problem: Problem) -> Call:
    net = load(problem)

    def run(_: None) -> Tensor:
        outputs, _z = forward(problem, net.parameters, net.x)
        return gramian_of_rows(jac(squared_errors(outputs, net.y).sum(dim=1), net.leaves))

    return Call(run, numbers=lambda result: {"Gramian": numpy(result)})


def _cotangents(problem: Problem) -> Call:
    net = load(problem)

    def run(_: None) -> tuple[Tensor, ...]:
        costs, pre_activations = _costs(net)
        return jac(costs, pre_activations[:-1])

    names = [f"z{layer}" for layer in problem.layers[:-1]]
    return Call(run, numbers=lambda result: named(names, [part.transpose(0, 1) for part in result]))


def _input_jacobian(problem: Problem) -> Call:
    net = load(problem)
    frozen = {name: value.detach() for name, value in net.parameters.items()}
    x = net.x.clone().requires_grad_()

    def run(_: None) -> tuple[Tensor, ...]:
        outputs, _z = forward(problem, frozen, x)
        return jac(squared_errors(outputs, net.y).sum(dim=0), x)

    return Call(run, numbers=lambda result: {"x": numpy(result[0].transpose(0, 1))})


def _model_gradients(chunk: int | None) -> Callable[[ModelProblem], Call]:
    def prepare(problem: ModelProblem) -> Call:
        net = build(problem)
        return Call(lambda _: jac(net.values(), net.leaves, parallel_chunk_size=chunk), numbers=net.named)

    return prepare


def _model_gramian_of_jacobian(problem: ModelProblem) -> Call:
    net = build(problem)
    return Call(
        lambda _: gramian_of_rows(jac(net.values(), net.leaves)),
        numbers=lambda result: {"Gramian": numpy(result)},
    )


def _model_gramian(batch_dim: int | None) -> Callable[[ModelProblem], Call]:
    def prepare(problem: ModelProblem) -> Call:
        net = build(problem)
        engine = Engine(net.model, batch_dim=batch_dim)
        return Call(
            lambda _: engine.compute_gramian(net.values()), numbers=lambda result: {"Gramian": numpy(result)}
        )

    return prepare


CONTESTANTS = (
    Contestant("TorchJD autojac", "gradients", _gradients(None)),
    Contestant("TorchJD autojac, one by one", "gradients", _gradients(1)),
    Contestant("TorchJD autojac", "gramian", _gramian_of_jacobian),
    Contestant("TorchJD autogram", "gramian", _gramian),
    Contestant("TorchJD autojac", "example_gramian", _example_gramian_of_jacobian),
    Contestant("TorchJD autogram", "example_gramian", _example_gramian),
    Contestant("TorchJD autojac", "cotangents", _cotangents),
    Contestant("TorchJD autojac", "input_jacobian", _input_jacobian),
    Contestant("TorchJD autojac", "model_gradients", _model_gradients(None)),
    Contestant("TorchJD autojac, one by one", "model_gradients", _model_gradients(1)),
    Contestant("TorchJD autojac", "model_gramian", _model_gramian_of_jacobian),
    Contestant("TorchJD autogram", "model_gramian", _model_gramian(None)),
    Contestant("TorchJD autogram", "model_example_gramian", _model_gramian(0)),
)
