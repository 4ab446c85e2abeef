"""Average pooling, interpolation and running sums: a constant matrix along each axis."""

from typing import Any

import numpy as np
import torch

from whygrad.structures import adaptive_windows, average_windows, axis_numbers
from whygrad.torch_recorder.rules.entry import OPS, apply, rule
from whygrad.torch_recorder.tracer import Call


@rule("avg_pool1d", "avg_pool2d", "avg_pool3d")
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
    return apply(call, OPS["along_axes"], [x], {"matrices": matrices})


@rule("_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "adaptive_avg_pool1d", "_adaptive_avg_pool1d")
def _adaptive_pool(call: Call) -> Any:
    x, spatial = call.given["self"], int(call.name[-2])
    axes = range(x.dim() - spatial, x.dim())
    matrices = {axis: adaptive_windows(x.shape[axis], call.out.shape[axis]) for axis in axes}
    return apply(call, OPS["along_axes"], [x], {"matrices": matrices})


@rule("_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa")
def _antialiased(call: Call) -> Any:
    given, x = call.given, call.given["self"]
    sizes, scales = given["output_size"], (given["scales_h"], given["scales_w"])
    matrices = {}
    for place in (0, 1):
        # An image for each entry, that entry a line: what comes of it is a column of the matrix.
        size = x.shape[2 + place]
        units = torch.eye(size, dtype=torch.float64, device=x.device)[:, None, :, None].repeat(1, 1, 1, 2)
        made = call.func(units, [sizes[place], 2], given["align_corners"], scales[place], None)
        matrices[2 + place] = made[:, 0, :, 0].T.cpu().numpy()
    return apply(call, OPS["along_axes"], [x], {"matrices": matrices})


@rule("cumsum")
def _running_sum(call: Call) -> Any:
    x = call.given["self"]
    if x.dim() == 0:
        return apply(call, OPS["identity"], [x])
    axis = call.given["dim"] % x.dim()
    return apply(call, OPS["along_axes"], [x], {"matrices": {axis: np.tril(np.ones((x.shape[axis],) * 2))}})
