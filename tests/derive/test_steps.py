"""Every line of every step, read as arithmetic with PyTorch's numbers: both sides of every equals sign agree."""

import math
import random
from functools import partial
from typing import Any

import numpy as np
import pytest

import whygrad as wg
from tests.derive.arithmetic import Names, fractions, sides, sizes
from tests.derive.oracle import ACTIVATIONS, COSTS, Oracle
from whygrad.notation import NOTATIONS, Quantity
from whygrad.notation.quantity import quantities

DENSE_ENDS = {"cross_entropy": ("softmax", "sigmoid"), "binary_cross_entropy": ("sigmoid",)}


def options(draw: random.Random, notation: str) -> tuple[list[int], dict[str, Any]]:
    depth = draw.randint(1, 4)
    cost = draw.choice(list(COSTS))
    activation = [draw.choice(list(ACTIVATIONS)) for _ in range(depth)]
    activation[-1] = draw.choice(DENSE_ENDS.get(cost, list(ACTIVATIONS)))
    return [draw.randint(1, 4) for _ in range(depth + 1)], {
        "activation": activation,
        "bias": draw.random() < 0.5,
        "cost": cost,
        "l2": draw.choice([0.0, 0.1]),
        "reduction": draw.choice(["sum", "mean"]),
        "notation": notation,
    }


def asked(draw: random.Random, run: Any) -> tuple[Quantity, Quantity]:
    every = list(quantities(run.network.layout))
    ends = [q for q in every if q.kind in ("C", "R", "total")]
    if run.examples == 1:
        ends += [q for q in every if q.kind in ("a", "z") and q.layer]
    starts = [q for q in every if q.kind not in ("total", "C", "R", "delta")]
    return draw.choice(ends), draw.choice(starts)


def names_of(run: Any, oracle: Oracle, parts: list[float], of: Quantity, by: Quantity, example: int) -> Names:
    """Returns what each name in a derivation stands for: quantities, derivatives, slopes and parts."""
    net, layout = run.network, run.network.layout
    every = [q for q in quantities(layout) if q.kind != "delta"]
    numbers: dict[str, Any] = {}
    for q in every:
        numbers[net.name(q)] = lambda q=q: oracle.value(q, example)
    ends = {of, *(q for q in every if q.kind in ("a", "z", "C", "R", "total"))}
    for end in ends:
        for q in every:
            number = partial(oracle.derivative, end, q, example)
            for text in fractions(net.name(end), net.name(q)):
                numbers[text] = number
            numbers[net.notation.derivative_text(end, q, layout)] = number
    for layer, activation in enumerate(net.layered.activations, 1):
        for j in range(net.layered.sizes[layer]):
            z, a = Quantity("z", layer, j), Quantity("a", layer, j)
            numbers[f"{activation.name}'({net.name(z)})"] = lambda a=a, z=z: oracle.derivative(a, z, example)
    if len(parts) > 1 and by.kind in ("a", "z", "y"):
        # With several examples, what each of them has is changed in all of them.
        for text in (*fractions(net.name(of), net.name(by)), net.notation.derivative_text(of, by, layout)):
            numbers[text] = lambda: sum(parts)
    for n, part in enumerate(parts):
        numbers[f"part_{n}"] = lambda part=part: part
    return Names(numbers)


def check_lines(derivation: Any, names: Names) -> int:
    """Asserts that all sides of all lines agree to the six digits that are written; returns how many did."""
    checked = 0
    for step in derivation.steps:
        value = math.nan
        for line in step.lines:
            written = sides(line.math.ascii)
            if written[0]:
                value = names.evaluated(written[0])
            for side in written[1:]:
                if "..." in side:
                    continue
                found = names.evaluated(side)
                # Each number has six digits, so that a product of a few is off by some millionths of itself.
                numbers = [1e-3, abs(value), *sizes(side)]
                scale = max(a * b for a in numbers for b in [1.0, *numbers])
                assert found == pytest.approx(value, abs=1e-5 * scale), (line.math.ascii, side)
                checked += 1
            if line.value is not None:
                assert line.value == pytest.approx(value, rel=1e-9, abs=1e-12), line.math.ascii
    return checked


def explained(seed: int, notation: str) -> tuple[Any, Oracle, Any, list[float], Quantity, Quantity]:
    draw = random.Random(seed)
    neurons, chosen = options(draw, notation)
    net = wg.Network(neurons, seed=seed, **chosen)
    generator = np.random.default_rng(seed)
    examples = draw.choice([1, 1, 3, 8])
    x = generator.normal(size=(examples, neurons[0]))
    y = generator.uniform(size=(examples, neurons[-1]))
    run = net.run(x, y)
    of, by = asked(draw, run)
    derivation = run.explain(by, of=of)
    oracle = Oracle(net.parameters, chosen, x, y)
    parts = []
    for n in range(examples):
        alone = Oracle(net.parameters, chosen | {"l2": 0.0}, x[n : n + 1], y[n : n + 1])
        scale = 1 / examples if chosen["reduction"] == "mean" else 1.0
        parts.append(alone.derivative(of, by) * scale)
    return run, oracle, derivation, parts, of, by


@pytest.mark.parametrize("notation", NOTATIONS)
@pytest.mark.parametrize("seed", range(6))
def test_both_sides_of_every_line_agree(notation: str, seed: int) -> None:
    run, oracle, derivation, parts, of, by = explained(1000 * seed + len(notation), notation)
    shown = int(np.argmax(np.abs(parts))) if derivation.examples else 0
    names = names_of(run, oracle, parts, of, by, shown)
    checked = check_lines(derivation, names)
    assert checked or not derivation.steps or of == by


@pytest.mark.parametrize("seed", range(40))
def test_the_examples_parts_add_up(seed: int) -> None:
    _, oracle, derivation, parts, of, by = explained(seed, "neuron-over-layer")
    if not derivation.examples:
        pytest.skip("one example")
    assert [part for _, part in derivation.examples] == pytest.approx(parts, abs=1e-12)
    rest = oracle.derivative(Quantity("R"), by) if of.kind == "total" else 0.0
    assert derivation.value == pytest.approx(sum(parts) + rest, abs=1e-12)
