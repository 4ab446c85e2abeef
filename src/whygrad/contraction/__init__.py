"""Contractions of two labelled arrays: with sums as matrix products, with maxima in blocks that stay in the cache.

A contraction is written with one label for each axis: ``(r, n, o), (o, i) -> (r, n, i)`` multiplies entries with
equal labels and joins over the labels that the result lacks.
"""

from whygrad.contraction.best import SIGNED_LARGEST, Tracks, contract_best, contract_strongest
from whygrad.contraction.plan import Labels
from whygrad.contraction.sums import contract_ones, contract_sum

__all__ = [
    "SIGNED_LARGEST",
    "Labels",
    "Tracks",
    "contract_best",
    "contract_ones",
    "contract_strongest",
    "contract_sum",
]
