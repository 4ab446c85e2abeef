"""Runs: values, derivatives, sweeps, and what is refused."""

import math
from typing import Any

import numpy as np
import pytest

import whygrad as wg
from whygrad.semirings import SEMIRINGS


def small(examples: int = 1, **options: Any) -> wg.Run:
    generator = np.random.default_rng(1)
    net = wg.Network([2, 3, 2], ["tanh", "identity"], True, seed=2, **options)
    x, y = generator.normal(size=(examples, 2)), generator.normal(size=(examples, 2))
    return net.run(x, y)


def by_hand(run: wg.Run) -> dict[str, Any]:
    p = run.network.parameters
    z1 = run.x @ p["W1"].T + p["b1"]
    a1 = np.tanh(z1)
    a2 = a1 @ p["W2"].T + p["b2"]
    return {"z1": z1, "a1": a1, "a2": a2, "C": (a2 - run.y) ** 2}


@pytest.mark.parametrize("examples", [1, 3])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_costs_and_values(examples: int, reduction: str) -> None:
    run = small(examples, reduction=reduction, l2=0.2)
    right = by_hand(run)
    R = 0.1 * sum((v**2).sum() for name, v in run.network.parameters.items() if name[0] == "W")
    costs = getattr(right["C"], reduction)(axis=0)
    np.testing.assert_allclose(run.costs, [*costs, R], rtol=1e-13)
    assert run.total == pytest.approx(costs.sum() + R, rel=1e-13)
    assert run.cost_names == ("C^0", "C^1", "R")
    assert run.value("total") == run.total
    assert run.value("C^1") == pytest.approx(costs[1])
    assert run.value("R") == pytest.approx(R)
    for n in range(examples):
        assert run.value("z^2_1", n) == pytest.approx(right["z1"][n, 2])
        assert run.value("a^1_2", n) == pytest.approx(right["a2"][n, 1])
        assert run.value("a^1_0", n) == run.x[n, 1]
        assert run.value("y^0", n) == run.y[n, 0]
    assert run.value("w^1_{2,1}") == run.network.parameters["W1"][2, 1]
    assert run.value("b^2_1") == run.network.parameters["b1"][2]
    assert run.value("delta^0_1") == pytest.approx(run.derivative("total", "z^0_1"))


def test_one_example_alone() -> None:
    run = small(3, reduction="mean")
    one = run.example(1)
    np.testing.assert_array_equal(one.x, run.x[1:2])
    np.testing.assert_allclose(one.costs, by_hand(run)["C"][1])
    mean = sum(run.example(n).costs for n in range(3)) / 3
    np.testing.assert_allclose(run.costs, mean, rtol=1e-13)


@pytest.mark.parametrize("number", [3, -1, 1.0, "0", None, True, 10**30])
def test_examples_that_are_not_there(number: Any) -> None:
    run = small(3)
    for ask in (run.example, lambda n: run.value("a^0_1", n), lambda n: run.derivative("C^0", "a^0_1", n)):
        with pytest.raises(wg.ShapeError, match="example: expected a number from 0 to 2, found"):
            ask(number)


def test_derivatives_between_any_two_quantities() -> None:
    run = small(2)
    p = run.network.parameters
    slope = 1 - by_hand(run)["a1"] ** 2
    for n in range(2):
        assert run.derivative("a^1_2", "a^2_1", n) == pytest.approx(p["W2"][1, 2])
        assert run.derivative("a^0_1", "z^0_1", n) == pytest.approx(slope[n, 0])
        assert run.derivative("a^0_1", "z^1_1", n) == 0
        assert run.derivative("z^1_2", "a^0_0", n) == pytest.approx(p["W2"][1] * slope[n] @ p["W1"][:, 0])
        assert run.derivative("a^0_1", "a^0_1", n) == 1
        assert run.derivative("a^0_1", "C^0", n) == 0
    assert run.derivative("total", "y^0") == pytest.approx(-2 * (by_hand(run)["a2"] - run.y)[0, 0])
    assert run.derivative("C^0", "C^0") == 1
    # the total is the costs together
    assert run.derivative("total", "b^0_2") == pytest.approx(
        sum(run.derivative(f"C^{k}", "b^0_2") for k in range(2))
    )


def test_gradients_by_name() -> None:
    run = small(3)
    gradients = run.gradients()
    assert run.gradient("w^0_{1,1}", cost=1) == pytest.approx(gradients["W1"][1, 1, 0])
    assert run.gradient("w^0_{1,1}") == pytest.approx(gradients.total["W1"][1, 0])
    each = run.gradient("a^0_1")
    assert each.shape == (3,)
    assert isinstance(small(1).gradient("a^0_1"), float)


def test_what_sweeps_return() -> None:
    run = wg.Network(
        [2, 2, 1], ["relu", "identity"], parameters={"W1": [[1, 0], [0, -1]], "W2": [[1, 1]]}
    ).run([1, 1], [0])
    alive, dead = "w^0_{0,1}", "w^0_{1,1}"
    values = {name: (run.sweep(name)[alive], run.sweep(name)[dead]) for name in SEMIRINGS}
    assert values["gradient"] == (2.0, 0.0)
    assert values["total"] == (2.0, 0.0)
    assert values["strongest"] == (2.0, 0.0)
    assert values["extremes"][0] == (2.0, 2.0)
    assert all(math.isnan(v) for v in values["extremes"][1])
    assert values["count"] == (1, 1)
    assert [v.live for v in values["count"]] == [1, 0]
    assert values["live"] == (1, 0)
    assert values["reach"] == (True, True)
    assert values["entropy"] == (0.0, None)
    assert values["spectrum"][0] == (0.0, 0.0, 2.0)
    assert all(type(v) is float for name in ("gradient", "total", "strongest") for v in values[name])
    assert run.sweep("reach").value(alive) is True
    assert repr(run.sweep("total")) == "Values(total: the sum of absolute contributions)"
    assert run.sweep("total") is run.sweep("total")
    assert run.sweep("gradient").array("W2").shape == (1, 1, 2)


def test_live_counts_beyond_floats_are_exact() -> None:
    depth = 700
    run = wg.Network(
        [3] * (depth + 1), parameters={f"W{k}": np.full((3, 3), 0.3) for k in range(1, depth + 1)}
    ).run(np.ones(3), np.zeros(3))
    assert run.sweep("live")["w^0_{0,1}"] == 3 ** (depth - 1)


@pytest.mark.parametrize(
    ("ask", "error", "match"),
    [
        (
            lambda r: r.sweep("sum"),
            wg.NotSupportedError,
            "sweep: expected one of gradient, total, .*found 'sum'",
        ),
        (lambda r: r.sweep(["a"]), wg.NotSupportedError, "sweep: expected one of"),
        (
            lambda r: r.gradients(by="neuron"),
            wg.NotSupportedError,
            "by='cost' or by='example', found 'neuron'",
        ),
        (lambda r: r.gradients(by=[1]), wg.NotSupportedError, "by='cost' or by='example'"),
        (
            lambda r: r.gradient("w^0_{0,1}", cost=2),
            wg.QuantityError,
            r"cost: expected a number from 0 to 1 \(C\^0, C\^1\)",
        ),
        (lambda r: r.gradient("w^0_{0,1}", cost=-1), wg.QuantityError, "found -1"),
        (lambda r: r.gradient("w^0_{0,1}", cost="C^0"), wg.QuantityError, "found 'C\\^0'"),
        (lambda r: r.gradient("w^0_{0,1}", cost=True), wg.QuantityError, "found True"),
        (lambda r: r.gradient("w^0_{0,9}"), wg.QuantityError, "."),
        (lambda r: r.gradient("nonsense"), wg.EquationError, "."),
        (lambda r: r.gradient(None), wg.QuantityError, "expected the name of a quantity"),
        (
            lambda r: r.jacobian("a9"),
            wg.QuantityError,
            "jacobian: expected x, a1 to a2 or z1 to z2, found 'a9'",
        ),
        (lambda r: r.jacobian("z0"), wg.QuantityError, "found 'z0'"),
        (lambda r: r.jacobian("a²"), wg.QuantityError, "found 'a²'"),
        (lambda r: r.jacobian(None), wg.QuantityError, "found None"),
        (lambda r: r.jacobian(""), wg.QuantityError, "found ''"),
        (lambda r: r.paths("total"), wg.NotSupportedError, "total is a sum or a derivative"),
        (lambda r: r.paths("w^0_{0,1}", cost=5), wg.QuantityError, "cost: expected a number from 0 to 1"),
        (lambda r: r.sweep("count").value("w^0_{0,1}", 7), wg.QuantityError, "cost: expected"),
        (lambda r: r.code("fortran"), wg.NotSupportedError, "fortran"),
    ],
)
def test_bad_questions(ask: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        ask(small())


def test_quantities_at_entries() -> None:
    run = small(2)
    for name in ("w^1_{2,1}", "b^2_1", "z^2_1", "y^1", "C^1", "a^0_0"):
        (found, *_) = run.quantities_at(run.entry(name))
        assert found == run.quantity(name)
    # the identity's activation and pre-activation are one node: the activation is named first
    assert [q.kind for q in run.quantities_at(run.entry("a^0_2"))] == ["a", "z"]


def test_words_for_a_run() -> None:
    assert repr(small(1)) == "Run(2-3-2, tanh/identity, bias, squared_error; 1 example)"
    assert repr(small(3)).endswith("; 3 examples)")
