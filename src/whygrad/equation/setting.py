"""What an equation is judged under: a network, its notation, and whether its numbers are meant."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from whygrad.codegen.layered import Layered
from whygrad.equation.points import Points, declared, usable
from whygrad.equation.tree import (
    BigSum,
    Call,
    Derivative,
    Node,
    Number,
    Ref,
    Stands,
    Sum,
    Symbol,
    Updated,
    parts,
    walk,
)
from whygrad.equation.vocabulary import Vocabulary

if TYPE_CHECKING:
    from whygrad.network import Network
    from whygrad.run import Run

ONE_EXAMPLE = frozenset({"nielsen", "3blue1brown", "bishop", "goodfellow", "classic", "d2l"})
"""Notations whose cost is that of one example, where an equation is about single quantities."""
MOST_EXAMPLES = 16
FEW_EXAMPLES = 3
_SEED = 20_260


class Setting(NamedTuple):
    """A network with its notation, and the data that numbers in an equation are about."""

    layered: Layered
    vocabulary: Vocabulary
    own: Points
    """The one point of the network's own parameters and data."""
    given: bool
    """Whether that data was given, so that a number is a claim about it."""
    rate: float | None = None
    """The learning rate, where it was declared; else an equation must hold for every one."""

    @property
    def targets(self) -> str:
        """Whether generic targets sum to 1: where a softmax's targets do, or nothing was given."""
        if self.layered.cost != "cross_entropy":
            return "any"
        return "any" if self.given and not np.allclose(self.own.y.sum(axis=-1), 1) else "shares"

    def examples(self, arrays: bool | str) -> int:
        """Returns how many examples an equation is about.

        Args:
            arrays: Whether whole arrays stand in it; `examples` where it adds up over examples.
        """
        if not arrays and self.vocabulary.notation.name in ONE_EXAMPLE:
            return 1
        if not self.given and arrays == "examples":
            return FEW_EXAMPLES
        return min(int(self.own.examples), MOST_EXAMPLES)

    def generic(self, examples: int, many: int = 0, targets: str = "") -> Points:
        """Returns points at which nothing holds by accident."""
        made = generic_points(self.layered, examples, many or amount(self.layered), targets or self.targets)
        return made if self.rate is None else made.at_rate(self.rate)

    def under(self, **changes: Any) -> "Setting":
        """Returns the setting with another cost, reduction or activation."""
        layered = self.layered._replace(**changes)
        own = self.own
        return self._replace(
            layered=layered, own=Points(layered, own.weights, own.biases, own.x, own.y, own.rate[:, 0])
        )


def amount(layered: Layered) -> int:
    """Returns how many points are drawn: fewer for large networks."""
    entries = sum(o * i for o, i in zip(layered.sizes, layered.sizes[1:], strict=False))
    return int(np.clip(1_500_000 // max(entries, 1), 4, 24))


@lru_cache(maxsize=64)
def generic_points(layered: Layered, examples: int, many: int, targets: str) -> Points:
    """Returns generic points, the same ones for the same kind of network."""
    return usable(layered, examples, _SEED, many, targets)


def setting(run_or_network: "Run | Network", notation: str | None, names: dict[str, str] | None) -> Setting:
    """Returns the setting of a run or a network; a network without data is judged on its fixed example."""
    from whygrad.network import Network
    from whygrad.notation import with_names

    if isinstance(run_or_network, Network):
        network = run_or_network
        x, y = (np.atleast_2d(np.asarray(part, float)) for part in network.data())
        given = network.has_data
    else:
        network = run_or_network.network
        x, y, given = run_or_network.x, run_or_network.y, True
    own = network.notation if notation is None else network.in_notation(notation)
    if names:
        own = with_names(own, names)
    vocabulary = Vocabulary(own, network.layout)
    rate = vocabulary.declared_rate()
    point = declared(network.layered, network.parameters, x, y, 0.371 if rate is None else rate)
    return Setting(network.layered, vocabulary, point, given, rate)


def pure(node: Node) -> bool:
    """Returns whether a side is made of numbers only."""
    for part in walk(node):
        if isinstance(part, Symbol):
            meaning = part.meanings[0]
            if isinstance(meaning, Ref) or not isinstance(meaning, Stands) or not pure(meaning.tree):
                return False
        elif (
            (not isinstance(part, Number) and not parts(part))
            or isinstance(part, Derivative | Updated | BigSum)
            or (isinstance(part, Call) and not part.function.name)
        ):
            return False
    return True


def literals(node: Node) -> list[Number]:
    """Returns the numbers that stand in a side."""
    return [part for part in walk(node) if isinstance(part, Number)]


def claims(node: Node) -> list[Number]:
    """Returns the numbers in a side that may be values of quantities: those with a point, and whole ones from 3."""
    return [number for number in literals(node) if "." in number.text or number.value >= 3]


def with_values(points: Points, own: Points, sides: tuple[Node, ...]) -> Points | None:
    """Returns generic points with those parameters and data fixed that stand in an equation as numbers.

    A bias that stands there as `+ 1`, a weight that stands there as `0.15`: the equation holds for these values only
    and everything else is free. None where there are no such numbers.
    """
    # A bias that is 0 may be left out.
    named = {number.value for side in sides for number in claims(side)}
    plain = [_plain_sum(points, own, layer) for layer in range(1, points.net.depth + 1)]
    added = {
        term.value
        for side in sides
        for part in walk(side)
        if isinstance(part, Sum)
        for term in part.terms
        if isinstance(term, Number)
    }
    added.add(0.0)
    if not named and not own.biases and not any(plain):
        return None

    def held(new: Any, old: Any, values: set[float]) -> Any:
        if not values:
            return new
        fixed = np.isin(np.round(old, 12), np.round(np.array(sorted(values)), 12))
        return np.where(fixed, old, new)

    same = own.examples == points.examples
    return Points(
        points.net,
        [
            np.broadcast_to(old, w.shape) if summed else held(w, old, named)
            for w, old, summed in zip(points.weights, own.weights, plain, strict=True)
        ],
        [held(b, old, named | added) for b, old in zip(points.biases, own.biases, strict=True)],
        held(points.x, own.x, named) if same else points.x,
        held(points.y, own.y, named) if same else points.y,
        points.rate[:, 0],
    )


def _plain_sum(points: Points, own: Points, layer: int) -> bool:
    """Returns whether a layer only adds up what comes in: no activation function, and every weight is 1."""
    weights = own.weights[layer - 1]
    return points.net.activations[layer - 1].trivial and weights.size > 1 and bool(np.all(weights == 1))
