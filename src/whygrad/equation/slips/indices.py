"""Slips in indices: a wrong cost, neuron or layer, swapped letters, a sum that is missing."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

from whygrad.equation.atoms import letters_of
from whygrad.equation.indices import Letters
from whygrad.equation.slips.common import as_written, holds_with, ref_of, swapped_in
from whygrad.equation.tree import (
    BigSum,
    Bound,
    Index,
    Negative,
    Node,
    Product,
    Ref,
    Sum,
    Symbol,
    replaced,
    walk,
)
from whygrad.equation.trial import Change, Fix, Trial
from whygrad.equation.vocabulary import constant_ref, quantity_of
from whygrad.notation import Quantity

# So many numbers are tried for one index.
MOST_TRIED = 12


def other_indices(
    trial: Trial, side: Node, kinds: tuple[str, ...] = ("C", "total", "w", "b", "z", "a", "y", "delta")
) -> Iterator[tuple[Symbol, Ref]]:
    """Yields the symbols of some kinds in a side, each with other indices; quantities that don't exist are left out."""
    for node, ref in _changed_indices(trial, side, kinds):
        if _exists(trial, ref):
            yield node, ref


def _changed_indices(trial: Trial, side: Node, kinds: tuple[str, ...]) -> Iterator[tuple[Symbol, Ref]]:
    sizes = trial.setting.vocabulary.layout.sizes
    letters = sorted(letter for letter in trial.letters.free if letter != "@" and letter[0] != "(")
    for node in walk(trial.pair.right):
        if isinstance(node, BigSum):
            letters += [bound.letter for bound in node.bounds if bound.letter not in letters]
    for node in walk(side):
        ref = ref_of(node)
        if ref is None or not isinstance(node, Symbol) or ref.kind not in kinds:
            continue
        if ref.kind == "total" and ref.example is not None:
            continue
        for changed in _others(ref, sizes, letters):
            yield node, changed


def _others(ref: Ref, sizes: Sequence[int], letters: Sequence[str]) -> Iterator[Ref]:
    """Yields a reference with other indices."""
    if ref.array:
        if ref.layer is not None:
            for step in (-1, 1):
                yield ref._replace(layer=ref.layer._replace(offset=ref.layer.offset + step))
        return
    if ref.kind in ("C", "total"):
        for k in range(sizes[-1]):
            yield constant_ref(Quantity("C", None, k))
        for letter in letters:
            yield Ref("C", None, Index(letter, 0))
        yield constant_ref(Quantity("total"))
        return
    if ref.source is not None and ref.to is not None:
        yield ref._replace(to=ref.source, source=ref.to)
    for slot in ("to", "source", "layer"):
        index: Index | None = getattr(ref, slot)
        if index is None:
            continue
        if index.letter is None:
            last = min(_how_many(ref, slot, sizes), MOST_TRIED)
            options = [Index(None, number) for number in range(last) if number != index.offset]
        else:
            options = [index._replace(offset=index.offset + step) for step in (-1, 1)]
        options += [Index(letter, 0) for letter in letters if letter != index.letter]
        for option in options:
            yield _with(ref, slot, option)


def _how_many(ref: Ref, slot: str, sizes: Sequence[int]) -> int:
    """Returns how many numbers one of a reference's indices can be: layers, or neurons of the layer."""
    if slot == "layer":
        return len(sizes)
    layer = len(sizes) - 1
    if ref.layer is not None and ref.layer.letter is None:
        layer = ref.layer.offset
    layer -= slot == "source"
    return sizes[layer] if 0 <= layer < len(sizes) else 0


def _with(ref: Ref, slot: str, index: Index) -> Ref:
    """Returns a reference with another index in one of its places."""
    changed: Any = {slot: index}
    return ref._replace(**changed)


def _exists(trial: Trial, ref: Ref) -> bool:
    from whygrad.notation.quantity import exists

    if ref.array or ref.lettered:
        return True
    return exists(quantity_of(ref, {}), trial.setting.vocabulary.layout)


def _index(trial: Trial, kinds: tuple[str, ...], what: str, code: str) -> Iterator[Fix]:
    for node, ref in other_indices(trial, trial.pair.right, kinds):
        if ref == ref_of(node):
            continue
        text = trial.writer.ref(ref)
        old = ref_of(node)
        own = (
            isinstance(node, Symbol)
            and bool(trial.setting.vocabulary.own(node.text))
            and not letters_of(trial, node)
        )
        turned = (
            not own
            and old is not None
            and old.source is not None
            and (old.to, old.source) == (ref.source, ref.to)
        )
        says = (
            f"{as_written(trial, node)} has {'its indices swapped' if turned else what}: it should be {text}"
        )
        fix = swapped_in(trial, node, Symbol(node.span, text, (ref,)), text, says, "TR" if turned else code)
        if holds_with(trial, fix):
            yield fix


def wrong_cost(trial: Trial) -> Iterator[Fix]:
    """A cost with another's number."""
    yield from _index(trial, ("C", "total"), "the wrong cost's index", "WC")


def wrong_index(trial: Trial) -> Iterator[Fix]:
    """A neuron's or a layer's index that is another's; swapped indices of a weight."""
    yield from _index(trial, ("w", "b", "z", "a", "y", "delta"), "a wrong index", "WI")


def swapped_letters(trial: Trial) -> Iterator[Fix]:
    """Two letters that stand in each other's place."""
    symbols = [
        node for node in walk(trial.pair.right) if isinstance(node, Symbol) and ref_of(node) is not None
    ]
    own = {ref_of(node) for node in walk(trial.pair.left)}
    symbols = [node for node in symbols if ref_of(node) not in own]
    letters = sorted(
        letter for letter in trial.letters.free if letter != "@" and letter not in trial.letters.layer_letters
    )
    for one, other in combinations(letters, 2):
        other_of = {one: other, other: one}
        right, changes = trial.pair.right, []
        for node in symbols:
            ref = ref_of(node)
            assert ref is not None
            new = ref
            for slot in ("to", "source"):
                index: Index | None = getattr(ref, slot)
                if index is not None and index.letter in other_of:
                    new = _with(new, slot, index._replace(letter=other_of[index.letter]))
            if new != ref:
                text = trial.writer.ref(new)
                right = replaced(right, node, Symbol(node.span, text, (new,)))
                changes.append(Change(node.span[0], node.span[1], text))
        says = f"the indices {one} and {other} stand in each other's place"
        fix = Fix(trial.pair.left, right, tuple(changes), says, "TR", trial.pair.right.span)
        if changes and holds_with(trial, fix):
            yield fix


def missing_sum(trial: Trial) -> Iterator[Fix]:
    """A letter that only the right side has: it, or a term of it, should be summed over."""
    right = trial.pair.right
    settings = (trial.setting.vocabulary, trial.pair.lacking, trial.outcome.choices)
    letters, left = Letters(right, *settings), Letters(trial.pair.left, *settings)
    for letter in sorted(letters.free - left.free - {"@"} - letters.layer_letters):
        terms = [right, *(right.terms if isinstance(right, Sum) else ())]
        terms += [factor for node in terms if isinstance(node, Product) for factor in node.factors]
        for term in terms:
            inside = term.of if isinstance(term, Negative) else term
            if letter not in Letters(inside, *settings).free:
                continue
            new = BigSum(inside.span, (Bound(letter),), inside)
            bare = letter.strip("()")
            sign = f"\\sum_{{{bare}}} " if trial.writer.style == "latex" else f"Σ_{bare} "
            written = as_written(trial, inside)
            written = f"({written})" if isinstance(inside, Sum) and not written.startswith("(") else written
            fix = swapped_in(trial, inside, new, sign + written, f"the sum over {bare} is missing")
            if trial.holds(fix.left, fix.right):
                yield fix


def wrong_bounds(trial: Trial) -> Iterator[Fix]:
    """A sum that starts too late or ends too early."""
    for node in walk(trial.pair.right):
        if not isinstance(node, BigSum) or not any(bound.lower or bound.upper for bound in node.bounds):
            continue
        letters = ", ".join(bound.letter for bound in node.bounds)
        free = BigSum(
            node.span, tuple(Bound(bound.letter, without=bound.without) for bound in node.bounds), node.body
        )
        sign = f"\\sum_{{{letters}}} " if trial.writer.style == "latex" else f"Σ_{letters} "
        says = f"the sum over {letters} leaves terms out, or has too many: it runs over all of them"
        fix = swapped_in(trial, node, free, sign + as_written(trial, node.body), says)
        if holds_with(trial, fix):
            yield fix


def clashing_letter(trial: Trial) -> Iterator[Fix]:
    """A letter of the left side that is not the one that the right side leaves free."""
    bound = {
        letter
        for node in walk(trial.pair.right)
        if isinstance(node, BigSum)
        for letter in _bound(trial, node)
    }
    everywhere = {
        index
        for use in trial.letters.uses
        if isinstance(use.meaning, Ref)
        for index in (use.meaning.to, use.meaning.source)
    }
    letters = {index.letter for index in everywhere if index is not None and index.letter} | bound
    for node in walk(trial.pair.left):
        ref = ref_of(node)
        if ref is None or not isinstance(node, Symbol) or ref.to is None or ref.to.letter is None:
            continue
        for letter in sorted(letters - {ref.to.letter}):
            new = ref._replace(to=Index(letter, 0))
            text = trial.writer.ref(new)
            left = replaced(trial.pair.left, node, Symbol(node.span, text, (new,)))
            lacking = (trial.pair.lacking - {ref.to.letter}) | {letter}
            other = Trial(trial.pair._replace(left=left, lacking=lacking), trial.outcome)
            if other.values and other.holds(left, trial.pair.right):
                says = f"the index {ref.to.letter} of the left side is also summed over; {letter} is the free one"
                yield Fix(
                    left, trial.pair.right, (Change(node.span[0], node.span[1], text),), says, "NC", node.span
                )


def _bound(trial: Trial, node: BigSum) -> tuple[str, ...]:
    from whygrad.equation.indices import bound_letters

    return bound_letters(node, trial.setting.vocabulary, trial.pair.lacking, {})
