"""Models and losses of whole fields, written as their papers' code has them: recorded unchanged, in two precisions."""

import math
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, distributions, nn

from tests.torch_recorder.agreement import Of, recorded

Case = Callable[[], tuple[nn.Module, Any, Callable[..., Any]]]


def stochastic_depth(x: Tensor, training: bool) -> Tensor:
    if not training:
        return x
    kept = torch.empty(len(x), *[1] * (x.dim() - 1), dtype=x.dtype).bernoulli_(0.7)
    return x * kept.div_(0.7)


# Vision


class Inverted(nn.Module):
    """An inverted residual with squeeze and excitation (EfficientNet)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        wide = 2 * width
        self.expand = nn.Sequential(
            nn.Conv2d(width, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.SiLU(True)
        )
        self.depth = nn.Sequential(
            nn.Conv2d(wide, wide, 3, padding=1, groups=wide, bias=False), nn.BatchNorm2d(wide), nn.ReLU6(True)
        )
        self.squeeze, self.excite = nn.Conv2d(wide, 2, 1), nn.Conv2d(2, wide, 1)
        self.project = nn.Sequential(nn.Conv2d(wide, width, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        h = self.depth(self.expand(x))
        scale = torch.sigmoid(self.excite(F.silu(self.squeeze(F.adaptive_avg_pool2d(h, 1)))))
        h = stochastic_depth(self.project(scale * h), self.training)
        h += x
        return h


def mobile_net() -> Any:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, 2, 1),
        Inverted(4),
        Inverted(4),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.2, inplace=True),
        nn.Linear(4, 3),
    )
    x = torch.randn(4, 3, 8, 8).contiguous(memory_format=torch.channels_last)

    def costs(m: Any, x: Tensor) -> Any:
        out = m(x)
        return {
            "class": F.cross_entropy(out, torch.tensor([0, 2, 1, 1]), label_smoothing=0.1),
            "decay": 1e-2 * sum(p.square().sum() for p in m.parameters() if p.dim() > 1),
        }

    return model.to(memory_format=torch.channels_last), x, costs


class Window(nn.Module):
    """Attention in shifted windows, with a table of relative positions (Swin)."""

    def __init__(self, width: int, size: int, heads: int) -> None:
        super().__init__()
        self.size, self.num_heads = size, heads
        self.norm, self.qkv, self.out = (
            nn.LayerNorm(width),
            nn.Linear(width, 3 * width),
            nn.Linear(width, width),
        )
        self.table = nn.Parameter(torch.randn((2 * size - 1) ** 2, heads))
        at = torch.stack(torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")).flatten(1)
        apart = at[:, :, None] - at[:, None] + size - 1
        self.register_buffer("index", apart[0] * (2 * size - 1) + apart[1])

    def forward(self, x: Tensor) -> Tensor:
        (n, height, width, c), size, heads = x.shape, self.size, self.num_heads
        h = torch.roll(self.norm(x), (-1, -1), (1, 2))
        h = h.view(n, height // size, size, width // size, size, c).permute(0, 1, 3, 2, 4, 5)
        h = h.reshape(-1, size**2, c)
        q, k, v = self.qkv(h).reshape(len(h), size**2, 3, heads, c // heads).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-2, -1) * (c // heads) ** -0.5
        scores = scores + self.table[self.index.view(-1)].view(size**2, size**2, heads).permute(2, 0, 1)
        region = x.new_zeros(height, width)
        region[-1:] += 1
        region[:, -1:] += 2
        region = region.view(height // size, size, width // size, size).transpose(1, 2).reshape(-1, size**2)
        mask = (region[:, None] != region[:, :, None]).to(x.dtype) * -100.0
        scores = scores.view(n, -1, heads, size**2, size**2) + mask[:, None]
        mixed = scores.softmax(-1).view(-1, heads, size**2, size**2) @ v
        h = self.out(mixed.transpose(1, 2).reshape(-1, size**2, c))
        h = h.view(n, height // size, width // size, size, size, c).permute(0, 1, 3, 2, 4, 5)
        return x + torch.roll(stochastic_depth(h.reshape(x.shape), self.training), (1, 1), (1, 2))


def shifted_windows() -> Any:
    def costs(m: Any, x: Tensor) -> Any:
        out = m.window(m.patch(x).permute(0, 2, 3, 1)).mean((1, 2))
        return {"class": F.cross_entropy(out, torch.tensor([0, 3])), "size": out.abs().amax(1).mean()}

    model = Of(lambda m, x: x, patch=nn.Conv2d(3, 4, 2, 2), window=Window(4, 2, 2))
    return model, torch.randn(2, 3, 8, 8), costs


def detector() -> Any:
    def costs(m: Any, batch: Any) -> Any:
        x, there, boxes, kinds = batch
        out = m(x).unflatten(1, (2, 8)).permute(0, 1, 3, 4, 2)
        one = there > 0.5
        low = torch.maximum(out[..., :2][one] - 1, boxes[one][:, :2])
        high = torch.minimum(out[..., :2][one] + out[..., 2:4][one].exp(), boxes[one][:, 2:])
        shared = (high - low).clamp(min=0).prod(1)
        each = (boxes[one][:, 2:] - boxes[one][:, :2]).prod(1) + (1 + out[..., 2:4][one].exp()).prod(1)
        entry = F.binary_cross_entropy_with_logits(out[..., 4], there, reduction="none")
        return {
            "box": (1 - shared / (each - shared)).mean(),
            "object": entry[one].mean(),
            "empty": (entry * ~one).sum() / (~one).sum(),
            "kind": F.cross_entropy(out[..., 5:][one], kinds[one]),
        }

    model = nn.Sequential(
        nn.Conv2d(3, 6, 3, 2, 1), nn.BatchNorm2d(6), nn.LeakyReLU(0.1, True), nn.Conv2d(6, 16, 1)
    )
    low = torch.rand(2, 2, 4, 4, 2) - 1
    boxes = torch.cat([low, low + 1 + torch.rand(2, 2, 4, 4, 2)], -1)
    there = (torch.rand(2, 2, 4, 4) > 0.6).to(boxes.dtype)
    return model, (torch.randn(2, 3, 8, 8), there, boxes, torch.randint(0, 3, (2, 2, 4, 4))), costs


def rendering() -> Any:
    def costs(m: Any, x: Tensor) -> Any:
        wave = torch.cat([turn(x * 2**k) for k in range(2) for turn in (torch.sin, torch.cos)], -1)
        out = m(wave)
        opaque = 1 - torch.exp(-F.relu(out[..., 3]) * 0.3)
        through = torch.cumprod(torch.cat([torch.ones_like(opaque[:, :1]), 1 - opaque + 1e-6], 1), 1)[:, :-1]
        weight = opaque * through
        colour = (weight[..., None] * out[..., :3].sigmoid()).sum(1)
        return {
            "colour": colour.square().mean(),
            "depth": (weight * torch.linspace(0, 1, 5, dtype=x.dtype)).sum(1).mean(),
        }

    return nn.Linear(12, 4), torch.randn(3, 5, 3), costs


# Without labels


def momentum_contrast() -> Any:
    class Contrast(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.query, self.key = nn.Linear(5, 3), nn.Linear(5, 3).requires_grad_(False)
            self.register_buffer("queue", F.normalize(torch.randn(3, 7), dim=0))
            self.register_buffer("pointer", torch.zeros(1, dtype=torch.long))

        def forward(self, one: Tensor, other: Tensor) -> Tensor:
            q = F.normalize(self.query(one), dim=1)
            with torch.no_grad():
                for a, b in zip(self.query.parameters(), self.key.parameters(), strict=True):
                    b.data = b.data * 0.9 + a.data * 0.1
                k = F.normalize(self.key(other), dim=1)
            scores = torch.cat([(q * k).sum(1, keepdim=True), q @ self.queue.clone().detach()], 1) / 0.2
            with torch.no_grad():
                at = int(self.pointer)
                self.queue[:, at : at + len(k)] = k.T
                self.pointer[0] = (at + len(k)) % 7
            return scores

    def costs(m: Any, batch: Any) -> Any:
        scores = m(*batch)
        return {
            "contrast": F.cross_entropy(scores, torch.zeros(2, dtype=torch.long)),
            "size": scores.var(),
        }

    return Contrast(), (torch.randn(2, 5), torch.randn(2, 5)), costs


def distillation() -> Any:
    def costs(m: Any, batch: Any) -> Any:
        x, labels = batch
        with torch.inference_mode():
            taught = m["teacher"](x)
        out = m["student"](x)
        soft = F.kl_div(F.log_softmax(out / 4, 1), F.softmax(taught.clone() / 4, 1), reduction="batchmean")
        return {"soft": 16 * soft, "hard": F.cross_entropy(out, labels)}

    teacher = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
    model = nn.ModuleDict({"teacher": teacher, "student": nn.Linear(4, 3)})
    return model, (torch.randn(5, 4), torch.tensor([0, 1, 2, 0, 1])), costs


def flow() -> Any:
    class Scaled(nn.Module):
        """A layer whose first batch sets its parameters (Glow)."""

        def __init__(self) -> None:
            super().__init__()
            self.log, self.shift = nn.Parameter(torch.zeros(4)), nn.Parameter(torch.zeros(4))
            self.register_buffer("ready", torch.tensor(False))

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            if not self.ready:
                self.log.data, self.shift.data = -x.std(0).log().detach(), -x.mean(0).detach()
                self.ready.fill_(True)
            return (x + self.shift) * self.log.exp(), self.log.sum()

    def costs(m: Any, x: Tensor) -> Any:
        z, volume = m["scale"](x)
        log, shift = m["couple"](z[:, :2]).chunk(2, 1)
        z = torch.cat([z[:, :2], z[:, 2:] * torch.tanh(log).exp() + shift], 1)
        plain = distributions.Independent(
            distributions.Normal(torch.zeros_like(z), torch.ones_like(z)), 1
        ).log_prob(z)
        return {"fit": -(plain + volume + torch.tanh(log).sum(1)).mean(), "size": z.abs().mean()}

    couple = nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 4))
    return nn.ModuleDict({"scale": Scaled(), "couple": couple}), torch.randn(6, 4), costs


def diffusion() -> Any:
    class Denoise(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.time = nn.Sequential(nn.Linear(8, 8), nn.SiLU(), nn.Linear(8, 8))
            self.first, self.norm = nn.Conv2d(1, 8, 3, padding=1), nn.GroupNorm(2, 8)
            self.last = nn.Conv2d(8, 1, 3, padding=1)

        def forward(self, x: Tensor, at: Tensor) -> Tensor:
            slow = torch.exp(torch.arange(4, dtype=x.dtype) * -math.log(1e4) / 3)
            wave = at[:, None] * slow
            known = self.time(torch.cat([wave.sin(), wave.cos()], 1))
            return self.last(F.silu(self.norm(self.first(x) + known[:, :, None, None])))

    def costs(m: Any, x: Tensor) -> Any:
        kept = torch.cumprod(1 - torch.linspace(1e-4, 0.2, 20, dtype=x.dtype), 0)
        at, noise = torch.randint(0, 20, (len(x),)), torch.randn_like(x)
        share = kept[at][:, None, None, None]
        error = (m(share.sqrt() * x + (1 - share).sqrt() * noise, at) - noise).square().mean((1, 2, 3))
        ratio = (share / (1 - share)).flatten()
        return {"plain": error.mean(), "weighed": (error * ratio.clamp(max=5) / ratio).mean()}

    return Denoise(), torch.randn(3, 1, 5, 5), costs


# Behaviour


def clipped_policy() -> Any:
    def costs(m: Any, batch: Any) -> Any:
        seen, actions, before, gain, value = batch
        h = m["body"](seen)
        policy = distributions.Categorical(logits=m["policy"](h))
        ratio = (policy.log_prob(actions) - before).exp()
        gain = (gain - gain.mean()) / (gain.std() + 1e-8)
        return {
            "policy": torch.max(-gain * ratio, -gain * ratio.clamp(0.8, 1.2)).mean(),
            "value": 0.5 * (m["value"](h).squeeze(1) - value).square().mean(),
            "entropy": -0.01 * policy.entropy().mean(),
        }

    parts = {
        "body": nn.Sequential(nn.Linear(4, 6), nn.Tanh()),
        "policy": nn.Linear(6, 3),
        "value": nn.Linear(6, 1),
    }
    batch = (torch.randn(6, 4), torch.randint(0, 3, (6,)), torch.randn(6) - 1, torch.randn(6), torch.randn(6))
    return nn.ModuleDict(parts), batch, costs


def soft_actor_critic() -> Any:
    def costs(m: Any, batch: Any) -> Any:
        seen, action, reward = batch
        mean, log = m.actor(seen).chunk(2, -1)
        plain = distributions.Normal(mean, log.clamp(-5, 2).exp())
        policy = distributions.TransformedDistribution(plain, [distributions.TanhTransform(cache_size=1)])
        drawn = policy.rsample()
        density = policy.log_prob(drawn).sum(-1)
        m.critic.requires_grad_(False)
        wanted = m.critic(torch.cat([seen, drawn], 1)).min(1).values
        m.critic.requires_grad_(True)
        found = m.critic(torch.cat([seen, action], 1))
        return {
            "actor": (m.log_alpha.exp().detach() * density - wanted).mean(),
            "critic": F.smooth_l1_loss(found, reward[:, None].expand_as(found)),
            "temperature": -(m.log_alpha * (density.detach() - 2)).mean(),
        }

    model = Of(lambda m: m, actor=nn.Linear(4, 4), critic=nn.Linear(6, 2), log_alpha=torch.zeros(1))
    return model, (torch.randn(5, 4), torch.tanh(torch.randn(5, 2)), torch.randn(5)), costs


# Sequences


def translation() -> Any:
    class Translate(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.reader, self.cell = nn.Embedding(7, 4), nn.GRU(4, 4), nn.GRUCell(8, 4)
            self.query, self.score, self.out = nn.Linear(4, 4), nn.Linear(4, 1), nn.Linear(4, 7)

        def forward(self, source: Tensor, target: Tensor) -> Tensor:
            read, (state,) = self.reader(self.table(source))
            token = torch.zeros(source.shape[1], dtype=torch.long)
            outs = torch.zeros(len(target), source.shape[1], 7, dtype=read.dtype)
            for step, right in enumerate(target):
                share = F.softmax(self.score(torch.tanh(self.query(state) + read)).squeeze(-1), 0)
                seen = torch.bmm(share.T.unsqueeze(1), read.transpose(0, 1)).squeeze(1)
                state = self.cell(torch.cat([self.table(token), seen], 1), state)
                outs[step] = self.out(state)
                token = right if random.random() < 0.5 else outs[step].argmax(1)
            return outs

    def costs(m: Any, batch: Any) -> Any:
        out = m(*batch)
        return {
            "next": F.cross_entropy(out.view(-1, 7), batch[1].view(-1), ignore_index=0),
            "spread": out.softmax(-1).var(),
        }

    return Translate(), (torch.randint(0, 7, (4, 2)), torch.randint(0, 7, (3, 2))), costs


def random_field() -> Any:
    def costs(m: Any, batch: Any) -> Any:
        x, tags = batch
        scores = m.layer(x)
        every = scores[0]
        for step in scores[1:]:
            every = torch.logsumexp(every[:, None] + m.moves, 0) + step
        told = scores[torch.arange(len(tags)), tags].sum() + m.moves[tags[:-1], tags[1:]].sum()
        return {"field": torch.logsumexp(every, 0) - told, "sparse": m.moves.abs().sum()}

    model = Of(lambda m: m, layer=nn.Linear(3, 4), moves=torch.randn(4, 4))
    return model, (torch.randn(5, 3), torch.tensor([0, 1, 3, 2, 1])), costs


def transport() -> Any:
    def costs(m: Any, batch: Any) -> Any:
        price = torch.cdist(m(batch[0]), batch[1]) ** 2
        f, g = (torch.zeros(4, dtype=price.dtype) for _ in range(2))
        for _ in range(4):
            f = -torch.logsumexp(g - 2 * price, 1)
            g = -torch.logsumexp(f[:, None] - 2 * price, 0)
        plan = (f[:, None] + g - 2 * price).exp()
        return {"transport": (plan * price).sum(), "entropy": -(plan * (plan + 1e-12).log()).sum()}

    return nn.Linear(3, 2), (torch.randn(4, 3), torch.randn(4, 2)), costs


CASES: dict[str, Case] = {
    "EfficientNet, channels last": mobile_net,
    "Swin": shifted_windows,
    "one-stage detector": detector,
    "volume rendering": rendering,
    "MoCo": momentum_contrast,
    "distillation": distillation,
    "flow with data-dependent start": flow,
    "diffusion": diffusion,
    "PPO": clipped_policy,
    "SAC": soft_actor_critic,
    "translation with attention": translation,
    "conditional random field": random_field,
    "optimal transport": transport,
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
def test_practice(name: str, dtype: torch.dtype) -> None:
    torch.set_default_dtype(dtype)
    model, batch, costs = CASES[name]()
    record = recorded(model, batch, costs, tolerance=1e-10 if dtype == torch.float64 else 2e-5)
    assert not record.stops
    assert all(math.isfinite(value) for value in record.costs.values())
    assert "In short" in str(record.report())
