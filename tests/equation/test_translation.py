"""Equations in other notations: what held holds, what did not does not."""

import pytest

import whygrad as wg
from whygrad.equation import check
from whygrad.equation.translation import translate_equation
from whygrad.errors import NotYetError

EQUATIONS = [
    r"\frac{\partial C^0}{\partial a^0_1}=\frac{\partial a^0_2}{\partial a^0_1}\frac{\partial C^0}{\partial a^0_2}",
    r"\frac{\partial \sum C}{\partial w^i_{j,l}} = a^i_{l-1} \delta^j_l",
    r"\delta^j_l = \sigma'(z^j_l) \sum_k w^j_{k,l+1} \delta^k_{l+1}",
    r"\frac{\partial \sum C}{\partial w^0_{0,3}} = a^0_2 \sigma'(z^0_3) 2 (a^0_3 - y^0)",
]


@pytest.mark.parametrize("equation", EQUATIONS)
@pytest.mark.parametrize("notation", ["nielsen", "3blue1brown", "ng", "ufldl", "compphysics", "classic"])
def test_a_translation_has_the_same_verdict(equation: str, notation: str) -> None:
    net = wg.Network([2, 3, 3, 2], "sigmoid", True, "squared_error")
    if notation == "3blue1brown" and "_l" in equation:
        pytest.skip("its layers have no letters")
    translated = translate_equation(equation, net, notation)
    assert check(net, translated, notation=notation).holds is check(net, equation).holds, translated


@pytest.mark.parametrize(
    ("equation", "holds"),
    [
        ("z^l = w^l a^{l-1} + b^l", True),
        (r"\delta^l = ((w^{l+1})^T \delta^{l+1}) \odot \sigma'(z^l)", True),
        (r"\frac{\partial C}{\partial w^l} = \delta^l (a^{l-1})^T", True),
        (r"\delta^l = (w^{l+1} \delta^{l+1}) \odot \sigma'(z^l)", False),
    ],
)
@pytest.mark.parametrize("notation", ["mit", "compphysics"])
def test_a_matrix_is_transposed_where_its_rows_mean_something_else(
    equation: str, holds: bool, notation: str
) -> None:
    net = wg.Network([2, 3, 4, 2], "sigmoid", True, notation="nielsen")
    translated = translate_equation(equation, net, notation)
    assert check(net, equation).holds is holds
    assert check(net, translated, notation=notation).holds is holds, translated


@pytest.mark.parametrize("notation", ["nielsen", "ufldl"])
def test_bounds_count_as_the_other_notation_counts(notation: str) -> None:
    net = wg.Network([2, 3, 3, 2], "sigmoid", True, "squared_error")
    terms = r"\frac{\partial a^j_2}{\partial a^0_1}\frac{\partial C^0}{\partial a^j_2}"
    for bounds, holds in (("_{j=0}^{2}", True), ("_{j=1}^{2}", False)):
        equation = rf"\frac{{\partial C^0}}{{\partial a^0_1}} = \sum{bounds} {terms}"
        translated = translate_equation(equation, net, notation)
        assert r"\sum_{j=" + str(int(bounds[4]) + 1) + "}^{3}" in translated
        assert check(net, translated, notation=notation).holds is holds


def test_arrays_of_code_are_refused() -> None:
    net = wg.Network([2, 3, 2], notation="nielsen")
    with pytest.raises(NotYetError, match="layouts differ"):
        translate_equation("z^l = w^l a^{l-1}", net, "cs231n")
