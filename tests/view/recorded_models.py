"""Small PyTorch models with losses for the tests of their page."""

import torch
from torch import Tensor, nn
from torch.nn import functional

import whygrad as wg

EVIL = "<img src=x onerror=alert(1)>"
CLOSING = "</script><script>alert(2)</script>"


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(torch.relu(self.up(self.norm(x))))


class TwoHeads(nn.Module):
    def __init__(self, blocks: int = 3, width: int = 6) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.randn(width))
        self.first = nn.Linear(3, width)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(blocks)))
        self.kind = nn.Linear(width, 4)
        self.place = nn.Linear(width, 1)
        self.unused = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.blocks(self.first(x) + self.shift)
        return self.kind(h), self.place(h)


def two_heads() -> wg.Record:
    torch.manual_seed(0)
    model = TwoHeads().double()
    batch = {
        "x": torch.randn(5, 3).double(),
        "kind": torch.randint(0, 4, (5,)),
        "to": torch.rand(5, 1).double(),
    }

    def costs(model: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        kind, place = model(batch["x"])
        return {
            "kind": functional.cross_entropy(kind, batch["kind"]),
            "place": functional.mse_loss(place, batch["to"]),
        }

    return wg.record(model, batch, costs)


def linear() -> wg.Record:
    torch.manual_seed(0)
    return wg.record(
        nn.Linear(3, 2), torch.randn(4, 3), lambda model, batch: {"loss": model(batch).square().mean()}
    )


def named_badly() -> wg.Record:
    torch.manual_seed(0)
    model = nn.ModuleDict({EVIL: nn.Linear(3, 4), "head": nn.Linear(4, 2)})

    def costs(model: nn.ModuleDict, batch: Tensor) -> dict[str, Tensor]:
        out = model["head"](torch.relu(model[EVIL](batch)))
        return {CLOSING: (out[:, 0] + 1).square().mean(), EVIL: (out[:, 0] - 1).square().mean()}

    return wg.record(model, torch.randn(6, 3), costs)


def deep() -> wg.Record:
    torch.manual_seed(0)
    layers = [layer for _ in range(75) for layer in (nn.Linear(4, 4), nn.LayerNorm(4), nn.Tanh())]

    def costs(model: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        out = model(batch)
        return {"a": out[:, 0].square().mean(), "b": (out[:, 1] - 1).square().mean()}

    return wg.record(nn.Sequential(*layers), torch.randn(3, 4), costs)


LONG = "a_module_whose_name_goes_on_and_on_until_it_has_as_many_letters_as_a_line_may_have"


def long_names() -> wg.Record:
    torch.manual_seed(0)
    model = nn.ModuleDict({"a & b": nn.Linear(3, 4), LONG: nn.Linear(4, 2)})

    def costs(model: nn.ModuleDict, batch: Tensor) -> dict[str, Tensor]:
        out = model[LONG](torch.tanh(model["a & b"](batch)))
        return {"c" * 80: out[:, 0].square().mean(), "d " * 40: out[:, 1].square().mean()}

    return wg.record(model, torch.randn(5, 3), costs)


def many_costs() -> wg.Record:
    torch.manual_seed(0)
    trunk, heads = nn.Linear(4, 6), nn.ModuleDict({f"task_{k}": nn.Linear(6, 1) for k in range(10)})
    model = nn.ModuleDict({"trunk": trunk, "block": nn.Linear(6, 6), "heads": heads})

    def costs(model: nn.ModuleDict, batch: Tensor) -> dict[str, Tensor]:
        h = torch.tanh(model["trunk"](batch))
        h = h + model["block"](h)
        return {name: (head(h) - 1).square().mean() for name, head in model["heads"].items()}

    return wg.record(model, torch.randn(5, 4), costs)


def not_finite() -> wg.Record:
    torch.manual_seed(0)

    def costs(model: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        out = model(batch)
        return {"good": out[:, 0].square().mean(), "bad": (-out[:, 1].square()).log().mean()}

    return wg.record(nn.Linear(4, 2), torch.randn(5, 4), costs)


class Unrolled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(2, 4)
        self.out = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = c = torch.zeros(len(x), 4)
        for step in range(x.shape[1]):
            h, c = self.cell(x[:, step], (h, c))
        return self.out(h)


def unrolled() -> wg.Record:
    torch.manual_seed(0)

    def costs(model: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        out = model(batch)
        return {"a": out[:, 0].square().mean(), "b": (out[:, 1] - 1).square().mean()}

    return wg.record(Unrolled(), torch.randn(3, 20, 2), costs)
