"""Writing as the writer writes: LaTeX, Unicode, plain text, code."""

import pytest

import whygrad as wg
from whygrad.equation.slips.common import attached
from whygrad.equation.tree import Index, Ref
from whygrad.equation.vocabulary import Vocabulary
from whygrad.equation.writing import Writer


def writer(text: str, notation: str = "neuron-over-layer") -> Writer:
    net = wg.Network([2, 3, 2], "sigmoid", notation=notation)
    return Writer(text, Vocabulary(net.notation, net.layout))


Z = Ref("z", Index(None, 2), Index(None, 0))


@pytest.mark.parametrize(
    ("text", "notation", "slope"),
    [
        (r"\frac{a}{b}", "neuron-over-layer", r"\sigma'(z^0_2)"),
        ("dC/da", "neuron-over-layer", "sigma'(z^0_2)"),
        ("∂C/∂a", "neuron-over-layer", "σ'(z⁰₂)"),
        (r"\frac{a}{b} (1 - a)", "neuron-over-layer", "a^0_2(1 - a^0_2)"),
        (r"\frac{a}{b} f'(x)", "neuron-over-layer", "f'(z^0_2)"),
        (r"\frac{a}{b}", "ng", r"g^{[2]\prime}(z^{[2]}_1)"),
    ],
)
def test_slopes(text: str, notation: str, slope: str) -> None:
    assert writer(text, notation).slope(Z) == slope


def test_derivatives_and_letters() -> None:
    latex, text = writer("\\frac"), writer("dC/da")
    assert latex.derivative("C^0", "a^0_1") == r"\frac{\partial C^0}{\partial a^0_1}"
    assert text.derivative("C^0", "a^0_1") == "dC^0/da^0_1"
    assert (
        writer("\\frac", "nielsen").ref(Ref("w", Index("l", 1), Index("k", 0), Index("j", 0)))
        == "w^{l+1}_{kj}"
    )


def test_chains_go_the_way_that_the_writer_goes() -> None:
    made = writer("dC/da")
    assert made.product(["x", "y"]) == "x * y"
    made.upwards = True
    assert made.product(["x", "y"]) == "y * x"


@pytest.mark.parametrize(
    ("name", "tail", "whole"),
    [("W^{[2]}", "^T", "W^{[2]T}"), ("w^l", "^T", "{w^l}^T"), ("X", "^T", "X^T"), ("a_1", "", "a_1")],
)
def test_what_is_done_to_a_name_stays(name: str, tail: str, whole: str) -> None:
    assert attached(name, tail) == whole
