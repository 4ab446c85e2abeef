"""What a report says of costs that pull harder than others, and what it says to multiply, against plain autograd."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.reports import Trunk, only, report, rows


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def test_three_costs_in_balance_say_which_falls_behind() -> None:
    def costs(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
        first = model(x).sum()
        return {"long": 3 * first, "next": 2 * first, "behind": 0.5 * first}

    said = only(report(nn.Linear(3, 1), torch.randn(8, 3), costs), "balance").says
    assert (
        "the gradient of `long` is the longest, 1.5 times as long as the next cost's, and 6 times as" in said
    )
    assert said.endswith("as long as that of `behind`")


def test_what_is_multiplied_trains_something_with_what_dominates_it() -> None:
    model = nn.ModuleDict({name: nn.Linear(3, 2) for name in ("policy", "value")})

    def costs(m: Any, x: Tensor) -> dict[str, Tensor]:
        policy, value = m["policy"](x), m["value"](x)
        return {
            "gain": 50 * policy.square().mean(),
            "entropy": policy.square().mean(),
            "error": value.square().mean(),
            "drift": 1.5 * value.square().mean(),
        }

    finding = only(report(model, torch.randn(8, 3), costs), "domination")
    assert finding.says.startswith("`gain` dominates layer `policy`")
    assert finding.tries[0].startswith("multiply `entropy` by 50, or divide `gain` by 50, to let")
    assert "error" not in finding.tries[0]


def test_a_regulariser_alone_beside_a_cost_may_be_meant_to_be_small() -> None:
    made = report(
        nn.Linear(3, 2),
        torch.randn(8, 3),
        lambda m, x: {"fit": m(x).square().mean(), "z": 1e-4 * m(x).square().mean()},
    )
    (tried,) = only(made, "domination").tries
    assert tried.startswith(
        "nothing, if `z` is meant to be small, as a regulariser is; otherwise multiply `z` by 10000"
    )


def test_what_is_said_of_the_steps_of_sgd_and_adam_is_so() -> None:
    model, x = Trunk().double(), torch.randn(20, 5).double()

    def costs(m: Trunk, x: Tensor) -> dict[str, Tensor]:
        a, b = m(x)
        return {"a": a.square().mean(), "b": 40 * b.square().mean()}

    tries = only(report(model, x, costs), "domination").tries[0]
    by, divided = (
        float(n) for n in re.findall(r"multiply `a` by (\S+), or divide `b` by (\S+), to", tries)[0]
    )
    (steps,) = re.findall(r"SGD's steps are then (\S+) times as long by the first as by the second", tries)
    assert by == divided == float(steps)
    before = [p.detach().clone() for p in model.parameters()]
    moved: dict[tuple[str, int], Tensor] = {}
    for optimiser in ("SGD", "Adam"):
        for which, (first, second) in enumerate(((by, 1.0), (1.0, 1 / by))):
            for parameter, old in zip(model.parameters(), before, strict=True):
                parameter.data.copy_(old)
            step = getattr(torch.optim, optimiser)(
                model.parameters(), lr=1e-3, **({"eps": 0} if optimiser == "Adam" else {})
            )
            step.zero_grad()
            made = costs(model, x)
            (first * made["a"] + second * made["b"]).backward()
            step.step()
            moved[optimiser, which] = torch.cat(
                [(p.detach() - old).flatten() for p, old in zip(model.parameters(), before, strict=True)]
            )
    torch.testing.assert_close(moved["SGD", 0], by * moved["SGD", 1])
    torch.testing.assert_close(moved["Adam", 0], moved["Adam", 1])


@pytest.mark.parametrize(("cosine_", "weighed"), [(-0.9, False), (-0.55, False), (-0.45, True), (0.2, True)])
def test_costs_that_would_stop_each_other_are_not_to_be_weighed_alike(cosine_: float, weighed: bool) -> None:
    def costs(m: nn.Module, x: Tensor) -> dict[str, Tensor]:
        a, b = m.weight[0, 0], m.weight[0, 1]
        return {"large": 10 * a, "small": cosine_ * a + (1 - cosine_**2) ** 0.5 * b}

    finding = only(report(nn.Linear(2, 1, bias=False).double(), torch.ones(1), costs), "domination")
    assert finding.problem == weighed
    assert ("equal length `large` and `small` would stop each other" in finding.says) == (not weighed)
    # of equally long ones the sum is shorter than either
    assert (np.hypot(1 + cosine_, (1 - cosine_**2) ** 0.5) > 1) == weighed


def test_beside_a_third_cost_dividing_is_not_multiplying() -> None:
    def costs(m: nn.Module, x: Tensor) -> dict[str, Tensor]:
        out = m(x).sum()
        return {"large": 400 * out, "small": 20 * out, "tiny": 0.01 * out}

    (tries,) = only(report(nn.Linear(3, 1), torch.rand(8, 3), costs), "domination").tries
    assert tries.startswith("multiply `small` by 20 (`tiny`, shorter by far, may be meant to be so), to let")
    assert "divide" not in tries
    assert "it lengthens its gradient and with it SGD's steps" in tries


def lengths(model: nn.ModuleDict, costs: Callable[..., dict[str, Tensor]], by: dict[str, float]) -> Any:
    """Returns by layer how long each cost's gradient is, each cost multiplied by its factor, by plain autograd."""
    losses = {name: by.get(name, 1.0) * loss for name, loss in costs(model, None).items()}
    return {layer: np.linalg.norm(pair, axis=1) for layer, pair in rows(model, losses).items()}


def told(tried: str) -> dict[str, float]:
    return {name: float(by) for name, by in re.findall(r"`(\w+)` by ([\d.]+)", tried)}


def test_only_costs_that_are_far_behind_are_to_be_multiplied() -> None:
    model = nn.ModuleDict({name: nn.Linear(3, 1, bias=False) for name in ("one", "other")})

    def costs(m: Any, _: Any) -> dict[str, Tensor]:
        one, other = m["one"].weight[0], m["other"].weight[0]
        return {
            "long": 8 * one[0] + 8 * other[0],
            "near": 5 * one[1] + 1 * other[1],
            "short": 0.5 * one[2] + 0.4 * other[2],
        }

    (tried,) = only(report(model, torch.ones(1), costs), "domination").tries
    whole = np.linalg.norm([*lengths(model, costs, {}).values()], axis=0)
    assert told(tried) == {"short": pytest.approx(whole[0] / whole[2], rel=0.05)}
    assert "to let it pull as hard as `long` on the shared weights" in tried


@pytest.mark.parametrize("third", [1.0, 30.0])
def test_factors_that_set_two_others_further_apart_are_not_told(third: float) -> None:
    model = nn.ModuleDict({name: nn.Linear(3, 1, bias=False) for name in ("made", "judged")})

    def costs(m: Any, _: Any) -> dict[str, Tensor]:
        made, judged = m["made"].weight[0], m["judged"].weight[0]
        return {
            "prior": 12 * made[0],
            "fool": made[1] + 2 * judged[1],
            "judge": third * judged[2],
        }

    found = [
        finding for finding in report(model, torch.ones(1), costs).findings if finding.costs == ("prior",)
    ]
    (finding,) = (finding for finding in found if finding.kind == "domination")
    after = lengths(model, costs, {"fool": 12.0})["judged"]
    assert finding.problem == (third == 30.0) == bool(after[1] < 3 * after[2])
    assert finding.problem or (
        f"with them the gradient of `fool` would be {after[1] / after[2]:.0f} times as long as that of `judge`"
        in finding.says
    )


@pytest.mark.parametrize("last", [0.5, 20.0])
def test_factors_that_leave_the_layers_as_uneven_are_not_told(last: float) -> None:
    model = nn.ModuleDict({f"l{k}": nn.Linear(2, 1, bias=False) for k in range(3)})
    sizes = {"l0": (100.0, 4.0), "l1": (9.0, 1.0), "l2": (5.0, last)}

    def costs(m: Any, _: Any) -> dict[str, Tensor]:
        weights = [(m[layer].weight[0], by) for layer, by in sizes.items()]
        return {"fit": sum(w[0] * by[0] for w, by in weights), "size": sum(w[1] * by[1] for w, by in weights)}

    made = report(model, torch.ones(1), costs)
    (finding,) = [one for one in made.findings if one.kind == "domination" and one.costs == ("fit",)]
    whole = np.linalg.norm([*sizes.values()], axis=0)
    after = lengths(model, costs, {"size": whole[0] / whole[1]}).values()
    left = sum(1 for norms in after if norms.max() >= 3 * norms.min())
    before = sum(1 for norms in sizes.values() if max(norms) >= 3 * min(norms))
    assert finding.problem == (2 * left <= before) == (last == 0.5)
    assert finding.problem or f"one cost would still dominate {left} of 3 shared layers" in finding.says


def test_beside_a_cost_that_is_behind_a_regulariser_is_left_alone() -> None:
    def costs(m: nn.Module, _: Any) -> dict[str, Tensor]:
        weight = m.weight[0]
        return {"value": 3000 * weight[0], "policy": weight[1], "entropy": 1e-4 * weight[2]}

    (tried,) = only(report(nn.Linear(3, 1, bias=False), torch.ones(1), costs), "domination").tries
    assert tried.startswith("nothing, if `policy` is meant to be small")
    assert told(tried) == {"policy": 3000.0}
    assert "(`entropy`, shorter by far, may be meant to be so)" in tried


def test_a_regulariser_behind_one_of_two_that_are_near_has_no_factor() -> None:
    def costs(m: nn.Module, _: Any) -> dict[str, Tensor]:
        weight = m.weight[0]
        return {"one": 3 * weight[0] + 3 * m.bias[0], "other": 2 * weight[1], "decay": 1e-4 * weight[2]}

    found = report(nn.Linear(3, 1), torch.ones(1), costs).findings
    assert not [finding.tries for finding in found if finding.kind == "domination" and finding.tries]
