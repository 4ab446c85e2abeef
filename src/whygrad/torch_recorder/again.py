"""An operation of the run, done again with other arrays: with positions, or with inputs that autograd follows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor


class _Hole:
    """The place of an input, by its number."""

    def __init__(self, number: int) -> None:
        self.number = number


class Held:
    """A constant that an operation looks at: indices, a mask. A copy takes its place before its memory changes."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor.detach() if tensor.requires_grad else tensor


def again(
    func: Callable[..., Any],
    given: Mapping[str, Any],
    inputs: Sequence[Tensor],
    hold: Callable[[Tensor], Held] = Held,
) -> Callable[..., Any]:
    """Returns a function of new inputs, which calls ``func`` with them in the place of those that it was given.

    The graph keeps that function. It holds neither the inputs nor what autograd noted of the run with them; the other
    tensors it has from ``hold``.

    Example:
        >>> import torch
        >>> a, b = torch.ones(2), torch.ones(2)
        >>> again(torch.add, {"input": a, "other": b}, [a])(torch.zeros(2))
        tensor([1., 1.])
    """
    holes = {id(tensor): _Hole(number) for number, tensor in enumerate(inputs)}

    def emptied(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        return holes.get(id(value)) or hold(value)

    kept = _each(given, emptied)

    def run(*new: Tensor) -> Any:
        def filled(value: Any) -> Any:
            if isinstance(value, _Hole):
                return new[value.number]
            return value.tensor if isinstance(value, Held) else value

        return func(**_each(kept, filled))

    return run


def _each(value: Any, change: Callable[[Any], Any]) -> Any:
    """Returns a nest of dictionaries, lists and tuples with what is in it changed."""
    if isinstance(value, Mapping):
        return {name: _each(item, change) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_each(item, change) for item in value)
    return change(value)
