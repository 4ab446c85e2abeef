"""Puts a derivation together: the answer in words, the steps, the paths, the checks and what it all stands on."""

from typing import Any

import numpy as np

from whygrad.derive.derivation import Derivation, PathTable, Words
from whygrad.derive.difference import finite_difference
from whygrad.derive.layers import layerwise
from whygrad.derive.links import TOTAL
from whygrad.derive.spelling import Spelling
from whygrad.derive.steps import Derivatives, Question, chain_steps
from whygrad.derive.table import Traced
from whygrad.errors import NotSupportedError, ShapeError
from whygrad.notation import Quantity
from whygrad.ops import OPS
from whygrad.run import Run
from whygrad.structures import settled


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
        of: What is differentiated: a quantity's name, or a cost's number. The total where there is none.
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
    spell = Spelling(run.network.notation, run.network.layout)
    where = None if run.examples > 1 else 0
    if where is None and target.kind not in ("total", "C", "R"):
        raise NotSupportedError(
            f"explain: {run.network.name(target)} has a value for each of the {run.examples} examples; "
            "choose one with example=0 (--example 0)"
        )
    question = Question(run, where or 0, target, source, spell)
    derivatives = Derivatives(question)
    traced = Traced(run, target, source, where, spell)
    table = traced.table(int(k))
    value = traced.sum_of("gradient")
    costs, reasons = _by_cost(run, traced, target, source)
    return Derivation(
        quantity=run.network.name(source),
        of=run.network.name(target),
        title=run.network.layered.title(),
        heading=spell.d(target, source),
        value=value,
        costs=costs,
        cost_maths={run.network.name(q): spell.q(q) for q in run.cost_quantities},
        cost_reasons=reasons,
        words=_words(run, target, source, value, table, costs, spell),
        steps=chain_steps(question, derivatives) if derivatives.reaches(source) else (),
        paths=table,
        groups=traced.groups(),
        layerwise=layerwise(run, target, source, where or 0, spell),
        finite_difference=finite_difference(run, target, source, where),
        notes=_notes(run, source, example, spell),
        network=run.network.layered.title(),
        notation=run.network.notation.name,
        examples=_examples(run, traced, target, source),
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
        return TOTAL, source
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


def _by_cost(run: Run, traced: Traced, of: Quantity, by: Quantity) -> tuple[dict[str, float], dict[str, str]]:
    """Returns each cost's derivative, and for zeros the reason."""
    if of.kind not in ("total", "C", "R"):
        return {}, {}
    costs: dict[str, float] = {}
    reasons: dict[str, str] = {}
    values = run.sweep("gradient").sweep.values(traced.entries[0].node)
    reached = np.asarray(run.sweep("reach").sweep.values(traced.entries[0].node))
    live = np.asarray(run.sweep("total").sweep.values(traced.entries[0].node))
    for row, cost in enumerate(run.cost_quantities):
        name = run.network.name(cost)
        flat, there, weight = (np.ravel(array[row]) for array in (values, reached, live))
        places = [entry.position for entry in traced.entries]
        costs[name] = float(sum(float(flat[place]) for place in places))
        if not any(there[place] for place in places):
            reasons[name] = (
                f"{name} does not contain {run.network.name(by)}: no path leads from it to this cost"
            )
        elif all(weight[place] == 0 for place in places):
            reasons[name] = "every path has a factor that is 0"
        elif costs[name] == 0:
            reasons[name] = "the paths cancel exactly"
    return costs, reasons


def _words(
    run: Run,
    of: Quantity,
    by: Quantity,
    value: float,
    table: PathTable,
    costs: dict[str, float],
    spell: Spelling,
) -> tuple[Words, ...]:
    """Returns the answer for somebody who has never seen backpropagation."""
    what: Words = ("the total cost",) if of == TOTAL else (spell.q(of),)
    here: Words = (spell.q(by),)
    if table.count == 0:
        return (
            (
                "When ",
                *here,
                " changes a little, ",
                *what,
                " does not change at all. No path leads from the one to the other: ",
                *what,
                " does not contain ",
                *here,
                ". The derivative is the sum over all paths, and where there is no path the sum is empty, so it is 0. "
                "Nothing has to be checked for that: the rule is the same for every weight and every cost.",
            ),
        )
    direction = "grows" if value > 0 else "falls"
    if value == 0:
        change: Words = (*what, " does not change (to first order): the derivative is 0")
    else:
        change = (
            *what,
            f" {direction} by about ",
            spell.number(abs(value)),
            " times as much: that is the derivative",
        )
    opening: Words = ("When ", *here, " is increased a little, ", *change, ".")
    return opening, _ways(run, of, by, table, costs, spell)


def _ways(
    run: Run, of: Quantity, by: Quantity, table: PathTable, costs: dict[str, float], spell: Spelling
) -> Words:
    each = f" in each of the {run.examples} examples" if run.examples > 1 else ""
    if table.count == 1:
        count: Words = (
            "There is exactly one path from ",
            spell.q(by),
            " to ",
            *_ends(run, of, table, spell),
            each,
            ". ",
        )
        rule = (
            "Along it the local derivatives are multiplied, each the effect of one quantity on the next; with a single "
            "path there is nothing to add up. "
        )
    else:
        number = f"{table.count:,}".replace(",", " ")
        count = (spell.q(by), " reaches ", *_ends(run, of, table, spell), f" along {number} paths{each}. ")
        rule = (
            "Along a path the local derivatives are multiplied, each the effect of one quantity on the next. Every "
            "path carries a part of the effect, so one product can't be the answer: the products of all paths are added up. "
        )
    sums = ""
    reached = [name for name in costs if costs[name] != 0]
    if of == TOTAL and len(reached) > 1:
        sums = "The total is the sum of the costs, so the derivatives of the costs are added up too. "
    check = (
        "Which weight reaches which cost need not be checked: where there is no path, the sum is empty, so it is 0. "
        "One backward pass adds up all paths at once."
    )
    dead = table.count - table.live
    off = ""
    if dead and table.live:
        off = f"On {dead:,} of the paths a factor is 0, so they add nothing. ".replace(",", " ")
    elif dead:
        off = "On every path a factor is 0 here, so nothing comes through. "
    return (*count, rule, off, sums, check)


def _ends(run: Run, of: Quantity, table: PathTable, spell: Spelling) -> Words:
    """Returns what the paths lead to, in words."""
    if of != TOTAL:
        return (spell.q(of),)
    found = {row.cost for row in table.rows}
    ends = [spell.q(cost) for cost in run.cost_quantities if run.network.name(cost) in found]
    if table.others or not ends or len(ends) > 4:
        return (f"the {len(run.cost_names)} costs" if len(run.cost_names) > 1 else "the cost",)
    made: Words = (ends[0],)
    for place, end in enumerate(ends[1:], 2):
        made = (*made, " and " if place == len(ends) else ", ", end)
    return made


def _examples(run: Run, traced: Traced, of: Quantity, by: Quantity) -> tuple[tuple[int, float], ...]:
    """Returns each example's share of the derivative, where there are several."""
    if run.examples == 1 or by.kind not in ("w", "b"):
        return ()
    if of.kind == "R":
        return ()
    above = np.asarray(traced.run.seeded(of).joined(run.recorded.nodes["z", by.layer]))[:, int(by.to or 0)]
    if by.kind == "w":
        below = run.recorded.graph.nodes[run.recorded.nodes["a", int(by.layer or 1) - 1]].value
        above = above * below[:, int(by.source or 0)]
    return tuple((example, float(share)) for example, share in enumerate(above))


def _notes(run: Run, by: Quantity, example: int | None, spell: Spelling) -> tuple[Words, ...]:
    """Returns what the numbers stand on: the cost's formula, the examples, the kinks."""
    net = run.network.layered
    op = OPS[net.cost]
    assert op.cost is not None
    k = Quantity("C", None, 0)
    names = {"a": Quantity("a", net.depth, 0), "t": Quantity("y", None, 0)}
    tree = settled(op.structure.of, {})  # type: ignore[attr-defined]
    many = "one for each output" if net.outputs > 1 else "one output"
    formula = spell(lambda s: f"{s.q(k)} = {s.formula(tree, names)}")
    notes: list[Words] = [("Cost: ", formula, f" ({op.cost.says}; {many}).")]
    if net.l2:
        notes.append(
            (
                "And ",
                spell(
                    lambda s: (
                        f"{s.q(Quantity('R'))} = {s.number(net.l2 / 2)} "
                        + s.choose(r"\sum w^2", "Σ w²", "sum of w^2")
                    )
                ),
                " over all weights.",
            )
        )
    if example is not None:
        notes.append((f"Example {example} alone (counted from 0).",))
    elif run.examples > 1:
        joined = "averaged" if net.reduction == "mean" else "summed"
        notes.append(
            (
                f"Costs and contributions are {joined} over {run.examples} examples; the numbers in the steps and the "
                "layers are those of example 0.",
            )
        )
    notes.extend(_kinks(run))
    return tuple(notes)


def _kinks(run: Run) -> list[Words]:
    """Returns where the forward pass stands on a kink, so that a derivative is a choice."""
    notes: list[Words] = []
    net = run.network.layered
    nodes, graph = run.recorded.nodes, run.recorded.graph
    for layer, activation in enumerate(net.activations, 1):
        if not activation.op.kinks:
            continue
        places = np.argwhere(np.asarray(graph.nodes[nodes["z", layer]].value) == 0)
        if len(places):
            q = Quantity("z", layer, int(places[0][1]))
            more = f" and {len(places) - 1} more" if len(places) > 1 else ""
            notes.append(
                (
                    f"On a kink: {run.network.name(q)}{more} is exactly 0, where {activation.name} has no slope; "
                    f"taken is {activation.op.source}.",
                )
            )
    op = OPS[net.cost]
    if op.kinks:
        a, y = graph.nodes[nodes["a", net.depth]].value, run.y
        places = np.argwhere(a == y)
        if len(places):
            name = run.network.name(Quantity("a", net.depth, int(places[0][1])))
            notes.append(
                (
                    f"On a kink: {name} is exactly on target, where {net.cost} has no slope; taken is {op.source}.",
                )
            )
    return notes
