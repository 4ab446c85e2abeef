"""Every operation under every semiring on PyTorch's tensors: what it gives on NumPy's arrays, in the tensors' type."""

from typing import Any

import array_api_compat.torch as xp
import numpy as np
import pytest
import torch

from whygrad.arrays import in_numpy
from whygrad.contraction import SIGNED_LARGEST, contract_best, contract_strongest
from whygrad.ops import OPS, load_all
from whygrad.semirings import SEMIRINGS
from whygrad.semirings.table import EVERY_PAIR
from whygrad.structures import Local

NAMES = list(load_all())
TOLERANCES: dict[Any, Any] = {
    torch.float64: {"rtol": 1e-12, "atol": 1e-13},
    torch.float32: {"rtol": 1e-4, "atol": 1e-4},
    torch.bfloat16: {"rtol": 0.1, "atol": 0.3},
}


def tensor(array: Any, dtype: Any = torch.float64) -> Any:
    return torch.tensor(np.asarray(array)).to(dtype)


def in_torch(settings: dict[str, Any]) -> dict[str, Any]:
    """Returns settings with their index arrays as tensors."""

    def turned(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return torch.tensor(value)
        return tuple(map(turned, value)) if isinstance(value, tuple) else value

    return {name: turned(value) for name, value in settings.items()}


def carried(ring: Any, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Returns elements of two costs that a semiring can carry, some of them absent."""
    generator = np.random.default_rng(3)
    parts = tuple(generator.normal(size=(2, *shape)) for _ in ring.one)
    if ring.name in ("total", "entropy"):
        parts = tuple(np.abs(part) for part in parts)
    if ring.name in ("count", "live", "reach"):
        parts = tuple(np.ceil(np.clip(part, 0, 1)) for part in parts)
    if ring.name == "extremes":
        parts = np.maximum(*parts), np.minimum(*parts)
    gone = generator.random((2, *shape)) < 0.2
    return tuple(np.where(gone, none, part) for part, none in zip(parts, ring.absent(), strict=True))


def both(name: str, dtype: Any) -> tuple[Local, Local]:
    """Returns one application of an operation to arrays and to tensors, with the same (rounded) numbers."""
    op = OPS[name]
    tensors = tuple(tensor(x, dtype) for x in op.samples(np.random.default_rng(2)))
    arrays = tuple(x.to(torch.float64).numpy() for x in tensors)
    settings = in_torch(dict(op.settings))
    return (
        Local(arrays, op.structure.value(arrays, dict(op.settings), np), dict(op.settings), np),
        Local(tensors, op.structure.value(tensors, settings, xp), settings, xp),
    )


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_values_on_tensors(name: str, dtype: Any) -> None:
    arrays, tensors = both(name, dtype)
    assert tensors.output.dtype == dtype
    assert tuple(tensors.output.shape) == np.shape(arrays.output)
    np.testing.assert_allclose(in_numpy(tensors.output), arrays.output, **TOLERANCES[dtype])


@pytest.mark.parametrize("semiring", SEMIRINGS)
@pytest.mark.parametrize("marked", [False, True], ids=["", "marked"])
@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_pulling_back_on_tensors(name: str, dtype: Any, marked: bool, semiring: str) -> None:
    op, ring = OPS[name], SEMIRINGS[semiring]
    arrays, tensors = both(name, dtype)
    exact = semiring in ("count", "live", "reach")
    parts = carried(ring, np.shape(arrays.output))
    carried_tensors = tuple(tensor(part, torch.float64 if exact else dtype) for part in parts)
    carried_arrays = tuple(part.to(torch.float64).numpy() for part in carried_tensors)
    for which, x in enumerate(tensors.inputs):
        wanted = op.structure.pull(ring, carried_arrays, arrays, which, marked)
        got = op.structure.pull(ring, carried_tensors, tensors, which, marked)
        assert [part is None for part in got] == [part is None for part in wanted]
        for left, right in zip(got, wanted, strict=True):
            if left is not None:
                assert left.dtype == (torch.float64 if exact else dtype)
                assert left.device == x.device
                if semiring == "strongest" and dtype != torch.float64:
                    # rounding decides which of two that are nearly as strong it is
                    left, right = left.abs(), np.abs(right)
                np.testing.assert_allclose(in_numpy(left), right, **TOLERANCES[dtype])


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_columns_on_tensors_are_numpy_arrays(name: str, dtype: Any) -> None:
    op = OPS[name]
    arrays, tensors = both(name, dtype)
    for which, x in enumerate(tensors.inputs):
        for position in range(x.numel()):
            wanted = op.structure.column(arrays, which, position)
            got = op.structure.column(tensors, which, position)
            assert isinstance(got.positions, np.ndarray)
            assert isinstance(got.partials, np.ndarray)
            assert got.partials.dtype == (np.float64 if dtype == torch.float64 else np.float32)
            np.testing.assert_array_equal(got.positions, wanted.positions)
            np.testing.assert_allclose(got.partials, wanted.partials, **TOLERANCES[dtype])


@pytest.mark.parametrize("name", SEMIRINGS)
def test_the_table_of_semirings_on_tensors(name: str) -> None:
    ring = SEMIRINGS[name]
    one = carried(ring, (3, 5))
    other = tuple(part[::-1] for part in carried(ring, (3, 5)))
    ours = tuple(map(tensor, one)), tuple(tensor(part.copy()) for part in other)

    def same(got: Any, wanted: Any) -> None:
        for left, right in zip(got, wanted, strict=True):
            np.testing.assert_allclose(in_numpy(left), right, rtol=1e-12, atol=1e-14)

    same(ring.plus(*ours, xp), ring.plus(one, other, np))
    for axes in ((1,), (0, 2), (0, 1, 2)):
        same(ring.reduce(ours[0], axes, xp), ring.reduce(one, axes, np))
    flat = tuple(part.reshape(2, 15) for part in one)
    index = np.array([0, 3, 3, 1, 0, 5, 3, 6, 6, 1, 0, 0, 4, 4, 4])
    got = ring.scatter(tuple(map(tensor, flat)), tensor(index, torch.int64), 8, xp)
    same(got, ring.scatter(flat, index, 8, np))
    blocks = tuple(part.reshape(2, 3, 5) for part in one)
    got = ring.scatter(tuple(map(tensor, blocks)), tensor([1, 0, 1], torch.int64), 3, xp)
    same(got, ring.scatter(blocks, np.array([1, 0, 1]), 3, np))
    if ring.rescale is not None:
        for exponent in (-1500, -7, 0, 7, 1500):
            same(ring.rescale(ours[0], exponent, xp), ring.rescale(one, exponent, np))
    same([ring.read(ours[0], 3, xp)], [ring.read(one, 3, np)])


def test_extremes_tell_infinities_from_no_path() -> None:
    ring = SEMIRINGS["extremes"]
    parts = tuple(np.array([[sign * -np.inf, np.nan, 2.0, np.nan]]) for sign in (1, -1))
    index = np.array([0, 0, 1, 3])
    got = ring.scatter(tuple(map(tensor, parts)), tensor(index, torch.int64), 4, xp)
    for left, right in zip(got, ring.scatter(parts, index, 4, np), strict=True):
        np.testing.assert_array_equal(in_numpy(left), right)


LABELS = (("r", "n", "o"), ("o", "i"), ("r", "n", "i"))


@pytest.mark.parametrize("blocks", [1 << 30, 4000, 100])
def test_contractions_on_other_devices(blocks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The products that are formed on an accelerator, here on the host: the same numbers in any blocks."""
    from whygrad.contraction import best

    monkeypatch.setattr(best, "DEVICE_BYTES", blocks)
    generator = np.random.default_rng(0)
    for labels in (LABELS, (("r", "n", "o"), ("n", "o", "i"), ("r", "n", "i"))):
        sizes = {"r": 3, "n": 4, "o": 6, "i": 5}
        a, b = (generator.normal(size=tuple(sizes[k] for k in side)) for side in labels[:2])
        a[0, 0] = np.nan
        tracks = ((EVERY_PAIR, "largest known"), (EVERY_PAIR, "smallest known"))
        wanted = contract_best((a, -a), (b, b), labels, tracks, np)
        ours = [tensor(part) for part in (a, -a, b, b)]
        got = best._best_elsewhere(tuple(ours[:2]), tuple(ours[2:]), labels, tracks, xp)
        for left, right in zip(got, wanted, strict=True):
            np.testing.assert_array_equal(in_numpy(left), right)


def test_large_contractions_on_the_host() -> None:
    generator = np.random.default_rng(1)
    a, b = generator.normal(size=(4, 30, 130)), generator.normal(size=(130, 90))
    a[:, :, ::2] = 0.0
    for dtype in TOLERANCES:
        first, second = tensor(a, dtype), tensor(b, dtype)
        got = contract_strongest(first, second, LABELS, xp)
        assert got.dtype == dtype
        wanted = contract_strongest(in_numpy(first.double()), in_numpy(second.double()), LABELS, np)
        np.testing.assert_allclose(
            in_numpy(got.double()), wanted, rtol=1e-2 if dtype == torch.bfloat16 else 1e-6
        )
        largest, _ = contract_best((first,), (second,), LABELS, SIGNED_LARGEST, xp)
        assert largest.dtype == dtype
