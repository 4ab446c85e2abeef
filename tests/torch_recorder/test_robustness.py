"""Models and batches that are out of the ordinary: right results, or a clear error."""

import copy
import gc
import json
import pathlib
import pickle
import re
import subprocess
import sys
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import whygrad as wg
from tests.torch_recorder.agreement import Doubled, recorded


def size(model: Any, batch: Any) -> dict[str, torch.Tensor]:
    return {"c": model(batch).square().sum()}


def test_hooks_take_part() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh())
    model[0].register_forward_hook(lambda module, inputs, out: 2 * out)
    model[1].register_forward_pre_hook(lambda module, inputs: (inputs[0] + 1,))
    recorded(model, torch.randn(2, 3), size)


def test_weight_norm() -> None:
    model = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
    record = recorded(model, torch.randn(4, 3), size)
    assert "parametrizations.weight.original0" in record.parameters


@pytest.mark.parametrize("training", [True, False])
def test_spectral_norm(training: bool) -> None:
    model = nn.utils.parametrizations.spectral_norm(nn.Linear(3, 2))
    recorded(model.train(training), torch.randn(4, 3), size)


def test_a_module_that_is_called_with_other_parameters() -> None:
    def costs(m: Any, x: Any) -> Any:
        doubled = {name: 2 * p for name, p in m.named_parameters()}
        return {"c": torch.func.functional_call(m, doubled, (x,)).square().sum()}

    recorded(nn.Linear(3, 2), torch.randn(4, 3), costs)


def test_state_in_lists() -> None:
    class Remembers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.seen = nn.Linear(3, 3), []

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.seen.append(self.layer(x))
            self.seen.append(torch.tanh(self.layer(self.seen[-1])))
            return self.seen[-2] + self.seen[-1]

    recorded(Remembers(), torch.randn(2, 3), size)


def test_a_batch_with_nothing_in_some_places() -> None:
    batch = {"x": torch.randn(2, 3), "mask": None, "name": "a", "n": 3}
    record = recorded(nn.Linear(3, 2), batch, lambda m, b: size(m, b["x"]))
    assert "batch['x']" in record.leaves


def test_a_generator_as_batch_is_drawn_from_once() -> None:
    def parts() -> Iterator[torch.Tensor]:
        yield torch.ones(2, 3)

    record = wg.record(nn.Linear(3, 2), parts(), lambda m, b: {"c": m(next(b)).sum()})
    torch.testing.assert_close(record.gradients()["bias"], torch.full((1, 2), 2.0))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite(value: float) -> None:
    x = torch.ones(2, 3)
    x[0, 1] = value
    record = wg.record(nn.Linear(3, 2), x, lambda m, b: {"c": m(b).sum()})
    gradient = record.gradients()["weight"][0]
    assert not torch.isfinite(gradient[:, 1]).any()
    torch.testing.assert_close(gradient[:, 0], torch.full((2,), 2.0))


@pytest.mark.parametrize("examples", [0, 1])
def test_few_examples(examples: int) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    record = recorded(model, torch.randn(examples, 3), size)
    assert record.sweep("reach")["0.weight[0, 0]"] is (examples > 0)


def test_a_convolution_of_no_example() -> None:
    model = nn.Sequential(nn.Conv2d(2, 4, 3, groups=2), nn.ReLU(), nn.ConvTranspose2d(4, 2, 2, groups=2))
    recorded(model, torch.randn(0, 2, 4, 4), lambda m, x: {"size": m(x).square().sum(), "sum": m(x).sum()})


def test_an_input_that_asks_for_its_gradient() -> None:
    x = torch.randn(2, 3, requires_grad=True)
    record = recorded(nn.Linear(3, 2), x, size)
    assert x.grad is None
    assert record.gradient("batch").shape == (2, 3)


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode])
def test_a_caller_without_gradients(around: Any) -> None:
    model, x = nn.Linear(3, 2), torch.randn(4, 3)
    right = wg.record(model, x, size).gradients()["weight"]
    with around():
        found = wg.record(model, x, size).gradients()["weight"]
    torch.testing.assert_close(found, right)


def test_a_caller_with_autocast() -> None:
    model, x = nn.Linear(3, 2).float(), torch.randn(4, 3).float()
    with torch.autocast("cpu", torch.bfloat16):
        record = wg.record(model, x, lambda m, b: {"c": m(b).float().square().sum()})
    right = torch.autograd.grad(model(x).square().sum(), model.weight)[0]
    torch.testing.assert_close(record.gradients()["weight"][0], right, rtol=0.05, atol=0.05)


def test_a_record_inside_a_record() -> None:
    inner = nn.Linear(3, 2)
    inside: list[Any] = []

    def costs(m: Any, x: Any) -> Any:
        inside.append(wg.record(inner, torch.ones(1, 3), size).gradients()["bias"])
        return size(m, x)

    recorded(nn.Linear(3, 2), torch.randn(4, 3), costs)
    torch.testing.assert_close(inside[0][0], 2 * inner(torch.ones(1, 3))[0].detach())


def test_a_cost_that_depends_on_nothing() -> None:
    record = wg.record(
        nn.Linear(3, 2), torch.randn(4, 3), lambda m, x: {"c": m(x).sum(), "fixed": torch.tensor(3.0)}
    )
    assert record.costs["fixed"] == 3.0
    assert not record.gradients()["weight"][1].any()
    assert record.sweep("reach").value("weight[0, 0]", cost="fixed") is False
    assert record.sweep("entropy").value("weight[0, 0]", cost="fixed") is None
    assert list(record.paths("weight[0, 0]", cost="fixed")) == []


def test_a_batch_of_integers_alone() -> None:
    recorded(nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 2)), torch.tensor([1, 4, 4]), size)


def test_lazy_modules_are_refused_until_they_have_a_shape() -> None:
    model = nn.LazyLinear(2)
    with pytest.raises(wg.NotSupportedError, match="run the model once"):
        wg.record(model, torch.randn(4, 3), size)
    model(torch.randn(4, 3))
    recorded(model, torch.randn(4, 3), size)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # of PyTorch's own compiler
def test_a_compiled_model_runs_as_it_was_written() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    x = torch.randn(5, 3)
    right = torch.autograd.grad(size(model, x)["c"], model[0].weight)[0]
    record = wg.record(torch.compile(model), x, size)
    (name,) = [name for name in record.parameters if name.endswith("0.weight")]
    torch.testing.assert_close(record.gradients()[name][0], right)


def test_a_model_that_is_no_module() -> None:
    with pytest.raises(wg.NotSupportedError, match=r"torch\.nn\.Module"):
        wg.record([nn.Linear(3, 2)], torch.randn(4, 3), size)


def test_what_the_costs_compile_first_runs_as_it_was_written() -> None:
    program = """
import sys, torch, warnings
import whygrad as wg
warnings.simplefilter("error")
model = torch.nn.Linear(3, 2)
plain = wg.record(model, torch.ones(4, 3), lambda m, x: {"c": m(x).square().sum()})
assert "torch._dynamo" not in sys.modules, "recording brought the compiler along"
warnings.filterwarnings("ignore", category=DeprecationWarning)  # the compiler's own
def compiled(m, x):
    return {"c": torch.compile(m, backend="eager")(x).square().sum()}
for _ in range(2):
    made = wg.record(model, torch.ones(4, 3), compiled)
    assert torch.equal(made.gradients()["weight"], plain.gradients()["weight"])
    assert torch.compile.__module__ == "torch"
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("opaque", ["forbid", "allow"])
def test_a_record_and_the_run_that_it_is_of_are_freed_at_once(opaque: str) -> None:
    model = nn.Sequential(nn.Conv1d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.GroupNorm(2, 12), nn.Linear(12, 2))
    outs = []

    def costs(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
        out = model(x.clone().transpose(1, 2)[:, :1])
        out = Doubled.apply(out) if opaque == "allow" else torch.cat([out, out.flip(0)])
        outs.append(weakref.ref(out))
        return {"each": out.square().sum(0), "all": out.mean()}

    wg.record(
        model, torch.randn(4, 8, 1), costs, opaque=opaque
    )  # PyTorch's own tables are filled the first time
    gc.collect()
    gc.disable()
    try:
        record = wg.record(model, torch.randn(4, 8, 1), costs, opaque=opaque)
        assert outs[-1]() is None  # what autograd noted of the run hangs on it
        assert all(array.isfinite().all() for array in record.gradients().values())
        held = weakref.ref(record), weakref.ref(record.graph.nodes[-1].value)
        del record
        assert [ref() for ref in held] == [None, None]
    finally:
        gc.enable()


class Labelled(torch.Tensor):
    """A tensor of another class, as image libraries have them: results are wrapped where no operation comes by."""


def test_tensors_of_another_class() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    record = recorded(model, torch.randn(5, 3).as_subclass(Labelled), size)
    assert record.gradients()["0.weight"].abs().max() > 0


def test_one_loss_under_two_names() -> None:
    def costs(m: Any, x: Any) -> dict[str, torch.Tensor]:
        loss = m(x).square().mean()
        return {"a": loss, "b": loss, "each": loss.expand(2), "weight": m.weight[0, 0], "own": m.weight.sum()}

    record = recorded(nn.Linear(3, 2), torch.randn(4, 3), costs)
    assert len({tuple(entry) for entry in record.graph.costs}) >= 5
    for name in ("a", "b", "each[0]", "each[1]", "own"):
        assert {path.quantities[-1] for path in record.paths(cost=name, k=3)} == {name}


def everything(record: wg.Record, folder: pathlib.Path) -> None:
    """Asks for all that a record has to say."""
    report = record.report()
    json.dumps(report.to_json(), allow_nan=False)
    assert report.to_text()
    assert report.to_html()
    for cost in record.cost_names:
        for path in record.paths(cost=cost, k=3):
            for name in path.quantities:  # what is printed is found again
                record.at(name)
        assert str(record.paths(cost=cost))
    record.branches()
    text = record.save_html(folder / "page.html").read_text(encoding="utf-8")
    assert not re.search(r"[:,\[](NaN|-?Infinity)\b", text)


@pytest.mark.parametrize("examples", [0, 1])
def test_everything_is_said_of_few_examples(examples: int, tmp_path: pathlib.Path) -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
    record = wg.record(
        model, torch.randn(examples, 3), lambda m, x: {"a": m(x).sum(), "b": m(x).square().sum()}
    )
    everything(record, tmp_path)


def test_everything_is_said_of_many_costs_that_are_not_finite(tmp_path: pathlib.Path) -> None:
    def costs(m: Any, x: Any) -> dict[Any, torch.Tensor]:
        return {f"c{k}": m(x).square().mean() * float("nan") for k in range(6)}

    everything(wg.record(nn.Linear(3, 2), torch.randn(4, 3), costs), tmp_path)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_everything_is_said_of_what_leaves_the_range(dtype: torch.dtype, tmp_path: pathlib.Path) -> None:
    x = torch.randn(4, 3, dtype=dtype) * (1e200 if dtype is torch.float64 else 1e30)
    model = nn.Linear(3, 2).to(dtype)
    record = wg.record(model, x, lambda m, x: {"a": m(x).square().sum(), "b": m(x).exp().sum()})
    everything(record, tmp_path)


def test_names_of_any_kind(tmp_path: pathlib.Path) -> None:
    model = nn.ModuleDict({"a b[0]": nn.Linear(3, 2), "<b>x": nn.Linear(2, 2), "π": nn.Linear(2, 1)})

    def costs(m: Any, x: Any) -> dict[Any, torch.Tensor]:
        h = m["π"](m["<b>x"](m["a b[0]"](x).tanh()))
        return {
            1: h.mean(),
            ("x", 2): h.square().mean(),
            "<script>s()</script>": h.abs().sum(),
            "π": h.sin().sum(),
        }

    record = recorded(model, torch.randn(4, 3), costs)
    everything(record, tmp_path)
    assert "<script>s()" not in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("batch", "kind", "words"),
    [
        (
            torch.ones(2, 5),
            RuntimeError,
            "in inner.0 (Linear)\nfound:    batch (2, 5) torch.float32; parameters of",
        ),
        (torch.ones(2, 4), RuntimeError, "batch (2, 4) torch.float32; parameters of torch.float64"),
        (
            {"x": torch.ones(2, 4)},
            TypeError,
            "in inner.0 (Linear)\nfound:    batch['x'] (2, 4) torch.float32;",
        ),
        (np.ones((2, 4)), TypeError, "batch of type ndarray, without tensors"),
        ({"y": 0}, KeyError, "raised this, outside of all modules"),
    ],
)
def test_an_error_of_ones_own_code_stays_what_it_is_and_is_placed(
    batch: Any, kind: type[Exception], words: str
) -> None:
    def costs(model: nn.Module, batch: Any) -> dict[str, Tensor]:
        return {"c": model(batch["x"] if isinstance(batch, dict) and "y" in batch else batch).sum()}

    model = nn.ModuleDict({"inner": nn.Sequential(nn.Linear(4, 3))})["inner"]
    with pytest.raises(kind) as plain:
        costs(model, batch)
    with pytest.raises(kind) as raised:
        wg.record({"inner": model}, batch, lambda m, b: costs(m["inner"], b))
    assert str(raised.value) == str(plain.value)
    assert words in "".join(raised.value.__notes__)


def test_costs_that_take_other_arguments_are_refused_before_the_run() -> None:
    model = nn.Linear(4, 2)
    for costs in (lambda batch: batch, lambda model, batch, target: batch, nn.Tanh()):
        with pytest.raises(wg.NotSupportedError, match=r"expected a function costs\(model, batch\)"):
            wg.record(model, torch.ones(2, 4), costs)

    class Losses(nn.Module):
        def forward(self, model: nn.Module, batch: Tensor, weight: float = 2.0) -> dict[str, Tensor]:
            return {"c": weight * model(batch).sum()}

    assert wg.record(model, torch.ones(2, 4), Losses()).cost_names == ("c",)


def test_a_frozen_parameter_has_no_row_among_gradients_and_that_is_said() -> None:
    model = nn.Linear(4, 2)
    model.bias.requires_grad_(False)
    record = wg.record(model, torch.ones(3, 4), lambda m, b: {"c": m(b).sum()})
    with pytest.raises(wg.QuantityError, match=r"found 'bias', which is frozen[\s\S]*rec.gradient\('bias'\)"):
        record.gradients()["bias"]
    assert record.gradient("bias").tolist() == [3.0, 3.0]


def test_what_can_be_asked_for_is_completed_in_notebooks() -> None:
    record = wg.record(nn.Linear(4, 2), torch.ones(3, 4), lambda m, b: {"c": m(b).sum()})
    assert record.gradients()._ipython_key_completions_() == ["weight", "bias"]
    assert record.sweep("total")._ipython_key_completions_() == ["weight", "bias", "batch", "c"]


def test_results_show_what_they_are() -> None:
    record = wg.record(nn.Linear(4, 2), torch.ones(3, 4), lambda m, b: {"c": (m(b) * m(2 * b)).sum()})
    assert repr(record.gradients()) == "Gradients(weight: (2, 4), bias: (2,); costs c)"
    for result in (record.paths("weight", k=3), record.spectrum([""]), record.report()):
        assert repr(result) == str(result)
        assert "\n" in str(result)
    assert repr(record.branches()[0]).startswith("Parts(weight: ")
    assert repr(record.paths("weight", k=1)[0]).startswith("NamedPath(weight[")
    assert repr(record.report().model).startswith("Part(the model: 10 entries, norms ")


def test_a_record_that_is_copied_or_pickled_says_what_can_be() -> None:
    record = wg.record(nn.Linear(4, 2), torch.ones(3, 4), lambda m, b: {"c": m(b).sum()})
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(wg.NotSupportedError, match="its report"):
            copied(record)
    report = pickle.loads(pickle.dumps(record.report()))
    assert report.to_text() == record.report().to_text()


@pytest.mark.parametrize(
    ("ask", "kind", "words"),
    [
        (lambda r: r.spectrum([]), wg.QuantityError, "expected patterns of module paths, such as"),
        (lambda r: r.spectrum(3), wg.QuantityError, "found 3"),
        (lambda r: r.spectrum(["inner1"]), wg.QuantityError, "did you mean 'inner'?"),
        (lambda r: r.branches("iner"), wg.QuantityError, "did you mean 'inner'?"),
        (lambda r: r.report(3), wg.NotSupportedError, "expected some of total, entropy, spectrum, found 3"),
        (lambda r: r.report("entropi"), wg.NotSupportedError, "did you mean 'entropy'?"),
        (lambda r: r.sweep("strongst"), wg.NotSupportedError, "did you mean 'strongest'?"),
        (lambda r: r.gradients()[["inner.bias"]], wg.QuantityError, "found ['inner.bias']"),
        (lambda r: r.gradients()["inner.bais"], wg.QuantityError, "did you mean 'inner.bias'?"),
        (lambda r: r.gradients().cosines("iner"), wg.QuantityError, "did you mean 'inner'?"),
        (lambda r: r.gradients().gramian(0), wg.QuantityError, "expected the name of a parameter"),
        (lambda r: r.paths("inner.bias", cost="smal"), wg.QuantityError, "did you mean 'small'?"),
        (lambda r: r.gradient("inner.bis"), wg.QuantityError, "did you mean 'inner.bias'?"),
        (lambda r: r.gradient("many[2"), wg.QuantityError, "did you mean 'many[2]'?"),
        (lambda r: r.sweep("total").array("inner.bias[1]"), wg.QuantityError, "which is one entry"),
        (lambda r: r.save_html("x", chosen="iner"), wg.QuantityError, "did you mean 'inner'?"),
        (lambda r: r.save_html("x", semirings="totl"), wg.NotSupportedError, "did you mean 'total'?"),
    ],
)
def test_what_is_not_there_is_met_with_what_was_meant(ask: Any, kind: type[Exception], words: str) -> None:
    def costs(model: Any, x: Tensor) -> dict[str, Tensor]:
        return {"small": model["inner"](x).square().sum(), "many": model["inner"](x).sum(0)}

    record = wg.record(nn.ModuleDict({"inner": nn.Linear(4, 3)}), torch.ones(2, 4), costs)
    with pytest.raises(kind) as refused:
        ask(record)
    assert words in str(refused.value)


def test_arguments_that_are_not_there_are_refused_by_name() -> None:
    with pytest.raises(wg.NotYetError, match="a NumPy function can't be recorded yet"):
        wg.record(lambda W1: W1.sum(), W1=np.ones((2, 2)))
    with pytest.raises(wg.NotSupportedError, match=r"found 'cost'; did you mean 'costs'\?"):
        wg.record(nn.Linear(2, 1), torch.ones(1, 2), cost=size)


@pytest.mark.parametrize("training", [True, False])
def test_every_module_s_output_is_found_by_the_module_s_name(training: bool) -> None:
    layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.3, batch_first=True)
    model = nn.ModuleDict(
        {
            "conv": nn.Sequential(
                nn.Conv1d(3, 4, 1), nn.BatchNorm1d(4), nn.ReLU(inplace=True), nn.Identity()
            ),
            "encode": nn.TransformerEncoder(layer, 2),
            "past": nn.GRU(4, 4, batch_first=True),
        }
    ).train(training)

    def costs(model: Any, x: Tensor) -> dict[str, Tensor]:
        h = model["encode"](model["conv"](x).mT)
        return {"a": model["past"](h)[0].sum(), "b": model["encode"](h).square().sum()}

    wanted: dict[str, list[Tensor]] = {}
    for path, module in model.named_modules():

        def keep(module: nn.Module, given: Any, out: Any, path: str = path) -> None:
            first = out[0] if isinstance(out, tuple) else out
            wanted.setdefault(path, []).append(first.detach().clone())

        module.register_forward_hook(keep)
    x = torch.randn(2, 3, 5)
    record = wg.record(model, x, costs)
    assert len(wanted) > 20
    for path, outputs in wanted.items():
        for call, out in enumerate(outputs, 1):
            node, _ = record.at(path if call == 1 else f"{path} (call {call})")
            torch.testing.assert_close(record.graph.nodes[node].value, out)
