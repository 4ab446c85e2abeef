"""A small model with two losses, for a first look at a report."""

from collections.abc import Callable
from typing import Any


def two_losses() -> tuple[Any, Any, Callable[[Any, Any], dict[str, Any]]]:
    """Returns (model, batch, costs): points on a circle whose side and whose angle are learned by one trunk."""
    import torch
    from torch import nn

    class TwoHeads(nn.Module):
        """A trunk, and a head for each loss."""

        def __init__(self) -> None:
            super().__init__()
            self.trunk = nn.Sequential(nn.Linear(2, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU())
            self.side = nn.Linear(24, 2)
            self.angle = nn.Linear(24, 1)

        def forward(self, x: Any) -> Any:
            """Returns the scores of the sides, and the angle."""
            h = self.trunk(x)
            return self.side(h), self.angle(h).squeeze(-1)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        angle = torch.rand(128) * 6.2832
        batch = {
            "points": torch.stack([angle.cos(), angle.sin()], 1),
            "side": (angle > 3.1416).long(),
            "angle": angle,
        }
        model = TwoHeads()

    def costs(model: Any, batch: Any) -> dict[str, Any]:
        side, angle = model(batch["points"])
        return {
            "side": nn.functional.cross_entropy(side, batch["side"]),
            "angle": nn.functional.mse_loss(angle, batch["angle"]),
        }

    return model, batch, costs
