"""How a report writes numbers and names: shared by its findings and by every format."""

import re
from collections.abc import Iterator, Sequence

import numpy as np

# What stands for a layer's name where its parameters are those of the whole model alone.
OWN = "own parameters"


def norm(value: float) -> str:
    """Returns a norm to three digits, or two and a power of ten.

    Example:
        >>> norm(0.01234), norm(1234.5), norm(1e-9), norm(0.0), norm(float("nan"))
        ('0.0123', '1.2e3', '1.0e-9', '0', 'NaN')
    """
    if np.isnan(value):
        return "NaN"
    if value == 0:
        return "0"
    if np.isinf(value):
        return "inf" if value > 0 else "-inf"
    if 1e-3 <= abs(value) < 1000:
        return f"{value:.3g}"
    digits, _, exponent = f"{value:.1e}".partition("e")
    return f"{digits}e{int(exponent)}"


def factor(value: float) -> str:
    """Returns a factor to two digits, without a power of ten where it is below a million.

    Example:
        >>> factor(3.44), factor(30.21), factor(1523.0), factor(2.5e9), factor(float("inf"))
        ('3.4', '30', '1500', '2.5e9', 'infinitely many')
    """
    if np.isinf(value):
        return "infinitely many"
    return f"{float(f'{value:.2g}'):g}" if value < 1e6 else norm(value)


def times(low: float, high: float) -> str:
    """Returns how many times as long something is.

    Example:
        >>> times(4.81, 5.2), times(3.01, 3.02)
        ('4.8 to 5.2 times', '3 times')
    """
    one, other = factor(low), factor(high)
    return f"{one} times" if one == other else f"{one} to {other} times"


def signed(value: float) -> str:
    """Returns a cosine to two digits, with its sign.

    Example:
        >>> signed(0.25), signed(-0.25), signed(-0.001)
        ('+0.25', '−0.25', '0.00')
    """
    text = f"{value:+.2f}"
    return "0.00" if float(text) == 0 else text.replace("-", "−")


def listed(names: Sequence[str], most: int = 3) -> str:
    """Returns names as a list in words.

    Example:
        >>> listed(["a", "b"]), listed(["a", "b", "c", "d", "e"])
        ('a and b', 'a, b, c and 2 others')
    """
    if len(names) > most + 1:
        return f"{', '.join(names[:most])} and {len(names) - most} others"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "nothing"


def quoted(name: str) -> str:
    """Returns a name, or a piece of code, as it stands in a sentence: set off from its words by backquotes.

    Example:
        >>> quoted("unused"), quoted("odd`name")
        ('`unused`', "`odd'name`")
    """
    return f"`{name.replace('`', chr(39))}`"


def named(names: Sequence[str], most: int = 3) -> str:
    """Returns names as a list in words, each set off.

    Example:
        >>> named(["a", "b"])
        '`a` and `b`'
    """
    return listed([quoted(name) for name in names], most)


def pieces(sentence: str) -> Iterator[tuple[bool, str]]:
    """Yields the parts of a sentence: whether it is a name that is set off (then with its backquotes), and its text.

    Example:
        >>> list(pieces("No cost reaches `unused`"))
        [(False, 'No cost reaches '), (True, '`unused`')]
    """
    for place, text in enumerate(re.split("(`[^`]*`)", sentence)):
        if text:
            yield bool(place % 2), text


def layer_named(name: str) -> str:
    """Returns a layer in words.

    Example:
        >>> layer_named("head"), layer_named("")
        ('layer `head`', "the model's own parameters")
    """
    return f"layer {quoted(name)}" if name else f"the model's {OWN}"


def output_named(name: str) -> str:
    """Returns the output of a layer in words; the whole model's own parameters have what they meet for it."""
    return f"the output of {layer_named(name)}" if name else f"what the model's {OWN} meet"


def grouped(number: int) -> str:
    """Returns a whole number with spaces between thousands.

    Example:
        >>> grouped(1234567)
        '1 234 567'
    """
    return f"{number:,}".replace(",", " ")


def counted(number: int, noun: str) -> str:
    """Returns how many of something there are.

    Example:
        >>> counted(1, "layer"), counted(1200, "layer")
        ('1 layer', '1 200 layers')
    """
    return f"{grouped(number)} {noun}{'s' * (number != 1)}"
