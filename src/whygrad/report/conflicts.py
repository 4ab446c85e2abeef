"""Where two costs pull against each other, how much that weighs, and what to try."""

import re
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from whygrad.report.phrases import counted, factor, grouped, layer_named, listed, named, quoted, signed
from whygrad.report.record import Finding, Numbers, Part

# Gradients whose cosine is below this pull against each other.
CONFLICT = -0.1
# Where a projection would leave more than this part of a gradient, it isn't worth one.
MILD = 0.95
# A step down the sum makes a cost worse where the cosine of its gradient with the sum's is below this; between this and
# 0 the cost hardly changes.
WORSE = -0.01
# So many pairs of costs have a finding of their own.
PAIRS_TOLD = 3
# Of gradients of which a projection would leave less than this part, surgery leaves next to nothing.
HOPELESS = 0.1
# Of three costs or more, those whose gradients are shorter than this part of the longest are no match for it.
NO_MATCH = 1e-3
TRY_AS_ABOVE = "the same as for the pair above"


class _Clash(NamedTuple):
    """Two costs that pull against each other.

    Args:
        pair: Their numbers.
        overall: The cosine over all shared weights.
        against: (cosine, layer) where they pull against each other, first where that weighs most: the inner product
            of the gradients there is how much a step down one cost raises the other.
        many: How many layers they share.
        lost: The part of ``overall`` that comes from layers below 0.
    """

    pair: tuple[int, int]
    overall: float
    against: tuple[tuple[float, str], ...]
    many: int
    lost: float

    @property
    def weighs(self) -> bool:
        return min(self.overall, self.lost) < CONFLICT


def worst_pair(numbers: Numbers, least: float = NO_MATCH) -> tuple[float, int, int] | None:
    """Returns the smallest cosine between two costs and their numbers; nothing where no two pull on one parameter.

    Args:
        numbers: What the costs do.
        least: Which part of the longest gradient a gradient has to have; where fewer than two have that, all count.
    """
    cosines, norms, meeting = numbers.cosines, numbers.norms, numbers.meeting
    live = numbers.live
    matching = [k for k in live if norms[k] >= least * norms[live].max()]
    pairs = [
        (float(cosines[i, j]), i, j)
        for i, j in combinations(matching if len(matching) > 1 else live, 2)
        if np.isfinite(cosines[i, j]) and meeting[i, j]
    ]
    return min(pairs) if pairs else None


def conflict_inside(part: Part) -> bool:
    """Returns whether two costs pull against each other in a layer of a part, if not in all of it."""
    return any(in_conflict(layer.numbers) for layer in part.layers)


def in_conflict(numbers: Numbers) -> bool:
    """Returns whether two costs pull against each other."""
    worst = worst_pair(numbers)
    return worst is not None and worst[0] < CONFLICT


def conflicts(names: Sequence[str], model: Part, idle: Sequence[str]) -> Iterator[Finding]:
    """Yields what there is to say about costs that pull against each other, or that none do."""
    if len(names) < 2:
        return
    whole = model.shared
    if whole is None:
        if len(model.numbers.live) < 2:
            return
        yield Finding(
            "apart",
            "No two costs reach the same parameter with a gradient: each part of the model serves one cost",
        )
        return
    found = [clash for pair in combinations(range(len(names)), 2) if (clash := _clash(model, whole, pair))]
    heavy = sorted((clash for clash in found if clash.weighs), key=lambda clash: (clash.lost, clash.pair))
    light = sorted((clash for clash in found if not clash.weighs), key=lambda clash: (clash.lost, clash.pair))
    told: set[bool] = set()
    for clash in heavy[:PAIRS_TOLD]:
        made, mild = _heavy(names, model, clash), _mild(model, clash)
        # What to try is the same for the next pairs.
        yield made._replace(tries=(TRY_AS_ABOVE,)) if told == {mild} and made.tries else made
        told.add(mild)
    if len(heavy) > PAIRS_TOLD:
        rest = heavy[PAIRS_TOLD:]
        tries = ("methods for any number of costs (UPGrad, MGDA, CAGrad) instead of mending pair by pair",)
        yield Finding(
            "conflict",
            f"{counted(len(rest), 'more pair')} of costs pull{'s' * (len(rest) == 1)} against each other: "
            f"{_pairs(names, rest)}",
            () if all(_of_one_loss(names, clash) for clash in rest) else tries,
        )
    yield from _light(names, light)
    yield from _worse(names, model.numbers, {k for clash in heavy[:PAIRS_TOLD] for k in clash.pair})
    if not found:
        yield _agreement(names, model, whole, idle)


def _clash(model: Part, whole: Numbers, pair: tuple[int, int]) -> _Clash | None:
    i, j = pair
    overall = float(whole.cosines[i, j])
    if not np.isfinite(overall):
        return None
    inner = [
        (float(layer.numbers.gramian[i, j]), float(layer.numbers.cosines[i, j]), layer.name)
        for layer in model.layers
        if np.isfinite(layer.numbers.cosines[i, j])
    ]
    against = tuple((cosine, name) for _, cosine, name in sorted(inner) if cosine < CONFLICT)
    if not against and overall >= CONFLICT:
        return None
    lost = sum(min(product, 0.0) for product, _, _ in inner) / float(whole.norms[i] * whole.norms[j])
    return _Clash(pair, overall, against, len(inner), lost)


def _where(clash: _Clash) -> str:
    """Returns in which layers two costs pull against each other: where that weighs most, and at the widest angle."""
    if not clash.against:
        return f", though in no single layer below {signed(CONFLICT)}"
    cosine, most = clash.against[0]
    smallest, other = min(clash.against)
    same = other == most or signed(smallest) == signed(cosine)
    further = "" if same else f"; the smallest, {signed(smallest)}, is in {layer_named(other)}"
    at, some = f"{layer_named(most)} (cosine {signed(cosine)}{further})", len(clash.against)
    if clash.many == 1:
        return f" in {at}"
    every = "both shared layers" if some == 2 else f"all {counted(some, 'shared layer')}"
    where = every if some == clash.many else f"{some} of {counted(clash.many, 'shared layer')}"
    return f" in {where}, {'most in ' if some > 1 else ''}{at}"


def _overall(clash: _Clash) -> str:
    return f"; over all shared weights together the cosine is {signed(clash.overall)}"


def _of_one_loss(names: Sequence[str], clash: _Clash) -> bool:
    """Returns whether two costs are entries of one loss, mostly two examples: nobody mends what they want."""
    first, other = (re.sub(r"\[\d+\]$", "", names[k]) for k in clash.pair)
    return first == other


def _suffers(model: Part, clash: _Clash) -> list[int]:
    """Returns which of two costs a small step down the sum of all makes worse."""
    return [k for k in clash.pair if model.numbers.along[k] < WORSE]


def _left(clash: _Clash) -> float:
    """Returns which part of a gradient a projection leaves: in the layer that weighs most, or in all if less."""
    cosine = clash.against[0][0] if clash.against else clash.overall
    return float(np.sqrt(max(1 - min(cosine, clash.overall) ** 2, 0.0)))


def _mild(model: Part, clash: _Clash) -> bool:
    return _left(clash) > MILD and not _suffers(model, clash)


def _heavy(names: Sequence[str], model: Part, clash: _Clash) -> Finding:
    pair = named([names[k] for k in clash.pair])
    suffers = _suffers(model, clash)
    worse = [k for k in range(len(names)) if model.numbers.along[k] < WORSE]
    says = f"{pair} pull against each other{_where(clash)}{'' if clash.many == 1 else _overall(clash)}"
    if suffers:
        says += f"; a small step down the sum of all costs makes {named([names[k] for k in suffers])} worse"
    elif model.numbers.standstill:
        says += "; the gradients of all costs add up to next to nothing: a small step down the sum changes nothing"
    elif not (model.numbers.along < 0).any():
        says += "; a small step down the sum of all costs still makes every cost better"
    tries = list(_reweighted(names, model.numbers, worse[0])) if len(worse) == 1 and suffers else []
    tries += [_watched(clash)] if _mild(model, clash) else _surgery(pair, clash)
    if _of_one_loss(names, clash):
        says, tries = f"{says}; they are entries of one loss, and many of those pull apart in any batch", []
    against = tuple(name for _, name in clash.against)
    return Finding("conflict", says, tuple(tries), against, (names[clash.pair[0]], names[clash.pair[1]]))


def _watched(clash: _Clash) -> str:
    return (
        f"nothing yet: it is mild ({_left(clash):.0%} of each gradient's length would be left without what works "
        f"against the other); see how the cosine goes along the training (`wg.monitor`)"
    )


def _surgery(pair: str, clash: _Clash) -> Iterator[str]:
    cosine, most = clash.against[0] if clash.against else (clash.overall, "")
    place = layer_named(most) if clash.against else "all layers together"
    left = float(np.sqrt(max(1 - cosine**2, 0.0)))
    if left < HOPELESS:
        yield (
            f"to choose which of {pair} is to train the weights that they share: they ask for the opposite, and next "
            f"to nothing of either gradient is left in {place} without what works against the other"
        )
    else:
        yield (
            f"gradient surgery: PCGrad, layer by layer, takes from each gradient what works against the other "
            f"({left:.0%} of its length is left in {place}); UPGrad (TorchJD) makes no cost worse"
        )
    if most:
        yield (
            f"a copy of {layer_named(most)} for each of the two (Recon, Shi et al. 2023), if they pull against each "
            f"other there in many batches"
        )
    yield (
        f"if one of {pair} isn't meant to train the weights that they share, keep it off them: detach what it reads "
        f"(`h.detach()`), or freeze them for it"
    )


def _reweighted(names: Sequence[str], numbers: Numbers, worse: int) -> Iterator[str]:
    """Yields by how much a cost that the sum makes worse is to be multiplied, if there is a factor that helps it and
    makes no other worse: a step down the sum changes cost k by minus the sum of row k of the Gramian.

    There is none to speak of where the bounds are the same: the step is then close to none at all.
    """
    gramian = numbers.gramian
    rest = gramian.sum(axis=1) - gramian[:, worse]
    low = -float(rest[worse]) / float(gramian[worse, worse])
    against = [
        k for k in range(len(gramian)) if k != worse and gramian[k, worse] < 0 and numbers.norms[k] > 0
    ]
    high = min((-float(rest[k]) / float(gramian[k, worse]) for k in against), default=np.inf)
    if low < high and factor(low) != factor(high):
        by = f"{factor(low)} to {factor(high)}" if np.isfinite(high) else f"{factor(low)} or more"
        yield (
            f"multiply {quoted(names[worse])} by {by}: a small step down the sum then makes no cost worse in this batch"
        )


def _light(names: Sequence[str], found: Sequence[_Clash]) -> Iterator[Finding]:
    """Yields what is said of costs that pull against each other somewhere, but hardly in all."""
    if not found:
        return
    first = found[0]
    pair = names[first.pair[0]], names[first.pair[1]]
    says = f"{named(pair)} pull against each other{_where(first)}, but it weighs little{_overall(first)}"
    if len(found) > 1:
        rest = (
            "does another pair that weighs"
            if len(found) == 2
            else f"do {len(found) - 1} other pairs that weigh"
        )
        says += f"; so {rest} as little: {_pairs(names, found[1:])}"
    yield Finding("conflict", says, (), tuple(name for _, name in first.against), pair)


def _worse(names: Sequence[str], numbers: Numbers, told: set[int]) -> Iterator[Finding]:
    """Yields what is said of costs that the sum of all makes worse, of those that no pair was told of."""
    worse = [k for k in range(len(names)) if numbers.along[k] < WORSE]
    left = sorted((k for k in worse if k not in told), key=lambda k: float(numbers.along[k]))
    if left:
        cosines = [signed(float(numbers.along[k])) for k in left]
        if len(left) == 1:
            says = f"{quoted(names[left[0]])} worse: the cosine with the gradient of the sum is {cosines[0]}"
        else:
            each = [f"{quoted(names[k])} ({cosine})" for k, cosine in zip(left, cosines, strict=True)]
            says = f"{listed(each)} worse (in brackets the cosine with the sum)"
        yield Finding(
            "worse",
            f"A small step down the sum of all costs makes {says}",
            tuple(_reweighted(names, numbers, left[0])) if worse == left[:1] else (),
            costs=tuple(names[k] for k in left),
        )


def _pairs(names: Sequence[str], found: Sequence[_Clash]) -> str:
    return listed(
        [
            f"{quoted(names[clash.pair[0]])} with {quoted(names[clash.pair[1]])} ({signed(clash.overall)})"
            for clash in found
        ],
        5,
    )


def _agreement(names: Sequence[str], model: Part, whole: Numbers, idle: Sequence[str]) -> Finding:
    worst = worst_pair(whole, least=0.0)
    assert worst is not None
    cosine, i, j = worst
    which = "cosine is" if len(names) == 2 else "smallest cosine is"
    pair = "" if len(names) == 2 else f" ({named((names[i], names[j]))})"
    odd = [part for part in model.parameters if in_conflict(part.numbers) and part.name not in idle]
    single = named([part.name for part in odd], 2)
    but = f" (in {single} by {'itself' if len(odd) == 1 else 'themselves'} they do)" if odd else ""
    return Finding(
        "agreement",
        f"In no layer do two costs pull against each other{but}; over the {grouped(whole.entries)} shared weights the "
        f"{which} {signed(cosine)}{pair}",
        costs=(names[i], names[j]),
    )
