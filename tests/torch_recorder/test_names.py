"""Names of recorded models: no two things have one name, and a name means one thing wherever it stands."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import whygrad as wg
from tests.torch_recorder.agreement import Doubled, Of, recorded
from whygrad.graph import Entry


@dataclass
class Batch:
    x: Tensor


class Product(nn.Module):
    """A product with a weight, of which a function makes what the module returns."""

    def __init__(self, out: Callable[[Any, Tensor], Any]) -> None:
        super().__init__()
        self.w, self.out = nn.Parameter(torch.randn(3, 4)), out

    def forward(self, x: Tensor) -> Any:
        return self.out(self, x @ self.w)


def beside(module: Any, h: Tensor) -> Tensor:
    module.side = h.square().sum()
    return h.view(-1)


def through(run: Callable[[Any], Any]) -> nn.Module:
    return Of(lambda _, x: run(x))


def two(h: Tensor) -> dict[str, Tensor]:
    return {"a": h.square().sum(), "b": h.tanh().sum() + h.sin().sum()}


def costs(*modules: str) -> Callable[[Any, Any], dict[str, Tensor]]:
    """Returns costs of what modules make one after the other of a batch."""

    def run(model: Any, batch: Any) -> dict[str, Tensor]:
        for name in modules:
            batch = model[name](batch)
        return two(batch)

    return run


def linear(**options: Any) -> nn.Module:
    return nn.Linear(3, 3, **options)


X = torch.tensor([[0.3, -1.2, 0.8], [-0.6, 0.5, 1.4]], dtype=torch.float64)
# model, batch, costs
MODELS: dict[str, Callable[[], tuple[nn.Module, Any, Any]]] = {
    "a view of what others use too": lambda: (
        nn.ModuleDict({"m": Product(beside)}),
        X,
        lambda m, x: {**two(m["m"](x)), "side": m["m"].side},
    ),
    "several views": lambda: (
        nn.ModuleDict({"m": Product(lambda m, h: (h.view(-1), h.T, h[0]))}),
        X,
        lambda m, x: (lambda o: {**two(o[0]), "c": o[1].sin().sum(), "d": o[2].cos().sum()})(m["m"](x)),
    ),
    "a part and the whole": lambda: (
        nn.ModuleDict({"m": Product(lambda m, h: (h[:, :2], h))}),
        X,
        lambda m, x: (lambda o: {**two(o[0]), "c": o[1].sin().sum()})(m["m"](x)),
    ),
    "views of views": lambda: (
        nn.Sequential(
            linear(),
            nn.Identity(),
            nn.Flatten(),
            nn.Sequential(through(lambda h: h.T), through(lambda h: h.reshape(-1)), through(lambda h: h[2:])),
            nn.Unflatten(0, (2, 2)),
        ),
        X,
        lambda m, x: two(m(x)),
    ),
    "a view of a parameter": lambda: (
        Of(
            lambda m, x: (m.turned(None), m.plain(x)),
            turned=Of(lambda m, _: m.w.T, w=torch.eye(3)),
            plain=linear(),
        ),
        X,
        lambda m, x: {**two(m(x)[1] @ m(x)[0]), "c": m.turned.w.cos().sum()},
    ),
    "written to through a view": lambda: (
        Of(lambda m, x: (lambda h: (m.bend(h[:, 1:]), h))(m.first(x)), first=linear(), bend=nn.ReLU(True)),
        X,
        lambda m, x: (lambda o: {**two(o[0]), **{f"all {n}": v for n, v in two(o[1]).items()}})(m(x)),
    ),
    "modules called like operations": lambda: (
        nn.ModuleDict({"sum": nn.Sequential(linear()), "pow": nn.Identity(), "tanh": linear()}),
        X,
        costs("sum", "pow", "tanh"),
    ),
    "modules called like numbered operations": lambda: (
        nn.ModuleDict({"sum": linear(), "sum#2": linear(), "sum#3": linear()}),
        X,
        costs("sum#2", "sum#3", "sum", "sum"),
    ),
    "a module called like a later call": lambda: (
        nn.ModuleDict({"s": linear(), "s (call 2)": linear()}),
        X,
        costs("s", "s (call 2)", "s"),
    ),
    "a module called like an entry": lambda: (
        nn.ModuleDict({"s": linear(), "s[0, 1]": linear()}),
        X,
        costs("s", "s[0, 1]"),
    ),
    "a module called like the batch": lambda: (nn.ModuleDict({"batch": linear()}), X, costs("batch")),
    "a parameter called like a field of the batch": lambda: (
        nn.ModuleDict({"batch": Of(lambda m, b: b.x * m.x, x=X.cos())}),
        Batch(X),
        costs("batch"),
    ),
    "costs called like all else": lambda: (
        nn.ModuleDict({"l": linear(), "m": linear()}),
        X,
        lambda m, x: (
            lambda h: {
                name: h.square().sum() * k + h.sin().sum()
                for k, name in enumerate(("l", "l[0, 1]", "pow", "l.weight", "batch", "sum", "sin[0, 0]"))
            }
        )(m["m"](m["l"](x))),
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_name_means_one_thing(name: str) -> None:
    record = recorded(*MODELS[name]())
    graph = record.graph
    every = [record.node_name(number) for number in range(len(graph.nodes))]
    assert len(set(every)) == len(every)
    entries: set[str] = set()
    for number, called in enumerate(every):
        assert record.at(called) == (number, None)
        for place in range(graph.size(number)):
            one = record.name(Entry(number, place))
            assert one not in entries
            entries.add(one)
            node, position = record.at(one)
            assert (node, position or 0) == (number, place)
    gradient = record.graph_sweep("gradient")
    for parts in record.branches():
        sent = gradient.values(record.at(parts.place)[0])
        torch.testing.assert_close(torch.tensor(parts.whole), sent.reshape(len(sent), -1).norm(dim=1))
    for path in record.paths(k=20):
        assert record.at(path.quantities[0]) == tuple(path.path.entries[0])
    modules = {output.module for made in record.made for output in made.returned_by}
    assert {layer.name for layer in record.report().layers} <= modules


def test_what_a_module_passes_on_has_the_name_of_the_module_too() -> None:
    record = recorded(*MODELS["modules called like operations"]())
    assert record.at("sum") == record.at("pow") == record.at("sum.0")
    assert record.modules[record.at("sum")[0]] == "sum.0"
    assert record.graph.nodes[record.at("sum#2")[0]].op.name == "sum"


def test_parameters_and_fields_of_a_batch_with_one_name_are_both_there() -> None:
    record = recorded(*MODELS["a parameter called like a field of the batch"]())
    assert [(leaf.name, leaf.kind) for leaf in record.leaves.values()] == [
        ("batch.x", "parameter"),
        ("batch.x#2", "input"),
    ]


def test_a_cost_whose_name_is_how_an_array_beside_it_is_said_is_refused() -> None:
    with pytest.raises(wg.ShapeError, match=r"costs: 'l\[...\]': expected a name without \[...\]"):
        wg.record(nn.Linear(3, 1), X, lambda m, x: {"l": m(x).sum(), "l[...]": m(x).square().sum()})


def test_operations_have_names_without_the_marks_that_pytorch_has_for_its_own() -> None:
    record = wg.record(linear(), X, lambda m, x: {"c": m(x).softmax(-1).T.reshape(-1).square().sum()})
    names = [record.node_name(number) for number in range(len(record.graph.nodes))]
    assert {"softmax", "unsafe_view"} <= set(names)
    assert not any(name.startswith("_") for name in names)

    class _Own(Doubled):
        pass

    own = wg.record(linear(), X, lambda m, x: {"c": _Own.apply(m(x)).sum()}, opaque="allow")
    assert own.node_name(own.stops[0]) == "_Own"


@pytest.mark.parametrize(
    ("model", "costs"),
    [
        (nn.GRUCell(3, 2), lambda m, x: {"c": m(x, m(x)).square().sum()}),
        (linear(), lambda m, x: {"c": ((q := m(x)) @ q.T).softmax(-1)[0].log().sum()}),
        (linear(), lambda m, x: {"c": m(x)[[0, 0, 1]].prod(0).sum()}),
        (nn.MultiheadAttention(3, 1), lambda m, x: {"c": m(x, x, x)[0].square().sum()}),
    ],
    ids=["gates", "queries that are keys", "one row twice", "attention"],
)
def test_no_two_paths_have_the_same_names(model: nn.Module, costs: Any) -> None:
    record = wg.record({"m": model.double()}, X, lambda m, x: costs(m["m"], x))
    paths = record.paths(k=400)
    assert len(paths) > 30
    assert len({path.quantities for path in paths}) == len(paths)
    assert len({record.path_names([path.path])[0] for path in paths}) < len(paths)
    for path in paths:
        assert set(record.path_names([path.path])[0]) <= set(path.quantities)
        for name in path.quantities:
            node, position = record.at(name)
            assert Entry(node, position or 0) in path.path.entries
