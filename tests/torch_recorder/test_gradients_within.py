"""Costs that are made of gradients (``create_graph=True``): the backward pass is recorded as the forward pass is."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad, hessian, jacrev, vmap

import whygrad as wg
from tests.torch_recorder.agreement import Of, recorded

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # PyTorch's own use of it


def slope(model: nn.Module, batch: Tensor) -> dict[str, Tensor]:
    """The gradient penalty of a Wasserstein GAN's critic, beside its score."""
    at = batch.clone().requires_grad_()
    out = model(at)
    # an odd power: of a sum, whatever is normalised has no gradient
    (by,) = torch.autograd.grad(out.pow(3).sum(), at, create_graph=True)
    return {"score": out.mean(), "penalty": (by.flatten(1).norm(dim=1) - 1).square().mean()}


BENDS = (
    *(
        nn.Tanh(),
        nn.Sigmoid(),
        nn.ReLU(),
        nn.LeakyReLU(),
        nn.GELU(),
        nn.GELU("tanh"),
        nn.SiLU(),
        nn.Softplus(),
    ),
    *(nn.ELU(), nn.SELU(), nn.CELU(), nn.Mish(), nn.Hardtanh(), nn.ReLU6(), nn.Hardswish(), nn.LogSigmoid()),
    *(
        nn.Softsign(),
        nn.Softmin(-1),
        nn.Softmax(-1),
        nn.LogSoftmax(-1),
        nn.Tanhshrink(),
        nn.PReLU(),
        nn.RReLU(),
    ),
    *(nn.Softshrink(), nn.Hardshrink(), nn.GLU(), nn.Dropout(0.3)),
    *(nn.LayerNorm(6), nn.BatchNorm1d(6), nn.BatchNorm1d(6).eval(), nn.GroupNorm(2, 6)),
)


@pytest.mark.parametrize("bend", BENDS, ids=str)
def test_a_penalty_on_the_slope(bend: nn.Module) -> None:
    after = 3 if isinstance(bend, nn.GLU) else 6
    recorded(nn.Sequential(nn.Linear(4, 6), bend, nn.Linear(after, 1)).double(), torch.randn(5, 4), slope)


def convolutional(*more: nn.Module, **settings: Any) -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 4, 3, **settings), *more, nn.Tanh())


IMAGES = {
    "padding": convolutional(padding=1),
    "stride": convolutional(stride=2),
    "dilation, groups": convolutional(padding=2, dilation=2, groups=2, bias=False),
    "transposed": convolutional(nn.ConvTranspose2d(4, 2, 3, stride=2, output_padding=1, groups=2)),
    "transposed, dilated": convolutional(nn.ConvTranspose2d(4, 3, (2, 3), padding=1, dilation=2)),
    "max pool": convolutional(nn.MaxPool2d(2)),
    "adaptive max pool": convolutional(nn.AdaptiveMaxPool2d((2, 3))),
    "average pool": convolutional(nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False)),
    "average pool by a number": convolutional(nn.AvgPool2d(2, divisor_override=3)),
    "adaptive average pool": convolutional(nn.AdaptiveAvgPool2d((2, 3))),
    "nearest": convolutional(nn.Upsample(scale_factor=2)),
    "nearest, exact": convolutional(nn.Upsample((7, 9), mode="nearest-exact")),
    "bilinear": convolutional(nn.Upsample(scale_factor=1.5, mode="bilinear")),
    "bilinear, corners": convolutional(nn.Upsample((9, 5), mode="bilinear", align_corners=True)),
    "bicubic": convolutional(nn.Upsample(scale_factor=1.5, mode="bicubic")),
    "reflected": convolutional(nn.ReflectionPad2d((1, 2, 0, 1))),
    "replicated": convolutional(nn.ReplicationPad2d((1, 2, 0, 1))),
    "circular": convolutional(nn.CircularPad2d((1, 2, 0, 1))),
    "group norm": convolutional(nn.GroupNorm(2, 4)),
    "instance norm": convolutional(nn.InstanceNorm2d(4, affine=True)),
    "batch norm": convolutional(nn.BatchNorm2d(4)),
    "pixel shuffle": convolutional(nn.PixelShuffle(2)),
}


@pytest.mark.parametrize("name", list(IMAGES))
def test_a_penalty_on_the_slope_by_an_image(name: str) -> None:
    recorded(IMAGES[name].double(), torch.randn(2, 2, 6, 7), slope)


def test_other_numbers_of_axes() -> None:
    line = nn.Sequential(nn.Conv1d(2, 3, 3, stride=2, padding=1), nn.AvgPool1d(2), nn.Tanh())
    recorded(line, torch.randn(2, 2, 9), slope)
    volume = nn.Sequential(nn.Conv3d(1, 2, 2), nn.MaxPool3d(2), nn.Upsample(scale_factor=2, mode="trilinear"))
    recorded(volume, torch.randn(1, 1, 5, 4, 5), slope)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_a_penalty_on_the_slope_through_time(kind: Any) -> None:
    recorded(Of(lambda m, x: m.cell(x)[0], cell=kind(4, 3)), torch.randn(5, 2, 4), slope)


@pytest.mark.parametrize("first", [False, True])
def test_a_penalty_on_the_slope_of_attention(first: bool) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True, norm_first=first)

    def costs(model: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        with nn.attention.sdpa_kernel(
            nn.attention.SDPBackend.MATH
        ):  # others have no second derivative in PyTorch
            return slope(model, batch)

    recorded(layer, torch.randn(2, 5, 8), costs)


# Operations, each with a gradient of its gradient

TARGETS = torch.tensor([0, 1, 2, 3, 0])
OPERATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "exponentials": lambda h: h.exp() + h.expm1() + h.exp2(),
    "logarithms": lambda h: (h.abs() + 0.5).log() + (h.abs() + 0.5).log1p() + torch.logaddexp(h, h**2),
    "roots and powers": lambda h: (h.abs() + 0.5).sqrt() + (h.abs() + 0.5).rsqrt() + h**3 + h.square(),
    "angles": lambda h: h.sin() * h.cos() + h.atan() + torch.atan2(h, h.abs() + 1) + h.sinh() + h.tan(),
    "error functions": lambda h: h.erf() + torch.special.erfcx(h) + torch.special.ndtr(h),
    "sums and products": lambda h: h.cumsum(1).sin() + (h.abs() + 0.5).cumprod(1) + h.prod(1, keepdim=True),
    "deviations": lambda h: h.std(1) + h.var(0).sum() + torch.std_mean(h, 1)[1].sin(),
    "norms": lambda h: h.norm(dim=1) + h.norm(1).square() + h.norm(float("inf"), dim=1).square(),
    "extremes": lambda h: h.amax(1).sin() + h.max(1)[0].exp() + h.min() ** 2 + h.median(1)[0] ** 2,
    "ordered": lambda h: h.sort(1)[0].sin() + h.topk(4)[0] ** 2 + h.cummax(1)[0] ** 2,
    "softmaxes": lambda h: h.softmax(0).sin() + h.log_softmax(1).exp() ** 2 + h.logsumexp(1, keepdim=True),
    "products": lambda h: torch.einsum("bi,bj->bij", h, h).sum() + (h @ h.T).sin().sum() + h[0].dot(h[1]),
    "moved": lambda h: h.flip(0) * h.roll(1, 1) + h.repeat(2, 1)[3:8] ** 2 + h.T.reshape(5, 4).sin(),
    "windows": lambda h: h.unfold(1, 2, 1).prod(-1).sin(),
    "picked": lambda h: h[[0, 1, 1]].exp() + h.gather(0, torch.zeros(3, 4, dtype=torch.int64)) ** 2,
    "taken": lambda h: h.take(torch.tensor([0, 0, 3])) ** 2,
    "masked": lambda h: torch.where(h > 0, h**2, h).masked_fill(h > 1, 1.0) + h.masked_select(h > 0).sum() ** 2,
    "deposited": lambda h: (
        h.index_add(0, torch.tensor([0, 1]), h[:2] ** 2).sin()
        + h.scatter_add(0, torch.zeros(2, 4, dtype=torch.int64), h[:2] ** 2) ** 2
        + h.index_put((torch.tensor([0, 0]),), h[1] ** 2, accumulate=True) ** 2
        + h.masked_scatter(h > 0, (h**2).reshape(-1)) ** 2
        + h.put(torch.tensor([1, 2]), h[0, :2] ** 2) ** 2
    ),
    "cut": lambda h: torch.cat([h[1:, :2] ** 2, h[:4, 2:].sin()]) + torch.stack(h.unbind(1)[:2], 1).sum() ** 2,
    "diagonals": lambda h: h.diagonal().sin() + (h[:4].trace() + h.tril(1).square().sum()) ** 2,
    "determinants": lambda h: (h[:4] + 5 * torch.eye(4)).det() + torch.linalg.slogdet(h.T @ h)[1].sin(),
    "inverses": lambda h: (h[:4] + 5 * torch.eye(4)).inverse().sin() + torch.linalg.solve(h.T @ h, h.T).sum(),
    "decompositions": lambda h: torch.linalg.cholesky(h.T @ h) + torch.linalg.eigh(h.T @ h)[0].sin(),
    "cross entropy": lambda h: F.cross_entropy(h, TARGETS, weight=torch.arange(1.0, 5.0), ignore_index=1),
    "smoothed cross entropy": lambda h: F.cross_entropy(h, TARGETS, label_smoothing=0.1, reduction="none"),
    "cross entropy of images": lambda h: F.cross_entropy(h.reshape(1, 4, 5, 1), TARGETS.reshape(1, 5, 1)),
    "binary cross entropies": lambda h: (
        F.binary_cross_entropy_with_logits(h, torch.full_like(h, 0.3))
        + F.binary_cross_entropy(h.sigmoid(), torch.full_like(h, 0.3))
    ),
    "regressions": lambda h: (
        F.mse_loss(h, torch.ones_like(h)) + F.smooth_l1_loss(h, torch.zeros_like(h)) + F.huber_loss(h, h.detach() + 2)
    ),
    "divergences": lambda h: F.kl_div(h.log_softmax(1), torch.full_like(h, 0.25), reduction="sum"),
    "margins": lambda h: F.soft_margin_loss(h, torch.ones_like(h)) + F.cosine_similarity(h, h.roll(1, 0)).sum(),
}  # fmt: skip


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_an_operation_twice(name: str) -> None:
    def costs(model: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        at = batch.clone().requires_grad_()
        (by,) = torch.autograd.grad(OPERATIONS[name](model(at)).sum(), at, create_graph=True)
        return {"size": by.square().sum(), "sum": by.sum()}

    recorded(nn.Linear(4, 4), torch.randn(5, 4), costs)


def test_a_normalised_weight_by_differences() -> None:
    """PyTorch's own second derivative of this one isn't that of the function: its norm is taken for a constant."""

    def costs(model: nn.Module, batch: Any) -> dict[str, Tensor]:
        weight = torch._weight_norm(model.v, model.g)
        (by,) = torch.autograd.grad((weight @ batch).tanh().sum(), model.v, create_graph=True)
        return {"size": by.square().sum()}

    model, batch = Of(lambda m: m, v=torch.randn(3, 4), g=torch.rand(3, 1) + 1), torch.randn(4, 2)
    found = wg.record(model, batch, costs).gradient("v[1, 2]", "size")
    near = []
    for step in (1e-6, -1e-6):
        with torch.no_grad():
            model.v[1, 2] += step
        near.append(costs(model, batch)["size"].item())
        with torch.no_grad():
            model.v[1, 2] -= step
    assert float(found) == pytest.approx((near[0] - near[1]) / 2e-6, rel=1e-6)


# What people do with it


def physics(model: nn.Module, batch: Tensor) -> dict[str, Tensor]:
    """Burgers' equation u_t + u u_x = 0.01 u_xx, and how it begins."""
    at = batch.clone().requires_grad_()
    u = model(at)
    (first,) = torch.autograd.grad(u, at, torch.ones_like(u), create_graph=True)
    by_x, by_t = first[:, :1], first[:, 1:]
    (second,) = torch.autograd.grad(by_x, at, torch.ones_like(u), create_graph=True)
    start = model(batch * torch.tensor([1.0, 0.0]))
    return {
        "equation": (by_t + u * by_x - 0.01 * second[:, :1]).square().mean(),
        "start": (start + torch.sin(torch.pi * batch[:, :1])).square().mean(),
    }


@pytest.mark.parametrize("bend", [nn.Tanh(), nn.SiLU(), nn.GELU(), nn.Softplus()], ids=str)
def test_a_physical_law(bend: nn.Module) -> None:
    model = nn.Sequential(nn.Linear(2, 8), bend, nn.Linear(8, 8), bend, nn.Linear(8, 1))
    record = recorded(model, torch.rand(10, 2), physics)
    assert record.gradients().cosines().shape == (2, 2)


def test_a_third_derivative() -> None:
    def costs(model: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        at = batch.clone().requires_grad_()
        made = model(at)
        for _ in range(3):
            (made,) = torch.autograd.grad(made.sum(), at, create_graph=True)
        return {"bend": made.square().mean()}

    recorded(nn.Sequential(nn.Linear(1, 6), nn.Tanh(), nn.Linear(6, 1)), torch.rand(5, 1), costs)


def test_a_step_of_training_within_the_costs() -> None:
    """Model-agnostic meta-learning: the loss after one step of gradient descent."""

    def costs(model: nn.Module, batch: Any) -> dict[str, Tensor]:
        weights, (x, y) = dict(model.named_parameters()), batch
        inner = F.cross_entropy(functional_call(model, weights, x), y)
        slopes = torch.autograd.grad(inner, list(weights.values()), create_graph=True)
        moved = {name: w - 0.1 * g for (name, w), g in zip(weights.items(), slopes, strict=True)}
        return {"before": inner, "after": F.cross_entropy(functional_call(model, moved, x.flip(0)), y)}

    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
    recorded(model, (torch.randn(5, 4), torch.tensor([0, 1, 2, 0, 1])), costs)


def test_an_embedding_by_its_own_gradient() -> None:
    def costs(model: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        loss = F.mse_loss(model(batch), torch.ones(2, 5, 3))
        slopes = torch.autograd.grad(loss, list(model.parameters()), create_graph=True)
        return {"loss": loss, "slopes": sum(g.square().sum() for g in slopes)}

    recorded(nn.Sequential(nn.Embedding(7, 4), nn.Linear(4, 3)), torch.randint(0, 7, (2, 5)), costs)


def test_functions_of_functions() -> None:
    def costs(model: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        weights = dict(model.named_parameters())

        def one(x: Tensor) -> Tensor:
            return functional_call(model, weights, x.unsqueeze(0))[0, 0]

        bent = vmap(hessian(one))(batch)
        return {
            "slope": vmap(grad(one))(batch).square().mean(),
            "Laplacian": bent.diagonal(dim1=1, dim2=2).sum(1).square().mean(),
            "Jacobian": jacrev(lambda x: functional_call(model, weights, x))(batch).square().mean(),
        }

    record = recorded(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)), torch.randn(4, 3), costs)
    # what PyTorch asks of the meta device on the way, about shapes, is no step of a path
    assert not any(node.value.is_meta for node in record.graph.nodes)
    assert record.paths("0.weight", cost="Laplacian", k=3).sum == pytest.approx(
        float(record.gradient("0.weight", cost="Laplacian").sum())
    )


@pytest.mark.filterwarnings("ignore:Using backward:UserWarning")
def test_gradients_that_are_left_in_the_model() -> None:
    def costs(model: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        loss = model(batch).square().mean()
        loss.backward(create_graph=True)
        slopes = [p.grad for p in model.parameters()]
        for parameter in model.parameters():
            parameter.grad = None
        return {"loss": loss, "slopes": sum(g.square().sum() for g in slopes)}

    recorded(nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1)), torch.randn(5, 4), costs)


# Paths that are none


def test_what_is_detached_stays_so() -> None:
    def costs(model: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        at = batch.clone().requires_grad_()
        hidden = torch.tanh(model[0](at))
        out = model[1](hidden) + model[1](hidden.detach())
        (by,) = torch.autograd.grad(out.sum(), at, create_graph=True)
        (number,) = torch.autograd.grad(out.sum(), at, retain_graph=True)
        return {
            "slope": by.square().sum(),
            "number": (number * out).sum(),
            "cut": (by.detach() * hidden[:, :1]).sum(),
        }

    recorded(nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 1)), torch.randn(5, 4), costs)


def test_values_in_place() -> None:
    def costs(model: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        at = batch.clone().requires_grad_()
        hidden = torch.relu_(model[0](at)) * 2
        hidden.tanh_()
        (by,) = torch.autograd.grad(model[1](hidden).sum(), at, create_graph=True)
        return {"slope": by.square().sum()}

    recorded(nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 1)), torch.randn(5, 4), costs)


@pytest.mark.parametrize("affine", [True, False])
def test_rms_norm(affine: bool) -> None:
    model = nn.Sequential(
        nn.Linear(4, 4), nn.RMSNorm(4, elementwise_affine=affine), nn.Tanh(), nn.Linear(4, 1)
    )
    recorded(model, torch.randn(5, 4), slope)

    def number(model: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        at = batch.clone().requires_grad_()
        out = model(at)
        (by,) = torch.autograd.grad(out.pow(3).sum(), at, retain_graph=True)
        return {"c": (by * out).sum()}

    found = recorded(model[:2], torch.randn(5, 4), number)
    assert "rms_normalise" in {node.op.name for node in found.graph.nodes if node.op is not None}


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic", "volume"])
def test_what_a_grid_looks_at(mode: str, padding: str, align_corners: bool) -> None:
    """A field on a grid, whose slope is to be 1 (as signed distances have it)."""
    axes = 3 if mode == "volume" else 2

    class Field(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Parameter(torch.randn(1, 2, *[4, 5, 3][:axes]))
            self.head = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))

        def forward(self, at: Tensor) -> Tensor:
            grid = at.reshape(1, *[1] * (axes - 1), -1, axes)
            how = "bilinear" if mode == "volume" else mode
            seen = F.grid_sample(self.features, grid, how, padding, align_corners)
            made: Tensor = self.head(seen.flatten(2)[0].T)
            return made

    def costs(model: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        at = batch.clone().requires_grad_()
        (by,) = torch.autograd.grad(model(at).sum(), at, create_graph=True)
        return {"slope": (by.square().sum(1) + 1e-3).sqrt().sub(1).square().mean(), "value": model(at).mean()}

    recorded(Field(), 2.6 * torch.rand(7, axes) - 1.3, costs)


# What isn't known


def test_a_step_without_a_declaration() -> None:
    def costs(model: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        at = model(batch).requires_grad_()
        grid = at.tanh().reshape(1, 2, 2, 2)
        field = torch.arange(9.0).reshape(1, 1, 3, 3) ** 2
        out = torch.ops.aten.grid_sampler_2d(field, grid, 0, 0, True)
        (by,) = torch.autograd.grad(out.sum(), at, create_graph=True)
        return {"slope": by.square().sum()}

    model, batch = nn.Linear(3, 2), torch.randn(4, 3)
    with pytest.raises(wg.NotSupportedError, match="grid_sampler_2d, called by itself"):
        wg.record(model, batch, costs)
