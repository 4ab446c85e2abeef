"""A derivative by changing the quantity a little and running forward again: it knows no chain rule."""

from itertools import pairwise

import numpy as np

from whygrad.notation import Quantity
from whygrad.ops import OPS
from whygrad.run import Run

STEPS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
# How far a difference at the smallest step may be off by rounding, in parts of the value.
ROUNDING = 1e-13


def finite_difference(run: Run, of: Quantity, by: Quantity) -> float | None:
    """Returns the derivative by central differences at two step sizes, extrapolated (Richardson 1911).

    Of a few step sizes, the one is taken whose result differs least from the one before: a large step leaves the
    straight part of the function, or crosses a kink nearby, and a small one loses digits to rounding.
    An activation or a pre-activation is changed where it stands (in each example alike), and the layers after it
    follow.

    Args:
        run: The run.
        of: What is differentiated.
        by: What is changed; nothing is returned for costs and sums, which can't be.
    """
    if by.kind not in ("w", "b", "a", "z", "y"):
        return None

    size = max(1.0, abs(run.value(by)))
    widths = [width for step in STEPS for width in (step * size / 2, step * size)]
    changes = np.array([0.0, *widths, *(-width for width in widths)])
    with np.errstate(all="ignore"):
        values = _forward(run, of, by, changes)
        slopes = (values[1 : len(widths) + 1] - values[len(widths) + 1 :]) / (2 * np.array(widths))
        found = [(4 * half - whole) / 3 for half, whole in slopes.reshape(-1, 2)]
        noise = ROUNDING * abs(values[0]) / (STEPS[-1] * size)
    best = min(pairwise(found), key=_apart)[1]
    if abs(best - found[-1]) > noise:
        best = found[-1]  # the larger steps agree with each other across a kink
    return float(best) if np.isfinite(best) else None


def _apart(pair: tuple[float, float]) -> float:
    difference = abs(pair[1] - pair[0])
    return difference if np.isfinite(difference) else np.inf


def _forward(run: Run, of: Quantity, by: Quantity, changes: np.ndarray) -> np.ndarray:
    """Returns the values of ``of`` when ``by`` is changed by each of some numbers.

    Layer by layer in float64, apart from generated code; the first axis is the changes, then come the examples.
    """
    net = run.network.layered
    values = {name: np.asarray(array, dtype=np.float64) for name, array in run.network.parameters.items()}
    each = changes[:, None]
    a = np.repeat(run.x.astype(np.float64)[None], len(changes), axis=0)
    y = np.repeat(run.y.astype(np.float64)[None], len(changes), axis=0)
    if by.kind == "y":
        y[..., by.to] += each
    if (by.kind, by.layer) == ("a", 0):
        a[..., by.to] += each
    for layer, activation in enumerate(net.activations, 1):
        z = a @ values[f"W{layer}"].T + values.get(f"b{layer}", 0.0)
        if (by.kind, by.layer) == ("w", layer):
            # The one row of the product that the changed weight is in.
            weights = values[f"W{layer}"][by.to]
            row = np.repeat(weights[None], len(changes), axis=0)
            row[:, by.source] += changes
            z[..., by.to] = (
                np.einsum("cni,ci->cn", a, row) + values.get(f"b{layer}", np.zeros(len(z[0, 0])))[by.to]
            )
        if by.kind in ("b", "z") and by.layer == layer:
            z[..., by.to] += each
        if (of.kind, of.layer) == ("z", layer):
            return np.asarray(z[..., of.to].sum(axis=1))
        a = activation.op.structure.value((z,), dict(activation.settings), np)
        if (by.kind, by.layer) == ("a", layer):
            a = a.copy()
            a[..., by.to] += each
        if (of.kind, of.layer) == ("a", layer):
            return np.asarray(a[..., of.to].sum(axis=1))
    costs = OPS[net.cost].structure.value((a, y), {}, np)
    joined = costs.mean(axis=1) if net.reduction == "mean" else costs.sum(axis=1)
    squares = sum(float((values[f"W{layer}"] ** 2).sum()) for layer in range(1, net.depth + 1))
    own = values[f"W{by.layer}"][by.to, by.source] if by.kind == "w" else 0.0
    grown = (own + changes) ** 2 - own**2 if by.kind == "w" else np.zeros_like(changes)
    regular = net.l2 / 2 * (squares + grown)
    if of.kind == "C":
        return np.asarray(joined[:, of.to])
    return np.asarray(regular if of.kind == "R" else joined.sum(axis=1) + regular)
