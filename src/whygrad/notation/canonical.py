"""The one spelling that all ways to write a name share."""

import re
from functools import cache
from typing import NamedTuple

from whygrad.errors import EquationError

GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "eta": "η", "theta": "θ",
    "lambda": "λ", "mu": "μ", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "psi": "ψ", "omega": "ω",
    "Delta": "Δ", "Theta": "Θ", "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω",
}  # fmt: skip
SIGNS = {"sum": "Σ", "partial": "∂", "ell": "ℓ"}
WORDS = {sign: word for word, sign in (GREEK | SIGNS).items()} | {"∑": "sum"}
_SAME = {
    r"\%": "%",
    r"\#": "#",
    r"\&": "&",
    "−": "-",
    "‚": ",",
    "ℒ": "L",
    "ŷ": "haty",
    "′": "'",
    "𝜕": "partial",
}
ABOVE = dict(zip("0123456789+-()LTijkln", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ᴸᵀⁱʲᵏˡⁿ", strict=True))
BELOW = dict(zip("0123456789+-()aehijklmnoprstuvx,", "₀₁₂₃₄₅₆₇₈₉₊₋₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ,", strict=True))
FROM_ABOVE = {sign: plain for plain, sign in ABOVE.items()}
FROM_BELOW = {sign: plain for plain, sign in BELOW.items() if plain != ","}
# Commands that change how a name looks and not what it is.
_LOOKS = {
    "mathbf", "mathrm", "mathit", "mathtt", "mathsf", "mathcal", "mathscr", "boldsymbol", "bm", "vec",
    "operatorname", "displaystyle", "text", "textrm", "textbf", "texttt", "textit",
    "left", "right", "big", "bigl", "bigr",
}  # fmt: skip
_CLOSING = {"{": "}", "(": ")", "[": "]"}
_LONGEST_NAME = 400
_DEEPEST_BRACKET = 20


class Piece(NamedTuple):
    """A piece of a canonical spelling and where it stood in the text."""

    text: str
    position: int


@cache
def _tokens() -> re.Pattern[str]:
    above, below = "".join(FROM_ABOVE), "".join(FROM_BELOW)
    return re.compile(
        r"(?P<slot><\w+>)|(?P<command>\\[A-Za-z]+)"
        r"|(?P<space>\\[,;:!> ]|[\s~$\u200b\u2009]+|\\[()\[\]](?=\s*$)|^\\[(\[])"
        r"|(?P<escaped>\\.)|(?P<word>[A-Za-z]+)|(?P<number>[0-9]+)"
        rf"|(?P<above>[{above}]+)|(?P<below>[{below}](?:[,‚]?[{below}])*)|(?P<sign>.)"
    )


class _Reader:
    """Reads a text into canonical pieces: no looks, no spaces, superscript first, scripts in braces."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [
            (match.lastgroup or "", match.group(), match.start()) for match in _tokens().finditer(text)
        ]
        self.at = 0
        self.deep = 0

    def kind(self) -> str:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else "end"

    def value(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def sequence(self, closing: str = "") -> list[Piece]:
        """Reads up to the closing sign (or the end) and over it."""
        self.deep += 1
        if self.deep > _DEEPEST_BRACKET:
            raise EquationError(
                "scripts are nested too deeply for a name", self.text, self.tokens[self.at - 1][2]
            )
        pieces: list[Piece] = []
        scripts: dict[str, list[Piece]] = {}
        start = self.tokens[self.at - 1][2] if closing else 0
        depth: list[int] = []

        def flush() -> None:
            for mark in "^_":
                pieces.extend(scripts.pop(mark, ()))

        while self.at < len(self.tokens):
            kind, value, position = self.tokens[self.at]
            if value == closing and not depth:
                break
            self.at += 1
            if kind == "space":
                continue
            if value == "{":
                depth.append(position)
                continue
            if value == "}":
                if not depth:
                    raise EquationError("this brace closes nothing", self.text, position)
                depth.pop()
                continue
            mark, script = self.script(kind, value, position)
            if mark:
                if mark in scripts:
                    flush()
                scripts[mark] = script
                continue
            words = self.words(kind, value)
            if words:
                flush()
                pieces.append(Piece(words, position))
        if depth or (closing and self.at == len(self.tokens)):
            raise EquationError("this bracket is never closed", self.text, depth[-1] if depth else start)
        self.at += 1
        self.deep -= 1
        flush()
        return pieces

    def words(self, kind: str, value: str) -> str:
        """Returns the canonical spelling of one token that is no script."""
        if kind in ("command", "word"):
            word = value.removeprefix("\\")
            opens = self.value() in _CLOSING
            # A bare word is a look only where a brace follows it: `text` may be somebody's name.
            return "" if word in _LOOKS and (kind == "command" or opens) else word
        return WORDS.get(value) or _SAME.get(value) or value

    def script(self, kind: str, value: str, position: int) -> tuple[str, list[Piece]]:
        """Returns the mark and the pieces, from mark to closing brace, where the token starts a script."""
        if kind in ("above", "below"):
            table = FROM_ABOVE if kind == "above" else FROM_BELOW
            plain = "".join(table.get(sign, ",") for sign in value)
            mark = "^" if kind == "above" else "_"
            inside = [Piece(plain, position)]
        elif value in ("^", "_", r"\_"):
            mark = value[-1]
            inside = self.group(mark, position)
        else:
            return "", []
        bare = "".join(piece.text for piece in inside)
        if bare[:1] in "([" and bare and _spans(bare):
            inside = _trimmed(inside)
        return mark, [Piece(mark + "{", position), *inside, Piece("}", position)]

    def group(self, mark: str, position: int) -> list[Piece]:
        """Reads what stands in a script: a group in brackets, or a bare run of letters and digits."""
        while self.kind() == "space" or (
            self.kind() == "command" and self.value().removeprefix("\\") in _LOOKS
        ):
            self.at += 1
        kind, value = self.kind(), self.value()
        if kind == "end":
            raise EquationError(f"nothing follows the {mark}", self.text, position)
        self.at += 1
        if value == "{":
            return self.spaced(self.sequence("}"))
        at = self.tokens[self.at - 1][2]
        if value in ("(", "["):
            return [
                Piece(value, at),
                *self.spaced(self.sequence(_CLOSING[value])),
                Piece(_CLOSING[value], at),
            ]
        pieces = [Piece(self.words(kind, value), at)]
        # Without braces LaTeX takes one sign; people who type `w_03`, `out_h1` or `w^0_0,3` mean all of them.
        while self.kind() in ("number", "word", "slot") and kind in ("number", "word", "slot"):
            pieces.append(Piece(self.value(), self.tokens[self.at][2]))
            self.at += 1
        following = self.tokens[self.at : self.at + 2]
        if mark == "_" and len(following) == 2 and following[0][1] == "," and following[1][0] == "number":
            pieces += [Piece(",", following[0][2]), Piece(following[1][1], following[1][2])]
            self.at += 2
        return pieces

    def spaced(self, pieces: list[Piece]) -> list[Piece]:
        """Returns the pieces with a comma between two numbers that only a space kept apart."""
        out: list[Piece] = []
        for piece in pieces:
            if out and out[-1].text.isdigit() and piece.text.isdigit():
                out.append(Piece(",", piece.position))
            out.append(piece)
        return out


def _spans(text: str) -> bool:
    """Returns whether the first bracket of the text is closed by its last sign."""
    depth = 0
    for at, sign in enumerate(text):
        depth += (sign in "([") - (sign in ")]")
        if depth == 0:
            return at == len(text) - 1
    return False


def _trimmed(pieces: list[Piece]) -> list[Piece]:
    """Returns the pieces of a script without the brackets around all of it."""
    first, last = pieces[0], pieces[-1]
    if first is last:
        return [Piece(first.text[1:-1], first.position + 1)]
    return [Piece(first.text[1:], first.position), *pieces[1:-1], Piece(last.text[:-1], last.position)]


def pieces(text: str) -> list[Piece]:
    """Returns the canonical pieces of a name, with the position of each in the text.

    Raises:
        EquationError: a bracket is not closed, or nothing follows a `^` or `_`.
    """
    if len(text) > _LONGEST_NAME:
        message = f"a name has at most {_LONGEST_NAME} signs; this has {len(text)}"
        raise EquationError(message, text, _LONGEST_NAME)
    # An underscore inside of typewriter letters; spaces without width keep the positions as they are.
    text = _typewriter().sub(lambda match: "_".ljust(len(match.group()), "\u200b"), text)
    return _Reader(text).sequence()


@cache
def _typewriter() -> re.Pattern[str]:
    return re.compile(r"\}\\?_\\?texttt\{")


def canonical(text: str) -> str:
    r"""Returns the one spelling that all ways to write a name share.

    Superscript before subscript, both in braces; no spaces, backslashes or brackets around a whole script.

    Example:
        >>> canonical(r"\delta_{j}^{(l)}"), canonical("δ^l_j"), canonical("delta^l_j")
        ('delta^{l}_{j}', 'delta^{l}_{j}', 'delta^{l}_{j}')
        >>> canonical("W2[0][1]"), canonical("w⁰₀,₃"), canonical(r"\mathbf{w}^{0}_{0, 3}")
        ('W2[0,1]', 'w^{0}_{0,3}', 'w^{0}_{0,3}')
    """
    return "".join(piece.text for piece in pieces(text)).replace("][", ",")
