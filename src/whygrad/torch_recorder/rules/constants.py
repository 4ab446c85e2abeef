"""What has no derivative, or is drawn: constants; and what PyTorch's derivative passes straight through."""

from typing import Any

import torch

from whygrad.torch_recorder.rules.entry import OPS, apply, rule
from whygrad.torch_recorder.tracer import Call


@rule(
    *"""zeros_like ones_like full_like empty_like rand_like randn_like randint_like new_zeros new_ones new_full
    new_empty new_empty_strided empty_strided _new_zeros_with_same_feature_meta bernoulli normal poisson binomial
    multinomial signbit floor_divide heaviside argmax argmin""".split()
)
def _nothing(call: Call) -> Any:
    return None


@rule(
    "fake_quantize_per_tensor_affine_cachemask",
    "_fake_quantize_per_tensor_affine_cachemask_tensor_qparams",
    "fake_quantize_per_channel_affine_cachemask",
    "_fused_moving_avg_obs_fq_helper",
)
def _straight_through(call: Call) -> Any:
    """Rounded to a grid: PyTorch has 1 for the derivative within the grid's bounds and 0 beyond."""
    out, inside = call.out
    return [apply(call, OPS["mul"], [call.given["self"], inside.to(out.dtype)]), None]


@rule("native_dropout")
def _dropped(call: Call) -> Any:
    """Entries that were left out and others made larger, as one kernel does it on accelerators."""
    (out, kept), p = call.out, call.given["p"]
    if call.given["train"] is False:
        return [apply(call, OPS["identity"], [call.given["input"]]), None]
    return [
        apply(call, OPS["mul"], [call.given["input"], kept.to(out.dtype) * (1 / (1 - p) if p < 1 else 0)]),
        None,
    ]


@rule("_standard_gamma")
def _drawn(call: Call) -> Any:
    """A random number that moves with the shape of its distribution."""
    x = call.given["self"]
    return apply(call, OPS["mul"], [x, torch._standard_gamma_grad(x.detach(), call.out.detach())])
