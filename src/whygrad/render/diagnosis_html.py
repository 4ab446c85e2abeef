"""Diagnoses as a piece of HTML with heat maps of the wrong entries; it needs no script and no other file."""

from html import escape

import numpy as np

from whygrad.diagnosis.record import Diagnosis, Finding, Judged

STYLE = """
.wg-diagnosis{font:15px/1.5 system-ui,sans-serif;max-width:60em;color:#1a1a1a}
.wg-diagnosis code{font:13px ui-monospace,monospace;background:#f2f2f2;padding:0 .3em;border-radius:3px}
.wg-diagnosis .wg-verdict{font-weight:600}
.wg-diagnosis .wg-right{color:#0a6b2d}.wg-diagnosis .wg-wrong{color:#a3150a}
.wg-diagnosis .wg-finding{border-left:3px solid #a3150a;padding:.1em .8em;margin:.8em 0}
.wg-diagnosis .wg-mend{margin-bottom:.3em}.wg-diagnosis svg{max-width:100%;height:auto}
.wg-diagnosis .wg-likely{border-color:#8a6100}
.wg-diagnosis .wg-faint{color:#5c5c5c;font-size:13px}
.wg-diagnosis figure{display:inline-block;margin:.5em 1.5em .5em 0;vertical-align:top}
.wg-diagnosis figcaption{font-size:13px;color:#5c5c5c}
@media (prefers-color-scheme:dark){.wg-diagnosis{color:#e8e8e8}.wg-diagnosis code{background:#333}
.wg-diagnosis .wg-right{color:#6fce8d}.wg-diagnosis .wg-wrong{color:#ff8f85}
.wg-diagnosis .wg-faint,.wg-diagnosis figcaption{color:#a8a8a8}}
"""

CELL = 12
MOST_CELLS = 4096


def _group(group: tuple[Finding, ...]) -> str:
    """Returns one mistake; or those that have the same numbers, of which one is the mistake."""
    first = group[0]
    places = ", ".join(first.parameters)
    codes = " or ".join(f"<code>{escape(one.mistake)}</code>" for one in group if one.mistake)
    how = (
        "" if first.exact or not first.mistake else f" (likely: explains {first.match:.1%} of the difference)"
    )
    rows = [f"<div><b>{escape(places)}</b> {codes or 'not a known mistake'}{how}</div>"]
    if len(group) > 1:
        rows.append(f'<div class="wg-faint">These {len(group)} mistakes give the same numbers here:</div>')
    for one in group:
        rows.append(f"<div>{escape(one.sentence)}</div>")
        if one.fix:
            rows.append(
                f'<div class="wg-mend"><span class="wg-faint">mend</span> <code>{escape(one.fix)}</code></div>'
            )
    others = [code for code in first.instead_of if code not in {one.mistake for one in group}]
    if others:
        rows.append(f'<div class="wg-faint">The same numbers: {escape(", ".join(others))}.</div>')
    likely = "" if first.exact else " wg-likely"
    return f'<div class="wg-finding{likely}">{"".join(rows)}</div>'


def _map(name: str, judged: Judged) -> str:
    if judged.given is None or judged.wrong is None:
        return f'<p class="wg-faint">{escape(name)}: its shape doesn\'t fit {judged.expected.shape}.</p>'
    wrong = judged.wrong.reshape(1, -1) if judged.wrong.ndim < 2 else judged.wrong
    apart = np.abs(np.asarray(judged.given) - judged.expected).reshape(wrong.shape)
    many = int(wrong.sum())
    is_ = "is" if many == 1 else "are"
    said = "every entry is wrong" if many == wrong.size else f"{many} of {wrong.size} entries {is_} wrong"
    caption = f"{escape(name)}: {said}"
    if wrong.size > MOST_CELLS:
        rows = -(-wrong.shape[0] // 64)
        columns = -(-wrong.shape[1] // 64)
        wrong, apart = wrong[::rows, ::columns], apart[::rows, ::columns]
        caption += f" (every {rows}. row and {columns}. column is shown)"
    size = float(np.nanmax(np.where(np.isfinite(apart), apart, 0), initial=0.0)) or 1.0
    cells = []
    for row, column in zip(*np.nonzero(wrong), strict=True):
        share = float(apart[row, column]) / size if np.isfinite(apart[row, column]) else 1.0
        cells.append(
            f'<rect x="{column * CELL}" y="{row * CELL}" width="{CELL - 1}" height="{CELL - 1}" '
            f'fill="#c0392b" fill-opacity="{0.25 + 0.75 * share:.2f}">'
            f"<title>{escape(name)}[{row}, {column}]</title></rect>"
        )
    height, width = wrong.shape[0] * CELL, wrong.shape[1] * CELL
    picture = (
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" aria-label="{caption}">'
        f'<rect width="{width}" height="{height}" fill="currentColor" fill-opacity="0.07"/>{"".join(cells)}</svg>'
    )
    return f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"


def html(diagnosis: Diagnosis) -> str:
    """Returns a diagnosis as a piece of HTML: the verdict, the findings, and a heat map for each wrong parameter."""
    colour = "wg-right" if diagnosis.right else "wg-wrong"
    rows = [f'<p class="wg-verdict {colour}">{escape(diagnosis.says)}</p>']
    rows += [_group(group) for group in diagnosis.groups]
    rows += [_map(name, judged) for name, judged in diagnosis.parameters.items() if not judged.right]
    rows += [
        f'<p class="wg-faint">{escape(sentence)}</p>' for sentence in (*diagnosis.notes, *diagnosis.unseen)
    ]
    return f'<div class="wg-diagnosis"><style>{STYLE}</style>{"".join(rows)}</div>'
