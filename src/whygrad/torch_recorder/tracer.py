"""Records what PyTorch computes, operation by operation, below autograd and above the kernels.

Every operation of a forward pass comes by as one of PyTorch's basic ones ("aten"), whatever Python or C++ function it
was called from; composite ones have been taken apart by then. The table in ``rules`` says which operation of ours
each is. What has no rule is taken apart further by PyTorch's own decompositions, and what is left is refused.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._ops import HigherOrderOperator
from torch.utils._python_dispatch import TorchDispatchMode

from whygrad.torch_recorder.again import again
from whygrad.torch_recorder.decompositions import decomposition
from whygrad.torch_recorder.draws import Draws
from whygrad.torch_recorder.ledger import Ledger
from whygrad.torch_recorder.opaque import drawn_again, opaque
from whygrad.torch_recorder.pairs import carries, of_pairs, paired
from whygrad.torch_recorder.schema import Info, info, tensors
from whygrad.torch_recorder.selections import selected

aten = torch.ops.aten
DETACH = aten.detach.default

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

    @property
    def ledger(self) -> Ledger:
        """Which node each tensor is."""
        return self.tracer.ledger

    def default(self, name: str) -> Any:
        """Returns an argument's default in the schema."""
        return info(self.func).defaults[name]

    def live(self, value: Any) -> bool:
        """Returns whether an argument is a tensor through which paths go."""
        return isinstance(value, Tensor) and self.ledger.node(value) is not None

    def again(self, inputs: Sequence[Tensor]) -> Callable[..., Any]:
        """Returns a function that does the operation with new arrays in the place of some of its arguments."""
        return of_pairs(again(self.func, self.given, inputs, self.ledger.held), inputs)


Rule = Callable[[Call], Any]

OTHERWISE = (
    'write it with operations of the table, or record with opaque="allow": the plain gradient then goes through it by '
    "PyTorch's own derivative, and every other result says where it stops; what is only looked at may be detached"
)

WRITES = (
    "leave it, or this cost, out of the record: it writes into its arguments, so that it can't be let through"
)
DENSE = "make it dense first (to_dense, or to_padded_tensor), or leave this cost out of the record"
PLAIN = "write it as plain Python, if or for: what is recorded is this one run"
SINGLE = "record it in float32 (model.float()), or take this step in float32"
REAL = (
    "write it with the real and the imaginary part (x.real, x.imag), or with operations that are recorded; or record "
    'with opaque="allow": the plain gradient then goes through it by PyTorch\'s own derivative'
)

# In the place of a node: an output with a derivative that no rule tells. Whoever reads it is refused.
UNTOLD = -1


class Tracer(TorchDispatchMode):  # type: ignore[no-untyped-call]  # PyTorch says no types
    """Writes down the operations between tensors through which paths go.

    Args:
        rules: What each basic operation is in our table, by name.
        complex_rules: The same where complex numbers go in or come out.
        sparse_rules: And where sparse tensors do.
        allow_opaque: Whether operations that nobody declared are let through by PyTorch's own derivative.

    Attributes:
        ledger: Which node each tensor is.
        stops: The nodes of operations that were let through.
        allows_opaque: Whether they are.
    """

    supports_higher_order_operators = True  # they come by, to be refused in words

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # PyTorch would wrap each call to keep the compiler away, and import it for that, which takes seconds. It is
        # kept away already: compiled functions run as they were written.
        return False

    def __init__(
        self,
        rules: Mapping[str, Rule],
        complex_rules: Mapping[str, Rule],
        sparse_rules: Mapping[str, Rule],
        allow_opaque: bool = False,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # PyTorch says no types
        self.ledger = Ledger(WRITES if allow_opaque else OTHERWISE)
        self.stops: list[int] = []
        self._rules = rules
        self._complex_rules = complex_rules
        self._sparse_rules = sparse_rules
        self.allows_opaque = allow_opaque

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if self.ledger.paused:
            return func(*args, **kwargs)
        if func is DETACH:  # autograd keeps what it needs this way: as often as there are operations
            out = func(*args, **kwargs)
            self.ledger.memory.detach(out, args[0])
            return out
        follows = torch.is_grad_enabled()
        if isinstance(func, HigherOrderOperator):
            if not follows:
                return func(*args, **kwargs)
            self.ledger.refuse(f"torch.{func.__name__} (control flow as an operation)", PLAIN)
        known = info(func)
        given = known.named(args, kwargs)
        if given.get("generator") is not None:
            self.ledger.draws_from(given["generator"])
        there = known.tensors(given)
        if not follows or not self._carry(there):
            return self._plain(func, known, given, there, args, kwargs)
        for value in there:
            if value.layout != torch.strided or value.is_nested:
                return self._of_sparse(func, known.name, given, func(*args, **kwargs), value)
        if known.name.startswith("_foreach_"):
            return self._one_by_one(func, known, args, kwargs)
        if known.writes and known.name not in self._rules:
            return self._in_place(func, known, given, there, args, kwargs)
        for name in known.writes:  # running statistics
            if isinstance(given[name], Tensor):
                self.ledger.rescue(given[name])
        return self._functional(func, known, given, there, args, kwargs)

    def _carry(self, values: Iterable[Tensor]) -> bool:
        sparse = self.ledger.sparse
        for value in values:  # noqa: SIM110 - twice as fast as any()
            if self.ledger.node(value) is not None or (sparse and id(value) in sparse):
                return True
        return False

    def _plain(self, func: Any, known: Info, given: Any, there: list[Tensor], args: Any, kwargs: Any) -> Any:
        """Runs an operation through which no path goes."""
        ledger = self.ledger
        targets = tensors([given[name] for name in known.writes])
        if torch.is_grad_enabled():
            ledger.known(targets)
        for target in targets:
            ledger.rescue(target)
        out = func(*args, **kwargs)
        for target in targets:
            if torch.is_grad_enabled() and ledger.memory.seen(target):
                ledger.memory.write(target, None)
            else:  # autograd knows nothing of it: paths stay, with the new values
                ledger.memory.doubt(target)
        made = tensors(out)
        if made:
            if torch.is_grad_enabled():
                for value in there:
                    if value.requires_grad:
                        ledger.look_at(value)
            else:
                ledger.aside(made, there, str(func))
            ledger.memory.inherit(there, made)
            ledger.own(made, there)
        return out

    def _one_by_one(self, func: Any, known: Info, args: Any, kwargs: Any) -> Any:
        """Runs an operation of lists, as one of each of their entries."""
        name = known.name.removeprefix("_foreach_")
        plain: Any = torch.linalg.vector_norm if name == "norm" else getattr(aten, name, None)
        if plain is None or "out" in func._overloadname:
            self._refuse(func)
        values = list(args)
        words = dict(kwargs)
        if name.rstrip("_") in ("addcmul", "addcdiv") and len(values) > 3:
            last = values.pop()
            words["value"] = last.tolist() if isinstance(last, Tensor) else last
        many, like = next((len(value), value[0]) for value in values if isinstance(value, (list, tuple)))

        def at(place: int, value: Any) -> Any:
            value = value[place] if isinstance(value, (list, tuple)) else value
            number = isinstance(value, (int, float)) and name.rstrip("_") in ("maximum", "minimum")
            return like.new_tensor(value) if number else value

        with self:
            made = [
                plain(*(at(n, value) for value in values), **{word: at(n, v) for word, v in words.items()})
                for n in range(many)
            ]
        return None if known.writes else made

    def _in_place(
        self, func: Any, known: Info, given: Any, there: list[Tensor], args: Any, kwargs: Any
    ) -> Any:
        """Runs an operation that writes into its argument, as one that doesn't and a copy."""
        ledger = self.ledger
        target = given[known.writes[0]]
        functional = known.functional
        if known.name in RESHAPED_IN_PLACE:
            node = ledger.node(self.__torch_dispatch__(functional, (), args, kwargs))
            out = func(*args, **kwargs)
            ledger.memory.hold(target, node)
            return out
        if known.name in DRAWN_IN_PLACE:
            ledger.rescue(target)
            ledger.own([target])
            out = func(*args, **kwargs)
            ledger.memory.write(target, None)
            return out
        if functional is None or len(known.writes) > 1 or not isinstance(target, Tensor):
            self._refuse(func)
        if known.name.endswith("_"):
            plain = info(functional)
            made = self._functional(functional, plain, plain.named(args, kwargs), there, args, kwargs)
        else:
            others = {name: value for name, value in kwargs.items() if name not in known.writes}
            made = self.__torch_dispatch__(functional, (), args, others)
        node = ledger.node(made)
        ledger.known([target])
        ledger.rescue(target)
        target.copy_(made)
        if node is not None and (made.shape != target.shape or made.dtype != target.dtype):
            node = self._cast(made, node, target)
        ledger.write(target, node)
        return target

    def _cast(self, made: Tensor, node: int, target: Tensor) -> int:
        """Returns the node of what a tensor becomes when it is copied into another."""
        size, to_complex = list(target.shape), target.is_complex()

        def run(x: Tensor) -> Tensor:
            each = x.to(torch.complex128) if to_complex else x.real
            made: Tensor = aten.expand.default(each, size)
            return made

        return selected(self.ledger, "copy", of_pairs(run, [made]), (node,), target.clone())

    def _functional(
        self, func: Any, known: Info, given: Any, there: list[Tensor], args: Any, kwargs: Any
    ) -> Any:
        name = known.name
        of_complex = False
        for value in there:
            of_complex |= value.is_complex()
        rule = (self._complex_rules if of_complex else self._rules).get(name)
        out = None
        if rule is not None or torch.Tag.nondeterministic_seeded not in func.tags:
            out = func(*args, **kwargs)
            outs = tensors(out)
            real = False
            for made in outs:
                real |= made.is_floating_point() and not made.is_meta  # PyTorch asks for shapes on the way
                if made.is_complex():
                    real = of_complex = True
                    rule = self._complex_rules.get(name)
                if made.layout != torch.strided or made.is_nested:
                    return self._of_sparse(func, name, given, out, made)
            if not real:
                return out
            nodes = NotImplemented if rule is None else rule(Call(self, func, name, given, out))
            if nodes is not NotImplemented:
                self.ledger.memory.inherit(there, outs)
                self._hold(name, out, nodes)
                return out
        made = self._taken_apart(func, out, args, kwargs)
        if made is not NotImplemented:
            return made
        if not self.allows_opaque:
            if of_complex:
                self.ledger.refuse(f"{name} (of complex numbers)", REAL)
            self._refuse(func)
        drawn = Draws.now(there)
        out = func(*args, **kwargs)
        self.note_opaque(name, func, given, out, drawn)
        return out

    def _of_sparse(self, func: Any, name: str, given: Any, out: Any, which: Tensor) -> Any:
        """Notes an operation of which an argument or the result is sparse, and returns its result."""
        if not tensors(out):
            return out
        rule = None if which.is_nested else self._sparse_rules.get(name)
        nodes = NotImplemented if rule is None else rule(Call(self, func, name, given, out))
        if nodes is NotImplemented:
            kind = "nested tensor" if which.is_nested else "sparse tensor"
            self.ledger.refuse(f"{name} ({'a' if which is out else 'of a'} {kind})", DENSE)
        self._hold(name, out, nodes)
        return out

    def _taken_apart(self, func: Any, out: Any, args: Any, kwargs: Any) -> Any:
        """Runs an operation as simpler ones, which come by themselves; NotImplemented where nobody wrote it so.

        Raises:
            NotSupportedError: They make something else than the operation itself, which made ``out``.
        """
        written = decomposition(func)
        if written is None:
            with self:
                return func.decompose(*args, **kwargs)
        with self:
            made = written(*args, **kwargs)
        if not _alike(made, out):
            if all(t.itemsize < 4 for t in tensors(out) if carries(t)):
                self.ledger.refuse(
                    f"{func} in half precision (whose value steps of its own don't give)", SINGLE
                )
            self._refuse(func)
        return made

    def follows(self, given: Any) -> bool:
        """Returns whether a call with these arguments is one through which paths go."""
        return torch.is_grad_enabled() and self._carry(tensors(given))

    def note(self, func: Any, given: Mapping[str, Any], out: Any) -> None:
        """Notes a call that was made where it isn't seen: what its rule says that it is."""
        name = info(func).name
        self._hold(name, out, self._rules[name](Call(self, func, name, given, out)))

    def note_opaque(
        self, name: str, func: Callable[..., Any], given: Mapping[str, Any], out: Any, drawn: Draws
    ) -> None:
        """Notes an operation that nobody declared: PyTorch's own derivative goes through it.

        Args:
            name: What it is called.
            func: The operation.
            given: Its arguments by their names.
            out: What it made.
            drawn: The random states that it began with.
        """
        ledger = self.ledger
        if any(id(value) in ledger.sparse for value in tensors(given)):
            ledger.refuse(f"{name} (of a sparse tensor)", DENSE)
        inputs = [value for value in tensors(given) if ledger.node(value) is not None]
        outs = [out] if isinstance(out, Tensor) else list(out)
        nodes: list[int | None] = []
        for place, made in enumerate(outs):
            if not (isinstance(made, Tensor) and carries(made)):
                nodes.append(None)
                continue
            run = drawn_again(of_pairs(again(func, given, inputs, ledger.held), inputs), drawn)
            op = opaque(name, run, len(inputs), None if isinstance(out, Tensor) else place)
            number = ledger.apply(name, op, [ledger.input(x, made) for x in inputs], {}, made)
            self.stops.append(number)
            nodes.append(number)
        self._hold(name, out, nodes)

    def _hold(self, name: str, out: Any, nodes: Any) -> None:
        if isinstance(out, Tensor):
            outs, numbers = [out], [nodes[0] if isinstance(nodes, (list, tuple)) else nodes]
        else:
            outs = list(out)
            numbers = list(nodes) if isinstance(nodes, (list, tuple)) else [nodes]
            numbers += [UNTOLD] * (len(outs) - len(numbers))
        for tensor, number in zip(outs, numbers, strict=True):
            if not isinstance(tensor, Tensor):
                continue
            if callable(number):
                self.ledger.untold(tensor, number)
            elif number != UNTOLD:
                self.ledger.hold(tensor, number)
            elif carries(tensor):
                self.ledger.untold(tensor, f"{name} (its statistics)")
            else:
                self.ledger.hold(tensor, None)

    def _refuse(self, func: Any) -> None:
        self.ledger.refuse(str(func))


def _alike(made: Any, out: Any) -> bool:
    """Returns whether an operation that is written with simpler ones has its own values (not all of PyTorch's have)."""
    for one, other in zip(tensors(made), tensors(out), strict=True):
        if carries(other) and other.numel():
            one, other = paired(one), paired(other)
            eps = torch.finfo(other.dtype).eps
            largest = float(other.nan_to_num(0.0, 0.0, 0.0).abs().max())
            near = {"rtol": max(0.1 * eps**0.5, 4 * eps), "atol": max(1e-6, 4 * eps * largest)}
            if not torch.allclose(one, other, equal_nan=True, **near):
                return False
    return True
