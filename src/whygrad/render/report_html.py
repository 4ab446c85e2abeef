"""Reports as HTML: one page with nothing loaded from anywhere, light and dark; modules open and close."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from whygrad.branches import Spectrum
from whygrad.render import report_words as words
from whygrad.render.as_html import document
from whygrad.render.branches_text import SPECTRUM
from whygrad.render.report_html_depth import depth
from whygrad.render.report_html_look import css_class, number, sentence, style, swatch, wide
from whygrad.render.report_html_tree import tree
from whygrad.report.conflicts import CONFLICT, WORSE
from whygrad.report.record import Finding, Report

# Of more costs a spectrum has a row for each.
MOST_IN_COLUMN = 3


def report_page(report: Report) -> str:
    """Returns a report as a whole page."""
    return document(report_html(report), "What each cost does to each parameter")


def report_html(report: Report) -> str:
    """Returns a report as one element with its style."""
    parts = [f"<h2>Gradient report</h2><p class='why'>{escape(words.headline(report))}</p>", _costs(report)]
    if report.findings:
        sound = words.sound(report)
        last = f"<div class='finding'><p>{sentence(sound)}.</p></div>" if sound else ""
        parts.append(f"<h3>In short</h3>{''.join(map(_finding, report.findings))}{last}")
    title = "Which cost pulls where" if len(report.costs) > 1 else "The gradient"
    parts.append(f"<h3>{title}</h3>{tree(report)}")
    parts.append(_matrix(report))
    if len(report.layers) > 1:
        parts.append(depth(report))
    said = [(units, words.unit_words(units)) for units in report.units]
    rows = "".join(
        f"<tr><th scope='row'>{escape(units.name)}</th><td>{escape(text)}</td></tr>"
        for units, text in said
        if text
    )
    if rows:
        parts.append(f"<h3>Activation functions</h3>{wide(f'<table>{rows}</table>', 'Activation functions')}")
    if report.spectrum is not None:
        parts.append(_spectrum(report))
    parts.append(_notes(report))
    body = "\n".join(parts)
    return f"<section class='whygrad report'>\n<style>{style()}</style>\n{body}\n</section>"


def _notes(report: Report) -> str:
    meanings = "".join(
        f"<div><dt>{escape(word)}</dt><dd>{sentence(meaning)}</dd></div>"
        for word, meaning in words.meanings(report)
    )
    remarks = "".join(f"<p>{sentence(remark)}</p>" for remark in words.remarks(report))
    return f"<div class='notes'><dl>{meanings}</dl>{remarks}</div>"


def _costs(report: Report) -> str:
    numbers, several = report.model.numbers, len(report.costs) > 1
    rows = []
    for k, (name, value) in enumerate(report.costs.items()):
        along = float(numbers.along[k])
        bad = " bad" if along < WORSE else ""
        cell = f"<td class='n{bad}'>{words.cosine(along)}</td>" if several else ""
        rows.append(
            f"<tr><th scope='row'>{swatch(k)}{escape(name)}</th>"
            f"<td class='n'>{number(value)}</td><td class='n'>{number(float(numbers.norms[k]))}</td>{cell}</tr>"
        )
    last = "<th class='n'>cosine with the sum</th>" if several else ""
    table = (
        "<table class='costs'><thead><tr><th>cost</th><th class='n'>value</th>"
        f"<th class='n'>norm of the gradient</th>{last}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )
    return wide(table, "The costs")


def _finding(finding: Finding) -> str:
    mark = {"conflict": f"{words.MARK} conflict"}.get(finding.kind, finding.kind)
    tries = "".join(f"<li><strong>try</strong> {sentence(text)}</li>" for text in finding.tries)
    kind = "finding problem" if finding.problem else "finding"
    colour = "kind bad" if finding.problem else "kind"
    below = f"<ul>{tries}</ul>" if tries else ""
    says = f"<p><span class='{colour}'>{escape(mark)}</span> {sentence(finding.says)}.</p>"
    return f"<div class='{kind}'>{says}{below}</div>"


def _matrix(report: Report) -> str:
    """Returns the cosines of each cost with those before it; nothing where there are too few or too many."""
    names, shared = list(report.costs), report.model.shared
    if not words.FEWEST_IN_MATRIX <= len(names) <= words.MOST_IN_MATRIX or shared is None:
        return ""
    cosines = words.met_cosines(shared)
    heads = "".join(f"<th class='n'>{k + 1}</th>" for k in range(len(names) - 1))
    rows = []
    for k, name in enumerate(names):
        cells = "".join(
            f"<td class='n{' bad' if cosines[k, j] < CONFLICT else ''}' "
            f"title='{escape(name)}, {escape(names[j])}'>{words.cosine(float(cosines[k, j]))}</td>"
            for j in range(k)
        )
        rows.append(f"<tr><td class='n faint'>{k + 1}</td><th scope='row'>{escape(name)}</th>{cells}</tr>")
    return "<h3>Cosines between the costs, over the shared weights</h3>" + wide(
        f"<table class='cosines'><thead><tr><td></td><td></td>{heads}</tr></thead><tbody>{''.join(rows)}</tbody>"
        "</table>",
        "Cosines between the costs",
    )


def _bar(k: int, share: float) -> str:
    return f"<span class='{css_class(k)}' style='width:{share:.1%}'></span>" if share else ""


def _spectrum(report: Report) -> str:
    split = report.spectrum
    assert split is not None
    every, whole = split.all_parts, split.all_whole
    shown, last = words.blocks_shown(every), every.shape[1] - 1
    parts = [(words.blocks(blocks), "", every[:, blocks]) for blocks in range(shown)]
    if shown <= last:
        parts.append((f"{shown} to {words.blocks(last)}", "≤ ", every[:, shown:].max(axis=1)))
    bars = words.block_bars(np.stack([norms for _, _, norms in parts], axis=1))
    if len(split.costs) > MOST_IN_COLUMN:
        return f"<h3>{SPECTRUM}</h3>{wide(_by_cost(split, parts, bars), SPECTRUM)}"
    rows = []
    for row, (label, most, norms) in enumerate(parts):
        head = f"<th scope='rowgroup' rowspan='{len(split.costs)}'>{label}</th>"
        for k, cost in enumerate(split.costs):
            rows.append(
                f"<tr>{'' if k else head}<td>{escape(cost)}</td><td class='bar'>{_bar(k, float(bars[k, row]))}</td>"
                f"<td class='n'>{most}{number(float(norms[k]))}</td></tr>"
            )
    table = "".join(rows)
    sums = "".join(
        f"<br>{escape(cost)}: norm of the sum {words.norm(float(whole[k]))}, sum of the norms "
        f"{words.norm(float(every[k].sum()))}"
        for k, cost in enumerate(split.costs)
    ).removeprefix("<br>")
    return f"<h3>{SPECTRUM}</h3>{wide(f'<table>{table}</table>', SPECTRUM)}<p class='why sums'>{sums}</p>"


def _by_cost(split: Spectrum, parts: Sequence[tuple[str, str, Any]], bars: Any) -> str:
    """Returns a spectrum's table with a row for each cost: what the parts are called, ≤ or nothing, and their norms."""
    heads = "".join(f"<th scope='col' class='n'>{label}</th>" for label, _, _ in parts)
    heads += "".join(
        f"<th scope='col' class='n'>{label}</th>" for label in ("sum of the norms", "norm of the sum")
    )
    sums = zip(split.all_parts.sum(axis=1), split.all_whole, strict=True)
    rows = []
    for k, (cost, both) in enumerate(zip(split.costs, sums, strict=True)):
        cells = "".join(
            f"<td class='n'>{most}{number(float(norms[k]))}<span class='bar'>{_bar(k, float(share))}</span></td>"
            for (_, most, norms), share in zip(parts, bars[k], strict=True)
        )
        cells += "".join(f"<td class='n'>{number(float(each))}</td>" for each in both)
        rows.append(f"<tr><th scope='row'>{escape(cost)}</th>{cells}</tr>")
    return (
        f"<table class='by-cost'><thead><tr><th scope='col'>cost</th>{heads}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
    )
