"""Derivations as LaTeX: for a document with amsmath, and each formula for MathJax and KaTeX as well."""

import re

from whygrad.derive.derivation import Derivation, Grid, Layerwise, PathRow, Step, Words
from whygrad.derive.spelling import Math, shown, spaced
from whygrad.render.checks import checks, checks_title, lists_costs, percent

# As many characters fit on a line of a page.
LINE = 88
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

# The space between groups of digits.
THIN = r"\,"


def escaped(text: str) -> str:
    r"""Returns plain text as LaTeX text.

    Example:
        >>> escaped("50 % of a_1")
        '50 \\% of a\\_1'
    """
    return "".join(_ESCAPES.get(sign, sign) for sign in text)


def number(value: float, figures: int = 6) -> str:
    """Returns a number to some digits, for mathematics."""
    digits, _, exponent = shown(value or 0.0, figures).partition("e")
    return rf"{digits} \cdot 10^{{{int(exponent)}}}" if exponent else digits


def factor(value: float) -> str:
    """Returns a factor to four digits, in parentheses where it is negative."""
    return f"({number(value, 4)})" if value < 0 else number(value, 4)


def prose(words: Words) -> str:
    """Returns words as LaTeX text with inline mathematics."""
    return "".join(f"${piece.latex}$" if isinstance(piece, Math) else escaped(piece) for piece in words)


def document(body: str) -> str:
    """Returns a whole LaTeX document around a body."""
    return (
        "\\documentclass{article}\n\\usepackage[T1]{fontenc}\n\\usepackage[utf8]{inputenc}\n"
        "\\usepackage{amsmath,amssymb,array}\n\\usepackage[margin=22mm]{geometry}\n\\setlength{\\parindent}{0pt}\n"
        "\\setlength{\\parskip}{6pt}\n\\allowdisplaybreaks\n"
        "\\begin{document}\n" + body + "\n\\end{document}\n"
    )


def derivation_latex(d: Derivation) -> str:
    """Returns a derivation as the body of a document."""
    parts = [rf"\section*{{$\displaystyle {d.heading.latex} = {number(d.value)}$}}"]
    parts += [prose(words) + "\n" for words in d.words]
    if lists_costs(d):
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


def table(columns: str, body: str) -> str:
    """Returns a table, with room above each row for upper indices."""
    rows = f"\\begin{{tabular}}{{@{{}}{columns}@{{}}}}\n{body}\n\\end{{tabular}}"
    return f"{{\\setlength{{\\extrarowheight}}{{2.5pt}}\n{rows}}}"


def _column(width: int) -> str:
    """Returns a column of text that is so many millimetres wide."""
    return rf">{{\raggedright\arraybackslash}}p{{{width}mm}}"


def _costs(d: Derivation) -> str:
    rows = []
    for name, value in d.costs.items():
        reason = f" & {prose(d.cost_reasons[name])}" if name in d.cost_reasons else " &"
        rows.append(f"${d.cost_maths[name].latex}$ & ${number(value)}${reason} \\\\")
    body = "\n".join(rows)
    title = "\\subsection*{Each cost by itself}"
    return f"{title}\n{table(f'lr{_column(90)}', body)}"


def aligned(lines: list[Math]) -> str:
    """Returns equations under each other, aligned at their first equals sign, long sums on several lines."""
    made = []
    for line in lines:
        left, sign, right = line.latex.partition("=")
        if not sign:
            made.append(f"&{line.latex}")
            continue
        terms = summands(right)
        # The Unicode spelling is about as long as what LaTeX sets.
        if len(line.unicode) > LINE * len(terms):
            terms = [piece for term in terms for piece in re.split(r"(?=(?<= )\\, )", term)]
        room = max(1, len(terms) * LINE // max(len(line.unicode), 1))
        rows = ["".join(terms[start : start + room]) for start in range(0, len(terms), room)]
        made.append(f"{left}&={rows[0]}")
        made += [rf"&\quad {row}" for row in rows[1:]]
    return "\\begin{align*}\n" + " \\\\\n".join(made) + "\n\\end{align*}"


def summands(latex: str) -> list[str]:
    r"""Returns a sum's terms, each with the sign before it; what stands in brackets is kept together.

    Example:
        >>> summands(r"a + \left(b - c\right) d - e")
        ['a', ' + \\left(b - c\\right) d', ' - e']
    """
    terms, depth = [""], 0
    for place, sign in enumerate(latex):
        depth += (sign in "([{") - (sign in ")]}")
        if depth == 0 and latex[place : place + 3] in (" + ", " - "):
            terms.append("")
        terms[-1] += sign
    return terms


def _step(place: int, step: Step) -> str:
    lines = aligned([line.math for line in step.lines])
    return f"\\subsection*{{{place}. {escaped(step.title)}}}\n{prose(step.says)}\n{lines}"


def _paths(d: Derivation) -> str:
    products = any(row.factors for row in d.paths.rows)
    rows = "\n".join(_path(row, products) for row in d.paths.rows)
    gap = " &" if products else ""
    others = ""
    if d.paths.others:
        kind = "other" if d.paths.others == 1 else "others"
        others = f"and {spaced(d.paths.others, THIN)} {kind}, together{gap} & ${number(d.paths.others_sum)}$ & \\\\\n"
    title = "The one path" if d.paths.count == 1 else f"The {spaced(d.paths.count, THIN)} paths"
    if d.paths.apart:
        title += ", each example's apart"
    columns = f"{_column(76)}{_column(44)}rr" if products else f"{_column(120)}rr"
    head = "path & product" if products else "path"
    body = (
        f"{head} & contribution & share \\\\\n\\hline\n{rows}\n{others}\\hline\n"
        f"sum of all paths{gap} & ${number(d.paths.sum)}$ & \\\\"
    )
    return f"\\subsection*{{{title}}}\n{{\\small\n{table(columns, body)}}}"


def _path(row: PathRow, products: bool) -> str:
    path = "$" + r" \to ".join(math.latex for math in row.maths) + "$"
    if row.example is not None:
        path += f" (example {row.example})"
    factors = r" \cdot ".join(factor(value) for _, value in row.factors)
    product = (f" & ${factors}$" if factors else " &") if products else ""
    share = "$" + percent(row.share).replace("%", r"\,\%") + "$"
    return f"{path}{product} & ${number(row.contribution)}$ & {share} \\\\"


def _checks(d: Derivation) -> str:
    rows = "\n".join(f"{name} & {escaped(value)} & {says} \\\\" for name, value, says in checks(d))
    return f"\\subsection*{{{checks_title(d)}}}\n{table(f'lr{_column(90)}', rows)}"


def matrix(grid: Grid) -> str:
    """Returns a small matrix, the marked entry in a box."""
    rows = []
    for i, row in enumerate(grid.values):
        cells = [
            rf"\boxed{{{number(value, 4)}}}" if (i, j) == grid.marked else number(value, 4)
            for j, value in enumerate(row)
        ]
        rows.append(" & ".join(cells))
    return "\\begin{pmatrix} " + r" \\ ".join(rows) + " \\end{pmatrix}"


def _layer(line: Layerwise) -> str:
    result = f" = {matrix(line.result)}" if line.result else ""
    return f"\\[ {line.math.latex}{result} \\]"
