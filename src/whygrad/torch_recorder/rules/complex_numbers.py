"""What complex numbers go into or come out of, by real and imaginary parts; their Fourier transforms."""

from typing import Any

import torch
from torch import Tensor

from whygrad.ops import application
from whygrad.torch_recorder.fourier import Fourier, Waves
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
    new_empty_strided bernoulli
    linalg_inv_ex _linalg_solve_ex linalg_solve_triangular _linalg_det linalg_pinv linalg_matrix_exp
    linalg_cholesky_ex cholesky_solve cholesky_inverse
""".split()

# Functions of one number: a pair is a matrix by itself.
OF_EACH = """
    acos acosh angle asin asinh atan atanh cos cosh exp exp2 expm1 log log10 log1p log2 pow reciprocal rsqrt sgn sigmoid
    silu sin sinc sinh sqrt square tan tanh
""".split()  # noqa: SIM905
rule(*OF_EACH, into=COMPLEX)(of_each_entry)

# Arguments that are numbers, and no places or sizes.
NUMBERS = ("self", "other", "source", "src", "values", "grad_in", "mat2", "vec", "tensor")


def _parts(value: Any) -> tuple[Any, Any]:
    """Returns the real and the imaginary part of an array or a number; of what is real there is no imaginary one."""
    if not isinstance(value, Tensor):
        return (value.real, value.imag) if isinstance(value, complex) else (value, None)
    if not value.is_complex():
        return value, None
    real, imaginary = torch.view_as_real(value.resolve_conj()).unbind(-1)
    return real, imaginary


def _operands(call: Call) -> dict[str, Any]:
    return {name: value for name, value in call.given.items() if name in NUMBERS}


@rule(
    *"add sub rsub neg sum mean cumsum trace scatter_add index_add col2im unfold_backward".split(),  # noqa: SIM905
    into=COMPLEX,
)
def _by_parts(call: Call) -> Any:
    """An operation that does the same with real and with imaginary parts, and mixes them nowhere."""
    given, dtype = dict(call.given), call.given.get("dtype")
    if isinstance(given.get("alpha"), complex):
        return NotImplemented
    if dtype is not None:
        given["dtype"] = dtype.to_real()

    def nothing(value: Any) -> Any:
        return torch.zeros_like(value) if isinstance(value, Tensor) else 0

    def make() -> Tensor:
        parts = {name: _parts(value) for name, value in _operands(call).items()}
        real = {name: first for name, (first, _) in parts.items()}
        imaginary = {name: nothing(one) if two is None else two for name, (one, two) in parts.items()}
        return torch.complex(*(call.func(**{**given, **part}) for part in (real, imaginary)))

    return written(call, make)


@rule("index_put", "_unsafe_index_put", "put", into=COMPLEX)
def _put(call: Call) -> Any:
    return _by_parts(call) if call.given["accumulate"] else selection(call)


@rule("mul", "mm", "bmm", "mv", "dot", into=COMPLEX)
def _product(call: Call) -> Any:
    """A product of any kind: the four products of parts, as far as there are imaginary ones."""
    (one, first), (two, second) = _operands(call).items()

    def of(a: Any, b: Any) -> Any:
        return call.func(**{**call.given, one: a, two: b})

    def make() -> Tensor:
        a, ai = _parts(first)
        b, bi = (a, ai) if second is first else _parts(second)
        if ai is None:
            return torch.complex(of(a, b), of(a, bi))
        if bi is None:
            return torch.complex(of(a, b), of(ai, b))
        return torch.complex(of(a, b) - of(ai, bi), of(a, bi) + of(ai, b))

    return written(call, make)


@rule("div", into=COMPLEX)
def _quotient(call: Call) -> Any:
    first, second = call.given["self"], call.given["other"]
    if isinstance(second, complex) or (isinstance(second, Tensor) and second.is_complex()):
        return written(call, lambda: first * torch.as_tensor(second).reciprocal())
    return _product(call)


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
