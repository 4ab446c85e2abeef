"""Entries that are moved, picked or repeated: PyTorch runs these operations on positions."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from whygrad.torch_recorder.pairs import carries, of_pairs, paired
from whygrad.torch_recorder.rules.entry import OPS, apply, first, rule
from whygrad.torch_recorder.schema import info, tensors
from whygrad.torch_recorder.selections import selected
from whygrad.torch_recorder.tracer import Call

SELECTIONS = """
    view reshape _unsafe_view _reshape_alias t transpose permute expand slice select squeeze unsqueeze
    _pack_padded_sequence _pad_packed_sequence
    flip roll rot90 repeat tile index gather index_select take constant_pad_nd
    reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d replication_pad3d
    unfold im2col diagonal diag_embed diag tril triu masked_select movedim swapaxes pixel_shuffle
    pixel_unshuffle channel_shuffle upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact2d
    select_scatter slice_scatter diagonal_scatter masked_scatter where masked_fill index_fill
    index_copy scatter cat stack unbind split split_with_sizes unsafe_split unsafe_split_with_sizes unsafe_chunk chunk
    copy repeat_interleave view_copy expand_copy fill zero view_as_real view_as_complex complex
    select_backward slice_backward diagonal_backward masked_scatter_backward
""".split()

# Views, of which the schema doesn't say so.
UNTOLD_VIEWS = ("_unsafe_view", "unsafe_split", "unsafe_split_with_sizes", "unsafe_chunk")

# Numbers that are written into an array come from nowhere.
WRITTEN_NUMBERS = ("value", "fill_value", "padding_value", "self", "other")


@rule(*SELECTIONS)
def selection(call: Call) -> Any:
    """Returns the nodes of what is made of a call's entries alone."""
    if (info(call.func).views or call.name in UNTOLD_VIEWS) and "dtype" not in call.given:
        return _view(call)
    if not any(map(carries, tensors(call.out))):
        return NotImplemented
    if call.given.get("reduce") is not None:
        call.ledger.refuse(f"{call.name} (with reduce)", "call scatter_reduce, which has a derivative")
    values = [value for value in tensors(call.given) if carries(value)]
    live = [value for value in values if call.live(value)]
    dead = [value for value in values if not call.live(value)]
    given = {
        name: 0 if name in WRITTEN_NUMBERS and not isinstance(value, Tensor) else value
        for name, value in call.given.items()
    }
    given = {name: value for name, value in given.items() if name not in ("dtype", "memory_format")}
    again = call._replace(given=given).again([*live, *dead])
    nodes = [call.ledger.input(value, value) for value in live]
    blank = [(paired(value).shape, value.device) for value in dead]

    def run(*places: Tensor) -> Any:
        nowhere = (torch.zeros(shape, dtype=torch.float64, device=device) for shape, device in blank)
        return again(*places, *nowhere)

    return _each(call, run, nodes)


def _view(call: Call) -> Any:
    """Returns the nodes of windows onto an array: whatever is given beside it says which."""
    view, others = call.func, dict(call.given)
    x = others.pop("self")
    run = of_pairs(lambda places: view(places, **others), [x])
    return _each(call, run, [call.ledger.input(x, x)])


def _each(call: Call, run: Callable[..., Any], nodes: list[int]) -> Any:
    """Returns the node of each result of a call, which ``run`` makes of positions."""
    if isinstance(call.out, Tensor):
        return selected(call.ledger, call.name, run, nodes, call.out)

    def one(place: int) -> Callable[..., Tensor]:
        return lambda *places: run(*places)[place]

    return [
        selected(call.ledger, call.name, one(place), nodes, out) if carries(out) else None
        for place, out in enumerate(call.out)
    ]


@rule("as_strided")
def _window(call: Call) -> Any:
    x, out = call.given["self"], call.out
    if x.is_contiguous() and not x.storage_offset():
        return selection(call)
    # It looks at the memory of its argument, wherever the argument's entries lie in there.
    places = torch.arange(x.untyped_storage().nbytes() // x.element_size(), device=x.device)
    entries = torch.zeros_like(places)
    shown = places.as_strided(x.shape, x.stride(), x.storage_offset()).reshape(-1)
    entries[shown] = torch.arange(1, x.numel() + 1, device=x.device)
    which = entries.as_strided(out.shape, out.stride(), out.storage_offset())
    if not bool(which.all()):
        call.ledger.refuse(
            f"{call.name} (of entries that its argument doesn't show)",
            "call it on the array that has them all, or on a copy (clone, contiguous)",
        )

    def run(array: Tensor) -> Tensor:
        return array.reshape(-1)[which - 1]

    return selected(call.ledger, call.name, of_pairs(run, [x]), [call.ledger.input(x, out)], out)


@rule("as_strided_scatter")
def _into_a_window(call: Call) -> Any:
    if call.live(call.given["self"]):
        call.ledger.refuse(
            f"{call.name} (into an array with paths: autograd's gradient by it is no derivative)",
            "write into a copy: made = x.clone(); made.as_strided(size, stride, storage_offset).copy_(src)",
        )
    return selection(call)


@rule("clone", "contiguous", "alias", "lift_fresh")
def _copy(call: Call) -> Any:
    x = call.given["self"]
    return selected(call.ledger, call.name, _same, [call.ledger.input(x, x)], call.out)


def _same(places: Tensor) -> Tensor:
    return places


@rule("embedding")
def _embedding(call: Call) -> Any:
    given = call.given
    if given["scale_grad_by_freq"]:
        call.ledger.refuse("embedding (scale_grad_by_freq, which isn't a derivative)", "leave it out")
    held, padding = call.ledger.held(given["indices"]), given["padding_idx"]

    def run(places: Tensor) -> Tensor:
        indices = held.tensor
        picked = places[indices]
        if padding < 0:
            return picked
        mask = (indices == padding).reshape(*indices.shape, *(1,) * (places.dim() - 1))
        return picked.masked_fill(mask, 0)  # constants, says PyTorch

    weight = call.ledger.input(given["weight"], call.out)
    return selected(call.ledger, call.name, run, [weight], call.out, rows=True)


@rule("_to_copy", "to")
def _cast(call: Call) -> Any:
    if not call.out.is_floating_point():
        return NotImplemented if call.name == "to" else None
    return apply(call, OPS["identity"], [call.given["self"]])


@rule("sort", "topk", "kthvalue", "mode", "cummax", "cummin")
def by_indices(call: Call) -> Any:
    """Returns the node of the entries that PyTorch found along an axis, by their indices."""
    if isinstance(call.out, Tensor):
        return NotImplemented
    indices, dim = call.out[1], call.given.get("dim", -1)
    keeps = call.given.get("keepdim", True) or indices.dim() == call.given["self"].dim()
    held = call.ledger.held(indices)

    def run(places: Tensor) -> Tensor:
        if places.dim() == 0:
            return places
        found = places.gather(dim, held.tensor if keeps else held.tensor.unsqueeze(dim))
        return found if keeps else found.squeeze(dim)

    return _at_indices(call, run)


@rule(
    "max_pool2d_with_indices",
    "max_pool3d_with_indices",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "fractional_max_pool2d",
)
def _max_pool(call: Call) -> Any:
    held = call.ledger.held(call.out[1])
    spatial = 3 if "3d" in call.name else 2

    def run(places: Tensor) -> Tensor:
        indices, flat = held.tensor, places.flatten(-spatial)
        return flat.gather(-1, indices.flatten(-spatial)).reshape(indices.shape)

    return _at_indices(call, run)


def _at_indices(call: Call, run: Callable[[Tensor], Tensor]) -> int:
    """Returns the node of the entries at the indices that PyTorch returns beside them."""
    out = first(call.out)
    return selected(call.ledger, call.name, run, [call.ledger.input(call.given["self"], out)], out)
