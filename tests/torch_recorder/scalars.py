"""An oracle: a recorded graph as single scalars, and every path followed one by one.

Of the graph only the list of nodes is taken: which operation of which inputs, with which settings, and the values. The
partials are PyTorch's: each node is computed again by a PyTorch function (:data:`CALLS`), which must give the recorded
value, and autograd says its Jacobian. An edge exists where a partial is nonzero for these inputs or for others that
are drawn: so zeros of a relu, of a mask that is multiplied with, or of a factor that is 0 now are edges, though dead.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Scalar = tuple[int, int]  # a node's number, and the flat position in its value
Call = Callable[..., Tensor]


class Edge(NamedTuple):
    to: Scalar
    which: int  # of the node's inputs
    partial: float


class Contributions(NamedTuple):
    """The product of the partials along each path from a scalar, whether all are nonzero, how many steps are marked."""

    products: np.ndarray
    live: np.ndarray
    marks: np.ndarray


def _axes(settings: Mapping[str, Any], x: Tensor) -> tuple[int, ...]:
    axis = settings.get("axis")
    given = range(x.dim()) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return tuple(one % x.dim() for one in given)


def _last(x: Tensor, axes: Sequence[int], run: Call) -> Tensor:
    """Returns what a function of the last axes makes, where these axes are moved there and back."""
    at = tuple(range(-len(axes), 0))
    return run(x.movedim(tuple(axes), at)).movedim(at, tuple(axes))


def _normalised(x: Tensor, s: Any) -> Tensor:
    axes = _axes(s, x)
    return _last(x, axes, lambda m: F.layer_norm(m, m.shape[m.dim() - len(axes) :], eps=s["eps"]))


def _rms_normalised(x: Tensor, s: Any) -> Tensor:
    axes = _axes(s, x)
    return _last(x, axes, lambda m: F.rms_norm(m, m.shape[m.dim() - len(axes) :], eps=s["eps"]))


# By the names of the table, with the settings last; what isn't here is torch's or torch.nn.functional's own name.
CALLS: dict[str, Call] = {
    "power": lambda x, s: x ** s["p"],
    "identity": lambda x, s: x.clone(),
    "sum": lambda x, s: x.sum(_axes(s, x)) if x.dim() else x.clone(),
    "mean": lambda x, s: x.mean(_axes(s, x)) if x.dim() else x.clone(),
    "var": lambda x, s: x.var(_axes(s, x), correction=s["correction"]),
    "std": lambda x, s: x.std(_axes(s, x), correction=s["correction"]),
    "norm": lambda x, s: torch.linalg.vector_norm(x, s["p"], _axes(s, x)),
    "logsumexp": lambda x, s: x.logsumexp(_axes(s, x)),
    "amax": lambda x, s: x.amax(_axes(s, x)),
    "amin": lambda x, s: x.amin(_axes(s, x)),
    "prod": lambda x, s: x.prod(_axes(s, x)[0]) if len(_axes(s, x)) == 1 else x.prod(),
    "hardtanh": lambda x, s: F.hardtanh(x, s["low"], s["high"]),
    "leaky_relu": lambda x, s: F.leaky_relu(x, s["slope"]),
    "softplus_scaled": lambda x, s: F.softplus(x, s["beta"], s["threshold"]),
    "gelu_tanh": lambda x, s: F.gelu(x, approximate="tanh"),
    "clamp": lambda x, s: x.clamp(s["low"], s["high"]),
    "softmax": lambda x, s: F.softmax(x, s["axis"]),
    "log_softmax": lambda x, s: F.log_softmax(x, s["axis"]),
    "add_scaled": lambda a, b, s: torch.add(a, b, alpha=s["alpha"]),
    "sub_scaled": lambda a, b, s: torch.sub(a, b, alpha=s["alpha"]),
    "rsub": lambda a, b, s: torch.rsub(a, b, alpha=s["alpha"]),
    "addcmul": lambda a, b, c, s: torch.addcmul(a, b, c, value=s["value"]),
    "squared_error": lambda a, t, s: F.mse_loss(a, t, reduction="none"),
    "absolute_error": lambda a, t, s: F.l1_loss(a, t, reduction="none"),
    "smooth_l1": lambda a, t, s: F.smooth_l1_loss(a, t, reduction="none", beta=s["beta"]),
    "huber": lambda a, t, s: F.huber_loss(a, t, reduction="none", delta=s["delta"]),
    "clamped_binary_cross_entropy": lambda a, t, s: F.binary_cross_entropy(a, t, reduction="none"),
    "binary_cross_entropy_with_logits": lambda a, t, s: F.binary_cross_entropy_with_logits(
        a, t, reduction="none"
    ),
    "kl_divergence": lambda a, t, s: F.kl_div(a, t, reduction="none"),
    "softmax_cross_entropy": lambda x, t, s: -(t * F.log_softmax(x, s["axis"][0])).sum(s["axis"]),
    "nll": lambda x, t, s: -(t * x).sum(s["axis"]),
    "normalise": _normalised,
    "rms_normalise": _rms_normalised,
    "prelu": lambda x, w, s: torch.where(x > 0, x, w * x),
}

# Functions of whole matrices
MATRICES: dict[str, Call] = {
    "inverse": torch.linalg.inv,
    "solve": torch.linalg.solve,
    "slogdet": lambda x: torch.linalg.slogdet(x)[1],
}

ENTRY_BY_ENTRY = ("Elementwise", "Reduction", "DenseAlongAxis")
# Their partials are the same for all inputs.
FIXED = ("Selection", "Deposit", "PerAxis", "Fourier")
DRAWS = 30


def call_of(node: Any) -> Call:
    """Returns the PyTorch function of a node's inputs that a node is."""
    structure, settings = node.op.structure, node.settings
    kind = type(structure).__name__
    if kind in ENTRY_BY_ENTRY:
        name = node.op.name
        run = CALLS.get(name)
        if run is None:
            plain = getattr(torch, name, None) or getattr(F, name)

            def run(*x: Any) -> Any:
                return plain(*x[:-1], **x[-1])

        # An elementwise operation of the same array twice is noted with the array once.
        twice = len(node.inputs) == 1 and name in ("add", "sub", "mul", "div", "maximum", "minimum")
        return (lambda x: run(x, x, settings)) if twice else (lambda *x: run(*x, settings))
    if kind == "MatrixFunction":
        # the operation itself, where it isn't a plain function of its inputs
        return MATRICES.get(node.op.name) or (lambda *x: structure.value(x, settings, torch))
    if kind == "Contraction":
        return _einsum(structure.labels)
    if kind == "Convolution":
        return lambda x, w: _convolved(x, w, settings)
    if kind == "Affine":
        inner = structure.product
        if type(inner).__name__ == "Convolution":
            return lambda x, w, b: _convolved(x, w, settings) + b.reshape(-1, *(1,) * (-1 - structure.axis))
        product = _einsum(inner.labels)
        return lambda x, w, b: product(x, w) + b
    if kind == "PerAxis":
        return lambda x: _along_axes(x, settings["matrices"])
    if kind == "PairProduct":
        return _of_complex(torch.mul)
    if kind == "PairContraction":
        return _of_complex(_einsum(structure.product.labels))
    if kind == "Fourier":
        return _waves(structure.waves, structure.axis)
    assert kind in FIXED, kind
    if kind == "Deposit":
        targets = structure.targets.reshape(-1)
        return lambda base, x: base.flatten().index_add(0, targets, x.flatten()).reshape(base.shape)
    return lambda *x: structure.select(*x, **settings)


def _einsum(labels: Sequence[Sequence[str]]) -> Call:
    letters = {label: chr(97 + place) for place, label in enumerate(dict.fromkeys(sum(labels, ())))}
    a, b, out = ("".join(letters[label] for label in side) for side in labels)
    return lambda x, y: torch.einsum(f"{a},{b}->{out}", x, y)


def _convolved(x: Tensor, w: Tensor, s: Mapping[str, Any]) -> Tensor:
    return torch.convolution(
        x,
        w,
        None,
        s["stride"],
        s["padding"],
        s["dilation"],
        s["transposed"],
        s["output_padding"],
        s["groups"],
    )


def _along_axes(x: Tensor, matrices: Mapping[int, Any]) -> Tensor:
    for axis, matrix in matrices.items():
        x = (x.movedim(axis, -1) @ torch.as_tensor(matrix).T).movedim(-1, axis)
    return x


def _of_complex(run: Call) -> Call:
    return lambda *pairs: torch.view_as_real(run(*map(torch.view_as_complex, pairs)))


def _waves(waves: Any, axis: int) -> Call:
    """Returns a Fourier transform by its definition, of real and imaginary parts; sines of half turns are 0."""
    angle = 2 * torch.pi / waves.size * torch.outer(torch.arange(waves.frequencies), torch.arange(waves.size))
    cosine, sine = ((part * waves.scale).where(part.abs() > 1e-9, 0.0) for part in (angle.cos(), angle.sin()))
    sine = sine if waves.backwards else -sine
    if waves.kind == "c2r":  # the half that is left out is the conjugate of the other
        doubled = torch.full((waves.frequencies, 1), 2.0)
        doubled[0] = 1.0
        doubled[-1] = 1.0 if waves.size % 2 == 0 else 2.0
        cosine, sine = cosine * doubled, sine * doubled

    def along(x: Tensor, matrix: Tensor) -> Tensor:
        turned = matrix if waves.kind == "c2r" else matrix.T
        return (x.movedim(axis, -1) @ turned).movedim(-1, axis)

    def run(x: Tensor) -> Tensor:
        if waves.kind == "r2c":
            return torch.stack([along(x, cosine), along(x, sine)], -1)
        real, imaginary = x.unbind(-1)
        first = along(real, cosine) - along(imaginary, sine)
        if waves.kind == "c2r":
            return first
        return torch.stack([first, along(real, sine) + along(imaginary, cosine)], -1)

    return run


def jacobians(run: Call, inputs: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Returns the value, and for each input the matrix (output entries, input entries) of its partials."""
    with torch.enable_grad():
        asked = [x.detach().clone().requires_grad_() for x in inputs]
        out = run(*asked)
        if not out.requires_grad:
            return out, [torch.zeros(out.numel(), x.numel()) for x in asked]
        rows = torch.eye(out.numel()).reshape(-1, *out.shape)
        made = torch.autograd.grad(
            out, asked, rows, is_grads_batched=True, allow_unused=True, materialize_grads=True
        )
    return out.detach(), [part.reshape(out.numel(), -1) for part in made]


def unit_responses(run: Call, inputs: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Returns the same for a linear function that autograd has no derivative of (``aten.copy``)."""
    made = []
    for which, x in enumerate(inputs):
        units = torch.eye(x.numel()).reshape(-1, *x.shape)
        others = [torch.zeros_like(other) for other in inputs]
        columns = [run(*others[:which], unit, *others[which + 1 :]).reshape(-1) for unit in units]
        made.append(torch.stack(columns, 1))
    return run(*inputs), made


class Scalars:
    """A recorded graph as edges between scalars."""

    def __init__(self, graph: Any, marked: frozenset[tuple[int, int]] = frozenset()) -> None:
        self.graph = graph
        self.marked = marked  # (node, which of its inputs): steps to count
        self._drawn: dict[Any, list[Tensor]] = {}
        self._found: dict[tuple[Scalar, int], Contributions] = {}

    @cached_property
    def matrices(self) -> dict[int, tuple[list[Tensor], list[Tensor]]]:
        """For each node, and each of its inputs, the matrix of partials, and which of them there are."""
        needed = {cost.node for cost in self.graph.costs}
        for number in range(len(self.graph.nodes) - 1, -1, -1):
            if number in needed:
                needed.update(self.graph.nodes[number].inputs)
        made: dict[int, tuple[list[Tensor], list[Tensor]]] = {}
        for number in sorted(needed):
            node = self.graph.nodes[number]
            if node.op is None:
                continue
            values = [self.graph.nodes[source].value for source in node.inputs]
            run = call_of(node)
            out, partials = unit_responses(run, values) if node.op.name == "copy" else jacobians(run, values)
            there = self._existing(node, run, values, partials)
            self._check(node, out, there)
            made[number] = partials, there
        return made

    @cached_property
    def edges(self) -> dict[Scalar, list[Edge]]:
        """From each scalar to what is made of it."""
        made: dict[Scalar, list[Edge]] = {}
        for number, (partials, there) in self.matrices.items():
            for which, source in enumerate(self.graph.nodes[number].inputs):
                for to, at in there[which].nonzero().tolist():
                    partial = float(partials[which][to, at])
                    made.setdefault((source, at), []).append(Edge((number, to), which, partial))
        return made

    def by_steps(self, row: int) -> dict[int, dict[str, np.ndarray]]:
        """Returns what the paths to a cost come to, for each node it is made of, without following them one by one.

        Backwards over the nodes, whole Jacobians at a time: so models of any number of paths can be judged.
        """
        cost = self.graph.costs[row]
        found: dict[int, dict[str, np.ndarray]] = {}

        def at(number: int) -> dict[str, np.ndarray]:
            if number not in found:
                nothing = np.zeros(self.graph.nodes[number].value.numel())
                found[number] = {name: nothing.copy() for name in ("gradient", "total", "strongest", "bits")}
                found[number] |= {"count": nothing.copy(), "live": nothing.copy()}
                found[number] |= {"high": nothing - np.inf, "low": nothing + np.inf}
            return found[number]

        for name in ("gradient", "total", "strongest", "count", "live", "high", "low"):
            at(cost.node)[name][cost.position] = 1.0
        for number, (partials, there) in reversed(self.matrices.items()):
            if number not in found:
                continue
            out = found[number]
            for source, whole, exists in zip(self.graph.nodes[number].inputs, partials, there, strict=True):
                into, signed = at(source), whole.numpy()
                size = np.abs(signed)
                logs = size * np.log(np.where(size > 0, size, 1.0))
                into["gradient"] += signed.T @ out["gradient"]
                into["total"] += size.T @ out["total"]
                into["bits"] += size.T @ out["bits"] + logs.T @ out["total"]
                into["count"] += exists.numpy().astype(float).T @ out["count"]
                into["live"] += (size > 0).astype(float).T @ out["live"]
                best = (size * out["strongest"][:, None]).max(0, initial=0.0)
                into["strongest"] = np.maximum(into["strongest"], best)
                live = (size > 0) & (out["live"] > 0)[:, None]
                with np.errstate(invalid="ignore"):  # 0 times infinity, where there is no path
                    ends = [signed * out[end][:, None] for end in ("high", "low")]
                for end, best_of, none in (("high", np.maximum, -np.inf), ("low", np.minimum, np.inf)):
                    known = best_of(*(np.where(live, one, none) for one in ends))
                    into[end] = best_of(into[end], best_of.reduce(known, axis=0, initial=none))
        for one in found.values():
            with np.errstate(all="ignore"):
                one["entropy"] = np.log(one["total"]) - one["bits"] / one["total"]
        return found

    def _existing(
        self, node: Any, run: Call, values: Sequence[Tensor], partials: Sequence[Tensor]
    ) -> list[Tensor]:
        kind = type(node.op.structure).__name__
        if kind in FIXED:
            return [part != 0 for part in partials]
        if kind == "MatrixFunction":
            # all pairs of entries within a matrix of the batch; others may be outside of the domain
            many = [int(np.prod(x.shape[: node.op.structure.matrices])) for x in (node.value, *values)]
            rows, *columns = (
                torch.arange(x.numel()) // max(1, x.numel() // n)
                for x, n in zip((node.value, *values), many, strict=True)
            )
            return [rows[:, None] == column for column in columns]
        shapes = tuple(tuple(x.shape) for x in values)
        key = (
            node.op.name,
            str(node.op.structure) if kind != "MatrixFunction" else "",
            repr(node.settings),
            shapes,
        )
        if key not in self._drawn:
            generator = torch.Generator().manual_seed(0)
            found = [part != 0 for part in partials]
            for draw in range(DRAWS):
                low, high = ((-8.0, 8.0), (0.05, 0.95))[draw % 2]
                drawn = [torch.rand(x.shape, generator=generator) * (high - low) + low for x in values]
                if "binary_cross_entropy" in node.op.name and draw % 2 == 0:
                    continue  # PyTorch refuses shares outside 0 and 1
                for which, part in enumerate(jacobians(run, drawn)[1]):
                    # outside an operation's domain every partial is NaN, those off the diagonal too
                    found[which] = found[which] | ((part != 0) & ~part.isnan())
            self._drawn[key] = found
        return self._drawn[key]

    def _check(self, node: Any, out: Tensor, there: Sequence[Tensor]) -> None:
        """Asserts that the PyTorch function makes the recorded value (entries that come from nowhere apart)."""
        if node.name == "written" and node.op.name == "identity":
            return  # what autograd doesn't know of changed the values, and no path
        known = node.value.reshape(-1)
        kept = slice(None)
        if type(node.op.structure).__name__ == "Selection":
            kept = torch.cat(list(there), 1).any(1)
        torch.testing.assert_close(out.reshape(-1)[kept], known[kept], rtol=1e-9, atol=1e-12, msg=node.name)

    def contributions(self, start: Scalar, row: int) -> Contributions:
        """Returns those of every path from a scalar to a cost."""
        key = (start, row)
        if key not in self._found:
            cost = self.graph.costs[row]
            own = 1 if start == (cost.node, cost.position) else 0
            parts = [Contributions(np.ones(own), np.ones(own, bool), np.zeros(own, int))]
            for edge in self.edges.get(start, ()):
                after = self.contributions(edge.to, row)
                mark = (edge.to[0], edge.which) in self.marked
                parts.append(
                    Contributions(
                        edge.partial * after.products, (edge.partial != 0) & after.live, after.marks + mark
                    )
                )
            self._found[key] = Contributions(*(np.concatenate(part) for part in zip(*parts, strict=True)))
            assert len(self._found[key].products) < 300_000, "too many paths for an enumeration"
        return self._found[key]

    def joint(self, starts: Sequence[Scalar], rows: Sequence[int]) -> Contributions:
        """Returns those of every path from any of some scalars to any of some costs."""
        parts = [self.contributions(start, row) for start in starts for row in rows]
        return Contributions(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    def every(self, start: Scalar, rows: Sequence[int]) -> Iterator[tuple[Scalar, ...]]:
        """Yields the scalars along every path, by plain recursion."""
        ends = {tuple(self.graph.costs[row]) for row in rows}

        def on(path: tuple[Scalar, ...]) -> Iterator[tuple[Scalar, ...]]:
            if path[-1] in ends:
                yield path
            for edge in self.edges.get(path[-1], ()):
                yield from on((*path, edge.to))

        return on((start,))

    def partial(self, source: Scalar, to: Scalar) -> list[float]:
        """Returns the partials of the edges between two scalars (a product of an array with itself has two)."""
        return [edge.partial for edge in self.edges.get(source, ()) if edge.to == to]
