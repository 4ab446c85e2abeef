"""What the page of a recorded model says of a place in words, and its numbers to six digits."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from whygrad.render import report_words as words
from whygrad.report.conflicts import in_conflict, worst_pair
from whygrad.report.phrases import quoted
from whygrad.report.record import Numbers


def says(costs: Sequence[str], numbers: Numbers, name: str) -> str:
    """Returns in one or two sentences which cost pulls most at a place, and whether costs pull against each other.

    Args:
        costs: The names of the costs.
        numbers: What the costs do at the place.
        name: The place; the whole model where there is none.
    """
    norms, costs, name = (
        numbers.norms,
        [quoted(cost) for cost in costs],
        quoted(name) if name else "the model",
    )
    if not numbers.reached.any():
        return f"No cost has a path to {name}: its gradient is 0."
    if not np.isfinite(norms).all():
        return f"The gradient by {name} is not finite; nothing else can be said."
    if not norms.any():
        return f"There are paths to {name}, and what they carry adds up to 0."
    order = [int(k) for k in np.argsort(-norms, kind="stable")]
    top, pulling = order[0], [k for k in order if norms[k] > 0]
    if len(costs) == 1:
        return f"The gradient of {costs[0]} by {name} has norm {words.norm(float(norms[0]))}."
    if len(pulling) == 1:
        return f"Only {costs[top]} pulls {name}, with a gradient of norm {words.norm(float(norms[top]))}."
    ratio = float(norms[top] / norms[order[1]])
    first = (
        f"{costs[top]} and {costs[order[1]]} pull {name} equally strongly"
        if ratio < 1.1
        else f"{costs[top]} pulls {name} most: its gradient is {ratio:.2g} times as long as that of {costs[order[1]]}"
    )
    found = worst_pair(numbers)
    if found is None:
        return f"{first}. No two costs train one same parameter here."
    cosine, i, j = found
    signed = f"{cosine:+.2f}".replace("-", "−")
    if in_conflict(numbers):
        return f"{first}. {costs[i]} and {costs[j]} pull against each other here (cosine {signed})."
    which = "They" if len(pulling) == 2 else f"{costs[i]} and {costs[j]}, the pair that agrees least,"
    how = (
        "pull the same way" if cosine > 0.5 else "pull partly the same way" if cosine > 0.1 else "hardly meet"
    )
    return f"{first}. {which} {how} (cosine {signed})."


def sides(costs: Sequence[str], branch: dict[str, Any]) -> str:
    """Returns in words what the skip and the block send back to a value where a residual block begins."""
    if branch["against"] is None:
        return ""
    said = []
    for k, cost in enumerate(costs):
        skip, block = (
            [
                norms[k] or 0.0
                for norms, side in zip(branch["norms"], branch["sides"], strict=True)
                if side == name
            ]
            for name in ("skip", "block")
        )
        if len(skip) == len(block) == 1 and (skip[0] or block[0]):
            cosine = branch["against"][k]
            more = "" if cosine is None else f" (cosine {cosine:+.2f})".replace("-", "−")
            said.append(f"{words.norm(skip[0])} and {words.norm(block[0])} for {quoted(cost)}{more}")
    return (
        f"A residual block begins here: the skip and the block send back norms of {'; '.join(said)}."
        if said
        else ""
    )


def short(value: Any) -> float | None:
    """Returns a number to six digits; nothing where it is not finite.

    Example:
        >>> short(1 / 3), short(float("nan"))
        (0.333333, None)
    """
    number = float(value)
    return float(f"{number:.6g}") if np.isfinite(number) else None
