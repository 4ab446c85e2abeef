"""Recognises a layered network in a person's own functions, so that the table of layered networks applies."""

import re
from collections.abc import Iterator, Mapping
from itertools import permutations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from whygrad.arrays import Array
from whygrad.codegen.layered import Activation
from whygrad.diagnosis.record import Diagnosis
from whygrad.diagnosis.setting import value_at
from whygrad.diagnosis.tape import Tape
from whygrad.errors import WhygradError
from whygrad.ops import ACTIVATIONS, COSTS, OPS

if TYPE_CHECKING:
    from whygrad.run import Run

MOST_CONSTANTS = 8


class Recognised(NamedTuple):
    """A layered network in somebody's functions: its run, and how their arrays are laid out and called.

    ``turned`` are the weights whose rows are where a weight comes from; ``names`` their names of W1, b1, ….
    """

    run: "Run"
    turned: frozenset[str]
    names: Mapping[str, str]

    def read(self, gradients: Mapping[str, Array]) -> dict[str, Array]:
        """Returns the person's gradients under the network's names, with rows where weights go to."""
        made = {}
        for name, own in self.names.items():
            if own in gradients:
                array = gradients[own]
                made[name] = array.T if name in self.turned and array.ndim == 2 else array
        return made

    def told(self, found: Diagnosis) -> Diagnosis:
        """Returns a diagnosis of the network with the person's names in the place of W1, b1, …."""
        if all(name == own for name, own in self.names.items()):
            return found
        findings = tuple(
            one._replace(
                parameter=self.names[one.parameter],
                parameters=tuple(self.names[name] for name in one.parameters),
                says=self._renamed(one.says),
                fix=self._renamed(one.fix),
            )
            for one in found.findings
        )
        return found._replace(
            findings=findings,
            parameters={self.names[name]: judged for name, judged in found.parameters.items()},
            notes=tuple(self._renamed(note) for note in found.notes),
            unseen=tuple(self._renamed(sentence) for sentence in found.unseen),
        )

    def _renamed(self, text: str) -> str:
        return re.sub(r"\b(d?)([Wb]\d+)\b", lambda match: match[1] + self.names.get(match[2], match[2]), text)


def _names(params: Mapping[str, Array]) -> dict[str, str] | None:
    """Returns the person's names of W1, b1, …, in the order in which they were given; nothing where it is unclear."""
    depth = sum(name.startswith("W") for name in params)
    usual = {f"{kind}{n}" for n in range(1, depth + 1) for kind in "Wb"}
    if depth and set(params) in (usual, {name for name in usual if name[0] == "W"}):
        return {name: name for name in params}
    biases = [name for name, value in params.items() if value.ndim < 2 or name[0] in "bB"]
    weights = [name for name in params if name not in biases]
    if not weights or len(biases) not in (0, len(weights)) or any(params[name].ndim != 2 for name in weights):
        return None
    made = {f"W{n}": own for n, own in enumerate(weights, 1)}
    return made | {f"b{n}": own for n, own in enumerate(biases, 1)}


def _data(tape: Tape, data: tuple[Any, ...]) -> Iterator[tuple[Array, Array]]:
    """Yields what may be inputs and targets, examples first: what was handed over, or constants that were used."""
    given = [np.asarray(array, float) for array in data]
    if len(given) == 2 and all(array.ndim == 2 for array in given):
        yield given[0], given[1]
        yield given[0].T, given[1].T
        return
    if given:
        return
    rounds: dict[Any, list[Array]] = {}
    for step in tape.steps:
        if step.kind == "constant" and 0 < step.value.ndim < 3:
            rounds.setdefault((step.site, step.value.shape), []).append(step.value)
    found = [group[0] for group in rounds.values() if group[0].ndim == 2]
    found += [np.stack(group) for group in rounds.values() if group[0].ndim == 1 and len(group) > 1]
    for x, y in permutations(found[:MOST_CONSTANTS], 2):
        if len(x) == len(y):
            yield x, y
        if x.shape[1] == y.shape[1]:
            yield x.T, y.T


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

    Weights come in the order of the parameters, with a bias for each or for none. Whatever is found is checked: the
    network's own gradients must be the tape's.
    """
    names = _names(params)
    if names is None:
        return None
    params = {name: params[own] for name, own in names.items()}
    right = {name: right[own] for name, own in names.items()}
    depth = sum(name[0] == "W" for name in names)
    values = [step.value for step in tape.steps if step.value.ndim == 2]
    rows = {row.tobytes(): None for row in _rows(tape)}
    for x, y in _data(tape, data):
        found = _layers(values, rows, params, x, depth)
        if found is None or found[2].shape != y.shape:
            continue
        activations, turned, last = found
        run = _run(tape, params, activations, turned, x, y, last, right)
        if run is not None:
            return Recognised(run, turned, names)
    return None


def _rows(tape: Tape) -> Iterator[Array]:
    """Yields the rows that a tape holds one by one, rounded: those of a loop over the examples."""
    for step in tape.steps:
        if step.value.ndim == 1 or (step.value.ndim == 2 and 1 in step.value.shape):
            yield _rounded(step.value.ravel())


def _rounded(row: Array) -> Array:
    made: Array = np.round(row, 9) + 0.0
    return made


def _known(values: list[Array], rows: Mapping[bytes, None], wanted: Array) -> bool:
    if rows and all(_rounded(row).tobytes() in rows for row in wanted):
        return True
    return any(
        (value.shape == wanted.shape and np.allclose(value, wanted, rtol=1e-9, atol=1e-12))
        or (value.shape == wanted.T.shape and np.allclose(value, wanted.T, rtol=1e-9, atol=1e-12))
        for value in values
    )


def _layers(
    values: list[Array], rows: Mapping[bytes, None], params: Mapping[str, Array], x: Array, depth: int
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
            if _known(values, rows, z):
                break
        else:
            return None
        if weights is not W:
            turned.add(f"W{layer}")
        fits = [
            activation
            for activation in _activations(values, z)
            if _known(values, rows, value_at(activation, z))
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
