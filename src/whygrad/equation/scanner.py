"""Cuts an equation's text into tokens for the grammar: LaTeX, copies without backslashes, Unicode and ASCII alike.

Which letters belong to one name hangs on what names there are, so the scanner asks the vocabulary.
"""

import re
from typing import Any

from whygrad.equation.conditions import beside
from whygrad.equation.fractions import braced, fraction, halves
from whygrad.equation.indicators import cases, indicator
from whygrad.equation.names import Name, NameReader
from whygrad.equation.raised import decorate, method, raised, raised_function, to_the
from whygrad.equation.scripts import closing
from whygrad.equation.tokens import (
    COMMANDS,
    DEEPEST,
    FRACTIONS,
    LONG_SIGNS,
    LONGEST,
    LONGEST_NUMBER,
    LOOKS,
    MOST_TOKENS,
    NUMBER,
    OPTION,
    SIGNS,
    SKIPPED,
    WORDS,
    Token,
)
from whygrad.equation.tree import Function, Index, Ref, Symbol
from whygrad.equation.vocabulary import Vocabulary
from whygrad.errors import EquationError
from whygrad.notation.canonical import FROM_ABOVE, FROM_BELOW

_OUTER = re.compile(
    r"\s*(?:\\(?:boxed|fbox|displaystyle|textstyle|ensuremath|mathbf|color\s*\{\w+\})?\s*)?\{"
)
_ONE_EXAMPLE = re.compile(r"\s*\([^()=+]*[,;]\s*x\^\{?\(([a-z])\)\}?\s*[,;]\s*y\^\{?\(\1\)\}?\s*\)")
_WORD = re.compile(r"\\?([A-Za-z]+)")


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
        self.brackets = 0
        self.bars = 0

    def scan(self) -> list[Token]:
        """Returns the tokens of the whole text."""
        start, end = 0, len(self.text)
        while True:
            body = re.compile(
                r"(?:\s|\$|\\[\])]|\\end\{(?!cases)\w+\*?\}|(?<![.…])[.,;]|\\\\|\\tag\{[^{}]*\})*\Z"
            ).search(self.text, start, end)
            end = body.start() if body is not None else end
            # Braces or a box around the whole equation are looks.
            outer = _OUTER.match(self.text, start, end)
            if outer is None or closing(self.text, outer.end() - 1, end) != end - 1:
                break
            start, end = outer.end(), end - 1
        self.range(start, end)
        return self.tokens

    def fail(self, message: str, at: int) -> EquationError:
        """Returns an error that points at a place."""
        return EquationError(message, self.text, at)

    def emit(self, kind: str, value: Any, start: int, end: int) -> None:
        """Adds a token."""
        if len(self.tokens) >= MOST_TOKENS:
            raise self.fail(f"an equation has at most {MOST_TOKENS:,} signs and names", start)
        self.brackets += (kind == "LPAR") - (kind == "RPAR")
        if self.brackets > DEEPEST:
            raise self.fail("brackets are nested too deeply", start)
        self.tokens.append(Token(kind, value, start, end))

    def range(self, at: int, end: int) -> None:
        """Cuts a part of the text."""
        self.deep += 1
        if self.deep > DEEPEST:
            raise self.fail("brackets are nested too deeply", at)
        before = at
        while at < end:
            skipped = SKIPPED.match(self.text, at, end)
            if skipped is not None:
                at = skipped.end()
                continue
            said = self.beside(before, at, end) if self.deep == 1 else None
            at = before = self.one(at, end) if said is None else said
        self.deep -= 1

    def beside(self, before: int, at: int, end: int) -> int | None:
        """Passes over words and conditions that stand beside an equation; None where there are none."""
        if self.names.declared(at, end) or (self.tokens and self.tokens[-1].type == "REL"):
            return None
        related = any(token.type == "REL" for token in self.tokens)
        found = beside(self.text, at, end, self.text[before:at], related)
        if found is None:
            return None
        stop, conditions, joins = found
        if joins:
            self.emit("NEXT", "and", at, stop)
        for condition in conditions:
            self.emit("WHERE", condition, at, stop)
        return stop

    def one(self, at: int, end: int) -> int:
        """Cuts one token (or a fraction, or a name with all that belongs to it); returns where it ends."""
        text, sign = self.text, self.text[at]
        stop = indicator(self, at, end)
        if stop is not None:
            return stop
        if text.startswith("\\begin{cases}", at):
            return cases(self, at, end)
        if text.startswith("**", at):
            return to_the(self, at, end)
        for long, (kind, value) in LONG_SIGNS.items():
            if text.startswith(long, at):
                self.emit(kind, value, at, at + len(long))
                return at + len(long)
        if text.startswith("\\\\", at):
            self.emit("NEXT", "\\\\", at, at + 2)
            return at + 2
        number = NUMBER.match(text, at, end)
        if number is not None:
            if len(number.group()) > LONGEST_NUMBER:
                raise self.fail(f"a number has at most {LONGEST_NUMBER} digits", at)
            if abs(float(number.group())) > 1e100:
                raise self.fail("a number is at most 1e100", at)
            self.emit("NUMBER", number.group(), at, number.end())
            return number.end()
        if sign == "." and self.vocabulary.code:
            return method(self, at, end)
        if sign == "^" or sign in FROM_ABOVE:
            return raised(self, at, end)
        if sign == "{":
            close = closing(text, at, end)
            if close is None:
                raise self.fail("this brace is never closed", at)
            braced(self, at, close)
            return close + 1
        if sign == "(":
            half = halves(self, at, end)
            if half is not None:
                return half
        word = _WORD.match(text, at, end)
        handled = self.command(at, end, word) if word is not None else None
        if handled is not None:
            return handled
        if text.startswith("\\|", at) or sign == "‖":
            return self.norm(at, at + (1 if sign == "‖" else 2))
        if sign == "|":
            return self.bar(at, at + 1)
        if sign == "∇":
            return self.nabla(at, at + 1, end)
        if sign in SIGNS and sign not in "'′":
            if sign in "Σ∑":
                return self.sum(at, at + 1, end)
            self.emit(*SIGNS[sign], at, at + 1)
            return at + 1
        if sign == "." and re.compile(r"\.(?:T\b|dot\(|t\(\)|sum\()").match(text, at, end):
            return method(self, at, end)
        return self.name(at, end)

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
            if name in FRACTIONS:
                return fraction(self, stop, end, at)
            if name == "sum":
                return self.sum(at, stop, end)
            if name == "nabla":
                return self.nabla(at, stop, end)
            if name in ("lvert", "rvert", "vert"):
                return self.bar(at, stop)
            if name in ("lVert", "rVert", "Vert"):
                return self.norm(at, stop)
            if name in COMMANDS and (slash or name != "to"):
                self.emit(*COMMANDS[name], at, stop)
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
            if slash and name in ("overset", "stackrel"):
                start, close = self.next_group(self.next_group(stop, end)[1] + 1, end)
                self.range(start + 1, close)
                return close + 1
            if slash and name in LOOKS:
                return self.look(at, stop, end)
        return None

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

    def bar(self, at: int, stop: int) -> int:
        """Cuts one of the two bars of an absolute value."""
        self.bars += 1
        if self.bars % 2:
            self.emit("CALL", Function("abs"), at, at)
            self.emit("LPAR", "(", at, stop)
        else:
            self.emit("RPAR", ")", at, stop)
        return stop

    def look(self, at: int, stop: int, end: int) -> int | None:
        """Cuts `\\mathbf{w_4}`, whose command changes only looks; None where it is one name (`\\mathbf{W}`)."""
        start, close = self.next_group(stop, end)
        inside = self.text[start + 1 : close]
        if self.text[at:stop] == "\\boxed" or re.search(r"[\^_'+*/=()-]|\\", inside):
            braced(self, start, close)
            return close + 1
        if self.text[at:stop] in ("\\text", "\\mathrm") and inside.strip() == "d":
            self.emit("DIFF", "∂", at, close + 1)
            return close + 1
        return None

    def under(self, at: int, end: int) -> int:
        """Cuts what stands over a brace, and passes over what the brace says."""
        start, close = self.next_group(at, end)
        braced(self, start, close)
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

    def name(self, at: int, end: int) -> int:
        """Cuts a name with its scripts and what is attached to it."""
        keyword = OPTION.match(self.text, at, end)
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
            if name.decorations:
                return raised_function(self, name, opening, at, end)
            self.emit("CALL" if opening else "BARE", name.symbol, at, name.end)
            return name.end
        self.emit("NAME", name.symbol, at, name.end)
        for kind, start, stop, content in name.decorations:
            if kind == "digit":
                decorate(self, content or "", start, stop, None)
            elif kind == "power":
                raised = self.text[start] == "^"
                decorate(self, content or "", start, stop, (start + 1, stop) if raised else None)
            else:
                self.emit(kind, content, start, stop)
        return self.arguments_of(name, end)

    def arguments_of(self, name: Name, end: int) -> int:
        """Passes over the arguments of a cost: `J(W, b; x, y)`."""
        if isinstance(name.symbol, Symbol) and re.match(r"h_\{?(?:\\theta|[A-Z],\s*b)", name.symbol.text):
            match = re.compile(r"\s*\([^()=+]*\)").match(self.text, name.end, end)
            return match.end() if match is not None else name.end
        if name.cost:
            single = _ONE_EXAMPLE.match(self.text, name.end, end)
            if single is not None:
                cost = Ref("total", example=Index("(" + single.group(1) + ")", 0))
                last = self.tokens.pop()
                symbol = Symbol((last.start, last.end), self.text[last.start : last.end], (cost,))
                self.emit("NAME", symbol, last.start, last.end)
                return single.end()
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
