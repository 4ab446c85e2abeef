"""The document of a saved page: explanations of everything that can be chosen, as far as a budget goes."""

from typing import Any

from whygrad.derive.links import TOTAL
from whygrad.notation import Quantity
from whygrad.run import Run
from whygrad.view.document import Document

# So many derivations take a second or two, and a page of a few hundred kilobytes.
WHOLE_UP_TO = 900
# Of larger networks, so many derivatives of the total: a weight's is its neuron's with one more factor.
TOTAL_UP_TO = 4000
# Where nothing can be shared (several examples), the largest so many.
LARGEST = 150


def complete(run: Run, **options: Any) -> dict[str, Any]:
    """Returns a document with as many explanations as can be made in seconds, and what they cover.

    Args:
        run: The run.
        options: What is shown first: see :func:`whygrad.view.document.document`.

    Example:
        >>> import whygrad as wg
        >>> made = complete(wg.Network.default().run())
        >>> made["covers"]["all"], len(made["scenes"]["all"]["explanations"]) > 100
        (True, True)
    """
    made = Document(run, **options)
    budget = WHOLE_UP_TO
    scenes: list[int | None] = [made.example]
    if run.examples > 1:
        scenes += [n for n in (None, *range(run.examples)) if n != made.example]
    ends = _ends(run)
    each = len(made.picture.items) * len(ends)
    covers: dict[str, Any] = {"all": True, "examples": []}
    for example in scenes:
        if example != made.example and budget < each:
            covers["all"] = False
            continue
        made.add_scene(example, made.picture.semirings())
        covers["examples"].append(example)
        if each <= budget:
            _everything(made, example, ends)
        else:
            covers["all"] = False
            _largest(made, example, ends)
        budget -= each
    return made.json() | {"covers": covers, "data": None}


def _ends(run: Run) -> list[Quantity]:
    """Returns what can be differentiated: the total first, where it is more than one cost."""
    return [TOTAL, *run.cost_quantities]


def _everything(made: Document, example: int | None, ends: list[Quantity]) -> None:
    """Explains everything, and the local derivatives that occur in the explanations."""
    explanations = made.explanations(example)
    for q in made.picture.items:
        for of in ends:
            explanations.add(q, of)
    if made.studies[example].run.examples > 1:
        return  # an activation has no one value there
    for symbol in list(made.sheet.symbols):
        if symbol.kind == "s":
            explanations.add(symbol.of, symbol.of._replace(kind="a"))
        elif symbol.kind == "d" and symbol.by is not None and symbol.of.kind in ("a", "z"):
            explanations.add(symbol.by, symbol.of)


def _largest(made: Document, example: int | None, ends: list[Quantity]) -> None:
    """Explains what is chosen for each cost, and of the rest the derivatives of the total, the largest first."""
    explanations = made.explanations(example)
    for of in ends[: LARGEST // 10]:
        explanations.add(made.chosen, of)
    values = made.picture_of(made.studies[example]).colours("gradient")["total"]
    sized = sorted(zip(made.picture.items, values, strict=True), key=lambda pair: -abs(pair[1] or 0.0))
    many = TOTAL_UP_TO if explanations.composable else LARGEST
    for q, _ in sized[:many]:
        explanations.add(q, TOTAL, through=True)
