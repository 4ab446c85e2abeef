"""The record of a derivation: everything an explanation says, as data; printing comes later, in ``render``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from whygrad.derive.spelling import Math

Words: TypeAlias = tuple[str | Math, ...]


class Line(NamedTuple):
    """One line of a step: an equation, and the number that it comes to (where it does)."""

    math: Math
    value: float | None = None


class Step(NamedTuple):
    """One step: what is done and why, and its lines."""

    title: str
    says: Words
    lines: tuple[Line, ...]


class PathRow(NamedTuple):
    """One row of the table of paths.

    ``quantities`` are the names along the path, ``factors`` the local derivative from each to the next as (symbols,
    number); none where the contribution is summed over several examples. ``share`` is the absolute contribution as a
    part of the sum of all absolute contributions, with the sign of the contribution. ``example`` is the path's
    example, where each example's paths are apart.
    """

    quantities: tuple[str, ...]
    maths: tuple[Math, ...]
    cost: str
    factors: tuple[tuple[Math, float], ...]
    contribution: float
    share: float
    example: int | None = None


@dataclass(frozen=True)
class PathTable:
    """The paths that are listed, and the sums over all of them, listed or not.

    ``walked`` says that every path was walked and added, ``apart`` that each example's paths are counted apart.
    """

    rows: tuple[PathRow, ...]
    count: int
    live: int
    sum: float
    total: float
    walked: bool = True
    apart: bool = False

    @property
    def others(self) -> int:
        """How many paths are not listed."""
        return self.count - len(self.rows)

    @property
    def others_sum(self) -> float:
        """What the paths that are not listed come to together."""
        return self.sum - sum(row.contribution for row in self.rows)


class Groups(NamedTuple):
    """The paths summed by the neuron that they pass in one layer: (name, number of paths, sum of contributions)."""

    rows: tuple[tuple[Math, int, float], ...]


class Grid(NamedTuple):
    """A matrix of numbers with one entry that was asked for."""

    values: tuple[tuple[float, ...], ...]
    marked: tuple[int, int] | None = None


class Layerwise(NamedTuple):
    """One line of the layer-wise form: the equation of whole arrays, and the result's numbers where it is small."""

    math: Math
    name: Math
    result: Grid | None


class Derivation:
    """The explanation of one derivative: prints in a terminal, renders in a notebook.

    Attributes:
        quantity: The name of what is differentiated by.
        of: The name of what is differentiated.
        heading: The derivative.
        value: Its value.
        costs: The derivative of each cost: name -> number.
        words: The answer in words, paragraph by paragraph.
        steps: The chain rule, step by step.
        paths: The table of paths.
        groups: The paths by the neuron that they pass.
        layerwise: The same in whole layers.
        finite_difference: The derivative by changing the quantity a little; nothing where it can't be changed.
        network: The network in one line.
        notation: The notation's name.
        examples: Each example's part of the derivative, where there are several: (number, part).
        notes: What the numbers stand on: the cost's formula, the examples, kinks.
    """

    def __init__(self, **parts: Any) -> None:
        self.quantity: str = parts["quantity"]
        self.of: str = parts["of"]
        self.heading: Math = parts["heading"]
        self.value: float = parts["value"]
        self.costs: Mapping[str, float] = parts["costs"]
        self.cost_maths: Mapping[str, Math] = parts["cost_maths"]
        self.cost_reasons: Mapping[str, Words] = parts["cost_reasons"]
        self.words: tuple[Words, ...] = parts["words"]
        self.steps: tuple[Step, ...] = parts["steps"]
        self.paths: PathTable = parts["paths"]
        self.groups: tuple[Groups, ...] = parts["groups"]
        self.layerwise: tuple[Layerwise, ...] = parts["layerwise"]
        self.finite_difference: float | None = parts["finite_difference"]
        self.notes: tuple[Words, ...] = parts["notes"]
        self.network: str = parts["network"]
        self.notation: str = parts["notation"]
        self.examples: tuple[tuple[int, float], ...] = parts["examples"]
        self._precision: float = parts["precision"]

    @property
    def sums_agree(self) -> bool:
        """Whether the paths add up to the backward pass's value, to rounding.

        The tolerance scales with the sum of absolute contributions: cancellation amplifies rounding.
        """
        return abs(self.paths.sum - self.value) <= self._precision * max(self.paths.total, 1e-300)

    @property
    def difference_agrees(self) -> bool:
        """Whether the finite difference is the derivative, as far as a finite difference can be."""
        if self.finite_difference is None:
            return True
        return abs(self.finite_difference - self.value) <= 1e-5 * max(abs(self.value), self.paths.total, 1e-9)

    def to_json(self) -> dict[str, Any]:
        """Returns the derivation as a dictionary of texts, numbers and lists."""
        from whygrad.render.as_json import derivation_json

        return derivation_json(self)

    def to_latex(self) -> str:
        """Returns the derivation as LaTeX for the body of a document that loads amsmath, amssymb and array."""
        from whygrad.render.as_latex import derivation_latex

        return derivation_latex(self)

    def to_html(self) -> str:
        """Returns the derivation as a piece of HTML with MathML; it needs nothing from a network."""
        from whygrad.render.as_html import derivation_html

        return derivation_html(self)

    def to_document(self, format: str) -> str:
        """Returns a whole document, ``"latex"`` or ``"html"``, that stands by itself."""
        if format == "latex":
            from whygrad.render.as_latex import document as latex_document

            return latex_document(self.to_latex())
        from whygrad.render.as_html import document as html_document

        return html_document(self.to_html(), f"d {self.of} / d {self.quantity}")

    def to_text(self, width: int = 80, unicode: bool = True, color: bool = False) -> str:
        """Returns the derivation as text for a terminal."""
        from whygrad.render.as_text import derivation_text

        return derivation_text(self, width, unicode, color)

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        return self.to_html()

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.heading.latex} = {self.value:.6g}$"
