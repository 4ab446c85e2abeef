"""nngeometry: its dense Gramian of a function of each example, here the example's cost."""

from __future__ import annotations

from collections.abc import Iterator

from nngeometry.backend import TorchHooksJacobianBackend
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.measure import Call
from benchmarks.peers import Contestant
from benchmarks.peers.torch_models import build, joined, layered
from benchmarks.peers.torch_network import load, module, numpy, squared_errors
from benchmarks.workloads import ModelProblem, Problem


class WholeBatch(DataLoader[tuple[Tensor, ...]]):
    """Yields the batch as it is: fetching examples one by one would be charged to nngeometry."""

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        """One batch with everything in it."""
        yield self.dataset.tensors


def _example_gramian(problem: Problem) -> Call:
    net, model = load(problem), module(problem)
    loader = WholeBatch(TensorDataset(net.x, net.y), batch_size=problem.batch)

    def cost(x: Tensor, y: Tensor) -> Tensor:
        return squared_errors(model(x), y).sum(dim=1, keepdim=True)

    backend = TorchHooksJacobianBackend(model=model, function=cost)
    return Call(
        lambda _: backend.get_gram_matrix(loader),
        numbers=lambda result: {"Gramian": numpy(result[0, :, 0, :])},
    )


def _model_example_gramian(problem: ModelProblem) -> Call:
    net = build(problem)
    loader = WholeBatch(TensorDataset(*net.batch), batch_size=problem.batch)

    def cost(x: Tensor, kinds: Tensor) -> Tensor:
        return joined(net.costs(net.model, (x, kinds)))[:, None]

    backend = TorchHooksJacobianBackend(model=net.model, function=cost)
    return Call(
        lambda _: backend.get_gram_matrix(loader),
        numbers=lambda result: {"Gramian": numpy(result[0, :, 0, :])},
    )


CONTESTANTS = (
    Contestant("nngeometry", "example_gramian", _example_gramian),
    Contestant("nngeometry", "model_example_gramian", _model_example_gramian, layered),
)
