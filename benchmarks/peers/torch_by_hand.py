"""The formulas of NumPy by hand, in torch: what is left of a ratio where both sides use one algorithm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.measure import Call
from benchmarks.peers import Contestant
from benchmarks.peers.torch_models import TorchModel, build, layered
from benchmarks.peers.torch_network import VALUES, TorchProblem, load, named, numpy
from benchmarks.workloads import ModelProblem, Problem

SLOPES = {  # from the activation; None stands for 1
    "identity": lambda a: None,
    "relu": lambda a: a > 0,
    "sigmoid": lambda a: a * (1 - a),
    "tanh": lambda a: 1 - a * a,
}


def _forward(net: TorchProblem) -> list[Tensor]:
    activations = [net.x]
    for layer, name in zip(net.problem.layers, net.problem.activations, strict=True):
        weights, bias = net.parameters[f"W{layer}"], net.parameters.get(f"b{layer}")
        activations.append(VALUES[name](torch.nn.functional.linear(activations[-1], weights, bias)))
    return activations


def _times_slope(net: TorchProblem, cotangent: Tensor, layer: int, activation: Tensor) -> Tensor:
    slope = SLOPES[net.problem.activations[layer - 1]](activation)
    if slope is None:
        return cotangent
    return cotangent.mul_(slope[:, None, :] if cotangent.ndim == 3 else slope)


def _errors(net: TorchProblem, activations: list[Tensor]) -> Tensor:
    return _times_slope(net, 2 * (activations[-1] - net.y), net.problem.layers[-1], activations[-1])


def _hidden(net: TorchProblem, activations: list[Tensor], errors: Tensor) -> dict[int, Tensor]:
    last = net.problem.layers[-1]
    cotangent, hidden = errors[:, :, None] * net.parameters[f"W{last}"], {}
    for layer in reversed(net.problem.layers[:-1]):
        hidden[layer] = _times_slope(net, cotangent, layer, activations[layer])
        if layer > 1:
            cotangent = hidden[layer] @ net.parameters[f"W{layer}"]
    return hidden


def _similarity(net: TorchProblem, inputs: Tensor) -> Tensor:
    similarity = inputs @ inputs.T
    return similarity.add_(1) if net.problem.bias else similarity


def gradients(net: TorchProblem) -> list[Tensor]:
    """Every cost's gradients in the order of the parameters, (costs, *shape)."""
    problem, activations = net.problem, _forward(net)
    errors = _errors(net, activations)
    hidden = _hidden(net, activations, errors)
    costs, found = problem.costs, {}
    for layer in problem.layers:
        inputs = activations[layer - 1]
        if layer == problem.layers[-1]:
            found[f"W{layer}"] = torch.diag_embed((errors.T @ inputs).T).permute(1, 2, 0)
            found[f"b{layer}"] = torch.diag(errors.sum(dim=0))  # left out below where there are no biases
        else:
            rows = hidden[layer].reshape(problem.batch, -1)
            found[f"W{layer}"] = (rows.T @ inputs).reshape(costs, -1, inputs.shape[1])
            found[f"b{layer}"] = hidden[layer].sum(dim=0)
    return [found[name] for name in net.names]


def gramian(net: TorchProblem) -> Tensor:
    """J Jᵀ of the costs over the whole batch; no gradient is formed."""
    problem, activations = net.problem, _forward(net)
    errors = _errors(net, activations)
    hidden = _hidden(net, activations, errors)
    similarity = _similarity(net, activations[-2])
    result = torch.diag(((similarity @ errors) * errors).sum(dim=0))
    for layer, cotangent in hidden.items():
        similarity = _similarity(net, activations[layer - 1])
        carried = (similarity @ cotangent.reshape(problem.batch, -1)).reshape(cotangent.shape)
        result += (carried @ cotangent.transpose(1, 2)).sum(dim=0)
    return result


def example_gramian(net: TorchProblem) -> Tensor:
    """J Jᵀ of the examples' costs: the sum over layers of (S + 1) * (D Dᵀ)."""
    problem, activations = net.problem, _forward(net)
    cotangent = _errors(net, activations)
    result = net.x.new_zeros(problem.batch, problem.batch)
    for layer in reversed(problem.layers):
        result += _similarity(net, activations[layer - 1]).mul_(cotangent @ cotangent.T)
        if layer > 1:
            cotangent = cotangent @ net.parameters[f"W{layer}"]
            cotangent = _times_slope(net, cotangent, layer - 1, activations[layer - 1])
    return result


def hidden_cotangents(net: TorchProblem) -> list[Tensor]:
    """Each cost's cotangent at each hidden pre-activation, from the first hidden layer on."""
    activations = _forward(net)
    hidden = _hidden(net, activations, _errors(net, activations))
    return [hidden[layer] for layer in net.problem.layers[:-1]]


def input_jacobian(net: TorchProblem) -> Tensor:
    """d C^k / d x of every example: two factors that meet at the narrowest layer."""
    problem, activations = net.problem, _forward(net)
    narrow = min(problem.layers[:-1], key=lambda layer: problem.sizes[layer])
    left = _errors(net, activations)[:, :, None] * net.parameters[f"W{problem.layers[-1]}"]
    for layer in range(problem.layers[-2], narrow - 1, -1):
        left = _times_slope(net, left, layer, activations[layer])
        if layer > narrow:
            left = left @ net.parameters[f"W{layer}"]
    right = net.parameters[f"W{narrow}"].expand(problem.batch, -1, -1)
    for layer in range(narrow - 1, 0, -1):
        slope = SLOPES[problem.activations[layer - 1]](activations[layer])
        right = right if slope is None else right * slope[:, None, :]
        right = right @ net.parameters[f"W{layer}"]
    return left @ right


def _call(
    function: Callable[[TorchProblem], Any], numbers: Callable[[TorchProblem, Any], dict[str, Any]]
) -> Callable[[Problem], Call]:
    def prepare(problem: Problem) -> Call:
        net = load(problem)
        detached = TorchProblem(
            problem, {name: value.detach() for name, value in net.parameters.items()}, net.x, net.y
        )
        return Call(lambda _: function(detached), numbers=lambda result: numbers(detached, result))

    return prepare


def model_example_gramian(net: TorchModel) -> Tensor:
    """J Jᵀ of the examples' costs: S * (D Dᵀ) at a linear layer, small kernel gradients at a convolution."""
    inputs, made = [], []
    value, assigned = net.batch[0], [m for m in net.model.children() if list(m.parameters())]
    for layer in net.model.children():
        before, value = value, layer(value)
        if layer in assigned:
            inputs.append(before.detach())
            made.append(value)
    costs = torch.nn.functional.cross_entropy(value, net.batch[1], reduction="sum")
    result = costs.new_zeros(len(value), len(value)).detach()
    for layer, seen, delta in zip(assigned, inputs, torch.autograd.grad(costs, made), strict=True):
        if isinstance(layer, nn.Linear):
            result += (seen @ seen.T).add_(1) * (delta @ delta.T)
            continue
        assert isinstance(layer, nn.Conv2d)
        windows = torch.nn.functional.unfold(seen, (layer.kernel_size[0], layer.kernel_size[1]))
        rows = (delta.flatten(2) @ windows.transpose(1, 2)).flatten(1)
        biases = delta.sum(dim=(2, 3))
        result += rows @ rows.T + biases @ biases.T
    return result


def _model_call(problem: ModelProblem) -> Call:
    net = build(problem)
    return Call(lambda _: model_example_gramian(net), numbers=lambda result: {"Gramian": numpy(result)})


NAME = "torch by hand"

CONTESTANTS = (
    Contestant(NAME, "gradients", _call(gradients, lambda net, result: named(net.names, result))),
    Contestant(NAME, "gramian", _call(gramian, lambda net, result: {"Gramian": numpy(result)})),
    Contestant(
        NAME, "example_gramian", _call(example_gramian, lambda net, result: {"Gramian": numpy(result)})
    ),
    Contestant(
        NAME,
        "cotangents",
        _call(
            hidden_cotangents,
            lambda net, result: named([f"z{layer}" for layer in net.problem.layers[:-1]], result),
        ),
    ),
    Contestant(NAME, "model_example_gramian", _model_call, layered),
    Contestant(NAME, "input_jacobian", _call(input_jacobian, lambda net, result: {"x": numpy(result)})),
)
