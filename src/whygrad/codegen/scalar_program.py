"""The scalar program of a layered network: straight lines without a loop or an array, one for each quantity.

It is what one would write on paper for a small network, in the reader's notation, and it is how the engine runs
small networks: a line costs some tens of nanoseconds, a NumPy call half a microsecond.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from whygrad.codegen.layered import Layered, cost_code, cost_slope_code, slope_code, value_code
from whygrad.formula import SCALAR_NAMES, Apply, Number, Symbol, Tree, show, substitute
from whygrad.notation import Quantity

Naming = Callable[[Quantity], str]


def plain_names(q: Quantity) -> str:
    """Returns the identifier of a quantity where no notation is asked for."""
    return "_".join(str(part) for part in q if part is not None)


class Scalars(NamedTuple):
    """A scalar program in parts: lines of the forward and backward pass, and what stands for what.

    ``gradients[k][name]`` lists, for cost k and each parameter in the order of its entries, the expression of the
    derivative: a name, or ``0.0`` where no path leads.
    """

    forward: list[str]
    costs: list[str]
    backward: list[str]
    inputs: list[str]
    targets: list[str]
    parameters: list[str]
    cost_names: list[str]
    gradients: list[dict[str, list[str]]]


def _sum(terms: list[str]) -> str:
    return " + ".join(terms) if terms else "0.0"


def _product(*factors: str) -> str:
    return "*".join(
        f"({factor})" if " + " in factor or " - " in factor else factor for factor in factors if factor != "1"
    )


class _Names(NamedTuple):
    """What the quantities of a network are called."""

    net: Layered
    name: Naming

    def a(self, layer: int, neuron: int) -> str:
        return self.name(Quantity("a", layer, neuron))

    def z(self, layer: int, neuron: int) -> str:
        trivial = self.net.activations[layer - 1].trivial
        return self.name(Quantity("a" if trivial else "z", layer, neuron))

    def w(self, layer: int, to: int, source: int) -> str:
        return self.name(Quantity("w", layer, to, source))

    def y(self, neuron: int) -> str:
        return self.name(Quantity("y", None, neuron))

    def cost(self, neuron: int) -> str:
        return self.name(Quantity("C", None, neuron))

    def weights(self, layer: int) -> list[str]:
        """Returns a layer's weights, those to one neuron after the other."""
        above, below = self.net.sizes[layer], self.net.sizes[layer - 1]
        return [self.w(layer, j, i) for j in range(above) for i in range(below)]

    def biases(self, layer: int) -> list[str]:
        """Returns a layer's biases, where it has any."""
        many = self.net.sizes[layer] if self.net.bias else 0
        return [self.name(Quantity("b", layer, j)) for j in range(many)]


def scalars(net: Layered, name: Naming = plain_names, comments: bool = False) -> Scalars:
    """Returns the lines of the scalar program.

    Args:
        net: The network.
        name: What a quantity is called.
        comments: Whether headings stand between the lines.
    """
    names = _Names(net, name)
    costs, cost_names = _costs(names)
    backward, slopes = _slopes(names)
    gradients = []
    for k in range(net.outputs):
        if comments:
            backward.append(f"# {cost_names[k]}, from the output back to the first layer")
        lines, found = _gradients(names, k, slopes)
        backward += lines
        gradients.append(found)
    if net.l2:
        gradients.append(_regular(names))
    layers = range(1, net.depth + 1)
    return Scalars(
        _forward(names, comments),
        costs,
        backward,
        [names.a(0, i) for i in range(net.sizes[0])],
        [names.y(k) for k in range(net.outputs)],
        [each for layer in layers for each in (*names.weights(layer), *names.biases(layer))],
        cost_names,
        gradients,
    )


def _forward(names: _Names, comments: bool) -> list[str]:
    """Returns the lines of the forward pass, up to the outputs."""
    net, lines = names.net, []
    for layer, activation in enumerate(net.activations, 1):
        if comments:
            lines.append(f"# layer {layer}")
        biases = names.biases(layer)
        for j in range(net.sizes[layer]):
            terms = [f"{names.w(layer, j, i)}*{names.a(layer - 1, i)}" for i in range(net.sizes[layer - 1])]
            lines.append(f"{names.z(layer, j)} = {_sum(terms + biases[j : j + 1])}")
        if activation.dense:
            lines += _dense_lines(names, layer)
        elif not activation.trivial:
            lines += [
                f"{names.a(layer, j)} = {value_code(activation, 'scalar', names.z(layer, j))}"
                for j in range(net.sizes[layer])
            ]
    low, high = net.bounds()
    if low:
        top = "0.9999999999999999" if high else "1.0"
        outputs = [names.a(net.depth, k) for k in range(net.outputs)]
        lines += [f"{output} = min(max({output}, 1e-300), {top})" for output in outputs]
    return lines


def _costs(names: _Names) -> tuple[list[str], list[str]]:
    """Returns the lines of the costs, and their names."""
    net, last = names.net, names.net.depth
    made = [names.cost(k) for k in range(net.outputs)]
    lines = [
        f"{cost} = {cost_code(net, 'scalar', names.a(last, k), names.z(last, k), names.y(k))}"
        for k, cost in enumerate(made)
    ]
    if net.l2:
        weights = [each for layer in range(1, last + 1) for each in names.weights(layer)]
        made.append(names.name(Quantity("R")))
        lines.append(f"{made[-1]} = {net.l2!r}/2*({_sum([f'{v}*{v}' for v in weights])})")
    return lines, made


def _gradients(
    names: _Names, k: int, slopes: dict[tuple[int, int, int], str]
) -> tuple[list[str], dict[str, list[str]]]:
    """Returns the lines of one cost's way back, and the expressions of its derivatives by each parameter."""
    net, cost = names.net, names.cost(k)
    lines, deltas = _deltas(names, k, slopes)
    found: dict[str, list[str]] = {}
    for layer in range(1, net.depth + 1):
        entries = []
        for j, delta in enumerate(deltas[layer]):
            if delta is None:
                entries += ["0.0"] * net.sizes[layer - 1]
                continue
            for i in range(net.sizes[layer - 1]):
                entries.append(f"d{cost}_d{names.w(layer, j, i)}")
                lines.append(f"{entries[-1]} = {delta}*{names.a(layer - 1, i)}")
        found[f"W{layer}"] = entries
        if net.bias:
            found[f"b{layer}"] = [delta or "0.0" for delta in deltas[layer]]
    return lines, found


def _regular(names: _Names) -> dict[str, list[str]]:
    """Returns the expressions of R's derivatives by each parameter."""
    net = names.net
    found = {}
    for layer in range(1, net.depth + 1):
        found[f"W{layer}"] = [f"{net.l2!r}*{weight}" for weight in names.weights(layer)]
        if net.bias:
            found[f"b{layer}"] = ["0.0"] * net.sizes[layer]
    return found


def _dense_lines(names: _Names, layer: int) -> list[str]:
    """Returns the lines of a dense activation, what it joins along the layer first: the largest, sums."""
    net, a, z = names.net, names.a, names.z
    op = net.activations[layer - 1].op
    argument = op.arguments[0]
    lines: list[str] = []
    joined: dict[Tree, str] = {}

    def with_names(tree: Tree) -> Tree:
        if not isinstance(tree, Apply):
            return tree
        tree = Apply(tree.head, tuple(with_names(part) for part in tree.arguments))
        if tree.head not in ("axis_max", "axis_sum"):
            return tree
        if tree not in joined:
            kind = "top" if tree.head == "axis_max" else "whole"
            others = sum(known.startswith(kind) for known in joined.values())
            joined[tree] = f"{kind}_{layer}" + (f"_{others}" if others else "")
            terms = [
                show(tree.arguments[0], "scalar", {argument: z(layer, j)}) for j in range(net.sizes[layer])
            ]
            # max() of a single number is an error in Python
            together = _sum(terms) if kind == "whole" or len(terms) == 1 else f"max({', '.join(terms)})"
            lines.append(f"{joined[tree]} = {together}")
        return Symbol(joined[tree])

    settings = dict(net.activations[layer - 1].settings)
    value = with_names(op.value(settings))
    lines.extend(
        f"{a(layer, j)} = {show(value, 'scalar', {argument: z(layer, j)})}" for j in range(net.sizes[layer])
    )
    return lines


def _slopes(names: _Names) -> tuple[list[str], dict[tuple[int, int, int], str]]:
    """Returns the lines that name da/dz of each layer, and those names by (layer, a's neuron, z's neuron)."""
    net, a, z = names.net, names.a, names.z
    lines: list[str] = []
    found: dict[tuple[int, int, int], str] = {}
    for layer, activation in enumerate(net.activations, 1):
        if activation.trivial:
            continue
        places = range(net.sizes[layer])
        pairs = [(i, j) for i in places for j in places] if activation.dense else [(j, j) for j in places]
        for i, j in pairs:
            found[layer, i, j] = f"d{a(layer, i)}_d{z(layer, j)}"
            if activation.dense:
                argument = activation.op.arguments[0]
                spelled = {
                    f"{argument}_i": z(layer, i),
                    f"{argument}_j": z(layer, j),
                    "y_i": a(layer, i),
                    "y_j": a(layer, j),
                }
                tree = activation.op.structure.formula(0, dict(activation.settings))
                tree = substitute(tree, {"delta": Number(1 if i == j else 0)})
                lines.append(f"{found[layer, i, j]} = {show(tree, 'scalar', spelled)}")
            else:
                lines.append(
                    f"{found[layer, j, j]} = {slope_code(activation, 'scalar', z(layer, j), a(layer, j))}"
                )
    return lines, found


def _deltas(
    names: _Names, k: int, slopes: dict[tuple[int, int, int], str]
) -> tuple[list[str], dict[int, list[str | None]]]:
    """Returns the lines of one cost's way back, and the names of dC^k/dz by layer (nothing where no path leads)."""
    net, a, z, w = names.net, names.a, names.z, names.w
    last, cost = net.depth, names.cost(k)
    lines: list[str] = []
    by_a: list[str | None] = [None] * net.outputs
    by_a[k] = f"d{cost}_d{a(last, k)}"
    lines.append(f"{by_a[k]} = {cost_slope_code(net, 'scalar', a(last, k), names.y(k))}")
    deltas: dict[int, list[str | None]] = {}
    for layer in range(last, 0, -1):
        activation = net.activations[layer - 1]
        by_z: list[str | None] = []
        for j in range(net.sizes[layer]):
            sources = range(net.sizes[layer]) if activation.dense else (j,)
            terms = [
                _product(str(by_a[i]), slopes.get((layer, i, j), "1")) for i in sources if by_a[i] is not None
            ]
            if not terms or activation.trivial:
                by_z.append(by_a[j])
                continue
            made = f"d{cost}_d{z(layer, j)}"
            lines.append(f"{made} = {_sum(terms)}")
            by_z.append(made)
        deltas[layer] = by_z
        if layer == 1:
            break
        by_a = []
        for i in range(net.sizes[layer - 1]):
            terms = [f"{delta}*{w(layer, j, i)}" for j, delta in enumerate(by_z) if delta is not None]
            by_a.append(f"d{cost}_d{a(layer - 1, i)}")
            lines.append(f"{by_a[-1]} = {_sum(terms)}")
    return lines, deltas


class ScalarProgram(NamedTuple):
    """A compiled scalar program: ``run(*inputs, *targets, *parameters)`` returns costs and gradients in one list."""

    run: Any
    costs: int
    slices: tuple[tuple[str, int, int, tuple[int, ...]], ...]


@lru_cache(maxsize=64)
def program(net: Layered) -> ScalarProgram:
    """Returns the scalar program, compiled.

    The list holds the costs, then for each parameter its gradients: a (costs, *shape) array in row-major order.

    Example:
        >>> from whygrad.codegen.layered import Activation
        >>> made = program(Layered((1, 1), (Activation("identity"),), False, "squared_error"))
        >>> made.run(2.0, 1.0, 3.0)      # x, y, w: C = (3*2 - 1)^2, dC/dw = 2*(6 - 1)*2
        [25.0, 20.0]
    """
    made = scalars(net)
    results = list(made.cost_names)
    slices = []
    for parameter, shape in net.shapes.items():
        start = len(results)
        for found in made.gradients:
            results += found[parameter]
        slices.append((parameter, start, len(results), (len(made.gradients), *shape)))
    arguments = ", ".join(made.inputs + made.targets + made.parameters)
    body = "\n    ".join(made.forward + made.costs + made.backward)
    source = f"def run({arguments}):\n    {body}\n    return [{', '.join(results)}]\n"
    names: dict[str, Any] = dict(SCALAR_NAMES)
    exec(compile(source, f"<{net.title()}>", "exec"), names)
    return ScalarProgram(names["run"], len(made.cost_names), tuple(slices))


def written(net: Layered, name: Naming, numbers: dict[str, float]) -> str:
    """Returns the scalar program as text that runs by itself and prints every derivative.

    Args:
        net: The network.
        name: What a quantity is called, in the reader's notation.
        numbers: The values of inputs, targets and parameters by those names.
    """
    made = scalars(net, name, comments=True)
    text = "\n".join(made.forward + made.costs + made.backward)
    lines = [f'"""{net.title()}: every quantity and every derivative on a line of its own."""', ""]
    needed = [
        f for f in ("exp", "expm1", "log", "log1p", "sqrt", "tanh", "sin", "cos", "atan") if f"{f}(" in text
    ]
    helpers = _helpers(text)
    needed += [f for f in ("erfc", "pi", "sqrt", "exp", "log1p") if f in helpers and f not in needed]
    if needed:
        lines += [f"from math import {', '.join(sorted(set(needed)))}", ""]
    if helpers:
        lines += ["", helpers, "", ""]
    for heading, group in (
        ("inputs", made.inputs),
        ("targets", made.targets),
        ("parameters", made.parameters),
    ):
        lines.append(f"# {heading}")
        lines += [f"{each} = {numbers[each]!r}" for each in group]
    lines += [*made.forward, "# costs", *made.costs, "# slopes, then each cost's way back", *made.backward]
    lines.append("")
    for k, found in enumerate(made.gradients):
        for expressions in found.values():
            for expression, parameter in zip(expressions, _aligned(made, found, expressions), strict=True):
                lines.append(f'print("d{made.cost_names[k]}/d{parameter} =", {expression})')
    return "\n".join(lines) + "\n"


def _aligned(made: Scalars, found: dict[str, list[str]], expressions: list[str]) -> list[str]:
    start = 0
    for entries in found.values():
        if entries is expressions:
            break
        start += len(entries)
    return made.parameters[start : start + len(expressions)]


def _helpers(text: str) -> str:
    sources = {
        "sigmoid": "def sigmoid(z):\n    return 1/(1 + exp(-z)) if z >= 0 else exp(z)/(1 + exp(z))",
        "softplus": "def softplus(z):\n    return max(z, 0) + log1p(exp(-abs(z)))",
        "Phi": "def Phi(z):\n    return erfc(-z/sqrt(2))/2",
        "phi": "def phi(z):\n    return exp(-z*z/2)/sqrt(2*pi)",
        "sign": "def sign(z):\n    return (z > 0) - (z < 0)",
    }
    return "\n\n\n".join(source for name, source in sources.items() if f"{name}(" in text)
