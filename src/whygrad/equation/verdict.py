"""What became of an equation: the record that everything prints."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from whygrad.equation.judge import Reading


class Equality(NamedTuple):
    """What became of one equals sign of a chain."""

    left: str
    right: str
    holds: bool | None
    """None where it hangs on the reading."""
    missing: tuple[str, ...] = ()
    """LaTeX terms that the right side lacks: with them it is the left side."""
    surplus: tuple[str, ...] = ()
    """LaTeX terms that the right side has and the left side has not."""
    wrong: tuple[str, ...] = ()
    """The parts that stand where others should, as written."""
    corrected: str | None = None
    codes: tuple[str, ...] = ()
    """The causes, by their codes in the table of causes."""
    says: str = ""
    span: tuple[int, int] | None = None
    """Where in the text the wrong part stands."""


@dataclass(frozen=True)
class Verdict:
    """Whether an equation holds under the declared network and notation, and if not, why and what would.

    Attributes:
        text: The equation as it was written.
        holds: True, False, or None where it depends on the reading.
        equalities: One entry for each equals sign.
        corrected: The whole equation, put right in the writer's notation; None where it holds or isn't known.
        would_hold_if: Changes of convention under which it holds.
        readings: Where it can be read in more than one way: each with whether it holds so.
        judged: ``terms`` (as polynomials in the partials) or ``numbers`` (at random points, or the given numbers).
        says: The verdict in words.
        reads_as: How the equation was understood.
    """

    text: str
    holds: bool | None
    equalities: tuple[Equality, ...]
    corrected: str | None
    would_hold_if: tuple[str, ...]
    readings: tuple[Reading, ...]
    judged: str
    says: str
    reads_as: str
    network: str = ""
    notation: str = ""

    @property
    def missing(self) -> tuple[str, ...]:
        """LaTeX terms that right sides lack, over all equalities."""
        return tuple(dict.fromkeys(term for equality in self.equalities for term in equality.missing))

    @property
    def surplus(self) -> tuple[str, ...]:
        """LaTeX terms that right sides have too many, over all equalities."""
        return tuple(dict.fromkeys(term for equality in self.equalities for term in equality.surplus))

    @property
    def wrong(self) -> tuple[str, ...]:
        """Parts that stand where others should, over all equalities."""
        return tuple(dict.fromkeys(part for equality in self.equalities for part in equality.wrong))

    @property
    def codes(self) -> tuple[str, ...]:
        """The causes, over all equalities."""
        return tuple(dict.fromkeys(code for equality in self.equalities for code in equality.codes))

    def to_json(self) -> dict[str, Any]:
        """Returns the verdict as plain data; ``holds`` is true, false or "depends"."""

        def shown(holds: bool | None) -> bool | str:
            return "depends" if holds is None else holds

        return {
            "equation": self.text,
            "holds": shown(self.holds),
            "judged": self.judged,
            "says": self.says,
            "reads_as": self.reads_as,
            "codes": list(self.codes),
            "missing": list(self.missing),
            "surplus": list(self.surplus),
            "wrong": list(self.wrong),
            "corrected": self.corrected,
            "would_hold_if": list(self.would_hold_if),
            "readings": [{"reading": reading.says, "holds": reading.holds} for reading in self.readings],
            "equalities": [
                {
                    "left": equality.left,
                    "right": equality.right,
                    "holds": shown(equality.holds),
                    "missing": list(equality.missing),
                    "surplus": list(equality.surplus),
                    "wrong": list(equality.wrong),
                    "codes": list(equality.codes),
                    "corrected": equality.corrected,
                    "says": equality.says,
                }
                for equality in self.equalities
            ],
            "network": self.network,
            "notation": self.notation,
        }

    def __bool__(self) -> bool:
        return self.holds is True

    def __str__(self) -> str:
        from whygrad.render.verdict_text import plain_text

        return plain_text(self)

    def __repr__(self) -> str:
        return str(self)

    def __rich__(self) -> Any:
        from whygrad.render.verdict_text import rich_text

        return rich_text(self)

    def _repr_html_(self) -> str:
        from whygrad.render.verdict_html import html

        return html(self)

    def to_html(self) -> str:
        """Returns a self-contained piece of HTML."""
        return self._repr_html_()

    def to_latex(self) -> str:
        """Returns LaTeX: the equation with its wrong part marked, and the corrected one."""
        from whygrad.render.verdict_latex import latex

        return latex(self)
