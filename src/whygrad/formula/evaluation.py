"""Formulas as Python functions: of NumPy's arrays, of PyTorch's tensors, of numbers."""

import math
import sys
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from whygrad.arrays import cast
from whygrad.formula.functions import FUNCTIONS
from whygrad.formula.printing import show
from whygrad.formula.tree import Apply, Number, Tree


def _sign(x: float) -> float:
    return float(x > 0) - float(x < 0)


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else (e := math.exp(x)) / (1.0 + e)


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _normal_cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def _normal_density(x: float) -> float:
    return math.exp(-x * x / 2.0) / math.sqrt(2.0 * math.pi)


def _erfinv(x: float) -> float:
    from statistics import NormalDist  # which takes longer to import than all of this package

    if abs(x) >= 1:
        return math.copysign(math.inf, x) if abs(x) == 1 else math.nan
    y = NormalDist().inv_cdf((x + 1) / 2) / math.sqrt(2)
    # One step of Newton's: (x + 1)/2 is rounded where x is small.
    return y - (math.erf(y) - x) * math.sqrt(math.pi) / 2 * math.exp(y * y)


def _digamma(x: float) -> float:
    """Returns the slope of ln Gamma: by reflection, by recurrence up to 10, and by Stirling's series from there."""
    if x <= 0:
        return _digamma(1 - x) - math.pi / math.tan(math.pi * x) if x % 1 else math.nan
    before = 0.0
    while x < 10:
        before -= 1 / x
        x += 1
    s = 1 / (x * x)
    series = s * (1 / 12 - s * (1 / 120 - s * (1 / 252 - s * (1 / 240 - s * (1 / 132 - s * 691 / 32760)))))
    return before + math.log(x) - 1 / (2 * x) - series


def _trigamma(x: float) -> float:
    """Returns the slope of digamma, in the same way."""
    if x <= 0:
        return (math.pi / math.sin(math.pi * x)) ** 2 - _trigamma(1 - x) if x % 1 else math.inf
    before = 0.0
    while x < 10:
        before += 1 / (x * x)
        x += 1
    s = 1 / (x * x)
    series = s * (1 / 6 - s * (1 / 30 - s * (1 / 42 - s * (1 / 30 - s * (5 / 66 - s * 691 / 2730)))))
    return before + (1 + 1 / (2 * x) + series) / x


SCALAR_NAMES: dict[str, Any] = {
    name: getattr(math, name)
    for name in (
        *("exp", "expm1", "exp2", "log", "log1p", "log2", "log10", "sqrt", "hypot", "erf", "erfc", "lgamma"),
        *(
            "sin",
            "cos",
            "tan",
            "asin",
            "acos",
            "atan",
            "atan2",
            "sinh",
            "cosh",
            "tanh",
            "asinh",
            "acosh",
            "atanh",
        ),
        *("floor", "ceil", "trunc", "fmod"),
    )
} | {
    "inf": math.inf,
    "round": round,
    "sign": _sign,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "Phi": _normal_cdf,
    "phi": _normal_density,
    "erfinv": _erfinv,
    "digamma": _digamma,
    "trigamma": _trigamma,
    "abs": abs,
    "max": max,
    "min": min,
}


@cache
def numpy_names() -> dict[str, Any]:
    """Returns what a formula's NumPy code may refer to: NumPy itself and the functions it doesn't have."""
    import numpy as np

    def sigmoid(x: Any) -> Any:
        # exp overflows to inf for x < -709, and 1 / (1 + inf) is then the right 0; tanh would lose the small tail.
        with np.errstate(over="ignore"):
            return 1 / (1 + np.exp(-x))

    def each(function: Callable[[float], float]) -> Callable[[Any], Any]:
        by_entry = np.frompyfunc(function, 1, 1)

        def call(x: Any) -> Any:
            x = np.asarray(x)
            return np.asarray(by_entry(x)).astype(x.dtype if x.dtype.kind == "f" else np.float64)

        return call

    def phi(x: Any) -> Any:
        # x*x may be inf, and exp(-inf) is the right 0
        with np.errstate(over="ignore"):
            return np.exp(-x * x / 2) / math.sqrt(2 * math.pi)

    return {"np": np, "sigmoid": sigmoid, "phi": phi, "inf": math.inf} | {
        "Phi": each(_normal_cdf),
        "erf": each(math.erf),
        "erfc": each(math.erfc),
        "erfinv": each(_erfinv),
        "lgamma": each(math.lgamma),
        "digamma": each(_digamma),
        "trigamma": each(_trigamma),
    }


class _Torch:
    """What a formula's PyTorch code refers to as ``torch``: PyTorch, where numbers alone take the type of the arrays.

    ``torch.where(x > 0, 1, 0.01)`` makes numbers of the default type, whatever type x has.
    """

    def __init__(self, dtype: Any) -> None:
        self._torch = sys.modules["torch"]  # whoever has tensors has imported it
        self._dtype = dtype

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._torch, name)
        setattr(self, name, found)
        return found

    def where(self, condition: Any, a: Any, b: Any) -> Any:
        if not hasattr(a, "dtype") and not hasattr(b, "dtype"):
            if (a, b) == (1, 0):
                return cast(condition, self._dtype)  # a tenth of the time
            a = condition.new_tensor(a, dtype=self._dtype)
        return self._torch.where(condition, a, b)


def _without_constants(tree: Tree) -> Tree:
    """Returns the formula with functions of numbers alone worked out: PyTorch's functions take tensors only."""
    match tree:
        case Apply(head, arguments):
            done = Apply(head, tuple(_without_constants(argument) for argument in arguments))
            if all(isinstance(argument, Number) for argument in done.arguments) and FUNCTIONS[head].scalar:
                try:
                    return Number(compiled(done, (), "scalar")())
                except (ValueError, ArithmeticError):
                    return done
            return done
    return tree


def compiled(tree: Tree, arguments: tuple[str, ...], style: str = "numpy") -> Callable[..., Any]:
    """Returns the formula as a Python function of the named arguments.

    Args:
        tree: The formula.
        arguments: The names of the function's arguments, in order.
        style: ``numpy`` (arrays), ``torch`` (tensors; the caller has them, and so PyTorch) or ``scalar`` (Python
            numbers).

    Example:
        >>> from whygrad.formula import parse
        >>> compiled(parse("y*(1 - y)"), ("y",), "scalar")(0.25)
        0.1875
    """
    if style == "torch":
        return _compiled_for_torch(tree, arguments)
    return _compiled(show(tree, style), arguments, style)


@cache
def _compiled(code: str, arguments: tuple[str, ...], style: str) -> Callable[..., Any]:
    names = numpy_names() if style == "numpy" else SCALAR_NAMES
    return _function(code, arguments, names)


@cache
def _compiled_for_torch(tree: Tree, arguments: tuple[str, ...]) -> Callable[..., Any]:
    code = show(_without_constants(tree), "torch")
    of_type: dict[Any, Callable[..., Any]] = {}

    def call(*values: Any) -> Any:
        dtype = values[0].dtype if values else None
        short = str(dtype) in ("torch.bfloat16", "torch.float16")
        if short:
            # As PyTorch's own kernels do: 1 - tanh(x)^2 in 8 bits would be 0 or a power of two.
            values = tuple(value.float() for value in values)
        used = values[0].dtype if values else None
        if used not in of_type:
            of_type[used] = _function(code, arguments, {"torch": _Torch(used), "inf": math.inf})
        made = of_type[used](*values)
        return made.to(dtype) if short and hasattr(made, "dtype") else made

    return call


def _function(code: str, arguments: tuple[str, ...], names: Mapping[str, Any]) -> Callable[..., Any]:
    function: Callable[..., Any] = eval(f"lambda {', '.join(arguments)}: {code}", dict(names))
    return function
