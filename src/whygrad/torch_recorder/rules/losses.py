"""Losses: an operation of each entry, and how the entries are joined."""

from typing import Any

import array_api_compat.torch as xp
import torch
from torch import Tensor

from whygrad.ops import application
from whygrad.structures import Reduction, Selection
from whygrad.torch_recorder.matrix_function import MatrixFunction
from whygrad.torch_recorder.rules.entry import OPS, apply, first, rule
from whygrad.torch_recorder.selections import selected
from whygrad.torch_recorder.tracer import UNTOLD, Call


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
    source = _before_softmax(call, x, axis)
    if source is not None:
        op = OPS["softmax_cross_entropy"]
    else:
        op, source = application("nll", ("x", "t"), NLL), ledger.input(x, x)
    settings = {"axis": (axis,)}
    value = call.func(x, target, weight, 0, ignored)[0]
    entry = ledger.apply("cross_entropy", op, [source, ledger.constant(hot)], settings, value)
    if given["reduction"] == 0:
        return [entry, None]
    if given["reduction"] == 2 or (weight is None and every):
        return [joined(call, entry, given["reduction"]), None]
    # the mean is over the weights of the targets
    total = ledger.apply(call.name, OPS["sum"], [entry], {"axis": None}, value.sum())
    return [
        ledger.apply(call.name, OPS["div"], [total, ledger.constant(hot.sum())], {}, first(call.out)),
        None,
    ]


def _before_softmax(call: Call, x: Tensor, axis: int) -> int | None:
    """Returns the node of scores whose log softmax along an axis an array is, laid out as the array; None otherwise."""
    ledger = call.ledger
    node = ledger.node(x)
    if node is None:
        return None
    made, moves = ledger.recording.nodes[node], []
    while made.op is not None and isinstance(made.op.structure, Selection) and len(made.inputs) == 1:
        moves.append(made)
        made = ledger.recording.nodes[made.inputs[0]]
    if made.op is not OPS["log_softmax"]:
        return None
    (source,) = made.inputs
    shape, along = made.value.shape, made.settings["axis"] % made.value.dim()
    if not moves:
        return source if along == axis else None

    def moved(array: Tensor) -> Tensor:
        for move in reversed(moves):
            array = move.op.structure.value((array,), move.settings, xp)
        return array

    # Whole softmaxes may lie otherwise than where they were made, but none may be cut or filled up.
    classes = shape[along]
    step = shape[along + 1 :].numel()
    places = torch.arange(1, shape.numel() + 1, dtype=torch.float64, device=x.device).reshape(shape)
    at = moved(places).movedim(axis, -1).long()
    number = (at - 1) // step % classes
    softmax = at - number * step
    every = torch.arange(classes, device=x.device)
    if number.shape[-1] != classes or not bool(((at > 0) & (number == every)).all()):
        return None
    if not bool((softmax == softmax[..., :1]).all()):
        return None
    value = moved(ledger.recording.nodes[source].value)
    node = selected(ledger, "view", moved, [source], value)
    ledger.protect(value, node)
    return node


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


@rule("_ctc_loss", "_cudnn_ctc_loss")
def _alignments(call: Call) -> Any:
    """The negative log likelihood of all alignments; with the logarithm of a softmax before it one operation.

    By the scores before that softmax its partials are the softmax less how probable each class is at each time, given
    the targets. Without a log softmax they are PyTorch's, which takes for granted that there is one.
    """
    given, ledger = call.given, call.ledger
    x, (out, _) = given["log_probs"], call.out
    source = _before_softmax(call, x, 2)
    plain = source is None
    if source is None:
        source = ledger.input(x, x)
    done = torch.as_tensor(given["input_lengths"], device=x.device)
    late = (torch.arange(len(x), device=x.device) >= done.reshape(-1, 1)).unsqueeze(-1)

    def by_example(scores: Tensor) -> Tensor:
        return scores.transpose(0, 1).masked_fill(late, 0.0)

    again = call.again([x])

    def run(scores: Tensor) -> Any:
        each = scores.transpose(0, 1)
        return again(each if plain else each.log_softmax(-1))

    value = by_example(ledger.recording.nodes[source].value)
    apart = selected(ledger, "transpose", by_example, [source], value)
    op = application("ctc_loss", ("x",), MatrixFunction(run, 0, 1, {}))
    return [ledger.apply(call.name, op, [apart], {}, out), UNTOLD]


@rule("rrelu_with_noise")
def _random_slopes(call: Call) -> Any:
    given = call.given
    if given["training"]:
        return apply(call, OPS["mul"], [given["self"], given["noise"].detach().clone()])
    slope = (given["lower"] + given["upper"]) / 2
    return apply(call, OPS["leaky_relu"], [given["self"]], {"slope": slope})
