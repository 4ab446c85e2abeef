"""Which node is in which piece of memory: what makes views and in-place operations come out right.

PyTorch's tensors are windows (sizes, strides, offset) onto a storage. A write through one window changes what all the
others on the same storage show. The recorded graph is functional, so a tensor that is read after such a write is a
selection of entries from the nodes that were written there last.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Window(NamedTuple):
    """The geometry of a tensor on its storage."""

    size: torch.Size
    stride: tuple[int, ...]
    offset: int

    @staticmethod
    def of(tensor: Tensor) -> "Window":
        """Returns a tensor's window."""
        return Window(tensor.size(), tensor.stride(), tensor.storage_offset())

    def places(self, length: int) -> Tensor:
        """Returns the places in the storage of the tensor's entries, in order."""
        every = torch.arange(length, dtype=torch.int64)
        return every.as_strided(self.size, self.stride, self.offset).reshape(-1)


class Known(NamedTuple):
    """What a tensor held after ``version`` writes to its storage; no node where it holds constants."""

    tensor: Tensor  # kept, so that nobody else gets its identity
    node: int | None
    version: int


class Source(NamedTuple):
    """Where entries come from: nodes, and for each entry which of them (-1: a constant) and the place in it."""

    nodes: tuple[int, ...]
    which: Tensor
    place: Tensor


class _Storage:
    """The writes to one storage, and where each of its entries comes from."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.version = 0
        self._waiting: list[tuple[Window, int | None]] = []
        self._owner: Tensor | None = None
        self._place: Tensor | None = None

    def put(self, window: Window, node: int | None) -> None:
        self._waiting.append((window, node))

    def source(self, window: Window) -> Source:
        if self._owner is None or self._place is None:
            self._owner = torch.full((self.length,), -1, dtype=torch.int64)
            self._place = torch.zeros(self.length, dtype=torch.int64)
        for written, node in self._waiting:
            places = written.places(self.length)
            self._owner[places] = -1 if node is None else node
            self._place[places] = torch.arange(len(places))
        self._waiting.clear()
        places = window.places(self.length)
        owner = self._owner[places]
        nodes, which = torch.unique(owner, return_inverse=True)
        constants = int(len(nodes) > 0 and nodes[0] == -1)
        return Source(tuple(nodes[constants:].tolist()), which - constants, self._place[places])


class Memory:
    """What each tensor that was seen holds, and what was written over it."""

    def __init__(self) -> None:
        self._known: dict[int, Known] = {}
        self._storages: dict[int, _Storage] = {}

    @staticmethod
    def key(tensor: Tensor) -> int:
        """Returns what tells a tensor's storage from others."""
        key: int = tensor.untyped_storage()._cdata
        return key

    def _storage(self, tensor: Tensor) -> _Storage:
        key = self.key(tensor)
        if key not in self._storages:
            length = tensor.untyped_storage().nbytes() // max(1, tensor.element_size())
            self._storages[key] = _Storage(length)
        return self._storages[key]

    def hold(self, tensor: Tensor, node: int | None) -> None:
        """Notes what a tensor that was just made holds; no node: constants, whatever shares its memory."""
        if node is None:
            self._known[id(tensor)] = Known(tensor, None, 0)
            return
        storage = self._storage(tensor)
        self._known[id(tensor)] = Known(tensor, node, storage.version)
        storage.put(Window.of(tensor), node)

    def write(self, tensor: Tensor, node: int | None) -> None:
        """Notes what was written into a tensor: the others on its storage show it too."""
        storage = self._storage(tensor)
        storage.version += 1
        storage.put(Window.of(tensor), node)
        self._known[id(tensor)] = Known(tensor, node, storage.version)

    def node(self, tensor: Tensor) -> int | Source | None:
        """Returns the node that a tensor holds, or where its entries come from; nothing where it is a constant."""
        known = self._known.get(id(tensor))
        storage = self._storages.get(self.key(tensor)) if known is None else self._storage(tensor)
        if known is not None and (known.node is None or storage is None or known.version == storage.version):
            return known.node
        # Never written: another window that PyTorch calls a constant (made by ``.data`` or without gradients).
        if storage is None or storage.version == 0:
            return None
        source = storage.source(Window.of(tensor))
        return source if source.nodes else None

    def cut(self, tensor: Tensor) -> bool:
        """Returns whether a tensor was detached, by itself or as a view of a detached one."""
        known = self._known.get(id(tensor))
        return known is not None and known.node is None and known.version == 0

    def seen(self, tensor: Tensor) -> bool:
        """Returns whether anything that was recorded lies on a tensor's storage."""
        return self.key(tensor) in self._storages
