"""Sentences with formulas in them, cut into words and formulas."""

import re
from collections.abc import Iterator

_FORMULA = re.compile(r"[\\^_∂Σσδ′ᵀ⁰¹²³₀-₉ᵢⱼₖ]|^[()\[\]]*\w+'\(")
_WORD = re.compile(r"\(?[a-z]+(?:_[a-z]{3,})+\)?[.,;:]?")
"""`half_squared_error` is no formula."""
_JOINING = frozenset({"+", "-", "*", "=", "·", "⊙", "/"})


def cut(sentence: str) -> Iterator[tuple[bool, str]]:
    r"""Yields the parts of a sentence: whether it is a formula, and its text.

    Example:
        >>> list(cut(r"\sigma'(z^0_3) is missing: it's a^0_3 - y^0."))
        [(True, "\\sigma'(z^0_3)"), (False, " is missing: it's "), (True, 'a^0_3 - y^0'), (False, '.')]
    """
    words = _words(sentence)
    made: list[tuple[bool, str]] = []
    for place, (word, _) in enumerate(words):
        formula = _FORMULA.search(word) is not None and _WORD.fullmatch(word) is None
        if word in _JOINING and made and made[-1][0] and place + 1 < len(words):
            formula = _FORMULA.search(words[place + 1][0]) is not None
        bare = word.rstrip(".,;:") if formula else word
        between = words[place - 1][1] if place else ""
        if made and made[-1][0] == formula:
            made[-1] = (formula, made[-1][1] + between + bare)
        elif made and made[-1][0]:
            made.append((False, between + bare))
        elif made:
            made[-1] = (False, made[-1][1] + between)
            made.append((formula, bare))
        else:
            made.append((formula, bare))
        if bare != word:
            made.append((False, word[len(bare) :]))
    yield from made


def _words(sentence: str) -> list[tuple[str, str]]:
    """Returns the words of a sentence, each with the gap after it; what stands in braces holds together."""
    found: list[tuple[str, str]] = []
    word, depth = "", 0
    for sign in sentence:
        depth += (sign == "{") - (sign == "}")
        if sign == " " and depth <= 0 and not re.search(r"\\[A-Za-z,;:!]*$", word):
            if word or not found:
                found.append((word, " "))
            else:
                found[-1] = (found[-1][0], found[-1][1] + " ")
            word = ""
        else:
            word += sign
    return [*found, (word, "")] if word else found
