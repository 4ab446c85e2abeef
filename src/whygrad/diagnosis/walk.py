"""The walk from the costs backwards: which mistakes, carried on layer by layer, reproduce the person's gradients.

At each layer the person's delta is the right one, or comes out of a change to the step before. For each such delta
the gradients of weights and biases follow, and may have been changed once more. The cheapest explanation of all
layers wins; what costs the same is a tie, and all of it is named.
"""

from collections.abc import Mapping
from itertools import chain, product
from math import isclose

import numpy as np

from whygrad.arrays import Array
from whygrad.diagnosis.candidates import Layer
from whygrad.diagnosis.mistake import At
from whygrad.diagnosis.parameters import parameter_readings
from whygrad.diagnosis.reading import Candidate, Reading, Step, Steps, price, same
from whygrad.diagnosis.setting import Ruler, Setting
from whygrad.diagnosis.table import STRAY, named_multiple

UNEXPLAINED = 6.0
ONE, TWO = 1.35, 2.25  # what one mistake costs at most, and two
MORE_THAN_BEST = 1.5
TIE = 0.02
BEAM = 16
MOST_ENTRIES = 2000  # of weights without biases, for two mistakes to be looked for in them


class Walk:
    """The search over one person's gradients.

    Args:
        setting: The network on its examples.
        given: The person's gradients, in the network's layout and conventions.
        ruler: What counts as the same number.
    """

    def __init__(self, setting: Setting, given: Mapping[str, Array], ruler: Ruler) -> None:
        self.setting, self.given, self.ruler = setting, given, ruler
        self._targets = {name: array - setting.regular(name) for name, array in given.items()}

    def run(self) -> list[Reading]:
        """Returns the cheapest readings of all layers: one, or several with the same numbers."""
        states = [Reading()]
        for layer in range(self.setting.depth, 0, -1):
            following: list[Reading] = []
            for state in states:
                following += self._layer(layer, state)
            following.sort(key=lambda reading: reading.cost)
            best = following[0].cost
            states = _distinct([r for r in following if r.cost <= best + MORE_THAN_BEST])[:BEAM]
        tied = [state for state in states if state.cost <= states[0].cost + TIE]
        # What is the same only nearly isn't a tie of what is the same to the last digits.
        closest = min(state.apart for state in tied)
        return [state for state in tied if state.apart <= max(1e3 * closest, 1e-12)]

    # One layer

    def _layer(self, number: int, state: Reading) -> list[Reading]:
        setting = self.setting
        last = number == setting.depth
        back = setting.error if last else state.delta @ setting.W[number + 1]
        above = (None, None) if last else (state.delta, state.back)
        at = At(setting, number, self.given, above[0], above[1], back, None, state.deltas)
        layer = Layer(at, self._targets, self.ruler)
        base = Candidate((), setting.through(number, back), back)
        found = self._explained(layer, state, base, thorough=True)
        if _cheapest(found, state) > 0:
            found += self._changed(layer, state, base, found)
        if not found:
            found = self._nothing(layer, state, base)
        elif _cheapest(found, state) > 4:
            found += self._nothing(layer, state, base)
        return found

    def _changed(self, layer: Layer, state: Reading, base: Candidate, before: list[Reading]) -> list[Reading]:
        """Returns the readings with a change to the delta; with more changes only where fewer explain nothing."""
        found: list[Reading] = []
        singles = list(layer.singles())
        for candidate in singles:
            found += self._explained(layer, state, candidate, thorough=False)
        found += self._multiples(layer, state, [base], thorough=True)
        if _cheapest(before + found, state) > ONE:
            for candidate in singles:
                found += self._explained(layer, state, candidate, thorough=True)
            found += self._multiples(layer, state, singles, thorough=False)
        if _cheapest(before + found, state) > TWO:
            pairs = list(layer.pairs())
            for candidate in pairs:
                found += self._explained(layer, state, candidate, thorough=False)
            if _cheapest(before + found, state) > UNEXPLAINED / 2:
                found += self._multiples(layer, state, pairs, thorough=False)
                found += self._multiples(layer, state, singles, thorough=True)
        return found

    def _nothing(self, layer: Layer, state: Reading, base: Candidate) -> list[Reading]:
        """Returns the readings that leave the layer unexplained, and go on with the right delta or the person's own."""
        recovered = self._recovered(layer)
        return [
            self._reading(state, layer, (), UNEXPLAINED, delta, base.back, tuple(layer.names))
            for delta in (base.value, recovered)
            if delta is not None
        ]

    def _recovered(self, layer: Layer) -> Array | None:
        """Returns the person's delta where weights and biases leave only one: with fewer examples than inputs."""
        name = f"W{layer.at.layer}"
        if name not in layer.targets:
            return None
        inputs = layer.at.inputs
        sides, known = [inputs], [layer.targets[name]]
        if len(layer.names) == 2:
            sides.append(np.ones((len(inputs), 1)))
            known.append(layer.targets[layer.names[1]][:, None])
        side = np.hstack(sides)
        delta, _, rank, _ = np.linalg.lstsq(side.T, np.hstack(known).T, rcond=None)
        if rank < len(side):
            return None
        return delta if all(layer.fits(one, delta) for one in layer.names) else None

    def _reading(
        self, state: Reading, layer: Layer, steps: Steps, cost: float, delta: Array, back: Array,
        unexplained: tuple[str, ...] = (), apart: float = 0.0,
    ) -> Reading:  # fmt: skip
        return Reading(
            (*state.steps, *steps),
            state.cost + cost,
            delta,
            back,
            {**state.deltas, layer.at.layer: delta},
            (*state.unexplained, *unexplained),
            max(state.apart, apart),
        )

    def _multiples(
        self, layer: Layer, state: Reading, candidates: list[Candidate], thorough: bool
    ) -> list[Reading]:
        """Returns the readings in which a delta is multiplied with a number besides."""
        made = []
        for candidate in candidates:
            if not layer.may_fit(candidate.value[:, layer.neuron]) and not thorough:
                continue
            for name in reversed(layer.names):
                number = self._multiple(layer, name, candidate.value)
                if number is None:
                    continue
                for named in named_multiple(self.setting, layer.at.layer, "delta", number):
                    if self._by_chance(layer, name, thorough) and (
                        candidate.steps or named.parts[0][0] is STRAY
                    ):
                        continue
                    steps = tuple(
                        Step(
                            mistake.code,
                            layer.at.layer,
                            "delta",
                            multiple.note,
                            named.cost / len(named.parts),
                            multiple.number,
                        )
                        for mistake, multiple in named.parts
                    )
                    scaled = Candidate((*candidate.steps, *steps), number * candidate.value, candidate.back)
                    made += self._explained(layer, state, scaled, thorough)
                break
        return made

    def _by_chance(self, layer: Layer, name: str, thorough: bool) -> bool:
        """Whether a multiple is fitted to one number alone: any number is a multiple of any other."""
        entries = (
            layer.targets[name].size if thorough else sum(layer.targets[one].size for one in layer.names)
        )
        return bool(entries == 1)

    def _multiple(self, layer: Layer, name: str, delta: Array) -> float | None:
        target, right = layer.targets[name], layer.gradient(name, delta)
        size = float(np.sum(right**2))
        if not size or not np.isfinite(size) or (target.size < 2 and len(self.given) > 1 and name[0] == "W"):
            return None
        number = float(np.sum(right * target)) / size
        if (
            number == 0
            or isclose(number, 1, rel_tol=self.setting.close)
            or not self.ruler.same(name, number * right, target)
        ):
            return None
        return number

    def nearest(self, number: int) -> tuple[Step, float] | None:
        """Returns the one mistake at a layer that explains nearly all of its difference, and the share; or nothing.

        The layers above are taken to be right. A share of 0.999 is asked for, and that nothing else comes near it.
        """
        setting = self.setting
        last = number == setting.depth
        above = (None, None) if last else (setting.deltas[number + 1], setting.backs[number + 1])
        at = At(setting, number, self.given, above[0], above[1], setting.backs[number], None, setting.deltas)
        layer = Layer(at, self._targets, self.ruler)
        if sum(layer.targets[name].size for name in layer.names) < 8:
            return None  # few numbers are near to many things
        # Both the difference and what was handed in have to be met: something near 0 is near to anything small.
        whole = min(
            sum(layer.squares(name, setting.deltas[number]) for name in layer.names),
            sum(float(np.sum(layer.targets[name] ** 2)) for name in layer.names),
        )
        shares: dict[str, tuple[Step, float]] = {}
        for candidate in layer.singles():
            step = candidate.steps[0]
            left = sum(layer.squares(name, candidate.value) for name in layer.names)
            share = 1 - left / whole if whole else 0.0
            if share > shares.get(step.code, (step, 0.0))[1]:
                shares[step.code] = (step, share)
        best = sorted(shares.values(), key=lambda found: -found[1])
        if not best or best[0][1] < 0.999 or (len(best) > 1 and 1 - best[1][1] < 4 * (1 - best[0][1])):
            return None
        return best[0]

    # The gradients from a delta

    def _explained(self, layer: Layer, state: Reading, candidate: Candidate, thorough: bool) -> list[Reading]:
        """Returns the readings that start from a delta; with ``thorough``, those with more mistakes after it."""
        if not np.isfinite(candidate.value).all() or (candidate.steps and layer.silent):
            return []  # nothing but zeros speaks for no mistake more than for another
        right: dict[str, bool] = {}
        for name in reversed(layer.names):
            right[name] = layer.fits(name, candidate.value)
            if not right[name] and not thorough:
                return []
        lone = len(layer.names) == 1 and layer.targets[layer.names[0]].size <= MOST_ENTRIES
        if candidate.steps and not any(right.values()) and not lone:
            return []
        placed = layer.at._replace(delta=candidate.value, back=candidate.back)
        parts: list[list[Steps]] = []
        for name in layer.names:
            found: list[Steps] = [()] if right[name] else parameter_readings(placed, name, self.ruler)
            if not found:
                return [] if candidate.steps else self._half(layer, state, candidate, right)
            parts.append(found)
        apart = max((layer.apart(name, candidate.value) for name in layer.names if right[name]), default=0.0)
        made = []
        for combination in product(*parts):
            steps = (*candidate.steps, *chain.from_iterable(combination))
            cost = price(state.steps, steps)
            made.append(self._reading(state, layer, steps, cost, candidate.value, candidate.back, (), apart))
        return made

    def _half(
        self, layer: Layer, state: Reading, candidate: Candidate, right: Mapping[str, bool]
    ) -> list[Reading]:
        """Returns the reading in which one of weights and biases is right and nothing explains the other."""
        if not any(right.values()):
            return []
        wrong = tuple(name for name in layer.names if not right[name])
        return [self._reading(state, layer, (), UNEXPLAINED - 1, candidate.value, candidate.back, wrong)]


def _cheapest(readings: list[Reading], state: Reading) -> float:
    """Returns what the cheapest reading costs more than what came before."""
    return min((reading.cost for reading in readings), default=np.inf) - state.cost


def _distinct(readings: list[Reading]) -> list[Reading]:
    """Returns the readings without those that add nothing but cost to a cheaper one with the same delta.

    Equally good ones are kept: what they say may be said again in a layer below, and then it costs less.
    """
    kept: list[Reading] = []
    for reading in readings:
        alike = [other for other in kept if same(other.delta, reading.delta)]
        if any(other.steps == reading.steps for other in alike) or len(alike) >= 4:
            continue
        kept.append(reading)
    return kept
