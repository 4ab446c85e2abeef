"""Views and in-place writes: random programs, against autograd."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import whygrad as wg
from tests.torch_recorder.agreement import by_autograd, recorded
from whygrad.torch_recorder.memory import apart, window


class Program(nn.Module):
    """A program over a pool of tensors; each step makes a view, writes into one, or computes a new one."""

    def __init__(self, steps: list[tuple[int, int, int]]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 4))
        self.steps = steps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pool = [x * self.weight, torch.zeros(3, 4), self.weight + 1]
        for kind, which, other in self.steps:
            a, b = pool[which % len(pool)], pool[other % len(pool)]
            made = step(kind, a, b)
            if made is not None:
                pool.append(made)
        total = pool[0].sum()
        for place, tensor in enumerate(pool):
            total = total + (tensor * (place + 1)).square().sum()
        return total


def step(kind: int, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor | None:
    match kind % 12:
        case 0:
            return a.t() if a.dim() == 2 else a.unsqueeze(0)
        case 1:
            return a[..., 1:] if a.dim() and a.shape[-1] > 1 else a * 2
        case 2:
            return a.reshape(-1)
        case 3:
            return a[0] if a.dim() and len(a) else a + 1
        case 4:
            a.mul_(1.5)
        case 5:
            a.add_(0.25 * b.sum())
        case 6:
            if a.dim() and a.shape == b.shape:
                a.copy_(b * 0.5)
        case 7:
            if a.dim() and len(a) > 1:
                a[0] = 0.5 * a[1]
        case 8:
            return torch.sigmoid(a)
        case 9:
            a.zero_() if a.dim() < 2 else a.relu_()
        case 10:
            return a.clone()
        case 11:
            return a.detach()
    return None


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 9), st.integers(0, 9)), max_size=9))
def test_random_programs_of_views_and_writes(steps: list[tuple[int, int, int]]) -> None:
    torch.manual_seed(1)
    model = Program(steps)
    x = torch.randn(3, 4)

    def costs(model: Any, batch: Any) -> Any:
        return {"c": model(batch)}

    try:
        by_autograd(model, x, costs)
    except RuntimeError:
        return  # PyTorch itself refuses: a value that it needs was overwritten
    recorded(model, x, costs)


def test_writes_through_a_view_are_seen_by_the_others() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = self.layer(x)
            part = h[:, 1:3]
            part.mul_(2.0)
            out = torch.zeros(len(x), 5)
            out[:, :3] = h[:, 2:]
            out[:, 3:] += part
            return out

    record = recorded(
        Model(), torch.randn(6, 4), lambda m, b: {"sum": m(b).sum(), "size": m(b).square().mean()}
    )
    # column 0 is read by nobody: an empty sum
    assert record.sweep("count")["layer.weight[0, 1]"] == 0
    assert record.sweep("count")["layer.weight[4, 1]"] > 0


def test_values_are_those_at_the_time_of_use() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.tensor([2.0]))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            work = x.clone()
            first = self.scale * work  # the partial is x as it is now
            work.mul_(100.0)
            return first + 0 * work

    model = Model()
    record = wg_record(model, torch.tensor([3.0]))
    assert record.gradient("scale[0]") == pytest.approx(3.0)


def wg_record(model: nn.Module, batch: torch.Tensor) -> Any:
    import whygrad as wg

    return wg.record(model, batch, lambda m, b: {"c": m(b).sum()})


def test_every_operation_in_place_is_seen() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = (self.layer(x) * 1).pow_(2).add_(1).pow_(torch.full((4,), 0.5))
            noise, mask, part = h.clone().normal_(), h.clone().bernoulli_(0.5), h * 3
            part[:, 0].uniform_()
            turned = (h + noise * mask).t_().swapaxes_(0, 1) * part
            turned.unsqueeze_(0).squeeze_(0).transpose_(0, 1)
            rows = turned[1:]
            rows[::2] *= 2
            rows[:2].neg_()
            turned.t_()
            turned[0] *= 3
            return turned

    record = recorded(Model(), torch.randn(3, 4), lambda m, b: {"c": m(b).square().sum(), "d": m(b)[1].sum()})
    assert record.sweep("reach")["layer.weight[0, 0]"]


def test_what_is_overwritten_by_random_numbers_has_no_path() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = self.layer(x) * 2
            h[:, 1].normal_()
            return h

    record = recorded(Model(), torch.randn(3, 2), lambda m, b: {"c": m(b).square().sum()})
    assert [record.sweep("count")[f"layer.bias[{n}]"] for n in range(3)] == [3, 0, 3]


View = Callable[[torch.Tensor], torch.Tensor]


@st.composite
def views(draw: st.DrawFn, base: torch.Tensor) -> torch.Tensor:
    view = base
    for _ in range(draw(st.integers(0, 3))):
        kinds: list[View] = [
            lambda v: v.flatten() if v.is_contiguous() else v,
            lambda v: v.expand(2, *v.shape),
        ]
        if view.dim():
            axis = draw(st.integers(0, view.dim() - 1))
            low, high = sorted(draw(st.integers(0, view.shape[axis])) for _ in range(2))
            kinds += [
                lambda v, a=axis: v.transpose(a, 0),
                lambda v, a=axis, i=low, j=high: v.narrow(a, i, j - i),
                lambda v: v[::2],
            ]
            if low < high:
                kinds.append(lambda v, a=axis, i=low: v.select(a, i))
        view = draw(st.sampled_from(kinds))(view)
    return view


@given(st.data(), st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_windows_that_lie_apart_share_no_entry(data: st.DataObject, shape: list[int]) -> None:
    base = torch.zeros(shape)
    one, other = data.draw(views(base)), data.draw(views(base))
    if apart(window(one), window(other)):
        base.as_strided(one.shape, one.stride(), one.storage_offset()).fill_(1)
        assert not other.any()


def test_what_is_written_beside_a_view_leaves_it_as_it_is() -> None:
    def gated(model: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
        one, other, both = model(x).unsafe_chunk(3, 1)
        one.sigmoid_()
        other.tanh_()
        return {"size": (one * other * both).sum()}

    model = nn.Linear(4, 6)
    record = recorded(model.double(), torch.randn(3, 4, dtype=torch.float64), gated)
    assert "written" not in {node.name for node in record.graph.nodes}
    cell = wg.record(nn.LSTMCell(2, 3), torch.randn(2, 2), lambda cell, x: {"size": cell(x)[0].sum()})
    assert "written" not in {node.name for node in cell.graph.nodes}
