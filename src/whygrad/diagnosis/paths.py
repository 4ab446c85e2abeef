"""Mistakes on the way back, in paths, weights and layers: back_l = delta_{l+1} W_{l+1} and dW_l = delta_l^T a_{l-1}."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from whygrad.arrays import Array
from whygrad.diagnosis.mistake import At, Change, Mistake
from whygrad.diagnosis.weights import bias_column_weights, elementwise_weights


def _weights_above(at: At) -> Array:
    return at.setting.W[at.layer + 1]


def _whole(found: Array) -> list[int] | None:
    nearest: Array = np.round(found)
    if np.max(np.abs(found - nearest)) > 1e-5 * max(1.0, float(np.max(np.abs(nearest)))):
        return None
    return [int(number) for number in nearest.tolist()]


def _shares(at: At) -> tuple[Array, ...]:
    """What is sent back through each neuron of the layer above."""
    W = _weights_above(at)
    return tuple(np.outer(at.above[:, k], W[k]) for k in range(len(W)))


def _some_paths(at: At) -> Iterator[Change]:
    W = _weights_above(at)
    many = len(W)
    if many == 1:
        return
    shares = _shares(at)
    for k in (many - 1, *range(many - 1)):
        yield Change(shares[k], f"only the path through neuron {k} of layer {at.layer + 1} is kept")
    whole = at.above @ W
    if many > 2:
        for k in range(many):
            yield Change(
                whole - shares[k], f"the path through neuron {k} of layer {at.layer + 1} is left out"
            )
    yield Change(whole / many, "the paths are averaged instead of added up")

    def accept(found: Array) -> str | None:
        counts = _whole(found)
        if counts is None or set(counts) - {0, 1} or len(set(counts)) == 1:
            return None
        kept = [str(k) for k, count in enumerate(counts) if count]
        return f"only the paths through neurons {', '.join(kept)} of layer {at.layer + 1} are kept"

    if 3 < many <= 32:
        yield Change(np.zeros_like(whole), "", shares, accept)


def _paths_again(at: At) -> Iterator[Change]:
    shares = _shares(at)
    if not 1 < len(shares) <= 32:
        return

    def accept(found: Array) -> str | None:
        counts = _whole(found)
        if (
            counts is None
            or max(counts) < 2
            or min(counts) < 0
            or max(counts) > 2 * len(counts)
            or len(set(counts)) == 1
        ):
            return None
        return _counted(at, counts)

    yield Change(
        sum(share * (len(shares) - k) for k, share in enumerate(shares)),
        _counted(at, range(len(shares), 0, -1)),
    )
    for k, share in enumerate(shares):
        counts = [1] * len(shares)
        counts[k] = 2
        yield Change(at.above @ _weights_above(at) + share, _counted(at, counts))
    yield Change(np.zeros_like(shares[0]), "", shares, accept)


def _counted(at: At, counts: Any) -> str:
    return f"those through the neurons of layer {at.layer + 1} count {', '.join(map(str, counts))} times"


def _activation_sent(at: At) -> Iterator[Change]:
    setting, W = at.setting, _weights_above(at)
    for scale in sorted({1.0, setting.scale}, reverse=True):
        yield Change(setting.a[at.layer + 1] @ W * scale, f"a{at.layer + 1} is sent back")
        yield Change(setting.z[at.layer + 1] @ W * scale, f"z{at.layer + 1} is sent back")
        if at.layer + 1 == setting.depth:
            yield Change(setting.target @ W * scale, "the targets are sent back")


def _not_transposed(at: At) -> Iterator[Change]:
    W = _weights_above(at)
    if W.shape[0] == W.shape[1]:
        yield Change(at.above @ W.T)
    elif min(W.shape) > 1:
        yield Change(at.above @ W.T.reshape(W.shape), "(reshaped instead)")
    setting = at.setting
    for layer, other in setting.W.items():
        if layer != at.layer + 1 and other.shape == W.shape:
            yield Change(at.above @ other, f": W{layer} stands in its place")


def _gradient_sent(at: At) -> Iterator[Change]:
    given = at.given.get(f"W{at.layer + 1}")
    if given is None:
        return
    for scale in {1.0, float(at.setting.examples), 1 / at.setting.examples}:
        yield Change(at.above @ given * scale, "" if scale == 1 else f"(times {scale:g})")
    right = at.setting.weight_gradient(at.layer + 1, at.above)
    if not np.allclose(right, given):
        yield Change(at.above @ right)


def _early(at: At) -> Iterator[Change]:
    given = at.given.get(f"W{at.layer + 1}")
    if given is None:
        return

    def accept(found: Array) -> str | None:
        rate = -float(found[0])
        if not 1e-9 < abs(rate) < 1e4:
            return None
        sign = "" if rate > 0 else ", with the wrong sign"
        return f"the learning rate that fits is {abs(rate):.6g}{sign}"

    yield Change(at.above @ _weights_above(at), "", (at.above @ given,), accept)
    right = at.setting.weight_gradient(at.layer + 1, at.above)
    if not np.allclose(right, given, rtol=1e-6):
        yield Change(at.above @ _weights_above(at), "", (at.above @ right,), accept, surcharge=0.05)


def _products(at: At) -> Iterator[Change]:
    """Matrix products for elementwise ones in delta = back * slope; they fit by chance."""
    if at.elementwise and not at.activation.trivial:
        back, slope = at.back, at.slope
        m, n = back.shape
        if m == n:
            yield Change(back @ slope, "back @ slope mixes the examples")
            yield Change(slope @ back, "slope @ back mixes the examples")
            yield Change(back.T @ slope, "back.T @ slope mixes the examples")
            yield Change(slope.T @ back, "slope.T @ back mixes the examples")
            yield Change(back @ slope.T, "back @ slope.T mixes the examples")
            yield Change(slope @ back.T, "slope @ back.T mixes the examples")
            yield Change(back * slope.T, "the slope is transposed")
            yield Change((back @ slope).T, "back @ slope, transposed")
        if n > 1:
            dots = (back * slope).sum(axis=1, keepdims=True)
            yield Change(np.broadcast_to(dots, back.shape), "a scalar product: one number for all neurons")
            yield Change(
                np.full(back.shape, (back * slope).sum()), "a scalar product over all neurons and examples"
            )
            yield Change(
                back.sum(axis=1, keepdims=True) * slope, "the error is summed over the neurons first"
            )
            yield Change(
                back * slope.sum(axis=1, keepdims=True), "the slope is summed over the neurons first"
            )
        if m > 1:
            yield Change(back * slope.sum(axis=0), "the slope is summed over the examples first")
            yield Change(back * slope.mean(axis=0), "the slope is averaged over the examples first")
            yield Change(back.sum(axis=0) * slope, "the error is summed over the examples first")
            yield Change(back.mean(axis=0) * slope, "the error is averaged over the examples first")
    elif at.activation.name == "softmax":
        yield Change(at.back * at.a, "the product with the Jacobian")


def _elementwise_back(at: At) -> Iterator[Change]:
    """Elementwise products for matrix products in back = delta W."""
    W, above = _weights_above(at), at.above
    up, n = W.shape
    m = len(above)
    if up == n:
        if m == n and n > 1:
            yield Change(above * W, "delta * W")
            yield Change(above * W.T, "delta * W.T")
        if n > 1:
            yield Change(above * np.diag(W), "delta times the diagonal of W")
            yield Change(above * W.sum(axis=0), "delta times the sums of W's columns")
            yield Change(above * W.sum(axis=1), "delta times the sums of W's rows")
            yield Change(above @ (W * W), "W is squared entry by entry")
    if up > 1:
        yield Change(
            above.sum(axis=1, keepdims=True) * W.sum(axis=0),
            "the deltas and the weights are summed before they are multiplied",
        )
        yield Change(
            np.broadcast_to((above @ W).sum(axis=1, keepdims=True), (m, n)),
            "summed over the neurons below too",
        )
        yield Change(
            above.sum(axis=1, keepdims=True) * W.mean(axis=0), "the deltas are summed, the weights averaged"
        )
    if m > 1:
        yield Change(np.broadcast_to((above @ W).sum(axis=0), (m, n)), "summed over the examples")
        yield Change(np.broadcast_to((above @ W).mean(axis=0), (m, n)), "averaged over the examples")


def _bias_column_back(at: At) -> Iterator[Change]:
    setting, up = at.setting, at.layer + 1
    if not setting.net.bias:
        return
    W, b = setting.W[up], setting.b[up][:, None]
    if W.shape[1] == 1:
        yield Change(at.above @ b, f"b{up} is sent back in the place of W{up}")
        return
    yield Change(
        at.above @ np.hstack([b, W[:, :-1]]), f"with b{up} in the first column, the last one is dropped"
    )
    yield Change(
        at.above @ np.hstack([W[:, 1:], b]), f"with b{up} in the last column, the first one is dropped"
    )


def _bias_column_delta(at: At) -> Iterator[Change]:
    """The bias unit's column dropped after the product with the slopes, whose column is another one."""
    setting, up = at.setting, at.layer + 1
    if at.last or not setting.net.bias or not at.elementwise or at.z.shape[1] == 1:
        return
    W, b = setting.W[up], setting.b[up][:, None]
    first, last = at.above @ np.hstack([b, W]), at.above @ np.hstack([W, b])
    for unit in (1.0, 0.0, float(setting.slope[at.layer][0, 0])):
        column = np.full((len(at.z), 1), unit)
        yield Change(
            first[:, :-1] * np.hstack([column, at.slope])[:, :-1],
            f"with b{up} in the first column, the last one is dropped",
        )
        yield Change(
            last[:, 1:] * np.hstack([at.slope, column])[:, 1:],
            f"with b{up} in the last column, the first one is dropped",
        )
    yield Change(
        first[:, 1:] * np.hstack([np.ones((len(at.z), 1)), at.slope])[:, :-1],
        "the column of the slopes is the wrong one",
    )


def _hidden(changes: Any) -> Any:
    def only_hidden(at: At) -> Iterator[Change]:
        if not at.last:
            yield from changes(at)

    return only_hidden


ENTRIES = (
    Mistake(
        "path_sum_missing",
        "paths",
        "the sum over the paths is missing in layer {l}: {note}",
        "back{l} = sum over k of delta{up}[:, k] * W{up}[k] ('+=', not '='): back{l} = delta{up} @ W{up}",
        "hidden layers below more than one neuron",
        {"back": _hidden(_some_paths)},
    ),
    Mistake(
        "path_counted_twice",
        "paths",
        "paths are counted more than once in layer {l}: {note}",
        "back{l} = delta{up} @ W{up}: each path once",
        "hidden layers",
        {"back": _hidden(_paths_again)},
        rank=1.1,
    ),
    Mistake(
        "activation_for_delta",
        "paths",
        "not delta but something else is sent back to layer {l}: {note}",
        "back{l} = delta{up} @ W{up}",
        "hidden layers",
        {"back": _hidden(_activation_sent)},
    ),
    Mistake(
        "weight_not_transposed",
        "paths",
        "the error goes back to layer {l} through the wrong side of W{up} (transposed or not) {note}",
        "back{l} = delta{up} @ W{up}, with W of the shape (to, from)",
        "hidden layers below a layer of the same width",
        {"back": _hidden(_not_transposed)},
    ),
    Mistake(
        "gradient_used_for_weight",
        "paths",
        "the error is sent back to layer {l} through dW{up} instead of W{up} {note}",
        "back{l} = delta{up} @ W{up}",
        "hidden layers",
        {"back": _hidden(_gradient_sent)},
    ),
    Mistake(
        "weights_updated_early",
        "paths",
        "W{up} was updated before the error was sent back through it to layer {l}: {note}",
        "compute all gradients first, then update; or keep a copy of W{up}",
        "hidden layers",
        {"back": _hidden(_early)},
    ),
    Mistake(
        "matmul_for_elementwise",
        "paths",
        "a matrix product and an elementwise product are mixed up in layer {l}: {note}",
        "delta{l} = (delta{up} @ W{up}) * {act}'(z{l}): @ for the weights, * for the slope",
        "every layer; most need equal widths or as many examples as neurons",
        {"slope": _products, "back": _hidden(_elementwise_back), "weight": elementwise_weights},
        rank=1.05,
    ),
    Mistake(
        "bias_column_misaligned",
        "paths",
        "the bias column of an augmented W is misaligned in layer {l}: {note}",
        "leave the bias column out on the way back: back{l} = delta{up} @ W{up}",
        "networks with biases",
        {"back": _hidden(_bias_column_back), "slope": _bias_column_delta, "weight": bias_column_weights},
    ),
)
