"""Reports as HTML: one page with nothing loaded from anywhere, light and dark; modules open and close."""

from functools import lru_cache
from html import escape
from pathlib import Path
from typing import NamedTuple

import numpy as np

from whygrad.render import report_words as words
from whygrad.render.as_html import document, stylesheet
from whygrad.render.hues import DARK, LIGHT
from whygrad.report.conflicts import CONFLICT, conflict_inside, in_conflict
from whygrad.report.phrases import OWN
from whygrad.report.record import Finding, Numbers, Part, Report

COSTS_IN_COLUMNS = 4
# How wide a letter of a figure is, about.
LETTER = 7
# Modules are open from the start where a model is small.
OPEN_UP_TO = 24
# The columns of a bar, a pair's names, a part's name, a cost's norms and a cosine; and where there is little room.
BAR, PAIR = "minmax(5rem, 1.6fr)", "minmax(5rem, 1.2fr)"
NAME, COST, COSINE = "minmax(9rem, 2fr)", "minmax(4.4rem, .7fr)", "5.3rem"
NARROWER = {NAME: "minmax(6rem, 2fr)", COST: "minmax(4.1rem, .7fr)"}

# In the row of a module that is folded.
_INSIDE = f"<span class='inside' title='in a layer of it'>({words.MARK})</span>"
_HUES = "".join(f".whygrad {{ --cost-{k}: {colour}; }}\n" for k, colour in enumerate(LIGHT))
_DARK_HUES = "".join(f".whygrad {{ --cost-{k}: {colour}; }}\n" for k, colour in enumerate(DARK))
_STRIPES = "repeating-linear-gradient({1}, {0} 0 {2}px, color-mix(in srgb, {0} 45%, transparent) {2}px {3}px)"
_FILLS = (None, ("135deg", 4, 6), ("45deg", 2, 4), ("90deg", 3, 5), ("0deg", 2, 4), ("135deg", 1, 4))
# Each hue comes with each fill before both are the same again.
LOOKS = len(LIGHT) * len(_FILLS)


def _look(k: int) -> str:
    colour, fill = f"var(--cost-{k % len(LIGHT)})", _FILLS[(k + k // len(LIGHT)) % len(_FILLS)]
    return colour if fill is None else _STRIPES.format(colour, *fill)


_PATTERNS = "".join(f".whygrad .c{k} {{ background: {_look(k)}; }}\n" for k in range(LOOKS))


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
        sound = words.sound(report)
        last = f"<div class='finding'><p>{escape(sound)}.</p></div>" if sound else ""
        parts.append(f"<h3>In short</h3>{''.join(map(_finding, report.findings))}{last}")
    title = "Which cost pulls where" if len(report.costs) > 1 else "The gradient"
    parts.append(f"<h3>{title}</h3>{_tree(report)}")
    parts.append(_matrix(report))
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
    parts.append(_notes(report))
    body = "\n".join(parts)
    return f"<section class='whygrad report'>\n<style>{style()}</style>\n{body}\n</section>"


def _class(k: int) -> str:
    return f"c{k % LOOKS}"


def _notes(report: Report) -> str:
    meanings = "".join(
        f"<div><dt>{escape(word)}</dt><dd>{escape(meaning)}</dd></div>"
        for word, meaning in words.meanings(report)
    )
    remarks = "".join(f"<p>{escape(remark)}</p>" for remark in words.remarks(report))
    return f"<div class='notes'><dl>{meanings}</dl>{remarks}</div>"


def _number(value: float) -> str:
    bad = "" if np.isfinite(value) else " bad"
    return f"<span class='n{bad}'>{words.norm(value).replace('-', '−')}</span>"


def _costs(report: Report) -> str:
    numbers, several = report.model.numbers, len(report.costs) > 1
    rows = []
    for k, (name, value) in enumerate(report.costs.items()):
        along = float(numbers.along[k])
        bad = " bad" if along < 0 else ""
        cell = f"<td class='n{bad}'>{words.cosine(along)}</td>" if several else ""
        rows.append(
            f"<tr><th scope='row'><span class='swatch {_class(k)}'></span>{escape(name)}</th>"
            f"<td class='n'>{_number(value)}</td><td class='n'>{_number(float(numbers.norms[k]))}</td>{cell}</tr>"
        )
    last = "<th class='n'>cosine with the sum</th>" if several else ""
    return (
        "<div class='wide'><table class='costs'><thead><tr><th>cost</th><th class='n'>value</th>"
        f"<th class='n'>norm of the gradient</th>{last}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
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
    costs, numbers = list(report.costs), report.model.numbers
    wide, several = len(costs) <= COSTS_IN_COLUMNS, len(costs) > 1
    columns = [NAME]
    titles = ["<span></span>"]
    if wide:
        columns += [COST] * len(costs)
        titles += [
            f"<span class='n' title='{escape(cost)}'><span class='swatch small {_class(k)}'></span>"
            f"{escape(cost)}</span>"
            for k, cost in enumerate(costs)
        ]
    else:
        columns += ["minmax(5rem, 1fr)", "4.1rem"]
        titles += ["<span>longest cost</span>", "<span class='n'>norm</span>"]
    if several:
        columns += [BAR, COSINE]
        titles += ["<span class='share'>share</span>", "<span class='n'>cosine</span>"]
    if len(costs) > 2:
        columns.append(PAIR)
        titles.append("<span class='pair'>of</span>")
    if numbers.total is not None:
        columns.append("3.9rem")
        titles.append("<span class='n'>cancels</span>")
    if numbers.surprise is not None:
        columns.append("4.2rem")
        titles.append("<span class='n'>paths</span>")
    # Of many costs the pair is left out first, then the bar; where it is narrow the name has a line of its own.
    fewer = [column for column in columns if column != PAIR]
    fewest = [NARROWER.get(column, column) for column in fewer if column != BAR]
    numbers_of_row = len(titles) - 1 - several - (len(costs) > 2)
    narrow = f"repeat({numbers_of_row}, minmax(4.3rem, 1fr)); --least: {4.8 * numbers_of_row - 0.5:.1f}rem"
    small = sum(1 for _ in report.model.parameters) <= OPEN_UP_TO
    tree = _Tree(costs, wide, small, words.idle(report))
    rows = "".join(tree.part(part, 0) for part in report.model.parts)
    above = [("the model", numbers)]
    shared = words.shared_row(report)
    if shared is not None:
        above.append(("shared weights", shared))
    whole = "".join(
        f"<div class='row' style='--depth:0'><strong class='name'>{name}</strong>{tree.cells(of)}</div>"
        for name, of in above
    )
    return (
        f"<div class='tree{' many' * (len(costs) > 2)}' style='--columns: {' '.join(columns)}; "
        f"--fewer: {' '.join(fewer)}; --fewest: {' '.join(fewest)}; --narrow: {narrow}'>"
        f"<div class='row head'>{''.join(titles)}</div>{whole}{rows}</div>"
    )


class _Tree(NamedTuple):
    """What is the same in every row of the tree.

    Args:
        costs: The names of the costs.
        wide: Whether each cost has a column.
        small: Whether all modules are open.
        idle: The parameters whose cosines say nothing.
    """

    costs: list[str]
    wide: bool
    small: bool
    idle: frozenset[str]

    def part(self, part: Part, depth: int) -> str:
        cells, name = self.cells(part.numbers, part.name, conflict_inside(part)), escape(part.label)
        if part.shape is not None:
            shape = " × ".join(map(str, part.shape)) or "scalar"
            return (
                f"<div class='row leaf' style='--depth:{depth}'><span class='name' title='{escape(part.name)}'>{name}"
                f"<span class='shape'>{shape}</span></span>{cells}</div>"
            )
        inside = "".join(self.part(inner, depth + 1) for inner in part.parts)
        is_open = " open" if self.small or (depth == 0 and len(part.parts) <= OPEN_UP_TO) else ""
        return (
            f"<details{is_open}><summary class='row' style='--depth:{depth}'>"
            f"<span class='name' title='{escape(part.name)}'>{name}</span>{cells}</summary>{inside}</details>"
        )

    def cells(self, numbers: Numbers, name: str = "", inside: bool = False) -> str:
        if not numbers.reached.any():
            return "<span class='bad none'>no path</span>"
        made = []
        if self.wide:
            for k in range(len(self.costs)):
                norm = float(numbers.norms[k])
                made.append(_number(norm) if numbers.reached[k] else "<span class='n'>·</span>")
        else:
            top = words.longest(numbers)
            made += [_cut(self.costs[top]), _number(float(numbers.norms[top]))]
        worst = words.worst(numbers, self.costs)
        conflict = in_conflict(numbers) and name not in self.idle
        if len(self.costs) > 1:
            mark = f" {words.MARK}" if conflict else f" {_INSIDE}" if inside else ""
            made.append(_shares(numbers, self.costs))
            made.append(f"<span class='n{' bad' if conflict else ''}'>{worst.cosine}{mark}</span>")
        if len(self.costs) > 2:
            made.append(_cut(worst.names, "pair"))
        if numbers.total is not None:
            made.append(
                f"<span class='n'>{escape(words.percent(words.largest(numbers.cancellation)))}</span>"
            )
        if numbers.surprise is not None:
            made.append(f"<span class='n'>{words.effective(words.largest(numbers.entropy))}</span>")
        return "".join(made)


def _cut(text: str, kind: str = "longest") -> str:
    """Returns a cell whose text may be cut off, and is shown whole when pointed at."""
    return f"<span class='{kind}' title='{escape(text)}'>{escape(text)}</span>"


def _matrix(report: Report) -> str:
    """Returns the cosines of each cost with those before it; nothing where there are too few or too many."""
    names, shared = list(report.costs), report.model.shared
    if not words.FEWEST_IN_MATRIX <= len(names) <= words.MOST_IN_MATRIX or shared is None:
        return ""
    heads = "".join(f"<th class='n'>{k + 1}</th>" for k in range(len(names) - 1))
    rows = []
    for k, name in enumerate(names):
        cells = "".join(
            f"<td class='n{' bad' if shared.cosines[k, j] < CONFLICT else ''}' "
            f"title='{escape(name)}, {escape(names[j])}'>{words.cosine(float(shared.cosines[k, j]))}</td>"
            for j in range(k)
        )
        rows.append(f"<tr><td class='n faint'>{k + 1}</td><th scope='row'>{escape(name)}</th>{cells}</tr>")
    return (
        "<h3>Cosines between the costs, over the shared weights</h3><div class='wide'><table class='cosines'><thead>"
        f"<tr><th></th><th></th>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _shares(numbers: Numbers, costs: list[str]) -> str:
    if np.isnan(numbers.shares).any():
        return "<span class='share'></span>"
    pieces = "".join(
        f"<span class='{_class(k)}' style='width:{100 * share:.2f}%' title='{escape(costs[k])} {share:.0%}'></span>"
        for k, share in enumerate(numbers.shares)
        if share > 0
    )
    return f"<span class='share shares'>{pieces}</span>"


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
        dash = ("", "6 3", "2 3", "8 3 2 3", "1 4", "10 4")[(k + k // len(LIGHT)) % 6]
        colour = f"var(--cost-{k % len(LIGHT)})"
        lines.append(
            f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2' stroke-dasharray='{dash}'>"
            f"<title>{escape(name)}</title></polyline>"
        )
        if len(norms) <= 60:
            for (x, y), row in zip(
                points, [r for r, v in enumerate(norms[:, k]) if np.isfinite(v) and v > 0], strict=True
            ):
                layer = report.layers[row].name or OWN
                lines.append(
                    f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3' fill='{colour}'><title>{escape(name)}, {escape(layer)}: "
                    f"{words.norm(float(norms[row, k]))}</title></circle>"
                )
    names = [layer.name or OWN for layer in report.layers]
    # The first and the last name stand beside their place, not under it.
    fits = 1.6 * max(map(len, names)) * LETTER < across
    room = int(across / 1.6 / LETTER) if fits else int((width - left) / 2.1 / LETTER)
    for row in range(len(names)) if fits else (0, len(names) - 1):
        x = left + row * across
        anchor = "start" if not row else "end" if row == len(names) - 1 else "middle"
        label = escape(words.short(names[row], room))
        lines.append(f"<text x='{x:.1f}' y='{height - 8}' text-anchor='{anchor}'>{label}</text>")
    legend = "".join(
        f"<span class='key'><span class='swatch {_class(k)}'></span>{escape(name)}</span>"
        for k, name in enumerate(report.costs)
    )
    return (
        "<h3>Layer by layer: norm of each cost’s derivative by the outputs, first to last</h3>"
        f"<p class='why'>{legend}</p><div class='wide'><svg viewBox='0 0 {width} {height}' width='100%' "
        f"style='min-width:30rem;max-width:46rem' role='img' aria-label='norm of the derivative by layer'>"
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
        f"<br>{escape(cost)}: norm of the sum {words.norm(float(whole[k]))}, sum of the norms "
        f"{words.norm(float(every[k].sum()))}"
        for k, cost in enumerate(split.costs)
    ).removeprefix("<br>")
    return (
        "<h3>The gradient by the number of blocks that its paths pass</h3>"
        f"<div class='wide'><table>{''.join(rows)}</table></div><p class='why sums'>{sums}</p>"
    )
