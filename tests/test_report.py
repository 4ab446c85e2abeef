"""Reports: every number against autograd, the rules of the verdict, and what is said of special models."""

import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import whygrad as wg
from whygrad.report import Report, report
from whygrad.report.fold import fold

nothing = nn.Identity()


class Two(nn.Module):
    def __init__(self, depth: int = 2, width: int = 6) -> None:
        super().__init__()
        self.trunk = nn.ModuleList(nn.Linear(3 if i == 0 else width, width) for i in range(depth))
        self.a = nn.Linear(width, 2)
        self.b = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for layer in self.trunk:
            x = torch.relu(layer(x))
        return self.a(x), self.b(x)


def costs(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
    a, b = model(x)
    return {"a": a.square().mean(), "b": b.sum()}


def made(model: nn.Module, fn: Any = costs, x: Tensor | None = None, **options: Any) -> Report:
    x = torch.randn(8, 3, dtype=torch.float64) if x is None else x
    return report(wg.record(model.double(), x, fn), **options)


def kinds(found: Report) -> list[str]:
    return [finding.kind for finding in found.findings]


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def test_numbers_are_autograds() -> None:
    model, x = Two().double(), torch.randn(8, 3, dtype=torch.float64)
    found = made(model, x=x)
    losses = list(costs(model, x).values())
    names = dict(model.named_parameters())
    rows = {
        name: torch.stack(
            [
                torch.autograd.grad(loss, p, retain_graph=True, materialize_grads=True)[0].flatten()
                for loss in losses
            ]
        )
        for name, p in names.items()
    }
    assert [part.name for part in found.model.parameters] == list(names)
    for part in found.model.parameters:
        gradient = rows[part.name].numpy()
        np.testing.assert_allclose(part.numbers.norms, np.linalg.norm(gradient, axis=1), rtol=1e-10)
        np.testing.assert_allclose(part.numbers.absolute, np.abs(gradient).sum(axis=1), rtol=1e-10)
    # A module's numbers are those of its parameters together.
    trunk = next(part for part in found.model.parts if part.name == "trunk")
    whole = np.concatenate([g.numpy() for name, g in rows.items() if name.startswith("trunk")], axis=1)
    np.testing.assert_allclose(trunk.numbers.gramian, whole @ whole.T, rtol=1e-9)
    np.testing.assert_allclose(
        trunk.numbers.along,
        (whole @ whole.sum(0)) / np.linalg.norm(whole, axis=1) / np.linalg.norm(whole.sum(0)),
    )
    assert list(trunk.numbers.reached) == [True, True]


def test_large_parameters_are_gone_through_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.layer, self.conv = nn.Embedding(11, 6), nn.Linear(6, 6), nn.Conv1d(3, 3, 3)

        def forward(self, tokens: Tensor) -> Tensor:
            h = self.table(tokens)
            return (h + self.conv(self.layer(h).tanh()).repeat(1, 1, 2)[..., :6]) @ self.table.weight.T

    model, tokens = Tied().double(), torch.tensor([[1, 10, 1], [0, 4, 7]])

    def costs(m: Tied, x: Tensor) -> dict[str, Tensor]:
        return {"a": m(x).logsumexp(-1).sum(), "b": m(x)[..., 3].square().sum(), "c": m.layer.bias.sum()}

    recorded = wg.record(model, tokens, costs)
    whole, gradients = report(recorded), recorded.gradients()
    monkeypatch.setattr("whygrad.structures.pieces.PIECE", 7)
    again = wg.record(model, tokens, costs)
    found = report(again)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(again.gradients()[name], gradient, rtol=1e-10, atol=1e-14)
    for part, wanted in zip(found.model.parameters, whole.model.parameters, strict=True):
        for number, known in zip(part.numbers, wanted.numbers, strict=True):
            if known is not None:
                np.testing.assert_allclose(number, known, rtol=1e-10, atol=1e-14)
    assert [(finding.kind, finding.names) for finding in found.findings] == [
        (finding.kind, finding.names) for finding in whole.findings
    ]


def test_cancellation_and_effective_paths_by_hand() -> None:
    """Cost = v·(w x) of two hidden units: the input's weight w_i has one path of size |v_i x|; b of two cancels."""

    class Hand(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.tensor([1.0]))
            self.v = nn.Parameter(torch.tensor([3.0, -2.0]))

        def forward(self, x: Tensor) -> Tensor:
            return (self.v * (self.w * x)).sum()

    found = made(Hand(), lambda m, x: {"c": m(x)}, torch.tensor([1.0, 1.0]).double(), semirings=("entropy",))
    w, v = found.model.parameters
    np.testing.assert_allclose(w.numbers.cancellation, [1 - 1 / 5])
    np.testing.assert_allclose(w.numbers.entropy, [-(0.6 * np.log(0.6) + 0.4 * np.log(0.4))])
    np.testing.assert_allclose(v.numbers.cancellation, [0.0], atol=1e-12)
    np.testing.assert_allclose(v.numbers.entropy, [0.0], atol=1e-12)


def test_depth_is_the_derivative_by_the_layers_outputs() -> None:
    model, x = Two().double(), torch.randn(8, 3, dtype=torch.float64)
    found = made(model, x=x)
    assert [layer.name for layer in found.layers] == ["trunk.0", "trunk.1", "a", "b"]
    outputs = []
    hooks = [layer.register_forward_hook(lambda m, i, out: outputs.append(out)) for layer in model.trunk]
    loss = costs(model, x)["a"]
    wanted = [float(torch.autograd.grad(loss, out, retain_graph=True)[0].norm()) for out in outputs]
    for hook in hooks:
        hook.remove()
    np.testing.assert_allclose([layer.norms[0] for layer in found.layers[:2]], wanted, rtol=1e-10)
    assert np.isnan(found.layers[3].norms[0])


def test_a_conflict_is_found_with_its_place_and_its_angle() -> None:
    def opposed(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
        h = torch.relu(model.trunk[0](x))
        return {"up": h.sum(), "down": -0.5 * h.sum()}

    found = made(Two(1), opposed)
    conflict = next(f for f in found.findings if f.kind == "conflict")
    assert conflict.costs == ("up", "down")
    assert conflict.problem
    assert "`up` and `down` pull against each other in layer `trunk.0` (cosine −1.00)" in conflict.says
    assert "a small step down the sum of all costs makes `down` worse" in conflict.says
    assert conflict.names == ("trunk.0",)
    assert any("is to train the weights that they share" in text for text in conflict.tries)


def test_domination_names_the_factor_that_balances() -> None:
    def uneven(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
        a, b = model(x)
        return {"big": 100 * a.square().mean(), "small": a.square().mean() + 0 * b.sum()}

    found = made(Two(1), uneven)
    domination = next(f for f in found.findings if f.kind == "domination")
    assert domination.costs == ("big",)
    assert "`big` dominates every shared layer: its gradient there is 100 times as long" in domination.says
    assert "multiply `small` by 100, or divide `big` by 100" in domination.tries[0]


def test_costs_that_agree_and_costs_apart() -> None:
    found = made(Two(1), lambda m, x: {"one": m(x)[0].sum(), "two": 1.5 * m(x)[0].sum() + 1})
    assert kinds(found)[:2] == ["agreement", "balance"]
    assert not any(finding.problem for finding in found.findings if finding.kind == "agreement")
    model = nn.ModuleDict({"p": nn.Linear(3, 2), "q": nn.Linear(3, 2)})
    found = made(model, lambda m, x: {"one": m["p"](x).sum(), "two": m["q"](x).sum()})
    assert kinds(found) == ["apart"]


@pytest.mark.parametrize(("scale", "kind"), [(0.05, "vanishing"), (20.0, "exploding")])
def test_vanishing_and_exploding_gradients(scale: float, kind: str) -> None:
    model = nn.Sequential(*(nn.Linear(3, 3, bias=False) for _ in range(6)))
    for layer in model:
        nn.init.eye_(layer.weight)
        layer.weight.data *= scale
    found = made(model, lambda m, x: {"c": m(x).sum()})
    finding = next(f for f in found.findings if f.kind in ("vanishing", "exploding"))
    assert finding.kind == kind
    assert f"a factor of {scale:.3g} a layer over 6 layers" in finding.says


def test_dead_units_kinks_and_parameters_without_a_path() -> None:
    model = Two(1)
    model.extra = nn.Linear(2, 2)
    model.fixed = nn.Parameter(torch.ones(2), requires_grad=False)
    with torch.no_grad():
        model.trunk[0].bias[:3] = -100.0
        model.trunk[0].weight[3] = 0.0
        model.trunk[0].bias[3] = 0.0
    found = made(model)
    (units,) = found.units
    assert (units.operation, units.units, units.dead) == ("relu", 6, 4)
    assert units.kinks == 8
    assert "4 of 6 units are 0 for every example" in next(f.says for f in found.findings if f.kind == "dead")
    unreached = next(f for f in found.findings if f.kind == "unreached")
    assert unreached.names == ("extra.weight", "extra.bias")
    assert found.frozen == ("fixed",)


def test_a_bias_before_a_normalisation_is_said_to_do_nothing() -> None:
    model = nn.Sequential(nn.Linear(3, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 1))
    found = made(model, lambda m, x: {"c": m(x).square().sum()})
    assert next(f for f in found.findings if f.kind == "cancels").names == ("0.bias",)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e30])
def test_inputs_that_are_not_finite_warn_of_nothing(bad: float) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    x = torch.randn(6, 4)
    x[1, 2] = bad
    found = wg.record(model, x, lambda m, b: {"a": m(b).square().mean(), "b": m(b).abs().mean()}).report()
    (finding,) = found.findings
    assert finding.kind == "not finite"
    assert re.match(
        r"The values? of `a`( and `b`)? (is|are) not finite: it begins (with `batch`|at )", finding.says
    )
    assert found.to_html()
    assert found.rows()


def test_rows_make_a_table() -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(made(Two()).rows())
    assert len(table) == 8 * 2
    assert {"parameter", "cost", "norm", "share", "cosine_a", "cosine_b", "cancellation"} <= set(
        table.columns
    )
    assert table[table.parameter == "a.bias"].reached.tolist() == [True, False]


def test_rows_of_modules_have_all_that_is_in_them() -> None:
    report = made(Two())
    rows = {(row["module"], row["cost"]): row for row in report.rows(modules=True)}
    assert rows["", "a"]["entries"] == report.model.numbers.entries
    whole = sum(row["norm"] ** 2 for row in report.rows() if row["cost"] == "a")
    assert rows["", "a"]["norm"] == pytest.approx(whole**0.5)
    inside = [row for row in report.rows() if row["parameter"].startswith("a.")]
    assert rows["a", "a"]["entries"] == sum(row["entries"] for row in inside if row["cost"] == "a")
    assert not rows["a", "b"]["reached"]


def test_what_takes_long_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    x = torch.randn(5, 3)
    few = wg.record(model, x, lambda m, x: {"c": m(x).square().sum()})
    found = few.report()
    assert np.isfinite(found.model.numbers.entropy).all()
    assert not found.omitted
    monkeypatch.setattr("whygrad.report.build.ENTRIES_WITH_ENTROPY", 19)
    found = few.report()
    assert found.model.numbers.surprise is None
    assert np.isfinite(found.model.numbers.cancellation).all()
    assert "The effective number of paths is left out" in " ".join(found.to_text().split())
    assert np.isfinite(few.report(semirings=("entropy",)).model.numbers.entropy).all()
    many = wg.record(model, x, lambda m, x: {"c": m(x).square().sum(dim=0).repeat(4)})
    found = many.report()
    assert found.model.numbers.total is None
    assert "With more than 12 costs" in " ".join(found.to_text().split())


def test_a_spectrum_that_was_asked_for_and_is_not_there_is_explained() -> None:
    assert "There is no spectrum" in " ".join(made(Two(), semirings=("spectrum",)).to_text().split())
    assert "no spectrum" not in made(Two()).to_text()


def test_errors_say_what_to_do() -> None:
    with pytest.raises(
        wg.NotSupportedError, match="expected some of total, entropy, spectrum, found 'strongest'"
    ):
        made(Two(), semirings=("strongest",))
    with pytest.raises(wg.NotSupportedError, match="no parameter to report on"):
        made(Two().requires_grad_(False))
    with pytest.raises(wg.NotSupportedError, match="this report has no spectrum"):
        made(Two()).plot_spectrum()


def test_a_progress_that_is_no_function_is_refused_in_words() -> None:
    record = wg.record(nn.Linear(2, 1), torch.ones(3, 2), lambda m, b: {"c": m(b).sum()})
    with pytest.raises(
        wg.NotSupportedError, match=r"progress: expected a function \(what, share\), found True"
    ):
        record.report(progress=True)  # type: ignore[arg-type]


def test_folding_keeps_the_extremes_and_counts_the_rest() -> None:
    model = Two(40)
    with torch.no_grad():
        model.trunk[17].weight *= 5.0
    found = made(model, x=torch.randn(8, 3, dtype=torch.float64).abs())
    lines = fold(found.model, 26)
    assert len(lines) <= 34
    trunk = next(part for part in found.model.parts if part.name == "trunk")
    shown = [line.part.name for line in lines if line.part is not None and line.depth == 1]
    others = next(line for line in lines if line.part is None)
    inside = [name for name in shown if name.startswith("trunk.")]
    assert len(inside) + len(others.others) == len(trunk.parts) == 40
    assert {"trunk.0", "trunk.39"} <= set(inside)


def test_progress_goes_from_nothing_to_all() -> None:
    told: list[float] = []
    made(Two(), progress=lambda what, share: told.append(share))
    assert told[0] == 0.0
    assert told[-1] == 1.0
    assert told == sorted(told)


def test_what_cancels_is_known_for_costs_that_have_a_declaration_all_the_way() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))

    def plain(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
        return {"plain": model(x).square().mean()}

    def both(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
        h = model[0](x)
        own = torch.igamma(torch.ones(4), h.abs()).square().mean()
        return {"own": own, "plain": model[2](model[1](h)).square().mean()}

    x = torch.randn(4, 3)
    alone = wg.record(model, x, plain).report().model.numbers
    beside = wg.record(model, x, both, opaque="allow").report().model.numbers
    assert np.isnan([beside.cancellation[0], beside.entropy[0]]).all()
    np.testing.assert_allclose(beside.cancellation[1], alone.cancellation[0], rtol=1e-5)
    np.testing.assert_allclose(beside.entropy[1], alone.entropy[0], rtol=1e-5)


def test_what_cancels_before_an_operation_without_a_declaration_is_not_known() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))

    def costs(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
        h = model[1](model[0](x))
        return {"a": model[2](torch.igamma(torch.ones(4), h.abs())).square().mean()}

    report = wg.record(model, torch.randn(4, 3), costs, opaque="allow").report(("entropy",))
    known = {
        part.name: bool(np.isfinite(part.numbers.cancellation).all()) for part in report.model.parameters
    }
    assert known == {"0.weight": False, "0.bias": False, "2.weight": True, "2.bias": True}
    assert np.isnan(report.model.numbers.cancellation).all()
    assert np.isnan(report.model.numbers.entropy).all()
    assert report.to_json()["model"]["cancellation"] == {"a": None}
    assert "igamma" in report.to_text()
