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
