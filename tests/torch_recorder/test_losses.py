"""Every loss that PyTorch has, in every reduction and with every option: autograd's gradient for each cost."""

import inspect
from collections.abc import Callable, Mapping
from itertools import pairwise, product
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.torch_recorder.agreement import recorded

CLASSES = torch.tensor([0, 3, 1, 1, 2])
SIGNS = torch.tensor([1.0, -1.0, 1.0, 1.0, -1.0], dtype=torch.float64)
WEIGHTS = torch.tensor([0.5, 2.0, 1.0, 0.3], dtype=torch.float64)
LABELS = torch.tensor([[1, 2, -1, 0], [3, -1, 0, 0], [0, 1, 2, 3], [-1, 1, 2, 3], [2, 0, -1, 2]])
RESHAPED = torch.tensor([[0, 1, 1, 0, 1]] * 2)
SCORES = torch.linspace(-1, 1, 42, dtype=torch.float64).reshape(14, 3)


def far(one: Tensor, other: Tensor) -> Tensor:
    return (one - other).abs().sum(-1)


def detached(h: Tensor) -> Tensor:
    return h.detach().flip(0)


class Case(NamedTuple):
    """How a loss is called: its arguments, made of an array (5, 4) with paths, by position; and its options."""

    arguments: Callable[[Tensor], tuple[Any, ...]]
    options: Mapping[str, Any] = MappingProxyType({})


def weighted(h: Tensor) -> tuple[Any, ...]:
    return h, CLASSES


def sequences(h: Tensor) -> Tensor:
    """Returns scores (4 times, 3 examples, 5 classes)."""
    return torch.stack([h.T, 2 * h.T.flip(0), h.T.roll(1, 1)], 1)


SPOKEN = torch.tensor([[1, 2], [3, 3], [4, 0]])
TIMES, SAID = torch.tensor([4, 3, 2]), torch.tensor([2, 2, 1])

LOSSES: dict[str, list[Case]] = {
    "cross_entropy": [
        Case(weighted),
        Case(weighted, {"weight": WEIGHTS}),
        Case(weighted, {"ignore_index": 1}),
        Case(weighted, {"label_smoothing": 0.1}),
        Case(weighted, {"label_smoothing": 0.1, "ignore_index": 1, "weight": WEIGHTS}),
        Case(lambda h: (h, h.detach().softmax(1).flip(1))),
        Case(lambda h: (h, h.softmax(1).flip(1)), {"label_smoothing": 0.1, "weight": WEIGHTS}),
        Case(lambda h: (h.view(2, 2, 5), RESHAPED)),
        Case(lambda h: (h[0], CLASSES[0])),
    ],
    "nll_loss": [
        Case(lambda h: (h.log_softmax(1), CLASSES), {"ignore_index": 2}),
        Case(lambda h: (h, CLASSES)),
        Case(lambda h: (h.log_softmax(1), CLASSES), {"weight": WEIGHTS}),
        Case(lambda h: (h.view(2, 2, 5).log_softmax(1), RESHAPED)),
        Case(lambda h: (h.view(1, 5, 4).log_softmax(2).transpose(1, 2), CLASSES[None])),
    ],
    "mse_loss": [
        Case(lambda h: (h, detached(h))),
        Case(lambda h: (h, h.flip(0)), {"weight": WEIGHTS.expand(5, 4)}),
    ],
    "l1_loss": [
        Case(lambda h: (h, detached(h))),
        Case(lambda h: (h, h.flip(0)), {"weight": WEIGHTS.expand(5, 4)}),
    ],
    "smooth_l1_loss": [
        Case(lambda h: (h, detached(h)), {"beta": 0.7}),
        Case(lambda h: (h, detached(h)), {"beta": 0.0}),
    ],
    "huber_loss": [
        Case(lambda h: (h, detached(h)), {"delta": 0.7}),
        Case(lambda h: (h, detached(h)), {"weight": WEIGHTS.expand(5, 4)}),
    ],
    "binary_cross_entropy": [
        Case(lambda h: (h.sigmoid(), h.detach().sigmoid())),
        Case(lambda h: (h.sigmoid(), (h.detach() > 0).double()), {"weight": WEIGHTS}),
    ],
    "binary_cross_entropy_with_logits": [
        Case(lambda h: (h, (h.detach() > 0).double())),
        Case(lambda h: (h, h.flip(0).sigmoid()), {"weight": WEIGHTS, "pos_weight": 2 * WEIGHTS}),
        Case(lambda h: (h, (h.detach() > 0).double()), {"pos_weight": 2 * WEIGHTS}),
    ],
    "kl_div": [
        Case(lambda h: (h.log_softmax(1), h.detach().flip(1).softmax(1))),
        Case(lambda h: (h.log_softmax(1), h.flip(1).softmax(1))),
        Case(lambda h: (h.log_softmax(1), h.detach().flip(1).log_softmax(1)), {"log_target": True}),
    ],
    "poisson_nll_loss": [
        Case(lambda h: (h, h.detach().abs().round())),
        Case(lambda h: (h.exp(), h.detach().abs() * 3), {"log_input": False, "full": True, "eps": 1e-3}),
    ],
    "gaussian_nll_loss": [
        Case(lambda h: (h[:, 0], h.detach()[:, 1], h[:, 2].exp()), {"full": True, "eps": 0.5}),
        Case(lambda h: (h, h.flip(0), h[:, :1].exp())),
        Case(lambda h: (h, detached(h), 0.3)),
    ],
    "hinge_embedding_loss": [Case(lambda h: (h[:, 0], SIGNS), {"margin": 0.4})],
    "soft_margin_loss": [Case(lambda h: (h[:, 0], SIGNS))],
    "margin_ranking_loss": [Case(lambda h: (h[:, 0], h[:, 1], SIGNS), {"margin": 0.2})],
    "multi_margin_loss": [
        Case(weighted),
        Case(weighted, {"p": 2, "margin": 0.5, "weight": WEIGHTS}),
        Case(lambda h: (h[0], CLASSES[0])),
    ],
    "multilabel_margin_loss": [Case(lambda h: (h, LABELS)), Case(lambda h: (h[0], LABELS[0]))],
    "multilabel_soft_margin_loss": [
        Case(lambda h: (h, (h.detach() > 0).double())),
        Case(lambda h: (h, (h.detach() > 0).double()), {"weight": WEIGHTS}),
    ],
    "cosine_embedding_loss": [Case(lambda h: (h, h.flip(0) + 1, SIGNS), {"margin": 0.1})],
    "triplet_margin_loss": [
        Case(lambda h: (h, h.flip(0), h.roll(1, 0))),
        Case(lambda h: (h, h.flip(0), h.roll(1, 0)), {"swap": True, "p": 3, "eps": 1e-3, "margin": 2.0}),
    ],
    "triplet_margin_with_distance_loss": [
        Case(lambda h: (h, h.flip(0), h.roll(1, 0))),
        Case(
            lambda h: (h, h.flip(0), h.roll(1, 0)),
            {"distance_function": far, "swap": True, "margin": 2.0},
        ),
    ],
    "linear_cross_entropy": [
        Case(lambda h: (h[:, :3], SCORES[:4] * h[0, 0], CLASSES)),
        Case(
            lambda h: (h[:, :3], SCORES[:4] * h[0, 0], CLASSES),
            {"linear_bias": WEIGHTS, "weight": WEIGHTS, "ignore_index": 1, "label_smoothing": 0.1},
        ),
        Case(
            lambda h: (h[:, :3], SCORES[:4] * h[0, 0], CLASSES),
            {
                "linear_bias": WEIGHTS,
                "weight": WEIGHTS,
                "ignore_index": 1,
                "options": nn.LinearCrossEntropyOptions(batch_chunk_size=2, allow_retain_graph=True),
            },
        ),
    ],
    "ctc_loss": [
        Case(lambda h: (sequences(h).log_softmax(-1), SPOKEN, TIMES, SAID)),
        Case(
            lambda h: (sequences(h).log_softmax(-1), SPOKEN, TIMES, SAID), {"blank": 1, "zero_infinity": True}
        ),
        Case(
            lambda h: (
                sequences(h).transpose(0, 1).log_softmax(-1).transpose(0, 1),
                torch.tensor([1, 2, 3, 3, 4]),
                TIMES.tolist(),
                SAID.tolist(),
            ),
            {"zero_infinity": True},
        ),
        Case(lambda h: (h.log_softmax(-1), torch.tensor([1, 3]), torch.tensor(5), torch.tensor(2))),
    ],
}
# Deprecated: they say what reduction says.
FORMERLY = {"size_average", "reduce"}


def calls() -> list[Any]:
    return [
        pytest.param(name, place, reduction, id=f"{name}-{place}-{reduction}")
        for name, cases in LOSSES.items()
        for place, reduction in product(range(len(cases)), reductions(name))
    ]


def reductions(name: str) -> tuple[str, ...]:
    return ("none", "sum", "batchmean") if name == "kl_div" else ("none", "mean", "sum")


@pytest.mark.parametrize(("name", "place", "reduction"), calls())
def test_a_loss(name: str, place: int, reduction: str) -> None:
    case = LOSSES[name][place]

    def costs(model: Any, x: Tensor) -> dict[str, Tensor]:
        made = getattr(F, name)(*case.arguments(model(x)), reduction=reduction, **case.options)
        return {"c": made.flatten().squeeze()}

    record = recorded(nn.Linear(3, 4), torch.randn(5, 3), costs)
    assert not record.stops


def test_every_loss_with_every_option_is_in_the_table() -> None:
    there = {
        name
        for name, function in vars(F).items()
        if callable(function)
        and not name.startswith("_")
        and (name.endswith("_loss") or "cross_entropy" in name or name == "kl_div" or "nll" in name)
    }
    assert there == set(LOSSES)
    for name, cases in LOSSES.items():
        known = list(inspect.signature(getattr(F, name)).parameters)
        tried = {"reduction"}
        for case in cases:
            tried |= set(case.options) | set(known[: len(case.arguments(torch.randn(5, 4)))])
        assert tried == set(known) - FORMERLY, name


SPELLED = {
    "BCELoss": "binary_cross_entropy",
    "BCEWithLogitsLoss": "binary_cross_entropy_with_logits",
    "CTCLoss": "ctc_loss",
    "CrossEntropyLoss": "cross_entropy",
    "GaussianNLLLoss": "gaussian_nll_loss",
    "KLDivLoss": "kl_div",
    "L1Loss": "l1_loss",
    "MSELoss": "mse_loss",
    "MultiLabelMarginLoss": "multilabel_margin_loss",
    "MultiLabelSoftMarginLoss": "multilabel_soft_margin_loss",
    "NLLLoss": "nll_loss",
    "PoissonNLLLoss": "poisson_nll_loss",
}
WITH_WEIGHTS = {"AdaptiveLogSoftmaxWithLoss", "LinearCrossEntropyLoss"}
MODULES = [name for name in dir(nn) if name.endswith("Loss")]


def function_of(name: str) -> str:
    words = [place for place, letter in enumerate(name) if letter.isupper()] + [len(name)]
    return SPELLED.get(name) or "_".join(name[a:b] for a, b in pairwise(words)).lower()


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("name", [name for name in MODULES if name not in WITH_WEIGHTS])
def test_a_module_is_its_function(name: str, reduction: str) -> None:
    case = LOSSES[function_of(name)][0]
    loss = getattr(nn, name)(reduction=reduction if name != "KLDivLoss" else "sum")
    model = nn.ModuleDict({"layer": nn.Linear(3, 4), "loss": loss})

    def costs(model: Any, x: Tensor) -> dict[str, Tensor]:
        return {"c": model["loss"](*case.arguments(model["layer"](x))).flatten().squeeze()}

    recorded(model, torch.randn(5, 3), costs)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_linear_layer_with_its_cross_entropy(reduction: str, chunked: bool) -> None:
    options = nn.LinearCrossEntropyOptions(batch_chunk_size=2, allow_retain_graph=True) if chunked else None
    loss = nn.LinearCrossEntropyLoss(3, 4, bias=True, reduction=reduction, options=options)
    recorded(loss, torch.randn(5, 3), lambda m, x: {"c": m(x, CLASSES)})


@pytest.mark.parametrize("bias", [False, True])
def test_adaptive_log_softmax(bias: bool) -> None:
    loss = nn.AdaptiveLogSoftmaxWithLoss(3, 14, [2, 6], div_value=1.5, head_bias=bias)
    target = torch.tensor([0, 13, 3, 7, 1])
    recorded(loss, torch.randn(5, 3), lambda m, x: {"mean": m(x, target).loss, "each": m(x, target).output})


# What else is to be known of them


def alignments(given: list[int], times: int, blank: int, classes: int) -> list[tuple[int, ...]]:
    """Returns every sequence of classes that says what is given, once repetitions and then blanks are left out."""
    found = []
    for way in product(range(classes), repeat=times):
        kept = [c for place, c in enumerate(way) if place == 0 or way[place - 1] != c]
        if [c for c in kept if c != blank] == given:
            found.append(way)
    return found


def test_alignments_are_one_operation_with_their_log_softmax() -> None:
    said, lengths = [[1, 2], [2, 2], [1]], [4, 4, 2]

    def costs(model: Any, x: Tensor) -> dict[str, Tensor]:
        scores = model(x).log_softmax(-1).transpose(0, 1)
        flat = torch.tensor([c for one in said for c in one])
        return {"c": F.ctc_loss(scores, flat, lengths, [len(one) for one in said], reduction="none")}

    model = nn.Linear(2, 3)
    x = torch.randn(3, 4, 2)
    record = recorded(model, x, costs)
    ctc = next(n for n, node in enumerate(record.graph.nodes) if node.op and node.op.name == "ctc_loss")
    # by every alignment: what is expected of a score less how probable it is
    probable = model(x).softmax(-1).detach()
    wanted = torch.zeros(3, 4, 3)
    for example, (given, times) in enumerate(zip(said, lengths, strict=True)):
        sizes, seen = [], []
        for way in alignments(given, times, 0, 3):
            sizes.append(torch.stack([probable[example, t, c] for t, c in enumerate(way)]).prod())
            seen.append(F.one_hot(torch.tensor(way), 3))
        share = torch.stack(sizes) / sum(sizes)
        expected = (share[:, None, None] * torch.stack(seen)).sum(0)
        wanted[example, :times] = probable[example, :times] - expected
    source = record.graph.nodes[ctc].inputs[0]
    got = record.graph_sweep("gradient").values(source).sum(0)
    torch.testing.assert_close(got, wanted, rtol=1e-10, atol=1e-12)
    # one edge from each score of a time that is there, none from those behind the end
    paths = record.paths("weight[0, 0]", k=100)
    assert paths.count == sum(lengths)
    assert paths.sum == pytest.approx(float(record.gradient("weight[0, 0]")), rel=1e-12)


def test_a_log_softmax_that_is_laid_out_otherwise_is_one_operation_with_the_loss() -> None:
    def named(costs: Callable[..., Any]) -> list[str]:
        record = recorded(nn.Linear(3, 4), torch.randn(5, 3), costs)
        return [node.op.name for node in record.graph.nodes if node.op is not None]

    layouts: list[Callable[[Tensor], Tensor]] = [
        lambda s: F.nll_loss(s, CLASSES),
        lambda s: F.nll_loss(s.view(1, 5, 4).transpose(1, 2), CLASSES[None]),
        lambda s: F.nll_loss(s.unsqueeze(0).reshape(-1, 4)[1:], CLASSES[1:]),
    ]
    for layout in layouts:
        names = named(lambda m, x, layout=layout: {"c": layout(m(x).log_softmax(-1))})
        assert "softmax_cross_entropy" in names
        assert "nll" not in names
    # of the classes only some, or of each example others: the softmax is an operation of its own
    for cut in (
        lambda s: F.nll_loss(s[:, :4].roll(1, 1), CLASSES),
        lambda s: F.nll_loss(s[:, 1:], CLASSES % 3),
    ):
        assert "nll" in named(lambda m, x, cut=cut: {"c": cut(m(x).log_softmax(-1))})


def test_scores_that_are_written_to_after_the_loss() -> None:
    def costs(model: Any, x: Tensor) -> dict[str, Tensor]:
        h = model(x)
        scores = h * 1
        loss = F.nll_loss(scores.log_softmax(-1).view(1, 5, 4).transpose(1, 2), CLASSES[None])
        scores.mul_(3)
        return {"c": loss, "d": scores.sum()}

    recorded(nn.Linear(3, 4), torch.randn(5, 3), costs)
