"""The layer-wise form of a derivation: whole layers at a time, with the entry that was asked for marked."""

from typing import NamedTuple

import numpy as np

from whygrad.derive.derivation import Grid, Layerwise
from whygrad.derive.links import TOTAL, Spelled, kept, sign
from whygrad.derive.spelling import Speller, lowered
from whygrad.derive.steps import Question

# Matrices up to this size are shown with their numbers.
SHOWN_UP_TO = 6


class _Names(NamedTuple):
    """Names of whole arrays in a notation, in one of the three styles.

    ``rows`` says that a layer is a row and its weights stand on its right (a W, as code has it); ``upright`` that W
    has a row for each neuron that a weight goes to.
    """

    speller: Speller
    question: Question

    @property
    def rows(self) -> bool:
        return rows_are_layers(self.question)

    @property
    def upright(self) -> bool:
        return self.question.run.network.notation.weight_orientation == "to-from"

    def __call__(self, kind: str, layer: int) -> str:
        network = self.question.run.network
        plain = "delta" if kind == "delta" else kind.upper() if kind == "w" else kind
        return self.speller.choose(
            network.notation.matrix(kind, layer, network.layout),
            f"{'δ' if kind == 'delta' else plain}{lowered(layer)}",
            f"{plain}{layer}",
        )

    def by(self, array: str) -> str:
        """Returns the derivative of what is asked about by an array."""
        return self.speller.ratio(self.speller.q(self.question.of), array)

    def transposed(self, array: str) -> str:
        s = self.speller
        raised = rf"\left({array}\right)" if "^" in array else array
        return s.choose(rf"{raised}^{{\top}}", f"{array}ᵀ", f"{array}.T")

    def product(self, left: str, right: str) -> str:
        return self.speller.choose(rf"{left} \, {right}", f"{left} {right}", f"{left} @ {right}")

    def minus(self) -> str:
        """Returns the sign of the notation's delta, which some define as minus the derivative."""
        return "-" if self.question.run.network.notation.delta_sign == -1 else ""

    def below(self, layer: int) -> str:
        """Returns delta of the layer above sent back to a layer's activations: times the weights between."""
        weights, delta = self("w", layer + 1), self("delta", layer + 1)
        if self.rows:
            return self.product(delta, self.transposed(weights))
        return self.product(self.transposed(weights) if self.upright else weights, delta)


def rows_are_layers(question: Question) -> bool:
    """Returns whether a layer's arrays are rows: in code whose weight matrices stand on the right."""
    notation = question.run.network.notation
    return notation.record.code and notation.weight_orientation == "from-to"


def layerwise(question: Question) -> tuple[Layerwise, ...]:
    """Returns delta of the last layer, of each layer down to the quantity's, and the derivative that was asked for.

    delta_l = W_{l+1}ᵀ delta_{l+1} ⊙ f'(z_l) is the same sum over paths, for all neurons of a layer at once
    (Nielsen 2015, equations BP1 to BP4). Where there are several examples, the deltas are those of one of them, and
    the last line adds up all.
    """
    of, by = question.of, question.by
    if of.kind not in ("total", "C") or by.kind not in ("w", "b", "z", "a"):
        return ()
    net = question.run.network.layered
    stop = int(by.layer or 0) + (by.kind == "a")
    lines = [_kept_delta(question, layer) for layer in range(net.depth, stop - 1, -1)]
    if by.kind in ("w", "b"):
        lines.append(_gradient(question, stop))
    if by.kind == "a":
        lines.append(_activations(question, stop - 1))
    return tuple(lines)


def _kept_delta(question: Question, layer: int) -> Layerwise:
    """Returns the line of a layer's delta, with the quantity's entry marked where it is one of this layer's."""
    key = ("delta", question.of, question.example, layer)
    line: Layerwise = kept(question.run, key, lambda: _delta(question, layer))
    by = question.by
    if line.result is None or (by.kind, by.layer) != ("z", layer) or question.parts:
        return line
    place = (0, int(by.to or 0)) if rows_are_layers(question) else (int(by.to or 0), 0)
    return line._replace(result=line.result._replace(marked=place))


def _delta(question: Question, layer: int) -> Layerwise:
    """Returns the line of a layer's delta."""
    net = question.run.network.layered
    activation = net.activations[layer - 1]
    last = layer == net.depth

    def build(s: Speller) -> str:
        name = _Names(s, question)
        delta, z = name("delta", layer), name("z", layer)
        below = name.by(name("a", layer)) if last else name.below(layer)
        minus = name.minus() if last else ""
        line = f"{delta} = {minus}{name.by(z)} = {minus}" if last else f"{delta} = "
        if activation.trivial:
            return line + below
        slope = f"{sign(activation, s)}'({z})"
        if activation.dense:
            if name.rows:
                return line + name.product(s.grouped(below, not last), slope)
            return line + name.product(name.transposed(slope), s.grouped(below, not last))
        times = s.choose(r"\odot", "⊙", "*")
        return f"{line}{s.grouped(below, not last)} {times} {slope}"

    sweep = question.run.seeded(question.of, question.example)
    values = np.asarray(sweep.joined(question.run.recorded.nodes["z", layer]))[question.example]
    return _line(question, build, lambda s: _Names(s, question)("delta", layer), values, None)


def _activations(question: Question, layer: int) -> Layerwise:
    """Returns the line of the derivative by a layer's activations."""
    last = layer == question.run.network.layered.depth

    def left(s: Speller) -> str:
        name = _Names(s, question)
        return name.by(name("a", layer))

    def build(s: Speller) -> str:
        name = _Names(s, question)
        return left(s) if last else f"{left(s)} = {name.minus()}{name.below(layer)}"

    sweep = question.run.seeded(question.of, question.example)
    values = np.asarray(sweep.joined(question.run.recorded.nodes["a", layer]))[question.example]
    return _line(question, build, left, values, None if question.parts else question.by.to, signed=False)


def _gradient(question: Question, layer: int) -> Layerwise:
    """Returns the line of the gradient of the quantity's weight matrix or biases, over all examples."""
    run, by = question.run, question.by
    net = run.network.layered

    def left(s: Speller) -> str:
        name = _Names(s, question)
        return name.by(name(by.kind, layer))

    def build(s: Speller) -> str:
        name = _Names(s, question)
        line, delta = f"{left(s)} = ", name("delta", layer)
        product = delta
        if by.kind == "w":
            below = name("a", layer - 1)
            if name.rows:
                product = name.product(name.transposed(below), delta)
            elif name.upright:
                product = name.product(delta, name.transposed(below))
            else:
                product = name.product(below, name.transposed(delta))
        if run.examples > 1:
            line += s.choose(r"\sum_{\text{examples}} ", "Σ[examples] ", "sum[examples] ")
        line += name.minus() + product
        if by.kind == "w" and net.l2 and question.of == TOTAL:
            line += f" + {s.product(s.number(net.l2), name('w', layer))}"
        return line

    gradient = np.asarray(run.seeded(question.of).joined(run.recorded.nodes[by.kind, layer]))
    if by.kind == "b":
        return _line(question, build, left, gradient, by.to, signed=False)
    place = (int(by.to or 0), int(by.source or 0))
    if run.network.notation.weight_orientation == "from-to":
        gradient, place = gradient.T, (place[1], place[0])
    return Layerwise(question.spell(build), question.spell(left), _grid(gradient, place))


def _line(
    question: Question,
    build: Spelled,
    left: Spelled,
    values: np.ndarray,
    marked: int | None,
    signed: bool = True,
) -> Layerwise:
    """Returns the line of a layer, whose values stand in a column or, as code has it, in a row."""
    spell = question.spell
    if signed and question.run.network.notation.delta_sign == -1:
        values = -values
    as_row = rows_are_layers(question)
    shaped = values.reshape(1, -1) if as_row else values.reshape(-1, 1)
    place = None if marked is None else (0, int(marked)) if as_row else (int(marked), 0)
    return Layerwise(spell(build), spell(left), _grid(shaped, place))


def _grid(values: np.ndarray, marked: tuple[int, int] | None) -> Grid | None:
    if max(values.shape) > SHOWN_UP_TO:
        return None
    return Grid(tuple(tuple(float(value) for value in row) for row in values), marked)
