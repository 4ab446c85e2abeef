"""The backward pass that lets every cotangent go: the same numbers as the one that keeps them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import whygrad as wg
from tests.test_sweep import two_costs
from whygrad.graph import Entry, Recording
from whygrad.ops import OPS, application
from whygrad.passing_sweep import PassingSweep
from whygrad.semirings import SEMIRINGS, SumSemiring
from whygrad.structures import Selection, convolution, kernels
from whygrad.structures.kernels import at_once
from whygrad.sweep import Sweep

SUMS = [name for name, semiring in SEMIRINGS.items() if isinstance(semiring, SumSemiring)]


@pytest.mark.parametrize("room", [1, 16, np.inf])
@pytest.mark.parametrize("name", SUMS)
def test_a_sweep_for_some_leaves_alone_keeps_nothing_else(name: str, room: float) -> None:
    graph, n = two_costs()
    with_leaf = graph._replace(costs=(*graph.costs, Entry(n["x"], 0)))
    alone = PassingSweep(with_leaf, name, (n["x"], n["lonely"]), room)
    for leaf in ("x", "lonely"):
        np.testing.assert_array_equal(alone.values(n[leaf]), Sweep(with_leaf, name).values(n[leaf]))
    assert not alone._own


@pytest.mark.parametrize("room", [1, 100, np.inf])  # 2 x 3 numbers of 8 bytes a cost: one, two, all at a time
@pytest.mark.parametrize("seed", range(40))
def test_what_is_written_in_place_is_nobody_elses(seed: int, room: float) -> None:
    random = np.random.default_rng(seed)
    recording = Recording()
    nodes = [recording.leaf(name, random.normal(size=(2, 3))) for name in "abc"]
    for step in range(12):
        name = str(random.choice(["add", "sub", "mul", "neg", "relu", "tanh", "transpose"]))
        inputs = tuple(map(int, random.choice(nodes, size=2 if name in ("add", "sub", "mul") else 1)))
        if name == "transpose":  # and back: a view of a view
            inputs = (recording.apply(f"t{step}", OPS[name], inputs),)
        nodes.append(recording.apply(f"z{step}", OPS[name], inputs))
    graph = recording.graph(tuple(Entry(nodes[-1 - k], k) for k in range(3)))
    before = [np.copy(node.value) for node in graph.nodes]
    kept, let_go = Sweep(graph, "gradient"), PassingSweep(graph, "gradient", {0, 1, 2}, room)
    for leaf in range(3):
        np.testing.assert_allclose(let_go.values(leaf), kept.values(leaf), rtol=1e-14, atol=1e-300)
    assert all(np.array_equal(was, node.value) for was, node in zip(before, graph.nodes, strict=True))


def test_costs_that_take_turns_may_be_far_apart_in_size() -> None:
    recording = Recording()
    weight = recording.leaf("weight", np.full((4, 4), 1e30))
    small = recording.leaf("small", np.full((4, 4), 1e-30))
    x = recording.leaf("x", np.ones((2, 4)))
    up = down = x
    for step in range(9):
        up = recording.apply(f"up{step}", OPS["matmul"], (up, weight), value=np.ones((2, 4)))
        down = recording.apply(f"down{step}", OPS["matmul"], (down, small), value=np.ones((2, 4)))
    graph = recording.graph((Entry(up, 0), Entry(down, 1)))
    kept = Sweep(graph, "gradient")
    for room in (1, np.inf):
        made = PassingSweep(graph, "gradient", {x, weight, small}, room)
        for leaf in (x, weight, small):
            np.testing.assert_allclose(made.values(leaf), kept.values(leaf), rtol=1e-12)


@pytest.mark.parametrize("room", [1, np.inf])
@pytest.mark.parametrize("name", SUMS)
def test_windows_onto_one_array_are_added_up_in_it(name: str, room: float) -> None:
    random = np.random.default_rng(5)
    recording = Recording()
    x = recording.leaf("x", random.normal(size=(4, 5)))
    y = recording.apply("y", OPS["tanh"], (x,))
    windows: dict[str, Callable[..., Any]] = {
        "row": lambda array: array[1],
        "rows": lambda array: array[1:3].reshape(-1),
        "column": lambda array: array[:, 2],
        "turned": lambda array: array[2:, 1:].T,
        "repeated": lambda array: np.broadcast_to(array[3], (2, 5)),
        "picked": lambda array: array[[0, 0, 3]],
    }
    total = y
    for of in (x, y):
        for said, select in windows.items():
            seen = recording.apply(said, application(said, ("x",), Selection(("x",), select)), (of,))
            sized = recording.apply(said, OPS["sum"], (recording.apply(said, OPS["power"], (seen,)),))
            total = recording.apply("total", OPS["mul"], (total, sized))
    graph = recording.graph((Entry(total, 0), Entry(total, 7)))
    kept, let_go = Sweep(graph, name), PassingSweep(graph, name, {x}, room)
    np.testing.assert_allclose(let_go.values(x), kept.values(x), rtol=1e-12)


def test_turns_go_through_their_operations_once(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, n = two_costs()
    lifted = []
    plain = SEMIRINGS["total"]
    monkeypatch.setitem(
        SEMIRINGS,
        "total",
        plain._replace(lift=lambda p, xp: lifted.append(p) or (abs(p),)),
    )
    PassingSweep(graph, "total", {n["x"]}, room=1)
    assert (
        len(lifted) == 3
    )  # of power, neg and mul: one for each, though two costs pass power one after the other


@pytest.mark.parametrize("kind", ["Conv1d", "Conv2d", "ConvTranspose2d"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("together", [True, False])
def test_all_that_one_kernel_makes(kind: str, bias: bool, together: bool, monkeypatch: Any) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    layer = getattr(torch.nn, kind)
    options = {"stride": 2, "padding": 1, "groups": 2, "bias": bias}
    model = torch.nn.Sequential(layer(4, 6, 3, **options), torch.nn.Tanh(), layer(6, 8, 3, **options))
    x = torch.randn(5, 4, *((9,) if kind == "Conv1d" else (9, 10)))
    taken = []

    def counted(*args: Any) -> Any:
        taken.append(sorted(made := at_once(*args)))
        return made if together else {}

    monkeypatch.setattr(convolution, "at_once", counted)
    monkeypatch.setattr(kernels, "ROOM", {4: 1})  # one cost at a time

    def costs(m: Any, x: Any) -> Any:
        out = m(x).sin()
        return {"a": out.sum(), "b": out.square().mean()}

    gradients = wg.record(model, x, costs).gradients()
    losses = costs(model, x)
    for name, parameter in model.named_parameters():
        rows = [torch.autograd.grad(loss, parameter, retain_graph=True)[0] for loss in losses.values()]
        torch.testing.assert_close(gradients[name], torch.stack(rows), rtol=1e-4, atol=1e-5)
    of_each_cost = [[0, 1, 2], [1, 2]] if bias else [[0, 1], []]  # an input has no cotangent
    assert taken == 2 * of_each_cost
