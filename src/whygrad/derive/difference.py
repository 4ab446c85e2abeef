"""A derivative by changing the quantity a little and running forward again: it knows no chain rule."""

import numpy as np

from whygrad.notation import Quantity
from whygrad.ops import OPS
from whygrad.run import Run

STEP = 1e-3


def finite_difference(run: Run, of: Quantity, by: Quantity, example: int | None) -> float | None:
    """Returns the derivative by central differences at two step sizes, extrapolated (Richardson 1911).

    The error is of the order of the fourth power of the step, some 1e-11 of the derivative for smooth functions.
    An activation or a pre-activation is changed where it stands, and the layers after it follow.

    Args:
        run: The run.
        of: What is differentiated.
        by: What is changed; nothing is returned for costs and sums, which can't be.
        example: One example's activations, or nothing for all examples at once.
    """
    if by.kind not in ("w", "b", "a", "z", "y"):
        return None
    step = STEP * max(1.0, abs(run.value(by, example or 0)))

    def slope(width: float) -> float:
        return (_forward(run, of, by, example, width) - _forward(run, of, by, example, -width)) / (2 * width)

    with np.errstate(all="ignore"):
        made = (4 * slope(step / 2) - slope(step)) / 3
    return made if np.isfinite(made) else None


def _forward(run: Run, of: Quantity, by: Quantity, example: int | None, change: float) -> float:
    """Returns the value of ``of`` when ``by`` is changed; layer by layer in float64, apart from generated code."""
    net = run.network.layered
    rows = slice(None) if example is None else slice(example, example + 1)
    values = {name: np.array(array, dtype=np.float64) for name, array in run.network.parameters.items()}
    if by.kind == "w":
        values[f"W{by.layer}"][by.to, by.source] += change
    elif by.kind == "b":
        values[f"b{by.layer}"][by.to] += change
    a, y = run.x.astype(np.float64), run.y.astype(np.float64)
    if by.kind == "y":
        y[rows, by.to] += change
    if (by.kind, by.layer) == ("a", 0):
        a[rows, by.to] += change
    for layer, activation in enumerate(net.activations, 1):
        z = a @ values[f"W{layer}"].T + values.get(f"b{layer}", 0.0)
        if (by.kind, by.layer) == ("z", layer):
            z[rows, by.to] += change
        if (of.kind, of.layer) == ("z", layer):
            return float(z[rows, of.to].sum())
        a = activation.op.structure.value((z,), dict(activation.settings), np)
        if (by.kind, by.layer) == ("a", layer):
            a = a.copy()
            a[rows, by.to] += change
        if (of.kind, of.layer) == ("a", layer):
            return float(a[rows, of.to].sum())
    costs = OPS[net.cost].structure.value((a, y), {}, np)
    joined = costs.mean(axis=0) if net.reduction == "mean" else costs.sum(axis=0)
    regular = net.l2 / 2 * sum(float((values[f"W{layer}"] ** 2).sum()) for layer in range(1, net.depth + 1))
    if of.kind == "C":
        return float(joined[of.to])
    return regular if of.kind == "R" else float(joined.sum()) + regular
