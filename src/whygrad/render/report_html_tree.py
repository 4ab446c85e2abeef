"""The tree of a report's page: modules that open and close, with what each cost does to them."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import numpy as np

from whygrad.render import report_words as words
from whygrad.render.report_html_look import css_class, number, swatch
from whygrad.report.conflicts import conflict_inside, in_conflict
from whygrad.report.record import Numbers, Part, Report

# Modules are open from the start where a model is small.
OPEN_UP_TO = 24
# Names of costs in a row are cut to so many letters; so are two together.
LONGEST, PAIR = 12, 19
# In the row of a module that is folded.
_INSIDE = f"<span class='inside' title='in a layer of it'>({words.MARK})</span>"


class _Column(NamedTuple):
    """A column of the tree.

    Args:
        head: What stands over it.
        width: How wide it is.
        narrower: How wide it is where there is little room; nothing where it is then left out.
        first_to_go: Whether it is left out before others are.
    """

    head: str
    width: str
    narrower: str
    first_to_go: bool = False


def tree(report: Report) -> str:
    """Returns the rows of a report's tree, under the names of their columns."""
    columns = list(_columns(report))
    # Of many costs the pair is left out first, then the bar; where it is narrow the name has a line of its own.
    widths = {
        "columns": [column.width for column in columns],
        "fewer": [column.width for column in columns if not column.first_to_go],
        "fewest": [column.narrower for column in columns if column.narrower],
    }
    style = "; ".join(f"--{name}: {' '.join(some)}" for name, some in widths.items())
    rows = _Rows.of(report)
    above = [("the model", report.model.numbers)]
    shared = words.shared_row(report)
    if shared is not None:
        above.append(("shared weights", shared))
    whole = "".join(
        f"<div class='row' style='--depth:0'><strong class='name'>{name}</strong>{rows.cells(numbers)}</div>"
        for name, numbers in above
    )
    parts = "".join(rows.part(part, 0) for part in report.model.parts)
    heads = "".join(column.head for column in columns)
    many = " many" * (len(report.costs) > 2)
    return f"<div class='tree{many}' style='{style}'><div class='row head'>{heads}</div>{whole}{parts}</div>"


def _columns(report: Report) -> Sequence[_Column]:
    costs, numbers = list(report.costs), report.model.numbers
    made = [_Column("<span></span>", "minmax(9rem, 2fr)", "minmax(6rem, 2fr)")]
    if len(costs) <= words.COSTS_IN_COLUMNS:
        made += [
            _Column(
                f"<span class='n' title='{escape(cost)}'>{swatch(k, small=True)}{escape(cost)}</span>",
                "minmax(4.4rem, .7fr)",
                "minmax(4.1rem, .7fr)",
            )
            for k, cost in enumerate(costs)
        ]
    else:
        made.append(_Column("<span>longest</span>", "minmax(6.7rem, .8fr)", "minmax(6.7rem, 1fr)"))
        made.append(_Column("<span class='n'>norm</span>", "4.1rem", "4.1rem"))
    if len(costs) > 1:
        made.append(_Column("<span class='share'>share</span>", "minmax(5rem, 1.2fr)", ""))
        made.append(_Column("<span class='n'>cosine</span>", "5.3rem", "5.3rem"))
    if len(costs) > 2:
        made.append(_Column("<span class='pair'>of</span>", "minmax(11rem, 1.4fr)", "", first_to_go=True))
    if numbers.total is not None:
        made.append(_Column("<span class='n'>cancels</span>", "3.9rem", "3.9rem"))
    if numbers.surprise is not None:
        made.append(_Column("<span class='n'>paths</span>", "4.2rem", "4.2rem"))
    return made


class _Rows(NamedTuple):
    """What is the same in every row of the tree.

    Args:
        costs: The names of the costs.
        small: Whether all modules are open.
        idle: The parameters whose cosines say nothing.
    """

    costs: list[str]
    small: bool
    idle: frozenset[str]

    @staticmethod
    def of(report: Report) -> "_Rows":
        small = sum(1 for _ in report.model.parameters) <= OPEN_UP_TO
        return _Rows(list(report.costs), small, words.idle(report))

    def part(self, part: Part, depth: int) -> str:
        """Returns the row of a parameter; or that of a module, which opens to those of its parts."""
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
        """Returns what each cost does to a part."""
        if not numbers.reached.any():
            return "<span class='bad none'>no path</span>"
        made = []
        if len(self.costs) <= words.COSTS_IN_COLUMNS:
            for k in range(len(self.costs)):
                norm = float(numbers.norms[k])
                made.append(number(norm) if numbers.reached[k] else "<span class='n'>·</span>")
        else:
            top = words.longest(numbers)
            made += [
                _cut(self.costs[top], words.short(self.costs[top], LONGEST), "longest"),
                number(float(numbers.norms[top])),
            ]
        worst = words.worst(numbers, self.costs)
        conflict = in_conflict(numbers) and name not in self.idle
        if len(self.costs) > 1:
            mark = f" {words.MARK}" if conflict else f" {_INSIDE}" if inside else ""
            made.append(_shares(numbers, self.costs))
            made.append(f"<span class='n{' bad' if conflict else ''}'>{worst.cosine}{mark}</span>")
        if len(self.costs) > 2:
            made.append(_cut(", ".join(worst.names), words.both(worst.names, PAIR), "pair"))
        if numbers.total is not None:
            made.append(
                f"<span class='n'>{escape(words.percent(words.largest(numbers.cancellation)))}</span>"
            )
        if numbers.surprise is not None:
            made.append(f"<span class='n'>{words.effective(words.largest(numbers.entropy))}</span>")
        return "".join(made)


def _cut(whole: str, shown: str, kind: str) -> str:
    """Returns a cell whose text is cut, and is shown whole when pointed at."""
    return f"<span class='{kind}' title='{escape(whole)}'>{escape(shown)}</span>"


def _shares(numbers: Numbers, costs: list[str]) -> str:
    """Returns the bar that the costs share; no piece is too narrow to be seen, as the style has it."""
    if np.isnan(numbers.shares).any():
        return "<span class='share'></span>"
    pieces = "".join(
        f"<span class='{css_class(k)}' style='width:{100 * share:.2f}%' title='{escape(costs[k])} "
        f"{escape(words.percent(float(share)))}'></span>"
        for k, share in enumerate(numbers.shares)
        if share > 0
    )
    return f"<span class='share shares'>{pieces}</span>"
