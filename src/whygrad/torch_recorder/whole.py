"""Kernels that run whole: what they are made of doesn't come by, and is noted beside them."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._mode_utils import no_dispatch

from whygrad.torch_recorder.tracer import Tracer

PIECES = "write it out, as x*torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)*weight"


def read_plainly(following: Sequence[Tracer], refuse: Callable[[], None]) -> saved_tensors_hooks:
    """Returns a context for kernels: what they keep for the backward pass is for one that isn't recorded.

    Args:
        following: What records, as long as it does.
        refuse: Called where a backward pass that is recorded reads it all the same: no path leads there.
    """

    def unseen(kept: Tensor) -> Tensor:
        if following and torch.is_grad_enabled():
            refuse()
        return kept

    return saved_tensors_hooks(_same, unseen)


def _same(kept: Tensor) -> Tensor:
    return kept


def whole_normalisation(following: Sequence[Tracer]) -> Callable[..., Any]:
    """Returns RMS normalisation in one piece: PyTorch takes it apart on some devices before it can be seen."""
    plain = torch.rms_norm

    def refuse() -> None:
        following[0].ledger.refuse("rms_norm (within torch.autograd.grad with create_graph=True)", PIECES)

    def whole(
        input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
    ) -> Any:
        given: Any = {"input": input, "normalized_shape": normalized_shape, "weight": weight, "eps": eps}
        each = [x for x in (input, weight) if x is not None]
        other = any(x.is_complex() or torch._C._functorch.is_functorch_wrapped_tensor(x) for x in each)
        if other or not any(of.follows(each) for of in following):
            return plain(**given)
        with no_dispatch():
            with read_plainly(following, refuse):
                out = plain(**given)
            following[0].note(torch.ops.aten._fused_rms_norm.default, given, out)
        return out

    return whole
