"""Slips in quantities: a factor that is missing, too many, or another one."""

from collections.abc import Iterator

import numpy as np

from whygrad.equation.atoms import Atom, constant_atoms, lettered_atoms, letters_of, matches
from whygrad.equation.missing import Term, terms
from whygrad.equation.missing import derived as derivative_of
from whygrad.equation.slips.common import as_written, holds_with, is_array, ref_of, swapped_in
from whygrad.equation.tree import (
    BigSum,
    Call,
    Derivative,
    Negative,
    Node,
    Number,
    Product,
    Sum,
    Symbol,
    replaced,
    walk,
)
from whygrad.equation.trial import Change, Fix, Trial, outside_sums


def _needs(trial: Trial) -> Iterator[tuple[Node, np.ndarray, np.ndarray]]:
    """Yields the parts of the right side with what they are and what they would have to be."""
    if not trial.values or trial.numeric:
        return
    shape = (trial.points.many, trial.points.examples)
    for node in list(outside_sums(trial.pair.right))[:60]:
        if isinstance(node, Number | Negative) or letters_of(trial, node):
            continue
        wanted = trial.needed(trial.pair.right, trial.pair.left, node)
        now = trial.value(node, trial.values[0])
        if wanted is not None and now is not None and now.ndim == 2:
            yield node, np.broadcast_to(now, shape).ravel(), np.broadcast_to(wanted, shape).ravel()


_CODES = {"slope": "MA", "w": "MW"}


def left_out(trial: Trial) -> Iterator[Fix]:
    """A factor that is missing: the slope of an activation function, a weight, another quantity."""
    whole = trial.letters.free or any(is_array(node) for node in walk(trial.pair.right))
    if whole or any(isinstance(node, BigSum) for node in walk(trial.pair.right)):
        yield from _lettered_left_out(trial)
    if whole:
        return
    atoms = [
        atom for atom in constant_atoms(trial) if atom.kind in ("slope", "w", "a", "y", "z", "delta", "error")
    ]
    for node, now, wanted in _needs(trial):
        # Where everything behind it is dead nothing can be told.
        where = now != 0
        if where.sum() < 4 or np.any(np.abs(wanted[~where]) > 1e-12):
            continue
        with np.errstate(all="ignore"):
            ratio = wanted / now
        if not np.all(np.isfinite(ratio[where])):
            continue
        for match in matches(ratio, atoms, True, where):
            if not match.atoms:
                continue
            yield from _beside(trial, node, match.atoms, match.factor)


def _beside(trial: Trial, node: Node, atoms: tuple[Atom, ...], sign: float = 1.0) -> Iterator[Fix]:
    names = [atom.written(trial) for atom in atoms]
    factors: list[Node] = [node, *(atom.node(node.span) for atom in atoms)]
    array = any(atom.ref.array for atom in atoms)
    between = "⊙" if array else "·"
    new: Node = Product(node.span, tuple(factors), (between,) * len(atoms))
    new = Negative(node.span, new) if sign < 0 else new
    times = trial.writer.elementwise() if array else trial.writer.times()
    text = trial.pair.text[node.span[0] : node.span[1]].rstrip()
    bare = isinstance(node, Sum | Negative) or (array and isinstance(node, Product))
    bracketed = text.startswith(("(", "\\left(", "[")) and isinstance(node, Sum)
    inner = f"({text})" if bare and not bracketed else text
    kinds = {atom.kind for atom in atoms}
    code = "MA" if "slope" in kinds else "MW" if "w" in kinds else "XW"
    what = {"MA": "the slope of the activation function", "MW": "a weight", "XW": "a factor"}[code]
    says = f"{what} is missing: {', '.join(names)}"
    made = ("-" if sign < 0 else "") + inner + times + times.join(names)
    fix = swapped_in(trial, node, new, made, says, code)
    if holds_with(trial, fix):
        yield fix


def _lettered_left_out(trial: Trial) -> Iterator[Fix]:
    arrays = trial.pair.arrays
    atoms = lettered_atoms(trial, arrays)
    right = trial.pair.right
    places = [right, *(part for node in walk(right) if isinstance(node, Sum) for part in node.terms)]
    places += [node.body for node in walk(right) if isinstance(node, BigSum)]
    for atom in sorted(atoms, key=lambda atom: atom.kind != "slope"):
        if arrays and atom.kind != "slope":
            continue
        for node in dict.fromkeys(places):
            yield from _beside(trial, node, (atom,))


def left_out_of_each(trial: Trial) -> Iterator[Fix]:
    """Factors that are missing in several terms, each of which is meant for one path."""
    if not trial.values or trial.numeric:
        return
    found = derivative_of(trial, trial.pair.left, trial.values[0])
    if found is None:
        return
    of, by = found
    depth = trial.setting.layered.depth
    cuts: list[tuple[str, int | None]] = [("a", layer) for layer in range(depth, 0, -1)]
    low = (by.layer or 0) + (0 if by.kind in ("w", "b", "z") else 1)
    high = depth if of.kind in ("C", "total") else (of.layer or 0) - 1
    paths = terms(trial, of, by, [cut for cut in cuts if low <= (cut[1] or 0) <= high])
    shape = (trial.points.many, trial.points.examples)
    paths = [path for path in paths if np.any(path.value(trial.points) != 0)]
    atoms = [atom for atom in constant_atoms(trial) if atom.kind in ("slope", "w", "a")]
    for node in outside_sums(trial.pair.right):
        if not isinstance(node, Sum) or len(node.terms) != len(paths) or len(paths) > 6:
            continue
        values = [trial.value(term, trial.values[0]) for term in node.terms]
        wanted = trial.needed(trial.pair.right, trial.pair.left, node)
        now = trial.value(trial.pair.left, trial.values[0])
        if wanted is None or now is None or any(value is None or value.ndim != 2 for value in values):
            continue
        with np.errstate(all="ignore"):
            outer = np.broadcast_to(now / wanted, shape).ravel()
        yield from _assigned(
            trial,
            node,
            [np.broadcast_to(v, shape).ravel() * outer for v in values if v is not None],
            paths,
            atoms,
        )


def _assigned(
    trial: Trial, node: Sum, values: list[np.ndarray], paths: list[Term], atoms: list[Atom]
) -> Iterator[Fix]:
    shape = (trial.points.many, trial.points.examples)
    free = list(range(len(paths)))
    right, changes, names = trial.pair.right, [], []
    codes: set[str] = set()
    for term, value in zip(node.terms, values, strict=True):
        for place in free:
            target = np.broadcast_to(paths[place].value(trial.points), shape).ravel()
            with np.errstate(all="ignore"):
                ratio = target / value
            match = next(iter(matches(ratio, atoms, True)), None) if np.all(np.isfinite(ratio)) else None
            if match is not None and match.factor == 1:
                break
        else:
            return
        free.remove(place)
        if match.atoms:
            texts = [atom.written(trial) for atom in match.atoms]
            names += texts
            codes |= {_CODES.get(atom.kind, "XW") for atom in match.atoms}
            new = Product(
                term.span, (term, *(atom.node(term.span) for atom in match.atoms)), ("·",) * len(match.atoms)
            )
            right = replaced(right, term, new)
            end = term.span[1]
            changes.append(Change(end, end, trial.writer.times() + trial.writer.times().join(texts)))
    if not changes:
        return
    code = "MA" if codes == {"MA"} else "MW" if "MW" in codes else "XW"
    what = "weights" if code == "MW" else "factors"
    fix = Fix(
        trial.pair.left, right, tuple(changes), f"{what} are missing: {', '.join(names)}", code, node.span
    )
    if holds_with(trial, fix):
        yield fix


def wrong_quantity(trial: Trial) -> Iterator[Fix]:
    """A factor in which another quantity should stand; with a slope missing beside it, both."""
    whole = trial.letters.free or any(is_array(node) for node in walk(trial.pair.right))
    if whole or any(isinstance(node, BigSum) for node in walk(trial.pair.right)):
        yield from _lettered_quantity(trial)
    if whole:
        return
    atoms = [atom for atom in constant_atoms(trial) if atom.kind not in ("total", "C", "R", "error")]
    for node, _, wanted in _needs(trial):
        if not isinstance(node, Symbol | Derivative | Call):
            continue
        for match in matches(wanted, atoms, True):
            if not match.atoms or (match.factor < 0 and len(match.atoms) > 1):
                continue
            ordered = sorted(match.atoms, key=lambda atom: atom.kind == "slope")
            names = [atom.written(trial) for atom in ordered]
            nodes = tuple(atom.node(node.span) for atom in ordered)
            new: Node = nodes[0] if len(nodes) == 1 else Product(node.span, nodes, ("·",) * (len(nodes) - 1))
            new = Negative(node.span, new) if match.factor < 0 else new
            text = trial.writer.times().join(names)
            text = f"(-{text})" if match.factor < 0 else text
            says = f"{as_written(trial, node)} stands where {names[0]} should"
            code = "MA" if ordered[0].kind == "slope" else "XW"
            if len(ordered) > 1:
                code = "XW MA" if ordered[1].kind == "slope" else "XW"
                says += f", and {names[1]} is missing"
            fix = swapped_in(trial, node, new, text, says, code)
            if holds_with(trial, fix):
                yield fix


def _lettered_quantity(trial: Trial) -> Iterator[Fix]:
    arrays = trial.pair.arrays
    for node in walk(trial.pair.right):
        ref = ref_of(node)
        if ref is None or not isinstance(node, Symbol) or ref.array != arrays:
            continue
        for atom in lettered_atoms(trial, arrays):
            if atom.ref == ref or atom.kind in ("slope", "error"):
                continue
            text = atom.written(trial)
            says = f"{as_written(trial, node)} stands where {text} should"
            code = "WI" if atom.ref.kind == ref.kind else "XW"
            if ref.derived and ref.kind == "a" and atom.kind == "delta" and atom.ref.layer == ref.layer:
                code, says = "MA", f"{says}: the slope of the activation function is missing"
            fix = swapped_in(trial, node, atom.node(node.span), text, says, code)
            if holds_with(trial, fix):
                yield fix


def too_many(trial: Trial) -> Iterator[Fix]:
    """A factor that doesn't belong there: a slope twice, a weight too many."""
    for product in [node for node in walk(trial.pair.right) if isinstance(node, Product)]:
        for place, factor in enumerate(product.factors):
            factors = product.factors[:place] + product.factors[place + 1 :]
            gone = max(place - 1, 0)
            signs = product.signs[:gone] + product.signs[gone + 1 :]
            if place < len(product.signs) and "/" in (product.signs[place], product.signs[max(place - 1, 0)]):
                continue
            new: Node = factors[0] if len(factors) == 1 else Product(product.span, factors, signs)
            start = product.factors[place - 1].span[1] if place else factor.span[0]
            end = factor.span[1] if place else product.factors[1].span[0]
            twice = (
                sum(as_written(trial, other) == as_written(trial, factor) for other in product.factors) > 1
            )
            says = f"{as_written(trial, factor)} {'stands there twice' if twice else 'does not belong there'}"
            change = Change(start, end, "")
            fix = Fix(
                trial.pair.left,
                replaced(trial.pair.right, product, new),
                (change,),
                says,
                "DC" if twice else "SP",
                factor.span,
                (),
                (as_written(trial, factor),),
            )
            if isinstance(factor, Number):
                continue
            if holds_with(trial, fix):
                yield fix
