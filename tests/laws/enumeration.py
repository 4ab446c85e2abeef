"""An oracle: a network as single scalars and the edges between them, and every path followed by hand.

Nothing of the engine is used: the forward pass, the partials and the walk are plain Python.
"""

import math
from typing import Any, NamedTuple

Scalar = tuple[Any, ...]


class Edge(NamedTuple):
    to: Scalar
    partial: float
    marked: bool


class Contribution(NamedTuple):
    """One path: the product of its partials, how many marked edges it has, whether all partials are nonzero."""

    product: float
    marks: int
    live: bool
    stops: tuple[Scalar, ...]


Edges = dict[Scalar, list[Edge]]


def every_path(edges: Edges, start: Scalar, ends: set[Scalar]) -> list[Contribution]:
    found = []
    waiting = [Contribution(1.0, 0, True, (start,))]
    while waiting:
        path = waiting.pop()
        last = path.stops[-1]
        if last in ends:
            found.append(path)
        waiting.extend(
            Contribution(
                path.product * edge.partial,
                path.marks + edge.marked,
                path.live and edge.partial != 0,
                (*path.stops, edge.to),
            )
            for edge in edges.get(last, ())
        )
    return found


def _erf_slope(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2)) + z * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


ACTIVATIONS: dict[str, Any] = {
    # value and slope
    "identity": (lambda z: z, lambda z: 1.0),
    "relu": (lambda z: max(z, 0.0), lambda z: 1.0 if z > 0 else 0.0),
    "tanh": (math.tanh, lambda z: 1 / math.cosh(z) ** 2),
    "sigmoid": (lambda z: 1 / (1 + math.exp(-z)), lambda z: math.exp(-z) / (1 + math.exp(-z)) ** 2),
    "leaky_relu(0.3)": (lambda z: z if z > 0 else 0.3 * z, lambda z: 1.0 if z > 0 else 0.3),
    "gelu": (lambda z: z * 0.5 * math.erfc(-z / math.sqrt(2)), _erf_slope),
}

COSTS: dict[str, Any] = {
    # slope by the activation
    "squared_error": lambda a, t: 2 * (a - t),
    "half_squared_error": lambda a, t: a - t,
    "absolute_error": lambda a, t: (a > t) - (a < t),
    "cross_entropy": lambda a, t: -t / a,
    "binary_cross_entropy": lambda a, t: (1 - t) / (1 - a) - t / a,
}


def network_edges(
    sizes: list[int],
    activations: list[str],
    parameters: dict[str, Any],
    x: Any,
    y: Any,
    cost: str = "squared_error",
    mean: bool = False,
    l2: float = 0.0,
) -> Edges:
    """Returns the edges of a layered network; scalars are ("w", l, to, from), ("z", l, example, j), ("C", k), …"""
    edges: Edges = {}

    def edge(source: Scalar, to: Scalar, partial: float, marked: bool = False) -> None:
        edges.setdefault(source, []).append(Edge(to, float(partial), marked))

    depth = len(sizes) - 1
    for n in range(len(x)):
        below = [float(v) for v in x[n]]
        for layer in range(1, depth + 1):
            W, b = parameters[f"W{layer}"], parameters.get(f"b{layer}")
            z = []
            for j in range(sizes[layer]):
                z.append(sum(float(W[j][i]) * below[i] for i in range(sizes[layer - 1])))
                for i in range(sizes[layer - 1]):
                    edge(("w", layer, j, i), ("z", layer, n, j), below[i], True)
                    edge(("a", layer - 1, n, i), ("z", layer, n, j), W[j][i], True)
                if b is not None:
                    z[j] += float(b[j])
                    edge(("b", layer, j), ("z", layer, n, j), 1.0)
            if activations[layer - 1] == "softmax":
                shares = [math.exp(v - max(z)) for v in z]
                below = [v / sum(shares) for v in shares]
                for i in range(sizes[layer]):
                    for j in range(sizes[layer]):
                        partial = below[i] * ((i == j) - below[j])
                        edge(("z", layer, n, j), ("a", layer, n, i), partial)
            else:
                value, slope = ACTIVATIONS[activations[layer - 1]]
                for j in range(sizes[layer]):
                    edge(("z", layer, n, j), ("a", layer, n, j), slope(z[j]))
                below = [value(v) for v in z]
        for k in range(sizes[-1]):
            edge(("a", depth, n, k), ("c", n, k), COSTS[cost](below[k], float(y[n][k])))
            edge(("c", n, k), ("C", k), 1 / len(x) if mean else 1.0)
    if l2:
        for layer in range(1, depth + 1):
            for j in range(sizes[layer]):
                for i in range(sizes[layer - 1]):
                    edge(("w", layer, j, i), ("R",), l2 * parameters[f"W{layer}"][j][i])
    return edges
