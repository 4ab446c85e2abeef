"""Gradients as a mapping, and what comes from the factors; the numbers are judged by the laws of the networks."""

import numpy as np
import pytest

import whygrad as wg


def run(examples: int = 1, l2: float = 0.0, sizes: tuple[int, ...] = (2, 3, 2)) -> wg.Run:
    generator = np.random.default_rng(0)
    net = wg.Network(sizes, "tanh", True, seed=1, l2=l2)
    return net.run(generator.normal(size=(examples, sizes[0])), generator.normal(size=(examples, sizes[-1])))


@pytest.mark.parametrize("examples", [1, 3])
@pytest.mark.parametrize("l2", [0.0, 0.5])
def test_a_mapping_in_the_order_of_the_parameters(examples: int, l2: float) -> None:
    gradients = run(examples, l2).gradients()
    assert list(gradients) == ["W1", "b1", "W2", "b2"]
    assert len(gradients) == 4
    assert "W1" in gradients
    assert "W9" not in gradients
    rows = 2 + bool(l2)
    assert {name: v.shape for name, v in gradients.items()} == {
        "W1": (rows, 3, 2),
        "b1": (rows, 3),
        "W2": (rows, 2, 3),
        "b2": (rows, 2),
    }
    assert gradients["W1"] is gradients["W1"]
    assert repr(gradients) == "Gradients(W1: (3, 2), b1: (3,), W2: (2, 3), b2: (2,))"


@pytest.mark.parametrize("name", ["W9", "", 5, None, ["W1"], ("W1",)])
def test_parameters_that_are_not_there(name: object) -> None:
    gradients = run().gradients()
    for ask in (gradients.__getitem__, gradients.gramian, gradients.cosines):
        if name is None and ask != gradients.__getitem__:
            continue  # all parameters together
        with pytest.raises(
            wg.QuantityError, match=r"expected a parameter of this network \(W1, b1, W2, b2\), found"
        ):
            ask(name)
    with pytest.raises(KeyError):
        gradients["W9"]


def test_the_regularisation_is_a_row_of_its_own() -> None:
    made = run(3, 0.5)
    gradients = made.gradients()
    for name, value in made.network.parameters.items():
        np.testing.assert_array_equal(
            gradients[name][-1], 0.5 * value if name[0] == "W" else np.zeros(value.shape)
        )


def test_a_cost_has_no_share_in_the_other_outputs_weights() -> None:
    for examples in (1, 3):
        W2 = run(examples).gradients()["W2"]
        np.testing.assert_array_equal(W2[0, 1], 0)
        np.testing.assert_array_equal(W2[1, 0], 0)
        assert (W2[0, 0] != 0).all()


def test_examples_share_out_the_total() -> None:
    made = run(4)
    examples, costs = made.gradients(by="example"), made.gradients()
    for name in costs:
        assert len(examples[name]) == 4
        np.testing.assert_allclose(examples[name].sum(0), costs.total[name], rtol=1e-12, atol=1e-14)


def test_norms_and_cosines_come_from_the_gramian() -> None:
    gradients = run(3).gradients()
    gramian = gradients.gramian()
    np.testing.assert_allclose(gramian, gramian.T, rtol=1e-14)
    np.testing.assert_allclose(sum(gradients.gramian(name) for name in gradients), gramian, rtol=1e-12)
    cosines = gradients.cosines()
    np.testing.assert_allclose(np.diag(cosines), 1.0)
    assert cosines[0, 1] == pytest.approx(gramian[0, 1] / np.sqrt(gramian[0, 0] * gramian[1, 1]))
    assert np.abs(cosines).max() <= 1.0
    for name, norms in gradients.norms().items():
        np.testing.assert_allclose(norms, np.linalg.norm(gradients[name].reshape(2, -1), axis=1), rtol=1e-12)


def test_there_is_no_angle_with_a_zero_gradient() -> None:
    net = wg.Network([1, 2], parameters={"W1": [[1.0], [2.0]]})
    gradients = net.run([1.0], [1.0, 0.0]).gradients()  # C^0 is 0 at its minimum
    cosines = gradients.cosines()
    assert np.isnan(cosines[0]).all()
    assert cosines[1, 1] == 1.0


@pytest.mark.parametrize("sizes", [(2, 3, 2), (6, 5, 2, 5, 6)])
@pytest.mark.parametrize("by", ["cost", "example"])
def test_factors_multiply_out_to_the_gradients(sizes: tuple[int, ...], by: str) -> None:
    gradients = run(4, sizes=sizes).gradients(by=by)
    assert list(gradients.factors) == [name for name in gradients if name[0] == "W"]
    for name, factors in gradients.factors.items():
        made = np.einsum("rno,ni->roi", factors.cotangent, factors.input)
        np.testing.assert_allclose(made, gradients[name], rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("examples", [1, 40])
def test_the_gramian_is_the_same_in_either_order_of_its_products(examples: int) -> None:
    # many examples: forming the gradients is cheaper; one: not forming them
    gradients = run(examples, sizes=(3, 4, 3, 2)).gradients()
    J = np.concatenate([gradients[name].reshape(2, -1) for name in gradients], axis=1)
    np.testing.assert_allclose(gradients.gramian(), J @ J.T, rtol=1e-11)
