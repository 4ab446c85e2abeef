"""Opacus: per-example gradients (`grad_sample`), from which the Gramian is formed."""

from __future__ import annotations

from collections.abc import Callable

from opacus.grad_sample import GradSampleModule
from torch import Tensor

from benchmarks.measure import Call
from benchmarks.peers import Contestant
from benchmarks.peers.torch_models import build, joined, layered
from benchmarks.peers.torch_network import gramian_of_rows, load, module, numpy, squared_errors
from benchmarks.workloads import ModelProblem, Problem


def _gramian(model: GradSampleModule, cost: Callable[[], Tensor]) -> Tensor:
    model.zero_grad()
    cost().backward()
    result = gramian_of_rows([parameter.grad_sample for parameter in model.parameters()])
    for parameter in model.parameters():
        parameter.grad_sample = None
    return result


def _example_gramian(problem: Problem) -> Call:
    net = load(problem)
    model = GradSampleModule(module(problem), loss_reduction="sum")

    def run(_: None) -> Tensor:
        return _gramian(model, lambda: squared_errors(model(net.x), net.y).sum())

    return Call(run, numbers=lambda result: {"Gramian": numpy(result)})


def _model_example_gramian(problem: ModelProblem) -> Call:
    net = build(problem)
    model = GradSampleModule(net.model, loss_reduction="sum")
    return Call(
        lambda _: _gramian(model, lambda: joined(net.costs(model, net.batch)).sum()),
        numbers=lambda result: {"Gramian": numpy(result)},
    )


CONTESTANTS = (
    Contestant("Opacus", "example_gramian", _example_gramian),
    Contestant("Opacus", "model_example_gramian", _model_example_gramian, layered),
)
