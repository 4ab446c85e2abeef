"""Verdicts as LaTeX: the equation with its wrong part in red, what is missing, and the corrected equation."""

from whygrad.equation.verdict import Verdict
from whygrad.render.verdict_text import headline, reasons


def _display(latex: str) -> str:
    bare = latex.strip().strip("$").strip()
    return f"\\[ {bare} \\]"


def latex(verdict: Verdict) -> str:
    """Returns LaTeX that needs the package xcolor."""
    marked = verdict.text
    for low, high in sorted(
        {e.span for e in verdict.equalities if e.holds is False and e.span}, reverse=True
    ):
        piece = marked[low:high]
        if (
            piece.count("{") == piece.count("}")
            and "&" not in piece
            and "\\left" not in piece
            and "\\right" not in piece
        ):
            marked = f"{marked[:low]}\\textcolor{{red}}{{{piece}}}{marked[high:]}"
    parts = [headline(verdict), _display(marked)]
    parts += [_text(reason) for reason in reasons(verdict) if not verdict.missing]
    if verdict.missing:
        parts += ["Missing:", *(_display(term) for term in verdict.missing)]
    if verdict.corrected:
        parts += ["Right would be:", _display(verdict.corrected)]
    parts += [f"It would hold if {_text(sentence)}." for sentence in verdict.would_hold_if]
    return "\n".join(parts) + "\n"


def _text(sentence: str) -> str:
    """Returns a sentence with what LaTeX would take for commands put in verbatim."""
    return f"\\verb|{sentence}|" if any(sign in sentence for sign in "\\_^{}") else sentence
