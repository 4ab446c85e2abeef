"""Mathematics said three ways at once: as LaTeX, as Unicode for a terminal, and as plain ASCII.

A line of a derivation is built once, by a function of a :class:`Speller`; :func:`spelled` calls it with all three.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from whygrad.formula import Tree, show
from whygrad.notation import Layout, Notation, Quantity

# Open places stand in texts as characters of the basic private plane: an even one as it is, the odd one after it in
# parentheses where it comes out negative.
FIRST_SLOT, LAST_SLOT = 0xF700, 0xF7FF
SLOTS = ("value", "size", "equals", "input", "slope", "behind", "inside")
"""The open places: the result, without its sign, the sign before it; and the numbers that it is made from."""


class Slot(float):
    """A number whose place in a text is kept open: the mark of the place is written instead of its digits.

    Args:
        value: The number that decisions are made by.
        name: Which of the open places it is.
    """

    name: str

    def __new__(cls, value: float, name: str) -> "Slot":
        """Returns the number with its place."""
        made = super().__new__(cls, value)
        made.name = name
        return made

    def __abs__(self) -> "Slot":
        return Slot(float.__abs__(self), "size")

    @property
    def mark(self) -> str:
        """What is written."""
        return chr(FIRST_SLOT + 2 * SLOTS.index(self.name))


# The space between groups of digits where it must not end a line.
NARROW = "\u202f"


class Math(NamedTuple):
    """A piece of mathematics in three spellings."""

    latex: str
    unicode: str
    ascii: str


class Speller:
    """How quantities, derivatives and numbers are written in one of the three styles.

    Args:
        style: ``"latex"``, ``"unicode"`` or ``"ascii"``.
        notation: What quantities are called.
        layout: The network that they belong to.
    """

    def __init__(self, style: str, notation: Notation, layout: Layout) -> None:
        self.style = style
        self._notation = notation
        self._layout = layout

    def choose(self, latex: str, unicode: str, ascii: str) -> str:
        """Returns the spelling for this style."""
        return {"latex": latex, "unicode": unicode, "ascii": ascii}[self.style]

    def q(self, quantity: Quantity) -> str:
        """Returns a quantity's name."""
        if self.style == "latex":
            return self._notation.latex(quantity, self._layout)
        if self.style == "unicode":
            return self._notation.unicode(quantity, self._layout)
        return self._notation.text(quantity, self._layout)

    def any(self, quantity: Quantity, letter: str = "j") -> str:
        """Returns a quantity's name with a letter for its neuron."""
        return self._notation.with_letter(quantity, self._layout, letter, self.style)

    def neuron(self, number: int) -> str:
        """Returns the number of a neuron."""
        return self._notation.neuron(number)

    def d(self, of: Quantity, by: Quantity) -> str:
        """Returns a derivative."""
        if self.style == "latex":
            return self._notation.derivative(of, by, self._layout)
        return self._notation.derivative_text(of, by, self._layout, unicode=self.style == "unicode")

    def ratio(self, of: str, by: str) -> str:
        """Returns a derivative of what is spelled out already."""
        over, under = (
            f"d {name}" if name[:2].isalpha() and len(name) > 1 else f"d{name}" for name in (of, by)
        )
        return self.choose(rf"\frac{{\partial {of}}}{{\partial {by}}}", f"∂{of}/∂{by}", f"{over}/{under}")

    def formula(self, tree: Tree, names: Mapping[str, Quantity]) -> str:
        """Returns a formula with quantities for its symbols."""
        spelled = {name: self.q(quantity) for name, quantity in names.items()}
        return self._powers(show(tree, "latex" if self.style == "latex" else "text", spelled))

    def inserted(self, tree: Tree, values: Mapping[str, float]) -> str:
        """Returns a formula with numbers for its symbols."""
        spelled = {name: self.number(value) for name, value in values.items()}
        return self._powers(show(tree, "latex" if self.style == "latex" else "text", spelled))

    def _powers(self, text: str) -> str:
        if self.style == "unicode":
            return text.replace("^2", "²").replace("^3", "³")
        return text.replace("·", "*").replace("≥", ">=").replace("≤", "<=") if self.style == "ascii" else text

    def equals(self, value: float) -> str:
        """Returns an equals sign, or an approximate one where six digits don't hold the value."""
        if isinstance(value, Slot):
            return Slot(value, "equals").mark
        near = abs(float(f"{value:.6g}") - value) <= 1e-12 * max(1.0, abs(value))
        return "=" if near else self.choose(r"\approx", "≈", "~")

    def product(self, *factors: str) -> str:
        """Returns factors next to each other; sums among them in parentheses."""
        kept = [factor for factor in factors if factor]
        if len(kept) == 1:
            return kept[0]
        shown = [self.enclosed(factor) for factor in kept]
        return self.choose(r" \, ", " · ", " * ").join(shown) or "1"

    def times(self, *factors: str) -> str:
        """Returns a product of numbers; negative ones in parentheses."""
        shown = [*factors[:1], *map(_bracketed, factors[1:])]
        return self.choose(r" \cdot ", " · ", " * ").join(shown)

    def enclosed(self, factor: str) -> str:
        """Returns a sum in parentheses, anything else as it is."""
        if not (factor.startswith("-") or " + " in factor or " - " in factor or ", else" in factor):
            return factor
        bare = outside_brackets(factor)
        if " + " in bare or " - " in bare or factor.startswith("-") or ", else" in bare:
            return self.choose(f"\\left({factor}\\right)", f"({factor})", f"({factor})")
        return factor

    def grouped(self, text: str, several: bool) -> str:
        """Returns a text in parentheses where it is several factors."""
        return self.choose(rf"\left({text}\right)", f"({text})", f"({text})") if several else text

    def added(self, *terms: str) -> str:
        """Returns a sum; a term that begins with a minus is subtracted."""
        made = terms[0] if terms else "0"
        for term in terms[1:]:
            made += f" - {term[1:]}" if term.startswith("-") else f" + {term}"
        return made

    def over(self, letter: str, low: str, high: str) -> str:
        """Returns the sign of a sum over a letter."""
        return self.choose(
            rf"\sum_{{{letter}={low}}}^{{{high}}} ",
            f"Σ[{letter}={low}..{high}] ",
            f"sum[{letter}={low}..{high}] ",
        )

    def number(self, value: float) -> str:
        """Returns a number to six digits."""
        if isinstance(value, Slot):
            return value.mark
        text = shown(value)
        if self.style == "latex" and "e" in text:
            digits, _, exponent = text.partition("e")
            return rf"{digits} \cdot 10^{{{int(exponent)}}}"
        if text == "-0":
            return "0"
        return text.replace("inf", self.choose(r"\infty", "∞", "inf"))

    def dots(self) -> str:
        """Returns the sign for what is left out."""
        return self.choose(r"\cdots", "…", "...")


def _bracketed(factor: str) -> str:
    """Returns a factor in parentheses where it is negative."""
    if len(factor) == 1 and FIRST_SLOT <= ord(factor) <= LAST_SLOT:
        return chr(ord(factor) + 1)
    return f"({factor})" if factor.startswith("-") else factor


def outside_brackets(text: str) -> str:
    """Returns what of a text stands outside all brackets and braces."""
    depth, kept = 0, []
    for sign in text:
        depth -= sign in ")]}"
        if depth == 0:
            kept.append(sign)
        depth += sign in "([{"
    return "".join(kept)


def spaced(count: int, between: str = " ") -> str:
    """Returns a whole number with its digits in groups of three.

    Example:
        >>> spaced(1234567)
        '1 234 567'
    """
    return f"{count:,}".replace(",", between)


def shown(value: float, figures: int = 6) -> str:
    """Returns a number's first figures, rounded from ten as documents have it: a page and its words say the same.

    Example:
        >>> shown(-1.0555750000000002), shown(-1.055575), shown(1.5e-7)
        ('-1.05557', '-1.05557', '1.5e-07')
    """
    return f"{float(f'{value:.10g}'):.{figures}g}"


def all_shown(values: Iterable[float]) -> str:
    """Returns numbers as :func:`shown` has each, with spaces between them, in a fraction of the time.

    Example:
        >>> all_shown([-1.0555750000000002, 0.0, 1.5e-7])
        '-1.05557 0 1.5e-07'
    """
    given = tuple(values)
    pattern = " ".join(["%.10g"] * len(given))
    rounded = tuple(map(float, (pattern % given).split()))
    return pattern.replace("10", "6") % rounded


def lowered(number: int) -> str:
    """Returns a whole number as Unicode's lower digits.

    Example:
        >>> lowered(12)
        '₁₂'
    """
    return str(number).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


class Spelling:
    """The three spellers of one notation and network."""

    def __init__(self, notation: Notation, layout: Layout) -> None:
        self._latex, self._unicode, self._ascii = (
            Speller(style, notation, layout) for style in ("latex", "unicode", "ascii")
        )

    def __call__(self, build: Callable[[Speller], str]) -> Math:
        """Returns what a function says in each of the three styles."""
        return Math(build(self._latex), build(self._unicode), build(self._ascii))

    def q(self, quantity: Quantity) -> Math:
        """Returns a quantity's name."""
        return self(lambda s: s.q(quantity))

    def d(self, of: Quantity, by: Quantity) -> Math:
        """Returns a derivative."""
        return self(lambda s: s.d(of, by))

    def number(self, value: float) -> Math:
        """Returns a number."""
        return self(lambda s: s.number(value))
