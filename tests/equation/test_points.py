"""Points: values and derivatives against PyTorch, and that nothing holds there by accident."""

import numpy as np
import pytest

import whygrad as wg
from whygrad.equation.points import Points, generic, usable
from whygrad.equation.setting import setting
from whygrad.notation import Quantity

torch = pytest.importorskip("torch")
NET = wg.Network([2, 3, 2], ["tanh", "softmax"], True, "cross_entropy", reduction="mean")


def torch_total(
    points: Points, weights: list["torch.Tensor"], biases: list["torch.Tensor"]
) -> "torch.Tensor":
    x = torch.from_numpy(points.x[0])
    hidden = torch.tanh(x @ weights[0].T + biases[0])
    outputs = torch.softmax(hidden @ weights[1].T + biases[1], dim=-1)
    return -(torch.from_numpy(np.ascontiguousarray(points.y[0])) * torch.log(outputs)).sum(dim=1).mean()


def test_derivatives_of_the_total_against_pytorch() -> None:
    points = generic(NET.layered, 3, 1, 4, "shares")
    weights = [torch.from_numpy(w[0].copy()).requires_grad_() for w in points.weights]
    biases = [torch.from_numpy(b[0].copy()).requires_grad_() for b in points.biases]
    total = torch_total(points, weights, biases)
    total.backward()
    assert np.isclose(points.value(Quantity("total"))[0, 0], total.item())
    for layer, weight in enumerate(weights, 1):
        for (to, source), wanted in np.ndenumerate(weight.grad.numpy()):
            found = points.derivative(Quantity("total"), Quantity("w", layer, to, source))
            assert np.isclose(found[0, 0], wanted)


def test_generic_points_differ_in_every_entry() -> None:
    points = generic(NET.layered, 2, 5, 8)
    for part in (*points.weights, *points.biases, points.x, points.y):
        assert len(np.unique(part)) == part.size


def test_points_are_usable_where_a_logarithm_needs_positive_numbers() -> None:
    net = wg.Network([2, 2], "relu", True, "cross_entropy")
    assert usable(net.layered, 1, 3, 8).finite.all()


def test_a_setting_without_data_knows_that_it_has_none() -> None:
    assert not setting(wg.Network([2, 2]), None, None).given
    assert setting(wg.Network([2, 2], x=[[1.0, 2.0]], y=[[0.0, 1.0]]), None, None).given
