"""A run whose derivations are written in marks, for all notations at once, and computed once."""

from copy import copy
from typing import Any

from whygrad.derive.derivation import Derivation, Layerwise
from whygrad.derive.explain import explain
from whygrad.derive.layers import layerwise
from whygrad.derive.links import TOTAL, Link, Links
from whygrad.derive.spelling import Spelling
from whygrad.derive.steps import Derivatives, Question
from whygrad.notation import Notation, Quantity
from whygrad.run import Run
from whygrad.sweep import Sweep
from whygrad.view.marking import Marking, conventions, notation_names
from whygrad.view.sheet import Sheet


class _Kept(Run):
    """A run that keeps every sweep: a page asks for the same ones again and again."""

    sweeps: dict[Any, Sweep]

    def seeded(self, of: str | Quantity, example: int = 0, semiring: str = "gradient") -> Sweep:
        """Returns a sweep from any quantity, the same one each time."""
        key = (of, example, semiring)
        if key not in self.sweeps:
            self.sweeps[key] = super().seeded(of, example, semiring)
        return self.sweeps[key]


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
        return Spelling(run.network.notation, run.network.layout)

    def derivation(self, of: Quantity, by: Quantity) -> Derivation:
        """Returns a derivation in marks."""
        if (of, by) not in self._derivations:
            self._derivations[of, by] = explain(self.run, by, of=None if of == TOTAL else of)
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

    def layers(self, of: Quantity, by: Quantity, derivation: Derivation) -> dict[str, tuple[Layerwise, ...]]:
        """Returns the layer-wise form under each of the conventions that notations have."""
        if not derivation.layerwise:
            return {}
        shares = tuple(part for _, part in derivation.examples)
        shown = max(range(len(shares)), key=lambda n: abs(shares[n])) if shares else 0
        return {
            kind: layerwise(self.question(of, by, run, example=shown, parts=shares))
            for kind, run in self.kinds.items()
        }

    def links(self, q: Quantity) -> list[Link]:
        """Returns the links out of a quantity, for the first example."""
        return Links.kept(self.run, 0, TOTAL).after(q)
