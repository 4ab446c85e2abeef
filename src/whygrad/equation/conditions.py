"""What stands beside an equation: words, and for which values of the letters it is meant (`i \\neq j`, `k = 0, 1`)."""

import re
from typing import NamedTuple

from whygrad.equation.tokens import EXPLAINS, JOINS, SAID
from whygrad.equation.vocabulary import Vocabulary

_GAP = r"(?:\s|~|,|;|:|\\(?:q?quad|text|textrm|mathrm|mbox)(?![a-zA-Z])|\\[,;:! ]|&)*"
_WORD = re.compile(rf"{_GAP}(?:\\forall(?![a-z])|∀|(?:for|if|when|where|with|since|because)\b(?!\s*[=_^(]))")
_LETTER = r"(?:[a-z]'*|\\?ell|ℓ)"
_RELATION = r"(?:=|\\in(?![a-z])|∈|\\neq?(?![a-z])|≠|!=|<|>|≤|≥|\\[gl](?:t|eq?)(?![a-z]))"
_VALUES = (
    r"(?:[0-9]+|[A-Za-z](?:_\{?[A-Za-z0-9]+\}?)?|[-+,;\s]|\\[lc]?dots[bc]?|…|\.\.\.?|\\?[{}()\[\]]|\\[,;: ])+"
)
_CONDITION = re.compile(
    rf"(?P<letters>{_LETTER}(?:\s*,\s*{_LETTER})*)\s*(?P<sign>{_RELATION})\s*(?P<values>{_VALUES})"
)
_BESIDE = re.compile(
    rf"(?P<before>{_GAP})(?P<open>[(\[]?)\s*(?P<all>{_CONDITION.pattern})\s*[)\]]?[\s.,;$]*\Z"
)
_SIGNS = {"\\in": "=", "∈": "=", "\\ne": "≠", "\\neq": "≠", "!=": "≠", "\\lt": "<", "\\gt": ">", "\\le": "≤",
          "\\leq": "≤", "\\ge": "≥", "\\geq": "≥", "\\g": ">", "\\l": "<"}  # fmt: skip


class Condition(NamedTuple):
    """A condition on one letter: `=` one of some values, or `≠`, `<`, `>`, `≤`, `≥` one."""

    letter: str
    sign: str
    values: tuple[str, ...]

    def fits(self, found: dict[str, int], layers: frozenset[str], vocabulary: Vocabulary) -> bool:
        """Returns whether the values of the letters (counted from 0) are among those that are meant."""
        if self.letter not in found:
            return True
        layer = self.letter in layers
        first = vocabulary.layers_start() if layer else vocabulary.neurons_start()

        def number(text: str) -> int | None:
            match = re.fullmatch(r"([0-9]{1,6}|[A-Za-z])(?:\s*([-+])\s*([0-9]{1,3}))?", text)
            if match is None:
                return None
            base, sign, step = match.groups()
            if base.isdigit():
                place = int(base) - first
            elif base in found:
                place = found[base]
            elif layer and base == "L":
                place = vocabulary.layout.depth
            else:
                return None
            return place + int(f"{sign}{step}" if step else 0)

        here = found[self.letter]
        if self.sign != "=":
            other = number(self.values[0])
            if other is None:
                return True
            return {"≠": here != other, "<": here < other, ">": here > other, "≤": here <= other}.get(
                self.sign, here >= other
            )
        if "…" in self.values:
            ends = [number(self.values[0]), number(self.values[-1])]
            if None in ends:
                low = next((end for end in ends if end is not None), here)
                return here >= low
            low, high = sorted(end for end in ends if end is not None)
            return low <= here <= high
        meant = [number(value) for value in self.values]
        return None in meant or here in meant


def beside(
    text: str, at: int, end: int, gap: str, said_before: bool
) -> tuple[int, list[Condition], bool] | None:
    """Returns where words or conditions that start at a place end, what they say, and whether they join two equations.

    Args:
        text: The equation.
        at: Where; what may be skipped is skipped.
        end: The end of the text.
        gap: What stands between the last token and here.
        said_before: Whether an equals sign stands before it.
    """
    said = SAID.match(text, at, end)
    if said is not None:
        words = said.group(1).strip(" ,.:;~\\")
        if words.lower() in JOINS:
            return said.end(), [], True
        if EXPLAINS.match(words.lstrip("( ")):
            stop = _line_end(text, at, end)
            return stop, _conditions(text[said.start(1) : stop]), False
        if said_before and (re.search(r"\s|\(", words) and re.fullmatch(r"[A-Za-z0-9\s,.'’:;!?()-]*", words)):
            return said.end(), [], False
    word = _WORD.match(text, at, end)
    if word is not None and said_before:
        stop = _line_end(text, at, end)
        return stop, _conditions(text[at:stop]), False
    if said_before and (text[at] in ",;(" or "quad" in gap):
        stop = _line_end(text, at, end)
        match = _BESIDE.match(text[at:stop])
        if match is not None and (match.group("open") or "," in match.group("before") + gap or "quad" in gap):
            return stop, _conditions(match.group("all")), False
    return None


def _line_end(text: str, at: int, end: int) -> int:
    place = text.find("\\\\", at, end)
    return end if place < 0 else place


def _conditions(text: str) -> list[Condition]:
    """Returns the conditions in some words; what is no condition is passed over."""
    bare = re.sub(r"\\(?:text|textrm|mathrm|mbox)\s*\{([^{}]*)\}|[$~&]|\\q?quad", r" \1 ", text)
    found = []
    for match in _CONDITION.finditer(bare):
        sign = match.group("sign")
        values = re.sub(r"\\[lc]?dots[bc]?|\.\.\.?", "…", match.group("values"))
        values = re.sub(r"\\[,;: ]|[\\{}()\[\]]", " ", values)
        pieces = tuple(piece.strip() for piece in re.split(r"[,;]|(?=…)|(?<=…)", values) if piece.strip())
        if pieces:
            letters = re.split(r"\s*,\s*", match.group("letters"))
            found += [
                Condition(letter.lstrip("\\").replace("ℓ", "ell"), _SIGNS.get(sign, sign), pieces)
                for letter in letters
            ]
    return found
