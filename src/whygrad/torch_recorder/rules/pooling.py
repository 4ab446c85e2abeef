"""Average pooling, interpolation and running sums: a constant matrix along each axis."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from whygrad.structures import adaptive_windows, average_windows, axis_numbers
from whygrad.torch_recorder.rules.entry import OPS, apply, rule
from whygrad.torch_recorder.tracer import Call


def average_matrices(given: Mapping[str, Any], shape: Sequence[int], made: Sequence[int]) -> dict[int, Any]:
    """Returns for each axis the windows (windows, entries) of a pooling that makes one shape of another."""
    spatial = len(given["kernel_size"])
    kernel = axis_numbers(given["kernel_size"], spatial)
    stride = axis_numbers(given["stride"], spatial) if given["stride"] else kernel
    padding = axis_numbers(given["padding"], spatial)
    divisor = given.get("divisor_override")
    matrices = {}
    for place in range(spatial):
        axis = len(shape) - spatial + place
        matrices[axis] = average_windows(
            shape[axis],
            kernel[place],
            stride[place],
            padding[place],
            given["ceil_mode"],
            given["count_include_pad"],
        )
        assert matrices[axis].shape[0] == made[axis]
    if divisor:
        # windows count the entries in them, all together
        matrices = {axis: (matrix != 0).astype(float) for axis, matrix in matrices.items()}
        matrices[len(shape) - 1] = matrices[len(shape) - 1] / divisor
    return matrices


@rule("avg_pool1d", "avg_pool2d", "avg_pool3d")
def _average_pool(call: Call) -> Any:
    x = call.given["self"]
    return apply(
        call, OPS["along_axes"], [x], {"matrices": average_matrices(call.given, x.shape, call.out.shape)}
    )


def adaptive_matrices(shape: Sequence[int], made: Sequence[int], spatial: int) -> dict[int, Any]:
    """Returns for each of the last axes the windows (windows, entries) that cover it evenly."""
    return {
        axis: adaptive_windows(shape[axis], made[axis]) for axis in range(len(shape) - spatial, len(shape))
    }


@rule("_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "adaptive_avg_pool1d", "_adaptive_avg_pool1d")
def _adaptive_pool(call: Call) -> Any:
    x, spatial = call.given["self"], int(call.name[-2])
    matrices = adaptive_matrices(x.shape, call.out.shape, spatial)
    return apply(call, OPS["along_axes"], [x], {"matrices": matrices})


def resizing_matrices(
    func: Any, given: Mapping[str, Any], sizes: Sequence[int], device: Any
) -> dict[int, Any]:
    """Returns for each axis the matrix (entries of the output, of the input) of an interpolation."""
    wanted = given["output_size"]
    scales = [given[name] for name in given if name.startswith("scales")]
    corners = [given["align_corners"]] if "align_corners" in given else []
    matrices = {}
    for place, size in enumerate(sizes):
        # An image for each entry, that entry a line: what comes of it is a column of the matrix.
        shape = [2] * len(sizes)
        units = torch.eye(size, dtype=torch.float64, device=device)
        shape[place] = size
        ones = [1] * len(sizes)
        ones[place] = size
        images = units.reshape(size, 1, *ones).expand(size, 1, *shape).contiguous()
        shape[place] = wanted[place]
        kept = [scale if at == place else None for at, scale in enumerate(scales)]
        made = func(images, shape, *corners, *kept)
        at = [slice(None) if axis == place else 0 for axis in range(len(sizes))]
        matrices[2 + place] = made[(slice(None), 0, *at)].T.cpu().numpy()
    return matrices


@rule("_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa")
def _antialiased(call: Call) -> Any:
    x = call.given["self"]
    matrices = resizing_matrices(call.func, call.given, x.shape[2:], x.device)
    return apply(call, OPS["along_axes"], [x], {"matrices": matrices})


@rule("cumsum")
def _running_sum(call: Call) -> Any:
    x = call.given["self"]
    if x.dim() == 0:
        return apply(call, OPS["identity"], [x])
    axis = call.given["dim"] % x.dim()
    return apply(call, OPS["along_axes"], [x], {"matrices": {axis: np.tril(np.ones((x.shape[axis],) * 2))}})
