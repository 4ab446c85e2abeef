"""One forward pass of a model and its losses, written down; the model is left as it was."""

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules._functions import BackwardHookFunction
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.nn.parameter import is_lazy
from torch.utils._mode_utils import no_dispatch
from torch.utils.checkpoint import CheckpointFunction

from whygrad.errors import NotSupportedError, ShapeError
from whygrad.graph import Entry
from whygrad.model_record import Leaf, Made, Record
from whygrad.torch_recorder.batches import named_tensors
from whygrad.torch_recorder.restoring import state_left, values_left
from whygrad.torch_recorder.rules import RULES
from whygrad.torch_recorder.tracer import Tracer

Costs = Callable[[Any, Any], Mapping[str, Tensor]]


def record_model(model: Any, batch: Any, costs: Costs, opaque: str = "forbid") -> Record:
    """Returns the computation of one run of a model and its losses, as a graph.

    The run is an ordinary one: the functions that are called, the random numbers that are drawn and the branches that
    are taken are PyTorch's. Afterwards the model, its gradients, its buffers and the random state are as before. Hooks
    on the backward pass are not run: what is recorded is the derivative itself.

    Args:
        model: A module, unchanged (or a mapping of names to modules).
        batch: What the model is trained on; its floating-point tensors are quantities (``batch[0]``, ``batch.x``).
        costs: A function (model, batch) that returns named losses: a tensor without axes, or with one cost for each
            entry (``"class": cross_entropy(..., reduction="none")`` is one cost for each example).
        opaque: ``"allow"`` lets operations without a declaration through by PyTorch's own derivative.

    Raises:
        NotSupportedError: An operation has no declaration; the message says which, where, and what to write.
        ShapeError: What the function returned isn't a mapping of names to floating-point tensors.

    Example:
        >>> import torch
        >>> model = torch.nn.Linear(2, 1)
        >>> rec = record_model(model, torch.ones(3, 2), costs=lambda m, x: {"size": m(x).square().sum()})
        >>> rec.gradients()["weight"].shape
        torch.Size([1, 1, 2])
    """
    if opaque not in ("forbid", "allow"):
        raise ValueError(f'opaque: expected "forbid" or "allow", found {opaque!r}')
    modules = _modules(model)
    stack: list[str] = []
    tracer = Tracer(RULES, lambda: stack[-1] if stack else "", allow_opaque=opaque == "allow")
    given = dict(named_tensors(batch, "batch"))
    leaves = _leaves(tracer, modules, given)
    outside = [tensor for tensor, _ in leaves.values()]
    outside += [buffer for module in modules.values() for buffer in module.buffers()]
    others = [tensor for tensor in given.values() if id(tensor) not in leaves]
    with ExitStack() as held:
        held.enter_context(state_left(tuple(module for _, module in _paths(modules)), others))
        held.enter_context(values_left(tracer, leaves.values()))
        held.enter_context(torch.enable_grad())
        held.enter_context(_plain_kernels())
        held.enter_context(_as_written())
        held.enter_context(_own_casts())
        held.enter_context(_detached_in_place(tracer))
        held.enter_context(_custom_functions(tracer))
        held.enter_context(_whole_normalisation(tracer))
        held.enter_context(_gradients_within(tracer))
        held.enter_context(_module_names(tracer, modules, stack))
        held.enter_context(tracer)
        try:
            losses = costs(model, batch)
        except TypeError:
            # Operators (a / b) turn every TypeError, which a refusal is, into one of their own.
            if tracer.refusal is not None:
                raise tracer.refusal from None
            raise
        entries, names = _entries(tracer, losses)
        tracer.take_apart(outside)  # before what the run wrote is taken back
    _warn(tracer, modules)
    graph = tracer.graph(tuple(entries), tuple(names))
    heads = {path: _heads(module) for path, module in _paths(modules)}
    made = tuple(Made(path, heads.get(path, 0)) for path in tracer.modules)
    return Record(graph, tuple(leaf for _, leaf in leaves.values()), made, tuple(tracer.stops))


def _modules(model: Any) -> dict[str, nn.Module]:
    """Returns the modules by the beginnings of their names."""
    modules = {"": model} if isinstance(model, nn.Module) else model
    if not isinstance(modules, Mapping) or not all(isinstance(m, nn.Module) for m in modules.values()):
        raise NotSupportedError(
            f"record: expected a torch.nn.Module or a dict of names and modules, found {type(model).__name__}"
        )
    for path, module in _paths(modules):
        if isinstance(module, torch.jit.ScriptModule):
            raise NotSupportedError(
                f"record: {path or 'the model'}: a TorchScript module can't be looked into; "
                "record the module that it was made from"
            )
        for name, parameter in module.named_parameters(recurse=False):
            if is_lazy(parameter):
                raise NotSupportedError(
                    f"record: {path or 'the model'}: the parameter {name} has no shape yet, since the module is lazy; "
                    "run the model once on a batch before it is recorded"
                )
            if parameter.is_meta:
                raise NotSupportedError(
                    f"record: {path or 'the model'}: the parameter {name} is on the meta device, where it has a shape "
                    "but no values\nexpected: weights with values, since the derivatives of a run are made from them\n"
                    'try:      model.to_empty(device="cpu") and the loading of a checkpoint, before it is recorded'
                )
    return dict(modules)


def _heads(module: nn.Module) -> int:
    """Returns in how many attention heads a module works, as most say it; 0 where it doesn't say."""
    for name in ("num_heads", "n_heads", "n_head", "nhead", "heads"):
        # Modules take long to say that they have no such attribute.
        found = module.__dict__.get(name, 0) or (getattr(type(module), name, 0) and getattr(module, name, 0))
        if isinstance(found, int) and not isinstance(found, bool) and found > 0:
            return found
    return 0


def _paths(modules: Mapping[str, nn.Module]) -> Iterator[tuple[str, nn.Module]]:
    for prefix, module in modules.items():
        for path, inner in module.named_modules():
            yield ".".join(part for part in (prefix, path) if part), inner


def _leaves(
    tracer: Tracer, modules: Mapping[str, nn.Module], batch: Mapping[str, Tensor]
) -> dict[int, tuple[Tensor, Leaf]]:
    """Notes the parameters, and the floating-point tensors of the batch, by identity; tied parameters are one."""
    leaves: dict[int, tuple[Tensor, Leaf]] = {}
    for prefix, module in modules.items():
        for path, parameter in module.named_parameters(remove_duplicate=False):
            name = ".".join(part for part in (prefix, path) if part)
            if id(parameter) in leaves:
                _, kept = leaves[id(parameter)]
                leaves[id(parameter)] = parameter, kept._replace(aliases=(*kept.aliases, name))
            elif parameter.is_floating_point() and parameter.layout == torch.strided:
                kind = "parameter" if parameter.requires_grad else "frozen"
                leaves[id(parameter)] = parameter, Leaf(name, tracer.leaf(name, parameter), kind)
    for name, value in batch.items():
        if value.layout == torch.strided and value.is_floating_point() and id(value) not in leaves:
            leaves[id(value)] = value, Leaf(name, tracer.leaf(name, value), "input")
    return leaves


def _entries(tracer: Tracer, losses: Any) -> tuple[list[Entry], list[str]]:
    if isinstance(losses, Tensor):
        losses = {"cost": losses}
    if not isinstance(losses, Mapping) or not losses:
        raise ShapeError(
            f"costs: expected a function (model, batch) that returns a dict of named losses, "
            f"found {type(losses).__name__}"
        )
    entries, names = [], []
    for name, loss in losses.items():
        if not isinstance(loss, Tensor) or not loss.is_floating_point() or loss.dim() > 1:
            found = (
                f"a tensor {tuple(loss.shape)} of {loss.dtype}" if isinstance(loss, Tensor) else repr(loss)
            )
            raise ShapeError(
                f"costs: {name!r} must be a floating-point tensor without axes, or with one (a cost for each entry); "
                f"found {found}"
            )
        node = tracer.input(loss, loss)
        if loss.dim() == 0:
            entries.append(Entry(node, 0))
            names.append(str(name))
        else:
            entries += [Entry(node, place) for place in range(len(loss))]
            names += [f"{name}[{place}]" for place in range(len(loss))]
    return entries, names


def _warn(tracer: Tracer, modules: Mapping[str, nn.Module]) -> None:
    """Warns of what has a part in PyTorch's backward pass and none in the record: hooks, and tensors from elsewhere."""
    nodes = tracer.recording.nodes
    hooked = [nodes[number].name for number in tracer.memory.hooked()]
    for path, module in _paths(modules):
        if module._backward_hooks or module._backward_pre_hooks:
            hooked.append(path or "the model")
    told = []
    if hooked:
        told.append(
            f"record: hooks of PyTorch's backward pass ({_some(hooked)}) are not run: what is recorded is the "
            "derivative itself, without what they do to gradients"
        )
    if tracer.strangers:
        shapes = [str(tuple(tensor.shape)) for tensor in tracer.strangers.values()]
        told.append(
            f"record: tensors that autograd follows (of shape {_some(shapes)}) are no parameters of the model and come "
            "from outside of the costs: they are constants here, and nothing is recorded of what led to them\n"
            'try:      compute them within the costs; or record {"model": model, "other": module} with the module '
            "that they belong to"
        )
    for words in told:
        warnings.warn(words, UserWarning, stacklevel=4)


def _some(names: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(names[:6])) + (", …" if len(names) > 6 else "")


@contextmanager
def _plain_kernels() -> Iterator[None]:
    """Keeps PyTorch from fusing attention and recurrent layers into kernels that can't be looked into."""
    fast = torch.backends.mha.get_fastpath_enabled()

    def before(module: nn.Module, inputs: Any) -> None:
        if isinstance(module, nn.RNNBase):
            torch._C._set_mkldnn_enabled(False)

    def after(module: nn.Module, inputs: Any, out: Any) -> None:
        if isinstance(module, nn.RNNBase):
            torch._C._set_mkldnn_enabled(dnn)

    dnn = torch._C._get_mkldnn_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    hooks = [register_module_forward_pre_hook(before), register_module_forward_hook(after, always_call=True)]
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for hook in hooks:
            hook.remove()


@contextmanager
def _own_casts() -> Iterator[None]:
    """Keeps autocast from casts of weights that it made before the run: no path leads from those to the weights."""
    cached = torch.is_autocast_cache_enabled()
    torch.set_autocast_cache_enabled(False)
    try:
        yield
    finally:
        torch.set_autocast_cache_enabled(cached)


@contextmanager
def _as_written() -> Iterator[None]:
    """Runs what is compiled as it was written."""
    functions: Any = torch
    plain = functions.compile
    with ExitStack() as held:

        def compiled(*args: Any, **kwargs: Any) -> Any:
            functions.compile = plain
            held.enter_context(_eager())
            return plain(*args, **kwargs)

        if "torch._dynamo" in sys.modules:
            held.enter_context(_eager())
        else:  # nothing was compiled yet; importing the compiler takes seconds
            functions.compile = compiled
        try:
            yield
        finally:
            functions.compile = plain


@contextmanager
def _eager() -> Iterator[None]:
    with torch.compiler.set_stance("force_eager"), warnings.catch_warnings():
        # Our hooks, which name the modules, fire for the wrapper too: it has a path of its own.
        warnings.filterwarnings("ignore", message="Using `torch.compile", category=UserWarning)
        yield


@contextmanager
def _detached_in_place(tracer: Tracer) -> Iterator[None]:
    """Sees to ``detach_``, which never comes by as an operation."""
    plain = torch.Tensor.detach_, torch.detach_

    def detach_(tensor: Tensor) -> Tensor:
        out = plain[0](tensor)
        tracer.memory.detach(out)
        return out

    torch.Tensor.detach_ = torch.detach_ = detach_  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.Tensor.detach_, torch.detach_ = plain


@contextmanager
def _custom_functions(tracer: Tracer) -> Iterator[None]:
    """Sees to functions with a backward pass of their own: their insides run without gradients."""
    # One class below Function: its own apply comes here even where it was given another name before (f = F.apply).
    base: Any = torch.autograd.function._SingleLevelFunction
    before = base.__dict__.get("apply")

    def plain(cls: Any) -> Any:
        return super(base, cls).apply if before is None else before.__get__(None, cls)

    def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        live = [value for value in args if isinstance(value, Tensor) and tracer.node(value) is not None]
        if not live or not torch.is_grad_enabled():
            return plain(cls)(*args, **kwargs)
        if cls is CheckpointFunction:
            run, _, *inputs = args
            return run(*inputs)
        if cls is BackwardHookFunction:  # what the hooks of modules hang on: it passes its arguments on
            passed = plain(cls)(*args)
            for value, made in zip(args, passed, strict=True):
                tracer.memory.hold(made, tracer.node(value))
            return passed
        if not tracer.allows_opaque:
            tracer.refuse(f"{cls.__name__} (a torch.autograd.Function)")
        out = plain(cls)(*args, **kwargs)

        run = plain(cls)
        tracer.note_opaque(cls.__name__, lambda args: run(*args), {"args": args}, out)
        return out

    base.apply = classmethod(apply)
    try:
        yield
    finally:
        if before is None:
            del base.apply
        else:
            base.apply = before  # a record within a record


@contextmanager
def _whole_normalisation(tracer: Tracer) -> Iterator[None]:
    """Sees to RMS normalisation, which PyTorch takes apart on some devices before an operation can be seen."""
    functions: Any = torch
    plain = functions.rms_norm
    following = [tracer]  # none afterwards: PyTorch lists its functions once, and keeps this one for good

    def whole(
        input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
    ) -> Any:
        given = {"input": input, "normalized_shape": normalized_shape, "weight": weight, "eps": eps}
        each = [x for x in (input, weight) if x is not None]
        wrapped = any(map(torch._C._functorch.is_functorch_wrapped_tensor, each))
        if wrapped or not any(of.follows(each) for of in following):
            return plain(**given)
        with no_dispatch():
            out = plain(**given)
            following[0].note(torch.ops.aten._fused_rms_norm.default, given, out)
        return out

    functions.rms_norm = whole
    try:
        yield
    finally:
        functions.rms_norm = plain
        following.clear()


@contextmanager
def _gradients_within(tracer: Tracer) -> Iterator[None]:
    """Refuses gradients that the costs themselves are made of: autograd's backward pass isn't recorded."""
    engine: Any = torch.autograd
    plain = (
        engine._engine_run_backward
    )  # what autograd.grad and backward call, by whatever name they were imported

    def run(outputs: Any, given: Any, retain_graph: Any, create_graph: Any, *rest: Any, **more: Any) -> Any:
        if create_graph:
            tracer.refuse(
                "torch.autograd.grad (create_graph=True)",
                "write the derivative that the cost is made of as a formula, or leave this cost out of the record",
            )
        return plain(outputs, given, retain_graph, create_graph, *rest, **more)

    engine._engine_run_backward = run
    try:
        yield
    finally:
        engine._engine_run_backward = plain


@contextmanager
def _module_names(tracer: Tracer, modules: Mapping[str, nn.Module], stack: list[str]) -> Iterator[None]:
    """Keeps the path of the module that is running on the stack, and names its output after it."""
    paths = {id(module): path for path, module in _paths(modules)}
    starts: list[int] = []

    def before(module: nn.Module, inputs: Any) -> None:
        if id(module) in paths:
            stack.append(paths[id(module)])
            starts.append(len(tracer.recording.nodes))

    def after(module: nn.Module, inputs: Any, out: Any) -> None:
        if id(module) in paths and stack:
            path, start = stack.pop(), starts.pop()
            if isinstance(out, (tuple, list)) and out and isinstance(out[0], Tensor):
                out = out[0]
            if isinstance(out, Tensor):
                tracer.name_output(out, path, start)

    hooks = [register_module_forward_pre_hook(before), register_module_forward_hook(after, always_call=True)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
