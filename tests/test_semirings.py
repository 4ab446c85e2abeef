"""The table of semirings; their laws are in tests/laws."""

import math

import numpy as np
import pytest

from whygrad.semirings import SEMIRINGS, OrderSemiring, SumSemiring


def test_the_table() -> None:
    assert list(SEMIRINGS) == [
        "gradient",
        "total",
        "strongest",
        "extremes",
        "live",
        "count",
        "reach",
        "entropy",
        "spectrum",
    ]
    for name, semiring in SEMIRINGS.items():
        assert semiring.name == name
        assert semiring.says
        assert isinstance(semiring, (SumSemiring, OrderSemiring))
        assert len(semiring.one) == len(semiring.absent())


def test_lifted_zeros() -> None:
    zero = np.zeros(1)
    lifted = {
        name: [part[0] for part in s.lift(zero, np) if part is not None] for name, s in SEMIRINGS.items()
    }
    assert all(math.isnan(part) for part in lifted["extremes"])
    assert lifted["entropy"] == [0.0, 0.0]  # 0 log 0
    assert (lifted["live"], lifted["count"], lifted["reach"]) == ([0.0], [1.0], [1.0])


def test_entropy_is_that_of_shares() -> None:
    semiring = SEMIRINGS["entropy"]
    paths = [semiring.lift(np.array([size]), np) for size in (1.0, -1.0, 2.0)]
    joined = semiring.plus(semiring.plus(paths[0], paths[1], np), paths[2], np)
    wanted = -(0.25 * math.log(0.25) * 2 + 0.5 * math.log(0.5))
    assert semiring.read(joined, 0, np)[0] == pytest.approx(wanted)
    assert semiring.read(joined, 5000, np)[0] == pytest.approx(wanted)  # a common factor is no matter
    assert semiring.read(paths[2], 0, np)[0] == 0.0
    assert math.isnan(semiring.read((np.zeros(1), np.zeros(1)), 0, np)[0])


def test_the_spectrum_puts_gaps_at_zero() -> None:
    semiring = SEMIRINGS["spectrum"]
    one = semiring.lift(np.array([3.0]), np)
    step = semiring.lift(np.array([2.0]), np)
    twice = semiring.times(semiring.times(one, step, np, True), step, np, True)
    assert [None if part is None else part.tolist() for part in twice] == [None, None, [12.0]]
    joined = semiring.plus(twice, one, np)
    np.testing.assert_array_equal(semiring.read(joined, 0, np), [[3, 0, 12]])
    np.testing.assert_array_equal(semiring.read(joined, 1, np), [[6, 0, 24]])


def test_a_tie_of_signs_is_positive() -> None:
    semiring = SEMIRINGS["strongest"]
    for a, b in ((3.0, -3.0), (-3.0, 3.0)):
        (made,) = semiring.plus((np.array([a]),), (np.array([b]),), np)
        assert made is not None
        assert made[0] == 3.0
