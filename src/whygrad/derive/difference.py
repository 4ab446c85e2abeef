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

    def slope(width: float) -> float:
        return (_forward(run, of, by, width) - _forward(run, of, by, -width)) / (2 * width)

    size = max(1.0, abs(run.value(by)))
    with np.errstate(all="ignore"):
        found = [(4 * slope(step * size / 2) - slope(step * size)) / 3 for step in STEPS]
        noise = ROUNDING * abs(_forward(run, of, by, 0.0)) / (STEPS[-1] * size)
    best = min(pairwise(found), key=_apart)[1]
    if abs(best - found[-1]) > noise:
        best = found[-1]  # the larger steps agree with each other across a kink
    return float(best) if np.isfinite(best) else None


def _apart(pair: tuple[float, float]) -> float:
    difference = abs(pair[1] - pair[0])
    return difference if np.isfinite(difference) else np.inf


def _forward(run: Run, of: Quantity, by: Quantity, change: float) -> float:
    """Returns the value of ``of`` when ``by`` is changed; layer by layer in float64, apart from generated code."""
    net = run.network.layered
    values = {name: np.asarray(array, dtype=np.float64) for name, array in run.network.parameters.items()}
    if by.kind in ("w", "b"):
        name = f"{'W' if by.kind == 'w' else 'b'}{by.layer}"
        values[name] = values[name].copy()
        values[name][(by.to, by.source) if by.kind == "w" else by.to] += change
    a, y = run.x.astype(np.float64), run.y.astype(np.float64)
    if by.kind == "y":
        y[:, by.to] += change
    if (by.kind, by.layer) == ("a", 0):
        a[:, by.to] += change
    for layer, activation in enumerate(net.activations, 1):
        z = a @ values[f"W{layer}"].T + values.get(f"b{layer}", 0.0)
        if (by.kind, by.layer) == ("z", layer):
            z[:, by.to] += change
        if (of.kind, of.layer) == ("z", layer):
            return float(z[:, of.to].sum())
        a = activation.op.structure.value((z,), dict(activation.settings), np)
        if (by.kind, by.layer) == ("a", layer):
            a = a.copy()
            a[:, by.to] += change
        if (of.kind, of.layer) == ("a", layer):
            return float(a[:, of.to].sum())
    costs = OPS[net.cost].structure.value((a, y), {}, np)
    joined = costs.mean(axis=0) if net.reduction == "mean" else costs.sum(axis=0)
    regular = net.l2 / 2 * sum(float((values[f"W{layer}"] ** 2).sum()) for layer in range(1, net.depth + 1))
    if of.kind == "C":
        return float(joined[of.to])
    return regular if of.kind == "R" else float(joined.sum()) + regular
