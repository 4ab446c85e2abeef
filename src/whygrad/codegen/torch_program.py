"""The PyTorch program of a layered network: forward pass, and each cost's gradients by autograd."""

from collections.abc import Mapping
from typing import Any

from whygrad.codegen.layered import Layered
from whygrad.codegen.numpy_program import numbers_code
from whygrad.formula import show
from whygrad.ops import OPS


def written(net: Layered, numbers: Mapping[str, Any], x: Any, y: Any, literal: bool) -> str:
    """Returns the program as text that runs by itself and prints the gradients.

    Args:
        net: The network.
        numbers: The parameters' values.
        x: The examples.
        y: The targets.
        literal: Whether the numbers stand in the program; else it draws random ones of the right shapes.
    """
    last = net.depth
    lines = [
        f'"""{net.title()}: the same costs and gradients by PyTorch\'s autograd."""',
        "",
        "import torch",
        "",
    ]
    lines += ["torch.set_default_dtype(torch.float64)", ""]
    lines += numbers_code(net, numbers, x, y, literal, style="torch").splitlines()
    lines += [f"parameters = dict({', '.join(f'{name}={name}' for name in net.shapes)})", ""]
    lines += [
        "for parameter in parameters.values():",
        "    parameter.requires_grad_()",
        "",
        "# forward: layer by layer",
        "a0 = x",
    ]
    for layer, activation in enumerate(net.activations, 1):
        bias = f" + b{layer}" if net.bias else ""
        lines.append(f"z{layer} = a{layer - 1} @ W{layer}.T{bias}")
        tree = activation.op.value(dict(activation.settings))
        lines.append(f"a{layer} = {show(tree, 'torch', {activation.op.arguments[0]: f'z{layer}'})}")
    low, high = net.bounds()
    if low:
        top = "1 - 1e-16" if high else "None"
        lines.append(f"a{last} = torch.clamp(a{last}, 1e-300, {top})  # the slope of log stays finite")
    cost = show(OPS[net.cost].value({}), "torch", {"a": f"a{last}", "t": "y"})
    lines += ["", "# one cost for each output, joined over the examples"]
    lines.append(f"C = ({cost}).{'mean' if net.reduction == 'mean' else 'sum'}(dim=0)")
    if net.l2:
        squares = " + ".join(f"(W{layer}**2).sum()" for layer in range(1, last + 1))
        lines.append(f"C = torch.cat([C, ({net.l2!r}/2 * ({squares})).reshape(1)])  # the last one is R")
    lines += [
        "",
        'print("costs", C.tolist())',
        "for k, cost in enumerate(C):",
        "    found = torch.autograd.grad(cost, list(parameters.values()), retain_graph=True, materialize_grads=True)",
        "    for name, gradient in zip(parameters, found):",
        '        print(f"dC^{k}/d{name}", gradient, sep="\\n")',
    ]
    return "\n".join(lines) + "\n"
