"""Recurrent layers and cells: PyTorch's kernels run whole, and what is noted is what their pieces are."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import whygrad as wg
from tests.torch_recorder.agreement import Of, recorded

KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "LSTM": (nn.LSTM, {}),
    "LSTM with projections": (nn.LSTM, {"num_layers": 2, "proj_size": 2, "bidirectional": True}),
    "LSTM without biases": (nn.LSTM, {"bias": False, "batch_first": True}),
    "GRU": (nn.GRU, {"num_layers": 2, "batch_first": True}),
    "GRU, both ways": (nn.GRU, {"bidirectional": True, "bias": False}),
    "RNN": (nn.RNN, {"bidirectional": True}),
    "RNN with relu": (nn.RNN, {"nonlinearity": "relu", "num_layers": 2}),
}


def every(out: Any) -> list[Tensor]:
    """Returns the tensors that a layer returns."""
    return [out] if isinstance(out, Tensor) else [x for part in out for x in every(part)]


def two_costs(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
    outs = [o.flatten() for o in every(model(x))]
    return {
        "sum": sum((o * torch.linspace(1, 2, len(o))).sum() for o in outs),
        "size": outs[-1].square().sum(),
    }


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", KINDS)
def test_layers(name: str, dtype: torch.dtype) -> None:
    torch.set_default_dtype(dtype)  # oneDNN has kernels for float32
    kind, options = KINDS[name]
    layer, x = kind(3, 4, **options), torch.randn(4, 3, 3)
    record = recorded(
        Of(lambda m, x: m.layer(x), layer=layer), x, two_costs, 1e-10 if dtype == torch.float64 else 2e-5
    )
    assert torch.equal(record.graph.nodes[record.graph.number("layer")].value, layer(x)[0])


@pytest.mark.parametrize("name", KINDS)
def test_paths_are_those_of_the_pieces(name: str) -> None:
    kind, options = KINDS[name]
    layer, x = kind(2, 4, **options), torch.randn(2, 2, 2)
    words = (
        "input",
        "hx",
        "params",
        "has_biases",
        "num_layers",
        "dropout",
        "train",
        "bidirectional",
        "batch_first",
    )
    plain = {nn.LSTM: "lstm", nn.GRU: "gru"}.get(
        kind, "rnn_relu" if "nonlinearity" in options else "rnn_tanh"
    )
    ways, axis = 1 + layer.bidirectional, 0 if layer.batch_first else 1
    h = torch.zeros(layer.num_layers * ways, x.shape[axis], layer.proj_size or 4)
    hx = (h, torch.zeros(*h.shape[:2], 4)) if kind is nn.LSTM else h
    sizes = (layer.bias, layer.num_layers, 0.0, True, layer.bidirectional, layer.batch_first)

    def whole(m: Any, x: Tensor) -> Any:
        return getattr(torch, plain)(x, hx, m.layer._flat_weights, *sizes)

    def in_pieces(m: Any, x: Tensor) -> Any:  # named arguments: the kernel is called as it is
        return getattr(torch, plain)(**dict(zip(words, (x, hx, m.layer._flat_weights, *sizes), strict=True)))

    one, other = (wg.record(Of(run, layer=layer), x, two_costs) for run in (whole, in_pieces))
    assert {node.name for node in one.graph.nodes} != {node.name for node in other.graph.nodes}
    for semiring in ("gradient", "total", "count", "entropy", "strongest"):
        ours, theirs = one.sweep(semiring), other.sweep(semiring)
        for parameter, _ in layer.named_parameters():
            pair = (torch.as_tensor(values.array(f"layer.{parameter}")) for values in (ours, theirs))
            torch.testing.assert_close(*pair, rtol=1e-9, atol=1e-12, equal_nan=True)


@pytest.mark.parametrize("kind", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
@pytest.mark.parametrize("bias", [True, False])
def test_cells(kind: Any, bias: bool) -> None:
    def run(m: Any, x: Tensor) -> Tensor:
        h: Any = x.new_zeros(2, 4)
        state = (h, h) if kind is nn.LSTMCell else h  # one tensor in two places
        for step in x:
            state = m.cell(step, state)
        return state[0] if isinstance(state, tuple) else state

    record = recorded(Of(run, cell=kind(3, 4, bias=bias)), torch.randn(3, 2, 3), two_costs)
    assert {"cell", "cell (call 2)", "cell (call 3)"} <= {node.name for node in record.graph.nodes}


def test_states_with_a_path_and_outputs_that_are_written_to() -> None:
    def run(m: Any, x: Tensor) -> Tensor:
        h = (m.start * 2).expand(1, 3, 4)
        out, (last, _) = m.layer(x, (h, h.sin()))
        out = out + 0
        out[0].mul_(2).sigmoid_()
        last.add_(out[1])
        return torch.cat([out, last])

    recorded(Of(run, layer=nn.LSTM(3, 4), start=torch.randn(4)), torch.randn(5, 3, 3), two_costs)


def test_weights_that_are_one_and_weights_that_are_frozen() -> None:
    def run(m: Any, x: Tensor) -> Tensor:
        h = x.new_zeros(2, 3)
        for step in x:
            h = torch.rnn_tanh_cell(step, h, m.w, m.w, m.b, m.b)
        return h

    model = Of(run, w=torch.randn(3, 3), b=torch.randn(3))
    model.b.requires_grad_(False)
    recorded(model, torch.randn(3, 2, 3), two_costs)


def packed(m: Any, x: Tensor) -> Any:
    lengths = torch.tensor([4, 2, 3])
    return m.layer(nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False))[1]


def on_each_example(m: Any, x: Tensor) -> Any:
    state = torch.zeros(4)
    return torch.func.vmap(lambda one: torch.gru_cell(one[None], state[None], *m.layer._flat_weights))(x[0])


PIECES: dict[str, Callable[[Any, Tensor], Any]] = {
    "sequences of several lengths": packed,
    "one example of several": on_each_example,
}


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("name", PIECES)
def test_what_is_recorded_in_pieces(name: str) -> None:
    recorded(Of(PIECES[name], layer=nn.GRU(3, 4)), torch.randn(4, 3, 3), two_costs)


def test_entries_that_are_dropped_between_layers() -> None:
    recorded(
        Of(lambda m, x: m.layer(x), layer=nn.LSTM(3, 4, 2, dropout=0.5)), torch.randn(4, 3, 3), two_costs
    )


def test_a_cell_under_autocast() -> None:
    torch.set_default_dtype(torch.float32)

    def costs(m: Any, x: Tensor) -> dict[str, Tensor]:
        with torch.autocast("cpu"):
            out, _ = m(x)
        return {"size": out.square().sum()}

    recorded(nn.LSTMCell(3, 4), torch.randn(2, 3), costs, tolerance=0.02)


def test_costs_of_gradients_through_a_layer_are_run_once_more() -> None:
    runs = []

    def costs(m: Any, x: Tensor) -> dict[str, Tensor]:
        runs.append(torch.rand(()))
        (slope,) = torch.autograd.grad(m(x)[0].sum(), m.weight_hh_l0, create_graph=True)
        return {"slope": slope.square().sum() * runs[-1]}

    layer, x = nn.LSTM(3, 4), torch.randn(4, 3, 3)
    before = torch.get_rng_state()
    record = wg.record(layer, x, costs)
    assert torch.equal(*runs)  # the same random numbers
    torch.set_rng_state(before)
    assert record.costs["slope"] == pytest.approx(float(costs(layer, x)["slope"].detach()))


def test_what_a_run_leaves_can_be_differentiated_twice() -> None:
    kept = []

    def costs(m: Any, x: Tensor) -> dict[str, Tensor]:
        kept.append(m(x)[0].square().sum())
        return {"size": kept[-1]}

    layer = nn.GRU(3, 4)
    wg.record(layer, torch.randn(4, 3, 3), costs)
    (slope,) = torch.autograd.grad(kept[0], layer.weight_hh_l0, create_graph=True)
    (second,) = torch.autograd.grad(slope.sum(), layer.weight_hh_l0)
    assert second.isfinite().all()
    assert second.any()
