"""What the numbers of a report say, in words, with what to try. Each rule has its threshold here."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import TypeAlias

import numpy as np

from whygrad.report.record import Finding, Layer, Numbers, Part, Units

Array: TypeAlias = np.ndarray

# Gradients whose cosine is below this pull against each other; above minus this they agree.
CONFLICT = -0.1
# A cost dominates where its gradient is this many times as long as the next one's.
DOMINANCE = 3.0
# The derivative by the first layer's output against that by the last one's.
VANISHING = 1e-3
EXPLODING = 1e3
FEWEST_LAYERS = 3
# Of the units of one activation function.
DEAD = 0.1
TRY_IN_DEPTH = {
    "vanishing": "skip connections or a normalisation in each layer; an initialisation that keeps the variance (He "
    "for relu, Xavier for tanh); activation functions that don't saturate",
    "exploding": "clipping the gradient's norm; smaller initial weights; a normalisation in each layer",
}
TRY_AS_ABOVE = "the same as for the pair above"


def findings(
    costs: Mapping[str, float],
    model: Part,
    layers: Sequence[Layer],
    units: Sequence[Units],
    idle: Sequence[str],
) -> tuple[Finding, ...]:
    """Returns what the numbers say, the most important first.

    Args:
        costs: The costs' values by name.
        model: The whole model.
        layers: The depth profile.
        units: The activation functions.
        idle: The biases whose gradients are nothing but rounding.
    """
    names = tuple(costs)
    broken = tuple(_not_finite(names, costs, model))
    if broken:
        return broken
    return (
        *_conflicts(names, model),
        *_dominations(names, model),
        *_depth(names, layers),
        *_dead(units),
        *_unreached(model),
        *_cancelling(idle),
    )


def _not_finite(names: Sequence[str], costs: Mapping[str, float], model: Part) -> Iterator[Finding]:
    costly = [name for name in names if not np.isfinite(costs[name])]
    bad = [part.name for part in model.parameters if not np.isfinite(part.numbers.absolute).all()]
    if costly or bad:
        what = f"the value{'s' * (len(costly) > 1)} of {listed(costly)}" if costly else ""
        where = f"the gradients of {listed(bad)}" if bad else ""
        yield Finding(
            "not finite",
            f"Not finite: {', and '.join(part for part in (what, where) if part)}. Nothing else can be said",
            (
                "look for a logarithm or a root of 0, a division by 0 or an overflow; compute in float32 or float64; "
                "clip the gradients or lower the learning rate of the steps before",
            ),
            tuple(bad),
            tuple(costly),
        )


def live(numbers: Numbers) -> list[int]:
    """Returns the numbers of the costs whose gradients aren't zero."""
    return [int(k) for k in np.flatnonzero(numbers.norms > 0)]


def shared_part(model: Part) -> Numbers | None:
    """Returns the numbers of all parameters together on which at least two costs pull; nothing if there are none."""
    made = None
    for part in model.parameters:
        if len(live(part.numbers)) > 1:
            made = part.numbers if made is None else made + part.numbers
    return made


def worst_pair(numbers: Numbers) -> tuple[float, int, int] | None:
    """Returns the smallest cosine between two costs and their numbers; nothing where no two pull."""
    cosines = numbers.cosines
    pairs = [
        (float(cosines[i, j]), i, j)
        for i, j in combinations(range(len(cosines)), 2)
        if np.isfinite(cosines[i, j])
    ]
    return min(pairs) if pairs else None


def in_conflict(numbers: Numbers) -> bool:
    """Returns whether two costs pull against each other."""
    worst = worst_pair(numbers)
    return worst is not None and worst[0] < CONFLICT


def _conflicts(names: Sequence[str], model: Part) -> Iterator[Finding]:
    if len(names) < 2:
        return
    whole = shared_part(model)
    if whole is None:
        yield Finding(
            "apart",
            "No two costs reach the same parameter with a gradient: each part of the model serves one cost",
        )
        return
    shared = [layer for layer in model.layers if len(live(layer.numbers)) > 1]
    found = []
    for i, j in combinations(range(len(names)), 2):
        at = [
            (float(layer.numbers.cosines[i, j]), layer)
            for layer in shared
            if np.isfinite(layer.numbers.cosines[i, j])
        ]
        against = sorted((c, layer.name) for c, layer in at if c < CONFLICT)
        overall = float(whole.cosines[i, j])
        if against or overall < CONFLICT:
            found.append((min(overall, against[0][0] if against else 0.0), i, j, overall, against, len(at)))
    for place, (_, i, j, overall, against, many) in enumerate(sorted(found)[:3]):
        made = _conflict(names, whole, i, j, overall, against, many)
        # What to try is the same for the next pairs.
        yield made if not place else made._replace(tries=(TRY_AS_ABOVE,))
    if len(found) > 3:
        yield Finding(
            "conflict",
            f"{len(found) - 3} other pairs of costs pull against each other somewhere: the table says where",
            ("methods for any number of costs (UPGrad, MGDA, CAGrad) instead of mending pair by pair",),
        )
    if not found:
        worst = worst_pair(whole)
        assert worst is not None
        cosine, i, j = worst
        pair = f"{names[i]} and {names[j]}"
        yield Finding(
            "agreement",
            f"In no layer do two costs pull against each other; over all {entries_of(whole)} shared weights the "
            f"smallest cosine is "
            f"{signed(cosine)} ({pair})",
            costs=(names[i], names[j]),
        )


def _conflict(
    names: Sequence[str],
    whole: Numbers,
    i: int,
    j: int,
    overall: float,
    against: Sequence[tuple[float, str]],
    many: int,
) -> Finding:
    a, b = names[i], names[j]
    together = f"over all shared weights together the cosine is {signed(overall)}"
    if against:
        where = _named(against[0][1])
        rest = (
            f"in {len(against)} of {many} shared layers, most in {where} (cosine {signed(against[0][0])})"
            if many > 1
            else f"in {where}"
        )
        says = f"{a} and {b} pull against each other {rest}; {together}"
    else:
        says = f"{a} and {b} pull against each other: {together}, though in no single layer below {signed(CONFLICT)}"
    worse = [names[k] for k in (i, j) if np.isfinite(whole.along[k]) and whole.along[k] < 0]
    if worse:
        says += f"; a small step down the sum of all costs makes {listed(worse)} worse"
    tries = []
    worst, place = (against[0][0], f" in {_named(against[0][1])}") if against else (overall, "")
    tries.append(
        f"gradient surgery: PCGrad, layer by layer, takes from each gradient what works against the other and leaves "
        f"{np.sqrt(1 - worst**2):.0%} of its length{place}; UPGrad (TorchJD) makes no cost worse"
    )
    if against:
        where = (
            listed([_named(name) for _, name in against]) if len(against) <= 3 else "the last shared layers"
        )
        tries.append(
            f"a separate copy of {where} for each of the two, if the conflict stays over many batches"
        )
    tries.append(
        f"if {a} or {b} is an extra, detach what it reads (h.detach()): it then no longer pulls on the shared weights"
    )
    return Finding("conflict", says, tuple(tries), tuple(name for _, name in against), (a, b))


def _dominations(names: Sequence[str], model: Part) -> Iterator[Finding]:
    if len(names) == 1:
        largest = max(model.layers, key=lambda layer: float(layer.numbers.norms[0]), default=None)
        if largest is not None and float(model.numbers.norms[0]) > 0:
            share = float(largest.numbers.norms[0] ** 2 / model.numbers.norms[0] ** 2)
            yield Finding(
                "single",
                f"The gradient of {names[0]} is largest in {_named(largest.name)}: {share:.0%} of its squared length",
                names=(largest.name,),
                costs=tuple(names),
            )
        return
    whole = shared_part(model)
    if whole is None:
        return
    by_cost: dict[int, list[tuple[float, str]]] = {}
    others = []
    for layer in model.layers:
        if len(live(layer.numbers)) < 2:
            continue
        top, ratio = _top(layer.numbers)
        if ratio >= DOMINANCE:
            by_cost.setdefault(top, []).append((ratio, layer.name))
        else:
            others.append(layer.name)
    for k, places in sorted(by_cost.items(), key=lambda pair: -len(pair[1])):
        ratios = sorted(ratio for ratio, _ in places)
        times = _times(ratios[0], ratios[-1])
        where = "every shared layer" if not others and len(by_cost) == 1 else _run([n for _, n in places])
        overall = _top(whole)
        tries: tuple[str, ...] = ()
        if overall[0] == k and overall[1] >= DOMINANCE:
            tries = (_weights(names, whole, k),)
        yield Finding(
            "domination",
            f"{names[k]} dominates {where}: its gradient there is {times} as long as the next cost's",
            tries,
            tuple(name for _, name in places),
            (names[k],),
        )
    if not by_cost:
        top, ratio = _top(whole)
        yield Finding(
            "agreement",
            f"No cost dominates: over the shared weights {names[top]}'s gradient is the longest, {ratio:.2g} times the "
            f"next cost's",
            costs=(names[top],),
        )


def _top(numbers: Numbers) -> tuple[int, float]:
    """Returns the cost with the longest gradient, and how many times as long as the next one's it is."""
    order = np.argsort(-numbers.norms)
    second = float(numbers.norms[order[1]])
    return int(order[0]), float(numbers.norms[order[0]]) / second if second else float("inf")


def _weights(names: Sequence[str], whole: Numbers, top: int) -> str:
    norms = whole.norms
    factors = [
        f"{names[k]} by {norms[top] / norms[k]:.3g}" for k in range(len(names)) if k != top and norms[k] > 0
    ]
    shown = listed(factors, 4)
    return (
        f"to let the costs pull equally on the shared weights, multiply {shown}; or leave it so, if {names[top]} is to "
        f"come first"
    )


def _depth(names: Sequence[str], layers: Sequence[Layer]) -> Iterator[Finding]:
    found: dict[str, list[tuple[float, int, list[Layer]]]] = {"vanishing": [], "exploding": []}
    for k in range(len(names)):
        reached = [layer for layer in layers if np.isfinite(layer.norms[k])]
        if len(reached) < FEWEST_LAYERS or reached[-1].norms[k] == 0:
            continue
        ratio = float(reached[0].norms[k] / reached[-1].norms[k])
        if 0 < ratio < VANISHING or ratio > EXPLODING:
            found["vanishing" if ratio < 1 else "exploding"].append((ratio, k, reached))
    for kind, cases in found.items():
        if cases:
            yield _through_depth(names, kind, cases)


def _through_depth(
    names: Sequence[str], kind: str, cases: Sequence[tuple[float, int, list[Layer]]]
) -> Finding:
    ratio, k, reached = min(cases) if kind == "vanishing" else max(cases)
    first, last = reached[0], reached[-1]
    each = ratio ** (1 / (len(reached) - 1))
    who = [names[case[1]] for case in cases]
    one = len(who) == 1
    return Finding(
        kind,
        f"The gradient{'' if one else 's'} of {listed(who)} {'is' if one else 'are'} {kind}"
        f"{'' if one else f', that of {names[k]} most'}: the derivative by the output of {_named(first.name)} is "
        f"{ratio:.1e} times that by {_named(last.name)}'s, a factor of {each:.3g} a layer over {len(reached)} layers",
        (TRY_IN_DEPTH[kind],),
        (first.name, last.name),
        tuple(who),
    )


def _dead(units: Sequence[Units]) -> Iterator[Finding]:
    bad = [u for u in units if u.units and u.dead >= max(1, DEAD * u.units)]
    if bad:
        dead, whole = sum(u.dead for u in bad), sum(u.units for u in bad)
        worst = max(bad, key=lambda u: u.dead / u.units)
        where = f"{_named(worst.name)} ({worst.dead} of {worst.units})"
        more = (
            f", most in {where}, {len(bad)} activation functions in all" if len(bad) > 1 else f" in {where}"
        )
        yield Finding(
            "dead",
            f"{dead} of {whole} units are 0 for every example of this batch{more}: what makes them gets no gradient",
            (
                "a larger batch, to see whether they stay so; then a lower learning rate, a smaller or positive bias "
                "at the start, or leaky_relu, GELU or SiLU in place of relu",
            ),
            tuple(u.name for u in bad),
        )
    quiet = [u for u in units if u.silent and u.units and u.silent >= DEAD * u.units]
    if quiet:
        worst = max(quiet, key=lambda u: u.silent / u.units)
        yield Finding(
            "silent",
            f"{worst.silent} of {worst.units} units of {_named(worst.name)} are not 0 and get no gradient",
            ("look whether what they feed is used: a slice, a mask or a detach may leave them out",),
            tuple(u.name for u in quiet),
        )


def _unreached(model: Part) -> Iterator[Finding]:
    gone = [part.name for part in model.parameters if not part.numbers.reached.any()]
    if gone:
        yield Finding(
            "unreached",
            f"No cost reaches {listed(gone)}: there is no path, and the gradient is 0",
            ("look for a detach, a no_grad or an output that no cost uses; or drop what isn't needed",),
            tuple(gone),
        )


def _cancelling(found: Sequence[str]) -> Iterator[Finding]:
    if found:
        one = len(found) == 1
        yield Finding(
            "cancels",
            f"What the paths carry to {listed(found)} cancels entirely: the gradient is 0 to rounding. So it is for a "
            f"bias in front of a normalisation, and for the bias of attention's keys",
            (
                f"leave {'it' if one else 'them'} out (bias=False): {'it changes' if one else 'they change'} nothing",
            ),
            tuple(found),
        )


# Words


def signed(value: float) -> str:
    """Returns a cosine to two digits, with its sign."""
    return f"{value:+.2f}".replace("-", "−")


def listed(names: Sequence[str], most: int = 3) -> str:
    """Returns names as a list in words.

    Example:
        >>> listed(["a", "b"]), listed(["a", "b", "c", "d", "e"])
        ('a and b', 'a, b, c and 2 others')
    """
    if len(names) > most + 1:
        return f"{', '.join(names[:most])} and {len(names) - most} others"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "nothing"


def _run(names: Sequence[str]) -> str:
    """Returns layers in words: the first and the last of many."""
    shown = [_named(name) for name in names]
    return listed(shown) if len(shown) <= 4 else f"{shown[0]} to {shown[-1]} ({len(shown)} layers)"


def _named(name: str) -> str:
    return name or "the model"


def _times(low: float, high: float) -> str:
    if f"{low:.2g}" == f"{high:.2g}":
        return f"{low:.2g} times"
    return f"{low:.2g} to {high:.2g} times"


def entries_of(numbers: Numbers) -> str:
    """Returns how many entries there are, with spaces between thousands."""
    return f"{numbers.entries:,}".replace(",", " ")
