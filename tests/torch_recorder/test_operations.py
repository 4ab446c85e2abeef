"""Operations that PyTorch has no pieces for, or that come by otherwise than they were called."""

import warnings
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import whygrad as wg
from tests.torch_recorder.agreement import Of, recorded


def cost(model: Any, x: Any) -> dict[str, Tensor]:
    out = model(x)
    parts = out if isinstance(out, (list, tuple)) else [out]
    return {"c": torch.stack([part.sin().sum() for part in parts]).sum()}


@pytest.mark.parametrize("corners", [True, False])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_volumes_that_are_sampled(mode: str, padding: str, corners: bool) -> None:
    def run(m: Any, x: Tensor) -> Tensor:
        return F.grid_sample(m.w * x, m.g, mode=mode, padding_mode=padding, align_corners=corners)

    edges = [torch.linspace(-1, 1, size) for size in (3, 5, 4)]
    grids = [
        ((2, 3, 4, 5, 6), 1.7 * torch.randn(2, 3, 2, 4, 3)),
        ((1, 1, 1, 1, 1), torch.randn(1, 3, 2, 4, 3)),
        ((1, 1, 3, 3, 3), torch.stack(torch.meshgrid(*edges, indexing="ij"), -1)[None]),
    ]
    for shape, grid in grids:
        recorded(Of(run, w=torch.randn(*shape), g=grid), torch.randn(*shape), cost)


@pytest.mark.parametrize("start", [None, 0.0, 0.5])
@pytest.mark.parametrize("how", ["sum", "mean", "max", "min", "prod"])
def test_segments_that_are_joined(how: str, start: float | None) -> None:
    cuts: list[tuple[tuple[int, ...], dict[str, Any]]] = [
        ((6, 2), {"lengths": torch.tensor([2, 3, 1])}),
        ((6, 2), {"offsets": torch.tensor([0, 2, 5, 6])}),
        ((2, 6, 2), {"lengths": torch.tensor([[2, 3, 1], [1, 1, 4]]), "axis": 1}),
    ]
    if start is not None:
        cuts.append(((6, 2), {"lengths": torch.tensor([2, 0, 4])}))
    for (shape, cut), bend in product(cuts, (torch.sin, torch.relu)):

        def run(m: Any, x: Tensor, cut: Any = cut, bend: Any = bend) -> Tensor:
            return torch.segment_reduce(bend(m.w * x), how, initial=start, **cut)

        recorded(Of(run, w=torch.randn(*shape)), torch.randn(*shape), cost)


LISTS: dict[str, Callable[[list[Tensor]], Any]] = {
    "norm": torch._foreach_norm,
    "norms of another order": lambda x: torch._foreach_norm(x, float("inf")),
    "add": lambda x: torch._foreach_add(x, x, alpha=2),
    "numbers": lambda x: torch._foreach_mul(x, [2.0, 3.0]),
    "one number": lambda x: torch._foreach_pow(2.0, x),
    "three lists": lambda x: torch._foreach_addcmul(x, x, x, value=0.5),
    "three lists and numbers": lambda x: torch._foreach_addcdiv(x, x, [y.exp() for y in x], [0.5, 2.0]),
    "maximum": lambda x: torch._foreach_maximum(x, 0.0),
    "in place": lambda x: (torch._foreach_mul_(x, 3.0), torch._foreach_add_(x, x), x)[-1],
}


@pytest.mark.parametrize("name", LISTS)
def test_operations_of_lists(name: str) -> None:
    model = Of(lambda m, x: LISTS[name]([m.w * x, m.v * x.sum()]), w=torch.randn(3, 2), v=torch.randn(4))
    recorded(model, torch.randn(3, 2), cost)


@pytest.mark.parametrize("name", ["i0", "i0e", "i1", "i1e", "ndtri", "polygamma"])
def test_functions_without_a_formula_act_entry_by_entry(name: str) -> None:
    def run(m: Any, x: Tensor) -> Tensor:
        plain = getattr(torch.special, name)
        return plain(2, m.w * x) if name == "polygamma" else plain(m.w * x)

    record = recorded(Of(run, w=torch.rand(2, 3)), torch.rand(2, 3), cost, tolerance=1e-8)
    assert record.sweep("count")["w"].tolist() == [[1] * 3] * 2
    assert record.paths("w").sum == pytest.approx(float(record.gradients()["w"].sum()), rel=1e-12)


DRAWN: dict[str, Callable[[Tensor], Any]] = {
    "Dirichlet": torch.distributions.Dirichlet,
    "Beta": lambda h: torch.distributions.Beta(h[..., :2], h[..., 1:]),
}


@pytest.mark.parametrize("name", DRAWN)
def test_what_is_drawn_moves_with_its_distribution(name: str) -> None:
    model = Of(lambda m, x: DRAWN[name](m.w * x).rsample(), w=torch.rand(2, 3) + 0.5)
    record = recorded(model, torch.rand(2, 3) + 0.5, cost)
    assert record.sweep("count")["w"].tolist() == {"Dirichlet": [[3] * 3] * 2, "Beta": [[1, 2, 1]] * 2}[name]
    assert record.paths("w").sum == pytest.approx(float(record.gradients()["w"].sum()), rel=1e-12)


@pytest.mark.parametrize("name", ["floor", "ceil", "round", "trunc", "sign", "sgn"])
def test_no_path_goes_through_steps(name: str) -> None:
    """Their derivative is 0 wherever there is one: as with a comparison, there is nothing to follow."""
    model = Of(lambda m, x: m.w * x + getattr(torch, name)(m.w * x), w=torch.randn(4))
    record = recorded(model, torch.randn(4), cost)
    assert record.sweep("count")["w"].tolist() == [1] * 4
    alone = Of(lambda m, x: getattr(torch, name)(m.w * x), w=torch.randn(4))
    assert not recorded(alone, torch.randn(4), cost).sweep("reach")["w"].any()


@pytest.mark.parametrize("how", ["floor", "trunc", None])
def test_a_division_that_rounds(how: str | None) -> None:
    model = Of(lambda m, x: torch.div(m.w * x, m.v, rounding_mode=how), w=torch.randn(4), v=torch.randn(4))
    count = recorded(model, torch.randn(4), cost).sweep("count")
    assert (count["w"] + count["v"]).tolist() == [2 if how is None else 0] * 4


def windowed(x: Tensor) -> Tensor:
    return x.as_strided((2, 2), (1, 2), 3)


@pytest.mark.parametrize("view", [lambda x: x.t(), lambda x: x[1:], lambda x: x[1:].t(), lambda x: x])
def test_a_window_onto_memory_that_lies_otherwise(view: Callable[[Tensor], Tensor]) -> None:
    recorded(Of(lambda m, x: windowed(view(m.w * x)), w=torch.randn(4, 3)), torch.randn(4, 3), cost)


def test_what_is_written_into_a_window() -> None:
    def run(m: Any, x: Tensor) -> Any:
        copy = (m.w * x).clone()
        windowed(copy).copy_(m.v)
        return copy, torch.as_strided_scatter(torch.ones(4, 3), m.v, (2, 2), (1, 2), 3)

    recorded(Of(run, w=torch.randn(4, 3), v=torch.randn(2, 2)), torch.randn(4, 3), cost)


# Matrices of experts, each for some of the tokens (which PyTorch has in float32 and below)

GROUPS = {
    "rows": ((8, 16), (3, 16, 16), True),
    "columns": ((3, 16, 16), (16, 8), True),
    "inner entries": ((16, 8), (8, 16), True),
    "all of each": ((3, 8, 16), (3, 16, 8), False),
}


@pytest.mark.parametrize("name", list(GROUPS))
def test_products_of_groups(name: str) -> None:
    one, other, grouped = GROUPS[name]
    ends = torch.tensor([2, 2, 8], dtype=torch.int32) if grouped else None

    def costs(m: Any, x: Tensor) -> dict[str, Tensor]:
        out = torch._grouped_mm(m.v * x, m.w, offs=ends)
        return {
            "size": out.square().mean(),
            "bent": out.sin().sum(),
        }  # no expanded cotangent: PyTorch has no room for it

    v, w, x = (torch.randn(shape, dtype=torch.float32) for shape in (one, other, one))
    recorded(Of(lambda m: m, v=v, w=w), x, costs, tolerance=1e-5)


# Derivatives within a cost, taken forwards

FORWARDS = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # PyTorch's own use of it
BENDS = (
    nn.Tanh(),
    nn.Sigmoid(),
    nn.Softplus(),
    nn.GELU(),
    nn.GELU("tanh"),
    nn.SiLU(),
    nn.ELU(),
    nn.Mish(),
    nn.ReLU(),
)


@FORWARDS
@pytest.mark.parametrize("bend", [*BENDS, nn.Softmax(-1), nn.LayerNorm(4, elementwise_affine=False)])
def test_a_derivative_forwards(bend: nn.Module) -> None:
    model = nn.Sequential(nn.Linear(3, 4), bend, nn.Linear(4, 2))

    def costs(m: Any, x: Tensor) -> dict[str, Tensor]:
        return {"slope": torch.func.jvp(m, (x,), (x.cos(),))[1].square().sum()}

    recorded(model, torch.randn(5, 3), costs)


@FORWARDS
def test_a_physical_law_forwards() -> None:
    """u'' + u = 0, u(0) = 1: the residual has second derivatives by the input."""
    net = nn.Sequential(nn.Linear(1, 6), nn.Tanh(), nn.Linear(6, 1))

    def costs(m: Any, t: Tensor) -> dict[str, Tensor]:
        twice = torch.func.jacfwd(torch.func.jacfwd(lambda one: m(one).squeeze(-1)))
        bent = torch.func.vmap(twice)(t).reshape(-1)
        return {
            "law": (bent + m(t)[:, 0]).square().mean(),
            "start": (m(torch.zeros(1, 1)) - 1).square().sum(),
        }

    record = recorded(net, torch.rand(7, 1), costs)
    assert record.paths("0.weight[2, 0]", cost="law").sum == pytest.approx(
        float(record.gradient("0.weight[2, 0]", "law")), rel=1e-10
    )


# Straight through

QUANTISED: dict[str, Callable[[Tensor], Tensor]] = {
    "one scale": lambda h: torch.fake_quantize_per_tensor_affine(h, 0.1, 0, -8, 7),
    "one scale in a tensor": lambda h: torch.fake_quantize_per_tensor_affine(
        h, torch.tensor(0.1, dtype=torch.float32), torch.tensor(0, dtype=torch.int32), -8, 7
    ),
    "a scale for each": lambda h: torch.fake_quantize_per_channel_affine(
        h, torch.full((4,), 0.1, dtype=torch.float32), torch.zeros(4, dtype=torch.int32), 1, -8, 7
    ),
}


@pytest.mark.parametrize("name", QUANTISED)
def test_fake_quantisation(name: str) -> None:
    record = recorded(
        nn.Linear(3, 4), torch.randn(5, 3), lambda m, x: {"c": QUANTISED[name](m(x)).sin().sum()}
    )
    assert record.sweep("count")["bias"].tolist() == [5] * 4


def test_a_model_that_is_trained_for_integers() -> None:
    torch.set_default_dtype(torch.float32)  # of which observers make their numbers
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.ao is on its way out
        from torch.ao.quantization import QuantStub, get_default_qat_qconfig, prepare_qat

        model = nn.Sequential(QuantStub(), nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
        model.qconfig = get_default_qat_qconfig("qnnpack")
        model = prepare_qat(model.train())
        model(torch.randn(5, 3))  # the observers' buffers take their shapes
    record = recorded(model, torch.randn(5, 3), lambda m, x: {"c": m(x).square().sum()}, tolerance=1e-5)
    assert any("fake_quant" in name for name in record.paths("1.weight", k=1)[0].quantities)


# TorchScript

SOURCE = """
def gelu_of_a_sum(b: Tensor, y: Tensor):
    x = b + y
    return x * 0.5 * (1.0 + torch.tanh(0.79788456 * x * (1 + 0.044715 * x * x)))
"""


@pytest.mark.parametrize("before", [0, 4])
@pytest.mark.parametrize("kind", ["function", "module"])
def test_a_script_within_the_costs(kind: str, before: int) -> None:
    """After some calls TorchScript optimises: the result is then made by a backward pass of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is on its way out
        if kind == "function":
            script = torch.jit.CompilationUnit(SOURCE).gelu_of_a_sum
        else:
            inner = torch.jit.script(nn.Sequential(nn.Tanh(), nn.Softplus()))

            def script(b, y):
                return inner(b + y)

    model = Of(lambda m, x: script(m.b, m.layer(x)), layer=nn.Linear(3, 4, bias=False), b=torch.randn(4))
    x = torch.randn(5, 3)
    for _ in range(before):
        cost(model, x)["c"].backward()
    for _ in range(3):
        recorded(model, x, cost)
    assert torch._C._get_graph_executor_optimize()


# Records within records


def test_a_record_of_the_same_model_within_its_costs() -> None:
    def norm(model: Any, batch: Any) -> Any:
        return wg.record(model, batch, lambda m, x: {"c": m(x).square().sum()}).gradients().norms()

    inner = nn.Linear(2, 2)

    def costs(m: Any, x: Tensor) -> dict[str, Tensor]:
        h = m(x)
        own, other = float(norm(m, x)["0.weight"][0]), float(norm(inner, h)["weight"][0])
        return {"a": h.square().sum() * own, "b": h.sin().sum() * other}

    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Dropout(0.5))
    record = recorded(model, torch.randn(5, 3), costs)
    assert not any("Linear" in node.name for node in record.graph.nodes)
    alone = wg.record(
        model, torch.randn(5, 3), lambda m, x: {"a": m(x).square().sum(), "b": m(x).sin().sum()}
    )
    assert len(record.graph.nodes) < 2 * len(alone.graph.nodes)
