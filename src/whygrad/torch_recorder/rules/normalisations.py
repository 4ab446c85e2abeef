"""Functions of all entries along axes that leave as many: softmax and normalisations."""

from collections.abc import Sequence
from typing import Any

import array_api_compat.torch as xp
import torch
from torch import Tensor

from whygrad.ops import Op
from whygrad.torch_recorder.rules.entry import OPS, apply, first, rule, written
from whygrad.torch_recorder.selections import selected
from whygrad.torch_recorder.tracer import Call


@rule("_softmax", "_safe_softmax", "_log_softmax")
def _softmax(call: Call) -> Any:
    if call.out.dim() == 0:
        return None  # of one number: a constant 1 or 0
    op = OPS["log_softmax" if "log" in call.name else "softmax"]
    return apply(call, op, [call.given["self"]], {"axis": call.given["dim"]})


def _normalised(
    call: Call, op: Op, x: Tensor, axes: tuple[int, ...], eps: float, value: Tensor | None = None
) -> tuple[int, Tensor]:
    """Returns the node of what is normalised over some axes, and its value, which may be known."""
    settings = {"axis": axes, "eps": eps}
    if value is None:
        value = op.structure.value((x.detach(),), settings, xp)
    return call.ledger.apply(call.name, op, [call.ledger.input(x, x)], settings, value), value


def _scaled(call: Call, node: int, value: Tensor, weight: Any, bias: Any, shape: Sequence[int]) -> int:
    """Returns the node of a normalised array times a weight plus a bias, each of which may be missing."""
    out = first(call.out)
    steps = [("mul", weight), ("add", bias)]
    steps = [(name, factor) for name, factor in steps if factor is not None]
    if not steps:
        call.ledger.recording.replace_value(node, out.detach())
    for place, (name, factor) in enumerate(steps):
        source, wide = call.ledger.input(factor, factor), factor.detach().reshape(shape)
        if tuple(factor.shape) != tuple(shape):
            source = selected(call.ledger, "view", lambda t: t.reshape(shape), [source], wide)
        value = out if place == len(steps) - 1 else value * wide
        node = call.ledger.apply(call.name, OPS[name], [node, source], {}, value)
    return node


@rule("native_layer_norm", "_fused_rms_norm")
def _of_each_example(call: Call) -> Any:
    given = call.given
    x, shape, eps = given["input"], tuple(given["normalized_shape"]), given["eps"]
    axes = tuple(range(x.dim() - len(shape), x.dim()))
    if call.name == "native_layer_norm":
        _, mean, factor = call.out
        known = ((x.detach() - mean) * factor).to(x.dtype)
        node, value = _normalised(call, OPS["normalise"], x, axes, eps, known)
    else:
        eps = torch.finfo(x.dtype).eps if eps is None else eps
        node, value = _normalised(call, OPS["rms_normalise"], x, axes, eps)
    # PyTorch has no derivative of what it returns beside the normalised array
    made = _scaled(call, node, value, given["weight"], given.get("bias"), shape)
    return [made, *(None for _ in call.out[1:])]


@rule("native_group_norm")
def _group_norm(call: Call) -> Any:
    given = call.given
    x, groups = given["input"], given["group"]
    wide = (x.shape[0], groups, x.numel() // max(1, x.shape[0] * groups))
    flat = x.detach().reshape(wide)
    apart = selected(call.ledger, "view", lambda t: t.reshape(wide), [call.ledger.input(x, x)], flat)
    settings = {"axis": (2,), "eps": given["eps"]}
    value = OPS["normalise"].structure.value((flat,), settings, xp)
    node = call.ledger.apply(call.name, OPS["normalise"], [apart], settings, value)
    full = x.shape
    value = value.reshape(full)
    node = selected(call.ledger, "view", lambda t: t.reshape(full), [node], value)
    shape = (x.shape[1], *(1,) * (x.dim() - 2))
    _, mean, factor = call.out

    def means() -> Any:
        return x.reshape(wide).mean(2)

    def factors() -> Any:
        return (x.reshape(wide).var(2, correction=0) + given["eps"]).rsqrt()

    return [
        _scaled(call, node, value, given["weight"], given["bias"], shape),
        lambda: written(call._replace(out=mean), means),
        lambda: written(call._replace(out=factor), factors),
    ]


@rule(
    "native_batch_norm",
    "_native_batch_norm_legit",
    "_native_batch_norm_legit_no_training",
    "_batch_norm_with_update",
    "_batch_norm_no_update",
    "cudnn_batch_norm",
    "miopen_batch_norm",
)
def _batch_norm(call: Call) -> Any:
    given = call.given
    x = given["input"]
    shape = (x.shape[1], *(1,) * (x.dim() - 2))
    training = given.get(
        "training", given.get("train", "update" in call.name and "no_update" not in call.name)
    )
    eps = given.get("eps", given.get("epsilon"))
    if training or given.get("running_mean") is None:
        node, value = _normalised(call, OPS["normalise"], x, (0, *range(2, x.dim())), eps)
        return [
            _scaled(call, node, value, given["weight"], given["bias"], shape),
            *(None for _ in call.out[1:]),
        ]
    mean = given["running_mean"].detach().reshape(shape)
    factor = torch.rsqrt(given["running_var"].detach() + eps).reshape(shape)
    node = call.ledger.input(x, x)
    value = x.detach()
    for name, constant in (("sub", mean), ("mul", factor)):
        value = value - mean if name == "sub" else value * factor
        node = call.ledger.apply(call.name, OPS[name], [node, call.ledger.constant(constant)], {}, value)
    return [_scaled(call, node, value, given["weight"], given["bias"], shape), *(None for _ in call.out[1:])]
