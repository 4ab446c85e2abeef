"""Values that change without autograd knowing: by ``.data``, ``detach`` or ``no_grad``. Paths stay, with new values."""

import dataclasses
from collections import UserDict
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

import whygrad as wg
from tests.torch_recorder.agreement import Of, by_autograd, recorded, unchanged

Run = Callable[[Any, torch.Tensor], Any]


def squares(model: Any, batch: Any) -> dict[str, torch.Tensor]:
    out = model(batch)
    outs = out if isinstance(out, tuple) else (out,)
    flat = torch.cat([one.reshape(-1) for one in outs])
    return {
        "sum": (flat * torch.linspace(0.3, 1.7, len(flat))).sum(),
        "size": flat.square().mean(),
    }


def two_layers(run: Run) -> nn.Module:
    # Two, since what a layer's weight is shows in the gradient of the layer before.
    return Of(run, net=nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)))


def weight_divided(m: Any, x: torch.Tensor) -> Any:
    m.net[2].weight.data.div_(m.net[2].weight.data.norm())
    return m.net(x)


def weight_replaced(m: Any, x: torch.Tensor) -> Any:
    m.net[2].weight.data = m.net[2].weight.data * 3
    return m.net(x)


def weight_clipped(m: Any, x: torch.Tensor) -> Any:
    with torch.no_grad():
        m.net[2].weight.clamp_(-0.1, 0.1)
    return m.net(x)


def weights_stepped(m: Any, x: torch.Tensor) -> Any:
    slopes = torch.autograd.grad(m.net(x).square().mean(), list(m.parameters()))
    with torch.no_grad():
        for parameter, slope in zip(m.parameters(), slopes, strict=True):
            parameter.add_(slope, alpha=0.05)
    return m.net(x)


def weights_stepped_together(m: Any, x: torch.Tensor) -> Any:
    slopes = torch.autograd.grad(m.net(x).square().mean(), list(m.parameters()))
    with torch.no_grad():
        torch._foreach_add_(list(m.parameters()), slopes, alpha=0.05)
    return m.net(x)


def weights_stepped_by_an_optimiser(m: Any, x: torch.Tensor) -> Any:
    before = m.net(x)
    optimiser = torch.optim.Adam(m.parameters(), lr=0.05, foreach=True)
    slopes = torch.autograd.grad(before.square().mean(), list(m.parameters()))
    for parameter, slope in zip(m.parameters(), slopes, strict=True):
        parameter.grad = slope
    optimiser.step()
    optimiser.zero_grad()
    return m.net(x)


def output_clipped(m: Any, x: torch.Tensor) -> Any:
    h = m.net(x)
    h.data.clamp_(-0.1, 0.1)
    return h**2


def output_replaced(m: Any, x: torch.Tensor) -> Any:
    h = m.net(x)
    h.data = h.data.clamp(-0.1, 0.1)
    return h**2


def seen_through_a_view(m: Any, x: torch.Tensor) -> Any:
    h = m.net(x)
    first = h[:, :1]
    h.data.clamp_(-0.1, 0.1)
    return h**2 * first


def a_view_is_cleared(m: Any, x: torch.Tensor) -> Any:
    h = m.net(x)
    flat = h.view(-1)
    flat.data.zero_()
    return h * h, (flat + 1) ** 2


def a_twin_is_doubled(m: Any, x: torch.Tensor) -> Any:
    h = m.net(x)
    twin = h.detach()
    twin *= 2
    return h**2 * twin


def a_row_of_a_twin(m: Any, x: torch.Tensor) -> Any:
    h = m.net(x)
    twin, doubled = h.detach(), h * 2
    twin[:, 0] = 0
    return doubled * h


def a_twin_that_carries(m: Any, x: torch.Tensor) -> Any:
    h = m.net(x)
    twin = h.detach()
    twin[0] = m.net(x)[1]
    return twin * 2 + h**2, (twin + h) ** 2


def twins_before_and_after_a_write(m: Any, x: torch.Tensor) -> Any:
    h = m.net(x)
    before, doubled = h.detach(), h * h.detach()
    h = h * 1
    h += 1
    after = h.detach()
    h *= 2
    return h * after, doubled * before


def a_column_without_gradients(m: Any, x: torch.Tensor) -> Any:
    h = m.net(x)
    with torch.no_grad():
        h[:, 0] = 7.0
    return h**2


def silent_and_seen(m: Any, x: torch.Tensor) -> Any:
    h = m.net(x)
    first = h[:, :1]
    h.data[:, 0] = 5.0
    h[:, 1] *= 2
    return first**2, h**2


def detached_in_place(m: Any, x: torch.Tensor) -> Any:
    h, constant, other = m.net(x), m.net(x) * 2, m.net(x) + 1
    constant.detach_()
    torch.detach_(other)
    return h * constant * other


@pytest.mark.parametrize(
    "run",
    [
        weight_divided,
        weight_replaced,
        weight_clipped,
        weights_stepped,
        weights_stepped_together,
        weights_stepped_by_an_optimiser,
        output_clipped,
        output_replaced,
        seen_through_a_view,
        a_view_is_cleared,
        a_twin_is_doubled,
        a_row_of_a_twin,
        a_twin_that_carries,
        twins_before_and_after_a_write,
        a_column_without_gradients,
        silent_and_seen,
        detached_in_place,
    ],
)
def test_paths_stay_with_new_values(run: Run) -> None:
    recorded(two_layers(run), torch.randn(5, 3), squares)


def test_an_averaged_model_stays_as_it_was() -> None:
    """PyTorch's own moving average writes to lists of tensors at once."""
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    net = nn.Linear(3, 2)
    average = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    average.update_parameters(net)
    with torch.no_grad():
        net.weight.add_(0.3)

    def costs(m: Any, x: torch.Tensor) -> dict[str, torch.Tensor]:
        m["average"].update_parameters(m["net"])
        with torch.no_grad():
            taught = m["average"](x)
        return {"teacher": (m["net"](x) - taught).square().mean()}

    recorded(nn.ModuleDict({"net": net, "average": average}), torch.randn(4, 3), costs)


def test_data_of_another_shape_is_refused() -> None:
    def run(m: Any, x: torch.Tensor) -> Any:
        m.net[0].weight.data = m.net[0].weight.data.t().contiguous()
        return x @ m.net[0].weight

    model, x = two_layers(run), torch.randn(5, 3)
    before = model.net[0].weight.data_ptr()
    with unchanged(model, x), pytest.raises(wg.NotSupportedError, match=r"\.data \(of another shape\)"):
        wg.record(model, x, squares)
    assert model.net[0].weight.data_ptr() == before


# Buffers, and constants that are written to between two uses


def smoothed_without_gradients(m: Any, x: torch.Tensor) -> Any:
    with torch.no_grad():
        m.seen.mul_(0.9).add_(m.net(x).mean(0), alpha=0.1)
    return m.net(x) * m.seen, m.net(x) / (m.seen.abs() + 1)


def smoothed_by_assignment(m: Any, x: torch.Tensor) -> Any:
    m.seen = m.seen * 0.9 + 0.1 * m.net(x).detach().mean(0)
    return m.net(x) * m.seen


def smoothed_by_data(m: Any, x: torch.Tensor) -> Any:
    m.seen.data = m.seen.data * 2
    return m.net(x) * m.seen


@pytest.mark.parametrize("run", [smoothed_without_gradients, smoothed_by_assignment, smoothed_by_data])
def test_buffers_have_the_values_of_the_run(run: Run) -> None:
    model = two_layers(run)
    model.register_buffer("seen", torch.randn(2))
    recorded(model, torch.randn(5, 3), squares)


def test_a_constant_that_is_written_to_between_two_uses() -> None:
    def run(m: Any, x: torch.Tensor) -> Any:
        scale = torch.ones(2)
        h = m.net(x)
        with torch.no_grad():
            first = h.sum() + scale
            scale.mul_(3)
        return h * scale, h.detach() * first

    recorded(two_layers(run), torch.randn(5, 3), squares)


def test_statistics_that_another_call_changes() -> None:
    # Autograd itself keeps no copy of running statistics: each cost is compared with a run of its own.
    def costs(m: Any, x: torch.Tensor) -> dict[str, torch.Tensor]:
        made = {}
        for name, training in (("before", False), ("within", True), ("after", False)):
            m.train(training)
            made[name] = m(x).square().sum()
        return made

    model, x = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)), torch.randn(6, 3)
    with unchanged(model, x):
        record = wg.record(model, x, costs)
    for row, (name, training) in enumerate((("before", False), ("within", True), ("after", False))):
        model.train(training)
        right = by_autograd(model, x, lambda m, x, name=name: {name: m(x).square().sum()})
        torch.testing.assert_close(record.gradients()["0.weight"][row], right["0.weight"][0])


def test_a_batch_has_what_is_taken_out_of_it() -> None:
    def costs(m: Any, b: Any) -> dict[str, torch.Tensor]:
        labels, weight = b.pop("labels"), b["more"].kept.pop()
        b["seen"], b["more"].seen = True, True
        b["masks"].append(labels > 0)
        return {"kind": weight * nn.functional.cross_entropy(m(b["x"]), labels)}

    made = {"x": torch.randn(3, 2), "labels": torch.tensor([0, 1, 1]), "masks": []}
    for batch in (made, UserDict(made)):
        batch["more"] = SimpleNamespace(kept=[1.0, 2.0])
        before, model = dict(batch), nn.Linear(2, 2)
        first, second = wg.record(model, batch, costs), wg.record(model, batch, costs)
        assert first.costs == second.costs
        assert list(batch) == list(before)
        assert all(batch[name] is value for name, value in before.items())
        assert (batch["masks"], vars(batch["more"])) == ([], {"kept": [1.0, 2.0]})


def test_a_backward_pass_of_before_still_runs_after_a_record() -> None:
    model, x = (
        nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 2)),
        torch.randn(6, 3),
    )
    loss = model(x).square().sum()
    wg.record(model, x, squares)
    loss.backward()
    assert model[0].weight.grad.any()


class Counting(nn.Module):
    """Writes to a buffer, and to what it is given, before autograd keeps them."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = nn.Linear(3, 3)
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.steps += 1
        return self.inside(x.mul_(2)) * self.steps


def test_a_backward_pass_of_before_still_runs_where_the_model_writes() -> None:
    model, x = Counting(), torch.randn(5, 3)
    loss = model(x).square().sum()
    right = torch.autograd.grad(loss, list(model.parameters()), retain_graph=True)
    versions = [tensor._version for tensor in (x, model.steps)]
    wg.record(model, x, squares)
    assert [tensor._version for tensor in (x, model.steps)] == versions
    for got, wanted in zip(torch.autograd.grad(loss, list(model.parameters())), right, strict=True):
        assert torch.equal(got, wanted)


# Batches


@dataclasses.dataclass
class Batch:
    x: torch.Tensor
    tokens: torch.Tensor
    more: Any


def test_a_batch_is_as_it_was_whatever_holds_it() -> None:
    def costs(m: Any, batch: Batch) -> dict[str, torch.Tensor]:
        batch.tokens[batch.tokens == 2] = 0
        batch.more["mask"][0] = False
        batch.more["named"].shift.mul_(2)
        batch.x[0] = 1.0
        h = m["table"](batch.tokens) + m["layer"](batch.x) * batch.more["named"].shift
        return {"size": (h * batch.more["mask"]).square().sum()}

    mask, shift = torch.ones(4, 3, dtype=torch.bool), torch.randn(3)
    batch = Batch(
        torch.randn(4, 2),
        torch.tensor([2, 1, 0, 2]),
        UserDict(mask=mask, named=SimpleNamespace(shift=shift)),
    )
    model = nn.ModuleDict({"table": nn.Embedding(3, 3), "layer": nn.Linear(2, 3)})
    with unchanged(model, [batch.x, batch.tokens, mask, shift]):
        record = wg.record(model, batch, costs)
    inputs = [name for name, leaf in record.leaves.items() if leaf.kind == "input"]
    assert inputs == ["batch.x", "batch.more['named'].shift"]
    assert record.gradient("batch.x").shape == (4, 2)
    right = by_autograd(model, batch, costs)
    torch.testing.assert_close(record.gradients()["layer.weight"], right["layer.weight"])


# Hooks of the backward pass


def hooked_output(model: Any, x: torch.Tensor) -> dict[str, torch.Tensor]:
    h = model[0](x)
    h.register_hook(lambda gradient: 0 * gradient)
    return {"size": model[1](h).square().sum()}


def plain(model: Any, x: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"size": model(x).square().sum()}


@pytest.mark.parametrize("where", ["an output", "a parameter", "a module", "a module, before"])
def test_hooks_of_the_backward_pass_are_told_of(where: str) -> None:
    model, x = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1)), torch.randn(4, 3)
    right = by_autograd(model, x, plain)
    place = {"an output": "0", "a parameter": r"1\.weight"}.get(where, "1")
    if where == "a parameter":
        model[1].weight.register_hook(lambda gradient: 0 * gradient)
    elif where == "a module":
        model[1].register_full_backward_hook(lambda module, inner, outer: (0 * inner[0],))
    elif where == "a module, before":
        model[1].register_full_backward_pre_hook(lambda module, outer: (0 * outer[0],))
    with pytest.warns(UserWarning, match=rf"hooks of PyTorch's backward pass \({place}\) are not run"):
        record = wg.record(model, x, hooked_output if where == "an output" else plain)
    for name, wanted in right.items():
        torch.testing.assert_close(record.gradients()[name], wanted)


@pytest.mark.parametrize("what", ["weights of the costs", "an output", "a loss", "a buffer"])
def test_what_comes_from_outside_with_a_gradient_is_told_of(what: str) -> None:
    model, x = nn.Linear(3, 2), torch.randn(4, 3)
    weights, before = nn.Parameter(torch.ones(2)), model(x)
    lost = before.square().sum()
    model.register_buffer("scale", torch.ones(2, requires_grad=True))

    def costs(m: Any, x: torch.Tensor) -> dict[str, torch.Tensor]:
        fresh = x.detach().clone().requires_grad_()  # made within the costs, as gradient penalties do
        made = m(x).square().mean() + fresh.sum() + x.detach().requires_grad_().sum()
        if what == "weights of the costs":
            return {"a": (weights * m(x)).sum() + made}
        if what == "a buffer":
            return {"a": (m.scale * m(x)).sum() + made}
        return {"a": made, "b": before.square().mean() if what == "an output" else lost}

    shape = {"an output": r"\(4, 2\)", "a loss": r"\(\)"}.get(what, r"\(2,\)")
    with pytest.warns(UserWarning, match=rf"of shape {shape}\) are no parameters[\s\S]*within the costs"):
        wg.record(model, x, costs)
    known = {"model": model, "costs": nn.ParameterDict({"weights": weights})}
    if what == "weights of the costs":
        record = wg.record(known, x, lambda m, x: {"a": (weights * m["model"](x)).sum()})
        torch.testing.assert_close(record.gradients()["costs.weights"][0], model(x).sum(0))


def test_a_hook_that_is_taken_away_again_is_not_told_of() -> None:
    def costs(model: Any, x: torch.Tensor) -> dict[str, torch.Tensor]:
        h = model(x)
        h.register_hook(lambda gradient: 0 * gradient).remove()
        return {"size": h.square().sum()}

    recorded(nn.Linear(3, 2), torch.randn(4, 3), costs)


# Casts of weights


def test_casts_that_autocast_made_before_the_run_are_made_anew() -> None:
    torch.set_default_dtype(torch.float32)
    model, x = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)), torch.randn(5, 3)
    right = by_autograd(model, x, plain)
    with torch.autocast("cpu", torch.bfloat16):
        model(x)  # its casts are kept for the rest of the block
        record = wg.record(model, x, lambda m, x: {"size": m(x).float().square().sum()})
        found, norms = record.gradients(), record.gradients().norms()
    for name, wanted in right.items():
        torch.testing.assert_close(found[name], wanted, rtol=0.05, atol=0.05)
        # what is made of gradients isn't rounded by the caller's autocast
        torch.testing.assert_close(norms[name], found[name].flatten(1).norm(dim=1), rtol=1e-5, atol=0.0)
        assert norms[name].dtype == torch.float32


# What a record keeps of indices, masks and targets, which others go on to use

TARGETS, SHOWN = torch.tensor([0, 2, 1, 1]), torch.tensor([True, False, True])
FACTORS = torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64)


def looked_at(m: Any, batch: Any) -> dict[str, torch.Tensor]:
    h = m["layer"](batch["x"]) + m["table"](batch["t"]) + m["padded"](batch["t"])
    picked = h.gather(1, batch["t"][:, None])
    return {
        "class": nn.functional.cross_entropy(h, batch["t"]),
        "picked": picked.square().sum() + h[range(4), batch["t"]].sum() + h[batch["mask"]].square().sum(),
        "masked": h.masked_fill(m.hidden, 2.0).square().sum() + h[:, m.order].prod(),
        "joined": torch.zeros(3, 3).index_add(0, batch["t"], h).square().sum(),
        "elsewhere": (h[TARGETS] * FACTORS).masked_fill(SHOWN, 0.5).square().sum()
        + (h * batch["t"][:, None]).sum(),
    }


def test_a_record_stays_what_it_was_whatever_becomes_of_what_it_looked_at() -> None:
    torch.manual_seed(1)
    model = nn.ModuleDict(
        {"layer": nn.Linear(2, 3), "table": nn.Embedding(3, 3), "padded": nn.Embedding(3, 3, padding_idx=1)}
    )
    model.register_buffer("hidden", torch.tensor([True, False, False]))
    model.register_buffer("order", torch.tensor([2, 0, 2]))
    batch = {
        "x": torch.randn(4, 2),
        "t": torch.tensor([0, 1, 2, 1]),
        "mask": torch.tensor([True, False, True, True]),
    }
    right = by_autograd(model, batch, looked_at)
    record, again = (wg.record(model, batch, looked_at) for _ in range(2))
    total = record.sweep("total").value("layer.weight")
    changed = [*batch.values(), model.hidden, model.order, TARGETS, SHOWN, FACTORS]
    before = [one.clone() for one in changed]
    for one in changed:
        one.zero_()
    for name, wanted in right.items():
        torch.testing.assert_close(again.gradients()[name], wanted)
    torch.testing.assert_close(again.sweep("total").value("layer.weight"), total)
    for one, kept in zip(changed, before, strict=True):
        one.copy_(kept)
