"""Notations that write marks: one that marks every name, and one that composes derivatives from marked names."""

from collections.abc import Iterator

from whygrad.notation import Layout, Notation, Quantity
from whygrad.notation.table import RECORDS
from whygrad.view.keys import key
from whygrad.view.sheet import FIRST_MARK, Sheet, Symbol


class Marking(Notation):
    """A notation whose every name is a mark of a sheet, so that a derivation can be read in any notation later.

    Args:
        base: A notation with the conventions (which way the matrix W stands, the sign of delta) to write in.
        sheet: Where the marks are explained.
    """

    def __init__(self, base: Notation, sheet: Sheet) -> None:
        super().__init__(base.record)
        self.names, self.aliases = base.names, base.aliases
        self._sheet = sheet
        self._base = base

    def latex(self, q: Quantity, layout: Layout) -> str:
        """Returns a quantity's mark."""
        return self._sheet.mark(Symbol("q", q))

    def text(self, q: Quantity, layout: Layout) -> str:
        """Returns a quantity's mark."""
        return self._sheet.mark(Symbol("q", q))

    def unicode(self, q: Quantity, layout: Layout) -> str:
        """Returns a quantity's mark."""
        return self._sheet.mark(Symbol("q", q))

    def with_letter(self, q: Quantity, layout: Layout, letter: str, style: str) -> str:
        """Returns the mark of a name with a letter."""
        return self._sheet.mark(Symbol("any", q, None, letter))

    def matrix(self, kind: str, layer: int | None, layout: Layout) -> str:
        """Returns the mark of a whole array."""
        return self._sheet.mark(Symbol("m", Quantity(kind, layer)))

    def neuron(self, number: int) -> str:
        """Returns the mark of a neuron's number, which some count from 0 and some from 1."""
        return self._sheet.mark(Symbol("n", Quantity("a", None, number)))

    def derivative(self, of: Quantity, by: Quantity, layout: Layout) -> str:
        """Returns a derivative's mark."""
        return self._sheet.mark(Symbol("d", of, by))

    def derivative_text(self, of: Quantity, by: Quantity, layout: Layout, unicode: bool = False) -> str:
        """Returns a derivative's mark."""
        return self._sheet.mark(Symbol("d", of, by))


class _Composing(Marking):
    """A notation that writes derivatives as it does, from marked names."""

    def derivative(self, of: Quantity, by: Quantity, layout: Layout) -> str:
        return Notation.derivative(self, of, by, layout)

    def fraction_text(self, of: Quantity, by: Quantity, layout: Layout) -> str:
        """Returns a derivative on one line, from marked names."""
        words = [self._base.text(q, layout)[:2] for q in (of, by)]
        signs = ["d " if len(word) > 1 and word.isalpha() else "d" for word in words]
        return "/".join(sign + self.text(q, layout) for sign, q in zip(signs, (of, by), strict=True))


def conventions(base: Notation) -> str:
    """Returns what in a notation changes more than names: the layer-wise form hangs on it.

    Example:
        >>> from whygrad.notation import notation
        >>> conventions(notation("nielsen")), conventions(notation("keras"))
        ('to-from', 'from-to rows')
    """
    rows = " rows" if base.record.code and base.weight_orientation == "from-to" else ""
    return f"{base.weight_orientation}{rows}{' minus' if base.delta_sign == -1 else ''}"


def notation_names() -> tuple[str, ...]:
    """Returns the names of all notations."""
    return tuple(RECORDS)


def names(sheet: Sheet, base: Notation, layout: Layout) -> list[list[object]]:
    """Returns what every symbol of a sheet is in a notation, as formulas; new symbols may join the sheet's end."""
    composing = _Composing(base, sheet)
    made: list[list[object]] = []
    for symbol in _each(sheet.symbols):
        if symbol.kind == "d" and symbol.by is not None:
            latex = composing.derivative(symbol.of, symbol.by, layout)
            # A notation's own name for a derivative (dW) is not made of its quantities' names.
            own = ord(max(latex)) < FIRST_MARK
            text = base.derivative_text if own else composing.fraction_text
            made.append(sheet.fill(latex, text(symbol.of, symbol.by, layout)))
        elif symbol.kind == "s":
            z = sheet.mark(Symbol("q", symbol.of))
            latex, _, plain = symbol.detail.rpartition(" ")
            made.append(sheet.fill(f"{latex}'({z})", f"{plain}'({z})"))
        elif symbol.kind == "p":
            made.append(_powered(sheet, base, layout, symbol))
        elif symbol.kind == "any":
            made.append(
                sheet.fill(
                    *(base.with_letter(symbol.of, layout, symbol.detail, way) for way in ("latex", "ascii"))
                )
            )
        elif symbol.kind == "m":
            made.append(
                sheet.fill(base.matrix(symbol.of.kind, symbol.of.layer, layout), array_text(symbol.of))
            )
        elif symbol.kind == "n":
            made.append(sheet.fill(base.neuron(symbol.of.to or 0), base.neuron(symbol.of.to or 0)))
        else:
            made.append(sheet.fill(base.latex(symbol.of, layout), base.text(symbol.of, layout)))
    return made


def _powered(sheet: Sheet, base: Notation, layout: Layout, symbol: Symbol) -> list[object]:
    """Returns a name that an exponent follows: in brackets where the name has an upper index of its own."""
    q = symbol.of
    if symbol.detail == "q":
        inner = sheet.mark(Symbol("q", q))
        return sheet.fill(
            f"({inner})" if "^" in base.latex(q, layout) else inner,
            f"({inner})" if "^" in base.text(q, layout) else inner,
        )
    inner = sheet.mark(Symbol("m", q))
    shown = inner if symbol.detail == "m" else f"{symbol.detail}'({inner})"
    latex = rf"\left({shown}\right)" if "^" in base.matrix(q.kind, q.layer, layout) else shown
    return sheet.fill(latex, shown)


def _each(symbols: list[Symbol]) -> Iterator[Symbol]:
    """Yields the symbols of a list that grows meanwhile."""
    place = 0
    while place < len(symbols):
        yield symbols[place]
        place += 1


def array_text(q: Quantity) -> str:
    """Returns what one types for a whole array."""
    letter = "delta" if q.kind == "delta" else q.kind.upper() if q.kind == "w" else q.kind
    return f"{letter}{'' if q.layer is None else q.layer}"


def symbols_json(sheet: Sheet) -> list[list[str]]:
    """Returns the symbols: their kind, and the keys of what they name."""
    return [
        [symbol.kind, *(key(q) for q in (symbol.of, symbol.by) if q is not None)]
        if symbol.kind in ("q", "d")
        else [symbol.kind, *((key(symbol.of),) if symbol.kind == "s" else ())]
        for symbol in sheet.symbols
    ]
