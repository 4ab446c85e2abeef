"""Judges gradients that were handed in: conventions first, then what is right, then which mistakes make the rest."""

from collections.abc import Mapping
from math import isclose
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from whygrad.arrays import Array
from whygrad.diagnosis.conventions import Convention, Declared, conventions
from whygrad.diagnosis.describe import describe
from whygrad.diagnosis.handed import Handed, handed, rounded_throughout, widened
from whygrad.diagnosis.misfits import misfit_finding
from whygrad.diagnosis.mistake import sentence
from whygrad.diagnosis.reading import Reading, Step
from whygrad.diagnosis.record import Diagnosis, Finding, Judged
from whygrad.diagnosis.setting import Ruler, Setting
from whygrad.diagnosis.state import Whole, multiples_by_parameter, whole_readings
from whygrad.diagnosis.table import STRAY, TABLE, named_multiple
from whygrad.diagnosis.unseen import unseen
from whygrad.diagnosis.walk import TIE, Walk

if TYPE_CHECKING:
    from whygrad.run import Run


#: Differences below this share of the contributions may be the rounding of a coarser type on the way.
COARSE = 2e-5

#: Multiples with one of the net's own numbers are all named, though some are likelier than others.
OF_THE_NET = 0.15

#: How many roundings of a coarse type may have added up: as few as possible are assumed.
ROUNDINGS = (2.0, 8.0, 32.0)


class Explanation(NamedTuple):
    """The mistakes that make the numbers, other lists of mistakes that make them too, and what is left."""

    steps: tuple[Step, ...]
    ties: tuple[tuple[Step, ...], ...]
    cost: float
    unexplained: tuple[str, ...] = ()


def judged(run: "Run", gradients: Any, declared: Declared) -> Diagnosis:
    """Returns the diagnosis of gradients of a run's total; see :func:`whygrad.diagnosis.diagnose`."""
    declared = declared.checked()
    given = handed(gradients, run.network.layered, declared.layout)
    eps = max(given.eps, float(np.finfo(run.network.dtype).eps))
    whole = {name: array for name, array in given.arrays.items() if np.isfinite(array).all()}
    eps = widened(whole, Setting(run).gradients, eps)
    if eps > 1e-10:
        given = given._replace(eps=eps)
    options, own = conventions(run, whole, eps, declared)
    readings = list(options)
    extra: tuple[str, ...] = (own.note,) if own.note else ()
    if given.missing:
        extra += (f"Not handed in, so not judged: {', '.join(given.missing)}.",)
    for roundings in ROUNDINGS if eps > COARSE else (128.0,):
        chosen, ruler, notes = _chosen(readings, eps, roundings)
        found, certain = _diagnosis(chosen, ruler, given, notes)
        if certain:
            break
    else:
        # Only what many roundings may have made is left: it is no mistake, or none that can be told from them.
        found = found if found.right else _diagnosis(chosen, ruler, given, notes)[0]
    return found._replace(notes=(*extra, *found.notes))


def _chosen(
    options: list[Convention], eps: float, roundings: float
) -> tuple[Convention, Ruler, tuple[str, ...]]:
    """Returns the reading in which most parameters are right; the most literal one of several."""
    best, most, ruler = options[0], -1, Ruler(options[0].setting.totals, eps, roundings)
    for option in options:
        measure = Ruler(option.setting.totals, eps, roundings)
        right = option.rights(measure)
        if right > most:
            best, most, ruler = option, right, measure
    if most < len(best.arrays):
        kinked = _kinked(best, most, eps, roundings)
        if kinked is not None:
            note = (
                "Some values stand on a kink, where every slope between left and right is right, as yours is."
            )
            return kinked, Ruler(kinked.setting.totals, eps, roundings), (*best.notes, note)
    return best, ruler, best.notes


def _kinked(convention: Convention, most: int, eps: float, roundings: float) -> Convention | None:
    """Returns the reading with other slopes at the kinks, where more parameters are right then."""
    old = convention.setting
    on_kink = any(old.at_kink(layer).any() for layer in range(1, old.depth + 1))
    if not on_kink and not np.any(old.a[old.depth] == old.target):
        return None
    best = None
    for kink in (0.0, 1.0, 0.5, _between(old, convention.arrays)):
        setting = old.with_kink(kink)
        option = convention._replace(setting=setting)
        right = option.rights(Ruler(setting.totals, eps, roundings))
        if right > most:
            best, most = option, right
    return best


def _between(setting: Setting, arrays: Mapping[str, Array]) -> float:
    """Returns which slope, from 0 for the left one to 1 for the right one, comes nearest at the kinks."""
    left, right = (setting.with_kink(kink).gradients for kink in (0.0, 1.0))
    along = np.concatenate([(right[name] - left[name]).ravel() for name in arrays])
    apart = np.concatenate([(arrays[name] - left[name]).ravel() for name in arrays])
    size = float(along @ along)
    return min(1.0, max(0.0, float(along @ apart) / size)) if size else 0.5


def _diagnosis(
    chosen: Convention, ruler: Ruler, given: Handed, notes: tuple[str, ...]
) -> tuple[Diagnosis, bool]:
    """Returns the diagnosis by one ruler, and whether a coarser one would say nothing else."""
    setting, arrays = chosen.setting, dict(chosen.arrays)
    parameters = _parameters(setting, arrays, given, ruler)
    findings = [misfit_finding(setting, name, array, ruler) for name, array in given.misfits.items()]
    not_finite = [name for name, array in given.arrays.items() if not np.isfinite(array).all()]
    findings += [
        _described(setting, name, given.arrays[name], parameters[name].wrong, ruler) for name in not_finite
    ]
    wrong = [name for name in arrays if not parameters[name].right]
    certain = True
    if wrong:
        explanation = explain(setting, arrays, ruler)
        certain = not explanation.unexplained and explanation.cost < 2.5
        if not certain and given.eps < 1e-10 and _nearly(setting, arrays):
            note = f"The gradients agree to {_digits(setting, arrays)} digits: rounding in a coarser type, no mistake."
            parameters = {
                name: judged._replace(right=True, wrong=np.zeros_like(judged.wrong))
                if name in arrays
                else judged
                for name, judged in parameters.items()
            }
            notes = (*notes, note)
        else:
            certain = certain and _beyond_rounding(setting, arrays, wrong, ruler)
            findings += _findings(setting, arrays, explanation, parameters, ruler)
            if explanation.unexplained and len(wrong) == len(arrays):
                notes = (
                    *notes,
                    "No known mistake makes these numbers from this batch alone. Were the buffers cleared before it? "
                    "Gradients of earlier batches can't be told from one batch: see whygrad.diagnose.",
                )
    return Diagnosis(tuple(findings), parameters, notes, unseen(setting)), certain


def _beyond_rounding(setting: Setting, arrays: Mapping[str, Array], wrong: list[str], ruler: Ruler) -> bool:
    """Whether the difference is a few times what the ruler allows: a mistake that explains less may be rounding."""
    return any(
        float(np.max(np.abs(arrays[name] - setting.gradients[name])))
        > 3 * ruler.tolerance(name, setting.gradients[name])
        for name in wrong
    )


def _parameters(
    setting: Setting, arrays: Mapping[str, Array], given: Handed, ruler: Ruler
) -> dict[str, Judged]:
    made = {}
    for name in setting.net.shapes:
        expected = setting.gradients[name]
        if name in arrays:
            apart = np.abs(arrays[name] - expected)
            right = ruler.same(name, arrays[name], expected)
            limit = ruler.relative * np.maximum(setting.totals[name], np.abs(expected)) + 1e-300
            wrong = (
                np.zeros(expected.shape, bool) if right else apart > np.minimum(limit, ruler.tolerance(name))
            )
            made[name] = Judged(right, expected, arrays[name], wrong)
        elif name in given.arrays:
            made[name] = Judged(False, expected, given.arrays[name], ~np.isfinite(given.arrays[name]))
        elif name in given.misfits:
            made[name] = Judged(False, expected)
    return made


def _nearly(setting: Setting, arrays: Mapping[str, Array]) -> bool:
    return rounded_throughout(arrays, setting.gradients) and all(
        float(np.max(np.abs(array - setting.gradients[name]), initial=0.0))
        <= COARSE * float(np.max(setting.totals[name], initial=0.0))
        for name, array in arrays.items()
    )


def _digits(setting: Setting, arrays: Mapping[str, Array]) -> int:
    worst = max(
        float(np.max(np.abs(array - setting.gradients[name])))
        / max(float(np.max(setting.totals[name])), 1e-300)
        for name, array in arrays.items()
    )
    return int(-np.log10(worst))


# The search


def explain(setting: Setting, given: Mapping[str, Array], ruler: Ruler) -> Explanation:
    """Returns the cheapest explanation of gradients that are not all right, and its ties."""
    multiples = multiples_by_parameter(given, setting.gradients, ruler)
    numbers = list(multiples.values()) if multiples else []
    if (
        len(numbers) > 1
        and all(isclose(number, numbers[0], rel_tol=setting.close) for number in numbers)
        and numbers[0]
        and not isclose(numbers[0], 1, rel_tol=setting.close)
    ):
        return _one_multiple(setting, numbers[0])
    wholes = whole_readings(setting, given, ruler)
    readings = Walk(setting, given, ruler).run()
    walked = _walked(readings)
    if wholes and wholes[0].rank <= walked.cost + TIE:
        steps = (_whole_step(setting, wholes[0]),)
        others = [_whole_step(setting, whole) for whole in wholes[1:]]
        ties: tuple[tuple[Step, ...], ...] = tuple((step,) for step in others)
        if wholes[0].code == "update_applied_twice" or walked.cost <= wholes[0].rank + TIE:
            ties += (walked.steps, *walked.ties)
        return Explanation(steps, ties, wholes[0].rank)
    return walked


def _one_multiple(setting: Setting, number: float) -> Explanation:
    named = named_multiple(setting, setting.depth, "all", number)
    lists = [
        tuple(
            Step(mistake.code, setting.depth, "all", multiple.note, mistake.rank, multiple.number)
            for mistake, multiple in reading.parts
        )
        for reading in named
        if reading.cost <= named[0].cost + (OF_THE_NET if len(reading.parts) == 1 else TIE)
        and reading.parts[0][0] is not STRAY
    ] or [(Step(STRAY.code, setting.depth, "all", f"{number:.6g}", STRAY.rank, number),)]
    return Explanation(lists[0], tuple(lists[1:]), named[0].cost)


def _whole_step(setting: Setting, whole: Whole) -> Step:
    return Step(whole.code, setting.depth, "all", whole.note, whole.rank)


def _walked(readings: list[Reading]) -> Explanation:
    lists: list[tuple[Step, ...]] = []
    for reading in readings:
        steps = _joined(reading.steps)
        if steps not in lists:
            lists.append(steps)
    lists.sort(key=len)
    return Explanation(lists[0], tuple(lists[1:]), readings[0].cost, readings[0].unexplained)


def _joined(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Returns the steps with a layer that is regularised twice and one that isn't at all joined to one mistake."""
    twice = [
        step
        for step in steps
        if step.slot == "regularisation" and step.number is not None and isclose(step.number, 2, rel_tol=1e-6)
    ]
    never = [step for step in steps if step.slot == "regularisation" and step.number == 0.0]
    if len(twice) != 1 or len(never) != 1:
        return steps
    note = f"W{twice[0].layer} twice, W{never[0].layer} not at all"
    joined = Step("wrong_layer_regularised", twice[0].layer, "regularisation", note, 1.0)
    return tuple(joined if step is twice[0] else step for step in steps if step is not never[0])


# Findings


def _findings(
    setting: Setting,
    arrays: Mapping[str, Array],
    explanation: Explanation,
    parameters: Mapping[str, Judged],
    ruler: Ruler,
) -> list[Finding]:
    wrong = [name for name in arrays if not parameters[name].right]
    lists = (explanation.steps, *explanation.ties)
    listed: list[Step] = []
    for steps in lists:
        listed += [step for step in steps if not _listed_in(step, listed)]
    made = [_finding(setting, step, wrong, _instead_of(step, lists)) for step in listed]
    if explanation.unexplained:
        made += _likely(setting, arrays, explanation, wrong, ruler)
    made += [
        _described(setting, name, arrays[name], parameters[name].wrong, ruler)
        for name in explanation.unexplained
        if name in wrong
    ]
    return sorted(made, key=lambda finding: -(finding.layer or 0))


def _likely(
    setting: Setting,
    arrays: Mapping[str, Array],
    explanation: Explanation,
    wrong: list[str],
    ruler: Ruler,
) -> list[Finding]:
    """Returns the mistake that comes nearest at the first layer that nothing explains, where it comes very near."""
    found = Walk(setting, arrays, ruler).nearest(int(explanation.unexplained[0][1:]))
    if found is None or any(step.layer >= found[0].layer for step in explanation.steps):
        return []
    step, share = found
    finding = _finding(setting, step, wrong, ())
    return [
        finding._replace(match=round(share, 6), exact=False, says=f"likely, but not exactly: {finding.says}")
    ]


def _instead_of(step: Step, lists: tuple[tuple[Step, ...], ...]) -> tuple[str, ...]:
    """Returns the codes that stand in a step's place in the other explanations of the same numbers."""
    codes = [
        other.code
        for steps in lists
        if not _listed_in(step, steps)
        for other in steps
        if _rivals(other, step) and not all(_listed_in(other, theirs) for theirs in lists)
    ]
    return tuple(dict.fromkeys(codes))


def _rivals(one: Step, other: Step) -> bool:
    """Whether two steps are readings of the same numbers."""
    if one.code == other.code:
        return False
    return "all" in (one.slot, other.slot) or (one.layer == other.layer and one.key()[1] == other.key()[1])


def _listed_in(step: Step, steps: Any) -> bool:
    return any(
        other.code == step.code and other.layer == step.layer and other.slot == step.slot for other in steps
    )


def _affected(step: Step, wrong: list[str]) -> tuple[str, ...]:
    if step.slot in ("weight", "regularisation"):
        return (f"W{step.layer}",)
    if step.slot == "bias":
        return (f"b{step.layer}",)
    down = [
        name for layer in range(step.layer, 0, -1) for name in (f"W{layer}", f"b{layer}") if name in wrong
    ]
    return tuple(down) or tuple(reversed(wrong))


def _finding(setting: Setting, step: Step, wrong: list[str], rivals: tuple[str, ...]) -> Finding:
    mistake = TABLE[step.code]
    affected = _affected(step, wrong)
    note = step.note
    says = " ".join(sentence(mistake, setting, step.layer, note).split())
    if step.number is not None and step.slot in ("all", "delta", "weight", "bias"):
        place = (
            "every gradient"
            if step.slot == "all" or (step.layer == setting.depth and step.slot == "delta")
            else f"what comes down to layer {step.layer}"
            if step.slot == "delta"
            else f"d{affected[0]}"
        )
        says += f": {place} is multiplied by exactly {step.number:.6g}"
    fix = sentence(mistake, setting, step.layer, note, mistake.fix)
    return Finding(affected[0], step.code, says, fix, 1.0, affected, True, rivals, step.layer)


def _described(setting: Setting, name: str, given: Array, wrong: Array, ruler: Ruler) -> Finding:
    says = describe(setting, name, given, wrong, ruler)
    return Finding(
        name, None, f"no known mistake makes this: {says}", "", 0.0, (name,), False, (), int(name[1:])
    )
