"""The table of operations: how entries are declared; the laws of each entry are in tests/laws."""

from pathlib import Path

import numpy as np
import pytest

from whygrad.ops import ACTIVATIONS, COSTS, OPS, Call, load_all, reals, shares
from whygrad.ops.table import table
from whygrad.structures import (
    Contraction,
    Convolution,
    DenseAlongAxis,
    Elementwise,
    PerAxis,
    Reduction,
    Selection,
)

STRUCTURES = (Contraction, Convolution, DenseAlongAxis, Elementwise, PerAxis, Reduction, Selection)


def test_what_layered_networks_need_is_there() -> None:
    wanted = "identity sigmoid tanh relu leaky_relu elu softplus gelu silu softmax log_softmax"
    assert set(wanted.split()) <= set(ACTIVATIONS)
    wanted = "squared_error half_squared_error cross_entropy binary_cross_entropy absolute_error"
    assert set(wanted.split()) <= set(COSTS)
    wanted = "matmul linear add sub mul div neg exp log power abs sum mean l2"
    assert set(wanted.split()) <= set(OPS)


@pytest.mark.parametrize("name", list(load_all()))
def test_entries_are_whole(name: str) -> None:
    op = OPS[name]
    assert op.name == name
    assert op.arguments
    assert isinstance(op.structure, STRUCTURES)
    inputs = op.samples(np.random.default_rng(0))
    assert len(inputs) == len(op.arguments)
    again = op.samples(np.random.default_rng(0))
    for a, b in zip(inputs, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert set(op.kinks) <= set(op.arguments)
    if isinstance(op.structure, Elementwise):
        assert set(op.structure.partials) == set(op.arguments)


def test_costs_are_of_an_activation_and_a_target() -> None:
    for op in COSTS.values():
        assert op.arguments == ("a", "t")
        assert op.cost is not None
        assert op.cost.says
        assert set(op.cost.from_z) <= set(ACTIVATIONS)


def test_drawers_draw_between_their_bounds() -> None:
    a, b = reals(2, 3, (50,), (4, 5))(np.random.default_rng(0))
    assert (a.shape, b.shape) == ((50,), (4, 5))
    assert (a.min() >= 2) & (a.max() <= 3)
    (c,) = shares((100,))(np.random.default_rng(0))
    assert (c.min() > 0) & (c.max() < 1)


def test_the_page_of_operations_is_the_table() -> None:
    page = Path(__file__).parent.parent / "docs" / "operations.md"
    assert page.read_text(encoding="utf-8") == table(), (
        "run: python -m whygrad.ops.table > docs/operations.md"
    )


def test_what_an_operation_is_called_in_pytorch() -> None:
    assert OPS["gelu_tanh"].in_torch() == (Call("gelu", {}, {"approximate": "tanh"}),)
    assert OPS["hardtanh"].in_torch() == (Call("hardtanh", {"min_val": "low", "max_val": "high"}, {}),)
    assert OPS["elu"].in_torch() == (Call("elu", {"alpha": "alpha"}, {}),)
