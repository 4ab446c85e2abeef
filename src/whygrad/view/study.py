"""A run whose derivations are written in marks, for all notations at once, and computed once."""

from collections.abc import Callable
from copy import copy
from functools import cached_property
from typing import Any

from whygrad.derive.derivation import Derivation, Layerwise
from whygrad.derive.explain import explain
from whygrad.derive.layers import layerwise
from whygrad.derive.spelling import Math, Speller, Spelling
from whygrad.derive.steps import Derivatives, Question
from whygrad.graph import Entry
from whygrad.notation import Notation, Quantity
from whygrad.run import Run
from whygrad.sweep import Sweep
from whygrad.view.marking import Marking, conventions, notation_names
from whygrad.view.sheet import Sheet


class _Kept(Run):
    """A run that keeps every sweep and place: a page asks for the same ones again and again."""

    sweeps: dict[Any, Sweep]

    @cached_property
    def _entries(self) -> dict[Any, Entry]:
        return {}

    def entry(self, quantity: str | Quantity, example: int = 0) -> Entry:
        """Returns where a quantity is in the graph."""
        place = (quantity, example)
        if place not in self._entries:
            self._entries[place] = super().entry(quantity, example)
        return self._entries[place]

    def seeded(self, of: str | Quantity, example: int = 0, semiring: str = "gradient") -> Sweep:
        """Returns a sweep from any quantity, the same one each time."""
        key = (of, example, semiring)
        if key not in self.sweeps:
            self.sweeps[key] = super().seeded(of, example, semiring)
        return self.sweeps[key]


class _Marked(Spelling):
    """Spells marks, which are the same for a terminal as for a plain text."""

    def __call__(self, build: Callable[[Speller], str]) -> Math:
        """Returns what a function says in LaTeX and in plain text."""
        plain = build(self._ascii)
        return Math(build(self._latex), plain, plain)


class Study:
    """One run, or one example of it, with everything that a page asks of it.

    Args:
        run: The run.
        sheet: Where names are explained.
        example: The number of an example, or nothing for all of them together.
    """

    def __init__(self, run: Run, sheet: Sheet, example: int | None = None) -> None:
        self.sheet = sheet
        self.example = example
        self.network = run.network
        self._x, self._y = (run.x, run.y) if example is None else (run.x[example], run.y[example])
        self._sweeps: dict[Any, Sweep] = {}
        self._derivations: dict[tuple[Quantity, Quantity], Derivation] = {}
        self._derivatives: dict[Quantity, Derivatives] = {}
        #: Which notations share their conventions: conventions -> one run written in marks.
        self.kinds: dict[str, Run] = {}
        self.kind_of = {}
        for name in notation_names():
            base = run.network.in_notation(name)
            self.kind_of[name] = kind = conventions(base)
            if kind not in self.kinds:
                self.kinds[kind] = self._run(base)
        self.run = self.kinds[self.kind_of["neuron-over-layer"]]
        self.spell = self._spelling(self.run)

    def _run(self, base: Notation) -> Run:
        network = copy(self.network)
        network.notation = Marking(base, self.sheet)
        made = _Kept(network, self._x, self._y)
        made.sweeps = self._sweeps
        if self.kinds:
            # The numbers are those of the first: they do not hang on the notation.
            first = next(iter(self.kinds.values()))
            made.__dict__["recorded"] = first.recorded
            made.__dict__["_sweeps"] = first._sweeps
        return made

    @staticmethod
    def _spelling(run: Run) -> Spelling:
        return _Marked(run.network.notation, run.network.layout)

    def derivation(self, of: Quantity, by: Quantity) -> Derivation:
        """Returns a derivation in marks."""
        if (of, by) not in self._derivations:
            self._derivations[of, by] = explain(self.run, by, of=of)
        return self._derivations[of, by]

    def question(self, of: Quantity, by: Quantity, run: Run | None = None, **parts: Any) -> Question:
        """Returns a question about the run."""
        run = run or self.run
        return Question(run, parts.pop("example", 0), of, by, self._spelling(run), **parts)

    def derivatives(self, of: Quantity) -> Derivatives:
        """Returns the derivatives of a quantity by all others."""
        if of not in self._derivatives:
            self._derivatives[of] = Derivatives(
                self.question(of, of), self.run.seeded(of), self.run.seeded(of, semiring="reach")
            )
        return self._derivatives[of]

    def layers(
        self, of: Quantity, by: Quantity, parts: tuple[float, ...] = ()
    ) -> dict[str, tuple[Layerwise, ...]]:
        """Returns the layer-wise form under each of the conventions that notations have; nothing where it has none.

        Args:
            of: What is differentiated.
            by: What it is differentiated by.
            parts: The examples' parts, where there are several.
        """
        shown = max(range(len(parts)), key=lambda n: abs(parts[n])) if parts else 0
        made = {
            kind: layerwise(self.question(of, by, run, example=shown, parts=parts))
            for kind, run in self.kinds.items()
        }
        return {kind: lines for kind, lines in made.items() if lines}
