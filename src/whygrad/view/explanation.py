"""Explanations as parts of a document: a derivation with its formulas, cards, paths and the flow for the picture."""

import itertools
from math import fsum
from typing import Any

import numpy as np

from whygrad.derive.derivation import Derivation, Layerwise, PathRow, PathTable, Step
from whygrad.derive.difference import finite_difference
from whygrad.derive.links import TOTAL, Link
from whygrad.derive.notes import notes
from whygrad.derive.steps import first_step
from whygrad.derive.table import Traced
from whygrad.derive.words import cost_by_cost, in_words, reached
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
        self._layers: dict[tuple[Any, ...], Any] = {}
        self.made: dict[str, dict[str, Any]] = {}

    @property
    def composable(self) -> bool:
        """Whether a weight's explanation is its neuron's with one more factor: one example, and no cost R."""
        return self._study.run.examples == 1 and not self._study.run.network.layered.l2

    def add(self, q: Quantity, of: Quantity, through: bool = False) -> None:
        """Explains a derivative, unless that has been done.

        Args:
            q: What is differentiated by.
            of: What is differentiated.
            through: Say of a weight only how it acts on its neuron, and refer to the neuron for the rest.
        """
        name = f"{key(q)}|{key(of)}"
        if name in self.made:
            return
        if through and self.composable and self._leads(q) is not None:
            self.made[name] = self._composed(q, of)
        else:
            self.made[name] = self._whole(q, of)

    def _leads(self, q: Quantity) -> Link | None:
        """Returns the one link that a quantity has, where it leads to a neuron."""
        if q.kind not in ("w", "b", "z"):
            return None
        links = self._study.links(q)
        return links[0] if len(links) == 1 and links[0].to.kind in ("a", "z") else None

    def _whole(self, q: Quantity, of: Quantity) -> dict[str, Any]:
        d = self._study.derivation(of, q)
        made = self._common(q, of, d)
        made["steps"] = [self._step(step) for step in d.steps]
        made["layers"] = self._layerwise(self._study.layers(of, q, d))
        made["paths"] = self._paths(d.paths, of) | {
            "rows": [self._row(row, of) for row in d.paths.rows],
            "others": f"{d.paths.others:,}".replace(",", "\u202f") if d.paths.others else None,
            "others_sum": rounded(d.paths.others_sum) if d.paths.others else None,
        }
        made["groups"] = [
            [[self._sheet.formula(name), _many(many), rounded(value)] for name, many, value in group.rows]
            for group in d.groups
        ]
        made["flow"] = self._picture.flow(self._flows.of(q, self._picture.strands(of)[1]), q, of)
        return made

    def _common(self, q: Quantity, of: Quantity, d: Derivation) -> dict[str, Any]:
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

    def _step(self, step: Step) -> int:
        lines = [[self._sheet.formula(line.math), rounded(line.value)] for line in step.lines]
        return self._sheet.step(
            {"title": step.title, "says": self._sheet.words(step.says), "lines": lines},
        )

    def _paths(self, table: PathTable, of: Quantity) -> dict[str, Any]:
        title = {0: "No path", 1: "The one path"}.get(table.count, f"The {_many(table.count)}")
        return {
            "title": title + (", each example's apart" if table.apart else ""),
            "count": f"{table.count:,}".replace(",", "\u202f"),
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

    # A weight by its neuron

    def _composed(self, q: Quantity, of: Quantity) -> dict[str, Any]:
        """Returns a weight's explanation: its own step and factor, and a reference to where it leads."""
        study, run = self._study, self._study.run
        link = self._leads(q)
        assert link is not None
        self.add(link.to, of)
        after = study.derivation(of, link.to)
        question = study.question(of, q)
        traced = Traced(run, of, q, study.spell)
        value = traced.sum_of("gradient")
        live = after.paths.live if link.value else 0
        table = PathTable(
            (),
            after.paths.count,
            live,
            after.paths.sum * link.value,
            after.paths.total * abs(link.value),
            after.paths.walked,
        )
        costs, reasons = cost_by_cost(run, traced, of, study.spell)
        derivation = Derivation(
            quantity=run.network.name(q),
            of=run.network.name(of),
            heading=study.spell.d(of, q),
            value=value,
            costs=costs,
            cost_maths={},
            cost_reasons=reasons,
            words=in_words(question, value, table, reached(run, traced)),
            steps=(),
            paths=table,
            groups=(),
            layerwise=(),
            finite_difference=finite_difference(run, of, q),
            notes=notes(question, None),
            network="",
            notation="",
            examples=(),
            precision=1e-12 if run.network.dtype == np.float64 else 1e-5,
        )
        made = self._common(q, of, derivation)
        reaches = table.count > 0
        made["steps"] = [self._step(first_step(question, study.derivatives(of)))] if reaches else []
        made["after"] = key(link.to)
        made["layers"] = self._shared_layers(q, of, derivation)
        made["flow"] = self._picture.first(
            q, of, self._flows.first(q, self._picture.strands(of)[1]), link.value
        )
        shown = [row.contribution * link.value for row in after.paths.rows]
        sign = 1.0 if link.value > 0 else -1.0 if link.value < 0 else 0.0
        factor = (study.spell(link.symbols), link.value)
        made["paths"] = self._paths(table, of) | {
            "card": self._cards.card((q, link.to), of, factor, 0) if reaches else None,
            "c": joined(shown),
            "h": joined(row.share * sign for row in after.paths.rows),
            "others": f"{after.paths.others:,}".replace(",", "\u202f") if after.paths.others else None,
            "others_sum": rounded(table.sum - fsum(shown)) if after.paths.others else None,
        }
        made["groups"] = [
            [
                [self._sheet.formula(name), _many(many), rounded(part * link.value)]
                for name, many, part in g.rows
            ]
            for g in after.groups
        ]
        return made

    def _shared_layers(self, q: Quantity, of: Quantity, d: Derivation) -> dict[str, Any]:
        """Returns the layer-wise form, which all weights of a layer share but for the entry that is marked."""
        if q.kind != "w":
            d.layerwise = (None,)  # type: ignore[assignment]
            return self._layerwise(self._study.layers(of, q, d))
        place = (of, q.layer)
        if place not in self._layers:
            if of != TOTAL and of.kind != "C":
                return {}
            d.layerwise = (None,)  # type: ignore[assignment]
            self._layers[place] = self._layerwise(self._study.layers(of, q, d))
        kinds = {}
        for kind, lines in self._layers[place].items():
            mark = [q.source, q.to] if kind.startswith("from-to") else [q.to, q.source]
            last = lines[-1]
            kinds[kind] = [*lines[:-1], [last[0], mark] if isinstance(last, list) else last]
        return kinds


def _many(count: int) -> str:
    return "1 path" if count == 1 else f"{count:,} paths".replace(",", "\u202f")
