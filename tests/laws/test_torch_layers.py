"""What PyTorch calls differently: its layers against our operations, and the shapes that models have."""

from typing import Any

import array_api_compat.torch as xp
import numpy as np
import pytest
import torch

from whygrad.arrays import in_numpy
from whygrad.ops import load_all
from whygrad.semirings import SEMIRINGS
from whygrad.structures import Local, Selection, adaptive_windows, average_windows, dense
from whygrad.structures.selection import Window

F = torch.nn.functional
OPS = load_all()


def drawn(*shape: int, seed: int = 0) -> Any:
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


def agree(op: Any, inputs: Any, settings: dict[str, Any], function: Any) -> None:
    """Asserts that an operation has a function's value and sends back what autograd does, for two costs."""
    settings = dict(op.settings) | settings
    tensors = [x.clone().requires_grad_() for x in inputs]
    value = function(*tensors)
    local = Local(tuple(inputs), op.structure.value(tuple(inputs), settings, xp), settings, xp)
    np.testing.assert_allclose(in_numpy(local.output), value.detach().numpy(), rtol=1e-12, atol=1e-13)
    cotangent = drawn(2, *value.shape, seed=1)
    for which, x in enumerate(tensors):
        (part,) = op.structure.pull(SEMIRINGS["gradient"], (cotangent,), local, which, False)
        for row in range(2):
            (wanted,) = torch.autograd.grad(value, x, cotangent[row], retain_graph=True)
            np.testing.assert_allclose(in_numpy(part[row]), wanted.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("axes", [(-1,), (1, 2), (-3, -2, -1)])
def test_layer_norm(axes: tuple[int, ...]) -> None:
    x = drawn(4, 3, 5)
    if len(axes) == 2:
        axes = (-2, -1)
    shape = tuple(x.shape[axis] for axis in axes)
    agree(OPS["normalise"], [x], {"axis": axes}, lambda x: F.layer_norm(x, shape))
    agree(OPS["rms_normalise"], [x], {"axis": axes, "eps": 1e-3}, lambda x: F.rms_norm(x, shape, eps=1e-3))


def test_batch_norm_in_training() -> None:
    x = drawn(4, 3, 5, 2)
    agree(OPS["normalise"], [x], {"axis": (0, 2, 3)}, lambda x: F.batch_norm(x, None, None, training=True))


def test_group_norm() -> None:
    x = drawn(4, 6, 5)
    agree(
        OPS["normalise"],
        [x.reshape(4, 2, 3, 5)],
        {"axis": (2, 3)},
        lambda x: F.group_norm(x.reshape(4, 6, 5), 2).reshape(4, 2, 3, 5),
    )


@pytest.mark.parametrize("targets", ["shares", "classes"])
def test_cross_entropy(targets: str) -> None:
    x, t = drawn(5, 4), F.softmax(drawn(5, 4, seed=2), 1)
    if targets == "classes":
        t = F.one_hot(torch.tensor([0, 3, 1, 1, 2]), 4).double()
    agree(
        OPS["softmax_cross_entropy"],
        [x, t],
        {"axis": 1},
        lambda x, t: F.cross_entropy(x, t, reduction="none"),
    )


POOLS = [(2, 2, 0), (3, 2, 1), (3, 1, 1), (2, 3, 0), (4, 3, 2)]


@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize("count", [False, True])
@pytest.mark.parametrize(("kernel", "stride", "padding"), POOLS)
def test_average_pooling(kernel: int, stride: int, padding: int, count: bool, ceil: bool) -> None:
    x = drawn(2, 3, 8, 7)
    matrices = {axis: average_windows(x.shape[axis], kernel, stride, padding, ceil, count) for axis in (2, 3)}
    agree(
        OPS["along_axes"],
        [x],
        {"matrices": matrices},
        lambda x: F.avg_pool2d(x, kernel, stride, padding, ceil, count),
    )


def test_average_pooling_with_a_divisor() -> None:
    x = drawn(2, 3, 8, 7)
    matrices = {2: average_windows(8, 3, 2, divisor=5), 3: average_windows(7, 2, 2, divisor=1)}
    agree(
        OPS["along_axes"],
        [x],
        {"matrices": matrices},
        lambda x: F.avg_pool2d(x, (3, 2), (2, 2), divisor_override=5),
    )


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_adaptive_average_pooling(size: int) -> None:
    x = drawn(2, 3, 8, 7)
    matrices = {2: adaptive_windows(8, size), 3: adaptive_windows(7, 3)}
    agree(OPS["along_axes"], [x], {"matrices": matrices}, lambda x: F.adaptive_avg_pool2d(x, (size, 3)))


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_convolutions(dimensions: int, transposed: bool, groups: int) -> None:
    sizes = (7, 6, 5)[:dimensions]
    kernel = (3, 2, 3)[:dimensions]
    x = drawn(2, 4, *sizes)
    W = drawn(*((4, 8 // groups) if transposed else (8, 4 // groups)), *kernel, seed=3)
    settings = {
        "stride": (2,) * dimensions,
        "padding": (1,) * dimensions,
        "dilation": (1, 2, 1)[:dimensions],
        "transposed": transposed,
        "output_padding": (1,) * dimensions if transposed else (0,) * dimensions,
        "groups": groups,
    }
    op = OPS["convolution"]
    agree(op, [x, W], settings, lambda x, W: torch.convolution(x, W, None, *settings.values()))
    # by windows, as NumPy computes: every semiring, and single columns
    arrays = (x.numpy(), W.numpy())
    ours = Local(arrays, op.structure.value(arrays, settings, np), settings, np)
    theirs = Local((x, W), op.structure.value((x, W), settings, xp), settings, xp)
    np.testing.assert_allclose(ours.output, theirs.output.numpy(), rtol=1e-12, atol=1e-13)
    for name, ring in SEMIRINGS.items():
        parts = tuple(np.abs(in_numpy(drawn(2, *ours.output.shape, seed=5))) for _ in ring.one)
        if name in ("count", "live", "reach"):
            parts = tuple(np.ceil(np.minimum(part, 1)) for part in parts)
        for which in range(2):
            wanted = op.structure.pull(ring, parts, ours, which, True)
            got = op.structure.pull(ring, tuple(map(torch.tensor, parts)), theirs, which, True)
            for left, right in zip(got, wanted, strict=True):
                assert (left is None) == (right is None)
                if left is not None:
                    np.testing.assert_allclose(in_numpy(left), right, rtol=1e-11, atol=1e-12)
    ones = np.ones((1, *ours.output.shape))
    for which in range(2):
        (counted,) = op.structure.pull(SEMIRINGS["count"], (ones,), ours, which, False)
        (summed,) = op.structure.pull(SEMIRINGS["gradient"], (ones,), ours, which, False)
        assert counted is not None
        assert summed is not None
        for position in range(0, arrays[which].size, 5):
            column = op.structure.column(ours, which, position)
            assert (
                len(column.positions) == len(set(column.positions.tolist())) == counted.reshape(-1)[position]
            )
            assert column.partials.sum() == pytest.approx(summed.reshape(-1)[position], abs=1e-11)


def test_one_dense_axis_is_never_a_matrix_where_it_need_not_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dense, "_in_blocks", None)
    x = drawn(2, 5)
    for name in ("softmax", "log_softmax", "rms_normalise"):
        op = OPS[name]
        local = Local((x,), op.structure.value((x,), dict(op.settings), xp), dict(op.settings), xp)
        for ring in SEMIRINGS.values():
            op.structure.pull(ring, tuple(drawn(3, 2, 5).abs() for _ in ring.one), local, 0, False)


@pytest.mark.parametrize("limit", [1, 200, 1 << 26])
def test_blocks_of_partials(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    op = OPS["normalise"]
    x = drawn(3, 7)
    local = Local((x,), op.structure.value((x,), dict(op.settings), xp), dict(op.settings), xp)
    jacobian = torch.autograd.functional.jacobian(lambda x: F.layer_norm(x, (7,)), x)
    cotangent = drawn(2, 3, 7, seed=1)
    monkeypatch.setattr(dense, "BLOCK_BYTES", limit)
    (part,) = op.structure.pull(SEMIRINGS["total"], (cotangent.abs(),), local, 0, False)
    wanted = torch.einsum("rni,ninj->rnj", cotangent.abs(), jacobian.abs())
    np.testing.assert_allclose(part, wanted, rtol=1e-10, atol=1e-12)


def test_a_saturated_softmax_keeps_its_small_contributions() -> None:
    op = OPS["softmax"]
    x = torch.tensor([[40.0, 0.0, 1.0]], dtype=torch.float64)
    local = Local((x,), op.structure.value((x,), dict(op.settings), xp), dict(op.settings), xp)
    (part,) = op.structure.pull(
        SEMIRINGS["total"], (torch.ones(1, 1, 3, dtype=torch.float64),), local, 0, False
    )
    y = local.output[0]
    # by the first entry: its own slope, and what the two others lose, which is 1e-17 of the sum of all
    wanted = y[0] * (1 - y[0]) + (y[1] + y[2]) * y[0]
    assert float(part[0, 0, 0]) == pytest.approx(float(wanted), rel=1e-12)


# Entries that are moved

MOVES: dict[str, Any] = {
    "view": lambda x: x.view(6, 20),
    "permuted": lambda x: x.permute(2, 0, 1),
    "sliced": lambda x: x[1:, ::2, 1:4],
    "picked": lambda x: x[:, 2],
    "expanded": lambda x: x.unsqueeze(1).expand(4, 3, 6, 5),
    "diagonal": lambda x: x.diagonal(dim1=1, dim2=2),
    "unfolded": lambda x: x.unfold(2, 3, 1),
    "overlapping": lambda x: x.as_strided((3, 4), (2, 1), 5),
    "flipped": lambda x: x.flip(1),
    "rolled": lambda x: x.roll(2, 0),
    "padded": lambda x: F.pad(x, (1, 2, 0, 1)),
    "repeated": lambda x: x.repeat(2, 1, 2),
    "triangle": lambda x: x.tril(),
    "rows": lambda x: x[torch.tensor([3, 0, 3])],
    "gathered": lambda x: x.gather(2, torch.tensor([[[4, 0], [1, 1]]])),
    "stacked": lambda x: torch.stack([x, x], 1),
}


@pytest.mark.parametrize("name", MOVES)
def test_moved_entries(name: str) -> None:
    select = MOVES[name]
    x = drawn(4, 6, 5)
    structure = Selection(("x",), select)
    local = Local((x,), select(x), {}, xp)
    tensor = x.clone().requires_grad_()
    cotangent = drawn(3, *local.output.shape, seed=1)
    (part,) = structure.pull(SEMIRINGS["gradient"], (cotangent,), local, 0, False)
    for row in range(3):
        (wanted,) = torch.autograd.grad(select(tensor), tensor, cotangent[row])
        np.testing.assert_allclose(part[row], wanted, rtol=1e-13)
    # the orders agree with what each entry's column has
    largest, smallest = structure.pull(SEMIRINGS["extremes"], (cotangent, cotangent), local, 0, False)
    flat = cotangent.reshape(3, -1).numpy()
    for position in range(0, x.numel(), 7):
        places, partials = structure.column(local, 0, position)
        np.testing.assert_array_equal(partials, np.ones(len(places)))
        if len(places):
            np.testing.assert_array_equal(largest.reshape(3, -1)[:, position], flat[:, places].max(1))
            np.testing.assert_array_equal(smallest.reshape(3, -1)[:, position], flat[:, places].min(1))
        else:
            assert torch.isnan(largest.reshape(3, -1)[:, position]).all()


def test_views_are_seen_as_views() -> None:
    x = drawn(4, 6, 5)
    views = {"view", "permuted", "sliced", "picked", "expanded", "diagonal"}
    for name, select in MOVES.items():
        structure = Selection(("x",), select)
        assert (structure.window(Local((x,), select(x), {}, xp)) is not None) == (name in views)
    arrays = Selection(("x",), lambda x: x[1:, ::2].T)
    local = Local((x.numpy(),), x.numpy()[1:, ::2].T, {}, np)
    assert arrays.window(local) == Window((5, 3, 3), (1, 10, 30), 30)


def test_joined_arrays() -> None:
    a, b = drawn(2, 3), drawn(2, 2, seed=1)
    structure = Selection(("a", "b"), lambda a, b: torch.cat([a, b, a], 1))
    local = Local((a, b), torch.cat([a, b, a], 1), {}, xp)
    assert structure.sources(local).reshape(2, 8).tolist() == [
        [1, 2, 3, 7, 8, 1, 2, 3],
        [4, 5, 6, 9, 10, 4, 5, 6],
    ]
    cotangent = drawn(1, 2, 8)
    for which, wanted in ((0, cotangent[..., :3] + cotangent[..., 5:]), (1, cotangent[..., 3:5])):
        (part,) = structure.pull(SEMIRINGS["gradient"], (cotangent,), local, which, False)
        np.testing.assert_allclose(part, wanted)


def test_embedded_rows_are_added_as_rows() -> None:
    weight, tokens = drawn(7, 4), torch.tensor([[1, 6, 1], [0, 1, 3]])
    structure = Selection(("weight",), lambda weight: F.embedding(tokens, weight))
    local = Local((weight,), F.embedding(tokens, weight), {}, xp)
    tensor = weight.clone().requires_grad_()
    cotangent = drawn(2, 2, 3, 4)
    (part,) = structure.pull(SEMIRINGS["gradient"], (cotangent,), local, 0, False)
    for row in range(2):
        (wanted,) = torch.autograd.grad(F.embedding(tokens, tensor), tensor, cotangent[row])
        np.testing.assert_allclose(part[row], wanted)


# Corners of reductions


@pytest.mark.parametrize("zeros", [0, 1, 2])
def test_products_with_zeros(zeros: int) -> None:
    x = drawn(3, 4)
    x[0, :zeros] = 0.0
    agree(OPS["prod"], [x], {"axis": 1}, lambda x: x.prod(1))


def test_extremes_that_tie() -> None:
    x = torch.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]], dtype=torch.float64)
    agree(OPS["amax"], [x], {"axis": 1}, lambda x: x.amax(1))
    agree(OPS["amin"], [x], {}, lambda x: x.amin())
    agree(OPS["max_norm"], [-x], {"axis": 1}, lambda x: torch.linalg.vector_norm(x, torch.inf, 1))


@pytest.mark.parametrize("p", [1, 2, 3, 1.5])
def test_norms_of_nothing(p: float) -> None:
    x = drawn(3, 4)
    x[1] = 0.0
    x[2, 1] = 0.0
    agree(OPS["norm"], [x], {"axis": 1, "p": p}, lambda x: torch.linalg.vector_norm(x, p, 1))


def test_a_power_of_zero() -> None:
    a = torch.tensor([0.0, 0.0, 0.0, -2.0, 3.0], dtype=torch.float64)
    b = torch.tensor([0.0, 1.0, 2.0, 3.0, 0.0], dtype=torch.float64)
    op = OPS["pow"]
    local = Local((a, b), a**b, {}, xp)
    base = a.clone().requires_grad_()
    (wanted,) = torch.autograd.grad((base**b).sum(), base)
    (part,) = op.structure.pull(
        SEMIRINGS["gradient"], (torch.ones(1, 5, dtype=torch.float64),), local, 0, False
    )
    np.testing.assert_array_equal(part[0], wanted)
