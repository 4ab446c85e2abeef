"""The scalar program: straight lines in anybody's notation."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import whygrad as wg
from whygrad.codegen import scalar_program
from whygrad.codegen.scalar_program import plain_names, program, scalars, written
from whygrad.ops import ACTIVATIONS, OPS, dense, reals


def test_lines_of_the_network_of_the_question() -> None:
    made = scalars(wg.Network.default().layered)
    assert made.forward[0] == "a_1_0 = w_1_0_0*a_0_0 + w_1_0_1*a_0_1"
    assert made.costs[0] == "C_0 = (a_3_0 - y_0)**2"
    # no path from the weights of output 0 to C^1
    assert made.gradients[1]["W3"][:3] == ["0.0", "0.0", "0.0"]
    assert (len(made.inputs), len(made.targets), len(made.parameters)) == (2, 2, 21)
    assert plain_names(wg.Quantity("w", 1, 2, 0)) == "w_1_2_0"


def test_what_a_layer_joins_is_computed_once() -> None:
    net = wg.Network([2, 3], "softmax", cost="cross_entropy").layered
    lines = scalars(net).forward
    assert "top_1 = max(z_1_0, z_1_1, z_1_2)" in lines
    assert "whole_1 = exp(z_1_0 - top_1) + exp(z_1_1 - top_1) + exp(z_1_2 - top_1)" in lines
    assert "a_1_0 = exp(z_1_0 - top_1)/whole_1" in lines
    assert len([line for line in lines if line.startswith(("top", "whole"))]) == 2


@pytest.mark.parametrize("sizes", [[2, 1], [1, 1], [2, 1, 3]])
@pytest.mark.parametrize("activation", ["softmax", "log_softmax"])
def test_layers_of_one_neuron(sizes: list[int], activation: str) -> None:
    run = wg.Network(sizes, activation, True, seed=1).run(np.ones(sizes[0]), np.zeros(sizes[-1]))
    twice = run.network.run(np.ones((2, sizes[0])), np.zeros((2, sizes[-1])))
    np.testing.assert_allclose(2 * run.costs, twice.costs, rtol=1e-13)
    np.testing.assert_allclose(2 * run.gradients()["W1"], twice.gradients()["W1"], atol=1e-13)


@pytest.fixture
def normalised() -> Iterator[str]:
    op = dense(
        "normalised(x)",
        "(x - axis_sum(x)/3)/(1 + axis_sum(x^2))",
        partials={"x": "(delta - 1/3 - 2*x_j*y_i)*y_i/(x_i + 1e-300*x_i)"},
        samples=reals(-2, 2),
        activation=True,
    )
    yield op.name
    for table in (OPS, ACTIVATIONS):
        del table[op.name]


def test_any_dense_activation_has_a_scalar_value(normalised: str) -> None:
    lines = scalar_program.scalars(wg.Network([3, 3], normalised).layered).forward
    assert "whole_1 = z_1_0 + z_1_1 + z_1_2" in lines
    assert "whole_1_1 = z_1_0*z_1_0 + z_1_1*z_1_1 + z_1_2*z_1_2" in lines
    assert "a_1_2 = (z_1_2 - whole_1/3)/(1 + whole_1_1)" in lines


def test_programs_are_kept_and_return_one_list() -> None:
    net = wg.Network([2, 3, 2], bias=True, l2=0.5).layered
    made = program(net)
    assert made is program(net)
    assert made.costs == 3
    assert [(name, shape) for name, _, _, shape in made.slices] == [
        ("W1", (3, 3, 2)),
        ("b1", (3, 3)),
        ("W2", (3, 2, 3)),
        ("b2", (3, 2)),
    ]
    assert made.slices[-1][2] == 3 + 18 + 9 + 18 + 6


@pytest.mark.parametrize("activation", ["identity", "gelu", "softmax", "sigmoid", "elu", "softplus"])
def test_a_written_program_prints_every_derivative(tmp_path: Path, activation: str) -> None:
    net = wg.Network([2, 2, 2], activation, True, seed=3, l2=0.1, cost="absolute_error")
    run = net.run([0.5, -1.0], [1.0, 0.0])
    numbers = {plain_names(q): run.value(q) for q in map(net.quantity, ["a^0_0", "a^1_0", "y^0", "y^1"])}
    parts = scalars(net.layered)
    flat = [v for p in net.parameters.values() for v in p.ravel().tolist()]
    numbers |= dict(zip(parts.parameters, flat, strict=True))
    path = tmp_path / "program.py"
    path.write_text(written(net.layered, plain_names, numbers), encoding="utf-8")
    done = subprocess.run([sys.executable, "-W", "error", path], capture_output=True, text=True, check=True)
    printed = dict(
        line.split(" = ") for line in done.stdout.replace(" =", " = ").replace("  ", " ").splitlines()
    )
    gradients = run.gradients()
    for k, cost in enumerate(parts.cost_names):
        wanted = np.concatenate([gradients[name][k].ravel() for name in gradients])
        got = [float(printed[f"d{cost}/d{parameter}"]) for parameter in parts.parameters]
        np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-15)
