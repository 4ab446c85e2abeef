"""Every semiring: its axioms on random elements, and its sweeps against every path followed one by one."""

import math
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest

import whygrad as wg
from laws.enumeration import Contribution, Edge, Edges, every_path, network_edges
from whygrad.exact_counts import Counts
from whygrad.graph import Entry, Graph, Recording
from whygrad.ops import OPS
from whygrad.semirings import SEMIRINGS
from whygrad.sweep import Sweep

NAMES = sorted(SEMIRINGS)
Bag = list[tuple[float, int]]  # a multiset of contributions, each with its length


def measured(name: str, bag: Bag) -> tuple[float, ...]:
    """Returns what a semiring's element must be for a multiset of live paths."""
    values = [value for value, _ in bag]
    if name == "gradient":
        return (math.fsum(values),)
    if name == "total":
        return (math.fsum(map(abs, values)),)
    if name == "strongest":
        return (max(values, key=abs, default=0.0),)
    if name == "extremes":
        return (max(values), min(values)) if values else (math.nan, math.nan)
    if name in ("count", "live"):
        return (float(len(values)),)
    if name == "reach":
        return (float(bool(values)),)
    if name == "entropy":
        return math.fsum(map(abs, values)), math.fsum(abs(v) * math.log(abs(v)) for v in values)
    assert name == "spectrum", f"say here what {name} measures"
    return tuple(
        math.fsum(v for v, marks in bag if marks == length)
        for length in range(max((m for _, m in bag), default=0) + 1)
    )


def element(name: str, bags: list[Bag]) -> tuple[Any, ...]:
    rows = [measured(name, bag) for bag in bags]
    width = max(map(len, rows))
    return tuple(
        np.array([row[place] if place < len(row) else 0.0 for row in rows]) for place in range(width)
    )


def random_bags(seed: int, many: int = 40) -> list[Bag]:
    generator = np.random.default_rng(seed)
    bags = []
    for place in range(many):
        size = 0 if place == 0 else int(generator.integers(0, 4))
        sign = (1, -1, 0)[place % 3]  # positive only, negative only, both
        values = generator.normal(size=size) * 2.0 ** generator.integers(-4, 5, size=size)
        values = np.abs(values) * sign if sign else values
        bags.append([(float(v), int(generator.integers(0, 3))) for v in values])
    return bags


def union(a: list[Bag], b: list[Bag]) -> list[Bag]:
    return [p + q for p, q in zip(a, b, strict=True)]


def products(a: list[Bag], b: list[Bag]) -> list[Bag]:
    return [[(v * w, m + n) for v, m in p for w, n in q] for p, q in zip(a, b, strict=True)]


ALONG = (("n",), ("n",), ("n",))


def assert_same(name: str, got: Any, wanted: Any) -> None:
    width = max(len(got), len(wanted))
    zeros = np.zeros_like(next(part for part in got if part is not None))
    for place in range(width):
        left = got[place] if place < len(got) and got[place] is not None else zeros
        right = wanted[place] if place < len(wanted) and wanted[place] is not None else zeros
        if name in ("strongest", "extremes", "count", "live", "reach"):
            np.testing.assert_allclose(left, right, rtol=1e-15)
        else:
            np.testing.assert_allclose(left, right, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", NAMES)
def test_plus_is_the_union_of_paths_and_times_their_products(name: str) -> None:
    semiring = SEMIRINGS[name]
    a, b = random_bags(1), random_bags(2)
    assert_same(name, semiring.plus(element(name, a), element(name, b), np), element(name, union(a, b)))
    made = semiring.compose(element(name, a), element(name, b), ALONG, np)
    assert_same(name, made, element(name, products(a, b)))


@pytest.mark.parametrize("name", NAMES)
def test_axioms(name: str) -> None:
    semiring = SEMIRINGS[name]
    a, b, c = (element(name, random_bags(seed)) for seed in (3, 4, 5))
    zero = element(name, [[]] * 40)
    one = element(name, [[(1.0, 0)]] * 40)

    def plus(u: Any, v: Any) -> Any:
        return semiring.plus(u, v, np)

    def times(u: Any, v: Any) -> Any:
        return semiring.compose(u, v, ALONG, np)

    assert_same(name, plus(a, b), plus(b, a))
    assert_same(name, plus(plus(a, b), c), plus(a, plus(b, c)))
    assert_same(name, plus(a, zero), a)
    assert_same(name, times(times(a, b), c), times(a, times(b, c)))
    assert_same(name, times(a, b), times(b, a))
    assert_same(name, times(a, one), a)
    assert_same(name, times(one, a), a)
    assert_same(name, times(a, zero), zero)
    assert_same(name, times(a, plus(b, c)), plus(times(a, b), times(a, c)))
    assert_same(name, tuple(np.full(40, part) for part in semiring.one), one)
    assert_same(name, tuple(np.full(40, part) for part in semiring.absent()), zero)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("marked", [False, True])
def test_a_lifted_partial_acts_as_the_path_of_one_step(name: str, marked: bool) -> None:
    semiring = SEMIRINGS[name]
    bags = random_bags(6)
    partials = np.random.default_rng(7).normal(size=40)
    steps = [[(float(p), int(marked))] for p in partials]
    made = semiring.times(element(name, bags), semiring.lift(partials, np), np, marked)
    assert_same(name, made, element(name, products(bags, steps)))
    contracted = semiring.contract(element(name, bags), semiring.lift(partials, np), ALONG, np, marked)
    assert_same(name, contracted, element(name, products(bags, steps)))


@pytest.mark.parametrize("name", [n for n in NAMES if n not in ("count", "reach")])
def test_a_partial_of_zero_ends_every_live_path(name: str) -> None:
    semiring = SEMIRINGS[name]
    made = semiring.times(element(name, random_bags(8)), semiring.lift(np.zeros(40), np), np)
    assert_same(name, made, element(name, [[]] * 40))


@pytest.mark.parametrize("name", NAMES)
def test_reducing_and_scattering_join_as_plus_does(name: str) -> None:
    semiring = SEMIRINGS[name]
    bags = [bag for bag in random_bags(9, 41) if name != "entropy" or bag][:24]
    whole = tuple(part.reshape(1, 4, 6) for part in element(name, bags))
    joined: Bag = [entry for bag in bags for entry in bag]
    reduced = semiring.reduce(whole, (1, 2), np)
    assert_same(name, [part.ravel() for part in reduced], element(name, [joined]))
    index = np.array([place % 5 for place in range(24)])
    wanted: list[Bag] = [[], [], [], [], [], [], []]
    for place, bag in zip(index, bags, strict=True):
        wanted[place] = wanted[place] + bag
    flat = tuple(part.reshape(1, 24) for part in whole)
    assert_same(name, [p[0] for p in semiring.scatter(flat, index, 7, np)], element(name, wanted))


@pytest.mark.parametrize("name", [n for n in NAMES if SEMIRINGS[n].rescale is not None])
@pytest.mark.parametrize("exponent", [-1500, -1074, -40, 0, 40, 1073, 1500])
def test_rescaling_changes_no_value(name: str, exponent: int) -> None:
    semiring = SEMIRINGS[name]
    rescale = semiring.rescale
    assert rescale is not None
    bags = [bag for bag in random_bags(10) if bag]
    made = element(name, bags)
    if -1000 < exponent < 1000:
        back = rescale(rescale(made, exponent, np), -exponent, np)
        assert_same(name, back, made)
        np.testing.assert_allclose(
            semiring.read(rescale(made, -exponent, np), exponent, np),
            semiring.read(made, 0, np),
            rtol=1e-9,
            atol=1e-13,
        )
    else:
        # Out of range: zero or infinity, never an error, and never NaN from a number.
        for part, before in zip(rescale(made, exponent, np), made, strict=True):
            assert part is not None
            assert (np.isnan(part) == np.isnan(before)).all()


# What a quantity's value must be, from its paths


def assert_value(name: str, got: Any, paths: list[Contribution]) -> None:
    live = [p for p in paths if p.live]
    total = math.fsum(abs(p.product) for p in live)
    if name == "gradient":
        assert got == pytest.approx(math.fsum(p.product for p in live), rel=1e-11, abs=1e-12 * total + 1e-300)
    elif name == "total":
        assert got == pytest.approx(total, rel=1e-11)
    elif name == "strongest":
        largest = max((abs(p.product) for p in live), default=0.0)
        assert abs(got) == pytest.approx(largest, rel=1e-12)
        signs = {math.copysign(1, p.product) for p in live if abs(p.product) >= largest * (1 - 1e-12)}
        assert not live or math.copysign(1, got) in signs
    elif name == "extremes":
        products = [p.product for p in live]
        if products:
            assert list(got) == pytest.approx([max(products), min(products)], rel=1e-12)
        else:
            assert np.isnan(got).all()
    elif name == "live":
        assert got == len(live)
    elif name == "count":
        assert int(got) == len(paths)
    elif name == "reach":
        assert bool(got) == bool(paths)
    elif name == "entropy":
        if live:
            shares = [abs(p.product) / total for p in live]
            wanted = -math.fsum(share * math.log(share) for share in shares)
            assert got == pytest.approx(wanted, rel=1e-9, abs=1e-11)
        else:
            assert math.isnan(got)
    else:
        assert name == "spectrum"
        for length in range(max([len(got), *(p.marks + 1 for p in paths)])):
            wanted = math.fsum(p.product for p in live if p.marks == length)
            found = got[length] if length < len(got) else 0.0
            assert found == pytest.approx(wanted, rel=1e-11, abs=1e-12 * total + 1e-300)


# Layered networks

NETWORKS: list[dict[str, Any]] = [
    {"sizes": [2, 3, 3, 2], "activations": ["identity"] * 3},
    {"sizes": [2, 3, 2], "activations": ["relu", "identity"], "bias": True, "examples": 3},
    {
        "sizes": [3, 2, 3],
        "activations": ["relu", "softmax"],
        "bias": True,
        "cost": "cross_entropy",
        "l2": 0.3,
    },
    {"sizes": [2, 3, 2, 2], "activations": ["softmax", "tanh", "identity"], "examples": 2, "mean": True},
    {"sizes": [3, 3, 1], "activations": ["gelu", "sigmoid"], "cost": "binary_cross_entropy", "mean": True},
    {"sizes": [1, 1, 1, 1], "activations": ["relu", "relu", "relu"], "examples": 2, "bias": True},
    {"sizes": [2, 4, 1, 4], "activations": ["leaky_relu(0.3)", "tanh", "identity"], "examples": 2},
    {
        "sizes": [2, 3, 2, 4],
        "activations": ["relu", "relu", "softmax"],
        "examples": 2,
        "cost": "absolute_error",
    },
]


def drawn(case: dict[str, Any], seed: int, zeros: bool = False) -> tuple[wg.Run, Edges]:
    """Returns a run of a random network and the same network as single scalars."""
    generator = np.random.default_rng(seed)
    sizes, examples = case["sizes"], case.get("examples", 1)
    parameters = {}
    for layer in range(1, len(sizes)):
        W = generator.normal(size=(sizes[layer], sizes[layer - 1]))
        if zeros:
            W[generator.random(W.shape) < 0.4] = 0.0
        parameters[f"W{layer}"] = W
        if case.get("bias"):
            parameters[f"b{layer}"] = generator.normal(size=sizes[layer])
    x = generator.normal(size=(examples, sizes[0]))
    y = generator.uniform(0.1, 0.9, size=(examples, sizes[-1]))
    cost, mean, l2 = case.get("cost", "squared_error"), case.get("mean", False), case.get("l2", 0.0)
    net = wg.Network(
        sizes,
        case["activations"],
        cost=cost,
        parameters=parameters,
        l2=l2,
        reduction="mean" if mean else "sum",
    )
    edges = network_edges(sizes, case["activations"], parameters, x, y, cost, mean, l2)
    return net.run(x, y), edges


def cost_scalars(run: wg.Run) -> list[tuple[Any, ...]]:
    made: list[tuple[Any, ...]] = [("C", k) for k in range(run.network.layered.outputs)]
    return [*made, ("R",)] if run.network.layered.l2 else made


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("zeros", [False, True], ids=["dense", "with zeros"])
@pytest.mark.parametrize("case", range(len(NETWORKS)))
def test_networks_agree_with_enumeration(name: str, case: int, zeros: bool) -> None:
    run, edges = drawn(NETWORKS[case], 100 + case, zeros)
    ends = cost_scalars(run)
    values = run.sweep(name)
    for parameter, shape in run.network.layered.shapes.items():
        array = np.asarray(values.array(parameter))
        layer = int(parameter[1:])
        for place in np.ndindex(shape):
            scalar = (parameter[0].lower(), layer, *place)
            paths = every_path(edges, scalar, set(ends))
            for row, end in enumerate(ends):
                assert_value(name, array[(row, *place)], [p for p in paths if p.stops[-1] == end])
    # quantities by name: for all costs together, for one, and for each example where there are several
    neuron = wg.Quantity("a", 1, 0)
    got = values[neuron]
    each = got if run.examples > 1 else [got]
    for n in range(run.examples):
        paths = every_path(edges, ("a", 1, n, 0), set(ends))
        value = each[n]
        assert_value(name, math.nan if value is None else value, paths)
    one = values.value(wg.Quantity("w", 1, 0, 0), cost=0)
    assert_value(
        name,
        (math.nan if name == "entropy" else one) if one is None else one,
        every_path(edges, ("w", 1, 0, 0), {("C", 0)}),
    )


@pytest.mark.parametrize("case", range(len(NETWORKS)))
def test_counts_are_integers_that_know_their_live_part(case: int) -> None:
    run, edges = drawn(NETWORKS[case], 200 + case, zeros=True)
    ends = set(cost_scalars(run))
    count = run.sweep("count")[wg.Quantity("w", 1, 0, 0)]
    paths = every_path(edges, ("w", 1, 0, 0), ends)
    assert (count, count.live) == (len(paths), sum(p.live for p in paths))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sizes", [[3, 4, 2, 4, 5], [5, 2, 4, 1, 3, 6], [4, 3, 5, 2, 6, 7], [3, 1, 2]])
@pytest.mark.parametrize("activation", ["identity", "relu", "softmax"])
@pytest.mark.parametrize("examples", [1, 3])
def test_restarting_at_narrow_layers_changes_nothing(
    name: str, sizes: list[int], activation: str, examples: int
) -> None:
    generator = np.random.default_rng(len(sizes))
    net = wg.Network(sizes, activation, seed=4, bias=True)
    run = net.run(generator.normal(size=(examples, sizes[0])), generator.uniform(size=(examples, sizes[-1])))
    graph = run.recorded.graph
    on, off = Sweep(graph, name, restart=True), Sweep(graph, name, restart=False)
    assert on._blocks, "no restart where there should be one"
    assert not off._blocks
    scale = Sweep(graph, "total", restart=False)
    for number in range(len(graph.nodes)):
        left, right = np.asarray(on.values(number)), np.asarray(off.values(number))
        if name == "spectrum":
            width = max(left.shape[-1], right.shape[-1])
            left, right = (
                np.pad(v, [(0, 0)] * (v.ndim - 1) + [(0, width - v.shape[-1])]) for v in (left, right)
            )
            slack = np.asarray(scale.values(number))[..., None]
        else:
            slack = np.asarray(scale.values(number)) if name == "gradient" else 0.0
        if name in ("gradient", "spectrum"):
            assert (np.abs(left - right) <= 1e-12 * slack).all()
        else:
            np.testing.assert_allclose(left, right, rtol=1e-9 if name == "entropy" else 1e-12, atol=1e-12)
        if name != "spectrum":
            left, right = (np.asarray(sweep.joined(number), dtype=float) for sweep in (on, off))
            np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-9)


# Random graphs of single operations


class Drawing:
    """A random graph, recorded for the engine and as single scalars for the oracle at the same time."""

    def __init__(self, seed: int) -> None:
        self.generator = np.random.default_rng(seed)
        self.recording = Recording()
        self.edges: Edges = {}
        self.values: list[Any] = []

    def leaf(self, shape: tuple[int, ...]) -> int:
        value = self.generator.normal(size=shape)
        value[self.generator.random(shape) < 0.15] = 0.0
        self.values.append(value)
        return self.recording.leaf(f"n{len(self.values)}", value)

    def apply(
        self, op: str, inputs: tuple[int, ...], settings: dict[str, Any], value: Any, partials: Any
    ) -> int:
        """``partials`` lists (which input, its entry's index, the output entry's index, partial)."""
        marked = bool(self.generator.random() < 0.5)
        number = self.recording.apply(f"n{len(self.values)}", OPS[op], inputs, settings, marked)
        got = self.recording.graph(()).nodes[number].value
        np.testing.assert_allclose(got, value, rtol=1e-13, atol=1e-15)
        self.values.append(np.asarray(value))
        for which, source, to, partial in partials:
            start = (
                inputs[which],
                int(np.ravel_multi_index(source, self.values[inputs[which]].shape)) if source else 0,
            )
            end = (number, int(np.ravel_multi_index(to, np.shape(value))) if to else 0)
            self.edges.setdefault(start, []).append(Edge(end, float(partial), marked))
        return number

    # Each operation's value and partials, entry by entry

    def unary(self, a: int, op: str) -> int:
        value, slope = {
            "relu": (lambda v: max(v, 0.0), lambda v: float(v > 0)),
            "tanh": (math.tanh, lambda v: 1 / math.cosh(v) ** 2),
            "neg": (lambda v: -v, lambda v: -1.0),
            "abs": (abs, lambda v: float(np.sign(v))),
            "identity": (lambda v: v, lambda v: 1.0),
        }[op]
        x = self.values[a]
        made = np.array([value(v) for v in x.ravel()]).reshape(x.shape)
        return self.apply(op, (a,), {}, made, [(0, p, p, slope(x[p])) for p in np.ndindex(x.shape)])

    def binary(self, a: int, b: int, op: str) -> int:
        x, y = self.values[a], self.values[b]
        shape = np.broadcast_shapes(x.shape, y.shape)
        value = {"add": np.add, "sub": np.subtract, "mul": np.multiply}[op](x, y)
        partials = []
        for place in np.ndindex(shape):
            p = tuple(i if n > 1 else 0 for i, n in zip(place[len(shape) - x.ndim :], x.shape, strict=True))
            q = tuple(i if n > 1 else 0 for i, n in zip(place[len(shape) - y.ndim :], y.shape, strict=True))
            partials.append((0, p, place, {"add": 1, "sub": 1, "mul": y[q]}[op]))
            partials.append((1, q, place, {"add": 1, "sub": -1, "mul": x[p]}[op]))
        return self.apply(op, (a, b), {}, value, partials)

    def matmul(self, a: int, b: int) -> int:
        A, B = self.values[a], self.values[b]
        partials: list[Any] = []
        for i in range(A.shape[0]):
            for j in range(B.shape[1]):
                for k in range(A.shape[1]):
                    partials += [(0, (i, k), (i, j), B[k, j]), (1, (k, j), (i, j), A[i, k])]
        return self.apply("matmul", (a, b), {}, A @ B, partials)

    def linear(self, a: int, b: int) -> int:
        x, W = self.values[a], self.values[b]
        partials: list[Any] = []
        for place in np.ndindex(x.shape[:-1]):
            for i in range(x.shape[-1]):
                for o in range(W.shape[0]):
                    partials += [
                        (0, (*place, i), (*place, o), W[o, i]),
                        (1, (o, i), (*place, o), x[(*place, i)]),
                    ]
        return self.apply("linear", (a, b), {}, x @ W.T, partials)

    def reduced(self, a: int, op: str, axis: Any) -> int:
        x = self.values[a]
        value = getattr(np, op)(x, axis=axis)
        count = x.size / np.size(value) if op == "mean" else 1
        axes = (
            range(x.ndim)
            if axis is None
            else {v % x.ndim for v in (axis if isinstance(axis, tuple) else (axis,))}
        )
        partials = [
            (0, p, tuple(i for d, i in enumerate(p) if d not in axes), 1 / count) for p in np.ndindex(x.shape)
        ]
        return self.apply(op, (a,), {"axis": axis}, value, partials)

    def softmax(self, a: int, axis: int) -> int:
        x = self.values[a]
        shares = np.exp(x - x.max(axis=axis, keepdims=True))
        y = shares / shares.sum(axis=axis, keepdims=True)
        partials = []
        for p in np.ndindex(x.shape):
            for j in range(x.shape[axis]):
                q = list(p)
                q[axis] = j
                to = tuple(q)
                partials.append((0, p, to, y[to] * ((to == p) - y[p])))
        return self.apply("softmax", (a,), {"axis": axis}, y, partials)

    def taken(self, a: int) -> int:
        x = self.values[a]
        index = tuple(self.generator.integers(0, n, size=3) for n in x.shape)  # with repetitions
        partials = [(0, tuple(int(i[t]) for i in index), (t,), 1.0) for t in range(3)]
        return self.apply("take", (a,), {"index": index}, x[index], partials)

    def moved(self, a: int, op: str) -> int:
        x = self.values[a]
        if op == "transpose":
            partials = [(0, p, p[::-1], 1.0) for p in np.ndindex(x.shape)]
            return self.apply(op, (a,), {}, x.T, partials)
        partials = [(0, p, (t,), 1.0) for t, p in enumerate(np.ndindex(x.shape))]
        return self.apply("reshape", (a,), {"shape": (-1,)}, x.reshape(-1), partials)

    def paths_are_few(self, limit: int = 4000) -> bool:
        many: dict[tuple[Any, ...], int] = {}
        for number in range(len(self.values) - 1, -1, -1):
            for place in range(self.values[number].size):
                ahead = self.edges.get((number, place), [])
                many[number, place] = 1 + sum(many[edge.to] for edge in ahead)
        return sum(many.values()) <= limit


def grown(drawing: Drawing, pool: list[int]) -> int:
    """Returns a new node that a random operation makes from random nodes."""
    g = drawing.generator
    a = int(g.choice(pool))
    x = drawing.values[a]
    matrices = [n for n in pool if drawing.values[n].ndim == 2 and n != a]
    unary = ["relu", "tanh", "neg", "abs", "identity"]
    choices: list[Any] = [lambda: drawing.unary(a, str(g.choice(unary)))]
    others = [n for n in pool if n != a and _broadcast(x, drawing.values[n])]
    if others:
        choices.append(lambda: drawing.binary(a, int(g.choice(others)), str(g.choice(["add", "sub", "mul"]))))
    if x.ndim:
        axis = int(g.integers(-x.ndim, x.ndim))
        choices += [
            lambda: drawing.reduced(a, str(g.choice(["sum", "mean"])), [axis, None, (axis,)][g.integers(3)]),
            lambda: drawing.softmax(a, axis),
            lambda: drawing.taken(a),
            lambda: drawing.moved(a, str(g.choice(["transpose", "reshape"]))),
        ]
    fits = [n for n in matrices if x.ndim == 2 and drawing.values[n].shape[0] == x.shape[1]]
    if fits:
        choices.append(lambda: drawing.matmul(a, int(g.choice(fits))))
    turned = [n for n in matrices if x.ndim and drawing.values[n].shape[1] == x.shape[-1]]
    if turned:
        choices.append(lambda: drawing.linear(a, int(g.choice(turned))))
    made: int = choices[g.integers(len(choices))]()
    return made


def random_graph(seed: int) -> tuple[Graph, Edges]:
    """Returns a random graph whose nodes are used once, several times or never, and its edges."""
    drawing = Drawing(seed)
    g = drawing.generator
    pool = [drawing.leaf(shape) for shape in ((2, 3), (3,), (2, 1), (3, 2), ())]
    for _ in range(int(g.integers(3, 7))):
        pool.append(grown(drawing, pool))
        if not drawing.paths_are_few():
            break
    # costs anywhere: at the end, in the middle, at a leaf, two at one node
    ends = [pool[-1], pool[-1], int(g.choice(pool)), int(g.choice(pool[5:]))]
    costs = tuple(dict.fromkeys(Entry(n, int(g.integers(drawing.values[n].size))) for n in ends))
    return drawing.recording.graph(costs), drawing.edges


def _broadcast(x: Any, y: Any) -> bool:
    try:
        return len(np.broadcast_shapes(x.shape, y.shape)) <= 2
    except ValueError:
        return False


GRAPHS = range(120)


@pytest.mark.parametrize("seed", GRAPHS)
def test_graphs_agree_with_enumeration(seed: int) -> None:
    graph, edges = random_graph(seed)
    ends = {tuple(cost): row for row, cost in enumerate(graph.costs)}
    sweeps = {name: Sweep(graph, name) for name in NAMES}
    for number, node in enumerate(graph.nodes):
        exact = Counts(graph).joined(number)
        values = {name: np.asarray(sweep.values(number)) for name, sweep in sweeps.items()}
        joined = {name: np.asarray(sweep.joined(number)) for name, sweep in sweeps.items()}
        for position, place in enumerate(np.ndindex(np.shape(node.value))):
            paths = every_path(edges, (number, position), set(ends))
            assert exact[place] == len(paths)
            assert exact[place].live == sum(p.live for p in paths)
            for name in NAMES:
                for end, row in ends.items():
                    assert_value(name, values[name][(row, *place)], [p for p in paths if p.stops[-1] == end])
                assert_value(name, joined[name][place], paths)


# Large counts and deep networks


def test_counts_are_exact_above_two_to_the_53() -> None:
    sizes = [3, *[7] * 25, 2]
    run = wg.Network(sizes, seed=1).run(np.ones(3), np.zeros(2))
    count = run.sweep("count")[wg.Quantity("w", 1, 0, 0)]
    assert count == 7**24 * 2
    assert count.live == count > 2**53
    assert run.paths("W1").count == 3 * 7**25 * 2


def test_live_counts_are_exact_where_paths_are_dead() -> None:
    sizes = [4, *[9] * 30, 3]
    generator = np.random.default_rng(5)
    parameters = {
        f"W{layer}": generator.integers(-1, 3, size=(sizes[layer], sizes[layer - 1])).astype(float)
        for layer in range(1, len(sizes))
    }
    run = wg.Network(sizes, parameters=parameters).run(np.array([1.0, 2.0, 0.0, -1.0]), np.full(3, -1.0))
    live = [(parameters[f"W{layer}"] != 0).astype(int).tolist() for layer in range(1, len(sizes))]
    ahead = [1] * 3  # Python integers
    for W in reversed(live[1:]):
        ahead = [sum(row[i] * n for row, n in zip(W, ahead, strict=True)) for i in range(len(W[0]))]
    found = Counts(run.recorded.graph).joined(run.recorded.nodes["w", 1])
    assert max(ahead) > 2**53
    for j in range(9):
        for i, x in enumerate((1.0, 2.0, 0.0, -1.0)):
            assert found[j, i] == 9**29 * 3
            assert found[j, i].live == (ahead[j] if x else 0)


def test_counts_are_exact_across_a_restart() -> None:
    # 40 costs and a layer of 3 neurons: the ordinary sweep goes on with the identity there
    sizes = [5, *[30] * 8, 3, *[30] * 8, 40]
    run = wg.Network(sizes, seed=2).run(np.ones((2, 5)), np.zeros((2, 40)))
    count = run.sweep("count")[wg.Quantity("w", 1, 0, 0)]
    assert count == 2 * 30**7 * 3 * 30**8 * 40
    assert count.live == count


def test_counts_to_one_cost() -> None:
    sizes = [2, *[9] * 20, 5]
    run = wg.Network(sizes, seed=3, bias=True, l2=0.1).run(np.ones((3, 2)), np.zeros((3, 5)))
    values = run.sweep("count")
    assert values.value(wg.Quantity("w", 1, 0, 0), cost=2) == 3 * 9**19
    assert values.value(wg.Quantity("w", 1, 0, 0), cost=5) == 1
    assert values[wg.Quantity("w", 1, 0, 0)] == 3 * 9**19 * 5 + 1
    assert list(values[wg.Quantity("a", 0, 1)]) == [9**20 * 5] * 3


def deep(
    scale_below: float, scale_above: float, depth: int = 1000
) -> tuple[wg.Run, list[list[list[Decimal]]]]:
    """Returns a run of 1000 layers of two neurons, and its weights exactly."""
    generator = np.random.default_rng(0)
    parameters = {}
    for layer in range(1, depth + 1):
        scale = scale_below if layer <= depth // 2 else scale_above
        parameters[f"W{layer}"] = generator.choice([0.5, 1.0, -1.5, 1.25], size=(2, 2)) * scale
    parameters["W1"] = np.array([[1.0, 0.0], [0.0, 1.0]])
    net = wg.Network([2] * (depth + 1), parameters=parameters)
    exact = [
        [[Decimal(float(v)) for v in row] for row in parameters[f"W{layer}"]] for layer in range(1, depth + 1)
    ]
    # The activations stay small: the input is 0 in all but name, and the targets make the slope of the cost -2.
    return net.run(np.array([0.0, 0.0]), np.array([1.0, 1.0])), exact


@pytest.mark.parametrize(("below", "above"), [(2.0**-4, 2.0**4), (2.0**4, 2.0**-4)])
def test_a_thousand_layers_neither_under_nor_overflow(below: float, above: float) -> None:
    run, weights = deep(below, above)
    depth = len(weights)
    with localcontext() as context:
        context.prec = 60
        # By the pre-activations of layer 1, from the outputs down, for each cost: sum, largest, sum of c ln c
        total = [[Decimal(2) if k == j else Decimal(0) for j in range(2)] for k in range(2)]
        most = [row[:] for row in total]
        weighted = [[c * c.ln() if c else Decimal(0) for c in row] for row in total]
        for layer in range(depth, 1, -1):
            W = [[abs(v) for v in row] for row in weights[layer - 1]]
            columns = range(2)
            weighted = [
                [sum(q[j] * W[j][i] + t[j] * W[j][i] * W[j][i].ln() for j in columns) for i in columns]
                for q, t in zip(weighted, total, strict=True)
            ]
            total = [[sum(t[j] * W[j][i] for j in columns) for i in columns] for t in total]
            most = [[max(m[j] * W[j][i] for j in columns) for i in columns] for m in most]
        for k in range(2):
            for j in range(2):
                q = wg.Quantity("z", 1, j)
                assert run.sweep("total").value(q, k) == pytest.approx(float(total[k][j]), rel=1e-10)
                assert abs(run.sweep("strongest").value(q, k)) == pytest.approx(float(most[k][j]), rel=1e-10)
                largest, smallest = run.sweep("extremes").value(q, k)
                assert max(largest, -smallest) == pytest.approx(float(most[k][j]), rel=1e-10)
                entropy = total[k][j].ln() - weighted[k][j] / total[k][j]
                assert run.sweep("entropy").value(q, k) == pytest.approx(float(entropy), rel=1e-9)


def test_values_beyond_the_range_of_floats_are_infinite_or_zero() -> None:
    large, _ = deep(2.0**4, 2.0**4)
    small, _ = deep(2.0**-4, 2.0**-4)
    q = wg.Quantity("z", 1, 0)
    assert large.sweep("total")[q] == math.inf
    assert abs(large.sweep("strongest")[q]) == math.inf
    assert small.sweep("total")[q] == 0.0
    # Shares of paths have no size that could go out of range.
    assert large.sweep("entropy")[q] == pytest.approx(small.sweep("entropy")[q], rel=1e-9)
    assert large.sweep("count")[q] == 2**999


def test_negative_contributions_alone_are_rescaled_too() -> None:
    depth = 400
    parameters = {
        f"W{layer}": np.array([[2.0**8 if layer > 200 else 2.0**-8]]) for layer in range(1, depth + 1)
    }
    parameters[f"W{depth}"] = -parameters[f"W{depth}"]
    run = wg.Network([1] * (depth + 1), parameters=parameters).run([0.0], [-1.0])
    value = -2.0 * 2.0**8  # 2 (0 + 1), all layers but the first
    assert run.sweep("extremes")[wg.Quantity("z", 1, 0)] == (value, value)
    assert run.sweep("strongest")[wg.Quantity("z", 1, 0)] == value


def test_a_network_of_float32_is_swept_in_float32() -> None:
    parameters = {
        name: v.astype(np.float32) for name, v in wg.Network([3, 4, 2, 3], seed=1).parameters.items()
    }
    run = wg.Network([3, 4, 2, 3], "tanh", parameters=parameters).run(np.ones((2, 3)), np.zeros((2, 3)))
    double = wg.Network([3, 4, 2, 3], "tanh", parameters={n: v.astype(float) for n, v in parameters.items()})
    other = double.run(np.ones((2, 3)), np.zeros((2, 3)))
    for name in NAMES:
        single, right = (np.asarray(r.sweep(name).array("W1")) for r in (run, other))
        if name not in ("count", "live", "reach"):
            assert single.dtype == np.float32
        np.testing.assert_allclose(single.astype(float), right.astype(float), rtol=2e-4, atol=1e-5)
