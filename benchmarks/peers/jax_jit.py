"""JAX: `jacrev` and `vmap`, compiled; parameters and data are arguments, so that nothing is folded away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.measure import Call
from benchmarks.peers import Contestant
from benchmarks.workloads import Problem

jax.config.update("jax_enable_x64", True)  # float32 arrays stay float32

VALUES: dict[str, Callable[[Any], Any]] = {
    "identity": lambda z: z,
    "relu": jax.nn.relu,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
}


def _outputs(problem: Problem, parameters: dict[str, Any], x: Any, nudges: tuple[Any, ...] = ()) -> Any:
    """The outputs for one example or many; `nudges` are added to the hidden pre-activations."""
    activation = x
    for layer, name in zip(problem.layers, problem.activations, strict=True):
        z = activation @ parameters[f"W{layer}"].T
        if problem.bias:
            z = z + parameters[f"b{layer}"]
        if layer <= len(nudges):
            z = z + nudges[layer - 1]
        activation = VALUES[name](z)
    return activation


def _compiled(
    problem: Problem, function: Callable[..., Any], numbers: Callable[[Any], dict[str, Any]]
) -> Call:
    """`function(parameters, x, y)`, compiled; a call waits until its result is there."""
    data = problem.data()
    arguments = (
        {name: jnp.asarray(value) for name, value in data.parameters.items()},
        jnp.asarray(data.x),
        jnp.asarray(data.y),
    )
    jitted = jax.jit(function)
    return Call(lambda _: jax.block_until_ready(jitted(*arguments)), numbers)


def _jacobian(problem: Problem) -> Callable[..., Any]:
    def costs(parameters: dict[str, Any], x: Any, y: Any) -> Any:
        return jnp.square(_outputs(problem, parameters, x) - y).sum(axis=0)

    return jax.jacrev(costs)


def _gramian_of_rows(jacobian: dict[str, Any]) -> Any:
    flat = [rows.reshape(rows.shape[0], -1) for rows in jacobian.values()]
    return sum(rows @ rows.T for rows in flat)


def _gradients(problem: Problem) -> Call:
    return _compiled(
        problem,
        _jacobian(problem),
        lambda result: {name: np.asarray(value) for name, value in result.items()},
    )


def _gramian(problem: Problem) -> Call:
    jacobian = _jacobian(problem)
    return _compiled(
        problem,
        lambda parameters, x, y: _gramian_of_rows(jacobian(parameters, x, y)),
        lambda result: {"Gramian": np.asarray(result)},
    )


def _example_gramian(problem: Problem) -> Call:
    def cost(parameters: dict[str, Any], x: Any, y: Any) -> Any:
        return jnp.square(_outputs(problem, parameters, x) - y).sum()

    per_example = jax.vmap(jax.grad(cost), in_axes=(None, 0, 0))
    return _compiled(
        problem,
        lambda parameters, x, y: _gramian_of_rows(per_example(parameters, x, y)),
        lambda result: {"Gramian": np.asarray(result)},
    )


def _cotangents(problem: Problem) -> Call:
    nudges = tuple(jnp.zeros(problem.sizes[layer], problem.dtype) for layer in problem.layers[:-1])

    def costs(nudges: tuple[Any, ...], parameters: dict[str, Any], x: Any, y: Any) -> Any:
        return jnp.square(_outputs(problem, parameters, x, nudges) - y)

    jacobian = jax.vmap(jax.jacrev(costs), in_axes=(None, None, 0, 0))
    return _compiled(
        problem,
        lambda parameters, x, y: jacobian(nudges, parameters, x, y),
        lambda result: {f"z{layer}": np.asarray(part) for layer, part in enumerate(result, start=1)},
    )


def _input_jacobian(problem: Problem) -> Call:
    def costs(x: Any, parameters: dict[str, Any], y: Any) -> Any:
        return jnp.square(_outputs(problem, parameters, x) - y)

    jacobian = jax.vmap(jax.jacrev(costs), in_axes=(0, None, 0))
    return _compiled(
        problem,
        lambda parameters, x, y: jacobian(x, parameters, y),
        lambda result: {"x": np.asarray(result)},
    )


CONTESTANTS = (
    Contestant("JAX jit", "gradients", _gradients),
    Contestant("JAX jit", "gramian", _gramian),
    Contestant("JAX jit", "example_gramian", _example_gramian),
    Contestant("JAX jit", "cotangents", _cotangents),
    Contestant("JAX jit", "input_jacobian", _input_jacobian),
)
