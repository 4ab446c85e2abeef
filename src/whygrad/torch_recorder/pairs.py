"""Complex arrays as real ones with a last axis of two, the real and the imaginary part: what nodes hold of them.

So each part is a scalar of its own, through which paths go; the rest of the house knows no complex numbers.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


def carries(tensor: Tensor) -> bool:
    """Returns whether paths may go through a tensor, by its kind of numbers."""
    return tensor.is_floating_point() or tensor.is_complex()


def is_turned(tensor: Tensor) -> bool:
    """Returns whether a tensor shows its memory conjugated or negated, which PyTorch only notes."""
    return tensor.is_conj() or tensor.is_neg()


def turned_back(tensor: Tensor) -> Tensor:
    """Returns what the memory of a turned tensor holds."""
    back = torch.conj(tensor) if tensor.is_conj() else tensor
    return torch._neg_view(back) if back.is_neg() else back


def signs(tensor: Tensor) -> Tensor:
    """Returns what its memory's real numbers are multiplied with, where a turned tensor shows them."""
    made = torch.ones(2 if tensor.is_complex() else (), dtype=tensor.real.dtype, device=tensor.device)
    if tensor.is_conj():
        made[1] = -1
    return -made if tensor.is_neg() else made


def paired(tensor: Tensor) -> Tensor:
    """Returns the real numbers of a tensor: a window onto its memory, unless that is turned.

    Example:
        >>> paired(torch.tensor([1 + 2j]).conj()), paired(torch.ones(1))
        (tensor([[ 1., -2.]]), tensor([1.]))
    """
    if not tensor.is_complex():
        return tensor.resolve_neg() if tensor.is_neg() else tensor
    return torch.view_as_real(tensor.resolve_conj().resolve_neg())


def of_pairs(run: Callable[..., Any], inputs: Sequence[Tensor]) -> Callable[..., Any]:
    """Returns a function of some tensors as one of their pairs, whose results are pairs where they are complex.

    Example:
        >>> c = torch.tensor([1 + 2j, 3 + 4j])
        >>> of_pairs(lambda x: x[1:], [c])(torch.view_as_real(c))
        tensor([[3., 4.]])
    """
    turned = [x.is_complex() for x in inputs]

    def of_real(*arrays: Tensor) -> Any:
        given = (torch.view_as_complex(a) if two else a for a, two in zip(arrays, turned, strict=True))
        made = run(*given)
        if isinstance(made, Tensor):
            return paired(made)
        return [paired(each) if isinstance(each, Tensor) else each for each in made]

    return of_real
