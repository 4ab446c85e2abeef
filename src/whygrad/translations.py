"""``wg.translate``: a quantity, or a derivative, of a network written in another notation."""

from whygrad.network import Network
from whygrad.notation import translate as translated

# What makes a text an equation and not a name.
RELATIONS = ("=", "\\leftarrow", "\\equiv", "←", "≡")


def translate(text: str, to: str, network: Network | None = None) -> str:
    """Returns a quantity, a derivative or a whole equation in another notation.

    Args:
        text: A name in the network's notation, such as ``"w^0_{0,3}"``, a derivative of two, or an equation.
        to: The notation to write it in.
        network: The network it belongs to, which says how many layers and neurons there are and how the text is
            read; the 2-3-3-2 example where there is none.

    Raises:
        EquationError: The text can't be read.
        QuantityError: The network has no such quantity.
        NotSupportedError: There is no such notation.

    Example:
        >>> translate("w^0_{0,3}", to="nielsen")
        'w^4_{11}'
    """
    network = network or Network.default()
    if any(sign in text for sign in RELATIONS):
        from whygrad.equation.translation import translate_equation

        return translate_equation(text, network, to)
    return translated(text, network.in_notation(to), network.layout, network.notation)
