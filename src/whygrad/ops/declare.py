"""How an operation is declared, and the tables that declarations enter.

Each operation is declared once, by the formula of its value, the formula of its partial by each input, and the
structure of its local Jacobian. The same declaration is evaluated for the number, printed for the line on screen and
in generated code, pulled back under every semiring, and tested by the laws in ``tests/laws/test_ops.py``.

To add an activation function, add one entry to a module of this package::

    elementwise("mish(x)", "x*tanh(softplus(x))",
                partials={"x": "tanh(softplus(x)) + x*sigmoid(x)*(1 - tanh(softplus(x))^2)"},
                samples=reals(-4, 4), torch="mish", symbol="\\\\operatorname{mish}", activation=True)

In a formula ``y`` is the operation's output. Formulas are in the language of :mod:`whygrad.formula`.
"""

import ast
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from whygrad.formula import Tree
from whygrad.structures import (
    Contraction,
    DenseAlongAxis,
    Elementwise,
    Reduction,
    Selection,
    Structure,
    settled,
)

# In quotes: numpy.random takes as long to import as all of this package, and only the tests draw samples.
Samples = Callable[["np.random.Generator"], tuple[Any, ...]]


class Op(NamedTuple):
    """One operation: its name and arguments, its structure with value and partials, and where it has a kink.

    ``settings`` are numbers that are fixed for an application (a slope, a power), with their defaults. ``kinks``
    maps an argument to the condition under which the declared partial is a choice, and ``source`` says whose.
    ``samples`` draws inputs for the law tests, ``torch`` names PyTorch's functions (under ``torch``,
    ``torch.nn.functional``, ``torch.Tensor`` or ``torch.ops.aten``) that it must agree with. Where their arguments
    have other names than our settings the entry says so: ``"leaky_relu(negative_slope=slope)"``; an argument that
    must have a certain value for the two to agree is a literal: ``"gelu(approximate='tanh')"``; None for an argument
    is our setting's default. :meth:`in_torch` reads that.
    """

    name: str
    arguments: tuple[str, ...]
    structure: Structure
    samples: Samples
    torch: tuple[str, ...]
    settings: Mapping[str, Any]
    kinks: Mapping[str, str]
    symbol: str
    source: str
    activation: bool
    cost: "Cost | None"

    def in_torch(self) -> tuple["Call", ...]:
        """Returns PyTorch's functions, each with the names of its arguments for our settings.

        Example:
            >>> from whygrad.ops import OPS
            >>> OPS["leaky_relu"].in_torch()
            (Call(name='leaky_relu', settings={'negative_slope': 'slope'}, fixed={}),)
        """
        return tuple(_call(text, self.settings) for text in self.torch)

    def value(self, settings: Mapping[str, Any]) -> Tree:
        """Returns the formula of the operation's value with its settings filled in (operations that have one)."""
        assert isinstance(self.structure, (Elementwise, Reduction, DenseAlongAxis)), self.name
        return settled(self.structure.of, settings)


class Call(NamedTuple):
    """A function of PyTorch's: our settings by the names of its arguments, and the values that others must have."""

    name: str
    settings: Mapping[str, str]
    fixed: Mapping[str, Any]


def _call(text: str, settings: Mapping[str, Any]) -> Call:
    name, _, rest = text.partition("(")
    named: dict[str, str] = {}
    fixed: dict[str, Any] = {}
    for part in filter(None, rest.rstrip(")").split(", ")):
        theirs, _, ours = part.partition("=")
        if ours.isidentifier() and ours not in ("True", "False", "None"):
            named[theirs] = ours
        else:
            fixed[theirs] = ast.literal_eval(ours)
    others = {setting: setting for setting in settings if setting not in named.values()}
    return Call(name, named | others, fixed)


class Cost(NamedTuple):
    """What a network must know of an operation that is its cost.

    ``low`` and ``high`` are the open bounds of the output activation (a logarithm needs 0 < a); ``from_z`` gives the
    cost's value from the pre-activation for the activations where that is the stable way.
    """

    low: float | None = None
    high: float | None = None
    from_z: Mapping[str, str] = {}
    says: str = ""


OPS: dict[str, Op] = {}
ACTIVATIONS: dict[str, Op] = {}
COSTS: dict[str, Op] = {}


def declare(
    signature: str,
    structure: Callable[[tuple[str, ...]], Structure],
    samples: Samples,
    torch: str | tuple[str, ...] = (),
    settings: Mapping[str, Any] | None = None,
    kinks: Mapping[str, str] | None = None,
    symbol: str = "",
    source: str = "",
    activation: bool = False,
    cost: Cost | None = None,
) -> Op:
    """Returns, and enters in the tables, an operation with a structure that is made from the names of its arguments."""
    name, _, rest = signature.partition("(")
    arguments = tuple(argument.strip() for argument in rest.rstrip(")").split(","))
    op = Op(
        name,
        arguments,
        structure(arguments),
        samples,
        (torch,) if isinstance(torch, str) else torch,
        settings or {},
        kinks or {},
        symbol or f"\\operatorname{{{name}}}",
        source,
        activation,
        cost,
    )
    OPS[name] = op
    if op.activation:
        ACTIVATIONS[name] = op
    if op.cost is not None:
        COSTS[name] = op
    return op


def application(name: str, arguments: tuple[str, ...], structure: Structure) -> Op:
    """Returns the operation of one application, which stands in no table: its structure holds what it was applied with.

    Example:
        >>> from whygrad.structures import Contraction
        >>> application("mm", ("A", "B"), Contraction(("A", "B"), labels("i k, k j -> i j"))).name
        'mm'
    """
    return Op(name, arguments, structure, lambda generator: (), (), {}, {}, name, "", False, None)


def elementwise(signature: str, of: str, partials: Mapping[str, str], samples: Samples, **more: Any) -> Op:
    """Returns, and enters in the table, an operation whose output entries depend on one entry of each input."""
    return declare(signature, lambda arguments: Elementwise(arguments, of, partials), samples, **more)


def labels(pattern: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Returns the labels of both factors and of the product.

    Example:
        >>> labels("i k, k j -> i j")
        (('i', 'k'), ('k', 'j'), ('i', 'j'))
    """
    left, _, out = pattern.partition("->")
    first, second = (tuple(part.split()) for part in left.split(","))
    return first, second, tuple(out.split())


def contraction(signature: str, pattern: str, samples: Samples, **more: Any) -> Op:
    """Returns, and enters in the table, a product summed over labels, such as ``"i k, k j -> i j"``."""
    return declare(signature, lambda arguments: Contraction(arguments, labels(pattern)), samples, **more)


def reduction(signature: str, of: str, partials: Mapping[str, str], samples: Samples, **more: Any) -> Op:
    """Returns, and enters in the table, a sum over axes of a formula of each entry; ``n``: how many."""
    return declare(signature, lambda arguments: Reduction(arguments, of, partials), samples, **more)


def dense(
    signature: str,
    of: str,
    partials: Mapping[str, str],
    samples: Samples,
    quantities: Mapping[str, str] | None = None,
    **more: Any,
) -> Op:
    """Returns, and enters in the table, an operation in which all entries along one axis depend on each other."""
    return declare(
        signature,
        lambda arguments: DenseAlongAxis(arguments[0], of, partials, quantities or {}),
        samples,
        **more,
    )


def selection(signature: str, select: Callable[..., Any], samples: Samples, **more: Any) -> Op:
    """Returns, and enters in the table, an operation that picks, moves or repeats entries."""
    return declare(signature, lambda arguments: Selection(arguments, select), samples, **more)


def reals(low: float, high: float, *shapes: tuple[int, ...]) -> Samples:
    """Returns a drawer of arrays with entries between two numbers, one for each shape."""
    return lambda generator: tuple(generator.uniform(low, high, shape) for shape in shapes or ((3, 4),))


def shares(*shapes: tuple[int, ...]) -> Samples:
    """Returns a drawer of arrays with entries well inside (0, 1), one for each shape."""
    return reals(0.05, 0.95, *shapes)


PAIR = ((3, 4), (3, 4))
BROADCAST = ((3, 4), (4,))
