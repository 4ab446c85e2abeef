"""Losses: an operation of each entry, and how the entries are joined."""

from typing import Any

import array_api_compat.torch as xp
import torch

from whygrad.ops import application
from whygrad.structures import Reduction
from whygrad.torch_recorder.rules.entry import OPS, apply, first, rule
from whygrad.torch_recorder.tracer import Call


def joined(call: Call, node: int, reduction: int) -> int:
    """Returns the node of a loss whose entries are left alone (0), averaged (1) or added up (2)."""
    if reduction == 0:
        return node
    op = OPS["mean" if reduction == 1 else "sum"]
    return call.ledger.apply(call.name, op, [node], {"axis": None}, first(call.out))


@rule("nll_loss_forward", "nll_loss2d_forward")
def _nll(call: Call) -> Any:
    """The negative log likelihood; with the logarithm of a softmax before it one operation, the cross entropy."""
    given = call.given
    x, target, weight, ignored = given["self"], given["target"], given["weight"], given["ignore_index"]
    axis = 1 if x.dim() > 1 else 0
    live = target != ignored
    every = bool(live.all())
    at = target if every else target.where(live, torch.zeros_like(target))
    hot = torch.zeros_like(x).scatter_(axis, at.unsqueeze(axis), 1.0)
    if weight is not None:
        hot *= weight.detach().reshape(-1, *(1,) * (x.dim() - 1 - axis))
    if not every:
        hot *= live.unsqueeze(axis)
    ledger = call.ledger
    node = ledger.node(x)
    made = ledger.recording.nodes[node] if node is not None else None
    if made is not None and made.op is OPS["log_softmax"] and made.settings["axis"] % x.dim() == axis:
        op, source = OPS["softmax_cross_entropy"], made.inputs[0]
    else:
        op, source = application("nll", ("x", "t"), NLL), ledger.input(x, x)
    settings = {"axis": (axis,)}
    value = call.func(x, target, weight, 0, ignored)[0]
    entry = ledger.apply("cross_entropy", op, [source, ledger.constant(hot)], settings, value)
    if given["reduction"] == 0:
        return entry
    if given["reduction"] == 2 or (weight is None and every):
        return joined(call, entry, given["reduction"])
    # the mean is over the weights of the targets
    total = ledger.apply(call.name, OPS["sum"], [entry], {"axis": None}, value.sum())
    return ledger.apply(call.name, OPS["div"], [total, ledger.constant(hot.sum())], {}, first(call.out))


NLL = Reduction(("x", "t"), "-t*x", {"x": "-t", "t": "-x"})


@rule("binary_cross_entropy", "binary_cross_entropy_with_logits")
def _binary(call: Call) -> Any:
    given, ledger = call.given, call.ledger
    values = [given["self"], given["target"]]
    if call.name == "binary_cross_entropy":
        op = OPS["clamped_binary_cross_entropy"]
    elif given["pos_weight"] is None:
        op = OPS["binary_cross_entropy_with_logits"]
    else:
        op = OPS["weighted_binary_cross_entropy_with_logits"]
        values.append(given["pos_weight"])
    value = op.structure.value(tuple(v.detach() for v in values), {}, xp)
    node = ledger.apply(call.name, op, [ledger.input(v, v) for v in values], {}, value)
    if given["weight"] is not None:
        value = value * given["weight"].detach()
        node = ledger.apply(call.name, OPS["mul"], [node, ledger.input(given["weight"], value)], {}, value)
    return joined(call, node, given["reduction"])


@rule("rrelu_with_noise")
def _random_slopes(call: Call) -> Any:
    given = call.given
    if given["training"]:
        return apply(call, OPS["mul"], [given["self"], given["noise"].detach().clone()])
    slope = (given["lower"] + given["upper"]) / 2
    return apply(call, OPS["leaky_relu"], [given["self"]], {"slope": slope})
