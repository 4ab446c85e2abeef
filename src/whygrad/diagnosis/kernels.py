"""Mistakes in what goes through kernels and windows: reversed, at other places, with other axes."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from whygrad.diagnosis.pulls import cropped, pulled_with, scattered, turns, with_value, wrong_windows
from whygrad.diagnosis.shapes_in_tape import ancestors, moved_leaf
from whygrad.diagnosis.tape import Change, Tape

Array: TypeAlias = Any
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
    joined: Joined = {}  # noqa: RUF012
    rank: float = 1.0


def line_of(tape: Tape, number: int) -> str:
    """Returns the words that point at a step's line of code."""
    line = tape.steps[number].line
    return f" in the line `{line}`" if line else ""


class Kernels:
    """What can go wrong with kernels and windows on one tape, as rewrites.

    Args:
        tape: The tape of the cost.
    """

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.reaching = tape.reaching() & ancestors(tape, tape.cost)
        self.users = tape.users()

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
                edges: dict[tuple[int, int], Change] = {}
                for number in sorted(self.reaching):
                    step = tape.steps[number]
                    if len(step.inputs) != 2 or step.kind not in ("elementwise", "contract"):
                        continue
                    for which in (0, 1):
                        if (
                            moved_leaf(tape, step.inputs[1 - which]) == leaf
                            and step.inputs[which] in self.reaching
                        ):
                            edges[number, which] = self._through(number, which, leaf, turned)
                if edges:
                    yield Rewrite((code,), f"the error goes back through {name} {words}", edges)

    def windowed(self, leaf: int) -> bool:
        """Whether a parameter is a kernel: more than two axes, or multiplied with windows in a loop."""
        if self.tape.steps[leaf].value.ndim != 2:
            return True
        for number in self.reaching:
            step = self.tape.steps[number]
            if len(step.inputs) == 2 and any(moved_leaf(self.tape, s) == leaf for s in step.inputs):
                other = next((s for s in step.inputs if moved_leaf(self.tape, s) != leaf), None)
                if other is not None and step.name == "multiply":
                    return True
                if other is not None and self.tape.steps[other].name == "sliding_window_view":
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
            shape = tape.steps[source].value.shape
            for code, words, places in wrong_windows(tape, group, shape):
                values = {n: tape.steps[source].value.ravel()[p] for n, p in places.items()}
                forward: dict[tuple[int, int], Change] = {}
                for number in group:
                    for user, which in self.users.get(number, []):
                        step = tape.steps[user]
                        if (
                            len(step.inputs) == 2
                            and step.inputs[1 - which] in self.reaching
                            and user in self.reaching
                        ):
                            forward[user, 1 - which] = with_value(tape, user, 1 - which, values[number])
                back: dict[tuple[int, int], Change] = {
                    (n, 0): scattered(places[n], shape) for n in group if n in self.reaching
                }
                line = line_of(tape, group[0])
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
