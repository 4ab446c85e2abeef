"""The document of a saved page: explanations of everything that can be chosen, as far as a budget goes."""

from typing import Any

from whygrad.derive.links import TOTAL
from whygrad.notation import Quantity
from whygrad.run import Run
from whygrad.view.document import Document
from whygrad.view.folded import Folded

# Up to so many derivations, each is written out by itself; of more, what is alike is said once.
WRITTEN_OUT_UP_TO = 200
# So many derivations of which nothing is shared (of several examples together, or with the cost R) take seconds.
WHOLE_UP_TO = 900
# So many folded ones take seconds, and a page of a few megabytes.
FOLDED_UP_TO = 36_000
# Where not everything can be explained, of the total's derivatives the largest so many.
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
    scenes: list[int | None] = [made.example]
    if run.examples > 1:
        scenes += [n for n in (None, *range(run.examples)) if n != made.example]
    ends = list(run.ends)
    each = len(made.picture.items) * len(ends)
    covers: dict[str, Any] = {"all": True, "examples": []}
    few = each * len(scenes) <= WRITTEN_OUT_UP_TO
    whole, folded = WHOLE_UP_TO, FOLDED_UP_TO
    for example in scenes:
        alone = run.examples == 1 or example is not None
        foldable = alone and not run.network.layered.l2 and not few
        shown_first = example == made.example
        if not shown_first and each > (folded if foldable else whole):
            covers["all"] = False
            continue
        made.add_scene(example, made.picture.semirings())
        covers["examples"].append(example)
        if foldable:
            # Of many costs, the total and the first of those that are drawn.
            many = max(1, folded // len(made.picture.items))
            covers["all"] = covers["all"] and len(ends) <= many
            drawn = [of for of in ends if of == TOTAL or of in made.picture.places]
            _folded(made, example, [*drawn, *(of for of in ends if of not in drawn)][:many])
            folded -= each
        elif each <= whole:
            _everything(made, example, ends)
            whole -= each
        else:
            covers["all"] = False
            _largest(made, example, ends)
            whole = 0
    return made.json() | {"covers": covers, "data": None}


def _folded(made: Document, example: int | None, ends: list[Quantity]) -> None:
    """Explains everything: weights and neurons folded, targets and costs by themselves."""
    study, explanations = made.studies[example], made.explanations(example)
    picture = made.picture_of(study)
    made.scenes[made.place(example)]["folded"] = Folded(study, made.sheet, picture, explanations, ends).json()
    for q in picture.items:
        if q.kind in ("y", "C"):
            for of in ends:
                explanations.add(q, of)
    _local(made, example)


def _everything(made: Document, example: int | None, ends: list[Quantity]) -> None:
    """Explains everything, each by itself."""
    explanations = made.explanations(example)
    for q in made.picture.items:
        for of in ends:
            explanations.add(q, of)
    if made.studies[example].run.examples == 1:
        _local(made, example)  # of several, an activation has no one value


def _local(made: Document, example: int | None) -> None:
    """Explains the local derivatives that occur in the explanations."""
    explanations = made.explanations(example)
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
    for q, _ in sized[:LARGEST]:
        explanations.add(q, ends[0])
