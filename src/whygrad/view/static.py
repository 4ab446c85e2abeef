"""A run where no script runs: on GitHub, in a printed notebook, before a page's script has begun.

The picture is an inline SVG with colours that can be read on white and on black; everything else is the derivation
as `render` has it: the words, the formulas as MathML, the table of paths with its sum.
"""

from collections.abc import Iterator
from html import escape
from typing import Any

from whygrad.derive.links import TOTAL
from whygrad.notation import Quantity
from whygrad.render.as_html import derivation_html, number
from whygrad.run import Run
from whygrad.view import keys
from whygrad.view.document import asked, first_choice
from whygrad.view.flows import Flows
from whygrad.view.picture import Picture

WIDTH, MARGIN, ROW = 760.0, 34.0, 58.0
HUES = ("#1a82c4", "#d9681d", "#0f9a72", "#b0569a", "#a37d0a", "#6f6cdb")
INK, QUIET = "#7d8798", "#9aa3b2"


def static(run: Run, *, chosen: Any = None, of: Any = None, example: int | None = None) -> str:
    """Returns the answer for one quantity as a piece of HTML without a script.

    Args:
        run: The run.
        chosen: What is differentiated by, as for :func:`whygrad.view.document.document`.
        of: What is differentiated.
        example: The number of one example.

    Example:
        >>> import whygrad as wg
        >>> text = static(wg.Network.default().run())
        >>> "<svg" in text, "0.33349" in text, "<script" in text
        (True, True, False)
    """
    alone = run if example is None or run.examples == 1 else run.example(example)
    target = asked(run, of, run.ends[0])
    q = first_choice(alone) if chosen is None else asked(run, chosen, None)
    derivation = run.explain(q, of=target, example=example)
    drawn = picture_svg(alone, q, target)
    body = derivation_html(derivation)
    start = body.index("</style>") + len("</style>")
    return f"{body[:start]}\n{drawn}{body[start:]}"


def picture_svg(run: Run, q: Quantity, of: Quantity = TOTAL) -> str:
    """Returns the network with the paths of a quantity lit, as an SVG element."""
    return "".join(_Drawing(run, q, of).parts())


class _Drawing:
    """Where everything is, and the pieces of the SVG."""

    def __init__(self, run: Run, q: Quantity, of: Quantity) -> None:
        self._run, self._q, self._of = run, q, of
        self._picture = picture = Picture(run, q)
        self._flow = picture.flow(Flows(run).of(q, picture.strands(of)[1]), q, of)
        net = run.network.layered
        columns = [
            [f"a{layer}.{j}" for j in neurons] + ([f"o{layer}"] if len(neurons) < net.sizes[layer] else [])
            for layer, neurons in enumerate(picture.shown)
        ]
        columns.append([f"C{k}" for k in picture.shown[-1]] + (["R"] if net.l2 else []))
        rows = max(map(len, columns))
        self._row = min(ROW, 460.0 / rows)
        self._gap = (WIDTH - 2 * MARGIN) / (len(columns) - 1)
        self._radius = min(17.0, self._row * 0.3, self._gap * 0.25)
        self._high = self._row * rows + (28 if net.l2 else 16)
        self._place = {
            name: (
                MARGIN + self._gap * place,
                (self._row * rows + 16) / 2 - 6 + (n - (len(names) - 1) / 2) * self._row,
            )
            for place, names in enumerate(columns)
            for n, name in enumerate(names)
        }

    def parts(self) -> Iterator[str]:
        """Yields the pieces of the SVG, from back to front."""
        run = self._run
        name = run.network.notation.unicode(self._q, run.network.layout)
        label = (
            f"The network, with the paths from {name} lit: width is how much of the derivative goes through."
        )
        yield (
            f'<svg viewBox="0 0 {WIDTH:g} {self._high:.0f}" width="{WIDTH:g}" role="img" aria-label="{escape(label)}" '
            f'style="max-width:100%;height:auto" font-family="sans-serif">'
        )
        # Thousands of lines would take long to paint one by one: those of a layer are one path.
        quiet: dict[int, str] = {}
        for q in self._picture.items:
            if q.kind in ("w", "C"):
                end = int(q.layer or run.network.layered.depth + 1)
                place = f"a{end}.{q.to}" if q.kind == "w" else keys.key(q)
                curve = self._curve(f"a{end - 1}.{q.source if q.kind == 'w' else q.to}", place)
                quiet[end] = quiet.get(end, "") + curve
        for curves in quiet.values():
            yield self._line(curves, QUIET, 0.8, 0.45)
        widest = self._flow["widest"] or 1.0
        for start, end, *strands in reversed(self._flow["lines"]):
            sizes = [max(1.4, 9 * abs(part) / widest) if part else 0.0 for part in strands]
            shift = -sum(sizes) / 2
            for n, (part, size) in enumerate(zip(strands, sizes, strict=True)):
                if part:
                    dash = ' stroke-dasharray="6 4"' if part < 0 else ""
                    hue = self._hue(self._flow["costs"][n])
                    yield self._line(self._curve(start, end, shift + size / 2), hue, size, 0.85, dash)
                shift += size
        if self._flow.get("regular"):
            yield self._to_regular(self._flow["regular"], widest)
        for name in self._place:
            yield self._node(name)
        yield "</svg>"

    def _to_regular(self, part: float, widest: float) -> str:
        """Returns the line from the middle of a weight's to R, below the neurons."""
        layer = int(self._q.layer or 1)
        start = self._place.get(f"a{layer - 1}.{self._q.source}")
        goal = self._place.get(f"a{layer}.{self._q.to}")
        if start is None or goal is None:
            return ""
        x, y = (start[0] + goal[0]) / 2, (start[1] + goal[1]) / 2
        end, last = self._place["R"]
        low, end, gap = self._high - 2, end - self._radius, self._gap
        size = min(9.0, max(1.4, 9 * abs(part) / widest))
        dash = ' stroke-dasharray="6 4"' if part < 0 else ""
        return (
            f'<path d="M{x:.1f} {y:.1f}C{x:.1f} {low:.1f} {x:.1f} {low:.1f} {x + gap * 0.42:.1f} {low:.1f}'
            f"L{max(x + gap * 0.42, end - gap * 0.6):.1f} {low:.1f}C{end - gap * 0.3:.1f} {low:.1f} "
            f'{end - gap * 0.3:.1f} {last:.1f} {end:.1f} {last:.1f}" fill="none" stroke="{INK}" '
            f'stroke-width="{size:.2f}" opacity="0.85"{dash}/>'
        )

    @staticmethod
    def _hue(name: str) -> str:
        return HUES[int(name[1:]) % len(HUES)] if name[0] == "C" else INK

    def _curve(self, start: str, end: str, shift: float = 0.0) -> str:
        """Returns the curve between two places, moved down by a little."""
        if start not in self._place or end not in self._place:
            return ""
        (x1, y1), (x2, y2) = self._place[start], self._place[end]
        x1, x2 = x1 + self._radius, x2 - self._radius
        bend, y1, y2 = (x2 - x1) * 0.4, y1 + shift, y2 + shift
        return f"M{x1:.1f} {y1:.1f}C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"

    @staticmethod
    def _line(curve: str, colour: str, width: float, opacity: float, more: str = "") -> str:
        if not curve:
            return ""
        return (
            f'<path d="{curve}" fill="none" stroke="{colour}" stroke-width="{width:.2f}" '
            f'opacity="{opacity}"{more}/>'
        )

    def _node(self, name: str) -> str:
        x, y = self._place[name]
        r, run = self._radius, self._run
        if name[0] == "o":
            hidden = run.network.layered.sizes[int(name[1:])] - len(self._picture.shown[int(name[1:])])
            return (
                f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" font-size="12" fill="{INK}">'
                f"+ {hidden:,} others</text>"
            )
        q = keys.quantity(name)
        hue = self._hue(name) if q.kind == "C" else INK
        shape = (
            f'<rect x="{x - r:.1f}" y="{y - r:.1f}" width="{2 * r:.1f}" height="{2 * r:.1f}" rx="5" '
            if q.kind in ("C", "R")
            else f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r:.1f}" '
        )
        made = f'{shape}fill="{hue}" fill-opacity="0.13" stroke="{hue}" stroke-width="1.6"/>'
        if r < 10:
            return made
        text = escape(run.network.notation.unicode(q, run.network.layout))
        # A name of many letters has to fit into the circle.
        size = min(r * 0.85, 3.1 * r / max(len(text), 1))
        made += (
            f'<text x="{x:.1f}" y="{y + size / 3:.1f}" text-anchor="middle" font-size="{size:.1f}" fill="{INK}" '
            f'font-weight="600">{text}</text>'
        )
        if run.examples > 1 and q.kind == "a":
            return made
        return (
            made + f'<text x="{x:.1f}" y="{y + r + 11:.1f}" text-anchor="middle" font-size="10" fill="{INK}">'
            f"{number(float(f'{run.value(q):.4g}'))}</text>"
        )
