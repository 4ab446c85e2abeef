"""Every operation of the table: value and partials against finite differences, PyTorch, and each other's words.

A new entry of the table is tested by being there.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import zip_longest
from typing import Any

import numpy as np
import pytest
import torch
from latex2mathml.converter import convert

import whygrad as wg
from whygrad.codegen import numpy_program, scalar_program
from whygrad.errors import FormulaError
from whygrad.formula import STYLES, Number, Tree, parse, show, substitute, symbols
from whygrad.ops import ACTIVATIONS, COSTS, OPS, Call, Op, elementwise, load_all, reals
from whygrad.semirings import SEMIRINGS
from whygrad.structures import DenseAlongAxis, Elementwise, Local, Reduction, Selection

Settings = dict[str, Any]
NAMES = list(load_all())


def variants(name: str) -> list[Settings]:
    """Returns an operation's settings: the declared ones, other numbers, and other axes."""
    op = OPS[name]
    made = [dict(op.settings)]
    if name == "convolution":
        plain = {"stride": (2, 1), "padding": (1, 2), "dilation": (2, 1)}
        turned = {"transposed": True, "groups": 1}
        extra = {"stride": (3, 2), "padding": (1, 0), "output_padding": (2, 1)}
        return [dict(op.settings) | more for more in ({}, plain, turned, turned | plain, turned | extra)]
    if name == "along_axes":
        return made
    if name == "clamp":
        return [*made, {"low": -0.5, "high": 1.25}]
    numbers = {k: v for k, v in op.settings.items() if isinstance(v, (int, float)) and k != "axis"}
    if numbers:
        made.append(dict(op.settings) | {k: 1.5 * v + 0.25 for k, v in numbers.items()})
    if isinstance(op.structure, (Reduction, DenseAlongAxis)):
        made += [dict(op.settings) | {"axis": axis} for axis in (0, 1, -2)]
    if isinstance(op.structure, Reduction):
        made.append(dict(op.settings) | {"axis": (0, 1)})
    return made


CASES = [(name, settings) for name in NAMES for settings in variants(name)]
IDS = [f"{name}-{place}" for name in NAMES for place in range(len(variants(name)))]
BINARY = [
    name for name in NAMES if isinstance(OPS[name].structure, Elementwise) and len(OPS[name].arguments) == 2
]


def applied(op: Op, inputs: tuple[Any, ...], settings: Settings) -> Local:
    return Local(inputs, op.structure.value(inputs, settings, np), settings, np)


def drawn(op: Op, seed: int = 0, settings: Settings | None = None) -> tuple[Any, ...]:
    inputs = op.samples(np.random.default_rng(seed))
    if settings and settings.get("transposed"):
        return inputs[0], inputs[1].swapaxes(0, 1)
    return inputs


def by_differences(op: Op, inputs: tuple[Any, ...], settings: Settings, which: int) -> Any:
    """Returns the Jacobian (entries of the output, entries of the input) by differences of fourth order."""
    columns = []
    step = 1e-4
    for place in np.ndindex(inputs[which].shape):
        values = {}
        for times in (-2, -1, 1, 2):
            moved = [np.array(x, dtype=float) for x in inputs]
            moved[which][place] += times * step
            values[times] = np.asarray(op.structure.value(tuple(moved), settings, np), dtype=float)
        column = (8 * (values[1] - values[-1]) - (values[2] - values[-2])) / (12 * step)
        columns.append(column.ravel())
    return np.stack(columns, axis=1)


def pulled(op: Op, local: Local, which: int, semiring: str = "gradient", marked: bool = False) -> Any:
    """Returns the Jacobian from the backward side: each output entry's row is pulled back by itself."""
    size = math.prod(local.output.shape)
    eye = np.eye(size).reshape(size, *local.output.shape)
    (part,) = op.structure.pull(SEMIRINGS[semiring], (eye,), local, which, marked)
    return np.asarray(part).reshape(size, -1)


def columned(op: Op, local: Local, which: int) -> tuple[Any, Any]:
    """Returns the Jacobian from the forward side, column by column, and which entries exist."""
    jacobian = np.zeros((math.prod(local.output.shape), math.prod(local.inputs[which].shape)))
    exists = np.zeros(jacobian.shape, dtype=bool)
    for position in range(jacobian.shape[1]):
        column = op.structure.column(local, which, position)
        assert len(set(np.asarray(column.positions).tolist())) == len(column.positions)
        jacobian[column.positions, position] = column.partials
        exists[column.positions, position] = True
    return jacobian, exists


@pytest.mark.parametrize(("name", "settings"), CASES, ids=IDS)
def test_partials_agree_with_finite_differences(name: str, settings: Settings) -> None:
    op = OPS[name]
    inputs = drawn(op, 0, settings)
    local = applied(op, inputs, settings)
    for which in range(len(inputs)):
        differences = by_differences(op, inputs, settings, which)
        assert pulled(op, local, which) == pytest.approx(differences, rel=1e-7, abs=1e-7)


@pytest.mark.parametrize(("name", "settings"), CASES, ids=IDS)
def test_pulling_back_and_columns_are_one_jacobian(name: str, settings: Settings) -> None:
    op = OPS[name]
    inputs = drawn(op, 1, settings)
    local = applied(op, inputs, settings)
    for which in range(len(inputs)):
        jacobian, exists = columned(op, local, which)
        np.testing.assert_allclose(pulled(op, local, which), jacobian, rtol=1e-13, atol=1e-15)
        np.testing.assert_array_equal(pulled(op, local, which, "count"), exists)
        np.testing.assert_array_equal(pulled(op, local, which, "live"), jacobian != 0)


@pytest.mark.parametrize("semiring", sorted(SEMIRINGS))
@pytest.mark.parametrize("marked", [False, True], ids=["", "marked"])
@pytest.mark.parametrize("name", NAMES)
def test_pulling_back_joins_the_column(name: str, marked: bool, semiring: str) -> None:
    """An input's cotangent is the plus, over the outputs it acts on, of cotangent times partial."""
    op, ring = OPS[name], SEMIRINGS[semiring]
    local = applied(op, drawn(op, 2), dict(op.settings))
    generator = np.random.default_rng(3)
    size = math.prod(local.output.shape)
    carried = tuple(generator.normal(size=(2, *local.output.shape)) for _ in ring.one)
    if semiring in ("count", "live", "reach", "total", "entropy"):
        carried = tuple(np.abs(part) for part in carried)
    if semiring in ("count", "live", "reach"):
        carried = tuple(np.ceil(part) for part in carried)
    if semiring == "reach":
        carried = tuple(np.minimum(part, 1) for part in carried)
    if semiring == "extremes":
        carried = np.maximum(*carried), np.minimum(*carried)
    for which in range(len(local.inputs)):
        got = op.structure.pull(ring, carried, local, which, marked)
        for position in range(math.prod(local.inputs[which].shape)):
            positions, partials = op.structure.column(local, which, position)
            wanted: tuple[Any, ...] = tuple(np.full(2, none) for none in ring.absent())
            for place, partial in zip(positions, partials, strict=True):
                entry = tuple(part.reshape(2, size)[:, place] for part in carried)
                lifted = ring.lift(np.full(2, partial), np)
                wanted = ring.plus(wanted, ring.times(entry, lifted, np, marked), np)
            for part, right in zip_longest(got, wanted):
                left = np.zeros(2) if part is None else part.reshape(2, -1)[:, position]
                right = np.zeros(2) if right is None else right
                np.testing.assert_allclose(left, right, rtol=1e-12, atol=1e-13)


# PyTorch

LOSSES = (
    *(
        "mse_loss",
        "l1_loss",
        "smooth_l1_loss",
        "huber_loss",
        "soft_margin_loss",
        "poisson_nll_loss",
        "kl_div",
    ),
    *("binary_cross_entropy", "binary_cross_entropy_with_logits"),
)


def torch_functions(op: Op) -> Iterator[Any]:
    for called in op.in_torch():
        homes = (torch, torch.nn.functional, torch.Tensor, torch.ops.aten)
        if called.name in LOSSES:
            homes = (torch.nn.functional,)
        found = [home for home in homes if hasattr(home, called.name)]
        assert found, f"PyTorch has no {called.name}"
        yield called, getattr(found[0], called.name)


def by_torch(
    called: Call, function: Any, inputs: tuple[Any, ...], settings: Settings
) -> tuple[Any, list[Any]]:
    """Returns PyTorch's value and its Jacobians by each input, (entries of the output, entries of the input)."""
    name = called.name
    tensors = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in inputs]
    if name == "soft_margin_loss":
        tensors[1].requires_grad_(False)  # PyTorch has no derivative by its target
    if name == "convolution":
        value = function(*tensors, None, *settings.values())
    elif name == "__getitem__":
        value = function(tensors[0], tuple(torch.tensor(i) for i in settings["index"]))
    else:
        ours = {ours: theirs for theirs, ours in called.settings.items()} | {"axis": "dim"}
        named = {ours[key]: v for key, v in settings.items()} | dict(called.fixed)
        if name == "prod" and isinstance(settings.get("axis"), tuple):
            pytest.skip("PyTorch's prod is along one axis or all")
        if name in ("logsumexp", "amax") and "dim" not in named:
            named["dim"] = tuple(range(tensors[0].dim()))
        if name in LOSSES:
            named["reduction"] = "none"
        if name == "poisson_nll_loss":
            named["eps"] = 0.0
        value = function(*tensors, **named)
    tensors = [tensor for tensor in tensors if tensor.requires_grad]
    rows = [torch.autograd.grad(v, tensors, retain_graph=True) for v in value.reshape(-1)]
    jacobians = [np.stack([row[which].numpy().ravel() for row in rows]) for which in range(len(tensors))]
    return value.detach().numpy(), jacobians


@pytest.mark.parametrize(("name", "settings"), CASES, ids=IDS)
def test_values_and_partials_agree_with_pytorch(name: str, settings: Settings) -> None:
    op = OPS[name]
    inputs = drawn(op, 4, settings)
    local = applied(op, inputs, settings)
    for called, function in torch_functions(op):
        value, jacobians = by_torch(called, function, inputs, settings)
        np.testing.assert_allclose(local.output, value, rtol=1e-13, atol=1e-15)
        for which, jacobian in enumerate(jacobians):
            # PyTorch's kernel of hardsigmoid has 1/6 in float32, whatever it is given
            rtol = 1e-7 if name == "hardsigmoid" else 1e-12
            np.testing.assert_allclose(pulled(op, local, which), jacobian, rtol=rtol, atol=1e-14)


def test_most_operations_name_what_they_are_in_pytorch() -> None:
    # The rest are composed there: half the squared error, -t log(a), strength/2 times the sum of squares.
    without = {name for name in NAMES if not OPS[name].torch}
    composed = {"half_squared_error", "cross_entropy", "l2", "weighted_binary_cross_entropy_with_logits"}
    # and what PyTorch has with other arguments: tests/laws/test_torch_layers.py
    layers = {"normalise", "rms_normalise", "softmax_cross_entropy", "along_axes"}
    assert without <= composed | layers


@pytest.mark.parametrize("name", [name for name in NAMES if OPS[name].kinks])
def test_kinks_agree_with_pytorch(name: str) -> None:
    op = OPS[name]
    assert op.source, f"{name} has a kink: say whose choice its partial is"
    each = [(argument, one) for argument, all_ in op.kinks.items() for one in all_.split(" or ")]
    for argument, condition in each:
        left, right = (part.strip() for part in condition.split(" = "))
        inputs = list(drawn(op, 5))
        known = dict(zip(op.arguments, inputs, strict=True))
        assert left in op.arguments, condition
        number = op.settings.get(right.removeprefix("-"), right.removeprefix("-"))
        place = -float(number) if right.startswith("-") else right if right in known else float(number)
        at = known[right] if right in known else np.full(known[left].shape, place)
        if not np.isfinite(at).all():
            continue
        inputs[op.arguments.index(left)] = np.array(at)
        local = applied(op, tuple(inputs), dict(op.settings))
        which = op.arguments.index(argument)
        for called, function in torch_functions(op):
            value, jacobians = by_torch(called, function, tuple(inputs), dict(op.settings))
            np.testing.assert_array_equal(local.output, value)
            np.testing.assert_array_equal(pulled(op, local, which), jacobians[which])


# Broadcasting

SHAPES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((3, 1), (1, 4)),
    ((4,), (2, 3, 4)),
    ((), (3,)),
    ((2, 1, 3), (4, 1)),
    ((1, 1), (2,)),
    ((), ()),
]


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("name", BINARY)
def test_broadcasting(name: str, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    op = OPS[name]
    generator = np.random.default_rng(6)
    inputs = tuple(generator.uniform(0.2, 0.8, shape) for shape in shapes)
    local = applied(op, inputs, dict(op.settings))
    assert local.output.shape == np.broadcast_shapes(*shapes)
    for which in range(2):
        jacobian, exists = columned(op, local, which)
        np.testing.assert_allclose(pulled(op, local, which), jacobian, rtol=1e-13)
        np.testing.assert_array_equal(pulled(op, local, which, "count"), exists)
        differences = by_differences(op, inputs, dict(op.settings), which)
        assert jacobian == pytest.approx(differences, rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("name", [name for name in NAMES if isinstance(OPS[name].structure, Elementwise)])
def test_float32_stays_float32(name: str) -> None:
    op = OPS[name]
    local = applied(op, tuple(x.astype(np.float32) for x in drawn(op, 7)), dict(op.settings))
    assert local.output.dtype == np.float32
    for which in range(len(local.inputs)):
        one = np.ones((1, *local.output.shape), dtype=np.float32)
        (part,) = op.structure.pull(SEMIRINGS["gradient"], (one,), local, which, False)
        assert part is not None
        assert part.dtype == np.float32


# Printing


def formulas(op: Op, settings: Settings) -> list[Tree]:
    made = [op.structure.formula(which, settings) for which in range(len(op.arguments))]
    of = getattr(op.structure, "of", None)
    return [*made, parse(of)] if of else made


def assert_latex(text: str) -> None:
    depth = 0
    for place, letter in enumerate(text):
        if letter in "{}" and text[place - 1 : place] != "\\":
            depth += 1 if letter == "{" else -1
            assert depth >= 0, text
    assert depth == 0, text
    assert text.count("\\left") == text.count("\\right")
    assert "\\begin{cases}" not in text or "\\end{cases}" in text
    convert(text)  # raises where LaTeX would: double superscripts, missing braces


RAISED = {"x": "z^{0}_{1}", "y": "a^{0}_{1}", "a": "a^{0}_{3}", "t": "y^{0}", "b": "b^0_1", "p": "p"}


@pytest.mark.parametrize("name", NAMES)
def test_formulas_print_as_latex_and_text(name: str) -> None:
    op = OPS[name]
    for tree in formulas(op, {}) + formulas(op, {k: v for k, v in op.settings.items() if np.isscalar(v)}):
        assert_latex(show(tree, "latex"))
        assert_latex(show(tree, "latex", RAISED))
        assert show(tree, "text")
        assert "None" not in show(tree, "text", RAISED)
    assert op.symbol
    assert_latex(op.symbol)


def evaluated(tree: Tree, style: str, known: Settings) -> Any:
    """Returns what the printed code of a formula computes, with nothing of the engine in its names."""
    code = show(tree, style, {name: f"_{name}" for name in symbols(tree)})
    names = {f"_{name}": value for name, value in known.items()}
    if style == "numpy":
        from scipy.special import erf, erfc, erfinv, expit, gammaln, ndtr, polygamma, psi

        names |= {
            "np": np,
            "inf": math.inf,
            "erf": erf,
            "erfc": erfc,
            "erfinv": erfinv,
            "lgamma": gammaln,
            "digamma": psi,
            "trigamma": lambda v: polygamma(1, v),
            "sigmoid": expit,
            "Phi": ndtr,
            "phi": lambda v: np.exp(-v * v / 2) / np.sqrt(2 * np.pi),
        }
        return eval(code, names)
    if style == "torch":
        tensors = {k: torch.as_tensor(v, dtype=torch.float64) for k, v in names.items()}
        torch.set_default_dtype(torch.float64)  # what torch.where(c, 1, 0.3) is made of
        try:
            return eval(code, {"torch": torch, "inf": math.inf} | tensors)
        finally:
            torch.set_default_dtype(torch.float32)
    from scipy.special import erfinv, polygamma, psi

    helpers: Settings = {
        "erfinv": erfinv,
        "digamma": psi,
        "trigamma": lambda v: polygamma(1, v),
        "sigmoid": lambda v: 1 / (1 + math.exp(-v)),
        "softplus": lambda v: math.log1p(math.exp(v)),
        "Phi": lambda v: (1 + math.erf(v / math.sqrt(2))) / 2,
        "phi": lambda v: math.exp(-v * v / 2) / math.sqrt(2 * math.pi),
        "sign": lambda v: float(np.sign(v)),
    }
    return eval(code, {k: getattr(math, k) for k in dir(math)} | helpers | names)


# Products, sums and softmax are printed as parts of programs, which tests/codegen runs.
PRINTED = [place for place, (name, _) in enumerate(CASES) if isinstance(OPS[name].structure, Elementwise)]


@pytest.mark.parametrize(("name", "settings"), [CASES[i] for i in PRINTED], ids=[IDS[i] for i in PRINTED])
def test_printed_code_computes_the_same_numbers(name: str, settings: Settings) -> None:
    op = OPS[name]
    inputs = drawn(op, 8, settings)
    local = applied(op, inputs, settings)
    assert isinstance(op.structure, Elementwise)
    known = dict(zip(op.arguments, inputs, strict=True)) | {"y": local.output} | settings
    wanted = [np.asarray(op.structure.partial(local, which)) for which in range(len(inputs))] + [local.output]
    for tree, right in zip(formulas(op, settings), wanted, strict=True):
        for style in ("numpy", "torch"):
            got = np.asarray(evaluated(tree, style, known))
            np.testing.assert_allclose(np.broadcast_to(got, right.shape), right, rtol=1e-12, atol=1e-14)
        for place in np.ndindex(local.output.shape):
            entries = {
                k: np.broadcast_to(v, local.output.shape)[place].item() if np.ndim(v) else v
                for k, v in known.items()
            }
            entry = np.broadcast_to(right, local.output.shape)[place]
            assert evaluated(tree, "scalar", entries) == pytest.approx(entry, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("name", [name for name in NAMES if isinstance(OPS[name].structure, DenseAlongAxis)])
def test_dense_formulas_are_written_for_arrays_and_refused_for_scalars(name: str) -> None:
    op = OPS[name]
    (x,) = drawn(op, 9)
    value = parse(op.structure.of)
    known = {op.arguments[0]: x}
    numbers = {name: Number(v) for name, v in op.settings.items() if name != "axis"} | {"n": Number(4)}
    value = substitute(value, numbers)
    right = op.structure.value((x,), dict(op.settings), np)
    for style in ("numpy", "torch"):
        np.testing.assert_allclose(np.asarray(evaluated(value, style, known)), right, rtol=1e-13)
    with pytest.raises(FormulaError, match=r"axis_\w+ can't be written in style 'scalar'"):
        show(value, "scalar")
    partial = op.structure.formula(0, {})
    assert all(show(partial, style) for style in STYLES)


def test_selections_only_move_entries() -> None:
    for name in NAMES:
        if isinstance(OPS[name].structure, Selection):
            local = applied(OPS[name], drawn(OPS[name], 10), dict(OPS[name].settings))
            assert set(np.ravel(local.output)) <= set(np.ravel(local.inputs[0]))


# The tables that are made of it


def test_activations_and_costs_are_entries_of_the_table() -> None:
    assert all(OPS[name] is op for table in (ACTIVATIONS, COSTS) for name, op in table.items())
    assert {name for name, op in OPS.items() if op.activation} == set(ACTIVATIONS)
    assert {name for name, op in OPS.items() if op.cost} == set(COSTS)


# One call is enough


@pytest.fixture
def mish() -> Iterator[str]:
    op = elementwise(
        "new_mish(x)",
        "x*tanh(softplus(x))",
        partials={"x": "tanh(softplus(x)) + x*sigmoid(x)*(1 - tanh(softplus(x))^2)"},
        samples=reals(-4, 4),
        torch="mish",
        activation=True,
    )
    yield op.name
    for table in (OPS, ACTIVATIONS):
        del table[op.name]


def test_a_new_activation_passes_every_law(mish: str) -> None:
    test_partials_agree_with_finite_differences(mish, {})
    test_pulling_back_and_columns_are_one_jacobian(mish, {})
    for semiring in SEMIRINGS:
        for marked in (False, True):
            test_pulling_back_joins_the_column(mish, marked, semiring)
    test_values_and_partials_agree_with_pytorch(mish, {})
    test_float32_stays_float32(mish)
    test_formulas_print_as_latex_and_text(mish)
    test_printed_code_computes_the_same_numbers(mish, {})
    test_activations_and_costs_are_entries_of_the_table()


@pytest.mark.parametrize("examples", [1, 3])
def test_a_new_activation_is_known_to_networks_programs_and_sweeps(mish: str, examples: int) -> None:
    generator = np.random.default_rng(11)
    x, y = generator.normal(size=(examples, 2)), generator.normal(size=(examples, 2))
    net = wg.Network([2, 3, 3, 2], mish, bias=True, seed=3)
    run = net.run(x, y)
    tensors = {k: torch.tensor(np.array(v), requires_grad=True) for k, v in net.parameters.items()}
    a = torch.tensor(x)
    for layer in (1, 2, 3):
        a = torch.nn.functional.mish(a @ tensors[f"W{layer}"].T + tensors[f"b{layer}"])
    costs = ((a - torch.tensor(y)) ** 2).sum(0)
    np.testing.assert_allclose(run.costs, costs.detach().numpy(), rtol=1e-12)
    written = numpy_program.written(net.layered, net.parameters, x, y, literal=True)
    program: dict[str, Any] = {"__name__": "written"}
    exec(written, program)
    C, gradients = program["gradients"](x, y, *net.parameters.values())
    np.testing.assert_allclose(C, run.costs, rtol=1e-13)
    for k in range(2):
        rows = torch.autograd.grad(costs[k], list(tensors.values()), retain_graph=True)
        for (name, _), row in zip(tensors.items(), rows, strict=True):
            np.testing.assert_allclose(run.gradients()[name][k], row.numpy(), rtol=1e-11, atol=1e-13)
            np.testing.assert_allclose(gradients[name][k], row.numpy(), rtol=1e-11, atol=1e-13)
            swept = np.asarray(run.sweep("gradient").array(name))[k]
            np.testing.assert_allclose(swept, row.numpy(), rtol=1e-11, atol=1e-13)
    if examples == 1:
        made = scalar_program.program(net.layered)
        flat = made.run(*x.ravel(), *y.ravel(), *(v for p in net.parameters.values() for v in p.ravel()))
        for name, start, stop, shape in made.slices:
            np.testing.assert_allclose(np.reshape(flat[start:stop], shape), run.gradients()[name], rtol=1e-13)
    total = run.sweep("total").value("w^0_{0,1}", 0)
    strongest = abs(run.sweep("strongest").value("w^0_{0,1}", 0))
    assert 0 < strongest <= total
    assert run.sweep("count").value("w^0_{0,1}", 0) == 3 * examples
    assert run.paths("w^0_{0,1}", cost=0).total == pytest.approx(total)


@contextmanager
def declared(name: str, of: str, partial: str) -> Iterator[None]:
    elementwise(f"{name}(x)", of, {"x": partial}, reals(-3, 3), activation=True)
    try:
        yield
    finally:
        for table in (OPS, ACTIVATIONS):
            del table[name]


@pytest.mark.parametrize(
    ("of", "partial"),
    [
        ("-x", "-1"),  # a slope that is a number
        ("2*x", "2"),
        ("min(max(x, 0), 1)", "where(x > 0, 1, 0) - where(x > 1, 1, 0)"),  # masks that are subtracted
        ("x + max(x, 1)", "1 + where(x > 1, 1, 0)"),
        ("-max(x, 0)", "-where(x > 0, 1, 0)"),
        ("where(x > 0, 1, 0)", "0"),  # flat
    ],
)
@pytest.mark.parametrize(
    "layers",
    [["new", "identity"], ["identity", "new"], ["new", "new"], ["tanh", "new", "identity"]],
    ids="/".join,
)
def test_odd_activations_run_in_every_program(of: str, partial: str, layers: list[str]) -> None:
    # Programs are kept by the names of their activations: a name for each formula.
    name = "new" + "".join(letter for letter in of + partial if letter.isalnum())
    layers = [layer.replace("new", name) for layer in layers]
    with declared(name, of, partial):
        generator = np.random.default_rng(12)
        # three layers: narrow, wider, more costs than either
        sizes = [3, 4, 2] if len(layers) == 2 else [5, 2, 3, 4]
        x, y = generator.normal(size=(4, sizes[0])), generator.normal(size=(4, sizes[-1]))
        net = wg.Network(sizes, layers, bias=True, seed=5)
        gradients = net.run(x, y).gradients()
        totals = {name: np.zeros_like(v) for name, v in gradients.items()}
        made = scalar_program.program(net.layered)
        for n in range(4):
            flat = made.run(*x[n], *y[n], *(v for p in net.parameters.values() for v in p.ravel()))
            for parameter, start, stop, shape in made.slices:
                totals[parameter] = totals[parameter] + np.reshape(flat[start:stop], shape)
        swept = net.run(x, y).sweep("gradient")
        for parameter, value in gradients.items():
            np.testing.assert_allclose(value, totals[parameter], rtol=1e-12, atol=1e-13)
            np.testing.assert_allclose(np.asarray(swept.array(parameter)), value, rtol=1e-12, atol=1e-13)
