"""The printed programs, run in processes of their own: their gradients are PyTorch's."""

import ast
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import whygrad as wg
from tests.derive.oracle import ACTIVATIONS, COSTS, Oracle
from tests.derive.test_steps import DENSE_ENDS
from whygrad.notation import NOTATIONS, Quantity

NAMES = {
    "w_5": "w^0_{0,2}",
    "out_{h1}": "a^0_1",
    "net_{o1}": "z^0_2",
    "E_{o1}": "C^0",
    "E_{total}": "total",
    "lambda": "w^0_{0,1}",
    "exp": "w^1_{0,1}",
    "print": "a^0_0",
    r"\Delta'": "y^0",
}


def run_program(program: str, tmp_path: Path) -> str:
    file = tmp_path / "program.py"
    file.write_text(program, encoding="utf-8")
    made = subprocess.run(
        [sys.executable, "-W", "error", str(file)], capture_output=True, text=True, timeout=120, check=False
    )
    assert made.returncode == 0, made.stderr + program
    return made.stdout


def network(
    seed: int, last: str, cost: str, notation: str = "neuron-over-layer", **more: Any
) -> tuple[Any, dict[str, Any]]:
    draw = random.Random(seed)
    options = {
        "activation": [draw.choice(list(ACTIVATIONS)), last],
        "bias": draw.random() < 0.5,
        "cost": cost,
        "l2": draw.choice([0.0, 0.1]),
        "reduction": draw.choice(["sum", "mean"]),
    }
    return wg.Network([2, 3, 2], seed=seed, notation=notation, **options, **more), options


def arrays(printed: str) -> dict[str, Any]:
    """Returns the arrays that a program printed, by the name in the line before."""
    found: dict[str, Any] = {}
    name, text = "", ""
    for line in [*printed.splitlines(), "end"]:
        if re.match(r"(d[Wb]\d|dC\^\d+/d\S+|costs|end)", line):
            if name:
                numbers = re.sub(r"(?<=[\d.])\s+(?=[-\d\[])", ", ", re.sub(r"\]\s*\[", "],[", text))
                found[name] = np.array(
                    ast.literal_eval(re.sub(r"tensor\(|\)|, dtype=torch.float64", "", numbers))
                )
            name, _, text = line.partition(" ")
        else:
            text += " " + line.strip()
    return found


def expected(net: Any, options: dict[str, Any], x: Any, y: Any) -> tuple[list[Any], dict[str, Any]]:
    oracle = Oracle(net.parameters, options, x, y)
    costs = [Quantity("C", None, k) for k in range(2)] + ([Quantity("R")] if options["l2"] else [])
    made = {}
    for name, array in net.parameters.items():
        layer = int(name[1:])
        made[name] = np.zeros((len(costs), *array.shape))
        for place in np.ndindex(array.shape):
            q = Quantity(name[0].lower(), layer, *place)
            for k, cost in enumerate(costs):
                made[name][(k, *place)] = oracle.derivative(cost, q)
    return costs, made


CASES = [(last, cost) for cost in COSTS for last in DENSE_ENDS.get(cost, ("identity", "relu", "softmax"))]


@pytest.mark.parametrize("examples", [1, 3])
@pytest.mark.parametrize(("last", "cost"), CASES)
def test_the_numpy_program(last: str, cost: str, examples: int, tmp_path: Path) -> None:
    net, options = network(CASES.index((last, cost)) + 100 * examples, last, cost)
    generator = np.random.default_rng(1)
    x, y = generator.normal(size=(examples, 2)).round(2), generator.uniform(size=(examples, 2)).round(2)
    program = net.run(x, y).code("numpy")
    printed = run_program(
        "import numpy as np\nnp.set_printoptions(precision=17, floatmode='unique')\n" + program, tmp_path
    )
    _, gradients = expected(net, options, x, y)
    found = arrays(printed)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(found[f"d{name}"], gradient, rtol=1e-9, atol=1e-12, err_msg=program)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("style", ["numpy", "scalar", "pytorch"])
def test_every_activation_in_every_style(style: str, activation: str, tmp_path: Path) -> None:
    net = wg.Network([2, 3, 2], activation=[activation, "sigmoid"], bias=True, seed=1)
    options = {"activation": [activation, "sigmoid"], "cost": "squared_error", "l2": 0.0, "reduction": "sum"}
    x, y = np.array([[0.5, -1.0]]), np.array([[1.0, 0.0]])
    program = net.run(x, y).code(style)
    set_digits = {
        "numpy": "import numpy as np\nnp.set_printoptions(precision=17, floatmode='unique')\n",
        "pytorch": "import torch\ntorch.set_printoptions(precision=12)\n",
        "scalar": "",
    }
    printed = run_program(set_digits[style] + program, tmp_path)
    costs, gradients = expected(net, options, x, y)
    if style == "scalar":
        check_scalar(net, printed, costs, gradients)
        return
    found = arrays(printed)
    for name, gradient in gradients.items():
        whole = (
            found[f"d{name}"] if style == "numpy" else np.array([found[f"dC^{k}/d{name}"] for k in range(2)])
        )
        np.testing.assert_allclose(whole, gradient, rtol=1e-7, atol=1e-9, err_msg=program)


def check_scalar(net: Any, printed: str, costs: Any, gradients: dict[str, Any]) -> None:
    found = {}
    for line in printed.splitlines():
        name, _, value = line.partition(" = ")
        found[name] = float(value)
    count = 0

    def derivative(of: Quantity, by: Quantity) -> float:
        # A name that Python has for something else gets an underscore more.
        over, under = (net.notation.code(q, net.layout) for q in (of, by))
        return next(value for name, value in found.items() if re.fullmatch(f"d{over}_*/d{under}_*", name))

    for name, gradient in gradients.items():
        for place in np.ndindex(gradient.shape[1:]):
            q = Quantity(name[0].lower(), int(name[1:]), *place)
            for k, cost in enumerate(costs):
                assert derivative(cost, q) == pytest.approx(gradient[(k, *place)], rel=1e-9, abs=1e-12)
                count += 1
    assert count == len(found)


@pytest.mark.parametrize("notation", NOTATIONS)
@pytest.mark.parametrize("names", [None, NAMES])
def test_scalar_programs_speak_the_readers_notation(notation: str, names: Any, tmp_path: Path) -> None:
    net, options = network(7, "softmax", "cross_entropy", notation, names=names)
    x, y = np.array([[0.5, -1.0]]), np.array([[1.0, 0.0]])
    program = net.run(x, y).code("scalar")
    ast.parse(program)
    costs, gradients = expected(net, options, x, y)
    check_scalar(net, run_program(program, tmp_path), costs, gradients)


def test_large_networks_draw_their_numbers(tmp_path: Path) -> None:
    net = wg.Network([30, 20, 5], activation=["relu", "softmax"], cost="cross_entropy", seed=0)
    for style in ("numpy", "pytorch"):
        program = net.run().code(style)
        assert len(program) < 4000
        run_program(program, tmp_path)
    with pytest.raises(wg.WhygradError, match="try --style numpy"):
        wg.Network([50, 50, 5], seed=0).run().code("scalar")


@pytest.mark.parametrize("style", ["numpy", "pytorch"])
def test_programs_read_like_code_that_people_write(style: str) -> None:
    program = wg.Network.default().run().code(style)
    assert max(map(len, program.splitlines())) <= 110
    assert "# forward: layer by layer" in program
    subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--quiet", "--select", "E4,E7,E9,F", "-"],
        input=program,
        text=True,
        check=True,
    )
