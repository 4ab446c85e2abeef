"""Notations that write marks: one that marks every name, and one that composes derivatives from marked names."""

from collections.abc import Iterator
from typing import Any

from whygrad.notation import Layout, Notation, Quantity
from whygrad.notation.table import RECORDS
from whygrad.notation.template import in_text, typeset
from whygrad.view.keys import key
from whygrad.view.sheet import FIRST_MARK, Sheet, Symbol

# A person's own name that is longer would be wider than a phone in a fraction.
LONGEST = 28


def shortened(name: str) -> str:
    r"""Returns LaTeX for a name that is too long to be read in a formula: its beginning and its end.

    Example:
        >>> shortened("batch_normalization_12/gamma:0")
        '\\text{batch\\_norma…12/gamma:0}'
        >>> shortened("a_{the name of a neuron that nobody would type}")
        'a_{\\text{the name …uld type}}'
    """
    base, mark, script = name.partition("_{")
    if mark and len(base) < 4 and name.endswith("}") and not set(script[:-1]) & set("{}"):
        return f"{typeset(base)}_{{{_cut(script[:-1], 18)}}}"
    return _cut(name, 22)


def _cut(text: str, most: int) -> str:
    """Returns a text as LaTeX, without its middle where it is longer."""
    if len(text) > most:
        text = f"{text[: most // 2]}…{text[-(most // 2 - 1) :]}"
    return in_text(text)


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


class Names:
    """What every symbol of a sheet is in a notation, as formulas; new symbols may join the sheet's end.

    Derivatives are named by rules: ``rules`` has, under ``"of's kind|by's kind and layer"``, a skeleton that the names
    of both fill, or ``[skeleton, 1]``: one that is filled as the name of what is differentiated by is.

    Args:
        sheet: The symbols.
        base: The notation.
        layout: The network that they belong to.
    """

    def __init__(self, sheet: Sheet, base: Notation, layout: Layout) -> None:
        self._sheet, self._base, self._layout = sheet, base, layout
        self._composing = _Composing(base, sheet)
        self.rules: dict[str, list[int] | None] = {}
        self.names = [self._name(symbol) for symbol in _each(sheet.symbols)]

    def _name(self, symbol: Symbol) -> list[object] | None:
        """Returns a symbol's name; nothing for a derivative that a rule names."""
        sheet, base, layout = self._sheet, self._base, self._layout
        if symbol.kind == "d" and symbol.by is not None:
            return self._derivative(symbol.of, symbol.by)
        if symbol.kind == "s":
            z = sheet.mark(Symbol("q", symbol.of))
            latex, _, plain = symbol.detail.rpartition(" ")
            return sheet.fill(f"{latex}'({z})", f"{plain}'({z})")
        if symbol.kind == "p":
            return _powered(sheet, base, layout, symbol)
        if symbol.kind == "any":
            return sheet.fill(
                *(base.with_letter(symbol.of, layout, symbol.detail, way) for way in ("latex", "ascii"))
            )
        if symbol.kind == "m":
            return sheet.fill(base.matrix(symbol.of.kind, symbol.of.layer, layout), array_text(symbol.of))
        if symbol.kind == "n":
            return sheet.fill(base.neuron(symbol.of.to or 0), base.neuron(symbol.of.to or 0))
        if symbol.kind == "slot":
            return None
        latex, text = base.latex(symbol.of, layout), base.text(symbol.of, layout)
        if len(text) > LONGEST and symbol.of in base.names.values():
            return sheet.shortened(latex, text, shortened(text))
        return sheet.fill(latex, text)

    def _derivative(self, of: Quantity, by: Quantity) -> list[object] | None:
        place = rule_key(of, by)
        if place not in self.rules:
            self.rules[place] = self._rule(of, by)
        if self.rules[place] is None:
            return self._written(of, by)
        for q in (of, by):
            self._sheet.symbol(Symbol("q", q))
        return None

    def _written(self, of: Quantity, by: Quantity) -> list[Any]:
        """Returns a derivative's name, written out."""
        latex = self._composing.derivative(of, by, self._layout)
        text = self._base.derivative_text if _is_own(latex) else self._composing.fraction_text
        return self._sheet.fill(latex, text(of, by, self._layout))

    def _rule(self, of: Quantity, by: Quantity) -> list[int] | None:
        """Returns how the derivatives of one kind of quantity by those of one layer are named, where that is alike."""
        sheet, base, layout = self._sheet, self._base, self._layout
        latex = self._composing.derivative(of, by, layout)
        skeleton, *filled = self._written(of, by)
        if not _is_own(latex):
            return [skeleton] if filled == [sheet.symbol(Symbol("q", q)) for q in (of, by)] else None
        # Numbers that can't be taken for each other, of one digit and of several: some names stand closer with one.
        for to, source in ((3, 5), (3, 1017), (1017, 5), (1017, 2023)):
            other = by._replace(
                to=None if by.to is None else to, source=None if by.source is None else source
            )
            own = self._written(of, other)
            name = sheet.fill(base.latex(other, layout), base.text(other, layout))
            if own != [skeleton, *name[1:]]:
                return None
        return [skeleton, 1]


def rule_key(of: Quantity, by: Quantity) -> str:
    """Returns under what the rule stands by which a derivative is named.

    Example:
        >>> rule_key(Quantity("C", None, 0), Quantity("w", 2, 1, 0))
        'C|w2'
    """
    return f"{of.kind}|{by.kind}{'' if by.layer is None else by.layer}"


def _is_own(latex: str) -> bool:
    """Returns whether a derivative's name is the notation's own (dW), not made of its quantities' names."""
    return ord(max(latex)) < FIRST_MARK


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
    told = {"q", "d", "s"}
    return [
        [symbol.kind, *(key(q) for q in (symbol.of, symbol.by) if q is not None)]
        if symbol.kind in told or (symbol.kind, symbol.detail) == ("p", "q")
        else [symbol.kind]
        for symbol in sheet.symbols
    ]
