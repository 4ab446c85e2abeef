"""The values of one semiring at the quantities of a run."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from whygrad.arrays import Array
from whygrad.exact_counts import Counts
from whygrad.model_values import plain
from whygrad.notation import Quantity
from whygrad.semirings import SEMIRINGS
from whygrad.sweep import Sweep, Sweeps

if TYPE_CHECKING:
    from whygrad.run import Run


class Values:
    """The values of one semiring at every quantity of a run."""

    def __init__(self, run: "Run", semiring: str) -> None:
        self._run = run
        self._semiring = semiring

    @property
    def sweep(self) -> Sweep:
        """The backward sweep over the run's graph."""
        return self.swept()

    def swept(self, progress: Callable[[str, float], None] | None = None) -> Sweep:
        """Returns the same; if it isn't there yet ``progress`` is told of it."""
        return self._sweeps.made(self._semiring, progress)

    @cached_property
    def _sweeps(self) -> Sweeps:
        return Sweeps(self._run.recorded.graph)

    @cached_property
    def _counts(self) -> Counts:
        return Counts(self._run.recorded.graph)

    def value(self, quantity: str | Quantity, cost: int | None = None) -> Any:
        """Returns the value at a quantity over the paths to all costs, or to one.

        Returns:
            What the semiring says: a number (``count``: a whole number with ``.live``; ``entropy``: nothing where
            there is no live path), a pair for ``extremes``, a tuple by length for ``spectrum``. Where a quantity has
            a value for each of several examples, an array of them.
        """
        run = self._run
        q = run.quantity(quantity)
        rows = None if cost is None else (run.cost_row(cost),)
        if q.kind == "delta":
            q = q._replace(kind="z")
        per_example = q.kind in ("a", "z", "y")
        entries = [run.entry(q, example) for example in range(run.examples if per_example else 1)]
        node, positions = entries[0].node, [entry.position for entry in entries]
        if self._semiring in ("count", "live"):
            values = self._counts.joined(node, rows, positions)
            if self._semiring == "live":
                values = np.array([count.live for count in values], dtype=object)
        else:
            joined = np.asarray(self.sweep.joined(node, rows))
            shape = run.recorded.graph.nodes[node].value.shape
            values = joined.reshape((-1, *joined.shape[len(shape) :]))[positions]
        if len(entries) > 1:
            return values
        return values[0] if self._semiring == "count" else plain(values[0], self._semiring)

    def __getitem__(self, quantity: str | Quantity) -> Any:
        return self.value(quantity)

    def array(self, name: str) -> Array:
        """Returns the values of every entry of ``x``, ``W1``, ``b1``, …: an array (costs, *shape)."""
        ((node, _),) = self._run.starts(name)
        return self.sweep.values(node)

    def __repr__(self) -> str:
        return f"Values({self._semiring}: {SEMIRINGS[self._semiring].says})"
