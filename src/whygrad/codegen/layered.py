"""What a program must know of a layered network: its shape, its operations and its costs; no numbers but settings."""

from typing import NamedTuple

from whygrad.formula import Apply, Number, parse, show, substitute
from whygrad.ops import OPS, Op
from whygrad.structures import DenseAlongAxis


class Activation(NamedTuple):
    """An activation function with its settings, such as ``leaky_relu`` with ``(("slope", 0.3),)``."""

    name: str
    settings: tuple[tuple[str, float], ...] = ()

    @property
    def op(self) -> Op:
        """The operation in the table."""
        return OPS[self.name]

    @property
    def dense(self) -> bool:
        """Whether each activation of the layer depends on all of its pre-activations."""
        return isinstance(self.op.structure, DenseAlongAxis)

    @property
    def trivial(self) -> bool:
        """Whether activations are the pre-activations themselves."""
        return self.name == "identity"

    def __str__(self) -> str:
        if not self.settings:
            return self.name
        return f"{self.name}({', '.join(_shortest(value) for _, value in self.settings)})"


def _shortest(value: float) -> str:
    """Returns a number as people write it, with all digits that it needs to be read back."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


class Layered(NamedTuple):
    """A feed-forward network of fully connected layers, and how its costs are formed.

    ``activations`` has one entry for each layer from 1; ``cost`` names an operation in ``COSTS``, applied to each
    output; ``reduction`` joins the examples ("sum" or "mean"); ``l2`` > 0 adds the cost R.
    """

    sizes: tuple[int, ...]
    activations: tuple[Activation, ...]
    bias: bool
    cost: str
    reduction: str = "sum"
    l2: float = 0.0

    @property
    def depth(self) -> int:
        """The number of layers with weights, L."""
        return len(self.sizes) - 1

    @property
    def outputs(self) -> int:
        """The number of outputs, and so of costs without R."""
        return self.sizes[-1]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The parameters' shapes, in order: W1, b1, W2, …; rows are where a weight goes to."""
        made: dict[str, tuple[int, ...]] = {}
        for layer in range(1, self.depth + 1):
            made[f"W{layer}"] = (self.sizes[layer], self.sizes[layer - 1])
            if self.bias:
                made[f"b{layer}"] = (self.sizes[layer],)
        return made

    @property
    def elementwise_outputs(self) -> bool:
        """Whether C^k depends on pre-activation k of the last layer alone."""
        return not self.activations[-1].dense

    def bounds(self) -> tuple[bool, bool]:
        """Returns whether output activations are to be kept above 0, and below 1, where they round to it.

        Only where they are inside by nature (softmax, sigmoid): anything else that is outside is outside.
        """
        cost = OPS[self.cost].cost
        assert cost is not None
        inside = self.activations[-1].name in cost.from_z
        return inside and cost.low is not None, inside and cost.high is not None

    def title(self) -> str:
        """Returns the network in one line, such as ``2-3-3-2, tanh, no bias, squared_error``."""
        names = [str(activation) for activation in self.activations]
        shown = names[0] if len(set(names)) == 1 else "/".join(names)
        parts = ["-".join(map(str, self.sizes)), shown, "bias" if self.bias else "no bias", self.cost]
        return ", ".join(parts + ([f"l2 = {self.l2:g}"] if self.l2 else []))


def value_code(activation: Activation, style: str, z: str) -> str:
    """Returns the activation function's value as code."""
    return show(activation.op.value(dict(activation.settings)), style, {activation.op.arguments[0]: z})


def slope_code(activation: Activation, style: str, z: str, a: str) -> str:
    """Returns the activation function's slope at a pre-activation as code (elementwise activations)."""
    tree = activation.op.structure.formula(0, dict(activation.settings))
    match tree:
        case Apply("where", (condition, Number(1), Number(0))) if style == "numpy":
            tree = condition  # a mask multiplies as ones and zeros do, at less cost
    return show(tree, style, {activation.op.arguments[0]: z, "y": a})


def cost_code(net: Layered, style: str, a: str, z: str, target: str) -> str:
    """Returns the cost of one output as code, from the pre-activation where that is the stable way."""
    op = OPS[net.cost]
    assert op.cost is not None
    stable = op.cost.from_z.get(net.activations[-1].name)
    if stable is None:
        return show(op.value({}), style, {"a": a, "t": target})
    names = {"z": z, "t": target, "top": f"top_{net.depth}", "whole": f"whole_{net.depth}"}
    tree = parse(stable)
    if style != "scalar":
        tree = substitute(
            tree, {"top": parse("axis_max(z)"), "whole": parse("axis_sum(exp(z - axis_max(z)))")}
        )
    return show(tree, style, names)


def cost_slope_code(net: Layered, style: str, a: str, target: str) -> str:
    """Returns the derivative of one output's cost by its activation as code."""
    return show(OPS[net.cost].structure.formula(0, {}), style, {"a": a, "t": target})
