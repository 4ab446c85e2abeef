"""Verdicts as a piece of HTML with MathML; it needs no script and no other file."""

import re
from html import escape

from whygrad.equation.verdict import Verdict
from whygrad.render.as_html import mathml, stylesheet
from whygrad.render.prose import cut
from whygrad.render.readable import is_latex, readable, restored, shown
from whygrad.render.verdict_text import JUDGED, headline, left_out, reasons

STYLE = """
.whygrad.verdict{--right:#0a6b2d;--wrong:#b3261e;--unsure:#8a6100;--wrong-paper:#fde4e1}
@media (prefers-color-scheme:dark){.whygrad.verdict{--right:#6fce8d;--wrong:#ff8f85;--unsure:#e8b84a;
--wrong-paper:#4a1f1b}}
.whygrad.verdict .head{font-size:1.2rem;font-weight:600;margin:0 0 .4rem}
.whygrad.verdict .right{color:var(--right)}.whygrad.verdict .wrong{color:var(--wrong)}
.whygrad.verdict .unsure{color:var(--unsure)}
.whygrad.verdict .equation{background:var(--soft);border-radius:6px;padding:.5rem .9rem;margin:.6rem 0 1rem;
overflow-x:auto}
.whygrad.verdict .equation math,.whygrad.verdict li math{display:block math;text-align:left;margin:0;
width:max-content}.whygrad.verdict .equation math{margin:.35rem 0}.whygrad.verdict .equation math+math{margin-left:2rem}
.whygrad.verdict .equation pre{margin:0;font:14px/1.6 ui-monospace,monospace;white-space:pre-wrap}
.whygrad.verdict mark,.whygrad.verdict .bad{background:var(--wrong-paper);color:var(--wrong);border-radius:3px}
.whygrad.verdict mark{text-decoration:underline wavy;text-decoration-thickness:1px;text-underline-offset:3px}
.whygrad.verdict ul{margin:.2rem 0 1rem;padding-left:1.4rem}.whygrad.verdict li{margin:.35rem 0}
.whygrad.verdict .equation.right{color:inherit;border-left:3px solid var(--right)}
.whygrad.verdict .about{color:var(--faint);font-size:.88em;border-top:1px solid var(--line);padding-top:.6rem;
margin:1rem 0 0}
.whygrad.verdict details{font-size:.88em;margin:-.5rem 0 1rem}
.whygrad.verdict summary{color:var(--faint);cursor:pointer}
.whygrad.verdict details pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:.3rem 0;
font:13px/1.5 ui-monospace,monospace}
"""
# Marks a part on its way through the converter; a style sheet gives it the colour.
_COLOR = "#123456"


def _math(latex: str, display: str = "inline") -> str | None:
    """Returns MathML, one formula a line; None where the converter can't read the LaTeX."""
    bare = re.sub(
        r"\\(?:label|tag)\{[^{}]*\}|\\(?:begin|end)\{(?!cases|.?matrix)\w+\*?\}(?:\[[tbc]\])?", "", latex
    )
    bare = re.sub(r"^\s*(?:\$+|\\\[)|(?:\$+|\\\])\s*$", "", bare)
    parts = [bare] if "\\begin" in bare else re.split(r"\\\\(?:\[[^\]]*\])?", bare.replace("&", " "))
    try:
        made = "".join(mathml(line.strip(), display) for line in parts if line.strip())
    except Exception:  # the converter raises whatever it stumbles over
        return None
    return made.replace(f'mathcolor="{_COLOR}"', 'class="bad"')


def _inline(latex: str, always: bool, display: str = "inline") -> str:
    made = _math(restored(latex, words=True), display) if "\\" in latex or always else None
    return made if made is not None else f"<code>{escape(shown(latex, always=always))}</code>"


def _sentence(sentence: str, latex: bool) -> str:
    return "".join(
        _inline(part, True) if formula and latex else escape(part) for formula, part in cut(sentence)
    )


def _spans(verdict: Verdict) -> list[tuple[int, int]]:
    """Returns where the wrong parts stand, none inside of another; those that lack something are points."""
    found: list[tuple[int, int]] = []
    for equality in verdict.equalities:
        if equality.holds is False and equality.span:
            low, high = equality.span
            span = (high, high) if left_out(equality) else (low, high)
            if all(span[0] >= other[1] or span[1] <= other[0] for other in found):
                found.append(span)
    return sorted(set(found))


def _equation(verdict: Verdict) -> str:
    """Returns the equation with its wrong parts marked: typeset where it is LaTeX, else as it was typed."""
    text, spans = verdict.text, _spans(verdict)
    pieces = [text[low:high] for low, high in spans]
    whole = all(
        piece.count("{") == piece.count("}") and not re.search(r"&|\\left|\\right|\\\\|\\begin|\\end", piece)
        for piece in pieces
    )
    if is_latex(text) and whole:
        colored = text
        for low, high in reversed(spans):
            piece = colored[low:high] or r" + \cdots"
            colored = f"{colored[:low]}\\color{{{_COLOR}}}{{{piece}}}{colored[high:]}"
        made = _math(restored(colored), "block")
        if made is not None:
            return f'<div class="equation">{made}</div>'
    return f'<div class="equation"><pre>{_typed(text, spans)}</pre></div>'


def _typed(text: str, spans: list[tuple[int, int]]) -> str:
    out: list[str] = []
    waiting = [low for low, high in spans if low == high]
    inside = False
    for piece, start, _ in readable(text):
        verbatim = piece == text
        for offset, sign in enumerate(piece):
            at = start + offset if verbatim else start
            while waiting and at >= waiting[0]:
                waiting.pop(0)
                out.append("<mark> + …</mark>")
            wrong = any(low <= at < high for low, high in spans)
            if wrong != inside:
                out.append("<mark>" if wrong else "</mark>")
                inside = wrong
            out.append(escape(sign))
    out += ["</mark>"] * inside + ["<mark> + …</mark>"] * len(waiting)
    return "".join(out)


def html(verdict: Verdict) -> str:
    """Returns a verdict as HTML: the verdict in words, the equation with its wrong part marked, what is missing."""
    latex = is_latex(verdict.text)
    look = "right" if verdict.holds else "unsure" if verdict.holds is None else "wrong"
    rows = [f'<p class="head {look}">{escape(headline(verdict))}</p>']
    rows += [f"<p>{_sentence(reason, latex)}</p>" for reason in reasons(verdict)]
    rows.append(_equation(verdict))
    for title, terms in (("Missing", verdict.missing), ("Too many", verdict.surplus)):
        if terms:
            items = "".join(f"<li>{_inline(term, latex, 'block')}</li>" for term in terms)
            rows.append(f"<p>{title}:</p><ul>{items}</ul>")
    if verdict.corrected:
        made = _math(restored(verdict.corrected), "block") if is_latex(verdict.corrected) else None
        right = made or f"<pre>{escape(shown(verdict.corrected))}</pre>"
        rows.append(f'<p>Right would be:</p><div class="equation right">{right}</div>')
        if latex:
            source = f"<pre>{escape(verdict.corrected)}</pre>"
            rows.append(f"<details><summary>as LaTeX</summary>{source}</details>")
    rows += [f"<p>It would hold if {_sentence(sentence, latex)}.</p>" for sentence in verdict.would_hold_if]
    if verdict.readings:
        items = "".join(
            f"<li>It {'holds' if r.holds else 'does not hold'} where {_sentence(r.says, latex)}.</li>"
            for r in verdict.readings
        )
        rows.append(f"<ul>{items}</ul>")
    about = f"{verdict.network}; {verdict.notation}; {JUDGED[verdict.judged]}"
    read = f"Read as: {_sentence(verdict.reads_as, latex)}<br/>" if verdict.reads_as else ""
    rows.append(f'<p class="about">{read}{escape(about)}</p>')
    return f'<div class="whygrad verdict"><style>{stylesheet()}{STYLE}</style>{"".join(rows)}</div>'
