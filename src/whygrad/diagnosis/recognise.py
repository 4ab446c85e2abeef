"""Recognises a layered network in a person's own functions, so that the table of layered networks applies."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from whygrad.codegen.layered import Activation
from whygrad.diagnosis.setting import value_at
from whygrad.diagnosis.tape import Tape
from whygrad.errors import WhygradError
from whygrad.ops import ACTIVATIONS, COSTS, OPS

if TYPE_CHECKING:
    from whygrad.run import Run

Array: TypeAlias = Any


class Recognised(NamedTuple):
    """A layered network in somebody's functions: its run, and how their arrays are laid out.

    ``turned`` are the weights whose rows are where a weight comes from; ``shapes`` the arrays' own shapes.
    """

    run: "Run"
    turned: frozenset[str]

    def read(self, gradients: Mapping[str, Array]) -> dict[str, Array]:
        """Returns the person's gradients with rows where weights go to."""
        made = {}
        for name, array in gradients.items():
            if name in self.turned and array.ndim == 2:
                array = array.T
            made[name] = array
        return made


def _activations(values: list[Array], z: Array) -> Iterator[Activation]:
    for name, op in ACTIVATIONS.items():
        settings = {key: value for key, value in op.settings.items() if key != "axis"}
        if name == "leaky_relu":
            yield from _leaky(values, z)
        elif name not in ("identity", "log_softmax"):
            yield Activation(name, tuple(settings.items()))


def _leaky(values: list[Array], z: Array) -> Iterator[Activation]:
    """Yields the leaky ReLU whose value is on the tape, with the slope that it has there."""
    low = z < 0
    if not low.any():
        return
    for value in values:
        for found in (value, value.T):
            if found.shape == z.shape and np.allclose(found[~low], z[~low]):
                slopes = found[low] / z[low]
                if (
                    np.ptp(slopes) < 1e-9
                    and abs(float(slopes[0])) > 1e-9
                    and abs(float(slopes[0]) - 1) > 1e-9
                ):
                    yield Activation("leaky_relu", (("slope", float(f"{slopes[0]:.12g}")),))
                    return


def recognised(
    tape: Tape, params: Mapping[str, Array], data: tuple[Any, ...], right: Mapping[str, Array]
) -> Recognised | None:
    """Returns the layered network that a tape is the cost of, or nothing.

    The parameters have to be called W1, b1, …, the data has to be inputs and targets. Whatever is found is checked:
    the network's own gradients must be the tape's.
    """
    depth = sum(name.startswith("W") for name in params)
    names = {f"W{n}" for n in range(1, depth + 1)}
    biases = {f"b{n}" for n in range(1, depth + 1)}
    if not depth or set(params) not in (names, names | biases) or len(data) != 2:
        return None
    if any(np.ndim(array) != 2 for array in data) or any(params[name].ndim != 2 for name in names):
        return None
    values = [step.value for step in tape.steps if step.value.ndim == 2]
    for columns in (False, True):
        x, y = (np.asarray(array, float).T if columns else np.asarray(array, float) for array in data)
        found = _layers(values, params, x, depth)
        if found is None or len(x) != len(y) or found[2].shape != y.shape:
            continue
        activations, turned, last = found
        run = _run(tape, params, activations, turned, x, y, last, right)
        if run is not None:
            return Recognised(run, turned)
    return None


def _known(values: list[Array], wanted: Array) -> bool:
    return any(
        (value.shape == wanted.shape and np.allclose(value, wanted, rtol=1e-9, atol=1e-12))
        or (value.shape == wanted.T.shape and np.allclose(value, wanted.T, rtol=1e-9, atol=1e-12))
        for value in values
    )


def _layers(
    values: list[Array], params: Mapping[str, Array], x: Array, depth: int
) -> tuple[list[Activation], frozenset[str], Array] | None:
    """Returns each layer's activation, which weights are turned, and the output; the tape holds all of them."""
    a, activations, turned = x, [], set()
    for layer in range(1, depth + 1):
        W, b = params[f"W{layer}"], params.get(f"b{layer}")
        if b is not None and b.size not in W.shape:
            return None
        for weights in (W.T, W):
            if a.shape[1] != weights.shape[1] or (b is not None and b.size != weights.shape[0]):
                continue
            z = a @ weights.T + (0 if b is None else b.ravel())
            if _known(values, z):
                break
        else:
            return None
        if weights is not W:
            turned.add(f"W{layer}")
        fits = [
            activation for activation in _activations(values, z) if _known(values, value_at(activation, z))
        ]
        # A ReLU whose units are all active is no ReLU on this input.
        fits = [activation for activation in fits if not np.allclose(value_at(activation, z), z)] or [
            Activation("identity")
        ]
        activations.append(fits[0])
        a = value_at(fits[0], z)
    return activations, frozenset(turned), a


def _run(
    tape: Tape, params: Mapping[str, Array], activations: list[Activation], turned: frozenset[str],
    x: Array, y: Array, last: Array, right: Mapping[str, Array],
) -> "Run | None":  # fmt: skip
    from whygrad.network import Network

    total = float(tape.steps[tape.cost].value.ravel()[0])
    parameters = {
        name: value.ravel() if name[0] == "b" else value.T if name in turned else value
        for name, value in params.items()
    }
    squares = sum(float(np.sum(value**2)) for name, value in params.items() if name[0] == "W")
    sizes = [x.shape[1], *(len(parameters[f"W{n}"]) for n in range(1, len(activations) + 1))]
    for cost in COSTS:
        with np.errstate(all="ignore"):
            data = float(np.sum(OPS[cost].structure.value((last, y), {}, np)))
        for reduction, scale in (("sum", 1.0), ("mean", 1 / len(x))):
            left = total - data * scale
            if not np.isfinite(left) or left < -1e-9 * abs(total):
                continue
            l2 = 0.0 if abs(left) <= 1e-9 * abs(total) else 2 * left / squares
            try:
                net = Network(
                    sizes,
                    [str(one) for one in activations],
                    bias="b1" in params,
                    cost=cost,
                    parameters=parameters,
                    l2=l2,
                    reduction=reduction,
                )
                run = net.run(x, y)
                made = run.gradients().total
            except WhygradError:
                continue
            mine = {
                name: array.T if name in turned else array.reshape(right[name].shape)
                for name, array in made.items()
            }
            size = max(float(np.max(np.abs(array))) for array in right.values())
            if all(np.allclose(mine[name], right[name], rtol=1e-7, atol=1e-9 * size) for name in right):
                return run
    return None
