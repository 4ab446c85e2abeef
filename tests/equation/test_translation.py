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


def test_arrays_that_are_laid_out_differently_are_refused() -> None:
    net = wg.Network([2, 3, 2], notation="nielsen")
    with pytest.raises(NotYetError, match="layouts differ"):
        translate_equation("z^l = w^l a^{l-1}", net, "mit")
