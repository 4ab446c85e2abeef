"""Equations made at random, right and wrong ones: the verdict against PyTorch's derivatives.

The test makes the equation and what it is worth from one tree of its own, so nothing of the reader, the evaluator or
the points is used to say what is true.
"""

import random
from collections.abc import Iterator
from typing import NamedTuple

import pytest

import whygrad as wg
from whygrad.equation import check

torch = pytest.importorskip("torch")

SHAPES = [([2, 3, 2], True), ([2, 2, 3, 2], False), ([1, 2, 2, 1], True)]
FUNCTIONS = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "identity": lambda z: z}
PLACES = 4


class Place:
    """One network with random parameters and data, in PyTorch."""

    def __init__(self, sizes: list[int], activation: str, bias: bool, cost: str, seed: int) -> None:
        draw = torch.Generator().manual_seed(seed)

        def number() -> "torch.Tensor":
            size = 0.3 + torch.rand((), generator=draw, dtype=torch.float64)
            sign = 1.0 if float(torch.rand((), generator=draw)) < 0.7 else -1.0
            return (sign * size).requires_grad_()

        self.known: dict[str, torch.Tensor] = {}
        for unit in range(sizes[0]):
            self.known[f"a^{unit}_0"] = number()
        for layer in range(1, len(sizes)):
            for to in range(sizes[layer]):
                z = number() if bias else torch.zeros((), dtype=torch.float64)
                if bias:
                    self.known[f"b^{to}_{layer}"] = z
                for source in range(sizes[layer - 1]):
                    weight = self.known[f"w^{source}_{{{to},{layer}}}"] = number()
                    z = z + weight * self.known[f"a^{source}_{layer - 1}"]
                self.known[f"z^{to}_{layer}"] = z
                self.known[f"a^{to}_{layer}"] = FUNCTIONS[activation](z)
        half = 0.5 if cost.startswith("half") else 1.0
        total = torch.zeros((), dtype=torch.float64)
        for unit in range(sizes[-1]):
            target = self.known[f"y^{unit}"] = number()
            gap = self.known[f"a^{unit}_{len(sizes) - 1}"] - target
            self.known[f"C^{unit}"] = half * gap * gap
            total = total + self.known[f"C^{unit}"]
        self.known["\\sum C"] = total

    def derivative(self, of: str, by: str) -> float:
        """Returns a derivative over all paths."""
        source = self.known[of]
        if not source.requires_grad or source.grad_fn is None:
            return float(of == by)
        (found,) = torch.autograd.grad(source, self.known[by], retain_graph=True, allow_unused=True)
        return 0.0 if found is None else float(found)


class Part(NamedTuple):
    """A derivative, a quantity, or a slope: how it is written."""

    kind: str
    of: str
    by: str = ""

    def written(self) -> str:
        """Returns LaTeX."""
        if self.kind == "derivative":
            return f"\\frac{{\\partial {self.of}}}{{\\partial {self.by}}}"
        return f"\\sigma'({self.of})" if self.kind == "slope" else self.of

    def value(self, place: Place) -> float:
        """Returns what it is worth."""
        if self.kind == "derivative":
            return place.derivative(self.of, self.by)
        if self.kind == "slope":
            return place.derivative(self.of.replace("z", "a"), self.of)
        return float(place.known[self.of].detach())


Term = tuple[int, tuple[Part, ...]]


def right_side(random_: random.Random, sizes: list[int], of: str, layer: int, by: str) -> list[Term]:
    """Returns the derivative of a cost or output by a quantity below, cut at a layer's activations."""
    terms = []
    for unit in range(sizes[layer]):
        middle = f"a^{unit}_{layer}"
        parts = [Part("derivative", of, middle)]
        explicit = by.startswith("a") and int(by[-1]) == layer - 1 and random_.random() < 0.5
        if explicit:
            source = by[2]
            parts += [Part("slope", f"z^{unit}_{layer}"), Part("quantity", f"w^{source}_{{{unit},{layer}}}")]
        else:
            parts.append(Part("derivative", middle, by))
        terms.append((1, tuple(parts)))
    return terms


def slips(random_: random.Random, terms: list[Term], place: Place) -> Iterator[list[Term]]:
    """Yields the terms with one thing changed."""
    at = random_.randrange(len(terms))
    factor, parts = terms[at]

    def with_term(term: Term) -> list[Term]:
        return [*terms[:at], term, *terms[at + 1 :]]

    if len(terms) > 1:
        yield terms[:at] + terms[at + 1 :]
    yield with_term((-factor, parts))
    yield with_term((2 * factor, parts))
    yield [*terms, terms[at]]
    which = random_.randrange(len(parts))
    if len(parts) > 1:
        yield with_term((factor, parts[:which] + parts[which + 1 :]))
    part = parts[which]
    alike = [name for name in place.known if name[0] == part.of[0] and name != part.of and "C" not in name]
    if alike and part.kind != "derivative":
        yield with_term(
            (factor, (*parts[:which], part._replace(of=random_.choice(alike)), *parts[which + 1 :]))
        )


def written(terms: list[Term]) -> str:
    """Returns LaTeX."""
    made = ""
    for factor, parts in terms:
        sign = "-" if factor < 0 else "+" if made else ""
        number = "" if abs(factor) == 1 else f"{abs(factor)} "
        made += f" {sign} {number}" + " ".join(part.written() for part in parts)
    return made.strip()


def worth(terms: list[Term], place: Place) -> float:
    """Returns the sum of the terms."""
    total = 0.0
    for factor, parts in terms:
        product = float(factor)
        for part in parts:
            product *= part.value(place)
        total += product
    return total


@pytest.mark.parametrize("seed", range(24))
def test_verdicts_against_pytorch(seed: int) -> None:
    random_ = random.Random(seed)
    sizes, bias = SHAPES[seed % len(SHAPES)]
    activation = ("sigmoid", "tanh", "identity")[seed // 3 % 3]
    cost = ("squared_error", "half_squared_error")[seed % 2]
    net = wg.Network(sizes, activation, bias, cost)
    places = [Place(sizes, activation, bias, cost, 100 * seed + number) for number in range(PLACES)]
    depth = len(sizes) - 1
    layer = random_.randrange(1, depth + 1)
    of = random_.choice([f"C^{k}" for k in range(sizes[-1])] + ["\\sum C"])
    below = [name for name in places[0].known if name[0] == "a" and int(name[-1]) == layer - 1]
    by = random_.choice(below)
    terms = right_side(random_, sizes, of, layer, by)
    left = Part("derivative", of, by)
    wrong = [candidate for _ in range(3) for candidate in slips(random_, terms, places[0])]
    for candidate in (terms, *wrong):
        equation = f"{left.written()} = {written(candidate)}"
        truth = all(
            abs(left.value(place) - worth(candidate, place)) <= 1e-9 * (1 + abs(left.value(place)))
            for place in places
        )
        verdict = check(net, equation)
        assert verdict.holds is truth, (equation, verdict.says)
        assert truth or candidate is not terms
        if verdict.corrected is not None:
            assert check(net, verdict.corrected).holds is True
