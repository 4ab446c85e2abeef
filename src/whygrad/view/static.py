"""A run in a notebook's saved output: a picture, the words, the formula and the table of paths, without a script."""

from typing import Any

from whygrad.render.as_html import derivation_html
from whygrad.run import Run


def static(run: Run, *, chosen: Any = None, of: Any = None, example: int | None = None) -> str:
    """Returns a piece of HTML."""
    return derivation_html(run.explain(example=example))
