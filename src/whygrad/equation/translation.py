"""Writes an equation in another notation: every name in it, and nothing else, is written anew."""

import re
from typing import TYPE_CHECKING

from whygrad.equation.diagnosis import applied
from whygrad.equation.reader import read_chains
from whygrad.equation.scripts import scripts_after
from whygrad.equation.tree import BigSum, Derivative, Node, Number, Ref, Symbol, Transposed, walk
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
        NotYetError: It has whole arrays, and one notation is code with examples in rows; or bounds that are no numbers.

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
            turned: set[Node] = set()
            for node in walk(side):
                if node in turned:
                    continue
                change = _turned(node, here, there, writer)
                if change is not None:
                    turned.update(walk(node))
                else:
                    change = _change(node, node in inside, here, there, writer)
                if change is not None:
                    changes[change.start, change.end] = change
    return applied(text, list(changes.values()))


def _turned(node: Node, here: Vocabulary, there: Vocabulary, writer: Writer) -> Change | None:
    """Returns what a matrix of weights is where rows and columns stand the other way round; None for other parts."""
    if here.code or there.code or here.notation.weight_orientation == there.notation.weight_orientation:
        return None
    if isinstance(node, Transposed):
        ref = _weights(node.of)
        return None if ref is None else Change(*node.span, writer.ref(ref))
    if isinstance(node, Derivative) and _weights(node.by) is not None:
        of, by = (part.meanings[0] if isinstance(part, Symbol) else None for part in (node.of, node.by))
        if isinstance(of, Ref) and isinstance(by, Ref):
            made = writer.derivative(writer.ref(of), writer.ref(by))
            return Change(*node.span, writer.transposed(f"({made})"))
    ref = _weights(node)
    if ref is None:
        return None
    name = writer.ref(ref._replace(derived=False))
    if ref.derived:
        name = f"({writer.derivative(writer.quantity(Quantity('total')), name)})"
    return Change(*node.span, writer.transposed(name))


def _weights(node: Node) -> Ref | None:
    ref = node.meanings[0] if isinstance(node, Symbol) else None
    return ref if isinstance(ref, Ref) and ref.array and ref.kind == "w" else None


def _counted(node: BigSum, here: Vocabulary, there: Vocabulary, text: str) -> Change | None:
    """Returns the sign of a sum with its numbers as the other notation counts them."""
    if not any(isinstance(limit, Number) for bound in node.bounds for limit in (bound.lower, bound.upper)):
        return None
    (bound, *others) = node.bounds
    match = re.compile(r"\\?(?:sum|Σ|∑)").match(text, node.span[0])
    step = there.neurons_start() - here.neurons_start()
    whole = isinstance(bound.lower, Number) and (bound.upper is None or isinstance(bound.upper, Number))
    if others or match is None or not whole or not isinstance(bound.lower, Number):
        raise NotYetError(
            "these bounds of a sum can't be translated between notations that count differently"
        )
    scripts = scripts_after(text, match.end(), len(text))[0]
    lower = int(bound.lower.value) + step
    upper = f"^{{{int(bound.upper.value) + step}}}" if isinstance(bound.upper, Number) else ""
    end = scripts[-1].end if scripts else match.end()
    return Change(node.span[0], end, f"{match.group()}_{{{bound.letter}={lower}}}{upper}")


def _change(node: Node, derived: bool, here: Vocabulary, there: Vocabulary, writer: Writer) -> Change | None:
    if isinstance(node, BigSum) and here.neurons_start() != there.neurons_start():
        return _counted(node, here, there, writer.text)
    ref = node.meanings[0] if isinstance(node, Symbol) else None
    if not isinstance(node, Symbol) or not isinstance(ref, Ref):
        return None
    one, other = here.notation, there.notation
    if ref.array and here.code != there.code:
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
