"""A run leaves no trace: what it wrote to a model, its batch and the random states is taken back."""

import dataclasses
import operator
import random
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._mode_utils import no_dispatch

from whygrad.model_names import Leaf
from whygrad.torch_recorder.batches import PLAIN, containers
from whygrad.torch_recorder.draws import Draws
from whygrad.torch_recorder.ledger import Ledger
from whygrad.torch_recorder.memory import Memory

# What every module has: tables of what it is made of, and much that runs don't write to, such as hooks.
OF_EVERY_MODULE = frozenset(vars(nn.Module()))
TABLES = ("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set")
OPENED = frozenset((*PLAIN, OrderedDict, tuple))
# Most of what modules keep beside them.
FIXED = frozenset((bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device, torch.Size))


@contextmanager
def versions_left(tensors: Iterable[Tensor]) -> Iterator[None]:
    """Keeps autograd from counting what the run wrote as a change, since all of it is taken back.

    A backward pass that is still to come, of a run before this one, would refuse to read what it kept.
    """
    counted = [tensor for tensor in tensors if not tensor.is_inference()]
    before = [tensor._version for tensor in counted]
    try:
        yield
    finally:
        for tensor, version in zip(counted, before, strict=True):
            if tensor._version != version:
                torch._C._autograd._unsafe_set_version_counter((tensor,), (version,))


@contextmanager
def values_left(ledger: Ledger, leaves: Iterable[tuple[Tensor, Leaf]]) -> Iterator[None]:
    """Restores the values of parameters and of the batch that the run wrote to, in the memory where they were."""
    kept = [(tensor, tensor.data, leaf) for tensor, leaf in leaves]
    try:
        yield
    finally:
        for tensor, first, leaf in kept:
            if Memory.place(tensor) != Memory.place(first):
                tensor.data = first
            if leaf.node in ledger.rescued:
                value = ledger.recording.nodes[leaf.node].value
                first.copy_(torch.view_as_complex(value) if first.is_complex() else value)


@contextmanager
def state_left(modules: Sequence[nn.Module], others: Iterable[Tensor]) -> Iterator[None]:
    """Restores buffers, gradients, what modules hold, which parameters train, and other tensors."""
    parameters = _once(module._parameters for module in modules)
    buffers = _once(module._buffers for module in modules)
    contents, held = _inside(modules)
    known = set(map(id, parameters))
    written = {id(each): each for each in (*buffers, *others, *held) if isinstance(each, Tensor)}
    trained = [(p, p.requires_grad) for p in parameters]
    with _tensors_left([each for each in written.values() if id(each) not in known], [*parameters, *buffers]):
        undo = _ways_back(held)
        try:
            yield
        finally:
            _put_contents_back(contents)
            for back in undo:
                back()
            for parameter, train in trained:
                if parameter.requires_grad != train:
                    parameter.requires_grad_(train)


@contextmanager
def draws_left(ledger: Ledger, tensors: Iterable[Tensor]) -> Iterator[None]:
    """Restores every random state: Python's, NumPy's, PyTorch's of the devices that tensors lie on, and those of
    generators that the run drew from, which are its caller's own."""
    python, state, draws = random.getstate(), np.random.get_state(legacy=False), Draws.now(tensors)
    try:
        yield
    finally:
        random.setstate(python)
        if state["bit_generator"] == "MT19937":  # a list is read in a tenth of the time
            state["state"]["key"] = state["state"]["key"].tolist()
        np.random.set_state(state)
        draws.restore()
        for generator, before in ledger.generators.values():
            generator.set_state(before)


@contextmanager
def _tensors_left(written: Iterable[Tensor], followed: Iterable[Tensor]) -> Iterator[None]:
    """Restores the values of some tensors and the gradients of some."""
    kept = _values(written)
    grads = [(t, t.grad) for t in followed]
    for tensor, grad in grads:
        if grad is not None:
            tensor.grad = grad.clone()  # a backward pass within the costs adds to it
    try:
        yield
    finally:
        _put_values_back(kept)
        for tensor, grad in grads:
            if tensor.grad is not grad:
                tensor.grad = grad


def _values(written: Iterable[Tensor]) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Returns tensors with the memory that they have and a copy of what is in it."""
    return [(t, t.data, t.detach().clone()) for t in written if t.layout == torch.strided and not t.is_meta]


def _put_values_back(kept: Iterable[tuple[Tensor, Tensor, Tensor]]) -> None:
    with torch.no_grad():
        for tensor, first, value in kept:
            if Memory.place(tensor) != Memory.place(first):
                tensor.data = first
            # A kernel that writes statistics needn't count it as a change, so that values are compared.
            if not torch.equal(tensor, value):
                first.copy_(value)


@contextmanager
def others_left() -> Iterator[Callable[[nn.Module], None]]:
    """Yields what is told of modules that run and are no part of the model; restores their buffers and what they hold.

    A discriminator or a teacher that only the function of the costs knows has running statistics too.
    """
    known: set[int] = set()
    contents: list[tuple[Any, Any]] = []
    values: list[tuple[Tensor, Tensor, Tensor]] = []
    undo: list[Callable[[], None]] = []

    def met(module: nn.Module) -> None:
        if id(module) not in known:
            known.add(id(module))
            with no_dispatch():
                inside, held = _inside([module])
                contents.extend(inside)
                there = (*module._buffers.values(), *held)
                values.extend(_values(each for each in there if isinstance(each, Tensor)))
                undo.extend(_ways_back(held))

    try:
        yield met
    finally:
        _put_contents_back(contents)
        _put_values_back(values)
        for back in undo:
            back()


def _inside(modules: Iterable[nn.Module]) -> tuple[list[tuple[Any, Any]], list[Any]]:
    """Returns the containers in modules, with copies that hold the same objects, and what they hold.

    Containers are attributes, and the plain lists, mappings, sets, namespaces and dataclasses in them. What they hold
    is all else but parameters, buffers and modules, and what can't be written to.
    """
    contents: list[tuple[Any, Any]] = []
    held: list[Any] = []
    waiting: list[Any] = []
    for module in modules:
        attributes = vars(module)
        tables: list[Any] = [attributes.get(name) for name in TABLES]
        # of a scripted module they are something else
        contents += [(each, each.copy()) for each in (attributes, *tables) if type(each) in OPENED]
        waiting += [value for name, value in attributes.items() if name not in OF_EVERY_MODULE]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop()
        kind = type(each)
        if kind in FIXED or id(each) in seen:
            continue
        seen.add(id(each))
        if kind is SimpleNamespace or dataclasses.is_dataclass(kind):
            waiting += [vars(each)] if hasattr(each, "__dict__") else []
        elif kind in OPENED:
            if kind is not tuple:
                contents.append((each, each.copy()))
            waiting += each.values() if isinstance(each, dict) else each
        else:
            held.append(each)
    return contents, held


def _ways_back(held: Iterable[Any]) -> list[Callable[[], None]]:
    """Returns what sets arrays and generators of random numbers to what they are now; tensors are another matter."""
    undo: list[Callable[[], None]] = []
    for each in held:
        if type(each) is np.ndarray and each.flags.writeable:
            undo.append(partial(np.copyto, each, each.copy()))
        elif isinstance(each, np.random.Generator):
            undo.append(partial(setattr, each.bit_generator, "state", each.bit_generator.state))
        elif isinstance(each, random.Random):
            undo.append(partial(each.setstate, each.getstate()))
    return undo


@contextmanager
def batch_left(batch: Any) -> Iterator[None]:
    """Restores what the lists and mappings of a batch hold: labels that are taken out of it, and what is added."""
    # a class of its own may copy itself in ways of its own
    kept = [(each, dict(each) if isinstance(each, dict) else each.copy()) for each in containers(batch)]
    try:
        yield
    finally:
        _put_contents_back(kept)


def _put_contents_back(kept: Iterable[tuple[Any, Any]]) -> None:
    for container, before in kept:
        if not _is_as_before(container, before):
            container.clear()
            (container.extend if isinstance(container, (list, deque)) else container.update)(before)


def _is_as_before(container: Any, before: Any) -> bool:
    """Returns whether a container holds the very objects that it held, which may have no truth in being equal."""
    if not before:  # most are empty, and small models have as many of them as operations
        return not container
    same = len(container) == len(before) and all(map(operator.is_, container, before))
    return same and (
        not isinstance(container, dict) or all(map(operator.is_, container.values(), before.values()))
    )


def _once(tables: Iterable[Mapping[str, Tensor | None]]) -> list[Tensor]:
    """Returns the tensors in some tables, each once."""
    found = {id(tensor): tensor for table in tables for tensor in table.values() if tensor is not None}
    return list(found.values())
