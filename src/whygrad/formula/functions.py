"""The functions that a formula may call: one row each, with how each style writes it."""

from typing import NamedTuple

STYLES = ("numpy", "scalar", "torch", "latex", "text")


class Function(NamedTuple):
    """One function of the language and how each style writes it; ``{0}``, ``{1}``, … are its arguments.

    A template that ends up as an operator expression says how tightly it binds in ``strength``
    (higher binds tighter; a call binds tightest).
    """

    numpy: str
    scalar: str
    torch: str
    latex: str
    text: str
    strength: int = 9

    @property
    def arity(self) -> int:
        """How many arguments it takes."""
        return sum(f"{{{place}}}" in self.numpy for place in range(3))


def _call(name: str, *, numpy: str = "", scalar: str = "", torch: str = "", latex: str = "") -> Function:
    return Function(
        numpy or f"np.{name}({{0}})",
        scalar or f"{name}({{0}})",
        torch or f"torch.{name}({{0}})",
        latex or f"\\{name}({{0}})",
        f"{name}({{0}})",
    )


def _pair(name: str, *, scalar: str = "", latex: str = "") -> Function:
    called = f"{name}({{0}}, {{1}})"
    return Function(
        f"np.{called}",
        scalar or called,
        f"torch.{called}",
        latex or f"\\operatorname{{{{{name}}}}}({{0}}, {{1}})",
        called,
    )


COMPARISON, SUM, PRODUCT, SIGN, POWER, CALL = 2, 3, 5, 6, 7, 9


def _operator(template: str, strength: int, *, latex: str = "", text: str = "") -> Function:
    return Function(template, template, template, latex or template, text or template, strength)


FUNCTIONS: dict[str, Function] = {
    "add": _operator("{0} + {1}", SUM),
    "sub": _operator("{0} - {1}", SUM),
    "mul": _operator("{0}*{1}", PRODUCT, latex="{0} \\, {1}", text="{0}·{1}"),
    "div": _operator("{0}/{1}", PRODUCT, latex="\\frac{{{0}}}{{{1}}}"),
    "neg": _operator("-{0}", SIGN),
    "pow": _operator("{0}**{1}", POWER, latex="{0}^{{{1}}}", text="{0}^{1}"),
    "gt": _operator("{0} > {1}", COMPARISON),
    "lt": _operator("{0} < {1}", COMPARISON),
    "ge": _operator("{0} >= {1}", COMPARISON, latex="{0} \\ge {1}", text="{0} ≥ {1}"),
    "le": _operator("{0} <= {1}", COMPARISON, latex="{0} \\le {1}", text="{0} ≤ {1}"),
    "eq": _operator("{0} == {1}", COMPARISON, latex="{0} = {1}", text="{0} = {1}"),
    "exp": _call("exp", latex="e^{{{0}}}"),
    "expm1": _call("expm1", latex="(e^{{{0}}} - 1)"),
    "log": _call("log", latex="\\ln {0}"),
    "exp2": _call("exp2", latex="2^{{{0}}}"),
    "log1p": _call("log1p", latex="\\ln(1 + {0})"),
    "log2": _call("log2", latex="\\log_2 {0}"),
    "log10": _call("log10", latex="\\log_{{10}} {0}"),
    "sqrt": _call("sqrt", latex="\\sqrt{{{0}}}"),
    "tanh": _call("tanh"),
    "sin": _call("sin"),
    "cos": _call("cos"),
    "tan": _call("tan"),
    "sinh": _call("sinh"),
    "cosh": _call("cosh"),
    "arcsin": _call("arcsin", scalar="asin({0})"),
    "arccos": _call("arccos", scalar="acos({0})"),
    "arctan": _call("arctan", scalar="atan({0})"),
    "arcsinh": _call("arcsinh", scalar="asinh({0})", latex="\\operatorname{{arsinh}}({0})"),
    "arccosh": _call("arccosh", scalar="acosh({0})", latex="\\operatorname{{arcosh}}({0})"),
    "arctanh": _call("arctanh", scalar="atanh({0})", latex="\\operatorname{{artanh}}({0})"),
    "arctan2": _pair("arctan2", scalar="atan2({0}, {1})"),
    "hypot": _pair("hypot", latex="\\sqrt{{{0}^2 + {1}^2}}"),
    "remainder": _pair("remainder", scalar="({0}) % ({1})", latex="({0} \\bmod {1})"),
    "fmod": _pair("fmod"),
    "erf": _call("erf", numpy="erf({0})", latex="\\operatorname{{erf}}({0})"),
    "erfc": _call("erfc", numpy="erfc({0})", latex="\\operatorname{{erfc}}({0})"),
    "erfinv": _call("erfinv", numpy="erfinv({0})", latex="\\operatorname{{erf}}^{{-1}}({0})"),
    "lgamma": _call("lgamma", numpy="lgamma({0})", latex="\\ln\\Gamma({0})"),
    "digamma": _call("digamma", numpy="digamma({0})", latex="\\psi({0})"),
    "trigamma": _call(
        "trigamma", numpy="trigamma({0})", torch="torch.special.zeta(2, {0})", latex="\\psi_1({0})"
    ),
    "floor": _call("floor", latex="\\lfloor {0} \\rfloor"),
    "ceil": _call("ceil", latex="\\lceil {0} \\rceil"),
    "trunc": _call("trunc", latex="\\operatorname{{trunc}}({0})"),
    # half to even, as both NumPy and PyTorch have it
    "round": _call("round", latex="\\operatorname{{round}}({0})"),
    "abs": _call("abs", scalar="abs({0})", latex="|{0}|"),
    "sign": _call("sign", scalar="sign({0})", latex="\\operatorname{{sign}}({0})"),
    "sigmoid": _call("sigmoid", numpy="sigmoid({0})", latex="\\sigma({0})"),
    "softplus": _call(
        "softplus",
        numpy="np.logaddexp({0}, 0)",
        torch="torch.logaddexp({0}, torch.zeros_like({0}))",
        latex="\\ln(1 + e^{{{0}}})",
    ),
    # The distribution function and the density of the standard normal, for gelu.
    "Phi": _call("Phi", numpy="Phi({0})", torch="torch.special.ndtr({0})", latex="\\Phi({0})"),
    "phi": _call(
        "phi",
        numpy="phi({0})",
        torch="(torch.exp(-({0})**2/2)/2.5066282746310002)",
        latex="\\varphi({0})",
    ),
    "max": Function(
        "np.maximum({0}, {1})",
        "max({0}, {1})",
        "torch.clamp({0}, min={1})",
        "\\max({0}, {1})",
        "max({0}, {1})",
    ),
    "min": Function(
        "np.minimum({0}, {1})",
        "min({0}, {1})",
        "torch.clamp({0}, max={1})",
        "\\min({0}, {1})",
        "min({0}, {1})",
    ),
    "where": Function(
        "np.where({0}, {1}, {2})",
        "({1} if {0} else {2})",
        "torch.where({0}, {1}, {2})",
        "\\begin{{cases}} {1} & {0} \\\\ {2} & \\text{{otherwise}} \\end{{cases}}",
        "({1} if {0}, else {2})",
    ),
    # Reductions along the last axis, for operations that are dense along one axis (softmax).
    "axis_max": Function(
        "np.max({0}, axis=-1, keepdims=True)",
        "",
        "torch.amax({0}, dim=-1, keepdim=True)",
        "\\max_k {0}",
        "max_k {0}",
    ),
    "axis_sum": Function(
        "np.sum({0}, axis=-1, keepdims=True)",
        "",
        "torch.sum({0}, dim=-1, keepdim=True)",
        "\\sum_k {0}",
        "sum_k {0}",
        4,
    ),
    "axis_prod": Function(
        "np.prod({0}, axis=-1, keepdims=True)",
        "",
        "torch.prod({0}, dim=-1, keepdim=True)",
        "\\prod_k {0}",
        "prod_k {0}",
        4,
    ),
}
