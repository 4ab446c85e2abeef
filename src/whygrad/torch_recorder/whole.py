"""Kernels that run whole: what they are made of doesn't come by, and is noted beside them."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._mode_utils import no_dispatch

from whygrad.torch_recorder.tracer import Tracer


class Unseen(BaseException):
    """A backward pass that is recorded reads what a kernel kept: the run must be recorded without whole kernels."""


def read_plainly(following: Sequence[Tracer]) -> saved_tensors_hooks:
    """Returns a context for kernels: what they keep for the backward pass is for one that isn't recorded.

    Where one that is recorded reads it, no path would lead there: :class:`Unseen`. ``following`` has what records, as
    long as it does.
    """

    def unseen(kept: Tensor) -> Tensor:
        if following and torch.is_grad_enabled():
            raise Unseen
        return kept

    return saved_tensors_hooks(_same, unseen)


def _same(kept: Tensor) -> Tensor:
    return kept


def normalisation_in_pieces(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Any:
    """Returns RMS normalisation of squares, means and products on every device."""
    return torch._decomp.decomposition_table[torch.ops.aten._fused_rms_norm.default](
        input, normalized_shape, weight, eps
    )[0]


def whole_normalisation(following: Sequence[Tracer]) -> Callable[..., Any]:
    """Returns RMS normalisation in one piece: PyTorch takes it apart on some devices before it can be seen."""
    plain = torch.rms_norm

    def whole(
        input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
    ) -> Any:
        given: Any = {"input": input, "normalized_shape": normalized_shape, "weight": weight, "eps": eps}
        each = [x for x in (input, weight) if x is not None]
        other = any(x.is_complex() or torch._C._functorch.is_functorch_wrapped_tensor(x) for x in each)
        if other or not any(of.follows(each) for of in following):
            return plain(**given)
        with no_dispatch():
            with read_plainly(following):
                out = plain(**given)
            following[0].note(torch.ops.aten._fused_rms_norm.default, given, out)
        return out

    return whole
