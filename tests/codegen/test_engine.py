"""The program that the engine runs: its parts, and where it goes on with a narrow layer."""

import numpy as np
import pytest

import whygrad as wg
from whygrad.codegen.engine import Plan, plan, program


@pytest.mark.parametrize(
    ("sizes", "wanted"),
    [
        ((784, 256, 32, 256, 784), Plan(2, 3)),
        ((2, 3, 3, 2), Plan()),
        ((3, 1, 4), Plan(1)),
        ((1, 1, 4), Plan()),  # nothing is wider below: the rows' own way costs no more
        ((5, 4, 3, 9), Plan(2)),
        ((6, 2, 3, 5), Plan(1, 2)),
        ((6, 2, 7, 5), Plan(1)),  # the last hidden layer is no narrower than the costs are many
    ],
)
def test_where_a_backward_pass_goes_on_with_a_narrow_layer(sizes: tuple[int, ...], wanted: Plan) -> None:
    layered = wg.Network(sizes, "tanh").layered
    assert plan(layered, "cost") == wanted
    assert plan(layered, "example") == Plan()
    assert program(layered).plan == wanted


def test_programs_are_kept() -> None:
    made = [program(wg.Network([2, n]).layered) for n in (3, 3, 4)]
    assert made[0] is made[1]
    assert made[0] is not made[2]
    assert program(wg.Network([2, 3]).layered, "example") is not made[0]


def test_parts_of_a_program() -> None:
    net = wg.Network([2, 3, 2], "tanh", True, seed=1, l2=0.1)
    made = program(net.layered)
    x, y, parameters = np.ones((4, 2)), np.zeros((4, 2)), net.parameters.values()
    states = made.forward(x, *parameters)
    assert [state.shape for state in states] == [(4, 3), (4, 3), (4, 2), (4, 2)]
    each = made.each_cost(y, x, *states, *parameters)
    assert each.shape == (4, 2)
    np.testing.assert_allclose(made.costs(y, x, *states, *parameters)[:2], each.sum(axis=0), rtol=1e-14)
    e, deltas, slope = made.backward(y, x, *states, *parameters)
    assert e.shape == (4, 2)
    assert [delta.shape for delta in deltas] == [(4, 2, 3)]
    assert slope is None
    assert "def backward(y, a0, z1, a1, z2, a2, W1, b1, W2, b2):" in made.source
