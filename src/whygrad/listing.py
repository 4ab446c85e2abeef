"""The strongest paths of a run or a recorded model with the names of their quantities, and the sums over all paths."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np

from whygrad.arrays import Array, in_numpy
from whygrad.exact_counts import ExactCounts
from whygrad.graph import Graph
from whygrad.paths import Path, Walker
from whygrad.sweep import Sweep


class Source(Protocol):
    """What paths are listed from: a run of a network, or a recorded model."""

    @property
    def graph(self) -> Graph:
        """What was computed."""

    def graph_sweep(self, semiring: str, progress: Callable[[str, float], None] | None = None) -> Sweep:
        """Returns the backward sweep under a semiring; ``progress`` is told how far it is."""

    def path_names(self, paths: Sequence[Path]) -> list[tuple[str, ...]]:
        """Returns the names of the quantities along each of some paths."""

    def unicode(self, name: str) -> str:
        """Returns a quantity's name as a terminal shows it."""


def _bar() -> AbstractContextManager[Callable[[str, float], None]]:
    from whygrad.render.progress import progress

    return progress()


# From so many paths on it takes a sweep for each 31 bits to count them exactly.
LARGE = 10**18


class NamedPath(NamedTuple):
    """A path with its quantities' names, from the quantity to the cost."""

    quantities: tuple[str, ...]
    contribution: float
    path: Path

    def __str__(self) -> str:
        return f"{' → '.join(self.quantities)}: {self.contribution:.6g}"

    def __repr__(self) -> str:
        return f"NamedPath({self})"


class Paths:
    """The strongest paths from some quantities to the costs, and the sums over all paths.

    A sequence of :class:`NamedPath`, strongest first. ``count``, ``sum`` and ``total`` are those of all paths, listed
    or not. It prints as a table.

    Attributes:
        stops: The operations without a declaration that lie on the way. Paths end there: ``sum`` has what goes through
            them too, and nothing else does.
    """

    def __init__(
        self,
        source: Source,
        starts: list[tuple[int, Array | None]],
        rows: tuple[int, ...] | None,
        k: int,
        stops: tuple[str, ...] = (),
    ) -> None:
        self.source, self._starts, self._rows, self._k, self.stops = source, starts, rows, k, stops

    @cached_property
    def _found(self) -> list[NamedPath]:
        source = self.source
        walker = Walker(source.graph, self._rows)
        with _bar() as tell:
            sweep = source.graph_sweep("strongest", lambda what, share: tell(what, share / 2))
            found = walker.strongest(
                sweep, self._starts, self._k, lambda share: tell("paths", (1 + share) / 2)
            )
        names = source.path_names(found)
        return [NamedPath(each, path.contribution, path) for each, path in zip(names, found, strict=True)]

    def _over_all(self, semiring: str) -> float:
        values = 0.0
        with _bar() as tell, np.errstate(all="ignore"):  # where contributions aren't finite, their sum isn't
            sweep = self.source.graph_sweep(semiring, tell)
            for node, positions in self._starts:
                if positions is None:
                    for piece in sweep.joined_pieces(node, self._rows):
                        values += float(in_numpy(piece).sum(dtype=np.float64))
                else:
                    flat = np.ravel(in_numpy(sweep.joined_in_double(node, self._rows)))
                    values += float(flat[positions].sum())
        return values

    @property
    def contribution(self) -> Array:
        """The contributions of the listed paths, strongest first."""
        return np.array([path.contribution for path in self._found])

    @property
    def quantities(self) -> list[tuple[str, ...]]:
        """The names of the quantities along each listed path."""
        return [path.quantities for path in self._found]

    @cached_property
    def sum(self) -> float:
        """The sum of the contributions of all paths: the gradient."""
        return self._over_all("gradient")

    @cached_property
    def total(self) -> float:
        """The sum of the absolute contributions of all paths."""
        return self._over_all("total")

    def _counters(self, tell: Callable[[str, float], None]) -> tuple[ExactCounts, ExactCounts]:
        return ExactCounts(self.source.graph, "count", tell), ExactCounts(self.source.graph, "live", tell)

    def _counted(self, counter: ExactCounts, tell: Callable[[str, float], None]) -> int:
        return sum(int(counter.joined(node, self._rows, at, tell).sum()) for node, at in self._starts)

    @cached_property
    def _counts(self) -> tuple[int, int]:
        with _bar() as tell:
            whole, live = (self._counted(counter, tell) for counter in self._counters(tell))
        return whole, live

    @cached_property
    def about(self) -> tuple[int, int]:
        """How many paths there are, and how many are live: from 10^18 on to some digits, which takes one sweep each.

        Their difference is right to some digits too.
        """
        with _bar() as tell:
            counters = self._counters(tell)
            whole, live = (
                sum(counter.about(node, self._rows, at) for node, at in self._starts) for counter in counters
            )
            # sums that were rounded say nothing of a small difference
            if whole < LARGE or (whole - live) * 10**6 < whole:
                whole, live = self._counts = (
                    self._counted(counters[0], tell),
                    self._counted(counters[1], tell),
                )
        return whole, live

    @property
    def count(self) -> int:
        """The number of all paths, exactly."""
        return self._counts[0]

    @property
    def live(self) -> int:
        """The number of paths on which every partial is nonzero."""
        return self._counts[1]

    @property
    def shares(self) -> Array:
        """Each listed path's absolute contribution as a share of ``total``, with its sign."""
        with np.errstate(all="ignore"):  # of what isn't finite there is no share
            return self.contribution / self.total if self.total else self.contribution

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[NamedPath]:
        return iter(self._found)

    def __getitem__(self, place: int) -> NamedPath:
        return self._found[place]

    def __str__(self) -> str:
        from whygrad.render.paths_text import paths_text

        return paths_text(self)

    def __repr__(self) -> str:
        return str(self)
