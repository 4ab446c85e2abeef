"""Mistakes in scale, in the bias gradients and in the regularisation."""

from collections.abc import Iterator

import numpy as np

from whygrad.diagnosis.mistake import At, Change, Mistake, Multiple
from whygrad.diagnosis.output_error import SQUARED
from whygrad.diagnosis.setting import Setting


def _two(setting: Setting, layer: int, level: str) -> Iterator[Multiple]:
    if setting.net.cost in SQUARED and (level == "all" or (level == "delta" and layer == setting.depth)):
        name = setting.net.cost.replace("_", " ")
        yield Multiple(
            0.5,
            f"2 is missing: the derivative of the {name} has it"
            if name == "squared error"
            else "the half is there twice",
        )
        yield Multiple(
            2.0,
            "2 is there twice"
            if name == "squared error"
            else "2 is too much: the half of the cost cancels it",
        )


def _mean_missing(setting: Setting, layer: int, level: str) -> Iterator[Multiple]:
    m = setting.examples
    if m > 1 and setting.reduction == "mean":
        yield Multiple(m, "of the regularisation" if level == "regularisation" else "")


def _mean_twice(setting: Setting, layer: int, level: str) -> Iterator[Multiple]:
    m = setting.examples
    if m > 1 and level != "bias":
        note = (
            f"divided by {m} more"
            if setting.reduction == "mean"
            else f"divided by {m}, but the cost is a sum"
        )
        yield Multiple(1 / m, note + (" in the regularisation" if level == "regularisation" else ""))


def _outputs(setting: Setting, layer: int, level: str) -> Iterator[Multiple]:
    outputs = setting.sizes[-1]
    if outputs > 1 and (level == "all" or (level == "delta" and layer == setting.depth)):
        yield Multiple(outputs, f"summed in the gradient, {outputs} times too large")
        yield Multiple(1 / outputs, f"averaged in the gradient, {outputs} times too small")


def _divisor(setting: Setting, layer: int, level: str) -> Iterator[Multiple]:
    if level == "regularisation":
        return
    m = setting.examples
    # One parameter alone may as well have a stray factor.
    alone = 0.2 if level in ("weight", "bias") else 0.0
    for place, size in enumerate(setting.sizes):
        if size in (1, m):
            continue
        what = (
            "inputs" if place == 0 else "outputs" if place == setting.depth else f"neurons of layer {place}"
        )
        if setting.reduction == "mean":
            yield Multiple(m / size, f"by the {size} {what} instead of by the {m} examples", alone)
        if place != setting.depth or (level != "all" and layer != setting.depth):
            yield Multiple(1 / size, f"by the {size} {what}", alone)


def _bias_mean(setting: Setting, layer: int, level: str) -> Iterator[Multiple]:
    if level == "bias" and setting.examples > 1:
        yield Multiple(1 / setting.examples, "")


def _over_units(at: At) -> Iterator[Change]:
    sums = at.delta.sum(axis=0)
    if len(sums) > 1:
        yield Change(np.full_like(sums, sums.sum()), "one number for the whole layer")
        yield Change(np.full_like(sums, sums.mean()), "one number, their mean, for the whole layer")
        if len(at.delta) == len(sums):
            yield Change(at.delta.sum(axis=1), "over the units instead of over the examples")
            yield Change(at.delta.mean(axis=1), "over the units instead of over the examples, and averaged")


def _from_weights(at: At) -> Iterator[Change]:
    gradients = [at.setting.weight_gradient(at.layer, at.delta)]
    given = at.given.get(f"W{at.layer}")
    if given is not None:
        gradients.append(given)
    for dW in gradients:
        name = f"dW{at.layer}"
        yield Change(dW.sum(axis=1), f"the sum of {name} over its inputs")
        yield Change(dW.mean(axis=1), f"the mean of {name} over its inputs")
        yield Change(dW[:, 0], f"the first column of {name}")
        yield Change(dW[:, -1], f"the last column of {name}")
        if dW.shape[0] == dW.shape[1]:
            yield Change(dW.sum(axis=0), f"the sum of {name} over its outputs")
            yield Change(dW.mean(axis=0), f"the mean of {name} over its outputs")
            yield Change(np.diag(dW), f"the diagonal of {name}")


def _not_reduced(at: At) -> Iterator[Change]:
    m = len(at.delta)
    if m == 1:
        return
    for example in (m - 1, 0, *range(1, min(m - 1, 64))):
        for scale in {1.0, 1 / at.setting.scale}:
            yield Change(at.delta[example] * scale, f"it is that of example {example} alone")


def _two_l2(setting: Setting, layer: int, level: str) -> Iterator[Multiple]:
    if level == "regularisation" and setting.l2:
        yield Multiple(0.5, "only half of it is there")
        yield Multiple(2.0, "it is twice what the cost's derivative has")


def _l2_twice(setting: Setting, layer: int, level: str) -> Iterator[Multiple]:
    if level == "regularisation" and setting.l2:
        yield Multiple(2.0, "")


ENTRIES = (
    Mistake(
        "factor_two_missing",
        "scale",
        "a factor 2 is missing or too much: {note}",
        "d (a - y)^2 / da = 2 (a - y); d 1/2 (a - y)^2 / da = a - y",
        "everywhere, with a squared error",
        multiples=_two,
    ),
    Mistake(
        "batch_mean_missing",
        "scale",
        "1/m is missing: the cost is a mean over the {m} examples, the gradient a sum {note}",
        "divide by the {m} examples, once",
        "everywhere, or from one layer down, or one parameter",
        multiples=_mean_missing,
    ),
    Mistake(
        "batch_mean_twice",
        "scale",
        "1/m is applied once too often: {note}",
        "divide by the {m} examples once: in delta{last}, or in each dW and db, not in both",
        "everywhere, or from one layer down",
        multiples=_mean_twice,
    ),
    Mistake(
        "output_mean_missing",
        "scale",
        "the {outputs} outputs are averaged on one side only: {note}",
        "take the mean over the outputs in the cost and in the gradient, or in neither",
        "everywhere, with more than one output",
        multiples=_outputs,
    ),
    Mistake(
        "wrong_divisor",
        "scale",
        "divided by the wrong size: {note}",
        "divide by the number of examples: len(x)",
        "everywhere, or a layer",
        multiples=_divisor,
        rank=1.1,
    ),
    Mistake(
        "bias_mean_for_sum",
        "bias",
        "the gradient of b{l} is averaged over the {m} examples where it should be summed",
        "db{l} = delta{l}.sum(axis=0)",
        "biases",
        multiples=_bias_mean,
        rank=0.95,
    ),
    Mistake(
        "bias_sum_over_units",
        "bias",
        "the gradient of b{l} is summed over the units: {note}",
        "db{l} = delta{l}.sum(axis=0): over the examples only",
        "biases of layers with more than one neuron",
        {"bias": _over_units},
    ),
    Mistake(
        "bias_from_weight_gradient",
        "bias",
        "the gradient of b{l} is computed from the weight gradient: {note}",
        "db{l} = delta{l}.sum(axis=0)",
        "biases",
        {"bias": _from_weights},
    ),
    Mistake(
        "bias_not_reduced",
        "bias",
        "the gradient of b{l} is not summed over the examples: {note}",
        "db{l} = delta{l}.sum(axis=0)",
        "biases, with more than one example",
        {"bias": _not_reduced},
    ),
    Mistake(
        "l2_factor_two_missing",
        "regularisation",
        "a factor 2 of the regularisation is missing or too much in dW{l}: {note}",
        "d (l2/2 W^2) / dW = l2 W",
        "weights, with regularisation",
        multiples=_two_l2,
    ),
    Mistake(
        "l2_counted_twice",
        "regularisation",
        "the regularisation is counted twice in dW{l}",
        "add l2 W once",
        "weights, with regularisation",
        multiples=_l2_twice,
    ),
)
