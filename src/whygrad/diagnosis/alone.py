"""The readings of one parameter's gradient by itself: turned round, multiplied, summed wrongly, regularised wrongly."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from math import isclose
from typing import NamedTuple

import numpy as np

from whygrad.arrays import Array
from whygrad.diagnosis.pulls import turns
from whygrad.diagnosis.rewrites import Reader
from whygrad.diagnosis.setting import Ruler
from whygrad.diagnosis.sums import Sum, averaged, part_of, shares, sizes, sums


class Named(NamedTuple):
    """One mistake, where it is and what it costs to assume it."""

    code: str
    note: str
    parameters: tuple[str, ...]
    rank: float
    key: str = ""


class Alone:
    """What may be wrong with single gradients, or with all of them alike.

    Args:
        reader: The tape, read; nothing where the function can't be written down.
        right: The right gradients.
        given: The person's.
        ruler: What counts as the same number.
        examples: How many examples there are, where that is known; 1 otherwise.
    """

    def __init__(
        self,
        reader: Reader | None,
        right: Mapping[str, Array],
        given: Mapping[str, Array],
        ruler: Ruler,
        examples: int,
    ) -> None:
        self.reader, self.right, self.given, self.ruler = reader, right, given, ruler
        self.examples = examples

    @cached_property
    def _sums(self) -> list[Sum]:
        return sums(self.reader) if self.reader is not None else []

    @cached_property
    def _cotangents(self) -> dict[int, Array]:
        return self.reader.tape.cotangents() if self.reader is not None else {}

    @cached_property
    def _penalties(self) -> dict[str, Array]:
        """The parts of the right gradients that regularisations in the cost make."""
        return self.reader.penalties(self._cotangents) if self.reader is not None else {}

    def _counts(self, name: str | None = None) -> set[int]:
        """Returns the numbers of examples that a mean may have been taken over."""
        known = {self.examples} if self.examples > 1 else set()
        return known | sizes(self._sums, name) if name is not None or not known else known

    # One parameter

    def readings(self, name: str, right: Array) -> list[Named]:
        """Returns the mistakes that lead from a parameter's gradient to the person's."""
        given = self.given[name]
        made = [
            Named(
                "weight_gradient_transposed" if code == "weight_not_transposed" else code,
                f"d{name} is {words}",
                (name,),
                1.0,
            )
            for code, words, turned in turns(right, self._kernel(name, right))
            if self.ruler.same(name, turned, given)
        ]
        size = float(np.sum(right**2))
        if size and right.size > 1:
            number = float(np.sum(right * given)) / size
            if number and self.ruler.same(name, number * right, given):
                made += self._multiple(name, number)
        elif size and self._known_number(name, float(np.sum(given)) / float(np.sum(right))):
            made += self._multiple(name, float(np.sum(given)) / float(np.sum(right)))
        made += self._regularised(name, right, given)
        if right is self.right[name]:
            made += self._partial(name, given)
        made += [Named(code, note, (name,), 1.0) for code, note, value in self._of_bias(name, right)
                 if self.ruler.same(name, value, given)]  # fmt: skip
        return made

    def _kernel(self, name: str, right: Array) -> bool:
        if self.reader is None or name not in self.reader.tape.leaves:
            return bool(right.ndim > 2)
        leaf = self.reader.tape.leaves[name]
        return self.reader.windowed(leaf) and (bool(right.ndim != 1) or self.reader.sliced(leaf))

    def _known_number(self, name: str, number: float) -> bool:
        """Whether one number alone speaks for a multiple: any number is a multiple of any other."""
        known = {-1.0, *(x for count in self._counts(name) for x in (float(count), 1 / count))}
        return any(isclose(number, one, rel_tol=1e-6) for one in known)

    def _multiple(self, name: str, number: float) -> list[Named]:
        said = f"d{name} is exactly {number:.6g} times the right one"
        if isclose(number, -1, rel_tol=1e-6):
            return [Named("sign_flipped", said, (name,), 1.0)]
        for count in sorted(self._counts(name)):
            bias = self.right[name].size in self.right[name].shape or self.right[name].ndim < 2
            if isclose(number, 1 / count, rel_tol=1e-6):
                return [
                    Named(
                        "bias_mean_for_sum" if bias else "batch_mean_twice",
                        f"{said}: 1/{count}",
                        (name,),
                        1.0,
                    )
                ]
            if isclose(number, count, rel_tol=1e-6) and (self.reader is None or averaged(self.reader, count)):
                return [Named("batch_mean_missing", said, (name,), 1.0)]
        return [Named("stray_factor", said, (name,), 1.3)]

    def _regularised(self, name: str, right: Array, given: Array) -> Iterator[Named]:
        if self.reader is None or name not in self.reader.tape.leaves:
            return
        value = self.reader.tape.steps[self.reader.tape.leaves[name]].value
        apart = given - right
        penalty = self._penalties.get(name)
        if penalty is not None and np.any(penalty):
            number = 1 + float(np.sum(apart * penalty)) / float(np.sum(penalty**2))
            if self.ruler.same(name, right + (number - 1) * penalty, given) and penalty.size > 1:
                yield from self._strength(name, number)
            return
        if not np.any(value):
            return
        number = float(np.sum(apart * value)) / float(np.sum(value**2))
        known = self._strengths()
        typed = any(isclose(number, by * one, rel_tol=1e-6) for one in known for by in (0.5, 1.0, 2.0))
        bias = right.ndim < 2 or right.size in right.shape
        if (value.size > 1 or typed) and number and self.ruler.same(name, right + number * value, given):
            if bias:
                yield Named(
                    "bias_regularised", f"{number:.6g} times {name} is added", (name,), 1.0 if typed else 1.1
                )
            else:
                note = f"{number:.6g} times {name} is in the gradient, but not in the cost"
                yield Named("cost_and_gradient_differ", note, (name,), 1.0)
        number = float(apart.mean())
        typed = any(isclose(number, by * one, rel_tol=1e-6) for one in known for by in (0.5, 1.0, 2.0))
        if bias and typed and self.ruler.same(name, right + number, given):
            yield Named("bias_regularised", f"the constant {number:.6g} is added", (name,), 1.0)

    def _strength(self, name: str, number: float) -> Iterator[Named]:
        said = f"the regularisation is {number:.6g} times too strong in d{name}"
        if abs(number) < 1e-6:
            yield Named(
                "cost_and_gradient_differ",
                f"the cost has a regularisation of {name}, d{name} has none",
                (name,),
                1.0,
            )
        elif isclose(number, 2, rel_tol=1e-6):
            yield Named("l2_factor_two_missing", said, (name,), 1.0)
            yield Named("l2_counted_twice", said, (name,), 1.0)
        elif isclose(number, 0.5, rel_tol=1e-6):
            yield Named("l2_factor_two_missing", said, (name,), 1.0)
        elif isclose(number, -1, rel_tol=1e-6):
            yield Named("sign_flipped", f"of the regularisation in d{name}", (name,), 1.0)
        else:
            yield Named("stray_factor", said, (name,), 1.3)

    def _strengths(self) -> list[float]:
        """Returns by how much of themselves the parameters' gradients are regularised."""
        made = []
        for name, penalty in self._penalties.items():
            value = self.reader.tape.steps[self.reader.tape.leaves[name]].value if self.reader else penalty
            if np.any(penalty) and np.any(value):
                made.append(float(np.sum(penalty * value)) / float(np.sum(value**2)))
        return made

    def _parts(self, name: str, given: Array) -> Iterator[tuple[int, int, int]]:
        """Yields which neighbouring shares of a sum alone make a gradient: how many there are, the first, the end."""
        if self.reader is None or not np.any(given):
            return
        for one in (one for one in self._sums if one.parameter == name):
            rows = shares(self.reader, one, self._cotangents)
            if rows is None:
                continue
            target = given - (self.right[name] - rows.sum(axis=0))
            found = part_of(one, rows, target, lambda made, wanted: self.ruler.same(name, made, wanted))
            if found is not None:
                yield one.size, *found

    def _partial(self, name: str, given: Array) -> Iterator[Named]:
        """Yields sums of which only some neighbouring shares are there."""
        bias = given.ndim < 2 or given.size in given.shape
        for size, start, stop in self._parts(name, given):
            kept = f"share {start}" if stop == start + 1 else f"the shares {start} to {stop - 1}"
            note = f"of the {size} shares of d{name} only {kept} are in it"
            if stop == start + 1 and (bias or stop == size):
                yield Named("bias_not_reduced" if bias else "last_sample_only", note, (name,), 1.0)
            yield Named("partial_sum_lost", note, (name,), 1.0)
            yield Named("gradients_overwritten", note, (name,), 1.0)

    def _of_bias(self, name: str, right: Array) -> Iterator[tuple[str, str, Array]]:
        if right.size < 2 or not (right.ndim == 1 or right.size in right.shape):
            return
        for value, words in ((right.sum(), "sum"), (right.mean(), "mean")):
            yield (
                "bias_sum_over_units",
                f"d{name} has one number, the {words} over its entries",
                np.full_like(right, value),
            )
        for other, weights in self.right.items():
            for axis in (0, 1):
                if other != name and weights.ndim == 2 and weights.shape[1 - axis] == right.size:
                    for made, words in ((weights.sum(axis=axis), "sum"), (weights.mean(axis=axis), "mean")):
                        note = f"d{name} is the {words} of d{other} over axis {axis}"
                        yield "bias_from_weight_gradient", note, made.reshape(right.shape)

    # All of them alike

    def everything(self) -> list[Named]:
        """Returns the readings where every gradient is the same multiple of the right one, or the same part of it."""
        numbers = []
        for name, given in self.given.items():
            size = float(np.sum(self.right[name] ** 2))
            if not size:
                continue
            number = float(np.sum(self.right[name] * given)) / size
            if not self.ruler.same(name, number * self.right[name], given):
                return self._same_part()
            numbers.append(number)
        if len(numbers) < 2 and sum(given.size for given in self.given.values()) < 2:
            return []
        if not numbers or not numbers[0]:
            return []
        if not all(isclose(number, numbers[0], rel_tol=1e-6) for number in numbers):
            return []
        return self._same_multiple(numbers[0])

    def _same_part(self) -> list[Named]:
        """Returns the reading in which the same neighbouring examples alone make every gradient."""
        parts: dict[str, set[tuple[int, int, int]]] = {}
        for name, given in self.given.items():
            parts[name] = {(size, start, stop) for size, start, stop in self._parts(name, given)}
            if not parts[name]:
                return []
        common = sorted(set.intersection(*parts.values()))
        if not common or len(parts) < 2:
            return []
        size, start, stop = common[0]
        if stop != size:
            return []
        names = tuple(self.given)
        if stop == start + 1:
            return [Named("last_sample_only", f"example {start} alone", names, 1.0)]
        return [
            Named("gradients_overwritten", f"only the last {stop - start} of {size} are in it", names, 1.0)
        ]

    def _same_multiple(self, number: float) -> list[Named]:
        names, said = tuple(self.given), f"every gradient is exactly {number:.6g} times the right one"
        steps = {len(group) for group in self.reader.loops} if self.reader is not None else set()
        counts = self._counts()
        summed = {float(m) for m in counts if self.reader is None or averaged(self.reader, m)}
        outputs = self.reader.outputs() if self.reader is not None else 1
        known = [
            ("sign_flipped", {-1.0}),
            ("factor_two_missing", {0.5, 2.0} if self.reader is None or self.reader.squared() else set()),
            ("batch_mean_missing", summed),
            ("batch_mean_twice", {1 / m for m in counts}),
            ("time_mean_extra", {x for many in steps for x in (float(many), 1 / many)}),
            ("output_mean_missing", {float(outputs), 1 / outputs} if outputs not in counts else set()),
        ]
        made = [
            Named(code, said, names, 1.0)
            for code, several in known
            if any(isclose(number, one, rel_tol=1e-6) and not isclose(one, 1) for one in several)
        ]
        return made or [Named("stray_factor", said, names, 1.3)]
