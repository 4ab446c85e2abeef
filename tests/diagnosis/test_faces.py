"""Everything that gradients may be handed in as, the conventions that may be declared, and how it is shown."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import whygrad as wg
from whygrad.cli import app
from whygrad.diagnosis import assert_gradients, diagnose, diagnose_functions
from whygrad.diagnosis.page import page
from whygrad.diagnosis.setting import Setting
from whygrad.errors import NotSupportedError, ShapeError

PAGE = Path(__file__).parents[2] / "docs" / "mistakes.md"
SIZES = [3, 4, 2]


@pytest.fixture
def run() -> wg.Run:
    generator = np.random.default_rng(0)
    net = wg.Network(
        SIZES, activation=["tanh", "sigmoid"], bias=True, cost="half_squared_error", reduction="mean", l2=0.1
    )
    return net.run(generator.normal(size=(5, 3)), generator.uniform(size=(5, 2)))


@pytest.fixture
def right(run: wg.Run) -> dict[str, Any]:
    return {name: array.copy() for name, array in run.gradients().total.items()}


def test_the_setting_has_the_networks_gradients(run: wg.Run, right: dict[str, Any]) -> None:
    for name, array in Setting(run).gradients.items():
        np.testing.assert_allclose(array, right[name], rtol=1e-12)


@pytest.mark.parametrize("cost", ["squared_error", "cross_entropy", "absolute_error"])
@pytest.mark.parametrize("activation", ["softmax", "gelu", "elu", "leaky_relu(0.2)", "softplus", "silu"])
def test_the_engines_gradients_are_right(cost: str, activation: str) -> None:
    generator = np.random.default_rng(1)
    last = "softmax" if cost == "cross_entropy" else activation
    net = wg.Network([3, 4, 3], activation=[activation, last], bias=True, cost=cost)
    made = net.run(generator.normal(size=(5, 3)), np.eye(3)[generator.integers(3, size=5)])
    assert made.diagnose(made.gradients().total).right


# What is handed in


def test_lists_and_other_names(run: wg.Run, right: dict[str, Any]) -> None:
    assert diagnose(run, {f"d{name}": array.tolist() for name, array in right.items()}).right


def test_tensors(run: wg.Run, right: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    assert diagnose(
        run, {name: torch.tensor(array, requires_grad=True) for name, array in right.items()}
    ).right
    assert diagnose(
        run, {name: torch.tensor(array).to(torch.bfloat16) for name, array in right.items()}
    ).right


def test_files(run: wg.Run, right: dict[str, Any], tmp_path: Path) -> None:
    np.savez(tmp_path / "g.npz", **right)
    assert diagnose(run, tmp_path / "g.npz").right
    from safetensors.numpy import save_file

    save_file(right, tmp_path / "g.safetensors")
    assert diagnose(run, str(tmp_path / "g.safetensors")).right


def test_layouts(run: wg.Run, right: dict[str, Any]) -> None:
    turned = {name: array.T if name[0] == "W" else array[:, None] for name, array in right.items()}
    assert diagnose(run, turned, layout="from-to").right
    assert not diagnose(run, turned).right
    pairs = {n: (right[f"W{n}"], right[f"b{n}"][:, None]) for n in (1, 2)}
    after = {f"W{n}": np.hstack([W, b]) for n, (W, b) in pairs.items()}
    before = {f"W{n}": np.hstack([b, W]) for n, (W, b) in pairs.items()}
    assert diagnose(run, after, layout="to-from+bias").right
    assert diagnose(run, before, layout="bias+to-from").right
    assert diagnose(run, {name: array.T for name, array in after.items()}, layout="from-to+bias").right
    assert diagnose(run, {name: array.T for name, array in before.items()}, layout="bias+from-to").right


def test_what_is_left_out_is_not_judged(run: wg.Run, right: dict[str, Any]) -> None:
    found = diagnose(run, {"W1": right["W1"]})
    assert found.right
    assert list(found.parameters) == ["W1"]
    assert found.notes == ("Not handed in, so not judged: b1, W2, b2.",)
    assert diagnose(run, {"b2": -right["b2"]}).codes == ("sign_flipped",)
    assert not diagnose(run, {"b1": right["b1"] + np.arange(4.0) ** 2}).right


@pytest.mark.parametrize(
    ("given", "options", "words"),
    [
        ({"W7": np.zeros((2, 2))}, {}, "expected W1, b1, W2, b2, found 'W7'"),
        ({}, {}, "found none"),
        ([1, 2], {}, "expected a mapping"),
        ({"W1": [[1, 2], [3]]}, {}, "W1: expected a rectangle"),
        ({"W1": np.array([["a"]])}, {}, "W1: expected real numbers"),
        ({"W1": np.zeros((4, 3))}, {"learning_rate": 0}, "other than 0"),
        ({"W1": np.zeros((4, 3))}, {"cost": "much"}, "cost: expected a number"),
        ({"W1": np.zeros((4, 3))}, {"layout": "to-from+bias"}, r"expected the shape \(4, 4\)"),
    ],
)
def test_bad_input(run: wg.Run, given: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ShapeError, match=words):
        diagnose(run, given, **options)


@pytest.mark.parametrize("option", ["layout", "reduction", "sign"])
def test_unknown_conventions(run: wg.Run, right: dict[str, Any], option: str) -> None:
    with pytest.raises(NotSupportedError, match=f"{option}: expected .*found 'odd'"):
        diagnose(run, right, **{option: "odd"})


# Shapes and values


def test_shapes_that_do_not_fit(run: wg.Run, right: dict[str, Any]) -> None:
    found = diagnose(run, right | {"W1": right["W1"].T, "b2": np.array(right["b2"].sum())})
    assert set(found.codes) == {"weight_gradient_transposed", "bias_sum_over_units"}
    assert "say layout='from-to'" in found.findings[0].says
    assert found.parameters["W1"].wrong is None
    json.dumps(found.to_json(), allow_nan=False)


def test_numbers_that_are_none(run: wg.Run, right: dict[str, Any]) -> None:
    right["W2"][1, 3] = np.nan
    found = diagnose(run, right)
    assert found.codes == ()
    assert "no finite numbers, the first at [1, 3]" in found.findings[0].says
    assert found.parameters["W2"].wrong.sum() == 1
    json.dumps(found.to_json(), allow_nan=False)


def test_the_mask_shows_the_entries(run: wg.Run, right: dict[str, Any]) -> None:
    right["W1"][2, 0] += 0.5
    found = diagnose(run, right)
    np.testing.assert_array_equal(np.argwhere(found.parameters["W1"].wrong), [[2, 0]])
    assert "only the entry [2, 0] differs: 0.57" in found.findings[0].says
    right["W1"][2] += 0.5
    assert "only row 2 differs (the weights into this neuron)" in diagnose(run, right).findings[0].says


# Conventions


def test_conventions(run: wg.Run, right: dict[str, Any]) -> None:
    assert diagnose(run, {n: 5 * g for n, g in right.items()}, reduction="sum").right
    assert diagnose(run, {n: -g for n, g in right.items()}, sign="descent").right
    assert diagnose(run, {n: -0.1 * g for n, g in right.items()}, sign="descent", learning_rate=0.1).right
    assert diagnose(run, right, learning_rate=0.1).right
    assert not diagnose(run, right, reduction="sum").right


def test_the_persons_own_cost(run: wg.Run, right: dict[str, Any]) -> None:
    data = run.total - float(run.costs[-1])
    doubled = {
        n: 2 * (g - 0.1 * run.network.parameters[n]) if n[0] == "W" else 2 * g for n, g in right.items()
    }
    found = diagnose(run, doubled, cost=2 * data)
    assert found.right
    assert "Your cost" in found.notes[0]
    assert not diagnose(run, doubled).right
    assert "forward passes" in diagnose(run, right, cost=17.0).notes[0]


def test_assert_gradients(run: wg.Run, right: dict[str, Any]) -> None:
    assert_gradients(run.network, run.x, run.y, right)
    with pytest.raises(AssertionError, match=r"b1 is wrong[\s\S]*sign_flipped"):
        assert_gradients(run.network, run.x, run.y, right | {"b1": -right["b1"]})


def test_what_an_input_cannot_show() -> None:
    net = wg.Network([2, 2, 1], activation="relu", bias=True, parameters={
        "W1": [[1.0, 0.5], [0.5, 1.0]], "b1": [9.0, 9.0], "W2": [[0.0, 0.0]], "b2": [1.0]})  # fmt: skip
    said = " ".join(net.run([0.1, 0.2], [0.0]).diagnose(net.run([0.1, 0.2], [0.0]).gradients().total).unseen)
    for words in ("One example", "One output", "symmetric", "All units of layer 1", "W2 is all zeros"):
        assert words in said


# Functions


def test_buffers_that_are_not_cleared() -> None:
    kept = np.zeros(2)

    def cost(p: Any, x: Any, y: Any) -> Any:
        return np.sum((x @ p["w"] - y) ** 2)

    def backward(p: Any, x: Any, y: Any) -> Any:
        kept[:] = kept + 2 * x.T @ (x @ p["w"] - y)
        return {"w": kept}

    x, y = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.5]]), np.array([1.0, 0.0, 2.0])
    found = wg.diagnose(cost, backward, {"w": np.array([0.3, -0.2])}, (x, y))
    assert found.codes == ("gradients_not_zeroed",)
    assert not found.right


def test_the_last_example_alone() -> None:
    def cost(p: Any, x: Any, y: Any) -> Any:
        return np.sum((x @ p["w"] + p["b"] - y) ** 2)

    def backward(p: Any, x: Any, y: Any) -> Any:
        for row, target in zip(x, y, strict=True):
            d = 2 * (row @ p["w"] + p["b"] - target)
            g = {"w": d * row, "b": d}
        return g

    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(3, 4)), generator.normal(size=3)
    params = {"w": generator.normal(size=4), "b": np.array(0.1)}
    assert diagnose_functions(cost, backward, params, (x, y)).codes == ("last_sample_only",)


def test_functions_that_cannot_be_written_down() -> None:
    def cost(p: Any) -> Any:
        return float(sum(float(number) ** 2 for number in p["w"]))

    params = {"w": np.array([1.0, 2.0])}
    assert diagnose_functions(cost, lambda p: {"w": 2 * p["w"]}, params).right
    assert diagnose_functions(cost, lambda p: {"w": p["w"]}, params | {"w": np.array([1.0, 2.0, 3.0])}).codes
    with pytest.raises(ShapeError, match="expected gradients of w, found v"):
        diagnose_functions(cost, lambda p: {"v": p["w"]}, params)
    with pytest.raises(ShapeError, match="expected a mapping of gradients"):
        diagnose_functions(cost, lambda p: p["w"], params)


def test_numpy_is_as_it_was_afterwards() -> None:
    zeros = np.zeros

    def cost(p: Any) -> Any:
        out = np.zeros(2)
        out[0] = p["w"][1] * 2
        return np.sum(out)

    assert diagnose_functions(cost, lambda p: {"w": np.array([0.0, 2.0])}, {"w": np.array([1.0, 2.0])}).right
    assert np.zeros is zeros


# Looks


def test_text(run: wg.Run, right: dict[str, Any]) -> None:
    found = diagnose(run, right | {"W1": 3 * right["W1"]})
    plain = found.to_text(width=80, unicode=False)
    assert plain.startswith("W1 is wrong; b1, W2 and b2 are right.\n")
    assert plain.isascii()
    assert max(map(len, plain.splitlines())) <= 80
    assert "W1: all 12 wrong" in plain
    assert "##" in plain
    assert "mend: leave the factor out" in plain
    assert str(found) == found.to_text()
    assert diagnose(run, right).says == "All 4 gradients are right."


def test_html(run: wg.Run, right: dict[str, Any]) -> None:
    made = diagnose(run, right | {"W1": 3 * right["W1"]}).to_html()
    assert made.count("<rect") == 1 + 12
    assert "<code>stray_factor</code>" in made
    assert "<script" not in made


def test_json(run: wg.Run, right: dict[str, Any]) -> None:
    made = diagnose(run, right | {"W1": 3 * right["W1"]}).to_json()
    assert {"right", "findings"} <= set(made)
    assert {"parameter", "mistake", "says", "fix", "match"} <= set(made["findings"][0])
    json.dumps(made, allow_nan=False)


def test_the_page_is_made_from_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


def test_the_command(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    net_run = wg.Network.default().run()
    gradients = net_run.gradients().total
    np.savez(tmp_path / "right.npz", **gradients)
    np.savez(tmp_path / "wrong.npz", **(gradients | {"W2": -gradients["W2"]}))
    runner = CliRunner()
    assert runner.invoke(app, ["diagnose", str(tmp_path / "right.npz")]).exit_code == 0
    wrong = runner.invoke(app, ["diagnose", str(tmp_path / "wrong.npz")])
    assert wrong.exit_code == 1
    assert "sign_flipped" in wrong.stdout
    as_json = runner.invoke(app, ["diagnose", str(tmp_path / "wrong.npz"), "--format", "json"])
    assert json.loads(as_json.stdout)["findings"][0]["mistake"] == "sign_flipped"
    assert runner.invoke(app, ["diagnose", str(tmp_path / "right.npz"), "--format", "odd"]).exit_code == 2


# Ways to write it


def _course_notes(p: dict[str, Any], x: Any, y: Any) -> tuple[Any, Any]:
    hidden = np.tanh(x.dot(p["theta0"]) + p["c0"])
    scores = np.exp(hidden.dot(p["theta1"]) + p["c1"])
    return hidden, scores / np.sum(scores, axis=1, keepdims=True)


@pytest.mark.parametrize("mistaken", [False, True])
def test_the_method_dot_and_other_names(mistaken: bool) -> None:
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(6, 3)), np.eye(2)[generator.integers(2, size=6)]
    params = {
        "theta0": generator.normal(size=(3, 4)),
        "c0": np.zeros((1, 4)),
        "theta1": generator.normal(size=(4, 2)),
        "c1": np.zeros((1, 2)),
    }

    def cost(p: Any, x: Any, y: Any) -> Any:
        return -np.sum(y * np.log(_course_notes(p, x, y)[1])) / len(x)

    def gradients(p: Any, x: Any, y: Any) -> Any:
        hidden, out = _course_notes(p, x, y)
        d = (out - y) / len(x)
        back = d.dot(p["theta1"].T) * (1 if mistaken else 1 - np.power(hidden, 2))
        return {
            "theta0": x.T.dot(back),
            "c0": back.sum(axis=0),
            "theta1": hidden.T.dot(d),
            "c1": d.sum(axis=0, keepdims=True),
        }

    found = diagnose_functions(cost, gradients, params, (x, y))
    assert found.right == (not mistaken)
    assert found.codes == (("hidden_slope_missing",) if mistaken else ())
    if mistaken:
        assert found.findings[0].parameters == ("theta0", "c0")
        assert "W1" not in found.to_text()


def test_learning_rates_of_functions() -> None:
    def cost(p: Any) -> Any:
        return np.sum(np.exp(p["w"]) * np.array([1.0, 2.0]))

    def step(p: Any) -> Any:
        return {"w": -0.1 * np.exp(p["w"]) * np.array([1.0, 2.0])}

    params = {"w": np.array([0.3, -0.2])}
    assert diagnose_functions(cost, step, params, sign="descent", learning_rate=0.1).right
    assert not diagnose_functions(cost, step, params, sign="descent").right


def test_outputs_that_meet_their_targets(run: wg.Run, right: dict[str, Any]) -> None:
    net = wg.Network([3, 4, 2], activation=["tanh", "identity"], cost="half_squared_error", seed=1)
    x = np.random.default_rng(0).normal(size=(5, 3))
    y = np.tanh(x @ net.parameters["W1"].T) @ net.parameters["W2"].T
    rounding = {name: np.full(value.shape, 1e-16) for name, value in net.parameters.items()}
    found = diagnose(net.run(x, y), rounding)
    assert found.right
    assert any("0 here" in sentence for sentence in found.unseen)


@pytest.mark.parametrize("slope", [0.0, 0.3, 1.0])
def test_any_slope_at_a_kink(slope: float) -> None:
    W1, W2 = np.array([[1.0, 1.0], [1.0, -1.0]]), np.array([[1.0, 2.0]])
    net = wg.Network(
        [2, 2, 1], activation=["relu", "identity"], cost="half_squared_error", parameters={"W1": W1, "W2": W2}
    )
    x, y = np.array([[1.0, 1.0], [2.0, -1.0], [1.0, 3.0]]), np.zeros((3, 1))
    z = x @ W1.T
    a = np.maximum(z, 0)
    back = (a @ W2.T) @ W2 * np.where(z > 0, 1, np.where(z == 0, slope, 0))
    mine = {"W2": (a @ W2.T).T @ a, "W1": back.T @ x}
    found = diagnose(net.run(x, y), mine)
    assert found.right
    assert bool(found.notes) == (slope > 0)
    assert not diagnose(net.run(x, y), mine | {"W1": 2 * mine["W1"]}).right


@pytest.mark.parametrize("beside", [1e-5, 1e-6, -1e-5])
def test_functions_just_beside_a_kink(beside: float) -> None:
    """Differences of the cost reach over the kink, where the tape's gradients are checked: they aren't the truth."""

    def cost(p: Any, x: Any, y: Any) -> Any:
        h = np.maximum(0, x @ p["W1"].T)
        return ((np.sin(h @ p["W2"].T) * h.sum(1)[:, None] - y) ** 2).sum()

    def backward(p: Any, x: Any, y: Any) -> Any:
        z = x @ p["W1"].T
        h = np.maximum(0, z)
        o, s = h @ p["W2"].T, h.sum(1)[:, None]
        e = 2 * (np.sin(o) * s - y)
        d = e * np.cos(o) * s
        back = d @ p["W2"] + (e * np.sin(o)).sum(1)[:, None]
        return {"W2": d.T @ h, "W1": (back * (z > 0)).T @ x}

    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(5, 3)), generator.normal(size=(5, 2))
    W1, W2 = generator.normal(size=(4, 3)), generator.normal(size=(2, 4))
    W1[0] -= x[0] * ((W1[0] @ x[0] - beside) / (x[0] @ x[0]))
    found = diagnose_functions(cost, backward, {"W1": W1, "W2": W2}, (x, y))
    assert found.right
    assert not found.notes


def test_groups_of_mistakes_with_the_same_numbers() -> None:
    net = wg.Network([2, 3, 2], activation=["relu", "identity"], cost="half_squared_error", seed=3)
    x, y = np.random.default_rng(2).normal(size=(6, 2)), np.zeros((6, 2))
    a = np.maximum(x @ net.parameters["W1"].T, 0)
    d = a @ net.parameters["W2"].T
    found = diagnose(net.run(x, y), {"W2": d.T @ a, "W1": (d @ net.parameters["W2"]).T @ x})
    assert [[one.mistake for one in group] for group in found.groups] == [
        ["hidden_slope_missing", "relu_mask_all_ones"]
    ]
    assert "hidden_slope_missing or relu_mask_all_ones" in found.to_text()
    assert "These 2 mistakes give the same numbers here:" in found.to_html()
