"""The values of one semiring at the quantities of a recorded model."""

from typing import TYPE_CHECKING, Any

import numpy as np

from whygrad.arrays import Array, in_numpy
from whygrad.errors import QuantityError
from whygrad.exact_counts import Counts
from whygrad.model_names import ARRAY
from whygrad.semirings import SEMIRINGS
from whygrad.sweep import Sweep

if TYPE_CHECKING:
    from whygrad.model_record import Record


class RecordValues:
    """The values of one semiring at every quantity of a recorded computation."""

    def __init__(self, record: "Record", semiring: str) -> None:
        self._record, self._semiring = record, semiring
        self._counts: Counts | None = None

    @property
    def sweep(self) -> Sweep:
        """The backward sweep over the graph; a terminal shows a bar where it takes long."""
        from whygrad.render.progress import progress

        with progress() as tell:
            return self._record.graph_sweep(self._semiring, tell)

    def _counted(self, node: int, rows: tuple[int, ...] | None, positions: Any = None) -> Array:
        from whygrad.render.progress import progress

        with progress() as tell:
            if self._counts is None:
                self._counts = Counts(self._record.graph, tell)
            return self._counts.joined(node, rows, positions, tell)

    @property
    def stops(self) -> tuple[str, ...]:
        """The operations without a declaration at which these values stop; none for the gradient."""
        if self._semiring == "gradient":
            return ()
        return tuple(self._record.node_name(number) for number in self._record.stops)

    def value(self, quantity: str, cost: str | int | None = None) -> Any:
        """Returns the value at a quantity over the paths to all costs, or to one.

        Args:
            quantity: A parameter, an input or a module's output, or one entry: ``encoder.0.weight[3, 5]``.
            cost: The name or the number of a cost; all of them together where there is none.

        Returns:
            A number (``count``: a whole number with ``.live``; ``entropy``: nothing where there is no live path), a
            pair for ``extremes``, a tuple by length for ``spectrum``; for a whole array, an array of them.

        Raises:
            QuantityError: There is no such quantity or cost.
        """
        record = self._record
        node, position = record.at(quantity)
        rows = None if cost is None else (record.cost_row(cost),)
        if position is None:
            return self._counted(node, rows) if self._semiring == "count" else self.sweep.joined(node, rows)
        if self._semiring in ("count", "live"):
            (count,) = self._counted(node, rows, [position])
            return count if self._semiring == "count" else count.live
        joined = self.sweep.joined_in_double(node, rows)  # a single number has the range that Python's have
        shape = tuple(record.graph.nodes[node].value.shape)
        return plain(in_numpy(joined).reshape((-1, *joined.shape[len(shape) :]))[position], self._semiring)

    def __getitem__(self, quantity: str) -> Any:
        return self.value(quantity)

    def array(self, name: str) -> Array:
        """Returns the values of every entry of a parameter, an input or a module's output: (costs, *shape).

        Raises:
            QuantityError: There is no such array.
        """
        node, position = self._record.at(name)
        if position is not None:
            hint = f"; {name + ARRAY!r} is the array" if name in self._record.cost_names else ""
            raise QuantityError(
                f"array: expected the name of a whole array, found {name!r}, which is one entry{hint}"
            )
        return self.sweep.values(node)

    def _ipython_key_completions_(self) -> list[str]:
        return [*self._record.leaves, *self._record.cost_names]

    def __repr__(self) -> str:
        stopped = f"; stops at {', '.join(self.stops)}" if self.stops else ""
        return f"Values({self._semiring}: {SEMIRINGS[self._semiring].says}{stopped})"


def plain(value: Any, semiring: str) -> Any:
    """Returns one value of a semiring as Python has it: a number, a pair or a tuple, nothing where there is none."""
    if np.ndim(value):
        return tuple(float(part) for part in value)
    if semiring == "reach":
        return bool(value)
    if semiring == "entropy" and np.isnan(value):
        return None
    return int(value) if semiring == "live" else float(value)
