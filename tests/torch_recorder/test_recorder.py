"""What one recorded run is: autograd's gradients, and a model that is left as it was."""

import dataclasses
import math
import types
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import whygrad as wg
from tests.torch_recorder.agreement import Doubled, recorded


class TwoHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.kind, self.size = nn.Linear(4, 5), nn.Linear(5, 3), nn.Linear(5, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        h = torch.tanh(self.trunk(x))
        return self.kind(h), self.size(h)


def two_losses(model: Any, batch: Any) -> dict[str, torch.Tensor]:
    kind, size = model(batch[0])
    return {"kind": F.cross_entropy(kind, batch[1]), "size": size.square().mean()}


def labelled(examples: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(examples, 4), torch.randint(0, 3, (examples,))


def test_two_losses() -> None:
    record = recorded(TwoHeads(), labelled(), two_losses)
    assert record.cost_names == ("kind", "size")
    assert record.sweep("reach").value("size.weight[0, 0]", cost="kind") is False
    assert record.sweep("reach").value("size.weight[0, 0]", cost="size") is True
    with torch.no_grad():
        kind, size = (loss.item() for loss in two_losses(TwoHeads(), labelled()).values())
    assert set(record.costs) == {"kind", "size"}
    assert math.isfinite(kind + size)


def test_the_costs_have_the_values_of_the_run() -> None:
    model, batch = TwoHeads(), labelled()
    record = wg.record(model, batch, two_losses)
    assert record.costs == {name: loss.item() for name, loss in two_losses(model, batch).items()}


def test_ten_losses() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 10))
    record = recorded(
        model, torch.randn(5, 4), lambda m, b: {f"c{k}": m(b)[:, k].square().sum() for k in range(10)}
    )
    assert record.gradients()["0.weight"].shape == (10, 8, 4)


def test_a_cost_for_each_example_comes_out_of_one_sweep() -> None:
    record = recorded(
        TwoHeads(),
        labelled(),
        lambda m, b: {
            "kind": F.cross_entropy(m(b[0])[0], b[1], reduction="none"),
            "size": m(b[0])[1].square()[:, 0],
        },
    )
    gradients = record.gradients()
    J = torch.cat([gradients[name].reshape(12, -1) for name in gradients], 1)
    torch.testing.assert_close(gradients.gramian(), J @ J.T)
    assert record.cost_names[:2] == ("kind[0]", "kind[1]")


def test_a_module_with_several_names_goes_by_its_first() -> None:
    body = nn.Linear(3, 3)
    record = wg.record(
        {"body": body, "whole": nn.Sequential(body, nn.Tanh())},
        torch.randn(2, 3),
        lambda models, x: {"size": models["whole"](x).square().sum()},
    )
    assert record.leaves["body.weight"].aliases == ("whole.0.weight",)
    assert {"body", "whole.1"} <= set(record.modules)
    assert "whole.0" not in record.modules
    assert record.at("body") == (record.graph.number("body"), None)


def test_tied_weights_are_one_parameter_with_both_names() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.head = nn.Embedding(7, 4), nn.Linear(4, 7, bias=False)
            self.head.weight = self.embedding.weight

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return self.head(self.embedding(tokens))

    tokens = torch.tensor([[1, 2, 2], [5, 0, 1]])
    record = recorded(Tied(), tokens, lambda m, b: {"c": F.cross_entropy(m(b).flatten(0, 1), b.flatten())})
    assert list(record.parameters) == ["embedding.weight"]
    assert record.gradient("head.weight[2, 1]") == record.gradient("embedding.weight[2, 1]")


def test_a_module_that_is_used_twice() -> None:
    shared = nn.Linear(4, 4)
    record = recorded(
        nn.Sequential(shared, nn.Tanh(), shared), torch.randn(3, 4), lambda m, b: {"c": m(b).sum()}
    )
    # through the second use alone, and through the first and then the second
    assert record.sweep("count")["0.weight[1, 2]"] == 3 * (1 + 4)


def test_frozen_parameters_have_no_gradient_but_paths_go_through() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2))
    model[1].requires_grad_(False)
    record = recorded(model, torch.randn(3, 4), lambda m, b: {"c": m(b).square().sum()})
    assert "1.weight" not in record.gradients()
    assert record.leaves["1.weight"].kind == "frozen"
    assert record.sweep("reach")["0.weight[0, 0]"]


class Cut(nn.Module):
    def __init__(self, how: str) -> None:
        super().__init__()
        self.a, self.b, self.how = nn.Linear(4, 4), nn.Linear(4, 4), how

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.a(x)
        if self.how == "detach":
            h = h.detach()
        elif self.how == "data":
            h = h.data
        elif self.how == "no_grad":
            with torch.no_grad():
                h = self.a(x)
        elif self.how == "half":
            h = torch.cat([h[:, :2], h[:, 2:].detach()], 1)
        return self.b(h)


@pytest.mark.parametrize("how", ["detach", "data", "no_grad"])
def test_what_is_cut_has_no_path(how: str) -> None:
    record = recorded(Cut(how), torch.randn(3, 4), lambda m, b: {"c": m(b).square().sum()})
    assert record.sweep("count")["a.weight[0, 0]"] == 0
    assert record.sweep("count")["b.weight[0, 0]"] == 3


def test_half_of_an_array_is_cut() -> None:
    record = recorded(Cut("half"), torch.randn(3, 4), lambda m, b: {"c": m(b).square().sum()})
    assert record.sweep("count")["a.weight[1, 0]"] > 0
    assert record.sweep("count")["a.weight[3, 0]"] == 0


def test_dropout_keeps_the_mask_of_the_run() -> None:
    model = nn.Sequential(nn.Linear(4, 30), nn.Dropout(0.5), nn.Linear(30, 2))
    torch.manual_seed(3)
    mask = F.dropout(torch.ones(1, 30), 0.5)[0]
    torch.manual_seed(3)
    record = recorded(model, torch.randn(1, 4), lambda m, b: {"c": m(b).sum()})
    gradient = record.gradients()["0.bias"][0]
    assert 0 < int((gradient == 0).sum()) < 30
    assert mask.numel() == gradient.numel()


def test_control_flow_is_that_of_the_run() -> None:
    class Early(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(3, 3) for _ in range(6))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for layer in self.layers:
                x = torch.tanh(layer(x))
                if x.mean() > 0:
                    break
            return x

    model = Early()
    with torch.no_grad():
        model.layers[1].bias.fill_(5.0)
        model.layers[0].bias.fill_(-5.0)
    record = recorded(model, torch.randn(2, 3), lambda m, b: {"c": m(b).sum()})
    assert record.sweep("reach")["layers.1.weight[0, 0]"]
    assert not record.sweep("reach")["layers.2.weight[0, 0]"]


def test_bfloat16_and_autocast() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)).to(torch.bfloat16)
    recorded(
        model, torch.randn(3, 4).bfloat16(), lambda m, b: {"c": m(b).float().square().sum()}, tolerance=0.05
    )
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)).float()

    def costs(model: Any, batch: Any) -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            return {"c": model(batch).float().square().sum()}

    recorded(model, torch.randn(3, 4).float(), costs, tolerance=0.05)


def test_the_batch_may_be_any_nest_and_its_tensors_are_quantities() -> None:
    model = nn.Linear(3, 1)
    batch = {"left": torch.randn(2, 3), "right": [torch.randn(2, 3), torch.tensor([1, 2])]}
    record = recorded(model, batch, lambda m, b: {"c": (m(b["left"]) * m(b["right"][0])).sum()})
    assert record.leaves["batch['left']"].kind == "input"
    left = batch["left"].clone().requires_grad_()
    (model(left) * model(batch["right"][0])).sum().backward()
    torch.testing.assert_close(record.gradient("batch['left']"), left.grad)
    assert record.gradient("batch['right'][0][1, 2]") != 0


def test_two_models_in_one_record() -> None:
    models = {"maker": nn.Linear(2, 3), "judge": nn.Linear(3, 1)}
    record = wg.record(models, torch.randn(4, 2), lambda m, b: {"c": m["judge"](m["maker"](b)).sum()})
    assert list(record.parameters) == ["maker.weight", "maker.bias", "judge.weight", "judge.bias"]


# What isn't declared


class WithFunction(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inside = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return Doubled.apply(self.inside(x)).square()


def test_an_operation_without_a_declaration_is_named_with_its_module() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.solver = Solver()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.solver(x)

    class Solver(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.matrix = nn.Parameter(torch.eye(3) + 0.1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.igamma(torch.ones(3, 3), self.matrix) @ x

    with pytest.raises(wg.NotSupportedError) as refused:
        wg.record(Model(), torch.ones(3), lambda m, b: {"c": m(b).sum()})
    lines = str(refused.value).splitlines()
    assert lines[0].startswith("solver: the operation ")
    assert "igamma" in lines[0]
    assert lines[-1].startswith(
        'try:      write it with operations of the table, or record with opaque="allow"'
    )
    record = recorded(Model(), torch.ones(3), lambda m, b: {"c": m(b).square().sum()}, opaque="allow")
    assert record.sweep("count")["solver.matrix[0, 0]"] == 0
    assert "igamma" in repr(record.sweep("count"))
    assert record.sweep("gradient").stops == ()


def test_a_function_with_its_own_backward_pass() -> None:
    with pytest.raises(wg.NotSupportedError, match=r"Doubled \(a torch.autograd.Function\)"):
        wg.record(WithFunction(), torch.ones(2, 3), lambda m, b: {"c": m(b).sum()})
    assert "apply" not in torch.autograd.function._SingleLevelFunction.__dict__
    record = recorded(WithFunction(), torch.ones(2, 3), lambda m, b: {"c": m(b).sum()}, opaque="allow")
    assert record.stops


def test_every_result_but_the_gradient_says_where_it_stops() -> None:
    def costs(m: nn.Module, b: torch.Tensor) -> dict[str, torch.Tensor]:
        plain, own = m["plain"](b), m["own"](m["plain"](b))
        return {"plain": m["last"](plain).square().sum(), "own": m["last"](own).square().sum()}

    model = nn.ModuleDict({"plain": nn.Linear(3, 3), "own": WithFunction(), "last": nn.Linear(3, 1)})
    record = recorded(model, torch.ones(2, 3), costs, opaque="allow")
    assert repr(record).endswith("; without a declaration: own.Doubled)")
    for semiring in ("total", "strongest", "extremes", "count", "reach", "entropy", "spectrum"):
        assert record.sweep(semiring).stops == ("own.Doubled",)
    end = "without a declaration: own.Doubled; what goes through is in the gradient alone, and in no path"
    for name, cost, stopped in (
        ("plain.weight", None, True),
        ("plain.weight[0, 0]", "own", True),
        ("plain.weight[0, 0]", "plain", False),
        ("last.weight", None, False),
    ):
        paths = record.paths(name, cost=cost, k=2)
        assert paths.stops == ("own.Doubled",) * stopped
        assert str(paths).replace("\n", " ").endswith(end) == stopped
        assert ("sum of all paths" in str(paths)) != stopped
        gradient = record.gradient(name, cost=cost)
        assert paths.sum == pytest.approx(float(torch.as_tensor(gradient).sum()))
    assert record.of("plain[0, 1]").paths("plain.weight").stops == ()
    split = record.spectrum(["last"])
    assert split.stops == ("own.Doubled",)
    assert str(split).endswith("without a declaration: `own.Doubled`; what goes through is in no part")
    assert record.report().stops == ("own.Doubled",)
    assert "Operations without a declaration (`own.Doubled`)" in record.report().to_text(200)


def test_a_function_with_its_own_backward_pass_is_seen_under_another_name() -> None:
    doubled = Doubled.apply
    inside = nn.Linear(3, 3)

    def costs(m: nn.Module, b: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"c": doubled(m(b)).square().sum()}

    with pytest.raises(wg.NotSupportedError, match=r"Doubled \(a torch.autograd.Function\)"):
        wg.record(inside, torch.ones(2, 3), costs)
    assert recorded(inside, torch.ones(2, 3), costs, opaque="allow").stops


class Noisy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        noise = torch.rand_like(x)
        ctx.save_for_backward(noise)
        return noise * x

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return ctx.saved_tensors[0] * grads[0]


def test_an_opaque_operation_draws_the_numbers_of_the_run() -> None:
    def costs(m: Any, x: torch.Tensor) -> dict[str, torch.Tensor]:
        shapes = m(x).exp() + 0.1
        drawn = torch.distributions.Dirichlet(shapes).rsample()
        return {"noise": Noisy.apply(m(x)).square().sum(), "shares": drawn.square().sum()}

    record = recorded(nn.Linear(3, 2), torch.randn(4, 3), costs, opaque="allow")
    before = torch.get_rng_state()
    assert record.gradient("weight").abs().max() > 0
    assert torch.equal(torch.get_rng_state(), before)


def test_samples_that_move_with_their_distribution() -> None:
    def costs(m: Any, x: torch.Tensor) -> dict[str, torch.Tensor]:
        shapes = m(x).exp() + 0.1
        one = torch.distributions.StudentT(shapes + 2).rsample().tanh().sum()
        return {"a": torch.distributions.Gamma(shapes, shapes.flip(1)).rsample().sum(), "b": one}

    recorded(nn.Linear(3, 2), torch.randn(4, 3), costs)


class Cubed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return 3 * ctx.saved_tensors[0] ** 2 * grads[0]


@pytest.mark.parametrize("after", [lambda y: y, lambda y: y.view(-1), lambda y: 2 * y, lambda y: y[0].exp()])
@pytest.mark.parametrize("beside", [False, True])
def test_a_function_with_a_backward_pass_that_is_not_python(after: Any, beside: bool) -> None:
    """As extensions in C++ have them: nothing comes by but what they compute, with gradients off."""

    def hidden(x: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = super(torch.autograd.function._SingleLevelFunction, Cubed).apply(x)
        return made

    def costs(m: Any, x: torch.Tensor) -> dict[str, torch.Tensor]:
        made = after(hidden(m(x)))
        return {"c": (made * m(x).sum()).sum() if beside else made.sum()}

    with pytest.raises(wg.NotSupportedError, match=r"aten.mul.Tensor \(in a function .* C\+\+\)"):
        wg.record(nn.Linear(3, 2), torch.randn(4, 3), costs)
    wg.record(nn.Linear(3, 2), torch.randn(4, 3), lambda m, x: {"c": m(x).sum(), "d": hidden(x).sum()})


def test_what_is_made_without_gradients_may_ask_for_its_own() -> None:
    def costs(m: Any, x: torch.Tensor) -> dict[str, torch.Tensor]:
        with torch.no_grad():
            moved, filled = x + m(x).mean(), torch.zeros(4, 2)
        moved.requires_grad_()
        filled[1:] = m(x)[1:].round()
        return {
            "moved": m(moved.view(2, 2, 3).flatten(0, 1)).square().sum(),
            "filled": (filled.t() * m(x).t()).sum(),
        }

    recorded(nn.Linear(3, 2), torch.randn(4, 3), costs)


def test_checkpointed_segments_are_looked_into() -> None:
    from torch.utils.checkpoint import checkpoint

    class Model(nn.Module):
        def __init__(self, reentrant: bool) -> None:
            super().__init__()
            self.a, self.b, self.reentrant = nn.Linear(3, 3), nn.Linear(3, 1), reentrant

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = checkpoint(lambda h: torch.tanh(self.a(h)), x + 0, use_reentrant=self.reentrant)
            return self.b(h)

    record = recorded(Model(False), torch.randn(2, 3), lambda m, b: {"c": m(b).sum()})
    assert record.sweep("count")["a.weight[0, 0]"] == 2


class Losses(NamedTuple):
    a: torch.Tensor
    b: torch.Tensor


@dataclasses.dataclass
class Computed:
    a: torch.Tensor


@pytest.mark.parametrize(
    ("losses", "says", "tries"),
    [
        (
            lambda m, b: [m(b).sum()],
            "expected a function (model, batch) that returns a dict of named losses, found list",
            "enumerate(losses)",
        ),
        (lambda m, b: Losses(m(b).sum(), m(b).mean()), "found Losses", "return losses._asdict()"),
        (lambda m, b: types.SimpleNamespace(a=m(b).sum()), "found SimpleNamespace", 'return {"name": loss}'),
        (lambda m, b: Computed(m(b).sum()), "found Computed", "return vars(losses)"),
        (lambda m, b: {}, "found an empty dict", 'return {"name": loss}'),
        (lambda m, b: {"c": m(b)}, "'c' must be a floating-point tensor without axes", ".mean() or .sum()"),
        (lambda m, b: {"c": 3.0}, "found 3.0", ".item()"),
        (lambda m, b: {"c": None}, "found None", "in a batch that has no such loss"),
        (lambda m, b: {"c": {"d": m(b).sum()}}, "found {'d': ", "one dict of all losses"),
        (lambda m, b: {"c": m(b).argmax()}, "of torch.int64", "no derivative"),
        (lambda m, b: {"c": torch.fft.fft(m(b)).sum()}, "of torch.complex", ".abs() or .real"),
        (lambda m, b: {"c": m(b[:0])[:, 0]}, "found 'c' without an entry", ""),
        (lambda m, b: {1: m(b).sum(), "1": m(b).mean()}, "found '1' twice", ""),
        (lambda m, b: {"c": m(b)[0], "c[1]": m(b).mean()}, "found 'c[1]' twice", ""),
    ],
)
def test_costs_of_the_wrong_kind(losses: Any, says: str, tries: str) -> None:
    with pytest.raises(wg.ShapeError) as refused:
        wg.record(nn.Linear(2, 2), torch.ones(1, 2), losses)
    said, _, tried = str(refused.value).partition("\ntry:")
    assert says in said
    assert tries in tried


def test_costs_and_batch_in_the_wrong_order() -> None:
    with pytest.raises(
        wg.NotSupportedError, match=r"expected a function .* found Tensor\ntry: .*in this order"
    ):
        wg.record(nn.Linear(2, 2), lambda m, b: {"c": m(b).sum()}, torch.ones(1, 2))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("model", "batch", "says"),
    [
        (
            nn.BatchNorm1d(2, affine=False).to("meta"),
            torch.ones(3, 2),
            "the buffer running_mean is on the meta device",
        ),
        (nn.Linear(2, 1), {"x": torch.ones(3, 2, device="meta")}, r"batch\['x'\] is on the meta device"),
    ],
)
def test_what_has_no_values_is_named(model: nn.Module, batch: Any, says: str) -> None:
    with pytest.raises(wg.NotSupportedError, match=says):
        wg.record(model, batch, lambda m, b: {"c": m(b).sum()})


def test_a_model_without_a_parameter_that_is_trained_has_no_inner_products() -> None:
    record = wg.record(
        nn.Linear(2, 1).requires_grad_(False), torch.ones(3, 2), lambda m, b: {"c": m(b).sum()}
    )
    with pytest.raises(wg.NotSupportedError, match="no parameters that are trained"):
        record.gradients().cosines()


def test_costs_that_are_missing() -> None:
    with pytest.raises(wg.NotSupportedError, match="costs is missing"):
        wg.record(nn.Linear(2, 2), torch.ones(1, 2))


def test_gradients_and_hooks_of_the_model_stay() -> None:
    model = nn.Linear(2, 2)
    model.weight.grad = torch.ones(2, 2)
    seen: list[int] = []
    model.register_forward_hook(lambda *_: seen.append(1))
    wg.record(model, torch.ones(1, 2), lambda m, b: {"c": m(b).sum()})
    assert torch.equal(model.weight.grad, torch.ones(2, 2))
    assert model.bias.grad is None
    assert seen == [1]
    assert not torch.nn.modules.module._global_forward_hooks


def test_a_failing_model_leaves_everything_as_it_was() -> None:
    class Fails(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.norm(x)
            torch.rand(3)
            raise KeyError("mine")

    model, batch = Fails(), torch.randn(3, 2)
    random = torch.get_rng_state()
    with pytest.raises(KeyError, match="mine"):
        wg.record(model, batch, lambda m, b: {"c": m(b).sum()})
    assert torch.equal(random, torch.get_rng_state())
    assert model.norm.num_batches_tracked == 0
    assert torch.equal(model.norm.running_mean, torch.zeros(2))
    assert not torch.nn.modules.module._global_forward_hooks


@pytest.mark.parametrize(
    ("layer", "shape", "name"),
    [
        (nn.RMSNorm(4), (3, 4), "rms_normalise"),
        (nn.RMSNorm((2, 4), elementwise_affine=False), (3, 2, 4), "rms_normalise"),
        (nn.LayerNorm(4), (3, 4), "normalise"),
        (nn.GroupNorm(2, 4), (3, 4, 5), "normalise"),
        (nn.BatchNorm1d(4), (3, 4), "normalise"),
        (nn.InstanceNorm1d(4), (3, 4, 5), "normalise"),
        (nn.Softmax(-1), (3, 4), "softmax"),
    ],
)
def test_the_cut_is_fixed_on_every_device(layer: nn.Module, shape: tuple[int, ...], name: str) -> None:
    x = torch.randn(shape, requires_grad=True)
    record = wg.record(layer.double(), x, lambda m, b: {"c": m(b).pow(3).sum()})
    wanted = torch.autograd.grad(layer(x).pow(3).sum(), x)[0]
    torch.testing.assert_close(record.gradient("batch"), wanted)
    made = [node.op.name for node in record.graph.nodes if node.op is not None]
    assert made.count(name) == 1
    assert not {"rsqrt", "mean", "exp", "div"} & set(made)
