"""The depth profile: what each layer puts out, whatever its module returns and whoever uses its parameters."""

import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

import whygrad as wg
from whygrad.torch_recorder.batches import named_tensors


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


class Named(nn.Module):
    """Layers that are called like operations, of which some are called by the costs too."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.addmm, self.mean = nn.Embedding(9, 4), nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = nn.functional.embedding(x, self.embedding.weight.detach()) + self.embedding(x)
        h = self.addmm(h @ torch.eye(4, dtype=h.dtype)).tanh()
        made: Tensor = self.mean(h)
        return made.mean(0)


class Last(nn.Module):
    """A recurrent layer of which the last state alone is used."""

    def __init__(self, kind: type[nn.Module]) -> None:
        super().__init__()
        self.embed, self.recurrent, self.head = (
            nn.Embedding(9, 4),
            kind(4, 5, batch_first=True),
            nn.Linear(5, 2),
        )

    def forward(self, x: Tensor) -> Tensor:
        _, state = self.recurrent(self.embed(x[None]))
        made: Tensor = self.head((state[0] if isinstance(state, tuple) else state)[-1])
        return made


class Quantised(nn.Module):
    """A module that returns a dictionary: what the next one reads, and a cost of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.codes = nn.Parameter(torch.randn(3, 4))

    def forward(self, h: Tensor) -> dict[str, Tensor]:
        near = self.codes[torch.cdist(h, self.codes).argmin(1)]
        commitment = (near - h.detach()).square().mean() + (near.detach() - h).square().mean()
        return {"commitment": commitment, "codes": 0.5 * near + 0.5 * h}


class Coded(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.quantised, self.head = nn.Embedding(9, 4), Quantised(), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.head(self.quantised(self.embed(x).tanh())["codes"])
        return made


def pieces(model: nn.Module) -> nn.Module:
    return nn.Sequential(
        nn.Embedding(9, 4),
        parametrizations.weight_norm(nn.Linear(4, 6, bias=False)),
        nn.Tanh(),
        parametrizations.spectral_norm(model),
    )


CASES = {
    "layers that are called like operations": Named,
    "the last state of an LSTM": lambda: Last(nn.LSTM),
    "the last state of a GRU": lambda: Last(nn.GRU),
    "a dictionary": Coded,
    "weights that are made of others": lambda: pieces(nn.Linear(6, 3)),
}


@pytest.mark.parametrize("name", CASES)
def test_depth_is_the_derivative_by_what_the_modules_return(name: str) -> None:
    made: Any = CASES[name]
    model, x = made().double().eval(), torch.arange(7)
    report = wg.record(model, x, lambda m, x: {"a": m(x).square().mean(), "b": m(x).exp().sum()}).report()
    seen: dict[str, list[Tensor]] = {}

    def keep(path: str, out: Any) -> None:
        for _, tensor in named_tensors(out, ""):
            if tensor.dim():
                tensor.retain_grad()
                seen.setdefault(path, []).append(tensor)

    for path, module in model.named_modules():
        module.register_forward_hook(lambda _, __, out, path=path: keep(path, out))
    losses = (model(x).square().mean(), model(x).exp().sum())
    sum(losses).backward()
    assert len(report.layers) == 3
    for layer in report.layers:
        outputs = seen[layer.name]
        for k, some in enumerate((outputs[: len(outputs) // 2], outputs[len(outputs) // 2 :])):
            norms = [float(out.grad.norm()) for out in some if out.grad is not None]
            np.testing.assert_allclose(layer.norms[k], np.linalg.norm(norms), rtol=1e-10)


def test_of_several_arrays_that_a_module_returns_the_first_counts_that_a_cost_reaches() -> None:
    class Attends(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.keys, self.values = nn.Parameter(torch.randn(5, 4)), nn.Parameter(torch.randn(5, 3))

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            weights = (x @ self.keys.T).softmax(-1)
            return weights @ self.values, weights, x * self.values.sum()

    model = nn.ModuleList([Attends(), nn.Linear(3, 2)]).double()
    x = torch.randn(6, 4, dtype=torch.float64)
    seen: list[tuple[Tensor, ...]] = []

    def costs(m: nn.ModuleList, x: Tensor) -> dict[str, Tensor]:
        out, weights, beside = m[0](x)
        seen.append((out, weights, beside))
        return {
            "out": m[1](out).square().mean() + weights.square().sum(),
            "weights": weights.log().mean(),
            "both": out.exp().sum() + beside.square().sum(),
        }

    report = wg.record(model, x, costs).report()
    losses = costs(model, x)
    out, weights, beside = seen[-1]
    for k, (name, by) in enumerate({"out": (out,), "weights": (weights,), "both": (out, beside)}.items()):
        each = torch.autograd.grad(losses[name], by, retain_graph=True)
        np.testing.assert_allclose(
            report.layers[0].norms[k], np.linalg.norm([float(one.norm()) for one in each]), rtol=1e-10
        )


def test_a_module_that_returns_a_cost_has_what_its_parameters_make_as_its_output() -> None:
    class Margins(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.centres = nn.Parameter(torch.randn(5, 4))
            self.scores: list[Tensor] = []

        def forward(self, h: Tensor) -> Tensor:
            scores = nn.functional.normalize(h) @ nn.functional.normalize(self.centres).T
            scores.retain_grad()
            self.scores.append(scores)
            return nn.functional.cross_entropy(16 * scores, torch.arange(len(h)))

    class Weighed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.spread = nn.Parameter(torch.zeros(()))

        def forward(self, loss: Tensor) -> Tensor:
            return (-self.spread).exp() * loss + self.spread

    model = nn.ModuleList([nn.Linear(3, 4), Margins(), Weighed()]).double()
    first, margins, weighed = model
    x = torch.randn(5, 3, dtype=torch.float64)

    def costs(_: nn.Module, x: Tensor) -> dict[str, Tensor]:
        return {"all": weighed(margins(first(x).tanh()))}

    report = wg.record(model, x, costs).report()
    assert [layer.name for layer in report.layers] == ["0", "1"]  # the last one meets costs alone
    costs(model, x)["all"].backward()
    wanted = margins.scores[-1].grad
    assert wanted is not None
    np.testing.assert_allclose(report.layers[1].norms, [float(wanted.norm())], rtol=1e-10)
    assert not [finding for finding in report.findings if finding.kind in ("vanishing", "exploding")]


def test_a_module_whose_weight_others_use_has_no_cost_as_its_output() -> None:
    class Placed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.places = nn.Embedding(7, 4), nn.Embedding(9, 4)
            self.turn, self.head = nn.Linear(4, 4), nn.Linear(4, 3)
            self.seen: list[Tensor] = []

        def forward(self, x: Tensor) -> Tensor:
            h = self.words(x) + self.places.weight[: x.shape[1]].clone()
            moved = (h @ self.turn.weight.T).unsqueeze(0) + self.turn.bias
            for each in (h, moved):
                each.retain_grad()
                self.seen.append(each)
            made: Tensor = self.head(moved[0].tanh())
            return made

    model, x = Placed().double(), torch.arange(6).reshape(2, 3)
    found = wg.record(model, x, lambda m, x: {"a": m(x).square().mean(), "b": m(x).exp().sum()}).report()
    assert [layer.name for layer in found.layers] == ["words", "places", "turn", "head"]
    model.seen.clear()
    (model(x).square().mean() + model(x).exp().sum()).backward()
    for layer, at in zip(found.layers[1:3], (0, 1), strict=True):
        wanted = [float(each.grad.norm()) for each in model.seen[at::2] if each.grad is not None]
        np.testing.assert_allclose(layer.norms, wanted, rtol=1e-10)


def test_parameters_of_the_whole_model_are_told_from_its_output() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token, self.scale = nn.Parameter(torch.randn(1, 4)), nn.Parameter(torch.tensor(1e-5))
            self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            h = self.second(self.first(torch.cat([self.token, x]))) * self.scale
            return h

    report = wg.record(Tokens().double(), torch.randn(3, 4).double(), lambda m, x: {"a": m(x).sum()}).report()
    assert [layer.name for layer in report.layers] == ["", "first", "second"]
    (line,) = (line for line in str(report).splitlines() if line.lstrip().startswith("a ") and " to " in line)
    assert line.endswith("(own parameters → second)")
    assert "own parameters" in report.to_html()


class Deep(nn.Module):
    """A trunk with a condition that matters little and, beside its head, another one that hardly weighs."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.condition, self.gate = nn.Embedding(4, 4), nn.Linear(4, 4)
        self.trunk = nn.Sequential(*(nn.Linear(4, 4, bias=False) for _ in range(5)))
        self.head, self.side = nn.Linear(4, 3), nn.Linear(4, 1)
        for layer in self.trunk:
            nn.init.eye_(layer.weight)
            layer.weight.data *= scale
        self.gate.weight.data *= 1e-6

    def costs(self, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        x, kind = batch
        h = self.trunk(x * (1 + self.gate(self.condition(kind))))
        whole = self.head(h).square().mean()
        return {"all": whole + 1e-6 * self.side(h).square().mean()}


def test_a_part_that_weighs_little_is_neither_vanishing_nor_exploding() -> None:
    def costs(m: Deep, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        h = m.trunk(batch[0])
        steered = m.trunk(batch[0] * (1 + m.gate(m.condition(batch[1]))))
        return {
            "steered": m.head(steered).square().mean(),
            "side": m.head(h).square().mean() + 1e-6 * m.side(h).square().mean(),
            **m.costs(batch),
        }

    batch = torch.randn(6, 4).double(), torch.arange(6) % 4
    report = wg.record(Deep(1.0).double(), batch, costs).report()
    sizes = {layer.name: layer.norms[0] for layer in report.layers}
    assert sizes["condition"] < 1e-4 * sizes["trunk.0"]
    side = next(layer.norms[1] for layer in report.layers if layer.name == "side")
    assert side < 1e-4 * sizes["trunk.0"]
    assert not {"vanishing", "exploding"} & {finding.kind for finding in report.findings}


@pytest.mark.parametrize(("scale", "kind"), [(0.1, "vanishing"), (10.0, "exploding")])
def test_through_depth_goes_from_where_the_batch_comes_in_to_the_head_that_weighs_most(
    scale: float, kind: str
) -> None:
    batch = torch.randn(6, 4).double(), torch.arange(6) % 4
    report = wg.record(Deep(scale).double(), batch, lambda m, b: m.costs(b)).report()
    (finding,) = (finding for finding in report.findings if finding.kind in ("vanishing", "exploding"))
    assert (finding.kind, finding.names) == (kind, ("trunk.0", "head"))
    sizes = {layer.name: layer.norms[0] for layer in report.layers}
    each = (sizes["trunk.0"] / sizes["head"]) ** (
        1 / 5
    )  # five steps: from the first of five layers to the head
    assert finding.says.endswith(f"a factor of {each:.3g} a layer over 6 layers")


@pytest.mark.parametrize(
    ("scale", "where"), [(1e-5, (2,)), (1e5, (2,)), (0.05, (0, 1, 2, 3)), (20.0, (0, 1, 2, 3))]
)
def test_what_vanishes_or_explodes_at_one_step_is_told_where(scale: float, where: tuple[int, ...]) -> None:
    model = nn.Sequential(*(nn.Linear(4, 4, bias=False) for _ in range(5))).double()
    for place, layer in enumerate(model):
        nn.init.eye_(layer.weight)
        layer.weight.data *= scale if place in where else 1.0
    x = torch.randn(8, 4).double()
    report = wg.record(model, x, lambda m, x: {"size": m(x).square().sum() / m(x).detach().norm()}).report()
    (finding,) = (finding for finding in report.findings if finding.kind in ("vanishing", "exploding"))
    assert finding.kind == ("vanishing" if scale < 1 else "exploding")
    one = "and most of that lies in one step" in finding.says
    assert one == (len(where) == 1) == finding.tries[0].startswith("look at what lies between the outputs")
    if one:  # by the output of the layer before the one that is scaled
        (told,) = re.findall(
            r"by the output of layer `1` it is (\S+) times that by the output of layer `2`", finding.says
        )
        assert float(told) == pytest.approx(scale)
