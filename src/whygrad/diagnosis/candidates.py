"""The deltas that single mistakes, and pairs of them, lead to at a layer."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from whygrad.arrays import Array
from whygrad.diagnosis.mistake import At, Change, Mistake
from whygrad.diagnosis.reading import Candidate, changes, fit, step_of
from whygrad.diagnosis.setting import Ruler

#: Mistakes that are known by leaving the slope out; another slope that happens to be 1 everywhere isn't one of them.
PLAIN = (
    "hidden_slope_missing",
    "relu_mask_all_ones",
    "output_slope_missing",
    "mask_from_output",
    "softmax_diagonal",
)


class Layer:
    """One layer of a walk: what was handed in for it, and quick comparisons with it.

    Args:
        at: The layer, with what arrived at it.
        targets: The person's gradients without the regularisation, by parameter.
        ruler: What counts as the same number.
    """

    def __init__(self, at: At, targets: Mapping[str, Array], ruler: Ruler) -> None:
        self.at, self.targets, self.ruler = at, targets, ruler
        self.names = [name for name in (f"W{at.layer}", f"b{at.layer}") if name in targets]
        #: Whether everything that was handed in for the layer is 0.
        self.silent = not any(np.any(targets[name]) for name in self.names)
        generator = np.random.default_rng(0)
        self._along = generator.uniform(0.5, 1.0, at.inputs.shape[1])
        self._inputs = at.inputs @ self._along
        W = targets.get(f"W{at.layer}")
        self._shown = None if W is None else W @ self._along
        self.neuron = 0 if W is None else int(np.argmax((W**2).sum(axis=1)))

    def gradient(self, name: str, delta: Array) -> Array:
        """Returns a parameter's gradient that a delta leads to, without the regularisation."""
        return self.at.setting.weight_gradient(self.at.layer, delta) if name[0] == "W" else delta.sum(axis=0)

    def fits(self, name: str, delta: Array) -> bool:
        """Whether a delta leads to the person's gradient of a parameter."""
        if name[0] == "b":
            return self.ruler.same(name, delta.sum(axis=0), self.targets[name])
        # A product with one vector tells nearly every wrong matrix from the right one, for less.
        shown = delta.T @ self._inputs
        largest = float(np.max(np.abs(shown), initial=0.0))
        loose = 10 * self.ruler.tolerance(name, self.targets[name], shown) * (len(self._along) + 1)
        if not np.isfinite(largest) or np.max(np.abs(shown - self._shown), initial=0.0) > loose:
            return False
        return self.ruler.same(name, self.gradient(name, delta), self.targets[name])

    def apart(self, name: str, delta: Array) -> float:
        """Returns the largest difference from the person's gradient, relative to the largest contributions."""
        found = self.gradient(name, delta)
        return float(np.max(np.abs(found - self.targets[name]), initial=0.0)) / self.ruler.size(name, found)

    def squares(self, name: str, delta: Array) -> float:
        """Returns the sum of the squared differences from the person's gradient."""
        with np.errstate(all="ignore"):
            return float(np.sum((self.gradient(name, delta) - self.targets[name]) ** 2))

    def may_fit(self, column: Array) -> bool:
        """Whether the deltas of one neuron may lead to some multiple of its row of the person's gradients."""
        W = f"W{self.at.layer}"
        if W not in self.targets:
            return True
        row, made = self.targets[W][self.neuron], column @ self.at.inputs
        size = float(made @ made)
        if not size or not np.isfinite(size):
            return False
        number = float(made @ row) / size
        return bool(
            np.max(np.abs(number * made - row))
            <= 10 * self.ruler.tolerance(W, self.targets[W], number * made)
        )

    # Candidates

    def singles(self) -> Iterator[Candidate]:
        """Yields the deltas that one mistake leads to."""
        at, setting = self.at, self.at.setting
        slot = "error" if at.last else "back"
        for mistake, change in changes(at, slot):
            with np.errstate(all="ignore"):
                through = [setting.through(at.layer, part) for part in (change.value, *change.directions)]
            moved = change._replace(value=through[0], directions=tuple(through[1:]))
            yield from self._settled(mistake, slot, moved, change.value)
        for mistake, change in changes(at, "slope"):
            if self._named(mistake, change.value, at.back):
                yield from self._settled(mistake, "slope", change, at.back)

    def _named(self, mistake: Mistake, value: Array, back: Array) -> bool:
        return mistake.code in PLAIN or not np.array_equal(value, back)

    def _settled(self, mistake: Mistake, slot: str, change: Change, back: Array) -> Iterator[Candidate]:
        """Yields the change with its multiples fitted to the person's gradients."""
        if not all(np.isfinite(part).all() for part in (change.value, *change.directions)):
            return
        if not change.directions:
            yield Candidate((step_of(self.at, mistake, slot, change),), change.value, back)
            return
        seen = []
        # One more mistake may hide in the weights or in the biases: each of them alone says what is to be fitted.
        for names in (self.names, *([name] for name in reversed(self.names) if len(self.names) > 1)):
            columns = [self._flat(direction, names) for direction in change.directions]
            target = np.concatenate([self.targets[name].ravel() for name in names])
            found = fit(columns, target - self._flat(change.value, names))
            note = change.accept(found) if found is not None and change.accept is not None else None
            if found is not None and note is not None and note not in seen:
                seen.append(note)
                value = change.value + sum(n * part for n, part in zip(found, change.directions, strict=True))
                yield Candidate((step_of(self.at, mistake, slot, change, note),), value, back)

    def _flat(self, delta: Array, names: list[str]) -> Array:
        return np.concatenate([self.gradient(name, delta).ravel() for name in names])

    def pairs(self) -> Iterator[Candidate]:
        """Yields the deltas that a mistake on the way back and one in the slope lead to, where they may fit."""
        at = self.at
        ones = at._replace(back=np.ones_like(at.back))
        plain, shown = list(changes(at, "slope")), list(changes(ones, "slope"))
        factors: list[Array] = []
        with np.errstate(all="ignore"):
            for (_, change), (_, factor) in zip(plain, shown, strict=False):
                # What depends on the error in no simple way has to be worked out anew for each.
                linear = len(plain) == len(shown) and np.allclose(
                    change.value, at.back * factor.value, rtol=1e-9, atol=0
                )
                factors.append(factor.value if linear else None)
        for mistake, change in changes(at, "error" if at.last else "back"):
            if change.directions or not np.isfinite(change.value).all():
                continue
            first = step_of(at, mistake, "back", change)
            yield from self._with_slopes(first, change.value, plain, factors)

    def _with_slopes(
        self, first: Any, back: Array, plain: list[tuple[Mistake, Change]], factors: list[Array]
    ) -> Iterator[Candidate]:
        at, neuron = self.at, self.neuron
        for (other, change), factor in zip(plain, factors, strict=False):
            if factor is None or change.directions or not self._named(other, change.value, at.back):
                continue
            if self.may_fit(back[:, neuron] * factor[:, neuron]) and np.isfinite(factor).all():
                yield Candidate((first, step_of(at, other, "slope", change)), back * factor, back)
        if all(factor is not None for factor in factors):
            return
        curved = {other.code for (other, _), factor in zip(plain, factors, strict=False) if factor is None}
        for other, second in changes(at._replace(back=back), "slope", curved):
            if second.directions or not self._named(other, second.value, back):
                continue
            if self.may_fit(second.value[:, neuron]) and np.isfinite(second.value).all():
                yield Candidate((first, step_of(at, other, "slope", second)), second.value, back)
