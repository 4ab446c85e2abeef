"""Every exception of whygrad: located, with what was expected, what was found and what to try."""


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
