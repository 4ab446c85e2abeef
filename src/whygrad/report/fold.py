"""Folds a model's tree to as many lines as can be read, with the extremes kept."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from whygrad.report.conflicts import worst_pair
from whygrad.report.record import Part

# A module with more parts than this shows the extreme ones.
PARTS_SHOWN = 8


class Line(NamedTuple):
    """One line of a folded tree: a part and how deep it lies, or the parts of a module that are left out."""

    depth: int
    part: Part | None
    others: tuple[Part, ...] = ()
    folded: bool = False


def fold(model: Part, most: int) -> list[Line]:
    """Returns the lines of a model's tree, at most about ``most``.

    Modules are opened from the top; among those of one level first where the costs disagree most, in all of it or in
    a layer of it. Of many parts the first, the last and the extremes stay; the others share a line.
    """
    opened: set[int] = set()
    waiting = [model]
    count = 0
    while waiting:
        waiting.sort(key=_interest)
        following: list[Part] = []
        for part in waiting:
            if part is not model and not part.numbers.reached.any():
                continue  # there is nothing more to say of what is in it
            shown = _shown(part.parts)
            more = len(shown) + (len(shown) < len(part.parts))
            if count + more > most and part is not model:
                break  # a smaller one would be opened for no reason that a reader sees
            opened.add(id(part))
            count += more
            following += [inner for inner in shown if inner.parts]
        waiting = following
    return list(_lines(model, 0, opened))


def _interest(part: Part) -> tuple[float, float]:
    cosines = [worst[0] for inner in (part, *part.layers) if (worst := worst_pair(inner.numbers))]
    return (min(cosines, default=1.0), -float(np.nansum(part.numbers.norms)))


def _shown(parts: Sequence[Part]) -> list[Part]:
    """Returns the parts that are shown by themselves, in their order."""
    if len(parts) <= PARTS_SHOWN:
        return list(parts)
    size = [float(np.nan_to_num(part.numbers.norms).sum()) for part in parts]
    odd = [_interest(part)[0] for part in parts]
    share = [float(np.nan_to_num(part.numbers.shares).max()) for part in parts]
    chosen = {
        0,
        len(parts) - 1,
        int(np.argmax(size)),
        int(np.argmin(size)),
        int(np.argmin(odd)),
        int(np.argmax(share)),
    }
    return [parts[place] for place in sorted(chosen)]


def _lines(part: Part, depth: int, opened: set[int]) -> Iterator[Line]:
    if id(part) not in opened:
        return
    shown = {id(inner) for inner in _shown(part.parts)}
    others: list[Part] = []
    for inner in part.parts:
        if id(inner) not in shown:
            others.append(inner)
            continue
        yield Line(depth, inner, folded=bool(inner.parts) and id(inner) not in opened)
        yield from _lines(inner, depth + 1, opened)
    if others:
        yield Line(depth, None, tuple(others))
