"""The letters in an equation: which are free, and over which values they run."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import product
from typing import NamedTuple

import numpy as np

from whygrad.equation.tree import (
    BigSum,
    Bound,
    Call,
    Index,
    Kronecker,
    Meaning,
    Node,
    Number,
    Ref,
    Size,
    Stands,
    Sum,
    Symbol,
    parts,
)
from whygrad.equation.vocabulary import Vocabulary
from whygrad.errors import EquationError
from whygrad.notation import Layout

MOST_ASSIGNMENTS = 48
_LOWEST = {"w": 1, "b": 1, "z": 1, "delta": 1, "a": 0}


class Use(NamedTuple):
    """A quantity in a tree, and the letters that sums around it bind."""

    meaning: Meaning
    bound: frozenset[str]


class Letters:
    """The letters of one node.

    Args:
        node: The node.
        vocabulary: Says what names mean.
        lacking: The letters that the left side has; a sum without an index runs over the others.
        choices: Which meaning a symbol has, where there are several.
    """

    def __init__(
        self,
        node: Node,
        vocabulary: Vocabulary,
        lacking: frozenset[str],
        choices: dict[object, int] | None = None,
    ) -> None:
        self.node = node
        self.vocabulary = vocabulary
        self.lacking = lacking
        self.choices = choices or {}

    @cached_property
    def uses(self) -> list[Use]:
        """Every quantity below the node."""
        found: list[Use] = []
        self._gather(self.node, frozenset(), found)
        return found

    def _gather(self, node: Node, bound: frozenset[str], found: list[Use]) -> None:
        if isinstance(node, Symbol):
            meaning = node.meanings[self.choices.get(node, 0)]
            if isinstance(meaning, Stands):
                self._gather(meaning.tree, bound, found)
            else:
                found.append(Use(meaning, bound))
            return
        if isinstance(node, Call) and node.function.layer is not None:
            found.append(Use(Size(node.function.layer), bound))
        if isinstance(node, BigSum):
            left_out = [limit.without for limit in node.bounds if limit.without is not None]
            found += [Use(Kronecker(index, index), bound) for index in left_out]
            bound = bound | frozenset(bound_letters(node, self.vocabulary, self.lacking, self.choices))
        for part in parts(node):
            self._gather(part, bound, found)

    @cached_property
    def free(self) -> frozenset[str]:
        """The letters that no sum binds."""
        found: set[str] = set()
        for use in self.uses:
            found |= {index.letter for index in _indices(use.meaning) if index.letter} - use.bound
            if isinstance(use.meaning, Ref):
                tied = self.vocabulary.tied(use.meaning)
                if tied is not None:
                    found.add("@")
        return frozenset(found)

    @cached_property
    def inside(self) -> "Letters":
        """The letters of what a sum adds up, where the node is a sum."""
        body = self.node.body if isinstance(self.node, BigSum) else self.node
        return Letters(body, self.vocabulary, self.lacking, self.choices)

    @cached_property
    def bound(self) -> tuple[str, ...]:
        """The letters that the node binds, where it is a sum."""
        if not isinstance(self.node, BigSum):
            return ()
        return bound_letters(self.node, self.vocabulary, self.lacking, self.choices)

    @cached_property
    def layer_letters(self) -> frozenset[str]:
        """The letters that stand for layers."""
        found: set[str] = {"@"} if "@" in self.free else set()
        for use in self.uses:
            layer = getattr(use.meaning, "layer", None)
            if layer is not None and layer.letter:
                found.add(layer.letter)
        return frozenset(found)


def _indices(meaning: Meaning) -> list[Index]:
    match meaning:
        case Ref():
            return [
                index
                for index in (meaning.layer, meaning.to, meaning.source, meaning.example)
                if index is not None
            ]
        case Size(layer):
            return [layer]
        case Kronecker(first, second):
            return [first, second]
    return []


def bound_letters(
    node: BigSum, vocabulary: Vocabulary, lacking: frozenset[str], choices: dict[object, int]
) -> tuple[str, ...]:
    """Returns the letters that a sum runs over."""
    inside = Letters(node.body, vocabulary, lacking, choices).free
    if not node.bounds:
        return tuple(sorted(inside - lacking - {"@"}))
    found = []
    for bound in node.bounds:
        found.append(bound.letter)
        if f"({bound.letter})" in inside:
            found.append(f"({bound.letter})")
    return tuple(found)


def layer_exists(kind: str, layer: int, depth: int) -> bool:
    """Returns whether a layer has quantities of a kind."""
    return _LOWEST.get(kind, 0) <= layer <= depth


def assignments(
    letters: Letters, wanted: tuple[str, ...], fixed: dict[str, int], layout: Layout, examples: int
) -> Iterator[dict[str, int]]:
    """Yields the values of some letters for which everything below a node exists; the others are fixed."""
    layers = [letter for letter in wanted if letter in letters.layer_letters]
    others = [letter for letter in wanted if letter not in letters.layer_letters]
    for chosen in product(range(-1, layout.depth + 2), repeat=len(layers)):
        values = fixed | dict(zip(layers, chosen, strict=True))
        if not _layers_fit(letters, values, layout) or not 1 <= values.get("@", 1) <= max(
            layout.depth - 1, 1
        ):
            continue
        ranges = [_range(letters, letter, values, layout, examples) for letter in others]
        if any(len(found) == 0 for found in ranges):
            continue
        for places in _some(ranges):
            yield values | dict(zip(others, places, strict=True))


def _layers_fit(letters: Letters, values: dict[str, int], layout: Layout) -> bool:
    for use in letters.uses:
        meaning = use.meaning
        layer = getattr(meaning, "layer", None)
        if isinstance(meaning, Ref):
            tied = letters.vocabulary.tied(meaning)
            if tied is not None and "@" in values and tied[0].at(values) != tied[1]:
                return False
        if layer is None or not layer.letter or layer.letter in use.bound or layer.letter not in values:
            continue
        kind = meaning.kind if isinstance(meaning, Ref) else "a"
        if not layer_exists(kind, layer.at(values), layout.depth):
            return False
    return True


def _range(letters: Letters, letter: str, values: dict[str, int], layout: Layout, examples: int) -> range:
    low, high = 0, max(*layout.sizes, examples)
    for use in letters.uses:
        if letter in use.bound or not isinstance(use.meaning, Ref):
            continue
        ref = use.meaning
        for index, size in _sizes(ref, values, layout, examples):
            if index is not None and index.letter == letter:
                low, high = max(low, -index.offset), min(high, size - index.offset)
    return range(low, max(low, high))


def _sizes(
    ref: Ref, values: dict[str, int], layout: Layout, examples: int
) -> Iterator[tuple[Index | None, int]]:
    """Yields the neuron's indices of a quantity, each with the number of neurons that it counts."""
    yield ref.example, examples
    if ref.layer is None:
        yield ref.to, layout.sizes[-1]
        return
    if ref.layer.letter and ref.layer.letter not in values:
        return
    layer = ref.layer.at(values)
    if 0 <= layer <= layout.depth:
        yield ref.to, layout.sizes[layer]
    if 1 <= layer <= layout.depth:
        yield ref.source, layout.sizes[layer - 1]


def _some(ranges: list[range]) -> Iterator[tuple[int, ...]]:
    """Yields all combinations, or where there are too many the corners and some drawn ones."""
    many = int(np.prod([float(len(found)) for found in ranges])) if ranges else 1
    if many <= MOST_ASSIGNMENTS:
        yield from product(*ranges)
        return
    generator = np.random.default_rng(7)
    seen = {tuple(found[0] for found in ranges), tuple(found[-1] for found in ranges)}
    for _ in range(MOST_ASSIGNMENTS - 2):
        seen.add(tuple(int(generator.integers(found.start, found.stop)) for found in ranges))
    yield from sorted(seen)


def sum_range(
    node: BigSum, letters: Letters, fixed: dict[str, int], layout: Layout, examples: int, number: "NumberAt"
) -> Iterator[dict[str, int]]:
    """Yields the values that the letters of a sum take, all of them."""
    names = letters.bound
    if not names:
        raise EquationError("it can't be told what this sum runs over", *number.place(node))
    inside, vocabulary = letters.inside, letters.vocabulary
    layers = [name for name in names if name in inside.layer_letters]
    bounds = {bound.letter: bound for bound in node.bounds}
    for chosen in product(range(-1, layout.depth + 2), repeat=len(layers)):
        values = fixed | dict(zip(layers, chosen, strict=True))
        if not _layers_fit(inside, values, layout):
            continue
        kept: dict[str, range] = {}
        for name in names:
            bound, example = bounds.get(name.strip("()")), name.startswith("(")
            if name in layers:
                layer = values[name]
                within = _bounded(range(layer, layer + 1), bound, vocabulary.layers_start(), values, number)
                kept[name] = range(layer, layer + (layer in within))
                continue
            start = 1 if example else vocabulary.neurons_start()
            span = _span(inside, names, name, values, layout, examples)
            within = _bounded(span, bound, start, values, number)
            # Whether examples count from 0 or from 1, all of them are meant.
            kept[name] = range(max(within.start, 0), within.stop) if example else within
        if sum(len(span) for span in kept.values()) > 4_000_000:
            raise EquationError("this sum has too many terms", *number.place(node))
        for places in product(*kept.values()):
            found = values | dict(zip(kept, places, strict=True))
            if all(
                bound.without is None or found[bound.letter] != bound.without.at(found)
                for bound in node.bounds
            ):
                yield found


def _span(
    inside: Letters, names: Sequence[str], name: str, values: dict[str, int], layout: Layout, examples: int
) -> range:
    """Returns what a letter of a sum runs over where its bounds say nothing."""
    if name.startswith("(") and name.strip("()") in names:
        return range(examples)
    if inside.free and name not in inside.free and f"({name})" in names:
        return range(1)
    return _range(inside, name, values, layout, examples)


def _bounded(
    span: range, bound: Bound | None, start: int, values: dict[str, int], number: "NumberAt"
) -> range:
    """Returns what a letter runs over, counted from 0, where its bounds count from ``start``."""
    low, high = span.start, span.stop
    if bound is not None and bound.lower is not None:
        low = number(bound.lower, values) - start
    if bound is not None and bound.upper is not None:
        high = number(bound.upper, values) - start + 1
    return range(low, max(low, high))


class NumberAt:
    """Says which whole number a bound of a sum is."""

    def __init__(self, text: str, layout: Layout) -> None:
        self.text = text
        self.layout = layout

    def place(self, node: Node) -> tuple[str, int]:
        """Returns the text and where in it a node stands."""
        return self.text, node.span[0]

    def __call__(self, node: Node, values: dict[str, int]) -> int:
        """Returns the number."""
        match node:
            case Number():
                return int(node.value)
            case Symbol(_, _, (Size(layer),)):
                place = layer.at(values)
                if not 0 <= place <= self.layout.depth:
                    raise EquationError("the network has no such layer", self.text, node.span[0])
                return self.layout.sizes[place]
            case Sum(_, terms):
                return sum(self._signed(term, values) for term in terms)
        raise EquationError("this bound can't be read", self.text, node.span[0])

    def _signed(self, node: Node, values: dict[str, int]) -> int:
        inside = parts(node)
        return -self(inside[0], values) if inside and not isinstance(node, Sum) else self(node, values)
