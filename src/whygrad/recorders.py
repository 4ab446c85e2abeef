"""Recording a computation that somebody else wrote: ``wg.record``."""

import inspect
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any

from whygrad.errors import NotSupportedError, NotYetError, near, need_known
from whygrad.progress import Progress, quiet

if TYPE_CHECKING:
    from whygrad.model_record import Record

# What becomes of operations without a declaration.
OPAQUE = ("forbid", "allow")


def record(
    model: Any,
    batch: Any = None,
    costs: Callable[[Any, Any], Any] | None = None,
    *,
    opaque: str = "forbid",
    **arrays: Any,
) -> "Record":
    """Returns the computation of one run of a PyTorch model and its losses, as a graph with values.

    The run is an ordinary one: PyTorch's functions are called, its random numbers drawn, the branches of this run
    taken. Afterwards the model, its gradients and buffers, what its modules hold and the random state are as before.

    Args:
        model: A ``torch.nn.Module``, unchanged; or a mapping of names to modules.
        batch: What the model is run on: tensors, or any nest of tuples, lists and dictionaries of them. Its
            floating-point tensors are quantities: ``batch``, ``batch[0]``, ``batch['x']``.
        costs: A function ``costs(model, batch)`` that returns named losses, ``{"class": loss, "size": other}``: tensors
            without axes, or with one axis (one cost for each entry: ``reduction="none"`` gives a cost per example). A
            single tensor is the cost ``cost``.
        opaque: ``"allow"`` lets operations without a declaration through by PyTorch's own derivative: the plain
            gradient is then complete, and every other result says where it stops.
        arrays: Those of a person's own NumPy function in the place of a model, which can't be recorded yet.

    Raises:
        NotYetError: It is a NumPy function.
        NotSupportedError: An operation has no declaration (the message says which, in which module, and what to
            write), or PyTorch isn't installed.
        ShapeError: What ``costs`` returned isn't a mapping of names to floating-point tensors.
        Exception: What the model or ``costs`` raises by itself, with a note of the module and the batch.

    Example:
        >>> import torch
        >>> _ = torch.manual_seed(0)
        >>> model = torch.nn.Linear(2, 2)
        >>> def costs(model, batch):
        ...     out = model(batch)
        ...     return {"first": out[:, 0].square().sum(), "second": out[:, 1].square().sum()}
        >>> rec = record(model, torch.ones(3, 2), costs)
        >>> rec.gradients()["weight"].shape   # two costs, then the shape of the weight
        torch.Size([2, 2, 2])
        >>> rec.sweep("reach")["weight[0, 1]"]
        True
        >>> rec.gradient("weight[0, 1]", cost="second")
        0.0
    """
    if costs is None and callable(model) and not hasattr(model, "named_parameters"):
        raise NotYetError(
            "record: a NumPy function can't be recorded yet; expected a torch.nn.Module, a batch and costs=, found "
            f"{model!r}"
        )
    if arrays:
        known = ("model", "batch", "costs", "opaque")
        name = next(iter(arrays))
        raise NotSupportedError(f"record: expected {', '.join(known)}, found {name!r}{near(name, known)}")
    if costs is None:
        raise NotSupportedError(
            "record: costs is missing; expected a function costs(model, batch) that returns named losses, "
            'such as costs=lambda model, batch: {"size": model(batch).square().mean()}'
        )
    need_costs("record", costs, "record(model, batch, costs), in this order")
    need_known("record: opaque", opaque, OPAQUE)
    from whygrad.render.progress import progress

    with progress() as tell:
        return record_quietly(model, batch, costs, opaque, tell)


def record_quietly(
    model: Any,
    batch: Any,
    costs: Callable[[Any, Any], Any],
    opaque: str,
    progress: Progress = quiet,
) -> "Record":
    """Returns the record of arguments that have been checked; ``progress`` is told how far it is, and no terminal.

    Raises:
        NotSupportedError: PyTorch isn't installed; or as for :func:`record`.
    """
    try:
        from whygrad.torch_recorder import record_model
    except ModuleNotFoundError as missing:
        raise NotSupportedError(
            f"record: {missing.name} is not installed; install it with: pip install 'whygrad[torch]'"
        ) from None
    return record_model(model, batch, costs, opaque, progress)


def need_costs(where: str, costs: Any, instead: str) -> None:
    """Raises an error where something is no function of a model and a batch.

    Args:
        where: Whose argument it is.
        costs: What was given.
        instead: What to try where it is no function at all.

    Raises:
        NotSupportedError: It isn't.
    """
    expected = f"{where}: costs: expected a function costs(model, batch) that returns named losses, found"
    if not callable(costs):
        raise NotSupportedError(f"{expected} {type(costs).__name__}\ntry:      {instead}")
    if (
        isinstance(costs, FunctionType)
        and costs.__code__.co_argcount == 2
        and not costs.__code__.co_kwonlyargcount
    ):
        return  # a plain function of two: the look below takes a twentieth of a small record's time
    try:
        taken = inspect.signature(getattr(costs, "forward", costs))
    except (TypeError, ValueError):  # some functions that are written in C don't say
        return
    try:
        taken.bind(None, None)
    except TypeError:
        raise NotSupportedError(
            f"{expected} {getattr(costs, '__name__', type(costs).__name__)}{taken}\n"
            f"try:      {instead}; costs is called with the model and the batch"
        ) from None
