"""The command `whygrad check`: what it prints and its exit status."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from whygrad.cli import app

RIGHT = "dC^0/da^0_3 = 2(a^0_3 - y^0)"


@pytest.mark.parametrize(
    ("equation", "status"),
    [
        (RIGHT, 0),
        ("dC^0/da^0_3 = a^0_3 - y^0", 1),
        ("0 = dC^1/dw^0_{0,3}", 0),
    ],
)
def test_status_of_one_equation(equation: str, status: int) -> None:
    assert CliRunner().invoke(app, ["check", equation]).exit_code == status


def test_status_3_where_it_depends() -> None:
    equation = "dC^0/da^0_1 = dC^0/da^0_3 da^0_3/da^0_1"
    result = CliRunner().invoke(app, ["check", equation])
    assert result.exit_code == 3
    assert "depends on the reading" in result.output


def test_json() -> None:
    result = CliRunner().invoke(app, ["check", RIGHT, "--format", "json"])
    assert json.loads(result.output)["holds"] is True


def test_a_file_and_standard_input(tmp_path: Path) -> None:
    notes = tmp_path / "notes.md"
    notes.write_text("$$\\frac{\\partial C^0}{\\partial a^0_3} = 1$$\ntext\n", encoding="utf-8")
    result = CliRunner().invoke(app, ["check", str(notes)])
    assert result.exit_code == 1
    assert ":1: does not hold" in result.output
    assert CliRunner().invoke(app, ["check", "-"], input=RIGHT).exit_code == 0


@pytest.mark.parametrize("format", ["latex", "html"])
def test_formats(format: str) -> None:
    result = CliRunner().invoke(app, ["check", "dC^0/da^0_3 = a^0_3 - y^0", "--format", format])
    assert "does not hold" in result.output


NOTES = """\\documentclass{article}
\\newcommand{\\pd}[2]{\\frac{\\partial #1}{\\partial #2}}
\\begin{align}
  \\pd{C^0}{a^0_3} &= 2(a^0_3 - y^0) \\\\
  \\pd{C^1}{w^0_{0,3}} &= 1
\\end{align}
\\[ A = B \\cup C \\]
"""


@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_notes_of_every_make(tmp_path: Path, start: str, ends: str) -> None:
    notes = tmp_path / "notes.tex"
    notes.write_bytes((start + NOTES).replace("\n", ends).encode())
    result = CliRunner().invoke(app, ["check", str(notes)])
    lines = [line.removeprefix(str(notes)) for line in result.output.splitlines()]
    assert lines[0] == ":4: holds"
    assert lines[1].startswith(":5: does not hold")
    assert lines[-1] == ": 1 of 2 equations hold"
    assert result.exit_code == 1


def test_several_files_as_a_commit_hook_hands_them_over(tmp_path: Path) -> None:
    good, empty, bad = (tmp_path / name for name in ("good.md", "empty.md", "bad.md"))
    good.write_text("$$\\frac{\\partial C^0}{\\partial a^0_3} = 2(a^0_3 - y^0)$$\n\ntext\n", encoding="utf-8")
    empty.write_text("", encoding="utf-8")
    bad.write_text("$$\\frac{\\partial C^0}{\\partial q} = 1$$\n\ntext\n", encoding="utf-8")
    run = CliRunner().invoke
    assert run(app, ["check", str(good), str(empty)]).exit_code == 0
    assert run(app, ["check", str(good), str(bad), str(empty)]).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere.tex"], "there is no file nowhere.tex"),
        (["."], ". is a folder; expected a file of notes (.tex or .md)"),
        (["dC/da", "=", "3"], "quote the equation: 'dC/da = 3'"),
    ],
)
def test_what_can_not_be_read_is_said(arguments: list[str], says: str) -> None:
    result = CliRunner().invoke(app, ["check", *arguments])
    assert result.exit_code == 2
    assert says in result.output
    assert "Traceback" not in result.output
