"""Branches: what users, heads and residual blocks send back, against autograd with everything else cut."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import whygrad as wg
from whygrad.branches import branches, heads, residuals, spectrum
from whygrad.branches.users import uses_of

torch.manual_seed(0)


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.up = nn.Linear(width, width)
        self.down = nn.Linear(width, width)
        self.gates = [1.0, 1.0]  # of skip and block

    def forward(self, x: Tensor) -> Tensor:
        return self.gates[0] * x + self.gates[1] * self.down(torch.tanh(self.up(x)))


class Net(nn.Module):
    def __init__(self, depth: int = 3, width: int = 4) -> None:
        super().__init__()
        self.first = nn.Linear(3, width)
        self.layers = nn.ModuleList(Block(width) for _ in range(depth))
        self.a = nn.Linear(width, 2)
        self.b = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.first(x)
        for layer in self.layers:
            h = layer(h)
        return self.a(h), self.b(h)


def costs(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
    a, b = model(x)
    return {"a": a.square().mean(), "b": b.sum()}


def double(model: nn.Module) -> Any:
    return model.double()


def test_users_of_a_value_against_autograd_with_the_other_cut() -> None:
    model, x = double(Net(1)), torch.randn(5, 3, dtype=torch.float64)
    parts = {part.place: part for part in branches(wg.record(model, x, costs))}
    fork = parts["first"]
    assert fork.costs == ("a", "b")
    assert fork.sides == ("block", "skip") or fork.sides == ("skip", "block")
    sides = fork.skip_against_block
    assert sides is not None
    h = model.first(x).detach().requires_grad_()
    block = model.layers[0]
    sent = {}
    for side in ("skip", "block"):
        out = (h if side == "skip" else h.detach()) + block.down(
            torch.tanh(block.up(h if side == "block" else h.detach()))
        )
        losses = {"a": model.a(out).square().mean(), "b": model.b(out).sum()}
        sent[side] = [
            torch.autograd.grad(loss, h, retain_graph=True)[0].flatten() for loss in losses.values()
        ]
    for place, side in enumerate(sides.senders):
        np.testing.assert_allclose(sides.norms[place], [float(g.norm()) for g in sent[side]], rtol=1e-10)
    one, two = (sent[side] for side in sides.senders)
    wanted = [
        float(torch.nn.functional.cosine_similarity(p, q, dim=0)) for p, q in zip(one, two, strict=True)
    ]
    np.testing.assert_allclose(sides.cosines[:, 0, 1], wanted, rtol=1e-10)
    np.testing.assert_allclose(
        sides.whole, [float((p + q).norm()) for p, q in zip(one, two, strict=True)], rtol=1e-10
    )


@pytest.mark.parametrize("piece", [1000, 3])
def test_a_tied_weight_is_a_value_with_two_users(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whygrad.structures.pieces.PIECE", piece)

    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.emb = nn.Embedding(5, 3)
            self.out = nn.Linear(3, 5, bias=False)
            self.out.weight = self.emb.weight

        def forward(self, t: Tensor) -> Tensor:
            return self.out(self.emb(t))

    model, tokens = double(Tied()), torch.tensor([1, 2, 2])
    rec = wg.record(model, tokens, lambda m, t: {"next": m(t).square().sum()})
    (part,) = [part for part in branches(rec) if part.place == "emb.weight"]
    assert part.senders == ("emb", "out")
    weight = model.emb.weight.detach()
    for place, (w, v) in enumerate(((model.emb.weight, weight), (weight, model.emb.weight))):
        loss = (w[tokens] @ v.T).square().sum()
        (wanted,) = torch.autograd.grad(loss, model.emb.weight)
        np.testing.assert_allclose(part.norms[place, 0], float(wanted.norm()), rtol=1e-10)


def test_only_the_branches_of_a_module() -> None:
    rec = wg.record(double(Net(2)), torch.randn(2, 3, dtype=torch.float64), costs)
    assert {part.place for part in branches(rec, "layers.1")} == {"layers.0"}
    with pytest.raises(
        wg.QuantityError, match=r"expected the path of a module that ran \(a, b, first, .*found 'layer'"
    ):
        branches(rec, "layer")


def test_residual_adds_are_found_and_others_are_not() -> None:
    rec = wg.record(double(Net(3)), torch.randn(2, 3, dtype=torch.float64), costs)
    assert [residual.name for residual in residuals(rec)] == ["layers.0", "layers.1", "layers.2"]
    x = torch.randn(4, 2, 3, dtype=torch.float64)
    for recurrent in (nn.LSTM(3, 5), nn.GRU(3, 5)):
        rec = wg.record(double(recurrent), x, lambda m, x: {"last": m(x)[0].square().sum()})
        assert residuals(rec) == ()


class Spectral(nn.Module):
    """A layer of a Fourier neural operator: a linear map of frequencies beside one of places."""

    def __init__(self) -> None:
        super().__init__()
        self.lift, self.places = nn.Conv1d(1, 4, 1), nn.Conv1d(4, 4, 1)
        self.frequencies = nn.Parameter(torch.randn(4, 4, 3, dtype=torch.complex128))

    def forward(self, x: Tensor) -> Tensor:
        h = self.lift(x)
        waves = torch.einsum("bix,iox->box", torch.fft.rfft(h)[..., :3], self.frequencies)
        return torch.relu(torch.fft.irfft(waves, n=h.shape[-1]) + self.places(h))


class Latent(nn.Module):
    """Mean and noise of a variational autoencoder."""

    def __init__(self, deep: bool) -> None:
        super().__init__()
        self.inner, self.mean, self.out = nn.Linear(6, 5), nn.Linear(5, 3), nn.Linear(3, 6)
        self.spread = nn.Sequential(nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 3)) if deep else nn.Linear(5, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(self.inner(x))
        mean = self.mean(h)
        return self.out(mean + torch.randn_like(mean) * self.spread(h).exp()), mean


class Adapted(nn.Module):
    """A low-rank change of a weight, which is linear as the weight is."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.base = nn.Linear(6, 5), nn.Linear(5, 5).requires_grad_(False)
        self.down, self.up = nn.Linear(5, 2, bias=False), nn.Linear(2, 5, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.inner(x))
        return self.base(h) + self.up(self.down(h))


class Strided(nn.Module):
    """A residual block that halves its picture, as ResNets have it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 3, 3)
        self.short = nn.Sequential(nn.Conv2d(3, 4, 1, 2, bias=False), nn.BatchNorm2d(4))
        self.long = nn.Sequential(
            nn.Conv2d(3, 4, 3, 2, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3, 1, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(self.stem(x))
        return self.short(h) + self.long(h)


class Causal(nn.Module):
    """A block of a temporal convolutional network, whose weights are normalised."""

    def __init__(self, normalised: Any, bias: bool) -> None:
        super().__init__()
        self.one = normalised(nn.Conv1d(2, 3, 3, padding=1, bias=bias))
        self.two = normalised(nn.Conv1d(3, 3, 3, padding=1, bias=bias))
        self.short = nn.Conv1d(2, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(self.one(x))
        made = self.short(x) + torch.relu(self.two(h))
        return made + self.two(torch.relu(made))


@pytest.mark.parametrize(
    ("model", "shape", "skips"),
    [
        (Spectral(), (2, 1, 8), 0),
        (Latent(deep=False), (4, 6), 0),
        (Latent(deep=True), (4, 6), 0),
        (Adapted(), (4, 6), 0),
        (Strided(), (2, 2, 9, 9), 1),
        (Causal(nn.utils.parametrizations.weight_norm, True), (2, 2, 9), 2),
        (Causal(nn.utils.parametrizations.weight_norm, False), (2, 2, 9), 2),
        (Causal(nn.utils.parametrizations.spectral_norm, False), (2, 2, 9), 2),
    ],
)
def test_a_projection_is_a_skip_where_it_is_a_short_cut_past_a_longer_block(
    model: nn.Module, shape: tuple[int, ...], skips: int
) -> None:
    def both(m: nn.Module, x: Tensor) -> dict[str, Tensor]:
        made = m(x)
        out, mean = made if isinstance(made, tuple) else (made, made)
        return {"out": out.square().mean(), "mean": mean.square().mean()}

    rec = wg.record(double(model), torch.randn(shape, dtype=torch.float64), both)
    assert len(residuals(rec)) == skips
    assert sum("skip" in part.sides for part in branches(rec)) == skips


def test_a_skip_with_a_projection_is_a_residual_add() -> None:
    class Projected(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(3, 4)
            self.short = nn.Linear(4, 6)
            self.long = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 6))

        def forward(self, x: Tensor) -> Tensor:
            h = torch.tanh(self.first(x))
            return self.short(h) + self.long(h)

    rec = wg.record(
        double(Projected()), torch.randn(2, 3, dtype=torch.float64), lambda m, x: {"c": m(x).sum()}
    )
    (residual,) = residuals(rec)
    assert rec.graph.nodes[residual.fork].op.name == "tanh"


@pytest.mark.parametrize("piece", [1000, 5])
def test_the_spectrum_is_the_gradient_s_polynomial_in_the_blocks(
    piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scaling every block by t makes the gradient a polynomial in t; its coefficients are the parts."""
    depth = 3
    model, x = double(Net(depth)), torch.randn(5, 3, dtype=torch.float64)
    monkeypatch.setattr("whygrad.structures.pieces.PIECE", piece)
    split = spectrum(wg.record(model, x, costs))
    assert split.blocks == ("layers.0", "layers.1", "layers.2")
    # The forward values must not change with t: h + f + (t - 1)(f - f.detach())
    points = np.arange(depth + 1.0)
    rows = []
    for t in points:
        h = model.first(x)
        for layer in model.layers:
            made = layer.down(torch.tanh(layer.up(h)))
            h = h + made.detach() + t * (made - made.detach())
        a, _ = model.a(h), model.b(h)
        (gradient,) = torch.autograd.grad(a.square().mean(), model.first.weight)
        rows.append(gradient.flatten().numpy())
    parts = np.linalg.solve(np.vander(points, increasing=True), np.array(rows))
    np.testing.assert_allclose(split.parts["first.weight"][0], np.linalg.norm(parts, axis=1), rtol=1e-8)
    np.testing.assert_allclose(split.whole["first.weight"][0], np.linalg.norm(parts.sum(axis=0)), rtol=1e-8)
    assert split.all_whole[0] <= split.all_parts[0].sum()
    assert len(split.rows()) == len(split.parts) * 2 * (depth + 1)


def test_blocks_by_pattern() -> None:
    rec = wg.record(double(Net(2)), torch.randn(2, 3, dtype=torch.float64), costs)
    assert spectrum(rec, ["layers.*"]).blocks == ("layers.0", "layers.1")
    assert spectrum(rec, ["layers.1"]).parts["first.weight"].shape == (2, 2)
    assert spectrum(rec, ["layers.*.up"]).blocks == ("layers.0.up", "layers.1.up")
    with pytest.raises(wg.QuantityError, match=r"expected patterns of module paths .*found 'block\*'"):
        spectrum(rec, ["block*"])
    plain = wg.record(
        double(nn.Linear(3, 2)), torch.randn(2, 3, dtype=torch.float64), lambda m, x: {"c": m(x).sum()}
    )
    with pytest.raises(wg.NotSupportedError, match="no residual add"):
        spectrum(plain)


def test_a_value_has_the_name_of_the_module_that_returned_a_view_of_it() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh())

    def costs(model: Any, x: Tensor) -> dict[str, Tensor]:
        h = model[0](x)  # of three axes: a product of two, seen in another shape
        return {"a": model[1](h).sum(), "b": h.sin().sum()}

    record = wg.record(model, torch.randn(2, 5, 3), costs)
    assert [parts.place for parts in record.branches()] == ["0"]


def test_uses_in_several_calls_of_a_module_are_named_by_the_call() -> None:
    model = nn.ModuleDict({"cell": nn.Linear(3, 3), "out": nn.Linear(3, 1)})

    def costs(model: Any, x: Tensor) -> dict[str, Tensor]:
        h = torch.tanh(model["cell"](x))
        _ = model["cell"](h)  # nothing comes of it
        return {"c": model["out"](model["cell"](h + x)).sum()}

    record = wg.record(model, torch.randn(2, 3), costs)
    (weight,) = (parts for parts in record.branches() if parts.place == "cell.weight")
    assert weight.senders == ("cell", "cell (call 3)")
    assert record.paths("cell.weight[0, 0]", k=1)[0].quantities[1].startswith("cell")


def test_a_module_counts_that_returns_what_a_module_in_it_returns() -> None:
    def block() -> nn.Module:
        return nn.Sequential(nn.Linear(3, 3), nn.Tanh())

    model = nn.ModuleDict({"first": block(), "second": block()})

    def around(model: Any, x: torch.Tensor) -> dict[str, torch.Tensor]:
        h = x + model["first"](x)
        return {"c": (model["second"](h) * 2 + h.sin()).square().sum()}

    record = wg.record(model, torch.randn(2, 3), around)
    split = record.spectrum(["first", "second"])
    assert split.blocks == ("first", "second")
    assert (split.parts["first.0.weight"] > 0).tolist() == [[False, True, True]]
    by_last = record.spectrum(["first.1", "second.1"])
    np.testing.assert_array_equal(split.parts["batch"], by_last.parts["batch"])


@pytest.mark.parametrize("many", [2, 4])
def test_heads_against_autograd_with_the_other_heads_cut(many: int) -> None:
    width = 8
    model = double(nn.MultiheadAttention(width, many, batch_first=True))
    x = torch.randn(2, 3, width, dtype=torch.float64)

    def cost(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
        return {"c": model(x, x, x, need_weights=False)[0].square().sum()}

    (found,) = heads(wg.record(model, x, cost), "")
    assert found.senders == tuple(f"head {head}" for head in range(many))
    x.requires_grad_()
    q, k, v = (x @ model.in_proj_weight.T + model.in_proj_bias).chunk(3, -1)
    q, k, v = (t.view(2, 3, many, -1).transpose(1, 2) for t in (q, k, v))
    joined = (
        (torch.softmax(q @ k.transpose(-1, -2) / (width / many) ** 0.5, -1) @ v).transpose(1, 2).flatten(2)
    )
    out = model.out_proj(joined).square().sum()
    (above,) = torch.autograd.grad(out, joined, retain_graph=True)
    sent = []
    for head in range(many):
        mask = torch.zeros_like(above)
        columns = slice(head * width // many, (head + 1) * width // many)
        mask[..., columns] = above[..., columns]
        sent.append(torch.autograd.grad(joined, x, mask, retain_graph=True)[0].flatten())
    np.testing.assert_allclose(found.norms[:, 0], [float(g.norm()) for g in sent], rtol=1e-10)
    np.testing.assert_allclose(found.whole[0], float(sum(sent).norm()), rtol=1e-10)


def test_heads_of_a_whole_model_of_tokens() -> None:
    """Nothing comes in that has a derivative: what each head sends back to the rows that the tokens look up."""

    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.attend = nn.Embedding(5, 4), nn.MultiheadAttention(4, 2, batch_first=True)

        def forward(self, ids: Tensor) -> Tensor:
            h = self.table(ids)
            return self.attend(h, h, h, need_weights=False)[0]

    model, ids = double(Tokens()), torch.tensor([[0, 3, 1], [4, 4, 2]])
    (found,) = wg.record(model, ids, lambda m, x: {"c": m(x).square().sum()}).heads("")
    assert found.place == "table"
    h = model.table(ids).detach().requires_grad_()
    (wanted,) = torch.autograd.grad(model.attend(h, h, h, need_weights=False)[0].square().sum(), h)
    np.testing.assert_allclose(found.whole, [float(wanted.norm())])


class Cached(nn.Module):
    """Attention in two heads that remembers the keys and values of earlier calls."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 12)
        self.known: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.inner(x).unflatten(-1, (3, 2, 2)).permute(2, 0, 3, 1, 4)
        if self.known:
            k, v = (torch.cat(both, 2) for both in zip(self.known, (k, v), strict=True))
        self.known = [k, v]
        return ((q @ k.mT).softmax(-1) @ v).transpose(1, 2).flatten(2)


def test_heads_of_attention_with_a_cache() -> None:
    model = double(nn.ModuleDict({"make": nn.Linear(3, 4), "attend": Cached()}))
    x = torch.randn(2, 5, 3, dtype=torch.float64)

    def cost(m: Any, x: Tensor) -> dict[str, Tensor]:
        m["attend"].known = []
        m["attend"](m["make"](x[:, :3]))
        return {"later": m["attend"](m["make"](x[:, 3:])).square().sum()}

    first, second = wg.record(model, x, cost).heads("attend")
    assert first.place == "make"
    assert second.place == "make, make (call 2)"  # through the cache as well
    assert not first.whole.any()
    h = [model["make"](part).detach().requires_grad_() for part in (x[:, :3], x[:, 3:])]
    model["attend"].known = []
    model["attend"](h[0])
    wanted = torch.autograd.grad(model["attend"](h[1]).square().sum(), h)
    np.testing.assert_allclose(second.whole, [float(torch.cat([g.flatten() for g in wanted]).norm())])


def test_heads_of_a_module_that_returns_its_weights_too() -> None:
    class Told(Cached):
        def forward(self, x: Tensor) -> Any:
            q, k, v = self.inner(x).unflatten(-1, (3, 2, 2)).permute(2, 0, 3, 1, 4)
            weights = (q @ k.mT).softmax(-1)
            return (weights @ v).transpose(1, 2).flatten(2), weights

    torch.manual_seed(0)
    model = double(nn.ModuleDict({"make": nn.Linear(3, 4), "told": Told(), "plain": Cached()}))
    model["plain"].load_state_dict(model["told"].state_dict())
    x = torch.randn(2, 5, 3, dtype=torch.float64)
    (told,) = wg.record(model, x, lambda m, x: {"c": m["told"](m["make"](x))[0].sin().sum()}).heads("told")
    model["plain"].known = []
    (plain,) = wg.record(model, x, lambda m, x: {"c": m["plain"](m["make"](x)).sin().sum()}).heads("plain")
    assert told.place == "make"
    np.testing.assert_allclose(told.gramian, plain.gramian)


def test_each_call_of_a_module_sends_back_to_what_came_into_that_call() -> None:
    torch.manual_seed(0)
    model = double(nn.ModuleDict({"a": nn.MultiheadAttention(4, 2, batch_first=True)}))
    x = torch.randn(2, 3, 4, dtype=torch.float64)

    def twice(model: Any, x: Tensor) -> dict[str, Tensor]:
        h = model["a"](x, x, x, need_weights=False)[0]
        g = model["a"](h, h, h, need_weights=False)[0]
        return {"c": g.square().sum()}

    first, second = wg.record(model, x, twice).heads("a")
    assert (first.place, second.place) == ("batch", "a")
    h = model["a"](x, x, x, need_weights=False)[0].detach()
    # the second call is the whole of a computation that begins with what came into it
    (alone,) = wg.record(
        model, h, lambda m, h: {"c": m["a"](h, h, h, need_weights=False)[0].square().sum()}
    ).heads("a")
    np.testing.assert_allclose(second.gramian, alone.gramian, rtol=1e-10)
    x.requires_grad_()
    (whole,) = torch.autograd.grad(twice(model, x)["c"], x)
    np.testing.assert_allclose(first.whole[0], float(whole.norm()), rtol=1e-10)


def test_no_heads_where_there_is_no_attention() -> None:
    rec = wg.record(double(Net(1)), torch.randn(2, 3, dtype=torch.float64), costs)
    with pytest.raises(wg.NotSupportedError, match="no attention with several heads"):
        heads(rec, "layers.0")


def test_what_uses_send_back_in_mixed_precision_adds_up_to_what_arrives() -> None:
    model = nn.ModuleDict({"first": nn.Linear(3, 8), "more": nn.Linear(8, 8)})

    def mixed(model: Any, x: Tensor) -> dict[str, Tensor]:
        with torch.autocast("cpu", torch.bfloat16):
            h = model["first"](x)  # in half precision; what follows isn't
            return {"a": h.float().exp().sum() + h.view(-1).float().sin().sum(), "b": model["more"](h).sum()}

    record = wg.record(model, torch.randn(4, 3), mixed)
    sweep = record.graph_sweep("gradient")
    (uses,) = [uses for value, uses in uses_of(record.graph).items() if record.node_name(value) == "first"]
    sent = [sweep.sent(use.way) for use in uses]
    whole = sweep.values(record.at("first")[0])
    assert len(sent) == 3
    assert {part.dtype for part in sent} == {whole.dtype} == {torch.bfloat16}
    assert torch.equal(sum(sent[:-1], sent[-1]), whole)


def test_a_value_that_is_a_cost_too_is_sent_what_the_cost_itself_is_worth() -> None:
    def both(model: Any, x: Tensor) -> dict[str, Tensor]:
        each = model(x).square().sum(1)
        fit = each.mean()
        return {"fit": fit, "all": 3 * fit + each[0].sin(), "each": each.view(4)}

    record = wg.record(double(nn.Linear(3, 2)), torch.randn(4, 3, dtype=torch.float64), both)
    gradient = record.graph_sweep("gradient")
    forks = {fork.place: fork for fork in record.branches()}
    assert set(forks) == {"fit", "sum"}
    for place, fork in forks.items():
        sent = gradient.values(record.at(place)[0]).reshape(len(record.cost_names), -1)
        np.testing.assert_allclose(fork.whole, sent.norm(dim=1), rtol=1e-12)
    assert forks["fit"].senders == ("mul, to all", "the cost itself")
    assert forks["fit"].norms.tolist() == [[0, 3, *[0] * 4], [1, 0, *[0] * 4]]
    assert forks["sum"].senders[-1] == "the costs themselves"
    assert forks["sum"].norms[-1].tolist() == [0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize(("dtype", "seed"), [(torch.float32, 2), (torch.float64, 0)])
def test_what_cancels_is_known_to_the_digits_of_what_is_sent(dtype: torch.dtype, seed: int) -> None:
    torch.manual_seed(seed)
    weights = torch.rand(40, 2, dtype=dtype)

    def apart(model: Any, x: Tensor) -> dict[str, Tensor]:
        return {"c": (weights * model(x)).sum() - (weights.flip(0) * model(x + 1)).sum()}

    record = wg.record(nn.Linear(3, 2).to(dtype), torch.randn(40, 3, dtype=dtype), apart)
    (bias,) = (fork for fork in record.branches() if fork.place == "bias")
    wanted = float(record.gradients()["bias"].norm())
    assert wanted < 20 * torch.finfo(dtype).eps * bias.norms.max()
    assert bias.whole[0] == pytest.approx(wanted, rel=1e-6, abs=1e-14 * bias.norms.max())


def test_a_learned_start_that_is_left_behind_is_no_residual_add() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.start, self.cell = nn.Parameter(torch.randn(1, 4)), nn.GRUCell(3, 4)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.cell(x, self.start.expand(len(x), -1))
            return out

    record = wg.record(Gated(), torch.randn(2, 3), lambda m, x: {"c": m(x).sum()})
    assert residuals(record) == ()
