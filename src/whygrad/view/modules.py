"""A recorded model as a graph of its modules: what each sends back to each other, per cost, at every depth of folding.

A place is a part of the report's tree, an input, a cost, or a join: an operation between modules with several sources,
such as a residual add. What a closed module gets is that of all places in it, so the norms are worked out for every
pair of places that can be on the screen together; the page only picks from them.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from math import isqrt
from typing import NamedTuple

import numpy as np

from whygrad.arrays import Array, in_numpy
from whygrad.branches.users import Use, uses_of
from whygrad.model_record import Record
from whygrad.report.record import Part, Report

# Joins of one module beyond these are one place: a loop over many time steps has hundreds.
MOST_JOINS = 12
# More parts of one module than these are put into groups, one after the other.
MOST_TOGETHER = 24
# So many costs that are entries of one value have bands to it, each for itself.
MOST_ENDS = 16


class Place(NamedTuple):
    """One place: a row of the tree.

    Args:
        name: What it is called: a module, a parameter, an input, a cost, or an operation.
        label: Its name inside the module around it.
        kind: ``model``, ``module``, ``group`` (of modules), ``parameter``, ``input``, ``join`` or ``cost``.
        around: The number of the place around it; the model itself has none.
        part: The part of the report that it is.
        first: The first node that belongs to it: the order of the forward pass.
        row: The number of a cost.
    """

    name: str
    label: str
    kind: str
    around: int | None
    part: Part | None = None
    first: int = 0
    row: int | None = None


class Band(NamedTuple):
    """What one place sends back to another: the norm of the cotangent, for each cost and of their sum."""

    source: int
    user: int
    norms: tuple[float, ...]
    total: float


class Modules(NamedTuple):
    """The places of a recorded model in the order of rows, and the bands between them.

    ``of_value`` maps the name of a value to its place; ``own`` are the places that computed something themselves, and
    not in a place inside.
    """

    places: tuple[Place, ...]
    bands: tuple[Band, ...]
    of_value: Mapping[str, int]
    own: frozenset[int]

    def chain(self, number: int) -> Iterator[int]:
        """Yields a place and those around it."""
        at: int | None = number
        while at is not None:
            yield at
            at = self.places[at].around


def modules(record: Record, report: Report) -> Modules:
    """Returns the graph of a record's modules.

    Args:
        record: What was computed.
        report: Its report, whose tree of parts is folded and unfolded.
    """
    return _Finder(record, report).made()


class _Finder:
    """Finds for each node the place that it belongs to."""

    def __init__(self, record: Record, report: Report) -> None:
        self.record, self.graph = record, record.graph
        self.sweep = record.graph_sweep("gradient")
        self.places: list[Place] = []
        self._tree(report.model, None)
        self.numbers = {place.name: n for n, place in enumerate(self.places)}
        self.at: list[int | None] = [None] * len(self.graph.nodes)
        self.gathered: dict[int, int] = {}  # by module
        self.uses = uses_of(self.graph)
        self.live = [self.sweep.cotangent(number) is not None for number in range(len(self.graph.nodes))]

    def _tree(self, part: Part, around: int | None) -> None:
        kind = "model" if around is None else "parameter" if part.shape is not None else "module"
        number = len(self.places)
        self.places.append(Place(part.name, part.label, kind, around, part))
        if len(part.parts) <= MOST_TOGETHER:
            for inner in part.parts:
                self._tree(inner, number)
            return
        size = isqrt(len(part.parts) - 1) + 1
        for start in range(0, len(part.parts), size):
            some = part.parts[start : start + size]
            first, last = some[0], some[-1]
            numbers = first.numbers
            for inner in some[1:]:
                numbers = numbers + inner.numbers
            group = Part(f"{first.name} … {last.name}", f"{first.label} … {last.label}", numbers, some)
            here = len(self.places)
            self.places.append(Place(group.name, group.label, "group", number, group))
            for inner in some:
                self._tree(inner, here)

    def _module(self, path: str) -> int:
        """Returns the smallest module of the tree that a path lies in."""
        while path and (path not in self.numbers or self.places[self.numbers[path]].kind == "parameter"):
            path = path.rpartition(".")[0]
        return self.numbers.get(path, 0) if path else 0

    def made(self) -> Modules:
        """Returns the places in the order of the forward pass, with the bands between them."""
        homes = [self._module(path) for path in self.record.modules]
        # A module that runs other modules: what it does itself lies between them.
        outer = {self.places[home].around for home in homes}
        outer |= {around for number in outer if number is not None for around in self._around(number)}
        sizes = Counter(homes)
        leaves = {leaf.node: leaf for leaf in self.record.leaves.values()}
        ends = self._ends(homes, outer)
        joins: Counter[int] = Counter()
        for number, node in enumerate(self.graph.nodes):
            if not self.live[number]:
                continue
            leaf = leaves.get(number)
            if leaf is not None:
                self.at[number] = self._leaf(leaf.name, leaf.kind, outer, number)
                continue
            home = homes[number]
            if home not in outer and home != 0:
                self.at[number] = home
                continue
            sources = list(
                dict.fromkeys(at for source in node.inputs for at in [self.at[source]] if at is not None)
            )
            if number in ends:
                self.at[number] = self._cost(ends[number])
            elif len(sources) == 1:
                self.at[number] = sources[0]
            elif sources:
                joins[home] += 1
                many = joins[home] > MOST_JOINS and sizes[home] > 3 * MOST_JOINS
                self.at[number] = self._gathered(number, home) if many else self._join(number, home)
        for k, cost in enumerate(self.graph.costs):
            self._cost(k)
            if self.at[cost.node] is None:
                self.at[cost.node] = self._cost(k)
        return self._ordered(self._bands())

    def _around(self, number: int | None) -> Iterator[int]:
        while number is not None:
            yield number
            number = self.places[number].around

    def _ends(self, homes: list[int], outer: set[int | None]) -> dict[int, int]:
        """Returns the nodes after the last layer that are a cost or lead to one alone: they are that cost's.

        They are made by the function of the costs, or in the module that makes the cost.
        """
        found: dict[int, int] = {}
        users, modules = self.graph.users(), self.record.modules
        ends = {cost.node: k for k, cost in enumerate(self.graph.costs)}
        shared = Counter(cost.node for cost in self.graph.costs)
        for number in range(len(self.graph.nodes) - 1, -1, -1):
            if not self.live[number] or self.graph.nodes[number].op is None:
                continue
            if homes[number] and homes[number] not in outer:
                continue
            if number in ends:  # others may be made of it
                if shared[number] == 1:
                    found[number] = ends[number]
                continue
            after = [user for user, _ in users[number] if self.live[user]]
            to = {found.get(user, -1) for user in after}
            if len(to) == 1 and -1 not in to and modules[number] in ("", *(modules[user] for user in after)):
                found[number] = to.pop()
        return found

    def _leaf(self, name: str, kind: str, outer: set[int | None], number: int) -> int | None:
        if kind == "input":
            return self._add(name, name, "input", 0, number)
        if name not in self.numbers:
            return None
        around = self.places[self.numbers[name]].around
        used_elsewhere = any(
            self.live[use.user] and self._module(self.record.modules[use.user]) != around
            for use in self.uses.get(number, ())
        )
        # A parameter between modules is a place by itself; inside a layer it is the layer's.
        return self.numbers[name] if around in outer or around == 0 else around if used_elsewhere else None

    def _gathered(self, number: int, home: int) -> int:
        """Returns the place of all joins of a module beyond those that have one each."""
        if home not in self.gathered:
            self.gathered[home] = self._add("operations between modules", "…", "join", home, number)
        return self.gathered[home]

    def _join(self, number: int, home: int) -> int:
        path = self.places[home].name
        name = self.record.node_name(number)
        own = self.record.modules[number]
        op = self.graph.nodes[number].op
        label = op.name.removesuffix("_scaled") if op is not None else name
        if own != path and own:
            label = own.removeprefix(f"{path}.")
        elif self.record.made[number].output is not None:
            label = f"{label} (output)"
        return self._add(name, label, "join", home, number)

    def _cost(self, row: int) -> int:
        name = self.record.cost_names[row]
        for number, place in enumerate(self.places):
            if place.kind == "cost" and place.row == row:
                return number
        return self._add(name, name, "cost", 0, len(self.graph.nodes) + row, row)

    def _add(self, name: str, label: str, kind: str, around: int, first: int, row: int | None = None) -> int:
        self.places.append(Place(name, label, kind, around, None, first, row))
        return len(self.places) - 1

    def _bands(self) -> dict[tuple[int, int], Array]:
        """Returns the squared norms of what goes back between two places, costs and their sum: (costs + 1,)."""
        squares: dict[tuple[int, int], Array] = {}
        for value, uses in self.uses.items():
            start = self.at[value]
            if start is None:
                continue
            around = set(self._around(start))
            sums: dict[int, Array] = {}
            for end, sent in (pair for use in uses for pair in self._sent(use, start)):
                for place in self._around(end):
                    if place not in around:
                        sums[place] = sent if place not in sums else sums[place] + sent
            for end, sent in sums.items():
                square = np.append((sent**2).sum(axis=1), (sent.sum(axis=0) ** 2).sum())
                inside = set(self._around(end))
                for begin in around - inside:
                    squares[begin, end] = squares.get((begin, end), 0.0) + square
        return squares

    def _sent(self, use: Use, start: int) -> Iterator[tuple[int, Array]]:
        """Yields the places, but one, that send back through a use, and what they send: (costs, entries).

        A value that is a cost itself has it from that cost's place; one that is very many costs from none.
        """
        ends: dict[int | None, int | None] = {self.at[use.user] if self.live[use.user] else None: None}
        if use.which is None:
            rows = [row for row, cost in enumerate(self.graph.costs) if cost.node == use.user]
            ends = {self._cost(row): row for row in rows} if len(rows) <= MOST_ENDS else {}
        ends = {end: row for end, row in ends.items() if end not in (None, start)}
        if not ends:
            return
        made = in_numpy(self.sweep.sent(use.way)).astype(np.float64)
        sent = made.reshape(made.shape[0], -1)
        for end, row in ends.items():
            assert end is not None
            yield end, sent if row is None else np.where(np.arange(len(sent))[:, None] == row, sent, 0.0)

    def _ordered(self, squares: dict[tuple[int, int], Array]) -> Modules:
        """Returns everything with places in the order of rows: each module's parts as they are first used."""
        first = self._first_uses()
        inside: dict[int | None, list[int]] = {}
        for n, place in enumerate(self.places):
            inside.setdefault(place.around, []).append(n)
        order: list[int] = []

        def visit(n: int) -> None:
            order.append(n)
            kinds = {self.places[m].kind for m in inside.get(n, ())}
            layer = self.places[n].kind == "module" and not kinds & {"module", "group"}
            for inner in sorted(
                inside.get(n, ()),
                key=lambda m: (
                    int(self.places[m].kind != "parameter") if layer else self._rank(m),
                    first.get(m, self._never),
                    m,
                ),
            ):
                visit(inner)

        visit(0)
        new = {old: place for place, old in enumerate(order)}
        places = tuple(
            place if place.around is None else place._replace(around=new[place.around])
            for place in (self.places[old] for old in order)
        )
        bands = tuple(
            Band(new[a], new[b], tuple(np.sqrt(made[:-1]).tolist()), float(np.sqrt(made[-1])))
            for (a, b), made in squares.items()
            if made.any()
        )
        names = {
            self.record.node_name(number): new[at] for number, at in enumerate(self.at) if at is not None
        }
        names |= {
            place.name: n for n, place in enumerate(places) if place.kind in ("parameter", "input", "cost")
        }
        return Modules(places, bands, names, frozenset(new[at] for at in self.at if at is not None))

    @property
    def _never(self) -> int:
        """A number behind those of all nodes and costs."""
        return 2 * len(self.graph.nodes)

    def _first_uses(self) -> dict[int, int]:
        """Returns for each place the first node that belongs to it, or uses it."""
        first = {
            n: place.first for n, place in enumerate(self.places) if place.first or place.kind == "input"
        }
        for number, at in enumerate(self.at):
            if at is not None and self.graph.nodes[number].op is not None:
                for n in self._around(at):
                    first[n] = min(first.get(n, number), number)
        users = self.graph.users()
        for n, place in enumerate(self.places):
            if place.kind == "parameter":
                used = [user for user, _ in users[self.record.leaves[place.name].node]]
                first[n] = used[0] if used else self._never
        return first

    def _rank(self, number: int) -> int:
        """Inputs come first, costs last."""
        return {"input": 0, "cost": 2}.get(self.places[number].kind, 1)
