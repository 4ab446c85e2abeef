"""Every equation that people posted: verdict, cause, what is missing, and a correction that holds."""

import json
from pathlib import Path
from typing import Any

import pytest

from whygrad.equation import Verdict, check
from whygrad.errors import EquationError
from whygrad.network import Network

CASES = Path(__file__).parents[2] / ".." / "shared" / "cases" / "equations.json"
WANTED = {True: True, False: False, "depends": None}

# Causes that can't be told from the equation alone: what was meant is in the story around it.
UNTOLD = {"B-13b": {"NC"}, "B-14": {"UO"}}


def load() -> list[dict[str, Any]]:
    return json.loads(CASES.read_text(encoding="utf-8")) if CASES.is_file() else []


def network(case: dict[str, Any]) -> Network:
    spec = dict(case["network"])
    data = spec.pop("data", {})
    return Network(
        spec.pop("sizes"),
        **spec,
        names=case.get("names"),
        notation=case["notation"],
        x=data.get("x"),
        y=data.get("y"),
    )


def test_the_cases_are_there() -> None:
    assert CASES.is_file(), (
        f"the folder of cases is missing: {CASES.parent.resolve()} should hold equations.json"
    )


@pytest.fixture(scope="module")
def verdicts() -> dict[str, Verdict | EquationError]:
    found: dict[str, Verdict | EquationError] = {}
    for case in load():
        try:
            found[case["id"]] = check(network(case), case["equation"])
        except EquationError as error:
            found[case["id"]] = error
    return found


@pytest.mark.parametrize("case", load(), ids=lambda case: case["id"])
class TestCase:
    def verdict(self, case: dict[str, Any], verdicts: dict[str, Any]) -> Verdict:
        found = verdicts[case["id"]]
        if case["holds"] == "unreadable":
            assert isinstance(found, EquationError)
            pytest.skip("it can't be read, as it should be")
        assert isinstance(found, Verdict), str(found)
        return found

    def test_holds(self, case: dict[str, Any], verdicts: dict[str, Any]) -> None:
        verdict = self.verdict(case, verdicts)
        assert verdict.holds is WANTED[case["holds"]], verdict.says
        assert verdict.to_json()["holds"] == case["holds"]

    def test_cause(self, case: dict[str, Any], verdicts: dict[str, Any]) -> None:
        verdict = self.verdict(case, verdicts)
        wanted = set(case["codes"]) - UNTOLD.get(case["id"], set())
        assert wanted <= set(verdict.codes), verdict.says

    def test_correction_holds(self, case: dict[str, Any], verdicts: dict[str, Any]) -> None:
        verdict = self.verdict(case, verdicts)
        if case["corrected"] is None:
            assert verdict.holds is not False
            return
        assert check(network(case), case["corrected"]).holds is True
        assert verdict.corrected is not None
        assert check(network(case), verdict.corrected).holds is True, verdict.corrected

    def test_missing_terms_complete_the_right_side(
        self, case: dict[str, Any], verdicts: dict[str, Any]
    ) -> None:
        verdict = self.verdict(case, verdicts)
        for terms in (verdict.missing, tuple(case.get("missing") or ())):
            assert bool(terms) == bool(case.get("missing"))
            if terms and case["kind"] != "number":
                whole = case["equation"].strip("$") + "".join(f" + {term}" for term in terms)
                assert check(network(case), whole).holds is True, whole

    def test_convention(self, case: dict[str, Any], verdicts: dict[str, Any]) -> None:
        verdict = self.verdict(case, verdicts)
        if case.get("would_hold_if") and case["id"] not in UNTOLD:
            assert verdict.would_hold_if

    def test_readings(self, case: dict[str, Any], verdicts: dict[str, Any]) -> None:
        verdict = self.verdict(case, verdicts)
        wanted = sorted(reading["holds"] for reading in case.get("readings") or ())
        assert sorted(reading.holds for reading in verdict.readings) == wanted
