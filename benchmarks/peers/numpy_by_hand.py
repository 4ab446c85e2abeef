"""The formulas written out in NumPy: what an engine can hope to reach, and a check on everyone's numbers.

S is A Aᵀ of a layer's inputs and D its cotangents; a bias is a weight whose input is 1, hence S + 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.measure import Call
from benchmarks.peers import Contestant
from benchmarks.workloads import Array, Data, Problem


def _sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


VALUES: dict[str, Callable[[Array], Array]] = {
    "identity": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
}
SLOPES: dict[str, Callable[[Array], Array | None]] = {  # from the activation; None stands for 1
    "identity": lambda a: None,
    "relu": lambda a: a > 0,
    "sigmoid": lambda a: a * (1 - a),
    "tanh": lambda a: 1 - a * a,
}


def forward(problem: Problem, data: Data) -> list[Array]:
    """The activations of all layers, the input first: each (examples, n_l)."""
    activations = [data.x]
    for layer, name in zip(problem.layers, problem.activations, strict=True):
        z = activations[-1] @ data.parameters[f"W{layer}"].T
        if problem.bias:
            z += data.parameters[f"b{layer}"]
        activations.append(VALUES[name](z))
    return activations


def _times_slope(cotangent: Array, name: str, activation: Array) -> Array:
    slope = SLOPES[name](activation)
    if slope is None:
        return cotangent
    if cotangent.ndim == 3:
        slope = slope[:, None, :]
    cotangent *= slope
    return cotangent


def _output_errors(problem: Problem, data: Data, activations: list[Array]) -> Array:
    """d C^k / d z^k of the output layer, (examples, costs): an output touches only its own cost."""
    return _times_slope(2 * (activations[-1] - data.y), problem.activations[-1], activations[-1])


def cotangents(problem: Problem, data: Data, activations: list[Array]) -> tuple[Array, dict[int, Array]]:
    """The diagonal of the output layer's cotangents, and by layer the hidden ones, (examples, costs, n_l)."""
    errors = _output_errors(problem, data, activations)
    last = problem.layers[-1]
    hidden: dict[int, Array] = {}
    cotangent = errors[:, :, None] * data.parameters[f"W{last}"]
    for layer in reversed(problem.layers[:-1]):
        hidden[layer] = _times_slope(cotangent, problem.activations[layer - 1], activations[layer])
        if layer > 1:
            weights = data.parameters[f"W{layer}"]
            examples, costs, width = cotangent.shape
            rows = hidden[layer].reshape(examples * costs, width)
            cotangent = (rows @ weights).reshape(examples, costs, -1)
    return errors, hidden


def gradients(problem: Problem, data: Data) -> dict[str, Array]:
    """Every cost's gradients, (costs, *shape): one product for each layer, with all costs' rows in it."""
    return pull_back(problem, data, forward(problem, data))


def pull_back(problem: Problem, data: Data, activations: list[Array]) -> dict[str, Array]:
    """Every cost's gradients from the activations: the backward pass alone."""
    errors, hidden = cotangents(problem, data, activations)
    last, costs = problem.layers[-1], np.arange(problem.costs)
    result: dict[str, Array] = {}
    for layer in problem.layers:
        inputs = activations[layer - 1]
        if layer == last:
            weights = np.zeros((problem.costs, problem.costs, inputs.shape[1]), errors.dtype)
            weights[costs, costs] = errors.T @ inputs
            biases = np.diag(errors.sum(axis=0))
        else:
            examples, _, width = hidden[layer].shape
            rows = hidden[layer].reshape(examples, problem.costs * width)
            weights = (rows.T @ inputs).reshape(problem.costs, width, -1)
            biases = hidden[layer].sum(axis=0)
        result[f"W{layer}"] = weights
        if problem.bias:
            result[f"b{layer}"] = biases
    return result


def gramian(problem: Problem, data: Data) -> Array:
    """J Jᵀ of the costs over the whole batch, (costs, costs): S carries D over, no gradient is formed."""
    activations = forward(problem, data)
    errors, hidden = cotangents(problem, data, activations)
    result = np.zeros((problem.costs, problem.costs), errors.dtype)
    for layer in problem.layers:
        similarity = _similarity(activations[layer - 1], problem.bias)
        if layer == problem.layers[-1]:
            result[np.diag_indices(problem.costs)] += ((similarity @ errors) * errors).sum(axis=0)
            continue
        examples, costs, width = hidden[layer].shape
        carried = (similarity @ hidden[layer].reshape(examples, costs * width)).reshape(hidden[layer].shape)
        result += (carried @ hidden[layer].transpose(0, 2, 1)).sum(axis=0)
    return result


def _similarity(inputs: Array, bias: bool) -> Array:
    similarity: Array = inputs @ inputs.T
    if bias:
        similarity += 1
    return similarity


def example_gramian(problem: Problem, data: Data) -> Array:
    """J Jᵀ of the examples' costs, (examples, examples): the sum over layers of (S + 1) * (D Dᵀ)."""
    activations = forward(problem, data)
    cotangent = _output_errors(problem, data, activations)
    result = np.zeros((problem.batch, problem.batch), cotangent.dtype)
    for layer in reversed(problem.layers):
        similarity = _similarity(activations[layer - 1], problem.bias)
        similarity *= cotangent @ cotangent.T
        result += similarity
        if layer > 1:
            cotangent = cotangent @ data.parameters[f"W{layer}"]
            cotangent = _times_slope(cotangent, problem.activations[layer - 2], activations[layer - 1])
    return result


def hidden_cotangents(problem: Problem, data: Data) -> dict[str, Array]:
    """Each cost's cotangent at each hidden pre-activation, all written out."""
    _, hidden = cotangents(problem, data, forward(problem, data))
    return {f"z{layer}": cotangent for layer, cotangent in hidden.items()}


def input_jacobian(problem: Problem, data: Data) -> Array:
    """d C^k / d x of every example, (examples, costs, n_0): two factors that meet at the narrowest layer."""
    activations = forward(problem, data)
    narrow = int(np.argmin(problem.sizes[1:-1])) + 1
    errors = _output_errors(problem, data, activations)
    left = errors[:, :, None] * data.parameters[f"W{problem.layers[-1]}"]
    for layer in range(problem.layers[-2], narrow - 1, -1):
        left = _times_slope(left, problem.activations[layer - 1], activations[layer])
        if layer > narrow:
            left = left @ data.parameters[f"W{layer}"]
    entering = data.parameters[f"W{narrow}"]
    right = np.broadcast_to(entering, (problem.batch, *entering.shape))
    for layer in range(narrow - 1, 0, -1):
        slope = SLOPES[problem.activations[layer - 1]](activations[layer])
        right = right if slope is None else right * slope[:, None, :]
        right = right @ data.parameters[f"W{layer}"]
    return left @ right


def _call(function: Callable[[Problem, Data], Any], name: str | None = None) -> Callable[[Problem], Call]:
    """Prepares `function`; its one array is called `name`, or it names its arrays itself."""

    def prepare(problem: Problem) -> Call:
        data = problem.data()
        return Call(
            lambda _: function(problem, data),
            numbers=(lambda result: result) if name is None else (lambda result: {name: result}),
        )

    return prepare


def _backward(problem: Problem) -> Call:
    data = problem.data()
    activations = forward(problem, data)
    return Call(lambda _: pull_back(problem, data, activations), numbers=lambda result: result)


def strongest_paths(problem: Problem, data: Data, count: int = 10) -> Array:
    """The contributions of the `count` strongest paths from any parameter of one example, strongest first.

    Each neuron keeps its `count` strongest ways to the costs; a layer's come from those of the layer above.
    """
    activations = forward(problem, data)
    ways = _output_errors(problem, data, activations)[0][:, None]  # (neurons, at most count), from z
    found = []
    for layer in reversed(problem.layers):
        inputs = activations[layer - 1][0]
        if problem.bias:
            found.append(ways.ravel())
        found.append((inputs[:, None] * _strongest(ways.reshape(1, -1), count)).ravel())
        if layer > 1:
            weights = data.parameters[f"W{layer}"].T  # (neurons below, neurons above)
            slope = SLOPES[problem.activations[layer - 2]](activations[layer - 1])
            ways = _strongest((weights[:, :, None] * ways).reshape(len(weights), -1), count)
            ways = ways if slope is None else ways * slope[0][:, None]
    return _strongest(np.concatenate(found)[None], count)[0]


def _strongest(rows: Array, count: int) -> Array:
    """Each row's `count` entries of largest absolute value, largest first."""
    if rows.shape[1] > count:
        places = np.argpartition(-np.abs(rows), count - 1, axis=1)[:, :count]
        rows = np.take_along_axis(rows, places, axis=1)
    order = np.argsort(-np.abs(rows), axis=1)
    return np.take_along_axis(rows, order, axis=1)


CONTESTANTS = (
    Contestant("NumPy by hand", "gradients", _call(gradients)),
    Contestant("NumPy by hand", "gramian", _call(gramian, "Gramian")),
    Contestant("NumPy by hand", "example_gramian", _call(example_gramian, "Gramian")),
    Contestant("NumPy by hand", "cotangents", _call(hidden_cotangents)),
    Contestant("NumPy by hand", "input_jacobian", _call(input_jacobian, "x")),
    Contestant("NumPy by hand", "sweep", _backward),
    Contestant("NumPy by hand, sweep included", "paths", _call(strongest_paths, "contributions")),
)
