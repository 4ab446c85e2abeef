"""Shapes: which arrays go together, and which don't."""

import numpy as np
import pytest

from whygrad.equation.arithmetic import Unfit, added, alike, divided, elementwise, power
from whygrad.equation.tree import Number

NODE = Number((0, 1), "1")


def array(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).uniform(1, 2, (5, *shape))


def test_a_number_of_each_example_stands_over_a_column() -> None:
    one, other = alike(NODE, array(3), array(4, 3))
    assert one.shape == (5, 1, 3)
    assert (one * other).shape == (5, 4, 3)


def test_a_bias_is_added_to_every_example_and_a_row_never_to_a_column() -> None:
    assert added(NODE, array(4, 3), array(4, 1)).shape == (5, 4, 3)
    with pytest.raises(Unfit, match=r"arrays of \(4, 1\) and \(1, 4\) can't be added"):
        added(NODE, array(4, 1), array(1, 4))
    with pytest.raises(Unfit):
        added(NODE, array(4, 3), array(3, 4))


def test_one_column_divides_all_and_is_not_divided_by_them() -> None:
    above, below = array(4, 3), array(4, 1)
    assert np.array_equal(divided(NODE, above, below), above / below)
    with pytest.raises(Unfit):
        divided(NODE, below, above)


def test_elementwise_products_ask_for_the_same_shape_but_in_code() -> None:
    assert elementwise(NODE, array(4, 3), array(1, 3), spread=True).shape == (5, 4, 3)
    with pytest.raises(Unfit, match="no elementwise product"):
        elementwise(NODE, array(4, 3), array(1, 3), spread=False)


def test_powers_go_entry_by_entry() -> None:
    base = array(4, 3)
    assert np.array_equal(power(NODE, base, np.full((1, 1), 2.0)), base**2)
    with pytest.raises(Unfit):
        power(NODE, base, array(3, 4))
