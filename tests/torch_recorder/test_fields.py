"""Models of whole fields, with more paths than could be followed: gradients, and what all paths come to, by steps."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import whygrad as wg
from tests.torch_recorder.agreement import Of, recorded
from tests.torch_recorder.scalars import Scalars

Case = tuple[nn.Module, Any, Callable[..., dict[str, Tensor]]]


def turned(x: Tensor) -> Tensor:
    """Returns rotary embeddings."""
    size = x.shape[-1]
    slow = 10000.0 ** (-torch.arange(0, size, 2) / size)
    angle = torch.cat([torch.outer(torch.arange(x.shape[-2], dtype=slow.dtype), slow)] * 2, -1)
    left, right = x.chunk(2, -1)
    return x * angle.cos() + torch.cat((-right, left), -1) * angle.sin()


class Scaled(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


class Grouped(nn.Module):
    """Four heads that ask, two that are asked, gated units; embedding and output are one matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 8)
        self.q, self.k, self.v = (nn.Linear(8, size, bias=False) for size in (8, 4, 4))
        self.out = nn.Linear(8, 8, bias=False)
        self.gate, self.up = nn.Linear(8, 6, bias=False), nn.Linear(8, 6, bias=False)
        self.down = nn.Linear(6, 8, bias=False)
        self.norms = nn.ModuleList(Scaled(8) for _ in range(3))
        self.head = nn.Linear(8, 11, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, ids: Tensor, there: Tensor) -> Tensor:
        examples, times = ids.shape
        lowest = -1e4
        mask = torch.full((times, times), lowest).triu(1) + (1 - there[:, None, None].double()) * lowest / 2
        x = self.embed(ids)
        h = self.norms[0](x)
        q, k, v = (part(h).view(examples, times, -1, 2).transpose(1, 2) for part in (self.q, self.k, self.v))
        k = turned(k)[:, :, None].expand(examples, 2, 2, times, 2).reshape(examples, 4, times, 2)
        weights = (turned(q) @ k.transpose(2, 3) / math.sqrt(2) + mask).softmax(-1)
        mixed = (weights @ v.repeat_interleave(2, 1)).transpose(1, 2).contiguous().view(examples, times, 8)
        x = x + self.out(mixed)
        h = self.norms[1](x)
        x = x + self.down(F.silu(self.gate(h)) * self.up(h))
        scores: Tensor = self.head(self.norms[2](x))
        return scores


def language() -> Case:
    ids, there = torch.randint(0, 11, (2, 4)), torch.ones(2, 4)
    there[1, :1] = 0
    labels = ids.clone()
    labels[1, :2] = -100

    def costs(m: Any, batch: Any) -> dict[str, Tensor]:
        scores = m(batch["ids"], batch["there"])
        wanted = batch["labels"][:, 1:].contiguous().view(-1)
        next_one = F.cross_entropy(scores[:, :-1].contiguous().view(-1, 11), wanted)
        return {"next": next_one, "z": 1e-2 * scores.logsumexp(-1).square().mean()}

    return Grouped(), {"ids": ids, "there": there, "labels": labels}, costs


def tagger() -> Case:
    def run(m: Any, words: Tensor, lengths: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(
            m.words(words), lengths, batch_first=True, enforce_sorted=False
        )
        out, _ = nn.utils.rnn.pad_packed_sequence(m.lstm(packed)[0], batch_first=True)
        tags: Tensor = m.tag(out)
        return tags

    model = Of(
        run,
        words=nn.Embedding(9, 3, padding_idx=0),
        lstm=nn.LSTM(3, 2, 2, batch_first=True, bidirectional=True, dropout=0.2),
        tag=nn.Linear(4, 3),
    )
    words, lengths = torch.randint(1, 9, (3, 4)), torch.tensor([4, 2, 3])
    words[1, 2:] = words[2, 3:] = 0
    tags = torch.randint(0, 3, (3, 4)).masked_fill(words == 0, -100)

    def costs(m: Any, batch: Any) -> dict[str, Tensor]:
        scores = m(*batch)
        return {
            "tag": F.cross_entropy(scores.flatten(0, 1), tags.flatten()),
            "size": scores.abs().mean(),
        }

    return model, (words, lengths), costs


def speech() -> Case:
    def run(m: Any, x: Tensor) -> Tensor:
        heard = F.hardtanh(m.conv(x), 0, 20).transpose(1, 2)
        return F.log_softmax(m.out(m.gru(heard)[0]), -1)

    model = Of(
        run,
        conv=nn.Conv1d(3, 3, 3, stride=2, padding=1),
        gru=nn.GRU(3, 2, batch_first=True, bidirectional=True),
        out=nn.Linear(4, 4),
    )

    def costs(m: Any, x: Tensor) -> dict[str, Tensor]:
        said = m(x)
        loss = F.ctc_loss(said.transpose(0, 1), torch.tensor([[1, 2], [3, 0]]), [4, 3], [2, 1])
        return {"ctc": loss, "blank": said[..., 0].exp().mean()}

    return model, torch.randn(2, 3, 8), costs


def segmentation() -> Case:
    def run(m: Any, x: Tensor) -> Tensor:
        wide = m.first(x)
        deep = m.second(F.max_pool2d(wide, 2))
        scores: Tensor = m.out(
            torch.cat([m.up(deep), F.interpolate(deep, scale_factor=2.0, mode="bilinear"), wide], 1)
        )
        return scores

    def block(size: int, out: int) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(size, out, 3, padding=1), nn.InstanceNorm2d(out, affine=True), nn.LeakyReLU(0.1, True)
        )

    model = Of(
        run, first=block(1, 2), second=block(2, 3), up=nn.ConvTranspose2d(3, 2, 2, 2), out=nn.Conv2d(7, 2, 1)
    )
    target = torch.randint(0, 2, (2, 4, 4))

    def costs(m: Any, x: Tensor) -> dict[str, Tensor]:
        scores = m(x)
        shares, hot = scores.softmax(1), F.one_hot(target, 2).permute(0, 3, 1, 2).double()
        both = (shares * hot).sum((2, 3))
        dice = 1 - ((2 * both + 1) / (shares.sum((2, 3)) + hot.sum((2, 3)) + 1)).mean()
        return {
            "dice": dice,
            "pixels": F.cross_entropy(scores, target, weight=torch.tensor([0.3, 0.7])),
            "rough": shares.diff(dim=2).abs().mean() + shares.diff(dim=3).abs().mean(),
        }

    return model, torch.randn(2, 1, 4, 4), costs


def filtering() -> Case:
    def run(m: Any, seen: Tensor) -> tuple[Tensor, Tensor]:
        state, spread, one = torch.zeros(2, 1), torch.eye(2), torch.eye(2)
        likely = torch.zeros(())
        for value in seen:
            state = m.move @ state
            spread = m.move @ spread @ m.move.T + torch.diag(m.noise.exp())
            error = value.reshape(1, 1) - m.look @ state
            around = m.look @ spread @ m.look.T + m.blur.exp()
            gain = torch.linalg.solve(around, m.look @ spread).T
            state, spread = state + gain @ error, (one - gain @ m.look) @ spread
            root = torch.linalg.cholesky(around)
            likely = likely - torch.linalg.solve_triangular(root, error, upper=False).square().sum() / 2
            likely = likely - root.diagonal().log().sum()
        return likely, spread

    model = Of(
        run,
        move=torch.eye(2) * 0.9 + 0.05 * torch.randn(2, 2),
        look=torch.randn(1, 2),
        noise=0.1 * torch.randn(2),
        blur=torch.full((1, 1), 0.1),
    )

    def costs(m: Any, seen: Tensor) -> dict[str, Tensor]:
        likely, spread = m(seen)
        return {"data": -likely, "spread": spread.trace(), "stable": torch.linalg.matrix_norm(m.move, 2)}

    return model, torch.randn(3), costs


def flowing() -> Case:
    def slope(m: Any, x: Tensor, t: Tensor) -> Tensor:
        made: Tensor = m.net(torch.cat([x, t.expand(len(x), 1)], 1))
        return made

    def run(m: Any, x: Tensor, times: Tensor) -> Tensor:
        seen = [x]
        for start, stop in pairwise(times):
            step = stop - start
            one = slope(m, x, start)
            two = slope(m, x + step / 2 * one, start + step / 2)
            three = slope(m, x + step / 2 * two, start + step / 2)
            x = x + step / 6 * (one + 2 * two + 2 * three + slope(m, x + step * three, stop))
            seen.append(x)
        return torch.stack(seen)

    model = Of(run, net=nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)))

    def costs(m: Any, batch: Any) -> dict[str, Tensor]:
        seen = m(*batch)
        return {"fit": F.huber_loss(seen, seen.detach().flip(0)), "ends": seen[-1].norm(dim=1).sum()}

    return model, (torch.randn(2, 2), torch.linspace(0, 1, 3)), costs


def redundancy() -> Case:
    model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3))

    def costs(m: Any, batch: Any) -> dict[str, Tensor]:
        one, other = m(batch[0]), m(batch[1])
        alike = ((one - one.mean(0)) / one.std(0)).T @ ((other - other.mean(0)) / other.std(0)) / len(one)
        apart = alike.flatten()[:-1].view(2, 4)[:, 1:].flatten().square().sum()
        a, b = F.normalize(one, dim=-1), F.normalize(other, dim=-1)
        signs = 2 * torch.eye(len(a)) - 1
        return {
            "same": (alike.diagonal() - 1).square().sum(),
            "apart": 0.005 * apart,
            "covariance": (torch.cov(one.T) - torch.diag(torch.cov(one.T).diag())).square().sum(),
            "pairs": -F.logsigmoid(signs * (2 * a @ b.T - 1)).sum(-1).mean(),
        }

    return model, (torch.randn(5, 4), torch.randn(5, 4)), costs


def adversaries() -> Case:
    def run(m: Any, x: Tensor) -> tuple[Tensor, ...]:
        h = torch.relu(m.trunk(x))
        against = -0.5 * h + (1.5 * h).detach()
        picked = F.gumbel_softmax(m.choose(h), tau=0.7, hard=True)
        return m.label(h), m.domain(against), m.value(picked)

    model = Of(
        run,
        trunk=nn.utils.parametrizations.spectral_norm(nn.Linear(3, 4)),
        label=nn.Linear(4, 2),
        domain=nn.utils.parametrizations.weight_norm(nn.Linear(4, 2)),
        choose=nn.Linear(4, 3),
        value=nn.Linear(3, 1, bias=False),
    )

    def costs(m: Any, x: Tensor) -> dict[str, Tensor]:
        label, domain, value = m(x)
        return {
            "label": F.cross_entropy(label, torch.tensor([0, 1, 0, 1])),
            "domain": F.cross_entropy(domain, torch.tensor([0, 0, 1, 1])),
            "value": value.square().mean(),
        }

    return model, torch.randn(4, 3), costs


FIELDS: dict[str, Callable[[], Case]] = {
    made.__name__: made
    for made in (
        language,
        tagger,
        speech,
        segmentation,
        filtering,
        flowing,
        redundancy,
        adversaries,
    )
}


def agrees(record: wg.Record, name: str, row: int, right: dict[str, np.ndarray]) -> None:
    """Asserts that every semiring has, at every entry of an array, what all its paths to a cost come to."""

    def got(semiring: str) -> np.ndarray:
        values = np.asarray(record.sweep(semiring).array(name)[row]).astype(float)
        return values.reshape(right["total"].size, -1)

    total, live = right["total"], right["live"] > 0
    scale = np.maximum(total, 1e-12 * total.max(initial=0.0))[:, None] + 1e-300
    for semiring in ("gradient", "total", "strongest"):
        found = np.abs(got(semiring)) if semiring == "strongest" else got(semiring)
        assert (np.abs(found - right[semiring][:, None]) <= 1e-9 * scale).all(), f"{name}: {semiring}"
    ends = np.stack([right["high"], right["low"]], 1)
    assert (np.abs(got("extremes") - ends)[live] <= 1e-9 * scale[live]).all(), f"{name}: extremes"
    np.testing.assert_allclose(got("count")[:, 0], right["count"], rtol=1e-12, err_msg=name)
    np.testing.assert_allclose(got("entropy")[live, 0], right["entropy"][live], atol=1e-7, err_msg=name)
    counted = [one.live for one in np.ravel(record.sweep("count").value(name, row))]
    np.testing.assert_allclose(np.array(counted, float), right["live"], rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("name", FIELDS)
def test_a_field(name: str) -> None:
    record = recorded(*FIELDS[name]())
    scalars = Scalars(record.graph)
    for row in range(len(record.cost_names)):
        right = scalars.by_steps(row)
        for leaf in record.leaves.values():
            if leaf.node in right:
                agrees(record, leaf.name, row, right[leaf.node])
            else:
                assert not np.asarray(record.sweep("reach").array(leaf.name)[row]).any()
