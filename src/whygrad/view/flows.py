"""How much of a derivative goes through each edge and each neuron: what the picture's lines are as wide as."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from whygrad.arrays import Array
from whygrad.notation import Quantity
from whygrad.run import Run
from whygrad.structures import DenseAlongAxis


class Flow(NamedTuple):
    """The contributions of all paths of a quantity, added up for each place that they pass.

    All arrays have the strand first: a cost, or several together. ``neurons`` has, for each layer, one number for
    each activation; ``edges`` for each layer an array (strands, to, from); ``last`` the strands through each
    output, (strands, outputs).
    """

    neurons: Mapping[int, Array]
    edges: Mapping[int, Array]
    last: Array


class Flows:
    """The contributions through each place of a run's network.

    The sum over all paths through an edge is: the derivative of the edge's beginning by the quantity, times the
    edge's weight, times the derivative of the costs by the edge's end. The first comes from one pass forward, the
    last from the backward sweep.

    Args:
        run: The run.

    Example:
        >>> import whygrad as wg
        >>> run = wg.Network.default().run()
        >>> flow = Flows(run).of(run.quantity("w^0_{0,1}"))
        >>> flow.last.sum(axis=1).round(5).tolist()      # what reaches each cost: its derivative by the weight
        [0.28149, 0.052]
        >>> flow.neurons[2].sum(axis=0).round(6).tolist()      # through each neuron of layer 2
        [-0.405825, 0.615775, 0.12354]
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._net = run.network.layered
        self._sweep = run.sweep("gradient").sweep
        self._slopes: dict[int, Array] = {}
        self._back: dict[Any, Array] = {}

    def _backward(self, kind: str, layer: int, pick: Array) -> Array:
        """Returns each strand's derivatives by a layer, (strands, examples, neurons); R has none."""
        key = (kind, layer, pick.tobytes())
        if key not in self._back:
            node = self._run.recorded.nodes[kind, layer]
            values = np.asarray(self._sweep.values(node))[: self._net.outputs]
            self._back[key] = np.tensordot(pick, values, axes=1)
        return self._back[key]

    def _through(self, layer: int, z: Array) -> Array:
        """Returns how a layer's activations change, (examples, neurons), when its pre-activations change."""
        activation = self._net.activations[layer - 1]
        if activation.trivial:
            return z
        graph, nodes = self._run.recorded
        local = graph.local(nodes["a", layer])
        structure: Any = activation.op.structure
        if not isinstance(structure, DenseAlongAxis):
            if layer not in self._slopes:
                self._slopes[layer] = np.broadcast_to(structure.partial(local, 0), z.shape)
            return z * self._slopes[layer]
        made = np.zeros(z.size)
        flat = np.ravel(z)
        for position in np.flatnonzero(flat):
            column = structure.column(local, 0, int(position))
            made[column.positions] += np.asarray(column.partials) * flat[position]
        return made.reshape(z.shape)

    def first(self, q: Quantity, pick: Array) -> Array:
        """Returns what goes through a weight itself, (strands,): each strand's derivative by it."""
        below = self._activations(int(q.layer or 1) - 1)[:, int(q.source or 0)]
        return np.einsum("n,sn->s", below, self._backward("z", int(q.layer or 1), pick)[:, :, int(q.to or 0)])

    def of(self, q: Quantity, pick: Array | None = None) -> Flow:
        """Returns the contributions of all paths from a quantity to the costs.

        Args:
            q: The quantity.
            pick: Which costs make a strand, (strands, costs); each cost one, where there is none.
        """
        net, run = self._net, self._run
        pick = np.eye(net.outputs) if pick is None else pick
        neurons: dict[int, Array] = {}
        edges: dict[int, Array] = {}
        last = np.zeros((len(pick), net.outputs))
        if q.kind == "C":
            last[:, int(q.to or 0)] = pick[:, int(q.to or 0)]
        if q.kind == "y":
            values = np.asarray(self._sweep.values(run.recorded.nodes["y", None]))
            last[:, int(q.to or 0)] = pick[:, int(q.to or 0)] * values[q.to, :, q.to].sum()
        if q.kind not in ("w", "b", "a", "z"):
            return Flow(neurons, edges, last)
        layer, to = int(q.layer or 0), int(q.to or 0)
        reached = np.zeros((run.examples, net.sizes[layer]))
        if q.kind == "w":
            reached[:, to] = self._activations(layer - 1)[:, int(q.source or 0)]
            edges[layer] = np.zeros((len(pick), net.sizes[layer], net.sizes[layer - 1]))
            edges[layer][:, to, int(q.source or 0)] = self.first(q, pick)
        else:
            reached[:, to] = 1.0
        if q.kind != "a":
            reached = self._through(layer, reached)
        neurons[layer] = np.einsum("nj,snj->sj", reached, self._backward("a", layer, pick))
        for above in range(layer + 1, net.depth + 1):
            weights = np.asarray(run.network.parameters[f"W{above}"])
            behind = self._backward("z", above, pick)
            edges[above] = np.einsum("ni,snj->sji", reached, behind, optimize=run.examples > 1) * weights
            reached = self._through(above, reached @ weights.T)
            neurons[above] = np.einsum("nj,snj->sj", reached, self._backward("a", above, pick))
        return Flow(neurons, edges, neurons[net.depth])

    def _activations(self, layer: int) -> Array:
        graph, nodes = self._run.recorded
        return np.asarray(graph.nodes[nodes["a", layer]].value)
