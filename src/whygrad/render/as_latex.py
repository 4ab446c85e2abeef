"""Derivations as LaTeX: for a document with amsmath, and each formula for MathJax and KaTeX as well."""

from whygrad.derive.derivation import Derivation, Grid, Layerwise, PathRow, Step, Words
from whygrad.derive.spelling import Math

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def escaped(text: str) -> str:
    r"""Returns plain text as LaTeX text.

    Example:
        >>> escaped("50 % of a_1")
        '50 \\% of a\\_1'
    """
    return "".join(_ESCAPES.get(sign, sign) for sign in text)


def number(value: float) -> str:
    """Returns a number to six digits, for mathematics."""
    digits, _, exponent = f"{0.0 if value == 0 else value:.6g}".partition("e")
    return rf"{digits} \cdot 10^{{{int(exponent)}}}" if exponent else digits


def prose(words: Words) -> str:
    """Returns words as LaTeX text with inline mathematics."""
    return "".join(f"${piece.latex}$" if isinstance(piece, Math) else escaped(piece) for piece in words)


def document(body: str) -> str:
    """Returns a whole LaTeX document around a body."""
    return (
        "\\documentclass{article}\n\\usepackage[T1]{fontenc}\n\\usepackage[utf8]{inputenc}\n"
        "\\usepackage{amsmath,amssymb}\n\\usepackage[margin=22mm]{geometry}\n\\setlength{\\parindent}{0pt}\n"
        "\\setlength{\\parskip}{6pt}\n\\allowdisplaybreaks\n\\begin{document}\n"
        + body
        + "\n\\end{document}\n"
    )


def derivation_latex(d: Derivation) -> str:
    """Returns a derivation as the body of a document."""
    parts = [rf"\section*{{$\displaystyle {d.heading.latex} = {number(d.value)}$}}"]
    parts += [prose(words) + "\n" for words in d.words]
    if 1 < len(d.costs) <= 12:
        parts.append(_costs(d))
    parts += [_step(place, step) for place, step in enumerate(d.steps, 1)]
    if d.paths.rows:
        parts.append(_paths(d))
    parts.append(_checks(d))
    if d.layerwise:
        parts.append(
            "\\subsection*{The same in whole layers}\n" + "\n".join(_layer(line) for line in d.layerwise)
        )
    parts.append("\\subsection*{What this stands on}\n" + "\n\n".join(prose(words) for words in d.notes))
    parts.append(f"Network: {escaped(d.network)}. Notation: {escaped(d.notation)}.")
    return "\n\n".join(parts)


def _costs(d: Derivation) -> str:
    rows = []
    for name, value in d.costs.items():
        reason = f" & {escaped(d.cost_reasons[name])}" if name in d.cost_reasons else " &"
        rows.append(f"${d.cost_maths[name].latex}$ & ${number(value)}${reason} \\\\")
    body = "\n".join(rows)
    return (
        f"\\subsection*{{Each cost by itself}}\n\\begin{{tabular}}{{lrp{{90mm}}}}\n{body}\n\\end{{tabular}}"
    )


def aligned(lines: list[str]) -> str:
    """Returns equations under each other, aligned at their first equals sign."""
    made = []
    for line in lines:
        left, sign, right = line.partition("=")
        made.append(f"{left}&={right}" if sign else f"&{line}")
    return "\\begin{align*}\n" + " \\\\\n".join(made) + "\n\\end{align*}"


def _step(place: int, step: Step) -> str:
    lines = aligned([line.math.latex for line in step.lines])
    return f"\\subsection*{{{place}. {escaped(step.title)}}}\n{prose(step.says)}\n{lines}"


def _paths(d: Derivation) -> str:
    rows = "\n".join(_path(row) for row in d.paths.rows)
    others = ""
    if d.paths.others:
        others = f"and {d.paths.others} others, together & & ${number(d.paths.others_sum)}$ & \\\\\n"
    count = "The one path" if d.paths.count == 1 else f"The {d.paths.count} paths"
    return (
        f"\\subsection*{{{count}}}\n{{\\small\n\\begin{{tabular}}{{llrr}}\npath & product & contribution & share \\\\\n"
        f"\\hline\n{rows}\n{others}\\hline\nsum & & ${number(d.paths.sum)}$ & \\\\\n\\end{{tabular}}}}"
    )


def _path(row: PathRow) -> str:
    path = r" \to ".join(math.latex for math in row.maths)
    product = r" \cdot ".join(f"({value:.4g})" if value < 0 else f"{value:.4g}" for _, value in row.factors)
    return f"${path}$ & ${product}$ & ${number(row.contribution)}$ & ${100 * row.share:+.1f}\\,\\%$ \\\\"


def _checks(d: Derivation) -> str:
    difference = "--" if d.finite_difference is None else f"${number(d.finite_difference)}$"
    return (
        "\\subsection*{Three ways to the same number}\n\\begin{tabular}{lr}\n"
        f"sum of all paths & ${number(d.paths.sum)}$ \\\\\nbackward pass & ${number(d.value)}$ \\\\\n"
        f"finite difference & {difference} \\\\\n\\end{{tabular}}"
    )


def matrix(grid: Grid) -> str:
    """Returns a small matrix, the marked entry in a box."""
    rows = []
    for i, row in enumerate(grid.values):
        cells = [
            rf"\boxed{{{value:.4g}}}" if (i, j) == grid.marked else f"{value:.4g}"
            for j, value in enumerate(row)
        ]
        rows.append(" & ".join(cells))
    return "\\begin{pmatrix} " + r" \\ ".join(rows) + " \\end{pmatrix}"


def _layer(line: Layerwise) -> str:
    result = f" = {matrix(line.result)}" if line.result else ""
    return f"\\[ {line.math.latex}{result} \\]"
