"""What is wrong with a number: which slip gives the number that was claimed."""

from collections.abc import Callable, Iterator
from fractions import Fraction as Ratio
from itertools import combinations

import numpy as np

from whygrad.equation.missing import cut_plans, derived, terms
from whygrad.equation.numbers import half_unit, misprint, own_value, single
from whygrad.equation.points import function_slope
from whygrad.equation.setting import pure
from whygrad.equation.tree import Node, Number, Ref, Symbol, Updated, replaced, walk
from whygrad.equation.trial import Change, Fix, Trial
from whygrad.equation.vocabulary import quantity_of
from whygrad.notation import Quantity
from whygrad.notation.quantity import exists, quantities

# A side without derivatives: terms are cut in the usual ways.
NO_SIDE = Symbol((0, 0), "", ())


def number_fix(trial: Trial) -> Fix | None:
    """Returns what the number should be, and which slip gives the one that was claimed."""
    pair = trial.pair
    wrong = misprint(pair)
    if wrong is not None:
        fix = _reprinted(trial, wrong)
        if fix is not None:
            return fix
    if pure(pair.left) and pure(pair.right):
        return _arithmetic(trial)
    left_number = pure(pair.left)
    symbolic, claimed = (pair.right, pair.left) if left_number else (pair.left, pair.right)
    truth = own_value(pair, symbolic, trial.outcome.choices)
    if truth.ndim != 2 or truth.shape[1] != 1:
        return None
    value = float(truth[0, 0])
    said = float(own_value(pair, claimed)[0, 0])
    literal = single(claimed)
    text = printed(value, literal)
    node = Number(claimed.span, text)
    change = Change(claimed.span[0], claimed.span[1], text)
    sides = (node, symbolic) if left_number else (symbolic, node)
    if left_number:
        trial = Trial(pair._replace(left=symbolic, right=claimed), trial.outcome)
    code, says, missing = next(_slips(trial, symbolic, value, said, literal), ("NU", "", ()))
    if code == "TR" and not left_number:
        turned = _turned(trial, symbolic)
        if turned is not None:
            return Fix(turned[0], claimed, (turned[1],), says, code, symbolic.span)
    shown = pair.text[claimed.span[0] : claimed.span[1]].strip()
    says = says or f"{shown} is not the value, which is {text}"
    return Fix(sides[0], sides[1], (change,), says, code, claimed.span, missing)


def _turned(trial: Trial, side: Node) -> tuple[Node, Change] | None:
    """Returns a side with the indices of its weight swapped, and the change of the text."""
    for node in walk(side):
        meaning = node.meanings[0] if isinstance(node, Symbol) else None
        if isinstance(meaning, Ref) and meaning.kind == "w" and isinstance(node, Symbol):
            ref = meaning._replace(to=meaning.source, source=meaning.to)
            writer, q = trial.writer, quantity_of(ref, {})
            if ref.derived:
                text = writer.notation.derivative_text(Quantity("total"), q, writer.layout)
            else:
                text = writer.quantity(q)
            new = replaced(side, node, Symbol(node.span, text, (ref,)))
            return (
                (new, Change(node.span[0], node.span[1], text))
                if trial.holds(new, trial.pair.right)
                else None
            )
    return None


def _reprinted(trial: Trial, wrong: Number) -> Fix | None:
    """Returns the equality with a misprinted number as it should be."""
    pair = trial.pair
    known = np.abs(pair.setting.own.numbers)
    text = printed(float(known[np.argmin(np.abs(known - wrong.value))]), wrong)
    new = Number(wrong.span, text)
    left, right = (replaced(side, wrong, new) for side in (pair.left, pair.right))
    fix = Fix(left, right, (Change(*wrong.span, text),), f"{wrong.text} should be {text}", "NU", wrong.span)
    return fix if trial.holds(left, right) else None


def printed(value: float, like: Number | None) -> str:
    """Returns a number with as many digits as another has."""
    if abs(value - round(value)) < 1e-9 * max(1.0, abs(value)) and abs(value) < 1e15:
        return str(round(value))
    if like is None or "." not in like.text:
        return _plain(f"{value:.12g}")
    digits = max(like.decimals, 0)
    shown = f"{value:.{min(digits, 15)}f}"
    return shown if float(shown) != 0 else _plain(f"{value:.6g}")


def _plain(text: str) -> str:
    return f"{float(text):.15f}".rstrip("0") if "e" in text and abs(float(text)) > 1e-10 else text


def _arithmetic(trial: Trial) -> Fix | None:
    pair = trial.pair
    literal = single(pair.right)
    if literal is None:
        return None
    value = float(own_value(pair, pair.left)[0, 0])
    text = printed(value, literal)
    if abs(float(text) - value) > 1e-9 * abs(value) + half_unit(Number(literal.span, text)):
        text = _plain(f"{value:.12g}")
    change = Change(pair.right.span[0], pair.right.span[1], text)
    says = f"the numbers on the left give {text}"
    return Fix(pair.left, Number(pair.right.span, text), (change,), says, "NU", pair.right.span)


def _slips(
    trial: Trial, symbolic: Node, value: float, said: float, literal: Number | None
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yields the slips that give the claimed number: code, sentence, missing terms."""
    margin = half_unit(literal) if literal is not None else 1e-9 * abs(said)
    margin += 1e-9 * abs(said)

    def near(number: float) -> bool:
        return bool(np.isfinite(number)) and abs(number - said) <= margin

    if value and abs(value - said) <= 2e-3 * abs(value):
        yield "NU", "", ()
    if said and near(-value):
        yield "SG", "the number has the wrong sign", ()
    if isinstance(symbolic, Updated):
        yield from _of_step(trial, symbolic, value, near)
    pair_of = derived(trial, symbolic, {})
    if pair_of is not None:
        yield from _of_derivative(trial, *pair_of, said, near)
    net = trial.setting.layered
    usual = [
        Ratio(2),
        Ratio(1, 2),
        Ratio(net.outputs),
        Ratio(1, net.outputs),
        Ratio(trial.points.examples),
        Ratio(1, trial.points.examples),
    ]
    for ratio in usual:
        if ratio != 1 and said and near(float(ratio) * value):
            yield "SC", f"the number is {ratio} times what it should be", ()
    if pair_of is not None and said:
        yield from _without_factors(trial, value, near)


def _of_step(
    trial: Trial, side: Updated, value: float, near: Callable[[float], bool]
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yields slips in a step: added instead of taken away, another weight's, half or twice as long."""
    now = 0.0 if side.change else float(own_value(trial.pair, side.of, trial.outcome.choices)[0, 0])
    if near(2 * now - value):
        yield "SG", "the step is added where it should be taken away", ()
    for ratio, says in ((2.0, "twice as long as it should be"), (0.5, "half as long as it should be")):
        if near(now + ratio * (value - now)):
            yield "SC", f"the step is {says}", ()
    if near(now):
        yield "NU", "it is the value before the step", ()


def _of_derivative(
    trial: Trial, of: Quantity, by: Quantity, said: float, near: Callable[[float], bool]
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    if said == 0 and of.kind == "C":
        yield (
            "WC",
            f"it would be 0 along a path that ends in another cost; {trial.writer.quantity(of)} is reached",
            (),
        )
    yield from _left_out(trial, of, by, said, near)
    yield from _of_another(trial, of, by, said, near)


def _left_out(
    trial: Trial, of: Quantity, by: Quantity, said: float, near: Callable[[float], bool]
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yields paths, or costs, that are left out."""
    points = trial.points
    plans = cut_plans(trial, NO_SIDE, of, by)
    anywhere = trial.setting.generic(1)
    plans.sort(key=lambda plan: plan != [("C", None)])
    for plan in plans:
        options = [term for term in terms(trial, of, by, plan) if np.any(term.value(anywhere) != 0)]
        values = [float(np.broadcast_to(term.value(points), (1, points.examples)).sum()) for term in options]
        if not 2 <= len(options) <= 10:
            continue
        some = (kept for size in range(1, len(options)) for kept in combinations(range(len(options)), size))
        for kept in some:
            if said and near(sum(values[place] for place in kept)):
                gone = [term for place, term in enumerate(options) if place not in kept]
                texts = tuple(term.written(trial.writer) for term in gone)
                code, what = ("MC", "the costs") if plan[0][0] == "C" else ("MP", "the paths")
                yield code, f"it is the sum without {what} {', '.join(texts)}", texts


def _of_another(
    trial: Trial, of: Quantity, by: Quantity, said: float, near: Callable[[float], bool]
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yields derivatives by another weight or neuron, or of another cost."""
    points, layout = trial.points, trial.setting.vocabulary.layout
    if by.kind == "w":
        turned = Quantity("w", by.layer, by.source, by.to)
        if exists(turned, layout) and said and near(float(points.derivative(of, turned)[0, 0])):
            yield (
                "TR",
                f"it is the derivative by the weight with its indices swapped, {trial.writer.quantity(turned)}",
                (),
            )
    if sum(o * i for o, i in zip(layout.sizes, layout.sizes[1:], strict=False)) < 400 and said:
        for q in quantities(layout):
            if q.kind == by.kind and q != by and near(float(points.derivative(of, q)[0, 0])):
                yield "WI", f"it is the derivative by {trial.writer.quantity(q)}", ()
        if of.kind in ("C", "total"):
            for q in (*(Quantity("C", None, k) for k in range(layout.sizes[-1])), Quantity("total")):
                if q != of and near(float(points.derivative(q, by)[0, 0])):
                    yield (
                        ("MC" if of.kind == "total" else "WC"),
                        f"it is the derivative of {trial.writer.quantity(q)}",
                        (),
                    )


def _without_factors(
    trial: Trial, value: float, near: Callable[[float], bool]
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yields slopes or weights along the path that are left out."""
    points = trial.points
    weights = [("MW", float(w)) for layer in points.weights for w in layer[0].ravel()][:60]
    slopes = [
        ("MA", float(slope))
        for layer, activation in enumerate(points.net.activations, 1)
        if not activation.trivial and not activation.dense
        for slope in function_slope(activation, points.z(layer))[0].ravel()
    ][:60]
    says = {"MA": "the slope of an activation function", "MW": "the weights along the path"}
    for factors, size in ((slopes, 1), (weights, 1), (weights, 2)):
        for chosen in combinations(factors, size):
            lacking = float(np.prod([number for _, number in chosen]))
            if lacking and near(value / lacking):
                code = chosen[0][0]
                yield code, f"it is the value without {says[code]}", ()
                return
