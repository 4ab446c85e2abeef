"""More hand-written backward passes of operations, in the many ways in which people write them.

Each function returns the cost of its parameters and their gradients; ``how`` names the mistake that it makes.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any


class Case:
    """A cost, its gradients with a mistake, and what is wrong with them."""

    def __init__(
        self, name: str, codes: list[str], wrong: list[str], params: Any, loss: Any, gradients: Any
    ) -> None:
        self.name, self._params = name, params
        how = name.partition(":")[2]
        self.spec = {"name": name, "kind": "op"}
        self.truth = {"codes": codes, "wrong": wrong}
        self.loss = lambda p=None: loss(params if p is None else p)
        self.buggy_gradients = lambda p=None: gradients(params if p is None else p, how)
        self.right_gradients = lambda p=None: gradients(params if p is None else p, "right")

    def params(self) -> dict[str, Array]:
        return self._params

    def data(self) -> tuple[Array, ...]:
        return ()


CASES: list[Case] = []


def family(**mistakes: tuple[str, str]) -> Callable[[Any], Any]:
    """Enters a case for each mistake: its code, and the parameters that are wrong."""

    def kept(make: Any) -> Any:
        params, loss, gradients = make(np.random.default_rng(sum(map(ord, make.__name__))))
        for how, (codes, wrong) in {"right": ("", ""), **mistakes}.items():
            CASES.append(
                Case(f"{make.__name__}:{how}", codes.split(), wrong.split(), params, loss, gradients)
            )
        return make

    return kept


def softmax(z: Array, axis: int = -1) -> Array:
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


@family(
    reversed=("kernel_reversed", "K"),
    back_reversed=("kernel_reversed", "V c"),
    channels=("index_mixup", "V c"),
    height_width=("index_mixup", "K"),
    slope=("hidden_slope_missing", "V c"),
    bias_mean=("bias_mean_for_sum", "c"),
)
def channel_convolution(r):
    X, Y = r.normal(size=(3, 2, 6, 6)), r.normal(size=(3, 2, 2, 2))
    params = {
        "V": 0.5 * r.normal(size=(2, 2, 3, 3)),
        "c": r.normal(size=2),
        "K": 0.5 * r.normal(size=(2, 2, 3, 3)),
    }
    view = np.lib.stride_tricks.sliding_window_view

    def conv(x, k):
        return np.einsum("nchwij,ocij->nohw", view(x, (3, 3), axis=(2, 3)), k)

    def forward(p):
        a = np.tanh(conv(X, p["V"]) + p["c"][None, :, None, None])
        return a, conv(a, p["K"])

    def loss(p):
        return 0.5 * np.sum((forward(p)[1] - Y) ** 2) / 3

    def gradients(p, how):
        a, out = forward(p)
        d = (out - Y) / 3
        dK = np.einsum("nchwij,nohw->ocij", view(a, (3, 3), axis=(2, 3)), d)
        padded = np.pad(d, ((0, 0), (0, 0), (2, 2), (2, 2)))
        K = p["K"] if how == "back_reversed" else p["K"][:, :, ::-1, ::-1]
        if how == "channels":
            K = K.transpose(1, 0, 2, 3)
        back = np.einsum("nohwij,ocij->nchw", view(padded, (3, 3), axis=(2, 3)), K)
        dz = back if how == "slope" else back * (1 - a**2)
        dV = np.einsum("nchwij,nohw->ocij", view(X, (3, 3), axis=(2, 3)), dz)
        if how == "reversed":
            dK = dK[:, :, ::-1, ::-1]
        if how == "height_width":
            dK = dK.transpose(0, 1, 3, 2)
        dc = dz.sum(axis=(0, 2, 3))
        return {"K": dK, "V": dV, "c": dc / 3 if how == "bias_mean" else dc}

    return params, loss, gradients


@family(
    overlap=("window_overlap_overwritten", "W"),
    stride=("stride_missing", "W"),
    padding=("stride_missing", "W"),
    reversed=("kernel_reversed", "W"),
    dk_reversed=("kernel_reversed", "K"),
)
def im2col_convolution(r):
    """Columns by fancy indexing, stride 2, padding 1."""
    X, Y = r.normal(size=(2, 25)), r.normal(size=(2, 9))
    params = {"W": 0.3 * r.normal(size=(25, 25)), "K": r.normal(size=(3, 3))}
    i, j = np.arange(3), np.arange(3)
    rows = 2 * np.arange(3)[:, None, None, None] + i[None, None, :, None] + 0 * j
    cols = 2 * np.arange(3)[None, :, None, None] + j[None, None, None, :] + 0 * i[:, None]
    rows, cols = (np.broadcast_to(one, (3, 3, 3, 3)).reshape(9, 9) for one in (rows, cols))

    def forward(p):
        a = np.tanh(X @ p["W"]).reshape(2, 5, 5)
        padded = np.pad(a, ((0, 0), (1, 1), (1, 1)))
        columns = padded[:, rows, cols]
        return a, padded, columns, columns @ p["K"].reshape(9)

    def loss(p):
        return np.sum((forward(p)[-1] - Y) ** 2)

    def gradients(p, how):
        a, padded, columns, out = forward(p)
        d = 2 * (out - Y)
        dK = np.einsum("nq,nqk->k", d, columns).reshape(3, 3)
        K = p["K"][::-1, ::-1] if how == "reversed" else p["K"]
        dcols = d[:, :, None] * K.reshape(9)
        back = np.zeros_like(padded)
        rr, cc = (rows, cols)
        if how == "stride":
            rr = rows - 2 * (np.arange(9) // 3)[:, None] + (np.arange(9) // 3)[:, None]
            cc = cols - 2 * (np.arange(9) % 3)[:, None] + (np.arange(9) % 3)[:, None]
        for n in range(2):
            if how == "overlap":
                back[n, rr, cc] = dcols[n]
            else:
                np.add.at(back[n], (rr, cc), dcols[n])
        back = back[:, :5, :5] if how == "padding" else back[:, 1:6, 1:6]
        dW = X.T @ (back * (1 - a**2)).reshape(2, 25)
        return {"K": dK[::-1, ::-1] if how == "dk_reversed" else dK, "W": dW}

    return params, loss, gradients


@family(reversed=("kernel_reversed", "k"), back=("kernel_reversed", "w"))
def np_convolve(r):
    x, y = r.normal(size=12), r.normal(size=7)
    params = {"w": r.normal(size=4), "k": r.normal(size=3)}

    def forward(p):
        a = np.tanh(np.convolve(x, p["w"], "valid"))
        return a, np.convolve(a, p["k"], mode="valid")

    def loss(p):
        return np.sum((forward(p)[1] - y) ** 2)

    def gradients(p, how):
        a, out = forward(p)
        d = 2 * (out - y)
        dk = np.correlate(a, d, "valid")
        da = np.convolve(d, p["k"], "full") if how == "back" else np.convolve(d, p["k"][::-1], "full")
        dz = da * (1 - a**2)
        return {"k": dk if how == "reversed" else dk[::-1], "w": np.correlate(x, dz, "valid")[::-1]}

    return params, loss, gradients


@family(overwritten=("window_overlap_overwritten", "W b"), first=("window_overlap_overwritten", "W b"))
def max_pool_2d(r):
    X, Y = r.normal(size=(3, 4)), r.normal(size=(3, 2, 2))
    params = {"W": r.normal(size=(4, 25)), "b": r.normal(size=25)}

    def forward(p):
        u = np.maximum(X @ p["W"] + p["b"], -2.0).reshape(3, 5, 5)
        out = np.zeros((3, 2, 2))
        for i in range(2):
            for j in range(2):
                out[:, i, j] = u[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3].max(axis=(1, 2))
        return u, out

    def loss(p):
        return np.mean((forward(p)[1] - Y) ** 2)

    def gradients(p, how):
        u, out = forward(p)
        d = 2 * (out - Y) / Y.size
        back = np.zeros_like(u)
        places = [(i, j) for i in range(2) for j in range(2)]
        for i, j in places[::-1] if how == "first" else places:
            window = u[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
            mask = window == window.max(axis=(1, 2), keepdims=True)
            if how in ("overwritten", "first"):
                back[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3] = mask * d[:, i, j][:, None, None]
            else:
                back[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3] += mask * d[:, i, j][:, None, None]
        back = back.reshape(3, 25) * (u.reshape(3, 25) > -2)
        return {"W": X.T @ back, "b": back.sum(axis=0)}

    return params, loss, gradients


@family(overwritten=("window_overlap_overwritten", "w"))
def overlap_add(r):
    """Frames that overlap are read by one fancy index."""
    X, Y = r.normal(size=(4, 10)), r.normal(size=(4, 4))
    index = np.arange(4)[:, None] * 2 + np.arange(4)
    params = {"w": r.normal(size=10), "v": r.normal(size=4)}

    def forward(p):
        frames = (X * p["w"])[:, index]
        return frames, frames @ p["v"]

    def loss(p):
        return 0.5 * np.sum((forward(p)[1] - Y) ** 2)

    def gradients(p, how):
        frames, out = forward(p)
        d = out - Y
        back = np.zeros_like(X)
        for f in range(4):
            part = d[:, [f]] * p["v"]
            back[:, index[f]] = part if how == "overwritten" else back[:, index[f]] + part
        return {"w": (back * X).sum(axis=0), "v": np.einsum("nf,nfk->k", d, frames)}

    return params, loss, gradients


@family(
    overwritten=("duplicate_index_overwritten", "E"),
    buffered=("duplicate_index_overwritten", "E"),
    one_use=("shared_weight_one_use", "E"),
)
def tied_embedding(r):
    """An embedding that is also the output layer."""
    words, targets = np.array([2, 0, 2, 5, 2, 0]), np.array([0, 2, 5, 2, 0, 1])
    params = {"E": r.normal(size=(6, 3)), "W": r.normal(size=(3, 3))}

    def forward(p):
        h = np.tanh(p["E"][words] @ p["W"])
        return h, softmax(h @ p["E"].T)

    def loss(p):
        q = forward(p)[1]
        return -np.sum(np.log(q[np.arange(6), targets])) / 6

    def gradients(p, how):
        h, q = forward(p)
        d = q.copy()
        d[np.arange(6), targets] -= 1
        d /= 6
        dE = np.zeros_like(p["E"]) if how == "one_use" else d.T @ h
        dz = d @ p["E"] * (1 - h**2)
        rows = dz @ p["W"].T
        if how == "overwritten":
            used = np.zeros_like(dE)
            for t, w in enumerate(words):
                used[w] = rows[t]
            dE = dE + used
        elif how == "buffered":
            used = np.zeros_like(dE)
            used[words] += rows
            dE = dE + used
        else:
            np.add.at(dE, words, rows)
        return {"E": dE, "W": p["E"][words].T @ dz}

    return params, loss, gradients


@family(
    dropped=("recurrent_gradient_missing", "Wxh Whh bh"),
    slope=("hidden_slope_missing", "Wxh Whh bh"),
    transposed=("weight_not_transposed", "Wxh Whh bh"),
    last=("gradients_overwritten", "Wxh Whh bh Why by"),
    sign=("sign_flipped", "Wxh Whh Why bh by"),
    mean=("time_mean_extra", "Wxh Whh Why bh by"),
)
def character_rnn(r):
    """Column vectors, lists of states, one letter at a time."""
    inputs, targets, n, v = [1, 3, 0, 2], [3, 0, 2, 1], 3, 4
    params = {
        "Wxh": 0.5 * r.normal(size=(n, v)),
        "Whh": 0.5 * r.normal(size=(n, n)),
        "Why": 0.5 * r.normal(size=(v, n)),
        "bh": 0.1 * r.normal(size=(n, 1)),
        "by": 0.1 * r.normal(size=(v, 1)),
    }

    def forward(p):
        xs, hs, ps = {}, {-1: np.zeros((n, 1))}, {}
        for t in range(len(inputs)):
            xs[t] = np.zeros((v, 1))
            xs[t][inputs[t]] = 1
            hs[t] = np.tanh(np.dot(p["Wxh"], xs[t]) + np.dot(p["Whh"], hs[t - 1]) + p["bh"])
            y = np.dot(p["Why"], hs[t]) + p["by"]
            ps[t] = np.exp(y) / np.sum(np.exp(y))
        return xs, hs, ps

    def loss(p):
        ps = forward(p)[2]
        total = 0
        for t in range(len(inputs)):
            total += -np.log(ps[t][targets[t], 0])
        return total

    def gradients(p, how):
        xs, hs, ps = forward(p)
        g = {name: np.zeros_like(value) for name, value in p.items()}
        dhnext = np.zeros((n, 1))
        for t in reversed(range(len(inputs))):
            if how == "last":
                g = {name: np.zeros_like(value) for name, value in p.items()}
            dy = np.copy(ps[t])
            dy[targets[t]] -= 1
            g["Why"] += np.dot(dy, hs[t].T)
            g["by"] += dy
            dh = np.dot(p["Why"].T, dy) + (0 if how == "dropped" else dhnext)
            draw = dh if how == "slope" else (1 - hs[t] * hs[t]) * dh
            g["bh"] += draw
            g["Wxh"] += np.dot(draw, xs[t].T)
            g["Whh"] += np.dot(draw, hs[t - 1].T)
            dhnext = np.dot(p["Whh"] if how == "transposed" else p["Whh"].T, draw)
        scale = {"sign": -1, "mean": 0.25}.get(how, 1)
        return {name: scale * value for name, value in g.items()}

    return params, loss, gradients


@family(
    forget=("gate_slope_missing", "Wf bf Wi bi Wg bg Wo bo"),
    cell=("recurrent_gradient_missing", "Wf bf Wi bi Wg bg Wo bo"),
    hidden=("recurrent_gradient_missing", "Wf bf Wi bi Wg bg Wo bo"),
    candidate=("hidden_slope_missing", "Wf bf Wi bi Wg bg Wo bo"),
)
def four_gates(r):
    """An LSTM with a matrix for each gate, on the state and the input side by side."""
    X, Y, n = r.normal(size=(3, 2, 2)), r.normal(size=(2, 3)), 3
    params = {f"W{gate}": 0.6 * r.normal(size=(5, 3)) for gate in "figo"}
    params |= {f"b{gate}": 0.3 * r.normal(size=3) for gate in "figo"}

    def sigmoid(z):
        return 1.0 / (1.0 + np.exp(-z))

    def forward(p):
        h, c, kept = np.zeros((2, n)), np.zeros((2, n)), []
        for x in X:
            z = np.concatenate([h, x], axis=1)
            f, i = sigmoid(z @ p["Wf"] + p["bf"]), sigmoid(z @ p["Wi"] + p["bi"])
            g, o = np.tanh(z @ p["Wg"] + p["bg"]), sigmoid(z @ p["Wo"] + p["bo"])
            old, c = c, f * c + i * g
            h = o * np.tanh(c)
            kept.append((z, f, i, g, o, old, c))
        return h, kept

    def loss(p):
        return 0.5 * np.sum((forward(p)[0] - Y) ** 2)

    def gradients(p, how):
        h, kept = forward(p)
        g_ = {name: np.zeros_like(value) for name, value in p.items()}
        dh, dc = h - Y, np.zeros((2, n))
        for z, f, i, g, o, old, c in reversed(kept):
            tc = np.tanh(c)
            do, dc = dh * tc * o * (1 - o), dc + dh * o * (1 - tc**2)
            df = dc * old * (f if how == "forget" else f * (1 - f))
            di, dg = dc * g * i * (1 - i), dc * i * (1 if how == "candidate" else 1 - g**2)
            dz = 0
            for gate, d in zip("figo", (df, di, dg, do), strict=True):
                g_[f"W{gate}"] += z.T @ d
                g_[f"b{gate}"] += d.sum(axis=0)
                dz = dz + d @ p[f"W{gate}"].T
            dh = 0 * dh if how == "hidden" else dz[:, :n]
            dc = 0 * dc if how == "cell" else dc * f
        return g_

    return params, loss, gradients


@family(
    constant=("normalisation_stats_constant", "W b"),
    variance=("normalisation_stats_constant", "W"),
    gamma=("normalisation_scale_missing", "W"),
    twice=("normalisation_mean_twice", "W b"),
    axis=("normalisation_wrong_axis", "W b"),
    root=("normalisation_other", "W"),
    beta=("bias_mean_for_sum", "beta"),
)
def batch_norm_steps(r):
    """Batch normalisation in the many small steps of course notes, with a ReLU and a softmax above."""
    X, T = r.normal(size=(8, 3)), np.eye(3)[r.integers(3, size=8)]
    params = {
        "W": r.normal(size=(3, 4)),
        "b": r.normal(size=4),
        "gamma": r.uniform(0.5, 2, (1, 4)),
        "beta": r.normal(size=(1, 4)),
        "V": r.normal(size=(4, 3)),
    }

    def forward(p):
        x = X @ p["W"] + p["b"]
        mu = 1 / 8 * np.sum(x, axis=0)
        xmu = x - mu
        var = 1 / 8 * np.sum(xmu**2, axis=0)
        sqrtvar = np.sqrt(var + 1e-3)
        xhat = xmu * (1 / sqrtvar)
        out = p["gamma"] * xhat + p["beta"]
        a = np.maximum(0, out)
        s = a @ p["V"]
        return xmu, sqrtvar, xhat, out, a, softmax(s)

    def loss(p):
        return -np.sum(T * np.log(forward(p)[-1])) / 8

    def gradients(p, how):
        xmu, sqrtvar, xhat, out, a, q = forward(p)
        d = (q - T) / 8
        g = {"V": a.T @ d}
        d = d @ p["V"].T * (out > 0)
        g["beta"], g["gamma"] = d.sum(axis=0, keepdims=True), (d * xhat).sum(axis=0, keepdims=True)
        if how == "beta":
            g["beta"] = d.mean(axis=0, keepdims=True)
        dxhat = d if how == "gamma" else d * p["gamma"]
        divar = np.sum(dxhat * xmu, axis=0)
        dvar = divar * -0.5 * sqrtvar**-3
        dxmu = dxhat / sqrtvar + (0 if how in ("constant", "variance") else 2 * xmu * dvar / 8)
        if how == "root":
            dxmu = dxhat / sqrtvar**2 + 2 * xmu * dvar / 8 / sqrtvar
        dmu = dxmu.sum(axis=0)
        if how == "axis":
            dmu = np.broadcast_to(dxmu.sum(axis=1, keepdims=True), dxmu.shape)
        dx = dxmu if how == "constant" else dxmu - dmu / 8
        if how == "twice":
            dx = dx - dmu / 8
        return g | {"W": X.T @ dx, "b": dx.sum(axis=0)}

    return params, loss, gradients


@family(
    axis=("normalisation_wrong_axis", "W"),
    block=("normalisation_wrong_axis", "W"),
    gamma=("normalisation_scale_missing", "W"),
)
def group_norm(r):
    """Channels in two groups, each with its own mean and variance."""
    X, Y = r.normal(size=(4, 3)), r.normal(size=(4, 6))
    params = {"W": r.normal(size=(3, 6)), "gamma": r.uniform(0.5, 2, 6), "beta": r.normal(size=6)}

    def forward(p):
        u = (X @ p["W"]).reshape(4, 2, 3)
        s = np.sqrt(u.var(axis=2, keepdims=True) + 1e-5)
        return (u - u.mean(axis=2, keepdims=True)) / s, s

    def loss(p):
        return 0.5 * np.sum((forward(p)[0].reshape(4, 6) * p["gamma"] + p["beta"] - Y) ** 2)

    def gradients(p, how):
        hat, s = forward(p)
        d = hat.reshape(4, 6) * p["gamma"] + p["beta"] - Y
        g = {"gamma": (d * hat.reshape(4, 6)).sum(axis=0), "beta": d.sum(axis=0)}
        d = (d if how == "gamma" else d * p["gamma"]).reshape(4, 2, 3)
        axis = {"axis": 0, "block": (1, 2)}.get(how, 2)
        du = (d - d.mean(axis=axis, keepdims=True) - hat * (d * hat).mean(axis=axis, keepdims=True)) / s
        return g | {"W": X.T @ du.reshape(4, 6)}

    return params, loss, gradients


@family(
    constant=("normalisation_stats_constant", "W"),
    sign=("normalisation_other", "W"),
    scale=("normalisation_scale_missing", "W"),
)
def rms_norm(r):
    X, Y = r.normal(size=(5, 3)), r.normal(size=(5, 4))
    params = {"W": r.normal(size=(3, 4)), "scale": r.uniform(0.5, 2, 4)}

    def forward(p):
        u = X @ p["W"]
        rms = np.sqrt((u * u).mean(axis=-1, keepdims=True) + 1e-6)
        return u / rms, rms

    def loss(p):
        return np.sum((forward(p)[0] * p["scale"] - Y) ** 2) / 5

    def gradients(p, how):
        hat, rms = forward(p)
        d = 2 * (hat * p["scale"] - Y) / 5
        dhat = d if how == "scale" else d * p["scale"]
        mean = (dhat * hat).mean(axis=-1, keepdims=True)
        mean = {"constant": 0, "sign": -1}.get(how, 1) * mean
        return {"W": X.T @ ((dhat - hat * mean) / rms), "scale": (d * hat).sum(axis=0)}

    return params, loss, gradients


@family(mask=("dropout_mask_missing", "W b"), scale=("dropout_mask_missing", "W b"))
def dropout_with_relu(r):
    """An inverted dropout whose mask holds the scale."""
    X, Y, mask = r.normal(size=(6, 4)), r.normal(size=(6, 2)), (r.random((6, 5)) > 0.4) / 0.6
    params = {"W": r.normal(size=(4, 5)), "b": r.normal(size=5), "V": r.normal(size=(5, 2))}

    def forward(p):
        z = X @ p["W"] + p["b"]
        h = np.where(z > 0, z, 0) * mask
        return z, h, h @ p["V"]

    def loss(p):
        return 0.5 * np.mean(np.sum((forward(p)[2] - Y) ** 2, axis=1))

    def gradients(p, how):
        z, h, out = forward(p)
        d = (out - Y) / 6
        back = d @ p["V"].T * (z > 0)
        back = back if how == "mask" else back * (mask > 0) if how == "scale" else back * mask
        return {"V": h.T @ d, "W": X.T @ back, "b": back.sum(axis=0)}

    return params, loss, gradients


@family(
    encoder=("shared_weight_one_use", "W"),
    decoder=("shared_weight_one_use", "W"),
    slope=("hidden_slope_missing", "W b"),
)
def siamese(r):
    """Two inputs go through the same layer."""
    X1, X2, y = r.normal(size=(5, 3)), r.normal(size=(5, 3)), r.normal(size=5)
    params = {"W": r.normal(size=(3, 4)), "b": r.normal(size=4)}

    def forward(p):
        return np.tanh(X1 @ p["W"] + p["b"]), np.tanh(X2 @ p["W"] + p["b"])

    def loss(p):
        one, two = forward(p)
        return np.mean((np.sum(one * two, axis=1) - y) ** 2)

    def gradients(p, how):
        one, two = forward(p)
        d = 2 * (np.sum(one * two, axis=1) - y)[:, None] / 5
        d1, d2 = (d * two, d * one) if how == "slope" else (d * two * (1 - one**2), d * one * (1 - two**2))
        W = (0 if how == "decoder" else X1.T @ d1) + (0 if how == "encoder" else X2.T @ d2)
        return {"W": W, "b": d1.sum(axis=0) + d2.sum(axis=0)}

    return params, loss, gradients


@family(slope=("hidden_slope_missing", "W b"), at_a=("slope_at_activation", "W b"))
def sine_units(r):
    X, Y = r.normal(size=(5, 3)), r.normal(size=(5, 2))
    params = {"W": r.normal(size=(3, 4)), "b": r.normal(size=4), "V": r.normal(size=(4, 2))}

    def loss(p):
        return 0.5 * np.sum((np.sin(X @ p["W"] + p["b"]) @ p["V"] - Y) ** 2)

    def gradients(p, how):
        z = X @ p["W"] + p["b"]
        a = np.sin(z)
        d = a @ p["V"] - Y
        back = d @ p["V"].T
        back = back if how == "slope" else back * np.cos(a if how == "at_a" else z)
        return {"V": a.T @ d, "W": X.T @ back, "b": back.sum(axis=0)}

    return params, loss, gradients


@family(slope=("hidden_slope_missing", "W b"), output=("output_slope_missing", "W b V"))
def swish_then_softplus(r):
    """An activation of several steps, and another one at the output."""
    X, Y = r.normal(size=(5, 3)), r.uniform(0.5, 2, size=(5, 2))
    params = {"W": r.normal(size=(3, 4)), "b": r.normal(size=4), "V": r.normal(size=(4, 2))}

    def forward(p):
        z = X @ p["W"] + p["b"]
        s = 1 / (1 + np.exp(-z))
        u = z * s @ p["V"]
        return z, s, u, np.log(1 + np.exp(u))

    def loss(p):
        return 0.5 * np.sum((forward(p)[3] - Y) ** 2)

    def gradients(p, how):
        z, s, u, out = forward(p)
        d = out - Y if how == "output" else (out - Y) / (1 + np.exp(-u))
        back = d @ p["V"].T
        back = back if how == "slope" else back * (s + z * s * (1 - s))
        return {"V": (z * s).T @ d, "W": X.T @ back, "b": back.sum(axis=0)}

    return params, loss, gradients


@family(
    diagonal=("softmax_diagonal", "Q K"), axis=("softmax_wrong_axis", "Q K"), scale=("stray_factor", "Q K")
)
def attention(r):
    X, Y = r.normal(size=(5, 4)), r.normal(size=(5, 3))
    params = {"Q": r.normal(size=(4, 3)), "K": r.normal(size=(4, 3)), "V": r.normal(size=(4, 3))}

    def forward(p):
        q, k, v = X @ p["Q"], X @ p["K"], X @ p["V"]
        s = q @ k.T / np.sqrt(3)
        e = np.exp(s - s.max(axis=1, keepdims=True))
        a = e / e.sum(axis=1, keepdims=True)
        return q, k, v, a, a @ v

    def loss(p):
        return 0.5 * np.sum((forward(p)[-1] - Y) ** 2)

    def gradients(p, how):
        q, k, v, a, out = forward(p)
        d = out - Y
        da = d @ v.T
        axis = 0 if how == "axis" else 1
        ds = a * (1 - a) * da if how == "diagonal" else a * (da - (da * a).sum(axis=axis, keepdims=True))
        ds = ds if how == "scale" else ds / np.sqrt(3)
        return {"Q": X.T @ ds @ k, "K": X.T @ ds.T @ q, "V": X.T @ a.T @ d}

    return params, loss, gradients


@family(blocks=("partial_sum_lost", "w"), lost=("partial_sum_lost", "w"))
def running_sum(r):
    """A cost on running sums: on the way back they run from the end, here in blocks of four."""
    X, Y = r.normal(size=(3, 10)), r.normal(size=(3, 10))
    params = {"w": r.normal(size=10), "c": r.normal(size=10)}

    def forward(p):
        return np.cumsum(X * p["w"], axis=1) + p["c"]

    def loss(p):
        return 0.5 * np.sum((forward(p) - Y) ** 2)

    def gradients(p, how):
        d = forward(p) - Y
        back = np.zeros_like(d)
        size = 4 if how == "blocks" else 5 if how == "lost" else 10
        for start in range(0, 10, size):
            part = d[:, start : start + size]
            back[:, start : start + size] = part[:, ::-1].cumsum(axis=1)[:, ::-1]
        return {"w": (back * X).sum(axis=0), "c": d.sum(axis=0)}

    return params, loss, gradients


@family(last=("partial_sum_lost", "gamma"), first=("partial_sum_lost", "gamma"))
def sums_in_blocks(r):
    """The scale's gradient is summed in blocks of four rows; only one block's sum is left."""
    X, Y = r.normal(size=(10, 3)), r.normal(size=(10, 4))
    params = {"W": r.normal(size=(3, 4)), "gamma": r.uniform(0.5, 2, 4), "beta": r.normal(size=4)}

    def loss(p):
        return 0.5 * np.sum((np.tanh(X @ p["W"]) * p["gamma"] + p["beta"] - Y) ** 2)

    def gradients(p, how):
        a = np.tanh(X @ p["W"])
        d = a * p["gamma"] + p["beta"] - Y
        rows = slice(8, None) if how == "last" else slice(0, 4) if how == "first" else slice(None)
        return {
            "W": X.T @ (d * p["gamma"] * (1 - a**2)),
            "gamma": (d * a)[rows].sum(axis=0),
            "beta": d.sum(axis=0),
        }

    return params, loss, gradients


@family(
    two=("factor_two_missing", "theta bias"),
    m=("batch_mean_missing", "theta bias"),
    sign=("sign_flipped", "theta bias"),
    slope=("output_slope_missing", "theta bias"),
    penalty=("bias_regularised", "bias"),
    half=("l2_factor_two_missing", "theta"),
    no_penalty=("cost_and_gradient_differ", "theta"),
)
def one_unit(r):
    """Names of one's own, a penalty, one sigmoid, squared error."""
    X, y = r.normal(size=(7, 3)), r.uniform(size=7)
    params = {"theta": r.normal(size=3), "bias": np.array([0.4])}

    def forward(p):
        return 1 / (1 + np.exp(-(X @ p["theta"] + p["bias"])))

    def loss(p):
        return np.mean((forward(p) - y) ** 2) + 0.3 * np.sum(p["theta"] ** 2)

    def gradients(p, how):
        a = forward(p)
        d = 2 * (a - y) / 7 * (1 if how == "slope" else a * (1 - a))
        g = {"theta": X.T @ d, "bias": np.array([d.sum()])}
        g["theta"] = g["theta"] + {"half": 0.3, "no_penalty": 0}.get(how, 0.6) * p["theta"]
        if how == "penalty":
            g["bias"] = g["bias"] + 0.6 * p["bias"]
        scale = {"two": 0.5, "m": 7, "sign": -1}.get(how, 1)
        return {name: scale * value for name, value in g.items()}

    return params, loss, gradients


@family(
    path=("path_sum_missing", "W0 B0"),
    early=("weights_updated_early", "W0 B0"),
    transposed=("weight_gradient_transposed", "W0"),
    wrong_input=("wrong_layer_input", "W1"),
    units=("bias_sum_over_units", "B1"),
    dw=("gradient_used_for_weight", "W0 B0"),
    wt=("weight_not_transposed", "W0 B0"),
)
def other_names(r):
    """A layered network that is called otherwise, with layers that count from 0 and an example at a time."""
    X, Y = r.normal(size=(5, 3)), r.normal(size=(5, 3))
    params = {
        "W0": r.normal(size=(3, 3)),
        "B0": r.normal(size=3),
        "W1": r.normal(size=(3, 3)),
        "B1": r.normal(size=3),
    }

    def loss(p):
        total = 0.0
        for x, y in zip(X, Y, strict=True):
            out = p["W1"] @ np.tanh(p["W0"] @ x + p["B0"]) + p["B1"]
            total = total + 0.5 * np.sum((out - y) ** 2)
        return total / len(X)

    def gradients(p, how):
        A = np.tanh(X @ p["W0"].T + p["B0"])
        D = (A @ p["W1"].T + p["B1"] - Y) / 5
        g = {"W1": D.T @ (X if how == "wrong_input" else A), "B1": D.sum(axis=0)}
        W = (
            p["W1"] - 0.1 * g["W1"]
            if how == "early"
            else g["W1"]
            if how == "dw"
            else p["W1"].T
            if how == "wt"
            else p["W1"]
        )
        back = D[:, -1:] * W[-1] if how == "path" else D @ W
        back = back * (1 - A**2)
        g |= {"W0": back.T @ X, "B0": back.sum(axis=0)}
        if how == "transposed":
            g["W0"] = g["W0"].T
        if how == "units":
            g["B1"] = np.full(3, g["B1"].sum())
        return g

    return params, loss, gradients
