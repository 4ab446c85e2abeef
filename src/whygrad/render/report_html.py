"""Reports as HTML: one page with nothing loaded from anywhere, light and dark; modules open and close."""

from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from whygrad.render import report_words as words
from whygrad.render.as_html import document, stylesheet
from whygrad.report.record import Finding, Numbers, Part, Report
from whygrad.report.verdict import in_conflict

# Hues of the costs in light and dark, apart for colour-blind eyes too (after Okabe and Ito); the pattern tells as well.
LIGHT = ("#0b6e99", "#c4640a", "#7a4ba8", "#2b7f4f", "#b03060", "#6b6b1f")
DARK = ("#62c3ee", "#f0a35e", "#c39be8", "#6fce97", "#f08ab0", "#cfcf6a")
COSTS_IN_COLUMNS = 4
# Modules are open from the start where a model is small.
OPEN_UP_TO = 24

_HUES = "".join(f".whygrad {{ --cost-{k}: {colour}; }}\n" for k, colour in enumerate(LIGHT))
_DARK_HUES = "".join(f".whygrad {{ --cost-{k}: {colour}; }}\n" for k, colour in enumerate(DARK))
_STRIPES = "repeating-linear-gradient({1}, {0} 0 {2}px, color-mix(in srgb, {0} 45%, transparent) {2}px {3}px)"
_FILLS = (("135deg", 4, 6), ("45deg", 2, 4), ("90deg", 3, 5), ("0deg", 2, 4), ("135deg", 1, 4))
_PATTERNS = ".whygrad .c0 { background: var(--cost-0); }\n" + "".join(
    f".whygrad .c{k} {{ background: {_STRIPES.format(f'var(--cost-{k})', *fill)}; }}\n"
    for k, fill in enumerate(_FILLS, 1)
)


@lru_cache(maxsize=1)
def style() -> str:
    """Returns the style of reports: that of every piece of HTML, and their own."""
    own = (Path(__file__).parent / "report.css").read_text(encoding="utf-8")
    dark = f"@media (prefers-color-scheme: dark) {{\n{_DARK_HUES}}}\n"
    return f"{stylesheet()}{own}{_HUES}{dark}{_PATTERNS}"


def report_page(report: Report) -> str:
    """Returns a report as a whole page."""
    return document(report_html(report), "What each cost does to each parameter")


def report_html(report: Report) -> str:
    """Returns a report as one element with its style."""
    parts = [f"<h2>Gradient report</h2><p class='why'>{escape(words.headline(report))}</p>", _costs(report)]
    if report.findings:
        parts.append("<h3>In short</h3>" + "".join(map(_finding, report.findings)))
    title = "Which cost pulls where" if len(report.costs) > 1 else "The gradient"
    parts.append(f"<h3>{title}</h3>{_tree(report)}")
    if len(report.layers) > 1:
        parts.append(_depth(report))
    said = [(units, words.unit_words(units)) for units in report.units]
    rows = "".join(
        f"<tr><th scope='row'>{escape(units.name)}</th><td>{escape(text)}</td></tr>"
        for units, text in said
        if text
    )
    if rows:
        parts.append(f"<h3>Activation functions</h3><div class='wide'><table>{rows}</table></div>")
    if report.spectrum is not None:
        parts.append(_spectrum(report))
    notes = "".join(f"<li>{escape(note)}</li>" for note in words.notes(report))
    parts.append(f"<ul class='notes'>{notes}</ul>")
    body = "\n".join(parts)
    return f"<section class='whygrad report'>\n<style>{style()}</style>\n{body}\n</section>"


def _class(k: int) -> str:
    return f"c{k % len(LIGHT)}"


def _signed(text: str) -> str:
    return text.replace("-", "−")


def _costs(report: Report) -> str:
    numbers = report.model.numbers
    rows = []
    for k, (name, value) in enumerate(report.costs.items()):
        along = words.cosine(float(numbers.along[k])) if len(report.costs) > 1 else ""
        bad = " bad" if along.startswith("-") else ""
        rows.append(
            f"<tr><th scope='row'><span class='swatch {_class(k)}'></span>{escape(name)}</th>"
            f"<td class='n'>{words.norm(value)}</td><td class='n'>{words.norm(float(numbers.norms[k]))}</td>"
            f"<td class='n{bad}'>{_signed(along)}</td></tr>"
        )
    return (
        "<div class='wide'><table><thead><tr><th>cost</th><th class='n'>value</th><th class='n'>gradient’s norm</th>"
        f"<th class='n'>cosine with the sum</th></tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _finding(finding: Finding) -> str:
    mark = {"conflict": f"{words.MARK} conflict"}.get(finding.kind, finding.kind)
    tries = "".join(f"<li><strong>try</strong> {escape(text)}</li>" for text in finding.tries)
    kind = "finding problem" if finding.problem else "finding"
    colour = "kind bad" if finding.problem else "kind"
    below = f"<ul>{tries}</ul>" if tries else ""
    says = f"<p><span class='{colour}'>{escape(mark)}</span> {escape(finding.says)}.</p>"
    return f"<div class='{kind}'>{says}{below}</div>"


def _tree(report: Report) -> str:
    costs = list(report.costs)
    wide = len(costs) <= COSTS_IN_COLUMNS
    heads = list(costs) if wide else ["longest", "norm"]
    columns = ["minmax(9rem, 2fr)", *["minmax(4.4rem, .7fr)"] * len(heads)]
    titles = ["<span></span>"]
    titles += [f"<span class='n'>{escape(head)}</span>" for head in heads]
    if len(costs) > 1:
        columns += ["minmax(5rem, 1.6fr)", "4.6rem"]
        titles += ["<span>share</span>", "<span class='n'>cosine</span>"]
    if report.model.numbers.total is not None:
        columns.append("3.9rem")
        titles.append("<span class='n'>cancels</span>")
    if report.model.numbers.surprise is not None:
        columns.append("4.2rem")
        titles.append("<span class='n'>paths</span>")
    small = sum(1 for _ in report.model.parameters) <= OPEN_UP_TO
    rows = "".join(_part(part, 0, costs, wide, small) for part in report.model.parts)
    cells = _cells(report.model.numbers, costs, wide)
    whole = f"<div class='row leaf' style='--depth:0'><strong>the model</strong>{cells}</div>"
    return (
        f"<div class='wide'><div class='tree' style='--columns: {' '.join(columns)}'>"
        f"<div class='row head'>{''.join(titles)}</div>{whole}{rows}</div></div>"
    )


def _part(part: Part, depth: int, costs: list[str], wide: bool, small: bool) -> str:
    cells = _cells(part.numbers, costs, wide)
    name = escape(part.label)
    if part.shape is not None:
        shape = " × ".join(map(str, part.shape)) or "scalar"
        return (
            f"<div class='row leaf' style='--depth:{depth}'><span class='name' title='{escape(part.name)}'>{name}"
            f"<span class='shape'>{shape}</span></span>{cells}</div>"
        )
    inside = "".join(_part(inner, depth + 1, costs, wide, small) for inner in part.parts)
    name += f"<span class='shape'>{sum(1 for _ in part.parameters)}</span>"
    is_open = " open" if small or (depth == 0 and len(part.parts) <= OPEN_UP_TO) else ""
    return (
        f"<details{is_open}><summary class='row' style='--depth:{depth}'>"
        f"<span class='name' title='{escape(part.name)}'>{name}</span>{cells}</summary>"
        f"{inside}</details>"
    )


def _cells(numbers: Numbers, costs: list[str], wide: bool) -> str:
    if not numbers.reached.any():
        return "<span class='bad'>no path</span>"
    made = []
    if wide:
        for k in range(len(costs)):
            text = words.norm(float(numbers.norms[k])) if numbers.reached[k] else "·"
            made.append(f"<span class='n'>{_signed(text)}</span>")
    else:
        top = int(np.nanargmax(numbers.norms))
        made.append(f"<span class='n'>{escape(costs[top])}</span>")
        made.append(f"<span class='n'>{_signed(words.norm(float(numbers.norms[top])))}</span>")
    if len(costs) > 1:
        made.append(_shares(numbers, costs))
        text = words.cosine(words.smallest_cosine(numbers))
        conflict = in_conflict(numbers)
        mark = f" {words.MARK}" if conflict else ""
        made.append(f"<span class='n{' bad' if conflict else ''}'>{_signed(text)}{mark}</span>")
    if numbers.total is not None:
        made.append(f"<span class='n'>{escape(words.percent(_largest(numbers.cancellation)))}</span>")
    if numbers.surprise is not None:
        made.append(f"<span class='n'>{words.effective(_largest(numbers.entropy))}</span>")
    return "".join(made)


def _largest(values: Any) -> float:
    known = values[np.isfinite(values)]
    return float(known.max()) if len(known) else float("nan")


def _shares(numbers: Numbers, costs: list[str]) -> str:
    if np.isnan(numbers.shares).any():
        return "<span></span>"
    pieces = "".join(
        f"<span class='{_class(k)}' style='width:{100 * share:.2f}%' title='{escape(costs[k])} {share:.0%}'></span>"
        for k, share in enumerate(numbers.shares)
        if share > 0
    )
    return f"<span class='shares'>{pieces}</span>"


def _depth(report: Report) -> str:
    norms = np.array([layer.norms for layer in report.layers])
    known = norms[np.isfinite(norms) & (norms > 0)]
    if not len(known):
        return ""
    low, high = np.floor(np.log10(known.min())), np.ceil(np.log10(known.max()))
    high = high if high > low else low + 1
    width, height, left, bottom = 640, 200, 52, 34
    across = (width - left - 12) / max(len(norms) - 1, 1)

    def place(row: int, value: float) -> tuple[float, float]:
        up = (np.log10(value) - low) / (high - low)
        return left + row * across, 10 + (1 - up) * (height - bottom - 10)

    lines = []
    every = max(1, int((high - low) // 5) or 1)
    for power in np.arange(low, high + 1, every):
        _, y = place(0, 10.0**power)
        lines.append(f"<line class='axis' x1='{left}' x2='{width - 8}' y1='{y:.1f}' y2='{y:.1f}'/>")
        lines.append(f"<text x='{left - 6}' y='{y + 4:.1f}' text-anchor='end'>1e{int(power)}</text>")
    for k, name in enumerate(report.costs):
        points = [place(row, v) for row, v in enumerate(norms[:, k]) if np.isfinite(v) and v > 0]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dash = ("", "6 3", "2 3", "8 3 2 3", "1 4", "10 4")[k % 6]
        colour = f"var(--cost-{k % len(LIGHT)})"
        lines.append(
            f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2' stroke-dasharray='{dash}'>"
            f"<title>{escape(name)}</title></polyline>"
        )
        if len(norms) <= 60:
            for (x, y), row in zip(
                points, [r for r, v in enumerate(norms[:, k]) if np.isfinite(v) and v > 0], strict=True
            ):
                layer = report.layers[row].name or "the model"
                lines.append(
                    f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3' fill='{colour}'><title>{escape(name)}, {escape(layer)}: "
                    f"{words.norm(float(norms[row, k]))}</title></circle>"
                )
    first, last = (report.layers[row].name or "the model" for row in (0, -1))
    lines.append(f"<text x='{left}' y='{height - 8}'>{escape(first)}</text>")
    lines.append(f"<text x='{width - 8}' y='{height - 8}' text-anchor='end'>{escape(last)}</text>")
    legend = "".join(
        f"<span style='margin-right:1.2rem'><span class='swatch {_class(k)}'></span>{escape(name)}</span>"
        for k, name in enumerate(report.costs)
    )
    return (
        "<h3>Depth: each cost’s derivative by the layers’ outputs</h3>"
        f"<p class='why'>{legend}</p><div class='wide'><svg viewBox='0 0 {width} {height}' width='100%' "
        f"style='min-width:22rem;max-width:46rem' role='img' aria-label='norm of the derivative by layer'>"
        f"{''.join(lines)}</svg></div>"
    )


def _spectrum(report: Report) -> str:
    split = report.spectrum
    assert split is not None
    every, whole = split.all_parts, split.all_whole
    most = float(every.max()) or 1.0
    rows = []
    for blocks in range(every.shape[1]):
        for k, cost in enumerate(split.costs):
            label = f"{blocks} block{'s' * (blocks != 1)}" if not k else ""
            value = float(every[k, blocks])
            rows.append(
                f"<tr><th scope='row'>{label}</th><td>{escape(cost)}</td><td class='bar'>"
                f"<span class='{_class(k)}' style='width:{100 * value / most:.1f}%'></span></td>"
                f"<td class='n'>{words.norm(value)}</td></tr>"
            )
    sums = "".join(
        f"<p class='why'>{escape(cost)}: norm of the sum {words.norm(float(whole[k]))}, sum of the norms "
        f"{words.norm(float(every[k].sum()))}</p>"
        for k, cost in enumerate(split.costs)
    )
    return (
        "<h3>The gradient by the number of blocks that its paths pass</h3>"
        f"<div class='wide'><table>{''.join(rows)}</table></div>{sums}"
    )
