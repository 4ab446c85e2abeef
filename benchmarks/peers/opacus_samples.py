"""Opacus: per-example gradients (`grad_sample`), from which the Gramian is formed."""

from __future__ import annotations

from opacus.grad_sample import GradSampleModule
from torch import Tensor

from benchmarks.measure import Call
from benchmarks.peers import Contestant
from benchmarks.peers.torch_network import gramian_of_rows, load, module, numpy, squared_errors
from benchmarks.workloads import Problem


def _example_gramian(problem: Problem) -> Call:
    net = load(problem)
    model = GradSampleModule(module(problem), loss_reduction="sum")

    def run(_: None) -> Tensor:
        model.zero_grad()
        squared_errors(model(net.x), net.y).sum().backward()
        result = gramian_of_rows([parameter.grad_sample for parameter in model.parameters()])
        for parameter in model.parameters():
            parameter.grad_sample = None
        return result

    return Call(run, numbers=lambda result: {"Gramian": numpy(result)})


CONTESTANTS = (Contestant("Opacus", "example_gramian", _example_gramian),)
