"""Forward passes: costs against the same arithmetic by hand, and what overflows."""

import warnings

import numpy as np
import pytest

import whygrad as wg
from whygrad.semirings import SEMIRINGS


@pytest.mark.parametrize("examples", [1, 2])
@pytest.mark.parametrize("activation", ["identity", "softplus", "gelu", "silu", "elu", "leaky_relu", "relu"])
def test_overflow_is_said_where_it_happens(activation: str, examples: int) -> None:
    net = wg.Network([1, 1, 1], [activation, "identity"], parameters={"W1": [[1e200]], "W2": [[1e200]]})
    run = net.run([[1e10]] * examples, [[0.0]] * examples)
    with pytest.raises(
        wg.WhygradError,
        match=r"expected finite costs, found C\^0 = (inf|nan); layer 2 overflows: try smaller",
    ):
        _ = run.costs
    for ask in (
        lambda: run.gradients()["W1"],
        lambda: run.gradient("w^0_{0,1}"),
        lambda: run.paths("w^0_{0,1}").sum,
    ):
        with pytest.raises(wg.WhygradError, match="run: "):
            ask()


def test_targets_that_overflow() -> None:
    with pytest.raises(wg.WhygradError, match="try smaller targets"):
        _ = wg.Network([1, 1]).run([1], [1e200]).costs


@pytest.mark.parametrize(
    "activation", ["sigmoid", "tanh", "softplus", "gelu", "silu", "elu", "softmax", "log_softmax"]
)
@pytest.mark.parametrize("z", [1e3, -1e3, 1e100, -1e100])
@pytest.mark.parametrize("examples", [1, 2])
def test_far_out_nothing_is_warned_of(activation: str, z: float, examples: int) -> None:
    """Sweeps evaluate the partials at saturated units too, and NumPy's warnings are nobody's business."""
    net = wg.Network(
        [2, 2, 1], [activation, "identity"], parameters={"W1": [[1, 0], [0, -1]], "W2": [[1e-60, 1e-60]]}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = net.run([[z, z]] * examples, [[1.0]] * examples)
        gradients = run.gradients()["W1"]
        assert np.isfinite(gradients).all()
        for name in SEMIRINGS:
            assert run.sweep(name).array("W1") is not None
        swept = np.asarray(run.sweep("gradient").array("W1"))
        np.testing.assert_allclose(swept, gradients, rtol=1e-9, atol=1e-300)
