"""Side conditions: which values of the letters are meant."""

import pytest

import whygrad as wg
from whygrad.equation.conditions import Condition
from whygrad.equation.reader import read_chains
from whygrad.equation.vocabulary import Vocabulary

NET = wg.Network([3, 4, 4, 2], notation="nielsen")
VOCABULARY = Vocabulary(NET.notation, NET.layout)
BODY = r"\delta^l_j = \sum_k w^{l+1}_{kj} \delta^{l+1}_k"


@pytest.mark.parametrize(
    ("beside", "conditions"),
    [
        (r", \quad j = 1, 2", [Condition("j", "=", ("1", "2"))]),
        (r" \quad (j \neq 1)", [Condition("j", "≠", ("1",))]),
        (r" \text{ for } l = L-1, \ldots, 2", [Condition("l", "=", ("L-1", "…", "2"))]),
        (r", l < L", [Condition("l", "<", ("L",))]),
        (r" \qquad \forall j", []),
        (r" for all j", []),
        (r" \text{(by the chain rule)}", []),
        (r", \quad j \in \{1, 2\}", [Condition("j", "=", ("1", "2"))]),
    ],
)
def test_what_stands_beside_an_equation(beside: str, conditions: list[Condition]) -> None:
    (chain,) = read_chains(BODY + beside, VOCABULARY)
    assert list(chain.conditions) == conditions


@pytest.mark.parametrize(
    ("condition", "meant"),
    [
        (Condition("j", "=", ("1", "2")), [0, 1]),
        (Condition("j", "=", ("2", "…", "4")), [1, 2, 3]),
        (Condition("j", "≠", ("1",)), [1, 2, 3]),
        (Condition("j", "≠", ("k",)), [0, 1, 3]),
        (Condition("j", "<", ("3",)), [0, 1]),
        (Condition("j", "=", ("K",)), [0, 1, 2, 3]),
    ],
)
def test_values_of_a_neuron(condition: Condition, meant: list[int]) -> None:
    values = [j for j in range(4) if condition.fits({"j": j, "k": 2}, frozenset(), VOCABULARY)]
    assert values == meant


def test_values_of_a_layer_count_as_the_notation_counts() -> None:
    condition = Condition("l", "=", ("L-1", "…", "2"))
    assert [at for at in range(4) if condition.fits({"l": at}, frozenset("l"), VOCABULARY)] == [1, 2]


def test_each_line_has_its_own_condition() -> None:
    text = r"\delta^2_j = 1, \quad j = 1 \\ \delta^3_j = 1, \quad j = 2"
    first, second = read_chains(text, VOCABULARY)
    assert first.conditions == (Condition("j", "=", ("1",)),)
    assert second.conditions == (Condition("j", "=", ("2",)),)
