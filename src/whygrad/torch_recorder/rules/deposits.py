"""Entries that are added into an array."""

from collections.abc import Callable
from typing import Any, NamedTuple

import array_api_compat.torch as xp
import numpy as np
import torch
from torch import Tensor

from whygrad.ops import application
from whygrad.torch_recorder.deposit import Deposit
from whygrad.torch_recorder.rules.entry import rule, written
from whygrad.torch_recorder.rules.moves import selection
from whygrad.torch_recorder.selections import selected
from whygrad.torch_recorder.tracer import Call

aten = torch.ops.aten


@rule("scatter_add", "scatter_reduce", "index_add", "index_put", "_unsafe_index_put", "put")
def _deposit(call: Call) -> Any:
    given = call.given
    base = given["self"]
    if call.name.endswith("put"):
        if not given["accumulate"]:
            return selection(call)
        source = given["source" if call.name == "put" else "values"]
        indices = given["index" if call.name == "put" else "indices"]
    else:
        source, indices = given.get("src", given.get("source")), given["index"]
    if call.name == "scatter_reduce" and (given["reduce"] != "sum" or not given["include_self"]):
        return _joined(call)
    if given.get("alpha", 1) != 1:
        return NotImplemented
    places = torch.arange(base.numel(), device=base.device).reshape(base.shape)
    if call.name.startswith("scatter"):
        window = tuple(slice(0, size) for size in indices.shape)
        if source.shape != indices.shape:
            return NotImplemented
        targets = places.gather(given["dim"], indices) if base.dim() else places[window]
    elif call.name == "index_add":
        targets = places.index_select(given["dim"], indices)
    elif call.name == "put":
        targets = places.take(indices)
    else:
        targets = aten.index.Tensor(places, list(indices))
    shape = np.broadcast_shapes(tuple(targets.shape), tuple(source.shape))
    op = application(call.name, ("base", "x"), Deposit(targets.expand(shape)))
    made = call.ledger.input(source, source)
    if tuple(source.shape) != shape:
        made = selected(
            call.ledger, "expand", lambda t: t.expand(shape), [made], source.detach().expand(shape)
        )
    return call.ledger.apply(call.name, op, [call.ledger.input(base, base), made], {}, call.out)


@rule("col2im")
def _fold(call: Call) -> Any:
    given, x = call.given, call.given["self"]
    (height, width), (above, left) = given["output_size"], given["padding"]
    channels = x.shape[-2] // (given["kernel_size"][0] * given["kernel_size"][1])
    shape = (*x.shape[:-2], channels, height + 2 * above, width + 2 * left)
    base = torch.zeros(shape, dtype=x.dtype, device=x.device)
    places = torch.arange(base.numel(), device=x.device, dtype=torch.float64).reshape(shape)
    moved = aten.im2col.default(places, given["kernel_size"], given["dilation"], [0, 0], given["stride"])
    op = application(call.name, ("base", "x"), Deposit(moved.long()))
    value = op.structure.value((base, x.detach()), {}, xp)
    inputs = [call.ledger.constant(base), call.ledger.input(x, x)]
    node = call.ledger.apply(call.name, op, inputs, {}, value)
    return selected(
        call.ledger,
        "slice",
        lambda t: t[..., above : above + height, left : left + width],
        [node],
        call.out,
    )


@rule("segment_reduce")
def _segments(call: Call) -> Any:
    given, out = call.given, call.out
    data, axis, how, start = given["data"], given["axis"], given["reduce"], given["initial"]
    lengths = given["lengths"] if given["lengths"] is not None else given["offsets"].diff()
    places = torch.arange(data.shape[axis], device=data.device).expand(*data.shape[:axis], -1)
    number = torch.searchsorted(lengths.cumsum(-1), places.contiguous(), right=True)
    if number.numel() and int(number.max()) >= lengths.shape[-1]:
        return NotImplemented  # entries that are in no segment
    at = number.reshape(*number.shape, *(1,) * (data.dim() - axis - 1)).expand(data.shape)

    def make() -> Any:
        if how in ("max", "min"):
            ours = data.detach() == out.gather(axis, at)
            blank = torch.zeros_like(out)
            many = blank.scatter_add(axis, at, ours.to(out.dtype)).clamp(min=1)
            return blank.scatter_add(axis, at, data.masked_fill(~ours, 0)) / many
        base = torch.full_like(out, (how == "prod") if start is None else start)
        if how == "prod":
            return _Joined(base, data, axis, at, torch.zeros_like(base, dtype=torch.bool), out).multiplied()
        added = base.scatter_add(axis, at, data)
        if how == "sum":
            return added
        return added / lengths.clamp(min=1).reshape(*lengths.shape, *(1,) * (data.dim() - axis - 1))

    return written(call, make)


# Entries that are joined where they are deposited: averaged, multiplied, the largest or smallest


@rule("index_reduce")
def _index_reduce(call: Call) -> Any:
    given = call.given
    base, source, dim = given["self"], given["source"], given["dim"]
    if not base.dim():
        return NotImplemented
    shape = [-1 if axis == dim % base.dim() else 1 for axis in range(base.dim())]
    index = given["index"].reshape(shape).expand_as(source)
    how = given["reduce"]
    return written(
        call, lambda: base.scatter_reduce(dim, index, source, how, include_self=given["include_self"])
    )


class _Joined(NamedTuple):
    """What a scatter_reduce was called with; ``gone`` marks entries of the base that don't take part themselves."""

    base: Tensor
    source: Tensor
    dim: int
    at: Tensor
    gone: Tensor
    out: Tensor

    def taken(self) -> Tensor:
        """Returns the part of the source that is deposited."""
        return self.source[tuple(slice(0, size) for size in self.at.shape)]

    def added(self) -> Tensor:
        """Returns the sum."""
        return self.base.masked_fill(self.gone, 0).scatter_add(self.dim, self.at, self.taken())

    def averaged(self) -> Tensor:
        """Returns the mean."""
        ones = torch.ones_like(self.at, dtype=self.out.dtype)
        return self.added() / (~self.gone).to(self.out.dtype).scatter_add(self.dim, self.at, ones)

    def extreme(self) -> Tensor:
        """Returns the mean of the entries that are the extreme one: so they share its derivative evenly."""
        lost = self.gone | (self.base != self.out)
        other = self.taken().detach() != self.out.gather(self.dim, self.at)
        many = (~lost).to(self.out.dtype).scatter_add(self.dim, self.at, (~other).to(self.out.dtype))
        kept = self.taken().masked_fill(other, 0)
        return self.base.masked_fill(lost, 0).scatter_add(self.dim, self.at, kept) / many

    def multiplied(self) -> Tensor:
        """Returns the product along an axis on which each entry's factors lie, filled up with ones."""
        size, device = self.base.numel(), self.base.device
        targets = torch.arange(size, device=device).reshape(self.base.shape).gather(self.dim, self.at)
        ordered, order = targets.flatten().sort(stable=True)
        many = torch.bincount(ordered, minlength=size)
        rank = torch.arange(len(order), device=device) - (many.cumsum(0) - many)[ordered]
        slots = torch.full((size, int(many.max())), -1, device=device)
        slots[ordered, rank] = order
        factors = self.taken().reshape(-1)[slots.clamp(min=0)].masked_fill(slots < 0, 1.0)
        own = self.base.masked_fill(self.gone, 1.0).reshape(-1, 1)
        return torch.cat([own, factors], 1).prod(1).reshape(self.base.shape)


JOINED: dict[str, Callable[[_Joined], Tensor]] = {
    "sum": _Joined.added,
    "mean": _Joined.averaged,
    "amax": _Joined.extreme,
    "amin": _Joined.extreme,
    "prod": _Joined.multiplied,
}


def _joined(call: Call) -> Any:
    """Returns the node of a scatter_reduce that isn't a plain sum."""
    given = call.given
    base, dim, index = given["self"], given["dim"], given["index"]
    if not base.dim() or given["reduce"] not in JOINED:
        return NotImplemented
    touched = torch.zeros_like(base, dtype=torch.bool).scatter(dim, index, True)
    gone = touched & (not given["include_self"])
    parts = _Joined(base, given["src"], dim, index, gone, call.out)
    return written(call, lambda: JOINED[given["reduce"]](parts))
