"""Functions of all entries along axes that leave one entry."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from whygrad.ops import Op
from whygrad.torch_recorder.rules.entry import OPS, first, rule
from whygrad.torch_recorder.rules.moves import by_indices
from whygrad.torch_recorder.selections import selected
from whygrad.torch_recorder.tracer import Call


def _reduced(
    call: Call, op: Op, inputs: Sequence[Any], settings: dict[str, Any], out: Tensor | None = None
) -> int:
    """Returns the node of a reduction, whose axes may be kept with length 1."""
    rank = inputs[0].dim()
    axes = call.given.get("dim")
    axes = tuple(range(rank)) if axes is None or axes == [] else axes
    axes = (axes,) if isinstance(axes, int) else tuple(axes)
    axes = tuple(axis % rank for axis in axes) if rank else ()
    out = first(call.out) if out is None else out
    keep = bool(call.given.get("keepdim"))
    shape = tuple(size for axis, size in enumerate(inputs[0].shape) if axis not in axes)
    nodes = [call.ledger.input(value, out) for value in inputs]
    made = call.ledger.apply(call.name, op, nodes, {"axis": axes, **settings}, out.reshape(shape))
    if not keep:
        return made
    full = out.shape
    return selected(call.ledger, "view", lambda x: x.reshape(full), [made], out)


@rule("sum", "mean", "logsumexp", "prod", "amax", "amin")
def _reduction(call: Call) -> Any:
    return _reduced(call, OPS[call.name], [call.given["self"]], {})


@rule("max", "min")
def _extreme(call: Call) -> Any:
    if not isinstance(call.out, Tensor):
        return by_indices(call)
    return _reduced(call, OPS[f"a{call.name}"], [call.given["self"]], {})


@rule("var", "std", "var_mean", "std_mean")
def _spread(call: Call) -> Any:
    given = call.given
    correction = given.get("correction", 1)
    correction = 1 if correction is None else correction
    if "unbiased" in given:
        correction = int(given["unbiased"])
    name = call.name.partition("_")[0]
    made = _reduced(call, OPS[name], [given["self"]], {"correction": correction}, first(call.out))
    if isinstance(call.out, Tensor):
        return made
    return [made, _reduced(call, OPS["mean"], [given["self"]], {}, call.out[1])]


@rule("linalg_vector_norm")
def _norm(call: Call) -> Any:
    order = call.given["ord"]
    if order == 0:
        return None  # how many entries aren't 0: a constant almost everywhere
    if abs(order) == float("inf"):
        return _reduced(call, OPS["max_norm" if order > 0 else "min_norm"], [call.given["self"]], {})
    return _reduced(call, OPS["norm"], [call.given["self"]], {"p": order})


@rule("aminmax")
def _both_ends(call: Call) -> Any:
    x, ends = call.given["self"], zip(("amin", "amax"), call.out, strict=True)
    return [_reduced(call, OPS[name], [x], {}, out) for name, out in ends]
