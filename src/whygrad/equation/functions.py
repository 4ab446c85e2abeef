"""The functions that equations are written with: one entry each."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


def _sigmoid(x: Any) -> Any:
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x))


class Known(NamedTuple):
    """A function by its value and its slope."""

    value: Callable[[Any], Any]
    slope: Callable[[Any], Any] | None = None


FUNCTIONS: dict[str, Known] = {
    "exp": Known(np.exp, np.exp),
    "log": Known(np.log, lambda x: 1 / x),
    "sqrt": Known(np.sqrt, lambda x: 0.5 / np.sqrt(x)),
    "abs": Known(np.abs, np.sign),
    "sign": Known(np.sign),
    "sin": Known(np.sin, np.cos),
    "cos": Known(np.cos, lambda x: -np.sin(x)),
    "sinh": Known(np.sinh, np.cosh),
    "cosh": Known(np.cosh, np.sinh),
    "sech": Known(lambda x: 1 / np.cosh(x), lambda x: -np.tanh(x) / np.cosh(x)),
    "tanh": Known(np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "sigmoid": Known(_sigmoid, lambda x: _sigmoid(x) * (1 - _sigmoid(x))),
    "relu": Known(lambda x: np.maximum(x, 0.0), lambda x: (x > 0).astype(float)),
    "softplus": Known(lambda x: np.logaddexp(x, 0), _sigmoid),
    "step": Known(lambda x: (x > 0).astype(float)),
}

SPELLINGS: dict[str, str] = {
    "ln": "log", "ReLU": "relu", "Relu": "relu", "RELU": "relu", "logistic": "sigmoid", "sigm": "sigmoid",
    "sgn": "sign", "Theta": "step", "heaviside": "step", "Softplus": "softplus", "sigmoid": "sigmoid",
} | {name: name for name in FUNCTIONS}  # fmt: skip
"""How a function is called -> its name in the table."""

ACTIVATION_LETTERS = frozenset({"sigma", "f", "g", "phi", "varphi", "activation", "act"})
"""What the network's own activation function is called, where nothing else is declared."""

MATRIX_FUNCTIONS = frozenset(
    {"dot", "matmul", "mm", "multiply", "outer", "sum", "mean", "diag", "maximum", "max", "softmax", "mul", "square",
     "power", "pow", "clamp"}
)  # fmt: skip
"""Functions of whole arrays, as code and books write them."""
