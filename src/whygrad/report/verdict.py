"""What the numbers of a report say, in words, with what to try. Each rule has its threshold here."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np

from whygrad.report.broken import Origin
from whygrad.report.conflicts import conflicts
from whygrad.report.depth import Course, chain, courses
from whygrad.report.dominations import dominations
from whygrad.report.phrases import (
    factor,
    layer_named,
    listed,
    named,
    norm,
    output_named,
    quoted,
)
from whygrad.report.record import Finding, Layer, Numbers, Part, Units
from whygrad.report.repeats import repeats

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
# Where one step makes up more than this part of a change through depth, on a logarithmic scale, it isn't depth's.
ONE_STEP = 0.75
TRY_AT_ONE_STEP = {
    "vanishing": "look at what lies between the outputs of these two layers: a small factor, units that are saturated, "
    "or a normalisation that takes away what the cost asks for",
    "exploding": "look at what lies between the outputs of these two layers: a large factor, a division by what is "
    "close to 0, or a normalisation of what hardly varies",
}
TRY_WHERE_STILL = (
    "look for a factor of 0, a clamp at its bound, or units that are saturated or dead, on the way to it"
)
TRY_WHERE_BROKEN = {
    "": "clean the data, or load the weights of an earlier step; clip the gradients or lower the learning rate",
    "sqrt": "`sqrt(x + 1e-12)`, or `torch.where` with a safe x inside: the slope of a root at 0 is infinite",
    "log": "`log_softmax` or `logsigmoid` of the scores, or a loss with logits; `log(x.clamp(min=1e-12))` otherwise",
    "div": "a denominator that is kept off 0: `x / (y + 1e-12)`",
    "mean": "look whether the batch, or a mask, leaves entries: the mean of none is no number; or whether their sum "
    "overflows",
    "exp": "subtract the maximum first, or `logsumexp`: `exp` overflows from 89 on in float32",
    "norm": "`norm(x + 1e-12)`, or the square instead: the slope of a norm at 0 is not finite",
}
TRY_WHERE_BROKEN_ELSE = (
    "look at its input for zeros, infinities or an overflow; compute there in float32 or float64; clip the gradients "
    "or lower the learning rate of the steps before"
)


def findings(
    costs: Mapping[str, float],
    model: Part,
    layers: Sequence[Layer],
    units: Sequence[Units],
    idle: Sequence[str],
    drowned: Mapping[str, str],
) -> tuple[Finding, ...]:
    """Returns what the numbers say, the most important first.

    Args:
        costs: The costs' values by name.
        model: The whole model.
        layers: The depth profile.
        units: The activation functions.
        idle: The biases that change nothing.
        drowned: The costs whose gradients are nothing but rounding, with the values by which they become so.
    """
    names, deep = tuple(costs), tuple(_depth(tuple(costs), layers))
    cut = any(u.units and u.dead == u.units for u in units)
    still = () if cut or "vanishing" in {finding.kind for finding in deep} else tuple(_still(model))
    dead = tuple(_dead(units, bool(model.numbers.live), bool(still)))
    return (
        # Where nothing comes through a layer, all the rest says little.
        *(dead if cut else ()),
        *_without_gradient(costs, model.numbers),
        *_drowned(drowned),
        *repeats(costs, model.shared),
        *conflicts(names, model, idle),
        *dominations(names, model),
        *deep,
        *(() if cut else dead),
        *still,
        *_unreached(model),
        *_cancelling(idle),
    )


def not_finite(origins: Sequence[Origin], model: Part) -> tuple[Finding, ...]:
    """Returns what there is to say where values or gradients are not finite: for each place at which that begins."""
    bad = tuple(part.name for part in model.parameters if not np.isfinite(part.numbers.absolute).all())
    by_place: dict[tuple[str, str, str, str], list[str]] = {}
    for cost, what, place, operation, module in origins:
        by_place.setdefault((what, place, operation, module), []).append(cost)
    made = []
    for (what, place, operation, module), costs in by_place.items():
        one = len(costs) == 1
        where = (
            f"at {quoted(operation)}{f' in {quoted(module)}' if module else ''}"
            if operation
            else f"with {quoted(place)}, as it is given"
        )
        begins = f"it begins {where}"
        if what == "value":
            says = f"The value{'' if one else 's'} of {named(costs)} {'is' if one else 'are'} not finite: {begins}"
        else:
            reached = f" ({named(bad)})" if bad else ""
            says = (
                f"The gradient{'' if one else 's'} of {named(costs)} {'is' if one else 'are'} not finite{reached}: "
                f"{begins}, whose derivative is not finite there"
            )
        try_ = TRY_WHERE_BROKEN.get(operation, TRY_WHERE_BROKEN_ELSE)
        made.append(Finding("not finite", says, (try_,), bad, tuple(costs)))
    if not made:
        made.append(
            Finding(
                "not finite",
                f"The gradients of {named(bad)} are too large to be added up: their squares overflow",
                ("scale the costs down, or compute in float64",),
                bad,
            )
        )
    return tuple(made)


def _depth(names: Sequence[str], layers: Sequence[Layer]) -> Iterator[Finding]:
    found: dict[str, list[tuple[float, int, Course]]] = {"vanishing": [], "exploding": []}
    for k, course in enumerate(courses(layers, len(names))):
        if course is None or VANISHING <= course.ratio <= EXPLODING:
            continue
        if len(chain(layers, k, course)) >= FEWEST_LAYERS:
            found["vanishing" if course.ratio < 1 else "exploding"].append((course.ratio, k, course))
    for kind, cases in found.items():
        if cases:
            yield _through_depth(names, layers, kind, cases)


def _through_depth(
    names: Sequence[str], layers: Sequence[Layer], kind: str, cases: Sequence[tuple[float, int, Course]]
) -> Finding:
    _, k, course = (min if kind == "vanishing" else max)(cases, key=lambda case: case[0])
    (ratio, first, last), row = course, chain(layers, k, course)
    steps = [float(np.log(a.norms[k] / b.norms[k])) for a, b in pairwise(row)]
    place = int((np.argmin if ratio < 1 else np.argmax)(steps))
    at_one = abs(steps[place]) > ONE_STEP * abs(float(np.log(ratio)))
    if at_one:
        near, far = row[place : place + 2]
        how = (
            f", and most of that lies in one step: by {output_named(near.name)} it is "
            f"{_times(float(np.exp(steps[place])))} that by {output_named(far.name)}"
        )
    else:
        how = f", a factor of {ratio ** (1 / len(steps)):.3g} a layer over {len(row)} layers"
    who = tuple(names[case[1]] for case in cases)
    one = len(who) == 1
    return Finding(
        kind,
        f"The gradient{'' if one else 's'} of {named(who)} {'is' if one else 'are'} {kind}"
        f"{'' if one else f', that of {quoted(names[k])} most'}: the derivative by {output_named(first.name)} is "
        f"{_times(ratio)} that by {output_named(last.name)}{how}",
        (TRY_AT_ONE_STEP[kind] if at_one else TRY_IN_DEPTH[kind],),
        (first.name, last.name),
        who,
    )


def _times(ratio: float) -> str:
    return f"{norm(ratio) if ratio < 1 else factor(ratio)} times"


def _dead(units: Sequence[Units], pulled: bool, still: bool) -> Iterator[Finding]:
    bad = sorted(
        (u for u in units if u.units and u.dead >= max(1, DEAD * u.units)), key=lambda u: -u.dead / u.units
    )
    if bad:
        dead, whole = sum(u.dead for u in bad), sum(u.units for u in bad)
        are, closed = "is" if dead == 1 else "are", [_units_named(u) for u in bad if u.dead == u.units]
        where = listed(
            [f"{_units_named(u)}{f' ({u.dead} of {u.units})' if len(bad) > 1 else ''}" for u in bad]
        )
        says = (
            f"All {whole} units of {closed[0]} are 0 for every example of this batch: no gradient comes back through it"
            if len(bad) == len(closed) == 1
            else f"{dead} of {whole} units {are} 0 for every example of this batch, in {where}: no gradient comes back "
            f"through {'it to the weights that make it' if dead == 1 else 'them to the weights that make them'}"
            f"{f'; through {listed(closed)}, where all are, no gradient comes back' if closed else ''}"
        )
        yield Finding(
            "dead",
            says,
            (
                "a larger batch, to see whether they stay so; then a lower learning rate, a smaller or positive bias "
                "at the start, or `leaky_relu`, GELU or SiLU in place of `relu`",
            ),
            tuple(u.name for u in bad),
        )
    if not pulled or any(u.dead == u.units for u in bad):
        # Nothing has a gradient; or what lies before units that are all dead has none for that reason.
        return
    quiet = [u for u in units if u.silent and u.units and u.silent >= DEAD * u.units]
    if still:  # it is said of the layers before them
        quiet = [u for u in quiet if u.silent + u.dead < u.units]
    if quiet:
        worst = max(quiet, key=lambda u: u.silent / u.units)
        yield Finding(
            "silent",
            f"{worst.silent} of {worst.units} units of {_units_named(worst)} "
            f"{'is not 0 and gets' if worst.silent == 1 else 'are not 0 and get'} no gradient",
            (
                "look whether what they feed is used: a slice, a mask or a `detach` may leave them out; or whether "
                "they stand where the function is flat (`relu6` at 6): then a lower learning rate, or a function "
                "without that",
            ),
            tuple(u.name for u in quiet),
        )


def _units_named(units: Units) -> str:
    return layer_named(units.name) if units.name.isdigit() else quoted(units.name)


def _unreached(model: Part) -> Iterator[Finding]:
    gone = list(_without_path(model))
    if gone:
        said = listed([quoted(name) if name else "the model" for name in gone])
        yield Finding(
            "unreached",
            f"No cost reaches {said}: there is no path, and PyTorch leaves `.grad` at `None` (or at 0, where a "
            "rounding cuts the path)",
            (
                "look for a `detach`, a `no_grad`, a rounding, an output that no cost uses, or a branch that this "
                "batch doesn't take, such as an expert that no router chose; or drop what isn't needed",
            ),
            tuple(part.name for part in model.parameters if not part.numbers.reached.any()),
        )


def _without_gradient(costs: Mapping[str, float], numbers: Numbers) -> Iterator[Finding]:
    """Yields what is said of costs that train nothing: no parameter leads to them, or with a gradient of 0."""
    cut = tuple(name for name, reached in zip(costs, numbers.reached, strict=True) if not reached)
    if cut and numbers.reached.any():  # otherwise no parameter is reached, which is said of them
        yield Finding(
            "no gradient",
            f"No path leads from any parameter to {named(cut)}: {'it trains' if len(cut) == 1 else 'they train'} "
            "nothing",
            (
                "look for a `detach`, a `no_grad`, an `argmax` or a rounding in what makes it; leave out of the costs "
                "what is only to be watched",
            ),
            costs=cut,
        )
    still = [
        name
        for name, reached, size in zip(costs, numbers.reached, numbers.absolute, strict=True)
        if reached and size == 0
    ]
    for zero in (True, False):
        some = tuple(name for name in still if (costs[name] == 0) is zero)
        if some:
            gradients, its = (
                ("gradient", "its value is") if len(some) == 1 else ("gradients", "their values are")
            )
            why = (
                f", as {its}: a margin that is kept, a mask that leaves nothing, two that are alike, or a factor of 0"
                * zero
            )
            yield Finding(
                "no gradient",
                f"The {gradients} of {named(some)} {'is' if len(some) == 1 else 'are'} 0 in every parameter{why}",
                () if zero and numbers.live else (TRY_WHERE_STILL,),
                costs=some,
            )


def _still(model: Part) -> Iterator[Finding]:
    """Yields what is said of layers in which all gradients are 0, though costs reach them that train others."""
    live = model.numbers.live
    names = tuple(
        layer.name
        for layer in model.layers
        if layer.numbers.reached[live].any() and not layer.numbers.norms[layer.numbers.reached].any()
    )
    if names:
        where, it = listed([layer_named(name) for name in names]), "it" if len(names) == 1 else "them"
        yield Finding(
            "no gradient",
            f"The gradient of every cost is 0 in {where}, though paths lead to {it}",
            (
                f"{TRY_WHERE_STILL}; nothing, if a weight behind {it} begins at 0: after the first step it isn't",
            ),
            names,
        )


def _drowned(places: Mapping[str, str]) -> Iterator[Finding]:
    """Yields what is said of costs whose gradients are nothing but rounding."""
    if places:
        one, some = len(places) == 1, tuple(dict.fromkeys(places.values()))
        yield Finding(
            "no gradient",
            f"The gradient{'' if one else 's'} of {named(tuple(places))} {'is' if one else 'are'} 0 in every parameter "
            f"but for rounding: what the paths carry cancels on the way back to {named(some)}",
            (
                "nothing, if two that are still alike are compared: a model with its copy, a policy with its reference "
                "at the start; otherwise look for a sum of all that a softmax or a normalisation makes: it is constant",
            ),
            costs=tuple(places),
        )


def _without_path(part: Part) -> Iterator[str]:
    """Yields the largest modules in which no parameter is reached, and the parameters that are left."""
    if not part.numbers.reached.any():
        yield part.name
        return
    for inner in part.parts:
        yield from _without_path(inner)


def _cancelling(idle: Sequence[str]) -> Iterator[Finding]:
    if idle:
        one = len(idle) == 1
        yield Finding(
            "cancels",
            f"What the paths carry to {named(idle)} cancels entirely: the gradient{'' if one else 's'} "
            f"{'is' if one else 'are'} 0 but for rounding, because a normalisation or a softmax takes away what "
            f"{'this bias adds' if one else 'these biases add'}",
            (
                f"leave {'it' if one else 'them'} out (`bias=False`): {'it changes' if one else 'they change'} nothing",
            ),
            tuple(idle),
        )
