"""Verdicts on equations of every kind, in every notation; what is said of the wrong ones; and how long it takes."""

import json
import subprocess
import sys
from time import perf_counter

import pytest

import whygrad as wg
from tests.equation.equations import EQUATIONS, UNREADABLE
from whygrad.equation import check
from whygrad.errors import EquationError

FIRST = r"\frac{\partial C^0}{\partial a^0_1}=\frac{\partial a^0_2}{\partial a^0_1}\frac{\partial C^0}{\partial a^0_2}"


@pytest.mark.parametrize(
    ("network", "equation", "holds"), EQUATIONS, ids=lambda part: part[:60] if isinstance(part, str) else ""
)
def test_equations_of_every_kind(network: wg.Network, equation: str, holds: object) -> None:
    if holds == UNREADABLE:
        with pytest.raises(EquationError):
            check(network, equation)
        return
    verdict = check(network, equation)
    assert verdict.holds is holds, verdict.says
    if verdict.corrected is not None:
        assert check(network, verdict.corrected).holds is not False


def test_the_question_that_whygrad_grew_from() -> None:
    net = wg.Network.default()
    fifth = (
        "frac{partial C^1}{partial a^0_2}=frac{partial a^1_3}{partial a^0_2}frac{partial C^0}{partial a^1_3}"
    )
    last = (
        "frac{partial C^0}{partial a^0_1}=frac{partial a^0_2}{partial a^0_1}frac{partial C^0}{partial a^0_2}"
    )
    assert check(net, fifth).codes == ("WC",)
    assert check(net, fifth).corrected == fifth.replace("frac{partial C^0}", "frac{partial C^1}")
    verdict = check(net, last)
    assert verdict.codes == ("MP",)
    assert len(verdict.missing) == 2


def test_no_accident_makes_a_wrong_equation_right() -> None:
    # All weights, inputs and targets equal: every wrong index gives the same number.
    equal = {"W1": [[0.5, 0.5]] * 2, "b1": [0.1] * 2, "W2": [[0.5, 0.5]] * 2, "b2": [0.1] * 2}
    net = wg.Network([2, 2, 2], "sigmoid", parameters=equal, x=[[1.0, 1.0]], y=[[0.0, 0.0]])
    assert (
        check(net, r"\frac{\partial C^0}{\partial a^0_1} = \frac{\partial C^0}{\partial a^1_1}").holds
        is False
    )
    assert (
        check(
            net, r"\frac{\partial \sum C}{\partial w^0_{0,1}} = \frac{\partial \sum C}{\partial w^1_{1,1}}"
        ).holds
        is False
    )


@pytest.mark.parametrize("notation", ["3blue1brown", "ng", "ufldl", "bishop", "compphysics", "classic"])
def test_the_number_of_a_cost_is_no_power(notation: str) -> None:
    net = wg.Network([2, 3, 2], "sigmoid", notation=notation)
    cost, weight = (
        net.notation.latex(q, net.layout) for q in (wg.Quantity("C", None, 0), wg.Quantity("w", 1, 0, 0))
    )
    assert check(net, rf"\frac{{\partial {cost}}}{{\partial {weight}}} = 0").holds is False


def test_numbers_hold_to_their_printed_digits() -> None:
    run = wg.Network.default().run()
    value = run.gradient("w^0_{0,1}")
    name = r"\frac{\partial \sum C}{\partial w^0_{0,1}} = "
    assert check(run, f"{name}{value:.6f}").holds is True
    assert check(run, f"{name}{value + 2e-6:.6f}").holds is False


def test_a_misprint_in_a_product_is_found() -> None:
    run = wg.Network([2, 2], "sigmoid", seed=3).run([0.3, 0.7], [0.2, 0.9])
    slope, error = run.derivative("a^0_1", "z^0_1"), run.gradient("a^0_1", cost=0)
    name = r"\frac{\partial C^0}{\partial z^0_1} = "
    assert check(run, f"{name}{error:.7f} * {slope:.7f}").holds is True
    verdict = check(run, f"{name}{error:.7f} * {slope + 4e-7:.7f}")
    assert verdict.holds is False
    assert verdict.codes == ("NU",)


def test_a_run_is_checked_at_its_own_data() -> None:
    net = wg.Network.default()
    run = net.run([1.0, 1.0], [0.0, 0.0])
    assert check(run, f"a^0_3 = {run.value('a^0_3'):.5f}").holds is True


def test_a_chain_is_judged_sign_by_sign() -> None:
    verdict = check(
        wg.Network.default(), r"\frac{\partial C^0}{\partial a^0_3} = 2(a^0_3 - y^0) = a^0_3 - y^0"
    )
    assert [equality.holds for equality in verdict.equalities] == [True, False]
    assert verdict.holds is False


def test_judged_says_how() -> None:
    net = wg.Network.default()
    assert check(net, FIRST).judged == "terms"
    assert check(net, "a^0_3 = 1").judged == "numbers"


def test_notation_and_names_for_one_check() -> None:
    net = wg.Network.default()
    assert (
        check(net, r"\frac{\partial C}{\partial w^4_{11}} = a^3_1 \delta^4_1", notation="nielsen").holds
        is True
    )
    assert check(net, "dE/dq = 0", names={"E": "C^1", "q": "w^0_{0,3}"}).holds is True


def test_json_holds_what_is_promised() -> None:
    found = check(wg.Network.default(), FIRST).to_json()
    assert set(found) >= {
        "holds",
        "judged",
        "equalities",
        "corrected",
        "would_hold_if",
        "readings",
        "says",
        "reads_as",
    }
    assert set(found["equalities"][0]) >= {"holds", "missing", "surplus", "wrong"}
    assert json.loads(json.dumps(found)) == found


def test_a_check_takes_less_than_50_ms() -> None:
    net = wg.Network.default()
    check(net, FIRST)
    times = []
    for _ in range(5):
        start = perf_counter()
        check(net, FIRST)
        times.append(perf_counter() - start)
    assert min(times) < 0.05


def test_importing_whygrad_loads_no_parser() -> None:
    code = "import sys, whygrad, whygrad.equation; sys.exit('lark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
