"""A differential equation as a loss: why a physics-informed network forgets its boundary.

The network u is to obey u'' = f with u = 0 at both ends. The second derivative is taken within the costs, so its
gradient by the weights goes through a backward pass, and that is recorded as well. The report shows what Wang, Teng and
Perdikaris (2021) found: the equation's gradient is so much longer that the boundary hardly counts. Then training on the
plain sum is compared with their cure: the boundary's loss is multiplied so that both gradients are equally long.

    python examples/physics_informed.py [--steps 800]
"""

import argparse
import math

import torch
from torch import Tensor, nn

import whygrad as wg

WAVES = 3 * math.pi


def network() -> nn.Module:
    """Returns a network from a place to a value."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 1))


def costs(u: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Returns by how much the network breaks u'' = -(3 pi)² sin(3 pi x), and u(0) = u(1) = 0."""
    x = x.clone().requires_grad_()
    (first,) = torch.autograd.grad(u(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x, create_graph=True)
    ends = torch.tensor([[0.0], [1.0]])
    return {
        "equation": (second + WAVES**2 * torch.sin(WAVES * x)).square().mean(),
        "boundary": u(ends).square().mean(),
    }


def train(steps: int, balance: bool) -> tuple[nn.Module, float, float]:
    """Returns the network, the boundary's factor at the end, and the root mean square error of the solution."""
    u, x = network(), torch.linspace(0, 1, 65)[:, None]
    optimiser = torch.optim.Adam(u.parameters(), lr=3e-3)
    factor = 1.0
    for step in range(steps):
        if balance and step % 20 == 0:
            equation, boundary = wg.record(u, x, costs).gradients().gramian().diagonal().sqrt()
            factor = 0.7 * factor + 0.3 * float(equation / boundary.clamp(min=1e-12))
        losses = costs(u, x)
        optimiser.zero_grad()
        (losses["equation"] + factor * losses["boundary"]).backward()
        optimiser.step()
    with torch.no_grad():
        return u, factor, float((u(x) - torch.sin(WAVES * x)).square().mean().sqrt())


def main() -> None:
    """Prints the report of a network in training, and trains both ways."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=800)
    steps = parser.parse_args().steps
    u, _, _ = train(steps // 8, balance=False)
    record = wg.record(u, torch.linspace(0, 1, 65)[:, None], costs)
    print(record.report())
    print(f"After {steps} steps: root mean square error of the solution")
    for words, balance in (("gradients added up", False), ("equally long gradients", True)):
        _, factor, error = train(steps, balance)
        print(f"  {words:24s} {error:.3f}   (boundary times {factor:.0f})")


if __name__ == "__main__":
    main()
