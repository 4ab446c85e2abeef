"""Functions of whole matrices, by PyTorch's own derivative: the names in the table of operations, and their outputs."""

from typing import Any

from torch import Tensor

from whygrad.ops import application
from whygrad.torch_recorder.matrix_function import MatrixFunction
from whygrad.torch_recorder.pairs import carries
from whygrad.torch_recorder.rules.entry import apply, rule
from whygrad.torch_recorder.schema import tensors
from whygrad.torch_recorder.tracer import UNTOLD, Call

# For each output: D has a derivative, C is constant, U is only there for PyTorch's backward pass.
MATRIX_FUNCTIONS = {
    "linalg_inv_ex": ("inverse", "DC"),
    "_linalg_solve_ex": ("solve", "DUCC"),
    "linalg_solve_triangular": ("solve_triangular", "D"),
    "cholesky_solve": ("cholesky_solve", "D"),
    "cholesky_inverse": ("cholesky_inverse", "D"),
    "linalg_cholesky_ex": ("cholesky", "DC"),
    "cholesky": ("cholesky", "D"),
    "_linalg_det": ("det", "DUC"),
    "_linalg_slogdet": ("slogdet", "CDUC"),
    "linalg_matrix_exp": ("matrix_exp", "D"),
    "linalg_householder_product": ("householder_product", "D"),
    "linalg_qr": ("qr", "DD"),
    "linalg_lu": ("lu", "CDD"),
    "linalg_lu_factor_ex": ("lu_factor", "DCC"),
    "linalg_lu_solve": ("lu_solve", "D"),
    "lu_unpack": ("lu_unpack", "CDD"),
    "_linalg_eigh": ("eigh", "DD"),
    "_linalg_svd": ("svd", "DDD"),
    "linalg_pinv": ("pseudoinverse", "D"),
    "linalg_lstsq": ("least_squares", "DUCU"),
}


@rule(*"polygamma i0 special_i0e special_i1 special_i1e special_ndtri".split())
def of_each_entry(call: Call) -> Any:
    """A function of single entries without a formula here: each entry is a matrix by itself."""
    shape = call.out.shape
    with call.tracer:
        given = {
            name: value.expand(shape) if isinstance(value, Tensor) and value.shape != shape else value
            for name, value in call.given.items()
        }
    live = [value for value in tensors(given) if call.live(value)]
    structure = MatrixFunction(call._replace(given=given).again(live), None, len(shape), {})
    return apply(
        call, application(call.name, tuple(f"x{place}" for place in range(len(live))), structure), live
    )


@rule(*MATRIX_FUNCTIONS)
def _matrix_function(call: Call) -> Any:
    name, kinds = MATRIX_FUNCTIONS[call.name]
    outs = [call.out] if isinstance(call.out, Tensor) else list(call.out)
    taken = [value for value in tensors(call.given) if carries(value)]
    live = tuple(value for value in taken if call.live(value))
    nodes: list[int | None] = []
    for place, (kind, out) in enumerate(zip(kinds, outs, strict=True)):
        if kind != "D" or not out.numel():
            nodes.append(UNTOLD if kind == "U" else None)
            continue
        batch = taken[0].shape[:-2]
        shapes = [value.shape for value in (*live, out)]
        matrices = len(batch) if all(shape[: len(batch)] == batch for shape in shapes) else 0
        at = None if isinstance(call.out, Tensor) else place
        structure = MatrixFunction(call.again(live), at, matrices, {})
        op = application(name, tuple(f"x{number}" for number in range(len(live))), structure)
        nodes.append(call.ledger.apply(name, op, [call.ledger.input(value, out) for value in live], {}, out))
    return nodes if len(nodes) > 1 else nodes[0]
