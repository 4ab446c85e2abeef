"""Finds the names in an equation's text: which letters, scripts and brackets belong to one name."""

import re
from typing import NamedTuple

from whygrad.equation.functions import ACTIVATION_LETTERS, MATRIX_FUNCTIONS, SPELLINGS
from whygrad.equation.scripts import Decoration, Script, Variant, scripts_after, variants
from whygrad.equation.tree import Function, Meaning, Number, Power, Ref, Stands, Symbol
from whygrad.equation.vocabulary import Vocabulary, quantity_of, spelling
from whygrad.errors import EquationError
from whygrad.notation.canonical import GREEK
from whygrad.notation.quantity import exists

_GREEK = {sign: word for word, sign in GREEK.items()}
_LOOK = re.compile(
    r"\\(?:mathbf|mathrm|mathit|mathsf|mathtt|mathcal|boldsymbol|bm|operatorname|text|textbf|textrm|texttt|textit|vec"
    r"|mathscr)\s*\{\s*(\\?[A-Za-z_ .\[\]0-9,]+?)\s*\}"
)
_HAT = re.compile(r"\\?(?:hat|widehat|bar|tilde)\s*\{?\s*([A-Za-z]|\\[a-z]+)\s*\}?")


class Name(NamedTuple):
    """A name that was found: what it may mean, where it ends, and what is attached to it."""

    symbol: Symbol | Function
    end: int
    decorations: tuple[Decoration, ...] = ()

    @property
    def cost(self) -> bool:
        """Whether it is a cost."""
        return isinstance(self.symbol, Symbol) and any(
            isinstance(meaning, Ref) and meaning.kind in ("C", "total") for meaning in self.symbol.meanings
        )


class NameReader:
    """Finds names in one text."""

    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        self.text = text
        self.vocabulary = vocabulary
        self._found: dict[tuple[int, int], Name] = {}
        record = vocabulary.notation.record.names
        # Where layers stand in brackets, a bare raised number is a power.
        self._bracketed = any("^{(<layer>)}" in source or "^{[<layer>]}" in source for source in record["a"])

    def declared(self, at: int, end: int, exact: str | None = None) -> bool:
        """Returns whether one of the person's own names starts here."""
        own = self.vocabulary.own_names
        if not own:
            return False
        if exact is not None:
            return exact in own and not re.compile(r"\s*[A-Za-z\\]").match(self.text, at + len(exact), end)
        letters = re.compile(r"\\?([A-Za-z]+)").match(self.text, at, end)
        word = letters.group(1) if letters else self.text[at : at + 1]
        return (
            any(re.split(r"[\^_'\[]", name)[0] == word for name in own) and self._whole(at, end) is not None
        )

    def _whole(self, at: int, end: int) -> Name | None:
        try:
            return self.at(at, end)
        except EquationError:
            return None

    def total_after_sum(self, at: int, place: int, end: int) -> Name | None:
        """Returns the name `\\sum C`, where the notation has one."""
        match = re.compile(
            r"\\?(?:mathcal\s*\{\s*)?([A-Za-z])\}?(?![A-Za-z]|\s*[_^'(\[⁰¹²³⁴⁵⁶⁷⁸⁹₀-₉])"
        ).match(self.text, place, end)
        if match is None:
            return None
        meanings = self.vocabulary.read("\\sum " + match.group(1))
        if not meanings:
            return None
        return Name(Symbol((at, match.end()), self.text[at : match.end()], meanings), match.end())

    def at(self, at: int, end: int) -> Name:
        """Returns the longest name that starts at a place and means something.

        Raises:
            EquationError: There is none.
        """
        if at >= end:
            raise EquationError("a quantity was expected here", self.text, min(at, len(self.text)))
        key = (at, end)
        if key not in self._found:
            self._found[key] = self._library(at, end) or self._code(at, end) or self._plain(at, end)
        return self._found[key]

    def _library(self, at: int, end: int) -> Name | None:
        """Returns a function of NumPy or PyTorch (`np.dot`)."""
        match = re.compile(r"(?:np|numpy|torch|math|F)\.(\w+)").match(self.text, at, end)
        name = match.group(1) if match else ""
        if match is None or not (name in SPELLINGS or name in MATRIX_FUNCTIONS):
            return None
        return Name(Function(SPELLINGS.get(name, name)), match.end())

    # Names of program code

    def _code(self, at: int, end: int) -> Name | None:
        if not self.vocabulary.code:
            return None
        look = re.compile(r"\\texttt\s*\{").match(self.text, at, end)
        start = look.end() if look else at
        part = r"(?:\.(?!T\b|t\(|dot\b|mm\b|sum\b|mul\b|matmul\b|transpose\b)\w+|\[[^\[\]]*\])"
        match = re.compile(rf"[A-Za-z]\w*{part}*").match(self.text, start, end)
        if match is None:
            return None
        ends = [match.end()]
        ends += [piece.start() for piece in reversed(list(re.finditer(part, match.group())))]
        for number, stop in enumerate(ends):
            place = stop if number == 0 else start + stop
            text = self.text[start:place]
            meanings = self.vocabulary.own(text) or self.vocabulary.read(text)
            name = text if not meanings else ""
            if name in SPELLINGS or name in MATRIX_FUNCTIONS:
                return Name(Function(SPELLINGS.get(name, name)), place)
            if meanings:
                after = place + 1 if look and self.text[place : place + 1] == "}" else place
                return Name(Symbol((at, after), text, meanings), after)
        return None

    # Names of formulas

    def _bases(self, at: int, end: int) -> list[tuple[str, int]]:
        """Returns what the letters of a name may be, with their ends, the longest first."""
        text = self.text
        for pattern in (_LOOK, _HAT):
            match = pattern.match(text, at, end)
            if match is not None and (
                pattern is _LOOK or match.group().startswith("\\") or self._known_hat(match)
            ):
                return [(match.group(), match.end())]
        match = re.compile(r"\\([A-Za-z]+)").match(text, at, end)
        if match is not None:
            return [(match.group(), match.end())]
        if text[at] in _GREEK or text[at] in "ℓℒŷ":
            return [(text[at], at + 1)]
        match = re.compile(r"[A-Za-z][A-Za-z0-9]*").match(text, at, end)
        if match is None:
            return []
        run = match.group()
        letters = re.match(r"[A-Za-z]+", run)
        assert letters is not None
        ends = [len(run)] if run != letters.group() else []
        known = self.vocabulary.heads
        ends += [
            length for length in range(len(letters.group()), 0, -1) if run[:length] in known or length == 1
        ]
        return [(run[:length], at + length) for length in dict.fromkeys(ends)]

    def _known_hat(self, match: "re.Match[str]") -> bool:
        return match.group().startswith(("hat{", "bar{", "tilde{", "widehat{"))

    def _plain(self, at: int, end: int) -> Name:
        bases = self._bases(at, end)
        for base, stop in bases:
            found = self._with_scripts(base, at, stop, end)
            if found is not None:
                return found
        raise self._unknown(at, end)

    def _unknown(self, at: int, end: int) -> EquationError:
        match = re.compile(r"\\?[A-Za-z]+(?:[_^](?:\{[^{}]*\}|\w))*|.").match(self.text, at, end)
        shown = match.group() if match else self.text[at:end]
        names = ", ".join(list(self.vocabulary.own_names.values())[:12])
        own = f" and the declared names {names}" if names else ""
        if not re.match(r"[\\\w]", shown):
            return EquationError(
                f"{shown!r} can't be read here; a quantity, a number or an operator was expected",
                self.text,
                at,
            )
        notation = self.vocabulary.notation.name
        message = f"{shown} is no name that was declared; expected a quantity of {notation}{own}"
        return EquationError(message, self.text, at)

    def _with_scripts(self, base: str, at: int, stop: int, end: int) -> Name | None:
        lists = scripts_after(self.text, stop, end)
        own = [found for scripts in lists if (found := self._own(base, at, stop, scripts))]
        if own:
            return own[0]
        for scripts in lists:
            found = self._read(base, at, stop, scripts)
            if found is not None:
                return found
        return None

    def _own(self, base: str, at: int, stop: int, scripts: list[Script]) -> Name | None:
        """Returns one of the person's own names, with what is attached to it."""
        vocabulary = self.vocabulary
        if not vocabulary.own_names:
            return None
        for variant in variants(base, scripts):
            meanings = vocabulary.own(variant.text)
            if meanings:
                last = scripts[-1].end if scripts else stop
                return self._made(meanings, at, last, base, variant)
        return None

    def _made(
        self, meanings: tuple[Meaning, ...], at: int, stop: int, base: str, variant: Variant
    ) -> Name | None:
        text, decorations = self.text[at:stop], variant.decorations
        first = meanings[0]
        if isinstance(first, Function):
            return _function(first, stop, decorations)
        # A power of an own name may also be an index of the notation: both are shown.
        exponent = (decorations[0].content or "").strip("{} ") if decorations else ""
        if (
            len(decorations) == 1
            and decorations[0].kind == "power"
            and exponent
            and self.vocabulary.own(base)
        ):
            others = tuple(m for m in self.vocabulary.read(text) if self._exists(m))
            if others and exponent.isdigit() and int(exponent[:9]) > 1:
                span = (at, stop)
                power = Power(span, Symbol(span, base, meanings), Number(span, exponent))
                return Name(Symbol(span, text, (Stands(power), *others)), stop)
            if others:
                return None
        if not decorations:
            return Name(Symbol((at, stop), text, meanings), stop)
        decorations = tuple(
            done._replace(kind="UPDATED") if done.kind == "PRIME" else done for done in decorations
        )
        done = decorations[0]
        tail = {"TRANSPOSE": "T", "UPDATED": "+"}.get(done.kind, done.content or "")
        bare = self.text[at : done.start] if variant.text == base else variant.text
        tail = f"^{tail}" if tail else ""
        return Name(Symbol((at, stop), bare, meanings, tail), stop, decorations)

    def _exists(self, meaning: Meaning) -> bool:
        if not isinstance(meaning, Ref) or meaning.array:
            return isinstance(meaning, Ref)
        if meaning.lettered:
            return True
        return exists(quantity_of(meaning, {}), self.vocabulary.layout)

    def _read(self, base: str, at: int, stop: int, scripts: list[Script]) -> Name | None:
        vocabulary = self.vocabulary
        last = scripts[-1].end if scripts else stop
        if vocabulary.notation.name == "compphysics" and base.startswith("\\hat"):
            bare = _HAT.match(base)
            return self._read(bare.group(1), at, stop, scripts) if bare else None
        found = variants(base, scripts)
        raised = [
            s for s in scripts if s.mark == "^" and s.content.strip().isdigit() and int(s.content[:9]) > 1
        ]
        layered = all(isinstance(m, Ref) and m.layer is not None for m in vocabulary.read(found[0].text))
        if self._bracketed and raised and layered:
            found = [v for v in found if v.decorations and v.decorations[0].kind == "power"] + found
        for variant in found:
            text = variant.text
            function = vocabulary.function(spelling(text))
            if function is not None and not vocabulary.read(text) and self._applied(function, last):
                name = _function(function, last, variant.decorations)
                if name is not None:
                    return name
            meanings = vocabulary.read(text)
            if not meanings and not variant.decorations:
                size = vocabulary.size(text)
                meanings = (size,) if size is not None else ()
            if meanings:
                valid = tuple(m for m in meanings if self._exists(m) or not isinstance(m, Ref)) or meanings
                return self._made(valid, at, last, base, variant)
        return None

    def _applied(self, function: Function, last: int) -> bool:
        """Returns whether a function's name stands before a bracket; letters such as f are functions only there."""
        if function.name and function.name not in ACTIVATION_LETTERS:
            return True
        opens = re.compile(r"\s*(?:\\?left|\\[bB]igg?l?)?\s*\\?[(\[{]").match(self.text, last)
        return opens is not None


def _function(function: Function, stop: int, decorations: tuple[Decoration, ...]) -> Name | None:
    """Returns a function with its primes; one with a name may be raised to a power (`\\tanh^2`)."""
    primes = sum(done.kind == "PRIME" for done in decorations)
    rest = tuple(done for done in decorations if done.kind != "PRIME")
    power = len(rest) == 1 and rest[0].kind == "power" and (rest[0].content or "").strip("{} ").isdigit()
    if rest and not (power and function.name):
        return None
    return Name(function._replace(primes=function.primes + primes), stop, rest)
