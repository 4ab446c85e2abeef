"""Every contestant that is installed returns the same numbers; on small networks, and never timed."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.agreement import TOLERANCE, deviation
from benchmarks.peers import Contestant, contestants
from benchmarks.peers.numpy_by_hand import CONTESTANTS as BY_HAND
from benchmarks.workloads import Case, Problem, Task

pytestmark = pytest.mark.filterwarnings("ignore")  # peers warn of what they will change

RELU = Problem((6, 5, 4, 3), ("relu", "relu", "identity"), batch=4)
NARROW = Problem((6, 5, 2, 5, 6), ("tanh", "tanh", "tanh", "identity"), batch=3)
TINY = Problem((2, 3, 3, 2), ("sigmoid",) * 3, batch=1, bias=False)
CASES: tuple[tuple[Task, Problem], ...] = (
    ("gradients", TINY),
    ("gradients", replace(TINY, activations=("identity",) * 3)),
    ("gradients", RELU),
    ("gradients", replace(RELU, dtype="float32")),
    ("gramian", RELU),
    ("example_gramian", RELU),
    ("example_gramian", replace(RELU, dtype="float32")),
    ("cotangents", NARROW),
    ("input_jacobian", NARROW),
    ("sweep", RELU),
    ("paths", replace(RELU, batch=1)),
)


def pairs() -> list[tuple[Contestant, Task, Problem]]:
    return [
        (contestant, task, problem)
        for task, problem in CASES
        for contestant in contestants(Case(task, task, task, problem))[0]
        if contestant.prepare(problem).numbers is not None  # only gradient sweeps have numbers
    ]


@pytest.mark.parametrize(
    ("contestant", "task", "problem"),
    [pytest.param(*each, id=f"{each[1]}-{each[0].name}-{each[2].dtype}") for each in pairs()],
)
def test_contestant_agrees_with_the_formula_by_hand(contestant, task, problem):
    expected = next(each for each in BY_HAND if each.task == task).prepare(problem)
    call = contestant.prepare(problem)
    difference = deviation(call.numbers(call.once()), expected.numbers(expected.once()))
    assert difference <= TOLERANCE[problem.dtype]


def test_a_contestant_can_be_called_again():
    for contestant, _, problem in pairs():
        call = contestant.prepare(problem)
        first, second = call.numbers(call.once()), call.numbers(call.once())
        assert deviation(second, first) <= TOLERANCE[problem.dtype], contestant.name


def test_the_formula_by_hand_agrees_with_finite_differences():
    data, step = TINY.data(), 1e-6
    call = next(each for each in BY_HAND if each.task == "gradients").prepare(TINY)
    found = call.numbers(call.once())["W1"]

    def costs(shift: float) -> np.ndarray:
        activation = data.x
        for layer in TINY.layers:
            weights = data.parameters[f"W{layer}"].copy()
            if layer == 1:
                weights[2, 1] += shift
            activation = 1 / (1 + np.exp(-activation @ weights.T))
        return ((activation - data.y) ** 2).sum(axis=0)

    assert found[:, 2, 1] == pytest.approx((costs(step) - costs(-step)) / (2 * step), rel=1e-6)


def test_examples_keep_away_from_the_kink():
    data = RELU.data()
    assert data.x.shape == (4, 6)
    assert (np.abs(data.x @ data.parameters["W1"].T + data.parameters["b1"]) > 1e-5).all()


@pytest.mark.parametrize("found", [{}, {"a": np.zeros(2)}, {"a": np.full(3, np.nan)}, {"b": np.ones(3)}])
def test_other_names_shapes_and_nan_never_agree(found):
    assert deviation(found, {"a": np.ones(3)}) == float("inf")
