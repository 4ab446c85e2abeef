"""Derivations as HTML with MathML: self-contained, light and dark, nothing loaded from anywhere."""

import re
from functools import lru_cache
from html import escape, unescape
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

from whygrad.derive.derivation import Derivation, Grid, Groups, Layerwise, PathRow, Step, Words
from whygrad.derive.spelling import NARROW, Math, spaced
from whygrad.render.as_latex import factor as latex_factor
from whygrad.render.checks import checks, checks_title, lists_costs, percent
from whygrad.render.checks import number as plain_number

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_ESCAPED = re.compile(r"\\([_%#&])")
_SIGN = "(<mo[^>]*>[(=⋅·≈]</mo>|:[\xa0 ]</mtext>)<mo>(−)</mo>"


@lru_cache(maxsize=4096)
def mathml(latex: str, display: str = "inline") -> str:
    """Returns LaTeX as MathML.

    Example:
        >>> mathml("a^0_1").startswith("<math")
        True
    """
    # A minus after a bracket or an equals sign is a sign, not a difference: it takes no space after it.
    return re.sub(
        _SIGN, r"\1<mo form='prefix'>\2</mo>", tostring(element(latex, display), encoding="unicode")
    )


def element(latex: str, display: str = "inline") -> Element:
    """Returns LaTeX as a MathML element; what can't be typeset, as a person's own names may be, stands as text.

    Example:
        >>> [each.text for each in element("a_b_c").iter("mtext")]
        ['a_b_c']
    """
    from latex2mathml.converter import convert_to_element

    try:
        made = convert_to_element(latex, display=display)
    except Exception:  # the converter's errors have no class in common
        made = Element("math", {"xmlns": "http://www.w3.org/1998/Math/MathML", "display": display})
        SubElement(made, "mtext").text = latex
    # The converter leaves references such as &#x0003C; in texts. Its own way to markup undoes them last, and with
    # them the escape of every < that a person's name may have in \text{}.
    for each in made.iter():
        each.text = unescape(each.text) if each.text else None
        if each.tag == "mtext" and each.text:
            each.text = _ESCAPED.sub(r"\1", each.text)
    for each in list(made.iter()):
        _spaced(each)
    if display == "block":
        # In line with what stands before it also where no style is left, as on GitHub; there a block is centred.
        made.attrib |= {"display": "inline", "displaystyle": "true"}
    return made


def _spaced(made: Element) -> None:
    """Sets functions as in print: relu' with its prime at its name; ln a, and fractions, with a thin space."""
    for each in made:
        text = each.text or ""
        if each.tag == "mo" and ((text.isalpha() and len(text) > 1) or text == "⊤"):
            each.tag = "mi"  # an operator would have space on both sides
    if made.tag == "msup" and "".join(made[1].itertext()) == "′":
        # Fonts have the prime raised already: as an exponent it would be raised twice.
        made.tag = "mrow"
        made.remove(made[1])
        SubElement(made, "mo", {"form": "postfix", "lspace": "0", "rspace": "0"}).text = "′"
    for place in reversed(range(1, len(made) if made.tag in ("math", "mrow") else 0)):
        before, here = made[place - 1], made[place]
        function = before.tag == "mi" and len(before.text or "") > 1 and here.tag not in ("mo", "mspace")
        if function or before.tag == here.tag == "mfrac":
            made.insert(place, Element("mspace", {"width": "0.167em"}))


@lru_cache(maxsize=1)
def stylesheet() -> str:
    """Returns the style that every piece of HTML brings along."""
    return (Path(__file__).parent / "whygrad.css").read_text(encoding="utf-8")


def document(body: str, title: str) -> str:
    """Returns a whole page around a piece of HTML."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>body {{ margin: 0; background: #ffffff; }} "
        f"@media (prefers-color-scheme: dark) {{ body {{ background: #14171d; }} }}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>"
    )


def number(value: float) -> str:
    """Returns a number to six digits, as formulas have it.

    Example:
        >>> number(-0.25), number(-1.5e-7)
        ('−0.25', '−1.5·10⁻⁷')
    """
    return figures(plain_number(value))


def figures(text: str) -> str:
    """Returns figures such as -1.5e-07 with a real minus sign and a power of ten."""
    digits, _, exponent = text.replace("-", "−").partition("e")
    return f"{digits}·10{str(int(exponent.replace('−', '-'))).translate(_RAISED)}" if exponent else digits


def said(remark: str) -> str:
    """Returns a remark with its numbers as formulas have them."""
    return re.sub(r"[\d.]+e[+-]\d+", lambda found: figures(found[0]), remark)


def prose(words: Words) -> str:
    """Returns words with inline mathematics."""
    return "".join(mathml(piece.latex) if isinstance(piece, Math) else escape(piece) for piece in words)


def derivation_html(d: Derivation) -> str:
    """Returns a derivation as one element with its style."""
    parts = [
        f"<h2>{mathml(d.heading.latex, 'block')} <span>= {number(d.value)}</span></h2>",
        *(f"<p>{prose(words)}</p>" for words in d.words),
    ]
    if lists_costs(d):
        parts.append(_costs(d))
    if d.steps:
        parts.append(
            "<h3>Step by step</h3><ol class='steps'>" + "".join(_step(step) for step in d.steps) + "</ol>"
        )
    if d.paths.rows:
        parts.append(_paths(d))
    parts.append(_checks(d))
    if d.groups:
        parts.append(
            "<h3>The paths by the neuron that they pass</h3>" + "".join(_group(group) for group in d.groups)
        )
    if d.layerwise:
        lines = "".join(_layer(line) for line in d.layerwise)
        parts.append(f"<h3>The same in whole layers</h3><div class='layers'>{lines}</div>")
    notes = "".join(f"<li>{prose(words)}</li>" for words in d.notes)
    parts.append(
        f"<ul class='notes'>{notes}<li>Network: {escape(d.network)}. Notation: {escape(d.notation)}.</li></ul>"
    )
    body = "\n".join(parts)
    return f"<section class='whygrad'>\n<style>{stylesheet()}</style>\n{body}\n</section>"


def _costs(d: Derivation) -> str:
    rows = "".join(
        f"<tr><th scope='row'>{mathml(d.cost_maths[name].latex)}</th><td class='n'>{number(value)}</td>"
        f"<td class='why'>{prose(d.cost_reasons.get(name, ()))}</td></tr>"
        for name, value in d.costs.items()
    )
    whole = number(sum(d.costs.values()))
    total = f"<tr class='sum'><th scope='row'>sum</th><td class='n'>{whole}</td><td></td></tr>"
    return f"<h3>Each cost by itself</h3><table>{rows}{total}</table>"


def _step(step: Step) -> str:
    lines = "".join(f"<div class='line'>{mathml(line.math.latex, 'block')}</div>" for line in step.lines)
    return (
        f"<li><strong>{escape(step.title)}.</strong> {prose(step.says)}<div class='lines'>{lines}</div></li>"
    )


def _paths(d: Derivation) -> str:
    largest = max(abs(row.share) for row in d.paths.rows) or 1.0
    products = any(row.factors for row in d.paths.rows)
    rows = "".join(_path(row, largest, products) for row in d.paths.rows)
    span = " colspan='2'" if products else ""
    others = ""
    if d.paths.others:
        kind = "other" if d.paths.others == 1 else "others"
        others = (
            f"<tr><td{span} class='why'>and {spaced(d.paths.others, NARROW)} {kind}, together</td>"
            f"<td class='n'>{number(d.paths.others_sum)}</td><td colspan='2'></td></tr>"
        )
    title = "The one path" if d.paths.count == 1 else f"The {_many(d.paths.count)}, strongest first"
    if d.paths.apart:
        title += ", each example's apart"
    return (
        f"<h3>{title}</h3><div class='wide'><table class='paths'><thead><tr><th>path</th>"
        f"{'<th>product</th>' if products else ''}<th class='n'>contribution</th><th class='n'>share</th><th></th>"
        f"</tr></thead><tbody>{rows}{others}</tbody>"
        f"<tfoot><tr class='sum'><td{span}>sum of all paths</td><td class='n'>{number(d.paths.sum)}</td>"
        "<td colspan='2'></td></tr></tfoot></table></div>"
    )


def _path(row: PathRow, largest: float, products: bool) -> str:
    path = mathml(r" \to ".join(math.latex for math in row.maths))
    if row.example is not None:
        path += f" <span class='why'>example {row.example}</span>"
    factors = r" \cdot ".join(latex_factor(value) for _, value in row.factors)
    product = f"<td class='why'>{mathml(factors) if factors else ''}</td>" if products else ""
    width = round(100 * abs(row.share) / largest)
    kind = "gain" if row.contribution > 0 else "loss"
    bar = f"<span class='{kind}' style='width:{width}%'></span>" if width else ""
    share = escape(percent(row.share)).replace("-", "−")
    return (
        f"<tr><td>{path}</td>{product}<td class='n'>{number(row.contribution)}</td>"
        f"<td class='n why'>{share}</td><td class='bar'>{bar}</td></tr>"
    )


def _checks(d: Derivation) -> str:
    body = "".join(
        f"<tr><th scope='row'>{name}</th><td class='n'>{figures(value)}</td><td class='why'>{said(says)}</td></tr>"
        for name, value, says in checks(d)
    )
    return f"<h3>{checks_title(d)}</h3><table>{body}</table>"


def _group(group: Groups) -> str:
    rows = "".join(
        f"<tr><th scope='row'>through {mathml(name.latex)}</th><td class='n why'>{_many(many)}</td>"
        f"<td class='n'>{number(value)}</td></tr>"
        for name, many, value in group.rows
    )
    return f"<table class='group'>{rows}</table>"


def _many(count: int) -> str:
    return "1 path" if count == 1 else f"{spaced(count, NARROW)} paths"


def _layer(line: Layerwise) -> str:
    result = f"<span class='why'>=</span>{_grid(line.result)}" if line.result else ""
    return f"<div class='layer'>{mathml(line.math.latex, 'block')}{result}</div>"


def _grid(grid: Grid) -> str:
    rows = []
    for i, row in enumerate(grid.values):
        cells = "".join(
            f"<td{' class=marked' if (i, j) == grid.marked else ''}>{figures(f'{value or 0.0:.4g}')}</td>"
            for j, value in enumerate(row)
        )
        rows.append(f"<tr>{cells}</tr>")
    return f"<table class='matrix'>{''.join(rows)}</table>"
