"""Cards: one factor of a path, as symbol, number and a sentence that says what it is and why it is 0 or 1."""

from typing import Any

from whygrad.derive.derivation import Words
from whygrad.derive.links import TOTAL, Link, Links
from whygrad.derive.spelling import Math
from whygrad.notation import Quantity
from whygrad.view.sheet import Sheet, rounded
from whygrad.view.study import Study


class Cards:
    """The cards of a run's factors, each made once.

    Args:
        study: The run.
        sheet: Where formulas are written down.
    """

    def __init__(self, study: Study, sheet: Sheet) -> None:
        self._study, self._sheet = study, sheet
        self._made: dict[tuple[Quantity, Quantity, Quantity, int], int] = {}

    def card(
        self, ends: tuple[Quantity, Quantity], of: Quantity, factor: tuple[Math, float], example: int
    ) -> int:
        """Returns the number of the card of the factor between two neighbours on a path.

        Args:
            ends: The two quantities.
            of: What is differentiated.
            factor: The local derivative, as symbols and as a number.
            example: The example whose numbers the factor has.
        """
        # A neuron that is the end of the paths is cut in two; for every cost the factors are the same.
        cut = of if of.kind in ("a", "z") else TOTAL
        key = (*ends, cut, example)
        if key not in self._made:
            links = Links.kept(self._study.run, example, cut)
            link = next((each for each in links.after(ends[0], only=(ends[1],)) if each.to == ends[1]), None)
            self._made[key] = self._sheet.card(self.written(ends, factor, link))
        return self._made[key]

    def written(
        self, ends: tuple[Quantity, Quantity], factor: tuple[Math, float], link: Link | None
    ) -> dict[str, Any]:
        """Returns a card: its ends, symbols, number, sentence, and the formula where it has one."""
        math, value = factor
        made = {
            "from": self._sheet.formula(self._study.spell.q(ends[0])),
            "to": self._sheet.formula(self._study.spell.q(ends[1])),
            "f": self._sheet.formula(math) if math.latex not in ("", "1") else None,
            "v": rounded(value),
            "says": self._sheet.words(self._says(ends, value, link)),
        }
        if link is not None and link.explicit is not None:
            made["e"] = self._sheet.formula(self._study.spell(link.explicit))
        return made

    def _says(self, ends: tuple[Quantity, Quantity], value: float, link: Link | None) -> Words:
        """Returns what the factor is, in one sentence, and why it is 0 or 1 where it is."""
        start, end = ends
        name, net = self._study.spell.q, self._study.run.network.layered
        a, b = name(start), name(end)
        said: Words
        if start.kind == "w" and end.kind == "R":
            said = (b, " contains half the square of ", a, ", so its slope is the weight itself, scaled")
        elif start.kind == "w":
            below = name(Quantity("a", int(start.layer or 1) - 1, start.source))
            said = (a, " is multiplied with ", below, " on the way into ", b)
        elif start.kind == "b":
            said = (a, " is added on the way into ", b)
        elif end.kind == "total":
            said = ("the total contains ", a, " once")
        elif start.kind == "a" and end.kind in ("a", "z"):
            weight = name(Quantity("w", end.layer, end.to, start.to))
            said = (b, " takes ", a, " in with the weight ", weight)
        elif start.kind == "z":
            layer = int(start.layer or 1)
            activation = net.activations[layer - 1]
            if activation.trivial:
                said = (a, " and ", b, " are the same number")
            elif activation.dense:
                said = (f"{activation.name} makes ", b, " from the whole layer, ", a, " included")
            else:
                said = (f"the slope of {activation.name} at ", a)
        else:
            said = ("how steeply ", b, " rises with ", a)
        if link is not None and self._passes(start, end):
            activation = net.activations[int(end.layer or 1) - 1]
            said = (*said, f", and {activation.name} passes on its slope there")
        return (*said, *self._why(value, link), ".")

    def _passes(self, start: Quantity, end: Quantity) -> bool:
        """Returns whether the factor contains a slope besides what is multiplied."""
        net = self._study.run.network.layered
        if start.kind not in ("w", "b", "a") or end.kind != "a":
            return False
        activation = net.activations[int(end.layer or 1) - 1]
        return not activation.trivial and not activation.dense

    @staticmethod
    def _why(value: float, link: Link | None) -> Words:
        if value == 0 and link is not None and link.reason:
            return ("; it is 0 because ", *link.reason)
        if value == 0:
            return ("; it is 0, so nothing comes through",)
        if value == 1:
            return ("; 1 passes everything on as it is",)
        return ()
