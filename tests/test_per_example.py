"""Costs of single examples: every parameter's gradients are those of the example run by itself."""

from itertools import pairwise

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402 - only where torch is there

import whygrad as wg  # noqa: E402 - only where torch is there
from whygrad.structures import convolution  # noqa: E402 - only where torch is there


class Sums(nn.Module):
    """Parameters that are added and multiplied along different axes, before and after a change of shape."""

    def __init__(self) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.randn(4, 3))
        self.scale = nn.Parameter(torch.randn(3))
        self.number = nn.Parameter(torch.randn(()))
        self.column = nn.Parameter(torch.randn(4, 1))
        self.late = nn.Parameter(torch.randn(3))

    def forward(self, x):
        hidden = (x + self.places) * self.scale * self.column + self.number
        rows = torch.tanh(hidden).reshape(-1, 3) * self.late
        return rows.reshape(x.shape).flatten(1)


def conv(kind):
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), kind(4, 2, 3, stride=2, padding=1), nn.Flatten(), nn.LazyLinear(3)
    )


MODELS = {
    "conv": (lambda: conv(nn.Conv2d), (5, 1, 8, 8)),
    "transposed": (lambda: conv(nn.ConvTranspose2d), (5, 1, 6, 6)),
    "linear": (lambda: nn.Sequential(nn.Linear(6, 4), nn.Sigmoid(), nn.Linear(4, 3)), (5, 6)),
    "linear on tokens": (
        lambda: nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 1), nn.Flatten()),
        (5, 3, 6),
    ),
    "sums": (Sums, (5, 4, 3)),
}


def costs(model, x):
    out = model(x)
    return {"square": out.square().sum(dim=1), "first": torch.sin(out[:, 0])}


@pytest.mark.parametrize("room", [1, 2 * 1024 * 1024])  # windows of one example at a time, or of all of them
@pytest.mark.parametrize("name", MODELS)
def test_rows_are_the_gradients_of_the_example_by_itself(name, room, monkeypatch):
    monkeypatch.setattr(convolution, "WINDOW_BYTES", room)
    torch.manual_seed(0)
    make, shape = MODELS[name]
    model, x = make().double(), torch.randn(shape, dtype=torch.float64)
    model(x)
    found = wg.record(model, x, costs=costs).gradients()
    assert found._examples is not None  # the way that keeps examples apart, not one row for each cost
    parameters = dict(model.named_parameters())
    alone = [costs(model, x[n : n + 1])[kind][0] for kind in ("square", "first") for n in range(len(x))]
    rows = [torch.autograd.grad(cost, list(parameters.values())) for cost in alone]
    for place, parameter in enumerate(parameters):
        expected = torch.stack([row[place] for row in rows])
        torch.testing.assert_close(found[parameter], expected, rtol=1e-10, atol=1e-12)
        flat = expected.reshape(len(expected), -1)
        torch.testing.assert_close(found.gramian(parameter), flat @ flat.T, rtol=1e-10, atol=1e-12)


def test_counts_through_convolutions_are_exact_beyond_what_float32_holds():
    layers = [nn.Conv2d(1, 8, 3, padding=1)]
    for _ in range(4):
        layers += [nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1)]
    model = nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(1))
    x = torch.ones(1, 1, 6, 6)
    model(x)
    found = wg.record(model, x, costs=lambda m, b: {"sum": m(b).sum()}).sweep("count")
    ones = [nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in pairwise((1, 8, 8, 8, 8, 8))]
    plain = x.double().requires_grad_()
    out = plain
    for layer in ones:
        nn.init.ones_(layer.weight)
        out = layer.double()(out)
    (expected,) = torch.autograd.grad(out.sum(), plain)
    assert expected.max() > 2**24
    for place in ((0, 0), (0, 3), (2, 2)):
        counted = found.value(f"batch[0, 0, {place[0]}, {place[1]}]")
        assert int(counted) == int(expected[0, 0, place[0], place[1]])


@pytest.mark.parametrize("semiring", ["count", "live", "reach"])
def test_float32_kernels_count_as_the_windows_do(semiring, monkeypatch):
    torch.manual_seed(0)
    model, x = conv(nn.Conv2d), torch.randn(2, 1, 8, 8)
    model(x)

    def swept():
        values = wg.record(model, x, costs=costs).sweep(semiring)
        return [values.array(name) for name in dict(model.named_parameters())]

    quick = swept()
    monkeypatch.setattr(
        "whygrad.structures.convolution.Convolution._whole_numbers",
        lambda self, a, b, local, which: convolution.by_kernels(a, b, local, which),
    )
    for found, expected in zip(quick, swept(), strict=True):
        assert torch.equal(found, expected)
