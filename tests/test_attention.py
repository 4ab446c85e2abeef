"""Attention in all spellings: which token looks at which in which head, against weights that are computed here."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import whygrad as wg
from whygrad.graph import Entry

HEADS, ASKING, ASKED, WIDTH = 2, 3, 4, 5


class Spelled(nn.Module):
    """Attention between two sequences, whose heads a function puts side by side: (examples, tokens, heads * width)."""

    def __init__(self, spelling: Callable[..., Tensor]) -> None:
        super().__init__()
        self.values, self.spelling = nn.Linear(2, HEADS * WIDTH), spelling

    def forward(self, q: Tensor, k: Tensor) -> Tensor:
        """(examples, heads, tokens, 2) each."""
        v = self.values(k.mean(1)).view(len(k), ASKED, HEADS, WIDTH)
        made: Tensor = self.spelling(q, k, v.transpose(1, 2))
        assert made.shape == (len(q), ASKING, HEADS * WIDTH)
        return made


def weights(q: Tensor, k: Tensor) -> Tensor:
    return (q @ k.mT).softmax(-1)


def side_by_side(out: Tensor) -> Tensor:
    """(examples, heads, tokens, width) -> (examples, tokens, heads * width)."""
    return out.transpose(1, 2).flatten(2)


def columns_first(out: Tensor) -> Tensor:
    """(…, heads, width, tokens), with the examples before -> (examples, tokens, heads * width)."""
    return out.reshape(-1, HEADS * WIDTH, ASKING).transpose(1, 2)


def by_einsum(pattern: str, lay: Callable[[Tensor], Tensor], values_first: bool = False) -> Any:
    def run(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        a = weights(q, k)
        return lay(torch.einsum(pattern, *((v, a) if values_first else (a, v))))

    return run


def tokens_first(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    a = torch.einsum("bqhd,bkhd->bqkh", q, k).softmax(2)
    return torch.einsum("bqkh,bkhd->bqhd", a, v).flatten(2)


def heads_first(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    q, k, v = (x.transpose(0, 1) for x in (q, k, v))
    return ((q @ k.mT).softmax(-1) @ v).permute(1, 2, 0, 3).flatten(2)


def flat(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    q, k, v = (x.flatten(0, 1) for x in (q, k, v))
    return columns_first(torch.bmm(v.mT, torch.bmm(q, k.mT).softmax(-1).mT))


def grouped(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    q, k, v = (x.unflatten(1, (1, HEADS)) for x in (q, k, v))
    return side_by_side(((q @ k.mT).softmax(-1) @ v).flatten(1, 2))


SPELLINGS: dict[str, Callable[..., Tensor]] = {
    "a v": lambda q, k, v: side_by_side(weights(q, k) @ v),
    "(v^T a^T)^T": lambda q, k, v: side_by_side((v.mT @ weights(q, k).mT).mT),
    "v^T a^T": lambda q, k, v: columns_first(v.mT @ weights(q, k).mT),
    "v^T a, asked first": lambda q, k, v: columns_first(v.mT @ (k @ q.mT).softmax(-2)),
    "a^T v, asked first": lambda q, k, v: side_by_side((k @ q.mT).softmax(-2).mT @ v),
    "kernel": lambda q, k, v: side_by_side(F.scaled_dot_product_attention(q, k, v, scale=1.0)),
    "scaled on the way": lambda q, k, v: side_by_side(
        (v.mT @ (weights(q, k) * torch.ones(1, 1, 1, 1, 1))[0].mT).mT
    ),
    "bhij,bhjd->bhid": by_einsum("bhij,bhjd->bhid", side_by_side),
    "bhij,bhjd->bihd": by_einsum("bhij,bhjd->bihd", lambda out: out.flatten(2)),
    "bhij,bhjd->bhdi": by_einsum("bhij,bhjd->bhdi", columns_first),
    "bhij,bhjd->ibhd": by_einsum("bhij,bhjd->ibhd", lambda out: out.flatten(2).transpose(0, 1)),
    "bhjd,bhij->bihd": by_einsum("bhjd,bhij->bihd", lambda out: out.flatten(2), True),
    "bhjd,bhij->bhdi": by_einsum("bhjd,bhij->bhdi", columns_first, True),
    "...ij,...jd->...id": by_einsum("...ij,...jd->...id", side_by_side),
    "bqkh,bkhd->bqhd": tokens_first,
    "heads first": heads_first,
    "heads and examples in one": flat,
    "groups of heads": grouped,
}


def recorded(spelling: str, examples: int) -> tuple[wg.Record, Tensor]:
    """Returns a record, and the attention weights (examples, heads, asking, asked)."""
    torch.manual_seed(0)
    q, k = (torch.randn(examples, HEADS, tokens, 2, dtype=torch.float64) for tokens in (ASKING, ASKED))
    model = {"a": Spelled(SPELLINGS[spelling]).double()}
    record = wg.record(model, [q, k], lambda m, b: {"c": m["a"](*b).square().sum()})
    return record, torch.softmax(torch.einsum("bhqd,bhkd->bhqk", q, k), -1)


def parts(name: str) -> tuple[int, ...] | None:
    """Returns example, head, asking, asked, and the column where there is one."""
    found = re.fullmatch(r"a head (\d), token (\d) -> token (\d)(?:, value (\d))?(?: of example (\d))?", name)
    if found is None:
        return None
    head, asking, asked, column, example = found.groups()
    return (int(example or 0), int(head), int(asking), int(asked), *([] if column is None else [int(column)]))


@pytest.mark.parametrize("examples", [1, 2, 3])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_weights_and_ways_through_them_are_named(spelling: str, examples: int) -> None:
    record, right = recorded(spelling, examples)
    (softmax,) = (n for n, node in enumerate(record.graph.nodes) if node.op and node.op.name == "softmax")
    values = record.graph.nodes[softmax].value.reshape(-1)
    named = [parts(record.name(Entry(softmax, place))) for place in range(len(values))]
    assert len(set(named)) == right.numel()
    for place, at in enumerate(named):
        assert at is not None
        assert values[place] == pytest.approx(right[at].item())
        assert record.at(record.name(Entry(softmax, place))) == (softmax, place)
    steps = set()
    for path in record.paths("a.values.bias", k=10**4):
        for name in path.quantities:
            at = parts(name)
            if at is not None:
                *weight, column = at
                place = path.path.entries.index(Entry(*record.at(name)))
                assert path.path.partials[place - 1] == pytest.approx(right[tuple(weight)].item())
                assert path.quantities[0] == f"a.values.bias[{at[1] * WIDTH + column}]"
                assert record.at(record.unicode(name)) == record.at(name)
                steps.add(at)
    assert len(steps) == right.numel() * WIDTH


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_heads_are_the_same_however_they_are_spelled(spelling: str) -> None:
    (plain,) = recorded("a v", 2)[0].heads("a")
    (found,) = recorded(spelling, 2)[0].heads("a")
    assert found.senders == ("head 0", "head 1")
    np.testing.assert_allclose(found.gramian, plain.gramian, rtol=1e-9)


def test_values_that_are_weighed_by_what_sums_to_one_over_another_axis_are_not_attended_to() -> None:
    def over_those_who_ask(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return side_by_side((q @ k.mT).softmax(-2) @ v)

    model = {"a": Spelled(over_those_who_ask).double()}
    batch = [torch.randn(1, HEADS, tokens, 2, dtype=torch.float64) for tokens in (ASKING, ASKED)]
    record = wg.record(model, batch, lambda m, b: {"c": m["a"](*b).square().sum()})
    names = {name for path in record.paths("a.values.bias", k=100) for name in path.quantities}
    assert not any("value 0" in name for name in names)


def test_so_many_weights_that_they_are_not_followed_one_by_one_are_named_where_views_keep_their_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("whygrad.attention.MOST_PLACES", 0)
    for spelling, named in (("a v", True), ("kernel", True), ("(v^T a^T)^T", False)):
        paths = recorded(spelling, 2)[0].paths("a.values.bias", k=20)
        assert all(named == any(parts(name) for name in path.quantities) for path in paths)


class OneValue(nn.Module):
    """Attention in which groups of two heads have their values in common."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups, self.values = groups, nn.Linear(2, groups * WIDTH)

    def forward(self, q: Tensor, k: Tensor) -> Tensor:
        """(examples, groups, 2 heads, tokens, 2), (examples, tokens, 2)."""
        a = torch.einsum("bghid,bjd->bghij", q, k).softmax(-1)
        v = self.values(k)
        if self.groups == 1:
            return torch.einsum("bhij,bjd->bihd", a[:, 0], v).flatten(2)
        return torch.einsum("bghij,bjgd->bighd", a, v.unflatten(-1, (self.groups, WIDTH))).flatten(2)


@pytest.mark.parametrize("examples", [1, 2])
@pytest.mark.parametrize("groups", [1, 3])
def test_heads_with_values_in_common_are_named(groups: int, examples: int) -> None:
    torch.manual_seed(0)
    model = {"a": OneValue(groups).double()}
    q = torch.randn(examples, groups, 2, ASKING, 2, dtype=torch.float64)
    k = torch.randn(examples, ASKED, 2, dtype=torch.float64)
    right = torch.softmax(torch.einsum("bghid,bjd->bghij", q, k), -1).flatten(1, 2)
    record = wg.record(model, [q, k], lambda m, b: {"c": m["a"](*b).square().sum()})
    steps = set()
    for path in record.paths("a.values.bias", k=10**4):
        (name,) = (name for name in path.quantities if parts(name))
        at = parts(name)
        assert at is not None
        place = path.path.entries.index(Entry(*record.at(name)))
        assert path.path.partials[place - 1] == pytest.approx(right[at[:4]].item())
        assert path.quantities[0] == f"a.values.bias[{at[1] // 2 * WIDTH + at[4]}]"
        steps.add(at)
    assert len(steps) == right.numel() * WIDTH
    (heads,) = record.heads("a")
    assert len(heads.senders) == 2 * groups


def test_heads_are_those_that_the_module_around_a_softmax_says() -> None:
    class Talking(nn.Module):
        """Heads that are mixed before and after the softmax, which is a module of its own."""

        def __init__(self) -> None:
            super().__init__()
            self.heads, self.attend, self.mix = HEADS, nn.Softmax(-1), nn.Parameter(torch.randn(HEADS, HEADS))

        def forward(self, q: Tensor, k: Tensor) -> Tensor:
            mixed = torch.einsum("bhij,hg->bgij", self.attend(q @ k.mT), self.mix)
            return side_by_side(mixed @ k)

    q, k = torch.randn(1, HEADS, ASKING, 3), torch.randn(1, HEADS, ASKED, 3)
    record = wg.record({"a": Talking()}, [q, k], lambda m, b: {"c": m["a"](*b).square().sum()})
    node, position = record.at("a.attend head 1, token 2 -> token 3")
    right = (q @ k.mT).softmax(-1)
    assert record.graph.nodes[node].value.reshape(-1)[position] == right[0, 1, 2, 3]
