"""The models, batches and costs of the group `models`, as their owner would write them; no contestant itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from benchmarks.peers.torch_network import numpy
from benchmarks.workloads import KINK_MARGIN, ModelProblem

Batch = tuple[Tensor, Tensor]
Costs = Callable[[Any, Batch], dict[str, Tensor]]

TOKENS, WIDTH, WORDS = 32, 64, 50


class Transformer(nn.Module):
    """A small encoder with four heads: the next token, a class, a sign and a size."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, WIDTH)
        self.places = nn.Parameter(0.02 * torch.randn(TOKENS, WIDTH))
        block = {"dim_feedforward": 4 * WIDTH, "dropout": 0.0, "activation": "gelu", "batch_first": True}
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(WIDTH, 4, norm_first=True, **block) for _ in range(2)
        )
        self.norm = nn.LayerNorm(WIDTH)
        self.token, self.kind = nn.Linear(WIDTH, WORDS), nn.Linear(WIDTH, 10)
        self.sign, self.size = nn.Linear(WIDTH, 1), nn.Linear(WIDTH, 1)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Returns each token's scores of the next one, and the scores of class, sign and size of the whole."""
        hidden = self.words(tokens) + self.places
        for block in self.blocks:
            hidden = block(hidden)
        hidden = self.norm(hidden)
        mean = hidden.mean(dim=1)
        return self.token(hidden), self.kind(mean), self.sign(mean)[:, 0], self.size(mean)[:, 0]


def losses(model: Any, batch: Batch) -> dict[str, Tensor]:
    """The four losses of the transformer."""
    tokens, kinds = batch
    token, kind, sign, size = model(tokens)
    return {
        "token": functional.cross_entropy(token.flatten(0, 1), tokens.roll(-1, 1).flatten()),
        "class": functional.cross_entropy(kind, kinds),
        "sign": functional.binary_cross_entropy_with_logits(sign, (kinds % 2).to(sign.dtype)),
        "size": functional.mse_loss(size, kinds.to(size.dtype) / 10),
    }


def outputs(model: Any, batch: Batch) -> dict[str, Tensor]:
    """Each output's squared error, summed over the batch."""
    x, kinds = batch
    out = model(x)
    return {"output": (out - functional.one_hot(kinds, out.shape[1]).to(out.dtype)).square().sum(dim=0)}


def examples(model: Any, batch: Batch) -> dict[str, Tensor]:
    """Each example's cross entropy."""
    return {"example": functional.cross_entropy(model(batch[0]), batch[1], reduction="none")}


def mean_entropy(model: Any, batch: Batch) -> dict[str, Tensor]:
    """The mean cross entropy."""
    return {"total": functional.cross_entropy(model(batch[0]), batch[1])}


def sum_of_losses(model: Any, batch: Batch) -> dict[str, Tensor]:
    """The sum of the transformer's losses."""
    found = losses(model, batch)
    return {"total": found["token"] + found["class"] + found["sign"] + found["size"]}


COSTS: dict[str, Costs] = {
    "outputs": outputs,
    "examples": examples,
    "losses": losses,
    "total": mean_entropy,
}


def _perceptron(*sizes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for below, above in pairwise(sizes):
        layers += [nn.Linear(below, above), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _conv(side: int) -> nn.Sequential:
    flat = 32 * (side - 4) ** 2
    first, second = nn.Conv2d(1, 16, 3), nn.Conv2d(16, 32, 3)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.Flatten(), nn.Linear(flat, 10))


@dataclass(frozen=True)
class TorchModel:
    """A model with its batch and its costs."""

    problem: ModelProblem
    model: nn.Module
    batch: Batch
    costs: Costs

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """The parameters by name, in order."""
        return dict(self.model.named_parameters())

    @property
    def leaves(self) -> list[Tensor]:
        """The parameters, in order."""
        return list(self.model.parameters())

    def values(self) -> Tensor:
        """The costs, (costs,)."""
        return joined(self.costs(self.model, self.batch))

    def values_with(self, parameters: Mapping[str, Tensor], batch: Batch) -> Tensor:
        """The costs as a function of the parameters."""

        def call(x: Tensor) -> Any:
            return functional_call(self.model, dict(parameters), (x,))

        return joined(self.costs(call, batch))

    def named(self, rows: Any) -> dict[str, Any]:
        """Arrays by the parameters' names."""
        return {name: numpy(row) for name, row in zip(self.parameters, rows, strict=True)}


def joined(costs: Mapping[str, Tensor]) -> Tensor:
    """All costs as one array."""
    return torch.cat([cost.reshape(-1) for cost in costs.values()])


def build(problem: ModelProblem, side: int = 28) -> TorchModel:
    """The same model and batch each time, initialised as PyTorch does it; images of `side` x `side`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        dtype = getattr(torch, problem.dtype)
        model: nn.Module
        if problem.model == "transformer":
            model = Transformer()
            x = torch.randint(WORDS, (problem.batch, TOKENS))
        else:
            model = {
                "tiny": lambda: _perceptron(8, 16, 2),
                "mlp": lambda: _perceptron(784, 512, 512, 10),
                "conv": lambda: _conv(side),
            }[problem.model]()
            shape = {"tiny": (8,), "mlp": (784,), "conv": (1, side, side)}[problem.model]
            drawn = torch.randn(16 * problem.batch, *shape)
            x = drawn[_distance_to_kink(model, drawn) > KINK_MARGIN][: problem.batch].to(dtype)
        kinds = torch.randint(2 if problem.model == "tiny" else 10, (problem.batch,))
    assert len(x) == problem.batch
    whole = problem.model == "transformer" and problem.costs == "total"
    return TorchModel(problem, model.to(dtype), (x, kinds), sum_of_losses if whole else COSTS[problem.costs])


def _distance_to_kink(model: nn.Module, x: Tensor) -> Tensor:
    """Each example's smallest absolute pre-activation at a ReLU: there rounding decides whether it is on."""
    distance = torch.full((len(x),), float("inf"))
    with torch.no_grad():
        for layer in model.children():
            if isinstance(layer, nn.ReLU):
                distance = torch.minimum(distance, x.abs().flatten(1).amin(1))
            x = layer(x)
    return distance


def layered(problem: ModelProblem) -> bool:
    """Whether the model is a Sequential of linear and convolutional layers."""
    return problem.model != "transformer"
