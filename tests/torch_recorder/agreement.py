"""What a recorded model must agree with: autograd's gradient of every cost, and a model that is as it was."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

import whygrad as wg


class Of(nn.Module):
    """A module that does with its parts what a function says."""

    def __init__(self, run: Callable[..., Any], **parts: Any) -> None:
        super().__init__()
        self.run = run
        for name, part in parts.items():
            setattr(self, name, nn.Parameter(part) if isinstance(part, torch.Tensor) else part)

    def forward(self, *batch: Any) -> Any:
        return self.run(self, *batch)


class Doubled(torch.autograd.Function):
    """2 x, with a backward pass of its own: an operation without a declaration."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return 2 * x

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return 2 * grads[0]


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


@contextmanager
def unchanged(model: nn.Module, batch: Any = None) -> Iterator[None]:
    """Asserts that a model, its batch and every random state are at the end as they were."""

    def state() -> dict[str, Any]:
        made: dict[str, Any] = {f"state of {name}": v.clone() for name, v in model.state_dict().items()}
        for name, parameter in model.named_parameters():
            made[f"gradient of {name}"] = None if parameter.grad is None else parameter.grad.clone()
            made[f"whether {name} is trained"] = parameter.requires_grad
        for name, module in model.named_modules():
            made[f"mode of {name}"] = module.training
            made[f"hooks of {name}"] = (list(module._forward_hooks), list(module._backward_hooks))
        flat, _ = torch.utils._pytree.tree_flatten(batch)
        made |= {f"batch {n}": v.clone() for n, v in enumerate(flat) if isinstance(v, torch.Tensor)}
        drawn = np.random.get_state()
        made["random states"] = (
            torch.get_rng_state().tolist(),
            random.getstate(),
            drawn[1].tolist(),
            drawn[2:],
        )
        return made

    objects = [(p, p.grad) for p in model.parameters()]
    before = state()
    yield
    for name, value in state().items():
        known = before[name]
        alike = torch.equal(value, known) if isinstance(value, torch.Tensor) else value == known
        assert alike, f"{name} changed"
    assert all(p.grad is grad for p, grad in objects)


def recorded(
    model: nn.Module, batch: Any, costs: Callable[..., Any], tolerance: float = 1e-10, **options: Any
) -> wg.Record:
    """Returns the record after asserting that its gradients are autograd's and that nothing changed."""
    state = {name: value.clone() for name, value in model.state_dict().items()}
    drawn = torch.get_rng_state(), random.getstate(), np.random.get_state()
    with unchanged(model, batch):
        record = wg.record(model, batch, costs, **options)
    right = by_autograd(model, batch, costs)
    model.load_state_dict(state)
    torch.set_rng_state(drawn[0])
    random.setstate(drawn[1])
    np.random.set_state(drawn[2])
    gradients = record.gradients()
    assert set(gradients) == set(right)
    for name, wanted in right.items():
        got = gradients[name]
        if wanted.is_complex():
            wanted = torch.view_as_real(wanted.resolve_conj())
        assert got.shape == wanted.shape, name
        assert got.dtype == wanted.dtype, name
        worst = (got - wanted).abs().max().item() if wanted.numel() else 0.0
        scale = max((r.abs().max().item() for r in right.values() if r.numel()), default=0.0)
        assert worst <= tolerance * max(scale, 1e-30), f"{name}: {worst:.1e} beside {scale:.1e}"
    return record
