"""The paths that folded explanations list: where each goes on, and the cards of the factors along them."""

from collections.abc import Iterable
from copy import copy
from typing import Any

import numpy as np

from whygrad.derive.links import TOTAL, Links
from whygrad.derive.spelling import Slot
from whygrad.notation import Quantity
from whygrad.render.checks import number
from whygrad.run import Run
from whygrad.view.cards import Cards
from whygrad.view.keys import key
from whygrad.view.members import Group
from whygrad.view.sheet import Sheet, Symbol
from whygrad.view.study import Study
from whygrad.view.templates import link_roles, templated
from whygrad.view.ways import Ways


def open_links(run: Run) -> Links:
    """Returns links whose numbers are open places."""
    opened = copy(run)

    def value(q: Quantity, example: int = 0) -> float:
        found = run.value(q, example)
        return Slot(found, "inside") if q.kind == "z" else Slot(found, "input") if q.kind == "a" else found

    opened.value = value  # type: ignore[method-assign, assignment]  # of a copy
    return Links(opened, 0, TOTAL)


class ListedPaths:
    """The paths from a run's stations that are listed anywhere.

    Attributes:
        used: The steps along them, in order: level, station, next station.

    Args:
        study: The run.
        sheet: Where formulas are written down.
        ways: The run's ways.
        links: Links with open places.
    """

    def __init__(self, study: Study, sheet: Sheet, ways: Ways, links: Links) -> None:
        self._study, self._sheet, self._ways, self._links = study, sheet, ways, links
        self._cards = Cards(study, sheet)
        self.used: dict[tuple[int, int, int], None] = {}

    def ranks(self, of: Quantity, groups: Iterable[Group]) -> dict[str, str]:
        """Returns the paths of every station that are needed: the next station's number, and the rest's place."""
        behind, levels = self._ways.behind(of), self._ways.levels
        needed: list[dict[int, set[int]]] = [{} for _ in levels]
        for group in groups:
            if group.station:
                for j in group.to.tolist():
                    needed[group.level][j] = set(range(len(behind.listed(group.level, j))))
        made: dict[str, str] = {}
        for level, stations in enumerate(needed):
            for j, ranks in stations.items():
                ways = behind.best(level, j)
                for rank in ranks:
                    self.used[level, j, ways[rank].to] = None
                    if level + 1 < len(levels):
                        needed[level + 1].setdefault(ways[rank].to, set()).add(ways[rank].rank)
                shown = [f"{way.to}.{way.rank}" if n in ranks else "" for n, way in enumerate(ways)]
                made[key(levels[level].at(j))] = " ".join(shown[: max(ranks, default=-1) + 1])
        return made

    def cards(self) -> dict[str, Any]:
        """Returns the factors on the listed paths: from>to -> template, number, and what the slope is at."""
        found: dict[str, list[Any]] = {}
        written: list[Any] = []
        classes: dict[Any, int] = {}
        levels = self._ways.levels
        for level, j, to in self.used:
            start = levels[level].at(j)
            last = level + 1 == len(levels)
            end = Quantity("C", None, to) if last else levels[level + 1].at(to)
            value = float(self._ways.last[j] if last else self._ways.factors[level][to, j])
            weight = Quantity("w", end.layer, to, j) if start.layer != end.layer and not last else None
            inside = self._study.run.value(Quantity("z", end.layer, to)) if not last else 0.0
            class_: tuple[Any, ...] = (level, np.sign(value) if value in (0, 1) else 2)
            class_ += (
                value == 0 and weight is not None and self._study.run.value(weight) == 0,
                j == to and weight is None,
            )
            if last and value == 0:
                class_ += (j,)
            if class_ not in classes:
                classes[class_] = len(written)
                written.append(self._card(start, end, value))
            found[f"{key(start)}>{key(end)}"] = [classes[class_], f"{value:.10g}", number(inside)]
            for q in (start, end, weight):
                if q is not None:
                    self._sheet.symbol(Symbol("q", q))
        return {"templates": written, "factors": found}

    def _card(self, start: Quantity, end: Quantity, value: float) -> dict[str, Any]:
        link = next(link for link in self._links.after(start, only=(end,)) if link.to == end)
        factor = (self._study.spell(link.symbols), value)
        made = self._cards.written((start, end), factor, link) | {"v": "$factor"}
        whole: dict[str, Any] = templated(made, self._sheet, link_roles(start, end))
        return whole
