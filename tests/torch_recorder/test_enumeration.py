"""Tiny models of every kind: all that a record says of every scalar is what following every path one by one gives."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import whygrad as wg
from tests.torch_recorder.agreement import Of, recorded
from tests.torch_recorder.scalars import Contributions, Scalars
from whygrad.arrays import in_numpy
from whygrad.paths import Walker
from whygrad.semirings import SEMIRINGS

Costs = Callable[[Any, Any], dict[str, torch.Tensor]]
Case = Callable[[], tuple[nn.Module, Any, Costs]]
CLOSE = {"rtol": 1e-8, "atol": 1e-11}


def of_semirings(paths: Contributions) -> dict[str, Any]:
    """Returns what each semiring is, by its definition, over some paths."""
    live = paths.products[paths.live]
    size = np.abs(live)
    weights = size / size.sum() if len(live) else size
    return {
        "gradient": paths.products.sum(),
        "total": size.sum(),
        "strongest": size.max(initial=0.0),
        "extremes": (live.max(), live.min()) if len(live) else (math.nan, math.nan),
        "count": float(len(paths.products)),
        "live": float(len(live)),
        "reach": float(len(paths.products) > 0),
        "entropy": float(-(weights * np.log(weights)).sum()) if len(live) else math.nan,
    }


def every_scalar_agrees(record: wg.Record, scalars: Scalars) -> None:
    """Asserts that all semirings of all scalars are those of the paths: cost by cost, and to all costs together."""
    rows = range(len(record.cost_names))
    for number, node in enumerate(record.graph.nodes):
        name = record.node_name(number)
        size = node.value.numel()
        if not size:
            continue
        apart = [of_semirings(scalars.contributions((number, at), row)) for row in rows for at in range(size)]
        joint = [of_semirings(scalars.joint([(number, at)], rows)) for at in range(size)]
        for semiring in SEMIRINGS:
            if semiring == "spectrum":
                continue
            values = record.sweep(semiring)
            by_cost = in_numpy(values.array(name)).astype(float)
            assert by_cost.shape[: 1 + node.value.dim()] == (len(rows), *node.value.shape)
            together = in_numpy(values.value(name))
            for found, wanted in ((by_cost, apart), (together.astype(float), joint)):
                right = np.array([one[semiring] for one in wanted])
                flat = found.reshape(right.shape)
                if semiring == "strongest":
                    flat = np.abs(flat)
                np.testing.assert_allclose(flat, right, **CLOSE, err_msg=f"{name}: {semiring}")
            if semiring == "count":
                assert [(int(c), c.live) for c in together.reshape(-1)] == [
                    (one["count"], one["live"]) for one in joint
                ]


def paths_agree(record: wg.Record, scalars: Scalars, quantity: str, k: int = 7) -> None:
    """Asserts that the listed paths are the strongest of all, one by one, and that the sums are those of all."""
    node, position = record.at(quantity)
    places = range(record.graph.size(node)) if position is None else [position]
    for cost in (None, len(record.cost_names) - 1):
        rows = range(len(record.cost_names)) if cost is None else [cost]
        every = scalars.joint([(node, place) for place in places], rows)
        paths = record.paths(quantity, cost=cost, k=k)
        assert (paths.count, paths.live) == (len(every.products), every.live.sum())
        scale = np.abs(every.products).sum()
        assert paths.sum == pytest.approx(every.products.sum(), rel=1e-9, abs=1e-12 * max(scale, 1.0))
        assert paths.total == pytest.approx(scale, rel=1e-9)
        strongest = np.sort(np.abs(every.products[every.live]))[::-1][:k]
        np.testing.assert_allclose(np.abs(paths.contribution), strongest, **CLOSE)
        assert all(np.diff(np.abs(paths.contribution)) <= 0)
        ends = {tuple(record.graph.costs[row]) for row in rows}
        seen: dict[Any, int] = {}
        for found in paths:
            stops = [tuple(entry) for entry in found.path.entries]
            assert stops[0][0] == node
            assert stops[0][1] in places
            assert stops[-1] in ends
            for source, to, partial in zip(stops[:-1], stops[1:], found.path.partials, strict=True):
                assert any(
                    partial == pytest.approx(one, rel=1e-8, abs=1e-11) for one in scalars.partial(source, to)
                )
            assert math.prod(found.path.partials) == pytest.approx(found.contribution)
            seen[tuple(stops)] = seen.get(tuple(stops), 0) + 1
            assert found.quantities[0] == record.name(found.path.entries[0])
            assert found.quantities[-1] in record.cost_names
        for stops, times in seen.items():
            ways = [len(scalars.partial(source, to)) for source, to in pairwise(stops)]
            assert times <= math.prod(ways)


def the_walk_agrees(record: wg.Record, scalars: Scalars, quantity: str) -> None:
    """Asserts that the walker's list of every path is that of a plain recursion."""
    node, position = record.at(quantity)
    rows = tuple(range(len(record.cost_names)))
    start = record.graph.costs[0]._replace(node=node, position=position or 0)
    walked = sorted(
        tuple(tuple(entry) for entry in path.entries) for path in Walker(record.graph, rows).every(start)
    )
    assert walked == sorted(scalars.every((node, position or 0), rows))


# The models


def weighted(out: torch.Tensor) -> torch.Tensor:
    """Returns a sum that weighs every entry differently."""
    flat = out.reshape(-1)
    return (flat * torch.linspace(0.4, 1.6, len(flat))).sum()


def one_cost(model: Any, batch: Any) -> dict[str, torch.Tensor]:
    return {"loss": weighted(model(batch))}


def two_costs(model: Any, batch: Any) -> dict[str, torch.Tensor]:
    out = model(batch)
    return {"first": weighted(out), "second": out.square().mean()}


def lstm_cell() -> tuple[nn.Module, Any, Costs]:
    def run(m: Any, x: torch.Tensor) -> torch.Tensor:
        h, c = torch.zeros(1, 2), torch.zeros(1, 2)
        for step in range(2):
            h, c = m.cell(x[step], (h, c))
        return h

    return Of(run, cell=nn.LSTMCell(1, 2)), torch.randn(2, 1, 1), two_costs


def recurrent(kind: Any, **options: Any) -> Case:
    def case() -> tuple[nn.Module, Any, Costs]:
        model = Of(lambda m, x: m.rnn(x)[0], rnn=kind(1, 2, **options))
        return model, torch.randn(2, 1, 1), one_cost

    return case


class Block(nn.Module):
    """A transformer block as GPT-2 has it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.n_head = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc, self.out = nn.Linear(width, 2), nn.Linear(2, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, time, width = x.shape
        q, k, v = self.qkv(self.ln_1(x)).split(width, dim=2)
        q, k, v = (
            part.view(batch, time, self.n_head, width // self.n_head).transpose(1, 2) for part in (q, k, v)
        )
        scores = (q @ k.transpose(-2, -1)) / math.sqrt(k.size(-1))
        mask = torch.tril(torch.ones(time, time)).view(1, 1, time, time)
        scores = scores.masked_fill(mask == 0, float("-inf"))
        mixed = (F.softmax(scores, dim=-1) @ v).transpose(1, 2).contiguous().view(batch, time, width)
        x = x + self.proj(mixed)
        return x + self.out(F.gelu(self.fc(self.ln_2(x))))


def gpt() -> tuple[nn.Module, Any, Costs]:
    class Language(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wte, self.block = nn.Embedding(3, 2), Block(2, 1)
            self.lm_head = nn.Linear(2, 3, bias=False)
            self.lm_head.weight = self.wte.weight

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return self.lm_head(self.block(self.wte(tokens)))

    def costs(m: Any, tokens: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": F.cross_entropy(m(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())}

    return Language(), torch.tensor([[1, 2, 0]]), costs


def attention() -> tuple[nn.Module, Any, Costs]:
    mask = torch.ones(2, 2, dtype=torch.bool).triu(1)
    model = Of(
        lambda m, x: m.attn(x, x, x, attn_mask=mask, need_weights=False)[0],
        attn=nn.MultiheadAttention(2, 2, batch_first=True),
    )
    return model, torch.randn(1, 2, 2), one_cost


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(2, 2, (1, 3), padding="same", bias=False), nn.BatchNorm2d(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.bn1(self.conv1(x)) + x)


def residual_net(training: bool) -> Case:
    def case() -> tuple[nn.Module, Any, Costs]:
        model = nn.Sequential(nn.Conv2d(1, 2, 1), Residual(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        model.train(training)
        return model, torch.randn(2, 1, 2, 2), two_costs

    return case


def in_place() -> tuple[nn.Module, Any, Costs]:
    def run(m: Any, x: torch.Tensor) -> torch.Tensor:
        h = m.a(x).relu_() + 1
        h.add_(m.shift)
        part = h[:, 1:]
        part.mul_(2.0)
        made = torch.zeros(2, 4)
        made[:, :3] = h
        made[:, 3:] += part[:, :1]
        made[0] = made[1].clone() + h.view(-1)[:4]
        return made.t()

    return Of(run, a=nn.Linear(2, 3), shift=torch.randn(3)), torch.randn(2, 2), two_costs


def many_costs(model: Any, batch: Any) -> dict[str, torch.Tensor]:
    out = torch.tanh(model(batch))
    return {f"task {k}": (out[:, k % 3] * (k + 1) - 0.3 * k).square().mean() for k in range(10)}


def by_example(model: Any, batch: Any) -> dict[str, torch.Tensor]:
    out = model(batch)
    return {
        "class": F.cross_entropy(out, torch.tensor([0, 2, 1]), reduction="none"),
        "size": out.square().mean(),
    }


def dropout() -> tuple[nn.Module, Any, Costs]:
    model = nn.Sequential(nn.Linear(2, 5), nn.Dropout(0.5), nn.ReLU(), nn.Linear(5, 1))
    return model, torch.randn(2, 2), one_cost


def frozen() -> tuple[nn.Module, Any, Costs]:
    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 1))
    model[2].requires_grad_(False)
    return model, torch.randn(2, 2), one_cost


def cut() -> tuple[nn.Module, Any, Costs]:
    def run(m: Any, x: torch.Tensor) -> torch.Tensor:
        h = torch.tanh(m.a(x))
        with torch.no_grad():
            scale = m.a(x).std() + 1
        mixed = torch.cat([h[:, :1], h[:, 1:].detach()], 1)
        return m.b(mixed) * scale + h.detach().sum() * m.b.bias

    return Of(run, a=nn.Linear(2, 2), b=nn.Linear(2, 2)), torch.randn(2, 2), two_costs


def shared() -> tuple[nn.Module, Any, Costs]:
    layer = nn.Linear(2, 2)
    return nn.Sequential(layer, nn.Tanh(), layer, nn.Sigmoid(), layer), torch.randn(1, 2), two_costs


def siamese() -> tuple[nn.Module, Any, Costs]:
    def costs(m: Any, x: Any) -> dict[str, torch.Tensor]:
        a, b, c = (torch.tanh(m(part)) for part in x)
        return {
            "triplet": F.triplet_margin_loss(a, b, c, margin=2.0),
            "cosine": F.cosine_similarity(a, b).mean(),
        }

    return nn.Linear(2, 2), tuple(torch.randn(2, 2) for _ in range(3)), costs


def plain(make: Callable[[], nn.Module], *shape: int, costs: Costs = two_costs) -> Case:
    return lambda: (make(), torch.randn(*shape), costs)


def bag() -> tuple[nn.Module, Any, Costs]:
    return nn.EmbeddingBag(4, 2, mode="mean"), torch.tensor([[0, 1, 1], [3, 0, 2]]), two_costs


def experts() -> tuple[nn.Module, Any, Costs]:
    def run(m: Any, x: torch.Tensor) -> torch.Tensor:
        shares, chosen = m.gate(x).softmax(-1).topk(2, -1)
        shares = shares / shares.sum(-1, keepdim=True)
        out = torch.zeros(len(x), 1)
        for number, expert in enumerate(m.experts):
            rows, slot = torch.where(chosen == number)
            out.index_add_(0, rows, expert(x[rows]) * shares[rows, slot, None])
        return out

    parts = nn.ModuleList(nn.Linear(2, 1) for _ in range(3))
    return Of(run, gate=nn.Linear(2, 3, bias=False), experts=parts), torch.randn(2, 2), one_cost


def graph_attention() -> tuple[nn.Module, Any, Costs]:
    source, target = torch.tensor([0, 1, 2, 2]), torch.tensor([1, 2, 0, 2])

    def run(m: Any, x: torch.Tensor) -> torch.Tensor:
        h = m.layer(x)
        scores = F.leaky_relu((h * m.a).sum(-1)[source] + (h * m.b).sum(-1)[target], 0.2)
        largest = torch.full((3,), -math.inf).scatter_reduce(0, target, scores, "amax", include_self=False)
        shares = (scores - largest.detach()[target]).exp()
        shares = shares / torch.zeros(3).scatter_add(0, target, shares)[target]
        return torch.zeros(3, 2).index_add(0, target, h[source] * shares[:, None])

    model = Of(run, layer=nn.Linear(2, 2, bias=False), a=torch.randn(2), b=torch.randn(2))
    return model, torch.randn(3, 2), one_cost


def state_space() -> tuple[nn.Module, Any, Costs]:
    def run(m: Any, x: torch.Tensor) -> torch.Tensor:
        step, into, out = m.project(x).split([1, 2, 2], -1)
        step = F.softplus(step)
        kept, state, made = torch.exp(-step * m.decay.exp()), torch.zeros(2), []
        for at in range(len(x)):
            state = kept[at] * state + step[at] * into[at] * x[at]
            made.append((state * out[at]).sum())
        return torch.stack(made) * m.scale

    parts = {"project": nn.Linear(1, 5, bias=False), "decay": torch.randn(2), "scale": torch.randn(())}
    return Of(run, **parts), torch.randn(3, 1), one_cost


def rotary() -> tuple[nn.Module, Any, Costs]:
    def turned(x: torch.Tensor) -> torch.Tensor:
        angle = torch.arange(x.shape[-2])[:, None] * torch.ones(1, 2)
        return x * angle.cos() + torch.cat([-x[..., 1:], x[..., :1]], -1) * angle.sin()

    def run(m: Any, x: torch.Tensor) -> torch.Tensor:
        h = m.norm(x)
        q, k, v = (part(h).view(1, 2, -1, 2).transpose(1, 2) for part in (m.q, m.k, m.v))
        mixed = F.scaled_dot_product_attention(turned(q), turned(k), v, is_causal=True, enable_gqa=True)
        return x + m.out(mixed.transpose(1, 2).reshape(1, 2, 4))

    sizes = {"q": (2, 4), "k": (2, 2), "v": (2, 2), "out": (4, 2)}
    parts = {name: nn.Linear(*size, bias=False) for name, size in sizes.items()}
    return Of(run, norm=nn.RMSNorm(2), **parts), torch.randn(1, 2, 2), one_cost


def with_slope(model: Any, batch: torch.Tensor) -> dict[str, torch.Tensor]:
    at = batch.clone().requires_grad_()
    out = model(at)
    (by,) = torch.autograd.grad(out.pow(2).sum(), at, create_graph=True)
    return {"size": out.square().mean(), "slope": (by.flatten(1)[:, 0] - 1).square().mean()}


def codebook() -> tuple[nn.Module, Any, Costs]:
    def costs(m: Any, x: torch.Tensor) -> dict[str, torch.Tensor]:
        z = m.before(x)
        q = m.code(torch.cdist(z, m.code.weight).argmin(1))
        return {
            "fit": F.mse_loss(m.after(z + (q - z).detach()), x),
            "near": F.mse_loss(q, z.detach()) + 0.25 * F.mse_loss(q.detach(), z),
        }

    parts = {"before": nn.Linear(2, 2), "code": nn.Embedding(3, 2), "after": nn.Linear(2, 2)}
    return Of(lambda m, x: x, **parts), torch.randn(3, 2), costs


def written_behind() -> tuple[nn.Module, Any, Costs]:
    def run(m: Any, x: torch.Tensor) -> torch.Tensor:
        m.b.weight.data.mul_(2)
        h = m.a(x)
        with torch.no_grad():
            h[:, 0] = 0.5
        h.data.clamp_(-1, 1)
        return m.b(h**2)

    return Of(run, a=nn.Linear(2, 2), b=nn.Linear(2, 2)), torch.randn(2, 2), two_costs


CASES: dict[str, Case] = {
    "experts that a gate chooses": experts,
    "attention along the edges of a graph": graph_attention,
    "a state space that is scanned": state_space,
    "rotary attention with shared keys": rotary,
    "a codebook, straight through": codebook,
    "values written behind autograd's back": written_behind,
    "LSTMCell, two steps": lstm_cell,
    "LSTM": recurrent(nn.LSTM),
    "LSTM of two layers": recurrent(nn.LSTM, num_layers=2, proj_size=1),
    "LSTM, both ways": recurrent(nn.LSTM, bidirectional=True),
    "GRU": recurrent(nn.GRU),
    "RNN with relu": recurrent(nn.RNN, nonlinearity="relu"),
    "GPT block, tied embedding": gpt,
    "MultiheadAttention, causal": attention,
    "residual, batch norm in training": residual_net(True),
    "residual, batch norm in evaluation": residual_net(False),
    "in place, views, slices": in_place,
    "ten costs": lambda: (nn.Linear(2, 3), torch.randn(3, 2), many_costs),
    "costs by example": lambda: (
        nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 3)),
        torch.randn(3, 2),
        by_example,
    ),
    "embedding bag": bag,
    "convolution, dilated": plain(lambda: nn.Conv1d(1, 2, 2, dilation=2, stride=2, padding=1), 1, 1, 6),
    "convolution, grouped": plain(lambda: nn.Conv1d(4, 2, 2, groups=2), 1, 4, 3),
    "convolution, depthwise 2d": plain(lambda: nn.Conv2d(2, 2, 2, groups=2, padding=1), 1, 2, 2, 2),
    "convolution, transposed": plain(
        lambda: nn.ConvTranspose1d(2, 1, 3, stride=2, padding=1, output_padding=1), 1, 2, 3
    ),
    "convolution, transposed, grouped": plain(
        lambda: nn.ConvTranspose1d(2, 2, 2, groups=2, dilation=2), 1, 2, 3
    ),
    "max pool": plain(
        lambda: nn.Sequential(nn.Conv2d(1, 1, 2), nn.MaxPool2d(2, stride=1), nn.ReLU()), 1, 1, 4, 4
    ),
    "average pool": plain(
        lambda: nn.Sequential(nn.Conv2d(1, 1, 1), nn.AvgPool2d(2, padding=1), nn.ReLU()), 1, 1, 3, 3
    ),
    "adaptive pools": plain(
        lambda: nn.Sequential(nn.Conv1d(1, 2, 2), nn.AdaptiveMaxPool1d(3), nn.AdaptiveAvgPool1d(2)), 1, 1, 6
    ),
    "group norm": plain(lambda: nn.Sequential(nn.Conv1d(1, 4, 1), nn.GroupNorm(2, 4)), 1, 1, 3),
    "layer norm": plain(lambda: nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3)), 2, 2),
    "RMS norm": plain(lambda: nn.Sequential(nn.Linear(2, 3), nn.RMSNorm(3)), 2, 2),
    "instance norm": plain(
        lambda: nn.Sequential(nn.Conv1d(1, 2, 1), nn.InstanceNorm1d(2, affine=True)), 2, 1, 3
    ),
    "dropout": dropout,
    "a frozen layer": frozen,
    "detach and no_grad": cut,
    "a layer used three times": shared,
    "siamese": siamese,
    "activations": plain(
        lambda: nn.Sequential(
            nn.Linear(2, 3), nn.GELU(), nn.SiLU(), nn.LeakyReLU(0.2), nn.ELU(), nn.Hardswish(), nn.Softplus()
        ),
        2,
        2,
    ),
    "softmax and its logarithm": plain(
        lambda: nn.Sequential(nn.Linear(2, 3), nn.Softmax(-1), nn.Linear(3, 2), nn.LogSoftmax(-1)), 2, 2
    ),
    "a Gramian of a layer's output": plain(
        lambda: Of(lambda m, x: m.a(x) @ m.a(x).T - torch.eye(2), a=nn.Linear(2, 2)), 2, 2
    ),
    "a product of an array with itself": plain(
        lambda: Of(lambda m, x: (lambda h: h @ h.T + torch.dot(h[0], h[0]))(m.a(x)), a=nn.Linear(2, 2)), 2, 2
    ),
    "distances, sums, moved entries": plain(
        lambda: Of(
            lambda m, x: torch.cat(
                [
                    torch.cdist(m.a(x), x),
                    m.a(x).cumsum(1).roll(1, 0),
                    torch.einsum("ni,nj->ij", m.a(x), x),
                    F.pad(m.a(x), (1, 1), mode="replicate")[:, 1:3],
                    torch.zeros(2, 2).index_add(0, torch.tensor([1, 1]), m.a(x)),
                    m.a(x).sort(1).values,
                    m.a(x).gather(1, torch.tensor([[0, 0], [1, 0]])),
                ]
            ),
            a=nn.Linear(2, 2),
        ),
        2,
        2,
    ),
    "interpolation": plain(
        lambda: nn.Sequential(nn.Conv1d(1, 1, 1), nn.Upsample(scale_factor=1.5, mode="linear")), 1, 1, 3
    ),
    "functions of matrices": plain(
        lambda: Of(
            lambda m, x: torch.cat(
                [
                    torch.linalg.inv(m.a(x)),
                    torch.linalg.solve(m.a(x) + 2, x[..., :1]).expand(2, 2, 2),
                    torch.linalg.slogdet(m.a(x))[1].reshape(2, 1, 1).expand(2, 1, 2),
                ],
                1,
            ),
            a=nn.Linear(2, 2),
        ),
        2,
        2,
        2,
    ),
    "weight norm": plain(lambda: nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)), 2, 2),
    "a penalty on the slope": plain(
        lambda: nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 1)), 2, 2, costs=with_slope
    ),
    "a penalty on the slope of a convolution": plain(
        lambda: nn.Sequential(nn.Conv1d(1, 2, 2, stride=2, padding=1), nn.AvgPool1d(2)),
        1,
        1,
        3,
        costs=with_slope,
    ),
    "PReLU": plain(lambda: nn.Sequential(nn.Linear(2, 3), nn.PReLU()), 2, 2),
}


@pytest.mark.parametrize("name", list(CASES))
def test_every_semiring_and_path(name: str) -> None:
    model, batch, costs = CASES[name]()
    record = recorded(model, batch, costs)
    scalars = Scalars(record.graph)
    every_scalar_agrees(record, scalars)
    for quantity, value in record.parameters.items():
        first = [0] * value.dim()
        last = [size - 1 for size in value.shape]
        paths_agree(record, scalars, quantity)
        for entry in (first, last):
            paths_agree(record, scalars, f"{quantity}{entry}" if entry else quantity)
    the_walk_agrees(record, scalars, f"{quantity}{last}" if last else quantity)


# Partials that are 0 now: edges that are dead


def relu_at_its_kink(m: Any, x: torch.Tensor) -> torch.Tensor:
    return F.relu(m.w * x) + F.leaky_relu(m.w * x) + torch.abs(x - m.w)


ZEROS: dict[str, tuple[Callable[..., Any], Any, Any]] = {
    "a kink": (relu_at_its_kink, [0.0, 1.0, -1.0], [2.0, 0.0, -1.0]),
    "a factor": (lambda m, x: (m.w * x) * torch.tensor([1.0, 0.0, 2.0]), [1.0, 2.0, 0.0], [2.0, 0.0, 3.0]),
    "a square": (lambda m, x: (m.w * x).square() + (m.w * x) ** 3, [0.0, 2.0, 1.0], [2.0, 0.0, 3.0]),
    "a product": (lambda m, x: (m.w * x).prod().reshape(1), [1.0, 0.0, 3.0], [1.0, 2.0, 3.0]),
    "a product of two zeros": (lambda m, x: (m.w * x).prod().reshape(1), [1.0, 0.0, 0.0], [1.0, 2.0, 3.0]),
    "a norm": (lambda m, x: (m.w * x).norm().reshape(1), [0.0, 0.0, 0.0], [1.0, 2.0, 3.0]),
    "ties": (
        lambda m, x: torch.stack([(m.w * x).amax(), torch.maximum(m.w, x).sum()]),
        [1.0, 3.0, 2.0],
        [3.0, 1.0, 2.0],
    ),
    "a matrix with zeros": (
        lambda m, x: torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 2.0]]) @ torch.tanh(m.w * x),
        [1.0, 2.0, 3.0],
        [1.0, 0.0, 2.0],
    ),
    "masked scores": (
        lambda m, x: F.softmax((m.w * x).masked_fill(torch.tensor([True, False, False]), -math.inf), 0),
        [1.0, 2.0, 3.0],
        [1.0, 2.0, 0.5],
    ),
    "a mask that is added": (
        lambda m, x: F.softmax(m.w * x + torch.tensor([0.0, -math.inf, 0.0]), 0),
        [1.0, 2.0, 3.0],
        [1.0, 2.0, 0.5],
    ),
    "an error of 0": (
        lambda m, x: torch.stack([F.l1_loss(m.w, x), F.mse_loss(m.w, x), F.huber_loss(m.w, x)]),
        [1.0, 2.0, 3.0],
        [1.0, 5.0, 3.5],
    ),
    "saturation": (lambda m, x: F.hardtanh(m.w * x) + F.hardswish(m.w * x), [1.0, 2.0, 0.2], [-5.0, 6.0, 0.5]),
    "nothing live": (lambda m, x: F.relu(m.w * x), [1.0, 2.0, 3.0], [-1.0, -2.0, -3.0]),
}  # fmt: skip


@pytest.mark.parametrize("name", list(ZEROS))
def test_dead_edges(name: str) -> None:
    run, w, x = ZEROS[name]
    record = recorded(Of(run, w=torch.tensor(w)), torch.tensor(x), two_costs)
    scalars = Scalars(record.graph)
    every_scalar_agrees(record, scalars)
    paths_agree(record, scalars, "w", k=20)
    assert record.sweep("count")["w[0]"].live <= record.sweep("count")["w[0]"]


def test_where_there_is_no_live_path() -> None:
    run, w, x = ZEROS["nothing live"]
    record = wg.record(Of(run, w=torch.tensor(w)), torch.tensor(x), one_cost)
    assert record.sweep("entropy")["w[0]"] is None
    assert record.sweep("strongest")["w[0]"] == 0
    assert all(math.isnan(end) for end in record.sweep("extremes")["w[0]"])
    assert len(record.paths("w")) == 0
    assert record.paths("w").count == 3


# Between any two points


@pytest.mark.parametrize(
    ("name", "source", "end"),
    [
        ("GPT block, tied embedding", "wte.weight", "block.ln_2[0, 1, 0]"),
        ("GPT block, tied embedding", "block.ln_1[0, 0, 1]", "block.proj"),
        ("residual, batch norm in training", "0.weight", "1.bn1[1, 0, 1, 1]"),
        ("residual, batch norm in evaluation", "1.conv1[0, 1, 0, 1]", "1[0, 1, 0, 1]"),
        ("activations", "0.weight[1, 1]", "4[0, 1]"),
        ("softmax and its logarithm", "batch[0, 1]", "2"),
    ],
)
def test_paths_between_two_points(name: str, source: str, end: str) -> None:
    model, batch, costs = CASES[name]()
    record = wg.record(model, batch, costs).of(end)
    scalars = Scalars(record.graph)
    every_scalar_agrees(record, scalars)
    paths_agree(record, scalars, source)
    assert record.paths(source).count > 0
    ends = [record.graph.nodes[cost.node].value.reshape(-1)[cost.position] for cost in record.graph.costs]
    assert list(record.costs.values()) == [float(value) for value in ends]


def test_every_parameter_at_once() -> None:
    model, batch, costs = CASES["GPT block, tied embedding"]()
    record = wg.record(model, batch, costs)
    scalars = Scalars(record.graph)
    starts = [
        (leaf.node, at)
        for leaf in record.leaves.values()
        if leaf.kind == "parameter"
        for at in range(record.graph.size(leaf.node))
    ]
    every = scalars.joint(starts, [0])
    paths = record.paths(k=25)
    assert (paths.count, paths.live) == (len(every.products), every.live.sum())
    assert paths.total == pytest.approx(np.abs(every.products).sum())
    np.testing.assert_allclose(
        np.abs(paths.contribution), np.sort(np.abs(every.products[every.live]))[::-1][:25], **CLOSE
    )
    np.testing.assert_allclose(paths.shares, paths.contribution / np.abs(every.products).sum(), **CLOSE)


# By blocks


@pytest.mark.parametrize("name", ["residual, batch norm in training", "GPT block, tied embedding"])
def test_the_spectrum_counts_the_blocks_on_every_path(name: str) -> None:
    model, batch, costs = CASES[name]()
    record = wg.record(model, batch, costs)
    # A block is what comes into a residual add from the last layer of the block.
    last = {
        "residual, batch norm in training": ["1.bn1"],
        "GPT block, tied embedding": ["block.proj", "block.out"],
    }
    outputs = {record.at(module)[0] for module in last[name]}
    marked = frozenset(
        (number, which)
        for number, node in enumerate(record.graph.nodes)
        if node.op is not None and node.op.name == "add"
        for which, source in enumerate(node.inputs)
        if source in outputs
    )
    assert len(marked) == len(outputs)
    scalars = Scalars(record.graph, marked)
    spectrum = record.spectrum()
    assert len(spectrum.blocks) == len(outputs)
    for quantity, parts in spectrum.parts.items():
        node, _ = record.at(quantity)
        for row in range(len(record.cost_names)):
            paths = [scalars.contributions((node, at), row) for at in range(record.graph.size(node))]
            split = [
                [one.products[one.marks == many].sum() for one in paths] for many in range(parts.shape[1])
            ]
            np.testing.assert_allclose(parts[row], np.linalg.norm(split, axis=1), **CLOSE)
            assert spectrum.whole[quantity][row] == pytest.approx(np.linalg.norm(np.sum(split, axis=0)))
    assert spectrum.all_parts.shape == (len(record.cost_names), 1 + len(outputs))


# What each user of a value sends back


@pytest.mark.parametrize(
    "name", ["a layer used three times", "GPT block, tied embedding", "LSTMCell, two steps", "siamese"]
)
def test_branches_are_the_paths_by_their_first_step(name: str) -> None:
    model, batch, costs = CASES[name]()
    record = wg.record(model, batch, costs)
    scalars = Scalars(record.graph)
    rows = range(len(record.cost_names))
    found = record.branches()
    assert len({parts.place for parts in found}) == len(found)
    for parts in found:
        node, _ = record.at(parts.place)
        size = record.graph.size(node)
        sent: dict[Any, np.ndarray] = {}
        for at in range(size):
            for row in rows:
                for use, amount in _by_use(scalars, (node, at), row, 1.0):
                    sent.setdefault(use, np.zeros((len(rows), size)))[row, at] += amount
        sent = {use: rows_sent for use, rows_sent in sent.items() if rows_sent.any()}
        norms = sorted(tuple(np.linalg.norm(made, axis=1).round(9)) for made in sent.values())
        given = sorted(tuple(norm.round(9)) for norm in parts.norms if norm.any())
        np.testing.assert_allclose(given, norms, atol=2e-9, err_msg=parts.place)
        gradient = [
            [scalars.contributions((node, at), row).products.sum() for at in range(size)] for row in rows
        ]
        np.testing.assert_allclose(parts.whole, np.linalg.norm(gradient, axis=1), **CLOSE)


def _by_use(scalars: Scalars, start: tuple[int, int], row: int, before: float) -> Any:
    """Yields (the first step that isn't a view of all entries, what comes back by it) for each path from a scalar."""
    for edge in scalars.edges.get(start, ()):
        node = scalars.graph.nodes[edge.to[0]]
        one = len(node.inputs) == 1 and scalars.graph.size(edge.to[0]) == scalars.graph.size(start[0])
        if one and (type(node.op.structure).__name__ == "Selection" or node.op.name == "identity"):
            yield from _by_use(scalars, edge.to, row, before * edge.partial)
        else:
            after = scalars.contributions(edge.to, row).products.sum()
            yield (edge.to[0], edge.which, start[0]), before * edge.partial * after
