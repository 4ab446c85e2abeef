"""What others looked at about paths and gradients, looked at again on models small enough for a test.

Figure 6b of Du et al. 2023 is compared number by number; the other tests look for trends in untrained models.
"""

import importlib.util
import math
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

import whygrad as wg
from whygrad.branches import spectrum


@pytest.fixture(scope="module")
def du() -> ModuleType:
    """The example that holds the published values and repeats the runs."""
    path = Path(__file__).parents[2] / "examples" / "published_entropies.py"
    spec = importlib.util.spec_from_file_location("published_entropies", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("hidden", [4, 8, 16, 32, 64, 128])
def test_published_entropies_of_the_gradient_graph(du: ModuleType, hidden: int) -> None:
    """Du et al., figure 6b: three runs lie up to 0.41 apart; our means lie within 0.05 of theirs from size 8 on."""
    runs = [du.entropies(hidden, seed) for seed in du.SEEDS]
    for which, published in enumerate(du.PUBLISHED[hidden]):
        measured = [run["composed"][which] for run in runs]
        tolerance = 0.1 if hidden == 4 else 0.05
        assert sum(measured) / 3 == pytest.approx(sum(published) / 3, abs=tolerance)
        assert measured == pytest.approx(published, abs=0.2)
        for run in runs:  # the cut matters: with cross entropy as one operation no run comes near
            assert run["one operation"][which] < min(published) - 0.5


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
