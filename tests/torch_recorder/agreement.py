"""What a recorded model must agree with: autograd's gradient of every cost, and a model that is as it was."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

import whygrad as wg


def by_autograd(model: nn.Module, batch: Any, costs: Callable[..., Any]) -> dict[str, torch.Tensor]:
    """Returns every cost's gradient by every trained parameter, (costs, *shape), by a backward call for each cost."""
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    entries = [entry for loss in costs(model, batch).values() for entry in loss.reshape(-1)]
    wanted = [parameter for _, parameter in named]
    rows = [
        torch.autograd.grad(entry, wanted, retain_graph=True, materialize_grads=True, allow_unused=True)
        for entry in entries
    ]
    return {name: torch.stack([row[place] for row in rows]) for place, (name, _) in enumerate(named)}


def recorded(
    model: nn.Module, batch: Any, costs: Callable[..., Any], tolerance: float = 1e-10, **options: Any
) -> wg.Record:
    """Returns the record after asserting that its gradients are autograd's and that nothing changed."""
    state = {name: value.clone() for name, value in model.state_dict().items()}
    random = torch.get_rng_state()
    record = wg.record(model, batch, costs, **options)
    assert torch.equal(random, torch.get_rng_state()), "the random state moved"
    for name, value in model.state_dict().items():
        assert torch.equal(value, state[name]), f"{name} changed"
    assert all(p.grad is None for p in model.parameters()), "a gradient was left"
    right = by_autograd(model, batch, costs)
    model.load_state_dict(state)
    torch.set_rng_state(random)
    gradients = record.gradients()
    assert set(gradients) == set(right)
    for name, wanted in right.items():
        got = gradients[name]
        assert got.shape == wanted.shape, name
        assert got.dtype == wanted.dtype, name
        worst = (got - wanted).abs().max().item() if wanted.numel() else 0.0
        scale = max(r.abs().max().item() for r in right.values())
        assert worst <= tolerance * max(scale, 1e-30), f"{name}: {worst:.1e} beside {scale:.1e}"
    return record
