"""The paths of many quantities at once, summed by the neuron that they pass."""

from typing import Any

import numpy as np

from whygrad.derive.links import TOTAL
from whygrad.derive.table import GROUP_UP_TO, GROUPS
from whygrad.notation import Quantity
from whygrad.view.currents import Currents
from whygrad.view.explanation import many
from whygrad.view.members import Group
from whygrad.view.sheet import Sheet
from whygrad.view.study import Study
from whygrad.view.ways import Behind, Ways


class Passed:
    """The neurons that paths pass in the first few layers where they have a choice, and the sums through each.

    Args:
        study: The run, of one example.
        sheet: Where names are written down.
        ways: Its ways.
        currents: What flows through its layers.
    """

    def __init__(self, study: Study, sheet: Sheet, ways: Ways, currents: Currents) -> None:
        self._spell, self._sheet = study.spell, sheet
        self._net = study.run.network.layered
        self._ways, self._currents = ways, currents

    def layers(self, group: Group) -> list[int]:
        """Returns the layers whose neurons the paths are summed by."""
        first = max(group.layer + (group.kind == "a"), 1)
        small = [n for n in range(first, self._net.depth + 1) if 2 <= self._net.sizes[n] <= GROUP_UP_TO]
        return small[:GROUPS]

    def names(self, group: Group, of: Quantity, layer: int) -> list[list[Any]]:
        """Returns the neurons that are passed, and how many paths pass each."""
        level = self._ways.level("a", layer)
        if level <= group.level:
            return []  # all of its paths pass one neuron there
        behind = self._ways.behind(of)
        made = []
        for j in range(self._net.sizes[layer]):
            count = self._ways.between(group.level, level) * behind.count(level, j)
            if count:
                name = self._spell.q(Quantity("a", layer, j))
                made.append([self._sheet.formula(name), many(count)])
        return made

    def sums(self, group: Group, of: Quantity) -> list[list[float]]:
        """Returns each member's sums by the neurons that are passed."""
        made: list[list[float]] = [[] for _ in group.members]
        for layer in self.layers(group):
            if len(self.names(group, of, layer)) < 2:
                continue
            reached = np.zeros((len(group.members), self._ways.levels[group.level].size))
            reached[np.arange(len(group.members)), group.to] = group.factor
            level = self._ways.level("a", layer)
            for factor in self._ways.factors[group.level : level]:
                reached = reached @ factor.T
            ends = np.eye(self._net.outputs)[int(of.to or 0)] if of != TOTAL else np.ones(self._net.outputs)
            behind: Behind = self._ways.behind(of)
            passed = [j for j in range(self._net.sizes[layer]) if behind.count(level, j)]
            values = (reached * self._currents.back("a", layer, ends[None]))[:, passed] + 0.0
            for line, parts in zip(made, values.tolist(), strict=True):
                line += parts
        return made
