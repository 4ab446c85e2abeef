r"""Names of quantities in each notation: prints them, reads them, translates between them.

A quantity has one canonical form, `Quantity`, with layers and neurons counted from 0. What it is called is a
matter of the `Notation`, which is made from one record of `table.py`; a new notation is one more record.

Example:
    >>> layout = Layout((2, 3, 3, 2))
    >>> weight = notation("neuron-over-layer").parse("w^0_{0,2}", layout)
    >>> weight
    Quantity(kind='w', layer=2, to=0, source=0)
    >>> for name in "nielsen", "3blue1brown", "ng", "ufldl", "cs231n", "pytorch":
    ...     print(notation(name).text(weight, layout))
    w^3_{11}
    w^{(L-1)}_{00}
    W^{[2]}_{11}
    W^{(2)}_{11}
    W2[0, 0]
    net[2].weight[0, 0]
"""

from whygrad.notation.naming import NOTATIONS, Notation, Reading
from whygrad.notation.quantity import KINDS, Layout, Quantity, quantities
from whygrad.notation.translation import notation, translate, with_names

__all__ = [
    "KINDS",
    "NOTATIONS",
    "Layout",
    "Notation",
    "Quantity",
    "Reading",
    "notation",
    "quantities",
    "translate",
    "with_names",
]
