"""A run's network as a program in one of three styles: one entry in :data:`STYLES` for each."""

import builtins
from collections.abc import Callable

import numpy as np

from whygrad.codegen import numpy_program, scalar_program, torch_program
from whygrad.errors import ShapeError, need_known
from whygrad.formula import SCALAR_NAMES
from whygrad.network import Network
from whygrad.notation import Quantity
from whygrad.notation.quantity import quantities
from whygrad.run import Run

# Up to so many numbers stand in a program; above, it draws random ones.
LITERAL_UP_TO = 400
SCALAR_UP_TO = 5000


def _numpy(run: Run) -> str:
    net = run.network
    return numpy_program.written(net.layered, net.parameters, run.x, run.y, _literal(run))


def _torch(run: Run) -> str:
    net = run.network
    return torch_program.written(net.layered, net.parameters, run.x, run.y, _literal(run))


def _literal(run: Run) -> bool:
    return bool(
        sum(array.size for array in (*run.network.parameters.values(), run.x, run.y)) <= LITERAL_UP_TO
    )


def _scalar(run: Run) -> str:
    net = run.network
    lines = sum(array.size for array in net.parameters.values()) * net.layered.outputs
    if lines > SCALAR_UP_TO:
        raise ShapeError(
            f"code: scalar lines for {net.layered.title()} would be {lines:,} derivatives long; "
            f"expected at most {SCALAR_UP_TO:,}: try --style numpy"
        )
    if run.examples > 1:
        run = run.example(0)
    name = _identifiers(net).__getitem__
    names: dict[str, float] = {}
    for i in range(net.layered.sizes[0]):
        names[name(Quantity("a", 0, i))] = float(run.x[0, i])
    for k in range(net.layered.outputs):
        names[name(Quantity("y", None, k))] = float(run.y[0, k])
    for parameter, array in net.parameters.items():
        kind, layer = parameter[0].lower(), int(parameter[1:])
        for place, value in np.ndenumerate(array):
            names[name(Quantity(kind, layer, *place))] = float(value)
    return scalar_program.written(net.layered, name, names)


def _identifiers(net: Network) -> dict[Quantity, str]:
    """Returns an identifier for each quantity, apart from the functions that the program calls."""
    made: dict[Quantity, str] = {}
    taken = {*dir(builtins), *SCALAR_NAMES}
    taken |= {f"{kind}_{layer}" for kind in ("top", "whole") for layer in range(1, net.layered.depth + 1)}
    for q in quantities(net.layout):
        made[q] = net.notation.code(q, net.layout)
        while made[q] in taken:
            made[q] += "_"
        taken.add(made[q])
    return made


STYLES: dict[str, Callable[[Run], str]] = {"numpy": _numpy, "scalar": _scalar, "pytorch": _torch}


def program_text(run: Run, style: str) -> str:
    """Returns the network's forward pass and all gradients as a program that runs by itself.

    Args:
        run: The run whose numbers stand in the program (where there are few enough).
        style: A name in :data:`STYLES`.

    Raises:
        NotSupportedError: There is no such style.
        ShapeError: The network is too large for scalar lines.
    """
    need_known("code", style, STYLES)
    return STYLES[style](run)
