"""Costs that are others once more: a sum of them, as training loops log it beside its terms, or a multiple of one."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from whygrad.arrays import Array
from whygrad.report.phrases import listed, norm, quoted
from whygrad.report.record import Finding, Numbers

# Among more costs than these (one for each example, mostly) none is looked for.
MOST_COSTS = 32
# A gradient is a sum of others where less than this is left of its squared length; in single precision 1e-6 is.
LEFT = 1e-5
# How far the values may be from the same sum, of all its terms.
OFF = 1e-3
# A term with a smaller factor, were all gradients equally long, is none.
LEAST = 1e-3
# So many terms of a sum are written.
TERMS_TOLD = 8


def repeats(costs: Mapping[str, float], shared: Numbers | None) -> Iterator[Finding]:
    """Yields which costs are others once more: gradient and value are the same sum of theirs, with positive factors.

    The factors come from the gradients alone, by what several costs train: not by factors that a sum learns for its
    terms. That the values agree as well is then no chance.
    """
    if shared is None:
        return
    kept = list(shared.live)
    if len(kept) > min(MOST_COSTS, shared.entries - 1):
        return
    lengths, cosines, values = shared.norms, shared.cosines, np.array([*costs.values()])
    found = True
    while found and len(_independent(cosines, kept)) < len(kept):
        found = False
        for k in reversed(kept[:]):
            terms = _terms(cosines, lengths, values, k, _independent(cosines, [j for j in kept if j != k]))
            if terms:
                kept.remove(k)
                found = True
                yield _told(list(costs), k, terms)


def _fit(cosines: Array, k: int, others: Sequence[int]) -> tuple[Array, float]:
    """Returns the factors with which other gradients come closest to one, all equally long, and what is left of it."""
    by = np.linalg.lstsq(cosines[np.ix_(others, others)], cosines[others, k], rcond=None)[0]
    return by, float(1 - 2 * by @ cosines[others, k] + by @ cosines[np.ix_(others, others)] @ by)


def _independent(cosines: Array, costs: Sequence[int]) -> list[int]:
    """Returns costs without those whose gradients are sums of the gradients before."""
    made: list[int] = []
    for k in costs:
        if not made or _fit(cosines, k, made)[1] > LEFT:
            made.append(k)
    return made


def _terms(cosines: Array, lengths: Array, values: Array, k: int, others: Sequence[int]) -> dict[int, float]:
    """Returns the factors of the costs that a cost is the sum of; nothing where it isn't one."""
    by, left = _fit(cosines, k, others)
    if left > LEFT or (by < -LEAST).any():
        return {}
    scaled = by * lengths[k] / lengths[others]
    terms = {j: float(scaled[place]) for place, j in enumerate(others) if by[place] > LEAST}
    made = np.array([value * values[j] for j, value in terms.items()])
    whole = abs(values[k]) + np.abs(made).sum()
    return terms if abs(values[k] - made.sum()) <= OFF * whole else {}


def _told(names: Sequence[str], k: int, terms: Mapping[int, float]) -> Finding:
    once, plain = quoted(names[k]), {j: abs(by - 1) < OFF for j, by in terms.items()}
    parts = [f"{'' if plain[j] else f'{norm(by)} × '}{quoted(names[j])}" for j, by in terms.items()]
    if len(parts) == 1:
        says, tried = (
            f"{once} is {parts[0]}: one cost under two names",
            "leave one of the two out of the costs",
        )
    else:
        says = (
            f"{once} is the sum of {listed(parts, TERMS_TOLD)}: they count twice wherever costs are added up"
        )
        tried = f"leave {once} out of the costs"
        if not all(plain.values()):
            tried += ", and multiply the others by these factors, if they are trained with them"
    return Finding("repeated", says, (tried,), costs=(names[k], *(names[j] for j in terms)))
