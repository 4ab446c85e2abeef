"""The program that the engine runs for layered networks: the lines of the NumPy program, put together for speed.

Two things are done that a person would leave out. The forward pass, the costs and the backward pass are functions of
their own. And where there are more costs than neurons in a layer, the rows of the deltas below it are that layer's
neurons: J = J_above J_below is multiplied when somebody asks.
"""

from functools import lru_cache
from typing import Any, NamedTuple

from whygrad.codegen.layered import Layered, cost_code, slope_code
from whygrad.codegen.numpy_program import (
    SHARED,
    cost_lines,
    forward_lines,
    output_delta,
    output_lines,
    through_activation,
)
from whygrad.formula import numpy_names


class Plan(NamedTuple):
    """Where a backward pass goes on with a layer's identity.

    Attributes:
        narrow: Below this layer, the rows of a delta are its neurons; its own delta has a row for each cost and is
            the factor. Nothing where all deltas have a row for each cost.
        first: Between this layer, the last hidden one, and ``narrow``, the rows are the neurons of this layer: its
            own delta, e times the weights above times its slope, is never written out. Nothing where it is.
    """

    narrow: int | None = None
    first: int | None = None


def plan(net: Layered, rows: str) -> Plan:
    """Returns where the backward pass goes on with a layer's identity, for rows by ``"cost"`` or ``"example"``.

    That layer is the first from above that has fewer neurons than there are costs and whose next layer down is wider:
    from there down the costs' rows would cost more than the layer's own.
    """
    if rows != "cost":
        return Plan()
    for layer in range(net.depth - 1, 0, -1):
        if net.sizes[layer] < net.outputs and net.sizes[layer - 1] > net.sizes[layer]:
            hidden = net.depth - 1
            written_out = net.sizes[hidden] >= net.outputs or net.activations[hidden - 1].dense
            skipped = layer < hidden and net.elementwise_outputs and not written_out
            return Plan(layer, hidden if skipped else None)
    return Plan()


class Program(NamedTuple):
    """A network's program, ready to run.

    ``forward(a0, parameters…)`` returns z1, a1, z2, …; ``costs(y, a0, z1, a1, …, parameters…)`` the costs and
    ``each_cost`` those of each example; ``backward`` of the same returns e, the deltas and the slope of ``plan.first``.
    """

    forward: Any
    costs: Any
    each_cost: Any
    backward: Any
    source: str
    plan: Plan


def _backward_lines(net: Layered, rows: str, where: Plan) -> list[str]:
    last = net.depth
    lines = output_lines(net) + output_delta(net, rows)
    for layer in range(last - 1, 0, -1):
        above = layer + 1
        if layer == where.first:
            activation, slope = net.activations[layer - 1], "None"
            if not activation.trivial:
                code = slope_code(activation, "numpy", f"z{layer}", f"a{layer}")
                # broadcast: the slope may be a number, the same for all
                slope = f"np.broadcast_to(np.asarray({code}, dtype=a0.dtype), z{layer}.shape)"
            lines += [f"slope = {slope}", f"delta{layer} = None"]
            continue
        if above in where:
            # An identity's way down through W is W itself, the same for each example.
            lines.append(f"delta{layer} = np.repeat(W{above}[None], len(a0), axis=0)")
        elif above == last and net.elementwise_outputs and rows == "cost":
            lines.append(f"delta{layer} = e[:, :, None] * W{above}")
        else:
            lines.append(f"delta{layer} = sent_back(delta{above}, W{above})")
        lines.extend(through_activation(net, layer))
        if layer == where.narrow and where.first is not None:
            lines.append(f"delta{layer} = by_costs(delta{layer}, e, W{last}, slope)")
    return lines


def by_costs(delta: Any, e: Any, W: Any, slope: Any) -> Any:
    """Returns deltas with a row for each cost from ones whose rows are the neurons of the last hidden layer.

    dC^k/dz = e^k times the sum over those neurons of W[k, neuron] slope[neuron] delta[neuron]; the costs' own delta of
    that layer (examples, costs, neurons) would be larger than everything else.

    Args:
        delta: (examples, neurons of the last hidden layer, neurons of the layer below).
        e: (examples, costs).
        W: (costs, neurons of the last hidden layer).
        slope: (examples, neurons of the last hidden layer), or nothing for 1.
    """
    if slope is not None:
        delta = slope[:, :, None] * delta
    made = W @ delta
    made *= e[:, :, None]
    return made


def _source(net: Layered, rows: str, where: Plan) -> str:
    last = net.depth
    layers = range(1, last + 1)
    parameters = ", ".join(net.shapes)
    states = ", ".join(f"z{layer}, a{layer}" for layer in layers)
    diagonal = net.elementwise_outputs and rows == "cost"
    deltas = ", ".join(f"delta{layer}" for layer in layers if not (layer == last and diagonal))
    given = f"y, a0, {states}, {parameters}"
    slope = "None" if where.first is None else "slope"
    body = [
        f"def forward(a0, {parameters}):",
        *("    " + line for line in forward_lines(net)),
        f"    return ({states},)",
        "",
        f"def costs({given}):",
        *("    " + line for line in cost_lines(net)),
        "    return C",
        "",
        f"def each_cost({given}):",
        f"    return {cost_code(net, 'numpy', f'a{last}', f'z{last}', 'y')}",
        "",
        f"def backward({given}):",
        *("    " + line for line in _backward_lines(net, rows, where)),
        f"    return e, ({deltas}{',' if deltas else ''}), {slope}",
    ]
    return SHARED["sent_back"] + "\n\n" + "\n".join(body) + "\n"


@lru_cache(maxsize=64)
def program(net: Layered, rows: str = "cost") -> Program:
    """Returns the network's program with a row for each output's ``"cost"`` or for their sum (``"example"``).

    Example:
        >>> import numpy as np
        >>> from whygrad.codegen.layered import Activation
        >>> net = Layered((2, 1), (Activation("tanh"),), False, "squared_error")
        >>> made = program(net)
        >>> x, y, W1 = np.array([[0.0, 1.0]]), np.array([[0.0]]), np.array([[1.0, 0.0]])
        >>> states = made.forward(x, W1)
        >>> float(made.costs(y, x, *states, W1)[0])
        0.0
    """
    where = plan(net, rows)
    source = _source(net, rows, where)
    names: dict[str, Any] = dict(numpy_names()) | {"by_costs": by_costs}
    exec(compile(source, f"<{net.title()}>", "exec"), names)
    return Program(names["forward"], names["costs"], names["each_cost"], names["backward"], source, where)
