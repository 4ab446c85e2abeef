"""Operations that are written with simpler ones, where PyTorch's own way of doing so is missing or can't be recorded.

Each has autograd's derivative, ties and zeros included; what the simpler ones are is what a path is made of.
"""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from whygrad.torch_recorder.rules.entry import as_made, rule, written
from whygrad.torch_recorder.rules.moves import by_indices
from whygrad.torch_recorder.sampling import sampled, sampled_volume
from whygrad.torch_recorder.tracer import UNTOLD, Call
from whygrad.torch_recorder.whole import Unseen

# Losses


@rule("multilabel_margin_loss_forward")
def _multilabel_margin(call: Call) -> Any:
    x, target, reduction = call.given["self"], call.given["target"], call.given["reduction"]
    rows = target.reshape(len(x) if x.dim() == 2 else 1, -1)
    named = (rows >= 0).cumprod(1).bool()  # what follows the first -1 is no target
    at = rows.where(named, torch.zeros_like(rows))
    others = torch.ones(rows.shape, dtype=torch.bool, device=x.device)
    others &= ~torch.zeros_like(others, dtype=torch.int64).scatter_add(1, at, named.long()).bool()
    example, which, other = (named.unsqueeze(2) & others.unsqueeze(1)).nonzero().unbind(1)

    def make() -> Any:
        scores = x.reshape(rows.shape)
        short = torch.relu(1 - scores[example, at[example, which]] + scores[example, other])
        many = len(rows) if reduction == 1 else 1
        if reduction or x.dim() < 2:
            return short.sum() / (rows.shape[1] * many)
        return torch.zeros_like(scores[:, 0]).index_add(0, example, short) / rows.shape[1]

    return [written(call, make), None]


# Embedding, bilinear layers, distances


@rule("_embedding_bag")
def _embedding_bag(call: Call) -> Any:
    given, (out, _, sizes, largest) = call.given, call.out
    weight, indices, padding = given["weight"], given["indices"], given["padding_idx"]
    if given["scale_grad_by_freq"]:
        call.ledger.refuse("_embedding_bag (scale_grad_by_freq, which isn't a derivative)", "leave it out")
    if given["mode"] == 2:

        def make() -> Tensor:
            empty = (sizes == 0).unsqueeze(1)
            return torch.gather(weight, 0, largest.clamp(min=0)).masked_fill(empty, 0)

    else:
        offsets = given["offsets"][:-1] if given["include_last_offset"] else given["offsets"]
        every = torch.arange(len(indices), device=indices.device)
        bags = torch.searchsorted(offsets, every, right=True) - 1
        kept = every[indices != padding] if padding >= 0 else every
        scale, bags = given["per_sample_weights"], bags[kept]

        def make() -> Tensor:
            rows = weight.index_select(0, indices[kept])
            if scale is not None:
                rows = rows * scale.index_select(0, kept).unsqueeze(1)
            made = torch.zeros_like(out).index_add(0, bags, rows)
            if given["mode"] == 0:
                return made
            many = torch.bincount(bags, minlength=len(out)).clamp(min=1)
            return made / many.unsqueeze(1).to(out.dtype)

    return [written(call, make)]


@rule("_trilinear")
def _trilinear(call: Call) -> Any:
    given = call.given
    rank = given["i1"].dim() + len(given["expand1"])
    parts: list[Any] = []
    for number in (1, 2, 3):
        parts += [given[f"i{number}"], [axis for axis in range(rank) if axis not in given[f"expand{number}"]]]
    kept = [axis for axis in range(rank) if axis not in given["sumdim"]]
    return written(call, lambda: torch.einsum(*parts, kept))


@rule("addbmm")
def _added_products(call: Call) -> Any:
    given = call.given
    base, one, other = given["self"], given["batch1"], given["batch2"]
    return written(call, lambda: given["beta"] * base + given["alpha"] * torch.bmm(one, other).sum(0))


@rule("_grouped_mm")
def _products_of_groups(call: Call) -> Any:
    """Each expert's matrix by the tokens that it has: rows, columns or inner entries up to a place for each expert."""
    one, other, ends = call.given["self"], call.given["mat2"], call.given["offs"]
    if call.given["bias"] is not None:
        return NotImplemented
    if ends is None:
        return written(call, lambda: torch.bmm(one, other).to(call.out.dtype))
    shared = one.shape[0] if other.dim() == 3 else other.shape[1] if one.dim() == 3 else one.shape[1]
    places = [0, *ends.tolist()]
    if places[-1] != shared:
        return NotImplemented  # what lies behind the last group isn't said
    groups = [slice(*pair) for pair in pairwise(places)]

    def make() -> Tensor:
        if other.dim() == 3:
            made = torch.cat([one[group] @ other[which] for which, group in enumerate(groups)])
        elif one.dim() == 3:
            made = torch.cat([one[which] @ other[:, group] for which, group in enumerate(groups)], 1)
        else:
            made = torch.stack([one[:, group] @ other[group] for group in groups])
        return made.to(call.out.dtype)

    return written(call, make)


@rule("_cdist_forward", "_euclidean_dist")
def _distances(call: Call) -> Any:
    one, other, p = call.given["x1"], call.given["x2"], call.given.get("p", 2.0)
    return written(call, lambda: torch.linalg.vector_norm(one.unsqueeze(-2) - other.unsqueeze(-3), p, dim=-1))


@rule("_pdist_forward")
def _own_distances(call: Call) -> Any:
    x = call.given["self"]
    one, other = torch.triu_indices(len(x), len(x), 1, device=x.device)
    return written(call, lambda: torch.linalg.vector_norm(x[one] - x[other], call.given["p"], dim=-1))


# Cells of recurrent layers, and grids that are looked at, in kernels that accelerators have


def _gates(call: Call) -> tuple[Tensor, Tensor]:
    """Returns what comes from the input and what from the state, each with its bias."""
    sides = ("input_gates", "input_bias"), ("hidden_gates", "hidden_bias")
    of_input, of_state = (
        call.given[gates] if call.given[bias] is None else call.given[gates] + call.given[bias]
        for gates, bias in sides
    )
    return of_input, of_state


@rule("_thnn_fused_lstm_cell")
def _lstm_cell(call: Call) -> Any:
    with call.tracer:
        of_input, of_state = _gates(call)
        i, f, g, o = (of_input + of_state).chunk(4, 1)
        c = torch.sigmoid(f) * call.given["cx"] + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
    return [as_made(call, h), as_made(call._replace(out=call.out[1]), c), None]


@rule("_thnn_fused_gru_cell")
def _gru_cell(call: Call) -> Any:
    def make() -> Tensor:
        of_input, of_state = _gates(call)
        (r, z, n), (from_r, from_z, from_n) = of_input.chunk(3, 1), of_state.chunk(3, 1)
        new = torch.tanh(n + torch.sigmoid(r + from_r) * from_n)
        made: Tensor = (call.given["hx"] - new) * torch.sigmoid(z + from_z) + new
        return made

    return [written(call, make), None]


@rule("cudnn_grid_sampler")
def _sampled_by_cudnn(call: Call) -> Any:
    return written(call, lambda: sampled(call.given["self"], call.given["grid"], 0, 0, True))


# Attention in one kernel, where the model asks for that kernel itself


@rule(
    "_scaled_dot_product_flash_attention",
    "_scaled_dot_product_flash_attention_for_cpu",
    "_scaled_dot_product_efficient_attention",
    "_scaled_dot_product_cudnn_attention",
    "_scaled_dot_product_fused_attention_overrideable",
)
def _fused_attention(call: Call) -> Any:
    given = call.given
    if given["dropout_p"]:
        call.ledger.refuse(
            f"{call.name} (with dropout, whose mask the kernel keeps to itself)",
            "leave out sdpa_kernel around it while it is recorded: another kernel is chosen then, which shows the mask",
        )
    mask = given.get("attn_mask", given.get("attn_bias"))
    query, key, value = given["query"], given["key"], given["value"]

    def make() -> Tensor:
        made: Tensor = torch.ops.aten._scaled_dot_product_attention_math.default(
            query,
            key,
            value,
            mask,
            0.0,
            given["is_causal"],
            scale=given["scale"],
            enable_gqa=query.shape[-3] != key.shape[-3],
        )[0]
        return made

    return [written(call, make), UNTOLD]


# Running products and sums of exponentials: each entry is a reduction of all those before it


@rule("cumprod", "logcumsumexp")
def _running(call: Call) -> Any:
    x, dim = call.given["self"], call.given["dim"]
    size = x.shape[dim] if x.dim() else 1
    later = torch.ones(size, size, dtype=torch.bool, device=x.device).triu(1)

    def make() -> Tensor:
        if x.dim() == 0:
            return torch.clone(x)
        last = x.movedim(dim, -1)
        rows: Tensor = last.unsqueeze(-2).expand(*last.shape[:-1], size, size)
        if call.name == "cumprod":
            return rows.masked_fill(later, 1.0).prod(-1).movedim(-1, dim)
        return rows.masked_fill(later, -torch.inf).logsumexp(-1).movedim(-1, dim)

    return written(call, make)


# The middle of all entries: entries that tie share evenly


@rule("median", "nanmedian")
def _median(call: Call) -> Any:
    if not isinstance(call.out, Tensor):
        return by_indices(call)
    x, out = call.given["self"], call.out
    at = (x.isnan() if out.isnan() else x == out).flatten().nonzero().flatten()
    if not len(at):
        return None
    return written(call, lambda: x.reshape(-1)[at].mean())


# Spatial transformers and unpooling


@rule("affine_grid_generator")
def _affine_grid(call: Call) -> Any:
    theta, corners = call.given["theta"], call.given["align_corners"]
    size = list(call.given["size"])
    spatial = len(size) - 2
    plain = torch.eye(spatial, spatial + 1, dtype=theta.dtype, device=theta.device)
    grid = torch.nn.functional.affine_grid(plain.expand(size[0], -1, -1), size, corners)
    ones = torch.cat([grid, torch.ones_like(grid[..., :1])], -1).flatten(1, -2)
    return written(call, lambda: (ones @ theta.transpose(1, 2)).reshape(call.out.shape))


@rule("grid_sampler_3d")
def _sampled_volume(call: Call) -> Any:
    return written(call, lambda: sampled_volume(**call.given))


@rule("grid_sampler_2d_backward", "grid_sampler_3d_backward")
def _sampled_back(call: Call) -> Any:
    raise Unseen(call.name)


@rule("max_unpool2d", "max_unpool3d")
def _unpooled(call: Call) -> Any:
    x, indices, spatial = call.given["self"], call.given["indices"], int(call.name[-2])
    flat = indices.flatten(-spatial)
    ordered = flat.sort(-1).values
    if bool((ordered[..., 1:] == ordered[..., :-1]).any()):
        call.ledger.refuse(f"{call.name} (of windows that overlap: autograd's gradient is no derivative)")
    lead = x.shape[: x.dim() - spatial]
    size = call.out.shape[x.dim() - spatial :].numel()
    blank = torch.zeros(*lead, size, dtype=x.dtype, device=x.device)
    return written(call, lambda: blank.scatter(-1, flat, x.flatten(-spatial)).reshape(call.out.shape))
