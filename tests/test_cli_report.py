"""``whygrad report``: what is printed, with which status, and what is said of functions that can't be used."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from whygrad.cli import app
from whygrad.errors import NotSupportedError

GOOD = """
import torch
from torch.nn.functional import relu as borrowed
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
    return torch.nn.Linear(3, 2), None, 5
def raises():
    raise RuntimeError("no data")
def leaves():
    raise SystemExit("no data set")
def fails():
    model, _, costs = made().values()
    return model, torch.ones(4, 5), costs
def hollow():
    model, batch, costs = made().values()
    return model.to("meta"), batch, costs
def asks(config):
    return config
def turned():
    return torch.ones(4, 3), torch.nn.Linear(3, 2), lambda m, x: None
def empty():
    return torch.nn.Linear(3, 2), torch.ones(4, 3), lambda m, x: None
def wide():
    return torch.nn.Linear(3, 2), torch.ones(4, 3), lambda m, x: {"a": m(x)}
def untrained():
    model, batch, costs = made().values()
    return model.requires_grad_(False), batch, costs
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
    assert "`angle` dominates every shared layer" in made.output


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
        ("elsewhere/my_losses.py:made", "elsewhere/my_losses.py: no such file in"),
        ("/no/such/file.py:made", "/no/such/file.py: no such file\ntry:"),
        ("nowhere:made", "no such module, neither installed nor in"),
        (
            "broken:made",
            "broken: it imports not_installed_at_all, which is not installed\nin broken.py, line 1: import not_",
        ),
        ("my_losses:mde", "expected a function in my_losses, found nothing of that name\ndid you mean made?"),
        ("my_losses:torch", "the functions there: made, two, keys, uncallable, raises"),
        (
            "my_losses:two",
            "expected (model, batch, costs), or a dict with these keys, found a tuple of 2\ncosts:",
        ),
        ("my_losses:keys", "costs missing, found the keys model, batch"),
        ("my_losses:uncallable", "found int: the order is (model, batch, costs)"),
        ("my_losses:borowed", "did you mean borrowed?"),
        (
            "my_losses:raises",
            'my_losses.py, line 17: raise RuntimeError("no data")',
        ),
        (
            "my_losses:asks",
            "my_losses:asks: expected a function that takes nothing, found asks(config): missing a required argument: "
            "'config'\ntry:      a function that calls it",
        ),
        (
            "my_losses:turned",
            "my_losses:turned: model: expected a torch.nn.Module, or a dict of names and modules",
        ),
        ("my_losses:turned", "found Tensor: the order is (model, batch, costs)"),
        (
            "my_losses:empty",
            "my_losses:empty: costs: expected a function (model, batch) that returns a dict of named losses, found "
            'NoneType\ntry:      return {"name": loss}',
        ),
        (
            "my_losses:wide",
            "my_losses:wide: costs: 'a' must be a floating-point tensor without axes, or with one (a cost for each "
            "entry); found a tensor (4, 2) of torch.float32\ntry:      its .mean() or .sum()",
        ),
        (
            "my_losses:hollow",
            "my_losses:hollow: record: the model: the parameter weight is on the meta device",
        ),
        ("my_losses:leaves", "the function raised SystemExit: no data set"),
        (
            "my_losses:fails",
            "costs(model, batch) raised RuntimeError: mat1 and mat2 shapes cannot be multiplied",
        ),
        ("my_losses:fails", "my_losses.py, line 8: return {"),
    ],
)
def test_errors_say_what_to_try(folder: Path, source: str, message: str) -> None:
    made = CliRunner().invoke(app, ["report", source])
    assert made.exit_code == 2
    assert message in made.output


def test_a_model_without_a_trained_parameter_is_refused(folder: Path) -> None:
    with pytest.raises(NotSupportedError, match="there is no parameter to report on"):
        CliRunner().invoke(app, ["report", "my_losses:untrained"], catch_exceptions=False)


def test_an_unknown_semiring_is_refused_before_the_work(folder: Path) -> None:
    made = CliRunner().invoke(app, ["report", "my_losses:raises", "--semirings", "total,entropie"])
    assert made.exit_code == 2
    assert "--semirings: expected one of total, entropy, spectrum, found 'entropie'" in made.output
    assert "no data" not in made.output


def test_a_file_s_ending_says_its_format_and_a_path_may_lead_to_the_function(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "in_a_folder.py").write_text(GOOD)
    for name, begins in (("r.html", "<!doctype html>"), ("r.json", "{"), ("r.txt", "2 costs")):
        made = CliRunner().invoke(app, ["report", "elsewhere/in_a_folder.py:made", "--out", name])
        assert made.exit_code == 0, made.output
        assert (folder / name).read_text(encoding="utf-8").startswith(begins)


def test_without_pytorch_the_install_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    made = CliRunner().invoke(app, ["report"])
    assert made.exit_code == 2
    assert "pip install 'whygrad[torch]'" in made.output


@pytest.mark.parametrize(
    ("out", "message"), [("nowhere/r.html", "there is no folder nowhere"), (".", "it is a folder")]
)
def test_a_file_that_can_t_be_written_is_said_before_the_work(folder: Path, out: str, message: str) -> None:
    made = CliRunner().invoke(app, ["report", "my_losses:raises", "--out", out])
    assert made.exit_code == 2
    assert f"can't be written: {message}" in made.output
    assert "no data" not in made.output
