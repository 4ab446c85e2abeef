"""What the numbers of a derivation stand on: the cost's formula, the examples, the kinks."""

import numpy as np

from whygrad.derive.derivation import Words
from whygrad.derive.spelling import Speller
from whygrad.derive.steps import Question
from whygrad.notation import Quantity
from whygrad.ops import OPS


def notes(question: Question, example: int | None) -> tuple[Words, ...]:
    """Returns the notes.

    Args:
        question: What is asked.
        example: The number of the example that was chosen out of several, where one was.
    """
    made = [_cost(question)]
    run, net, spell = question.run, question.run.network.layered, question.spell
    if net.l2:

        def regular(s: Speller) -> str:
            squares = s.choose(r"\sum w^2", "Σ w²", "sum of w^2")
            return f"{s.q(Quantity('R'))} = {s.number(net.l2 / 2)} {squares}"

        made.append(("One more cost: ", spell(regular), ", over all weights."))
    if example is not None:
        made.append((f"Example {example} alone (counted from 0).",))
    elif run.examples > 1:
        joined = "averaged" if net.reduction == "mean" else "summed"
        made.append((f"Costs and contributions are {joined} over the {run.examples} examples.",))
    return (*made, *_kinks(question))


def _cost(question: Question) -> Words:
    """Returns the formula of a cost: of the one that is asked about, or else of the first."""
    net = question.run.network.layered
    op = OPS[net.cost]
    assert op.cost is not None
    k = question.of.to if question.of.kind == "C" and question.of.to is not None else 0
    names = {"a": Quantity("a", net.depth, k), "t": Quantity("y", None, k)}
    tree = op.value({})
    formula = question.spell(lambda s: f"{s.q(Quantity('C', None, k))} = {s.formula(tree, names)}")
    many = (
        f"one such cost for each of the {net.outputs} outputs" if net.outputs > 1 else "there is one output"
    )
    return ("Cost: ", formula, f" ({op.cost.says}; {many}).")


def _kinks(question: Question) -> list[Words]:
    """Returns where a path passes a kink, so that its derivative is a choice."""
    run, by = question.run, question.by
    net, (graph, nodes) = run.network.layered, run.recorded
    found: list[Words] = []
    reach = run.seeded(question.of, question.example, "reach")
    first = 0 if by.layer is None else by.layer + (by.kind == "a")
    for layer, activation in enumerate(net.activations, 1):
        if not activation.op.kinks or by.kind in ("y", "C", "R") or layer < first:
            continue
        node = nodes["z", layer]
        passed = np.asarray(reach.joined(node)).astype(bool)
        if layer == by.layer:
            passed = passed & (np.arange(passed.shape[1]) == by.to)
        places = np.argwhere((np.asarray(graph.nodes[node].value) == 0) & passed)
        if len(places):
            z = Quantity("z", layer, int(places[0][1]))
            name = activation.name
            found.append(
                (
                    *_where(question, z, places),
                    f" exactly 0, at the kink of {name}, where a slope is a choice: ",
                    activation.op.source,
                    ".",
                )
            )
    op = OPS[net.cost]
    if op.kinks and by.kind not in ("C", "R"):
        outputs = graph.nodes[nodes["a", net.depth]].value
        at = nodes["y", None] if by.kind == "y" else nodes["a", net.depth]
        places = np.argwhere((outputs == run.y) & np.asarray(reach.joined(at)).astype(bool))
        if by.kind == "y":
            places = places[places[:, 1] == by.to]
        if len(places):
            a = Quantity("a", net.depth, int(places[0][1]))
            found.append(
                (
                    *_where(question, a, places),
                    f" exactly on target, at the kink of {net.cost}, where a slope is a choice: ",
                    op.source,
                    ".",
                )
            )
    return found


def _where(question: Question, q: Quantity, places: np.ndarray) -> Words:
    """Returns the first place on a kink, and how many more there are, as the beginning of a sentence."""
    example = f" of example {int(places[0][0])}" if question.run.examples > 1 else ""
    more = len(places) - 1
    return ("On a kink: ", question.spell.q(q), example, f" and {more} more are" if more else " is")
