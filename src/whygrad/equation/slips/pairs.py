"""Two slips at once, in the factors of one product: what each factor might have been, and which two together fit."""

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import numpy as np

from whygrad.arrays import Array
from whygrad.equation.atoms import constant_atoms, lettered_atoms
from whygrad.equation.slips.common import as_written, holds_with, in_place, ratio_text, ref_of
from whygrad.equation.slips.indices import other_indices
from whygrad.equation.tree import Call, Negative, Node, Number, Product, Ref, Sum, Symbol, replaced, walk
from whygrad.equation.trial import Change, Fix, Trial, as_ratio
from whygrad.notation import Quantity
from whygrad.notation.quantity import exists

# What a part of a factor might have been: old, new, its text, what to say, code.
Other: TypeAlias = tuple[Node, Node, str, str, str]
MOST_CANDIDATES = 260
_KINDS = {"a": ("z", "delta"), "z": ("a", "delta"), "delta": ("a", "z")}
_CONSTANTS = (1.0, -1.0, 2.0, 0.5, -2.0, -0.5)


class Candidate(NamedTuple):
    """One change of one factor: by how much it multiplies the side, the new factor, and what to say."""

    place: int
    """Which factor it changes; -1 where one is put in."""
    ratio: Array
    node: Node | None
    change: Change | None
    text: str
    says: str
    code: str


def two_factors(trial: Trial) -> Iterator[Fix]:
    """Two factors of a product that are both wrong, missing or too many."""
    right = trial.pair.right
    core = right.of if isinstance(right, Negative) else right
    if trial.numeric or trial.pair.arrays or not trial.values or "/" in getattr(core, "signs", ()):
        return
    factors = core.factors if isinstance(core, Product) else (core,)
    wanted = _stacked(trial, trial.pair.left, right)
    if wanted is None:
        return
    found = [
        candidate
        for candidate in _candidates(trial, factors)
        if np.all(np.isfinite(candidate.ratio)) and not np.allclose(candidate.ratio, 1)
    ][:MOST_CANDIDATES]
    for one, other, constant in _matching(found, wanted):
        fix = _fix(trial, core, factors, (one, other), constant)
        if fix is not None and holds_with(trial, fix):
            yield fix


def _stacked(trial: Trial, above: Node, below: Node) -> Array | None:
    """Returns one side by another, at a few values of the letters, one after the other."""
    made = []
    shape = (trial.points.many, trial.points.examples)
    for values in trial.values[:3]:
        one, other = trial.value(above, values), trial.value(below, values)
        if one is None or other is None or one.ndim != 2 or other.ndim != 2:
            return None
        with np.errstate(all="ignore"):
            made.append(np.broadcast_to(one / other, shape).ravel())
    ratio = np.concatenate(made)
    return ratio if np.all(np.isfinite(ratio)) else None


def _candidates(trial: Trial, factors: tuple[Node, ...]) -> Iterator[Candidate]:
    for place, factor in enumerate(factors):
        written = as_written(trial, factor)
        gone = _stacked(trial, Number(factor.span, "1"), factor)
        if gone is not None and len(factors) > 1 and not isinstance(factor, Number):
            yield Candidate(place, gone, None, None, "", f"{written} does not belong there", "SP")
        for old, new, text, says, code in _others(trial, factor):
            made = replaced(factor, old, new)
            ratio = _stacked(trial, made, factor)
            if ratio is not None:
                change = Change(old.span[0], old.span[1], in_place(trial, old, text))
                yield Candidate(place, ratio, made, change, text, says, code)
    atoms = [] if trial.letters.free else constant_atoms(trial)
    for atom in atoms or lettered_atoms(trial, False):
        if atom.kind in ("slope", "w", "a", "error"):
            node = atom.node(factors[-1].span)
            ratio = _stacked(trial, node, Number(node.span, "1"))
            if ratio is not None:
                text = atom.written(trial)
                code = {"slope": "MA", "w": "MW"}.get(atom.kind, "XW")
                yield Candidate(-1, ratio, node, None, text, f"{text} is missing", code)


def _others(trial: Trial, factor: Node) -> Iterator[Other]:
    """Yields what parts of a factor might have been."""
    for symbol, other in other_indices(trial, factor):
        old = ref_of(symbol)
        if old is None or other == old or other.array:
            continue
        turned = old.source is not None and (old.to, old.source) == (other.source, other.to)
        code = "WC" if other.kind in ("C", "total") else "TR" if turned else "WI"
        yield _swapped(trial, symbol, other, code)
    for node in walk(factor):
        ref = ref_of(node)
        if isinstance(node, Symbol) and ref is not None and not ref.array and not ref.derived:
            for kind in _KINDS.get(ref.kind, ()):
                if _may_be(trial, kind, ref):
                    yield _swapped(trial, node, ref._replace(kind=kind, sign=1), "XW")
        if isinstance(node, Call) and not node.function.name and node.function.primes < 2:
            yield from _value_for_slope(trial, node)


def _swapped(trial: Trial, old: Symbol, ref: Ref, code: str) -> Other:
    """Returns another quantity in the place of one."""
    text = trial.writer.ref(ref)
    return old, Symbol(old.span, text, (ref,)), text, f"{as_written(trial, old)} should be {text}", code


def _may_be(trial: Trial, kind: str, ref: Ref) -> bool:
    """Returns whether a layer has quantities of another kind."""
    layer = ref.layer
    if layer is None:
        return False
    return layer.letter is not None or exists(
        Quantity(kind, layer.offset, 0), trial.setting.vocabulary.layout
    )


def _value_for_slope(trial: Trial, node: Call) -> Iterator[Other]:
    """Yields an activation function's slope in the place of its value, or the value in that of its slope."""
    text = as_written(trial, node)
    opened = text.find("(")
    head = text[:opened]
    for mark in ("'", "^{\\prime}", "^\\prime", "\\prime", "′"):
        head = head.replace(mark, "")
    primes = 1 - node.function.primes
    head = trial.writer.primed(head) if primes else head
    new = Call(node.span, node.function._replace(primes=primes), node.arguments, node.options)
    if opened > 0:
        says = f"{text} is the {'value' if primes else 'slope'} of the function"
        yield node, new, head + text[opened:], says, "MA"


def _matching(found: list[Candidate], wanted: Array) -> Iterator[tuple[Candidate, Candidate, float]]:
    """Yields the pairs whose ratios multiply to what is wanted, but for a small constant; whole ones first."""
    if len(found) < 2:
        return
    table = np.stack([candidate.ratio for candidate in found])
    first = np.outer(table[:, 0], table[:, 0])
    for constant in _CONSTANTS:
        near = np.argwhere(np.abs(constant * first - wanted[0]) <= 1e-8 * abs(wanted[0]) + 1e-13)
        for one, other in near[:4000]:
            if one >= other or (found[one].place == found[other].place and found[one].place >= 0):
                continue
            gap = np.abs(constant * table[one] * table[other] - wanted)
            if np.all(gap <= 1e-8 * np.abs(wanted) + 1e-13):
                yield found[int(one)], found[int(other)], constant


def _fix(
    trial: Trial, core: Node, factors: tuple[Node, ...], pair: tuple[Candidate, Candidate], constant: float
) -> Fix | None:
    text = trial.pair.text
    nodes: list[Node] = []
    pieces: list[str] = []
    changed = {candidate.place: candidate for candidate in pair if candidate.place >= 0}
    for place, factor in enumerate(factors):
        candidate = changed.get(place)
        if candidate is not None and candidate.node is None:
            continue
        written = text[factor.span[0] : factor.span[1]].strip()
        if candidate is not None and candidate.change is not None:
            start, end, new = candidate.change
            written = text[factor.span[0] : start] + new + text[end : factor.span[1]]
        nodes.append(factor if candidate is None or candidate.node is None else candidate.node)
        bare = isinstance(factor, Sum) and not written.startswith(("(", "[", "\\left", "\\big", "\\Big"))
        pieces.append(f"({written})" if bare else written)
    for candidate in pair:
        if candidate.place < 0 and candidate.node is not None:
            nodes.append(candidate.node)
            pieces.append(candidate.text)
    if not nodes:
        return None
    ratio = as_ratio(constant)
    assert ratio is not None
    if abs(ratio) != 1:
        nodes.insert(0, Number(core.span, repr(abs(constant))))
        pieces.insert(0, ratio_text(trial, abs(ratio)))
    made: Node = nodes[0] if len(nodes) == 1 else Product(core.span, tuple(nodes), ("·",) * (len(nodes) - 1))
    between = " " if trial.writer.style == "latex" else " * "
    new_text = between.join(pieces)
    right = trial.pair.right
    negative = isinstance(right, Negative) != (ratio < 0)
    made = Negative(right.span, made) if negative else made
    says = f"{pair[0].says}; and {pair[1].says}" + (
        "" if constant == 1 else f"; and a factor {ratio} is missing"
    )
    codes = [pair[0].code, pair[1].code, *(["SG"] if ratio < 0 else []), *(["SC"] if abs(ratio) != 1 else [])]
    change = Change(right.span[0], right.span[1], ("-" if negative else "") + new_text)
    return Fix(trial.pair.left, made, (change,), says, " ".join(dict.fromkeys(codes)), right.span)
