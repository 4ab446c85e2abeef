"""Backward passes that keep nothing carry at leaves what those do that keep everything."""

import gc

import numpy as np
import pytest
import torch
from torch import nn

import whygrad as wg
from whygrad.leaf_sweep import LeafSweep
from whygrad.semirings import SEMIRINGS
from whygrad.sweep import Sweep


class Tied(nn.Module):
    """A weight that is used at three places, a bias that is a cost's part by itself, and one that nobody uses."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 4))
        self.bias = nn.Parameter(torch.randn(4))
        self.unused = nn.Parameter(torch.randn(2))
        self.norm = nn.LayerNorm(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.tanh(x @ self.weight + self.bias)
        h = self.norm(h + torch.relu(h @ self.weight))
        return h @ self.weight.T


@pytest.fixture
def record() -> "wg.Record":
    torch.manual_seed(0)

    def costs(model: nn.Module, batch: torch.Tensor) -> dict[str, torch.Tensor]:
        out = model(batch)
        return {"size": out.square().mean(), "entry": model.bias[1], "first": out[:, 0].sum()}

    return wg.record(Tied().double(), torch.randn(3, 4, dtype=torch.float64), costs=costs)


@pytest.mark.parametrize("semiring", list(SEMIRINGS))
def test_leaves_are_told_what_a_whole_sweep_has(record: "wg.Record", semiring: str) -> None:
    leaves = {leaf.node for leaf in record.leaves.values()}
    whole, told = Sweep(record.graph, semiring), []
    sweep = LeafSweep(record.graph, semiring, leaves)
    for leaf in sweep:
        told.append(leaf)
        assert np.array_equal(sweep.values(leaf).numpy(), whole.values(leaf).numpy(), equal_nan=True)
    assert sorted(told) == sorted(leaves)


def test_only_what_is_still_needed_is_kept() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(*(module for _ in range(12) for module in (nn.Linear(41, 41), nn.Tanh())))
    rec = wg.record(model, torch.randn(37, 41), costs=lambda m, x: {"size": m(x).square().mean()})

    def cotangents() -> int:
        return sum(type(each) is torch.Tensor and each.shape == (1, 37, 41) for each in gc.get_objects())

    whole = Sweep(rec.graph, "total")
    assert cotangents() >= 24
    del whole
    leaves = {leaf.node for leaf in rec.leaves.values()}
    assert max(cotangents() for _ in LeafSweep(rec.graph, "total", leaves)) <= 3
