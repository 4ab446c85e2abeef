"""Cuts what is raised or follows a point: powers, transposes, steps, `\\tanh^2(z)`, `x**2`, `.dot(`."""

import re
from typing import TYPE_CHECKING

from whygrad.equation.names import Name
from whygrad.equation.scripts import closing, raised_kind
from whygrad.equation.tokens import NUMBER, SKIPPED
from whygrad.equation.tree import Function
from whygrad.notation.canonical import FROM_ABOVE

if TYPE_CHECKING:
    from whygrad.equation.scanner import Scanner


def to_the(scanner: "Scanner", at: int, end: int) -> int:
    """Cuts `**` with the number, name or bracket that it raises to."""
    text = scanner.text
    place = at + 2
    while place < end and text[place].isspace():
        place += 1
    number = NUMBER.match(text, place, end)
    close = closing(text, place, end) if text[place : place + 1] == "(" else None
    stop = number.end() if number else close + 1 if close is not None else None
    if stop is None:
        raise scanner.fail("a number was expected after **", min(place, end - 1))
    scanner.emit("POW", "^", at, at + 2)
    scanner.emit("LBRACE", "{", place, place)
    scanner.range(place, stop)
    scanner.emit("RBRACE", "}", stop, stop)
    return stop


def raised(scanner: "Scanner", at: int, end: int) -> int:
    """Cuts what is raised after a bracket: a power, a transpose, or the sign of a step."""
    if scanner.text[at] in FROM_ABOVE:
        run = re.compile("[" + "".join(map(re.escape, FROM_ABOVE)) + "]+").match(scanner.text, at, end)
        assert run is not None
        content = "".join(FROM_ABOVE[sign] for sign in run.group())
        return decorate(scanner, content, at, run.end(), None)
    lo, hi, stop = scanner.script_group(at + 1, end)
    return decorate(scanner, scanner.text[lo:hi], at, stop, (lo, hi))


def decorate(scanner: "Scanner", content: str, at: int, stop: int, place: tuple[int, int] | None) -> int:
    """Cuts what is done to something: a power, a transpose, the sign of a step."""
    kind = raised_kind(content)
    if kind == "power":
        scanner.emit("POW", "^", at, at + 1)
        scanner.emit("LBRACE", "{", at, at)
        if place is None:
            scanner.emit("NUMBER", content, at, stop)
        else:
            scanner.range(*place)
        scanner.emit("RBRACE", "}", stop, stop)
    else:
        scanner.emit(kind, content, at, stop)
    return stop


def raised_function(
    scanner: "Scanner", name: Name, opening: "re.Match[str] | None", at: int, end: int
) -> int:
    """Cuts `\\tanh^2(z)`: the power of what the function gives."""
    exponent = (name.decorations[0].content or "").strip("{} ")
    if opening is not None:
        close = (
            closing(scanner.text, opening.end() - 1, end) if scanner.text[opening.end() - 1] in "([" else None
        )
        if close is None:
            raise scanner.fail("this bracket is never closed", opening.end() - 1)
        scanner.emit("CALL", name.symbol, at, name.end)
        scanner.range(name.end, close + 1)
        stop = close + 1
    else:
        scanner.emit("LPAR", "(", at, at)
        scanner.emit("BARE", name.symbol, at, name.end)
        skipped = SKIPPED.match(scanner.text, name.end, end)
        stop = scanner.name(skipped.end() if skipped is not None else name.end, end)
        scanner.emit("RPAR", ")", stop, stop)
    scanner.emit("POW", "^", stop, stop)
    scanner.emit("LBRACE", "{", stop, stop)
    scanner.emit("NUMBER", exponent, stop, stop)
    scanner.emit("RBRACE", "}", stop, stop)
    return stop


def method(scanner: "Scanner", at: int, end: int) -> int:
    """Cuts `.T`, `.dot(` and their like."""
    match = re.compile(
        r"\.(T\b|t\(\)|transpose\(\)|dot|mm|matmul|sum|mean|mul|pow|square|exp|log|clamp|relu|tanh|sigmoid)"
    ).match(scanner.text, at, end)
    if match is None:
        raise scanner.fail(
            "a method that can be read was expected: .T, .dot( ), .mm( ), .sum( ), .pow( )", at
        )
    if match.group(1)[0] in "Tt":
        scanner.emit("TRANSPOSE", "T", at, match.end())
    else:
        scanner.emit("METHOD", Function(match.group(1)), at, match.end())
    return match.end()
