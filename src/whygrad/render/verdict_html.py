"""Verdicts as a piece of HTML; it needs no script and no other file."""

from html import escape

from whygrad.equation.verdict import Verdict
from whygrad.render.verdict_text import JUDGED, headline, reasons

STYLE = """
.wg-check{font:15px/1.5 system-ui,sans-serif;max-width:60em;color:#1a1a1a}
.wg-check code,.wg-check pre{font:13px/1.5 ui-monospace,monospace;background:#f2f2f2;border-radius:3px}
.wg-check code{padding:0 .3em}.wg-check pre{padding:.5em .8em;overflow-x:auto;white-space:pre-wrap}
.wg-check .wg-head{font-weight:600}.wg-check .wg-right{color:#0a6b2d}.wg-check .wg-wrong{color:#a3150a}
.wg-check .wg-unsure{color:#8a6100}.wg-check mark{background:#fde0dc;color:#a3150a;text-decoration:underline wavy}
.wg-check .wg-faint{color:#5c5c5c;font-size:13px}.wg-check math{font-size:1.1em}
@media (prefers-color-scheme:dark){.wg-check{color:#e8e8e8}.wg-check code,.wg-check pre{background:#333}
.wg-check .wg-right{color:#6fce8d}.wg-check .wg-wrong{color:#ff8f85}.wg-check .wg-unsure{color:#e8b84a}
.wg-check mark{background:#5a201a;color:#ffb3aa}.wg-check .wg-faint{color:#a8a8a8}}
"""


def _mathml(latex: str) -> str:
    """Returns MathML where the converter can read the LaTeX, else the text."""
    from latex2mathml.converter import convert

    if "\\" not in latex and "^" not in latex and "_" not in latex:
        return f"<code>{escape(latex)}</code>"
    try:
        return convert(latex, display="inline")
    except Exception:  # the converter raises whatever it stumbles over
        return f"<code>{escape(latex)}</code>"


def _marked(verdict: Verdict) -> str:
    spans = sorted({e.span for e in verdict.equalities if e.holds is False and e.span})
    out, at = [], 0
    for low, high in spans:
        if low < at or low >= high:
            continue
        out += [escape(verdict.text[at:low]), "<mark>", escape(verdict.text[low:high]), "</mark>"]
        at = high
    return "".join([*out, escape(verdict.text[at:])])


def html(verdict: Verdict) -> str:
    """Returns a verdict as HTML: the verdict in words, the equation with its wrong part marked, what is missing."""
    look = "right" if verdict.holds else "unsure" if verdict.holds is None else "wrong"
    rows = [f'<p class="wg-head wg-{look}">{escape(headline(verdict))}</p>']
    rows += [f"<p>{escape(reason)}</p>" for reason in reasons(verdict)]
    rows.append(f"<pre>{_marked(verdict)}</pre>")
    for title, terms in (("Missing", verdict.missing), ("Too many", verdict.surplus)):
        if terms:
            items = "".join(f"<li>{_mathml(term)}</li>" for term in terms)
            rows.append(f"<p>{title}:</p><ul>{items}</ul>")
    if verdict.corrected:
        rows.append(f'<p>Right would be:</p><pre class="wg-right">{escape(verdict.corrected)}</pre>')
    rows += [f"<p>It would hold if {escape(sentence)}.</p>" for sentence in verdict.would_hold_if]
    if verdict.readings:
        items = "".join(
            f"<li>It {'holds' if r.holds else 'does not hold'} where {escape(r.says)}.</li>"
            for r in verdict.readings
        )
        rows.append(f"<ul>{items}</ul>")
    about = f"{verdict.network}; {verdict.notation}; {JUDGED[verdict.judged]}"
    read = f"Read as: {escape(verdict.reads_as)}<br>" if verdict.reads_as else ""
    rows.append(f'<p class="wg-faint">{read}{escape(about)}</p>')
    return f'<div class="wg-check"><style>{STYLE}</style>{"".join(rows)}</div>'
