"""Steps of backward passes that costs are made of (``create_graph=True``): each is linear in what comes from above.

What moved, averaged or convolved entries on the way forwards does the same turned round on the way back.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from whygrad.structures import axis_numbers
from whygrad.torch_recorder.rules.entry import OPS, apply, as_made, rule, written
from whygrad.torch_recorder.rules.pooling import adaptive_matrices, average_matrices, resizing_matrices
from whygrad.torch_recorder.tracer import Call

aten = torch.ops.aten


@rule("convolution_backward")
def _convolution(call: Call) -> Any:
    given = call.given
    above, x, weight = given["grad_output"], given["input"], given["weight"]
    transposed, groups, spatial = given["transposed"], given["groups"], weight.dim() - 2
    stride, padding, dilation = (
        axis_numbers(given[name], spatial) for name in ("stride", "padding", "dilation")
    )

    def by_input() -> Tensor:
        spare = [0] * spatial
        if not transposed:
            spread = zip(x.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True)
            spare = [(n + 2 * p - d * (k - 1) - 1) % s for n, k, s, p, d in spread]
        made: Tensor = aten.convolution.default(
            above, weight, None, stride, padding, dilation, not transposed, spare, groups
        )
        return made

    def by_weight() -> Tensor:
        # A convolution too: channels stand for examples, and the smaller side is the kernel.
        larger, smaller = (above, x) if transposed else (x, above)
        examples, channels, *places = larger.shape
        turned = larger.reshape(examples, groups, channels // groups, *places).movedim(2, 0).transpose(1, 2)
        turned = turned.reshape(channels // groups, groups * examples, *places)
        kernel = smaller.transpose(0, 1)
        made = aten.convolution.default(
            turned, kernel, None, dilation, padding, stride, False, [0] * spatial, groups
        )
        for axis, size in enumerate(weight.shape[2:], 2):
            made = made.narrow(axis, 0, size)
        turned_back: Tensor = made.transpose(0, 1)
        return turned_back

    def by_bias() -> Any:
        return above.sum((0, *range(2, above.dim())))

    made = zip(call.out, given["output_mask"], (by_input, by_weight, by_bias), strict=True)
    return [written(call._replace(out=out), make) if wanted else None for out, wanted, make in made]


# What was averaged or interpolated along axes


def _turned(call: Call, matrices: dict[int, Any]) -> Any:
    turned = {axis: matrix.T for axis, matrix in matrices.items()}
    return apply(call, OPS["along_axes"], [call.given["grad_output"]], {"matrices": turned})


@rule("avg_pool2d_backward", "avg_pool3d_backward")
def _average_pool(call: Call) -> Any:
    shape = call.given["grad_output"].shape
    return _turned(call, average_matrices(call.given, call.out.shape, shape))


@rule("_adaptive_avg_pool2d_backward", "_adaptive_avg_pool3d_backward")
def _adaptive_pool(call: Call) -> Any:
    shape = call.given["grad_output"].shape
    return _turned(call, adaptive_matrices(call.out.shape, shape, 3 if "3d" in call.name else 2))


@rule(
    *(f"upsample_{kind}_backward" for kind in ("linear1d", "bilinear2d", "trilinear3d", "bicubic2d")),
    *(f"upsample_nearest{spatial}d_backward" for spatial in (1, 2, 3)),
    *(f"_upsample_nearest_exact{spatial}d_backward" for spatial in (1, 2, 3)),
    *(f"_upsample_{kind}2d_aa_backward" for kind in ("bilinear", "bicubic")),
)
def _upsampled(call: Call) -> Any:
    forward = getattr(aten, call.name.removesuffix("_backward")).default
    return _turned(call, resizing_matrices(forward, call.given, call.out.shape[2:], call.out.device))


# What was picked


def _returned(call: Call, shape: Any, targets: Tensor) -> Any:
    """Returns the node of entries that go back to their places, where they add up."""
    above = call.given["grad_output"] if "grad_output" in call.given else call.given["grad_in"]
    blank = torch.zeros(list(shape), dtype=above.dtype, device=above.device)
    return written(
        call, lambda: blank.reshape(-1).scatter_add(0, targets.reshape(-1), above.reshape(-1)).reshape(shape)
    )


def _by_positions(call: Call, shape: Any, forward: Callable[[Tensor], Tensor]) -> Any:
    every = torch.arange(torch.Size(shape).numel(), dtype=torch.float64, device=call.out.device)
    return _returned(call, shape, forward(every.reshape(shape)).long())


@rule("unfold_backward")
def _windows(call: Call) -> Any:
    given = call.given
    return _by_positions(
        call, list(given["input_sizes"]), lambda t: t.unfold(given["dim"], given["size"], given["step"])
    )


@rule(*(f"{kind}_pad{spatial}d_backward" for kind in ("reflection", "replication") for spatial in (1, 2, 3)))
def _padded(call: Call) -> Any:
    forward = getattr(aten, call.name.removesuffix("_backward")).default
    return _by_positions(call, call.given["self"].shape, lambda t: forward(t, call.given["padding"]))


@rule(
    "max_pool3d_with_indices_backward",
    "adaptive_max_pool2d_backward",
    "adaptive_max_pool3d_backward",
    "fractional_max_pool2d_backward",
)
def _largest(call: Call) -> Any:
    x, indices = call.given["self"], call.given["indices"]
    spatial = 3 if "3d" in call.name else 2
    size = x.shape[x.dim() - spatial :].numel()
    first = torch.arange(0, x.numel(), size, device=x.device)
    targets = indices.flatten(-spatial).flatten(0, -2) + first.unsqueeze(1)
    return _returned(call, x.shape, targets)


# What the forward pass had found on the way is read as a constant: here it is written anew


def _written_anew(call: Call, **anew: Callable[[], Tensor]) -> Any:
    """Returns the nodes of PyTorch's decomposition, with some arguments made in the run that is recorded."""
    decomposed: Any = torch._decomp.decomposition_table[call.func]
    with call.tracer:
        given = {**call.given, **{name: again() for name, again in anew.items()}}
        made = decomposed(*given.values())
    if isinstance(call.out, Tensor):
        return as_made(call, made)
    each = zip(call.out, made, strict=True)
    return [None if out is None else as_made(call._replace(out=out), part) for out, part in each]


def _factor(known: Tensor, x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Returns 1/deviation by its known value, which has an eps in it that nobody tells."""
    variance = x.var(axes, correction=0)
    eps = known.detach().reshape(variance.shape) ** -2 - variance.detach()
    return (variance + eps).rsqrt().reshape(known.shape)


@rule("native_layer_norm_backward")
def _of_each_example(call: Call) -> Any:
    given = call.given
    x, mean, factor = given["input"], given["mean"], given["rstd"]
    axes = tuple(range(x.dim() - len(given["normalized_shape"]), x.dim()))
    return _written_anew(
        call, mean=lambda: x.mean(axes).reshape(mean.shape), rstd=lambda: _factor(factor, x, axes)
    )


@rule("native_group_norm_backward")
def _of_groups(call: Call) -> Any:
    given = call.given
    x, mean, factor = given["input"], given["mean"], given["rstd"]
    shape = (*mean.shape, -1)
    return _written_anew(
        call, mean=lambda: x.reshape(shape).mean(2), rstd=lambda: _factor(factor, x.reshape(shape), (2,))
    )


@rule("native_batch_norm_backward")
def _of_the_batch(call: Call) -> Any:
    given = call.given
    x, factor = given["input"], given["save_invstd"]
    if not given["train"]:
        return _written_anew(call)
    axes = (0, *range(2, x.dim()))
    return _written_anew(call, save_mean=lambda: x.mean(axes), save_invstd=lambda: _factor(factor, x, axes))


@rule("log_sigmoid_backward")
def _log_sigmoid(call: Call) -> Any:
    return _written_anew(call, buffer=lambda: call.out.new_empty(0))


@rule("softshrink_backward", "hardshrink_backward")
def _shrunk(call: Call) -> Any:
    above = call.given.get("grad_output", call.given.get("grad_out"))
    beyond = call.given["self"].abs() > call.given["lambd"]
    return written(call, lambda: above * beyond.to(call.out.dtype))
