"""One forward pass of a model and its losses, written down; the model is left as it was."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from whygrad.arrays import keep_memory
from whygrad.errors import NotSupportedError, WhygradError, some
from whygrad.graph import Graph
from whygrad.model_names import Leaf, Made, told_apart
from whygrad.model_record import Record
from whygrad.progress import Progress, quiet
from whygrad.torch_recorder.batches import named_tensors
from whygrad.torch_recorder.cost_entries import cost_entries
from whygrad.torch_recorder.ledger import Ledger
from whygrad.torch_recorder.overrides import all_seen, alone, as_written, by_modules, in_pieces
from whygrad.torch_recorder.pairs import carries
from whygrad.torch_recorder.restoring import (
    batch_left,
    draws_left,
    others_left,
    state_left,
    values_left,
    versions_left,
)
from whygrad.torch_recorder.rules import COMPLEX_RULES, RULES, SPARSE_RULES
from whygrad.torch_recorder.tracer import Tracer
from whygrad.torch_recorder.whole import Unseen

Costs = Callable[[Any, Any], Mapping[str, Tensor]]


def record_model(
    model: Any,
    batch: Any,
    costs: Costs,
    opaque: str = "forbid",
    progress: Progress = quiet,
) -> Record:
    """Returns the computation of one run of a model and its losses, as a graph.

    The run is an ordinary one: the functions that are called, the random numbers that are drawn and the branches that
    are taken are PyTorch's. Afterwards the model, its gradients, its buffers, what its modules hold (counters, caches,
    lists) and the random state are as before. Hooks on the backward pass are not run: what is recorded is the
    derivative itself.

    Args:
        model: A module, unchanged (or a mapping of names to modules).
        batch: What the model is trained on; its floating-point tensors are quantities (``batch[0]``, ``batch.x``).
        costs: A function (model, batch) that returns named losses: a tensor without axes, or with one cost for each
            entry (``"class": cross_entropy(..., reduction="none")`` is one cost for each example).
        opaque: ``"allow"`` lets operations without a declaration through by PyTorch's own derivative.
        progress: Told which module runs for the first time, and which share of all of them did before.

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
    try:
        return _recorded(model, batch, costs, opaque, True, progress)
    except Unseen:  # costs that are made of gradients, through kernels that run whole: once more
        pass
    try:
        return _recorded(model, batch, costs, opaque, False, progress)
    except Unseen as kernel:
        raise NotSupportedError(
            f"record: the operation {kernel} has no declaration, so its partials are not known.\n"
            f"expected: gradients within the costs through functions of torch and torch.nn.functional\n"
            f"found:    torch.ops.aten.{str(kernel).removesuffix('_backward')}, called by itself\n"
            f"try:      the function that calls it, such as torch.nn.functional.grid_sample"
        ) from None


def _recorded(
    model: Any, batch: Any, costs: Costs, opaque: str, whole: bool, progress: Callable[[str, float], None]
) -> Record:
    """Returns the record of one run, in which some kernels are noted as a whole or in pieces."""
    keep_memory()
    named = tuple(_named(model))
    modules = _once(named)
    _check(modules)
    tracer = Tracer(RULES, COMPLEX_RULES, SPARSE_RULES, allow_opaque=opaque == "allow")
    ledger = tracer.ledger
    given = dict(named_tensors(batch, "batch"))
    for name, tensor in given.items():
        if tensor.is_meta:
            raise NotSupportedError(
                f"record: {name} is on the meta device, where it has a shape but no values\n"
                "expected: a batch with values, since the derivatives of a run are made from them"
            )
    leaves = _leaves(ledger, named, given)
    outside = [tensor for tensor, _ in leaves.values()]
    outside += [buffer for _, module in modules for buffer in module._buffers.values() if buffer is not None]
    others = [tensor for tensor in given.values() if id(tensor) not in leaves]
    with (
        alone(),
        versions_left([*outside, *others]),
        draws_left(ledger, [*outside, *others]),
        state_left([module for _, module in modules], others),
        values_left(ledger, leaves.values()),
        batch_left(batch),
        others_left() as met,
        torch.enable_grad(),
        in_pieces(),
        as_written(),
        all_seen(tracer, whole),
        by_modules(tracer, {id(module): path for path, module in modules}, met, progress),
        tracer,
    ):
        try:
            losses = costs(model, batch)
        except WhygradError:
            raise
        except Exception as error:
            # Operators (a / b) turn every TypeError, which a refusal is, into one of their own.
            if isinstance(error, TypeError) and ledger.refusal is not None:
                raise ledger.refusal from None
            error.add_note(_whereabouts(error, ledger, dict(modules), batch, given))
            raise
        entries, names = cost_entries(ledger, losses)
        ledger.take_apart(outside)  # before what the run wrote is taken back
    _warn(ledger, modules)
    graph = ledger.graph(tuple(entries), tuple(names))
    made = _made(graph, ledger, dict(modules))
    return Record(graph, tuple(leaf for _, leaf in leaves.values()), made, tuple(tracer.stops))


def _whereabouts(
    error: Exception,
    ledger: Ledger,
    modules: Mapping[str, nn.Module],
    batch: Any,
    given: Mapping[str, Tensor],
) -> str:
    """Returns where a person's own code raised an error, and on what: PyTorch's errors seldom say."""
    path = ledger.raised[1] if ledger.raised and ledger.raised[0] is error else None
    kind = type(modules[path]).__name__ if path is not None else ""
    where = "outside of all modules" if path is None else f"in {path or 'the model'} ({kind})"
    tensors = [f"{name} {tuple(value.shape)} {value.dtype}" for name, value in given.items()]
    found = some(tensors) or f"batch of type {type(batch).__name__}, without tensors"
    types = {
        str(p.dtype): None
        for module in modules.values()
        for p in module._parameters.values()
        if p is not None
    }
    return f"record: costs(model, batch) raised this, {where}\nfound:    {found}; parameters of {some(types) or 'none'}"


def _named(model: Any) -> Iterator[tuple[str, nn.Module]]:
    """Yields every name of every module: one that is shared has several."""
    modules = {"": model} if isinstance(model, nn.Module) else model
    if not isinstance(modules, Mapping) or not all(isinstance(m, nn.Module) for m in modules.values()):
        raise NotSupportedError(
            f"record: expected a torch.nn.Module or a dict of names and modules, found {type(model).__name__}"
        )
    for prefix, module in modules.items():
        yield from module.named_modules(prefix=prefix, remove_duplicate=False)


def _once(named: Sequence[tuple[str, nn.Module]]) -> list[tuple[str, nn.Module]]:
    """Returns each module once, with the first of its names."""
    first: dict[int, tuple[str, nn.Module]] = {}
    for path, module in named:
        first.setdefault(id(module), (path, module))
    return list(first.values())


def _check(modules: Sequence[tuple[str, nn.Module]]) -> None:
    """Refuses modules that can't be looked into, and parameters without values."""
    for path, module in modules:
        if isinstance(module, torch.jit.ScriptModule):
            raise NotSupportedError(
                f"record: {path or 'the model'}: a TorchScript module can't be looked into; "
                "record the module that it was made from"
            )
        for name, parameter in module._parameters.items():
            if parameter is None:
                continue
            if is_lazy(parameter):
                raise NotSupportedError(
                    f"record: {path or 'the model'}: the parameter {name} has no shape yet, since the module is lazy; "
                    "run the model once on a batch before it is recorded"
                )
        for kind, held in (("parameter", module._parameters), ("buffer", module._buffers)):
            for name, tensor in held.items():
                if tensor is not None and tensor.is_meta:
                    raise NotSupportedError(
                        f"record: {path or 'the model'}: the {kind} {name} is on the meta device, where it has a shape "
                        "but no values\nexpected: weights with values, since the derivatives of a run are made from "
                        'them\ntry:      model.to_empty(device="cpu") and the loading of a checkpoint, before it is '
                        "recorded"
                    )


def _made(graph: Graph, ledger: Ledger, modules: Mapping[str, nn.Module]) -> tuple[Made, ...]:
    """Returns where each node was made, and in how many heads where attention weights were."""
    attends = {
        path
        for path, node in zip(ledger.modules, graph.nodes, strict=True)
        if node.op is not None and node.op.name == "softmax"
    }
    heads = {path: _heads_at(modules, path) for path in attends}
    return tuple(
        Made(
            path,
            heads.get(path, 0),
            ledger.outputs.get(number),
            tuple(ledger.around.get(number, ())),
            number in ledger.by_costs,
        )
        for number, path in enumerate(ledger.modules)
    )


def _heads_at(modules: Mapping[str, nn.Module], path: str) -> int:
    """Returns in how many heads a module works, or the one around it: a softmax that is a module doesn't say."""
    return next(
        filter(None, (_heads(modules[p]) for p in (path, path.rpartition(".")[0]) if p in modules)), 0
    )


def _heads(module: nn.Module) -> int:
    """Returns in how many attention heads a module works, as most say it; 0 where it doesn't say."""
    for name in ("num_heads", "n_heads", "n_head", "nhead", "heads"):
        # Modules take long to say that they have no such attribute.
        found = module.__dict__.get(name, 0) or (getattr(type(module), name, 0) and getattr(module, name, 0))
        if isinstance(found, int) and not isinstance(found, bool) and found > 0:
            return found
    return 0


def _leaves(
    ledger: Ledger, named: Sequence[tuple[str, nn.Module]], batch: Mapping[str, Tensor]
) -> dict[int, tuple[Tensor, Leaf]]:
    """Notes the parameters, and the floating-point tensors of the batch, by identity; tied parameters are one."""
    leaves: dict[int, tuple[Tensor, Leaf]] = {}
    seen = Counter[str]()
    for path, module in named:
        for own, parameter in module._parameters.items():
            if parameter is None:
                continue
            name = told_apart(f"{path}.{own}" if path else own, seen)
            if id(parameter) in leaves:
                _, kept = leaves[id(parameter)]
                leaves[id(parameter)] = parameter, kept._replace(aliases=(*kept.aliases, name))
            elif carries(parameter) and _is_dense(name, parameter):
                kind = "parameter" if parameter.requires_grad else "frozen"
                leaves[id(parameter)] = parameter, Leaf(name, ledger.leaf(name, parameter), kind)
    for name, value in batch.items():
        if carries(value) and id(value) not in leaves and _is_dense(name, value):
            name = told_apart(name, seen)  # a module may be called as the batch is
            leaves[id(value)] = value, Leaf(name, ledger.leaf(name, value), "input")
    return leaves


def _is_dense(name: str, tensor: Tensor) -> bool:
    """Returns whether a tensor is an array of entries, and not a sparse constant; what is learned must be one.

    Raises:
        NotSupportedError: It is sparse, and its gradient is asked for.
    """
    if tensor.layout != torch.strided and tensor.requires_grad:
        raise NotSupportedError(
            f"record: {name} is a sparse tensor that asks for its gradient\n"
            "expected: quantities that are arrays\n"
            "try:      its values as the parameter or the input, and the sparse tensor made of them within the run "
            "(torch.sparse_coo_tensor(places, values, shape))"
        )
    return tensor.layout == torch.strided


def _warn(ledger: Ledger, modules: Sequence[tuple[str, nn.Module]]) -> None:
    """Warns of what has a part in PyTorch's backward pass and none in the record: hooks, and tensors from elsewhere."""
    nodes = ledger.recording.nodes
    hooked = [nodes[number].name for number in ledger.memory.hooked()]
    for path, module in modules:
        if module._backward_hooks or module._backward_pre_hooks:
            hooked.append(path or "the model")
    told = []
    hooked = list(dict.fromkeys(hooked))
    if hooked:
        told.append(
            f"record: hooks of PyTorch's backward pass ({some(hooked)}) are not run: what is recorded is the "
            "derivative itself, without what they do to gradients"
        )
    if ledger.strangers:
        shapes = dict.fromkeys(str(tuple(tensor.shape)) for tensor in ledger.strangers.values())
        told.append(
            f"record: tensors that autograd follows (of shape {some(shapes)}) are no parameters of the model and come "
            "from outside of the costs: they are constants here, and nothing is recorded of what led to them\n"
            'try:      compute them within the costs; or record {"model": model, "other": module} with the module '
            "that they belong to"
        )
    for words in told:
        warnings.warn(words, UserWarning, stacklevel=5)
