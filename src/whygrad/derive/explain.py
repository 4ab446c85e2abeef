"""Puts a derivation together: the answer in words, the steps, the paths, the checks and what it all stands on."""

from math import fsum
from typing import Any

import numpy as np

from whygrad.derive.derivation import Derivation
from whygrad.derive.difference import finite_difference
from whygrad.derive.layers import layerwise
from whygrad.derive.notes import notes
from whygrad.derive.spelling import Spelling
from whygrad.derive.steps import Derivatives, Question, chain_steps
from whygrad.derive.table import Traced
from whygrad.derive.words import cost_by_cost, in_words, reached
from whygrad.errors import NotSupportedError, ShapeError
from whygrad.notation import Quantity
from whygrad.run import Run


def explain(
    run: Run,
    quantity: str | Quantity | None = None,
    *,
    of: str | int | Quantity | None = None,
    by: str | Quantity | None = None,
    example: int | None = None,
    notation: str | None = None,
    k: int = 10,
) -> Derivation:
    """Returns the derivation of one derivative.

    ``explain(run, "w^0_{0,1}")`` is the derivative of the total by a weight; with ``of="C^0"`` of one cost;
    ``explain(run, "C^0", by="a^0_1")`` of anything by anything.

    Args:
        run: The run.
        quantity: What is differentiated by; or what is differentiated, where ``by`` says by what. Without it: the
            first weight.
        of: What is differentiated: a quantity's name, or a cost's number. The total where there is none,
            or the cost that is alone.
        by: What it is differentiated by.
        example: The number of one example (from 0); all of them together where there is none.
        notation: The notation to write in and to read names in; the network's own where there is none.
        k: How many paths to list where there are many.

    Raises:
        EquationError: A name can't be read.
        QuantityError: The network has no such quantity.
        ShapeError: There is no such example.

    Example:
        >>> import whygrad as wg
        >>> d = wg.Network.default().run().explain("w^0_{0,1}")
        >>> d.paths.count, d.sums_agree
        (6, True)
        >>> round(d.value, 6), {name: round(value, 6) for name, value in d.costs.items()}
        (0.33349, {'C^0': 0.28149, 'C^1': 0.052})
    """
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise ShapeError(f"explain: expected k to be a whole number from 1, found {k!r}")
    if notation is not None and notation != run.network.notation.name:
        run = Run(run.network.renamed(notation), run.x, run.y)
    if example is not None:
        run = run.example(example)
    target, source = _asked(run, quantity, of, by)
    if run.examples > 1 and target.kind not in ("total", "C", "R"):
        raise NotSupportedError(
            f"explain: {run.network.name(target)} has a value for each of the {run.examples} examples; "
            "choose one with example=0 (--example 0)"
        )
    spell = Spelling(run.network.notation, run.network.layout)
    traced = Traced(run, target, source, spell)
    value, parts = traced.sum_of("gradient"), traced.parts()
    shown = int(np.argmax(np.abs(parts))) if parts else 0
    question = Question(run, shown, target, source, spell, parts, value - fsum(parts))
    derivatives = Derivatives(question, traced.sweep("gradient"), traced.sweep("reach"))
    table = traced.table(int(k))
    same = source == target or (target.kind in ("a", "z") and run.entry(target) == run.entry(source))
    costs, reasons = cost_by_cost(run, traced, target, spell)
    return Derivation(
        quantity=run.network.name(source),
        of=run.network.name(target),
        heading=spell.d(target, source),
        value=value,
        costs=costs,
        cost_maths={run.network.name(q): spell.q(q) for q in run.cost_quantities},
        cost_reasons=reasons,
        words=in_words(question, value, table, reached(run, traced)),
        steps=() if same or not derivatives.reaches(source) else chain_steps(question, derivatives),
        paths=table,
        groups=traced.groups(),
        layerwise=layerwise(question),
        finite_difference=finite_difference(run, target, source),
        notes=notes(question, example),
        network=run.network.layered.title(),
        notation=run.network.notation.name,
        examples=tuple(enumerate(parts)),
        precision=1e-12 if run.network.dtype == np.float64 else 1e-5,
    )


def _asked(run: Run, quantity: Any, of: Any, by: Any) -> tuple[Quantity, Quantity]:
    """Returns what is differentiated, and by what."""
    if by is not None and quantity is not None and of is not None:
        raise NotSupportedError(
            "explain: expected a quantity and of=, or a quantity and by=, found all three"
        )
    if by is not None:
        of, quantity = (quantity if quantity is not None else of), by
    source = Quantity("w", 1, 0, 0) if quantity is None else run.quantity(quantity)
    if source.kind == "delta":
        source = source._replace(kind="z")
    if source.kind == "total":
        raise NotSupportedError(
            "explain: expected a weight, bias, activation, pre-activation, input, target or cost to differentiate by, "
            "found the total"
        )
    if of is None:
        return run.ends[0], source
    if isinstance(of, int) or (isinstance(of, str) and of.strip().isdigit()):
        return run.cost_quantities[run.cost_row(int(of))], source
    target = run.quantity(of)
    if target.kind in ("w", "b", "y") or (target.kind, target.layer) == ("a", 0):
        raise NotSupportedError(
            f"explain: {run.network.name(target)} is given, it depends on nothing; expected a cost, the total, an "
            "activation or a pre-activation to differentiate"
        )
    if target.kind == "delta":
        raise NotSupportedError(
            f"explain: {run.network.name(target)} is a derivative itself, and second derivatives aren't explained; "
            f"ask for {run.network.name(target._replace(kind='z'))} instead"
        )
    return target, source
