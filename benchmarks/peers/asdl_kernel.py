"""ASDL: its kernels ("Hadamard", that is factored, and direct), as its own `empirical_natural_gradient` uses them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from asdl.core import extend
from asdl.operations import OP_GRAM_DIRECT, OP_GRAM_HADAMARD
from torch import Tensor

from benchmarks.measure import Call
from benchmarks.peers import Contestant
from benchmarks.peers.torch_models import build, layered
from benchmarks.peers.torch_network import load, module, numpy, squared_errors
from benchmarks.workloads import ModelProblem, Problem


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


def _model_example_gramian(kernel: str) -> Callable[[ModelProblem], Call]:
    def prepare(problem: ModelProblem) -> Call:
        net = build(problem)
        model: Any = net.model

        def run(_: None) -> Tensor:
            with extend(model, kernel):
                model.kernel = net.leaves[0].new_zeros(problem.batch, problem.batch)
                torch.autograd.grad(net.values().sum(), net.leaves)
            return model.kernel

        return Call(run, numbers=lambda result: {"Gramian": numpy(result)})

    return prepare


CONTESTANTS = (
    Contestant("ASDL", "example_gramian", _example_gramian),
    Contestant("ASDL", "model_example_gramian", _model_example_gramian(OP_GRAM_HADAMARD), layered),
    Contestant("ASDL, direct", "model_example_gramian", _model_example_gramian(OP_GRAM_DIRECT), layered),
)
