"""A person's own functions: called in the way they want to be called, written down, or differenced."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import partial
from typing import Any

import numpy as np

from whygrad.arrays import Array
from whygrad.diagnosis.handed import array_of
from whygrad.diagnosis.tape import Tape
from whygrad.diagnosis.traced import held
from whygrad.diagnosis.traced_run import traced_run
from whygrad.errors import ShapeError


class Functions:
    """A forward and a backward function with their parameters and data, called the way they want to be called.

    Args:
        forward: ``forward(params, *data)``, ``forward(params, data)`` or ``forward(params)``; returns the cost.
        backward: Likewise; returns a mapping from the parameters' names to their gradients.
        params: Names and arrays.
        data: Arrays, the examples first.
    """

    def __init__(self, forward: Any, backward: Any, params: Mapping[str, Any], data: Any) -> None:
        self.forward, self.backward = forward, backward
        self.params = {
            str(name): np.array(array_of(str(name), value), float) for name, value in params.items()
        }
        if not self.params:
            raise ShapeError("params: expected a mapping of names and arrays, found none")
        self.data = tuple(data) if isinstance(data, (tuple, list)) else (data,) if data is not None else ()
        self.takes_data = (
            _takes(forward, len(self.data)) != "params" and _takes(backward, len(self.data)) != "params"
        )

    def called(self, function: Callable[..., Any], params: Any, data: Sequence[Any]) -> Any:
        """Returns what a function makes of parameters and data."""
        how = _takes(function, len(data))
        if how == "params":
            return function(params)
        return function(params, *data) if how == "spread" else function(params, tuple(data))

    def cost(self, params: Any, data: Sequence[Any] | None = None) -> Any:
        """Returns the cost."""
        return self.called(self.forward, params, self.data if data is None else data)

    def gradients(self, data: Sequence[Any] | None = None) -> dict[str, Array]:
        """Returns the person's gradients, on a copy of the parameters.

        Raises:
            ShapeError: What comes back is no mapping of arrays, or a name isn't a parameter's.
        """
        copied = {name: value.copy() for name, value in self.params.items()}
        found = self.called(self.backward, copied, self.data if data is None else data)
        if not isinstance(found, Mapping):
            raise ShapeError(f"backward: expected a mapping of gradients, found {type(found).__name__}")
        unknown = [name for name in found if str(name) not in self.params]
        if unknown:
            raise ShapeError(
                f"backward: expected gradients of {', '.join(self.params)}, found {', '.join(map(str, unknown))}"
            )
        # A buffer that is handed out again and added to later must not change what was read.
        return {str(name): np.array(array_of(str(name), value)) for name, value in found.items()}

    def examples(self) -> int:
        """Returns how many examples there are: the length that all arrays of the data share; 1 where they don't."""
        lengths = {np.shape(array)[0] for array in self.data if np.ndim(array)}
        return lengths.pop() if len(lengths) == 1 else 1

    def part(self, chosen: slice) -> tuple[Any, ...]:
        """Returns the data of some examples."""
        return tuple(array[chosen] if np.ndim(array) else array for array in self.data)

    def on(self, data: Sequence[Any]) -> "Functions":
        """Returns the same functions with copies of the parameters and with other data."""
        made = copy(self)
        made.params = {name: value.copy() for name, value in self.params.items()}
        made.data = tuple(data)
        return made

    def taped(
        self, data: Sequence[Any] | None = None, params: Mapping[str, Array] | None = None
    ) -> Tape | None:
        """Returns the tape of the cost, or nothing where it can't be written down.

        Args:
            data: Other data than the functions' own.
            params: Other parameters.
        """
        arrays = tuple(held(array) for array in (self.data if data is None else data))
        at = self.params if params is None else params
        try:
            return traced_run(
                lambda p: self.cost(p, arrays), {name: value.copy() for name, value in at.items()}
            )
        except Exception:
            # Anything at all may go wrong inside a person's function when it is given something other than arrays.
            return None

    def numerical(self) -> dict[str, Array]:
        """Returns central differences, extrapolated: good to about nine digits where the cost is smooth."""
        made = {}
        for name, value in self.params.items():
            found = np.zeros(value.shape)
            for place in np.ndindex(value.shape):
                found[place] = _derivative(partial(self._moved, name, place), float(value[place]))
            made[name] = found
        return made

    def _moved(self, name: str, place: tuple[int, ...], number: float) -> float:
        params = {other: value.copy() for other, value in self.params.items()}
        params[name][place] = number
        return float(self.cost(params))


def _takes(function: Any, many: int) -> str:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return "spread"
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return "spread"
    places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = [p for p in places if p.default is p.empty]
    if len(places) == 1 + many or len(needed) > 2:
        return "spread"
    return "data" if len(needed) == 2 else "params"


def _derivative(cost: Callable[[float], float], at: float) -> float:
    step = 1e-3 * max(1.0, abs(at))
    wide, narrow, fine = ((cost(at + h) - cost(at - h)) / (2 * h) for h in (step, step / 2, step / 4))
    first, second = (4 * narrow - wide) / 3, (4 * fine - narrow) / 3
    return (16 * second - first) / 15
