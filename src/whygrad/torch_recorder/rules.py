"""What each of PyTorch's basic operations is in our table of operations: one entry each."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import array_api_compat.torch as xp
import numpy as np
import torch
from torch import Tensor

from whygrad.ops import Op, load_all
from whygrad.structures import (
    Affine,
    Contraction,
    Elementwise,
    Reduction,
    Structure,
    adaptive_windows,
    average_windows,
    axis_numbers,
)
from whygrad.torch_recorder.deposit import Deposit
from whygrad.torch_recorder.selections import selected
from whygrad.torch_recorder.tracer import UNTOLD, Call, Rule, tensors

aten = torch.ops.aten

OPS = load_all()
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
    _pack_padded_sequence _pad_packed_sequence
    contiguous lift_fresh flip roll rot90 repeat tile index gather index_select take constant_pad_nd
    reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d replication_pad3d
    unfold im2col as_strided diagonal diag_embed diag tril triu masked_select movedim swapaxes pixel_shuffle
    pixel_unshuffle channel_shuffle upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact2d
    select_scatter slice_scatter diagonal_scatter masked_scatter where masked_fill index_fill
    index_copy scatter cat stack unbind split split_with_sizes unsafe_split unsafe_split_with_sizes unsafe_chunk chunk
    copy repeat_interleave _to_copy view_copy expand_copy fill zero
""".split()  # noqa: SIM905

# Numbers that are written into an array come from nowhere.
WRITTEN_NUMBERS = ("value", "fill_value", "padding_value")


@_rule(*SELECTIONS)
def _selection(call: Call) -> Any:
    if not any(t.is_floating_point() for t in _outs(call.out)):
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
            one: Tensor = found if place is None else found[place]
            return one

        return made

    if isinstance(call.out, Tensor):
        return selected(call.tracer, call.name, run(None), nodes, call.out)
    return [
        selected(call.tracer, call.name, run(place), nodes, out) if out.is_floating_point() else None
        for place, out in enumerate(call.out)
    ]


@_rule("embedding")
def _embedding(call: Call) -> Any:
    given = call.given
    if given["scale_grad_by_freq"]:
        call.tracer.refuse("embedding (scale_grad_by_freq, which isn't a derivative)")
    if given["padding_idx"] < 0:
        return _selection(call)
    indices, padding = given["indices"], given["padding_idx"]

    def run(places: Tensor) -> Tensor:
        return places[indices].masked_fill((indices == padding).unsqueeze(-1), 0)  # constants, says PyTorch

    return selected(call.tracer, call.name, run, [call.tracer.input(given["weight"], call.out)], call.out)


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
        if call.name not in ("max", "min"):
            return NotImplemented
        return _reduced(call, OPS[f"a{call.name}"], [call.given["self"]], {})
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
    new_empty new_empty_strided empty_strided bernoulli normal poisson binomial multinomial signbit floor_divide
    heaviside argmax argmin""".split()  # noqa: SIM905
)
def _nothing(call: Call) -> Any:
    return None


# Entries that are added into an array


@_rule("scatter_add", "scatter_reduce", "index_add", "index_put", "_unsafe_index_put")
def _deposit(call: Call) -> Any:
    given = call.given
    base = given["self"]
    if call.name.endswith("index_put"):
        if not given["accumulate"]:
            return _selection(call)
        source, indices = given["values"], given["indices"]
    else:
        source, indices = given.get("src", given.get("source")), given["index"]
    if given.get("alpha", 1) != 1 or (
        call.name == "scatter_reduce" and (given["reduce"] != "sum" or not given["include_self"])
    ):
        return NotImplemented
    places = torch.arange(base.numel(), device=base.device).reshape(base.shape)
    if call.name.startswith("scatter"):
        window = tuple(slice(0, size) for size in indices.shape)
        if source.shape != indices.shape:
            return NotImplemented
        targets = places.gather(given["dim"], indices) if base.dim() else places[window]
    elif call.name == "index_add":
        targets = places.index_select(given["dim"], indices)
    else:
        targets = aten.index.Tensor(places, list(indices))
    shape = np.broadcast_shapes(tuple(targets.shape), tuple(source.shape))
    op = _op(call.name, ("base", "x"), Deposit(targets.expand(shape)))
    made = call.tracer.input(source, source)
    if tuple(source.shape) != shape:
        made = selected(
            call.tracer, "expand", lambda t: t.expand(shape), [made], source.detach().expand(shape)
        )
    return call.tracer.apply(call.name, op, [call.tracer.input(base, base), made], {}, call.out)


@_rule("col2im")
def _fold(call: Call) -> Any:
    given, x = call.given, call.given["self"]
    (height, width), (above, left) = given["output_size"], given["padding"]
    channels = x.shape[-2] // (given["kernel_size"][0] * given["kernel_size"][1])
    shape = (*x.shape[:-2], channels, height + 2 * above, width + 2 * left)
    base = torch.zeros(shape, dtype=x.dtype, device=x.device)
    places = torch.arange(base.numel(), device=x.device, dtype=torch.float64).reshape(shape)
    moved = aten.im2col.default(places, given["kernel_size"], given["dilation"], [0, 0], given["stride"])
    op = _op(call.name, ("base", "x"), Deposit(moved.long()))
    value = op.structure.value((base, x.detach()), {}, xp)
    inputs = [call.tracer.constant(base), call.tracer.input(x, x)]
    node = call.tracer.apply(call.name, op, inputs, {}, value)
    return selected(
        call.tracer,
        "slice",
        lambda t: t[..., above : above + height, left : left + width],
        [node],
        call.out,
    )


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


def _reduced(
    call: Call, op: Op, inputs: Sequence[Any], settings: dict[str, Any], out: Tensor | None = None
) -> int:
    """Returns the node of a reduction, whose axes may be kept with length 1."""
    rank = inputs[0].dim()
    axes = call.given.get("dim")
    axes = tuple(range(rank)) if axes is None or axes == [] else axes
    axes = (axes,) if isinstance(axes, int) else tuple(axes)
    axes = tuple(axis % rank for axis in axes) if rank else ()
    out = _first(call.out) if out is None else out
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


def _normalised(call: Call, op: Op, x: Tensor, axes: tuple[int, ...], eps: float) -> tuple[int, Tensor]:
    """Returns the node of what is normalised over some axes, and its value."""
    settings = {"axis": axes, "eps": eps}
    value = op.structure.value((x.detach(),), settings, xp)
    return call.tracer.apply(call.name, op, [call.tracer.input(x, x)], settings, value), value


def _scaled(call: Call, node: int, value: Tensor, weight: Any, bias: Any, shape: Sequence[int]) -> int:
    """Returns the node of a normalised array times a weight plus a bias, each of which may be missing."""
    for op, factor in ((OPS["mul"], weight), (OPS["add"], bias)):
        if factor is not None:
            source = call.tracer.input(factor, factor)
            if tuple(factor.shape) != tuple(shape):
                wide = factor.detach().reshape(shape)
                source = selected(call.tracer, "view", lambda t: t.reshape(shape), [source], wide)
            value = op.structure.value((value, factor.detach().reshape(shape)), {}, xp)
            node = call.tracer.apply(call.name, op, [node, source], {}, value)
    call.tracer.recording.replace_value(node, _first(call.out).detach())
    return node


def _first(out: Any) -> Tensor:
    made: Tensor = out if isinstance(out, Tensor) else out[0]
    return made


@_rule("native_layer_norm")
def _layer_norm(call: Call) -> Any:
    given = call.given
    x, shape = given["input"], tuple(given["normalized_shape"])
    axes = tuple(range(x.dim() - len(shape), x.dim()))
    node, value = _normalised(call, OPS["normalise"], x, axes, given["eps"])
    return _scaled(call, node, value, given["weight"], given["bias"], shape)


@_rule("_fused_rms_norm")
def _rms_norm(call: Call) -> Any:
    given = call.given
    x, shape = given["input"], tuple(given["normalized_shape"])
    axes = tuple(range(x.dim() - len(shape), x.dim()))
    eps = torch.finfo(x.dtype).eps if given["eps"] is None else given["eps"]
    node, value = _normalised(call, OPS["rms_normalise"], x, axes, eps)
    return _scaled(call, node, value, given["weight"], None, shape)


@_rule("native_group_norm")
def _group_norm(call: Call) -> Any:
    given = call.given
    x, groups = given["input"], given["group"]
    wide = (x.shape[0], groups, x.numel() // max(1, x.shape[0] * groups))
    flat = x.detach().reshape(wide)
    apart = selected(call.tracer, "view", lambda t: t.reshape(wide), [call.tracer.input(x, x)], flat)
    settings = {"axis": (2,), "eps": given["eps"]}
    value = OPS["normalise"].structure.value((flat,), settings, xp)
    node = call.tracer.apply(call.name, OPS["normalise"], [apart], settings, value)
    value = value.reshape(x.shape)
    node = selected(call.tracer, "view", lambda t: t.reshape(x.shape), [node], value)
    shape = (x.shape[1], *(1,) * (x.dim() - 2))
    return [_scaled(call, node, value, given["weight"], given["bias"], shape), UNTOLD, UNTOLD]


@_rule(
    "native_batch_norm",
    "_native_batch_norm_legit",
    "_native_batch_norm_legit_no_training",
    "_batch_norm_with_update",
    "_batch_norm_no_update",
    "cudnn_batch_norm",
    "miopen_batch_norm",
)
def _batch_norm(call: Call) -> Any:
    given = call.given
    x = given["input"]
    shape = (x.shape[1], *(1,) * (x.dim() - 2))
    training = given.get(
        "training", given.get("train", "update" in call.name and "no_update" not in call.name)
    )
    eps = given.get("eps", given.get("epsilon"))
    if training or given.get("running_mean") is None:
        node, value = _normalised(call, OPS["normalise"], x, (0, *range(2, x.dim())), eps)
        return _scaled(call, node, value, given["weight"], given["bias"], shape)
    mean = given["running_mean"].detach().reshape(shape)
    factor = torch.rsqrt(given["running_var"].detach() + eps).reshape(shape)
    node = call.tracer.input(x, x)
    value = x.detach()
    for name, constant in (("sub", mean), ("mul", factor)):
        value = value - mean if name == "sub" else value * factor
        node = call.tracer.apply(call.name, OPS[name], [node, call.tracer.constant(constant)], {}, value)
    return _scaled(call, node, value, given["weight"], given["bias"], shape)


# Pooling and interpolation by a matrix along each axis


@_rule("avg_pool1d", "avg_pool2d", "avg_pool3d")
def _average_pool(call: Call) -> Any:
    given, spatial = call.given, int(call.name[-2])
    x = given["self"]
    kernel = axis_numbers(given["kernel_size"], spatial)
    stride = axis_numbers(given["stride"], spatial) if given["stride"] else kernel
    padding = axis_numbers(given["padding"], spatial)
    divisor = given.get("divisor_override")
    matrices = {}
    for place in range(spatial):
        axis = x.dim() - spatial + place
        matrices[axis] = average_windows(
            x.shape[axis],
            kernel[place],
            stride[place],
            padding[place],
            given["ceil_mode"],
            given["count_include_pad"],
        )
        assert matrices[axis].shape[0] == call.out.shape[axis]
    if divisor:
        # windows count the entries in them, all together
        matrices = {axis: (matrix != 0).astype(float) for axis, matrix in matrices.items()}
        matrices[x.dim() - 1] = matrices[x.dim() - 1] / divisor
    return _apply(call, OPS["along_axes"], [x], {"matrices": matrices})


@_rule("_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "adaptive_avg_pool1d", "_adaptive_avg_pool1d")
def _adaptive_pool(call: Call) -> Any:
    x, spatial = call.given["self"], int(call.name[-2])
    axes = range(x.dim() - spatial, x.dim())
    matrices = {axis: adaptive_windows(x.shape[axis], call.out.shape[axis]) for axis in axes}
    return _apply(call, OPS["along_axes"], [x], {"matrices": matrices})


@_rule("cumsum")
def _running_sum(call: Call) -> Any:
    x = call.given["self"]
    if x.dim() == 0:
        return _apply(call, OPS["identity"], [x])
    axis = call.given["dim"] % x.dim()
    return _apply(call, OPS["along_axes"], [x], {"matrices": {axis: np.tril(np.ones((x.shape[axis],) * 2))}})


# Further reductions


@_rule("var", "std", "var_mean", "std_mean")
def _spread(call: Call) -> Any:
    given = call.given
    correction = given.get("correction", 1)
    correction = 1 if correction is None else correction
    if "unbiased" in given:
        correction = int(given["unbiased"])
    name = call.name.partition("_")[0]
    made = _reduced(call, OPS[name], [given["self"]], {"correction": correction}, _first(call.out))
    if isinstance(call.out, Tensor):
        return made
    return [made, _reduced(call, OPS["mean"], [given["self"]], {}, call.out[1])]


@_rule("linalg_vector_norm")
def _norm(call: Call) -> Any:
    order = call.given["ord"]
    if order in (float("inf"),):
        return _reduced(call, OPS["max_norm"], [call.given["self"]], {})
    if order in (0, -float("inf")):
        return NotImplemented  # written with simpler operations
    if order < 1:
        call.tracer.refuse(f"{call.name} (of order {order})")
    return _reduced(call, OPS["norm"], [call.given["self"]], {"p": order})


@_rule("logsumexp", "prod", "amax", "amin")
def _reduction(call: Call) -> Any:
    return _reduced(call, OPS[call.name], [call.given["self"]], {})


@_rule("aminmax")
def _both_ends(call: Call) -> Any:
    x, ends = call.given["self"], zip(("amin", "amax"), call.out, strict=True)
    return [_reduced(call, OPS[name], [x], {}, out) for name, out in ends]


# Losses


def _joined(call: Call, node: int, value: Tensor, reduction: int) -> int:
    """Returns the node of a loss whose entries are left alone (0), averaged (1) or added up (2)."""
    if reduction == 0:
        return node
    op = OPS["mean" if reduction == 1 else "sum"]
    return call.tracer.apply(call.name, op, [node], {"axis": None}, _first(call.out))


@_rule("nll_loss_forward", "nll_loss2d_forward")
def _nll(call: Call) -> Any:
    """The negative log likelihood; with the logarithm of a softmax before it one operation, the cross entropy."""
    given = call.given
    x, target, weight, ignored = given["self"], given["target"], given["weight"], given["ignore_index"]
    axis = 1 if x.dim() > 1 else 0
    live = target != ignored
    hot = torch.zeros_like(x, requires_grad=False)
    hot.scatter_(axis, target.where(live, torch.zeros_like(target)).unsqueeze(axis), 1.0)
    if weight is not None:
        hot *= weight.detach().reshape(-1, *(1,) * (x.dim() - 1 - axis))
    hot *= live.unsqueeze(axis)
    tracer = call.tracer
    node = tracer.node(x)
    made = tracer.recording.nodes[node] if node is not None else None
    if made is not None and made.op is OPS["log_softmax"] and made.settings["axis"] % x.dim() == axis:
        op, source, before = (
            OPS["softmax_cross_entropy"],
            made.inputs[0],
            tracer.recording.nodes[made.inputs[0]].value,
        )
    else:
        op, source, before = _op("nll", ("x", "t"), NLL), tracer.input(x, x), x.detach()
    settings = {"axis": (axis,)}
    value = op.structure.value((before, hot), settings, xp)
    entry = tracer.apply("cross_entropy", op, [source, tracer.constant(hot)], settings, value)
    if given["reduction"] == 0:
        return entry
    if given["reduction"] == 2 or (weight is None and bool(live.all())):
        return _joined(call, entry, value, given["reduction"])
    # the mean is over the weights of the targets
    total = tracer.apply(call.name, OPS["sum"], [entry], {"axis": None}, value.sum())
    return tracer.apply(call.name, OPS["div"], [total, tracer.constant(hot.sum())], {}, _first(call.out))


NLL = Reduction(("x", "t"), "-t*x", {"x": "-t", "t": "-x"})


@_rule("binary_cross_entropy", "binary_cross_entropy_with_logits")
def _binary(call: Call) -> Any:
    given, tracer = call.given, call.tracer
    values = [given["self"], given["target"]]
    if call.name == "binary_cross_entropy":
        op = OPS["clamped_binary_cross_entropy"]
    elif given["pos_weight"] is None:
        op = OPS["binary_cross_entropy_with_logits"]
    else:
        op = OPS["weighted_binary_cross_entropy_with_logits"]
        values.append(given["pos_weight"])
    value = op.structure.value(tuple(v.detach() for v in values), {}, xp)
    node = tracer.apply(call.name, op, [tracer.input(v, v) for v in values], {}, value)
    if given["weight"] is not None:
        value = value * given["weight"].detach()
        node = tracer.apply(call.name, OPS["mul"], [node, tracer.input(given["weight"], value)], {}, value)
    return _joined(call, node, value, given["reduction"])


@_rule("rrelu_with_noise")
def _random_slopes(call: Call) -> Any:
    given = call.given
    if given["training"]:
        return _apply(call, OPS["mul"], [given["self"], given["noise"].detach().clone()])
    slope = (given["lower"] + given["upper"]) / 2
    return _apply(call, OPS["leaky_relu"], [given["self"]], {"slope": slope})


# Elementwise: whatever our table knows under PyTorch's name


ALIASES = {
    "_prelu_kernel": "prelu",
    "log_sigmoid_forward": "logsigmoid",
    "special_log_softmax": "log_softmax",
    "div": "div",
}


def _matched(call: Call, op: Op, spelled: Any) -> tuple[list[Any], dict[str, Any], int] | None:
    """Returns the operands, the settings and how a loss is joined, where a call is this operation."""
    given = list(call.given.items())
    values, others = given[: len(op.arguments)], given[len(op.arguments) :]
    if any(name in spelled.settings for name, _ in values):
        return None
    if any(not isinstance(value, (Tensor, int, float)) or isinstance(value, bool) for _, value in values):
        return None
    settings, joined = {}, 0
    for name, value in others:
        if name in spelled.settings:
            if isinstance(value, (Tensor, list)):
                return None
            if value is not None:
                settings[spelled.settings[name]] = value
        elif name in spelled.fixed:
            if value != spelled.fixed[name]:
                return None
        elif name == "reduction":
            joined = value
        elif isinstance(value, Tensor) or value != call.default(name):
            return None
    if len(set(spelled.settings) - {name for name, _ in others}) > 0:
        return None
    if any(
        isinstance(value, Tensor) and not value.is_floating_point() and call.live(value)
        for _, value in values
    ):
        return None
    return [value for _, value in values], settings, joined


def _elementwise(candidates: list[tuple[Op, Any]]) -> Rule:
    def rule(call: Call) -> Any:
        for op, spelled in candidates:
            found = _matched(call, op, spelled)
            if found is None:
                continue
            values, settings, joined = found
            if not joined:
                return _apply(call, op, values, settings)
            out = _first(call.out)
            nodes = [call.tracer.input(value, out) for value in values]
            whole = tuple(call.tracer.recording.nodes[node].value for node in nodes)
            value = op.structure.value(whole, dict(op.settings) | settings, xp)
            node = call.tracer.apply(call.name, op, nodes, settings, value)
            return _joined(call, node, value, joined)
        return NotImplemented

    return rule


def _enter_elementwise() -> None:
    named: dict[str, list[tuple[Op, Any]]] = {}
    for op in OPS.values():
        if isinstance(op.structure, Elementwise):
            for spelled in op.in_torch():
                named.setdefault(spelled.name, []).append((op, spelled))
    for theirs, ours in ALIASES.items():
        if ours in named:
            named.setdefault(theirs, named[ours])
    for name, candidates in named.items():
        # x^2 rather than x to a constant array's entries; a + b rather than a + 1*b
        candidates.sort(key=lambda pair: (len(pair[0].arguments), len(pair[1].settings)))
        RULES.setdefault(name, _elementwise(candidates))
        RULES.setdefault(f"prims.{name}", _elementwise(candidates))


_enter_elementwise()
