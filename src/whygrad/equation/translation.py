"""Writes an equation in another notation: every name in it, and nothing else, is written anew."""

import re
from typing import TYPE_CHECKING

from whygrad.equation.diagnosis import applied
from whygrad.equation.reader import read_chains
from whygrad.equation.tree import BigSum, Derivative, Node, Number, Ref, Symbol, walk
from whygrad.equation.trial import Change
from whygrad.equation.vocabulary import Vocabulary
from whygrad.equation.writing import Writer
from whygrad.errors import NotYetError
from whygrad.notation import Quantity

if TYPE_CHECKING:
    from whygrad.network import Network


def translate_equation(text: str, network: "Network", to: str) -> str:
    r"""Returns an equation of a network's notation in another one.

    Letters for indices stay as they are; numbers are counted as the other notation counts. A delta gets a minus where
    the two notations give it opposite signs.

    Raises:
        EquationError: The equation can't be read.
        NotYetError: It has whole arrays or numbered bounds, and the two notations lay out or count differently.

    Example:
        >>> from whygrad.network import Network
        >>> equation = r"\frac{\partial \sum C}{\partial w^0_{0,3}} = a^0_2 \delta^0_3"
        >>> print(translate_equation(equation, Network.default(), "nielsen"))
        \frac{\partial C}{\partial w^4_{11}} = a^3_1 \delta^4_1
    """
    here = Vocabulary(network.notation, network.layout)
    there = Vocabulary(network.in_notation(to), network.layout)
    writer = Writer(text, there)
    changes: dict[tuple[int, int], Change] = {}
    for chain in read_chains(text, here):
        for side in chain.sides:
            inside = {part.of for part in walk(side) if isinstance(part, Derivative)}
            for node in walk(side):
                change = _change(node, node in inside, here, there, writer)
                if change is not None:
                    changes[node.span] = change
    return applied(text, list(changes.values()))


def _change(node: Node, derived: bool, here: Vocabulary, there: Vocabulary, writer: Writer) -> Change | None:
    first = here.neurons_start() != there.neurons_start()
    if isinstance(node, BigSum) and first:
        if any(isinstance(limit, Number) for bound in node.bounds for limit in (bound.lower, bound.upper)):
            raise NotYetError(
                "a sum with numbered bounds can't be translated between notations that count differently"
            )
        return None
    ref = node.meanings[0] if isinstance(node, Symbol) else None
    if not isinstance(node, Symbol) or not isinstance(ref, Ref):
        return None
    one, other = here.notation, there.notation
    if ref.array and (one.weight_orientation, here.code) != (other.weight_orientation, there.code):
        raise NotYetError(
            f"whole arrays can't be translated from {one.name} to {other.name}: their layouts differ"
        )
    if ref.derived:
        name = writer.derivative(writer.quantity(Quantity("total")), writer.ref(ref._replace(derived=False)))
    else:
        name = writer.ref(ref)
    if ref.kind == "delta" and one.delta_sign != other.delta_sign and not derived:
        name = f"(-{name})"
    # Spaces around a name stay.
    text = writer.text[node.span[0] : node.span[1]]
    space = re.search(r"\s*\Z", text)
    return Change(node.span[0], node.span[1] - (len(space.group()) if space else 0), name)
