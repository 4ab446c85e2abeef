"""Spatial transformers: what a grid looks at, written as products and picked entries."""

from typing import Any

import torch
from torch import Tensor

ZEROS, REFLECTION = 0, 2  # of padding
NEAREST = 1  # of interpolation


def sampled(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """Returns ``torch.grid_sampler`` in pieces, through which a backward pass can be recorded."""
    whole = torch.ops.aten.grid_sampler_2d.default
    plane: Any = torch._decomp.decomposition_table[whole]
    make = plane if input.dim() == 4 else sampled_volume
    made: Tensor = make(input, grid, interpolation_mode, padding_mode, align_corners)
    if interpolation_mode != NEAREST:
        return made
    # The derivative by the grid is 0 for autograd, not missing; and no path goes there.
    return made.where(torch.ones_like(made, dtype=torch.bool), grid.sum())


def sampled_volume(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """Returns (n, channels, *places) from volumes (n, channels, d, h, w) and places (n, …, 3) from -1 to 1 in them."""
    sizes = input.shape[2:]
    places = [
        _along(grid[..., 2 - axis].flatten(1), size, padding_mode, align_corners)
        for axis, size in enumerate(sizes)
    ]
    nearest = interpolation_mode == NEAREST
    firsts = [at.detach().round() if nearest else at.detach().floor() for at in places]
    made: Any = 0.0
    for corner in range(1 if nearest else 8):
        steps = [corner >> axis & 1 for axis in range(3)]
        weight: Any = 1.0
        inside = torch.ones_like(firsts[0], dtype=torch.bool)
        flat = torch.zeros_like(inside, dtype=torch.int64)
        for at, begin, step, size in zip(places, firsts, steps, sizes, strict=True):
            if not nearest:
                weight = weight * (at - begin if step else begin + 1 - at)
            inside = inside & (begin + step >= 0) & (begin + step < size)
            flat = flat * size + (begin + step).clamp(0, size - 1).long()
        taken = input.flatten(2).gather(2, flat.unsqueeze(1).expand(-1, input.shape[1], -1))
        taken = taken.masked_fill(~inside.unsqueeze(1), 0)
        made = made + (taken if nearest else taken * weight.unsqueeze(1))
    shaped: Tensor = made.reshape(*input.shape[:2], *grid.shape[1:-1])
    return shaped


def _along(at: Tensor, size: int, padding_mode: int, corners: bool) -> Tensor:
    """Returns where along an axis a grid looks, in entries; what reflects or clips is constant around it."""
    at = (at + 1) / 2 * (size - 1) if corners else ((at + 1) * size - 1) / 2
    known = at.detach()
    if padding_mode == ZEROS:
        return at
    sign = torch.ones_like(known)
    low, span = (0.0, size - 1.0) if corners else (-0.5, float(size))
    if padding_mode == REFLECTION:
        beyond, side = (known - low).abs(), torch.where(known < low, -1.0, 1.0)
        turns, rest = torch.floor(beyond / span), torch.fmod(beyond, span)
        back = torch.fmod(turns, 2) != 0
        sign = side.where(~back, -side) * bool(span)
        known = (torch.where(back, span - rest, rest) + low) if span else torch.zeros_like(known)
    kept = (known > 0) & (known < size - 1)
    sign = sign.where(kept, torch.zeros_like(sign))
    return sign * at + (known.clamp(0, size - 1) - (sign * at).detach())
