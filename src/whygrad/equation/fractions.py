"""Cuts fractions: `\\frac{…}{…}`, `{a \\over b}`, `(dC)/(dw)`, and braces."""

import re
from typing import TYPE_CHECKING

from whygrad.equation.scripts import closing
from whygrad.equation.tokens import DIFFERENTIAL

if TYPE_CHECKING:
    from whygrad.equation.scanner import Scanner

_HALF = re.compile(r"\(\s*(?:\\?partial(?![A-Za-z])|∂|d)\s*(?=[A-Za-z\\α-ωΑ-Ω])")


def halves(scanner: "Scanner", at: int, end: int) -> int | None:
    """Cuts `(dC)/(dw)`; None where a bracket is no half of a derivative."""
    text = scanner.text
    places = []
    place = at
    for _ in range(2):
        half = _HALF.match(text, place, end)
        close = closing(text, place, end) if half is not None else None
        if half is None or close is None:
            return None
        places.append((place, half.end(), close))
        slash = re.compile(r"\s*/\s*").match(text, close + 1, end)
        place = slash.end() if slash is not None else end
    (first, above, above_end), (_, below, below_end) = places
    fraction_of(scanner, ((above, above_end), (below, below_end)), first, below_end + 1, True)
    return below_end + 1


def _over(scanner: "Scanner", start: int, close: int) -> "re.Match[str] | None":
    depth = 0
    for match in re.compile(r"[{}]|\\over(?![A-Za-z])").finditer(scanner.text, start + 1, close):
        depth += (match.group() == "{") - (match.group() == "}")
        if depth == 0 and match.group().startswith("\\over"):
            return match
    return None


def braced(scanner: "Scanner", start: int, close: int) -> None:
    """Cuts what stands in braces; `{a \\over b}` is a fraction."""
    over = _over(scanner, start, close)
    if over is not None:
        halves = ((start + 1, over.start()), (over.end(), close))
        fraction_of(scanner, halves, start, close + 1, all(_differential(scanner, *half) for half in halves))
        return
    scanner.emit("LBRACE", "{", start, start + 1)
    scanner.range(start + 1, close)
    scanner.emit("RBRACE", "}", close, close + 1)


def fraction(scanner: "Scanner", at: int, end: int, start: int) -> int:
    """Cuts a fraction; `\\frac12` and `\\frac{dC}{dw}` too."""
    groups: list[tuple[int, int]] = []
    for _ in range(2):
        while at < end and scanner.text[at].isspace():
            at += 1
        if scanner.text[at : at + 1] == "{":
            close = closing(scanner.text, at, end)
            if close is None:
                raise scanner.fail("this brace is never closed", at)
            groups.append((at + 1, close))
            at = close + 1
            continue
        match = re.compile(r"\\[A-Za-z]+|[^\s{}]").match(scanner.text, at, end)
        if match is None:
            raise scanner.fail("a fraction needs something above and below its line", min(at, end - 1))
        groups.append((at, match.end()))
        at = match.end()
    halves = (groups[0], groups[1])
    fraction_of(scanner, halves, start, at, all(_differential(scanner, *half) for half in halves))
    return at


def fraction_of(
    scanner: "Scanner", halves: tuple[tuple[int, int], tuple[int, int]], start: int, stop: int, derived: bool
) -> None:
    """Cuts what stands above and below a fraction's line."""
    scanner.emit("FRAC", "/", start, stop)
    for lo, hi in halves:
        scanner.emit("LBRACE", "{", lo, lo)
        first = re.compile(r"\s*" + DIFFERENTIAL).match(scanner.text, lo, hi) if derived else None
        if first is not None:
            scanner.emit("DIFF", "∂", first.start(), first.end())
            lo = first.end()
        elif derived:
            scanner.emit("DIFF", "∂", lo, lo)
        scanner.range(lo, hi)
        scanner.emit("RBRACE", "}", hi, hi)


def _differential(scanner: "Scanner", lo: int, hi: int) -> bool:
    match = re.compile(r"\s*" + DIFFERENTIAL).match(scanner.text, lo, hi)
    if match is None:
        return False
    plain_d = match.group().strip() == "d"
    # `d` may be a name of its own: then only `d` with something after it is a differential.
    return not (plain_d and scanner.names.declared(lo + len(match.group()) - 1, hi, exact="d"))
