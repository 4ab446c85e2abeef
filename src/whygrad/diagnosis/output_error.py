"""Mistakes in the output error: the derivative of the cost by the last layer's pre-activations."""

from collections.abc import Iterator

import numpy as np

from whygrad.diagnosis.mistake import At, Change, Mistake, Multiple
from whygrad.diagnosis.regularisation import other_form
from whygrad.diagnosis.setting import Setting, softmax_jacobian, value_at
from whygrad.ops import COSTS

SQUARED = ("squared_error", "half_squared_error")


def _slope_missing(at: At) -> Iterator[Change]:
    if at.last and not at.activation.trivial:
        yield Change(at.back)


def _slope_missing_below(at: At) -> Iterator[Change]:
    setting = at.setting
    if at.layer == setting.depth - 1 and not setting.activation[setting.depth].trivial:
        yield Change(
            at.above_back @ setting.W[at.layer + 1], "in what is sent back; dW of the last layer has it"
        )


def _slope_extra(at: At) -> Iterator[Change]:
    if not at.last or at.activation.trivial:
        return
    delta = at.setting.through(at.layer, at.back)
    if at.elementwise:
        yield Change(delta * at.slope)
        return
    yield Change(delta * at.a * (1 - at.a), "multiplied by a(1 - a)")
    yield Change(at.setting.through(at.layer, delta), "multiplied by the Jacobian")


def _softmax_changes(at: At) -> Iterator[Change]:
    if at.activation.name != "softmax":
        return
    a, back = at.a, at.back
    if at.last:
        yield Change(back, "left out altogether")
    yield Change(back * a * (1 - a), "treated as the diagonal a(1 - a): the terms -a_i a_j are missing")
    yield Change(back * a, "treated as the diagonal a: the terms -a_i a_j are missing")
    inner = (back * a).sum(axis=1, keepdims=True)
    yield Change(-a * (inner - back * a), "without its diagonal")
    yield Change(-a * inner, "-a_i a_j everywhere: the diagonal's a_i is missing")
    yield Change(a * (back + inner), "with the wrong sign of -a_i a_j")
    yield Change(
        back * a * (1 - a) + a * (inner - back * a), "with the wrong sign of the terms off the diagonal"
    )
    yield Change(a * (back.sum(axis=1, keepdims=True) - inner), "a_i(1 - a_j) everywhere")
    yield Change((1 - a) * inner, "a_j(1 - a_i) everywhere")
    yield Change(
        back * a * (1 - a) - back * a * (a.sum(axis=1, keepdims=True) - a),
        "with each row multiplied by its own error",
    )
    yield Change(
        a * (back - back.mean(axis=1, keepdims=True)), "with the plain mean for the mean weighted by a"
    )
    yield Change(a * (back - back.sum(axis=1, keepdims=True)), "with the plain sum for the sum weighted by a")
    yield Change(back @ softmax_jacobian(a).mean(axis=0), "averaged over the examples")
    yield Change(back @ softmax_jacobian(a[:1])[0], "of the first example, used for all")


def _wrong_axis(at: At) -> Iterator[Change]:
    if not at.last or at.activation.name != "softmax":
        return
    setting = at.setting
    over = value_at(at.activation, at.z.T).T
    if setting.net.cost == "cross_entropy":
        yield Change((over - setting.target) * setting.scale)
    error = setting.cost_slope(a=over) * setting.scale
    yield Change(np.einsum("mi,mij->mj", error, softmax_jacobian(over)))
    yield Change(at.a * (at.back - (at.back * at.a).sum(axis=0, keepdims=True)), "in its Jacobian")


def _sign_error(at: At) -> Iterator[Change]:
    setting = at.setting
    a, t, scale = setting.a[setting.depth], setting.target, setting.scale
    cost = setting.net.cost
    if cost in SQUARED:
        yield Change(
            (2 if cost == "squared_error" else 1) * (a + t) * scale, "of the target: a + y for a - y"
        )
    if cost == "binary_cross_entropy":
        yield Change((-t / a - (1 - t) / (1 - a)) * scale, "of the term with 1 - y")
        yield Change((t / a + (1 - t) / (1 - a)) * scale, "of the term with y")


def _sign_delta(at: At) -> Iterator[Change]:
    setting = at.setting
    if at.last and setting.net.cost in ("cross_entropy", "binary_cross_entropy"):
        yield Change((at.a + setting.target) * setting.scale, "of the target: a + y for a - y")


def _sign_multiples(setting: Setting, layer: int, level: str) -> Iterator[Multiple]:
    yield Multiple(-1.0, {"regularisation": "of the regularisation"}.get(level, ""))


def _other_cost(at: At) -> Iterator[Change]:
    setting = at.setting
    for cost in COSTS:
        same_kind = cost in SQUARED and setting.net.cost in SQUARED
        if cost != setting.net.cost and not same_kind:
            error = setting.cost_slope(cost) * setting.scale
            if np.isfinite(error).all():
                yield Change(error, f"it is that of {cost}, the cost is {setting.net.cost}")
    a, t, scale = setting.a[setting.depth], setting.target, setting.scale
    apart = a - t
    huber = np.clip(apart, -1, 1) * scale
    yield Change(huber, "it is that of the Huber error (clipped at 1)")
    yield Change(np.tanh(apart) * scale, "it is that of log(cosh(a - y))")
    yield Change(4 * apart**3 * scale, "it is that of (a - y)^4")
    yield Change(
        apart / (np.sqrt((apart**2).sum(axis=1, keepdims=True)) + 1e-300) * scale,
        "it is that of the norm of a - y",
    )


def _fused(at: At) -> Iterator[Change]:
    """The short forms of other pairs of activation and cost."""
    setting = at.setting
    if not at.last or at.activation.trivial:
        return
    a, t, scale = at.a, setting.target, setting.scale
    if setting.net.cost not in SQUARED:
        if not _short_form_holds(at):
            yield Change(
                (a - t) * scale,
                "a - y is right for softmax with targets that sum to 1, and for a sigmoid with binary cross entropy",
            )
        for factor, named in ((1.0, "half_squared_error"), (2.0, "squared_error")):
            yield Change(
                factor * (a - t) * at.setting.through(at.layer, np.ones_like(a)) * scale
                if at.elementwise
                else setting.through(at.layer, factor * (a - t) * scale),
                f"it is that of {named}, the cost is {setting.net.cost}",
            )


def _short_form_holds(at: At) -> bool:
    pair = (at.activation.name, at.setting.net.cost)
    if pair == ("softmax", "cross_entropy"):
        return bool(np.allclose(at.setting.target.sum(axis=1), 1))
    return pair == ("sigmoid", "binary_cross_entropy")


def _root_multiples(setting: Setting, layer: int, level: str) -> Iterator[Multiple]:
    if level not in ("all", "delta") or layer != setting.depth:
        return
    cost = setting.data_cost()
    if cost > 0:
        yield Multiple(0.5 / np.sqrt(cost), "it is that of the cost's square root")
        yield Multiple(1 / cost, "it is that of the cost's logarithm")
        yield Multiple(2 * cost, "it is that of the cost's square")


ENTRIES = (
    Mistake(
        "output_slope_missing",
        "output error",
        "the slope of the output activation ({act}) is missing from the output error {note}",
        "delta{last} = dC/da{last} * {act}'(z{last})",
        "the last layer",
        {"slope": _slope_missing, "back": _slope_missing_below},
    ),
    Mistake(
        "output_slope_extra",
        "output error",
        "the slope of the output activation ({act}) is in the output error once too often {note}",
        "delta{last} = dC/dz{last}, without another {act}'(z{last})",
        "the last layer",
        {"slope": _slope_extra},
    ),
    Mistake(
        "softmax_diagonal",
        "output error",
        "the Jacobian of the softmax of layer {l} is wrong: {note}",
        "delta{l} = a{l} * (back - (back * a{l}).sum(axis=1, keepdims=True))",
        "layers with softmax",
        {"slope": _softmax_changes},
    ),
    Mistake(
        "softmax_wrong_axis",
        "output error",
        "the softmax in the gradient is taken over the examples instead of over the classes {note}",
        "a{l} = exp(z{l}) / exp(z{l}).sum(axis=1, keepdims=True): the axis of the classes",
        "the last layer, with softmax",
        {"slope": _wrong_axis},
    ),
    Mistake(
        "sign_flipped",
        "output error",
        "the sign is flipped {note}",
        "delta{last} comes from a{last} - y, and a step is w - learning_rate * gradient",
        "everywhere, or one parameter",
        {"error": _sign_error, "slope": _sign_delta},
        _sign_multiples,
    ),
    Mistake(
        "cost_and_gradient_differ",
        "other",
        "the gradient belongs to another formula than the cost: {note}",
        "differentiate the cost that is computed",
        "the last layer, or a regularisation",
        {"error": _other_cost, "slope": _fused, "weight": other_form},
        _root_multiples,
        rank=1.25,
    ),
)
