"""What complex numbers go into or come out of, by real and imaginary parts; their Fourier transforms."""

from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from whygrad.ops import application, labels
from whygrad.structures import Contraction
from whygrad.torch_recorder.fourier import Fourier, Waves
from whygrad.torch_recorder.pair_product import ARGUMENTS, PairContraction, PairProduct
from whygrad.torch_recorder.pairs import of_pairs
from whygrad.torch_recorder.rules.entry import COMPLEX, OPS, apply, rule, written
from whygrad.torch_recorder.rules.matrices import of_each_entry
from whygrad.torch_recorder.rules.moves import SELECTIONS, selection
from whygrad.torch_recorder.tracer import Call

aten = torch.ops.aten

# These have the rules that they have with real numbers: pairs are moved, a matrix is one of pairs, what is constant
# has no paths.
AS_REAL = f"""
    {" ".join(SELECTIONS)} as_strided as_strided_scatter clone contiguous alias lift_fresh embedding addbmm
    zeros_like ones_like full_like empty_like rand_like randn_like new_zeros new_ones new_full new_empty
    new_empty_strided _new_zeros_with_same_feature_meta bernoulli
    linalg_inv_ex _linalg_solve_ex linalg_solve_triangular _linalg_det linalg_pinv linalg_matrix_exp
    linalg_cholesky_ex cholesky_solve cholesky_inverse
""".split()

# Functions of one number: a pair is a matrix by itself.
OF_EACH = """
    acos acosh angle asin asinh atan atanh cos cosh exp exp2 expm1 log log10 log1p log2 pow reciprocal rsqrt sgn sigmoid
    sin sinc sinh sqrt square tan tanh
""".split()
rule(*OF_EACH, into=COMPLEX)(of_each_entry)

# Arguments that are numbers, and no places or sizes.
NUMBERS = ("self", "other", "source", "src", "grad_in", "values")


def _operands(call: Call) -> dict[str, Any]:
    return {name: value for name, value in call.given.items() if name in NUMBERS}


def _is_complex(value: Any) -> bool:
    return value.is_complex() if isinstance(value, Tensor) else isinstance(value, complex)


# What is the same for real and for imaginary parts, and mixes them nowhere


def _as_pairs(value: Any, like: Tensor) -> Tensor:
    """Returns an operand as pairs of real numbers."""
    if not isinstance(value, Tensor):
        return torch.view_as_real(torch.tensor(value, dtype=like.dtype, device=like.device))
    if value.is_complex():
        return torch.view_as_real(value.resolve_conj())
    real = value.to(like.real.dtype)
    return torch.stack([real, torch.zeros_like(real)], -1)


@rule("add", "sub", "rsub", "neg", into=COMPLEX)
def _of_pairs(call: Call) -> Any:
    beside = {name: value for name, value in call.given.items() if name not in NUMBERS}
    if isinstance(beside.get("alpha"), complex):
        return NotImplemented

    def make() -> Tensor:
        pairs = (_as_pairs(value, call.out) for value in _operands(call).values())
        made: Tensor = getattr(torch, call.name)(*pairs, **beside)
        return made

    return written(call, make)


@rule("sum", "mean", into=COMPLEX)
def _over_axes(call: Call) -> Any:
    x, axes = call.given["self"], call.given.get("dim")
    if not x.dim():
        return apply(call, OPS["identity"], [x])
    axes = range(x.dim()) if axes is None or axes == [] else axes
    over = [axis % x.dim() for axis in ([axes] if isinstance(axes, int) else axes)]
    join, keep = getattr(torch, call.name), bool(call.given.get("keepdim"))
    return written(call, lambda: join(_as_pairs(x, call.out), dim=over, keepdim=keep))


@rule(*"cumsum trace scatter_add index_add col2im unfold_backward".split(), into=COMPLEX)
def _by_parts(call: Call) -> Any:
    given, dtype = dict(call.given), call.given.get("dtype")
    if isinstance(given.get("alpha"), complex):
        return NotImplemented
    if dtype is not None:
        given["dtype"] = dtype.to_real()

    def make() -> Tensor:
        pairs = {name: _as_pairs(value, call.out) for name, value in _operands(call).items()}
        parts = zip(*(pair.unbind(-1) for pair in pairs.values()), strict=True)
        return torch.stack([call.func(**given | dict(zip(pairs, part, strict=True))) for part in parts], -1)

    return written(call, make)


@rule("index_put", "_unsafe_index_put", "put", into=COMPLEX)
def _put(call: Call) -> Any:
    return _by_parts(call) if call.given["accumulate"] else selection(call)


# Products


@rule("mul", into=COMPLEX)
def _product(call: Call) -> Any:
    factors = list(_operands(call).values())
    if all(map(_is_complex, factors)):
        return apply(call, application(call.name, ARGUMENTS, PairProduct()), factors)
    return _by_real(call, factors)


def _by_real(call: Call, operands: list[Any]) -> int:
    """Returns the node of a product or a quotient of complex numbers and real ones, which both parts have."""
    number, given = call.out.real.dtype, []
    for value in operands:
        if not isinstance(value, Tensor):
            dtype = call.out.dtype if _is_complex(value) else number
            given.append(torch.tensor(value, dtype=dtype, device=call.out.device))
        elif value.is_complex():
            given.append(value)
        else:
            with call.tracer:
                given.append((value if value.is_floating_point() else value.to(number)).unsqueeze(-1))
    return apply(call, OPS[call.name], given)


@rule("div", into=COMPLEX)
def _quotient(call: Call) -> Any:
    first, second = call.given["self"], call.given["other"]
    if _is_complex(second):
        return written(call, lambda: first * torch.as_tensor(second).reciprocal())
    return _by_real(call, [first, second])


@rule("mm", "bmm", "mv", "dot", into=COMPLEX)
def _matrix_product(call: Call) -> Any:
    pattern = {
        "mm": "n i, i o -> n o",
        "bmm": "b n i, b i o -> b n o",
        "mv": "o i, i -> o",
        "dot": "i, i -> ",
    }
    product = Contraction(ARGUMENTS, labels(pattern[call.name]))
    return apply(call, application(call.name, ARGUMENTS, PairContraction(product)), list(call.given.values()))


@rule("prod", "cumprod", into=COMPLEX)
def _multiplied(call: Call) -> Any:
    x, axis = call.given["self"], call.given.get("dim")
    if not x.dim() or not x.numel():
        return NotImplemented

    def make() -> Tensor:
        factors = x.reshape(-1).unbind() if axis is None else x.unbind(axis)
        *before, whole = accumulate(factors, torch.mul)
        return (
            whole.reshape(call.out.shape) if call.name == "prod" else torch.stack([*before, whole], axis or 0)
        )

    return written(call, make)


@rule("vdot", into=COMPLEX)
def _inner_product(call: Call) -> Any:
    return written(call, lambda: torch.dot(call.given["self"].conj(), call.given["other"]))


@rule("addcmul", "addcdiv", into=COMPLEX)
def _added_product(call: Call) -> Any:
    base, one, two, by = call.given.values()
    of = torch.mul if call.name == "addcmul" else torch.div
    return written(call, lambda: base + by * of(one, two))


@rule("lerp", into=COMPLEX)
def _between(call: Call) -> Any:
    start, end, part = call.given.values()
    return written(call, lambda: start + part * (end - start))


@rule("_conj", "conj_physical", "_conj_physical", into=COMPLEX)
def _conjugate(call: Call) -> Any:
    x = call.given["self"]
    return apply(call, OPS["mul"], [x, torch.tensor([1.0, -1.0], dtype=call.out.real.dtype, device=x.device)])


@rule("_neg_view")
@rule("_neg_view", into=COMPLEX)
def _negative(call: Call) -> Any:
    return apply(call, OPS["neg"], [call.given["self"]])


@rule("abs", into=COMPLEX)
def _size(call: Call) -> Any:
    x = call.given["self"]
    return apply(call, OPS["norm"], [x], {"axis": (x.dim(),), "p": 2})


@rule("linalg_vector_norm", into=COMPLEX)
def _norm(call: Call) -> Any:
    given = call.given
    return written(call, lambda: call.func(**{**given, "self": given["self"].abs(), "dtype": None}))


@rule("polar", into=COMPLEX)
def _by_angle(call: Call) -> Any:
    size, angle = call.given["abs"], call.given["angle"]
    return written(call, lambda: torch.complex(size * angle.cos(), size * angle.sin()))


@rule("_to_copy", into=COMPLEX)
def _cast(call: Call) -> Any:
    x, out = call.given["self"], call.out
    if x.is_complex() and out.is_complex():
        return apply(call, OPS["identity"], [x])
    if x.is_complex():
        return written(call, lambda: x.real.to(out.dtype))
    real = x.to(out.real.dtype)
    return written(call, lambda: torch.complex(x.to(real.dtype), torch.zeros_like(real)))


@rule("_fft_r2c", "_fft_c2c", "_fft_c2r", into=COMPLEX)
def _transform(call: Call) -> Any:
    """A Fourier transform, axis by axis."""
    given, kind = call.given, call.name[-3:]
    x, norm, back = given["self"], given["normalization"], kind == "c2r" or not given.get("forward", True)
    *more, last = (axis % x.dim() for axis in given["dim"])

    def along(x: Tensor, axes: list[int]) -> Tensor:
        made: Tensor = call.func(**{**given, "self": x, "dim": axes})
        return made

    def between(x: Tensor) -> Tensor:
        made: Tensor = aten._fft_c2c.default(x, more, norm, not back)
        return made

    if more:
        return written(call, lambda: along(between(x), [last]) if back else between(along(x, [last])))
    signal, spectrum = (call.out, x) if back else (x, call.out)
    size = signal.shape[last]
    scale = (1.0, size**-0.5, 1 / size)[norm]
    waves = Waves(kind, size, spectrum.shape[last], back, scale)
    after = x.dim() - last  # more axes may come before
    run = of_pairs(lambda array: along(array, [array.dim() - after]), [x])
    return apply(call, application(call.name, ("x",), Fourier(run, last, waves)), [x])
