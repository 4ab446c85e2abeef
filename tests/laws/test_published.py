"""What others looked at about paths and gradients, looked at again on models small enough for a test.

These are untrained models of our own: trends are tested, and no published number is compared.
"""

import math

import pytest
import torch
from torch import nn

import whygrad as wg
from whygrad.branches import spectrum


@pytest.mark.parametrize("layers", [1, 2])
def test_the_entropy_of_the_gradient_graph_grows_with_the_hidden_size(layers: int) -> None:
    """The quantity of Du et al. 2023 (ACL), figure 6b: a wider layer spreads the gradient over more paths."""
    means = []
    for width in (2, 4, 8, 16, 32):
        entropies = []
        for seed in range(5):
            torch.manual_seed(seed)
            hidden = [part for _ in range(layers - 1) for part in (nn.Linear(width, width), nn.Tanh())]
            model = nn.Sequential(nn.Linear(4, width), nn.Tanh(), *hidden, nn.Linear(width, 1))
            record = wg.record(model.double(), torch.randn(1, 4).double(), lambda m, x: {"c": m(x).sum()})
            entropy, count = record.sweep("entropy")["batch[0, 0]"], record.sweep("count")["batch[0, 0]"]
            assert count == width**layers
            assert 0 < entropy <= math.log(count) + 1e-9
            entropies.append(entropy)
        means.append(sum(entropies) / len(entropies))
    assert means == sorted(means)
    assert means[-1] - means[0] > 0.5 * layers * math.log(16)  # log 16 for each layer, were the paths equal


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.inside = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.inside(x)


def test_most_of_a_residual_nets_gradient_comes_by_short_paths() -> None:
    """Veit et al. 2016: of 2^n paths, most pass about n/2 blocks; the gradient comes by those that pass few."""
    torch.manual_seed(0)
    blocks = 12
    model = nn.Sequential(nn.Linear(4, 16), *(Residual(16) for _ in range(blocks)), nn.Linear(16, 3)).double()
    labels = torch.randint(0, 3, (8,))
    record = wg.record(
        model, torch.randn(8, 4).double(), lambda m, x: {"c": nn.functional.cross_entropy(m(x), labels)}
    )
    found = spectrum(record)
    assert len(found.blocks) == blocks
    parts = found.parts["0.weight"][0]
    assert len(parts) == blocks + 1
    few = blocks // 2 - 1  # of all 2^12 paths, 39 in 100 pass at most five blocks
    assert parts[: few + 1].sum() > 0.95 * parts.sum()
    assert parts.argmax() <= 2
