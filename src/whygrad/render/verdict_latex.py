"""Verdicts as LaTeX: the equation with its wrong part in red, what is missing, and the corrected equation."""

import re

from whygrad.equation.verdict import Verdict
from whygrad.render.prose import cut
from whygrad.render.readable import is_latex, restored
from whygrad.render.verdict_text import headline, left_out, reasons

_OUTER = re.compile(
    r"\\(?:begin|end)\{(?:align|equation|gather|multline|displaymath|eqnarray|split)\*?\}|\\\[|\\\]|\$"
)
_GONE = re.compile(r"\\(?:label|tag)\{[^{}]*\}|\\(?:nonumber|notag)(?![a-z])")


def _display(formula: str) -> str:
    """Returns a display of a formula; what is no LaTeX is set as it was typed."""
    if not is_latex(formula) and re.search(r"[A-Za-z_]\w*\.\w|\w\[\d|_\w+_", formula):
        return f"\\begin{{verbatim}}\n{formula.strip()}\n\\end{{verbatim}}"
    bare = _GONE.sub("", _OUTER.sub("", restored(formula))).strip()
    if ("&" in bare or "\\\\" in bare) and not re.search(r"\\begin\{(?:aligned|cases|array|.?matrix)", bare):
        bare = f"\\begin{{aligned}} {bare} \\end{{aligned}}"
    return f"\\[ {bare} \\]"


def _marked(verdict: Verdict) -> str:
    """Returns the equation with its wrong parts in red, as far as they are whole groups."""
    marked = verdict.text
    wrong = {(e.span, left_out(e)) for e in verdict.equalities if e.holds is False and e.span}
    for (low, high), lacking in sorted(wrong, reverse=True):
        if lacking:
            marked = f"{marked[:high]}\\textcolor{{red}}{{{{}} + \\cdots}}{marked[high:]}"
            continue
        piece = marked[low:high]
        if piece.count("{") == piece.count("}") and not re.search(
            r"&|\\left|\\right|\\\\|\\begin|\\end", piece
        ):
            marked = f"{marked[:low]}\\textcolor{{red}}{{{piece}}}{marked[high:]}"
    return marked


def latex(verdict: Verdict) -> str:
    """Returns LaTeX that needs the packages amsmath and xcolor."""
    parts = [
        headline(verdict),
        *(_sentence(reason) for reason in reasons(verdict)),
        _display(_marked(verdict)),
    ]
    for title, terms in (("Missing:", verdict.missing), ("Too many:", verdict.surplus)):
        if terms:
            parts += [title, *(_display(term) for term in terms)]
    if verdict.corrected:
        parts += ["Right would be:", _display(verdict.corrected)]
    parts += [_sentence(f"It would hold if {sentence}.") for sentence in verdict.would_hold_if]
    parts += [
        _sentence(f"It {'holds' if reading.holds else 'does not hold'} where {reading.says}.")
        for reading in verdict.readings
    ]
    return "\n".join(parts) + "\n"


def _sentence(sentence: str) -> str:
    """Returns a sentence with its formulas in dollar signs."""
    made = []
    for formula, part in cut(sentence):
        if formula:
            made.append(f"${restored(part, words=True)}$")
        else:
            made.append(re.sub(r"([_^&%#])", r"\\\1", part))
    return "".join(made)
