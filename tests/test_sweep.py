"""One backward pass: what it carries and for which costs; its numbers are judged by the laws of the semirings."""

import numpy as np
import pytest

import whygrad as wg
from whygrad.exact_counts import Counts
from whygrad.graph import Entry, Graph, Recording
from whygrad.ops import OPS, application
from whygrad.semirings import SEMIRINGS
from whygrad.structures import Selection, pieces
from whygrad.sweep import Sweep


def two_costs() -> tuple[Graph, dict[str, int]]:
    """Returns x -> a -> (c, d) and y -> d, with the entries of c and of d as costs."""
    recording = Recording()
    n = {"x": recording.leaf("x", np.array([2.0])), "y": recording.leaf("y", np.array([3.0]))}
    n["lonely"] = recording.leaf("lonely", np.ones((2, 2)))
    n["a"] = recording.apply("a", OPS["power"], (n["x"],))
    n["c"] = recording.apply("c", OPS["neg"], (n["a"],))
    n["d"] = recording.apply("d", OPS["mul"], (n["a"], n["y"]))
    return recording.graph((Entry(n["c"], 0), Entry(n["d"], 0)), ("c", "d")), n


def test_a_node_carries_rows_only_for_the_costs_that_it_reaches() -> None:
    graph, n = two_costs()
    sweep = Sweep(graph, "gradient")
    rows = {name: sweep.cotangent(number) for name, number in n.items()}
    assert {name: c.rows for name, c in rows.items() if c} == {
        "x": (0, 1),
        "y": (1,),
        "a": (0, 1),
        "c": (0,),
        "d": (1,),
    }
    assert rows["lonely"] is None


def test_values_have_a_row_for_every_cost() -> None:
    graph, n = two_costs()
    values = {name: Sweep(graph, "gradient").values(number) for name, number in n.items()}
    np.testing.assert_array_equal(values["x"], [[-4], [12]])
    np.testing.assert_array_equal(values["y"], [[0], [4]])
    np.testing.assert_array_equal(values["c"], [[1], [0]])
    np.testing.assert_array_equal(values["lonely"], np.zeros((2, 2, 2)))
    np.testing.assert_array_equal(Sweep(graph, "extremes").values(n["y"]), [[[np.nan] * 2], [[4, 4]]])


@pytest.mark.parametrize("name", sorted(SEMIRINGS))
def test_joining_the_costs_is_joining_their_paths(name: str) -> None:
    graph, n = two_costs()
    sweep = Sweep(graph, name)
    for node in n.values():
        for rows in (None, (0,), (1,), (0, 1)):
            once = np.asarray(sweep.joined(node, rows), dtype=float)
            chosen = graph if rows is None else graph._replace(costs=tuple(graph.costs[r] for r in rows))
            again = np.asarray(Sweep(chosen, name).joined(node), dtype=float)
            if name == "spectrum" and once.shape != again.shape:
                again, once = again[..., :1], once[..., :1]
            np.testing.assert_array_equal(once, again)


def test_a_sweep_by_a_record_of_ones_own() -> None:
    graph, n = two_costs()
    doubled = SEMIRINGS["total"]._replace(name="doubled", lift=lambda p, xp: (2 * xp.abs(p),))
    np.testing.assert_array_equal(Sweep(graph, doubled).values(n["y"]), [[0], [8]])


def test_a_sweep_never_writes_to_the_graph() -> None:
    run = wg.Network([3, 4, 2, 5], "tanh", True, seed=1).run(np.ones((2, 3)), np.zeros((2, 5)))
    graph = run.recorded.graph
    before = [np.array(node.value) for node in graph.nodes]
    for name in SEMIRINGS:
        sweep = Sweep(graph, name)
        first = [np.array(sweep.values(number)) for number in range(len(graph.nodes))]
        again = [np.array(sweep.values(number)) for number in range(len(graph.nodes))]
        for a, b in zip(first, again, strict=True):
            np.testing.assert_array_equal(a, b)
    for node, value in zip(graph.nodes, before, strict=True):
        np.testing.assert_array_equal(node.value, value)


def test_the_same_cost_twice_has_two_rows() -> None:
    graph, n = two_costs()
    twice = graph._replace(costs=(graph.costs[1], graph.costs[1]))
    np.testing.assert_array_equal(Sweep(twice, "gradient").values(n["x"]), [[12], [12]])
    assert Sweep(twice, "count").joined(n["x"])[0] == 2


def test_a_cost_at_a_leaf_that_is_used() -> None:
    graph, n = two_costs()
    with_leaf = graph._replace(costs=(*graph.costs, Entry(n["x"], 0)))
    np.testing.assert_array_equal(Sweep(with_leaf, "gradient").values(n["x"]), [[-4], [12], [1]])
    assert Counts(with_leaf).joined(n["x"])[0] == 3


@pytest.mark.parametrize("name", sorted(SEMIRINGS))
def test_the_pieces_of_a_leaf_are_what_it_carries(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    table = application("table", ("x",), Selection(("x",), lambda x: x[[3, 0, 3]], rows=True))
    recording = Recording()
    w, v, x = (
        recording.leaf(n, rng.normal(size=s)) for n, s in (("w", (5, 4)), ("v", (4, 5)), ("x", (3, 4)))
    )
    rows = recording.apply("rows", table, (w,))
    h = recording.apply("h", OPS["linear"], (recording.apply("sum", OPS["add"], (rows, x)), w))
    h = recording.apply("y", OPS["matmul"], (h, w))
    y = recording.apply("z", OPS["matmul"], (h, v))
    sweep = Sweep(recording.graph((Entry(y, 0), Entry(y, 7), Entry(v, 2))), name)
    monkeypatch.setattr(pieces, "PIECE", 9)
    # w is picked from, and a factor in both ways; v is a cost too, and x is added
    for leaf, many in ((w, 3), (v, 1), (x, 1), (y, 1)):
        found = list(sweep.pieces(leaf))
        assert len(found) == many
        assert leaf == y or sweep.reached(leaf) == set(found[0].rows)
        together = np.concatenate([np.asarray(sweep.read(piece), float) for piece in found], axis=1)
        np.testing.assert_allclose(together, np.asarray(sweep.values(leaf), float), rtol=1e-12)


def test_without_costs_there_is_nothing() -> None:
    graph, n = two_costs()
    none = graph._replace(costs=())
    assert Sweep(none, "gradient").values(n["x"]).shape == (0, 1)
    assert Counts(none).joined(n["x"])[0] == 0
    assert list(Sweep(none, "gradient").pieces(n["x"])) == []


def test_restarts_need_examples_that_stay_apart() -> None:
    run = wg.Network([3, 1, 4], seed=1).run(np.ones((2, 3)), np.zeros((2, 4)))
    graph = run.recorded.graph
    assert Sweep(graph, "gradient")._blocks
    assert not Sweep(graph._replace(examples=0), "gradient")._blocks
    assert not Sweep(graph, "gradient", restart=False)._blocks


def test_a_small_cost_beside_a_large_one_keeps_its_gradient() -> None:
    rng = np.random.default_rng(0)
    recording = Recording()
    x = node = recording.leaf("x", rng.normal(size=(1, 4)).astype(np.float32))
    for layer in range(4):
        weights = recording.leaf(f"W{layer}", rng.normal(size=(4, 4)).astype(np.float32))
        node = recording.apply(f"y{layer}", OPS["linear"], (node, weights))
    sizes = recording.leaf("sizes", np.array([[1e25, 1e-25, 1.0, 1e-20]], dtype=np.float32))
    node = recording.apply("costs", OPS["mul"], (node, sizes))
    together = Sweep(recording.graph(tuple(Entry(node, place) for place in range(4))), "gradient").values(x)
    for place in range(4):
        alone = Sweep(recording.graph((Entry(node, place),)), "gradient").values(x)
        assert np.abs(together[place] - alone[0]).max() < 1e-5 * np.abs(alone).max()
