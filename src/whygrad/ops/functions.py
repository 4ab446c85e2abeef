"""Elementary functions of one array."""

from whygrad.ops.declare import elementwise, reals

reciprocal = elementwise("reciprocal(x)", "1/x", {"x": "-y^2"}, reals(0.3, 3), torch="reciprocal")
square = elementwise("square(x)", "x^2", {"x": "2*x"}, reals(-3, 3), torch="square")
sqrt = elementwise("sqrt(x)", "sqrt(x)", {"x": "1/(2*y)"}, reals(0.2, 3), torch="sqrt")
rsqrt = elementwise("rsqrt(x)", "1/sqrt(x)", {"x": "-y^3/2"}, reals(0.3, 3), torch="rsqrt")
log1p = elementwise("log1p(x)", "log1p(x)", {"x": "1/(1 + x)"}, reals(-0.5, 3), torch="log1p")
log2 = elementwise("log2(x)", "log2(x)", {"x": "1/(0.6931471805599453*x)"}, reals(0.2, 3), torch="log2")
log10 = elementwise("log10(x)", "log10(x)", {"x": "1/(2.302585092994046*x)"}, reals(0.2, 3), torch="log10")
exp2 = elementwise("exp2(x)", "exp2(x)", {"x": "0.6931471805599453*y"}, reals(-3, 3), torch="exp2")
expm1 = elementwise("expm1(x)", "expm1(x)", {"x": "exp(x)"}, reals(-3, 3), torch="expm1")
sin = elementwise("sin(x)", "sin(x)", {"x": "cos(x)"}, reals(-3, 3), torch="sin")
cos = elementwise("cos(x)", "cos(x)", {"x": "-sin(x)"}, reals(-3, 3), torch="cos")
tan = elementwise("tan(x)", "tan(x)", {"x": "1 + y^2"}, reals(-1.2, 1.2), torch="tan")
asin = elementwise("asin(x)", "arcsin(x)", {"x": "1/sqrt(1 - x^2)"}, reals(-0.9, 0.9), torch="asin")
acos = elementwise("acos(x)", "arccos(x)", {"x": "-1/sqrt(1 - x^2)"}, reals(-0.9, 0.9), torch="acos")
atan = elementwise("atan(x)", "arctan(x)", {"x": "1/(1 + x^2)"}, reals(-3, 3), torch="atan")
sinh = elementwise("sinh(x)", "sinh(x)", {"x": "cosh(x)"}, reals(-2, 2), torch="sinh")
cosh = elementwise("cosh(x)", "cosh(x)", {"x": "sinh(x)"}, reals(-2, 2), torch="cosh")
asinh = elementwise("asinh(x)", "arcsinh(x)", {"x": "1/sqrt(1 + x^2)"}, reals(-3, 3), torch="asinh")
acosh = elementwise("acosh(x)", "arccosh(x)", {"x": "1/sqrt(x^2 - 1)"}, reals(1.2, 3), torch="acosh")
atanh = elementwise("atanh(x)", "arctanh(x)", {"x": "1/(1 - x^2)"}, reals(-0.9, 0.9), torch="atanh")
erf = elementwise("erf(x)", "erf(x)", {"x": "1.1283791670955126*exp(-x^2)"}, reals(-2, 2), torch="erf")
erfc = elementwise("erfc(x)", "erfc(x)", {"x": "-1.1283791670955126*exp(-x^2)"}, reals(-2, 2), torch="erfc")
erfcx = elementwise(
    "erfcx(x)",
    "exp(x^2)*erfc(x)",
    {"x": "2*x*y - 1.1283791670955126"},
    reals(-2, 2),
    torch="special_erfcx",
)
log_ndtr = elementwise(
    "log_ndtr(x)",
    "log(Phi(x))",
    {"x": "0.3989422804014327*exp(-x^2/2 - y)"},
    reals(-3, 3),
    torch="special_log_ndtr",
    source="the logarithm of the normal distribution function, for probit losses",
)
erfinv = elementwise(
    "erfinv(x)", "erfinv(x)", {"x": "0.8862269254527580*exp(y^2)"}, reals(-0.9, 0.9), torch="erfinv"
)
lgamma = elementwise("lgamma(x)", "lgamma(x)", {"x": "digamma(x)"}, reals(0.2, 4), torch="lgamma")
# PyTorch's trigamma is good to 5e-10 for small x only: the samples are large. Its zeta(2, x) is the same, and exact.
digamma = elementwise("digamma(x)", "digamma(x)", {"x": "trigamma(x)"}, reals(20, 30), torch="digamma")
sign = elementwise(
    "sign(x)",
    "sign(x)",
    {"x": "0"},
    reals(-3, 3),
    torch="sign",
    source="0 everywhere, at the steps too, as PyTorch has it",
)
floor = elementwise(
    "floor(x)",
    "floor(x)",
    {"x": "0"},
    reals(-3, 3),
    torch="floor",
    source="0 everywhere, at the steps too, as PyTorch has it",
)
ceil = elementwise(
    "ceil(x)",
    "ceil(x)",
    {"x": "0"},
    reals(-3, 3),
    torch="ceil",
    source="0 everywhere, at the steps too, as PyTorch has it",
)
round = elementwise(
    "round(x)",
    "round(x)",
    {"x": "0"},
    reals(-3, 3),
    torch="round",
    source="0 everywhere, at the steps too, as PyTorch has it",
)
trunc = elementwise(
    "trunc(x)",
    "trunc(x)",
    {"x": "0"},
    reals(-3, 3),
    torch="trunc",
    source="0 everywhere, at the steps too, as PyTorch has it",
)
frac = elementwise("frac(x)", "x - trunc(x)", {"x": "1"}, reals(-3, 3), torch="frac")
