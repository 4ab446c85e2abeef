"""Entries that are added into an array."""

from typing import Any

import array_api_compat.torch as xp
import numpy as np
import torch

from whygrad.ops import application
from whygrad.torch_recorder.deposit import Deposit
from whygrad.torch_recorder.rules.entry import rule
from whygrad.torch_recorder.rules.moves import selection
from whygrad.torch_recorder.selections import selected
from whygrad.torch_recorder.tracer import Call

aten = torch.ops.aten


@rule("scatter_add", "scatter_reduce", "index_add", "index_put", "_unsafe_index_put")
def _deposit(call: Call) -> Any:
    given = call.given
    base = given["self"]
    if call.name.endswith("index_put"):
        if not given["accumulate"]:
            return selection(call)
        source, indices = given["values"], given["indices"]
    else:
        source, indices = given.get("src", given.get("source")), given["index"]
    if given.get("alpha", 1) != 1 or (
        call.name == "scatter_reduce" and (given["reduce"] != "sum" or not given["include_self"])
    ):
        return NotImplemented
    places = torch.arange(base.numel(), device=base.device).reshape(base.shape)
    if call.name.startswith("scatter"):
        window = tuple(slice(0, size) for size in indices.shape)
        if source.shape != indices.shape:
            return NotImplemented
        targets = places.gather(given["dim"], indices) if base.dim() else places[window]
    elif call.name == "index_add":
        targets = places.index_select(given["dim"], indices)
    else:
        targets = aten.index.Tensor(places, list(indices))
    shape = np.broadcast_shapes(tuple(targets.shape), tuple(source.shape))
    op = application(call.name, ("base", "x"), Deposit(targets.expand(shape)))
    made = call.tracer.input(source, source)
    if tuple(source.shape) != shape:
        made = selected(
            call.tracer, "expand", lambda t: t.expand(shape), [made], source.detach().expand(shape)
        )
    return call.tracer.apply(call.name, op, [call.tracer.input(base, base), made], {}, call.out)


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
    inputs = [call.tracer.constant(base), call.tracer.input(x, x)]
    node = call.tracer.apply(call.name, op, inputs, {}, value)
    return selected(
        call.tracer,
        "slice",
        lambda t: t[..., above : above + height, left : left + width],
        [node],
        call.out,
    )
