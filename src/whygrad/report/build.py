"""Makes a report: sweeps, sums by parameter, the tree of modules."""

from collections.abc import Iterable, Sequence

import numpy as np

from whygrad.branches import residuals, spectrum
from whygrad.errors import NotSupportedError, near
from whygrad.model_record import Record
from whygrad.progress import Progress, quiet
from whygrad.report.broken import origins
from whygrad.report.depth import depth
from whygrad.report.idle import idle
from whygrad.report.record import Layer, Part, Report
from whygrad.report.rounding import rounded
from whygrad.report.sums import PathSums, numbers, path_sums
from whygrad.report.units import units
from whygrad.report.verdict import findings, not_finite
from whygrad.structures import DenseAlongAxis

SEMIRINGS = ("total", "entropy", "spectrum")
# With more costs than these (one for each example, mostly) only the gradients are worked out by default.
COSTS_WITH_TOTAL = 12
# With more entries than these in normalisations and softmaxes, counted for each cost, the entropy is left out by
# default: it takes a logarithm or some for each of them, about a microsecond.
ENTRIES_WITH_ENTROPY = 20_000_000
NO_BLOCKS = (
    "There is no spectrum, for there is no residual add, h + f(h); of modules that you name, "
    '`rec.spectrum(blocks=["layers.*"])` has it.'
)


def report(
    record: Record, semirings: Sequence[str] | None = None, progress: Progress | None = None
) -> Report:
    """Returns what each cost does to each parameter, where costs pull against each other, and what to try.

    Args:
        record: What was computed.
        semirings: What is worked out beside the gradients, each by a sweep of its own: ``total`` (for the
            cancellation), ``entropy`` (for the effective number of paths; brings ``total`` along), ``spectrum`` (by
            number of residual blocks). Default: ``entropy``; ``total`` alone where that would take long (more than 20
            million entries of normalisations and softmaxes); nothing where there are more than 12 costs. The report
            says what it leaves out.
        progress: Told what is being worked out, and which share of all is done.

    Raises:
        NotSupportedError: There is no such semiring in a report; or no parameter is trained.
    """
    asked, omitted = _asked(record, semirings)
    if not record.parameters:
        raise NotSupportedError(
            "report: there is no parameter to report on\n"
            "expected: a model with parameters that require gradients\n"
            "try:      model.requires_grad_(True), or record the model that is trained"
        )
    if progress is not None and not callable(progress):
        raise NotSupportedError(
            f"report: progress: expected a function (what, share), found {progress!r}\n"
            "try:      nothing, and a terminal shows a bar"
        )
    tell = progress or quiet
    tell("gradients", 0.0)
    record.graph_sweep("gradient")
    names, hidden = list(record.parameters), _before_stops(record)
    sums: dict[str, PathSums] = {}
    semiring = "entropy" if "entropy" in asked else "total"  # entropy has the total with it
    if semiring in asked:
        tell(semiring, 0.1)
        for name, of_paths in path_sums(record, semiring):
            sums[name] = of_paths
            tell(semiring, 0.1 + 0.5 * len(sums) / len(names))
    leaves: list[Part] = []
    for place, name in enumerate(names):
        tell(name, 0.6 + 0.3 * place / len(names))
        shape = tuple(record.parameters[name].shape)
        made = numbers(record, name, sums.get(name))
        if made.total is not None and record.stops:
            there = [record.leaves[name].node in nodes for nodes in hidden]
            made = made._replace(total=np.where(there, np.nan, made.total))
        leaves.append(Part(name, name, made, (), shape))
    model = _tree("", "", leaves, _ran(record))
    tell("layers", 0.9)
    layers, idlers = depth(record, model), idle(record, model)
    drowned = rounded(record, model)
    model, layers = _without(model, set(drowned)), tuple(_silent(layer, set(drowned)) for layer in layers)
    activations = units(record)
    split = None
    if "spectrum" in asked:
        if residuals(record):
            split = spectrum(record)
        else:
            omitted = NO_BLOCKS
    frozen = tuple(name for name, leaf in record.leaves.items() if leaf.kind == "frozen")
    tell("findings", 0.98)
    finite = np.isfinite([*record.costs.values(), *model.numbers.absolute]).all()
    found = (
        findings(
            record.costs,
            model,
            layers,
            activations,
            idlers,
            {record.cost_names[k]: record.node_name(node) for k, node in drowned.items()},
        )
        if finite
        else not_finite(origins(record), model)
    )
    tell("done", 1.0)
    stops = tuple(record.node_name(number) for number in record.stops)
    return Report(dict(record.costs), model, layers, activations, frozen, found, stops, split, omitted)


def _without(part: Part, costs: set[int]) -> Part:
    """Returns a part in which some costs' gradients are told to be nothing but rounding."""
    if not costs:
        return part
    numbers = part.numbers
    told = np.array([k in costs for k in range(len(numbers.reached))])
    known = numbers.rounding
    return part._replace(
        numbers=numbers._replace(rounding=told if known is None else told | known),
        parts=tuple(_without(inner, costs) for inner in part.parts),
    )


def _silent(layer: Layer, costs: set[int]) -> Layer:
    """Returns a layer at whose output the derivatives of some costs are 0, where there are any."""
    norms = [0.0 if k in costs and norm > 0 else norm for k, norm in enumerate(layer.norms)]
    return layer._replace(norms=np.array(norms)) if costs else layer


def _asked(record: Record, semirings: Sequence[str] | None) -> tuple[tuple[str, ...], str]:
    """Returns the semirings of a report, and why one that it mostly has is not among them."""
    if semirings is None:
        many = len(record.graph.costs)
        if many > COSTS_WITH_TOTAL:
            return (), (
                f"With more than {COSTS_WITH_TOTAL} costs cancellation and numbers of paths are left out; "
                '`report(semirings=("entropy",))` finds them.'
            )
        if many * _normalised(record) > ENTRIES_WITH_ENTROPY:
            return ("total",), (
                "The effective number of paths is left out: through so many entries of normalisations and softmaxes "
                'it takes long; `report(semirings=("entropy",))` finds it.'
            )
        return ("total", "entropy"), ""
    chosen = (
        tuple(semirings)
        if isinstance(semirings, Iterable) and not isinstance(semirings, str)
        else (semirings,)
    )
    for name in chosen:
        if name not in SEMIRINGS:
            raise NotSupportedError(
                f"report: semirings: expected some of {', '.join(SEMIRINGS)}, found {name!r}{near(name, SEMIRINGS)}"
            )
    needed = (*chosen, "total") if "entropy" in chosen else chosen
    return tuple(name for name in SEMIRINGS if name in needed), ""


def _normalised(record: Record) -> int:
    """Returns how many entries the normalisations and softmaxes of a model have."""
    nodes = enumerate(record.graph.nodes)
    return sum(
        record.graph.size(number)
        for number, node in nodes
        if node.op is not None and isinstance(node.op.structure, DenseAlongAxis)
    )


def _ran(record: Record) -> set[str]:
    """Returns the paths of the modules that were called, and of those around them."""
    parts = [path.split(".") for path in set(record.modules)]
    return {".".join(some[:end]) for some in parts for end in range(len(some) + 1)}


def _before_stops(record: Record) -> list[set[int]]:
    """Returns for each cost the nodes some of whose paths to it end at an operation without a declaration: what they
    carry isn't known."""
    graph = record.graph
    if not record.stops:
        return []
    stops = set(record.stops)
    ends = {cost.node for cost in graph.costs}
    hidden = {end: graph.leading_to(stops & graph.leading_to((end,))) for end in ends}
    return [hidden[cost.node] for cost in graph.costs]


def _tree(name: str, label: str, leaves: Sequence[Part], ran: set[str]) -> Part:
    """Returns the parameters folded by the modules that their names spell; modules with one part are one with it.

    A module that was never called and still has a gradient is no layer where the one around it has parameters of its
    own: that one uses it, as attention does its output projection, and it is a part of that layer. (One that lies in
    the whole model is a layer.)
    """
    groups: dict[str, list[Part]] = {}
    rests = {leaf.name: leaf.name.removeprefix(f"{name}.") if name else leaf.name for leaf in leaves}
    used = {rests[leaf.name].partition(".")[0] for leaf in leaves if leaf.numbers.reached.any()}
    own = bool(name) and any("." not in rest for rest in rests.values())
    for leaf in leaves:
        rest = rests[leaf.name]
        head = rest.partition(".")[0]
        # PyTorch keeps what a weight is made of in modules of its own, which are no layers: it is the layer's around.
        made_of = head == "parametrizations" or (own and head in used and f"{name}.{head}" not in ran)
        groups.setdefault(rest if made_of else head, []).append(leaf)
    parts = []
    for head, members in groups.items():
        path = f"{name}.{head}" if name else head
        if len(members) == 1 and members[0].name == path:
            parts.append(members[0]._replace(label=head))
            continue
        part = _tree(path, head, members, ran)
        if len(part.parts) == 1 and part.parts[0].shape is None:
            part = part.parts[0]._replace(label=f"{head}.{part.parts[0].label}")
        parts.append(part)
    numbers = leaves[0].numbers
    for leaf in leaves[1:]:
        numbers = numbers + leaf.numbers
    return Part(name, label, numbers, tuple(parts))
