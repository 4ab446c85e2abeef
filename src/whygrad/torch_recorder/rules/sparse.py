"""Sparse tensors: what is multiplied with an entry is picked, and added up where the entry stands."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._mode_utils import no_dispatch

from whygrad.torch_recorder.rules.entry import SPARSE, rule, written
from whygrad.torch_recorder.sparse import Entries, numbered
from whygrad.torch_recorder.tracer import Call


def _is_sparse(value: Any) -> bool:
    return isinstance(value, Tensor) and value.layout != torch.strided


def _noted(call: Call, make: Callable[[], tuple[Tensor, Tensor]]) -> None:
    """Notes the entries that a sparse result has: their places and their values, in any order."""
    with call.tracer:
        call.ledger.hold_sparse(call.out, Entries.added_up(*make(), tuple(call.out.shape)))


def _of_values(call: Call, run: Callable[[Tensor], Tensor]) -> None:
    """Notes a sparse result whose entries are functions of the entries at the same places."""
    entries = call.ledger.entries(call.given["self"])
    _noted(call, lambda: (entries.places, run(entries.values)))


# How they are made, and what they are made into


@rule("_sparse_coo_tensor_with_dims_and_tensors", into=SPARSE)
def _coo(call: Call) -> Any:
    places, values = call.given["indices"], call.given["values"]
    _noted(call, lambda: (places, values))


@rule("sparse_compressed_tensor", into=SPARSE)
def _compressed(call: Call) -> Any:
    given = call.given
    if call.out.layout not in (torch.sparse_csr, torch.sparse_csc) or call.out.dim() != 2:
        return NotImplemented
    with no_dispatch():
        starts, across = given["compressed_indices"].long(), given["plain_indices"].long()
        along = torch.arange(len(starts) - 1, device=starts.device).repeat_interleave(starts.diff())
        rows = call.out.layout == torch.sparse_csr
        places = torch.stack((along, across) if rows else (across, along))
    return _noted(call, lambda: (places, given["values"]))


@rule("_to_sparse", "_to_sparse_csr", "_to_sparse_csc", into=SPARSE)
def _to_sparse(call: Call) -> Any:
    dense = call.given["self"]
    if _is_sparse(dense):
        return _of_values(call, lambda values: values)
    if call.out.layout == torch.sparse_coo and call.out.dense_dim():
        return NotImplemented
    places = Entries.of_constant(call.out).places
    return _noted(call, lambda: (places, dense[tuple(places)]))


@rule("_to_dense", into=SPARSE)
def _to_dense(call: Call) -> Any:
    places, values, shape = call.ledger.entries(call.given["self"])
    return written(call, lambda: values.new_zeros(shape).index_put(tuple(places), values))


@rule("values", into=SPARSE)
def _values(call: Call) -> Any:
    if call.given["self"].layout not in (torch.sparse_coo, torch.sparse_csr):
        return NotImplemented  # in another order
    entries = call.ledger.entries(call.given["self"])
    return written(call, lambda: entries.values.clone())


@rule("_coalesce", "clone", into=SPARSE)
def _same(call: Call) -> None:
    _of_values(call, lambda values: values)


@rule("t", "transpose", "permute", into=SPARSE)
def _turned(call: Call) -> None:
    entries = call.ledger.entries(call.given["self"])
    one, other = call.given.get("dim0", 0), call.given.get("dim1", 1)
    order = call.given.get("dims") or list(range(len(entries.shape)))
    if call.name != "permute":
        order[one], order[other] = order[other], order[one]
    _noted(call, lambda: (entries.places[order], entries.values))


# Functions of entries


@rule("mul", "div", into=SPARSE)
def _times(call: Call) -> Any:
    one, other = call.given["self"], call.given["other"]
    if call.given.get("rounding_mode") is not None or (_is_sparse(one) and _is_sparse(other)):
        return NotImplemented
    if not _is_sparse(one):
        one, other = other, one
    places, values, shape = call.ledger.entries(one)
    run = getattr(torch, call.name)
    if not isinstance(other, Tensor) or other.dim() == 0:
        return _noted(call, lambda: (places, run(values, other)))
    if len(places) < len(shape):
        return NotImplemented
    return _noted(call, lambda: (places, run(values, other.expand(shape)[tuple(places)])))


@rule("neg", into=SPARSE)
def _negative(call: Call) -> None:
    _of_values(call, torch.neg)


@rule("add", "sub", into=SPARSE)
def _plus(call: Call) -> Any:
    one, other = call.given["self"], call.given["other"]
    if not _is_sparse(other) or one.shape != other.shape:
        return NotImplemented
    by = call.given["alpha"] * (1 if call.name == "add" else -1)
    b = call.ledger.entries(other)
    if not _is_sparse(one):
        return written(call, lambda: one.index_put(tuple(b.places), by * b.values, accumulate=True))
    a = call.ledger.entries(one)
    return _noted(call, lambda: (torch.cat([a.places, b.places], 1), torch.cat([a.values, by * b.values])))


@rule("_sparse_softmax", "_sparse_log_softmax", into=SPARSE)
def _softmax(call: Call) -> Any:
    places, values, shape = call.ledger.entries(call.given["self"])
    axis = call.given["dim"] % len(shape)
    if axis >= len(places) or len(places) < len(shape):
        return NotImplemented
    with no_dispatch():
        kept = [n for n in range(len(shape)) if n != axis]
        sizes = tuple(shape[n] for n in kept)
        each, group = torch.unique(numbered(places[kept], sizes), return_inverse=True)
        none = values.detach().new_full((len(each),), -torch.inf)
        largest = none.scatter_reduce(0, group, values.detach(), "amax")[group]

    def make() -> tuple[Tensor, Tensor]:
        moved = values - largest
        sizes = torch.exp(moved)
        sums = sizes.new_zeros(len(each)).index_add(0, group, sizes).index_select(0, group)
        return places, moved - sums.log() if call.name == "_sparse_log_softmax" else sizes / sums

    return _noted(call, make)


@rule("_sparse_sum", into=SPARSE)
def _sum(call: Call) -> Any:
    places, values, shape = call.ledger.entries(call.given["self"])
    axes = {axis % len(shape) for axis in call.given["dim"]}
    if not _is_sparse(call.out) or len(places) < len(shape):
        return NotImplemented
    return _noted(call, lambda: (places[[n for n in range(len(shape)) if n not in axes]], values))


# Products


def _product(call: Call, first: Tensor, second: Tensor) -> Tensor:
    """Returns the product of a sparse and a dense matrix, in either order, or of stacks of them."""
    if not _is_sparse(first):
        return _product(call, second.mT if _is_sparse(second) else second, first.mT).mT
    places, values, shape = call.ledger.entries(first)
    *stack, rows, columns = shape
    many = 1 if not stack else stack[0]
    wide = second.reshape(many * columns, -1)
    which = places[0] if stack else 0
    picked = wide.index_select(0, which * columns + places[-1]) * values.unsqueeze(1)
    made = picked.new_zeros((many * rows, wide.shape[1])).index_add(0, which * rows + places[-2], picked)
    return made.reshape(*stack, rows, wide.shape[1])


@rule("mm", "bmm", "mv", into=SPARSE)
def _multiplied(call: Call) -> Any:
    first = call.given["self"]
    if call.name == "mv":
        return written(call, lambda: _product(call, first, call.given["vec"].unsqueeze(1)).squeeze(1))
    second = call.given["mat2"]
    if _is_sparse(first) and _is_sparse(second):
        return NotImplemented
    return written(call, lambda: _product(call, first, second))


@rule("_sparse_mm_reduce_impl", into=SPARSE)
def _joined(call: Call) -> Any:
    """Notes a product in which the terms of each entry are not added up, or divided by how many they are."""
    out, reduce = call.out[0], call.given["reduce"]
    other: Tensor = call.given["other"]
    (rows, columns), values, _ = call.ledger.entries(call.given["self"])

    def picked() -> Tensor:
        return other.index_select(0, columns) * values.unsqueeze(1)

    if reduce in ("amax", "amin"):
        with no_dispatch():  # the first of several that are the largest
            number = torch.arange(len(rows), device=rows.device).unsqueeze(1)
            number = number.where(picked() == out[rows], len(rows))
            which = torch.full(out.shape, len(rows), dtype=number.dtype, device=rows.device)
            which = which.scatter_reduce(0, rows.unsqueeze(1).expand_as(number), number, "amin")
            there = which < len(rows)  # a row without entries is 0
            which = which.where(there, 0)
        return [written(call, lambda: picked().gather(0, which).masked_fill(~there, 0.0)), None]

    def make() -> Tensor:
        made = torch.zeros_like(out).index_add(0, rows, picked())
        many = torch.bincount(rows, minlength=len(out)).clamp(min=1).unsqueeze(1)
        return made / many.to(made.dtype) if reduce == "mean" else made

    return [written(call, make), None]


@rule("addmm", "_sparse_addmm", into=SPARSE)
def _added(call: Call) -> Any:
    added, first, second = (call.given[name] for name in ("self", "mat1", "mat2"))
    if _is_sparse(added) or (_is_sparse(first) and _is_sparse(second)):
        return NotImplemented
    beta, alpha = call.given["beta"], call.given["alpha"]

    def make() -> Tensor:
        made = _product(call, first, second)
        made = made if alpha == 1 else alpha * made
        return made if beta == 0 else added * beta + made

    return written(call, make)


@rule("sparse_sampled_addmm", into=SPARSE)
def _sampled(call: Call) -> Any:
    first, second = call.given["mat1"], call.given["mat2"]
    places, values, shape = call.ledger.entries(call.given["self"])
    if len(shape) != 2:
        return NotImplemented

    def make() -> tuple[Tensor, Tensor]:
        rows = first.index_select(0, places[0]) * second.mT.index_select(0, places[1])
        return places, call.given["beta"] * values + call.given["alpha"] * rows.sum(1)

    return _noted(call, make)
