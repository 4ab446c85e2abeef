"""Records what PyTorch computes, operation by operation, below autograd and above the kernels.

Every operation of a forward pass comes by as one of PyTorch's basic ones ("aten"), whatever Python or C++ function it
was called from; composite ones have been taken apart by then. The table in ``rules`` says which operation of ours
each is. What has no rule is taken apart further by PyTorch's own decompositions, and what is left is refused.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import array_api_compat.torch as torch_namespace
import torch
from torch import Tensor
from torch._ops import HigherOrderOperator
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode

from whygrad.errors import NotSupportedError
from whygrad.graph import Graph, Recording
from whygrad.ops import OPS, Op
from whygrad.torch_recorder.again import Held, again
from whygrad.torch_recorder.copies import apart
from whygrad.torch_recorder.decompositions import decomposition
from whygrad.torch_recorder.memory import Memory, Source
from whygrad.torch_recorder.opaque import opaque
from whygrad.torch_recorder.schema import Info, info
from whygrad.torch_recorder.selections import picked, selected

aten = torch.ops.aten


# These write no entry: the tensor looks at its memory in another way.
RESHAPED_IN_PLACE = (
    "t_", "transpose_", "squeeze_", "unsqueeze_", "swapaxes_", "swapdims_", "as_strided_"
)  # fmt: skip
# These overwrite a tensor with random numbers.
DRAWN_IN_PLACE = (
    "normal_", "uniform_", "bernoulli_", "exponential_", "geometric_", "log_normal_", "cauchy_", "random_"
)  # fmt: skip


class Call(NamedTuple):
    """One operation that was called: its arguments by their names in the schema, and its result."""

    tracer: "Tracer"
    func: Any
    name: str
    given: Mapping[str, Any]
    out: Any

    def default(self, name: str) -> Any:
        """Returns an argument's default in the schema."""
        return info(self.func).defaults[name]

    def live(self, value: Any) -> bool:
        """Returns whether an argument is a tensor through which paths go."""
        return isinstance(value, Tensor) and self.tracer.node(value) is not None

    def again(self, inputs: Sequence[Tensor]) -> Callable[..., Any]:
        """Returns a function that does the operation with new tensors in the place of some of its arguments."""
        return again(self.func, self.given, inputs, self.tracer.held)


Rule = Callable[[Call], Any]

OTHERWISE = (
    'write it with operations of the table, or record with opaque="allow": the plain gradient then goes through it by '
    "PyTorch's own derivative, and every other result says where it stops"
)

WRITES = (
    "leave it, or this cost, out of the record: it writes into its arguments, so that it can't be let through"
)
DENSE = "make it dense first (to_dense, or to_padded_tensor), or leave this cost out of the record"
PLAIN = "write it as plain Python, if or for: what is recorded is this one run"
SINGLE = "record it in float32 (model.float()), or take this step in float32"
REAL = "write it with real numbers: the real and the imaginary part as two arrays"

# In the place of a node: an output with a derivative that no rule tells. Whoever reads it is refused.
UNTOLD = -1


class Tracer(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down the operations between tensors through which paths go.

    Args:
        rules: What each basic operation is in our table, by name.
        where: Says in which module a call is made: its path, for names and errors.
        allow_opaque: Whether operations that nobody declared are let through by PyTorch's own derivative.
    """

    supports_higher_order_operators = True  # they come by, to be refused in words

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # PyTorch would wrap each call to keep the compiler away, and import it for that, which takes seconds. It is
        # kept away already: compiled functions run as they were written.
        return False

    def __init__(
        self, rules: Mapping[str, Rule], where: Callable[[], str], allow_opaque: bool = False
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.recording = Recording(torch_namespace)
        self.memory = Memory()
        self.stops: list[int] = []
        self.rescued: set[int] = set()  # nodes whose values were copied, since their memory was written to
        self.modules: list[str] = []  # for each node, the module that made it
        self._rules = rules
        self._where = where
        self._allow_opaque = allow_opaque
        self._on_storage: dict[int, list[int]] = {}
        self._constants: dict[int, tuple[Tensor, int]] = {}
        self._constant_of: dict[int, int] = {}
        self._held: dict[int, list[Held]] = {}  # by storage, as the next two
        self._own: set[int] = set()
        self._foreign: dict[int, Tensor] = {}
        self.strangers: dict[
            int, Tensor
        ] = {}  # by identity: autograd follows them, and they are constants here
        self._calls: dict[str, int] = {}
        self._named: set[int] = set()
        self.refusal: NotSupportedError | None = None
        self._untold: dict[int, tuple[Tensor, str]] = {}
        self._trained: set[int] = set()

    # Nodes

    def leaf(self, name: str, tensor: Tensor) -> int:
        """Returns the number of a new leaf that a tensor of the outside is."""
        number = self._noted(self.recording.leaf(name, tensor.detach()))
        self.memory.hold(tensor, number)
        self._protect(tensor, number)
        if tensor.requires_grad:
            self._trained.add(id(tensor))
        return number

    def node(self, tensor: Tensor) -> int | None:
        """Returns the node that a tensor is, or nothing where it is a constant."""
        if not tensor.is_floating_point() or tensor.layout != torch.strided:
            return None
        if id(tensor) in self._trained and not tensor.requires_grad:
            return None  # frozen for a while: adversarial losses do so with each other's networks
        if id(tensor) in self._untold:
            self.refuse(self._untold[id(tensor)][1])
        found = self.memory.node(tensor)
        if not isinstance(found, Source):
            return self._up_to_date(tensor, found)
        number = self.apply("written", picked(found, tensor), found.nodes, {}, tensor.detach().clone())
        self.memory.hold(tensor, number)
        return number

    def _up_to_date(self, tensor: Tensor, number: int | None) -> int | None:
        """Returns the node of a tensor as it is now: what autograd knew nothing of changed values, and no path."""
        if number is None or not self.memory.is_doubtful(tensor):
            return number
        with no_dispatch():
            known = self.recording.nodes[number].value
            if known.shape != tensor.shape:
                self.refuse("an assignment to .data (of another shape)", "make a new tensor of that shape")
            if not torch.allclose(known, tensor, rtol=0, atol=0, equal_nan=True):
                number = self.apply("written", OPS["identity"], [number], {}, tensor.detach().clone())
            self.memory.hold(tensor, number)
        return number

    def input(self, value: Any, like: Tensor) -> int:
        """Returns the node of an operand: a new constant leaf where it is a number or carries no path."""
        if not isinstance(value, Tensor):
            value = torch.tensor(value, dtype=like.dtype, device=like.device)
            return self._noted(self.recording.leaf("constant", value))
        number = self.node(value)
        if number is not None:
            return number
        kept = self._constants.get(id(value))
        if kept is None or self.memory.seen(value):
            constant = value.detach()
            if like.is_floating_point() and not value.is_floating_point():
                constant = constant.to(like.dtype)  # 1/n of an integer n were float32
            number = self._noted(self.recording.leaf("constant", constant))
            self._protect(value, number)
            self._look_at(value)
            self._constants[id(value)] = kept = (value, number)
            self._constant_of[number] = id(value)
        return kept[1]

    def constant(self, value: Tensor) -> int:
        """Returns the node of a new constant."""
        return self._noted(self.recording.leaf("constant", value))

    def apply(
        self, name: str, op: Op, inputs: Iterable[int], settings: Mapping[str, Any], value: Tensor
    ) -> int:
        """Returns the number of a new node."""
        return self._noted(self.recording.apply(name, op, tuple(inputs), settings, value=value.detach()))

    def _noted(self, number: int) -> int:
        self.modules.append(self._where())
        return number

    def _protect(self, tensor: Tensor, number: int) -> None:
        """Notes that a node's value lies in a tensor's memory: it is copied before that is written to."""
        self._on_storage.setdefault(Memory.place(tensor), []).append(number)

    def _rescue(self, tensor: Tensor) -> None:
        for number in self._on_storage.pop(Memory.place(tensor), ()):
            self.recording.replace_value(number, self.recording.nodes[number].value.clone())
            self.rescued.add(number)
            self._constants.pop(self._constant_of.get(number, 0), None)
        for held in self._held.pop(Memory.place(tensor), ()):
            held.tensor = held.tensor.clone()

    def held(self, tensor: Tensor) -> Held:
        """Returns a holder of a constant, which will have the values of now."""
        made = Held(tensor)
        self._held.setdefault(self._look_at(tensor), []).append(made)
        return made

    def _look_at(self, tensor: Tensor) -> int:
        """Returns a constant's storage, after noting where it isn't of this run: who knows what becomes of it."""
        place = Memory.place(tensor)
        if place not in self._own:
            self._foreign[place] = tensor
            if tensor.requires_grad and not self.memory.is_detached(tensor):
                self.strangers[id(tensor)] = tensor
        return place

    def take_apart(self, outside: Sequence[Tensor]) -> None:
        """Copies what the record keeps of tensors that live on: those of the model, the batch and everywhere else."""
        outside = [*outside, *self._foreign.values()]
        held = [one for place in self._foreign for one in self._held.get(place, ())]
        with no_dispatch():
            for number, value in apart([node.value for node in self.recording.nodes], outside).items():
                self.recording.replace_value(number, value)
            for number, value in apart([one.tensor for one in held], outside).items() if held else ():
                held[number].tensor = value

    # Calls

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if isinstance(func, HigherOrderOperator):
            if not torch.is_grad_enabled():
                return func(*args, **(kwargs or {}))
            self.refuse(f"torch.{func.__name__} (control flow as an operation)", PLAIN)
        if (
            func is aten.detach.default
        ):  # autograd keeps what it needs this way: as often as there are operations
            out = func(*args, **(kwargs or {}))
            self.memory.detach(out)
            return out
        known = info(func)
        given = known.defaults.copy()
        given.update(zip(given, args, strict=False))
        given.update(kwargs or {})
        there = tensors(given)
        if not torch.is_grad_enabled() or not self._carry(there):
            return self._plain(func, known, given, args, kwargs or {})
        for value in there:
            if value.layout != torch.strided:
                self.refuse(f"{known.name} (of a {_kind(value)})", DENSE)
        if known.writes and known.name not in self._rules:
            return self._in_place(func, known, given, args, kwargs or {})
        for name in known.writes:  # running statistics
            if isinstance(given[name], Tensor):
                self._rescue(given[name])
        return self._functional(func, known.name, given, args, kwargs or {})

    def _carry(self, values: Iterable[Tensor]) -> bool:
        return any(self.node(value) is not None for value in values)

    def _plain(self, func: Any, known: Info, given: Any, args: Any, kwargs: Any) -> Any:
        """Runs an operation through which no path goes."""
        targets = [given[name] for name in known.writes if isinstance(given[name], Tensor)]
        for target in targets:
            self._rescue(target)
        out = func(*args, **kwargs)
        for target in targets:
            if torch.is_grad_enabled() and self.memory.seen(target):
                self.memory.write(target, None)
            else:  # autograd knows nothing of it: paths stay, with the new values
                self.memory.doubt(target)
        made = tensors(out)
        if made:
            there = tensors(given)
            if torch.is_grad_enabled():
                for value in there:
                    if value.requires_grad:
                        self._look_at(value)
            self.memory.inherit(there, made)
            self._own.update({Memory.place(t) for t in made} - {Memory.place(t) for t in there})
        return out

    def _in_place(self, func: Any, known: Info, given: Any, args: Any, kwargs: Any) -> Any:
        """Runs an operation that writes into its argument, as one that doesn't and a copy."""
        target = given[known.writes[0]]
        functional = known.functional
        if known.name in RESHAPED_IN_PLACE:
            node = self.node(self.__torch_dispatch__(functional, (), args, kwargs))
            out = func(*args, **kwargs)
            self.memory.hold(target, node)
            return out
        if known.name in DRAWN_IN_PLACE:
            self._rescue(target)
            self._own.add(Memory.place(target))
            out = func(*args, **kwargs)
            self.memory.write(target, None)
            return out
        if functional is None or len(known.writes) > 1 or not isinstance(target, Tensor):
            self._refuse(func)
        if known.name.endswith("_"):
            made = self.__torch_dispatch__(functional, (), args, kwargs)
        else:
            others = {name: value for name, value in kwargs.items() if name not in known.writes}
            made = self.__torch_dispatch__(functional, (), args, others)
        node = self.node(made)
        self._rescue(target)
        target.copy_(made)
        if node is not None and (made.shape != target.shape or made.dtype != target.dtype):
            node = self._cast(made, node, target)
        self.memory.write(target, node)
        return target

    def _cast(self, made: Tensor, node: int, target: Tensor) -> int:
        """Returns the node of what a tensor becomes when it is copied into another."""
        size = list(target.shape)
        return selected(self, "copy", lambda x: aten.expand.default(x, size), (node,), target.clone())

    def _functional(self, func: Any, name: str, given: Any, args: Any, kwargs: Any) -> Any:
        rule = self._rules.get(name)
        out = None
        if rule is not None or torch.Tag.nondeterministic_seeded not in func.tags:
            out = func(*args, **kwargs)
            outs = tensors(out)
            for made in outs:
                if made.is_complex():
                    self.refuse(f"{name} (complex numbers)", REAL)
                if made.layout != torch.strided:
                    self.refuse(f"{name} (a {_kind(made)})", DENSE)
            if not any(t.is_floating_point() for t in outs):
                return out
            nodes = NotImplemented if rule is None else rule(Call(self, func, name, given, out))
            if nodes is not NotImplemented:
                self.memory.inherit(tensors(given), outs)
                self._hold(name, out, nodes)
                return out
        written = decomposition(func)
        if written is not None:
            with self:
                made = written(*args, **kwargs)
            if not _alike(made, out):
                if all(t.itemsize < 4 for t in tensors(out) if t.is_floating_point()):
                    self.refuse(f"{func} in half precision (whose value steps of its own don't give)", SINGLE)
                self._refuse(func)
            return made
        with self:
            out = func.decompose(*args, **kwargs)
        if out is not NotImplemented:
            return out
        if not self._allow_opaque:
            self._refuse(func)
        out = func(*args, **kwargs)
        self.note_opaque(name, func, given, out)
        return out

    @property
    def allows_opaque(self) -> bool:
        """Whether operations that nobody declared are let through."""
        return self._allow_opaque

    def follows(self, given: Any) -> bool:
        """Returns whether a call with these arguments is one through which paths go."""
        return torch.is_grad_enabled() and self._carry(tensors(given))

    def note(self, func: Any, given: Mapping[str, Any], out: Any) -> None:
        """Notes a call that was made where it isn't seen: what its rule says that it is."""
        name = info(func).name
        self._hold(name, out, self._rules[name](Call(self, func, name, given, out)))

    def note_opaque(self, name: str, func: Callable[..., Any], given: Mapping[str, Any], out: Any) -> None:
        """Notes an operation that nobody declared, and what it made."""
        self._hold(name, out, self.opaque(name, func, given, out))

    def name_output(self, out: Tensor, path: str, start: int) -> None:
        """Names a node after the module whose output it is, unless it is that of a module inside."""
        if torch._C._functorch.is_functorch_wrapped_tensor(out):
            return  # one example of several that torch.vmap runs at once
        number = self.node(out)
        if number is None or number < start or not path or number in self._named:
            return
        calls = self._calls[path] = self._calls.get(path, 0) + 1
        self.recording.rename(number, path if calls == 1 else f"{path} (call {calls})")
        self._named.add(number)

    def opaque(self, name: str, func: Callable[..., Any], given: Mapping[str, Any], out: Any) -> Any:
        """Returns the nodes of an operation that nobody declared: PyTorch's own derivative goes through it."""
        inputs = [value for value in tensors(given) if self.node(value) is not None]
        outs = [out] if isinstance(out, Tensor) else list(out)
        nodes: list[int | None] = []
        for place, made in enumerate(outs):
            if not (isinstance(made, Tensor) and made.is_floating_point()):
                nodes.append(None)
                continue
            run = again(func, given, inputs, self.held)
            op = opaque(name, run, len(inputs), None if isinstance(out, Tensor) else place)
            number = self.apply(name, op, [self.input(x, made) for x in inputs], {}, made)
            self.stops.append(number)
            nodes.append(number)
        return nodes[0] if isinstance(out, Tensor) else nodes

    def _hold(self, name: str, out: Any, nodes: Any) -> None:
        if isinstance(out, Tensor):
            outs, numbers = [out], [nodes[0] if isinstance(nodes, (list, tuple)) else nodes]
        else:
            outs = list(out)
            numbers = list(nodes) if isinstance(nodes, (list, tuple)) else [nodes]
            numbers += [None] * (len(outs) - len(numbers))
        for tensor, number in zip(outs, numbers, strict=True):
            if number == UNTOLD:
                self._untold[id(tensor)] = (tensor, f"{name} (its statistics)")
            elif isinstance(tensor, Tensor):
                self.memory.hold(tensor, number)
                if number is not None:
                    self._protect(tensor, number)
                else:  # indices of what was found
                    self._own.add(Memory.place(tensor))

    def refuse(self, name: str, instead: str = "") -> None:
        """Raises the error for an operation that isn't in the table; ``instead`` says what to do where opaque won't."""
        place = self._where() or "the costs"
        self.refusal = NotSupportedError(
            f"{place}: the operation {name} has no declaration, so its partials are not known.\n"
            f"expected: an operation of the table in docs/operations.md\n"
            f"found:    {name}\n"
            f"try:      {instead or (WRITES if self._allow_opaque else OTHERWISE)}"
        )
        raise self.refusal

    def _refuse(self, func: Any) -> None:
        self.refuse(str(func))

    def graph(self, costs: Any, names: tuple[str, ...]) -> Graph:
        """Returns what was written down."""
        return self.recording.graph(costs, names)


def _kind(tensor: Tensor) -> str:
    return "nested tensor" if tensor.is_nested else "sparse tensor"


def _alike(made: Any, out: Any) -> bool:
    """Returns whether an operation that is written with simpler ones has its own values (not all of PyTorch's have)."""
    for one, other in zip(tensors(made), tensors(out), strict=True):
        if other.is_floating_point() and other.numel():
            eps = torch.finfo(other.dtype).eps
            largest = float(other.nan_to_num(0.0, 0.0, 0.0).abs().max())
            near = {"rtol": max(0.1 * eps**0.5, 4 * eps), "atol": max(1e-6, 4 * eps * largest)}
            if not torch.allclose(one, other, equal_nan=True, **near):
                return False
    return True


def tensors(value: Any) -> list[Tensor]:
    """Returns the tensors in a nest of tuples, lists and mappings, each once."""
    if isinstance(value, Tensor):
        return [value]
    found: dict[int, Tensor] = {}
    for item in (
        value if isinstance(value, (list, tuple)) else value.values() if isinstance(value, Mapping) else ()
    ):
        if isinstance(item, Tensor):
            found[id(item)] = item
        elif isinstance(item, (list, tuple, dict)):
            found.update((id(tensor), tensor) for tensor in tensors(item))
    return list(found.values())
