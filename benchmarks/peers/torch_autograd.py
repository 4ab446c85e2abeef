"""torch.autograd: one backward call for each cost, and all costs batched (`is_grads_batched`)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.measure import Call
from benchmarks.peers import Contestant
from benchmarks.peers.torch_models import build
from benchmarks.peers.torch_network import (
    TorchProblem,
    forward,
    gramian_of_rows,
    load,
    named,
    numpy,
    squared_errors,
)
from benchmarks.workloads import ModelProblem, Problem

Rows = list[tuple[Tensor, ...]] | tuple[Tensor, ...]
Differentiate = Callable[[Tensor, list[Tensor]], Rows]


def _one_by_one(costs: Tensor, sources: list[Tensor]) -> Rows:
    return [torch.autograd.grad(cost, sources, retain_graph=True) for cost in costs]


def _batched(chunk: int | None = None) -> Differentiate:
    def differentiate(costs: Tensor, sources: list[Tensor]) -> Rows:
        identity = torch.eye(len(costs), dtype=costs.dtype)
        if chunk is None:
            return torch.autograd.grad(costs, sources, identity, is_grads_batched=True)
        parts = [
            torch.autograd.grad(costs, sources, rows, retain_graph=True, is_grads_batched=True)
            for rows in identity.split(chunk)
        ]
        return tuple(torch.cat(part) for part in zip(*parts, strict=True))

    return differentiate


def _stacked(rows: Rows) -> tuple[Tensor, ...]:
    """Each source's rows as one tensor, (costs, *shape)."""
    if isinstance(rows, tuple):
        return rows
    return tuple(torch.stack(part) for part in zip(*rows, strict=True))


def _costs(net: TorchProblem) -> tuple[Tensor, list[Tensor]]:
    outputs, pre_activations = forward(net.problem, net.parameters, net.x)
    return squared_errors(outputs, net.y).sum(dim=0), pre_activations


def _gradients(differentiate: Differentiate) -> Callable[[Problem], Call]:
    """The gradients, as the function returns them: a loop's are not stacked within the time."""

    def prepare(problem: Problem) -> Call:
        net = load(problem)
        return Call(
            lambda _: differentiate(_costs(net)[0], net.leaves),
            numbers=lambda rows: named(net.names, _stacked(rows)),
        )

    return prepare


def _gramian(differentiate: Differentiate) -> Callable[[Problem], Call]:
    def prepare(problem: Problem) -> Call:
        net = load(problem)
        return Call(
            lambda _: gramian_of_rows(_stacked(differentiate(_costs(net)[0], net.leaves))),
            numbers=lambda result: {"Gramian": numpy(result)},
        )

    return prepare


def _cotangents(differentiate: Differentiate) -> Callable[[Problem], Call]:
    """Cotangents at the hidden pre-activations; those at the outputs are known: 2(a - y) on the diagonal."""

    def prepare(problem: Problem) -> Call:
        net = load(problem)

        def run(_: None) -> Rows:
            costs, pre_activations = _costs(net)
            return differentiate(costs, pre_activations[:-1])

        names = [f"z{layer}" for layer in problem.layers[:-1]]
        return Call(run, numbers=lambda rows: named(names, [part.transpose(0, 1) for part in _stacked(rows)]))

    return prepare


def _input_jacobian(differentiate: Differentiate) -> Callable[[Problem], Call]:
    def prepare(problem: Problem) -> Call:
        net = load(problem)
        frozen = {name: value.detach() for name, value in net.parameters.items()}
        x = net.x.clone().requires_grad_()

        def run(_: None) -> Rows:
            outputs, _z = forward(problem, frozen, x)
            return differentiate(squared_errors(outputs, net.y).sum(dim=0), [x])

        return Call(run, numbers=lambda rows: {"x": numpy(_stacked(rows)[0].transpose(0, 1))})

    return prepare


def _backward(batched: bool) -> Callable[[Problem], Call]:
    """The backward pass alone: of the total cost, or of all costs at once."""

    def prepare(problem: Problem) -> Call:
        net = load(problem)
        differentiate = _batched()

        def run(costs: Tensor) -> Rows:
            if batched:
                return differentiate(costs, net.leaves)
            return torch.autograd.grad(costs.sum(), net.leaves)

        return Call(
            run,
            numbers=(lambda rows: named(net.names, _stacked(rows))) if batched else None,
            fresh=lambda: _costs(net)[0],
        )

    return prepare


def _model_gradients(differentiate: Differentiate, forward_before: bool) -> Callable[[ModelProblem], Call]:
    """The gradients of a model's costs; the forward pass is counted, or done before."""

    def prepare(problem: ModelProblem) -> Call:
        net = build(problem)

        def run(costs: Tensor | None) -> Rows:
            return differentiate(net.values() if costs is None else costs, net.leaves)

        return Call(
            run,
            numbers=lambda rows: net.named(_stacked(rows)),
            fresh=net.values if forward_before else None,
        )

    return prepare


def _model_gramian(differentiate: Differentiate) -> Callable[[ModelProblem], Call]:
    def prepare(problem: ModelProblem) -> Call:
        net = build(problem)
        return Call(
            lambda _: gramian_of_rows(_stacked(differentiate(net.values(), net.leaves))),
            numbers=lambda result: {"Gramian": numpy(result)},
        )

    return prepare


def _model_once(backward: bool) -> Callable[[ModelProblem], Call]:
    """What `whygrad.record` is held against: the forward pass, with or without the backward pass of the sum."""

    def prepare(problem: ModelProblem) -> Call:
        net = build(problem)

        def run(_: None) -> Tensor:
            costs = net.values()
            if backward:
                torch.autograd.grad(costs.sum(), net.leaves)
            return costs

        return Call(run, numbers=lambda costs: {"costs": numpy(costs)})

    return prepare


def _model_backward(problem: ModelProblem) -> Call:
    net = build(problem)
    return Call(
        lambda costs: torch.autograd.grad(costs.sum(), net.leaves),
        numbers=lambda row: net.named(part[None] for part in row),
        fresh=net.values,
    )


def _many(problem: Problem) -> bool:
    return problem.costs > 112


LOOP, BATCHED, CHUNKED = "torch K-loop", "torch batched", "torch batched, 112 at a time"

CONTESTANTS = (
    Contestant(LOOP, "gradients", _gradients(_one_by_one)),
    Contestant(BATCHED, "gradients", _gradients(_batched())),
    Contestant(LOOP, "gramian", _gramian(_one_by_one)),
    Contestant(BATCHED, "gramian", _gramian(_batched())),
    Contestant(LOOP, "cotangents", _cotangents(_one_by_one)),
    Contestant(BATCHED, "cotangents", _cotangents(_batched())),
    Contestant(CHUNKED, "cotangents", _cotangents(_batched(112)), applies=_many),
    Contestant(LOOP, "input_jacobian", _input_jacobian(_one_by_one)),
    Contestant(BATCHED, "input_jacobian", _input_jacobian(_batched())),
    Contestant(CHUNKED, "input_jacobian", _input_jacobian(_batched(112)), applies=_many),
    Contestant("torch backward of the total", "sweep", _backward(batched=False)),
    Contestant("torch backward, all costs batched", "sweep", _backward(batched=True)),
    Contestant(LOOP, "model_gradients", _model_gradients(_one_by_one, forward_before=False)),
    Contestant(
        f"{LOOP}, forward before", "model_gradients", _model_gradients(_one_by_one, forward_before=True)
    ),
    Contestant(BATCHED, "model_gradients", _model_gradients(_batched(), forward_before=False)),
    Contestant(LOOP, "model_gramian", _model_gramian(_one_by_one)),
    Contestant(BATCHED, "model_gramian", _model_gramian(_batched())),
    Contestant("torch, forward alone", "model_recording", _model_once(backward=False)),
    Contestant("torch, one forward and backward", "model_recording", _model_once(backward=True)),
    Contestant("torch, one backward", "model_sweep", _model_backward),
)
