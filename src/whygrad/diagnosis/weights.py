"""Mistakes in the weight gradients: dW_l = delta_l^T a_{l-1}."""

from collections.abc import Iterator

import numpy as np

from whygrad.diagnosis.mistake import At, Change, Mistake


def elementwise_weights(at: At) -> Iterator[Change]:
    """Yields elementwise products for matrix products in dW."""
    delta, inputs = at.delta, at.inputs
    (m, up), n = delta.shape, inputs.shape[1]
    if m > 1:
        outer = np.outer(delta.sum(axis=0), inputs.sum(axis=0))
        yield Change(outer, "deltas and inputs are summed over the examples before they are multiplied")
        yield Change(
            outer / m, "deltas are summed and inputs averaged over the examples before they are multiplied"
        )
        yield Change(
            outer / m**2, "deltas and inputs are averaged over the examples before they are multiplied"
        )
    if delta.shape == inputs.shape:
        if m == n:
            yield Change(delta * inputs, "delta * a")
            yield Change((delta * inputs).T, "delta * a")
            yield Change(delta @ inputs, "delta @ a")
            yield Change(inputs @ delta, "a @ delta")
            yield Change(delta @ inputs.T, "delta @ a.T")
            yield Change(inputs @ delta.T, "a @ delta.T")
        sums = (delta * inputs).sum(axis=0)
        yield Change(np.broadcast_to(sums, (up, n)), "delta * a, one row for all")
        yield Change(np.broadcast_to(sums[:, None], (up, n)), "delta * a, one column for all")
        if up > 1:
            yield Change(np.diag(sums), "delta * a on the diagonal")


def _transposed(at: At) -> Iterator[Change]:
    right = at.setting.weight_gradient(at.layer, at.delta)
    if right.shape[0] == right.shape[1]:
        yield Change(right.T)
        regular = at.setting.regular(f"W{at.layer}")
        if np.any(regular):
            yield Change((right + regular).T - regular, "(with its regularisation)")
    elif min(right.shape) > 1:
        yield Change(
            right.T.reshape(right.shape),
            "(reshaped to the shape of W: its entries stand in the wrong places)",
        )


def _wrong_input(at: At) -> Iterator[Change]:
    setting, layer = at.setting, at.layer
    width = setting.sizes[layer - 1]
    for other, values in setting.a.items():
        if other != layer - 1 and values.shape[1] == width:
            yield Change(at.delta.T @ values, f"a{other} stands where a{layer - 1} belongs")
    if layer > 1 and not setting.activation[layer - 1].trivial:
        yield Change(at.delta.T @ setting.z[layer - 1], f"z{layer - 1} stands where a{layer - 1} belongs")
    for other, values in setting.z.items():
        if other != layer - 1 and values.shape[1] == width:
            yield Change(at.delta.T @ values, f"z{other} stands where a{layer - 1} belongs")
    for other, delta in at.deltas.items():
        if delta.shape == at.delta.shape and delta is not at.delta:
            yield Change(delta.T @ at.inputs, f"delta{other} stands where delta{layer} belongs")
    for other in range(1, layer):
        below = setting.deltas[other]
        if below.shape == at.delta.shape:
            yield Change(below.T @ at.inputs, f"delta{other} stands where delta{layer} belongs")
    if layer > 1 and setting.slope.get(layer - 1) is not None:
        yield Change(
            at.delta.T @ setting.slope[layer - 1],
            f"the slope of layer {layer - 1} stands where a{layer - 1} belongs",
        )
    if setting.target.shape[1] == width:
        yield Change(at.delta.T @ setting.target, "the targets stand where the inputs belong")
    if at.back is not None and at.elementwise and at.activation.trivial is False:
        yield Change(
            setting.a[layer].T @ at.inputs * setting.scale, f"a{layer} stands where delta{layer} belongs"
        )
        yield Change(setting.a[layer].T @ at.inputs, f"a{layer} stands where delta{layer} belongs")


def bias_column_weights(at: At) -> Iterator[Change]:
    """Yields dW with the bias column in one of its columns."""
    right = at.setting.weight_gradient(at.layer, at.delta)
    sums = at.delta.sum(axis=0)[:, None]
    if at.setting.net.bias:
        yield Change(
            np.hstack([sums, right[:, :-1]]), f"db{at.layer} stands in the first column of dW{at.layer}"
        )
        yield Change(
            np.hstack([right[:, 1:], sums]), f"db{at.layer} stands in the last column of dW{at.layer}"
        )


ENTRIES = (
    Mistake(
        "weight_gradient_transposed",
        "paths",
        "the gradient of W{l} is transposed {note}",
        "dW{l} = delta{l}.T @ a{down}, with the shape of W{l}",
        "weights; seen by its numbers in square layers",
        {"weight": _transposed},
    ),
    Mistake(
        "wrong_layer_input",
        "paths",
        "the gradient of W{l} is built from the wrong layer: {note}",
        "dW{l} = delta{l}.T @ a{down}",
        "weights; layers as wide as another one",
        {"weight": _wrong_input},
    ),
)
