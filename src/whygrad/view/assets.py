"""The viewer's files, joined into the one ES module that every page loads."""

from functools import lru_cache
from pathlib import Path

HOME = Path(__file__).parent


@lru_cache(maxsize=1)
def script() -> str:
    """Returns the viewer as one ES module with its style; it exports ``mount``."""
    return (HOME / "viewer.js").read_text(encoding="utf-8")
