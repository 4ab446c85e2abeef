"""What a program must know of a layered network."""

import pytest

from whygrad.codegen.layered import Activation, Layered, cost_code, slope_code, value_code


def layered(*activations: Activation, cost: str = "squared_error", **more: object) -> Layered:
    return Layered((2,) * (len(activations) + 1), activations, False, cost, **more)


def test_shapes_and_words() -> None:
    net = Layered((2, 3, 1), (Activation("tanh"), Activation("identity")), True, "squared_error", l2=0.5)
    assert net.shapes == {"W1": (3, 2), "b1": (3,), "W2": (1, 3), "b2": (1,)}
    assert (net.depth, net.outputs) == (2, 1)
    assert net.title() == "2-3-1, tanh/identity, bias, squared_error, l2 = 0.5"


@pytest.mark.parametrize("slope", [0.3, 0.01, 1.0, -2.5, 1 / 3, 1e-17, 0.1234567890123])
def test_settings_are_written_with_all_their_digits(slope: float) -> None:
    text = str(Activation("leaky_relu", (("slope", slope),)))
    assert float(text.removeprefix("leaky_relu(").removesuffix(")")) == slope
    assert str(Activation("leaky_relu", (("slope", 0.3),))) == "leaky_relu(0.3)"
    assert str(Activation("elu", (("alpha", 1.0),))) == "elu(1)"


def test_outputs_are_kept_inside_only_where_they_are_by_nature() -> None:
    sigmoid, softmax, identity = Activation("sigmoid"), Activation("softmax"), Activation("identity")
    assert layered(sigmoid, cost="binary_cross_entropy").bounds() == (True, True)
    assert layered(softmax, cost="cross_entropy").bounds() == (True, False)
    assert layered(identity, cost="cross_entropy").bounds() == (False, False)
    assert layered(softmax, cost="binary_cross_entropy").bounds() == (False, False)
    assert layered(sigmoid).bounds() == (False, False)


def test_code_of_one_unit() -> None:
    relu = Activation("relu")
    assert value_code(relu, "numpy", "z1") == "np.maximum(z1, 0)"
    assert slope_code(relu, "numpy", "z1", "a1") == "z1 > 0"
    assert slope_code(relu, "scalar", "z", "a") == "(1 if z > 0 else 0)"
    assert slope_code(Activation("tanh"), "numpy", "z1", "a1") == "1 - a1**2"
    assert value_code(Activation("leaky_relu", (("slope", 0.3),)), "scalar", "z") == "(z if z > 0 else 0.3*z)"


def test_the_stable_cost_is_taken_where_there_is_one() -> None:
    net = layered(Activation("sigmoid"), cost="binary_cross_entropy")
    assert "log" not in cost_code(net, "scalar", "a", "z", "y").replace("softplus", "")
    assert cost_code(layered(Activation("tanh")), "scalar", "a", "z", "y") == "(a - y)**2"
