r"""Templates: how the name of a quantity is spelled, for printing and for reading alike.

A template such as `w^{<from>}_{<to>,<layer>}` is the only place where a notation says how a name looks.
`Template.latex`, `.text`, `.unicode` and `.identifier` print it; `Template.readings` reads it. Templates
and names go through the same `canonical` spelling, so that whatever a person may vary (braces, spaces, the
order of the scripts, a lost backslash, Unicode) is taken out of both before they are compared.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache

from whygrad.notation.canonical import ABOVE, BELOW, FROM_ABOVE, FROM_BELOW, GREEK, SIGNS, WORDS, canonical

# What no formula's name has: signs of program text, words apart, two letters of another alphabet (Greek has words).
_TEXT = re.compile(
    r'[/:;<>="#%&@|?!]|[A-Za-z]\.[A-Za-z0-9]|[^\W\d_]\s+[^\W\d_]|[\u0400-\u1cff\u2e80-\ud7ff]{2}|[^\u0000-\uffff]'
)
WORDS_JOINED = re.compile(r"[A-Za-z]\w*?(?:_[^\W_]+){2,}", re.ASCII)


@cache
def _atom() -> re.Pattern[str]:
    return re.compile(r"(?:(?P<digits>[0-9]+)|n_\{l\}|n_\{L\}|ell|[A-Za-z])'*(?:[+-](?:[0-9]+|[A-Za-z]))?")


class Template:
    r"""One spelling of one kind of quantity: letters, with slots such as `<layer>` where the indices stand.

    Two slots side by side (`_{<to><from>}`) are printed without a comma as long as every index has one sign.

    Example:
        >>> weight = Template("w^{<layer>}_{<to><from>}")
        >>> [weight.latex({"layer": "3", "to": to, "from": "2"}) for to in ("1", "11")]
        ['w^3_{12}', 'w^3_{11,2}']
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
        """The canonical template, cut up: texts, slots (`<layer>`) and commas that may be left out (`,?`)."""
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
            values: slot -> text. between: what parts two slots that have nothing or a comma between them; a
            comma only where needed.
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
            # MathJax doesn't know \_ inside of \texttt, and LaTeX knows nothing else there.
            return r"\texttt{" + name.replace("_", r"}\_\texttt{") + "}"
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
        >>> [short(name) for name in ("w^0_{0,3}", r"\delta^{(L-1)}_{11}", "W^{[2]}_{11}", "E_total", "w_12")]
        ['w⁰₀,₃', 'δ⁽ᴸ⁻¹⁾₁₁', 'W^[2]₁₁', 'E_total', 'w₁₂']
    """

    def script(match: re.Match[str]) -> str:
        mark, inside = match.group(1), match.group(2).strip("{}")
        table = ABOVE if mark == "^" else BELOW
        if all(sign in table for sign in inside) and not (inside.isalpha() and len(inside) > 2):
            return "".join(table[sign] for sign in inside)
        return mark + (inside if inside[0] in "([" or inside.isalnum() else "{" + inside + "}")

    if WORDS_JOINED.fullmatch(latex) or is_plain_text(latex):
        return latex
    latex = latex.replace(r"\hat{y}", "ŷ").replace(r"\sum ", "Σ")
    latex = re.sub(r"\\(?:math\w+|operatorname|text\w*)\{([^{}]*)\}", r"\1", latex)
    latex = re.sub(r"\\([A-Za-z]+)", lambda match: (GREEK | SIGNS).get(match.group(1), match.group(1)), latex)
    # Without braces people who type w_12 or E_total mean all of it.
    return re.sub(r"([\^_])(\{[^{}]*\}|[A-Za-z0-9]+|[^{}])", script, latex)


def identifier(name: str) -> str:
    r"""Returns a Python identifier that reads like the name.

    Example:
        >>> [identifier(name) for name in ("w^{0}_{03}", "W^{[2]}_{11}", r"\hat{y}_1", "W2[0, 1]")]
        ['w0_03', 'W2_11', 'y_hat_1', 'W2_0_1']
    """
    name = re.sub(r"\\?hat\{(\w+)\}", r"\1_hat", plain(name))
    name = re.sub(r"\^\{?[(\[](.*?)[)\]]\}?", r"\1", name)
    for sign, word in WORDS.items():
        name = name.replace(sign, word)
    name = name.replace("^", "")
    for table in (FROM_ABOVE, FROM_BELOW):
        for sign, flat in table.items():
            name = name.replace(sign, flat)
    name = re.sub(r"\W+", "_", name.replace("{", "").replace("}", "").replace("'", "_prime")).strip("_")
    return name if name[:1].isalpha() else "q_" + name


def is_plain_text(name: str) -> bool:
    r"""Returns whether a name that a person wrote is no formula: program text, several words, another alphabet.

    Example:
        >>> [is_plain_text(name) for name in ("dense_1/kernel:0", "my weight", "out_{h1}", r"\delta", "w'")]
        [True, True, False, False, False]
    """
    return _TEXT.search(name) is not None and not set(name) & set("\\{}^~$")


def in_text(name: str) -> str:
    """Returns LaTeX that shows a text letter by letter; braces and backslashes, which can't be, are left out."""
    signs = re.sub(r"[\\{}]", "", name)
    return rf"\text{{{re.sub('[_%#&]', lambda sign: chr(92) + sign.group(), signs)}}}"


def typeset(name: str) -> str:
    r"""Returns LaTeX for a name that a person wrote: words upright, Greek letters with their backslash.

    Example:
        >>> typeset("out_{h1}"), typeset("E_{total}"), typeset("delta_{o1}"), typeset("wᵢⱼ"), typeset("w_5")
        ('\\mathrm{out}_{h1}', 'E_{\\mathrm{total}}', '\\delta_{o1}', 'w_{ij}', 'w_5')
        >>> typeset("from_one_to_two")    # LaTeX has no two lower indices: a word with underscores stays one
        '\\mathrm{from\\_one\\_to\\_two}'
        >>> typeset("dense_1/kernel:0")    # nor a division in a name
        '\\text{dense\\_1/kernel:0}'
    """
    if "\\" in name:
        return name
    if is_plain_text(name):
        return in_text(name)
    if WORDS_JOINED.fullmatch(name):
        return rf"\mathrm{{{name.replace('_', chr(92) + '_')}}}"

    def word(match: re.Match[str]) -> str:
        letters, follows = match.groups()
        if letters == "haty":
            return r"\hat{y}" + follows
        if letters in GREEK:
            return f"\\{letters}" + (" " if follows.isalnum() else "") + follows
        upright = len(letters) > 2 or (len(letters) == 2 and match.start() == 0)
        return (rf"\mathrm{{{letters}}}" if upright else letters) + follows

    return _without_needless_braces(re.sub(r"([A-Za-z]+)(.?)", word, canonical(name)))
