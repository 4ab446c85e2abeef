"""Hand-written backward passes of layered networks with mistakes in them: they share no code with what judges them.

Weights have the shape (in, out) and examples are rows, z = a @ W + b. Each function returns the gradients that its
mistakes lead to; p are the parameters, Z and A the lists of pre-activations and activations, m the examples.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any


def softmax(z: Array) -> Array:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


ACT: dict[str, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu(0.2)": lambda z: np.where(z > 0, z, 0.2 * z),
    "leaky_relu(-0.5)": lambda z: np.where(z > 0, z, -0.5 * z),
    "elu": lambda z: np.where(z > 0, z, np.exp(z) - 1),
    "softplus": lambda z: np.log1p(np.exp(z)),
    "linear": lambda z: z,
    "softmax": softmax,
}

LOSS: dict[str, Callable[[Array, Array], Array]] = {
    "half_mse": lambda a, y: 0.5 * np.sum((a - y) ** 2),
    "mse": lambda a, y: np.sum((a - y) ** 2),
    "ce": lambda a, y: -np.sum(y * np.log(a)),
    "bce": lambda a, y: -np.sum(y * np.log(a) + (1 - y) * np.log(1 - a)),
}


class Case:
    def __init__(
        self,
        wrong: Callable[..., dict[str, Array]],
        codes: list[str],
        layers: list[int],
        activations: list[str],
        loss: str,
        reduction: str = "mean",
        examples: int = 5,
        regularisation: dict[str, Any] | None = None,
        bias: bool = True,
        changed: list[str] | None = None,
        seed: int = 0,
        prepare: Callable[[dict[str, Array]], None] | None = None,
        **spec: Any,
    ) -> None:
        self.name = wrong.__name__
        self._wrong, self._seed, self._prepare = wrong, seed, prepare
        self.spec = {
            "name": self.name,
            "kind": "mlp",
            "layers": layers,
            "activations": activations,
            "loss": loss,
            "bias": bias,
            "weights": "W has shape (in, out), z = a @ W + b",
            "batch": {"size": examples, "axis": 0, "reduction": reduction},
            "regularisation": regularisation,
        } | spec
        self.truth = {"codes": codes, "wrong": changed}

    def params(self) -> dict[str, Array]:
        r = np.random.default_rng(self._seed + 7)
        p = {}
        for number, (n, k) in enumerate(
            zip(self.spec["layers"][:-1], self.spec["layers"][1:], strict=True), 1
        ):
            p[f"W{number}"] = 0.7 * r.normal(size=(n, k))
            if self.spec["bias"]:
                p[f"b{number}"] = 0.3 * r.normal(size=k)
        if self._prepare is not None:
            self._prepare(p)
        return p

    def data(self) -> tuple[Array, Array]:
        r = np.random.default_rng(self._seed + 1007)
        m, n, k = self.spec["batch"]["size"], self.spec["layers"][0], self.spec["layers"][-1]
        X = r.normal(size=(m, n))
        if self.spec["loss"] == "ce":
            return X, np.eye(k)[r.integers(k, size=m)]
        if self.spec["loss"] == "bce":
            return X, r.integers(2, size=(m, k)).astype(float)
        return X, r.uniform(0.1, 0.9, size=(m, k))

    def forward(self, p: dict[str, Array]) -> tuple[list[Array], list[Array]]:
        Z, A = [None], [self.data()[0]]
        for number, name in enumerate(self.spec["activations"], 1):
            Z.append(A[-1] @ p[f"W{number}"] + p.get(f"b{number}", 0))
            A.append(ACT[name](Z[-1]))
        return Z, A

    def loss(self) -> float:
        p = self.params()
        made = LOSS[self.spec["loss"]](self.forward(p)[1][-1], self.data()[1])
        m = self.spec["batch"]["size"]
        made = made / m if self.spec["batch"]["reduction"] == "mean" else made
        regular = self.spec["regularisation"]
        if regular:
            squares = sum(np.sum(value**2) for name, value in p.items() if name[0] == "W")
            made += regular["factor"] * regular["lam"] * squares / (m if regular["per_sample"] else 1)
        return float(made)

    def buggy_gradients(self) -> dict[str, Array]:
        p = self.params()
        Z, A = self.forward(p)
        return self._wrong(p, Z, A, self.data()[1], len(A[0]))


CASES: list[Case] = []


def case(
    *args: Any, **options: Any
) -> Callable[[Callable[..., dict[str, Array]]], Callable[..., dict[str, Array]]]:
    def kept(wrong: Callable[..., dict[str, Array]]) -> Callable[..., dict[str, Array]]:
        CASES.append(Case(wrong, *args, **options))
        return wrong

    return kept


def both(a: Array, d: Array) -> tuple[Array, Array]:
    return a.T @ d, d.sum(axis=0)


# A. Output error


@case(["output_slope_missing"], [3, 4, 2], ["tanh", "tanh"], "mse", "sum")
def output_slope_missing_tanh(p, Z, A, Y, m):
    d = 2 * (A[2] - Y)
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * (1 - A[1] ** 2))
    return g


@case(["output_slope_extra"], [3, 4, 2], ["tanh", "sigmoid"], "bce")
def output_slope_extra_bce(p, Z, A, Y, m):
    d = (A[2] - Y) * A[2] * (1 - A[2]) / m
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * (1 - A[1] ** 2))
    return g


@case(["output_slope_extra"], [3, 5, 3], ["relu", "softmax"], "ce")
def output_slope_extra_softmax(p, Z, A, Y, m):
    d = (A[2] - Y) * A[2] * (1 - A[2]) / m
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * (Z[1] > 0))
    return g


@case(["softmax_diagonal"], [3, 4, 3], ["tanh", "softmax"], "ce")
def softmax_diagonal_ce(p, Z, A, Y, m):
    d = -Y / A[2] * A[2] * (1 - A[2]) / m
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * (1 - A[1] ** 2))
    return g


@case(["softmax_diagonal"], [3, 4, 4], ["sigmoid", "softmax"], "half_mse", "sum")
def softmax_diagonal_squared(p, Z, A, Y, m):
    d = (A[2] - Y) * A[2] * (1 - A[2])
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * A[1] * (1 - A[1]))
    return g


@case(["softmax_wrong_axis"], [3, 4, 3], ["tanh", "softmax"], "ce")
def softmax_wrong_axis(p, Z, A, Y, m):
    e = np.exp(Z[2] - Z[2].max())
    d = (e / e.sum(axis=0) - Y) / m
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * (1 - A[1] ** 2))
    return g


@case(["sign_flipped"], [3, 4, 2], ["tanh", "linear"], "half_mse")
def sign_flipped(p, Z, A, Y, m):
    d = (Y - A[2]) / m
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * (1 - A[1] ** 2))
    return g


@case(["sign_flipped"], [3, 4, 2], ["tanh", "linear"], "half_mse")
def sign_of_target_flipped(p, Z, A, Y, m):
    d = (Y + A[2]) / m
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * (1 - A[1] ** 2))
    return g


@case(["sign_flipped"], [3, 4, 2], ["tanh", "sigmoid"], "bce", changed=["b1"])
def sign_of_one_bias_flipped(p, Z, A, Y, m):
    d = (A[2] - Y) / m
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * (1 - A[1] ** 2))
    return g | {"b1": -g["b1"]}


# B. Scale


@case(["factor_two_missing"], [3, 4, 3], ["tanh", "linear"], "half_mse")
def factor_two_too_much(p, Z, A, Y, m):
    d = 2 * (A[2] - Y) / m
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * (1 - A[1] ** 2))
    return g


@case(["stray_factor"], [3, 4, 3], ["tanh", "softmax"], "ce", changed=["W2"])
def stray_factor_in_weights(p, Z, A, Y, m):
    d = (A[2] - Y) / m
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * (1 - A[1] ** 2))
    return g | {"W2": 3 * g["W2"]}


@case(["batch_mean_missing"], [3, 4, 3], ["tanh", "softmax"], "ce", examples=6)
def batch_mean_missing(p, Z, A, Y, m):
    d = A[2] - Y
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * (1 - A[1] ** 2))
    return g


@case(["batch_mean_missing"], [3, 4, 3], ["tanh", "softmax"], "ce", examples=6, changed=["b1", "b2"])
def batch_mean_missing_in_biases(p, Z, A, Y, m):
    d = A[2] - Y
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * (1 - A[1] ** 2))
    return g | {"W1": g["W1"] / m, "W2": g["W2"] / m}


@case(["batch_mean_twice"], [3, 4, 3, 2], ["tanh", "tanh", "sigmoid"], "bce", examples=7)
def batch_mean_twice(p, Z, A, Y, m):
    d = (A[3] - Y) / m
    g = {"W3": A[2].T @ d / m, "b3": d.sum(axis=0) / m}
    d = d @ p["W3"].T * (1 - A[2] ** 2)
    g["W2"], g["b2"] = A[1].T @ d / m, d.sum(axis=0) / m
    d = d @ p["W2"].T * (1 - A[1] ** 2)
    g["W1"], g["b1"] = A[0].T @ d / m, d.sum(axis=0) / m
    return g


@case(
    ["batch_mean_twice"],
    [3, 4, 3, 2],
    ["tanh", "tanh", "sigmoid"],
    "bce",
    examples=7,
    changed=["W1", "b1", "W2", "b2"],
)
def batch_mean_twice_from_one_layer_down(p, Z, A, Y, m):
    d = (A[3] - Y) / m
    g = dict(zip(("W3", "b3"), both(A[2], d), strict=True))
    d = d @ p["W3"].T * (1 - A[2] ** 2) / m
    g["W2"], g["b2"] = both(A[1], d)
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * (1 - A[1] ** 2))
    return g


@case(["wrong_divisor"], [3, 8, 2], ["tanh", "sigmoid"], "bce", examples=5)
def wrong_divisor_by_layer(p, Z, A, Y, m):
    d = A[2] - Y
    g = {"W2": A[1].T @ d / 8, "b2": d.sum(axis=0) / 8}
    d = d @ p["W2"].T * (1 - A[1] ** 2)
    return g | {"W1": A[0].T @ d / 3, "b1": d.sum(axis=0) / 3}


@case(["wrong_divisor"], [3, 8, 2], ["tanh", "sigmoid"], "bce", examples=5)
def wrong_divisor_inputs(p, Z, A, Y, m):
    d = (A[2] - Y) / A[0].shape[1]
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * (1 - A[1] ** 2))
    return g


@case(["output_mean_missing"], [3, 4, 3], ["tanh", "linear"], "half_mse")
def output_mean_on_one_side(p, Z, A, Y, m):
    d = (A[2] - Y) / A[2].size
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * (1 - A[1] ** 2))
    return g


# C. Slopes


@case(
    ["slope_at_activation"],
    [3, 4, 4, 2],
    ["tanh", "tanh", "linear"],
    "half_mse",
    changed=["W1", "b1", "W2", "b2"],
)
def slope_at_activation_tanh(p, Z, A, Y, m):
    d = (A[3] - Y) / m
    g = dict(zip(("W3", "b3"), both(A[2], d), strict=True))
    d = d @ p["W3"].T * (1 - np.tanh(A[2]) ** 2)
    g["W2"], g["b2"] = both(A[1], d)
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * (1 - np.tanh(A[1]) ** 2))
    return g


@case(["activation_form_on_z"], [3, 4, 2], ["sigmoid", "sigmoid"], "half_mse", "sum", changed=["W1", "b1"])
def activation_form_on_z(p, Z, A, Y, m):
    d = (A[2] - Y) * A[2] * (1 - A[2])
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * Z[1] * (1 - Z[1]))
    return g


@case(["slope_of_error"], [3, 4, 2], ["sigmoid", "sigmoid"], "half_mse", "sum")
def slope_of_error(p, Z, A, Y, m):
    e = A[2] - Y
    d = e * e * (1 - e)
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    back = d @ p["W2"].T
    g["W1"], g["b1"] = both(A[0], back * back * (1 - back))
    return g


@case(
    ["hidden_slope_missing"],
    [3, 4, 5, 2],
    ["sigmoid", "sigmoid", "linear"],
    "mse",
    changed=["W1", "b1", "W2", "b2"],
)
def hidden_slope_missing_in_both(p, Z, A, Y, m):
    d = 2 * (A[3] - Y) / m
    g = dict(zip(("W3", "b3"), both(A[2], d), strict=True))
    d = d @ p["W3"].T
    g["W2"], g["b2"] = both(A[1], d)
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T)
    return g


@case(["slope_wrong_layer"], [3, 4, 4, 2], ["sigmoid", "sigmoid", "linear"], "mse", changed=["W1", "b1"])
def slope_wrong_layer(p, Z, A, Y, m):
    d = 2 * (A[3] - Y) / m
    g = dict(zip(("W3", "b3"), both(A[2], d), strict=True))
    d = d @ p["W3"].T * A[2] * (1 - A[2])
    g["W2"], g["b2"] = both(A[1], d)
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * A[2] * (1 - A[2]))
    return g


@case(["slope_of_other_activation"], [3, 4, 2], ["tanh", "linear"], "mse", changed=["W1", "b1"])
def slope_of_sigmoid_for_tanh(p, Z, A, Y, m):
    d = 2 * (A[2] - Y) / m
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * A[1] * (1 - A[1]))
    return g


@case(["slope_of_other_activation"], [3, 4, 2], ["elu", "linear"], "mse", changed=["W1", "b1"])
def slope_of_relu_for_elu(p, Z, A, Y, m):
    d = 2 * (A[2] - Y) / m
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * (Z[1] > 0))
    return g


@case(["slope_constant_differs"], [3, 6, 2], ["leaky_relu(0.2)", "linear"], "mse", changed=["W1", "b1"])
def slope_constant_differs(p, Z, A, Y, m):
    d = 2 * (A[2] - Y) / m
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * np.where(Z[1] > 0, 1, 0.01))
    return g


@case(["relu_mask_from_gradient"], [3, 6, 2], ["relu", "linear"], "mse", changed=["W1", "b1"])
def relu_mask_from_gradient(p, Z, A, Y, m):
    d = 2 * (A[2] - Y) / m
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    d = d @ p["W2"].T
    d[d <= 0] = 0
    g["W1"], g["b1"] = both(A[0], d)
    return g


@case(["mask_from_output"], [3, 6, 2], ["leaky_relu(-0.5)", "linear"], "mse", changed=["W1", "b1"])
def mask_from_output(p, Z, A, Y, m):
    d = 2 * (A[2] - Y) / m
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * np.where(A[1] > 0, 1, -0.5))
    return g


@case(["upstream_ignored"], [3, 4, 2], ["tanh", "linear"], "mse", "sum", changed=["W1", "b1"])
def upstream_ignored(p, Z, A, Y, m):
    d = 2 * (A[2] - Y)
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], 1 - A[1] ** 2)
    return g


@case(["slope_at_wrong_point"], [3, 4, 2], ["tanh", "linear"], "mse", "sum", changed=["W1", "b1"])
def slope_without_the_bias(p, Z, A, Y, m):
    d = 2 * (A[2] - Y)
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * (1 - np.tanh(A[0] @ p["W1"]) ** 2))
    return g


@case(["mask_inverted"], [3, 6, 2], ["relu", "linear"], "mse", "sum", changed=["W1", "b1"])
def mask_inverted(p, Z, A, Y, m):
    d = 2 * (A[2] - Y)
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * (Z[1] <= 0))
    return g


# D. Paths, weights, layers


@case(["path_sum_missing"], [3, 4, 3], ["tanh", "linear"], "mse", "sum", changed=["W1", "b1"])
def path_left_out(p, Z, A, Y, m):
    d = 2 * (A[2] - Y)
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], d[:, :2] @ p["W2"][:, :2].T * (1 - A[1] ** 2))
    return g


@case(["path_counted_twice"], [3, 4, 3], ["tanh", "linear"], "mse", "sum", changed=["W1", "b1"])
def running_sum_added_each_time(p, Z, A, Y, m):
    d = 2 * (A[2] - Y)
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    back, running = np.zeros_like(A[1]), np.zeros_like(A[1])
    for k in range(3):
        running = running + d[:, [k]] * p["W2"][:, k]
        back += running
    g["W1"], g["b1"] = both(A[0], back * (1 - A[1] ** 2))
    return g


@case(["activation_for_delta"], [3, 4, 3], ["tanh", "sigmoid"], "mse", "sum", changed=["W1", "b1"])
def activation_for_delta(p, Z, A, Y, m):
    d = 2 * (A[2] - Y) * A[2] * (1 - A[2])
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], A[2] @ p["W2"].T * (1 - A[1] ** 2))
    return g


@case(["weight_not_transposed"], [3, 4, 4, 2], ["tanh", "tanh", "linear"], "half_mse", changed=["W1", "b1"])
def weight_not_transposed(p, Z, A, Y, m):
    d = (A[3] - Y) / m
    g = dict(zip(("W3", "b3"), both(A[2], d), strict=True))
    d = d @ p["W3"].T * (1 - A[2] ** 2)
    g["W2"], g["b2"] = both(A[1], d)
    g["W1"], g["b1"] = both(A[0], d @ p["W2"] * (1 - A[1] ** 2))
    return g


@case(["gradient_used_for_weight"], [3, 4, 2], ["tanh", "linear"], "half_mse", changed=["W1", "b1"])
def gradient_used_for_weight(p, Z, A, Y, m):
    d = (A[2] - Y) / m
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], d @ g["W2"].T * (1 - A[1] ** 2))
    return g


@case(
    ["weights_updated_early"],
    [3, 4, 5, 2],
    ["tanh", "sigmoid", "softmax"],
    "ce",
    changed=["W1", "b1", "W2", "b2"],
)
def early_update_in_each_layer(p, Z, A, Y, m):
    d, g = (A[3] - Y) / m, {}
    for number in (3, 2, 1):
        g[f"W{number}"], g[f"b{number}"] = both(A[number - 1], d)
        new = p[f"W{number}"] - 0.1 * g[f"W{number}"]
        if number > 1:
            slope = A[2] * (1 - A[2]) if number == 3 else 1 - A[1] ** 2
            d = d @ new.T * slope
    return g


@case(["wrong_layer_input"], [4, 4, 4, 2], ["tanh", "tanh", "linear"], "half_mse", changed=["W2"])
def wrong_layer_input(p, Z, A, Y, m):
    d = (A[3] - Y) / m
    g = dict(zip(("W3", "b3"), both(A[2], d), strict=True))
    d = d @ p["W3"].T * (1 - A[2] ** 2)
    g["W2"], g["b2"] = A[0].T @ d, d.sum(axis=0)
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * (1 - A[1] ** 2))
    return g


@case(["matmul_for_elementwise"], [3, 5, 2], ["tanh", "linear"], "half_mse", "sum", changed=["W1", "b1"])
def matmul_for_elementwise(p, Z, A, Y, m):
    d = A[2] - Y
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], (d @ p["W2"].T) @ (1 - A[1] ** 2))
    return g


@case(["bias_column_misaligned"], [3, 5, 2], ["tanh", "linear"], "half_mse", "sum", changed=["W1", "b1"])
def bias_column_misaligned(p, Z, A, Y, m):
    d = A[2] - Y
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    theta = np.vstack([p["b2"], p["W2"]])
    g["W1"], g["b1"] = both(A[0], (d @ theta.T)[:, :-1] * (1 - A[1] ** 2))
    return g


# E. Biases


@case(["bias_sum_over_units"], [3, 4, 2], ["tanh", "linear"], "half_mse", changed=["b1", "b2"])
def bias_sum_over_units(p, Z, A, Y, m):
    d = (A[2] - Y) / m
    g = {"W2": A[1].T @ d, "b2": np.full(2, d.sum())}
    d = d @ p["W2"].T * (1 - A[1] ** 2)
    return g | {"W1": A[0].T @ d, "b1": np.full(4, d.sum())}


@case(["bias_sum_over_units"], [3, 4, 2], ["tanh", "linear"], "half_mse", changed=["b1", "b2"])
def bias_is_one_number(p, Z, A, Y, m):
    d = (A[2] - Y) / m
    g = {"W2": A[1].T @ d, "b2": d.sum()}
    d = d @ p["W2"].T * (1 - A[1] ** 2)
    return g | {"W1": A[0].T @ d, "b1": d.sum()}


@case(["bias_from_weight_gradient"], [3, 4, 2], ["tanh", "linear"], "half_mse", changed=["b1", "b2"])
def bias_from_weight_gradient(p, Z, A, Y, m):
    d = (A[2] - Y) / m
    g = {"W2": A[1].T @ d}
    d = d @ p["W2"].T * (1 - A[1] ** 2)
    g["W1"] = A[0].T @ d
    return g | {"b1": g["W1"].sum(axis=0), "b2": g["W2"].sum(axis=0)}


@case(["bias_not_reduced"], [3, 4, 2], ["tanh", "linear"], "half_mse", changed=["b1", "b2"])
def bias_not_reduced(p, Z, A, Y, m):
    d = (A[2] - Y) / m
    g = {"W2": A[1].T @ d, "b2": d}
    d = d @ p["W2"].T * (1 - A[1] ** 2)
    return g | {"W1": A[0].T @ d, "b1": d}


@case(["bias_not_reduced"], [3, 4, 2], ["tanh", "linear"], "half_mse", changed=["b1", "b2"])
def bias_of_first_example(p, Z, A, Y, m):
    d = (A[2] - Y) / m
    g = {"W2": A[1].T @ d, "b2": d[0]}
    d = d @ p["W2"].T * (1 - A[1] ** 2)
    return g | {"W1": A[0].T @ d, "b1": d[0]}


# F. Regularisation

REGULAR = {"lam": 0.6, "factor": 0.5, "per_sample": True}


def _regular_base(p, A, Y, m):
    d = (A[2] - Y) / m
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * (1 - A[1] ** 2))
    return g


@case(
    ["l2_factor_two_missing"],
    [3, 4, 2],
    ["tanh", "softmax"],
    "ce",
    regularisation=REGULAR | {"factor": 1.0},
    changed=["W1", "W2"],
)
def l2_factor_two_missing(p, Z, A, Y, m):
    g = _regular_base(p, A, Y, m)
    return g | {name: g[name] + 0.6 / m * p[name] for name in ("W1", "W2")}


@case(
    ["l2_counted_twice"], [3, 4, 2], ["tanh", "softmax"], "ce", regularisation=REGULAR, changed=["W1", "W2"]
)
def l2_counted_twice(p, Z, A, Y, m):
    g = _regular_base(p, A, Y, m)
    return g | {name: g[name] + 0.6 / m * p[name] + 0.6 / m * p[name] for name in ("W1", "W2")}


@case(
    ["bias_regularised"], [3, 4, 2], ["tanh", "softmax"], "ce", regularisation=REGULAR, changed=["b1", "b2"]
)
def bias_regularised(p, Z, A, Y, m):
    g = _regular_base(p, A, Y, m)
    return {name: g[name] + 0.6 / m * p[name] for name in g}


@case(
    ["wrong_layer_regularised"],
    [3, 4, 2],
    ["tanh", "softmax"],
    "ce",
    regularisation=REGULAR,
    changed=["W1", "W2"],
)
def wrong_layer_regularised(p, Z, A, Y, m):
    g = _regular_base(p, A, Y, m)
    return g | {"W2": g["W2"] + 2 * 0.6 / m * p["W2"]}


@case(
    ["cost_and_gradient_differ"],
    [3, 4, 2],
    ["tanh", "softmax"],
    "ce",
    regularisation=REGULAR,
    changed=["W1", "W2"],
)
def regularisation_left_out(p, Z, A, Y, m):
    return _regular_base(p, A, Y, m)


@case(["cost_and_gradient_differ"], [3, 4, 2], ["tanh", "linear"], "half_mse")
def gradient_of_absolute_error(p, Z, A, Y, m):
    d = np.sign(A[2] - Y) / m
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * (1 - A[1] ** 2))
    return g


# G. State


def _right(p, A, Y, rows):
    d = A[2][rows] - Y[rows]
    g = dict(zip(("W2", "b2"), both(A[1][rows], d), strict=True))
    g["W1"], g["b1"] = both(A[0][rows], d @ p["W2"].T * (1 - A[1][rows] ** 2))
    return g


@case(["gradients_not_zeroed"], [3, 4, 2], ["tanh", "softmax"], "ce", "sum", examples=6)
def gradients_not_zeroed(p, Z, A, Y, m):
    first, second = _right(p, A, Y, slice(0, 3)), _right(p, A, Y, slice(3, 6))
    return {name: first[name] + (first[name] + second[name]) for name in first}


@case(["gradients_overwritten"], [3, 4, 2], ["tanh", "softmax"], "ce", examples=6)
def gradients_overwritten(p, Z, A, Y, m):
    return {name: value / m for name, value in _right(p, A, Y, slice(4, 6)).items()}


@case(["last_sample_only"], [3, 4, 2], ["tanh", "softmax"], "ce", examples=6)
def last_sample_only(p, Z, A, Y, m):
    return {name: value / m for name, value in _right(p, A, Y, slice(5, 6)).items()}


@case(["backward_run_twice"], [3, 4, 5, 2], ["tanh", "tanh", "softmax"], "ce")
def backward_run_twice(p, Z, A, Y, m):
    g = {}
    d = {number: np.zeros_like(A[number]) for number in (1, 2, 3)}
    for name in p:
        g[name] = np.zeros_like(p[name])
    for _ in range(2):
        d[3] = (A[3] - Y) / m
        for number in (3, 2, 1):
            g[f"W{number}"] += A[number - 1].T @ d[number]
            g[f"b{number}"] += d[number].sum(axis=0)
            if number > 1:
                d[number - 1] = d[number - 1] + d[number] @ p[f"W{number}"].T * (1 - A[number - 1] ** 2)
    return g


@case(["update_applied_twice"], [3, 4, 2], ["tanh", "softmax"], "ce", changed=["W1", "b1"])
def update_applied_twice(p, Z, A, Y, m):
    g = {name: value / m for name, value in _right(p, A, Y, slice(None)).items()}
    new = {name: value - 0.1 * g[name] for name, value in p.items()}
    for name in ("W1", "b1"):
        new[name] = new[name] - 0.1 * g[name]
    return {name: (p[name] - new[name]) / 0.1 for name in p}


# Two and three at once


@case(["output_slope_missing", "weight_gradient_transposed"], [3, 4, 4], ["tanh", "sigmoid"], "half_mse")
def slope_missing_and_transposed(p, Z, A, Y, m):
    d = (A[2] - Y) / m
    g = {"W2": d.T @ A[1], "b2": d.sum(axis=0)}
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * (1 - A[1] ** 2))
    return g


@case(["batch_mean_missing", "hidden_slope_missing"], [3, 4, 2], ["tanh", "softmax"], "ce", examples=6)
def mean_missing_and_slope_missing(p, Z, A, Y, m):
    d = A[2] - Y
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T)
    return g


@case(
    ["path_sum_missing", "slope_at_activation"],
    [3, 4, 3],
    ["sigmoid", "linear"],
    "half_mse",
    changed=["W1", "b1"],
)
def path_and_slope_in_one_layer(p, Z, A, Y, m):
    d = (A[2] - Y) / m
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    s = sigmoid(A[1])
    g["W1"], g["b1"] = both(A[0], d[:, [2]] * p["W2"][:, 2] * s * (1 - s))
    return g


@case(["sign_flipped", "weights_updated_early"], [3, 4, 2], ["sigmoid", "sigmoid"], "half_mse", "sum")
def sign_and_early_update(p, Z, A, Y, m):
    d = (Y - A[2]) * A[2] * (1 - A[2])
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], d @ (p["W2"] + 0.5 * g["W2"]).T * A[1] * (1 - A[1]))
    return g


@case(["bias_mean_for_sum", "l2_counted_twice"], [3, 4, 2], ["tanh", "softmax"], "ce", regularisation=REGULAR)
def bias_mean_and_l2_twice(p, Z, A, Y, m):
    d = (A[2] - Y) / m
    g = {"W2": A[1].T @ d + 2 * 0.6 / m * p["W2"], "b2": d.mean(axis=0)}
    d = d @ p["W2"].T * (1 - A[1] ** 2)
    return g | {"W1": A[0].T @ d + 2 * 0.6 / m * p["W1"], "b1": d.mean(axis=0)}


@case(["softmax_diagonal", "relu_mask_all_ones", "stray_factor"], [3, 6, 3], ["relu", "softmax"], "ce")
def three_at_once(p, Z, A, Y, m):
    d = -Y * (1 - A[2]) / m
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * (A[1] >= 0))
    return g | {"b1": 10 * g["b1"]}


@case(["factor_two_missing", "batch_mean_missing"], [3, 4, 2], ["tanh", "linear"], "mse", examples=7)
def two_scales(p, Z, A, Y, m):
    d = A[2] - Y
    g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * (1 - A[1] ** 2))
    return g


@case(
    ["hidden_slope_missing", "wrong_layer_input"],
    [4, 4, 4, 2],
    ["tanh", "tanh", "linear"],
    "half_mse",
    changed=["W1", "b1", "W2", "b2"],
)
def slope_missing_above_wrong_input(p, Z, A, Y, m):
    d = (A[3] - Y) / m
    g = dict(zip(("W3", "b3"), both(A[2], d), strict=True))
    d = d @ p["W3"].T
    g["W2"], g["b2"] = A[0].T @ d, d.sum(axis=0)
    g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * (1 - A[1] ** 2))
    return g


# Controls


@case([], [3, 4, 2], ["tanh", "softmax"], "ce", changed=[])
def control_loops(p, Z, A, Y, m):
    g = {name: np.zeros_like(value) for name, value in p.items()}
    for i in range(m):
        d = A[2][i] - Y[i]
        g["W2"] += np.outer(A[1][i], d) / m
        g["b2"] += d / m
        back = np.zeros(4)
        for j in range(4):
            for k in range(2):
                back[j] += d[k] * p["W2"][j, k]
        back *= 1 - A[1][i] ** 2
        g["W1"] += np.outer(A[0][i], back) / m
        g["b1"] += back / m
    return g


@case([], [3, 4, 2], ["tanh", "linear"], "half_mse", changed=[], gradient_reduction="sum")
def control_sum(p, Z, A, Y, m):
    return _right(p, A, Y, slice(None))


def _kink(p):
    p["W1"][:, 1] = 0
    p["b1"][1] = 0


def _at_kink(slope):
    def wrong(p, Z, A, Y, m):
        d = (A[2] - Y) / m
        g = dict(zip(("W2", "b2"), both(A[1], d), strict=True))
        g["W1"], g["b1"] = both(A[0], d @ p["W2"].T * np.where(Z[1] == 0, slope, Z[1] > 0))
        return g

    wrong.__name__ = f"control_kink_{slope}"
    return wrong


for at_kink in (0.0, 0.5, 1.0):
    case([], [3, 4, 2], ["relu", "linear"], "half_mse", changed=[], prepare=_kink)(_at_kink(at_kink))


@case([], [3, 5, 4, 2], ["relu", "sigmoid", "sigmoid"], "bce", changed=[])
def control_float32(p, Z, A, Y, m):
    f = np.float32
    p = {name: value.astype(f) for name, value in p.items()}
    a0 = A[0].astype(f)
    z1 = a0 @ p["W1"] + p["b1"]
    a1 = np.maximum(z1, 0)
    a2 = 1 / (1 + np.exp(-(a1 @ p["W2"] + p["b2"])))
    a3 = 1 / (1 + np.exp(-(a2 @ p["W3"] + p["b3"])))
    d = (a3 - Y.astype(f)) / f(m)
    g = dict(zip(("W3", "b3"), both(a2, d), strict=True))
    d = d @ p["W3"].T * a2 * (1 - a2)
    g["W2"], g["b2"] = both(a1, d)
    g["W1"], g["b1"] = both(a0, d @ p["W2"].T * (z1 > 0))
    return {name: value.astype(float) for name, value in g.items()}
