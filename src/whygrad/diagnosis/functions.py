"""Judges a person's own backward function against their own forward function; no network has to be declared."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from whygrad.arrays import Array
from whygrad.diagnosis.conventions import Declared
from whygrad.diagnosis.describe import direction
from whygrad.diagnosis.handed import precision, rounded_throughout, widened
from whygrad.diagnosis.judge import judged
from whygrad.diagnosis.misfits import fitted_to, misshapen
from whygrad.diagnosis.parts import Ways, by_parts
from whygrad.diagnosis.person import Functions
from whygrad.diagnosis.recognise import Recognised, recognised
from whygrad.diagnosis.record import Diagnosis, Finding, Judged
from whygrad.diagnosis.search import Found, Search
from whygrad.diagnosis.setting import Ruler
from whygrad.diagnosis.state import shares_of_examples
from whygrad.diagnosis.table import finding_of
from whygrad.diagnosis.tape import Tape
from whygrad.errors import NotSupportedError

MOST_EXAMPLES = 32
MOST_DIFFERENCED = 200


def diagnose_functions(
    forward: Any,
    backward: Any,
    params: Mapping[str, Any],
    data: Any = (),
    reduction: str | None = None,
    sign: str = "gradient",
    learning_rate: float | None = None,
) -> Diagnosis:
    """Returns the diagnosis of a person's own backward function, judged against their own forward function.

    The forward function is run once on arrays that write down what is done with them; its right gradients, and what
    each known mistake would make of them, come from that. Where it can't be written down, differences of the cost
    stand in. The backward function is run twice, and on parts of the examples where the functions take data: so
    state that is kept between calls is found. Where the functions are a layered network with the parameters W1, b1, …,
    that is recognised, and the gradients are judged as :func:`whygrad.diagnosis.diagnose` does.

    Args:
        forward: ``forward(params, *data)``, ``forward(params, data)`` or ``forward(params)``; returns the cost.
        backward: Called in the same way; returns a mapping from the parameters' names to their gradients.
        params: The parameters' names and arrays.
        data: Arrays (or one array), the examples first.
        reduction: ``"sum"`` or ``"mean"``: how the gradients join the examples, where that isn't how the cost does.
        sign: ``"descent"`` where minus the gradient comes back.
        learning_rate: The learning rate, where gradients may have been multiplied with it.

    Raises:
        ShapeError: What is given or comes back has names, shapes or values that can't be used.

    Example:
        >>> x, y = np.array([[1.0, 2.0], [3.0, -1.0]]), np.array([1.0, 0.0])
        >>> def cost(p, x, y): return np.sum((np.tanh(x @ p["w"]) - y) ** 2)
        >>> def mine(p, x, y): return {"w": x.T @ (2 * (np.tanh(x @ p["w"]) - y))}
        >>> diagnose_functions(cost, mine, {"w": np.array([0.3, -0.2])}, (x, y)).codes
        ('output_slope_missing',)
    """
    declared = Declared(reduction=reduction, sign=sign, learning_rate=learning_rate).checked()
    functions = Functions(forward, backward, params, data)
    given = functions.gradients()
    calls = _calls(functions, given)
    found = _together(functions, given, calls, declared)
    if calls:
        return found

    def truth(part: Functions) -> Mapping[str, Array] | None:
        right = _truth(part, part.taped())
        if right is None and sum(value.size for value in part.params.values()) <= MOST_DIFFERENCED:
            right = part.numerical()
        return None if right is None else {name: declared.turn * value for name, value in right.items()}

    def again(part: Functions) -> Diagnosis:
        return _together(part, part.gradients(), [], declared)

    return by_parts(functions, found, given, reduction, Ways(truth, again))


def _together(
    functions: Functions,
    given: dict[str, Array],
    calls: list[Finding],
    declared: Declared,
) -> Diagnosis:
    """Returns the diagnosis of the gradients of all examples together."""
    tape = functions.taped()
    right = _truth(functions, tape)
    if tape is not None and right is not None:
        network = recognised(tape, functions.params, functions.data, right)
        if network is not None:
            return _as_network(network, given, calls, functions, declared)
    return _by_tape(functions, tape, right, given, calls, _factors(functions, declared))


def _as_network(
    network: Recognised,
    given: Mapping[str, Array],
    calls: list[Finding],
    functions: Functions,
    declared: Declared,
) -> Diagnosis:
    """Returns the diagnosis of gradients of a layered network, with what the calls have shown."""
    found = network.told(judged(network.run, network.read(given), declared))
    net = network.run.network.layered
    note = f"Recognised: {net.title()}, {net.reduction} over the examples."
    findings = tuple(calls) if calls and _all_twice(calls) else (*calls, *found.findings)
    return found._replace(
        findings=findings, notes=(note, *found.notes), unseen=(*found.unseen, *_unseen(functions))
    )


def _all_twice(calls: list[Finding]) -> bool:
    return any("the first call" in finding.says for finding in calls)


def _factors(functions: Functions, declared: Declared) -> tuple[float, ...]:
    """Returns the factors that declared conventions may leave between the cost's gradient and the person's."""
    m = functions.examples()
    joined = (1.0,) if declared.reduction is None else (1.0, float(m), 1 / m)
    rates = (1.0,) if declared.learning_rate is None else (1.0, declared.learning_rate)
    return tuple(declared.turn * one * rate for rate in rates for one in joined)


def _by_tape(
    functions: Functions,
    tape: Tape | None,
    exact: Mapping[str, Array] | None,
    given: dict[str, Array],
    calls: list[Finding],
    factors: tuple[float, ...],
) -> Diagnosis:
    """Returns the diagnosis against the tape's gradients, or against differences of the cost."""
    eps = max(precision(given), 1e-7 if exact is None else 0.0)
    right = functions.numerical() if exact is None else exact
    fitting = {
        name: np.asarray(array, float) for name, array in given.items() if array.shape == right[name].shape
    }
    eps = widened(fitting, right, eps)
    if tape is not None and exact is not None:
        right = _at_kinks(tape, right, given)
    totals = (
        tape.totals()
        if tape is not None and exact is not None
        else {name: np.abs(value) + 1e-3 for name, value in right.items()}
    )
    ruler = Ruler(totals, eps)
    arrays, findings = _fitted(given, right, ruler)
    factor = max(
        factors,
        key=lambda one: sum(ruler.same(name, array / one, right[name]) for name, array in arrays.items()),
    )
    arrays = {name: array / factor for name, array in arrays.items()}
    parameters = {
        name: _judged(name, array, right[name], totals[name], ruler) for name, array in arrays.items()
    }
    for name in given:
        parameters.setdefault(name, Judged(False, right[name]))
    missing = [name for name in right if name not in given]
    notes = [f"backward returns nothing for {', '.join(missing)}."] if missing else []
    if exact is None:
        notes.append(
            "The forward function can't be written down: right gradients are differences of the cost, good to 9 digits."
        )
    wrong = [name for name in arrays if not parameters[name].right]
    noisy = bool(wrong) and eps < 1e-10 and rounded_throughout(arrays, right)
    if noisy and all(_nearly(arrays[name], right[name], totals[name]) for name in wrong):
        notes.append(
            "The gradients agree to five digits or more: that is rounding in a coarser type, not a mistake."
        )
        parameters |= {
            name: parameters[name]._replace(right=True, wrong=np.zeros(right[name].shape, bool))
            for name in wrong
        }
        wrong = []
    findings += calls
    if wrong and not _all_twice(calls):
        findings += _explained(functions, tape, right, arrays, wrong, ruler)
    listed = {name: parameters[name] for name in right if name in parameters}
    return Diagnosis(tuple(findings), listed, tuple(notes), _unseen(functions))


def _fitted(
    given: Mapping[str, Array], right: Mapping[str, Array], ruler: Ruler
) -> tuple[dict[str, Array], list[Finding]]:
    """Returns the arrays that fit their parameters' shapes, and what is to be said of the others."""
    arrays: dict[str, Array] = {}
    findings = []
    for name, array in given.items():
        fitted = fitted_to(array, right[name].shape)
        if fitted is None:
            findings.append(misshapen(name, array, right[name], ruler))
        else:
            arrays[name] = np.asarray(fitted, float)
    return arrays, findings


def _at_kinks(tape: Tape, right: Mapping[str, Array], given: Mapping[str, Array]) -> Mapping[str, Array]:
    """Returns the gradients with the slopes at kinks that the person has; any between left and right is right."""
    ties = [
        n
        for n, step in enumerate(tape.steps)
        if step.name in ("maximum", "minimum") and np.any(step.data[0] == 0.5)
    ]
    if not ties:
        return right
    first, second = (_with_share(tape, ties, share) for share in (1.0, 0.0))
    known = [name for name in first if name in given and given[name].size == first[name].size]
    along = np.concatenate([(first[name] - second[name]).ravel() for name in known] or [np.zeros(0)])
    apart = np.concatenate(
        [(np.ravel(given[name]) - second[name].ravel()) for name in known] or [np.zeros(0)]
    )
    size = float(along @ along)
    between = min(1.0, max(0.0, float(along @ apart) / size)) if size else 0.5
    for made in (first, second, _with_share(tape, ties, between)):
        if len(known) == len(made) and all(_same(np.ravel(given[name]), made[name].ravel()) for name in made):
            return made
    return right


def _with_share(tape: Tape, ties: list[int], share: float) -> dict[str, Array]:
    """Returns the gradients where ties of maximum and minimum go to the first by some share."""
    trial = Tape()
    trial.leaves, trial.cost, trial.steps = tape.leaves, tape.cost, list(tape.steps)
    for number in ties:
        first, second = tape.steps[number].data
        data = (np.where(first == 0.5, share, first), np.where(second == 0.5, 1 - share, second))
        trial.steps[number] = tape.steps[number]._replace(data=data)
    return trial.backward()


def _nearly(given: Array, right: Array, total: Array) -> bool:
    with np.errstate(invalid="ignore"):
        return bool(np.max(np.abs(given - right), initial=0.0) <= 2e-5 * np.max(total, initial=0.0))


def _truth(functions: Functions, tape: Tape | None) -> dict[str, Array] | None:
    """Returns the tape's gradients, checked against a difference of the cost along a random direction.

    On a kink the two differ; then the check is made a little beside it.
    """
    if tape is None:
        return None
    if _agrees(functions, functions.params, tape):
        return tape.backward()
    generator = np.random.default_rng(1)
    moved = {
        name: value + 1e-3 * generator.normal(size=value.shape) for name, value in functions.params.items()
    }
    beside = functions.taped(params=moved)
    return tape.backward() if beside is not None and _agrees(functions, moved, beside) else None


def _agrees(functions: Functions, params: Mapping[str, Array], tape: Tape) -> bool:
    made = tape.backward()
    generator = np.random.default_rng(0)
    along = {name: generator.normal(size=value.shape) for name, value in params.items()}

    def cost(number: float) -> float:
        return float(functions.cost({name: value + number * along[name] for name, value in params.items()}))

    step = 1e-4
    numeric = (8 * (cost(step) - cost(-step)) - (cost(2 * step) - cost(-2 * step))) / (12 * step)
    taped = sum(float(np.sum(made[name] * along[name])) for name in made)
    size = sum(float(np.sum(np.abs(made[name] * along[name]))) for name in made)
    return bool(abs(numeric - taped) <= 1e-4 * size + 1e-9)


def _judged(name: str, given: Array, right: Array, total: Array, ruler: Ruler) -> Judged:
    with np.errstate(invalid="ignore"):
        good = bool(np.isfinite(given).all()) and ruler.same(name, given, right)
        apart = ~(np.abs(given - right) <= ruler.relative * np.maximum(total, np.abs(right)) + 1e-300)
    return Judged(good, right, given, np.zeros(right.shape, bool) if good else apart)


def _calls(functions: Functions, first: Mapping[str, Array]) -> list[Finding]:
    """Returns what a second call on the same data shows: buffers that keep what an earlier call left in them."""
    second = functions.gradients()
    differing = [name for name in first if name in second and not _same(first[name], second[name])]
    if not differing:
        return []
    third = functions.gradients()
    grows = all(
        _same(second[name] - first[name], third[name] - second[name]) for name in differing if name in third
    )
    if grows:
        before = all(_same(second[name], 2 * first[name]) for name in differing)
        note = (
            "a second call on the same data gives twice the first"
            if before
            else ("each call on the same data adds the same amount to the first call")
        )
    else:
        note = "a second call on the same data gives something else"
    return [finding_of("gradients_not_zeroed", note, tuple(differing))]


def _same(one: Array, other: Array) -> bool:
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=1e-9, atol=1e-12, equal_nan=True))


def _explained(
    functions: Functions,
    tape: Tape | None,
    right: Mapping[str, Array],
    arrays: Mapping[str, Array],
    wrong: list[str],
    ruler: Ruler,
) -> list[Finding]:
    finite = {name: array for name, array in arrays.items() if np.isfinite(array).all()}
    shares = _shares(functions, right, finite, ruler)
    if shares is not None:
        return [finding_of(shares[0], shares[1], tuple(finite))]
    found = Search(tape, right, finite, ruler, functions.examples()).run() if finite else []
    if found:
        return _findings(found)
    return [_described(name, arrays[name], right[name]) for name in wrong]


def _findings(found: list[Found]) -> list[Finding]:
    made: list[Finding] = []
    seen: set[tuple[str, tuple[str, ...]]] = set()
    everyone = [ties for one in found for ties in one.mistakes]
    for one in found:
        for ties in one.mistakes:
            rivals = {
                other.code
                for group in everyone
                for other in group
                if group[0].parameters == ties[0].parameters
            }
            rivals |= {other.code for other in ties}
            for named in ties:
                if (named.code, named.parameters) not in seen:
                    seen.add((named.code, named.parameters))
                    others = tuple(sorted(rivals - {named.code}))
                    made.append(finding_of(named.code, named.note, named.parameters, others))
    return made


def _described(name: str, given: Array, right: Array) -> Finding:
    if not np.isfinite(given).all():
        says = f"d{name} has entries that are no finite numbers"
    elif not np.any(given):
        says = f"d{name} is all zeros"
    else:
        says = f"d{name}: {direction(given, right)}"
    return Finding(name, None, f"no known mistake makes this: {says}", "", 0.0, (name,), False)


def _shares(
    functions: Functions, right: Mapping[str, Array], given: Mapping[str, Array], ruler: Ruler
) -> tuple[str, str] | None:
    """Returns the reading that each example counts some number of times."""
    m = functions.examples()
    if not functions.takes_data or not 1 < m <= MOST_EXAMPLES or set(given) != set(right):
        return None
    rows = []
    for example in range(m):
        try:
            tape = functions.taped(functions.part(slice(example, example + 1)))
        except NotSupportedError:
            return None
        if tape is None:
            return None
        made = tape.backward()
        rows.append(np.concatenate([made[name].ravel() for name in given]))
    J = np.stack(rows)
    whole = np.concatenate([right[name].ravel() for name in given])
    scale, *_ = np.linalg.lstsq(J.T, whole, rcond=None)
    if not np.allclose(
        scale @ J, whole, atol=1e-8 * max(1.0, float(np.max(np.abs(whole))))
    ) or not np.allclose(scale, scale[0]):
        return None
    target = np.concatenate([given[name].ravel() for name in given])
    found, _, rank, _ = np.linalg.lstsq(J.T, target, rcond=None)
    if (
        rank < m
        or J.shape[1] <= m
        or np.max(np.abs(found @ J - target))
        > ruler.relative * max(1e-300, float(np.max(np.abs(target)))) * 10
    ):
        return None
    reading = shares_of_examples(found / scale[0])
    return (reading.code, reading.note) if reading is not None else None


def _unseen(functions: Functions) -> tuple[str, ...]:
    made = []
    if functions.data and functions.examples() == 1:
        made.append("One example: sums and means look the same.")
    if functions.data and not functions.takes_data:
        made.append("The functions take no data, so they could not be run on parts of it.")
    return tuple(made)
