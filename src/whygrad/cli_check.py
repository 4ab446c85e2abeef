"""The command ``whygrad check``: equations, files of notes, or standard input."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from whygrad.cli_shared import (
    NetworkFile,
    NotationName,
    choose,
    console,
    fail,
    network_of,
    write_document,
    write_json,
)

MOST_READ = 4_000_000
_WORST_FIRST = (1, 2, 3, 0)


def check(
    equation: Annotated[
        list[str], typer.Argument(help="An equation; or .tex and .md files; or - for standard input.")
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
    if equation == ["-"]:
        text = sys.stdin.read(MOST_READ + 1)
        if has_displays(text):
            raise typer.Exit(_notes([("-", text, Path())], net, notation, format))
        equation = [text]
    elif all(map(_is_file, equation)):
        files = [(name, _read(name), Path(name).parent) for name in equation]
        raise typer.Exit(_notes(files, net, notation, format))
    if len(equation) > 1:
        fail(f"one equation or files were expected; quote the equation: '{' '.join(equation)}'")
    verdict = checked(net, equation[0])
    if format == "json":
        write_json(verdict.to_json())
    elif format == "text":
        from whygrad.render.verdict_text import print_verdict

        print_verdict(verdict, console())
    else:
        write_document((verdict.to_html() if format == "html" else verdict.to_latex()).rstrip())
    raise typer.Exit(status(verdict))


def _is_file(text: str) -> bool:
    if len(text) > 400 or "\n" in text or "=" in text:
        return False
    return text.lower().endswith((".tex", ".md", ".markdown", ".txt", ".rst")) or Path(text).exists()


def _read(name: str) -> str:
    """Returns the text of a file, or ends with an error."""
    path = Path(name)
    if path.is_dir():
        fail(f"{name} is a folder; expected a file of notes (.tex or .md)")
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        fail(f"there is no file {name}")
    except UnicodeDecodeError as error:
        fail(f"{name} is no UTF-8 text: byte {error.start} can't be read")
    except OSError as error:
        fail(f"{name} can't be read: {error.strerror}")


def _notes(files: list[tuple[str, str, Path]], net: Any, notation: str | None, format: str) -> int:
    """Prints one line for each equation of some notes; returns the exit status."""
    from whygrad.equation.notes import check_notes, overall

    rows: list[dict[str, Any]] = []
    found_status = set()
    for name, text, beside in files:
        found = check_notes(text, net, beside, notation)
        found_status.add(overall(found))
        if format == "json":
            rows += [_row(name, row) for row in found]
            continue
        for row in found:
            _print(name, row)
        right = sum(row.status == 0 for row in found)
        sys.stdout.write(
            f"{name}: {right} of {len(found)} equations hold\n"
            if found
            else f"{name}: no display equations with derivatives\n"
        )
    if format == "json":
        write_json(rows)
    return next(status for status in _WORST_FIRST if status in found_status)


def _row(name: str, row: Any) -> dict[str, Any]:
    said = {"equation": row.text, "holds": "unreadable", "says": row.error}
    return {"file": name, "line": row.line} | (row.verdict.to_json() if row.verdict else said)


def _print(name: str, row: Any) -> None:
    from whygrad.render.verdict_text import one_line

    if row.verdict is None:
        says = "can't be read: " + row.error.replace("\n", "\n  ")
    else:
        says = one_line(row.verdict.holds, row.verdict.equalities)
        if row.verdict.corrected:
            says += f"\n    right would be: {' '.join(row.verdict.corrected.split())}"
        for sentence in row.verdict.would_hold_if:
            says += f"\n    it would hold if {sentence}"
        for reading in row.verdict.readings:
            says += f"\n    it {'holds' if reading.holds else 'does not hold'} where {reading.says}"
    sys.stdout.write(f"{name}:{row.line}: {says}\n")
