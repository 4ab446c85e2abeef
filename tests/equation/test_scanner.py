"""Brackets that are nested too deeply are an error with a place, at any depth."""

import pytest

import whygrad as wg


@pytest.mark.parametrize("depth", [41, 200, 500, 20_000])
@pytest.mark.parametrize(("opened", "closed"), [("(", ")"), ("\\left(", "\\right)"), ("[", "]")])
def test_deep_brackets(depth: int, opened: str, closed: str) -> None:
    with pytest.raises(wg.EquationError, match=r"nested too deeply|at most"):
        wg.Network.default().run().check(f"dC^0/da^0_3 = {opened * depth}1{closed * depth}")


def test_brackets_that_people_write() -> None:
    assert wg.Network.default().run().check(f"dC^0/da^0_3 = {'(' * 30}2*(a^0_3 - y^0){')' * 30}").holds
