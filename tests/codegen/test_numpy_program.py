"""The NumPy program as a person would write it; its numbers are judged by the laws of the networks."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import whygrad as wg
from whygrad.codegen.numpy_program import delta_lines, forward_lines, written


def net(*sizes: int, activation: str = "tanh", **more: Any) -> wg.Network:
    return wg.Network(sizes, activation, seed=1, **more)


def test_what_a_person_would_write() -> None:
    layered = net(2, 3, 2, activation="relu", bias=True).layered
    assert forward_lines(layered)[:2] == ["z1 = a0 @ W1.T + b1", "a1 = np.maximum(z1, 0)"]
    assert delta_lines(layered)[-2:] == ["delta1 = e[:, :, None] * W2", "delta1 *= (z1 > 0)[:, None, :]"]


@pytest.mark.parametrize("literal", [True, False])
@pytest.mark.parametrize("activation", ["gelu", "softmax", "sigmoid"])
def test_a_written_program_is_a_program(tmp_path: Path, literal: bool, activation: str) -> None:
    network = net(2, 3, 2, activation=activation, bias=True, l2=0.1, reduction="mean")
    x, y = np.ones((2, 2)), np.zeros((2, 2))
    path = tmp_path / "program.py"
    path.write_text(written(network.layered, network.parameters, x, y, literal), encoding="utf-8")
    done = subprocess.run([sys.executable, "-W", "error", path], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    if literal:
        costs = np.array(done.stdout.partition("costs [")[2].partition("]")[0].split(), dtype=float)
        np.testing.assert_allclose(costs, network.run(x, y).costs, rtol=1e-6)
    assert [line for line in done.stdout.splitlines() if line.startswith("d")] == ["dW1", "db1", "dW2", "db2"]
