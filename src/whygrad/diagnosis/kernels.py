"""Mistakes in what goes through kernels and windows: reversed, at other places, with other axes."""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from whygrad.arrays import Array
from whygrad.diagnosis.pulls import cropped, pulled_with, scattered, turns, with_value, wrong_windows
from whygrad.diagnosis.shapes_in_tape import ancestors, moved_leaf
from whygrad.diagnosis.tape import Change, Step, Tape

Joined: TypeAlias = Mapping[int, Callable[[list[tuple[int, int, Array]]], Array]]


class Rewrite(NamedTuple):
    """A changed backward pass.

    Attributes:
        codes: The mistakes that it is.
        note: What was changed.
        changes: The changed pulls.
        joined: The changed ways to join what comes back to a step.
        rank: What it costs to assume it.
    """

    codes: tuple[str, ...]
    note: str
    changes: Mapping[tuple[int, int], Change] = {}
    joined: Joined = {}  # noqa: RUF012 - never changed
    rank: float = 1.0


def line_of(tape: Tape, number: int) -> str:
    """Returns the words that point at a step's line of code."""
    line = tape.steps[number].line
    return f" in the line `{line}`" if line else ""


def _alike(rows: Array, shape: tuple[int, ...]) -> bool:
    """Whether places of windows differ by where the windows start, and by nothing else."""
    index = np.stack(np.unravel_index(rows, shape))
    apart = index - index[:, :, :1]
    return bool((apart == apart[:, :1]).all())


def _in_part(rows: Array) -> bool:
    """Whether some windows have some, but not all, entries in common."""
    first = set(rows[0].tolist())
    common = [len(first & set(row.tolist())) for row in rows[1:64]]
    return any(0 < many < len(first) for many in common)


def _number(step: Step) -> bool:
    """Whether a step is a constant number."""
    return step.kind == "constant" and step.value.ndim == 0


class Kernels:
    """What can go wrong with kernels and windows on one tape, as rewrites.

    Args:
        tape: The tape of the cost.
    """

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.reaching = tape.reaching() & ancestors(tape, tape.cost)
        self.users = tape.users()
        self._windows_at: dict[int, list[Array] | None] = {}

    def kernels(self) -> Iterator[Rewrite]:
        """Yields every rewrite."""
        yield from self._turned_parameters()
        yield from self._windows()
        yield from self._padding()

    def _turned_parameters(self) -> Iterator[Rewrite]:
        """What is sent back goes through a parameter that is reversed, or has its axes in another order."""
        tape = self.tape
        for name, leaf in tape.leaves.items():
            value = tape.steps[leaf].value
            for code, words, turned in turns(value, self.windowed(leaf)):
                edges = {edge: self._through(*edge, leaf, turned) for edge in self._beside(leaf)}
                if edges:
                    yield Rewrite((code,), f"the error goes back through {name} {words}", edges)

    def _beside(self, leaf: int) -> Iterator[tuple[int, int]]:
        """Yields what is multiplied with a parameter on the way to the cost: the step, and which of its inputs."""
        for number in sorted(self.reaching):
            step = self.tape.steps[number]
            if len(step.inputs) != 2 or step.kind not in ("elementwise", "contract"):
                continue
            for which in (0, 1):
                if (
                    moved_leaf(self.tape, step.inputs[1 - which]) == leaf
                    and step.inputs[which] in self.reaching
                ):
                    yield number, which

    def windowed(self, leaf: int) -> bool:
        """Whether a parameter is a kernel: more than two axes, or multiplied with windows."""
        if self.tape.steps[leaf].value.ndim != 2:
            return True
        for number in self.reaching:
            step = self.tape.steps[number]
            if len(step.inputs) == 2 and any(moved_leaf(self.tape, s) == leaf for s in step.inputs):
                other = next((s for s in step.inputs if moved_leaf(self.tape, s) != leaf), None)
                if other is not None and (step.name == "multiply" or self._from_windows(other)):
                    return True
        return False

    def _from_windows(self, number: int) -> bool:
        """Whether a step selects windows of something, perhaps reshaped since."""
        step = self.tape.steps[number]
        while step.kind == "select" and len(step.inputs) == 1:
            if step.name == "sliding_window_view" or self.windows_of(number) is not None:
                return True
            number = step.inputs[0]
            step = self.tape.steps[number]
        return False

    def sliced(self, leaf: int) -> bool:
        """Whether single entries of a one-dimensional parameter are used: it is a kernel and no bias."""
        steps = self.tape.steps
        users = [steps[user] for user, _ in self.users.get(leaf, [])]
        return any(
            (step.name == "getitem" and step.value.size < steps[leaf].value.size)
            or (step.value.shape == steps[leaf].value.shape and step.name == "multiply")
            or (step.kind == "contract" and any(self._from_windows(source) for source in step.inputs))
            for step in users
        )

    def windows_of(self, number: int) -> list[Array] | None:
        """Returns the places of the windows that one step takes all at once; nothing where it takes none.

        Windows are all alike but for where they start, and some overlap in part: rows of a table that are used
        again are the same or have nothing in common.
        """
        step = self.tape.steps[number]
        if number in self._windows_at:
            return self._windows_at[number]
        found = None
        if step.kind == "select" and len(step.inputs) == 1 and step.data.ndim > 1 and (step.data >= 0).all():
            shape = self.tape.steps[step.inputs[0]].value.shape
            for split in range(1, step.data.ndim):
                rows = step.data.reshape(int(np.prod(step.data.shape[:split])), -1)
                if rows.shape[1] > 1 and len(rows) > 1 and _alike(rows, shape) and _in_part(rows):
                    found = list(rows)
                    break
        self._windows_at[number] = found
        return found

    # What regularises, and what the cost is made of

    def penalty(self, number: int) -> bool:
        """Whether a step is part of a regularisation: a number made of one parameter alone, added to the cost."""
        return number in self._regularising

    @cached_property
    def _regularising(self) -> set[int]:
        tape, found = self.tape, set()
        for leaf in tape.leaves.values():
            pure = {leaf}
            for number in range(leaf + 1, len(tape.steps)):
                sources = tape.steps[number].inputs
                if (
                    sources
                    and all(s in pure or _number(tape.steps[s]) for s in sources)
                    and pure & set(sources)
                ):
                    pure.add(number)
            if tape.cost in pure:
                continue
            summed: set[int] = set()
            for number in sorted(pure - {leaf}, reverse=True):
                users = {user for user, _ in self.users.get(number, [])}
                if tape.steps[number].value.ndim == 0 or (users and users <= summed):
                    summed.add(number)
            found |= summed
        return found

    def penalties(self, cotangents: Mapping[int, Array]) -> dict[str, Array]:
        """Returns the parts of the parameters' gradients that regularisations in the cost make."""
        made = {}
        for name, leaf in self.tape.leaves.items():
            parts = [
                self.tape.pull(user, which, cotangents[user])
                for user, which in self.users.get(leaf, [])
                if user in cotangents and self.penalty(user)
            ]
            if parts:
                made[name] = sum(parts)
        return made

    def outputs(self) -> int:
        """Returns how many outputs there are: the last axis of what the cost is summed up from."""
        for number in range(self.tape.cost, -1, -1):
            step = self.tape.steps[number]
            if number in self.reaching and step.kind == "reduce" and not self.penalty(number):
                source = self.tape.steps[step.inputs[0]].value
                return int(source.shape[-1]) if source.ndim > 1 else 1
        return 1

    def squared(self) -> bool:
        """Whether something is squared on the way into the cost."""
        for number in sorted(self.reaching):
            step = self.tape.steps[number]
            if step.name in ("square", "power") or (step.name == "multiply" and len(set(step.inputs)) == 1):
                return True
            if step.kind == "contract" and len(set(step.inputs)) == 1:
                return True
        return False

    def _through(self, number: int, which: int, leaf: int, turned: Array) -> Change:
        tape = self.tape
        chain, at = [], tape.steps[number].inputs[1 - which]
        while at != leaf:
            chain.append(at)
            at = tape.steps[at].inputs[0]
        value = turned
        for one in reversed(chain):
            value = value.ravel()[tape.steps[one].data]

        def change(made: Any, own: Array, right: Array) -> Array:
            return pulled_with(tape, number, which, own, value)

        return change

    def _windows(self) -> Iterator[Rewrite]:
        """Windows of the input taken at the wrong places, both for the kernel's gradient and on the way back."""
        tape = self.tape
        found: dict[Any, list[int]] = {}
        for number, step in enumerate(tape.steps):
            if step.name == "getitem" and step.value.ndim and len(step.inputs) == 1:
                found.setdefault((step.site, step.inputs[0]), []).append(number)
        for (_, source), group in found.items():
            windows, shape = self._taken(group), tape.steps[source].value.shape
            for code, words, moved in wrong_windows(windows, shape):
                places = (
                    dict(zip(group, moved, strict=True)) if len(group) > 1 else {group[0]: np.stack(moved)}
                )
                places = {n: p.reshape(tape.steps[n].data.shape) for n, p in places.items()}
                yield from self._moved(code, words, source, places)

    def _taken(self, group: list[int]) -> list[Array]:
        """Returns the places of the windows that the rounds of a loop take, or that one step takes."""
        if len(group) > 1:
            return [self.tape.steps[number].data for number in group]
        return self.windows_of(group[0]) or [self.tape.steps[group[0]].data]

    def _moved(self, code: str, words: str, source: int, places: Mapping[int, Array]) -> Iterator[Rewrite]:
        tape = self.tape
        value = tape.steps[source].value
        forward: dict[tuple[int, int], Change] = {}
        for number, at in places.items():
            for user, which in self.users.get(number, []):
                step = tape.steps[user]
                if (
                    len(step.inputs) == 2
                    and step.inputs[1 - which] in self.reaching
                    and user in self.reaching
                ):
                    forward[user, 1 - which] = with_value(tape, user, 1 - which, value.ravel()[at])
        back: dict[tuple[int, int], Change] = {
            (number, 0): scattered(at, value.shape)
            for number, at in places.items()
            if number in self.reaching
        }
        line = line_of(tape, next(iter(places)))
        if forward:
            yield Rewrite((code,), f"{words}, for the kernel's gradient{line}", forward)
        if back:
            yield Rewrite((code,), f"{words}, on the way back{line}", back)
        if forward and back:
            yield Rewrite((code,), f"{words}{line}", forward | back)

    def _padding(self) -> Iterator[Rewrite]:
        tape = self.tape
        for number in sorted(self.reaching):
            step = tape.steps[number]
            if step.name == "pad":
                shape = tape.steps[step.inputs[0]].value.shape
                words = f"the padding is not cut off{line_of(tape, number)}"
                yield Rewrite(("stride_missing",), words, {(number, 0): cropped(shape)})
