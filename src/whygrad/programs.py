"""A run's network as a program in one of three styles: one entry in :data:`STYLES` for each."""

from collections.abc import Callable

from whygrad.codegen import numpy_program, scalar_program, torch_program
from whygrad.errors import NotSupportedError, ShapeError
from whygrad.notation import Quantity
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
    layout = net.layout
    names: dict[str, float] = {}

    def name(q: Quantity) -> str:
        return net.notation.code(q, layout)

    for i in range(net.layered.sizes[0]):
        names[name(Quantity("a", 0, i))] = float(run.x[0, i])
    for k in range(net.layered.outputs):
        names[name(Quantity("y", None, k))] = float(run.y[0, k])
    for parameter, array in net.parameters.items():
        layer = int(parameter[1:])
        if parameter[0] == "W":
            for j in range(array.shape[0]):
                for i in range(array.shape[1]):
                    names[name(Quantity("w", layer, j, i))] = float(array[j, i])
        else:
            for j, value in enumerate(array.tolist()):
                names[name(Quantity("b", layer, j))] = float(value)
    return scalar_program.written(net.layered, name, names)


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
    if style not in STYLES:
        raise NotSupportedError(f"code: expected one of {', '.join(STYLES)}, found {style!r}")
    return STYLES[style](run)
