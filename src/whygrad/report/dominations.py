"""Where one cost pulls much harder than the others, in words, with what to try."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from whygrad.arrays import Array
from whygrad.report.phrases import counted, factor, layer_named, listed, named, quoted, times
from whygrad.report.record import Finding, Numbers, Part

# A cost dominates where its gradient is this many times as long as the next one's.
DOMINANCE = 3.0
# A cost that is this many times shorter is hardly meant to pull equally.
REGULARISER = 100.0
# Two equally long gradients with a smaller cosine add up to a shorter one than either: to weigh them alike stops both.
OPPOSED = -0.5
# So many costs are told by how much to multiply them.
FACTORS_TOLD = 8


def dominations(names: Sequence[str], model: Part) -> Iterator[Finding]:
    """Yields which cost dominates which layers, or that none does."""
    if len(names) == 1:
        largest = max(model.layers, key=lambda layer: float(layer.numbers.norms[0]), default=None)
        several = sum(1 for _ in model.layers) > 1
        if largest is not None and several and float(model.numbers.norms[0]) > 0:
            share = float(largest.numbers.norms[0] ** 2 / model.numbers.norms[0] ** 2)
            yield Finding(
                "single",
                f"The gradient of {quoted(names[0])} is longest in {layer_named(largest.name)}: {share:.0%} of "
                f"its squared length lies there",
                names=(largest.name,),
                costs=tuple(names),
            )
        return
    whole = model.shared
    if whole is None:
        return
    shared = [layer for layer in model.layers if len(layer.numbers.live) > 1]
    by_cost: dict[int, list[tuple[float, str]]] = {}
    for layer in shared:
        top, ratio = _top(layer.numbers)
        if ratio >= DOMINANCE:
            by_cost.setdefault(top, []).append((ratio, layer.name))
    top, ratio = _top(whole)
    beside = _beside(model)
    for k, places in sorted(by_cost.items(), key=lambda pair: -len(pair[1])):
        ratios = {j: float(by) for j, by in enumerate(beside[k]) if j != k and np.isfinite(by)}
        alone = len(ratios) == 1 and all(np.isfinite(beside[j]).sum() == 2 for j in ratios)
        factors = _factors(ratios)
        spoiled = _spoiled(names, whole, beside, shared, k, factors) if factors else ""
        yield Finding(
            "domination",
            f"{quoted(names[k])} dominates {_extent(places, len(shared))} as long as the next cost's{spoiled}",
            (_weights(names, ratios, factors, k, alone),) if factors and not spoiled else (),
            tuple(name for _, name in places),
            (names[k],),
        )
    if not by_cost:
        close = factor(ratio) == "1"
        longest = "about as long as" if close else f"{factor(ratio)} times as long as"
        live = whole.live
        last = min(live, key=lambda k: float(whole.norms[k]))
        behind = float(whole.norms[top] / whole.norms[last])
        short = len(live) > 2 and behind >= DOMINANCE
        yield Finding(
            "balance",
            f"No cost dominates a layer: over all shared weights the gradient of {quoted(names[top])} is the longest, "
            f"{longest} the next cost's"
            f"{f', and {factor(behind)} times as long as that of {quoted(names[last])}' * short}",
            costs=(names[top],),
        )


def _factors(ratios: Mapping[int, float]) -> dict[int, float]:
    """Returns which costs are to be multiplied, of those that are shorter than another so many times.

    Not those that are near. Nor such as are shorter by far, unless all are: then those that are so beside the others.
    """
    behind = {k: ratio for k, ratio in ratios.items() if ratio >= DOMINANCE}
    near = {k: ratio for k, ratio in behind.items() if ratio <= REGULARISER}
    if near or not behind or len(behind) < len(ratios):
        return near
    return {k: ratio for k, ratio in behind.items() if ratio <= REGULARISER * min(behind.values())}


def _extent(places: Sequence[tuple[float, str]], shared: int) -> str:
    """Returns in which layers a cost dominates, and how much."""
    ratios = [ratio for ratio, _ in places]
    span = times(min(ratios), max(ratios))
    if len(places) == shared and shared > 1:
        return f"every shared layer: its gradient there is {span}"
    if len(places) <= 3:
        layers = [layer_named(name) for _, name in places]
        return f"{listed(layers)}: its gradient there is {span}"
    most = layer_named(max(places)[1])
    return f"{len(places)} of {counted(shared, 'shared layer')}, most {most}: its gradient in them is {span}"


def _top(numbers: Numbers) -> tuple[int, float]:
    """Returns the cost with the longest gradient, and how many times as long as the next one's it is."""
    first, second, *_ = sorted(numbers.live, key=lambda k: -float(numbers.norms[k]))
    return first, float(numbers.norms[first] / numbers.norms[second])


def _beside(model: Part) -> Array:
    """Returns how many times as long as another cost's each cost's gradient is, over all that both of them train.

    Returns:
        (costs, costs), of a row's cost against a column's; NaN for two that train nothing together.
    """
    many = len(model.numbers.reached)
    squares = np.zeros((many, many))
    for part in model.parameters:
        live = part.numbers.live
        squares[np.ix_(live, live)] += part.numbers.norms[live, None] ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt(squares / squares.T)


def _spoiled(
    names: Sequence[str],
    whole: Numbers,
    beside: Array,
    shared: Sequence[Part],
    top: int,
    factors: Mapping[int, float],
) -> str:
    """Returns what stands against multiplying costs by some factors, in words; nothing where nothing does.

    Costs that ask for the opposite would stop each other. The factors may set two others further apart (but for
    regularisers), or leave the layers as uneven as they are: where several costs dominate, each in its own layers, no
    factor helps.
    """
    beside_it = map(int, np.flatnonzero(np.isfinite(beside[top])))
    opposed = min(beside_it, key=lambda k: float(whole.cosines[top, k]))
    if whole.cosines[top, opposed] < OPPOSED:
        return (
            f"; no factors even this out: with gradients of equal length {quoted(names[top])} and "
            f"{quoted(names[opposed])} would stop each other"
        )
    by = np.ones(len(beside))
    by[list(factors)] = list(factors.values())
    after = beside * by[:, None] / by
    with np.errstate(invalid="ignore"):
        worse = (after >= DOMINANCE) & (by[:, None] > by) & (beside <= REGULARISER)
    if worse.any():
        first, second = divmod(int(np.argmax(np.where(worse, after, 0.0))), len(after))
        return (
            f"; no factors even this out: with them the gradient of {quoted(names[first])} would be "
            f"{factor(float(after[first, second]))} times as long as that of {quoted(names[second])}"
        )
    weighed = [layer.numbers.norms[[top, *factors]] for layer in shared]
    several = [norms for norms in weighed if (norms > 0).sum() > 1]
    before, left = (
        sum(1 for norms in several if _uneven(norms * scale)) for scale in (1.0, by[[top, *factors]])
    )
    if 2 * left > before:
        return (
            f"; no factors even this out: with them one cost would still dominate {left} of "
            f"{counted(len(several), 'shared layer')}"
        )
    return ""


def _uneven(norms: Array) -> bool:
    """Returns whether the longest of some gradients dominates."""
    *_, second, first = np.sort(norms)
    return bool(first >= DOMINANCE * second)


def _weights(
    names: Sequence[str], ratios: Mapping[int, float], weighed: Mapping[int, float], top: int, alone: bool
) -> str:
    """Returns by how much to multiply costs so that they pull as hard as the one that dominates, and when not to.

    Of two that train their weights alone, to multiply one and to divide the other are the same but for a common factor.
    """
    near = min(weighed.values()) <= REGULARISER
    factors = {names[k]: factor(ratio) for k, ratio in weighed.items()}
    multiplied = listed([f"{quoted(name)} by {by}" for name, by in factors.items()], FACTORS_TOLD)
    far = [names[k] for k, ratio in ratios.items() if ratio > REGULARISER and k not in weighed]
    apart = f" ({named(far)}, shorter by far, may be meant to be so)" if far else ""
    if alone:
        (by,) = factors.values()
        multiplied += f", or divide {quoted(names[top])} by {by}"
        steps = (
            f"SGD's steps are then {by} times as long by the first as by the second, so mind the learning rate; Adam's "
            "are the same by both"
        )
    else:
        longer = "its gradient and with it" if len(factors) == 1 else "their gradients and with them"
        steps = f"it lengthens {longer} SGD's steps: mind the learning rate; to Adam only the costs' ratios matter"
    every = len(factors) + len(far) == len(ratios)
    they = "it" if len(factors) == 1 else "them"
    pull = "the costs pull equally" if every else f"{they} pull as hard as {quoted(names[top])}"
    equally = f"multiply {multiplied}{apart}, to let {pull} on the shared weights ({steps})"
    if near:
        return f"{equally}; or leave it so, if {quoted(names[top])} is meant to come first"
    some = f"{named(tuple(factors), 4)} {'is' if len(factors) == 1 else 'are'}"
    return f"nothing, if {some} meant to be small, as a regulariser is; otherwise {equally}"
