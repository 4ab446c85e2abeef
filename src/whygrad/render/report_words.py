"""What every format of a report shares: numbers, marks, titles and the rules that it states."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from whygrad.report import Report, Units
from whygrad.report.conflicts import CONFLICT, NO_MATCH, worst_pair
from whygrad.report.depth import chain, courses
from whygrad.report.dominations import DOMINANCE
from whygrad.report.phrases import counted, grouped, listed, named, signed
from whygrad.report.phrases import norm as norm
from whygrad.report.record import Numbers
from whygrad.report.verdict import EXPLODING, FEWEST_LAYERS, VANISHING

# With more costs than these, a row names the longest gradient instead of all.
COSTS_IN_COLUMNS = 4
# A matrix of cosines is written out for so many costs.
FEWEST_IN_MATRIX, MOST_IN_MATRIX = 3, 12
# Parts by number of blocks that are all below this share of their cost's largest have one line, at the end.
SMALL_PART = 0.01
# One fill for each cost, so that bars can be read without colour; later costs begin again.
FILLS = ("█", "▒", "▓", "░", "▚", "▄")
ASCII_FILLS = ("#", "-", "=", "+", "o", "x")
# Bars of one sign, from small to large.
LEVELS, ASCII_LEVELS = "▁▂▃▄▅▆▇█", ".:-=+*#@"
MARK, ASCII_MARK = "⇄", "!"


def cosine(value: float) -> str:
    """Returns a cosine to two digits, with its sign; nothing where it is not known."""
    return "" if np.isnan(value) else signed(value)


def short(name: str, width: int = 12, dots: str = "…") -> str:
    """Returns a name, cut in the middle where it is too long: names often differ at their end alone.

    Example:
        >>> short("loss"), short("reconstruction_left"), short("reconstruction_right")
        ('loss', 'recons…_left', 'recons…right')
    """
    if len(name) <= width:
        return name
    kept = width - len(dots)
    return f"{name[: kept - kept // 2]}{dots}{name[len(name) - kept // 2 :]}"


def both(names: Sequence[str], width: int, dots: str = "…") -> str:
    """Returns two names, each cut in the middle where they are too long together.

    Example:
        >>> both(("class", "box"), 20), both(("reconstruction_left", "box"), 20), both(("one_of_two", "the_other"), 20)
        ('class, box', 'reconst…on_left, box', 'one_…_two, the_other')
    """
    if not names:
        return ""
    first, second = names
    room = width - 2
    left = min(len(first), max(room // 2, room - len(second)))
    return f"{short(first, left, dots)}, {short(second, room - left, dots)}"


def percent(share: float) -> str:
    """Returns a share as a whole percentage; with digits where it is close to all.

    Example:
        >>> percent(0.5), percent(0.9961), percent(0.99996), percent(0.001), percent(0.0)
        ('50%', '99.6%', '>99.9%', '<1%', '0%')
    """
    if np.isnan(share):
        return ""
    if 0 < share < 0.01:
        return "<1%"
    if share >= 0.9995:
        return ">99.9%"
    return f"{share:.1%}" if share >= 0.995 else f"{share:.0%}"


def effective(entropy: float) -> str:
    """Returns the effective number of paths, the exponential of an entropy."""
    if np.isnan(entropy):
        return ""
    # exp overflows at 709
    return norm(float(np.exp(entropy))) if entropy < 700 else f"1e{entropy / np.log(10):.0f}"


class Pair(NamedTuple):
    """The two costs whose gradients have the smallest cosine, which is a text as well."""

    cosine: str
    names: tuple[str, ...]
    value: float


def worst(numbers: Numbers, costs: Sequence[str]) -> Pair:
    """Returns the pair of costs with the smallest cosine; nothing where no two pull."""
    found = worst_pair(numbers)
    if found is None:
        return Pair("", (), float("nan"))
    value, i, j = found
    return Pair(signed(value), (costs[i], costs[j]), value)


def met_cosines(numbers: Numbers) -> Any:
    """Returns the cosines of costs that pull on one same parameter, (costs, costs); NaN for others: they are apart."""
    return np.where(numbers.meeting, numbers.cosines, np.nan)


def largest(values: Any) -> float:
    """Returns the largest of some values, of those that are known; NaN where none is."""
    known = values[np.isfinite(values)]
    return float(known.max()) if len(known) else float("nan")


def longest(numbers: Numbers) -> int:
    """Returns which cost's gradient is the longest; one that is not a number comes first, as it is to be seen."""
    return int(np.argmax(np.where(np.isnan(numbers.norms), np.inf, numbers.norms)))


def shared_row(report: Report) -> Numbers | None:
    """Returns the numbers of the weights on which several costs pull, where those aren't all weights."""
    shared = report.model.shared
    return None if shared is None or shared.entries == report.model.numbers.entries else shared


def idle(report: Report) -> frozenset[str]:
    """Returns the parameters whose gradients are rounding: their cosines say nothing."""
    return frozenset(
        name for finding in report.findings if finding.kind == "cancels" for name in finding.names
    )


def headline(report: Report) -> str:
    """Returns what was reported on."""
    parameters = sum(1 for _ in report.model.parameters)
    layers = sum(1 for _ in report.model.layers)
    return (
        f"{counted(len(report.costs), 'cost')}, {counted(parameters, 'parameter')} with "
        f"{counted(report.model.numbers.entries, 'weight')} in {counted(layers, 'layer')}"
    )


def blocks(number: int) -> str:
    """Returns a number of blocks, in words."""
    return f"{number} block{'s' * (number != 1)}"


def block_bars(parts: Any) -> Any:
    """Returns how long the bars of a spectrum's parts (costs, parts) are, against the longest of the same cost."""
    with np.errstate(invalid="ignore"):
        bars = parts / np.maximum(parts.max(axis=1, keepdims=True), 1e-300)
    return np.where(np.isfinite(bars), bars, 0.0)


def blocks_shown(parts: Any) -> int:
    """Returns how many parts of a spectrum (costs, parts) have a line: all but several small ones at the end."""
    large = (block_bars(parts) >= SMALL_PART) | ~np.isfinite(parts)
    last = int(np.flatnonzero(large.any(axis=0)).max(initial=0)) + 1
    return last if parts.shape[1] - last > 2 else int(parts.shape[1])


def unit_words(units: Units) -> str:
    """Returns what became of the units of an activation function, in words; nothing where all is well."""
    said = []
    if units.dead:
        said.append(
            f"{units.dead} of {units.units} units {_verb(units.dead, 'is', 'are')} 0 for every example"
        )
    if units.silent:
        said.append(f"{units.silent} of {units.units} units {_verb(units.silent, 'gets', 'get')} no gradient")
    if units.kinks:
        stand = _verb(units.kinks, "stands", "stand")
        said.append(f"{grouped(units.kinks)} of {grouped(units.entries)} entries {stand} on a kink")
    return "; ".join(said)


def _verb(many: int, one: str, more: str) -> str:
    return one if many == 1 else more


def meanings(report: Report) -> list[tuple[str, str]]:
    """Returns the words of a report and what they mean; of what is there alone."""
    costs, numbers = len(report.costs), report.model.numbers
    made = [("cost", "a loss, or another term of the sum that is minimised")]
    if costs > 1:
        longest = "; in a row that of the longest" * (costs > COSTS_IN_COLUMNS)
        live = np.ix_(numbers.live, numbers.live)
        apart = "; none between two that train no parameter together" * (not numbers.meeting[live].all())
        smallest = f", the smallest of all pairs without gradients below {NO_MATCH:g} of the longest"
        made += [
            (
                "norm",
                "the Euclidean length of a cost's gradient: how hard it pulls; a cost dominates where it is at least "
                f"{DOMINANCE:g} times the next one's{longest}",
            ),
            ("share", "a norm's part of the sum of all costs' norms"),
            (
                "cosine",
                f"between the gradients of two costs{smallest * (costs > 2)}: +1 the same "
                f"direction, −1 the opposite one; below {signed(CONFLICT)} they pull against each other: "
                f"{MARK}{apart}; with the gradient of the sum: below 0, a small step down the sum raises the cost",
            ),
        ]
        if report.model.shared is not None:
            made.append(("shared", "weights, or layers with weights, on which at least two costs pull"))
    else:
        made.append(("norm", "the Euclidean length of the gradient"))
    made.append(
        ("path", "a way from a weight to a cost; the gradient is the sum of what all paths contribute")
    )
    if numbers.surprise is not None:
        made.append(
            (
                "paths",
                "how many carry a weight's gradient, were all equally strong: exp(entropy of contributions)",
            )
        )
    if numbers.total is not None:
        made.append(
            (
                "cancels",
                "how much contributions of both signs cancel: 1 − |gradient| / (sum of their absolute values)"
                f"{', of the cost where it is most' * (costs > 1)}; close to 100% is usual in deep networks",
            )
        )
    if len(report.layers) > 1:
        made.append(
            (
                "layers",
                "in the order of the forward pass; vanishing (exploding) where the first one's norm is less than "
                f"{VANISHING:g} (more than {EXPLODING:g}) times the last one's",
            )
        )
    if report.spectrum is not None:
        made.append(
            (
                "blocks",
                "a path takes the skip h or the block f at each residual add h + f(h); where the norm of the sum is "
                "less than the sum of the norms, paths through more and fewer blocks cancel; each cost's bars have a "
                "scale of their own",
            )
        )
    if any(unit_words(units) for units in report.units):
        kink = "; a kink is where its slope jumps, as that of relu at 0"
        kinks = any(units.kinks for units in report.units)
        made.append(("units", f"the outputs of an activation function{kink * kinks}"))
    return made


def sound(report: Report) -> str:
    """Returns what was looked for and not found, in words; nothing where values aren't finite."""
    kinds = {finding.kind for finding in report.findings}
    if "not finite" in kinds:
        return ""
    absent = []
    deep = any(
        course is not None and len(chain(report.layers, k, course)) >= FEWEST_LAYERS
        for k, course in enumerate(courses(report.layers, len(report.costs)))
    )
    if deep and not kinds & {"vanishing", "exploding"}:
        absent.append("gradients that vanish or explode")
    units = [each for each in report.units if each.units]
    if units and not any(each.dead or each.silent for each in units):
        absent.append("dead units")
    if "unreached" not in kinds:
        absent.append("parameters that no cost reaches")
    return f"Looked for and not found: {listed(absent)}" if absent else ""


def remarks(report: Report) -> list[str]:
    """Returns what is to be kept in mind about a report."""
    made = []
    if report.frozen:
        made.append(f"Not trained: {named(report.frozen, 6)}.")
    if report.stops:
        made.append(
            f"Operations without a declaration ({named(report.stops, 4)}): gradients go through them, and paths end "
            "there. Of what lies before them cancellation and entropy are not known, paths through them are neither "
            "listed nor counted, and the spectrum is without them."
        )
    if report.omitted:
        made.append(report.omitted)
    made.append("One batch: another may say something else. Look at several before you change a model.")
    return made


def notes(report: Report) -> list[str]:
    """Returns the rules and definitions that the numbers stand on, as sentences."""
    return [*(f"{word}: {meaning}." for word, meaning in meanings(report)), *remarks(report)]
