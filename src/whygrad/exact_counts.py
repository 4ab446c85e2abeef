"""How many paths there are, as exact integers of any size."""

import math
from functools import cached_property, partial
from typing import Any

import numpy as np

from whygrad.arrays import Array, extremes, in_numpy
from whygrad.cotangent import Cotangent
from whygrad.graph import Graph
from whygrad.progress import Progress, quiet
from whygrad.semirings import SEMIRINGS, SumSemiring
from whygrad.sweep import Sweep

# What sweeps modulo primes may keep together; those beyond are made anew for each question.
KEPT_BYTES = 1 << 30


class Count(int):
    """The number of paths, as an exact integer; ``live`` counts those on which every partial is nonzero.

    Example:
        >>> count = Count(6, live=4)
        >>> count, count.live
        (6, 4)
    """

    live: int

    def __new__(cls, structural: int, live: int) -> "Count":
        """Returns the count as an ``int`` that knows its live part."""
        self = super().__new__(cls, structural)
        self.live = live
        return self


class ExactCounts:
    """Counts of paths as exact integers, for the ``count`` or the ``live`` semiring.

    Args:
        graph: What was computed.
        semiring: Its name.
        progress: Told what is being counted, and which share of it is done.
    """

    def __init__(self, graph: Graph, semiring: str, progress: Progress = quiet) -> None:
        self._graph = graph
        self._semiring = semiring
        self._plain = Sweep(graph, semiring, progress=partial(progress, semiring))
        self._primes: list[int] = []
        self._residues: dict[int, Sweep] = {}

    def joined(
        self,
        number: int,
        rows: tuple[int, ...] | None = None,
        positions: Any = None,
        progress: Progress = quiet,
    ) -> Array:
        """Returns, as an object array of Python integers, the counts of paths to some costs (all: nothing)."""

        def chosen(sweep: Sweep) -> Array:
            values = in_numpy(sweep.joined(number, rows))
            return values if positions is None else np.ravel(values)[positions]

        plain = chosen(self._plain)
        cotangent = self._plain.cotangent(number)
        exponent = cotangent.exponent if cotangent is not None else 0
        largest = float(np.max(plain, initial=0.0))
        if exponent == 0 and largest < 2.0**52:
            return _integers(plain)
        bits = self._bits(number)
        residues: Array = np.zeros(plain.shape, dtype=object)
        product = 1
        place = 0
        while product.bit_length() <= bits + 2:
            progress(self._semiring, product.bit_length() / (bits + 3))
            prime, sweep = self._residue(place)
            found = _integers(chosen(sweep))
            # Garner: add the multiple of the product so far that makes the residue right.
            inverse = pow(product, -1, prime)
            residues = residues + product * ((found - residues) * inverse % prime)
            product *= prime
            place += 1
        return residues

    def about(self, number: int, rows: tuple[int, ...] | None = None, positions: Any = None) -> int:
        """Returns the sum of the counts to some digits: from the sweep that is there, whatever their size."""
        if positions is None:
            return sum(_about(piece, rows) for piece in self._plain.pieces(number, rows))
        cotangent = self._plain.cotangent(number)
        return 0 if cotangent is None else _about(cotangent, rows, positions)

    def _bits(self, number: int) -> int:
        cotangent = self._plain.cotangent(number)
        assert cotangent is not None
        (part,) = cotangent.parts
        rows = len(cotangent.rows)
        return math.frexp(extremes(part)[1])[1] + cotangent.exponent + rows.bit_length()

    def _residue(self, place: int) -> tuple[int, Sweep]:
        while len(self._primes) <= place:
            self._primes.append(_prime_below(self._primes[-1] if self._primes else 2**31))
        prime = self._primes[place]
        if place in self._residues:
            return prime, self._residues[place]
        # A restart would multiply residues by residues, beyond what float64 holds exactly.
        sweep = Sweep(self._graph, _modulo(self._semiring, prime), restart=False)
        if (len(self._residues) + 1) * self._bytes <= KEPT_BYTES:
            self._residues[place] = sweep
        return prime, sweep

    @cached_property
    def _bytes(self) -> int:
        """About how many bytes a sweep keeps: a number for each entry on the way to the costs, and each cost."""
        nodes, costs = self._graph.nodes, self._graph.costs
        inner = [n for n in self._graph.leading_to(cost.node for cost in costs) if nodes[n].op is not None]
        return 8 * len(costs) * sum(map(self._graph.size, inner))


class Counts:
    """The numbers of paths from the entries of a graph's nodes; what was swept for one answers for all.

    Exact at any size: below 2**53 float64 counts exactly at the speed of matrix products. Above, the sweep is run
    modulo enough primes, and the Chinese remainder theorem puts the whole numbers together.

    Args:
        graph: What was computed.
        progress: Told what is being counted, and which share of it is done.
    """

    def __init__(self, graph: Graph, progress: Progress = quiet) -> None:
        self._structural = ExactCounts(graph, "count", progress)
        self._live = ExactCounts(graph, "live", progress)

    def joined(
        self,
        number: int,
        rows: tuple[int, ...] | None = None,
        positions: Any = None,
        progress: Progress = quiet,
    ) -> Array:
        """Returns the numbers of paths from each entry of a node, as an object array of :class:`Count`.

        Args:
            number: The node.
            rows: The costs that paths may lead to; all of them where there is nothing.
            positions: The flat positions of the entries that are asked about; the whole array where there is nothing.
            progress: Told what is being counted, and which share of it is done.
        """
        structural = self._structural.joined(number, rows, positions, progress)
        live = self._live.joined(number, rows, positions, progress)
        made = np.empty(structural.shape, dtype=object)
        for place in np.ndindex(structural.shape):
            made[place] = Count(structural[place], live[place])
        return made


def _about(cotangent: Cotangent, rows: tuple[int, ...] | None, positions: Any = None) -> int:
    (part,) = cotangent.parts
    wanted = [place for place, row in enumerate(cotangent.rows) if rows is None or row in rows]
    values = in_numpy(part).reshape(len(cotangent.rows), -1)[wanted]
    some = int((values if positions is None else values[:, positions]).sum())
    return some << cotangent.exponent if cotangent.exponent >= 0 else some >> -cotangent.exponent


def _modulo(semiring: str, prime: int) -> SumSemiring:
    """Returns a semiring of counts, of which only the remainders below 2**31 are kept."""
    base = SEMIRINGS[semiring]
    assert isinstance(base, SumSemiring)
    # There is room to add up 2**22 of them exactly before they are reduced again.
    return base._replace(rescale=None, normalise=lambda part: part % prime)


def _integers(values: Array) -> Array:
    """Returns whole numbers below 2**63 as Python integers, which don't overflow."""
    return np.asarray(values).astype(np.int64).astype(object)


def _prime_below(limit: int) -> int:
    divisors = np.arange(3, 46342, 2)
    candidate = limit - 1 - limit % 2
    while True:
        if np.all(candidate % divisors[divisors * divisors <= candidate]):
            return candidate
        candidate -= 2
