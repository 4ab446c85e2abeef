"""Functions of whole matrices: every entry of the result depends on every entry of the matrix, as PyTorch says how."""

from collections.abc import Callable, Mapping
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from whygrad.arrays import in_numpy
from whygrad.errors import NotSupportedError
from whygrad.formula import Symbol, Tree
from whygrad.semirings import SEMIRINGS
from whygrad.structures import Column, Local
from whygrad.torch_recorder.opaque import Opaque

if TYPE_CHECKING:
    from whygrad.semirings import Element, Semiring

# More partials than this (256 MiB of float64) are not made.
MOST_PARTIALS = 2**25


def few_enough(of: str, partials: int, instead: str) -> None:
    """Refuses to write down more partials than memory takes.

    Raises:
        NotSupportedError: There are too many.
    """
    if partials > MOST_PARTIALS:
        raise NotSupportedError(
            f"{of}: for this there would be {partials} partials to be written down.\n"
            f"expected: at most {MOST_PARTIALS}\n"
            f"try:      the gradient, which needs none of them, {instead}"
        )


class MatrixFunction(NamedTuple):
    """A Jacobian of which PyTorch says every entry: inverses, solutions, determinants, factorisations.

    Unlike :class:`Opaque` it is known which entries there are: all pairs of an entry of one matrix and an entry of what
    is made of it. ``matrices`` is how many leading axes number the matrices of a batch. The gradient is PyTorch's own
    and needs no Jacobian; every other semiring does, and so do paths.

    Source: ``torch.linalg``; for the inverse Y of X the partial of Y[k, l] by X[i, j] is -Y[k, i] Y[j, l].
    """

    again: Callable[..., Any]
    place: int | None
    matrices: int
    known: dict[int, Tensor]

    @property
    def whole(self) -> Opaque:
        """The same operation as one that is never looked into."""
        return Opaque(self.again, self.place)

    def value(self, inputs: tuple[Any, ...], settings: Mapping[str, Any], xp: Any) -> Any:
        """Returns the operation's result on other inputs."""
        return self.whole.value(inputs, settings, xp)

    def formula(self, which: int, settings: Mapping[str, Any]) -> Tree:
        """Returns the name of the Jacobian's entries."""
        return Symbol("J")

    def partials(self, local: Local, which: int) -> Tensor:
        """Returns the partials (matrices, entries of the result, entries of the input).

        Raises:
            NotSupportedError: There are too many.
        """
        if which not in self.known:
            many, out, entries = self._sizes(local, which)
            shape = tuple(local.inputs[which].shape)
            few_enough(f"a function of a matrix {shape}", many * out * entries, "or a smaller matrix")
            like = local.output.new_zeros(())
            units = torch.eye(out, dtype=like.dtype, device=like.device)
            # the same entry of every matrix at once: a matrix of a batch has nothing to do with the others
            rows = units[:, None].expand(out, many, out).reshape(out, *local.output.shape)
            (pulled,) = self.whole.pull(SEMIRINGS["gradient"], (rows,), local, which, False)
            assert pulled is not None
            self.known[which] = pulled.reshape(out, many, entries).movedim(0, 1)
        return self.known[which]

    def _sizes(self, local: Local, which: int) -> tuple[int, int, int]:
        shapes = tuple(local.output.shape), tuple(local.inputs[which].shape)
        many = prod(shapes[1][: self.matrices])
        out, entries = (prod(shape[self.matrices :]) for shape in shapes)
        return many, out, entries

    def pull(
        self, semiring: "Semiring", cotangent: "Element", local: Local, which: int, marked: bool
    ) -> "Element":
        """Returns PyTorch's own derivative for the gradient, and the contraction with the Jacobian otherwise."""
        if semiring.name == "gradient":
            return self.whole.pull(semiring, cotangent, local, which, marked)
        many, out, _ = self._sizes(local, which)
        labels = (("row", "m", "o"), ("m", "o", "i"), ("row", "m", "i"))
        flat = tuple(None if part is None else part.reshape(-1, many, out) for part in cotangent)
        lifted = semiring.lift(self.partials(local, which), local.xp)
        made = semiring.contract(flat, lifted, labels, local.xp, marked)
        shape = tuple(local.inputs[which].shape)
        return tuple(None if part is None else part.reshape(part.shape[0], *shape) for part in made)

    def column(self, local: Local, which: int, position: int) -> Column:
        """Returns every entry of what is made of the entry's matrix."""
        _, out, entries = self._sizes(local, which)
        matrix, place = divmod(position, entries)
        partials = in_numpy(self.partials(local, which)[matrix, :, place])
        return Column(np.arange(matrix * out, (matrix + 1) * out), partials)
