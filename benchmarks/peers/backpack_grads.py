"""BackPACK: per-example gradients (`BatchGrad`), from which the Gramian is formed."""

from __future__ import annotations

import torch
from backpack import backpack, extend
from backpack.extensions import BatchGrad
from torch import Tensor, nn

from benchmarks.measure import Call
from benchmarks.peers import Contestant
from benchmarks.peers.torch_network import gramian_of_rows, load, module, numpy
from benchmarks.workloads import Problem


def _example_gramian(problem: Problem) -> Call:
    net = load(problem)
    model, loss = extend(module(problem)), extend(nn.MSELoss(reduction="sum"))

    def run(_: None) -> Tensor:
        model.zero_grad()
        with backpack(BatchGrad()):
            loss(model(net.x), net.y).backward()
        with torch.no_grad():
            result = gramian_of_rows([parameter.grad_batch for parameter in model.parameters()])
        for parameter in model.parameters():
            del parameter.grad_batch
        return result

    return Call(run, numbers=lambda result: {"Gramian": numpy(result)})


CONTESTANTS = (Contestant("BackPACK", "example_gramian", _example_gramian),)
