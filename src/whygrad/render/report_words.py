"""What every format of a report shares: numbers, marks, titles and the rules that it states."""

import numpy as np

from whygrad.report import Report, Units
from whygrad.report.record import Numbers
from whygrad.report.verdict import CONFLICT, DOMINANCE, EXPLODING, VANISHING, worst_pair

# One fill for each cost, so that bars can be read without colour; later costs begin again.
FILLS = ("█", "▒", "▓", "░", "▚", "▄")
ASCII_FILLS = ("#", "-", "=", "+", "o", "x")
MARK, ASCII_MARK = "⇄", "!"


def norm(value: float) -> str:
    """Returns a norm to three digits, or two and a power of ten.

    Example:
        , norm(1234.5), norm(1e-9), norm(0.0)
        ('0.0123', '1.2e3', '1.0e-9', '0')
    """
    if np.isnan(value):
        return ""
    if value == 0:
        return "0"
    if np.isinf(value):
        return "inf" if value > 0 else "-inf"
    if 1e-3 <= abs(value) < 1000:
        return f"{value:.3g}"
    digits, _, exponent = f"{value:.1e}".partition("e")
    return f"{digits}e{int(exponent)}"


def cosine(value: float) -> str:
    """Returns a cosine to two digits, with its sign; nothing where it is not known."""
    return "" if np.isnan(value) else f"{value:+.2f}"


def percent(share: float) -> str:
    """Returns a share as a whole percentage; with digits where it is close to all.

    Example:
        >>> percent(0.5), percent(0.9961), percent(0.001)
        ('50%', '99.6%', '<1%')
    """
    if np.isnan(share):
        return ""
    if 0 < share < 0.01:
        return "<1%"
    if 0.99995 <= share < 1:
        return ">99.9%"
    return f"{share:.1%}" if 0.995 <= share < 1 else f"{share:.0%}"


def effective(entropy: float) -> str:
    """Returns the effective number of paths, the exponential of an entropy."""
    if np.isnan(entropy):
        return ""
    # exp overflows at 709
    return norm(float(np.exp(entropy))) if entropy < 700 else f"1e{entropy / np.log(10):.0f}"


def smallest_cosine(numbers: Numbers) -> float:
    """Returns the smallest cosine between two costs; NaN where no two pull."""
    worst = worst_pair(numbers)
    return worst[0] if worst else float("nan")


def headline(report: Report) -> str:
    """Returns what was reported on."""
    parameters = list(report.model.parameters)
    weights = f"{report.model.numbers.entries:,}".replace(",", " ")
    costs = "1 cost" if len(report.costs) == 1 else f"{len(report.costs)} costs"
    layers = sum(1 for _ in report.model.layers)
    return (
        f"{costs}, {len(parameters)} parameter{'s' * (len(parameters) != 1)} with {weights} weights in "
        f"{layers} layer{'s' * (layers != 1)}"
    )


def unit_words(units: Units) -> str:
    """Returns what became of the units of an activation function, in words; nothing where all is well."""
    said = []
    if units.dead:
        said.append(f"{units.dead} of {units.units} units are 0 for every example")
    if units.silent:
        said.append(f"{units.silent} of {units.units} units get no gradient")
    if units.kinks:
        many = f"{units.kinks:,}".replace(",", " ")
        said.append(f"{many} of {units.entries:,} entries stand on a kink".replace(",", " "))
    return "; ".join(said)


def notes(report: Report) -> list[str]:
    """Returns the rules and definitions that the numbers stand on."""
    made = [
        "norm: the Euclidean length of a cost's gradient; share: its part of the sum of the norms. cosine: between the "
        f"gradients of two costs, the smallest of all pairs; below {CONFLICT} they are said to pull against each "
        f"other. A cost dominates where its norm is {DOMINANCE:g} times the next one's.",
        "depth: the norm of a cost's derivative by each layer's output; vanishing (exploding) where the first layer's "
        f"is less than {VANISHING:g} (more than {EXPLODING:g}) of the last one's.",
    ]
    if report.model.numbers.total is not None:
        made.append(
            "cancels: 1 - |gradient| / (sum of all absolute contributions of paths), over all entries."
        )
    if report.model.numbers.surprise is not None:
        made.append("paths: the effective number of paths to a weight, exp(entropy of their contributions).")
    if report.frozen:
        made.append(f"Not trained: {', '.join(report.frozen[:6])}{_more(report.frozen, 6)}.")
    if report.stops:
        made.append(
            f"Operations without a declaration ({', '.join(report.stops[:4])}{_more(report.stops, 4)}): cancellation, "
            "entropy and spectrum stop there."
        )
    made.append("One batch: another may say something else. Look at several before you change a model.")
    return made


def _more(names: tuple[str, ...], most: int) -> str:
    return f" and {len(names) - most} others" if len(names) > most else ""
