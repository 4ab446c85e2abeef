"""Derivatives by changing quantities a little and running forward again: they know no chain rule."""

from collections.abc import Sequence

import numpy as np

from whygrad.notation import Quantity
from whygrad.ops import OPS
from whygrad.run import Run

STEPS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
# How far a difference at the smallest step may be off by rounding, in parts of the value.
ROUNDING = 1e-13
# So many numbers of a layer are changed at once.
AT_ONCE = 2_000_000


def finite_difference(run: Run, of: Quantity, by: Quantity) -> float | None:
    """Returns the derivative of one quantity by another: see :func:`finite_differences`.

    Args:
        run: The run.
        of: What is differentiated.
        by: What is changed; nothing is returned for costs and sums, which can't be.
    """
    if by.kind not in ("w", "b", "a", "z", "y"):
        return None
    found = float(finite_differences(run, (of,), (by,))[0, 0])
    return found if np.isfinite(found) else None


def finite_differences(run: Run, of: Sequence[Quantity], by: Sequence[Quantity]) -> np.ndarray:
    """Returns derivatives by central differences at two step sizes, extrapolated (Richardson 1911): (by, of).

    Of a few step sizes, the one is taken whose result differs least from the one before: a large step leaves the
    straight part of the function, or crosses a kink nearby, and a small one loses digits to rounding.
    An activation or a pre-activation is changed where it stands (in each example alike), and the layers after it
    follow.

    Args:
        run: The run.
        of: What is differentiated: costs and the total, or neurons of one layer.
        by: What is changed: weights, or biases, … of one layer.
    """
    net = run.network.layered
    many = max(1, AT_ONCE // (4 * len(STEPS) * run.examples * max(net.sizes)))
    parts = [_differences(run, of, by[start : start + many]) for start in range(0, len(by), many)]
    return np.concatenate(parts)


def _differences(run: Run, of: Sequence[Quantity], by: Sequence[Quantity]) -> np.ndarray:
    sizes = np.maximum(1.0, np.abs([run.value(q) for q in by]))
    steps = np.ravel(np.multiply.outer(STEPS, (0.5, 1.0)))
    widths = np.multiply.outer(sizes, steps)
    changes = np.concatenate([np.zeros((len(by), 1)), widths, -widths], axis=1)
    with np.errstate(all="ignore"):
        values = _forward(run, of, by, changes)
        up, down = values[:, 1 : len(steps) + 1], values[:, len(steps) + 1 :]
        slopes = ((up - down) / (2 * widths)[:, :, None]).reshape(len(by), len(STEPS), 2, len(of))
        found = (4 * slopes[:, :, 0] - slopes[:, :, 1]) / 3
        noise = ROUNDING * np.abs(values[:, 0]) / (STEPS[-1] * sizes)[:, None]
        apart = np.abs(np.diff(found, axis=1))
        nearest = np.where(np.isfinite(apart), apart, np.inf).argmin(axis=1)
        best = np.take_along_axis(found, nearest[:, None] + 1, axis=1)[:, 0]
        # The larger steps may agree with each other across a kink.
        return np.asarray(np.where(np.abs(best - found[:, -1]) > noise, found[:, -1], best))


def _forward(run: Run, of: Sequence[Quantity], by: Sequence[Quantity], changes: np.ndarray) -> np.ndarray:
    """Returns the values of all ``of`` when each of ``by`` is changed by each of its numbers: (by, changes, of).

    Layer by layer in float64, apart from generated code; the first axes are what is changed and its changes, then
    come the examples.
    """
    net = run.network.layered
    values = {name: np.asarray(array, dtype=np.float64) for name, array in run.network.parameters.items()}
    kind, place = by[0].kind, by[0].layer
    each = np.arange(len(by))
    to = np.array([int(q.to or 0) for q in by])
    source = np.array([int(q.source or 0) for q in by])
    # What lies before the change is the same for all of them.
    a: np.ndarray = run.x.astype(np.float64)[None, None]
    y: np.ndarray = run.y.astype(np.float64)[None, None]

    def changed(values: np.ndarray) -> np.ndarray:
        made = np.empty((*changes.shape, *values.shape[-2:]))
        made[:] = values
        made[each, :, :, to] += changes[:, :, None]
        return made

    if kind == "y":
        y = changed(y)
    if (kind, place) == ("a", 0):
        a = changed(a)
    for layer, activation in enumerate(net.activations, 1):
        z = a @ values[f"W{layer}"].T + values.get(f"b{layer}", 0.0)
        if (kind, place) == ("w", layer):
            # The one row of the product that the changed weight is in.
            rows = np.repeat(values[f"W{layer}"][to][:, None], changes.shape[1], axis=1)
            rows[each, :, source] += changes
            made = np.empty((*changes.shape, *z.shape[-2:]))
            made[:] = z
            bias = values.get(f"b{layer}", np.zeros(net.sizes[layer]))[to]
            made[each, :, :, to] = np.einsum("ni,mci->mcn", a[0, 0], rows) + bias[:, None, None]
            z = made
        if kind in ("b", "z") and place == layer:
            z = changed(z)
        if (of[0].kind, of[0].layer) == ("z", layer):
            return _picked(z, of, changes)
        a = activation.op.structure.value((z,), dict(activation.settings), np)
        if (kind, place) == ("a", layer):
            a = changed(a)
        if (of[0].kind, of[0].layer) == ("a", layer):
            return _picked(a, of, changes)
    costs = OPS[net.cost].structure.value((a, y), {}, np)
    joined = costs.mean(axis=2) if net.reduction == "mean" else costs.sum(axis=2)
    grown = np.zeros_like(changes)
    if kind == "w":
        own = values[f"W{place}"][to, source][:, None]
        grown = (own + changes) ** 2 - own**2
    squares = sum(float((values[f"W{layer}"] ** 2).sum()) for layer in range(1, net.depth + 1))
    return _of_costs(of, joined, net.l2 / 2 * (squares + grown))


def _of_costs(of: Sequence[Quantity], joined: np.ndarray, regular: np.ndarray) -> np.ndarray:
    """Returns costs, R and the total, from each output's cost (by, changes, outputs) and R (by, changes)."""
    made = np.empty((*regular.shape, len(of)))
    for column, q in enumerate(of):
        if q.kind == "C":
            made[..., column] = joined[..., int(q.to or 0)]
        else:
            made[..., column] = regular if q.kind == "R" else joined.sum(axis=2) + regular
    return made


def _picked(values: np.ndarray, of: Sequence[Quantity], changes: np.ndarray) -> np.ndarray:
    """Returns neurons of a layer, added up over the examples."""
    summed = values[..., [int(q.to or 0) for q in of]].sum(axis=2)
    return np.broadcast_to(summed, (*changes.shape, len(of)))
