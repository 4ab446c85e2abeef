"""The paths that an equation lacks, neuron by neuron, so that a picture can draw them."""

from collections.abc import Iterator
from itertools import islice, product
from typing import TypeAlias

from whygrad.codegen.layered import Layered
from whygrad.equation.chains import pairs
from whygrad.equation.judge import judge
from whygrad.equation.missing import Forward, Term, account
from whygrad.equation.reader import read_chains
from whygrad.equation.setting import setting
from whygrad.equation.trial import Trial
from whygrad.notation import Quantity
from whygrad.run import Run

Path: TypeAlias = tuple[Quantity, ...]

MOST = 64


def missing_paths(run: Run, equation: str, notation: str | None = None) -> list[Path]:
    """Returns the paths that right sides lack, from a quantity to a cost, with every neuron on the way.

    A missing term may stand for several paths: a derivative in it goes over all of them. At most 64 are returned.
    An equation whose sides differ by anything but whole terms has none.

    Raises:
        EquationError: The equation can't be read.

    Example:
        >>> import whygrad as wg
        >>> run = wg.Network.default().run()
        >>> for path in missing_paths(run, "dC^0/da^0_1 = da^0_2/da^0_1 dC^0/da^0_2"):
        ...     print(*(run.network.name(q) for q in path))
        a^0_1 a^1_2 a^0_3 C^0
        a^0_1 a^2_2 a^0_3 C^0
    """
    under = setting(run, notation, None)
    found: dict[Path, None] = {}
    for chain in read_chains(equation, under.vocabulary):
        for pair in pairs(equation, chain, under):
            outcome = judge(pair)
            if outcome.holds is not False:
                continue
            trial = Trial(pair, outcome)
            accounted = account(trial, trial.values[0]) if trial.values and not trial.numeric else None
            for term in accounted.missing if accounted else ():
                found.update(dict.fromkeys(islice(_filled(run.network.layered, term), MOST)))
    return list(found)[:MOST]


def _filled(net: Layered, term: Term | Forward) -> Iterator[Path]:
    """Yields a term's paths: what it names, from below, and every neuron of the layers in between."""
    if isinstance(term, Forward):
        first, *source = term.places
        yield (first,) if first.kind == "C" else (*(source or [first]), _neuron(first))
        return
    start, *above = reversed(term.places)
    stations = [[start], [_neuron(start)]] if start.kind in ("w", "b") else [[_neuron(start)]]
    at = start.layer or 0
    for q in above:
        if q.kind == "R":
            stations[1:] = []  # it is made from the weights themselves
        else:
            last = q.layer - 1 if q.layer else net.depth
            stations += [_layer(net, layer) for layer in range(at + 1, last + 1)]
            at = q.layer or net.depth
        if not q.layer:
            costs = [Quantity("C", None, k) for k in range(net.outputs)]
            stations.append(costs if q.kind == "total" else [q])
            break
        if stations[-1] != [_neuron(q)]:
            stations.append([_neuron(q)])
    for path in product(*stations):
        if _ends(net, path):
            yield path


def _neuron(q: Quantity) -> Quantity:
    return Quantity("a", q.layer, q.to)


def _layer(net: Layered, layer: int) -> list[Quantity]:
    return [Quantity("a", layer, neuron) for neuron in range(net.sizes[layer])]


def _ends(net: Layered, path: Path) -> bool:
    """Returns whether a path's last output is one that its cost is made from."""
    *_, output, cost = path
    return cost.kind != "C" or output.kind != "a" or not net.elementwise_outputs or output.to == cost.to
