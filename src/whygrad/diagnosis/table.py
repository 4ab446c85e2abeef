"""The table of mistakes, and the names of the numbers that gradients are multiplied with."""

import re
from collections.abc import Iterator, Mapping
from math import isclose
from types import MappingProxyType
from typing import NamedTuple

from whygrad.diagnosis import (
    operations,
    output_error,
    paths,
    reductions,
    regularisation,
    slopes,
    state,
    weights,
)
from whygrad.diagnosis.mistake import Mistake, Multiple
from whygrad.diagnosis.record import Finding
from whygrad.diagnosis.setting import Setting

STRAY = Mistake(
    "stray_factor",
    "scale",
    "a stray factor {note}",
    "leave the factor out",
    "one gradient, or all from one layer down",
    rank=1.3,
)

ENTRIES: tuple[Mistake, ...] = (
    *output_error.ENTRIES[:-1],
    *reductions.ENTRIES[:4],
    STRAY,
    *reductions.ENTRIES[4:-2],
    *slopes.ENTRIES,
    *paths.ENTRIES,
    *weights.ENTRIES,
    *reductions.ENTRIES[-2:],
    *regularisation.ENTRIES,
    *state.ENTRIES,
    *operations.ENTRIES,
    output_error.ENTRIES[-1],
)

#: Every mistake by its code.
TABLE: Mapping[str, Mistake] = MappingProxyType({entry.code: entry for entry in ENTRIES})


class Named(NamedTuple):
    """A reading of a multiple: which mistakes have which numbers whose product it is, and what that costs."""

    parts: tuple[tuple[Mistake, Multiple], ...]
    cost: float


def _known(setting: Setting, layer: int, level: str) -> list[tuple[Mistake, Multiple]]:
    made = []
    for mistake in ENTRIES:
        if mistake.multiples is not None:
            made += [(mistake, multiple) for multiple in mistake.multiples(setting, layer, level)]
    return [(mistake, multiple) for mistake, multiple in made if not isclose(multiple.number, 1)]


def _simple(number: float, close: float) -> bool:
    """Whether somebody may have typed this number."""
    size = abs(number)
    return any(
        isclose(size * by, round(size * by), rel_tol=close) and 1 <= round(size * by) <= 1000
        for by in (1, 2, 3, 4, 10, 100)
    ) or isclose(1 / size, round(1 / size), rel_tol=close)


def named_multiple(setting: Setting, layer: int, level: str, number: float) -> list[Named]:
    """Returns the readings of an exact multiple with the net's own numbers, the cheapest first.

    Args:
        setting: The network and its numbers.
        layer: The layer that the multiple is found at.
        level: ``all``, ``delta``, ``weight``, ``bias`` or ``regularisation``.
        number: The multiple.
    """
    if number == 0 or isclose(number, 1, rel_tol=setting.close):
        return []
    known = _known(setting, layer, level)
    made = [
        Named(((mistake, multiple),), mistake.rank + multiple.surcharge)
        for mistake, multiple in known
        if isclose(multiple.number, number, rel_tol=setting.close)
    ]
    single: dict[str, Named] = {}
    for named in made:
        single.setdefault(named.parts[0][0].code, named)
    made = list(single.values())
    if not made:
        made.append(
            Named(
                ((STRAY, Multiple(number, f"{number:.6g}")),),
                STRAY.rank if _simple(number, setting.close) else 1.8,
            )
        )
    elif level in ("weight", "bias") and min(named.cost for named in made) >= STRAY.rank:
        made.append(Named(((STRAY, Multiple(number, f"{number:.6g}")),), STRAY.rank))
    if level in ("all", "delta"):
        made += _pairs(known, number, 0.9 if level == "all" else 0.5, setting.close)
    return sorted(made, key=lambda named: named.cost)


def _pairs(known: list[tuple[Mistake, Multiple]], number: float, off: float, close: float) -> Iterator[Named]:
    """Yields two mistakes whose numbers have the product; one line of code often holds both."""
    found = set()
    for place, (first, one) in enumerate(known):
        for second, two in known[place + 1 :]:
            codes = (first.code, second.code)
            if (
                first.code != second.code
                and codes not in found
                and isclose(one.number * two.number, number, rel_tol=close)
            ):
                found.add(codes)
                yield Named(
                    ((first, one), (second, two)),
                    first.rank + second.rank + one.surcharge + two.surcharge - off,
                )


def finding_of(code: str, note: str, parameters: tuple[str, ...], rivals: tuple[str, ...] = ()) -> Finding:
    """Returns the exact finding of a mistake in functions, where there are no layers with numbers."""
    mistake = TABLE[code]
    plain, _, after = _without_layers(mistake.says).partition("{note}")
    plain = plain.rstrip(" :")
    says = f"{plain}: {note.strip()}" if note.strip() else plain
    fix = _without_layers(mistake.fix)
    first = parameters[0] if parameters else ""
    return Finding(first, code, says + after.rstrip(), fix, 1.0, parameters, True, rivals)


def _without_layers(text: str) -> str:
    """Returns a template's words without the numbers of layers: a person's own functions have none."""
    text = re.sub(r" (of|in|to|at) layer \{l\}", "", text)
    text = re.sub(r" \(\{act\}\)", "", text)
    for part, words in (
        ("{l}", ""),
        ("{up}", ""),
        ("{down}", ""),
        ("{last}", ""),
        ("{act}", "f"),
        ("{m}", "m"),
        ("{outputs}", ""),
    ):
        text = text.replace(part, words)
    return " ".join(text.split())
