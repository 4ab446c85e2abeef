"""Paths: enumerated, and the k strongest, against a walk that shares no code with them."""

from itertools import islice, pairwise
from math import prod
from typing import Any

import numpy as np
import pytest
from laws.enumeration import every_path, network_edges

import whygrad as wg
from whygrad.graph import Entry, Recording
from whygrad.largest import largest
from whygrad.ops import OPS
from whygrad.paths import Walker
from whygrad.sweep import Sweep

TIED = [-2.0, -1.0, -1.0, 0.0, 1.0, 1.0, 2.0]


def drawn(seed: int) -> tuple[wg.Run, Any, list[Any]]:
    """Returns a run of a small random network with many equal weights, its edges, and its costs."""
    generator = np.random.default_rng(seed)
    sizes = [int(n) for n in generator.integers(1, 4, size=generator.integers(2, 5))]
    activations = [str(generator.choice(["identity", "relu", "softmax", "tanh"])) for _ in sizes[1:]]
    examples = int(generator.integers(1, 4))
    bias, l2, mean = (
        bool(generator.random() < 0.5),
        float(generator.choice([0.0, 0.5])),
        bool(generator.random() < 0.5),
    )
    tied = bool(generator.random() < 0.7)
    parameters: dict[str, Any] = {}
    for layer in range(1, len(sizes)):
        shape = sizes[layer], sizes[layer - 1]
        parameters[f"W{layer}"] = generator.choice(TIED, size=shape) if tied else generator.normal(size=shape)
        if bias:
            parameters[f"b{layer}"] = generator.choice(TIED, size=shape[0])
    x = generator.choice([-1.0, 0.0, 1.0], size=(examples, sizes[0]))
    y = generator.choice([-1.0, 0.5], size=(examples, sizes[-1]))
    net = wg.Network(
        sizes, activations, bias, parameters=parameters, l2=l2, reduction="mean" if mean else "sum"
    )
    edges = network_edges(sizes, activations, parameters, x, y, mean=mean, l2=l2)
    return net.run(x, y), edges, [("C", k) for k in range(sizes[-1])] + ([("R",)] if l2 else [])


def starts_of(run: wg.Run, name: str) -> list[Any]:
    net = run.network.layered
    if name == "x":
        return [("a", 0, n, i) for n in range(run.examples) for i in range(net.sizes[0])]
    return [(name[0].lower(), int(name[1:]), *place) for place in np.ndindex(net.shapes[name])]


def assert_paths(paths: Any, wanted: list[Any], k: int) -> None:
    """``paths`` are the k strongest of ``wanted``, and its sums are those of all."""
    live = [p.product for p in wanted if p.live]
    total = sum(map(abs, live))
    assert paths.count == len(wanted)
    assert paths.live == len(live)
    assert paths.sum == pytest.approx(sum(live), rel=1e-11, abs=1e-12 * total)
    assert paths.total == pytest.approx(total, rel=1e-11)
    sizes = np.abs(paths.contribution)
    strongest = sorted(map(abs, live), reverse=True)[:k]
    assert sizes == pytest.approx(strongest, rel=1e-11)
    assert (np.diff(sizes) <= 0).all(), "strongest first"
    # each is one of the paths, and none is listed twice
    entries = [found.path.entries for found in paths]
    assert len(set(entries)) == len(entries)
    signed = [p.product for p in wanted if p.live]
    for found in paths:
        assert np.prod(found.path.partials) == pytest.approx(found.contribution, rel=1e-12)
        nearest = min(signed, key=lambda product: abs(product - found.contribution))
        assert nearest == pytest.approx(found.contribution, rel=1e-11)
    assert paths.shares == pytest.approx(np.array(paths.contribution) / total if total else 0.0)


@pytest.mark.parametrize("seed", range(60))
def test_the_strongest_paths_are_those_of_enumeration(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if seed % 2:  # weights in pieces, as large ones are
        monkeypatch.setattr("whygrad.structures.pieces.PIECE", 2)
    run, edges, ends = drawn(seed)
    net = run.network.layered
    for name in ["x", *net.shapes]:
        wanted = [p for start in starts_of(run, name) for p in every_path(edges, start, set(ends))]
        for k in (1, 3, len(wanted) + 5):
            assert_paths(run.paths(name, k=k), wanted, k)
    every = [p for name in net.shapes for s in starts_of(run, name) for p in every_path(edges, s, set(ends))]
    assert_paths(run.paths(k=7), every, 7)
    start = ("w", 1, 0, 0)
    for row, end in enumerate(ends):
        one = run.paths(wg.Quantity("w", 1, 0, 0), cost=row, k=4)
        assert_paths(one, every_path(edges, start, {end}), 4)
    neuron = [p for n in range(run.examples) for p in every_path(edges, ("z", 1, n, 0), set(ends))]
    assert_paths(run.paths(wg.Quantity("z", 1, 0), k=5), neuron, 5)


@pytest.mark.parametrize("seed", range(0, 40, 2))
def test_every_path_is_enumerated_once(seed: int) -> None:
    run, edges, ends = drawn(seed)
    walker = Walker(run.recorded.graph)
    entry = run.entry(wg.Quantity("w", 1, 0, 0))
    found = list(walker.every(entry))
    wanted = every_path(edges, ("w", 1, 0, 0), set(ends))
    assert len({path.entries for path in found}) == len(found) == len(wanted)
    assert sorted(p.contribution for p in found) == pytest.approx(
        sorted(p.product for p in wanted), rel=1e-11, abs=1e-14
    )
    for path in found:
        assert path.entries[0] == entry
        assert path.entries[-1] in run.recorded.graph.costs
        assert len(path.partials) == len(path.entries) - 1


def test_every_path_to_some_costs() -> None:
    run = wg.Network.default().run()
    entry = run.entry("w^0_{0,1}")
    paths = [len(list(Walker(run.recorded.graph, rows).every(entry))) for rows in ((0,), (1,), (0, 1))]
    assert paths == [3, 3, 6]
    assert list(Walker(run.recorded.graph, (1,)).every(run.entry("w^0_{0,3}"))) == []


def test_names_of_the_question() -> None:
    paths = wg.Network.default().run().paths("w^0_{0,1}", cost=0, k=3)
    expected = {("w^0_{0,1}", "a^0_1", f"a^{i}_2", "a^0_3", "C^0") for i in range(3)}
    assert {tuple(name for name in p.quantities if not name.startswith("z")) for p in paths} == expected
    assert paths.quantities == [path.quantities for path in paths]
    assert repr(paths) == str(paths)
    assert paths[0].contribution == paths.contribution[0]


def test_a_path_of_no_step() -> None:
    run = wg.Network.default().run()
    paths = run.paths("C^0")
    assert (paths.count, list(paths.contribution), paths.sum) == (1, [1.0], 1.0)
    assert run.paths("C^1", cost=0).count == 0
    assert len(run.paths("C^1", cost=0)) == 0


def test_a_cost_on_the_way_to_another() -> None:
    recording = Recording()
    x = recording.leaf("x", np.array([2.0, -3.0]))
    y = recording.apply("y", OPS["mul"], (x, recording.leaf("w", np.array([5.0, 7.0]))))
    s = recording.apply("s", OPS["sum"], (y,))
    graph = recording.graph((Entry(s, 0), Entry(y, 1), Entry(x, 0)))
    walker = Walker(graph)
    found = walker.strongest(Sweep(graph, "strongest"), [(x, None)], 10)
    assert [p.contribution for p in found] == [7.0, 7.0, 5.0, 1.0]
    assert {(p.entries[0].position, p.entries[-1]) for p in found} == {
        (1, Entry(s, 0)),
        (1, Entry(y, 1)),
        (0, Entry(s, 0)),
        (0, Entry(x, 0)),
    }


@pytest.mark.parametrize("k", [1, 2, 5, 27, 1000])
def test_ties_are_all_listed(k: int) -> None:
    ones = {f"W{layer}": np.ones((3, 3)) for layer in range(1, 5)}
    run = wg.Network([3, 3, 3, 3, 3], parameters=ones).run(np.ones(3), np.zeros(3))
    paths = run.paths("w^0_{0,1}", k=k)
    assert len(paths) == min(k, 27)
    assert len({p.path.entries for p in paths}) == len(paths)
    assert set(paths.contribution) == {162.0}


def test_billions_of_paths_cost_a_few_walks() -> None:
    sizes = [4, *[40] * 7, 3]
    run = wg.Network(sizes, seed=0).run(np.ones(4), np.zeros(3))
    paths = run.paths(k=20)
    layers = list(pairwise(sizes))
    assert paths.count == sum(prod(sizes[layer + 1 :]) * a * b for layer, (a, b) in enumerate(layers, 1))
    assert len(paths) == 20
    assert (np.diff(np.abs(paths.contribution)) <= 0).all()
    for _, path in zip(range(3), paths, strict=False):
        product = np.prod(path.path.partials)
        assert product == pytest.approx(path.contribution, rel=1e-12)
    # the first is what the strongest sweep says
    best = max(abs(run.sweep("strongest").array(name)).max() for name in run.network.parameters)
    assert abs(paths.contribution[0]) == pytest.approx(best, rel=1e-12)


@pytest.mark.parametrize("k", [0, -1, 1.5, True, "3", None])
def test_k_is_a_whole_number_from_1(k: Any) -> None:
    with pytest.raises(wg.ShapeError, match="paths: expected k to be a whole number from 1, found"):
        wg.Network.default().run().paths("w^0_{0,1}", k=k)


def test_shares_where_nothing_arrives() -> None:
    run = wg.Network([1, 1], parameters={"W1": [[1.0]]}).run([0.0], [1.0])
    paths = run.paths("w^0_{0,1}")
    assert (paths.count, paths.live, len(paths), paths.sum, paths.total) == (1, 0, 0, 0.0, 0.0)
    assert list(paths.shares) == []


def test_the_order_of_enumeration_is_that_of_the_network() -> None:
    run = wg.Network.default().run()
    found = list(Walker(run.recorded.graph).every(run.entry("a^0_1")))
    neurons = [tuple(entry.position for entry in path.entries) for path in found]
    assert neurons == sorted(neurons)
    assert len(list(islice(Walker(run.recorded.graph).every(run.entry("a^0_1")), 2))) == 2


@pytest.mark.parametrize("size", [1, 7, 1024, 50_000, 50_001])
def test_the_largest_are_found_in_blocks(size: int) -> None:
    values = np.random.default_rng(size).permutation(size).astype(float)
    for k in (1, 3, 10):
        found = sorted(values[largest(values, k)].tolist(), reverse=True)
        assert found == sorted(values.tolist(), reverse=True)[:k]
