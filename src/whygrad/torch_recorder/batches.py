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
