"""Which node is in which piece of memory: what makes views and in-place operations come out right.

PyTorch's tensors are windows (sizes, strides, offset) onto a storage. A write through one window changes what all the
others on the same storage show. The recorded graph is functional, so a tensor that is read after such a write is a
selection of entries from the nodes that were written there last.
"""

import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from whygrad.torch_recorder.pairs import is_turned

# The geometry of a tensor on its storage: sizes, strides, offset.
Window: TypeAlias = tuple[torch.Size, tuple[int, ...], int | torch.SymInt]


def window(tensor: Tensor) -> Window:
    """Returns a tensor's window, of a complex one that of its pairs: what sees both sees the same memory."""
    size, stride, offset = tensor.size(), tensor.stride(), tensor.storage_offset()
    if not tensor.is_complex():
        return size, stride, offset
    return torch.Size((*size, 2)), (*(2 * step for step in stride), 1), 2 * offset


def places(window: Window, length: int) -> Tensor:
    """Returns the places in the storage of the entries that a window shows, in order."""
    return torch.arange(length, dtype=torch.int64).as_strided(*window).reshape(-1)


@lru_cache(4096)
def apart(one: Window, other: Window) -> bool:
    """Returns whether two windows are seen to have no entry in common: boxes on one grid that lie side by side.

    Example:
        >>> whole = torch.zeros(4, 6)
        >>> left, right = whole.chunk(2, 1)
        >>> apart(window(left), window(right)), apart(window(left), window(whole[1]))
        (True, False)
    """
    boxes = [{stride: n for n, stride in zip(*of[:2], strict=True) if n > 1} for of in (one, other)]
    if any(sum(n > 1 for n in of[0]) > len(box) for of, box in zip((one, other), boxes, strict=True)):
        return False  # two axes along one stride
    rests, above, beside = [int(one[2]), int(other[2])], math.inf, False
    for stride in sorted({1, *boxes[0], *boxes[1]}, reverse=True):
        if not stride:
            return False  # entries that are shown again and again
        first = [rest // stride for rest in rests]
        after = [at + box.get(stride, 1) for at, box in zip(first, boxes, strict=True)]
        if max(after) * stride > above:
            return False  # a box that goes on in the next line of the grid
        beside |= after[0] <= first[1] or after[1] <= first[0]
        rests, above = [rest % stride for rest in rests], stride
    return beside


class Known(NamedTuple):
    """What a tensor held after ``version`` writes to its family; no node where it holds constants."""

    tensor: Tensor  # kept, so that nobody else gets its identity
    node: int | None
    version: int
    storage: "_Storage"
    place: int


class Detached(NamedTuple):
    """A tensor that was detached from another one, or (then its own) a view of one that was, and its family."""

    tensor: Tensor  # kept, so that its identity stays its own
    family: int
    of: Tensor


class Source(NamedTuple):
    """Where entries come from: nodes, and for each entry which of them (-1: a constant) and the place in it."""

    nodes: tuple[int, ...]
    which: Tensor
    place: Tensor


class _Storage:
    """The writes to one family's memory, and where each of its entries comes from.

    It is ``doubtful`` once something was written there that the family knows nothing of.
    """

    __slots__ = ("_owner", "_place", "_waiting", "_written", "doubtful", "version")

    def __init__(self) -> None:
        self.version = 0
        self.doubtful = False
        self._written: list[Window] = []  # by version
        self._waiting: list[tuple[Window, int | None]] = []
        self._owner: Tensor | None = None
        self._place: Tensor | None = None

    def put(self, window: Window, node: int | None) -> None:
        self._waiting.append((window, node))

    def write(self, window: Window, node: int | None) -> None:
        self.version += 1
        self._written.append(window)
        self.put(window, node)

    def untouched(self, window: Window, version: int) -> bool:
        """Returns whether all that was written since a version is seen to lie beside a window."""
        return all(apart(window, written) for written in self._written[version:])

    def source(self, tensor: Tensor) -> Source:
        if self._owner is None or self._place is None:
            each = max(1, tensor.element_size() // (2 if tensor.is_complex() else 1))
            length = tensor.untyped_storage().nbytes() // each
            self._owner = torch.full((length,), -1, dtype=torch.int64)
            self._place = torch.zeros(length, dtype=torch.int64)
        length = len(self._owner)
        for written, node in self._waiting:
            at = places(written, length)
            self._owner[at] = -1 if node is None else node
            self._place[at] = torch.arange(len(at))
        self._waiting.clear()
        at = places(window(tensor), length)
        owner = self._owner[at]
        nodes, which = torch.unique(owner, return_inverse=True)
        constants = int(len(nodes) > 0 and nodes[0] == -1)
        return Source(tuple(nodes[constants:].tolist()), which - constants, self._place[at])


# What tells one storage from another.
_storage_id: Callable[[Tensor], int] = torch._C._storage_id  # type: ignore[attr-defined]  # missing in its stubs


class Memory:
    """What each tensor that was seen holds, and what was written over it.

    Tensors on one storage are one family, except that PyTorch keeps no account between a tensor and its detached twin:
    a detached tensor and the views of it are a family of their own. What is written to a twin, or without gradients,
    changes values and no path: from then on tensors on that storage are in doubt, and compared when they are read.
    """

    def __init__(self) -> None:
        self._known: dict[int, Known] = {}
        self._storages: dict[int, _Storage] = {}
        self._detached: dict[int, Detached] = {}  # by identity
        self._families = 0
        self._twins: dict[int, list[_Storage]] = {}  # of families of detached tensors, by their place

    @staticmethod
    def place(tensor: Tensor) -> int:
        """Returns what tells a tensor's storage from others; 0 for a sparse tensor, which has none."""
        return _storage_id(tensor) if tensor.layout == torch.strided else 0

    def _family(self, tensor: Tensor) -> int:
        detached = self._detached.get(id(tensor))
        return self.place(tensor) if detached is None else detached.family

    def _storage(self, tensor: Tensor) -> _Storage:
        """Returns the writes to a tensor's family, which may be new."""
        family = self._family(tensor)
        found = self._storages.get(family)
        if found is None:
            found = self._storages[family] = _Storage()
            if family < 0:
                self._twins.setdefault(self.place(tensor), []).append(found)
        return found

    def _know(self, tensor: Tensor, node: int | None, storage: _Storage) -> None:
        self._known[id(tensor)] = Known(tensor, node, storage.version, storage, self.place(tensor))

    def detach(self, tensor: Tensor, of: Tensor) -> None:
        """Notes a tensor that was just detached: a constant, whatever becomes of others on its storage."""
        self._known.pop(id(tensor), None)
        self._families += 1
        self._detached[id(tensor)] = Detached(tensor, -self._families, of)

    def is_detached(self, tensor: Tensor) -> bool:
        """Returns whether a tensor was detached, or is a view of one that was."""
        return id(tensor) in self._detached

    def inherit(self, inputs: Iterable[Tensor], made: Iterable[Tensor]) -> None:
        """Notes that views of a detached tensor are of its family."""
        if not self._detached:
            return
        families = {
            self.place(tensor): self._detached[id(tensor)].family
            for tensor in inputs
            if id(tensor) in self._detached
        }
        for tensor in made if families else ():
            family = families.get(self.place(tensor))
            if family is not None and id(tensor) not in self._detached:
                self._detached[id(tensor)] = Detached(tensor, family, tensor)

    def original(self, tensor: Tensor) -> Tensor:
        """Returns the tensor that one stands for: autograd keeps the results of operations detached.

        For the backward pass it tells the twin again where it comes from, which nobody else can do.
        """
        twin = tensor.grad_fn
        found = None if twin is None else self._detached.get(id(tensor))
        while found is not None and found.of is not found.tensor:
            if found.of.grad_fn is twin:
                return found.of
            found = self._detached.get(id(found.of))
        return tensor

    def hold(self, tensor: Tensor, node: int | None) -> None:
        """Notes what a tensor that was just made holds; no node: constants."""
        if node is not None:
            storage = self._storage(tensor)
            if not is_turned(tensor):
                storage.put(window(tensor), node)
            self._know(tensor, node, storage)

    def write(self, tensor: Tensor, node: int | None) -> None:
        """Notes what was written into a tensor's memory: the others of its family show it too."""
        storage = self._storage(tensor)
        storage.write(window(tensor), node)
        if not is_turned(tensor):
            self._know(tensor, node, storage)
        self._doubt(tensor, knowing=storage)

    def doubt(self, tensor: Tensor) -> None:
        """Notes that a tensor was written to and autograd doesn't know of it for all that lies in the same memory."""
        self._doubt(tensor, knowing=None)

    def _doubt(self, tensor: Tensor, knowing: _Storage | None) -> None:
        place = self.place(tensor)
        for storage in (self._storages.get(place), *self._twins.get(place, ())):
            if storage is not None and storage is not knowing:
                storage.doubtful = True

    def is_doubtful(self, tensor: Tensor) -> bool:
        """Returns whether a tensor that holds a node may have other values than that node."""
        storage = self._storages.get(self._family(tensor))
        return storage is not None and storage.doubtful

    def sure(self, tensor: Tensor) -> int | None:
        """Returns the node that a tensor holds, where no write came since; of any other :meth:`node` knows more."""
        known = self._known.get(id(tensor))
        if (
            known is None
            or known.version != known.storage.version
            or known.storage.doubtful
            or known.place != _storage_id(tensor)
        ):
            return None
        return known.node

    def node(self, tensor: Tensor) -> int | Source | None:
        """Returns the node that a tensor holds, or where its entries come from; nothing where it is a constant."""
        known = self._known.get(id(tensor))
        family = self._family(tensor)
        storage = self._storages.get(family)
        if known is not None and known.storage is not storage:  # its .data was set, which changes no path
            self._storage(tensor).doubtful = True
            return known.node
        if known is not None and known.storage.untouched(window(tensor), known.version):
            self._know(tensor, known.node, known.storage)
            return known.node
        # Never written: another window that PyTorch calls a constant (made by ``.data`` or without gradients), unless
        # autograd knows where it comes from: the same tensor as one of another class, made where nobody sees it.
        if storage is None or (storage.version == 0 and tensor.grad_fn is None):
            return None
        source = storage.source(tensor)
        return source if source.nodes else None

    def hooked(self) -> list[int]:
        """Returns the nodes of tensors that have hooks (``tensor.register_hook``)."""
        return [
            known.node
            for known in self._known.values()
            if known.node is not None and known.tensor._backward_hooks
        ]

    def seen(self, tensor: Tensor) -> bool:
        """Returns whether anything that was recorded lies in a tensor's family."""
        return self._family(tensor) in self._storages
