"""Recurrent layers and cells, written down step by step, as PyTorch's documentation has them.

PyTorch's own kernels run. Beside them each step is computed once more, and what it is made of is noted: each operation
that comes by from within a kernel costs many times as much, and from some (oneDNN) none do.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.utils._mode_utils import no_dispatch

from whygrad.ops import Op
from whygrad.torch_recorder.ledger import Ledger
from whygrad.torch_recorder.rules.entry import OPS
from whygrad.torch_recorder.rules.products import affine, contraction
from whygrad.torch_recorder.schema import tensors
from whygrad.torch_recorder.selections import moved
from whygrad.torch_recorder.tracer import Tracer
from whygrad.torch_recorder.whole import read_plainly

ROWS = "n i, i o -> n o"


class _Array(NamedTuple):
    """An array of the graph; what is made of it is written down."""

    ledger: Ledger
    node: int
    value: Tensor

    def _made(self, name: str, op: Op, value: Tensor, *others: "_Array", **settings: Any) -> "_Array":
        inputs = (self.node, *(other.node for other in others))
        return _Array(self.ledger, self.ledger.note(name, op, inputs, settings, value), value)

    def moved(self, name: str, apply: Callable[..., Tensor], *others: "_Array") -> "_Array":
        value = apply(self.value, *(other.value for other in others))
        return self._made(name, moved(name, 1 + len(others)), value, *others, apply=apply)

    def linear(self, weight: "_Array", bias: "_Array | None" = None) -> "_Array":
        """Returns the product with a weight, whose rows are the results, and a bias added."""
        if bias is None:
            value = torch.nn.functional.linear(self.value, weight.value)
            return self._made("mm", contraction("mm", ROWS, (False, True)), value, weight)
        value = torch.nn.functional.linear(self.value, weight.value, bias.value)
        return self._made("addmm", affine("addmm", ROWS, (False, True)), value, weight, bias)

    def plus(self, other: "_Array") -> "_Array":
        return self._made("add", OPS["add"], self.value + other.value, other)

    def minus(self, other: "_Array") -> "_Array":
        return self._made("sub", OPS["sub"], self.value - other.value, other)

    def times(self, other: "_Array") -> "_Array":
        return self._made("mul", OPS["mul"], self.value * other.value, other)

    def sigmoid(self) -> "_Array":
        return self._made("sigmoid", OPS["sigmoid"], self.value.sigmoid())

    def tanh(self) -> "_Array":
        return self._made("tanh", OPS["tanh"], self.value.tanh())

    def relu(self) -> "_Array":
        return self._made("relu", OPS["relu"], self.value.relu())

    def chunk(self, many: int) -> "list[_Array]":
        """Returns equal parts along the last axis of a matrix."""
        size = self.value.shape[1] // many
        return [self.moved("chunk", _part(size * place, size)) for place in range(many)]

    def unbind(self) -> "list[_Array]":
        """Returns the entries along the first axis."""
        return [self.moved("unbind", _entry(place)) for place in range(len(self.value))]


@cache
def _part(start: int, size: int) -> Callable[[Tensor], Tensor]:
    return lambda x: x.narrow(1, start, size)


@cache
def _entry(place: int) -> Callable[[Tensor], Tensor]:
    return lambda x: x.select(0, place)


def _turned(x: Tensor) -> Tensor:
    return x.transpose(0, 1)


def _stacked(*x: Tensor) -> Tensor:
    return torch.stack(x)


def _side_by_side(*x: Tensor) -> Tensor:
    return torch.cat(x, -1)


def _rows(x: Tensor) -> Tensor:
    return x.reshape(-1, x.shape[-1])


# One step: what comes from its input, the state before it and the weights of the state make the state after it.

State: TypeAlias = tuple[_Array, ...]
Step: TypeAlias = Callable[[_Array, State, Sequence[_Array | None]], State]


def _lstm(given: _Array, state: State, weights: Sequence[Any]) -> State:
    h, c = state
    weight, bias, *projection = weights
    i, f, g, o = h.linear(weight, bias).plus(given).chunk(4)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    c = f.times(c).plus(i.times(g))
    h = o.times(c.tanh())
    return h.linear(projection[0]) if projection else h, c


def _gru(given: _Array, state: State, weights: Sequence[Any]) -> State:
    (h,) = state
    to_r, to_z, to_n = given.chunk(3)
    from_r, from_z, from_n = h.linear(*weights).chunk(3)
    r, z = from_r.plus(to_r).sigmoid(), from_z.plus(to_z).sigmoid()
    n = to_n.plus(from_n.times(r)).tanh()
    return (h.minus(n).times(z).plus(n),)


def _tanh(given: _Array, state: State, weights: Sequence[Any]) -> State:
    return (state[0].linear(*weights).plus(given).tanh(),)


def _relu(given: _Array, state: State, weights: Sequence[Any]) -> State:
    return (state[0].linear(*weights).plus(given).relu(),)


STEPS: dict[str, Step] = {"lstm": _lstm, "gru": _gru, "rnn_tanh": _tanh, "rnn_relu": _relu}


def _layers(
    step: Step,
    x: _Array,
    states: Sequence[_Array],
    weights: Sequence[_Array],
    biases: bool,
    layers: int,
    both: bool,
    batch_first: bool,
) -> list[_Array]:
    """Returns the output of all layers, and the last of each state."""
    ways = 1 + both
    starts = [state.unbind() for state in states]
    lasts: list[State] = []
    many = len(weights) // (layers * ways)
    if batch_first:
        x = x.moved("transpose", _turned)
    for layer in range(layers):
        sides = []
        for way in range(ways):
            number = layer * ways + way
            of_input, of_state, *rest = weights[many * number : many * (number + 1)]
            bias, bias_of_state = (rest.pop(0), rest.pop(0)) if biases else (None, None)
            rows = x.moved("view", _rows).linear(of_input, bias)
            shape = (*x.value.shape[:2], rows.value.shape[1])
            given = rows.moved("view", lambda rows, shape=shape: rows.reshape(shape)).unbind()
            state: State = tuple(start[number] for start in starts)
            outs = []
            for one in reversed(given) if way else given:
                state = step(one, state, (of_state, bias_of_state, *rest))
                outs.append(state[0])
            first, *others = reversed(outs) if way else outs
            sides.append(first.moved("stack", _stacked, *others))
            lasts.append(state)
        x = sides[0].moved("cat", _side_by_side, sides[1]) if both else sides[0]
    out = x.moved("transpose", _turned) if batch_first else x
    return [out, *(first.moved("stack", _stacked, *others) for first, *others in zip(*lasts, strict=True))]


# What stands in the place of PyTorch's functions


def stands(following: Sequence[Tracer], whole: bool) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yields the names of PyTorch's recurrent functions, and what to call instead.

    Args:
        following: What records, as long as it does.
        whole: Whether kernels may run whole; a backward pass that is recorded can't look into them.
    """
    for name, step in STEPS.items():
        noted = step if whole else None
        yield f"{name}_cell", _cell(following, noted, getattr(torch, f"{name}_cell"))
        yield name, _layer(following, noted, getattr(torch, name))


def _cell(following: Sequence[Tracer], step: Step | None, plain: Callable[..., Any]) -> Callable[..., Any]:
    def cell(
        input: Tensor,
        hx: Any,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor | None = None,
        b_hh: Tensor | None = None,
    ) -> Any:
        args = (input, hx, w_ih, w_hh, b_ih, b_hh)
        if step is None or not _simple(following, args):
            return plain(*args)

        def made(x: _Array, *rest: _Array) -> State:
            many = len(_every(hx))
            of_input, of_state, *biases = rest[many:]
            bias, bias_of_state = biases or (None, None)
            return step(x.linear(of_input, bias), rest[:many], (of_state, bias_of_state))

        return _noted(following, plain, args, made)

    return cell


def _layer(following: Sequence[Tracer], step: Step | None, plain: Callable[..., Any]) -> Callable[..., Any]:
    def layer(*args: Any, **kwargs: Any) -> Any:
        if not following:
            return plain(*args, **kwargs)
        if step is None or kwargs or not _of_one_length(*args) or not _simple(following, args):
            fused = torch._C._get_mkldnn_enabled(), torch._C._get_cudnn_enabled()
            torch._C._set_mkldnn_enabled(False)  # oneDNN and cuDNN have a kernel for all of a layer
            torch._C._set_cudnn_enabled(False)
            try:
                return plain(*args, **kwargs)
            finally:
                torch._C._set_mkldnn_enabled(fused[0])
                torch._C._set_cudnn_enabled(fused[1])
        _, hx, _, biases, layers, _, _, both, batch_first = args
        many = len(_every(hx))

        def made(x: _Array, *rest: _Array) -> list[_Array]:
            return _layers(step, x, rest[:many], rest[many:], biases, layers, both, batch_first)

        return _noted(following, plain, args, made)

    return layer


def _of_one_length(*args: Any) -> bool:
    """Returns whether sequences are of one length, and no entries are dropped between the layers."""
    if len(args) != 9 or not isinstance(args[3], bool):
        return False
    layers, dropout, training = args[4:7]
    return not (training and dropout and layers > 1)


def _simple(following: Sequence[Tracer], args: Sequence[Any]) -> bool:
    """Returns whether a call is one through which paths go, and by which autograd's own account alone is kept."""
    each = [x for arg in args for x in _every(arg)]
    return (
        not any(torch._C._functorch.is_functorch_wrapped_tensor(x) for x in each)
        and any(of.follows(each) for of in following)
        and len({(x.dtype, x.device) for x in each}) == 1
        and each[0].is_floating_point()
        and not torch.is_autocast_enabled(each[0].device.type)
        and forward_ad._current_level < 0
    )


def _noted(
    following: Sequence[Tracer],
    plain: Callable[..., Any],
    args: Sequence[Any],
    made: Callable[..., Sequence[_Array]],
) -> Any:
    """Returns what PyTorch's function returns, after noting the arrays that these are."""
    ledger = following[0].ledger
    with no_dispatch():
        with read_plainly(following):
            out = plain(*args)
        nodes = [ledger.input(x, x) for arg in args for x in _every(arg)]
        with torch.no_grad():
            arrays = made(*(_Array(ledger, node, ledger.recording.nodes[node].value) for node in nodes))
        for tensor, array in zip(tensors(out), arrays, strict=True):
            ledger.recording.replace_value(array.node, tensor.detach())
            ledger.hold(tensor, array.node)
    return out


def _every(arg: Any) -> list[Tensor]:
    """Returns the tensors that an argument is: one, several, or none."""
    if isinstance(arg, Tensor):
        return [arg]
    return [x for x in arg if isinstance(x, Tensor)] if isinstance(arg, (list, tuple)) else []
