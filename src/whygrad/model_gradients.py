"""The gradients of every cost by every parameter of a recorded model, factored where a product allows it.

A weight that enters one matrix product has cost k's gradient D_kᵀ A, with the cotangents D_k and the inputs A. Inner
products of such gradients need no gradient:

    <D_kᵀ A, D_lᵀ A> = sum over rows m, n of (A Aᵀ)[m, n] (D_k[m] · D_l[n])

Which form is cheaper hangs on the sizes, and is counted for each parameter.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple, overload

import numpy as np

from whygrad.arrays import Array, beside, cast, in_numpy, in_range, inner_products, unrounded
from whygrad.errors import NotSupportedError, QuantityError, near, some
from whygrad.passing_sweep import PassingSweep
from whygrad.per_example import PerExample
from whygrad.structures import Affine, Contraction, Convolution, room
from whygrad.structures.pieces import slices
from whygrad.sweep import Sweep, Sweeps


class Factored(NamedTuple):
    """A weight's per-cost gradients as a product, summed over rows: cotangent (costs, rows, out), input (rows, in).

    ``turned`` weights are (in, out) in memory. A convolution's weight is (out, in) with its channels in and its kernel
    as one axis; its rows are all places of all examples.
    """

    cotangent: Array
    input: Array
    turned: bool


class ModelGradients(Mapping[str, Array]):
    """A mapping from parameter names to arrays (costs, *shape), made when they are asked for.

    A tied parameter is listed once, and found by each of its names. With the gradients g_k of the costs k, the Gramian
    has g_k · g_l, the norms its diagonal's square roots, and the cosines g_k · g_l / (|g_k| |g_l|): below 0 two costs
    pull against each other, and with a small step down the one the other gets worse.

    Example:
        >>> import whygrad as wg
        >>> from whygrad.report.example import two_losses
        >>> gradients = wg.record(*two_losses()).gradients()
        >>> gradients["side.weight"].shape, gradients.norms()["side.weight"].shape, gradients.gramian("trunk").shape
        (torch.Size([2, 2, 24]), torch.Size([2]), torch.Size([2, 2]))
        >>> gradients.total["side.weight"].shape, list(gradients.factors)[:2]    # weights that enter one product
        (torch.Size([2, 24]), ['trunk.0.weight', 'trunk.2.weight'])
    """

    def __init__(
        self,
        sweeps: Sweeps,
        nodes: Mapping[str, int],
        aliases: Mapping[str, str],
        frozen: Collection[str] = (),
    ) -> None:
        self._graph = sweeps.graph
        self._sweeps = sweeps
        self._nodes = nodes
        self._aliases = aliases
        self._frozen = frozen
        self._arrays: dict[str, Array] = {}
        self._squares: dict[str, Array] = {}
        self._sizes: dict[str, Array] = {}

    @property
    def _sweep(self) -> Sweep:
        return self._sweeps["gradient"]

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def __getitem__(self, name: str) -> Array:
        name = self._known(name)
        if name not in self._arrays:
            with unrounded(self._graph.xp):
                self._arrays[name] = self._made(name)
        return self._arrays[name]

    def _made(self, name: str) -> Array:
        node = self._nodes[name]
        if self._examples is not None:
            return self._examples.gradient(node)
        if self._small:
            return self._formed[name]
        xp, dtype = self._graph.xp, self._graph.nodes[node].value.dtype
        pieces = [self._sweep.read(piece) for piece in self._sweep.pieces(node)]
        if len(pieces) > 1:  # which nobody has kept
            return cast(xp.concat(pieces, axis=1), dtype)
        return xp.astype(self._sweep.values(node), dtype)

    def _pieces(self, name: str) -> Iterator[Array]:
        """Yields the gradients by a parameter, (costs, weights), some weights after the others."""
        graph, node = self._graph, self._nodes[name]
        rows = len(graph.costs)
        if self._examples is not None or name in self._arrays or self._small:
            flat = self[name].reshape((rows, -1))
            yield from (flat[:, some] for some in slices((flat.shape[1],)))
            return
        for piece in self._sweep.pieces(node):
            values = cast(self._sweep.read(piece), graph.nodes[node].value.dtype)
            yield values.reshape((rows, -1))

    @property
    def _small(self) -> bool:
        """Whether all gradients take less memory than the cotangents that they are made of, and these aren't kept."""
        swept = "gradient" in self._sweeps
        return not swept and not self._graph.examples and self._parameters < self._between

    @cached_property
    def _parameters(self) -> int:
        """How many entries the parameters have."""
        return sum(map(self._graph.size, set(self._nodes.values())))

    @cached_property
    def _between(self) -> int:
        """How many entries there are from the parameters to the costs: a cotangent each."""
        graph = self._graph
        before = graph.leading_to(cost.node for cost in graph.costs)
        # products read through a transposed weight, which has none
        return sum(graph.size(number) for number in before if graph.nodes[number].op is not None)

    @cached_property
    def _formed(self) -> dict[str, Array]:
        """All gradients, from a sweep that keeps nothing else."""
        graph = self._graph
        widest = max((graph.nodes[cost.node].value for cost in graph.costs), key=lambda value: value.itemsize)
        sweep = PassingSweep(graph, "gradient", set(self._nodes.values()), room(widest))
        return {
            name: graph.xp.astype(sweep.values(node), graph.nodes[node].value.dtype)
            for name, node in self._nodes.items()
        }

    @cached_property
    def _examples(self) -> PerExample | None:
        """The sweep that keeps examples apart by themselves, where there is a cost for each example."""
        return PerExample.of(self._graph)

    @property
    def total(self) -> dict[str, Array]:
        """The gradient of the sum of all costs by each parameter."""
        return {name: self._sweep.joined(node) for name, node in self._nodes.items()}

    @property
    def factors(self) -> Mapping[str, Factored]:
        """The weights that enter one matrix product or one convolution, with their gradients' factors.

        A convolution's are made when they are asked for: its input are the windows of all places, which take as many
        times the memory as the kernel has entries. Those of groups, and transposed ones, aren't one product.
        """
        windows = {name: use for name, use in self._used_once.items() if self._is_convolved(*use)}
        return _Factors(self._nodes, self._products, windows, self._convolved)

    @cached_property
    def _used_once(self) -> dict[str, tuple[int, int]]:
        """The parameters that lead to the costs by one use, and which."""
        users = self._graph.users()
        found = {}
        for name, node in self._nodes.items():
            # a transposition that products read through has no cotangent
            live = [use for use in users[node] if self._sweep.cotangent(use[0]) is not None]
            if len(live) == 1:
                found[name] = live[0]
        return found

    @cached_property
    def _products(self) -> dict[str, Factored]:
        """The parameters that enter one matrix product, with their gradients' factors."""
        made = {name: self._factored(*use) for name, use in self._used_once.items()}
        return {name: factored for name, factored in made.items() if factored is not None}

    def _is_convolved(self, user: int, which: int) -> bool:
        structure, above = self._graph.structure(user), self._sweep.cotangent(user)
        product = structure.product if isinstance(structure, Affine) else structure
        if not isinstance(product, Convolution) or which != 1 or above is None or above.exponent:
            return False
        local = self._graph.local(user)
        return product.is_one_product(local) and len(above.rows) == len(self._graph.costs)

    def _convolved(self, user: int, which: int) -> Factored:
        """Returns the factors of a weight's gradients where it is convolved with something."""
        structure, above = self._graph.structure(user), self._sweep.cotangent(user)
        product = structure.product if isinstance(structure, Affine) else structure
        assert isinstance(product, Convolution)
        assert above is not None
        local = self._graph.local(user)
        (part,) = above.parts
        axes = 1 + len(local.output.shape)
        part = self._graph.xp.permute_dims(part, (0, 1, *range(3, axes), 2))
        rows = product.windows_as_rows(local._replace(inputs=local.inputs[:2]))
        return Factored(part.reshape((part.shape[0], -1, part.shape[-1])), rows, turned=False)

    def _factored(self, user: int, which: int) -> Factored | None:
        made, structure = self._graph.nodes[user], self._graph.structure(user)
        product = structure.product if isinstance(structure, Affine) else structure
        above = self._sweep.cotangent(user)
        if not isinstance(product, Contraction) or which > 1 or above is None or above.exponent:
            return None
        labels = product.labels
        mine, other, out = labels[which], labels[1 - which], labels[2]
        rows = [label for label in other if label in out and label not in mine]
        shared = [label for label in mine if label in other and label not in out]
        own = [label for label in mine if label in out and label not in other]
        if len(mine) != 2 or len(shared) != 1 or len(own) != 1 or len(above.rows) != len(self._graph.costs):
            return None
        xp = self._graph.xp
        x = self._graph.nodes[made.inputs[1 - which]].value
        x = xp.permute_dims(x, tuple(other.index(label) for label in (*rows, *shared)))
        (part,) = above.parts
        part = xp.permute_dims(part, (0, *(1 + out.index(label) for label in (*rows, *own))))
        return Factored(
            part.reshape((part.shape[0], -1, part.shape[-1])),
            x.reshape((-1, x.shape[-1])),
            turned=mine.index(own[0]) == 1,
        )

    # Inner products

    def _chosen(self, of: str | None) -> list[str]:
        """Returns the parameters that a name stands for: one, all in a module, or all."""
        if not self._nodes:
            raise NotSupportedError(
                "gradients: the model has no parameters that are trained\n"
                "expected: a model with parameters that require gradients\n"
                "try:      model.requires_grad_(True), or record the model that is trained"
            )
        if of is None or of == "":
            return list(self._nodes)
        of = self._first(of)
        if of in self._nodes:
            return [of]
        held = {name: name for name in self._nodes} | dict(self._aliases)
        inside = list(dict.fromkeys(first for name, first in held.items() if name.startswith(f"{of}.")))
        if not inside:
            raise self._unknown("a parameter or a module", of)
        return inside

    def _known(self, name: str) -> str:
        """Returns the name under which a parameter is listed."""
        name = self._first(name)
        if name not in self._nodes:
            raise self._unknown("a parameter", name)
        return name

    def _first(self, name: str) -> str:
        """Returns the name under which a tied parameter is listed; other names as they are."""
        if not isinstance(name, str):
            raise self._unknown("the name of a parameter", name)
        return self._aliases.get(name, name)

    def _unknown(self, what: str, found: Any) -> QuantityError:
        """Returns the error for a name that no parameter has, or one that isn't trained."""
        if found in self._frozen:
            return QuantityError(
                f"gradients: expected {what} that is trained, found {found!r}, which is frozen "
                "(requires_grad is False)\n"
                f"try:      rec.gradient({found!r}), the derivative by it all the same"
            )
        known = [*self._nodes, *self._aliases]
        parts = [name.split(".") for name in known]
        modules = {".".join(path[:end]) for path in parts for end in range(1, len(path))}
        return QuantityError(
            f"gradients: expected {what} of this model (such as {some(known, 4)}), found {found!r}"
            f"{near(found, [*known, *sorted(modules)] if 'module' in what else known)}"
        )

    def gramian(self, of: str | None = None) -> Array:
        """Returns the inner products of the costs' gradients, (costs, costs).

        They are in the gradients' precision, in single where that is half; and in double where squares would leave its
        range (norms beyond 1e18 or below 1e-15).

        Args:
            of: A parameter, or a module for all parameters in it; all of the model where there is nothing.
        """
        made = None
        for name in self._chosen(of):
            if name not in self._squares:
                with unrounded(self._graph.xp):
                    self._squares[name] = self._gramian_of(name)
            squares = self._squares[name]
            made = squares if made is None else made + beside(squares, made)
        return made

    def _gramian_of(self, name: str) -> Array:
        xp, examples = self._graph.xp, self._examples
        made: Array | None = None

        def there() -> Array:
            if examples is not None:
                return examples.carried(self._nodes[name])
            return xp.any(self._products[name].cotangent != 0, axis=(1, 2))

        if examples is not None:
            made = examples.gramian(self._nodes[name])
        elif name not in self._arrays and not self._cheap:
            factors = self._products.get(name)
            if factors is not None and factors.cotangent.itemsize >= 4:
                made = _unformed(factors)
        if made is not None and in_range(made, xp, there):
            return made
        return self._looked_through(name)[0]

    def absolute(self, name: str) -> Array:
        """Returns the sum of the absolute derivatives of each cost by a parameter, (costs,), in double precision.

        No more than some of the gradients are in memory at a time, as long as nobody has asked for the arrays.

        Raises:
            QuantityError: There is no such parameter.
        """
        name = self._known(name)
        if name not in self._sizes:
            with unrounded(self._graph.xp):
                if self._examples is not None:
                    self._sizes[name] = sum(map(_sizes, self._pieces(name)))
                else:
                    self._squares[name], self._sizes[name] = self._looked_through(name)
        return self._sizes[name]

    def _looked_through(self, name: str) -> tuple[Array, Array]:
        """Returns the inner products and the sums of sizes of the gradients by a parameter, from themselves."""
        xp, value, rows = self._graph.xp, self._graph.nodes[self._nodes[name]].value, len(self._graph.costs)
        squares, sizes = np.zeros((rows, rows)), np.zeros(rows)
        for piece in self._pieces(name):
            squares += in_numpy(inner_products(piece, xp))
            sizes += _sizes(piece)
        wide = xp.float64 if value.dtype == xp.float64 else xp.float32
        made = xp.asarray(squares, dtype=wide, device=value.device)
        fits = in_range(made, xp, lambda: xp.asarray(sizes != 0, device=value.device))
        return made if fits else xp.asarray(squares, dtype=xp.float64, device=value.device), sizes

    @property
    def _cheap(self) -> bool:
        """Whether forming gradients costs next to nothing, while their factors would keep every cotangent."""
        return self._small and self._parameters * 8 < self._between

    @overload
    def norms(self, of: None = None) -> dict[str, Array]: ...

    @overload
    def norms(self, of: str) -> Array: ...

    def norms(self, of: str | None = None) -> Array | dict[str, Array]:
        """Returns the Euclidean norm of each cost's gradient, (costs,): by each parameter, name -> (costs,), or by one.

        Args:
            of: A parameter, or a module for all parameters in it together (``""`` for the model); each parameter by
                itself where there is nothing.

        Raises:
            QuantityError: There is no such parameter or module.
        """
        if of is None:
            return {name: self.norms(name) for name in self._nodes}
        xp = self._graph.xp
        return xp.sqrt(xp.clip(self.gramian(of).diagonal(), 0, None))

    def cosines(self, of: str | None = None) -> Array:
        """Returns the cosines between the costs' gradients, (costs, costs); NaN where one of them is zero.

        Args:
            of: A parameter, or a module for all parameters in it; all of the model where there is nothing.

        Raises:
            QuantityError: There is no such parameter or module.
            NotSupportedError: No parameter is trained.
        """
        xp = self._graph.xp
        gramian, norms = self.gramian(of), self.norms(of or "")
        apart = norms[:, None] * norms[None, :]
        none = xp.full_like(apart, float("nan"))
        return xp.where(apart > 0, xp.clip(gramian / xp.where(apart > 0, apart, 1), -1, 1), none)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self._nodes)

    def __repr__(self) -> str:
        shapes = (
            f"{name}: {tuple(self._graph.nodes[node].value.shape)}" for name, node in self._nodes.items()
        )
        return f"Gradients({some(shapes)}; costs {some(self._graph.cost_names)})"


class _Factors(Mapping[str, Factored]):
    """The factors by name: those of products, which are there, and those of convolutions, which are made."""

    def __init__(
        self,
        names: Iterable[str],
        products: Mapping[str, Factored],
        convolved: Mapping[str, tuple[int, int]],
        made: Callable[[int, int], Factored],
    ) -> None:
        self._names = [name for name in names if name in products or name in convolved]
        self._products, self._convolved, self._made = products, convolved, made

    def __getitem__(self, name: str) -> Factored:
        if name in self._convolved:
            return self._made(*self._convolved[name])
        return self._products[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"Factors({some(self._names)})"


def _sizes(rows: Array) -> Array:
    """Returns the sum of the absolute entries of each row, in double precision."""
    return np.abs(in_numpy(rows)).sum(axis=1, dtype=np.float64)


def _unformed(factors: Factored) -> Array | None:
    """Returns the Gramian from the factors where that takes fewer products than forming the gradients."""
    costs, rows, out = factors.cotangent.shape
    below = factors.input.shape[1]
    unformed = rows * rows * (below + costs * out) + rows * costs * costs * out
    formed = rows * costs * out * below + costs * costs * out * below
    if unformed > formed:
        return None
    similar = factors.input @ factors.input.T
    flat = factors.cotangent.reshape((costs, rows * out))
    mixed = (similar @ factors.cotangent).reshape((costs, rows * out))
    return flat @ mixed.T
