"""What a report says, against plain autograd: where costs conflict, what is idle, where values break, what is dead."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import whygrad as wg
from tests.reports import CE, Trunk, cosine, only, report, rows


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def two(model: nn.Module, batch: Any) -> dict[str, Tensor]:
    a, b = model(batch[0])
    return {"a": CE(a, batch[1]), "b": 3 * CE(b, batch[2])}


@pytest.mark.parametrize("seed", range(6))
def test_every_number_in_the_sentences_is_autograds(seed: int) -> None:
    torch.manual_seed(seed)
    model = Trunk()
    batch = (torch.randn(20, 5), torch.randint(0, 3, (20,)), torch.randint(0, 3, (20,)))
    found = report(model, batch, two)
    gradients = rows(model, two(model, batch))
    shared = {layer: gradients[layer] for layer in ("first", "second", "third")}
    whole = np.concatenate(list(shared.values()), axis=1)
    cosines = {layer: cosine(pair) for layer, pair in shared.items()}
    against = {layer: value for layer, value in cosines.items() if value < -0.1}
    (finding,) = [f for f in found.findings if f.kind in ("conflict", "agreement")]
    assert (finding.kind == "conflict") == (bool(against) or cosine(whole) < -0.1)
    assert f"{cosine(whole):+.2f}".replace("-", "−") in finding.says or abs(cosine(whole)) < 0.005
    if against:
        most = min(against, key=lambda layer: float(shared[layer][0] @ shared[layer][1]))
        which = "all 3" if len(against) == 3 else f"{len(against)} of 3"
        most_in = "most in " if len(against) > 1 else ""
        assert f"in {which} shared layers, {most_in}layer `{most}` (cosine " in finding.says
        assert finding.names[0] == most
        widest = min(against, key=lambda layer: against[layer])
        assert (
            widest == most
            or f"the smallest, {against[widest]:+.2f}, is in layer `{widest}`".replace("-", "−")
            in finding.says
        )
        lost = sum(min(float(p[0] @ p[1]), 0) for p in shared.values()) / np.prod(
            np.linalg.norm(whole, axis=1)
        )
        assert finding.problem == (min(lost, cosine(whole)) < -0.1)
        if finding.problem:
            # PCGrad in that layer: what is left of a gradient's length
            g, other = shared[most]
            left = np.linalg.norm(g - g @ other / (other @ other) * other) / np.linalg.norm(g)
            if "nothing yet" in finding.tries[0]:
                assert min(left, np.sqrt(1 - cosine(whole) ** 2)) > 0.95
            else:
                (surgery,) = [one for one in finding.tries if "surgery" in one]
                assert f"({left:.0%} of its length is left in layer `{most}`)" in surgery
    ratios = {layer: np.linalg.norm(pair[1]) / np.linalg.norm(pair[0]) for layer, pair in shared.items()}
    if min(ratios.values()) >= 3:
        said = only(found, "domination")
        low, high = (float(n) for n in re.findall(r"is (\S+)(?: to (\S+))? times", said.says)[0])
        np.testing.assert_allclose([low, high], [min(ratios.values()), max(ratios.values())], rtol=0.06)


def test_a_bias_that_a_softmax_takes_away_is_named_and_others_are_not() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.q, self.k, self.v = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.scaled_dot_product_attention(self.q(x), self.k(x), self.v(x))

    found = report(Attention(), torch.randn(2, 5, 4), lambda m, x: {"c": m(x).square().sum()})
    assert only(found, "cancels").names == ("k.bias",)
    assert (
        "because a normalisation or a softmax takes away what this bias adds" in only(found, "cancels").says
    )


def test_a_module_with_parameters_of_its_own_is_a_layer_without_those_of_the_modules_in_it() -> None:
    torch.manual_seed(0)

    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token, self.attend, self.head = (
                nn.Parameter(torch.randn(1, 1, 4)),
                nn.MultiheadAttention(4, 2),
                nn.Linear(4, 2),
            )

        def forward(self, x: Tensor) -> Tensor:
            h = torch.cat([self.token.expand(1, x.shape[1], -1), x])
            made: Tensor = self.head(self.attend(h, h, h)[0][0])
            return made

    def costs(m: Tokens, x: Tensor) -> dict[str, Tensor]:
        # they pull against each other in the head, and the second reaches nothing else
        first = m(x).square().mean()
        return {"first": first, "second": -(m.head.weight.square().sum() + m.head.bias.square().sum())}

    model, x = Tokens().double(), torch.randn(3, 5, 4).double()
    report = wg.record(model, x, costs).report()
    layers = {layer.name: layer for layer in report.model.layers}
    losses, parameters = costs(model, x), dict(model.named_parameters())
    assert set(layers) == {"", "attend", "head"}
    for name in layers:
        # attention uses the weights of its output projection itself, and never calls it: they are its own
        own = [p for key, p in parameters.items() if key.replace(".out_proj", "").rpartition(".")[0] == name]
        made = torch.autograd.grad(losses["first"], own, retain_graph=True)
        np.testing.assert_allclose(
            layers[name].numbers.norms[0], torch.cat([g.flatten() for g in made]).norm()
        )
    assert sum(layer.numbers.entries for layer in layers.values()) == report.model.numbers.entries
    assert layers[""].numbers.live == [0]
    pulls = [
        f for f in report.findings if f.kind in ("conflict", "domination") and "own parameters" in f.says
    ]
    assert not pulls
    single = wg.record(model, x, lambda m, x: {"first": m(x).square().mean()}).report()
    largest = max(layers, key=lambda name: float(layers[name].numbers.norms[0]))
    assert only(single, "single").names == (largest,)


def test_a_bias_that_one_cost_takes_away_has_no_direction_for_it() -> None:
    torch.manual_seed(0)

    class Scores(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.map, self.offset = nn.Linear(5, 4), nn.Parameter(torch.tensor(0.3))

        def forward(self, x: Tensor) -> Tensor:
            made: Tensor = self.map(x) + self.offset
            return made

    def costs(m: nn.Module, x: Tensor) -> dict[str, Tensor]:
        out, target = m(x), torch.arange(len(x)) % 4
        one, other = (nn.functional.cross_entropy(out, (target + k) % 4) for k in range(2))
        return {"one": one, "other": other, "sure": nn.functional.softplus(-out).mean()}

    report = wg.record(Scores(), torch.randn(7, 5), costs).report()
    offset = next(part.numbers for part in report.model.parameters if part.name == "offset")
    assert offset.norms[2] > 0.1
    assert (offset.norms[:2] < 1e-6).all()
    assert np.isnan(offset.cosines[np.triu_indices(3, 1)]).all()
    assert not any("offset" in finding.says for finding in report.findings)


def test_a_bias_of_a_model_that_is_called_twice_is_idle() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 2))

    def costs(m: nn.Module, x: Tensor) -> dict[str, Tensor]:
        return {"near": (m(x) - m(x + 0.1)).square().mean(), "far": -m(x).square().mean()}

    assert only(wg.record(model, torch.randn(8, 3), costs).report(), "cancels").names == ("0.bias",)


def test_a_bias_at_its_optimum_is_not_called_idle() -> None:
    """There the gradient is 0 but for rounding as well; leaving the bias out would change the model."""
    x = torch.randn(40, 3, dtype=torch.float64)
    y = x @ torch.tensor([1.0, 2.0, -1.0]).double() + 0.7 + torch.randn(40).double()
    model = nn.Linear(3, 1).double()
    best = torch.linalg.lstsq(torch.cat([x, torch.ones(40, 1)], 1), y[:, None]).solution[:, 0]
    with torch.no_grad():
        model.weight[0], model.bias[0] = best[:3], best[3]
    found = report(model, x, lambda m, x: {"fit": (m(x)[:, 0] - y).square().mean()})
    assert not [finding for finding in found.findings if finding.kind == "cancels"]


def test_in_bfloat16_a_small_sum_is_not_called_rounding() -> None:
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4)).bfloat16()
    found = report(model, torch.randn(64, 6).bfloat16(), lambda m, x: {"c": CE(m(x), torch.arange(64) % 4)})
    assert not [finding for finding in found.findings if finding.kind == "cancels"]


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.a, self.b = nn.Linear(4, 8), nn.Linear(8, 2), nn.Linear(8, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.relu(self.trunk(x))
        return self.a(h), self.b(h)


@pytest.mark.parametrize(
    ("loss", "begins", "tries"),
    [
        (
            lambda a: (a - a).square().sum(1).sqrt().mean(),
            "The gradient of `odd` is not finite",
            "sqrt(x + 1e-12)",
        ),
        (
            lambda a: torch.log(a.mean() * 0.0),
            "The value of `odd` is not finite: it begins at `log`",
            "log_softmax",
        ),
        (
            lambda a: (a / (a - a)).mean(),
            "The value of `odd` is not finite: it begins at `div`",
            "kept off 0",
        ),
        (
            lambda a: torch.exp(a * 1e4).mean(),
            "The value of `odd` is not finite: it begins at `exp`",
            "logsumexp",
        ),
    ],
)
def test_what_is_not_finite_is_traced_to_where_it_begins(
    loss: Callable[[Tensor], Tensor], begins: str, tries: str
) -> None:
    def costs(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
        a, b = model(x)
        return {"odd": loss(a), "well": b.square().mean()}

    (finding,) = report(Plain(), torch.randn(6, 4), costs).findings
    assert begins in finding.says
    assert finding.costs == ("odd",)
    assert tries in finding.tries[0]
    assert "b.weight" not in finding.names


def test_what_comes_in_broken_is_said_to_come_in_broken() -> None:
    x = torch.randn(6, 4)
    x[2, 1] = float("nan")
    (finding,) = report(Plain(), x, lambda m, x: {"a": m(x)[0].mean()}).findings
    assert "The value of `a` is not finite: it begins with `batch`, as it is given" in finding.says
    model = Plain()
    with torch.no_grad():
        model.trunk.weight[0, 0] = float("inf")
    (finding,) = report(model, torch.randn(6, 4), lambda m, x: {"a": m(x)[0].mean()}).findings
    assert "it begins with `trunk.weight`, as it is given" in finding.says


def test_a_model_that_each_cost_calls_again_is_counted_once() -> None:
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2)).double()
    with torch.no_grad():
        model[0].bias[:2] = -100.0
    x = torch.randn(8, 4, dtype=torch.float64)

    def costs(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
        return {"one": model(x)[:, 0].square().mean(), "two": model(2 * x)[:, 1].mean()}

    found = report(model, x, costs)
    (units,) = found.units
    assert (units.units, units.dead, units.entries) == (6, 2, 96)
    assert "2 of 6 units are 0 for every example of this batch, in layer `1`" in only(found, "dead").says
    outputs: list[Tensor] = []
    hook = model[0].register_forward_hook(lambda m, i, out: outputs.append(out))
    losses = costs(model, x)
    hook.remove()
    for k, loss in enumerate(losses.values()):
        made = torch.autograd.grad(loss, outputs, retain_graph=True, materialize_grads=True)
        wanted = float(torch.stack([g.norm() for g in made]).norm())
        np.testing.assert_allclose(found.layers[0].norms[k], wanted, rtol=1e-10)


def test_a_module_without_a_path_is_named_as_one() -> None:
    model = Plain()
    model.old = nn.Sequential(nn.Linear(8, 3), nn.Linear(3, 3))
    finding = only(report(model, torch.randn(6, 4), lambda m, x: {"a": m(x)[0].mean()}), "unreached")
    assert finding.says.startswith("No cost reaches `b` and `old`: there is no path")
    assert len(finding.names) == 6


def test_costs_without_a_gradient_are_named_with_the_reason() -> None:
    model = Plain()

    def costs(m: nn.Module, x: Tensor) -> dict[str, Tensor]:
        out = m(x)[0]
        hinge = torch.relu(out - 1e3)
        flat = out.clamp(max=-1e3).square()
        return {
            "all": out.square().mean(),
            "share": (out > 0).double().mean(),
            "apart": out.detach().mean(),
            "hinge": hinge.mean(),
            "flat": flat.mean(),
        }

    report = wg.record(model, torch.randn(6, 4), costs).report()
    cut, still, flat = (finding for finding in report.findings if finding.kind == "no gradient")
    assert cut.says == "No path leads from any parameter to `share` and `apart`: they train nothing"
    assert cut.problem
    assert still.says.startswith(
        "The gradient of `hinge` is 0 in every parameter, as its value is: a margin that"
    )
    assert not still.problem
    assert (flat.says, flat.problem) == ("The gradient of `flat` is 0 in every parameter", True)
    # one cost alone pulls: nothing is said of parts that serve one each
    assert "apart" not in [finding.kind for finding in report.findings]
    alone = wg.record(
        model, torch.randn(6, 4), lambda m, x: {"none": 0 * (m(x)[0].sum() + m(x)[1].sum())}
    ).report()
    assert [(finding.kind, finding.problem) for finding in alone.findings] == [("no gradient", True)]
    assert "gradients that vanish" not in str(alone)


def to_itself(model: Any, x: Tensor) -> Tensor:
    scores = model(x)
    return nn.functional.kl_div(scores.log_softmax(1), scores.detach().softmax(1), reduction="batchmean")


def all_that_is_normalised(model: Any, x: Tensor) -> Tensor:
    return nn.functional.layer_norm(model(x), (3,)).sum()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("nothing", [to_itself, all_that_is_normalised])
def test_a_cost_whose_gradient_is_rounding_takes_no_part(
    nothing: Callable[..., Tensor], dtype: torch.dtype
) -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)).to(dtype)
    x, t = torch.randn(16, 4, dtype=dtype), torch.randint(0, 3, (16,))
    made = report(model, x, lambda m, x: {"kind": CE(m(x), t), "nothing": nothing(m, x)})
    assert made.model.numbers.norms[1] > 0  # as PyTorch has it
    assert made.model.numbers.live == [0]
    finding = only(made, "no gradient")
    assert finding.says.startswith(
        "The gradient of `nothing` is 0 in every parameter but for rounding: what the paths "
    )
    assert finding.says.endswith("on the way back to `2 (call 2)`")
    assert not {"domination", "conflict", "agreement", "balance", "vanishing"} & {
        each.kind for each in made.findings
    }
    assert np.isnan(made.model.numbers.cosines[0, 1])
    assert np.isnan(made.model.numbers.along[1])
    assert all(layer.norms[1] == 0 for layer in made.layers)


def test_what_cancels_in_a_deep_network_is_no_rounding() -> None:
    """Of many thousand times as much as the gradient, from very many paths of both signs."""
    layers = [part for _ in range(30) for part in (nn.Linear(16, 16), nn.Tanh())]
    model = nn.Sequential(*layers, nn.Linear(16, 1))
    with torch.no_grad():
        for part in model[::2]:
            part.weight.mul_(2.0)
    made = report(model, torch.randn(4, 16), lambda m, x: {"a": m(x).mean(), "b": m(x).square().mean()})
    numbers = made.model.numbers
    assert numbers.total is not None
    assert (numbers.absolute < 1e4 * torch.finfo(torch.float32).eps * numbers.total).all()
    assert numbers.live == [0, 1]


def test_an_empty_batch_has_no_dead_units_and_is_asked_for() -> None:
    model, x = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2)), torch.zeros(0, 3)
    summed = wg.record(model, x, lambda m, x: {"a": m(x).square().sum()}).report()
    assert not summed.units
    assert only(summed, "no gradient").costs == ("a",)
    finding = only(wg.record(model, x, lambda m, x: {"a": m(x).square().mean()}).report(), "not finite")
    assert "it begins at `mean`" in finding.says
    assert finding.tries[0].startswith("look whether the batch, or a mask, leaves entries")


def test_a_relu_between_layers_that_the_costs_call_has_units_and_one_behind_them_is_a_hinge() -> None:
    torch.manual_seed(0)
    model = nn.ModuleList([nn.Linear(3, 4), nn.Linear(4, 2)])

    def costs(m: nn.ModuleList, x: Tensor) -> dict[str, Tensor]:
        scores = m[1](torch.relu(m[0](x) - 100.0))
        return {"a": torch.relu(scores - 100.0).mean() + 0.1 * m[1].weight.square().sum()}

    report = wg.record(model, torch.randn(5, 3), costs).report()
    assert [(each.name, each.units, each.dead) for each in report.units] == [("relu", 4, 4)]


def test_layers_that_get_nothing_are_named_and_those_of_a_cost_without_gradient_are_not() -> None:
    class Adapted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.base, self.down, self.up = nn.Linear(4, 4), nn.Linear(4, 2), nn.Linear(2, 4)
            self.side = nn.Linear(4, 1)
            nn.init.zeros_(self.up.weight)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.base(x) + self.up(self.down(x)), self.side(x)

    def costs(m: nn.Module, x: Tensor) -> dict[str, Tensor]:
        out, side = m(x)
        return {"fit": out.square().mean(), "margin": torch.relu(side - 1e3).mean()}

    model, x = Adapted(), torch.randn(8, 4)
    finding = next(f for f in report(model, x, costs).findings if f.kind == "no gradient" and f.names)
    assert finding.names == ("down",)
    assert finding.says == "The gradient of every cost is 0 in layer `down`, though paths lead to it"
    gradients = rows(model, costs(model, x))
    assert [name for name, pair in gradients.items() if not pair.any()] == ["down", "side"]
    # units that get nothing for the same reason are not told of a second time
    model.down.register_forward_hook(lambda module, given, out: torch.tanh(out))
    assert "silent" not in [finding.kind for finding in report(model, x, costs).findings]
    nn.init.normal_(model.up.weight)
    assert not any(
        finding.names for finding in report(model, x, costs).findings if finding.kind == "no gradient"
    )


def test_a_layer_without_a_living_unit_is_told_first_and_once() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    with torch.no_grad():
        model[2].bias.fill_(-10.0)
    x = torch.randn(16, 3)
    report = wg.record(model, x, lambda m, x: dict(zip("ab", m(x).square().mean(0), strict=True))).report()
    assert report.findings[0].kind == "dead"
    assert "layer `3` (8 of 8)" in report.findings[0].says
    assert report.findings[0].says.endswith("through layer `3`, where all are, no gradient comes back")
    assert [
        finding for finding in report.findings if finding.kind == "no gradient"
    ] == []  # it says that already
    assert "silent" not in [finding.kind for finding in report.findings]


def test_units_that_no_cost_reaches_are_not_called_dead() -> None:
    torch.manual_seed(0)

    class Unused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used = nn.Linear(3, 2)
            self.aux = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))

        def forward(self, x: Tensor) -> Tensor:
            h: Tensor = self.used(x)
            self.aux(h)
            return h

    report = wg.record(Unused(), torch.randn(6, 3), lambda m, x: {"a": m(x).square().mean()}).report()
    assert not report.units
    assert [finding.kind for finding in report.findings if finding.problem] == ["unreached"]


def test_a_gradient_too_small_for_single_precision_is_vanishing() -> None:
    torch.manual_seed(0)
    layers = [part for _ in range(60) for part in (nn.Linear(4, 4), nn.Sigmoid())]
    report = wg.record(
        nn.Sequential(*layers), torch.randn(4, 4), lambda m, x: {"loss": m(x).square().mean()}
    ).report()
    assert report.layers[0].norms[0] == 0
    (found,) = [finding for finding in report.findings if finding.kind == "vanishing"]
    assert "layer `118`" in found.says


def test_a_model_of_one_layer_is_not_told_where_the_gradient_is_longest() -> None:
    report = wg.record(
        nn.Linear(3, 1), torch.ones(2, 3), lambda m, x: {"loss": m(x).square().mean()}
    ).report()
    assert report.findings == ()


def test_a_module_that_is_never_called_is_a_layer_where_nothing_around_it_is_one() -> None:
    class Inner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.idle, self.scale = nn.Linear(3, 3), nn.Linear(3, 3), nn.Parameter(torch.ones(3))

        def forward(self, x: Tensor) -> Tensor:
            return self.scale * (x @ self.used.weight.T)

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.tied, self.shift = Inner(), nn.Linear(3, 2), nn.Parameter(torch.zeros(3))

        def forward(self, x: Tensor) -> Tensor:
            return (self.inner(x) + self.shift) @ self.tied.weight.T

    found = report(Outer(), torch.randn(4, 3), lambda m, x: {"c": m(x).square().mean()})
    names = {layer.name: {part.name for part in layer.parts} for layer in found.model.layers}
    assert names == {
        "": {"shift"},
        "inner": {"inner.scale", "inner.used.weight", "inner.used.bias"},
        "inner.idle": {"inner.idle.weight", "inner.idle.bias"},
        "tied": {"tied.weight", "tied.bias"},
    }


class Odd(nn.Module):
    """A model whose names are words."""

    def __init__(self) -> None:
        super().__init__()
        self.of = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 6, bias=False), nn.BatchNorm1d(6))
        self.every, self.unused = nn.Linear(6, 3), nn.Linear(2, 2)
        self.the = nn.Linear(6, 2)


@pytest.mark.parametrize("kind", ["apart", "against", "long", "still", "broken"])
def test_names_in_sentences_are_set_off_from_their_words(kind: str) -> None:
    model = Odd()
    with torch.no_grad():
        model.of[0].bias[:3] = -100.0

    def costs(m: Odd, x: Tensor) -> dict[str, Tensor]:
        h = m.of(x)
        one, other = m.every(h).square().mean(), m.the(h).square().mean()
        first = {
            "apart": one,
            "against": 2 * one - 3 * other,
            "long": 50 * other,
            "still": 0 * one,
            "broken": (one - one).sqrt(),
        }[kind]
        return {"shared": first, "worse": other, "all": 0.1 * one + other}

    found = report(model, torch.randn(9, 4), costs)
    names = {"shared", "worse", "all", "of", "every", "unused", "the", "sqrt"}
    assert found.findings
    for finding in found.findings:
        for text in (finding.says, *finding.tries):
            quoted_ = re.findall("`([^`]*)`", text)
            words = set(re.findall(r"[\w.]+", re.sub("`[^`]*`", "", text)))
            # these are words of the sentences as well
            assert not words & (names - {"shared", "worse", "all", "of", "every", "the"}), text
            assert not any(name in words for name in ("of.0", "of.2", "of.3"))
            if finding.costs and text == finding.says:
                assert set(finding.costs[:2]) & set(quoted_), text
    page, printed = found.to_html(), found.to_text(96)
    assert "<code>unused</code>" in page or kind == "broken"
    assert "`" not in page
    assert "`unused`" in printed or kind == "broken"
    assert "\x1b[1m`unused`" in found.to_text(96, color=True) or kind == "broken"


def test_what_was_looked_for_and_not_found_is_said() -> None:
    model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2))
    x = torch.randn(64, 3)

    def told(model: nn.Module) -> str:
        text = " ".join(report(model, x, lambda m, x: {"a": m(x).square().mean()}).to_text().split())
        return text.partition("Looked for and not found: ")[2].partition(".")[0]

    with torch.no_grad():
        model[0].bias.fill_(0.5)
    assert told(model) == "gradients that vanish or explode, dead units and parameters that no cost reaches"
    with torch.no_grad():
        model[0].bias[0] = -100.0
    assert told(model) == "gradients that vanish or explode and parameters that no cost reaches"
    with torch.no_grad():
        model[2].weight[0, 0] = float("nan")
    assert told(model) == ""
