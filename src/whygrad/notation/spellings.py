"""The spellings of one notation: the templates of its record, and what stands in their slots."""

import re
from functools import cached_property

from whygrad.notation.quantity import Layout, Quantity
from whygrad.notation.table import Record
from whygrad.notation.template import Template


class Spellings:
    """How a notation's record spells each kind of quantity, for printing and for reading."""

    def __init__(self, record: Record) -> None:
        self.record = record

    @cached_property
    def templates(self) -> dict[str, tuple[Template, ...]]:
        """The spellings of each kind, by the keys of the record; the first prints."""
        code = self.record.code
        return {
            key: tuple(Template(source, code) for source in sources)
            for key, sources in self.record.names.items()
        }

    @cached_property
    def arrays(self) -> dict[str, tuple[Template, ...]]:
        """The spellings of whole arrays, by the same keys."""
        found = {}
        for key, sources in self.record.names.items():
            if "<to>" in sources[0]:
                own = (self.record.arrays[key],) if key in self.record.arrays else ()
                bare = [_without_neurons(source) for source in sources]
                found[key] = tuple(
                    Template(source, self.record.code) for source in dict.fromkeys((*own, *bare))
                )
        return found

    def layer(self, kind: str, label: str, layout: Layout) -> int | None:
        """Returns the canonical layer that a label (`2`, `L`, `L-1`) means for a kind; None for other texts.

        Example:
            >>> from whygrad.notation import NOTATIONS
            >>> [NOTATIONS["ufldl"].layer(kind, "1", Layout((2, 3, 2))) for kind in ("w", "a")]
            [1, 0]
        """
        match = re.fullmatch(r"(-?[0-9]+|L|n_\{l\}|n_\{L\})(?:([+-])([0-9]+))?", label)
        if match is None:
            return None
        start, sign, step = match.groups()
        found = int(start) - self.record.layers_from if start.lstrip("-").isdigit() else layout.depth
        found += int(f"{sign}{step}") if step else 0
        return found + self._leaves(kind)

    def slots(self, q: Quantity, layout: Layout) -> dict[str, str]:
        """Returns what stands in the slots for a quantity."""
        record = self.record
        values = {"zero": "0"}
        if q.layer is not None:
            if record.from_end:
                back = layout.depth - q.layer
                values["layer"] = f"L-{back}" if back else "L"
            else:
                values["layer"] = str(q.layer + record.layers_from - self._leaves(q.kind))
            if q.layer:
                values["module"] = str(layout.module(q.layer))
        if q.to is not None:
            values["to"] = str(q.to + record.neurons_from)
        if q.source is not None:
            values["from"] = str(q.source + record.neurons_from)
        return values

    def _leaves(self, kind: str) -> int:
        return int(self.record.weight_label == "leaves" and kind in ("w", "b", "dw", "db"))

    def key(self, q: Quantity, layout: Layout, derivative: bool = False) -> str:
        """Returns the record's key for a quantity: its kind, with input and output apart where they are."""
        kind = q.kind
        if derivative:
            kind = "delta" if kind == "z" else f"d{kind}"
        for place, key in ((0, kind + "0"), (layout.depth, kind + "L")):
            if q.layer == place and key in self.record.names:
                return key
        return kind


def _without_neurons(source: str) -> str:
    """Returns the template of a whole array, from that of one of its entries."""
    bare = re.sub(r"<(to|from|zero)>", "", source)
    return re.sub(r"[\^_]\{\}|\[(0?, )?\]", "", bare.replace("_{,", "_{"))
