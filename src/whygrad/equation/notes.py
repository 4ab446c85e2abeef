r"""Checks every display equation with derivatives in notes: LaTeX or Markdown.

What the equations are about is said in a comment, in TOML, at the top or anywhere before them::

    % whygrad: network = "two-costs.toml"
    % whygrad: notation = "nielsen"

    <!-- whygrad:
    sizes = [2, 3, 1]
    activation = "sigmoid"
    [names]
    "w_1" = "w^0_{0,1}"
    -->

Keys are those of a network file, and ``network`` for the name of one. A comment ``% whygrad: skip`` leaves out the
equation that follows it.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from whygrad.equation.check import verdict_of
from whygrad.equation.displays import DISPLAY, displays
from whygrad.equation.setting import Setting, setting
from whygrad.equation.verdict import Verdict
from whygrad.errors import EquationError, NetworkFileError, WhygradError
from whygrad.network import Network

LARGEST = 4_000_000
MOST_EQUATIONS = 2_000
_DERIVATIVES = re.compile(
    r"\\partial|\\nabla|\\delta|\bpartial\b|partial\s|∂|∇|δ|\\mathrm\{d\}|\bd[A-Za-z]\w*(?:\^\S+)?\s*/\s*d|\\frac\{d|\\Delta|\\leftarrow|:="
)
_RELATION = re.compile(r"=|\\equiv|\\leftarrow|\\approx|≡|←")


class Found(NamedTuple):
    """An equation of a file, with its verdict or what is wrong with reading it."""

    line: int
    text: str
    verdict: Verdict | None
    error: str = ""

    @property
    def status(self) -> int:
        """The exit status: 0 holds, 1 does not, 2 can't be read, 3 depends on the reading."""
        return 2 if self.verdict is None else status(self.verdict)


def status(verdict: Verdict) -> int:
    """Returns the exit status of a verdict: 0 holds, 1 does not, 3 depends on the reading."""
    return 0 if verdict.holds else 3 if verdict.holds is None else 1


def overall(found: list[Found]) -> int:
    """Returns the exit status of a file: 1 where an equation is wrong, else 2, 3, 0."""
    every = {equation.status for equation in found}
    return next((code for code in (1, 2, 3) if code in every), 0)


def has_displays(text: str) -> bool:
    """Returns whether a text is notes with display equations rather than one equation."""
    bare = text.strip()
    matches = list(DISPLAY.finditer(text))
    return bool(matches) and (len(matches) > 1 or matches[0].group().strip() != bare)


def check_notes(
    text: str, network: Network, beside: Path | None = None, notation: str | None = None
) -> list[Found]:
    """Returns the verdicts on the display equations of some notes, in order.

    Args:
        text: The notes.
        network: What the equations are about where the notes don't say.
        beside: The folder that network files named in the notes are looked up in.
        notation: The notation, whatever the network says; notes may say another.

    Raises:
        NetworkFileError: What the notes say of the network can't be used.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    if len(text) > LARGEST:
        raise EquationError(f"notes have at most {LARGEST:,} signs; these have {len(text):,}")
    return list(_found(text, network, beside or Path(), notation))


def _found(text: str, network: Network, beside: Path, notation: str | None) -> Iterator[Found]:
    under: Setting | None = None
    skip = False
    many = 0
    for display in displays(text):
        if display.said is not None:
            if display.said.strip() == "skip":
                skip = True
                continue
            network, notation = _declared(display.said, network, beside, notation, display.line)
            under = None
            continue
        if skip:
            skip = False
            continue
        for line, equation in display.equations:
            if not _DERIVATIVES.search(equation) or not _RELATION.search(equation):
                continue
            many += 1
            if many > MOST_EQUATIONS:
                raise EquationError(f"notes have at most {MOST_EQUATIONS:,} equations")
            under = under or setting(network, notation, None)
            try:
                yield Found(line, equation, verdict_of(equation, under))
            except WhygradError as error:
                yield Found(line, equation, None, str(error))


def _declared(
    said: str, network: Network, beside: Path, notation: str | None, line: int
) -> tuple[Network, str | None]:
    """Returns the network and notation that a comment declares."""
    import tomllib

    try:
        entries: dict[str, Any] = tomllib.loads(said)
    except tomllib.TOMLDecodeError as error:
        raise NetworkFileError(f"line {line}: the comment after 'whygrad:' is not TOML: {error}") from None
    notation = entries.pop("notation", notation)
    file = entries.pop("network", None)
    names = entries.pop("names", None)
    data = entries.pop("data", {})
    try:
        if file is not None:
            network = Network.load(beside / str(file))
        elif "sizes" in entries:
            network = Network(**entries, x=data.get("x"), y=data.get("y"))
        elif entries:
            raise NetworkFileError(
                f'expected network = "file.toml" or sizes = [...], found {", ".join(entries)}'
            )
        if names is not None:
            network = network.changed(names=names)
    except (WhygradError, TypeError) as error:
        raise NetworkFileError(f"line {line}: {error}") from None
    return network, notation
