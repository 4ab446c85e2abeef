"""A person's own cost function written down while it runs: a tape of single steps whose backward pass can be changed.

Four kinds of steps are enough. *elementwise*: each entry of the result depends on one entry of each input (with
broadcasting), by a partial that is kept as an array. *select*: each entry is an entry of an input (index, reshape,
transpose, pad, assignment). *contract*: a product summed over labels. *reduce*: a sum or a mean over axes.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from whygrad.arrays import Array


class Step(NamedTuple):
    """One step: its kind, the numbers of its inputs, its value, what the kind needs, and where in the code it is.

    ``data`` is for *elementwise* the partials, for *select* each entry's position among all entries of all inputs
    (-1: none), for *contract* the labels, for *reduce* the axes and the weight of an entry.
    """

    kind: str
    inputs: tuple[int, ...]
    value: Array
    data: Any = None
    name: str = ""
    site: tuple[Any, ...] = ()
    line: str = ""


#: A changed pull of one input of one step: gets all cotangents so far, the step's own, and the right result.
Change: TypeAlias = Callable[[Mapping[int, Array], Array, Array], Array]


class Tape:
    """The steps of one run of a cost function.

    Attributes:
        steps: In the order in which they ran.
        leaves: The parameters' names and their steps.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.leaves: dict[str, int] = {}
        self.cost = -1

    def add(self, kind: str, inputs: tuple[int, ...], value: Array, data: Any = None, name: str = "") -> int:
        """Returns the number of a new step."""
        site, line = _site()
        self.steps.append(Step(kind, inputs, np.asarray(value, float), data, name, site, line))
        return len(self.steps) - 1

    def reaching(self) -> set[int]:
        """Returns the steps that depend on a parameter."""
        found = set(self.leaves.values())
        for number, step in enumerate(self.steps):
            if any(source in found for source in step.inputs):
                found.add(number)
        return found

    def pull(self, number: int, which: int, cotangent: Array) -> Array:
        """Returns the cotangent of one input of a step from the step's own."""
        step = self.steps[number]
        source = self.steps[step.inputs[which]].value
        if step.kind == "elementwise":
            return _unbroadcast(cotangent * step.data[which], source.shape)
        if step.kind == "select":
            before = sum(self.steps[other].value.size for other in step.inputs[:which])
            places = step.data.ravel() - before
            mine = (places >= 0) & (places < source.size)
            made = np.zeros(source.size)
            np.add.at(made, places[mine], cotangent.ravel()[mine])
            return made.reshape(source.shape)
        if step.kind == "contract":
            labels, other = step.data, self.steps[step.inputs[1 - which]].value
            return _contract(cotangent, labels[2], other, labels[1 - which], labels[which], source.shape)
        axes, weight = step.data
        kept = tuple(1 if axis in axes else size for axis, size in enumerate(source.shape))
        return np.broadcast_to(cotangent.reshape(kept), source.shape) * weight

    def backward(
        self,
        changes: Mapping[tuple[int, int], Change] | None = None,
        joined: Mapping[int, Callable[[list[tuple[int, int, Array]]], Array]] | None = None,
    ) -> dict[str, Array]:
        """Returns the gradients by the parameters, with some pulls changed.

        Args:
            changes: Changed pulls, by step and input.
            joined: How the cotangents that come back to a step are joined, instead of added up: gets the user, the
                input's number and the cotangent of each, in the order of the steps.
        """
        found = self.cotangents(changes, joined)
        return {
            name: found.get(leaf, np.zeros(self.steps[leaf].value.shape))
            for name, leaf in self.leaves.items()
        }

    def cotangents(self, changes: Any = None, joined: Any = None) -> dict[int, Array]:
        """Returns the cotangent of every step that the cost depends on."""
        changes, joined = changes or {}, joined or {}
        arrived: dict[int, list[tuple[int, int, Array]]] = {
            self.cost: [(-1, 0, np.ones(self.steps[self.cost].value.shape))]
        }
        made: dict[int, Array] = {}
        needed = self.reaching()
        for number in range(self.cost, -1, -1):
            parts = arrived.pop(number, None)
            if parts is None:
                continue
            parts.reverse()
            total = joined[number](parts) if number in joined else sum(part for _, _, part in parts)
            made[number] = np.asarray(total, float)
            for which, source in enumerate(self.steps[number].inputs):
                if source not in needed:
                    continue
                right = self.pull(number, which, made[number])
                change = changes.get((number, which))
                arrived.setdefault(source, []).append(
                    (number, which, right if change is None else change(made, made[number], right))
                )
        return made

    def totals(self) -> dict[str, Array]:
        """Returns the sums of the absolute contributions to each gradient: what rounding scales with."""
        size = Tape()
        size.leaves, size.cost = self.leaves, self.cost
        for step in self.steps:
            data = tuple(np.abs(part) for part in step.data) if step.kind == "elementwise" else step.data
            size.steps.append(step._replace(value=np.abs(step.value), data=data))
        return size.backward()

    def users(self) -> dict[int, list[tuple[int, int]]]:
        """Returns, for each step, the steps that use it, and as which input."""
        made: dict[int, list[tuple[int, int]]] = {}
        for number, step in enumerate(self.steps):
            for which, source in enumerate(step.inputs):
                made.setdefault(source, []).append((number, which))
        return made


def _contract(
    one: Array, of_one: str, other: Array, of_other: str, wanted: str, shape: tuple[int, ...]
) -> Array:
    present = "".join(label for label in wanted if label in of_one or label in of_other)
    made = np.einsum(f"{of_one},{of_other}->{present}", one, other)
    if present != wanted:
        spread = [wanted.index(label) for label in present]
        sizes = [1] * len(wanted)
        for axis, place in enumerate(spread):
            sizes[place] = made.shape[axis]
        made = np.broadcast_to(made.reshape(sizes), shape)
    return made


def _unbroadcast(array: Array, shape: tuple[int, ...]) -> Array:
    while array.ndim > len(shape):
        array = array.sum(axis=0)
    for axis, size in enumerate(shape):
        if size == 1 and array.shape[axis] != 1:
            array = array.sum(axis=axis, keepdims=True)
    return array


_HERE = os.path.dirname(__file__)


def _site() -> tuple[tuple[Any, ...], str]:
    """Returns which places of the person's code are running, outermost last, and the innermost line."""
    import linecache

    frame: Any = sys._getframe(2)
    site: list[Any] = []
    line = ""
    while frame is not None:
        code = frame.f_code
        if code.co_name == "traced_run" and code.co_filename.startswith(_HERE):
            break
        if not code.co_filename.startswith(_HERE) and "numpy" not in Path(code.co_filename).parts:
            site.append((code.co_name, frame.f_lasti))
            line = line or linecache.getline(code.co_filename, frame.f_lineno).strip()
        frame = frame.f_back
    return tuple(site), line


def groups(tape: Tape, numbers: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yields the steps that are the same piece of code, run again in a loop."""
    found: dict[Any, list[int]] = {}
    for number in numbers:
        step = tape.steps[number]
        found.setdefault((step.site, step.name, step.kind), []).append(number)
    yield from (tuple(group) for group in found.values())
