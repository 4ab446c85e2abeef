"""Parts of a gradient: what each of several senders sends back to one place."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from whygrad.arrays import Array, beside, cast, in_numpy, inner_products
from whygrad.errors import QuantityError, near, some
from whygrad.gradients import cosines_of
from whygrad.model_record import Record
from whygrad.structures.pieces import slices


class Parts(NamedTuple):
    """Parts of a sum: of what each of several senders sends back to one place, for each cost.

    Args:
        place: The name of the value that they send to.
        costs: The names of the costs.
        senders: The names of the senders.
        gramian: The inner products of what they send: (costs, senders, senders).
        sides: For each sender at a residual add: ``skip``, ``block``, or nothing.
        kind: ``users``, or ``heads`` (of attention).

    Example:
        >>> parts = Parts("h", ("c",), ("a", "b"), np.array([[[4.0, -1.0], [-1.0, 1.0]]]))
        >>> parts.norms.tolist(), parts.cosines[0, 0, 1], parts.whole.tolist() == [3**0.5]
        ([[2.0], [1.0]], np.float64(-0.5), True)
    """

    place: str
    costs: tuple[str, ...]
    senders: tuple[str, ...]
    gramian: Array
    sides: tuple[str, ...] = ()
    kind: str = "users"

    @property
    def norms(self) -> Array:
        """The norm of what each sender sends back, (senders, costs)."""
        return np.sqrt(np.maximum(np.einsum("kss->sk", self.gramian), 0.0))

    @property
    def cosines(self) -> Array:
        """The cosines between what the senders send back, (costs, senders, senders); NaN where one sends nothing."""
        return cosines_of(self.gramian)

    @property
    def whole(self) -> Array:
        """The norm of the sum of all that is sent back, (costs,); 0 where it is less than rounding says."""
        squares, terms = self.gramian.sum(axis=(1, 2)), np.abs(self.gramian).sum(axis=(1, 2))
        return np.sqrt(np.where(squares > 4 * np.finfo(float).eps * terms, squares, 0.0))

    def grouped(self, groups: Sequence[str]) -> "Parts":
        """Returns the parts with senders of one group (a name for each) added up."""
        names = tuple(dict.fromkeys(groups))
        member = np.array([[group == name for group in groups] for name in names], dtype=float)
        return self._replace(senders=names, gramian=member @ self.gramian @ member.T, sides=names)

    @property
    def skip_against_block(self) -> "Parts | None":
        """The two sides of a residual add by themselves; nothing where this value is not at one."""
        if not {"skip", "block"} <= set(self.sides):
            return None
        kept = [place for place, side in enumerate(self.sides) if side]
        some = self._replace(
            senders=tuple(self.senders[place] for place in kept), gramian=self.gramian[:, kept][:, :, kept]
        )
        return some.grouped([self.sides[place] for place in kept])

    def __str__(self) -> str:
        from whygrad.render.branches_text import parts_text

        return parts_text(self)

    def __repr__(self) -> str:
        return f"Parts({self.place}: {some(self.senders)}; costs {some(self.costs)})"

    def rows(self) -> list[dict[str, Any]]:
        """Returns a dictionary for each sender and cost, ready for a table."""
        norms = self.norms
        return [
            {
                "place": self.place,
                "sender": sender,
                "side": self.sides[s] if self.sides else "",
                "cost": cost,
                "norm": float(norms[s, k]),
            }
            for s, sender in enumerate(self.senders)
            for k, cost in enumerate(self.costs)
        ]


def gramian_of(sent: Sequence[Array], xp: Any) -> Array:
    """Returns the inner products (rows, senders, senders) of arrays (rows, …)."""
    flat = [beside(part, sent[0]).reshape(part.shape[0], -1) for part in sent]
    made = np.zeros((flat[0].shape[0], len(sent), len(sent)))
    for here in slices((flat[0].shape[1],)):
        piece = xp.stack([part[:, here] for part in flat], axis=1)
        # What the sum's norm is made of cancels, so single precision would leave it half of its digits.
        made += in_numpy(inner_products(cast(piece, xp.float64), xp))
    return made


def is_inside(path: str, module: str) -> bool:
    """Returns whether a module is another or inside it; the whole model is the empty path."""
    return not module or path == module or path.startswith(f"{module}.")


def check_module(record: Record, module: str) -> None:
    """Raises an error where no module with this path ran.

    Raises:
        QuantityError: With the paths that there are.
    """
    if not any(is_inside(path, module) for path in record.modules):
        known = sorted({path for path in record.modules if path})
        raise QuantityError(
            f"expected the path of a module that ran ({some(known, 12) or 'there is none'}), found {module!r}"
            f"{near(module, known)}"
        )
