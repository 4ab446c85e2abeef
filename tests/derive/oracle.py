"""An oracle: a network in PyTorch, written apart from whygrad, with any derivative by autograd."""

from typing import Any

import torch

F = torch.nn.functional

ACTIVATIONS: dict[str, Any] = {
    "identity": lambda z: z.clone(),
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "softplus": F.softplus,
    "gelu": F.gelu,
    "silu": F.silu,
    "softmax": lambda z: torch.softmax(z, -1),
    "log_softmax": lambda z: torch.log_softmax(z, -1),
}

COSTS: dict[str, Any] = {
    "squared_error": lambda a, y: (a - y) ** 2,
    "half_squared_error": lambda a, y: (a - y) ** 2 / 2,
    "cross_entropy": lambda a, y: -y * torch.log(a),
    "binary_cross_entropy": lambda a, y: -y * torch.log(a) - (1 - y) * torch.log(1 - a),
    "absolute_error": lambda a, y: (a - y).abs(),
}


class Oracle:
    """A network's quantities as tensors that autograd can go back to."""

    def __init__(self, parameters: Any, options: dict[str, Any], x: Any, y: Any) -> None:
        depth = len(options["activation"])
        self.tensors: dict[tuple[str, int | None], Any] = {}
        for name, array in parameters.items():
            leaf = torch.tensor(array, dtype=torch.float64, requires_grad=True)
            self.tensors[name[0].lower(), int(name[1:])] = leaf
        a = self.tensors["a", 0] = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        target = self.tensors["y", None] = torch.tensor(y, dtype=torch.float64, requires_grad=True)
        for layer, activation in enumerate(options["activation"], 1):
            z = a @ self.tensors["w", layer].T
            if ("b", layer) in self.tensors:
                z = z + self.tensors["b", layer]
            a = ACTIVATIONS[activation](z)
            self.tensors["z", layer], self.tensors["a", layer] = z, a
        costs = COSTS[options["cost"]](a, target)
        self.tensors["C", None] = costs.mean(0) if options["reduction"] == "mean" else costs.sum(0)
        weights = [self.tensors["w", layer] for layer in range(1, depth + 1)]
        squares = sum((weight**2).sum() for weight in weights)
        self.tensors["R", None] = options["l2"] / 2 * squares
        self.tensors["total", None] = self.tensors["C", None].sum() + self.tensors["R", None]

    def _place(self, q: Any, example: int) -> tuple[Any, ...]:
        if q.kind in ("total", "R"):
            return ()
        if q.kind == "w":
            return (q.to, q.source)
        return (q.to,) if q.kind in ("b", "C") else (example, q.to)

    def _tensor(self, q: Any) -> Any:
        return self.tensors["z" if q.kind == "delta" else q.kind, q.layer]

    def value(self, q: Any, example: int = 0) -> float:
        return self._tensor(q)[self._place(q, example)].item()

    def derivative(self, of: Any, by: Any, example: int = 0) -> float:
        """Returns a derivative; by something that each example has, for one example."""
        if of == by:
            return 1.0
        end = self._tensor(of)[self._place(of, example)]
        if not end.requires_grad:
            return 0.0
        (found,) = torch.autograd.grad(
            end, self._tensor(by), retain_graph=True, allow_unused=True, materialize_grads=True
        )
        return float(found[self._place(by, example)].item())
