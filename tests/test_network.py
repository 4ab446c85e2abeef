"""Layered networks: what is checked when they are made, and that they are never changed afterwards."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import whygrad as wg
from whygrad.arguments import numbers


def test_the_network_of_the_question() -> None:
    net = wg.Network.default()
    assert net.layered.sizes == (2, 3, 3, 2)
    assert list(net.parameters) == ["W1", "W2", "W3"]
    assert repr(net) == "Network(2-3-3-2, identity, no bias, squared_error)"
    assert net.run().examples == 1


def test_shapes_have_rows_where_weights_go_to() -> None:
    net = wg.Network([2, 4, 3], bias=True)
    shapes = {name: v.shape for name, v in net.parameters.items()}
    assert shapes == {"W1": (4, 2), "b1": (4,), "W2": (3, 4), "b2": (3,)}


def test_seeds_draw_with_the_variance_of_a_layer() -> None:
    a, b, c = (wg.Network([400, 100], seed=seed).parameters["W1"] for seed in (3, 3, 4))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)
    assert a.std() == pytest.approx(400**-0.5, rel=0.02)


def test_parameters_are_copies_that_cant_be_written() -> None:
    given_W = np.ones((1, 2))
    net = wg.Network([2, 1], parameters={"W1": given_W})
    given_W[0, 0] = 7
    assert net.parameters["W1"][0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        net.parameters["W1"][0, 0] = 3
    with pytest.raises(TypeError):
        net.parameters["W1"] = given_W


def test_biases_where_the_parameters_have_them() -> None:
    assert wg.Network([1, 1], parameters={"W1": [[1]], "b1": [0]}).layered.bias
    assert not wg.Network([1, 1], parameters={"W1": [[1]]}).layered.bias
    assert not wg.Network([1, 1]).layered.bias


@pytest.mark.parametrize("slope", [0.123456789012345, 1e-300, -2.5, 0.0, 1 / 3])
def test_changing_one_thing_keeps_all_others(slope: float) -> None:
    net = wg.Network(
        [2, 3, 2],
        [f"leaky_relu({slope!r})", "elu(alpha=0.1)"],
        True,
        "half_squared_error",
        seed=5,
        l2=0.1,
        reduction="mean",
        names={"w_5": "w^0_{0,1}"},
        notation="nielsen",
        x=[[1, 2]],
        y=[[3, 4]],
    )
    changed = net.with_parameters(b1=[1, 2, 3])
    assert changed.layered == net.layered
    assert changed.layered.activations[0].settings == (("slope", slope),)
    np.testing.assert_array_equal(changed.parameters["b1"], [1, 2, 3])
    np.testing.assert_array_equal(changed.parameters["W2"], net.parameters["W2"])
    assert (changed.notation.name, changed.names) == ("nielsen", {"w_5": "w^0_{0,1}"})
    np.testing.assert_array_equal(changed.run().y, [[3, 4]])
    np.testing.assert_array_equal(
        net.parameters["b1"], wg.Network([2, 3, 2], bias=True, seed=5).parameters["b1"]
    )
    renamed = net.renamed("ng")
    assert (renamed.notation.name, renamed.layered) == ("ng", net.layered)


def test_data_or_one_fixed_example() -> None:
    a, b = wg.Network([3, 2]).run(), wg.Network([3, 2], seed=9).run()
    np.testing.assert_array_equal(a.x, b.x)
    assert a.x.shape == (1, 3)
    y = wg.Network([3, 4], "softmax", cost="cross_entropy").run().y
    np.testing.assert_array_equal(y, [[1, 0, 0, 0]])
    own = wg.Network([1, 1], x=[[1], [2]], y=[[3], [4]])
    assert own.run().examples == 2


def test_quantities_are_read_and_named() -> None:
    net = wg.Network([2, 3, 2], bias=True, l2=0.1)
    q = net.quantity("w^1_{2,1}")
    assert q == wg.Quantity("w", 1, 2, 1)
    assert net.quantity(q) is q
    assert net.name(q) == "w^1_{2,1}"


@pytest.mark.parametrize(
    "q",
    [
        wg.Quantity("w", 3, 0, 0),
        wg.Quantity("w", 0, 0, 0),
        wg.Quantity("w", 1, 3, 0),
        wg.Quantity("w", 1, 0, 2),
        wg.Quantity("w", 1, 0),
        wg.Quantity("w", 1, -1, 0),
        wg.Quantity("a", 3, 0),
        wg.Quantity("a", 0, 2),
        wg.Quantity("z", 0, 0),
        wg.Quantity("b", 1, 0),
        wg.Quantity("C", None, 2),
        wg.Quantity("y"),
        wg.Quantity("R"),
        wg.Quantity("q", 1, 1),
    ],
    ids=str,
)
def test_quantities_that_are_not_there(q: wg.Quantity) -> None:
    net = wg.Network([2, 3, 2])
    with pytest.raises(
        wg.QuantityError,
        match=f"the network 2-3-2, identity, no bias, squared_error has no Quantity.*{q.kind}",
    ):
        net.quantity(q)
    with pytest.raises(wg.WhygradError):
        net.run().gradient(q)


@pytest.mark.parametrize("name", [5, None, b"w", ["w"], ("w", 1, 0, 0)])
def test_names_that_are_no_text(name: Any) -> None:
    with pytest.raises(wg.QuantityError, match="expected the name of a quantity such as"):
        wg.Network([1, 1]).quantity(name)


def bad(match: str, error: type[wg.WhygradError] = wg.ShapeError, sizes: Any = (2, 1), **options: Any) -> Any:
    return pytest.param(sizes, options, error, match, id=f"{sizes} {options}"[:60])


@pytest.mark.parametrize(
    ("sizes", "options", "error", "match"),
    [
        bad("sizes: expected a list such as", sizes=5),
        bad("sizes: expected a list such as", sizes=None),
        bad("sizes: expected whole numbers from 1, found '2'", sizes="23"),
        bad("sizes: expected whole numbers from 1, found nan", sizes=[math.nan, 2]),
        bad("weights, found 100,000,000,000,000", sizes=np.array([10_000_000, 10_000_000])),
        bad("at most 10,000,000 neurons", sizes=[2, 10**9]),
        bad("parameters: expected a mapping from names, found list", parameters=[1]),
        bad("parameters: expected names as text, found 1", parameters={1: 2}),
        bad("parameters: W1 missing; expected W1, found none", parameters={}),
        bad("parameters: expected W1, found w1", parameters={"w1": 1}),
        bad(r"W1: expected the shape \(1, 2\), found \(\)", parameters={"W1": 1}),
        bad("W1: expected finite numbers, found inf", parameters={"W1": [[np.inf, 1]]}),
        bad("W1: expected real numbers, found an array of type complex128", parameters={"W1": [[1j, 1]]}),
        bad("W1: expected real numbers, found an array of type object", parameters={"W1": [[None, 1]]}),
        bad("W1: expected real numbers", parameters={"W1": "abc"}),
        bad(
            "W1: expected a rectangle of numbers; .*grad",
            parameters={"W1": torch.ones(1, 2, requires_grad=True)},
        ),
        bad("names: expected a mapping", names=5),
        bad("names: expected 'a' to stand for a name as text, found 5", names={"a": 5}),
        bad("names: expected names as text, found 3", names={3: "a"}),
        bad("seed: expected a whole number from 0, found None", seed=None),
        bad("seed: expected a whole number from 0, found True", seed=True),
        bad("l2: expected a finite number", l2=None),
        bad("l2: expected a finite number", l2=1j),
        bad("l2: expected a finite number", l2=10**400),
        bad("bias: expected true or false, found 'no'", bias="no"),
        bad("data: expected x and y, found only x", x=[1, 2]),
        bad("data: expected x and y, found only y", y=[1]),
        bad("activation: expected one for all layers", activation=[]),
        bad("activation: expected a name such as 'relu'", wg.NotSupportedError, activation=None),
        bad("activation: expected one of identity, ", wg.NotSupportedError, activation=""),
        bad("did you mean 'sigmoid'", wg.NotSupportedError, activation="sigmoidd"),
        bad(
            "expected a number for slope in 'leaky_relu",
            wg.NotSupportedError,
            activation="leaky_relu(slope=)",
        ),
        bad("cost: expected one of squared_error, ", wg.NotSupportedError, cost=None),
        bad("cost: expected one of", wg.NotSupportedError, cost=["squared_error"]),
        bad("reduction: expected one of sum, mean, found None", wg.NotSupportedError, reduction=None),
        bad("notation: expected a name", wg.NotSupportedError, notation=None),
    ],
)
def test_bad_networks(sizes: Any, options: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        wg.Network(sizes, **options)


@pytest.mark.parametrize("l2", [np.float32(0.5), np.float64(0.5), np.int64(2), 0, 1])
def test_any_kind_of_number_may_be_the_strength(l2: Any) -> None:
    assert wg.Network([1, 1], l2=l2).layered.l2 == float(l2)


@pytest.mark.parametrize(
    ("x", "y", "match"),
    [
        ([1, 2, 3], [1], r"x: expected the shape \(2,\) or \(examples, 2\) for 2 inputs, found \(3,\)"),
        (
            [[1, 2]],
            [[1, 2]],
            r"y: expected the shape \(1,\) or \(examples, 1\) for 1 targets, found \(1, 2\)",
        ),
        ([[[1, 2]]], [1], r"x: expected the shape .* found \(1, 1, 2\)"),
        (3, [1], r"x: expected the shape .* found \(\)"),
        (np.zeros((0, 2)), np.zeros((0, 1)), r"x: expected the shape .* found \(0, 2\)"),
        ([[1, 2], [3, 4]], [1], r"as many inputs as targets, found x \(2, 2\) and y \(1, 1\)"),
        ([1, 2], None, "expected inputs and targets, found only inputs"),
        (None, [1], "expected inputs and targets, found only targets"),
        ([1, math.nan], [1], r"x: expected finite numbers, found nan at \[1\]"),
        (np.array([[1.0, 2], [3, -math.inf]]), [[1], [1]], r"found -inf at \[1, 1\]"),
        (np.array([1.0, np.nan]), np.array([1.0]), "x: expected finite numbers, found nan"),
        (np.array([1.0, 2.0]), np.array([np.inf]), "y: expected finite numbers, found inf"),
        (["a", "b"], [1], "x: expected real numbers"),
        ([[1], [1, 2]], [1], "x: expected a rectangle of numbers"),
        (torch.ones(2, requires_grad=True), [1], "x: expected a rectangle of numbers"),
        (object(), [1], "x: expected real numbers"),
        ({"a": 1}, [1], "x: expected real numbers"),
    ],
)
def test_bad_examples(x: Any, y: Any, match: str) -> None:
    with pytest.raises(wg.ShapeError, match=match):
        wg.Network([2, 1]).run(x, y)


def test_numbers_that_float32_cant_hold() -> None:
    net = wg.Network([1, 1], parameters={"W1": np.ones((1, 1), np.float32)})
    with pytest.raises(wg.ShapeError, match=r"x: expected finite numbers, found inf at \[0\]"):
        net.run([1e300], [0])


def test_large_finite_numbers_are_finite() -> None:
    x = np.full(2, 1.5e308)  # their sum isn't
    run = wg.Network([2, 1], parameters={"W1": [[1e-200, 1e-200]]}).run(x, np.array([0.0]))
    np.testing.assert_array_equal(run.x, [x])
    assert math.isfinite(run.total)


def test_numbers_are_copied() -> None:
    given_x = np.ones(3)
    made = numbers("x", given_x, np.float64)
    made[0] = 5
    assert given_x[0] == 1
    x = np.array([1.0, 2.0])
    run = wg.Network([2, 1]).run(x, np.array([0.0]))
    before = run.total
    x[:] = 9
    assert run.total == before
    np.testing.assert_array_equal(run.x, [[1, 2]])


@pytest.mark.parametrize(
    "given_x", [[1, 2], (1, 2), np.array([1, 2], np.int8), np.array([1, 2], np.float16), range(1, 3)]
)
def test_any_kind_of_array(given_x: Any) -> None:
    np.testing.assert_array_equal(wg.Network([2, 1]).run(given_x, [0]).x, [[1.0, 2.0]])


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=3),
    st.lists(st.integers(-1, 4), max_size=3),
    st.lists(st.text(max_size=3), max_size=3),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
    st.sampled_from(
        ["relu", "W1", "mean", "elu(2)", "softmax", "cross_entropy", "nielsen", {"W1": [[1.0, 2.0]]}]
    ),
)
OPTIONS = [
    "activation",
    "bias",
    "cost",
    "seed",
    "parameters",
    "l2",
    "reduction",
    "names",
    "notation",
    "x",
    "y",
]


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.one_of(ANYTHING, st.just([2, 1])), st.dictionaries(st.sampled_from(OPTIONS), ANYTHING, max_size=3))
def test_anything_makes_a_network_or_is_refused(sizes: Any, options: Any) -> None:
    refused = None
    try:
        made = wg.Network(sizes, **options)
        _ = made.run().costs
    except wg.WhygradError as error:
        refused = str(error)
    assert refused is None or len(refused) > 10


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("cost {a", "this bracket is never closed"),
        ("a}b", "this brace closes nothing"),
        ("}{", "closes nothing"),
    ],
)
def test_a_name_with_a_bracket_alone_is_refused_when_the_network_is_made(name, says, tmp_path):
    with pytest.raises(wg.EquationError) as refused:
        wg.Network([2, 3, 2], names={"fine {x}": "w^0_{0,2}", name: "w^0_{0,1}"})
    assert f"names: expected a name whose brackets are in pairs, found {name!r}" in str(refused.value)
    assert says in str(refused.value)
    assert refused.value.position == (name.index("}") if "}" in name else name.index("{"))
    file = tmp_path / "net.toml"
    file.write_text(f'sizes = [2, 3, 2]\n[names]\n"{name}" = "w^0_{{0,1}}"\n')
    with pytest.raises(wg.WhygradError, match=r"net\.toml.*names"):
        wg.Network.load(file)
