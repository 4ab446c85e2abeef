"""Fourier transforms along one axis: products with matrices of cosines and sines, which are made only where needed."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from whygrad.arrays import Array, wide
from whygrad.formula import Symbol, Tree
from whygrad.structures import Column, Local
from whygrad.structures.local import partials_like
from whygrad.torch_recorder.matrix_function import few_enough

if TYPE_CHECKING:
    from whygrad.semirings import Element, Semiring
    from whygrad.structures.local import Settings


class Waves(NamedTuple):
    """A transform of ``size`` entries: ``r2c`` (of real numbers to complex ones), ``c2c`` or ``c2r``.

    Of real entries about half of the ``frequencies`` may be left out, which are the conjugates of the others.
    """

    kind: str
    size: int
    frequencies: int
    backwards: bool
    scale: float

    @property
    def partials(self) -> int:
        """How many partials there are."""
        return self.size * self.frequencies * (4 if self.kind == "c2c" else 2)

    def matrix(self, inputs: "Array") -> "Array":
        """Returns the partials by some inputs: (outputs, 2, inputs, 2), without the 2 on the side that is real.

        Example:
            >>> (Waves("r2c", 4, 3, False, 1.0).matrix(np.array([1])).squeeze() + 0.0).tolist()
            [[1.0, 0.0], [0.0, -1.0], [-1.0, 0.0]]
        """
        outputs = np.arange(self.size if self.kind == "c2r" else self.frequencies)
        # A quarter of a turn is exactly 0 or 1: what is 0 is no edge.
        quarters, rest = np.divmod(8 * np.arange(self.size) + self.size, 2 * self.size)
        angle = (rest - self.size) * (np.pi / 4 / self.size)
        circle = np.exp(1j * angle) * np.array([1, 1j, -1, -1j])[quarters % 4] * self.scale
        cosine, sine = circle.real, circle.imag if self.backwards else -circle.imag
        by_turn = np.array([[cosine, -sine], [sine, cosine]])  # parts of an output, of an input
        if self.kind == "r2c":
            by_turn = by_turn[:, :1]
        if self.kind == "c2r":
            by_turn = by_turn[:1]
        made = by_turn[..., outputs[:, None] * inputs % self.size]
        if self.kind == "c2r":
            made *= np.where(2 * inputs % self.size, 2, 1)
        made = np.transpose(made, (2, 0, 3, 1))
        return {"r2c": made[..., 0], "c2c": made, "c2r": made[:, 0]}[self.kind]


class Fourier(NamedTuple):
    """A transform along an axis of an array (counted from the front), of pairs where it is complex.

    The gradient is a transform too, and takes PyTorch's own. Every other semiring needs the partials, and so do paths.
    """

    run: Callable[[Tensor], Tensor]
    axis: int
    waves: Waves

    def value(self, inputs: tuple[Any, ...], settings: "Settings", xp: Any) -> Any:
        """Returns the transform of another array."""
        return self.run(*inputs)

    def formula(self, which: int, settings: "Settings") -> Tree:
        """Returns the name of the matrix's entries."""
        return Symbol("F")

    def pull(
        self, semiring: "Semiring", cotangent: "Element", local: Local, which: int, marked: bool
    ) -> "Element":
        """Returns the transform turned round for the gradient, and the product with the matrix otherwise.

        Raises:
            NotSupportedError: The matrix would have too many entries.
        """
        (x,), out, xp = local.inputs, local.output, local.xp
        if semiring.name == "gradient":
            (rows,) = cotangent
            assert rows is not None
            with torch.enable_grad():  # linear: the derivative is the same everywhere
                anywhere = rows.new_zeros((rows.shape[0], *x.shape), requires_grad=True)
                (pulled,) = torch.autograd.grad(self.run(anywhere), anywhere, rows)
            return (pulled,)
        few_enough(
            f"a Fourier transform of {self.waves.size} entries",
            self.waves.partials,
            "or transforms of shorter pieces (torch.stft)",
        )
        known = self.waves.matrix(np.arange(x.shape[self.axis]))
        matrix = torch.as_tensor(known, dtype=out.dtype, device=out.device)
        lifted = tuple(
            None if part is None else xp.where(matrix != 0, part, wide(none, part, xp))
            for part, none in zip(semiring.lift(matrix, xp), semiring.absent(), strict=False)
        )
        beside = [f"a{place}" for place in range(len(out.shape) - (self.waves.kind != "c2r"))]
        ends = []
        for name, two in (("out", self.waves.kind != "c2r"), ("in", self.waves.kind != "r2c")):
            pair = (f"{name} part",) if two else ()
            ends.append(((name, *pair), ("row", *beside[: self.axis], name, *beside[self.axis + 1 :], *pair)))
        (of_out, whole_out), (of_in, whole_in) = ends
        return semiring.contract(cotangent, lifted, (whole_out, of_out + of_in, whole_in), xp, marked)

    def column(self, local: Local, which: int, position: int) -> Column:
        """Returns all outputs along the axis, but those in which an entry has no part."""
        out = local.output
        at = [np.array([index]) for index in np.unravel_index(position, tuple(local.inputs[0].shape))]
        partials = self.waves.matrix(at[self.axis])
        partials = partials[:, 0] if self.waves.kind == "c2r" else partials[:, :, 0]
        if self.waves.kind != "r2c":
            partials = partials[..., int(at.pop()[0])]
        at[self.axis] = np.arange(out.shape[self.axis])
        if self.waves.kind != "c2r":
            at.append(np.arange(2))
        along = np.ravel_multi_index(np.ix_(*at), tuple(out.shape)).reshape(partials.shape)
        there = partials != 0
        return Column(along[there], partials_like(partials[there], out, (int(there.sum()),)))
