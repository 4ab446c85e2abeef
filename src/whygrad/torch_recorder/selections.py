"""Operations that move, pick or repeat entries: PyTorch says itself which entry goes where.

The operation is run on positions instead of values (see :class:`whygrad.structures.Selection`): what is filled in
(padding, a mask) must be 0 then, which marks what comes from nowhere.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from whygrad.ops import Op, application
from whygrad.structures import Selection
from whygrad.torch_recorder.memory import Source

if TYPE_CHECKING:
    from whygrad.torch_recorder.ledger import Ledger


def _apply(*arrays: Any, apply: Callable[..., Any]) -> Any:
    return apply(*arrays)


@cache
def moved(name: str, inputs: int, rows: bool = False) -> Op:
    """Returns the operation that moves the entries, or whole rows, of some inputs; the setting ``apply`` says how."""
    arguments = tuple(f"x{number}" for number in range(inputs)) if inputs > 1 else ("x",)
    return application(name, arguments, Selection(arguments, _apply, rows))


def selected(
    ledger: "Ledger",
    name: str,
    run: Callable[..., Tensor],
    nodes: Sequence[int],
    out: Tensor,
    rows: bool = False,
) -> int:
    """Returns the node of an operation that moves entries; ``run`` does it with positions in the place of values."""
    return ledger.apply(name, moved(name, len(nodes), rows), nodes, {"apply": run}, out)


def picked(source: Source, like: Tensor) -> Op:
    """Returns the operation that picks a tensor's entries from the nodes that were written to its memory."""
    shape = like.shape

    def select(*arrays: Tensor) -> Tensor:
        flat = torch.cat([x.reshape(-1) for x in arrays])
        starts = torch.tensor([0, *(x.numel() for x in arrays)])[:-1].cumsum(0)
        index = (starts[source.which.clamp(min=0)] + source.place).to(flat.device)
        known = (source.which >= 0).to(flat.device)
        return torch.where(known, flat[index], flat.new_zeros(())).reshape(shape)

    arguments = tuple(f"x{number}" for number in range(len(source.nodes)))
    return application("written", arguments, Selection(arguments, select))
