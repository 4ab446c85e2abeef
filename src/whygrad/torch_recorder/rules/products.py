"""Products of two arrays, and products with a bias."""

from functools import cache
from typing import Any

from torch import Tensor

from whygrad.ops import Op, application, labels
from whygrad.structures import Affine, Contraction
from whygrad.torch_recorder.rules.entry import OPS, apply, rule
from whygrad.torch_recorder.tracer import Call


@cache
def contraction(name: str, pattern: str, turned: tuple[bool, ...]) -> Op:
    """Returns the product of a pattern with the labels of some of its factors turned round."""
    *factors, out = labels(pattern)
    one, two = (said[::-1] if turn else said for said, turn in zip(factors, turned, strict=True))
    return application(name, ("A", "B"), Contraction(("A", "B"), (one, two, out)))


@cache
def affine(name: str, pattern: str, turned: tuple[bool, ...]) -> Op:
    """Returns the same with a bias added."""
    return application(name, ("A", "B", "b"), Affine(contraction(name, pattern, turned).structure))


def _matrix(call: Call, value: Tensor) -> tuple[int, bool]:
    """Returns the node of a matrix, without the transposition that PyTorch's layers put around a weight, and whether
    there was one."""
    node = call.ledger.node(value)
    if node is None:
        return call.ledger.input(value, call.out), False
    nodes = call.ledger.recording.nodes
    made = nodes[node]
    if made.op is not None and made.op.name in ("t", "transpose", "permute") and value.dim() == 2:
        source = nodes[made.inputs[0]]
        if source.op is None and tuple(source.value.shape) == tuple(value.shape)[::-1]:
            return made.inputs[0], True
    return node, False


def _product(call: Call, first: Tensor, second: Tensor, pattern: str, bias: Any = None) -> int:
    one, other = _matrix(call, first), _matrix(call, second)
    inputs, turned = [one[0], other[0]], (one[1], other[1])
    if bias is None:
        return call.ledger.apply(call.name, contraction(call.name, pattern, turned), inputs, {}, call.out)
    inputs.append(call.ledger.input(bias, call.out))
    return call.ledger.apply(call.name, affine(call.name, pattern, turned), inputs, {}, call.out)


@rule("mm")
def _mm(call: Call) -> Any:
    return _product(call, call.given["self"], call.given["mat2"], "n i, i o -> n o")


@rule("addmm")
def _addmm(call: Call) -> Any:
    if call.given["beta"] != 1 or call.given["alpha"] != 1:
        return NotImplemented
    return _product(call, call.given["mat1"], call.given["mat2"], "n i, i o -> n o", call.given["self"])


@rule("bmm")
def _bmm(call: Call) -> Any:
    return _product(call, call.given["self"], call.given["mat2"], "b n i, b i o -> b n o")


@rule("mv")
def _mv(call: Call) -> Any:
    return _product(call, call.given["self"], call.given["vec"], "o i, i -> o")


@rule("dot", "vdot")
def _dot(call: Call) -> Any:
    return _product(call, call.given["self"], call.given.get("tensor", call.given.get("other")), "i, i -> ")


@rule("convolution", "_convolution")
def _convolution(call: Call) -> Any:
    given = call.given
    op = OPS["convolution"]
    names = ("stride", "padding", "dilation", "transposed", "output_padding", "groups")
    settings = {name: tuple(v) if isinstance(v := given[name], (list, tuple)) else v for name in names}
    inputs = [given["input"], given["weight"]]
    if given["bias"] is None:
        return apply(call, op, inputs, settings)
    spatial = given["input"].dim() - 2
    affine = application("convolution", ("x", "W", "b"), Affine(op.structure, -1 - spatial))
    return apply(call, affine, [*inputs, given["bias"]], settings)
