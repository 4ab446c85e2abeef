"""ASDL: the factored ("Hadamard") kernel, used as its own `empirical_natural_gradient` uses it."""

from __future__ import annotations

import torch
from asdl.core import extend
from asdl.operations import OP_GRAM_HADAMARD
from torch import Tensor

from benchmarks.measure import Call
from benchmarks.peers import Contestant
from benchmarks.peers.torch_network import load, module, numpy, squared_errors
from benchmarks.workloads import Problem


def _example_gramian(problem: Problem) -> Call:
    net, model = load(problem), module(problem)
    parameters = list(model.parameters())

    def run(_: None) -> Tensor:
        with extend(model, OP_GRAM_HADAMARD):
            model.kernel = net.x.new_zeros(problem.batch, problem.batch)  # ASDL adds each layer's share
            costs = squared_errors(model(net.x), net.y).sum(dim=1)
            torch.autograd.grad(costs.sum(), parameters)
        return model.kernel

    return Call(run, numbers=lambda result: {"Gramian": numpy(result)})


CONTESTANTS = (Contestant("ASDL", "example_gramian", _example_gramian),)
