"""What NumPy's functions are to a tape: elementwise with partials, without derivative, or a selection of entries."""

from collections.abc import Callable
from typing import Any

import numpy as np

#: The partials of NumPy's elementwise functions: of the inputs and the output, one for each input.
PARTIALS: dict[str, Callable[..., tuple[Any, ...]]] = {
    "add": lambda a, b, y: (1.0, 1.0),
    "subtract": lambda a, b, y: (1.0, -1.0),
    "multiply": lambda a, b, y: (b, a),
    "divide": lambda a, b, y: (1 / b, -a / b**2),
    "power": lambda a, b, y: (b * a ** (b - 1.0), y * np.log(np.where(a > 0, a, 1.0))),
    "negative": lambda a, y: (-1.0,),
    "positive": lambda a, y: (1.0,),
    "exp": lambda a, y: (y,),
    "expm1": lambda a, y: (y + 1,),
    "log": lambda a, y: (1 / a,),
    "log1p": lambda a, y: (1 / (1 + a),),
    "log2": lambda a, y: (1 / (a * np.log(2)),),
    "sqrt": lambda a, y: (0.5 / y,),
    "square": lambda a, y: (2 * a,),
    "reciprocal": lambda a, y: (-(y**2),),
    "tanh": lambda a, y: (1 - y**2,),
    "sin": lambda a, y: (np.cos(a),),
    "cos": lambda a, y: (-np.sin(a),),
    "arctan": lambda a, y: (1 / (1 + a**2),),
    "absolute": lambda a, y: (np.sign(a),),
    "maximum": lambda a, b, y: ((a > b) + 0.5 * (a == b), (b > a) + 0.5 * (a == b)),
    "minimum": lambda a, b, y: ((a < b) + 0.5 * (a == b), (b < a) + 0.5 * (a == b)),
    "logaddexp": lambda a, b, y: (np.exp(a - y), np.exp(b - y)),
}
FLAT = {
    "greater",
    "greater_equal",
    "less",
    "less_equal",
    "equal",
    "not_equal",
    "sign",
    "isfinite",
    "isnan",
    "floor",
}
SELECT = {
    "reshape", "transpose", "ravel", "expand_dims", "squeeze", "broadcast_to", "flip", "roll",
    "swapaxes", "moveaxis", "concatenate", "stack", "hstack", "vstack", "take", "take_along_axis",
    "repeat", "tile", "rot90", "fliplr", "flipud", "atleast_2d", "column_stack", "copy",
    "sliding_window_view", "append", "diagonal",
}  # fmt: skip
