"""Models, besides those of the enumerations, in which devices matter."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from tests.torch_recorder.agreement import Of
from tests.torch_recorder.test_enumeration import CASES, two_costs
from whygrad.structures.dense import CLUSTERED_FROM


class Split(nn.Module):
    """Layers on two devices; a block that is added up lies on the host."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Linear(4, 5), nn.LayerNorm(5)
        self.apart = nn.Sequential(nn.Linear(5, 5), nn.BatchNorm1d(5), nn.Tanh())
        self.last = nn.Linear(5, 3)

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        super()._apply(fn, recurse)
        for module in self.apart:
            for name, tensor in (*module._parameters.items(), *module._buffers.items()):
                if tensor is not None:
                    setattr(
                        module,
                        name,
                        nn.Parameter(tensor.cpu()) if isinstance(tensor, nn.Parameter) else tensor.cpu(),
                    )
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.relu(self.norm(self.first(x)))
        return self.last(h + self.apart(h.cpu()).to(h.device))


def costs_on_the_host(model: Any, x: torch.Tensor) -> dict[str, torch.Tensor]:
    out = model(x)
    host = out.cpu()
    return {
        "here": out.sin().sum(),
        "there": host.square().mean(),
        "both": out.sum().cpu() + host.cos().sum(),
    }


def by_example(model: Any, x: torch.Tensor) -> dict[str, torch.Tensor]:
    kinds = torch.tensor([0, 1, 0, 1, 1], device=x.device)
    return {"kind": F.cross_entropy(model(x), kinds, reduction="none")}


def packed(model: Any, x: torch.Tensor) -> torch.Tensor:
    lengths = torch.tensor([5, 3], device="cpu")
    return nn.utils.rnn.pad_packed_sequence(model.layer(nn.utils.rnn.pack_padded_sequence(x, lengths))[0])[0]


def sampled(model: Any, x: torch.Tensor) -> torch.Tensor:
    if x.device.type == "cpu":
        return F.grid_sample(x, model.grid.tanh(), align_corners=True)
    return torch.cudnn_grid_sampler(x, model.grid.tanh())


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(shape)


def encoder() -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


# These have made tensors on the host before.
APART = ("attention along the edges of a graph", "MultiheadAttention, causal")
MODELS: dict[str, Callable[[], tuple[nn.Module, Any, Any]]] = {
    **{name: made for name, made in CASES.items() if name not in APART},
    "a model on two devices": lambda: (Split(), normal(5, 4), two_costs),
    "costs on the host": lambda: (nn.Linear(4, 3), normal(5, 4), costs_on_the_host),
    "a cost for each example": lambda: (
        nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2)),
        normal(5, 4),
        by_example,
    ),
    "packed sequences": lambda: (Of(packed, layer=nn.LSTM(3, 4)), normal(5, 2, 3), two_costs),
    "an LSTM that drops entries": lambda: (
        Of(lambda m, x: m.layer(x)[0], layer=nn.LSTM(3, 4, 2, dropout=0.3)),
        normal(5, 2, 3),
        two_costs,
    ),
    "a GRU that drops entries": lambda: (
        Of(lambda m, x: m.layer(x)[0], layer=nn.GRU(3, 4, 2, dropout=0.3)),
        normal(5, 2, 3),
        two_costs,
    ),
    "an encoder that drops entries": lambda: (encoder(), normal(2, 3, 8), two_costs),
    "a sampled grid": lambda: (Of(sampled, grid=normal(2, 3, 3, 2)), normal(2, 2, 4, 4), two_costs),
    "a normalisation of many entries": lambda: (
        nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 1)),
        normal(CLUSTERED_FROM, 3),
        two_costs,
    ),
}
