"""The problem as torch tensors, for the peers that stand on torch; no contestant itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.workloads import Array, Problem

VALUES = {
    "identity": lambda z: z,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}
MODULES: dict[str, type[nn.Module]] = {
    "identity": nn.Identity,
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}


@dataclass(frozen=True)
class TorchProblem:
    """Parameters by name (W1, b1, ...), inputs and targets as tensors; the parameters require gradients."""

    problem: Problem
    parameters: dict[str, Tensor]
    x: Tensor
    y: Tensor

    @property
    def names(self) -> list[str]:
        """Names of the parameters, in order."""
        return list(self.parameters)

    @property
    def leaves(self) -> list[Tensor]:
        """The parameters, in order."""
        return list(self.parameters.values())


def load(problem: Problem) -> TorchProblem:
    """The problem's numbers as tensors."""
    data = problem.data()
    parameters = {name: torch.tensor(value, requires_grad=True) for name, value in data.parameters.items()}
    return TorchProblem(problem, parameters, torch.tensor(data.x), torch.tensor(data.y))


def forward(
    problem: Problem, parameters: dict[str, Tensor], x: Tensor, nudges: Sequence[Tensor] = ()
) -> tuple[Tensor, list[Tensor]]:
    """The outputs and all pre-activations; `nudges` are added to the hidden ones, layer by layer."""
    activation, pre_activations = x, []
    for layer, name in zip(problem.layers, problem.activations, strict=True):
        z = nn.functional.linear(activation, parameters[f"W{layer}"], parameters.get(f"b{layer}"))
        if layer <= len(nudges):
            z = z + nudges[layer - 1]
        pre_activations.append(z)
        activation = VALUES[name](z)
    return activation, pre_activations


def squared_errors(outputs: Tensor, targets: Tensor) -> Tensor:
    """The squared error of each output of each example."""
    return (outputs - targets).square()


def module(problem: Problem) -> nn.Sequential:
    """The problem as a Sequential of Linear layers and activations, with the same numbers."""
    data = problem.data()
    layers: list[nn.Module] = []
    for layer, name in zip(problem.layers, problem.activations, strict=True):
        rows, columns = problem.sizes[layer], problem.sizes[layer - 1]
        linear = nn.Linear(columns, rows, bias=problem.bias, dtype=getattr(torch, problem.dtype))
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(data.parameters[f"W{layer}"]))
            if problem.bias:
                linear.bias.copy_(torch.tensor(data.parameters[f"b{layer}"]))
        layers.append(linear)
        if name != "identity":
            layers.append(MODULES[name]())
    return nn.Sequential(*layers)


def module_parameter_names(problem: Problem) -> list[str]:
    """Names of the module's parameters in its own order: W1, b1, W2, ..."""
    kinds = ("W", "b") if problem.bias else ("W",)
    return [f"{kind}{layer}" for layer in problem.layers for kind in kinds]


def numpy(tensor: Tensor) -> Array:
    """The tensor's numbers."""
    result: Array = tensor.detach().numpy()
    return result


def named(names: Sequence[str], tensors: Sequence[Tensor]) -> dict[str, Any]:
    """Arrays by name."""
    return {name: numpy(tensor) for name, tensor in zip(names, tensors, strict=True)}


def gramian_of_rows(jacobians: Sequence[Tensor]) -> Tensor:
    """J Jᵀ from each parameter's (rows, *shape), summed over parameters."""
    flat = [jacobian.detach().flatten(start_dim=1) for jacobian in jacobians]
    result = flat[0] @ flat[0].T
    for rows in flat[1:]:
        result += rows @ rows.T
    return result
