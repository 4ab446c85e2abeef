"""The records of the walk: steps, candidates for a delta, readings of layers; and what steps cost."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from whygrad.arrays import Array
from whygrad.diagnosis.mistake import At, Change, Mistake
from whygrad.diagnosis.table import ENTRIES

REPEATED = 0.2  # the same mistake in another layer was made by the same line of code


class Step(NamedTuple):
    """One mistake at one place of the backward pass."""

    code: str
    layer: int
    slot: str
    note: str
    cost: float
    number: float | None = None

    def key(self) -> tuple[Any, ...]:
        """What makes two steps the same mistake in two layers."""
        return (self.code, self.slot if self.slot in ("weight", "bias", "regularisation") else "delta")


Steps: TypeAlias = tuple[Step, ...]


class Candidate(NamedTuple):
    """A delta of a layer, the steps that made it, and what arrived at the layer's activations."""

    steps: Steps
    value: Array
    back: Array = None


class Reading(NamedTuple):
    """An explanation of all layers down to one.

    Attributes:
        steps: The mistakes.
        cost: What it costs to assume them.
        delta: The person's delta of the layer.
        back: What arrived at the layer's activations.
        deltas: The person's deltas so far.
        unexplained: The parameters that nothing explains.
        apart: The largest difference that is left, relative to the largest contributions.
    """

    steps: Steps = ()
    cost: float = 0.0
    delta: Array = None
    back: Array = None
    deltas: Mapping[int, Array] = {}
    unexplained: tuple[str, ...] = ()
    apart: float = 0.0


def price(before: Steps, steps: Steps) -> float:
    """Returns what steps cost after others: a mistake that is made again costs little."""
    known = {step.key() for step in before}
    cost = 0.0
    for step in steps:
        cost += REPEATED if step.key() in known else step.cost
        known.add(step.key())
    return cost


def step_of(at: At, mistake: Mistake, slot: str, change: Change, note: str = "") -> Step:
    """Returns the step that a change of the table is."""
    return Step(mistake.code, at.layer, slot, note or change.note, mistake.rank + change.surcharge)


def changes(at: At, slot: str, codes: set[str] | None = None) -> Iterator[tuple[Mistake, Change]]:
    """Yields every change that the table has for a step of the backward pass at a layer, or those of some mistakes."""
    for mistake in ENTRIES:
        made = mistake.changes.get(slot)
        if made is not None and (codes is None or mistake.code in codes):
            for change in made(at):
                yield mistake, change


def fit(columns: list[Array], target: Array) -> Array | None:
    """Returns the multiples of the columns that come nearest, or nothing where they aren't determined."""
    if len(target) <= len(columns):
        return None
    found, _, rank, _ = np.linalg.lstsq(np.stack(columns, axis=1), target, rcond=1e-11)
    return found if rank == len(columns) else None


def same(one: Array, other: Array) -> bool:
    """Whether two deltas are the same but for rounding."""
    if one is None or other is None:
        return one is other
    size = max(float(np.max(np.abs(one), initial=0)), float(np.max(np.abs(other), initial=0)))
    return one.shape == other.shape and bool(np.max(np.abs(one - other), initial=0) <= 1e-7 * size)
