"""Mistakes planted in a plain backward pass: every code of the table, at every layer of several networks.

The backward pass is written once, step by step, in a dictionary of functions; a mutant puts another function in the
place of one step. It shares no code with what judges it. Weights have the shape (in, out) here, examples are rows.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

Array = Any

VALUE: dict[str, Callable[[Array], Array]] = {
    "linear": lambda z: z,
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu(0.1)": lambda z: np.where(z > 0, z, 0.1 * z),
    "leaky_relu(-0.3)": lambda z: np.where(z > 0, z, -0.3 * z),
    "elu": lambda z: np.where(z > 0, z, np.exp(np.minimum(z, 0)) - 1),
    "softplus": lambda z: np.log1p(np.exp(z)),
    "softmax": lambda z: (
        np.exp(z - z.max(axis=1, keepdims=True))
        / np.exp(z - z.max(axis=1, keepdims=True)).sum(axis=1, keepdims=True)
    ),
}
SLOPE: dict[str, Callable[[Array], Array]] = {
    "linear": np.ones_like,
    "tanh": lambda z: 1 / np.cosh(z) ** 2,
    "sigmoid": lambda z: 0.5 / (1 + np.cosh(z)),
    "relu": lambda z: 1.0 * (z > 0),
    "leaky_relu(0.1)": lambda z: np.where(z > 0, 1, 0.1),
    "leaky_relu(-0.3)": lambda z: np.where(z > 0, 1, -0.3),
    "elu": lambda z: np.where(z > 0, 1, np.exp(np.minimum(z, 0))),
    "softplus": lambda z: 1 / (1 + np.exp(-z)),
}
COST: dict[str, Callable[[Array, Array], Array]] = {
    "half_mse": lambda a, y: 0.5 * np.sum((a - y) ** 2),
    "mse": lambda a, y: np.sum((a - y) ** 2),
    "ce": lambda a, y: -np.sum(y * np.log(a)),
    "bce": lambda a, y: -np.sum(y * np.log(a) + (1 - y) * np.log(1 - a)),
    "mae": lambda a, y: np.sum(np.abs(a - y)),
}
ERROR: dict[str, Callable[[Array, Array], Array]] = {
    "half_mse": lambda a, y: a - y,
    "mse": lambda a, y: 2 * (a - y),
    "ce": lambda a, y: -y / a,
    "bce": lambda a, y: (a - y) / (a * (1 - a)),
    "mae": lambda a, y: np.sign(a - y),
}


class World(NamedTuple):
    """A network, how it is laid out, and on how many examples it runs."""

    name: str
    layers: list[int]
    activations: list[str]
    loss: str
    reduction: str = "mean"
    examples: int = 5
    lam: float = 0.0
    bias: bool = True
    columns: bool = False
    seed: int = 0


WORLDS = (
    World("tanh_linear", [3, 4, 2], ["tanh", "linear"], "half_mse"),
    World("relu_softmax", [4, 6, 5, 3], ["relu", "tanh", "softmax"], "ce", examples=8, columns=True),
    World("sigmoids_l2", [3, 5, 5, 1], ["sigmoid"] * 3, "bce", examples=6, lam=0.7, columns=True),
    World("deep_sum", [5, 4, 4, 4, 2], ["tanh", "relu", "sigmoid", "linear"], "mse", "sum", 7),
    World("one_example", [2, 3, 2], ["sigmoid", "sigmoid"], "half_mse", "sum", 1),
    World(
        "leaky_no_bias",
        [3, 6, 6, 2],
        ["leaky_relu(0.1)", "leaky_relu(0.1)", "linear"],
        "mse",
        bias=False,
        examples=4,
    ),
    World("square", [4, 4, 4], ["tanh", "softmax"], "ce", "sum", 4),
    World("wide_l2", [6, 8, 3], ["relu", "sigmoid"], "bce", examples=10, lam=1.5),
    World("smooth", [4, 5, 3, 3], ["softplus", "elu", "tanh"], "half_mse", "sum", 6, columns=True),
    World("softmax_squared", [3, 5, 4], ["sigmoid", "softmax"], "mse", "mean", 7),
    World("odd_leaky", [3, 6, 2], ["leaky_relu(-0.3)", "linear"], "half_mse", "mean", 6),
    World("linear_net", [3, 4, 3, 2], ["linear", "linear", "linear"], "mse", "mean", 6),
)


class Pass:
    """One backward pass in single steps, each of which can be put another in the place of."""

    def __init__(self, world: World) -> None:
        self.world = w = world
        generator = np.random.default_rng(900 + w.seed)
        self.L, self.m = len(w.activations), w.examples
        sizes = list(zip(w.layers[:-1], w.layers[1:], strict=True))
        self.W = {at: 0.8 * generator.normal(size=size) for at, size in enumerate(sizes, 1)}
        self.b = {at: 0.4 * generator.normal(size=size[1]) * w.bias for at, size in enumerate(sizes, 1)}
        self.X = generator.normal(size=(self.m, w.layers[0]))
        out = w.layers[-1]
        if w.loss == "ce":
            self.Y = np.eye(out)[generator.integers(out, size=self.m)]
        elif w.loss == "bce":
            self.Y = generator.integers(2, size=(self.m, out)) * 1.0
        else:
            self.Y = generator.uniform(0.1, 0.9, size=(self.m, out))
        self.Z, self.A = {}, {0: self.X}
        for at in range(1, self.L + 1):
            self.Z[at] = self.A[at - 1] @ self.W[at] + self.b[at]
            self.A[at] = VALUE[w.activations[at - 1]](self.Z[at])
        self.scale = 1 / self.m if w.reduction == "mean" else 1.0
        self.l2 = w.lam * (self.scale if w.lam else 0)
        # The steps.
        self.error: Any = lambda: ERROR[w.loss](self.A[self.L], self.Y) * self.scale
        self.slope = {at: (lambda e, at=at: self.through(at, e)) for at in self.W}
        self.back = {at: (lambda d, at=at: d @ self.W[at + 1].T) for at in range(1, self.L)}
        self.dW = {at: (lambda d, at=at: self.A[at - 1].T @ d) for at in self.W}
        self.db = {at: (lambda d: d.sum(axis=0)) for at in self.W}
        self.penalty = {at: (lambda at=at: self.l2 * self.W[at]) for at in self.W}
        self.db_penalty = {at: (lambda: 0.0) for at in self.W}
        self.finish: list[Any] = []
        self.deltas: dict[int, Array] = {}
        self.errors: dict[int, Array] = {}

    def kind(self, at: int) -> str:
        return self.world.activations[at - 1]

    def through(self, at: int, e: Array) -> Array:
        a = self.A[at]
        if self.kind(at) == "softmax":
            return a * (e - (e * a).sum(axis=1, keepdims=True))
        return e * SLOPE[self.kind(at)](self.Z[at])

    def cost(self) -> float:
        made = COST[self.world.loss](self.A[self.L], self.Y) * self.scale
        return float(made + self.l2 / 2 * sum(np.sum(W**2) for W in self.W.values()))

    def run(self) -> dict[str, Array]:
        g = {}
        e = self.error()
        for at in range(self.L, 0, -1):
            if at < self.L:
                e = self.back[at](self.deltas[at + 1])
            self.errors[at] = e
            d = self.deltas[at] = self.slope[at](e)
            self.g = g
            g[f"W{at}"] = self.dW[at](d) + self.penalty[at]()
            if self.world.bias:
                g[f"b{at}"] = self.db[at](d) + self.db_penalty[at]()
        for change in self.finish:
            g = change(g)
        return g

    def spec(self) -> dict[str, Any]:
        w = self.world
        return {
            "name": w.name,
            "kind": "mlp",
            "layers": w.layers,
            "activations": w.activations,
            "loss": w.loss,
            "bias": w.bias,
            "weights": "W has shape (out, in), z = W @ a + b"
            if w.columns
            else "W has shape (in, out), z = a @ W + b",
            "batch": {"size": w.examples, "axis": 1 if w.columns else 0, "reduction": w.reduction},
            "regularisation": {"lam": w.lam, "factor": 0.5, "per_sample": w.reduction == "mean"}
            if w.lam
            else None,
        }


class Mutation(NamedTuple):
    """One way to make a mistake: where it can be planted, and what it puts in the place of a step."""

    name: str
    code: str
    where: Callable[[Pass], Any]
    plant: Callable[[Pass, int], None]


MUTATIONS: list[Mutation] = []


def mutation(code: str, where: Callable[[Pass], Any]) -> Callable[[Any], Any]:
    def kept(plant: Any) -> Any:
        MUTATIONS.append(Mutation(plant.__name__, code, where, plant))
        return plant

    return kept


def every(p: Pass) -> Any:
    return range(1, p.L + 1)


def top(p: Pass) -> Any:
    return [p.L]


def hidden(p: Pass) -> Any:
    return range(1, p.L)


def bent(*kinds: str, only_hidden: bool = True) -> Callable[[Pass], Any]:
    def where(p: Pass) -> Any:
        return [at for at in (hidden(p) if only_hidden else every(p)) if p.kind(at).split("(")[0] in kinds]

    return where


SMOOTH = ("tanh", "sigmoid", "softplus", "elu")


def biased(where: Callable[[Pass], Any]) -> Callable[[Pass], Any]:
    return lambda p: where(p) if p.world.bias else []


def many(where: Callable[[Pass], Any]) -> Callable[[Pass], Any]:
    return lambda p: where(p) if p.m > 1 else []


def averaged(where: Callable[[Pass], Any]) -> Callable[[Pass], Any]:
    return lambda p: where(p) if p.m > 1 and p.world.reduction == "mean" else []


def regular(where: Callable[[Pass], Any]) -> Callable[[Pass], Any]:
    return lambda p: where(p) if p.l2 else []


# A. Output error


@mutation(
    "output_slope_missing", lambda p: [p.L] if p.kind(p.L) != "linear" and p.kind(p.L) != "softmax" else []
)
def no_output_slope(p, at):
    p.slope[at] = lambda e: e


@mutation("output_slope_extra", lambda p: [p.L] if p.kind(p.L) in ("sigmoid", "tanh") else [])
def output_slope_twice(p, at):
    s = SLOPE[p.kind(at)]
    p.slope[at] = lambda e: e * s(p.Z[at]) * s(p.Z[at])


@mutation("output_slope_extra", lambda p: [p.L] if p.kind(p.L) == "softmax" and p.world.loss == "ce" else [])
def softmax_slope_on_top_of_a_minus_y(p, at):
    p.slope[at] = lambda e: (p.A[at] - p.Y) * p.scale * p.A[at] * (1 - p.A[at])


@mutation("softmax_diagonal", lambda p: [p.L] if p.kind(p.L) == "softmax" else [])
def softmax_as_a_sigmoid(p, at):
    p.slope[at] = lambda e: e * p.A[at] * (1 - p.A[at])


@mutation("softmax_diagonal", lambda p: [p.L] if p.kind(p.L) == "softmax" else [])
def softmax_without_cross_terms(p, at):
    p.slope[at] = lambda e: e * p.A[at]


@mutation("softmax_wrong_axis", lambda p: [p.L] if p.kind(p.L) == "softmax" and p.m > 1 else [])
def softmax_over_the_examples(p, at):
    def slope(e):
        a = np.exp(p.Z[at]) / np.exp(p.Z[at]).sum(axis=0)
        if p.world.loss == "ce":
            return (a - p.Y) * p.scale
        e = ERROR[p.world.loss](a, p.Y) * p.scale
        return a * (e - (e * a).sum(axis=1, keepdims=True))

    p.slope[at] = slope


@mutation("sign_flipped", top)
def sign_everywhere(p, at):
    error = p.error
    p.error = lambda: -error()


@mutation("sign_flipped", every)
def sign_of_a_weight(p, at):
    p.finish.append(lambda g: g | {f"W{at}": -g[f"W{at}"]})


@mutation("sign_flipped", lambda p: [p.L] if p.world.loss in ("mse", "half_mse") else [])
def plus_for_minus(p, at):
    p.error = lambda: (2 if p.world.loss == "mse" else 1) * (p.A[p.L] + p.Y) * p.scale


# B. Scale


@mutation("factor_two_missing", lambda p: [p.L] if p.world.loss == "mse" else [])
def no_two(p, at):
    p.error = lambda: (p.A[p.L] - p.Y) * p.scale


@mutation("factor_two_missing", lambda p: [p.L] if p.world.loss == "half_mse" else [])
def a_two_too_much(p, at):
    p.error = lambda: 2 * (p.A[p.L] - p.Y) * p.scale


@mutation("stray_factor", every)
def weight_times_three(p, at):
    old = p.dW[at]
    p.dW[at] = lambda d: 3 * old(d)


@mutation("stray_factor", biased(every))
def bias_by_a_tenth(p, at):
    p.finish.append(lambda g: g | {f"b{at}": 0.1 * g[f"b{at}"]})


@mutation("batch_mean_missing", averaged(top))
def no_mean(p, at):
    error = p.error
    p.error = lambda: p.m * error()


@mutation("batch_mean_missing", averaged(every))
def no_mean_in_a_weight(p, at):
    old = p.dW[at]
    p.dW[at] = lambda d: p.m * old(d)


@mutation("batch_mean_twice", averaged(top))
def mean_twice_everywhere(p, at):
    for one in p.W:
        p.dW[one] = lambda d, one=one: p.A[one - 1].T @ d / p.m
        p.db[one] = lambda d: d.mean(axis=0)


@mutation("batch_mean_twice", averaged(hidden))
def mean_again_on_the_way(p, at):
    old = p.back[at]
    p.back[at] = lambda d: old(d) / p.m


@mutation("wrong_divisor", averaged(top))
def divided_by_inputs(p, at):
    error = p.error
    p.error = lambda: error() * p.m / p.X.shape[1]


@mutation("wrong_divisor", averaged(top))
def divided_by_own_width(p, at):
    for one in p.W:
        n = p.W[one].shape[0]
        p.dW[one] = lambda d, one=one, n=n: p.A[one - 1].T @ d * p.m / n
        p.db[one] = lambda d, n=n: d.sum(axis=0) * p.m / n


@mutation("output_mean_missing", lambda p: [p.L] if p.Y.shape[1] > 1 else [])
def mean_over_outputs(p, at):
    error = p.error
    p.error = lambda: error() / p.Y.shape[1]


# C. Slopes


@mutation("slope_at_activation", bent("tanh", "sigmoid", "softplus", only_hidden=False))
def slope_of_a(p, at):
    p.slope[at] = lambda e: e * SLOPE[p.kind(at)](p.A[at])


@mutation("activation_form_on_z", bent("tanh", "sigmoid", only_hidden=False))
def form_with_z(p, at):
    z = p.Z[at]
    p.slope[at] = lambda e: e * (z * (1 - z) if p.kind(at) == "sigmoid" else 1 - z**2)


@mutation("slope_of_error", bent("tanh", "sigmoid", only_hidden=False))
def slope_of_the_error(p, at):
    p.slope[at] = lambda e: e * (e * (1 - e) if p.kind(at) == "sigmoid" else 1 - e**2)


@mutation("slope_of_error", bent("tanh", "sigmoid", only_hidden=False))
def slope_taken_at_the_error(p, at):
    p.slope[at] = lambda e: e * SLOPE[p.kind(at)](e)


@mutation("hidden_slope_missing", bent("tanh", "sigmoid", "relu", "softplus", "elu", "leaky_relu"))
def no_hidden_slope(p, at):
    p.slope[at] = lambda e: e


@mutation(
    "slope_wrong_layer",
    lambda p: [
        at
        for at in hidden(p)
        for o in p.W
        if o != at and p.Z[o].shape == p.Z[at].shape and p.kind(at) != "linear"
    ][:1],
)
def slope_of_another_layer(p, at):
    other = next(o for o in p.W if o != at and p.Z[o].shape == p.Z[at].shape)
    p.slope[at] = lambda e: e * SLOPE[p.kind(at)](p.Z[other])


@mutation("slope_of_other_activation", bent("tanh", "softplus", "elu"))
def slope_of_a_sigmoid(p, at):
    p.slope[at] = lambda e: e * SLOPE["sigmoid"](p.Z[at])


@mutation("slope_of_other_activation", bent("sigmoid", "relu", "softplus"))
def slope_of_tanh(p, at):
    p.slope[at] = lambda e: e * SLOPE["tanh"](p.Z[at])


@mutation("slope_constant_differs", bent("leaky_relu", "relu"))
def another_leak(p, at):
    p.slope[at] = lambda e: e * np.where(p.Z[at] > 0, 1, 0.01)


@mutation("relu_mask_all_ones", bent("relu"))
def mask_of_ones(p, at):
    p.slope[at] = lambda e: e * (p.A[at] >= 0)


@mutation("relu_mask_from_gradient", bent("relu"))
def mask_of_the_error(p, at):
    p.slope[at] = lambda e: e * (e > 0)


@mutation("mask_from_output", lambda p: [at for at in hidden(p) if p.kind(at) == "leaky_relu(-0.3)"])
def mask_of_the_output(p, at):
    p.slope[at] = lambda e: e * np.where(p.A[at] > 0, 1, -0.3)


@mutation("upstream_ignored", bent(*SMOOTH))
def only_the_slope(p, at):
    p.slope[at] = lambda e: SLOPE[p.kind(at)](p.Z[at])


@mutation("upstream_ignored", bent("relu"))
def only_the_mask(p, at):
    p.slope[at] = lambda e: 1.0 * (p.Z[at] > 0)


@mutation("slope_at_wrong_point", biased(bent(*SMOOTH)))
def slope_before_the_bias(p, at):
    p.slope[at] = lambda e: e * SLOPE[p.kind(at)](p.A[at - 1] @ p.W[at])


@mutation("mask_inverted", bent("relu", "leaky_relu"))
def mask_the_other_way(p, at):
    p.slope[at] = lambda e: e * SLOPE[p.kind(at)](-p.Z[at])


# D. Paths, weights, layers


def _wide_above(p: Pass) -> Any:
    return [at for at in hidden(p) if p.W[at + 1].shape[1] > 1]


@mutation("path_sum_missing", _wide_above)
def last_path_alone(p, at):
    p.back[at] = lambda d: d[:, -1:] * p.W[at + 1][:, -1]


@mutation("path_sum_missing", _wide_above)
def first_path_left_out(p, at):
    p.back[at] = lambda d: d[:, 1:] @ p.W[at + 1][:, 1:].T


@mutation("path_counted_twice", _wide_above)
def paths_again(p, at):
    def back(d):
        total, running = 0.0, 0.0
        for k in range(d.shape[1]):
            running = running + d[:, [k]] * p.W[at + 1][:, k]
            total = total + running
        return total

    p.back[at] = back


@mutation("activation_for_delta", hidden)
def activation_sent_back(p, at):
    p.back[at] = lambda d: p.A[at + 1] @ p.W[at + 1].T


@mutation(
    "weight_gradient_transposed",
    lambda p: [at for at in every(p) if len(set(p.W[at].shape)) == 1 and len(p.W[at]) > 1],
)
def transposed(p, at):
    old = p.dW[at]
    p.dW[at] = lambda d: old(d).T


@mutation("weight_not_transposed", lambda p: [at for at in hidden(p) if len(set(p.W[at + 1].shape)) == 1])
def other_side(p, at):
    p.back[at] = lambda d: d @ p.W[at + 1]


@mutation("gradient_used_for_weight", hidden)
def through_the_gradient(p, at):
    p.back[at] = lambda d: d @ p.g[f"W{at + 1}"].T


@mutation("weights_updated_early", hidden)
def early(p, at):
    p.back[at] = lambda d: d @ (p.W[at + 1] - 0.05 * p.g[f"W{at + 1}"]).T


@mutation("wrong_layer_input", lambda p: [at for at in every(p) if at > 1 and p.kind(at - 1) != "linear"])
def pre_activation_as_input(p, at):
    p.dW[at] = lambda d: p.Z[at - 1].T @ d


@mutation(
    "wrong_layer_input", lambda p: [at for at in every(p) if at > 1 and p.A[at].shape == p.A[at - 1].shape]
)
def own_activation_as_input(p, at):
    p.dW[at] = lambda d: p.A[at].T @ d


@mutation(
    "matmul_for_elementwise",
    lambda p: [at for at in hidden(p) if p.kind(at) in SMOOTH and p.m == p.Z[at].shape[1]],
)
def matrix_product(p, at):
    p.slope[at] = lambda e: e @ SLOPE[p.kind(at)](p.Z[at])


@mutation("matmul_for_elementwise", lambda p: [at for at in hidden(p) if p.kind(at) in SMOOTH])
def dot_product(p, at):
    p.slope[at] = lambda e: (e * SLOPE[p.kind(at)](p.Z[at])).sum(axis=1, keepdims=True) * np.ones_like(e)


@mutation("bias_column_misaligned", biased(hidden))
def wrong_column_dropped(p, at):
    p.back[at] = lambda d: (d @ np.vstack([p.b[at + 1], p.W[at + 1]]).T)[:, :-1]


# E. Bias and broadcasting


@mutation("bias_mean_for_sum", many(biased(every)))
def bias_mean(p, at):
    p.db[at] = lambda d: d.mean(axis=0)


@mutation("bias_sum_over_units", lambda p: [at for at in biased(every)(p) if p.Z[at].shape[1] > 1])
def bias_of_all_units(p, at):
    p.db[at] = lambda d: np.full(d.shape[1], d.sum())


@mutation("bias_from_weight_gradient", biased(every))
def bias_from_weights(p, at):
    p.db[at] = lambda d: (p.A[at - 1].T @ d).sum(axis=0)


@mutation("bias_not_reduced", many(biased(every)))
def bias_per_example(p, at):
    p.db[at] = lambda d: d


@mutation("bias_not_reduced", many(biased(every)))
def bias_of_one_example(p, at):
    p.db[at] = lambda d: d[0]


# F. Regularisation


@mutation("l2_factor_two_missing", regular(every))
def half_the_penalty(p, at):
    p.penalty[at] = lambda: p.l2 * p.W[at] / 2


@mutation("l2_factor_two_missing", regular(every))
def twice_the_penalty(p, at):
    p.penalty[at] = lambda: 2 * p.l2 * p.W[at]


@mutation("l2_counted_twice", regular(every))
def penalty_twice(p, at):
    p.finish.append(lambda g: g | {f"W{at}": g[f"W{at}"] + p.l2 * p.W[at]})


@mutation("bias_regularised", regular(biased(every)))
def bias_penalty(p, at):
    p.db_penalty[at] = lambda: p.l2 * p.b[at]


@mutation("bias_regularised", regular(biased(every)))
def bias_constant(p, at):
    p.db_penalty[at] = lambda: p.l2


@mutation("wrong_layer_regularised", regular(hidden))
def another_layer_penalised(p, at):
    p.penalty[at] = lambda: 0 * p.W[at]
    p.penalty[at + 1] = lambda: 2 * p.l2 * p.W[at + 1]


# G. State between calls


@mutation("gradients_overwritten", lambda p: [p.L] if p.m > 3 else [])
def last_block(p, at):
    error = p.error
    p.error = lambda: error() * (np.arange(p.m) >= p.m - 2)[:, None]


@mutation("last_sample_only", many(top))
def last_example(p, at):
    error = p.error
    p.error = lambda: error() * (np.arange(p.m) == p.m - 1)[:, None]


@mutation("gradients_not_zeroed", lambda p: [p.L] if p.m > 3 else [])
def blocks_run_again(p, at):
    error = p.error
    p.error = lambda: error() * np.where(np.arange(p.m) < p.m // 2, 2, 1)[:, None]


@mutation("backward_run_twice", lambda p: [p.L] if p.L > 1 else [])
def grown(p, at):
    p.finish.append(lambda g: {name: value * (p.L + 2 - int(name[1:])) for name, value in g.items()})


@mutation("update_applied_twice", lambda p: [p.L] if p.L > 2 else [])
def doubled(p, at):
    p.finish.append(lambda g: {name: value * (2 if int(name[1:]) < p.L else 1) for name, value in g.items()})


# I. Other


@mutation("cost_and_gradient_differ", lambda p: [p.L] if p.world.loss in ("mse", "half_mse") else [])
def gradient_of_absolute_error(p, at):
    p.error = lambda: np.sign(p.A[p.L] - p.Y) * p.scale


@mutation("cost_and_gradient_differ", lambda p: [p.L] if p.world.loss == "bce" else [])
def gradient_of_squares(p, at):
    p.error = lambda: (p.A[p.L] - p.Y) * p.scale


@mutation("cost_and_gradient_differ", regular(top))
def penalty_forgotten(p, at):
    for one in p.W:
        p.penalty[one] = lambda one=one: 0 * p.W[one]


class Mutant:
    """A case: mistakes planted in a pass through a world."""

    def __init__(self, world: World, planted: list[tuple[Mutation, int]], dtype: Any = np.float64) -> None:
        self.world, self.planted, self.dtype = world, planted, dtype
        self.name = "+".join(f"{m.name}@{at}" for m, at in planted) + f":{world.name}"
        self._pass = Pass(world)
        self.spec = self._pass.spec()
        right = Pass(world).run()
        for one, at in planted:
            one.plant(self._pass, at)
        with np.errstate(over="ignore"):
            made = self._pass.run()
            self._made = {name: np.asarray(value, dtype) for name, value in made.items()}
        wrong = [
            n
            for n, v in made.items()
            if np.shape(v) != right[n].shape or not np.allclose(v, right[n], rtol=1e-6, atol=1e-9)
        ]
        self.truth = {"codes": [m.code for m, _ in planted] if wrong else [], "wrong": wrong}

    def params(self) -> dict[str, Array]:
        turned = {f"W{at}": W.T if self.world.columns else W for at, W in self._pass.W.items()}
        return turned | ({f"b{at}": b for at, b in self._pass.b.items()} if self.world.bias else {})

    def data(self) -> tuple[Array, Array]:
        return (self._pass.X.T, self._pass.Y.T) if self.world.columns else (self._pass.X, self._pass.Y)

    def loss(self, p: Any = None) -> float:
        return self._pass.cost()

    def buggy_gradients(self, p: Any = None) -> dict[str, Array]:
        return {
            name: (value.T if name[0] == "W" or value.ndim == 2 else value[:, None])
            if self.world.columns
            else value
            for name, value in self._made.items()
        }


def mutants(worlds: tuple[World, ...] = WORLDS, dtype: Any = np.float64) -> Iterator[Mutant]:
    """Yields every mutation at every layer of every world where it makes a difference."""
    for world in worlds:
        for one in MUTATIONS:
            for at in one.where(Pass(world)):
                made = Mutant(world, [(one, at)], dtype)
                if made.truth["codes"] and all(np.any(made._made[name]) for name in made.truth["wrong"]):
                    yield made


def pairs(number: int, seed: int = 0, dtype: Any = np.float64) -> Iterator[Mutant]:
    """Yields random pairs of mutations, both of which make a difference of their own."""
    generator = np.random.default_rng(seed)
    while number:
        world = WORLDS[generator.integers(len(WORLDS))]
        plain = Pass(world)
        places = [(one, at) for one in MUTATIONS for at in one.where(plain)]
        chosen = [places[k] for k in generator.choice(len(places), 2, replace=False)]
        if chosen[0][0].code == chosen[1][0].code:
            continue
        both, first, second = (Mutant(world, part, dtype) for part in (chosen, chosen[:1], chosen[1:]))
        if not first.truth["codes"] or not second.truth["codes"]:
            continue
        made = {
            tuple(np.round(np.concatenate([np.ravel(v) for v in x._made.values()]), 9))
            for x in (both, first, second)
        }
        if len(made) == 3 and all(np.isfinite(v).all() for v in both._made.values()):
            number -= 1
            yield both
