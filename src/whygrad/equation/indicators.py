"""Cuts what is 1 where a condition is true and else 0: `1\\{i = j\\}`, `[z > 0]`, `\\begin{cases}`."""

import re
from typing import TYPE_CHECKING, NamedTuple

from whygrad.equation.scripts import closing
from whygrad.equation.tree import Kronecker, Symbol

if TYPE_CHECKING:
    from whygrad.equation.scanner import Scanner

_ONE = r"(?:\\(?:mathbb|mathbf|mathds|mathrm|boldsymbol|text)\s*\{?[1I]\}?|\\(?:mathbb|mathbf)\s*[1I]|1|𝟙|𝕀)"
_EQUAL = re.compile(rf"{_ONE}\s*(?:_?\\?[\[({{])\s*([a-z])\s*=\s*([a-z])\s*\\?[\])}}]")
_COMPARED = re.compile(rf"{_ONE}\s*(?P<mark>_?)\s*(?:\\left|\\[bB]igg?l?)?\s*(?P<open>\\?[\[({{])")
_LESS = r">|<|≥|≤|\\[gl](?:t|e|eq)(?![a-z])"


def indicator(scanner: "Scanner", at: int, end: int) -> int | None:
    """Cuts `1\\{i=j\\}` or `\\mathbf{1}[z > 0]`; returns where it ends, None where there is none."""
    if scanner.text[at] not in "\\1𝟙𝕀":
        return None
    equal = _EQUAL.match(scanner.text, at, end)
    if equal is not None:
        same_index(scanner, equal.group(1), "=", equal.group(2), at, equal.end())
        return equal.end()
    match = _COMPARED.match(scanner.text, at, end)
    if match is None:
        return None
    opening = match.end() - 1
    close = closing(scanner.text, opening, end)
    if close is None or not re.search(_LESS, scanner.text[opening:close]):
        return None
    inside = re.compile(r"\s*\\\{").match(scanner.text, match.end(), close)
    low = inside.end() if inside else match.end()
    high = scanner.text.rfind("\\}", low, close) if inside else close
    high = high - 1 if scanner.text[high - 1] == "\\" else high
    scanner.emit("LPAR", "(", at, match.end())
    scanner.range(low, high)
    scanner.emit("RPAR", ")", close, close + 1)
    after = re.compile(r"\s*\\right\s*\\?[\])}]").match(scanner.text, close, end)
    return after.end() if after is not None else close + 1


def same_index(scanner: "Scanner", first: str, sign: str, second: str, at: int, end: int) -> None:
    """Puts in 1 where two indices are equal (or different), else 0."""
    pair = [scanner.vocabulary.neuron(label) for label in (first, second)]
    if pair[0] is None or pair[1] is None:
        raise scanner.fail("two indices were expected", at)
    symbol = Symbol((at, end), scanner.text[at:end], (Kronecker(pair[0], pair[1]),))
    if sign == "=":
        scanner.emit("NAME", symbol, at, end)
        return
    scanner.emit("LPAR", "(", at, at)
    scanner.emit("NUMBER", "1", at, at)
    scanner.emit("MINUS", "-", at, at)
    scanner.emit("NAME", symbol, at, end)
    scanner.emit("RPAR", ")", end, end)


class _Condition(NamedTuple):
    """`i = j` or `i ≠ j`, as two indices and the sign; or a comparison, by where it stands."""

    first: str
    sign: str
    second: str
    span: tuple[int, int] | None = None


def cases(scanner: "Scanner", at: int, end: int) -> int:
    """Cuts `\\begin{cases}`: each value times 1 where its condition is true."""
    text, emit = scanner.text, scanner.emit
    start = at + len("\\begin{cases}")
    stop = text.find("\\end{cases}", start, end)
    if stop < 0:
        raise scanner.fail("\\begin{cases} is never ended", at)
    emit("LPAR", "(", at, at)
    place = start
    known: _Condition | None = None
    rows = re.split(r"\\\\", text[start:stop])
    for number, row in enumerate(row for row in rows if row.strip()):
        place = text.index(row, place)
        value, mark, said = row.partition("&")
        low, high = place + len(value) + 1, place + len(row)
        bare = re.sub(r"\\(?:text|mathrm|textrm|mbox)\s*\{\s*(?:if|for|when)?\s*(.*?)\}", r"\1", said)
        bare = re.sub(r"\\[,;: ]|\\q?quad|\bif\b|\bfor\b|\$", " ", bare).strip(" ,.")
        condition = _condition(text, bare, low, high)
        otherwise = number == 1 and bare in ("otherwise", "else")
        if not mark or not (condition or otherwise):
            raise scanner.fail("a condition such as i = j or z > 0 was expected after &", place)
        if number:
            emit("PLUS", "+", place, place)
        emit("LPAR", "(", place, place)
        scanner.range(place, place + len(value))
        emit("RPAR", ")", place + len(value), place + len(value))
        emit("MUL", "·", place, place)
        known = condition or known
        assert known is not None  # the first row has a condition
        _one_where(scanner, known, condition is None, low, high)
        place += len(row)
    emit("RPAR", ")", stop, stop)
    return stop + len("\\end{cases}")


def _condition(text: str, bare: str, low: int, high: int) -> _Condition | None:
    """Returns what a row of cases says of when it holds, between two places of the text."""
    equal = re.fullmatch(r"([a-z]|[0-9]+)\s*(=|\\neq?|≠|!=)\s*([a-z]|[0-9]+)", bare)
    if equal is not None:
        return _Condition(equal[1], equal[2], equal[3])
    if re.search(_LESS, bare) is None:
        return None
    start = text.index(bare, low) if bare in text[low:high] else low
    return _Condition("", "", "", (start, start + len(bare)))


def _one_where(scanner: "Scanner", condition: _Condition, opposite: bool, low: int, high: int) -> None:
    """Puts in 1 where a condition is true (or false), else 0."""
    if condition.span is None:
        sign = "=" if (condition.sign == "=") != opposite else "≠"
        same_index(scanner, condition.first, sign, condition.second, low, high)
        return
    scanner.emit("LPAR", "(", low, low)
    if opposite:
        scanner.emit("NUMBER", "1", low, low)
        scanner.emit("MINUS", "-", low, low)
        scanner.emit("LPAR", "(", low, low)
    scanner.range(*condition.span)
    scanner.emit("RPAR", ")", high, high)
    if opposite:
        scanner.emit("RPAR", ")", high, high)
