"""Six hundred equations beside the posted ones: verdict, cause, and a correction that holds."""

import pytest

import whygrad as wg
from tests.equation.unseen import CASES, UNREADABLE
from whygrad.equation import check
from whygrad.errors import EquationError

# What should stand there isn't told: a claim about every k, a slope with a constant, a sum of numbers with one missing.
NOT_PUT_RIGHT = {
    r"\frac{\partial C^k}{\partial w^0_{0,2}}=0",
    r"\frac{\partial a^0_1}{\partial z^0_1}=\begin{cases}1 & z^0_1>0\\ 0 & z^0_1 < 0\end{cases}",
    r"\frac{\partial \sum C}{\partial w^0_{0,1}}= 62 + 4 + 372 = 438",
}


@pytest.mark.parametrize(
    ("network", "equation", "holds", "codes"),
    CASES,
    ids=lambda part: part[:60] if isinstance(part, str) else "",
)
def test_verdict_cause_and_correction(
    network: wg.Network, equation: str, holds: object, codes: tuple[str, ...]
) -> None:
    if holds == UNREADABLE:
        with pytest.raises(EquationError):
            check(network, equation)
        return
    verdict = check(network, equation)
    assert verdict.holds is holds, verdict.says
    assert set(codes) <= set(verdict.codes), verdict.says
    if verdict.holds is False and equation not in NOT_PUT_RIGHT:
        assert verdict.corrected is not None, verdict.says
        assert check(network, verdict.corrected).holds is not False
    else:
        assert verdict.corrected is None or verdict.holds is None
