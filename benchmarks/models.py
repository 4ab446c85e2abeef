"""The groups of recorded PyTorch models: conv net, multilayer perceptron, transformer; their tasks and goals."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.workloads import SUMS, Case, Goal, Group, ModelProblem

CONV = ModelProblem("conv", "outputs", batch=64)
MLP = ModelProblem("mlp", "examples", batch=256)
TRANSFORMER = ModelProblem("transformer", "losses", batch=16)
TINY = ModelProblem("tiny", "total", batch=32)

TITLES = {
    "conv": "conv3x3x16-ReLU-conv3x3x32-ReLU-linear10 on 28 x 28, batch 64",
    "mlp": "784-512-512-10, ReLU, batch 256",
    "transformer": "a transformer of 2 blocks, width 64, 4 heads, 32 tokens, batch 16",
    "tiny": "8-16-2, ReLU, batch 32",
}
EXAMPLE_PEERS = ("TorchJD autogram", "nngeometry", "torch.func", "BackPACK", "torch by hand")
SWEEPS = ("gradient", *SUMS, "live", "strongest")
ONCE = "torch, one forward and backward"
BACKWARD = "torch, one backward"


def gradients(problem: ModelProblem, title: str) -> Case:
    """Every cost's gradients: with the recording and from a recording, against K calls of autograd."""
    loop, recorded = "torch K-loop", "whygrad, recorded before"
    return Case(
        f"models gradients {problem.model} {problem.dtype}",
        f"{title} of {TITLES[problem.model]}, {problem.dtype}",
        "model_gradients",
        problem,
        (
            Goal("K calls, the forward pass counted", 1.0, against=(loop,)),
            Goal("K calls alone", 1.0, against=(f"{loop}, forward before",), variant=recorded),
        ),
        memory=True,
    )


def example_gramian(problem: ModelProblem, goals: tuple[Goal, ...]) -> Case:
    """The Gramian of the examples' cross entropies."""
    return Case(
        f"models examples {problem.model} {problem.dtype}",
        f"The Gramian of the examples' cross entropies: {TITLES[problem.model]}, {problem.dtype}",
        "model_example_gramian",
        problem,
        goals,
        memory=True,
    )


def recording(problem: ModelProblem) -> Case:
    """What it takes to record, against one forward and backward pass of the same costs."""
    return Case(
        f"models recording {problem.model}",
        f"{TITLES[problem.model]}, {problem.dtype}",
        "model_recording",
        problem,
        (Goal("recording", 5.0, against=(ONCE,), variant="whygrad record"),),
        memory=True,
        reference=(ONCE,),
    )


def sweeps(problem: ModelProblem) -> Case:
    """Each semiring's values at every parameter, against one backward pass of the same one cost."""
    within = [Goal("sums", 6.0, against=(BACKWARD,), variant=f"whygrad {name}") for name in SWEEPS[:-1]]
    return Case(
        f"models sweeps {problem.model}",
        f"{TITLES[problem.model]}, {problem.dtype}",
        "model_sweep",
        problem,
        tuple(within),
        reference=(BACKWARD,),
    )


CONV_EXAMPLES = replace(CONV, costs="examples")

MODEL_GRADIENTS = Group(
    "model gradients",
    "Recorded PyTorch models: the gradients of every cost",
    (
        *(
            gradients(replace(CONV, dtype=dtype), "The gradients of the 10 outputs' squared errors")
            for dtype in ("float32", "float64")
        ),
        gradients(TRANSFORMER, "The gradients of the 4 losses"),
    ),
)

MODEL_GRAMIANS = Group(
    "model Gramians",
    "Recorded PyTorch models: Gramians, the gradients not wanted",
    (
        *(
            example_gramian(
                replace(CONV_EXAMPLES, dtype=dtype),
                tuple(Goal("ahead of", 1.0, against=(peer,)) for peer in EXAMPLE_PEERS),
            )
            for dtype in ("float32", "float64")
        ),
        example_gramian(
            MLP,
            (
                Goal("100 times ahead", 0.01, against=("TorchJD autogram",)),
                Goal("a tenth of the memory", 0.1, "memory", ("TorchJD autogram",)),
                Goal("level", 1.0, against=("ASDL",)),
            ),
        ),
        Case(
            "models gramian transformer",
            f"The 4 x 4 Gramian of the losses: {TITLES['transformer']}, float32",
            "model_gramian",
            TRANSFORMER,
            memory=True,
        ),
    ),
)

RECORDING = Group(
    "recording",
    "Recording a PyTorch model, against one forward and backward pass of the same costs",
    (
        *(recording(each) for each in (replace(MLP, costs="total"), replace(CONV, costs="total"))),
        *(recording(each) for each in (TRANSFORMER, TINY)),
    ),
)

MODEL_SEMIRINGS = Group(
    "model semirings",
    "Recorded PyTorch models: one sweep under each semiring from one cost, the recording not counted",
    tuple(sweeps(replace(each, costs="total")) for each in (CONV, TRANSFORMER)),
)

MODELS = (MODEL_GRADIENTS, MODEL_GRAMIANS, RECORDING, MODEL_SEMIRINGS)
