"""What comes out: a Diagnosis, its findings, and what became of each parameter."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from whygrad.arrays import Array


class Finding(NamedTuple):
    """One mistake at one place, or the description of a difference that no known mistake makes.

    Attributes:
        parameter: The first parameter, from the costs, that it changes.
        mistake: Its code; nothing where no known mistake makes the difference.
        says: What is wrong, in a sentence.
        fix: The line of code or mathematics that mends it.
        match: The share of the difference that it explains: 1 where it reproduces the numbers to rounding.
        parameters: All parameters that it changes.
        exact: Whether it reproduces the numbers to rounding; what doesn't is likely, not certain.
        instead_of: Codes of other findings that have the same numbers: one of them is the mistake.
        layer: The layer that it is in.
    """

    parameter: str
    mistake: str | None
    says: str
    fix: str
    match: float
    parameters: tuple[str, ...] = ()
    exact: bool = True
    instead_of: tuple[str, ...] = ()
    layer: int | None = None

    @property
    def sentence(self) -> str:
        """What is wrong, with a capital (unless a name stands first) and a full stop."""
        first = self.says.split(" ", 1)[0].rstrip(":,;")
        named = first.removeprefix("d") in self.parameters
        head = self.says[:1] if named else self.says[:1].upper()
        return head + self.says[1:] + ("" if self.says.endswith((".", "?")) else ".")

    def to_json(self) -> dict[str, Any]:
        """Returns the finding as a dictionary of plain values."""
        return {
            "parameter": self.parameter,
            "mistake": self.mistake,
            "says": self.says,
            "fix": self.fix,
            "match": self.match,
            "parameters": list(self.parameters),
            "exact": self.exact,
            "instead_of": list(self.instead_of),
            "layer": self.layer,
        }


class Judged(NamedTuple):
    """One parameter's gradient: what was handed in, what is right, and which entries differ.

    ``given`` is in the network's layout and conventions; nothing where its shape didn't fit.
    """

    right: bool
    expected: Array
    given: Array = None
    wrong: Array = None

    def to_json(self) -> dict[str, Any]:
        """Returns right, the mask of wrong entries, and both arrays as lists; NaN and infinity become None."""
        return {
            "right": self.right,
            "wrong": None if self.wrong is None else self.wrong.tolist(),
            "given": None if self.given is None else _plain(self.given),
            "expected": _plain(self.expected),
        }


def _plain(array: Array) -> Any:
    found = np.asarray(array, float)
    listed = found.astype(object)
    listed[~np.isfinite(found)] = None
    return listed.tolist()


class Diagnosis(NamedTuple):
    """What is right and what is wrong in gradients that somebody handed in, and which mistakes explain it.

    Attributes:
        findings: The mistakes, from the costs backwards. Findings that have the same numbers name each other in
            ``instead_of``.
        parameters: What became of each parameter, by name.
        notes: Conventions that were found or declared, and what these numbers can't decide.
        unseen: What this input can't show.
    """

    findings: tuple[Finding, ...]
    parameters: Mapping[str, Judged]
    notes: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()

    @property
    def right(self) -> bool:
        """Whether every gradient is right."""
        return not self.findings and all(judged.right for judged in self.parameters.values())

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of the mistakes that reproduce the numbers, each once; what is only likely isn't among them."""
        return tuple(dict.fromkeys(one.mistake for one in self.findings if one.mistake and one.exact))

    @property
    def groups(self) -> tuple[tuple[Finding, ...], ...]:
        """The findings, those together that have the same numbers: one of them is the mistake."""
        made: list[list[Finding]] = []
        for one in self.findings:
            alike = (
                group
                for group in made
                if group[0].parameters == one.parameters and group[0].mistake in one.instead_of
            )
            group = next(alike, None)
            if group is None:
                made.append([one])
            else:
                group.append(one)
        return tuple(tuple(group) for group in made)

    @property
    def says(self) -> str:
        """The verdict in one sentence."""
        wrong = [name for name, judged in self.parameters.items() if not judged.right]
        if self.right:
            return f"All {len(self.parameters)} gradients are right."
        right = [name for name, judged in self.parameters.items() if judged.right]
        if not wrong:
            return "The gradients of this call are right, but calls differ."
        named = f"{_listed(wrong)} {'is' if len(wrong) == 1 else 'are'} wrong"
        return (
            f"{named}; {_listed(right)} {'is' if len(right) == 1 else 'are'} right." if right else f"{named}."
        )

    def to_json(self) -> dict[str, Any]:
        """Returns ``right``, ``findings``, ``says``, ``parameters``, ``notes`` and ``unseen`` as plain values."""
        return {
            "right": self.right,
            "says": self.says,
            "findings": [finding.to_json() for finding in self.findings],
            "parameters": {name: judged.to_json() for name, judged in self.parameters.items()},
            "notes": list(self.notes),
            "unseen": list(self.unseen),
        }

    def to_text(self, width: int = 80, unicode: bool = True) -> str:
        """Returns the diagnosis as plain text."""
        from whygrad.render.diagnosis_text import text

        return text(self, width, unicode)

    def to_html(self) -> str:
        """Returns the diagnosis as a piece of HTML that needs nothing else."""
        from whygrad.render.diagnosis_html import html

        return html(self)

    def _repr_html_(self) -> str:
        return self.to_html()

    def __rich_console__(self, console: Any, options: Any) -> Any:
        from whygrad.render.diagnosis_text import lines

        yield from lines(self, options.encoding.startswith("utf"))

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        return str(self)


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
