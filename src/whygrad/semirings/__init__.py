"""Semirings: the ways to add up paths. Each is one entry in the table :data:`SEMIRINGS`.

A path's contribution is the product (``times``) of the partials along it; a quantity's value is the ``plus`` of the
contributions of all its paths. One backward sweep computes that for every quantity at once, as long as times
distributes over plus (Mohri, *Semiring frameworks and algorithms for shortest-distance problems*, 2002).

An *element* is a tuple of arrays, its components, all of one shape. There are two families:

* :class:`SumSemiring`: plus is the sum of each component, and times is bilinear in the components. A whole
  contraction is then a few matrix products at BLAS speed.
* :class:`OrderSemiring`: plus keeps one of the two. Contractions go through blocks that stay in the cache.
"""

from whygrad.semirings.element import Element
from whygrad.semirings.orders import OrderSemiring
from whygrad.semirings.sums import SumSemiring
from whygrad.semirings.table import SEMIRINGS, Semiring, sum_of_entropies

__all__ = ["SEMIRINGS", "Element", "OrderSemiring", "Semiring", "SumSemiring", "sum_of_entropies"]
