"""The gradients of every cost by every parameter, factored until somebody asks for the arrays.

A weight matrix enters by a product, so that cost k's gradient by it is D_kᵀ A: the layer's deltas D_k (examples,
neurons above) and its inputs A (examples, neurons below). Norms, cosines and the Gramian J Jᵀ come from D and A:

    <D_kᵀ A, D_lᵀ A> = sum over examples m, n of (A Aᵀ)[m, n] (D_k[m] · D_l[n])

(Goodfellow 2015, *Efficient per-example gradient computations*, for the norms of single examples.)
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np

from whygrad.arrays import Array
from whygrad.codegen.engine import Plan, by_costs
from whygrad.codegen.layered import Layered
from whygrad.errors import QuantityError


class Factors:
    """A weight's per-cost gradients as a product: the sum over examples of cotangent times input.

    Nothing is multiplied out before it is asked for.

    Args:
        input: (examples, neurons below).
        make: Makes the cotangent as (examples, costs, neurons above).
    """

    def __init__(self, input: Array, make: Callable[[], Array]) -> None:
        self.input = input
        self._make = make

    @cached_property
    def cotangent(self) -> Array:
        """The cotangent with a row for each cost: (costs, examples, neurons above)."""
        return self._make().transpose(1, 0, 2)


class Backward(NamedTuple):
    """What one backward pass left: e (examples, outputs), the deltas (examples, rows, neurons) of layers 1, 2, …

    The last layer's delta is missing where it is the diagonal of e. ``plan`` says which deltas have rows for the
    neurons of a layer instead of the costs; ``slope`` and ``W`` (of the last layer) make the costs' rows of them.
    """

    e: Array
    deltas: tuple[Array | None, ...]
    inputs: tuple[Array, ...]
    rows: int
    plan: Plan = Plan()
    slope: Array | None = None
    W: Array | None = None


class Gradients(Mapping[str, Array]):
    """A mapping from parameter names to arrays (rows, *shape): a row for each cost (or each example).

    Args:
        net: The network.
        parameters: Its parameters; R's gradients come from them.
        backward: What the backward pass left; or nothing where ``arrays`` has all.
        arrays: Gradients that are there already.
    """

    def __init__(
        self,
        net: Layered,
        parameters: Mapping[str, Array],
        backward: Any,
        arrays: dict[str, Array] | None = None,
    ) -> None:
        self._net = net
        self._parameters = parameters
        self._pass = backward
        self._arrays: dict[str, Array] = arrays if arrays is not None else {}
        self._inners: dict[int, Array] = {}

    @property
    def _backward(self) -> Backward:
        if callable(self._pass):
            self._pass = self._pass()
        made: Backward = self._pass
        return made

    def __iter__(self) -> Iterator[str]:
        return iter(self._net.shapes)

    def __len__(self) -> int:
        return len(self._net.shapes)

    def __getitem__(self, name: str) -> Array:
        made = self._arrays.get(name) if isinstance(name, str) else None
        if made is None:
            made = self._arrays[name] = self._made(self._known(name))
        return made

    def _known(self, name: str) -> str:
        if not isinstance(name, str) or name not in self._net.shapes:
            raise QuantityError(
                f"gradients: expected a parameter of this network ({', '.join(self._net.shapes)}), found {name!r}"
            )
        return name

    def _diagonal(self, layer: int) -> bool:
        """Whether the layer's delta is the diagonal of e: cost k changes with output k alone."""
        return layer > len(self._backward.deltas)

    def _delta(self, layer: int) -> Array:
        """Returns the delta of a layer with a row for each cost: (examples, rows, neurons)."""
        done = self._backward
        if self._diagonal(layer):
            examples, outputs = done.e.shape
            made = np.zeros((examples, outputs, outputs), dtype=done.e.dtype)
            made[:, np.arange(outputs), np.arange(outputs)] = done.e
            return made
        return self._by_costs(layer, done.deltas[layer - 1])

    def _by_costs(self, layer: int, delta: Array | None) -> Array:
        """Returns what has the rows of a layer's delta with a row for each cost."""
        done = self._backward
        first, narrow = done.plan.first, done.plan.narrow
        if first is not None and layer == first and delta is None:
            made: Array = done.e[:, :, None] * done.W
            return made if done.slope is None else np.multiply(made, done.slope[:, None, :], out=made)
        if first is not None and narrow is not None and narrow < layer < first:
            return by_costs(delta, done.e, done.W, done.slope)
        if narrow is not None and layer < narrow:
            factor = done.deltas[narrow - 1]
            assert factor is not None
            return factor @ delta
        return delta

    def _single(self, layer: int) -> Array:
        """Returns the delta of a layer with a row for each example, which is zero for all other examples."""
        delta = self._delta(layer)[:, 0]
        every = np.arange(len(delta))
        made = np.zeros((len(delta), *delta.shape), dtype=delta.dtype)
        made[every, every] = delta
        return made

    def deltas(self, layer: int) -> Array:
        """Returns every cost's derivative by a layer's pre-activations: (examples, costs, neurons)."""
        return self._delta(layer)

    def sent_back(self, layer: int, W: Array) -> Array:
        """Returns every cost's derivative by the activations below a layer: (examples, costs, neurons below).

        Where the rows are those of a narrow layer, they go down first and are multiplied with its factor last.
        """
        done = self._backward
        if self._diagonal(layer):
            return done.e[:, :, None] * W
        own = done.deltas[layer - 1]
        if own is None:
            own = self._delta(layer)
            return (own.reshape(-1, own.shape[2]) @ W).reshape(*own.shape[:2], -1)
        below = (own.reshape(-1, own.shape[2]) @ W).reshape(*own.shape[:2], -1)
        return self._by_costs(layer, below)

    def _made(self, name: str) -> Array:
        layer = int(name[1:])
        done = self._backward
        inputs = done.inputs[layer - 1]
        if self._per_example:
            delta = self._delta(layer)[:, 0, :]
            made = delta[:, :, None] * inputs[:, None, :] if name[0] == "W" else delta.copy()
        elif self._diagonal(layer):
            outputs = done.e.shape[1]
            made = np.zeros((outputs, *self._net.shapes[name]), dtype=done.e.dtype)
            places = np.arange(outputs)
            made[places, places] = done.e.T @ inputs if name[0] == "W" else done.e.sum(axis=0)
        else:
            delta = self._delta(layer)
            if name[0] == "W":
                examples, rows, above = delta.shape
                made = (delta.reshape(examples, rows * above).T @ inputs).reshape(rows, above, -1)
            else:
                made = delta.sum(axis=0)
        regular = self._regular(name)
        return made if regular is None else np.concatenate([made, regular[None]])

    def _regular(self, name: str) -> Array | None:
        """Returns R's gradient by a parameter, or nothing where there is no R."""
        if not self._net.l2:
            return None
        value = self._parameters[name]
        return self._net.l2 * value if name[0] == "W" else np.zeros_like(value)

    @property
    def _per_example(self) -> bool:
        return self._backward.rows == 0

    @property
    def total(self) -> dict[str, Array]:
        """The gradient of the sum of all rows by each parameter: name -> array of the parameter's shape."""
        return {name: self[name].sum(axis=0) for name in self}

    @property
    def factors(self) -> dict[str, Factors]:
        """Each weight matrix's gradients as factors, without forming them (R's rows are not among them)."""
        done = self._backward
        made = {}
        for layer in range(1, self._net.depth + 1):
            make = partial(self._single, layer) if self._per_example else partial(self._delta, layer)
            made[f"W{layer}"] = Factors(done.inputs[layer - 1], make)
        return made

    def gramian(self, parameter: str | None = None) -> Array:
        """Returns J Jᵀ (rows, rows): the inner products of the rows' gradients, without forming the gradients.

        Args:
            parameter: One parameter's share; the sum over all where there is none.

        Example:
            >>> import whygrad as wg
            >>> gradients = wg.Network([2, 3, 2], seed=1).run([0.5, -1.0], [1.0, 0.0]).gradients()
            >>> J = np.concatenate([gradients[name].reshape(2, -1) for name in gradients], axis=1)
            >>> bool(np.allclose(gradients.gramian(), J @ J.T))
            True
        """
        if parameter is not None:
            return self._gramian_of(self._known(parameter))
        # Into one array, a layer at a time: all layers' Gramians at once would be most of the memory.
        result: Array | None = None
        for layer in range(1, self._net.depth + 1):
            share = self._layer_gramian(layer, weights=True, bias=self._net.bias)
            result = share if result is None else np.add(result, share, out=result)
        return result

    def _gramian_of(self, parameter: str) -> Array:
        return self._layer_gramian(int(parameter[1:]), weights=parameter[0] == "W", bias=parameter[0] == "b")

    def _layer_gramian(self, layer: int, weights: bool, bias: bool) -> Array:
        done = self._backward
        inputs = done.inputs[layer - 1]
        if self._per_example:
            made = self._inner(layer, keep=weights != bias)
            if weights:
                similar = inputs @ inputs.T
                if bias:
                    similar += 1
                made = np.multiply(made, similar, out=similar)
            else:
                made = made.copy()  # the kept one is nobody's to change
        elif self._diagonal(layer):
            squares = (
                ((done.e.T @ inputs) ** 2).sum(axis=1) if weights else np.zeros(done.e.shape[1], done.e.dtype)
            )
            made = np.diag(squares + (done.e.sum(axis=0) ** 2 if bias else 0))
        else:
            delta = self._delta(layer)
            made = (
                _weights_gramian(delta, inputs) if weights else np.zeros((delta.shape[1],) * 2, delta.dtype)
            )
            if bias:
                sums = delta.sum(axis=0)
                made += sums @ sums.T
        return self._with_regular(made, layer, weights)

    def _inner(self, layer: int, keep: bool) -> Array:
        """Returns the inner products of the examples' deltas, kept where a weight's and a bias's Gramian share them."""
        made = self._inners.get(layer)
        if made is None:
            delta = self._delta(layer)[:, 0, :]
            made = delta @ delta.T
            if keep:
                self._inners[layer] = made
        return made

    def _with_regular(self, made: Array, layer: int, weights: bool) -> Array:
        if not self._net.l2:
            return made
        rows = len(made)
        full = np.zeros((rows + 1, rows + 1), dtype=made.dtype)
        full[:rows, :rows] = made
        if weights:
            regular = self._net.l2 * self._parameters[f"W{layer}"]
            crossed = np.einsum("rij,ij->r", self[f"W{layer}"][:rows], regular)
            full[rows, :rows] = full[:rows, rows] = crossed
            full[rows, rows] = (regular**2).sum()
        return full

    def norms(self) -> dict[str, Array]:
        """Returns the Euclidean norm of each row's gradient by each parameter: name -> (rows,)."""
        return {name: np.sqrt(np.maximum(self._squares(name), 0)) for name in self}

    def _squares(self, name: str) -> Array:
        """Returns each row's squared norm."""
        if not self._per_example or self._net.l2:
            return np.diag(self._gramian_of(name))
        layer = int(name[1:])
        squares = (self._delta(layer)[:, 0, :] ** 2).sum(axis=1)
        return squares * (self._backward.inputs[layer - 1] ** 2).sum(axis=1) if name[0] == "W" else squares

    def cosines(self, parameter: str | None = None) -> Array:
        """Returns the cosines between the rows' gradients, (rows, rows); NaN where one of them is zero.

        Args:
            parameter: One parameter's; over all of them where there is none.
        """
        return cosines_of(self.gramian(parameter))

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name}: {shape}" for name, shape in self._net.shapes.items())
        return f"Gradients({shapes})"


def cosines_of(gramian: Array) -> Array:
    """Returns the cosines that belong to a Gramian (…, n, n); NaN where a norm is zero."""
    norms = np.sqrt(np.maximum(np.einsum("...ii->...i", gramian), 0.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip(gramian / norms[..., :, None] / norms[..., None, :], -1.0, 1.0)


def _weights_gramian(delta: Array, inputs: Array) -> Array:
    """Returns the (rows, rows) Gramian of deltaᵀ inputs, in the cheaper of two orders.

    Not forming the gradients costs about m²(i + r o) products, forming them m r o i + r² o i, for m examples, r rows,
    i inputs and o outputs of the layer.
    """
    examples, rows, above = delta.shape
    below = inputs.shape[1]
    unformed = examples * examples * (below + rows * above) + examples * rows * rows * above
    formed = examples * rows * above * below + rows * rows * above * below
    flat = delta.reshape(examples, rows * above)
    if unformed <= formed:
        mixed = ((inputs @ inputs.T) @ flat).reshape(examples, rows, above)
        return np.matmul(delta, mixed.transpose(0, 2, 1)).sum(axis=0)
    gradients = (flat.T @ inputs).reshape(rows, above * below)
    return gradients @ gradients.T
