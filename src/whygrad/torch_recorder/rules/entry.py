"""How a rule is entered, and what rules share."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from whygrad.ops import Op, load_all
from whygrad.torch_recorder.pairs import paired
from whygrad.torch_recorder.tracer import Call, Rule

OPS = load_all()
ENTERED: dict[str, Rule] = {}
COMPLEX: dict[str, Rule] = {}  # where complex numbers go in or come out
SPARSE: dict[str, Rule] = {}  # where sparse tensors do


def rule(*names: str, into: dict[str, Rule] = ENTERED) -> Callable[[Rule], Rule]:
    """Returns a decorator that enters a function as the rule of PyTorch's operations of these names.

    A rule returns the node that the result is (a list where there are several results, None for one through which no
    path goes, a function that makes the node for one that is hardly ever read), or NotImplemented where the operation
    is to be taken apart.
    """

    def enter(made: Rule) -> Rule:
        for name in names:
            into[name] = made
        return made

    return enter


def first(out: Any) -> Tensor:
    """Returns the result of a call, or the first of several."""
    made: Tensor = out if isinstance(out, Tensor) else out[0]
    return made


def apply(call: Call, op: Op, inputs: Sequence[Any], settings: dict[str, Any] | None = None) -> int:
    """Returns the node of a call that is one operation of the table."""
    out = first(call.out)
    nodes = [call.ledger.input(value, out) for value in inputs]
    return call.ledger.apply(call.name, op, nodes, settings or {}, out)


def written(call: Call, make: Callable[[], Tensor]) -> int | None:
    """Returns the node of what simpler operations make; of complex numbers it may be their pairs."""
    with call.tracer:
        made = make()
    return as_made(call, made)


def as_made(call: Call, made: Tensor) -> int | None:
    """Returns the node of an array that was made for a call in the run that is recorded."""
    node, out = call.ledger.node(made), first(call.out)
    assert paired(made).shape == paired(out).shape, call.name
    if node is not None:
        # PyTorch's own, with which the run goes on
        call.ledger.recording.replace_value(node, paired(out.detach()))
    return node
