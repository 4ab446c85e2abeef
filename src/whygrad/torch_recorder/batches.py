"""The tensors that a batch holds, whatever holds them, with their names."""

import dataclasses
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from torch import Tensor
from torch.utils._pytree import keystr, tree_flatten_with_path


def named_tensors(value: Any, name: str) -> Iterator[tuple[str, Tensor]]:
    """Yields the tensors in a nest of containers, dataclasses and namespaces, with the expressions that reach them.

    Example:
        >>> import torch
        >>> held = {"x": torch.ones(2), "more": [SimpleNamespace(mask=torch.ones(1)), None]}
        >>> [name for name, _ in named_tensors(held, "batch")]
        ["batch['x']", "batch['more'][0].mask"]
    """
    flat, _ = tree_flatten_with_path(value)
    for key, item in flat:
        here = name + keystr(key)
        if isinstance(item, Tensor):
            yield here, item
        elif isinstance(item, Mapping):  # one that PyTorch doesn't know, as tokenizers return
            for word, inner in item.items():
                yield from named_tensors(inner, f"{here}[{word!r}]")
        elif isinstance(item, SimpleNamespace):
            for word, inner in vars(item).items():
                yield from named_tensors(inner, f"{here}.{word}")
        elif dataclasses.is_dataclass(item) and not isinstance(item, type):
            for field in dataclasses.fields(item):
                yield from named_tensors(getattr(item, field.name, None), f"{here}.{field.name}")
