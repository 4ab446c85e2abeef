"""The walk from the costs backwards: which mistakes, carried on layer by layer, reproduce the person's gradients.

At each layer the person's delta is the right one, or comes out of a change to the step before. For each such delta
the gradients of weights and biases follow, and may have been changed once more. The cheapest explanation of all
layers wins; what costs the same is a tie, and all of it is named.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from math import isclose
from typing import Any, NamedTuple

import numpy as np

from whygrad.diagnosis.mistake import At, Change, Mistake
from whygrad.diagnosis.setting import Ruler, Setting
from whygrad.diagnosis.table import ENTRIES, TABLE, named_multiple

Array = Any

REPEATED = 0.2  # the same mistake in another layer was made by the same line of code
UNEXPLAINED = 6.0
MORE_THAN_BEST = 1.5
TIE = 0.02
BEAM = 16


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


class Candidate(NamedTuple):
    """A delta of a layer, the steps that made it, and what arrived at the layer's activations."""

    steps: tuple[Step, ...]
    value: Array
    back: Array = None


class Reading(NamedTuple):
    """An explanation of a layer, or of all layers down to one.

    Attributes:
        steps: The mistakes.
        cost: What it costs to assume them.
        delta: The person's delta of the layer.
        back: What arrived at the layer's activations.
        deltas: The person's deltas so far.
        unexplained: The parameters that nothing explains.
    """

    steps: tuple[Step, ...] = ()
    cost: float = 0.0
    delta: Array = None
    back: Array = None
    deltas: Mapping[int, Array] = {}
    unexplained: tuple[str, ...] = ()


def _changes(at: At, slot: str) -> Iterator[tuple[Mistake, Change]]:
    for mistake in ENTRIES:
        changes = mistake.changes.get(slot)
        if changes is not None:
            for change in changes(at):
                yield mistake, change


class Walk:
    """The search over one person's gradients.

    Args:
        setting: The network on its examples.
        given: The person's gradients, in the network's layout and conventions.
        ruler: What counts as the same number.
    """

    def __init__(self, setting: Setting, given: Mapping[str, Array], ruler: Ruler) -> None:
        self.setting, self.given, self.ruler = setting, given, ruler

    def run(self) -> list[Reading]:
        """Returns the cheapest readings of all layers: one, or several with the same numbers."""
        states = [Reading()]
        for layer in range(self.setting.depth, 0, -1):
            following: list[Reading] = []
            for state in states:
                following += self._layer(layer, state)
            following.sort(key=lambda reading: reading.cost)
            best = following[0].cost
            states = self._distinct([r for r in following if r.cost <= best + MORE_THAN_BEST])[:BEAM]
        best = states[0].cost
        return [state for state in states if state.cost <= best + TIE]

    def _distinct(self, readings: list[Reading]) -> list[Reading]:
        """Returns the readings without those that add nothing but cost to a cheaper one with the same delta.

        Equally good ones are kept: what they say may be said again in a layer below, and then it costs less.
        """
        kept: list[Reading] = []
        for reading in readings:
            same = [other for other in kept if _same(other.delta, reading.delta)]
            if any(other.steps == reading.steps for other in same) or len(same) >= 4:
                continue
            kept.append(reading)
        return kept

    # One layer

    def _layer(self, layer: int, state: Reading) -> list[Reading]:
        setting = self.setting
        last = layer == setting.depth
        back = setting.error if last else state.delta @ setting.W[layer + 1]
        at = At(
            setting,
            layer,
            self.given,
            None if last else state.delta,
            None if last else state.back,
            back,
            None,
            state.deltas,
        )
        base = Candidate((), setting.through(layer, back), back)
        found = self._explained(at, state, base, thorough=True)
        if self._cheapest(found) > state.cost:
            singles = list(self._single(at))
            for thorough in (False, True):
                limit = state.cost + (1.3 if not thorough else 2.2)
                if self._cheapest(found) <= limit and thorough:
                    break
                for candidate in singles:
                    found += self._explained(at, state, candidate, thorough)
            found += self._fitted_multiples(at, state, [base])
            if self._cheapest(found) > state.cost + 1.3:
                found += self._fitted_multiples(at, state, singles)
            if self._cheapest(found) > state.cost + 2.2:
                pairs = list(self._pairs(at))
                for candidate in pairs:
                    found += self._explained(at, state, candidate, False)
                if self._cheapest(found) > state.cost + UNEXPLAINED / 2:
                    found += self._fitted_multiples(at, state, pairs)
        if not found:
            found = [self._nothing(at, state, base)]
        elif self._cheapest(found) > state.cost + 4:
            found.append(self._nothing(at, state, base))
        return found

    def _cheapest(self, readings: Sequence[Reading]) -> float:
        return min((reading.cost for reading in readings), default=np.inf)

    def _names(self, layer: int) -> list[str]:
        return [name for name in (f"W{layer}", f"b{layer}") if name in self.given]

    def _nothing(self, at: At, state: Reading, base: Candidate) -> Reading:
        delta = self._recovered(at)
        return self._reading(
            state,
            at,
            (),
            state.cost + UNEXPLAINED,
            base.value if delta is None else delta,
            base.back,
            tuple(self._names(at.layer)),
        )

    def _recovered(self, at: At) -> Array | None:
        """Returns the person's delta where weights and biases leave only one: with fewer examples than inputs."""
        sides, known = [], []
        for name in self._names(at.layer):
            target = self.given[name] - self.setting.regular(name)
            sides.append(at.inputs if name[0] == "W" else np.ones((len(at.inputs), 1)))
            known.append(target if name[0] == "W" else target[:, None])
        side = np.hstack(sides)
        delta, _, rank, _ = np.linalg.lstsq(side.T, np.hstack(known).T, rcond=None)
        if rank < len(side):
            return None
        fitted = (delta.T @ side)[:, : at.inputs.shape[1]]
        name = f"W{at.layer}"
        return delta if self.ruler.same(name, fitted, self.given[name] - self.setting.regular(name)) else None

    def _reading(
        self,
        state: Reading,
        at: At,
        steps: tuple[Step, ...],
        cost: float,
        delta: Array,
        back: Array,
        unexplained: tuple[str, ...] = (),
    ) -> Reading:
        return Reading(
            (*state.steps, *steps),
            cost,
            delta,
            back,
            {**state.deltas, at.layer: delta},
            (*state.unexplained, *unexplained),
        )

    def _price(self, state: Reading, steps: tuple[Step, ...]) -> float:
        known = {step.key() for step in state.steps}
        cost = 0.0
        for step in steps:
            cost += REPEATED if step.key() in known else step.cost
            known.add(step.key())
        return cost

    # Deltas

    def _single(self, at: At) -> Iterator[Candidate]:
        setting = self.setting
        for slot in ("error",) if at.last else ("back",):
            for mistake, change in _changes(at, slot):
                with np.errstate(all="ignore"):
                    through = [setting.through(at.layer, part) for part in (change.value, *change.directions)]
                yield from self._settled(
                    at,
                    mistake,
                    slot,
                    change._replace(value=through[0], directions=tuple(through[1:])),
                    change.value,
                )
        for mistake, change in _changes(at, "slope"):
            yield from self._settled(at, mistake, "slope", change, at.back)

    def _pairs(self, at: At) -> Iterator[Candidate]:
        for mistake, change in _changes(at, "error" if at.last else "back"):
            if change.directions or not np.isfinite(change.value).all():
                continue
            first = self._step(at, mistake, "back", change)
            for other, second in _changes(at._replace(back=change.value), "slope"):
                if not second.directions and np.isfinite(second.value).all():
                    yield Candidate(
                        (first, self._step(at, other, "slope", second)), second.value, change.value
                    )

    def _step(self, at: At, mistake: Mistake, slot: str, change: Change, note: str = "") -> Step:
        return Step(mistake.code, at.layer, slot, note or change.note, mistake.rank + change.surcharge)

    def _settled(
        self, at: At, mistake: Mistake, slot: str, change: Change, back: Array
    ) -> Iterator[Candidate]:
        """Yields the change with its multiples fitted to the person's gradients."""
        if not all(np.isfinite(part).all() for part in (change.value, *change.directions)):
            return
        if not change.directions:
            yield Candidate((self._step(at, mistake, slot, change),), change.value, back)
            return
        names = self._names(at.layer)
        columns = [self._flat(at, names, direction) for direction in change.directions]
        target = np.concatenate([(self.given[name] - self.setting.regular(name)).ravel() for name in names])
        target = target - self._flat(at, names, change.value)
        found = _fit(columns, target)
        if found is None or change.accept is None:
            return
        note = change.accept(found)
        if note is not None:
            value = change.value + sum(
                number * part for number, part in zip(found, change.directions, strict=True)
            )
            yield Candidate((self._step(at, mistake, slot, change, note),), value, back)

    def _flat(self, at: At, names: list[str], delta: Array) -> Array:
        parts = [
            self.setting.weight_gradient(at.layer, delta) if name[0] == "W" else delta.sum(axis=0)
            for name in names
        ]
        return np.concatenate([part.ravel() for part in parts])

    def _fitted_multiples(self, at: At, state: Reading, candidates: list[Candidate]) -> list[Reading]:
        """Returns the readings in which a delta is multiplied with a number besides."""
        made = []
        for candidate in candidates:
            for name in self._names(at.layer):
                target = self.given[name] - self.setting.regular(name)
                right = self._gradient(at, name, candidate.value)
                size = float(np.sum(right**2))
                if (
                    not size
                    or not np.isfinite(size)
                    or (target.size < 2 and len(self.given) > 1 and name[0] == "W")
                ):
                    continue
                number = float(np.sum(right * target)) / size
                if (
                    number == 0
                    or isclose(number, 1, rel_tol=1e-6)
                    or not self.ruler.same(name, number * right, target)
                ):
                    continue
                for named in named_multiple(self.setting, at.layer, "delta", number):
                    steps = tuple(
                        Step(
                            mistake.code,
                            at.layer,
                            "delta",
                            multiple.note,
                            named.cost / len(named.parts),
                            number,
                        )
                        for mistake, multiple in named.parts
                    )
                    scaled = Candidate((*candidate.steps, *steps), number * candidate.value, candidate.back)
                    made += self._explained(at, state, scaled, False)
                break
        return made

    def _gradient(self, at: At, name: str, delta: Array) -> Array:
        return self.setting.weight_gradient(at.layer, delta) if name[0] == "W" else delta.sum(axis=0)

    # The gradients from a delta

    def _explained(self, at: At, state: Reading, candidate: Candidate, thorough: bool) -> list[Reading]:
        """Returns the readings that start from a delta; with ``thorough``, those with more mistakes after it."""
        placed = at._replace(delta=candidate.value, back=candidate.back)
        parts: list[list[tuple[Step, ...]]] = []
        if not np.isfinite(candidate.value).all():
            return []
        names = self._names(at.layer)
        right = {
            name: self.ruler.same(
                name, self._gradient(at, name, candidate.value) + self.setting.regular(name), self.given[name]
            )
            for name in names
        }
        if not thorough and not all(right.values()):
            return []
        if candidate.steps and not any(right.values()):
            return []
        for name in names:
            if right[name]:
                parts.append([()])
                continue
            found = self._parameter(placed, name)
            if not found:
                return (
                    []
                    if candidate.steps or len(names) == 1
                    else self._half(state, placed, candidate, names, right)
                )
            parts.append(found)
        made = []
        for combination in _product(parts):
            steps = (*candidate.steps, *chain.from_iterable(combination))
            made.append(
                self._reading(
                    state, at, steps, state.cost + self._price(state, steps), candidate.value, candidate.back
                )
            )
        return made

    def _half(
        self, state: Reading, at: At, candidate: Candidate, names: list[str], right: Mapping[str, bool]
    ) -> list[Reading]:
        """Returns the reading in which one of weights and biases is right and nothing explains the other."""
        if not any(right.values()):
            return []
        wrong = tuple(name for name in names if not right[name])
        return [
            self._reading(state, at, (), state.cost + UNEXPLAINED - 1, candidate.value, candidate.back, wrong)
        ]

    def _parameter(self, at: At, name: str) -> list[tuple[Step, ...]]:
        """Returns the lists of steps that lead from a delta to a parameter's gradient; the cheapest and its ties."""
        slot = "weight" if name[0] == "W" else "bias"
        regular = self.setting.regular(name)
        target = self.given[name] - regular
        options: list[tuple[tuple[Step, ...], Array]] = [((), self._gradient(at, name, at.delta))]
        for mistake, change in _changes(at, slot):
            value, note = change.value, ""
            if change.directions:
                found = _fit([part.ravel() for part in change.directions], (target - value).ravel())
                accepted = change.accept(found) if found is not None and change.accept else None
                if found is None or accepted is None:
                    continue
                note = accepted
                value = value + sum(
                    number * part for number, part in zip(found, change.directions, strict=True)
                )
            options.append(((self._step(at, mistake, slot, change, note),), value))
        made = [steps for steps, value in options if steps and self.ruler.same(name, value, target)]
        made += self._multiples(at, name, slot, options[:1], target) + self._strengths(at, name, options[:1])
        if not made:
            made = self._multiples(at, name, slot, options[1:], target) + self._strengths(
                at, name, options[1:]
            )
        made.sort(key=_cost)
        return [steps for steps in made if _cost(steps) <= _cost(made[0]) + 1.0][:6]

    def _multiples(
        self, at: At, name: str, slot: str, options: list[tuple[tuple[Step, ...], Array]], target: Array
    ) -> list[tuple[Step, ...]]:
        made = []
        for steps, value in options:
            size = float(np.sum(value**2))
            if not size or not np.isfinite(size):
                continue
            number = float(np.sum(value * target)) / size
            if isclose(number, 1, rel_tol=1e-6) or not self.ruler.same(name, number * value, target):
                continue
            for named in named_multiple(self.setting, at.layer, slot, number):
                if target.size == 1 and (named.cost > 1.5 or steps):
                    continue  # any number is a multiple of any other
                extra = tuple(
                    Step(
                        mistake.code,
                        at.layer,
                        slot,
                        multiple.note,
                        mistake.rank if len(named.parts) > 1 else named.cost,
                        number,
                    )
                    for mistake, multiple in named.parts
                )
                made.append((*steps, *extra))
        return made

    def _strengths(
        self, at: At, name: str, options: list[tuple[tuple[Step, ...], Array]]
    ) -> list[tuple[Step, ...]]:
        """Returns the steps in which weights are regularised with another strength than in the cost."""
        if name[0] != "W":
            return []
        W, made = self.setting.W[at.layer], []
        size = float(np.sum(W**2))
        right = self.setting.l2
        for steps, value in options:
            left = self.given[name] - value
            if W.size < 2 or not size or not np.isfinite(left).all():
                continue
            strength = float(np.sum(left * W)) / size
            if isclose(strength, right, rel_tol=1e-6) or not self.ruler.same(
                name, strength * W + value, self.given[name]
            ):
                continue
            made += [(*steps, step) for step in self._strength(at, strength)]
        return made

    def _strength(self, at: At, strength: float) -> Iterator[Step]:
        right = self.setting.l2
        W = f"W{at.layer}"
        differ = TABLE["cost_and_gradient_differ"]
        if not right:
            note = f"{strength:.6g} times {W} is in the gradient, but no regularisation in the cost"
            yield Step(differ.code, at.layer, "regularisation", note, 1.0, np.inf)
        elif abs(strength) < 1e-6 * right:
            note = f"the cost has a regularisation with l2 = {right:.6g}, d{W} has none"
            yield Step(differ.code, at.layer, "regularisation", note, 1.0, 0.0)
        else:
            for named in named_multiple(self.setting, at.layer, "regularisation", strength / right):
                if len(named.parts) == 1:
                    mistake, multiple = named.parts[0]
                    yield Step(
                        mistake.code, at.layer, "regularisation", multiple.note, named.cost, strength / right
                    )


def _cost(steps: tuple[Step, ...]) -> float:
    return sum(step.cost for step in steps)


def _fit(columns: list[Array], target: Array) -> Array | None:
    """Returns the multiples of the columns that come nearest, or nothing where they aren't determined."""
    if len(target) <= len(columns):
        return None
    found, _, rank, _ = np.linalg.lstsq(np.stack(columns, axis=1), target, rcond=1e-11)
    return found if rank == len(columns) else None


def _product(parts: list[list[tuple[Step, ...]]]) -> Iterator[tuple[tuple[Step, ...], ...]]:
    if not parts:
        yield ()
        return
    for first in parts[0]:
        for rest in _product(parts[1:]):
            yield (first, *rest)


def _same(one: Array, other: Array) -> bool:
    if one is None or other is None:
        return one is other
    size = max(float(np.max(np.abs(one), initial=0)), float(np.max(np.abs(other), initial=0)))
    return one.shape == other.shape and bool(np.max(np.abs(one - other), initial=0) <= 1e-7 * size)
