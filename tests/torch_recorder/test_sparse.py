"""Models with sparse matrices: gradients are autograd's, and paths go through the entries that are there alone."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import whygrad as wg
from tests.torch_recorder.agreement import Of, recorded
from tests.torch_recorder.scalars import Scalars
from tests.torch_recorder.test_enumeration import every_scalar_agrees, paths_agree

Run = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
# Two entries stand at (2, 0), and one isn't in ascending order.
PLACES = torch.tensor([[0, 1, 2, 2, 2], [1, 0, 2, 0, 0]])
ENTRIES = torch.tensor([0.5, -1.0, 2.0, 0.25, 1.5], dtype=torch.float64)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PyTorch tells everybody once what it doesn't check, and that CSR is new
    COO = torch.sparse_coo_tensor(PLACES, ENTRIES, (3, 3))
    CSR = COO.coalesce().to_sparse_csr()
    CSC = COO.coalesce().to_sparse_csc()
    HOLLOW = torch.tensor(
        [[0.0, 2.0, -1.0], [0.0, 0.0, 0.0], [1.0, 1.0, -1.0]], dtype=torch.float64
    ).to_sparse_csr()


def learned(values: torch.Tensor) -> torch.Tensor:
    return torch.sparse_coo_tensor(PLACES, values, (3, 3))


CONSTANT: dict[str, Run] = {
    "sparse.mm": lambda x, v: torch.sparse.mm(COO, x),
    "sparse.mm of CSR": lambda x, v: torch.sparse.mm(CSR, x),
    "COO @": lambda x, v: COO @ x,
    "CSR @": lambda x, v: CSR @ x,
    "CSC @": lambda x, v: CSC @ x,
    "COO of the other side": lambda x, v: x.T @ COO,
    "CSR of the other side": lambda x, v: x.T @ CSR,
    "a transposed one": lambda x, v: COO.t() @ x,
    "addmm": lambda x, v: torch.addmm(x, COO, x, beta=2.0, alpha=-0.5),
    "sparse.addmm": lambda x, v: torch.sparse.addmm(x, COO, x, beta=0.5),
    "mv": lambda x, v: torch.mv(COO, x[:, 0]),
    "mv of CSR": lambda x, v: CSR @ x[:, 1],
    "bmm": lambda x, v: torch.bmm(torch.stack([COO, 2 * COO]), torch.stack([x, x * x])),
    "linear": lambda x, v: nn.functional.linear(x.T, CSR),
    "sums": lambda x, v: torch.sparse.mm(CSR, x, "sum"),
    "means": lambda x, v: torch.sparse.mm(CSR, x, "mean"),
    "the largest": lambda x, v: torch.sparse.mm(CSR, x, "amax"),
    "the largest of some that are alike": lambda x, v: torch.sparse.mm(CSR, 0 * x + x[0, 0].exp(), "amax"),
    "the smallest, and a row without entries": lambda x, v: torch.sparse.mm(HOLLOW, x, "amin"),
    "a dense sum": lambda x, v: (x @ x.T) + CSR,
}

LEARNED: dict[str, Run] = {
    "sparse.mm": lambda x, v: torch.sparse.mm(learned(v), x),
    "@": lambda x, v: learned(v) @ x,
    "coalesced": lambda x, v: learned(v).coalesce() @ x,
    "transposed": lambda x, v: learned(v).t() @ x,
    "its axes turned": lambda x, v: learned(v).transpose(0, 1) @ x,
    "CSR": lambda x, v: torch.sparse_csr_tensor(CSR.crow_indices(), CSR.col_indices(), v[:4], (3, 3)) @ x,
    "CSC": lambda x, v: torch.sparse_csc_tensor(CSC.ccol_indices(), CSC.row_indices(), v[:4], (3, 3)) @ x,
    "dense": lambda x, v: learned(v).to_dense(),
    "its values": lambda x, v: learned(v).coalesce().values(),
    "rows of features": lambda x, v: torch.sparse_coo_tensor(
        PLACES[:1], v.unsqueeze(1) * x[:1], (3, 2)
    ).to_dense(),
    "softmax": lambda x, v: torch.sparse.softmax(learned(v), 1).to_dense(),
    "softmax over rows": lambda x, v: torch.sparse.softmax(learned(v), 0).to_dense(),
    "log_softmax": lambda x, v: torch.sparse.log_softmax(learned(v), 1).to_dense(),
    "sum over columns": lambda x, v: torch.sparse.sum(learned(v), 1).to_dense(),
    "sum": lambda x, v: torch.sparse.sum(learned(v)) * x,
    "times a number": lambda x, v: (2 * learned(v) / 3) @ x,
    "times a learned number": lambda x, v: (COO * x[0, 0]) @ x,
    "times a dense matrix": lambda x, v: (COO.coalesce() * (x @ x.T)) @ x,
    "a sum of two": lambda x, v: (learned(v) + COO) @ x,
    "a sum with a dense one": lambda x, v: torch.add(x @ x.T, learned(v), alpha=0.5),
    "a difference": lambda x, v: (COO - learned(v)).coalesce().values(),
    "its negative": lambda x, v: -learned(v) @ x,
    "from a dense one": lambda x, v: torch.relu(x @ x.T).to_sparse() @ x,
    "CSR from a dense one": lambda x, v: torch.relu(x @ x.T).to_sparse_csr() @ x,
    "sampled": lambda x, v: torch.sparse.sampled_addmm(CSR, x, x.T, beta=0.5).to_dense(),
    "detached": lambda x, v: learned(v).detach() @ x,
}


def costs(model: Any, batch: Any) -> dict[str, torch.Tensor]:
    out = model(batch)
    weights = torch.linspace(-1.0, 2.0, out.numel(), dtype=out.dtype).reshape(out.shape)
    return {"straight": (weights * out).sum(), "curved": (out * out * weights).sum()}


def model_of(run: Run) -> nn.Module:
    torch.manual_seed(0)
    x, v = torch.randn(3, 2, dtype=torch.float64), torch.randn(5, dtype=torch.float64)
    return Of(lambda m, batch: run(m.x.sin(), m.v.sin()), x=x, v=v)


def agrees(run: Run) -> wg.Record:
    """Returns the record of a function, after asserting that every scalar's paths are those of an enumeration."""
    record = recorded(model_of(run), torch.zeros(1), costs)
    scalars = Scalars(record.graph)
    every_scalar_agrees(record, scalars)
    return record


@pytest.mark.parametrize("name", CONSTANT)
def test_products_with_a_constant_matrix(name: str) -> None:
    record = agrees(CONSTANT[name])
    assert record.sweep("count")["x"].sum() > 0


@pytest.mark.parametrize("name", LEARNED)
def test_learned_entries(name: str) -> None:
    record = agrees(LEARNED[name])
    assert record.sweep("count")["x"].sum() + record.sweep("count")["v"].sum() > 0


def test_the_largest_terms_of_a_batch_that_is_not_trained() -> None:
    def larger(model: Any, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"size": (torch.sparse.mm(CSR, x, "amax") @ model.weight.T).sum()}

    layer, x = nn.Linear(2, 1).double(), torch.randn(3, 2, dtype=torch.float64)
    record = recorded(layer, x, larger)
    by_batch = x.clone().requires_grad_()
    larger(layer, by_batch)["size"].backward()
    torch.testing.assert_close(record.sweep("gradient")["batch"], by_batch.grad)


def test_paths_go_through_entries_alone() -> None:
    record = agrees(lambda x, v: torch.sparse.mm(COO.coalesce(), x))
    paths = record.paths("x[0, 0]", cost="straight", k=5)
    assert paths.count == 2  # column 0 has entries in rows 1 and 2
    paths_agree(record, Scalars(record.graph), "x")


def test_what_becomes_of_a_matrix_later_is_nothing_to_the_record() -> None:
    matrix = COO.coalesce().clone()
    record = recorded(model_of(lambda x, v: matrix @ x), torch.zeros(1), costs)
    before = record.sweep("total")["x"].clone()
    matrix.values().zero_()
    assert torch.equal(record.sweep("total")["x"], before)
    assert record.sweep("strongest")["x"].abs().max() > 0  # made after


def test_a_graph_network_of_several_losses() -> None:
    """Two layers of a graph convolution, with an adjacency matrix that is a buffer, and one with learned weights."""

    class Graph(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("adjacency", COO.coalesce())
            self.first, self.second = nn.Linear(4, 5).double(), nn.Linear(5, 2).double()
            self.edges = nn.Parameter(torch.rand(5, dtype=torch.float64))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = torch.relu(torch.sparse.mm(self.adjacency, self.first(x)))
            weights = torch.sparse.softmax(learned(self.edges).coalesce(), dim=1)
            return torch.sparse.mm(weights, self.second(h))

    def losses(model: Any, x: torch.Tensor) -> dict[str, torch.Tensor]:
        out = model(x)
        return {
            "kind": nn.functional.cross_entropy(out, torch.tensor([0, 1, 1])),
            "size": out.square().mean(),
        }

    torch.manual_seed(0)
    model, x = Graph(), torch.randn(3, 4, dtype=torch.float64)
    # PyTorch has no backward pass through a sparse softmax and a product: the dense one is the same function.
    record = wg.record(model, x, losses)

    def dense(model: Any, x: torch.Tensor) -> torch.Tensor:
        h = torch.relu(model.adjacency.to_dense() @ model.first(x))
        flat = torch.zeros(9, dtype=torch.float64).index_add(0, PLACES[0] * 3 + PLACES[1], model.edges)
        there = torch.zeros(3, 3, dtype=torch.bool)
        there[tuple(PLACES)] = True
        weights = flat.reshape(3, 3).masked_fill(~there, -torch.inf).softmax(1)
        return weights @ model.second(h)

    out = dense(model, x)
    for row, loss in enumerate(losses(lambda _: out, x).values()):
        wanted = torch.autograd.grad(loss, list(model.parameters()), retain_graph=True)
        for (name, _), gradient in zip(model.named_parameters(), wanted, strict=True):
            torch.testing.assert_close(record.gradients()[name][row], gradient, rtol=1e-10, atol=1e-12)
    assert "kind" in str(record.report())


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (lambda x, v: torch.sparse.mm(learned(v), COO).to_dense(), "_sparse_sparse_matmul"),
        (lambda x, v: learned(v).mul_(2.0) @ x, "mul_"),
    ],
)
def test_what_is_refused_says_what_to_do(run: Run, words: str) -> None:
    with pytest.raises(wg.NotSupportedError, match=rf"{words} \(.* sparse tensor\)[\s\S]*to_dense"):
        wg.record(model_of(run), torch.zeros(1), costs)


def test_a_sparse_tensor_from_outside_that_autograd_follows_is_a_constant_with_a_warning() -> None:
    outside = learned(torch.randn(5, dtype=torch.float64, requires_grad=True))
    with pytest.warns(UserWarning, match=r"\(3, 3\)\) are no parameters of the model[\s\S]*constants here"):
        record = wg.record(model_of(lambda x, v: outside @ x), torch.zeros(1), costs)
    assert record.gradients()["x"].abs().max() > 0


@pytest.mark.parametrize("opaque", ["forbid", "allow"])
def test_a_function_with_a_backward_pass_of_its_own_is_refused(opaque: str) -> None:
    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, sparse: torch.Tensor) -> torch.Tensor:
            return 2 * sparse.to_dense()

        @staticmethod
        def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
            return 2 * gradient

    with pytest.raises(wg.NotSupportedError, match="Doubled"):
        wg.record(model_of(lambda x, v: Doubled.apply(learned(v)) @ x), torch.zeros(1), costs, opaque=opaque)


def test_a_sparse_parameter_is_refused_before_it_is_forgotten() -> None:
    model = Of(lambda m, x: m.weight @ x, weight=COO.coalesce())
    with pytest.raises(wg.NotSupportedError, match=r"weight is a sparse tensor[\s\S]*sparse_coo_tensor"):
        wg.record(model, torch.randn(3, 2, dtype=torch.float64), costs)
    with pytest.raises(wg.NotSupportedError, match=r"batch\['a'\] is a sparse tensor"):
        wg.record(nn.Linear(3, 2), {"a": COO.coalesce().requires_grad_()}, costs)
    model.weight.requires_grad_(False)
    assert not wg.record(model, torch.randn(3, 2, dtype=torch.float64), costs).parameters
