"""What PyTorch's own account of a basic operation says of it."""

from functools import cache
from typing import Any, NamedTuple

import torch


class Info(NamedTuple):
    """What a basic operation's schema says: its plain name, its arguments, which of them it writes into."""

    name: str
    defaults: dict[str, Any]  # of all arguments, in order; None where there is none
    writes: tuple[str, ...]
    functional: Any


@cache
def info(func: Any) -> Info:
    """Returns what an operation's schema says."""
    schema = func._schema
    writes = tuple(
        argument.name
        for argument in schema.arguments
        if argument.alias_info is not None and argument.alias_info.is_write
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
    return Info(name, defaults, writes, functional)


def _same_arguments(plain: Any, schema: Any) -> Any:
    """Returns the overload that takes what an operation in place takes; they may be called otherwise."""
    wanted = [(argument.name, str(argument.type)) for argument in schema.arguments]
    for name in plain.overloads() if plain is not None else ():
        overload = getattr(plain, name)
        if [(argument.name, str(argument.type)) for argument in overload._schema.arguments] == wanted:
            return overload
    return None
