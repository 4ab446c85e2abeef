r"""How the name of a quantity is spelled: templates that both print names and read them back.

A template such as `w^{<from>}_{<to>,<layer>}` is the only place where a notation says how a name looks.
`Template.latex`, `.text`, `.unicode` and `.identifier` print it; `Template.readings` reads it. Templates and names go
through the same `canonical` spelling, so that whatever a person may vary (braces, spaces, the order of the scripts,
a lost backslash, Unicode) is taken out of both before they are compared.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple

from whygrad.errors import EquationError

_GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "eta": "η", "theta": "θ",
    "lambda": "λ", "mu": "μ", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "psi": "ψ", "omega": "ω",
    "Delta": "Δ", "Theta": "Θ", "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω",
}  # fmt: skip
_SIGNS = {"sum": "Σ", "partial": "∂", "ell": "ℓ"}
_WORDS = {sign: word for word, sign in (_GREEK | _SIGNS).items()} | {"∑": "sum"}
_SAME = {"−": "-", "‚": ",", "ℒ": "L", "ŷ": "haty", "′": "'", "𝜕": "partial"}
_ABOVE = dict(zip("0123456789+-()LTijkln", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ᴸᵀⁱʲᵏˡⁿ", strict=True))
_BELOW = dict(zip("0123456789+-()aehijklmnoprstuvx,", "₀₁₂₃₄₅₆₇₈₉₊₋₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ,", strict=True))
_FROM_ABOVE = {sign: plain for plain, sign in _ABOVE.items()}
_FROM_BELOW = {sign: plain for plain, sign in _BELOW.items() if plain != ","}
# Commands that change how a name looks and not what it is.
_LOOKS = frozenset(
    "mathbf mathrm mathit mathtt mathsf mathcal mathscr boldsymbol bm text textrm textbf texttt textit "
    "operatorname displaystyle vec left right bigl bigr big limits".split()
)
_CLOSING = {"{": "}", "(": ")", "[": "]"}
_LONGEST_NAME = 400
_DEEPEST_BRACKET = 20


class Piece(NamedTuple):
    """A piece of a canonical spelling and where it stood in the text."""

    text: str
    position: int


@cache
def _tokens() -> re.Pattern[str]:
    above, below = "".join(_FROM_ABOVE), "".join(_FROM_BELOW)
    return re.compile(
        r"(?P<slot><\w+>)|(?P<command>\\[A-Za-z]+)|(?P<space>\\[,;:!> ]|[\s~$\u200b\u2009]+|\\[()\[\]](?=\s*$)|^\\[(\[])"
        r"|(?P<escaped>\\.)|(?P<word>[A-Za-z]+)|(?P<number>[0-9]+)"
        rf"|(?P<above>[{above}]+)|(?P<below>[{below}](?:[,‚]?[{below}])*)|(?P<sign>.)"
    )


class _Reader:
    """Reads a text into canonical pieces: looks and spaces dropped, superscript before subscript, scripts in braces."""

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
        return _WORDS.get(value) or _SAME.get(value) or value

    def script(self, kind: str, value: str, position: int) -> tuple[str, list[Piece]]:
        """Returns the mark and the pieces, from mark to closing brace, where the token starts a script."""
        if kind in ("above", "below"):
            table = _FROM_ABOVE if kind == "above" else _FROM_BELOW
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
        raise EquationError(
            f"a name has at most {_LONGEST_NAME} signs; this has {len(text)}", text, _LONGEST_NAME
        )
    return _Reader(text).sequence()


def canonical(text: str) -> str:
    r"""Returns the one spelling that all ways to write a name share.

    Superscript before subscript, both in braces; no spaces, backslashes or brackets that only set a script apart.

    Example:
        >>> canonical(r"\delta_{j}^{(l)}"), canonical("δ^l_j"), canonical("delta^l_j")
        ('delta^{l}_{j}', 'delta^{l}_{j}', 'delta^{l}_{j}')
        >>> canonical("W2[0][1]"), canonical("w⁰₀,₃"), canonical(r"\mathbf{w}^{0}_{0, 3}")
        ('W2[0,1]', 'w^{0}_{0,3}', 'w^{0}_{0,3}')
    """
    return "".join(piece.text for piece in pieces(text)).replace("][", ",")


@cache
def _atom() -> re.Pattern[str]:
    return re.compile(r"(?:(?P<digits>[0-9]+)|n_\{l\}|n_\{L\}|ell|[A-Za-z])'*(?:[+-](?:[0-9]+|[A-Za-z]))?")


class Template:
    r"""One spelling of one kind of quantity: letters, with slots such as `<layer>` where the indices stand.

    Two slots side by side (`_{<to><from>}`) are printed without a comma as long as every index has one sign.

    Example:
        >>> weight = Template("w^{<layer>}_{<to><from>}")
        >>> weight.latex({"layer": "3", "to": "1", "from": "2"}), weight.latex({"layer": "3", "to": "11", "from": "2"})
        ('w^3_{12}', 'w^3_{11,2}')
        >>> list(weight.readings(canonical("w_{jk}^{l+1}")))
        [{'layer': 'l+1', 'to': 'j', 'from': 'k'}]
    """

    __slots__ = ("_items", "code", "parts", "source")

    def __init__(self, source: str, code: bool = False) -> None:
        self.source = source
        self.code = code
        self.parts = _slots().split(source)
        self._items: tuple[str, ...] | None = None

    @property
    def items(self) -> tuple[str, ...]:
        """The canonical template, cut up: literal texts, slots (`<layer>`) and commas that may be left out (`,?`)."""
        if self._items is None:
            items: list[str] = []
            inside = ""
            for part in re.split(r"(<\w+>|[\^_]\{|\}|,)", canonical(self.source)):
                if part in ("^{", "_{"):
                    inside = part
                elif part == "}":
                    inside = ""
                if part.startswith("<") and items and items[-1].startswith("<"):
                    items.append(",?")
                if part:
                    items.append(",?" if part == "," and inside else part)
            self._items = tuple(items)
        return self._items

    @property
    def head(self) -> str:
        """The letters that the name starts with."""
        return self.items[0]

    def filled(self, values: Mapping[str, str], between: str = ",") -> str:
        """Returns the source with its slots filled.

        Args:
            values: slot -> text.
            between: what stands between two slots that nothing or a comma parts. A comma stands only where it is needed.
        """
        parts = self.parts
        out = parts[0]
        for at in range(1, len(parts), 2):
            value, follows = values[parts[at]], parts[at + 1]
            out += value
            if at + 2 < len(parts) and follows in ("", ","):
                long = len(value) > 1 or len(values[parts[at + 2]]) > 1
                out += (between if follows == "" and long else follows) if between == "," else between
            else:
                out += follows
        return out

    def latex(self, values: Mapping[str, str]) -> str:
        """Returns LaTeX for a formula; names of program code in typewriter letters."""
        name = self.filled(values)
        if self.code:
            return r"\mathtt{" + name.replace("_", r"\_").replace(", ", ",") + "}"
        return _without_needless_braces(name)

    def text(self, values: Mapping[str, str]) -> str:
        """Returns what a person types."""
        name = self.filled(values)
        return name if self.code else plain(_without_needless_braces(name))

    def unicode(self, values: Mapping[str, str]) -> str:
        """Returns a short form for the terminal, with superscripts, subscripts and Greek letters."""
        name = self.filled(values)
        return name if self.code else short(name)

    def identifier(self, values: Mapping[str, str], wide: bool) -> str:
        """Returns a Python identifier; `wide` where some index of the network may have two digits."""
        return identifier(self.filled(values, "_" if wide else ""))

    def readings(self, name: str) -> Iterator[dict[str, str]]:
        """Yields every way to read a canonical name by this template: slot -> the text that stands there."""
        if name.startswith(self.head) or self.head.startswith("<"):
            yield from _readings(self.items, 0, name, 0, {})


@cache
def _slots() -> re.Pattern[str]:
    return re.compile(r"<(\w+)>")


def _readings(
    items: tuple[str, ...], item: int, name: str, at: int, found: dict[str, str]
) -> Iterator[dict[str, str]]:
    if item == len(items):
        if at == len(name):
            yield found
        return
    part = items[item]
    if part == ",?":
        yield from _readings(items, item + 1, name, at + (name[at : at + 1] == ","), found)
    elif not part.startswith("<"):
        if name.startswith(part, at):
            yield from _readings(items, item + 1, name, at + len(part), found)
    else:
        match = _atom().match(name, at)
        if match is None:
            return
        # "111" may be 1 and 11, or 11 and 1: every end is tried. A sum such as "l+1" is taken whole.
        bare = match.group("digits") == match.group()
        ends = range(at + 1, match.end() + 1) if bare else (match.end(),)
        for end in ends:
            yield from _readings(items, item + 1, name, end, found | {part[1:-1]: name[at:end]})


def _without_needless_braces(latex: str) -> str:
    return re.sub(r"([\^_])\{([A-Za-z0-9])\}", r"\1\2", latex)


def plain(latex: str) -> str:
    r"""Returns a LaTeX name as one types it without a backslash.

    Example:
        >>> plain(r"\delta^{(2)}_1"), plain(r"\mathcal{L}^1"), plain(r"\sum C")
        ('delta^{(2)}_1', 'L^1', 'sum C')
    """
    latex = re.sub(r"\\(?:math\w+|operatorname|text\w*)\{([^{}]*)\}", r"\1", latex)
    return re.sub(r"\\([A-Za-z]+)", r"\1", latex)


def short(latex: str) -> str:
    r"""Returns a LaTeX name in Unicode; scripts that have no raised or lowered signs stay as they are typed.

    Example:
        >>> short("w^0_{0,3}"), short(r"\delta^{(2)}_{11}"), short("W^{[2]}_{11}"), short("a^{(L-1)}_0")
        ('w⁰₀,₃', 'δ⁽²⁾₁₁', 'W^[2]₁₁', 'a⁽ᴸ⁻¹⁾₀')
    """

    def script(match: re.Match[str]) -> str:
        mark, inside = match.group(1), match.group(2).strip("{}")
        table = _ABOVE if mark == "^" else _BELOW
        if all(sign in table for sign in inside):
            return "".join(table[sign] for sign in inside)
        return mark + (inside if inside[0] in "([" or len(inside) == 1 else "{" + inside + "}")

    latex = latex.replace(r"\hat{y}", "ŷ").replace(r"\sum ", "Σ")
    latex = re.sub(r"\\(?:math\w+|operatorname|text\w*)\{([^{}]*)\}", r"\1", latex)
    latex = re.sub(
        r"\\([A-Za-z]+)", lambda match: (_GREEK | _SIGNS).get(match.group(1), match.group(1)), latex
    )
    return re.sub(r"([\^_])(\{[^{}]*\}|[^{}])", script, latex)


def identifier(name: str) -> str:
    r"""Returns a Python identifier that reads like the name.

    Example:
        >>> identifier("w^{0}_{03}"), identifier("out_{h1}"), identifier(r"\hat{y}_1"), identifier("W2[0, 1]")
        ('w0_03', 'out_h1', 'y_hat_1', 'W2_0_1')
    """
    name = re.sub(r"\\?hat\{(\w+)\}", r"\1_hat", plain(name))
    for sign, word in _WORDS.items():
        name = name.replace(sign, word)
    name = name.replace("^", "")
    for table in (_FROM_ABOVE, _FROM_BELOW):
        for sign, flat in table.items():
            name = name.replace(sign, flat)
    name = re.sub(r"\W+", "_", name.replace("{", "").replace("}", "").replace("'", "_prime")).strip("_")
    return name if name[:1].isalpha() else "q_" + name


def typeset(name: str) -> str:
    r"""Returns LaTeX for a name that a person wrote: words upright, Greek letters with their backslash.

    Example:
        >>> typeset("out_{h1}"), typeset("E_{total}"), typeset("delta_{o1}"), typeset("wᵢⱼ"), typeset("w_5")
        ('\\mathrm{out}_{h1}', 'E_{\\mathrm{total}}', '\\delta_{o1}', 'w_{ij}', 'w_5')
    """
    if "\\" in name:
        return name

    def word(match: re.Match[str]) -> str:
        letters, follows = match.groups()
        if letters == "haty":
            return r"\hat{y}" + follows
        if letters in _GREEK:
            return f"\\{letters}" + (" " if follows.isalnum() else "") + follows
        upright = len(letters) > 2 or (len(letters) == 2 and match.start() == 0)
        return (rf"\mathrm{{{letters}}}" if upright else letters) + follows

    return _without_needless_braces(re.sub(r"([A-Za-z]+)(.?)", word, canonical(name)))
