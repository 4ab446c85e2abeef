"""Gradients that are wrong in ways that no table has: nothing may be given a name."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from tests.diagnosis.mutants import VALUE, WORLDS, Mutant, Pass, World

Array = Any
Corruption = Callable[[dict[str, Array], Pass, np.random.Generator], dict[str, Array]]
CORRUPTIONS: list[Corruption] = []


def corruption(made: Corruption) -> Corruption:
    CORRUPTIONS.append(made)
    return made


def each(change: Callable[[Array, np.random.Generator], Array]) -> Corruption:
    return lambda g, p, r: {name: change(np.array(value), r) for name, value in g.items()}


def one(
    change: Callable[[Array, np.random.Generator], Array], kind: str = "W", layer: int = -1
) -> Corruption:
    """A change to the weights (or biases) of the first layer, or of the last."""

    def made(g: dict[str, Array], p: Pass, r: np.random.Generator) -> dict[str, Array]:
        name = f"{kind}{p.L if layer < 0 else layer}"
        return g | {name: change(np.array(g[name]), r)} if name in g else dict(g)

    return made


def entry(number: float) -> Callable[[Array, np.random.Generator], Array]:
    def change(value: Array, r: np.random.Generator) -> Array:
        place = r.integers(value.size)
        value.ravel()[place] = value.ravel()[place] * number + (number == 0)
        return value

    return change


def column(value: Array, r: np.random.Generator) -> Array:
    value[..., -1] = 0
    return value


ELEMENTWISE: dict[str, Callable[[Array, np.random.Generator], Array]] = {
    "noise": lambda v, r: v * r.uniform(0.5, 2, v.shape),
    "added_noise": lambda v, r: v + 0.1 * r.normal(size=v.shape) * np.abs(v).max(),
    "little_noise": lambda v, r: v * (1 + 1e-3 * r.normal(size=v.shape)),
    "signs": lambda v, r: v * r.choice([-1, 1], v.shape),
    "cubed": lambda v, r: v**3,
    "squared": lambda v, r: v**2,
    "absolute": lambda v, r: np.abs(v),
    "tanh": lambda v, r: np.tanh(v),
    "clipped": lambda v, r: np.clip(v, -0.5 * np.abs(v).max(), 0.5 * np.abs(v).max()),
    "random": lambda v, r: r.normal(size=v.shape),
    "shuffled": lambda v, r: r.permutation(v.ravel()).reshape(v.shape),
    "rolled": lambda v, r: np.roll(v, 1, axis=0) if len(v) > 2 else v * r.uniform(0.5, 2, v.shape),
    "thinned": lambda v, r: v * (r.random(v.shape) < 0.5),
    "rounded": lambda v, r: np.round(v, 1),
    "sorted": lambda v, r: np.sort(v.ravel()).reshape(v.shape),
}
for name, change in ELEMENTWISE.items():
    for where, wrap in (("all", each), ("first", lambda c: one(c, "W", 1)), ("last", one)):
        made = wrap(change)
        made.__name__ = f"{name}_{where}"
        CORRUPTIONS.append(made)
for number in (2.0, -1.0, 0.0, 1.01):
    for kind, layer in (("W", 1), ("W", -1), ("b", -1)):
        made = one(entry(number), kind, layer)
        made.__name__ = f"entry_times_{number:g}_{kind}{layer}"
        CORRUPTIONS.append(made)


@corruption
def last_column_is_zero(g, p, r):
    return one(column)(g, p, r)


@corruption
def other_weights(g, p, r):
    """The gradient at parameters that were moved: of another iteration."""
    other = Pass(p.world)
    for at in other.W:
        other.W[at] = other.W[at] * 1.1 + 0.05
    return _again(other)


@corruption
def other_data(g, p, r):
    other = Pass(p.world)
    other.X = r.normal(size=other.X.shape)
    return _again(other)


@corruption
def other_targets(g, p, r):
    other = Pass(p.world)
    other.Y = other.Y[::-1] + (0.3 if p.world.loss in ("mse", "half_mse") else 0.0)
    return _again(other)


@corruption
def fourth_power(g, p, r):
    other = Pass(p.world)
    error = other.error
    other.error = lambda: np.sign(error()) * np.abs(error()) ** 1.5
    return other.run()


@corruption
def wrong_hidden_values(g, p, r):
    other = Pass(p.world)
    other.A[1] = other.A[1] + 0.1 * r.normal(size=other.A[1].shape)
    return other.run()


@corruption
def moving_average(g, p, r):
    """Momentum: what came before is in it, from another batch."""
    before = other_data(g, p, r)
    return {name: 0.1 * value + 0.9 * before[name] for name, value in g.items()}


@corruption
def adam_step(g, p, r):
    return {name: value / (np.abs(value) + 0.01 * np.abs(value).max()) for name, value in g.items()}


@corruption
def clipped_norm_by_layer(g, p, r):
    return {
        name: value / np.linalg.norm(value) * r.uniform(0.5, 1.5) * (1 + 1e-3 * r.normal(size=value.shape))
        for name, value in g.items()
    }


def _again(p: Pass) -> dict[str, Array]:
    p.A[0] = p.X
    for at in range(1, p.L + 1):
        p.Z[at] = p.A[at - 1] @ p.W[at] + p.b[at]
        p.A[at] = VALUE[p.world.activations[at - 1]](p.Z[at])
    return p.run()


class Unknown(NamedTuple):
    """A case as :class:`tests.diagnosis.mutants.Mutant` is one."""

    name: str
    spec: Any
    params: Any
    data: Any
    loss: Any
    buggy_gradients: Any


def unknowns(worlds: tuple[World, ...] = WORLDS) -> Iterator[Unknown]:
    """Yields every corruption in every world where it changes something."""
    for world in worlds:
        for number, change in enumerate(CORRUPTIONS):
            case = Mutant(world, [])
            right = case.buggy_gradients()
            wrong = change(Pass(world).run(), Pass(world), np.random.default_rng(number))
            case._made = wrong
            made = case.buggy_gradients()
            if not all(np.allclose(made[n], right[n], rtol=1e-4, atol=1e-6) for n in right):
                name = f"{getattr(change, '__name__', '')}:{world.name}"
                yield Unknown(name, case.spec, case.params, case.data, case.loss, lambda made=made: made)
