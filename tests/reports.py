"""Reports of small models, and the same numbers by plain autograd."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import whygrad as wg
from whygrad.report import Finding, Report

CE = nn.functional.cross_entropy


def report(model: nn.Module, batch: Any, costs: Callable[..., dict[str, Tensor]]) -> Report:
    return wg.record(model, batch, costs).report()


def only(found: Report, kind: str) -> Finding:
    (finding,) = [finding for finding in found.findings if finding.kind == kind]
    return finding


def rows(model: nn.Module, losses: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """Returns each layer's gradients by plain autograd, (costs, entries)."""
    by_layer: dict[str, list[list[Tensor]]] = {}
    for name, parameter in model.named_parameters():
        made = [
            torch.autograd.grad(
                loss, parameter, retain_graph=True, materialize_grads=True, allow_unused=True
            )[0]
            for loss in losses.values()
        ]
        by_layer.setdefault(name.rpartition(".")[0], []).append(made)
    return {
        layer: np.concatenate(
            [np.stack([g.flatten().double().numpy() for g in made]) for made in parameters], axis=1
        )
        for layer, parameters in by_layer.items()
    }


def cosine(pair: np.ndarray) -> float:
    return float(pair[0] @ pair[1] / np.linalg.norm(pair[0]) / np.linalg.norm(pair[1]))


def by_cost(model: nn.Module, costs: dict[str, Tensor]) -> list[tuple[str, Any]]:
    """Returns each cost's gradient by all parameters, by plain autograd."""
    parameters = list(model.parameters())
    return [
        (
            name,
            torch.cat([g.flatten() for g in torch.autograd.grad(cost, parameters, retain_graph=True)])
            .detach()
            .numpy(),
        )
        for name, cost in costs.items()
    ]


class Trunk(nn.Module):
    """Three layers that two heads share."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(5, 16)
        self.second = nn.Linear(16, 16)
        self.third = nn.Linear(16, 6)
        self.a, self.b = nn.Linear(6, 3), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(self.third(torch.tanh(self.second(torch.tanh(self.first(x))))))
        return self.a(h), self.b(h)
