"""Products summed over labels: the partial by a factor is the other factor."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from whygrad.arrays import Array, in_numpy
from whygrad.contraction import Labels, contract_sum
from whygrad.formula import Tree, parse
from whygrad.structures.local import Column, Local, Settings, each

if TYPE_CHECKING:
    from whygrad.semirings import Element, Semiring


class Contraction(NamedTuple):
    """A product of two inputs summed over the labels that the output lacks; the partial is the other input."""

    arguments: tuple[str, ...]
    labels: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]

    def _fitted(self, ranks: tuple[int, ...]) -> tuple[tuple[str, ...], ...]:
        """Returns the labels with ``...`` spelled out for the ranks of the inputs."""
        spare = max(
            (
                rank - len(labels) + 1
                for rank, labels in zip(ranks, self.labels, strict=False)
                if "..." in labels
            ),
            default=0,
        )
        dots = tuple(f".{place}" for place in range(spare))
        return tuple(dots + labels[1:] if labels and labels[0] == "..." else labels for labels in self.labels)

    def value(self, inputs: tuple[Array, ...], settings: Settings, xp: Any) -> Array:
        """Returns the contraction of the two inputs."""
        first, second, out = self._fitted(tuple(len(x.shape) for x in inputs))
        return contract_sum(inputs[0], inputs[1], (first, second, out), xp)

    def formula(self, which: int, settings: Settings) -> Tree:
        """Returns the name of the other input."""
        return parse(self.arguments[1 - which])

    def pull(
        self, semiring: "Semiring", cotangent: "Element", local: Local, which: int, marked: bool
    ) -> "Element":
        """Returns the contraction of the cotangent with the other input."""
        labels = self._labels_back(local, which)
        return semiring.contract(
            cotangent, semiring.lift(local.inputs[1 - which], local.xp), labels, local.xp, marked
        )

    def _labels_back(self, local: Local, which: int) -> Labels:
        fitted, rows = self._fitted(tuple(len(x.shape) for x in local.inputs)), ("row",)
        return rows + fitted[2], fitted[1 - which], rows + fitted[which]

    def pull_some(
        self, semiring: "Semiring", cotangent: "Element", local: Local, which: int, marked: bool, some: slice
    ) -> "Element":
        """Returns the cotangents of some entries of an input, along its first axis."""
        labels = self._labels_back(local, which)
        axis = labels[2][1]

        def part(of: tuple[str, ...], array: Array) -> Array:
            return array[(*(slice(None),) * of.index(axis), some)] if axis in of else array

        known = {} if local.kept is None else local.kept
        if which not in known:
            known[which] = semiring.lift(local.inputs[1 - which], local.xp)
        first = each(cotangent, lambda array: part(labels[0], array))
        second = each(known[which], lambda array: part(labels[1], array))
        return semiring.contract(first, second, labels, local.xp, marked)

    def column(self, local: Local, which: int, position: int) -> Column:
        """Returns the output entries that share the entry's labels, with the other input's entries."""
        fitted = self._fitted(tuple(len(x.shape) for x in local.inputs))
        mine, other, out = fitted[which], fitted[1 - which], fitted[2]
        shape_of_input = tuple(local.inputs[which].shape)
        fixed = dict(zip(mine, np.unravel_index(position, shape_of_input), strict=True))
        free = [label for label in out if label not in fixed]
        sizes = dict(zip(out, local.output.shape, strict=True))
        grid = np.meshgrid(*(np.arange(sizes[label]) for label in free), indexing="ij")
        at = fixed | dict(zip(free, grid, strict=True))
        shape = tuple(sizes[label] for label in free)
        places = np.ravel_multi_index(
            tuple(np.broadcast_to(at[label], shape) for label in out), tuple(local.output.shape)
        )
        taken = in_numpy(local.inputs[1 - which][tuple(at[label] for label in other)])
        return Column(np.ravel(places), np.ravel(np.broadcast_to(taken, shape)))
