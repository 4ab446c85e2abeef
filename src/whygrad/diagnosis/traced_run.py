"""One run of a person's cost function on arrays that write down what is done with them."""

from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np

from whygrad.arrays import Array
from whygrad.diagnosis.tape import Tape
from whygrad.diagnosis.traced import LeakError, Traced
from whygrad.errors import NotSupportedError


def traced_run(function: Callable[[dict[str, Any]], Any], params: dict[str, Array]) -> Tape:
    """Returns the tape of one run of a cost function.

    Arrays that the function makes with ``np.zeros`` and fills entry by entry are traced too.

    Raises:
        NotSupportedError: The function does something that can't be written down.
    """
    try:
        return _traced(function, params)
    except LeakError:
        pass
    return _traced(function, params, filled=True)


def _traced(
    function: Callable[[dict[str, Any]], Any], params: dict[str, Array], filled: bool = False
) -> Tape:
    tape = Tape()
    arguments = {}
    for name, value in params.items():
        tape.leaves[name] = tape.add("leaf", (), value, name=name)
        arguments[name] = Traced(tape, tape.leaves[name])
    if filled:
        makers: Any = {
            name: _maker(tape, getattr(np, name))
            for name in ("zeros", "empty", "ones", "full", "zeros_like", "empty_like")
        }
        with mock.patch.multiple("numpy", **makers):
            cost = function(arguments)
    else:
        cost = function(arguments)
    if not isinstance(cost, Traced):
        raise NotSupportedError(
            f"forward: expected a cost that depends on the parameters, found {type(cost).__name__}"
        )
    if cost.size != 1:
        raise NotSupportedError(f"forward: expected one number, found the shape {cost.shape}")
    tape.cost = cost.node
    return tape


def _maker(tape: Tape, function: Callable[..., Array]) -> Callable[..., Any]:
    def made(*args: Any, **options: Any) -> Any:
        plain = [x.value if isinstance(x, Traced) else x for x in args]
        array = function(*plain, **options)
        return Traced(tape, tape.add("constant", (), array)) if array.dtype.kind == "f" else array

    return made
