"""The command ``whygrad check``: one equation, a file of notes, or standard input."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from whygrad.cli_shared import NetworkFile, NotationName, choose, console, fail, network_of, write_json

MOST_READ = 4_000_000


def check(
    equation: Annotated[
        str, typer.Argument(help="An equation; or a .tex or .md file; or - for standard input.")
    ],
    network: NetworkFile = None,
    notation: NotationName = None,
    format: Annotated[str, typer.Option("--format", help="text, latex, html or json.")] = "text",
) -> None:
    """Say whether an equation holds: status 0 it does, 1 it doesn't, 2 can't be read, 3 depends on the reading."""
    from whygrad.equation import check as checked
    from whygrad.equation.notes import has_displays, status

    choose("format", format, ("text", "latex", "html", "json"))
    net = network_of(network, notation)
    if equation == "-":
        text = sys.stdin.read(MOST_READ + 1)
        if has_displays(text):
            raise typer.Exit(_notes("-", text, net, Path(), notation, format))
        equation = text
    elif _is_file(equation):
        path = Path(equation)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            fail(f"{equation}: can't be read: {error}")
        raise typer.Exit(_notes(equation, text, net, path.parent, notation, format))
    verdict = checked(net, equation)
    if format == "json":
        write_json(verdict.to_json())
    elif format == "text":
        from whygrad.render.verdict_text import print_verdict

        print_verdict(verdict, console())
    else:
        sys.stdout.write((verdict.to_html() if format == "html" else verdict.to_latex()) + "\n")
    raise typer.Exit(status(verdict))


def _is_file(text: str) -> bool:
    if len(text) > 400 or "\n" in text or "=" in text:
        return False
    return text.lower().endswith((".tex", ".md", ".markdown", ".txt", ".rst")) or Path(text).is_file()


def _notes(name: str, text: str, net: Any, beside: Path, notation: str | None, format: str) -> int:
    """Prints one line for each equation of some notes; returns the exit status."""
    from whygrad.equation.notes import check_notes, overall
    from whygrad.render.verdict_text import one_line

    found = check_notes(text, net, beside, notation)
    if format == "json":
        rows = [
            {"file": name, "line": row.line}
            | (
                row.verdict.to_json()
                if row.verdict
                else {"equation": row.text, "holds": "unreadable", "says": row.error}
            )
            for row in found
        ]
        write_json(rows)
        return overall(found)
    for row in found:
        if row.verdict is not None:
            says = one_line(row.verdict.holds, row.verdict.equalities)
            if row.verdict.corrected:
                says += f"\n    right would be: {' '.join(row.verdict.corrected.split())}"
            for sentence in row.verdict.would_hold_if:
                says += f"\n    it would hold if {sentence}"
        else:
            says = "can't be read: " + row.error.replace("\n", "\n  ")
        sys.stdout.write(f"{name}:{row.line}: {says}\n")
    right = sum(row.status == 0 for row in found)
    sys.stdout.write(
        f"{name}: {right} of {len(found)} equations hold\n"
        if found
        else f"{name}: no display equations with derivatives\n"
    )
    return overall(found)
