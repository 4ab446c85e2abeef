"""PyTorch's own samples of its operations (OpInfo): a recorded gradient is autograd's, or the operation is refused."""

import random
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._pytree import tree_flatten, tree_map

import whygrad as wg

pytest.importorskip("expecttest", reason="PyTorch's internal test module needs it")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.testing._internal.common_methods_invocations import op_db

pytestmark = pytest.mark.filterwarnings("ignore")

SAMPLES = {torch.float64: 4, torch.complex128: 2}  # of each operation

# Operations of which every sample is recorded: listed, so that a change can't lose one unseen.
SUPPORTED = frozenset(
    """
    H T __getitem__ __radd__ __rdiv__ __rmatmul__ __rmod__ __rmul__ __rpow__ __rsub__
    _batch_norm_with_update _native_batch_norm_legit _segment_reduce.lengths _segment_reduce.offsets
    _softmax_backward_data _unsafe_masked_index _unsafe_masked_index_put_accumulate
    _upsample_bilinear2d_aa abs acos acosh add addbmm addcdiv addcmul addmm addmm.decomposed addmv
    addr alias_copy amax amin aminmax as_strided as_strided_copy asin asinh atan atan2 atanh
    atleast_1d atleast_2d atleast_3d baddbmm bernoulli bfloat16 block_diag bmm broadcast_tensors
    broadcast_to cartesian_prod cat cdist cdouble ceil cfloat chalf cholesky cholesky_inverse
    cholesky_solve chunk clamp clamp_max clamp_min clone column_stack combinations complex conj
    conj_physical constant_pad_nd contiguous copysign corrcoef cos cosh cov cross cummax cummin
    cumprod cumsum cumulative_trapezoid deg2rad diag diag_embed diagflat diagonal diagonal_copy
    diagonal_scatter diff digamma dist div.floor_rounding div.no_rounding_mode div.trunc_rounding
    dot double dsplit dstack einsum erf erfc erfinv exp exp2 expand expand_as expand_copy expm1
    fft.fft fft.fft2 fft.fftn fft.fftshift fft.hfft fft.hfft2 fft.hfftn fft.ifft fft.ifft2 fft.ifftn
    fft.ifftshift fft.ihfft fft.ihfft2 fft.ihfftn fft.irfft fft.irfft2 fft.irfftn fft.rfft fft.rfft2
    fft.rfftn fill flatten flip fliplr flipud float float_power floor fmax fmin fmod frac gather
    gradient grid_sampler_2d grid_sampler_3d half hsplit hstack hypot i0 index_add index_copy
    index_fill index_put index_select inner kron kthvalue ldexp lerp lgamma linalg.cholesky
    linalg.cholesky_ex linalg.cond linalg.cross linalg.det linalg.diagonal linalg.eigh
    linalg.eigvalsh linalg.householder_product linalg.inv linalg.inv_ex linalg.lu linalg.lu_factor
    linalg.lu_factor_ex linalg.lu_solve linalg.matrix_norm linalg.matrix_power linalg.multi_dot
    linalg.norm linalg.norm.subgradients_at_zero linalg.pinv linalg.pinv.hermitian
    linalg.pinv.singular linalg.qr linalg.slogdet linalg.solve linalg.solve_ex
    linalg.solve_triangular linalg.svd linalg.svdvals linalg.tensorinv linalg.tensorsolve
    linalg.vander linalg.vecdot linalg.vector_norm log log10 log1p log2 log_softmax
    log_softmax.with_dtype logaddexp logaddexp2 logcumsumexp logdet logit logsumexp lu lu_solve
    lu_unpack mH mT masked.amax masked.amin masked.cumprod masked.cumsum masked.log_softmax
    masked.logaddexp masked.logsumexp masked.mean masked.median masked.norm masked.normalize
    masked.prod masked.softmax masked.softmin masked.std masked.sum masked.var masked_fill
    masked_scatter masked_select matmul matrix_exp max.binary max.reduction_no_dim
    max.reduction_with_dim max_pool2d_with_indices_backward maximum mean median
    meshgrid.list_of_tensors meshgrid.variadic_tensors min.binary min.reduction_no_dim
    min.reduction_with_dim minimum mm mode movedim msort mul mv mvlgamma.mvlgamma_p_1
    mvlgamma.mvlgamma_p_3 mvlgamma.mvlgamma_p_5 nan_to_num nanmean nanmedian nanquantile nansum
    narrow narrow_copy native_batch_norm native_dropout_backward native_group_norm native_layer_norm
    neg nn.functional.adaptive_avg_pool1d nn.functional.adaptive_avg_pool2d
    nn.functional.adaptive_avg_pool3d nn.functional.adaptive_max_pool1d
    nn.functional.adaptive_max_pool2d nn.functional.adaptive_max_pool3d nn.functional.alpha_dropout
    nn.functional.avg_pool1d nn.functional.avg_pool2d nn.functional.avg_pool3d
    nn.functional.batch_norm nn.functional.bilinear nn.functional.binary_cross_entropy
    nn.functional.binary_cross_entropy_with_logits nn.functional.celu nn.functional.channel_shuffle
    nn.functional.conv1d nn.functional.conv2d nn.functional.conv3d nn.functional.conv_transpose1d
    nn.functional.conv_transpose2d nn.functional.conv_transpose3d
    nn.functional.cosine_embedding_loss nn.functional.cosine_similarity nn.functional.cross_entropy
    nn.functional.ctc_loss nn.functional.dropout nn.functional.dropout2d nn.functional.dropout3d
    nn.functional.elu nn.functional.embedding nn.functional.feature_alpha_dropout.with_train
    nn.functional.feature_alpha_dropout.without_train nn.functional.fractional_max_pool2d
    nn.functional.gaussian_nll_loss nn.functional.gelu nn.functional.glu nn.functional.grid_sample
    nn.functional.group_norm nn.functional.hardshrink nn.functional.hardsigmoid
    nn.functional.hardswish nn.functional.hardtanh nn.functional.hinge_embedding_loss
    nn.functional.huber_loss nn.functional.instance_norm nn.functional.interpolate.area
    nn.functional.interpolate.bicubic nn.functional.interpolate.bilinear
    nn.functional.interpolate.linear nn.functional.interpolate.nearest
    nn.functional.interpolate.nearest-exact nn.functional.interpolate.trilinear nn.functional.kl_div
    nn.functional.l1_loss nn.functional.layer_norm nn.functional.leaky_relu nn.functional.linear
    nn.functional.linear_cross_entropy nn.functional.local_response_norm nn.functional.logsigmoid
    nn.functional.margin_ranking_loss nn.functional.max_pool1d nn.functional.max_pool2d
    nn.functional.max_pool3d nn.functional.max_unpool1d.grad nn.functional.max_unpool2d.grad
    nn.functional.max_unpool3d.grad nn.functional.mish nn.functional.mse_loss
    nn.functional.multi_head_attention_forward nn.functional.multi_margin_loss
    nn.functional.multilabel_margin_loss nn.functional.multilabel_soft_margin_loss
    nn.functional.nll_loss nn.functional.normalize nn.functional.pad.circular
    nn.functional.pad.constant nn.functional.pad.reflect nn.functional.pad.replicate
    nn.functional.pad.replicate_negative nn.functional.pairwise_distance nn.functional.pdist
    nn.functional.pixel_shuffle nn.functional.pixel_unshuffle nn.functional.poisson_nll_loss
    nn.functional.prelu nn.functional.relu nn.functional.relu6 nn.functional.rms_norm
    nn.functional.rrelu nn.functional.scaled_dot_product_attention nn.functional.selu
    nn.functional.silu nn.functional.smooth_l1_loss nn.functional.soft_margin_loss
    nn.functional.softmin nn.functional.softmin.with_dtype nn.functional.softplus
    nn.functional.softshrink nn.functional.softsign nn.functional.tanhshrink nn.functional.threshold
    nn.functional.triplet_margin_loss nn.functional.triplet_margin_with_distance_loss
    nn.functional.unfold nn.functional.upsample_bilinear nn.functional.upsample_nearest norm
    norm.fro norm.inf norm.nuc normal normal.number_mean outer pca_lowrank permute permute_copy
    pinverse polar polygamma.polygamma_n_0 polygamma.polygamma_n_1 polygamma.polygamma_n_2
    polygamma.polygamma_n_3 polygamma.polygamma_n_4 positive pow prod put qr quantile rad2deg ravel
    real reciprocal remainder renorm repeat repeat_interleave reshape reshape_as resolve_conj
    resolve_neg roll rot90 round round.decimals_0 round.decimals_3 round.decimals_neg_3 rsqrt rsub
    scatter scatter_add scatter_reduce.amax scatter_reduce.amin scatter_reduce.mean
    scatter_reduce.prod scatter_reduce.sum select select_scatter sgn sigmoid sign sin sinc sinh
    slice slice_scatter softmax softmax.with_dtype sort sparse.mm.reduce special.entr special.erfcx special.i0e
    special.i1 special.i1e special.log_ndtr special.ndtr special.ndtri
    special.polygamma.special_polygamma_n_0 special.xlog1py split split.list_args split_with_sizes
    split_with_sizes_copy sqrt square squeeze squeeze.multiple squeeze_copy stack std std.unbiased
    std_mean std_mean.unbiased stft sub sum sum_to_size svd svd_lowrank t t_copy take take_along_dim
    tan tanh tensor_split tensordot tile to topk torch.ops.aten._safe_softmax.default trace
    transpose transpose_copy trapezoid trapz tril triu true_divide trunc unbind unbind_copy
    unflatten unfold unfold_copy unsafe_chunk unsafe_split unsqueeze unsqueeze_copy var var.unbiased
    var_mean var_mean.unbiased vdot view view_as view_as_complex view_copy vsplit vstack where xlogy
    zero_
    """.split()
)

# Of complex numbers there are fewer that aren't recorded.
COMPLEX_REFUSED = frozenset(
    """
    as_strided_scatter cholesky linalg.cond linalg.eigvals linalg.eigvalsh
    linalg.householder_product linalg.lstsq linalg.lstsq.grad_oriented linalg.lu linalg.lu_factor
    linalg.lu_factor_ex linalg.lu_solve linalg.qr linalg.slogdet linalg.svd linalg.svdvals logaddexp
    logcumsumexp logdet logsumexp lu lu_solve lu_unpack masked.logsumexp norm.nuc ormqr qr std
    std.unbiased std_mean std_mean.unbiased svd triangular_solve var var.unbiased var_mean
    var_mean.unbiased
    """.split()
)

TOLERANCES = {
    "nn.functional.hardsigmoid": 1e-7,  # PyTorch's own slope is 1/6 in float32
    "digamma": 1e-8,  # PyTorch's own slope is a series that is cut off early
}
WITHOUT_COPIES = ("as_strided.partial_views",)  # its samples are windows on a storage, which a copy loses
# Autograd refuses them: vectors that are known up to a factor, and some sparse matrices.
ILL_DEFINED = ("linalg.eig", "linalg.eigh", "pca_lowrank", "sparse.sampled_addmm", "svd_lowrank", "to_sparse")


def name_of(op: Any) -> str:
    return op.name + (f".{op.variant_test_name}" if op.variant_test_name else "")


def operations(dtype: torch.dtype, without: tuple[str, ...]) -> dict[str, Any]:
    return {
        name_of(op): op
        for op in op_db
        if op.supports_autograd and op.supports_dtype(dtype, "cpu") and name_of(op) not in without
    }


OPERATIONS = operations(torch.float64, (*WITHOUT_COPIES, "linalg.eig"))
COMPLEX_OPERATIONS = operations(torch.complex128, (*WITHOUT_COPIES, *ILL_DEFINED))


@pytest.fixture(autouse=True)
def double() -> Iterator[None]:
    """OpInfo draws its samples from PyTorch's, NumPy's and Python's random state."""
    before = torch.get_default_dtype()
    # torch.manual_seed notes the stack for each kind of device there may be, which took a third of all the time
    torch.default_generator.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
    yield
    torch.set_default_dtype(before)


def has_derivatives(value: Any) -> bool:
    """Returns whether an argument is a quantity: sparse ones are constants."""
    numbers = isinstance(value, torch.Tensor) and (value.is_floating_point() or value.is_complex())
    return numbers and value.layout == torch.strided


def real_numbers(value: torch.Tensor) -> torch.Tensor:
    return torch.view_as_real(value.resolve_conj()) if value.is_complex() else value


def projected(op: Any, arguments: Any) -> dict[str, torch.Tensor]:
    """Returns as a cost the sum of an operation's outputs, each entry times a random number."""
    torch.default_generator.manual_seed(3)
    first, args, kwargs = arguments
    made = tree_flatten(op(first, *args, **kwargs))[0]
    outputs = [real_numbers(out) for out in made if has_derivatives(out)]
    torch.default_generator.manual_seed(5)
    return {"c": sum((out * torch.rand(out.shape, dtype=out.dtype)).sum() for out in outputs)}


def by_autograd(op: Any, sample: Any) -> tuple[Any, list[torch.Tensor] | None]:
    """Returns plain arguments, and autograd's gradient by each that asks for one; none where there is nothing."""
    given = (sample.input, sample.args, sample.kwargs)
    leaves = tree_map(
        lambda x: x.detach().clone().requires_grad_(x.requires_grad) if has_derivatives(x) else x, given
    )
    plain = tree_map(lambda x: x.detach().clone() if isinstance(x, torch.Tensor) else x, given)
    wanted = [x for x in tree_flatten(leaves)[0] if has_derivatives(x) and x.requires_grad]
    cost = projected(op, leaves)["c"]
    if not (wanted and isinstance(cost, torch.Tensor) and cost.requires_grad):
        return plain, None
    return plain, [real_numbers(by) for by in torch.autograd.grad(cost, wanted, materialize_grads=True)]


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_an_operation_has_autograds_gradient_or_is_refused(name: str) -> None:
    agrees(OPERATIONS[name], torch.float64, name in SUPPORTED)


@pytest.mark.parametrize("name", sorted(COMPLEX_OPERATIONS))
def test_so_does_one_of_complex_numbers(name: str) -> None:
    agrees(COMPLEX_OPERATIONS[name], torch.complex128, name not in COMPLEX_REFUSED)


def agrees(op: Any, dtype: torch.dtype, supported: bool) -> None:
    """Asserts that gradients of all samples are autograd's, or else some samples are refused."""
    recorded, refused = 0, []
    for number, sample in enumerate(op.sample_inputs("cpu", dtype, requires_grad=True)):
        if number == SAMPLES[dtype]:
            break
        plain, right = by_autograd(op, sample)
        if right is None:
            continue
        try:
            record = wg.record(torch.nn.Module(), plain, lambda _, batch: projected(op, batch))
        except wg.NotSupportedError as error:
            refused.append(str(error).splitlines()[0])
            continue
        recorded += 1
        given = (sample.input, sample.args, sample.kwargs)
        asked = [x.requires_grad for x in tree_flatten(given)[0] if has_derivatives(x)]
        assert len(record.leaves) == len(asked)
        names = [leaf for leaf, wanted in zip(record.leaves, asked, strict=True) if wanted]
        for leaf, wanted in zip(names, right, strict=True):
            close = TOLERANCES.get(name_of(op), 1e-9) if wanted.dtype == torch.float64 else 1e-5
            torch.testing.assert_close(
                record.gradient(leaf), wanted, rtol=close, atol=close / 10, equal_nan=True
            )
    if supported:
        assert not refused, f"refused: {refused[0]}"
        assert recorded
    else:
        assert refused or not recorded, "every sample is recorded: add it to SUPPORTED"


def test_every_supported_operation_is_still_in_pytorch() -> None:
    assert sorted(SUPPORTED - set(OPERATIONS)) == []
    assert sorted(COMPLEX_REFUSED - set(COMPLEX_OPERATIONS)) == []
