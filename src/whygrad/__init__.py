"""Why is this gradient what it is? Computes, explains and checks backpropagation.

Everything is loaded when it is first used: ``import whygrad`` costs little more than ``import numpy``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np  # noqa: F401 - the one library that every use needs

__version__ = "0.1.0"

_HOMES = {
    "Network": "network",
    "Run": "run",
    "Quantity": "notation",
    "translate": "translate",
    "WhygradError": "errors",
    "EquationError": "errors",
    "NotSupportedError": "errors",
    "NotYetError": "errors",
    "ShapeError": "errors",
    "NetworkFileError": "errors",
    "QuantityError": "errors",
}

__all__ = ["__version__", *_HOMES]

if TYPE_CHECKING:
    from whygrad.errors import (
        EquationError,
        NetworkFileError,
        NotSupportedError,
        NotYetError,
        QuantityError,
        ShapeError,
        WhygradError,
    )
    from whygrad.network import Network
    from whygrad.notation import Quantity
    from whygrad.run import Run


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'whygrad' has no attribute {name!r}")
    found = getattr(import_module(f"whygrad.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
