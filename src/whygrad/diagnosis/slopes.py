"""Mistakes in the slope of an activation: delta_l = back_l * f'(z_l)."""

from collections.abc import Iterator

import numpy as np

from whygrad.arrays import Array
from whygrad.codegen.layered import Activation
from whygrad.diagnosis.mistake import At, Change, Mistake
from whygrad.diagnosis.setting import output_form, slope_at, slope_formula_at, softmax_jacobian, value_at
from whygrad.ops import ACTIVATIONS


def _bent(at: At) -> bool:
    return at.elementwise and not at.activation.trivial


def _piecewise(at: At) -> bool:
    return at.activation.name in ("relu", "leaky_relu", "elu")


def _at_activation(at: At) -> Iterator[Change]:
    if _bent(at) and at.activation.name not in ("relu", "leaky_relu"):
        yield Change(at.back * slope_at(at.activation, at.a))
    elif at.activation.name == "softmax":
        yield Change(np.einsum("mi,mij->mj", at.back, softmax_jacobian(value_at(at.activation, at.a))))


def _form_on_z(at: At) -> Iterator[Change]:
    if _bent(at) and output_form(at.activation):
        yield Change(at.back * slope_formula_at(at.activation, at.z, at.z), "with z")
        if at.inputs.shape == at.z.shape:
            yield Change(at.back * slope_formula_at(at.activation, at.z, at.inputs), "with the layer's input")
    elif at.activation.name == "softmax":
        yield Change(np.einsum("mi,mij->mj", at.back, softmax_jacobian(at.z)), "with z")
    elif at.activation.name == "elu":
        alpha = dict(at.activation.settings)["alpha"]
        yield Change(at.back * np.where(at.z > 0, 1, at.z + alpha), "with z: z + alpha for a + alpha")


def _errors(at: At) -> Iterator[tuple[Array, str]]:
    for factor in at.scales:
        yield at.back * factor, "the error that arrives"
        if at.last:
            apart = (at.a - at.setting.target) * at.setting.scale * factor
            yield apart, "a - y"
            yield -apart, "y - a"


def _of_error(at: At) -> Iterator[Change]:
    if not _bent(at) or _piecewise(at):
        return
    for u, what in _errors(at):
        if output_form(at.activation):
            yield Change(
                at.back * slope_formula_at(at.activation, u, u),
                f"the slope is written with {what} for the activation",
            )
        yield Change(at.back * slope_at(at.activation, u), f"the slope is taken at {what}")


def _missing(at: At) -> Iterator[Change]:
    if not at.last and not at.activation.trivial:
        yield Change(at.back)


def _missing_below(at: At) -> Iterator[Change]:
    setting = at.setting
    up = at.layer + 1
    if up < setting.depth and not setting.activation[up].trivial:
        yield Change(at.above_back @ setting.W[up], f"in what layer {up} sends back; dW{up} has it")


def _missing_weight(at: At) -> Iterator[Change]:
    # Without a bias and a layer below, the delta and its one use are the same numbers.
    if not at.activation.trivial and (at.setting.net.bias or at.layer > 1):
        yield Change(at.back.T @ at.inputs, f"in dW{at.layer} alone")


def _missing_bias(at: At) -> Iterator[Change]:
    if not at.activation.trivial:
        yield Change(at.back.sum(axis=0), f"in db{at.layer} alone")


def _wrong_layer(at: At) -> Iterator[Change]:
    if not _bent(at):
        return
    setting = at.setting
    for other in range(setting.depth + 1):
        z = setting.z.get(other)
        if other == at.layer or setting.a[other].shape != at.z.shape:
            continue
        if z is None:
            yield Change(at.back * slope_at(at.activation, setting.a[0]), "taken at the input x")
            continue
        yield Change(at.back * slope_at(at.activation, z), f"taken from layer {other}")
        mine, theirs = at.activation, setting.activation[other]
        if theirs != mine and not setting.dense(other) and not theirs.trivial:
            yield Change(at.back * setting.slope[other], f"taken from layer {other} ({theirs})")
        if output_form(mine):
            used = slope_formula_at(mine, z, setting.a[other])
            if theirs.name != mine.name:
                yield Change(at.back * used, f"written with the activations of layer {other}")


def _other_activation(at: At) -> Iterator[Change]:
    if not at.elementwise or at.activation.trivial:
        return
    for name, op in ACTIVATIONS.items():
        if name in (at.activation.name, "identity", "softmax", "log_softmax"):
            continue
        settings = {key: value for key, value in op.settings.items() if key != "axis"}
        other = Activation(name, tuple(settings.items()))
        if name == "leaky_relu" and at.activation.name == "relu":
            continue  # a constant that differs
        if name == "relu" and at.activation.name in ("leaky_relu", "elu"):
            yield Change(at.back * slope_at(other, at.z), f"that of {name} ")
            continue
        yield Change(at.back * slope_at(other, at.z), f"that of {name}")
        if output_form(other):
            yield Change(
                at.back * slope_formula_at(other, at.z, at.a), f"that of {name}, written with a{at.layer}"
            )


def _constant(at: At) -> Iterator[Change]:
    if not _piecewise(at):
        return
    positive = at.z > 0
    shape = np.exp(np.minimum(at.z, 0)) if at.activation.name == "elu" else 1.0
    settings = dict(at.activation.settings)
    right = float(settings.get("slope", settings.get("alpha", 0.0)) or 0.0)

    def accept(found: Array) -> str | None:
        constant = float(found[0])
        if (
            abs(constant - right) < 1e-7
            or abs(constant - 1) < 1e-7
            or abs(constant) < 1e-9
            or abs(constant) > 10
        ):
            return None
        return f"{constant:.6g} in the backward pass, {right:g} in the forward pass"

    if at.activation.name == "leaky_relu":
        yield Change(at.back * positive, f"0 in the backward pass, {right:g} in the forward pass")
    yield Change(at.back * positive, "", (at.back * ~positive * shape,), accept)


def _all_ones(at: At) -> Iterator[Change]:
    if at.activation.name == "relu":
        yield Change(at.back)


def _mask_from_gradient(at: At) -> Iterator[Change]:
    if not _piecewise(at):
        return
    low = dict(at.activation.settings).get("slope", 0.0)
    yield Change(at.back * np.where(at.back > 0, 1.0, low), "")
    yield Change(at.back * np.where(at.back < 0, 1.0, low), "(of minus the gradient)")
    yield Change(at.back * at.slope * (at.back > 0), "as well as from z")


def _from_output(at: At) -> Iterator[Change]:
    if at.activation.name != "leaky_relu":
        return
    low = dict(at.activation.settings)["slope"]
    if low <= 0:
        yield Change(
            at.back * np.where(at.a > 0, 1.0, low), "a > 0 is not z > 0 where the slope is not positive"
        )
        yield Change(
            at.back * np.where(at.a >= 0, 1.0, low), "a >= 0 is not z > 0 where the slope is not positive"
        )


def _upstream(at: At) -> Iterator[Change]:
    scales = {1.0, at.setting.scale}
    for scale in scales:
        ones = np.full(at.z.shape, scale)
        yield Change(
            at.setting.through(at.layer, ones) if at.elementwise else at.a * (1 - at.a) * scale,
            "delta is the slope alone",
        )
        if not at.last:
            yield Change(ones, "delta is 1")
            through = np.full(at.above.shape, scale) @ at.setting.W[at.layer + 1]
            yield Change(
                at.setting.through(at.layer, through), "1 is sent back through the weights instead of delta"
            )
            if at.setting.slope.get(at.layer + 1) is not None:
                slope = at.setting.slope[at.layer + 1] * scale
                yield Change(
                    at.setting.through(at.layer, slope @ at.setting.W[at.layer + 1]),
                    "the slope alone is sent back",
                )
    if not at.last and at.above.shape == at.z.shape:
        yield Change(at.setting.through(at.layer, at.above), "the weights on the way back are left out")
        yield Change(at.above, "delta is that of the layer above")
    if not at.last:
        error = at.setting.error
        if error.shape == at.z.shape and at.layer < at.setting.depth - 1:
            yield Change(at.setting.through(at.layer, error), "the output error stands in its place")


def _wrong_point(at: At) -> Iterator[Change]:
    if not _bent(at):
        return
    setting, layer = at.setting, at.layer
    points = []
    if setting.net.bias:
        points += [
            (at.z - setting.b[layer], "at z without the bias"),
            (at.z + setting.b[layer], "at z with the bias twice"),
        ]
    points += [
        (-at.z, "at -z"),
        (np.abs(at.z), "at |z|"),
        (2 * at.z, "at 2z"),
        (at.z**2, "at z^2"),
        (1 - at.a, "at 1 - a"),
    ]
    points += [(np.broadcast_to(at.z.mean(axis=0), at.z.shape), "at the mean of z over the examples")]
    points += [(np.broadcast_to(at.z[:1], at.z.shape), "at the first example's z")]
    points += [(np.broadcast_to(at.z[-1:], at.z.shape), "at the last example's z")]
    points += [
        (np.zeros_like(at.z), "at 0"),
        (value_at(at.activation, at.a), "at f(a)"),
        (slope_at(at.activation, at.z), "at f'(z)"),
    ]
    if at.last:
        points += [(setting.target, "at the target")]
        if output_form(at.activation):
            yield Change(
                at.back * slope_formula_at(at.activation, at.z, setting.target),
                "written with the target for the activation",
            )
    if at.z.shape[0] == at.z.shape[1]:
        points += [(at.z.T, "at z transposed")]
    for point, note in points:
        if output_form(at.activation):
            yield Change(
                at.back * slope_formula_at(at.activation, point, point), f"{note}, for the activation"
            )
        yield Change(at.back * slope_at(at.activation, point), note)
    yield Change(at.back * at.a, "a stands in the slope's place")
    yield Change(at.back * at.z, "z stands in the slope's place")
    yield Change(at.back * (1 - at.a), "1 - a stands in the slope's place")
    yield Change(at.back * at.a**2, "a^2 stands in the slope's place")


def _inverted(at: At) -> Iterator[Change]:
    if at.activation.name == "relu":
        yield Change(at.back * (at.z <= 0))
    elif at.activation.name == "leaky_relu":
        low = dict(at.activation.settings)["slope"]
        yield Change(at.back * np.where(at.z > 0, low, 1.0))
    elif at.activation.name == "elu":
        alpha = dict(at.activation.settings)["alpha"]
        yield Change(at.back * np.where(at.z > 0, alpha * np.exp(at.z), 1.0))


ENTRIES = (
    Mistake(
        "slope_at_activation",
        "slope",
        "the slope of {act} in layer {l} is evaluated at the activation a{l} instead of at z{l}",
        "delta{l} = back * {act}'(z{l})",
        "layers whose activation has a slope that changes",
        {"slope": _at_activation},
    ),
    Mistake(
        "activation_form_on_z",
        "slope",
        "the slope of {act} in layer {l} is written for the activation a{l}, but taken elsewhere: {note}",
        "the form in a takes a{l}: for example a * (1 - a) for a sigmoid, 1 - a**2 for tanh",
        "layers whose slope can be written with the output: sigmoid, tanh, softmax, elu",
        {"slope": _form_on_z},
    ),
    Mistake(
        "slope_of_error",
        "slope",
        "the slope of {act} in layer {l} is computed from the error instead of from the layer's own value: {note}",
        "delta{l} = back * {act}'(z{l})",
        "layers with a smooth activation",
        {"slope": _of_error},
    ),
    Mistake(
        "hidden_slope_missing",
        "slope",
        "the slope of the hidden activation ({act}) is missing in layer {l} {note}",
        "delta{l} = (delta{up} @ W{up}) * {act}'(z{l})",
        "hidden layers",
        {"slope": _missing, "back": _missing_below, "weight": _missing_weight, "bias": _missing_bias},
    ),
    Mistake(
        "slope_wrong_layer",
        "slope",
        "the slope in layer {l} belongs to another layer: {note}",
        "delta{l} = back * {act}'(z{l})",
        "layers as wide as another one",
        {"slope": _wrong_layer},
    ),
    Mistake(
        "slope_of_other_activation",
        "slope",
        "the slope in layer {l} is not that of {act}: {note}",
        "delta{l} = back * {act}'(z{l})",
        "layers with an activation",
        {"slope": _other_activation},
    ),
    Mistake(
        "slope_constant_differs",
        "slope",
        "the constant of {act} in layer {l} differs: {note}",
        "use one constant for forward and backward pass",
        "neurons with z < 0 in layers with relu, leaky_relu or elu",
        {"slope": _constant},
    ),
    Mistake(
        "relu_mask_all_ones",
        "slope",
        "the ReLU mask of layer {l} is true everywhere (a{l} >= 0 always holds)",
        "delta{l} = back * (z{l} > 0)",
        "hidden layers with relu",
        {"slope": _all_ones},
    ),
    Mistake(
        "relu_mask_from_gradient",
        "slope",
        "the mask of layer {l} comes from the sign of the gradient {note}",
        "delta{l} = back * (z{l} > 0)",
        "layers with relu, leaky_relu or elu",
        {"slope": _mask_from_gradient},
    ),
    Mistake(
        "mask_from_output",
        "slope",
        "the mask of layer {l} comes from the output, which has lost the sign of z: {note}",
        "delta{l} = back * where(z{l} > 0, 1, slope)",
        "layers with leaky_relu and a slope that is not positive",
        {"slope": _from_output},
    ),
    Mistake(
        "upstream_ignored",
        "slope",
        "the gradient that arrives at layer {l} is ignored or overwritten: {note}",
        "delta{l} = (delta{up} @ W{up}) * {act}'(z{l})",
        "every layer",
        {"slope": _upstream},
    ),
    Mistake(
        "slope_at_wrong_point",
        "slope",
        "the slope of {act} in layer {l} is taken at the wrong argument: {note}",
        "delta{l} = back * {act}'(z{l})",
        "layers whose activation has a slope that changes",
        {"slope": _wrong_point},
        rank=1.1,
    ),
    Mistake(
        "mask_inverted",
        "slope",
        "the mask of layer {l} is inverted: the slopes for z > 0 and z < 0 have changed places",
        "delta{l} = back * (z{l} > 0)",
        "layers with relu, leaky_relu or elu",
        {"slope": _inverted},
    ),
)
