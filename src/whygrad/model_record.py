"""A recorded computation, and everything that is asked of it, by the names of parameters, modules and inputs."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from whygrad.arrays import Array, in_numpy, unrounded
from whygrad.errors import QuantityError, need_known
from whygrad.graph import Entry
from whygrad.model_gradients import ModelGradients
from whygrad.model_graph import ModelGraph
from whygrad.model_names import Names
from whygrad.model_values import RecordValues
from whygrad.semirings import SEMIRINGS
from whygrad.sweep import Sweep, Sweeps

if TYPE_CHECKING:
    import pathlib

    from whygrad.branches import Parts, Spectrum
    from whygrad.listing import Paths
    from whygrad.report import Report


class Record(ModelGraph):
    """A recorded computation with its costs: what :func:`whygrad.record` returns.

    Quantities are named by module and parameter: ``encoder.0.weight[3, 5]``, ``batch[0, 2]``, ``layers.1[0, 4]`` for
    an entry of a module's output, and the names of the costs. A name that a cost has too is the cost's; with three dots
    it is the array's: ``rec.at("size")`` is the cost, ``rec.at("size[...]")`` what the module of that name puts out,
    ``rec.at("size[...][0]")`` one entry of it.
    """

    def of(self, quantity: str) -> "Record":
        """Returns the same record with one quantity in the place of the costs, or each entry of an array.

        Gradients, sweeps and paths then lead to it: ``rec.of("blocks.1[0, 3]").paths("0.weight[2, 1]")`` are the paths
        between any two points.

        Args:
            quantity: One entry, or an array: each of its entries then stands as a cost, by its name.

        Raises:
            QuantityError: There is no such quantity.

        Example:
            >>> import whygrad as wg
            >>> from whygrad.report.example import two_losses
            >>> rec = wg.record(*two_losses())
            >>> paths = rec.of("trunk.2[5, 3]").paths("trunk.0.weight[8, 1]")
            >>> paths.count, paths[0].quantities[-1]
            (1, 'trunk.2[5, 3]')
        """
        node, position = self.at(quantity)
        places = range(self.graph.size(node)) if position is None else (position,)
        entries = tuple(Entry(node, place) for place in places)
        plain = self.graph._replace(costs=(), cost_names=())
        leaves = tuple(self.leaves.values())
        names = Names(plain, leaves, self.made)
        known = dict(zip(self.graph.costs, self.cost_names, strict=True))
        called = tuple(known.get(entry) or names.entry(entry) for entry in entries)
        graph = self.graph._replace(costs=entries, cost_names=called)
        return Record(graph, leaves, self.made, self.stops)

    # Gradients and sweeps

    @cached_property
    def _sweeps(self) -> Sweeps:
        return Sweeps(self.graph)

    @cached_property
    def _gradients(self) -> ModelGradients:
        trained = [leaf for leaf in self.leaves.values() if leaf.kind == "parameter"]
        aliases = {alias: leaf.name for leaf in trained for alias in leaf.aliases}
        frozen = [
            name
            for leaf in self.leaves.values()
            if leaf.kind == "frozen"
            for name in (leaf.name, *leaf.aliases)
        ]
        return ModelGradients(self._sweeps, {leaf.name: leaf.node for leaf in trained}, aliases, frozen)

    def gradients(self) -> ModelGradients:
        """Returns the gradient of every cost by every parameter: a mapping name -> (costs, *shape).

        Arrays are made when they are asked for, of the parameters' types and on their devices. ``.total`` has the
        gradients of the sum of the costs, ``.factors`` those that are products, ``.norms()``, ``.cosines()`` and
        ``.gramian()`` the lengths, angles and inner products of the costs' gradients, by parameter or by module.

        Example:
            >>> import whygrad as wg
            >>> from whygrad.report.example import two_losses
            >>> rec = wg.record(*two_losses())
            >>> rec.gradients()["trunk.0.weight"].shape, rec.gradients().cosines("trunk").shape
            (torch.Size([2, 24, 2]), torch.Size([2, 2]))
        """
        return self._gradients

    def gradient(self, quantity: str, cost: str | int | None = None) -> Array:
        """Returns the derivative of the sum of the costs, or of one, by a quantity: a number, or an array of its shape.

        Args:
            quantity: A parameter (a frozen one too), an input, a module's output, or one entry: ``trunk.0[5, 3]``.
            cost: The name or the number of a cost; their sum where there is none.

        Raises:
            QuantityError: There is no such quantity or cost.

        Example:
            >>> import whygrad as wg
            >>> from whygrad.report.example import two_losses
            >>> rec = wg.record(*two_losses())
            >>> rec.gradient("batch['points']").shape, rec.gradient("side.weight[0, 3]", cost="angle")
            (torch.Size([128, 2]), 0.0)
        """
        node, position = self.at(quantity)
        rows = None if cost is None else (self.cost_row(cost),)
        made = self.graph_sweep("gradient").joined(node, rows)
        return made if position is None else float(in_numpy(made).reshape(-1)[position])

    def sweep(self, semiring: str) -> "RecordValues":
        """Returns the values of a semiring at every quantity: what comes of adding up its paths in that way.

        Args:
            semiring: ``gradient``, ``total``, ``strongest``, ``extremes``, ``count``, ``live``, ``reach``, ``entropy``
                or ``spectrum`` (by the number of blocks: :meth:`spectrum`).

        Raises:
            NotSupportedError: There is no such semiring.

        Example:
            >>> import whygrad as wg
            >>> from whygrad.report.example import two_losses
            >>> rec = wg.record(*two_losses())
            >>> total, gradient = rec.sweep("total"), rec.sweep("gradient")
            >>> total["trunk.0.weight[7, 1]"] >= abs(gradient["trunk.0.weight[7, 1]"])
            True
            >>> rec.sweep("count").value("trunk.2.weight[3, 1]", cost="angle")    # one for each example
            128
        """
        need_known("sweep", semiring, SEMIRINGS)
        return RecordValues(self, semiring)

    def graph_sweep(self, semiring: str, progress: Callable[[str, float], None] | None = None) -> Sweep:
        """Returns the backward sweep over the graph under a semiring; ``progress`` is told how far it is."""
        with unrounded(self.graph.xp):
            return self._sweeps.made(semiring, progress)

    def paths(self, quantity: str | None = None, cost: str | int | None = None, k: int = 10) -> "Paths":
        """Returns the k strongest paths from a quantity to the costs, strongest first.

        A path's contribution is the product of the partial derivatives along it; those of all paths add up to the
        gradient. Found by best-first search with the *strongest* sweep for a bound: no other paths are listed for it.

        Args:
            quantity: ``encoder.0.weight[3, 5]``, or ``encoder.0.weight`` for all its entries; all parameters where
                there is nothing.
            cost: The name or the number of a cost; all where there is none.
            k: How many to list. Sum, total and count are always those of all paths.

        Raises:
            QuantityError: There is no such quantity or cost, or ``k`` isn't a positive whole number.

        Example:
            >>> import whygrad as wg
            >>> from whygrad.report.example import two_losses
            >>> rec = wg.record(*two_losses())
            >>> paths = rec.paths("trunk.2.weight[5, 4]", cost="angle", k=2)
            >>> len(paths), paths.count, paths[0].quantities[-1]
            (2, 128, 'angle')
            >>> abs(paths.sum - rec.gradient("trunk.2.weight[5, 4]", cost="angle")) < 1e-6
            True
        """
        from whygrad.listing import Paths

        if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
            raise QuantityError(f"paths: k must be a positive whole number, found {k!r}")
        rows = None if cost is None else (self.cost_row(cost),)
        if quantity is None:
            starts: list[tuple[int, Array | None]] = [
                (leaf.node, None) for leaf in self.leaves.values() if leaf.kind == "parameter"
            ]
        else:
            node, position = self.at(quantity)
            starts = [(node, None if position is None else np.array([position]))]
        return Paths(self, starts, rows, int(k), self.stops_between([node for node, _ in starts], rows))

    # What is made of them

    def report(
        self, semirings: Sequence[str] | None = None, progress: Callable[[str, float], None] | None = None
    ) -> "Report":
        """Returns what each cost does to each parameter and module, where costs conflict, and what to try.

        It prints in a terminal and shows in a notebook; ``.rows()`` are for a table, ``.plot_depth()``,
        ``.plot_cosines()`` and ``.plot_spectrum()`` draw.

        Args:
            semirings: What is worked out beside the gradients: ``total`` (for the cancellation), ``entropy`` (for the
                effective number of paths; brings ``total`` along), ``spectrum``. Default: ``entropy``, for up to 12
                costs and normalisations of up to 20 million entries.
            progress: Told what is being worked out, and which share of all is done. Where there is nothing, a terminal
                shows a bar if it takes longer than a second.

        Raises:
            NotSupportedError: There is no such semiring in a report; or no parameter is trained.

        Example:
            >>> import whygrad as wg
            >>> from whygrad.report.example import two_losses
            >>> report = wg.record(*two_losses()).report()
            >>> [finding.kind for finding in report.findings]
            ['agreement', 'domination', 'dead']
        """
        from whygrad.render.progress import progress as bar
        from whygrad.report import report

        with unrounded(self.graph.xp):
            if progress is not None:
                return report(self, semirings, progress)
            with bar() as tell:
                return report(self, semirings, tell)

    def branches(self, module: str | None = None) -> "tuple[Parts, ...]":
        """Returns, for each value that is used several times, what each user sends back, with norms and cosines.

        What the users of a value send back adds up to the gradient by it: the chain rule's sum. A cost that is the
        value itself is one of them.

        Args:
            module: A module's path: the values made in it or coming into it; all where there is nothing.

        Raises:
            QuantityError: No such module ran.

        Example:
            >>> import whygrad as wg
            >>> from whygrad.report.example import two_losses
            >>> (fork,) = wg.record(*two_losses()).branches()
            >>> fork.place, fork.senders, fork.norms.shape    # (senders, costs)
            ('trunk.3', ('side', 'angle'), (2, 2))
        """
        from whygrad.branches import branches

        return branches(self, module)

    def heads(self, module: str) -> "tuple[Parts, ...]":
        """Returns what goes back through each head of an attention module alone, to what comes into the module.

        Args:
            module: The module's path, such as ``"layers.2.attn"``; ``""`` for the whole model.

        Returns:
            One record for each use of attention in the module (one, mostly).

        Raises:
            NotSupportedError: There is no attention with several heads, or no value comes into the module.
            QuantityError: No such module ran.

        Example:
            >>> import torch, whygrad as wg
            >>> model, x = torch.nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), torch.randn(1, 3, 4)
            >>> (parts,) = wg.record(model, x, lambda model, x: {"size": model(x).square().sum()}).heads("self_attn")
            >>> parts.senders, parts.cosines.shape    # (costs, heads, heads)
            (('head 0', 'head 1'), (1, 2, 2))
        """
        from whygrad.branches import heads

        return heads(self, module)

    def spectrum(self, blocks: Sequence[str] | None = None) -> "Spectrum":
        """Returns every gradient split by the number of blocks that its paths pass: exact.

        The parts add up to the gradient; where the norm of the sum is less than the sum of the norms, short and long
        paths cancel (Veit, Wilber and Belongie 2016, *Residual networks behave like ensembles of relatively shallow
        networks*, who sampled paths).

        Args:
            blocks: Patterns of module paths, such as ``["layers.*"]``: their residual adds, or passing the module where
                it has none; every residual add where there is nothing.

        Raises:
            NotSupportedError: There is no residual add and no pattern.
            QuantityError: A pattern fits no module that ran.

        Example:
            >>> import whygrad as wg
            >>> from whygrad.report.example import two_losses
            >>> split = wg.record(*two_losses()).spectrum(["trunk.1", "trunk.3"])    # by number of relus
            >>> (split.parts["trunk.2.weight"] > 0).tolist()    # for each cost, with 0, 1 and 2 of them
            [[False, True, False], [False, True, False]]
        """
        from whygrad.branches import spectrum
        from whygrad.render.progress import progress

        with progress() as tell:
            return spectrum(self, blocks, tell)

    def view(
        self,
        *,
        chosen: str | None = None,
        of: str | int | None = None,
        paths: int | None = None,
        semirings: Sequence[str] | None = None,
        report: "Report | None" = None,
    ) -> Any:
        """Returns the interactive page for a notebook: modules, what each cost sends through them, strongest paths.

        Needs anywidget (``pip install 'whygrad[notebook]'``).

        Args:
            chosen: The module or parameter that is shown first; where the costs disagree most where there is none.
            of: A cost, by name or number; all of them together where there is none.
            paths: How many strongest paths each parameter has; 0 leaves them out, which saves time.
            semirings: What the bars can show beside norms and shares: some of ``total``, ``strongest``, ``count``.
            report: The record's report, where it has been made already.

        Raises:
            NotSupportedError: anywidget isn't installed; or there is no such semiring.
            QuantityError: There is no such module, parameter or cost.
        """
        from whygrad.view.recorded_page import recorded_widget

        return recorded_widget(self, chosen=chosen, of=of, paths=paths, semirings=semirings, report=report)

    def save_html(
        self,
        path: "str | pathlib.Path",
        *,
        chosen: str | None = None,
        of: str | int | None = None,
        paths: int | None = None,
        semirings: Sequence[str] | None = None,
        report: "Report | None" = None,
    ) -> "pathlib.Path":
        """Writes the interactive page as one file that needs nothing from a network, and returns its path.

        Args:
            path: The file.
            chosen: As for :meth:`view`, like all that follow.
            of: A cost.
            paths: How many strongest paths.
            semirings: What the bars can show.
            report: The record's report.

        Raises:
            WhygradError: The file can't be written; or as for :meth:`view`.
        """
        from whygrad.view.recorded_page import save_recorded

        options = {"chosen": chosen, "of": of, "paths": paths, "semirings": semirings, "report": report}
        return save_recorded(self, path, **options)

    def _repr_html_(self) -> str:
        from whygrad.view.recorded_page import recorded_still

        return recorded_still(self)
