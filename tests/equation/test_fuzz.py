"""Random and mutated text: nothing but a verdict or an EquationError, in bounded time."""

# ruff: noqa: E501, PT017 - a table of pieces; and an error is as good as a verdict
from time import perf_counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import whygrad as wg
from tests.equation.equations import EQUATIONS
from whygrad.equation import check
from whygrad.errors import EquationError

PIECES = [
    *"abcdwxyzCELijklmn0123456789+-*/=^_{}()[].,;:&|'~$ ", "\\frac", "\\partial", "\\sum", "{", "}", "\\left(", "\\right)",
    "\\cdot", "\\odot", "\\sigma'", "\\delta", "\\begin{cases}", "\\end{cases}", "\\\\", "\\nabla_", "^{T}", "w^0_{0,3}", "a^0_3", "C^0",
    "\\mathbf{", "\\|", "\\cdots", "1e9", "999999999999", "\\eta", "\\leftarrow", "\\Delta", "∂", "Σ", "⁰", "₀", "′", "\\underbrace",
    "\\log", "e^", "np.dot(", ".T", "\\text{", "\\color{red}", "dC/dw", "=", "\n", "\x00", "😀",
]  # fmt: skip
NETWORK = wg.Network.default()
SETTINGS = settings(
    max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


def survives(network: wg.Network, text: str) -> None:
    start = perf_counter()
    try:
        verdict = check(network, text)
        assert verdict.holds in (True, False, None)
        verdict.to_json()
        str(verdict)
    except EquationError as error:
        assert str(error)
    assert perf_counter() - start < 20


@SETTINGS
@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_pieces_of_equations(text: str) -> None:
    survives(NETWORK, text)


@SETTINGS
@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    survives(NETWORK, text)


@SETTINGS
@given(st.sampled_from(EQUATIONS), st.integers(0, 200), st.integers(0, 3), st.sampled_from(PIECES))
def test_mutated_equations(known: tuple[wg.Network, str, object], place: int, gone: int, piece: str) -> None:
    network, text, _ = known
    place = min(place, len(text))
    survives(network, text[:place] + piece + text[place + gone :])


@pytest.mark.parametrize(
    "text",
    [
        "(" * 2000 + "a^0_3" + ")" * 2000 + " = 1",
        "{" * 2000 + "a^0_3" + "}" * 2000 + " = 1",
        "a^0_3 = " + "9" * 5000,
        "a^0_3 = 1e999999",
        "a^0_3 = 2^{2^{2^{2^{2^{99}}}}}",
        "a^0_3 = " + "x" * 1_000_000,
        "a^0_3 " * 100_000,
        "= " * 3000,
        "a^0_3 = " + "+".join(["w^0_{0,3}"] * 900),
        r"a^0_3 = \sum_{i=0}^{999999999} a^i_2",
        r"a^0_3 = \sum_i\sum_j\sum_k\sum_l\sum_m\sum_n a^i_2 a^j_2 a^k_2 a^l_2 a^m_2 a^n_2",
        r"a^0_3 = " + r"\frac{" * 500,
        "a^0_3 = " + "-" * 3000 + "1",
        "a" + "^0" * 3000 + " = 1",
        "a" + "'" * 3000 + " = 1",
        "=".join(["a^0_3"] * 500),
    ],
    ids=lambda text: text[:20],
)
def test_far_too_much_of_everything(text: str) -> None:
    survives(NETWORK, text)
