"""Numbers of paths as whole numbers of any size."""

from typing import Any

import numpy as np
import pytest

import whygrad as wg
from whygrad.exact_counts import Count, Counts, ExactCounts, _prime_below
from whygrad.graph import Entry, Recording
from whygrad.ops import OPS
from whygrad.sweep import Sweep


def test_counts_are_integers() -> None:
    count = Count(10**40, live=3)
    assert count == 10**40
    assert count.live == 3
    assert count + 1 == 10**40 + 1
    assert f"{count:,}".startswith("10,000")
    assert repr(Count(6, 4)) == "6"


@pytest.mark.parametrize("width", [2, 3, 7, 31])
@pytest.mark.parametrize("depth", [1, 30, 60])
def test_counts_are_exact_at_any_size(width: int, depth: int) -> None:
    run = wg.Network([width] * (depth + 1), seed=1).run(np.ones(width), np.zeros(width))
    found = Counts(run.recorded.graph).joined(run.recorded.nodes["w", 1])
    assert found.dtype == object
    assert all(type(c) is Count for c in found.ravel())
    assert set(found.ravel()) == {width ** (depth - 1)}
    assert {c.live for c in found.ravel()} == {width ** (depth - 1)}


def test_counts_near_the_edge_of_floats() -> None:
    # 2**52, 2**53, 2**54 paths: where float64 begins to round
    for depth in range(50, 57):
        run = wg.Network([2] * (depth + 1), seed=1).run(np.ones(2), np.zeros(2))
        number = run.recorded.nodes["a", 0]
        assert set(Counts(run.recorded.graph).joined(number).ravel()) == {2**depth}
        assert set(Counts(run.recorded.graph).joined(number, (0,)).ravel()) == {2 ** (depth - 1)}


def test_odd_counts_above_the_edge() -> None:
    # 3 paths in each of 40 layers and one beside them: no power of two anywhere
    recording = Recording()
    x = recording.leaf("x", np.ones((1, 1)))
    node = x
    weights: Any = recording.leaf("W", np.ones((3, 1)))
    back: Any = recording.leaf("V", np.ones((1, 3)))
    for layer in range(40):
        wide = recording.apply(f"wide{layer}", OPS["linear"], (node, weights))
        node = recording.apply(f"narrow{layer}", OPS["linear"], (wide, back))
    node = recording.apply("beside", OPS["add"], (node, x))
    graph = recording.graph((Entry(node, 0),))
    assert Counts(graph).joined(x)[0, 0] == 3**40 + 1
    assert ExactCounts(graph, "count").joined(x)[0, 0] == 3**40 + 1


def test_primes_of_residues_are_primes() -> None:
    assert _prime_below(2**31) == 2**31 - 1
    assert [_prime_below(n) for n in (100, 97, 90, 50_000)] == [97, 89, 89, 49_999]


@pytest.mark.parametrize("kept", [True, False])
def test_what_was_swept_for_one_entry_answers_for_all_unless_it_is_large(
    kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not kept:
        monkeypatch.setattr("whygrad.exact_counts.KEPT_BYTES", 0)
    net = wg.Network([8] * 24, seed=0)  # more paths than 2**53: modulo several primes
    values = net.run().sweep("count")
    made = []
    start = Sweep.__init__

    def counted(self: Sweep, *given: Any, **named: Any) -> None:
        made.append(given)
        start(self, *given, **named)

    monkeypatch.setattr(Sweep, "__init__", counted)
    assert values["w^0_{0,1}"] == 8**22
    swept = len(made)
    assert swept >= 4
    assert values["w^3_{5,1}"] == 8**22
    assert values["w^3_{5,1}"].live == 8**22
    assert (len(made) == swept) == kept
