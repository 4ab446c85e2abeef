"""Reductions along axes beyond sums and means."""

from whygrad.ops.declare import reals, reduction

EVENLY = "shared evenly among entries that tie, as PyTorch has it"

var = reduction(
    "var(x)",
    "(x - axis_sum(x)/n)^2/(n - correction)",
    {"x": "2*(x - axis_sum(x)/n)/(n - correction)"},
    reals(-3, 3),
    torch="var",
    settings={"correction": 1},
)
std = reduction(
    "std(x)",
    "sqrt(axis_sum((x - axis_sum(x)/n)^2)/(n - correction))",
    {"x": "where(y == 0, 0, (x - axis_sum(x)/n)/((n - correction)*where(y == 0, 1, y)))"},
    reals(-3, 3),
    torch="std",
    settings={"correction": 1},
    source="0 where all entries are equal, as PyTorch has it",
)
norm = reduction(
    "norm(x)",
    "axis_sum(abs(x)^p)^(1/p)",
    {"x": "sign(x)*(where(x == 0, 1, abs(x))/where(y == 0, 1, y))^(p - 1)"},
    reals(-3, 3),
    torch="linalg_vector_norm(ord=p)",
    settings={"p": 2},
    symbol="\\lVert x \\rVert_p",
    source="0 at entries that are 0 and where the norm is, as PyTorch has it",
)
max_norm = reduction(
    "max_norm(x)",
    "axis_max(abs(x))",
    {"x": "sign(x)*where(abs(x) == y, 1, 0)/axis_sum(where(abs(x) == y, 1, 0))"},
    reals(-3, 3),
    torch="linalg_vector_norm(ord=1e999)",
    symbol="\\lVert x \\rVert_\\infty",
    source=EVENLY,
)
min_norm = reduction(
    "min_norm(x)",
    "-axis_max(-abs(x))",
    {"x": "sign(x)*where(abs(x) == y, 1, 0)/axis_sum(where(abs(x) == y, 1, 0))"},
    reals(-3, 3),
    torch="linalg_vector_norm(ord=-1e999)",
    symbol="\\min\\lvert x \\rvert",
    source=EVENLY,
)
logsumexp = reduction(
    "logsumexp(x)",
    "axis_max(x) + log(axis_sum(exp(x - axis_max(x))))",
    {"x": "exp(x - y)"},
    reals(-3, 3),
    torch="logsumexp",
)
prod = reduction(
    "prod(x)",
    "axis_prod(x)",
    {
        # of a product with one zero, the partial by that zero is the product of the others
        "x": "where(x == 0, where(axis_sum(where(x == 0, 1, 0)) == 1, axis_prod(where(x == 0, 1, x)), 0),"
        " y/where(x == 0, 1, x))"
    },
    reals(-2, 2),
    torch="prod",
    symbol="\\prod",
)
amax = reduction(
    "amax(x)",
    "axis_max(x)",
    {"x": "where(x == y, 1, 0)/axis_sum(where(x == y, 1, 0))"},
    reals(-3, 3),
    torch="amax",
    symbol="\\max",
    source=EVENLY,
)
amin = reduction(
    "amin(x)",
    "-axis_max(-x)",
    {"x": "where(x == y, 1, 0)/axis_sum(where(x == y, 1, 0))"},
    reals(-3, 3),
    torch="amin",
    symbol="\\min",
    source=EVENLY,
)
softmax_cross_entropy = reduction(
    "softmax_cross_entropy(x, t)",
    # where the target is 0 the logarithm may be that of 0
    "-t*where(t == 0, 0, x - axis_max(x) - log(axis_sum(exp(x - axis_max(x)))))",
    {
        "x": "axis_sum(t)*exp(x - axis_max(x))/axis_sum(exp(x - axis_max(x))) - t",
        "t": "axis_max(x) + log(axis_sum(exp(x - axis_max(x)))) - x",
    },
    reals(0.05, 0.95, (3, 4), (3, 4)),
    settings={"axis": -1},
    source="torch.nn.functional.cross_entropy with probabilities as targets",
)
