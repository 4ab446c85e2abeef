"""Keys: the short name of a quantity in documents, addresses and requests; the same in every notation."""

import re

from whygrad.errors import QuantityError
from whygrad.notation import Quantity

_KEY = re.compile(r"(?:(w)(\d+)\.(\d+)\.(\d+)|([bazd])(\d+)\.(\d+)|([yC])(\d+)|(R|total))", re.ASCII)


def key(q: Quantity) -> str:
    """Returns a quantity's key: its kind, then layer, neuron and, for a weight, where it comes from.

    Example:
        >>> key(Quantity("w", 3, 0, 1)), key(Quantity("a", 2, 1)), key(Quantity("C", None, 0))
        ('w3.0.1', 'a2.1', 'C0')
    """
    kind = "d" if q.kind == "delta" else q.kind
    return kind + ".".join(str(index) for index in q[1:] if index is not None)


def quantity(text: str) -> Quantity:
    """Returns the quantity that a key stands for, whether or not some network has it.

    Raises:
        QuantityError: The text is no key.

    Example:
        >>> quantity("w3.0.1")
        Quantity(kind='w', layer=3, to=0, source=1)
    """
    match = _KEY.fullmatch(text) if len(text) < 60 else None
    if match is None:
        raise QuantityError(f"key: expected one such as w1.0.0, a2.1, C0 or total, found {text[:60]!r}")
    weight, w_layer, to, source, neuron, layer, place, end, output, alone = match.groups()
    if weight:
        return Quantity("w", int(w_layer), int(to), int(source))
    if neuron:
        return Quantity("delta" if neuron == "d" else neuron, int(layer), int(place))
    return Quantity(end, None, int(output)) if end else Quantity(alone)
