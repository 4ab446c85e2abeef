"""The viewer's files, joined into the one ES module that every page loads: no build step, nothing from outside."""

import json
import re
from functools import lru_cache
from pathlib import Path

HOME = Path(__file__).parent
STYLES = ("viewer.css", "recorded.css")
_IMPORT = re.compile(r'^import (?:\{[^}]*\}|\* as \w+) from "\./([\w.-]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|let|class)\b)", re.MULTILINE)


@lru_cache(maxsize=1)
def script() -> str:
    """Returns the viewer as one ES module with its style in it; it exports ``mount``.

    The modules are put one after the other, those first that others import: their names are distinct, which a test
    checks. In every other way they are what stands in the files.

    Example:
        >>> script().rstrip().endswith("export { mount };")
        True
    """
    order: list[str] = []
    _visit("viewer.js", order)
    style = "".join((HOME / name).read_text(encoding="utf-8") for name in STYLES)
    pieces = [f"const STYLE = {json.dumps(style, ensure_ascii=False)};\n"]
    for name in order:
        text = (HOME / name).read_text(encoding="utf-8")
        pieces.append(_EXPORT.sub("", _IMPORT.sub("", text)))
    return "\n".join([*pieces, "export { mount };\n"])


def _visit(name: str, order: list[str]) -> None:
    """Adds a module after those that it imports."""
    if name in order or not name.endswith(".js"):
        return
    for needed in _IMPORT.findall((HOME / name).read_text(encoding="utf-8")):
        _visit(needed, order)
    order.append(name)
