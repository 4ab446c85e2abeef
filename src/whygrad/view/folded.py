"""The explanations of everything in a picture, folded: what is alike is said once, and the numbers stand in columns.

Of a weight, only how it acts on its neuron is its own: everything behind is the neuron's. Explanations with the same
sentences are one template (see :mod:`whygrad.view.templates`), and each derivative has one line of numbers as text. The
viewer unfolds the explanation that is chosen.
"""

from collections.abc import Sequence
from math import fsum, isfinite
from typing import Any

import numpy as np

from whygrad.derive.derivation import Derivation, PathTable
from whygrad.derive.links import TOTAL, Link
from whygrad.derive.notes import notes
from whygrad.derive.spelling import NARROW, Slot, all_shown, spaced
from whygrad.derive.steps import Derivatives, chain_steps, first_step
from whygrad.derive.table import Traced
from whygrad.derive.words import cost_by_cost, in_words, reached
from whygrad.notation import Quantity
from whygrad.render.checks import number
from whygrad.view.cards import Cards
from whygrad.view.currents import Currents
from whygrad.view.explanation import Explanations, paths_title
from whygrad.view.keys import key
from whygrad.view.listed_paths import ListedPaths, open_links
from whygrad.view.members import Facts, Group, Members
from whygrad.view.passed import Passed
from whygrad.view.picture import Picture
from whygrad.view.sheet import Sheet, joined
from whygrad.view.study import Study
from whygrad.view.templates import roles, templated
from whygrad.view.ways import Ways


class _Told(Derivatives):
    """The two derivatives that the step of a weight speaks of, with open places for their digits."""

    def __init__(self, by: Quantity, value: float, behind: float) -> None:
        self._by, self._value, self._behind = by, value, behind

    def at(self, q: Quantity) -> float:
        """Returns the derivative by the weight, or by where it leads."""
        return Slot(self._value, "value") if q == self._by else Slot(self._behind, "behind")

    def reaches(self, q: Quantity) -> bool:
        """Returns that there is a path."""
        return True


class Folded:
    """All explanations of a run of one example, without the cost R.

    Args:
        study: The run.
        sheet: Where formulas are written down.
        picture: What is drawn of it.
        explanations: Its explanations.
        ends: What is differentiated: the total, and costs.
    """

    def __init__(
        self,
        study: Study,
        sheet: Sheet,
        picture: Picture,
        explanations: Explanations,
        ends: Sequence[Quantity],
    ) -> None:
        self._study, self._sheet, self._picture = study, sheet, picture
        self._explanations, self._ends = explanations, ends
        self._run, self._net = study.run, study.run.network.layered
        self._ways = Ways(study.run)
        self._members = Members(study.run, self._ways, picture, ends)
        self._currents = Currents(study.run, self._ways, picture)
        self._passed = Passed(study, sheet, self._ways, self._currents)
        self._cards = Cards(study, sheet)
        self._open_links = open_links(study.run)
        self._listed = ListedPaths(study, sheet, self._ways, self._open_links)
        self._templates: list[dict[str, Any]] = []
        self._classes: dict[tuple[Any, ...], int] = {}
        self._layers: dict[str, Any] = {}

    def json(self) -> dict[str, Any]:
        """Returns the folded explanations as a part of the document."""
        shared: dict[str, Any] = {}
        records: dict[str, str] = {}
        for of in self._ends:
            for group in self._members.groups:
                place = f"{group.kind}{group.layer}|{key(of)}"
                shared[place] = self._shared(group, of)
                records[place] = self._records(group, of)
        ways = {key(of): self._listed.ranks(of, self._members.groups) for of in self._ends}
        cards = self._listed.cards()
        self._complete_names()
        return {
            "templates": self._templates,
            "shared": shared,
            "records": records,
            "layers": self._layers,
            "ways": ways,
            "cards": cards,
            "edges": self._currents.edges,
            "strands": {key(of): self._picture.strands(of)[0] for of in self._ends},
            "texts": self._texts(),
            "dense": [activation.dense for activation in self._net.activations],
        }

    # Templates

    def _records(self, group: Group, of: Quantity) -> str:
        """Returns a line of numbers for each member."""
        facts = self._members.facts(group, of)
        behind = self._ways.behind(of)
        sums = self._passed.sums(group, of)
        templates = self._template_numbers(group, of, facts)
        steps = self._steps(group, of, facts) if group.station else []
        stations = group.to.tolist()
        drawn = self._currents.drawn(group.level, stations, of) if group.station else []
        listed = {j: [way.contribution for way in behind.listed(group.level, j)] for j in set(stations)}
        numbers = zip(
            *(part.tolist() for part in (facts.value, facts.size, facts.sum, facts.difference, facts.walked)),
            group.factor.tolist(),
            strict=True,
        )
        made = []
        for m, (value, size, summed, difference, walked, factor) in enumerate(numbers):
            contributions = [c * factor + 0.0 for c in listed[stations[m]]]
            left, rest = facts.counted[m] - len(contributions), fsum((summed, *(-c for c in contributions)))
            text = number(value)
            fields = [
                str(templates[m]),
                text,
                "=" if abs(float(text) - value) <= 1e-12 * max(1.0, abs(value)) else "~",
                number(summed) if walked else "",
                number(difference) if isfinite(difference) else "",
                _share(max(1 - abs(value) / size, 0.0)) if size else "",
                number(size),
                spaced(left, NARROW) if left else "",
                number(rest if abs(rest) > 1e-15 * size else 0.0) if left else "",
                all_shown(contributions),
                all_shown(sums[m]),
            ]
            if group.station:
                shares = [c / size if size else 0.0 for c in contributions]
                fields += [all_shown(shares), str(steps[m]), *map(str, drawn[m])]
            else:
                fields.append(f"{factor + 0.0:.10g}")
            made.append("|".join(fields))
        return "\n".join(made)

    def _template_numbers(self, group: Group, of: Quantity, facts: Facts) -> list[int]:
        """Returns the number of each member's template; what decides about its sentences tells them apart."""
        factor = group.factor
        ones = np.ones(len(factor), dtype=int)
        live = {many: n for n, many in enumerate(dict.fromkeys(facts.live))}
        own_kink = ones * 0
        if group.kind != "a" and group.layer in self._members.kinks:
            own_kink = self._members.kinks[group.layer][group.to]
        last = group.level == len(self._ways.levels) - 1
        deciding = (
            np.sign(facts.value),
            facts.counted if last else ones,
            [live[many] for many in facts.live],
            facts.walked,
            group.to == of.to if last and of.to is not None else ones,
            ones if group.source is None else group.source != 0,
            ones if group.slope is None else group.slope != 0,
            factor == 1,
            facts.size != 0,
            np.isfinite(facts.difference),
            facts.agree,
            facts.near,
            own_kink,
            *facts.codes.T,
        )
        told = np.column_stack([np.asarray(each, dtype=int) for each in deciding])
        rows, first, which = np.unique(told, axis=0, return_index=True, return_inverse=True)
        made = []
        for row, m in zip(rows, first.tolist(), strict=True):
            where = (group.kind, group.layer, of if self._members.kinks else of == TOTAL)
            class_ = (*where, facts.counted[m], facts.live[m], row.tobytes())
            if class_ not in self._classes:
                self._classes[class_] = len(self._templates)
                self._templates.append(self._written(group, m, of, facts))
            made.append(self._classes[class_])
        return [made[n] for n in np.ravel(which).tolist()]

    def _written(self, group: Group, m: int, of: Quantity, facts: Facts) -> dict[str, Any]:
        """Returns the template of a member's class: its explanation, with open places."""
        study, run, q = self._study, self._run, group.members[m]
        question = study.question(of, q)
        traced = Traced(run, of, q, study.spell)
        value, count = float(facts.value[m]), facts.counted[m]
        table = PathTable(
            (), count, facts.live[m], float(facts.sum[m]), float(facts.size[m]), facts.walked[m]
        )
        costs, reasons = cost_by_cost(run, traced, of, study.spell)
        difference = float(facts.difference[m])
        d = Derivation(
            quantity=run.network.name(q),
            of=run.network.name(of),
            heading=study.spell.d(of, q),
            value=value,
            costs=costs,
            cost_maths={},
            cost_reasons=reasons,
            words=in_words(question, Slot(value, "value"), table, reached(run, traced)),
            steps=(),
            paths=table,
            groups=(),
            layerwise=(),
            finite_difference=difference if np.isfinite(difference) else None,
            notes=notes(question, None),
            network="",
            notation="",
            examples=(),
            precision=1e-12 if run.network.dtype == np.float64 else 1e-5,
        )
        made = self._explanations.common(d)
        del made["costs"], made["value"]
        made["checks"]["rows"] = _open_checks(made["checks"]["rows"], table)
        made["paths"] = {
            "title": paths_title(count),
            "count": spaced(count, NARROW),
        }
        level = self._ways.levels[group.level]
        if not group.station and count:
            link = self._link(q)
            told = _Told(q, value, 0.0)
            made["steps"] = [self._explanations.step(first_step(question, told, [link]))]
            factor = (study.spell(link.symbols), float(group.factor[m]))
            made["card"] = self._cards.written((q, link.to), factor, link) | {"v": "$factor"}
        names = roles(q, of, self._net.depth, level.kind)
        whole: dict[str, Any] = templated(made, self._sheet, names)
        return whole

    def _link(self, q: Quantity) -> Link:
        """Returns the link of a weight, with open places for its numbers."""
        (link,) = self._open_links.after(q)
        if q.layer not in self._ways.slopes:
            return link
        return link._replace(numbers=(*link.numbers[:-1], Slot(link.numbers[-1], "slope")))

    # What a group has in common

    def _shared(self, group: Group, of: Quantity) -> dict[str, Any]:
        """Returns what the explanations of a group have in common."""
        behind, level = self._ways.behind(of), self._ways.levels[group.level]
        self._whole_layers(group.members[0], of)
        made: dict[str, Any] = {}
        names = [self._passed.names(group, of, layer) for layer in self._passed.layers(group)]
        made["groups"] = [rows for rows in names if len(rows) > 1]
        if group.station:
            first = next((level.at(j) for j in range(level.size) if behind.count(group.level, j)), None)
            made["steps"] = [] if first is None else self._rest(first, of)
        return made

    def _whole_layers(self, q: Quantity, of: Quantity) -> None:
        """Keeps the layer-wise form of a group: one for all costs, but where it has the numbers of each."""
        group = f"{q.kind}{q.layer}"
        if f"{group}|{of.kind}" in self._layers:
            return
        kinds: dict[str, list[Any]] = {}
        numbers = False
        for kind, lines in self._study.layers(of, q).items():
            kinds[kind] = []
            for line in lines:
                grid = [joined(row) for row in line.result.values] if line.result else None
                marked = line.result is not None and line.result.marked is not None
                numbers = numbers or grid is not None
                kinds[kind].append({"f": self._sheet.formula(line.math), "grid": grid, "mark": marked})
        self._layers[f"{group}|{key(of) if numbers else of.kind}"] = templated(kinds, self._sheet, {of: "of"})

    def _rest(self, q: Quantity, of: Quantity) -> list[int]:
        """Returns the steps behind a station's own."""
        steps = chain_steps(self._study.question(of, q), self._study.derivatives(of))
        return [self._explanations.kept_step(step) for step in steps[1:]]

    def _steps(self, group: Group, of: Quantity, facts: Facts) -> list[Any]:
        """Returns the number of each station's own step; nothing where there is no path."""
        derivatives = self._study.derivatives(of)
        return [
            self._explanations.kept_step(first_step(self._study.question(of, q), derivatives))
            if count
            else ""
            for q, count in zip(group.members, facts.counted, strict=True)
        ]

    def _complete_names(self) -> None:
        """Adds the slopes and the names with exponents of all neurons that templates are filled with."""
        neurons: dict[int, set[int]] = {layer: set(shown) for layer, shown in enumerate(self._picture.shown)}
        for level, j, to in self._listed.used:
            neurons[self._ways.levels[level].layer].add(j)
            if level + 1 < len(self._ways.levels):
                neurons[self._ways.levels[level + 1].layer].add(to)
        for symbol in list(self._sheet.symbols):
            if symbol.kind in ("s", "p") and symbol.of.kind in ("a", "z", "y"):
                layer = self._net.depth if symbol.of.layer is None else symbol.of.layer
                for j in neurons[layer] if symbol.of.to is not None else ():
                    self._sheet.symbol(symbol._replace(of=symbol.of._replace(to=j)))

    def _texts(self) -> dict[str, str]:
        """Returns numbers as formulas have them: values of neurons, and slopes under ``s``."""
        made: dict[str, str] = {}
        depth = self._net.depth
        for layer in range(depth + 1):
            for j in self._picture.shown[layer]:
                made[f"a{layer}.{j}"] = number(float(self._members.values("a", layer)[j]))
        for layer in range(1, depth + 1):
            for j in self._picture.shown[layer]:
                made[f"z{layer}.{j}"] = number(float(self._members.values("z", layer)[j]))
                if layer in self._ways.slopes:
                    made[f"s{layer}.{j}"] = number(float(self._ways.slopes[layer][j]))
        return made


def _share(cancelled: float) -> str:
    return f"{cancelled:.1%}" if cancelled > 1e-9 else "0%"


def _open_checks(rows: list[list[str]], table: PathTable) -> list[list[str]]:
    """Returns the rows of checks with open places for their numbers."""
    made = []
    for name, _, remark in rows:
        place = {"backward pass": "$value", "finite difference": "$difference", "cancellation": "$share"}
        said = remark.replace(number(table.total), "{total}") if name == "cancellation" else remark
        made.append([name, place.get(name, "$sum"), said])
    return made
