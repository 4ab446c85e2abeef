"""Turns a case module (spec, params, data, loss, buggy_gradients) into calls of the public API."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import whygrad as wg
from whygrad.diagnosis import Diagnosis, diagnose, diagnose_functions

CASES = Path(__file__).parents[3] / "shared" / "cases" / "gradients"

ACTIVATION = {"linear": "identity", "leaky": "leaky_relu"}
COST = {
    "half_mse": "half_squared_error",
    "mse": "squared_error",
    "ce": "cross_entropy",
    "bce": "binary_cross_entropy",
    "mae": "absolute_error",
}


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def activation(name: str) -> str:
    head, bracket, rest = name.partition("(")
    return ACTIVATION.get(head, head) + bracket + rest


def run_of(case: Any) -> tuple[wg.Run, dict[str, Any]]:
    """Returns the run of a layered case, and the conventions that its spec declares."""
    spec, params, (x, y) = case.spec, case.params(), case.data()
    columns = spec["batch"]["axis"] == 1
    to_from = columns or "(out, in)" in spec["weights"]
    parameters = {}
    for name, value in params.items():
        parameters[name] = value.ravel() if name[0] == "b" else value if to_from else value.T
    examples = spec["batch"]["size"]
    regular = spec.get("regularisation")
    l2 = 0.0
    if regular:
        l2 = 2 * regular["factor"] * regular["lam"] / (examples if regular.get("per_sample") else 1)
    net = wg.Network(
        spec["layers"],
        activation=[activation(name) for name in spec["activations"]],
        bias=bool(spec["bias"]),
        cost=COST[spec["loss"]],
        parameters=parameters,
        l2=l2,
        reduction=spec["batch"]["reduction"],
    )
    declared: dict[str, Any] = {"layout": "to-from" if to_from else "from-to", "cost": case.loss()}
    if "gradient_reduction" in spec:
        declared["reduction"] = spec["gradient_reduction"]
    if "learning_rate" in spec:
        declared["learning_rate"] = spec["learning_rate"]
    return net.run(x.T if columns else x, y.T if columns else y), declared


def diagnosis_of(case: Any) -> Diagnosis:
    if case.spec["kind"] != "mlp":
        return diagnose_functions(
            lambda p, *_: case.loss(p), lambda p, *_: case.buggy_gradients(p), case.params(), case.data()
        )
    run, declared = run_of(case)
    assert np.isclose(run.total, case.loss(), rtol=1e-9)
    return diagnose(run, case.buggy_gradients(), **declared)
