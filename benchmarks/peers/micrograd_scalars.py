"""micrograd: scalars only, so only for tiny networks; one backward call for each cost."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from micrograd.engine import Value

from benchmarks.measure import Call
from benchmarks.peers import Contestant
from benchmarks.workloads import Problem


def _sigmoid(z: Value) -> Value:
    """micrograd has no sigmoid: one in its own style."""
    y = 1 / (1 + math.exp(-z.data))
    out = Value(y, (z,), "sigmoid")

    def _backward() -> None:
        z.grad += y * (1 - y) * out.grad

    out._backward = _backward
    return out


VALUES = {"identity": lambda z: z, "relu": Value.relu, "sigmoid": _sigmoid}


def _gradients(problem: Problem) -> Call:
    data = problem.data()
    weights = [data.parameters[f"W{layer}"].tolist() for layer in problem.layers]
    x, y = data.x[0].tolist(), data.y[0].tolist()

    def run(_: None) -> list[Any]:
        leaves = [[[Value(entry) for entry in row] for row in matrix] for matrix in weights]
        activations: list[Any] = x
        for matrix, name in zip(leaves, problem.activations, strict=True):
            sums = [sum((w * a for w, a in zip(row, activations, strict=True)), Value(0.0)) for row in matrix]
            activations = [VALUES[name](z) for z in sums]
        rows = []
        for activation, target in zip(activations, y, strict=True):
            cost = (activation - target) ** 2
            cost.backward()
            rows.append([[[entry.grad for entry in row] for row in matrix] for matrix in leaves])
            for node in _nodes(cost):
                node.grad = 0
        return rows

    return Call(
        run,
        numbers=lambda rows: {
            f"W{layer}": np.array([row[layer - 1] for row in rows]) for layer in problem.layers
        },
    )


def _nodes(root: Value) -> set[Value]:
    """All values that `root` was made from: their gradients have to be cleared before the next cost."""
    found, todo = {root}, [root]
    while todo:
        for node in todo.pop()._prev:
            if node not in found:
                found.add(node)
                todo.append(node)
    return found


def _tiny(problem: Problem) -> bool:
    small = problem.batch == 1 and max(problem.sizes) <= 8
    return small and not problem.bias and set(problem.activations) <= set(VALUES)


CONTESTANTS = (Contestant("micrograd", "gradients", _gradients, applies=_tiny),)
