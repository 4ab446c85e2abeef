"""What each of PyTorch's basic operations is in our table of operations: one entry each."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from whygrad.ops import OPS, Op
from whygrad.structures import Affine, Contraction, Elementwise, Structure
from whygrad.torch_recorder.deposit import Deposit
from whygrad.torch_recorder.selections import selected
from whygrad.torch_recorder.tracer import Call, Rule, tensors

aten = torch.ops.aten

RULES: dict[str, Rule] = {}


def _rule(*names: str) -> Callable[[Rule], Rule]:
    def enter(made: Rule) -> Rule:
        for name in names:
            RULES[name] = made
        return made

    return enter


def _op(name: str, arguments: tuple[str, ...], structure: Structure) -> Op:
    return Op(name, arguments, structure, lambda generator: (), (), {}, {}, name, "", False, None)


def _apply(call: Call, op: Op, inputs: Sequence[Any], settings: dict[str, Any] | None = None) -> int:
    out = call.out if isinstance(call.out, Tensor) else call.out[0]
    nodes = [call.tracer.input(value, out) for value in inputs]
    return call.tracer.apply(call.name, op, nodes, settings or {}, out)


# Entries that are moved, picked or repeated: PyTorch runs them on positions.

SELECTIONS = """
    view reshape _unsafe_view _reshape_alias t transpose permute expand slice select squeeze unsqueeze clone alias
    contiguous lift_fresh flip roll rot90 repeat tile index gather index_select take embedding constant_pad_nd
    reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d replication_pad3d
    unfold im2col as_strided diagonal diag_embed diag tril triu masked_select movedim swapaxes pixel_shuffle
    pixel_unshuffle channel_shuffle upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact2d
    select_scatter slice_scatter diagonal_scatter as_strided_scatter masked_scatter where masked_fill index_fill
    index_copy scatter cat stack unbind split split_with_sizes unsafe_split unsafe_split_with_sizes unsafe_chunk chunk
    copy repeat_interleave _to_copy view_copy expand_copy fill zero
""".split()  # noqa: SIM905

# Numbers that are written into an array come from nowhere.
WRITTEN_NUMBERS = ("value", "fill_value")


@_rule(*SELECTIONS)
def _selection(call: Call) -> Any:
    if not all(t.is_floating_point() for t in _outs(call.out)):
        return NotImplemented
    values = [value for value in tensors(call.given) if value.is_floating_point()]
    live = [value for value in values if call.live(value)]
    dead = [value for value in values if not call.live(value)]
    given = {
        name: 0 if name in WRITTEN_NUMBERS and not isinstance(value, Tensor) else value
        for name, value in call.given.items()
    }
    given = {name: value for name, value in given.items() if name not in ("dtype", "memory_format")}
    positions = call._replace(given=given)
    nodes = [call.tracer.input(value, value) for value in live]

    def run(place: int | None) -> Callable[..., Tensor]:
        def made(*places: Tensor) -> Tensor:
            swapped = {id(value): torch.zeros_like(value, dtype=torch.float64) for value in dead}
            swapped |= {id(value): at for value, at in zip(live, places, strict=True)}
            found = positions.again(swapped)
            return found if place is None else found[place]

        return made

    if isinstance(call.out, Tensor):
        return selected(call.tracer, call.name, run(None), nodes, call.out)
    return [selected(call.tracer, call.name, run(place), nodes, out) for place, out in enumerate(call.out)]


def _outs(out: Any) -> list[Tensor]:
    return [out] if isinstance(out, Tensor) else [t for t in out if isinstance(t, Tensor)]


@_rule("_to_copy", "to")
def _cast(call: Call) -> Any:
    if not call.out.is_floating_point():
        return NotImplemented if call.name == "to" else None
    return _apply(call, OPS["identity"], [call.given["self"]])


@_rule("sort", "topk", "kthvalue", "mode", "cummax", "cummin", "median", "nanmedian", "max", "min")
def _by_indices(call: Call) -> Any:
    if isinstance(call.out, Tensor):
        return NotImplemented
    indices, dim = call.out[1], call.given.get("dim", -1)
    keeps = call.given.get("keepdim", True) or indices.dim() == call.given["self"].dim()
    at = indices if keeps else indices.unsqueeze(dim)

    def run(places: Tensor) -> Tensor:
        if places.dim() == 0:
            return places
        found = places.gather(dim, at)
        return found if keeps else found.squeeze(dim)

    return selected(
        call.tracer, call.name, run, [call.tracer.input(call.given["self"], call.out[0])], call.out[0]
    )


@_rule(
    "max_pool2d_with_indices",
    "max_pool3d_with_indices",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "fractional_max_pool2d",
)
def _max_pool(call: Call) -> Any:
    indices = call.out[1]
    spatial = 3 if "3d" in call.name else 2

    def run(places: Tensor) -> Tensor:
        flat = places.flatten(-spatial)
        return flat.gather(-1, indices.flatten(-spatial)).reshape(indices.shape)

    return selected(
        call.tracer, call.name, run, [call.tracer.input(call.given["self"], call.out[0])], call.out[0]
    )


# What has no derivative, or is drawn: constants


@_rule(
    *"""zeros_like ones_like full_like empty_like rand_like randn_like randint_like new_zeros new_ones new_full
    new_empty new_empty_strided empty_strided bernoulli normal poisson binomial multinomial floor ceil round trunc sign
    signbit floor_divide heaviside argmax argmin""".split()  # noqa: SIM905
)
def _nothing(call: Call) -> Any:
    return None


# Entries that are added into an array


@_rule("scatter_add", "index_add", "index_put", "_unsafe_index_put")
def _deposit(call: Call) -> Any:
    given = call.given
    base = given["self"]
    if call.name.endswith("index_put"):
        if not given["accumulate"]:
            return _selection(call)
        source, indices = given["values"], list(given["indices"])
    else:
        source, indices = given.get("src", given.get("source")), given["index"]
    if given.get("alpha", 1) != 1:
        return NotImplemented
    places = torch.arange(base.numel(), device=base.device).reshape(base.shape)
    if call.name == "scatter_add":
        window = tuple(slice(0, size) for size in indices.shape)
        if source.shape != indices.shape:
            return NotImplemented
        targets = places.gather(given["dim"], indices) if base.dim() else places[window]
    elif call.name == "index_add":
        targets = places.index_select(given["dim"], indices)
    else:
        targets = aten.index.Tensor(places, indices)
    targets = targets.expand(torch.broadcast_shapes(targets.shape, source.shape))
    if targets.shape != source.shape:
        return NotImplemented
    return _apply(call, _op(call.name, ("base", "x"), Deposit(targets)), [base, source])


# Products


@cache
def _contraction(name: str, pattern: str) -> Op:
    left, _, out = pattern.partition("->")
    first, second = (tuple(part.split()) for part in left.split(","))
    return _op(name, ("A", "B"), Contraction(("A", "B"), (first, second, tuple(out.split()))))


@cache
def _affine(name: str, pattern: str) -> Op:
    product = _contraction(name, pattern).structure
    return _op(name, ("A", "B", "b"), Affine(product))


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


@_rule("mm")
def _mm(call: Call) -> Any:
    return _product(call, call.given["self"], call.given["mat2"], "n i, i o -> n o")


@_rule("addmm")
def _addmm(call: Call) -> Any:
    if call.given["beta"] != 1 or call.given["alpha"] != 1:
        return NotImplemented
    return _product(call, call.given["mat1"], call.given["mat2"], "n i, i o -> n o", call.given["self"])


@_rule("bmm")
def _bmm(call: Call) -> Any:
    return _product(call, call.given["self"], call.given["mat2"], "b n i, b i o -> b n o")


@_rule("mv")
def _mv(call: Call) -> Any:
    return _product(call, call.given["self"], call.given["vec"], "o i, i -> o")


@_rule("dot", "vdot")
def _dot(call: Call) -> Any:
    return _product(call, call.given["self"], call.given.get("tensor", call.given.get("other")), "i, i -> ")


@_rule("convolution", "_convolution")
def _convolution(call: Call) -> Any:
    given = call.given
    op = OPS["convolution"]
    names = ("stride", "padding", "dilation", "transposed", "output_padding", "groups")
    settings = {name: tuple(v) if isinstance(v := given[name], (list, tuple)) else v for name in names}
    inputs = [given["input"], given["weight"]]
    if given["bias"] is None:
        return _apply(call, op, inputs, settings)
    spatial = given["input"].dim() - 2
    affine = _op("convolution", ("x", "W", "b"), Affine(op.structure, -1 - spatial))
    return _apply(call, affine, [*inputs, given["bias"]], settings)


# Sums along axes


def _reduced(call: Call, op: Op, inputs: Sequence[Any], settings: dict[str, Any]) -> int:
    """Returns the node of a reduction, whose axes may be kept with length 1."""
    rank = inputs[0].dim()
    axes = call.given.get("dim")
    axes = tuple(range(rank)) if axes is None or axes == [] else axes
    axes = (axes,) if isinstance(axes, int) else tuple(axes)
    axes = tuple(axis % rank for axis in axes) if rank else ()
    out = call.out if isinstance(call.out, Tensor) else call.out[0]
    keep = bool(call.given.get("keepdim"))
    shape = tuple(size for axis, size in enumerate(inputs[0].shape) if axis not in axes)
    nodes = [call.tracer.input(value, out) for value in inputs]
    made = call.tracer.apply(call.name, op, nodes, {"axis": axes, **settings}, out.reshape(shape))
    if not keep:
        return made
    return selected(call.tracer, "view", lambda x: x.reshape(out.shape), [made], out)


@_rule("sum")
def _sum(call: Call) -> Any:
    return _reduced(call, OPS["sum"], [call.given["self"]], {})


@_rule("mean")
def _mean(call: Call) -> Any:
    return _reduced(call, OPS["mean"], [call.given["self"]], {})


# Functions of all entries along an axis


@_rule("_softmax", "_safe_softmax", "_log_softmax")
def _softmax(call: Call) -> Any:
    if call.out.dim() == 0:
        return None  # of one number: a constant 1 or 0
    op = OPS["log_softmax" if "log" in call.name else "softmax"]
    return _apply(call, op, [call.given["self"]], {"axis": call.given["dim"]})


# Elementwise: whatever our table knows under PyTorch's name


def _elementwise(op: Op) -> Rule:
    def rule(call: Call) -> Any:
        given = list(call.given.items())
        values, others = given[: len(op.arguments)], given[len(op.arguments) :]
        if any(not isinstance(value, (Tensor, int, float)) for _, value in values):
            return NotImplemented
        if any(value != call.default(name) for name, value in others):
            return NotImplemented
        return _apply(call, op, [value for _, value in values])

    return rule


for _entry in OPS.values():
    if isinstance(_entry.structure, Elementwise) and not _entry.settings and _entry.cost is None:
        for _name in _entry.torch:
            RULES.setdefault(_name, _elementwise(_entry))
            RULES.setdefault(f"prims.{_name}", _elementwise(_entry))
