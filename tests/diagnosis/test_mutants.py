"""Planted mistakes by the hundred: every code at every layer, in pairs, in coarse types; and gradients with no name."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.diagnosis.adapter import diagnosis_of
from tests.diagnosis.function_cases import CASES as FUNCTIONS
from tests.diagnosis.mutants import MUTATIONS, WORLDS, Mutant, World, mutants, pairs
from tests.diagnosis.operation_cases import CASES as OPERATIONS
from tests.diagnosis.unknown_cases import ELEMENTWISE, unknowns
from whygrad.diagnosis import Diagnosis, diagnose_functions

#: Other mistakes that are the same numbers by the sizes of the network, and likelier: they are named instead.
SAME = {
    "gradient_of_squares": "output_slope_extra",
    "gradient_of_absolute_error": "upstream_ignored",
    "bias_by_a_tenth": "bias_mean_for_sum",
}


def named(case: Mutant, found: Diagnosis) -> bool:
    codes = {SAME.get(m.name, m.code) if m.code not in found.codes else m.code for m, _ in case.planted}
    return codes <= set(found.codes) and not found.right


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_every_mutant_is_named(world: World) -> None:
    cases = list(mutants((world,)))
    assert len(cases) > 10
    for case in cases:
        found = diagnosis_of(case)
        assert named(case, found), case.name
        wrong = sorted(name for name, judged in found.parameters.items() if not judged.right)
        assert wrong == sorted(case.truth["wrong"]), case.name
        assert all(finding.exact for finding in found.findings), case.name


def test_every_mutation_is_planted_somewhere() -> None:
    planted = {case.planted[0][0].name for case in mutants()}
    assert planted == {one.name for one in MUTATIONS}


@pytest.mark.parametrize(("dtype", "share"), [(np.float32, 1.0), (np.float16, 0.97)])
def test_mutants_in_coarse_types(dtype: Any, share: float) -> None:
    cases = [case for number, case in enumerate(mutants(dtype=dtype)) if number % 7 == 0]
    finite = [case for case in cases if all(np.isfinite(v).all() for v in case.buggy_gradients().values())]
    assert sum(named(case, diagnosis_of(case)) for case in finite) >= share * len(finite)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_right_gradients_in_coarse_types(world: World, dtype: Any) -> None:
    assert diagnosis_of(Mutant(world, [], dtype)).right


def test_nine_of_ten_pairs_are_named() -> None:
    cases = list(pairs(100, seed=5))
    assert sum(named(case, diagnosis_of(case)) for case in cases) >= 90


# What is in no table


def test_unknown_mistakes_get_no_name() -> None:
    cases = [case for number, case in enumerate(unknowns()) if number % 11 == 0]
    assert len(cases) > 60
    for case in cases:
        found = diagnosis_of(case)
        assert not found.right, case.name
        kind = case.name.partition(":")[0]
        allowed = _same_numbers(kind)
        assert set(found.codes) <= allowed, (case.name, found.findings)
        likely = [one for one in found.findings if one.mistake and not one.exact]
        assert all(0.99 < one.match < 1 and "likely" in one.says for one in likely)


def _same_numbers(kind: str) -> set[str]:
    """What a corruption really is where a gradient has one entry only, or one sign."""
    if kind.startswith(("absolute", "signs", "entry_times_-1")):
        return {"sign_flipped"}
    return {"stray_factor", "wrong_divisor"} if kind.startswith("entry_times_2_b") else set()


def corrupted() -> Iterator[tuple[Any, str, str, dict[str, Any]]]:
    generator = np.random.default_rng(0)
    for case in (*OPERATIONS, *FUNCTIONS):
        if case.truth["codes"]:
            continue
        right = case.right_gradients(case.params())
        for kind, change in ELEMENTWISE.items():
            for which in dict.fromkeys(("", *list(right)[:1], *list(right)[-1:])):
                made = {
                    name: change(np.array(value, float), generator) if which in ("", name) else value
                    for name, value in right.items()
                }
                if not all(np.allclose(made[name], right[name], rtol=1e-4, atol=1e-6) for name in right):
                    yield case, kind, which, made


def test_unknown_mistakes_in_functions_get_no_name() -> None:
    cases = [one for number, one in enumerate(corrupted()) if number % 7 == 0]
    assert len(cases) > 150
    for case, kind, which, made in cases:
        found = diagnose_functions(case.loss, lambda *_, made=made: made, case.params(), case.data())
        assert not found.right, (case.name, kind, which)
        assert set(found.codes) <= _same_numbers(kind), (case.name, kind, which, found.findings)
