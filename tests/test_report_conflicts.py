"""What a report says of costs that pull against each other, against plain autograd."""

import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.reports import CE, by_cost, cosine, only, report
from whygrad.render.report_words import worst


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def test_the_factor_with_which_the_sum_makes_no_cost_worse_is_exact() -> None:
    model, x = nn.Linear(3, 2, bias=False), torch.randn(8, 3)

    def costs(model: nn.Module, x: Tensor, by: float = 1.0) -> dict[str, Tensor]:
        a, b = model(x).mean(0)
        return {"long": 3 * a + b, "third": a - 0.2 * b, "short": by * (0.4 * b - a)}

    found = report(model, x, costs)
    said = [finding for finding in found.findings if finding.kind == "conflict"]
    assert "a small step down the sum of all costs makes `short` worse" in said[0].says
    low, high = (float(n) for n in re.findall(r"multiply `short` by (\S+) to (\S+): ", said[0].tries[0])[0])
    # the gradients of a and b are orthogonal and equally long, so that the costs are vectors of two numbers
    for by, fine in ((0.97 * low, False), (1.03 * low, True), (0.97 * high, True), (1.03 * high, False)):
        every = np.stack([gradient for _, gradient in by_cost(model, costs(model, x, by))])
        assert bool(((every @ every.sum(axis=0)) > 0).all()) == fine, by


def test_a_cost_that_no_factor_helps_gets_none() -> None:
    def costs(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
        up = model(x).sum()
        return {"up": 2 * up, "down": -up}

    found = report(nn.Linear(3, 1), torch.randn(8, 3), costs)
    finding = only(found, "conflict")
    assert "makes `down` worse" in finding.says
    assert not any("multiply" in one for one in finding.tries)
    # PCGrad would leave nothing of either
    assert finding.tries[0].startswith("to choose which of `up` and `down` is to train the weights")
    assert not any("surgery" in one for one in finding.tries)


@pytest.mark.parametrize("rest", [0.0, 0.01])
def test_costs_that_add_up_to_nothing_make_no_cost_better(rest: float) -> None:
    model, x = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)), torch.randn(8, 3)

    def costs(m: nn.Module, x: Tensor) -> dict[str, Tensor]:
        return {"up": m(x).mean(), "down": (rest - 1) * m(x).mean()}

    made = report(model, x, costs)
    finding, every = only(made, "conflict"), np.stack([g for _, g in by_cost(model, costs(model, x))])
    short = np.linalg.norm(every.sum(axis=0)) < 1e-3 * np.linalg.norm(every, axis=1).sum()
    assert short == (rest == 0)
    assert ("a small step down the sum changes nothing" in finding.says) == short
    assert ("makes `down` worse" in finding.says) == (not short)
    assert "every cost better" not in finding.says
    assert np.isnan(made.model.numbers.along).all() == short


def test_costs_that_ask_for_the_opposite_have_no_factor_either() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()

    def costs(m: nn.Module, x: Tensor) -> dict[str, Tensor]:
        out = m(x).mean()
        return {"up": out, "down": -0.1 * out - 1e-9 * out.square()}

    finding = only(report(model, torch.randn(8, 3).double(), costs), "conflict")
    # up to rounding there is a factor, of 10 to 10, with which nothing moves
    assert not any("multiply" in one for one in finding.tries)
    assert "the smallest" not in finding.says  # it is -1.00 everywhere


def test_a_mild_conflict_asks_for_patience() -> None:
    def costs(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
        a, b = model(x).mean(0)
        return {"one": a, "other": b - 0.2 * a}

    finding = only(report(nn.Linear(3, 2, bias=False), torch.randn(8, 3), costs), "conflict")
    assert finding.problem
    assert "still makes every cost better" in finding.says
    assert finding.tries[0].startswith("nothing yet: it is mild (98% of each")
    assert len(finding.tries) == 1


def test_what_a_cost_gains_in_weights_of_its_own_counts_for_the_step() -> None:
    class Apart(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.both, self.own = nn.Linear(3, 1, bias=False), nn.Linear(3, 1, bias=False)

    def costs(model: Apart, x: Tensor) -> dict[str, Tensor]:
        shared = model.both(x).sum()
        return {"a": 2 * shared, "b": -shared + 3 * model.own(x).sum()}

    finding = only(report(Apart(), torch.randn(8, 3), costs), "conflict")
    assert "still makes every cost better" in finding.says  # the shared weights alone would make b worse


def test_a_conflict_in_a_small_layer_weighs_little_and_asks_for_nothing() -> None:
    class Small(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.big, self.small = nn.Linear(4, 50), nn.Linear(4, 1)

    def costs(model: Small, x: Tensor) -> dict[str, Tensor]:
        big, small = model.big(x).sum(), 0.01 * model.small(x).sum()
        return {"a": big + small, "b": big - small}

    found = report(Small(), torch.randn(8, 4), costs)
    finding = only(found, "conflict")
    assert not finding.problem
    assert finding.names == ("small",)
    assert "in 1 of 2 shared layers, layer `small` (cosine −1.00), but it weighs little" in finding.says
    assert "over all shared weights together the cosine is +1.00" in finding.says


def test_pairs_beyond_the_third_share_a_finding_that_names_them() -> None:
    model = nn.Linear(3, 1, bias=False)

    def costs(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
        up = model(x).sum()
        return {"p": up, "q": 1.1 * up, "r": -0.3 * up, "s": -0.2 * up}

    found = report(model, torch.randn(8, 3), costs)
    said = [finding for finding in found.findings if finding.kind == "conflict"]
    assert len(said) == 4
    assert said[-1].says.startswith("1 more pair of costs pulls against each other: ")
    assert "(−1.00)" in said[-1].says


def test_of_several_costs_that_the_sum_makes_worse_the_worst_are_named_with_their_cosines() -> None:
    model = nn.Linear(6, 1, bias=False).double()
    sizes = (0.02, 0.08, 0.05, 0.06, 0.03)

    def costs(m: nn.Module, x: Tensor) -> dict[str, Tensor]:
        w = m.weight[0]
        return {"large": 1e3 * w[0], **{f"c{k}": w[1 + k] - size * w[0] for k, size in enumerate(sizes)}}

    says = only(report(model, torch.ones(1), costs), "worse").says
    named = re.findall(r"`(c\d)` \(−([\d.]+)\)", says)
    assert [name for name, _ in named] == ["c1", "c3", "c2"]
    # the sum is nearly the first weight's direction
    np.testing.assert_allclose([float(cosine) for _, cosine in named], [0.08, 0.06, 0.05], atol=0.006)
    assert "and 2 others worse" in says


def test_a_cost_that_the_sum_makes_worse_is_named_though_it_hardly_conflicts() -> None:
    model = nn.Linear(4, 1, bias=False).double()
    towards = torch.eye(4, dtype=torch.float64) - torch.tensor([[0.0] * 4, [0.05, 0, 0, 0], *[[0.0] * 4] * 2])

    def costs(m: nn.Module, x: Tensor) -> dict[str, Tensor]:
        along = m.weight[0] @ towards.T
        return {"large": along[0], "small": 0.01 * along[1]}

    found = report(model, torch.ones(1), costs)
    finding = only(found, "worse")
    rows_ = np.stack([towards[0].numpy(), 0.01 * towards[1].numpy()])
    whole = rows_.sum(axis=0)
    wanted = rows_[1] @ whole / np.linalg.norm(rows_[1]) / np.linalg.norm(whole)
    assert wanted < 0
    assert finding.costs == ("small",)
    assert finding.says.endswith(f"is −{abs(wanted):.2f}")
    (says,) = finding.tries
    low, high = (float(number) for number in re.findall(r"`small` by ([\d.]+) to ([\d.]+)", says)[0])
    for factor, good in ((0.9 * low, False), (1.1 * low, True), (0.9 * high, True), (1.1 * high, False)):
        step = rows_[0] + factor * rows_[1]
        assert all(rows_ @ step >= 0) == good


@pytest.mark.parametrize(("cosine_", "worse"), [(-0.05, True), (-0.005, False)])
def test_a_cost_that_hardly_changes_is_not_made_worse(cosine_: float, worse: bool) -> None:
    def costs(m: nn.Module, _: Any) -> dict[str, Tensor]:
        a, b = m.weight[0, 0], m.weight[0, 1]
        return {"long": 1000 * a, "short": (cosine_ - 1e-3) * a + b}

    model = nn.Linear(2, 1, bias=False).double()
    every = np.stack([gradient for _, gradient in by_cost(model, costs(model, None))])
    assert cosine(np.stack([every[1], every.sum(axis=0)])) == pytest.approx(cosine_, rel=0.01)
    found = report(model, torch.ones(1), costs).findings
    assert ("worse" in [finding.kind for finding in found]) == worse


@pytest.mark.parametrize("third", [1.0, 1e-6])
def test_the_pair_of_a_row_is_of_costs_that_are_a_match_for_each_other(third: float) -> None:
    def costs(m: nn.Module, _: Any) -> dict[str, Tensor]:
        weight = m.weight[0]
        other = -0.3 * weight[0] + 0.95 * weight[1]
        small = third * (-0.9 * weight[0] + 0.4 * weight[2])
        return {"long": 9 * weight[0], "other": other, "small": small}

    made = report(nn.Linear(3, 1, bias=False), torch.ones(1), costs)
    found = worst(made.model.numbers, tuple(made.costs))
    assert found.names == (("long", "small") if third == 1.0 else ("long", "other"))


def test_examples_that_pull_apart_are_nothing_to_mend() -> None:
    model, x, labels = (
        nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)),
        torch.randn(12, 4),
        torch.arange(12) % 3,
    )
    found = report(model, x, lambda m, x: {"each": CE(m(x), labels, reduction="none")}).findings
    told = [finding for finding in found if finding.kind == "conflict"]
    assert len(told) > 3
    assert not any(finding.problem for finding in told)
    assert "they are entries of one loss" in told[0].says
    means = report(model, x, lambda m, x: {str(k): CE(m(x[k::3]), labels[k::3]) for k in range(3)}).findings
    assert any(finding.problem for finding in means if finding.kind == "conflict")
