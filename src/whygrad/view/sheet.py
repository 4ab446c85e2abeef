"""What the formulas of a document share: names and shapes of formulas, each said once and referred to by number.

A formula is taken apart into its shape (a *skeleton*, with holes) and what fills the holes: symbols of the network,
numbers with their signs and brackets, and the signs between terms. The same skeleton serves every weight, and the same
formula every notation, in which only the symbols have other names. Skeletons are MathML as lists, never as markup, so
that no text can become markup.
"""

import json
import re
from collections.abc import Callable, Iterable
from math import isfinite
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from whygrad.derive.derivation import Words
from whygrad.derive.spelling import FIRST_SLOT, LAST_SLOT, SLOTS, Math
from whygrad.errors import NotSupportedError
from whygrad.notation import Quantity
from whygrad.render.as_html import element

# Symbols stand in texts as characters of the private planes, holes of skeletons as ones of the basic plane.
FIRST_MARK, LAST_MARK = 0xF0000, 0x10FFFD
FIRST_HOLE, LAST_HOLE = 0xE000, FIRST_SLOT - 1
_MARK = f"[{chr(FIRST_MARK)}-{chr(LAST_MARK)}]"
_SLOT = f"[{chr(FIRST_SLOT)}-{chr(LAST_SLOT)}]"
# A number as LaTeX or plain text has it; a minus belongs to it where nothing stands before that it could be taken from.
_DIGITS = r"\d+(?:\.\d+)?(?:e[+-]\d+| \\cdot 10\^\{-?\d+\})?"
_FILLED = re.compile(
    rf"({_MARK}|{_SLOT}|\(-{_DIGITS}\)|(?:(?<![\w)\]])-)?{_DIGITS}|(?<= )[+-](?= ))", re.ASCII
)
_TEN = re.compile(r" \\cdot 10\^\{(-?)(\d+)\}", re.ASCII)
_PIECES = re.compile(f"({_MARK})")
_FIRST_MARK = chr(FIRST_MARK)
_SLOPE = re.compile(rf"(\\[A-Za-z]+(?:\{{[^{{}}]*\}})?|[A-Za-z_]+)'\(({_MARK})\)", re.ASCII)
_POWER = re.compile(rf"(?:(\\[A-Za-z]+(?:\{{[^{{}}]*\}})?)'\(({_MARK})\)|({_MARK}))\^", re.ASCII)
_HOLES = re.compile(f"([{chr(FIRST_HOLE)}-{chr(LAST_HOLE)}])")
# What MathML Core has; everything else that a converter might write is dropped.
ELEMENTS = frozenset(
    (
        *("math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "mfrac", "msup", "msub", "msubsup"),
        *("munder", "mover", "munderover", "msqrt", "mroot", "mtable", "mtr", "mtd", "mstyle", "mpadded"),
    )
)
ATTRIBUTES = frozenset(
    (
        *("mathvariant", "stretchy", "fence", "form", "separator", "movablelimits", "displaystyle"),
        *("linethickness", "width", "lspace", "rspace", "minsize", "maxsize", "columnalign"),
    )
)
_LEAVES = frozenset({"mi", "mn", "mo", "mtext"})


class Symbol(NamedTuple):
    """A name in formulas: of a quantity (q), a derivative (d), a slope (s), a whole array (m), a letter's (any), …

    ``of`` and ``by`` are quantities; ``detail`` is the sign of a slope's function, or a letter.
    """

    kind: str
    of: Quantity
    by: Quantity | None = None
    detail: str = ""


class Formula(int):
    """A formula's number."""


class Sheet:
    """The tables that a document's formulas refer to."""

    def __init__(self) -> None:
        self.symbols: list[Symbol] = []
        self.skeletons: list[dict[str, Any]] = []
        self.formulas: list[list[Any]] = []
        self.steps: list[dict[str, Any]] = []
        self.cards: list[dict[str, Any]] = []
        self.lines: list[dict[str, Any]] = []
        self._places: dict[Any, int] = {}

    def _placed(self, table: list[Any], key: Any, make: Callable[[], Any]) -> int:
        if key not in self._places:
            made = make()
            self._places[key] = len(table)
            table.append(made)
        return self._places[key]

    def symbol(self, symbol: Symbol) -> int:
        """Returns a symbol's number."""
        place = self._placed(self.symbols, symbol, lambda: symbol)
        if place > LAST_MARK - FIRST_MARK:
            raise NotSupportedError("view: the page has no room for more names; choose a smaller network")
        return place

    def mark(self, symbol: Symbol) -> str:
        """Returns the character that stands for a symbol in a text."""
        return chr(FIRST_MARK + self.symbol(symbol))

    def quantity(self, text: str) -> Quantity:
        """Returns the quantity that a mark stands for."""
        return self.symbols[ord(text) - FIRST_MARK].of

    def formula(self, math: Math) -> "Formula":
        """Returns a formula's number."""
        latex, text = _POWER.sub(self._powered, math.latex), _POWER.sub(self._powered, math.ascii)
        filled = self.fill(*self._slopes(latex, text))
        return Formula(self._placed(self.formulas, ("formula", *filled), lambda: filled))

    def _powered(self, match: re.Match[str]) -> str:
        """Returns the mark of a name (or of a slope of a whole layer) that an exponent follows."""
        sign, inside, alone = match.groups()
        symbol = self.symbols[ord(inside or alone) - FIRST_MARK]
        if symbol.kind not in ("q", "m") or (sign and symbol.kind == "q"):
            return match.group()
        return self.mark(Symbol("p", symbol.of, None, sign or symbol.kind)) + "^"

    def _slopes(self, latex: str, text: str) -> tuple[str, str]:
        """Returns both spellings of a formula with a symbol for each slope, such as σ'(z)."""
        signs = {match.group(2): match.group(1) for match in _SLOPE.finditer(text)}
        both = {
            match.group(2): f"{match.group(1)} {signs.get(match.group(2), match.group(1))}"
            for match in _SLOPE.finditer(latex)
        }

        def replaced(match: re.Match[str]) -> str:
            symbol = self.symbols[ord(match.group(2)) - FIRST_MARK]
            if symbol.kind != "q" or match.group(2) not in both:
                return match.group()
            return self.mark(Symbol("s", symbol.of, None, both[match.group(2)]))

        return _SLOPE.sub(replaced, latex), _SLOPE.sub(replaced, text)

    def fill(self, latex: str, text: str) -> list[Any]:
        """Returns a formula as the number of its skeleton and what fills the holes: symbols' numbers, or texts.

        A text is a number as plain text has it, with its sign and brackets, or the sign between two terms.
        """
        pieces, plain = _FILLED.split(latex), _FILLED.split(text)
        fillings, others = pieces[1::2], plain[1::2]
        if "\\" in latex:
            fillings = [_TEN.sub(_tenth, filling) if "\\" in filling else filling for filling in fillings]
        holes: tuple[int, ...] = ()
        if others != fillings:
            holes, fillings = _matched(fillings, others)
        shape = ("skeleton", *pieces[::2], "", *plain[::2], *holes)
        number = self._placed(self.skeletons, shape, lambda: _skeleton(pieces[::2], plain[::2], holes))
        return [number, *map(_filling, fillings)]

    def shortened(self, latex: str, text: str, shown: str) -> list[Any]:
        """Returns a name as a formula that is shown as something shorter, and copied whole."""
        made = {"m": mathml_tree(shown), "l": [latex], "t": [text]}
        return [self._placed(self.skeletons, ("shortened", latex, text), lambda: made)]

    def words(self, words: Words) -> list[Any]:
        """Returns words as texts and formulas' numbers."""
        made: list[Any] = []
        for piece in words:
            if isinstance(piece, Math):
                made.append(self.formula(piece))
                continue
            for part in _PIECES.split(piece):
                if part and ord(part[0]) >= FIRST_MARK:
                    made.append(self.formula(Math(part, part, part)))
                elif part:
                    made.append(part)
        return made

    def step(self, step: dict[str, Any]) -> int:
        """Returns the number of a step of a derivation."""
        return self._placed(self.steps, ("step", json.dumps(step)), lambda: step)

    def line(self, line: dict[str, Any]) -> int:
        """Returns the number of a line of a layer-wise form."""
        return self._placed(self.lines, ("line", json.dumps(line)), lambda: line)

    def card(self, card: dict[str, Any]) -> int:
        """Returns the number of a factor's card."""
        return self._placed(self.cards, ("card", json.dumps(card)), lambda: card)


def _filling(text: str) -> Any:
    """Returns what fills a hole: a symbol's number, an open place such as ``"$value"``, or a text."""
    if text[0] >= _FIRST_MARK:
        return ord(text) - FIRST_MARK
    if chr(FIRST_SLOT) <= text[0] <= chr(LAST_SLOT):
        place, bracketed = divmod(ord(text) - FIRST_SLOT, 2)
        return f"(${SLOTS[place]})" if bracketed else f"${SLOTS[place]}"
    return text


def _tenth(match: re.Match[str]) -> str:
    """Returns a power of ten as plain text has it."""
    return f"e{match.group(1) or '+'}{int(match.group(2)):02d}"


def _matched(fillings: list[str], others: list[str]) -> tuple[tuple[int, ...], list[str]]:
    """Returns the hole of each of the plain text's fillings, and all fillings: those of the LaTeX first."""
    every, unused, holes = list(fillings), list(range(len(fillings))), []
    for other in others:
        place = next((place for place in unused if every[place] == other), None)
        if place is not None:
            unused.remove(place)
        elif other in every:
            place = every.index(other)
        else:
            place = len(every)
            every.append(other)
        holes.append(place)
    return tuple(holes), every


def _skeleton(latex: list[str], plain: list[str], holes: tuple[int, ...]) -> dict[str, Any]:
    """Returns a skeleton from the pieces between the holes; the plain text's holes are in order where none are told."""
    written = "".join(piece + chr(FIRST_HOLE + n) for n, piece in enumerate(latex))[:-1]
    order = holes or range(len(plain) - 1)
    text = "".join(piece + chr(FIRST_HOLE + n) for piece, n in zip(plain, (*order, 0), strict=True))[:-1]
    return {"m": mathml_tree(written), "l": parts(written), "t": parts(text)}


def parts(text: str) -> list[Any]:
    """Returns a text with holes as texts and holes' numbers."""
    return [ord(part) - FIRST_HOLE if _HOLES.fullmatch(part) else part for part in _HOLES.split(text) if part]


def rounded(value: float | None, digits: int = 10) -> float | None:
    """Returns a number to ten digits, or as many as are told; nothing where it is not finite.

    Example:
        >>> rounded(0.1 + 0.2), rounded(float("nan"))
        (0.3, None)
    """
    if value is None or not isfinite(value):
        return None
    return float(f"{value:.{digits}g}")


def mathml_tree(latex: str) -> Any:
    """Returns LaTeX as MathML in lists: a tag, attributes where there are any, children; a number is a hole.

    Example:
        >>> mathml_tree("a^2")
        ['msup', ['mi', 'a'], ['mn', '2']]
    """
    return _tree(element(latex))


def _tree(made: Element) -> Any:
    if made.tag not in ELEMENTS:
        return ["mtext", "".join(made.itertext())]
    if made.tag in _LEAVES:
        inside = parts(made.text or "")
        if made.tag != "mtext" and len(inside) == 1 and isinstance(inside[0], int):
            return inside[0]
        children: list[Any] = inside
    else:
        children = _signs([_tree(child) for child in made])
    tag = "mrow" if made.tag == "math" else made.tag
    if tag == "mrow" and len(children) == 1:
        return children[0]
    attributes = {name: value for name, value in made.attrib.items() if name in ATTRIBUTES}
    return [tag, *([attributes] if attributes else []), *children]


def _signs(children: list[Any]) -> list[Any]:
    """Marks a minus after a bracket or an equals sign as a sign, not a difference: it takes no space after it."""
    before: Any = None
    for place, child in enumerate(children):
        tag, *_, text = before if isinstance(before, list) else ("", "")
        opens = (tag == "mo" and text in "(=·≈") or (tag == "mtext" and str(text).rstrip().endswith(":"))
        if child == ["mo", "−"] and opens:
            children[place] = ["mo", {"form": "prefix"}, "−"]
        before = child
    return children


def joined(values: Iterable[float | None]) -> list[float | None]:
    """Returns numbers to ten digits."""
    return [rounded(value) for value in values]
