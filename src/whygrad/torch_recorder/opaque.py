"""Operations that nobody declared: the plain gradient goes through them, and nothing else does."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from whygrad.formula import Number, Tree
from whygrad.ops import Op, application
from whygrad.structures import Column, Local
from whygrad.torch_recorder.draws import Draws

if TYPE_CHECKING:
    from whygrad.semirings import Element, Semiring


class Opaque(NamedTuple):
    """A Jacobian that only PyTorch knows: it is pulled back through as a whole, never looked into."""

    again: Callable[..., Any]
    place: int | None

    def value(self, inputs: tuple[Any, ...], settings: Mapping[str, Any], xp: Any) -> Any:
        """Returns the operation's result on other inputs."""
        made = self.again(*inputs)
        return made if self.place is None else made[self.place]

    def formula(self, which: int, settings: Mapping[str, Any]) -> Tree:
        """Returns nothing that could be read: 0, since no path is known."""
        return Number(0)

    def pull(
        self, semiring: "Semiring", cotangent: "Element", local: Local, which: int, marked: bool
    ) -> "Element":
        """Returns PyTorch's own derivative for the gradient, and no path for every other semiring."""
        shape = tuple(local.inputs[which].shape)
        if semiring.name != "gradient":
            known = next(part for part in cotangent if part is not None)
            return tuple(known.new_full((known.shape[0], *shape), none) for none in semiring.absent())
        (rows,) = cotangent
        assert rows is not None
        with torch.enable_grad():
            inputs = tuple(x.detach().requires_grad_(place == which) for place, x in enumerate(local.inputs))
            out = self.value(inputs, local.settings, local.xp)
            made = [
                torch.autograd.grad(out, inputs[which], row, retain_graph=True, materialize_grads=True)[0]
                for row in rows
            ]
        return (torch.stack(made),)

    def column(self, local: Local, which: int, position: int) -> Column:
        """Returns no step: paths end here."""
        return Column(np.zeros(0, dtype=np.int64), np.zeros(0))


def drawn_again(run: Callable[..., Any], drawn: Draws) -> Callable[..., Any]:
    """Returns a function that draws the same random numbers each time."""

    def same(*inputs: Any) -> Any:
        with drawn.again():
            return run(*inputs)

    return same


def opaque(name: str, again: Callable[..., Any], inputs: int, place: int | None) -> Op:
    """Returns the operation of one application that nobody declared, which can be done again with other inputs."""
    arguments = tuple(f"x{number}" for number in range(inputs))
    return application(name, arguments, Opaque(again, place))
