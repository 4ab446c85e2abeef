"""Units of activation functions: channels and features, wherever the weights that make them lie."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import whygrad as wg

DEAD = (1, 4)


class Body(nn.Module):
    """A function between layers with weights and a relu, some of whose units are 0."""

    def __init__(self, between: Callable[["Body", Tensor], Tensor]) -> None:
        super().__init__()
        self.between = between
        self.conv, self.line, self.lin = nn.Conv2d(3, 6, 3, padding=1), nn.Conv1d(3, 6, 3), nn.Linear(3, 6)
        self.batch, self.group, self.layer = nn.BatchNorm2d(6), nn.GroupNorm(2, 6), nn.LayerNorm(6)
        self.inner, self.squeeze = nn.Conv2d(6, 6, 1), nn.Linear(6, 6)
        self.relu, self.shift = nn.ReLU(), torch.zeros(6)
        self.shift[list(DEAD)] = -100.0

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.between(self, x))

    def channels(self, h: Tensor) -> Tensor:
        """Returns an array with channels second, some of which are far below 0."""
        return h + self.shift.reshape(-1, *[1] * (h.dim() - 2))


IMAGES = (2, 3, 5, 6)
CASES: dict[str, tuple[Callable[[Body, Tensor], Tensor], tuple[int, ...], int]] = {
    "convolution": (lambda m, x: m.channels(m.conv(x)), IMAGES, 1),
    "batch norm": (lambda m, x: m.channels(m.batch(m.conv(x))), IMAGES, 1),
    "group norm": (lambda m, x: m.channels(m.group(m.conv(x))), IMAGES, 1),
    "residual": (lambda m, x: m.channels((h := m.conv(x)) + m.batch(m.inner(h.tanh()))), IMAGES, 1),
    "pooled": (lambda m, x: nn.functional.avg_pool2d(nn.functional.max_pool2d(m.channels(m.conv(x)), 2), 2), IMAGES, 1),
    "squeezed": (
        lambda m, x: (h := m.channels(m.conv(x))) * m.squeeze(h.mean((2, 3))).sigmoid()[:, :, None, None],
        IMAGES,
        1,
    ),
    "channels last": (lambda m, x: m.layer(m.conv(x).permute(0, 2, 3, 1)) + m.shift, IMAGES, 3),
    "averaged": (lambda m, x: m.channels(m.conv(x)).mean((2, 3)), IMAGES, 1),
    "side by side": (lambda m, x: torch.cat([m.channels(m.conv(x)), m.inner(m.conv(x)).exp()], 1), IMAGES, 1),
    "a line": (lambda m, x: m.channels(m.line(x)), (2, 3, 7), 1),
    "one example": (lambda m, x: m.channels(m.conv(x)[None])[0], IMAGES[1:], 0),
    "features": (lambda m, x: m.lin(x) + m.shift, (2, 4, 3), 2),
    "features first": (lambda m, x: (m.lin(x) + m.shift).transpose(1, 2), (2, 4, 3), 1),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_dead_units_are_counted_along_the_axis_of_the_weights(name: str) -> None:
    torch.manual_seed(0)
    between, shape, axis = CASES[name]
    model, x = Body(between), torch.randn(shape)
    out = model(x)
    flat = out.detach().movedim(axis, 0).flatten(1)
    (units,) = wg.record(model, x, lambda m, x: {"a": m(x).square().mean()}).report().units
    assert (units.units, units.dead) == (len(flat), int((flat == 0).all(1).sum()))
    assert units.dead >= len(DEAD)


def test_a_relu_of_queries_with_keys_has_no_units() -> None:
    class Relates(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.queries, self.keys = nn.Linear(4, 6), nn.utils.parametrizations.weight_norm(nn.Linear(4, 6))

        def forward(self, x: Tensor) -> Tensor:
            scores = torch.relu(self.queries(x) @ self.keys(x).mT - 100.0)
            return scores @ torch.relu(self.keys(x))

    torch.manual_seed(0)
    report = wg.record(Relates(), torch.randn(2, 5, 4), lambda m, x: {"a": m(x).sum()}).report()
    assert [(each.name, each.units) for each in report.units] == [("relu#2", 6)]


def test_units_that_a_skip_leads_past_have_weights_with_a_gradient() -> None:
    class Before(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.inner = nn.Linear(3, 6), nn.Linear(6, 6)

        def forward(self, x: Tensor) -> Tensor:
            h: Tensor = self.first(x) - 100.0
            made: Tensor = h + self.inner(torch.relu(h))
            return made

    torch.manual_seed(0)
    model = Before()
    report = wg.record(model, torch.randn(4, 3), lambda m, x: {"a": m(x).square().mean()}).report()
    assert float(next(report.model.parameters).numbers.norms[0]) > 1
    says = report.findings[0].says
    assert says.startswith(
        "All 6 units of `relu` are 0 for every example of this batch: no gradient comes back through it"
    )


KINKS: dict[str, tuple[nn.Module, tuple[float, ...]]] = {
    "relu": (nn.ReLU(), (0.0,)),
    "relu6": (nn.ReLU6(), (0.0, 6.0)),
    "hardtanh": (nn.Hardtanh(-2.0, 0.5), (-2.0, 0.5)),
    "hardsigmoid": (nn.Hardsigmoid(), (-3.0, 3.0)),
    "hardswish": (nn.Hardswish(), (-3.0, 3.0)),
    "softshrink": (nn.Softshrink(2.0), (-2.0, 2.0)),
    "hardshrink": (nn.Hardshrink(2.0), (-2.0, 2.0)),
    "threshold": (nn.Threshold(0.25, 0.0), (0.25,)),
    "leaky relu": (nn.LeakyReLU(0.2), (0.0,)),
    "elu": (nn.ELU(0.5), (0.0,)),
    "elu without a kink": (nn.ELU(), ()),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", KINKS)
def test_entries_on_a_kink_are_those_where_the_slopes_differ(name: str, dtype: torch.dtype) -> None:
    function, places = KINKS[name]
    tried = torch.tensor([[-3.0, -2.0, -1.0, -0.5, 0.0, 0.25, 0.5, 1.0, 2.0, 3.0, 6.0]])
    # with the identity for its weights, a layer puts out what comes in
    model = nn.Sequential(nn.Linear(11, 11, bias=False), function).to(dtype)
    nn.init.eye_(model[0].weight)
    report = wg.record(model, tried.to(dtype), lambda m, x: {"a": m(x).square().sum()}).report()
    assert sum(units.kinks for units in report.units) == sum(float(x) in places for x in tried[0])
