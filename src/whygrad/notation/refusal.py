"""What is said about a name that can't be read, or that a network doesn't have."""

import re
from typing import TYPE_CHECKING

from whygrad.errors import EquationError, QuantityError
from whygrad.notation.canonical import pieces
from whygrad.notation.quantity import KINDS, Layout, Quantity
from whygrad.notation.template import Template, plain

if TYPE_CHECKING:
    from whygrad.notation.naming import Notation


def unreadable(notation: "Notation", text: str, whole: str, shift: int) -> EquationError:
    """Returns the error for a text that is no name in a notation; it points at what doesn't fit.

    Args:
        notation: the notation that it was read in.
        text: the name.
        whole: the text that the name is a part of.
        shift: where in it the name starts.
    """
    read = pieces(text)
    if not read:
        return EquationError("the name of a quantity was expected; there is nothing", whole, shift)
    head = read[0].text
    alike = [
        pattern(templates[0])
        for key, templates in notation.templates.items()
        if key in KINDS and any(template.head == head for template in templates)
    ]
    if alike:
        position = read[1].position if len(read) > 1 else len(text)
        message = f"the indices can't be read; {notation.name} writes {' or '.join(alike)}"
        return EquationError(message, whole, position + shift)
    words = notation.record.words
    forms = ", ".join(words.get(kind) or pattern(notation.templates[kind][0]) for kind in KINDS)
    own = f", and the declared names {', '.join(notation.names)}" if notation.names else ""
    message = f"{notation.name} has no quantity with this name; it has {forms}{own}"
    return EquationError(message, whole, read[0].position + shift)


def derivative(text: str, whole: str, shift: int) -> EquationError:
    """Returns the error for the name of a derivative (`dW2[0, 0]`) where a quantity was asked for."""
    return EquationError(f"{text.strip()} is a derivative; the name of a quantity was expected", whole, shift)


def letters(
    notation: "Notation", kind: str, layout: Layout, text: str, whole: str, shift: int
) -> EquationError:
    """Returns the error for a name that has letters for indices where one quantity was asked for."""
    layer = layout.depth if kind in ("w", "b", "z", "a", "delta") else None
    neuron = None if kind in ("total", "R") else 0
    example = notation.text(Quantity(kind, layer, neuron, 0 if kind == "w" else None), layout)
    message = f"{text.strip()} has a letter for an index; one quantity has numbers, for example {example}"
    return EquationError(message, whole, shift)


def ambiguous(
    notation: "Notation", meant: list[Quantity], layout: Layout, text: str, whole: str, shift: int
) -> EquationError:
    """Returns the error for a name that this network gives more than one meaning."""
    names = " or ".join(notation.text(q, layout) for q in meant)
    return EquationError(f"{text.strip()} can be read in {len(meant)} ways; write {names}", whole, shift)


def missing(notation: "Notation", q: Quantity, layout: Layout, text: str) -> QuantityError:
    """Returns the error for a quantity that a network doesn't have; it gives the ranges that it has."""
    network = f"{text.strip()}: the network {'-'.join(map(str, layout.sizes))} has"
    if q.kind == "b" and not layout.bias:
        return QuantityError(f"{network} no biases")
    if q.kind == "R":
        return QuantityError(f"{network} no l2 cost; declare one with l2")
    template = notation.templates[q.kind][0]
    form = pattern(template)
    first = notation.record.neurons_from

    def neurons(layer: int) -> str:
        return _from_to(first, first + layout.sizes[layer] - 1)

    if q.layer is None:
        return QuantityError(f"{network} {form} with a number {neurons(-1)}")
    slot = "module" if "<module>" in template.source else "layer"
    lowest = 0 if q.kind == "a" else 1
    if not lowest <= q.layer <= layout.depth:
        layers = range(lowest, layout.depth + 1)
        labels = [notation.slots(Quantity(q.kind, layer), layout)[slot] for layer in layers]
        return QuantityError(f"{network} {form} with {slot} {_listed(labels)}")
    label = notation.slots(q, layout)[slot]
    ranges = f"neuron {neurons(q.layer)}"
    if q.kind == "w":
        ranges = f'"to" {neurons(q.layer)} and "from" {neurons(q.layer - 1)}'
    return QuantityError(f"{network} {form} with {ranges} where {slot} is {label}")


def pattern(template: Template) -> str:
    """Returns a template as a person reads it.

    Example:
        >>> pattern(Template("w^{<layer>}_{<to><from>}")), pattern(Template("b<layer>[<to>]", code=True))
        ('w^{layer}_{to,from}', 'b<layer>[<neuron>]')
    """
    source = template.source if "<from>" in template.source else template.source.replace("<to>", "<neuron>")
    if template.code:
        return source
    source = source.replace("><", ">,<").replace("<zero>", "0")
    return plain(re.sub(r"<(\w+)>", r"\1", source))


def _from_to(first: int, last: int) -> str:
    return f"{first}" if first == last else f"from {first} to {last}"


def _listed(labels: list[str]) -> str:
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} or {labels[-1]}"
