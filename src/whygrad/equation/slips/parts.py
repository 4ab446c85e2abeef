"""Slips that leave a part out: a term of a sum, or a link of a chain; and numbers that are another."""

from collections.abc import Iterator

import numpy as np

from whygrad.equation.atoms import constant_atoms, lettered_atoms, letters_of, same
from whygrad.equation.slips.common import as_written, holds_with, is_array, ref_of, swapped_in
from whygrad.equation.tree import (
    BigSum,
    Derivative,
    Negative,
    Node,
    Number,
    Power,
    Product,
    Ref,
    Special,
    Sum,
    Symbol,
    walk,
)
from whygrad.equation.trial import Fix, Trial, outside_sums
from whygrad.equation.vocabulary import stands_for

MOST_PLACES = 24


def missing_inside(trial: Trial) -> Iterator[Fix]:
    """A term that is missing inside of a side: a bias, or the target or the output of an error `a - y`."""
    if trial.numeric or not trial.values:
        return
    yield from _penalty(trial)
    if trial.letters.free or any(
        isinstance(node, BigSum) or is_array(node) for node in walk(trial.pair.right)
    ):
        yield from _lettered_inside(trial)
        return
    shape = (trial.points.many, trial.points.examples)
    atoms = [
        atom for atom in constant_atoms(trial) if atom.kind in ("a", "y", "b") and atom.value is not None
    ]
    for node in list(outside_sums(trial.pair.right))[:60]:
        if isinstance(node, Number) or letters_of(trial, node):
            continue
        wanted = trial.needed(trial.pair.right, trial.pair.left, node)
        now = trial.value(node, trial.values[0])
        if wanted is None or now is None or now.ndim != 2:
            continue
        gap = (np.broadcast_to(wanted, shape) - np.broadcast_to(now, shape)).ravel()
        for atom in atoms:
            for sign in (1, -1):
                if same(sign * np.asarray(atom.value), gap):
                    yield from _with_term(trial, node, atom.ref, sign)


def _penalty(trial: Trial) -> Iterator[Fix]:
    """The weight's part in the regularisation, which is missing."""
    left = stands_for(trial.pair.left)
    ref = ref_of(left.by if isinstance(left, Derivative) else left)
    if not trial.setting.layered.l2 or ref is None or ref.kind != "w":
        return
    ref, right, span = ref._replace(derived=False), trial.pair.right, trial.pair.right.span
    strength = "\\lambda" if trial.writer.style == "latex" else "λ"
    name = f"{strength}{trial.writer.times()}{trial.writer.ref(ref)}"
    term = Product(span, (Symbol(span, strength, (Special("l2"),)), Symbol(span, "", (ref,))), ("",))
    new = Sum(span, (*(right.terms if isinstance(right, Sum) else (right,)), term))
    text = f"{as_written(trial, right)} + {name}"
    fix = swapped_in(trial, right, new, text, f"the cost of the weights is missing: {name}", "MC")
    if holds_with(trial, fix):
        yield fix._replace(missing=(name,))


def _lettered_inside(trial: Trial) -> Iterator[Fix]:
    atoms = [atom for atom in lettered_atoms(trial, trial.pair.arrays) if atom.kind in ("a", "y", "b")]
    right = trial.pair.right
    places = [right, *(node for node in walk(right) if node is not right)]
    for node in places[:MOST_PLACES]:
        if isinstance(node, Number) or (
            ref_of(node) is None and not isinstance(node, Sum | Negative | Product | BigSum)
        ):
            continue
        for atom in atoms:
            for sign in (1, -1):
                yield from _with_term(trial, node, atom.ref, sign)


def _with_term(trial: Trial, node: Node, ref: Ref, sign: int) -> Iterator[Fix]:
    name = trial.writer.ref(ref)
    term: Node = Symbol(node.span, name, (ref,))
    inside = node.terms if isinstance(node, Sum) else (node,)
    new = Sum(node.span, (*inside, term if sign > 0 else Negative(node.span, term)))
    text, mark = as_written(trial, node), "+" if sign > 0 else "-"
    added = f"{mark} {name}"
    opened = text.startswith(("(", "[", "\\left")) and isinstance(node, Sum)
    if node is trial.pair.right and not opened:
        made = f"{text} {added}"
    elif opened:
        closed = _last_bracket(text)
        made = f"{text[:closed]} {added}{text[closed:]}"
    else:
        made = f"({text} {added})"
    what = {"b": "the bias", "y": "the target", "a": "the value"}.get(ref.kind, "a term")
    code = "MP" if ref.kind == "b" else "XW"
    fix = swapped_in(trial, node, new, made, f"{what} {name} is missing", code)
    if holds_with(trial, fix):
        yield fix._replace(missing=(("" if sign > 0 else "-") + name,) if node is trial.pair.right else ())


def _last_bracket(text: str) -> int:
    """Returns where the bracket at the end of a text starts, with a `\\right` before it."""
    sized = text.startswith("\\left") and "\\right" in text
    return text.rfind("\\right") if sized else len(text) - 1


def missing_link(trial: Trial) -> Iterator[Fix]:
    """A derivative that is missing in a chain, between quantities that stand in the equation."""
    if trial.numeric or not trial.values:
        return
    right = trial.pair.right
    found: dict[Ref, Symbol] = {}
    for node in (*walk(right), *walk(trial.pair.left)):
        ref = ref_of(node)
        if ref is None or ref.array or ref.derived:
            continue
        if isinstance(node, Symbol) and ref.kind in ("a", "z", "C", "total", "w", "b"):
            found.setdefault(ref, node)
        if isinstance(node, Symbol) and ref.kind == "delta":
            found.setdefault(Ref("total"), node)
    depth = trial.setting.layered.depth
    bodies = [node.body for node in walk(right) if isinstance(node, BigSum)]
    terms = [term for node in walk(right) if isinstance(node, Sum) for term in node.terms]
    places = list(dict.fromkeys([*bodies, *terms, right]))[:6]
    links = [(of, by) for of in found for by in found if _below(of, by, depth)]
    for of, by in links[:60]:
        names = trial.writer.ref(of), trial.writer.ref(by)
        text = trial.writer.derivative(*names)
        link = Derivative((0, 0), Symbol((0, 0), names[0], (of,)), Symbol((0, 0), names[1], (by,)))
        for node in places:
            new = Product(node.span, (node, link), ("",))
            inner = as_written(trial, node)
            bare = isinstance(node, Sum | Negative) and not inner.startswith(("(", "[", "\\left"))
            made = (f"({inner})" if bare else inner) + trial.writer.times() + text
            fix = swapped_in(
                trial, node, new, made, f"a factor is missing in the chain: {text}", _link(of, by)
            )
            if holds_with(trial, fix):
                yield fix


def _height(ref: Ref, depth: int) -> tuple[str, float]:
    if ref.kind in ("C", "total"):
        return "", 2 * depth + (2 if ref.kind == "C" else 3)
    layer = ref.layer
    if layer is None:
        return "", 0
    return layer.letter or "", 2 * layer.offset + {"a": 1, "z": 0}.get(ref.kind, -0.5)


def _below(of: Ref, by: Ref, depth: int) -> bool:
    (one, high), (other, low) = _height(of, depth), _height(by, depth)
    if of.kind in ("w", "b") or by.kind == "total":
        return False
    if of.kind in ("C", "total"):
        return by.kind in ("a", "z") or (of.kind == "total" and by.kind == "C")
    return one == other and 0 < high - low <= 2


def _link(of: Ref, by: Ref) -> str:
    if of.kind == "a" and by.kind == "z":
        return "MA"
    if of.kind == "z" and by.kind == "a":
        return "MW"
    return "MW MA" if of.kind == by.kind == "a" else "XW"


def wrong_number(trial: Trial) -> Iterator[Fix]:
    """A small number that is another: an exponent, a 0 for a 1."""
    if trial.numeric:
        return
    right = trial.pair.right
    exponents = {node.exponent for node in walk(right) if isinstance(node, Power)}
    for node in walk(right):
        if not isinstance(node, Number) or "." in node.text or node.value > 9:
            continue
        for value in (1, 2, 0, 3, 4):
            if value == node.value:
                continue
            what = "exponent" if node in exponents else "number"
            says = f"the {what} {node.text} is wrong: it should be {value}"
            fix = swapped_in(trial, node, Number(node.span, str(value)), str(value), says, "NU")
            if holds_with(trial, fix):
                yield fix
