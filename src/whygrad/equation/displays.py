r"""Finds the display equations in notes: where they stand, their macros written out, several in one display apart."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from whygrad.equation.scripts import closing

MOST_EXPANSIONS = 500
LONGEST_BODY = 20_000
_ENVIRONMENTS = "equation|align|alignat|gather|multline|eqnarray|displaymath|flalign"
DISPLAY = re.compile(
    rf"\$\$(?P<dollars>.+?)\$\$|\\\[(?P<brackets>.+?)\\\]|^[ \t]*```math\s*\n(?P<fence>.+?)^[ \t]*```"
    rf"|\\begin\{{(?P<name>(?:{_ENVIRONMENTS})\*?)\}}(?P<body>.+?)\\end\{{(?P=name)\}}"
    r"|(?P<said>(?:^[ \t]*%[ \t]*whygrad:[^\n]*\n?)+)|<!--\s*whygrad:(?P<comment>.*?)-->",
    re.S | re.M,
)
_QUOTED = re.compile(
    r"\\begin\{(?P<name>verbatim\*?|lstlisting|minted|comment|Verbatim)\}.*?\\end\{(?P=name)\}"
    r"|^(?P<fence>[ \t]*(?:```+|~~~+))(?!math\b)[^\n]*\n.*?^(?P=fence)"
    r"|^[ \t]*%(?![ \t]*whygrad:)[^\n]*|<!--(?!\s*whygrad:).*?-->",
    re.S | re.M,
)
_MACRO = re.compile(
    r"\\(?:re)?newcommand\*?\s*\{?\s*\\(?P<name>[A-Za-z]+)\s*\}?\s*(?:\[(?P<many>[1-9])\])?\s*(?=\{)"
    r"|\\def\s*\\(?P<defined>[A-Za-z]+)(?P<parameters>(?:#[1-9])*)\s*(?=\{)"
    r"|\\DeclareMathOperator\*?\s*\{\s*\\(?P<operator>[A-Za-z]+)\s*\}\s*(?=\{)"
)
_RELATION = re.compile(r"=|\\equiv|\\leftarrow|\\approx|\\gets|\\to\b|\\rightarrow|≡|←|:=")
_GOES_ON = re.compile(
    r"(?:\s|&|\{\}|\\q?quad\b|\\[,;:!])*"
    r"(?:=|\+|-|−|\*|/|\\(?:equiv|approx|cdot|times|odot|leftarrow|gets|to|rightarrow|le|ge|leq|geq|quad)\b)"
)


class Display(NamedTuple):
    """A display: its equations with their lines; or what a comment to whygrad says."""

    line: int
    equations: tuple[tuple[int, str], ...] = ()
    said: str | None = None


class Macro(NamedTuple):
    """A command that the notes define: how many arguments it has, and what it stands for."""

    many: int
    body: str


def displays(text: str) -> Iterator[Display]:
    """Yields the displays of some notes and what is said to whygrad between them, in order."""
    bare = _QUOTED.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)
    known = macros(bare)
    line, counted = 1, 0
    for match in DISPLAY.finditer(bare):
        line += bare.count("\n", counted, match.start())
        counted = match.start()
        said = _said(match)
        if said is not None:
            yield Display(line, (), said)
            continue
        name = next(name for name in ("dollars", "brackets", "fence", "body") if match.group(name))
        body = match.group(name)
        start = line + bare.count("\n", match.start(), match.start(name))
        body = re.sub(r"(?<!\\)%[^\n]*", "", body)
        yield Display(line, tuple((start + at, expanded(piece, known)) for at, piece in _parted(body)))


def _said(match: "re.Match[str]") -> str | None:
    if match.group("comment") is not None:
        return str(match.group("comment"))
    if match.group("said") is not None:
        return re.sub(r"^[ \t]*%[ \t]*whygrad:[ \t]?", "", match.group("said"), flags=re.M)
    return None


def _parted(body: str) -> Iterator[tuple[int, str]]:
    """Yields the equations of a display, each with the number of lines before it."""
    pieces: list[tuple[int, str]] = []
    depth = start = 0
    for match in re.finditer(r"\\(?:begin|end)\b|(?<!\\)[{}]|\\\\(?:\[[^\]\n]*\])?", body):
        mark = match.group()
        if mark.startswith("\\\\"):
            if depth == 0:
                pieces.append((start, body[start : match.start()]))
                start = match.end()
        else:
            depth += 1 if mark in ("\\begin", "{") else -1
    pieces.append((start, body[start:]))
    if depth != 0:
        pieces = [(0, body)]
    joined: list[tuple[int, str]] = []
    for place, piece in pieces:
        goes_on = _GOES_ON.match(piece) or not _RELATION.search(piece)
        ends_open = joined and re.search(r"(?:[-+=*/]|\\(?:cdot|times|odot))[\s&]*\Z", joined[-1][1])
        if joined and (goes_on or ends_open):
            first, before = joined[-1]
            joined[-1] = (first, before + "\\\\" + piece)
        else:
            joined.append((place, piece))
    for place, piece in joined:
        if piece.strip():
            blank = len(piece) - len(piece.lstrip())
            yield body.count("\n", 0, place) + piece.count("\n", 0, blank), piece.strip()


def macros(text: str) -> dict[str, Macro]:
    """Returns the commands that notes define."""
    found: dict[str, Macro] = {}
    for match in _MACRO.finditer(text):
        close = closing(text, match.end(), len(text))
        if close is None:
            continue
        body = text[match.end() + 1 : close]
        name = match.group("name") or match.group("defined") or match.group("operator")
        if match.group("operator"):
            body = f"\\operatorname{{{body}}}"
        parameters = len(match.group("parameters") or "") // 2
        found[name] = Macro(int(match.group("many") or parameters), body)
    return found


def expanded(body: str, known: dict[str, Macro]) -> str:
    """Returns an equation with the notes' own commands written out."""
    if not known:
        return body
    names = re.compile(r"\\(" + "|".join(sorted(known, key=len, reverse=True)) + r")(?![A-Za-z])")
    for _ in range(MOST_EXPANSIONS):
        match = names.search(body)
        if match is None or len(body) > LONGEST_BODY:
            break
        macro = known[match.group(1)]
        at = match.end()
        made = macro.body
        for number in range(1, macro.many + 1):
            argument, at = _argument(body, at)
            made = made.replace(f"#{number}", argument)
        between = " " if made[-1:].isalpha() and body[at : at + 1].isalpha() else ""
        body = body[: match.start()] + made + between + body[at:]
    return body


def _argument(text: str, at: int) -> tuple[str, int]:
    while at < len(text) and text[at].isspace():
        at += 1
    if text[at : at + 1] == "{":
        close = closing(text, at, len(text))
        if close is not None:
            return text[at + 1 : close], close + 1
    command = re.compile(r"\\[A-Za-z]+|.", re.S).match(text, at)
    return (command.group(), command.end()) if command is not None else ("", at)
