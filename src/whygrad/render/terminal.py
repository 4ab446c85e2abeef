"""What is printed in a terminal, and the same as text."""

import re
from collections.abc import Iterable
from io import StringIO
from typing import Any

from rich.console import Console


def shows_unicode(console: Console) -> bool:
    """Returns whether a console can show more than ASCII."""
    return not console.options.legacy_windows and (console.encoding or "").lower().startswith("utf")


def printed(parts: Iterable[Any], width: int, color: bool = False) -> str:
    """Returns what is printed as text of some width."""
    file = StringIO()
    console = Console(
        file=file,
        width=width,
        force_terminal=color,
        no_color=not color,
        color_system="standard" if color else None,
        highlight=False,
    )
    for part in parts:
        console.print(part)
    return trimmed(file.getvalue())


def trimmed(text: str) -> str:
    """Returns a text without the blanks at the ends of its lines, which rich fills up to the full width."""
    ends = r"(?:\x1b\[[0-9;]*m| )+$"
    return re.sub(ends, lambda match: match.group().replace(" ", ""), text, flags=re.MULTILINE)
