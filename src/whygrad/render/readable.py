"""LaTeX formulas as Unicode on one line, as a terminal shows them; every sign knows where it came from."""

import re
from typing import NamedTuple

from whygrad.derive.spelling import outside_brackets
from whygrad.notation.canonical import ABOVE, BELOW, FROM_ABOVE, FROM_BELOW, GREEK

_SIGNS = {
    "partial": "∂", "nabla": "∇", "cdot": " · ", "times": " × ", "odot": " ⊙ ", "circ": " ∘ ", "otimes": " ⊗ ",
    "bullet": " ⊙ ", "ast": " * ", "star": " * ", "div": " / ", "leftarrow": " ← ", "gets": " ← ", "to": " → ",
    "rightarrow": " → ", "longrightarrow": " → ", "mapsto": " ↦ ", "Rightarrow": " ⇒ ", "implies": " ⇒ ",
    "equiv": " ≡ ",
    "approx": " ≈ ", "neq": " ≠ ", "ne": " ≠ ", "leq": " ≤ ", "le": " ≤ ", "geq": " ≥ ", "ge": " ≥ ", "gt": " > ",
    "lt": " < ", "in": " ∈ ", "forall": "∀", "cdots": " ⋯ ", "ldots": "…", "dots": "…", "infty": "∞", "prime": "′",
    "ell": "ℓ", "quad": "  ", "qquad": "  ", "top": "ᵀ", "intercal": "ᵀ", "therefore": "∴ ",
    "lVert": "‖", "rVert": "‖", "Vert": "‖", "varphi": "φ", "triangleq": " ≜ ", "coloneqq": " := ",
}  # fmt: skip
_COMMANDS = {sign.strip(): f"\\{name} " for name, sign in reversed((_SIGNS | GREEK).items()) if not sign.isascii()} | {
    "Σ": "\\sum ", "∑": "\\sum ", "−": "-", "′": "'", "ŷ": "\\hat{y}", "⋅": "\\cdot ", "•": "\\odot ",
    "ℒ": "\\mathcal{L}", "𝜕": "\\partial ", "…": "\\dots ", "√": "\\surd ",
}  # fmt: skip
_FRACTIONS = frozenset({"frac", "dfrac", "tfrac", "cfrac", "nicefrac"})
_LOOKS = frozenset(
    {"mathbf", "mathrm", "mathit", "mathsf", "mathtt", "mathcal", "mathbb", "mathscr", "boldsymbol", "bm", "boxed",
     "operatorname", "text", "textbf", "textrm", "textit", "texttt", "underline", "overline", "mathop", "vec", "mbox"}
)  # fmt: skip
_FUNCTIONS = frozenset(
    {"log", "ln", "exp", "tanh", "sinh", "cosh", "sin", "cos", "max", "min", "softmax", "relu"}
)
_DROPPED = frozenset(
    {"left", "right", "big", "bigl", "bigr", "Big", "Bigl", "Bigr", "bigg", "displaystyle", "textstyle", "limits",
     "nonumber", "notag", "cal", "bf", "rm", "it", "mathopen", "mathclose", "middle"}
)  # fmt: skip
_ARGUMENT_DROPPED = frozenset(
    {"label", "tag", "color", "textcolor", "begin", "end", "vspace", "hspace", "phantom"}
)
_HATS = {"hat": "\u0302", "widehat": "\u0302", "bar": "\u0304", "tilde": "\u0303"}
_LOST = re.compile(r"(?<![A-Za-z\\])(?:[dtc]?frac\s*\{|partial)")


class Piece(NamedTuple):
    """Some signs, and where in the source they stand."""

    text: str
    start: int
    end: int


def is_latex(text: str) -> bool:
    """Returns whether a formula is LaTeX, or a copy of it that lost its backslashes."""
    return "\\" in text or _LOST.search(text) is not None


def restored(text: str, *, words: bool = False) -> str:
    r"""Returns LaTeX with the backslashes that a copy lost; with `words`, Greek letters that were typed out too.

    Example:
        >>> restored("frac{partialsum C}{partial a^0_3} = delta^0_3"), restored("delta^0_3", words=True)
        ('\\frac{\\partial\\sum C}{\\partial a^0_3} = \\delta^0_3', '\\delta^0_3')
    """
    text = _typeset(text)
    if not words and _LOST.search(text) is None:
        return text
    text = re.sub(r"(?<![A-Za-z\\])partial(?=sum)", r"\\partial\\", text)
    known = (*_FRACTIONS, *GREEK, *_SIGNS, "sum", "left", "right", "log", "exp")
    every = "|".join(sorted(known, key=len, reverse=True))
    return re.sub(rf"(?<![A-Za-z\\])({every})(?![a-zA-Z])", r"\\\1", text)


def _typeset(text: str) -> str:
    """Returns LaTeX for the Unicode signs in a formula."""
    if text.isascii():
        return text
    above, below = ("[" + re.escape("".join(table)) + "]" for table in (FROM_ABOVE, FROM_BELOW))

    def script(found: "re.Match[str]") -> str:
        signs = found.group()
        table, mark = (FROM_ABOVE, "^") if signs[0] in FROM_ABOVE else (FROM_BELOW, "_")
        return mark + "{" + "".join(table.get(sign, sign) for sign in signs) + "}"

    text = re.sub(rf"{above}+|{below}(?:,?{below})*", script, text)
    return "".join(_COMMANDS.get(sign, sign) for sign in text)


def readable(latex: str, *, always: bool = False) -> list[Piece]:
    r"""Returns a formula as Unicode; text that is no LaTeX stays as it is, but for `always`.

    Example:
        >>> shown(r"\frac{\partial C^0}{\partial a^0_1}=\sum_{j=0}^{2}\frac{\partial C^0}{\partial a^j_2}w^0_{j,2}")
        '∂C⁰/∂a⁰₁ = Σ[j=0..2] ∂C⁰/∂aʲ₂ · w⁰ⱼ,₂'
        >>> shown(r"\delta^l = ((w^{l+1})^T \delta^{l+1}) \odot \sigma'(z^l)")
        'δˡ = ((wˡ⁺¹)ᵀ δˡ⁺¹) ⊙ σ′(zˡ)'
        >>> shown("frac{partial C^1}{partial a^0_2} = dC^1/da")
        '∂C¹/∂a⁰₂ = dC¹/da'
    """
    if not always and not is_latex(latex):
        return [Piece(latex, 0, len(latex))]
    lost = always or _LOST.search(latex) is not None
    return _spaced(_Converter(latex, lost).range(0, len(latex)))


def shown(latex: str, *, always: bool = False) -> str:
    """Returns a formula as one text."""
    return "".join(piece.text for piece in readable(latex, always=always)).strip()


class _Converter:
    def __init__(self, text: str, lost: bool) -> None:
        self.text = text
        self.lost = lost
        self.after = 0

    def range(self, at: int, end: int) -> list[Piece]:
        made: list[Piece] = []
        while at < end:
            pieces, at = self.one(at, end)
            made += pieces
        return made

    def one(self, at: int, end: int) -> tuple[list[Piece], int]:
        text = self.text
        if text.startswith("\\\\", at):
            return [Piece("\n", at, at + 2)], at + 2
        command = re.compile(r"\\([A-Za-z]+)\s?").match(text, at, end)
        if command is None and self.lost and (at in (0, self.after) or not text[at - 1].isalpha()):
            words = "|".join(sorted((*_FRACTIONS, *GREEK, "partial", "sum", "cdot", "odot", "times", "left", "right"),
                                    key=len, reverse=True))  # fmt: skip
            command = re.compile(rf"({words})(?![a-z])\s?|(partial)(?=sum)").match(text, at, end)
        if command is not None:
            self.after = command.end()
            return self.command(command.group(1) or command.group(2), at, command.end(), end)
        sign = text[at]
        if sign == "\\" and at + 1 < end:
            kept = text[at + 1 : at + 2].replace("|", "‖")
            space = " " if kept in ",:; " else ""
            return [Piece(space if kept in ",;:!>[]() " else kept, at, at + 2)], at + 2
        if sign in "^_":
            return self.script(sign, at, end)
        if sign == "{":
            close = self.closing(at, end)
            return self.range(at + 1, close), close + 1
        if sign in "$}&\\":
            return [Piece("", at, at + 1)], at + 1
        if sign == "'":
            return [Piece("′", at, at + 1)], at + 1
        return [Piece(" " if sign.isspace() or sign == "~" else sign, at, at + 1)], at + 1

    def command(self, name: str, at: int, stop: int, end: int) -> tuple[list[Piece], int]:
        text = self.text
        if name in _FRACTIONS:
            return self.fraction(at, stop, end)
        if name == "sum":
            return self.sum(at, stop, end)
        if name in _ARGUMENT_DROPPED:
            while stop < end and text[stop] in "*{[" and (text[stop] == "*" or self.closing(stop, end) < end):
                stop = stop + 1 if text[stop] == "*" else self.closing(stop, end) + 1
            return [Piece("", at, stop)], stop
        if name in ("underbrace", "overbrace"):
            pieces, stop = self.group(stop, end)
            label = re.compile(r"\s*[_^]\s*").match(text, stop, end)
            return pieces, self.group(label.end(), end)[1] if label is not None else stop
        if name in _HATS:
            pieces, stop = self.group(stop, end)
            inside = "".join(piece.text for piece in pieces)
            hatted = "ŷ" if inside == "y" and name == "hat" else inside + _HATS[name]
            return [Piece(hatted, at, stop)], stop
        if name == "sqrt":
            pieces, stop = self.group(stop, end)
            return [Piece("√(", at, at + 1), *pieces, Piece(")", stop - 1, stop)], stop
        if name in _LOOKS:
            return self.group(stop, end)
        if name in _DROPPED:
            dot = stop + (name in ("left", "right") and text[stop : stop + 1] == ".")
            return [Piece("", at, dot)], dot
        if name in _FUNCTIONS:
            called = re.compile(r"\s*(?:\\left\s*)?[(\[^_]|\s*\\[bB]igg?l?").match(text, stop, end)
            return [Piece(f" {name}" if called else f" {name} ", at, stop)], stop
        sign = _SIGNS.get(name) or GREEK.get(name)
        return [Piece(sign if sign is not None else name + " ", at, stop)], stop

    def group(self, at: int, end: int) -> tuple[list[Piece], int]:
        """Returns what stands in the braces that follow, or the one sign."""
        while at < end and self.text[at].isspace():
            at += 1
        if at >= end:
            return [], end
        if self.text[at] == "{":
            close = self.closing(at, end)
            return self.range(at + 1, close), min(close + 1, end)
        return self.one(at, end)

    def closing(self, at: int, end: int) -> int:
        opened, closed = self.text[at], {"{": "}", "[": "]"}[self.text[at]]
        depth = 0
        for place in range(at, end):
            depth += (self.text[place] == opened) - (self.text[place] == closed)
            if depth == 0:
                return place
        return end

    def fraction(self, at: int, stop: int, end: int) -> tuple[list[Piece], int]:
        above, stop = self.group(stop, end)
        below, stop = self.group(stop, end)

        def enclosed(pieces: list[Piece], below: bool) -> list[Piece]:
            text = "".join(piece.text for piece in pieces).strip()
            simple = re.fullmatch(r"[^\s()]+|\([^()]*\)|Σ\S+", text) is not None
            loose = re.search(r"[-+=/]|\s·\s", outside_brackets(text)) is not None or (below and not simple)
            if not loose or text.startswith("∂"):
                return pieces
            return [Piece("(", at, at), *pieces, Piece(")", stop, stop)]

        return [
            Piece("\u2063", at, at),
            *enclosed(_trimmed(above), False),
            Piece("/", at, stop),
            *enclosed(_trimmed(below), True),
            Piece("\u2063", stop, stop),
        ], stop

    def sum(self, at: int, stop: int, end: int) -> tuple[list[Piece], int]:
        scripts = {"_": "", "^": ""}
        place = stop
        for _ in range(2):
            mark = re.compile(r"(?:\\limits)?\s*([_^])").match(self.text, place, end)
            if mark is None:
                break
            pieces, place = self.group(mark.end(), end)
            scripts[mark.group(1)] = "".join(piece.text for piece in pieces).replace(" ", "")
        below, above = scripts["_"], scripts["^"]
        if not below and not above:
            return [Piece("Σ", at, stop)], stop
        if above:
            shown_ = f"Σ[{below}..{above}] "
        elif all(sign in BELOW for sign in below):
            shown_ = "Σ" + "".join(BELOW[sign] for sign in below) + " "
        else:
            shown_ = f"Σ[{below}] "
        return [Piece(shown_, at, place)], place

    def script(self, mark: str, at: int, end: int) -> tuple[list[Piece], int]:
        pieces, stop = self.group(at + 1, end)
        inside = "".join(piece.text for piece in pieces).replace(" ", "")
        table = ABOVE if mark == "^" else BELOW
        if mark == "^" and inside in ("ᵀ", "′", "T"):
            return [Piece("ᵀ" if inside == "T" else inside, at, stop)], stop
        if inside and all(sign in table for sign in inside) and not (inside.isalpha() and len(inside) > 2):
            return [Piece("".join(table[sign] for sign in inside), at, stop)], stop
        bare = inside.isalnum() or inside[:1] in ("[", "(")
        return [Piece(mark + (inside if bare else f"{{{inside}}}"), at, stop)], stop


def _trimmed(pieces: list[Piece]) -> list[Piece]:
    made = list(pieces)
    while made and not made[0].text.strip():
        made.pop(0)
    while made and not made[-1].text.strip():
        made.pop()
    if made:
        made[-1] = made[-1]._replace(text=made[-1].text.rstrip())
    return made


def _spaced(pieces: list[Piece]) -> list[Piece]:
    """Returns the pieces with even spaces: around relations and signs, and a dot beside a fraction on one line."""
    made: list[Piece] = []

    def last() -> str:
        return next((piece.text[-1] for piece in reversed(made) if piece.text), "")

    edge = False
    for text, start, end in pieces:
        if text == "\u2063":
            # Where a fraction starts or ends.
            if edge or (
                (last() and last() in ")]}") or last().isalnum() or last() in "′ᵀ⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉"
            ):
                edge = True
            continue
        bare = text.strip(" ")
        if not bare:
            if text and last() not in (" ", "\n", "", "(", "["):
                made.append(Piece(" ", start, end))
            continue
        if bare[0] in ")]" and last() == " ":
            made[-1] = made[-1]._replace(text=made[-1].text.rstrip(" "))
        if edge:
            joins = bare[0].isalnum() or bare[0] in "([{∂√∇Σ‖"
            if joins and last() not in "([{/·*×⊙∘=+-−←→, \n":
                made.append(Piece(" · ", start, start))
            elif joins and last() == " " and _operand(made):
                made[-1] = made[-1]._replace(text="")
                made.append(Piece(" · ", start, start))
            edge = False
        if bare in ("=", "+", "-", "−", "*", "≡", "≈", ":="):
            unary = bare in "+-−" and (last() in "([{/·*×⊙∘=" or not _operand(made))
            before = "" if last() in (" ", "\n", "") or (unary and last() in "([{") else " "
            made.append(Piece(before + bare + ("" if unary else " "), start, end))
            continue
        if text.startswith(" ") and last() in (" ", "\n", "", "(", "["):
            text = text.lstrip(" ")
        made.append(Piece(text, start, end))
        edge = False
    return made


def _operand(made: list[Piece]) -> bool:
    text = "".join(piece.text for piece in made[-6:]).rstrip()
    return bool(text) and text[-1] not in "([{/·*×⊙∘=+-−←→,\n"
