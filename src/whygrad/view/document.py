"""The document of a run: everything that the viewer shows, as dictionaries, lists, texts and numbers."""

from typing import Any

from whygrad.run import Run

VERSION = 1


def document(
    run: Run,
    *,
    chosen: Any = None,
    of: Any = None,
    notation: str | None = None,
    semiring: str = "gradient",
    example: int | None = None,
) -> dict[str, Any]:
    """Returns the document of a run, with the explanation of the chosen quantity."""
    derivation = run.explain(chosen, of=of, notation=notation, example=example)
    return {"version": VERSION, "kind": "layered", "derivation": derivation.to_json()}
