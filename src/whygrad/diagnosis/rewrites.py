"""Mistakes in the backward pass of a person's own function: changes to the pulls on its tape."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from whygrad.arrays import Array
from whygrad.diagnosis.kernels import Kernels, Rewrite, line_of
from whygrad.diagnosis.normalisation import normal_formulas
from whygrad.diagnosis.pulls import (
    assigned,
    factor_left_out,
    in_blocks,
    overlapping,
    overwritten,
    unscaled,
)
from whygrad.diagnosis.shapes_in_tape import (
    Whole,
    ancestors,
    bypassed,
    loops,
    moved_leaf,
    normalisations,
)
from whygrad.diagnosis.slopes_in_tape import slope_rewrites, softmax_rewrites, union
from whygrad.diagnosis.tape import Change, Tape


def _nothing(made: Any, own: Array, right: Array) -> Array:
    return np.zeros_like(right)


class Reader(Kernels):
    """Everything that can go wrong on one tape, as rewrites."""

    def __init__(self, tape: Tape) -> None:
        super().__init__(tape)
        self.loops = loops(tape, self.reaching)
        self.normalisations = normalisations(tape, self.reaching)

    def all(self) -> Iterator[Rewrite]:
        """Yields every rewrite, the more specific kinds first."""
        yield from self._normalised()
        yield from slope_rewrites(self)
        yield from softmax_rewrites(self)
        yield from self._recurrent()
        yield from self._uses()
        yield from self._masks_and_scales()
        yield from self._overwritten()
        yield from self._duplicates()
        yield from self._running_sums()
        yield from self.kernels()

    # Normalisations

    def _normalised(self) -> Iterator[Rewrite]:
        for whole in self.normalisations:
            for code, note, formula in normal_formulas(self.tape, whole):
                yield Rewrite(
                    (code,), note + line_of(self.tape, whole.end), bypassed(self.tape, whole, formula)
                )
            yield from self._normal_scale(whole)

    def _normal_scale(self, whole: Whole) -> Iterator[Rewrite]:
        ends = [whole.end]
        for end in ends:
            for user, which in self.users.get(end, []):
                step = self.tape.steps[user]
                if step.kind == "select" and len(step.inputs) == 1:
                    ends.append(user)
                elif step.name == "multiply" and moved_leaf(self.tape, step.inputs[1 - which]) is not None:
                    edge = {(user, which): factor_left_out}
                    yield Rewrite(("normalisation_scale_missing",), line_of(self.tape, user), edge)

    # Loops

    def _recurrent(self) -> Iterator[Rewrite]:
        carried: dict[tuple[int, ...], dict[tuple[int, int], Change]] = {}
        tape = self.tape
        for group in self.loops:
            for which in range(len(tape.steps[group[0]].inputs)):
                edges: dict[tuple[int, int], Change] = {}
                sources = []
                for earlier, number in zip((None, *group), group, strict=False):
                    source = (
                        tape.steps[number].inputs[which] if which < len(tape.steps[number].inputs) else -1
                    )
                    if (
                        source in self.reaching
                        and moved_leaf(tape, source) is None
                        and earlier is not None
                        and earlier in ancestors(tape, source)
                    ):
                        edges[number, which] = _nothing
                        sources.append(source)
                # A running total (cost += ...) is no state: nothing but the sum is made from it.
                if edges and tape.steps[group[0]].name not in ("add", "setitem", "stack"):
                    key = tuple(sources)
                    carried[key] = carried.get(key, {}) | edges
        for edges in carried.values():
            number = next(iter(edges))[0]
            yield Rewrite(("recurrent_gradient_missing",), line_of(tape, number), edges)
        if len(carried) > 1:
            yield Rewrite(
                ("recurrent_gradient_missing",), "of every state", union(list(carried.values())), rank=1.05
            )

    def _uses(self) -> Iterator[Rewrite]:
        tape = self.tape
        for name, leaf in tape.leaves.items():
            uses = [
                edge
                for edge in self.users.get(leaf, [])
                if edge[0] in self.reaching and not self.penalty(edge[0])
            ]
            if len(uses) < 2:
                continue
            for kept in uses:
                others = {edge: _nothing for edge in uses if edge != kept}
                yield Rewrite(
                    ("shared_weight_one_use",),
                    f"d{name} has one of its {len(uses)} uses{line_of(tape, kept[0])}",
                    others,
                )
                if len(uses) > 2:
                    lost = {kept: _nothing}
                    yield Rewrite(
                        ("shared_weight_one_use",),
                        f"d{name} lacks one of its {len(uses)} uses{line_of(tape, kept[0])}",
                        lost,
                    )
            sites = {tape.steps[edge[0]].site for edge in uses}
            if 1 < len(sites) < len(uses):
                for site in sites:
                    lost = {edge: _nothing for edge in uses if tape.steps[edge[0]].site == site}
                    kept_only = {edge: _nothing for edge in uses if tape.steps[edge[0]].site != site}
                    line = line_of(tape, next(iter(lost))[0])
                    yield Rewrite(("shared_weight_one_use",), f"d{name} lacks its use{line}", lost)
                    yield Rewrite(("shared_weight_one_use",), f"d{name} has its use{line} alone", kept_only)
        yield from self._one_step()

    def _one_step(self) -> Iterator[Rewrite]:
        """The last (or first) time step alone counts, for every parameter that is used in each."""
        tape = self.tape
        for pick, words in ((-1, "last"), (0, "first")):
            edges: dict[tuple[int, int], Change] = {}
            for leaf in tape.leaves.values():
                uses = [edge for edge in self.users.get(leaf, []) if edge[0] in self.reaching]
                if len(uses) > 1 and len({tape.steps[user].site for user, _ in uses}) == 1:
                    edges |= {edge: _nothing for edge in uses if edge != uses[pick]}
            if edges:
                yield Rewrite(
                    ("gradients_overwritten",),
                    f"of all rounds of the loop only the {words} one counts",
                    edges,
                    rank=1.05,
                )

    # Products

    def _masks_and_scales(self) -> Iterator[Rewrite]:
        tape = self.tape
        seen: dict[Any, dict[tuple[int, int], Change]] = {}
        kinds: dict[Any, tuple[str, int]] = {}
        for number in sorted(self.reaching):
            step = tape.steps[number]
            if step.name not in ("multiply", "divide") or len(step.inputs) != 2:
                continue
            for which in (0, 1):
                other = tape.steps[step.inputs[1 - which]]
                if step.inputs[which] not in self.reaching or other.kind != "constant":
                    continue
                numbers = np.unique(other.value)
                if len(numbers) == 2 and numbers[0] == 0 and step.name == "multiply" and other.value.ndim:
                    seen.setdefault((step.site, which, "mask"), {})[number, which] = factor_left_out
                    seen.setdefault((step.site, which, "scale"), {})[number, which] = unscaled(numbers[1])
                    kinds[step.site, which, "mask"] = kinds[step.site, which, "scale"] = (
                        "dropout_mask_missing",
                        number,
                    )
        for key, edges in seen.items():
            code, number = kinds[key]
            words = "the mask" if key[2] == "mask" else "the scale 1/keep"
            yield Rewrite((code,), f"{words}{line_of(tape, number)}", edges)
            for user, which in self.users.get(number, []):
                step = tape.steps[user]
                if (
                    step.name in ("multiply", "divide")
                    and len(step.inputs) == 2
                    and tape.steps[step.inputs[1 - which]].value.ndim == 0
                ):
                    yield Rewrite(
                        (code,), f"the scale 1/keep{line_of(tape, user)}", {(user, which): factor_left_out}
                    )
                    yield Rewrite((code,), "the mask and its scale", edges | {(user, which): factor_left_out})

    # Entries that are used more than once

    def _overwritten(self) -> Iterator[Rewrite]:
        tape = self.tape
        for source in sorted(self.reaching):
            windows: dict[Any, list[int]] = {}
            for user, _ in self.users.get(source, []):
                if (
                    tape.steps[user].kind == "select"
                    and tape.steps[user].name == "getitem"
                    and user in self.reaching
                ):
                    windows.setdefault(tape.steps[user].site, []).append(user)
            for group in windows.values():
                if len(group) < 2 or not overlapping(tape, group):
                    continue
                for words, last, whole in (
                    ("the last window stays", True, True),
                    ("the first window stays", False, True),
                    ("the last entry that isn't 0 stays", True, False),
                    ("the first entry that isn't 0 stays", False, False),
                ):
                    yield Rewrite(
                        ("window_overlap_overwritten",),
                        words + line_of(tape, group[0]),
                        {},
                        {source: overwritten(tape, source, group, last, whole)},
                    )

    def _duplicates(self) -> Iterator[Rewrite]:
        tape = self.tape
        for number in sorted(self.reaching):
            step = tape.steps[number]
            if step.kind != "select" or len(step.inputs) != 1:
                continue
            places = step.data[step.data >= 0]
            if len(np.unique(places)) == len(places) or step.name == "broadcast_to":
                continue
            windows = self.windows_of(number)
            code = "window_overlap_overwritten" if windows is not None else "duplicate_index_overwritten"
            for last in (True, False):
                words = f"the {'last' if last else 'first'} one stays{line_of(tape, number)}"
                yield Rewrite((code,), words, {(number, 0): assigned(step.data, last)})

    def _running_sums(self) -> Iterator[Rewrite]:
        """Running sums that start again with each block, where they should be carried on."""
        for number in sorted(self.reaching):
            step = self.tape.steps[number]
            if step.name != "cumsum":
                continue
            size = self.tape.steps[step.inputs[0]].value.shape[-1]
            for block in range(1, size):
                words = (
                    f"the running sum starts again after every {block} entries{line_of(self.tape, number)}"
                )
                yield Rewrite(("partial_sum_lost",), words, {(number, 0): in_blocks(block)})
