"""Structures: their corners; the laws of the operations go over all of them."""

import math
from typing import Any

import array_api_compat.torch as xp
import numpy as np
import pytest
import torch

from whygrad.ops import Op, load_all
from whygrad.semirings import SEMIRINGS
from whygrad.structures import (
    Contraction,
    Convolution,
    DenseAlongAxis,
    Elementwise,
    Local,
    Selection,
    constant,
    settled,
)

OPS = load_all()


def local(op: Op, *inputs: Any, **settings: Any) -> Local:
    merged = dict(op.settings) | settings
    return Local(inputs, op.structure.value(inputs, merged, np), merged, np)


def test_settings_are_filled_into_formulas() -> None:
    assert (
        constant(settled("p*x^(p - 1)", {"p": 1.0})) is None
    )  # 1.0 - 1 isn't folded, and not in the place of 1 - 1
    assert constant(settled("p*x^(p - 1)", {"p": 1})) == 1.0
    assert constant(settled("p*x^(p - 1)", {"p": 2})) is None
    assert constant(settled("1", {})) == 1.0


@pytest.mark.parametrize("p", [0, 1, 2, 3, 0.5, -1, 2.0])
def test_powers(p: float) -> None:
    x = np.array([[0.5, 2.0]])
    at = local(OPS["power"], x, p=p)
    assert at.output.shape == x.shape
    np.testing.assert_allclose(at.output, x**p)
    (part,) = OPS["power"].structure.pull(SEMIRINGS["gradient"], (np.ones((1, 1, 2)),), at, 0, False)
    np.testing.assert_allclose(part, [p * x ** (p - 1.0)])


def test_whole_numbers_in_a_formula_dont_make_whole_arrays() -> None:
    step = Elementwise(("x",), "where(x > 0, 1, 0)", {"x": "0"})
    for dtype in (np.float64, np.float32):
        made = step.value((np.array([-1, 2], dtype=dtype),), {}, np)
        assert made.dtype == dtype
        np.testing.assert_array_equal(made, [0, 1])
    seven = Elementwise(("x",), "7", {"x": "0"})
    np.testing.assert_array_equal(seven.value((np.zeros((2, 3)),), {}, np), np.full((2, 3), 7.0))


def test_arrays_without_axes() -> None:
    at = local(OPS["mul"], np.array(3.0), np.array(5.0))
    assert at.output.shape == ()
    positions, partials = OPS["mul"].structure.column(at, 0, 0)
    assert (positions.tolist(), partials.tolist()) == ([0], [5.0])
    at = local(OPS["sum"], np.array(3.0))
    assert OPS["sum"].structure.column(at, 0, 0).positions.tolist() == [0]


def test_a_column_of_a_broadcast_entry_is_all_that_it_stands_for() -> None:
    at = local(OPS["add"], np.zeros((2, 3)), np.zeros(3))
    assert OPS["add"].structure.column(at, 1, 1).positions.tolist() == [1, 4]
    assert OPS["add"].structure.column(at, 0, 4).positions.tolist() == [4]


@pytest.mark.parametrize("shape", [(4,), (2, 4), (2, 3, 4), (1, 1, 1, 4)])
def test_linear_takes_any_number_of_axes(shape: tuple[int, ...]) -> None:
    generator = np.random.default_rng(0)
    x, W = generator.normal(size=shape), generator.normal(size=(5, 4))
    op = OPS["linear"]
    at = local(op, x, W)
    np.testing.assert_allclose(at.output, x @ W.T)
    eye = np.eye(at.output.size).reshape(at.output.size, *at.output.shape)
    for which in (0, 1):
        (part,) = op.structure.pull(SEMIRINGS["gradient"], (eye,), at, which, False)
        assert part is not None
        rows = part.reshape(at.output.size, -1)
        for position in range(rows.shape[1]):
            positions, partials = op.structure.column(at, which, position)
            wanted = np.zeros(at.output.size)
            wanted[positions] = partials
            np.testing.assert_allclose(rows[:, position], wanted)


def test_the_partial_of_a_product_is_the_other_factor() -> None:
    structure = OPS["matmul"].structure
    assert isinstance(structure, Contraction)
    assert [structure.formula(which, {}).name for which in (0, 1)] == ["B", "A"]


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_softmax_along_any_axis(axis: int) -> None:
    op = OPS["softmax"]
    assert isinstance(op.structure, DenseAlongAxis)
    at = local(op, np.random.default_rng(1).normal(size=(2, 3, 4)), axis=axis)
    np.testing.assert_allclose(at.output.sum(axis=axis), 1.0)
    positions, partials = op.structure.column(at, 0, 5)
    assert len(positions) == at.output.shape[axis]
    assert partials.sum() == pytest.approx(0.0, abs=1e-15)
    assert 5 in positions


def test_a_dense_operation_with_a_setting() -> None:
    warm = DenseAlongAxis("x", "exp(beta*x)/axis_sum(exp(beta*x))", {"x": "beta*y_i*(delta - y_j)"})
    x = np.array([[0.5, -1.0, 2.0]])
    at = Local((x,), warm.value((x,), {"beta": 3.0}, np), {"beta": 3.0}, np)
    shares = np.exp(3 * x) / np.exp(3 * x).sum()
    np.testing.assert_allclose(at.output, shares)
    jacobian = 3 * (np.diag(shares[0]) - shares.T @ shares)
    (part,) = warm.pull(SEMIRINGS["gradient"], (np.eye(3)[:, None, :],), at, 0, False)
    assert part is not None
    np.testing.assert_allclose(part[:, 0], jacobian, atol=1e-15)
    np.testing.assert_allclose(warm.column(at, 0, 2).partials, jacobian[:, 2], atol=1e-15)


def test_entries_from_several_inputs() -> None:
    joined = Selection(("a", "b"), lambda a, b: np.concatenate([a, b[::-1], a]))
    a, b = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    at = Local((a, b), joined.value((a, b), {}, np), {}, np)
    np.testing.assert_array_equal(at.output, [1, 2, 4, 3, 1, 2])
    assert joined.column(at, 0, 1).positions.tolist() == [1, 5]
    assert joined.column(at, 1, 0).positions.tolist() == [3]
    cotangent = np.arange(6.0)[None]
    for which, wanted in ((0, [4, 6]), (1, [3, 2])):
        (part,) = joined.pull(SEMIRINGS["gradient"], (cotangent,), at, which, False)
        np.testing.assert_array_equal(part, [wanted])
    extremes = joined.pull(SEMIRINGS["extremes"], (cotangent, cotangent), at, 0, False)
    np.testing.assert_array_equal(extremes, [[[4, 5]], [[0, 1]]])


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.T,
        lambda x: x[1:, ::2],
        lambda x: x.reshape(6, 2),
        lambda x: x[2],
        lambda x: x[2:3, 1].reshape(()),
        lambda x: x[None, 1:3, :, None],
        lambda x: np.broadcast_to(x[:, None], (4, 5, 3)),
        lambda x: np.broadcast_to(x[1:2, 1:2], (2, 2)),
    ],
)
def test_what_a_view_shows_of_an_entry(view: Any) -> None:
    shown, x = Selection(("x",), view), np.arange(12.0).reshape(4, 3)
    at = Local((x,), view(x), {}, np)
    assert shown.window(at) is not None
    for position in range(12):
        positions, partials = shown.column(at, 0, position)
        np.testing.assert_array_equal(positions, np.flatnonzero(np.ravel(view(x)) == position))
        np.testing.assert_array_equal(partials, np.ones(len(positions)))


@pytest.mark.parametrize("name", ["gradient", "entropy", "strongest", "extremes", "count"])
def test_rows_that_are_picked_are_picked_entries(name: str) -> None:
    def pick(x: Any) -> Any:  # the last from nowhere, as padding is
        return np.concatenate([x[[[2, 0], [2, 2]]], np.zeros((1, 2, *x.shape[1:]))])

    x = np.arange(24.0).reshape(4, 3, 2)
    at, semiring = Local((x,), pick(x), {}, np), SEMIRINGS[name]
    by_entry, by_row = Selection(("x",), pick), Selection(("x",), pick, rows=True)
    np.testing.assert_array_equal(by_row.sources(at), by_entry.sources(at))
    assert (by_row.sources(at)[-12:] == 0).all()
    for position in (0, 8, 13):
        for one, other in zip(by_row.column(at, 0, position), by_entry.column(at, 0, position), strict=True):
            np.testing.assert_array_equal(one, other)
    cotangent = tuple(np.random.default_rng(0).normal(size=(2, *at.output.shape)) for _ in semiring.one)
    for marked in (False, True):
        wanted = by_entry.pull(semiring, cotangent, at, 0, marked)
        for made, part in zip(by_row.pull(semiring, cotangent, at, 0, marked), wanted, strict=True):
            np.testing.assert_allclose(made, part)


def test_a_dropped_entry_reaches_nothing() -> None:
    first = Selection(("a",), lambda a: a[:1])
    a = np.array([1.0, 2.0])
    at = Local((a,), a[:1], {}, np)
    (part,) = first.pull(SEMIRINGS["gradient"], (np.ones((1, 1)),), at, 0, False)
    np.testing.assert_array_equal(part, [[1, 0]])
    largest, smallest = first.pull(SEMIRINGS["extremes"], (np.ones((1, 1)),) * 2, at, 0, False)
    assert largest is not None
    assert smallest is not None
    assert math.isnan(largest[0, 1])
    assert math.isnan(smallest[0, 1])


@pytest.mark.parametrize("name", ["total", "live", "strongest", "entropy"])
@pytest.mark.parametrize("kind", ["drawn", "ties", "balanced", "one apart", "constant"])
@pytest.mark.parametrize("n", [1, 2, 5, 33])
@pytest.mark.parametrize("nearly", [4, 1000])
def test_normalisation_without_its_pairs(
    nearly: int, n: int, kind: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whygrad.structures.lines.NEARLY", nearly)
    monkeypatch.setattr("whygrad.structures.clusters.SMALLEST", 4)
    monkeypatch.setattr("whygrad.structures.dense.CLUSTERED_FROM", 0)
    monkeypatch.setattr("whygrad.structures.dense.SORTED_FROM", 0)
    monkeypatch.setattr("whygrad.structures.dense.ENVELOPE_FROM", 0)
    drawn = np.random.default_rng(n)
    x = {
        "drawn": drawn.normal(size=(3, n)),
        "ties": drawn.integers(0, 3, (3, n)).astype(float),
        "balanced": np.resize([-1.0, 1.0], (3, n)),  # half of the partials are exactly 0 with eps = 0
        "one apart": np.eye(3, n),
        "constant": np.ones((3, n)),
    }[kind]
    at = local(OPS["normalise"], x, axis=-1, eps=0.0 if kind == "balanced" and n % 2 == 0 else 1e-5)
    partials = np.zeros((3, n, n))
    for position in range(3 * n):
        group, j = divmod(position, n)
        column = OPS["normalise"].structure.column(at, 0, position)
        partials[group, column.positions - group * n, j] = column.partials
    cotangent = drawn.integers(0, 4, (2, 3, n)).astype(float)
    cotangent[0, 0] = np.eye(1, n, n - 1)
    if name == "strongest":
        cotangent *= drawn.choice([-1.0, 1.0], size=cotangent.shape)
        products = cotangent[..., None] * partials
        largest, smallest = products.max(axis=2), products.min(axis=2)
        (made,) = OPS["normalise"].structure.pull(SEMIRINGS[name], (cotangent,), at, 0, False)
        np.testing.assert_allclose(np.abs(made), np.maximum(largest, -smallest), rtol=1e-11, atol=1e-13)
        told = np.abs(largest + smallest) > 1e-9 * np.abs(made)  # of two as strong either sign is right
        np.testing.assert_array_equal((made > 0)[told], (largest > -smallest)[told])
        return
    if name == "entropy":
        product = drawn.normal(size=cotangent.shape)
        made, found = OPS["normalise"].structure.pull(SEMIRINGS[name], (cotangent, product), at, 0, False)
        sizes = np.abs(partials)
        surprise = np.where(sizes > 0, sizes * np.log(np.where(sizes > 0, sizes, 1.0)), 0.0)
        wanted = np.einsum("rgi,gij->rgj", product, sizes) + np.einsum("rgi,gij->rgj", cotangent, surprise)
        np.testing.assert_allclose(made, np.einsum("rgi,gij->rgj", cotangent, sizes), rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-11 * np.abs(wanted).max(initial=0.1))
        return
    lifted = np.abs(partials) if name == "total" else (partials != 0).astype(float)
    (made,) = OPS["normalise"].structure.pull(SEMIRINGS[name], (cotangent,), at, 0, False)
    np.testing.assert_allclose(made, np.einsum("rgi,gij->rgj", cotangent, lifted), rtol=1e-12, atol=1e-13)


def test_large_groups_are_sorted_and_not_paired(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).normal(size=(2, 3000))
    beyond = np.array(x)
    beyond[1] *= 1e200  # whose squares are beyond the largest number: the partials are 0
    monkeypatch.setattr("whygrad.structures.dense._in_blocks", None)
    for name in ("total", "live", "count", "gradient", "strongest", "entropy"):
        for values, cotangent in ((x, 1.0), (beyond, 1.0), (x, np.nan)):
            given = np.ones((1, 2, 3000))
            given[0, 1] = cotangent
            both = (given,) * len(SEMIRINGS[name].one)
            with np.errstate(over="ignore", invalid="ignore"):
                at = local(OPS["normalise"], values, axis=-1)
                element = OPS["normalise"].structure.pull(SEMIRINGS[name], both, at, 0, False)
            assert len(element) == len(both)
            for made in element:
                assert made is not None
                assert made.shape == (1, 2, 3000)
                assert np.isfinite(made[0, 0]).all()


def test_as_much_is_told_apart_in_single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).normal(size=(4, 400)).astype(np.float32)
    cotangent = np.random.default_rng(1).uniform(size=(2, 4, 400)).astype(np.float32)
    at = local(OPS["normalise"], x, axis=-1)
    pull = OPS["normalise"].structure.pull
    (by_order,) = pull(SEMIRINGS["total"], (cotangent,), at, 0, False)
    monkeypatch.setattr("whygrad.structures.dense.SORTED_FROM", np.inf)
    (by_pairs,) = pull(SEMIRINGS["total"], (cotangent,), at, 0, False)
    assert by_order.dtype == np.float32
    np.testing.assert_allclose(by_order, by_pairs, rtol=2e-5)


@pytest.mark.parametrize("semiring", ["count", "live", "reach"])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(("groups", "stride", "spatial"), [(1, 2, 2), (2, 1, 1), (4, 2, 1), (2, 2, 2)])
def test_whole_numbers_through_convolutions(
    semiring: str, transposed: bool, groups: int, stride: int, spatial: int
) -> None:
    """On tensors the channels that are alike are done once; NumPy goes through the windows."""
    generator = np.random.default_rng(groups)
    settings = {"groups": groups, "stride": stride, "padding": 1, "transposed": transposed}
    x = generator.normal(size=(2, 8, *(5,) * spatial))
    x[x < -1] = 0.0  # for the weight's counts; no weight is 0
    channels = (8, 4) if transposed else (4 * groups, 8 // groups)
    weight = generator.normal(size=(*channels, *(3,) * spatial))
    structure = Convolution(("x", "W"))
    output = structure.value((x, weight), settings, np)
    cotangent = generator.integers(0, 9, (3, *output.shape)).astype(float)
    for which in (0, 1):
        (wanted,) = structure.pull(
            SEMIRINGS[semiring], (cotangent,), Local((x, weight), output, settings, np), which, False
        )
        tensors = [torch.from_numpy(array) for array in (x, weight, output, cotangent)]
        local = Local((tensors[0], tensors[1]), tensors[2], settings, xp)
        (found,) = structure.pull(SEMIRINGS[semiring], (tensors[3],), local, which, False)
        assert np.array_equal(found.numpy(), wanted)
