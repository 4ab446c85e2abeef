"""Products of two arrays, and products with a bias."""

from functools import cache
from typing import Any

from torch import Tensor

from whygrad.ops import Op, application, labels
from whygrad.structures import Affine, Contraction
from whygrad.torch_recorder.rules.entry import OPS, apply, rule
from whygrad.torch_recorder.tracer import Call


@cache
def _contraction(name: str, pattern: str) -> Op:
    return application(name, ("A", "B"), Contraction(("A", "B"), labels(pattern)))


@cache
def _affine(name: str, pattern: str) -> Op:
    return application(name, ("A", "B", "b"), Affine(_contraction(name, pattern).structure))


def _matrix(call: Call, value: Tensor, labels: str) -> tuple[Any, str]:
    """Returns a matrix and its labels, without the transposition that PyTorch's layers put around a weight."""
    node = call.tracer.node(value)
    if node is not None:
        made = call.tracer.recording.nodes[node]
        if made.op is not None and made.op.name in ("t", "transpose", "permute") and value.dim() == 2:
            source = call.tracer.recording.nodes[made.inputs[0]]
            if source.op is None and tuple(source.value.shape) == tuple(value.shape)[::-1]:
                return made.inputs[0], " ".join(reversed(labels.split()))
    return value, labels


def _product(call: Call, first: Tensor, second: Tensor, pattern: str, bias: Any = None) -> int:
    left, _, out = pattern.partition("->")
    one, two = left.split(",")
    values, labels = [], []
    for value, said in ((first, one), (second, two)):
        found, spelled = _matrix(call, value, said)
        values.append(found if isinstance(found, int) else call.tracer.input(found, call.out))
        labels.append(" ".join(spelled.split()))
    made = f"{labels[0]}, {labels[1]} -> {out.strip()}"
    if bias is None:
        return call.tracer.apply(call.name, _contraction(call.name, made), values, {}, call.out)
    values.append(call.tracer.input(bias, call.out))
    return call.tracer.apply(call.name, _affine(call.name, made), values, {}, call.out)


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
