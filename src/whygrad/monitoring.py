"""What each cost does to a model, measured every so many steps of a training loop."""

import csv
import math
import operator
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import numpy as np

from whygrad.arrays import in_numpy, unrounded
from whygrad.errors import NotSupportedError, ShapeError, WhygradError, need_known
from whygrad.gradients import cosines_of
from whygrad.recorders import OPAQUE, need_costs, record_quietly
from whygrad.report.build import report
from whygrad.report.phrases import named


class monitor:  # noqa: N801 - reads as what it does: with wg.monitor(...) as watch
    """Measures norms, cosines and cancellation of the gradients of the costs, every so many steps.

    Call it once a step with the batch, before or after the optimiser's step. Every ``every`` steps the model is
    recorded on that batch; the training run stays as it would have been without, to the last bit: parameters,
    gradients, buffers and random numbers are left alone.

    Args:
        model: The model that is trained.
        costs: A function (model, batch) that returns named losses, without axes.
        every: How many steps lie between measurements; the first call measures.
        to: A CSV file, which is continued where it exists; or an object with ``add_scalar(name, value, step)``, such
            as TensorBoard's ``SummaryWriter``.
        modules: Module paths for which norms and cosines are written too.
        cancellation: Whether the cancellation is measured: one sweep more. Where nothing is said, it is unless a report
            would leave it out: with many costs, and with normalisations over many entries, where it takes minutes.
        opaque: As in :func:`whygrad.record`.
        says: Where the cost of measuring is printed at the end; nothing prints nothing.

    Raises:
        NotSupportedError: An argument is of another kind than it says here; or as :func:`whygrad.record` says.
        ShapeError: The file that is to be continued has other columns; or the costs changed their names.
        WhygradError: The file can't be read or written.

    Example:
        >>> import tempfile, torch
        >>> model = torch.nn.Linear(2, 2)
        >>> def costs(model, x):
        ...     a, b = model(x).square().mean(0)
        ...     return {"a": a, "b": b}
        >>> path = Path(tempfile.mkdtemp()) / "run.csv"
        >>> with monitor(model, costs, every=10, to=path, says=None) as watch:
        ...     for step in range(30):
        ...         _ = watch(torch.ones(4, 2))
        >>> watch.measured
        3
        >>> path.read_text().splitlines()[0]
        'step,milliseconds,cost a,cost b,norm a,norm b,cosine a with b,cancellation a,cancellation b'
    """

    def __init__(
        self,
        model: Any,
        costs: Callable[[Any, Any], Mapping[str, Any]],
        every: int = 100,
        to: Any = "run.csv",
        modules: Sequence[str] = (),
        cancellation: bool | None = None,
        opaque: str = "forbid",
        says: TextIO | None = sys.stderr,
    ) -> None:
        need_costs("monitor", costs, "monitor(model, costs), in this order")
        need_known("monitor: opaque", opaque, OPAQUE)
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise NotSupportedError(f"monitor: every: expected a whole number from 1, found {every!r}")
        if says is not None and not hasattr(says, "write"):
            raise NotSupportedError(
                f"monitor: says: expected a file, such as sys.stderr, or None, found {says!r}"
            )
        if not isinstance(to, (str, Path)) and not callable(getattr(to, "add_scalar", None)):
            raise NotSupportedError(
                "monitor: to: expected the path of a CSV file or an object with add_scalar(name, value, step), "
                f"found {to!r}"
            )
        self._model, self._costs, self._opaque = model, costs, opaque
        self._every, self._to, self._says = every, to, says
        self._modules = (modules,) if isinstance(modules, str) else tuple(modules)
        self._cancellation = cancellation
        self._table = _Table(Path(to)) if isinstance(to, (str, Path)) else None
        self.step = self._table.next_step(every) if self._table else 0
        self.measured = 0
        self.seconds = 0.0
        self._first = 0.0
        self._stops: tuple[str, ...] = ()
        self._started: float | None = None
        self._ended: float | None = None

    def __repr__(self) -> str:
        return f"monitor(every {self._every} steps; {self.summary.removeprefix('monitor: ')})"

    def __call__(self, batch: Any, step: int | None = None) -> dict[str, float] | None:
        """Measures where it is time to; returns the numbers by name, or nothing between measurements.

        Args:
            batch: What the step trains on.
            step: The number of the step. Where it isn't given it is counted: from 0, or in a file that is continued
                from the next multiple of ``every`` behind its last row, whatever was trained in between.

        Returns:
            ``cost a``, ``norm a`` (of its gradient by all parameters), ``cosine a with b`` and ``cancellation a`` (1 -
            the gradient's absolute values / those of all contributions) for each cost and pair; also ``norm a at
            module``.

        Raises:
            NotSupportedError: As :func:`whygrad.record` says.
            QuantityError: One of the modules has no parameter.
            ShapeError: The file has other columns than these numbers.
        """
        started = time.perf_counter()
        if self._started is None:
            self._started = started
        self.step = self.step if step is None else _step(step)
        made = None
        if self.step % self._every == 0:
            made = self.measure(batch)
            spent = time.perf_counter() - started
            self._write({"step": float(self.step), "milliseconds": 1000 * spent} | made)
            self.measured += 1
            spent = time.perf_counter() - started
            self.seconds += spent
            # It loads the tables of operations and warms PyTorch up, and says nothing of the others.
            self._first = self._first or spent
        self.step += 1
        return made

    def measure(self, batch: Any) -> dict[str, float]:
        """Returns the numbers for one batch, written nowhere.

        Args:
            batch: What the model would be trained on.

        Raises:
            NotSupportedError: As :func:`whygrad.record` says.
            QuantityError: One of the modules has no parameter.
        """
        recorded = record_quietly(self._model, batch, self._costs, self._opaque)
        self._stops = tuple(map(recorded.node_name, recorded.stops))
        made = {f"cost {name}": value for name, value in recorded.costs.items()}
        names = list(recorded.costs)
        for module in ("", *self._modules):
            gramian = in_numpy(recorded.gradients().gramian(module)).astype(np.float64)
            norms, cosines = np.sqrt(np.maximum(np.diag(gramian), 0.0)), cosines_of(gramian)
            where = f" at {module}" if module else ""
            made |= {f"norm {name}{where}": float(norm) for name, norm in zip(names, norms, strict=True)}
            for i, j in combinations(range(len(names)), 2):
                made[f"cosine {names[i]} with {names[j]}{where}"] = float(cosines[i, j])
        if self._cancellation is not False:
            with unrounded(recorded.graph.xp):
                numbers = report(recorded, ("total",) if self._cancellation else None).model.numbers
            # Decided once: batches of other sizes keep the columns.
            self._cancellation = numbers.total is not None
            if self._cancellation:
                shares = zip(names, numbers.cancellation, strict=True)
                made |= {f"cancellation {name}": float(share) for name, share in shares}
        return made

    def _write(self, row: dict[str, float]) -> None:
        if self._table is not None:
            self._table.append(row)
            return
        for name, value in row.items():
            if name != "step" and not math.isnan(value):
                self._to.add_scalar(f"whygrad/{name}", value, self.step)

    @property
    def overhead(self) -> float:
        """The share of the loop's time so far that measuring took; of the whole loop once it has ended."""
        if self._started is None:
            return 0.0
        ended = time.perf_counter() if self._ended is None else self._ended
        return self.seconds / max(ended - self._started, 1e-12)

    @property
    def summary(self) -> str:
        """What measuring cost, in words."""
        if not self.measured:
            return "monitor: nothing was measured"
        first = f"{1000 * self._first:.1f} ms"
        if self.measured == 1:
            times = f"1 measurement, {first}"
        else:
            each = 1000 * (self.seconds - self._first) / (self.measured - 1)
            times = f"{self.measured} measurements, {each:.1f} ms each (the first {first})"
        written = f"; written to {self._to}" if self._table else ""
        stopped = (
            ""
            if not (self._stops and self._cancellation)
            else (f"; no cancellation of what goes through {named(self._stops, 4)}, without a declaration")
        )
        return f"monitor: {times}, {self.overhead:.1%} of the loop{written}{stopped}"

    def __enter__(self) -> "monitor":
        self._started, self._ended = time.perf_counter(), None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = time.perf_counter()
        if self._says is not None:
            self._says.write(f"{self.summary}\n")


def _step(step: Any) -> int:
    """Returns the number of a step.

    Raises:
        NotSupportedError: It is no whole number.
    """
    try:
        return operator.index(step)
    except TypeError:
        raise NotSupportedError(f"monitor: step: expected a whole number, found {step!r}") from None


class _Table:
    """A CSV file that rows are added to; a file that is there is continued, never written over."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._columns: list[str] = []
        self._last = -1
        try:
            if path.exists() and path.stat().st_size:
                self._continue()
        except (OSError, UnicodeDecodeError) as error:
            raise WhygradError(f"monitor: {path}: can't be read: {_why(error)}") from None
        if not path.parent.is_dir():  # not after the first measurement
            raise WhygradError(f"monitor: {path}: can't be written: there is no folder {path.parent}")

    def _continue(self) -> None:
        text = self._path.read_text(encoding="utf-8")
        rows = list(csv.reader(text.splitlines()))
        self._columns = rows[0]
        if "step" not in self._columns:
            raise ShapeError(
                f"monitor: {self._path}: expected a file that monitor wrote, with a column 'step'; found the columns "
                f"{', '.join(rows[0])}\ntry:      another name"
            )
        if not text.endswith("\n"):
            # A run that was killed while it wrote: the last number of a row without its end may be cut short.
            kept = f"{text}\n" if len(rows) == 1 else text[: text.rindex("\n") + 1]
            rows = rows[: max(1, len(rows) - 1)]
            self._path.write_text(kept, encoding="utf-8", newline="")
        if len(rows) > 1:
            self._last = int(float(rows[-1][self._columns.index("step")]))

    def next_step(self, every: int) -> int:
        """Returns the step at which a run that is continued measures next; 0 for a new file."""
        return 0 if self._last < 0 else self._last + every

    def append(self, row: dict[str, float]) -> None:
        """Adds a row, at once and as a whole."""
        new = not self._columns
        if new:
            self._columns = list(row)
        if list(row) != self._columns:
            raise ShapeError(
                f"monitor: {self._path}: the columns are others than before\n"
                f"expected: {', '.join(self._columns)}\nfound:    {', '.join(row)}\n"
                f"try:      another file, or the costs and modules of before"
            )
        values = [str(int(row["step"])), *(f"{value:.9g}" for name, value in row.items() if name != "step")]
        try:
            with self._path.open("a", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerows([self._columns, values] if new else [values])
        except OSError as error:
            raise WhygradError(f"monitor: {self._path}: can't be written: {_why(error)}") from None


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
