"""Mistakes in operations that layered networks don't have: found in a person's own functions."""

from functools import partial

from whygrad.diagnosis.mistake import Mistake
from whygrad.diagnosis.state import some_examples


def _entry(code: str, says: str, fix: str, where: str) -> Mistake:
    return Mistake(code, "other operations", says, fix, where)


ENTRIES = (
    _entry(
        "gate_slope_missing",
        "a gate is multiplied by its value instead of its slope: {note}",
        "d gate / dz = gate * (1 - gate) for a sigmoid gate",
        "gates of recurrent cells",
    ),
    _entry(
        "shared_weight_one_use",
        "only some uses of a shared weight are counted: {note}",
        "add up the gradients of all uses",
        "weights that are used more than once",
    ),
    _entry(
        "time_mean_extra",
        "averaged over the time steps on one side only: {note}",
        "take the mean over time in the cost and in the gradient, or in neither",
        "recurrent networks",
    ),
    _entry(
        "normalisation_stats_constant",
        "mean and variance of the normalisation are treated as constants: {note}",
        "dx = istd * (d - d.mean() - xhat * (d * xhat).mean())",
        "below a normalisation",
    ),
    _entry(
        "normalisation_scale_missing",
        "the scale gamma of the normalisation is missing: {note}",
        "d xhat = d * gamma",
        "below a normalisation",
    ),
    _entry(
        "normalisation_mean_twice",
        "a mean is subtracted twice in the normalisation's backward pass: {note}",
        "dx = istd * (d - d.mean() - xhat * (d * xhat).mean())",
        "below a normalisation",
    ),
    _entry(
        "normalisation_wrong_axis",
        "a sum of the normalisation's backward pass goes over the wrong axis: {note}",
        "sum over the axis that the mean was taken over",
        "below a normalisation",
    ),
    _entry(
        "normalisation_other",
        "a term of the normalisation's backward pass is wrong: {note}",
        "dx = istd * (d - d.mean() - xhat * (d * xhat).mean())",
        "below a normalisation",
    ),
    _entry(
        "kernel_reversed",
        "the kernel (or its gradient) is reversed: {note}",
        "a convolution's backward pass turns the kernel round once",
        "convolutions",
    ),
    _entry(
        "stride_missing",
        "stride or padding is missing in the backward pass: {note}",
        "put the deltas stride apart, and cut the padding off",
        "convolutions",
    ),
    _entry(
        "index_mixup",
        "indices are mixed up: {note}",
        "height with height, width with width",
        "convolutions, images",
    ),
    _entry(
        "window_overlap_overwritten",
        "overlapping windows are overwritten instead of added: {note}",
        "dx[window] += ...",
        "convolutions and pooling",
    ),
    _entry(
        "duplicate_index_overwritten",
        "repeated indices are overwritten instead of added: {note}",
        "np.add.at(dE, index, d)",
        "embeddings, gathers",
    ),
    _entry(
        "dropout_mask_missing",
        "the dropout mask (or its scale) is missing: {note}",
        "d * mask / keep, with the mask of the forward pass",
        "below a dropout",
    ),
    _entry(
        "recurrent_gradient_missing",
        "the gradient from the next time step is dropped: {note}",
        "dh[t] = dh_from_output[t] + dh_from_next_step",
        "recurrent networks",
    ),
    Mistake(
        "partial_sum_lost",
        "other operations",
        "a running sum is lost between blocks: {note}",
        "carry the sum on from block to block",
        "sums in blocks: a weight or bias over the examples, running sums",
        {"weight": partial(some_examples, bias=False), "bias": partial(some_examples, bias=True)},
    ),
)
