"""Arithmetic of two and three arrays beyond that of layered networks."""

from whygrad.ops.declare import BROADCAST, PAIR, elementwise, reals

INF = float("inf")
SHARED = "shared evenly where both are equal, as PyTorch has it"

add_scaled = elementwise(
    "add_scaled(a, b)",
    "a + alpha*b",
    {"a": "1", "b": "alpha"},
    reals(-3, 3, *BROADCAST),
    torch="add(alpha=alpha)",
    settings={"alpha": 1},
)
sub_scaled = elementwise(
    "sub_scaled(a, b)",
    "a - alpha*b",
    {"a": "1", "b": "-alpha"},
    reals(-3, 3, *BROADCAST),
    torch="sub(alpha=alpha)",
    settings={"alpha": 1},
)
rsub = elementwise(
    "rsub(a, b)",
    "b - alpha*a",
    {"a": "-alpha", "b": "1"},
    reals(-3, 3, *BROADCAST),
    torch="rsub(alpha=alpha)",
    settings={"alpha": 1},
)
pow = elementwise(
    "pow(a, b)",
    "a^b",
    {
        # the power of 0 is left out, which is 0 times an infinity at a = 0
        "a": "where(b == 0, 0, b*a^where(b == 0, 1, b - 1))",
        "b": "where(a == 0, 0, y*log(where(a == 0, 1, a)))",
    },
    reals(0.2, 3, *BROADCAST),
    torch="pow",
    symbol="a^b",
    source="0^0 = 1 with partials 0, as PyTorch has it",
)
maximum = elementwise(
    "maximum(a, b)",
    "max(a, b)",
    {"a": "where(a > b, 1, where(a == b, 0.5, 0))", "b": "where(b > a, 1, where(a == b, 0.5, 0))"},
    reals(-3, 3, *BROADCAST),
    torch="maximum",
    kinks={"a": "a = b", "b": "b = a"},
    source=SHARED,
)
minimum = elementwise(
    "minimum(a, b)",
    "min(a, b)",
    {"a": "where(a < b, 1, where(a == b, 0.5, 0))", "b": "where(b < a, 1, where(a == b, 0.5, 0))"},
    reals(-3, 3, *BROADCAST),
    torch="minimum",
    kinks={"a": "a = b", "b": "b = a"},
    source=SHARED,
)
fmax = elementwise(
    "fmax(a, b)",
    "where(a >= b, a, b)",
    {"a": "where(a >= b, 1, 0)", "b": "where(a >= b, 0, 1)"},
    reals(-3, 3, *BROADCAST),
    torch="fmax",
    kinks={"a": "a = b", "b": "b = a"},
    source="the first where both are equal, as PyTorch has it",
)
fmin = elementwise(
    "fmin(a, b)",
    "where(a <= b, a, b)",
    {"a": "where(a <= b, 1, 0)", "b": "where(a <= b, 0, 1)"},
    reals(-3, 3, *BROADCAST),
    torch="fmin",
    kinks={"a": "a = b", "b": "b = a"},
    source="the first where both are equal, as PyTorch has it",
)
clamp = elementwise(
    "clamp(x)",
    "min(max(x, low), high)",
    {"x": "where(x >= low, where(x <= high, 1, 0), 0)"},
    reals(-3, 3),
    torch="clamp(min=low, max=high)",
    settings={"low": -INF, "high": INF},
    kinks={"x": "x = low or x = high"},
    source="1 at either bound, as PyTorch has it",
)
clamp_min = elementwise(
    "clamp_min(x, low)",
    "max(x, low)",
    {"x": "where(x >= low, 1, 0)", "low": "where(x >= low, 0, 1)"},
    reals(-3, 3, *BROADCAST),
    torch="clamp_min",
    kinks={"x": "x = low", "low": "low = x"},
    source="x's at the bound, as PyTorch has it",
)
clamp_max = elementwise(
    "clamp_max(x, high)",
    "min(x, high)",
    {"x": "where(x <= high, 1, 0)", "high": "where(x <= high, 0, 1)"},
    reals(-3, 3, *BROADCAST),
    torch="clamp_max",
    kinks={"x": "x = high", "high": "high = x"},
    source="x's at the bound, as PyTorch has it",
)
clamp_between = elementwise(
    "clamp_between(x, low, high)",
    "min(max(x, low), high)",
    {
        "x": "where(x >= low, where(x <= high, 1, 0), 0)",
        "low": "where(x < low, where(low < high, 1, 0), 0)",
        "high": "where(x > high, 1, where(low > high, 1, 0))",
    },
    reals(-3, 3, (3, 4), (3, 4), (3, 4)),
    torch="clamp",
    kinks={"x": "x = low or x = high"},
    source="x's at the bound, as PyTorch has it",
)
lerp = elementwise(
    "lerp(a, b, w)",
    "a + w*(b - a)",
    {"a": "1 - w", "b": "w", "w": "b - a"},
    reals(-3, 3, (3, 4), (3, 4), (3, 4)),
    torch="lerp",
)
addcmul = elementwise(
    "addcmul(a, b, c)",
    "a + value*b*c",
    {"a": "1", "b": "value*c", "c": "value*b"},
    reals(-3, 3, (3, 4), (4,), (3, 1)),
    torch="addcmul",
    settings={"value": 1},
)
addcdiv = elementwise(
    "addcdiv(a, b, c)",
    "a + value*b/c",
    {"a": "1", "b": "value/c", "c": "-value*b/c^2"},
    reals(0.5, 3, (3, 4), (4,), (3, 1)),
    torch="addcdiv",
    settings={"value": 1},
)
atan2 = elementwise(
    "atan2(a, b)",
    "arctan2(a, b)",
    {"a": "b/(a^2 + b^2)", "b": "-a/(a^2 + b^2)"},
    reals(0.3, 3, *BROADCAST),
    torch="atan2",
)
hypot = elementwise(
    "hypot(a, b)", "hypot(a, b)", {"a": "a/y", "b": "b/y"}, reals(0.3, 3, *BROADCAST), torch="hypot"
)
remainder = elementwise(
    "remainder(a, b)",
    "remainder(a, b)",
    {"a": "1", "b": "-floor(a/b)"},
    reals(0.5, 3, *PAIR),
    torch="remainder",
)
fmod = elementwise(
    "fmod(a, b)", "fmod(a, b)", {"a": "1", "b": "-trunc(a/b)"}, reals(0.5, 3, *PAIR), torch="fmod"
)
copysign = elementwise(
    "copysign(a, b)",
    "where(b < 0, -abs(a), abs(a))",
    {"a": "where(a == 0, 0, y/where(a == 0, 1, a))", "b": "0"},
    reals(-3, 3, *BROADCAST),
    torch="copysign",
    kinks={"a": "a = 0"},
    source="0 at the kink, as PyTorch has it",
)
xlogy = elementwise(
    "xlogy(a, b)",
    "a*log(where(a == 0, 1, b))",
    {"a": "log(where(a == 0, where(b > 0, b, 1), b))", "b": "a/b"},
    reals(0.2, 3, *BROADCAST),
    torch="xlogy",
    source="0 log 0 = 0, as PyTorch has it",
)
logaddexp = elementwise(
    "logaddexp(a, b)",
    "max(a, b) + log1p(exp(-abs(a - b)))",
    {"a": "sigmoid(a - b)", "b": "sigmoid(b - a)"},
    reals(-3, 3, *BROADCAST),
    torch="logaddexp",
)
