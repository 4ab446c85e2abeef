"""The table of operations as a page: ``python -m whygrad.ops.table > docs/operations.md``."""

from whygrad.formula import parse, show
from whygrad.ops import Op, load_all
from whygrad.structures import Contraction, Convolution, PerAxis, Selection

KINDS = {
    "Elementwise": "elementwise",
    "Contraction": "product",
    "Convolution": "convolution",
    "Reduction": "reduction",
    "DenseAlongAxis": "dense along axes",
    "Selection": "moved entries",
    "PerAxis": "matrices along axes",
}

HEAD = """# Operations

What a recorded computation is made of, from the table of operations itself (`src/whygrad/ops/`); the law tests compare
every entry with finite differences and, where PyTorch has it, with PyTorch's value and derivative. In a formula `y` is
the output; `i` and `j` are an output's and an input's entry, and `delta` is 1 where they are the same; `n` is how many
entries an axis has. Reshaping, indexing, padding, concatenation, gathering, embedding, max pooling and sorting all move
entries, and are one kind of operation whatever their name: the partial by an entry that is moved is 1.

Some of PyTorch's operations are recorded as several of these, with autograd's derivative, ties and zeros included:
embedding bags, bilinear layers, `cdist` and `pdist`, `cumprod` and `logcumsumexp`, `scatter_reduce` and
`index_reduce`, the median of all entries, `segment_reduce`, `multilabel_margin_loss`, `affine_grid`, `grid_sample`,
`interpolate`, max unpooling, attention, recurrent layers.

A sparse tensor (COO, CSR, CSC) is recorded as the array of its entries, so that paths go through entries that are there
and no others. Its products with dense matrices and vectors (`sparse.mm`, `@`, `addmm`, `bmm`, `mv`,
`sparse.sampled_addmm`; also with means or largest terms for sums), its softmax and sum, sums of two, products with
numbers and dense matrices, transposition, `to_sparse`, `to_dense` and `values` are recorded, whether its entries are
constants or made of quantities. A sparse tensor of the batch is a constant, and two of them aren't multiplied.

Complex numbers are pairs of real ones: the last axis of what is recorded has the real and the imaginary part, as
`torch.view_as_real` has them, and each part is a quantity with paths of its own. They are moved and added up as
pairs; a product (`mul`, `mm`, `bmm`, `einsum`) is one operation, in which both parts of the one factor act on both
parts of the product by those of the other; `abs` is a norm, a quotient the product with `reciprocal`. A Fourier
transform (`rfft`, `irfft`, `fft`, `ifft`, `hfft`, `ihfft`; `stft`, `istft`) is one operation along each axis, with
cosines and sines for partials: up to 2^25 of them, so real transforms of up to 5 791 samples. Its gradient is a fast
transform itself and has no such limit; all else takes as long as the product with the matrix. `exp`, `log`, `sqrt`,
`pow`, `reciprocal`, `angle`, `sgn` and others of a complex number are one operation each, whose partials autograd
says.

Functions of whole matrices have no formula here: `inv`, `pinv`, `solve`, `solve_triangular`, `lstsq`, `det`,
`slogdet`, `cholesky`, `cholesky_solve`, `cholesky_inverse`, `lu`, `lu_factor`, `lu_solve`, `qr`, `eigh`, `svd`,
`matrix_exp` and `householder_product` are one operation each, with a partial for each pair of an entry of one matrix
and an entry of what is made of it; so are `ctc_loss`, for each example, what Dirichlet and beta distributions draw,
for each draw, and `polygamma`, `i0`, `i0e`, `i1`, `i1e` and `ndtri`, for each entry. Autograd says all of these
partials, up to 2^25 of them; those that are 0, as of the other right-hand sides of `solve`, count as dead. The
gradient needs none of them and has no such limit.

| operation | PyTorch | value | partials | kind | settings | where it is a choice |
|---|---|---|---|---|---|---|
"""


def _formula(text: str) -> str:
    return f"`{show(parse(text), 'text')}`"


def _value(op: Op) -> str:
    structure = op.structure
    match structure:
        case Contraction():
            first, second, out = (" ".join(labels) for labels in structure.labels)
            return f"sum of products `{first}, {second} -> {out}`"
        case Convolution():
            return "windows of `x` times `W`; also transposed"
        case PerAxis():
            return "each axis times its matrix"
        case Selection():
            return "entries of `x`"
    of: str = structure.of  # type: ignore[attr-defined]  # all others have one
    sign = (
        "sum over the axes of "
        if KINDS[type(structure).__name__] == "reduction" and "axis_" not in of
        else ""
    )
    return sign + _formula(of)


def _partials(op: Op) -> str:
    found = [
        f"{argument}: `{show(op.structure.formula(which, {}), 'text')}`"
        for which, argument in enumerate(op.arguments)
    ]
    shared = getattr(op.structure, "quantities", {})
    return "; ".join(found + [f"{name} = {_formula(of)}" for name, of in shared.items()])


def _settings(op: Op) -> str:
    numbers = (f"{name} = {value}" for name, value in op.settings.items() if isinstance(value, (int, float)))
    return ", ".join(numbers)


def _row(op: Op) -> str:
    kinks = ", ".join(sorted(set(op.kinks.values())))
    cells = (
        f"`{op.name}({', '.join(op.arguments)})`",
        ", ".join(f"`{text}`" for text in op.torch),
        _value(op),
        _partials(op),
        KINDS[type(op.structure).__name__],
        _settings(op),
        ": ".join(filter(None, (kinks, op.source))),
    )
    return f"| {' | '.join(cells)} |"


def table() -> str:
    """Returns the page.

    Example:
        >>> [line for line in table().splitlines() if line.startswith("| `tanh(")]
        ['| `tanh(x)` | `tanh` | `tanh(x)` | x: `1 - y^2` | elementwise |  |  |']
    """
    return HEAD + "\n".join(_row(op) for op in load_all().values()) + "\n"


if __name__ == "__main__":
    print(table(), end="")
