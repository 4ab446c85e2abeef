"""Runs a person's backward function on parts of the batch: what goes wrong where examples are joined shows there."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy, deepcopy
from typing import NamedTuple, TypeAlias

import numpy as np

from whygrad.arrays import Array
from whygrad.diagnosis.handed import precision
from whygrad.diagnosis.person import Functions
from whygrad.diagnosis.record import Diagnosis, Finding
from whygrad.diagnosis.state import shares_of_examples
from whygrad.diagnosis.table import finding_of

Gradients: TypeAlias = Mapping[str, Array]
MOST_SINGLE = 12
MOST_TRUTHS = 4

UNREADABLE = "The forward function could not be run on parts of the batch, so parts can't be compared."
COUPLED = (
    "The cost is neither the sum nor the mean of its examples' costs (a statistic of the batch, perhaps), "
    "so parts of the batch can't be compared."
)
ALIKE = "The cost is the same on each example as on all, so parts of the batch show nothing."
JOINED = "Right for single examples: the mistake is in how examples are joined."
ELSEWHERE = (
    "The backward function gives the same on parts of the batch: it does not read the data that it is given."
)


class Ways(NamedTuple):
    """What parts are judged with: the right gradients of some examples, and the diagnosis of them."""

    truth: Callable[[Functions], Gradients | None]
    again: Callable[[Functions], Diagnosis]


class Batch:
    """The last examples of a batch, each of which can be handed to the person's functions alone.

    Args:
        functions: The person's functions with all examples.
        axis: The axis of the examples in each array: 0, or -1 where they are columns.
        many: How many examples there are.
    """

    def __init__(self, functions: Functions, axis: int, many: int) -> None:
        self.functions, self.axis, self.many = functions, axis, many
        self.regularised: tuple[str, ...] = ()
        self.first = max(0, many - MOST_SINGLE)
        self.size = many - self.first

    def part(self, start: int, stop: int) -> Functions:
        """Returns the functions with copies of some examples."""
        chosen = slice(start, stop)
        data = [
            array if not np.ndim(array) else array[chosen] if self.axis == 0 else array[..., chosen]
            for array in self.functions.data
        ]
        return self.functions.on(deepcopy(data))

    def singles(self) -> Iterator[Functions]:
        """Yields each of the examples alone."""
        for number in range(self.first, self.many):
            yield self.part(number, number + 1)

    def halves(self) -> tuple[Functions, Functions]:
        """Returns the first half of the examples, and the rest."""
        middle = self.first + self.size // 2
        return self.part(self.first, middle), self.part(middle, self.many)

    def joins(self) -> tuple[str, ...]:
        """Returns how the cost joins its examples: as ``"sum"`` or ``"mean"``, both or neither.

        A regularisation is in the cost of each example too, and counts once in the whole: what two halves have more
        than the whole. It is looked at in two places, so that what fits by chance at one of them doesn't count.
        """
        generator = np.random.default_rng(2)
        fitting = {"sum", "mean"}
        for spread in (0.0, 1e-2):
            params = {
                name: value + spread * generator.normal(size=value.shape)
                for name, value in self.functions.params.items()
            }
            one = [_cost(single, params) for single in self.singles()]
            whole = _cost(self.part(self.first, self.many), params)
            size = 1e-6 * float(np.sum(np.abs(one))) + 1e-300
            found = {"sum": float(np.sum(one)), "mean": float(np.mean(one))}
            for how in fitting & set(self.regularised):
                found[how] -= (self.size - 1) * self._penalty(how, params) * _share(how, self.size)
            fitting = {how for how in fitting if abs(found[how] - whole) <= size * _share(how, len(one))}
            if fitting == {"mean"} and np.ptp(one) <= 1e-12 * abs(whole):
                fitting.add("sum")
        return tuple(sorted(fitting))

    def with_penalty(self) -> "Batch":
        """Returns the same batch, for a cost with a regularisation that counts once."""
        made = copy(self)
        made.regularised = ("sum", "mean")
        return made

    def _penalty(self, how: str, params: Gradients) -> float:
        """Returns what a regularisation adds to the cost of a single example."""
        one, other = self.halves()
        sizes = (self.size // 2, self.size - self.size // 2, self.size) if how == "mean" else (1, 1, 1)
        parts = (one, other, self.part(self.first, self.many))
        first, second, whole = (n * _cost(part, params) for n, part in zip(sizes, parts, strict=True))
        return first + second - whole

    def penalty(self, how: str, ways: "Ways") -> Gradients:
        """Returns the right gradient of a regularisation in the cost of a single example; nothing without one."""
        if not self.regularised:
            return {}
        sizes = (self.size // 2, self.size - self.size // 2, self.size) if how == "mean" else (1, 1, 1)
        parts = [ways.truth(part) for part in (*self.halves(), self.part(self.first, self.many))]
        first, second, whole = parts
        if first is None or second is None or whole is None:
            return {}
        return {n: sizes[0] * first[n] + sizes[1] * second[n] - sizes[2] * whole[n] for n in whole}


def _cost(functions: Functions, params: Gradients) -> float:
    return float(functions.cost({name: value.copy() for name, value in params.items()}))


def _share(how: str, many: int) -> float:
    return 1.0 if how == "sum" else 1 / many


def _batches(functions: Functions) -> Iterator[Batch]:
    """Yields the axes that the examples can lie along: rows as everywhere else, then columns."""
    if functions.examples() > 1:
        yield Batch(functions, 0, functions.examples())
    arrays = [array for array in functions.data if np.ndim(array)]
    lengths = {np.shape(array)[-1] for array in arrays}
    columns = all(hasattr(array, "shape") for array in arrays) and any(np.ndim(array) > 1 for array in arrays)
    if columns and len(lengths) == 1 and max(lengths) > 1:
        yield Batch(functions, -1, lengths.pop())


def by_parts(
    functions: Functions, found: Diagnosis, given: Gradients, reduction: str | None, ways: Ways
) -> Diagnosis:
    """Returns the diagnosis with what calls on single examples add to it.

    Args:
        functions: The person's functions.
        found: What the calls on all examples have shown.
        given: What the backward function has returned for all examples.
        reduction: How the gradients are declared to join the examples; otherwise as the cost does.
        ways: How parts are judged.
    """
    if not functions.takes_data:
        return found
    batches = list(_batches(functions))
    if not batches:
        return found
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        reason = ""
        for batch in batches:
            try:
                joins = batch.joins()
                if not joins and batch.size > 2:
                    batch = batch.with_penalty()
                    joins = batch.joins()
            except Exception:  # a person's code may raise anything
                reason = reason or UNREADABLE
                continue
            if len(joins) == 1:
                return _compared(batch, found, given, reduction or joins[0], ways)
            reason = ALIKE if joins else reason or COUPLED
    return found._replace(unseen=(*found.unseen, reason))


def _compared(batch: Batch, found: Diagnosis, given: Gradients, reduction: str, ways: Ways) -> Diagnosis:
    functions = batch.functions
    try:
        single = [part.gradients() for part in batch.singles()]
        whole = given if not batch.first else batch.part(batch.first, batch.many).gradients()
        after = functions.gradients()
    except Exception as error:  # a person's code may raise anything
        note = f"The backward function fails on parts of the batch: {type(error).__name__}: {error}"
        return _noted(found, note)
    if any(
        set(one) != set(given) or any(one[name].shape != given[name].shape for name in given)
        for one in (whole, *single)
    ):
        return _noted(found, "The backward function returns other shapes for a single example.")
    if not all(
        name in after and np.allclose(after[name], given[name], rtol=1e-9, equal_nan=True) for name in given
    ):
        return found._replace(findings=(_kept(given, after, single[-1]), *found.findings))
    penalty = batch.penalty(reduction, ways)
    share = _share(reduction, batch.size)
    if penalty:
        single = [{name: one[name] - penalty[name] for name in one} for one in single]
        whole = {name: whole[name] - share * penalty[name] for name in whole}
    join = Join(whole, single, share, batch.first, penalty)
    if join.deaf and not _singles_right(batch, join, ways):
        return _noted(found, ELSEWHERE)
    if not join.apart:
        return found
    if all(judged.right for judged in found.parameters.values()):
        note = "The gradients of this call are right, but those of single examples don't join to them"
        return _noted(
            found, f"{note} ({reduction}): a number of examples may be written into the backward function."
        )
    return _merged(batch, found, join, ways)


def _noted(found: Diagnosis, note: str) -> Diagnosis:
    return found._replace(notes=(*found.notes, note))


def _kept(given: Gradients, after: Gradients, last: Gradients) -> Finding:
    """Returns the finding that calls on parts have changed what a call on all examples returns."""
    note = "after calls on parts of the batch, a call on all of it gives something else"
    names = tuple(
        name for name in given if name not in after or not np.allclose(after[name], given[name], rtol=1e-9)
    )
    if all(name in after and np.allclose(after[name], given[name] + last[name], rtol=1e-7) for name in names):
        return finding_of("gradients_not_zeroed", note, names)
    return Finding(
        names[0], None, f"the backward function keeps something between calls: {note}", "", 0.0, names, False
    )


class Join:
    """The gradients of examples, one by one and together.

    Args:
        whole: The gradients of the examples together.
        single: Those of each example alone.
        share: What each example's gradients are multiplied with when they are joined: 1, or 1/m.
        first: The number of the first of the examples.
        penalty: The gradients of a regularisation, which the others are without.

    Attributes:
        apart: The parameters whose gradients are not what is joined from the examples.
        deaf: Whether each example alone gives the same as all of them together.
    """

    def __init__(
        self,
        whole: Gradients,
        single: Sequence[Gradients],
        share: float,
        first: int,
        penalty: Gradients | None = None,
    ) -> None:
        self.penalty = penalty or {}
        self.share, self.first, self.many = share, first, len(single)
        self.close = max(1e-7, 50 * precision(whole))
        names = [
            name
            for name in whole
            if all(np.isfinite(np.asarray(one[name], float)).all() for one in (whole, *single))
        ]
        self.whole = {name: np.asarray(whole[name], float) for name in names}
        self.single = {name: np.stack([np.asarray(one[name], float) for one in single]) for name in names}
        self.apart = tuple(name for name in names if not self._same(name, self._last(self.many, share)))
        self.deaf = any(map(np.any, self.whole.values())) and all(
            self._same(name, one) for name in names for one in np.eye(self.many)
        )

    def _last(self, kept: int, share: float) -> Array:
        """Returns how often each example counts where only the last are kept."""
        return share * (np.arange(self.many) >= self.many - kept)

    def _same(self, name: str, counts: Array) -> bool:
        made = np.tensordot(counts, self.single[name], 1)
        size = float(np.max(np.tensordot(np.abs(counts), np.abs(self.single[name]), 1), initial=0.0))
        return bool(np.max(np.abs(made - self.whole[name]), initial=0.0) <= self.close * size + 1e-300)

    def _fits(self, counts: Array) -> bool:
        return all(self._same(name, counts) for name in self.apart)

    def readings(self) -> list[tuple[str, str]]:
        """Returns the codes, with their notes, of all mistakes in joining that make what the examples together give."""
        m, share = self.many, self.share
        where = f" (seen on the last {m} examples)" if self.first else ""
        made = {}
        if m > 1 and share < 1 and self._fits(self._last(m, share * m)):
            made["batch_mean_missing"] = "all examples together give the sum of what each gives alone"
        if self._fits(self._last(m, share / m)):
            biases = all(self.whole[name].ndim <= 1 for name in self.apart)
            by = f"divided by {m} more" if share < 1 else f"divided by {m}, but the cost is a sum"
            made["bias_mean_for_sum" if biases else "batch_mean_twice"] = by
        for kept in range(1, m):
            for each in {share, 1.0, 1 / kept}:
                if self._fits(self._last(kept, each)):
                    code = "last_sample_only" if kept == 1 else "gradients_overwritten"
                    alone = f"example {self.first + m - 1} alone"
                    note = f"only the last {kept} of {m} examples are in it"
                    made.setdefault(code, alone if kept == 1 else note)
        if not made:
            made |= self._counted()
        return [(code, note + where) for code, note in made.items()]

    def _counted(self) -> dict[str, str]:
        rows = np.concatenate([self.single[name].reshape(self.many, -1) for name in self.apart], axis=1)
        target = np.concatenate([self.whole[name].ravel() for name in self.apart])
        counts, _, rank, _ = np.linalg.lstsq(rows.T, target, rcond=None)
        if rank < self.many or len(target) <= self.many or not self._fits(counts):
            return {}
        reading = shares_of_examples(counts / self.share)
        return {reading.code: reading.note} if reading is not None else {}


def _merged(batch: Batch, found: Diagnosis, join: Join, ways: Ways) -> Diagnosis:
    """Returns the diagnosis with the mistakes in joining; what they explain is no longer called unknown."""
    right = _singles_right(batch, join, ways)
    notes = (*found.notes, JOINED) if right else found.notes
    readings = dict(join.readings())
    named = set(readings) & set(found.codes)
    findings = found.findings
    if named and right:
        # The other mistakes with the same numbers would make single examples wrong too.
        findings = tuple(
            one._replace(instead_of=tuple(code for code in one.instead_of if code in named))
            for one in findings
            if one.mistake in named or not named & set(one.instead_of)
        )
    elif readings and not named and any(one.mistake is None or not one.exact for one in findings):
        added = [
            finding_of(code, note, join.apart, tuple(sorted(set(readings) - {code})))
            for code, note in readings.items()
        ]
        inner = () if right else _within(batch, ways)
        if right or (inner and all(one.mistake and one.exact for one in inner)):
            findings = tuple(
                one
                for one in findings
                if (one.mistake and one.exact) or not set(one.parameters) <= set(join.apart)
            )
            known = {one.mistake for one in findings} | set(readings)
            added += [one for one in inner if one.mistake not in known]
        findings = (*added, *findings)
    return found._replace(findings=findings, notes=notes)


def _within(batch: Batch, ways: Ways) -> tuple[Finding, ...]:
    """Returns what is wrong in the gradients of the last example alone."""
    try:
        return ways.again(batch.part(batch.many - 1, batch.many)).findings
    except Exception:  # a person's code may raise anything
        return ()


def _singles_right(batch: Batch, join: Join, ways: Ways) -> bool:
    """Returns whether single examples have the right gradients, some of which aren't zero."""
    places = np.unique(np.linspace(0, batch.size - 1, min(batch.size, MOST_TRUTHS)).astype(int))
    live = False
    for place in places:
        try:
            right = ways.truth(batch.part(batch.first + int(place), batch.first + int(place) + 1))
        except Exception:  # a person's code may raise anything
            return False
        if right is None:
            return False
        for name, single in join.single.items():
            truth, own = np.asarray(right[name], float), single[place]
            truth = truth - join.penalty.get(name, 0.0)
            if truth.size != own.size:
                return False
            size = float(np.max(np.abs(truth), initial=0.0))
            live = live or size > 0
            if not np.max(np.abs(truth.ravel() - own.ravel()), initial=0.0) <= 10 * join.close * size + 1e-12:
                return False
    return live
