"""Finds the names in an equation's text: which letters, scripts and brackets belong to one name."""

import re
from typing import NamedTuple

from whygrad.equation.functions import ACTIVATION_LETTERS, MATRIX_FUNCTIONS, SPELLINGS
from whygrad.equation.tree import Function, Meaning, Number, Power, Ref, Stands, Symbol
from whygrad.equation.vocabulary import Vocabulary, quantity_of, spelling
from whygrad.errors import EquationError
from whygrad.notation.canonical import FROM_ABOVE, FROM_BELOW, GREEK
from whygrad.notation.quantity import exists

_GREEK = {sign: word for word, sign in GREEK.items()}
_LOOK = re.compile(
    r"\\(?:mathbf|mathrm|mathit|mathsf|mathtt|mathcal|boldsymbol|bm|operatorname|text|textbf|textrm|texttt|textit|vec"
    r"|mathscr)\s*\{\s*(\\?[A-Za-z_ .\[\]0-9,]+?)\s*\}"
)
_HAT = re.compile(r"\\?(?:hat|widehat|bar|tilde)\s*\{?\s*([A-Za-z]|\\[a-z]+)\s*\}?")
_SUFFIX = re.compile(r"^(.+?)\s*(?:\\,|,|\s)?\s*(\\top|\\intercal|T|⊤|\\prime|'|′|\+)$", re.S)
Decoration = tuple[str, int, int, str | None]


class Script(NamedTuple):
    """A script: its mark, its inside, and where it ends."""

    mark: str
    content: str
    start: int
    end: int


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

    def _scripts(self, at: int, end: int) -> list[list[Script]]:
        """Returns the scripts that follow a base; the last may have several ends, then there are several lists."""
        lists: list[list[Script]] = [[]]
        current: list[Script] = []
        while at < end and len(current) < 6:
            space = re.compile(r"\s*(?=[\^_'′’]|\\_)").match(self.text, at, end)
            place = space.end() if space else at
            sign = self.text[place : place + 1]
            if sign and sign in "'′’":
                current = [*current, Script("'", "'", place, place + 1)]
            elif sign in ("^", "_") or self.text.startswith("\\_", place):
                options = self._script(place + (2 if sign == "\\" else 1), end)
                if not options:
                    break
                mark = "_" if sign == "\\" else sign
                for content, stop in options[1:]:
                    lists.append([*current, Script(mark, content, place, stop)])
                current = [*current, Script(mark, options[0][0], place, options[0][1])]
            elif sign and (sign in FROM_ABOVE or sign in FROM_BELOW):
                table, mark = (FROM_ABOVE, "^") if sign in FROM_ABOVE else (FROM_BELOW, "_")
                stop = place
                while stop < end and (
                    self.text[stop] in table
                    or (
                        mark == "_"
                        and self.text[stop] in ",‚"
                        and self.text[stop + 1 : stop + 2] in table
                        and stop + 1 < end
                    )
                ):
                    stop += 1
                content = "".join(table.get(sign, ",") for sign in self.text[place:stop])
                current = [*current, Script(mark, content, place, stop)]
            else:
                break
            lists.append(current)
            at = current[-1].end
        return sorted(lists, key=lambda scripts: -(scripts[-1].end if scripts else 0))

    def _script(self, at: int, end: int) -> list[tuple[str, int]]:
        """Returns what may stand in a script that starts here, with its end; the longest first."""
        text = self.text
        while at < end and text[at].isspace():
            at += 1
        look = re.compile(r"\\(?:mathrm|text|mathit|mathbf|textrm|textit|rm)\s*(?=\{)").match(text, at, end)
        at = look.end() if look else at
        if text[at : at + 1] in ("{", "(", "["):
            from whygrad.equation.scanner import closing

            close = closing(text, at, end)
            if close is None:
                raise EquationError("this bracket is never closed", text, at)
            inside = text[at + 1 : close]
            return [(inside if text[at] == "{" else text[at : close + 1], close + 1)]
        command = re.compile(r"\\[A-Za-z]+").match(text, at, end)
        if command is not None:
            return [(command.group(), command.end())]
        run = re.compile(r"[A-Za-z0-9]+(?:,[0-9]+)?").match(text, at, end)
        if run is not None:
            every = run.group()
            return [
                (every[:length], at + length)
                for length in range(len(every), 0, -1)
                if every[length - 1] != ","
            ]
        if text[at : at + 1] in ("+", "*", "−", "-"):
            return [(text[at], at + 1)]
        return []

    def _with_scripts(self, base: str, at: int, stop: int, end: int) -> Name | None:
        lists = self._scripts(stop, end)
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
        for text, decorations in _variants(base, scripts):
            meanings = vocabulary.own(text)
            if meanings:
                last = scripts[-1].end if scripts else stop
                return self._made(meanings, at, last, base, scripts, decorations)
        return None

    def _made(
        self,
        meanings: tuple[Meaning, ...],
        at: int,
        stop: int,
        base: str,
        scripts: list[Script],
        decorations: tuple[Decoration, ...],
    ) -> Name | None:
        text = self.text[at:stop]
        first = meanings[0]
        if isinstance(first, Function):
            primes = sum(kind == "PRIME" for kind, *_ in decorations)
            if len(decorations) != primes:
                return None
            return Name(first._replace(primes=first.primes + primes), stop)
        # A power of an own name may also be an index of the notation: both are shown.
        if (
            len(decorations) == 1
            and decorations[0][0] == "power"
            and decorations[0][3]
            and self.vocabulary.own(base)
        ):
            exponent = decorations[0][3]
            others = tuple(m for m in self.vocabulary.read(text) if self._exists(m))
            if others and exponent.strip("{} ").isdigit() and int(exponent.strip("{} ")[:9]) > 1:
                span = (at, stop)
                power = Power(span, Symbol(span, base, meanings), Number(span, exponent.strip("{} ")))
                return Name(Symbol(span, text, (Stands(power), *others)), stop)
            if others:
                return None
        shown = self.text[at : decorations[0][1]] if decorations else text
        decorations = tuple(
            ("UPDATED", a, b, c) if kind == "PRIME" else (kind, a, b, c) for kind, a, b, c in decorations
        )
        return Name(Symbol((at, stop), shown, meanings), stop, decorations)

    def _exists(self, meaning: Meaning) -> bool:
        if not isinstance(meaning, Ref) or meaning.array:
            return isinstance(meaning, Ref)
        if any(index is not None and index.letter for index in (meaning.layer, meaning.to, meaning.source)):
            return True
        return exists(quantity_of(meaning, {}), self.vocabulary.layout)

    def _read(self, base: str, at: int, stop: int, scripts: list[Script]) -> Name | None:
        vocabulary = self.vocabulary
        last = scripts[-1].end if scripts else stop
        variants = _variants(base, scripts)
        if self.vocabulary.notation.name == "compphysics" and base.startswith("\\hat"):
            bare = _HAT.match(base)
            return self._read(bare.group(1), at, stop, scripts) if bare else None
        raised = [
            s for s in scripts if s.mark == "^" and s.content.strip().isdigit() and int(s.content[:9]) > 1
        ]
        layered = all(isinstance(m, Ref) and m.layer is not None for m in vocabulary.read(variants[0][0]))
        if self._bracketed and raised and layered:
            variants = [v for v in variants if v[1] and v[1][0][0] == "power"] + variants
        for text, decorations in variants:
            primes = sum(kind == "PRIME" for kind, *_ in decorations)
            if primes == len(decorations):
                function = vocabulary.function(spelling(text))
                opens = re.compile(r"\s*(?:\\?left|\\[bB]igg?l?)?\s*\\?[(\[{]").match(
                    self.text, last, end := len(self.text)
                )
                if (
                    function is not None
                    and (not function.name or function.name in ACTIVATION_LETTERS)
                    and not opens
                ):
                    function = None
                if function is not None and not vocabulary.read(text):
                    del end
                    return Name(function._replace(primes=function.primes + primes), last)
            meanings = vocabulary.read(text)
            if not meanings and not decorations:
                size = vocabulary.size(text)
                meanings = (size,) if size is not None else ()
            if meanings:
                valid = tuple(m for m in meanings if self._exists(m) or not isinstance(m, Ref)) or meanings
                return self._made(valid, at, last, base, scripts, decorations)
        return None


def _variants(base: str, scripts: list[Script]) -> list[tuple[str, tuple[Decoration, ...]]]:
    """Returns a name with its scripts, then without those that may not belong to it but be attached."""
    from whygrad.equation.scanner import decoration

    found: list[tuple[str, tuple[Decoration, ...]]] = []

    def spelled(chosen: list[Script]) -> str:
        return base + "".join("'" if s.mark == "'" else f"{s.mark}{{{s.content}}}" for s in chosen)

    found.append((spelled(scripts), ()))
    for place, script in enumerate(scripts):
        others = scripts[:place] + scripts[place + 1 :]
        if script.mark == "'":
            if place == len(scripts) - 1 or all(s.mark == "'" for s in scripts[place:]):
                found.append((spelled(scripts[:place]), (("PRIME", script.start, script.end, None),)))
            continue
        squared = re.fullmatch(r"(.*[\])])\s*([2-9])", script.content, re.S)
        if script.mark == "^" and squared is not None:
            rest = script._replace(content=squared.group(1))
            text = spelled([*scripts[:place], rest, *scripts[place + 1 :]])
            found.append((text, (("digit", script.start, script.end, squared.group(2)),)))
        suffix = _SUFFIX.match(script.content)
        if script.mark == "^" and suffix is not None:
            rest = script._replace(content=suffix.group(1))
            kind = "PRIME" if suffix.group(2) in ("\\prime", "'", "′") else decoration(suffix.group(2))
            if kind != "power":
                text = spelled([*scripts[:place], rest, *scripts[place + 1 :]])
                found.append((text, ((kind, script.start, script.end, None),)))
        kind = decoration(script.content)
        if script.mark == "^" and script.content.strip() in ("\\prime", "′"):
            found.append((spelled(others), (("PRIME", script.start, script.end, None),)))
        elif script.mark == "_" and kind in ("UPDATED", "PLAIN") and len(script.content) > 1:
            found.append((spelled(others), ((kind, script.start, script.end, None),)))
        elif script.mark == "^" and kind == "power":
            inner = script.start + 1
            found.append((spelled(others), (("power", script.start, script.end, script.content),)))
            del inner
        elif script.mark == "^":
            found.append((spelled(others), ((kind, script.start, script.end, None),)))
    return found
