"""What a viewer has changed: weights, data, activation, cost, and what it looks at."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from whygrad.arguments import numbers
from whygrad.arrays import Array
from whygrad.errors import QuantityError
from whygrad.network import Network
from whygrad.notation import Quantity
from whygrad.notation.quantity import exists
from whygrad.run import Run
from whygrad.view.keys import key
from whygrad.view.keys import quantity as keyed
from whygrad.view.request import Fields, RequestError, at

KNOWN = (
    "parameters",
    "x",
    "y",
    "activation",
    "cost",
    "chosen",
    "of",
    "notation",
    "semiring",
    "example",
)
MOST_ENTRIES = 100_000
"""How many single entries may be changed at once."""


class State:
    """The run that a viewer looks at: the one that its page began with, and what was changed since.

    Args:
        start: The run that the page began with.
        fields: The changes; see :data:`KNOWN`.
    """

    def __init__(self, start: Run, fields: Fields) -> None:
        self._start = start
        self._fields = fields

    @cached_property
    def whole(self) -> Run:
        """The changed run on all examples, in the chosen notation.

        Raises:
            RequestError: A change can't be made; the error names its field.
        """
        start, fields = self._start, self._fields
        options: dict[str, Any] = {}
        if "parameters" in fields:
            options["parameters"] = self._parameters()
        for name in ("activation", "cost", "notation"):
            if name in fields:
                options[name] = fields.raw(name)
        run = start
        if options:
            (only,) = options if len(options) == 1 else ("",)
            with at(f"state.{only}" if only else "state"):
                run = Run(start.network.changed(**options), start.x, start.y)
        if "x" in fields or "y" in fields:
            x, y = (self._data(name, array) for name, array in (("x", start.x), ("y", start.y)))
            with at("state"):
                run = Run(run.network, x, y)
        with at("state"):
            run.costs  # noqa: B018 - raises where they are not finite, with the reason
        return run

    @cached_property
    def run(self) -> Run:
        """The changed run on the chosen example, or on all of them."""
        example = self._fields.whole("example")
        if example is None:
            return self.whole
        with at("state.example"):
            return self.whole.example(example)

    def document(self) -> dict[str, Any]:
        """Returns the document of the run, with what is chosen in it."""
        from whygrad.view.document import document

        fields = self._fields
        chosen, of = self.quantity(fields, "chosen"), self.quantity(fields, "of")
        self.run  # noqa: B018 - raises where there is no such example
        run = self.whole
        with at("state"):
            return document(
                run,
                chosen=chosen,
                of=of,
                notation=run.network.notation.name,
                semiring=fields.text("semiring") or "gradient",
                example=fields.whole("example"),
            )

    def quantity(self, fields: Fields, name: str) -> Quantity | None:
        """Returns the quantity that a field names: by its key, in the notation, or a cost by its number."""
        given = fields.name(name)
        if given is None:
            return None
        with at(f"{fields.where}.{name}"):
            if isinstance(given, int):
                return self.whole.cost_quantities[self.whole.cost_row(given)]
            try:
                q = keyed(given)
            except QuantityError:
                return self.whole.quantity(given)
            return _known(self.whole.network, q)

    def _parameters(self) -> dict[str, Array]:
        network = self._start.network
        given = self._fields.raw("parameters")
        where = "state.parameters"
        if not isinstance(given, Mapping):
            raise self._fields.wrong("parameters", "an object such as {'w1.0.0': 0.5}")
        made = dict(network.parameters)
        shapes = network.layered.shapes
        for name in given:
            if name in shapes:
                with at(where):
                    made[name] = numbers(name, given[name], network.dtype)
        entries = {name: value for name, value in given.items() if name not in shapes}
        if len(entries) > MOST_ENTRIES:
            raise RequestError(where, f"{where}: expected at most {MOST_ENTRIES:,} entries")
        for name, value in entries.items():
            with at(where):
                q = _known(network, keyed(str(name)))
            if q.kind not in ("w", "b"):
                raise RequestError(where, f"{where}: expected weights and biases, found {name!r:.60}")
            array = f"{q.kind.upper()}{q.layer}"
            if made[array] is network.parameters[array]:
                made[array] = np.array(made[array])
            made[array][(q.to, q.source) if q.kind == "w" else q.to] = _number(f"{where}.{name}", value)
        return made

    def _data(self, name: str, start: Array) -> Array:
        given = self._fields.raw(name)
        where = f"state.{name}"
        if given is None:
            return start
        if not isinstance(given, Mapping):
            with at(where):
                array = numbers(name, given, start.dtype)
            if array.size != start.size or array.shape not in (start.shape, start.shape[1:]):
                raise RequestError(where, f"{where}: expected the shape {start.shape}, found {array.shape}")
            return array
        made = np.array(start)
        for place, value in given.items():
            example, dot, neuron = str(place).partition(".")
            numbered = dot and example.isdecimal() and neuron.isdecimal() and len(place) < 30
            if not numbered or int(example) >= len(made) or int(neuron) >= made.shape[1]:
                raise RequestError(
                    where,
                    f"{where}: expected example.neuron up to {len(made) - 1}.{made.shape[1] - 1}, found {place!r:.60}",
                )
            made[int(example), int(neuron)] = _number(f"{where}.{place}", value)
        return made


def _known(network: Network, q: Quantity) -> Quantity:
    if not exists(q, network.layout):
        raise QuantityError(f"the network {network.layered.title()} has no {key(q)}")
    return q


def _number(where: str, given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not np.isfinite(given):
        raise RequestError(where, f"{where}: expected a finite number, found {given!r:.60}")
    return float(given)
