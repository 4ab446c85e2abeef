"""BackPACK: per-example gradients (`BatchGrad`), from which the Gramian is formed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from backpack import backpack, extend
from backpack.extensions import BatchGrad
from torch import Tensor, nn

from benchmarks.measure import Call
from benchmarks.peers import Contestant
from benchmarks.peers.torch_models import build, layered
from benchmarks.peers.torch_network import gramian_of_rows, load, module, numpy
from benchmarks.workloads import ModelProblem, Problem


def _gramian(model: nn.Module, cost: Callable[[], Tensor]) -> Tensor:
    model.zero_grad()
    with backpack(BatchGrad()):
        cost().backward()
    with torch.no_grad():
        result = gramian_of_rows([parameter.grad_batch for parameter in model.parameters()])
    for parameter in model.parameters():
        del parameter.grad_batch
    return result


def _example_gramian(problem: Problem) -> Call:
    net = load(problem)
    model, loss = extend(module(problem)), extend(nn.MSELoss(reduction="sum"))

    def run(_: None) -> Tensor:
        return _gramian(model, lambda: loss(model(net.x), net.y))

    return Call(run, numbers=lambda result: {"Gramian": numpy(result)})


def _model_example_gramian(problem: ModelProblem) -> Call:
    net = build(problem)
    model, loss = extend(net.model), extend(nn.CrossEntropyLoss(reduction="sum"))
    x, kinds = net.batch

    def run(_: None) -> Tensor:
        return _gramian(model, lambda: loss(model(x), kinds))

    return Call(run, numbers=lambda result: {"Gramian": numpy(result)})


CONTESTANTS = (
    Contestant("BackPACK", "example_gramian", _example_gramian),
    Contestant("BackPACK", "model_example_gramian", _model_example_gramian, layered),
)
