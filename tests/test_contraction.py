"""Contractions against loops over every label."""

import itertools
from typing import Any

import numpy as np
import pytest

from whygrad.contraction import (
    SIGNED_LARGEST,
    best,
    contract_best,
    contract_ones,
    contract_strongest,
    contract_sum,
    sums,
)
from whygrad.semirings.table import EVERY_PAIR

PATTERNS = [
    "rno,oi->rni",
    "rno,ni->roi",
    "no,oi->ni",
    "rnij,nijk->rnik",
    "rna,naj->rnj",
    "rnm,mnj->rnj",
    "on,on->on",
    "a,b->ab",
    "ab,b->a",
    "rabc,cb->ra",
    "ra,->ra",
    "r,rab->rab",
]


def labels(pattern: str) -> Any:
    inputs, out = pattern.split("->")
    first, second = inputs.split(",")
    return tuple(first), tuple(second), tuple(out)


def drawn(pattern: str, seed: int = 0, sizes: Any = None) -> tuple[Any, Any]:
    first, second, _ = labels(pattern)
    sizes = sizes or {label: 2 + place % 3 for place, label in enumerate(sorted({*first, *second}))}
    generator = np.random.default_rng(seed)
    return tuple(generator.normal(size=tuple(sizes[label] for label in side)) for side in (first, second))


def products(first: Any, second: Any, pattern: str) -> dict[tuple[int, ...], list[float]]:
    """Returns all products by the entry of the result that they belong to."""
    a, b, out = labels(pattern)
    sizes = dict(zip(a, first.shape, strict=True)) | dict(zip(b, second.shape, strict=True))
    found: dict[tuple[int, ...], list[float]] = {}
    for places in itertools.product(*(range(n) for n in sizes.values())):
        at = dict(zip(sizes, places, strict=True))
        left, right = first[tuple(at[k] for k in a)], second[tuple(at[k] for k in b)]
        found.setdefault(tuple(at[k] for k in out), []).append(float(left * right))
    return found


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("order", ["C", "F"])
def test_sums(pattern: str, order: Any) -> None:
    first, second = (np.asarray(x, order=order) for x in drawn(pattern))
    made = contract_sum(first, second, labels(pattern), np)
    for place, terms in products(first, second, pattern).items():
        assert made[place] == pytest.approx(sum(terms), rel=1e-13, abs=1e-14)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_sums_with_ones(pattern: str) -> None:
    first, second = drawn(pattern)
    ones = np.ones_like(second)
    made = contract_ones(first.astype(np.float32), ones, labels(pattern), np)
    assert made.dtype == ones.dtype
    for place, terms in products(first.astype(np.float32), ones, pattern).items():
        assert made[place] == pytest.approx(sum(terms), rel=1e-13, abs=1e-14)


@pytest.mark.parametrize(
    "pattern", ["rno,oi->rni", "rno,ni->roi", "rnto,oi->rnti", "rnto,nti->roi", "rno,io->rin"]
)
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_rows_of_one_column_each_take_no_other_column(
    pattern: str, library: str, monkeypatch: Any, request: Any
) -> None:
    sizes = {"r": 6, "n": 3, "t": 2, "o": 4, "i": 5}
    first, second = drawn(pattern, sizes=sizes)
    kept = np.array([2, 0, 3, 3, 1, 0])
    first *= np.arange(4) == kept.reshape(-1, *(1,) * (first.ndim - 1))
    first[4] = 0.0  # and one row of nothing
    xp: Any = np
    if library == "torch":
        xp = pytest.importorskip("array_api_compat.torch")
    whole = contract_sum(*map(xp.asarray, (first, second)), labels(pattern), xp)
    taken = []
    through = sums._of_single_columns

    def watched(*args: Any) -> Any:
        made = through(*args)
        if made is not None:
            taken.append(args[2])
        return made

    monkeypatch.setattr(sums, "_of_single_columns", watched)
    for limit in ("SAVED_FROM", "SAVED_TIMES"):
        monkeypatch.setattr(sums, limit, 0)
    request.addfinalizer(sums._layout.cache_clear)
    sums._layout.cache_clear()
    made = contract_sum(*map(xp.asarray, (first, second)), labels(pattern), xp)
    assert [list(columns)[:4] for columns in taken] == [[2, 0, 3, 3]]
    np.testing.assert_allclose(np.asarray(made), np.asarray(whole), rtol=1e-13, atol=1e-14)
    more, broken = first.copy(), second.copy()
    more[0, ..., 1] = 1.0
    contract_sum(*map(xp.asarray, (more, second)), labels(pattern), xp)
    broken[0, 0] = np.inf
    with np.errstate(invalid="ignore"):
        made = contract_sum(*map(xp.asarray, (first, broken)), labels(pattern), xp)
        plain = np.einsum(pattern, first, broken)
    assert np.isnan(plain).any()
    np.testing.assert_array_equal(np.isfinite(np.asarray(made)), np.isfinite(plain))
    assert len(taken) == 1
    assert made.shape == tuple(np.einsum(pattern, first, second).shape)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_largest_and_smallest(pattern: str) -> None:
    first, second = drawn(pattern, 1)
    largest, smallest = contract_best((first,), (second,), labels(pattern), SIGNED_LARGEST, np)
    for place, terms in products(first, second, pattern).items():
        assert (largest[place], smallest[place]) == (max(terms), min(terms))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_nan_is_passed_over(pattern: str) -> None:
    first, second = drawn(pattern, 2)
    generator = np.random.default_rng(3)
    first = np.where(generator.random(first.shape) < 0.5, np.nan, first)
    tracks = ((EVERY_PAIR, "largest known"), (EVERY_PAIR, "smallest known"))
    sides = (first, -first), (second, second)
    largest, smallest = contract_best(*sides, labels(pattern), tracks, np)
    for place, terms in products(first, second, pattern).items():
        known = [sign * t for t in terms if t == t for sign in (1, -1)]
        if known:
            assert (largest[place], smallest[place]) == (max(known), min(known))
        else:
            assert np.isnan([largest[place], smallest[place]]).all()


def assert_strongest(made: Any, first: Any, second: Any) -> None:
    every = first[..., :, None] * second
    sizes = np.abs(every).max(axis=-2)
    np.testing.assert_array_equal(np.abs(made), sizes)
    # the sign is that of a product that is this large
    assert ((every == made[..., None, :]).any(axis=-2)).all()


@pytest.mark.parametrize("shape", [(3, 4, 5, 6), (10, 30, 64, 96), (2, 64, 128, 128), (40, 8, 300, 20)])
@pytest.mark.parametrize("kind", ["normal", "ties", "sparse", "wide", "zero columns", "one sign", "float32"])
def test_the_strongest(shape: tuple[int, int, int, int], kind: str) -> None:
    rows, examples, joined, columns = shape
    generator = np.random.default_rng(4)
    first, second = generator.normal(size=(rows, examples, joined)), generator.normal(size=(joined, columns))
    if kind == "ties":
        first, second = np.sign(first), np.round(second)
    elif kind == "sparse":
        first[generator.random(first.shape) < 0.9] = 0
        second[generator.random(second.shape) < 0.9] = 0
    elif kind == "wide":
        first *= 10.0 ** generator.integers(-100, 100, size=first.shape)
        second *= 10.0 ** generator.integers(-100, 100, size=second.shape)
    elif kind == "zero columns":
        first[0] = 0
        second[:, ::2] = 0
    elif kind == "one sign":
        first, second = np.abs(first), -np.abs(second)
    elif kind == "float32":
        first, second = first.astype(np.float32), second.astype(np.float32)
    made = contract_strongest(first, second, (("r", "n", "o"), ("o", "i"), ("r", "n", "i")), np)
    assert made.shape == (rows, examples, columns)
    assert made.dtype == first.dtype
    for row in range(rows):
        assert_strongest(made[row], first[row], second)


@pytest.mark.parametrize("scale", [1e308, 1e-308, 1e-320])
def test_the_strongest_at_the_ends_of_the_range(scale: float) -> None:
    generator = np.random.default_rng(5)
    first = generator.uniform(0.1, 0.5, size=(4, 40, 64))
    second = generator.uniform(0.5, 1.5, size=(64, 128)) * scale
    assert first.size * second.shape[1] >= best.PRUNED_FROM
    made = contract_strongest(first, second, (("r", "n", "o"), ("o", "i"), ("r", "n", "i")), np)
    np.testing.assert_allclose(made, (first[..., None] * second).max(axis=2), rtol=1e-12, atol=1e-322)


@pytest.mark.parametrize("height", [1, 1 << 10, 1 << 30])
def test_blocks_of_any_size_give_the_same(height: int, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = drawn("rno,oi->rni", 6, {"r": 7, "n": 5, "o": 6, "i": 70})
    monkeypatch.setattr(best, "BLOCK_BYTES", height)
    monkeypatch.setattr(best, "PARALLEL_FROM", height)
    largest, smallest = contract_best((first,), (second,), labels("rno,oi->rni"), SIGNED_LARGEST, np)
    every = first[..., None] * second
    np.testing.assert_array_equal(largest, every.max(axis=2))
    np.testing.assert_array_equal(smallest, every.min(axis=2))
