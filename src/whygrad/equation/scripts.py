"""Scripts: what is raised and lowered after a name, and what of it is no part of the name but done to it."""

import re
from typing import NamedTuple

from whygrad.errors import EquationError
from whygrad.notation.canonical import FROM_ABOVE, FROM_BELOW

MOST_SCRIPTS = 6
_SUFFIX = re.compile(r"^(.+?)\s*(?:\\,|,|\s)?\s*(\\top|\\intercal|T|⊤|\\prime|'|′|\+)$", re.S)
_MARK = re.compile(r"\s*(?=[\^_'′’]|\\_)")
_LOOK = re.compile(r"\\(?:mathrm|text|mathit|mathbf|textrm|textit|rm)\s*(?=\{)")
_COMMAND = re.compile(r"\\[A-Za-z]+")
_RUN = re.compile(r"[A-Za-z0-9]+(?:,[0-9]+)?")
_LOOKS_AROUND = re.compile(r"\\(?:mathsf|mathrm|text|mathit)\s*\{(.*)\}")


class Script(NamedTuple):
    """A script: its mark, its inside, and where it ends."""

    mark: str
    content: str
    start: int
    end: int


class Decoration(NamedTuple):
    """What is done to a name: TRANSPOSE, UPDATED, PLAIN, PRIME, a `power`, a `digit` (a power inside of a script)."""

    kind: str
    start: int
    end: int
    content: str | None = None


class Variant(NamedTuple):
    """A way to read a name with its scripts: the name without what is done to it, and that."""

    text: str
    decorations: tuple[Decoration, ...] = ()


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


def raised_kind(content: str) -> str:
    """Returns what something raised is: TRANSPOSE, UPDATED, PLAIN (as before a step) or a power."""
    bare = _LOOKS_AROUND.sub(r"\1", content.strip()).strip().strip("()")
    if bare in ("T", "\\top", "\\intercal", "⊤", "t\\r", "\\mathsf T", "tr", "\\mathrm T", "top"):
        return "TRANSPOSE"
    if bare in ("+", "new", "neu", "t+1"):
        return "UPDATED"
    if bare in ("old", "t"):
        return "PLAIN"
    return "power"


def scripts_after(text: str, at: int, end: int) -> list[list[Script]]:
    """Returns the scripts that follow a base; the last may have several ends, then there are several lists."""
    lists: list[list[Script]] = [[]]
    current: list[Script] = []
    while at < end and len(current) < MOST_SCRIPTS:
        space = _MARK.match(text, at, end)
        place = space.end() if space else at
        sign = text[place : place + 1]
        if sign and sign in "'′’":
            current = [*current, Script("'", "'", place, place + 1)]
        elif sign in ("^", "_") or text.startswith("\\_", place):
            options = _script(text, place + (2 if sign == "\\" else 1), end)
            if len(options) > 1 and text[options[0][1] : options[0][1] + 1] == sign and sign != "\\":
                # In \delta_kw_{kj} the letter before the second mark is a name of its own.
                options = options[1:]
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
                text[stop] in table
                or (
                    mark == "_"
                    and text[stop] in ",‚"
                    and text[stop + 1 : stop + 2] in table
                    and stop + 1 < end
                )
            ):
                stop += 1
            content = "".join(table.get(sign, ",") for sign in text[place:stop])
            current = [*current, Script(mark, content, place, stop)]
        else:
            break
        lists.append(current)
        at = current[-1].end
    return sorted(lists, key=lambda scripts: -(scripts[-1].end if scripts else 0))


def _script(text: str, at: int, end: int) -> list[tuple[str, int]]:
    """Returns what may stand in a script that starts here, with its end; the longest first."""
    while at < end and text[at].isspace():
        at += 1
    look = _LOOK.match(text, at, end)
    at = look.end() if look else at
    if text[at : at + 1] in ("{", "(", "["):
        close = closing(text, at, end)
        if close is None:
            raise EquationError("this bracket is never closed", text, at)
        inside = text[at + 1 : close]
        return [(inside if text[at] == "{" else text[at : close + 1], close + 1)]
    command = _COMMAND.match(text, at, end)
    if command is not None:
        return [(command.group(), command.end())]
    run = _RUN.match(text, at, end)
    if run is not None:
        every = run.group()
        return [
            (every[:length], at + length) for length in range(len(every), 0, -1) if every[length - 1] != ","
        ]
    if text[at : at + 1] in ("+", "*", "−", "-"):
        return [(text[at], at + 1)]
    return []


def variants(base: str, scripts: list[Script]) -> list[Variant]:
    """Returns a name with its scripts, then without those that may not belong to it but be done to it."""

    def spelled(chosen: list[Script]) -> str:
        return base + "".join("'" if s.mark == "'" else f"{s.mark}{{{s.content}}}" for s in chosen)

    found = [Variant(spelled(scripts))]

    def without(name: str, kind: str, script: Script, content: str | None = None) -> None:
        found.append(Variant(name, (Decoration(kind, script.start, script.end, content),)))

    for place, script in enumerate(scripts):
        others = scripts[:place] + scripts[place + 1 :]

        def inside(rest: str, place: int = place, script: Script = script) -> str:
            return spelled([*scripts[:place], script._replace(content=rest), *scripts[place + 1 :]])

        if script.mark == "'":
            if all(s.mark == "'" for s in scripts[place:]):
                without(spelled(scripts[:place]), "PRIME", script)
            continue
        kind = raised_kind(script.content)
        if script.mark == "_":
            if kind in ("UPDATED", "PLAIN") and len(script.content) > 1:
                without(spelled(others), kind, script)
            continue
        squared = re.fullmatch(r"(.*[\])])\s*([2-9])", script.content, re.S)
        if squared is not None:
            without(inside(squared.group(1)), "digit", script, squared.group(2))
        suffix = _SUFFIX.match(script.content)
        if suffix is not None:
            mark = suffix.group(2)
            ending = "PRIME" if mark in ("\\prime", "'", "′") else raised_kind(mark)
            if ending != "power":
                without(inside(suffix.group(1)), ending, script)
        if script.content.strip() in ("\\prime", "′"):
            without(spelled(others), "PRIME", script)
        elif kind == "power":
            without(spelled(others), "power", script, script.content)
        else:
            without(spelled(others), kind, script)
    return found
