"""The links of a layered network: from a quantity to what it acts on next, with the local derivative.

Links go from station to station. A station is an activation wherever the activation function works on single
neurons, so that a link's local derivative is a weight times a slope, w σ'(z), as people write it. Where all neurons
of a layer depend on each other (softmax), its pre-activations are stations of their own.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple

import numpy as np

from whygrad.codegen.layered import Activation
from whygrad.derive.derivation import Words
from whygrad.derive.spelling import Speller, Spelling
from whygrad.formula import Number, substitute
from whygrad.notation import Quantity
from whygrad.ops import OPS
from whygrad.run import Run

Spelled = Callable[[Speller], str]


class Link(NamedTuple):
    """One step of a path: where it leads, its local derivative as symbols and as a number, and why if it is 0.

    ``symbols`` writes the local derivative with the names of quantities and slopes, such as ``w σ'(z)``; ``explicit``
    writes the slope's formula out, ``inserted`` the same with numbers, and ``numbers`` lists the factors' values.
    """

    to: Quantity
    symbols: Spelled
    explicit: Spelled | None
    numbers: tuple[float, ...]
    reason: Words = ()
    inserted: Spelled | None = None

    @property
    def value(self) -> float:
        """The local derivative."""
        return float(np.prod(self.numbers))


TOTAL = Quantity("total")


def kept(run: Run, key: Any, make: Callable[[], Any]) -> Any:
    """Returns what derivations of a run have in common, made when it is asked for first."""
    if key not in run.kept:
        run.kept[key] = make()
    return run.kept[key]


class Links:
    """Makes the links of one example of a run.

    Args:
        run: The run.
        example: The number of the example whose values the links have.
        of: What is differentiated: a pre-activation is a station of its own where it is the end.
    """

    def __init__(self, run: Run, example: int, of: Quantity) -> None:
        self._run = run
        self._net = run.network.layered
        self._example = example
        self._of = of
        self._spell = Spelling(run.network.notation, run.network.layout)
        self._made: dict[tuple[Quantity, int], list[Link]] = {}
        self._after: dict[Quantity, list[Link]] = {}

    @staticmethod
    def kept(run: Run, example: int, of: Quantity) -> "Links":
        """Returns the links of a run, the same each time: they are asked for step by step and path by path."""
        # Where the end is no neuron, it changes nothing about the links.
        end = of if of.kind in ("a", "z") else TOTAL
        made: Links = kept(run, ("links", example, end), lambda: Links(run, example, end))
        return made

    def _value(self, q: Quantity) -> float:
        return self._run.value(q, self._example)

    def _is(self, q: Quantity) -> Words:
        """Returns a quantity with its value."""
        value = self._value(q)
        return (self._spell(lambda s: f"{s.q(q)} = {s.number(value)}"),)

    def after(self, q: Quantity, only: Collection[Quantity] | None = None) -> list[Link]:
        """Returns the links from a quantity to all that it acts on next.

        Args:
            q: The quantity.
            only: Of the next layer, only these neurons (as z or as a) are asked about; all where there is nothing.
        """
        if only is None:
            if q not in self._after:
                self._after[q] = self._all(q, None)
            return self._after[q]
        return self._all(q, only)

    def _all(self, q: Quantity, only: Collection[Quantity] | None) -> list[Link]:
        if q.kind == "w":
            layer, source = int(q.layer or 0), Quantity("a", int(q.layer or 0) - 1, q.source)
            made = self._into(layer, int(q.to or 0), lambda s: s.q(source), self._value(source), source)
            if self._net.l2:
                made.append(self._regular(q))
            return made
        if q.kind == "b":
            return self._into(int(q.layer or 0), int(q.to or 0), None, 1.0)
        if q.kind == "z" and self._is_activation(q):
            return self._all(q._replace(kind="a"), only)
        if q.kind == "z":
            return self._through(int(q.layer or 0), int(q.to or 0))
        if q.kind == "a" and int(q.layer or 0) < self._net.depth:
            layer = int(q.layer or 0) + 1
            neurons: Iterable[int] = range(self._net.sizes[layer])
            if only is not None:
                neurons = sorted({int(each.to or 0) for each in only if each.layer == layer})
            return [link for to in neurons for link in self._along(q, to)]
        if q.kind in ("a", "y"):
            return [self._to_cost(q)]
        if q.kind in ("C", "R"):
            return [Link(TOTAL, lambda s: "", None, (1.0,))]
        return []

    def _is_activation(self, z: Quantity) -> bool:
        """Returns whether a pre-activation is its activation, and not asked about apart from it."""
        a = z._replace(kind="a")
        return self._net.activations[int(z.layer or 0) - 1].trivial and self._of != a

    def _along(self, q: Quantity, to: int) -> list[Link]:
        if (q, to) not in self._made:
            layer = int(q.layer or 0) + 1
            weight = Quantity("w", layer, to, q.to)
            self._made[q, to] = self._into(layer, to, lambda s: s.q(weight), self._value(weight), weight)
        return self._made[q, to]

    def _station(self, layer: int) -> bool:
        """Whether the layer's pre-activations are stations of their own."""
        return self._net.activations[layer - 1].dense or (self._of.kind, self._of.layer) == ("z", layer)

    def _into(
        self, layer: int, to: int, factor: Spelled | None, value: float, of: Quantity | None = None
    ) -> list[Link]:
        """Returns the link into a neuron, through a factor (the value of a quantity) and the slope there."""
        z = Quantity("z", layer, to)
        reason: Words = self._is(of) if of is not None and value == 0 else ()
        activation = self._net.activations[layer - 1]
        symbols: Spelled = factor or (lambda s: "")
        if activation.trivial:
            kind = "z" if (self._of.kind, self._of.layer) == ("z", layer) else "a"
            return [Link(z._replace(kind=kind), symbols, None, (value,), reason)]
        if self._station(layer):
            return [Link(z, symbols, None, (value,), reason)]
        (slope,) = self._through(layer, to)

        def both(s: Speller) -> str:
            return s.product(symbols(s), slope.symbols(s))

        def explicit(s: Speller) -> str:
            assert slope.explicit is not None
            return s.product(symbols(s), slope.explicit(s))

        shown = explicit if slope.explicit else None
        numbers = slope.numbers if factor is None else (value, *slope.numbers)
        return [Link(slope.to, both, shown, numbers, reason or slope.reason)]

    def _through(self, layer: int, j: int) -> list[Link]:
        """Returns the links from a pre-activation through the activation function."""
        activation = self._net.activations[layer - 1]
        z = Quantity("z", layer, j)
        graph, nodes = self._run.recorded
        structure = activation.op.structure
        tree = structure.formula(0, dict(activation.settings))
        argument = activation.op.arguments[0]
        if activation.trivial:
            return [Link(Quantity("a", layer, j), lambda s: "", None, (1.0,))]
        column = structure.column(
            graph.local(nodes["a", layer]), 0, self._run.entry(z, self._example).position
        )
        if activation.dense:
            return [self._dense(layer, i, j, float(value)) for i, value in enumerate(column.partials)]
        a = Quantity("a", layer, j)
        value = float(column.partials[0])

        def slope(s: Speller) -> str:
            return f"{sign(activation, s)}'({s.q(z)})"

        def explicit(s: Speller) -> str:
            return s.formula(tree, {argument: z, "y": a})

        state = "off" if activation.name == "relu" else "flat"
        reason: Words = (f"{activation.name} is {state} at ", *self._is(z)) if value == 0 else ()
        return [Link(a, slope, explicit, (value,), reason)]

    def _dense(self, layer: int, i: int, j: int, value: float) -> Link:
        activation = self._net.activations[layer - 1]
        tree = activation.op.structure.formula(0, dict(activation.settings))
        argument = activation.op.arguments[0]
        a, z = Quantity("a", layer, i), Quantity("z", layer, j)
        names = {
            f"{argument}_i": Quantity("z", layer, i),
            f"{argument}_j": z,
            "y_i": a,
            "y_j": Quantity("a", layer, j),
        }
        written = substitute(tree, {"delta": Number(1 if i == j else 0)})
        return Link(a, lambda s: s.d(a, z), lambda s: s.formula(written, names), (value,))

    def _to_cost(self, q: Quantity) -> Link:
        op = OPS[self._net.cost]
        k = int(q.to or 0)
        a, y, cost = Quantity("a", self._net.depth, k), Quantity("y", None, k), Quantity("C", None, k)
        which = 0 if q.kind == "a" else 1
        graph, nodes = self._run.recorded
        column = op.structure.column(
            graph.local(nodes["C", None]), which, self._run.entry(q, self._example).position
        )
        tree = op.structure.formula(which, {})
        value = float(column.partials[0])
        reason: Words = ()
        if value == 0 and self._value(a) == self._value(y):
            reason = (self._spell.q(a), " is on target")
        elif value == 0 and self._value(y) == 0:
            reason = self._is(y)
        many = self._run.examples if self._net.reduction == "mean" else 1
        numbers = (value,) if many == 1 else (value, 1 / many)

        def averaged(s: Speller, shown: str) -> str:
            if many == 1:
                return shown
            return s.choose(rf"\frac{{1}}{{{many}}} \, ", f"1/{many} · ", f"1/{many} * ") + s.enclosed(shown)

        def explicit(s: Speller) -> str:
            return averaged(s, s.formula(tree, {"a": a, "t": y}))

        def inserted(s: Speller) -> str:
            return averaged(s, s.inserted(tree, {"a": self._value(a), "t": self._value(y)}))

        return Link(cost, lambda s: s.d(cost, q), explicit, numbers, reason, inserted)

    def _regular(self, q: Quantity) -> Link:
        strength = self._net.l2

        def written(s: Speller) -> str:
            return s.product(s.number(strength), s.q(q))

        return Link(Quantity("R"), written, None, (strength, self._value(q)))


def sign(activation: Activation, s: Speller) -> str:
    """Returns the sign of an activation function."""
    plain = activation.name
    return s.choose(activation.op.symbol, "σ" if plain == "sigmoid" else plain, plain)
