"""Costs that are a sum of others, or a multiple of one, are named."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.reports import Trunk, only, report


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("once_more", "says"),
    [
        (lambda a, b: a + b, "`sum` is the sum of `a` and `b`: they count twice"),
        (lambda a, b: a + 0.125 * b, "`sum` is the sum of `a` and 0.125 × `b`: they count twice"),
        (lambda a, b: 0.25 * b, "`b` is 4 × `sum`: one cost under two names"),
        (lambda a, b: a + b + 0.1, ""),  # the gradient alone may be the same by chance
        (lambda a, b: a - b, "`a` is the sum of `sum` and `b`: they count twice"),
        (lambda a, b: a + b.square(), ""),  # the same direction, another factor in each batch
    ],
)
def test_a_cost_that_is_others_once_more_is_named(dtype: torch.dtype, once_more: Any, says: str) -> None:
    model, x = Trunk().to(dtype), torch.randn(20, 5, dtype=dtype)

    def costs(m: Trunk, x: Tensor) -> dict[str, Tensor]:
        a, b = (out.square().mean() for out in m(x))
        return {"sum": once_more(a, b), "a": a, "b": b}

    found = [finding for finding in report(model, x, costs).findings if finding.kind == "repeated"]
    assert [finding.says[: len(says)] for finding in found] == [says] * bool(says)
    assert all("leave" in finding.tries[0] for finding in found)
    assert all(("these factors" in finding.tries[0]) == ("0.125" in says) for finding in found)


def test_a_sum_whose_weights_are_learned_is_one_all_the_same() -> None:
    class Weighed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.scale = nn.Linear(4, 2), nn.Parameter(torch.tensor([0.0, 0.5]))

    def costs(m: Weighed, x: Tensor) -> dict[str, Tensor]:
        a, b = m.net(x).square().mean(0)
        return {"a": a, "b": b, "total": m.scale.exp() @ torch.stack([a, b])}

    made = report(Weighed(), torch.randn(8, 4), costs)
    finding = only(made, "repeated")
    assert finding.says.startswith("`total` is the sum of `a` and 1.65 × `b`: they count twice")
    text = made.to_text(unicode=False)
    assert text.isascii()
    assert "1.65 * `b`" in text


def test_sums_of_sums_are_each_told_by_their_terms() -> None:
    model, x = nn.Linear(6, 8), torch.randn(20, 6)

    def costs(m: nn.Module, x: Tensor) -> dict[str, Tensor]:
        made = {f"t{k}": loss for k, loss in enumerate(m(x).square().mean(0))}
        return {
            **made,
            "some": (made["t0"] + made["t1"]) / 2,
            "all": sum(made.values()),
            "again": 2 * made["t3"],
        }

    told = {f.costs[0]: f.costs[1:] for f in report(model, x, costs).findings if f.kind == "repeated"}
    assert told == {"some": ("t0", "t1"), "all": tuple(f"t{k}" for k in range(8)), "again": ("t3",)}


def test_examples_that_outnumber_the_weights_repeat_nothing() -> None:
    found = report(nn.Linear(2, 1), torch.randn(6, 2), lambda m, x: m(x).square().mean(1))
    assert "repeated" not in [finding.kind for finding in found.findings]
