"""Which node of the graph each tensor of a run is, and the values that nodes keep while memory is written to."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import array_api_compat.torch as torch_namespace
import torch
from torch import Tensor
from torch.utils._mode_utils import no_dispatch

from whygrad.errors import NotSupportedError
from whygrad.graph import Graph, Recording
from whygrad.model_names import Output
from whygrad.ops import OPS, Op
from whygrad.torch_recorder.again import Held
from whygrad.torch_recorder.copies import apart
from whygrad.torch_recorder.memory import Memory, Source
from whygrad.torch_recorder.pairs import carries, is_turned, paired, signs, turned_back
from whygrad.torch_recorder.selections import picked
from whygrad.torch_recorder.sparse import Entries


class Ledger:
    """The graph that is written down, by the tensors that hold its nodes.

    Args:
        otherwise: What an error says is to be done about an operation that can't be written down.

    Attributes:
        within: The paths of the modules that are running, for names and errors; the innermost is the last.
    """

    def __init__(self, otherwise: str) -> None:
        self.recording = Recording(torch_namespace)
        self.memory = Memory()
        self.within = [""]
        self.modules: list[str] = []  # for each node, the module that made it
        self.outputs: dict[int, Output] = {}  # by node
        # By node: of modules that returned what another had returned.
        self.around: dict[int, list[Output]] = {}
        self.by_costs: set[int] = set()  # nodes that were made outside of all modules
        self.rescued: set[int] = set()  # nodes whose values were copied, since their memory was written to
        # By identity: autograd follows them, and they are constants here.
        self.strangers: dict[int, Tensor] = {}
        self.sparse: dict[int, tuple[Tensor, Entries]] = {}  # by identity: those through which paths go
        self.generators: dict[int, tuple[torch.Generator, Tensor]] = {}  # with the states that they had
        self.refusal: NotSupportedError | None = None
        # The last error in a module, and the innermost such module.
        self.raised: tuple[BaseException, str] | None = None
        self.paused = False  # while another record is made within this one
        self._otherwise = otherwise
        self._trained: set[int] = set()
        self._untold: dict[int, tuple[Tensor, str | Callable[[], int | None]]] = {}
        self._constants: dict[int, tuple[Tensor, int]] = {}
        self._constant_of: dict[int, int] = {}
        self._on_storage: dict[int, list[int]] = {}  # by storage, as the next three
        self._held: dict[int, list[Held]] = {}
        self._own: set[int] = set()
        self._aside: dict[int, str] = {}  # made where gradients were off, and by which operation
        self._foreign: dict[int, Tensor] = {}
        self._calls: dict[str, int] = {}

    def leaf(self, name: str, tensor: Tensor) -> int:
        """Returns the number of a new leaf that a tensor of the outside is."""
        number = self._noted(self.recording.leaf(name, paired(tensor.detach())))
        self.hold(tensor, number)
        if is_turned(tensor):
            plain = turned_back(tensor.detach())
            self.memory.hold(plain, self.turned("written", number, tensor))
        if tensor.requires_grad:
            self._trained.add(id(tensor))
        return number

    def node(self, tensor: Tensor) -> int | None:
        """Returns the node that a tensor is, or nothing where it is a constant."""
        if self.paused:
            return None
        sure = self.memory.sure(tensor)
        if sure is None and (not carries(tensor) or tensor.layout != torch.strided):
            return None
        if id(tensor) in self._trained and not tensor.requires_grad:
            return None  # frozen for a while: adversarial losses do so with each other's networks
        if sure is not None:
            return sure
        tensor = self.memory.original(tensor)
        if id(tensor) in self._untold:
            return self._told(tensor)
        found = self.memory.node(tensor)
        if not isinstance(found, Source):
            return self._up_to_date(tensor, found)
        with no_dispatch():
            there = paired(turned_back(tensor.detach())).clone()
        number = self.apply("written", picked(found, there), found.nodes, {}, there)
        if is_turned(tensor):
            number = self.turned("written", number, tensor)
        self.memory.hold(tensor, number)
        return number

    def turned(self, name: str, number: int, tensor: Tensor) -> int:
        """Returns the node of what a turned tensor shows, given that of its memory, and the other way round."""
        with no_dispatch():
            by = signs(tensor)
            value = self.recording.nodes[number].value * by
        return self.apply(name, OPS["mul"], [number, self.constant(by)], {}, value)

    def write(self, tensor: Tensor, number: int | None) -> None:
        """Notes that a node, or constants, were written into a tensor."""
        if number is not None and is_turned(tensor):
            number = self.turned("written", number, tensor)
        self.memory.write(tensor, number)

    def _up_to_date(self, tensor: Tensor, number: int | None) -> int | None:
        """Returns the node of a tensor as it is now: what autograd knew nothing of changed values, and no path."""
        if number is None or not self.memory.is_doubtful(tensor):
            return number
        with no_dispatch():
            known, now = self.recording.nodes[number].value, paired(tensor.detach())
            if known.shape != now.shape:
                self.refuse("an assignment to .data (of another shape)", "make a new tensor of that shape")
            if not torch.allclose(known, now, rtol=0, atol=0, equal_nan=True):
                number = self.apply("written", OPS["identity"], [number], {}, now.clone())
            self.memory.hold(tensor, number)
        return number

    def input(self, value: Any, like: Tensor) -> int:
        """Returns the node of an operand: a new constant leaf where it is a number or carries no path."""
        if not isinstance(value, Tensor):
            return self.constant(torch.tensor(value, dtype=like.dtype, device=like.device))
        number = self.node(value)
        if number is not None:
            return number
        kept = self._constants.get(id(value))
        if kept is None or self.memory.seen(value):
            constant = value.detach()
            if carries(like) and not carries(value):
                constant = constant.to(like.dtype)  # 1/n of an integer n were float32
            number = self.constant(constant)
            self.protect(value, number)
            self.look_at(value)
            self._constants[id(value)] = kept = (value, number)
            self._constant_of[number] = id(value)
        return kept[1]

    def constant(self, value: Tensor) -> int:
        """Returns the node of a new constant."""
        return self._noted(self.recording.leaf("constant", paired(value)))

    def apply(
        self, name: str, op: Op, inputs: Iterable[int], settings: Mapping[str, Any], value: Tensor
    ) -> int:
        """Returns the number of a new node."""
        return self.note(name, op, tuple(inputs), settings, paired(value.detach()))

    def note(
        self, name: str, op: Op, inputs: tuple[int, ...], settings: Mapping[str, Any], value: Tensor
    ) -> int:
        """Returns the number of a new node, whose value is real and of no concern to autograd."""
        # PyTorch's own mark of what has another function before it, such as _softmax; a person's class keeps its name
        plain = name.lstrip("_") if name[0] == "_" and name.islower() else name
        return self._noted(self.recording.apply(plain, op, inputs, settings, value=value))

    def _noted(self, number: int) -> int:
        self.modules.append(self.within[-1])
        if len(self.within) == 1:
            self.by_costs.add(number)
        return number

    def hold(self, tensor: Tensor, number: int | None) -> None:
        """Notes that a tensor that was just made is a node; or constants, such as indices of what was found."""
        if number is None:
            self.own([tensor])
        else:
            self.memory.hold(tensor, number)
            self.protect(tensor, number)

    def draws_from(self, generator: torch.Generator) -> None:
        """Notes a generator of random numbers that is the caller's own, and the state that it had at first."""
        if id(generator) not in self.generators:
            self.generators[id(generator)] = generator, generator.get_state()

    def hold_sparse(self, tensor: Tensor, entries: Entries) -> None:
        """Notes that a sparse tensor that was just made has entries with paths."""
        self.sparse[id(tensor)] = (tensor, entries)

    def entries(self, tensor: Tensor) -> Entries:
        """Returns the entries of a sparse tensor, which may be constants."""
        known = self.sparse.get(id(tensor))
        if known is not None:
            return known[1]
        if tensor.requires_grad and not self.memory.is_detached(tensor):
            self.strangers[id(tensor)] = tensor
        return Entries.of_constant(tensor)

    def untold(self, tensor: Tensor, how: str | Callable[[], int | None]) -> None:
        """Notes a result beside the one that matters.

        Args:
            tensor: The result.
            how: What writes it down once somebody reads it; or, where nobody knows, what its readers are refused with.
        """
        self._untold[id(tensor)] = (tensor, how)

    def _told(self, tensor: Tensor) -> int | None:
        _, how = self._untold[id(tensor)]
        if isinstance(how, str):
            self.refuse(how)
            return None
        number = how()
        self.hold(tensor, number)
        return number

    def aside(self, made: Iterable[Tensor], there: Iterable[Tensor], name: str) -> None:
        """Notes what was made where gradients were off: autograd has nothing to do with it, unless it says so later."""
        kept = {Memory.place(tensor) for tensor in there}
        self._aside |= {place: name for tensor in made if (place := Memory.place(tensor)) not in kept}

    def known(self, tensors: Iterable[Tensor]) -> None:
        """Notes tensors of which it is known what autograd has to do with them."""
        for tensor in tensors:
            self._aside.pop(Memory.place(tensor), None)

    def own(self, made: Iterable[Tensor], there: Iterable[Tensor] = ()) -> None:
        """Notes that the memory of what was made is this run's, where it isn't that of what was there before."""
        self._own.update(
            {Memory.place(tensor) for tensor in made} - {Memory.place(tensor) for tensor in there}
        )

    def protect(self, tensor: Tensor, number: int) -> None:
        """Notes that a node's value lies in a tensor's memory: it is copied before that is written to."""
        self._on_storage.setdefault(Memory.place(tensor), []).append(number)

    def rescue(self, tensor: Tensor) -> None:
        """Copies what is kept of a tensor's memory, which is about to be written to."""
        for number in self._on_storage.pop(Memory.place(tensor), ()):
            self.recording.replace_value(number, self.recording.nodes[number].value.clone())
            self.rescued.add(number)
            self._constants.pop(self._constant_of.get(number, 0), None)
        for held in self._held.pop(Memory.place(tensor), ()):
            held.tensor = held.tensor.clone()

    def held(self, tensor: Tensor) -> Held:
        """Returns a holder of a constant, which will have the values of now."""
        made = Held(tensor)
        self._held.setdefault(self.look_at(tensor), []).append(made)
        return made

    def look_at(self, tensor: Tensor) -> int:
        """Returns a constant's storage, after noting where it isn't of this run: who knows what becomes of it."""
        place = Memory.place(tensor)
        if place in self._aside and (tensor if tensor._base is None else tensor._base).grad_fn is not None:
            self.refuse(
                f"{self._aside[place]} (in a function with a backward pass of its own, written in C++)",
                "write it with operations of the table, or leave this cost out of the record",
            )
        if place not in self._own:
            self._foreign[place] = tensor
            strange = not (self.memory.is_detached(tensor) or self.memory.seen(tensor))
            if tensor.requires_grad and strange:
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

    def name_outputs(self, made: Sequence[Tensor], path: str, start: int) -> None:
        """Names nodes after the module that returns them, the first by its path alone, unless a module inside did.

        Of what a module inside returned already, or what came in, it is noted that this one returns it too.
        """
        found: dict[int, int] = {}
        for place, tensor in enumerate(made if path else ()):
            if torch._C._functorch.is_functorch_wrapped_tensor(tensor):
                continue  # one example of several that torch.vmap runs at once
            if place:  # what is returned beside the first may be no node yet, and needn't become one
                number = None if id(tensor) in self._untold else self.memory.sure(tensor)
            else:
                number = self.node(tensor)
            if number is not None:
                found.setdefault(number, place)
        if not found:
            return
        call = self._calls[path] = self._calls.get(path, 0) + 1
        for number, place in found.items():
            output = Output(path, call, place)
            if number < start or number in self.outputs:
                self.around.setdefault(number, []).append(output)
            else:
                self.recording.rename(number, output.name)
                self.outputs[number] = output

    def refuse(self, name: str, instead: str = "") -> None:
        """Raises the error for an operation that isn't in the table; ``instead`` says what to do about it."""
        place = "the costs" if len(self.within) == 1 else self.within[-1] or "the model"
        self.refusal = NotSupportedError(
            f"{place}: the operation {name} has no declaration, so its partials are not known.\n"
            f"expected: an operation of the table in docs/operations.md\n"
            f"found:    {name}\n"
            f"try:      {instead or self._otherwise}"
        )
        raise self.refusal

    def graph(self, costs: Any, names: tuple[str, ...]) -> Graph:
        """Returns what was written down; nobody reads a tensor of the run any more."""
        self._untold.clear()
        self.sparse.clear()
        return self.recording.graph(costs, names)
