"""The tensors that a batch holds, whatever holds them, with their names."""

import dataclasses
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from torch import Tensor
from torch.utils._pytree import keystr, tree_flatten_with_path

# What can be emptied and filled again with what it held.
PLAIN = frozenset((dict, list, set, deque))


def named_tensors(value: Any, name: str) -> Iterator[tuple[str, Tensor]]:
    """Yields the tensors in a nest of containers, dataclasses and namespaces, with the expressions that reach them.

    Example:
        >>> import torch
        >>> held = {"x": torch.ones(2), "more": [SimpleNamespace(mask=torch.ones(1)), None]}
        >>> [name for name, _ in named_tensors(held, "batch")]
        ["batch['x']", "batch['more'][0].mask"]
    """
    if isinstance(value, Tensor):
        yield name, value
    elif type(value) in (tuple, list):
        for place, inner in enumerate(value):
            yield from named_tensors(inner, f"{name}[{place}]")
    elif isinstance(value, Mapping):  # also those that PyTorch doesn't know, as tokenizers return
        for word, inner in value.items():
            yield from named_tensors(inner, f"{name}[{word!r}]")
    elif isinstance(value, SimpleNamespace):
        for word, inner in vars(value).items():
            yield from named_tensors(inner, f"{name}.{word}")
    else:
        flat, _ = tree_flatten_with_path(value)
        for key, inner in flat:
            if key:  # a class of which PyTorch knows what it holds
                yield from named_tensors(inner, name + keystr(key))
            elif dataclasses.is_dataclass(value) and not isinstance(value, type):
                for field in dataclasses.fields(value):
                    yield from named_tensors(getattr(value, field.name, None), f"{name}.{field.name}")


def containers(value: Any) -> Iterator[Any]:
    """Yields the lists, mappings, sets and attributes that a nest of them is made of.

    Example:
        >>> held = {"x": 1, "more": [SimpleNamespace(mask=2), (3, {4})]}
        >>> list(containers(held))[1:]
        [[namespace(mask=2), (3, {4})], {'mask': 2}, {4}]
    """
    inner: Iterable[Any] = ()
    if isinstance(value, dict):
        yield value
        inner = list(value.values())
    elif type(value) in PLAIN:
        yield value
        inner = list(value)
    elif isinstance(value, tuple):
        inner = value
    elif isinstance(value, (Mapping, SimpleNamespace)) or (
        dataclasses.is_dataclass(value) and not isinstance(value, type)
    ):
        inner = [vars(value)] if hasattr(value, "__dict__") else ()
    for each in inner:
        yield from containers(each)
