"""Mistakes in the slopes of a person's own functions: sigmoids, softmaxes, and any other function of one quantity."""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np

from whygrad.arrays import Array
from whygrad.diagnosis.kernels import Kernels, Rewrite, line_of
from whygrad.diagnosis.shapes_in_tape import (
    Whole,
    activations,
    bypassed,
    chains,
    moved_leaf,
    replayed,
    softmaxes,
)
from whygrad.diagnosis.tape import Change

Edges: TypeAlias = dict[tuple[int, int], Change]

#: The slope written with the value, and the function, of those that have such a form.
FORMS: dict[str, Callable[[Array], Array]] = {"sigmoid": lambda a: a * (1 - a), "tanh": lambda a: 1 - a**2}


def union(parts: list[Edges]) -> Edges:
    """Returns the changes of several rewrites in one."""
    joined: Edges = {}
    for part in parts:
        joined |= part
    return joined


def slope_rewrites(reader: Kernels) -> Iterator[Rewrite]:
    """Yields the wrong slopes of every elementwise function, alone and wherever the same one is used."""
    tape = reader.tape
    named = activations(tape, reader.reaching)
    spans = {(whole.start, whole.end) for whole in named}
    others = [one for one in chains(tape, reader.reaching) if (one.start, one.end) not in spans]
    found: dict[Any, list[Whole]] = {}
    for whole in (*named, *others):
        sites = (tape.steps[whole.start].site, tape.steps[whole.end].site)
        found.setdefault((whole.kind, sites), []).append(whole)
    by_kind: dict[str, list[Whole]] = {}
    for (kind, _), group in found.items():
        yield from _slope(reader, kind, group, 1.0)
        by_kind.setdefault(kind, []).extend(group)
    for kind, wholes in by_kind.items():
        if kind != "other" and sum(1 for other, _ in found if other == kind) > 1:
            yield from _slope(reader, kind, wholes, 1.05)


def _gate(reader: Kernels, whole: Whole) -> bool:
    """Whether a sigmoid is multiplied with something else that depends on the parameters."""
    if whole.kind != "sigmoid":
        return False
    for user, which in reader.users.get(whole.end, []):
        step = reader.tape.steps[user]
        if step.name == "multiply" and len(step.inputs) == 2:
            other = step.inputs[1 - which]
            if other not in (whole.end, whole.start) and moved_leaf(reader.tape, other) is None:
                return True
    return False


def _output(reader: Kernels, whole: Whole) -> bool:
    """Whether nothing but the cost is made from a function's value: it is the output."""
    near = {whole.end}
    for number in range(whole.end + 1, reader.tape.cost + 1):
        step = reader.tape.steps[number]
        if near & set(step.inputs):
            if step.kind == "contract" and step.value.ndim:
                return False
            if any(s in reader.reaching and s not in near for s in step.inputs) and step.value.ndim:
                return False
            near.add(number)
    return True


def _slope(reader: Kernels, kind: str, group: list[Whole], rank: float) -> Iterator[Rewrite]:
    tape = reader.tape

    def changed(formula: Callable[[Array, Whole], Array]) -> Edges:
        return union([bypassed(tape, whole, lambda d, w=whole: formula(d, w)) for whole in group])

    def x(whole: Whole) -> Array:
        return tape.steps[whole.start].value

    def y(whole: Whole) -> Array:
        return tape.steps[whole.end].value

    where = line_of(tape, group[0].end)
    gate = any(_gate(reader, whole) for whole in group)
    output = all(_output(reader, whole) for whole in group)
    missing: tuple[str, ...] = ("output_slope_missing",) if output else ("hidden_slope_missing",)
    if gate:
        missing = ("gate_slope_missing", *missing)
    if kind == "relu":
        if not output:
            missing = (*missing, "relu_mask_all_ones")
        yield Rewrite(missing, f"of {kind}{where}", changed(lambda d, w: d), rank=rank)
        yield Rewrite(("mask_inverted",), where, changed(lambda d, w: d * (x(w) <= 0)), rank=rank)
        yield Rewrite(("relu_mask_from_gradient",), where, changed(lambda d, w: d * (d > 0)), rank=rank)
        yield Rewrite(
            ("upstream_ignored",),
            f"delta is the mask alone{where}",
            changed(lambda d, w: x(w) > 0),
            rank=rank,
        )
        return
    what = "function" if kind == "other" else kind
    yield Rewrite(missing, f"the slope of the {what}{where} is left out", changed(lambda d, w: d), rank=rank)
    if gate:
        words = f"the {what}{where} stands in the place of its slope"
        yield Rewrite(("gate_slope_missing",), words, changed(lambda d, w: d * y(w)), rank=rank)
    if output:
        twice = changed(lambda d, w: d * replayed(tape, w, x(w))[1] ** 2)
        yield Rewrite(("output_slope_extra",), where, twice, rank=rank)
    at_a = changed(lambda d, w: d * replayed(tape, w, y(w))[1])
    yield Rewrite(("slope_at_activation",), where, at_a, rank=rank)
    alone = changed(lambda d, w: replayed(tape, w, x(w))[1])
    yield Rewrite(("upstream_ignored",), f"delta is the slope alone{where}", alone, rank=rank)
    if kind not in FORMS:
        return
    form, other = FORMS[kind], FORMS["tanh" if kind == "sigmoid" else "sigmoid"]
    yield Rewrite(
        ("activation_form_on_z",), f"with z{where}", changed(lambda d, w: d * form(x(w))), rank=rank
    )
    yield Rewrite(
        ("slope_of_error",), f"written with the error{where}", changed(lambda d, w: d * form(d)), rank=rank
    )
    words = f"the other of tanh and sigmoid{where}"
    yield Rewrite(("slope_of_other_activation",), words, changed(lambda d, w: d * other(y(w))), rank=rank)


def softmax_rewrites(reader: Kernels) -> Iterator[Rewrite]:
    """Yields the wrong Jacobians of every softmax."""
    tape = reader.tape
    for whole in softmaxes(tape, reader.reaching):
        a, axis = tape.steps[whole.end].value, whole.axes[0]
        where = line_of(tape, whole.end)
        for note, formula in _wrong_jacobians(a, axis):
            yield Rewrite(("softmax_diagonal",), note + where, bypassed(tape, whole, formula))
        for other in range(a.ndim):
            if other != axis and a.shape[other] > 1:
                yield from _other_axis(reader, whole, other)


def _wrong_jacobians(a: Array, axis: int) -> Iterator[tuple[str, Callable[[Array], Array]]]:
    """Yields what people make of the Jacobian a_i (delta_ij - a_j): words, and the product with the error."""

    def inner(d: Array) -> Array:
        return (d * a).sum(axis=axis, keepdims=True)

    diagonal = "the terms -a_i a_j are missing"
    yield f"treated as the diagonal a(1 - a): {diagonal}", lambda d: d * a * (1 - a)
    yield f"treated as the diagonal a: {diagonal}", lambda d: d * a
    yield "left out altogether", lambda d: d
    yield "without its diagonal", lambda d: a * d * a - a * inner(d)
    yield "-a_i a_j everywhere: the diagonal's a_i is missing", lambda d: -a * inner(d)
    yield "with the wrong sign of -a_i a_j", lambda d: a * (d + inner(d))
    words = "for the sum weighted by a"
    yield f"with the plain sum {words}", lambda d: a * (d - d.sum(axis=axis, keepdims=True))
    yield f"with the plain mean {words}", lambda d: a * (d - d.mean(axis=axis, keepdims=True))


def _other_axis(reader: Kernels, whole: Whole, other: int) -> Iterator[Rewrite]:
    tape, axis = reader.tape, whole.axes[0]
    a, z = tape.steps[whole.end].value, tape.steps[whole.start].value
    code, where = ("softmax_wrong_axis",), f"axis {other} for axis {axis}{line_of(tape, whole.end)}"
    moved = np.exp(z - z.max(axis=other, keepdims=True))
    moved = moved / moved.sum(axis=other, keepdims=True)

    def summed(d: Array) -> Array:
        return a * (d - (d * a).sum(axis=other, keepdims=True))

    def both(d: Array) -> Array:
        return moved * (d - (d * moved).sum(axis=other, keepdims=True))

    def joined(d: Array) -> Array:
        """The short form a - y of the cross entropy, with the other softmax in the place of a."""
        inner = (d * a).sum(axis=axis, keepdims=True)
        return a * (d - inner) - (moved - a) * inner

    yield Rewrite(code, f"{where}, in its Jacobian", bypassed(tape, whole, summed))
    yield Rewrite(code, where, bypassed(tape, whole, both))
    yield Rewrite(code, f"{where}, in a - y", bypassed(tape, whole, joined))
