"""The records of a report. Every number of a module is the sum of its parameters' numbers, so that folding is exact."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from whygrad.arrays import Array
from whygrad.branches import Spectrum
from whygrad.errors import NotSupportedError
from whygrad.gradients import cosines_of

# Where the gradient of the sum is shorter than this part of all gradients' lengths together, it has no direction.
STANDSTILL = 1e-3


def _shares(lengths: Array) -> Array:
    whole = lengths.sum()
    return lengths / whole if 0 < whole < np.inf else np.full(len(lengths), np.nan)


class Numbers(NamedTuple):
    """What the costs do to some entries of parameters; those of disjoint parameters are added up.

    Args:
        entries: How many entries.
        gramian: The inner products of the costs' gradients, (costs, costs).
        reached: Whether there is a path from the entries to each cost, (costs,).
        absolute: The sum of the absolute values of each cost's gradient, (costs,).
        total: The sum of all absolute contributions, (costs,); nothing where the report was made without.
        surprise: The sum over entries of the entropy of an entry's paths, each weighted by the entry's *total*,
            (costs,); nothing where the report was made without.
        rounding: Whether a cost's gradient is 0 but for rounding, and so has no direction, (costs,); nothing where none
            is.
        met: Whether two costs pull on one same parameter, (costs, costs); nothing where all that pull do.
    """

    entries: int
    gramian: Array
    reached: Array
    absolute: Array
    total: Array | None = None
    surprise: Array | None = None
    rounding: Array | None = None
    met: Array | None = None

    def __add__(self, other: Any) -> "Numbers":
        def both(a: Array | None, b: Array | None) -> Array | None:
            return None if a is None or b is None else a + b

        return Numbers(
            self.entries + other.entries,
            self.gramian + other.gramian,
            self.reached | other.reached,
            self.absolute + other.absolute,
            both(self.total, other.total),
            both(self.surprise, other.surprise),
            self.still & other.still,
            self.meeting | other.meeting,
        )

    @property
    def meeting(self) -> Array:
        """Whether two costs pull on one same parameter, (costs, costs); else their cosine is 0 and says nothing."""
        pulls = np.diag(self.gramian) > 0
        return np.outer(pulls, pulls) if self.met is None else self.met

    @property
    def still(self) -> Array:
        """Whether a cost's gradient is 0, but for rounding, (costs,)."""
        zero: Array = np.diag(self.gramian) == 0
        return zero if self.rounding is None else zero | self.rounding

    @property
    def norms(self) -> Array:
        """The Euclidean norm of each cost's gradient, (costs,)."""
        return np.sqrt(np.maximum(np.diag(self.gramian), 0.0))

    @property
    def shares(self) -> Array:
        """Each cost's norm as a share of the sum of all norms, (costs,); NaN where all are zero or one is infinite."""
        return _shares(self.norms)

    @property
    def shares_of_squares(self) -> Array:
        """Each cost's squared norm as a share of the sum of all squares, (costs,); NaN as for ``shares``."""
        return _shares(self.norms**2)

    @property
    def cosines(self) -> Array:
        """The cosines between the costs' gradients, (costs, costs); NaN where one is zero, or nothing but rounding."""
        made = cosines_of(self.gramian)
        made[self.still, :] = made[:, self.still] = np.nan
        return made

    @property
    def along(self) -> Array:
        """The cosine between each cost's gradient and the sum of all, (costs,); NaN for none, or nothing but rounding.

        Where it is negative, a small step down the sum of the costs makes that cost worse.
        """
        if self.standstill:
            return np.full(len(self.gramian), np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            made = self.gramian.sum(axis=1) / self.norms / np.sqrt(max(float(self.gramian.sum()), 0.0))
        made[self.still] = np.nan
        return np.clip(made, -1.0, 1.0)

    @property
    def standstill(self) -> bool:
        """Whether the costs' gradients are there and add up to next to nothing, so that the sum trains nothing."""
        every = float(self.norms.sum())
        return every > 0 and float(self.gramian.sum()) < (STANDSTILL * every) ** 2

    @property
    def live(self) -> list[int]:
        """The numbers of the costs whose gradients aren't zero, or nothing but rounding."""
        return [int(k) for k in np.flatnonzero((self.norms > 0) & ~self.still)]

    @property
    def cancellation(self) -> Array:
        """Which share of what the paths carry cancels, 1 - |gradient| / total, (costs,); NaN where not known.

        It isn't known where paths lead through an operation without a declaration.
        """
        if self.total is None:
            return np.full(len(self.reached), np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.clip(1.0 - self.absolute / self.total, 0.0, 1.0)

    @property
    def entropy(self) -> Array:
        """The mean entropy in nats of an entry's paths, weighted by the entries' totals, (costs,); NaN where not known.

        Its exponential is the effective number of paths to a typical entry.
        """
        if self.surprise is None or self.total is None:
            return np.full(len(self.reached), np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.surprise / self.total


class Part(NamedTuple):
    """A parameter, or a module with all that is in it.

    Args:
        name: The full name; empty for the whole model.
        label: What is added to the name of the module around it.
        numbers: What the costs do to it.
        parts: What is in it; nothing for a parameter.
        shape: A parameter's shape.
    """

    name: str
    label: str
    numbers: Numbers
    parts: "tuple[Part, ...]" = ()
    shape: tuple[int, ...] | None = None

    @property
    def parameters(self) -> "Iterator[Part]":
        """The parameters in it, in the model's order."""
        if self.shape is not None:
            yield self
        for part in self.parts:
            yield from part.parameters

    @property
    def modules(self) -> "Iterator[Part]":
        """The module itself and all modules in it, the outer ones first."""
        if self.shape is None:
            yield self
        for part in self.parts:
            yield from part.modules

    @property
    def layers(self) -> "Iterator[Part]":
        """The modules in it that have parameters of their own, with these alone: every parameter is in one layer."""
        own = tuple(part for part in self.parts if part.shape is not None)
        if own:
            numbers = own[0].numbers
            for part in own[1:]:
                numbers = numbers + part.numbers
            yield self._replace(numbers=numbers, parts=own)
        for part in self.parts:
            yield from part.layers

    def __repr__(self) -> str:
        norms = ", ".join(f"{norm:.3g}" for norm in self.numbers.norms)
        return f"Part({self.name or 'the model'}: {self.numbers.entries} entries, norms {norms})"

    @property
    def shared(self) -> "Numbers | None":
        """The numbers of all its parameters together on which at least two costs pull; nothing if there are none."""
        made = None
        for part in self.parameters:
            if len(part.numbers.live) > 1:
                made = part.numbers if made is None else made + part.numbers
        return made


class Layer(NamedTuple):
    """One layer in the order of the forward pass, and how strongly each cost acts on its output.

    Args:
        name: The module's path.
        norms: The norm of each cost's derivative by the layer's output, in all calls together, (costs,); NaN for
            costs without a path.
        behind: The names of the layers whose outputs lead to its output.
        fed: Whether the batch comes to it past all other layers.
    """

    name: str
    norms: Array
    behind: frozenset[str] = frozenset()
    fed: bool = False


class Units(NamedTuple):
    """The units of one activation function.

    Args:
        name: The node; of several calls the first.
        operation: The function.
        units: How many there are.
        dead: How many are 0 for every example and place in every call, where the function has a flat side at 0.
        silent: How many, beyond those, get no gradient from any cost.
        kinks: How many entries stand exactly on a kink.
        entries: How many entries there are, in all calls.
    """

    name: str
    operation: str
    units: int
    dead: int
    silent: int
    kinks: int
    entries: int


class Finding(NamedTuple):
    """One thing that the numbers say.

    Args:
        kind: ``conflict``, ``worse``, ``agreement``, ``apart``, ``domination``, ``balance``, ``vanishing``,
            ``exploding``, ``dead``, ``silent``, ``unreached``, ``no gradient``, ``repeated``, ``cancels``, ``not
            finite`` or ``single``.
        says: What it is, with the numbers.
        tries: What to try; nothing where nothing has to be mended.
        names: The modules or parameters that it is about.
        costs: The costs that it is about.
    """

    kind: str
    says: str
    tries: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    costs: tuple[str, ...] = ()

    @property
    def problem(self) -> bool:
        """Whether there is something to mend."""
        return bool(self.tries)


class Report(NamedTuple):
    """What each cost does to each parameter: what :meth:`whygrad.Record.report` returns.

    Prints in a terminal, renders in a notebook; ``to_html()``, ``to_json()``, and ``rows()`` for a table.

    Args:
        costs: The costs' values by name.
        model: The whole model with all its modules and parameters.
        layers: The depth profile: layers in the order of the forward pass.
        units: The activation functions.
        frozen: The parameters that are not trained.
        findings: What the numbers say, the most important first.
        stops: Operations without a declaration, at which all but the plain gradient stops.
        spectrum: The gradient by number of blocks, where that was asked for.
        omitted: Why cancellation or numbers of paths aren't there, where nobody asked for that, or a spectrum, where
            somebody did; mostly empty.
    """

    costs: Mapping[str, float]
    model: Part
    layers: tuple[Layer, ...]
    units: tuple[Units, ...]
    frozen: tuple[str, ...]
    findings: tuple[Finding, ...]
    stops: tuple[str, ...] = ()
    spectrum: Spectrum | None = None
    omitted: str = ""

    def rows(self, modules: bool = False) -> list[dict[str, Any]]:
        """Returns a dictionary for each parameter and cost: ``pandas.DataFrame(report.rows())`` is a table.

        Args:
            modules: Whether there are rows for modules instead, each with all that is in it; the model is ``""``.

        Returns:
            ``parameter`` (or ``module``), ``shape``, ``entries`` (how many weights), ``cost``; ``reached``: whether
            there is a path; ``norm``: of the cost's gradient, and as a ``share`` of the sum of all costs' norms, and
            its square of the sum of squares; ``cosine_with_sum``: with the gradient of the sum of the costs, and
            ``cosine_b`` with that of cost b; ``cancellation``: 1 - abs(gradient) / total, from 0 to 1; ``entropy`` of
            the paths, in nats. What isn't known, or has no direction, is NaN.

        Example:
            >>> import whygrad as wg
            >>> from whygrad.report.example import two_losses
            >>> report = wg.record(*two_losses()).report()
            >>> len(report.rows()), [row["module"] for row in report.rows(modules=True)][::2]
            (16, ['', 'trunk', 'trunk.0', 'trunk.2', 'side', 'angle'])
        """
        names = tuple(self.costs)
        parts = self.model.modules if modules else self.model.parameters
        return [
            {
                "module" if modules else "parameter": part.name,
                "shape": part.shape,
                "entries": numbers.entries,
                "cost": cost,
                "reached": bool(numbers.reached[k]),
                "norm": float(numbers.norms[k]),
                "share": float(numbers.shares[k]),
                "share_of_squares": float(numbers.shares_of_squares[k]),
                "cosine_with_sum": float(numbers.along[k]),
                "cancellation": float(numbers.cancellation[k]),
                "entropy": float(numbers.entropy[k]),
                **{f"cosine_{other}": float(numbers.cosines[k, j]) for j, other in enumerate(names)},
            }
            for part in parts
            for numbers in (part.numbers,)
            for k, cost in enumerate(names)
        ]

    def to_json(self) -> dict[str, Any]:
        """Returns the report as dictionaries, lists, texts and numbers."""
        from whygrad.render.report_json import report_json

        return report_json(self)

    def to_html(self) -> str:
        """Returns the report as a self-contained HTML page."""
        from whygrad.render.report_html import report_page

        return report_page(self)

    def to_text(self, width: int = 80, unicode: bool = True, color: bool = False) -> str:
        """Returns the report as text.

        Args:
            width: In characters.
            unicode: Whether it may have characters beyond ASCII.
            color: Whether it has colours, for a terminal.
        """
        from whygrad.render.report_text import report_text

        return report_text(self, width, unicode, color)

    def plot_depth(self, axes: Any = None) -> Any:
        """Returns Matplotlib axes with the norm of each cost's derivative by each layer's output, by depth.

        Args:
            axes: Axes to draw on; new ones where there are none.

        Raises:
            NotSupportedError: Matplotlib isn't installed.
        """
        from whygrad.render.report_plots import plot_depth

        return plot_depth(self, axes)

    def plot_cosines(self, axes: Any = None) -> Any:
        """Returns Matplotlib axes with the cosines between the costs' gradients, by layer (or as a matrix).

        Args:
            axes: Axes to draw on; new ones where there are none.

        Raises:
            NotSupportedError: Matplotlib isn't installed.
        """
        from whygrad.render.report_plots import plot_cosines

        return plot_cosines(self, axes)

    def plot_spectrum(self, axes: Any = None) -> Any:
        """Returns Matplotlib axes with the norm of the gradient's parts by number of blocks passed.

        Args:
            axes: Axes to draw on; new ones where there are none.

        Raises:
            NotSupportedError: The report was made without the spectrum; or Matplotlib isn't installed.
        """
        from whygrad.render.report_plots import plot_spectrum

        if self.spectrum is None:
            raise NotSupportedError(
                "plot_spectrum: this report has no spectrum\n"
                'try:      rec.report(semirings=("total", "spectrum")), of a model with residual adds, h + f(h)'
            )
        return plot_spectrum(self.spectrum, axes)

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from whygrad.render.report_html import report_html

        return report_html(self)
