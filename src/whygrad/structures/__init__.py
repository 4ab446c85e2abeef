"""The structures of a local Jacobian: which entries of an operation's inputs each entry of its output depends on.

A structure knows three things once for all operations that have it: the partials as an array, how a cotangent is
pulled back through them under any semiring (:meth:`Structure.pull`), and the column of the Jacobian that belongs to
one entry of an input (:meth:`Structure.column`), which is what a path takes as its next step.

Shapes: a cotangent's components have the cost axis first, then the shape of the node's value.
"""

from whygrad.structures.affine import Affine
from whygrad.structures.convolution import Convolution
from whygrad.structures.dense import DenseAlongAxis
from whygrad.structures.elementwise import Elementwise
from whygrad.structures.kernels import axis_numbers, room
from whygrad.structures.local import Column, Local, Structure, constant, settled
from whygrad.structures.per_axis import PerAxis, adaptive_windows, average_windows
from whygrad.structures.product import Contraction
from whygrad.structures.reduction import Reduction
from whygrad.structures.selection import Selection

__all__ = [
    "Affine",
    "Column",
    "Contraction",
    "Convolution",
    "DenseAlongAxis",
    "Elementwise",
    "Local",
    "PerAxis",
    "Reduction",
    "Selection",
    "Structure",
    "adaptive_windows",
    "average_windows",
    "axis_numbers",
    "constant",
    "room",
    "settled",
]
