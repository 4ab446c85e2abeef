"""The table of operations: declarations only.

Each operation is declared once, by the formula of its value, the formula of its partial by each input, and the
structure of its local Jacobian. The same declaration is evaluated for the number, printed for the line on screen and
in generated code, pulled back under every semiring, and tested by the laws in ``tests/laws/test_ops.py``.

To add an activation function, add one entry here::

    elementwise("mish(x)", "x*tanh(softplus(x))",
                partials={"x": "tanh(softplus(x)) + x*sigmoid(x)*(1 - tanh(softplus(x))^2)"},
                samples=reals(-4, 4), torch="mish", symbol="\\\\operatorname{mish}", activation=True)

In a formula ``y`` is the operation's output. Formulas are in the language of :mod:`whygrad.formula`.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from whygrad.formula import Tree
from whygrad.structures import (
    Contraction,
    Convolution,
    DenseAlongAxis,
    Elementwise,
    Reduction,
    Selection,
    Structure,
    settled,
)

# In quotes: numpy.random takes as long to import as all of this package, and only the tests draw samples.
Samples = Callable[["np.random.Generator"], tuple[Any, ...]]


class Op(NamedTuple):
    """One operation: its name and arguments, its structure with value and partials, and where it has a kink.

    ``settings`` are numbers that are fixed for an application (a slope, a power), with their defaults. ``kinks``
    maps an argument to the condition under which the declared partial is a choice, and ``source`` says whose.
    ``samples`` draws inputs for the law tests, ``torch`` names PyTorch's function (under ``torch``,
    ``torch.nn.functional`` or ``torch.Tensor``) that it must agree with.
    """

    name: str
    arguments: tuple[str, ...]
    structure: Structure
    samples: Samples
    torch: tuple[str, ...]
    settings: Mapping[str, Any]
    kinks: Mapping[str, str]
    symbol: str
    source: str
    activation: bool
    cost: "Cost | None"

    def value(self, settings: Mapping[str, Any]) -> Tree:
        """Returns the formula of the operation's value with its settings filled in (operations that have one)."""
        assert isinstance(self.structure, (Elementwise, Reduction, DenseAlongAxis)), self.name
        return settled(self.structure.of, settings)


class Cost(NamedTuple):
    """What a network must know of an operation that is its cost.

    ``low`` and ``high`` are the open bounds of the output activation (a logarithm needs 0 < a); ``from_z`` gives the
    cost's value from the pre-activation for the activations where that is the stable way.
    """

    low: float | None = None
    high: float | None = None
    from_z: Mapping[str, str] = {}
    says: str = ""


OPS: dict[str, Op] = {}
ACTIVATIONS: dict[str, Op] = {}
COSTS: dict[str, Op] = {}


def _declare(
    signature: str,
    structure: Callable[[tuple[str, ...]], Structure],
    samples: Samples,
    torch: str | tuple[str, ...] = (),
    settings: Mapping[str, Any] | None = None,
    kinks: Mapping[str, str] | None = None,
    symbol: str = "",
    source: str = "",
    activation: bool = False,
    cost: Cost | None = None,
) -> Op:
    name, _, rest = signature.partition("(")
    arguments = tuple(argument.strip() for argument in rest.rstrip(")").split(","))
    op = Op(
        name,
        arguments,
        structure(arguments),
        samples,
        (torch,) if isinstance(torch, str) else torch,
        settings or {},
        kinks or {},
        symbol or f"\\operatorname{{{name}}}",
        source,
        activation,
        cost,
    )
    OPS[name] = op
    if op.activation:
        ACTIVATIONS[name] = op
    if op.cost is not None:
        COSTS[name] = op
    return op


def elementwise(signature: str, of: str, partials: Mapping[str, str], samples: Samples, **more: Any) -> Op:
    """Returns, and enters in the table, an operation whose output entries depend on one entry of each input."""
    return _declare(signature, lambda arguments: Elementwise(arguments, of, partials), samples, **more)


def contraction(signature: str, pattern: str, samples: Samples, **more: Any) -> Op:
    """Returns, and enters in the table, a product summed over labels, such as ``"i k, k j -> i j"``."""
    left, _, out = pattern.partition("->")
    first, second = (tuple(part.split()) for part in left.split(","))
    return _declare(
        signature,
        lambda arguments: Contraction(arguments, (first, second, tuple(out.split()))),
        samples,
        **more,
    )


def reduction(signature: str, of: str, partials: Mapping[str, str], samples: Samples, **more: Any) -> Op:
    """Returns, and enters in the table, a sum over axes of a formula of each entry; ``n``: how many."""
    return _declare(signature, lambda arguments: Reduction(arguments, of, partials), samples, **more)


def dense(
    signature: str,
    of: str,
    partials: Mapping[str, str],
    samples: Samples,
    quantities: Mapping[str, str] | None = None,
    **more: Any,
) -> Op:
    """Returns, and enters in the table, an operation in which all entries along one axis depend on each other."""
    return _declare(
        signature,
        lambda arguments: DenseAlongAxis(arguments[0], of, partials, quantities or {}),
        samples,
        **more,
    )


def selection(signature: str, select: Callable[..., Any], samples: Samples, **more: Any) -> Op:
    """Returns, and enters in the table, an operation that picks, moves or repeats entries."""
    return _declare(signature, lambda arguments: Selection(arguments, select), samples, **more)


def reals(low: float, high: float, *shapes: tuple[int, ...]) -> Samples:
    """Returns a drawer of arrays with entries between two numbers, one for each shape."""
    return lambda generator: tuple(generator.uniform(low, high, shape) for shape in shapes or ((3, 4),))


def shares(*shapes: tuple[int, ...]) -> Samples:
    """Returns a drawer of arrays with entries well inside (0, 1), one for each shape."""
    return reals(0.05, 0.95, *shapes)


PAIR = ((3, 4), (3, 4))
BROADCAST = ((3, 4), (4,))

# Arithmetic
add = elementwise("add(a, b)", "a + b", {"a": "1", "b": "1"}, reals(-3, 3, *BROADCAST), torch="add")
sub = elementwise("sub(a, b)", "a - b", {"a": "1", "b": "-1"}, reals(-3, 3, *BROADCAST), torch="sub")
mul = elementwise("mul(a, b)", "a*b", {"a": "b", "b": "a"}, reals(-3, 3, *BROADCAST), torch="mul")
div = elementwise("div(a, b)", "a/b", {"a": "1/b", "b": "-a/b^2"}, reals(0.5, 3, *BROADCAST), torch="div")
neg = elementwise("neg(x)", "-x", {"x": "-1"}, reals(-3, 3), torch="neg")
exp = elementwise("exp(x)", "exp(x)", {"x": "y"}, reals(-3, 3), torch="exp")
log = elementwise("log(x)", "log(x)", {"x": "1/x"}, reals(0.1, 3), torch="log", symbol="\\ln")
power = elementwise(
    "power(x)",
    "x^p",
    {"x": "p*x^(p - 1)"},
    reals(0.1, 3),
    torch="pow",
    settings={"p": 2},
    symbol="(\\cdot)^p",
)
absolute = elementwise(
    "abs(x)",
    "abs(x)",
    {"x": "sign(x)"},
    reals(-3, 3),
    torch="abs",
    kinks={"x": "x = 0"},
    source="0 at the kink, as PyTorch has it",
)

# Products, sums, and entries that are moved
matmul = contraction(
    "matmul(A, B)", "i k, k j -> i j", reals(-2, 2, (3, 4), (4, 2)), torch=("mm", "matmul"), symbol="A B"
)
linear = contraction(
    "linear(x, W)", "... i, o i -> ... o", reals(-2, 2, (3, 4), (2, 4)), torch="linear", symbol="x W^\\top"
)
total = reduction("sum(x)", "x", {"x": "1"}, reals(-3, 3), torch="sum", symbol="\\sum")
mean = reduction("mean(x)", "x/n", {"x": "1/n"}, reals(-3, 3), torch="mean")
l2 = reduction("l2(x)", "strength*x^2/2", {"x": "strength*x"}, reals(-3, 3), settings={"strength": 1.0})
transpose = selection("transpose(x)", lambda x: x.T, reals(-3, 3), torch="t")
reshape = selection(
    "reshape(x)",
    lambda x, shape: x.reshape(shape),
    reals(-3, 3),
    torch="reshape",
    settings={"shape": (-1,)},
)
take = selection(
    "take(x)",
    lambda x, index: x[index],
    reals(-3, 3),
    settings={"index": (np.array([0, 2, 0]), np.array([1, 1, 1]))},
    torch="__getitem__",
)

# Activation functions
identity = elementwise(
    "identity(x)", "x", {"x": "1"}, reals(-3, 3), torch="clone", activation=True, symbol="\\mathrm{id}"
)
sigmoid = elementwise(
    "sigmoid(x)",
    "sigmoid(x)",
    {"x": "y*(1 - y)"},
    reals(-6, 6),
    torch="sigmoid",
    activation=True,
    symbol="\\sigma",
)
tanh = elementwise(
    "tanh(x)", "tanh(x)", {"x": "1 - y^2"}, reals(-3, 3), torch="tanh", activation=True, symbol="\\tanh"
)
relu = elementwise(
    "relu(x)",
    "max(x, 0)",
    {"x": "where(x > 0, 1, 0)"},
    reals(-3, 3),
    torch="relu",
    activation=True,
    kinks={"x": "x = 0"},
    source="0 at the kink, as PyTorch has it",
)
leaky_relu = elementwise(
    "leaky_relu(x)",
    "where(x > 0, x, slope*x)",
    {"x": "where(x > 0, 1, slope)"},
    reals(-3, 3),
    torch="leaky_relu",
    settings={"slope": 0.01},
    activation=True,
    kinks={"x": "x = 0"},
    source="the slope of the left side at the kink, as PyTorch has it",
)
elu = elementwise(
    "elu(x)",
    "where(x > 0, x, alpha*expm1(min(x, 0)))",
    # not y + alpha, which loses the small slopes far to the left to rounding
    {"x": "where(x > 0, 1, alpha*exp(min(x, 0)))"},
    reals(-3, 3),
    torch="elu",
    settings={"alpha": 1.0},
    activation=True,
    kinks={"x": "x = 0"},
    source="the slope of the left side at the kink, as PyTorch has it (no kink for alpha = 1)",
)
softplus = elementwise(
    "softplus(x)", "softplus(x)", {"x": "sigmoid(x)"}, reals(-6, 6), torch="softplus", activation=True
)
gelu = elementwise(
    "gelu(x)",
    "x*Phi(x)",
    {"x": "Phi(x) + x*phi(x)"},
    reals(-4, 4),
    torch="gelu",
    activation=True,
    source="Hendrycks and Gimpel 2016, the exact form (PyTorch's default)",
)
silu = elementwise(
    "silu(x)",
    "x*sigmoid(x)",
    {"x": "sigmoid(x)*(1 + x*(1 - sigmoid(x)))"},
    reals(-6, 6),
    torch="silu",
    activation=True,
    source="Elfwing et al. 2017",
)
softmax = dense(
    "softmax(x)",
    "exp(x - axis_max(x))/axis_sum(exp(x - axis_max(x)))",
    {"x": "y_i*(delta - y_j)"},
    reals(-3, 3),
    torch="softmax",
    settings={"axis": -1},
    activation=True,
)
log_softmax = dense(
    "log_softmax(x)",
    "x - axis_max(x) - log(axis_sum(exp(x - axis_max(x))))",
    {"x": "delta - exp(y_j)"},
    reals(-3, 3),
    torch="log_softmax",
    settings={"axis": -1},
    activation=True,
)

# Costs: of an output activation a and its target t, one cost for each output
squared_error = elementwise(
    "squared_error(a, t)",
    "(a - t)^2",
    {"a": "2*(a - t)", "t": "-2*(a - t)"},
    reals(-2, 2, *PAIR),
    torch="mse_loss",
    cost=Cost(says="the squared error, without a half"),
)
half_squared_error = elementwise(
    "half_squared_error(a, t)",
    "(a - t)^2/2",
    {"a": "a - t", "t": "-(a - t)"},
    reals(-2, 2, *PAIR),
    cost=Cost(says="half the squared error"),
)
cross_entropy = elementwise(
    "cross_entropy(a, t)",
    "-t*log(a)",
    {"a": "-t/a", "t": "-log(a)"},
    shares(*PAIR),
    # With a kept off 0, the product of -t/a and the slope of softmax or sigmoid is right at any saturation.
    cost=Cost(
        low=0.0,
        from_z={
            # top and whole: the largest of the layer's z, and the sum of exp(z - top)
            "softmax": "t*(log(whole) - (z - top))",
            "sigmoid": "t*softplus(-z)",
        },
        says="the cross entropy with the target",
    ),
)
binary_cross_entropy = elementwise(
    "binary_cross_entropy(a, t)",
    "-t*log(a) - (1 - t)*log(1 - a)",
    {"a": "(a - t)/(a*(1 - a))", "t": "log(1 - a) - log(a)"},
    shares(*PAIR),
    torch="binary_cross_entropy",
    cost=Cost(
        low=0.0,
        high=1.0,
        from_z={"sigmoid": "t*softplus(-z) + (1 - t)*softplus(z)"},
        says="the binary cross entropy with the target",
    ),
)
absolute_error = elementwise(
    "absolute_error(a, t)",
    "abs(a - t)",
    {"a": "sign(a - t)", "t": "-sign(a - t)"},
    reals(-2, 2, *PAIR),
    torch="l1_loss",
    kinks={"a": "a = t", "t": "a = t"},
    source="0 at the kink, as PyTorch has it",
    cost=Cost(says="the absolute error"),
)

convolution = _declare(
    "convolution(x, W)",
    Convolution,
    reals(-2, 2, (2, 2, 5, 4), (3, 2, 3, 2)),
    torch="convolution",
    settings={
        "stride": (1,),
        "padding": (0,),
        "dilation": (1,),
        "transposed": False,
        "output_padding": (0,),
        "groups": 1,
    },
    symbol="x * W",
)
