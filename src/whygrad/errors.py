"""Every exception of whygrad: located, with what was expected, what was found and what to try."""

from collections.abc import Iterable
from typing import Any


class WhygradError(Exception):
    """The base of every error that whygrad raises on purpose.

    The message says where, what was expected, what was found and what to try.
    """


class EquationError(WhygradError, ValueError):
    """A name or an equation that can't be read; the message points at the place with a caret."""

    def __init__(self, message: str, text: str = "", position: int | None = None) -> None:
        self.text = text
        self.position = position
        super().__init__(message + pointed(text, position))


class NotSupportedError(WhygradError, TypeError):
    """Something that whygrad can't differentiate or compute, and what to do instead."""


class NotYetError(NotSupportedError, NotImplementedError):
    """Something that whygrad can't do yet."""


class ShapeError(WhygradError, ValueError):
    """An array whose shape, type or values don't fit; both sides are named."""


class NetworkFileError(WhygradError, ValueError):
    """A network, weight or data file that can't be read; the message starts with the file and the key."""


class QuantityError(WhygradError, KeyError):
    """A quantity, parameter or cost that this network doesn't have."""

    def __str__(self) -> str:
        # KeyError prints the repr of its argument, which would show the line breaks of the message as \n.
        return str(self.args[0])


class FormulaError(WhygradError, ValueError):
    """A declared formula that can't be read."""


def pointed(text: str, position: int | None, width: int = 72) -> str:
    r"""Returns two lines, the text around a position and a caret under it; nothing where there is no position.

    Example:
        >>> print(pointed("dC/dq", 4))
        <BLANKLINE>
          dC/dq
              ^
    """
    if position is None:
        return ""
    start = max(0, position - width // 2)
    piece = text[start : start + width].replace("\n", " ").replace("\t", " ")
    return f"\n  {piece}\n  {' ' * (position - start)}^"


def some(names: Iterable[str], most: int = 6) -> str:
    """Returns the first of some names, and how many there are where there are more.

    Example:
        >>> some(["a", "b", "c"], 2), some(["a", "b"], 2)
        ('a, b, … (3 in all)', 'a, b')
    """
    names = tuple(names)
    shown = ", ".join(names[:most])
    return f"{shown}, … ({len(names)} in all)" if len(names) > most else shown


def near(found: Any, known: Iterable[str]) -> str:
    """Returns the question whether the most similar of the known names was meant; nothing where none is similar.

    Example:
        >>> near("0.wieght", ["0.weight", "0.bias"]), near("x", ["0.weight"])
        ("; did you mean '0.weight'?", '')
    """
    from difflib import get_close_matches

    similar = get_close_matches(str(found), list(known), 1)
    return f"; did you mean {similar[0]!r}?" if similar else ""


def need_known(what: str, found: Any, known: Iterable[str]) -> None:
    """Raises a NotSupportedError where a name isn't among the known ones; it lists them and the nearest.

    Raises:
        NotSupportedError: It isn't.
    """
    known = tuple(known)
    if not isinstance(found, str) or found not in known:
        raise NotSupportedError(
            f"{what}: expected one of {', '.join(known)}, found {found!r}{near(found, known)}"
        )
