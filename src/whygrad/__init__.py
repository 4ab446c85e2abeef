"""Why is this gradient what it is? Computes, explains and checks backpropagation.

Everything is loaded when it is first used: ``import whygrad`` costs little more than ``import numpy``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np  # noqa: F401 - the one library that every use needs

if TYPE_CHECKING:
    from whygrad.diagnosis import assert_gradients
    from whygrad.diagnosis import diagnose_functions as diagnose
    from whygrad.errors import (
        EquationError,
        NetworkFileError,
        NotSupportedError,
        NotYetError,
        QuantityError,
        ShapeError,
        WhygradError,
    )
    from whygrad.model_record import Record
    from whygrad.monitoring import monitor
    from whygrad.network import Network
    from whygrad.notation import Quantity
    from whygrad.recorders import record
    from whygrad.run import Run
    from whygrad.translations import translate

__version__ = "0.1.0"

__all__ = [
    "EquationError",
    "Network",
    "NetworkFileError",
    "NotSupportedError",
    "NotYetError",
    "Quantity",
    "QuantityError",
    "Record",
    "Run",
    "ShapeError",
    "WhygradError",
    "__version__",
    "assert_gradients",
    "diagnose",
    "monitor",
    "record",
    "translate",
]

_HOMES = {
    "Network": ("network", "Network"),
    "Run": ("run", "Run"),
    "Quantity": ("notation", "Quantity"),
    "monitor": ("monitoring", "monitor"),
    "Record": ("model_record", "Record"),
    "record": ("recorders", "record"),
    "translate": ("translations", "translate"),
    "diagnose": ("diagnosis", "diagnose_functions"),
    "assert_gradients": ("diagnosis", "assert_gradients"),
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'whygrad' has no attribute {name!r}")
    home, attribute = _HOMES.get(name, ("errors", name))
    found = getattr(import_module(f"whygrad.{home}"), attribute)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
