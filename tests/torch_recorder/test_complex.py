"""Models that go through complex numbers: gradients are autograd's, paths go through real and imaginary parts."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

import whygrad as wg
from tests.torch_recorder.agreement import Of, by_autograd, recorded, unchanged
from tests.torch_recorder.scalars import Scalars
from tests.torch_recorder.test_enumeration import every_scalar_agrees, paths_agree, the_walk_agrees

COMPLEX = torch.complex128


@pytest.fixture(autouse=True)
def drawn() -> None:
    torch.manual_seed(0)


def real(*shape: int) -> torch.Tensor:
    return torch.randn(shape)


def pairs(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=COMPLEX)


def parts(out: torch.Tensor) -> torch.Tensor:
    """Returns all real numbers of a result, so that a cost can be made of them."""
    return torch.view_as_real(out.resolve_conj()) if out.is_complex() else out


def costs(model: Any, batch: Any) -> dict[str, torch.Tensor]:
    out = parts(model(batch))
    weights = torch.linspace(-1.0, 2.0, out.numel(), dtype=out.dtype).reshape(out.shape)
    return {"straight": (weights * out).sum(), "curved": (out * out * weights).sum()}


def agrees(run: Callable[..., Any], *given: torch.Tensor, **options: Any) -> wg.Record:
    """Returns the record of a function of some parameters, after asserting that its gradients are autograd's."""
    named = {f"p{place}": one for place, one in enumerate(given)}
    model = Of(lambda m, x: run(*(getattr(m, name) for name in named)), **named)
    return recorded(model, torch.zeros(1), costs, **options)


FFT = torch.fft
HANN = {"window": torch.hann_window(4, dtype=torch.float64)}
C, R, W = (2, 4), (2, 4), (4, 3)  # shapes: of complex arrays, of real ones, of a complex matrix

TRANSFORMS: dict[str, tuple[Callable[..., Any], Callable[..., torch.Tensor], tuple[int, ...]]] = {
    "rfft": (FFT.rfft, real, (2, 4)),
    "rfft of an odd number": (lambda x: FFT.rfft(x, norm="ortho"), real, (2, 5)),
    "rfft, filled up": (lambda x: FFT.rfft(x, n=6, dim=0), real, (4, 2)),
    "irfft": (FFT.irfft, pairs, (2, 3)),
    "irfft to an odd number": (lambda c: FFT.irfft(c, n=5, norm="ortho"), pairs, (2, 3)),
    "irfft, cut off": (lambda c: FFT.irfft(c, n=4), pairs, (1, 5)),
    "fft of real numbers": (FFT.fft, real, (2, 3)),
    "fft": (FFT.fft, pairs, (2, 3)),
    "ifft": (FFT.ifft, pairs, (2, 4)),
    "fft2": (lambda x: FFT.fft2(x).real, real, (2, 2, 3)),
    "rfft2": (FFT.rfft2, real, (2, 4)),
    "irfft2": (lambda c: FFT.irfft2(c, s=(2, 4)), pairs, (2, 3)),
    "fftn": (lambda c: FFT.fftn(c, dim=(1, 0), norm="ortho"), pairs, (2, 2, 2)),
    "ifftn": (FFT.ifftn, pairs, (2, 3)),
    "hfft": (FFT.hfft, pairs, (1, 3)),
    "ihfft": (FFT.ihfft, real, (2, 4)),
    "of one entry": (FFT.fft, pairs, (2, 1)),
    "fftshift": (lambda x: FFT.fftshift(FFT.fft(x)), real, (2, 3)),
    "stft": (lambda x: torch.stft(x, 4, 2, return_complex=True, **HANN).abs(), real, (8,)),
    "istft": (
        lambda x: torch.istft(torch.stft(x, 4, 1, return_complex=True, **HANN) * (1 + 2j), 4, 1, **HANN),
        real,
        (6,),
    ),
}


@pytest.mark.parametrize("name", list(TRANSFORMS))
def test_a_transform_and_its_paths(name: str) -> None:
    run, made, shape = TRANSFORMS[name]
    record = agrees(run, made(*shape))
    scalars = Scalars(record.graph)
    every_scalar_agrees(record, scalars)
    paths_agree(record, scalars, "p0")


ARITHMETIC: dict[str, tuple[Any, ...]] = {
    "products": (lambda c, d, x: c * d + c * c + x * c.conj() + 2j * x + c * 3, C, C, R),
    "quotients": (lambda c, d, x: c / d + c / x + x / c + 1 / d + c / 2j, C, C, R),
    "sums": (lambda c, d, x: (c - d + x) - (1 - c) + (x + 1j) + torch.add(x, d, alpha=2), C, C, R),
    "matrix products": (lambda c, w: c @ w + (c.conj() @ w.conj()) + (w.mH @ c.mH).mT, C, W),
    "products of stacks": (lambda c, w: torch.bmm(c[None], w[None]) + torch.baddbmm(w[:2], c[None], w[None]), C, W),
    "einsum": (lambda c, w: torch.einsum("bi,io->bo", c, w) + torch.einsum("bi,io->bio", c, w).sum(1), C, W),
    "a layer": (lambda c, w: F.linear(c, w.T, w[0]), C, W),
    "vectors": (lambda c, w: torch.vdot(c[0], c[1]) + torch.dot(c[0].conj(), c[1]) + w.T @ c[0], C, W),
    "parts": (lambda c: c.real + c.imag * c.conj().imag + c.conj().real - (-c).imag, C),
    "size and angle": (lambda c: c.abs() + c.angle() * torch.log(c.abs() + 1), C),
    "where there is nothing": (lambda c: (0 * c).abs() + (0 * c).angle() + (c - c.detach()).abs() + c.real, C),
    "made of parts": (lambda x, y: torch.complex(x, y) + torch.polar(x.abs(), y), R, R),
    "views": (lambda x: torch.view_as_complex(x.reshape(2, 2, 2)) * 1j, (2, 4)),
    "casts": (lambda x, c: x.to(COMPLEX) * c.to(torch.complex64).to(COMPLEX) + c.to(COMPLEX), R, C),
    "norms": (lambda c: torch.linalg.vector_norm(c, 1, dim=1) + torch.linalg.norm(c), C),
    "sums over axes": (lambda c: c.sum(1) + c.mean((0, 1)) + c.cumsum(1)[:, 2] + c.sum(), C),
    "moved": (lambda c, x: torch.cat([c.roll(1, 1), x + 0j, c[:, [0, 0, 2, 1]].flip(0), torch.tril(c)]), C, R),
    "chosen": (lambda c: torch.where(c.real > 0, c, 0) + torch.stack([c[0], c[1].conj()]), C),
    "multiplied along an axis": (lambda c: c.prod(1) * c.prod(0, keepdim=True).sum() + c.cumprod(1)[:, 2], C),
    "padded": (lambda c: F.pad(c, (1, 0)), C),
    "added at places": (lambda c: c.index_put((torch.zeros(2).long(),) * 2, c[0, :2], accumulate=True), C),
    "put at places": (lambda c: c.index_put((torch.tensor([0, 0]), torch.tensor([1, 2])), c[0, 2:] * 2), C),
    "added along an axis": (lambda c: torch.zeros(2, 2, dtype=COMPLEX).index_add(1, torch.tensor([0, 1, 0, 1]), c), C),
    "functions": (lambda c: c.exp() + c.log() + c**2 + c.sqrt() + c.tanh() + c.sgn() + 2**c + c.reciprocal(), (1, 2)),
    "matrices": (lambda c: torch.linalg.inv(c[:, :2]) @ torch.linalg.solve(c[:, :2], c[:, 2:]), C),
    "determinant": (lambda c: torch.linalg.det(c[:, :2]), C),
    "convolution": (lambda c, w: F.conv1d(c.reshape(1, 2, 4), w[:2].reshape(1, 2, 3)), C, W),
}  # fmt: skip
REALS = {"made of parts": (0, 1), "views": (0,), "casts": (0,), "moved": (1,)}


@pytest.mark.parametrize("name", list(ARITHMETIC))
def test_arithmetic(name: str) -> None:
    run, *shapes = ARITHMETIC[name]
    is_real = REALS.get(name, (2,))
    given = [real(*shape) if place in is_real else pairs(*shape) for place, shape in enumerate(shapes)]
    record = agrees(run, *given)
    assert record.gradients()["p0"].abs().max() > 0
    if name not in ("casts", "matrices"):  # rounded to half as many digits; real matrices for the oracle
        every_sum_agrees(record)


def every_sum_agrees(record: wg.Record) -> None:
    """Asserts that sums over paths are those of single scalars, whole Jacobians at a time."""
    scalars = Scalars(record.graph)
    for row in range(len(record.cost_names)):
        steps = scalars.by_steps(row)
        for leaf in record.leaves.values():
            if leaf.node not in steps:
                continue
            for semiring in ("gradient", "total", "strongest", "count", "entropy"):
                found = record.sweep(semiring).array(leaf.name)[row].reshape(-1).double()
                found = found.abs() if semiring == "strongest" else found
                wanted = torch.from_numpy(steps[leaf.node][semiring])
                torch.testing.assert_close(found, wanted, rtol=1e-8, atol=1e-10, equal_nan=True, msg=semiring)


PRODUCTS: dict[str, tuple[Callable[..., Any], tuple[int, ...], tuple[int, ...]]] = {
    "entry by entry": (torch.mul, (2, 1), (1, 2)),
    "with one number": (torch.mul, (2, 2), ()),
    "with itself": (lambda c, d: c * c * d, (2,), (2,)),
    "of matrices": (torch.matmul, (1, 2), (2, 2)),
    "of stacks": (torch.bmm, (2, 1, 2), (2, 2, 1)),
    "of a matrix and a vector": (torch.mv, (2, 2), (2,)),
    "of vectors": (torch.vdot, (2,), (2,)),
    "quotient": (torch.div, (2,), (2,)),
}


@pytest.mark.parametrize("name", list(PRODUCTS))
def test_a_product_and_its_paths(name: str) -> None:
    run, one, other = PRODUCTS[name]
    record = agrees(run, pairs(*one), pairs(*other))
    scalars = Scalars(record.graph)
    every_scalar_agrees(record, scalars)
    for quantity in ("p0", "p1"):
        paths_agree(record, scalars, quantity)
    the_walk_agrees(record, scalars, f"p0[{', '.join('0' for _ in (*one, 2))}]")


# Models


class Operator(nn.Module):
    """A layer of a Fourier neural operator; its weights are complex numbers."""

    def __init__(self, modes: int = 2, width: int = 2) -> None:
        super().__init__()
        self.modes = modes
        self.weights = nn.Parameter(torch.randn(width, width, modes, dtype=COMPLEX))
        self.beside = nn.Conv1d(width, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        there = torch.fft.rfft(x)
        made = torch.zeros_like(there)
        made[:, :, : self.modes] = torch.einsum("bix,iox->box", there[:, :, : self.modes], self.weights)
        return F.gelu(torch.fft.irfft(made, n=x.size(-1)) + self.beside(x))


def mixing(m: Any, x: torch.Tensor) -> torch.Tensor:
    return m.layer(torch.fft.fft(torch.fft.fft(m.w * x, dim=-1), dim=-2).real)


def filtered(m: Any, x: torch.Tensor) -> torch.Tensor:
    there = torch.fft.rfft2(x, dim=(1, 2), norm="ortho") * torch.view_as_complex(m.w)
    return torch.fft.irfft2(there, s=x.shape[1:3], dim=(1, 2), norm="ortho").tanh()


def turned_by_place(m: Any, x: torch.Tensor) -> torch.Tensor:
    """Attention scores with rotary embeddings, as Llama's code has them."""
    angle = torch.outer(torch.arange(3.0), 1.0 / 10 ** torch.arange(2.0))
    turn = torch.polar(torch.ones_like(angle), angle)[None]
    q, k = (torch.view_as_complex(part(x).unflatten(-1, (-1, 2))) * turn for part in (m.q, m.k))
    q, k = (torch.view_as_real(one).flatten(-2).type_as(x) for one in (q, k))
    return (q @ k.mT).softmax(-1)


def long_convolution(m: Any, x: torch.Tensor) -> torch.Tensor:
    """A state space layer: its kernel from complex states, the convolution in frequencies."""
    rate = torch.complex(-m.decay.exp(), m.turn)
    kernel = 2 * torch.einsum("s,sl->l", m.out, torch.exp(rate[:, None] * torch.arange(4.0))).real
    there = torch.fft.rfft(kernel, n=8) * torch.fft.rfft(x, n=8)
    return torch.fft.irfft(there, n=8)[..., :4]


def echoes(m: Any, x: torch.Tensor) -> torch.Tensor:
    """Autocorrelation: the best delays, as Autoformer has them."""
    there = torch.fft.rfft(m.q(x), dim=1) * torch.fft.rfft(m.k(x), dim=1).conj()
    found = torch.fft.irfft(there, n=x.shape[1], dim=1).mean(-1)
    return found.topk(2, dim=-1).values.softmax(-1)


def split_relu(m: Any, x: torch.Tensor) -> torch.Tensor:
    h = m.first(x.to(COMPLEX))
    return m.last(torch.complex(h.real.relu(), h.imag.relu())).abs()


def spectral_loss(m: Any, x: torch.Tensor) -> torch.Tensor:
    made, wanted = (
        torch.stft(wave, 4, 2, return_complex=True, **HANN).abs().clamp(min=1e-5) for wave in (m.layer(x), x)
    )
    return torch.cat([(made.log() - wanted.log()).abs().flatten(), (made - wanted).norm().reshape(1)])


def complex_layer(i: int, o: int) -> nn.Module:
    return nn.Linear(i, o, dtype=COMPLEX)


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "neural operator": (lambda: nn.Sequential(Operator(), Operator()), (1, 2, 4)),
    "FNet": (lambda: Of(mixing, w=real(3), layer=nn.Linear(3, 2)), (1, 2, 3)),
    "global filter": (lambda: Of(filtered, w=real(2, 2, 2, 2)), (1, 2, 3 - 1, 2)),
    "rotary embedding": (lambda: Of(turned_by_place, q=nn.Linear(2, 4), k=nn.Linear(2, 4)), (1, 3, 2)),
    "state space": (lambda: Of(long_convolution, decay=real(2), turn=real(2), out=pairs(2)), (2, 4)),
    "autocorrelation": (lambda: Of(echoes, q=nn.Linear(2, 1), k=nn.Linear(2, 1)), (1, 4, 2)),
    "complex layers": (lambda: Of(split_relu, first=complex_layer(2, 2), last=complex_layer(2, 2)), (2, 2)),
    "spectral loss": (lambda: Of(spectral_loss, layer=nn.Linear(6, 6)), (6,)),
}


@pytest.mark.parametrize("name", list(MODELS))
def test_a_model_and_its_paths(name: str) -> None:
    made, shape = MODELS[name]
    model = made()
    record = recorded(model, real(*shape), costs)
    first = next(iter(record.parameters))
    assert record.gradients()[first].abs().max() > 0
    every_sum_agrees(record)


def test_the_walk_through_frequencies() -> None:
    record = recorded(Of(mixing, w=real(2), layer=nn.Linear(2, 1)), real(1, 2, 2), costs)
    scalars = Scalars(record.graph)
    every_scalar_agrees(record, scalars)
    the_walk_agrees(record, scalars, "w[0]")


# Memory


def through_the_real_part(c: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    made = c.clone()
    made.real.mul_(x)
    torch.view_as_real(made)[1, :, 1].add_(x[0])
    made.imag[0] = c.real[1]
    return made * c


def through_a_conjugate(c: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    made = torch.zeros(2, 4, dtype=COMPLEX)
    made.conj().copy_(c)
    made.conj()[0] = c[1] * x[0]
    made.conj().imag.mul_(x)
    return made


def seen_after_a_write(c: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    made = c * 1
    turned, part, before = made.conj(), made.conj().imag, made.imag.clone()
    made.mul_(2j)
    made[:, 1:3].add_(x[:, 1:3])
    return turned * 1 + part * before


def many_in_place(c: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    made = c * x
    made.conj_physical_().add_(x).div_(2j).sub_(1).neg_()
    made.transpose_(0, 1)
    made[made.real > 0] = 0.5
    made[0] = x[:, 0]
    return made


def read_before_a_write(c: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    made = c * x
    before = made.conj() + 2 * made.imag
    made.fill_(1 + 1j)
    return before + made


@pytest.mark.parametrize(
    "run",
    [through_the_real_part, through_a_conjugate, seen_after_a_write, many_in_place, read_before_a_write],
)
def test_writes_through_any_view(run: Callable[..., Any]) -> None:
    record = agrees(run, pairs(2, 4), real(2, 4))
    every_sum_agrees(record)


def test_a_batch_of_complex_numbers_is_left_as_it_was() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w, self.frozen = nn.Parameter(pairs(3)), nn.Parameter(pairs(3), requires_grad=False)

        def forward(self, batch: Any) -> torch.Tensor:
            batch["c"].mul_(2j)
            batch["turned"][0].mul_(3)
            return self.w * batch["c"] * self.frozen + batch["turned"] * batch["x"]

    batch = {"c": pairs(2, 3), "turned": pairs(2, 3).conj(), "x": real(3)}
    model = Model()
    with unchanged(model, batch):
        record = wg.record(model, batch, costs)
    assert {leaf.name: leaf.kind for leaf in record.leaves.values()} == {
        "w": "parameter",
        "frozen": "frozen",
        "batch['c']": "input",
        "batch['turned']": "input",
        "batch['x']": "input",
    }
    wanted = {name: value.clone().requires_grad_() for name, value in batch.items()}
    written = {
        name: value.conj().clone().conj() if name == "turned" else value * 1 for name, value in wanted.items()
    }
    by = torch.autograd.grad(sum(costs(model, written).values()), [*wanted.values(), model.w])
    for name, right in zip([*(f"batch['{name}']" for name in batch), "w"], by, strict=True):
        torch.testing.assert_close(record.gradient(name), parts(right), rtol=1e-10, atol=1e-12)
    every_sum_agrees(record)


def test_single_precision_stays_single() -> None:
    model = Of(
        lambda m, x: torch.fft.irfft(torch.fft.rfft(m.w * x) * m.c), w=real(4).float(), c=pairs(3).cfloat()
    )
    record = recorded(model, real(2, 4).float(), costs, tolerance=1e-6)
    assert {str(node.value.dtype) for node in record.graph.nodes} == {"torch.float32"}


def test_a_node_holds_the_pairs_of_this_run() -> None:
    seen = {}

    class Inner(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen["out"] = torch.fft.fft(x).conj()
            return seen["out"]

    model = nn.Sequential(nn.Linear(3, 4), Inner())
    record = wg.record(model, real(2, 3), costs)
    node, _ = record.at("1")
    assert torch.equal(record.graph.nodes[node].value, torch.view_as_real(seen["out"].resolve_conj()))
    assert record.paths("0.bias[1]", cost="straight", k=1)[0].quantities[-1] == "straight"


# Refusals


def test_what_is_refused_of_complex_numbers_may_be_let_through() -> None:
    def run(c: torch.Tensor, d: torch.Tensor) -> torch.Tensor:
        return torch.logsumexp(c * d, 1).conj()

    with pytest.raises(
        wg.NotSupportedError,
        match=r'logsumexp \(of complex numbers\)[\s\S]*real and the imaginary part[\s\S]*opaque="allow"',
    ):
        agrees(run, pairs(2, 3), pairs(2, 3))
    record = agrees(run, pairs(2, 3), pairs(2, 3), opaque="allow")
    assert len(record.stops) == 1
    assert record.sweep("count")["p0[0, 0, 0]"] == 0


def test_long_transforms_have_gradients_and_no_list_of_partials() -> None:
    record = agrees(lambda x: torch.fft.rfft(x).abs(), real(12_000))
    with pytest.raises(wg.NotSupportedError, match=r"Fourier transform of 12000 entries[\s\S]*torch\.stft"):
        record.sweep("total").array("p0")


def test_what_pytorch_sees_no_derivative_of_has_no_path() -> None:
    record = agrees(lambda x: x.view(COMPLEX) * (x[0, 0] + 1j), real(2, 4))
    assert record.sweep("count")["p0[1, 1]"] == 0


# Random programs


def random_step(kind: int, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor | None:
    """Returns what a step makes of two tensors of three entries (complex, or their parts); None if it only writes."""
    match kind:
        case 0:
            return a.conj()
        case 1:
            return a.real if a.is_complex() else torch.complex(a, b.real)
        case 2:
            return a.imag if a.is_complex() else -a
        case 3:
            return torch.view_as_real(a.resolve_conj())[..., 1] if a.is_complex() else a.abs()
        case 4:
            return a.flip(0) * b
        case 5:
            a.mul_(2)
        case 6:
            a.add_(b.real)
        case 7:
            a[1:].copy_((b if a.is_complex() else b.real)[:2].clone())
        case 8:
            a.neg_()
        case 9:
            a[0] = b.imag[2] if b.is_complex() else b[2]
        case 10:
            a.conj_physical_()
        case _:
            return a + 1j * b if a.is_complex() else a.clone()
    return None


class Program(nn.Module):
    """Random views of complex tensors, and random writes through them."""

    def __init__(self, steps: list[tuple[int, int, int]]) -> None:
        super().__init__()
        self.steps = steps
        self.w, self.c = nn.Parameter(torch.randn(3)), nn.Parameter(pairs(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made = [self.c * x, self.w * 1j + 1]
        for kind, a, b in self.steps:
            out = random_step(kind, made[a % len(made)], made[b % len(made)])
            if out is not None:
                made.append(out)
        return torch.stack([one * (1 + 2j) + place for place, one in enumerate(made)])


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 20), st.integers(0, 20)), max_size=10))
def test_random_programs_of_complex_views_and_writes(steps: list[tuple[int, int, int]]) -> None:
    torch.manual_seed(1)
    model, x = Program(steps), real(3)
    try:
        by_autograd(model, x, costs)
    except RuntimeError:
        return  # PyTorch itself refuses: a value that it needs was overwritten
    recorded(model, x, costs)
