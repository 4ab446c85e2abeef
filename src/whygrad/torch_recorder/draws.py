"""Where random numbers come from: the states of the generators of the host and of accelerators."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor


class _Generator(NamedTuple):
    """How the state of one device's generator is read and set."""

    read: Callable[[], Tensor]
    write: Callable[[Tensor], None]

    @staticmethod
    def of(device: torch.device) -> "_Generator":
        module: Any = getattr(torch, device.type)
        if device.type == "mps":  # has one device, and its functions no argument for it
            return _Generator(module.get_rng_state, module.set_rng_state)
        return _Generator(
            partial(module.get_rng_state, device), lambda state: module.set_rng_state(state, device)
        )


HOST = _Generator(torch.get_rng_state, torch.set_rng_state)


class Draws(NamedTuple):
    """The states of some generators at one time."""

    states: tuple[tuple[_Generator, Tensor], ...]

    @staticmethod
    def now(tensors: Iterable[Tensor]) -> "Draws":
        """Returns the states of the host's generator and of those of the accelerators that tensors lie on."""
        devices = {tensor.device for tensor in tensors}
        others = sorted((d for d in devices if d.type not in ("cpu", "meta")), key=str)
        return Draws(
            tuple((each, each.read()) for each in (HOST, *(_Generator.of(device) for device in others)))
        )

    def restore(self) -> None:
        """Sets the generators back: the same numbers are drawn again."""
        for generator, state in self.states:
            generator.write(state)

    @contextmanager
    def again(self) -> Iterator[None]:
        """Draws the same numbers within, and goes on as if nothing had been drawn.

        Example:
            >>> draws = Draws.now([])
            >>> first = torch.rand(2)
            >>> with draws.again():
            ...     second = torch.rand(2)
            >>> bool((first == second).all())
            True
        """
        before = Draws(tuple((generator, generator.read()) for generator, _ in self.states))
        self.restore()
        try:
            yield
        finally:
            before.restore()
