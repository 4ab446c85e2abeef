"""The modules that people train, recorded unchanged: autograd's gradients to 1e-10, and a model that is as it was."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import whygrad as wg
from tests.torch_recorder.agreement import Of, recorded

Make = Callable[[], tuple[nn.Module, Any]]


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape)


def two_costs(model: Any, batch: Any) -> dict[str, torch.Tensor]:
    """Two costs that weigh every entry of the output differently."""
    out = model(*batch) if isinstance(batch, tuple) else model(batch)
    flat = torch.cat([o.reshape(-1) for o in _tensors(out)])
    weights = torch.linspace(0.3, 1.7, len(flat), dtype=flat.dtype)
    return {"sum": (flat * weights).sum(), "size": (flat.square() * weights.flip(0)).mean()}


def _tensors(out: Any) -> list[torch.Tensor]:
    if isinstance(out, torch.Tensor):
        return [out] if out.is_floating_point() else []
    if isinstance(out, (list, tuple)):
        return [t for part in out for t in _tensors(part)]
    return []


# Products, embeddings, convolutions, pools

LAYERS: dict[str, Make] = {
    "linear": lambda: (nn.Linear(4, 3), normal(5, 4)),
    "linear without bias, 3 axes": lambda: (nn.Linear(4, 3, bias=False), normal(2, 5, 4)),
    "linear, one example": lambda: (nn.Linear(4, 3), normal(4)),
    "linear, batch of one": lambda: (nn.Linear(4, 3), normal(1, 4)),
    "bilinear by einsum": lambda: (
        Of(lambda m, x: torch.einsum("ni,oij,nj->no", x, m.w, x), w=normal(3, 4, 4)),
        normal(5, 4),
    ),
    "embedding": lambda: (nn.Embedding(7, 3), torch.tensor([[1, 2, 2], [6, 0, 1]])),
    "embedding with padding": lambda: (
        nn.Embedding(7, 3, padding_idx=2),
        torch.tensor([[1, 2, 2], [6, 0, 1]]),
    ),
    **{
        f"embedding bag, {mode}": lambda mode=mode: (
            nn.EmbeddingBag(7, 3, mode=mode),
            torch.tensor([[1, 2, 2], [6, 0, 1]]),
        )
        for mode in ("sum", "mean", "max")
    },
    "embedding bag with padding": lambda: (
        nn.EmbeddingBag(7, 3, mode="mean", padding_idx=2),
        torch.tensor([[1, 2, 2], [6, 0, 1]]),
    ),
    "max_unpool2d": lambda: (
        Of(lambda m, x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2)),
        normal(1, 2, 4, 4),
    ),
    "conv1d": lambda: (nn.Conv1d(2, 4, 3, stride=2, padding=1), normal(3, 2, 9)),
    "conv1d same": lambda: (nn.Conv1d(2, 4, 5, padding="same"), normal(3, 2, 9)),
    "conv1d, no batch": lambda: (nn.Conv1d(2, 4, 3), normal(2, 9)),
    "conv2d": lambda: (nn.Conv2d(2, 4, 3, stride=2, padding=1), normal(3, 2, 7, 6)),
    "conv2d grouped, dilated": lambda: (nn.Conv2d(4, 6, 3, dilation=2, groups=2), normal(2, 4, 8, 7)),
    "conv2d depthwise": lambda: (nn.Conv2d(4, 8, (3, 2), padding=(1, 0), groups=4), normal(2, 4, 6, 5)),
    "conv2d 1x1": lambda: (nn.Conv2d(4, 3, 1, bias=False), normal(2, 4, 3, 3)),
    "conv2d channels last": lambda: (
        nn.Conv2d(2, 4, 3),
        normal(3, 2, 6, 6).to(memory_format=torch.channels_last),
    ),
    "channels last, averaged": lambda: (
        nn.Sequential(nn.Conv2d(2, 4, 3), nn.AdaptiveAvgPool2d(1)).to(memory_format=torch.channels_last),
        normal(3, 2, 6, 6).to(memory_format=torch.channels_last),
    ),
    "conv3d": lambda: (nn.Conv3d(2, 3, 2, stride=(1, 2, 1)), normal(2, 2, 3, 4, 3)),
    **{
        f"conv2d padded, {mode}": lambda mode=mode: (
            nn.Conv2d(2, 3, 3, padding=2, padding_mode=mode),
            normal(2, 2, 5, 6),
        )
        for mode in ("reflect", "replicate", "circular")
    },
    "transposed conv1d": lambda: (
        nn.ConvTranspose1d(2, 3, 3, stride=2, padding=1, output_padding=1),
        normal(2, 2, 5),
    ),
    "transposed conv2d": lambda: (
        nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2, dilation=2),
        normal(2, 4, 3, 4),
    ),
    "transposed conv3d": lambda: (nn.ConvTranspose3d(2, 3, 2), normal(1, 2, 2, 3, 2)),
    "max_pool1d": lambda: (nn.MaxPool1d(3, 2, padding=1), normal(2, 2, 9)),
    "max_pool2d": lambda: (nn.MaxPool2d(3, 2, padding=1, dilation=2, ceil_mode=True), normal(2, 2, 9, 8)),
    "max_pool3d": lambda: (nn.MaxPool3d(2), normal(2, 2, 4, 4, 4)),
    "avg_pool1d": lambda: (nn.AvgPool1d(3, 2, padding=1, count_include_pad=False), normal(2, 2, 8)),
    "avg_pool2d ceil": lambda: (nn.AvgPool2d(3, 2, padding=1, ceil_mode=True), normal(2, 2, 8, 7)),
    "avg_pool2d divisor": lambda: (nn.AvgPool2d(2, divisor_override=3), normal(2, 2, 6, 6)),
    "avg_pool3d": lambda: (nn.AvgPool3d(2), normal(2, 2, 4, 4, 4)),
    "lp_pool2d": lambda: (nn.LPPool2d(2, 2), normal(2, 2, 6, 6).abs() + 0.1),
    "adaptive_avg_pool2d": lambda: (nn.AdaptiveAvgPool2d((3, 2)), normal(2, 2, 7, 5)),
    "adaptive_avg_pool2d to one": lambda: (nn.AdaptiveAvgPool2d(1), normal(2, 2, 7, 5)),
    "adaptive_max_pool1d": lambda: (nn.AdaptiveMaxPool1d(3), normal(2, 2, 7)),
    "adaptive_max_pool2d": lambda: (nn.AdaptiveMaxPool2d((3, None)), normal(2, 2, 7, 5)),
    "unfold and fold": lambda: (
        nn.Sequential(nn.Unfold(2), nn.Fold((4, 4), 2)),
        normal(2, 3, 4, 4),
    ),
    "upsample bilinear": lambda: (nn.Upsample(scale_factor=2, mode="bilinear"), normal(2, 2, 3, 4)),
    "upsample nearest": lambda: (nn.Upsample(scale_factor=2), normal(2, 2, 3, 4)),
    **{
        f"made smaller without aliasing, {mode}": lambda mode=mode: (
            Of(lambda m, x: F.interpolate(x, scale_factor=(0.6, 0.4), mode=mode, antialias=True)),
            normal(2, 2, 7, 6),
        )
        for mode in ("bilinear", "bicubic")
    },
    "pixel shuffle": lambda: (nn.PixelShuffle(2), normal(2, 8, 3, 3)),
    "reflection pad": lambda: (nn.ReflectionPad2d((1, 2, 0, 1)), normal(2, 2, 4, 4)),
    "zero pad": lambda: (nn.ZeroPad2d((1, -1, 0, 2)), normal(2, 2, 4, 4)),
    "flatten and unflatten": lambda: (
        nn.Sequential(nn.Flatten(), nn.Unflatten(1, (4, 3))),
        normal(2, 3, 4),
    ),
}


def with_weights(module: nn.Module, batch: Any) -> tuple[nn.Module, Any]:
    """Puts a layer with parameters before a module that may have none, so that there is a gradient to compare."""

    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale, self.inside = nn.Parameter(torch.randn_like(batch)), module

        def forward(self, x: torch.Tensor) -> Any:
            return self.inside(x * self.scale)

    return Scaled(), batch


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str) -> None:
    module, batch = LAYERS[name]()
    if batch.is_floating_point():
        module, batch = with_weights(module, batch)
    recorded(module, batch, two_costs)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("last", [False, True])
def test_embedding_bags_of_unequal_length(mode: str, last: bool) -> None:
    offsets = torch.tensor([0, 2, 2, 6] if last else [0, 2, 2])  # the second bag is empty
    bag = nn.EmbeddingBag(7, 3, mode=mode, include_last_offset=last)
    recorded(
        Of(lambda m, tokens: m.bag(tokens, offsets), bag=bag), torch.tensor([1, 2, 2, 6, 0, 1]), two_costs
    )


def test_embedding_bags_with_weights() -> None:
    tokens, offsets = torch.tensor([1, 2, 2, 6, 0, 1]), torch.tensor([0, 2])
    recorded(
        Of(
            lambda m, x: m.bag(tokens, offsets, per_sample_weights=m.w * x),
            bag=nn.EmbeddingBag(7, 3, mode="sum"),
            w=normal(6),
        ),
        normal(6),
        two_costs,
    )


def test_a_bilinear_layer() -> None:
    recorded(nn.Bilinear(3, 4, 2), (normal(5, 3), normal(5, 4)), two_costs)


def test_a_spatial_transformer() -> None:
    def run(m: Any, x: torch.Tensor) -> torch.Tensor:
        return F.grid_sample(x, F.affine_grid(m.w, [2, 1, 3, 3], align_corners=False), align_corners=False)

    recorded(Of(run, w=0.3 * normal(2, 2, 3)), normal(2, 1, 4, 4), two_costs)


# Normalisation

NORMS: dict[str, Make] = {
    "batch_norm1d": lambda: (nn.BatchNorm1d(4), normal(5, 4)),
    "batch_norm1d, positions": lambda: (nn.BatchNorm1d(4, momentum=None), normal(5, 4, 3)),
    "batch_norm2d": lambda: (nn.BatchNorm2d(4, affine=False), normal(3, 4, 3, 2)),
    "batch_norm2d, not tracked": lambda: (nn.BatchNorm2d(4, track_running_stats=False), normal(3, 4, 3, 2)),
    "batch_norm3d": lambda: (nn.BatchNorm3d(2), normal(3, 2, 3, 2, 2)),
    "sync_batch_norm": lambda: (nn.SyncBatchNorm(4), normal(5, 4, 3)),
    "layer_norm": lambda: (nn.LayerNorm(4), normal(2, 3, 4)),
    "layer_norm, two axes": lambda: (nn.LayerNorm((3, 4), elementwise_affine=False), normal(2, 3, 4)),
    "layer_norm without bias": lambda: (nn.LayerNorm(4, bias=False), normal(2, 3, 4)),
    "group_norm": lambda: (nn.GroupNorm(2, 4), normal(3, 4, 3, 2)),
    "instance_norm": lambda: (nn.InstanceNorm2d(4, affine=True), normal(3, 4, 3, 2)),
    "instance_norm, tracked": lambda: (nn.InstanceNorm1d(4, track_running_stats=True), normal(3, 4, 5)),
    "rms_norm": lambda: (nn.RMSNorm(4), normal(2, 3, 4)),
    "rms_norm eps": lambda: (nn.RMSNorm((3, 4), eps=1e-3, elementwise_affine=False), normal(2, 3, 4)),
    "local_response_norm": lambda: (nn.LocalResponseNorm(2), normal(2, 4, 3, 3)),
    "normalize": lambda: (Of(lambda m, x: F.normalize(x, dim=1)), normal(3, 4)),
}


@pytest.mark.parametrize("mode", ["training", "evaluation"])
@pytest.mark.parametrize("name", NORMS)
def test_normalisations(name: str, mode: str) -> None:
    module, batch = NORMS[name]()
    with torch.no_grad():
        for buffer in module.buffers():
            if buffer.is_floating_point():
                buffer.uniform_(0.5, 1.5)
        for parameter in module.parameters():
            parameter.uniform_(0.5, 1.5)
    module, batch = with_weights(module, batch)
    recorded(module.train(mode == "training"), batch, two_costs)


# Dropout and activations

DROPOUTS = [nn.Dropout(0.4), nn.Dropout1d(0.4), nn.AlphaDropout(0.4), nn.FeatureAlphaDropout(0.4)]


@pytest.mark.parametrize(("p", "train"), [(0.4, True), (0.4, False), (1.0, True)])
def test_dropout_in_the_kernel_of_accelerators(p: float, train: bool) -> None:
    recorded(
        Of(lambda m, x: torch.native_dropout(m.w * x, p, train)[0], w=normal(4, 3)), normal(4, 3), two_costs
    )


@pytest.mark.parametrize("layer", DROPOUTS, ids=lambda layer: type(layer).__name__)
@pytest.mark.parametrize("mode", ["training", "evaluation"])
def test_dropout(layer: nn.Module, mode: str) -> None:
    module, batch = with_weights(layer, normal(3, 4, 5))
    recorded(module.train(mode == "training"), batch, two_costs)


ACTIVATIONS = [
    nn.ReLU(),
    nn.ReLU(inplace=True),
    nn.ReLU6(),
    nn.ELU(0.7),
    nn.ELU(0.7, inplace=True),
    nn.CELU(0.5),
    nn.SELU(),
    nn.GELU(),
    nn.GELU(approximate="tanh"),
    nn.SiLU(),
    nn.SiLU(inplace=True),
    nn.Mish(),
    nn.Sigmoid(),
    nn.Tanh(),
    nn.LogSigmoid(),
    nn.Softplus(),
    nn.Softplus(beta=2, threshold=1),
    nn.Softsign(),
    nn.Softshrink(0.3),
    nn.Hardshrink(0.3),
    nn.Hardtanh(-0.4, 0.6),
    nn.Hardswish(),
    nn.Tanhshrink(),
    nn.Threshold(0.2, 5.0),
    nn.LeakyReLU(0.2),
    nn.LeakyReLU(0.2, inplace=True),
    nn.PReLU(),
    nn.PReLU(3),
    nn.GLU(dim=2),
    nn.Softmax(dim=1),
    nn.Softmin(dim=2),
    nn.LogSoftmax(dim=0),
    nn.Softmax2d(),
    nn.RReLU().eval(),
]


@pytest.mark.parametrize("layer", ACTIVATIONS, ids=repr)
def test_activations(layer: nn.Module) -> None:
    recorded(*with_weights(layer.double(), normal(5, 3, 4)), two_costs)


@pytest.mark.parametrize("layer", [nn.Hardsigmoid(), nn.CELU(0.7)], ids=repr)
def test_activations_for_which_pytorch_rounds_a_constant_to_float32(layer: nn.Module) -> None:
    recorded(*with_weights(layer, normal(5, 3, 4)), two_costs, tolerance=1e-7)


def test_slopes_that_are_drawn() -> None:
    recorded(*with_weights(nn.RReLU(), normal(5, 3, 4)), two_costs)


# Attention and transformers

BOOLEAN = torch.tensor([[0, 1, 1, 0], [0, 0, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0]]).bool()  # True: not looked at
PADDED = torch.tensor([[0, 0, 0, 1], [0, 0, 1, 1], [0, 0, 0, 0]]).bool()

ATTENTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "weights not asked for": {"need_weights": False},
    "boolean mask": {"attn_mask": BOOLEAN},
    "number mask": {"attn_mask": BOOLEAN.double() * -0.7},
    "padding": {"key_padding_mask": PADDED},
    "both masks": {"attn_mask": BOOLEAN.double() * -0.7, "key_padding_mask": PADDED.double() * -1.3},
    "causal": {
        "attn_mask": torch.ones(4, 4).triu(1).bool(),
        "is_causal": True,
        "need_weights": False,
    },
    "weights of each head": {"average_attn_weights": False},
}


@pytest.mark.parametrize("name", ATTENTIONS)
def test_multihead_attention(name: str) -> None:
    attention = nn.MultiheadAttention(6, 2, batch_first=True, dropout=0.2 if name == "plain" else 0.0)
    recorded(
        Of(lambda m, x: m.attention(x, x, x, **ATTENTIONS[name]), attention=attention),
        normal(3, 4, 6),
        two_costs,
    )


def test_multihead_attention_between_two_sequences() -> None:
    attention = nn.MultiheadAttention(6, 3, kdim=5, vdim=2, bias=False, add_zero_attn=True)
    recorded(
        Of(lambda m, q, k, v: m.attention(q, k, v), attention=attention),
        (normal(4, 2, 6), normal(3, 2, 5), normal(3, 2, 2)),
        two_costs,
    )
    attention = nn.MultiheadAttention(6, 3, add_bias_kv=True)
    recorded(Of(lambda m, x: m.attention(x, x, x), attention=attention), normal(4, 2, 6), two_costs)


MASKS: dict[str, dict[str, Any]] = {
    "none": {},
    "causal": {"is_causal": True},
    "boolean": {"attn_mask": ~BOOLEAN},
    "numbers": {"attn_mask": BOOLEAN.double() * -0.7},
    "scale": {"scale": 0.3},
    "nothing to look at": {"attn_mask": torch.zeros(4, 4).bool()},
}


@pytest.mark.parametrize("name", MASKS)
def test_scaled_dot_product_attention(name: str) -> None:
    def run(m: Any, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (x @ m.w).unflatten(-1, (2, 9)).transpose(1, 2).chunk(3, dim=-1)
        return F.scaled_dot_product_attention(q, k, v, **MASKS[name])

    recorded(Of(run, w=normal(6, 18)), normal(3, 4, 6), two_costs)


def test_attention_with_fewer_heads_for_the_keys() -> None:
    def run(m: Any, x: torch.Tensor) -> torch.Tensor:
        q = (x @ m.q).unflatten(-1, (4, 3)).transpose(1, 2)
        k, v = (x @ m.kv).unflatten(-1, (2, 6)).transpose(1, 2).chunk(2, dim=-1)
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)

    recorded(Of(run, q=normal(6, 12), kv=normal(6, 12)), normal(2, 5, 6), two_costs)


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_transformer_encoder_layer(norm_first: bool, training: bool, activation: str) -> None:
    layer = nn.TransformerEncoderLayer(
        6, 2, 8, dropout=0.1, activation=activation, batch_first=True, norm_first=norm_first
    )
    recorded(layer.train(training), normal(3, 4, 6), two_costs)


def test_transformer_encoder_with_padding() -> None:
    layer = nn.TransformerEncoderLayer(6, 2, 8, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(6)).eval()
    recorded(
        Of(lambda m, x: m.encoder(x, src_key_padding_mask=PADDED), encoder=encoder),
        normal(3, 4, 6),
        two_costs,
    )


def test_transformer_decoder_layer() -> None:
    layer = nn.TransformerDecoderLayer(6, 2, 8, batch_first=True)
    mask = nn.Transformer.generate_square_subsequent_mask(4)
    recorded(
        Of(lambda m, x, memory: m.layer(x, memory, tgt_mask=mask, tgt_is_causal=True), layer=layer),
        (normal(3, 4, 6), normal(3, 5, 6)),
        two_costs,
    )


def test_transformer() -> None:
    model = nn.Transformer(6, 2, 1, 1, 8, dropout=0.0, batch_first=True)
    recorded(model, (normal(2, 3, 6), normal(2, 4, 6)), two_costs)


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, t, width = x.shape
        q, k, v = (
            part.view(n, t, self.heads, -1).transpose(1, 2)
            for part in self.qkv(self.first(x)).split(width, dim=2)
        )
        scores = q @ k.transpose(-2, -1) / (width // self.heads) ** 0.5
        scores = scores.masked_fill(torch.ones(t, t).triu(1).bool(), float("-inf"))
        mixed = (F.softmax(scores, -1) @ v).transpose(1, 2).contiguous().view(n, t, width)
        x = x + self.out(mixed)
        return x + self.down(F.gelu(self.up(self.second(x))))


class Language(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(9, 8), nn.Embedding(6, 8)
        self.blocks = nn.ModuleList(Block(8, 2) for _ in range(2))
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 9, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def test_a_language_model_with_tied_embedding() -> None:
    tokens = torch.randint(0, 9, (3, 6))
    record = recorded(
        Language(),
        tokens,
        lambda m, b: {"next": F.cross_entropy(m(b[:, :-1]).flatten(0, 1), b[:, 1:].flatten())},
    )
    assert "head.weight" not in record.parameters


# Residual convolutional nets


class Residual(nn.Module):
    def __init__(self, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.skip = nn.Conv2d(width, width, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.norm2(self.conv2(self.relu(self.norm1(self.conv1(x)))))
        h += self.skip(x)
        return self.relu(h)


@pytest.mark.parametrize("training", [True, False])
def test_a_residual_convolutional_net(training: bool) -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1),
        Residual(3),
        Residual(3, stride=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(3, 4),
    )
    labels = torch.tensor([0, 3, 1, 1])
    recorded(
        model.train(training),
        normal(4, 1, 6, 6),
        lambda m, x: {
            "class": F.cross_entropy(m(x), labels, label_smoothing=0.1),
            "size": m(x).abs().mean(),
        },
        tolerance=1e-9,
    )


# Recurrent nets


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (nn.RNN, {}),
        (nn.RNN, {"nonlinearity": "relu", "bias": False}),
        (nn.GRU, {}),
        (nn.GRU, {"num_layers": 2, "bidirectional": True, "dropout": 0.3}),
        (nn.LSTM, {}),
        (nn.LSTM, {"num_layers": 2, "bidirectional": True, "batch_first": True}),
        (nn.LSTM, {"proj_size": 2}),
    ],
)
def test_recurrent_layers(kind: Any, options: dict[str, Any]) -> None:
    recorded(kind(3, 4, **options), normal(5, 2, 3), two_costs)


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_packed_sequences(kind: Any) -> None:
    def run(m: Any, x: torch.Tensor) -> Any:
        packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([5, 2, 3]), enforce_sorted=False)
        out, last = m.layer(packed)
        return nn.utils.rnn.pad_packed_sequence(out)[0], last

    recorded(Of(run, layer=kind(3, 4)), normal(5, 3, 3), two_costs)


@pytest.mark.parametrize("cell", [nn.RNNCell(3, 4), nn.GRUCell(3, 4), nn.LSTMCell(3, 4)], ids=repr)
def test_unrolled_cells(cell: nn.Module) -> None:
    def run(m: Any, x: torch.Tensor) -> torch.Tensor:
        state, outs = None, []
        for step in x:
            state = m.cell(step, state)
            outs.append(state[0] if isinstance(state, tuple) else state)
        return torch.stack(outs)

    recorded(Of(run, cell=cell.double()), normal(4, 2, 3), two_costs)


# Arrays: views, writes, joins, products

ARRAYS: dict[str, tuple[Callable[..., Any], tuple[int, ...]]] = {
    "concatenation": (lambda m, x: torch.cat([x, m.w * x, x[:, :1]], 1), (4, 3)),
    "stack and unbind": (
        lambda m, x: torch.stack([p * k for k, p in enumerate((m.w * x).unbind(1))]),
        (4, 3),
    ),
    "slices": (lambda m, x: (m.w * x)[1:, ::2] * (m.w * x)[:-1, 1:3], (4, 4)),
    "negative steps": (lambda m, x: (m.w * x).flip(0).roll(1, 1).rot90(), (4, 3)),
    "an index": (lambda m, x: (m.w * x)[torch.tensor([0, 2, 2, 1]), torch.tensor([1, 1, 0, 2])], (4, 3)),
    "a mask": (lambda m, x: (m.w * x)[x > 0], (4, 3)),
    "gather": (lambda m, x: (m.w * x).gather(1, torch.tensor([[2, 0], [1, 1], [0, 2], [2, 2]])), (4, 3)),
    "scatter": (
        lambda m, x: torch.zeros(4, 5).scatter(1, torch.tensor([[2, 0, 1]] * 4), m.w * x),
        (4, 3),
    ),
    "scatter_add": (
        lambda m, x: torch.zeros(4, 2).scatter_add(1, torch.tensor([[1, 0, 1]] * 4), m.w * x),
        (4, 3),
    ),
    "index_add_": (
        lambda m, x: torch.zeros(3, 3).index_add_(0, torch.tensor([1, 0, 1, 2]), m.w * x),
        (4, 3),
    ),
    "where": (lambda m, x: torch.where(x > 0, m.w * x, m.w), (4, 3)),
    "masked_fill_": (lambda m, x: (m.w * x).masked_fill_(x < 0, -1.0).exp(), (4, 3)),
    "a row written": (lambda m, x: _written(m.w * x), (4, 3)),
    "sort and topk": (lambda m, x: ((m.w * x).sort(1)[0][:, 0], (m.w * x).topk(2, 0)[0]), (4, 3)),
    "cumsum and cumprod": (lambda m, x: (m.w * x).cumsum(1) * (m.w + x).cumsum(0), (4, 3)),
    "expand and repeat": (
        lambda m, x: m.w[:1].expand(4, 3) * x.repeat(1, 2)[:, 3:] + m.w[0].repeat_interleave(4).view(4, 3),
        (4, 3),
    ),
    "reductions": (
        lambda m, x: ((m.w * x).amax(1), (m.w * x).var(0), (m.w * x).logsumexp(1), (m.w * x).prod(0)),
        (4, 3),
    ),
    "norms": (lambda m, x: ((m.w * x).norm(dim=1), torch.linalg.vector_norm(m.w * x, 3), m.w.norm()), (4, 3)),
    "extremes": (lambda m, x: ((m.w * x).max(1)[0], (m.w * x).min(), (m.w * x).median(0)[0]), (4, 3)),
    "one of two, with plain numbers": (
        lambda m, x: torch.where(x > 0, m.w * x, 1.0) * torch.where(x > 0, 2.0, m.w),
        (4, 3),
    ),
    "products that are added up": (
        lambda m, x: torch.addbmm(x, m.w.expand(2, 3, 3), x.expand(2, 3, 3), beta=0.5, alpha=2.0),
        (3, 3),
    ),
    "a gamma function of several": (lambda m, x: torch.mvlgamma((m.w * x).abs() + 2, 2), (3, 3)),
    "running products": (lambda m, x: ((m.w * x).cumprod(1), _with_a_zero(m.w * x).cumprod(0)), (4, 3)),
    "running sums of exponentials": (lambda m, x: (m.w * x).logcumsumexp(1), (4, 3)),
    "densities of distributions": (
        lambda m, x: [
            torch.distributions.Beta(m.w.exp(), x.exp()).log_prob(torch.tensor(0.3)),
            torch.distributions.StudentT(m.w.exp() + 2).log_prob(x),
            torch.distributions.Normal(m.w, 1.0).icdf(x.sigmoid()),
            torch.distributions.Categorical(logits=m.w).entropy(),
        ],
        (4, 3),
    ),
    "the middle of all": (lambda m, x: ((m.w * x).median(), torch.cat([m.w, m.w]).nanmedian()), (3, 3)),
    "norms of every order": (
        lambda m, x: [
            torch.linalg.vector_norm(_with_a_zero(m.w * x), p, dim=1)
            for p in (0, 0.5, 1, 2, 3, math.inf, -math.inf)
        ],
        (4, 3),
    ),
    "distances": (
        lambda m, x: [torch.cdist(m.w, x, p=p) for p in (1.0, 2.0, 3.0, math.inf)] + [F.pdist(m.w * x)],
        (4, 3),
    ),
    "distances of many": (lambda m, x: torch.cdist(m.w, x), (30, 2)),
    "clamped": (lambda m, x: (m.w * x).clamp(-0.4, 0.3).clamp_min_(-0.2), (4, 3)),
    "standardised by hand": (
        lambda m, x: (m.w * x - (m.w * x).mean(1, keepdim=True)) / ((m.w * x).std(1, keepdim=True) + 1e-3),
        (4, 3),
    ),
    "powers": (lambda m, x: (m.w * x).abs() ** 1.5 + 2.0 ** (m.w * x) + (m.w * x) ** 3, (4, 3)),
    "arithmetic in place": (
        lambda m, x: (m.w * x).mul_(2).add_(x, alpha=3).div_(x.abs() + 1).sub_(m.w),
        (4, 3),
    ),
}


def _with_a_zero(h: torch.Tensor) -> torch.Tensor:
    return h * (torch.arange(h.numel()).reshape(h.shape) != 4)


def _written(h: torch.Tensor) -> torch.Tensor:
    out = torch.ones(5, 3)
    out[1:] = h
    out[0] = h[0] * 2
    out[2, 1] = 7.0
    out[:, 0] *= 3
    return out.relu_()


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(name: str) -> None:
    run, shape = ARRAYS[name]
    recorded(Of(run, w=normal(*shape)), normal(*shape), two_costs)


@pytest.mark.filterwarnings("ignore:index_reduce")  # PyTorch calls it beta
@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("how", ["sum", "mean", "prod", "amax", "amin"])
def test_joined_deposits(how: str, own: bool) -> None:
    index = torch.tensor([[0, 0, 2], [1, 1, 1], [0, 2, 2], [2, 0, 0]])

    def run(m: Any, x: torch.Tensor) -> torch.Tensor:
        return (2 * m.w).scatter_reduce(1, index, m.w * x, how, include_self=own) + (
            m.w.index_reduce(0, torch.tensor([0, 0, 2, 3]), m.w * x, how, include_self=own)
            if how != "sum"
            else 0
        )

    recorded(Of(run, w=normal(4, 3)), normal(4, 3), two_costs)


SHAPES = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 2)),
    ((4, 3), (3, 2)),
    ((5, 4, 3), (3,)),
    ((3,), (5, 3, 2)),
    ((5, 4, 3), (3, 2)),
    ((4, 3), (5, 3, 2)),
    ((5, 4, 3), (5, 3, 2)),
    ((1, 4, 3), (5, 3, 2)),
    ((2, 1, 4, 3), (5, 3, 2)),
    ((0, 3), (3, 2)),
]


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_matrix_products_in_all_shapes(shapes: Any) -> None:
    recorded(Of(lambda m, x: x @ m.w, w=normal(*shapes[1])), normal(*shapes[0]), two_costs)


PATTERNS = ["nij,njk->nik", "nij,kj->nik", "nij,nij->n", "nij,nkj->", "nij,njk->nk"]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_einsum(pattern: str) -> None:
    sizes = {"n": 2, "i": 3, "j": 4, "k": 3}
    one, two = pattern.split("->")[0].split(",")
    recorded(
        Of(lambda m, x: torch.einsum(pattern, x, m.w), w=normal(*(sizes[s] for s in two))),
        normal(*(sizes[s] for s in one)),
        two_costs,
    )


# Other precisions


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 0.06), (torch.float16, 0.01)]
)
@pytest.mark.parametrize("name", ["linear", "conv2d", "layer_norm", "batch_norm2d", "attention"])
def test_other_precisions(name: str, dtype: torch.dtype, tolerance: float) -> None:
    made: dict[str, Make] = LAYERS | NORMS
    if name == "attention":
        attention = nn.MultiheadAttention(6, 2, batch_first=True)
        module, batch = Of(lambda m, x: m.attention(x, x, x)[0], attention=attention), normal(3, 4, 6)
    else:
        module, batch = with_weights(*made[name]())
    with torch.random.fork_rng():
        recorded(
            nn.Sequential(module).to(dtype),
            batch.to(dtype),
            lambda m, x: two_costs(lambda x: m(x).float(), x),
            tolerance=tolerance,
        )


def test_what_rounds_in_half_precision_is_recorded_or_says_so() -> None:
    def run(m: Any, x: torch.Tensor) -> torch.Tensor:
        return F.interpolate(m.w * x, scale_factor=1.7, mode="bicubic")

    x = normal(1, 2, 5, 5).bfloat16()
    recorded(
        Of(run, w=normal(1, 2, 5, 5)).bfloat16(),
        x,
        lambda m, x: two_costs(lambda x: m(x).float(), x),
        tolerance=0.03,
    )
    grid = F.affine_grid(
        torch.tensor([[[1.1, 0.3, 0.2], [-0.2, 0.7, 0.1]]]), [1, 2, 40, 40], False
    ).bfloat16()
    model = Of(lambda m, x: F.grid_sample(m.w * x, grid, align_corners=False), w=normal(1, 2, 40, 40))
    with pytest.raises(wg.NotSupportedError, match=r"half precision[\s\S]*float32"):
        wg.record(model.bfloat16(), normal(1, 2, 40, 40).bfloat16(), two_costs)


def test_a_gradient_that_is_scaled_by_frequency_is_refused() -> None:
    with pytest.raises(wg.NotSupportedError, match="scale_grad_by_freq"):
        wg.record(
            nn.Embedding(4, 3, scale_grad_by_freq=True),
            torch.tensor([1, 1, 2]),
            lambda m, x: {"c": m(x).square().sum()},
        )


def test_integers_take_part_in_the_precision_of_the_others() -> None:
    recorded(
        Of(lambda m, x: (m.w * x) / (x > 0).sum() + m.w ** torch.tensor(2) * (x > 0), w=normal(4, 3)),
        normal(4, 3),
        two_costs,
        tolerance=1e-14,
    )


# What is refused says so, and what to do


@torch.library.custom_op("whygrad_tests::twice", mutates_args=())
def twice(x: torch.Tensor) -> torch.Tensor:
    return 2 * x


twice.register_autograd(lambda ctx, g: 2 * g)


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (
            lambda h: torch.view_as_complex(h[:, :2].contiguous()).logsumexp(0).abs(),
            r"logsumexp \(of complex numbers\)[\s\S]*real and the imaginary part[\s\S]*opaque=\"allow\"",
        ),
        (
            lambda h: torch.relu(torch.nested.as_nested_tensor([h, h[:2]])).to_padded_tensor(0.0),
            r"a nested tensor\)[\s\S]*to_padded_tensor",
        ),
        (
            lambda h: torch.nested.as_nested_tensor([h, h[:2]], layout=torch.jagged).values(),
            r"nested tensor\)[\s\S]*to_padded_tensor",
        ),
        (
            lambda h: torch.ops.whygrad_tests.twice(h),
            r"twice_default \(an operation of torch.library\)[\s\S]*opaque",
        ),
        (lambda h: torch.igamma(torch.ones(4, 3), h.abs()), r"igamma[\s\S]*opaque=\"allow\""),
        (lambda h: torch.as_strided_scatter(h, h[0], (3,), (1,)), r"no derivative[\s\S]*clone"),
        (lambda h: (h * 1)[1:].as_strided((3,), (1,), 0), r"doesn't show[\s\S]*clone"),
    ],
)
def test_what_is_refused_says_what_to_do(run: Callable[..., Any], words: str) -> None:
    with pytest.raises(wg.NotSupportedError, match=rf"the model[\s\S]*{words}"):
        wg.record(Of(lambda m, x: run(m.w * x), w=normal(4, 3)), normal(4, 3), two_costs)


@pytest.mark.parametrize("name", ["inv", "solve", "slogdet", "cholesky", "igamma"])
def test_functions_of_matrices_and_opaque_operations_have_autograds_gradient(name: str) -> None:
    def run(m: Any, x: torch.Tensor) -> torch.Tensor:
        h = m.w @ m.w.T + torch.eye(4)
        if name == "igamma":
            return torch.igamma(torch.ones(4), h.abs())
        if name == "solve":
            return torch.linalg.solve(h, x)
        return torch.linalg.slogdet(h)[1] if name == "slogdet" else getattr(torch.linalg, name)(h)

    allowed = {"opaque": "allow"} if name == "igamma" else {}
    record = recorded(Of(run, w=normal(4, 3)), normal(4, 3), two_costs, **allowed)
    assert bool(record.stops) is (name == "igamma")
    assert record.gradients()["w"].abs().max() > 0


def test_a_compiled_script_is_refused() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is on its way out
        scripted = torch.jit.script(nn.Linear(4, 3))
    with pytest.raises(wg.NotSupportedError, match="record the module that it was made from"):
        wg.record(scripted, normal(5, 4), two_costs)


def test_unpooling_of_windows_that_overlap_is_refused() -> None:
    def run(m: Any, x: torch.Tensor) -> torch.Tensor:
        out, indices = F.max_pool2d(m.w * x, 3, 1, return_indices=True)
        return F.max_unpool2d(out, indices, 3, 1)

    x = torch.zeros(1, 1, 4, 4)
    x[..., 1, 1] = 1.0
    with pytest.raises(wg.NotSupportedError, match="windows that overlap"):
        wg.record(Of(run, w=torch.ones(1)), x, two_costs)


def test_hooks_of_modules_run_and_those_on_the_backward_pass_change_nothing() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh())
    model[0].register_forward_hook(lambda module, inputs, out: out * 2)
    model[1].register_forward_pre_hook(lambda module, inputs: (inputs[0] + 1,))
    model[1].register_full_backward_hook(lambda module, inner, outer: None)
    with pytest.warns(UserWarning, match="hooks of PyTorch's backward pass"):
        recorded(model, normal(5, 4), two_costs)


def test_a_function_that_runs_on_each_example() -> None:
    recorded(Of(lambda m, x: torch.vmap(m.layer)(x), layer=nn.Linear(4, 3)), normal(5, 4), two_costs)
