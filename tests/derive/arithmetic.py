"""An oracle: what a line of a derivation comes to, read as arithmetic, with every name's number from elsewhere."""

import math
import re
from typing import Any

NUMBERS: dict[str, Any] = {
    "log": math.log,
    "exp": math.exp,
    "expm1": math.expm1,
    "min": min,
    "max": max,
    "abs": abs,
    "sign": lambda z: (z > 0) - (z < 0),
    "sigmoid": lambda z: 1 / (1 + math.exp(-z)),
    "softplus": lambda z: math.log(1 + math.exp(z)),
    "Phi": lambda z: math.erfc(-z / math.sqrt(2)) / 2,
    "phi": lambda z: math.exp(-z * z / 2) / math.sqrt(2 * math.pi),
}


def fractions(of: str, by: str) -> list[str]:
    """Returns the ways to write the derivative of one name by another."""
    return [f"{d}{of}/{e}{by}" for d in ("d", "d ") for e in ("d", "d ")]


class Names:
    """What each piece of text stands for, longest first."""

    def __init__(self, numbers: dict[str, Any]) -> None:
        self._numbers = numbers
        texts = sorted(numbers, key=len, reverse=True)
        self._pattern = re.compile(
            "(?<![A-Za-z])(?:" + "|".join(re.escape(text) for text in texts) + ")(?![A-Za-z])"
        )

    def evaluated(self, text: str) -> float:
        """Returns what an expression comes to; a sum over a letter is written out first."""
        text = re.sub(r"sum\[j=(\d+)\.\.(\d+)\] (.*)", _written_out, text)
        code = self._pattern.sub(lambda match: f"({self._numbers[match.group()]()!r})", text)
        code = code.replace("^", "**").replace(", else", " else")
        code = re.sub(r"\(\d+ more: ([^)]*)\)", r"(\1)", code)
        try:
            return float(eval(code, {"__builtins__": {}}, NUMBERS))
        except (SyntaxError, NameError, TypeError) as error:
            raise AssertionError(f"can't be read as arithmetic: {text!r} -> {code!r}") from error


def _written_out(match: re.Match[str]) -> str:
    low, high, body = match.groups()
    return " + ".join(f"({body.replace('j', str(j))})" for j in range(int(low), int(high) + 1))


def sides(line: str) -> list[str]:
    """Returns the sides of a line; the first is empty where the line goes on from the one before."""
    return [side.strip() for side in re.split(r" [=~] ", f" {line} ")]


def sizes(side: str) -> list[float]:
    """Returns the absolute values of the numbers that stand in a side."""
    return [abs(float(text)) for text in re.findall(r"(?<![\w.^])\d+\.?\d*(?:e-?\d+)?(?![\w^])", side)]
