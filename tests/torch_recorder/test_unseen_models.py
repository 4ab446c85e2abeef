"""Models as people write them in practice: unchanged, and recorded with autograd's gradients, or refused in words."""

import random
import types
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import whygrad as wg
from tests.torch_recorder.agreement import Of, recorded, unchanged

Case = Callable[[], tuple[nn.Module, Any, Callable[..., Any]]]


def size(model: Any, batch: Any) -> dict[str, torch.Tensor]:
    return {"size": model(batch).square().sum()}


# What a run does to a model, and must not have done


def weights_clipped(m: Any, x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        m.layer.weight.clamp_(-0.1, 0.1)
    return m.layer(x)


def weights_scaled(m: Any, x: torch.Tensor) -> torch.Tensor:
    m.layer.weight.data.div_(m.layer.weight.data.norm())
    return m.layer(x)


def batch_centred(m: Any, x: torch.Tensor) -> torch.Tensor:
    x -= x.mean(0)
    return m.layer(x)


@pytest.mark.parametrize("run", [weights_clipped, weights_scaled, batch_centred])
def test_what_the_model_writes_to_is_restored(run: Callable[..., Any]) -> None:
    x = torch.randn(3, 4)
    with unchanged(model := Of(run, layer=nn.Linear(4, 2)), x):
        record = wg.record(model, x, size)
    right = torch.autograd.grad(size(model, x)["size"], model.layer.weight)[0]
    torch.testing.assert_close(record.gradients()["layer.weight"][0], right)


class Remembers(nn.Module):
    """Counts its calls, keeps what it made, and makes parts of itself when it is first called."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.steps, self.last, self.ready = nn.Linear(4, 4), 0, None, False
        self.losses: list[torch.Tensor] = []
        self.cache: dict[str, torch.Tensor] = {}
        self.recent: deque[float] = deque([1.0, 2.0], maxlen=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.ready:
            self.register_buffer("scale", torch.ones(4))
            self.gain, self.ready = nn.Parameter(torch.full((4,), 2.0)), True
        self.layer.weight = nn.Parameter(self.layer.weight.detach().clamp(-0.1, 0.1))
        self.steps += 1
        h = self.layer(x) * self.scale / self.steps + self.cache.get("before", 0)
        self.cache["before"] = self.last = h
        self.losses.append(h.square().mean())
        self.recent.append(0.5)
        return h


def test_what_a_model_holds_is_as_before() -> None:
    def costs(m: Any, x: torch.Tensor) -> dict[str, torch.Tensor]:
        m(x)
        m(x)
        return {"all": sum(m.losses), "last": m.last.sum()}

    model, x = Remembers(), torch.randn(3, 4)
    known, layer = dict(vars(model)), dict(model.layer._parameters)
    first, second = wg.record(model, x, costs), wg.record(model, x, costs)
    assert first.costs == second.costs
    assert vars(model) == known
    assert (model.steps, model.last, model.losses, model.cache, list(model.recent)) == (
        0,
        None,
        [],
        {},
        [1.0, 2.0],
    )
    assert list(model.state_dict()) == ["layer.weight", "layer.bias"]
    assert all(model.layer._parameters[name] is parameter for name, parameter in layer.items())
    right = torch.autograd.grad(costs(model, x)["all"], model.layer.bias)[0]
    torch.testing.assert_close(second.gradients()["layer.bias"][0], right)


class Keeps(nn.Module):
    """Writes to what it keeps in attributes that are no buffers, one in the other."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.mean, self.table = nn.Linear(4, 4), torch.zeros(4), np.zeros(2)
        self.cache = {"layers": [{"k": torch.zeros(4)}], "pair": (torch.zeros(4), 0)}
        self.seen = types.SimpleNamespace(many=0, last=torch.full((4,), torch.nan))
        self.least_recent: OrderedDict[str, int] = OrderedDict(first=0)
        self.drawn, self.shuffled = np.random.default_rng(0), random.Random(0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h: torch.Tensor = self.layer(x) * self.drawn.random() * self.shuffled.random()
        self.mean.lerp_(h.detach().mean(0), 0.1)
        self.table += 1
        self.cache["layers"][0]["k"].copy_(h[0].detach())
        self.cache["layers"].append({})
        self.cache["pair"][0].add_(1)
        self.seen.many += 1
        self.least_recent["second"] = self.seen.many
        self.least_recent.move_to_end("first")
        self.seen.last.copy_(h[-1].detach())
        return h + self.mean

    def state(self) -> Any:
        """All of it in words."""
        layers, (count, _) = self.cache["layers"], self.cache["pair"]
        return (
            *(repr(each.tolist()) for each in (self.mean, self.table, layers[0]["k"], count, self.seen.last)),
            len(layers),
            self.seen.many,
            list(self.least_recent),
            self.drawn.bit_generator.state,
            self.shuffled.getstate(),
        )


@pytest.mark.parametrize("inside", [True, False])
def test_what_a_module_keeps_in_attributes_is_as_before(inside: bool) -> None:
    module, x = Keeps().requires_grad_(inside), torch.randn(3, 4)
    before = module.state()
    model = module if inside else nn.Linear(4, 4)

    def costs(m: Any, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return size(module, x if inside else m(x))

    record = wg.record(model, x, costs)
    assert module.state() == before
    assert record.costs["size"] == costs(model, x)["size"].item()


def test_what_modules_outside_of_the_model_hold_is_as_before() -> None:
    """A discriminator that only the costs know, with running statistics and its own count of calls."""

    class Judge(nn.Sequential):
        calls = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return super().forward(x)

    judge = Judge(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.utils.spectral_norm(nn.Linear(3, 1))).requires_grad_(
        False
    )
    model, x = nn.Linear(2, 4), torch.randn(5, 2)
    with unchanged(judge, x):
        record = wg.record(model, x, lambda m, x: {"fooled": judge(m(x)).mean()})
    assert judge.calls == 0
    assert judge[1].num_batches_tracked == 0
    right = torch.autograd.grad(judge(model(x)).mean(), model.weight)[0]
    torch.testing.assert_close(record.gradients()["weight"][0], right)


def test_an_embedding_that_renormalises_its_weights() -> None:
    model, tokens = nn.Embedding(5, 3, max_norm=1.0), torch.tensor([0, 1, 1, 3])
    with unchanged(model):
        record = wg.record(model, tokens, size)
    right = torch.autograd.grad(size(model, tokens)["size"], model.weight)[0]
    torch.testing.assert_close(record.gradients()["weight"][0], right)


def test_a_backward_pass_within_the_costs_leaves_the_gradients() -> None:
    model, x = nn.Linear(4, 2), torch.randn(3, 4)
    model.weight.grad = torch.ones(2, 4)

    def costs(m: Any, x: Any) -> Any:
        loss = m(x).square().sum()
        loss.backward(retain_graph=True)
        return {"c": loss}

    with unchanged(model, x):
        wg.record(model, x, costs)


def test_modes_and_frozen_networks_are_as_before() -> None:
    def costs(m: Any, x: Any) -> Any:
        m.eval()
        for p in m.parameters():
            p.requires_grad_(False)
        return {"c": m(x).sum() + x.sum()}

    model = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5), nn.BatchNorm1d(3))
    x = torch.randn(3, 4)
    with unchanged(model, x):
        wg.record(model, x, costs)
    assert model[1].training
    assert model[0].weight.requires_grad


def test_random_numbers_of_python_and_numpy() -> None:
    class LayerDrop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(3, 3) for _ in range(6))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for layer in self.layers:
                if random.random() > 0.3 and np.random.random() > 0.3:
                    x = x + torch.tanh(layer(x))
            return x

    random.seed(1)
    np.random.seed(1)
    record = recorded(LayerDrop(), torch.randn(2, 3), size)
    reached = [record.sweep("reach")[f"layers.{n}.weight[0, 0]"] for n in range(6)]
    assert any(reached)
    assert not all(reached)


@pytest.mark.parametrize("generator", [np.random.MT19937, np.random.PCG64])
def test_what_is_drawn_from_numpy_is_drawn_again_afterwards(generator: Any) -> None:
    own = np.random.get_bit_generator()
    np.random.set_bit_generator(generator(3))
    try:
        np.random.standard_normal()  # a second one is kept back for the next call
        drawn: list[float] = []

        def costs(model: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
            drawn.extend(np.random.standard_normal(700))
            return {"size": model(x).square().sum() * drawn[0]}

        wg.record(nn.Linear(2, 2), torch.ones(1, 2), costs)
        assert list(np.random.standard_normal(700)) == drawn
    finally:
        np.random.set_bit_generator(own)


def test_what_is_drawn_from_a_generator_of_its_own_is_drawn_again_afterwards() -> None:
    own = torch.Generator().manual_seed(3)

    def costs(m: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
        h = m(x) * torch.randn(4, 2, generator=own)
        with torch.no_grad():
            noise = torch.empty(4, 2).uniform_(generator=own)
        return {"size": (h * noise).square().sum(), "mixed": h[torch.randperm(4, generator=own)].sum(0)[0]}

    model, x = nn.Linear(3, 2), torch.randn(4, 3)
    before = own.get_state()
    first, second = wg.record(model, x, costs), wg.record(model, x, costs)
    assert torch.equal(own.get_state(), before)
    assert first.costs == second.costs
    own.set_state(before)
    right = torch.autograd.grad(costs(model, x)["size"], model.weight)[0]
    torch.testing.assert_close(first.gradients()["weight"][0], right)


def test_a_record_stays_what_it_was_when_the_model_is_trained_on() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 1))
    data = torch.randn(50, 3)
    batch = data[10:14]
    before, again = wg.record(model, batch, size), wg.record(model, batch, size)
    right = {name: before.gradients()[name].clone() for name in before.parameters}
    counted = {name: before.sweep("total").value(name).clone() for name in before.parameters}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3.0)
        data.add_(1.0)
    model(batch)
    for name, wanted in right.items():
        torch.testing.assert_close(again.gradients()[name], wanted)
        torch.testing.assert_close(again.sweep("total").value(name), counted[name])
    # of all the data, only the batch is kept
    assert again.graph.nodes[again.leaves["batch"].node].value.untyped_storage().nbytes() == 4 * 3 * 8


def test_networks_that_are_frozen_for_one_of_the_losses() -> None:
    def costs(m: Any, x: Any) -> Any:
        for p in m["judge"].parameters():
            p.requires_grad_(False)
        fool = F.softplus(-m["judge"](m["maker"](x))).mean()
        for p in m["judge"].parameters():
            p.requires_grad_(True)
        made = m["maker"](x).detach()
        return {
            "maker": fool,
            "judge": F.softplus(m["judge"](made)).mean() + F.softplus(-m["judge"](x)).mean(),
        }

    record = recorded(
        nn.ModuleDict({"maker": nn.Linear(3, 3), "judge": nn.Linear(3, 1)}), torch.randn(4, 3), costs
    )
    assert record.sweep("reach").value("judge.weight[0, 0]", cost="judge")
    assert not record.sweep("reach").value("judge.weight[0, 0]", cost="maker")
    assert not record.sweep("reach").value("maker.weight[0, 0]", cost="judge")


def test_attention_in_a_kernel_that_the_model_asks_for() -> None:
    from torch.nn.attention import SDPBackend, sdpa_kernel

    def run(m: Any, x: torch.Tensor) -> torch.Tensor:
        q, k, v = m.qkv(x).unflatten(-1, (3, 2, 2)).permute(2, 0, 3, 1, 4)
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)

    record = recorded(Of(run, qkv=nn.Linear(4, 12)), torch.randn(2, 3, 4), size)
    assert "softmax" in {node.op.name for node in record.graph.nodes if node.op is not None}


def test_a_gaussian_process() -> None:
    def costs(m: Any, batch: Any) -> Any:
        x, y = batch
        kernel = torch.exp(-torch.cdist(x, x).square() / (2 * m.scale.exp()))
        factor = torch.linalg.cholesky(kernel + m.noise.exp() * torch.eye(len(x)))
        fit = y @ torch.cholesky_solve(y[:, None], factor)
        return {"fit": 0.5 * fit.squeeze(), "volume": factor.diagonal().log().sum()}

    model = Of(lambda m, x: x, scale=torch.zeros(()), noise=torch.tensor(-1.0))
    record = recorded(model, (torch.randn(5, 2), torch.randn(5)), costs)
    assert not record.stops
    assert record.paths("scale", cost="volume").sum == pytest.approx(
        record.gradient("scale", cost="volume").item()
    )


def test_control_flow_as_an_operation_is_refused() -> None:
    def costs(m: Any, x: Any) -> Any:
        return {"c": torch.cond(x.sum() > 0, lambda a: m(a).sin(), lambda a: m(a).cos(), (x,)).sum()}

    with pytest.raises(wg.NotSupportedError, match=r"torch.cond[\s\S]*plain Python"):
        wg.record(nn.Linear(3, 2), torch.randn(2, 3), costs)
