"""What a function of costs returned, as entries of the graph; or what to write instead."""

import dataclasses
from collections import Counter
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from whygrad.errors import ShapeError
from whygrad.graph import Entry
from whygrad.model_names import ARRAY
from whygrad.ops import OPS
from whygrad.torch_recorder.ledger import Ledger


def cost_entries(ledger: Ledger, losses: Any) -> tuple[list[Entry], list[str]]:
    """Returns the entries that the costs are, and their names.

    Args:
        ledger: Which node each tensor is.
        losses: What was returned: a mapping of names to tensors, or one tensor.

    Raises:
        ShapeError: It is something else, or one of the costs is.
    """
    if isinstance(losses, Tensor):
        losses = {"cost": losses}
    if not isinstance(losses, Mapping) or not losses:
        raise ShapeError(
            f"costs: expected a function (model, batch) that returns a dict of named losses, "
            f"found {'an empty ' * isinstance(losses, Mapping)}{type(losses).__name__}\n"
            f"try:      {_as_dict(losses)}"
        )
    entries: list[Entry] = []
    names: list[str] = []
    for name, loss in losses.items():
        if not isinstance(loss, Tensor) or not loss.is_floating_point() or loss.dim() > 1:
            found = (
                f"a tensor {tuple(loss.shape)} of {loss.dtype}" if isinstance(loss, Tensor) else repr(loss)
            )
            raise ShapeError(
                f"costs: {name!r} must be a floating-point tensor without axes, or with one (a cost for each entry); "
                f"found {found}\n"
                f"try:      {_as_loss(loss)}"
            )
        node = ledger.input(loss, loss)
        if any(entry.node == node for entry in entries):  # each cost is a quantity of its own
            node = ledger.apply(str(name), OPS["identity"], [node], {}, loss)
        if loss.dim() == 0:
            entries.append(Entry(node, 0))
            names.append(str(name))
        else:
            entries += [Entry(node, place) for place in range(len(loss))]
            names += [f"{name}[{place}]" for place in range(len(loss))]
    if not names:
        raise ShapeError(
            f"costs: expected at least one cost, found {', '.join(map(repr, losses))} without an entry: "
            "there is no example in this batch"
        )
    twice = [name for name, many in Counter(names).items() if many > 1]
    if twice:
        raise ShapeError(
            f"costs: expected another name for each cost, found {twice[0]!r} twice (names are texts: 1 is '1', and the "
            "entries of 'a' are 'a[0]', 'a[1]', …)"
        )
    dotted = [name for name in names if ARRAY in name]
    if dotted:
        raise ShapeError(
            f"costs: {dotted[0]!r}: expected a name without {ARRAY}, which stands behind the name of an array where a "
            "cost is called like it"
        )
    return entries, names


def _as_dict(losses: Any) -> str:
    """Returns what to write for a dict of what a function of costs returned."""
    if isinstance(losses, tuple) and hasattr(losses, "_asdict"):
        return "return losses._asdict()"
    if isinstance(losses, (list, tuple)):
        return 'return {f"loss {k}": loss for k, loss in enumerate(losses)}, or with a name for each'
    if dataclasses.is_dataclass(losses):
        return "return vars(losses), with what is a loss alone"
    return 'return {"name": loss}, with a tensor for each loss'


def _as_loss(found: Any) -> str:
    """Returns what to write in the place of something that is no loss."""
    if isinstance(found, Tensor) and found.is_floating_point():
        return "its .mean() or .sum(); or .flatten(), for a cost of each entry"
    if isinstance(found, Tensor) and found.is_complex():
        return "its .abs() or .real: what is minimised is a real number"
    if isinstance(found, Tensor):
        return "leave it out: what is counted, compared or chosen has no derivative"
    if isinstance(found, Mapping):
        return "one dict of all losses, such as {**first, **second}"
    if found is None:
        return "leave it out of the dict, in a batch that has no such loss"
    return "the tensor itself: .item(), float() and NumPy cut the paths; of a constant, leave it out"
