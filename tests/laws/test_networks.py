"""Networks against PyTorch in float64: values, gradients of each cost, and everything that is made of gradients."""

import random
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import whygrad as wg
from whygrad.codegen import numpy_program, scalar_program
from whygrad.ops import ACTIVATIONS, COSTS

F = torch.nn.functional

TORCH_ACTIVATIONS: dict[str, Any] = {
    "identity": lambda z: z,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky_relu(0.3)": lambda z: F.leaky_relu(z, 0.3),
    "elu(0.7)": lambda z: F.elu(z, 0.7),
    "softplus": F.softplus,
    "gelu": F.gelu,
    "silu": F.silu,
    "softmax": lambda z: torch.softmax(z, -1),
    "log_softmax": lambda z: torch.log_softmax(z, -1),
}

TORCH_COSTS: dict[str, Any] = {
    "squared_error": lambda a, y: (a - y) ** 2,
    "half_squared_error": lambda a, y: (a - y) ** 2 / 2,
    "cross_entropy": lambda a, y: -y * torch.log(a),
    "binary_cross_entropy": lambda a, y: -y * torch.log(a) - (1 - y) * torch.log(1 - a),
    "absolute_error": lambda a, y: (a - y).abs(),
}


# The same costs from the pre-activations, which loses nothing where outputs are near 0 or 1.
FROM_LOGITS: dict[tuple[str, str], Any] = {
    ("sigmoid", "cross_entropy"): lambda z, y: -y * F.logsigmoid(z),
    ("sigmoid", "binary_cross_entropy"): lambda z, y: F.binary_cross_entropy_with_logits(
        z, y, reduction="none"
    ),
    ("softmax", "cross_entropy"): lambda z, y: -y * F.log_softmax(z, -1),
}


class Case(NamedTuple):
    sizes: tuple[int, ...]
    activations: tuple[str, ...]
    bias: bool
    cost: str
    examples: int
    reduction: str
    l2: float
    seed: int


def test_the_oracle_knows_every_activation_and_cost() -> None:
    assert {name.partition("(")[0] for name in TORCH_ACTIVATIONS} == set(ACTIVATIONS)
    assert set(TORCH_COSTS) == set(COSTS)


def random_case(seed: int) -> Case:
    draw = random.Random(seed)
    depth = draw.choice([1, 2, 2, 3, 3, 4])
    sizes = tuple(draw.randint(1, 6) for _ in range(depth + 1))
    cost = draw.choice(list(TORCH_COSTS))
    activations = [draw.choice(list(TORCH_ACTIVATIONS)) for _ in range(depth)]
    if "entropy" in cost:
        # The binary cross entropy of a softmax has a test of its own.
        activations[-1] = draw.choice(["softmax", "sigmoid"]) if cost == "cross_entropy" else "sigmoid"
    return Case(
        sizes,
        tuple(activations),
        draw.random() < 0.5,
        cost,
        draw.choice([1, 1, 2, 5]),
        draw.choice(["sum", "mean"]),
        draw.choice([0.0, 0.0, 0.3]),
        seed,
    )


def built(case: Case, dtype: Any = np.float64) -> tuple[wg.Run, dict[str, Any]]:
    generator = np.random.default_rng(case.seed)
    parameters: dict[str, Any] = {}
    for layer in range(1, len(case.sizes)):
        shape = case.sizes[layer], case.sizes[layer - 1]
        # Not so large that units saturate: 1 - y^2 of a tanh near 1 has lost digits, here as in PyTorch.
        parameters[f"W{layer}"] = 0.5 * generator.normal(size=shape).astype(dtype)
        if case.bias:
            parameters[f"b{layer}"] = 0.5 * generator.normal(size=shape[0]).astype(dtype)
    net = wg.Network(
        case.sizes,
        list(case.activations),
        case.bias,
        case.cost,
        parameters=parameters,
        l2=case.l2,
        reduction=case.reduction,
    )
    x = generator.normal(size=(case.examples, case.sizes[0]))
    y = generator.uniform(0.05, 0.95, size=(case.examples, case.sizes[-1]))
    return net.run(x, y), parameters


class Right(NamedTuple):
    """What PyTorch says: the costs, each one's gradients, its derivatives by the inputs, those of each example."""

    costs: Any
    gradients: dict[str, Any]
    by_inputs: Any
    by_example: dict[str, Any]


def by_torch(run: wg.Run, case: Case, everything: bool) -> Right:
    tensors = {
        k: torch.tensor(np.array(v, dtype=float), requires_grad=True)
        for k, v in run.network.parameters.items()
    }
    x = torch.tensor(run.x.astype(float), requires_grad=True)
    y = torch.tensor(run.y.astype(float))
    a = x
    for layer, activation in enumerate(case.activations, 1):
        z = a @ tensors[f"W{layer}"].T
        z = z + tensors[f"b{layer}"] if case.bias else z
        a = TORCH_ACTIVATIONS[activation](z)
    from_logits = FROM_LOGITS.get((case.activations[-1], case.cost))
    each = from_logits(z, y) if from_logits else TORCH_COSTS[case.cost](a, y)
    costs = list(each.mean(0) if case.reduction == "mean" else each.sum(0))
    if case.l2:
        costs.append(case.l2 / 2 * sum((W**2).sum() for name, W in tensors.items() if name[0] == "W"))

    def gradients(of: list[Any]) -> dict[str, Any]:
        rows = [
            torch.autograd.grad(c, list(tensors.values()), retain_graph=True, materialize_grads=True)
            for c in of
        ]
        return {name: np.stack([row[i].numpy() for row in rows]) for i, name in enumerate(tensors)}

    by_inputs, by_example = None, {}
    if everything:
        rows = [torch.autograd.grad(costs[k], x, retain_graph=True)[0].numpy() for k in range(case.sizes[-1])]
        by_inputs = np.stack(rows, axis=1)
        shares = each.sum(1) / (len(y) if case.reduction == "mean" else 1)
        by_example = gradients(list(shares))
    return Right(np.array([c.item() for c in costs]), gradients(costs), by_inputs, by_example)


def assert_close(got: Any, right: Any, scale: Any, tolerance: float, what: str) -> None:
    """Asserts that differences are small beside ``scale``, which has an entry for each entry."""
    assert np.shape(got) == np.shape(right), what
    worst = np.abs(np.asarray(got) - right) - tolerance * np.asarray(scale)
    assert (worst <= 0).all(), f"{what}: {got} is not {right}"


def check(case: Case, everything: bool) -> None:
    run, _ = built(case)
    right = by_torch(run, case, everything)
    gradients = run.gradients()
    assert_close(run.costs, right.costs, np.abs(right.costs) + 1e-3, 1e-12, "costs")
    norms = np.sqrt(sum((v.reshape(len(v), -1) ** 2).sum(axis=1) for v in right.gradients.values()))
    for name, wanted in right.gradients.items():
        # Beside the norm of the cost's whole gradient, or what was added up where that cancels.
        total = np.asarray(run.sweep("total").array(name)) if everything else 0.0
        scale = np.maximum(norms.reshape(-1, *[1] * (wanted.ndim - 1)), total) + 1e-280
        assert_close(gradients[name], wanted, scale * np.ones(wanted.shape), 1e-10, f"{case} {name}")
        if everything:
            swept = np.asarray(run.sweep("gradient").array(name))
            assert_close(swept, wanted, scale, 1e-10, f"{case} {name}, by the sweep")
    if everything:
        check_all_else(run, case, right, gradients)


NOISE = 1e-6  # what is added to a scale that may be 0: a softmax of one output has gradients of 1e-17 instead of 0


def check_all_else(run: wg.Run, case: Case, right: Right, gradients: Any) -> None:
    J = np.concatenate([v.reshape(len(v), -1) for v in right.gradients.values()], axis=1)
    lengths = np.linalg.norm(J, axis=1)
    scale = np.outer(lengths, lengths) + NOISE
    assert_close(gradients.gramian(), J @ J.T, scale, 1e-9, "gramian")
    for name, wanted in right.gradients.items():
        rows = wanted.reshape(len(wanted), -1)
        assert_close(gradients.gramian(name), rows @ rows.T, scale, 1e-9, f"gramian of {name}")
        assert_close(
            gradients.norms()[name], np.linalg.norm(rows, axis=1), lengths + NOISE, 1e-7, f"norms of {name}"
        )
        assert_close(
            gradients.total[name], wanted.sum(0), np.full(wanted.shape[1:], lengths.sum()), 1e-9, "total"
        )
    known = np.flatnonzero(lengths > 1e-6 * lengths.max())
    unit = J[known] / lengths[known, None]
    cosines = gradients.cosines()[np.ix_(known, known)]
    assert_close(cosines, unit @ unit.T, np.ones(cosines.shape), 1e-7, "cosines")
    for name, factors in gradients.factors.items():
        formed = np.einsum("rno,ni->roi", factors.cotangent, factors.input)
        wanted = right.gradients[name][: case.sizes[-1]]
        assert_close(formed, wanted, np.full(wanted.shape, lengths.max() + NOISE), 1e-9, f"factors of {name}")
    by_inputs = np.abs(right.by_inputs).max() + NOISE
    total = np.asarray(run.sweep("total").array("x")).transpose(1, 0, 2)[:, : case.sizes[-1]]
    assert_close(run.jacobian(), right.by_inputs, np.maximum(by_inputs, total), 1e-9, "jacobian")
    examples = run.gradients(by="example")
    for name, wanted in right.by_example.items():
        scale = np.full(wanted.shape, lengths.sum() + np.abs(wanted).max() + NOISE)
        assert_close(examples[name][: case.examples], wanted, scale, 1e-9, f"{name} by example")
    if not case.l2:
        K = np.concatenate([v.reshape(len(v), -1) for v in right.by_example.values()], axis=1)
        sizes = np.linalg.norm(K, axis=1)
        assert_close(examples.gramian(), K @ K.T, np.outer(sizes, sizes) + 1e-22, 1e-9, "gramian by example")
        for name, factors in examples.factors.items():
            formed = np.einsum("rno,ni->roi", factors.cotangent, factors.input)
            assert_close(
                formed, right.by_example[name], np.full(formed.shape, sizes.max() + NOISE), 1e-9, name
            )


@pytest.mark.parametrize("block", range(40))
def test_a_thousand_random_networks(block: int) -> None:
    for seed in range(25 * block, 25 * block + 25):
        check(random_case(seed), everything=seed % 5 == 0)


ACTIVATION = st.sampled_from(list(TORCH_ACTIVATIONS))


@st.composite
def cases(draw: Any) -> Case:
    sizes = tuple(draw(st.lists(st.integers(1, 5), min_size=2, max_size=5)))
    cost = draw(st.sampled_from(list(TORCH_COSTS)))
    activations = [draw(ACTIVATION) for _ in sizes[1:]]
    if "entropy" in cost:
        activations[-1] = "sigmoid"
    return Case(
        sizes,
        tuple(activations),
        draw(st.booleans()),
        cost,
        draw(st.integers(1, 3)),
        draw(st.sampled_from(["sum", "mean"])),
        draw(st.sampled_from([0.0, 0.1])),
        draw(st.integers(0, 2**32)),
    )


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(cases())
def test_networks_that_hypothesis_thinks_of(case: Case) -> None:
    check(case, everything=True)


# Restarts at narrow layers


@pytest.mark.parametrize(
    "sizes", [(6, 4, 2, 4, 6), (5, 3, 1, 5), (4, 6, 3, 6, 2, 7), (7, 2, 7, 2, 7), (3, 5, 2, 2, 5), (2, 3, 4)]
)
@pytest.mark.parametrize("activation", ["identity", "tanh", "softmax"])
@pytest.mark.parametrize("bias", [True, False])
def test_networks_with_narrow_layers(sizes: tuple[int, ...], activation: str, bias: bool) -> None:
    for cost, last in (
        ("squared_error", "identity"),
        ("cross_entropy", "softmax"),
        ("absolute_error", activation),
    ):
        activations = (*[activation] * (len(sizes) - 2), last)
        check(Case(sizes, activations, bias, cost, 3, "mean", 0.2, 17), everything=True)


@pytest.mark.parametrize("seed", range(10))
def test_the_binary_cross_entropy_of_a_softmax(seed: int) -> None:
    # Away from saturation: 1 - a of an output that is nearly 1 has lost digits, here as in PyTorch.
    case = Case((3, 4, 3), ("tanh", "softmax"), True, "binary_cross_entropy", 3, "mean", 0.0, seed)
    run, parameters = built(case)
    small = run.network.with_parameters(**{name: 0.3 * v for name, v in parameters.items()}).run(run.x, run.y)
    right = by_torch(small, case, everything=True)
    for name, wanted in right.gradients.items():
        scale = np.full(wanted.shape, np.abs(wanted).max())
        assert_close(small.gradients()[name], wanted, scale, 1e-11, name)
        assert_close(small.sweep("gradient").array(name), wanted, scale, 1e-11, name)


# Derivatives by what is between


@pytest.mark.parametrize("seed", range(20))
def test_derivatives_by_every_layer(seed: int) -> None:
    case = random_case(seed)._replace(l2=0.0)
    run, _ = built(case)
    tensors = {k: torch.tensor(np.array(v)) for k, v in run.network.parameters.items()}
    a = torch.tensor(run.x, requires_grad=True)
    layers: dict[str, Any] = {"x": a, "a0": a}
    for layer, activation in enumerate(case.activations, 1):
        z = a @ tensors[f"W{layer}"].T
        z = layers[f"z{layer}"] = z + tensors[f"b{layer}"] if case.bias else z
        # + 0: the identity's a is a node of its own here
        a = layers[f"a{layer}"] = TORCH_ACTIVATIONS[activation](z) + 0
    costs = TORCH_COSTS[case.cost](a, torch.tensor(run.y))
    costs = costs.mean(0) if case.reduction == "mean" else costs.sum(0)
    for name, tensor in layers.items():
        rows = [torch.autograd.grad(c, tensor, retain_graph=True)[0].numpy() for c in costs]
        wanted = np.stack(rows, axis=1)
        got = run.jacobian(name)
        scale = np.full(wanted.shape, np.abs(wanted).max() + 1e-280)
        assert_close(got, wanted, scale, 1e-9, f"{case} {name}")
        layer, kind = int(name[1:] or 0) if name != "x" else 0, "a" if name == "x" else name[0]
        for n in range(case.examples):
            q = wg.Quantity(kind, layer, 0)
            assert run.derivative("total", q, n) == pytest.approx(
                wanted[n, :, 0].sum(), rel=1e-8, abs=1e-9 * scale.max()
            )


# Saturated outputs

FAR = [-1000.0, -50.0, -5.0, 0.0, 5.0, 50.0, 1000.0]


@pytest.mark.parametrize("target", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("cost", ["binary_cross_entropy", "cross_entropy"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_saturated_sigmoids(cost: str, target: float, dtype: Any) -> None:
    W = np.eye(7).astype(dtype)
    net = wg.Network([7, 7], "sigmoid", cost=cost, parameters={"W1": W})
    run = net.run(FAR, [target] * 7)
    batch = net.run([FAR, FAR], [[target] * 7] * 2)
    z = torch.tensor(FAR, dtype=torch.float64, requires_grad=True)
    if cost == "binary_cross_entropy":
        costs = F.binary_cross_entropy_with_logits(
            z, torch.full((7,), target, dtype=torch.float64), reduction="none"
        )
    else:
        costs = -target * F.logsigmoid(z)
    (slopes,) = torch.autograd.grad(costs.sum(), z)
    digits = float(np.finfo(dtype).eps) * 4
    values, slope = costs.detach().numpy(), slopes.numpy()
    np.testing.assert_allclose(run.costs, values, rtol=digits, atol=digits)
    np.testing.assert_allclose(batch.costs, 2 * values, rtol=digits, atol=digits)
    for other, times in ((run, 1), (batch, 2)):
        by_z = other.jacobian("z1")[0]
        np.testing.assert_allclose(np.diag(by_z), slope, rtol=digits, atol=digits)
        expected = np.diag(slope)[:, :, None] * np.array(FAR)
        got = other.gradients()["W1"]
        assert np.isfinite(got).all()
        np.testing.assert_allclose(got, times * expected, rtol=digits, atol=1000 * digits * times)
        swept = np.asarray(other.sweep("gradient").array("W1"))
        np.testing.assert_allclose(swept, times * expected, rtol=digits, atol=1000 * digits * times)
        total = np.asarray(other.sweep("total").array("W1"))
        np.testing.assert_allclose(total, np.abs(times * expected), rtol=digits, atol=1000 * digits * times)


@pytest.mark.parametrize(
    "z", [[1000.0, -1000.0, 0.0], [50.0, -50.0, 0.0], [-1000.0, -1000.0, -1000.0], [1e4, 1e4, 0.0]]
)
@pytest.mark.parametrize("target", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.2, 0.3, 0.5]])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_saturated_softmax(z: list[float], target: list[float], dtype: Any) -> None:
    net = wg.Network([3, 3], "softmax", cost="cross_entropy", parameters={"W1": np.eye(3).astype(dtype)})
    logits = torch.tensor(z, dtype=torch.float64, requires_grad=True)
    costs = -torch.tensor(target, dtype=torch.float64) * F.log_softmax(logits, -1)
    rows = np.stack([torch.autograd.grad(c, logits, retain_graph=True)[0].numpy() for c in costs])
    digits = float(np.finfo(dtype).eps) * 4
    for run, times in ((net.run(z, target), 1), (net.run([z, z], [target, target]), 2)):
        np.testing.assert_allclose(run.costs, times * costs.detach().numpy(), rtol=digits, atol=digits)
        np.testing.assert_allclose(run.jacobian("z1")[0], rows, rtol=digits, atol=digits)
        expected = times * rows[:, :, None] * np.array(z)
        largest = np.abs(expected).max() + 1
        np.testing.assert_allclose(run.gradients()["W1"], expected, rtol=digits, atol=digits * largest)
        swept = np.asarray(run.sweep("gradient").array("W1"))
        np.testing.assert_allclose(swept, expected, rtol=digits, atol=digits * largest)
        # and the joined cost's own loss in PyTorch
        whole = F.cross_entropy(logits[None], torch.tensor(target, dtype=torch.float64)[None])
        assert run.total == pytest.approx(times * whole.item(), rel=digits, abs=digits)


def test_the_cost_of_each_example_is_the_stable_one() -> None:
    run = wg.Network([2, 2], "softmax", cost="cross_entropy", parameters={"W1": np.eye(2)}).run(
        [[1000.0, 0.0], [0.0, 2000.0]], [[0.0, 1.0], [1.0, 0.0]]
    )
    recorded = run.recorded
    np.testing.assert_array_equal(
        recorded.graph.nodes[recorded.nodes["C", None]].value, [[0, 1000], [2000, 0]]
    )
    np.testing.assert_array_equal(run.costs, [2000, 1000])


@pytest.mark.parametrize("activation", ["identity", "relu", "tanh", "log_softmax"])
@pytest.mark.parametrize("cost", ["cross_entropy", "binary_cross_entropy"])
def test_outputs_where_a_cross_entropy_is_not_defined_are_refused(cost: str, activation: str) -> None:
    net = wg.Network([2, 2], activation, cost=cost, parameters={"W1": np.eye(2)})
    run = net.run([-2.0, -3.0], [0.5, 0.5])
    for ask in (lambda: run.costs, run.gradients, lambda: run.sweep("total")["w^0_{0,1}"], lambda: run.total):
        with pytest.raises(wg.WhygradError, match=r"needs outputs (above 0|between 0 and 1): try a s"):
            ask()
    with pytest.raises(wg.WhygradError, match="needs outputs"):
        net.run([[-2.0, -3.0]] * 2, [[0.5, 0.5]] * 2).gradients()


def test_outputs_inside_are_taken_as_they_are() -> None:
    net = wg.Network([2, 2], "identity", cost="cross_entropy", parameters={"W1": np.eye(2)})
    run = net.run([0.5, 4.0], [0.3, 0.7])
    np.testing.assert_allclose(run.costs, [-0.3 * np.log(0.5), -0.7 * np.log(4.0)])
    np.testing.assert_allclose(np.diag(run.jacobian("z1")[0]), [-0.3 / 0.5, -0.7 / 4.0])


# Kinks


def test_a_dead_relu_and_one_on_its_kink() -> None:
    net = wg.Network(
        [2, 3, 1], ["relu", "identity"], parameters={"W1": [[1, 0], [0, 1], [1, 1]], "W2": [[1, 1, 1]]}
    )
    for run in (net.run([0.0, -1.0], [5.0]), net.run([[0.0, -1.0]] * 2, [[5.0]] * 2)):
        np.testing.assert_array_equal(run.gradients()["W1"], np.zeros((1, 3, 2)))
    assert net.run([0.0, -1.0], [5.0]).sweep("count")["w^1_{1,1}"].live == 0


# Float32


NARROW = Case((6, 2, 3, 5), ("tanh",) * 3, True, "squared_error", 3, "mean", 0.1, 5)
SINGLE = [random_case(seed) for seed in range(60)] + [
    NARROW._replace(activations=("tanh", activation, last))
    for activation in TORCH_ACTIVATIONS
    for last in ("identity", "leaky_relu(0.3)")
]


@pytest.mark.parametrize(
    "case", SINGLE, ids=lambda case: f"{'-'.join(map(str, case.sizes))} {case.activations[-2:]}"
)
def test_networks_of_float32(case: Case) -> None:
    run, _ = built(case, np.float32)
    assert run.x.dtype == run.y.dtype == np.float32
    assert run.costs.dtype == np.float32
    right = by_torch(run, case, everything=True)
    gradients = run.gradients()
    largest = max(np.abs(v).max() for v in right.gradients.values())
    for name, wanted in right.gradients.items():
        assert gradients[name].dtype == np.float32, name
        np.testing.assert_allclose(gradients[name], wanted, rtol=1e-4, atol=1e-4 * largest)
    for made in (
        gradients.gramian(),
        gradients.norms()["W1"],
        gradients.factors["W1"].cotangent,
        run.jacobian(),
    ):
        assert made.dtype == np.float32
    assert run.gradients(by="example")["W1"].dtype == np.float32
    np.testing.assert_allclose(np.asarray(run.costs), right.costs, rtol=1e-4, atol=1e-4)


def test_float32_only_where_all_parameters_are() -> None:
    mixed = {"W1": np.ones((2, 2), np.float32), "W2": np.ones((1, 2))}
    assert wg.Network([2, 2, 1], parameters=mixed).dtype == np.float64


# The programs


@pytest.mark.parametrize("seed", range(80))
def test_the_scalar_program_is_the_numpy_program_is_the_sweep(seed: int) -> None:
    case = random_case(seed)._replace(examples=1)
    run, parameters = built(case)
    net = run.network.layered
    made = scalar_program.program(net)
    flat = made.run(
        *run.x.ravel().tolist(), *run.y.ravel().tolist(), *(v for p in parameters.values() for v in p.flat)
    )
    # A batch of two copies can't go through the scalar program.
    twice = run.network.run(np.repeat(run.x, 2, axis=0), np.repeat(run.y, 2, axis=0))
    half = 1.0 if case.reduction == "mean" else 0.5
    shares = np.array([half] * case.sizes[-1] + [1.0] * bool(case.l2))
    np.testing.assert_allclose(flat[: made.costs], shares * twice.costs, rtol=1e-11, atol=1e-14)
    for name, start, stop, shape in made.slices:
        scalars = np.reshape(flat[start:stop], shape)
        arrays = shares.reshape(-1, *[1] * (len(shape) - 1)) * twice.gradients()[name]
        swept = np.asarray(run.sweep("gradient").array(name))
        total = np.asarray(run.sweep("total").array(name))
        assert_close(scalars, arrays, total + 1e-280, 1e-10, f"{case} {name}")
        assert_close(scalars, swept, total + 1e-280, 1e-10, f"{case} {name}")


@pytest.mark.parametrize("seed", range(0, 60, 3))
@pytest.mark.filterwarnings("ignore:overflow")
def test_written_numpy_programs_run_by_themselves(seed: int) -> None:
    case = random_case(seed)
    run, parameters = built(case)
    names: dict[str, Any] = {"__name__": "somebody's file"}
    exec(numpy_program.written(run.network.layered, parameters, run.x, run.y, literal=True), names)
    costs, gradients = names["gradients"](run.x, run.y, *parameters.values())
    np.testing.assert_allclose(costs, run.costs, rtol=1e-12)
    for name, value in run.gradients().items():
        total = np.asarray(run.sweep("total").array(name))
        assert_close(gradients[name], value, total + 1e-280, 1e-10, f"{case} {name}")
