"""An oracle that never sees the record: PyTorch's own trace of a run, as single scalars, and every path through it.

``make_fx`` writes down the operations below autograd, ``functionalize`` takes writes and views out of them. Each is run
again on its own, and autograd says its partials. An operation that PyTorch traces in one piece is one step; the models
that are compared keep to those which the table has in one piece too.
"""

import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.func import functionalize
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._pytree import tree_flatten, tree_unflatten

aten = torch.ops.aten
# The same array twice in one of these is two steps; in others it is one.
PRODUCTS = (aten.mm.default, aten.bmm.default, aten.addmm.default, aten.baddbmm.default)
Scalar = tuple[Any, int]  # a node of the trace, or one of its several outputs; the flat position in its value


@contextmanager
def in_place_of_parameters(model: nn.Module, tensors: list[Tensor]) -> Iterator[None]:
    """Lets a model compute with other tensors, wherever its parameters are."""
    swapped = dict(zip(map(id, model.parameters()), tensors, strict=True))
    tables = [module._parameters for module in model.modules()]
    before = [dict(table) for table in tables]
    try:
        for table in tables:
            others = {name: swapped[id(p)] for name, p in table.items() if p is not None}
            table.update(others)  # type: ignore[arg-type]  # tensors, where PyTorch's stubs have parameters
        yield
    finally:
        for table, kept in zip(tables, before, strict=True):
            table.update(kept)


class Trace:
    """A model's costs as edges between scalars.

    Args:
        model: All of its parameters are trained.
        batch: What it is run on.
        costs: A function (model, batch) that returns named losses.
    """

    def __init__(self, model: nn.Module, batch: Any, costs: Callable[[Any, Any], dict[str, Tensor]]) -> None:
        self.edges: dict[Scalar, list[tuple[Scalar, float]]] = {}
        self._found: dict[tuple[Scalar, int], np.ndarray] = {}
        names = [name for name, _ in model.named_parameters()]
        values = [p.detach().clone() for p in model.parameters()]
        buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}

        def run(*tensors: Tensor) -> Tensor:
            with in_place_of_parameters(model, list(tensors)):
                return torch.cat([loss.reshape(-1) for loss in costs(model, batch).values()])

        traced = make_fx(functionalize(make_fx(run)(*values)))(*values)
        for name, buffer in model.named_buffers():
            buffer.copy_(buffers[name])
        self._walk(traced, dict(zip(names, values, strict=True)))

    def _walk(self, traced: fx.GraphModule, values: dict[str, Tensor]) -> None:
        given = iter(values.items())
        self.parameters: dict[str, fx.Node] = {}
        known: dict[fx.Node, Any] = {}
        paths: set[Any] = set()
        for node in traced.graph.nodes:
            if node.op == "placeholder":
                name, known[node] = next(given)
                self.parameters[name] = node
                paths.add(node)
            elif node.op == "get_attr":
                known[node] = getattr(traced, node.target)
            elif node.op == "output":
                (self.end,) = node.all_input_nodes
            elif node.target is operator.getitem:
                source, place = node.args
                known[node] = known[source][place]
                if (source, place) in paths:
                    paths.add(node)
                    for n in range(known[node].numel()):
                        self._edge(((source, place), n), (node, n), 1.0)
            else:
                self._operation(node, known, paths)

    def _operation(self, node: fx.Node, known: dict[fx.Node, Any], paths: set[Any]) -> None:
        flat, spec = tree_flatten((node.args, node.kwargs))
        given = [known[each] if isinstance(each, fx.Node) else each for each in flat]
        args, words = tree_unflatten(given, spec)
        run: Any = node.target
        with torch.no_grad():
            known[node] = run(*args, **words)
        if run is aten.detach.default:
            return
        moving = [k for k, each in enumerate(flat) if isinstance(each, fx.Node) and each in paths]
        uses = [[k] for k in moving]
        if run not in PRODUCTS:
            uses = [[k for k in moving if flat[k] is each] for each in dict.fromkeys(flat[k] for k in moving)]
        for use in uses:
            x = given[use[0]].detach().clone().requires_grad_()
            args, words = tree_unflatten([x if k in use else each for k, each in enumerate(given)], spec)
            made = args[1].expand_as(args[0]) if run is aten.copy.default else run(*args, **words)
            for place, out in enumerate(made if isinstance(made, (tuple, list)) else (made,)):
                if not isinstance(out, Tensor) or not out.requires_grad:
                    continue
                to = (node, place) if isinstance(made, (tuple, list)) else node
                paths.add(to)
                for n, entry in enumerate(out.reshape(-1)):
                    (row,) = torch.autograd.grad(entry, x, retain_graph=True, materialize_grads=True)
                    for m in row.reshape(-1).nonzero().reshape(-1).tolist():
                        self._edge((flat[use[0]], m), (to, n), row.reshape(-1)[m].item())

    def _edge(self, source: Scalar, to: Scalar, partial: float) -> None:
        self.edges.setdefault(source, []).append((to, partial))

    def contributions(self, parameter: str, position: int, row: int) -> np.ndarray:
        """Returns those of every live path from an entry of a parameter to a cost."""
        return self._from((self.parameters[parameter], position), row)

    def _from(self, start: Scalar, row: int) -> np.ndarray:
        if (start, row) not in self._found:
            ends = [np.ones(1)] if start == (self.end, row) else []
            after = [partial * self._from(to, row) for to, partial in self.edges.get(start, ())]
            self._found[start, row] = np.concatenate([*ends, *after]) if ends or after else np.ones(0)
            assert len(self._found[start, row]) < 300_000, "too many paths for an enumeration"
        return self._found[start, row]
