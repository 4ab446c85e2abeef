"""Mistakes in which parameters are regularised, and how strongly."""

from collections.abc import Iterator

import numpy as np

from whygrad.arrays import Array
from whygrad.diagnosis.mistake import At, Change, Mistake


def _of_bias(at: At) -> Iterator[Change]:
    setting, layer = at.setting, at.layer
    right, b = at.delta.sum(axis=0), setting.b[layer]
    strength = setting.l2
    m = setting.examples
    if strength:
        for number, what in (
            (strength, "l2"),
            (strength * m, "l2 times the examples"),
            (strength / m, "l2 divided by the examples"),
            (2 * strength, "twice l2"),
            (strength / 2, "half of l2"),
        ):
            yield Change(right + number * b, f"{what}, {number:.6g} times b{layer}, is added")
            yield Change(right + number, f"{what}, the constant {number:.6g}, is added")

    def multiple(found: Array) -> str | None:
        return f"{found[0]:.6g} times b{layer} is added" if abs(found[0]) > 1e-9 else None

    def constant(found: Array) -> str | None:
        return f"the constant {found[0]:.6g} is added" if abs(found[0]) > 1e-9 else None

    if len(b) > 1:
        if np.any(b):
            yield Change(right, "", (b,), multiple, surcharge=0.1)
        if strength:
            yield Change(right, "", (np.ones_like(b),), constant, surcharge=0.2)


def _other_layer(at: At) -> Iterator[Change]:
    setting, layer = at.setting, at.layer
    if not setting.l2:
        return
    W = setting.W[layer]
    right = setting.weight_gradient(layer, at.delta)
    for other, weights in setting.W.items():
        if other != layer and weights.shape == W.shape:
            # The comparison adds l2 W of this layer.
            yield Change(right + setting.l2 * (weights - W), f"W{other} in the place of W{layer}")


def other_form(at: At) -> Iterator[Change]:
    """Yields the gradients of costs that are regularised in another way."""
    setting, layer = at.setting, at.layer
    W = setting.W[layer]
    right = setting.weight_gradient(layer, at.delta)
    strength = setting.l2
    if strength:
        yield Change(right + strength * (np.sign(W) - W), "the gradient has sign(W), the cost has W^2")
        yield Change(right + strength * (np.abs(W) - W), "the gradient has |W|, the cost has W^2")
        yield Change(right + strength * (W**2 - W), "the gradient has W^2, not its derivative")
        yield Change(right + strength * (1 - W), "the gradient has the constant l2, the cost has W^2")

    def accept(found: Array) -> str | None:
        return (
            f"{found[0]:.6g} times sign(W) is in the gradient, but not in the cost"
            if abs(found[0]) > 1e-9
            else None
        )

    if W.size > 2:
        yield Change(right, "", (np.sign(W),), accept, surcharge=0.1)


ENTRIES = (
    Mistake(
        "bias_regularised",
        "regularisation",
        "the regularisation reaches b{l}: {note}; the cost has no biases in it",
        "add l2 W to the gradients of weights only",
        "biases",
        {"bias": _of_bias},
    ),
    Mistake(
        "wrong_layer_regularised",
        "regularisation",
        "another layer is regularised: {note}",
        "add l2 W{l} to dW{l}, for each layer once",
        "weights, with regularisation",
        {"weight": _other_layer},
    ),
)
