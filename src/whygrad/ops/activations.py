"""Activation functions beyond those of layered networks, under PyTorch's names."""

from whygrad.ops.declare import elementwise, reals

LEFT = "the slope of the left side at the kink, as PyTorch has it"
FLAT = "0 at the kink, as PyTorch has it"

logsigmoid = elementwise(
    "logsigmoid(x)", "-softplus(-x)", {"x": "sigmoid(-x)"}, reals(-6, 6), torch="logsigmoid"
)
softplus_scaled = elementwise(
    "softplus_scaled(x)",
    "where(beta*x > threshold, x, softplus(beta*x)/beta)",
    {"x": "where(beta*x > threshold, 1, sigmoid(beta*x))"},
    reals(-4, 4),
    torch="softplus",
    settings={"beta": 1.0, "threshold": 20.0},
    source="x itself above the threshold, as PyTorch has it",
)
hardtanh = elementwise(
    "hardtanh(x)",
    "min(max(x, low), high)",
    {"x": "where(x > low, where(x < high, 1, 0), 0)"},
    reals(-3, 3),
    torch="hardtanh(min_val=low, max_val=high)",
    settings={"low": -1.0, "high": 1.0},
    kinks={"x": "x = low or x = high"},
    source=FLAT,
)
relu6 = elementwise(
    "relu6(x)",
    "min(max(x, 0), 6)",
    {"x": "where(x > 0, where(x < 6, 1, 0), 0)"},
    reals(-4, 10),
    torch="relu6",
    kinks={"x": "x = 0 or x = 6"},
    source=FLAT,
)
hardsigmoid = elementwise(
    "hardsigmoid(x)",
    "min(max(x + 3, 0), 6)/6",
    {"x": "where(x > -3, where(x < 3, 1/6, 0), 0)"},
    reals(-5, 5),
    torch="hardsigmoid",
    kinks={"x": "x = -3 or x = 3"},
    source=FLAT,
)
hardswish = elementwise(
    "hardswish(x)",
    "x*min(max(x + 3, 0), 6)/6",
    {"x": "where(x > -3, where(x < 3, x/3 + 0.5, 1), 0)"},
    reals(-5, 5),
    torch="hardswish",
    kinks={"x": "x = -3 or x = 3"},
    source="the slope of the right side at the kink, as PyTorch has it",
)
selu = elementwise(
    "selu(x)",
    "1.0507009873554805*where(x > 0, x, 1.6732632423543772*expm1(min(x, 0)))",
    {"x": "1.0507009873554805*where(x > 0, 1, 1.6732632423543772*exp(min(x, 0)))"},
    reals(-3, 3),
    torch="selu",
    kinks={"x": "x = 0"},
    source=LEFT,
)
celu = elementwise(
    "celu(x)",
    "where(x > 0, x, alpha*expm1(min(x, 0)/alpha))",
    {"x": "where(x > 0, 1, exp(min(x, 0)/alpha))"},
    reals(-3, 3),
    torch="celu",
    settings={"alpha": 1.0},
)
mish = elementwise(
    "mish(x)",
    "x*tanh(softplus(x))",
    {"x": "tanh(softplus(x)) + x*sigmoid(x)*(1 - tanh(softplus(x))^2)"},
    reals(-4, 4),
    torch="mish",
)
gelu_tanh = elementwise(
    "gelu_tanh(x)",
    "x*(1 + tanh(0.7978845608028654*(x + 0.044715*x^3)))/2",
    {
        "x": "(1 + tanh(0.7978845608028654*(x + 0.044715*x^3)))/2"
        " + 0.3989422804014327*x*(1 + 0.134145*x^2)*(1 - tanh(0.7978845608028654*(x + 0.044715*x^3))^2)"
    },
    reals(-4, 4),
    torch="gelu(approximate='tanh')",
    source="Hendrycks and Gimpel 2016, the approximate form",
)
softsign = elementwise(
    "softsign(x)", "x/(1 + abs(x))", {"x": "1/(1 + abs(x))^2"}, reals(-3, 3), torch="softsign"
)
tanhshrink = elementwise("tanhshrink(x)", "x - tanh(x)", {"x": "tanh(x)^2"}, reals(-3, 3), torch="tanhshrink")
hardshrink = elementwise(
    "hardshrink(x)",
    "where(abs(x) > lambd, x, 0)",
    {"x": "where(abs(x) > lambd, 1, 0)"},
    reals(-3, 3),
    torch="hardshrink",
    settings={"lambd": 0.5},
    kinks={"x": "x = -lambd or x = lambd"},
    source=FLAT,
)
softshrink = elementwise(
    "softshrink(x)",
    "where(x > lambd, x - lambd, where(x < -lambd, x + lambd, 0))",
    {"x": "where(abs(x) > lambd, 1, 0)"},
    reals(-3, 3),
    torch="softshrink",
    settings={"lambd": 0.5},
    kinks={"x": "x = -lambd or x = lambd"},
    source=FLAT,
)
threshold = elementwise(
    "threshold(x)",
    "where(x > threshold, x, value)",
    {"x": "where(x > threshold, 1, 0)"},
    reals(-3, 3),
    torch="threshold",
    settings={"threshold": 0.5, "value": 0.5},
    kinks={"x": "x = threshold"},
    source=FLAT,
)
prelu = elementwise(
    "prelu(x, w)",
    "where(x > 0, x, w*x)",
    {"x": "where(x > 0, 1, w)", "w": "where(x > 0, 0, x)"},
    reals(-3, 3, (3, 4), (1, 4)),
    torch="_prelu_kernel",
    kinks={"x": "x = 0"},
    source=LEFT,
)
