"""What PyTorch's own account of a basic operation says of it."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

# What is in an argument of these types, or in a list of them, is never a tensor.
PLAIN_TYPES = ("int", "float", "complex", "bool", "str", "Device", "Generator")


class Info(NamedTuple):
    """What a basic operation's schema says: its plain name, its arguments, which of them it writes into.

    ``holders`` are the arguments that may be tensors or lists of them; ``views`` says whether the results are windows
    onto the memory of its argument; ``functional`` is the operation that makes what this one writes.
    """

    name: str
    defaults: dict[str, Any]  # of all arguments, in order; None where there is none
    holders: tuple[str, ...]
    writes: tuple[str, ...]
    views: bool
    functional: Any

    def named(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Returns a call's arguments by their names, with the defaults."""
        given = self.defaults.copy()
        given.update(zip(given, args, strict=False))
        given.update(kwargs)
        return given

    def tensors(self, given: Mapping[str, Any]) -> list[Tensor]:
        """Returns the tensors among a call's arguments, each once."""
        found: dict[int, Tensor] = {}
        for name in self.holders:
            value = given[name]
            if isinstance(value, Tensor):
                found[id(value)] = value
            elif isinstance(value, (list, tuple)):
                found.update((id(tensor), tensor) for tensor in tensors(value))
        return list(found.values())


@cache
def info(func: Any) -> Info:
    """Returns what an operation's schema says."""
    schema = func._schema
    aliases = {a.name: a.alias_info.is_write for a in schema.arguments if a.alias_info is not None}
    writes = tuple(name for name, is_write in aliases.items() if is_write)
    holders = tuple(
        argument.name
        for argument in schema.arguments
        if re.sub(r"Optional\[|List\[|\]", "", str(argument.type)) not in PLAIN_TYPES
    )
    defaults = {
        argument.name: argument.default_value if argument.has_default_value() else None
        for argument in schema.arguments
    }
    name = func.overloadpacket.__name__
    if func.namespace != "aten":
        name = f"{func.namespace}.{name}"
    functional = None
    if writes:
        plain = getattr(torch.ops.aten, name.rstrip("_"), None) if name.endswith("_") else func.overloadpacket
        overload = func._overloadname.replace("_out", "").replace("out", "") or "default"
        functional = (
            _same_arguments(plain, schema)
            or getattr(plain, overload, None)
            or getattr(plain, "default", None)
        )
        if functional is func:
            functional = None
    return Info(name, defaults, holders, writes, bool(aliases) and not writes, functional)


def _same_arguments(plain: Any, schema: Any) -> Any:
    """Returns the overload that takes what an operation in place takes; they may be called otherwise."""
    wanted = [(argument.name, str(argument.type)) for argument in schema.arguments]
    for name in plain.overloads() if plain is not None else ():
        overload = getattr(plain, name)
        if [(argument.name, str(argument.type)) for argument in overload._schema.arguments] == wanted:
            return overload
    return None


def tensors(value: Any) -> list[Tensor]:
    """Returns the tensors in a nest of tuples, lists and mappings, each once."""
    if isinstance(value, Tensor):
        return [value]
    found: dict[int, Tensor] = {}
    for item in (
        value if isinstance(value, (list, tuple)) else value.values() if isinstance(value, Mapping) else ()
    ):
        if isinstance(item, Tensor):
            found[id(item)] = item
        elif isinstance(item, (list, tuple, dict)):
            found.update((id(tensor), tensor) for tensor in tensors(item))
    return list(found.values())
