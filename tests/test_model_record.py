"""What is asked of a recorded model: names, sweeps and paths, against plain Python that follows every path."""

import math
import re
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import whygrad as wg
from tests.laws.enumeration import Contribution, Edge, every_path, network_edges


@pytest.fixture(autouse=True)
def double() -> Any:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(before)


def layered(activation: Any) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    model = nn.Sequential(nn.Linear(2, 3), activation, nn.Linear(3, 2))
    return model, torch.randn(3, 2), torch.rand(3, 2)


def by_hand(model: Any, x: Any, y: Any, activation: str, start: Any) -> list[Contribution]:
    parameters = {
        f"{kind}{layer}": p.detach().numpy()
        for layer, module in ((1, model[0]), (2, model[2]))
        for kind, p in (("W", module.weight), ("b", module.bias))
    }
    edges = network_edges([2, 3, 2], [activation, "identity"], parameters, x.numpy(), y.numpy())
    return every_path(edges, start, {("C", 0), ("C", 1)})


@pytest.mark.parametrize(
    ("module", "activation"), [(nn.Tanh(), "tanh"), (nn.ReLU(), "relu"), (nn.Sigmoid(), "sigmoid")]
)
@pytest.mark.parametrize(
    ("name", "start"),
    [("0.weight[1, 0]", ("w", 1, 1, 0)), ("0.bias[2]", ("b", 1, 2)), ("2.weight[0, 1]", ("w", 2, 0, 1))],
)
def test_paths_and_sweeps_are_those_of_an_enumeration(
    module: Any, activation: str, name: str, start: Any
) -> None:
    model, x, y = layered(module)
    record = wg.record(model, x, lambda m, b: {f"C{k}": (m(b) - y)[:, k].square().sum() for k in range(2)})
    found = by_hand(model, x, y, activation, start)
    products = sorted((c.product for c in found if c.live), key=lambda p: -abs(p))
    paths = record.paths(name, k=1000)
    np.testing.assert_allclose(sorted(paths.contribution), sorted(products), rtol=1e-12)
    assert paths.count == len(found)
    assert paths.live == len(products)
    assert paths.sum == pytest.approx(sum(products), abs=1e-12)
    assert paths.total == pytest.approx(sum(map(abs, products)), abs=1e-12)
    assert record.gradient(name) == pytest.approx(sum(products), abs=1e-12)
    assert record.sweep("strongest")[name] == pytest.approx(products[0])
    assert record.sweep("count")[name] == len(found)
    shares = [abs(p) / sum(map(abs, products)) for p in products]
    assert record.sweep("entropy")[name] == pytest.approx(-sum(s * math.log(s) for s in shares))


def test_paths_through_a_convolution_are_those_of_an_enumeration() -> None:
    conv = nn.Conv1d(2, 2, 3, padding=1, stride=2, bias=False)
    x = torch.randn(2, 2, 5)
    record = wg.record(conv, x, lambda m, b: {"c": m(b).square().sum()})
    out = conv(x).detach()
    edges: dict[Any, list[Edge]] = {}
    for n in range(2):
        for o in range(2):
            for t in range(3):
                edges.setdefault(("y", n, o, t), []).append(Edge(("c",), 2 * out[n, o, t].item(), False))
                for i in range(2):
                    for k in range(3):
                        at = 2 * t + k - 1
                        if 0 <= at < 5:
                            partial = x[n, i, at].item()
                            edges.setdefault(("w", o, i, k), []).append(Edge(("y", n, o, t), partial, False))
    found = every_path(edges, ("w", 1, 0, 2), {("c",)})
    paths = record.paths("weight[1, 0, 2]", k=100)
    np.testing.assert_allclose(sorted(paths.contribution), sorted(c.product for c in found), rtol=1e-12)
    assert paths.count == len(found)


# Names


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.tanh(self.inner(x))


def test_names_are_those_of_modules_and_parameters() -> None:
    model = nn.ModuleDict({"blocks": nn.Sequential(Block(), Block()), "head": nn.Linear(4, 1)})
    record = wg.record(model, torch.randn(1, 4), lambda m, b: {"size": m["head"](m["blocks"](b)).sum()})
    path = record.paths("blocks.0.inner.weight[1, 2]", k=1)[0]
    assert path.quantities == (
        "blocks.0.inner.weight[1, 2]",
        "blocks.0.inner[0, 1]",
        "blocks.0.tanh[0, 1]",
        "blocks.0[0, 1]",
        *path.quantities[4:],
    )
    assert path.quantities[-1] == "size"
    assert record.at("blocks.1[0, 3]") == (record.at("blocks.1")[0], 3)
    assert record.name(wg_entry(record, "blocks.1[0, 3]")) == "blocks.1[0, 3]"


def test_an_operation_that_is_called_like_a_module_does_not_take_its_name() -> None:
    class Called(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mean, self.a = nn.Linear(4, 3), Block()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = x - x.mean(-1, keepdim=True) * self.mean.weight.mean()
            made: torch.Tensor = self.mean(self.a(x))
            return made.mean(0)

    record = wg.record(Called(), torch.randn(2, 4), lambda m, x: {"c": m(x).mean()})
    assert record.graph.nodes[record.at("mean")[0]].value.shape == (2, 3)
    assert record.made[record.at("mean")[0]].module == "mean"
    names = [record.node_name(number) for number in range(len(record.graph.nodes))]
    assert len(set(names)) == len(names)
    assert all(record.at(name) == (number, None) for number, name in enumerate(names) if name != "c")
    # its path is no beginning of the name of an operation in it
    (add,) = (
        n for n, node in enumerate(record.graph.nodes) if record.modules[n] == "a" and node.op.name == "add"
    )
    assert record.node_name(add) == "a"
    inner = wg.record(
        nn.ModuleDict({"t": nn.Sequential(Block())}), torch.ones(1, 4), lambda m, x: {"c": m["t"](x).sum()}
    )
    assert "t.0.tanh" in [inner.node_name(number) for number in range(len(inner.graph.nodes))]


def test_what_a_module_returns_beside_its_output_is_named_after_it() -> None:
    model = nn.ModuleDict({"past": nn.LSTM(4, 3), "now": nn.Linear(3, 1)})
    record = wg.record(model, torch.randn(5, 1, 4), lambda m, x: {"c": m["now"](m["past"](x)[1][0]).sum()})
    assert record.paths("past.weight_hh_l0[0, 0]", k=1)[0].quantities[-3].startswith("past (output 2)[0, 0, ")


def wg_entry(record: wg.Record, name: str) -> Any:
    from whygrad.graph import Entry

    node, position = record.at(name)
    assert position is not None
    return Entry(node, position)


def test_attention_weights_are_named_by_head_and_tokens() -> None:
    model = nn.MultiheadAttention(4, 2, batch_first=True)
    record = wg.record(model, torch.randn(1, 3, 4), lambda m, b: {"c": m(b, b, b)[0].square().sum()})
    names = {name for path in record.paths("in_proj_weight[0, 0]", k=30) for name in path.quantities}
    assert any("head 0, token" in name and " -> token " in name for name in names), names


class Einsum(nn.Module):
    """Attention by einsum, as ``pattern`` joins weights and values."""

    def __init__(self, pattern: str) -> None:
        super().__init__()
        self.num_heads, self.pattern, self.values = 2, pattern, nn.Linear(4, 6)

    def weights(self, x: torch.Tensor) -> torch.Tensor:
        heads = x.view(*x.shape[:2], 2, 2)
        return torch.einsum("bthd,bshd->bhts", heads, heads).softmax(-1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.einsum(self.pattern, self.weights(x), self.values(x).view(*x.shape[:2], 2, 3))


@pytest.mark.parametrize("pattern", ["bhts,bshd->bthd", "bhts,bshd->bhdt", "whole"])
@pytest.mark.parametrize("examples", [1, 2])
def test_a_step_through_attention_is_named_after_the_weight_that_it_is_multiplied_by(
    pattern: str, examples: int
) -> None:
    torch.manual_seed(0)
    x = torch.randn(examples, 3, 4)
    if pattern == "whole":
        attention: nn.Module = nn.MultiheadAttention(4, 2, batch_first=True)
        weights = attention(x, x, x, average_attn_weights=False)[1]
        record = wg.record({"a": attention}, x, lambda m, b: {"c": m["a"](b, b, b)[0].square().sum()})
    else:
        attention = Einsum(pattern)
        weights = attention.weights(x)
        record = wg.record({"a": attention}, x, lambda m, b: {"c": m["a"](b).square().sum()})
    steps = 0
    for path in record.paths("batch", k=200):
        for name in path.quantities:
            found = re.fullmatch(
                r"a head (\d), token (\d) -> token (\d)(, value \d)?(?: of example (\d))?", name
            )
            if found is None:
                continue
            head, asking, asked, value, example = found.groups()
            place = path.path.entries.index(wg_entry(record, name))
            assert record.at(record.unicode(name)) == record.at(name)
            weight = weights[int(example or 0), int(head), int(asking), int(asked)].item()
            if value is None:
                held = record.graph.nodes[path.path.entries[place].node].value.reshape(-1)
                assert held[path.path.entries[place].position].item() == pytest.approx(weight)
            else:
                assert path.path.partials[place - 1] == pytest.approx(weight)
                steps += 1
    assert steps > 20


@pytest.mark.parametrize("scale", [0.02, 40.0])
def test_the_strongest_path_of_a_deep_net_is_found_beyond_the_range_of_single_precision(scale: float) -> None:
    model = nn.Sequential(*(nn.Linear(8, 8, bias=False) for _ in range(30))).float()
    for layer in model:
        layer.weight.data = torch.randn(8, 8).float() * scale
    x = torch.randn(2, 8).float()

    def costs(model: nn.Module, batch: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"c": model(batch).sum()}

    found = wg.record(model, 1e-10 / scale * x, costs).paths("0.weight[0, 0]", k=1)
    wanted = wg.record(model.double(), 1e-10 / scale * x.double(), costs).paths("0.weight[0, 0]", k=1)
    assert not 1e-38 < abs(wanted[0].contribution) < 1e38
    assert found[0].path.entries == wanted[0].path.entries
    assert found[0].contribution == pytest.approx(wanted[0].contribution, rel=1e-4)
    assert found.source.sweep("strongest")["0.weight[0, 0]"] == pytest.approx(found[0].contribution, rel=1e-5)


class Heads(nn.Module):
    """Attention with two heads, side by side or one by one."""

    def __init__(self, one_by_one: bool) -> None:
        super().__init__()
        self.one_by_one, self.values = one_by_one, nn.Linear(4, 4)
        if one_by_one:
            self.num_heads = 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, v = (each.view(*x.shape[:2], 2, 2).transpose(1, 2) for each in (x, self.values(x)))
        if self.one_by_one:
            return torch.cat([(q[:, h] @ q[:, h].mT).softmax(-1) @ v[:, h] for h in range(2)], -1)
        return ((q @ q.mT).softmax(-1) @ v).transpose(1, 2).reshape(x.shape)


@pytest.mark.parametrize("one_by_one", [True, False])
def test_heads_are_named_where_they_lie_side_by_side_and_not_for_an_axis_of_examples(
    one_by_one: bool,
) -> None:
    model = {"a": Heads(one_by_one)}
    record = wg.record(model, torch.randn(2, 3, 4), lambda m, b: {"c": m["a"](b).square().sum()})
    names = {name for path in record.paths("a.values.weight", k=50) for name in path.quantities}
    assert any("head 1, token 2 -> token 0, value 1 of example 1" in name for name in names) != one_by_one
    assert any("head" in name for name in names) != one_by_one


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv1d(2, 3, 3, stride=2, padding=1), (4, 2, 9)),
        (nn.Conv2d(2, 3, (3, 2), stride=(1, 2), padding=(2, 0), dilation=(2, 1), bias=False), (4, 2, 7, 6)),
        (nn.Conv2d(2, 3, 3, padding="same", padding_mode="circular"), (4, 2, 5, 6)),
        (nn.Conv3d(1, 2, 2), (2, 1, 3, 4, 3)),
        (nn.Conv2d(2, 4, 3, groups=2), (2, 2, 5, 5)),
        (nn.ConvTranspose2d(2, 3, 3), (2, 2, 5, 5)),
    ],
    ids=repr,
)
def test_gradients_of_a_convolution_are_products_of_its_factors(
    layer: nn.Module, shape: tuple[int, ...]
) -> None:
    def costs(model: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
        out = model(x)
        return {"a": out.square().sum(), "b": out.sin().sum()}

    gradients = wg.record(layer.double(), torch.randn(shape), costs).gradients()
    whole = isinstance(layer, nn.ConvTranspose2d) or layer.groups > 1
    assert list(gradients.factors) == ([] if whole else ["weight"])
    for name, factors in gradients.factors.items():
        formed = torch.einsum("kno,ni->koi", factors.cotangent, factors.input)
        torch.testing.assert_close(formed.reshape(gradients[name].shape), gradients[name])


def test_a_cost_by_itself_keeps_its_name() -> None:
    model = nn.Linear(3, 2)

    def costs(model: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
        out = model(x)
        return {"size": out.square().mean(), "each": out.sum(0)}

    record = wg.record(model, torch.randn(4, 3), costs)
    assert record.of("size").cost_names == ("size",)
    assert record.of("each[1]").cost_names == ("each[1]",)
    np.testing.assert_array_equal(record.of("size").gradients()["weight"][0], record.gradients()["weight"][0])


def test_norms_of_a_module_are_those_of_all_its_parameters_together() -> None:
    model = nn.Sequential(nn.Sequential(nn.Linear(4, 3), nn.Tanh()), nn.Linear(3, 2))
    record = wg.record(
        model, torch.randn(5, 4), lambda m, b: {"a": m(b).square().sum(), "b": m(b).sin().sum()}
    )
    gradients = record.gradients()
    each = {name: gradients[name].reshape(2, -1) for name in gradients}
    for module in ("0", "0.0", "1", ""):
        inside = torch.cat(
            [rows for name, rows in each.items() if not module or name.startswith(f"{module}.")], 1
        )
        torch.testing.assert_close(gradients.norms(module), inside.norm(dim=1))
    for name, rows in each.items():
        torch.testing.assert_close(gradients.norms(name), rows.norm(dim=1))
        assert torch.equal(gradients.norms()[name], gradients.norms(name))
    with pytest.raises(wg.QuantityError, match=r"did you mean '0\.0\.bias'"):
        gradients.norms("0.0.bas")


@pytest.mark.parametrize("use", ["flat", "wider", "left"])
def test_a_softmax_that_is_used_otherwise_is_no_attention(use: str) -> None:
    class Weighs(nn.Module):
        num_heads = 2

        def __init__(self) -> None:
            super().__init__()
            self.one = nn.Parameter(torch.randn(18))
            self.many = nn.Parameter(torch.randn(5, 1, 1, 1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            weights = x.softmax(-1)
            if use == "flat":
                return weights.flatten() @ self.one
            if use == "wider":
                return (weights * self.many) @ x
            return x @ weights

    record = wg.record({"a": Weighs()}, torch.randn(1, 2, 3, 3), lambda m, b: {"c": m["a"](b).sum()})
    names = [name for path in record.paths("batch", k=30) for name in path.quantities]
    assert not any("value" in name for name in names)
    assert all(record.at(name) for name in names)


def test_a_head_or_token_that_is_not_there_is_refused() -> None:
    model = {"a": nn.MultiheadAttention(4, 2, batch_first=True)}
    record = wg.record(model, torch.randn(1, 3, 4), lambda m, b: {"c": m["a"](b, b, b)[0].sum()})
    for name in (
        "a head 2, token 0 -> token 1",
        "a head 1, token 3 -> token 1",
        "a head 1, token 0 -> token 3",
    ):
        with pytest.raises(wg.QuantityError, match="expected a head below 2, tokens below 3 and 3"):
            record.at(name)


def test_an_output_has_the_name_of_every_module_that_returns_it() -> None:
    model = nn.Sequential(nn.Sequential(nn.Linear(4, 3), nn.Tanh()), nn.Identity(), nn.Linear(3, 2))
    record = wg.record(model, torch.randn(2, 4), lambda m, b: {"c": (m(b) + m(2 * b)).sum()})
    assert record.at("0[1, 2]") == record.at("0.1[1, 2]") == record.at("1[1, 2]")
    assert record.at("0 (call 2)[1, 2]") == record.at("0.1 (call 2)[1, 2]") != record.at("0[1, 2]")
    assert record.paths("0[1, 2]", k=1)[0].quantities[0] == "0.1[1, 2]"


def test_derivatives_by_what_is_in_the_middle() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
    x = torch.randn(2, 4)
    record = wg.record(model, x, lambda m, b: {"c": m(b).square().sum()})
    h = torch.tanh(model[0](x)).detach().requires_grad_()
    model[2](h).square().sum().backward()
    torch.testing.assert_close(record.gradient("1"), h.grad)
    assert record.gradient("1[1, 2]") == pytest.approx(h.grad[1, 2].item())


def test_paths_between_any_two_points() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
    x = torch.randn(2, 4)
    record = wg.record(model, x, lambda m, b: {"c": m(b).square().sum()})
    between = record.of("2[1, 0]")
    h = torch.tanh(model[0](x)).detach()
    slope = (1 - h[1, 2] ** 2).item()
    wanted = x[1, 3].item() * slope * model[2].weight[0, 2].item()
    (path,) = between.paths("0.weight[2, 3]")
    assert path.contribution == pytest.approx(wanted)
    assert path.quantities == ("0.weight[2, 3]", "0[1, 2]", "1[1, 2]", "2[1, 0]")
    assert between.gradient("0.weight[2, 3]") == pytest.approx(wanted)
    assert record.of("1").gradients()["0.bias"].shape == (6, 3)


def test_a_tied_parameter_is_found_by_each_of_its_names_and_in_each_module() -> None:
    model = nn.ModuleDict({"words": nn.Embedding(5, 3), "head": nn.Linear(3, 5)}).double()
    model["head"].weight = model["words"].weight

    def costs(m: nn.ModuleDict, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {
            "a": m["head"](m["words"](x).tanh()).square().mean(),
            "b": m["head"](m["words"](x)).exp().sum(),
        }

    x = torch.arange(5)
    gradients = wg.record(model, x, costs).gradients()
    assert list(gradients) == ["words.weight", "head.bias"]
    torch.testing.assert_close(gradients["head.weight"], gradients["words.weight"])
    tied, bias = model["words"].weight, model["head"].bias
    rows = [
        torch.cat([g.flatten() for g in torch.autograd.grad(loss, [tied, bias])])
        for loss in costs(model, x).values()
    ]
    torch.testing.assert_close(gradients.gramian("head"), torch.stack(rows) @ torch.stack(rows).T)
    torch.testing.assert_close(gradients.gramian("head.weight"), gradients.gramian("words"))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("0.wieght", "expected a parameter, an input, a module or a cost of this model, such as 0.weight"),
        ("0.wieght", "; did you mean '0.weight'?"),
        ("0.wieght[1, 2]", "; did you mean '0.weight'?"),
        ("cc", "; did you mean 'c'?"),
        (
            "0.weight[9, 9]",
            "expected 2 whole numbers from 0, below (3, 4) (the shape of 0.weight), found [9, 9];",
        ),
        ("0.weight[1]", "expected 2 whole numbers from 0, below (3, 4)"),
        ("0.weight[a]", "found [a]; '0.weight' alone is the whole array"),
        ("0.weight[-1, 0]", "found [-1, 0]; '0.weight' alone is the whole array"),
        ("0.weight[:, 0]", "found [:, 0]; '0.weight' alone is the whole array"),
    ],
)
def test_names_that_are_wrong(name: str, says: str) -> None:
    record = wg.record(nn.Sequential(nn.Linear(4, 3)), torch.randn(2, 4), lambda m, b: {"c": m(b).sum()})
    with pytest.raises(wg.QuantityError) as refused:
        record.gradient(name)
    assert says in str(refused.value)


def test_a_cost_or_a_semiring_that_is_wrong() -> None:
    record = wg.record(nn.Linear(2, 2), torch.randn(2, 2), lambda m, b: {"a": m(b).sum(), "b": m(b).mean()})
    with pytest.raises(wg.QuantityError, match="cost: expected one of a, b, found 'c'"):
        record.gradient("weight[0, 0]", cost="c")
    with pytest.raises(wg.NotSupportedError, match="sweep: expected one of gradient"):
        record.sweep("best")
    with pytest.raises(wg.QuantityError, match="k must be a positive whole number"):
        record.paths("weight", k=0)
    with pytest.raises(wg.QuantityError, match="expected a parameter of this model"):
        record.gradients()["weigth"]


# Inner products


def two_costs(model: Any, batch: Any) -> Any:
    out = model(batch)
    return {"first": out[:, 0].square().mean(), "second": F.softplus(out[:, 1]).sum()}


def test_gramians_norms_and_cosines_by_parameter_module_and_model() -> None:
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 2))
    record = wg.record(model, torch.randn(7, 4), two_costs)
    gradients = record.gradients()
    flat = {name: gradients[name].reshape(2, -1) for name in gradients}
    for of in (None, "0", "2.weight", "2.bias", "4"):
        names = [n for n in flat if of is None or n == of or n.startswith(f"{of}.")]
        J = torch.cat([flat[n] for n in names], 1)
        torch.testing.assert_close(gradients.gramian(of), J @ J.T)
        unit = J / J.norm(dim=1, keepdim=True)
        torch.testing.assert_close(gradients.cosines(of), unit @ unit.T)
    for name, rows in flat.items():
        torch.testing.assert_close(gradients.norms()[name], rows.norm(dim=1))
        torch.testing.assert_close(gradients.total[name], gradients[name].sum(0))
    factors = gradients.factors["2.weight"]
    formed = torch.einsum("kno,ni->koi", factors.cotangent, factors.input)
    torch.testing.assert_close(formed, gradients["2.weight"])


def test_inner_products_need_no_gradient_where_that_is_cheaper() -> None:
    model = nn.Linear(40, 30)
    gradients = wg.record(model, torch.randn(3, 40), two_costs).gradients()
    found = gradients.gramian("weight")
    assert not gradients._arrays
    rows = gradients["weight"].reshape(2, -1)
    torch.testing.assert_close(found, rows @ rows.T)


@pytest.mark.parametrize("room", [1, 10**9])
def test_gradients_that_are_smaller_than_the_cotangents_are_made_some_costs_at_a_time(
    room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whygrad.structures.kernels.ROOM", {4: room, 8: room})
    tied = nn.Linear(3, 3)
    model = nn.Sequential(
        nn.Conv1d(2, 3, 3), nn.ReLU(), nn.Flatten(0, 1), nn.Linear(8, 3), tied, nn.Tanh(), tied
    )
    x = torch.randn(9, 2, 10)
    record = wg.record(model, x, lambda m, b: {"costs": m(b).square().sum(0), "part": m[0](b).sum()})
    gradients = record.gradients()
    assert gradients._small
    costs = [*model(x).square().sum(0), model[0](x).sum()]
    for name, parameter in model.named_parameters():
        rows = [
            torch.autograd.grad(cost, parameter, retain_graph=True, materialize_grads=True)[0]
            for cost in costs
        ]
        torch.testing.assert_close(gradients[name], torch.stack(rows))


def test_a_cosine_with_nothing_is_no_number() -> None:
    model = nn.ModuleList([nn.Linear(2, 1), nn.Linear(2, 1)])
    record = wg.record(model, torch.randn(3, 2), lambda m, b: {"a": m[0](b).sum(), "b": m[1](b).sum()})
    assert torch.isnan(record.gradients().cosines("0")[0, 1])


def test_sums_over_many_layers_don_t_overflow() -> None:
    torch.manual_seed(0)
    layers = [nn.Linear(8, 8).float() for _ in range(60)]
    with torch.no_grad():
        for layer in layers:
            layer.weight.mul_(10.0)
    record = wg.record(
        nn.Sequential(*layers), torch.randn(2, 8).float() * 1e-30, lambda m, b: {"c": m(b).sum() * 1e-20}
    )
    part = record.graph_sweep("total").cotangent(record.at("0.bias")[0])
    assert part is not None
    assert torch.isfinite(part.parts[0]).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("scale", [1e22, 1e-25, 1e-33])
@pytest.mark.parametrize("apart", [False, True])
def test_inner_products_of_which_squares_leave_the_range_of_the_gradients(
    dtype: torch.dtype, scale: float, apart: bool
) -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2)).to(dtype)

    def costs(m: Any, x: Any) -> Any:
        out = m(x)
        if apart:  # a cost for each example
            return {"each": scale * out.square().sum(1)}
        return {
            "first": scale * out[:, 0].square().mean(),
            "second": scale * out[:, 1].abs().mean(),
            "none": 0 * out.sum(),
        }

    gradients = wg.record(model, torch.randn(20, 6, dtype=dtype), costs).gradients()
    rows = {name: value.double().reshape(len(value), -1) for name, value in gradients.items()}
    for name, norms in gradients.norms().items():
        torch.testing.assert_close(norms.double(), rows[name].norm(dim=1), rtol=1e-5, atol=0.0)
    every = torch.cat(list(rows.values()), 1)
    right = torch.nn.functional.cosine_similarity(every[:, None] / scale, every[None] / scale, dim=-1)
    found = gradients.cosines().double()
    if not apart:
        assert found[2].isnan().all()
        right, found = right[:2, :2], found[:2, :2]
    torch.testing.assert_close(found, right, rtol=1e-5, atol=1e-6)


def test_a_cost_that_is_called_like_a_module_and_the_module() -> None:
    model = nn.ModuleDict({"size": nn.Linear(3, 1), "kind": nn.Linear(3, 2)})

    def costs(m: Any, x: Any) -> dict[str, torch.Tensor]:
        return {
            "size": m["size"](x)[0, 0].sin(),
            "kind": m["kind"](x).sum(1),
            "kind[0, 1]": m["kind"](x).sum(),
        }

    record = wg.record(model, torch.randn(2, 3), costs)
    assert record.cost_names == ("size", "kind[0]", "kind[1]", "kind[0, 1]")
    graph = record.graph
    for name, entry in zip(record.cost_names, graph.costs, strict=True):
        assert record.at(name) == entry
    for name, shape in (("size", (2, 1)), ("kind", (2, 2))):
        node, position = record.at(f"{name}[...]")
        assert position is None
        assert graph.nodes[node].value.shape == shape
        assert record.modules[node] == name
        for place in range(math.prod(shape)):
            # what a path is printed with finds the same entry again
            assert record.at(record.name(graph.costs[0]._replace(node=node, position=place))) == (node, place)
    with pytest.raises(wg.QuantityError, match=r"'size', which is one entry; 'size\[...\]' is the array"):
        record.sweep("total").array("size")
    assert record.sweep("total").array("size[...]").shape == (4, 2, 1)
    assert record.at("kind[...][0, 1]") == (record.at("kind[...]")[0], 1)
    assert record.at("kind[0, 0]") == (record.at("kind[...]")[0], 0)
    assert [path.quantities[-1] for path in record.paths("size.bias", cost="size")] == ["size"]
