"""What layered networks are made of: arithmetic, products, sums, moved entries, activation functions, costs."""

import numpy as np

from whygrad.ops.declare import (
    BROADCAST,
    PAIR,
    Cost,
    contraction,
    dense,
    elementwise,
    reals,
    reduction,
    selection,
    shares,
)

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
    torch="pow(exponent=p)",
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
    torch="leaky_relu(negative_slope=slope)",
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
    "softplus(x)",
    "softplus(x)",
    {"x": "sigmoid(x)"},
    reals(-6, 6),
    torch="softplus(threshold=1e9)",
    activation=True,
)
gelu = elementwise(
    "gelu(x)",
    "x*Phi(x)",
    {"x": "Phi(x) + x*phi(x)"},
    reals(-4, 4),
    torch="gelu(approximate='none')",
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
    torch="softmax(dim=axis)",
    settings={"axis": -1},
    activation=True,
)
log_softmax = dense(
    "log_softmax(x)",
    "x - axis_max(x) - log(axis_sum(exp(x - axis_max(x))))",
    {"x": "delta - exp(y_j)"},
    reals(-3, 3),
    torch="log_softmax(dim=axis)",
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
