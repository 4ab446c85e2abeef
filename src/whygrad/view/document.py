"""The document of a run: everything that the viewer shows, as dictionaries, lists, texts and numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from whygrad.derive.links import TOTAL
from whygrad.errors import NotSupportedError, QuantityError
from whygrad.notation import Quantity
from whygrad.ops import ACTIVATIONS, COSTS
from whygrad.run import Run
from whygrad.view import keys
from whygrad.view.explanation import Explanations
from whygrad.view.marking import Names, notation_names, symbols_json
from whygrad.view.picture import Picture, says
from whygrad.view.play import Play
from whygrad.view.sheet import Sheet, Symbol, rounded
from whygrad.view.study import Study

VERSION = 1
# A network of up to so many numbers is sent with all of them, so that they can be changed on the page.
EDITABLE_UP_TO = 5000


def document(
    run: Run,
    *,
    chosen: Any = None,
    of: Any = None,
    notation: str | None = None,
    semiring: str = "gradient",
    example: int | None = None,
) -> dict[str, Any]:
    """Returns the document of a run, with the explanation of the chosen quantity.

    Args:
        run: The run.
        chosen: What is differentiated by: a key, a name in the network's notation, or a quantity; the first weight
            that has a derivative where there is none.
        of: What is differentiated: the total, or a cost.
        notation: The notation that names are shown in first.
        semiring: What the picture is coloured by first.
        example: The number of one example; all of them together where there is none.

    Raises:
        QuantityError: The network has no such quantity, or it can't be what is asked for.
        NotSupportedError: There is no such notation or semiring.

    Example:
        >>> import whygrad as wg
        >>> made = document(wg.Network.default().run(), chosen="w1.0.0", of="C0")
        >>> made["version"], made["kind"], made["state"]["chosen"], made["state"]["of"]
        (1, 'layered', 'w1.0.0', 'C0')
        >>> made["scenes"]["all"]["explanations"]["w1.0.0|C0"]["value"]
        0.28149
    """
    return Document(run, chosen, of, notation, semiring, example).json()


class Document:
    """A document in the making: scenes (all examples, or one) share a sheet of formulas.

    Args:
        run: The run.
        chosen: What is explained first.
        of: What is differentiated.
        notation: The notation that is shown first.
        semiring: What the picture is coloured by first.
        example: The example that is shown first.
    """

    def __init__(
        self,
        run: Run,
        chosen: Any = None,
        of: Any = None,
        notation: str | None = None,
        semiring: str = "gradient",
        example: int | None = None,
    ) -> None:
        self.run = run
        self.sheet = Sheet()
        self.notation = notation or run.network.notation.name
        run.network.in_notation(self.notation)
        self.of = asked(run, of, run.ends[0])
        if self.of.kind not in ("total", "C", "R"):
            raise QuantityError(
                f"view: expected the total or a cost to explain, found {run.network.name(self.of)}"
            )
        self.example = None if example is None or run.examples == 1 else run.example_row(example)
        self.studies = {self.example: Study(run, self.sheet, self.example)}
        study = self.studies[self.example]
        self.chosen = asked(run, chosen, None) if chosen is not None else first_choice(study.run)
        if self.chosen.kind == "total":
            raise QuantityError("view: expected a quantity to differentiate by, found the total")
        self.picture = Picture(study.run, self.chosen, self._strongest(study))
        if semiring not in self.picture.semirings():
            raise NotSupportedError(
                f"view: expected one of {', '.join(self.picture.semirings())} to colour by, found {semiring!r}"
            )
        self.semiring = semiring
        self.scenes: dict[str, dict[str, Any]] = {}
        self._explained: dict[int | None, Explanations] = {}

    def _strongest(self, study: Study) -> list[list[Quantity]]:
        """Returns the strongest paths of what is chosen, where the picture has to choose neurons."""
        if max(study.run.network.layered.sizes) <= 12 or self.chosen.kind == "R":
            return []
        found = study.run.paths(self.chosen, k=10)
        return [[self.sheet.quantity(name) for name in path.quantities] for path in found]

    def explanations(self, example: int | None) -> Explanations:
        """Returns the explanations of a scene."""
        if example not in self._explained:
            study = self.studies.setdefault(example, Study(self.run, self.sheet, example))
            self._explained[example] = Explanations(study, self.sheet, self.picture)
        return self._explained[example]

    def add_scene(self, example: int | None, semirings: Sequence[str]) -> None:
        """Adds a scene: all examples together, or one of them, with the explanation of what is chosen."""
        explanations = self.explanations(example)
        explanations.add(self.chosen, self.of)
        study = self.studies[example]
        self.scenes[self.place(example)] = {
            "values": self.picture_of(study).values(),
            "colours": {name: self.picture_of(study).colours(name) for name in semirings},
            "costs": {
                keys.key(cost): rounded(float(value))
                for cost, value in zip(study.run.cost_quantities, study.run.costs, strict=True)
            },
            "total": rounded(study.run.total),
            "explanations": explanations.made,
            "play": Play(study, self.sheet, self.picture).steps() if study.run.examples == 1 else [],
        }

    @staticmethod
    def place(example: int | None) -> str:
        """Returns under what a scene stands."""
        return "all" if example is None else str(example)

    def picture_of(self, study: Study) -> Picture:
        """Returns the picture with another scene's numbers: the neurons that are drawn stay the same."""
        return self.picture.of(study.run)

    def json(self) -> dict[str, Any]:
        """Returns the document, with the scene that is shown first."""
        place = self.place(self.example)
        if place not in self.scenes:
            self.add_scene(self.example, tuple(dict.fromkeys(("gradient", self.semiring))))
        run, net = self.run, self.run.network.layered
        symbol = self.sheet.symbol
        made: dict[str, Any] = {
            "version": VERSION,
            "kind": "layered",
            "title": net.title(),
            "network": {
                "sizes": list(net.sizes),
                "activations": [str(activation) for activation in net.activations],
                "bias": net.bias,
                "cost": net.cost,
                "reduction": net.reduction,
                "l2": net.l2,
                "examples": run.examples,
            },
            "state": {
                "chosen": keys.key(self.chosen),
                "of": keys.key(self.of),
                "notation": self.notation,
                "semiring": self.semiring,
                "example": self.example,
            },
            "of": [[keys.key(q), symbol(Symbol("q", q))] for q in run.ends],
            "semirings": [[name, says(name)] for name in self.picture.semirings()],
            "picture": self.picture.layout(self.sheet),
            "scenes": self.scenes,
            "data": self._data(),
        }
        symbol(Symbol("q", TOTAL))
        spelled = {
            name: Names(self.sheet, run.network.in_notation(name), run.network.layout)
            for name in notation_names()
        }
        study = next(iter(self.studies.values()))
        return made | {
            "notations": [
                [name, run.network.in_notation(name).describe(), study.kind_of[name]]
                for name in notation_names()
            ],
            "sheet": {
                "symbols": symbols_json(self.sheet),
                "skeletons": self.sheet.skeletons,
                "formulas": self.sheet.formulas,
                "steps": self.sheet.steps,
                "cards": self.sheet.cards,
                "lines": self.sheet.lines,
                "names": {name: each.names for name, each in spelled.items()},
                "derivatives": {name: each.rules for name, each in spelled.items()},
            },
        }

    def _data(self) -> dict[str, Any] | None:
        """Returns the numbers that can be changed, where they are few."""
        run, net = self.run, self.run.network
        if sum(array.size for array in (*net.parameters.values(), run.x, run.y)) > EDITABLE_UP_TO:
            return None
        return {
            "parameters": {name: np.asarray(array).tolist() for name, array in net.parameters.items()},
            "x": run.x.tolist(),
            "y": run.y.tolist(),
            "activation": [str(activation) for activation in net.layered.activations],
            "activations": list(ACTIVATIONS),
            "cost": net.layered.cost,
            "costs": list(COSTS),
        }


def asked(run: Run, given: Any, default: Quantity | None) -> Quantity:
    """Returns the quantity that a key, a name, a cost's number or a quantity stands for."""
    if given is None and default is not None:
        return default
    if isinstance(given, int) and not isinstance(given, bool):
        return run.cost_quantities[run.cost_row(given)]
    if isinstance(given, str):
        try:
            found = keys.quantity(given)
        except QuantityError:
            found = run.quantity(given)
    else:
        found = run.quantity(given)
    found = run.quantity(found)
    return found._replace(kind="z") if found.kind == "delta" else found


def first_choice(run: Run) -> Quantity:
    """Returns the first weight, or the first that has a derivative."""
    sweep = run.sweep("gradient").sweep
    for layer in range(1, run.network.layered.depth + 1):
        node = run.recorded.nodes["w", layer]
        found = np.flatnonzero(np.ravel(np.asarray(sweep.joined(node))))
        if len(found):
            width = run.network.layered.sizes[layer - 1]
            return Quantity("w", layer, int(found[0]) // width, int(found[0]) % width)
    return Quantity("w", 1, 0, 0)
