"""Hand-written backward passes of other operations with mistakes in them: functions, and no declared network."""

from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any


class Case:
    """A cost, its gradients with a mistake, and what is wrong with them."""

    def __init__(
        self,
        name: str,
        codes: list[str],
        params: dict[str, Array],
        loss: Any,
        buggy: Any,
        wrong: list[str],
        right: Any,
    ) -> None:
        self.name, self._params = name, params
        self.spec = {"name": name, "kind": "op"}
        self.truth = {"codes": codes, "wrong": wrong}
        self.loss = lambda p=None: loss(params if p is None else p)
        self.buggy_gradients = lambda p=None: buggy(params if p is None else p)
        self.right_gradients = lambda p=None: right(params if p is None else p)

    def params(self) -> dict[str, Array]:
        return self._params

    def data(self) -> tuple[Array, ...]:
        return ()


CASES: list[Case] = []


def family(
    params: dict[str, Array], loss: Callable[..., float], gradients: Callable[..., dict[str, Array]]
) -> Callable[..., None]:
    """Returns what enters a case: a name for the branch that the gradients take, codes, and the wrong parameters."""

    def enter(how: str, codes: list[str], wrong: list[str]) -> None:
        name = f"{gradients.__name__}_{how}"
        CASES.append(
            Case(
                name, codes, params, loss, lambda p: gradients(p, how), wrong, lambda p: gradients(p, "right")
            )
        )

    return enter


R = np.random.default_rng(5)


# Batch normalisation, layer normalisation


def _batch_norm() -> None:
    X, Y = R.normal(size=(6, 3)), R.normal(size=(6, 2))
    params = {
        "W1": R.normal(size=(3, 4)),
        "gamma": R.uniform(0.5, 2, 4),
        "beta": 0.3 * R.normal(size=4),
        "W2": R.normal(size=(4, 2)),
    }

    def forward(p):
        u = X @ p["W1"]
        mu = u.sum(axis=0) / len(u)
        istd = (((u - mu) ** 2).sum(axis=0) / len(u) + 1e-5) ** -0.5
        xhat = (u - mu) * istd
        a = 1 / (1 + np.exp(-(xhat * p["gamma"] + p["beta"])))
        return u, mu, istd, xhat, a, a @ p["W2"]

    def loss(p):
        return np.mean((forward(p)[-1] - Y) ** 2)

    def batch_norm(p, how):
        _, _, istd, xhat, a, out = forward(p)
        d = 2 * (out - Y) / Y.size
        g = {"W2": a.T @ d}
        d = d @ p["W2"].T * a * (1 - a)
        g["gamma"], g["beta"] = (d * xhat).sum(axis=0), d.sum(axis=0)
        dx = d if how == "gamma" else d * p["gamma"]
        axis = 1 if how == "axis" else 0
        mean = dx.mean(axis=axis, keepdims=True)
        dot = (dx * xhat).mean(axis=axis, keepdims=True)
        if how == "twice":
            mean = 2 * mean
        if how == "sign":
            dot = -dot
        if how == "constant_variance":
            dot = 0
        du = istd * (dx - mean - xhat * dot)
        if how == "constant":
            du = istd * dx
        g["W1"] = X.T @ du
        return g

    enter = family(params, loss, batch_norm)
    enter("right", [], [])
    enter("gamma", ["normalisation_scale_missing"], ["W1"])
    enter("axis", ["normalisation_wrong_axis"], ["W1"])
    enter("twice", ["normalisation_mean_twice"], ["W1"])
    enter("sign", ["normalisation_other"], ["W1"])
    enter("constant_variance", ["normalisation_stats_constant"], ["W1"])
    enter("constant", ["normalisation_stats_constant"], ["W1"])


_batch_norm()


def _layer_norm() -> None:
    X, Y = R.normal(size=(5, 3)), R.normal(size=(5, 4))
    params = {"W": R.normal(size=(3, 4)), "gamma": R.uniform(0.5, 2, 4), "beta": R.normal(size=4)}

    def forward(p):
        u = X @ p["W"]
        c = u - u.mean(axis=1, keepdims=True)
        s = np.sqrt(u.var(axis=1, keepdims=True) + 1e-6)
        return c / s, s

    def loss(p):
        xhat, _ = forward(p)
        return 0.5 * np.sum((p["gamma"] * xhat + p["beta"] - Y) ** 2)

    def layer_norm(p, how):
        xhat, s = forward(p)
        d = p["gamma"] * xhat + p["beta"] - Y
        g = {"gamma": (d * xhat).sum(axis=0), "beta": d.sum(axis=0)}
        d = d * p["gamma"]
        axis = 0 if how == "axis" else 1
        g["W"] = X.T @ (
            (d - d.mean(axis=axis, keepdims=True) - xhat * (d * xhat).mean(axis=axis, keepdims=True)) / s
        )
        if how == "beta":
            g["beta"] = (p["gamma"] * xhat + p["beta"] - Y).mean(axis=0)
        return g

    enter = family(params, loss, layer_norm)
    enter("right", [], [])
    enter("axis", ["normalisation_wrong_axis"], ["W"])


_layer_norm()


# Convolutions, pooling


def _conv() -> None:
    X, Y = R.normal(size=(3, 6, 6)), R.normal(size=(3, 2, 2))
    params = {"K1": R.normal(size=(3, 3)), "K2": R.normal(size=(3, 3)), "c": np.array([0.3])}

    def conv(x, k):
        h, w = x.shape[1] - k.shape[0] + 1, x.shape[2] - k.shape[1] + 1
        out = np.zeros((len(x), h, w))
        for i in range(h):
            for j in range(w):
                out[:, i, j] = np.sum(x[:, i : i + 3, j : j + 3] * k, axis=(1, 2))
        return out

    def forward(p):
        z = conv(X, p["K1"]) + p["c"]
        a = np.tanh(z)
        return a, conv(a, p["K2"])

    def loss(p):
        return 0.5 * np.sum((forward(p)[1] - Y) ** 2)

    def convolution(p, how):
        a, out = forward(p)
        d = out - Y
        g = {"K2": np.zeros((3, 3)), "K1": np.zeros((3, 3))}
        back = np.zeros_like(a)
        K2 = (
            p["K2"][::-1, ::-1] if how == "reversed_below" else p["K2"].T if how == "mixup_below" else p["K2"]
        )
        for i in range(2):
            for j in range(2):
                g["K2"] += np.tensordot(d[:, i, j], a[:, i : i + 3, j : j + 3], 1)
                share = d[:, i, j][:, None, None] * K2
                if how == "overwritten":
                    back[:, i : i + 3, j : j + 3] = share
                else:
                    back[:, i : i + 3, j : j + 3] += share
        d = back if how == "slope" else back * (1 - a**2)
        for i in range(4):
            for j in range(4):
                g["K1"] += np.tensordot(d[:, i, j], X[:, i : i + 3, j : j + 3], 1)
        g["c"] = np.array([d.sum()])
        if how == "reversed":
            g["K2"] = g["K2"][::-1, ::-1]
        if how == "mixup":
            g["K2"] = g["K2"].T
        return g

    enter = family(params, loss, convolution)
    enter("right", [], [])
    enter("reversed", ["kernel_reversed"], ["K2"])
    enter("reversed_below", ["kernel_reversed"], ["K1", "c"])
    enter("mixup", ["index_mixup"], ["K2"])
    enter("mixup_below", ["index_mixup"], ["K1", "c"])
    enter("overwritten", ["window_overlap_overwritten"], ["K1", "c"])
    enter("slope", ["hidden_slope_missing"], ["K1", "c"])


_conv()


def _strided() -> None:
    X, Y = R.normal(size=(4, 9)), R.normal(size=(4, 3))
    params = {"W": R.normal(size=(9, 9)), "k": R.normal(size=4)}

    def forward(p):
        a = np.tanh(X @ p["W"])
        padded = np.pad(a, ((0, 0), (1, 1)))
        windows = [padded[:, 3 * i : 3 * i + 4] for i in range(3)]
        return a, padded, np.stack([w @ p["k"] for w in windows], axis=1)

    def loss(p):
        return np.sum((forward(p)[2] - Y) ** 2) / len(X)

    def strided(p, how):
        a, padded, out = forward(p)
        d = 2 * (out - Y) / len(X)
        s = 1 if how == "stride" else 3
        back = np.zeros_like(padded)
        g = {"k": np.zeros(4)}
        for i in range(3):
            g["k"] += d[:, i] @ padded[:, s * i : s * i + 4]
            back[:, s * i : s * i + 4] += d[:, [i]] * (p["k"][::-1] if how == "reversed" else p["k"])
        back = back[:, :9] if how == "padding" else back[:, 1:10]
        g["W"] = X.T @ (back * (1 - a**2))
        return g

    enter = family(params, loss, strided)
    enter("right", [], [])
    enter("stride", ["stride_missing"], ["W", "k"])
    enter("padding", ["stride_missing"], ["W"])
    enter("reversed", ["kernel_reversed"], ["W"])


_strided()


def _pool() -> None:
    X, Y = R.normal(size=(4, 3)), R.normal(size=(4, 3))
    params = {"W": R.normal(size=(3, 7)), "b": R.normal(size=7)}

    def forward(p):
        u = X @ p["W"] + p["b"]
        return u, np.stack([u[:, 2 * i : 2 * i + 3].max(axis=1) for i in range(3)], axis=1)

    def loss(p):
        return 0.5 * np.sum((forward(p)[1] - Y) ** 2) / len(X)

    def pooling(p, how):
        u, out = forward(p)
        d = (out - Y) / len(X)
        back = np.zeros_like(u)
        for i in range(3):
            at = u[:, 2 * i : 2 * i + 3].argmax(axis=1) + 2 * i
            for n in range(len(u)):
                if how == "overwritten":
                    back[n, at[n]] = d[n, i]
                else:
                    back[n, at[n]] += d[n, i]
        return {"W": X.T @ back, "b": back.sum(axis=0)}

    enter = family(params, loss, pooling)
    enter("right", [], [])
    enter("overwritten", ["window_overlap_overwritten"], ["W", "b"])


_pool()


# Embeddings, dropout


def _embedding() -> None:
    index, Y = np.array([[0, 3, 1], [3, 3, 2], [1, 0, 4]]), R.normal(size=(3, 2))
    params = {"E": R.normal(size=(5, 4)), "W": R.normal(size=(4, 2))}

    def forward(p):
        h = p["E"][index].mean(axis=1)
        return h, h @ p["W"]

    def loss(p):
        return 0.5 * np.sum((forward(p)[1] - Y) ** 2)

    def embedding(p, how):
        h, out = forward(p)
        d = out - Y
        rows = np.repeat((d @ p["W"].T)[:, None, :] / 3, 3, axis=1)
        dE = np.zeros_like(p["E"])
        if how == "overwritten":
            dE[index] += rows
        else:
            np.add.at(dE, index, rows)
        return {"E": dE, "W": h.T @ d}

    enter = family(params, loss, embedding)
    enter("right", [], [])
    enter("overwritten", ["duplicate_index_overwritten"], ["E"])


_embedding()


def _dropout() -> None:
    X, Y = R.normal(size=(5, 3)), R.normal(size=(5, 2))
    mask = (R.random((5, 6)) < 0.7).astype(float)
    params = {"W1": R.normal(size=(3, 6)), "b1": R.normal(size=6), "W2": R.normal(size=(6, 2))}

    def forward(p):
        a = np.tanh(X @ p["W1"] + p["b1"])
        h = a * mask / 0.7
        return a, h, h @ p["W2"]

    def loss(p):
        return 0.5 * np.sum((forward(p)[2] - Y) ** 2)

    def dropout(p, how):
        a, h, out = forward(p)
        d = out - Y
        g = {"W2": h.T @ d}
        d = d @ p["W2"].T
        if how != "mask":
            d = d * mask
        if how not in ("mask", "scale"):
            d = d / 0.7
        d = d * (1 - a**2)
        return g | {"W1": X.T @ d, "b1": d.sum(axis=0)}

    enter = family(params, loss, dropout)
    enter("right", [], [])
    enter("mask", ["dropout_mask_missing"], ["W1", "b1"])
    enter("scale", ["dropout_mask_missing"], ["W1", "b1"])


_dropout()


# Recurrent networks


def _recurrent() -> None:
    X, Y = R.normal(size=(4, 5, 2)), R.normal(size=(4, 5, 2))
    params = {
        "Wx": R.normal(size=(2, 3)),
        "Wh": 0.5 * R.normal(size=(3, 3)),
        "b": R.normal(size=3),
        "Wy": R.normal(size=(3, 2)),
    }

    def forward(p):
        h, H = np.zeros((4, 3)), []
        for t in range(5):
            h = np.tanh(X[:, t] @ p["Wx"] + h @ p["Wh"] + p["b"])
            H.append(h)
        return H

    def loss(p):
        return sum(0.5 * np.sum((h @ p["Wy"] - Y[:, t]) ** 2) for t, h in enumerate(forward(p)))

    def recurrent(p, how):
        H = forward(p)
        g = {name: np.zeros_like(value) for name, value in p.items()}
        following = np.zeros((4, 3))
        for t in range(4, -1, -1):
            d = H[t] @ p["Wy"] - Y[:, t]
            g["Wy"] += H[t].T @ d
            dh = d @ p["Wy"].T if how == "dropped" else d @ p["Wy"].T + following
            dz = dh if how == "slope" else dh * (1 - H[t] ** 2)
            before = H[t - 1] if t else np.zeros((4, 3))
            g["Wx"] += X[:, t].T @ dz
            g["Wh"] += before.T @ dz
            g["b"] += dz.sum(axis=0)
            following = dz @ (p["Wh"] if how == "transposed" else p["Wh"].T)
        return {name: value / 5 for name, value in g.items()} if how == "mean" else g

    enter = family(params, loss, recurrent)
    enter("right", [], [])
    enter("dropped", ["recurrent_gradient_missing"], ["Wx", "Wh", "b"])
    enter("slope", ["hidden_slope_missing"], ["Wx", "Wh", "b"])
    enter("transposed", ["weight_not_transposed"], ["Wx", "Wh", "b"])
    enter("mean", ["time_mean_extra"], ["Wx", "Wh", "b", "Wy"])


_recurrent()


def _lstm() -> None:
    X, Y, n = R.normal(size=(3, 4, 2)), R.normal(size=(3, 3)), 3
    params = {"Wx": R.normal(size=(2, 12)), "Wh": 0.5 * R.normal(size=(3, 12)), "b": R.normal(size=12)}

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    def forward(p):
        h, c, kept = np.zeros((3, n)), np.zeros((3, n)), []
        for t in range(4):
            z = X[:, t] @ p["Wx"] + h @ p["Wh"] + p["b"]
            i, f, o = sigmoid(z[:, :n]), sigmoid(z[:, n : 2 * n]), sigmoid(z[:, 2 * n : 3 * n])
            g = np.tanh(z[:, 3 * n :])
            before = c
            c = f * c + i * g
            kept.append((h, before, i, f, o, g, c))
            h = o * np.tanh(c)
        return h, kept

    def loss(p):
        return 0.5 * np.sum((forward(p)[0] - Y) ** 2)

    def lstm(p, how):
        h, kept = forward(p)
        g_ = {name: np.zeros_like(value) for name, value in p.items()}
        dh, dc = h - Y, np.zeros((3, n))
        for t in range(3, -1, -1):
            h0, c0, i, f, o, g, c = kept[t]
            dc = dc + dh * o * (1 - np.tanh(c) ** 2)
            do = dh * np.tanh(c) * (o if how == "gate" else o * (1 - o))
            dz = np.hstack([dc * g * i * (1 - i), dc * c0 * f * (1 - f), do, dc * i * (1 - g**2)])
            g_["Wx"] += X[:, t].T @ dz
            g_["Wh"] += h0.T @ dz
            g_["b"] += dz.sum(axis=0)
            dh = np.zeros_like(dh) if how == "dropped" else dz @ p["Wh"].T
            dc = dc * f
        return g_

    enter = family(params, loss, lstm)
    enter("right", [], [])
    enter("gate", ["gate_slope_missing"], ["Wx", "Wh", "b"])
    enter("dropped", ["recurrent_gradient_missing"], ["Wx", "Wh", "b"])


_lstm()
