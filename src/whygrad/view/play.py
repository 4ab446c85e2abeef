"""The passes as steps: forward layer by layer, the costs, and back; each with what becomes known and its formula."""

from collections.abc import Iterator, Sequence
from typing import Any

from whygrad.derive.derivation import Words
from whygrad.derive.links import TOTAL
from whygrad.derive.spelling import Math, Speller
from whygrad.derive.steps import first_step
from whygrad.notation import Quantity
from whygrad.ops import OPS
from whygrad.view.keys import key
from whygrad.view.picture import Picture
from whygrad.view.sheet import Sheet, rounded
from whygrad.view.study import Study

# So many formulas are shown of a layer, and so many terms of a sum.
MOST_LINES = 3
MOST_TERMS = 6


class Play:
    """The steps of one example's forward and backward pass.

    Args:
        study: The run of one example.
        sheet: Where formulas are written down.
        picture: What is drawn.
    """

    def __init__(self, study: Study, sheet: Sheet, picture: Picture) -> None:
        self._study, self._sheet, self._picture = study, sheet, picture
        self._run = study.run
        self._net = study.run.network.layered

    def steps(self) -> list[dict[str, Any]]:
        """Returns the steps, first to last."""
        return [*self._forward(), *self._costs(), *self._backward()]

    def _made(
        self,
        phase: str,
        title: str,
        says: Words,
        lit: list[Quantity],
        lines: Sequence[tuple[Math, float | None]],
    ) -> dict[str, Any]:
        return {
            "phase": phase,
            "title": title,
            "says": self._sheet.words(says),
            "lit": [key(q) for q in lit if q in self._picture.places],
            "lines": [[self._sheet.formula(math), rounded(value)] for math, value in lines],
        }

    def _layer(self, kind: str, layer: int) -> list[Quantity]:
        return [Quantity(kind, layer, j) for j in self._picture.shown[layer]]

    def _weights(self, layer: int) -> list[Quantity]:
        return [q for q in self._picture.items if q.kind in ("w", "b") and q.layer == layer]

    def _given(self, q: Quantity) -> tuple[Math, float | None]:
        value = self._run.value(q)
        return self._study.spell(lambda s: f"{s.q(q)} {s.equals(value)} {s.number(value)}"), value

    # Forward

    def _forward(self) -> Iterator[dict[str, Any]]:
        start = self._layer("a", 0)
        says: Words = ("Nothing is computed yet: the input is given.",)
        yield self._made("forward", "The input", says, start, [self._given(q) for q in start[:MOST_LINES]])
        for layer in range(1, self._net.depth + 1):
            activation = self._net.activations[layer - 1]
            plus = " and its bias is added" if self._net.bias else ""
            says = (f"Each neuron adds up what comes in, each input times its weight{plus}.",)
            kind = "a" if activation.trivial else "z"
            lit = [*self._weights(layer), *self._layer(kind, layer)]
            lines = [self._summed(layer, j, kind) for j in list(self._picture.shown[layer])[:MOST_LINES]]
            yield self._made("forward", f"Forward into layer {layer}", says, lit, lines)
            if not activation.trivial:
                says = (f"{activation.name} is applied to each of the sums.",)
                if activation.dense:
                    says = (f"{activation.name} is applied to the sums of the whole layer together.",)
                lines = [self._activated(layer, j) for j in list(self._picture.shown[layer])[:MOST_LINES]]
                lit = self._layer("a", layer)
                yield self._made("forward", f"The activations of layer {layer}", says, lit, lines)

    def _summed(self, layer: int, j: int, kind: str) -> tuple[Math, float | None]:
        """Returns a neuron's weighted sum, with symbols, numbers and value."""
        run, net = self._run, self._net
        target = Quantity(kind, layer, j)
        sources = range(net.sizes[layer - 1])
        pairs = [(Quantity("w", layer, j, i), Quantity("a", layer - 1, i)) for i in sources]
        shown = sorted(pairs, key=lambda pair: -abs(run.value(pair[0]) * run.value(pair[1])))[:MOST_TERMS]
        kept = [pair for pair in pairs if pair in shown]
        value = run.value(target)

        def line(s: Speller) -> str:
            symbols = [s.product(s.q(w), s.q(a)) for w, a in kept]
            numbers = [s.times(s.number(run.value(w)), s.number(run.value(a))) for w, a in kept]
            if len(kept) < len(pairs):
                symbols.append(s.dots())
                numbers.append(s.dots())
            if net.bias:
                bias = Quantity("b", layer, j)
                symbols.append(s.q(bias))
                numbers.append(s.number(run.value(bias)))
            ends = f"{s.equals(value)} {s.number(value)}"
            return f"{s.q(target)} = {s.added(*symbols)} = {s.added(*numbers)} {ends}"

        return self._study.spell(line), value

    def _activated(self, layer: int, j: int) -> tuple[Math, float | None]:
        z, a = Quantity("z", layer, j), Quantity("a", layer, j)
        name, value = self._net.activations[layer - 1], self._run.value(a)

        def line(s: Speller) -> str:
            sign = s.choose(name.op.symbol, name.name, name.name)
            inside = s.choose(rf"{s.q(z)}, \dots", f"{s.q(z)}, …", f"{s.q(z)}, ...") if name.dense else s.q(z)
            return f"{s.q(a)} = {sign}({inside}) {s.equals(value)} {s.number(value)}"

        return self._study.spell(line), value

    # The costs

    def _costs(self) -> Iterator[dict[str, Any]]:
        run, net = self._run, self._net
        op = OPS[net.cost]
        costs = [Quantity("C", None, k) for k in self._picture.shown[-1]]
        lit = [*(Quantity("y", None, k) for k in self._picture.shown[-1]), *costs]
        assert op.cost is not None
        says: Words = (f"Each output is compared with its target: {op.cost.says}.",)
        lines = []
        for cost in costs[:MOST_LINES]:
            names = {"a": Quantity("a", net.depth, cost.to), "t": Quantity("y", None, cost.to)}
            value = run.value(cost)

            def line(s: Speller, cost: Quantity = cost, names: Any = names, value: float = value) -> str:
                tree = op.value({})
                numbers = s.inserted(tree, {name: run.value(q) for name, q in names.items()})
                ends = f"{s.equals(value)} {s.number(value)}"
                return f"{s.q(cost)} = {s.formula(tree, names)} = {numbers} {ends}"

            lines.append((self._study.spell(line), value))
        yield self._made("costs", "The costs", says, lit, lines)
        if len(run.cost_quantities) > 1:
            total = run.total
            every = run.cost_quantities

            def added(s: Speller) -> str:
                shown = every if len(every) <= MOST_TERMS else every[: MOST_TERMS - 1]
                dots = () if len(shown) == len(every) else (s.dots(),)
                symbols = s.added(*(s.q(q) for q in shown), *dots)
                numbers = s.added(*(s.number(run.value(q)) for q in shown), *dots)
                return f"{s.q(TOTAL)} = {symbols} = {numbers} {s.equals(total)} {s.number(total)}"

            says = ("The total is their sum: this is what is to become small.",)
            lit = [TOTAL, *every]
            step = self._made("costs", "The total", says, lit, [(self._study.spell(added), total)])
            yield step | {"lit": [*step["lit"], "total"]}

    # Backward

    def _backward(self) -> Iterator[dict[str, Any]]:
        net = self._net
        for layer in range(net.depth, 0, -1):
            place = "the costs" if layer == net.depth else f"layer {layer + 1}"
            says: Words = (
                (
                    "The backward pass begins at the costs: how does each output change them?"
                    if layer == net.depth
                    else f"Each neuron of layer {layer} acts through layer {layer + 1}: its derivative is the sum of "
                    "those above, each times the local derivative on the way. They are known, so nothing is computed "
                    "twice."
                ),
            )
            title = f"Back from {place} to layer {layer}"
            neurons = self._layer("a", layer)
            yield self._made("backward", title, says, neurons, self._lines(neurons))
            if not net.activations[layer - 1].trivial:
                sums = self._layer("z", layer)
                says = (f"Through {net.activations[layer - 1].name}: times its slope at each sum.",)
                yield self._made(
                    "backward", f"Back to the sums of layer {layer}", says, sums, self._lines(sums)
                )
            weights = self._weights(layer)
            says = (
                "Each weight's derivative is that of the neuron it leads to, times what the weight is multiplied with."
                if not net.bias
                else "Each weight's derivative is that of the neuron it leads to, times what the weight is multiplied "
                "with; a bias is multiplied with nothing.",
            )
            yield self._made(
                "backward", f"The weights into layer {layer}", says, weights, self._lines(weights)
            )

    def _lines(self, quantities: list[Quantity]) -> list[tuple[Math, float | None]]:
        """Returns the equations of the largest derivatives among some quantities'."""
        end = self._study.run.ends[0]
        derivatives = self._study.derivatives(end)
        largest = sorted(quantities, key=lambda q: -abs(derivatives.at(q)))[:MOST_LINES]
        lines = []
        for q in (q for q in quantities if q in largest):
            if not derivatives.reaches(q):
                continue
            step = first_step(self._study.question(end, q), derivatives)
            lines += [(line.math, line.value) for line in step.lines[-2:]]
        return lines
