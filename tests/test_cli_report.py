"""``whygrad report``: what is printed, with which status, and what is said of functions that can't be used."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from whygrad.cli import app

GOOD = """
import torch
def made():
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    def costs(model, x):
        return {"a": model(x).square().mean(), "b": -model(x).square().mean()}
    return {"model": model, "batch": torch.ones(4, 3), "costs": costs}
def two():
    return 1, 2
def keys():
    return {"model": None, "batch": None}
def uncallable():
    return None, None, 5
def raises():
    raise RuntimeError("no data")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my_losses.py").write_text(GOOD)
    (tmp_path / "broken.py").write_text("import not_installed_at_all\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_without_an_argument_there_is_an_example() -> None:
    made = CliRunner().invoke(app, ["report"])
    assert made.exit_code == 0, made.output
    assert made.output.startswith("A built-in example. Yours: whygrad report MODULE:FUNCTION")
    assert "angle dominates every shared layer" in made.output


@pytest.mark.parametrize("format", ["text", "html", "json"])
def test_formats_and_files(folder: Path, format: str) -> None:
    made = CliRunner().invoke(app, ["report", "my_losses:made", "--format", format, "--out", "report.out"])
    assert made.exit_code == 0, made.output
    text = (folder / "report.out").read_text(encoding="utf-8")
    if format == "json":
        assert list(json.loads(text)["costs"]) == ["a", "b"]
    else:
        assert "Which cost pulls where" in text
    assert CliRunner().invoke(app, ["report", "my_losses.py:made", "--strict"]).exit_code == 1


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("my_losses", "expected MODULE:FUNCTION, such as train:for_report"),
        ("nowhere:made", "no such module, neither installed nor in"),
        ("broken:made", "it imports not_installed_at_all, which is not installed"),
        ("my_losses:mad", "the functions of my_losses: keys, made, raises, two, uncallable"),
        ("my_losses:two", "expected (model, batch, costs), or a dict with these keys, found a tuple of 2"),
        ("my_losses:keys", "costs missing, found the keys model, batch"),
        ("my_losses:uncallable", "costs: expected a function (model, batch)"),
        ("my_losses:raises", "the function raised RuntimeError: no data"),
    ],
)
def test_errors_say_what_to_try(folder: Path, source: str, message: str) -> None:
    made = CliRunner().invoke(app, ["report", source])
    assert made.exit_code == 2
    assert message in made.output


def test_without_pytorch_the_install_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    made = CliRunner().invoke(app, ["report"])
    assert made.exit_code == 2
    assert "pip install 'whygrad[torch]'" in made.output
