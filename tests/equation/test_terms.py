"""Term by term: exact polynomials against numbers at random points."""

import numpy as np
import pytest

import whygrad as wg
from tests.equation.unseen import CASES
from whygrad.equation.chains import pairs
from whygrad.equation.judge import judge
from whygrad.equation.reader import read_chains
from whygrad.equation.setting import setting
from whygrad.equation.terms import by_terms, constant, negative, plus, times, variable
from whygrad.notation import Quantity

W, A = variable(Quantity("w", 1, 0, 0)), variable(Quantity("a", 0, 0))


def test_polynomials() -> None:
    assert plus(W, negative(W)) == {}
    assert times(plus(W, A), plus(W, negative(A))) == plus(times(W, W), negative(times(A, A)))
    assert times(constant(2), plus(W, W)) == times(constant(4), W)


@pytest.mark.parametrize(
    ("network", "equation"),
    [(network, equation) for network, equation, holds, _ in CASES if holds in (True, False)][::3],
)
def test_what_holds_term_by_term_holds_at_every_point(network: wg.Network, equation: str) -> None:
    under = setting(network, None, None)
    for chain in read_chains(equation, under.vocabulary):
        for pair in pairs(equation, chain, under):
            outcome = judge(pair)
            # Equal polynomials are equal everywhere; unequal ones may be equal where shares sum to 1.
            if by_terms(pair, outcome.choices):
                assert outcome.holds is not False


def test_most_of_the_scalar_equations_are_judged_by_terms() -> None:
    exact = []
    for network, equation, holds, _ in CASES:
        if holds is True and network.layered.cost == "squared_error" and "frac" in equation:
            under = setting(network, None, None)
            chains = read_chains(equation, under.vocabulary)
            every = [pair for chain in chains for pair in pairs(equation, chain, under)]
            exact.append(all(by_terms(pair, {}) for pair in every))
    assert np.mean(exact) > 0.6
