"""Functions in an equation: the network's activation functions, those with names, and those of whole arrays."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from whygrad.arrays import Array
from whygrad.codegen.layered import Activation
from whygrad.equation.arithmetic import Absent, alike, power
from whygrad.equation.functions import FUNCTIONS, MATRIX_FUNCTIONS
from whygrad.equation.points import function_slope, function_value
from whygrad.equation.products import times
from whygrad.equation.tree import Call, Function, Node, Ref, Symbol
from whygrad.equation.vocabulary import stands_for
from whygrad.errors import EquationError

if TYPE_CHECKING:
    from whygrad.equation.evaluate import Evaluator


def activation_of(
    evaluator: "Evaluator", node: Node, function: Function, argument: Node, values: dict[str, int]
) -> tuple[Activation, int | None]:
    """Returns which activation function an application means, and of which layer's z it is taken."""
    net = evaluator.points.net
    inner = stands_for(argument)
    layer: int | None = None
    if isinstance(inner, Symbol):
        meaning = evaluator.meaning(inner)
        if isinstance(meaning, Ref) and meaning.kind in ("z", "a", "delta") and meaning.layer is not None:
            layer = meaning.layer.at(values)
    exact = layer if isinstance(inner, Symbol) and layer and evaluator.meaning(inner).kind == "z" else None
    if function.layer is not None:
        layer = function.layer.at(values)
        if not 1 <= layer <= net.depth:
            raise Absent("layer")
    if layer:
        return net.activations[layer - 1], exact
    if len(set(net.activations)) == 1:
        return net.activations[0], exact
    found = evaluator.value(argument, values)
    for number, activation in enumerate(net.activations, 1):
        z = evaluator.points.z(number)
        whole = evaluator.laid_out("z", z)
        if found.ndim == 3 and found.shape == whole.shape and np.allclose(found, whole):
            return activation, None
        if found.ndim == 2 and any(np.allclose(found, z[..., unit]) for unit in range(z.shape[2])):
            return activation, None
    raise EquationError(
        "the layers have different activation functions; which is meant?", evaluator.text, node.span[0]
    )


def called(evaluator: "Evaluator", node: Call, values: dict[str, int]) -> Array:
    """Returns the value of a function that is applied to something."""
    function = node.function
    if function.name in ("greater", "norm"):
        return _special(node, [evaluator.value(argument, values) for argument in node.arguments])
    if function.name in MATRIX_FUNCTIONS:
        return _array_call(
            evaluator, node, [evaluator.value(argument, values) for argument in node.arguments]
        )
    if len(node.arguments) != 1:
        raise EquationError("this function has one argument", evaluator.text, node.span[0])
    argument = node.arguments[0]
    if function.primes > 1:
        raise EquationError("second derivatives can't be checked", evaluator.text, node.span[0])
    found = evaluator.value(argument, values)
    if function.name:
        known = FUNCTIONS[function.name]
        if function.primes and known.slope is None:
            raise EquationError(f"the slope of {function.name} is not known", evaluator.text, node.span[0])
        return known.slope(found) if function.primes and known.slope else known.value(found)
    activation, exact = activation_of(evaluator, node, function, argument, values)
    if activation.dense and found.ndim == 2:
        return _dense_scalar(evaluator, node, argument, exact, values, bool(function.primes))
    turned = activation.dense and not evaluator.vocabulary.code
    made = (function_slope if function.primes else function_value)(
        activation, np.swapaxes(found, 1, 2) if turned else found
    )
    return np.swapaxes(made, 1, 2) if turned else made


def _special(node: Call, found: list[Array]) -> Array:
    if node.function.name == "norm":
        inside = found[0] if found[0].ndim == 3 else found[0][:, :, None]
        return np.sqrt((inside**2).sum(axis=(1, 2)))[:, None]
    one, other = found
    if one.ndim != other.ndim:
        one, other = alike(node, one, other)
    return (one > other).astype(float)


def _dense_scalar(
    evaluator: "Evaluator", node: Node, argument: Node, exact: int | None, values: dict[str, int], slope: bool
) -> Array:
    inner = stands_for(argument)
    if exact is None or not isinstance(inner, Symbol):
        raise EquationError(
            "softmax of one number can't be told; it needs the whole layer", evaluator.text, node.span[0]
        )
    q = evaluator.quantity(inner, evaluator.meaning(inner), values)
    a = evaluator.points.value(q._replace(kind="a"))
    return a * (1 - a) if slope else a


def _array_call(evaluator: "Evaluator", node: Call, found: list[Array]) -> Array:
    name, first = node.function.name, found[0]
    if name in _PRODUCTS:
        if len(found) != 2:
            raise EquationError(f"{name} needs two arguments", evaluator.text, node.span[0])
        return times(evaluator, node, 0, found[0], found[1], _PRODUCTS[name])
    if name in _PAIRS:
        if name == "clamp" and node.options:
            found = [first, np.zeros((1, 1))]
        if len(found) != 2:
            raise EquationError(f"{name} needs two arguments", evaluator.text, node.span[0])
        one, other = alike(node, *found) if found[0].ndim != found[1].ndim else found
        return _PAIRS[name](node, one, other)
    if name == "square":
        return first**2
    axis = next((option for option in node.options if option.startswith(("axis=", "dim="))), None)
    if name in ("sum", "mean"):
        if first.ndim == 2:
            added: Array = getattr(first, name)(axis=1, keepdims=True)
        elif axis is None:
            added = getattr(first, name)(axis=(1, 2))[:, None]
        else:
            added = getattr(first, name)(axis=1 + int(axis.partition("=")[2]) % 2, keepdims=True)
        return added
    if first.ndim == 2:
        raise EquationError(f"{name} needs a whole layer", evaluator.text, node.span[0])
    if name == "diag":
        vector = first.reshape(first.shape[0], -1)
        return vector[:, :, None] * np.eye(vector.shape[1])
    along = 2 if evaluator.vocabulary.code else 1
    powers = np.exp(first - first.max(axis=along, keepdims=True))
    return powers / powers.sum(axis=along, keepdims=True)


_PRODUCTS = {"dot": "@", "matmul": "@", "mm": "@", "multiply": "⊙", "mul": "⊙", "outer": "⊗"}
_PAIRS: dict[str, Callable[[Node, Array, Array], Array]] = {
    "maximum": lambda _, one, other: np.maximum(one, other),
    "max": lambda _, one, other: np.maximum(one, other),
    "clamp": lambda _, one, other: np.maximum(one, other),
    "power": power,
    "pow": power,
}
