"""Derivations: values, paths, sums, reasons and words, on the default network and on many others."""

import json
import math
import random
import re
from typing import Any

import numpy as np
import pytest

import whygrad as wg
from tests.derive.oracle import Oracle
from tests.derive.test_steps import explained, options
from whygrad.notation import NOTATIONS, Quantity
from whygrad.ops import ACTIVATIONS

KEYS = {
    "quantity", "of", "value", "costs", "paths", "path_count", "path_sum", "finite_difference", "steps",
}  # fmt: skip


def default() -> Any:
    return wg.Network.default().run()


def text_of(words: Any) -> str:
    return "".join(piece if isinstance(piece, str) else piece.ascii for piece in words)


def said(derivation: Any) -> str:
    return "\n".join(text_of(words) for words in derivation.words)


class TestTheQuestion:
    """The network 2-3-3-2 that whygrad grew from."""

    def test_a_first_layer_weight_has_six_paths_to_two_costs(self) -> None:
        found = default().explain("w^0_{0,1}").to_json()
        assert found.keys() >= KEYS
        assert found["path_count"] == 6
        assert len(found["paths"]) == 6
        assert {path["quantities"][-1] for path in found["paths"]} == {"C^0", "C^1"}
        assert all(path["quantities"][0] == "w^0_{0,1}" for path in found["paths"])
        contributions = math.fsum(path["contribution"] for path in found["paths"])
        assert contributions == pytest.approx(found["value"], abs=1e-12)
        assert found["path_sum"] == pytest.approx(found["value"], abs=1e-12)
        assert sum(found["costs"].values()) == pytest.approx(found["value"], abs=1e-12)
        assert found["finite_difference"] == pytest.approx(found["value"], abs=1e-8)
        # By hand: 0.5 * (0.7 * (0.5 e0 - 0.6 e1) - 0.5 * (0.9 e0 + 0.8 e1) + 0.3 * (-0.4 e0 + e1))
        e0, e1 = -2.559, -0.2
        by_hand = 0.5 * (0.7 * (0.5 * e0 - 0.6 * e1) - 0.5 * (0.9 * e0 + 0.8 * e1) + 0.3 * (-0.4 * e0 + e1))
        assert found["value"] == pytest.approx(by_hand, abs=1e-12)

    def test_a_cost_that_does_not_contain_the_weight(self) -> None:
        derivation = default().explain("w^0_{0,3}", of=1)
        assert derivation.value == 0
        assert derivation.paths.count == 0
        assert derivation.steps == ()
        assert text_of(derivation.cost_reasons["C^1"]).startswith("C^1 does not contain w^0_{0,3}")
        assert "C^1 does not contain w^0_{0,3}" in said(derivation)
        assert "Nothing has to be checked" in said(derivation)

    def test_a_last_layer_weight_has_one_path(self) -> None:
        derivation = default().explain("w^0_{0,3}")
        assert "exactly one path from w^0_{0,3} to C^0" in said(derivation)
        assert derivation.costs["C^1"] == 0
        assert "The one path" in derivation.to_text()

    def test_anything_by_anything(self) -> None:
        run = default()
        assert run.explain("C^0", by="a^0_1").value == pytest.approx(run.gradient("a^0_1", cost=0))
        assert run.explain("a^0_3", by="a^0_2").value == pytest.approx(0.5)
        assert run.explain("z^0_3", by="w^0_{0,3}").value == pytest.approx(run.value("a^0_2"))
        assert run.explain(of="C^0", by="y^0").value == pytest.approx(2.559)
        assert run.explain("total", by="C^1").value == 1
        assert run.explain("C^1", by="C^1").value == 1
        assert run.explain("C^1", by="C^0").value == 0
        assert run.explain("delta^1_2").value == pytest.approx(run.value("delta^1_2"))
        assert run.explain().quantity == "w^0_{0,1}"

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"quantity": "total"}, "found the total"),
            ({"quantity": "C^0", "by": "delta^0_1"}, None),
            ({"quantity": "delta^0_1", "by": "a^0_0"}, "second derivatives"),
            ({"quantity": "w^0_{0,1}", "by": "a^0_0"}, "depends on nothing"),
            ({"quantity": "a^0_1", "of": "C^0", "by": "a^0_1"}, "all three"),
            ({"quantity": "w^0_{0,1}", "of": 2}, "expected a number from 0 to 1"),
            ({"quantity": "w^0_{0,4}"}, "w^0_{0,4}"),
            ({"quantity": "w^0_{0,1}", "k": 0}, "k to be a whole number"),
            ({"quantity": "w^0_{0,1}", "example": 1}, "expected a number from 0 to 0"),
        ],
    )
    def test_what_can_not_be_asked_is_said(self, arguments: dict[str, Any], message: str | None) -> None:
        if message is None:
            assert default().explain(**arguments).value == pytest.approx(
                default().gradient("delta^0_1", cost=0)
            )
            return
        with pytest.raises(wg.WhygradError, match=re.escape(message)):
            default().explain(**arguments)


@pytest.mark.parametrize("seed", range(80))
def test_value_sum_and_difference_agree_on_random_networks(seed: int) -> None:
    notation = list(NOTATIONS)[seed % len(NOTATIONS)]
    run, oracle, derivation, parts, of, by = explained(10_000 + seed, notation)
    expected = oracle.derivative(of, by) if not derivation.examples else sum(parts)
    if derivation.examples and of.kind == "total":
        expected += oracle.derivative(Quantity("R"), by)
    size = max(1.0, derivation.paths.total)
    assert derivation.value == pytest.approx(expected, abs=1e-10 * size)
    assert derivation.paths.sum == pytest.approx(expected, abs=1e-10 * size)
    assert derivation.sums_agree
    assert derivation.finite_difference is not None
    on_a_kink = any("kink" in text_of(words) for words in derivation.notes)
    assert on_a_kink or derivation.finite_difference == pytest.approx(expected, abs=1e-6 * size)
    for row in derivation.paths.rows:
        if row.factors:
            assert math.prod(value for _, value in row.factors) == pytest.approx(row.contribution, abs=1e-12)
            assert len(row.factors) == len(row.quantities) - 1
    for render in (derivation.to_html, derivation.to_latex, derivation.to_text):
        assert not re.search(r"\b(nan|inf)\b", render()) or "softplus" in render()
    json.dumps(derivation.to_json(), allow_nan=False)
    assert run.network.name(by) == derivation.quantity


@pytest.mark.parametrize("seed", range(30))
def test_zeros_have_their_reason(seed: int) -> None:
    draw = random.Random(seed)
    sizes, chosen = options(draw, "neuron-over-layer")
    net = wg.Network(sizes, seed=seed, **chosen)
    run = net.run(np.random.default_rng(seed).normal(size=sizes[0]), np.full(sizes[-1], 0.5))
    oracle = Oracle(net.parameters, chosen, run.x, run.y)
    layer = draw.randint(1, len(sizes) - 1)
    weight = Quantity("w", layer, draw.randrange(sizes[layer]), draw.randrange(sizes[layer - 1]))
    derivation = run.explain(weight)
    for cost, name in zip(run.cost_quantities, run.cost_names, strict=True):
        expected = oracle.derivative(cost, weight)
        assert derivation.costs[name] == pytest.approx(expected, abs=1e-12)
        if derivation.costs[name] == 0:
            assert derivation.cost_reasons[name]
        contained = "does not contain" in text_of(derivation.cost_reasons.get(name, ()))
        apart = cost.kind == "C" and layer == len(sizes) - 1 and not net.layered.activations[-1].dense
        assert contained == (apart and cost.to != weight.to)


def test_the_paths_of_several_examples_are_summed() -> None:
    net = wg.Network([2, 3, 2], activation="tanh", reduction="mean", seed=3, l2=0.1)
    x, y = np.random.default_rng(0).normal(size=(4, 2)), np.zeros((4, 2))
    derivation = net.run(x, y).explain("w^0_{0,1}")
    assert derivation.paths.count == 3  # to C^0, to C^1, to R
    alone = [net.run(x[n], y[n]).explain("w^0_{0,1}") for n in range(4)]
    for row in derivation.paths.rows:
        same = [
            other.contribution
            for each in alone
            for other in each.paths.rows
            if other.quantities == row.quantities
        ]
        assert len(same) == 4
        assert row.contribution == pytest.approx(sum(same) / 4)
    one = net.run(x, y).explain("w^0_{0,1}", example=2)
    assert one.value == pytest.approx(alone[2].value)
    assert any("Example 2 alone" in text_of(words) for words in one.notes)
    with pytest.raises(wg.WhygradError, match="choose one with example=0"):
        net.run(x, y).explain("w^0_{0,1}", of="a^0_2")


def test_many_paths_are_counted_exactly_and_the_strongest_listed() -> None:
    net = wg.Network([5, 40, 40, 3], activation="tanh", seed=0)
    derivation = net.run().explain("x^0", k=4)
    assert derivation.paths.count == 40 * 40 * 3
    derivation = wg.Network([5, 60, 60, 3], activation="tanh", seed=0).run().explain("x^0", k=4)
    assert derivation.paths.count == 60 * 60 * 3
    assert not derivation.paths.walked
    assert len(derivation.paths.rows) == 4
    listed = [row.contribution for row in derivation.paths.rows]
    assert listed == sorted(listed, key=abs, reverse=True)
    assert derivation.paths.others == 60 * 60 * 3 - 4
    assert derivation.paths.others_sum == pytest.approx(derivation.value - sum(listed))
    assert "and 10 796 others, together" in derivation.to_text()


def test_deep_networks_are_counted_beyond_floating_point() -> None:
    net = wg.Network([2] + [8] * 25 + [2], activation="tanh", seed=0)
    derivation = net.run().explain("w^0_{0,1}")
    assert derivation.paths.count == 8**24 * 2
    assert f"{8**24 * 2:,}".replace(",", " ") in said(derivation)


def test_single_neurons() -> None:
    derivation = wg.Network([1, 1, 1, 1], activation="sigmoid", seed=1).run([1.0], [0.0]).explain("w^0_{0,1}")
    assert derivation.paths.count == 1
    assert "single path there is nothing to add up" in said(derivation)


def test_dead_relus_are_named() -> None:
    parameters = {"W1": [[1], [-1]], "W2": [[2, 3]]}
    net = wg.Network([1, 2, 1], activation=["relu", "identity"], parameters=parameters, bias=False)
    derivation = net.run([1.0], [0.0]).explain("a^0_0")
    assert "On one of them a factor is 0, so it adds nothing." in said(derivation)
    assert any("relu is off at z^1_1 = -1" in text_of(step.says) for step in derivation.steps)
    dead = net.run([1.0], [0.0]).explain("w^0_{1,1}")
    assert dead.value == 0
    assert "On it a factor is 0 here, so nothing comes through." in said(dead)
    assert text_of(dead.cost_reasons["C^0"]) == "every path has a factor that is 0"


def test_paths_that_cancel_are_said() -> None:
    net = wg.Network(
        [1, 2, 1], activation="identity", parameters={"W1": [[1], [1]], "W2": [[2, -2]]}, bias=False
    )
    derivation = net.run([1.0], [1.0]).explain("a^0_0")
    assert derivation.value == 0
    assert text_of(derivation.cost_reasons["C^0"]) == "the paths cancel exactly"
    assert "100.0%" in derivation.to_text()


@pytest.mark.parametrize("activation", [name for name, op in ACTIVATIONS.items() if op.kinks])
def test_kinks_are_said_where_a_path_passes_them(activation: str) -> None:
    net = wg.Network(
        [1, 1, 1], activation=[activation, "identity"], parameters={"W1": [[1]], "W2": [[2]]}, bias=False
    )
    on = net.run([0.0], [1.0]).explain("a^0_0")
    assert any(text_of(words).startswith("On a kink: z^0_1 is exactly 0") for words in on.notes)
    beside = net.run([0.0], [1.0]).explain("w^0_{0,2}")
    assert not any("kink" in text_of(words) for words in beside.notes)


def test_the_kink_of_the_absolute_error_is_said() -> None:
    net = wg.Network([1, 1], cost="absolute_error", parameters={"W1": [[1]]}, bias=False)
    derivation = net.run([1.0], [1.0]).explain()
    assert any("a^0_1 is exactly on target, at the kink" in text_of(words) for words in derivation.notes)


def test_float32_networks_agree_with_themselves() -> None:
    parameters = {"W1": np.float32([[0.1, 0.2], [0.3, 0.4]]), "W2": np.float32([[0.5, 0.6]])}
    net = wg.Network([2, 2, 1], activation="tanh", parameters=parameters, bias=False)
    derivation = net.run(np.float32([1, 2]), np.float32([1])).explain("w^0_{0,1}")
    assert derivation.sums_agree


def test_own_names_stand_everywhere() -> None:
    names = {
        "w_5": "w^0_{0,2}",
        "out_{h1}": "a^0_1",
        "net_{o1}": "z^0_2",
        "E_{o1}": "C^0",
        "E_{total}": "total",
        r"\delta_{o1}": r"\delta^0_2",
    }
    net = wg.Network([2, 2, 2], activation="sigmoid", seed=0, names=names)
    derivation = net.run([0.05, 0.1], [0.01, 0.99]).explain("w_5")
    assert derivation.quantity == "w_5"
    assert derivation.of == "E_{total}"
    assert derivation.heading.latex == r"\frac{\partial E_{\mathrm{total}}}{\partial w_5}"
    lines = [line.math.ascii for step in derivation.steps for line in step.lines]
    assert any("out_{h1}" in line and "net_{o1}" in line for line in lines)
    assert not any("a^0_1" in line or "z^0_2" in line for line in lines)


def test_the_layers_mark_the_derivative_that_was_asked_for() -> None:
    for notation in NOTATIONS:
        net = wg.Network(
            [2, 3, 2], activation=["tanh", "softmax"], seed=0, l2=0.2, bias=True, notation=notation
        )
        run = net.run([[1.0, -2.0], [0.5, 0.1]], [[1.0, 0.0], [0.0, 1.0]])
        for q in (Quantity("w", 1, 2, 1), Quantity("w", 2, 0, 1), Quantity("b", 1, 1)):
            derivation = run.explain(q)
            grid = derivation.layerwise[-1].result
            assert grid is not None
            assert grid.marked is not None
            row, column = grid.marked
            assert grid.values[row][column] == pytest.approx(derivation.value, abs=1e-12)


def test_delta_has_the_notations_sign() -> None:
    for notation, sign in (("classic", -1), ("nielsen", 1)):
        net = wg.Network([2, 2, 1], activation="sigmoid", seed=0, notation=notation)
        run = net.run([1.0, 2.0], [1.0])
        first = run.explain(Quantity("w", 1, 0, 0)).layerwise[0]
        assert first.result is not None
        assert first.result.values[0][0] == pytest.approx(
            sign * run.derivative(Quantity("total"), Quantity("z", 2, 0))
        )
        assert ("= -" in first.math.ascii) == (sign == -1)
