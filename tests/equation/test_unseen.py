"""Five hundred equations beside the posted ones: verdict, cause, and a correction that holds."""

import pytest

import whygrad as wg
from tests.equation.unseen import CASES, UNREADABLE
from whygrad.equation import check
from whygrad.errors import EquationError

# What a general claim should have been isn't told: `dC^k/dw = 0` for every k.
NOT_PUT_RIGHT = {r"\frac{\partial C^k}{\partial w^0_{0,2}}=0"}


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
