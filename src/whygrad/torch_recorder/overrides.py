"""What PyTorch does otherwise during a run that is recorded: all of it comes by, and in pieces that have a rule."""

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions.dirichlet import _Dirichlet
from torch.nn import functional
from torch.nn.modules._functions import BackwardHookFunction
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack
from torch.utils.checkpoint import CheckpointFunction

from whygrad.ops import application
from whygrad.torch_recorder import recurrent
from whygrad.torch_recorder.batches import named_tensors
from whygrad.torch_recorder.draws import Draws
from whygrad.torch_recorder.matrix_function import MatrixFunction
from whygrad.torch_recorder.opaque import drawn_again
from whygrad.torch_recorder.sampling import sampled
from whygrad.torch_recorder.schema import tensors
from whygrad.torch_recorder.tracer import Tracer
from whygrad.torch_recorder.whole import normalisation_in_pieces, whole_normalisation

# What an operation of torch.library with a backward pass of its own applies.
GENERATED = "GeneratedBackwardFor_"
# And what torch.nn.functional.linear_cross_entropy does with options.
CHUNKED = f"{GENERATED}torch_nn__linear_cross_entropy_batch_chunked"
FUNCTION = (
    'record with opaque="allow", where its own backward pass is called for the plain gradient and every other result '
    "stops; or write it as g(x) + (f(x) - g(x)).detach(), which has the value of f and the derivative of g (g(x) = x "
    "passes straight through, -x turns a gradient round)"
)
_settings: Any = torch._C
# How each is read, how it is set, and what it is during the run.
SETTINGS: tuple[tuple[Callable[[], bool], Callable[[bool], None], bool], ...] = (
    # attention in pieces, rather than in kernels that can't be looked into
    (torch.backends.mha.get_fastpath_enabled, torch.backends.mha.set_fastpath_enabled, False),
    *(
        (
            getattr(_settings, f"_get_{kernel}_sdp_enabled"),
            getattr(_settings, f"_set_sdp_use_{kernel}"),
            kernel == "math",
        )
        for kernel in ("flash", "mem_efficient", "cudnn", "overrideable", "math")
        if hasattr(_settings, f"_set_sdp_use_{kernel}")  # older ones lack some
    ),
    # scripted functions operation by operation
    (_settings._get_graph_executor_optimize, _settings._set_graph_executor_optimize, False),
    # no casts of weights that autocast made before the run: no path leads from those to the weights
    (torch.is_autocast_cache_enabled, torch.set_autocast_cache_enabled, False),
)


@contextmanager
def alone() -> Iterator[None]:
    """Lets records wait that this one is made within: how it is made is no part of them."""
    waiting = [mode.ledger for mode in _get_current_dispatch_mode_stack() if isinstance(mode, Tracer)]
    before = [ledger.paused for ledger in waiting]
    try:
        for ledger in waiting:
            ledger.paused = True
        yield
    finally:
        for ledger, paused in zip(waiting, before, strict=True):
            ledger.paused = paused


@contextmanager
def in_pieces() -> Iterator[None]:
    """Keeps PyTorch from kernels that can't be looked into, and from what it made before."""
    before = [read() for read, _, _ in SETTINGS]
    try:
        for _, write, value in SETTINGS:
            write(value)
        yield
    finally:
        for (_, write, _), value in zip(SETTINGS, before, strict=True):
            write(value)


@contextmanager
def by_modules(
    tracer: Tracer,
    paths: Mapping[int, str],
    others: Callable[[nn.Module], None],
    progress: Callable[[str, float], None],
) -> Iterator[None]:
    """Tells the ledger which module is running, and names what it returns after it; tells ``others`` of any other."""
    starts: list[int] = []
    ran: set[str] = set()
    within = tracer.ledger.within

    def before(module: nn.Module, inputs: Any) -> None:
        path = paths.get(id(module))
        if path is None:
            others(module)
        else:
            if path not in ran:
                progress(f"recording {path or 'the model'}", len(ran) / len(paths))
                ran.add(path)
            within.append(path)
            starts.append(len(tracer.ledger.recording.nodes))

    def after(module: nn.Module, inputs: Any, out: Any) -> None:
        if id(module) in paths and starts:
            path, start = within.pop(), starts.pop()
            error, raised = sys.exc_info()[1], tracer.ledger.raised
            if error is not None and (raised is None or raised[0] is not error):
                tracer.ledger.raised = error, path
            made = [out] if isinstance(out, Tensor) else [tensor for _, tensor in named_tensors(out, "")]
            tracer.ledger.name_outputs(made, path, start)

    hooks = [register_module_forward_pre_hook(before), register_module_forward_hook(after, always_call=True)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def as_written() -> Iterator[None]:
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


# What no operation comes by for


class _Stand(NamedTuple):
    """What stands in the place of an attribute of PyTorch's during the run."""

    owner: Any
    name: str
    made: Any


@contextmanager
def all_seen(tracer: Tracer, whole: bool) -> Iterator[None]:
    """Sees to what doesn't come by as an operation, or comes by too late; some kernels may run whole or not."""
    # None afterwards: PyTorch lists its functions once, and keeps those of then for good.
    following = [tracer]
    stands = (
        *_detached_in_place(tracer),
        _custom_functions(tracer),
        _Stand(torch, "rms_norm", whole_normalisation(following) if whole else normalisation_in_pieces),
        *([] if whole else [_Stand(torch, "grid_sampler", sampled)]),
        *(
            _Stand(owner, *stand)
            for stand in recurrent.stands(following, whole)
            for owner in (torch, torch._VF)
        ),
        *_scripted(),
    )
    before = [vars(stand.owner).get(stand.name) for stand in stands]
    try:
        for stand in stands:
            setattr(stand.owner, stand.name, stand.made)
        yield
    finally:
        for stand, own in zip(stands, before, strict=True):
            if own is None:
                delattr(stand.owner, stand.name)
            else:
                setattr(stand.owner, stand.name, own)
        following.clear()


def _detached_in_place(tracer: Tracer) -> Iterator[_Stand]:
    """Yields ``detach_``, which never comes by, as one that is noted."""
    plain = torch.Tensor.detach_

    def detach_(tensor: Tensor) -> Tensor:
        out = plain(tensor)
        tracer.ledger.memory.detach(out, out)
        return out

    for owner in (torch.Tensor, torch):
        yield _Stand(owner, "detach_", detach_)


def _custom_functions(tracer: Tracer) -> _Stand:
    """Returns what applies functions with a backward pass of their own: their insides run without gradients."""
    # One class below Function: its own apply comes here even where it was given another name before (f = F.apply).
    base: Any = torch.autograd.function._SingleLevelFunction
    before = vars(base).get("apply")  # there is one in a record within a record

    def plain(cls: Any) -> Any:
        return super(base, cls).apply if before is None else before.__get__(None, cls)

    def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        ledger = tracer.ledger
        if not tracer.follows([value for value in args if isinstance(value, Tensor)]):
            out = plain(cls)(*args, **kwargs)
            ledger.known(tensors(out))
            return out
        if cls is CheckpointFunction:
            run, _, *inputs = args
            return run(*inputs)
        if cls is BackwardHookFunction:  # what the hooks of modules hang on: it passes its arguments on
            passed = plain(cls)(*args)
            for value, made in zip(args, passed, strict=True):
                ledger.memory.hold(made, ledger.node(value))
            return passed
        if cls.__name__.startswith(CHUNKED):
            # of logits that are never all there, with gradients made on the way
            x, matrix, target, bias, weight, *more = args
            whole = "no_reduction" in cls.__name__
            reduction, ignored = ("none", more[0]) if whole else more[:2]
            logits = functional.linear(x, matrix, bias)
            loss = functional.cross_entropy(logits, target, weight, ignore_index=ignored, reduction=reduction)
            return loss if whole else (loss, *(loss.new_empty(0) for _ in range(3)))
        drawn, run = Draws.now(tensors(args)), plain(cls)
        if cls is _Dirichlet:  # what Dirichlet and Beta draw
            (x,) = args
            out = run(x)
            structure = MatrixFunction(drawn_again(run, drawn), None, x.dim() - 1, {})
            number = ledger.apply(
                "dirichlet", application("dirichlet", ("x",), structure), [ledger.input(x, out)], {}, out
            )
            ledger.hold(out, number)
            return out
        name = cls.__name__.removeprefix(GENERATED)
        if not tracer.allows_opaque:
            of = "a torch.autograd.Function" if name == cls.__name__ else "an operation of torch.library"
            ledger.refuse(f"{name} ({of})", FUNCTION)
        out = run(*args, **kwargs)
        tracer.note_opaque(name, lambda args: run(*args), {"args": args}, out, drawn)
        return out

    return _Stand(base, "apply", classmethod(apply))


def _scripted() -> Iterator[_Stand]:
    """Yields the calls of TorchScript, which forgets what it optimised: that has a backward pass of its own, unseen."""
    for owner in (torch._C.ScriptFunction, torch._C.ScriptMethod):
        plain: Any = owner.__call__

        def call(run: Any, *args: Any, plain: Any = plain, **kwargs: Any) -> Any:
            run._debug_flush_compilation_cache()
            return plain(run, *args, **kwargs)

        yield _Stand(owner, "__call__", call)
