"""Models of many kinds: every semiring is what following every path of PyTorch's own trace of the run gives."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.torch_recorder.agreement import Of, recorded
from tests.torch_recorder.aten import Trace

Case = tuple[nn.Module, Any, Callable[[Any, Any], dict[str, Tensor]]]


def residual_in_place() -> Case:
    """Batch norm in training, relu and sums in place."""

    def run(m: Any, x: Tensor) -> Tensor:
        h = m.stem(x)
        out = m.second(F.relu(m.norm(m.first(h)), inplace=True))
        out += h
        return m.head(F.relu_(out).mean(-1))

    def conv(*sizes: int) -> nn.Module:
        return nn.Conv1d(*sizes, bias=False)

    parts = {
        "stem": conv(1, 2, 2),
        "first": conv(2, 2, 1),
        "second": conv(2, 2, 1),
        "norm": nn.BatchNorm1d(2),
    }
    batch = torch.randn(2, 1, 3), torch.randn(2, 3)
    model = Of(run, head=nn.Linear(2, 3), **parts)
    return (
        model,
        batch,
        lambda m, b: {
            "fit": F.mse_loss(m(b[0]), b[1]),
            "decay": sum(p.square().sum() for p in m.parameters()),
        },
    )


def decoder_with_a_cache() -> Case:
    """Two calls, of which the second attends to what the first left; the embedding is the last layer's weight."""

    def run(m: Any, tokens: Tensor, past: Any = None) -> Any:
        x = m.words(tokens)
        q, k, v = m.three(x).view(1, -1, 3, 2, 2).permute(2, 0, 3, 1, 4)
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        scores = q @ k.mT
        hidden = torch.ones(scores.shape[-2:]).tril(scores.shape[-1] - scores.shape[-2]) == 0
        out = (scores.masked_fill(hidden, -torch.inf).softmax(-1) @ v).transpose(1, 2).flatten(2)
        return (x + out) @ m.words.weight.T, (k, v)

    def costs(m: Any, tokens: Tensor) -> dict[str, Tensor]:
        first, past = m(tokens[:, :1])
        return {"first": first.square().sum(), "next": m(tokens[:, 1:], past)[0].sin().sum()}

    return Of(run, words=nn.Embedding(3, 4), three=nn.Linear(4, 12)), torch.tensor([[1, 2]]), costs


def slots() -> Case:
    """Softmax over those who ask, shares that are made anew, and a cell that goes on from a learned start."""

    def run(m: Any, x: Tensor) -> Tensor:
        weights = torch.einsum("bnd,bsd->bns", m.keys(x), m.start).softmax(-1)
        shares = weights / weights.sum(1, keepdim=True)
        read = torch.einsum("bns,bnd->bsd", shares, m.values(x))
        made: Tensor = m.cell(read[0], m.start[0])
        return made

    linear = {"keys": nn.Linear(2, 2), "values": nn.Linear(2, 2)}
    model = Of(run, start=torch.randn(1, 2, 2), cell=nn.GRUCell(2, 2), **linear)
    return model, torch.randn(1, 2, 2), lambda m, x: {"c": m(x).square().sum()}


def experts() -> Case:
    """The best two of three, weighed, and a cost that keeps them busy."""

    def costs(m: Any, x: Tensor) -> dict[str, Tensor]:
        shares = m["gate"](x).softmax(-1)
        best, which = shares.topk(2)
        every = torch.stack([expert(x) for expert in m["experts"]], 1)
        out = (every.gather(1, which[..., None].expand(-1, -1, 2)) * best[..., None]).sum(1)
        return {"fit": (out - x).square().mean(), "busy": (shares.mean(0) ** 2).sum()}

    every = nn.ModuleList(nn.Sequential(nn.Linear(2, 2), nn.GELU()) for _ in range(3))
    return nn.ModuleDict({"gate": nn.Linear(2, 3), "experts": every}), torch.randn(2, 2), costs


def quantised() -> Case:
    """A codebook, a straight-through estimator, and losses that stop on one side."""

    def costs(m: Any, x: Tensor) -> dict[str, Tensor]:
        z = m["into"](x)
        q = m["book"](torch.cdist(z, m["book"].weight).argmin(1))
        out = m["out"](z + (q - z).detach())
        stops = {"book": F.mse_loss(q, z.detach()), "commit": F.mse_loss(z, q.detach())}
        return {"fit": F.mse_loss(out, x), **stops}

    parts = {"into": nn.Linear(3, 2), "book": nn.Embedding(3, 2), "out": nn.Linear(2, 3)}
    return nn.ModuleDict(parts), torch.randn(3, 3), costs


def graph_attention() -> Case:
    def run(m: Any, x: Tensor, edges: Tensor) -> Tensor:
        h, (start, end) = m.into(x), edges
        scores = F.leaky_relu(torch.cat([h[start], h[end]], -1) @ m.ask, 0.2).exp()
        whole = torch.zeros(len(x)).index_add(0, end, scores)
        return torch.zeros_like(h).index_add(0, end, (scores / whole[end])[:, None] * h[start])

    batch = torch.randn(3, 2), torch.tensor([[0, 1, 2, 0], [1, 2, 0, 2]])
    model = Of(run, into=nn.Linear(2, 2, bias=False), ask=torch.randn(4))
    return model, batch, lambda m, b: {"a": m(*b).square().sum(), "b": m(*b).tanh().sum()}


def volume() -> Case:
    """Products of what is left along a ray."""

    def costs(m: Any, x: Tensor) -> dict[str, Tensor]:
        out = m(x)
        taken = 1 - torch.exp(-F.softplus(out[..., 0]))
        left = torch.cumprod(torch.cat([torch.ones(1, 1), 1 - taken], 1), 1)[:, :-1]
        weights = taken * left
        return {"colour": ((weights * out[..., 1]).sum() - 0.5) ** 2, "spread": weights.square().sum()}

    return nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2)), torch.randn(1, 3, 2), costs


def chain_of_labels() -> Case:
    """The log likelihood of a conditional random field."""

    def costs(m: Any, x: Tensor) -> dict[str, Tensor]:
        scores = m.scores(x)
        all_ways = scores[0]
        for score in scores[1:]:
            all_ways = torch.logsumexp(all_ways[:, None] + m.steps, 0) + score
        this = scores[torch.arange(3), torch.tensor([0, 2, 1])].sum() + m.steps[[0, 2], [2, 1]].sum()
        return {"likelihood": all_ways.logsumexp(0) - this}

    return Of(lambda m, x: x, scores=nn.Linear(2, 3), steps=torch.randn(3, 3)), torch.randn(3, 2), costs


def made_by_another() -> Case:
    """Weights that a network makes, which are used by two costs."""

    def run(m: Any, x: Tensor, code: Tensor) -> Tensor:
        weights = m.makes(code)
        return F.linear(x, weights[:6].view(2, 3), weights[6:])

    batch = torch.randn(2, 3), torch.randn(2)
    return (
        Of(run, makes=nn.Linear(2, 8)),
        batch,
        lambda m, b: {"a": m(*b).square().sum(), "b": m(b[0], 2 * b[1]).tanh().sum()},
    )


CASES = (
    residual_in_place,
    decoder_with_a_cache,
    slots,
    experts,
    quantised,
    graph_attention,
    volume,
    chain_of_labels,
    made_by_another,
)


@pytest.mark.parametrize("case", CASES)
def test_every_semiring_is_that_of_the_paths_of_pytorchs_own_trace(case: Callable[[], Case]) -> None:
    model, batch, costs = case()
    record, trace = recorded(model, batch, costs), Trace(model, batch, costs)
    close = {"rtol": 1e-8, "atol": 1e-11}
    for name, parameter in record.parameters.items():
        shape = (len(record.cost_names), parameter.numel())
        every = [[trace.contributions(name, n, row) for n in range(shape[1])] for row in range(shape[0])]

        def found(semiring: str, name: str = name, shape: tuple[int, ...] = shape) -> Any:
            return np.asarray(record.sweep(semiring).array(name)).astype(float).reshape(*shape, -1)

        def right(of: Callable[[Any], Any], every: Any = every) -> Any:
            return np.array([[of(paths) for paths in row] for row in every])

        def entropy(paths: Any) -> float:
            shares = np.abs(paths) / np.abs(paths).sum()
            return float(-(shares * np.log(shares)).sum()) if len(paths) else np.nan

        np.testing.assert_allclose(found("gradient")[..., 0], right(np.sum), **close)
        np.testing.assert_allclose(found("total")[..., 0], right(lambda p: np.abs(p).sum()), **close)
        strongest = right(lambda p: np.abs(p).max(initial=0.0))
        np.testing.assert_allclose(np.abs(found("strongest")[..., 0]), strongest, **close)
        np.testing.assert_array_equal(found("live")[..., 0], right(len))
        np.testing.assert_allclose(found("entropy")[..., 0], right(entropy), rtol=1e-7, atol=1e-8)
        paths = record.paths(name, cost=0, k=5)
        best = np.sort(np.abs(np.concatenate(every[0])))[::-1][:5]
        np.testing.assert_allclose(np.abs(paths.contribution), best, **close)
