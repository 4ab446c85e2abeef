"""Cuts an equation's text into tokens for the grammar: LaTeX, copies without backslashes, Unicode and ASCII alike.

Which letters belong to one name hangs on what names there are, so the scanner asks the vocabulary.
"""

import re
from typing import Any, NamedTuple

from whygrad.equation.names import Name, NameReader
from whygrad.equation.tree import Function, Index, Kronecker, Ref, Symbol
from whygrad.equation.vocabulary import Vocabulary
from whygrad.errors import EquationError
from whygrad.notation.canonical import FROM_ABOVE, FROM_BELOW

LONGEST = 20_000
MOST_TOKENS = 4_000
DEEPEST = 40
LONGEST_NUMBER = 40


class Token(NamedTuple):
    """A token of the grammar: its type, what it stands for, and where it is."""

    type: str
    value: Any
    start: int
    end: int


_SKIPPED = re.compile(
    r"(?:[\s~$&\u200b\u2009\u00a0\u2062\u2061]+|\\[,;:!> ]|\\(?:quad|qquad|displaystyle|textstyle|limits|nonumber|notag"
    r"|thinspace"
    r"|middle|hfill|cal|bf|rm|it|left|right|[bB]igg?[lr]?)(?![A-Za-z])\.?|\\[\[\]()]"
    r"|\\(?:begin|end)\{(?:aligned|align|equation|gather|gathered|split|eqnarray|displaymath|math|multline|alignedat)\*?\}"
    r"|\\(?:label|tag|color|vspace|hspace|phantom)\{[^{}]*\})"
)
_COMMANDS: dict[str, tuple[str, str]] = {
    "cdot": ("MUL", "·"), "times": ("MUL", "×"), "ast": ("MUL", "*"), "star": ("MUL", "*"), "bullet": ("MUL", "⊙"),
    "odot": ("MUL", "⊙"), "circ": ("MUL", "⊙"), "otimes": ("MUL", "⊗"), "div": ("SLASH", "/"),
    "equiv": ("REL", "="), "approx": ("REL", "="), "simeq": ("REL", "="), "coloneqq": ("REL", ":="),
    "triangleq": ("REL", "="),
    "leftarrow": ("REL", "←"), "gets": ("REL", "←"), "Leftarrow": ("REL", "←"), "longleftarrow": ("REL", "←"),
    "cdots": ("DOTS", "…"), "ldots": ("DOTS", "…"), "dots": ("DOTS", "…"), "dotsb": ("DOTS", "…"),
    "gt": ("COMPARE", ">"), "lt": ("COMPARE", "<"), "geq": ("COMPARE", ">"), "leq": ("COMPARE", "<"),
    "lbrace": ("LPAR", "("), "rbrace": ("RPAR", ")"), "lbrack": ("LPAR", "("), "rbrack": ("RPAR", ")"),
    "partial": ("DIFF", "∂"), "sum": ("SUM", "Σ"), "nabla": ("NABLA", "∇"), "prime": ("PRIME", "'"),
}  # fmt: skip
_SIGNS: dict[str, tuple[str, str]] = {
    "+": ("PLUS", "+"), "-": ("MINUS", "-"), "−": ("MINUS", "-"), "–": ("MINUS", "-"), "*": ("MUL", "*"),
    "⋅": ("MUL", "·"),
    "·": ("MUL", "·"), "•": ("MUL", "⊙"), "×": ("MUL", "×"), "⊙": ("MUL", "⊙"), "∘": ("MUL", "⊙"), "⊗": ("MUL", "⊗"),
    "∗": ("MUL", "*"), "@": ("MUL", "@"), "/": ("SLASH", "/"), "÷": ("SLASH", "/"), "∕": ("SLASH", "/"),
    "=": ("REL", "="), "≡": ("REL", "="), "≈": ("REL", "="), "≔": ("REL", ":="), "←": ("REL", "←"),
    "(": ("LPAR", "("), ")": ("RPAR", ")"), "[": ("LPAR", "("), "]": ("RPAR", ")"),
    "∂": ("DIFF", "∂"), "𝜕": ("DIFF", "∂"), "Σ": ("SUM", "Σ"), "∑": ("SUM", "Σ"),
    ">": ("COMPARE", ">"), "<": ("COMPARE", "<"), "≥": ("COMPARE", ">"), "≤": ("COMPARE", "<"),
    "…": ("DOTS", "…"), "⋯": ("DOTS", "…"), ",": ("COMMA", ","), ";": ("COMMA", ","),
    "'": ("PRIME", "'"), "′": ("PRIME", "'"),
}  # fmt: skip
_LONG_SIGNS = {":=": ("REL", ":="), "==": ("REL", "="), "<-": ("REL", "←"), "...": ("DOTS", "…"), "-=": ("REL", "-="),
               "+=": ("REL", "+="), ".*": ("MUL", "⊙"), "**": ("POW", "^"),
               "\\{": ("LPAR", "("), "\\}": ("RPAR", ")")}  # fmt: skip
_FRACTIONS = frozenset({"frac", "dfrac", "tfrac", "cfrac", "nicefrac", "sfrac"})
_LOOKS = frozenset(
    {"mathbf", "mathrm", "mathit", "mathsf", "mathtt", "mathcal", "boldsymbol", "bm", "boxed", "operatorname", "text",
     "textbf", "textrm", "textit", "texttt", "underbrace", "overbrace", "underline", "overline", "mathop", "vec"}
)  # fmt: skip
WORDS = frozenset(_COMMANDS) | _FRACTIONS | {"sqrt", "left", "right", "quad", "lVert", "rVert"}
_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+(?![0-9.]))?")
_OPTION = re.compile(r"(?:axis|dim)\s*=\s*-?[01]|(?:keepdims|keepdim)\s*=\s*(?:True|False)")
_EQUAL = re.compile(
    r"(?:\\mathbb\s*\{?[1I]\}?|\\mathbf\s*\{?1\}?|1|𝟙)\s*(?:_?\\?[\[({])\s*([a-z])\s*=\s*([a-z])\s*\\?[\])}]"
)
_COMMENT = re.compile(
    r"\s*(?:,|;|\.)?\s*(?:\\(?:quad|qquad|text|mathrm|;|,|\s)|\s)*\{?\s*(?:\\forall\b|∀|for\s+(?:all|every|each)\b).*",
    re.S,
)
_DIFFERENTIAL = r"(?:\\(?:mathrm|text)\s*\{\s*d\s*\}|\\partial(?![A-Za-z])|partial|∂|𝜕|d)"


class Scanner:
    """Cuts one text into tokens."""

    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        if len(text) > LONGEST:
            raise EquationError(
                f"an equation has at most {LONGEST:,} signs; this has {len(text):,}", text, LONGEST
            )
        self.text = text
        self.names = NameReader(text, vocabulary)
        self.vocabulary = vocabulary
        self.tokens: list[Token] = []
        self.deep = 0

    def scan(self) -> list[Token]:
        """Returns the tokens of the whole text."""
        end = len(self.text.rstrip())
        body = re.compile(r"(?:\s|\$|\\[\])]|\\end\{(?!cases)\w+\*?\}|[.,;]|\\\\)*\Z").search(self.text)
        if body is not None:
            end = body.start()
        comment = re.compile(_COMMENT.pattern, re.S)
        for match in re.finditer(r"\\forall\b|∀|\bfor\s+(?:all|every|each)\b|\\text\s*\{\s*for\b", self.text):
            found = comment.match(self.text, _before(self.text, match.start()))
            end = min(end, _before(self.text, match.start())) if found or match else end
            break
        self.range(0, end)
        return self.tokens

    def fail(self, message: str, at: int) -> EquationError:
        """Returns an error that points at a place."""
        return EquationError(message, self.text, at)

    def emit(self, kind: str, value: Any, start: int, end: int) -> None:
        """Adds a token."""
        if len(self.tokens) >= MOST_TOKENS:
            raise self.fail(f"an equation has at most {MOST_TOKENS:,} signs and names", start)
        self.tokens.append(Token(kind, value, start, end))

    def range(self, at: int, end: int) -> None:
        """Cuts a part of the text."""
        self.deep += 1
        if self.deep > DEEPEST:
            raise self.fail("brackets are nested too deeply", at)
        depth = 0
        while at < end:
            skipped = _SKIPPED.match(self.text, at, end)
            if skipped is not None:
                at = skipped.end()
                continue
            if len(self.tokens) and self.tokens[-1].type == "LPAR":
                depth += 1
            at = self.one(at, end)
        self.deep -= 1

    def one(self, at: int, end: int) -> int:
        """Cuts one token (or a fraction, or a name with all that belongs to it); returns where it ends."""
        text, sign = self.text, self.text[at]
        equal = _EQUAL.match(text, at, end)
        if equal is not None:
            self.indicator(equal.group(1), "=", equal.group(2), at, equal.end())
            return equal.end()
        if text.startswith("\\begin{cases}", at):
            return self.cases(at, end)
        for long, (kind, value) in _LONG_SIGNS.items():
            if text.startswith(long, at):
                self.emit(kind, value, at, at + len(long))
                return at + len(long)
        if text.startswith("\\\\", at):
            self.emit("NEXT", "\\\\", at, at + 2)
            return at + 2
        number = _NUMBER.match(text, at, end)
        if number is not None:
            if len(number.group()) > LONGEST_NUMBER:
                raise self.fail(f"a number has at most {LONGEST_NUMBER} digits", at)
            if abs(float(number.group())) > 1e100:
                raise self.fail("a number is at most 1e100", at)
            self.emit("NUMBER", number.group(), at, number.end())
            return number.end()
        if sign == "." and self.vocabulary.code:
            return self.method(at, end)
        if sign == "^" or sign in FROM_ABOVE:
            return self.raised(at, end)
        if sign == "{":
            close = closing(text, at, end)
            if close is None:
                raise self.fail("this brace is never closed", at)
            self.braced(at, close)
            return close + 1
        word = re.compile(r"\\?([A-Za-z]+)").match(text, at, end)
        handled = self.command(at, end, word) if word is not None else None
        if handled is not None:
            return handled
        if text.startswith("\\|", at) or sign == "‖":
            return self.norm(at, at + (1 if sign == "‖" else 2))
        if sign == "∇":
            return self.nabla(at, at + 1, end)
        if sign in _SIGNS and sign not in "'′":
            if sign in "Σ∑":
                return self.sum(at, at + 1, end)
            self.emit(*_SIGNS[sign], at, at + 1)
            return at + 1
        if sign == "." and re.compile(r"\.(?:T\b|dot\(|t\(\)|sum\()").match(text, at, end):
            return self.method(at, end)
        return self.name(at, end)

    def braced(self, start: int, close: int) -> None:
        """Cuts what stands in braces."""
        self.emit("LBRACE", "{", start, start + 1)
        self.range(start + 1, close)
        self.emit("RBRACE", "}", close, close + 1)

    def command(self, at: int, end: int, word: "re.Match[str]") -> int | None:
        """Cuts a command, with or without its backslash; None where the letters are (part of) a name."""
        slash = word.group().startswith("\\")
        whole, stop = word.group(1), word.end()
        if self.names.declared(at, end):
            return None
        candidates = [whole] if slash else [whole[:length] for length in range(len(whole), 1, -1)]
        known = self.vocabulary.heads
        for name in candidates:
            rest = whole[len(name) :]
            stop = word.end() - len(rest)
            if not slash and (whole in known or (rest and name not in WORDS)):
                continue
            if name in _FRACTIONS:
                return self.fraction(stop, end, at)
            if name == "sum":
                return self.sum(at, stop, end)
            if name == "nabla":
                return self.nabla(at, stop, end)
            if name in ("lVert", "rVert", "Vert"):
                return self.norm(at, stop)
            if name in _COMMANDS:
                self.emit(*_COMMANDS[name], at, stop)
                return stop
            if name in ("left", "right"):
                return stop
            if name == "sqrt" and self.text[stop : stop + 1] == "{":
                self.emit("BARE", Function("sqrt"), at, stop)
                return stop
            if name in ("underbrace", "overbrace") and self.text[stop : stop + 1] == "{":
                return self.under(stop, end)
            if slash and name == "textcolor":
                return self.next_group(stop, end)[1] + 1
            if slash and name in _LOOKS:
                return self.look(at, stop, end)
        return None

    def indicator(self, first: str, sign: str, second: str, at: int, end: int) -> None:
        """Puts in 1 where two indices are equal (or different), else 0."""
        pair = [self.vocabulary._neuron(label) for label in (first, second)]
        if pair[0] is None or pair[1] is None:
            raise self.fail("two indices were expected", at)
        symbol = Symbol((at, end), self.text[at:end], (Kronecker(pair[0], pair[1]),))
        if sign == "=":
            self.emit("NAME", symbol, at, end)
            return
        self.emit("LPAR", "(", at, at)
        self.emit("NUMBER", "1", at, at)
        self.emit("MINUS", "-", at, at)
        self.emit("NAME", symbol, at, end)
        self.emit("RPAR", ")", end, end)

    def cases(self, at: int, end: int) -> int:
        """Cuts `\\begin{cases}`: each value times 1 where its condition is true."""
        start = at + len("\\begin{cases}")
        stop = self.text.find("\\end{cases}", start, end)
        if stop < 0:
            raise self.fail("\\begin{cases} is never ended", at)
        self.emit("LPAR", "(", at, at)
        place = start
        rows = re.split(r"\\\\", self.text[start:stop])
        for number, row in enumerate(row for row in rows if row.strip()):
            place = self.text.index(row, place)
            value, mark, condition = row.partition("&")
            bare = re.sub(r"\\(?:text|mathrm)\s*\{\s*(?:if|for|when)?\s*(.*?)\}", r"\1", condition)
            bare = re.sub(r"\\[,;: ]|\bif\b|\bfor\b", " ", bare).strip(" ,.")
            equal = re.fullmatch(r"([a-z]|[0-9]+)\s*(=|\\neq?|≠|!=)\s*([a-z]|[0-9]+)", bare)
            greater = re.search(r">|\\gt|<|\\lt|\\le|\\ge|≤|≥", bare)
            if not mark or not (equal or greater or (number == 1 and bare in ("otherwise", "else"))):
                raise self.fail("a condition such as i = j or z > 0 was expected after &", place)
            if number:
                self.emit("PLUS", "+", place, place)
            self.emit("LPAR", "(", place, place)
            self.range(place, place + len(value))
            self.emit("RPAR", ")", place + len(value), place + len(value))
            self.emit("MUL", "·", place, place)
            low, high = place + len(value) + 1, place + len(row)
            if equal is not None:
                self.indicator(
                    equal.group(1), "=" if equal.group(2) == "=" else "≠", equal.group(3), low, high
                )
                before = equal
            elif greater is not None:
                condition_at = self.text.index(bare, low) if bare in self.text[low:high] else low
                self.emit("LPAR", "(", low, low)
                self.range(condition_at, condition_at + len(bare))
                self.emit("RPAR", ")", high, high)
                before, span = greater, (condition_at, condition_at + len(bare))
            elif before.re.groups == 3:
                self.indicator(
                    before.group(1), "≠" if before.group(2) == "=" else "=", before.group(3), low, high
                )
            else:
                self.emit("LPAR", "(", low, low)
                self.emit("NUMBER", "1", low, low)
                self.emit("MINUS", "-", low, low)
                self.emit("LPAR", "(", low, low)
                self.range(*span)
                self.emit("RPAR", ")", high, high)
                self.emit("RPAR", ")", high, high)
            place += len(row)
        self.emit("RPAR", ")", stop, stop)
        return stop + len("\\end{cases}")

    def nabla(self, at: int, stop: int, end: int) -> int:
        """Cuts `\\nabla_a` with what the gradient is by; a bare `a` is the output layer's."""
        self.emit("NABLA", "∇", at, stop)
        mark = re.compile(r"\s*_").match(self.text, stop, end)
        if mark is None:
            raise self.fail("a gradient says by what it is taken: \\nabla_a C", at)
        lo, hi, place = self.script_group(mark.end(), end)
        inside = self.text[lo:hi].strip()
        self.emit("LBRACE", "{", lo, lo)
        if inside == self.vocabulary.notation.templates["a"][0].head[:1]:
            meaning = Ref("a", Index(None, self.vocabulary.layout.depth), array=True)
            self.emit("NAME", Symbol((lo, hi), inside, (meaning,)), lo, hi)
        else:
            self.range(lo, hi)
        self.emit("RBRACE", "}", hi, hi)
        return place

    def norm(self, at: int, stop: int) -> int:
        """Cuts one of the two signs of a norm."""
        opened = sum((token.type == "NORM") - (token.type == "NORMED") for token in self.tokens)
        self.emit("NORMED" if opened else "NORM", "‖", at, stop)
        return stop

    def look(self, at: int, stop: int, end: int) -> int | None:
        """Cuts `\\mathbf{w_4}`, whose command changes only looks; None where it is one name (`\\mathbf{W}`)."""
        start, close = self.next_group(stop, end)
        inside = self.text[start + 1 : close]
        if self.text[at:stop] == "\\boxed" or re.search(r"[\^_'+*/=()-]|\\", inside):
            self.braced(start, close)
            return close + 1
        if self.text[at:stop] in ("\\text", "\\mathrm") and inside.strip() == "d":
            self.emit("DIFF", "∂", at, close + 1)
            return close + 1
        return None

    def under(self, at: int, end: int) -> int:
        """Cuts what stands over a brace, and passes over what the brace says."""
        start, close = self.next_group(at, end)
        self.braced(start, close)
        label = re.compile(r"\s*[_^]\s*(?=\{)").match(self.text, close + 1, end)
        return self.next_group(label.end(), end)[1] + 1 if label is not None else close + 1

    def next_group(self, at: int, end: int) -> tuple[int, int]:
        """Returns where the braces of the group that follows are."""
        while at < end and self.text[at].isspace():
            at += 1
        close = closing(self.text, at, end) if self.text[at : at + 1] == "{" else None
        if close is None:
            raise self.fail("a group in braces was expected", min(at, len(self.text)))
        return at, close

    def fraction(self, at: int, end: int, start: int) -> int:
        """Cuts a fraction; `\\frac12` and `\\frac{dC}{dw}` too."""
        groups: list[tuple[int, int, bool]] = []
        for _ in range(2):
            while at < end and self.text[at].isspace():
                at += 1
            if self.text[at : at + 1] == "{":
                close = closing(self.text, at, end)
                if close is None:
                    raise self.fail("this brace is never closed", at)
                groups.append((at + 1, close, True))
                at = close + 1
                continue
            match = re.compile(r"\\[A-Za-z]+|[^\s{}]").match(self.text, at, end)
            if match is None:
                raise self.fail("a fraction needs something above and below its line", min(at, end - 1))
            groups.append((at, match.end(), False))
            at = match.end()
        (above, above_end, _), (below, below_end, _) = groups
        derived = all(self._differential(lo, hi) for lo, hi in ((above, above_end), (below, below_end)))
        self.emit("FRAC", "/", start, at)
        for lo, hi, _ in groups:
            self.emit("LBRACE", "{", lo, lo)
            first = re.compile(r"\s*" + _DIFFERENTIAL).match(self.text, lo, hi) if derived else None
            if first is not None:
                self.emit("DIFF", "∂", first.start(), first.end())
                lo = first.end()
            self.range(lo, hi)
            self.emit("RBRACE", "}", hi, hi)
        return at

    def _differential(self, lo: int, hi: int) -> bool:
        match = re.compile(r"\s*" + _DIFFERENTIAL).match(self.text, lo, hi)
        if match is None:
            return False
        plain_d = match.group().strip() == "d"
        # `d` may be a name of its own: then only `d` with something after it is a differential.
        return not (plain_d and self.names.declared(lo + len(match.group()) - 1, hi, exact="d"))

    def sum(self, at: int, stop: int, end: int) -> int:
        """Cuts a sum sign with its bounds; `\\sum C`, where that is a name, as the name."""
        after = re.compile(r"\s*(?:\\?(?:limits|nolimits)(?![A-Za-z]))?\s*").match(self.text, stop, end)
        place = after.end() if after else stop
        if self.text[place : place + 1] not in ("_", "^") and self.text[place : place + 1] not in FROM_BELOW:
            name = self.names.total_after_sum(at, place, end)
            if name is not None:
                self.emit("NAME", name.symbol, at, name.end)
                return name.end
        below, above = "", ""
        below_at = place
        for _ in range(2):
            mark = self.text[place : place + 1]
            if mark in ("_", "^"):
                lo, hi, next_place = self.script_group(place + 1, end)
                if mark == "_":
                    below, below_at = self.text[lo:hi], lo
                else:
                    above = self.text[lo:hi]
                place = next_place
            elif mark and mark in FROM_BELOW:
                run = re.compile("[" + "".join(map(re.escape, FROM_BELOW)) + "]+").match(
                    self.text, place, end
                )
                assert run is not None
                below, below_at = "".join(FROM_BELOW[sign] for sign in run.group()), place
                place = run.end()
        self.emit("SUM", (below, above, below_at), at, place)
        return place

    def script_group(self, at: int, end: int) -> tuple[int, int, int]:
        """Returns the inside of a script that starts after its mark, and where the text goes on."""
        while at < end and self.text[at].isspace():
            at += 1
        if self.text[at : at + 1] in ("{", "("):
            close = closing(self.text, at, end)
            if close is None:
                raise self.fail("this bracket is never closed", at)
            return at + 1, close, close + 1
        match = re.compile(r"\\[A-Za-z]+|[A-Za-z]=[0-9]+|[0-9]+|[A-Za-z](?:\s*=\s*[0-9]+)?|[^\s]").match(
            self.text, at, end
        )
        if match is None:
            raise self.fail("something was expected after this", max(at - 1, 0))
        return at, match.end(), match.end()

    def raised(self, at: int, end: int) -> int:
        """Cuts what is raised after a bracket: a power, a transpose, or the sign of a step."""
        if self.text[at] in FROM_ABOVE:
            run = re.compile("[" + "".join(map(re.escape, FROM_ABOVE)) + "]+").match(self.text, at, end)
            assert run is not None
            content = "".join(FROM_ABOVE[sign] for sign in run.group())
            return self._decorate(content, at, run.end(), None)
        lo, hi, stop = self.script_group(at + 1, end)
        return self._decorate(self.text[lo:hi], at, stop, (lo, hi))

    def _decorate(self, content: str, at: int, stop: int, place: tuple[int, int] | None) -> int:
        kind = decoration(content)
        if kind == "power":
            self.emit("POW", "^", at, at + 1)
            self.emit("LBRACE", "{", at, at)
            if place is None:
                self.emit("NUMBER", content, at, stop)
            else:
                self.range(*place)
            self.emit("RBRACE", "}", stop, stop)
        else:
            self.emit(kind, content, at, stop)
        return stop

    def method(self, at: int, end: int) -> int:
        """Cuts `.T`, `.dot(` and their like."""
        match = re.compile(r"\.(T\b|t\(\)|transpose\(\)|dot|mm|matmul|sum|mul)").match(self.text, at, end)
        if match is None:
            raise self.fail("a method that can be read was expected: .T, .dot( ), .mm( ), .sum( )", at)
        if match.group(1)[0] in "Tt":
            self.emit("TRANSPOSE", "T", at, match.end())
        else:
            self.emit("METHOD", Function(match.group(1)), at, match.end())
        return match.end()

    def name(self, at: int, end: int) -> int:
        """Cuts a name with its scripts and what is attached to it."""
        keyword = re.compile(r"(?:axis|dim)\s*=\s*-?[01]|(?:keepdims|keepdim)\s*=\s*(?:True|False)").match(
            self.text, at, end
        )
        if keyword is not None:
            self.emit("OPTION", "".join(keyword.group().split()), at, keyword.end())
            return keyword.end()
        change = re.compile(r"\\?(?:Delta|Δ)\s*(?=[A-Za-z\\])|Δ\s*").match(self.text, at, end)
        if change is not None and not self.names.declared(at, end):
            self.emit("CHANGE", "Δ", at, change.end())
            return change.end()
        if self._inline_differential(at, end):
            self.emit("DIFF", "∂", at, at + 1)
            return at + 1
        name = self.names.at(at, end)
        if isinstance(name.symbol, Function):
            opening = re.compile(r"\s*(?:\\left|\\[bB]igg?l?)?\s*[(\[]|\s*\\left\s*\\?\{|\s*\\\{").match(
                self.text, name.end, end
            )
            self.emit("CALL" if opening else "BARE", name.symbol, at, name.end)
            return name.end
        self.emit("NAME", name.symbol, at, name.end)
        for kind, start, stop, content in name.decorations:
            if kind == "digit":
                self._decorate(content or "", start, stop, None)
            elif kind == "power":
                raised = self.text[start] == "^"
                self._decorate(content or "", start, stop, (start + 1, stop) if raised else None)
            else:
                self.emit(kind, content, start, stop)
        return self.arguments_of(name, end)

    def arguments_of(self, name: Name, end: int) -> int:
        """Passes over the arguments of a cost: `J(W, b; x, y)`."""
        if isinstance(name.symbol, Symbol) and re.match(r"h_\{?(?:\\theta|[A-Z],\s*b)", name.symbol.text):
            match = re.compile(r"\s*\([^()=+]*\)").match(self.text, name.end, end)
            return match.end() if match is not None else name.end
        if name.cost:
            match = re.compile(r"\s*\([^()=+]*[,;][^()=+]*\)").match(self.text, name.end, end)
            if match is not None:
                return match.end()
        return name.end

    def _inline_differential(self, at: int, end: int) -> bool:
        """Returns whether a `d` here is that of `dC/dw`."""
        match = re.compile(r"d\s*(?=[A-Za-z\\α-ωΑ-Ω])").match(self.text, at, end)
        if match is None or (self.tokens and self.tokens[-1].type == "DIFF"):
            return False
        after = self.tokens[-1].type if self.tokens else ""
        if after == "SLASH":
            # The second half: the first was one.
            opened = [token.type for token in self.tokens[-4:]]
            return "DIFF" in opened
        try:
            name = self.names.at(match.end(), end)
        except EquationError:
            return False
        return re.compile(r"\s*/\s*\(?\s*d\s*[A-Za-z\\α-ω]").match(self.text, name.end, end) is not None


def decoration(content: str) -> str:
    """Returns what something raised is: TRANSPOSE, UPDATED, PLAIN (as before a step) or a power."""
    bare = re.sub(r"\\(?:mathsf|mathrm|text|mathit)\s*\{(.*)\}", r"\1", content.strip()).strip().strip("()")
    if bare in ("T", "\\top", "\\intercal", "⊤", "t\\r", "\\mathsf T", "tr", "\\mathrm T", "top"):
        return "TRANSPOSE"
    if bare in ("+", "new", "neu", "t+1", "n+1", "k+1") and bare not in ("n+1", "k+1"):
        return "UPDATED"
    if bare in ("old", "t"):
        return "PLAIN"
    return "power"


def closing(text: str, at: int, end: int) -> int | None:
    """Returns where the bracket that opens at a place is closed."""
    pair = {"{": "}", "(": ")", "[": "]"}[text[at]]
    depth = 0
    escaped = False
    for place in range(at, end):
        sign = text[place]
        if escaped:
            escaped = False
            continue
        if sign == "\\":
            escaped = True
            continue
        depth += (sign == text[at]) - (sign == pair)
        if depth == 0:
            return place
    return None


def _before(text: str, at: int) -> int:
    """Returns where the comma and the spaces before a place start."""
    match = re.compile(r"(?:\s|,|;|\\(?:quad|qquad|text|;|,| )|\{|\()*\Z").search(text, 0, at)
    return match.start() if match is not None else at
