"""A run: one forward pass of a network on some examples, and everything that can be asked of it."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from whygrad.arrays import Array
from whygrad.codegen import engine
from whygrad.errors import NotSupportedError, QuantityError, ShapeError, need_known
from whygrad.forward_pass import ForwardPass
from whygrad.gradients import Gradients
from whygrad.graph import Entry, Graph
from whygrad.notation import Quantity
from whygrad.ops import OPS

if TYPE_CHECKING:
    import pathlib

    from whygrad.derive import Derivation
    from whygrad.diagnosis import Diagnosis
    from whygrad.equation import Verdict
    from whygrad.listing import Paths
    from whygrad.paths import Path
    from whygrad.recorded import Recorded
    from whygrad.sweep import Sweep
    from whygrad.values import Values


class Run(ForwardPass):
    """One forward pass of a network on one or more examples, and everything that is asked of it by name.

    Made by :meth:`whygrad.Network.run`.

    Attributes:
        network: The network.
    """

    def example(self, number: int) -> "Run":
        """Returns the run of one example alone (counted from 0); with ``reduction = "mean"`` it is a mean over one.

        Raises:
            ShapeError: There is no such example.
        """
        number = self.example_row(number)
        return Run(self.network, self.x[number], self.y[number])

    def example_row(self, number: int) -> int:
        """Returns the number of an example after checking that there is one."""
        whole = isinstance(number, (int, np.integer)) and not isinstance(number, bool)
        if not whole or not 0 <= number < self.examples:
            raise ShapeError(f"example: expected a number from 0 to {self.examples - 1}, found {number!r}")
        return int(number)

    def gradient(self, quantity: str | Quantity, cost: int | None = None) -> Any:
        """Returns the derivative of the total, or of one cost, by a quantity.

        Args:
            quantity: A name in the network's notation, such as ``"w^0_{0,1}"``.
            cost: The number of a cost; the total where there is none.

        Returns:
            A number; for an activation, pre-activation or input and several examples an array (examples,).

        Example:
            >>> import whygrad as wg
            >>> run = wg.Network.default().run()
            >>> run.gradient("w^0_{0,3}", cost=1)
            0.0
        """
        return self.sweep("gradient").value(quantity, cost)

    def jacobian(self, name: str = "x") -> Array:
        """Returns each cost's derivatives by the inputs, a layer's activations or pre-activations of each example.

        Args:
            name: ``"x"``, or ``"a2"``, ``"z1"``, …

        Returns:
            An array (examples, costs, neurons) of dC^k of an example by that example's array. The costs are those of
            the outputs; R doesn't depend on any of these.
        """
        net = self.network.layered
        text = "a0" if name == "x" else str(name)
        kind, layer = text[:1], int(text[1:]) if text[1:].isdecimal() else -1
        if kind not in ("a", "z") or not (0 <= layer <= net.depth) or (kind, layer) == ("z", 0):
            raise QuantityError(
                f"jacobian: expected x, a1 to a{net.depth} or z1 to z{net.depth}, found {name!r}"
            )
        gradients = Gradients(net, self.network.parameters, self._backward("cost"))
        if kind == "z" or (layer > 0 and net.activations[layer - 1].trivial):
            return gradients.deltas(layer)
        if layer == net.depth:
            local = self.recorded.graph.local(self.recorded.nodes["C", None])
            diagonal = OPS[net.cost].structure.partial(local, 0)  # type: ignore[attr-defined]  # costs have one
            scale = 1 / self.examples if net.reduction == "mean" else 1
            return np.eye(net.outputs, dtype=self.network.dtype) * (diagonal * scale)[:, None, :]
        return gradients.sent_back(layer + 1, self.network.parameters[f"W{layer + 1}"])

    # The graph

    @cached_property
    def recorded(self) -> "Recorded":
        """The run as a graph of nodes, for everything that follows single paths."""
        from whygrad.recorded import Computed, recorded

        net = self.network
        costs = self.costs
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            program = engine.program(net.layered)
            each = program.each_cost(self.y, self.x, *self._states, *net.parameters.values())
        return recorded(net, self.x, self.y, Computed(self._states, each, costs), self.cost_names)

    @property
    def graph(self) -> "Graph":
        """The graph of nodes alone."""
        return self.recorded.graph

    def graph_sweep(self, semiring: str, progress: Callable[[str, float], None] | None = None) -> "Sweep":
        """Returns the backward sweep over the graph under a semiring; ``progress`` is told how far it is."""
        return self.sweep(semiring).swept(progress)

    def path_names(self, paths: Sequence["Path"]) -> list[tuple[str, ...]]:
        """Returns the names of the quantities along each of some paths, in the network's notation."""
        named = [[self.quantities_at(entry) for entry in path.entries] for path in paths]
        return [
            tuple(self.network.name(quantities[0]) for quantities in each if quantities) for each in named
        ]

    def unicode(self, name: str) -> str:
        """Returns a quantity's name as a terminal shows it."""
        return self.network.notation.unicode(self.quantity(name), self.network.layout)

    def quantity(self, text: str | Quantity) -> Quantity:
        """Returns the quantity that a name in the network's notation stands for."""
        return self.network.quantity(text)

    def entry(self, quantity: str | Quantity, example: int = 0) -> Entry:
        """Returns where a quantity is in the graph (for one example, where it has a value for each)."""
        q = self.quantity(quantity)
        graph, nodes = self.recorded
        if q.kind == "C":
            return Entry(nodes["costs", None], q.to or 0)
        if q.kind == "R":
            return Entry(nodes["R", None], 0)
        if q.kind not in ("w", "b", "a", "z", "y"):
            raise NotSupportedError(
                f"{self.network.name(q)} is a sum or a derivative, not a quantity of the graph"
            )
        node = nodes[q.kind, q.layer]
        shape = graph.nodes[node].value.shape
        if q.kind == "w":
            return Entry(node, int(q.to or 0) * shape[1] + int(q.source or 0))
        if q.kind == "b":
            return Entry(node, int(q.to or 0))
        return Entry(node, self.example_row(example) * shape[1] + int(q.to or 0))

    def value(self, quantity: str | Quantity, example: int = 0) -> float:
        """Returns a quantity's value (of one example, where it has one for each)."""
        q = self.quantity(quantity)
        if q.kind == "total":
            return self.total
        if q.kind == "delta":
            return float(self.derivative(Quantity("total"), q._replace(kind="z"), example))
        entry = self.entry(q, example)
        return float(np.ravel(self.recorded.graph.nodes[entry.node].value)[entry.position])

    def quantities_at(self, entry: Entry) -> list[Quantity]:
        """Returns the quantities that are at an entry of the graph; the activation before the pre-activation.

        Nothing is returned for a step that has no name, such as the sum over the weights before a bias is added.
        """
        graph, nodes = self.recorded
        found: list[Quantity] = []
        for (kind, layer), node in nodes.items():
            if node != entry.node or kind == "C":
                continue
            shape = graph.nodes[node].value.shape
            if kind == "w":
                found.append(Quantity("w", layer, entry.position // shape[1], entry.position % shape[1]))
            elif kind == "costs":
                found.append(Quantity("C", None, entry.position))
            elif kind == "R":
                found.append(Quantity("R"))
            else:
                found.append(Quantity(kind, layer, entry.position % shape[-1]))
        return sorted(found, key=lambda q: q.kind)

    # Sweeps and paths

    def sweep(self, semiring: str) -> "Values":
        """Returns the values of a semiring at every quantity: ``run.sweep("strongest")["w^0_{0,1}"]``.

        Args:
            semiring: ``gradient``, ``total``, ``strongest``, ``extremes``, ``count``, ``reach``, ``entropy`` or
                ``spectrum``.

        Raises:
            NotSupportedError: There is no such semiring.
        """
        from whygrad.semirings import SEMIRINGS
        from whygrad.values import Values

        need_known("sweep", semiring, SEMIRINGS)
        if semiring not in self._sweeps:
            self._sweeps[semiring] = Values(self, semiring)
        return self._sweeps[semiring]

    @cached_property
    def _sweeps(self) -> dict[str, "Values"]:
        return {}

    @cached_property
    def kept(self) -> dict[Any, Any]:
        """What derivations keep from one to the next; theirs alone."""
        return {}

    def derivative(self, of: str | Quantity, by: str | Quantity, example: int = 0) -> float:
        """Returns the derivative of any quantity by any quantity, over all paths, for one example's activations.

        Example:
            >>> import whygrad as wg
            >>> round(wg.Network.default().run().derivative("a^0_3", "a^0_2"), 12)   # the weight between them
            0.5
        """
        of, by = self.quantity(of), self.quantity(by)
        by = by._replace(kind="z") if by.kind == "delta" else by
        sweep = self.seeded(of, example)
        entry = self.entry(by, example)
        return float(np.ravel(np.asarray(sweep.joined(entry.node)))[entry.position])

    def seeded(self, of: str | Quantity, example: int = 0, semiring: str = "gradient") -> "Sweep":
        """Returns a sweep that starts at any quantity instead of at the costs (at all of them for the total)."""
        from whygrad.sweep import Sweep

        return Sweep(self.graph_of(of, example), semiring)

    def graph_of(self, of: str | Quantity, example: int = 0) -> Graph:
        """Returns the run's graph with a quantity (or the costs, for the total) as what is differentiated."""
        q = self.quantity(of)
        graph = self.recorded.graph
        if q.kind == "total":
            return graph
        return graph._replace(costs=(self.entry(q, example),), cost_names=(self.network.name(q),))

    def paths(self, quantity: str | Quantity | None = None, cost: int | None = None, k: int = 10) -> "Paths":
        """Returns the k strongest paths from a quantity to the costs, strongest first.

        Args:
            quantity: A name in the network's notation; ``"x"``, ``"W1"``, … for all entries of an array; every
                parameter where there is none.
            cost: The number of a cost; all where there is none.
            k: How many to list. Sum, total and count are always those of all paths.

        Example:
            >>> import whygrad as wg
            >>> paths = wg.Network.default().run().paths("w^0_{0,1}", k=3)
            >>> paths.count, len(paths)
            (6, 3)
        """
        from whygrad.listing import Paths

        if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
            raise ShapeError(f"paths: expected k to be a whole number from 1, found {k!r}")
        rows = None if cost is None else (self.cost_row(cost),)
        return Paths(self, self.starts(quantity), rows, int(k))

    def cost_row(self, cost: int) -> int:
        """Returns the number of a cost after checking that there is one."""
        many = len(self.cost_quantities)
        if isinstance(cost, bool) or not isinstance(cost, (int, np.integer)) or not 0 <= cost < many:
            raise QuantityError(
                f"cost: expected a number from 0 to {many - 1} ({', '.join(self.cost_names)}), found {cost!r}"
            )
        return int(cost)

    def starts(self, quantity: str | Quantity | None) -> list[tuple[int, Array | None]]:
        """Returns the nodes and flat positions that a quantity (or an array, or nothing: the parameters) stands for."""
        nodes = self.recorded.nodes
        net = self.network.layered
        if quantity is None:
            return [(nodes[name[0].lower(), int(name[1:])], None) for name in net.shapes]
        if quantity == "x":
            return [(nodes["a", 0], None)]
        if isinstance(quantity, str) and quantity in net.shapes:
            return [(nodes[quantity[0].lower(), int(quantity[1:])], None)]
        q = self.quantity(quantity)
        each = range(1) if q.kind in ("w", "b", "C", "R") else range(self.examples)
        entries = [self.entry(q, example) for example in each]
        return [(entries[0].node, np.array([entry.position for entry in entries]))]

    # What others build on runs

    def explain(
        self, quantity: str | Quantity | None = None, of: Any = None, by: Any = None, **options: Any
    ) -> "Derivation":
        """Returns the derivation of a derivative, step by step: prints in a terminal, renders in a notebook.

        See :func:`whygrad.derive.explain` for the options.
        """
        from whygrad.derive import explain

        return explain(self, quantity, of=of, by=by, **options)

    def check(
        self, equation: str, notation: str | None = None, names: Mapping[str, str] | None = None
    ) -> "Verdict":
        """Returns whether an equation that a person wrote holds, and what is wrong with it where it doesn't.

        See :func:`whygrad.equation.check`.

        Example:
            >>> import whygrad as wg
            >>> wg.Network.default().run().check(r"\\frac{\\partial C^1}{\\partial w^0_{0,3}} = 0").holds
            True
        """
        from whygrad.equation import check

        return check(self, equation, notation=notation, names=names)

    def diagnose(self, gradients: Any, **conventions: Any) -> "Diagnosis":
        """Returns which gradients that a person worked out are right, and what the mistakes in the others are.

        See :func:`whygrad.diagnosis.diagnose` for the conventions that can be declared.

        Example:
            >>> import whygrad as wg
            >>> run = wg.Network.default().run()
            >>> run.diagnose({name: -g for name, g in run.gradients().total.items()}).findings[0].mistake
            'sign_flipped'
        """
        from whygrad.diagnosis import diagnose

        return diagnose(self, gradients, **conventions)

    def code(self, style: str = "numpy") -> str:
        """Returns the network's forward pass and all gradients as a program that runs by itself.

        Args:
            style: ``"numpy"``, ``"scalar"`` (straight lines in the network's notation) or ``"pytorch"``.
        """
        from whygrad.programs import program_text

        return program_text(self, style)

    def view(self, **options: Any) -> Any:
        """Returns the interactive page for a notebook: a widget whose numbers can be changed.

        Needs anywidget (``pip install 'whygrad[notebook]'``). See :func:`whygrad.view.document.document` for the
        options: what is chosen first, of which cost, the notation, the semiring, the example.
        """
        from whygrad.view.widget import widget

        return widget(self, **options)

    def save_html(self, path: Any, **options: Any) -> "pathlib.Path":
        """Writes the interactive page as one file that needs nothing from a network, and returns its path.

        Args:
            path: The file.
            options: What is chosen first: see :func:`whygrad.view.document.document`.

        Raises:
            WhygradError: The file can't be written.
        """
        from whygrad.view.page import save

        return save(self, path, **options)

    def _repr_html_(self) -> str:
        from whygrad.view.static import static

        return static(self)

    def __repr__(self) -> str:
        many = "1 example" if self.examples == 1 else f"{self.examples} examples"
        return f"Run({self.network.layered.title()}; {many})"
