"""Slips in paths: those that are missing or counted twice, and chains through a weight."""

from collections.abc import Iterator

import numpy as np

from whygrad.equation.missing import account
from whygrad.equation.missing import derived as derivative_of
from whygrad.equation.slips.common import as_written, holds_with, ref_of
from whygrad.equation.tree import (
    Derivative,
    Node,
    Number,
    Product,
    Symbol,
    Updated,
    replaced,
    walk,
)
from whygrad.equation.trial import Change, Fix, Trial
from whygrad.equation.vocabulary import constant_ref
from whygrad.notation import Quantity


def missing_terms(trial: Trial) -> Iterator[Fix]:
    """Paths, or costs, that are left out; and those that are there too often."""
    if not trial.values or trial.numeric:
        return
    found = account(trial, trial.values[0])
    if found is None or not (found.missing or found.surplus) or len(set(found.missing)) < len(found.missing):
        return
    writer = trial.writer
    missing = tuple(term.written(writer) for term in found.missing)
    surplus = tuple(term.written(writer) for term in found.surplus)
    right = trial.pair.right
    text = trial.pair.text[right.span[0] : right.span[1]].rstrip()
    new = " ".join([text] + [f"+ {term}" for term in missing] + [f"- {term}" for term in surplus])
    zero = isinstance(right, Number) and right.value == 0
    if zero and missing:
        new = " + ".join(missing)
    costs = {term.places[1] for term in found.missing if len(term.places) > 1 and term.places[1].kind == "C"}
    others = {term.places[1] for term in found.whole if len(term.places) > 1} - costs
    forward = (
        {q.to for term in found.missing for q in term.places if q.kind == "C"}
        if costs or (found.missing and found.missing[0].places[0].kind == "C")
        else set()
    )
    by_cost = bool(costs and others) or bool(
        forward
        and found.missing[0].places[0].kind == "C"
        and derivative_of(trial, trial.pair.left, trial.values[0]) is None
    )
    if found.missing:
        code = "MC" if by_cost else "MP"
        what = "cost" if code == "MC" else "path"
        named = any((ref := ref_of(node)) is not None and ref.kind in ("C", "total") for node in walk(right))
        if by_cost and not named and derivative_of(trial, trial.pair.left, trial.values[0]) is not None:
            # Who writes with deltas thinks of paths.
            code, what = "MP MC", "path"
        every = f" of {len(found.whole)}" if len(found.whole) > len(missing) else ""
        counted = f"{len(missing)}{every} {what}s are" if len(missing) > 1 else f"a {what} is"
        says = f"{counted} missing: {', '.join(missing)}"
        if found.surplus:
            says += f"; too many: {', '.join(surplus)}"
    else:
        code, says = "DC", f"counted too often: {', '.join(surplus)}"
    if not _reads_back(trial, new):
        return
    change = Change(right.span[0], right.span[0] + len(text), new)
    yield Fix(trial.pair.left, right, (change,), says, code, right.span, missing, surplus)


def _reads_back(trial: Trial, text: str) -> bool:
    from whygrad.equation.reader import read_side
    from whygrad.errors import EquationError

    try:
        right = read_side(text, trial.setting.vocabulary)
    except EquationError:
        return False
    return trial.holds(trial.pair.left, right)


def missing_costs(trial: Trial) -> Iterator[Fix]:
    """Costs of other outputs that are left out of a derivative of the total."""
    now = trial.value(trial.pair.right, trial.values[0]) if trial.values else None
    if now is None or not np.any(now != 0):
        return
    for fix in missing_terms(trial):
        if "MC" in fix.code and not fix.surplus:
            yield fix


def through_a_weight(trial: Trial) -> Iterator[Fix]:
    """A chain that goes through a weight, which depends on nothing."""
    right, changes, shown = trial.pair.right, [], []
    for product in [node for node in walk(right) if isinstance(node, Product)]:
        factors = list(product.factors)
        for first in [factor for factor in factors if isinstance(factor, Derivative)]:
            ref = ref_of(first.of)
            if ref is None or ref.kind not in ("w", "b"):
                continue
            second = next(
                (
                    other
                    for other in factors
                    if isinstance(other, Derivative) and other is not first and ref_of(other.by) == ref
                ),
                None,
            )
            if second is None:
                continue
            joined = Derivative(second.span, second.of, first.by)
            text = trial.writer.derivative(as_written(trial, second.of), as_written(trial, first.by))
            factors[factors.index(second)] = joined
            factors.remove(first)
            changes += [
                Change(second.span[0], second.span[1], text),
                Change(first.span[0], first.span[1], ""),
            ]
            shown.append(as_written(trial, first))
        if len(factors) < len(product.factors):
            made: Node = (
                factors[0]
                if len(factors) == 1
                else Product(product.span, tuple(factors), ("",) * (len(factors) - 1))
            )
            right = replaced(right, product, made)
    if not changes:
        return
    says = f"{', '.join(shown)} is 0: a weight depends on nothing, so the chain can't go through it"
    fix = Fix(trial.pair.left, right, tuple(changes), says, "TI", trial.pair.right.span)
    if holds_with(trial, fix):
        yield fix


def old_or_new(trial: Trial) -> Iterator[Fix]:
    """Weights after the step where those before it belong."""
    right, changes, shown = trial.pair.right, [], []
    own = trial.setting.own
    for node in walk(trial.pair.right):
        if isinstance(node, Updated) and not node.change:
            right = replaced(right, node, node.of)
            changes.append(Change(node.span[0], node.span[1], as_written(trial, node.of)))
            shown.append(as_written(trial, node))
        if isinstance(node, Number) and "." in node.text and trial.setting.given:
            for layer, weights in enumerate(own.weights, 1):
                step = own.rate[:, :, None] * np.einsum(
                    "pet,pes->pts", own.costs_by_array("z", layer).sum(axis=2) * own.share, own.a(layer - 1)
                )
                near = np.argwhere(np.abs((weights - step)[0] - node.value) <= 0.51 * 10.0**-node.decimals)
                if len(near) == 1 and node.digits > 3:
                    ref = constant_ref(Quantity("w", layer, int(near[0][0]), int(near[0][1])))
                    text = trial.writer.ref(ref)
                    right = replaced(right, node, Symbol(node.span, text, (ref,)))
                    changes.append(Change(node.span[0], node.span[1], text))
                    shown.append(node.text)
    if not changes:
        return
    says = f"{', '.join(shown)} are weights after the step: all derivatives are taken before any weight moves"
    fix = Fix(trial.pair.left, right, tuple(changes), says, "UO", trial.pair.right.span)
    if holds_with(trial, fix):
        yield fix


def for_some(trial: Trial) -> Iterator[Fix]:
    """A general claim that is true for some values of its letters only."""
    if not trial.failing or len(trial.failing) == len(trial.values):
        return
    first = trial.setting.vocabulary.neurons_start()
    shown = ", ".join(
        f"{letter} = {number + first}"
        for letter, number in sorted(trial.failing[0].items())
        if letter not in trial.letters.layer_letters
    )
    yield Fix(
        trial.pair.left,
        trial.pair.right,
        (),
        f"it is true for some indices only, and not for {shown}",
        "CL",
        trial.pair.right.span,
    )
