"""Explanations as parts of a document: a derivation with its formulas, cards, paths and the flow for the picture."""

import itertools
from typing import Any

from whygrad.derive.derivation import Derivation, Layerwise, PathRow, PathTable, Step
from whygrad.derive.spelling import NARROW, spaced
from whygrad.notation import Quantity
from whygrad.render.checks import checks, checks_title
from whygrad.view.cards import Cards
from whygrad.view.flows import Flows
from whygrad.view.keys import key
from whygrad.view.picture import Picture
from whygrad.view.sheet import Sheet, joined, rounded
from whygrad.view.study import Study


class Explanations:
    """The explanations of a run's quantities.

    Args:
        study: The run.
        sheet: Where formulas are written down.
        picture: What is drawn of it.
    """

    def __init__(self, study: Study, sheet: Sheet, picture: Picture) -> None:
        self._study, self._sheet, self._picture = study, sheet, picture
        self._cards = Cards(study, sheet)
        self._flows = Flows(study.run)
        self.made: dict[str, dict[str, Any]] = {}

    def add(self, q: Quantity, of: Quantity) -> None:
        """Explains a derivative, unless that has been done.

        Args:
            q: What is differentiated by.
            of: What is differentiated.
        """
        name = f"{key(q)}|{key(of)}"
        if name not in self.made:
            self.made[name] = self._whole(q, of)

    def _whole(self, q: Quantity, of: Quantity) -> dict[str, Any]:
        d = self._study.derivation(of, q)
        made = self.common(d)
        made["steps"] = [self.kept_step(step) for step in d.steps]
        made["layers"] = self._layerwise(self._study.layers(of, q, tuple(part for _, part in d.examples)))
        made["paths"] = self._paths(d.paths) | {
            "rows": [self._row(row, of) for row in d.paths.rows],
            "others": spaced(d.paths.others, NARROW) if d.paths.others else None,
            "others_sum": rounded(d.paths.others_sum) if d.paths.others else None,
        }
        made["groups"] = [
            [[self._sheet.formula(name), many(count), rounded(value)] for name, count, value in group.rows]
            for group in d.groups
        ]
        made["flow"] = self._picture.flow(self._flows.of(q, self._picture.strands(of)[1]), q, of)
        return made

    def common(self, d: Derivation) -> dict[str, Any]:
        """Returns what every explanation has: heading, values, words, checks and notes."""
        run = self._study.run
        keys = {run.network.name(cost): key(cost) for cost in run.cost_quantities}
        words = self._sheet.words
        return {
            "heading": self._sheet.formula(d.heading),
            "value": rounded(d.value),
            "costs": {keys[name]: rounded(value) for name, value in d.costs.items()},
            "reasons": {keys[name]: words(reason) for name, reason in d.cost_reasons.items()},
            "words": [words(paragraph) for paragraph in d.words],
            "checks": {"title": checks_title(d), "rows": [list(row) for row in checks(d)]},
            "agree": bool(d.sums_agree and d.difference_agrees),
            "notes": [words(note) for note in d.notes],
            "examples": [[n, rounded(part)] for n, part in d.examples],
        }

    def step(self, step: Step) -> dict[str, Any]:
        """Returns a step of a derivation."""
        lines = [[self._sheet.formula(line.math), rounded(line.value)] for line in step.lines]
        return {"title": step.title, "says": self._sheet.words(step.says), "lines": lines}

    def kept_step(self, step: Step) -> int:
        """Returns the number of a step on the sheet."""
        return self._sheet.step(self.step(step))

    def _paths(self, table: PathTable) -> dict[str, Any]:
        return {
            "title": paths_title(table.count) + (", each example's apart" if table.apart else ""),
            "count": spaced(table.count, NARROW),
            "sum": rounded(table.sum),
            "total": rounded(table.total),
            "walked": table.walked,
        }

    def _row(self, row: PathRow, of: Quantity) -> dict[str, Any]:
        stations = [self._sheet.quantity(name) for name in row.quantities]
        cards = [
            self._cards.card(ends, of, factor, row.example or 0)
            for ends, factor in zip(itertools.pairwise(stations), row.factors, strict=False)
        ]
        return {
            "q": [key(q) for q in stations],
            "k": cards,
            "c": rounded(row.contribution),
            "h": rounded(row.share),
            "cost": key(self._sheet.quantity(row.cost)),
            "example": row.example,
        }

    def _layerwise(self, kinds: dict[str, tuple[Layerwise, ...]]) -> dict[str, list[Any]]:
        """Returns lines' numbers under each of the conventions, with the entry that is marked where one is."""
        made: dict[str, list[Any]] = {}
        for kind, lines in kinds.items():
            made[kind] = []
            for line in lines:
                grid = [joined(row) for row in line.result.values] if line.result else None
                place = self._sheet.line({"f": self._sheet.formula(line.math), "grid": grid})
                mark = line.result.marked if line.result else None
                made[kind].append(place if mark is None else [place, list(mark)])
        return made


def many(count: int) -> str:
    """Returns a number of paths in words."""
    return "1 path" if count == 1 else f"{spaced(count, NARROW)} paths"


def paths_title(count: int) -> str:
    """Returns the heading of a table of so many paths."""
    return {0: "No path", 1: "The one path"}.get(count, f"The {many(count)}")
