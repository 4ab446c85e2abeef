r"""The formula language: one text is evaluated on arrays, printed as code, as LaTeX and as plain text.

An operation declares its value and its partials as formulas such as ``"1 - y^2"``. A formula is read once into a
tree of :class:`Number`, :class:`Symbol` and :class:`Apply`; everything else walks that tree. The functions that a
formula may call are the rows of :data:`FUNCTIONS`, and the ways to write one down are the rows of :data:`STYLES`.

The syntax is Python's for expressions, except that ``^`` is the power, as people write it.
"""

from whygrad.formula.evaluation import SCALAR_NAMES, compiled, numpy_names
from whygrad.formula.functions import FUNCTIONS, STYLES, Function
from whygrad.formula.printing import show
from whygrad.formula.tree import Apply, Number, Symbol, Tree, parse, substitute, symbols

__all__ = [
    "FUNCTIONS",
    "SCALAR_NAMES",
    "STYLES",
    "Apply",
    "Function",
    "Number",
    "Symbol",
    "Tree",
    "compiled",
    "numpy_names",
    "parse",
    "show",
    "substitute",
    "symbols",
]
