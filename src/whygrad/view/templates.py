"""Templates: explanations that are alike, said once, with open places for names and numbers.

An open place is a text that begins with ``$``: ``$value``, or ``($value)`` where a negative number takes parentheses.
Of names, ``["q", "$by"]`` stands for a quantity, ``["d", "$of", "$by"]`` for a derivative, ``["s", "$z"]`` for a slope
and ``["p", "$to"]`` for a name that an exponent follows; what ``$by``, ``$of``, … are, the key of a quantity says.
"""

from collections.abc import Mapping
from typing import Any

from whygrad.notation import Quantity
from whygrad.view.keys import key
from whygrad.view.sheet import Formula, Sheet


def roles(by: Quantity, of: Quantity, depth: int, station: str) -> dict[Quantity, str]:
    """Returns what each quantity is in the explanation of a derivative by a weight, a bias or a neuron.

    Args:
        by: What it is differentiated by.
        of: What is differentiated.
        depth: The number of the last layer.
        station: The kind (a or z) of what a weight leads to.
    """
    made: dict[Quantity, str] = {}
    if of.kind == "C":
        made |= {Quantity("a", depth, of.to): "out", Quantity("y", None, of.to): "target"}
    made[of] = "of"
    if by.kind in ("w", "b", "z"):
        made[Quantity("z", by.layer, by.to)] = "z"
        made[Quantity(station, by.layer, by.to)] = "to"
    if by.kind == "w":
        made[Quantity("a", int(by.layer or 1) - 1, by.source)] = "from"
    made[by] = "by"
    return made


def link_roles(start: Quantity, end: Quantity) -> dict[Quantity, str]:
    """Returns what each quantity is on the card of a factor between two stations."""
    made = {start: "from", end: "to"}
    if end.kind == "C":
        return {Quantity("y", None, end.to): "target"} | made
    if start.layer == end.layer:
        return {Quantity("a", start.layer, start.to): "same"} | made
    made[Quantity("w", end.layer, end.to, start.to)] = "weight"
    return {Quantity("z", end.layer, end.to): "z"} | made


def templated(made: Any, sheet: Sheet, names: Mapping[Quantity, str]) -> Any:
    """Returns a piece of a document with open places for the names of some quantities.

    Args:
        made: The piece; formulas in it are their numbers on the sheet.
        sheet: The sheet.
        names: The quantities, and what their places are called.
    """
    if isinstance(made, Formula):
        filled = sheet.formulas[made]
        open_ = [filled[0], *(_symbol(each, sheet, names) for each in filled[1:])]
        held = any(isinstance(each, list) or "$" in str(each) for each in open_)
        return open_ if held else int(made)
    if isinstance(made, dict):
        return {name: templated(part, sheet, names) for name, part in made.items()}
    if isinstance(made, (list, tuple)):
        return [templated(part, sheet, names) for part in made]
    return made


def _symbol(filling: Any, sheet: Sheet, names: Mapping[Quantity, str]) -> Any:
    """Returns what fills a hole, with open places for names."""
    if not isinstance(filling, int):
        return filling
    symbol = sheet.symbols[filling]
    told = symbol.kind in ("q", "d", "s") or (symbol.kind, symbol.detail) == ("p", "q")
    quantities = [q for q in (symbol.of, symbol.by) if q is not None]
    if not told or not any(q in names for q in quantities):
        return filling
    return [symbol.kind, *(f"${names[q]}" if q in names else key(q) for q in quantities)]
