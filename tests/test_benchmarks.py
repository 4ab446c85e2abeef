"""Every contestant that is installed returns the same numbers; on small networks, and never timed."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.agreement import TOLERANCE, deviation
from benchmarks.measure import Rounds
from benchmarks.models import BACKWARD, MODELS, ONCE
from benchmarks.peers import Contestant, contestants
from benchmarks.peers.numpy_by_hand import CONTESTANTS as BY_HAND
from benchmarks.records import GoalResult, GroupResult, Row, Table
from benchmarks.report import markdown, remarks_of
from benchmarks.worker import _judge, prepare
from benchmarks.workloads import Case, Goal, ModelProblem, Problem, Task

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


MODEL_CASES: tuple[tuple[Task, ModelProblem], ...] = (
    ("model_gradients", ModelProblem("conv", "outputs", 2, "float64")),
    ("model_gradients", ModelProblem("transformer", "losses", 2, "float64")),
    ("model_gramian", ModelProblem("transformer", "losses", 2, "float64")),
    ("model_example_gramian", ModelProblem("conv", "examples", 3)),
    ("model_example_gramian", ModelProblem("mlp", "examples", 3)),
    ("model_recording", ModelProblem("tiny", "total", 4)),
    ("model_recording", ModelProblem("transformer", "total", 2)),
    ("model_sweep", ModelProblem("tiny", "total", 4)),
)


@pytest.mark.parametrize(
    ("task", "problem"),
    [pytest.param(*each, id=f"{each[0]}-{each[1].model}") for each in MODEL_CASES],
)
def test_everybody_has_the_same_numbers_of_a_recorded_model(task, problem):
    pytest.importorskip("torch")
    reference = {"model_recording": ONCE, "model_sweep": BACKWARD}.get(task, "whygrad")
    case = Case(task, task, task, problem, reference=(reference,))
    found, _ = contestants(case)
    calls, table = prepare(case, found)
    assert table.reference == reference
    assert len(calls) > 1
    # ASDL's factored kernel leaves out, at a convolution, the products of different positions
    left_out = [row for row in table.rows if row.note and (row.name, problem.model) != ("ASDL", "conv")]
    assert left_out == []
    measured = [row for row in table.rows if row.name in calls and row.deviation is not None]
    assert len(measured) > 1
    assert max(row.deviation for row in measured) <= TOLERANCE[problem.dtype]


def test_goals_of_memory_are_held_against_the_most_sparing_peer():
    goal = Goal("a tenth", 0.1, "memory", ("a", "b"))
    table = Table("case", "title", "whygrad", [Row("whygrad", 1.0, mebibytes=4.0)])
    table.rows += [Row("a", 1.0, mebibytes=80.0), Row("b", 1.0, mebibytes=50.0)]
    judged = _judge(goal, table, Rounds())
    assert (judged.text, judged.value, judged.verdict) == ("a tenth: whygrad / b", 0.08, "met")


def test_goals_name_contestants_that_there_are():
    pytest.importorskip("torch")
    for case in (case for group in MODELS for case in group.cases):
        names = {each.name for each in contestants(replace(case, only=None))[0]}
        for goal in case.goals:
            assert goal.variant in names
            if goal.against in [(ONCE,), (BACKWARD,)] or any(
                name.startswith("torch K") for name in goal.against
            ):
                assert set(goal.against) <= names, case.name


def test_the_page_has_every_table_with_its_goals():
    rows = [Row("whygrad", 0.002, 0.1, 1.0, 0.0), Row("peer", note="not timed: differs")]
    table = Table(
        "case", "A case", "whygrad", rows, [GoalResult("goal: whygrad / peer", 0.1, "memory", 0.2)], 5
    )
    page = markdown([GroupResult("models", "Models", "2026-01-01", 1, {}, {}, tables=[table])], "A remark.")
    assert "| whygrad | 2.00 | 10% | 1 | 0e+00 |  |" in page
    assert "| goal: whygrad / peer | 0.1 | 0.2 | missed |" in page
    assert remarks_of(page) == "A remark."
