"""Backward functions that are run on parts of the batch: what goes wrong where examples are joined."""

from typing import Any

import numpy as np
import pytest

from whygrad.diagnosis import Diagnosis, diagnose_functions
from whygrad.diagnosis.parts import ALIKE, COUPLED, ELSEWHERE, JOINED, UNREADABLE

Array = Any
G = np.random.default_rng(4)
PARAMS = {"V": G.normal(size=(3, 4)), "u": G.normal(size=4)}


def batch(many: int) -> tuple[Array, Array]:
    generator = np.random.default_rng(many)
    return generator.normal(size=(many, 3)), generator.normal(size=many)


def cost(p: Any, x: Array, y: Array) -> Any:
    return np.mean((np.tanh(x @ p["V"]) @ p["u"] - y) ** 2)


def backward(how: str = "right", block: int = 1, slope: bool = True) -> Any:
    """Returns a backward function that goes through the batch in blocks, with a mistake in how it joins them."""

    def gradients(p: Any, x: Array, y: Array) -> Any:
        total = {name: np.zeros_like(value) for name, value in p.items()}
        m = len(x)
        for start in range(0, m, block):
            rows, targets = x[start : start + block], y[start : start + block]
            z = rows @ p["V"]
            d = 2 * (np.tanh(z) @ p["u"] - targets) / (1 if how == "missing" else m)
            back = np.outer(d, p["u"]) * (1 - np.tanh(z) ** 2 if slope else 1)
            for name, made in (("V", rows.T @ back), ("u", np.tanh(z).T @ d)):
                total[name] = made if how == "last" else total[name] + made
        return {name: value / m for name, value in total.items()} if how == "twice" else total

    return gradients


def found(function: Any, many: int = 4, **declared: Any) -> Diagnosis:
    return diagnose_functions(cost, function, PARAMS, batch(many), **declared)


@pytest.mark.parametrize("many", [2, 5, 40])
def test_right_ones_have_no_finding(many: int) -> None:
    made = found(backward(), many)
    assert made.right
    assert made.notes == ()
    assert made.unseen == ()


@pytest.mark.parametrize("many", [2, 5, 30, 40])
@pytest.mark.parametrize(
    ("how", "code"),
    [("last", "last_sample_only"), ("twice", "batch_mean_twice"), ("missing", "batch_mean_missing")],
)
def test_mistakes_in_joining(how: str, code: str, many: int) -> None:
    made = found(backward(how), many)
    assert made.codes == (code,)
    assert JOINED in made.notes
    assert all(finding.instead_of == () for finding in made.findings)


@pytest.mark.parametrize("many", [5, 7])
def test_blocks_that_are_overwritten(many: int) -> None:
    made = found(backward("last", block=3), many)
    assert made.codes == (("last_sample_only",) if many == 7 else ("gradients_overwritten",))
    assert JOINED in made.notes


def test_a_mistake_in_each_example_and_one_in_joining() -> None:
    made = found(backward("last", slope=False), 5)
    assert set(made.codes) == {"last_sample_only", "hidden_slope_missing"}
    assert all(finding.exact for finding in made.findings)
    assert JOINED not in made.notes


def test_a_mistake_in_each_example_alone() -> None:
    made = found(backward(slope=False))
    assert made.codes == ("hidden_slope_missing",)
    assert JOINED not in made.notes


def test_unknown_mistakes_in_joining_get_no_name() -> None:
    right = backward()

    def odd(p: Any, x: Array, y: Array) -> Any:
        weights = np.cos(np.arange(len(x)) * 1.3)
        parts = [right(p, x[n : n + 1], y[n : n + 1]) for n in range(len(x))]
        return {name: sum(w * part[name] for w, part in zip(weights, parts, strict=True)) for name in p}

    made = found(odd)
    assert made.codes == ()
    assert not made.right
    assert JOINED in made.notes


def test_declared_sums() -> None:
    right = backward("missing")
    assert not found(right).right
    made = found(right, reduction="sum")
    assert made.right
    assert made.notes == ()
    assert found(lambda *a: {n: -g for n, g in right(*a).items()}, reduction="sum", sign="descent").right


def test_examples_in_columns() -> None:
    x, y = batch(5)

    def columns(p: Any, x: Array, y: Array) -> Any:
        return cost(p, x.T, y[0])

    for how in ("right", "last"):
        function = backward(how)
        made = diagnose_functions(
            columns, lambda p, x, y, f=function: f(p, x.T, y[0]), PARAMS, (x.T, y[None])
        )
        assert made.right == (how == "right")
        assert (JOINED in made.notes) == (how == "last")
        assert made.codes == (() if how == "right" else ("last_sample_only",))


# What must not be called wrong


def normed(p: Any, x: Array, y: Array) -> Any:
    z = x @ p["V"]
    return np.sum(((z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + 1e-5) @ p["u"] - y) ** 2)


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_batch_norm_is_not_compared(scale: float) -> None:
    def gradients(p: Any, x: Array, y: Array) -> Any:
        z = x @ p["V"]
        deviation = np.sqrt(z.var(axis=0) + 1e-5)
        hat = (z - z.mean(axis=0)) / deviation
        d = 2 * (hat @ p["u"] - y)
        back = np.outer(d, p["u"])
        dz = (back - back.mean(axis=0) - hat * (back * hat).mean(axis=0)) / deviation
        return {"V": x.T @ dz * scale, "u": hat.T @ d}

    made = diagnose_functions(normed, gradients, PARAMS, batch(6))
    assert made.right == (scale == 1)
    assert made.codes == (() if scale == 1 else ("stray_factor",))
    assert COUPLED in made.unseen
    assert JOINED not in made.notes


def test_functions_that_do_not_read_their_data() -> None:
    x, y = batch(4)
    made = diagnose_functions(lambda p, *_: cost(p, x, y), lambda p, *_: backward()(p, x, y), PARAMS, (x, y))
    assert made.right
    assert ALIKE in made.unseen
    made = diagnose_functions(cost, lambda p, *_: backward()(p, x, y), PARAMS, (x, y))
    assert made.right
    assert made.notes == (ELSEWHERE,)


def test_functions_that_fail_on_parts() -> None:
    right = backward()

    def four_only(p: Any, x: Array, y: Array) -> Any:
        return right(p, x.reshape(4, 3), y)

    made = found(four_only)
    assert made.right
    assert "fails on parts of the batch: ValueError" in made.notes[0]
    made = diagnose_functions(lambda p, x, y: cost(p, x.reshape(4, 3), y), right, PARAMS, batch(4))
    assert made.right
    assert made.unseen == (UNREADABLE,)


def test_other_shapes_for_one_example() -> None:
    right = backward()

    def squeezed(p: Any, x: Array, y: Array) -> Any:
        made = right(p, x, y)
        return made if len(x) > 1 else {"V": made["V"].ravel(), "u": made["u"]}

    made = found(squeezed)
    assert made.right
    assert made.notes == ("The backward function returns other shapes for a single example.",)


def test_a_number_of_examples_that_is_written_in() -> None:
    right = backward("missing")
    made = found(lambda *a: {name: value / 4 for name, value in right(*a).items()})
    assert made.right
    assert "a number of examples may be written into" in made.notes[0]


def test_data_that_a_function_changes() -> None:
    def changing(p: Any, x: Array, y: Array) -> Any:
        made = backward()(p, x, y)
        if len(x) < 4:
            x += 1
            p["V"] += 1
        return made

    assert found(changing).right


# State that shows on parts only


@pytest.mark.parametrize("adds", [True, False])
def test_state_that_parts_leave_behind(adds: bool) -> None:
    right, kept = backward(), {}

    def gradients(p: Any, x: Array, y: Array) -> Any:
        made = right(p, x, y)
        if len(x) < 4:
            kept["left"] = made
        elif "left" in kept:
            return {name: made[name] + kept["left"][name] if adds else 3 * made[name] for name in made}
        return made

    made = found(gradients)
    assert not made.right
    assert made.codes == (("gradients_not_zeroed",) if adds else ())
    assert "after calls on parts of the batch" in made.findings[0].says


# Regularised costs


@pytest.mark.parametrize("how", ["sum", "mean", "by the examples"])
@pytest.mark.parametrize("last", [True, False])
def test_regularised_costs_are_compared_on_parts(how: str, last: bool) -> None:
    def share(x: Array) -> float:
        return 1.0 if how == "sum" else 1 / len(x)

    def regularised(p: Any, x: Array, y: Array) -> Any:
        penalty = 0.3 * (np.sum(p["V"] ** 2) + np.sum(p["u"] ** 2))
        data = np.sum((np.sin(x @ p["V"]) @ p["u"] - y) ** 2)
        return (data + penalty) / len(x) if how == "by the examples" else data * share(x) + penalty

    def gradients(p: Any, x: Array, y: Array) -> Any:
        made = {name: np.zeros_like(value) for name, value in p.items()}
        for one, target in zip(x, y, strict=True):
            hidden = np.sin(one @ p["V"])
            d = 2 * (hidden @ p["u"] - target)
            new = {"u": hidden * d, "V": np.outer(one, d * p["u"] * np.cos(one @ p["V"]))}
            made = new if last else {name: made[name] + new[name] for name in made}
        strength = 0.6 / len(x) if how == "by the examples" else 0.6
        return {name: share(x) * made[name] + strength * p[name] for name in made}

    found = diagnose_functions(regularised, gradients, PARAMS, batch(6))
    assert found.right != last
    assert found.unseen == ()
    if last:
        assert found.codes == ("last_sample_only",)
        assert JOINED in found.notes
