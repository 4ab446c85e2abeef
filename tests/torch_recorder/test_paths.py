"""Tiny models: every semiring of a record is what following every path by hand gives."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import whygrad as wg
from tests.laws.enumeration import Contribution, Edge, Edges, every_path

END = ("C",)


def edge(edges: Edges, source: tuple[Any, ...], to: tuple[Any, ...], partial: float) -> None:
    edges.setdefault(source, []).append(Edge(to, float(partial), False))


def agrees(record: wg.Record, quantity: str, paths: Sequence[Contribution]) -> None:
    """Asserts that all semirings at a quantity are those of the paths."""
    products = np.array([path.product for path in paths])
    size = np.abs(products)
    close = {"rel": 1e-9, "abs": 1e-12}
    assert record.gradient(quantity) == pytest.approx(products.sum(), **close)
    assert record.sweep("total")[quantity] == pytest.approx(size.sum(), **close)
    assert abs(record.sweep("strongest")[quantity]) == pytest.approx(size.max(), **close)
    live = products[[path.live for path in paths]]
    most = record.sweep("extremes")[quantity]
    assert sorted(most) == pytest.approx(sorted((live.max(), live.min())), **close)
    count = record.sweep("count")[quantity]
    assert count == len(paths)
    assert count.live == len(live)
    shares = np.abs(live) / np.abs(live).sum()
    assert record.sweep("entropy")[quantity] == pytest.approx(
        -(shares * np.log(shares)).sum(), rel=1e-8, abs=1e-9
    )
    found = record.paths(quantity, k=5)
    best = sorted(size, reverse=True)[:5]
    assert [abs(path.contribution) for path in found] == pytest.approx(best, **close)


def test_convolution_batch_norm_relu_pool() -> None:
    torch.manual_seed(1)
    conv, norm = nn.Conv1d(1, 1, 2, bias=False), nn.BatchNorm1d(1, affine=False)
    x = torch.randn(2, 1, 4)
    record = wg.record(
        nn.Sequential(conv, norm, nn.ReLU(), nn.MaxPool1d(2, stride=1)),
        x,
        lambda m, b: {"C": m(b).square().sum()},
    )
    w = [float(v) for v in conv.weight.detach().reshape(-1)]
    xs = [[float(v) for v in row] for row in x[:, 0]]
    z = {(n, t): w[0] * xs[n][t] + w[1] * xs[n][t + 1] for n in range(2) for t in range(3)}
    mean = sum(z.values()) / 6
    deviation = math.sqrt(sum((v - mean) ** 2 for v in z.values()) / 6 + 1e-5)
    y = {at: (v - mean) / deviation for at, v in z.items()}
    edges: Edges = {}
    for n, t in z:
        for k in range(2):
            edge(edges, ("w", k), ("z", n, t), xs[n][t + k])
        for other in z:
            partial = (((n, t) == other) - 1 / 6 - y[other] * y[n, t] / 6) / deviation
            edge(edges, ("z", n, t), ("y", *other), partial)
        edge(edges, ("y", n, t), ("r", n, t), 1.0 if y[n, t] > 0 else 0.0)
    r = {at: max(v, 0.0) for at, v in y.items()}
    for n in range(2):
        for p in range(2):
            first = p if r[n, p] >= r[n, p + 1] else p + 1
            edge(edges, ("r", n, first), ("p", n, p), 1.0)
            edge(edges, ("p", n, p), ("s", n, p), 2 * r[n, first])
            edge(edges, ("s", n, p), END, 1.0)
    for k in range(2):
        agrees(record, f"0.weight[0, 0, {k}]", every_path(edges, ("w", k), {END}))


def test_attention() -> None:
    torch.manual_seed(2)

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.q, self.k, self.v = (nn.Parameter(torch.randn(2, 2)) for _ in range(3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.softmax((x @ self.q) @ (x @ self.k).T, dim=-1) @ (x @ self.v)

    model, x = Attention(), torch.randn(3, 2)
    record = wg.record(model, x, lambda m, b: {"C": m(b).sum()})
    X = x.tolist()
    W = {name: p.tolist() for name, p in model.named_parameters()}
    T, D = range(3), range(2)
    made = {name: [[sum(X[t][i] * W[name][i][d] for i in D) for d in D] for t in T] for name in "qkv"}
    scores = [[sum(made["q"][s][d] * made["k"][t][d] for d in D) for t in T] for s in T]
    shares = [[math.exp(v) / sum(math.exp(u) for u in row) for v in row] for row in scores]
    edges: Edges = {}
    for name in "qkv":
        for t in T:
            for i in D:
                for d in D:
                    edge(edges, (name, i, d), ("made", name, t, d), X[t][i])
    for s in T:
        for t in T:
            for d in D:
                edge(edges, ("made", "q", s, d), ("score", s, t), made["k"][t][d])
                edge(edges, ("made", "k", t, d), ("score", s, t), made["q"][s][d])
                edge(edges, ("share", s, t), ("out", s, d), made["v"][t][d])
                edge(edges, ("made", "v", t, d), ("out", s, d), shares[s][t])
            for u in T:
                partial = shares[s][u] * ((u == t) - shares[s][t])
                edge(edges, ("score", s, t), ("share", s, u), partial)
        for d in D:
            edge(edges, ("out", s, d), END, 1.0)
    for name in "qkv":
        agrees(record, f"{name}[1, 0]", every_path(edges, (name, 1, 0), {END}))


@pytest.mark.parametrize(("bend", "layers"), [(nn.ReLU, 20), (nn.Tanh, 20), (nn.ReLU, 3)])
def test_very_many_paths_are_told_about(bend: type[nn.Module], layers: int) -> None:
    """Where some are dead; a difference that rounding could have made is counted exactly, and so are few paths."""
    parts = [part for _ in range(layers) for part in (nn.Linear(16, 16), bend())]
    paths = wg.record(nn.Sequential(*parts), torch.randn(2, 16), lambda m, x: {"c": m(x).sum()}).paths(
        "0.weight"
    )
    whole, live = paths.about
    text = str(paths)
    assert (paths.count > 10**18) == (layers == 20)
    assert whole == pytest.approx(paths.count, rel=1e-12)
    assert whole - live == pytest.approx(paths.count - paths.live, rel=1e-6)
    if bend is nn.Tanh or layers == 3:
        assert (whole, live) == (paths.count, paths.live)
    digits = str(paths.count - len(paths))
    assert (f"about {digits[0]}.{digits[1]}e{len(digits) - 1} others" in text) == (layers == 20)
