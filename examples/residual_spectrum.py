"""How many residual blocks does a gradient pass? Exactly, for a small residual network (Veit et al. 2016).

Veit, Wilber and Belongie sampled paths and found that most of the gradient of a deep residual network comes along short
paths, though most paths are of middle length. Here nothing is sampled: one sweep splits the gradient by the number of
blocks that its paths pass, beside the number of such paths (a binomial coefficient).

    python examples/residual_spectrum.py [--blocks 16] [--steps 200] [--plot spectrum.png]
"""

import argparse
from math import comb

import torch
from torch import Tensor, nn

import whygrad as wg
from whygrad.branches import Spectrum


class Block(nn.Module):
    """x + f(x)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, width)
        self.down = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the block's output."""
        return x + self.down(torch.relu(self.up(self.norm(x))))


class Residual(nn.Module):
    """A residual network for two spirals."""

    def __init__(self, blocks: int, width: int = 24) -> None:
        super().__init__()
        self.first = nn.Linear(2, width)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(blocks)))
        self.last = nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the scores of the two spirals."""
        return self.last(self.blocks(self.first(x)))


def spirals(many: int = 256) -> tuple[Tensor, Tensor]:
    """Returns points on two spirals and which one they are on."""
    turn = torch.rand(many) * 9.0
    arm = torch.randint(0, 2, (many,))
    angle = turn + arm * torch.pi
    points = torch.stack([turn * angle.cos(), turn * angle.sin()], 1) / 9.0
    return points + 0.01 * torch.randn_like(points), arm


def cost(model: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    """Returns the loss."""
    return {"loss": nn.functional.cross_entropy(model(batch[0]), batch[1])}


def show(title: str, split: Spectrum) -> None:
    """Prints the spectrum at the first layer's weights: paths, norms, and what cancels between the parts."""
    parts, whole = split.parts["first.weight"][0], float(split.whole["first.weight"][0])
    blocks = len(split.blocks)
    print(f"\n{title}: the gradient by first.weight")
    print("  blocks    paths   norm of the part")
    for passed, norm in enumerate(parts):
        bar = "#" * round(40 * float(norm) / float(parts.max()))
        print(f"  {passed:6d} {comb(blocks, passed):8d}   {norm:9.2e}  {bar}")
    share = parts.cumsum() / parts.sum()
    middle = int((share < 0.5).sum())
    print(f"  half of the sum of norms lies at {middle} blocks or fewer; most paths pass {blocks // 2}")
    print(
        f"  norm of the sum {whole:.2e}, sum of the norms {parts.sum():.2e}: {1 - whole / parts.sum():.0%} cancels"
    )


def main() -> None:
    """Prints the spectrum before and after training."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--blocks", type=int, default=16)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--plot")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    model, batch = Residual(arguments.blocks), spirals()
    show("Before training", wg.record(model, batch, cost).spectrum())
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(arguments.steps):
        optimiser.zero_grad()
        cost(model, batch)["loss"].backward()
        optimiser.step()
    trained = wg.record(model, batch, cost)
    split = trained.spectrum()
    show(f"After {arguments.steps} steps (loss {trained.total:.3f})", split)
    if arguments.plot:
        trained.report(("spectrum",)).plot_spectrum().figure.savefig(arguments.plot, dpi=150)


if __name__ == "__main__":
    main()
