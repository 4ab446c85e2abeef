"""The search over the changes to the backward pass of a person's own function."""

from collections.abc import Iterator, Mapping
from math import isclose
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from whygrad.diagnosis.kernels import Rewrite
from whygrad.diagnosis.pulls import turns
from whygrad.diagnosis.rewrites import Reader
from whygrad.diagnosis.setting import Ruler
from whygrad.diagnosis.tape import Tape

Array: TypeAlias = Any
MOST_REWRITES = 600
MOST_SECOND = 8


class Named(NamedTuple):
    """One mistake, where it is and what it costs to assume it."""

    code: str
    note: str
    parameters: tuple[str, ...]
    rank: float
    key: str = ""


class Found(NamedTuple):
    """Mistakes that together make the numbers; each with the others that have the same numbers."""

    mistakes: tuple[tuple[Named, ...], ...]
    cost: float


class Search:
    """The search for what makes gradients of a taped cost.

    Args:
        tape: The tape of the cost; nothing where the function can't be written down.
        right: The right gradients.
        given: The person's.
        ruler: What counts as the same number.
        examples: How many examples there are, where that is known.
    """

    def __init__(
        self,
        tape: Tape | None,
        right: Mapping[str, Array],
        given: Mapping[str, Array],
        ruler: Ruler,
        examples: int,
    ) -> None:
        self.tape, self.right, self.given, self.ruler, self.examples = tape, right, given, ruler, examples
        self.reader = Reader(tape) if tape is not None else None

    def run(self) -> list[Found]:
        """Returns the cheapest explanations: several have the same numbers; none where nothing explains them."""
        everything = self._everything()
        if everything:
            return everything
        found = self._completed((), self.right)
        made: list[tuple[Rewrite, dict[str, Array]]] = []
        if self.reader is not None and self.tape is not None:
            for rewrite in self._rewrites():
                gradients = self.tape.backward(rewrite.changes, rewrite.joined)
                made.append((rewrite, gradients))
                found += self._completed((self._named(rewrite, gradients),), gradients)
            if not found or min(one.cost for one in found) > 1.5:
                found += self._seconds(made)
        if not found:
            return []
        best = min(one.cost for one in found)
        return self._apart([one for one in found if one.cost <= best + 0.02])

    def _apart(self, found: list[Found]) -> list[Found]:
        kept: list[Found] = []
        for one in found:
            codes = [tuple(named.code for named in ties) for ties in one.mistakes]
            if codes not in [
                [tuple(named.code for named in ties) for ties in other.mistakes] for other in kept
            ]:
                kept.append(one)
        return kept

    def _rewrites(self) -> Iterator[Rewrite]:
        assert self.reader is not None
        for place, rewrite in enumerate(self.reader.all()):
            if place >= MOST_REWRITES:
                return
            yield rewrite

    def _named(self, rewrite: Rewrite, gradients: Mapping[str, Array]) -> tuple[Named, ...]:
        changed = tuple(
            name for name in self.right if not self.ruler.same(name, gradients[name], self.right[name])
        )
        return tuple(
            Named(code, rewrite.note.strip(), changed, rewrite.rank, "rewrite") for code in rewrite.codes
        )

    def _seconds(self, made: list[tuple[Rewrite, dict[str, Array]]]) -> list[Found]:
        """Returns the explanations by two changes, of which the first explains at least one parameter by itself."""
        assert self.tape is not None
        wrong = [name for name in self.given if not self.ruler.same(name, self.right[name], self.given[name])]
        scored = []
        for rewrite, gradients in made:
            solved = [name for name in wrong if self.ruler.same(name, gradients[name], self.given[name])]
            broken = [
                n
                for n in self.given
                if n not in wrong and not self.ruler.same(n, gradients[n], self.given[n])
            ]
            if solved and not broken:
                scored.append((len(solved), rewrite, gradients))
        scored.sort(key=lambda one: -one[0])
        found = []
        for _, rewrite, gradients in scored[:MOST_SECOND]:
            for other, _ in made:
                if other is rewrite or set(other.changes) & set(rewrite.changes):
                    continue
                both = self.tape.backward(
                    {**rewrite.changes, **other.changes}, {**rewrite.joined, **other.joined}
                )
                found += self._completed((self._named(rewrite, gradients), self._named(other, both)), both)
        return found

    def _completed(
        self, mistakes: tuple[tuple[Named, ...], ...], gradients: Mapping[str, Array]
    ) -> list[Found]:
        """Returns the explanation, where each parameter is as it should be or is changed by itself in a known way."""
        parts: list[tuple[Named, ...]] = list(mistakes)
        cost = sum(ties[0].rank for ties in mistakes)
        changed = False
        seen: set[str] = set()
        for name, given in self.given.items():
            if self.ruler.same(name, gradients[name], given):
                continue
            readings = self._alone(name, gradients[name], given)
            if not readings:
                return []
            best = min(reading.rank for reading in readings)
            ties = tuple(reading for reading in readings if reading.rank <= best + 0.02)
            parts.append(ties)
            cost += 0.2 if ties[0].code in seen else best
            seen.add(ties[0].code)
            changed = True
        if (
            mistakes
            and not changed
            and all(self.ruler.same(n, gradients[n], self.right[n]) for n in gradients)
        ):
            return []
        return [Found(tuple(parts), cost)] if parts else []

    # One parameter, or all of them

    def _alone(self, name: str, right: Array, given: Array) -> list[Named]:
        """Returns the readings of one parameter's gradient by itself."""
        made: list[Named] = []
        kernel = self.tape is None or right.ndim > 2
        if self.reader is not None and self.tape is not None and name in self.tape.leaves:
            kernel = (right.ndim != 1 and self.reader.windowed(self.tape.leaves[name])) or (
                right.ndim == 1 and self.reader.windowed(self.tape.leaves[name]) and self._sliced(name)
            )
        for code, words, turned in turns(right, kernel):
            if self.ruler.same(name, turned, given):
                code = "weight_gradient_transposed" if code == "weight_not_transposed" else code
                made.append(Named(code, f"d{name} is {words}", (name,), 1.0))
        size = float(np.sum(right**2))
        if size:
            number = float(np.sum(right * given)) / size
            if number and right.size > 1 and self.ruler.same(name, number * right, given):
                made += self._multiple(name, number, right.ndim)
        return made

    def _sliced(self, name: str) -> bool:
        """Whether single entries of a one-dimensional parameter are used: it is a kernel and no bias."""
        assert self.tape is not None
        assert self.reader is not None
        leaf = self.tape.leaves[name]
        users = [self.tape.steps[user] for user, _ in self.reader.users.get(leaf, [])]
        return any(
            step.name == "getitem"
            or (step.value.shape == self.tape.steps[leaf].value.shape and step.name == "multiply")
            for step in users
        )

    def _steps(self) -> set[int]:
        return {len(group) for group in self.reader.loops} if self.reader is not None else set()

    def _multiple(self, name: str, number: float, ndim: int) -> list[Named]:
        m = self.examples
        said = f"d{name} is exactly {number:.6g} times the right one"
        if isclose(number, -1, rel_tol=1e-6):
            return [Named("sign_flipped", said, (name,), 1.0)]
        if m > 1 and isclose(number, 1 / m, rel_tol=1e-6):
            return [Named("bias_mean_for_sum" if ndim == 1 else "batch_mean_twice", said, (name,), 1.0)]
        if m > 1 and isclose(number, m, rel_tol=1e-6):
            return [Named("batch_mean_missing", said, (name,), 1.0)]
        return [Named("stray_factor", said, (name,), 1.3)]

    def _everything(self) -> list[Found]:
        """Returns the readings where every gradient is the same multiple of the right one."""
        numbers = []
        for name, given in self.given.items():
            size = float(np.sum(self.right[name] ** 2))
            if not size:
                continue
            number = float(np.sum(self.right[name] * given)) / size
            if not self.ruler.same(name, number * self.right[name], given):
                return []
            numbers.append(number)
        if (
            len(numbers) < 2
            or not all(isclose(number, numbers[0], rel_tol=1e-6) for number in numbers)
            or not numbers[0]
        ):
            return []
        number, names, m = numbers[0], tuple(self.given), self.examples
        said = f"every gradient is exactly {number:.6g} times the right one"
        known = [
            ("sign_flipped", (-1.0,), 1.0),
            ("factor_two_missing", (0.5, 2.0), 1.0),
            ("batch_mean_missing", (float(m),), 1.0),
            ("batch_mean_twice", (1 / m,), 1.0),
            ("time_mean_extra", tuple(x for steps in self._steps() for x in (steps, 1 / steps)), 1.0),
        ]
        made = [
            Named(code, f"{said}", names, rank)
            for code, several, rank in known
            if any(isclose(number, one, rel_tol=1e-6) and not isclose(one, 1) for one in several)
        ]
        return [Found((tuple(made or [Named("stray_factor", said, names, 1.3)]),), 1.0)]
