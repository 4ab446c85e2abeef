"""Finds a notation, puts a person's own names on top of one, and translates between two."""

from collections.abc import Mapping

from whygrad.errors import EquationError, NotSupportedError, near
from whygrad.notation.naming import NEURON_OVER_LAYER, NOTATIONS, Notation
from whygrad.notation.quantity import Layout


def notation(name: str) -> Notation:
    """Returns the notation of a name.

    Raises:
        NotSupportedError: there is none; the message lists them all and names the nearest.

    Example:
        >>> notation("nielsen")
        <notation nielsen>
    """
    found = NOTATIONS.get(name)
    if found is None:
        meant = near(name.lower(), NOTATIONS) or "."
        raise NotSupportedError(f"there is no notation {name!r}{meant} There are {', '.join(NOTATIONS)}.")
    return found


def with_names(base: Notation, names: Mapping[str, str]) -> Notation:
    r"""Returns a notation with a person's own names on top of another; they print and are read first.

    Args:
        base: what names the rest.
        names: the name as written -> the quantity in `neuron-over-layer`. Right sides that are no plain
            quantity are kept in `.aliases`.

    Example:
        >>> own = with_names(notation("nielsen"), {"w_5": "w^0_{0,2}", "E_{total}": "total", r"\eta": "0.5"})
        >>> layout = Layout((2, 2, 2))
        >>> translate("dC/dw^3_{11}", own, layout, frm="nielsen"), own.aliases
        ('dE_{total}/dw_5', {'\\eta': '0.5'})
    """
    own = Notation(base.record)
    own.names.update(base.names)
    own.aliases.update(base.aliases)
    for name, text in names.items():
        own.names.pop(name, None)
        own.aliases.pop(name, None)
        try:
            found = NEURON_OVER_LAYER.readings(text)
        except EquationError:
            found = []
        # Layers counted from the end hang on the network, which isn't known here: such a name stays a text.
        numbers = all(index.isdigit() for reading in found for index in reading.indices.values())
        q = NEURON_OVER_LAYER.quantity(found[0], Layout(())) if len(found) == 1 and numbers else None
        if q is None:
            own.aliases[name] = text
        else:
            own.names[name] = q
    return own


def translate(
    text: str, to: str | Notation, layout: Layout, frm: str | Notation = "neuron-over-layer"
) -> str:
    r"""Returns a quantity, or a derivative of one by another, in another notation.

    LaTeX comes back as LaTeX, Unicode as Unicode, plain text as plain text. A delta gets a minus where the
    two notations give it opposite signs.

    Example:
        >>> layout = Layout((2, 3, 3, 2))
        >>> translate("w^0_{0,3}", "nielsen", layout), translate("W^{[2]}_{11}", "cs231n", layout, frm="ng")
        ('w^4_{11}', 'W2[0, 0]')
        >>> translate(r"\frac{\partial C}{\partial w^0_{0,2}}", "pytorch", layout)
        '\\texttt{net[2].weight.grad[0, 0]}'
        >>> translate("dC/dw^0_{0,2}", "ng", layout)
        'dW^{[2]}_{11}'
    """
    here = notation(frm) if isinstance(frm, str) else frm
    there = notation(to) if isinstance(to, str) else to
    pair = here.parse_derivative(text, layout)
    named = pair or (here.parse(text, layout),)
    if pair is not None and "\\" in text:
        says = there.derivative(*pair, layout)
    elif pair is not None:
        says = there.derivative_text(*pair, layout, unicode=not text.isascii())
    else:
        printed = there.latex if "\\" in text else there.text if text.isascii() else there.unicode
        says = printed(named[0], layout)
    deltas = [q.kind for q in named].count("delta")
    return f"-{says}" if deltas == 1 and here.delta_sign != there.delta_sign else says
