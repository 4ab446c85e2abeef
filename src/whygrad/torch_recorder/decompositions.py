"""Operations that PyTorch writes with simpler ones, where those have the same derivative.

PyTorch's decompositions are made for values: some have a derivative that isn't autograd's (``max_unpool2d``), and some
not even the value (``multilabel_margin_loss_forward``, where class 0 is no target but padding follows). So each one
that is used is named here, and tests/laws/test_opinfo.py and tests/torch_recorder/test_zoo.py run it.
"""

from collections.abc import Callable
from typing import Any

import torch

DECOMPOSED = frozenset(
    """
    _softmax_backward_data _unsafe_index.Tensor _unsafe_masked_index _unsafe_masked_index_put_accumulate
    _upsample_nearest_exact1d _weight_norm_interface addmm addmv addr alias_copy as_strided_copy baddbmm
    block_diag clamp.Tensor deg2rad diagonal_copy dist elu glu grid_sampler_2d index_add
    ldexp.Tensor linalg_cross logaddexp2 logit max_pool2d_with_indices_backward multi_margin_loss mvlgamma nan_to_num
    nansum narrow_copy native_dropout_backward norm.Scalar norm.ScalarOpt_dim permute_copy rad2deg renorm
    round.decimals sgn sinc special_entr special_xlog1py split_with_sizes_copy squeeze_copy squeeze_copy.dim
    t_copy trace transpose_copy.int unbind_copy.int unfold_copy unsqueeze_copy upsample_bicubic2d
    upsample_bilinear2d upsample_linear1d upsample_trilinear3d
    _log_softmax_backward_data _prelu_kernel_backward
    binary_cross_entropy_backward elu_backward embedding_dense_backward gelu_backward glu_backward
    hardshrink_backward hardsigmoid_backward hardswish_backward hardtanh_backward huber_loss_backward
    leaky_relu_backward mish_backward mse_loss_backward
    nll_loss2d_backward nll_loss_backward
    rrelu_with_noise_backward sigmoid_backward silu_backward smooth_l1_loss_backward
    soft_margin_loss_backward softplus_backward softshrink_backward tanh_backward threshold_backward
    """.split()
)


def decomposition(func: Any) -> Callable[..., Any] | None:
    """Returns the function that writes an operation with simpler ones, or nothing where there is none to trust.

    Example:
        >>> decomposition(torch.ops.aten.glu.default) is not None, decomposition(torch.ops.aten.max_unpool2d.default)
        (True, None)
    """
    if func.namespace != "aten" or str(func).removeprefix("aten.").removesuffix(".default") not in DECOMPOSED:
        return None
    found: Callable[..., Any] | None = torch._decomp.decomposition_table.get(func)
    return found
