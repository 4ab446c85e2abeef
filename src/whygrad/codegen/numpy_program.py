"""The NumPy program of a layered network: forward, backward for all costs at once, gradients.

The deltas have the shape (examples, costs, neurons): with the costs between, both products of a layer are plain
two-dimensional matrix products over all examples and costs, without copies.
"""

from collections.abc import Mapping
from textwrap import indent
from typing import Any

from whygrad.codegen.layered import Layered, cost_code, cost_slope_code, slope_code, value_code
from whygrad.formula import show, symbols

Lines = list[str]

HELPERS = {
    "sigmoid": """

def sigmoid(z):
    with np.errstate(over="ignore"):    # exp(-z) may be inf, and 1 / inf is the right 0
        return 1 / (1 + np.exp(-z))
""",
    "Phi": """

def Phi(z):                             # distribution function of the standard normal
    return np.vectorize(lambda z: 0.5 * math.erfc(-z / 2**0.5), otypes=[z.dtype])(z)
""",
    "phi": """

def phi(z):                             # density of the standard normal
    return np.exp(-z * z / 2) / np.sqrt(2 * np.pi).astype(z.dtype)
""",
}

SHARED = {
    "sent_back": '''

def sent_back(delta, W):
    """Each neuron below gets its weights times the deltas above, summed over the neurons above."""
    examples, costs, above = delta.shape
    return (delta.reshape(examples * costs, above) @ W).reshape(examples, costs, -1)
''',
    "by_weights": '''

def by_weights(delta, a):
    """dC^k/dW: delta times the activation that the weight multiplies, summed over the examples."""
    examples, costs, above = delta.shape
    return (delta.reshape(examples, costs * above).T @ a).reshape(costs, above, -1)
''',
}


def forward_lines(net: Layered) -> Lines:
    """Returns the lines that compute z1, a1, …, zL, aL from x (called a0) and the parameters."""
    lines: Lines = []
    for layer, activation in enumerate(net.activations, 1):
        bias = f" + b{layer}" if net.bias else ""
        lines.append(f"z{layer} = a{layer - 1} @ W{layer}.T{bias}")
        lines.append(f"a{layer} = {value_code(activation, 'numpy', f'z{layer}')}")
    low, high = net.bounds()
    if low:
        last = f"a{net.depth}"
        info = f"np.finfo({last}.dtype)"
        top = f"1 - {info}.epsneg" if high else "None"
        lines.append(
            f"{last} = np.clip({last}, {info}.tiny * 2.0**20, {top})  # the slope of log stays finite"
        )
    return lines


def _reduced(net: Layered) -> str:
    return "mean" if net.reduction == "mean" else "sum"


def cost_lines(net: Layered) -> Lines:
    """Returns the lines that compute the costs' values C, one for each output (and R)."""
    last = net.depth
    lines = [f"C = ({cost_code(net, 'numpy', f'a{last}', f'z{last}', 'y')}).{_reduced(net)}(axis=0)"]
    if net.l2:
        squares = " + ".join(f"(W{layer}**2).sum()" for layer in range(1, last + 1))
        lines.append(f"C = np.append(C, {net.l2!r} / 2 * ({squares}))  # the last one is R")
    return lines


def output_lines(net: Layered) -> Lines:
    """Returns the lines for e = dC^k/da^k, and for elementwise outputs dC^k/dz^k, both (examples, outputs)."""
    last = net.depth
    slope = cost_slope_code(net, "numpy", f"a{last}", "y")
    divided = " / len(y)" if net.reduction == "mean" else ""
    lines = [f"e = ({slope}){divided}" if divided else f"e = {slope}"]
    activation = net.activations[-1]
    if not activation.dense and not activation.trivial:
        # in place: a float64 constant in the slope doesn't turn float32 into float64
        lines.append(f"e *= {slope_code(activation, 'numpy', f'z{last}', f'a{last}')}")
    return lines


def _jacobian_code(net: Layered, layer: int) -> str:
    activation = net.activations[layer - 1]
    z, a = f"z{layer}", f"a{layer}"
    name = activation.op.arguments[0]
    names = {
        f"{name}_i": f"{z}[:, :, None]",
        f"{name}_j": f"{z}[:, None, :]",
        "y_i": f"{a}[:, :, None]",
        "y_j": f"{a}[:, None, :]",
        "delta": f"np.eye({net.sizes[layer]}, dtype={a}.dtype)",
    }
    return show(activation.op.structure.formula(0, dict(activation.settings)), "numpy", names)


def through_activation(net: Layered, layer: int) -> Lines:
    """Returns the lines that take a delta at a_l to one at z_l, in place."""
    activation = net.activations[layer - 1]
    if activation.trivial:
        return []
    if activation.dense:
        return [f"delta{layer} = delta{layer} @ ({_jacobian_code(net, layer)})"]
    slope = slope_code(activation, "numpy", f"z{layer}", f"a{layer}")
    if not symbols(activation.op.structure.formula(0, dict(activation.settings))):
        return [f"delta{layer} *= {slope}"]  # a number, the same for all
    return [f"delta{layer} *= ({slope})[:, None, :]"]


def output_delta(net: Layered, rows: str) -> Lines:
    """Returns the line for delta of the last layer; none where it is the diagonal of e."""
    last = net.depth
    if net.elementwise_outputs:
        return [] if rows == "cost" else [f"delta{last} = e[:, None, :]"]
    jacobian = _jacobian_code(net, last)
    if rows == "cost":
        return [f"delta{last} = e[:, :, None] * ({jacobian})"]
    return [f"delta{last} = e[:, None, :] @ ({jacobian})"]


def delta_lines(net: Layered) -> Lines:
    """Returns the lines that compute delta_L, …, delta_1, each with a row for each cost."""
    last = net.depth
    lines = output_delta(net, "cost")
    for layer in range(last - 1, 0, -1):
        above = layer + 1
        if above == last and net.elementwise_outputs:
            lines.append(f"delta{layer} = e[:, :, None] * W{above}")
        else:
            lines.append(f"delta{layer} = sent_back(delta{above}, W{above})")
        lines.extend(through_activation(net, layer))
    return lines


def written(net: Layered, numbers: Mapping[str, Any], x: Any, y: Any, literal: bool) -> str:
    """Returns the whole program as a person would write it, which runs by itself and prints the gradients.

    Args:
        net: The network.
        numbers: The parameters' values.
        x: The examples (examples, inputs).
        y: The targets.
        literal: Whether the numbers stand in the program; else it draws random ones of the right shapes.
    """
    parameters = ", ".join(net.shapes)
    diagonal = net.elementwise_outputs
    lines = [
        f'"""{net.title()}: the {net.outputs} costs and all their gradients, by backpropagation.',
        "",
        "delta_l[n, k, j] is dC^k/dz^j_l for example n: how cost k changes with pre-activation j of layer l.",
        '"""',
        "",
        *(["import math", ""] if "gelu" in {activation.name for activation in net.activations} else []),
        "import numpy as np",
    ]
    forward = forward_lines(net)
    backward = output_lines(net) + delta_lines(net)
    everything = "\n".join(forward + cost_lines(net) + backward)
    helpers = "".join(text for name, text in HELPERS.items() if f"{name}(" in everything)
    commented = ["# forward: layer by layer"]
    commented += forward
    commented += ["# one cost for each output, joined over the examples"]
    commented += cost_lines(net)
    commented += ["", "# backward: how cost k changes with output k alone"]
    commented += output_lines(net)
    commented += [
        "# ... and with every layer below: the sum over the neurons above is the sum over all paths"
    ]
    commented += delta_lines(net)
    commented += ["", "# gradients: rows of each are the costs"]
    commented += _gradient_lines(net, diagonal)
    body = "\n".join(f"    {line}" if line else "" for line in commented)
    helpers += "".join(text for name, text in SHARED.items() if f"{name}(" in body)
    source = "\n".join(lines) + "\n" + helpers
    source += f"\n\ndef gradients(x, y, {parameters}):\n    a0 = x\n{body}\n"
    source += f"    return C, dict({', '.join(f'{name}=d{name}' for name in net.shapes)})\n"
    source += '\n\nif __name__ == "__main__":\n' + indent(numbers_code(net, numbers, x, y, literal), "    ")
    source += f"    C, d = gradients(x, y, {parameters})\n"
    source += '    print("costs", C)\n    for name, gradient in d.items():\n'
    source += '        print(f"d{name}", gradient, sep="\\n")\n'
    return source


def _gradient_lines(net: Layered, diagonal: bool) -> Lines:
    lines: Lines = []
    last = net.depth
    for layer in range(last, 0, -1):
        if layer == last and diagonal:
            shape = f"({net.outputs}, {net.outputs}, {net.sizes[-2]})"
            lines.append(f"dW{layer} = np.zeros({shape}, dtype=e.dtype)")
            lines.append(
                f"dW{layer}[np.arange({net.outputs}), np.arange({net.outputs})] = e.T @ a{layer - 1}"
                f"  # row k is C^k's: no path, no share"
            )
            if net.bias:
                lines.append(f"db{layer} = np.diag(e.sum(axis=0))")
        else:
            lines.append(f"dW{layer} = by_weights(delta{layer}, a{layer - 1})")
            if net.bias:
                lines.append(f"db{layer} = delta{layer}.sum(axis=0)")
        if net.l2:
            lines.append(
                f"dW{layer} = np.concatenate([dW{layer}, {net.l2!r} * W{layer}[None]])  # the last row is R's"
            )
            if net.bias:
                lines.append(f"db{layer} = np.concatenate([db{layer}, np.zeros((1, {net.sizes[layer]}))])")
    return lines


def numbers_code(
    net: Layered, numbers: Mapping[str, Any], x: Any, y: Any, literal: bool, style: str = "numpy"
) -> str:
    """Returns the lines that set the parameters and the data, to the numbers or to random ones."""
    make = "np.array" if style == "numpy" else "torch.tensor"
    if literal:
        made = [f"{name} = {make}({array.tolist()!r})" for name, array in {**numbers, "x": x, "y": y}.items()]
        return "\n".join(made) + "\n"
    if style == "numpy":
        lines = ["random = np.random.default_rng(0)  # put your own numbers here"]
        normal, uniform = "random.normal(size={})", "random.uniform(size={})"
    else:
        lines = ["torch.manual_seed(0)  # put your own numbers here"]
        normal, uniform = "torch.randn({})", "torch.rand({})"
    for name, shape in net.shapes.items():
        lines.append(f"{name} = {normal.format(shape)} / {shape[-1]}**0.5")
    lines.append(f"x = {normal.format(tuple(x.shape))}")
    lines.append(f"y = {uniform.format(tuple(y.shape))}")
    return "\n".join(lines) + "\n"
