"""Mistakes in the backward pass of a person's own function: changes to the pulls on its tape."""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np

from whygrad.diagnosis.kernels import Kernels, Rewrite, line_of
from whygrad.diagnosis.normalisation import normal_formulas
from whygrad.diagnosis.pulls import (
    assigned,
    factor_left_out,
    overlapping,
    overwritten,
    unscaled,
)
from whygrad.diagnosis.shapes_in_tape import (
    Whole,
    activations,
    ancestors,
    bypassed,
    loops,
    moved_leaf,
    normalisations,
)
from whygrad.diagnosis.tape import Change, Tape

Array: TypeAlias = Any


def _nothing(made: Any, own: Array, right: Array) -> Array:
    return np.zeros_like(right)


def _union(parts: list[dict[tuple[int, int], Change]]) -> dict[tuple[int, int], Change]:
    joined: dict[tuple[int, int], Change] = {}
    for part in parts:
        joined |= part
    return joined


class Reader(Kernels):
    """Everything that can go wrong on one tape, as rewrites."""

    def __init__(self, tape: Tape) -> None:
        super().__init__(tape)
        self.loops = loops(tape, self.reaching)
        self.activations = activations(tape, self.reaching)
        self.normalisations = normalisations(tape, self.reaching)

    def all(self) -> Iterator[Rewrite]:
        """Yields every rewrite, the more specific kinds first."""
        yield from self._normalised()
        yield from self._slopes()
        yield from self._recurrent()
        yield from self._uses()
        yield from self._masks_and_scales()
        yield from self._overwritten()
        yield from self._duplicates()
        yield from self.kernels()

    # Activations

    def _slopes(self) -> Iterator[Rewrite]:
        found: dict[Any, list[Whole]] = {}
        for whole in self.activations:
            found.setdefault((whole.kind, self.tape.steps[whole.end].site), []).append(whole)
        by_kind: dict[str, list[Whole]] = {}
        for (kind, _), group in found.items():
            yield from self._slope(kind, group, 1.0)
            by_kind.setdefault(kind, []).extend(group)
        for kind, wholes in by_kind.items():
            if sum(1 for other, _ in found if other == kind) > 1:
                yield from self._slope(kind, wholes, 1.05)

    def _gate(self, whole: Whole) -> bool:
        """Whether a value is multiplied with something else that depends on the parameters."""
        for user, which in self.users.get(whole.end, []):
            step = self.tape.steps[user]
            if step.name == "multiply" and len(step.inputs) == 2:
                other = step.inputs[1 - which]
                if other != whole.end and moved_leaf(self.tape, other) is None:
                    return True
        return False

    def _slope(self, kind: str, group: list[Whole], rank: float) -> Iterator[Rewrite]:
        tape = self.tape
        gate = any(self._gate(whole) for whole in group) and kind in ("sigmoid", "tanh")

        def changed(formula: Callable[[Array, Array, Array], Array]) -> dict[tuple[int, int], Change]:
            def at(whole: Whole) -> dict[tuple[int, int], Change]:
                x, y = tape.steps[whole.start].value, tape.steps[whole.end].value
                return bypassed(tape, whole, lambda d: formula(d, x, y))

            return _union([at(whole) for whole in group])

        where = line_of(tape, group[0].end)
        missing = ("gate_slope_missing",) if gate else ("hidden_slope_missing",)
        if kind == "relu":
            yield Rewrite(
                ("hidden_slope_missing", "relu_mask_all_ones"),
                f"of {kind}{where}",
                changed(lambda d, x, y: d),
                rank=rank,
            )
            yield Rewrite(("mask_inverted",), f"{where}", changed(lambda d, x, y: d * (x <= 0)), rank=rank)
            yield Rewrite(
                ("relu_mask_from_gradient",), f"{where}", changed(lambda d, x, y: d * (d > 0)), rank=rank
            )
            return
        forms: dict[str, Callable[[Array], Array]] = {
            "sigmoid": lambda a: a * (1 - a),
            "tanh": lambda a: 1 - a**2,
        }
        values: dict[str, Callable[[Array], Array]] = {
            "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
            "tanh": np.tanh,
        }
        form, value, other = forms[kind], values[kind], forms["tanh" if kind == "sigmoid" else "sigmoid"]
        yield Rewrite(
            missing, f"the slope of the {kind}{where} is left out", changed(lambda d, x, y: d), rank=rank
        )
        if gate:
            yield Rewrite(
                missing,
                f"the {kind}{where} stands in the place of its slope",
                changed(lambda d, x, y: d * y),
                rank=rank,
            )
        yield Rewrite(("slope_at_activation",), where, changed(lambda d, x, y: d * form(value(y))), rank=rank)
        yield Rewrite(
            ("activation_form_on_z",), f"with z{where}", changed(lambda d, x, y: d * form(x)), rank=rank
        )
        yield Rewrite(
            ("slope_of_other_activation",),
            f"the other of tanh and sigmoid{where}",
            changed(lambda d, x, y: d * other(y)),
            rank=rank,
        )
        yield Rewrite(
            ("upstream_ignored",),
            f"delta is the slope alone{where}",
            changed(lambda d, x, y: form(y)),
            rank=rank,
        )

    # Normalisations

    def _normalised(self) -> Iterator[Rewrite]:
        for whole in self.normalisations:
            for code, note, formula in normal_formulas(self.tape, whole):
                yield Rewrite(
                    (code,), note + line_of(self.tape, whole.end), bypassed(self.tape, whole, formula)
                )
            yield from self._normal_scale(whole)

    def _normal_scale(self, whole: Whole) -> Iterator[Rewrite]:
        for user, which in self.users.get(whole.end, []):
            step = self.tape.steps[user]
            if step.name == "multiply" and moved_leaf(self.tape, step.inputs[1 - which]) is not None:
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
                ("recurrent_gradient_missing",), "of every state", _union(list(carried.values())), rank=1.05
            )

    def _uses(self) -> Iterator[Rewrite]:
        tape = self.tape
        for name, leaf in tape.leaves.items():
            uses = [
                edge
                for edge in self.users.get(leaf, [])
                if edge[0] in self.reaching and not self._penalty(edge[0])
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

    def _penalty(self, number: int) -> bool:
        """Whether a use of a parameter is a regularisation: its square goes straight into the cost."""
        for _ in range(6):
            step = self.tape.steps[number]
            if number == self.tape.cost:
                return True
            if step.kind == "contract" or any(
                s in self.reaching and moved_leaf(self.tape, s) is None for s in step.inputs[1:]
            ):
                return bool(step.value.ndim == 0)
            users = self.users.get(number, [])
            if len({user for user, _ in users}) != 1:
                return False
            number = users[0][0]
        return False

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
            if len(np.unique(places)) == len(places) or step.name in ("broadcast_to",):
                continue
            code = (
                "window_overlap_overwritten"
                if step.name == "sliding_window_view"
                else "duplicate_index_overwritten"
            )
            for last in (True, False):
                words = f"the {'last' if last else 'first'} one stays{line_of(tape, number)}"
                yield Rewrite((code,), words, {(number, 0): assigned(step.data, last)})
