"""What is measured: the problems, the tasks, the goals, and the groups that run in one process."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
KINK_MARGIN = 2e-5
"""Some ten times the float32 rounding of a pre-activation of the networks here."""

Task = Literal[
    "gradients",
    "gramian",
    "example_gramian",
    "cotangents",
    "input_jacobian",
    "sweep",
    "paths",
    "model_gradients",
    "model_gramian",
    "model_example_gramian",
    "model_recording",
    "model_sweep",
]
"""Those of a `ModelProblem` begin with model_; a contestant of the others is given a `Problem`."""


@dataclass(frozen=True)
class Data:
    """A problem's numbers: `parameters` by name, inputs `x` (examples, n_0), targets `y` (examples, n_L)."""

    parameters: dict[str, Array]
    x: Array
    y: Array


@dataclass(frozen=True)
class Problem:
    """A layered network with the squared errors of its outputs, summed over examples, as costs.

    `activations` has one name for each layer after the input.
    """

    sizes: tuple[int, ...]
    activations: tuple[str, ...]
    batch: int
    bias: bool = True
    dtype: str = "float64"

    @property
    def layers(self) -> range:
        """Numbers of the layers that have weights: 1, ..., L."""
        return range(1, len(self.sizes))

    @property
    def costs(self) -> int:
        """How many costs there are: one for each output."""
        return self.sizes[-1]

    def data(self) -> Data:
        """The same random numbers each time: weights as He et al. scale them, small biases, inputs of size 1.

        Examples with a unit near ReLU's kink are passed over: there float32 rounding, which differs between
        libraries, decides whether the unit is on, and right answers differ by far more than rounding.
        """
        random = np.random.default_rng(0)
        parameters: dict[str, Array] = {}
        for layer in self.layers:
            rows, columns = self.sizes[layer], self.sizes[layer - 1]
            weights = random.standard_normal((rows, columns)) * np.sqrt(2 / columns)
            parameters[f"W{layer}"] = weights.astype(self.dtype)
            if self.bias:
                parameters[f"b{layer}"] = (0.1 * random.standard_normal(rows)).astype(self.dtype)
        drawn = random.standard_normal((2 * self.batch + 8, self.sizes[0])).astype(self.dtype)
        x = drawn[self._distance_to_kink(parameters, drawn) > KINK_MARGIN][: self.batch]
        y = random.standard_normal((self.batch, self.costs)).astype(self.dtype)
        return Data(parameters, x, y)

    def _distance_to_kink(self, parameters: dict[str, Array], x: Array) -> Array:
        """Each example's smallest absolute pre-activation at a ReLU, in float64; infinite without ReLU."""
        distance = np.full(len(x), np.inf)
        activation = x.astype(np.float64)
        for layer, name in zip(self.layers, self.activations, strict=True):
            if name != "relu":
                break
            z = activation @ parameters[f"W{layer}"].T.astype(np.float64) + parameters.get(f"b{layer}", 0)
            distance = np.minimum(distance, np.abs(z).min(axis=1))
            activation = np.maximum(z, 0)
        return distance


@dataclass(frozen=True)
class ModelProblem:
    """A PyTorch model, a batch and the costs that its owner would write; `peers.torch_models` builds them.

    `costs`: `outputs` for the squared error of each output, summed over the batch; `examples` for each example's cross
    entropy; `losses` for the model's own named losses; `total` for their sum, or the mean cross entropy.
    """

    model: Literal["tiny", "mlp", "conv", "transformer"]
    costs: Literal["outputs", "examples", "losses", "total"]
    batch: int
    dtype: str = "float32"


@dataclass(frozen=True)
class Goal:
    """A limit for whygrad: a ratio of times (or of added memory) to the best of `against`, or milliseconds or MiB.

    `variant` names the whygrad contestant that is held against the limit.
    """

    label: str
    limit: float
    unit: Literal["ratio", "memory", "ms", "MiB"] = "ratio"
    against: tuple[str, ...] = ()
    variant: str = "whygrad"


@dataclass(frozen=True)
class Case:
    """One table of the report: a problem, a task, and the goals that it serves.

    `only` restricts the contestants by name, where the others would need too much time or memory.
    """

    name: str
    title: str
    task: Task
    problem: Problem | ModelProblem
    goals: tuple[Goal, ...] = ()
    memory: bool = False
    only: tuple[str, ...] | None = None
    reference: tuple[str, ...] = ("whygrad", "NumPy by hand")


@dataclass(frozen=True)
class Group:
    """Cases that are measured in one process, each with all its contestants interleaved."""

    name: str
    title: str
    cases: tuple[Case, ...] = field(default=())


def relu_net(batch: int, dtype: str, sizes: tuple[int, ...] = (784, 512, 512, 10)) -> Problem:
    """A classifier-shaped network: ReLU in the hidden layers, identity at the output, with biases."""
    hidden = ("relu",) * (len(sizes) - 2)
    return Problem(sizes, (*hidden, "identity"), batch, bias=True, dtype=dtype)


TINY = Problem((2, 3, 3, 2), ("identity",) * 3, batch=1, bias=False)
TINY_SIGMOID = replace(TINY, activations=("sigmoid",) * 3)
AUTOENCODER = Problem((784, 256, 32, 256, 784), ("tanh", "tanh", "tanh", "identity"), batch=64)
FACTORED = ("whygrad", "NumPy by hand", "torch by hand", "ASDL", "nngeometry")

SUMS = ("total", "count", "reach", "entropy", "spectrum")
SWEEPS = ("gradient", "total", "strongest", "extremes", "count", "reach", "entropy", "spectrum")


def sweep_goals() -> tuple[Goal, ...]:
    """Sums within 4 times the gradient's sweep, `strongest` within 15 times."""
    within = [Goal("sums", 4.0, against=("whygrad gradient",), variant=f"whygrad {name}") for name in SUMS]
    return (*within, Goal("strongest", 15.0, against=("whygrad gradient",), variant="whygrad strongest"))


W1 = Group(
    "W1",
    "2-3-3-2 without biases, one example, the gradients of its 2 costs",
    tuple(
        Case(
            f"W1 {name}",
            f"All gradients of 2 costs, {name}, float64",
            "gradients",
            problem,
            (
                Goal("G1 good", good_ms, "ms"),
                Goal("G1 ambitious", ambitious_ms, "ms"),
                Goal("10 x torch's best", 0.1, against=("torch K-loop", "torch batched", "torch.func")),
                Goal("ahead of JAX (G1)", 1.0, against=("JAX jit",)),
                Goal("G2 good", 0.005, "ms", variant="whygrad, generated lines alone"),
                Goal("G2 ambitious", 0.003, "ms", variant="whygrad, generated lines alone"),
            ),
        )
        for name, problem, good_ms, ambitious_ms in (
            ("identity", TINY, 0.025, 0.010),
            ("sigmoid", TINY_SIGMOID, 0.040, 0.020),
        )
    ),
)

W2 = Group(
    "W2",
    "784-512-512-10 with biases and ReLU, batch 256, its 10 costs",
    (
        *(
            Case(
                f"W2 gradients {dtype}",
                f"The 10 gradients as arrays, {dtype}",
                "gradients",
                relu_net(256, dtype),
                (
                    Goal("G3 good", 1.15, against=("torch batched",)),
                    Goal("G3 ambitious", 1.0, against=("torch batched",)),
                    Goal("G3 ambitious", 0.88, against=("TorchJD autojac",)),
                    Goal("G3 ambitious", 0.66, against=("JAX jit",)),
                    Goal("G3 ambitious", 0.27, against=("HIPS autograd",)),
                ),
            )
            for dtype in ("float32", "float64")
        ),
        *(
            Case(
                f"W2 Gramian {dtype}",
                f"The 10 x 10 Gramian, gradients not wanted, {dtype}",
                "gramian",
                relu_net(256, dtype),
                (
                    Goal("G4 good", 0.65, against=("TorchJD autogram",)),
                    Goal("G4 ambitious", 0.5, against=("TorchJD autogram",)),
                    Goal("G4 ambitious", 0.5, against=("TorchJD autojac",)),
                ),
            )
            for dtype in ("float32", "float64")
        ),
    ),
)

W3 = Group(
    "W3",
    "784-512-512-10 with biases and ReLU: the Gramian of the costs of single examples",
    (
        *(
            Case(
                f"W3 {dtype}",
                f"The 256 x 256 Gramian, batch 256, {dtype}",
                "example_gramian",
                relu_net(256, dtype),
                (
                    Goal("G5 good", 1.0, against=("ASDL",)),
                    Goal("G5 good", 20.0, "MiB"),
                    Goal("G5 ambitious", 0.8, against=("ASDL",)),
                    Goal("G5 ambitious", 0.45, against=("nngeometry",)),
                    Goal("G5 ambitious", 1 / 150, against=("TorchJD autogram",)),
                    Goal("G5 ambitious", 10.0, "MiB"),
                    Goal("G5 per layer", 1.1, against=("whygrad",), variant="whygrad, per parameter"),
                ),
                memory=True,
            )
            for dtype in ("float32", "float64")
        ),
        Case(
            "W3 batch 2048",
            "The 2048 x 2048 Gramian, float32 (those that form no gradient; the others need gigabytes)",
            "example_gramian",
            relu_net(2048, "float32"),
            (
                Goal("G6 good", 300.0, "ms"),
                Goal("G6 good", 200.0, "MiB"),
                Goal("G6 ambitious", 150.0, "ms"),
                Goal("G6 ambitious", 100.0, "MiB"),
            ),
            memory=True,
            only=FACTORED,
        ),
    ),
)

AE_PEERS = (
    "torch K-loop",
    "torch batched",
    "torch batched, 112 at a time",
    "torch.func",
    "TorchJD autojac",
    "JAX jit",
    "HIPS autograd",
)

AE = Group(
    "AE",
    "Autoencoder 784-256-32-256-784, batch 64, 784 costs of each example",
    tuple(
        Case(
            f"AE {task} {dtype}",
            f"{title}, {dtype}",
            task,
            replace(AUTOENCODER, dtype=dtype),
            (
                Goal("5 x the best peer", 0.2, against=AE_PEERS),
                *(
                    (Goal("like for like", 0.2, against=AE_PEERS, variant="whygrad, multiplied out"),)
                    if task == "cotangents"
                    else ()
                ),
            ),
            memory=True,
        )
        for dtype in ("float32", "float64")
        for task, title in (
            ("cotangents", "Factored gradients: each cost's cotangent at each hidden pre-activation"),
            ("input_jacobian", "Jacobian of the costs by the inputs"),
        )
    ),
)

SEMIRINGS = Group(
    "semirings",
    "One sweep under each semiring, the forward pass not counted",
    tuple(
        Case(
            f"sweeps {'-'.join(map(str, sizes))}",
            f"{'-'.join(map(str, sizes))}, batch 32, 10 costs, float64",
            "sweep",
            relu_net(32, "float64", sizes),
            sweep_goals(),
            reference=("whygrad gradient", "NumPy by hand"),
        )
        for sizes in ((784, 512, 512, 10), (64, 64, 64, 10))
    ),
)

PATHS = Group(
    "paths",
    "The ten strongest of the two billion paths of 784-512-512-10",
    (
        Case(
            "paths",
            "One example, float64, after its sweep under the strongest semiring",
            "paths",
            relu_net(1, "float64"),
            (Goal("a few ms", 5.0, "ms"),),
        ),
    ),
)

START = Group("start", "Import and cold start, each in fresh processes")
