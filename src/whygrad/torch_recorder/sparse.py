"""Sparse tensors as the array of their entries, and where each stands: paths go through entries that are there."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils._mode_utils import no_dispatch


class Entries(NamedTuple):
    """The entries of a sparse tensor: ``places`` (axes, count) in ascending order, and ``values`` (count, …)."""

    places: Tensor
    values: Tensor
    shape: tuple[int, ...]

    @staticmethod
    def of_constant(tensor: Tensor) -> "Entries":
        """Returns the entries of a sparse tensor through which no path goes.

        Example:
            >>> entries = Entries.of_constant(torch.tensor([[0.0, 2.0], [3.0, 0.0]]).to_sparse())
            >>> entries.places.tolist(), entries.values.tolist()
            ([[0, 1], [1, 0]], [2.0, 3.0])
        """
        with no_dispatch():
            coo = tensor.detach()
            coo = (
                coo if coo.layout == torch.sparse_coo else coo.to_sparse(layout=torch.sparse_coo)
            ).coalesce()
            return Entries(coo.indices(), coo.values(), tuple(coo.shape))

    @staticmethod
    def added_up(places: Tensor, values: Tensor, shape: tuple[int, ...]) -> "Entries":
        """Returns entries in ascending order, with those that stand at one place added up.

        Example:
            >>> places = torch.tensor([[1, 0, 1], [0, 1, 0]])
            >>> Entries.added_up(places, torch.tensor([1.0, 2.0, 3.0]), (2, 2)).values
            tensor([2., 4.])
        """
        with no_dispatch():
            flat = numbered(places, shape)
            if bool((flat[1:] > flat[:-1]).all()):
                return Entries(places, values, shape)
            each, which = torch.unique(flat, return_inverse=True)
            ordered = torch.stack(torch.unravel_index(each, shape[: len(places)]))
            order = torch.argsort(which)
        if len(each) == len(flat):
            return Entries(ordered, values.index_select(0, order), shape)
        none = values.new_zeros((len(each), *values.shape[1:]))
        return Entries(ordered, none.index_add(0, which, values), shape)


def numbered(places: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Returns the number of each place among all, row by row.

    Example:
        >>> numbered(torch.tensor([[1, 0], [2, 1]]), (2, 3)).tolist()
        [5, 1]
    """
    flat = places.new_zeros(places.shape[1])
    for at, size in zip(places, shape, strict=False):
        flat = flat * size + at
    return flat
