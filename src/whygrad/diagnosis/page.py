"""The page of the documentation that lists the table of mistakes."""

from whygrad.diagnosis.mistake import Mistake
from whygrad.diagnosis.table import ENTRIES

HEAD = """# Mistakes that `diagnose` knows

Made from the table in `whygrad.diagnosis`: `python -m whygrad.diagnosis.page > docs/mistakes.md`. A finding names one
of these codes where the mistake, applied to the backward pass, reproduces the gradients to rounding; mistakes with the
same numbers are all named. Layers count from 1, the input is layer 0; `W` has the shape (to, from), so
`z = a @ W.T + b`.
"""


def _filled(text: str) -> str:
    names = {
        "l": "l",
        "up": "l+1",
        "down": "l-1",
        "last": "L",
        "act": "f",
        "m": "m",
        "outputs": "n",
        "note": "…",
    }
    return " ".join(text.format(**names).split())


def _entry(mistake: Mistake) -> str:
    said = _filled(mistake.says).rstrip(" :…").strip()
    return f"| `{mistake.code}` | {said} | {mistake.where} | `{_filled(mistake.fix)}` |"


def page() -> str:
    """Returns the page as Markdown."""
    groups: dict[str, list[Mistake]] = {}
    for mistake in ENTRIES:
        groups.setdefault(mistake.group, []).append(mistake)
    parts = [HEAD]
    for group, mistakes in groups.items():
        rows = [_entry(mistake) for mistake in mistakes]
        title = group[:1].upper() + group[1:]
        parts.append(
            f"## {title}\n\n| code | what is wrong | where | mend |\n|---|---|---|---|\n"
            + "\n".join(rows)
            + "\n"
        )
    return "\n".join(parts)


if __name__ == "__main__":
    print(page(), end="")
