"""Gradients as people hand them in: mappings of arrays, tensors or lists, files, layouts, and the type's precision."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from whygrad.arrays import Array
from whygrad.codegen.layered import Layered
from whygrad.errors import NotSupportedError, ShapeError

LAYOUTS = {
    "to-from": "rows are where a weight goes to, as PyTorch has it",
    "from-to": "rows are where a weight comes from, as in a @ W",
    "to-from+bias": "the bias is the last column",
    "bias+to-from": "the bias is the first column",
    "from-to+bias": "the bias is the last row",
    "bias+from-to": "the bias is the first row",
}


class Handed(NamedTuple):
    """Gradients in the network's layout.

    Attributes:
        arrays: Those whose shapes fit, in float64.
        misfits: Those whose shapes don't fit, as they were given.
        missing: Parameters without a gradient.
        eps: The spacing at 1 of the type that they were computed in.
    """

    arrays: dict[str, Array]
    misfits: dict[str, Array]
    missing: tuple[str, ...]
    eps: float


def array_of(name: str, given: Any) -> Array:
    """Returns what was given as an array: a NumPy array, a PyTorch tensor, a list or a number.

    Raises:
        ShapeError: It isn't a rectangle of real numbers.
    """
    if hasattr(given, "detach"):
        given = given.detach()
        given = given.cpu() if hasattr(given, "cpu") else given
        if "bfloat16" in str(given.dtype):
            given = given.float()
        given = given.numpy()
    try:
        found = np.asarray(given)
    except ValueError as error:
        raise ShapeError(f"{name}: expected a rectangle of numbers; {error}") from None
    if found.dtype.kind not in "fiub":
        raise ShapeError(
            f"{name}: expected real numbers, found an array of type {found.dtype}; give gradients[{name!r}] an array"
        )
    return found


def arrays_of(gradients: Any) -> dict[str, Array]:
    """Returns a mapping's or a file's arrays by name.

    Raises:
        ShapeError: It is no mapping, or an entry is no array.
        NetworkFileError: The file can't be read.
    """
    if isinstance(gradients, (str, Path)):
        from whygrad.files import read_arrays

        gradients = read_arrays(Path(gradients))
    if not isinstance(gradients, Mapping):
        raise ShapeError(
            f"gradients: expected a mapping such as {{'W1': dW1, ...}} or a file, found {type(gradients).__name__}"
        )
    return {str(name): array_of(str(name), value) for name, value in gradients.items()}


def precision(arrays: Mapping[str, Array]) -> float:
    """Returns the spacing at 1 of the coarsest type among the arrays."""
    floats = [array for array in arrays.values() if array.dtype.kind == "f"]
    return max((float(np.finfo(array.dtype).eps) for array in floats), default=float(np.finfo(float).eps))


def widened(arrays: Mapping[str, Array], right: Mapping[str, Array], eps: float) -> float:
    """Returns the spacing at 1 of the type that numbers have gone through, or the spacing that they have.

    Numbers that were computed in a coarser type stay numbers of that type when they are widened. That says something
    only where there are several of them, and where the right ones are not such numbers anyway, as 2 or 0.5 are.
    """
    entries = np.concatenate([array.ravel() for array in arrays.values()]) if arrays else np.zeros(0)
    wanted = np.concatenate([right[name].ravel() for name in arrays]) if arrays else np.zeros(0)
    if len(np.unique(entries[entries != 0])) < 4 or 2 * np.count_nonzero(entries) < len(entries):
        return eps
    with np.errstate(over="ignore", invalid="ignore"):
        for coarse, rounded in _ROUNDED.items():
            if coarse <= eps or not np.array_equal(entries, rounded(entries)):
                continue
            moved = np.abs(rounded(wanted) - wanted) > 1e-10 * np.abs(wanted)
            if np.count_nonzero(moved) >= 4:
                return coarse
    return eps


def rounded_throughout(arrays: Mapping[str, Array], right: Mapping[str, Array]) -> bool:
    """Whether gradients are off nearly everywhere, as rounding on the way makes them; a mistake leaves some exact."""
    given = np.concatenate([array.ravel() for array in arrays.values()])
    wanted = np.concatenate([right[name].ravel() for name in arrays])
    live = wanted != 0
    off = np.abs(given - wanted)[live] > 1e-12 * np.abs(wanted[live])
    return 2 * int(np.count_nonzero(off)) >= max(1, int(np.count_nonzero(live)))


def _bfloat16(array: Array) -> Array:
    return (np.ascontiguousarray(array, np.float32).view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)


#: The types that numbers may have gone through, the coarsest first: their spacing at 1, and how they round.
_ROUNDED: dict[float, Callable[[Array], Array]] = {
    2.0**-7: _bfloat16,
    2.0**-10: lambda array: array.astype(np.float16),
    2.0**-23: lambda array: array.astype(np.float32),
}


def _canonical(name: str, shapes: Mapping[str, tuple[int, ...]]) -> str | None:
    stripped = name
    for prefix in ("d_", "grad_", "d"):
        if stripped not in shapes and stripped.startswith(prefix):
            stripped = stripped[len(prefix) :]
    for suffix in (".grad", "_grad"):
        stripped = stripped.removesuffix(suffix)
    return stripped if stripped in shapes else None


def handed(gradients: Any, net: Layered, layout: str = "to-from") -> Handed:
    """Returns gradients in the network's layout, sorted by whether their shapes fit.

    Raises:
        ShapeError: A name or a value can't be used; nothing is judged.
        NotSupportedError: There is no such layout.
    """
    if layout not in LAYOUTS:
        listed = "; ".join(f"{name!r} ({says})" for name, says in LAYOUTS.items())
        raise NotSupportedError(f"layout: expected one of {listed}, found {layout!r}")
    found = arrays_of(gradients)
    eps = precision(found)
    shapes = net.shapes
    named: dict[str, Array] = {}
    for name, array in found.items():
        canonical = _canonical(name, shapes)
        if canonical is None:
            hint = " (the network has bias = false)" if name.lstrip("d")[:1] == "b" and not net.bias else ""
            raise ShapeError(f"gradients: expected {', '.join(shapes)}, found {name!r}{hint}")
        named[canonical] = array
    if not named:
        raise ShapeError(f"gradients: expected {', '.join(shapes)}, found none")
    if "bias" in layout:
        named = _split(named, net, layout)
    arrays: dict[str, Array] = {}
    misfits: dict[str, Array] = {}
    for name in shapes:
        if name not in named:
            continue
        array = named[name]
        if name[0] == "W" and "from-to" in layout and array.ndim == 2 and "bias" not in layout:
            array = array.T
        if name[0] == "b" and array.size == shapes[name][0] and array.ndim == 2 and 1 in array.shape:
            array = array.ravel()
        if array.shape == shapes[name]:
            arrays[name] = np.asarray(array, float)
        else:
            misfits[name] = np.asarray(array, float)
    missing = tuple(name for name in shapes if name not in named)
    return Handed(arrays, misfits, missing, eps)


def _split(named: dict[str, Array], net: Layered, layout: str) -> dict[str, Array]:
    """Returns weights and biases of augmented matrices, the weights with rows where they go to."""
    if not net.bias:
        raise ShapeError(f"layout: {layout!r} has biases, but the network has bias = false")
    made: dict[str, Array] = {}
    for name, array in named.items():
        if name[0] == "b":
            raise ShapeError(f"{name}: with layout={layout!r} the biases are expected in W, found both")
        to, source = net.shapes[name]
        turned = array.T if "from-to" in layout else array
        if turned.shape != (to, source + 1):
            expected = (source + 1, to) if "from-to" in layout else (to, source + 1)
            raise ShapeError(
                f"{name}: expected the shape {expected} with layout={layout!r}, found {array.shape}"
            )
        first = layout.startswith("bias")
        made[name] = turned[:, 1:] if first else turned[:, :-1]
        made[f"b{name[1:]}"] = turned[:, 0] if first else turned[:, -1]
    return made
