"""The search over the changes to the backward pass of a person's own function."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from whygrad.arrays import Array
from whygrad.diagnosis.alone import Alone, Named
from whygrad.diagnosis.kernels import Rewrite
from whygrad.diagnosis.rewrites import Reader
from whygrad.diagnosis.setting import Ruler
from whygrad.diagnosis.tape import Tape

MOST_REWRITES = 600
MOST_SECOND = 8


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
        self.tape, self.right, self.given, self.ruler = tape, right, given, ruler
        self.reader = Reader(tape) if tape is not None else None
        self.alone = Alone(self.reader, right, given, ruler, examples)

    def run(self) -> list[Found]:
        """Returns the cheapest explanations: several have the same numbers; none where nothing explains them."""
        with np.errstate(all="ignore"):  # a wrong slope may well explode
            return self._cheapest()

    def _cheapest(self) -> list[Found]:
        everything = self.alone.everything()
        if everything:
            return [Found((tuple(everything),), 1.0)]
        found = self._completed((), self.right)
        made: list[tuple[Rewrite, dict[str, Array]]] = []
        if self.reader is not None and self.tape is not None:
            for rewrite in self._rewrites():
                gradients = self.tape.backward(rewrite.changes, rewrite.joined)
                if not all(np.isfinite(array).all() for array in gradients.values()):
                    continue
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
        for ties in mistakes:
            touched = [name for name in ties[0].parameters if name in self.given]
            if touched and not any(np.any(self.given[name]) for name in touched):
                return []  # nothing but zeros speaks for no mistake more than for another
        parts: list[tuple[Named, ...]] = list(mistakes)
        cost = sum(ties[0].rank for ties in mistakes)
        changed = False
        seen: set[str] = set()
        for name, given in self.given.items():
            if self.ruler.same(name, gradients[name], given):
                continue
            readings = self.alone.readings(name, gradients[name])
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
