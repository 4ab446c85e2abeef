"""Where the two quantities of a derivative stand in a text."""

import re

# The comma: what a copy that lost its backslashes has left of `\partial\,`.
_D = r"(?:\\partial(?![A-Za-z])|partial|∂|𝜕|\\(?:mathrm|text)\{d\}|d),?\s*"


def halves(text: str) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Returns where the two quantities of one derivative stand in a text, or None.

    Example:
        >>> text = "dC/dw_5"
        >>> [text[start:end] for start, end in halves(text) or ()]
        ['C', 'w_5']
    """
    body = re.fullmatch(r"(?:[\s$]|\\[(\[])*(.*?)(?:[\s$.]|\\[)\]])*", text, re.DOTALL)
    if body is None:
        return None
    start, end = body.span(1)
    fraction = re.compile(r"\\?[dt]?frac\s*").match(text, start, end)
    parts: list[tuple[int, int]] = []
    if fraction is not None:
        at = fraction.end()
        for _ in range(2):
            close = _closing(text, at, end)
            if close is None:
                return None
            parts.append((at + 1, close))
            at = close + 1
            while at < end and text[at].isspace():
                at += 1
        if at < end:
            return None
    elif text.count("/", start, end) == 1:
        slash = text.index("/", start, end)
        parts = [(start, slash), (slash + 1, end)]
    else:
        return None
    halves = []
    for left, right in parts:
        sign = re.compile(r"\s*" + _D).match(text, left, right)
        if sign is None:
            return None
        halves.append((sign.end(), right))
    return halves[0], halves[1]


def _closing(text: str, at: int, end: int) -> int | None:
    """Returns where the brace that opens at a place is closed."""
    depth = 0
    for place in range(at, end):
        depth += (text[place] == "{") - (text[place] == "}")
        if depth == 0:
            return place if place > at else None
    return None
