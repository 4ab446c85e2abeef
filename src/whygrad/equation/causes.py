"""The table of causes: what people get wrong in an equation, how each is found, and what puts it right.

A cause looks for a change that makes the equality hold. The first that finds one names the mistake.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction as Ratio
from itertools import combinations
from typing import NamedTuple

import numpy as np

from whygrad.equation.atoms import Atom, constant_atoms, letters_of, lettered_atoms, matches
from whygrad.equation.bench import Bench, Change, Fix, outside_sums
from whygrad.equation.indices import Letters
from whygrad.equation.missing import account, terms
from whygrad.equation.missing import derived as derivative_of
from whygrad.equation.tree import (
    BigSum, Bound, Call, Derivative, Fraction, Index, Negative, Node, Number, Product, Ref, Sum, Symbol, Transposed, Updated,
    parts, replaced, walk,
)  # fmt: skip
from whygrad.equation.vocabulary import constant_ref, quantity_of, stands_for
from whygrad.notation import Quantity


class Cause(NamedTuple):
    """One kind of mistake."""

    code: str
    name: str
    find: Callable[[Bench], Iterator[Fix]]


def _ref(node: Node) -> Ref | None:
    node = stands_for(node)
    return node.meanings[0] if isinstance(node, Symbol) and isinstance(node.meanings[0], Ref) else None


def _swapped_in(bench: Bench, old: Node, new: Node, text: str, says: str, code: str = "") -> Fix:
    """Returns the fix that puts one part of the right side in another's place."""
    change = Change(old.span[0], old.span[1], text)
    return Fix(bench.pair.left, replaced(bench.pair.right, old, new), (change,), says, code, old.span)


def _ok(bench: Bench, fix: Fix) -> bool:
    return bench.holds(fix.left, fix.right)


def _shown(bench: Bench, node: Node) -> str:
    return bench.pair.text[node.span[0] : node.span[1]].strip()


# Indices


def _derivative_changes(bench: Bench, kinds: tuple[str, ...]) -> Iterator[tuple[Symbol, Ref]]:
    """Yields the symbols of the right side of some kinds, each with other indices of the same kind."""
    layout = bench.setting.vocabulary.layout
    letters = sorted(letter for letter in bench.letters.free if letter != "@")
    for node in walk(bench.pair.right):
        if isinstance(node, BigSum):
            letters += [bound.letter for bound in node.bounds if bound.letter not in letters]
    for node in walk(bench.pair.right):
        ref = _ref(node)
        if ref is None or not isinstance(node, Symbol) or ref.kind not in kinds:
            continue
        if ref.array:
            if ref.layer is not None:
                for step in (-1, 1):
                    yield node, ref._replace(layer=ref.layer._replace(offset=ref.layer.offset + step))
            continue
        if ref.kind in ("C", "total"):
            for k in range(layout.sizes[-1]):
                yield node, constant_ref(Quantity("C", None, k))
            for letter in letters:
                yield node, Ref("C", None, Index(letter, 0))
            yield node, constant_ref(Quantity("total"))
            continue
        if ref.source is not None and ref.to is not None:
            yield node, ref._replace(to=ref.source, source=ref.to)
        for slot in ("to", "source", "layer"):
            index: Index | None = getattr(ref, slot)
            if index is None:
                continue
            if index.letter is None:
                where = ref.layer.offset if ref.layer is not None and ref.layer.letter is None else len(layout.sizes) - 1
                where = where - 1 if slot == "source" else where
                last = len(layout.sizes) if slot == "layer" else layout.sizes[where] if 0 <= where < len(layout.sizes) else 0
                options = [Index(None, number) for number in range(min(last, 12)) if number != index.offset]
            else:
                options = [index._replace(offset=index.offset + step) for step in (-1, 1)]
            options += [Index(letter, 0) for letter in letters if letter != index.letter]
            for option in options:
                changed = ref._replace(layer=option) if slot == "layer" else ref._replace(**{slot: option})
                yield node, changed


def _exists(bench: Bench, ref: Ref) -> bool:
    from whygrad.notation.quantity import exists

    if ref.array or any(index is not None and index.letter for index in (ref.layer, ref.to, ref.source)):
        return True
    return exists(quantity_of(ref, {}), bench.setting.vocabulary.layout)


def _index(bench: Bench, kinds: tuple[str, ...], what: str, code: str) -> Iterator[Fix]:
    for node, ref in _derivative_changes(bench, kinds):
        if not _exists(bench, ref) or ref == _ref(node):
            continue
        text = bench.writer.ref(ref)
        old = _ref(node)
        own = isinstance(node, Symbol) and bool(bench.setting.vocabulary.own(node.text)) and not letters_of(bench, node)
        turned = not own and old is not None and old.source is not None and (old.to, old.source) == (ref.source, ref.to)
        says = f"{_shown(bench, node)} has {'its indices swapped' if turned else what}: it should be {text}"
        fix = _swapped_in(bench, node, Symbol(node.span, text, (ref,)), text, says, "TR" if turned else code)
        if _ok(bench, fix):
            yield fix


def wrong_cost(bench: Bench) -> Iterator[Fix]:
    """A cost with another's number."""
    yield from _index(bench, ("C", "total"), "the wrong cost's index", "WC")


def wrong_index(bench: Bench) -> Iterator[Fix]:
    """A neuron's or a layer's index that is another's; swapped indices of a weight."""
    yield from _index(bench, ("w", "b", "z", "a", "y", "delta"), "a wrong index", "WI")


def swapped_letters(bench: Bench) -> Iterator[Fix]:
    """Two letters that stand in each other's place."""
    symbols = [node for node in walk(bench.pair.right) if isinstance(node, Symbol) and _ref(node) is not None]
    own = {_ref(node) for node in walk(bench.pair.left)}
    symbols = [node for node in symbols if _ref(node) not in own]
    letters = sorted(letter for letter in bench.letters.free if letter != "@" and letter not in bench.letters.layer_letters)
    for one, other in combinations(letters, 2):
        other_of = {one: other, other: one}
        right, changes = bench.pair.right, []
        for node in symbols:
            ref = _ref(node)
            assert ref is not None
            new = ref
            for slot in ("to", "source"):
                index: Index | None = getattr(ref, slot)
                if index is not None and index.letter in other_of:
                    new = new._replace(**{slot: index._replace(letter=other_of[index.letter])})
            if new != ref:
                text = bench.writer.ref(new)
                right = replaced(right, node, Symbol(node.span, text, (new,)))
                changes.append(Change(node.span[0], node.span[1], text))
        says = f"the indices {one} and {other} stand in each other's place"
        fix = Fix(bench.pair.left, right, tuple(changes), says, "TR", bench.pair.right.span)
        if changes and _ok(bench, fix):
            yield fix


def missing_sum(bench: Bench) -> Iterator[Fix]:
    """A letter that only the right side has: it should be summed over."""
    right = bench.pair.right
    letters = Letters(right, bench.setting.vocabulary, bench.pair.lacking, bench.outcome.choices)
    left = Letters(bench.pair.left, bench.setting.vocabulary, bench.pair.lacking, bench.outcome.choices)
    for letter in sorted(letters.free - left.free - {"@"} - letters.layer_letters):
        new = BigSum(right.span, (Bound(letter),), right)
        sign = f"\\sum_{{{letter}}} " if bench.writer.style == "latex" else f"Σ_{letter} "
        inner = _shown(bench, right)
        inner = f"({inner})" if isinstance(right, Sum) else inner
        fix = _swapped_in(bench, right, new, sign + inner, f"the sum over {letter} is missing")
        if bench.holds(fix.left, fix.right):
            yield fix


def clashing_letter(bench: Bench) -> Iterator[Fix]:
    """A letter of the left side that is not the one that the right side leaves free."""
    bound = {letter for node in walk(bench.pair.right) if isinstance(node, BigSum) for letter in _bound(bench, node)}
    everywhere = {index for use in bench.letters.uses if isinstance(use.meaning, Ref) for index in (use.meaning.to, use.meaning.source)}
    letters = {index.letter for index in everywhere if index is not None and index.letter} | bound
    for node in walk(bench.pair.left):
        ref = _ref(node)
        if ref is None or not isinstance(node, Symbol) or ref.to is None or ref.to.letter is None:
            continue
        for letter in sorted(letters - {ref.to.letter}):
            new = ref._replace(to=Index(letter, 0))
            text = bench.writer.ref(new)
            left = replaced(bench.pair.left, node, Symbol(node.span, text, (new,)))
            lacking = (bench.pair.lacking - {ref.to.letter}) | {letter}
            other = Bench(bench.pair._replace(left=left, lacking=lacking), bench.outcome)
            if other.values and other.holds(left, bench.pair.right):
                says = f"the index {ref.to.letter} of the left side is also one that the right side sums over; {letter} is the free one"
                yield Fix(left, bench.pair.right, (Change(node.span[0], node.span[1], text),), says, "NC", node.span)


def _bound(bench: Bench, node: BigSum) -> tuple[str, ...]:
    from whygrad.equation.indices import bound_letters

    return bound_letters(node, bench.setting.vocabulary, bench.pair.lacking, {})


# Signs, factors and terms


def wrong_sign(bench: Bench) -> Iterator[Fix]:
    """A sign that should be the other one."""
    right = bench.pair.right
    whole = [right, *(node for node in walk(right) if isinstance(node, Sum)), *outside_sums(right)]
    terms_of = [right, *(term for node in whole if isinstance(node, Sum) for term in node.terms)]
    for term in dict.fromkeys(terms_of):
        if isinstance(term, Negative):
            new: Node = term.of
            start, end = term.span[0], term.of.span[0]
            joined = bench.pair.text[start:end]
            after = "+" if term is not right and _follows(bench, term) else ""
            change = Change(start, end, joined.replace("-", after, 1).replace("−", after, 1))
        else:
            new = Negative(term.span, term)
            first = isinstance(term, Sum)
            at = _plus_before(bench, term)
            text = _shown(bench, term)
            if at is not None:
                change = Change(at, at + 1, "-")
            elif first:
                change = Change(term.span[0], term.span[1], f"-({text})")
            else:
                change = Change(term.span[0], term.span[0], "-")
        says = "the sign is wrong" if term is right else f"the sign of {_shown(bench, term)} is wrong"
        fix = Fix(bench.pair.left, replaced(right, term, new), (change,), says, "SG", term.span)
        if _ok(bench, fix):
            yield fix


def _follows(bench: Bench, term: Node) -> bool:
    before = bench.pair.text[: term.span[0]].rstrip()
    return bool(before) and before[-1] not in "=({[&"


def _plus_before(bench: Bench, term: Node) -> int | None:
    before = bench.pair.text[: term.span[0]].rstrip(" {")
    return len(before) - 1 if before.endswith("+") else None


def wrong_terms(bench: Bench) -> Iterator[Fix]:
    """Terms that are too many, have the wrong sign or a wrong factor, several at once."""
    for node in outside_sums(bench.pair.right):
        if not isinstance(node, Sum) or not 2 <= len(node.terms) <= 10 or not bench.values:
            continue
        wanted = bench.needed(bench.pair.right, bench.pair.left, node)
        values = [bench.value(term, bench.values[0]) for term in node.terms]
        if wanted is None or any(value is None or value.ndim != 2 for value in values):
            continue
        shape = (bench.points.many, bench.points.examples)
        matrix = np.stack([np.broadcast_to(value, shape).ravel() for value in values if value is not None], axis=1)
        target = np.broadcast_to(wanted, shape).ravel()
        if len(target) < len(values) + 2:
            continue
        often = np.linalg.lstsq(matrix, target, rcond=1e-11)[0]
        if np.abs(matrix @ often - target).max() > 1e-8 * (np.abs(target).max() + np.abs(matrix).max()):
            continue
        ratios = [_ratio(number) for number in often]
        if any(ratio is None for ratio in ratios) or len(set(ratios)) == 1:
            continue
        yield from _with_ratios(bench, node, matrix, [ratio for ratio in ratios if ratio is not None])


def _with_ratios(bench: Bench, node: Sum, matrix: np.ndarray, ratios: list[Ratio]) -> Iterator[Fix]:
    kept: list[Node] = []
    pieces: list[str] = []
    gone: list[str] = []
    code = ""
    for place, (term, ratio) in enumerate(zip(node.terms, ratios, strict=True)):
        text = _shown(bench, term.of if isinstance(term, Negative) else term)
        minus = isinstance(term, Negative)
        if ratio == 0:
            twice = any(at != place and np.allclose(matrix[:, at], matrix[:, place]) for at in range(len(ratios)))
            code = code or ("DC" if twice else "SP")
            gone.append(_shown(bench, term))
            continue
        kept.append(term if ratio == 1 else Product(term.span, (Number(term.span, repr(float(ratio))), term), ("·",)))
        code = code or ("" if ratio == 1 else "SG" if ratio == -1 else "SC")
        minus = minus != (ratio < 0)
        factor = "" if abs(ratio) == 1 else _number(bench, abs(ratio)) + bench.writer.times()
        pieces.append(("- " if minus else "+ " if pieces else "") + factor + text)
    if not kept or not code:
        return
    new: Node = kept[0] if len(kept) == 1 else Sum(node.span, tuple(kept))
    text = " ".join(pieces)
    opened = bench.pair.text[node.span[0] : node.span[1]].strip()
    if opened[:1] in "([" and opened[-1:] in ")]":
        text = f"({text})"
    elif opened.startswith("\\left"):
        text = f"\\left({text}\\right)"
    says = {"DC": "a term is counted twice", "SP": "terms stand there that don't belong there", "SG": "the sign of a term is wrong",
            "SC": "the factor of a term is wrong"}[code]  # fmt: skip
    says = f"{says}: {', '.join(gone)}" if gone else says
    fix = _swapped_in(bench, node, new, text, says, code)._replace(surplus=tuple(gone))
    if _ok(bench, fix):
        yield fix


def _ratio(number: float) -> Ratio | None:
    ratio = Ratio(float(number)).limit_denominator(64)
    return ratio if abs(float(ratio) - number) <= 1e-7 * max(1.0, abs(number)) and abs(ratio) <= 64 else None


def _number(bench: Bench, ratio: Ratio) -> str:
    if ratio.denominator == 1:
        return str(ratio.numerator)
    if bench.writer.style == "latex":
        return f"\\frac{{{ratio.numerator}}}{{{ratio.denominator}}}"
    return f"({ratio.numerator}/{ratio.denominator})"


def wrong_factor(bench: Bench) -> Iterator[Fix]:
    """A constant factor: a forgotten or a superfluous 2, 1/2, 1/m."""
    for values in bench.values[:1]:
        left, right = bench.value(bench.pair.left, values), bench.value(bench.pair.right, values)
        if left is None or right is None or (left.ndim != right.ndim) or (left.ndim == 3 and left.shape != right.shape):
            return
        with np.errstate(all="ignore"):
            ratios = (left / right).ravel()
        ratios = ratios[np.isfinite(ratios)]
        if not len(ratios) or np.ptp(ratios) > 1e-8 * np.abs(ratios).max():
            return
        ratio = _ratio(float(ratios[0]))
        if ratio is None or ratio in (0, 1):
            return
        yield from _scaled(bench, ratio)


def _scaled(bench: Bench, ratio: Ratio) -> Iterator[Fix]:
    right = bench.pair.right
    # A number that stands there may be the one that is wrong.
    for node in walk(right):
        if isinstance(node, Number) and (ratio * Ratio(node.text)).denominator == 1:
            whole = ratio * Ratio(node.text)
            number = str(whole.numerator)
            shown = "" if number == "1" and node is not right and _is_first_factor(right, node) else number
            says = f"the factor {node.text} is wrong: it should be {number}"
            fix = _swapped_in(bench, node, Number(node.span, number), shown, says)
            if whole > 0 and _ok(bench, fix):
                yield fix
    new = Product(right.span, (Number(right.span, repr(float(ratio))), right), ("·",))
    shown = ("-" if ratio < 0 else "") + _number(bench, abs(ratio))
    text = _shown(bench, right)
    inner = f"({text})" if isinstance(right, Sum | Negative) and not text.startswith("(") else text
    says = f"the right side is {_times_too(1 / ratio)} what it should be"
    # The number takes the place of the whole side; it is exact only as a fraction.
    exact = Fraction(right.span, Number(right.span, str(abs(ratio.numerator))), Number(right.span, str(ratio.denominator)))
    new = Product(right.span, (exact, right), ("·",))
    made: Node = Negative(right.span, new) if ratio < 0 else new
    fix = _swapped_in(bench, right, made, f"{shown}{bench.writer.times()}{inner}", says)
    if _ok(bench, fix):
        yield fix


def _is_first_factor(right: Node, number: Node) -> bool:
    return any(isinstance(node, Product) and node.factors[0] is number and node.signs[0] in ("", "·") for node in walk(right))


def _times_too(ratio: Ratio) -> str:
    if ratio == 2:
        return "twice"
    if ratio == Ratio(1, 2):
        return "half of"
    return f"{ratio} times"


# Paths


def missing_terms(bench: Bench) -> Iterator[Fix]:
    """Paths, or costs, that are left out; and those that are there too often."""
    if not bench.values or bench.numeric:
        return
    found = account(bench, bench.values[0])
    if found is None or not (found.missing or found.surplus) or len(set(found.missing)) < len(found.missing):
        return
    writer = bench.writer
    missing = tuple(term.written(writer) for term in found.missing)
    surplus = tuple(term.written(writer) for term in found.surplus)
    right = bench.pair.right
    text = bench.pair.text[right.span[0] : right.span[1]].rstrip()
    new = " ".join([text] + [f"+ {term}" for term in missing] + [f"- {term}" for term in surplus])
    zero = isinstance(right, Number) and right.value == 0
    if zero and missing:
        new = " + ".join(missing)
    costs = {term.places[1] for term in found.missing if len(term.places) > 1 and term.places[1].kind == "C"}
    others = {term.places[1] for term in found.whole if len(term.places) > 1} - costs
    forward = {q.to for term in found.missing for q in term.places if q.kind == "C"} if costs or found.missing and found.missing[0].places[0].kind == "C" else set()
    by_cost = bool(costs and others) or bool(forward and found.missing[0].places[0].kind == "C" and derivative_of(bench, bench.pair.left, bench.values[0]) is None)
    if found.missing:
        code = "MC" if by_cost else "MP"
        what = "the cost" if code == "MC" else "the path"
        many = "s are" if len(missing) > 1 else " is"
        says = f"{what}{many} missing: {', '.join(missing)}"
        if found.surplus:
            says += f"; too many: {', '.join(surplus)}"
    else:
        code, says = "DC", f"counted too often: {', '.join(surplus)}"
    if not _reads_back(bench, new):
        return
    change = Change(right.span[0], right.span[0] + len(text), new)
    yield Fix(bench.pair.left, right, (change,), says, code, right.span, missing, surplus)


def _reads_back(bench: Bench, text: str) -> bool:
    from whygrad.equation.reader import read_side
    from whygrad.errors import EquationError

    try:
        right = read_side(text, bench.setting.vocabulary)
    except EquationError:
        return False
    return bench.holds(bench.pair.left, right)


# Quantities in the wrong place, or left out


def _needs(bench: Bench) -> Iterator[tuple[Node, np.ndarray, np.ndarray]]:
    """Yields the parts of the right side with what they are and what they would have to be."""
    if not bench.values or bench.numeric:
        return
    shape = (bench.points.many, bench.points.examples)
    for node in list(outside_sums(bench.pair.right))[:60]:
        if isinstance(node, Number | Negative) or letters_of(bench, node):
            continue
        wanted = bench.needed(bench.pair.right, bench.pair.left, node)
        now = bench.value(node, bench.values[0])
        if wanted is not None and now is not None and now.ndim == 2:
            yield node, np.broadcast_to(now, shape).ravel(), np.broadcast_to(wanted, shape).ravel()


_CODES = {"slope": "MA", "w": "MW"}


def left_out(bench: Bench) -> Iterator[Fix]:
    """A factor that is missing: the slope of an activation function, a weight, another quantity."""
    if bench.letters.free or any(_is_array(node) for node in walk(bench.pair.right)):
        yield from _lettered_left_out(bench)
        return
    atoms = [atom for atom in constant_atoms(bench) if atom.kind in ("slope", "w", "a", "y", "z", "delta")]
    for node, now, wanted in _needs(bench):
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
            yield from _beside(bench, node, match.atoms, match.factor)


def _is_array(node: Node) -> bool:
    ref = _ref(node)
    return ref is not None and ref.array


def _beside(bench: Bench, node: Node, atoms: tuple[Atom, ...], sign: float = 1.0) -> Iterator[Fix]:
    names = [atom.written(bench) for atom in atoms]
    factors: list[Node] = [node, *(atom.node(node.span) for atom in atoms)]
    array = any(atom.ref.array for atom in atoms)
    between = "⊙" if array else "·"
    new: Node = Product(node.span, tuple(factors), (between,) * len(atoms))
    new = Negative(node.span, new) if sign < 0 else new
    times = (" \\odot " if bench.writer.style == "latex" else " ⊙ ") if array else bench.writer.times()
    text = bench.pair.text[node.span[0] : node.span[1]].rstrip()
    bare = isinstance(node, Sum | Negative) or (array and isinstance(node, Product))
    bracketed = text.startswith(("(", "\\left(", "[")) and isinstance(node, Sum)
    inner = f"({text})" if bare and not bracketed else text
    kinds = {atom.kind for atom in atoms}
    code = "MA" if "slope" in kinds else "MW" if "w" in kinds else "XW"
    what = {"MA": "the slope of the activation function", "MW": "a weight", "XW": "a factor"}[code]
    says = f"{what} is missing: {', '.join(names)}"
    made = ("-" if sign < 0 else "") + inner + times + times.join(names)
    fix = _swapped_in(bench, node, new, made, says, code)
    if _ok(bench, fix):
        yield fix


def _lettered_left_out(bench: Bench) -> Iterator[Fix]:
    arrays = bench.pair.arrays
    atoms = lettered_atoms(bench, arrays)
    right = bench.pair.right
    places = [right, *(part for node in walk(right) if isinstance(node, Sum) for part in node.terms)]
    places += [node.body for node in walk(right) if isinstance(node, BigSum)]
    for atom in sorted(atoms, key=lambda atom: atom.kind != "slope"):
        if arrays and atom.kind not in ("slope",):
            continue
        for node in dict.fromkeys(places):
            yield from _beside(bench, node, (atom,))


def left_out_of_each(bench: Bench) -> Iterator[Fix]:
    """Factors that are missing in several terms, each of which is meant for one path."""
    if not bench.values or bench.numeric:
        return
    found = derivative_of(bench, bench.pair.left, bench.values[0])
    if found is None:
        return
    of, by = found
    depth = bench.setting.layered.depth
    cuts: list[tuple[str, int | None]] = [("a", layer) for layer in range(depth, 0, -1)]
    low = (by.layer or 0) + (0 if by.kind in ("w", "b", "z") else 1)
    high = depth if of.kind in ("C", "total") else (of.layer or 0) - 1
    paths = terms(bench, of, by, [cut for cut in cuts if low <= (cut[1] or 0) <= high])
    shape = (bench.points.many, bench.points.examples)
    paths = [path for path in paths if np.any(path.value(bench.points) != 0)]
    atoms = [atom for atom in constant_atoms(bench) if atom.kind in ("slope", "w", "a")]
    for node in outside_sums(bench.pair.right):
        if not isinstance(node, Sum) or len(node.terms) != len(paths) or len(paths) > 6:
            continue
        values = [bench.value(term, bench.values[0]) for term in node.terms]
        wanted = bench.needed(bench.pair.right, bench.pair.left, node)
        now = bench.value(bench.pair.left, bench.values[0])
        if wanted is None or now is None or any(value is None or value.ndim != 2 for value in values):
            continue
        with np.errstate(all="ignore"):
            outer = np.broadcast_to(now / wanted, shape).ravel()
        yield from _assigned(bench, node, [np.broadcast_to(v, shape).ravel() * outer for v in values if v is not None], paths, atoms)


def _assigned(bench: Bench, node: Sum, values: list[np.ndarray], paths: list, atoms: list[Atom]) -> Iterator[Fix]:  # type: ignore[type-arg]
    shape = (bench.points.many, bench.points.examples)
    free = list(range(len(paths)))
    right, changes, names = bench.pair.right, [], []
    codes: set[str] = set()
    for term, value in zip(node.terms, values, strict=True):
        for place in free:
            target = np.broadcast_to(paths[place].value(bench.points), shape).ravel()
            with np.errstate(all="ignore"):
                ratio = target / value
            match = next(iter(matches(ratio, atoms, True)), None) if np.all(np.isfinite(ratio)) else None
            if match is not None and match.factor == 1:
                break
        else:
            return
        free.remove(place)
        if match.atoms:
            texts = [atom.written(bench) for atom in match.atoms]
            names += texts
            codes |= {_CODES.get(atom.kind, "XW") for atom in match.atoms}
            new = Product(term.span, (term, *(atom.node(term.span) for atom in match.atoms)), ("·",) * len(match.atoms))
            right = replaced(right, term, new)
            end = term.span[1]
            changes.append(Change(end, end, bench.writer.times() + bench.writer.times().join(texts)))
    if not changes:
        return
    code = "MA" if codes == {"MA"} else "MW" if "MW" in codes else "XW"
    what = "weights" if code == "MW" else "factors"
    fix = Fix(bench.pair.left, right, tuple(changes), f"{what} are missing: {', '.join(names)}", code, node.span)
    if _ok(bench, fix):
        yield fix


def wrong_quantity(bench: Bench) -> Iterator[Fix]:
    """A factor in which another quantity should stand; with a slope missing beside it, both."""
    if bench.letters.free or any(_is_array(node) for node in walk(bench.pair.right)):
        yield from _lettered_quantity(bench)
        return
    atoms = [atom for atom in constant_atoms(bench) if atom.kind not in ("total", "C", "R")]
    for node, _, wanted in _needs(bench):
        if not isinstance(node, Symbol | Derivative | Call):
            continue
        for match in matches(wanted, atoms, True):
            if not match.atoms or (match.factor < 0 and len(match.atoms) > 1):
                continue
            ordered = sorted(match.atoms, key=lambda atom: atom.kind == "slope")
            names = [atom.written(bench) for atom in ordered]
            nodes = tuple(atom.node(node.span) for atom in ordered)
            new: Node = nodes[0] if len(nodes) == 1 else Product(node.span, nodes, ("·",) * (len(nodes) - 1))
            new = Negative(node.span, new) if match.factor < 0 else new
            text = bench.writer.times().join(names)
            text = f"(-{text})" if match.factor < 0 else text
            says = f"{_shown(bench, node)} stands where {names[0]} should"
            code = "MA" if ordered[0].kind == "slope" else "XW"
            if len(ordered) > 1:
                code = "XW MA" if ordered[1].kind == "slope" else "XW"
                says += f", and {names[1]} is missing"
            fix = _swapped_in(bench, node, new, text, says, code)
            if _ok(bench, fix):
                yield fix


def _lettered_quantity(bench: Bench) -> Iterator[Fix]:
    arrays = bench.pair.arrays
    for node in walk(bench.pair.right):
        ref = _ref(node)
        if ref is None or not isinstance(node, Symbol) or ref.array != arrays:
            continue
        for atom in lettered_atoms(bench, arrays):
            if atom.ref == ref or atom.kind == "slope":
                continue
            text = atom.written(bench)
            says = f"{_shown(bench, node)} stands where {text} should"
            code = "WI" if atom.ref.kind == ref.kind else "XW"
            fix = _swapped_in(bench, node, atom.node(node.span), text, says, code)
            if _ok(bench, fix):
                yield fix


def function_for_slope(bench: Bench) -> Iterator[Fix]:
    """The activation function where its slope belongs, or the reverse."""
    for node in walk(bench.pair.right):
        if not isinstance(node, Call) or (node.function.name and node.function.name not in ("sigmoid", "tanh", "relu")):
            continue
        text = _shown(bench, node)
        opened = text.find("(")
        if opened <= 0 or node.function.primes > 1:
            continue
        primes = 1 - node.function.primes
        head = text[:opened]
        for mark in ("'", "^{\\prime}", "^\\prime", "\\prime", "′"):
            head = head.replace(mark, "")
        head += "'" if primes else ""
        new = Call(node.span, node.function._replace(primes=primes), node.arguments, node.options)
        right, wrong = ("slope", "value") if primes else ("value", "slope")
        says = f"{text} is the {wrong} of the function where its {right} belongs"
        fix = _swapped_in(bench, node, new, head + text[opened:], says)
        if _ok(bench, fix):
            yield fix


def wrong_argument(bench: Bench) -> Iterator[Fix]:
    """A function, or its slope, taken at the wrong place."""
    constants = [] if bench.letters.free else constant_atoms(bench)
    atoms = constants if constants and not bench.pair.arrays else lettered_atoms(bench, bench.pair.arrays)
    for node in walk(bench.pair.right):
        if not isinstance(node, Call) or len(node.arguments) != 1:
            continue
        for atom in atoms:
            if atom.kind not in ("z", "a"):
                continue
            text = atom.written(bench)
            argument = node.arguments[0]
            new_argument = atom.node(argument.span)
            says = f"{_shown(bench, node)} is taken at the wrong place: at {text} it would be right"
            fix = _swapped_in(bench, argument, new_argument, text, says, "AA")
            if argument.span[0] == argument.span[1] or argument.span == node.span:
                continue
            if bench.pair.text[argument.span[0]] in "([" and isinstance(argument, Symbol):
                fix = fix._replace(changes=(Change(argument.span[0], argument.span[1], f"({text})"),))
            if _ok(bench, fix):
                yield fix
            elif constants and isinstance(stands_for(argument), Symbol):
                inner = Bench(bench.pair._replace(right=fix.right), bench.outcome)
                for second in left_out(inner):
                    yield fix._replace(right=second.right, changes=(*fix.changes, *_after(second, fix)), says=f"{_shown(bench, node)} is taken at the wrong place; {second.says}")
                    break


def _after(second: Fix, first: Fix) -> tuple[Change, ...]:
    """Returns the second fix as an insertion, so that both can be made in one text."""
    change = second.changes[0]
    inserted = first.changes[0]
    text = change.text
    cut = text.rfind(" ")
    if change.start <= inserted.start and change.end >= inserted.end:
        opened = text.startswith("(")
        before = (Change(change.start, change.start, "("),) if opened else ()
        tail = text[text.rfind(")", 0, cut) if opened and ")" in text[:cut] else cut :]
        return (*before, Change(change.end, change.end, tail))
    return (change,)


def wrong_argument_alone(bench: Bench) -> Iterator[Fix]:
    """A function taken at the wrong place, and nothing else wrong."""
    for fix in wrong_argument(bench):
        if len(fix.changes) == 1:
            yield fix


def too_many(bench: Bench) -> Iterator[Fix]:
    """A factor that doesn't belong there: a slope twice, a weight too many."""
    for product in [node for node in walk(bench.pair.right) if isinstance(node, Product)]:
        for place, factor in enumerate(product.factors):
            factors = product.factors[:place] + product.factors[place + 1 :]
            gone = max(place - 1, 0)
            signs = product.signs[:gone] + product.signs[gone + 1 :]
            if place < len(product.signs) and "/" in (product.signs[place], product.signs[max(place - 1, 0)]):
                continue
            new: Node = factors[0] if len(factors) == 1 else Product(product.span, factors, signs)
            start = product.factors[place - 1].span[1] if place else factor.span[0]
            end = factor.span[1] if place else product.factors[1].span[0]
            twice = sum(_shown(bench, other) == _shown(bench, factor) for other in product.factors) > 1
            says = f"{_shown(bench, factor)} {'stands there twice' if twice else 'does not belong there'}"
            change = Change(start, end, "")
            fix = Fix(bench.pair.left, replaced(bench.pair.right, product, new), (change,), says, "DC" if twice else "SP", factor.span, (), (_shown(bench, factor),))
            if isinstance(factor, Number):
                continue
            if _ok(bench, fix):
                yield fix


def through_a_weight(bench: Bench) -> Iterator[Fix]:
    """A chain that goes through a weight, which depends on nothing."""
    right, changes, shown = bench.pair.right, [], []
    for product in [node for node in walk(right) if isinstance(node, Product)]:
        factors = list(product.factors)
        for first in [factor for factor in factors if isinstance(factor, Derivative)]:
            ref = _ref(first.of)
            if ref is None or ref.kind not in ("w", "b"):
                continue
            second = next((other for other in factors if isinstance(other, Derivative) and other is not first and _ref(other.by) == ref), None)
            if second is None:
                continue
            joined = Derivative(second.span, second.of, first.by)
            text = bench.writer.derivative(_shown(bench, second.of), _shown(bench, first.by))
            factors[factors.index(second)] = joined
            factors.remove(first)
            changes += [Change(second.span[0], second.span[1], text), Change(first.span[0], first.span[1], "")]
            shown.append(_shown(bench, first))
        if len(factors) < len(product.factors):
            made: Node = factors[0] if len(factors) == 1 else Product(product.span, tuple(factors), ("",) * (len(factors) - 1))
            right = replaced(right, product, made)
    if not changes:
        return
    says = f"{', '.join(shown)} is 0: a weight depends on nothing, so the chain can't go through it"
    fix = Fix(bench.pair.left, right, tuple(changes), says, "TI", bench.pair.right.span)
    if _ok(bench, fix):
        yield fix


def old_or_new(bench: Bench) -> Iterator[Fix]:
    """Weights after the step where those before it belong."""
    right, changes, shown = bench.pair.right, [], []
    own = bench.setting.own
    for node in walk(bench.pair.right):
        if isinstance(node, Updated) and not node.change:
            right = replaced(right, node, node.of)
            changes.append(Change(node.span[0], node.span[1], _shown(bench, node.of)))
            shown.append(_shown(bench, node))
        if isinstance(node, Number) and "." in node.text and bench.setting.given:
            for layer, weights in enumerate(own.weights, 1):
                step = own.rate[:, :, None] * np.einsum("pet,pes->pts", own.by_array("C", 0, "z", layer).sum(axis=2) * own.share, own.a(layer - 1))
                near = np.argwhere(np.abs((weights - step)[0] - node.value) <= 0.51 * 10.0**-node.decimals)
                if len(near) == 1 and node.digits > 3:
                    ref = constant_ref(Quantity("w", layer, int(near[0][0]), int(near[0][1])))
                    text = bench.writer.ref(ref)
                    right = replaced(right, node, Symbol(node.span, text, (ref,)))
                    changes.append(Change(node.span[0], node.span[1], text))
                    shown.append(node.text)
    if not changes:
        return
    says = f"{', '.join(shown)} are weights after the step: all derivatives are taken before any weight moves"
    fix = Fix(bench.pair.left, right, tuple(changes), says, "UO", bench.pair.right.span)
    if _ok(bench, fix):
        yield fix


# Whole arrays


def wrong_product(bench: Bench) -> Iterator[Fix]:
    """A matrix product where an elementwise one belongs, or the reverse."""
    if not bench.pair.arrays:
        return
    for product in [node for node in walk(bench.pair.right) if isinstance(node, Product)]:
        for place, sign in enumerate(product.signs):
            elementwise = sign in ("⊙", "*")
            if sign == "/":
                continue
            signs = (*product.signs[:place], "@" if elementwise else "⊙", *product.signs[place + 1 :])
            one, other = product.factors[place : place + 2]
            new = Product(product.span, product.factors, signs)
            latex = bench.writer.style == "latex"
            ng = bench.setting.vocabulary.notation.name == "ng" or bench.setting.vocabulary.code
            mark = " " if elementwise else " * " if ng else " \\odot " if latex else " ⊙ "
            says = f"the product with {_shown(bench, other)} should be {'a matrix product' if elementwise else 'elementwise'}"
            change = Change(one.span[1], other.span[0], mark)
            right = replaced(bench.pair.right, product, new)
            fix = Fix(bench.pair.left, right, (change,), says, "EW", product.span)
            if _ok(bench, fix):
                yield fix


def transposed(bench: Bench) -> Iterator[Fix]:
    """A transpose that is missing or too many, or factors in the wrong order."""
    if not bench.pair.arrays:
        return
    latex = bench.writer.style == "latex" and not bench.setting.vocabulary.code
    right = bench.pair.right
    for node in walk(right):
        if isinstance(node, Transposed):
            says = f"{_shown(bench, node)} should not be transposed"
            fix = _swapped_in(bench, node, node.of, _shown(bench, node.of), says)
            if _ok(bench, fix):
                yield fix
        elif _is_array(node) or isinstance(node, Product | Call):
            text = _shown(bench, node)
            symbol = isinstance(node, Symbol)
            raised = (f"{{{text}}}^T" if symbol else f"({text})^T") if latex else (f"{text}.T" if symbol else f"({text}).T")
            says = f"{text} should be transposed"
            fix = _swapped_in(bench, node, Transposed(node.span, node), raised, says)
            if _ok(bench, fix):
                yield fix
        if isinstance(node, Product) and len(node.factors) == 2:
            one, other = node.factors
            for turned in ((other, one), (Transposed(other.span, other), Transposed(one.span, one))):
                new = Product(node.span, turned, node.signs)
                texts = [_turned(bench, part, latex) for part in turned]
                between = bench.pair.text[one.span[1] : other.span[0]]
                says = f"the factors of {_shown(bench, node)} stand in the wrong order"
                fix = _swapped_in(bench, node, new, texts[0] + (between or " ") + texts[1], says)
                if _ok(bench, fix):
                    yield fix


def _turned(bench: Bench, node: Node, latex: bool) -> str:
    if not isinstance(node, Transposed) or parts(node)[0].span != node.span:
        return _shown(bench, node)
    inner = _shown(bench, node.of)
    return f"{{{inner}}}^T" if latex else f"{inner}.T"


def missing_costs(bench: Bench) -> Iterator[Fix]:
    """Costs of other outputs that are left out of a derivative of the total."""
    now = bench.value(bench.pair.right, bench.values[0]) if bench.values else None
    if now is None or not np.any(now != 0):
        return
    for fix in missing_terms(bench):
        if fix.code == "MC" and not fix.surplus:
            yield fix


def for_some(bench: Bench) -> Iterator[Fix]:
    """A general claim that is true for some values of its letters only."""
    if not bench.failing or len(bench.failing) == len(bench.values):
        return
    first = bench.setting.vocabulary.neurons_start()
    shown = ", ".join(f"{letter} = {number + first}" for letter, number in sorted(bench.failing[0].items()) if letter not in bench.letters.layer_letters)
    yield Fix(bench.pair.left, bench.pair.right, (), f"it is true for some indices only, and not for {shown}", "CL", bench.pair.right.span)


TABLE: tuple[Cause, ...] = (
    Cause("MC", "costs missing", missing_costs),
    Cause("MP", "the sum over paths missing", missing_sum),
    Cause("TI", "a chain through something independent", through_a_weight),
    Cause("WC", "a wrong cost's index", wrong_cost),
    Cause("SG", "a wrong sign", wrong_sign),
    Cause("UO", "weights after the step", old_or_new),
    Cause("NC", "an index that means two things", clashing_letter),
    Cause("TR", "indices swapped", swapped_letters),
    Cause("WI", "a wrong neuron or layer", wrong_index),
    Cause("TR", "transposed", transposed),
    Cause("EW", "a matrix product for an elementwise one, or the reverse", wrong_product),
    Cause("SP", "wrong terms", wrong_terms),
    Cause("SC", "a constant factor", wrong_factor),
    Cause("MP", "paths missing", missing_terms),
    Cause("MA", "the function where its slope belongs", function_for_slope),
    Cause("AA", "a wrong argument", wrong_argument_alone),
    Cause("MA", "a slope or a weight missing", left_out),
    Cause("MW", "factors missing in several terms", left_out_of_each),
    Cause("XW", "a wrong quantity", wrong_quantity),
    Cause("AA", "a wrong argument", wrong_argument),
    Cause("SP", "a factor too many", too_many),
    Cause("CL", "right for some indices only", for_some),
)
"""In the order in which they are tried."""
